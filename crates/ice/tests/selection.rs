//! Which pair payload goes on: moves, returns, backups, consent, and what is told of it.
mod sim;

use oxirtc_ice::{Config, Event, GenerationId, State};
use oxirtc_netsim::{for_each_seed, ms, secs};

use crate::sim::{Sent, Sides, Sim, ip};

/// Two hosts with two addresses each, one of either family; IPv6 is nominated.
fn two_ways(seed: u64) -> Sim {
    over_two_ways(sim::new(seed))
}

fn over_two_ways(mut sim: Sim) -> Sim {
    sim.wire.addresses[0] = vec![ip("10.0.0.1"), ip("2001:db8::1")];
    sim.wire.addresses[1] = vec![ip("10.0.0.2"), ip("2001:db8::2")];
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.run(secs(2));
    assert!(goes_by_v6(&sim, 0) && goes_by_v6(&sim, 1));
    for peer in &mut sim.ends {
        peer.events.clear();
    }
    sim.forget_sent();
    sim
}

fn goes_by_v6(sim: &Sim, side: usize) -> bool {
    sim.payload_path(side)
        .is_some_and(|path| path.remote.is_ipv6())
}

/// A pair that falls silent is left for one that answers, in both roles, within a second of the first
/// unanswered check; and returned to when it answers again.
#[test]
fn payload_leaves_a_silent_pair_and_returns() {
    for_each_seed(5, |seed| {
        let mut sim = two_ways(seed);
        sim.wire.dead = vec![ip("2001:db8::1")];
        sim.run_until(secs(7), |sim| {
            [0, 1].iter().all(|side| !goes_by_v6(sim, *side))
        });
        assert!([0, 1].iter().all(|side| sim.has_consent(*side)));
        let since = sim.now;
        sim.run(secs(1));
        let told = |event: &&Event| matches!(event, Event::PairChanged(_));
        assert_eq!(sim.ends[0].events.iter().filter(told).count(), 1);
        assert!(
            sim.history(0)
                .iter()
                .all(|state| *state != State::Disconnected)
        );
        sim.wire.dead.clear();
        sim.run_until(secs(5), |sim| {
            [0, 1].iter().all(|side| goes_by_v6(sim, *side))
        });
        assert!(sim.now >= since + secs(2), "it does not flap");
    });
}

/// A NAT between the two has given side 0 another port, and knows nothing of the old one. Whoever sends, the path is found within
/// two seconds: the silence is noticed after 750 ms, and payload moves half a second after the first check on the new path.
#[test]
fn a_rebinding_is_found_by_silence() {
    for sends in [[true, true], [true, false], [false, true]] {
        let mut sim = sim::new(20);
        sim.connect();
        sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
        // Just after a check of consent: the next one is four seconds away.
        sim.forget_sent();
        sim.run_until(secs(10), |sim| !sim.requests(0).is_empty());
        let flow = |sim: &mut Sim, length: std::time::Duration| {
            let end = sim.now + length;
            while sim.now < end {
                for side in [0, 1] {
                    // The one that does not send acknowledges what has come.
                    let came = std::mem::take(&mut sim.ends[side].received);
                    if sends[side] || came.iter().any(|it| *it == PAYLOAD) {
                        let payload = if sends[side] { PAYLOAD } else { &[0x80] };
                        sim.send_payload(side, payload);
                    }
                }
                sim.run(ms(20));
            }
        };
        flow(&mut sim, ms(600));
        let mapping = |sim: &Sim| {
            let way = sim.ends[0]
                .agent
                .payload_way(sim.now, GenerationId::default());
            way.map(|way| way.mapping())
        };
        let mapped = mapping(&sim);
        let old = sim.payload_path(1).unwrap();
        let new = std::net::SocketAddr::new(old.remote.ip(), 9);
        sim.forget_sent();
        sim.wire.mapped = Some((old.remote, new));
        let (start, mut first) = (sim.now, None);
        while sim.payload_path(1).unwrap().remote != new {
            flow(&mut sim, ms(20));
            let checks = sim.requests(0);
            first = first.or(checks.first().map(|sent| sent.at));
            assert!(sim.now - start < secs(2), "{sends:?}: {first:?}");
        }
        let first = first.unwrap();
        assert!(first - start <= ms(850), "{:?}", first - start);
        assert!(sim.now - first <= secs(1), "{:?}", sim.now - first);
        assert_ne!(mapping(&sim), mapped, "an answer has shown it");
    }
}

