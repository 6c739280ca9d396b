//! Networks that cost, and addresses that come later.
mod sim;

use std::net::IpAddr;

use oxirtc_ice::{CandidateKind, Config, Event, GatheringState, Role, State};
use oxirtc_netsim::secs;

use crate::sim::{Sides, Sim, ip};

const DEAR: &str = "10.0.0.1";
const CHEAP: &str = "10.0.0.9";

/// The first peer has a dear address, which has the higher priority, and a cheap one.
fn with(seed: u64, config: Config) -> Sim {
    let mut sim = sim::with(seed, [config.clone(), config]);
    sim.wire.addresses[0].push(ip(CHEAP));
    sim.ends[0].costs.insert(ip(DEAR), 900);
    sim
}

/// At which address of the first peer either end has its pair.
fn used(sim: &Sim) -> [IpAddr; 2] {
    let near = sim.payload_path(0).map(|it| it.local.ip());
    let far = sim.payload_path(1).map(|it| it.remote.ip());
    [near, far].map(|it| it.unwrap_or(ip("0.0.0.0")))
}

/// Either end uses the cheaper network, whoever nominates: the peer is told what it costs.
#[test]
fn the_cheaper_of_two_networks_is_used() {
    for controlling in [0, 1] {
        let mut sim = with(1, Config::default());
        sim.set_role(1 - controlling, Role::Controlled);
        sim.set_role(controlling, Role::Controlling);
        sim.connect();
        sim.run(secs(5));
        assert!(sim.both_are(State::Completed));
        assert_eq!(used(&sim), [ip(CHEAP); 2]);
        let costs: Vec<_> = sim.ends[0]
            .gathered
            .iter()
            .map(|it| it.network_cost)
            .collect();
        assert_eq!(costs, [900, 0]);
    }
}

/// Of an address that was never told, the peer's checks say what it costs.
#[test]
fn checks_say_what_a_network_costs() {
    let mut sim = with(2, Config::default().renomination(true));
    sim.both(|it| it.says_renomination = true);
    sim.set_role(0, Role::Controlled);
    sim.set_role(1, Role::Controlling);
    sim.both(|it| it.trickle = false);
    sim.connect();
    let candidates = sim.ends[1].gathered.clone();
    for candidate in candidates {
        sim.candidate(0, candidate);
    }
    sim.run(secs(5));
    assert_eq!(used(&sim), [ip(CHEAP); 2]);
    let pairs: Vec<_> = sim.ends[1].agent.pairs().collect();
    assert_eq!(pairs.len(), 2);
    let learnt = pairs
        .iter()
        .filter(|it| it.pair.remote.kind == CandidateKind::PeerReflexive);
    assert_eq!(
        learnt.map(|it| it.pair.remote.network_cost).max(),
        Some(900)
    );
}

/// A cheaper network that comes later is moved to where nominations have numbers, and kept as a way out where they have none.
#[test]
fn a_cheaper_network_is_moved_to() {
    for renomination in [true, false] {
        let mut sim = with(3, Config::default().renomination(renomination));
        sim.both(|it| it.says_renomination = renomination);
        sim.wire.addresses[0].pop();
        sim.connect();
        sim.run(secs(5));
        assert_eq!(used(&sim), [ip(DEAR); 2]);
        sim.wire.addresses[0].push(ip(CHEAP));
        sim.tell_interfaces(0);
        sim.run(secs(5));
        let expected = if renomination { CHEAP } else { DEAR };
        assert_eq!(used(&sim), [ip(expected); 2]);
        // It is left when it falls silent, as any is, and returned to.
        sim.wire.dead.push(ip(expected));
        sim.run(secs(10));
        assert_ne!(used(&sim), [ip(expected); 2]);
        sim.wire.dead.clear();
        sim.run(secs(20));
        assert_eq!(used(&sim), [ip(expected); 2]);
    }
}

/// What a network costs may change while it is used.
#[test]
fn a_network_that_becomes_dear_is_left() {
    let mut sim = with(4, Config::default().renomination(true));
    sim.both(|it| it.says_renomination = true);
    sim.connect();
    sim.run(secs(5));
    assert_eq!(used(&sim), [ip(CHEAP); 2]);
    sim.ends[0].costs.clear();
    sim.ends[0].costs.insert(ip(CHEAP), 900);
    sim.tell_interfaces(0);
    sim.run(secs(5));
    assert_eq!(used(&sim), [ip(DEAR); 2]);
}

/// An address that comes when all candidates were told is used either way, and told only when that was asked for.
#[test]
fn later_addresses_are_told_when_asked_for() {
    for continual in [false, true] {
        let mut sim = sim::with(5, [(); 2].map(|()| Config::default().continual(continual)));
        sim.connect();
        sim.run(secs(5));
        let complete = Event::GatheringStateChanged(GatheringState::Complete);
        let has_ended = |sim: &Sim| sim.ends[0].events.contains(&complete);
        assert_eq!(has_ended(&sim), !continual);
        sim.wire.addresses[0].push(ip(CHEAP));
        sim.tell_interfaces(0);
        sim.run(secs(5));
        let told = sim.ends[0]
            .gathered
            .iter()
            .filter_map(|it| it.socket_address());
        let told: Vec<_> = told.map(|it| it.ip()).collect();
        assert_eq!(told.contains(&ip(CHEAP)), continual);
        assert_eq!(has_ended(&sim), !continual);
        let pairs = sim.ends[1].agent.pairs();
        let later = pairs.filter(|it| it.pair.path.remote.ip() == ip(CHEAP));
        let shown: Vec<_> = later.map(|it| it.pair.remote_told).collect();
        assert_eq!(shown, [continual], "it is checked");
        // It works when the other one is gone.
        sim.wire.dead.push(ip(DEAR));
        sim.run(secs(10));
        assert_eq!(used(&sim), [ip(CHEAP); 2]);
        // And failure is found, though the end is never told.
        sim.wire.apart = true;
        sim.run(secs(100));
        assert!(sim.both_are(State::Failed), "{:?}", sim.states());
    }
}
