//! What two configurations agree on, held against a table of what they should.

mod support;

use std::time::Duration;

use oxirtc_dtls::{
    CipherSuite, Config, Event, Group, KeyType,
    Role::{Client, Server},
    SignatureScheme, SrtpProfile, State, Version,
};
use support::{Pair, certificate, config_1_3, config_of, perfect, times};

/// One side's lists.
#[derive(Clone, Copy, Debug)]
struct Lists {
    versions: &'static [Version],
    groups: &'static [Group],
    suites: &'static [CipherSuite],
    key: KeyType,
}

use CipherSuite::{
    Aes128Gcm, Aes256Gcm, ChaCha20Poly1305, EcdheEcdsaAes128Gcm, EcdheEcdsaAes256Gcm,
    EcdheEcdsaChaCha20Poly1305, EcdheRsaAes128Gcm, EcdheRsaAes256Gcm, EcdheRsaChaCha20Poly1305,
};
use Version::{Dtls12, Dtls13};

const VERSIONS: [&[Version]; 4] = [&[Dtls13, Dtls12], &[Dtls12, Dtls13], &[Dtls12], &[Dtls13]];
const GROUPS: [&[Group]; 5] = [
    &Group::ALL,
    &[Group::P384, Group::X25519MlKem768],
    &[Group::X25519],
    &[Group::P256, Group::X25519],
    &[Group::P384],
];
const SUITES: [&[CipherSuite]; 4] = [
    &CipherSuite::ALL,
    &[Aes256Gcm, EcdheEcdsaAes256Gcm, EcdheRsaAes256Gcm],
    &[
        ChaCha20Poly1305,
        EcdheEcdsaChaCha20Poly1305,
        EcdheRsaChaCha20Poly1305,
        Aes128Gcm,
    ],
    &[EcdheEcdsaAes128Gcm, EcdheRsaAes128Gcm],
];
const KEYS: [KeyType; 4] = [
    KeyType::EcdsaP256,
    KeyType::Rsa2048,
    KeyType::EcdsaP384,
    KeyType::Ed25519,
];

/// The newest version of both; of that the server's first group and suite that the client has.
fn expected(client: &Lists, server: &Lists) -> Option<(Version, CipherSuite, Group)> {
    let both =
        |version: &Version| client.versions.contains(version) && server.versions.contains(version);
    let version = [Dtls13, Dtls12].into_iter().find(both)?;
    let rsa = server.key == KeyType::Rsa2048;
    let fits = |suite: &CipherSuite| match suite {
        Aes128Gcm | Aes256Gcm | ChaCha20Poly1305 => version == Dtls13,
        EcdheRsaAes128Gcm | EcdheRsaAes256Gcm | EcdheRsaChaCha20Poly1305 => {
            version == Dtls12 && rsa
        }
        _ => version == Dtls12 && !rsa,
    };
    let mut suites = server.suites.iter().copied().filter(fits);
    let suite = suites.find(|suite| client.suites.contains(suite))?;
    let mut groups = server.groups.iter().copied();
    let group = groups.find(|group| {
        let known = *group != Group::X25519MlKem768 || version == Dtls13;
        known && client.groups.contains(group)
    })?;
    Some((version, suite, group))
}

fn play(client: Lists, server: Lists, cookie: bool) {
    let configure = |lists: Lists, which| {
        Config::new(certificate(lists.key, which))
            .versions(lists.versions)
            .groups(lists.groups)
            .cipher_suites(lists.suites)
    };
    let server_config = configure(server, 1).cookie_exchange(cookie);
    let mut pair = Pair::new(configure(client, 0), server_config);
    pair.start();
    pair.run(Duration::from_secs(150), &mut perfect());
    let name = format!("{client:?} {server:?} cookie: {cookie}");
    let Some(agreed) = expected(&client, &server) else {
        let failed = |events: &[Event]| matches!(events, [Event::Failed { .. }]);
        assert!(failed(&pair[Client].events), "{name}");
        // Of a hello that offers nothing at all a server takes no notice.
        let server = &pair[Server];
        let unheard = server.connection.state() == State::New;
        assert!(unheard || failed(&server.events), "{name}");
        return;
    };
    for end in &pair.ends {
        assert_eq!(end.events, [Event::Connected], "{name}");
        let connection = &end.connection;
        let (version, suite, group) = agreed;
        assert_eq!(connection.protocol_version(), Some(version.id()), "{name}");
        assert_eq!(connection.cipher_suite(), Some(suite), "{name}");
        assert_eq!(connection.group(), Some(group), "{name}");
    }
    pair.assert_connected();
}

