//! Two agents connect.
mod sim;

use oxirtc_ice::{
    Candidate, CandidateKind, Config, Error, Event, GatheringState, PairState, Role, State,
};
use oxirtc_netsim::{for_each_seed, ms, secs};

use crate::sim::{Sides, ip};

/// [5.6.4-02]: new, checking, connected, completed; both end on the same pair.
#[test]
fn two_agents_connect() {
    let mut sim = sim::new(1);
    sim.connect();
    let took = sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    assert!(took <= ms(300), "{took:?}");
    let [one, two] = sim
        .ends
        .each_ref()
        .map(|peer| peer.agent.selected_pair().unwrap().clone());
    assert_eq!(
        (one.path.local, one.path.remote),
        (two.path.remote, two.path.local)
    );
    assert_eq!(one.local.kind, CandidateKind::Host);
    let expected = [State::Checking, State::Connected, State::Completed];
    assert_eq!(sim.history(0), expected);
    assert_eq!(sim.ends[0].agent.rtt(), Some(ms(20)));
    assert_eq!(sim.ends[0].set.role(), Role::Controlling);
}

/// [5.6.4-02]: checks go at once, so that payload flows after one round trip.
#[test]
fn payload_may_flow_after_one_round_trip() {
    let mut sim = sim::new(2);
    sim.connect();
    let took = sim.run_until(secs(1), |sim| {
        [0, 1].iter().all(|side| sim.has_consent(*side))
    });
    assert!(took <= ms(20), "{took:?}");
}

/// On one machine, set-up is a matter of a millisecond.
#[test]
fn no_timer_stands_between_near_peers() {
    let mut sim = sim::new(3);
    sim.wire.delay = ms(0);
    sim.connect();
    let took = sim.run_until(secs(1), |sim| {
        [0, 1].iter().all(|side| sim.has_consent(*side))
    });
    assert_eq!(took, ms(0));
}

/// [5.6.3-01], [5.6-01]: new, gathering, complete, with the candidates in between; and the same again when ICE restarts.
#[test]
fn gathering_is_told_in_order() {
    let mut sim = sim::new(4);
    sim.wire.addresses[0] = vec![ip("10.0.0.1"), ip("2001:db8::1")];
    assert_eq!(sim.ends[0].agent.gathering_state(), GatheringState::New);
    sim.connect();
    let events = &sim.ends[0].events;
    assert_eq!(
        events[0],
        Event::GatheringStateChanged(GatheringState::Gathering)
    );
    let candidates = events
        .iter()
        .filter(|event| matches!(event, Event::CandidateGathered { .. }));
    assert_eq!(candidates.count(), 2);
    let complete = Event::GatheringStateChanged(GatheringState::Complete);
    let is_candidate = |event: &Event| matches!(event, Event::CandidateGathered { .. });
    let last = events.iter().rposition(is_candidate).unwrap();
    let ends = |events: &[Event]| events.iter().filter(|it| **it == complete).count();
    assert_eq!((ends(&events[..last]), ends(&events[last..])), (0, 1));
    let [v6, v4] = &sim.ends[0].gathered[..] else {
        panic!("two candidates");
    };
    assert!(v6.priority > v4.priority && v6.foundation != v4.foundation);
    sim.run(secs(5));
    let told = sim.ends[0].events.len();
    assert_eq!(
        sim.ends[0].agent.gathering_state(),
        GatheringState::Complete
    );
    sim.renew(0);
    sim.settle();
    let since = &sim.ends[0].events[told..];
    let begins = Event::GatheringStateChanged(GatheringState::Gathering);
    let begun = since.iter().position(|it| *it == begins).unwrap();
    assert_eq!((ends(&since[..begun]), ends(&since[begun..])), (0, 1));
    assert_eq!(
        sim.ends[0].agent.gathering_state(),
        GatheringState::Complete
    );
}

/// Both families are paired with their own kind only, and the better one is nominated.
#[test]
fn the_better_family_wins() {
    let mut sim = sim::new(5);
    sim.wire.addresses[0] = vec![ip("10.0.0.1"), ip("2001:db8::1")];
    sim.wire.addresses[1] = vec![ip("10.0.0.2"), ip("2001:db8::2")];
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    assert_eq!(sim.ends[0].agent.pairs().count(), 2);
    let pair = sim.ends[0].agent.selected_pair().unwrap();
    assert!(pair.path.local.is_ipv6() && pair.path.remote.is_ipv6());
}

/// Thirty percent of all datagrams lost each way: they connect nevertheless.
#[test]
fn they_connect_through_loss() {
    for_each_seed(40, |seed| {
        let mut sim = sim::new(100 + seed);
        sim.wire.loss = 77;
        sim.connect();
        let took = sim.run_until(secs(20), |sim| sim.both_are(State::Completed));
        assert!(took <= secs(20), "seed {seed}");
    });
}

