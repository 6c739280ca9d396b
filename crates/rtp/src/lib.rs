#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod batch;
mod breaker;
mod config;
mod described;
mod error;
mod event;
pub mod extension;
pub mod fec;
mod feedback;
pub mod ntp;
mod packet;
pub mod payload;
mod reader;
mod receive;
mod recent;
pub mod red;
pub mod rtcp;
mod section;
mod send;
mod serial;
mod session;
mod stats;
mod writer;

pub use batch::{Arena, Batch, Lane, Packet};
pub use breaker::CircuitBreak;
pub use config::Config;
pub use described::{Described, described};
pub use error::Malformed;
pub use event::Event;
pub use extension::Form;
pub use feedback::{Acked, Feedback};
pub use ntp::Ntp;
pub use packet::{Head as RtpHead, Rtp, Writer, pad};
pub use receive::{Captured, Frame, Source};
pub use recent::Recent;
pub use section::{
    Announced, Carries, Choice, Encoding, Feedbacks, Format, Protection, Section, SectionId,
};
pub use send::Class;
pub use serial::{Unwrapper, is_after};
pub use session::{Delivery, Head, Session, Written};
pub use stats::{ReceiveStats, SendStats, SessionStats};
