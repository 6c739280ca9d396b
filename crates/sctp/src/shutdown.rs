//! Ending in order: SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE (RFC 9260 §9.2).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |   Type = 7    |  Chunk Flags  |          Length = 8           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                      Cumulative TSN Ack                       |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::time::Instant;

use crate::{
    Association, Event, Initiator, State, Tsn,
    packet::{CauseCode, Chunk, ChunkKind, Reader, Sack, Write, begin, end},
    timer::Timer,
};

impl Association {
    /// Ends the association once all that was taken is acknowledged. Nothing more is taken from now on. Of resets that have not been asked for
    /// by now nothing is told but the end.
    pub fn shutdown(&mut self, now: Instant) {
        if self.ended.is_some() || self.life.closing.is_some() {
            return;
        }
        self.life.closing = Some(Initiator::User);
        match self.state {
            State::Established => self.state = State::ShutdownPending,
            // Nothing that would have to be ended in order exists yet.
            State::Closed | State::CookieWait | State::CookieEchoed => {
                let (by, cause_code) = (Initiator::User, None);
                let code = CauseCode::USER_INITIATED_ABORT;
                self.end_with_abort(Event::Closed { by, cause_code }, code, &[]);
            }
            _ => {}
        }
        self.settle(now);
    }

    /// Goes on with the sequence once nothing is under way.
    pub(crate) fn settle_shutdown(&mut self, now: Instant) {
        match self.state {
            State::ShutdownPending if self.tx.is_idle() => {
                self.state = State::ShutdownSent;
                self.control.shutdown = true;
            }
            State::ShutdownReceived if self.tx.is_idle() => {
                self.state = State::ShutdownAckSent;
                self.control.shutdown_ack = true;
            }
            _ => return,
        }
        self.timers.stop(Timer::Heartbeat);
        self.timers
            .set(Timer::Shutdown, now + self.tx.recovery.rtt.timeout());
        self.guard_shutdown(now);
    }

    /// RTO.Max is short here, so a peer that still sends what it has queued has as much time anew with all that comes of it.
    pub(crate) fn renew_shutdown_guard(&mut self, now: Instant) {
        if self.state == State::ShutdownSent {
            self.guard_shutdown(now);
        }
    }

    /// RFC 9260 §9.2: T5-shutdown-guard bounds how long an end takes.
    fn guard_shutdown(&mut self, now: Instant) {
        self.timers
            .set(Timer::ShutdownGuard, now + self.tx.recovery.rtt.max() * 5);
    }

    pub(crate) fn handle_shutdown_timeout(&mut self, now: Instant) {
        if !self.count_error() {
            return;
        }
        self.tx.recovery.rtt.back_off();
        self.control.shutdown = self.state == State::ShutdownSent;
        self.control.shutdown_ack = self.state == State::ShutdownAckSent;
        self.timers
            .set(Timer::Shutdown, now + self.tx.recovery.rtt.timeout());
    }

    pub(crate) fn write_shutdown(&mut self, buf: &mut Vec<u8>) {
        if std::mem::take(&mut self.control.shutdown) {
            let start = begin(buf, ChunkKind::SHUTDOWN, 0);
            buf.put_u32(self.rx.tracker.cumulative().0);
            end(buf, start);
        }
        if std::mem::take(&mut self.control.shutdown_ack) {
            let start = begin(buf, ChunkKind::SHUTDOWN_ACK, 0);
            end(buf, start);
        }
    }

    pub(crate) fn handle_shutdown(&mut self, now: Instant, chunk: Chunk<'_>) -> bool {
        let Some(cumulative) = Reader(chunk.value).u32().map(Tsn) else {
            return false;
        };
        match self.state {
            State::Established | State::ShutdownPending | State::ShutdownReceived => {
                self.life.closing.get_or_insert(Initiator::Remote);
                self.state = State::ShutdownReceived;
                let window = u32::try_from(self.tx.peer_window).unwrap_or(u32::MAX);
                self.handle_sack(now, &Sack::without_gaps(cumulative, window));
            }
            // Both sides end at once.
            State::ShutdownSent => {
                self.state = State::ShutdownAckSent;
                self.control.shutdown = false;
                self.control.shutdown_ack = true;
                self.timers
                    .set(Timer::Shutdown, now + self.tx.recovery.rtt.timeout());
            }
            State::ShutdownAckSent => self.control.shutdown_ack = true,
            _ => return false,
        }
        true
    }

    pub(crate) fn handle_shutdown_ack(&mut self, tag: u32) -> bool {
        match self.state {
            State::ShutdownSent | State::ShutdownAckSent if tag == self.peer.local_tag => {
                let peer = self.peer.tag;
                self.end_in_order();
                self.control.shutdown_complete(peer, false);
                true
            }
            // RFC 9260 §8.5.1 E: an old association of the peer's, which shall not stand in the way of ours.
            State::CookieWait | State::CookieEchoed => {
                self.control.shutdown_complete(tag, true);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn handle_shutdown_complete(&mut self) -> bool {
        if self.state != State::ShutdownAckSent {
            return false;
        }
        self.end_in_order();
        true
    }

    fn end_in_order(&mut self) {
        let by = self.life.closing.unwrap_or(Initiator::Remote);
        self.end(Event::Closed {
            by,
            cause_code: None,
        });
    }
}
