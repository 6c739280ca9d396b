//! Allocations: what is asked of them, and what follows from what they tell (RFC 8656).

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use oxirtc_stun::AddressFamily;
use oxirtc_turn as turn;
use rand_core::Rng;

use super::{
    Agent,
    sources::{MTU, UNREACHED},
};
use crate::{
    Candidate, CandidateKind, ChecklistSet, Path, Request, ServerKind, TransportPolicy,
    base::{Host, RelayId, Via},
    candidate::{relayed_priority, unspecified},
    generation::{Local, LocalSide},
    relay::{self, LAST_RETRY, Relay, Stage},
    server::SourceId,
    source::ALLOCATION,
};

impl Agent {
    /// A stream has ended, by the server's doing or the network's.
    pub fn handle_closed(&mut self, now: Instant, set: &mut ChecklistSet, path: Path) {
        let path = path.normalized();
        let relays = &self.gatherer.sources.relays;
        let of = |it: &&Relay| it.is_on(path);
        match relays.iter().find(of).map(|it| it.id) {
            Some(id) => self.relay_lost(now, id),
            None => self.stream_ended(now, path),
        }
        self.settle(now, set);
    }

    /// Wants a socket or stream for an allocation.
    pub(super) fn open_socket(&mut self, id: RelayId, client: Option<Box<turn::Client>>) {
        let request = self.gatherer.request_id();
        let sources = &mut self.gatherer.sources;
        let Some(source) = sources.relay(id).map(|it| it.source) else {
            return;
        };
        let tls = sources.source(source).and_then(|it| it.server.tls_name());
        let Some(relay) = sources.relay_mut(id) else {
            return;
        };
        // RFC 8489 §10: without a name of its own the other server proves that of the first.
        let tls = tls.map(|name| relay.domain.clone().unwrap_or(name));
        let (address, scope, id) = (relay.from.address, relay.from.scope, request);
        let asked = match relay.socket_protocol() {
            crate::Protocol::Udp => Request::Bind {
                id,
                address,
                scope,
                own: true,
            },
            crate::Protocol::Tcp => Request::Connect {
                id,
                from: address,
                scope,
                to: relay.server,
                tls,
            },
        };
        relay.deframer = turn::Deframer::new();
        relay.stage = Stage::Opening(id, client);
        self.gatherer.ask(asked);
    }

    /// A socket or stream for an allocation is there, or cannot be had.
    pub(super) fn open_relay(&mut self, now: Instant, id: RelayId, local: Option<SocketAddr>) {
        let mut seed = [0; 32];
        self.random.fill_bytes(&mut seed);
        let sources = &mut self.gatherer.sources;
        let Some(relay) = sources.relays.iter_mut().find(|it| it.id == id) else {
            return;
        };
        let source = sources.sources.iter().find(|it| it.id == relay.source);
        let config =
            source.and_then(|it| relay::config(&it.server.kind, relay, &self.config.label));
        let stage = std::mem::replace(&mut relay.stage, Stage::Over);
        let (Some(local), Some(config), Stage::Opening(_, client)) = (local, config, stage) else {
            relay.ask_again(now);
            return;
        };
        let client = match client {
            Some(mut client) => {
                client.restart(now);
                client
            }
            None => Box::new(turn::Client::new(config, seed, now)),
        };
        relay.stage = Stage::Open {
            local,
            client,
            granted: None,
        };
    }

    pub(super) fn serve_relays(&mut self, now: Instant, set: &ChecklistSet) {
        let ids: Vec<_> = self
            .gatherer
            .sources
            .relays
            .iter()
            .map(|it| it.id)
            .collect();
        for id in ids {
            let waited = self.gatherer.sources.relay(id).map(|it| &it.stage);
            if matches!(waited, Some(Stage::Waiting(until)) if *until <= now) {
                self.open_socket(id, None);
            }
            self.want_permissions(now, id);
            self.doubt_allocation(now, id);
            if let Some(client) = self.client(id) {
                client.handle_timeout(now);
            }
            while let Some(event) = self.client(id).and_then(turn::Client::poll_event) {
                self.handle_relay_event(now, set, id, event);
            }
            self.send_relay(now, id);
        }
    }

