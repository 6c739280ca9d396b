//! Packet indices: guessed, checked, and marked once authentic.

/// The highest index of one SSRC and which of those before it were used. The same serves both ways: what was received
/// once is not received again, and what was protected once is not protected again.
#[derive(Clone, Debug)]
pub(crate) struct Indices {
    /// `None` before the first.
    highest: Option<u64>,
    /// A ring of bits, by index.
    window: Box<[u64]>,
}

impl Indices {
    /// `window` is a multiple of 64.
    pub(crate) fn new(window: usize) -> Self {
        Self {
            highest: None,
            window: vec![0; window / 64].into(),
        }
    }

    /// The index that this sequence number most probably stands for (RFC 3711 App. A). Changes nothing.
    pub(crate) fn guess(&self, sequence: u16) -> u64 {
        guess(self.highest, sequence)
    }

    /// As it is when nothing is known but the highest index: no other is taken before one that is higher.
    pub(crate) fn beyond(highest: Option<u64>, window: usize) -> Self {
        let used = u64::MAX * u64::from(highest.is_some());
        Self {
            highest,
            window: vec![used; window / 64].into(),
        }
    }

    /// The highest index so far.
    pub(crate) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// False if the index was used, or is too old to tell. Changes nothing.
    pub(crate) fn is_fresh(&self, index: u64) -> bool {
        match self.highest {
            Some(highest) if index <= highest => highest - index < self.len() && !self.bit(index),
            _ => true,
        }
    }

    /// Notes that a fresh index was used.
    pub(crate) fn mark(&mut self, index: u64) {
        let highest = *self.highest.get_or_insert(index);
        if index > highest {
            if index - highest >= self.len() {
                self.window.fill(0);
            } else {
                (highest + 1..=index).for_each(|between| self.set(between, false));
            }
            self.highest = Some(index);
        }
        self.set(index, true);
    }

    fn len(&self) -> u64 {
        self.window.len() as u64 * 64
    }

    fn bit(&self, index: u64) -> bool {
        let word = (index / 64 % self.window.len() as u64) as usize;
        self.window
            .get(word)
            .is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn set(&mut self, index: u64, used: bool) {
        let word = (index / 64 % self.window.len() as u64) as usize;
        if let Some(word) = self.window.get_mut(word) {
            *word = *word & !(1 << (index % 64)) | u64::from(used) << (index % 64);
        }
    }
}

/// [`Indices::guess`] for an SSRC that may be new.
pub(crate) fn guess(highest: Option<u64>, sequence: u16) -> u64 {
    let sequence = u64::from(sequence);
    // RFC 3711 §3.3.1: the roll-over counter of a stream begins at zero.
    let Some(highest) = highest else {
        return sequence;
    };
    let (rollovers, last) = (highest >> 16, highest & 0xffff);
    let rollovers = if last < HALF {
        if sequence > last + HALF {
            // There is none before the first roll-over; authentication decides.
            rollovers.saturating_sub(1)
        } else {
            rollovers
        }
    } else if last - HALF > sequence {
        rollovers + 1
    } else {
        rollovers
    };
    rollovers << 16 | sequence
}

const HALF: u64 = 0x8000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn guesses_as_appendix_a() {
        assert_eq!(guess(None, 65_000), 65_000);
        assert_eq!(guess(Some(65_535), 0), 65_536);
        assert_eq!(guess(Some(65_536), 65_535), 65_535);
        assert_eq!(guess(Some(0x1_7fff), 0xffff), 0x1_ffff, "exactly 2^15 on");
        assert_eq!(guess(Some(0x1_7ffe), 0xffff), 0xffff, "one more is back");
        assert_eq!(guess(Some(0x1_8000), 0), 0x1_0000, "exactly 2^15 back");
        assert_eq!(guess(Some(0x1_8001), 0), 0x2_0000, "one more is ahead");
        assert_eq!(guess(Some(5), 65_000), 65_000, "nothing before the first");
    }

    #[test]
    fn each_is_fresh_once_within_the_window() {
        let mut indices = Indices::new(1024);
        assert!(indices.is_fresh(5000));
        indices.mark(5000);
        assert!(!indices.is_fresh(5000));
        assert!(indices.is_fresh(5000 - 1023));
        assert!(!indices.is_fresh(5000 - 1024), "too old to tell");
        indices.mark(6023);
        assert!(!indices.is_fresh(5000), "still in the window");
        assert!(indices.is_fresh(5001));
        indices.mark(6024);
        assert!(!indices.is_fresh(5000), "left the window");
        indices.mark(1 << 40);
        assert!(indices.is_fresh((1 << 40) - 1));
        assert_eq!(indices.highest(), Some(1 << 40));
    }

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(256))]

        /// Whatever the order, an index within the window is fresh exactly if it was not marked.
        #[test]
        fn agrees_with_a_set(steps in prop::collection::vec(-300_i64..400, 1..400)) {
            let (mut indices, mut seen) = (Indices::new(256), std::collections::BTreeSet::new());
            let mut at = 100_000_u64;
            for step in steps {
                let index = at.saturating_add_signed(step);
                let highest = seen.last().copied();
                let expected = highest.is_none_or(|highest: u64| index > highest
                    || highest - index < 256 && !seen.contains(&index));
                prop_assert_eq!(indices.is_fresh(index), expected);
                if expected {
                    indices.mark(index);
                    seen.insert(index);
                }
                at = at.max(index);
            }
        }

        /// The guess is right for everything within 2^15 of the highest.
        #[test]
        fn guesses_what_is_near(highest in 0_u64..1 << 47, step in -32_767_i64..32_768) {
            let index = highest.saturating_add_signed(step);
            prop_assert_eq!(guess(Some(highest), index as u16), index);
        }
    }
}
