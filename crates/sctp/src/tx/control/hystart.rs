//! HyStart++: the end of slow start before the queue overflows (RFC 9406).

use std::{ops::Range, time::Duration};

use super::controller::Acked;
use crate::tx::flown::PacketNo;

/// Looks for a round trip that grows while the window does.
#[derive(Debug, Default)]
pub(crate) struct HyStart {
    /// The packets of the round, which ends when the one after them is acknowledged.
    round: Range<PacketNo>,
    /// Of the parts of a round the one that took longest: the least round trip in it.
    last_round: Option<Duration>,
    this_round: Option<Duration>,
    /// The same of the part that is not over, and how many packets tell it.
    part: Option<Duration>,
    samples: u64,
    /// Something of it left while the window was all in use.
    used: bool,
    /// Conservative slow start: the least round trip at its start, and the rounds so far.
    conservative: Option<(Duration, u32)>,
}

/// What slow start does with an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The window grows by a part of what was acknowledged: 1 of these many.
    Grow(usize),
    /// It is over.
    End,
}

impl HyStart {
    /// Slow start begins again.
    pub(crate) fn restart(&mut self) {
        *self = Self {
            round: self.round.end..self.round.end,
            ..Self::default()
        };
    }

    /// RFC 9406 §4.2, with the parts of a round for a round: a queue of a bandwidth-delay product fills within one, and the least of all its
    /// round trips tells of it when the next has overflowed it. As paths are not even, no part of the round before may have taken as long.
    pub(crate) fn on_acked(&mut self, acked: &Acked) -> Pace {
        self.used |= acked.limited > 0;
        if let Some(sample) = acked.sample {
            self.part = Some(self.part.map_or(sample, |least| least.min(sample)));
            // One acknowledgement of a batch stands for its packets.
            self.samples += u64::from(acked.packets.max(1));
        }
        let enough = (self.round.end - self.round.start) / PARTS;
        if self.samples >= enough.max(MIN_SAMPLES)
            && let Some(part) = self.part.take()
        {
            self.samples = 0;
            self.this_round = self.this_round.max(Some(part));
            match self.conservative {
                None => {
                    let late = |last: Duration| part >= last + (last / 8).clamp(MIN_RISE, MAX_RISE);
                    if self.last_round.is_some_and(late) {
                        self.conservative = Some((part, 0));
                    }
                }
                // It was a spike and no queue.
                Some((baseline, _)) if part < baseline => self.conservative = None,
                Some(_) => {}
            }
        }
        if acked.newest >= self.round.end {
            self.round = self.round.end..acked.next;
            let (part, this) = (self.part.take(), self.this_round.take());
            self.last_round = this.or(part).or(self.last_round);
            self.samples = 0;
            if !std::mem::take(&mut self.used) {
                // What takes longer without a window that is used is the path, and no queue of ours.
                (self.last_round, self.conservative) = (None, None);
            }
            if let Some((_, rounds)) = &mut self.conservative {
                // The one in which it began counts too.
                *rounds += 1;
                if *rounds >= MAX_ROUNDS {
                    return Pace::End;
                }
            }
        }
        match self.conservative {
            Some(_) => Pace::Grow(DIVISOR),
            None => Pace::Grow(1),
        }
    }
}

/// A round has so many parts, if that leaves each enough packets.
const PARTS: u64 = 8;
/// N_RTT_SAMPLE, MIN_RTT_THRESH, MAX_RTT_THRESH, CSS_GROWTH_DIVISOR and CSS_ROUNDS of RFC 9406 §4.3.
const MIN_SAMPLES: u64 = 8;
const MIN_RISE: Duration = Duration::from_millis(4);
const MAX_RISE: Duration = Duration::from_millis(16);
const DIVISOR: usize = 4;
const MAX_ROUNDS: u32 = 5;
