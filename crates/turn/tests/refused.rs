//! What was granted and is not granted again: refusals, silence and forgeries once an allocation is there.

mod server;
mod sim;

use std::time::Duration;

use oxirtc_stun::{
    Attribute, Builder, Class, ErrorCode, IntegrityKey, Message, Method, PasswordAlgorithm,
};
use oxirtc_turn::{Config, Credentials, Error, Event, Failure, Families, Input, Leg};

use server::{Server, at, ip, secs};
use sim::{SERVER, Sim, alice, config};

const PEER: &str = "203.0.113.9:4000";

fn allocated(config: Config, server: Server) -> Sim {
    let mut sim = Sim::new(config, server);
    sim.flush();
    assert!(matches!(sim.events.first(), Some(Event::Allocated(_))));
    sim.events.clear();
    sim
}

/// The next request, which the server does not get.
fn next_request(sim: &mut Sim) -> Vec<u8> {
    loop {
        let mut request = Vec::new();
        if sim.client.poll_transmit(sim.now, 1200, &mut request) {
            return request;
        }
        sim.now = sim.client.poll_timeout().expect("it asks again");
        sim.client.handle_timeout(sim.now);
    }
}

/// An answer that anybody could have written who has seen the request.
fn forged(request: &[u8], code: u16, nonce: &str) -> Vec<u8> {
    let request = Message::parse(request).expect("a request");
    let mut answer = Vec::new();
    let mut builder = Builder::response(&mut answer, Class::Error, &request);
    builder.add(Attribute::ErrorCode(ErrorCode::new(code, "")));
    builder.add(Attribute::Realm("nobody"));
    builder.add(Attribute::Nonce(nonce.as_bytes()));
    builder.finish().expect("an answer");
    answer
}

/// RFC 8656 §9: a permission lasts five minutes, whatever becomes of the request for the next five.
#[test]
fn a_permission_lasts_until_its_end() {
    for code in [401, 438, 403] {
        let mut sim = allocated(config(), Server::new());
        sim.client.permit(sim.now, ip("203.0.113.9")).expect("room");
        sim.run(secs(239));
        let end = sim.now + secs(61);
        sim.events.clear();
        let mut asked = 0;
        while sim.now < end - secs(2) {
            let request = next_request(&mut sim);
            asked += 1;
            assert!(asked < 40, "{code}");
            let answer = forged(&request, code, &format!("nonce {asked}"));
            sim.client.handle_datagram(sim.now, &answer);
            assert!(
                sim.now > end || sim.client.is_permitted(ip("203.0.113.9")),
                "{code}"
            );
        }
        // The server answers again, in time or not: then there is another permission, or none.
        sim.run(secs(60));
        let refused = Event::PermissionRefused(ip("203.0.113.9"), Some(code));
        assert!(sim.events.contains(&refused) || sim.client.is_permitted(ip("203.0.113.9")));
    }
}

/// One that the server refuses each time ends with what it had granted, and is told then.
#[test]
fn a_permission_that_is_refused_ends() {
    let mut sim = allocated(config(), Server::new());
    sim.client.permit(sim.now, ip("203.0.113.9")).expect("room");
    sim.run(secs(10));
    sim.events.clear();
    sim.server.refuse = Some((Method::CREATE_PERMISSION, 403));
    sim.run(secs(285));
    assert!(sim.client.is_permitted(ip("203.0.113.9")) && sim.events.is_empty());
    sim.run(secs(6));
    let refused = Event::PermissionRefused(ip("203.0.113.9"), Some(403));
    assert_eq!(sim.events, [refused]);
    assert!(!sim.client.is_permitted(ip("203.0.113.9")));
}

