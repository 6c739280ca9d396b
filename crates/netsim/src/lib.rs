#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod link;
mod loss;
mod nat;
mod network;
mod pcap;
mod seed;
mod time;

pub use link::{Duplex, Link, LinkStats};
pub use loss::{Loss, Probability, percent};
pub use nat::{Nat, NatKind};
pub use network::{Delivery, NatId, Network, NetworkStats, NodeId};
pub use seed::for_each_seed;
pub use time::{Cause, Stalled, earliest, epoch, kbps, mbps, ms, run, secs};
