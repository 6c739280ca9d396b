//! Packets that come.

use std::time::{Duration, Instant};

use byteorder::{BigEndian, ByteOrder};
use rand_core::Rng;

use super::{Route, Session, control::MOST_EVENTS};
use crate::{
    Event, Rtp,
    batch::Packet,
    described,
    extension::{Ids, Named, Values, mixed_levels},
    fec, pad,
    payload::{Codec, Facts, Prefix, telephone},
    receive::{Assembler, Origin, Place, ReceiveStream, Source},
    red,
    section::{Carries, Format},
    send::SendStream,
};

/// One payload on its way into a stream, whatever it was wrapped in.
#[derive(Clone, Copy)]
struct Media<'a> {
    sequence: u16,
    timestamp: u32,
    marker: bool,
    payload_type: u8,
    payload: &'a [u8],
    origin: Origin,
}

impl Session {
    /// Takes a packet of RTP that was authentic, in the clear.
    pub fn handle_rtp(&mut self, now: Instant, packet: &[u8]) {
        let Ok(rtp) = Rtp::parse(packet) else {
            self.stats.malformed += 1;
            return;
        };
        let named = Named::read(rtp.extensions, &self.ids);
        let ssrc = rtp.head.ssrc;
        if let Some(number) = named.transport.filter(|_| self.gives_feedback) {
            self.received.note(now, number, ssrc);
        }
        self.resolve_collision(now, ssrc);
        let is_known = self.by_ssrc.contains_key(&ssrc);
        // SSRC 0 and padding alone make no stream: they only probe.
        if ssrc == 0 || rtp.payload.is_empty() && !is_known {
            return;
        }
        let Some(route) = self.route(now, &rtp.head, &named) else {
            return;
        };
        self.note_source(now, route, &rtp, &named);
        self.unwrap(now, route, &rtp, packet.len());
    }

    /// Takes the payload out of RTX or RED.
    fn unwrap(&mut self, now: Instant, route: Route, rtp: &Rtp<'_>, whole: usize) {
        let Some(stream) = self.receivers.get_mut(route.stream) else {
            return;
        };
        let Some(state) = self.sections.get(stream.section) else {
            return;
        };
        let mut media = Media {
            sequence: rtp.head.sequence,
            timestamp: rtp.head.timestamp,
            marker: rtp.head.marker,
            payload_type: rtp.head.payload_type,
            payload: rtp.payload,
            origin: Origin::Direct,
        };
        match state
            .section
            .format(rtp.head.payload_type)
            .map(|it| it.role)
        {
            Some(Carries::Rtx { of }) => {
                let Some((number, rest)) = rtp.payload.split_at_checked(2) else {
                    return;
                };
                // What is sent again before it was sent says nothing.
                if stream.track.is_new() {
                    return;
                }
                media.sequence = BigEndian::read_u16(number);
                (media.payload_type, media.payload) = (of, rest);
                media.origin = Origin::Rtx;
            }
            Some(Carries::Media(_) | Carries::Red) if !route.is_repair => {}
            Some(Carries::Flexfec) => {
                stream.stats.parity += 1;
                stream.stats.parity_bytes += rtp.payload.len() as u64;
                let repair = fec::flex::parse(rtp.payload).filter(|it| it.0 == stream.ssrc);
                if let Some((_, repair)) = repair {
                    stream.recovery.repair(now, repair);
                    self.recover(now, route.stream);
                } else {
                    stream.recovery.discard();
                }
                return;
            }
            _ => {
                self.stats.unrouted += 1;
                return;
            }
        }
        let is_red = state
            .section
            .format(media.payload_type)
            .is_some_and(|it| it.role == Carries::Red);
        if is_red {
            self.unwrap_red(now, route, rtp, media, whole);
        } else {
            self.take(now, route.stream, rtp, media, whole);
        }
    }

