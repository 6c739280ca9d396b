//! The last values of what statistics show no more.

use std::{collections::BTreeSet, time::Duration};

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    DataChannelInit, MediaKind, Message, RtpTransceiverDirection, StatsReport,
    engine::Event,
    stats::{StatsObject, StatsType},
};

use crate::pair::{
    Pair,
    media::{Camera, ONE, TWO, sending},
};

fn link() -> Link {
    Link::new(1).delay(ms(10))
}

fn report(pair: &Pair, side: usize) -> StatsReport {
    pair.ends[side].engine.stats(pair.now)
}

fn watch(pair: &mut Pair, side: usize) {
    let now = pair.now;
    pair.ends[side].engine.watch_ended_stats(now);
}

/// What was told to have ended since the last call.
fn ended(pair: &mut Pair, side: usize) -> Vec<StatsObject> {
    pair.step();
    let mut reports = Vec::new();
    for event in pair.ends[side].tasks.iter_mut().flatten() {
        if let Event::StatsEnded(report) = event {
            reports.push(std::mem::take(&mut **report));
        }
    }
    reports.into_iter().flatten().collect()
}

/// Those of the first report that the second has not.
fn gone(before: &StatsReport, after: &StatsReport) -> Vec<StatsObject> {
    let gone = before.iter().filter(|it| after.get(it.id()).is_none());
    gone.cloned().collect()
}

/// [8.5-01] What a verb ends is told with the values of that moment, and nobody is told who has not asked.
#[test]
fn what_a_verb_ends_is_told_with_its_last_values() {
    let (mut pair, ids) = sending(21, link(), MediaKind::Video);
    let [here, _] = pair.connect(&DataChannelInit::default());
    watch(&mut pair, 0);
    let mut camera = Camera::default();
    camera.film(&mut pair, ids, 30);
    pair.send(0, here, Message::from(vec![7; 5000]));
    assert_eq!(ended(&mut pair, 0), [], "all goes on");
    // Another track: the source is another.
    let (before, now) = (report(&pair, 0), pair.now);
    let engine = &mut pair.ends[0].engine;
    let track = Some((MediaKind::Video, TWO));
    engine.replace_track(now, ids[0], track).unwrap();
    let told = ended(&mut pair, 0);
    assert_eq!(told, gone(&before, &report(&pair, 0)));
    let frames = told.iter().map(|it| serde_json::to_value(it).unwrap());
    let frames: Vec<_> = frames.map(|it| it["frames"].clone()).collect();
    assert_eq!(frames, [30]);
    // A channel that nobody holds any more.
    let now = pair.now;
    pair.ends[0].engine.close_channel(now, here);
    pair.run(ms(500));
    assert_eq!(ended(&mut pair, 0), [], "a closed one is still there");
    let (before, now) = (report(&pair, 0), pair.now);
    pair.ends[0].engine.forget_channel(now, here);
    let told = ended(&mut pair, 0);
    assert_eq!(told, gone(&before, &report(&pair, 0)));
    assert!(
        matches!(&told[..], [StatsObject::DataChannel(it)] if it.bytes_sent == Some(5000)),
        "{told:?}"
    );
    // An ICE restart: pairs and candidates are new ones. The old ones stay until the answer.
    pair.run(ms(500));
    let before = report(&pair, 0);
    pair.ends[0].engine.restart_ice();
    pair.negotiate(0).unwrap();
    let told = ended(&mut pair, 0);
    let names = |of: &[StatsObject]| -> BTreeSet<String> {
        of.iter().map(|it| it.id().to_owned()).collect()
    };
    let all = gone(&before, &report(&pair, 0));
    assert!(names(&told).is_superset(&names(&all)), "{told:#?}");
    let last = |it: &&StatsObject| before.get(it.id()) == Some(*it);
    let of = |kind| move |it: &&StatsObject| it.kind() == kind;
    let pairs = told.iter().filter(of(StatsType::CandidatePair));
    assert_eq!(pairs.filter(last).count(), 1, "{told:#?}");
    // A stream of a transceiver that stops.
    pair.run(Duration::from_secs(1));
    camera.film(&mut pair, ids, 10);
    let (before, now) = (report(&pair, 0), pair.now);
    pair.ends[0].engine.stop_transceiver(now, ids[0]).unwrap();
    let told = ended(&mut pair, 0);
    let all = gone(&before, &report(&pair, 0));
    assert!(names(&told).is_superset(&names(&all)), "{told:#?}");
    let last: StatsReport = told.iter().cloned().collect();
    let sent = |it: &StatsReport| it.outbound_rtp().next().unwrap().sent.packets_sent;
    assert_eq!(sent(&last), sent(&before));
    let streams = told.iter().filter(of(StatsType::OutboundRtp));
    assert_eq!(streams.count(), 1);
    // Closing ends nothing, as the report stays; and who has not asked was told nothing.
    let now = pair.now;
    pair.ends[0].engine.close(now);
    assert_eq!(ended(&mut pair, 0), []);
    assert_eq!(ended(&mut pair, 1), []);
}

/// [8.5-01] What the peer ends is told soon, with values of just before.
#[test]
fn what_the_peer_ends_is_told_soon() {
    let (mut pair, ids) = sending(22, link(), MediaKind::Video);
    watch(&mut pair, 1);
    let mut camera = Camera::default();
    camera.film(&mut pair, ids, 30);
    pair.run(ms(300));
    let before = report(&pair, 1);
    let count = |it: &StatsReport| it.inbound_rtp().next().unwrap().received.packets_received;
    assert!(count(&before).unwrap() > 60);
    // A BYE comes with the end of its section, before any description says so.
    let now = pair.now;
    pair.ends[0].engine.stop_transceiver(now, ids[0]).unwrap();
    pair.run(ms(150));
    let told: StatsReport = ended(&mut pair, 1).into_iter().collect();
    assert_eq!(count(&told), count(&before));
    assert_eq!(report(&pair, 1).inbound_rtp().count(), 0);
    // Nothing happens any more, so nobody looks.
    let looks = || pair.ends[1].engine.poll_timeout();
    assert!(
        looks().is_none_or(|at| at > pair.now + ms(100)),
        "{:?}",
        looks()
    );
}

/// A hold ends no stream, whoever asks.
#[test]
fn what_pauses_has_not_ended() {
    let (mut pair, ids) = sending(23, link(), MediaKind::Audio);
    watch(&mut pair, 0);
    let inactive = RtpTransceiverDirection::Inactive;
    pair.ends[0].engine.set_direction(ids[0], inactive).unwrap();
    pair.negotiate(0).unwrap();
    assert_eq!(ended(&mut pair, 0), []);
    let sendrecv = RtpTransceiverDirection::SendRecv;
    pair.ends[0].engine.set_direction(ids[0], sendrecv).unwrap();
    pair.negotiate(0).unwrap();
    let (track, now) = (Some((MediaKind::Audio, ONE)), pair.now);
    let engine = &mut pair.ends[0].engine;
    engine.replace_track(now, ids[0], track).unwrap();
    assert_eq!(ended(&mut pair, 0), [], "it had this track");
}
