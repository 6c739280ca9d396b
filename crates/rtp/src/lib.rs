#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod error;
pub mod extension;
pub mod ntp;
mod packet;
mod reader;
pub mod rtcp;
mod serial;

pub use error::Malformed;
pub use ntp::Ntp;
pub use packet::{Form, Head, Rtp, Writer, pad};
pub use serial::{Unwrapper, is_after};
