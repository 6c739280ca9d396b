//! Candidates that servers give, and names of the peer.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]
mod sim;

use std::net::SocketAddr;

use oxirtc_ice::{
    Address, Candidate, CandidateKind, Event, GatheringState, GenerationId, Path, Protocol,
    RelayCredentials, RelayProtocol, Server, ServerKind, State, TcpType, TransportPolicy,
};
use oxirtc_netsim::{End, for_each_seed, ms, secs};
use oxirtc_stun::Method;

use crate::sim::{Sides, Sim, ip, server};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn stun(url: &str, host: &str) -> Server {
    Server {
        url: url.into(),
        host: match host.parse() {
            Ok(ip) => Address::Ip(ip),
            Err(_) => Address::Name(host.into()),
        },
        port: 3478,
        kind: ServerKind::Stun,
    }
}

fn turn(host: &str, protocol: RelayProtocol, password: &str) -> Server {
    Server {
        kind: ServerKind::Turn {
            protocol,
            credentials: RelayCredentials::LongTerm {
                username: "alice".into(),
                password: password.to_owned().into(),
            },
        },
        ..stun("turn:relay", host)
    }
}

const STUN: &str = "192.0.2.1:3478";

/// Two peers and a server that both use.
fn with_server(seed: u64, of: Server) -> Sim {
    let mut sim = sim::new(seed);
    sim.wire.servers.push((at(STUN), server::Server::new()));
    for side in [0, 1] {
        sim.ends[side].agent.set_servers(vec![of.clone()]);
    }
    sim
}

fn relay_only(seed: u64, protocol: RelayProtocol) -> Sim {
    let mut sim = with_server(seed, turn("192.0.2.1", protocol, "secret"));
    for side in [0, 1] {
        sim.ends[side]
            .agent
            .set_transport_policy(TransportPolicy::Relay);
    }
    sim
}

fn errors(sim: &Sim, side: usize) -> Vec<(u16, String)> {
    let events = sim.ends[side].events.iter();
    let errors = events.filter_map(|event| match event {
        Event::CandidateError { code, url, .. } => Some((*code, url.clone())),
        _ => None,
    });
    errors.collect()
}

fn kinds(sim: &Sim, side: usize) -> Vec<CandidateKind> {
    sim.ends[side].gathered.iter().map(|it| it.kind).collect()
}

