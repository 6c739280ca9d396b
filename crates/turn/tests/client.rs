//! The client against a small server.

mod server;
mod sim;

use oxirtc_netsim::for_each_seed;
use oxirtc_stun::{AddressFamily, Method, PasswordAlgorithm};
use oxirtc_turn::{Client, Credentials, Error, Event, Failure, Families, Input, Leg, Relayed};

use crate::{
    server::{Server, at, ip, secs},
    sim::{SERVER, Sim, alice, config},
};

const PEER: &str = "203.0.113.9:4000";

fn allocated(mut sim: Sim) -> Sim {
    sim.flush();
    let Some(Event::Allocated(_)) = sim.events.first() else {
        panic!("{:?}", sim.events);
    };
    sim.events.clear();
    sim
}

fn failure(mut sim: Sim) -> (u16, usize) {
    sim.run(secs(60));
    let [Event::Failed(Failure { code, .. })] = &sim.events[..] else {
        panic!("{:?}", sim.events);
    };
    assert!(sim.client.is_over() && sim.client.poll_timeout().is_none());
    (*code, sim.sent)
}

/// RFC 8656 §7: the first request is refused with what the second one needs.
#[test]
fn it_allocates() {
    let mut sim = Sim::new(config(), Server::new());
    sim.flush();
    let relayed = Relayed {
        ipv4: Some(at("198.51.100.1:49153")),
        ipv6: None,
        mapped: at("192.0.2.77:5000"),
    };
    assert_eq!(sim.events, [Event::Allocated(relayed)]);
    let allocate = Method::ALLOCATE;
    assert_eq!(sim.server.requests, [(allocate, false), (allocate, true)]);
}

/// RFC 8489 §9.2.5: of the algorithms that the server lists the first one that is known, with the list as it was; and the name as a
/// hash where that is wanted.
#[test]
fn it_takes_the_first_algorithm_that_it_knows() {
    let (sha256, md5) = (PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5);
    let other = PasswordAlgorithm {
        algorithm: 77,
        parameters: &[1, 2, 3],
    };
    let lists = [
        vec![sha256, md5],
        vec![md5, sha256],
        vec![other, md5, other, sha256],
        vec![other, sha256],
        vec![md5],
    ];
    let all = lists
        .into_iter()
        .flat_map(|it| [(it.clone(), false), (it, true)]);
    for (offers, anonymous) in all {
        let server = Server {
            sha256: true,
            offers,
            anonymous,
            ..Server::new()
        };
        let mut sim = allocated(Sim::new(config(), server));
        let names = sim.server.usernames.iter().flatten().count();
        assert_eq!(names, usize::from(!anonymous));
        sim.client.permit(sim.now, ip("203.0.113.9")).unwrap();
        sim.flush();
        assert_eq!(sim.events, [Event::Permitted(ip("203.0.113.9"))]);
    }
}

/// RFC 8489 §9.2.5: who takes the algorithms out on the way is found out by the nonce.
#[test]
fn it_is_not_bidden_down() {
    let server = Server {
        stripped: true,
        ..Server::new()
    };
    let (code, sent) = failure(Sim::new(config(), server));
    assert_eq!((code, sent), (401, 1));
}

#[test]
fn a_wrong_password_is_told_once() {
    let server = Server {
        password: "other".into(),
        ..Server::new()
    };
    assert_eq!(failure(Sim::new(config(), server)), (401, 2));
}

/// RFC 7635: a token and the key in it.
#[test]
fn a_token_is_enough() {
    let key = b"the key of this session".to_vec();
    let token = Credentials::Token {
        key_id: "key 1".into(),
        mac_key: key.clone().into(),
        access_token: vec![7; 90],
    };
    let server = Server {
        mac_key: Some(key),
        ..Server::new()
    };
    let config = oxirtc_turn::Config::new(at(SERVER), Leg::Datagrams, token);
    let sim = allocated(Sim::new(config, server));
    assert_eq!(sim.server.usernames[1], Some("key 1".into()));
}

/// 438 is repeated while the nonce is another one, three times in a row at most.
#[test]
fn stale_nonces_have_an_end() {
    let server = Server {
        always_stale: true,
        ..Server::new()
    };
    assert_eq!(failure(Sim::new(config(), server)), (438, 5));
    let server = Server {
        always_stale: true,
        same_nonce: true,
        ..Server::new()
    };
    assert_eq!(failure(Sim::new(config(), server)), (438, 2));
}

