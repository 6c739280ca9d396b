//! Packets taken out of parity.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Repair, Sum};
use crate::{Unwrapper, extension::Ids};

/// The last packets of a stream, and parity that waits for more of them.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    numbers: Unwrapper,
    /// In the order they came.
    media: VecDeque<(u64, Sum)>,
    repairs: VecDeque<Waiting>,
    /// When parity came last.
    last: Option<Instant>,
    /// Parity that was given up or not needed.
    unused: u64,
}

/// Parity, and which of its packets have not come: each packet is looked at once.
#[derive(Debug)]
struct Waiting {
    base: u64,
    lacks: u128,
    repair: Repair,
}

impl Recovery {
    /// A packet that came, as it was before RED.
    pub(crate) fn note(&mut self, number: u16, packet: &[u8], ids: &Ids) {
        let Some(sum) = Sum::of(packet, ids) else {
            return;
        };
        let number = self.numbers.unwrap(number);
        self.repairs.iter_mut().for_each(|it| it.note(number));
        self.media.push_back((number, sum));
        if self.media.len() > MOST_MEDIA {
            self.media.pop_front();
        }
    }

    /// Whether packets are to be noted: parity came of late.
    pub(crate) fn is_wanted(&self, now: Instant) -> bool {
        let recent = |last| now.saturating_duration_since(last) < MEMORY;
        self.last.is_some_and(recent)
    }

    /// Parity that came.
    pub(crate) fn repair(&mut self, now: Instant, repair: Repair) {
        if self.last.is_some() && !self.is_wanted(now) {
            // What was noted long ago says nothing of the packets of today.
            self.media.clear();
            self.unused += self.repairs.drain(..).len() as u64;
        }
        self.last = Some(now);
        // Without media there is nothing to be recovered.
        if self.numbers.highest().is_none() {
            return self.discard();
        }
        let mut waiting = Waiting {
            base: self.numbers.peek(repair.base),
            lacks: repair.mask,
            repair,
        };
        self.media.iter().for_each(|it| waiting.note(it.0));
        self.repairs.push_back(waiting);
        if self.repairs.len() > MOST_REPAIRS {
            self.repairs.pop_front();
            self.discard();
        }
    }

    /// Parity that is of no use.
    pub(crate) fn discard(&mut self) {
        self.unused += 1;
    }

    /// How much parity has brought nothing back, and will not.
    pub(crate) fn unused(&self) -> u64 {
        self.unused
    }

    /// A packet that can be told from parity now; it is to be noted as well.
    pub(crate) fn recover(&mut self, ssrc: u32) -> Option<Vec<u8>> {
        let is_ready = |it: &Waiting| it.lacks.count_ones() <= 1;
        while let Some(at) = self.repairs.iter().position(is_ready) {
            let waiting = self.repairs.remove(at)?;
            let packet = self.restore(&waiting, ssrc);
            if packet.is_some() {
                return packet;
            }
            self.discard();
        }
        None
    }

    /// What is left of parity without the packets that came. None if nothing is, or if one of them is known no more.
    fn restore(&self, waiting: &Waiting, ssrc: u32) -> Option<Vec<u8>> {
        let mut sum = waiting.repair.sum.clone();
        let mut missing = None;
        for bit in (0..128).filter(|bit| waiting.repair.mask >> bit & 1 == 1) {
            let number = waiting.base + bit;
            match self.media.iter().find(|it| it.0 == number) {
                Some((_, media)) => sum.add(media),
                None if missing.is_none() => missing = Some(number),
                None => return None,
            }
        }
        sum.to_packet(ssrc, missing? as u16)
    }
}

impl Waiting {
    fn note(&mut self, number: u64) {
        let bit = number.checked_sub(self.base);
        if let Some(bit) = bit.filter(|bit| *bit < 128) {
            self.lacks &= !(1 << bit);
        }
    }
}

const MOST_MEDIA: usize = 192;
const MOST_REPAIRS: usize = 16;
/// For so long after parity more of it is expected.
const MEMORY: Duration = Duration::from_secs(10);