fn bindings(sim: &Sim) -> usize {
    let requests = &sim.wire.servers[0].1.requests;
    requests
        .iter()
        .filter(|(method, _)| *method == Method::BINDING)
        .count()
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

/// RFC 8445 §5.1.1.2: what a NAT makes of an address is told, with the address it stands for.
#[test]
fn a_mapping_becomes_a_candidate() {
    let mut sim = with_server(1, stun("stun:a", "192.0.2.1"));
    let sees = &mut sim.wire.servers[0].1.sees;
    sees.insert(ip("10.0.0.1"), ip("203.0.113.1"));
    sim.connect();
    sim.run(secs(1));
    assert_eq!(
        kinds(&sim, 0),
        [CandidateKind::Host, CandidateKind::ServerReflexive]
    );
    let [host, mapped] = &sim.ends[0].gathered[..] else {
        panic!("two candidates");
    };
    assert_eq!(mapped.address, Address::Ip(ip("203.0.113.1")));
    assert_eq!(mapped.related, host.socket_address());
    assert_ne!(mapped.foundation, host.foundation);
    assert_eq!(mapped.priority >> 24, 100);
    let url = |event: &Event| match event {
        Event::CandidateGathered { candidate, url, .. } if candidate == mapped => url.clone(),
        _ => None,
    };
    assert_eq!(sim.ends[0].events.iter().find_map(url).unwrap(), "stun:a");
    // RFC 8445 §5.1.3: without a NAT there is nothing to tell.
    assert_eq!(kinds(&sim, 1), [CandidateKind::Host]);
    assert!(sim.both_are(State::Completed) && errors(&sim, 1).is_empty());
    let complete = Event::GatheringStateChanged(GatheringState::Complete);
    let place = |it: &Event| sim.ends[0].events.iter().position(|other| other == it);
    assert!(place(&complete) > sim.ends[0].events.iter().position(|it| url(it).is_some()));
}

/// RFC 8445 §5.1.1.2: each address asks each server. What two of them say alike is told once.
#[test]
fn each_address_asks_each_server() {
    let mut sim = sim::new(34);
    let hosts = ["192.0.2.1", "192.0.2.2"];
    for host in hosts {
        let mut server = server::Server::new();
        for (inside, outside) in [("10.0.0.1", "203.0.113.1"), ("10.0.0.8", "203.0.113.8")] {
            server.sees.insert(ip(inside), ip(outside));
        }
        sim.wire.servers.push((at(&format!("{host}:3478")), server));
    }
    sim.wire.addresses[0].push(ip("10.0.0.8"));
    let servers = hosts.map(|host| stun(&format!("stun:{host}"), host));
    sim.ends[0].agent.set_servers(servers.to_vec());
    sim.connect();
    sim.run(secs(2));
    let mapped = |it: &&Candidate| it.kind == CandidateKind::ServerReflexive;
    let mapped = sim.ends[0].gathered.iter().filter(mapped);
    let mut told: Vec<_> = mapped
        .map(|it| (it.socket_address().unwrap().ip(), it.related.unwrap().ip()))
        .collect();
    told.sort();
    let expected = [
        (ip("203.0.113.1"), ip("10.0.0.1")),
        (ip("203.0.113.8"), ip("10.0.0.8")),
    ];
    assert_eq!(told, expected);
    for (_, server) in &sim.wire.servers {
        let asked = server.requests.iter();
        let asked = asked.filter(|it| it.0 == Method::BINDING).count();
        assert_eq!(asked, 2, "from each address");
    }
}

/// RFC 8489 §10: a server names another one. Over a stream another stream is opened, where over TLS the name is to be proved that the
/// first one gave, else that of the first; the first stream is closed.
#[test]
fn a_redirection_is_followed_over_another_stream() {
    let second = at("192.0.2.2:3478");
    let named = |name: &str| Some(name.to_owned());
    let first = "turn.example";
    for (protocol, domain, names) in [
        (RelayProtocol::Tcp, None, [None, None]),
        (RelayProtocol::Tcp, named("other.example"), [None, None]),
        (RelayProtocol::Tls, None, [named(first), named(first)]),
        (
            RelayProtocol::Tls,
            named("other.example"),
            [named(first), named("other.example")],
        ),
    ] {
        let mut sim = with_server(35, turn("turn.example", protocol, "secret"));
        sim.name("turn.example", ip("192.0.2.1"));
        sim.wire.servers[0].1.redirect = vec![second];
        sim.wire.servers[0].1.domain = domain;
        sim.wire.servers.push((second, server::Server::new()));
        sim.wire.apart = true;
        sim.connect();
        sim.run_until(secs(5), |sim| sim.both_are(State::Connected));
        let [at_first, at_second] = names;
        let expected = [(at(STUN), at_first), (second, at_second)];
        for place in &expected {
            let connects = sim.ends.iter().flat_map(|it| &it.connects);
            let count = connects.filter(|it| *it == place).count();
            assert_eq!(count, 2, "of each side");
        }
        assert!(sim.wire.servers[0].1.allocations.is_empty());
        assert_eq!(sim.wire.servers[1].1.allocations.len(), 2);
        assert_eq!(sim.ends[0].closed.len(), 1, "the first stream");
        exchange_payload(&mut sim);
    }
}

/// [4.2.4-03] A relay's server tells the mapping as a STUN server would, as a candidate of its own.
#[test]
fn a_relays_server_tells_the_mapping_as_well() {
    let mut sim = with_server(17, turn("192.0.2.1", RelayProtocol::Udp, "secret"));
    let sees = &mut sim.wire.servers[0].1.sees;
    sees.insert(ip("10.0.0.1"), ip("203.0.113.1"));
    sim.connect();
    sim.run(secs(1));
    let mapped = sim.ends[0]
        .gathered
        .iter()
        .find(|it| it.kind == CandidateKind::ServerReflexive);
    let address = mapped.map(|it| it.address.clone());
    assert_eq!(address, Some(Address::Ip(ip("203.0.113.1"))));
    assert!(kinds(&sim, 0).contains(&CandidateKind::Relayed));
}

/// A server that is not there costs 9.5 s of gathering and nothing else.
#[test]
fn a_silent_server_is_not_waited_for() {
    let mut sim = with_server(2, stun("stun:a", "192.0.2.1"));
    sim.wire.servers[0].1.silent = true;
    for (side, second) in ["10.0.1.1", "10.0.1.2"].iter().enumerate() {
        sim.wire.addresses[side].push(ip(second));
    }
    sim.connect();
    let took = sim.run_until(secs(1), |sim| sim.both_are(State::Connected));
    assert!(took <= ms(300), "{took:?}");
    let took = sim.run_until(secs(15), |sim| {
        sim.ends[0].agent.gathering_state() == GatheringState::Complete
    });
    assert!(took <= secs(10), "{took:?}");
    // [4.8.3-01] Once, however many addresses it was asked from.
    assert_eq!(errors(&sim, 0), [(701, "stun:a".to_owned())]);
    sim.run(secs(30));
    assert_eq!(errors(&sim, 0).len(), 1);
    assert!(sim.both_are(State::Completed));
}

#[test]
fn the_code_of_a_server_is_told() {
    let mut sim = with_server(3, stun("stun:a", "192.0.2.1"));
    sim.wire.servers[0].1.refuse = Some((Method::BINDING, 420));
    sim.wire.addresses[0].push(ip("10.0.0.8"));
    sim.connect();
    sim.run(secs(2));
    assert_eq!(errors(&sim, 0), [(420, "stun:a".to_owned())]);
    let gathered = sim.ends[0].agent.gathering_state();
    assert_eq!(gathered, GatheringState::Complete);
}

/// A server could name an address of its choice to have us tell it.
#[test]
fn an_address_that_is_none_is_not_told() {
    for trap in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"] {
        let mut sim = with_server(4, stun("stun:a", "192.0.2.1"));
        sim.wire.servers[0].1.sees.insert(ip("10.0.0.1"), ip(trap));
        sim.connect();
        sim.run(secs(1));
        assert_eq!(kinds(&sim, 0), [CandidateKind::Host], "{trap}");
        assert_eq!(sim.states()[0], State::Completed);
    }
}

