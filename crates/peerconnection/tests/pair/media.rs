//! What is sent over a pair: a camera, a microphone, and what is read of them.

use std::time::Duration;

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    MediaKind,
    engine::{Cutter, Event, TrackId, TransceiverId},
    media::{Codec, EncodedFrame},
};

use super::{End, Pair};

pub(crate) const ONE: TrackId = TrackId(1);
pub(crate) const TWO: TrackId = TrackId(2);

/// A pair whose side 0 sends a kind of media to side 1, with the transceivers at both ends.
pub(crate) fn sending(seed: u64, link: Link, kind: MediaKind) -> (Pair, [TransceiverId; 2]) {
    let mut pair = Pair::new(seed, link);
    let streams = vec!["stream".to_owned()];
    let here = pair.ends[0].engine.add_track(kind, ONE, streams).unwrap();
    let there = connect(&mut pair);
    (pair, [here, there])
}

/// Negotiates and connects; gives the first transceiver of side 1, whose frames are read.
pub(crate) fn connect(pair: &mut Pair) -> TransceiverId {
    pair.negotiate(0).unwrap();
    pair.until(Duration::from_secs(20), |pair| {
        pair.ends.iter().all(End::is_connected)
    });
    let engine = &mut pair.ends[1].engine;
    let all: Vec<_> = engine.transceivers().map(|it| it.id()).collect();
    for id in &all {
        engine.set_delivery(*id, true, false);
    }
    all[0]
}

/// A camera of side 0: its pictures are full of their number.
#[derive(Default)]
pub(crate) struct Camera {
    cutter: Cutter,
    count: u32,
    /// A key frame was made.
    pub(crate) started: bool,
    /// Requests that were answered.
    answered: usize,
}

impl Camera {
    /// Films for so many pictures, 30 a second; gives those that came whole at the other end.
    pub(crate) fn film(
        &mut self,
        pair: &mut Pair,
        [here, there]: [TransceiverId; 2],
        pictures: u32,
    ) -> u32 {
        let mut whole = 0;
        for _ in 0..pictures {
            self.shoot(pair, here);
            pair.run(ms(33));
            whole += read(pair, there);
        }
        whole
    }

    /// Makes one picture; it is still to leave.
    pub(crate) fn shoot(&mut self, pair: &mut Pair, here: TransceiverId) {
        let asked = asked(pair, here);
        let key = !std::mem::replace(&mut self.started, true) || asked > self.answered;
        self.answered = asked;
        let mut payload = vec![self.count as u8; if key { 12_000 } else { 3000 }];
        payload[..10].copy_from_slice(&[u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
        let mut frame = EncodedFrame::new(Codec::Vp8, payload);
        let now = pair.now;
        frame.captured = Some(now);
        let batch = self.cutter.cut_frame(now, 0, &frame).unwrap();
        pair.ends[0].engine.write(now, here, &batch);
        self.count += 1;
    }
}

/// A microphone of side 0, which makes Opus of 20 ms.
#[derive(Default)]
pub(crate) struct Microphone {
    cutter: Cutter,
}

impl Microphone {
    /// Speaks for so many packets at this level; gives how many were heard at the other end.
    pub(crate) fn speak(
        &mut self,
        pair: &mut Pair,
        [here, there]: [TransceiverId; 2],
        packets: u32,
        level: Option<u8>,
    ) -> u32 {
        let mut heard = 0;
        for _ in 0..packets {
            let now = pair.now;
            // RFC 6716 §3.1: one frame of 20 ms in the packet.
            let mut payload = vec![7; 80];
            payload[0] = 0xfc;
            let mut frame = EncodedFrame::new(Codec::Opus, payload);
            (frame.captured, frame.audio_level) = (Some(now), level);
            let batch = self.cutter.cut_frame(now, 0, &frame).unwrap();
            pair.ends[0].engine.write(now, here, &batch);
            pair.run(ms(20));
            let now = pair.now;
            while pair.ends[1].engine.read_frame(now, there).is_some() {
                heard += 1;
            }
        }
        heard
    }
}

/// Reads the pictures that side 1 has.
pub(crate) fn read(pair: &mut Pair, there: TransceiverId) -> u32 {
    let now = pair.now;
    let mut whole = 0;
    while let Some(frame) = pair.ends[1].engine.read_frame(now, there) {
        let content = &frame.payload[10..];
        assert!(content.iter().all(|it| *it == content[0]), "mixed content");
        whole += 1;
    }
    whole
}

/// How many key frames side 1 has asked for.
pub(crate) fn asked(pair: &Pair, here: TransceiverId) -> usize {
    let wanted = |event: &&Event| matches!(event, Event::KeyframeRequested { transceiver, .. } if *transceiver == here);
    pair.ends[0].tasks.iter().flatten().filter(wanted).count()
}

/// What was told of tracks at a side, from that task on.
pub(crate) fn told(pair: &Pair, side: usize, from: usize) -> Vec<String> {
    let word = |event: &Event| match event {
        Event::SignalingStateChange(_) => Some("signaling".to_owned()),
        Event::Track { streams, .. } => Some(format!("track {streams:?}")),
        Event::StreamChange { stream, added, .. } => Some(format!(
            "{} {stream}",
            if *added { "add" } else { "remove" }
        )),
        Event::TrackMute(_, true) => Some("mute".to_owned()),
        Event::TrackMute(_, false) => Some("unmute".to_owned()),
        Event::TrackEnded(_) => Some("ended".to_owned()),
        _ => None,
    };
    let tasks = pair.ends[side].tasks.iter().skip(from);
    tasks.flatten().filter_map(word).collect()
}
