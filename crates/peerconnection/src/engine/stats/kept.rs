//! What is kept for statistics of a closed connection.

use std::time::Instant;

use super::transports::Known;
use crate::{engine::ids::TransceiverId, stats::StatsObject};

/// What statistics show of a closed connection.
#[derive(Default)]
pub(in crate::engine) struct Kept {
    /// When it closed.
    pub(super) at: Option<Instant>,
    pub(super) transports: Vec<Known>,
    /// Of media.
    pub(super) objects: Vec<StatsObject>,
    pub(super) sent: Vec<(TransceiverId, String)>,
    pub(super) received: Vec<(TransceiverId, String)>,
}
