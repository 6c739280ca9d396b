//! The generations of ICE: what each plan does, with the stable generation connected and with it still
//! checking.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod sim;

use std::net::SocketAddr;

use oxirtc_ice::{
    Candidate, Credentials, Error, Event, GatheringState, Generation, GenerationId, Path, Plan,
    State,
};
use oxirtc_netsim::{End, for_each_seed, ms, secs};
use oxirtc_stun::{Attribute, Builder, Class, IntegrityKey, Message, Method, TransactionId};

use crate::sim::{Sent, Sides, Sim, ip, told};

/// The credentials of this name.
fn of(name: &str) -> Credentials {
    Credentials::new(name.repeat(4), name.repeat(12))
}

fn generation(local: &str, remote: &str) -> Option<Generation> {
    Some(Generation {
        local: of(local),
        remote: (!remote.is_empty()).then(|| told(&of(remote))),
    })
}

fn plan(stable: Option<Generation>, open: Option<Generation>) -> Plan {
    Plan { stable, open }
}

/// Both know their addresses, and nothing else.
fn fresh() -> Sim {
    let mut sim = sim::new(7);
    sim.tell_interfaces(0);
    sim.tell_interfaces(1);
    sim
}

/// L1 and R1 agreed, connected or still checking over a network that is down.
fn cases() -> impl Iterator<Item = (Sim, bool)> {
    [true, false].into_iter().map(|connected| {
        let mut sim = fresh();
        sim.wire.up = [connected; 2];
        sim.plan(0, plan(generation("L1", "R1"), None));
        sim.plan(1, plan(generation("R1", "L1"), None));
        if connected {
            sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
            sim.run(secs(3));
        } else {
            sim.run(ms(300));
            assert!(sim.both_are(State::Checking));
        }
        forget(&mut sim);
        (sim, connected)
    })
}

fn forget(sim: &mut Sim) {
    sim.forget_sent();
    for peer in &mut sim.ends {
        peer.events.clear();
        peer.gathered.clear();
        peer.received.clear();
    }
}

/// Which fragments the checks of a side were for.
fn checked(sim: &Sim, side: usize) -> Vec<String> {
    let mut names: Vec<_> = sim
        .requests(side)
        .iter()
        .map(|sent| {
            let message = Message::parse(&sent.datagram).unwrap();
            message.username().unwrap().split(':').next().unwrap()[..2].to_owned()
        })
        .collect();
    names.dedup();
    names
}

/// A check by `theirs` of our side `ours`, from a port of its own; whether it was answered.
fn check(sim: &mut Sim, ours: &str, theirs: &str, port: u16) -> bool {
    let mut bytes = Vec::new();
    let id = TransactionId::new([u8::try_from(port).unwrap(); 12]);
    let username = format!("{}:{}", of(ours).ufrag, of(theirs).ufrag);
    let key = IntegrityKey::short_term(&of(ours).password).unwrap();
    let mut builder = Builder::new(&mut bytes, Class::Request, Method::BINDING, id);
    builder.add(Attribute::Username(&username));
    builder.add(Attribute::Priority(1));
    builder.add(Attribute::IceControlled(1));
    builder.message_integrity(&key).fingerprint();
    builder.finish().unwrap();
    let local = socket(sim, 0);
    let before = sim.ends[0].agent.stats().responses_sent;
    sim.deliver(End::A, Path::udp(local, from(port)), bytes);
    sim.ends[0].agent.stats().responses_sent > before
}

fn from(port: u16) -> SocketAddr {
    SocketAddr::new(ip("10.0.0.2"), port)
}

fn socket(sim: &Sim, side: usize) -> SocketAddr {
    let agent = &sim.ends[side].agent;
    let host = agent.local_candidates().next().unwrap();
    host.socket_address().unwrap()
}

fn is_learnt(sim: &Sim, port: u16) -> bool {
    let mut pairs = sim.ends[0].agent.pairs();
    pairs.any(|pair| pair.pair.path.remote == from(port))
}

fn current(sim: &Sim) -> Option<GenerationId> {
    let way = sim.ends[0]
        .agent
        .payload_way(sim.now, GenerationId::default());
    way.and_then(|way| way.generation())
}

/// In the end both have a pair, payload goes both ways, and no check is for what was dropped.
fn finish(mut sim: Sim, dropped: &[&str]) {
    sim.wire.up = [true, true];
    sim.run_until(secs(60), |sim| sim.both_are(State::Completed));
    sim.run(secs(3));
    forget(&mut sim);
    for side in [0, 1] {
        sim.send_payload(side, b"\x80payload");
    }
    sim.run(secs(20));
    for side in [0, 1] {
        assert_eq!(sim.ends[side].received, [b"\x80payload"]);
        let names = checked(&sim, side);
        assert!(!names.is_empty());
        for name in dropped {
            assert!(!names.contains(&String::from(*name)), "{name}: {names:?}");
        }
    }
}

