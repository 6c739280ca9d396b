#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod channel;
mod config;
mod end;
mod error;
mod event;
pub mod message;
mod parameters;
mod payload;
mod session;
mod stream;

pub use channel::{Channel, ChannelId, ChannelStats, State};
pub use config::Config;
pub use end::{Failure, Initiator};
pub use error::Error;
pub use event::Event;
pub use parameters::{Parameters, Priority, Reliability};
pub use payload::{Payload, Unusable, decode, encode, ppid};
pub use session::{Disposition, Outgoing, Role, Sending, Session, Stats};
