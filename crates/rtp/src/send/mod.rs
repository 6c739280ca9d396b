//! One stream that is sent: the only place where packets get numbers.

mod guard;
mod rewrite;
mod ssrc;
mod telephone;
mod write;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

pub(crate) use self::{rewrite::Rewrite, telephone::Telephone, write::Stamp};

use self::{
    guard::Guard,
    rewrite::{Numbered, Verdict},
};
use crate::{
    Choice, Config, Encoding, Form, Section,
    batch::{Batch, Packet},
    breaker::Breaker,
    extension::Kind,
    fec::Parity,
    payload::Codec,
    rtcp::ReportBlock,
    stats::SendStats,
};

/// What kind of packet is at the head of the line; the lower goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Audio, never held back.
    Audio,
    /// A packet that is sent again.
    Resend,
    /// Video.
    Video,
    /// Parity.
    Fec,
    /// Nothing but padding.
    Padding,
}

/// What a sent packet was made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) numbered: Numbered,
    /// Where its content lies in `kept`.
    batch: u64,
    index: u16,
    /// It was sent again.
    again: bool,
    /// It waits to be sent again.
    waits: bool,
    /// When it was sent last.
    at: Instant,
}

/// One encoding.
#[derive(Debug)]
pub(crate) struct SendStream {
    /// The place of its section, and its own among those of the section.
    pub(crate) section: usize,
    pub(crate) place: usize,
    /// As it is sent.
    pub(crate) encoding: Encoding,
    /// As it was set: another SSRC where that one is the peer's.
    pub(crate) set: Encoding,
    /// Queue and history at once: the cursor parts them.
    kept: VecDeque<(Instant, Arc<Batch>)>,
    first: u64,
    cursor: (u64, usize),
    /// Where the source begins that there is now.
    floor: u64,
    head: Option<Sent>,
    pub(crate) rewrite: Rewrite,
    sent: Box<[Option<Sent>]>,
    resend: VecDeque<(u64, Instant)>,
    rtx_next: u16,
    /// What may be sent again now, in bytes.
    share: f64,
    shared_at: Option<Instant>,
    rate: f64,
    /// A report has named our SSRC.
    pub(crate) reported: bool,
    pub(crate) telephone: Option<Telephone>,
    parity: Parity,
    pub(crate) guard: Guard,
    fec_next: u16,
    /// The number of its first packet.
    begun: Option<u64>,
    /// Bytes of the frame that is being sent.
    frame: u64,
    pub(crate) round_trip: Option<Duration>,
    /// The number of the last FIR of each who has asked so.
    firs: VecDeque<(u32, u8)>,
    /// Whether it gets through.
    pub(crate) breaker: Breaker,
    /// What was told of capture last: timestamp, time, and when.
    told: Option<(u32, Instant, Instant)>,
    /// The last packet: timestamp, capture, clock.
    pub(crate) last: Option<(u32, Instant, u32)>,
    /// Packets and bytes of payload that left under its SSRC, for sender reports.
    pub(crate) totals: (u32, u32),
    /// When a key frame was asked for that a switch waits for.
    pub(crate) asked: Option<Instant>,
    /// The peer wishes for a key frame, and when it was last told that it did.
    pub(crate) wished: bool,
    pub(crate) wish_told: Option<Instant>,
    pub(crate) allowed: Allowed,
    pub(crate) stats: SendStats,
    history: Duration,
}

/// What limits the rate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowed {
    pub(crate) remb: Option<u64>,
    pub(crate) tmmbr: Option<u64>,
}

impl SendStream {
    pub(crate) fn new(
        (section, place): (usize, usize),
        encoding: Encoding,
        [first, rtx, timestamp]: [u32; 3],
        config: &Config,
    ) -> Self {
        Self {
            section,
            place,
            encoding,
            set: encoding,
            kept: VecDeque::new(),
            first: 0,
            cursor: (0, 0),
            floor: 0,
            head: None,
            rewrite: Rewrite::new(encoding.choice, first as u16 & FIRST, timestamp),
            sent: vec![None; config.history_packets].into(),
            resend: VecDeque::new(),
            rtx_next: rtx as u16 & FIRST,
            share: 0.0,
            shared_at: None,
            rate: 0.0,
            reported: false,
            telephone: None,
            parity: Parity::default(),
            guard: Guard::default(),
            fec_next: (rtx >> 16) as u16 & FIRST,
            begun: None,
            frame: 0,
            round_trip: None,
            firs: VecDeque::new(),
            breaker: Breaker::default(),
            told: None,
            last: None,
            totals: (0, 0),
            asked: None,
            wished: false,
            wish_told: None,
            allowed: Allowed::default(),
            stats: SendStats::default(),
            history: config.history,
        }
    }

