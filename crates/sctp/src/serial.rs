//! Serial numbers that wrap (RFC 1982): transmission and stream sequence numbers.

use std::cmp::Ordering;

/// A Transmission Sequence Number (RFC 9260 §1.6); its order wraps at 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tsn(pub u32);

/// A Stream Sequence Number (RFC 9260 §1.6); its order wraps at 2^16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ssn(pub u16);

impl Tsn {
    /// The number after this one.
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// The number before this one.
    pub fn previous(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }

    /// The number `count` further on.
    pub fn advanced(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// How far this number stands after `earlier`, wrapping.
    pub fn distance(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

impl Ssn {
    /// The number after this one.
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
    }
}
