//! The chunks that carry messages and acknowledge them (RFC 9260 §6, RFC 3758).

use std::time::Instant;

use crate::{
    Association, Failure, State,
    packet::{CauseCode, Chunk, Data, ForwardTsn, Sack, Write},
    rx::Received,
    timer::Timer,
};

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
            let mut information = Vec::with_capacity(4);
            information.put_u32(data.tsn.0);
            self.fail_with(Failure::NoUserData, &information);
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
                    let mut information = Vec::with_capacity(4);
                    information.put_u16(data.stream);
                    information.put_u16(0);
                    self.control.error(CauseCode::INVALID_STREAM, &information);
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
                .set(Timer::Shutdown, now + self.tx.recovery.rtt.timeout());
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
        let progress = self.tx.handle_sack(now, sack);
        // RFC 9260 §6.1 A: also one that keeps a window closed shows that the peer is there.
        self.answered();
        if progress.any {
            self.life.last_activity = now;
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