/// RFC 8445 §5.1.1.4: mappings stay alive while the peer is waited for, and no longer.
#[test]
fn mappings_are_kept_until_a_pair_is_nominated() {
    let mut sim = with_server(5, stun("stun:a", "192.0.2.1"));
    sim.both(|it| it.trickle = false);
    sim.connect();
    sim.run(secs(61));
    assert_eq!(bindings(&sim), 10, "one at once, four in a minute, of each");
    let told = sim.ends[1].gathered[0].clone();
    sim.candidate(0, told);
    sim.run(secs(2));
    assert!(sim.ends.iter().all(|it| it.agent.selected_pair().is_some()));
    let before = bindings(&sim);
    sim.run(secs(120));
    assert_eq!(bindings(&sim), before);
    // Also while nobody has answered.
    let mut sim = with_server(25, stun("stun:a", "192.0.2.1"));
    sim.gather(0);
    sim.run(secs(61));
    assert_eq!(bindings(&sim), 5);
}

#[test]
fn a_server_with_a_name_is_resolved() {
    let mut sim = with_server(6, stun("stun:stun.example", "stun.example"));
    sim.name("stun.example", ip("192.0.2.1"));
    sim.wire.servers[0]
        .1
        .sees
        .insert(ip("10.0.0.1"), ip("203.0.113.1"));
    sim.connect();
    sim.run(secs(1));
    assert_eq!(sim.asked(), ["stun.example", "stun.example"]);
    assert!(kinds(&sim, 0).contains(&CandidateKind::ServerReflexive));
    let mut sim = with_server(7, stun("stun:nowhere", "nowhere.example"));
    sim.connect();
    sim.run(secs(1));
    assert_eq!(errors(&sim, 0), [(701, "stun:nowhere".to_owned())]);
    assert!(sim.both_are(State::Completed));
    // Who is to resolve it says nothing at all.
    let mut sim = with_server(24, stun("stun:silent", "silent.example"));
    sim.connect();
    let gathered = |sim: &Sim| sim.ends[0].agent.gathering_state() == GatheringState::Complete;
    let took = sim.run_until(secs(6), |sim| gathered(sim));
    assert_eq!(took, secs(5));
    assert_eq!(errors(&sim, 0), [(701, "stun:silent".to_owned())]);
}

/// RFC 8656: two peers that have only relays. Nothing but the server learns where they are.
#[test]
fn two_peers_meet_at_a_relay() {
    for protocol in [RelayProtocol::Udp, RelayProtocol::Tcp, RelayProtocol::Tls] {
        let mut sim = relay_only(8, protocol);
        sim.connect();
        sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
        for side in [0, 1] {
            let own = ["10.0.0.1", "10.0.0.2"].map(ip);
            for candidate in &sim.ends[side].gathered {
                assert_eq!(candidate.kind, CandidateKind::Relayed);
                assert!(!own.contains(&candidate.socket_address().unwrap().ip()));
                let related = candidate.related.unwrap();
                assert!(related.ip().is_unspecified() && related.port() == 0);
            }
            assert!(!sim.ends[side].gathered.is_empty());
        }
        assert!(sim.sent().iter().all(|sent| sent.route.remote == at(STUN)));
        exchange_payload(&mut sim);
        let way = sim.ends[0]
            .agent
            .payload_way(sim.now, GenerationId::default());
        assert_eq!(way.unwrap().headroom, 4, "a channel");
        let tcp = protocol != RelayProtocol::Udp;
        let expected = if tcp { Protocol::Tcp } else { Protocol::Udp };
        assert_eq!(way.unwrap().path.protocol, expected);
        let preference = sim.ends[0].gathered[0].priority >> 24;
        let preferences = [RelayProtocol::Tls, RelayProtocol::Tcp, RelayProtocol::Udp];
        assert_eq!(preferences[preference as usize], protocol);
        // RFC 8656 §8: what is not needed is given back.
        assert_eq!(sim.wire.servers[0].1.allocations.len(), 2);
        sim.close(0);
        sim.close(1);
        sim.run(secs(1));
        assert!(sim.wire.servers[0].1.allocations.is_empty());
        let closed = sim.ends[0].closed.len();
        assert_eq!(closed, 1, "the socket of the allocation");
    }
}

