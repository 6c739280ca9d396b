//! Serial numbers that wrap (RFC 1982): transmission and stream sequence numbers.

use std::cmp::Ordering;

/// A Transmission Sequence Number (RFC 9260 §1.6); its order wraps at 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tsn(pub u32);

/// A Stream Sequence Number (RFC 9260 §1.6); its order wraps at 2^16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ssn(pub u16);

/// A TSN that does not wrap: its low 32 bits are what stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seq(pub(crate) u64);

impl Seq {
    /// Where an association begins.
    pub(crate) fn first(initial: Tsn) -> Self {
        Self(1 << 32 | u64::from(initial.0))
    }

    /// The number on the wire.
    pub(crate) fn tsn(self) -> Tsn {
        Tsn(self.0 as u32)
    }

    /// The number with this TSN that is nearest to this one.
    pub(crate) fn near(self, tsn: Tsn) -> Self {
        let ahead = tsn.distance(self.tsn()) as i32;
        Self(self.0.wrapping_add_signed(i64::from(ahead)))
    }

    pub(crate) fn next(self) -> Self {
        self.plus(1)
    }

    pub(crate) fn previous(self) -> Self {
        Self(self.0 - 1)
    }

    pub(crate) fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }

    /// How far this number stands after `earlier`; 0 if it does not.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Tsn {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// The number before this one.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }

    /// The number `count` further on.
    #[must_use]
    pub fn advanced(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// How far this number stands after `earlier`, wrapping.
    pub fn distance(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

/// A Message Identifier (RFC 8260 §2.1); its order wraps at 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mid(pub u32);

impl Ssn {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl PartialOrd for Tsn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some((self.0.wrapping_sub(other.0) as i32).cmp(&0))
    }
}

impl PartialOrd for Ssn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some((self.0.wrapping_sub(other.0) as i16).cmp(&0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_wraps() {
        assert!(Tsn(u32::MAX) < Tsn(0) && Tsn(0) > Tsn(u32::MAX));
        assert!(Tsn(5) < Tsn(6) && Tsn(6) >= Tsn(6));
        assert!(Ssn(u16::MAX) < Ssn(3) && Ssn(3) > Ssn(u16::MAX));
        assert_eq!(Tsn(2).distance(Tsn(u32::MAX)), 3);
        assert_eq!(Tsn(u32::MAX).next(), Tsn(0));
        assert_eq!(Tsn(0).previous(), Tsn(u32::MAX));
        assert_eq!(Tsn(u32::MAX).advanced(3), Tsn(2));
        assert_eq!(Ssn(u16::MAX).next(), Ssn(0));
        let seq = Seq::first(Tsn(u32::MAX));
        assert_eq!(seq.near(Tsn(1)), seq.plus(2));
        assert_eq!(seq.near(Tsn(u32::MAX - 1)), seq.previous());
        assert_eq!(seq.next().tsn(), Tsn(0));
    }
}