/// While payload goes both ways consent alone is asked for; where it goes one way for good, the checks for that become seldom.
#[test]
fn silence_costs_little() {
    for (sends, most) in [
        ([true, true], 30),
        ([true, false], 45),
        ([false, false], 30),
    ] {
        let mut sim = sim::new(21);
        sim.connect();
        sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
        sim.forget_sent();
        for _ in 0..240 {
            for side in [0, 1] {
                if sends[side] {
                    sim.send_payload(side, PAYLOAD);
                }
            }
            sim.run(ms(500));
        }
        let asked = sim.requests(0).len();
        assert!((20..=most).contains(&asked), "{sends:?}: {asked} in 120 s");
    }
}

/// Whose payload ceases to come is asked once, 750 ms later, and not again for it.
#[test]
fn the_end_of_a_flow_is_asked_about_once() {
    let mut sim = sim::new(22);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.forget_sent();
    sim.run_until(secs(10), |sim| !sim.requests(0).is_empty());
    sim.run(ms(50));
    sim.send_payload(1, PAYLOAD);
    sim.forget_sent();
    sim.run(ms(750));
    assert_eq!(sim.requests(0).len(), 0);
    sim.run(ms(100));
    assert_eq!(sim.requests(0).len(), 1);
    sim.run(secs(3));
    assert_eq!(sim.requests(0).len(), 1);
}

/// Payload that comes on another pair does not show that ours works.
#[test]
fn payload_of_another_pair_does_not_count() {
    let mut sim = two_ways(23);
    // The peer goes on without noticing what has become of this pair.
    let mut pairs = sim.ends[1].agent.pairs();
    let other = pairs
        .find(|it| it.pair.path.remote.is_ipv4())
        .unwrap()
        .pair
        .path;
    drop(pairs);
    sim.wire.dead = vec![ip("2001:db8::1")];
    sim.forget_sent();
    let start = sim.now;
    while sim.now < start + secs(2) {
        sim.send_payload(0, PAYLOAD);
        sim.carry(1, other, PAYLOAD.to_vec());
        sim.run(ms(20));
        if !goes_by_v6(&sim, 0) {
            return;
        }
    }
    panic!("payload stays on a dead pair");
}

const PAYLOAD: &[u8] = &[0x80; 20];

/// A pair that answers is kept, whatever the other does.
#[test]
fn a_pair_that_answers_is_kept() {
    let mut sim = two_ways(1);
    sim.run(secs(120));
    let told = |event: &Event| matches!(event, Event::PairChanged(_));
    assert!(!sim.ends[0].events.iter().any(told));
    sim.wire.dead = vec![ip("10.0.0.1")];
    sim.run(secs(120));
    assert!(!sim.ends[0].events.iter().any(told));
    assert!(sim.both_are(State::Completed));
}

/// Another connection claims the peer's address: a peer that is there keeps it, and one that is not loses it within two seconds.
#[test]
fn a_challenged_pair_is_answered_for_or_ends() {
    for alive in [true, false] {
        let mut sim = sim::new(11);
        sim.connect().run(secs(3));
        let path = sim.payload_path(0).unwrap();
        sim.wire.up[1] = alive;
        let asked = sim.requests(0).len();
        let now = sim.now;
        let peer = &mut sim.ends[0];
        peer.transports[0]
            .agent
            .handle_challenge(now, &mut peer.set, path);
        sim.run(ms(1));
        assert_eq!(sim.requests(0).len(), asked + 1, "it is checked at once");
        sim.run(ms(1_900));
        assert!(sim.has_consent(0));
        sim.run(ms(200));
        assert_eq!(sim.has_consent(0), alive);
        let released = |event: &Event| matches!(event, Event::PathReleased(of) if *of == path);
        assert_eq!(sim.ends[0].events.iter().any(released), !alive);
        sim.run(secs(40));
        assert_eq!(sim.has_consent(0), alive);
    }
}