/// Every combination in full; a sample of them, spread evenly, otherwise. A HelloRetryRequest comes for a
/// cookie, for a group that no share was sent for, or for both.
#[test]
fn two_sides_agree_on_what_they_should() {
    let step = times(397, 1) as usize;
    let mut index = 0;
    let mut played = 0;
    for client_versions in VERSIONS {
        for server_versions in VERSIONS {
            for (client_groups, server_groups) in squared(&GROUPS) {
                for (client_suites, server_suites) in squared(&SUITES) {
                    for (client_key, server_key) in squared(&KEYS) {
                        for cookie in [false, true] {
                            index += 1;
                            if index % step != 0 {
                                continue;
                            }
                            played += 1;
                            let client = Lists {
                                versions: client_versions,
                                groups: client_groups,
                                suites: client_suites,
                                key: client_key,
                            };
                            let server = Lists {
                                versions: server_versions,
                                groups: server_groups,
                                suites: server_suites,
                                key: server_key,
                            };
                            play(client, server, cookie);
                        }
                    }
                }
            }
        }
    }
    assert!(played > 500, "{played}");
}

/// What a list names twice counts once, and names that no message holds are left out.
#[test]
fn lists_that_nobody_could_say_are_cut() {
    let twice = |which| {
        let config = config_1_3(which).groups(&[Group::X25519, Group::X25519, Group::P256]);
        let config = config.versions(&[Dtls13, Dtls12, Dtls13]);
        let config = config.cipher_suites(&[Aes128Gcm; 3]);
        let config = config.srtp_profiles(&[SrtpProfile::AeadAes128Gcm; 2]);
        config.signature_schemes(&[SignatureScheme::EcdsaSecp256r1Sha256; 2])
    };
    Pair::new(twice(0), twice(1)).connect();
    let long: Vec<String> = (0..300).map(|it| format!("{it:0>255}")).collect();
    let names: Vec<&str> = long.iter().map(String::as_str).collect();
    // With its length each takes 256 bytes of 4,096.
    for (place, fits) in [(0, true), (15, true), (16, false)] {
        let mut names = names.clone();
        names.insert(place, "webrtc");
        for version in support::VERSIONS {
            let client = config_of(version, 0).alpn(&names);
            let mut pair = Pair::new(client, config_of(version, 1));
            pair.start();
            pair.run(Duration::from_secs(60), &mut perfect());
            assert_eq!(
                pair[Client].connection.is_connected(),
                fits,
                "{place} {version}"
            );
            if fits {
                assert_eq!(pair[Client].connection.alpn(), Some("webrtc"));
            }
        }
    }
}

fn squared<T: Copy>(of: &[T]) -> impl Iterator<Item = (T, T)> {
    of.iter()
        .flat_map(move |first| of.iter().map(move |second| (*first, *second)))
}

/// The newest version wins whatever order a server was given, as a client that speaks 1.3 too would take
/// anything else for a downgrade (RFC 8446 §4.1.3).
#[test]
fn the_order_of_a_servers_versions_downgrades_nobody() {
    let lists = |versions| Lists {
        versions,
        groups: &Group::ALL,
        suites: &CipherSuite::ALL,
        key: KeyType::EcdsaP256,
    };
    play(lists(&[Dtls13, Dtls12]), lists(&[Dtls12, Dtls13]), false);
    play(lists(&[Dtls12, Dtls13]), lists(&[Dtls12, Dtls13]), true);
}