/// The peer's side of an agreement on L2 and R2.
fn peer_follows(sim: &mut Sim, ours: &str, theirs: &str) {
    sim.plan(1, plan(generation(theirs, ours), None));
}

#[test]
fn row_1_a_first_offer_answers_early_checks() {
    let mut sim = fresh();
    sim.plan(0, plan(None, generation("L1", "")));
    assert_eq!(
        sim.ends[0].agent.gathering_state(),
        GatheringState::Complete
    );
    assert!(check(&mut sim, "L1", "R9", 30));
    for port in 1..=20 {
        assert!(check(&mut sim, "L1", "R1", port));
    }
    assert_eq!(sim.states()[0], State::Checking);
    assert!(sim.ends[0].agent.pairs().next().is_none());
    sim.plan(0, plan(generation("L1", "R1"), None));
    // Sixteen were remembered; what another peer checked is none of ours.
    assert!(is_learnt(&sim, 15) && !is_learnt(&sim, 16) && !is_learnt(&sim, 30));
    peer_follows(&mut sim, "L1", "R1");
    sim.run_until(secs(5), |sim| sim.has_consent(0) && sim.has_consent(1));
}

#[test]
fn row_2_an_offer_without_restart_changes_nothing() {
    for (mut sim, _) in cases() {
        sim.plan(0, plan(generation("L1", "R1"), None));
        assert!(sim.ends[0].events.is_empty() && sim.sent().is_empty());
        finish(sim, &[]);
    }
}

#[test]
fn row_3_a_restart_offer_leaves_the_stable_generation_at_work() {
    for (mut sim, connected) in cases() {
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "")));
        // [5.6.4-07]
        let state = if connected {
            State::Connected
        } else {
            State::Checking
        };
        assert_eq!(sim.states()[0], state);
        assert_eq!(sim.ends[0].gathered.len(), 1, "it is gathered for");
        sim.wire.up = [true, true];
        sim.run_until(secs(40), |sim| sim.states()[0] == State::Connected);
        sim.run(secs(60));
        assert_eq!(sim.states(), [State::Connected, State::Completed]);
        assert_eq!(checked(&sim, 0), ["R1"]);
        sim.plan(0, plan(generation("L1", "R1"), None));
        finish(sim, &["L2"]);
    }
}

#[test]
fn row_3_a_restart_offer_leads_out_of_failure() {
    let (mut sim, _) = cases().next().unwrap();
    sim.wire.up = [false, false];
    sim.run(secs(10));
    assert_eq!(sim.states()[0], State::Disconnected);
    sim.plan(0, plan(generation("L1", "R1"), generation("L2", "")));
    assert_eq!(sim.states()[0], State::Checking);
    sim.plan(0, plan(generation("L1", "R1"), None));
    assert_eq!(sim.states()[0], State::Disconnected);
    sim.run(secs(40));
    assert_eq!(sim.states()[0], State::Failed);
    sim.plan(0, plan(generation("L1", "R1"), generation("L2", "")));
    assert_eq!(sim.states()[0], State::Checking);
    sim.plan(0, plan(generation("L1", "R1"), None));
    assert_eq!(sim.states()[0], State::Failed);
}

#[test]
fn row_4_another_offer_replaces_the_open_one() {
    for (mut sim, _) in cases() {
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "")));
        assert!(check(&mut sim, "L2", "R2", 9));
        sim.plan(0, plan(generation("L1", "R1"), generation("L3", "")));
        assert!(!check(&mut sim, "L2", "R2", 10));
        assert!(check(&mut sim, "L3", "R2", 11));
        sim.plan(0, plan(generation("L3", "R2"), None));
        assert!(is_learnt(&sim, 11) && !is_learnt(&sim, 9));
        peer_follows(&mut sim, "L3", "R2");
        finish(sim, &["R1", "L1", "L2"]);
    }
}

#[test]
fn row_5_a_remote_offer_waits_for_our_answer() {
    for (mut sim, _) in cases() {
        let (now, candidate) = (sim.now, candidate(5));
        let peer = &mut sim.ends[0];
        let (agent, ufrag) = (&mut peer.transports[0].agent, of("R2").ufrag.clone());
        let unknown = Err(Error::UnknownGeneration);
        let set = &mut peer.set;
        assert_eq!(
            agent.add_remote_candidate(now, set, &ufrag, candidate),
            unknown
        );
        assert_eq!(
            agent.set_remote_end_of_candidates(now, set, &ufrag),
            unknown
        );
        finish(sim, &[]);
    }
}

