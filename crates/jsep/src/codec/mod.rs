//! Codecs: what they are called, which are the same, which serve which, and which numbers they have.

mod agree;
mod associate;
mod fixed;
mod fmtp;
mod format;
mod matching;
mod types;

pub use {
    associate::{Codecs, Red},
    format::{Codec, Format},
    matching::Levels,
    types::PayloadTypes,
};

pub(crate) use format::FormatLines;

#[cfg(test)]
mod tests;
