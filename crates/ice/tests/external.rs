//! What the peer is told in the place of addresses that it does not reach: behind a NAT that maps each to one, and of a container.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]
mod sim;

use std::net::SocketAddr;

use oxirtc_ice::{Address, Candidate, CandidateKind, Config, Event, Server, ServerKind, State};
use oxirtc_netsim::secs;

use crate::sim::{Sides, Sim, ip, server};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn shown(candidates: &[Candidate]) -> Vec<SocketAddr> {
    let shown = candidates.iter().map(|it| match it.address {
        Address::Ip(ip) => SocketAddr::new(ip, it.port),
        Address::Name(_) => panic!("a name"),
    });
    shown.collect()
}

/// The peer is told the external address and no other, whether or not its port is another one, and names are hidden; both ends
/// show the candidate that was told.
#[test]
fn an_address_is_told_as_the_outside_knows_it() {
    for (internal, external, hides) in [
        (None, "203.0.113.1:0", false),
        (Some(ip("10.0.0.1")), "203.0.113.1:6000", false),
        (None, "203.0.113.1:6000", true),
    ] {
        let external = at(external);
        let config = Config::default()
            .external_address(internal, external)
            .hide_addresses(hides);
        let mut sim = sim::with(1, [config, Config::default()]);
        let bound = at("10.0.0.1:1001");
        let port = if external.port() == 0 { 1001 } else { 6000 };
        let outside = SocketAddr::new(external.ip(), port);
        sim.wire.mapped = Some((bound, outside));
        // What it is told is all that the peer has: nothing comes before it asks.
        sim.wire.up[0] = false;
        sim.connect();
        assert_eq!(shown(&sim.ends[0].gathered), [outside]);
        assert!(sim.ends.iter().all(|it| it.published.is_empty()));
        let asked = |sim: &Sim| sim.requests(1).iter().any(|it| it.route.remote == outside);
        sim.run_until(secs(1), |sim| asked(sim));
        sim.wire.up[0] = true;
        sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
        let pair = sim.ends[1].agent.selected_pair().unwrap();
        assert_eq!(pair.remote.kind, CandidateKind::Host);
        assert!(pair.remote_told);
        assert_eq!(pair.path.remote, outside);
        let pair = sim.ends[0].agent.selected_pair().unwrap();
        assert!(
            pair.local_told,
            "no second candidate for what the peer sees"
        );
        assert_eq!(shown(std::slice::from_ref(&pair.local)), [outside]);
        assert_eq!(pair.path.local, bound);
    }
}

/// What is one address outside is told once, and used from both of ours.
#[test]
fn what_is_one_outside_is_told_once() {
    let config = Config::default().external_address(None, at("203.0.113.1:6000"));
    let mut sim = sim::with(2, [config, Config::default()]);
    sim.wire.addresses[0].push(ip("10.0.0.9"));
    sim.connect();
    sim.run_until(secs(5), |sim| sim.has_consent(0) && sim.has_consent(1));
    assert_eq!(shown(&sim.ends[0].gathered), [at("203.0.113.1:6000")]);
    sim.run(secs(2));
    let from: std::collections::BTreeSet<_> = sim
        .requests(0)
        .iter()
        .map(|it| it.route.local.ip())
        .collect();
    assert_eq!(from.len(), 2);
}

/// A mapping that a server sees there is the same candidate, and is not told again (RFC 8445 §5.1.3).
#[test]
fn a_mapping_that_was_told_is_no_candidate() {
    let config = Config::default().external_address(None, at("203.0.113.1:0"));
    let mut sim = sim::with(3, [config, Config::default()]);
    let mut server = server::Server::new();
    server.sees.insert(ip("10.0.0.1"), ip("203.0.113.1"));
    sim.wire.servers.push((at("192.0.2.1:3478"), server));
    sim.ends[0].agent.set_servers(vec![Server {
        url: "stun:192.0.2.1".into(),
        host: Address::Ip(ip("192.0.2.1")),
        port: 3478,
        kind: ServerKind::Stun,
    }]);
    sim.connect();
    sim.run(secs(10));
    let events = &sim.ends[0].events;
    let gathered = |it: &&Event| matches!(it, Event::CandidateGathered { .. });
    assert_eq!(events.iter().filter(gathered).count(), 1, "{events:?}");
}
