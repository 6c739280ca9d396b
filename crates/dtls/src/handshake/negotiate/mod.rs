//! The hellos: offering, choosing, and the states that wait for the peer's.

pub(super) mod client;
pub(super) mod server;

use crate::{
    AlertDescription, Config, KeyType, SignatureScheme, SrtpProfile, Version,
    crypto::suite::Authentication,
    handshake::work::{Fault, Refusal},
    message::{Extensions, extension},
};

/// The SRTP profile of ours that comes first among theirs.
pub(super) fn choose_srtp(config: &Config, offered: &[u16]) -> Option<SrtpProfile> {
    let mut ours = config.srtp_profiles.iter().copied();
    ours.find(|profile| offered.contains(&profile.id()))
}

/// The protocol of ours that comes first among theirs. RFC 8833 §2: `c-webrtc` is `webrtc` whose peer
/// promises to keep the media to itself, so it can be answered by whoever speaks `webrtc`.
pub(super) fn choose_alpn(config: &Config, offered: &[&[u8]]) -> Option<String> {
    let confidential = config
        .alpn
        .iter()
        .any(|name| name == "webrtc")
        .then_some("c-webrtc");
    let mut ours = config.alpn.iter().map(String::as_str).chain(confidential);
    ours.find(|name| offered.contains(&name.as_bytes()))
        .map(str::to_owned)
}

/// What a server takes of a ClientHello's ALPN (RFC 7301 §3.2: names without one of ours among them
/// end the handshake).
pub(super) fn check_alpn_offer(
    config: &Config,
    extensions: &Extensions<'_>,
) -> Result<Option<String>, Refusal> {
    match extensions.alpn()? {
        Some(names) if !config.alpn.is_empty() => {
            let chosen = choose_alpn(config, &names);
            let nothing = Refusal::doubt(AlertDescription::NO_APPLICATION_PROTOCOL);
            chosen.map(Some).ok_or(nothing)
        }
        _ => Ok(None),
    }
}

/// What a server answered to our `use_srtp` (RFC 5764 §4.1.1: one profile, of those offered, and our
/// empty MKI).
pub(super) fn check_srtp_answer(
    config: &Config,
    extensions: &Extensions<'_>,
) -> Result<Option<SrtpProfile>, Refusal> {
    let illegal = Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER);
    match extensions.use_srtp()? {
        Some(answer) => match (answer.profiles.as_slice(), answer.mki) {
            ([profile], []) => choose_srtp(config, &[*profile]).map(Some).ok_or(illegal),
            _ => Err(illegal),
        },
        None => Ok(None),
    }
}

/// What a server answered to our ALPN: one name, of ours.
pub(super) fn check_alpn_answer(
    config: &Config,
    extensions: &Extensions<'_>,
) -> Result<Option<String>, Refusal> {
    let illegal = Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER);
    match extensions.alpn()?.as_deref() {
        Some([name]) => {
            let name = config.alpn.iter().find(|ours| ours.as_bytes() == *name);
            name.cloned().map(Some).ok_or(illegal)
        }
        Some(_) => Err(illegal),
        None => Ok(None),
    }
}

/// A message of the peer with extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    ServerHello12,
    ServerHello13,
    HelloRetryRequest,
    EncryptedExtensions,
    CertificateRequest,
    Certificate,
}

/// Where an extension may stand (RFC 8446 §4.2).
fn allowed(place: Place, kind: u16) -> bool {
    match place {
        Place::ServerHello12 => matches!(
            kind,
            extension::EC_POINT_FORMATS
                | extension::EXTENDED_MASTER_SECRET
                | extension::RENEGOTIATION_INFO
                // RFC 8422 §4: servers that send their groups are to be tolerated.
                | extension::SUPPORTED_GROUPS
                | extension::USE_SRTP
                | extension::ALPN
        ),
        Place::ServerHello13 => {
            matches!(kind, extension::SUPPORTED_VERSIONS | extension::KEY_SHARE)
        }
        Place::HelloRetryRequest => matches!(
            kind,
            extension::SUPPORTED_VERSIONS | extension::KEY_SHARE | extension::COOKIE
        ),
        Place::EncryptedExtensions => matches!(
            kind,
            extension::SUPPORTED_GROUPS | extension::USE_SRTP | extension::ALPN
        ),
        // RFC 8446 §4.3.2: what is not known in a request is passed over.
        Place::CertificateRequest => {
            kind == extension::SIGNATURE_ALGORITHMS || !extension::KNOWN.contains(&kind)
        }
        Place::Certificate => false,
    }
}

