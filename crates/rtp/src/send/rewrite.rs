//! The source's numbers made into ours: gaps that the source has stay, what we leave out closes up, and a switch of
//! source or layer happens at a key frame.

use std::{collections::VecDeque, time::Instant};

use crate::{
    Choice,
    batch::Packet,
    payload::{Codec, Facts},
    receive::MOST_DROPOUT,
};

/// The state of one stream's numbers.
#[derive(Debug)]
pub(crate) struct Rewrite {
    choice: Choice,
    current: Option<u8>,
    /// The stream on it, and the one whose place that has taken.
    stream: u32,
    displaced: Option<u32>,
    /// Something was passed over, or chosen, that only a key frame can begin.
    lacks: bool,
    /// The layers that go out now.
    spatial: u8,
    temporal: u8,
    offsets: VecDeque<Offset>,
    /// The highest number of the source.
    input: u64,
    timestamp: u32,
    tl0: u8,
    /// What to add to the numbers of frames in dependency descriptors.
    frame: u16,
    last: Option<Last>,
    /// Where to begin.
    start: (u64, u32),
    /// What was decided of the last frames, by timestamp and spatial layer.
    verdicts: VecDeque<(u32, u8, bool)>,
}

/// From this number of the source on, what to add.
#[derive(Clone, Copy, Debug)]
struct Offset {
    from: u64,
    sequence: u64,
    picture: u16,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    sequence: u64,
    timestamp: u32,
    picture: u16,
    tl0: u8,
    frame: Option<u16>,
    captured: Instant,
    sender_clock: Option<crate::Ntp>,
    ended: bool,
}

/// What a packet becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) picture: u16,
    pub(crate) tl0: u8,
    pub(crate) frame: Option<u16>,
    pub(crate) marker: bool,
}

/// What is done with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Send {
        numbered: Numbered,
        /// It is the first of another source or lane.
        entered: bool,
    },
    Drop,
}

impl Rewrite {
    pub(crate) fn new(choice: Choice, first: u16, timestamp: u32) -> Self {
        Self {
            choice,
            current: None,
            stream: 0,
            displaced: None,
            lacks: false,
            spatial: choice.spatial,
            temporal: choice.temporal,
            offsets: VecDeque::new(),
            input: 0,
            timestamp: 0,
            tl0: 0,
            frame: 0,
            last: None,
            start: (u64::from(first) + (1 << 16), timestamp),
            verdicts: VecDeque::new(),
        }
    }

    pub(crate) fn choose(&mut self, choice: Choice) {
        self.choice = choice;
        self.lacks |= self.current.is_some_and(|current| current != choice.lane);
        // Down at once, where the next frame begins; up where the stream allows it.
        self.temporal = self.temporal.min(choice.temporal);
    }

    pub(crate) fn target(&self) -> u8 {
        self.choice.lane
    }

    pub(crate) fn current(&self) -> Option<u8> {
        self.current
    }

    /// The last number that was given.
    pub(crate) fn last(&self) -> Option<u64> {
        self.last.map(|it| it.sequence)
    }

    pub(crate) fn wants_keyframe(&self) -> bool {
        let can_rise = self.spatial < self.choice.spatial.min(self.seen());
        self.lacks || self.current.is_some() && can_rise
    }

    /// The highest spatial layer that came of late.
    fn seen(&self) -> u8 {
        self.verdicts.iter().map(|it| it.1).max().unwrap_or(0)
    }

    /// What went before is gone: on to a key frame.
    pub(crate) fn lag(&mut self) {
        self.current = None;
        self.lacks = true;
    }

    /// Another source: what comes next has other numbers, and our own go on.
    pub(crate) fn change_source(&mut self) {
        self.current = None;
        self.displaced = None;
        self.lacks = false;
        self.verdicts.clear();
    }

    /// Another source comes, and its numbers begin here.
    pub(crate) fn begin_at(&mut self, first: u16) {
        self.start.0 = u64::from(first) + (1 << 16);
        self.offsets.clear();
        if let Some(last) = &mut self.last {
            (last.sequence, last.ended) = (self.start.0 - 1, true);
        }
    }

