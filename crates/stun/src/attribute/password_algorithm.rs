//! PASSWORD-ALGORITHM and the list PASSWORD-ALGORITHMS.

use std::fmt;

use crate::wire;

/// A digest for long-term keys (RFC 8489 §18.5), as PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS carry it.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |          Algorithm            |  Algorithm Parameters Length  |
/// |                    Algorithm Parameters (variable)            |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PasswordAlgorithm<'a> {
    /// Its number.
    pub algorithm: u16,
    /// Its parameters without padding; empty for MD5 and SHA-256.
    pub parameters: &'a [u8],
}

/// The algorithms that a server offers, in its order of preference (RFC 8489 §14.11).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PasswordAlgorithms<'a>(&'a [u8]);

impl PasswordAlgorithm<'static> {
    /// The digest that RFC 5389 had alone.
    pub const MD5: Self = Self {
        algorithm: Self::MD5_NUMBER,
        parameters: &[],
    };
    /// SHA-256.
    pub const SHA256: Self = Self {
        algorithm: Self::SHA256_NUMBER,
        parameters: &[],
    };

    pub(crate) const MD5_NUMBER: u16 = 1;
    pub(crate) const SHA256_NUMBER: u16 = 2;
}

impl<'a> PasswordAlgorithm<'a> {
    /// The one that is the whole value.
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let (algorithm, rest) = Self::split(value)?;
        rest.is_empty().then_some(algorithm)
    }

    fn split(value: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&[kind_high, kind_low, length_high, length_low], rest) = value.split_first_chunk()?;
        let length = usize::from(wire::read_u16([length_high, length_low]));
        let parameters = rest.get(..length)?;
        // The padding of the last one may be left to that of the attribute.
        let rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((
            Self {
                algorithm: wire::read_u16([kind_high, kind_low]),
                parameters,
            },
            rest,
        ))
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) -> Option<()> {
        let length = u16::try_from(self.parameters.len()).ok()?;
        wire::put_u16(out, self.algorithm);
        wire::put_u16(out, length);
        out.extend_from_slice(self.parameters);
        let padding = self.parameters.len().next_multiple_of(4) - self.parameters.len();
        out.extend(std::iter::repeat_n(0, padding));
        Some(())
    }
}

impl<'a> PasswordAlgorithms<'a> {
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let mut rest = value;
        while !rest.is_empty() {
            rest = PasswordAlgorithm::split(rest)?.1;
        }
        Some(Self(value))
    }

    pub(super) const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The algorithms in the server's order.
    pub fn iter(&self) -> impl Iterator<Item = PasswordAlgorithm<'a>> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (algorithm, behind) = PasswordAlgorithm::split(rest)?;
            rest = behind;
            Some(algorithm)
        })
    }
}

impl fmt::Debug for PasswordAlgorithms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
