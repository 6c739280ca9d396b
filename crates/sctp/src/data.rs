//! The chunks that carry messages and acknowledge them (RFC 9260 §6, RFC 3758).

use std::time::Instant;

use crate::{
    Association, Failure, Mid, Ssn, State,
    packet::{CauseCode, Chunk, ChunkKind, Data, ForwardTsn, IData, IForwardTsn, Sack, Write},
    rx::{Received, Skip},
    timer::Timer,
};

impl Association {
    pub(crate) fn handle_data(&mut self, now: Instant, chunk: Chunk<'_>) -> bool {
        let Some((data, lane)) = self.parse_data(chunk) else {
            return false;
        };
        // RFC 9260 §9.2: after its SHUTDOWN the peer has nothing more to say.
        let receiving = matches!(
            self.state,
            State::Established | State::ShutdownPending | State::ShutdownSent
        );
        if !receiving {
            return false;
        }
        // RFC 8260 §2.2.2: one kind of chunk an association.
        if lane.is_some() != self.peer.interleaving {
            self.fail(Failure::ProtocolViolation);
            return false;
        }
        if data.payload.is_empty() {
            let mut information = Vec::with_capacity(4);
            information.put_u32(data.tsn.0);
            self.fail_with(Failure::NoUserData, &information);
            return false;
        }
        self.life.last_activity = now;
        let known = self.is_known(&data);
        match self.rx.handle_data(&data, lane, known, &mut self.tx.left) {
            Received::New { whole } => {
                self.renew_shutdown_guard(now);
                self.stats.data_chunks_received += 1;
                self.stats.messages_received += u64::from(whole);
                if !known {
                    // RFC 9260 §6.5: acknowledged, reported, not delivered.
                    let mut information = Vec::with_capacity(4);
                    information.put_u16(data.stream);
                    information.put_u16(0);
                    self.control.error(CauseCode::INVALID_STREAM, &information);
                }
            }
            Received::Duplicate => {
                self.renew_shutdown_guard(now);
                self.stats.duplicates += 1;
            }
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

    pub(crate) fn handle_sack(&mut self, now: Instant, sack: &Sack<'_>) {
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

    /// A DATA or I-DATA chunk; with the latter its message's number, and its own in the message.
    fn parse_data<'a>(&self, chunk: Chunk<'a>) -> Option<(Data<'a>, Option<(Mid, u32)>)> {
        if chunk.kind == ChunkKind::DATA {
            return Some((Data::parse(chunk)?, None));
        }
        let data = IData::parse(chunk)?;
        let begins = data.flags & Data::BEGIN != 0;
        let (ppid, fsn) = match begins {
            true => (data.ppid_or_fsn, 0),
            false => (0, data.ppid_or_fsn),
        };
        let piece = Data {
            flags: data.flags,
            tsn: data.tsn,
            stream: data.stream,
            ssn: Ssn(0),
            ppid,
            payload: data.payload,
        };
        Some((piece, Some((data.mid, fsn))))
    }

    /// FORWARD TSN, or I-FORWARD-TSN where messages are interleaved.
    pub(crate) fn handle_forward_tsn(&mut self, now: Instant, chunk: Chunk<'_>) -> bool {
        let receives = self.state == State::Established
            || matches!(self.state, State::ShutdownPending | State::ShutdownSent);
        if !receives {
            return true;
        }
        if (chunk.kind == ChunkKind::I_FORWARD_TSN) != self.peer.interleaving {
            self.fail(Failure::ProtocolViolation);
            return false;
        }
        let streams = self.peer.inbound;
        let new = if self.peer.interleaving {
            let Some(forward) = IForwardTsn::parse(chunk.value) else {
                return false;
            };
            let messages = forward.messages().filter(|it| it.0 < streams);
            let messages =
                messages.map(|(stream, unordered, mid)| Skip::Mid(stream, unordered, mid));
            self.rx.handle_forward(forward.cumulative, messages)
        } else {
            let Some(forward) = ForwardTsn::parse(chunk.value) else {
                return false;
            };
            let messages = forward.streams().filter(|it| it.0 < streams);
            let messages = messages.map(|(stream, ssn)| Skip::Ssn(stream, ssn));
            self.rx.handle_forward(forward.cumulative, messages)
        };
        self.stats.dropped_chunks += u64::from(!new);
        if new {
            self.renew_shutdown_guard(now);
        }
        true
    }
}
