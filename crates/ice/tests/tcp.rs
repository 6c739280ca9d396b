//! Pairs over TCP (RFC 6544, RFC 4571).
mod sim;

use std::net::SocketAddr;

use oxirtc_ice::{
    Candidate, CandidateKind, Config, GatheringState, Path, Protocol, State, TcpType,
    TransportPolicy,
};
use oxirtc_netsim::{End, secs};

use crate::sim::{Sides, Sim, ip, peer::Opening};

fn with_tcp(seed: u64) -> Sim {
    let config = || Config::default().tcp(true);
    sim::with(seed, [config(), config()])
}

/// Connected over TCP alone.
fn connected(seed: u64) -> Sim {
    let mut sim = with_tcp(seed);
    sim.wire.no_udp = true;
    sim.connect();
    sim.run_until(secs(60), |sim| sim.both_are(State::Completed));
    sim
}

fn exchange_payload(sim: &mut Sim) {
    for from in [0, 1] {
        sim.send_payload(from, &[22, 1, 2, 3, 4]);
    }
    sim.run(secs(1));
    for side in [0, 1] {
        assert_eq!(sim.ends[side].received, [[22, 1, 2, 3, 4]]);
        sim.ends[side].received.clear();
    }
}

#[test]
fn candidates_say_who_opens() {
    let mut sim = with_tcp(1);
    sim.connect();
    sim.run(secs(1));
    let gathered = &sim.ends[0].gathered;
    let kinds: Vec<_> = gathered.iter().map(|it| (it.kind, it.tcp_type)).collect();
    let host = CandidateKind::Host;
    let expected = [
        (host, None),
        (host, Some(TcpType::Active)),
        (host, Some(TcpType::Passive)),
    ];
    assert_eq!(kinds, expected);
    // RFC 6544 §4.5
    assert_eq!(gathered[1].port, 9);
    assert!(gathered[2].port > 1000 && gathered[2].port != gathered[0].port);
    assert!(gathered.is_sorted_by_key(|it| std::cmp::Reverse(it.priority)));
    let mut foundations: Vec<_> = gathered.iter().map(|it| &it.foundation).collect();
    foundations.dedup();
    assert_eq!(foundations.len(), 3);
    // With relays alone there are none, and nobody listens.
    let mut sim = with_tcp(1);
    sim.ends[0]
        .agent
        .set_transport_policy(TransportPolicy::Relay);
    sim.connect();
    sim.run(secs(1));
    assert!(sim.ends[0].gathered.is_empty());
}

/// Datagrams are better where they get through.
#[test]
fn udp_comes_first() {
    let mut sim = with_tcp(2);
    sim.connect();
    sim.run_until(secs(10), |sim| sim.both_are(State::Completed));
    for side in [0, 1] {
        assert_eq!(sim.payload_path(side).unwrap().protocol, Protocol::Udp);
    }
    exchange_payload(&mut sim);
}

#[test]
fn streams_lead_where_datagrams_do_not() {
    let mut sim = connected(3);
    for side in [0, 1] {
        assert_eq!(sim.payload_path(side).unwrap().protocol, Protocol::Tcp);
    }
    exchange_payload(&mut sim);
    sim.run(secs(120));
    assert!(sim.both_are(State::Completed));
    exchange_payload(&mut sim);
    // RFC 4571 §2: the length stands before each.
    let streams = sim
        .sent()
        .iter()
        .filter(|it| it.route.protocol == Protocol::Tcp);
    for sent in streams {
        let length = u16::from_be_bytes([sent.datagram[0], sent.datagram[1]]);
        assert_eq!(usize::from(length), sent.datagram.len() - 2);
    }
    let pair = sim.ends[0].agent.selected_pair().unwrap();
    assert_eq!(pair.local.protocol, Protocol::Tcp);
    assert_eq!(pair.remote.protocol, Protocol::Tcp);
    assert!(pair.remote_told || pair.local_told);
    // RFC 6544 §4.5: each opened a stream, or accepted one of the peer's, which was not told where it comes from.
    for side in [0, 1] {
        let pair = sim.ends[side].agent.selected_pair().unwrap();
        let kinds = [pair.local.tcp_type, pair.remote.tcp_type].map(Option::unwrap);
        assert!(kinds.contains(&TcpType::Active) && kinds.contains(&TcpType::Passive));
        assert_eq!(pair.remote_told, kinds[1] == TcpType::Passive, "{kinds:?}");
    }
}

