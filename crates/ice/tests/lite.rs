//! The lite role (RFC 8445 §2.5), and what it asks all the same.
mod sim;

use oxirtc_ice::{
    Address, CandidateKind, Config, Event, GatheringState, Role, Server, ServerKind, State,
};
use oxirtc_netsim::{ms, secs};

use crate::sim::{Sides, Sim, ip, server};

/// The second is a lite agent, and what the first says of it tells so.
fn with_lite(seed: u64) -> Sim {
    let mut sim = sim::with(seed, [Config::default(), Config::default().lite(true)]);
    let described = sim::told(&sim.ends[1].local);
    sim.ends[0].remote = Some(oxirtc_ice::RemoteIce {
        lite: true,
        ..described
    });
    sim
}

/// Each knows the other's credentials, and gathers.
fn exchange(sim: &mut Sim) {
    sim.ends[1].remote = Some(sim::told(&sim.ends[0].local));
    sim.gather(0);
    sim.gather(1);
    sim.settle();
}

/// It sends no check before it was checked, checks in return what was, and follows the nomination.
#[test]
fn it_checks_what_it_was_checked_by() {
    for offered in [Role::Controlling, Role::Controlled] {
        let mut sim = with_lite(1);
        // Whoever offered, the full agent controls.
        sim.set_role(0, offered);
        sim.set_role(1, Role::Controlling);
        sim.wire.apart = true;
        exchange(&mut sim);
        sim.run(secs(2));
        assert!(!sim.requests(0).is_empty());
        assert!(sim.requests(1).is_empty(), "nobody has checked it");
        assert_eq!(sim.ends[1].agent.pairs().count(), 0);
        sim.wire.apart = false;
        sim.run_until(secs(10), |sim| sim.both_are(State::Completed));
        assert_eq!(sim.ends[0].set.role(), Role::Controlling);
        assert_eq!(sim.ends[1].set.role(), Role::Controlled);
        assert_eq!(sim.ends[1].agent.pairs().count(), 1);
        for from in [0, 1] {
            sim.send_payload(from, b"\x80word");
        }
        sim.run(secs(60));
        for side in [0, 1] {
            assert_eq!(sim.ends[side].received, [b"\x80word"]);
            assert!(sim.has_consent(side));
        }
    }
}

/// Somebody who has the credentials and forges the source of a request draws checks there, and no payload.
#[test]
fn a_source_that_does_not_answer_gets_no_payload() {
    let mut sim = with_lite(2);
    sim.wire.apart = true;
    exchange(&mut sim);
    sim.run(ms(200));
    let (mut path, request) = {
        let sent = sim.requests(0);
        let first = sent.first().unwrap();
        (first.route, first.datagram.clone())
    };
    path.local = "192.0.2.66:6666".parse().unwrap();
    sim.wire.apart = false;
    sim.wire.dead = vec![ip("10.0.0.1")];
    sim.carry(0, path, request);
    sim.run(secs(5));
    assert!(!sim.requests(1).is_empty(), "it is asked");
    assert!(sim.payload_path(1).is_none());
    assert!(!sim.has_consent(1));
}

/// Host candidates are all that there are, and no name of the peer is asked for.
#[test]
fn it_asks_nobody() {
    let mut sim = with_lite(3);
    sim.wire
        .servers
        .push(("192.0.2.1:3478".parse().unwrap(), server::Server::new()));
    sim.ends[1].agent.set_servers(vec![Server {
        url: "stun:a".into(),
        host: Address::Ip(ip("192.0.2.1")),
        port: 3478,
        kind: ServerKind::Stun,
    }]);
    exchange(&mut sim);
    let mut named = sim.ends[0].gathered[0].clone();
    named.address = Address::Name("x.local".into());
    sim.candidate(1, named);
    sim.run(secs(5));
    assert!(sim.asked().is_empty());
    assert!(sim.wire.servers[0].1.requests.is_empty());
    let kinds: Vec<_> = sim.ends[1].gathered.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [CandidateKind::Host]);
    let complete = Event::GatheringStateChanged(GatheringState::Complete);
    assert!(sim.ends[1].events.contains(&complete));
}

/// A peer that takes the wrong role is told so, whatever its tie-breaker.
#[test]
fn it_never_controls() {
    for tie_breaker in [0, u64::MAX] {
        let config = Config::default().tie_breaker(tie_breaker);
        let mut sim = sim::with(4, [config, Config::default().lite(true)]);
        // The peer does not know that it is lite, and believes to be controlled.
        sim.set_role(0, Role::Controlled);
        let told = sim::told(&sim.ends[1].local);
        sim.ends[0].remote = Some(told);
        exchange(&mut sim);
        sim.run_until(secs(10), |sim| sim.both_are(State::Completed));
        assert_eq!(sim.ends[0].set.role(), Role::Controlling);
        assert_eq!(sim.ends[1].set.role(), Role::Controlled);
    }
}