/// After nomination the other pair is kept warm: a check every 12 s ± 20 %.
#[test]
fn backups_are_kept_warm() {
    let mut sim = two_ways(2);
    sim.run(secs(600));
    let backup = sim
        .requests(0)
        .into_iter()
        .filter(|sent| sent.route.remote.is_ipv4());
    let times: Vec<_> = backup.map(|sent| sent.at).collect();
    // What the peer checks is checked in return, so a check may come sooner.
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((40..=130).contains(&times.len()), "{}", times.len());
    assert!(gaps.iter().all(|gap| *gap <= ms(14_400)), "{gaps:?}");
}

/// USE-CANDIDATE is never on a second pair when nominations have no numbers (RFC 8445 §8.1.1).
#[test]
fn a_second_pair_is_not_nominated() {
    let mut sim = two_ways(3);
    sim.wire.dead = vec![ip("2001:db8::1")];
    sim.run(secs(60));
    let use_candidate = |bytes: &[u8]| bytes.windows(4).any(|it| it == [0, 0x25, 0, 0]);
    let second = sim
        .requests(0)
        .into_iter()
        .filter(|sent| sent.route.remote.is_ipv4() && use_candidate(&sent.datagram));
    assert_eq!(second.count(), 0);
    assert!(!goes_by_v6(&sim, 0) && sim.has_consent(0));
}

/// Where both number their nominations, what payload has moved to is nominated, with the next number, and so is the better pair when
/// payload returns to it: both ends are on one pair each time.
#[test]
fn a_move_is_nominated_and_taken_back() {
    let config = Config::default().renomination(true);
    let mut sim = sim::with(26, [config.clone(), config]);
    sim.both(|it| it.says_renomination = true);
    let mut sim = over_two_ways(sim);
    let nominated = |sim: &Sim, side: usize| {
        let agent = &sim.ends[side].agent;
        let mut found = agent.pairs().filter(|it| it.nominated);
        found.any(|it| Some(it.pair.path) == sim.payload_path(side))
    };
    sim.wire.dead = vec![ip("2001:db8::1")];
    sim.run_until(secs(7), |sim| {
        [0, 1]
            .iter()
            .all(|side| !goes_by_v6(sim, *side) && nominated(sim, *side))
    });
    sim.run(secs(4));
    sim.wire.dead.clear();
    sim.run_until(secs(3), |sim| {
        [0, 1]
            .iter()
            .all(|side| goes_by_v6(sim, *side) && nominated(sim, *side))
    });
    sim.run(secs(20));
    let number = |sent: &&Sent| {
        let at = sent
            .datagram
            .windows(4)
            .position(|it| it == [0xc0, 1, 0, 4]);
        at.map(|at| (sent.route.remote.is_ipv6(), sent.datagram[at + 7]))
    };
    let sent = sim.requests(0);
    let mut numbers: Vec<_> = sent.iter().filter_map(number).collect();
    // Consent on what was nominated before goes on beside it.
    numbers.sort_by_key(|it| it.1);
    numbers.dedup();
    assert_eq!(numbers, [(true, 1), (false, 2), (true, 3)]);
    let told = |event: &&Event| matches!(event, Event::PairChanged(_));
    assert_eq!(sim.ends[0].events.iter().filter(told).count(), 2);
}

/// RFC 7675 §5.1: 30 s after the last answer nothing leaves, although no timer ran.
#[test]
fn consent_ends_by_the_clock() {
    let mut sim = sim::new(4);
    sim.connect().run(secs(3));
    let agent = &sim.ends[0].agent;
    let way = |after| agent.payload_way(sim.now + after, GenerationId::default());
    assert!(way(secs(20)).is_some());
    assert_eq!(way(secs(31)), None);
    assert!(!agent.has_consent(sim.now + secs(31)));
}