fn candidate(port: u16) -> Candidate {
    Candidate {
        foundation: "9".into(),
        component: 1,
        protocol: oxirtc_ice::Protocol::Udp,
        tcp_type: None,
        priority: 7,
        address: oxirtc_ice::Address::Ip(ip("10.0.0.2")),
        port,
        kind: oxirtc_ice::CandidateKind::Host,
        related: None,
        network_cost: 0,
    }
}

#[test]
fn row_6_a_rollback_leaves_no_trace() {
    for (mut sim, connected) in cases() {
        let before = (
            sim.states()[0],
            sim.ends[0].agent.pairs().count(),
            sim.ends[0].agent.poll_timeout(),
        );
        let path = sim.payload_path(0);
        sim.wire.addresses[0].push(ip("10.0.0.9"));
        sim.tell_interfaces(0);
        sim.wire.addresses[0].pop();
        sim.tell_interfaces(0);
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "")));
        // What comes for the stable generation while a restart is open is the stable one's.
        sim.ends[0].remote = Some(told(&of("R1")));
        sim.plan(0, plan(generation("L1", "R1"), None));
        assert_eq!(
            (sim.states()[0], sim.ends[0].agent.pairs().count()),
            (before.0, before.1)
        );
        assert_eq!(sim.payload_path(0), path);
        assert!(!check(&mut sim, "L2", "R2", 9), "L2 is gone");
        forget(&mut sim);
        sim.run(secs(2));
        let gathered = |event: &Event| matches!(event, Event::CandidateGathered { .. });
        assert!(!sim.ends[0].events.iter().any(gathered));
        assert_eq!(connected, sim.states()[0] == State::Completed);
        finish(sim, &["L2", "R2"]);
    }
}

#[test]
fn row_6_what_comes_while_a_restart_is_open_is_not_lost() {
    for (mut sim, connected) in cases() {
        if connected {
            continue;
        }
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "")));
        let now = sim.now;
        let peer = &mut sim.ends[0];
        let agent = &mut peer.transports[0].agent;
        let pairs = agent.pairs().count();
        // Only a generation that has not heard the end takes it.
        let taken = agent.add_remote_candidate(now, &mut peer.set, &of("R1").ufrag, candidate(77));
        assert_eq!(taken, Ok(()));
        assert_eq!(agent.stats().drops.candidates, 1, "the end was told before");
        assert_eq!(agent.pairs().count(), pairs);
        sim.plan(0, plan(generation("L1", "R1"), None));
        assert_eq!(sim.ends[0].agent.remote_candidates().count(), 2);
        finish(sim, &[]);
    }
    let mut sim = fresh();
    sim.both(|it| it.trickle = false);
    sim.plan(0, plan(generation("L1", "R1"), None));
    sim.plan(0, plan(generation("L1", "R1"), generation("L2", "")));
    let (now, peer) = (sim.now, &mut sim.ends[0]);
    let agent = &mut peer.transports[0].agent;
    let told = agent.add_remote_candidate(now, &mut peer.set, &of("R1").ufrag, candidate(77));
    assert_eq!((told, agent.pairs().count()), (Ok(()), 1));
    sim.plan(0, plan(generation("L1", "R1"), None));
    assert_eq!(sim.ends[0].agent.pairs().count(), 1);
}

#[test]
fn row_7_a_rollback_of_the_first_offer_ends_all() {
    let mut sim = fresh();
    sim.plan(0, plan(None, generation("L1", "")));
    let socket = socket(&sim, 0);
    sim.plan(0, plan(None, None));
    assert_eq!(sim.ends[0].closed, [socket]);
    assert_eq!(sim.states()[0], State::New);
    assert!(sim.ends[0].agent.local_credentials().is_none());
    assert_eq!(sim.ends[0].agent.poll_timeout(), None);
}

#[test]
fn row_8_an_answer_takes_what_was_held() {
    let mut sim = fresh();
    // The peer offered first: its candidates wait with the description.
    sim.plan(1, plan(None, generation("R1", "")));
    sim.plan(0, plan(generation("L1", "R1"), None));
    assert_eq!(sim.ends[0].agent.pairs().count(), 1);
    sim.plan(1, plan(generation("R1", "L1"), None));
    finish(sim, &[]);
    // An answer that restarts nothing says what was said before.
    for (mut sim, _) in cases() {
        let (pair, newest) = (current(&sim), sim.ends[0].agent.newest_generation());
        sim.plan(0, plan(generation("L1", "R1"), None));
        assert_eq!(current(&sim), pair);
        assert_eq!(sim.ends[0].agent.newest_generation(), newest);
        assert!(sim.ends[0].events.is_empty() && sim.sent().is_empty());
        finish(sim, &[]);
    }
}