/// All peers of an allocation are reached by one path, that to its server: each is a pair of its own.
#[test]
fn each_peer_behind_a_relay_has_a_pair() {
    let mut sim = relay_only(40, RelayProtocol::Udp);
    sim.ends[1].agent.set_transport_policy(TransportPolicy::All);
    sim.wire.addresses[1].push(ip("10.0.0.8"));
    sim.connect();
    sim.run(secs(5));
    let pairs: Vec<_> = sim.ends[0].agent.pairs().collect();
    let remotes: std::collections::BTreeSet<_> = pairs
        .iter()
        .filter(|it| it.state == oxirtc_ice::PairState::Succeeded)
        .filter_map(|it| it.pair.remote.socket_address())
        .map(|it| it.ip())
        .collect();
    assert!(remotes.len() >= 2, "{remotes:?}");
    let paths: std::collections::BTreeSet<_> = pairs.iter().map(|it| it.pair.path).collect();
    assert_eq!(paths.len(), 1);
}

/// For as long as it is wanted: permissions, channels and the allocation are renewed.
#[test]
fn a_relayed_connection_lasts() {
    let mut sim = relay_only(9, RelayProtocol::Udp);
    sim.wire.servers[0].1.lifetime = 120;
    sim.wire.servers[0].1.nonce_life = secs(50);
    sim.connect();
    sim.run(secs(3600));
    assert!(sim.both_are(State::Completed));
    exchange_payload(&mut sim);
}

/// A relay beside other ways is the last resort, and works as such.
#[test]
fn a_relay_is_used_when_nothing_else_works() {
    let mut sim = with_server(10, turn("192.0.2.1", RelayProtocol::Udp, "secret"));
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    let relayed = |sim: &Sim| {
        let pair = sim.ends[0].agent.selected_pair().unwrap();
        [pair.local.kind, pair.remote.kind].contains(&CandidateKind::Relayed)
    };
    assert!(!relayed(&sim));
    let mut sim = with_server(11, turn("192.0.2.1", RelayProtocol::Udp, "secret"));
    sim.wire.apart = true;
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Connected));
    assert!(relayed(&sim));
    exchange_payload(&mut sim);
}

/// What a server has beside itself is not what a peer means, so it is not asked for it.
#[test]
fn a_relay_is_asked_for_nothing_beside_the_server() {
    let mut sim = relay_only(12, RelayProtocol::Udp);
    sim.exchange();
    sim.gather(0);
    sim.run_until(secs(5), |sim| !sim.ends[0].gathered.is_empty());
    let relayed = sim.ends[0].gathered[0].clone();
    for (address, pairs) in [("127.0.0.1", 0), ("169.254.1.2", 0), ("10.0.0.2", 1)] {
        let told = Candidate {
            address: Address::Ip(ip(address)),
            ..relayed.clone()
        };
        sim.candidate(0, told);
        assert_eq!(sim.ends[0].agent.pairs().count(), pairs, "{address}");
    }
}

#[test]
fn a_wrong_password_is_told() {
    let mut sim = with_server(12, turn("192.0.2.1", RelayProtocol::Udp, "wrong"));
    sim.connect();
    sim.run(secs(2));
    assert_eq!(errors(&sim, 0), [(401, "turn:relay".to_owned())]);
    assert_eq!(kinds(&sim, 0), [CandidateKind::Host]);
    assert!(sim.both_are(State::Completed));
}

/// The server was started anew and knows nobody: other allocations take the place of those that are lost, before consent is.
#[test]
fn a_lost_allocation_is_replaced() {
    for away in [0, 12, 20] {
        let mut sim = relay_only(13, RelayProtocol::Udp);
        sim.ends[1].agent.set_transport_policy(TransportPolicy::All);
        sim.connect();
        sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
        sim.wire.servers[0].1.restart();
        sim.wire.servers[0].1.silent = true;
        sim.run(secs(away));
        sim.wire.servers[0].1.silent = false;
        sim.run(secs(25));
        assert_eq!(sim.wire.servers[0].1.allocations.len(), 2);
        let closed = &sim.ends[0].closed;
        assert!(closed.len() <= 2, "the sockets of the lost: {closed:?}");
        assert!(!sim.history(0).contains(&State::Failed), "{away} s");
        exchange_payload(&mut sim);
    }
}

