//! ICE restart, with the old pair alive (RFC 8445 §9).
mod sim;

use oxirtc_ice::{Credentials, Error, Event, Generation, Plan, State};
use oxirtc_netsim::{ms, secs};

use crate::sim::{Sides, Sim, ip, told};

fn connected(seed: u64) -> Sim {
    let mut sim = sim::new(seed);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim
}

/// Local restart, a slow answer, then a new pair: payload never stops.
#[test]
fn payload_goes_on_during_a_restart() {
    let mut sim = connected(1);
    let path = sim.payload_path(0);
    sim.renew(0);
    sim.gather(0);
    sim.settle();
    // [5.6.4-07]: completed becomes connected.
    assert_eq!(sim.states()[0], State::Connected);
    // The answer takes 40 s: consent runs on with the old credentials on both sides.
    sim.run(secs(40));
    assert_eq!(sim.payload_path(0), path);
    assert!(sim.has_consent(1));
    sim.send_payload(0, b"\x80during");
    sim.tell_credentials(0);
    sim.renew(1);
    sim.tell_credentials(1);
    assert_eq!(sim.payload_path(0), path);
    sim.gather(1);
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.send_payload(1, b"\x80after");
    sim.run(secs(60));
    assert_eq!(sim.ends[1].received, [b"\x80during"]);
    assert_eq!(sim.ends[0].received, [b"\x80after"]);
    let states = sim.history(0);
    assert!(!states.contains(&State::Disconnected) && !states.contains(&State::Failed));
    assert_eq!(
        states
            .iter()
            .filter(|state| **state == State::Checking)
            .count(),
        1
    );
    assert!(sim.ends[0].closed.is_empty(), "sockets are used again");
}

/// W3C §5.6: the pair is one of candidates, and those of another generation are others, although their addresses are the same.
#[test]
fn the_pair_of_a_restart_is_told() {
    let mut sim = connected(7);
    let told = |sim: &Sim| {
        let events = sim.ends[0].events.iter();
        let pairs = events.filter_map(|event| match event {
            Event::PairChanged(pair) => Some(pair.clone()),
            _ => None,
        });
        pairs.collect::<Vec<_>>()
    };
    assert_eq!(told(&sim).len(), 1);
    for side in [0, 1] {
        sim.renew(side);
    }
    sim.exchange();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    let pairs = told(&sim);
    assert_eq!(pairs.len(), 2, "{pairs:?}");
    assert_eq!(pairs[0].path, pairs[1].path);
    let ufrags = |at: usize| [&pairs[at].local_ufrag, &pairs[at].remote_ufrag];
    let now = [&sim.ends[0].local.ufrag, &sim.ends[1].local.ufrag];
    assert_eq!(ufrags(1), now);
    assert!(ufrags(0)[0] != now[0] && ufrags(0)[1] != now[1]);
}

/// Two generations on one path share it: it is let go of with the last, and told once, so that a shared port hands it to nobody else.
#[test]
fn generations_share_a_path() {
    let mut sim = connected(8);
    let path = sim.payload_path(0).unwrap();
    for side in [0, 1] {
        sim.renew(side);
    }
    sim.exchange();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.run(secs(10));
    assert_eq!(sim.payload_path(0), Some(path));
    let count = |sim: &Sim, event: &Event| {
        let events = sim.ends[0].events.iter();
        events.filter(|it| *it == event).count()
    };
    assert_eq!(count(&sim, &Event::PathValidated(path)), 1);
    assert_eq!(count(&sim, &Event::PathReleased(path)), 0);
    sim.close(0);
    sim.settle();
    assert_eq!(count(&sim, &Event::PathReleased(path)), 1);
}

/// A path is let go of when no generation uses it, whichever it is: here only the old one does, and then another only the new one.
#[test]
fn a_path_belongs_to_any_generation() {
    let mut sim = connected(9);
    let path = sim.payload_path(0).unwrap();
    let released = |sim: &Sim, is: &dyn Fn(oxirtc_ice::Path) -> bool| {
        let events = sim.ends[0].events.iter();
        let paths = events.filter_map(|event| match event {
            Event::PathReleased(path) => Some(*path),
            _ => None,
        });
        paths.filter(|path| is(*path)).count()
    };
    // The new generation knows of no candidate.
    sim.both(|it| it.trickle = false);
    for side in [0, 1] {
        sim.renew(side);
    }
    sim.exchange();
    sim.run(secs(3));
    assert_eq!(sim.payload_path(0), Some(path));
    assert_eq!(released(&sim, &|it| it == path), 0);
    // The new one has a pair from an address that the old one, which makes no pairs any more, has not.
    let later = ip("10.0.0.9");
    sim.wire.addresses[0].push(later);
    sim.tell_interfaces(0);
    let far = sim.ends[1].gathered.last().unwrap().clone();
    sim.candidate(0, far);
    let mut held = 0;
    for _ in 0..30 {
        sim.run(ms(100));
        let events = sim.ends[0].events.iter();
        let validated = events.filter(
            |event| matches!(event, Event::PathValidated(path) if path.local.ip() == later),
        );
        held = held.max(validated.count());
        assert_eq!(released(&sim, &|it| it.local.ip() == later), 0);
    }
    assert_eq!(held, 1);
}

