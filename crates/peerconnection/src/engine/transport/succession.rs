//! Another DTLS association in the place of one that stands, which the peer may begin for a while.
//!
//! What begins it comes in the clear, so anybody may have sent it: the association that stands carries on until the peer of
//! the other one has shown the certificate that was agreed on, or until it is closed under its own keys.

use std::{
    iter,
    time::{Duration, Instant},
};

use oxirtc_dtls::{
    Connection, Fingerprint, Role,
    message::{Fragment, Kind},
    record::{HANDSHAKE, Header},
};

use super::Transport;
use crate::{
    DtlsTransportState,
    engine::{convert, equipment::Equipment, up::Up},
};

/// What may take the place of an association.
pub(in crate::engine) struct Succession {
    until: Instant,
    /// Our role, as far as it is agreed on. Until then a ClientHello makes a server.
    role: Option<Role>,
    /// Ready to begin, one for each ClientHello that is looked at.
    spare: Vec<Connection>,
    next: Option<Next>,
    /// The peer has closed the one before.
    closed: bool,
}

/// The association that was begun.
struct Next {
    dtls: Connection,
    /// The random of the ClientHello that began it; none of ours.
    random: Vec<u8>,
    /// Payload that came through it.
    payload: Vec<Vec<u8>>,
}

impl Succession {
    /// Takes a datagram of DTLS that came; the association that stands gets it as well.
    pub(in crate::engine) fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        let mut copy = datagram.to_vec();
        if let Some(random) = begins(&mut copy) {
            self.hear(random);
        }
        if let Some(Next { dtls, payload, .. }) = &mut self.next {
            dtls.handle_datagram(now, &mut copy, &mut |packet| {
                if payload.len() < MOST_PAYLOAD {
                    payload.push(packet.to_vec());
                }
            });
        }
    }

    /// A ClientHello came. Another one than before counts, as the first may have been a stranger's.
    fn hear(&mut self, random: Vec<u8>) {
        let stands = |it: &Next| it.random == random || it.dtls.is_connected();
        if self.role != Some(Role::Client) && !self.next.as_ref().is_some_and(stands) {
            self.begin(random);
        }
    }

    /// A client begins when the peer has closed what there was.
    fn begin_as_client(&mut self, now: Instant, round_trip: Option<Duration>) {
        let is_client = |it: &Next| it.dtls.role() == Some(Role::Client);
        let begun = self.next.as_ref().is_some_and(is_client);
        if !self.closed || self.role != Some(Role::Client) || begun {
            return;
        }
        let Some(dtls) = self.begin(Vec::new()) else {
            return;
        };
        if let Some(round_trip) = round_trip {
            dtls.set_round_trip(round_trip);
        }
        // It has had no role yet.
        if dtls.set_role(now, Role::Client).is_ok() {
            dtls.start(now);
        }
    }

    fn begin(&mut self, random: Vec<u8>) -> Option<&mut Connection> {
        let dtls = self.spare.pop()?;
        let payload = Vec::new();
        let next = self.next.insert(Next {
            dtls,
            random,
            payload,
        });
        Some(&mut next.dtls)
    }

    pub(in crate::engine) fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> bool {
        let next = self.next.as_mut();
        next.is_some_and(|it| it.dtls.poll_transmit(now, room, buf))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let next = self.next.as_ref().and_then(|it| it.dtls.poll_timeout());
        next.into_iter().chain([self.until]).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some(next) = &mut self.next {
            next.dtls.handle_timeout(now);
        }
    }

    pub(super) fn set_consent(&mut self, consent: bool) {
        if let Some(next) = &mut self.next {
            next.dtls.set_consent(consent);
        }
    }

    fn is_done(&self) -> bool {
        self.next.as_ref().is_some_and(|it| it.dtls.is_connected())
    }
}

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
            // An offer gave reason for it before its answer does.
            succession.role = role;
            succession.begin_as_client(now, round_trip);
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
        self.succession = Some(Box::new(Succession {
            until: now + PATIENCE,
            role,
            spare: (0..MOST_BEGUN).map(make).collect(),
            next: None,
            closed: false,
        }));
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
        succession.closed = true;
        succession.until = now + CLOSED_PATIENCE;
        succession.begin_as_client(now, round_trip);
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
        let over = |it: &mut Box<Succession>| it.is_done() || it.until <= now;
        let Some(succession) = self.succession.take_if(over) else {
            return;
        };
        let (done, closed) = (succession.is_done(), succession.closed);
        match succession.next.filter(|_| done) {
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

/// The random of a ClientHello that begins in this datagram, if that is its first message.
fn begins(datagram: &mut [u8]) -> Option<Vec<u8>> {
    let (header, payload, _) = Header::split(datagram)?;
    let (fragment, _) = Fragment::parse(payload).ok()?;
    let hello = header.content_type == HANDSHAKE
        && header.epoch == 0
        && Kind::from_id(fragment.kind) == Some(Kind::ClientHello)
        && fragment.offset == 0;
    // RFC 8446 §4.1.2: behind the version.
    fragment
        .body
        .get(2..34)
        .filter(|_| hello)
        .map(<[u8]>::to_vec)
}

/// For so long a peer may begin anew once a description has given it reason.
const PATIENCE: Duration = Duration::from_secs(30);
/// For so long it may do so once it has closed what was there.
const CLOSED_PATIENCE: Duration = Duration::from_secs(10);
/// So many ClientHellos are looked at: each costs a key agreement.
const MOST_BEGUN: u8 = 4;
/// So many datagrams come between two looks at most.
const MOST_PAYLOAD: usize = 64;