    fn client(&mut self, id: RelayId) -> Option<&mut turn::Client> {
        self.gatherer.sources.relay_mut(id)?.client_mut()
    }

    pub(super) fn send_relay(&mut self, now: Instant, id: RelayId) {
        let Some(relay) = self.gatherer.sources.relay_mut(id) else {
            return;
        };
        let Some(path) = relay.path() else {
            return;
        };
        let Some(client) = relay.client_mut() else {
            return;
        };
        loop {
            let mut buf = self.control.buffer();
            if !client.poll_transmit(now, MTU, &mut buf) {
                self.control.reuse(buf);
                return;
            }
            self.stats.drops.control += self.control.push((None, path), None, buf);
        }
    }

    /// RFC 8656 §9: a peer is permitted before it is checked.
    fn want_permissions(&mut self, now: Instant, id: RelayId) {
        let Some(relay) = self.gatherer.sources.relay_mut(id) else {
            return;
        };
        let bases = relay.bases.clone();
        let Some(client) = relay.client_mut() else {
            return;
        };
        for session in &mut self.tables.sessions {
            for pair in session.list.iter_mut() {
                let shut = pair.shut && bases.contains(&pair.key.base) && pair.is_pending();
                if shut && client.permit(now, pair.key.remote.ip()).is_err() {
                    pair.fail();
                }
            }
        }
    }

    /// A server that was started anew knows nobody, and says so when it is asked: a relayed pair that has fallen silent is a
    /// reason to ask.
    fn doubt_allocation(&mut self, now: Instant, id: RelayId) {
        let Some(relay) = self.gatherer.sources.relay_mut(id) else {
            return;
        };
        let mut pairs = self.tables.sessions.iter().flat_map(|it| it.list.iter());
        let silent = pairs.any(|pair| relay.bases.contains(&pair.key.base) && pair.is_suspect(now));
        if let Some(client) = relay.client_mut().filter(|_| silent) {
            client.verify(now);
        }
    }

    fn handle_relay_event(
        &mut self,
        now: Instant,
        set: &ChecklistSet,
        id: RelayId,
        event: turn::Event,
    ) {
        match event {
            turn::Event::Allocated(relayed) => self.allocated(now, set, id, relayed),
            turn::Event::Permitted(ip) => self.permitted(id, ip, true),
            turn::Event::PermissionRefused(ip, code) => {
                log::debug!(
                    "{}a TURN server does not permit a peer: {code:?}",
                    self.config.label
                );
                self.permitted(id, ip, false);
            }
            turn::Event::ChannelBound(peer) => {
                // The way has changed for the pair that payload goes on.
                let in_use = self
                    .outcome
                    .payload
                    .and_then(|in_use| self.tables.session(in_use.session)?.list.get(in_use.pair));
                if in_use.is_some_and(|pair| pair.key.remote == peer) {
                    self.outcome.stamp = self.outcome.stamp.wrapping_add(1);
                }
            }
            turn::Event::Redirected { server, domain } => self.redirected(id, server, domain),
            turn::Event::Failed(failure) => self.relay_failed(now, id, failure),
            turn::Event::Lost => self.relay_lost(now, id),
            turn::Event::Closed => drop(self.gatherer.drop_relay(id)),
            turn::Event::FamilyRefused(family, code) => {
                log::debug!(
                    "{}a TURN server has no {family:?} address: {code:?}",
                    self.config.label
                );
                // A server that says so has none; one that says nothing does not know how to give two at once.
                if code.is_none() {
                    self.ask_other_family(now, id, family);
                }
            }
            _ => {}
        }
    }

