/// The sliding window of sequence numbers already seen (RFC 6347 §4.1.2.6), 4,096 wide: on a fast path so many records are under way
/// that one which comes 10 ms late has hundreds before it, and is no replay.
///
/// `check` is asked before a record is opened, `mark` is called only after it authenticated: a forged
/// record never moves the window.
pub(crate) struct Window {
    /// One above the highest sequence number seen; 0 when none was.
    end: u64,
    /// Bit `n % 4096` stands for sequence number `n` in `end - 4096 .. end`.
    seen: [u64; WORDS],
}

impl Default for Window {
    fn default() -> Self {
        let seen = [0; WORDS];
        Self { end: 0, seen }
    }
}

impl Window {
    /// Whether this sequence number is new and not too old.
    pub(crate) fn check(&self, sequence: u64) -> bool {
        if sequence >= self.end {
            return true;
        }
        self.end - sequence <= WIDTH && self.word(sequence) & bit(sequence) == 0
    }

    /// The number that is expected next.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn mark(&mut self, sequence: u64) {
        if sequence >= self.end {
            let ahead = sequence - self.end;
            if ahead >= WIDTH {
                self.seen = [0; WORDS];
            } else {
                for skipped in self.end..sequence {
                    *self.word_mut(skipped) &= !bit(skipped);
                }
            }
            self.end = sequence + 1;
        }
        *self.word_mut(sequence) |= bit(sequence);
    }

    fn word(&self, sequence: u64) -> u64 {
        self.seen.get(index(sequence)).copied().unwrap_or(u64::MAX)
    }

    fn word_mut(&mut self, sequence: u64) -> &mut u64 {
        #[expect(
            clippy::indexing_slicing,
            reason = "the index is a remainder by the length"
        )]
        &mut self.seen[index(sequence)]
    }
}

fn index(sequence: u64) -> usize {
    (sequence / 64) as usize % WORDS
}

fn bit(sequence: u64) -> u64 {
    1 << (sequence % 64)
}

const WORDS: usize = 64;
const WIDTH: u64 = 64 * WORDS as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_new_once_and_old_numbers_fall_out() {
        let mut window = Window::default();
        assert!(window.check(0));
        window.mark(0);
        assert!(!window.check(0));
        window.mark(5000);
        assert!(!window.check(0), "too old");
        assert!(!window.check(904), "too old by one");
        assert!(window.check(905), "the oldest that counts");
        window.mark(905);
        assert!(!window.check(905));
        assert!(!window.check(5000));
        assert!(window.check(5001) && window.check(4999));
    }

    #[test]
    fn the_window_agrees_with_a_set_of_everything_seen() {
        let (mut window, mut seen, mut state) = (Window::default(), Vec::new(), 7_u64);
        for _ in 0..5_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let high = seen.iter().max().copied().unwrap_or(0);
            let sequence: u64 = (high + (state >> 33) % 40).saturating_sub((state >> 45) % 4500);
            let expected = !seen.contains(&sequence) && sequence + WIDTH > high;
            assert_eq!(window.check(sequence), expected, "{sequence} of {high}");
            if expected {
                window.mark(sequence);
                seen.push(sequence);
            }
        }
    }
}
