//! What servers are asked, and what follows from their answers (RFC 8445 §5.1.1.2, RFC 8656).

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use oxirtc_stun::{Class, Message, TransactionId};

use super::Agent;
use crate::{
    Candidate, CandidateKind, ChecklistSet, Event, Path, Request, RequestId, TransportPolicy,
    base::{BaseId, PairKey},
    candidate::priority,
    generation::{Local, LocalSide, MAX_LOCALS, same},
    server::SourceId,
    source::{LOOKUP, Lookup, MAX_SOURCES, Missing, PACING, Probe, Source, mapped},
};

impl Agent {
    /// Answers a [`Request::Resolve`]: all addresses of the name.
    pub fn handle_addresses(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        id: RequestId,
        result: Result<Vec<IpAddr>, io::ErrorKind>,
    ) {
        let addresses = result.unwrap_or_default();
        let asked = |it: &&mut Source| matches!(it.lookup, Lookup::Asked(of, _) if of == id);
        match self.gatherer.sources.sources.iter_mut().find(asked) {
            Some(source) => {
                let mut known: Vec<IpAddr> = Vec::new();
                for ip in addresses.into_iter().map(|ip| ip.to_canonical()) {
                    if !known.contains(&ip) && known.len() < MAX_ADDRESSES {
                        known.push(ip);
                    }
                }
                source.lookup = Lookup::Known(known);
            }
            None => self.name_resolved(set, id, &addresses),
        }
        self.settle(now, set);
    }

    /// Asks what is to be asked, and takes what has come.
    pub(super) fn serve_sources(&mut self, now: Instant, set: &ChecklistSet) {
        self.give_up_names(now);
        self.ask_names(now);
        let listed = |side: &LocalSide| !side.servers.is_empty();
        if self.gatherer.sources.sources.is_empty() && !self.tables.locals.iter().any(listed) {
            return;
        }
        self.prune_sources(now);
        self.look_up_servers(now);
        for probe in &mut self.gatherer.sources.probes {
            probe.handle_timeout(now);
        }
        self.ask_missing(now);
        self.renew_mappings(now);
        self.serve_relays(now, set);
        self.send_probes(now);
        self.tell_unreached(now);
        if self.choose(now) {
            self.refresh_consent(now, set);
        }
    }

    fn prune_sources(&mut self, now: Instant) {
        let locals = &self.tables.locals;
        let sources = &mut self.gatherer.sources;
        let is_listed = |source: &Source| {
            let mut sides = locals.iter();
            sides.any(|side| side.servers.contains(&source.server))
        };
        let gone: Vec<SourceId> = sources
            .sources
            .iter()
            .filter(|source| !is_listed(source))
            .map(|source| source.id)
            .collect();
        if gone.is_empty() {
            return;
        }
        sources.sources.retain(|source| !gone.contains(&source.id));
        sources.probes.retain(|probe| !gone.contains(&probe.source));
        let relays = sources.relays.iter().filter(|it| gone.contains(&it.source));
        for id in relays.map(|it| it.id).collect::<Vec<_>>() {
            self.end_bases(now, id);
            match self.gatherer.sources.relay_mut(id) {
                Some(relay) if relay.client().is_some() => {
                    relay.leaving = true;
                    if let Some(client) = relay.client_mut() {
                        client.close(now);
                    }
                }
                _ => drop(self.gatherer.drop_relay(id)),
            }
        }
    }