#[test]
fn each_refusal_is_told() {
    for code in [400, 403, 420, 437, 440, 441, 442, 486, 500, 508] {
        let server = Server {
            refuse: Some((Method::ALLOCATE, code)),
            ..Server::new()
        };
        assert_eq!(failure(Sim::new(config(), server)), (code, 2));
    }
}

/// A server that is not there costs 9.5 s and five requests.
#[test]
fn silence_is_701() {
    let mut sim = Sim::new(config(), Server::new());
    sim.down = true;
    sim.run(secs(9));
    assert!(sim.events.is_empty());
    assert_eq!(failure(sim), (701, 5));
}

/// RFC 8489 §9.2.5: what fails integrity was never received.
#[test]
fn forged_answers_are_not_believed() {
    let server = Server {
        forges: true,
        ..Server::new()
    };
    assert_eq!(failure(Sim::new(config(), server)).0, 701);
    let mut sim = allocated(Sim::new(config(), Server::new()));
    sim.server.forges = true;
    sim.server.refuse = Some((Method::REFRESH, 437));
    sim.run(secs(570));
    assert!(sim.events.is_empty(), "a forged 437 ends nothing");
}

#[test]
fn both_families_come_in_one_allocation() {
    let mut sim = Sim::both(Server::new());
    sim.flush();
    let [Event::Allocated(relayed)] = sim.events[..] else {
        panic!("{:?}", sim.events);
    };
    assert!(relayed.ipv4.is_some() && relayed.ipv6.is_some());
    let now = sim.now;
    sim.client.permit(now, ip("2001:db8::9")).unwrap();
    sim.flush();
    assert!(sim.send("[2001:db8::9]:1", b"six").is_some());
    assert_eq!(sim.relayed, [(at("[2001:db8::9]:1"), b"six".to_vec())]);
}

/// A server that does not know the attribute, of which the owner asks another allocation, and one that says 440, which has none.
#[test]
fn a_family_may_be_missing() {
    for (refuses_ipv6, code) in [(false, None), (true, Some(440))] {
        let server = Server {
            knows_both: false,
            refuses_ipv6,
            ..Server::new()
        };
        let mut sim = Sim::both(server);
        sim.flush();
        let refused = Event::FamilyRefused(AddressFamily::Ipv6, code);
        assert_eq!(sim.events.last(), Some(&refused));
        let now = sim.now;
        assert_eq!(
            sim.client.permit(now, ip("2001:db8::9")),
            Err(Error::Family)
        );
    }
    let sim = allocated(Sim::new(config().families(Families::Ipv6), Server::new()));
    assert_eq!(
        sim.server
            .allocations
            .values()
            .next()
            .unwrap()
            .relayed
            .len(),
        1
    );
}

/// A relayed address on loopback, of another family or of no use is refused.
#[test]
fn traps_are_refused() {
    for trap in ["127.0.0.1", "0.0.0.0", "224.0.0.1", "2001:db8::5"] {
        let server = Server {
            relay: [ip(trap), ip("2001:db8::1")],
            ..Server::new()
        };
        assert_eq!(failure(Sim::new(config(), server)).0, 508, "{trap}");
    }
    let server = || Server {
        relay: [ip("127.0.0.1"), ip("::1")],
        ..Server::new()
    };
    allocated(Sim::new(config().loopback(true), server()));
}

#[test]
fn redirects_are_followed_and_end() {
    let server = |to: &[&str]| Server {
        redirect: to.iter().map(|to| at(to)).collect(),
        ..Server::new()
    };
    let mut sim = Sim::new(config(), server(&["192.0.2.2:3478", "192.0.2.3:3478"]));
    sim.flush();
    assert_eq!(sim.client.server(), at("192.0.2.3:3478"));
    assert!(matches!(sim.events.last(), Some(Event::Allocated(_))));
    for to in [SERVER, "127.0.0.1:3478", "[2001:db8::2]:3478", "0.0.0.0:1"] {
        assert_eq!(failure(Sim::new(config(), server(&[to]))).0, 300, "{to}");
    }
    // Over a stream, another one is opened first.
    let stream = oxirtc_turn::Config::new(at(SERVER), Leg::Stream, alice());
    let mut sim = Sim::new(stream, server(&["192.0.2.2:3478"]));
    sim.flush();
    assert!(matches!(sim.events[..], [Event::Redirected { .. }]));
    sim.run(secs(60));
    assert_eq!(sim.sent, 1);
    sim.client.restart(sim.now);
    sim.flush();
    assert!(matches!(sim.events.last(), Some(Event::Allocated(_))));
}