    /// RFC 2198: the last block is the packet's own, those before it are of earlier packets.
    fn unwrap_red(
        &mut self,
        now: Instant,
        route: Route,
        rtp: &Rtp<'_>,
        media: Media<'_>,
        whole: usize,
    ) {
        let Some(blocks) = red::parse(media.payload) else {
            if let Some(stream) = self.receivers.get_mut(route.stream) {
                stream.stats.malformed += 1;
            }
            return;
        };
        let count = blocks.len() as u16;
        for (at, block) in blocks.iter().enumerate() {
            let before = count - 1 - at as u16;
            if before > 0 && (media.origin != Origin::Direct || block.payload.is_empty()) {
                continue;
            }
            let of = Media {
                // RFC 2198 has no numbers: redundancy is of the packets just before.
                sequence: media.sequence.wrapping_sub(before),
                timestamp: media.timestamp.wrapping_sub(block.before),
                marker: media.marker && before == 0,
                payload_type: block.payload_type,
                payload: block.payload,
                origin: if before == 0 {
                    media.origin
                } else {
                    Origin::Red
                },
            };
            self.take(now, route.stream, rtp, of, whole);
        }
    }

    /// Takes a payload into its stream.
    fn take(&mut self, now: Instant, at: usize, rtp: &Rtp<'_>, media: Media<'_>, whole: usize) {
        let Some(stream) = self.receivers.get_mut(at) else {
            return;
        };
        let Some(state) = self.sections.get_mut(stream.section) else {
            return;
        };
        let format = state.section.format(media.payload_type);
        let codec = format.and_then(|format| match format.role {
            Carries::Media(codec) => Some(codec),
            _ => None,
        });
        let (Some(format), Some(codec)) = (format, codec) else {
            // Parity within RED has a number of its own, which is not missing.
            if format.is_some_and(|it| it.role == Carries::Ulpfec) {
                self.take_parity(now, at, media, whole);
            }
            return;
        };
        if media.origin == Origin::Red && stream.track.is_new() {
            return;
        }
        let again = media.origin != Origin::Direct;
        let noted = stream.track.note(now, media.sequence, again);
        if noted.is_stray {
            stream.stats.stray += u64::from(!again);
            return;
        }
        if !again {
            measure(stream, now, media.timestamp, codec, format.clock);
        }
        if noted.is_restart {
            stream.assembler.restart();
        }
        if !noted.is_fresh {
            let has_come = matches!(media.origin, Origin::Direct | Origin::Rtx);
            if noted.is_late && has_come {
                stream.stats.late += 1;
                stream.count(now, media.origin, media.payload.len(), whole);
            } else {
                stream.stats.duplicates += u64::from(media.origin != Origin::Red);
            }
            return;
        }
        // Copies are kept for a peer that does send parity, not for each that might.
        let protected = state.section.protected() && stream.recovery.is_wanted(now);
        if protected && media.origin != Origin::Red {
            remember(stream, rtp, media, &state.section.ids);
        }
        stream.last = now;
        stream.count(now, media.origin, media.payload.len(), whole);
        stream.stats.payload_type = Some(media.payload_type);
        let silent = state.last.replace(now);
        if silent.is_none_or(|last| now.saturating_duration_since(last) > SILENCE) {
            self.events.push_back(Event::Received { section: state.id });
        }
        if codec == Codec::TelephoneEvent
            && let Some(code) = begun(&mut stream.event, &media)
            && self.events.len() < MOST_EVENTS
        {
            let section = state.id;
            self.events.push_back(Event::Telephone { section, code });
        }
        if media.payload.is_empty() {
            self.skip(now, at, noted.sequence, media.timestamp);
            return;
        }
        if !state.delivery.frames && !state.delivery.packets {
            return;
        }
        let Some(packet) = self.packet(now, at, rtp, media, (format, codec, noted.sequence)) else {
            return;
        };
        self.deliver(now, at, packet);
        if protected && media.origin != Origin::Fec {
            self.recover(now, at);
        }
    }

