//! What is sent no more, and what goes on: circuit breakers, keys across an ICE restart, what is forged.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod pair;

use std::time::Duration;

use oxirtc_netsim::{End, Link, ms};
use oxirtc_peerconnection::{
    MediaKind, OfferOptions,
    engine::{Event, Path, TransceiverId},
    media::StopCause,
    stats::StatsObject,
};

use pair::{
    Pair,
    media::{Camera, ONE, TWO, connect, sending},
};

fn link() -> Link {
    Link::new(1).delay(ms(10))
}

/// Datagrams of RTCP that side 1 sends get lost, or do not any more.
fn lose_reports(pair: &mut Pair, lost: bool) {
    pair.tap = lost.then(|| -> oxirtc_netsim::Tap {
        Box::new(|from, datagram| {
            let is_rtcp = datagram[0] >= 128 && (64..96).contains(&(datagram[1] & 0x7f));
            from == End::A || !is_rtcp
        })
    });
}

/// What was told of encodings that stopped, or go on.
fn told(pair: &Pair) -> Vec<(TransceiverId, Option<StopCause>)> {
    let events = pair.ends[0].tasks.iter().flatten();
    let of = events.filter_map(|it| match it {
        Event::SendingStopped {
            transceiver, cause, ..
        } => Some((*transceiver, *cause)),
        _ => None,
    });
    of.collect()
}

fn is_active(pair: &Pair) -> bool {
    let report = pair.ends[0].engine.stats(pair.now);
    let mut all = report.iter();
    let found = all.find_map(|it| match it {
        StatsObject::OutboundRtp(it) => it.active,
        _ => None,
    });
    found.unwrap_or_default()
}

fn stopped(pair: &Pair, id: TransceiverId) -> Vec<(usize, StopCause)> {
    let view = pair.ends[0].engine.transceiver(id).unwrap();
    view.stopped().collect()
}

/// RFC 8083: of a stream that nobody reports on the application is told, in an event, in the state of its sender and in statistics; and it
/// can have it tried again.
#[test]
fn a_stream_that_does_not_get_through_is_told() {
    let (mut pair, ids) = sending(1, link(), MediaKind::Video);
    let mut camera = Camera::default();
    assert!(camera.film(&mut pair, ids, 60) > 55);
    lose_reports(&mut pair, true);
    camera.film(&mut pair, ids, 14 * 30);
    assert_eq!(told(&pair), []);
    assert!(is_active(&pair));
    camera.film(&mut pair, ids, 5 * 30);
    let silence = (ids[0], Some(StopCause::Silence));
    assert_eq!(told(&pair), [silence]);
    assert_eq!(stopped(&pair, ids[0]), [(0, StopCause::Silence)]);
    assert!(!is_active(&pair));
    assert_eq!(camera.film(&mut pair, ids, 30), 0, "nothing is sent");
    lose_reports(&mut pair, false);
    assert_eq!(camera.film(&mut pair, ids, 20 * 30), 0, "not by itself");
    for active in [false, true] {
        let engine = &mut pair.ends[0].engine;
        let mut parameters = engine.parameters(ids[0]);
        parameters.encodings[0].active = active;
        let now = pair.now;
        pair.ends[0]
            .engine
            .set_parameters(now, ids[0], parameters)
            .unwrap();
    }
    assert!(camera.film(&mut pair, ids, 60) > 50);
    assert_eq!(told(&pair), [silence, (ids[0], None)]);
    assert_eq!(stopped(&pair, ids[0]), []);
    assert!(is_active(&pair));
}

/// A call on hold, or of a microphone that is off, goes on whatever it lasted.
#[test]
fn a_pause_of_all_media_stops_nothing() {
    let (mut pair, ids) = sending(2, link(), MediaKind::Video);
    let mut camera = Camera::default();
    camera.film(&mut pair, ids, 60);
    lose_reports(&mut pair, true);
    pair.run(Duration::from_secs(60));
    lose_reports(&mut pair, false);
    assert!(camera.film(&mut pair, ids, 90) > 85);
    assert_eq!(told(&pair), []);
}

