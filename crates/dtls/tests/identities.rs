//! Who says whether the peer is the right one: fingerprints, the owner, or nobody.
mod support;

use std::time::Duration;

use oxirtc_dtls::{
    AlertDescription, Config, Event, Failure, Peer,
    Role::{Client, Server},
    State, Version,
};
use support::{Pair, VERSIONS, config_of, ms, other, perfect};

const ALL: [Peer; 3] = [Peer::Fingerprints, Peer::Owner, Peer::Nobody];

fn pair(version: Version, client: Peer, server: Peer) -> Pair {
    let configure = |which, peer| -> Config { config_of(version, which).peer(peer) };
    Pair::new(configure(0, client), configure(1, server))
}

/// Runs, with every owner saying the same as soon as he is asked.
fn run(pair: &mut Pair, verdict: bool) {
    pair.start();
    for _ in 0..60 {
        pair.run(ms(100), &mut perfect());
        let now = pair.now;
        for role in [Client, Server] {
            let end = &mut pair[role];
            if end.events.contains(&Event::CertificateReceived) {
                end.events
                    .retain(|event| *event != Event::CertificateReceived);
                assert!(!end.connection.remote_certificates().is_empty());
                assert!(end.received.is_empty());
                end.connection.trust(now, verdict, &mut |_: &mut [u8]| {});
                end.drain();
            }
        }
    }
}

/// Every pair of them in both versions. Only who goes by fingerprints refuses a server that does not ask.
#[test]
fn who_is_asked_and_who_may_pass() {
    for version in VERSIONS {
        for client in ALL {
            for server in ALL {
                let mut pair = pair(version, client, server);
                run(&mut pair, true);
                let name = format!("{version} {client:?} {server:?}");
                if client == Peer::Fingerprints && server == Peer::Nobody {
                    assert!(
                        matches!(pair[Client].events[..], [Event::Failed { .. }]),
                        "{name}: {:?}",
                        pair[Client].events
                    );
                    assert!(!pair[Server].events.contains(&Event::Connected), "{name}");
                    continue;
                }
                assert_eq!(pair[Client].events, [Event::Connected], "{name}");
                pair.assert_connected();
                assert!(!pair[Client].connection.remote_certificates().is_empty());
                let asked = server != Peer::Nobody;
                let shown = !pair[Server].connection.remote_certificates().is_empty();
                assert_eq!(shown, asked, "{name}");
            }
        }
    }
}

/// A refusal ends it, is told to the other side, and nothing has left.
#[test]
fn an_owners_no_ends_it() {
    for version in VERSIONS {
        for judge in [Client, Server] {
            let (client, server) = match judge {
                Client => (Peer::Owner, Peer::Fingerprints),
                Server => (Peer::Fingerprints, Peer::Owner),
            };
            let mut pair = pair(version, client, server);
            run(&mut pair, false);
            let cause = Failure::CertificateRefused;
            assert_eq!(pair[judge].events, [Event::Failed { cause }]);
            assert_eq!(cause.sent_alert(), Some(46));
            assert_eq!(pair[judge].connection.state(), State::Failed);
            let told = Event::Failed {
                cause: Failure::AlertReceived(AlertDescription::CERTIFICATE_UNKNOWN),
            };
            assert_eq!(pair[other(judge)].events.last(), Some(&told));
        }
    }
}

/// An owner is asked once: what he says later changes nothing.
#[test]
fn a_yes_stands() {
    for version in VERSIONS {
        let mut pair = pair(version, Peer::Owner, Peer::Fingerprints);
        run(&mut pair, true);
        let now = pair.now;
        for verdict in [false, true] {
            let connection = &mut pair[Client].connection;
            connection.trust(now, verdict, &mut |_: &mut [u8]| {});
            assert!(connection.is_connected(), "{version:?}");
        }
        pair[Client].drain();
        assert_eq!(pair[Client].events, [Event::Connected]);
    }
}

/// An owner who never answers, and one who speaks before he is asked, or where others judge.
#[test]
fn silence_is_no_yes() {
    for version in VERSIONS {
        let mut pair = pair(version, Peer::Owner, Peer::Fingerprints);
        let now = pair.now;
        for role in [Client, Server] {
            let end = &mut pair[role];
            end.connection.trust(now, true, &mut |_: &mut [u8]| {});
        }
        pair.start();
        pair.run(Duration::from_secs(20), &mut perfect());
        assert_eq!(pair[Client].events, [Event::CertificateReceived]);
        assert_eq!(pair[Client].connection.state(), State::Connecting);
        pair.run(Duration::from_secs(20), &mut perfect());
        let cause = Failure::FingerprintTimeout;
        assert_eq!(pair[Client].events.last(), Some(&Event::Failed { cause }));
    }
    let mut pair = Pair::bare(config_of(Version::Dtls13, 0), config_of(Version::Dtls13, 1));
    pair.start();
    pair.run(Duration::from_secs(1), &mut perfect());
    let now = pair.now;
    for role in [Client, Server] {
        let end = &mut pair[role];
        end.connection.trust(now, true, &mut |_: &mut [u8]| {});
        end.drain();
        assert_eq!(end.events, []);
    }
}