/// RFC 8656 §12: a channel is bound for ten minutes, and its number is that peer's: its data is heard, and it is asked for again.
#[test]
fn a_channel_that_is_refused_is_heard() {
    for code in [508, 401] {
        let mut sim = allocated(config(), Server::new());
        // At a time of its own, so that nothing else wakes the client for it.
        sim.run(secs(100));
        sim.client.bind(sim.now, at(PEER)).expect("room");
        sim.run(secs(478));
        assert_eq!(sim.client.headroom(at(PEER)), 4);
        sim.server.refuse = Some((Method::CHANNEL_BIND, code));
        sim.run(secs(4));
        assert!(sim.client.headroom(at(PEER)) > 4, "in indications");
        assert!(sim.send(PEER, b"x").is_some());
        sim.server.refuse = None;
        for second in 0..300 {
            sim.run(secs(1));
            assert_eq!(
                sim.receive(PEER, b"x").as_deref(),
                Some(&b"x"[..]),
                "{second}"
            );
            let bound = sim.client.headroom(at(PEER)) == 4;
            assert_eq!(bound, second >= 57, "asked for after a minute, at {second}");
        }
    }
}

/// RFC 8656 §8.2: a success without a lifetime grants nothing, and is no reason to ask at once.
#[test]
fn a_refresh_without_a_lifetime_is_asked_for_half_way() {
    let key = IntegrityKey::long_term("alice", "example.org", "secret", PasswordAlgorithm::MD5);
    let key = key.expect("a key");
    let mut sim = allocated(config(), Server::new());
    sim.run(secs(530));
    let begun = sim.now;
    let mut asked = 0;
    while sim.now < begun + secs(60) {
        let request = next_request(&mut sim);
        let request = Message::parse(&request).expect("a request");
        if request.method() != Method::REFRESH {
            continue;
        }
        asked += 1;
        let mut answer = Vec::new();
        let mut builder = Builder::response(&mut answer, Class::Success, &request);
        builder.message_integrity(&key);
        builder.finish().expect("an answer");
        sim.now += Duration::from_millis(1);
        sim.client.handle_datagram(sim.now, &answer);
        if sim.client.is_over() {
            break;
        }
    }
    assert!((4..=20).contains(&asked), "{asked}");
}

/// RFC 8489 §9.1.4: over a stream no other answer will come.
#[test]
fn over_a_stream_a_bad_answer_ends_the_request() {
    let stream = || Config::new(at(SERVER), Leg::Stream, alice());
    let forging = Server {
        forges: true,
        ..Server::new()
    };
    let mut sim = Sim::new(stream(), forging);
    sim.flush();
    assert!(
        matches!(sim.events.as_slice(), [Event::Failed(_)]),
        "{:?}",
        sim.events
    );

    let mut sim = allocated(stream(), Server::new());
    sim.server.forges = true;
    sim.client.close(sim.now);
    sim.flush();
    assert_eq!(sim.events, [Event::Closed]);
}

/// RFC 8489 §9.2.5: without integrity a refusal of Allocate counts, as there is nothing to lose, and nothing else of a server that wants
/// credentials; one that wants none signs nothing.
#[test]
fn what_nobody_signed_refuses_an_allocation_alone() {
    let bare = || Server {
        bare: true,
        ..Server::new()
    };
    let refusing = Server {
        refuse: Some((Method::ALLOCATE, 486)),
        ..bare()
    };
    assert_eq!(failure(config(), refusing), 486);
    // The grant was not heard, and asked again the server says that it has one.
    assert_eq!(failure(config(), bare()), 437);

    let mut sim = allocated(config(), Server::new());
    sim.server.bare = true;
    sim.server.refuse = Some((Method::REFRESH, 437));
    sim.run(secs(595));
    assert_eq!(sim.events, [], "of a refusal");
    sim.server.refuse = None;
    sim.run(secs(10));
    assert_eq!(sim.events, [Event::Lost], "of a grant");

    let open = Server {
        open: true,
        ..bare()
    };
    let mut sim = allocated(config(), open);
    assert_eq!(sim.sent, 1);
    sim.client.permit(sim.now, ip("203.0.113.9")).expect("room");
    sim.flush();
    assert_eq!(sim.events, [Event::Permitted(ip("203.0.113.9"))]);
}