/// Over a stream the loss shows at once. The server is asked again after 1, 2, 4 … 60 s, for as long as it takes.
#[test]
fn a_server_that_is_away_is_asked_again() {
    let mut sim = relay_only(26, RelayProtocol::Tcp);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.wire.servers[0].1.restart();
    sim.both(|it| it.opening = sim::peer::Opening::Fails);
    for side in [0, 1] {
        sim.cut_streams(side, at(STUN));
    }
    let (before, start) = (sim.opened(), sim.now);
    let mut asked = Vec::new();
    for _ in 0..500 {
        sim.run(ms(500));
        if sim.opened() > before + 2 * asked.len() {
            asked.push((sim.now - start).as_secs());
        }
    }
    assert_eq!(asked, [1, 3, 7, 15, 31, 63, 123, 183, 243]);
    // In time for consent, and payload goes on.
    let mut sim = relay_only(27, RelayProtocol::Tls);
    sim.ends[1].agent.set_transport_policy(TransportPolicy::All);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    // What was there for a minute has its next loss as its first one.
    for (away, back) in [(secs(6), secs(4)), (secs(0), secs(2))] {
        sim.wire.servers[0].1.restart();
        sim.both(|it| it.opening = sim::peer::Opening::Fails);
        for side in [0, 1] {
            sim.cut_streams(side, at(STUN));
        }
        sim.run(away);
        sim.both(|it| it.opening = sim::peer::Opening::Works);
        sim.run(back);
        exchange_payload(&mut sim);
        sim.run(secs(70));
    }
    assert!(sim.both_are(State::Completed));
    assert!(!sim.history(0).contains(&State::Failed));
    assert_eq!(errors(&sim, 0), []);
}

/// What the peer is told by a restart is an allocation that the server knows, also when nobody has noticed before that it does not.
#[test]
fn a_restart_finds_a_server_that_was_started_anew() {
    let mut sim = relay_only(28, RelayProtocol::Udp);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.wire.servers[0].1.restart();
    sim.wire.servers[0].1.silent = true;
    sim.run(secs(60));
    assert!(sim.both_are(State::Failed));
    sim.wire.servers[0].1.silent = false;
    for side in [0, 1] {
        sim.renew(side);
    }
    sim.exchange();
    sim.run_until(secs(5), |sim| sim.has_consent(0) && sim.has_consent(1));
    exchange_payload(&mut sim);
}

/// RFC 8656 §7.2: a server that gives but one family at a time is asked for the other one from a socket of its own; one that has none
/// is not told of.
#[test]
fn each_family_has_an_allocation_where_one_cannot_have_both() {
    let relayed = |sim: &Sim| {
        let addresses = sim.ends[0].gathered.iter();
        let mut addresses: Vec<_> = addresses
            .filter_map(|it| Some(it.socket_address()?.ip()))
            .collect();
        addresses.sort();
        addresses
    };
    let both = [ip("198.51.100.1"), ip("2001:db8::1")];
    for (knows_both, refuses_ipv6, lacks_ipv6, allocations, six) in [
        (true, false, false, 1, true),
        (false, false, false, 2, true),
        // It says so at once: nothing more is asked.
        (false, true, false, 1, false),
        (false, false, true, 1, false),
    ] {
        let mut sim = relay_only(29, RelayProtocol::Udp);
        let server = &mut sim.wire.servers[0].1;
        (server.knows_both, server.refuses_ipv6) = (knows_both, refuses_ipv6);
        server.lacks_ipv6 = lacks_ipv6;
        sim.connect();
        sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
        sim.run(secs(1));
        assert_eq!(relayed(&sim), both[..1 + usize::from(six)]);
        assert_eq!(sim.wire.servers[0].1.allocations.len(), 2 * allocations);
        assert_eq!(errors(&sim, 0), []);
        exchange_payload(&mut sim);
        let ports = sim.sent_by(0);
        let ports: std::collections::BTreeSet<_> = ports
            .filter(|it| it.datagram.starts_with(&[0, 3]))
            .map(|it| it.route.local)
            .collect();
        assert_eq!(ports.len(), allocations + usize::from(lacks_ipv6));
    }
}

