//! Sessions that face each other over links, in simulated time; and an encoder whose frames tell what they are.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing step is a failing test"
)]

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use oxirtc_netsim::{Duplex, Link, Machine, epoch, ms};
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

/// A session, and what it has told.
pub(crate) struct Side {
    pub(crate) session: Session,
    pub(crate) events: Vec<Event>,
    pub(crate) frames: Vec<Frame>,
    /// Datagrams of RTP that were sent.
    pub(crate) sent: Vec<Vec<u8>>,
    /// Nothing is done, as with a process that has no time.
    pub(crate) stalled: bool,
    /// What came meanwhile.
    unread: Vec<Vec<u8>>,
    /// Frames are read only when an event has told of them.
    pub(crate) reads_when_told: bool,
}

/// Two sessions and the links between them.
pub(crate) type Pair = oxirtc_netsim::Pair<Side, Duplex>;

impl Side {
    fn new(seed: u64) -> Self {
        Self {
            session: session(seed),
            events: Vec::new(),
            frames: Vec::new(),
            sent: Vec::new(),
            stalled: false,
            unread: Vec::new(),
            reads_when_told: false,
        }
    }
}

impl Machine for Side {
    type Route = ();

    fn handle_datagram(&mut self, now: Instant, (): (), datagram: &mut [u8]) {
        if self.stalled {
            self.unread.push(datagram.to_vec());
        } else if oxirtc_rtp::rtcp::is_rtcp(datagram) {
            self.handle_rtcp(now, datagram);
        } else {
            self.handle_rtp(now, datagram);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.session.poll_timeout().filter(|_| !self.stalled)
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<((), usize)> {
        if self.stalled {
            return None;
        }
        let before = buf.len();
        if self.poll_rtcp(now, 1200, buf) {
            assert!(buf.len() - before <= 1200 && (buf.len() - before).is_multiple_of(4));
            return Some(((), usize::MAX));
        }
        let head = self.peek(now)?;
        let written = self.poll_rtp(now, room, buf).unwrap();
        assert_eq!(
            (written.len, written.class),
            (buf.len() - before, head.class)
        );
        assert!(written.len <= head.len);
        self.sent.push(buf[before..].to_vec());
        Some(((), usize::MAX))
    }

    fn poll(&mut self, now: Instant) -> bool {
        if self.stalled {
            return false;
        }
        for mut datagram in std::mem::take(&mut self.unread) {
            self.handle_datagram(now, (), &mut datagram);
        }
        let before = (self.events.len(), self.frames.len());
        let mut told = !self.reads_when_told;
        while let Some(event) = self.session.poll_event() {
            told |= matches!(event, Event::Readable { .. });
            self.events.push(event);
        }
        for section in [VIDEO, AUDIO].into_iter().filter(|_| told) {
            while let Some(frame) = self.session.read_frame(now, section) {
                self.frames.push(frame);
            }
        }
        before != (self.events.len(), self.frames.len())
    }

    fn mirrored((): ()) {}
}

impl Deref for Side {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Side {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

/// What sessions do together.
pub(crate) trait Film: Sized {
    fn between(seed: u64, link: &Link) -> Self;

    /// Side 0 sends video to side 1, which wants frames.
    fn video(seed: u64, link: &Link) -> Self;

    /// All that is due at this time.
    fn turn(&mut self);

    /// Both sides; `each` at every millisecond.
    fn run(&mut self, millis: u64, each: impl FnMut(&mut Self, u64));

    /// Side 0 sends frames of a camera at 30 a second; it makes key frames that are asked for.
    fn film(&mut self, camera: &mut Camera, millis: u64);
}

impl Film for Pair {
    fn between(seed: u64, link: &Link) -> Self {
        let [there, back] = [seed * 2 + 1, seed * 2 + 2].map(|seed| link.reseeded(seed));
        let ends = [Side::new(seed * 2), Side::new(seed * 2 + 1)];
        let mut pair = Self::new(ends, Duplex { there, back });
        pair.room = 1232;
        pair
    }

    fn video(seed: u64, link: &Link) -> Self {
        let mut pair = Self::between(seed, link);
        pair.ends[0].set_section(VIDEO, video());
        pair.ends[0].set_encodings(VIDEO, &[encoding(1000, 0)]);
        pair.ends[1].set_section(VIDEO, video());
        pair.ends[1].set_delivery(VIDEO, frames());
        pair
    }

    fn turn(&mut self) {
        self.run_for(Duration::ZERO);
    }

    fn run(&mut self, millis: u64, mut each: impl FnMut(&mut Self, u64)) {
        for tick in 0..millis {
            each(self, tick);
            self.run_for(ms(1));
        }
    }

    fn film(&mut self, camera: &mut Camera, millis: u64) {
        self.run(millis, |pair, tick| {
            camera.wants_key |= asked(&mut pair.ends[0].events, 0);
            if tick % 33 == 0 {
                let batch = camera.frame(pair.now);
                pair.ends[0].write(pair.now, VIDEO, camera.lane, &batch);
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
