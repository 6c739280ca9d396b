//! Role conflicts (RFC 8445 §7.3.1.1).
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod sim;

use oxirtc_ice::{Config, Event, Role, State};
use oxirtc_netsim::{for_each_seed, ms, secs};

use crate::sim::{Sides, Sim};

fn settle(mut sim: Sim, role: Role) -> Sim {
    sim.set_role(0, role);
    sim.set_role(1, role);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    assert_ne!(sim.ends[0].set.role(), sim.ends[1].set.role());
    let [one, two] = sim
        .ends
        .each_ref()
        .map(|peer| peer.agent.selected_pair().unwrap().path);
    assert_eq!((one.local, one.remote), (two.remote, two.local));
    sim
}

/// [5.6-11]: a thousand conflicts, both kinds, all end with one controlling side.
#[test]
fn a_thousand_conflicts_are_resolved() {
    for_each_seed(500, |seed| {
        for role in [Role::Controlling, Role::Controlled] {
            let mut sim = sim::new(seed);
            sim.wire.delay = ms(seed % 40);
            let sim = settle(sim, role);
            let switched = |event: &Event| matches!(event, Event::RoleChanged(_));
            assert!(sim.ends.iter().any(|peer| peer.events.iter().any(switched)));
        }
    });
}

/// Equal tie-breakers: both are told to switch, both take a new tie-breaker, and the next conflict
/// is decided.
#[test]
fn equal_tie_breakers_are_resolved() {
    for_each_seed(50, |seed| {
        for role in [Role::Controlling, Role::Controlled] {
            let config = Config::default().tie_breaker(7);
            settle(sim::with(seed, [config.clone(), config]), role);
        }
    });
}

/// The larger tie-breaker controls, and keeps its role.
#[test]
fn the_larger_tie_breaker_controls() {
    let config = |tie_breaker| Config::default().tie_breaker(tie_breaker);
    let sim = settle(sim::with(1, [config(9), config(8)]), Role::Controlling);
    assert_eq!(sim.ends[0].set.role(), Role::Controlling);
    let sim = settle(sim::with(1, [config(8), config(9)]), Role::Controlled);
    assert_eq!(sim.ends[1].set.role(), Role::Controlling);
}
