//! Transports.

use super::{pass::Pass, traffic::Count};
use crate::{
    engine::{convert, equipment::Equipment, ids::TransportId, transport::Transport},
    stats::{Ids, StatsType, TransportStats},
};

pub(super) fn id(ids: &Ids, transport: TransportId) -> String {
    ids.id(StatsType::Transport, key(transport).as_bytes())
}

fn key(transport: TransportId) -> String {
    transport.0.to_string()
}

impl Pass {
    /// A transport, and all that belongs to it.
    pub(super) fn transport(&mut self, transport: &Transport, equipment: &Equipment) {
        let (shown, traffic) = (&transport.shown, &transport.traffic);
        let base = self.stats(StatsType::Transport, &key(transport.id));
        let id = base.id.clone();
        let mut it = TransportStats::new(base, convert::stats_dtls_state(shown.dtls));
        let Count { packets, bytes, .. } = traffic.total.sent;
        (it.packets_sent, it.bytes_sent) = (Some(packets), Some(bytes));
        let Count { packets, bytes, .. } = traffic.total.received;
        (it.packets_received, it.bytes_received) = (Some(packets), Some(bytes));
        it.ice_role = Some(convert::stats_ice_role(shown.role));
        it.ice_state = Some(convert::stats_ice_state(shown.ice));
        let parameters = shown.local_parameters.as_ref();
        it.ice_local_username_fragment = parameters.map(|it| it.username_fragment.clone());
        it.selected_candidate_pair_changes = Some(traffic.pair_changes);
        let dtls = &transport.dtls;
        it.dtls_role = Some(convert::stats_dtls_role(dtls.role()));
        it.tls_version = dtls.protocol_version().map(|it| format!("{it:04X}"));
        it.dtls_cipher = dtls.cipher_suite().map(|it| it.to_string());
        let ours = [equipment.certificate.inner().der()];
        let profile = dtls.srtp_profile().filter(|_| transport.media.is_some());
        let profile = profile.and_then(|it| oxirtc_srtp::Profile::from_id(it.id()));
        it.srtp_cipher = profile.map(|it| it.name().to_owned());
        it.local_certificate_id = self.certificates(ours.into_iter());
        let theirs = dtls.remote_certificates().iter();
        it.remote_certificate_id = self.certificates(theirs.map(Vec::as_slice));
        it.selected_candidate_pair_id = self.ice(&id, transport);
        self.report.insert(it);
    }
}
