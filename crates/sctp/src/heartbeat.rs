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
    Association, State,
    packet::{
        CHUNK_HEADER, Chunk, ChunkKind, HEADER, Packet, Parameter, ParameterKind, Parameters,
        Reader, Write, begin, end,
    },
    tcb::Consent,
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
        let nonce = self.write_nonce(buf);
        self.heartbeat.pending = Some((nonce, now));
    }

    /// Appends a HEARTBEAT. Its nonce is what makes the answer worth something.
    fn write_nonce(&mut self, buf: &mut Vec<u8>) -> u64 {
        let nonce = self.rng.next_u64();
        let start = begin(buf, ChunkKind::HEARTBEAT, 0);
        let mut value = Vec::with_capacity(8);
        value.put_u64(nonce);
        let (kind, value) = (ParameterKind::HEARTBEAT_INFO, &value);
        Parameter { kind, value }.write(buf);
        end(buf, start);
        nonce
    }

    /// Appends a packet that shows whether the path carries packets as long as it is, if it is time for one (RFC 8899
    /// §4.1): a HEARTBEAT, and a PAD chunk (RFC 4820) that makes it long. It must be a datagram of its own, which no layer
    /// below cuts, and may vanish. It is worth asking whenever [`poll_transmit`](Self::poll_transmit) is; there is none
    /// unless much is sent.
    pub fn poll_probe(&mut self, now: Instant, buf: &mut Vec<u8>) -> bool {
        if self.state != State::Established || self.life.consent != Consent::Given {
            return false;
        }
        let Some(size) = self.tx.pmtu.wanted(now) else {
            return false;
        };
        let start = buf.len();
        let (source, destination) = (self.config.local_port, self.config.remote_port);
        Packet::start(buf, source, destination, self.peer.tag);
        let nonce = self.write_nonce(buf);
        let chunk = begin(buf, ChunkKind::PAD, 0);
        buf.resize((start + size).max(buf.len()), 0);
        end(buf, chunk);
        self.tx
            .pmtu
            .sent(now, nonce, self.tx.recovery.rtt.timeout());
        self.stats.path_probes += 1;
        self.finish(buf, start, !self.peer.zero_checksum);
        true
    }

    /// The system has refused to send a packet of so many bytes for its length (`EMSGSIZE`). A probe is lost then at once, without a
    /// timeout (RFC 8899 §4.3); for data longer than [`Config::max_packet`](crate::Config::max_packet) packets are shorter from now on.
    pub fn handle_too_long(&mut self, now: Instant, length: usize) {
        let probe = self.tx.pmtu.refused(now, length);
        self.stats.path_probe_losses += u64::from(probe);
    }

    pub(crate) fn handle_heartbeat(&mut self, chunk: Chunk<'_>) -> bool {
        let most = self.config.max_packet.min(MAX_ANSWERED) - HEADER - CHUNK_HEADER;
        self.control.heartbeat_ack(chunk.value, most);
        true
    }

    pub(crate) fn handle_heartbeat_ack(&mut self, now: Instant, chunk: Chunk<'_>) -> bool {
        let information = Parameters::parse(chunk.value).next();
        let nonce = information
            .filter(|parameter| parameter.kind == ParameterKind::HEARTBEAT_INFO)
            .and_then(|parameter| Reader(parameter.value).u64());
        if let Some(round_trip) = nonce.and_then(|nonce| self.tx.pmtu.answered(now, nonce)) {
            self.answered();
            self.tx.recovery.rtt.measured(round_trip);
            return true;
        }
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

/// Answers wait, so a HEARTBEAT that takes a longer packet has none, whatever the path carries.
const MAX_ANSWERED: usize = 1200;
