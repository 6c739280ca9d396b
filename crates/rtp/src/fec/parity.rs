//! Parity of what is sent.

use std::collections::VecDeque;

use super::{Repair, Sum};
use crate::extension::Ids;

/// Adds packets up: one packet of parity for up to ten, and for what is left of a frame.
#[derive(Debug, Default)]
pub(crate) struct Parity {
    base: u64,
    mask: u128,
    sum: Sum,
    ready: VecDeque<Repair>,
    /// The last packet ended its frame.
    ended: bool,
}

impl Parity {
    /// A packet that was written. `ends` closes the group, so that a frame need not wait for the next one.
    pub(crate) fn add(&mut self, number: u64, packet: &[u8], ids: &Ids, ends: bool) {
        let Some(sum) = Sum::of(packet, ids) else {
            return;
        };
        let at = number.wrapping_sub(self.base);
        if self.mask == 0 || at > MOST_SPREAD {
            (self.base, self.mask, self.sum) = (number, 0, Sum::default());
        }
        self.mask |= 1 << number.wrapping_sub(self.base).min(MOST_SPREAD);
        self.sum.add(&sum);
        self.ended = ends;
        if ends || self.mask.count_ones() >= GROUP {
            self.ready.push_back(Repair {
                base: self.base as u16,
                mask: std::mem::take(&mut self.mask),
                sum: std::mem::take(&mut self.sum),
            });
        }
    }

    /// How long the packet of parity is that waits, without headers. `between` are packets that may not lie within a frame.
    pub(crate) fn len(&self, between: bool) -> Option<usize> {
        let first = self.ready.front().filter(|_| self.ended || !between)?;
        Some(first.sum.rest.len())
    }

    pub(crate) fn take(&mut self) -> Option<Repair> {
        self.ready.pop_front()
    }
}

const GROUP: u32 = 10;
const MOST_SPREAD: u64 = 45;
