//! A DTLS association takes the place of one that stands.

use std::{iter, time::Instant};

use oxirtc_dtls::{Connection, Fingerprint, Role};

use super::{
    Transport,
    succession::{Next, Succession},
};
use crate::{
    DtlsTransportState,
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
        self.succession = Some(Box::new(Succession::new(now, role, make)));
    }

    /// Whether another association may take the place of the one that stands.
    pub(in crate::engine) fn expects_another(&self) -> bool {
        self.succession.is_some()
    }

    /// The peer has closed the association that stands: whether another is expected. A client begins it.
    pub(super) fn await_another(&mut self, now: Instant, up: &mut Up<'_>) -> bool {
        let round_trip = self.round_trip();
        let Some(succession) = &mut self.succession else {
            return false;
        };
        succession.close_former(now, round_trip);
        self.leave_keys(now, up);
        self.dtls_changed(DtlsTransportState::Connecting, None, up);
        true
    }

    /// What stands on the association that was waits for the other.
    fn leave_keys(&mut self, now: Instant, up: &mut Up<'_>) {
        if let Some(media) = &mut self.media {
            media.retire_keys(now);
        }
        if up.data.is_on(self.id) {
            up.data.carry_over(now, up.tasks);
        }
        // Nothing that was under the old keys can be sent any more.
        up.data.cut_off(self.id);
    }

    /// The other association takes the place of the one that was once it is verified. When none comes in time, what was closed
    /// is closed.
    pub(super) fn succeed(&mut self, now: Instant, up: &mut Up<'_>) {
        let Some(succession) = self.succession.take_if(|it| it.is_over(now)) else {
            return;
        };
        let (next, closed) = succession.end();
        match next {
            Some(next) => {
                if !closed {
                    self.leave_keys(now, up);
                }
                self.take_over(now, next, up);
            }
            None if closed => self.peer_closed(up),
            // SCTP alone was closed.
            None if up.data.is_on(self.id) && up.data.is_suspended() => {
                up.data.end(None, up.tasks);
                up.tasks.push_peer_closed();
            }
            None => {}
        }
        if up.data.is_on(self.id) {
            up.data.expect_another(None);
        }
    }

    fn take_over(&mut self, now: Instant, next: Next, up: &mut Up<'_>) {
        self.dtls = next.dtls;
        self.dtls.set_consent(self.consent);
        // That it is connected is told in its place.
        iter::from_fn(|| self.dtls.poll_event()).for_each(drop);
        self.role = self.dtls.role().map(convert::channel_role);
        if let Some(role) = self.role.filter(|_| up.data.is_on(self.id)) {
            up.data.turn(role);
        }
        self.dtls_connected(now, up);
        for packet in next.payload {
            up.data.handle_packet(now, self.id, &packet);
        }
    }
}
