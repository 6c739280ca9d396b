//! Sums of what is held.

/// A sum of what is held: only what was added is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account(usize);

impl Account {
    #[inline]
    pub(crate) fn add(&mut self, amount: usize) {
        self.0 = self.0.saturating_add(amount);
    }

    /// What is taken twice is a fault of ours; where nobody looks it must not make the sum wrap.
    #[inline]
    pub(crate) fn take(&mut self, amount: usize) {
        debug_assert!(self.0 >= amount, "{amount} of {}", self.0);
        self.0 = self.0.saturating_sub(amount);
    }

    #[inline]
    pub(crate) fn total(self) -> usize {
        self.0
    }
}
