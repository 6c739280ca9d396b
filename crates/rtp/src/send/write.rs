//! Packets written into a datagram: the one copy on the way down.

use std::time::{Duration, Instant};

use byteorder::{BigEndian, ByteOrder};

use super::{Class, SendStream, Sent, rewrite::clock};
use crate::{
    Ntp, Section,
    batch::Packet,
    extension::{AbsoluteCapture, Kind, absolute_send},
    fec::{flex, ulp},
    packet::{Head, Writer},
    payload::{Codec, vp8, vp9},
    red,
    section::{Carries, Protection},
    writer::write_u16,
};

/// What stands in all packets of a transport at the moment of writing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) now: Instant,
    pub(crate) origin: Instant,
    /// The wall clock at that time.
    pub(crate) wall: Ntp,
    pub(crate) transport: u16,
}

/// What was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) class: Class,
    /// A transport-wide number went with it.
    pub(crate) numbered: bool,
}

impl SendStream {
    /// Writes what [`peek`](Self::peek) has shown.
    pub(crate) fn write(
        &mut self,
        class: Class,
        section: &Section,
        stamp: Stamp,
        buf: &mut Vec<u8>,
    ) -> Option<Done> {
        let start = buf.len();
        let done = match class {
            Class::Fec => self.write_parity(section, stamp, buf),
            Class::Resend => self.write_again(section, stamp, buf),
            Class::Audio
                if self
                    .telephone
                    .as_ref()
                    .is_some_and(|it| it.is_due(stamp.now)) =>
            {
                self.write_event(section, stamp, buf)
            }
            _ => self.write_fresh(class, section, stamp, buf),
        }?;
        let len = buf.len() - start;
        self.account(len, class == Class::Resend);
        Some(done)
    }

    fn write_fresh(
        &mut self,
        class: Class,
        section: &Section,
        stamp: Stamp,
        buf: &mut Vec<u8>,
    ) -> Option<Done> {
        let mut sent = self.head.take()?;
        sent.at = stamp.now;
        let capture = self.capture(section, &sent, stamp);
        let packet = self.content(&sent)?;
        let format = section.media(packet.codec)?;
        let red = self.red(section, packet.codec);
        let mut head = Head {
            payload_type: red.unwrap_or(format.payload_type),
            marker: sent.numbered.marker,
            sequence: sent.numbered.sequence as u16,
            timestamp: sent.numbered.timestamp,
            ssrc: self.encoding.ssrc,
        };
        let start = buf.len();
        let numbered = self.header(
            head,
            (packet, sent.numbered.frame, capture),
            section,
            stamp,
            false,
            buf,
        );
        let payload = buf.len();
        if red.is_some() {
            self.write_earlier(section, &sent, format.payload_type, buf);
        }
        let own = buf.len();
        append(packet, &sent, buf);
        let ends = sent.numbered.marker;
        if class == Class::Video && self.protects(section, packet.codec) {
            // Parity is of the packet without RED.
            head.payload_type = format.payload_type;
            let mut plain = Vec::with_capacity(buf.len() - start);
            plain.extend_from_slice(buf.get(start..payload)?);
            if let Some(second) = plain.get_mut(1) {
                *second = head.payload_type | u8::from(head.marker) << 7;
            }
            plain.extend_from_slice(buf.get(own..)?);
            let number = sent.numbered.sequence;
            self.parity.add(number, &plain, &section.ids, ends);
        }
        let packet = self.content(&sent)?;
        let (len, header) = (buf.len() - payload, payload - start);
        let (captured, marker, key) = (packet.captured, packet.marker, packet.facts.key);
        let size = packet.facts.size;
        let waited = self.waited(&sent, stamp.now);
        let rate = if format.clock == 0 {
            clock(packet.codec)
        } else {
            format.clock
        };
        self.begun.get_or_insert(sent.numbered.sequence);
        self.stats.payload_type = Some(format.payload_type);
        self.stats.size = size.or(self.stats.size);
        self.stats.send_delay += waited;
        self.stats.packets += 1;
        self.stats.bytes += len as u64;
        self.stats.header_bytes += header as u64;
        if class == Class::Video {
            self.count_frame(len as u64, sent.numbered.marker);
        }
        self.stats.frames += u64::from(sent.numbered.marker || class == Class::Audio);
        self.stats.key_frames += u64::from(key && marker && class == Class::Video);
        let (packets, bytes) = self.totals;
        self.totals = (packets.wrapping_add(1), bytes.wrapping_add(len as u32));
        self.last = Some((sent.numbered.timestamp, captured, rate));
        *self.slot(sent.numbered.sequence)? = Some(sent);
        Some(Done { class, numbered })
    }

