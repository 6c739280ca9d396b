//! The modes of RFC 8828 §5.2: how much of this machine's addresses is used and told.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]
mod sim;

use std::{collections::BTreeSet, net::IpAddr};

use oxirtc_ice::{
    Address, CandidateKind, Config, Event, IpHandling, Protocol, RelayCredentials, RelayProtocol,
    Server, ServerKind, State, TransportPolicy,
};
use oxirtc_netsim::secs;
use oxirtc_stun::Method;

use crate::sim::{Sides, Sim, ip, server};

const STUN: &str = "192.0.2.1:3478";
/// What its NAT makes of the first address.
const OUTSIDE: &str = "203.0.113.1";

fn turn(protocol: RelayProtocol) -> ServerKind {
    ServerKind::Turn {
        protocol,
        credentials: RelayCredentials::LongTerm {
            username: "alice".into(),
            password: String::from("secret").into(),
        },
    }
}

fn server_of(kind: ServerKind) -> Server {
    Server {
        url: format!("{kind:?}"),
        host: Address::Ip(ip("192.0.2.1")),
        port: 3478,
        kind,
    }
}

/// The first peer has two addresses on its first interface, which the default route leaves by, from the first of them, and one
/// on a second interface; and it has servers of every kind.
fn with(seed: u64, config: Config) -> Sim {
    let mut sim = sim::with(seed, [config, Config::default()]);
    let mut server = server::Server::new();
    server.sees.insert(ip("10.0.0.1"), ip(OUTSIDE));
    sim.wire.servers.push((STUN.parse().unwrap(), server));
    let more = [ip("10.0.0.9"), ip("10.0.1.1")];
    sim.wire.addresses[0].extend(more);
    let peer = &mut sim.ends[0];
    peer.detours.extend(more);
    peer.links.insert(more[1], 2);
    let kinds = [
        ServerKind::Stun,
        turn(RelayProtocol::Udp),
        turn(RelayProtocol::Tcp),
    ];
    let servers = kinds.into_iter().map(server_of).collect();
    sim.ends[0].agent.set_servers(servers);
    sim
}

fn hosts(sim: &Sim) -> BTreeSet<IpAddr> {
    let hosts = sim.ends[0].gathered.iter();
    let hosts = hosts.filter(|it| it.kind == CandidateKind::Host);
    hosts.map(|it| it.socket_address().unwrap().ip()).collect()
}

/// From where the first peer has sent anything at all.
fn sources(sim: &Sim) -> BTreeSet<(IpAddr, Protocol)> {
    let sent = sim.sent_by(0);
    sent.map(|it| (it.route.local.ip(), it.route.protocol))
        .collect()
}

/// Modes 1 and 2: all interfaces; those of the default route, with what else they have.
#[test]
fn addresses_are_those_of_the_mode() {
    let of = |addresses: &[&str]| addresses.iter().map(|it| ip(it)).collect::<BTreeSet<_>>();
    for (mode, expected) in [
        (
            IpHandling::EnumerateAll,
            of(&["10.0.0.1", "10.0.0.9", "10.0.1.1"]),
        ),
        (
            IpHandling::DefaultRouteAndLocal,
            of(&["10.0.0.1", "10.0.0.9"]),
        ),
    ] {
        let config = match mode {
            IpHandling::EnumerateAll => Config::default(),
            _ => Config::default().ip_handling(mode),
        };
        let mut sim = with(1, config);
        sim.connect();
        sim.run(secs(20));
        assert!(sim.both_are(State::Completed), "{:?}", sim.states());
        assert_eq!(hosts(&sim), expected, "{mode:?}");
        let from: BTreeSet<_> = sources(&sim).into_iter().map(|(ip, _)| ip).collect();
        assert_eq!(from, expected, "{mode:?}");
    }
}

/// Everything that an application sees of the first peer, and so may pass on.
fn seen(sim: &Sim) -> String {
    let peer = &sim.ends[0];
    let pair = peer.agent.selected_pair();
    let told = pair.filter(|it| it.local_told).map(|it| &it.local);
    let shown = peer.events.iter().filter(|it| {
        matches!(
            it,
            Event::CandidateGathered { .. } | Event::CandidateError { .. }
        )
    });
    format!(
        "{:?} {told:?} {:?}",
        peer.gathered,
        shown.collect::<Vec<_>>()
    )
}

/// Mode 3: nothing but what servers see of the default route is told, and nothing is sent from elsewhere. It connects all the same.
#[test]
fn a_default_route_shows_what_servers_see_of_it() {
    let config = Config::default().ip_handling(IpHandling::DefaultRouteOnly);
    let mut sim = with(2, config.tcp(true));
    // Its refusal names the address that it was asked from, where that may be seen.
    let refusing = ServerKind::Turn {
        protocol: RelayProtocol::Udp,
        credentials: RelayCredentials::LongTerm {
            username: "alice".into(),
            password: String::from("wrong").into(),
        },
    };
    let mut refusing = server_of(refusing);
    refusing.url = "refusing".into();
    let kinds = [ServerKind::Stun, turn(RelayProtocol::Udp)];
    let servers = kinds.into_iter().map(server_of).chain([refusing]);
    sim.ends[0].agent.set_servers(servers.collect());
    sim.connect();
    sim.run(secs(20));
    assert!(sim.both_are(State::Completed), "{:?}", sim.states());
    assert_eq!(hosts(&sim), BTreeSet::new());
    let kinds: BTreeSet<_> = sim.ends[0]
        .gathered
        .iter()
        .map(|it| format!("{:?}", it.kind))
        .collect();
    assert_eq!(kinds.len(), 2, "{kinds:?}");
    let shown = seen(&sim);
    assert!(shown.contains(OUTSIDE));
    assert!(shown.contains("code: 401"), "{shown}");
    assert!(!shown.contains("10.0."), "{shown}");
    let sources = sources(&sim);
    assert!(sources.iter().all(|(from, _)| *from == ip("10.0.0.1")));
    let pair = sim.ends[0].agent.selected_pair().unwrap();
    assert!(!pair.local_told, "it is a base that was not told");
}

