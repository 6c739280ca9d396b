//! Error causes (RFC 9260 §3.3.10).

use super::{Parameter, ParameterKind, Parameters};

/// Why something was refused, in an ERROR or ABORT.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |          Cause Code           |         Cause Length          |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \                  Cause-Specific Information                   /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause<'a> {
    /// What it is.
    pub code: CauseCode,
    /// What belongs to it.
    pub information: &'a [u8],
}

/// Error causes one after another; it ends at the first whose length cannot be right.
#[derive(Clone, Debug)]
pub struct Causes<'a>(Parameters<'a>);

/// The code of an error cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CauseCode(pub u16);

impl Cause<'_> {
    /// Appends the cause; it has the shape of a parameter.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let (kind, value) = (ParameterKind(self.code.0), self.information);
        Parameter { kind, value }.write(buf);
    }
}

impl<'a> Causes<'a> {
    /// The causes in the value of an ERROR or ABORT chunk.
    pub fn parse(bytes: &'a [u8]) -> Self {
        Self(Parameters::parse(bytes))
    }
}

impl<'a> Iterator for Causes<'a> {
    type Item = Cause<'a>;

    fn next(&mut self) -> Option<Cause<'a>> {
        let Parameter { kind, value } = self.0.next()?;
        Some(Cause {
            code: CauseCode(kind.0),
            information: value,
        })
    }
}

impl CauseCode {
    /// Invalid Stream Identifier.
    pub const INVALID_STREAM: Self = Self(1);
    /// Missing Mandatory Parameter.
    pub const MISSING_PARAMETER: Self = Self(2);
    /// Stale Cookie.
    pub const STALE_COOKIE: Self = Self(3);
    /// Out of Resource.
    pub const OUT_OF_RESOURCE: Self = Self(4);
    /// Unresolvable Address.
    pub const UNRESOLVABLE_ADDRESS: Self = Self(5);
    /// Unrecognized Chunk Type.
    pub const UNRECOGNIZED_CHUNK: Self = Self(6);
    /// Invalid Mandatory Parameter.
    pub const INVALID_MANDATORY_PARAMETER: Self = Self(7);
    /// Unrecognized Parameters.
    pub const UNRECOGNIZED_PARAMETERS: Self = Self(8);
    /// No User Data.
    pub const NO_USER_DATA: Self = Self(9);
    /// Cookie Received While Shutting Down.
    pub const COOKIE_WHILE_SHUTTING_DOWN: Self = Self(10);
    /// Restart of an Association with New Addresses.
    pub const RESTART_WITH_NEW_ADDRESSES: Self = Self(11);
    /// User-Initiated Abort.
    pub const USER_INITIATED_ABORT: Self = Self(12);
    /// Protocol Violation.
    pub const PROTOCOL_VIOLATION: Self = Self(13);
}
