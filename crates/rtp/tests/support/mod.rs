//! Sessions that face each other over links, in simulated time; and an encoder whose frames tell what they are.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing step is a failing test"
)]

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use oxirtc_netsim::{Link, epoch, ms};
use oxirtc_rtp::{
    Announced, Batch, Carries, Choice, Config, Delivery, Encoding, Event, Format, Frame, Ntp,
    Section, SectionId, Session,
    extension::{Ids, Kind, Label, Values},
    payload::{Codec, Layering, Packetizer},
};

pub(crate) const VIDEO: SectionId = SectionId(0);
pub(crate) const AUDIO: SectionId = SectionId(1);

pub(crate) fn session(seed: u64) -> Session {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    // Each session's wall clock is another.
    let wall = Ntp((1000 + seed * 7) << 32);
    Session::new(Config::new("name"), bytes, epoch(), wall)
}

pub(crate) fn ids() -> Ids {
    Ids::new()
        .with(Kind::Mid, 1)
        .with(Kind::Rid, 2)
        .with(Kind::RepairedRid, 3)
        .with(Kind::TransportNumber, 4)
        .with(Kind::AbsoluteSendTime, 5)
        .with(Kind::AudioLevel, 6)
}

pub(crate) fn video() -> Section {
    let format = |payload_type, role| Format {
        payload_type,
        role,
        clock: 90_000,
    };
    Section {
        mid: Label::new("v"),
        formats: vec![
            format(96, Carries::Media(Codec::Vp8)),
            format(97, Carries::Rtx { of: 96 }),
        ],
        ids: ids(),
        receives: true,
        ..Section::default()
    }
}

pub(crate) fn audio() -> Section {
    let format = |payload_type, role, clock| Format {
        payload_type,
        role,
        clock,
    };
    Section {
        mid: Label::new("a"),
        formats: vec![
            format(111, Carries::Media(Codec::Opus), 48_000),
            format(63, Carries::Red, 48_000),
            format(0, Carries::Media(Codec::Pcmu), 8_000),
            format(110, Carries::Media(Codec::TelephoneEvent), 48_000),
            format(126, Carries::Media(Codec::TelephoneEvent), 8_000),
        ],
        ids: ids(),
        receives: true,
        ..Section::default()
    }
}

pub(crate) fn encoding(ssrc: u32, lane: u8) -> Encoding {
    Encoding {
        ssrc,
        rtx: Some(ssrc + 1),
        fec: None,
        rid: None,
        active: true,
        limit: None,
        choice: Choice {
            lane,
            ..Choice::default()
        },
    }
}

pub(crate) fn announced(ssrc: u32) -> Announced {
    Announced {
        ssrc,
        rtx: Some(ssrc + 1),
        fec: None,
    }
}

/// An encoder of one lane: its frames are full of their number and lane.
pub(crate) struct Camera {
    pub(crate) lane: u8,
    packetizer: Packetizer,
    next: u64,
    pub(crate) count: u32,
    pub(crate) wants_key: bool,
    pub(crate) keys: u32,
    pub(crate) size: usize,
    pieces: Vec<oxirtc_rtp::payload::Piece>,
}

impl Camera {
    pub(crate) fn new(lane: u8, size: usize) -> Self {
        Self {
            lane,
            packetizer: Packetizer::new(Codec::Vp8, 1080, 0x7ff0 + u16::from(lane) * 99),
            next: 100 * u64::from(lane),
            count: 0,
            wants_key: true,
            keys: 0,
            size,
            pieces: Vec::new(),
        }
    }