/// A peer that dies with pairs of both families is announced as disconnected, then failed: not as
/// connected in between.
#[test]
fn a_dead_peer_is_not_announced_as_alive() {
    for_each_seed(10, |seed| {
        let mut sim = two_ways(seed);
        sim.run_until(secs(30), |sim| {
            let v6 = |sent: &&Sent| sent.route.remote.is_ipv6();
            sim.requests(0).into_iter().filter(v6).count() > 1
        });
        sim.run(ms(30));
        let answered = sim
            .requests(0)
            .into_iter()
            .rev()
            .find(|it| it.route.remote.is_ipv6());
        let end = answered.map(|sent| sent.at + ms(20) + secs(30));
        sim.wire.up = [false, false];
        sim.run_until(secs(60), |sim| sim.states()[0] == State::Failed);
        assert_eq!(
            Some(sim.now),
            end,
            "with the pair in use, however late the other answered"
        );
        sim.run_until(secs(60), |sim| sim.both_are(State::Failed));
        for side in [0, 1] {
            let states = sim.history(side);
            assert_eq!(states, [State::Disconnected, State::Failed], "seed {seed}");
        }
        assert!(
            sim.ends[0].agent.selected_pair().is_some(),
            "the last one is still shown"
        );
    });
}

/// The same where the other pair has answered last: it ends with the pair in use, and is not what the peer is said to live on.
#[test]
fn a_late_answer_elsewhere_does_not_prolong_a_life() {
    for_each_seed(5, |seed| {
        let mut sim = two_ways(seed);
        let is_v4 = |sent: &Sent| sent.route.remote.is_ipv4();
        sim.run_until(secs(60), |sim| {
            let asked = sim.requests(0);
            let v6 = asked.iter().any(|it| !is_v4(it));
            v6 && asked.last().is_some_and(|it| is_v4(it))
        });
        let asked = sim.requests(0);
        let last = asked.iter().rev().find(|it| !is_v4(it)).unwrap().at;
        // It is answered, and what asks the pair in use because of it is not.
        sim.run(ms(25));
        sim.wire.up = [false, false];
        sim.run_until(secs(60), |sim| sim.states()[0] == State::Failed);
        assert_eq!(sim.now, last + ms(20) + secs(30), "seed {seed}");
    });
}

/// `Disconnected` comes 5 s after the first unanswered check.
#[test]
fn silence_shows_after_five_seconds() {
    let mut sim = sim::new(5);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.run(secs(1));
    sim.wire.up = [false, false];
    sim.forget_sent();
    sim.run_until(secs(10), |sim| !sim.requests(0).is_empty());
    let first = sim.requests(0)[0].at;
    sim.run_until(secs(10), |sim| sim.states()[0] == State::Disconnected);
    assert_eq!(sim.now - first, secs(5));
}

/// [5.6-07]: the pair is told from the first one on, and before the state.
#[test]
fn the_first_pair_is_told_before_the_state() {
    let mut sim = sim::new(6);
    sim.connect();
    sim.run_until(secs(1), |sim| sim.states()[0] == State::Connected);
    let events = &sim.ends[0].events;
    let pair = events
        .iter()
        .position(|it| matches!(it, Event::PairChanged(_)));
    let state = Event::StateChanged(State::Connected);
    let state = events.iter().position(|it| *it == state);
    assert!(pair.is_some() && pair < state, "{events:?}");
    assert!(sim.elapsed() <= ms(20), "no nomination is waited for");
}

/// An interface goes: payload moves in the same moment; its socket is closed.
#[test]
fn a_lost_interface_is_left_at_once() {
    let mut sim = two_ways(7);
    let old = sim.payload_path(0).map(|path| path.local);
    sim.wire.addresses[0] = vec![ip("10.0.0.1")];
    sim.tell_interfaces(0);
    assert!(sim.has_consent(0) && !goes_by_v6(&sim, 0));
    sim.settle();
    assert_eq!(sim.ends[0].closed, Vec::from_iter(old));
    // The peer moves when it notices, without a word of signalling.
    // Its checks make ours be asked at once, so that it takes a second and not the rest of an interval.
    sim.run_until(ms(1100), |sim| !goes_by_v6(sim, 1));
    assert!(sim.has_consent(1));
}

