#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod annexb;
mod error;
mod frame;
mod input;
mod ivf;
mod nal;
mod ogg;
mod opus;
mod reader;

pub use annexb::{AnnexBReader, AnnexBWriter};
pub use error::Error;
pub use frame::{Codec, Frame};
pub use ivf::{IvfReader, IvfWriter};
pub use ogg::{OggReader, OggWriter};
pub use opus::duration as opus_duration;
pub use reader::Reader;

/// A test pattern for players: VP8, 320×180, 15 pictures a second for six seconds, a key frame every three.
pub const PATTERN: &[u8] = include_bytes!("../media/pattern.ivf");

/// A tone of 440 Hz for players: Opus, one channel, six seconds.
pub const TONE: &[u8] = include_bytes!("../media/tone.ogg");