    fn look_up_servers(&mut self, now: Instant) {
        for listed in self.tables.listed().collect::<Vec<_>>() {
            let Some(side) = self.tables.local(listed.local) else {
                continue;
            };
            let (servers, policy) = (side.servers.clone(), side.policy);
            for server in servers.iter() {
                let useless = policy == TransportPolicy::Relay && !server.relays();
                let known = self.gatherer.sources.of(server).is_some();
                if known || useless || self.gatherer.sources.sources.len() >= MAX_SOURCES {
                    continue;
                }
                let lookup = Lookup::of(&server.host).unwrap_or_else(|| {
                    let id = self.gatherer.request_id();
                    let name = match &server.host {
                        crate::Address::Name(name) => name.clone(),
                        crate::Address::Ip(ip) => ip.to_string(),
                    };
                    self.gatherer.ask(Request::Resolve { id, name });
                    Lookup::Asked(id, now + LOOKUP)
                });
                let id = self.gatherer.sources.next_source();
                let source = Source::new(id, server.clone(), lookup);
                self.gatherer.sources.sources.push(source);
            }
        }
        for source in &mut self.gatherer.sources.sources {
            if matches!(source.lookup, Lookup::Asked(_, until) if until <= now) {
                source.lookup = Lookup::Known(Vec::new());
            }
        }
    }

    /// The next question of the sides that are listed.
    fn missing(&self) -> Option<Missing> {
        let sides = self.tables.listed();
        let mut sides = sides.filter_map(|it| self.tables.local(it.local));
        sides.find_map(|side| self.gatherer.missing(side))
    }

    fn ask_missing(&mut self, now: Instant) {
        while let Some(missing) = self.missing() {
            let sources = &mut self.gatherer.sources;
            if sources.next_start.is_some_and(|at| now < at) {
                return;
            }
            // RFC 8445 §14.2: questions to servers are paced as well.
            sources.next_start = Some(now + PACING);
            match missing {
                Missing::Probe(source, base, server) => {
                    let mut probe = Probe::new(source, base, server);
                    probe.ask(now, TransactionId::generate(&mut self.random));
                    sources.probes.push(probe);
                }
                Missing::Relay(source, from, server) => {
                    let families = self.config.relayed_families();
                    self.ask_allocation(now, (source, from, (server, None)), families);
                }
            }
        }
    }

    /// RFC 8445 §5.1.1.4: mappings are kept alive until a pair is nominated.
    fn renew_mappings(&mut self, now: Instant) {
        for at in 0..self.gatherer.sources.probes.len() {
            let probe = self.gatherer.sources.probes.get(at);
            let due = probe.is_some_and(|probe| {
                probe.renewal().is_some_and(|at| at <= now) && self.is_kept(probe)
            });
            let probe = self.gatherer.sources.probes.get_mut(at).filter(|_| due);
            if let Some(probe) = probe {
                probe.ask(now, TransactionId::generate(&mut self.random));
            }
        }
    }

    fn is_kept(&self, probe: &Probe) -> bool {
        let Some(source) = self.gatherer.sources.source(probe.source) else {
            return false;
        };
        self.tables.listed().any(|listed| {
            let session = listed
                .remote
                .and_then(|it| self.tables.session_of(listed.local, it));
            let nominated = session.is_some_and(|it| it.nominated.is_some() || it.failed);
            let side = self.tables.local(listed.local);
            side.is_some_and(|it| it.servers.contains(&source.server)) && !nominated
        })
    }

    fn send_probes(&mut self, now: Instant) {
        let sources = &mut self.gatherer.sources;
        for probe in &mut sources.probes {
            let key = PairKey {
                base: probe.base,
                remote: probe.server,
            };
            let (Some(transaction), Some(path)) =
                (&mut probe.transaction, self.gatherer.bases.path(key))
            else {
                continue;
            };
            let mut buf = self.control.buffer();
            if transaction.poll_transmit(now, MTU, &mut buf) {
                self.stats.drops.control += self.control.push((Some(key), path), None, buf);
            } else {
                self.control.reuse(buf);
            }
        }
    }