    /// Takes a number for a packet that is not of the source: the one that the source's next packet would have had, as those before it
    /// may still be repaired. Returns it with the timestamp of now.
    pub(crate) fn insert(&mut self, now: Instant, clock: u32) -> (u64, u32) {
        let next = self.offsets.back();
        let next = next.map(|it| self.input.saturating_add(1).wrapping_add(it.sequence));
        let (sequence, timestamp) = match &mut self.last {
            Some(last) => {
                last.sequence = (last.sequence + 1).max(next.unwrap_or_default());
                let ahead = ticks(last.captured, now, clock);
                (last.sequence, last.timestamp.wrapping_add(ahead))
            }
            None => {
                self.last = Some(Last {
                    sequence: self.start.0,
                    timestamp: self.start.1,
                    picture: 0,
                    tl0: 0,
                    frame: None,
                    captured: now,
                    sender_clock: None,
                    ended: true,
                });
                self.start
            }
        };
        self.shift(self.input.saturating_add(1), 1, 0);
        (sequence, timestamp)
    }

    /// Leaves a packet out without a gap.
    pub(crate) fn leave_out(&mut self, packet: &Packet) -> Verdict {
        if self.is_current(packet) && packet.sequence > self.input {
            self.input = packet.sequence;
            self.close_up(packet.sequence, 0);
        }
        Verdict::Drop
    }

    fn is_current(&self, packet: &Packet) -> bool {
        (self.current, self.stream) == (Some(packet.lane), packet.stream)
    }

    pub(crate) fn accept(&mut self, packet: &Packet) -> Verdict {
        if self.current == Some(packet.lane) && self.stream != packet.stream {
            if self.displaced == Some(packet.stream) {
                return Verdict::Drop;
            }
            // Another stream has the lane, with numbers and timestamps of its own: it is entered where it can be.
            self.displaced = Some(self.stream);
            self.current = None;
        }
        let entered = self.enter(packet);
        let is_target = packet.lane == self.choice.lane;
        self.lacks |= is_target && self.current != Some(packet.lane);
        if self.current != Some(packet.lane) {
            return Verdict::Drop;
        }
        // RFC 3550 App. A.1: the source has begun anew. One number is skipped, as the packet before may be missing.
        if packet.sequence.saturating_sub(self.input) > MOST_DROPOUT.into() {
            let last = self.last().unwrap_or_default();
            let next = self.offsets.back().copied();
            let next = next.map_or(0, |it| packet.sequence.wrapping_add(it.sequence));
            self.shift(packet.sequence, (last + 2).wrapping_sub(next), 0);
        }
        if packet.is_padding() {
            return self.leave_out(packet);
        }
        let is_next = packet.sequence > self.input;
        if !self.passes(packet, is_next) {
            return Verdict::Drop;
        }
        let found = self
            .offsets
            .iter()
            .rev()
            .find(|it| it.from <= packet.sequence);
        let Some(offset) = found.copied() else {
            return Verdict::Drop;
        };
        let numbered = Numbered {
            sequence: packet.sequence.wrapping_add(offset.sequence),
            timestamp: packet.timestamp.wrapping_add(self.timestamp),
            picture: packet
                .facts
                .picture
                .unwrap_or(0)
                .wrapping_add(offset.picture)
                & 0x7fff,
            tl0: packet.facts.tl0.unwrap_or(0).wrapping_add(self.tl0),
            // Frames that are left out keep their numbers: dependencies are told as distances.
            frame: packet.facts.frame.map(|it| it.wrapping_add(self.frame)),
            // RFC 9628 §4.1: the marker is on the last packet of the highest layer that goes out.
            marker: packet.marker
                || packet.facts.ends
                    && packet.facts.spatial == self.spatial
                    && has_spatial(packet.codec),
        };
        // A packet that fills a gap changes nothing.
        if is_next {
            self.input = packet.sequence;
            self.last = Some(Last {
                sequence: numbered.sequence,
                timestamp: numbered.timestamp,
                picture: numbered.picture,
                tl0: numbered.tl0,
                frame: numbered.frame.or(self.last.and_then(|it| it.frame)),
                captured: packet.captured,
                sender_clock: packet.sender_clock,
                ended: numbered.marker || packet.codec.is_audio(),
            });
        }
        Verdict::Send { numbered, entered }
    }

