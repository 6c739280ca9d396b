//! Client transactions in simulated time.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests start from one base instant"
)]

use std::time::{Duration, Instant};

use oxirtc_stun::{
    Builder, Class, Error, Event, Message, Method, RoundTrip, Schedule, Transaction, TransactionId,
};

fn message(class: Class, method: Method, id: u8) -> Vec<u8> {
    let mut buf = Vec::new();
    Builder::new(&mut buf, class, method, TransactionId::new([id; 12]))
        .finish()
        .unwrap();
    buf
}

fn start(schedule: Schedule, now: Instant) -> Transaction {
    Transaction::new(message(Class::Request, Method::BINDING, 1), schedule, now).unwrap()
}

/// Runs to the end: the milliseconds of each transmission, that of the end, and the event.
fn run(transaction: &mut Transaction, begin: Instant) -> (Vec<u128>, u128, Option<Event>) {
    let (mut now, mut sent) = (begin, Vec::new());
    loop {
        let mut buf = Vec::new();
        if transaction.poll_transmit(now, 1200, &mut buf) {
            assert_eq!(buf, transaction.request());
            sent.push((now - begin).as_millis());
        }
        assert!(
            !transaction.poll_transmit(now, 1200, &mut buf),
            "one transmission at a time"
        );
        let Some(timeout) = transaction.poll_timeout() else {
            return (sent, (now - begin).as_millis(), transaction.poll_event());
        };
        assert!(timeout > now);
        transaction.handle_timeout(timeout - Duration::from_nanos(1));
        assert_eq!(
            transaction.poll_timeout(),
            Some(timeout),
            "an early call is harmless"
        );
        now = timeout;
        transaction.handle_timeout(now);
    }
}

/// RFC 8489 §6.2.1: its example, an RTO of 500 ms.
#[test]
fn sends_seven_times_and_gives_up_after_39_5_seconds() {
    let now = Instant::now();
    let mut transaction = start(Schedule::unreliable(Duration::from_millis(500)), now);
    let (sent, end, event) = run(&mut transaction, now);
    assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    assert_eq!((end, event), (39_500, Some(Event::TimedOut)));
    assert_eq!(transaction.poll_event(), None);
}

/// RFC 8489 §6.2.2.
#[test]
fn sends_once_over_a_reliable_transport() {
    let now = Instant::now();
    let schedule = Schedule::reliable().with_max_requests(5).with_last_wait(2);
    let (sent, end, event) = run(&mut start(schedule, now), now);
    assert_eq!((sent, end, event), (vec![0], 39_500, Some(Event::TimedOut)));
}

#[test]
fn rc_and_rm_are_configurable() {
    let now = Instant::now();
    let schedule = Schedule::unreliable(Duration::from_millis(100));
    let mut transaction = start(schedule.with_max_requests(3).with_last_wait(4), now);
    assert_eq!(
        run(&mut transaction, now),
        (vec![0, 100, 300], 700, Some(Event::TimedOut))
    );
    let extreme = Schedule::unreliable(Duration::MAX).with_max_requests(u32::MAX);
    let (sent, _, event) = run(&mut start(extreme.with_last_wait(u32::MAX), now), now);
    assert_eq!((sent.len(), event), (32, Some(Event::TimedOut)));
}

/// What never fits is not sent, and still ends.
#[test]
fn a_request_without_room_times_out() {
    let now = Instant::now();
    let mut transaction = start(Schedule::unreliable(Duration::from_millis(500)), now);
    let mut buf = b"before".to_vec();
    assert!(!transaction.poll_transmit(now, 19, &mut buf));
    while let Some(timeout) = transaction.poll_timeout() {
        transaction.handle_timeout(timeout);
        assert!(!transaction.poll_transmit(timeout, 19, &mut buf));
    }
    assert_eq!(transaction.poll_event(), Some(Event::TimedOut));
    assert_eq!(buf, b"before");
}

#[test]
fn a_late_call_sends_once() {
    let now = Instant::now();
    let mut transaction = start(Schedule::unreliable(Duration::from_millis(500)), now);
    let mut buf = Vec::new();
    let late = now + Duration::from_secs(20);
    transaction.handle_timeout(late);
    assert!(transaction.poll_transmit(late, 1200, &mut buf));
    assert!(!transaction.poll_transmit(late, 1200, &mut buf));
    assert_eq!(
        transaction.poll_timeout(),
        Some(late + Duration::from_secs(1))
    );
}

