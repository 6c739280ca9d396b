//! What was sent under which transport-wide number.

use std::time::{Duration, Instant};

use crate::rtcp::{Told, TransportFeedback};

/// What one feedback of the peer tells: for whoever controls the rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// When it came.
    pub at: Instant,
    /// The packets it tells of, in their order: of each that it is missing once, and once that it has arrived.
    pub packets: Vec<Acked>,
}

/// What became of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acked {
    /// Its number, which does not wrap.
    pub number: u64,
    /// When it was sent.
    pub sent: Instant,
    /// How long it was, in bytes of RTP.
    pub len: usize,
    /// When it arrived, on a scale of the peer's that begins anywhere; `None` if it has not arrived.
    pub arrived: Option<Duration>,
}

/// The packets that were sent last.
#[derive(Debug)]
pub(crate) struct SentNumbers {
    next: u64,
    ring: Box<[Option<Slot>]>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    number: u64,
    sent: Instant,
    len: usize,
    /// The peer has told that it has not arrived.
    missing: bool,
}

impl SentNumbers {
    pub(crate) fn new(first: u16) -> Self {
        Self {
            next: (1 << 16) + u64::from(first),
            ring: vec![None; RING].into(),
        }
    }

    /// The number that the next packet has; it is taken by [`took`](Self::took).
    pub(crate) fn next(&self) -> u16 {
        self.next as u16
    }

    pub(crate) fn took(&mut self, now: Instant, len: usize) {
        if let Some(slot) = self.ring.get_mut(self.next as usize % RING) {
            *slot = Some(Slot {
                number: self.next,
                sent: now,
                len,
                missing: false,
            });
        }
        self.next += 1;
    }

    /// What the peer tells of packets, once each: that one has not arrived, and later perhaps that it has.
    pub(crate) fn handle(&mut self, now: Instant, feedback: &TransportFeedback<'_>) -> Feedback {
        let mut packets = Vec::new();
        feedback.each(|told| match told {
            Told::Arrived(number, time) => {
                let number = self.nearest(number);
                if let Some(slot) = self
                    .slot(number)
                    .and_then(|it| it.take_if(|it| it.number == number))
                {
                    let arrived = Duration::from_micros((time + SHIFT).max(0) as u64 * 250);
                    packets.push(slot.acked(Some(arrived)));
                }
            }
            // What is longer than all that is known is looked for among that.
            Told::Missing(first, count) if usize::from(count) > RING => {
                for number in self.next.saturating_sub(RING as u64)..self.next {
                    if (number as u16).wrapping_sub(first) < count {
                        packets.extend(self.miss(number));
                    }
                }
            }
            Told::Missing(first, count) => {
                for step in 0..count {
                    packets.extend(self.miss(self.nearest(first.wrapping_add(step))));
                }
            }
        });
        Feedback { at: now, packets }
    }

    fn miss(&mut self, number: u64) -> Option<Acked> {
        let slot = self.slot(number)?.as_mut();
        let slot = slot.filter(|it| it.number == number && !it.missing)?;
        slot.missing = true;
        Some(slot.acked(None))
    }

    fn slot(&mut self, number: u64) -> Option<&mut Option<Slot>> {
        self.ring.get_mut(number as usize % RING)
    }

    fn nearest(&self, number: u16) -> u64 {
        let ahead = number.wrapping_sub(self.next as u16) as i16;
        self.next.saturating_add_signed(i64::from(ahead))
    }
}

impl Slot {
    fn acked(self, arrived: Option<Duration>) -> Acked {
        Acked {
            number: self.number,
            sent: self.sent,
            len: self.len,
            arrived,
        }
    }
}

const RING: usize = 8192;
/// Reference times have a sign; durations have none. 24 bits of 64 ms.
const SHIFT: i64 = 256 << 23;
