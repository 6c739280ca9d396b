//! Consent freshness (RFC 7675).
mod sim;

use std::collections::HashSet;

use oxirtc_ice::{Config, GenerationId, State};
use oxirtc_netsim::{ms, secs};

use crate::sim::{Sides, Sim};

fn connected(seed: u64) -> Sim {
    let mut sim = sim::new(seed);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    sim.run(secs(10));
    sim
}

/// Between answered checks lie 4 to 6 s, and not always the same.
#[test]
fn answered_checks_are_spread() {
    let mut sim = connected(1);
    sim.forget_sent();
    sim.run(secs(600));
    let times: Vec<_> = sim.requests(0).iter().map(|sent| sent.at).collect();
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() > 100 && gaps.iter().all(|gap| (secs(4)..=secs(6)).contains(gap)));
    assert!(gaps.iter().any(|gap| *gap < ms(4500)) && gaps.iter().any(|gap| *gap > ms(5500)));
    assert!(sim.both_are(State::Completed));
}

/// RFC 7675 §5.1: neither is asked more often, nor lasts consent longer, whatever the configuration says.
#[test]
fn no_configuration_goes_beyond_the_standard() {
    let config = Config::default();
    let config = config.consent_interval(ms(10)).consent_expiry(secs(3600));
    let mut sim = sim::with(3, [config.clone(), config]);
    sim.connect().run(secs(10));
    sim.forget_sent();
    sim.run(secs(100));
    let times: Vec<_> = sim.requests(0).iter().map(|sent| sent.at).collect();
    assert!(times.len() > 10);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= secs(4)));
    sim.wire.up = [false, false];
    let took = sim.run_until(secs(40), |sim| sim.both_are(State::Failed));
    assert!(took <= secs(30), "{took:?}");
}

/// The consent that comes with the first answer of all ends as any other does.
#[test]
fn the_first_consent_ends_after_thirty_seconds() {
    let mut sim = sim::new(9);
    sim.connect();
    sim.run_until(secs(5), |sim| sim.payload_path(0).is_some());
    sim.wire.up = [false, false];
    let took = sim.run_until(secs(40), |sim| sim.payload_path(0).is_none());
    assert!(took > secs(29) && took <= secs(30), "{took:?}");
}

/// While unanswered, one every 500 ms, each with a transaction id of its own; consent ends 30 s after
/// the last answer, and nothing at all is sent from then on.
#[test]
fn silence_ends_consent_after_thirty_seconds() {
    let mut sim = connected(2);
    let last = sim.requests(0).last().unwrap().at;
    sim.run_until(secs(10), |sim| sim.requests(0).last().unwrap().at > last);
    sim.run(ms(500));
    let answered = sim.requests(0).last().unwrap().at + ms(20);
    sim.wire.up = [false, false];
    sim.forget_sent();
    let lost = sim.run_until(secs(40), |sim| sim.states()[0] == State::Failed);
    assert_eq!(sim.now, answered + secs(30), "{lost:?}");
    let requests = sim.requests(0);
    let gaps = requests.windows(2).map(|pair| pair[1].at - pair[0].at);
    assert!(gaps.into_iter().all(|gap| gap == ms(500)));
    let ids: HashSet<_> = requests
        .iter()
        .map(|sent| sent.datagram[8..20].to_vec())
        .collect();
    assert!(ids.len() == requests.len() && ids.len() >= 48);
    assert!(sim.payload_path(0).is_none());
    sim.run_until(secs(10), |sim| sim.both_are(State::Failed));
    sim.wire.up = [true, true];
    sim.forget_sent();
    sim.run(secs(100));
    assert!(sim.sent().is_empty());
}

/// [5.6.4-03]: silence shows as disconnected, and passes when the peer is back.
#[test]
fn an_outage_is_survived() {
    let mut sim = connected(3);
    sim.wire.up = [false, false];
    sim.run(secs(20));
    assert!(sim.both_are(State::Disconnected));
    sim.wire.up = [true, true];
    let back = sim.run_until(secs(5), |sim| sim.both_are(State::Completed));
    assert!(back <= ms(520), "{back:?}");
}

/// An answer that comes after consent has ended revives nothing.
#[test]
fn a_late_answer_does_not_revive() {
    let mut sim = connected(4);
    sim.wire.up = [true, false];
    sim.forget_sent();
    sim.run_until(secs(40), |sim| sim.states()[0] == State::Failed);
    let answers = sim.sent_by(1);
    let late: Vec<_> = answers
        .map(|sent| (sent.route, sent.datagram.clone()))
        .collect();
    assert!(late.len() > 10);
    sim.wire.up = [true, true];
    for (path, bytes) in late {
        sim.carry(1, path, bytes);
    }
    sim.forget_sent();
    sim.run(secs(10));
    assert_eq!(sim.states()[0], State::Failed);
    assert!(!sim.has_consent(0));
    assert_eq!(sim.sent_by(0).count(), 0, "the failed side is silent");
}

/// An answer to any of the checks in the air renews consent, however late within the thirty seconds.
#[test]
fn any_answer_renews() {
    let mut sim = connected(5);
    sim.wire.delay = ms(1500);
    sim.run(secs(120));
    assert!(sim.both_are(State::Completed));
    assert_eq!(sim.history(0).last(), Some(&State::Completed));
}

/// [5.6.4-05]: completed fails when consent is lost.
#[test]
fn completed_fails_on_loss_of_consent() {
    let mut sim = connected(6);
    sim.wire.up = [false, false];
    sim.run(secs(36));
    assert!(sim.both_are(State::Failed));
    let tail = [State::Completed, State::Disconnected, State::Failed];
    assert!(sim.history(0).ends_with(&tail));
}

/// A peer that vanished without having told the end of its candidates is given up all the same.
#[test]
fn a_lost_peer_without_end_of_candidates_fails() {
    let mut sim = sim::new(7);
    sim.both(|it| it.trickle = false);
    sim.connect();
    for side in [0, 1] {
        let candidate = sim.ends[1 - side].gathered[0].clone();
        sim.candidate(side, candidate);
    }
    sim.run_until(secs(2), |sim| sim.both_are(State::Connected));
    sim.run(ms(200));
    sim.wire.up = [false, false];
    let took = sim.run_until(secs(40), |sim| sim.both_are(State::Failed));
    assert!(took <= secs(35), "{took:?}");
}

/// Nothing but STUN leaves before consent.
#[test]
fn payload_is_refused_without_consent() {
    let mut sim = sim::new(8);
    sim.connect();
    assert!(sim.payload_path(0).is_none());
    sim.run(secs(1));
    let (now, mut payload) = (sim.now, vec![22; 10]);
    let way = sim.ends[0]
        .agent
        .payload_way(now, GenerationId::default())
        .unwrap();
    assert!(sim.ends[0].agent.wrap(now, &way, &mut payload, 0).is_ok());
    assert_eq!(payload, [22; 10]);
    let first = sim.sent().iter().take(4);
    assert!(first.into_iter().all(|sent| sent.datagram[0] < 2));
}