/// RFC 8445 §7.3.1.4: a cancelled check is not sent again, but its response is waited for.
#[test]
fn stopping_keeps_the_end() {
    let now = Instant::now();
    for steps in 0..7 {
        let mut transaction = start(Schedule::unreliable(Duration::from_millis(500)), now);
        for _ in 0..steps {
            let timeout = transaction.poll_timeout().unwrap();
            transaction.handle_timeout(timeout);
        }
        transaction.stop_retransmission();
        let (sent, end, event) = run(&mut transaction, now);
        assert_eq!(
            (sent, end, event),
            (vec![], 39_500, Some(Event::TimedOut)),
            "{steps}"
        );
    }
}

/// RFC 8489 §9.1.4.
#[test]
fn responses_without_integrity_change_the_verdict() {
    let now = Instant::now();
    let mut transaction = start(Schedule::unreliable(Duration::from_millis(500)), now);
    transaction.handle_unauthenticated();
    assert_eq!(
        transaction.poll_event(),
        None,
        "an unreliable transport goes on"
    );
    assert_eq!(run(&mut transaction, now).2, Some(Event::IntegrityViolated));

    let mut transaction = start(Schedule::reliable(), now);
    transaction.handle_unauthenticated();
    assert_eq!(transaction.poll_event(), Some(Event::IntegrityViolated));
    transaction.handle_unauthenticated();
    assert_eq!(
        (transaction.poll_event(), transaction.poll_timeout()),
        (None, None)
    );
}

/// Known failure 24: indications, unknown responses and another's traffic taken for an answer.
#[test]
fn only_the_response_to_its_request_matches() {
    let transaction = start(Schedule::reliable(), Instant::now());
    for class in [
        Class::Request,
        Class::Indication,
        Class::Success,
        Class::Error,
    ] {
        for number in 0..=0xfff {
            let method = Method::new(number).unwrap();
            for id in [1, 2] {
                let datagram = message(class, method, id);
                let expected = class.is_response() && method == Method::BINDING && id == 1;
                assert_eq!(
                    transaction.matches(&Message::parse(&datagram).unwrap()),
                    expected
                );
            }
        }
    }
    let indication = message(Class::Indication, Method::BINDING, 1);
    let refused = Transaction::new(indication, Schedule::reliable(), Instant::now());
    assert_eq!(refused.err(), Some(Error::NotRequest));
}

/// RFC 6298 §3: an answer to one of several transmissions measures nothing.
#[test]
fn only_the_first_transmission_measures() {
    let now = Instant::now();
    let mut transaction = start(Schedule::unreliable(Duration::from_millis(500)), now);
    assert_eq!(transaction.round_trip(now), None);
    let sent = now + Duration::from_millis(20);
    assert!(transaction.poll_transmit(sent, 1200, &mut Vec::new()));
    let answered = sent + Duration::from_millis(30);
    assert_eq!(
        transaction.round_trip(answered),
        Some(Duration::from_millis(30))
    );
    let timeout = transaction.poll_timeout().unwrap();
    transaction.handle_timeout(timeout);
    assert!(transaction.poll_transmit(timeout, 1200, &mut Vec::new()));
    assert_eq!(transaction.round_trip(timeout), None);
}

#[test]
fn estimates_the_timeout_from_round_trips() {
    let (now, ms) = (Instant::now(), Duration::from_millis);
    let mut round_trip = RoundTrip::new();
    assert_eq!(round_trip.rto(now), ms(500));
    round_trip.sample(ms(200), now);
    assert_eq!(round_trip.rto(now), ms(600), "RFC 6298 §2.2: R + 4 * R / 2");
    round_trip.sample(ms(200), now);
    assert_eq!(round_trip.rto(now), ms(500), "the variation fell to 75 ms");
    round_trip.sample(ms(600), now);
    assert_eq!(round_trip.smoothed(now), Some(ms(250)));
    assert_eq!(round_trip.rto(now), ms(250) + ms(625));
    for _ in 0..100 {
        round_trip.sample(ms(1), now);
    }
    assert_eq!(
        round_trip.rto(now),
        ms(100),
        "a floor against needless retransmissions"
    );
    round_trip.sample(Duration::MAX, now);
    assert!(round_trip.rto(now) <= Duration::from_secs(60));
    assert_eq!(
        round_trip.rto(now + Duration::from_secs(600)),
        ms(500),
        "stale after ten minutes"
    );
}
