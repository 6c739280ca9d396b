//! Sending: what waits, what is under way, and how fast.

pub(crate) mod congestion;
pub(crate) mod outstanding;
pub(crate) mod queue;
pub(crate) mod rto;
pub(crate) mod scheduler;

use std::time::Instant;

use self::{
    congestion::Congestion,
    outstanding::{Abandoned, Done, Outstanding},
    queue::Queue,
    rto::Rto,
};
use crate::{
    Config, Ssn, Stats, StreamId, Tsn,
    packet::{Data, ForwardTsn, Sack},
};

/// The sending half of an association.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) queue: Queue,
    pub(crate) outstanding: Outstanding,
    pub(crate) congestion: Congestion,
    pub(crate) rto: Rto,
    /// The window in the peer's last SACK, or in its INIT.
    pub(crate) peer_window: usize,
    /// RFC 9260 §7.2.4 3: one packet of lost chunks goes out whatever the window says.
    pub(crate) fast_packet: bool,
    /// A FORWARD TSN is due.
    pub(crate) skip_due: bool,
    /// The streams it has to name.
    skipped: Vec<(StreamId, Ssn)>,
    skip_limit: usize,
    packet: usize,
    initial_packets: u32,
}

/// What sending needs to know while a packet is filled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Where the packet begins in the buffer.
    pub(crate) start: usize,
    /// How long it may become.
    pub(crate) capacity: usize,
    /// Whether new messages may be begun.
    pub(crate) new_data: bool,
    /// Whether the peer shall answer at once.
    pub(crate) immediate: bool,
}

/// What a SACK changed.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Something was newly acknowledged.
    pub(crate) any: bool,
    /// The cumulative TSN moved.
    pub(crate) advanced: bool,
}

impl Sender {
    pub(crate) fn new(config: &Config, initial: Tsn) -> Self {
        Self {
            queue: Queue::default(),
            outstanding: Outstanding::new(initial),
            congestion: Congestion::new(
                chunk_room(config.max_packet),
                config.initial_window_packets,
            ),
            rto: Rto::new(&config.timing),
            peer_window: 0,
            fast_packet: false,
            skip_due: false,
            skipped: Vec::new(),
            skip_limit: (config.max_packet - 64) / 4,
            packet: config.max_packet,
            initial_packets: config.initial_window_packets,
        }
    }

    /// Begins at another TSN with a fresh congestion window; what is queued stays.
    pub(crate) fn restart(&mut self, initial: Tsn) {
        self.outstanding = Outstanding::new(initial);
        self.congestion = Congestion::new(chunk_room(self.packet), self.initial_packets);
        self.skipped.clear();
        (self.fast_packet, self.skip_due) = (false, false);
    }