    /// A packet as all who take it share it: what it tells, and the one copy of its payload.
    fn packet(
        &mut self,
        now: Instant,
        at: usize,
        rtp: &Rtp<'_>,
        media: Media<'_>,
        (format, codec, sequence): (Format, Codec, u64),
    ) -> Option<Packet> {
        let stream = self.receivers.get_mut(at)?;
        let state = self.sections.get(stream.section)?;
        let Some(mut facts) = codec.peek(media.payload) else {
            stream.stats.malformed += 1;
            return None;
        };
        stream.stats.size = facts.size.or(stream.stats.size);
        let arena = &mut self.arena;
        let mut values = Values::read(rtp.extensions, &state.section.ids, |bytes| {
            arena.keep(bytes)
        });
        if let Some(value) = &values.descriptor {
            facts = described(&mut stream.structure, (codec, facts), value);
        }
        if let Some(capture) = &mut values.capture {
            // Whoever has it from us reckons from our clock. Without the sender's no offset is better than a wrong one.
            let wall = |at: Instant| self.wall.after(at.saturating_duration_since(self.origin));
            let ahead = self.timers.round_trip.zip(capture.offset);
            capture.offset = ahead.and_then(|(trip, offset)| {
                Some(offset.wrapping_add(stream.clock.ahead(wall, trip)?))
            });
        }
        // Whoever has told it once is taken at that clock, and not at that of a sender between.
        let place = Place {
            system: rtp.sources().next().unwrap_or(stream.ssrc),
            timestamp: media.timestamp,
            clock: format.clock,
        };
        let time = values.capture.map(|it| it.time);
        let time = time.or_else(|| stream.captures.reach(place).map(|it| it.time));
        let time = time.or_else(|| stream.clock.time(media.timestamp, format.clock));
        let (clocks, name) = (&mut self.clocks, stream.clock.name);
        let captured = time.and_then(|time| clocks.captured(now, self.origin, name, time));
        Some(Packet {
            lane: stream.lane,
            stream: stream.number,
            codec,
            sequence,
            timestamp: media.timestamp,
            marker: media.marker,
            facts,
            captured: captured.unwrap_or(now),
            local: false,
            sender_clock: time,
            values,
            prefix: Prefix::default(),
            payload: arena.keep(media.payload),
        })
    }

    /// Takes parity that RED carried beside its stream.
    fn take_parity(&mut self, now: Instant, at: usize, media: Media<'_>, whole: usize) {
        let Some(stream) = self.receivers.get_mut(at) else {
            return;
        };
        stream.stats.parity += 1;
        stream.stats.parity_bytes += media.payload.len() as u64;
        let noted = stream
            .track
            .note(now, media.sequence, media.origin == Origin::Rtx);
        let repair = fec::ulp::parse(media.payload).filter(|_| noted.is_fresh);
        match repair {
            Some(repair) => stream.recovery.repair(now, repair),
            None => stream.recovery.discard(),
        }
        if noted.is_fresh {
            stream.count(now, media.origin, media.payload.len(), whole);
            self.skip(now, at, noted.sequence, media.timestamp);
            self.recover(now, at);
        }
    }

    /// Takes in what parity tells of packets that are missing.
    fn recover(&mut self, now: Instant, at: usize) {
        // Each repair gives one packet at most, and there are few of them.
        for _ in 0..32 {
            let Some(stream) = self.receivers.get_mut(at) else {
                return;
            };
            let ssrc = stream.ssrc;
            let Some(packet) = stream.recovery.recover(ssrc) else {
                return;
            };
            let Ok(rtp) = Rtp::parse(&packet) else {
                continue;
            };
            let media = Media {
                sequence: rtp.head.sequence,
                timestamp: rtp.head.timestamp,
                marker: rtp.head.marker,
                payload_type: rtp.head.payload_type,
                payload: rtp.payload,
                origin: Origin::Fec,
            };
            self.take(now, at, &rtp, media, packet.len());
        }
    }

    /// A number that carries nothing: nobody waits for it.
    fn skip(&mut self, now: Instant, at: usize, sequence: u64, timestamp: u32) {
        let Some(stream) = self.receivers.get(at) else {
            return;
        };
        let packet = Packet {
            lane: stream.lane,
            stream: stream.number,
            codec: Codec::Vp8,
            sequence,
            timestamp,
            marker: false,
            facts: Facts::default(),
            captured: now,
            local: false,
            sender_clock: None,
            values: Values::default(),
            prefix: Prefix::default(),
            payload: bytes::Bytes::new(),
        };
        self.deliver(now, at, packet);
    }