fn failure(config: Config, server: Server) -> u16 {
    let mut sim = Sim::new(config, server);
    sim.run(secs(60));
    match sim.events.as_slice() {
        [Event::Failed(Failure { code, .. })] => *code,
        events => panic!("{events:?}"),
    }
}

/// RFC 8656 §7.3: one family was asked for, so one address is given: not none, and not two.
#[test]
fn the_addresses_are_those_that_were_asked_for() {
    for (families, gives) in [
        (Families::Ipv4, 0),
        (Families::Ipv4, 2),
        (Families::Ipv6, 0),
        (Families::Ipv6, 1),
        (Families::Ipv6, 2),
        (Families::Both, 0),
    ] {
        let server = Server {
            gives: Some(gives),
            ..Server::new()
        };
        let config = config().families(families);
        assert_eq!(failure(config, server), 508, "{families:?} {gives}");
    }
}

/// RFC 8489 §10: another server has no allocation of ours, so that only Allocate is sent on to it.
#[test]
fn an_allocation_is_not_sent_on() {
    for code in [300, 500] {
        let mut sim = allocated(config(), Server::new());
        sim.server.redirect = vec![at("192.0.2.2:3478")];
        sim.server.refuse = Some((Method::CREATE_PERMISSION, code));
        sim.client.permit(sim.now, ip("203.0.113.9")).expect("room");
        sim.flush();
        let refused = Event::PermissionRefused(ip("203.0.113.9"), Some(code));
        assert_eq!(sim.events, [refused]);
        assert_eq!(sim.client.server(), at(SERVER));
        sim.server.refuse = None;
        sim.run(secs(1200));
        assert_eq!(sim.events.len(), 1, "it lives on: {:?}", sim.events);
    }
}

/// Whoever has given up waits for no allocation, and is told of none: whether it is refused, sent on, or not answered.
#[test]
fn who_closes_is_told_that_alone() {
    let refusing = Server {
        refuse: Some((Method::ALLOCATE, 486)),
        ..Server::new()
    };
    let redirecting = Server {
        redirect: vec![at("192.0.2.2:3478")],
        ..Server::new()
    };
    let silent = Server {
        silent: true,
        ..Server::new()
    };
    for server in [refusing, redirecting, silent] {
        let mut sim = Sim::new(config(), server);
        sim.client.close(sim.now);
        sim.run(secs(10));
        assert_eq!(sim.events, [Event::Closed]);
        assert!(sim.client.is_over());
    }
    // Nobody is waited for to say good-bye.
    let mut sim = allocated(config(), Server::new());
    sim.down = true;
    let before = sim.sent;
    sim.client.close(sim.now);
    sim.run(secs(3));
    assert_eq!((sim.events, sim.sent - before), (vec![Event::Closed], 3));
}

/// The number of channels is limited, also to the ports of one address, and no number is beyond RFC 8656 §12.
#[test]
fn channels_are_limited() {
    let mut sim = allocated(config(), Server::new());
    let mut full = 0;
    for port in 1..=1000 {
        let peer = (ip("203.0.113.9"), port).into();
        full += u32::from(sim.client.bind(sim.now, peer) == Err(Error::Full));
    }
    assert_eq!(full, 1000 - 128);
    sim.flush();
    let allocations = sim.server.allocations.values();
    let numbers = allocations.flat_map(|it| it.channels.keys());
    assert!(numbers.eq((0x4000..0x4080).collect::<Vec<u16>>().iter()));
    // And so is that of addresses, by channels as well.
    let mut sim = allocated(config(), Server::new());
    for last in 0..128_u8 {
        sim.client
            .permit(sim.now, [198, 51, 100, last].into())
            .expect("room");
    }
    assert_eq!(sim.client.bind(sim.now, at(PEER)), Err(Error::Full));
}