/// Whether every extension stands in its place: one that we know and that has another is out of place,
/// one that we do not know was not offered.
pub(super) fn check_allowed(place: Place, extensions: &Extensions<'_>) -> Result<(), Refusal> {
    for extension in extensions.iter() {
        let kind = extension.kind;
        if !allowed(place, kind) {
            let known = extension::KNOWN.contains(&kind);
            return Err(Refusal::doubt(
                match known && place != Place::ServerHello12 {
                    true => AlertDescription::ILLEGAL_PARAMETER,
                    false => AlertDescription::UNSUPPORTED_EXTENSION,
                },
            ));
        }
    }
    Ok(())
}

/// Whether the extensions that our configuration decides were offered (RFC 5246 §7.4.1.4).
pub(super) fn check_offered(config: &Config, extensions: &Extensions<'_>) -> Result<(), Refusal> {
    let offered = |kind| match kind {
        extension::USE_SRTP => !config.srtp_profiles.is_empty(),
        extension::ALPN => !config.alpn.is_empty(),
        _ => true,
    };
    match extensions.iter().all(|extension| offered(extension.kind)) {
        true => Ok(()),
        false => Err(Refusal::doubt(AlertDescription::UNSUPPORTED_EXTENSION)),
    }
}

/// RFC 8446 §4.1.3: a server that could have spoken 1.3 and answers 1.2 says so in its random, where
/// nobody can change it.
pub(super) fn check_downgrade(config: &Config, random: &[u8; 32]) -> Result<(), Refusal> {
    let offered = config.versions.contains(&Version::Dtls13);
    let downgraded = random.ends_with(&DOWNGRADE_1_2) || random.ends_with(&DOWNGRADE_1_1);
    match offered && downgraded {
        true => Err(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER)),
        false => Ok(()),
    }
}

/// RFC 8422 §5.1.2, §5.2: where point formats are named, the uncompressed one is among them.
pub(super) fn check_point_formats(extensions: &Extensions<'_>) -> Result<(), Refusal> {
    let formats = extensions.get(extension::EC_POINT_FORMATS);
    match formats.is_none_or(|formats| formats.iter().skip(1).any(|format| *format == 0)) {
        true => Ok(()),
        false => Err(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER)),
    }
}

/// The schemes we accept, by number: those that this version allows, or all.
pub(super) fn schemes(config: &Config, version: Option<Version>) -> Vec<u16> {
    let schemes = config.signature_schemes.iter();
    let allowed = |it: &&SignatureScheme| version.is_none_or(|version| it.is_allowed(version));
    schemes.filter(allowed).map(|scheme| scheme.id()).collect()
}

/// The scheme of a peer's signature, if it is one we said we accept.
pub(super) fn check_scheme(config: &Config, id: u16) -> Result<SignatureScheme, Fault> {
    let scheme = SignatureScheme::from_id(id);
    let scheme = scheme.filter(|scheme| config.signature_schemes.contains(scheme));
    scheme.ok_or(Fault::new(AlertDescription::ILLEGAL_PARAMETER))
}

/// What a suite of 1.2 calls the type of the server's key.
pub(super) fn authentication(key: KeyType) -> Authentication {
    match key {
        // RFC 8422 §5.10: Ed25519 goes with the suites of ECDSA.
        KeyType::EcdsaP256 | KeyType::EcdsaP384 | KeyType::Ed25519 => Authentication::Ecdsa,
        KeyType::Rsa2048 => Authentication::Rsa,
    }
}

