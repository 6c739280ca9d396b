//! Candidates of a transport, and their pairs.

use oxirtc_ice as ice;

use super::{
    pass::Pass,
    traffic::{Count, Flow, Traffic},
};
use crate::{
    IceCandidate, IceCandidateType, Protocol,
    engine::{convert, transport::Transport},
    stats::{IceCandidatePairStats, IceCandidateStats, StatsObject, StatsType},
};

/// One side's candidates: what they are called, and which of them signalling has shown.
struct Side<'a> {
    kind: StatsType,
    transport: &'a str,
    ufrag: &'a str,
    shown: &'a [IceCandidate],
}

/// Candidates and pairs of the newest generation, as the agent has them, and what signalling has shown.
pub(super) struct Ice {
    ufrags: [String; 2],
    candidates: [Vec<ice::Candidate>; 2],
    shown: [Vec<IceCandidate>; 2],
    pairs: Vec<ice::PairStats>,
    /// Which of the pairs is in use.
    selected: Option<usize>,
    generation: ice::GenerationId,
}

impl Ice {
    pub(super) fn of(transport: &Transport) -> Self {
        let (agent, shown) = (&transport.ice, &transport.shown);
        let ufrag = |of: Option<&'_ ice::Credentials>| of.map_or("", |it| &it.ufrag).to_owned();
        let pairs: Vec<_> = agent.pairs().collect();
        let selected = agent.selected_pair();
        Self {
            ufrags: [agent.local_credentials(), agent.remote_credentials()].map(ufrag),
            candidates: [
                agent.local_candidates().cloned().collect(),
                agent.remote_candidates().cloned().collect(),
            ],
            shown: [
                shown.local_candidates.clone(),
                shown.remote_candidates.clone(),
            ],
            selected: selected.and_then(|it| pairs.iter().position(|pair| pair.pair == *it)),
            pairs,
            generation: agent.newest_generation(),
        }
    }
}

impl Pass {
    /// The candidates and pairs of the newest generation; the id of the pair in use.
    pub(super) fn ice(&mut self, id: &str, ice: &Ice, traffic: &Traffic) -> Option<String> {
        let [local, remote] = &ice.ufrags;
        let [local_shown, remote_shown] = &ice.shown;
        let local = Side {
            kind: StatsType::LocalCandidate,
            transport: id,
            ufrag: local,
            shown: local_shown,
        };
        let remote = Side {
            kind: StatsType::RemoteCandidate,
            transport: id,
            ufrag: remote,
            shown: remote_shown,
        };
        let [locals, remotes] = &ice.candidates;
        for candidate in locals {
            if local.shown(candidate).is_some() {
                self.candidate(&local, candidate);
            }
        }
        for candidate in remotes {
            self.candidate(&remote, candidate);
        }
        let mut ids = Vec::new();
        for pair in &ice.pairs {
            let ends = [
                self.candidate(&local, &pair.pair.local),
                self.candidate(&remote, &pair.pair.remote),
            ];
            let flow = traffic.on((ice.generation, pair.pair.path));
            ids.push(self.pair(id, ends, pair, flow));
        }
        ice.selected.map(|at| ids.swap_remove(at))
    }

    fn pair(
        &mut self,
        transport: &str,
        [local, remote]: [String; 2],
        pair: &ice::PairStats,
        flow: Flow,
    ) -> String {
        let base = self.stats(StatsType::CandidatePair, &format!("{local} {remote}"));
        let id = base.id.clone();
        let state = convert::stats_pair_state(pair.state);
        let mut it = IceCandidatePairStats::new(base, transport.to_owned(), local, remote, state);
        it.nominated = Some(pair.nominated);
        let Count {
            packets,
            bytes,
            last,
        } = flow.sent;
        (it.packets_sent, it.bytes_sent) = (Some(packets), Some(bytes));
        it.last_packet_sent_timestamp = last.map(|at| self.millis(at));
        let Count {
            packets,
            bytes,
            last,
        } = flow.received;
        (it.packets_received, it.bytes_received) = (Some(packets), Some(bytes));
        it.last_packet_received_timestamp = last.map(|at| self.millis(at));
        it.total_round_trip_time = Some(pair.total_round_trip.as_secs_f64());
        it.current_round_trip_time = pair.current_round_trip.map(|it| it.as_secs_f64());
        let others = pair.consent_requests_sent + pair.retransmissions_sent;
        it.requests_sent = Some(pair.requests_sent.saturating_sub(others));
        it.consent_requests_sent = Some(pair.consent_requests_sent);
        it.requests_received = Some(pair.requests_received);
        it.responses_sent = Some(pair.responses_sent);
        it.responses_received = Some(pair.responses_received);
        self.report.insert(it);
        id
    }

    /// Inserts a candidate: its id. [11.3-07]: an address that signalling has not shown is not shown here either.
    fn candidate(&mut self, side: &Side<'_>, candidate: &ice::Candidate) -> String {
        let key = format!(
            "{} {} {:?} {:?} {} {:?}",
            side.transport,
            side.ufrag,
            candidate.protocol,
            candidate.address,
            candidate.port,
            candidate.kind
        );
        let base = self.stats(side.kind, &key);
        let id = base.id.clone();
        let shown = side.shown(candidate);
        let kind = convert::stats_candidate_type(candidate.kind);
        let address = shown.and_then(IceCandidate::address);
        let mut it = IceCandidateStats::new(base, side.transport.to_owned(), kind, address);
        it.port = Some(candidate.port);
        it.protocol = Some(name(protocol(candidate.protocol)).to_owned());
        it.priority = Some(candidate.priority);
        it.foundation = Some(candidate.foundation.clone());
        it.username_fragment = Some(side.ufrag.to_owned()).filter(|it| !it.is_empty());
        it.tcp_type = candidate.tcp_type.map(convert::stats_tcp_type);
        it.related_address = shown.and_then(IceCandidate::related_address);
        it.related_port = shown.and_then(IceCandidate::related_port);
        it.url = shown.and_then(|it| it.url().map(str::to_owned));
        let relay = shown.and_then(IceCandidate::relay_protocol);
        it.relay_protocol = relay.map(convert::stats_relay_protocol);
        self.report.insert(match side.kind {
            StatsType::LocalCandidate => StatsObject::LocalCandidate(it),
            _ => StatsObject::RemoteCandidate(it),
        });
        id
    }
}

impl<'a> Side<'a> {
    /// The candidate as signalling has shown it, if it has.
    fn shown(&self, candidate: &ice::Candidate) -> Option<&'a IceCandidate> {
        let address = match &candidate.address {
            ice::Address::Ip(ip) => ip.to_string(),
            ice::Address::Name(name) => name.clone(),
        };
        let kind = match candidate.kind {
            ice::CandidateKind::Host => IceCandidateType::Host,
            ice::CandidateKind::ServerReflexive => IceCandidateType::Srflx,
            ice::CandidateKind::PeerReflexive => IceCandidateType::Prflx,
            ice::CandidateKind::Relayed => IceCandidateType::Relay,
        };
        self.shown.iter().find(|it| {
            it.port() == Some(candidate.port)
                && it.kind() == Some(kind)
                && it.protocol() == Some(protocol(candidate.protocol))
                && it.address().as_deref() == Some(address.as_str())
        })
    }
}

fn protocol(protocol: ice::Protocol) -> Protocol {
    match protocol {
        ice::Protocol::Udp => Protocol::Udp,
        ice::Protocol::Tcp => Protocol::Tcp,
    }
}

fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Udp => "udp",
        Protocol::Tcp => "tcp",
    }
}