    /// Begins with the packet if it is the one that is waited for.
    fn enter(&mut self, packet: &Packet) -> bool {
        let is_target = packet.lane == self.choice.lane && self.current != Some(packet.lane);
        let is_entry = packet.codec.is_audio() || packet.facts.key && packet.facts.begins;
        if !is_target || !is_entry || packet.is_padding() {
            return false;
        }
        let facts = &packet.facts;
        let rate = clock(packet.codec);
        let (sequence, timestamp, picture, tl0) = match self.last {
            Some(last) => {
                let elapsed = match last.sender_clock.zip(packet.sender_clock) {
                    // Both by one clock: what lies between them is known exactly.
                    Some((before, after)) if after.since(before) > 0 => {
                        ((i128::from(after.since(before)) * i128::from(rate)) >> 32) as u32
                    }
                    _ => ticks(last.captured, packet.captured, rate),
                };
                let elapsed = if elapsed > rate * 10 {
                    rate / 30
                } else {
                    elapsed.max(1)
                };
                (
                    // Halves of frames are never glued: a number is skipped.
                    last.sequence + 1 + u64::from(!last.ended),
                    last.timestamp.wrapping_add(elapsed),
                    last.picture.wrapping_add(1),
                    last.tl0.wrapping_add(1),
                )
            }
            None => {
                let (sequence, timestamp) = self.start;
                (
                    sequence,
                    timestamp,
                    facts.picture.unwrap_or(0),
                    facts.tl0.unwrap_or(0),
                )
            }
        };
        self.timestamp = timestamp.wrapping_sub(packet.timestamp);
        self.tl0 = tl0.wrapping_sub(facts.tl0.unwrap_or(0));
        let frames = self.last.and_then(|it| it.frame).zip(facts.frame);
        self.frame = frames.map_or(0, |(last, own)| last.wrapping_add(1).wrapping_sub(own));
        // Numbers of another lane mean nothing any more.
        self.offsets.clear();
        self.offsets.push_back(Offset {
            from: packet.sequence,
            sequence: sequence.wrapping_sub(packet.sequence),
            picture: picture.wrapping_sub(facts.picture.unwrap_or(0)),
        });
        self.verdicts.clear();
        self.lacks = false;
        (self.current, self.stream) = (Some(packet.lane), packet.stream);
        self.input = packet.sequence.saturating_sub(1);
        (self.spatial, self.temporal) = (self.choice.spatial, self.choice.temporal);
        true
    }

    /// Whether the packet's layer goes out. It is decided once for a frame, so that its late packets share its fate.
    fn passes(&mut self, packet: &Packet, is_next: bool) -> bool {
        let facts = packet.facts;
        let known = self
            .verdicts
            .iter()
            .rev()
            .find(|it| (it.0, it.1) == (packet.timestamp, facts.spatial));
        let known = known.map(|it| it.2);
        let passes = known.unwrap_or_else(|| {
            self.follow(&facts);
            let passes = facts.temporal <= self.temporal && facts.spatial <= self.spatial;
            self.verdicts
                .push_back((packet.timestamp, facts.spatial, passes));
            if self.verdicts.len() > VERDICTS {
                self.verdicts.pop_front();
            }
            passes
        });
        if !passes && is_next {
            self.input = packet.sequence;
            // A picture that is left out whole closes up as well.
            let is_whole = known.is_none() && facts.spatial == 0;
            let picture = u16::from(is_whole);
            self.close_up(packet.sequence, picture);
            if let Some(last) = self.last.as_mut().filter(|_| has_spatial(packet.codec)) {
                last.ended |= facts.spatial > 0;
            }
        }
        passes
    }

    /// Layers go up where the frame allows it, and down where a frame begins.
    fn follow(&mut self, facts: &Facts) {
        let wanted = self.choice.temporal;
        // A descriptor says that nobody of the layer is needed, not that nobody of one below is.
        let is_next = facts.frame.is_none() || facts.temporal == self.temporal + 1;
        let rises = facts.temporal > self.temporal && facts.temporal <= wanted;
        if rises && facts.switch && is_next || facts.key {
            self.temporal = if facts.key { wanted } else { facts.temporal };
        }
        if facts.begins && (facts.key || self.choice.spatial < self.spatial) {
            self.spatial = self.choice.spatial;
        }
    }

    /// A number of the source, and so many pictures with it, are left out: what follows closes up. Those in a row are one step.
    fn close_up(&mut self, number: u64, pictures: u16) {
        match self.offsets.back_mut() {
            Some(back) if back.from == number => {
                back.from = number.saturating_add(1);
                back.sequence = back.sequence.wrapping_sub(1);
                back.picture = back.picture.wrapping_sub(pictures);
            }
            _ => self.shift(number.saturating_add(1), u64::MAX, pictures.wrapping_neg()),
        }
    }

