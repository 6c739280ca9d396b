//! What a hostile peer or a stranger sends.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod sim;

use oxirtc_ice::{
    Address, Candidate, CandidateKind, Credentials, PairStats, Path, Protocol, State,
};
use oxirtc_netsim::{End, ms, secs};
use oxirtc_stun::{Attribute, Builder, Class, IntegrityKey, Method, TransactionId};

use crate::sim::{Sides, Sim, ip};

fn candidate(number: u32) -> Candidate {
    Candidate {
        foundation: format!("f{number}"),
        component: 1,
        protocol: Protocol::Udp,
        tcp_type: None,
        priority: u32::MAX - number,
        address: Address::Ip(ip(&format!("10.{}.{}.7", number / 250 + 1, number % 250))),
        port: 9,
        kind: CandidateKind::Host,
        related: None,
        network_cost: 0,
    }
}

/// RFC 8445 §6.1.2.5: ten thousand candidates make at most 100 pairs, and at most one
/// check each 50 ms leaves.
#[test]
fn ten_thousand_candidates_make_a_hundred_pairs() {
    let mut sim = sim::new(1);
    sim.wire.addresses[0].push(ip("10.0.0.3"));
    sim.both(|it| it.trickle = false);
    sim.connect();
    sim.wire.up = [false, false];
    for number in 0..10_000 {
        sim.candidate(0, candidate(number));
    }
    sim.forget_sent();
    sim.run(secs(60));
    assert!(sim.ends[0].agent.pairs().count() <= 100);
    assert!(sim.ends[0].agent.remote_candidates().count() <= 1000);
    let times: Vec<_> = sim.requests(0).iter().map(|sent| sent.at).collect();
    assert!(times.len() > 100);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= ms(50)));
}

/// Hands bytes to an agent that are no payload.
fn input(sim: &mut Sim, side: usize, path: Path, bytes: &[u8]) {
    let (now, peer) = (sim.now, &mut sim.ends[side]);
    let mut sink = |_, _: &mut [u8]| panic!("that is no payload");
    let agent = &mut peer.transports[0].agent;
    agent.handle_datagram(now, &mut peer.set, path, &mut bytes.to_vec(), &mut sink);
}

/// A message on top of which the cases of the table are built.
struct Forged<'a> {
    class: Class,
    username: Option<&'a str>,
    password: &'a str,
    before: &'a [Attribute<'a>],
    sha1: bool,
    sha256: bool,
    after: &'a [Attribute<'a>],
    fingerprint: bool,
}

impl Forged<'_> {
    fn build(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let key = IntegrityKey::short_term(self.password).unwrap();
        let id = TransactionId::new([7; 12]);
        let mut builder = Builder::new(&mut bytes, self.class, Method::BINDING, id);
        if let Some(username) = self.username {
            builder.add(Attribute::Username(username));
        }
        for attribute in self.before {
            builder.add(*attribute);
        }
        if self.sha1 {
            builder.message_integrity(&key);
        }
        if self.sha256 {
            builder.message_integrity_sha256(&key);
        }
        for attribute in self.after {
            builder.add(*attribute);
        }
        if self.fingerprint {
            builder.fingerprint();
        }
        let _ = builder.finish();
        bytes
    }
}

fn pairs(sim: &Sim, side: usize) -> Vec<(Path, bool, u64)> {
    let key = |pair: PairStats| (pair.pair.path, pair.nominated, pair.priority);
    sim.ends[side].agent.pairs().map(key).collect()
}

const HIJACK: [Attribute<'static>; 3] = [
    Attribute::Priority(u32::MAX),
    Attribute::IceControlling(u64::MAX),
    Attribute::UseCandidate,
];

/// A request that is believed, and nominates.
fn genuine<'a>(username: &'a str, password: &'a str) -> Forged<'a> {
    Forged {
        class: Class::Request,
        username: Some(username),
        password,
        before: &HIJACK,
        sha1: true,
        sha256: false,
        after: &[],
        fingerprint: true,
    }
}

