//! Extensions about loudness.

/// How loud audio is (RFC 6464).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioLevel {
    /// From 0, as loud as it gets, to 127, silence: in -dBov.
    pub level: u8,
    /// True if the sender thinks that it is voice.
    pub voice: bool,
}

impl AudioLevel {
    /// Reads the value; of the form with two bytes only the first counts (RFC 6464 §3).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let byte = value.first()?;
        Some(Self {
            level: byte & 0x7f,
            voice: byte & 0x80 != 0,
        })
    }

    /// From 0, silence, to 1, which is 0 dBov.
    #[must_use]
    pub fn linear(self) -> f64 {
        match self.level {
            127.. => 0.0,
            level => 10_f64.powf(-f64::from(level) / 20.0),
        }
    }

    /// The value.
    pub const fn to_byte(self) -> u8 {
        let level = if self.level > 127 { 127 } else { self.level };
        level | (self.voice as u8) << 7
    }
}

/// The levels of the contributing sources, in their order (RFC 6465 §3).
pub fn mixed_levels(value: &[u8]) -> impl Iterator<Item = u8> + '_ {
    value.iter().map(|level| level & 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_come_back() {
        for byte in 0..=255 {
            assert_eq!(AudioLevel::parse(&[byte]).unwrap().to_byte(), byte);
        }
        assert_eq!(AudioLevel::parse(&[]), None);
        assert!(mixed_levels(&[0x85, 3]).eq([5, 3]));
    }
}
