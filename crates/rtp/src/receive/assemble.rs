//! Packets put in order, and made into frames.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::jitter::Jitter;
use crate::{
    Config, Described, Ntp, Recent,
    batch::{Lane, Packet},
    extension::{Structure, Values},
    payload::{Codec, Facts, vp9},
    stats::ReceiveStats,
};

/// A frame that is whole.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The lane of its stream.
    pub lane: Lane,
    /// Its codec.
    pub codec: Codec,
    /// Its timestamp.
    pub timestamp: u32,
    /// True if it needs none before it.
    pub key: bool,
    /// The encoded frame, in memory of its own.
    pub payload: Bytes,
    /// What its first packet tells: layers, picture number, size.
    pub facts: Facts,
    /// Of VP9, the frames that the picture has, one for each spatial layer.
    pub layers: Vec<vp9::LayerFrame>,
    /// What its dependency descriptors tell, if it came with any.
    pub described: Option<Described>,
    /// When it was captured, by our clock.
    pub captured: Instant,
    /// When it was captured, by the sender's clock.
    pub sender_clock: Option<Ntp>,
    /// The header extensions of its first packet, with the rotation of its last.
    pub values: Values,
    /// When its last packet came.
    pub received: Instant,
    /// How many frames, or gaps of unknown length, were left out before it.
    pub missing_before: u32,
}

/// Packets that wait for those before them.
#[derive(Debug)]
pub(crate) struct Assembler {
    /// With the time they came.
    held: BTreeMap<u64, (Packet, Instant)>,
    most: usize,
    /// So many bytes a frame may have.
    most_frame: usize,
    patience: Duration,
    /// The number that is next.
    next: Option<u64>,
    /// What has come of the frame that begins with `next`.
    run: Option<Run>,
    /// The number before `next` has ended a frame, or was none of any.
    is_at_beginning: bool,
    /// Nothing before the next key frame can be decoded.
    is_broken: bool,
    /// Since when `next` is waited for.
    waits: Option<Instant>,
    /// How long it may be waited for, by the round trip.
    pub(crate) wait: Duration,
    last: Option<Facts>,
    /// The templates of dependency descriptors, as the last frame before `next` that has told them.
    structure: Option<Structure>,
    missing: u32,
    pub(crate) jitter: Jitter,
    ready: VecDeque<Ready>,
    /// It was told that a frame can be read, and none was found missing since.
    told: bool,
    counts: Counts,
    scratch: Vec<u8>,
}

/// Packets without a gap, up to the end of a frame.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: u64,
    /// The number that comes next in it.
    end: u64,
    bytes: usize,
    /// The last number of the frame, if all of it is there.
    whole: Option<u64>,
}

/// A frame that is whole.
#[derive(Debug)]
struct Ready {
    /// When it can be read.
    due: Instant,
    /// When its first packet came.
    began: Instant,
    frame: Frame,
}

#[derive(Debug, Default)]
struct Counts {
    frames: u64,
    keys: u64,
    dropped: u64,
    freezes: u64,
    frozen: Duration,
    assembled: u64,
    assembly: Duration,
    emitted: u64,
    emitted_keys: u64,
    read: Recent,
    waited: f64,
    targets: f64,
    minimums: f64,
    played: Duration,
    energy: f64,
    level: Option<f64>,
    playout: Option<(Ntp, Instant)>,
    last: Option<Instant>,
    /// The mean time between frames.
    mean: Duration,
    size: Option<(u16, u16)>,
}

