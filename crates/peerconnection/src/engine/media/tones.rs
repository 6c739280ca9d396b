//! The tones that a sender has still to play.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// What is still to be played.
#[derive(Debug, Default)]
pub(in crate::engine) struct Dtmf {
    pub(super) buffer: VecDeque<char>,
    pub(super) duration: Duration,
    pub(super) gap: Duration,
    /// When the next tone begins, or the end is told: W3C's one playout task.
    pub(super) next: Option<Instant>,
}
