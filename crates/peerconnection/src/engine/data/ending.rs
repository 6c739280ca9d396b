//! What is left of an association that is over, or was restarted.

use super::backlog::Backlog;
use crate::Error;

/// What is left to be done about an association that has ended, or that the peer has restarted.
pub(super) struct Ending {
    pub(super) error: Option<Error>,
    /// What is on the streams is of another life.
    pub(super) restarted: bool,
    /// It is over: then it leaves, or goes when nobody can be told.
    pub(super) over: Option<Leaves>,
    /// The peer has said so, and the application is told at last.
    pub(super) by_peer: bool,
    pub(super) backlogs: Vec<Backlog>,
}

/// What becomes of the association.
#[derive(PartialEq)]
pub(super) enum Leaves {
    Telling,
    Silently,
}
