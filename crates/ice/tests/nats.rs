//! Two agents behind NATs of all kinds, and a server that tells and relays.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]
mod sim;

use std::net::Ipv4Addr;

use oxirtc_ice::{
    Address, CandidateKind, Config, IpHandling, RelayCredentials, RelayProtocol, Server, ServerKind,
};
use oxirtc_netsim::{Link, Nat, NatKind, Network, ms, secs};

use crate::sim::{Sides, Sim, ip, server};

/// What stands before an end; `None` is nothing.
type Kind = Option<NatKind>;

const KINDS: [Kind; 5] = [
    None,
    Some(NatKind::FullCone),
    Some(NatKind::AddressRestricted),
    Some(NatKind::PortRestricted),
    Some(NatKind::Symmetric),
];

/// Two agents in this network, with a server on the outside.
fn between(seed: u64, mut network: Network, config: &Config) -> Sim {
    network.add_node(&[ip("192.0.2.1"), ip("198.51.100.1")]);
    let mut sim = sim::with(seed, [config.clone(), config.clone()]);
    sim.wire.network = Some(network);
    let address = "192.0.2.1:3478".parse().unwrap();
    sim.wire.servers.push((address, server::Server::new()));
    let server = Server {
        url: "turn:192.0.2.1".into(),
        host: Address::Ip(address.ip()),
        port: address.port(),
        kind: ServerKind::Turn {
            protocol: RelayProtocol::Udp,
            credentials: RelayCredentials::LongTerm {
                username: "alice".into(),
                password: String::from("secret").into(),
            },
        },
    };
    for side in [0, 1] {
        sim.ends[side].agent.set_servers(vec![server.clone()]);
    }
    sim
}

/// Whether they came together by the relay, with bytes both ways.
fn is_relayed(sim: &mut Sim) -> bool {
    sim.connect();
    sim.run_until(secs(10), |sim| sim.has_consent(0) && sim.has_consent(1));
    sim.run(secs(10));
    for from in [0, 1] {
        sim.send_payload(from, &[22, 1, 2, 3]);
    }
    sim.run(secs(1));
    for side in [0, 1] {
        assert_eq!(sim.ends[side].received, [[22, 1, 2, 3]]);
    }
    let pair = sim.ends[0].agent.selected_pair().unwrap();
    [pair.local.kind, pair.remote.kind].contains(&CandidateKind::Relayed)
}

/// RFC 4787 §4, §5: a port that depends on who is asked and a door that only opens for a port that was asked do not come together;
/// whatever else there is does.
#[test]
fn each_pair_of_kinds_connects_by_what_is_possible() {
    let mut seed = 0;
    for left in KINDS {
        for right in KINDS {
            seed += 1;
            let link = Link::new(seed).delay(ms(10));
            let mut network = Network::new(seed).default_link(link);
            for (kind, n) in [(left, 1), (right, 2)] {
                let inside = [ip(&format!("10.0.0.{n}"))];
                match kind {
                    Some(kind) => {
                        let nat = Nat::new(kind, Ipv4Addr::new(203, 0, 113, n));
                        let nat = network.add_nat(nat);
                        network.add_node_behind(nat, &inside);
                    }
                    None => drop(network.add_node(&inside)),
                }
            }
            let mut sim = between(seed, network, &Config::default());
            let closed = [Some(NatKind::Symmetric), Some(NatKind::PortRestricted)];
            let symmetric = [left, right].contains(&closed[0]);
            let expected = symmetric && closed.contains(&left) && closed.contains(&right);
            let relayed = is_relayed(&mut sim);
            assert_eq!(relayed, expected, "{left:?} and {right:?}");
        }
    }
}

/// RFC 4787 §6: two behind one NAT that tell no address of theirs meet at its public one, where it hairpins.
#[test]
fn one_nat_lets_two_meet_where_it_hairpins() {
    for hairpin in [true, false] {
        let mut network = Network::new(7).default_link(Link::new(7).delay(ms(10)));
        let nat = Nat::new(NatKind::PortRestricted, Ipv4Addr::new(203, 0, 113, 1));
        let nat = network.add_nat(nat.hairpin(hairpin));
        for n in [1, 2] {
            network.add_node_behind(nat, &[ip(&format!("10.0.0.{n}"))]);
        }
        let config = Config::default().ip_handling(IpHandling::DefaultRouteOnly);
        let mut sim = between(7, network, &config);
        assert_eq!(is_relayed(&mut sim), !hairpin, "{hairpin}");
    }
}
