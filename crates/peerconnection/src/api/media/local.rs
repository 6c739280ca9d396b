//! Writing a local track.

use std::{
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use super::{
    track::{MediaStreamTrack, TrackState},
    wanted::{LANES, Wanted},
};
use crate::{
    Codec, DegradationPreference, EncodedFrame, Error, ErrorKind, MediaKind, ResolutionRestriction,
    RtpPacket,
    api::{
        events::Events,
        waiters::{Wait, Waiter, wait},
    },
    engine::Cutter,
};

/// Writes a local track by frame.
///
/// A frame is cut into packets on the writer's task, once for all senders that have the track. H.264 for a peer that takes packetization
/// mode 0 alone goes by whole units: of a frame with one that is longer than a packet that peer gets nothing. With the rids of the track each
/// frame names its own; frames of the first rid that was written have lane 0, and so on.
///
/// A frame that does not say when it was captured is taken for captured when it is written, by the system's clock: a track has no
/// connection that could be asked. Under a [`Carrier`](crate::api::Carrier) with a time of its own, frames say it.
pub struct FrameWriter {
    track: Arc<TrackState>,
    cutter: Mutex<Lanes>,
    told: Arc<Mutex<Told>>,
}

/// Writes a local track by packet. When one was captured is as a [`FrameWriter`] has it.
pub struct PacketWriter {
    track: Arc<TrackState>,
    cutter: Mutex<Cutter>,
    told: Arc<Mutex<Told>>,
}

/// What was told already.
struct Told {
    /// The bit rate of each lane.
    bits: [Option<u64>; LANES],
    /// What encodings want of each lane.
    wanted: [Wanted; LANES],
    enabled: bool,
}

/// What senders of a track want of who writes it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Hint {
    /// A key frame, of the stream with this rid, or of all.
    Keyframe {
        /// The rid.
        rid: Option<String>,
    },
    /// What the peers of all senders allow: the least of them.
    Bitrate {
        /// The rid of the stream; `None` without rids.
        rid: Option<String>,
        /// Bits a second, without the headers of IP and UDP; `None` is no limit any more.
        bits: Option<u64>,
    },
    /// What the parameters of all senders ask of a stream together, when it has changed: [`RtpEncodingParameters`] of W3C. Before the
    /// first such hint all is as its default. What a sender asks that does not send the stream does not count.
    ///
    /// [`RtpEncodingParameters`]: crate::RtpEncodingParameters
    Encoding {
        /// The rid of the stream; `None` without rids.
        rid: Option<String>,
        /// `active` of one of them that is [not stopped](crate::RtpSender::stopped): without it nothing of the stream goes out, and it need
        /// not be encoded.
        active: bool,
        /// `maxFramerate`: the least of them, in frames a second.
        max_framerate: Option<f64>,
        /// `scaleResolutionDownBy`: the greatest of them, by which width and height are divided; 1 is as it is.
        scale_resolution_down_by: f64,
        /// `scaleResolutionDownTo`: the smallest of them.
        scale_resolution_down_to: Option<ResolutionRestriction>,
        /// `degradationPreference`: what gives way when bandwidth is short; [`Balanced`](DegradationPreference::Balanced) where they
        /// do not agree.
        degradation_preference: Option<DegradationPreference>,
    },
    /// The track was disabled, or is enabled again. W3C's browsers send black pictures, one a second, or silence for a track that is
    /// disabled: what the application's encoder makes of them goes out by [`FrameWriter::write_blank`].
    Enabled(bool),
}

#[derive(Default)]
struct Lanes {
    cutter: Cutter,
    rids: Vec<String>,
}

impl MediaStreamTrack {
    /// A local track that is written by frame, and what writes it. It is muted never, and ends when it is
    /// [stopped](Self::stop).
    pub fn from_frames(kind: MediaKind) -> (Self, FrameWriter) {
        let track = Self::local(kind);
        let writer = FrameWriter::new(track.state.clone());
        (track, writer)
    }

