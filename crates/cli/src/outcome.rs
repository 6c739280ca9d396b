//! What a command tells the shell.

use std::fmt::Display;
use std::io::Write as _;

/// How a command ended, other than by an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What was asked for is done.
    Done,
    /// Ctrl-C came before.
    Interrupted,
}

/// Writes a line to standard output. Where nobody reads it any more, that is no reason to end badly.
pub(crate) fn say(line: impl Display) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        log::debug!("standard output is closed: {error}");
    }
}
