//! What remains of a complete handshake.

use crate::{
    CipherSuite, Group, SrtpProfile, Version,
    crypto::prf::MasterSecret,
    handshake::{proof, v13::schedule},
};

/// What the hellos agreed on.
#[derive(Clone)]
pub(crate) struct Negotiated {
    pub(crate) version: Version,
    pub(crate) suite: CipherSuite,
    pub(crate) client_random: [u8; 32],
    pub(crate) server_random: [u8; 32],
    pub(crate) extended_master_secret: bool,
    pub(crate) srtp_profile: Option<SrtpProfile>,
    pub(crate) alpn: Option<String>,
}

/// What remains of a complete handshake.
pub(crate) struct Session {
    pub(crate) negotiated: Negotiated,
    pub(crate) group: Group,
    pub(crate) secrets: Secrets,
    _identity: proof::Identity,
    _finished: proof::Finished,
}

/// The secrets of a complete handshake.
pub(crate) enum Secrets {
    V12(MasterSecret),
    V13(Box<schedule::Secrets>),
}

impl Session {
    /// Of what was agreed on, and the proofs that it was agreed on with the owner of the certificate, or
    /// with whoever it is where nobody was asked.
    pub(super) fn new(
        negotiated: Negotiated,
        group: Group,
        secrets: Secrets,
        identity: proof::Identity,
        finished: proof::Finished,
    ) -> Self {
        Self {
            negotiated,
            group,
            secrets,
            _identity: identity,
            _finished: finished,
        }
    }
}