    fn allocated(&mut self, now: Instant, set: &ChecklistSet, id: RelayId, relayed: turn::Relayed) {
        let Some(relay) = self.gatherer.sources.relay_mut(id) else {
            return;
        };
        let Some(path) = relay.path() else {
            return;
        };
        relay.mapped = Some(relayed.mapped);
        if let Stage::Open { granted, .. } = &mut relay.stage {
            *granted = Some(now);
        }
        let source = relay.source;
        if let Some(source) = self.gatherer.sources.source_mut(source) {
            source.useful = true;
        }
        for address in [relayed.ipv4, relayed.ipv6].into_iter().flatten() {
            let base = self.gatherer.bases.add(address, Via::Relay(id, path));
            if let Some(relay) = self.gatherer.sources.relay_mut(id) {
                relay.bases.push(base);
            }
            self.add_base(now, set, base);
        }
        self.want_permissions(now, id);
    }

    /// RFC 8656 §7.2: an allocation of its own for the family that a server does not give together with the other one.
    fn ask_other_family(&mut self, now: Instant, id: RelayId, family: AddressFamily) {
        let sources = &mut self.gatherer.sources;
        let of = sources
            .relay(id)
            .map(|it| (it.source, it.from, (it.server, it.domain.clone())));
        let Some((source, from, server)) = of.filter(|_| sources.has_room()) else {
            return;
        };
        let families = match family {
            AddressFamily::Ipv4 => turn::Families::Ipv4,
            AddressFamily::Ipv6 => turn::Families::Ipv6,
        };
        self.ask_allocation(now, (source, from, server), families);
    }

    /// Asks a server for an allocation; it may have a name that is not that of its source.
    pub(super) fn ask_allocation(
        &mut self,
        now: Instant,
        (source, from, (server, domain)): (SourceId, Host, (SocketAddr, Option<String>)),
        families: turn::Families,
    ) {
        let sources = &mut self.gatherer.sources;
        let server_of = sources.source(source).map(|it| &it.server.kind);
        let Some(ServerKind::Turn { protocol, .. }) = server_of else {
            return;
        };
        let protocol = *protocol;
        let id = sources.next_relay();
        sources.relays.push(Relay {
            id,
            source,
            from,
            server,
            domain,
            protocol,
            families,
            stage: Stage::Over,
            deframer: turn::Deframer::new(),
            bases: Vec::new(),
            mapped: None,
            leaving: false,
            deadline: now + ALLOCATION,
            again: false,
            losses: 0,
        });
        self.open_socket(id, None);
    }

    /// A relay lets a peer through, or does not.
    fn permitted(&mut self, id: RelayId, ip: IpAddr, permitted: bool) {
        let Some(relay) = self.gatherer.sources.relay(id) else {
            return;
        };
        for base in &relay.bases {
            self.gatherer.bases.permit(*base, ip, permitted);
            for session in &mut self.tables.sessions {
                let pairs = session.list.iter_mut();
                for pair in pairs.filter(|it| it.key.base == *base && it.key.remote.ip() == ip) {
                    if permitted {
                        pair.shut = false;
                    } else {
                        pair.fail();
                    }
                }
            }
        }
    }

    fn redirected(&mut self, id: RelayId, server: SocketAddr, domain: Option<String>) {
        let Some(relay) = self.gatherer.sources.relay_mut(id) else {
            return;
        };
        if relay.socket_protocol() == crate::Protocol::Udp {
            return;
        }
        let before = Path {
            remote: relay.server,
            ..match relay.path() {
                Some(path) => path,
                None => return,
            }
        };
        relay.server = server;
        // Who sends us on a second time without a name has proved the one that counts until then.
        relay.domain = domain.or(relay.domain.take());
        let stage = std::mem::replace(&mut relay.stage, Stage::Over);
        if let Stage::Open { client, .. } = stage {
            self.gatherer.ask(Request::Disconnect { path: before });
            self.open_socket(id, Some(client));
        }
    }

