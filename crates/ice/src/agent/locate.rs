//! What comes in: which pair it belongs to, and whether it is STUN or payload.

use std::time::Instant;

use oxirtc_stun::{Class, Message, Method};
use oxirtc_turn::Input;

use super::Agent;
use crate::{
    ChecklistSet, GenerationId, Path, Protocol,
    base::{PairKey, RelayId},
    timer::Timer,
};

impl Agent {
    /// Takes a datagram that came on `path`. STUN ends here. Payload from a validated pair is handed
    /// to `sink` with the generation that it came in; payload that came earlier, from a pair which this
    /// datagram makes valid, after it.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        path: Path,
        datagram: &mut [u8],
        sink: &mut impl FnMut(GenerationId, &mut [u8]),
    ) {
        let path = path.normalized();
        let relays = &self.gatherer.sources.relays;
        if let Some(relay) = relays.iter().find(|it| it.is_on(path)).map(|it| it.id) {
            self.handle_relay(now, set, (relay, path), datagram, sink);
            return;
        }
        if path.protocol == Protocol::Tcp {
            self.handle_stream(now, set, path, datagram, sink);
            return;
        }
        let is_stun = matches!(datagram.first(), Some(0..=3));
        if is_stun && self.handle_mapping(now, path, datagram) {
            self.settle(now, set);
            return;
        }
        match self.gatherer.bases.locate(path) {
            Some(key) => self.take(now, set, key, datagram, sink),
            None if is_stun => self.stats.drops.unexpected += 1,
            None => self.stats.drops.payload += 1,
        }
    }

    /// Takes what came on the socket or stream of an allocation.
    fn handle_relay(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        (id, path): (RelayId, Path),
        bytes: &mut [u8],
        sink: &mut impl FnMut(GenerationId, &mut [u8]),
    ) {
        if path.protocol == Protocol::Udp {
            self.handle_relayed(now, set, (id, path), bytes, sink);
            return;
        }
        let Some(relay) = self.gatherer.sources.relay_mut(id) else {
            return;
        };
        let mut deframer = std::mem::take(&mut relay.deframer);
        let whole = deframer.handle_bytes(bytes, &mut |message: &mut [u8]| {
            self.handle_relayed(now, set, (id, path), message, sink);
        });
        // What came may have sent it on to another stream, which begins with a message.
        let relay = self.gatherer.sources.relay_mut(id);
        if let Some(relay) = relay.filter(|it| it.is_on(path)) {
            relay.deframer = deframer;
        }
        if !whole {
            self.handle_closed(now, set, path);
        }
    }

    /// Takes one message of a server that has an allocation of ours.
    fn handle_relayed(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        (id, path): (RelayId, Path),
        message: &mut [u8],
        sink: &mut impl FnMut(GenerationId, &mut [u8]),
    ) {
        let Some(relay) = self.gatherer.sources.relay_mut(id) else {
            return;
        };
        let client = relay.client_mut();
        // Nobody else sends to this socket but by mistake.
        let Some(client) = client.filter(|client| client.server() == path.remote) else {
            self.stats.drops.unexpected += 1;
            return;
        };
        let (peer, range) = match client.handle_datagram(now, message) {
            Input::Consumed => return self.settle(now, set),
            Input::NotMine => {
                self.stats.drops.unexpected += 1;
                return;
            }
            Input::Data { peer, range } => (peer, range),
        };
        let bases = relay
            .bases
            .iter()
            .filter_map(|id| self.gatherer.bases.get(*id));
        let mut of_family = bases.filter(|it| it.address.is_ipv4() == peer.is_ipv4());
        let key = of_family.next().map(|base| PairKey {
            base: base.id,
            remote: peer,
        });
        if let (Some(key), Some(data)) = (key, message.get_mut(range)) {
            self.take(now, set, key, data, sink);
        }
    }

    /// Takes what a peer has sent.
    pub(super) fn take(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        key: PairKey,
        datagram: &mut [u8],
        sink: &mut impl FnMut(GenerationId, &mut [u8]),
    ) {
        // RFC 7983 §7: the first byte tells STUN from everything else.
        if matches!(datagram.first(), Some(0..=3)) {
            if self.handle_stun(now, set, key, datagram) {
                self.settle(now, set);
                self.release_payload(sink);
            }
        } else if self.gatherer.bases.is_barred(key) {
            // It is for whom the path belongs to.
            self.stats.drops.payload += 1;
        } else if let Some(generation) = self.tables.validated(key) {
            self.stats.payload_received += 1;
            if let Some(due) = self.silence.received(now, key) {
                self.timers.set(Timer::OneWay, Some(due));
            }
            let strays = self.silence.strays(key);
            sink(generation, datagram);
            if strays {
                self.doubt_strongly(now, generation);
                self.settle(now, set);
            }
        } else if self.is_authenticated(key) && self.held.push(key, datagram) {
            self.stats.payload_held += 1;
        } else {
            self.stats.drops.payload += 1;
        }
    }

    /// Whether the datagram was worth a look at everything.
    fn handle_stun(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        key: PairKey,
        datagram: &[u8],
    ) -> bool {
        let drops = &mut self.stats.drops;
        let parsed = Message::parse(datagram).ok();
        // RFC 8489 §14.7: a fingerprint that is there must be right.
        let sound = |message: &Message<'_>| {
            !matches!(
                message.verify_fingerprint(),
                Err(oxirtc_stun::Error::Mismatch(_))
            )
        };
        let Some(message) = parsed.filter(sound) else {
            drops.malformed += 1;
            return false;
        };
        let full = self.outcome.events.len() >= MAX_EVENTS;
        if message.method() != Method::BINDING || full {
            drops.unexpected += 1;
            return false;
        }
        match message.class() {
            Class::Request => self.handle_request(now, set, key, &message),
            Class::Success | Class::Error => self.handle_answer(now, set, key, &message),
            Class::Indication => {
                // RFC 8445 §11: keeps a binding open, and says nothing else.
                self.stats.indications_received += 1;
                false
            }
        }
    }

    fn is_authenticated(&self, key: PairKey) -> bool {
        self.outcome
            .authenticated
            .iter()
            .any(|(known, _)| *known == key)
    }

    fn release_payload(&mut self, sink: &mut impl FnMut(GenerationId, &mut [u8])) {
        if self.held.is_empty() {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        let tables = &self.tables;
        while let Some((key, mut datagram)) = held.pop(|key| tables.validated(key).is_some()) {
            self.stats.payload_received += 1;
            sink(tables.validated(key).unwrap_or_default(), &mut datagram);
        }
        self.held = held;
    }
}

/// Facts that wait to be fetched before requests of the peer, which make more of them, are dropped.
const MAX_EVENTS: usize = 1024;