#[test]
fn row_9_an_answer_to_a_restart_keeps_the_old_pair_until_the_new_one() {
    for (mut sim, connected) in cases() {
        let old = current(&sim);
        sim.plan(0, plan(generation("L2", "R2"), None));
        assert_eq!(current(&sim), old);
        let state = if connected {
            State::Connected
        } else {
            State::Checking
        };
        assert_eq!(sim.states()[0], state);
        // The peer has not heard our answer yet; consent goes on for as long as it takes.
        sim.run(secs(35));
        assert_eq!(current(&sim), old);
        assert_eq!(
            connected,
            check(&mut sim, "L1", "R1", 9),
            "the old one is answered"
        );
        assert!(!is_learnt(&sim, 9));
        peer_follows(&mut sim, "L2", "R2");
        finish(sim, &["L1", "R1"]);
    }
}

#[test]
fn row_10_a_provisional_answer_lets_payload_flow() {
    let mut sim = fresh();
    sim.plan(0, plan(None, generation("L1", "R1")));
    sim.plan(1, plan(generation("R1", "L1"), None));
    sim.run_until(secs(1), |sim| sim.has_consent(0) && sim.has_consent(1));
    finish(sim, &[]);
}

#[test]
fn row_11_both_generations_check_until_the_answer() {
    for (mut sim, connected) in cases() {
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "R2")));
        let old = current(&sim);
        sim.ends[0].remote = Some(told(&of("R2")));
        sim.candidate(0, candidate(99));
        sim.run(secs(3));
        let names = checked(&sim, 0);
        assert!(names.contains(&"R2".into()));
        if connected {
            assert_eq!(current(&sim), old, "R2 does not answer yet");
        } else {
            assert!(names.len() > 4, "they take turns: {names:?}");
        }
        sim.wire.up = [true, true];
        sim.plan(1, plan(generation("R1", "L1"), generation("R2", "L2")));
        sim.run_until(secs(40), |sim| current(sim) > old && current(sim).is_some());
        sim.run(secs(5));
        let newest = sim.ends[0].agent.newest_generation();
        assert_eq!(
            current(&sim),
            Some(newest),
            "payload moves with the nomination"
        );
        sim.forget_sent();
        sim.run(secs(40));
        let names = checked(&sim, 0);
        assert!(names.contains(&"R1".into()), "the stable one is kept whole");
        sim.plan(0, plan(generation("L2", "R2"), None));
        peer_follows(&mut sim, "L2", "R2");
        finish(sim, &["L1", "R1"]);
    }
}

#[test]
fn row_12_another_fork_takes_the_place_of_the_first() {
    for (mut sim, _) in cases() {
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "R2")));
        assert!(
            check(&mut sim, "L2", "R3", 9),
            "an open side answers every fork"
        );
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "R3")));
        assert!(is_learnt(&sim, 9), "what it checked early is made up for");
        assert_eq!(sim.ends[0].gathered.len(), 1, "nothing is gathered anew");
        sim.plan(0, plan(generation("L2", "R3"), None));
        peer_follows(&mut sim, "L2", "R3");
        finish(sim, &["L1", "R1", "R2"]);
    }
}

#[test]
fn row_12_each_fork_has_what_it_checked_early() {
    let mut sim = fresh();
    sim.plan(0, plan(None, generation("L1", "")));
    assert!(check(&mut sim, "L1", "R1", 9) && check(&mut sim, "L1", "R2", 10));
    sim.plan(0, plan(None, generation("L1", "R1")));
    assert!(is_learnt(&sim, 9) && !is_learnt(&sim, 10));
    sim.plan(0, plan(generation("L1", "R2"), None));
    assert!(is_learnt(&sim, 10));
    peer_follows(&mut sim, "L1", "R2");
    finish(sim, &["R1"]);
}

#[test]
fn row_13_the_answer_of_the_same_peer_starts_nothing_anew() {
    for (mut sim, _) in cases() {
        sim.wire.up = [true, true];
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "R2")));
        sim.plan(1, plan(generation("R1", "L1"), generation("R2", "L2")));
        sim.run(secs(5));
        let newest = sim.ends[0].agent.newest_generation();
        assert_eq!(current(&sim), Some(newest));
        forget(&mut sim);
        sim.plan(0, plan(generation("L2", "R2"), None));
        sim.plan(1, plan(generation("R2", "L2"), None));
        assert_eq!(current(&sim), Some(newest));
        assert!(sim.sent().is_empty(), "no check of its own");
        finish(sim, &["L1", "R1"]);
    }
}

#[test]
fn row_14_the_answer_may_be_of_another_fork() {
    for (mut sim, connected) in cases() {
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "R2")));
        sim.run(secs(1));
        let old = current(&sim);
        sim.plan(0, plan(generation("L2", "R3"), None));
        assert_eq!(current(&sim), old, "payload goes on where it went");
        assert_eq!(connected, old.is_some());
        peer_follows(&mut sim, "L2", "R3");
        finish(sim, &["L1", "R1", "R2"]);
    }
}

