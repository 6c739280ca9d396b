//! Transports.

use oxirtc_dtls as dtls;

use super::{candidates::Ice, pass::Pass, traffic::Count, traffic::Traffic};
use crate::{
    IceRole, IceTransportState,
    engine::{convert, equipment::Equipment, ids::TransportId, transport::Transport},
    stats::{Ids, StatsType, TransportStats},
};

/// What a report tells of a transport, as the layers have it: little to keep when they close, and made into objects when somebody
/// asks.
pub(super) struct Known {
    id: TransportId,
    ice_state: IceTransportState,
    dtls_state: crate::DtlsTransportState,
    role: IceRole,
    ufrag: Option<String>,
    traffic: Traffic,
    dtls_role: Option<dtls::Role>,
    version: Option<u16>,
    suite: Option<dtls::CipherSuite>,
    profile: Option<dtls::SrtpProfile>,
    /// The certificates of the peer.
    theirs: Vec<Vec<u8>>,
    ice: Ice,
}

pub(super) fn id(ids: &Ids, transport: TransportId) -> String {
    ids.id(StatsType::Transport, key(transport).as_bytes())
}

fn key(transport: TransportId) -> String {
    transport.0.to_string()
}

impl Known {
    pub(super) fn of(transport: &Transport) -> Self {
        let (shown, dtls) = (&transport.shown, &transport.dtls);
        let parameters = shown.local_parameters.as_ref();
        Self {
            id: transport.id,
            ice_state: shown.ice,
            dtls_state: shown.dtls,
            role: shown.role,
            ufrag: parameters.map(|it| it.username_fragment.clone()),
            traffic: transport.traffic.clone(),
            dtls_role: dtls.role(),
            version: dtls.protocol_version(),
            suite: dtls.cipher_suite(),
            profile: dtls.srtp_profile().filter(|_| transport.media.is_some()),
            theirs: dtls.remote_certificates().to_vec(),
            ice: Ice::of(transport),
        }
    }

    /// As it is told from now on.
    pub(super) fn close(&mut self) {
        self.ice_state = IceTransportState::Closed;
        self.dtls_state = crate::DtlsTransportState::Closed;
    }
}

impl Pass {
    /// A transport, and all that belongs to it.
    pub(super) fn transport(&mut self, known: &Known, equipment: &Equipment) {
        let base = self.stats(StatsType::Transport, &key(known.id));
        let id = base.id.clone();
        let mut it = TransportStats::new(base, convert::stats_dtls_state(known.dtls_state));
        let Count { packets, bytes, .. } = known.traffic.total.sent;
        (it.packets_sent, it.bytes_sent) = (Some(packets), Some(bytes));
        let Count { packets, bytes, .. } = known.traffic.total.received;
        (it.packets_received, it.bytes_received) = (Some(packets), Some(bytes));
        it.ice_role = Some(convert::stats_ice_role(known.role));
        it.ice_state = Some(convert::stats_ice_state(known.ice_state));
        it.ice_local_username_fragment.clone_from(&known.ufrag);
        it.selected_candidate_pair_changes = Some(known.traffic.pair_changes);
        it.dtls_role = Some(convert::stats_dtls_role(known.dtls_role));
        it.tls_version = known.version.map(|it| format!("{it:04X}"));
        it.dtls_cipher = known.suite.map(|it| it.to_string());
        let ours = [equipment.certificate.inner().der()];
        let profile = known.profile.as_ref();
        let profile = profile.and_then(|it| oxirtc_srtp::Profile::from_id(it.id()));
        it.srtp_cipher = profile.map(|it| it.name().to_owned());
        it.local_certificate_id = self.certificates(ours.into_iter());
        let theirs = known.theirs.iter();
        it.remote_certificate_id = self.certificates(theirs.map(Vec::as_slice));
        it.selected_candidate_pair_id = self.ice(&id, &known.ice, &known.traffic);
        self.report.insert(it);
    }
}
