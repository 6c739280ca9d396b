//! Random sequences of everything that can happen to an agent (known failure 23).

mod sim;

use std::net::SocketAddr;

use oxirtc_ice::{Address, Candidate, CandidateKind, Path, Protocol, Role};
use oxirtc_netsim::{End, for_each_seed, ms};

use crate::sim::{Sides, Sim, ip};

fn any_candidate(value: u64) -> Candidate {
    let [a, b, c, d, ..] = value.to_be_bytes();
    Candidate {
        foundation: (a % 5).to_string(),
        component: 1 + u16::from(b.is_multiple_of(16)),
        protocol: if b % 16 == 1 {
            Protocol::Tcp
        } else {
            Protocol::Udp
        },
        tcp_type: None,
        priority: u32::from_be_bytes([a, b, c, d]),
        address: match c % 4 {
            0 => Address::Ip(ip(&format!("10.0.0.{}", 1 + d % 2))),
            1 => Address::Ip(ip(&format!("10.9.8.{d}"))),
            2 => Address::Ip(ip("fe80::1")),
            _ => Address::Name(format!("{d}.local")),
        },
        port: 1000 * u16::from(1 + d % 2) + u16::from(a % 4),
        kind: CandidateKind::Host,
        related: None,
        network_cost: 0,
    }
}

fn step(sim: &mut Sim, value: u64) {
    let side = usize::from(value & 1 == 1);
    let some = value >> 16;
    match (value >> 1) % 32 {
        0 if some.is_multiple_of(20) => sim.renew(side),
        1 if some.is_multiple_of(4) => {
            sim.tell_credentials(side);
        }
        2 => sim.gather(side),
        3 => {
            let own = ip(&format!("10.0.0.{}", side + 1));
            sim.wire.addresses[side] = match some % 16 {
                0 => vec![],
                1 => vec![ip("fe80::1")],
                2..9 => vec![own, ip("fe80::1")],
                _ => vec![own],
            };
        }
        4..=6 => {
            let candidate = any_candidate(sim.wire.random());
            sim.candidate(side, candidate);
        }
        7 => sim.end_of_candidates(side),
        8 if some.is_multiple_of(8) => sim.set_role(side, Role::Controlling),
        9 if some.is_multiple_of(8) => sim.set_role(side, Role::Controlled),
        10 => sim.wire.up[side] = !some.is_multiple_of(4),
        11 => {
            // Something that passed before, again, as it was or broken, from here or there.
            let count = sim.sent().len();
            let at = usize::try_from(some).unwrap_or(0) % count.max(1);
            if let Some(old) = sim.sent().get(at) {
                let (from, mut path, mut bytes) = (old.from, old.route, old.datagram.clone());
                let spot = usize::try_from(some >> 20).unwrap_or(0) % bytes.len();
                if some.is_multiple_of(3) {
                    bytes[spot] ^= 1 << (some % 8);
                }
                if some.is_multiple_of(5) {
                    path.local = SocketAddr::new(ip("10.7.7.7"), 7);
                }
                sim.carry(sim::number(from), path, bytes);
            }
        }
        12 => {
            let first = sim.ends[side].gathered.first();
            if let Some(local) = first.and_then(Candidate::socket_address) {
                let path = Path::udp(local, SocketAddr::new(ip("10.3.3.3"), 3));
                sim.deliver(End::BOTH[side], path, some.to_be_bytes().to_vec());
            }
        }
        14 if some.is_multiple_of(4) => {
            for side in [0, 1] {
                sim.renew(side);
                sim.gather(side);
            }
            for side in [0, 1] {
                sim.tell_credentials(side);
            }
        }
        13 if some.is_multiple_of(4) => sim.tell_interfaces(side),
        _ => {
            sim.run(ms(some % 400));
        }
    }
    sim.settle();
    for peer in &mut sim.ends {
        assert!(peer.agent.pairs().count() <= 100);
        assert!(
            peer.transports[0]
                .agent
                .selected_pair()
                .is_none_or(|it| it.path.remote.port() > 0)
        );
        peer.events.clear();
        peer.received.clear();
        peer.gathered.truncate(20);
    }
    let excess = sim.sent().len().saturating_sub(200);
    sim.sent
        .iter_mut()
        .for_each(|sent| drop(sent.drain(..excess)));
}

/// A hundred thousand steps: no panic, polling ends, no timer stands in the past.
#[test]
fn nothing_upsets_the_agents() {
    let (mut runs, mut sent) = (0, 0);
    for_each_seed(100, |seed| {
        let mut sim = sim::new(1 + seed);
        sim.both(|it| it.trickle = seed.is_multiple_of(2));
        if !seed.is_multiple_of(4) {
            sim.connect().run(ms(200));
        }
        for _ in 0..1000 {
            let value = sim.wire.random();
            step(&mut sim, value);
        }
        sent += sim.ends[0].agent.stats().responses_received;
        sim.close(0);
        sim.run(ms(100_000));
        runs += 1;
    });
    // One seed alone may be of two that never meet.
    assert!(runs == 1 || sent > 500, "they did talk: {sent}");
}