/// RFC 5746 §3.3: says that we know secure renegotiation, in a list of suites.
pub(super) const EMPTY_RENEGOTIATION_INFO_SCSV: u16 = 0x00FF;
/// RFC 5746 §3.2: no handshake came before this one.
pub(super) const EMPTY_RENEGOTIATION_INFO: [u8; 1] = [0];
/// RFC 8422 §5.1.2: uncompressed points, the only ones there are.
pub(super) const UNCOMPRESSED_POINTS: [u8; 2] = [1, 0];
/// RFC 8446 §4.1.3: what the random of a HelloRetryRequest is.
pub(super) const RETRY_RANDOM: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];
/// RFC 8446 §4.1.3: how the random of 1.2 ends where 1.3 was possible.
pub(super) const DOWNGRADE_1_2: [u8; 8] = *b"DOWNGRD\x01";
const DOWNGRADE_1_1: [u8; 8] = *b"DOWNGRD\x00";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::config;

    #[test]
    fn the_random_of_a_retry_is_the_hash_of_its_name() {
        let hash = ring::digest::digest(&ring::digest::SHA256, b"HelloRetryRequest");
        assert_eq!(hash.as_ref(), RETRY_RANDOM);
    }

    /// RFC 7301 §3.2: names without one of ours end it, where we have names at all.
    #[test]
    fn a_server_takes_a_name_of_its_own_or_none() {
        let offer = |ours: &[&str], theirs: Option<&[&str]>| {
            let mut extensions = Extensions::default();
            if let Some(names) = theirs {
                extensions.push_alpn(names.iter().map(|name| name.as_bytes()));
            }
            check_alpn_offer(&config(0).alpn(ours), &extensions)
        };
        let nothing = Err(Refusal::doubt(AlertDescription::NO_APPLICATION_PROTOCOL));
        let webrtc = Ok(Some("webrtc".to_owned()));
        assert_eq!(offer(&["webrtc"], Some(&["x", "webrtc"])), webrtc);
        assert_eq!(
            offer(&["webrtc"], Some(&["c-webrtc"])),
            Ok(Some("c-webrtc".to_owned()))
        );
        assert_eq!(offer(&["webrtc"], Some(&["x"])), nothing);
        assert_eq!(offer(&["y"], Some(&["c-webrtc"])), nothing);
        assert_eq!(offer(&["webrtc"], None), Ok(None));
        assert_eq!(offer(&[], Some(&["webrtc"])), Ok(None));
    }

    #[test]
    fn extensions_have_their_places() {
        use Place::{
            Certificate, CertificateRequest, EncryptedExtensions, HelloRetryRequest, ServerHello12,
            ServerHello13,
        };
        for (place, kinds) in [
            (ServerHello12, &[10, 11, 14, 16, 23, 0xFF01][..]),
            (ServerHello13, &[43, 51]),
            (HelloRetryRequest, &[43, 44, 51]),
            (EncryptedExtensions, &[10, 14, 16]),
            (Certificate, &[]),
        ] {
            for kind in 0..=u16::MAX {
                assert_eq!(
                    allowed(place, kind),
                    kinds.contains(&kind),
                    "{place:?} {kind}"
                );
            }
        }
        let known = [10, 11, 13, 14, 16, 23, 43, 44, 51, 0xFF01];
        let alert = |place, kind| {
            let mut extensions = Extensions::default();
            extensions.push(kind, &[][..]);
            check_allowed(place, &extensions).err()
        };
        let refused = |alert| Some(Refusal::doubt(alert));
        let illegal = refused(AlertDescription::ILLEGAL_PARAMETER);
        let unsupported = refused(AlertDescription::UNSUPPORTED_EXTENSION);
        for kind in 0..=u16::MAX {
            // RFC 8446 §4.2: one that is known and stands elsewhere, and one that is not known.
            for place in [
                ServerHello13,
                HelloRetryRequest,
                EncryptedExtensions,
                Certificate,
            ] {
                let expected = match (allowed(place, kind), known.contains(&kind)) {
                    (true, _) => None,
                    (false, true) => illegal,
                    (false, false) => unsupported,
                };
                assert_eq!(alert(place, kind), expected, "{place:?} {kind}");
            }
            let misplaced = kind != 13 && known.contains(&kind);
            let expected = misplaced.then_some(illegal).flatten();
            assert_eq!(alert(CertificateRequest, kind), expected, "{kind}");
        }
        // RFC 5246 §7.4.1.4: in 1.2 nothing stands in a ServerHello that was not offered.
        for kind in [13, 43, 0x1234] {
            assert_eq!(alert(ServerHello12, kind), unsupported);
        }
    }
}