    /// Whether a datagram is a server's answer about an address of ours.
    pub(super) fn handle_mapping(&mut self, now: Instant, path: Path, datagram: &[u8]) -> bool {
        if self.gatherer.sources.probes.is_empty() {
            return false;
        }
        let Some(base) = self.gatherer.bases.at(path.local).copied() else {
            return false;
        };
        let Ok(answer) = Message::parse(datagram) else {
            return false;
        };
        if !answer.class().is_response() {
            return false;
        }
        let sources = &mut self.gatherer.sources;
        let Some(probe) = sources.asked(base.id, path.remote, &answer) else {
            return false;
        };
        probe.transaction = None;
        probe.ended = true;
        let source = probe.source;
        if answer.class() == Class::Error {
            let code = answer.error_code();
            let (code, reason) = code.map_or((UNREACHED, ""), |it| (it.code, it.reason));
            let relays = sources.source(source).is_some_and(|it| it.server.relays());
            if !relays {
                self.tell_error(source, (code, reason.to_owned()), Some(base.address));
            }
            return true;
        }
        match mapped(&answer, base.address) {
            Some(mapped) => {
                probe.mapped = Some((mapped, now));
                if let Some(source) = sources.source_mut(source) {
                    source.useful = true;
                }
                self.add_mappings(now);
            }
            None => log::debug!(
                "{}a STUN server names an address that nobody could send to",
                self.config.label
            ),
        }
        true
    }

    /// Tells what servers see as candidates of the sides that lack them.
    pub(super) fn add_mappings(&mut self, now: Instant) {
        for at in 0..self.gatherer.sources.probes.len() {
            let Some(probe) = self.gatherer.sources.probes.get(at) else {
                continue;
            };
            let (base, server, source) = (probe.base, probe.server, probe.source);
            let Some(mapped) = probe.fresh(now) else {
                continue;
            };
            let Some(source) = self.gatherer.sources.source(source) else {
                continue;
            };
            let (url, listed) = (source.server.url.clone(), source.server.clone());
            let Some(base) = self.gatherer.bases.get(base).copied() else {
                continue;
            };
            // RFC 8445 §5.1.3: without a NAT it is the host candidate once more.
            // Where no host candidate is told, what a server sees is all that there is.
            if same(base.address, mapped) && !self.config.ip_handling.hides_hosts() {
                continue;
            }
            let kind = CandidateKind::ServerReflexive;
            let foundation = self.gatherer.foundation(kind, base.address.ip(), server);
            for side in &mut self.tables.locals {
                if !side.servers.contains(&listed) || side.policy == TransportPolicy::Relay {
                    continue;
                }
                let Some(told) = side.add_mapping(base.id, base.address, mapped, &foundation)
                else {
                    continue;
                };
                if let Some(candidate) = told {
                    self.outcome.events.push_back(Event::CandidateGathered {
                        candidate,
                        ufrag: side.ufrag().to_owned(),
                        url: Some(url.clone()),
                        relay: None,
                    });
                }
            }
        }
    }

    /// W3C §4.8.3: servers of which nothing came at all are told once.
    fn tell_unreached(&mut self, now: Instant) {
        if self.missing().is_some() || !self.gatherer.is_ready() {
            return;
        }
        let sources = &self.gatherer.sources;
        let over = |source: &&Source| {
            let servers = std::slice::from_ref(&source.server);
            !source.useful && source.told.is_empty() && !sources.is_under_way(now, servers)
        };
        let over: Vec<SourceId> = sources
            .sources
            .iter()
            .filter(over)
            .map(|it| it.id)
            .collect();
        for id in over {
            let empty = |it: &Source| matches!(&it.lookup, Lookup::Known(addresses) if addresses.is_empty());
            let nameless = self.gatherer.sources.source(id).is_some_and(empty);
            let reason = match nameless {
                true => "the server's name has no address",
                false => "the server was not reached",
            };
            self.tell_error(id, (UNREACHED, reason.to_owned()), None);
        }
    }

    pub(super) fn tell_error(
        &mut self,
        source: SourceId,
        (code, reason): (u16, String),
        from: Option<SocketAddr>,
    ) {
        let Some(source) = self.gatherer.sources.source_mut(source) else {
            return;
        };
        // Each address of this machine has the same to tell.
        if source.told.contains(&code) {
            return;
        }
        source.told.push(code);
        let from = from.filter(|_| !self.config.hides());
        self.outcome.events.push_back(Event::CandidateError {
            url: source.server.url.clone(),
            code,
            reason,
            from,
        });
    }