/// An ICE restart keeps the keys and what SRTP knows of each stream: numbers go on, what is under way is read, and what had come is a
/// replay.
#[test]
fn an_ice_restart_keeps_the_keys_of_media() {
    let (mut pair, ids) = sending(3, link(), MediaKind::Video);
    let mut camera = Camera::default();
    assert_eq!(camera.film(&mut pair, ids, 60), 60);
    let (_, old) = next(&mut pair, &mut camera, ids);
    let drops = |pair: &Pair| {
        let engine = &pair.ends[1].engine;
        let id = engine.transceiver(ids[1]).unwrap().transport().unwrap();
        engine.transport(id).unwrap().media_drops()
    };
    assert_eq!(drops(&pair), Default::default());
    let restart = OfferOptions {
        ice_restart: true,
        ..OfferOptions::default()
    };
    pair.negotiate_with(0, &restart).unwrap();
    // Nothing is lost meanwhile: neither key is laid down.
    assert_eq!(camera.film(&mut pair, ids, 120), 120);
    let (route, _) = next(&mut pair, &mut camera, ids);
    pair.deliver(End::B, route, old.clone());
    pair.run(ms(10));
    assert_eq!(drops(&pair).replayed, 1, "it had come before");
    let mut forged = old;
    let end = forged.len() - 1;
    forged[end] ^= 1;
    // A number that has not come yet.
    forged[2] ^= 0x40;
    pair.deliver(End::B, route, forged);
    pair.run(ms(10));
    assert_eq!(drops(&pair).forged, 1);
    assert_eq!(camera.film(&mut pair, ids, 30), 30);
}

/// A datagram of RTP that side 0 has sent for the next picture, with the route on which the other side hears it.
fn next(pair: &mut Pair, camera: &mut Camera, ids: [TransceiverId; 2]) -> (Path, Vec<u8>) {
    pair.sent = Some(Vec::new());
    assert_eq!(camera.film(pair, ids, 1), 1);
    let sent = pair.sent.take().unwrap().into_iter();
    let mut rtp = sent.filter(|it| {
        let is_rtp = it.datagram[0] >= 128 && !(64..96).contains(&(it.datagram[1] & 0x7f));
        it.from == End::A && is_rtp
    });
    let sent = rtp.next().unwrap();
    (
        Path::udp(sent.route.remote, sent.route.local),
        sent.datagram,
    )
}

/// Streams of one transport are judged each by itself, and sound goes on where pictures stop.
#[test]
fn sound_goes_on_where_pictures_stop() {
    let mut pair = Pair::new(4, link());
    let engine = &mut pair.ends[0].engine;
    let pictures = engine.add_track(MediaKind::Video, ONE, Vec::new()).unwrap();
    let sound = engine.add_track(MediaKind::Audio, TWO, Vec::new()).unwrap();
    connect(&mut pair);
    let there: Vec<_> = pair.ends[1]
        .engine
        .transceivers()
        .map(|it| it.id())
        .collect();
    let mut camera = Camera::default();
    let mut microphone = pair::media::Microphone::default();
    camera.film(&mut pair, [pictures, there[0]], 30);
    microphone.speak(&mut pair, [sound, there[1]], 30, None);
    // Pictures get lost from now on: what is long.
    pair.tap = Some(Box::new(|from, datagram| {
        from == End::B || datagram.len() < 700
    }));
    for _ in 0..60 {
        camera.film(&mut pair, [pictures, there[0]], 10);
        microphone.speak(&mut pair, [sound, there[1]], 10, None);
    }
    let stopped = told(&pair);
    assert!(stopped.iter().all(|it| it.0 == pictures), "{stopped:?}");
    assert_eq!(stopped.len(), 1, "{stopped:?}");
    pair.tap = None;
    assert!(microphone.speak(&mut pair, [sound, there[1]], 50, None) > 45);
}