/// RFC 8445 §9: a restart gathers anew, and uses what is there.
#[test]
fn a_restart_keeps_its_allocations() {
    let mut sim = relay_only(14, RelayProtocol::Udp);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    let count = sim.ends[0].gathered.len();
    for side in [0, 1] {
        sim.renew(side);
    }
    sim.exchange();
    sim.run(secs(5));
    assert!(sim.both_are(State::Completed));
    assert_eq!(sim.wire.servers[0].1.allocations.len(), 2);
    assert_eq!(sim.ends[0].gathered.len(), 2 * count);
    exchange_payload(&mut sim);
}

/// [4.2.5-03] A policy that comes later holds from the next restart on.
#[test]
fn a_policy_holds_from_the_next_restart_on() {
    let mut sim = with_server(15, turn("192.0.2.1", RelayProtocol::Udp, "secret"));
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    for side in [0, 1] {
        sim.ends[side]
            .agent
            .set_transport_policy(TransportPolicy::Relay);
        sim.ends[side].gathered.clear();
        sim.renew(side);
    }
    sim.exchange();
    sim.run(secs(10));
    for side in [0, 1] {
        assert!(
            kinds(&sim, side)
                .iter()
                .all(|it| *it == CandidateKind::Relayed)
        );
    }
    assert!(sim.both_are(State::Completed));
    let from = sim.sent().len();
    exchange_payload(&mut sim);
    sim.run(secs(20));
    assert!(
        sim.sent()[from..]
            .iter()
            .all(|sent| sent.route.remote == at(STUN))
    );
}

/// Until then what is gathered for stays so: another network is used at once, without a relay.
#[test]
fn a_policy_leaves_what_is_gathered_for() {
    let mut sim = sim::new(17);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.ends[0]
        .agent
        .set_transport_policy(TransportPolicy::Relay);
    sim.wire.addresses[0] = vec![ip("10.0.0.77")];
    sim.tell_interfaces(0);
    sim.run_until(secs(2), |sim| sim.has_consent(0) && sim.has_consent(1));
}

/// [4.2.4-04] Each of several servers of either kind is asked, and what each tells is a candidate.
#[test]
fn each_of_several_servers_is_asked() {
    let mut sim = sim::new(18);
    let servers = [
        stun("stun:a", "192.0.2.1"),
        stun("stun:b", "192.0.2.2"),
        turn("192.0.2.3", RelayProtocol::Udp, "secret"),
        turn("192.0.2.4", RelayProtocol::Udp, "secret"),
    ];
    for n in 1..=4 {
        let address = at(&format!("192.0.2.{n}:3478"));
        let mut server = server::Server::new();
        let outside = ip(&format!("203.0.113.{n}"));
        server.sees.insert(ip("10.0.0.1"), outside);
        sim.wire.servers.push((address, server));
    }
    sim.ends[0].agent.set_servers(servers.to_vec());
    sim.connect();
    sim.run(secs(20));
    assert!(sim.wire.servers.iter().all(|it| !it.1.requests.is_empty()));
    let kinds = kinds(&sim, 0);
    let of = |kind| kinds.iter().filter(|it| **it == kind).count();
    assert_eq!(of(CandidateKind::ServerReflexive), 4);
    // An address of each family of each.
    assert_eq!(of(CandidateKind::Relayed), 4);
}

/// [4.2.4-04] At most 16 servers are asked, for 8 allocations.
#[test]
fn servers_are_bounded() {
    let mut sim = sim::new(16);
    let servers = (1..=40).map(|n| turn(&format!("192.0.2.{n}"), RelayProtocol::Udp, "secret"));
    let servers: Vec<_> = servers.collect();
    for n in 1..=40 {
        let address = at(&format!("192.0.2.{n}:3478"));
        sim.wire.servers.push((address, server::Server::new()));
    }
    sim.ends[0].agent.set_servers(servers);
    sim.connect();
    sim.run(secs(20));
    let allocations = sim.wire.servers.iter().map(|it| it.1.allocations.len());
    assert_eq!(allocations.sum::<usize>(), 8);
    let asked = sim
        .wire
        .servers
        .iter()
        .filter(|it| !it.1.requests.is_empty());
    assert_eq!(asked.count(), 16);
}

/// The first checks through two NATs are lost. A relay that answers meanwhile carries payload, and is not what the call stays on.
#[test]
fn a_relay_is_not_nominated_before_a_direct_pair_had_its_second_check() {
    for_each_seed(10, |seed| {
        let mut sim = with_server(seed, turn("192.0.2.1", RelayProtocol::Udp, "secret"));
        sim.wire.apart = true;
        sim.connect().run(ms(450));
        let relayed = |sim: &Sim| {
            let pair = sim.ends[0].agent.selected_pair().unwrap();
            [pair.local.kind, pair.remote.kind].contains(&CandidateKind::Relayed)
        };
        assert!(relayed(&sim) && sim.has_consent(0), "seed {seed}");
        sim.wire.apart = false;
        sim.run(secs(10));
        assert!(!relayed(&sim), "seed {seed}");
        exchange_payload(&mut sim);
    });
}

