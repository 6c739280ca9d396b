//! What the log says: every line of a connection has its label, and why one does not come up is told.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod pair;

use std::{
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use oxirtc_peerconnection::{
    Certificate, Configuration, DataChannelInit, KeyAlgorithm, PeerConnection, SessionDescription,
    Settings,
    engine::{Anchor, Engine, Interface, Request},
};

use oxirtc_netsim::{Link, ms};
use pair::Pair;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        LINES.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

fn listen() {
    // The second test of the process finds it there.
    let _ = log::set_logger(&Log);
    log::set_max_level(log::LevelFilter::Trace);
}

fn lines_of(label: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap();
    let its = lines.iter().filter(|line| line.contains(label));
    its.cloned().collect()
}

fn engine(configuration: Configuration, seed: u8) -> (Engine, Instant) {
    let now = oxirtc_netsim::epoch();
    let anchor = Anchor {
        instant: now,
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
    };
    let engine = Engine::new(configuration, Settings::default(), [seed; 32], anchor).unwrap();
    (engine, now)
}

/// What is missing, one after the other.
#[test]
fn a_connection_says_what_it_lacks() {
    let (mut left, now) = engine(Configuration::default(), 1);
    let (mut right, _) = engine(Configuration::default(), 2);
    let lacks = |engine: &Engine, what: &str| {
        let said = engine.hindrance().unwrap();
        assert!(said.contains(what), "{said}");
    };
    assert_eq!(left.hindrance(), None, "nobody has begun");
    left.create_data_channel(now, "a", &DataChannelInit::default())
        .unwrap();
    left.set_local_description(now, None).unwrap();
    lacks(&left, "the addresses of this machine are not known");
    let interface = Interface {
        name: "eth0".into(),
        index: 1,
        address: [10, 0, 0, 1].into(),
    };
    left.handle_interfaces(now, &[interface]);
    while let Some(request) = left.poll_request() {
        if let Request::Bind { id, address, .. } = request {
            left.handle_response(now, id, Ok((address, 4000).into()));
        }
    }
    lacks(&left, "the peer's description has not come");
    let offer = left.local_description().unwrap();
    right.set_remote_description(now, offer.clone()).unwrap();
    lacks(&right, "waits for our answer");
    right.set_local_description(now, None).unwrap();
    // Without the end of its candidates, which have not been gathered.
    let answer = right.local_description().unwrap();
    lacks(&right, "the addresses of this machine are not known");
    right.handle_interfaces(now, &[]);
    lacks(&right, "no interface is up");
    left.set_remote_description(now, answer).unwrap();
    lacks(&left, "no candidate of the peer has come");
    let candidate = |text: &str| oxirtc_peerconnection::IceCandidateInit {
        candidate: text.to_owned(),
        sdp_mid: Some("0".to_owned()),
        ..Default::default()
    };
    let name = candidate("candidate:1 1 udp 2130706431 0b6d.local 4000 typ host");
    left.add_ice_candidate(now, &name).unwrap();
    lacks(&left, "names, which are not resolved");
    let address = candidate("candidate:2 1 udp 2130706431 10.0.0.2 4000 typ host");
    left.add_ice_candidate(now, &address).unwrap();
    for step in 1..20 {
        let mut batch = Vec::new();
        let later = now + Duration::from_millis(50 * step);
        left.handle_timeout(later);
        while left.poll_transmit(later, &mut batch).is_some() {}
    }
    lacks(&left, "1 pairs, 0 answered");
    lacks(&left, "0 answers and 0 checks of the peer came");
    left.close(now);
    assert_eq!(left.hindrance(), None);
}

/// The driver tells it after a while, under the label that `Debug` shows.
#[tokio::test]
async fn the_driver_tells_the_log() {
    listen();
    let connection = PeerConnection::new(Configuration {
        certificates: vec![
            Certificate::generate(KeyAlgorithm::default())
                .await
                .unwrap(),
        ],
        ..Configuration::default()
    })
    .unwrap();
    let shown = format!("{connection:?}");
    let label = shown.split('"').nth(1).unwrap().to_owned();
    assert!(label.starts_with("pc-") && label.len() == 7, "{shown}");
    let _channel = connection
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    connection.set_local_description(None).await.unwrap();
    let offer: SessionDescription = connection.gathered().await.unwrap();
    drop(offer);
    let told = async {
        loop {
            let lines = lines_of(&label);
            if let Some(line) = lines.iter().find(|line| line.contains("description")) {
                return line.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let line = tokio::time::timeout(Duration::from_secs(10), told).await;
    let line = line.unwrap();
    assert!(
        line.starts_with("DEBUG") && line.contains("New for a while"),
        "{line}"
    );
}

/// A packet that DTLS carries stands in the trace of both ends, in the clear and in the form that text2pcap reads; so does why
/// one was dropped.
#[test]
fn the_trace_shows_packets_and_what_was_dropped() {
    listen();
    let init = DataChannelInit::default();
    let (mut pair, [here, _]) = Pair::connected(4, Link::new(1).delay(ms(1)), &init);
    let mut spoiled = false;
    pair.tap = Some(Box::new(move |_, datagram| {
        if !spoiled && matches!(datagram.first(), Some(20..=63)) {
            // A byte of the tag.
            *datagram.last_mut().unwrap() ^= 1;
            spoiled = true;
        }
        true
    }));
    pair.send(0, here, "in the clear");
    pair.until(Duration::from_secs(5), |pair| pair.ends[1].inbox.len() == 1);
    let text: String = "in the clear"
        .bytes()
        .map(|byte| format!(" {byte:02x}"))
        .collect();
    for (end, letter) in [(0, "O"), (1, "I")] {
        let lines = lines_of(&pair.ends[end].engine.label().to_string());
        let line = lines.iter().find(|line| line.contains(&text)).unwrap();
        let words: Vec<_> = line.split(' ').collect();
        assert_eq!((words[0], words[1], words[3]), ("TRACE", letter, "0000"));
        assert_eq!(words[2].len(), "00:00:00.000000".len());
        // The common header: both ports are 5000.
        assert_eq!(words[4..8], ["13", "88", "13", "88"], "{line}");
        assert!(line.ends_with(" SCTP"), "{line}");
    }
    let lines = lines_of(&pair.ends[1].engine.label().to_string());
    let mut dropped = lines
        .iter()
        .filter(|line| line.contains("does not authenticate"));
    assert!(
        dropped.any(|line| line.contains("from 10.0.0.1:")),
        "{lines:?}"
    );
}