/// An interface comes after gathering is complete: it is not told, and used all the same.
#[test]
fn a_new_interface_needs_no_signalling() {
    let mut sim = sim::new(8);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.ends[0].events.clear();
    sim.wire.addresses[0] = vec![ip("10.0.0.77")];
    sim.tell_interfaces(0);
    assert!(!sim.has_consent(0));
    assert_ne!(sim.states()[0], State::Failed);
    let gap = sim.run_until(secs(2), |sim| sim.has_consent(0) && sim.has_consent(1));
    assert!(gap <= ms(100), "{gap:?}");
    sim.run_until(secs(7), |sim| {
        sim.payload_path(1)
            .is_some_and(|path| path.remote.ip() == ip("10.0.0.77"))
    });
    let gathered = |event: &Event| {
        matches!(
            event,
            Event::CandidateGathered { .. } | Event::GatheringStateChanged(_)
        )
    };
    assert!(!sim.ends[0].events.iter().any(gathered));
}

/// A network that comes may be the end of the one in use: the pair in use is asked at once, and not when its next check is due.
#[test]
fn a_new_interface_brings_doubt() {
    let mut sim = sim::new(31);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.run(ms(500));
    let path = sim.payload_path(0).unwrap();
    let asked = |sim: &Sim| {
        let requests = sim.requests(0);
        requests.iter().filter(|it| it.route == path).count()
    };
    let before = asked(&sim);
    sim.run(ms(200));
    assert_eq!(asked(&sim), before);
    sim.wire.addresses[0].push(ip("10.0.0.77"));
    sim.tell_interfaces(0);
    // The peer has no part in it.
    sim.wire.up[1] = false;
    sim.run(ms(100));
    assert_eq!(asked(&sim), before + 1);
}

/// Between one network and the next there may be none for a while.
#[test]
fn no_network_at_all_is_no_failure_yet() {
    let mut sim = sim::new(9);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.run(secs(60));
    sim.wire.addresses[0].clear();
    sim.tell_interfaces(0);
    sim.run(secs(15));
    assert_eq!(sim.states()[0], State::Disconnected);
    sim.wire.addresses[0] = vec![ip("10.0.0.78")];
    sim.tell_interfaces(0);
    sim.run_until(secs(1), |sim| sim.has_consent(0) && sim.has_consent(1));
    sim.wire.addresses[0].clear();
    sim.tell_interfaces(0);
    sim.run(secs(31));
    assert_eq!(sim.states()[0], State::Failed);
}

/// The system has no route: the other pair carries payload at once.
#[test]
fn unreachable_moves_at_once() {
    let mut sim = two_ways(10);
    let path = sim.payload_path(0);
    let (now, peer) = (sim.now, &mut sim.ends[0]);
    let agent = &mut peer.transports[0].agent;
    agent.handle_unreachable(
        now,
        &mut peer.set,
        path.unwrap_or_else(|| panic!("no path")),
    );
    assert!(!goes_by_v6(&sim, 0));
    sim.run(secs(5));
    assert!(goes_by_v6(&sim, 0), "it answers, so it is returned to");
}

/// A peer that does not trickle has said everything: what cannot work fails after 39.5 s.
#[test]
fn a_peer_without_trickle_has_told_all() {
    let mut sim = sim::new(11);
    sim.both(|it| (it.trickle, it.says_trickle) = (false, false));
    sim.connect();
    let took = sim.run_until(secs(41), |sim| sim.both_are(State::Failed));
    assert!(took >= ms(39_500), "{took:?}");
}

/// A peer whose end of candidates is forgotten is given up 79 s after the last sign of it.
#[test]
fn a_forgotten_end_comes_by_itself() {
    let mut sim = sim::new(12);
    sim.both(|it| it.trickle = false);
    sim.connect();
    sim.run(secs(78));
    assert_eq!(sim.states()[0], State::New);
    sim.run(secs(2));
    assert_eq!(sim.states()[0], State::Failed);
}

