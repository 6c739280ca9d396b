//! ABORT (RFC 9260 §3.3.7).

use super::{Causes, Chunk};

/// The end of an association, at once.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |   Type = 6    |  Reserved   |T|            Length             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \                   zero or more Error Causes                   /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Debug)]
pub struct Abort<'a> {
    /// T: the packet carries the tag of its receiver, as the sender knew no other. SHUTDOWN COMPLETE has the same flag.
    pub reflected: bool,
    /// Why.
    pub causes: Causes<'a>,
}

impl<'a> Abort<'a> {
    /// T.
    pub const REFLECTED: u8 = 1;

    /// Looks at an ABORT chunk.
    pub fn parse(chunk: Chunk<'a>) -> Self {
        Self {
            reflected: chunk.flags & Self::REFLECTED != 0,
            causes: Causes::parse(chunk.value),
        }
    }
}