    /// Another choice: it counts from the next frame where it can.
    pub(crate) fn choose(&mut self, choice: Choice) {
        self.encoding.choice = choice;
        self.rewrite.choose(choice);
    }

    /// False when it is to send nothing, or does not get through.
    pub(crate) fn sends(&self) -> bool {
        self.encoding.active && self.breaker.cause().is_none()
    }

    /// Whether a FIR asks for anything new: each who asks counts for itself (RFC 5104 §4.3.1.2).
    pub(crate) fn is_new_fir(&mut self, sender: u32, number: u8) -> bool {
        if let Some(known) = self.firs.iter_mut().find(|it| it.0 == sender) {
            return std::mem::replace(&mut known.1, number) != number;
        }
        if self.firs.len() >= MOST_ASKING {
            self.firs.pop_front();
        }
        self.firs.push_back((sender, number));
        true
    }

    /// True if it needs packets of this lane.
    pub(crate) fn needs(&self, lane: u8) -> bool {
        self.sends() && (self.rewrite.target() == lane || self.rewrite.current() == Some(lane))
    }

    pub(crate) fn push(&mut self, now: Instant, batch: Arc<Batch>) {
        self.kept.push_back((now, batch));
        let unsent = (self.cursor.0 - self.first) as usize;
        let is_late = self
            .kept
            .get(unsent)
            .is_some_and(|it| now.saturating_duration_since(it.0) > LATE);
        if is_late {
            self.drop_unsent(unsent);
        }
        while self.cursor.0 > self.first && self.is_over(now) {
            self.kept.pop_front();
            self.first += 1;
        }
    }

    /// Whether the oldest that is kept is older than what can be sent again.
    fn is_over(&self, now: Instant) -> bool {
        let sent = (self.cursor.0 - self.first) as usize;
        let is_old = |it: &(Instant, _)| now.saturating_duration_since(it.0) > self.history;
        // Each has a packet at least.
        sent > self.sent.len() || self.kept.front().is_some_and(is_old)
    }

    /// Too slow: what waits is left out, and video begins again at a key frame.
    fn drop_unsent(&mut self, unsent: usize) {
        let newest = self.kept.len().saturating_sub(1);
        let is_audio = self
            .kept
            .back()
            .and_then(|it| it.1.packets.first())
            .is_some_and(|it| it.codec.is_audio());
        let left = self.kept.range(unsent..newest.max(unsent));
        let left: usize = left.map(|it| it.1.packets.len()).sum();
        self.stats.dropped_old += left as u64;
        self.cursor = (self.first + newest as u64, 0);
        self.head = None;
        if !is_audio {
            self.rewrite.lag();
        }
    }

    /// Something that was meant for it is gone.
    pub(crate) fn lag(&mut self) {
        self.head = None;
        self.rewrite.lag();
    }

    /// Another source: what waits of the old one is left out, and can still be sent again where it was sent.
    pub(crate) fn change_source(&mut self) {
        self.floor = self.first + self.kept.len() as u64;
        self.cursor = (self.floor, 0);
        self.head = None;
        self.asked = None;
        self.rewrite.change_source();
    }

    fn content(&self, sent: &Sent) -> Option<&Packet> {
        let at = sent.batch.checked_sub(self.first)?;
        let batch = self.kept.get(at as usize)?;
        batch.1.packets.get(usize::from(sent.index))
    }

    fn slot(&mut self, number: u64) -> Option<&mut Option<Sent>> {
        let at = number as usize % self.sent.len().max(1);
        self.sent.get_mut(at)
    }

    /// What was sent under this number, if it is still known.
    fn find(&self, number: u64) -> Option<Sent> {
        let at = number as usize % self.sent.len().max(1);
        let slot = self.sent.get(at)?;
        slot.filter(|it| it.numbered.sequence == number)
    }

