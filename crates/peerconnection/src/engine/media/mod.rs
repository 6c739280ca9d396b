//! Media: the RTP of transports, and the transceivers on them.

mod ascend;
mod batch;
mod dtmf;
mod extensions;
mod gate;
mod keys;
mod parameters;
mod path;
mod reports;
mod rtcp;
mod scalability;
mod shares;
mod supplied;
#[cfg(test)]
mod tests;
mod tones;
mod transceivers;
mod verbs;
mod view;

pub use batch::MediaBatch;
pub use verbs::TransceiverInit;
pub use view::TransceiverView;

pub(super) use path::MediaPath;
#[cfg(test)]
pub(super) use shares::Shares;
pub(super) use shares::Turn;
pub(super) use transceivers::{Media, MediaTransceiver, Sender, Told};