/// Payload in an indication, then in a channel, both ways; nothing without permission.
#[test]
fn payload_goes_both_ways() {
    let mut sim = allocated(Sim::new(config(), Server::new()));
    let now = sim.now;
    assert_eq!(sim.send(PEER, b"early"), None);
    sim.client.permit(now, ip("203.0.113.9")).unwrap();
    sim.flush();
    assert_eq!(sim.client.tailroom(at(PEER)), 3, "an indication is padded");
    assert_eq!(sim.send(PEER, b"hello"), Some(36 + 8));
    assert_eq!(sim.receive(PEER, b"there"), Some(b"there".to_vec()));
    sim.client.bind(now, at(PEER)).unwrap();
    assert_eq!(
        sim.send(PEER, b"hello"),
        Some(36 + 8),
        "while it is asked for"
    );
    sim.flush();
    assert_eq!(sim.events.last(), Some(&Event::ChannelBound(at(PEER))));
    assert_eq!(sim.client.tailroom(at(PEER)), 0);
    assert_eq!(sim.send(PEER, b"hello"), Some(4 + 5));
    assert_eq!(sim.receive(PEER, b"there"), Some(b"there".to_vec()));
    assert_eq!(sim.relayed, vec![(at(PEER), b"hello".to_vec()); 3]);
    // Another port of the peer is not that channel's.
    assert_eq!(sim.send("203.0.113.9:5", b"other"), Some(36 + 8));
    assert_eq!(
        sim.receive("203.0.113.9:5", b"other"),
        Some(b"other".to_vec())
    );
}

/// What the server passes on of a peer that we did not permit is dropped; so is an unknown channel.
#[test]
fn strangers_are_dropped() {
    let mut sim = allocated(Sim::new(config(), Server::new()));
    let allocation = sim.server.allocations.values_mut().next().unwrap();
    let until = sim.now + secs(60);
    allocation.permissions.insert(ip("203.0.113.66"), until);
    assert_eq!(sim.receive("203.0.113.66:1", b"hello"), None);
    let unknown = [0x40, 9, 0, 1, 7];
    assert_eq!(
        sim.client.handle_datagram(sim.now, &unknown),
        Input::Consumed
    );
    // A peer may live at the server's address: what is none of the client's is said to be so.
    for other in [&[22, 1, 2][..], &[0, 1, 0, 0][..], &[128][..], &[][..]] {
        assert_eq!(sim.client.handle_datagram(sim.now, other), Input::NotMine);
    }
}

/// 403 for one address is no refusal of the others that were asked for with it.
#[test]
fn a_forbidden_peer_does_not_spoil_others() {
    let mut sim = allocated(Sim::new(config(), Server::new()));
    let now = sim.now;
    sim.server.forbidden = Some(ip("203.0.113.66"));
    for last in [9, 66, 10] {
        sim.client
            .permit(now, ip(&format!("203.0.113.{last}")))
            .unwrap();
    }
    sim.flush();
    let refused = Event::PermissionRefused(ip("203.0.113.66"), Some(403));
    assert!(sim.events.contains(&refused), "{:?}", sim.events);
    assert!(
        sim.client.is_permitted(ip("203.0.113.9")) && sim.client.is_permitted(ip("203.0.113.10"))
    );
    assert!(!sim.client.is_permitted(ip("203.0.113.66")));
}

/// Ten hours with a short allocation and a nonce of 5 s: nothing is ever lost.
#[test]
fn it_lasts_for_hours() {
    let server = Server {
        lifetime: 60,
        nonce_life: secs(5),
        ..Server::new()
    };
    let mut sim = allocated(Sim::new(config(), server));
    let now = sim.now;
    sim.client.bind(now, at(PEER)).unwrap();
    sim.client.permit(now, ip("203.0.113.10")).unwrap();
    sim.flush();
    sim.events.clear();
    for _ in 0..3600 {
        sim.run(secs(10));
        assert!(sim.send(PEER, b"channel").is_some() && sim.send("203.0.113.10:1", b"x").is_some());
        assert!(sim.receive(PEER, b"back").is_some());
        sim.relayed.drain(..).for_each(drop);
    }
    assert!(sim.events.is_empty(), "{:?}", sim.events);
    let asked = |method| {
        let requests = sim.server.requests.iter();
        requests.filter(|it| it.0 == method).count()
    };
    let permits = asked(Method::CREATE_PERMISSION);
    assert!(permits < 400, "both addresses share a request");
    // Every half minute, and each time once more for another nonce.
    let refreshes = asked(Method::REFRESH);
    assert!((2 * 1198..=2 * 1200).contains(&refreshes), "{refreshes}");
}

