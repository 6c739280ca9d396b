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