/// The 79 s begin anew with each candidate, and with each message of the peer that is authentic.
#[test]
fn the_peer_is_waited_for_from_its_last_sign_on() {
    let failed = |sim: &Sim| sim.states()[0] == State::Failed;
    let mut sim = sim::new(30);
    sim.both(|it| it.trickle = false);
    sim.connect();
    sim.wire.up = [false, false];
    sim.run(secs(50));
    let told = sim.ends[1].gathered[0].clone();
    sim.candidate(0, told);
    sim.run(secs(78));
    assert!(!failed(&sim), "the candidate came at 50 s");
    sim.run(secs(2));
    assert!(failed(&sim));
    let mut sim = sim::new(31);
    sim.both(|it| it.trickle = false);
    sim.connect();
    sim.wire.up = [false, true];
    let told = sim.ends[0].gathered[0].clone();
    sim.candidate(1, told);
    sim.run(secs(60));
    let last = sim.requests(1).last().unwrap().at - oxirtc_netsim::epoch();
    assert!(last >= secs(30), "{last:?}");
    sim.run(last + secs(78) - secs(60));
    assert!(!failed(&sim), "the last message came at {last:?}");
    sim.run(secs(3));
    assert!(failed(&sim));
}

/// The best pair of each base is kept warm, of four bases, also where the peer has one base for all of them; and there when it is needed.
#[test]
fn four_bases_are_kept_warm() {
    let mut sim = sim::new(32);
    sim.wire.addresses[0] = (1..=7).map(|n| ip(&format!("10.0.1.{n}"))).collect();
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.run(secs(240));
    sim.forget_sent();
    sim.run(secs(60));
    let mut paths: Vec<_> = sim.requests(0).iter().map(|sent| sent.route).collect();
    paths.sort_by_key(|path| (path.local, path.remote));
    paths.dedup();
    let mut bases: Vec<_> = paths.iter().map(|path| path.local).collect();
    bases.dedup();
    assert_eq!((paths.len(), bases.len()), (5, 5), "with the one in use");
    let before = sim.payload_path(1).unwrap();
    sim.wire.dead = vec![before.remote.ip()];
    let moved = |sim: &Sim| sim.payload_path(1).is_some_and(|path| path != before);
    sim.run_until(secs(7), |sim| moved(sim));
    assert!(
        sim.payload_path(0)
            .is_some_and(|path| path.local != before.remote)
    );
}

/// A path that takes long is not taken for one that has died.
#[test]
fn a_long_round_trip_is_no_silence() {
    let mut sim = two_ways(33);
    sim.wire.delay = ms(600);
    sim.run(secs(120));
    sim.forget_sent();
    for peer in &mut sim.ends {
        peer.events.clear();
    }
    sim.run(secs(120));
    let told = |event: &&Event| matches!(event, Event::PairChanged(_));
    for side in [0, 1] {
        assert_eq!(sim.ends[side].events.iter().filter(told).count(), 0);
    }
    // One check of the pair in use each 5 s, and none for the sake of the first one's delay.
    let checks = sim.requests(0).into_iter();
    let checks = checks.filter(|it| it.route.remote.is_ipv6()).count();
    assert!((18..=32).contains(&checks), "{checks}");
}

/// A list that is full of pairs which fail lets those in that found no room.
#[test]
fn a_pair_that_ends_is_replaced() {
    let mut sim = sim::with(13, [Config::default().max_pairs(3), Default::default()]);
    sim.both(|it| it.trickle = false);
    sim.connect();
    sim.wire.up = [false, false];
    for last in 100..110 {
        let mut candidate = sim.ends[1].gathered[0].clone();
        candidate.foundation = last.to_string();
        candidate.priority -= last;
        candidate.address = oxirtc_ice::Address::Ip(ip(&format!("10.0.0.{last}")));
        sim.candidate(0, candidate);
    }
    sim.run(secs(200));
    let mut asked: Vec<_> = sim
        .requests(0)
        .iter()
        .map(|sent| sent.route.remote)
        .collect();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), 10, "each is tried once: {asked:?}");
}

