//! Payload formats: frames cut into payloads, and payloads joined into frames.
//!
//! [`Packetizer`] cuts a frame of an encoder. [`Codec::peek`] tells from one payload what a receiver or forwarder needs
//! to know, and [`Codec::join`] makes a frame of payloads that follow each other without a gap.

mod audio;
pub mod av1;
mod codec;
mod formats;
pub mod h264;
pub mod h265;
mod nal;
pub mod opus;
mod packetizer;
mod piece;
pub mod telephone;
pub mod vp8;
pub mod vp9;

pub use self::{
    codec::Codec,
    packetizer::{Layering, Packetizer},
    piece::{Facts, MOST_FRAME, Piece, Prefix, Refused},
};

#[cfg(test)]
mod tests;
