//! How long a handshake takes where datagrams are lost: a table of both versions, in simulated time.
//! `OXIRTC_FULL=1 cargo test --release -p oxirtc-dtls --test loss -- --nocapture` prints all of it.

mod support;

use std::time::Duration;

use oxirtc_dtls::{Role, Version};
use oxirtc_netsim::for_each_seed;
use support::{Dice, Pair, config_of, ms, times};

/// When the client can send payload, and when both can; `None` when that never happened.
fn connect(
    version: Version,
    percent: u64,
    round_trip: Duration,
    seed: u64,
) -> (Option<Duration>, Option<Duration>) {
    let mut pair = Pair::new(config_of(version, 0), config_of(version, 1));
    let mut dice = Dice::new(seed);
    for role in [Role::Client, Role::Server] {
        let connection = &mut pair.end(role).connection;
        connection.set_round_trip(round_trip);
    }
    pair.start();
    let (mut client, mut both) = (None, None);
    while pair.elapsed() < Duration::from_secs(110) && both.is_none() {
        pair.run(ms(1), &mut |_, datagram| match dice.roll(100) < percent {
            true => Vec::new(),
            false => vec![(round_trip / 2, datagram)],
        });
        let connected = pair.client.connection.is_connected();
        client = client.or(connected.then(|| pair.elapsed()));
        both = (connected && pair.server.connection.is_connected()).then(|| pair.elapsed());
    }
    (client, both)
}

#[test]
fn a_table_of_loss_and_delay() {
    let seeds = times(5, 500);
    println!("handshakes, both ends connected within …, of {seeds} each");
    println!(
        "{:<9} {:>5} {:>7} {:>8} {:>8} {:>8} {:>9}",
        "version", "loss", "trip", "1 s", "5 s", "30 s", "median"
    );
    for version in [Version::Dtls12, Version::Dtls13] {
        for percent in [0, 5, 20, 50] {
            for trip in [20, 200] {
                let (mut runs, mut took) = (0, Vec::new());
                for_each_seed(seeds, |seed| {
                    runs += 1;
                    took.extend(connect(version, percent, ms(trip), seed).1);
                });
                took.sort_unstable();
                let within = |limit| {
                    let limit = Duration::from_secs(limit);
                    let count = took.iter().filter(|took| **took <= limit).count();
                    100.0 * count as f64 / runs as f64
                };
                let median = took.get(took.len() / 2).copied().unwrap_or_default();
                println!(
                    "{version:<9} {percent:>3} % {trip:>4} ms {:>6.1} % {:>6.1} % {:>6.1} % {median:>9.3?}",
                    within(1),
                    within(5),
                    within(30),
                );
                assert_eq!(took.len(), runs, "all connect in the end");
                match percent {
                    0 => assert!(within(1) > 99.9),
                    5 => assert!(within(5) > 99.0),
                    20 => assert!(within(30) > 99.0),
                    _ => assert!(within(30) > 80.0),
                }
            }
        }
    }
}

/// A client of 1.3 waits one round trip, one of 1.2 two.
#[test]
fn a_round_trip_less_in_1_3() {
    for trip in [20, 200].map(ms) {
        let client = |version| connect(version, 0, trip, 1).0.unwrap_or_default();
        let (old, new) = (client(Version::Dtls12), client(Version::Dtls13));
        assert_eq!((new, old), (trip, trip * 2));
    }
}
