//! What DTLS and SRTP are told to speak.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod pair;

use std::time::{Duration, SystemTime};

use oxirtc_netsim::{Link, epoch, ms};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, ErrorKind, MediaKind, PeerConnectionState,
    engine::{Anchor, DtlsGroup, DtlsVersion, Engine, Settings, SrtpProfile},
    stats::TransportStats,
};
use pair::{
    Pair,
    media::{Camera, ONE, connect},
};

fn with(settings: [Settings; 2]) -> Pair {
    let configuration = Configuration::default;
    let link = Link::new(1).delay(ms(10));
    Pair::with_each(3, link, [configuration(), configuration()], settings)
}

fn transport(pair: &Pair, side: usize) -> TransportStats {
    let report = pair.ends[side].engine.stats(pair.now);
    report.transports().next().unwrap().clone()
}

/// Both ends, negotiated and given their time; whether they are connected.
fn connected(pair: &mut Pair) -> bool {
    pair.open(0, "a", &DataChannelInit::default());
    pair.negotiate(0).unwrap();
    pair.run(Duration::from_secs(180));
    let state = |side: usize| pair.ends[side].engine.connection_state();
    state(0) == PeerConnectionState::Connected && state(1) == PeerConnectionState::Connected
}

#[test]
fn the_versions_that_are_spoken() {
    let old = Settings::default().dtls_versions(&[DtlsVersion::Dtls12]);
    let new = Settings::default().dtls_versions(&[DtlsVersion::Dtls13]);
    let all = Settings::default().dtls_versions(&[]);
    for (settings, expected) in [
        ([old.clone(), all.clone()], Some("FEFD")),
        ([all.clone(), old.clone()], Some("FEFD")),
        ([new.clone(), all], Some("FEFC")),
        ([new, old], None),
    ] {
        let mut pair = with(settings);
        assert_eq!(connected(&mut pair), expected.is_some(), "{expected:?}");
        if expected.is_some() {
            for side in 0..2 {
                assert_eq!(transport(&pair, side).tls_version.as_deref(), expected);
            }
        }
    }
}

#[test]
fn groups_that_no_version_knows_are_refused() {
    let alone = Settings::default().dtls_groups(&[DtlsGroup::X25519MlKem768]);
    let made = |settings: Settings| {
        let anchor = Anchor {
            instant: epoch(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        };
        Engine::new(Configuration::default(), settings, [1; 32], anchor).map(|_| ())
    };
    let error = made(alone.clone().dtls_versions(&[DtlsVersion::Dtls12])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSupported);
    made(alone).unwrap();
}

/// Groups show in who finds no common one, and in the length of what is sent: the keys of ML-KEM take more than 2 KB.
#[test]
fn the_groups_that_are_agreed_on() {
    let of = |groups: &[DtlsGroup]| Settings::default().dtls_groups(groups);
    let (one, other) = (of(&[DtlsGroup::P256]), of(&[DtlsGroup::X25519]));
    assert!(!connected(&mut with([one, other.clone()])));
    let sent = |settings: [Settings; 2]| {
        let mut pair = with(settings);
        assert!(connected(&mut pair));
        let both = (0..2).map(|side| transport(&pair, side).bytes_sent.unwrap());
        both.sum::<u64>()
    };
    let both = [DtlsGroup::P384, DtlsGroup::P256];
    sent([of(&both), of(&both[1..])]);
    let hybrid = of(&[DtlsGroup::X25519MlKem768]);
    let (short, long) = (sent([other.clone(), other]), sent([hybrid.clone(), hybrid]));
    assert!(short + 2000 < long, "{short} and {long} bytes");
}

#[test]
fn the_protection_of_media() {
    for (profile, name) in [
        (SrtpProfile::AeadAes128Gcm, "SRTP_AEAD_AES_128_GCM"),
        (SrtpProfile::AeadAes256Gcm, "SRTP_AEAD_AES_256_GCM"),
        (SrtpProfile::Aes128CmSha1_80, "SRTP_AES128_CM_HMAC_SHA1_80"),
        (SrtpProfile::Aes128CmSha1_32, "SRTP_AES128_CM_HMAC_SHA1_32"),
    ] {
        let settings = Settings::default().srtp_profiles(&[profile]);
        let mut pair = with([settings.clone(), settings]);
        let streams = vec!["stream".to_owned()];
        let engine = &mut pair.ends[0].engine;
        let here = engine.add_track(MediaKind::Video, ONE, streams).unwrap();
        let there = connect(&mut pair);
        let whole = Camera::default().film(&mut pair, [here, there], 10);
        assert!(whole >= 8, "{whole} of 10, {name}");
        let cipher = transport(&pair, 1).srtp_cipher;
        assert_eq!(cipher.as_deref(), Some(name));
    }
}
