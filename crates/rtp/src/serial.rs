//! Sequence numbers that wrap, made into numbers that do not.

/// Extends numbers of 16 bits: each is taken as the one nearest to the highest so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unwrapper {
    highest: Option<u64>,
}

impl Unwrapper {
    /// The extended number. The first lies above 2^16, so that those before it can be told. Moves nothing.
    pub fn peek(&self, number: u16) -> u64 {
        let Some(highest) = self.highest else {
            return FIRST + u64::from(number);
        };
        let ahead = number.wrapping_sub(highest as u16) as i16;
        highest.saturating_add_signed(i64::from(ahead))
    }

    /// The extended number, which is then the highest if it is higher.
    pub fn unwrap(&mut self, number: u16) -> u64 {
        let extended = self.peek(number);
        self.highest = self.highest.max(Some(extended));
        extended
    }

    /// Goes on from this extended number, whatever there was.
    pub(crate) fn set(&mut self, extended: u64) {
        self.highest = Some(extended);
    }

    /// The highest so far.
    pub const fn highest(&self) -> Option<u64> {
        self.highest
    }
}

/// True if `a` comes after `b` among numbers of 32 bits that wrap: timestamps.
pub const fn is_after(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

const FIRST: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// Known failure 42.
    #[test]
    fn follows_over_the_wrap() {
        let mut numbers = Unwrapper::default();
        assert_eq!(numbers.unwrap(65_534), FIRST + 65_534);
        assert_eq!(numbers.unwrap(1), 2 * FIRST + 1);
        assert_eq!(numbers.unwrap(65_535), FIRST + 65_535);
        assert_eq!(numbers.highest(), Some(2 * FIRST + 1));
        let mut numbers = Unwrapper::default();
        assert_eq!(numbers.unwrap(2), FIRST + 2);
        assert_eq!(numbers.unwrap(65_535), FIRST - 1, "before the first");
        assert!(is_after(1, u32::MAX) && !is_after(u32::MAX, 1) && !is_after(3, 3));
    }
}
