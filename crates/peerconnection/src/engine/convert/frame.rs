//! Frames and packets of the application, as RTP has them.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use oxirtc_rtp::{
    self as rtp, Batch, Lane, Ntp, Packet,
    extension::{AudioLevel, Descriptor, Orientation, Structure, Values},
    payload::{MOST_FRAME, Packetizer, Prefix, Refused},
};

use super::{
    codec::{codec, shown_codec},
    dependencies::{Part, parts, shown_dependencies},
};
use crate::{
    Codec, EncodedFrame, Error, ErrorKind, FrameKind, Layer, Rotation, RtpPacket,
    engine::media::MediaBatch,
};

/// Cuts what the application writes on one track into packets: once, whoever sends them.
pub struct Cutter {
    lanes: Vec<CutLane>,
    largest: usize,
    single_unit: bool,
    /// The time from which timestamps count where the application gives none.
    origin: Option<Instant>,
}

/// One of the parallel streams of a track.
struct CutLane {
    lane: Lane,
    packetizer: Packetizer,
    next: u64,
    /// The templates of dependency descriptors, as the last key frame has told them.
    structure: Option<Structure>,
}

impl Cutter {
    /// One that has cut nothing yet.
    pub fn new() -> Self {
        Self {
            lanes: Vec::new(),
            largest: MOST_FRAME,
            single_unit: false,
            origin: None,
        }
    }

    /// The longest frame that is cut, in bytes; 4 MiB by default.
    pub fn set_largest_frame(&mut self, bytes: usize) {
        self.largest = bytes;
        // What each has of a picture that is being cut, and of its parameter sets, stays.
        for lane in &mut self.lanes {
            lane.packetizer.set_most_frame(bytes);
        }
    }

    /// Whether units of H.264 go whole wherever they fit into a packet, for a peer that takes nothing else.
    pub fn set_single_unit(&mut self, on: bool) {
        self.single_unit = on;
    }

    /// The packets of a frame, of the lane that its rid has among the track's.
    ///
    /// # Errors
    ///
    /// `Type` when it is empty, longer than the limit, not what its codec defines, or its dependencies are none of its own;
    /// `Operation` when there is no such lane.
    pub fn cut_frame(
        &mut self,
        now: Instant,
        lane: u8,
        frame: &EncodedFrame,
    ) -> Result<MediaBatch, Error> {
        let captured = frame.captured.unwrap_or(now);
        let origin = *self.origin.get_or_insert(captured);
        let timestamp = frame
            .timestamp
            .unwrap_or_else(|| ticks(origin, captured, frame.codec));
        if frame.payload.len() > self.largest {
            return Err(refused(Refused::TooLarge));
        }
        let single_unit = self.single_unit && frame.codec == Codec::H264;
        let at = self.place(lane, frame.codec);
        let Some(cut) = self.lanes.get_mut(at) else {
            return Err(Error::new(ErrorKind::Operation, "there is no such lane"));
        };
        let values = Values {
            level: frame.audio_level.map(|level| AudioLevel {
                level: level.min(127),
                voice: false,
            }),
            orientation: orientation(frame.rotation),
            ..Values::default()
        };
        // All is cut before anything is numbered: a frame that is refused takes no numbers.
        let mut cuts = Vec::with_capacity(1);
        for part in parts(frame, cut.structure.as_ref())? {
            let mut pieces = Vec::new();
            let cutter = &mut cut.packetizer;
            cutter.set_single_unit(single_unit);
            let mut cutting = cutter.cut(&part.payload, part.layering, &mut pieces);
            if single_unit && cutting == Err(Refused::TooLarge) {
                // For those who take pieces; the others leave it out.
                cutter.set_single_unit(false);
                cutting = cutter.cut(&part.payload, part.layering, &mut pieces);
            }
            cutting.map_err(refused)?;
            cuts.push((part, pieces));
        }
        let mut packets = Vec::new();
        let names = (lane, codec(frame.codec));
        for (part, mut pieces) in cuts {
            // What describes a picture goes with its first packet.
            let values = if packets.is_empty() {
                &values
            } else {
                &Values::default()
            };
            let what = (captured, values);
            let next = &mut cut.next;
            let mut made = Batch::packets_of_frame(&mut pieces, names, next, timestamp, what);
            cut.describe(part, &mut made);
            match packets.is_empty() {
                true => packets = made,
                false => packets.append(&mut made),
            }
        }
        Ok(MediaBatch::new(lane, Arc::new(Batch { packets })))
    }