fn named(name: &str, of: &Candidate) -> Candidate {
    Candidate {
        address: Address::Name(name.into()),
        ..of.clone()
    }
}

/// draft-ietf-mmusic-mdns-ice-candidates §3.2: a name is resolved and checked like an address.
#[test]
fn names_of_the_peer_are_resolved() {
    for (policy, address, connects) in [
        (TransportPolicy::All, "10.0.0.2", true),
        (TransportPolicy::All, "127.0.0.1", false),
        // [4.2.5-02] The question itself would tell where we are.
        (TransportPolicy::Relay, "10.0.0.2", false),
    ] {
        let mut sim = sim::new(17);
        sim.both(|it| it.trickle = false);
        sim.ends[0].agent.set_transport_policy(policy);
        sim.name("x.local", ip(address));
        sim.connect();
        let told = named("x.local", &sim.ends[1].gathered[0]);
        sim.candidate(0, told.clone());
        sim.run(secs(2));
        let is_up = sim.ends[0].agent.selected_pair().is_some();
        assert_eq!(is_up, connects, "{policy:?} {address}");
        assert_eq!(sim.asked().is_empty(), policy == TransportPolicy::Relay);
        if connects {
            let pair = sim.ends[0].agent.selected_pair().unwrap();
            assert_eq!(pair.remote, told, "the name is shown, not the address");
            assert!(pair.remote_told);
        }
    }
}

/// So many names as come are asked for in turn: those that could be checked, a few at once, the next one when one has an answer or its
/// time is over.
#[test]
fn names_beyond_those_asked_wait_for_their_turn() {
    let mut sim = sim::new(18);
    sim.both(|it| it.trickle = false);
    sim.connect();
    sim.name("x.local", ip("10.0.0.2"));
    let told = sim.ends[1].gathered[0].clone();
    let component = |name: &str| Candidate {
        component: 2,
        ..named(name, &told)
    };
    let active = |name: &str| Candidate {
        protocol: Protocol::Tcp,
        tcp_type: Some(TcpType::Active),
        port: 9,
        ..named(name, &told)
    };
    for number in 0..40 {
        sim.candidate(0, component(&format!("silent{number}.of.another.local")));
        sim.candidate(0, active(&format!("silent{number}.active.local")));
    }
    for number in 0..40 {
        sim.candidate(0, named(&format!("silent{number}.local"), &told));
    }
    sim.candidate(0, named("x.local", &told));
    let names = |numbers: std::ops::Range<u32>| -> Vec<_> {
        numbers.map(|it| format!("silent{it}.local")).collect()
    };
    sim.run(secs(1));
    assert_eq!(sim.asked(), names(0..16));
    sim.run(secs(10));
    assert_eq!(sim.asked(), names(0..32));
    assert!(sim.ends[0].agent.selected_pair().is_none());
    assert_eq!(sim.ends[0].agent.state(), State::Checking);
    sim.run(secs(10));
    assert_eq!(sim.asked().len(), 41);
    assert_eq!(sim.asked()[32..40], names(32..40));
    let pair = sim.ends[0].agent.selected_pair().unwrap();
    assert_eq!(pair.remote, named("x.local", &told));
}

/// What waits in a generation that is gone is not asked for, and holds nobody up.
#[test]
fn names_of_a_generation_that_is_gone_do_not_wait() {
    let mut sim = sim::new(19);
    sim.both(|it| it.trickle = false);
    sim.connect();
    let told = sim.ends[1].gathered[0].clone();
    for number in 0..40 {
        sim.candidate(0, named(&format!("silent{number}.local"), &told));
    }
    sim.run(secs(1));
    sim.renew(0);
    sim.renew(1);
    sim.exchange();
    sim.name("x.local", ip("10.0.0.2"));
    let told = sim.ends[1].gathered.last().unwrap().clone();
    sim.candidate(0, named("x.local", &told));
    sim.run(secs(1));
    assert_eq!(sim.asked().len(), 17, "{:?}", sim.asked());
    assert!(sim.ends[0].agent.selected_pair().is_some());
}

