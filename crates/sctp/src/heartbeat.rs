//! HEARTBEAT and its answer (RFC 9260 §8.3).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Type = 4, 5  |  Chunk Flags  |       Heartbeat Length        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! \                   Heartbeat Information TLV                   /
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::time::Instant;

use rand_core::Rng;

use crate::{
    Association,
    packet::{
        CHUNK_HEADER, Chunk, ChunkKind, HEADER, Parameter, ParameterKind, Parameters, Reader,
        Write, begin, end,
    },
    timer::Timer,
};

impl Association {
    /// RFC 9260 §8.3: the interval and a timeout, varied by half a timeout to either side.
    pub(crate) fn schedule_heartbeat(&mut self, now: Instant) {
        let Some(interval) = self.config.timing.heartbeat_interval else {
            return;
        };
        let timeout = self.tx.recovery.rtt.timeout();
        let jitter = timeout.mul_f64(f64::from(self.rng.next_u32()) / f64::from(u32::MAX));
        self.timers
            .set(Timer::Heartbeat, now + interval + timeout / 2 + jitter);
    }

    pub(crate) fn handle_heartbeat_timeout(&mut self, now: Instant) {
        let Some(interval) = self.config.timing.heartbeat_interval else {
            return;
        };
        let idle = now.saturating_duration_since(self.life.last_activity);
        if self.heartbeat.pending.take().is_some() {
            if !self.count_error() {
                return;
            }
        } else if idle < interval {
            self.schedule_heartbeat(now);
            return;
        }
        self.control.heartbeat = true;
        self.schedule_heartbeat(now);
    }

    pub(crate) fn write_heartbeat(&mut self, now: Instant, buf: &mut Vec<u8>) {
        self.control.heartbeat = false;
        // The nonce is what makes the answer worth something.
        let nonce = self.rng.next_u64();
        self.heartbeat.pending = Some((nonce, now));
        let start = begin(buf, ChunkKind::HEARTBEAT, 0);
        let mut value = Vec::with_capacity(8);
        value.put_u64(nonce);
        let (kind, value) = (ParameterKind::HEARTBEAT_INFO, &value);
        Parameter { kind, value }.write(buf);
        end(buf, start);
    }

    pub(crate) fn handle_heartbeat(&mut self, chunk: Chunk<'_>) -> bool {
        let most = self.config.max_packet - HEADER - CHUNK_HEADER;
        self.control.heartbeat_ack(chunk.value, most);
        true
    }

    pub(crate) fn handle_heartbeat_ack(&mut self, now: Instant, chunk: Chunk<'_>) -> bool {
        let information = Parameters::parse(chunk.value).next();
        let nonce = information
            .filter(|parameter| parameter.kind == ParameterKind::HEARTBEAT_INFO)
            .and_then(|parameter| Reader(parameter.value).u64());
        let Some((_, sent)) = self
            .heartbeat
            .pending
            .take_if(|(sent, _)| Some(*sent) == nonce)
        else {
            self.stats.dropped_chunks += 1;
            return true;
        };
        self.answered();
        self.tx
            .recovery
            .rtt
            .measured(now.saturating_duration_since(sent));
        true
    }
}