#[test]
fn row_15_a_restart_may_be_answered_with_the_old_credentials() {
    for (mut sim, _) in cases() {
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "")));
        sim.plan(0, plan(generation("L2", "R1"), None));
        assert_eq!(
            sim.ends[0].agent.pairs().count(),
            1,
            "the candidates of R1 are known"
        );
        peer_follows(&mut sim, "L2", "R1");
        finish(sim, &["L1"]);
    }
}

/// All that the peer has told by then is paired, and not the best of it alone.
#[test]
fn row_15_the_candidates_that_are_known_are_paired() {
    let mut sim = fresh();
    sim.both(|it| it.trickle = false);
    sim.plan(0, plan(generation("L1", "R1"), None));
    let (now, peer) = (sim.now, &mut sim.ends[0]);
    let agent = &mut peer.transports[0].agent;
    for port in 71..=73 {
        let told = candidate(port);
        agent
            .add_remote_candidate(now, &mut peer.set, &of("R1").ufrag, told)
            .unwrap();
    }
    assert_eq!(agent.pairs().count(), 3);
    sim.plan(0, plan(generation("L1", "R1"), generation("L2", "")));
    sim.plan(0, plan(generation("L2", "R1"), None));
    assert_eq!(sim.ends[0].agent.pairs().count(), 3);
}

#[test]
fn row_16_an_answer_may_bring_credentials_to_no_restart() {
    for (mut sim, _) in cases() {
        sim.plan(0, plan(generation("L1", "R3"), None));
        assert!(sim.ends[0].gathered.is_empty(), "nothing is gathered");
        peer_follows(&mut sim, "L1", "R3");
        finish(sim, &["R1"]);
    }
}

/// What was left for another fork and is agreed on again before that one answers is whole: it makes new pairs.
#[test]
fn row_16_what_is_listed_again_goes_on() {
    let (mut sim, _) = cases().next().unwrap();
    let old = current(&sim);
    sim.plan(0, plan(generation("L1", "R3"), None));
    sim.plan(0, plan(generation("L1", "R1"), None));
    assert_eq!((current(&sim), sim.ends[0].agent.pairs().count()), (old, 1));
    sim.wire.addresses[0].push(ip("10.0.0.9"));
    sim.tell_interfaces(0);
    sim.run(secs(1));
    assert_eq!(sim.ends[0].agent.pairs().count(), 2);
    finish(sim, &["R3"]);
}

/// The peer says with the same credentials that it does not trickle after all: it has told everything.
#[test]
fn what_a_side_says_of_itself_may_change() {
    let mut sim = fresh();
    sim.both(|it| it.trickle = false);
    sim.plan(0, plan(generation("L1", "R1"), None));
    sim.run(secs(1));
    let mut same = generation("L1", "R1").unwrap();
    same.remote.as_mut().unwrap().trickle = false;
    sim.plan(0, plan(Some(same), None));
    sim.run_until(secs(45), |sim| sim.states()[0] == State::Failed);
}

#[test]
fn row_17_a_removed_transport_closes() {
    for (mut sim, _) in cases() {
        let socket = socket(&sim, 0);
        sim.close(0);
        sim.settle();
        assert_eq!(sim.ends[0].closed, [socket]);
        sim.forget_sent();
        sim.run(secs(60));
        assert!(sim.requests(0).is_empty());
        assert_eq!(
            sim.ends[0].events.last(),
            Some(&Event::StateChanged(State::Closed))
        );
    }
}

#[test]
fn row_18_glare_is_a_rollback_and_an_answer() {
    for (mut sim, _) in cases() {
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "")));
        sim.plan(1, plan(generation("R1", "L1"), generation("R2", "")));
        sim.run(ms(100));
        sim.plan(0, plan(generation("L1", "R1"), None));
        sim.plan(0, plan(generation("L3", "R2"), None));
        peer_follows(&mut sim, "L3", "R2");
        finish(sim, &["L1", "R1", "L2"]);
    }
}

#[test]
fn row_19_a_second_restart_keeps_what_carries_payload() {
    for (mut sim, _) in cases() {
        let old = current(&sim);
        sim.plan(0, plan(generation("L2", "R2"), None));
        sim.run(secs(1));
        sim.plan(0, plan(generation("L3", "R3"), None));
        assert_eq!(current(&sim), old);
        sim.forget_sent();
        sim.run(secs(2));
        assert!(!checked(&sim, 0).contains(&"R2".into()));
        assert_eq!(current(&sim), old);
        peer_follows(&mut sim, "L3", "R3");
        finish(sim, &["L1", "R1", "L2", "R2"]);
    }
}