    /// Packets that were cut already, of one lane.
    ///
    /// # Errors
    ///
    /// `Type` when one is no payload of its codec.
    pub fn take_packets(
        &mut self,
        now: Instant,
        lane: u8,
        packets: &[RtpPacket],
    ) -> Result<MediaBatch, Error> {
        let made: Result<Vec<Packet>, Error> =
            packets.iter().map(|it| of_packet(now, lane, it)).collect();
        let batch = Batch { packets: made? };
        Ok(MediaBatch::new(lane, Arc::new(batch)))
    }

    fn place(&mut self, lane: u8, kind: Codec) -> usize {
        let largest = self.largest;
        let known = self.lanes.iter().position(|it| it.lane == lane);
        let at = known.unwrap_or_else(|| {
            self.lanes.push(CutLane {
                lane,
                packetizer: packetizer(kind, largest),
                next: 0,
                structure: None,
            });
            self.lanes.len() - 1
        });
        if let Some(cut) = self.lanes.get_mut(at)
            && cut.packetizer.codec() != codec(kind)
        {
            cut.packetizer = packetizer(kind, largest);
        }
        at
    }
}

impl CutLane {
    /// Writes the dependency descriptor of a frame into each of its packets.
    fn describe(&mut self, part: Part, packets: &mut [Packet]) {
        let Some(mut whole) = part.descriptor else {
            return;
        };
        let is_key = packets.first().is_some_and(|it| it.facts.key);
        if is_key && part.layering.spatial == 0 && whole.structure.is_none() {
            // Who joins here has not heard them yet.
            whole.structure.clone_from(&self.structure);
        }
        let count = packets.len();
        for (at, packet) in packets.iter_mut().enumerate() {
            let descriptor = Descriptor {
                begins: at == 0,
                ends: at + 1 == count,
                ..whole.clone()
            };
            let mut value = Vec::new();
            descriptor.write(&mut value, self.structure.as_ref());
            packet.facts =
                rtp::described(&mut self.structure, (packet.codec, packet.facts), &value);
            packet.values.descriptor = Some(value.into());
            (whole.structure, whole.active) = (None, None);
        }
    }
}

impl Default for Cutter {
    fn default() -> Self {
        Self::new()
    }
}

fn packetizer(kind: Codec, largest: usize) -> Packetizer {
    let mut packetizer = Packetizer::new(codec(kind), MOST_PAYLOAD, 0);
    packetizer.set_most_frame(largest);
    packetizer
}

fn of_packet(now: Instant, lane: u8, packet: &RtpPacket) -> Result<Packet, Error> {
    let inner = codec(packet.codec);
    let facts = inner.peek(&packet.payload);
    let facts = facts.ok_or_else(|| {
        let message = format!("the payload is not one of {}", packet.codec.name());
        Error::new(ErrorKind::Type, message)
    })?;
    Ok(Packet {
        lane,
        stream: packet.stream,
        codec: inner,
        sequence: packet.sequence,
        timestamp: packet.timestamp,
        marker: packet.marker,
        facts,
        captured: packet.captured.unwrap_or(now),
        // Where the application does not say when, the time of writing says nothing to the peer.
        local: packet.captured.is_some(),
        sender_clock: None,
        values: Values::default(),
        prefix: Prefix::default(),
        payload: packet.payload.clone(),
    })
}

/// A packet as the application sees it; `None` for one that is no codec's: noise, events, padding.
pub(in crate::engine) fn shown_packet(packet: &Packet) -> Option<RtpPacket> {
    let kind = shown_codec(packet.codec).filter(|_| !packet.is_padding())?;
    let prefix = packet.prefix.as_bytes();
    let payload = if prefix.is_empty() {
        packet.payload.clone()
    } else {
        [prefix, &packet.payload].concat().into()
    };
    let mut shown = RtpPacket::new(kind, packet.sequence, packet.timestamp, payload);
    shown.marker = packet.marker;
    shown.captured = Some(packet.captured);
    (shown.lane, shown.stream) = (packet.lane, packet.stream);
    Some(shown)
}

/// A frame as the application sees it.
pub(in crate::engine) fn shown_frame(
    frame: rtp::Frame,
    rid: Option<String>,
) -> Option<EncodedFrame> {
    let kind = shown_codec(frame.codec)?;
    let mut shown = EncodedFrame::new(kind, frame.payload.clone());
    if frame.key || frame.codec.is_audio() {
        shown.kind = FrameKind::Key;
    }
    shown.timestamp = Some(frame.timestamp);
    shown.captured = Some(frame.captured);
    shown.sender_time = frame.sender_clock.and_then(sender_time);
    shown.rid = rid;
    shown.layer = Layer {
        spatial: frame.facts.spatial,
        temporal: frame.facts.temporal,
    };
    shown.dependencies = shown_dependencies(&frame);
    shown.size = frame.facts.size;
    shown.rotation = frame.values.orientation.map_or(Rotation::None, rotation);
    shown.audio_level = frame.values.level.map(|it| it.level);
    shown.missing_before = frame.missing_before;
    Some(shown)
}

