#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod hostile;
mod link;
mod loss;
mod machine;
mod nat;
mod network;
mod on_path;
mod pair;
mod pcap;
#[cfg(feature = "proptest")]
mod property;
mod seed;
mod story;
mod time;
mod wire;

pub use hostile::{Hostile, Step};
pub use link::{Duplex, Link, LinkStats};
pub use loss::{Loss, Probability, percent};
pub use machine::{End, Machine};
pub use nat::{Nat, NatId, NatKind};
pub use network::{Delivery, Network, NetworkStats, NodeId};
pub use on_path::{OnPath, Replace};
pub use pair::{Pair, ROOM, Sent, Tap};
#[cfg(feature = "proptest")]
pub use property::cases;
pub use seed::{for_each_seed, for_each_seed_at_once};
pub use time::{Cause, Stalled, earliest, epoch, kbps, mbps, ms, run, secs};
pub use wire::{Across, Answers, Wire};