#[test]
fn row_20_candidates_name_their_generation() {
    let mut sim = fresh();
    sim.both(|it| it.trickle = false);
    sim.plan(0, plan(generation("L1", "R1"), generation("L2", "R2")));
    let (now, peer) = (sim.now, &mut sim.ends[0]);
    let (agent, set) = (&mut peer.transports[0].agent, &mut peer.set);
    let mut tell = |name: &str, port| {
        let told = agent.add_remote_candidate(now, set, &of(name).ufrag, candidate(port));
        (told, agent.pairs().count(), agent.stats().drops.candidates)
    };
    assert_eq!(tell("R2", 1), (Ok(()), 1, 0));
    assert_eq!(tell("R1", 2), (Ok(()), 1, 0), "of the stable one");
    assert_eq!(tell("R9", 3), (Err(Error::UnknownGeneration), 1, 0));
    agent
        .set_remote_end_of_candidates(now, set, &of("R2").ufrag)
        .unwrap();
    let told = agent.add_remote_candidate(now, set, &of("R2").ufrag, candidate(4));
    assert_eq!(told, Ok(()));
    assert_eq!(
        (agent.pairs().count(), agent.stats().drops.candidates),
        (1, 1)
    );
    assert_eq!(
        agent.remote_candidates().count(),
        2,
        "it is listed all the same"
    );
    agent
        .add_remote_candidate(now, set, &of("R1").ufrag, candidate(5))
        .unwrap();
    assert_eq!(agent.stats().drops.candidates, 1, "R1 has not ended");

    // Each end is its own: here R1 has ended.
    for (mut sim, _) in cases() {
        sim.both(|it| it.trickle = false);
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "R2")));
        let (now, peer) = (sim.now, &mut sim.ends[0]);
        let (agent, set) = (&mut peer.transports[0].agent, &mut peer.set);
        let before = agent.stats().drops.candidates;
        let mut tell = |name: &str, port| {
            let told = agent.add_remote_candidate(now, set, &of(name).ufrag, candidate(port));
            let dropped = agent.stats().drops.candidates - before;
            (told, agent.pairs().count(), dropped)
        };
        assert_eq!(tell("R2", 1), (Ok(()), 1, 0));
        assert_eq!(tell("R1", 2), (Ok(()), 1, 1));
        assert_eq!(tell("R9", 3), (Err(Error::UnknownGeneration), 1, 1));
        assert_eq!(tell("R2", 4), (Ok(()), 2, 1));
    }
}

#[test]
fn row_21_a_check_of_a_session_is_learnt_from() {
    for (mut sim, connected) in cases() {
        assert!(check(&mut sim, "L1", "R1", 9));
        assert!(is_learnt(&sim, 9));
        sim.plan(0, plan(generation("L2", "R2"), None));
        assert_eq!(
            check(&mut sim, "L1", "R1", 10),
            connected,
            "a retired one answers"
        );
        assert!(!is_learnt(&sim, 10));
        sim.run(secs(1));
        let in_return = |sent: &&Sent| sent.route.remote == from(10);
        assert!(!sim.requests(0).iter().any(in_return), "and learns nothing");
        peer_follows(&mut sim, "L2", "R2");
        finish(sim, &["L1", "R1"]);
    }
}

#[test]
fn row_22_a_check_of_an_unknown_peer_needs_an_open_side() {
    for (mut sim, _) in cases() {
        let before = sim.ends[0].agent.stats().drops.unauthenticated;
        assert!(!check(&mut sim, "L1", "R9", 9));
        assert_eq!(sim.ends[0].agent.stats().drops.unauthenticated, before + 1);
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "")));
        assert!(check(&mut sim, "L2", "R9", 10));
        assert!(!check(&mut sim, "L1", "R9", 11));
        sim.plan(0, plan(generation("L1", "R1"), None));
        finish(sim, &["L2"]);
    }
}

#[test]
fn row_22_equal_fragments_with_other_passwords_are_other_sides() {
    for (mut sim, _) in cases() {
        let same_name = Credentials::new(of("R1").ufrag.clone(), of("R2").password.clone());
        let open = Generation {
            local: of("L2"),
            remote: Some(told(&same_name)),
        };
        let newest = sim.ends[0].agent.newest_generation();
        sim.plan(0, plan(None, Some(open)));
        assert!(sim.ends[0].agent.newest_generation() > newest);
        assert_eq!(sim.ends[0].agent.remote_candidates().count(), 0);
    }
}

/// Ours as well: a local side with another password is gathered for.
#[test]
fn row_22_equal_fragments_of_ours_with_other_passwords_are_other_sides() {
    for (mut sim, _) in cases() {
        let local = Credentials::new(of("L1").ufrag.clone(), of("L2").password.clone());
        sim.ends[0].events.clear();
        let open = Generation {
            local,
            remote: None,
        };
        let stable = sim.ends[0].plan.stable.clone();
        sim.plan(0, plan(stable, Some(open)));
        let gathering = Event::GatheringStateChanged(GatheringState::Gathering);
        assert!(sim.ends[0].events.contains(&gathering));
    }
}

