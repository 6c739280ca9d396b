//! Candidates of a transport, and their pairs.

use oxirtc_ice as ice;

use super::{pass::Pass, traffic::Count};
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

impl Pass {
    /// The candidates and pairs of the newest generation; the id of the pair in use.
    pub(super) fn ice(&mut self, id: &str, transport: &Transport) -> Option<String> {
        let agent = &transport.ice;
        let ufrag = |of: Option<&'_ ice::Credentials>| of.map_or("", |it| &it.ufrag).to_owned();
        let ufrags = [agent.local_credentials(), agent.remote_credentials()].map(ufrag);
        let [local, remote] = &ufrags;
        let local = Side {
            kind: StatsType::LocalCandidate,
            transport: id,
            ufrag: local,
            shown: &transport.shown.local_candidates,
        };
        let remote = Side {
            kind: StatsType::RemoteCandidate,
            transport: id,
            ufrag: remote,
            shown: &transport.shown.remote_candidates,
        };
        for candidate in agent.local_candidates() {
            if local.shown(candidate).is_some() {
                self.candidate(&local, candidate);
            }
        }
        for candidate in agent.remote_candidates() {
            self.candidate(&remote, candidate);
        }
        let mut selected = None;
        for pair in agent.pairs() {
            let ends = [
                self.candidate(&local, &pair.pair.local),
                self.candidate(&remote, &pair.pair.remote),
            ];
            let in_use = agent.selected_pair() == Some(&pair.pair);
            let id = self.pair(transport, id, ends, &pair);
            if in_use {
                selected = Some(id);
            }
        }
        selected
    }

    fn pair(
        &mut self,
        transport: &Transport,
        transport_id: &str,
        [local, remote]: [String; 2],
        pair: &ice::PairStats,
    ) -> String {
        let base = self.stats(StatsType::CandidatePair, &format!("{local} {remote}"));
        let id = base.id.clone();
        let state = convert::stats_pair_state(pair.state);
        let mut it =
            IceCandidatePairStats::new(base, transport_id.to_owned(), local, remote, state);
        it.nominated = Some(pair.nominated);
        let generation = transport.ice.newest_generation();
        let flow = transport.traffic.on((generation, pair.pair.path));
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