    /// The next packet that goes out for the first time. Numbers it for ourselves only.
    fn next_fresh(&mut self, now: Instant, section: &Section) -> Option<Sent> {
        while self.head.is_none() {
            let at = (self.cursor.0 - self.first) as usize;
            let batch = self.kept.get(at)?;
            let Some(packet) = batch.1.packets.get(self.cursor.1) else {
                self.cursor = (self.cursor.0 + 1, 0);
                continue;
            };
            if !section.takes_frame(packet, &batch.1.packets) {
                // Nothing of it leaves, and what follows can be decoded from the next key frame on.
                self.stats.dropped_codec += 1;
                self.rewrite.lag();
                self.cursor.1 += 1;
                continue;
            }
            let is_muted = self.telephone.is_some() && packet.codec.is_audio();
            let verdict = if is_muted {
                self.rewrite.leave_out(packet)
            } else {
                self.rewrite.accept(packet)
            };
            let entry = (packet.lane, packet.stream, packet.sequence);
            let place = (self.cursor.0, self.cursor.1 as u16);
            self.cursor.1 += 1;
            if packet.marker && !packet.codec.is_audio() {
                self.stats.given += 1;
                self.stats.key_given += u64::from(packet.facts.key);
                self.stats.given_at.note(now);
            }
            if let Verdict::Send { numbered, entered } = verdict {
                if self.find(numbered.sequence).is_none() {
                    let (batch, index) = place;
                    self.head = Some(Sent {
                        numbered,
                        batch,
                        index,
                        again: false,
                        waits: false,
                        at: now,
                    });
                }
                if entered {
                    self.stats.switches += 1;
                    self.asked = None;
                    self.go_back(entry);
                }
            }
        }
        self.head
    }

    /// An entry that was repaired late: the rest of its key frame came before it, was left out, and goes now.
    fn go_back(&mut self, (lane, stream, entry): (u8, u32, u64)) {
        let rest = |it: &(Instant, Arc<Batch>)| {
            let mut packets = it.1.packets.iter();
            packets.any(|it| (it.lane, it.stream) == (lane, stream) && it.sequence > entry)
        };
        let own = self.floor.saturating_sub(self.first) as usize;
        let mut of_source = self.kept.iter().enumerate().skip(own);
        if let Some((back, _)) = of_source.find(|it| rest(it.1)) {
            self.cursor = self.cursor.min((self.first + back as u64, 0));
        }
    }

    /// The head of the line, with its length on the wire.
    pub(crate) fn peek(
        &mut self,
        now: Instant,
        section: &Section,
        largest: usize,
    ) -> Option<(Class, usize)> {
        if !self.sends() {
            return None;
        }
        let can_play = self.rewrite.last().is_some() || self.telephone.is_some();
        if can_play && self.telephone.as_ref().is_some_and(|it| it.is_due(now)) {
            return Some((Class::Audio, MOST_HEADER + 4));
        }
        let fresh = self.peek_fresh(now, section, largest);
        if fresh.is_some_and(|it| it.0 == Class::Audio) {
            return fresh;
        }
        let again = self.peek_resend(now, section);
        let parity = self.peek_parity(section, largest);
        // Parity before the next frame: the later it comes, the less it is worth.
        again.or(parity).or(fresh)
    }

    fn peek_fresh(
        &mut self,
        now: Instant,
        section: &Section,
        largest: usize,
    ) -> Option<(Class, usize)> {
        loop {
            let sent = self.next_fresh(now, section)?;
            let packet = self.content(&sent)?;
            let class = if packet.codec.is_audio() {
                Class::Audio
            } else {
                Class::Video
            };
            let len = self.len(section, packet, false) + self.redundancy(section, &sent);
            if !section.takes(packet) {
                self.stats.dropped_codec += 1;
            } else if len > largest {
                self.stats.dropped_large += 1;
            } else {
                return Some((class, len));
            }
            // It must not hold up what stands behind it.
            self.head = None;
        }
    }