    /// A local track that is written by packet, and what writes it: for media that was packetized elsewhere.
    pub fn from_packets(kind: MediaKind) -> (Self, PacketWriter) {
        let track = Self::local(kind);
        let writer = PacketWriter::new(track.state.clone());
        (track, writer)
    }
}

impl FrameWriter {
    fn new(track: Arc<TrackState>) -> Self {
        Self {
            track,
            cutter: Mutex::default(),
            told: Arc::default(),
        }
    }

    /// Names the rids of the track, in the order of the encodings of the senders that will have it. Without it rids have the order
    /// in which they are written first. Eight are the most.
    pub fn set_rids<'a>(&self, rids: impl IntoIterator<Item = &'a str>) {
        let mut lanes = self.lanes();
        lanes.rids = rids.into_iter().map(str::to_owned).collect();
        lanes.rids.truncate(LANES);
        self.name(&lanes);
    }

    /// The longest frame that may be written, in bytes; 4 MiB by default.
    pub fn set_largest_frame(&self, bytes: usize) {
        self.lanes().cutter.set_largest_frame(bytes);
    }

    /// Writes a frame. It waits while there are senders and none of them keeps up; a sender that alone is slow loses frames instead.
    /// Without a sender the frame is taken and goes nowhere, and a connection that has `failed`, is closed or has lost its runtime keeps
    /// nobody waiting. Cancel safe: a frame whose future was dropped while it waited was not written.
    ///
    /// # Errors
    ///
    /// `Type` when the frame is empty, [too long](Self::set_largest_frame), not of its codec, of a codec of another kind, or has more than eight rids
    /// before it; `InvalidState` when the track has ended.
    pub async fn write(&self, frame: EncodedFrame) -> Result<(), Error> {
        let mut waits = Vec::new();
        poll_fn(|cx| self.poll_ready(cx, &mut waits)).await;
        self.try_write(frame)
    }

    /// Writes a frame without waiting: senders that do not keep up lose it.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write) has them.
    pub fn try_write(&self, frame: EncodedFrame) -> Result<(), Error> {
        check(&self.track, frame.codec.kind())?;
        if !self.track.source.is_enabled() {
            return Ok(());
        }
        self.put(&frame)
    }

    /// Writes a black picture, or silence, in the place of what a disabled track has, as [`try_write`](Self::try_write) writes others. While
    /// the track is enabled it goes nowhere.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write) has them.
    pub fn write_blank(&self, frame: EncodedFrame) -> Result<(), Error> {
        check(&self.track, frame.codec.kind())?;
        if self.track.source.is_enabled() {
            return Ok(());
        }
        self.put(&frame)
    }

    fn put(&self, frame: &EncodedFrame) -> Result<(), Error> {
        let captured = frame.captured.unwrap_or_else(now);
        let mut lanes = self.lanes();
        let known = lanes.rids.len();
        let lane = lanes.lane(frame.rid.as_deref())?;
        if lanes.rids.len() != known {
            self.name(&lanes);
        }
        if frame.codec == Codec::H264 {
            let single = self.track.source.wants_single_units();
            lanes.cutter.set_single_unit(single);
        }
        let batch = lanes.cutter.cut_frame(captured, lane, frame)?;
        // Batches leave in the order in which they were numbered.
        self.track.source.deliver(&batch);
        Ok(())
    }

    fn poll_ready(&self, cx: &Context<'_>, waits: &mut Vec<Wait>) -> Poll<()> {
        if self.track.source.is_behind(cx, waits) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// The next wish of the senders: above all key frames, which a decoder at the other end waits for. `None` when the track was
    /// [stopped](MediaStreamTrack::stop): it belongs to no connection, so neither `failed` nor `close()` nor the end of a runtime ends
    /// it. Cancel safe: a hint is returned or stays.
    pub async fn next_hint(&self) -> Option<Hint> {
        wait(|waiter| poll_hint(&self.track, &self.told, waiter)).await
    }

    /// The wishes, as a stream that ends as [`next_hint`](Self::next_hint) does. Each is told once, here or there.
    pub fn hints(&self) -> Events<Hint> {
        hints(&self.track, &self.told)
    }

    /// A wish that there is already.
    pub fn try_hint(&self) -> Option<Hint> {
        match hint(&self.track, &self.told) {
            Poll::Ready(hint) => hint,
            Poll::Pending => None,
        }
    }

    fn name(&self, lanes: &Lanes) {
        if self.track.source.name(&lanes.rids) {
            self.track.source.tell_senders();
        }
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, Lanes> {
        self.cutter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn lane(&mut self, rid: Option<&str>) -> Result<u8, Error> {
        let Some(rid) = rid else { return Ok(0) };
        let known = self.rids.iter().position(|it| it == rid);
        let lane = known.unwrap_or_else(|| {
            self.rids.push(rid.to_owned());
            self.rids.len() - 1
        });
        match u8::try_from(lane) {
            Ok(lane) if lane < MOST_LANES => Ok(lane),
            _ => {
                self.rids.truncate(MOST_LANES.into());
                let message = format!("{rid} is one rid too many");
                Err(Error::new(ErrorKind::Type, message))
            }
        }
    }
}

impl PacketWriter {
    fn new(track: Arc<TrackState>) -> Self {
        Self {
            track,
            cutter: Mutex::default(),
            told: Arc::default(),
        }
    }

    /// Writes packets that belong together: best all of one frame. Senders give them numbers, timestamps and headers of their own;
    /// numbers that are left out stay a gap, up to 3,000 of them. All are of the lane of the first. Another [`stream`](RtpPacket::stream) goes on
    /// from its key frame.
    ///
    /// # Errors
    ///
    /// `Type` when one is no payload of its codec, or its codec is of another kind; `InvalidState` when the track has ended.
    pub fn write(&self, packets: &[RtpPacket]) -> Result<(), Error> {
        let Some(first) = packets.first() else {
            return Ok(());
        };
        check(&self.track, first.codec.kind())?;
        if !self.track.source.is_enabled() {
            return Ok(());
        }
        self.put(first, packets)
    }

    /// Writes packets of a black picture, or of silence, as [`FrameWriter::write_blank`] writes frames.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write) has them.
    pub fn write_blank(&self, packets: &[RtpPacket]) -> Result<(), Error> {
        let Some(first) = packets.first() else {
            return Ok(());
        };
        check(&self.track, first.codec.kind())?;
        if self.track.source.is_enabled() {
            return Ok(());
        }
        self.put(first, packets)
    }

    fn put(&self, first: &RtpPacket, packets: &[RtpPacket]) -> Result<(), Error> {
        let mut cutter = self.cutter.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = first.lane.min(MOST_LANES - 1);
        // One time for all, where one of them does not say its own.
        let of_all = packets.iter().find(|it| it.captured.is_none());
        let captured = of_all.unwrap_or(first).captured.unwrap_or_else(now);
        let batch = cutter.take_packets(captured, lane, packets)?;
        self.track.source.deliver(&batch);
        Ok(())
    }

    /// The next wish of the senders, as [`FrameWriter::next_hint`] has it: neither `failed` nor `close()` nor the end of a runtime ends
    /// it. Cancel safe: a hint is returned or stays.
    pub async fn next_hint(&self) -> Option<Hint> {
        wait(|waiter| poll_hint(&self.track, &self.told, waiter)).await
    }

    /// The wishes, as a stream that ends as [`next_hint`](Self::next_hint) does. Each is told once, here or there.
    pub fn hints(&self) -> Events<Hint> {
        hints(&self.track, &self.told)
    }

    /// A wish that there is already, as [`FrameWriter::try_hint`] has it.
    pub fn try_hint(&self) -> Option<Hint> {
        match hint(&self.track, &self.told) {
            Poll::Ready(hint) => hint,
            Poll::Pending => None,
        }
    }
}

fn check(track: &TrackState, kind: MediaKind) -> Result<(), Error> {
    if track.source.kind != kind {
        let message = format!("the track is one of {}", track.source.kind);
        return Err(Error::new(ErrorKind::Type, message));
    }
    if track.is_ended() {
        let message = "the track has ended";
        return Err(Error::new(ErrorKind::InvalidState, message));
    }
    Ok(())
}

fn poll_hint(
    track: &TrackState,
    told: &Mutex<Told>,
    waiter: &mut Waiter<'_>,
) -> Poll<Option<Hint>> {
    let there = hint(track, told);
    if there.is_ready() {
        return there;
    }
    track.source.register(waiter);
    // A wish may have come before this waited for it.
    hint(track, told)
}

fn hints(track: &Arc<TrackState>, told: &Arc<Mutex<Told>>) -> Events<Hint> {
    let (track, told) = (track.clone(), told.clone());
    Events::new(move |waiter| poll_hint(&track, &told, waiter))
}

/// The wish that is to be told next. Pending when there is none.
fn hint(track: &TrackState, told: &Mutex<Told>) -> Poll<Option<Hint>> {
    let rids = track.source.rids();
    let lanes = track.source.take_keyframes();
    if lanes == 0 {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        return match told.next(track, &rids) {
            Some(hint) => Poll::Ready(Some(hint)),
            None if track.is_ended() => Poll::Ready(None),
            None => Poll::Pending,
        };
    }
    let mut wanted = rids.iter().enumerate().filter(|it| lanes >> it.0 & 1 == 1);
    let rid = match (wanted.next(), wanted.next()) {
        // All of them: one wish says so.
        (Some(_), Some(_)) if lanes == u64::MAX => None,
        (Some((at, rid)), Some(_)) => {
            // The others are told next.
            let rest = lanes & !(1 << at);
            (0..64)
                .filter(|lane| rest >> lane & 1 == 1)
                .for_each(|lane| track.source.want_keyframe(Some(lane)));
            Some(rid.clone())
        }
        (one, _) => one.map(|it| it.1.clone()),
    };
    Poll::Ready(Some(Hint::Keyframe { rid }))
}

impl Told {
    /// What has changed since it was told.
    fn next(&mut self, track: &TrackState, rids: &[String]) -> Option<Hint> {
        let enabled = track.source.is_enabled();
        if std::mem::replace(&mut self.enabled, enabled) != enabled {
            return Some(Hint::Enabled(enabled));
        }
        let rid = |lane: usize| rids.get(lane).cloned();
        for (lane, told) in self.bits.iter_mut().enumerate() {
            let bits = track.source.allows(lane);
            if std::mem::replace(told, bits) != bits {
                let rid = rid(lane);
                return Some(Hint::Bitrate { rid, bits });
            }
        }
        for (lane, told) in self.wanted.iter_mut().enumerate() {
            let wanted = track.source.wants(lane);
            if std::mem::replace(told, wanted) != wanted {
                return Some(Hint::Encoding {
                    rid: rid(lane),
                    active: wanted.active,
                    max_framerate: wanted.framerate,
                    scale_resolution_down_by: wanted.scale,
                    scale_resolution_down_to: wanted.size,
                    degradation_preference: wanted.degradation,
                });
            }
        }
        None
    }
}

impl Default for Told {
    fn default() -> Self {
        Self {
            bits: [None; LANES],
            wanted: [Wanted::default(); LANES],
            enabled: true,
        }
    }
}

fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a track has no connection whose clock it could ask when something is written"
    )]
    Instant::now()
}

impl fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameWriter")
            .field("track", &self.track.id())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PacketWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketWriter")
            .field("track", &self.track.id())
            .finish_non_exhaustive()
    }
}

const MOST_LANES: u8 = LANES as u8;
