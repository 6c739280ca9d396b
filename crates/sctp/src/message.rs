//! Messages as the user sees them (RFC 9260 §1.2, RFC 7496).

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::{
    StreamId,
    tx::queue::{Limit, Queued},
};

/// A message from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The stream it came on.
    pub stream: StreamId,
    /// What the upper layer says it is.
    pub ppid: u32,
    /// Whether it was delivered in the stream's order.
    pub ordered: bool,
    /// Its bytes.
    pub payload: Bytes,
}

/// How a message shall be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendOptions {
    /// In the order of the stream, or as it comes.
    pub ordered: bool,
    /// How much is done for its arrival.
    pub reliability: Reliability,
}

/// How much is done for a message's arrival (RFC 3758, RFC 7496). A peer that does not know partial reliability gets
/// everything reliably.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reliability {
    /// Everything.
    #[default]
    Reliable,
    /// Each of its chunks is sent again at most this often; then the message is given up. `u16::MAX` is no limit.
    Retransmits(u16),
    /// It is given up when it is older than this and not yet acknowledged; one of several packets that has waited
    /// for half of that, and could not leave in the rest at the present rate, does not begin where others wait. With no time it is sent once.
    Lifetime(Duration),
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            ordered: true,
            reliability: Reliability::Reliable,
        }
    }
}

impl SendOptions {
    #[inline]
    pub(crate) fn queued(self, now: Instant, ppid: u32, payload: Bytes, partial: bool) -> Queued {
        let mut limit = Limit::NONE;
        match self.reliability {
            Reliability::Retransmits(count) if partial => limit.retransmissions = count,
            Reliability::Lifetime(lifetime) if partial => {
                // It lives for all of its life, which may be none.
                let life = lifetime.max(LEAST_LIFE);
                limit.life = u32::try_from(life.as_millis()).unwrap_or(u32::MAX);
                limit.expires = now.checked_add(life);
            }
            _ => {}
        }
        Queued {
            payload,
            ppid,
            ordered: self.ordered,
            counts: true,
            limit,
        }
    }
}

const LEAST_LIFE: Duration = Duration::from_millis(1);
