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
    repairs: VecDeque<(u64, Repair)>,
    /// When parity came last.
    last: Option<Instant>,
    /// Parity that was given up or not needed.
    unused: u64,
}

impl Recovery {
    /// A packet that came, as it was before RED.
    pub(crate) fn note(&mut self, number: u16, packet: &[u8], ids: &Ids) {
        let Some(sum) = Sum::of(packet, ids) else {
            return;
        };
        let number = self.numbers.unwrap(number);
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
        let base = self.numbers.peek(repair.base);
        self.repairs.push_back((base, repair));
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
        for at in 0..self.repairs.len() {
            let (base, repair) = self.repairs.get(at)?;
            let numbers = (0..128).filter(|bit| repair.mask >> bit & 1 == 1);
            let mut sum = repair.sum.clone();
            let (mut missing, mut count) = (0, 0);
            for number in numbers.map(|bit| base + bit) {
                match self.media.iter().find(|it| it.0 == number) {
                    Some((_, media)) => sum.add(media),
                    None => (missing, count) = (number, count + 1),
                }
            }
            if count <= 1 {
                self.repairs.remove(at);
                let packet = (count == 1).then(|| sum.to_packet(ssrc, missing as u16));
                return packet.flatten().or_else(|| {
                    self.discard();
                    self.recover(ssrc)
                });
            }
        }
        None
    }
}

const MOST_MEDIA: usize = 192;
const MOST_REPAIRS: usize = 16;
/// For so long after parity more of it is expected.
const MEMORY: Duration = Duration::from_secs(10);
