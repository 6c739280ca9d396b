//! What an engine knows of its negotiation.

use std::collections::BTreeSet;

use oxirtc_jsep as jsep;

use super::{
    convert,
    ids::TransportId,
    seed::{CredentialSource, Seed},
};
use crate::{Certificate, Configuration, MediaKind, Settings, SignalingState};

/// The negotiation of a connection.
pub(super) struct Negotiation {
    pub(super) negotiator: jsep::Negotiator,
    pub(super) credentials: CredentialSource,
    /// W3C's `[[NegotiationNeeded]]`.
    pub(super) needed: bool,
    /// A local description was set.
    pub(super) described: bool,
    /// Transports whose DTLS has its fingerprints.
    pub(super) secured: BTreeSet<TransportId>,
    /// How many associations took the place of another.
    pub(super) generation: u32,
    /// How many SCTP associations there were.
    pub(super) associations: u32,
}

impl Negotiation {
    pub(super) fn new(
        configuration: &Configuration,
        settings: &Settings,
        certificate: &Certificate,
        seed: &Seed,
        cname: &str,
        sctp_init: Option<String>,
    ) -> Self {
        let fingerprints = convert::fingerprints(certificate.inner());
        let config = jsep::Config::new(seed.session_id(), fingerprints)
            .bundle_policy(convert::bundle_policy(configuration.bundle_policy))
            .max_message_size(settings.announced_message_size().into())
            .cname(cname)
            .most_transports(settings.most_transports)
            .ice_lite(settings.ice_lite)
            .renomination(settings.ice_renomination);
        let config = match sctp_init {
            Some(init) => config.sctp_init(init),
            None => config,
        };
        let kinds = [MediaKind::Audio, MediaKind::Video];
        let equip = |config, kind| convert::equip(config, kind, settings);
        let config = kinds.into_iter().fold(config, equip);
        Self {
            negotiator: jsep::Negotiator::new(config),
            credentials: seed.credential_source(settings.networks.credentials.clone()),
            needed: false,
            described: false,
            secured: BTreeSet::new(),
            generation: 0,
            associations: 0,
        }
    }

    /// [4.4.1.6-43]: the flag is cleared before it is evaluated again.
    pub(super) fn reached(&mut self, state: SignalingState) {
        if state == SignalingState::Stable {
            self.needed = false;
        }
    }
}