    /// When a packet of our own was captured, where that is to be told: now and then, and when timestamps do not lead there from what was
    /// told last. Our clock is the one that captured it, so there is no offset between them.
    fn capture(&mut self, section: &Section, sent: &Sent, stamp: Stamp) -> Option<AbsoluteCapture> {
        let packet = self.content(sent)?;
        if !self.may_tell(section, packet) || packet.values.capture.is_some() {
            return None;
        }
        let (captured, timestamp) = (packet.captured, sent.numbered.timestamp);
        let rate = section.media(packet.codec)?.clock.max(1);
        let leads_there = self.told.is_some_and(|(from, at, told)| {
            let ticks = i64::from(timestamp.wrapping_sub(from).cast_signed());
            let reached = ticks * 1_000_000 / i64::from(rate);
            let passed = micros(at, captured);
            reached.abs_diff(passed) <= MOST_ERROR
                && stamp.now.saturating_duration_since(told) < TELL_AGAIN
        });
        if leads_there {
            return None;
        }
        self.told = Some((timestamp, captured, stamp.now));
        let since = i128::from(micros(stamp.origin, captured));
        let since = (since << 32) / 1_000_000;
        Some(AbsoluteCapture {
            time: Ntp(stamp.wall.0.wrapping_add_signed(since as i64)),
            offset: Some(0),
        })
    }

    /// How long the packet has waited here.
    fn waited(&self, sent: &Sent, now: Instant) -> Duration {
        let at = sent.batch.checked_sub(self.first);
        let batch = at.and_then(|at| self.kept.get(at as usize));
        batch.map_or(Duration::ZERO, |it| now.saturating_duration_since(it.0))
    }

    /// W3C `hugeFramesSent`: 2.5 times the mean of those so far.
    fn count_frame(&mut self, bytes: u64, ends: bool) {
        self.frame += bytes;
        if !ends {
            return;
        }
        let frame = std::mem::take(&mut self.frame);
        let (all, frames) = (self.stats.bytes, self.stats.frames + 1);
        self.stats.huge_frames += u64::from(2 * frame * frames >= 5 * all);
    }

    fn write_again(&mut self, section: &Section, stamp: Stamp, buf: &mut Vec<u8>) -> Option<Done> {
        let number = self.next_resend()?;
        let sent = self.find(number)?;
        let packet = self.content(&sent)?;
        let format = section.media(packet.codec)?;
        let head = Head {
            payload_type: section.rtx(format.payload_type)?,
            marker: sent.numbered.marker,
            sequence: self.rtx_next,
            timestamp: sent.numbered.timestamp,
            ssrc: self.encoding.rtx?,
        };
        let start = buf.len();
        let numbered = self.header(
            head,
            (packet, sent.numbered.frame, None),
            section,
            stamp,
            true,
            buf,
        );
        // RFC 4588 §4: the number that it had.
        write_u16(buf, sent.numbered.sequence as u16);
        let payload = buf.len();
        append(packet, &sent, buf);
        self.stats.resent += 1;
        self.stats.resent_bytes += (buf.len() - payload) as u64;
        self.stats.resent_header_bytes += (payload - start) as u64;
        self.rtx_next = self.rtx_next.wrapping_add(1);
        let slot = self.slot(number)?;
        if let Some(sent) = slot {
            (sent.at, sent.again) = (stamp.now, true);
        }
        Some(Done {
            class: Class::Resend,
            numbered,
        })
    }

    /// The payload type and the SSRC of parity in a stream of its own.
    pub(super) fn flex(&self, section: &Section) -> Option<(u8, u32)> {
        section.carrying(Carries::Flexfec).zip(self.encoding.fec)
    }

    /// True if video of this stream and codec is protected.
    fn protects(&self, section: &Section, codec: Codec) -> bool {
        // What is asked of each packet is asked first where it is cheap.
        let wanted = match section.protect {
            Protection::Never => false,
            Protection::WhenLost => self
                .guard
                .is_up(self.encoding.rtx.is_some(), self.round_trip),
            Protection::Always => true,
        };
        if !wanted {
            return false;
        }
        // ULPFEC takes numbers of the stream itself: where one of them is lost, only a format whose packets tell where frames begin
        // shows that nothing of a frame is missing.
        let ulp = || {
            codec.tells_beginning()
                && section.carrying(Carries::Ulpfec).is_some()
                && section.carrying(Carries::Red).is_some()
        };
        self.flex(section).is_some() || ulp()
    }