/// Requests that nobody is to believe, and the one that is believed.
fn forgeries(local: &Credentials, remote: &Credentials) -> (Vec<Vec<u8>>, Vec<u8>) {
    let (ours, theirs) = (local.ufrag.as_str(), remote.ufrag.as_str());
    let right = format!("{ours}:{theirs}");
    let names = [
        format!("{theirs}:{ours}"),
        ours.to_owned(),
        format!("{ours}:"),
        format!(":{theirs}"),
        format!("{ours}:{theirs}x"),
        format!("{ours}x:{theirs}"),
        String::from(":"),
        format!("{right}:"),
    ];
    let named = names
        .iter()
        .map(|name| genuine(name, &local.password).build());
    let mut cases: Vec<Vec<u8>> = named.collect();
    let changes: [fn(&mut Forged<'_>); 8] = [
        |forged| forged.username = None,
        |forged| forged.sha1 = false,
        |forged| (forged.sha1, forged.sha256) = (false, true),
        |forged| forged.before = &[],
        |forged| forged.password = "wrongwrongwrongwrongwrong",
        |forged| forged.class = Class::Indication,
        |forged| forged.class = Class::Success,
        |forged| forged.class = Class::Error,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        // Without its attributes a request is genuine: that case has the peer's password instead.
        let password = if number == 3 {
            &remote.password
        } else {
            &local.password
        };
        let mut forged = genuine(&right, password);
        change(&mut forged);
        cases.push(forged.build());
    }
    let whole = genuine(&right, &local.password).build();
    // A transaction id, a user name, the integrity, the fingerprint, the length, a cut message.
    for at in [9, 26, whole.len() - 20, whole.len() - 1, 3] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        cases.push(bytes);
    }
    cases.push(whole[..whole.len() - 8].to_vec());
    cases.push(whole[..whole.len() - 32].to_vec());
    assert!(cases.len() >= 20);
    (cases, whole)
}

/// Known failure 16: twenty ways to forge a request change no pair.
#[test]
fn forged_requests_change_no_pair() {
    let mut sim = sim::new(2);
    sim.connect().run(secs(1));
    let nominated = sim.payload_path(0).unwrap();
    let [local, remote] = [
        sim.ends[0].agent.local_credentials(),
        sim.ends[1].agent.local_credentials(),
    ]
    .map(|credentials| credentials.unwrap().clone());
    let (cases, genuine) = forgeries(&local, &remote);
    let before = pairs(&sim, 0);
    let stranger = Path::udp(nominated.local, "203.0.113.66:6666".parse().unwrap());
    for (number, bytes) in cases.into_iter().enumerate() {
        for path in [stranger, nominated] {
            input(&mut sim, 0, path, &bytes);
            assert!(
                sim.ends[0].agent.control_way().is_none(),
                "case {number} was answered"
            );
            assert_eq!(pairs(&sim, 0), before, "case {number}");
        }
    }
    assert_eq!(sim.payload_path(0), Some(nominated));
    // The table is worth something only if the genuine one does make a pair.
    input(&mut sim, 0, stranger, &genuine);
    let drops = sim.ends[0].agent.stats().drops;
    assert!(drops.malformed > 0 && drops.unauthenticated > 0 && drops.unexpected > 0);
    assert!(sim.ends[0].agent.control_way().is_some());
}

/// All that two have sent comes once more, the last first, from where it came and from elsewhere: no pair changes, then or later.
#[test]
fn what_is_replayed_changes_no_pair() {
    let mut sim = sim::new(6);
    for (side, address) in [(0, "10.0.0.3"), (1, "10.0.0.4")] {
        sim.wire.addresses[side].push(ip(address));
    }
    sim.connect().run(secs(2));
    assert!(sim.both_are(State::Completed));
    let paths = [0, 1].map(|side| sim.payload_path(side).unwrap());
    let before = [0, 1].map(|side| pairs(&sim, side));
    let sent = sim.sent().to_vec();
    sim.forget_sent();
    assert!(sent.len() > 10);
    for stranger in [false, true] {
        for sent in sent.iter().rev() {
            let from = sim::number(sent.from);
            let (mut local, mut remote) = (sent.route.remote, sent.route.local);
            if stranger {
                remote = "203.0.113.66:6666".parse().unwrap();
                local = paths[1 - from].local;
            }
            input(&mut sim, 1 - from, Path::udp(local, remote), &sent.datagram);
        }
        if !stranger {
            assert_eq!([0, 1].map(|side| pairs(&sim, side)), before);
        }
        for time in [ms(10), secs(1), secs(60)] {
            sim.run(time);
            let now = [0, 1].map(|side| sim.payload_path(side).unwrap());
            assert_eq!(now, paths, "{stranger} {time:?}");
            for (side, known) in before.iter().enumerate() {
                let mut nominated = pairs(&sim, side).into_iter().filter(|it| it.1);
                assert!(
                    nominated.all(|it| known.contains(&it)),
                    "{stranger} {time:?}"
                );
            }
        }
    }
    assert!(sim.both_are(State::Completed));
}

