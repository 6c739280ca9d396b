//! Nodes, links and NATs of a network in simulated time.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its network has failed"
)]

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use oxirtc_netsim::{
    Delivery, Duplex, Link, Loss, Nat, NatId, NatKind, Network, NodeId, epoch, for_each_seed, ms,
    percent, secs,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Sends one datagram and returns what arrives of it.
fn one(network: &mut Network, now: Instant, from: SocketAddr, to: SocketAddr) -> Option<Delivery> {
    network.send(now, from, to, vec![1, 2, 3]);
    let at = network.poll_timeout()?;
    let delivery = network.receive(at);
    assert_eq!(network.poll_timeout(), None);
    delivery
}

fn drained(network: &mut Network) -> Vec<(Duration, Delivery)> {
    let mut all = Vec::new();
    while let Some(now) = network.poll_timeout() {
        while let Some(delivery) = network.receive(now) {
            all.push((now - epoch(), delivery));
        }
    }
    all
}

/// Two NATs with a node behind each, and a public node.
struct Homes {
    network: Network,
    left_nat: NatId,
    left: SocketAddr,
    right: SocketAddr,
    server: SocketAddr,
    server_node: NodeId,
}

impl Homes {
    fn new(left: NatKind, right: NatKind) -> Self {
        let mut network = Network::new(1).default_link(Link::new(0).delay(ms(10)));
        let left_nat = network.add_nat(Nat::new(left, [203, 0, 113, 1].into()));
        let right_nat = network.add_nat(Nat::new(right, [203, 0, 113, 2].into()));
        network.add_node_behind(left_nat, &[ip("10.0.0.2")]);
        network.add_node_behind(right_nat, &[ip("192.168.1.2")]);
        let server_node = network.add_node(&[ip("192.0.2.1")]);
        Self {
            network,
            left_nat,
            left: at("10.0.0.2:5000"),
            right: at("192.168.1.2:6000"),
            server: at("192.0.2.1:3478"),
            server_node,
        }
    }

    /// The public address of a node, as the server sees it.
    fn learnt(&mut self, inside: SocketAddr) -> SocketAddr {
        let delivery = one(&mut self.network, epoch(), inside, self.server).unwrap();
        assert_eq!(delivery.node, self.server_node);
        delivery.from
    }

    /// Both send to the other's learnt address, twice, answering to what they see: whether anything gets through.
    fn punched(&mut self) -> bool {
        let (left, right) = (self.left, self.right);
        let mut to_right = self.learnt(right);
        let mut to_left = self.learnt(left);
        let mut through = false;
        for round in 0..3 {
            let now = epoch() + secs(1 + round);
            self.network.send(now, left, to_right, vec![1]);
            self.network.send(now, right, to_left, vec![2]);
            for (_, delivery) in drained(&mut self.network) {
                through = true;
                if delivery.to == left {
                    to_right = delivery.from;
                } else {
                    to_left = delivery.from;
                }
            }
        }
        through
    }
}

#[test]
fn public_nodes_reach_each_other_over_both_families() {
    let mut network = Network::new(3);
    let a = network.add_node(&[ip("192.0.2.1"), ip("2001:db8::1")]);
    let b = network.add_node(&[ip("192.0.2.2"), ip("2001:db8::2")]);
    assert_eq!(network.addresses(a), [ip("192.0.2.1"), ip("2001:db8::1")]);
    for (from, to) in [
        ("192.0.2.1:1", "192.0.2.2:2"),
        ("[2001:db8::1]:1", "[2001:db8::2]:2"),
    ] {
        let delivery = one(&mut network, epoch(), at(from), at(to)).unwrap();
        assert_eq!(delivery.node, b);
        assert_eq!((delivery.from, delivery.to), (at(from), at(to)));
        assert_eq!(delivery.datagram, [1, 2, 3]);
    }
    for (from, to) in [
        ("192.0.2.1:1", "[2001:db8::2]:2"),
        ("192.0.2.1:1", "192.0.2.99:2"),
        ("192.0.2.99:1", "192.0.2.1:2"),
    ] {
        assert_eq!(one(&mut network, epoch(), at(from), at(to)), None);
    }
    let stats = network.stats();
    assert_eq!((stats.sent, stats.delivered, stats.unreachable), (5, 2, 3));
}

#[test]
fn links_have_their_own_conditions() {
    let mut network = Network::new(3).default_link(Link::new(0).delay(ms(1)));
    let a = network.add_node(&[ip("192.0.2.1")]);
    let b = network.add_node(&[ip("192.0.2.2")]);
    network.add_node(&[ip("192.0.2.3")]);
    let slow = Duplex::asymmetric(Link::new(1).delay(ms(70)), Link::new(2).delay(ms(30)));
    network.connect(a, b, slow);
    for (number, (from, to)) in [("1", "2"), ("2", "1"), ("1", "3"), ("3", "2")]
        .iter()
        .enumerate()
    {
        let (from, to) = (format!("192.0.2.{from}:9"), format!("192.0.2.{to}:9"));
        network.send(epoch(), at(&from), at(&to), vec![number as u8]);
    }
    let order: Vec<_> = drained(&mut network)
        .into_iter()
        .map(|(after, delivery)| (after, delivery.datagram[0]))
        .collect();
    assert_eq!(order, [(ms(1), 2), (ms(1), 3), (ms(30), 1), (ms(70), 0)]);

    network.link_mut(a, b).set_up(false);
    assert_eq!(
        one(&mut network, epoch(), at("192.0.2.1:9"), at("192.0.2.2:9")),
        None
    );
    assert_eq!(network.stats().lost, 1);
}

#[test]
fn a_seed_is_a_course_of_events() {
    let course = |seed| {
        let link = Link::new(0)
            .delay(ms(20))
            .jitter(ms(20))
            .loss(Loss::bursts(percent(10), 2.0))
            .duplicate(percent(10))
            .reorder(percent(10), ms(10));
        let mut network = Network::new(seed).default_link(link);
        for last in 1..=3 {
            network.add_node(&[[192, 0, 2, last].into()]);
        }
        for number in 0..300u32 {
            let from = SocketAddr::new([192, 0, 2, (number % 3) as u8 + 1].into(), 7);
            let to = SocketAddr::new([192, 0, 2, (number / 3 % 3) as u8 + 1].into(), 7);
            let now = epoch() + ms(number.into());
            network.send(now, from, to, number.to_be_bytes().to_vec());
        }
        drained(&mut network)
    };
    for_each_seed(5, |seed| {
        let events = course(seed);
        assert_eq!(events, course(seed));
        assert_ne!(events, course(seed + 1));
        assert!(events.is_sorted_by_key(|(after, _)| *after));
        assert!(events.len() > 200, "{}", events.len());
    });
}

#[test]
fn interfaces_go_down_and_up() {
    let mut network = Network::new(0).default_link(Link::new(0).delay(ms(10)));
    let a = network.add_node(&[ip("192.0.2.1")]);
    network.add_node(&[ip("192.0.2.2")]);
    let (near, far) = (at("192.0.2.1:1"), at("192.0.2.2:1"));
    network.send(epoch(), far, near, vec![1]);
    network.set_interface(near.ip(), false);
    assert!(network.addresses(a).is_empty());
    assert_eq!(one(&mut network, epoch(), near, far), None);
    assert_eq!(network.stats().interface_down, 2);
    network.add_address(a, None, ip("192.0.2.9"));
    assert!(one(&mut network, epoch(), at("192.0.2.9:1"), far).is_some());
    network.set_interface(near.ip(), true);
    assert!(one(&mut network, epoch(), near, far).is_some());
}

#[test]
fn holes_are_punched_where_they_can_be() {
    use NatKind::{AddressRestricted, FullCone, PortRestricted, Symmetric};
    let kinds = [FullCone, AddressRestricted, PortRestricted, Symmetric];
    for left in kinds {
        for right in kinds {
            // A symmetric NAT has a new port for the other side, which only one that filters by port does not let in.
            let hopeless = [
                (Symmetric, Symmetric),
                (Symmetric, PortRestricted),
                (PortRestricted, Symmetric),
            ];
            let possible = !hopeless.contains(&(left, right));
            let punched = Homes::new(left, right).punched();
            assert_eq!(punched, possible, "{left:?} and {right:?}");
        }
    }
}

#[test]
fn a_stranger_does_not_pass_a_restricted_nat() {
    let mut homes = Homes::new(NatKind::PortRestricted, NatKind::FullCone);
    let (restricted, open) = (homes.learnt(homes.left), homes.learnt(homes.right));
    homes.network.add_node(&[ip("198.51.100.7")]);
    let stranger = at("198.51.100.7:7");
    assert_eq!(one(&mut homes.network, epoch(), stranger, restricted), None);
    assert!(one(&mut homes.network, epoch(), stranger, open).is_some());
    assert_eq!(one(&mut homes.network, epoch(), stranger, homes.left), None);
    let stats = homes.network.stats();
    assert_eq!((stats.filtered, stats.unreachable), (1, 1));

    let answer = one(&mut homes.network, epoch(), homes.server, restricted);
    assert_eq!(answer.unwrap().to, homes.left);
    homes.network.forget_mappings(homes.left_nat);
    assert_eq!(
        one(&mut homes.network, epoch(), homes.server, restricted),
        None
    );
}

#[test]
fn a_mapping_made_while_a_datagram_travels_lets_it_in() {
    let mut homes = Homes::new(NatKind::PortRestricted, NatKind::FullCone);
    let to_left = homes.learnt(homes.left);
    let right = homes.learnt(homes.right);
    homes.network.send(epoch(), homes.right, to_left, vec![1]);
    homes
        .network
        .send(epoch() + ms(5), homes.left, right, vec![2]);
    assert_eq!(drained(&mut homes.network).len(), 2);
}

#[test]
fn neighbours_meet_inside_and_by_hairpin() {
    for hairpin in [false, true] {
        let mut network = Network::new(0);
        let nat = Nat::new(NatKind::PortRestricted, [203, 0, 113, 1].into()).hairpin(hairpin);
        let nat = network.add_nat(nat);
        let a = network.add_node_behind(nat, &[ip("10.0.0.2"), ip("2001:db8::2")]);
        network.add_node_behind(nat, &[ip("10.0.0.3")]);
        network.add_node(&[ip("192.0.2.1"), ip("2001:db8::1")]);
        let (one_side, other) = (at("10.0.0.2:5000"), at("10.0.0.3:6000"));
        let direct = one(&mut network, epoch(), other, one_side).unwrap();
        assert_eq!((direct.node, direct.from), (a, other));

        let server = at("192.0.2.1:3478");
        let public = one(&mut network, epoch(), one_side, server).unwrap().from;
        let public_other = one(&mut network, epoch(), other, server).unwrap().from;
        assert_eq!(one(&mut network, epoch(), other, public), None);
        let turned = one(&mut network, epoch(), one_side, public_other);
        assert_eq!(
            turned.map(|delivery| delivery.from),
            hairpin.then_some(public)
        );

        // IPv6 is not translated.
        let (inside, outside) = (at("[2001:db8::2]:1"), at("[2001:db8::1]:1"));
        assert_eq!(
            one(&mut network, epoch(), inside, outside).unwrap().from,
            inside
        );
    }
}

#[test]
fn a_nat_behind_a_nat_translates_twice() {
    let mut network = Network::new(0);
    let carrier = network.add_nat(Nat::new(NatKind::PortRestricted, [203, 0, 113, 1].into()));
    let home = Nat::new(NatKind::FullCone, [100, 64, 0, 2].into()).behind(carrier);
    let home = network.add_nat(home);
    network.add_node_behind(home, &[ip("192.168.1.2")]);
    network.add_node_behind(carrier, &[ip("100.64.0.3")]);
    network.add_node(&[ip("192.0.2.1")]);
    let (inside, server) = (at("192.168.1.2:5000"), at("192.0.2.1:3478"));
    let outside = one(&mut network, epoch(), inside, server).unwrap().from;
    assert_eq!(outside.ip(), ip("203.0.113.1"));
    assert_eq!(
        one(&mut network, epoch(), server, outside).unwrap().to,
        inside
    );

    let neighbour = at("100.64.0.3:1");
    let seen = one(&mut network, epoch(), inside, neighbour).unwrap().from;
    assert_eq!(seen.ip(), ip("100.64.0.2"));
    assert_eq!(
        one(&mut network, epoch(), neighbour, seen).unwrap().to,
        inside
    );
}

#[test]
#[should_panic = "is taken"]
fn addresses_are_unique() {
    let mut network = Network::new(0);
    network.add_node(&[ip("192.0.2.1")]);
    network.add_node(&[ip("192.0.2.1")]);
}

#[test]
fn what_is_sent_is_captured() {
    let mut homes = Homes::new(NatKind::FullCone, NatKind::FullCone);
    let (reader, writer) = std::io::pipe().unwrap();
    homes.network.capture(writer).unwrap();
    homes.learnt(homes.left);
    homes.network.finish_capture().unwrap();
    homes.learnt(homes.left);
    let mut file = Vec::new();
    std::io::Read::read_to_end(&mut { reader }, &mut file).unwrap();
    assert_eq!(file.len(), 24 + 16 + 20 + 8 + 3);
    assert_eq!(file[24 + 16 + 12..][..4], [203, 0, 113, 1]);
}