/// A restart goes on the streams that are open.
#[test]
fn a_restart_opens_no_stream_again() {
    let mut sim = connected(4);
    let opened = sim.opened();
    for side in [0, 1] {
        sim.renew(side);
    }
    sim.exchange();
    sim.run_until(secs(60), |sim| sim.both_are(State::Completed));
    sim.run(secs(10));
    assert_eq!(sim.opened(), opened);
    exchange_payload(&mut sim);
}

/// With its stream a pair ends, and what comes next has a stream of its own.
#[test]
fn a_pair_ends_with_its_stream() {
    let mut sim = connected(5);
    let opened = sim.opened();
    let ended: Vec<Path> = [0, 1].map(|side| sim.payload_path(side).unwrap()).into();
    for side in [0, 1] {
        let now = sim.now;
        let peer = &mut sim.ends[side];
        let agent = &mut peer.transports[0].agent;
        agent.handle_closed(now, &mut peer.set, ended[side]);
        assert_ne!(sim.payload_path(side), Some(ended[side]));
    }
    sim.settle();
    for side in [0, 1] {
        assert!(sim.ends[side].closed.contains(&ended[side].local));
        sim.renew(side);
    }
    sim.exchange();
    sim.run_until(secs(60), |sim| sim.both_are(State::Completed));
    assert!(sim.opened() > opened);
    exchange_payload(&mut sim);
}

/// A path that carries nothing any more takes its stream with it, at once.
#[test]
fn a_stream_ends_when_its_pair_is_of_no_use() {
    let mut sim = connected(8);
    let paths = [0, 1].map(|side| sim.payload_path(side).unwrap());
    sim.wire.up = [false; 2];
    sim.run_until(secs(60), |sim| sim.both_are(State::Failed));
    let accepted =
        |side: usize| paths[side].local == sim.ends[side].gathered[2].socket_address().unwrap();
    let side = [0, 1].into_iter().find(|side| accepted(*side)).unwrap();
    assert!(sim.ends[side].closed.contains(&paths[side].local));
}

/// What cannot be opened fails its pair; what hangs is no reason to open more.
#[test]
fn few_streams_are_opened_at_once() {
    for (opening, opened) in [(Opening::Fails, 32), (Opening::Hangs, 4)] {
        let mut sim = with_tcp(6);
        sim.wire.no_udp = true;
        sim.both(|it| it.opening = opening);
        sim.both(|it| it.trickle = false);
        sim.connect();
        let passive = sim.ends[1].gathered[2].clone();
        for n in 0..32 {
            sim.candidate(
                0,
                Candidate {
                    address: oxirtc_ice::Address::Ip(ip(&format!("192.0.2.{n}"))),
                    ..passive.clone()
                },
            );
        }
        sim.run(secs(20));
        assert_eq!(sim.opened(), opened);
        // What failed is over; what hangs is not, as far as we know.
        let failed = opening == Opening::Fails;
        let pairs = sim.ends[0].agent.pairs();
        let over = pairs.filter(|it| it.state == oxirtc_ice::PairState::Failed);
        assert_eq!(over.count(), if failed { 32 } else { 0 });
    }
}

