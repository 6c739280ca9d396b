//! What a connection is called in the log.

use std::fmt;

/// A short name of one connection, in front of each line of the log that is about it: `pc-3f2a`. Random, so that two connections
/// of a process rarely have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label(pub(crate) [u8; 2]);

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.0;
        write!(f, "pc-{first:02x}{second:02x}")
    }
}
