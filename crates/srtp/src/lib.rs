#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod cipher;
mod config;
mod context;
mod cryptex;
mod derive;
mod encrypted;
mod error;
mod header;
mod index;
mod profile;
mod stats;
mod stream;

pub use config::Config;
pub use context::Context;
pub use error::Error;
pub use profile::{Profile, Role};
pub use stats::{Counters, Stats};
