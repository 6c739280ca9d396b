//! Names instead of the addresses of this machine (draft-ietf-mmusic-mdns-ice-candidates).
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]
mod sim;

use oxirtc_ice::{
    Address, CandidateKind, Config, Event, GatheringState, RelayCredentials, RelayProtocol, Server,
    ServerKind, State,
};
use oxirtc_netsim::secs;
use oxirtc_stun::Method;

use crate::sim::{Sides, Sim, ip, server};

const SERVER: &str = "192.0.2.1:3478";

fn hidden(seed: u64) -> Sim {
    let config = || Config::default().hide_addresses(true);
    let mut sim = sim::with(seed, [config(), config()]);
    let mut server = server::Server::new();
    server.sees.insert(ip("10.0.0.1"), ip("203.0.113.1"));
    sim.wire.servers.push((SERVER.parse().unwrap(), server));
    let kinds = [
        ServerKind::Stun,
        ServerKind::Turn {
            protocol: RelayProtocol::Udp,
            credentials: RelayCredentials::LongTerm {
                username: "alice".into(),
                password: String::from("secret").into(),
            },
        },
        // Its refusal names the address that it was asked from.
        ServerKind::Turn {
            protocol: RelayProtocol::Udp,
            credentials: RelayCredentials::LongTerm {
                username: "alice".into(),
                password: String::from("other").into(),
            },
        },
    ];
    let server = |kind| Server {
        url: "server".into(),
        host: Address::Ip(ip("192.0.2.1")),
        port: 3478,
        kind,
    };
    let servers = kinds.into_iter().map(server).collect();
    sim.ends[0].agent.set_servers(servers);
    sim
}

/// Nothing that an application sees, and so may pass on, has an address of ours in it.
/// Known failure 45.
#[test]
fn no_address_of_this_machine_is_shown() {
    let mut sim = hidden(1);
    sim.connect();
    sim.run(secs(10));
    let peer = &sim.ends[0];
    let kinds: Vec<_> = peer.gathered.iter().map(|it| it.kind).collect();
    for kind in [
        CandidateKind::Host,
        CandidateKind::ServerReflexive,
        CandidateKind::Relayed,
    ] {
        assert!(kinds.contains(&kind), "{kind:?} is not among {kinds:?}");
    }
    let host = Address::Name("name1.local".into());
    assert!(peer.gathered.iter().any(|it| it.address == host));
    let pair = peer.agent.selected_pair().unwrap();
    assert_eq!(pair.local.address, host);
    let pairs: Vec<_> = peer.agent.pairs().map(|it| it.pair.local).collect();
    let errors: Vec<_> = peer
        .events
        .iter()
        .filter(|it| matches!(it, Event::CandidateError { .. }))
        .collect();
    assert!(!errors.is_empty());
    let all: Vec<_> = peer.agent.local_candidates().collect();
    let shown = format!(
        "{:?} {:?} {all:?} {pairs:?} {errors:?}",
        peer.gathered, pair.local
    );
    assert!(!shown.contains("10.0.0.1"), "{shown}");
}

/// A server that refuses is told without the address that it was asked from.
#[test]
fn errors_name_no_address() {
    let mut sim = hidden(4);
    sim.wire.servers[0].1.refuse = Some((Method::BINDING, 420));
    sim.connect();
    sim.run(secs(10));
    let events = sim.ends[0].events.iter();
    let errors = events.filter_map(|event| match event {
        Event::CandidateError { code, from, .. } => Some((*code, *from)),
        _ => None,
    });
    let errors: Vec<_> = errors.collect();
    assert!(errors.contains(&(420, None)), "{errors:?}");
}

/// Both find each other by the names, and a restart has the same ones.
#[test]
fn names_lead_to_each_other() {
    let mut sim = hidden(2);
    sim.connect();
    sim.run(secs(10));
    assert!(sim.both_are(State::Completed), "{:?}", sim.states());
    let published = |sim: &Sim| sim.ends.each_ref().map(|it| it.published.clone());
    assert_eq!(published(&sim), [[ip("10.0.0.1")], [ip("10.0.0.2")]]);
    for side in [0, 1] {
        sim.renew(side);
    }
    sim.exchange();
    sim.run(secs(10));
    assert!(sim.both_are(State::Completed), "{:?}", sim.states());
    assert_eq!(published(&sim), [[ip("10.0.0.1")], [ip("10.0.0.2")]]);
    let hosts = sim.ends[0].gathered.iter();
    let hosts = hosts.filter(|it| it.kind == CandidateKind::Host);
    let names: Vec<_> = hosts.map(|it| it.address.clone()).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0], names[1]);
}

/// An address that nobody gives a name is not used, and gathering ends all the same.
#[test]
fn what_has_no_name_is_not_used() {
    let mut sim = hidden(3);
    sim.both(|it| it.nameless = true);
    sim.ends[0].agent.set_servers(Vec::new());
    sim.connect();
    sim.run(secs(10));
    let peer = &sim.ends[0];
    assert!(peer.gathered.is_empty());
    assert_eq!(peer.agent.gathering_state(), GatheringState::Complete);
    assert_eq!(peer.closed.len(), 1);
    assert_eq!(sim.sent_by(0).count(), 0);
}