    /// When something that servers were asked for is due.
    pub(super) fn gathering_due(&self, now: Instant) -> Option<Instant> {
        let sources = &self.gatherer.sources;
        let lookups = sources.sources.iter().filter_map(|it| match it.lookup {
            Lookup::Asked(_, until) => Some(until),
            Lookup::Known(_) => None,
        });
        let probes = sources.probes.iter().filter_map(|probe| {
            let transaction = probe.transaction.as_ref();
            let renewal = probe.renewal().filter(|_| self.is_kept(probe));
            transaction.and_then(|it| it.poll_timeout()).or(renewal)
        });
        let relays = sources.relays.iter().filter_map(|it| it.poll_timeout(now));
        let start = sources.next_start.filter(|at| *at > now);
        let start = start.filter(|_| self.missing().is_some());
        let names = self.names.asked.iter().map(|name| name.until);
        lookups
            .chain(probes)
            .chain(relays)
            .chain(start)
            .chain(names)
            .chain(self.streams_due())
            .min()
    }
}

impl LocalSide {
    /// Adds what a server sees a base at; the candidate, if it is to be told. `None` when it is known.
    fn add_mapping(
        &mut self,
        base: BaseId,
        address: SocketAddr,
        mapped: SocketAddr,
        foundation: &str,
    ) -> Option<Option<Candidate>> {
        let preference = self.candidates.get(self.of_base(base)?)?.preference;
        let kind = CandidateKind::ServerReflexive;
        let here = |local: &&Local| {
            let at = local.candidate.socket_address();
            local.base == base && at.is_some_and(|at| same(at, mapped))
        };
        // It says no more than the base, where that is told (RFC 8828 §5.2).
        let mut own = self.candidates.iter().filter(|it| it.is_base());
        if own.any(|own| here(&own) && (own.told || !self.hides_hosts)) {
            return None;
        }
        let known = self
            .candidates
            .iter()
            .position(|it| !it.is_base() && here(&it));
        let told = self.tells();
        let candidate = Candidate {
            foundation: foundation.to_owned(),
            component: 1,
            protocol: crate::Protocol::Udp,
            tcp_type: None,
            priority: self.free(preference, |it| priority(kind, it)),
            address: crate::Address::Ip(mapped.ip()),
            port: mapped.port(),
            kind,
            related: Some(self.shown_base(address)),
            network_cost: self
                .candidates
                .get(self.of_base(base)?)?
                .candidate
                .network_cost,
        };
        let local = Local {
            candidate: candidate.clone(),
            base,
            preference,
            told,
        };
        let full = self.candidates.len() >= MAX_LOCALS;
        match known.and_then(|at| self.candidates.get_mut(at)) {
            Some(known) if known.told || known.candidate.kind != CandidateKind::PeerReflexive => {
                return None;
            }
            // A check has shown it before.
            Some(known) => *known = local,
            None if full => return None,
            None => self.candidates.push(local),
        }
        Some(told.then_some(candidate))
    }

    /// RFC 8445 §5.1.2: no two candidates have the same priority.
    pub(super) fn free(&self, preference: u16, priority: impl Fn(u16) -> u32) -> u32 {
        let taken = |it: u32| {
            self.candidates
                .iter()
                .any(|local| local.candidate.priority == it)
        };
        let mut free = (0..=preference)
            .rev()
            .map(&priority)
            .filter(|it| !taken(*it));
        free.next().unwrap_or_else(|| priority(0))
    }
}

/// W3C §4.8.3: the server was not reached.
pub(super) const UNREACHED: u16 = 701;
/// Addresses of a server that are looked at.
const MAX_ADDRESSES: usize = 8;
pub(super) const MTU: usize = 1200;