/// A server that was started anew knows nothing: the allocation is lost at the next refresh.
#[test]
fn a_restarted_server_is_noticed() {
    let mut sim = allocated(Sim::new(config(), Server::new()));
    sim.server.restart();
    sim.run(secs(541));
    assert_eq!(sim.events, [Event::Lost]);
    assert_eq!(sim.send(PEER, b"x"), None);
}

/// A server that falls silent is asked until the end of the allocation.
#[test]
fn silence_is_survived_until_the_end() {
    let mut sim = allocated(Sim::new(config(), Server::new()));
    sim.down = true;
    sim.run(secs(590));
    assert!(sim.events.is_empty());
    sim.down = false;
    sim.run(secs(30));
    assert!(
        sim.events.is_empty(),
        "it was refreshed in time: {:?}",
        sim.events
    );
    sim.down = true;
    let mut seconds = 0..700;
    assert!(seconds.any(|_| !sim.run(secs(1)).events.is_empty()));
    assert_eq!(sim.events, [Event::Lost]);
    assert_eq!(sim.client.poll_timeout(), None, "of the refresh under way");
}

#[test]
fn closing_gives_the_allocation_back() {
    let mut sim = allocated(Sim::new(config(), Server::new()));
    let now = sim.now;
    sim.client.close(now);
    assert_eq!(sim.send(PEER, b"x"), None);
    sim.flush();
    assert_eq!(sim.events, [Event::Closed]);
    assert!(sim.server.allocations.is_empty() && sim.client.is_over());
    // What is given after that is given back as well.
    let mut sim = Sim::new(config(), Server::new());
    sim.client.close(sim.now);
    sim.flush();
    assert_eq!(sim.events, [Event::Closed]);
    assert!(sim.server.allocations.is_empty());
    // Nobody there: it ends all the same.
    let mut sim = allocated(Sim::new(config(), Server::new()));
    sim.down = true;
    sim.client.close(sim.now);
    sim.run(secs(60));
    assert_eq!(sim.events, [Event::Closed]);
}

/// The number of peers is limited.
#[test]
fn peers_are_limited() {
    let mut sim = allocated(Sim::new(config(), Server::new()));
    let now = sim.now;
    let mut refused = 0;
    for number in 0..1000_u32 {
        let peer = std::net::Ipv4Addr::from(0xcb00_0000 + number);
        refused += u32::from(sim.client.permit(now, peer.into()) == Err(Error::Full));
    }
    assert_eq!(refused, 1000 - 128);
    sim.flush();
    assert_eq!(sim.events.len(), 128);
}

/// A client in each state: asking, allocated with a permission asked for, closing, over, and waiting for a stream to another server.
#[expect(clippy::unwrap_used, reason = "a failed step fails the test")]
fn stages() -> [Sim; 5] {
    let mut granted = allocated(Sim::new(config(), Server::new()));
    granted
        .client
        .permit(granted.now, ip("203.0.113.9"))
        .unwrap();
    granted.client.bind(granted.now, at(PEER)).unwrap();
    granted.flush();
    granted
        .client
        .permit(granted.now, ip("203.0.113.10"))
        .unwrap();
    let mut closing = allocated(Sim::new(config(), Server::new()));
    closing.client.close(closing.now);
    let mut over = allocated(Sim::new(config(), Server::new()));
    over.client.close(over.now);
    over.flush();
    let stream = oxirtc_turn::Config::new(at(SERVER), Leg::Stream, alice());
    let server = Server {
        redirect: vec![at("192.0.2.2:3478")],
        ..Server::new()
    };
    let mut redirected = Sim::new(stream, server);
    redirected.flush();
    let stages = [
        Sim::new(config(), Server::new()),
        granted,
        closing,
        over,
        redirected,
    ];
    stages.map(|mut sim| {
        sim.events.clear();
        sim
    })
}