    /// The payload type of RED, if this codec goes within it.
    fn red(&self, section: &Section, codec: Codec) -> Option<u8> {
        let wanted = if codec.is_audio() {
            section.redundancy > 0 && !matches!(codec, Codec::TelephoneEvent)
        } else {
            codec.tells_beginning()
                && self.protects(section, codec)
                && section.carrying(Carries::Ulpfec).is_some()
                && self.flex(section).is_none()
        };
        wanted.then(|| section.carrying(Carries::Red)).flatten()
    }

    /// The packets just before this one that go with it again.
    fn earlier<'a>(
        &'a self,
        section: &Section,
        sent: &Sent,
    ) -> impl Iterator<Item = (u32, &'a Packet)> + use<'a> {
        let count = if section.is_audio() {
            section.redundancy.min(3)
        } else {
            0
        };
        let (number, timestamp) = (sent.numbered.sequence, sent.numbered.timestamp);
        (1..=u64::from(count)).rev().filter_map(move |back| {
            let earlier = self.find(number.checked_sub(back)?)?;
            let before = timestamp.wrapping_sub(earlier.numbered.timestamp);
            let packet = self.content(&earlier)?;
            // RFC 2198 §3: 14 bits of time, 10 of length.
            let fits =
                before < 1 << 14 && packet.payload_len() < 1 << 10 && packet.codec.is_audio();
            fits.then_some((before, packet))
        })
    }

    /// By how much RED makes a packet longer.
    pub(super) fn redundancy(&self, section: &Section, sent: &Sent) -> usize {
        let codec = self.content(sent).map(|it| it.codec);
        if codec.and_then(|codec| self.red(section, codec)).is_none() {
            return 0;
        }
        let earlier = self.earlier(section, sent).map(|it| it.1.payload_len() + 4);
        1 + earlier.sum::<usize>()
    }

    /// Heads of all blocks, then the earlier payloads.
    fn write_earlier(&self, section: &Section, sent: &Sent, payload_type: u8, buf: &mut Vec<u8>) {
        for (before, packet) in self.earlier(section, sent) {
            let of = section
                .media(packet.codec)
                .map_or(payload_type, |it| it.payload_type);
            red::write_head(buf, of, before, packet.payload_len());
        }
        buf.push(payload_type & 0x7f);
        for (_, packet) in self.earlier(section, sent) {
            buf.extend_from_slice(packet.prefix.as_bytes());
            buf.extend_from_slice(&packet.payload);
        }
    }

    fn write_parity(&mut self, section: &Section, stamp: Stamp, buf: &mut Vec<u8>) -> Option<Done> {
        let repair = self.parity.take()?;
        let (timestamp, _, _) = self.last?;
        let flex = self.flex(section);
        let mut payload = Vec::with_capacity(repair.sum.rest.len() + 30);
        let head = if let Some((payload_type, ssrc)) = flex {
            flex::write(&mut payload, self.encoding.ssrc, &repair);
            let sequence = self.fec_next;
            self.fec_next = sequence.wrapping_add(1);
            Head {
                payload_type,
                marker: false,
                sequence,
                timestamp,
                ssrc,
            }
        } else {
            payload.push(section.carrying(Carries::Ulpfec)?);
            ulp::write(&mut payload, &repair);
            // It has a number of the stream itself.
            let (sequence, _) = self.rewrite.insert(stamp.now, 90_000);
            Head {
                payload_type: section.carrying(Carries::Red)?,
                marker: false,
                sequence: sequence as u16,
                timestamp,
                ssrc: self.encoding.ssrc,
            }
        };
        let start = buf.len();
        let mut writer = Writer::begin(buf, head, &[], section.form(None));
        let numbered = self.name(&mut writer, section, stamp, flex.is_some());
        writer.finish();
        let header = buf.len() - start;
        buf.extend_from_slice(&payload);
        self.stats.parity += 1;
        let (packets, bytes) = self.totals;
        if flex.is_none() {
            self.stats.packets += 1;
            self.stats.bytes += payload.len() as u64;
            self.stats.header_bytes += header as u64;
            self.totals = (
                packets.wrapping_add(1),
                bytes.wrapping_add(payload.len() as u32),
            );
        }
        Some(Done {
            class: Class::Fec,
            numbered,
        })
    }

    fn write_event(&mut self, section: &Section, stamp: Stamp, buf: &mut Vec<u8>) -> Option<Done> {
        let mut telephone = self.telephone.take()?;
        let (sequence, timestamp) = self.rewrite.insert(stamp.now, telephone.clock);
        let played = telephone.next(stamp.now, timestamp);
        let head = Head {
            payload_type: telephone.payload_type,
            // RFC 4733 §2.5.1.3: not on later segments.
            marker: played.is_first,
            sequence: sequence as u16,
            timestamp: played.timestamp,
            ssrc: self.encoding.ssrc,
        };
        let start = buf.len();
        let mut writer = Writer::begin(buf, head, &[], section.form(None));
        let numbered = self.name(&mut writer, section, stamp, false);
        writer.finish();
        self.stats.header_bytes += (buf.len() - start) as u64;
        buf.extend_from_slice(&played.event.to_bytes());
        self.begun.get_or_insert(sequence);
        self.stats.packets += 1;
        self.stats.bytes += 4;
        let (packets, bytes) = self.totals;
        self.totals = (packets.wrapping_add(1), bytes.wrapping_add(4));
        if !played.is_last {
            self.telephone = Some(telephone);
        }
        Some(Done {
            class: Class::Audio,
            numbered,
        })
    }

    fn header(
        &self,
        head: Head,
        (packet, frame, capture): (&Packet, Option<u16>, Option<AbsoluteCapture>),
        section: &Section,
        stamp: Stamp,
        again: bool,
        buf: &mut Vec<u8>,
    ) -> bool {
        let mut writer = Writer::begin(buf, head, &[], section.form(Some(&packet.values)));
        let numbered = self.name(&mut writer, section, stamp, again);
        packet.values.write(&mut writer, &section.ids, frame);
        if let Some(capture) = capture {
            capture.write(&mut writer, &section.ids);
        }
        writer.finish();
        numbered
    }

    /// Names that say where it belongs, until a report shows that they are known; repairs always.
    fn name(&self, writer: &mut Writer<'_>, section: &Section, stamp: Stamp, again: bool) -> bool {
        let ids = &section.ids;
        if !self.reported || again {
            if let (Some(id), Some(mid)) = (ids.id(Kind::Mid), section.mid) {
                writer.extend(id, mid.as_str().as_bytes());
            }
            let kind = if again { Kind::RepairedRid } else { Kind::Rid };
            if let (Some(id), Some(rid)) = (ids.id(kind), self.encoding.rid) {
                writer.extend(id, rid.as_str().as_bytes());
            }
        }
        if let Some(id) = ids.id(Kind::AbsoluteSendTime) {
            let since = stamp.now.saturating_duration_since(stamp.origin);
            writer.extend(id, &absolute_send(since));
        }
        let number = ids.id(Kind::TransportNumber);
        let mut transport = [0; 2];
        BigEndian::write_u16(&mut transport, stamp.transport);
        number.is_some_and(|id| writer.extend(id, &transport))
    }
}

/// From one time to another, negative if it is earlier.
fn micros(from: Instant, to: Instant) -> i64 {
    let later = to.saturating_duration_since(from).as_micros() as i64;
    let earlier = from.saturating_duration_since(to).as_micros() as i64;
    later - earlier
}

/// Payload header and payload, and what is changed in our copy.
fn append(packet: &Packet, sent: &Sent, buf: &mut Vec<u8>) {
    let start = buf.len();
    buf.extend_from_slice(packet.prefix.as_bytes());
    buf.extend_from_slice(&packet.payload);
    if packet.facts.picture.is_none() {
        return;
    }
    let (picture, tl0) = (
        sent.numbered.picture,
        packet.facts.tl0.map(|_| sent.numbered.tl0),
    );
    if let Some(payload) = buf.get_mut(start..) {
        match packet.codec {
            Codec::Vp8 => vp8::patch(payload, picture, tl0),
            Codec::Vp9 => vp9::patch(payload, picture, tl0),
            _ => {}
        }
    }
}

/// So often the time of capture is told again, for who has missed it or has come later.
const TELL_AGAIN: Duration = Duration::from_secs(1);
/// So many microseconds the time of capture may be from where timestamps lead.
const MOST_ERROR: u64 = 1000;
