//! Every line of the log that is written while one pair of connections is served has the label of one of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod pair;

use std::{sync::Mutex, time::Duration};

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{DataChannelInit, MediaKind};
use pair::media::{Microphone, sending};

static LINES: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = (record.target().to_owned(), record.args().to_string());
        LINES.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

/// The one test of this process: what is written is of this pair. Media and data, a damaged datagram, and the end.
#[test]
fn each_line_has_a_label() {
    log::set_logger(&Log).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let (mut pair, ways) = sending(5, Link::new(1).delay(ms(1)), MediaKind::Audio);
    let mut microphone = Microphone::default();
    let mut number = 0;
    pair.tap = Some(Box::new(move |_, datagram| {
        number += 1;
        if number % 5 == 0 {
            *datagram.last_mut().unwrap() ^= 1;
        }
        true
    }));
    microphone.speak(&mut pair, ways, 20, None);
    pair.open(0, "a", &DataChannelInit::default());
    pair.negotiate(0).unwrap();
    pair.run(Duration::from_secs(3));
    let now = pair.now;
    pair.ends[0].engine.close(now);
    pair.run(Duration::from_secs(1));
    let labels = [0, 1].map(|end: usize| pair.ends[end].engine.label().to_string());
    let lines = LINES.lock().unwrap();
    let ours = lines
        .iter()
        .filter(|(target, _)| target.starts_with("oxirtc_"));
    let mut targets = std::collections::BTreeSet::new();
    for (target, line) in ours {
        targets.insert(target.split("::").next().unwrap());
        let labelled = labels.iter().any(|label| line.contains(label.as_str()));
        assert!(labelled, "{target}: {line}");
    }
    assert!(targets.contains("oxirtc_peerconnection"), "{targets:?}");
    assert!(targets.contains("oxirtc_dtls"), "{targets:?}");
}
