#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod account;
mod association;
mod blocks;
mod config;
mod connect;
mod control;
mod cookie;
#[cfg(test)]
mod cost;
mod data;
mod effort;
mod ending;
mod error;
mod event;
mod heartbeat;
mod message;
pub mod packet;
mod reset;
mod room;
mod rx;
mod serial;
mod setup;
mod shutdown;
mod snap;
mod stats;
mod streams;
mod tcb;
mod timer;
mod transmit;
mod tx;

pub use association::{Association, State};
pub use config::{Config, CongestionControl};
pub use error::Error;
pub use event::{Event, Failure, Initiator};
pub use message::{Message, Reliability, SendOptions};
pub use room::Room;
pub use serial::{Mid, Ssn, Tsn};
pub use stats::Stats;

/// A stream's number within one direction, 0 to 65534 (RFC 8831 §6.5 forbids 65535).
pub type StreamId = u16;
