//! How long a handshake takes where datagrams are lost: a table of both versions, in simulated time.
//! `OXIRTC_FULL=1 cargo test --release -p oxirtc-dtls --test loss -- --nocapture` prints all of it.

mod support;

use std::time::Duration;

use oxirtc_dtls::{
    Role::{Client, Server},
    State, Version,
};
use oxirtc_netsim::for_each_seed;
use support::{Dice, Pair, alert, config_of, ms, times};

/// When the client can send payload, and when both can; `None` when that never happened.
fn connect(
    version: Version,
    percent: u64,
    round_trip: Duration,
    seed: u64,
) -> (Option<Duration>, Option<Duration>) {
    run(version, percent, round_trip, seed, false)
}

/// The same; when `disturbed`, somebody says an alert to each side as soon as it would be noted.
fn run(
    version: Version,
    percent: u64,
    round_trip: Duration,
    seed: u64,
    disturbed: bool,
) -> (Option<Duration>, Option<Duration>) {
    let mut alerts = match disturbed {
        true => vec![Client, Server],
        false => Vec::new(),
    };
    let mut pair = Pair::new(config_of(version, 0), config_of(version, 1));
    let mut dice = Dice::new(seed);
    for role in [Client, Server] {
        let connection = &mut pair[role].connection;
        connection.set_round_trip(round_trip);
    }
    pair.start();
    let (mut client, mut both) = (None, None);
    let failed = |pair: &mut Pair| {
        let mut ends = [Client, Server].into_iter();
        ends.any(|role| pair[role].connection.state() == State::Failed)
    };
    while pair.elapsed() < Duration::from_secs(110) && both.is_none() && !failed(&mut pair) {
        pair.run(ms(1), &mut |_, datagram| match dice.roll(100) < percent {
            true => Vec::new(),
            false => vec![(round_trip / 2, datagram)],
        });
        let now = pair.now;
        alerts.retain(|role| {
            let end = &mut pair[*role];
            let due = end.connection.state() == State::Connecting;
            if due {
                end.handle(now, &mut alert());
            }
            !due
        });
        let connected = pair[Client].connection.is_connected();
        client = client.or(connected.then(|| pair.elapsed()));
        both = (connected && pair[Server].connection.is_connected()).then(|| pair.elapsed());
    }
    (client, both)
}

#[test]
fn a_table_of_loss_and_delay() {
    let seeds = times(20, 500);
    // Of few, chance has more to say.
    let (points, factor) = if seeds < 500 {
        (20.0, 1.6)
    } else {
        (3.0, 1.15)
    };
    println!("handshakes, both ends connected within …, of {seeds} each");
    println!(
        "{:<9} {:>5} {:>7} {:>8} {:>8} {:>8} {:>9}",
        "version", "loss", "trip", "1 s", "5 s", "30 s", "median"
    );
    for (version, percent, trip, shares, usual) in TABLE {
        let (mut runs, mut took) = (0, Vec::new());
        for_each_seed(seeds, |seed| {
            runs += 1;
            took.extend(connect(version, percent, ms(trip), seed).1);
        });
        took.sort_unstable();
        let within = [1, 5, 30].map(|limit| {
            let limit = Duration::from_secs(limit);
            let count = took.iter().filter(|took| **took <= limit).count();
            100.0 * count as f64 / runs as f64
        });
        let median = took.get(took.len() / 2).copied().unwrap_or_default();
        println!(
            "{version:<9} {percent:>3} % {trip:>4} ms {:>6.1} % {:>6.1} % {:>6.1} % {median:>9.3?}",
            within[0], within[1], within[2],
        );
        assert_eq!(took.len(), runs, "all connect in the end");
        let longest = ms(usual).mul_f64(if percent == 0 { 1.0 } else { factor });
        assert!(median <= longest, "{median:?}, where {usual} ms are usual");
        for (within, usual) in within.into_iter().zip(shares) {
            let least = usual - if percent == 0 { 0.0 } else { points };
            assert!(within >= least, "{within} %, where {usual} % are usual");
        }
    }
}

/// What 500 seeds gave: loss in percent, round trip in ms; the share connected within 1, 5 and 30 s, and the median in ms.
const TABLE: [(Version, u64, u64, [f64; 3], u64); 16] = [
    (Version::Dtls12, 0, 20, [100.0, 100.0, 100.0], 40),
    (Version::Dtls12, 0, 200, [100.0, 100.0, 100.0], 400),
    (Version::Dtls12, 5, 20, [100.0, 100.0, 100.0], 40),
    (Version::Dtls12, 5, 200, [97.6, 100.0, 100.0], 400),
    (Version::Dtls12, 20, 20, [99.4, 100.0, 100.0], 90),
    (Version::Dtls12, 20, 200, [73.6, 98.6, 100.0], 800),
    (Version::Dtls12, 50, 20, [75.0, 87.8, 98.8], 390),
    (Version::Dtls12, 50, 200, [17.6, 64.2, 96.0], 3_200),
    (Version::Dtls13, 0, 20, [100.0, 100.0, 100.0], 30),
    (Version::Dtls13, 0, 200, [100.0, 100.0, 100.0], 300),
    (Version::Dtls13, 5, 20, [100.0, 100.0, 100.0], 30),
    (Version::Dtls13, 5, 200, [98.2, 100.0, 100.0], 300),
    (Version::Dtls13, 20, 20, [100.0, 100.0, 100.0], 80),
    (Version::Dtls13, 20, 200, [74.0, 99.8, 100.0], 700),
    (Version::Dtls13, 50, 20, [87.0, 97.0, 100.0], 313),
    (Version::Dtls13, 50, 200, [15.6, 75.2, 99.6], 2_600),
];

/// How many of the handshakes that would connect are ended by one copied alert to each side.
#[test]
fn one_alert_ends_few_handshakes() {
    let seeds = times(20, 500);
    for version in [Version::Dtls12, Version::Dtls13] {
        for (percent, most) in [(5, 0), (20, 1), (50, 30)] {
            let mut ended = 0;
            for_each_seed(seeds, |seed| {
                let connected = run(version, percent, ms(200), seed, true).1.is_some();
                ended += u64::from(!connected);
            });
            println!("{version:<9} {percent:>3} % {ended} of {seeds} ended by an alert");
            assert!(
                ended * 100 <= most * seeds,
                "{version} {percent} %: {ended}"
            );
        }
    }
}

/// A client of 1.3 waits one round trip, one of 1.2 two; and both together one and a half, or two.
#[test]
fn a_round_trip_less_in_1_3() {
    for trip in [20, 200].map(ms) {
        let took = |version| connect(version, 0, trip, 1);
        let (old, new) = (took(Version::Dtls12), took(Version::Dtls13));
        assert_eq!((new.0, old.0), (Some(trip), Some(trip * 2)));
        assert_eq!((new.1, old.1), (Some(trip * 3 / 2), Some(trip * 2)));
    }
}
