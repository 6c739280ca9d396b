//! Reading a track.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{
    frames::FrameQueue,
    packets::PacketQueue,
    source::{Sink, Source},
};
use crate::{
    EncodedFrame, RtpPacket,
    api::waiters::{Wait, wait},
};

/// Frames of a remote track.
///
/// One that is slow loses whole frames up to the next key frame, which is asked for; the next frame says how many were missing. It
/// is also a [`Stream`].
pub struct FrameReader {
    queue: Arc<FrameQueue>,
    source: Arc<Source>,
    wait: Wait,
}

/// Packets of a track.
///
/// One that is slow loses what waits, counted. It is also a [`Stream`].
pub struct PacketReader {
    queue: Arc<PacketQueue>,
    /// Kept for the source, which takes a reader without it for gone.
    _sink: Arc<Sink>,
    source: Arc<Source>,
    wait: Wait,
}

impl FrameReader {
    pub(super) fn new(queue: Arc<FrameQueue>, source: Arc<Source>) -> Self {
        Self {
            queue,
            source,
            wait: Wait::default(),
        }
    }

    /// The next frame; `None` when the track has ended, also by `close()` of its connection or with its runtime, and all frames were
    /// read. `failed` does not end it. Cancel safe: a frame is returned or stays.
    pub async fn next(&mut self) -> Option<EncodedFrame> {
        wait(|waiter| self.queue.poll(waiter)).await
    }

    /// Asks for a key frame: the next frame that is needed after something went wrong behind this reader.
    pub fn request_keyframe(&self) {
        self.source.want_keyframe(None);
    }
}

impl PacketReader {
    pub(super) fn new(queue: Arc<PacketQueue>, sink: Arc<Sink>, source: Arc<Source>) -> Self {
        Self {
            queue,
            _sink: sink,
            source,
            wait: Wait::default(),
        }
    }

    /// The next packet, in the order of arrival; `None` when the track has ended, also by `close()` of its connection or with its
    /// runtime, and all were read. `failed` does not end it. Cancel safe: a packet is returned or stays.
    pub async fn next(&mut self) -> Option<RtpPacket> {
        wait(|waiter| self.queue.poll(waiter)).await
    }

    /// How many packets were left out, as the reader did not keep up.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// Asks for a key frame.
    pub fn request_keyframe(&self) {
        self.source.want_keyframe(None);
    }
}

/// With the last reader the work for readers ends.
impl Drop for FrameReader {
    fn drop(&mut self) {
        self.source.tell_upstream();
    }
}

impl Stream for FrameReader {
    type Item = EncodedFrame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<EncodedFrame>> {
        let Self { queue, wait, .. } = &mut *self;
        wait.poll(cx, |waiter| queue.poll(waiter))
    }
}

impl Stream for PacketReader {
    type Item = RtpPacket;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<RtpPacket>> {
        let Self { queue, wait, .. } = &mut *self;
        wait.poll(cx, |waiter| queue.poll(waiter))
    }
}

impl fmt::Debug for FrameReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameReader").finish_non_exhaustive()
    }
}

impl fmt::Debug for PacketReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketReader")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}