    fn relay_failed(&mut self, now: Instant, id: RelayId, failure: turn::Failure) {
        let relays = &mut self.gatherer.sources.relays;
        let Some(relay) = relays.iter_mut().find(|it| it.id == id) else {
            return;
        };
        let (source, leaving) = (relay.source, relay.leaving);
        let path = relay.path();
        relay.stage = Stage::Over;
        // RFC 8656 §7.4: the server remembers this socket from somebody else.
        let again = failure.code == MISMATCH && !std::mem::replace(&mut relay.again, true);
        let lost = relay.losses > 0;
        // What a second allocation is asked for the server need not have.
        let second = relay.families != self.config.relayed_families();
        let expected = second && FAMILY_UNKNOWN.contains(&failure.code);
        if lost {
            relay.ask_again(now);
        }
        if let Some(path) = path {
            self.gatherer.close_path(path);
        }
        if leaving {
            drop(self.gatherer.drop_relay(id));
        } else if lost {
            log::debug!(
                "{}an allocation that was lost is not there again yet: {}",
                self.config.label,
                failure.code
            );
        } else if again {
            self.open_socket(id, None);
        } else if failure.code != UNREACHED && !expected {
            self.tell_error(source, (failure.code, failure.reason), None);
        }
    }

    /// An allocation is gone: its pairs end, and another one is asked for after a while.
    fn relay_lost(&mut self, now: Instant, id: RelayId) {
        self.end_bases(now, id);
        let Some(relay) = self.gatherer.sources.relay_mut(id) else {
            return;
        };
        let granted = match relay.stage {
            Stage::Open { granted, .. } => granted,
            _ => None,
        };
        let path = relay.path();
        let leaving = relay.leaving;
        relay.bases.clear();
        relay.stage = Stage::Over;
        if granted.is_some_and(|at| at + LAST_RETRY <= now) {
            relay.losses = 0;
        }
        // A side that is gathered for was told of it, and waits for what takes its place.
        let gathering = self.tables.locals.iter().any(|side| !side.gathered);
        let at_once = gathering && granted.is_some() && relay.losses == 0 && now < relay.deadline;
        relay.losses = relay.losses.max(u32::from(granted.is_some()));
        if !at_once {
            relay.ask_again(now);
        }
        if let Some(path) = path {
            self.gatherer.close_path(path);
        }
        if leaving {
            drop(self.gatherer.drop_relay(id));
        } else if at_once {
            self.open_socket(id, None);
        }
    }

    pub(super) fn end_bases(&mut self, now: Instant, id: RelayId) {
        let ended = self
            .gatherer
            .bases
            .retain(|base| !matches!(base.via, Via::Relay(of, _) if of == id));
        for base in ended {
            for pair in self.tables.end_base(now, base.id) {
                self.control.cancel(pair);
            }
            self.control.cancel_base(base.id);
        }
    }

    /// Gives all allocations back, at the end of everything.
    pub(super) fn give_back(&mut self, now: Instant) {
        let ids: Vec<_> = self
            .gatherer
            .sources
            .relays
            .iter()
            .map(|it| it.id)
            .collect();
        for id in ids {
            if let Some(client) = self.client(id) {
                client.close(now);
            }
            self.send_relay(now, id);
        }
    }
}

impl LocalSide {
    /// The candidate that an allocation becomes for this side.
    pub(super) fn relayed(
        &self,
        base: &crate::base::Base,
        relay: &Relay,
        foundation: String,
    ) -> Local {
        let preference = relay.from.preference;
        // W3C §4.4.1.5, RFC 8828: with relayed candidates alone nothing tells where we are.
        let open = self.policy == TransportPolicy::All && !self.hides_addresses;
        let related = relay.mapped.filter(|_| open);
        Local {
            candidate: Candidate {
                foundation,
                component: 1,
                protocol: crate::Protocol::Udp,
                tcp_type: None,
                priority: self.free(preference, |it| relayed_priority(relay.protocol, it)),
                address: crate::Address::Ip(base.address.ip()),
                port: base.address.port(),
                kind: CandidateKind::Relayed,
                related: Some(related.unwrap_or(unspecified(base.address))),
                network_cost: 0,
            },
            base: base.id,
            preference,
            told: self.tells(),
        }
    }
}

/// RFC 8656 §19: Allocation Mismatch.
const MISMATCH: u16 = 437;
/// Address Family not Supported, and Unknown Attribute from a server that knows no families.
const FAMILY_UNKNOWN: [u16; 2] = [440, 420];