    /// Parity is longer than what it protects: of the longest packets there is none, and it must not hold up what stands behind it.
    fn peek_parity(&mut self, section: &Section, largest: usize) -> Option<(Class, usize)> {
        // Where it takes a number of the stream, it comes behind its frame: a number that is lost within one makes it incomplete.
        let between = self.flex(section).is_none();
        let names = self.named(section, Form::TwoBytes, false);
        let len = self.parity.len(between)?
            + FIXED
            + PARITY
            + names.max(self.named(section, Form::TwoBytes, true));
        if len > largest {
            self.parity.take();
            return None;
        }
        Some((Class::Fec, len))
    }

    fn peek_resend(&mut self, now: Instant, section: &Section) -> Option<(Class, usize)> {
        self.encoding.rtx?;
        self.refill(now);
        while let Some((number, at)) = self.resend.front().copied() {
            let sent = self.find(number);
            let found = sent.as_ref().and_then(|sent| self.content(sent));
            let is_old = now.saturating_duration_since(at) > self.history;
            let repairs = |it: &&Packet| {
                let format = section.media(it.codec);
                format.is_some_and(|it| section.rtx(it.payload_type).is_some())
            };
            if let Some(packet) = found.filter(repairs).filter(|_| !is_old) {
                let len = self.len(section, packet, true);
                // What exceeds its share waits and ages.
                return (self.share >= 0.0).then_some((Class::Resend, len));
            }
            self.next_resend();
        }
        None
    }

    /// Takes the number that waits longest to be sent again.
    fn next_resend(&mut self) -> Option<u64> {
        let (number, _) = self.resend.pop_front()?;
        let slot = self.slot(number).and_then(Option::as_mut);
        if let Some(sent) = slot.filter(|it| it.numbered.sequence == number) {
            sent.waits = false;
        }
        Some(number)
    }

    /// A quarter of what is sent and 100 kbit/s may be sent again. What is sent has its share at once: of a frame that is larger than all
    /// before it more is lost than there was time to save for.
    fn refill(&mut self, now: Instant) {
        let at = *self.shared_at.get_or_insert(now);
        let passed = now.saturating_duration_since(at).as_secs_f64();
        self.share += passed * LEAST_AGAIN;
        self.limit_share();
        self.rate *= (-passed).exp();
        self.shared_at = Some(now);
    }

    /// So many bytes were sent; `again` for what had been sent before.
    fn account(&mut self, len: usize, again: bool) {
        let len = len as f64;
        self.rate += len;
        self.share += if again { -len } else { len / 4.0 };
        self.limit_share();
    }

    /// No more than for two seconds.
    fn limit_share(&mut self) {
        let most = (self.rate / 4.0 + LEAST_AGAIN) * 2.0;
        self.share = self.share.min(most);
    }

    /// How many packets the peer has received, by its report (RFC 3550 App. A.3): all since our first that it does not miss.
    pub(crate) fn received(&self, block: &ReportBlock) -> Option<u64> {
        let begun = u32::from(self.begun? as u16);
        let expected = i64::from(block.highest.wrapping_sub(begun)) + 1;
        u64::try_from(expected - i64::from(block.lost)).ok()
    }

    /// The counters, with what is set now.
    pub(crate) fn stats(&self) -> SendStats {
        SendStats {
            rtx: self.encoding.rtx,
            active: self.encoding.active,
            ..self.stats.clone()
        }
    }

    /// The packets that the peer lacks. Each goes again at once, and then at the earliest after the better part of a round trip: a peer that
    /// asks again after exactly one must not come too soon by what its clock and ours differ.
    pub(crate) fn handle_nack(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
        numbers: impl Iterator<Item = u16>,
    ) {
        let Some(last) = self.rewrite.last() else {
            return;
        };
        self.stats.nack_requests += 1;
        let trip = self.round_trip.or(round_trip);
        let again = trip.unwrap_or(Duration::from_millis(50)).min(LATE) * 3 / 4;
        for number in numbers {
            self.stats.nacks += 1;
            let ahead = number.wrapping_sub(last as u16) as i16;
            let number = last.saturating_add_signed(ahead.into());
            if self.resend.len() >= MOST_RESEND {
                continue;
            }
            let is_soon = |it: &Sent| it.again && now.saturating_duration_since(it.at) < again;
            let slot = self.slot(number).and_then(Option::as_mut);
            let known = slot.filter(|it| it.numbered.sequence == number);
            if let Some(sent) = known.filter(|it| !it.waits && !is_soon(it)) {
                sent.waits = true;
                self.resend.push_back((number, now));
            }
        }
    }

