//! What a negotiator asks of its caller, who has the generator.

use crate::Credentials;

/// A source of numbers and names that nobody can guess.
///
/// A negotiator makes none itself: what it is given decides what it writes, so that an exchange can be
/// replayed.
pub trait Source {
    /// New ICE credentials (RFC 8839 §5.4).
    fn credentials(&mut self) -> Credentials;

    /// A synchronization source of RTP (RFC 3550 §8). One that is in use already is asked for again.
    fn ssrc(&mut self) -> u32;
}