/// A time by the peer's clock; none before 1970.
pub(super) fn sender_time(time: Ntp) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(time.to_unix()?)
}

fn rotation(orientation: Orientation) -> Rotation {
    match orientation.quarters {
        1 => Rotation::Clockwise90,
        2 => Rotation::Clockwise180,
        3 => Rotation::Clockwise270,
        _ => Rotation::None,
    }
}

fn orientation(rotation: Rotation) -> Option<Orientation> {
    let quarters = match rotation {
        Rotation::None => return None,
        Rotation::Clockwise90 => 1,
        Rotation::Clockwise180 => 2,
        Rotation::Clockwise270 => 3,
    };
    Some(Orientation {
        quarters,
        ..Orientation::default()
    })
}

fn ticks(origin: Instant, captured: Instant, codec: Codec) -> u32 {
    let since: Duration = captured.saturating_duration_since(origin);
    let ticks = since.as_nanos() * u128::from(codec.clock_rate()) / 1_000_000_000;
    // A timestamp wraps.
    ticks as u32
}

fn refused(refused: Refused) -> Error {
    Error::new(ErrorKind::Type, refused.to_string()).with_source(refused)
}

/// So long is a payload at most: with header, extensions, RTX and tag a datagram has 1,200 bytes.
const MOST_PAYLOAD: usize = 1080;

#[cfg(test)]
mod tests {
    use oxirtc_netsim::{epoch, ms};

    use super::*;

    fn vp8(key: bool, len: usize) -> EncodedFrame {
        let mut payload = vec![7; len];
        let head = [u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0];
        payload[..head.len()].copy_from_slice(&head);
        EncodedFrame::new(Codec::Vp8, payload)
    }

    #[test]
    fn frames_are_cut_evenly_and_their_time_is_that_of_capture() {
        let mut cutter = Cutter::new();
        let first = cutter.cut_frame(epoch(), 0, &vp8(true, 5000)).unwrap();
        let mut later = vp8(false, 100);
        later.captured = Some(epoch() + ms(40));
        let second = cutter.cut_frame(epoch() + ms(50), 0, &later).unwrap();
        let packets: Vec<_> = first.packets().collect();
        assert_eq!(packets.len(), 5);
        assert!(packets.iter().all(|it| it.payload.len() <= 1080));
        assert_eq!(packets[0].payload.len(), packets[3].payload.len());
        let second: Vec<_> = second.packets().collect();
        assert_eq!(second[0].timestamp, 3600, "40 ms at 90 kHz");
        assert_eq!(second[0].sequence, packets[4].sequence + 1);
        assert!(second[0].marker && packets[4].marker && !packets[0].marker);
        assert!(
            cutter
                .cut_frame(epoch(), 0, &vp8(true, 10).with(&[]))
                .is_err()
        );
    }

    impl EncodedFrame {
        fn with(mut self, payload: &[u8]) -> Self {
            self.payload = bytes::Bytes::copy_from_slice(payload);
            self
        }
    }

    /// By default, as it was set, and for a lane that has been cut before.
    #[test]
    fn a_frame_may_be_so_long() {
        let mut cutter = Cutter::new();
        for limit in [4 << 20, 5000, 6000] {
            cutter.set_largest_frame(limit);
            assert!(cutter.cut_frame(epoch(), 0, &vp8(true, limit)).is_ok());
            let longer = cutter.cut_frame(epoch(), 0, &vp8(true, limit + 1));
            assert_eq!(longer.unwrap_err().kind(), ErrorKind::Type);
        }
        let by_default = Cutter::new().cut_frame(epoch(), 0, &vp8(true, (4 << 20) + 1));
        assert!(by_default.is_err());
    }

    #[test]
    fn packets_of_the_application_are_looked_at() {
        let mut cutter = Cutter::new();
        let frame = cutter.cut_frame(epoch(), 0, &vp8(true, 3000)).unwrap();
        let packets: Vec<_> = frame.packets().collect();
        let batch = cutter.take_packets(epoch(), 2, &packets).unwrap();
        assert_eq!((batch.lane(), batch.len()), (2, 3));
        let none = RtpPacket::new(Codec::Vp8, 1, 2, Vec::new());
        assert!(cutter.take_packets(epoch(), 0, &[none]).is_err());
    }
}