impl Assembler {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            held: BTreeMap::new(),
            most: config.reorder,
            most_frame: config.frame,
            patience: config.patience,
            next: None,
            run: None,
            is_at_beginning: false,
            is_broken: true,
            waits: None,
            wait: Duration::from_millis(200),
            last: None,
            structure: None,
            missing: 0,
            jitter: Jitter::default(),
            ready: VecDeque::new(),
            told: false,
            counts: Counts::default(),
            scratch: Vec::new(),
        }
    }

    /// Takes a packet in. One that is too late was given up, and is counted as such.
    pub(crate) fn insert(&mut self, now: Instant, packet: Packet) {
        let next = *self.next.get_or_insert(packet.sequence);
        if packet.sequence < next {
            return;
        }
        self.held.insert(packet.sequence, (packet, now));
        // RFC 3550 sets no limit; memory does. The gap is given up, or the frame.
        self.advance();
        let Some(run) = self.run else { return };
        let packets = (run.end - run.start) as usize;
        if self.held.len().saturating_sub(packets) > self.most {
            self.skip();
        } else if run.bytes > self.most_frame.saturating_add(packets * HEADER)
            || packets > self.most.max(self.most_frame / LEAST)
        {
            self.held = self.held.split_off(&run.end);
            (self.next, self.is_at_beginning) = (Some(run.end), false);
            self.is_broken = true;
            self.missing += 1;
            self.counts.dropped += 1;
        }
    }

    /// Looks at what has come without a gap, each packet once.
    fn advance(&mut self) {
        let Some(next) = self.next else { return };
        let mut run = self.run.filter(|it| it.start == next).unwrap_or(Run {
            start: next,
            end: next,
            bytes: 0,
            whole: None,
        });
        let first = self.held.get(&next).map(|it| it.0.timestamp);
        while run.whole.is_none()
            && let Some((packet, _)) = self.held.get(&run.end)
        {
            // Padding may follow a frame, never lie in it: what came before it is all there is.
            if !packet.is_padding() {
                if Some(packet.timestamp) != first {
                    run.whole = Some(run.end - 1);
                    break;
                }
                run.bytes += packet.payload_len();
                let ends = packet.marker || packet.codec.is_audio();
                run.whole = ends.then_some(run.end);
            }
            run.end += 1;
        }
        self.run = Some(run);
    }

    /// The stream goes on elsewhere: nothing that is held is waited for.
    pub(crate) fn restart(&mut self) {
        self.held.clear();
        (self.next, self.run, self.waits) = (None, None, None);
        (self.is_broken, self.is_at_beginning) = (true, false);
        self.missing += 1;
    }

    /// How many bytes are held, in packets and in frames that nobody has read yet.
    pub(crate) fn bytes(&self) -> usize {
        let packets = self.held.values().map(|it| Self::cost_of(&it.0));
        let frames = self.ready.iter();
        let frames = frames.map(|it| it.frame.payload.len() + size_of::<Ready>());
        packets.chain(frames).sum()
    }

    /// What a packet takes that is held.
    pub(crate) fn cost_of(packet: &Packet) -> usize {
        packet.payload_len() + size_of::<(u64, Packet, Instant)>()
    }

    /// Too much is held: all of it goes.
    pub(crate) fn drop_all(&mut self) {
        self.counts.dropped += self.ready.len() as u64 + 1;
        self.clear();
    }

    /// Nobody wants frames any more: nothing is held for who asks for them next.
    pub(crate) fn clear(&mut self) {
        self.missing += self.ready.len() as u32;
        self.ready.clear();
        self.told = false;
        self.restart();
    }

    /// Makes frames of what is whole. Returns true if a key frame is wanted, and below which number nothing is waited
    /// for.
    pub(crate) fn run(&mut self, now: Instant, clock: u32) -> (bool, u64) {
        let mut wants = false;
        while let Some(next) = self.next {
            self.drop_padding();
            self.pass_over();
            if let Some(end) = self.whole() {
                wants |= self.take(now, end, clock);
                self.waits = None;
            } else if self.held.is_empty() {
                self.waits = None;
                break;
            } else {
                let at_head = self.held.contains_key(&self.next.unwrap_or(next));
                // Who begins in the middle of a frame need not wait to know it.
                if at_head && self.is_broken && !self.starts_key() && !self.is_at_beginning {
                    wants = true;
                }
                if !self.has_gap() {
                    self.waits = None;
                    break;
                }
                // Nothing before a key frame that is here can be decoded any more: it is no use to wait for it.
                if self.is_broken && !self.starts_key() && self.has_key_ahead() {
                    wants |= self.skip();
                    self.waits = None;
                    continue;
                }
                let since = *self.waits.get_or_insert(now);
                if now.saturating_duration_since(since) < self.wait.min(self.patience) {
                    break;
                }
                wants |= self.skip();
                self.waits = None;
            }
        }
        (wants, self.next.unwrap_or(0))
    }

    fn drop_padding(&mut self) {
        while let Some(next) = self.next
            && self.held.get(&next).is_some_and(|it| it.0.is_padding())
        {
            self.held.remove(&next);
            self.next = Some(next + 1);
        }
    }

    /// Numbers that are missing between a frame that was whole and the next one by its picture number carried no picture: parity
    /// within RED (RFC 5109 §14.2), or padding. Nobody waits for them.
    fn pass_over(&mut self) {
        let Some((next, last)) = self.next.zip(self.last) else {
            return;
        };
        let mut held = self.held.iter().filter(|it| !it.1.0.is_padding());
        let Some((number, (packet, _))) = held.next().filter(|it| *it.0 > next) else {
            return;
        };
        let is_whole = self.is_at_beginning && !self.is_broken;
        if is_whole && packet.facts.begins && follows(&last, &packet.facts) {
            let number = *number;
            self.held = self.held.split_off(&number);
            self.next = Some(number);
        }
    }

    /// True if a number is missing among those that are held.
    fn has_gap(&self) -> bool {
        let Some((last, next)) = self.held.last_key_value().zip(self.next) else {
            return false;
        };
        last.0 - next + 1 > self.held.len() as u64
    }

    /// Whether a key frame begins behind the next number.
    fn has_key_ahead(&self) -> bool {
        let next = self.next.map_or(0, |next| next + 1);
        let mut ahead = self.held.range(next..);
        ahead.any(|it| it.1.0.facts.key && it.1.0.facts.begins)
    }

    fn starts_key(&self) -> bool {
        let head = self.next.and_then(|next| self.held.get(&next));
        head.is_some_and(|it| it.0.facts.key && it.0.facts.begins)
    }

    /// The last number of the frame that begins with the next one, if all of it is there.
    fn whole(&mut self) -> Option<u64> {
        self.advance();
        self.run?.whole
    }

    /// Takes the frame up to `end` out. Returns true if a key frame is wanted.
    fn take(&mut self, now: Instant, end: u64, clock: u32) -> bool {
        let next = self.next.unwrap_or(end);
        let later = self.held.split_off(&(end + 1));
        let frame = std::mem::replace(&mut self.held, later);
        self.next = Some(end + 1);
        let was_at_beginning = std::mem::replace(&mut self.is_at_beginning, true);
        let packets = || frame.range(next..).filter(|it| !it.1.0.is_padding());
        let Some((first, arrived)) = packets().next().map(|it| it.1) else {
            return false;
        };
        let described = Described::of(packets().map(|it| &it.1.0), &mut self.structure);
        let key = packets().any(|it| it.1.0.facts.key);
        let begins = first.facts.begins || was_at_beginning && !first.codec.tells_beginning();
        let resumes = self
            .last
            .is_some_and(|last| resumes(first.codec, &last, &first.facts));
        if !begins || self.is_broken && !key && !first.codec.is_audio() && !resumes {
            self.counts.dropped += 1;
            self.missing += 1;
            self.is_broken = true;
            return true;
        }
        self.scratch.clear();
        let payloads = packets().map(|it| &it.1.0.payload[..]);
        let joined = first
            .codec
            .join_within(self.most_frame, payloads, &mut self.scratch);
        if joined.is_err() {
            self.counts.dropped += 1;
            self.missing += 1;
            self.is_broken = true;
            return true;
        }
        let last = packets().next_back().map_or(first, |it| &it.1.0);
        let mut values = first.values.clone();
        values.orientation = last.values.orientation.or(values.orientation);
        let size = packets().find_map(|it| it.1.0.facts.size);
        let layers = match first.codec {
            Codec::Vp9 => vp9::layers(packets().map(|it| &it.1.0.payload[..])),
            _ => Vec::new(),
        };
        let made = Frame {
            lane: first.lane,
            codec: first.codec,
            timestamp: first.timestamp,
            key,
            payload: Bytes::copy_from_slice(&self.scratch),
            facts: Facts {
                key,
                size,
                ..first.facts
            },
            layers,
            described,
            captured: first.captured,
            sender_clock: first.sender_clock,
            values,
            received: now,
            missing_before: std::mem::take(&mut self.missing),
        };
        self.is_broken = false;
        self.last = Some(first.facts);
        let began = *arrived;
        if packets().nth(1).is_some() {
            self.counts.assembled += 1;
            self.counts.assembly += now.saturating_duration_since(began);
        }
        self.count(now, key, size);
        let due = self.jitter.due(now, made.timestamp, clock);
        self.ready.push_back(Ready {
            due,
            began,
            frame: made,
        });
        false
    }

    /// Gives up what is missing: on to the next key frame, or what may be one. Returns true if one is wanted.
    fn skip(&mut self) -> bool {
        let Some(next) = self.next else { return false };
        self.is_broken = true;
        let mut before: Option<&Packet> = None;
        let mut entry = None;
        let mut after_gap = None;
        for (number, (packet, _)) in self.held.range(next..) {
            let follows = before.is_some_and(|it| it.sequence + 1 == *number);
            let begins = packet.facts.begins
                || follows
                    && before.is_some_and(|it| it.marker || it.timestamp != packet.timestamp);
            if *number > next && !follows && after_gap.is_none() {
                after_gap = Some((*number, packet.facts.begins));
            }
            if *number > next && begins && (packet.facts.key || packet.codec.is_audio()) {
                entry = Some((*number, true));
                break;
            }
            before = Some(packet);
        }
        let wants = entry.is_none();
        let Some((to, at_beginning)) = entry.or(after_gap) else {
            self.missing += 1;
            return wants;
        };
        let time = |number| self.held.get(&number).map(|it| it.0.timestamp);
        let is_other = time(next).is_some_and(|it| Some(it) != time(to));
        // The rest of a frame is given up as it is taken.
        if at_beginning || is_other {
            self.counts.dropped += 1;
            self.missing += 1;
        }
        self.held = self.held.split_off(&to);
        (self.next, self.is_at_beginning) = (Some(to), at_beginning);
        wants
    }

    fn count(&mut self, now: Instant, key: bool, size: Option<(u16, u16)>) {
        let counts = &mut self.counts;
        counts.frames += 1;
        counts.keys += u64::from(key);
        counts.size = size.or(counts.size);
        if let Some(last) = counts.last.replace(now) {
            let gap = now.saturating_duration_since(last);
            // W3C `freezeCount`: three times the mean or longer, and by 150 ms.
            let limit = (counts.mean * 3).max(counts.mean + Duration::from_millis(150));
            if counts.frames > 10 && gap >= limit {
                counts.freezes += 1;
                counts.frozen += gap;
            }
            counts.mean = if counts.mean.is_zero() {
                gap
            } else {
                (counts.mean * 15 + gap) / 16
            };
        }
    }

    /// The next frame whose time has come.
    pub(crate) fn read(&mut self, now: Instant) -> Option<Frame> {
        if !self.is_readable(now) {
            self.told = false;
            return None;
        }
        let ready = self.ready.pop_front()?;
        self.counts.emit(now, &ready, &self.jitter);
        Some(ready.frame)
    }

    /// True when a frame can be read and this was not told yet: as it came, or as its time has come.
    pub(crate) fn announces(&mut self, now: Instant) -> bool {
        self.is_readable(now) && !std::mem::replace(&mut self.told, true)
    }

    /// True if a frame can be read.
    pub(crate) fn is_readable(&self, now: Instant) -> bool {
        self.ready.front().is_some_and(|it| it.due <= now)
    }

    /// When something has to be done next.
    pub(crate) fn due(&self) -> Option<Instant> {
        let waits = self.waits.filter(|_| self.has_gap());
        let waits = waits.map(|since| since + self.wait.min(self.patience));
        // Who was told reads when it likes.
        let frame = self.ready.front().filter(|_| !self.told).map(|it| it.due);
        match (waits, frame) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    pub(crate) fn fill(&self, stats: &mut ReceiveStats) {
        let counts = &self.counts;
        (stats.frames, stats.key_frames) = (counts.frames, counts.keys);
        stats.frames_dropped = counts.dropped;
        (stats.freezes, stats.freeze_duration) = (counts.freezes, counts.frozen);
        (stats.assembled, stats.assembly) = (counts.assembled, counts.assembly);
        (stats.emitted, stats.key_emitted) = (counts.emitted, counts.emitted_keys);
        stats.read.clone_from(&counts.read);
        stats.jitter_delay = counts.waited;
        (stats.jitter_targets, stats.jitter_minimums) = (counts.targets, counts.minimums);
        (stats.played, stats.energy, stats.level) = (counts.played, counts.energy, counts.level);
        (stats.playout, stats.jitter_target) = (counts.playout, self.jitter.target());
        stats.size = counts.size;
    }
}