/// With relayed candidates alone, nothing of this machine is told, checked from or answered at.
#[test]
fn a_relay_policy_shows_nothing() {
    let mut sim = sim::new(14);
    let policy = oxirtc_ice::TransportPolicy::Relay;
    sim.ends[0].agent.set_transport_policy(policy);
    sim.connect();
    sim.run(secs(60));
    assert!(sim.ends[0].gathered.is_empty());
    assert_eq!(sim.sent_by(0).count(), 0);
    // Set later it counts from the next local credentials on.
    let mut sim = sim::new(15);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.ends[0].agent.set_transport_policy(policy);
    sim.ends[0].gathered.clear();
    sim.renew(0);
    sim.tell_credentials(0);
    sim.renew(1);
    sim.tell_credentials(1);
    sim.settle();
    assert!(sim.ends[0].gathered.is_empty());
    assert!(sim.has_consent(0), "what works is not taken back");
}

/// The peer has left the pair in use for another that works, and its payload shows it: payload follows within 350 ms, although the pair
/// has answered just now. Nobody waits for consent, nor for silence.
#[test]
fn payload_follows_the_peers() {
    for_each_seed(5, |seed| {
        let mut sim = two_ways(seed);
        sim.run(ms(7 * seed));
        // Payload of the peer comes on the pair in use first.
        for _ in 0..20 {
            sim.send_payload(0, PAYLOAD);
            sim.send_payload(1, PAYLOAD);
            sim.run(ms(20));
        }
        sim.forget_sent();
        sim.run_until(secs(10), |sim| {
            sim.requests(1).iter().any(|it| it.route.remote.is_ipv6())
        });
        sim.run(ms(21));
        sim.send_payload(0, PAYLOAD);
        sim.wire.addresses[0] = vec![ip("10.0.0.1")];
        sim.tell_interfaces(0);
        sim.wire.dead = vec![ip("2001:db8::1")];
        let start = sim.now;
        while goes_by_v6(&sim, 1) {
            sim.send_payload(0, PAYLOAD);
            sim.run(ms(10));
            assert!(sim.now - start < ms(350), "seed {seed}");
        }
    });
}

/// A peer that always sends on another pair than we do has not left ours: it is not asked more often for that.
#[test]
fn payload_on_two_pairs_is_no_reason_to_ask() {
    let mut sim = two_ways(24);
    let mut pairs = sim.ends[0].agent.pairs();
    let other = pairs.find(|it| it.pair.path.remote.is_ipv4());
    let other = other.unwrap().pair.path;
    drop(pairs);
    sim.forget_sent();
    for _ in 0..300 {
        sim.carry(0, other, PAYLOAD.to_vec());
        sim.send_payload(1, PAYLOAD);
        sim.run(ms(20));
    }
    let asked = sim.requests(1);
    let asked = asked.iter().filter(|it| it.route.remote.is_ipv6()).count();
    assert!(asked <= 8, "{asked} checks in six seconds");
    assert!(goes_by_v6(&sim, 1));
}

/// The peer comes from an address that nobody has known, and from no other: it is followed within 350 ms of its first check.
#[test]
fn a_peer_with_another_address_is_followed() {
    for_each_seed(5, |seed| {
        let mut sim = sim::new(30 + seed);
        sim.connect();
        sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
        sim.run(secs(10));
        sim.forget_sent();
        sim.run_until(secs(10), |sim| !sim.requests(1).is_empty());
        sim.run(ms(21));
        let old = sim.payload_path(1);
        sim.forget_sent();
        sim.wire.dead = vec![sim.wire.addresses[0][0]];
        sim.wire.addresses[0] = vec![ip("10.0.0.77")];
        sim.tell_interfaces(0);
        sim.run_until(secs(1), |sim| sim.payload_path(1) != old);
        let first = sim.requests(0)[0].at;
        assert!(sim.now - first <= ms(350), "{:?}", sim.now - first);
    });
}

