//! Building packets, only when asked.

use std::time::Instant;

use crate::{
    Association, State,
    packet::{CHUNK_HEADER, ChunkKind, HEADER, Packet, Sack, begin, end},
    rx::Acknowledgement,
    timer::Timer,
    tx::Room,
};

impl Association {
    /// Appends the next packet to `buf`, at most `room` bytes; what stands in `buf` is not touched. It is no longer than
    /// [`Config::max_packet`](crate::Config::max_packet), or, if there is nothing but new data in it, than what
    /// [`poll_probe`](Self::poll_probe) has found the path to carry. False if there is nothing, or nothing that fits.
    pub fn poll_transmit(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) -> bool {
        self.clock = self.clock.max(now);
        self.tx.judge(now, &mut self.stats);
        let start = buf.len();
        let (source, destination) = (self.config.local_port, self.config.remote_port);
        if let Some(reply) = self.control.next_reply(room.saturating_sub(HEADER)) {
            Packet::start(buf, source, destination, reply.tag);
            buf.extend_from_slice(&reply.chunks);
            self.finish(buf, start, true);
            return true;
        }
        let capacity = room.min(self.tx.pmtu.size()) & !3;
        if self.state == State::Closed || capacity < MIN_CAPACITY {
            return false;
        }
        // INIT goes with a tag of 0: the peer's is what it asks for.
        let tag = if self.state == State::CookieWait {
            0
        } else {
            self.peer.tag
        };
        Packet::start(buf, source, destination, tag);
        let filled = match self.state {
            State::CookieWait | State::CookieEchoed => self.fill_setup(now, start, capacity, buf),
            _ => self.fill(now, start, capacity, buf),
        };
        if !filled || buf.len() == start + HEADER {
            buf.truncate(start);
            return false;
        }
        // RFC 9653 §5.2: what opens an association is summed always.
        let summed = !self.peer.zero_checksum || self.is_setting_up();
        self.finish(buf, start, summed);
        true
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) may have something. It is a hint: false is certain, true is not.
    pub fn wants_transmit(&self) -> bool {
        self.control.is_pending()
            || self.rx.acknowledgement == Acknowledgement::Now
            || self.tx.skip.due
            || (self.state != State::Closed && !self.tx.is_idle())
    }

    pub(crate) fn finish(&mut self, buf: &mut [u8], start: usize, summed: bool) {
        if summed {
            Packet::finish(buf, start);
        }
        self.stats.packets_sent += 1;
        self.stats.bytes_sent += (buf.len() - start) as u64;
    }

    /// INIT stands alone; COOKIE ECHO is followed by what fits (RFC 9260 §5.1).
    fn fill_setup(
        &mut self,
        now: Instant,
        start: usize,
        capacity: usize,
        buf: &mut Vec<u8>,
    ) -> bool {
        let needed = HEADER + CHUNK_HEADER + self.setup.cookie.len();
        if !self.control.setup || needed.max(MIN_SETUP) > capacity {
            return false;
        }
        self.write_setup(buf);
        if self.state == State::CookieEchoed {
            self.control.write_answers(buf, start + capacity);
            if self.tx.has_data(now, &mut self.stats) {
                self.fill_data(now, start, capacity, buf);
            }
        }
        buf.len() - start <= capacity
    }

    fn fill(&mut self, now: Instant, start: usize, capacity: usize, buf: &mut Vec<u8>) -> bool {
        // What must not vanish on a path that swallows long packets is in none.
        let limit = start + capacity.min(self.config.max_packet);
        if std::mem::take(&mut self.control.cookie_ack) {
            let chunk = begin(buf, ChunkKind::COOKIE_ACK, 0);
            end(buf, chunk);
        }
        self.control.write_answers(buf, limit);
        if self.control.heartbeat && buf.len() + HEARTBEAT_LEN <= limit {
            self.write_heartbeat(now, buf);
        }
        self.tx.give_up_expired(now, &mut self.stats);
        let has_data = self.sends_data() && self.tx.has_data(now, &mut self.stats);
        self.fill_sack(
            has_data || buf.len() > start + HEADER || self.control.shutdown,
            buf,
            limit,
        );
        let space = limit.saturating_sub(buf.len());
        self.tx.skip.write(now, buf, space);
        if has_data {
            let alone = buf.len() == start + HEADER;
            let most = if alone { start + capacity } else { limit };
            self.fill_data(now, start, most - start, buf);
        }
        self.settle(now);
        if self.control.reset_request && buf.len() + self.request_len() - HEADER <= limit {
            self.write_request(buf);
        }
        if buf.len() + SHUTDOWN_LEN <= limit {
            self.write_shutdown(buf);
        }
        true
    }

    /// A SACK that is due, or that can go along with something else.
    fn fill_sack(&mut self, company: bool, buf: &mut Vec<u8>, limit: usize) {
        let due = match self.rx.acknowledgement {
            Acknowledgement::None => false,
            Acknowledgement::Delayed => company,
            Acknowledgement::Now => true,
        };
        if due && buf.len() + Sack::LEN <= limit {
            let space = limit - buf.len();
            self.rx.write_sack(buf, space);
            self.timers.stop(Timer::Acknowledgement);
        }
    }

    fn sends_data(&self) -> bool {
        matches!(
            self.state,
            State::Established
                | State::ShutdownPending
                | State::ShutdownReceived
                | State::CookieEchoed
        )
    }

    fn fill_data(&mut self, now: Instant, start: usize, capacity: usize, buf: &mut Vec<u8>) {
        let before = self.stats.data_chunks_sent;
        let room = Room {
            start,
            capacity,
            immediate: self.state == State::ShutdownPending,
        };
        self.tx.fill(now, room, buf, &mut self.stats);
        if self.stats.data_chunks_sent != before {
            self.life.last_activity = now;
        }
    }
}

/// Less could not even carry a chunk with data.
const MIN_CAPACITY: usize = 32;
/// The room that our INIT takes.
const MIN_SETUP: usize = 64;
const HEARTBEAT_LEN: usize = 16;
const SHUTDOWN_LEN: usize = 12;