/// Without a NAT the address that servers see is the base: it is told, as theirs, and as the pair's.
#[test]
fn an_address_without_a_nat_is_told_as_servers_see_it() {
    let config = Config::default().ip_handling(IpHandling::DefaultRouteOnly);
    let mut sim = with(3, config);
    sim.wire.servers[0].1.sees.clear();
    sim.ends[0]
        .agent
        .set_servers(vec![server_of(ServerKind::Stun)]);
    sim.connect();
    sim.run(secs(20));
    let [only] = &sim.ends[0].gathered[..] else {
        panic!("{:?}", sim.ends[0].gathered);
    };
    assert_eq!(only.kind, CandidateKind::ServerReflexive);
    assert_eq!(only.address, Address::Ip(ip("10.0.0.1")));
    assert_eq!(only.related, Some("0.0.0.0:0".parse().unwrap()));
    assert!(sim.both_are(State::Completed), "{:?}", sim.states());
    let pair = sim.ends[0].agent.selected_pair().unwrap();
    assert!(pair.local_told, "{:?}", pair.local);
}

/// What stands for an address outside is told in mode 3: it was said for that.
#[test]
fn an_external_address_is_told() {
    let config = Config::default().ip_handling(IpHandling::DefaultRouteOnly);
    let config = config.external_address(None, "203.0.113.7:0".parse().unwrap());
    let mut sim = with(4, config);
    sim.connect();
    sim.run(secs(1));
    assert_eq!(hosts(&sim), BTreeSet::from([ip("203.0.113.7")]));
    assert!(!seen(&sim).contains("10.0."));
}

/// No name is published for addresses of which none is told.
#[test]
fn what_is_not_told_has_no_name() {
    let config = Config::default().hide_addresses(true);
    let mut sim = with(5, config.ip_handling(IpHandling::DefaultRouteOnly));
    sim.connect();
    sim.run(secs(1));
    assert!(sim.ends.iter().all(|it| it.published.is_empty()));
    assert!(sim.has_consent(0));
}

/// Mode 4: nothing leaves but over streams to a relay, whatever policy is asked for, and no name of the peer is asked for.
#[test]
fn a_proxy_is_all_that_is_used() {
    let config = Config::default().ip_handling(IpHandling::ForceProxy);
    let mut sim = with(6, config.tcp(true));
    sim.ends[0].agent.set_transport_policy(TransportPolicy::All);
    let servers = [
        ServerKind::Stun,
        turn(RelayProtocol::Udp),
        turn(RelayProtocol::Tcp),
    ];
    let servers = servers.into_iter().map(server_of).collect();
    sim.ends[0].agent.set_servers(servers);
    sim.name("peer.local", ip("10.0.0.2"));
    sim.connect();
    let gathered = sim.ends[1].gathered[0].clone();
    let named = oxirtc_ice::Candidate {
        address: Address::Name("peer.local".into()),
        port: 4000,
        ..gathered
    };
    sim.candidate(0, named);
    sim.run(secs(20));
    let kinds: Vec<_> = sim.ends[0].gathered.iter().map(|it| it.kind).collect();
    assert!(!kinds.is_empty() && kinds.iter().all(|it| *it == CandidateKind::Relayed));
    assert!(!seen(&sim).contains("10.0."), "{}", seen(&sim));
    assert_eq!(
        sources(&sim),
        BTreeSet::from([(ip("10.0.0.1"), Protocol::Tcp)])
    );
    assert!(!sim.asked().contains(&"peer.local"));
    assert!(sim.both_are(State::Completed), "{:?}", sim.states());
}

/// W3C §4.8.3 shows where a server was asked from, when a candidate has shown that already: in mode 3 none has.
#[test]
fn an_error_does_not_say_where_it_was_asked_from() {
    for mode in [IpHandling::EnumerateAll, IpHandling::DefaultRouteOnly] {
        let mut sim = with(7, Config::default().ip_handling(mode));
        sim.wire.servers[0].1.refuse = Some((Method::BINDING, 420));
        sim.ends[0]
            .agent
            .set_servers(vec![server_of(ServerKind::Stun)]);
        sim.connect();
        sim.run(secs(2));
        let from = sim.ends[0].events.iter().find_map(|event| match event {
            Event::CandidateError { from, .. } => Some(from.is_some()),
            _ => None,
        });
        assert_eq!(from, Some(mode == IpHandling::EnumerateAll));
    }
}