    /// How long the packet is on the wire; at most, where it may tell when it was captured. What is of one length leaves as one batch,
    /// and a batch has room for packets of that length only.
    fn len(&self, section: &Section, packet: &Packet, again: bool) -> usize {
        let (values, ids) = (&packet.values, &section.ids);
        let form = section.form(Some(values));
        let long = |it: &Option<bytes::Bytes>| it.as_ref().map(bytes::Bytes::len);
        let capture = match values.capture {
            Some(capture) => Some(capture.to_bytes().1),
            None => self.may_tell(section, packet).then_some(16),
        };
        let all = [
            (Kind::TransportNumber, Some(2)),
            (Kind::AbsoluteSendTime, Some(3)),
            (Kind::AudioLevel, values.level.map(|_| 1)),
            (Kind::AbsoluteCaptureTime, capture),
            (Kind::Orientation, values.orientation.map(|_| 1)),
            (Kind::PlayoutDelay, values.playout.map(|_| 3)),
            (Kind::ContentType, values.content.map(|_| 1)),
            (Kind::VideoTiming, values.timing.map(|_| 13)),
            (Kind::Layers, long(&values.layers)),
            (Kind::ColourSpace, long(&values.colour)),
            (Kind::Descriptor, long(&values.descriptor)),
        ];
        let of = |(kind, len): (Kind, Option<usize>)| {
            let len = len.filter(|_| ids.id(kind).is_some());
            len.map_or(0, |len| form.len(len))
        };
        let names = if self.reported && !again {
            0
        } else {
            self.named(section, form, again)
        };
        let extensions = all.into_iter().map(of).sum::<usize>() + names;
        let extensions = match extensions {
            0 => 0,
            some => 4 + some.next_multiple_of(4),
        };
        12 + extensions + packet.payload_len() + if again { 2 } else { 0 }
    }

    /// Whether a packet may tell when it was captured: the first of a frame that was captured here.
    fn may_tell(&self, section: &Section, packet: &Packet) -> bool {
        packet.local
            && (packet.facts.begins || packet.codec.is_audio())
            && section.ids.id(Kind::AbsoluteCaptureTime).is_some()
    }

    /// The names of section and stream as extensions.
    fn named(&self, section: &Section, form: Form, again: bool) -> usize {
        let label = |kind, label: Option<crate::extension::Label>| {
            let label = label.filter(|_| section.ids.id(kind).is_some());
            label.map_or(0, |it| form.len(it.as_str().len()))
        };
        let rid = if again { Kind::RepairedRid } else { Kind::Rid };
        label(Kind::Mid, section.mid) + label(rid, self.encoding.rid)
    }

    /// The lane on which a switch waits for a key frame.
    pub(crate) fn lacks(&self) -> Option<u8> {
        let target = self.rewrite.target();
        let waits = self.sends() && self.rewrite.wants_keyframe();
        waits.then_some(target)
    }

    /// How many packets wait to be sent.
    pub(crate) fn backlog(&self) -> usize {
        let unsent = (self.cursor.0 - self.first) as usize;
        let waiting = self.kept.range(unsent.min(self.kept.len())..);
        waiting.map(|it| it.1.packets.len()).sum::<usize>() + usize::from(self.head.is_some())
    }

    /// The codec of what is at hand.
    pub(crate) fn codec(&self) -> Option<Codec> {
        let last = self.kept.back()?;
        last.1.packets.first().map(|it| it.codec)
    }
}

/// RFC 3711 §3.3.1: the first number of an SSRC is below 2^15, so that a receiver that loses the first packets guesses right.
const FIRST: u16 = 0x7fff;
const MOST_RESEND: usize = 1000;
/// So many of those who ask by FIR are told apart.
const MOST_ASKING: usize = 16;
/// Bytes a second that may be sent again, beside a quarter of what is sent.
const LEAST_AGAIN: f64 = 12_500.0;
const LATE: Duration = Duration::from_millis(500);
const MOST_HEADER: usize = 80;
/// The header, that of its extensions, two that each packet may have, and padding.
const FIXED: usize = 12 + 4 + 4 + 5 + 3;
/// The header of parity, at most: that of FlexFEC with its longest mask.
const PARITY: usize = 40;
