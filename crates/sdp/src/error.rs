//! Why a text is not a session description.

use std::fmt;

/// A text that is not a session description: the first line at fault, and why.
///
/// `line` is what the W3C API shows as `sdpLineNumber`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ParseError {
    /// The line at fault; the first line of the text is 1.
    pub line: u32,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The text is longer than [`Session::MAX_LENGTH`](crate::Session::MAX_LENGTH) bytes.
    TooLong,
    /// The line is not a letter, `=` and a value.
    NotALine,
    /// A NUL, or a carriage return that does not end a line.
    ControlCharacter,
    /// A line of this type must stand here, or must exist before the first `m=`.
    Missing(char),
    /// A line of this type may not stand here.
    Misplaced(char),
    /// `v=` is not 0.
    Version,
    /// `o=` does not have its six fields.
    Origin,
    /// `t=` is not two numbers.
    Timing,
    /// `c=` is not network type, address type and address.
    Connection,
    /// `b=` is not a type and a number.
    Bandwidth,
    /// `m=` is not media, port, protocol and at least one format.
    Media,
    /// The name of an attribute is not a token.
    AttributeName,
    /// The value of this attribute does not follow its grammar.
    Attribute(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the description is too long"),
            Self::NotALine => f.write_str("not a letter, '=' and a value"),
            Self::ControlCharacter => f.write_str("a control character inside a line"),
            Self::Missing(kind) => write!(f, "'{kind}=' expected"),
            Self::Misplaced(kind) => write!(f, "'{kind}=' may not stand here"),
            Self::Version => f.write_str("the version is not 0"),
            Self::Origin => f.write_str("malformed 'o='"),
            Self::Timing => f.write_str("malformed 't='"),
            Self::Connection => f.write_str("malformed 'c='"),
            Self::Bandwidth => f.write_str("malformed 'b='"),
            Self::Media => f.write_str("malformed 'm='"),
            Self::AttributeName => f.write_str("malformed attribute name"),
            Self::Attribute(name) => write!(f, "malformed value of 'a={name}'"),
        }
    }
}