    /// From this number of the source on, ours are further by so many.
    fn shift(&mut self, from: u64, sequence: u64, picture: u16) {
        let Some(last) = self.offsets.back().copied() else {
            return;
        };
        let next = Offset {
            from,
            sequence: last.sequence.wrapping_add(sequence),
            picture: last.picture.wrapping_add(picture),
        };
        match self.offsets.back_mut() {
            Some(back) if back.from == from => *back = next,
            _ => self.offsets.push_back(next),
        }
        if self.offsets.len() > OFFSETS {
            self.offsets.pop_front();
        }
    }
}

/// The rate of a codec's timestamps, where it does not depend on what was negotiated.
pub(crate) fn clock(codec: Codec) -> u32 {
    match codec {
        Codec::Opus | Codec::L16 => 48_000,
        codec if codec.is_audio() => 8_000,
        _ => 90_000,
    }
}

/// The codecs whose spatial layers can be told apart and left out.
fn has_spatial(codec: Codec) -> bool {
    matches!(codec, Codec::Vp9 | Codec::Av1)
}

fn ticks(from: Instant, to: Instant, clock: u32) -> u32 {
    let elapsed = to.saturating_duration_since(from).as_micros();
    (elapsed * u128::from(clock) / 1_000_000) as u32
}

/// A late packet gets the number of its time: so many shifts are remembered.
const OFFSETS: usize = 128;
const VERDICTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{extension::Values, payload::Prefix};

    fn packet(sequence: u64, len: usize) -> Packet {
        let facts = Facts {
            key: sequence == 10,
            begins: sequence == 10,
            ..Facts::default()
        };
        Packet {
            lane: 0,
            stream: 0,
            codec: Codec::Vp8,
            sequence,
            timestamp: 3000,
            marker: false,
            facts,
            captured: oxirtc_netsim::epoch(),
            local: false,
            sender_clock: None,
            values: Values::default(),
            prefix: Prefix::default(),
            payload: vec![0x10; len].into(),
        }
    }

    /// What is put in between takes no number that a packet of the source may still have.
    #[test]
    fn what_is_inserted_has_a_number_of_its_own() {
        let mut rewrite = Rewrite::new(Choice::default(), 100, 0);
        let mut taken = Vec::new();
        let mut send = |rewrite: &mut Rewrite, sequence| {
            let Verdict::Send { numbered, .. } = rewrite.accept(&packet(sequence, 20)) else {
                panic!("{sequence} is left out");
            };
            let number = numbered.sequence - (1 << 16);
            assert!(!taken.contains(&number), "{number} twice: {taken:?}");
            taken.push(number);
            number
        };
        assert_eq!(send(&mut rewrite, 10), 100);
        // 11 is lost, and what shows that is padding, which closes up.
        assert_eq!(rewrite.accept(&packet(12, 0)), Verdict::Drop);
        let (inserted, _) = rewrite.insert(oxirtc_netsim::epoch(), 90_000);
        assert_eq!(inserted - (1 << 16), 102, "101 is the lost one's");
        assert_eq!(send(&mut rewrite, 13), 103);
        assert_eq!(send(&mut rewrite, 11), 101, "it was repaired");
    }

    /// However long the pictures are that are left out: what comes late has the number of its time.
    #[test]
    fn what_is_left_out_in_a_row_is_one_step() {
        let lowest = Choice {
            temporal: 0,
            ..Choice::default()
        };
        let mut rewrite = Rewrite::new(lowest, 100, 0);
        let mut send = |sequence, temporal| {
            let mut packet = packet(sequence, 20);
            packet.timestamp = 3000 * u32::from(temporal);
            packet.facts.temporal = temporal;
            match rewrite.accept(&packet) {
                Verdict::Send { numbered, .. } => Some(numbered.sequence - (1 << 16)),
                Verdict::Drop => None,
            }
        };
        assert_eq!(send(10, 0), Some(100));
        // 11 is missing.
        for sequence in 12..512 {
            assert_eq!(send(sequence, 1), None);
        }
        assert_eq!(send(512, 0), Some(102));
        assert_eq!(send(11, 0), Some(101), "it was repaired");
        assert_eq!(send(513, 0), Some(103));
    }

    /// Numbers of an application at the end of what there is are no reason to fall over.
    #[test]
    fn a_source_may_count_to_the_end() {
        let mut rewrite = Rewrite::new(Choice::default(), 100, 0);
        assert_ne!(rewrite.accept(&packet(10, 20)), Verdict::Drop);
        assert_eq!(rewrite.accept(&packet(u64::MAX, 0)), Verdict::Drop);
        let (number, _) = rewrite.insert(oxirtc_netsim::epoch(), 90_000);
        assert!(number > 100);
    }

    /// Another stream on the lane is asked for a key frame and entered there, however it counts. What comes again of the one before is left out.
    #[test]
    fn another_stream_is_entered() {
        let mut rewrite = Rewrite::new(Choice::default(), 100, 0);
        let accept = |rewrite: &mut Rewrite, stream, sequence| {
            let packet = Packet {
                stream,
                ..packet(sequence, 20)
            };
            match rewrite.accept(&packet) {
                Verdict::Send { numbered, entered } => {
                    Some((numbered.sequence - (1 << 16), entered))
                }
                Verdict::Drop => None,
            }
        };
        assert_eq!(accept(&mut rewrite, 3, 10), Some((100, true)));
        assert_eq!(accept(&mut rewrite, 3, 200), Some((290, false)));
        assert!(!rewrite.wants_keyframe());
        assert_eq!(accept(&mut rewrite, 7, 9), None);
        assert!(rewrite.wants_keyframe());
        assert_eq!(accept(&mut rewrite, 7, 10), Some((292, true)));
        assert!(!rewrite.wants_keyframe());
        let again = Packet {
            stream: 3,
            ..packet(201, 20)
        };
        assert_eq!(accept(&mut rewrite, 3, 10), None);
        assert_eq!(rewrite.leave_out(&again), Verdict::Drop);
        assert_eq!(accept(&mut rewrite, 7, 11), Some((293, false)));
        assert_eq!(accept(&mut rewrite, 7, 202), Some((484, false)));
        // Of another source nothing is known, though its streams have the same names.
        rewrite.change_source();
        assert_eq!(accept(&mut rewrite, 8, 10), Some((486, true)));
        assert_eq!(accept(&mut rewrite, 3, 10), Some((488, true)));
    }

    /// A packet of before the key frame where a stream was entered has no number of ours, whatever the stream before counted.
    #[test]
    fn what_lies_before_the_entry_is_left_out() {
        let mut rewrite = Rewrite::new(Choice::default(), 100, 0);
        assert_ne!(rewrite.accept(&packet(10, 20)), Verdict::Drop);
        let entry = Packet {
            stream: 7,
            facts: packet(10, 0).facts,
            ..packet(30, 20)
        };
        assert_ne!(rewrite.accept(&entry), Verdict::Drop);
        for (sequence, is_sent) in [(29, false), (31, true)] {
            let packet = Packet {
                stream: 7,
                ..packet(sequence, 20)
            };
            let is_dropped = rewrite.accept(&packet) == Verdict::Drop;
            assert_eq!(!is_dropped, is_sent, "{sequence}");
        }
    }

    /// A source that counts from somewhere else is no loss, and what is far ahead would be refused by SRTP as long past.
    #[test]
    fn a_restart_of_the_source_closes_up() {
        for far in [3_100, 60_000] {
            let mut rewrite = Rewrite::new(Choice::default(), 100, 0);
            let mut send = |sequence| match rewrite.accept(&packet(sequence, 20)) {
                Verdict::Send { numbered, .. } => numbered.sequence - (1 << 16),
                Verdict::Drop => panic!("{sequence} is left out"),
            };
            assert_eq!((send(10), send(2_900)), (100, 2_990), "a gap stays");
            assert_eq!(send(10 + far + 2_900), 2_992, "{far}");
            assert_eq!(send(10 + far + 2_902), 2_994, "{far}");
            assert_eq!(send(2_899), 2_989, "late");
            let padding = packet(20 + 2 * far + 2_900, 0);
            assert_eq!(rewrite.accept(&padding), Verdict::Drop);
            let next = packet(padding.sequence + 1, 20);
            let Verdict::Send { numbered, .. } = rewrite.accept(&next) else {
                panic!("{far} is left out");
            };
            assert_eq!(numbered.sequence - (1 << 16), 2_996, "{far}");
        }
    }
}
