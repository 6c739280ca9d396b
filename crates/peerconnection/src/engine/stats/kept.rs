//! What is kept for statistics of a closed connection.

use crate::{engine::ids::TransceiverId, stats::StatsObject};

/// What statistics show of a closed connection.
#[derive(Default)]
pub(in crate::engine) struct Kept {
    pub(super) objects: Vec<StatsObject>,
    pub(super) sent: Vec<(TransceiverId, String)>,
    pub(super) received: Vec<(TransceiverId, String)>,
}