/// USE-CANDIDATE behind the integrity does not count.
#[test]
fn attributes_behind_the_integrity_do_not_count() {
    let mut sim = sim::new(3);
    sim.wire.addresses[0] = vec![ip("10.0.0.1")];
    sim.connect().run(secs(1));
    let local = sim.ends[1].agent.local_credentials().unwrap().clone();
    let remote = sim.ends[0].agent.local_credentials().unwrap().clone();
    let name = format!("{}:{}", local.ufrag, remote.ufrag);
    let bytes = Forged {
        class: Class::Request,
        username: Some(&name),
        password: &local.password,
        before: &[Attribute::Priority(u32::MAX), Attribute::IceControlling(1)],
        sha1: true,
        sha256: false,
        after: &[Attribute::UseCandidate],
        fingerprint: true,
    }
    .build();
    let nominated = sim.payload_path(1).unwrap();
    let elsewhere = Path::udp(nominated.local, "203.0.113.66:6666".parse().unwrap());
    input(&mut sim, 1, elsewhere, &bytes);
    sim.run(secs(1));
    assert_eq!(sim.payload_path(1), Some(nominated));
}

/// Known failure 24: every class of STUN, known and unknown transactions, in every state of the agent.
#[test]
fn every_class_in_every_state() {
    let stages: [fn(&mut Sim); 5] = [
        |_| {},
        |sim| sim.gather(0),
        |sim| {
            sim.connect();
        },
        |sim| {
            sim.connect().run(secs(1));
        },
        |sim| {
            sim.connect();
            sim.close(0);
        },
    ];
    for stage in stages {
        let mut sim = sim::new(4);
        stage(&mut sim);
        sim.settle();
        let state = sim.states()[0];
        let local = sim.ends[0]
            .gathered
            .first()
            .and_then(Candidate::socket_address);
        let local = local.unwrap_or_else(|| "10.0.0.1:1001".parse().unwrap());
        let path = Path::udp(local, "203.0.113.66:6666".parse().unwrap());
        let known = sim
            .requests(0)
            .first()
            .map(|sent| sent.datagram[8..20].to_vec());
        for kind in 0..=u8::MAX {
            for id in [known.clone(), Some(vec![3; 12])].into_iter().flatten() {
                let mut bytes = vec![kind & 1, kind, 0, 0, 0x21, 0x12, 0xa4, 0x42];
                bytes.extend(id);
                input(&mut sim, 0, path, &bytes);
            }
        }
        for length in 0..40 {
            input(&mut sim, 0, path, &vec![0; length]);
        }
        assert_eq!(sim.states()[0], state);
    }
}

/// Payload from a stranger is dropped and counted; so is STUN on a socket that is not ours.
/// Known failure 15.
#[test]
fn payload_of_strangers_is_dropped() {
    let mut sim = sim::new(5);
    sim.connect().run(secs(1));
    let before = sim.payload_path(0).unwrap();
    let local = before.local;
    let stranger = Path::udp(local, "203.0.113.66:6666".parse().unwrap());
    for first in [20_u8, 22, 63, 64, 128, 191, 255] {
        input(&mut sim, 0, stranger, &[first; 50]);
    }
    assert_eq!(sim.ends[0].agent.stats().drops.payload, 7);
    assert_eq!(sim.payload_path(0), Some(before));
    assert!(sim.both_are(State::Completed));
}

/// Who repeats one request from a thousand addresses takes no place that the peer's next address, or its next candidate, would need.
#[test]
fn a_request_from_everywhere_takes_no_place() {
    let mut sim = sim::new(9);
    sim.connect();
    sim.run_until(secs(10), |sim| sim.both_are(State::Completed));
    let request = sim.requests(0)[0];
    let (bytes, local) = (request.datagram.clone(), request.route.remote);
    for port in 1000..3100 {
        let remote = (ip("203.0.113.5"), port).into();
        sim.deliver(End::B, Path::udp(local, remote), bytes.clone());
        sim.settle();
    }
    let listed = sim.ends[1].agent.remote_candidates().count();
    assert!(listed < 300, "{listed}");
    sim.run(secs(100));
    let inside = sim.payload_path(0).unwrap().local;
    sim.wire.mapped = Some((inside, "198.51.100.9:999".parse().unwrap()));
    sim.run(secs(60));
    assert!(sim.both_are(State::Completed), "{:?}", sim.states());
    let mapped = sim.payload_path(1).unwrap().remote;
    assert_eq!(mapped, "198.51.100.9:999".parse().unwrap());
}