/// A peer may live at the server's address, and indicate what is not data of another one.
#[test]
fn an_indication_may_be_a_peers() {
    let mut sim = allocated(config(), Server::new());
    for method in [Method::BINDING, Method::SEND] {
        let mut bytes = Vec::new();
        let id = oxirtc_stun::TransactionId::new([9; 12]);
        let mut builder = Builder::new(&mut bytes, Class::Indication, method, id);
        builder.finish().expect("an indication");
        assert_eq!(sim.client.handle_datagram(sim.now, &bytes), Input::NotMine);
    }
}

/// A name that no message holds is refused as what it is, and nobody is asked with it.
#[test]
fn a_name_that_is_too_long_is_refused() {
    let long = Credentials::LongTerm {
        username: "a".repeat(1000),
        password: String::from("secret").into(),
    };
    let config = Config::new(at(SERVER), Leg::Datagrams, long);
    let mut sim = Sim::new(config, Server::new());
    sim.run(secs(60));
    let [Event::Failed(Failure { code, .. })] = sim.events.as_slice() else {
        panic!("{:?}", sim.events);
    };
    assert_eq!((*code, sim.sent), (400, 1));
}

/// Whether the server is being asked for what it knows, and not for anything else.
#[test]
fn who_is_asked_is_known() {
    let mut sim = allocated(config(), Server::new());
    assert!(!sim.client.is_verifying());
    sim.client.verify(sim.now);
    assert!(sim.client.is_verifying());
    sim.flush();
    assert!(!sim.client.is_verifying());
    // A refresh in its time is none of it.
    let mut sim = allocated(config(), Server::new());
    sim.now += secs(545);
    sim.client.handle_timeout(sim.now);
    assert!(!sim.client.is_verifying());
}

/// RFC 8656 §9: what ends together is asked for together, and what has just been granted is not asked for along with what is new. When the
/// server refuses all of a request for one of them, the others are asked for alone.
#[test]
fn permissions_share_a_request_and_no_refusal() {
    let peers = ["203.0.113.9", "203.0.113.10", "203.0.113.66"].map(ip);
    let mut sim = allocated(config(), Server::new());
    for (number, peer) in peers.into_iter().enumerate() {
        sim.client.permit(sim.now, peer).expect("room");
        let request = next_request(&mut sim);
        let request = Message::parse(&request).expect("a request");
        let asked: Vec<_> = request.xor_peer_addresses().flatten().collect();
        assert_eq!(
            asked,
            [(peer, 0).into()],
            "the one that is new, of {number}"
        );
        // Lost, and asked for again.
        sim.run(secs(2));
        assert!(sim.client.is_permitted(peer));
    }
    sim.run(secs(200));
    let before = sim.server.requests.len();
    sim.events.clear();
    sim.server.forbidden = Some(peers[2]);
    sim.run(secs(50));
    let asked = sim.server.requests[before..].iter();
    assert_eq!(
        asked.filter(|it| it.0 == Method::CREATE_PERMISSION).count(),
        4
    );
    sim.run(secs(100));
    assert_eq!(sim.events, [Event::PermissionRefused(peers[2], Some(403))]);
    let permitted = peers.map(|peer| sim.client.is_permitted(peer));
    assert_eq!(permitted, [true, true, false]);
}

/// An answer to nothing is the client's where only a client of TURN gets such, and may else be that of a peer's to a check.
#[test]
fn a_late_answer_is_whose_method_it_has() {
    let mut sim = allocated(config(), Server::new());
    for (method, input) in [
        (Method::ALLOCATE, Input::Consumed),
        (Method::REFRESH, Input::Consumed),
        (Method::CREATE_PERMISSION, Input::Consumed),
        (Method::CHANNEL_BIND, Input::Consumed),
        (Method::BINDING, Input::NotMine),
    ] {
        for class in [Class::Success, Class::Error] {
            let mut bytes = Vec::new();
            let id = oxirtc_stun::TransactionId::new([9; 12]);
            let mut builder = Builder::new(&mut bytes, class, method, id);
            builder.finish().expect("an answer");
            assert_eq!(sim.client.handle_datagram(sim.now, &bytes), input);
        }
    }
}
