//! ICE restart, with the old pair alive (RFC 8445 §9).
mod sim;

use oxirtc_ice::{Credentials, Event, State};

use crate::sim::{Sim, ip, ms, secs};

fn connected(seed: u64) -> Sim {
    let mut sim = Sim::new(seed);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim
}

/// Local restart, a slow answer, then a new pair: payload never stops.
#[test]
fn payload_goes_on_during_a_restart() {
    let mut sim = connected(1);
    let path = sim.peers[0].agent.payload_path();
    sim.renew(0);
    sim.gather(0);
    sim.flush();
    // [5.6.4-07]: completed becomes connected.
    assert_eq!(sim.states()[0], State::Connected);
    // The answer takes 40 s: consent runs on with the old credentials on both sides.
    sim.run(secs(40));
    assert_eq!(sim.peers[0].agent.payload_path(), path);
    assert!(sim.peers[1].agent.has_consent());
    sim.send_payload(0, b"\x80during");
    sim.tell_credentials(0);
    sim.renew(1);
    sim.tell_credentials(1);
    assert_eq!(sim.peers[0].agent.payload_path(), path);
    sim.gather(1);
    sim.run_until(secs(5), |sim| {
        let selected = |event: &&Event| **event == Event::SelectedPairChanged;
        sim.peers
            .iter()
            .all(|peer| peer.events.iter().filter(selected).count() == 2)
    });
    sim.send_payload(1, b"\x80after");
    sim.run(secs(60));
    assert_eq!(sim.peers[1].received, [b"\x80during"]);
    assert_eq!(sim.peers[0].received, [b"\x80after"]);
    let states = sim.history(0);
    assert!(!states.contains(&State::Disconnected) && !states.contains(&State::Failed));
    assert_eq!(
        states
            .iter()
            .filter(|state| **state == State::Checking)
            .count(),
        1
    );
    assert!(sim.peers[0].closed.is_empty(), "sockets are used again");
}

/// The old credentials are answered until the new pair is selected, and no longer.
#[test]
fn old_credentials_are_answered_until_selection() {
    let mut sim = connected(2);
    let old = sim
        .requests(1)
        .last()
        .map(|sent| (sent.path, sent.bytes.clone()));
    let (path, request) = old.unwrap();
    sim.renew(0);
    sim.gather(0);
    sim.flush();
    let answered = |sim: &mut Sim| {
        let before = sim.agent(0).stats().responses_sent;
        sim.carry(1, path, request.clone());
        sim.run(ms(10));
        sim.agent(0).stats().responses_sent > before
    };
    assert!(answered(&mut sim));
    sim.tell_credentials(0);
    sim.renew(1);
    sim.tell_credentials(1);
    sim.gather(1);
    sim.run(secs(1));
    assert!(!answered(&mut sim));
    assert!(sim.agent(0).stats().drops.unauthenticated > 0);
}

/// [5.6.4-07]: failed becomes checking, and connects again.
#[test]
fn a_restart_leads_out_of_failure() {
    let mut sim = connected(3);
    sim.up = [false, false];
    sim.run_until(secs(40), |sim| sim.both_are(State::Failed));
    sim.up = [true, true];
    sim.renew(0);
    assert_eq!(sim.states()[0], State::Checking);
    sim.tell_credentials(0);
    sim.renew(1);
    sim.tell_credentials(1);
    sim.gather(0);
    sim.gather(1);
    sim.run_until(secs(2), |sim| sim.both_are(State::Completed));
}

/// A restart on new addresses: the old sockets are closed and their paths released.
#[test]
fn a_restart_moves_to_new_addresses() {
    let mut sim = connected(4);
    let old = sim.peers[0].agent.payload_path().unwrap();
    sim.peers[0].addresses.push(ip("10.0.0.9"));
    sim.renew(0);
    sim.peers[0].addresses.swap_remove(0);
    sim.gather(0);
    sim.flush();
    sim.peers[0].addresses.push(old.local.ip());
    sim.tell_credentials(0);
    sim.renew(1);
    sim.tell_credentials(1);
    sim.gather(1);
    sim.run(secs(5));
    let new = sim.peers[0].agent.payload_path().unwrap();
    assert_eq!(new.local.ip(), ip("10.0.0.9"));
    assert_eq!(sim.peers[0].closed, [old.local]);
    assert!(sim.peers[0].events.contains(&Event::PathReleased(old)));
}

/// A rollback brings the old generation back.
#[test]
fn rollback_restores_the_old_generation() {
    for side in [0, 1] {
        let mut sim = connected(5);
        let old = sim.agent(0).local_credentials().unwrap().clone();
        let old_remote = sim.agent(0).remote_credentials().unwrap().clone();
        let now = sim.now;
        if side == 0 {
            sim.renew(0);
            sim.agent(0).set_local_credentials(now, old).unwrap();
        } else {
            let other = Credentials::new("otherone", "otherotherotherotherother");
            sim.agent(0).set_remote_credentials(now, other).unwrap();
            sim.agent(0)
                .set_remote_credentials(now, old_remote)
                .unwrap();
        }
        assert_eq!(sim.states()[0], State::Completed);
        sim.run(secs(60));
        assert!(sim.both_are(State::Completed));
    }
}

/// A second restart before the first is done keeps the pair that works.
#[test]
fn at_most_one_old_generation_is_kept() {
    let mut sim = connected(6);
    let path = sim.peers[0].agent.payload_path();
    for _ in 0..5 {
        sim.renew(0);
        sim.gather(0);
        sim.run(secs(1));
        assert_eq!(sim.peers[0].agent.payload_path(), path);
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
    sim.up = [false, false];
    sim.renew(0);
    sim.gather(0);
    let took = sim.run_until(secs(60), |sim| sim.states()[0] == State::Failed);
    assert!(took >= secs(30), "{took:?}");
    sim.up = [true, true];
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
    let now = sim.now;
    let bad = Credentials::new("abc", "short");
    assert!(
        sim.agent(0)
            .set_local_credentials(now, bad.clone())
            .is_err()
    );
    assert!(sim.agent(0).set_remote_credentials(now, bad).is_err());
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
        sim.sent.clear();
    }
    assert_eq!(sim.peers[1].received.len(), 2000);
    assert_eq!(sim.agent(0).pairs().count(), 1);
}