impl Counts {
    /// A frame is read.
    fn emit(&mut self, now: Instant, ready: &Ready, jitter: &Jitter) {
        let frame = &ready.frame;
        if !frame.codec.is_audio() {
            self.emitted_keys += u64::from(frame.key);
            self.read.note(now);
        }
        let waited = now.saturating_duration_since(ready.began).as_secs_f64();
        self.playout = frame.sender_clock.map(|it| (it, now));
        let (units, plays) = match frame.codec.plays(&frame.payload) {
            Some((samples, plays)) => (samples, plays),
            None => (1, Duration::ZERO),
        };
        self.emitted += units;
        self.waited += waited * units as f64;
        self.targets += jitter.target().as_secs_f64() * units as f64;
        self.minimums += jitter.minimum().as_secs_f64() * units as f64;
        self.played += plays;
        if let Some(level) = frame.values.level {
            let level = level.linear();
            self.energy += level * level * plays.as_secs_f64();
            self.level = Some(level);
        }
    }
}

/// True if no picture lies between two, by numbers of 7 or 15 bits (RFC 7741 §4.2, RFC 9628 §4.2).
fn follows(last: &Facts, next: &Facts) -> bool {
    let numbers = last.picture.zip(next.picture);
    numbers.is_some_and(|(last, next)| {
        next == last.wrapping_add(1) & 0x7fff || (last, next) == (0x7f, 0)
    })
}

/// True if a frame after a gap can be decoded: all frames of the lowest temporal layer are there (RFC 7741 §4.2).
fn resumes(codec: Codec, last: &Facts, next: &Facts) -> bool {
    let (Codec::Vp8, Some(last_tl0), Some(tl0)) = (codec, last.tl0, next.tl0) else {
        return false;
    };
    match next.temporal {
        0 => tl0 == last_tl0.wrapping_add(1),
        _ => next.switch && tl0 == last_tl0,
    }
}

/// So many bytes of a payload may be none of the frame.
const HEADER: usize = 64;
/// A frame has a packet for each so many of its bytes at most: smaller ones are waste.
const LEAST: usize = 256;
