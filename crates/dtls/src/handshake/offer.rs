//! What both hellos have in common: offering and choosing.

use crate::{
    AlertDescription, Config, SignatureScheme, SrtpProfile, crypto::suite::Authentication,
    handshake::Fault, message::Malformed,
};

/// The SRTP profile of ours that comes first among theirs.
pub(crate) fn choose_srtp(config: &Config, offered: &[u16]) -> Option<SrtpProfile> {
    let mut ours = config.srtp_profiles.iter().copied();
    ours.find(|profile| offered.contains(&profile.id()))
}

/// The protocol of ours that comes first among theirs. RFC 8833 §2: `c-webrtc` is `webrtc` whose peer
/// promises to keep the media to itself, so it can be answered by whoever speaks `webrtc`.
pub(crate) fn choose_alpn(config: &Config, offered: &[&[u8]]) -> Option<String> {
    let confidential = config
        .alpn
        .iter()
        .any(|name| name == "webrtc")
        .then_some("c-webrtc");
    let mut ours = config.alpn.iter().map(String::as_str).chain(confidential);
    ours.find(|name| offered.contains(&name.as_bytes()))
        .map(str::to_owned)
}

/// The schemes we accept, by number.
pub(crate) fn schemes(config: &Config) -> Vec<u16> {
    config
        .signature_schemes
        .iter()
        .map(|scheme| scheme.id())
        .collect()
}

/// The scheme of a peer's signature, if it is one we said we accept.
pub(crate) fn accepted_scheme(config: &Config, id: u16) -> Result<SignatureScheme, Fault> {
    let scheme = SignatureScheme::from_id(id);
    let scheme = scheme.filter(|scheme| config.signature_schemes.contains(scheme));
    scheme.ok_or(Fault::new(AlertDescription::ILLEGAL_PARAMETER))
}

/// RFC 8446 names schemes for what TLS 1.2 calls signature and certificate type.
pub(crate) fn authentication(key: crate::KeyType) -> Authentication {
    match key {
        crate::KeyType::EcdsaP256 => Authentication::Ecdsa,
        crate::KeyType::Rsa2048 => Authentication::Rsa,
    }
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        Self::new(AlertDescription::DECODE_ERROR)
    }
}

/// RFC 5746 §3.3: says that we know secure renegotiation, in a list of suites.
pub(crate) const EMPTY_RENEGOTIATION_INFO_SCSV: u16 = 0x00FF;
/// RFC 5746 §3.2: no handshake came before this one.
pub(crate) const EMPTY_RENEGOTIATION_INFO: [u8; 1] = [0];
/// RFC 8422 §5.1.2: uncompressed points, the only ones there are.
pub(crate) const UNCOMPRESSED_POINTS: [u8; 2] = [1, 0];
