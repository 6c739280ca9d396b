//! The hellos: offering, choosing, and the states that wait for the peer's.

pub(super) mod client;
pub(super) mod server;

use crate::{
    AlertDescription, Config, KeyType, SignatureScheme, SrtpProfile,
    crypto::suite::Authentication,
    handshake::{Fault, Refusal},
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

/// Whether every extension of a ServerHello of 1.2 answers one of ours (RFC 5246 §7.4.1.4).
pub(super) fn check_offered(config: &Config, extensions: &Extensions<'_>) -> Result<(), Refusal> {
    let offered = |kind| match kind {
        extension::EC_POINT_FORMATS
        | extension::EXTENDED_MASTER_SECRET
        | extension::RENEGOTIATION_INFO
        // RFC 8422 §4: servers that send their groups are to be tolerated.
        | extension::SUPPORTED_GROUPS => true,
        extension::USE_SRTP => !config.srtp_profiles.is_empty(),
        extension::ALPN => !config.alpn.is_empty(),
        _ => false,
    };
    match extensions.iter().all(|extension| offered(extension.kind)) {
        true => Ok(()),
        false => Err(Refusal::doubt(AlertDescription::UNSUPPORTED_EXTENSION)),
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

/// The schemes we accept, by number.
pub(super) fn schemes(config: &Config) -> Vec<u16> {
    let schemes = config.signature_schemes.iter();
    schemes.map(|scheme| scheme.id()).collect()
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
        KeyType::EcdsaP256 => Authentication::Ecdsa,
        KeyType::Rsa2048 => Authentication::Rsa,
    }
}

/// RFC 5746 §3.3: says that we know secure renegotiation, in a list of suites.
pub(super) const EMPTY_RENEGOTIATION_INFO_SCSV: u16 = 0x00FF;
/// RFC 5746 §3.2: no handshake came before this one.
pub(super) const EMPTY_RENEGOTIATION_INFO: [u8; 1] = [0];
/// RFC 8422 §5.1.2: uncompressed points, the only ones there are.
pub(super) const UNCOMPRESSED_POINTS: [u8; 2] = [1, 0];