/// A new association on top uses no pair of an older generation than its own.
#[test]
fn payload_takes_no_older_pair_than_it_may() {
    for (mut sim, connected) in cases() {
        sim.plan(0, plan(generation("L2", "R2"), None));
        let (now, agent) = (sim.now, &sim.ends[0].agent);
        let newest = agent.newest_generation();
        let old = agent.payload_way(now, GenerationId::default());
        assert_eq!(old.is_some(), connected);
        assert_eq!(agent.payload_way(now, newest), None);
        sim.wire.up = [true, true];
        peer_follows(&mut sim, "L2", "R2");
        sim.run(secs(5));
        let way = sim.ends[0].agent.payload_way(sim.now, newest);
        assert_eq!(way.and_then(|it| it.generation()), Some(newest));
    }
}

#[test]
fn row_23_answers_to_a_session_that_is_gone_are_dropped() {
    for (mut sim, connected) in cases() {
        if connected {
            // The stable one stays, and what was open beside it goes.
            sim.wire.delay = ms(200);
            sim.plan(0, plan(generation("L1", "R1"), generation("L2", "R2")));
            sim.plan(1, plan(generation("R1", "L1"), generation("R2", "L2")));
            sim.run_until(secs(3), |sim| checked(sim, 0).contains(&"R2".into()));
            sim.plan(0, plan(generation("L1", "R1"), None));
            let before = sim.ends[0].agent.stats().drops.unexpected;
            sim.run(secs(1));
            assert!(sim.ends[0].agent.stats().drops.unexpected > before);
            sim.plan(1, plan(generation("R1", "L1"), None));
            sim.wire.delay = ms(10);
            finish(sim, &["L2", "R2"]);
            continue;
        }
        sim.wire.up = [true, true];
        sim.wire.delay = ms(200);
        sim.run_until(secs(3), |sim| !sim.requests(0).is_empty());
        sim.plan(0, plan(generation("L2", "R2"), None));
        let before = sim.ends[0].agent.stats().drops.unexpected;
        sim.run(secs(1));
        assert!(sim.ends[0].agent.stats().drops.unexpected > before);
        assert!(!sim.has_consent(0));
        sim.wire.delay = ms(10);
        peer_follows(&mut sim, "L2", "R2");
        finish(sim, &["L1", "R1"]);
    }
}

#[test]
fn row_24_the_new_pair_ends_the_old_one() {
    for (mut sim, connected) in cases() {
        let old = current(&sim);
        sim.wire.up = [true, true];
        sim.plan(0, plan(generation("L2", "R2"), None));
        peer_follows(&mut sim, "L2", "R2");
        sim.run_until(secs(5), |sim| current(sim) > old);
        assert_eq!(
            check(&mut sim, "L1", "R1", 9),
            connected,
            "for two seconds it still answers, if payload went on it"
        );
        sim.run(secs(3));
        assert!(!check(&mut sim, "L1", "R1", 10));
        finish(sim, &["L1", "R1"]);
    }

    // The pair is told before the state that comes with it.
    let (mut sim, _) = cases().nth(1).unwrap();
    sim.wire.up = [true, true];
    sim.run_until(secs(40), |sim| sim.has_consent(0));
    let told = &sim.ends[0].events;
    let pair = told
        .iter()
        .position(|it| matches!(it, Event::PairChanged(_)));
    let state = told
        .iter()
        .position(|it| matches!(it, Event::StateChanged(_)));
    assert!(pair.is_some() && pair < state, "{told:?}");
}

#[test]
fn row_25_payload_moves_when_the_old_pair_ends_first() {
    for (mut sim, connected) in cases() {
        let old = current(&sim);
        assert_eq!(old.is_some(), connected);
        sim.plan(0, plan(generation("L2", "R2"), None));
        sim.wire.up = [false, false];
        sim.run(secs(31));
        assert_eq!(current(&sim), None);
        assert_eq!(sim.states()[0], State::Checking, "the new one goes on");
        sim.wire.up = [true, true];
        peer_follows(&mut sim, "L2", "R2");
        sim.run_until(secs(40), |sim| current(sim) > old);
        finish(sim, &["L1", "R1"]);
    }
}