/// Any bytes, in any state: no panic, polling ends, and what nobody has signed changes nothing where there is something to change.
#[test]
fn nonsense_is_survived() {
    for_each_seed(20, |seed| {
        for (stage, mut sim) in stages().into_iter().enumerate() {
            let (now, client) = (sim.now, &mut sim.client);
            let mut buf = Vec::new();
            while client.poll_transmit(now, 1200, &mut buf) {}
            let asked = buf.get(8..20).unwrap_or(&[3; 12]).to_vec();
            let shown = |client: &Client| {
                let peers = ["203.0.113.9", "203.0.113.10"];
                let permitted = peers.map(|peer| client.is_permitted(ip(peer)));
                (
                    client.is_over(),
                    permitted,
                    client.headroom(at(PEER)),
                    client.server(),
                )
            };
            let before = shown(client);
            let mut value = seed + 1;
            for number in 0..2_000_u16 {
                value = value
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let length = usize::try_from(value >> 58).unwrap() & !3;
                let mut bytes = vec![0, 0, 0, 0, 0x21, 0x12, 0xa4, 0x42];
                let id = if value & 8 == 0 { 12 } else { 11 };
                bytes.extend(&asked[..id]);
                bytes.resize(20, 7);
                let body = value.to_be_bytes().repeat(8);
                bytes.extend(&body[..length]);
                // Each class of the methods of TURN in turn, ChannelData, and what is none.
                let kind = [0x0100, 0x0110, 0x0000, 0x0010][usize::from(number % 4)];
                let kind = kind | [3, 4, 8, 9, 7, 6, 1][usize::from(number / 4 % 7)];
                let kind: u16 = if number % 9 == 8 { 0x4000 | kind } else { kind };
                bytes[..2].copy_from_slice(&kind.to_be_bytes());
                let told = u16::try_from(length).unwrap();
                bytes[2..4].copy_from_slice(&told.to_be_bytes());
                client.handle_datagram(now, &bytes);
                let mut sent = 0;
                while client.poll_transmit(now, 1200, &mut buf) {
                    sent += 1;
                    assert!(sent < 10, "polling ends");
                }
            }
            if stage > 0 {
                assert_eq!(
                    (shown(client), client.poll_event()),
                    (before, None),
                    "{stage}"
                );
            }
            // And time passes as before.
            sim.run(secs(30));
        }
    });
}

/// RFC 8656 §12.6: the number of a channel says whose data it is.
#[test]
fn each_channel_has_its_peer() {
    let mut sim = allocated(Sim::new(config(), Server::new()));
    let (now, other) = (sim.now, "203.0.113.10:1");
    for peer in [PEER, other] {
        sim.client.permit(now, at(peer).ip()).unwrap();
        sim.flush();
        sim.client.bind(now, at(peer)).unwrap();
        sim.flush();
    }
    for (number, peer) in [(0, PEER), (1, other)] {
        let data = [0x40, number, 0, 1, 7];
        let Input::Data { peer: from, range } = sim.client.handle_datagram(now, &data) else {
            panic!("no data of {peer}");
        };
        assert_eq!((from, data.get(range)), (at(peer), Some(&[7][..])));
    }
}

/// Whoever doubts an allocation has the server asked, and learns at once that it was started anew; no more often than every five
/// seconds.
#[test]
fn a_doubted_allocation_is_asked_about() {
    let mut sim = allocated(Sim::new(config(), Server::new()));
    let asked = |sim: &Sim| {
        let requests = sim.server.requests.iter();
        requests.filter(|it| it.0 == Method::REFRESH).count()
    };
    for (after, expected) in [(0, 1), (4, 1), (1, 2)] {
        sim.run(secs(after));
        sim.client.verify(sim.now);
        sim.flush();
        assert_eq!(asked(&sim), expected, "{after}");
    }
    assert_eq!(sim.events, []);
    sim.server.restart();
    sim.run(secs(5));
    sim.client.verify(sim.now);
    sim.flush();
    assert_eq!(sim.events, [Event::Lost]);
    // Nothing is left to ask about.
    sim.run(secs(9));
    let before = sim.sent;
    sim.client.verify(sim.now);
    sim.flush();
    assert_eq!(sim.sent, before);
}