    fn deliver(&mut self, now: Instant, at: usize, packet: Packet) {
        let Some(stream) = self.receivers.get_mut(at) else {
            return;
        };
        let section = stream.section;
        let Some(state) = self.sections.get(section) else {
            return;
        };
        let delivery = state.delivery;
        if packet.facts.key {
            // It came: whoever wants the next one asks again.
            stream.keyframe = None;
        }
        if delivery.frames {
            self.grown += Assembler::cost_of(&packet);
            stream.assembler.insert(now, packet.clone());
        }
        if delivery.packets {
            self.keep(section, packet);
        }
        if delivery.frames {
            self.assemble(now, at);
            self.bound_frames(now);
        }
    }

    /// Keeps a packet for who reads them. What nobody has read so long is old, and of all lanes that loses it of which most waits.
    fn keep(&mut self, section: usize, packet: Packet) {
        let lane = packet.lane;
        let same = |it: &(usize, u8, Vec<Packet>)| (it.0, it.1) == (section, lane);
        let full = match self.waiting >= MOST_UNREAD_OF_ALL {
            true => self.pending.iter_mut().max_by_key(|it| it.2.len()),
            false => {
                let mut pending = self.pending.iter_mut();
                pending.find(|it| same(it) && it.2.len() >= MOST_UNREAD)
            }
        };
        if let Some((_, _, packets)) = full {
            self.stats.unread += packets.len() as u64;
            self.waiting -= packets.len();
            *packets = Vec::new();
        }
        self.waiting += 1;
        match self.pending.iter_mut().find(|it| same(it)) {
            Some((_, _, packets)) => packets.push(packet),
            None => self.pending.push((section, lane, vec![packet])),
        }
    }

    /// What all streams hold of frames has a limit: the one that holds most loses it. Now and then is enough to look.
    fn bound_frames(&mut self, now: Instant) {
        let most = self.config.buffered;
        if self.grown < most / 16 {
            return;
        }
        self.grown = 0;
        let held = |it: &ReceiveStream| it.assembler.bytes();
        let mut sum: usize = self.receivers.iter().map(held).sum();
        while sum > most {
            let Some(stream) = self.receivers.iter_mut().max_by_key(|it| held(it)) else {
                return;
            };
            sum -= held(stream);
            stream.assembler.drop_all();
            let of = self.sections.get(stream.section);
            if of.is_some_and(|it| !it.section.is_audio()) {
                stream.want_keyframe(now);
            }
        }
    }

    /// Makes frames of what is whole.
    pub(super) fn assemble(&mut self, now: Instant, at: usize) {
        let Some(stream) = self.receivers.get_mut(at).filter(|it| !it.ended) else {
            return;
        };
        let Some(state) = self
            .sections
            .get(stream.section)
            .filter(|it| it.delivery.frames)
        else {
            return;
        };
        // A repair may be lost as well: time for it to be asked for three times. Without repair only reordering counts.
        let trip = self.timers.round_trip;
        stream.assembler.wait = if state.section.feedback.nack {
            let trips = trip.unwrap_or(Duration::from_millis(100)) * 3;
            (trips + Duration::from_millis(50)).max(Duration::from_millis(200))
        } else {
            Duration::from_millis(50)
        };
        let clock = stream.track.clock;
        let (wants, below) = stream.assembler.run(now, clock);
        stream.track.give_up(below);
        if wants && !state.section.is_audio() {
            stream.want_keyframe(now);
        }
        if stream.assembler.announces(now) {
            self.events.push_back(Event::Readable { section: state.id });
        }
    }

