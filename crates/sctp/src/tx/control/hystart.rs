//! HyStart++: the end of slow start before the queue overflows (RFC 9406).

use std::time::Duration;

use super::controller::Acked;
use crate::tx::flown::PacketNo;

/// Looks for a round trip that grows while the window does.
#[derive(Debug, Default)]
pub(crate) struct HyStart {
    /// The round ends when this packet is acknowledged.
    round_end: PacketNo,
    last_round: Option<Duration>,
    this_round: Option<Duration>,
    samples: u32,
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
            round_end: self.round_end,
            ..Self::default()
        };
    }

    /// RFC 9406 §4.2.
    pub(crate) fn on_acked(&mut self, acked: &Acked) -> Pace {
        self.used |= acked.limited > 0;
        if let Some(sample) = acked.sample {
            let least = self.this_round.map_or(sample, |least| least.min(sample));
            self.this_round = Some(least);
            // One acknowledgement of a batch stands for its packets.
            self.samples = self.samples.saturating_add(acked.packets.max(1));
        }
        if self.samples >= MIN_SAMPLES
            && let Some(this) = self.this_round
        {
            match self.conservative {
                None => {
                    let late = |last: Duration| this >= last + (last / 8).clamp(MIN_RISE, MAX_RISE);
                    if self.last_round.is_some_and(late) {
                        self.conservative = Some((this, 0));
                    }
                }
                // It was a spike and no queue.
                Some((baseline, _)) if this < baseline => self.conservative = None,
                Some(_) => {}
            }
        }
        if acked.newest >= self.round_end {
            self.round_end = acked.next;
            self.last_round = self.this_round.take().or(self.last_round);
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

/// N_RTT_SAMPLE, MIN_RTT_THRESH, MAX_RTT_THRESH, CSS_GROWTH_DIVISOR and CSS_ROUNDS of RFC 9406 §4.3.
const MIN_SAMPLES: u32 = 8;
const MIN_RISE: Duration = Duration::from_millis(4);
const MAX_RISE: Duration = Duration::from_millis(16);
const DIVISOR: usize = 4;
const MAX_ROUNDS: u32 = 5;
