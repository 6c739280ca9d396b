//! What was sent under which transport-wide number.

use std::time::{Duration, Instant};

use crate::rtcp::TransportFeedback;

/// What one feedback of the peer tells: for whoever controls the rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// When it came.
    pub at: Instant,
    /// The packets it tells of, in their order.
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
    ring: Box<[Option<(u64, Instant, usize)>]>,
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
            *slot = Some((self.next, now, len));
        }
        self.next += 1;
    }

    /// What the peer tells; packets that it told of before are left out once they have arrived.
    pub(crate) fn handle(&mut self, now: Instant, feedback: &TransportFeedback<'_>) -> Feedback {
        let mut packets = Vec::new();
        for (number, arrived) in feedback.arrivals() {
            let number = self.nearest(number);
            let Some(slot) = self.ring.get_mut(number as usize % RING) else {
                continue;
            };
            let Some((_, sent, len)) = slot.filter(|it| it.0 == number) else {
                continue;
            };
            if arrived.is_some() {
                *slot = None;
            }
            packets.push(Acked {
                number,
                sent,
                len,
                arrived: arrived.map(|it| Duration::from_micros((it + SHIFT).max(0) as u64 * 250)),
            });
        }
        Feedback { at: now, packets }
    }

    fn nearest(&self, number: u16) -> u64 {
        let ahead = number.wrapping_sub(self.next as u16) as i16;
        self.next.saturating_add_signed(i64::from(ahead))
    }
}

const RING: usize = 8192;
/// Reference times have a sign; durations have none. 24 bits of 64 ms.
const SHIFT: i64 = 256 << 23;