#[test]
fn row_26_a_new_generation_that_fails_is_no_failure_yet() {
    for (mut sim, connected) in cases() {
        sim.plan(0, plan(generation("L2", "R2"), None));
        let (now, peer) = (sim.now, &mut sim.ends[0]);
        let agent = &mut peer.transports[0].agent;
        agent
            .set_remote_end_of_candidates(now, &mut peer.set, &of("R2").ufrag)
            .unwrap();
        sim.run(secs(120));
        // Where no pair carries payload, nothing is left with the new one.
        let state = match connected {
            true => State::Connected,
            false => State::Failed,
        };
        assert_eq!(sim.states()[0], state);
        sim.wire.up = [false, false];
        sim.run(secs(33));
        assert_eq!(sim.states()[0], State::Failed);
        let failures = sim.history(0).into_iter();
        assert_eq!(failures.filter(|it| *it == State::Failed).count(), 1);
    }
}

#[test]
fn row_27_a_restart_outlives_the_stable_generation_for_a_while() {
    for (mut sim, connected) in cases() {
        sim.wire.up = [false, false];
        sim.run(secs(20));
        sim.plan(0, plan(generation("L1", "R1"), generation("L2", "")));
        assert_eq!(sim.states()[0], State::Checking);
        sim.run(secs(35));
        assert_eq!(sim.states()[0], State::Checking, "connected: {connected}");
        sim.run(secs(6));
        assert_eq!(sim.states()[0], State::Failed);
        sim.plan(0, plan(generation("L2", "R2"), None));
        peer_follows(&mut sim, "L2", "R2");
        assert_ne!(sim.states()[0], State::Failed, "an answer still revives");
        finish(sim, &["L1", "R1"]);
    }
}

#[test]
fn row_28_saying_it_again_does_nothing() {
    for (mut sim, _) in cases() {
        for open in [None, generation("L2", ""), generation("L2", "R2")] {
            sim.plan(0, plan(generation("L1", "R1"), open.clone()));
            sim.run(ms(40));
            forget(&mut sim);
            sim.plan(0, plan(generation("L1", "R1"), open));
            assert!(sim.ends[0].events.is_empty() && sim.sent().is_empty());
        }
        sim.close(0);
        sim.settle();
        forget(&mut sim);
        sim.run(secs(60));
        assert!(sim.ends[0].events.is_empty());
    }
}

/// Random plans: the sessions are those listed and at most one more, and nothing is checked that neither
/// the plan nor that one names.
#[test]
fn sessions_are_those_listed_and_one() {
    let names = ["1", "2", "3", "4"];
    for_each_seed(60, |seed| {
        let mut sim = sim::new(seed);
        sim.tell_interfaces(0);
        sim.tell_interfaces(1);
        for _ in 0..60 {
            let mut pick = || {
                let at = usize::try_from(sim.wire.random() >> 40).unwrap();
                names[at % 4]
            };
            let sides = [pick(), pick(), pick(), pick()].map(str::to_owned);
            let choice = sim.wire.random() >> 30;
            let of = |at: usize, prefix: &str| format!("{prefix}{}", sides[at]);
            let stable = generation(&of(0, "L"), &of(1, "R")).filter(|_| choice & 3 != 0);
            let remote = if choice & 4 == 0 {
                String::new()
            } else {
                of(3, "R")
            };
            let open = generation(&of(2, "L"), &remote).filter(|_| choice & 8 == 0);
            let open = open.filter(|open| Some(open) != stable.as_ref());
            let mirrored = |it: &Option<Generation>| {
                let it = it.as_ref()?;
                let remote = it.remote.as_ref()?;
                Some(Generation {
                    local: remote.credentials.clone(),
                    remote: Some(told(&it.local)),
                })
            };
            let theirs = plan(mirrored(&stable), mirrored(&open));
            sim.plan(0, plan(stable.clone(), open.clone()));
            if choice & 16 == 0 {
                sim.plan(1, theirs);
            }
            sim.wire.up = [choice & 96 != 0; 2];
            sim.forget_sent();
            sim.run(ms(choice % 3000));
            let listed = [&stable, &open].into_iter().flatten();
            let listed: Vec<_> = listed
                .filter_map(|it| Some(it.remote.as_ref()?.credentials.ufrag[..2].to_owned()))
                .collect();
            let mut others = checked(&sim, 0);
            others.retain(|name| !listed.contains(name));
            others.sort();
            others.dedup();
            assert!(
                others.len() <= 1,
                "seed {seed}: {others:?} beside {listed:?}"
            );
        }
    });
}

/// A side that takes the place of another, before anybody has answered, uses the sockets that are there.
#[test]
fn what_is_new_takes_over_the_sockets() {
    let mut sim = fresh();
    sim.plan(0, plan(None, generation("L1", "")));
    sim.run(ms(10));
    let first = sim.ends[0].gathered.clone();
    sim.ends[0].gathered.clear();
    sim.plan(0, plan(None, generation("L2", "")));
    sim.run(ms(10));
    assert!(sim.ends[0].closed.is_empty());
    assert!(!first.is_empty() && sim.ends[0].gathered == first);
}