    pub(crate) fn frame(&mut self, now: Instant) -> Arc<Batch> {
        let key = std::mem::take(&mut self.wants_key);
        self.keys += u32::from(key);
        let size = if key { self.size * 4 } else { self.size };
        let mut frame = vec![self.count as u8; size];
        frame[..10].copy_from_slice(&[u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
        frame[10] = self.lane;
        let frame = Bytes::from(frame);
        let layering = Layering::default();
        self.packetizer
            .cut(&frame, layering, &mut self.pieces)
            .unwrap();
        let timestamp =
            (now - epoch()).as_micros() as u32 / 1000 * 90 + 5000 * u32::from(self.lane);
        self.count += 1;
        let lane = (self.lane, Codec::Vp8);
        let captured = (now, &Values::default());
        Batch::of_frame(&mut self.pieces, lane, &mut self.next, timestamp, captured)
    }
}

/// Panics if the frame is not of one piece. Returns its lane.
pub(crate) fn check(frame: &Frame) -> u8 {
    let payload = &frame.payload;
    assert!(payload.len() > 20);
    let content = &payload[11..];
    let first = content[0];
    assert!(
        content.iter().all(|it| *it == first),
        "a frame of mixed content was called whole"
    );
    assert_eq!(frame.key, payload[0] & 1 == 0);
    payload[10]
}

/// Two sessions and the links between them.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) sides: [Session; 2],
    pub(crate) links: [Link; 2],
    pub(crate) events: [Vec<Event>; 2],
    pub(crate) frames: [Vec<Frame>; 2],
    /// Datagrams of RTP that were sent by each side.
    pub(crate) sent: [Vec<Vec<u8>>; 2],
    pub(crate) stalled: [bool; 2],
    /// Frames are read only when an event has told of them.
    pub(crate) reads_when_told: bool,
}

impl Pair {
    pub(crate) fn new(seed: u64, link: &Link) -> Self {
        let links = [link.reseeded(seed * 2 + 1), link.reseeded(seed * 2 + 2)];
        Self {
            now: epoch(),
            sides: [session(seed * 2), session(seed * 2 + 1)],
            links,
            events: Default::default(),
            frames: Default::default(),
            sent: Default::default(),
            stalled: [false; 2],
            reads_when_told: false,
        }
    }

    /// Side 0 sends video to side 1, which wants frames.
    pub(crate) fn video(seed: u64, link: &Link) -> Self {
        let mut pair = Self::new(seed, link);
        pair.sides[0].set_section(VIDEO, video());
        pair.sides[0].set_encodings(VIDEO, &[encoding(1000, 0)]);
        pair.sides[1].set_section(VIDEO, video());
        pair.sides[1].set_delivery(VIDEO, frames());
        pair
    }

    /// One turn of both sides at this time.
    pub(crate) fn turn(&mut self) {
        for side in 0..2 {
            if self.stalled[side] {
                continue;
            }
            let now = self.now;
            while let Some(datagram) = self.links[1 - side].receive(now) {
                if oxirtc_rtp::rtcp::is_rtcp(&datagram) {
                    self.sides[side].handle_rtcp(now, &datagram);
                } else {
                    self.sides[side].handle_rtp(now, &datagram);
                }
            }
            self.sides[side].handle_timeout(now);
            self.drain(side);
        }
    }

    pub(crate) fn drain(&mut self, side: usize) {
        let now = self.now;
        let session = &mut self.sides[side];
        let mut buf = Vec::new();
        for _ in 0..1000 {
            buf.clear();
            if session.poll_rtcp(now, 1200, &mut buf) {
                assert!(buf.len() <= 1200 && buf.len().is_multiple_of(4));
                self.links[side].send(now, buf.clone());
            } else if let Some(head) = session.peek(now) {
                let written = session.poll_rtp(now, 1232, &mut buf).unwrap();
                assert!(buf.len() <= head.len && written.class == head.class);
                assert_eq!(written.len, buf.len());
                self.sent[side].push(buf.clone());
                self.links[side].send(now, buf.clone());
            } else {
                break;
            }
        }
        let mut told = !self.reads_when_told;
        while let Some(event) = session.poll_event() {
            told |= matches!(event, Event::Readable { .. });
            self.events[side].push(event);
        }
        for section in [VIDEO, AUDIO].into_iter().filter(|_| told) {
            while let Some(frame) = session.read_frame(now, section) {
                self.frames[side].push(frame);
            }
        }
    }

    /// Both sides, millisecond by millisecond; `each` before every turn.
    pub(crate) fn run(&mut self, millis: u64, mut each: impl FnMut(&mut Self, u64)) {
        for tick in 0..millis {
            each(self, tick);
            self.turn();
            self.now += ms(1);
        }
    }

    /// Side 0 sends frames of a camera at 30 a second; it makes key frames that are asked for.
    pub(crate) fn film(&mut self, camera: &mut Camera, millis: u64) {
        self.run(millis, |pair, tick| {
            camera.wants_key |= asked(&mut pair.events[0], 0);
            if tick % 33 == 0 {
                let batch = camera.frame(pair.now);
                pair.sides[0].write(pair.now, VIDEO, camera.lane, &batch);
            }
        });
    }
}

pub(crate) fn frames() -> Delivery {
    Delivery {
        frames: true,
        ..Delivery::default()
    }
}

/// Whether a key frame of this lane was asked for; the requests are taken out.
pub(crate) fn asked(events: &mut Vec<Event>, wanted: u8) -> bool {
    let before = events.len();
    events.retain(|it| !matches!(it, Event::KeyframeRequested { lane, .. } if *lane == wanted));
    events.len() < before
}
