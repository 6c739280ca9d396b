//! Media: tracks, streams, and what sends and receives them.
//!
//! One shape for all: a track has a source, a source has sinks, and what came in one go is one batch that all sinks share. Batches
//! go down through bounded inboxes, wishes go up through atomics: no two connections are ever locked at once, and nobody waits for
//! anybody.

mod dtmf;
mod frames;
mod id;
mod inbox;
mod links;
mod local;
mod packets;
mod readers;
mod receiver;
mod sender;
mod source;
mod stream;
mod track;
mod transceiver;
mod verbs;
mod wanted;

pub use dtmf::DtmfSender;
pub use local::{FrameWriter, Hint, PacketWriter};
pub use readers::{FrameReader, PacketReader};
pub use receiver::RtpReceiver;
pub use sender::RtpSender;
pub use stream::{MediaStream, StreamEvent};
pub use track::{MediaStreamTrack, TrackEvent, TrackReadyState};
pub use transceiver::{RtpTransceiver, RtpTransceiverInit, TrackOrKind};

pub(super) use inbox::Inbox;
pub(super) use links::{Links, Outbound};

/// What a key frame of VP8 of so many bytes is cut into, for tests.
#[cfg(test)]
fn batch(cutter: &mut crate::engine::Cutter, len: usize) -> crate::engine::MediaBatch {
    let mut payload = vec![7; len];
    payload[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
    let frame = crate::EncodedFrame::new(crate::Codec::Vp8, payload);
    cutter.cut_frame(oxirtc_netsim::epoch(), 0, &frame).unwrap()
}
