//! A DTLS association takes the place of one that stands.

use std::time::Instant;

use oxirtc_dtls::{Connection, Fingerprint, Role};

use super::{
    Transport,
    succession::{Ended, Next, Succession},
};
use crate::{
    DtlsTransportState, Error,
    engine::{convert, equipment::Equipment, up::Up},
};

impl Transport {
    /// The peer may begin another association, under the same fingerprints. `role` is ours in it, once it is agreed on.
    pub(in crate::engine) fn expect_another(
        &mut self,
        equipment: &Equipment,
        generation: u32,
        (role, fingerprints): (Option<Role>, &[Fingerprint]),
        now: Instant,
    ) {
        let round_trip = self.round_trip();
        if let Some(succession) = &mut self.succession {
            succession.agree(now, role, round_trip);
            return;
        }
        let make = |number| {
            let config =
                convert::dtls_config(&equipment.certificate, &equipment.settings, self.label);
            let label = format!("dtls {generation} {number}");
            let mut dtls = Connection::new(config, equipment.seed.derive(&label, self.id.0), now);
            dtls.set_remote_fingerprints(now, fingerprints, &mut |_| {});
            dtls
        };
        let succession = Succession::new(now, (role, self.consent), make);
        self.succession = Some(Box::new(succession));
    }

    /// Whether another association may take the place of the one that stands.
    pub(in crate::engine) fn expects_another(&self) -> bool {
        self.succession.is_some()
    }

    /// The association that stands has ended, closed by the peer or with an error: whether another is expected. A client
    /// begins it.
    pub(super) fn await_another(
        &mut self,
        now: Instant,
        error: Option<&Error>,
        up: &mut Up<'_>,
    ) -> bool {
        let round_trip = self.round_trip();
        let Some(succession) = &mut self.succession else {
            return false;
        };
        let how = error.map_or(Ended::Closed, |it| Ended::Failed(it.clone()));
        succession.end_former(now, how, round_trip);
        self.leave_keys(now, up);
        self.dtls_changed(DtlsTransportState::Connecting, None, up);
        true
    }

    /// What stands on the association that was waits for the other.
    fn leave_keys(&mut self, now: Instant, up: &mut Up<'_>) {
        if let Some(media) = &mut self.media {
            media.retire_keys(now);
        }
        up.data.leave_keys(now, self.id, up.tasks);
    }

    /// The other association takes the place of the one that was once it is verified. When none comes in time, what has ended
    /// has ended.
    pub(super) fn succeed(&mut self, now: Instant, up: &mut Up<'_>) {
        let Some(succession) = self.succession.take_if(|it| it.is_over(now)) else {
            return;
        };
        match succession.end() {
            (Some(next), ended) => {
                if ended.is_none() {
                    self.leave_keys(now, up);
                }
                self.take_over(now, next, up);
            }
            (None, Some(Ended::Closed)) => self.peer_closed(up),
            (None, Some(Ended::Failed(error))) => self.fail_dtls(error, up),
            // SCTP alone was closed.
            (None, None) if up.data.is_on(self.id) && up.data.is_suspended() => {
                up.data.end(None, up.tasks);
                up.data.ended_by_peer(up.tasks);
            }
            (None, None) => {}
        }
        if up.data.is_on(self.id) {
            up.data.expect_another(None);
        }
    }

    fn take_over(&mut self, now: Instant, next: Next, up: &mut Up<'_>) {
        self.dtls = next.dtls;
        self.role = self.dtls.role().map(convert::channel_role);
        if let Some(role) = self.role.filter(|_| up.data.is_on(self.id)) {
            up.data.turn(role);
        }
        self.tell_dtls(now, up);
        for packet in next.payload {
            up.data.handle_packet(now, self.id, &packet);
        }
    }
}