/// Nothing got through from the second address while the first one was there. When that goes, what has failed is checked at once,
/// the best first.
#[test]
fn what_failed_is_checked_again_in_another_network() {
    let mut sim = sim::new(40);
    sim.wire.addresses[0] = vec![ip("10.0.0.1"), ip("10.0.0.9")];
    sim.wire.dead = vec![ip("10.0.0.9")];
    sim.connect();
    sim.run_until(secs(60), |sim| sim.both_are(State::Completed));
    sim.run(secs(60));
    sim.wire.dead = vec![ip("10.0.0.1")];
    sim.wire.addresses[0] = vec![ip("10.0.0.9")];
    sim.tell_interfaces(0);
    let took = sim.run_until(secs(1), |sim| sim.has_consent(0) && sim.has_consent(1));
    assert!(took <= ms(100), "{took:?}");
    assert!(sim.payload_path(0).unwrap().local.ip() == ip("10.0.0.9"));
}

/// A way is good for as long as payload goes that way: what was built for another one is built anew.
#[test]
fn a_way_that_was_left_takes_nothing() {
    let mut sim = two_ways(41);
    let now = sim.now;
    let way = sim.ends[0].agent.payload_way(now, GenerationId::default());
    let way = way.unwrap();
    let mut buf = PAYLOAD.to_vec();
    assert_eq!(sim.ends[0].agent.wrap(now, &way, &mut buf, 0), Ok(()));
    let peer = &mut sim.ends[0];
    let agent = &mut peer.transports[0].agent;
    agent.handle_unreachable(now, &mut peer.set, way.path);
    let wrapped = agent.wrap(now, &way, &mut buf, 0);
    assert_eq!(wrapped, Err(oxirtc_ice::Error::Stale));
}

/// W3C §4.4.1.5: a policy that is set later takes nothing back. The peer's checks are answered as before.
#[test]
fn a_later_policy_does_not_end_consent() {
    let mut sim = sim::new(42);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    let policy = oxirtc_ice::TransportPolicy::Relay;
    sim.ends[0].agent.set_transport_policy(policy);
    sim.run(secs(60));
    assert!(sim.has_consent(0) && sim.has_consent(1));
}

/// RFC 8445 §6.1.2.3: who controls is part of a pair's priority, and changes with the role.
#[test]
fn a_role_changes_the_priorities() {
    let mut sim = sim::new(44);
    sim.both(|it| it.trickle = false);
    sim.connect();
    let mut candidate = sim.ends[1].gathered[0].clone();
    candidate.priority = 100;
    sim.candidate(0, candidate);
    let ours = u64::from(sim.ends[0].gathered[0].priority);
    for (role, greater) in [
        (oxirtc_ice::Role::Controlling, 1),
        (oxirtc_ice::Role::Controlled, 0),
        (oxirtc_ice::Role::Controlling, 1),
    ] {
        sim.set_role(0, role);
        let priorities = sim.ends[0].agent.pairs().map(|it| it.priority);
        let priorities: Vec<_> = priorities.collect();
        assert_eq!(priorities, [(100 << 32) + 2 * ours + greater]);
    }
}

/// A nomination ends with its pair, also when that ends by something else than its checks: the next pair is nominated.
#[test]
fn a_nomination_ends_with_its_pair() {
    let nominates = |bytes: &[u8]| {
        let message = oxirtc_stun::Message::parse(bytes);
        message.is_ok_and(|it| it.class() == oxirtc_stun::Class::Request && it.use_candidate())
    };
    for renomination in [false, true] {
        let config = || Config::default().renomination(renomination);
        let mut sim = sim::with(7, [config(), config()]);
        sim.both(|it| it.says_renomination = renomination);
        sim.wire.addresses[0] = vec![ip("10.0.0.1"), ip("10.1.0.1")];
        sim.connect();
        let nominated = |sim: &Sim| {
            let mut sent = sim.sent_by(0);
            sent.find(|it| nominates(&it.datagram)).map(|it| it.route)
        };
        sim.run_until(secs(5), |sim| nominated(sim).is_some());
        let lost = nominated(&sim).unwrap().local.ip();
        sim.wire.addresses[0].retain(|it| *it != lost);
        sim.tell_interfaces(0);
        sim.forget_sent();
        sim.run_until(secs(20), |sim| sim.both_are(State::Completed));
        let other = nominated(&sim).map(|path| path.local.ip());
        assert!(other.is_some_and(|it| it != lost), "{other:?}");
    }
}