/// [5.6.4-08]: closed is closed, and says so once.
#[test]
fn close_ends_everything() {
    let mut sim = sim::new(6);
    sim.connect().run(secs(1));
    sim.close(0);
    sim.close(0);
    sim.settle();
    assert_eq!(sim.ends[0].closed.len(), 1);
    assert_eq!(sim.history(0).last(), Some(&State::Closed));
    assert!(sim.payload_path(0).is_none() && sim.ends[0].agent.selected_pair().is_none());
    assert_eq!(sim.ends[0].agent.poll_timeout(), None);
    let (now, plan) = (sim.now, sim.ends[0].plan.clone());
    let peer = &mut sim.ends[0];
    let refused = peer.transports[0].agent.set_plan(now, &mut peer.set, plan);
    assert_eq!(refused, Err(Error::Closed));
    let before = sim.requests(0).len();
    sim.run(secs(60));
    assert_eq!(sim.requests(0).len(), before);
}

/// [5.6.4-04]: nothing gathered, nothing to come: failed at once.
#[test]
fn no_candidate_at_all_fails() {
    let mut sim = sim::new(7);
    sim.wire.addresses[0].clear();
    sim.wire.addresses[1].clear();
    sim.connect();
    sim.run_until(ms(1), |sim| sim.both_are(State::Failed));
}

/// [5.6.4-03], [5.6.4-04]: all pairs failed, but the peer is given 39.5 s to reach us (RFC 8863).
#[test]
fn patience_holds_failure_back() {
    let mut sim = sim::new(8);
    sim.wire.up = [false, false];
    sim.connect();
    let took = sim.run_until(secs(60), |sim| sim.both_are(State::Failed));
    assert!(took >= ms(39_500) && took <= ms(40_500), "{took:?}");
}

/// RFC 8445 §14.3 makes the RTO of a long list long, and seven transmissions a matter of minutes. Ours end 39.5 s after they began.
#[test]
fn a_long_list_ends_soon() {
    let mut sim = sim::new(10);
    sim.both(|it| it.trickle = false);
    sim.wire.up = [false, false];
    sim.connect();
    let candidate = sim.ends[1].gathered[0].clone();
    for number in 0..100 {
        sim.candidate(
            0,
            Candidate {
                foundation: number.to_string(),
                port: 20_000 + number,
                ..candidate.clone()
            },
        );
    }
    sim.end_of_candidates(0);
    let took = sim.run_until(secs(600), |sim| sim.states()[0] == State::Failed);
    // A new one begins every 50 ms.
    assert!(took >= ms(39_500) && took < secs(50), "{took:?}");
}

/// All that the peer has told is being checked, which takes 39.5 s where nobody has it. Its own check is answered in return all the same.
#[test]
fn a_peer_is_learnt_while_a_whole_list_is_checked() {
    let mut sim = sim::new(12);
    sim.both(|it| it.trickle = false);
    sim.connect();
    let (ours, theirs) = (&sim.ends[0].gathered[0], &sim.ends[1].gathered[0]);
    let (ours, theirs) = (ours.clone(), theirs.clone());
    for number in 0..100 {
        sim.candidate(
            0,
            Candidate {
                foundation: number.to_string(),
                port: 20_000 + number,
                ..theirs.clone()
            },
        );
    }
    sim.run(secs(8));
    let waiting = sim.ends[0].agent.pairs();
    let waiting = waiting.filter(|it| it.state != PairState::InProgress);
    assert_eq!(waiting.count(), 0);
    sim.candidate(1, ours);
    let took = sim.run_until(secs(60), |sim| sim.has_consent(0));
    assert!(took < secs(2), "{took:?}");
    assert_eq!(sim.ends[0].agent.pairs().count(), 100);
}

/// [5.6.4-03]: all pairs failed while more candidates may come: disconnected, not failed.
#[test]
fn without_end_of_candidates_it_is_disconnected() {
    let mut sim = sim::new(9);
    sim.both(|it| it.trickle = false);
    sim.wire.up = [false, false];
    sim.connect();
    let candidate = sim.ends[1].gathered[0].clone();
    sim.candidate(0, candidate);
    sim.run(secs(60));
    assert_eq!(sim.states()[0], State::Disconnected);
    sim.end_of_candidates(0);
    assert_eq!(sim.states()[0], State::Failed);
}

/// Whatever a setting of time is, nothing is added up that is no time any more.
#[test]
fn the_longest_settings_are_taken() {
    let longest = std::time::Duration::MAX;
    for config in [
        Config::default().pacing(longest),
        Config::default().patience(longest),
        Config::default().consent_interval(longest),
        Config::default().nomination_wait(longest),
    ] {
        let mut sim = sim::with(1, [config, Config::default()]);
        sim.connect();
        sim.run(secs(10));
        assert_eq!(sim.states()[1], State::Completed);
    }
}
