//! Connections of several transports: one role, one tie-breaker, one pace.
mod sim;

use std::collections::BTreeSet;

use oxirtc_ice::{Config, Role, State};
use oxirtc_netsim::{for_each_seed, ms, secs};
use oxirtc_stun::Message;

use crate::sim::{Sides, Sim};

fn all_completed(sim: &mut Sim) -> bool {
    let mut transports = sim.ends.iter().flat_map(|peer| &peer.transports);
    transports.all(|it| it.agent.state() == State::Completed)
}

#[test]
fn two_and_three_transports_connect() {
    for count in [2, 3] {
        let mut sim = sim::many(1, [Config::default(), Config::default()], count);
        sim.connect();
        let took = sim.run_until(secs(5), all_completed);
        assert!(took <= secs(1), "{took:?}");
    }
}

/// RFC 8445 §14.2: checks of all transports together are Ta apart, also when nothing answers.
#[test]
fn checks_share_one_pace() {
    let mut sim = sim::many(2, [Config::default(), Config::default()], 3);
    sim.wire.up = [false, false];
    sim.connect();
    sim.run(secs(30));
    let times: Vec<_> = sim.requests(0).iter().map(|sent| sent.at).collect();
    assert!(times.len() >= 15, "{}", times.len());
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= ms(50)));
    // They take turns: each of the three has sent its first before any sends its second.
    let firsts: BTreeSet<_> = sim
        .requests(0)
        .iter()
        .take(3)
        .map(|sent| sent.route.local)
        .collect();
    assert_eq!(firsts.len(), 3);
}

/// RFC 8445 §6.1.1: a conflict found on any transport turns the role of all, once.
#[test]
fn a_conflict_is_one_of_the_connection() {
    for_each_seed(60, |seed| {
        for role in [Role::Controlling, Role::Controlled] {
            let mut sim = sim::many(seed, [Config::default(), Config::default()], 2);
            sim.wire.delay = ms(seed % 40);
            sim.set_role(0, role);
            sim.set_role(1, role);
            sim.connect();
            sim.run_until(secs(10), all_completed);
            assert_ne!(sim.ends[0].set.role(), sim.ends[1].set.role());
            for at in [0, 1] {
                let [one, two] = [0, 1].map(|side| {
                    let agent = &sim.ends[side].transports[at].agent;
                    agent.selected_pair().map(|pair| pair.path)
                });
                assert_eq!(
                    one.map(|path| (path.local, path.remote)),
                    two.map(|path| (path.remote, path.local)),
                    "seed {seed}"
                );
            }
        }
    });
}

/// A restart of all transports while all are in use.
#[test]
fn all_transports_restart() {
    let mut sim = sim::many(3, [Config::default(), Config::default()], 3);
    sim.connect();
    sim.run_until(secs(5), all_completed);
    sim.renew(0);
    sim.tell_credentials(0);
    sim.renew(1);
    sim.tell_credentials(1);
    sim.run(secs(5));
    assert!(all_completed(&mut sim));
}

/// RFC 8445 §7.1: one tie-breaker for all of them; with two, a conflict of one could turn the role that another has just won.
#[test]
fn all_transports_have_one_tie_breaker() {
    let mut sim = sim::many(4, [Config::default(), Config::default()], 3);
    sim.connect();
    sim.run_until(secs(5), all_completed);
    for side in [0, 1] {
        let requests = sim.requests(side);
        let from: BTreeSet<_> = requests.iter().map(|it| it.route.local).collect();
        assert_eq!(from.len(), 3);
        let tie_breakers = requests.iter().map(|sent| {
            let request = Message::parse(&sent.datagram).unwrap();
            request.ice_controlling().or(request.ice_controlled())
        });
        assert_eq!(tie_breakers.collect::<BTreeSet<_>>().len(), 1);
    }
}
