//! What a check found, and where.

use std::fmt::{self, Display, Formatter};

use crate::sources::Source;

/// Something that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// The check, by its name.
    pub(super) check: &'static str,
    /// The file, from the root.
    pub(super) path: String,
    /// The line, from 1; none when it is about the whole file.
    pub(super) line: Option<usize>,
    pub(super) what: String,
}

impl Finding {
    pub(super) fn at(
        check: &'static str,
        source: &Source,
        line: usize,
        what: impl Into<String>,
    ) -> Self {
        Self {
            line: Some(line),
            ..Self::of(check, &source.path, what)
        }
    }

    pub(super) fn of(check: &'static str, path: &str, what: impl Into<String>) -> Self {
        Self {
            check,
            path: path.to_owned(),
            line: None,
            what: what.into(),
        }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.what)
    }
}
