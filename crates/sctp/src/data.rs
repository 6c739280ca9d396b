//! Messages, and the chunks that carry and acknowledge them (RFC 9260 §6, RFC 3758).

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::{
    Association, Failure, State, StreamId,
    packet::{CauseCode, Chunk, Data, ForwardTsn, Sack},
    rx::Received,
    timer::Timer,
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
    /// It is given up when it is older than this and not yet acknowledged.
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
    pub(crate) fn queued(self, now: Instant, ppid: u32, payload: Bytes, partial: bool) -> Queued {
        let mut limit = Limit::NONE;
        match self.reliability {
            Reliability::Retransmits(count) if partial => limit.retransmissions = count,
            Reliability::Lifetime(lifetime) if partial => {
                limit.expires = now.checked_add(lifetime);
            }
            _ => {}
        }
        Queued {
            payload,
            ppid,
            ordered: self.ordered,
            limit,
            id: 0,
            begun: false,
        }
    }
}

impl Association {
    pub(crate) fn handle_data(&mut self, now: Instant, chunk: Chunk<'_>) -> bool {
        let receiving = [
            State::Established,
            State::ShutdownPending,
            State::ShutdownSent,
        ];
        // RFC 9260 §9.2: after SHUTDOWN the peer has nothing more to say.
        let Some(data) = Data::parse(chunk).filter(|_| receiving.contains(&self.state)) else {
            return false;
        };
        if data.payload.is_empty() {
            self.fail_with(Failure::NoUserData, &data.tsn.0.to_be_bytes());
            return false;
        }
        self.life.last_activity = now;
        let known = self.is_known(&data);
        match self.rx.handle_data(&data, known) {
            Received::New => {
                self.stats.data_chunks_received += 1;
                self.stats.messages_received += u64::from(known && data.has(Data::END));
                if !known {
                    // RFC 9260 §6.5: acknowledged, reported, not delivered.
                    let [high, low] = data.stream.to_be_bytes();
                    self.control
                        .error(CauseCode::INVALID_STREAM, &[high, low, 0, 0]);
                }
            }
            Received::Duplicate => self.stats.duplicates += 1,
            Received::Dropped => self.stats.dropped_out_of_window += 1,
            Received::Fatal(cause) => {
                self.fail(cause);
                return false;
            }
        }
        if self.state == State::ShutdownSent {
            self.rx.acknowledgement = crate::rx::Acknowledgement::Now;
            self.control.shutdown = true;
            self.timers
                .set(Timer::Shutdown, now + self.tx.rto.timeout());
        }
        true
    }

    pub(crate) fn handle_sack(&mut self, now: Instant, chunk: Chunk<'_>) -> bool {
        let Some(sack) = Sack::parse(chunk.value) else {
            return false;
        };
        self.take_sack(now, &sack);
        true
    }

    pub(crate) fn take_sack(&mut self, now: Instant, sack: &Sack<'_>) {
        let sending = matches!(
            self.state,
            State::Established | State::ShutdownPending | State::ShutdownReceived
        );
        if !sending || !self.tx.outstanding.accepts(sack) {
            self.stats.dropped_chunks += 1;
            return;
        }
        let progress = self.tx.handle_sack(now, sack, &mut self.stats);
        // RFC 9260 §6.1 A: also one that keeps a window closed shows that the peer is there.
        self.answered();
        if progress.any {
            self.life.last_activity = now;
        }
        if self.tx.outstanding.is_empty() {
            self.timers.stop(Timer::Retransmission);
        } else if progress.advanced {
            // RFC 9260 §6.3.2 R3.
            self.timers
                .set(Timer::Retransmission, now + self.tx.rto.timeout());
        }
    }

    pub(crate) fn handle_retransmission_timeout(&mut self, now: Instant) {
        // RFC 9260 §6.1 A: a probe of a closed window is no sign of a broken path.
        if self.tx.peer_window > 0 && !self.count_error() {
            return;
        }
        self.tx.handle_timeout(now, &mut self.stats);
        if !self.tx.outstanding.is_empty() {
            self.timers
                .set(Timer::Retransmission, now + self.tx.rto.timeout());
        }
    }

    pub(crate) fn handle_forward_tsn(&mut self, chunk: Chunk<'_>) -> bool {
        let Some(forward) = ForwardTsn::parse(chunk.value) else {
            return false;
        };
        if self.state == State::Established
            || matches!(self.state, State::ShutdownPending | State::ShutdownSent)
        {
            let new = self.rx.handle_forward(&forward, self.peer.inbound);
            self.stats.dropped_chunks += u64::from(!new);
        }
        true
    }
}