/// Who opens streams and says nothing of use holds a few of them, for a moment.
#[test]
fn strangers_hold_few_streams() {
    let mut sim = with_tcp(7);
    sim.wire.no_udp = true;
    sim.connect();
    let passive = sim.ends[1].gathered[2].socket_address().unwrap();
    // One of another host comes first, and is not the one that makes room.
    let quiet: SocketAddr = "192.0.2.8:1".parse().unwrap();
    let quiet = Path {
        local: passive,
        remote: quiet,
        protocol: Protocol::Tcp,
    };
    sim.deliver(End::B, quiet, vec![0, 200, 1]);
    for port in 1..=39 {
        let stranger: SocketAddr = format!("192.0.2.9:{port}").parse().unwrap();
        let path = Path {
            local: passive,
            remote: stranger,
            protocol: Protocol::Tcp,
        };
        sim.deliver(End::B, path, vec![0, 200, 1]);
    }
    sim.settle();
    let ended = |sim: &Sim| {
        let closed = sim.ends[1].closed.iter();
        closed.filter(|it| **it == passive).count()
    };
    // The oldest make room.
    assert_eq!(ended(&sim), 40 - 16);
    assert!(sim.ends[1].agent.has_stream(quiet));
    // The peer comes last, and is not one of them.
    sim.run_until(secs(9), |sim| [0, 1].iter().all(|it| sim.has_consent(*it)));
    assert_eq!(ended(&sim), 41 - 16);
    sim.run(secs(12));
    assert_eq!(ended(&sim), 40);
    exchange_payload(&mut sim);
}

#[test]
fn hidden_addresses_are_hidden_in_streams() {
    let config = || Config::default().tcp(true).hide_addresses(true);
    let mut sim = sim::with(8, [config(), config()]);
    sim.wire.no_udp = true;
    sim.connect();
    sim.run_until(secs(60), |sim| sim.both_are(State::Completed));
    let agent = &sim.ends[0].agent;
    assert_eq!(agent.gathering_state(), GatheringState::Complete);
    let all: Vec<_> = agent.local_candidates().collect();
    let pairs: Vec<_> = agent.pairs().map(|it| it.pair.local).collect();
    let shown = format!("{all:?} {pairs:?} {:?}", sim.ends[0].gathered);
    assert!(!shown.contains("10.0.0.1"), "{shown}");
}

/// An agent that is closed lets go of all its streams, and of the ports that it took them at.
#[test]
fn closing_ends_all() {
    let mut sim = connected(9);
    let path = sim.payload_path(1).unwrap();
    let passive = sim.ends[1].gathered[2].socket_address().unwrap();
    sim.close(1);
    sim.settle();
    let closed = &sim.ends[1].closed;
    assert!(closed.contains(&path.local) && closed.contains(&passive));
}

/// We gather no simultaneous-open candidates, and open to those of a peer that has some, as whoever has one listens there too.
#[test]
fn a_simultaneous_open_candidate_is_opened_to() {
    let mut sim = with_tcp(31);
    sim.wire.no_udp = true;
    sim.both(|it| it.trickle = false);
    sim.connect();
    let passive = sim.ends[1].gathered[2].clone();
    assert_eq!(passive.tcp_type, Some(TcpType::Passive));
    assert!(sim.ends.iter().all(|peer| {
        let mut gathered = peer.gathered.iter();
        gathered.all(|it| it.tcp_type != Some(TcpType::SimultaneousOpen))
    }));
    sim.candidate(
        0,
        Candidate {
            tcp_type: Some(TcpType::SimultaneousOpen),
            ..passive
        },
    );
    sim.run_until(secs(20), |sim| [0, 1].iter().all(|it| sim.has_consent(*it)));
    let pair = sim.ends[0].agent.selected_pair().unwrap();
    assert_eq!(pair.remote.tcp_type, Some(TcpType::SimultaneousOpen));
    exchange_payload(&mut sim);
}

/// RFC 6544 §6.2: who accepts streams makes no pairs. As nobody's stream opens, all that there are lead from who opens.
#[test]
fn who_accepts_makes_no_pairs() {
    let mut sim = with_tcp(30);
    sim.both(|it| it.opening = Opening::Hangs);
    sim.wire.no_udp = true;
    sim.connect().run(secs(2));
    let pairs = sim.ends[0].agent.pairs();
    let kinds: Vec<_> = pairs.filter_map(|it| it.pair.local.tcp_type).collect();
    assert_eq!(kinds, [TcpType::Active]);
}
