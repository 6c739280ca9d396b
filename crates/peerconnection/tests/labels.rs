//! Every line of the log that is written while pairs of connections are served has the label of one of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod pair;
#[path = "../../turn/tests/server/mod.rs"]
mod server;

use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, IceServer, MediaKind, engine::Settings,
};
use pair::{
    ADDRESSES, Pair,
    media::{Microphone, sending},
};
use server::{Out, Server, at, ip};

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

/// Media and data, a damaged datagram, and the end.
fn direct() -> [String; 2] {
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
    labels(&pair)
}

/// A TURN server that names another one, which permits one of the peers alone.
fn relayed() -> [String; 2] {
    let configuration = || Configuration {
        ice_servers: vec![IceServer::with_credential(
            "turn:10.0.0.9",
            "alice",
            "secret",
        )],
        ..Configuration::default()
    };
    let configurations = [configuration(), configuration()];
    let link = Link::new(2).delay(ms(1));
    let mut pair = Pair::with(6, link, configurations, Settings::default());
    let node = pair.wire.network.add_node(&[ip("10.0.0.9")]);
    let (mut first, mut second) = (Server::new(), Server::new());
    first.redirect = vec![at("10.0.0.9:3479")];
    second.relay[0] = ip("10.0.0.9");
    second.forbidden = Some(ADDRESSES[1]);
    pair.wire.serve(node, move |now, delivery| {
        let server = match delivery.to.port() {
            3478 => &mut first,
            3479 => &mut second,
            _ => return Vec::new(),
        };
        let outs = server.handle(now, delivery.from, &delivery.datagram);
        let answer = |out| match out {
            Out::Client(bytes) => Some((delivery.to, delivery.from, bytes)),
            Out::Peer(..) => None,
        };
        outs.into_iter().filter_map(answer).collect()
    });
    pair.open(0, "a", &DataChannelInit::default());
    pair.negotiate(0).unwrap();
    pair.run(Duration::from_secs(3));
    labels(&pair)
}

fn labels(pair: &Pair) -> [String; 2] {
    [0, 1].map(|end: usize| pair.ends[end].engine.label().to_string())
}

/// The one test of this process: what is written is of these pairs.
#[test]
fn each_line_has_a_label() {
    log::set_logger(&Log).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let labels = [direct(), relayed()].concat();
    let lines = LINES.lock().unwrap();
    let ours = lines
        .iter()
        .filter(|(target, _)| target.starts_with("oxirtc_"));
    let mut targets = BTreeSet::new();
    for (target, line) in ours {
        targets.insert(target.split("::").next().unwrap());
        let labelled = labels.iter().any(|label| line.contains(label.as_str()));
        assert!(labelled, "{target}: {line}");
    }
    let wanted = [
        "oxirtc_dtls",
        "oxirtc_ice",
        "oxirtc_peerconnection",
        "oxirtc_turn",
    ];
    assert!(wanted.iter().all(|it| targets.contains(it)), "{targets:?}");
}