    /// Who was heard (W3C `getSynchronizationSources`).
    fn note_source(&mut self, now: Instant, route: Route, rtp: &Rtp<'_>, named: &Named<'_>) {
        if route.is_repair || rtp.payload.is_empty() {
            return;
        }
        let Some(stream) = self.receivers.get_mut(route.stream) else {
            return;
        };
        let Some(state) = self.sections.get_mut(stream.section) else {
            return;
        };
        let format = state.section.format(rtp.head.payload_type);
        let place = Place {
            system: rtp.sources().next().unwrap_or(rtp.head.ssrc),
            timestamp: rtp.head.timestamp,
            clock: format.map_or(0, |it| it.clock),
        };
        let captured = stream.captures.note(place, named.capture);
        let level = state
            .section
            .ids
            .id(crate::extension::Kind::AudioLevel)
            .and_then(|id| {
                let value = rtp.extensions.clone().find(|it| it.0 == id)?.1;
                crate::extension::AudioLevel::parse(value).map(|it| it.level)
            });
        let source = Source {
            source: rtp.head.ssrc,
            contributes: false,
            at: now,
            timestamp: rtp.head.timestamp,
            level,
            captured,
        };
        state.sources.note(source);
        let mut levels = mixed_levels(named.mixed.unwrap_or_default());
        for contributor in rtp.sources() {
            state.sources.note(Source {
                source: contributor,
                contributes: true,
                level: levels.next(),
                ..source
            });
        }
    }

    /// RFC 3550 §8.2: the peer uses an SSRC of ours. We take another and say goodbye to the old one.
    fn resolve_collision(&mut self, now: Instant, ssrc: u32) {
        let uses = |it: &SendStream, ssrc| {
            let own = &it.encoding;
            own.ssrc == ssrc || own.rtx == Some(ssrc) || own.fec == Some(ssrc)
        };
        let is_ours = |it: u32| it == self.ssrc || self.senders.iter().any(|of| uses(of, it));
        // Each that was used is remembered by SRTP: whoever takes one after the other has itself to blame.
        if !is_ours(ssrc) || self.stats.collisions >= MOST_COLLISIONS {
            return;
        }
        let mut new = self.rng.next_u32();
        while new == 0 || is_ours(new) || self.by_ssrc.contains_key(&new) {
            new = self.rng.next_u32();
        }
        let first = self.rng.next_u32();
        if self.ssrc == ssrc {
            self.ssrc = new;
        } else {
            let mut senders = self.senders.iter_mut();
            senders.any(|it| it.resolve(ssrc, new, first));
        }
        self.timers.farewells.push(ssrc);
        self.timers.soon(now);
        self.stats.collisions += 1;
        self.events.push_back(Event::Collision { old: ssrc, new });
    }
}

/// Measures jitter by the clock of what is heard or seen: noise and events share a stream with it.
fn measure(stream: &mut ReceiveStream, now: Instant, timestamp: u32, codec: Codec, clock: u32) {
    if codec != Codec::ComfortNoise && codec != Codec::TelephoneEvent {
        stream.track.clock = clock;
    }
    stream.track.measure(now, timestamp);
}

/// The event that begins with this packet. All packets of one have its timestamp (RFC 4733 §2.2), or that of its segment (§2.5.1.3), and
/// the last comes three times.
fn begun(last: &mut Option<(u32, telephone::Event)>, media: &Media<'_>) -> Option<u8> {
    let event = telephone::Event::parse(media.payload)?;
    let Some((at, before)) = last.replace((media.timestamp, event)) else {
        return Some(event.code);
    };
    let later = media.timestamp.wrapping_sub(at).cast_signed();
    if later < 0 {
        *last = Some((at, before));
        return None;
    }
    let goes_on = later == u16::MAX.into() && event.code == before.code && !media.marker;
    (later > 0 && !goes_on).then_some(event.code)
}

/// Keeps a packet for parity, as it was before RED: parity is over the very bytes of its header.
fn remember(stream: &mut ReceiveStream, rtp: &Rtp<'_>, media: Media<'_>, ids: &Ids) {
    // What is sent again has other extensions than it had: it cannot be added up.
    if media.origin == Origin::Rtx {
        return;
    }
    let mut packet = [rtp.header, media.payload].concat();
    if let Some(second) = packet.get_mut(1) {
        *second = *second & 0x80 | media.payload_type;
    }
    pad(&mut packet, 0, rtp.padding);
    stream.recovery.note(media.sequence, &packet, ids);
}

/// After so long without packets the next one is news.
const SILENCE: Duration = Duration::from_secs(2);
/// So often an SSRC of ours makes way for the peer's.
const MOST_COLLISIONS: u64 = 256;
/// So many packets of a lane wait for who reads them.
const MOST_UNREAD: usize = 4096;
/// And so many of all lanes together.
const MOST_UNREAD_OF_ALL: usize = 16_384;