/// Who was not told of our relay takes its address for one that only he sees. Checks from there name a lower priority than all from
/// our own addresses, so that payload does not take the detour.
#[test]
fn checks_by_a_relay_name_a_lower_priority() {
    let mut sim = with_server(22, turn("192.0.2.1", RelayProtocol::Udp, "secret"));
    sim.wire.addresses[0].push(ip("10.0.0.8"));
    sim.wire.apart = true;
    sim.connect().run(secs(3));
    let named = |relayed: bool| {
        let sent = sim.sent_by(0);
        let sent = sent.filter(|it| (it.route.remote == at(STUN)) == relayed);
        let mark = [0, 0x24, 0, 4];
        let found = sent.filter_map(|it| {
            let start = it.datagram.windows(4).position(|bytes| bytes == mark)?;
            let value = it.datagram.get(start + 4..start + 8)?;
            Some(u32::from_be_bytes(value.try_into().unwrap()))
        });
        found.collect::<Vec<_>>()
    };
    let (direct, relayed) = (named(false), named(true));
    assert!(direct.len() > 1 && relayed.len() > 1);
    assert!(relayed.iter().max() < direct.iter().min());
    // RFC 8445 §7.1.1: the type preference is that of a peer-reflexive candidate all the same.
    assert!(relayed.iter().all(|it| it >> 24 == 110));
}

/// RFC 8656 §7.4: a port that the server still knows is left for another one, once.
#[test]
fn a_port_that_a_server_knows_is_left_for_another() {
    let mut sim = relay_only(23, RelayProtocol::Udp);
    sim.wire.servers[0].1.refuse = Some((Method::ALLOCATE, 437));
    sim.connect();
    sim.run(secs(3));
    let asks = |sent: &&sim::Sent| sent.datagram.starts_with(&[0, 3]);
    let mut ports: Vec<_> = sim
        .sent_by(0)
        .filter(asks)
        .map(|it| it.route.local)
        .collect();
    ports.sort();
    ports.dedup();
    assert_eq!(ports.len(), 2, "{ports:?}");
    assert_eq!(errors(&sim, 0), [(437, "turn:relay".to_owned())]);
}

/// The numbers of UDP and of TCP are apart: whose stream to such a number ends has no allocation there.
#[test]
fn a_stream_that_ends_takes_no_socket_with_it() {
    let mut sim = relay_only(3, RelayProtocol::Udp);
    sim.connect();
    sim.run_until(secs(10), |sim| sim.both_are(State::Completed));
    let way = sim.payload_path(0).unwrap();
    let path = Path {
        remote: at("203.0.113.66:5"),
        protocol: Protocol::Tcp,
        ..way
    };
    let (now, peer) = (sim.now, &mut sim.ends[0]);
    let agent = &mut peer.transports[0].agent;
    agent.handle_closed(now, &mut peer.set, path);
    assert_eq!(sim.payload_path(0), Some(way));
}

/// What stands behind a redirection is of the stream that it came on, and not of the next one.
#[test]
fn a_byte_behind_a_redirection_is_nobodys() {
    let (first, second) = (at("192.0.2.1:3478"), at("192.0.2.2:3478"));
    let mut sim = relay_only(35, RelayProtocol::Tcp);
    sim.wire.servers.push((second, server::Server::new()));
    sim.wire.servers[0].1.redirect = vec![second];
    sim.wire.up[0] = false;
    sim.connect();
    sim.run(ms(100));
    let asked = sim.sent_by(0).find(|it| it.route.remote == first);
    let asked = asked.unwrap();
    let (path, bytes, now) = (asked.route, asked.datagram.clone(), sim.now);
    let mut outs = sim.wire.servers[0].1.handle(now, path.local, &bytes);
    let server::Out::Client(mut answer) = outs.remove(0) else {
        panic!("no answer");
    };
    answer.push(1);
    sim.wire.up[0] = true;
    sim.deliver(End::A, path, answer);
    sim.settle();
    sim.run(secs(5));
    assert!(
        sim.wire.servers[1]
            .1
            .allocations
            .keys()
            .any(|it| it.ip() == ip("10.0.0.1"))
    );
}

/// With its channel a way is gone: an indication needs more room before payload.
#[test]
fn a_way_ends_with_its_channel() {
    let mut sim = relay_only(3, RelayProtocol::Udp);
    sim.connect();
    sim.run_until(secs(10), |sim| sim.both_are(State::Completed));
    sim.run(secs(470));
    let now = sim.now;
    let generation = GenerationId::default();
    let way = sim.ends[0].agent.payload_way(now, generation).unwrap();
    sim.wire.servers[0].1.refuse = Some((Method::CHANNEL_BIND, 508));
    sim.run_until(secs(20), |sim| {
        let next = sim.ends[0].agent.payload_way(sim.now, generation);
        next.is_some_and(|next| next.headroom > way.headroom)
    });
    let mut buf = vec![0; way.headroom];
    buf.extend(1..=60_u8);
    let before = buf.clone();
    let now = sim.now;
    let wrapped = sim.ends[0].agent.wrap(now, &way, &mut buf, 0);
    assert_eq!(wrapped, Err(oxirtc_ice::Error::Stale));
    assert_eq!(buf, before);
}