    /// Nothing waits and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.outstanding.is_empty()
    }

    pub(crate) fn handle_sack(
        &mut self,
        now: Instant,
        sack: &Sack<'_>,
        stats: &mut Stats,
    ) -> Progress {
        let flight = self.outstanding.flight_bytes();
        let recovering = self.congestion.in_recovery();
        let (queue, rto) = (&mut self.queue, &mut self.rto);
        let mut done = |chunk: Done| release(queue, rto, now, &chunk);
        let acked = self.outstanding.handle_sack(sack, recovering, &mut done);
        let mut abandoned = Vec::new();
        let missing = self.outstanding.detect_loss(now, &mut done, &mut abandoned);
        self.abandon_rests(&abandoned, stats);
        if acked.bytes > 0 {
            self.congestion
                .acknowledged(acked.bytes, flight, acked.advanced);
        }
        if acked.advanced {
            self.congestion
                .cumulative_moved(self.outstanding.cumulative());
        }
        if missing && self.congestion.lost(self.outstanding.next_tsn().previous()) {
            stats.fast_recoveries += 1;
            self.fast_packet = true;
        }
        if self.outstanding.is_empty() {
            self.congestion.drained();
        }
        self.peer_window = sack.window as usize;
        self.update_skip();
        Progress {
            any: acked.bytes > 0 || acked.advanced,
            advanced: acked.advanced,
        }
    }

    /// RFC 9260 §6.3.3.
    pub(crate) fn handle_timeout(&mut self, now: Instant, stats: &mut Stats) {
        stats.retransmission_timeouts += 1;
        self.congestion.timed_out();
        self.rto.back_off();
        self.fast_packet = false;
        self.send_again(now, stats);
    }

    /// Takes everything in flight as lost.
    pub(crate) fn send_again(&mut self, now: Instant, stats: &mut Stats) {
        let (queue, rto) = (&mut self.queue, &mut self.rto);
        let mut done = |chunk: Done| release(queue, rto, now, &chunk);
        let mut abandoned = Vec::new();
        self.outstanding.lose_all(now, &mut done, &mut abandoned);
        self.abandon_rests(&abandoned, stats);
        self.update_skip();
    }

    fn abandon_rests(&mut self, abandoned: &[Abandoned], stats: &mut Stats) {
        for message in abandoned {
            stats.abandoned_sent += 1;
            self.abandon_rest(message.stream, message.id);
        }
    }

    fn abandon_rest(&mut self, stream: StreamId, id: u32) {
        if let Some(rest) = self.queue.abandon_rest(stream, id) {
            self.outstanding.push_abandoned(rest);
        }
    }

    fn update_skip(&mut self) {
        let any = self.outstanding.advance(&mut self.skipped, self.skip_limit);
        self.skip_due = any;
    }

    /// Whether a FORWARD TSN is due that fits.
    pub(crate) fn write_skip(&mut self, buf: &mut Vec<u8>, space: usize) {
        if !self.skip_due || space < ForwardTsn::LEN + self.skipped.len() * 4 {
            return;
        }
        let streams = self.skipped.iter().copied();
        ForwardTsn::write(buf, self.outstanding.advanced(), streams);
        self.skip_due = false;
    }

    /// Whether `fill` would put something into an empty packet of full size.
    pub(crate) fn has_data(&mut self, now: Instant, new_data: bool, stats: &mut Stats) -> bool {
        if self.outstanding.peek_lost().is_some() {
            return self.may_begin_packet();
        }
        let next = if new_data {
            self.queue.peek(now, &mut stats.abandoned_unsent)
        } else {
            None
        };
        let payload = next.map(|(left, _)| left.min(self.full_payload()));
        payload.is_some_and(|size| self.may_begin_packet() && self.may_send(size))
    }

    /// RFC 9260 §7.2.3: while the window is one packet, as after a timeout, there is one packet in flight.
    fn may_begin_packet(&self) -> bool {
        let (flight, window) = (self.outstanding.flight_bytes(), self.congestion.window());
        let single = window <= chunk_room(self.packet);
        self.fast_packet || (flight < window && (flight == 0 || !single))
    }

    fn may_resend(&self) -> bool {
        self.fast_packet || self.outstanding.flight_bytes() < self.congestion.window()
    }

    /// RFC 9260 §6.1 A, B: within the peer's window, or one chunk to probe it, and within the congestion window.
    fn may_send(&self, size: usize) -> bool {
        let flight = self.outstanding.flight_bytes();
        flight < self.congestion.window()
            && (flight == 0 || self.outstanding.flight_payload() + size <= self.peer_window)
    }

    /// The largest piece that fits a packet by itself.
    fn full_payload(&self) -> usize {
        chunk_room(self.packet) - Data::HEADER
    }

    /// Adds chunks until the packet, the window or the queue is at its end. True if the first chunk outstanding is
    /// among those sent again.
    pub(crate) fn fill(
        &mut self,
        now: Instant,
        room: Room,
        buf: &mut Vec<u8>,
        stats: &mut Stats,
    ) -> bool {
        self.give_up_expired(now, stats);
        if !self.may_begin_packet() {
            return false;
        }
        let first = self.fill_lost(room, buf, stats);
        if room.new_data && self.outstanding.peek_lost().is_none() {
            self.fill_new(now, room, buf, stats);
        }
        first
    }

    fn give_up_expired(&mut self, now: Instant, stats: &mut Stats) {
        let (queue, rto) = (&mut self.queue, &mut self.rto);
        let mut done = |chunk: Done| release(queue, rto, now, &chunk);
        let mut abandoned = Vec::new();
        self.outstanding
            .abandon_expired(now, &mut done, &mut abandoned);
        if !abandoned.is_empty() {
            self.abandon_rests(&abandoned, stats);
            self.update_skip();
        }
    }

    fn fill_lost(&mut self, room: Room, buf: &mut Vec<u8>, stats: &mut Stats) -> bool {
        let mut first = false;
        let mut sent = false;
        while let Some(length) = self.outstanding.peek_lost()
            && self.may_resend()
            && Data::padded_len(length) <= room.left(buf)
        {
            let earliest = self.outstanding.cumulative().next();
            let Some((tsn, chunk)) = self.outstanding.resend(stats.packets_sent as u32) else {
                break;
            };
            let flag = if room.immediate { Data::IMMEDIATE } else { 0 };
            chunk.data(tsn, flag).write(buf);
            self.rto.chunk_resent(tsn);
            stats.retransmissions += 1;
            stats.data_chunks_sent += 1;
            first |= tsn == earliest;
            sent = true;
        }
        self.fast_packet &= !sent;
        first
    }

    fn fill_new(&mut self, now: Instant, room: Room, buf: &mut Vec<u8>, stats: &mut Stats) {
        let timeout = self.rto.timeout();
        while let Some((left, _)) = self.queue.peek(now, &mut stats.abandoned_unsent) {
            if let Some((stream, id)) = self.queue.expired_midway(now) {
                self.give_up_midway(now, stream, id, stats);
                continue;
            }
            let size = left.min(self.full_payload());
            let Some(size) = self.fit(size, left, room, buf) else {
                return;
            };
            if !self.may_send(size) {
                return;
            }
            self.congestion
                .sending(now, self.outstanding.flight_bytes(), timeout);
            let Some(cut) = self.queue.cut(size) else {
                return;
            };
            let (tsn, chunk) = self.outstanding.push(cut, stats.packets_sent as u32);
            let flag = if room.immediate { Data::IMMEDIATE } else { 0 };
            chunk.data(tsn, flag).write(buf);
            self.rto.chunk_sent(tsn, now);
            stats.data_chunks_sent += 1;
        }
    }

    /// How much of a piece goes into what is left of the packet. A message that has to be cut anyway fills it, so that
    /// packets are equally long; one that fits a packet of its own is not cut for that.
    fn fit(&self, size: usize, left: usize, room: Room, buf: &[u8]) -> Option<usize> {
        let space = room.left(buf);
        if Data::padded_len(size) <= space {
            return Some(size);
        }
        let payload = space.checked_sub(Data::HEADER)? & !3;
        let full = room.capacity >= self.packet;
        (left > size && full && payload >= MIN_PIECE).then_some(payload)
    }

    fn give_up_midway(&mut self, now: Instant, stream: StreamId, id: u32, stats: &mut Stats) {
        let (queue, rto) = (&mut self.queue, &mut self.rto);
        let mut done = |chunk: Done| release(queue, rto, now, &chunk);
        self.outstanding.abandon_last(id, &mut done);
        self.abandon_rest(stream, id);
        stats.abandoned_sent += 1;
        self.update_skip();
    }
}

impl Room {
    fn left(&self, buf: &[u8]) -> usize {
        let used = buf.len().saturating_sub(self.start);
        self.capacity.saturating_sub(used)
    }
}

fn release(queue: &mut Queue, rto: &mut Rto, now: Instant, chunk: &Done) {
    queue.released(chunk.stream, chunk.length, chunk.end);
    rto.chunk_done(chunk.tsn, chunk.acknowledged, now);
}

/// What a packet has room for beside its header: the PMDCS of RFC 9260, in which the congestion window counts.
fn chunk_room(packet: usize) -> usize {
    packet - crate::packet::HEADER
}

/// A shorter piece is not cut to fill a packet.
const MIN_PIECE: usize = 64;

#[cfg(test)]
mod tests;