/// The old credentials are answered until the new pair is selected, and no longer.
#[test]
fn old_credentials_are_answered_until_selection() {
    let mut sim = connected(2);
    let old = sim
        .requests(1)
        .last()
        .map(|sent| (sent.route, sent.datagram.clone()));
    let (path, request) = old.unwrap();
    sim.renew(0);
    sim.gather(0);
    sim.settle();
    let answered = |sim: &mut Sim| {
        let before = sim.ends[0].agent.stats().responses_sent;
        sim.carry(1, path, request.clone());
        sim.run(ms(10));
        sim.ends[0].agent.stats().responses_sent > before
    };
    assert!(answered(&mut sim));
    sim.tell_credentials(0);
    sim.renew(1);
    sim.tell_credentials(1);
    sim.gather(1);
    // What was on its way is answered for two seconds more.
    sim.run(secs(1));
    assert!(answered(&mut sim));
    sim.run(secs(2));
    assert!(!answered(&mut sim));
    assert!(sim.ends[0].agent.stats().drops.unauthenticated > 0);
}

/// [5.6.4-07]: failed becomes checking, and connects again.
#[test]
fn a_restart_leads_out_of_failure() {
    let mut sim = connected(3);
    sim.wire.up = [false, false];
    sim.run_until(secs(40), |sim| sim.both_are(State::Failed));
    sim.wire.up = [true, true];
    sim.renew(0);
    assert_eq!(sim.states()[0], State::Checking);
    sim.tell_credentials(0);
    sim.renew(1);
    sim.tell_credentials(1);
    sim.gather(0);
    sim.gather(1);
    sim.run_until(secs(2), |sim| sim.both_are(State::Completed));
}

/// A restart on new addresses: the socket of the one that is gone is closed and its path released at once.
#[test]
fn a_restart_moves_to_new_addresses() {
    let mut sim = connected(4);
    let old = sim.payload_path(0).unwrap();
    sim.wire.addresses[0] = vec![ip("10.0.0.9")];
    sim.renew(0);
    sim.settle();
    assert_eq!(sim.ends[0].closed, [old.local]);
    assert_eq!(sim.payload_path(0), None);
    assert_eq!(sim.states()[0], State::Checking);
    sim.tell_credentials(0);
    sim.renew(1);
    sim.tell_credentials(1);
    sim.run(secs(5));
    let new = sim.payload_path(0).unwrap();
    assert_eq!(new.local.ip(), ip("10.0.0.9"));
    assert!(sim.ends[0].events.contains(&Event::PathReleased(old)));
}

/// A rollback is the plan without what was open: the old generation was not touched.
#[test]
fn rollback_leaves_the_old_generation() {
    for side in [0, 1] {
        let mut sim = connected(5);
        let old = sim.ends[0].local.clone();
        let old_remote = sim.ends[0].remote.clone();
        if side == 0 {
            sim.renew(0);
            sim.ends[0].local = old;
        } else {
            let other = Credentials::new("otherone", "otherotherotherotherother");
            sim.ends[0].remote = Some(told(&other));
            sim.gather(0);
            sim.ends[0].remote = old_remote;
        }
        sim.gather(0);
        assert_eq!(sim.states()[0], State::Completed);
        sim.run(secs(60));
        assert!(sim.both_are(State::Completed));
    }
}

/// A second restart before the first is done keeps the pair that works.
#[test]
fn at_most_one_old_generation_is_kept() {
    let mut sim = connected(6);
    let path = sim.payload_path(0);
    for _ in 0..5 {
        sim.renew(0);
        sim.gather(0);
        sim.run(secs(1));
        assert_eq!(sim.payload_path(0), path);
    }
    sim.renew(0);
    sim.tell_credentials(0);
    sim.gather(0);
    sim.renew(1);
    sim.tell_credentials(1);
    sim.gather(1);
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
}

/// A restart that nobody answers, after its pair was lost, fails in the end; an answer still helps.
#[test]
fn an_unanswered_restart_fails() {
    let mut sim = connected(7);
    sim.wire.up = [false, false];
    sim.renew(0);
    sim.gather(0);
    let took = sim.run_until(secs(60), |sim| sim.states()[0] == State::Failed);
    assert!(took >= secs(30), "{took:?}");
    sim.wire.up = [true, true];
    sim.tell_credentials(0);
    sim.renew(1);
    sim.tell_credentials(1);
    sim.gather(1);
    sim.run_until(secs(5), |sim| sim.states()[0] == State::Completed);
}

/// Wrong credentials are refused and change nothing.
#[test]
fn bad_credentials_change_nothing() {
    let mut sim = connected(8);
    let bad = Credentials::new("abc", "short");
    let good = sim.ends[0].plan.clone();
    let stable = good.stable.clone().unwrap();
    let generation = |local: &Credentials, remote: &Credentials| Generation {
        local: local.clone(),
        remote: Some(told(remote)),
    };
    for open in [
        generation(&bad, &stable.local),
        generation(&stable.local, &bad),
    ] {
        let (now, peer) = (sim.now, &mut sim.ends[0]);
        let plan = Plan {
            open: Some(open),
            ..good.clone()
        };
        let refused = peer.transports[0].agent.set_plan(now, &mut peer.set, plan);
        assert_eq!(refused, Err(Error::InvalidCredentials));
    }
    assert!(sim.both_are(State::Completed));
}

/// A hundred restarts under traffic: nothing is lost and nothing grows.
#[test]
fn a_hundred_restarts_lose_nothing() {
    let mut sim = connected(9);
    for round in 0_u64..100 {
        let first = usize::try_from(round % 2).unwrap();
        sim.renew(first);
        sim.gather(first);
        sim.tell_credentials(first);
        sim.renew(1 - first);
        sim.tell_credentials(1 - first);
        sim.gather(1 - first);
        for _ in 0..20 {
            sim.send_payload(0, b"\x80x");
            sim.run(ms(10));
        }
        sim.run(secs(3));
        sim.forget_sent();
    }
    assert_eq!(sim.ends[1].received.len(), 2000);
    assert_eq!(sim.ends[0].agent.pairs().count(), 1);
}
