//! What was granted and is not granted again: refusals, silence and forgeries once an allocation is there.

mod server;
mod sim;

use std::time::Duration;

use oxirtc_stun::{
    Attribute, Builder, Class, ErrorCode, IntegrityKey, Message, Method, PasswordAlgorithm,
};
use oxirtc_turn::{Config, Event, Leg};

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
        }
        assert_eq!(sim.client.headroom(at(PEER)), 4, "bound again");
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
