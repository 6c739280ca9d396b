//! Filling packets with data.

use std::time::Instant;

use super::{
    Grant, Held, Room, Sender,
    control::Controller,
    flown::Kind,
    outstanding::Of,
    pacer::Until,
    queue::{Next, Pace},
};
use crate::{Stats, packet::Data};

/// A packet that is being filled.
struct Filling {
    room: Room,
    now: Instant,
    /// It was opened: a chunk is in it.
    open: bool,
    kind: Kind,
    bytes: usize,
    /// How many chunks may be added.
    chunks: u16,
}

impl Sender {
    /// Whether `fill` would put something into an empty packet of full size; where not, why.
    pub(crate) fn has_data(&mut self, now: Instant, stats: &mut Stats) -> bool {
        if self.is_busy() {
            self.held = Held::Nothing;
            return false;
        }
        let lost = self.outstanding.peek_lost().is_some();
        let flight = self.outstanding.flight_payload();
        let room = self.peer_window.saturating_sub(flight);
        self.queue.set_room(room, self.full_payload());
        self.queue.set_pace(self.pace());
        let next = match lost {
            true => None,
            false => self.peek(now, stats),
        };
        self.held = match (lost, next) {
            (false, None) if self.queue.is_passing() => {
                self.held = Held::Nothing;
                return false;
            }
            (false, None) if self.queue.is_empty() => Held::Empty,
            (false, None) => Held::Peer,
            _ => self.hold(now),
        };
        if self.held == Held::Nothing
            && let Some(next) = next
        {
            let size = next.left.min(self.full_payload());
            self.held = self.hold_new(size, next.has_number);
        }
        let flight = self.outstanding.flight_bytes();
        let pipe = self.outstanding.pipe();
        let waits = matches!(self.held, Held::Burst | Held::Pacer(_));
        if self.held == Held::Window || (waits && 2 * pipe >= self.window()) {
            // What left so far filled the window: its acknowledgement may widen it.
            self.limited = self.outstanding.packets.next();
        }
        let starved = matches!(self.held, Held::Empty | Held::Peer | Held::Numbers);
        if starved
            && pipe < self.window()
            && let Some(rates) = &mut self.rates
        {
            rates.starve(flight);
        }
        if self.held == Held::Peer && flight == 0 {
            self.probe_window(now);
        }
        self.held == Held::Nothing
    }

    /// RFC 9260 §6.1 A: a closed window is probed, for the first time after a timeout.
    fn probe_window(&mut self, now: Instant) {
        let wait = self.recovery.rtt.timeout();
        self.window_probe.get_or_insert((now + wait, wait));
    }

    /// Whether a packet with data may leave now.
    fn hold(&mut self, now: Instant) -> Held {
        if self.grant.is_some() {
            return Held::Nothing;
        }
        if self.peer_window == 0 && self.outstanding.flight_bytes() > 0 {
            return Held::Peer;
        }
        let (pipe, window) = (self.outstanding.pipe(), self.window());
        // RFC 9260 §7.2.3: while the window is one packet, as after a timeout, there is one packet in flight.
        if pipe >= window || (pipe > 0 && window <= self.pmdcs()) {
            return Held::Window;
        }
        match self.pacer.held(now) {
            None => Held::Nothing,
            Some(Until::Instant(at)) => Held::Pacer(at),
            // Something is in flight, so something comes.
            Some(Until::Input) if pipe > 0 => Held::Burst,
            Some(Until::Input) => Held::Nothing,
        }
    }

    /// How much may be in flight.
    fn window(&self) -> usize {
        match &self.recovery.episode {
            Some(prr) => prr.window(),
            None => self.control.window(),
        }
    }

    /// How fast what waits leaves; what a recovery slows down now is soon over.
    fn pace(&self) -> Option<Pace> {
        let window = self.control.window();
        Some(Pace {
            window,
            free: window.saturating_sub(self.outstanding.pipe()),
            round_trip: self.recovery.rtt.smoothed()?,
            doubles: self.control.in_slow_start(),
            rate: self.pacer.rate(),
        })
    }

    /// Whether a new piece may go in a packet that may leave; its message has a number or may have one.
    fn hold_new(&self, size: usize, has_number: bool) -> Held {
        let flight = self.outstanding.flight_bytes();
        if self.outstanding.is_full(self.settings.send_buffer) || !has_number {
            return Held::Numbers;
        }
        if self.grant == Some(Grant::Window) {
            return if flight == 0 {
                Held::Nothing
            } else {
                Held::Peer
            };
        }
        // RFC 9260 §6.1 A: one chunk may be in flight unless the window is closed.
        let alone = flight == 0 && self.peer_window > 0;
        if !alone && self.outstanding.flight_payload() + size > self.peer_window {
            return Held::Peer;
        }
        Held::Nothing
    }

    /// Adds chunks until the packet, the window or the queue is at its end. `has_data` has said yes.
    pub(crate) fn fill(&mut self, now: Instant, room: Room, buf: &mut Vec<u8>, stats: &mut Stats) {
        let asks =
            self.grant.is_some() || self.window() <= 2 * (self.pmdcs() + crate::packet::HEADER);
        // RFC 8899 §4.3: a longer packet may vanish, so what repairs or asks is not one.
        let again = self.grant.is_some() || self.outstanding.peek_lost().is_some();
        let most = if again {
            self.pmtu.safe()
        } else {
            self.pmtu.size()
        };
        let mut filling = Filling {
            room: Room {
                capacity: room.capacity.min(most),
                // RFC 9260 §3.3.1: waiting for the delayed answer would stall us.
                immediate: room.immediate || asks || self.peer_window == 0,
                ..room
            },
            now,
            open: false,
            kind: match self.grant {
                Some(Grant::Probe) => Kind::Probe,
                Some(Grant::Window) => Kind::Window,
                _ => Kind::Data,
            },
            bytes: 0,
            chunks: MAX_CHUNKS,
        };
        let (flight, pipe) = (self.outstanding.flight_bytes(), self.outstanding.pipe());
        let payload = self.outstanding.flight_payload();
        let first = self.fill_lost(&mut filling, buf, stats);
        if self.outstanding.peek_lost().is_none() {
            let (next, before) = (self.outstanding.next(), filling.chunks);
            self.fill_new(&mut filling, buf, stats);
            let count = before - filling.chunks;
            if count > 0 {
                self.outstanding.packets.add(next, count);
            }
        }
        if !filling.open {
            return;
        }
        self.immediate = filling.room.immediate;
        self.grant = None;
        let again = self.last_sent.replace(now) == Some(now);
        self.pacer.sent(filling.bytes);
        let payload = self.outstanding.flight_payload() - payload;
        self.lengths = (self.lengths.0 + filling.bytes, self.lengths.1 + payload);
        if self.lengths.0 > LENGTHS_SPAN {
            self.lengths = (self.lengths.0 / 2, self.lengths.1 / 2);
        }
        self.pmtu.count(now, filling.bytes);
        if filling.bytes > self.packet {
            self.outstanding.packets.lengthened();
        }
        if let Some(rates) = &mut self.rates {
            let packet = self.outstanding.packets.next() - 1;
            rates.sent(now, packet, (pipe, self.outstanding.pipe()));
        }
        if let Some(prr) = &mut self.recovery.episode {
            prr.sent(filling.bytes);
        }
        // RFC 9260 §6.3.2 R1, §6.3.3: it runs for the first chunk outstanding.
        if flight == 0 || first || self.recovery.t3.is_none() {
            self.start_t3(now);
        }
        // Another packet of the same instant has armed it, and was not alone either.
        let armed = again && flight > self.pmdcs() && self.recovery.probe.is_some();
        if filling.kind != Kind::Window && !armed {
            self.arm_probe(now, self.recovery.probes == 0);
        }
        self.check();
    }

    /// Chunks that are sent again. True if the first one outstanding is among them.
    fn fill_lost(&mut self, filling: &mut Filling, buf: &mut Vec<u8>, stats: &mut Stats) -> bool {
        let mut first = false;
        while filling.chunks > 0
            && let Some(length) = self.outstanding.peek_lost()
            && self.outstanding.size(length) <= filling.room.left(buf)
            && (self.grant.is_some() || !filling.open || self.outstanding.pipe() < self.window())
        {
            self.open(filling);
            let flag = filling.room.flag();
            let earliest = self.outstanding.cumulative().next().tsn();
            let Some(tsn) = self.outstanding.resend(flag, buf) else {
                break;
            };
            first |= tsn == earliest;
            filling.chunks -= 1;
            filling.bytes += self.outstanding.size(length);
            stats.retransmissions += 1;
            stats.data_chunks_sent += 1;
            if filling.kind == Kind::Window {
                break;
            }
        }
        first
    }

    fn fill_new(&mut self, filling: &mut Filling, buf: &mut Vec<u8>, stats: &mut Stats) {
        let least = self.outstanding.size(1);
        while filling.chunks > 0
            && filling.room.left(buf) >= least
            && let Some(next) = self.peek(filling.now, stats)
        {
            let size = next.left.min(self.full_payload());
            let Some(size) = self.fit(size, next, filling.room, buf) else {
                return;
            };
            // RFC 9260 §6.1 B: the window may be exceeded by what fills the packet that it let go.
            if self.hold_new(size, next.has_number) != Held::Nothing {
                return;
            }
            if !filling.open && self.outstanding.flight_bytes() == 0 {
                self.wake(filling.now);
            }
            self.open(filling);
            // RFC 6525 §5.1.2: the reset that follows waits for this chunk.
            let last = next.ends_stream && next.left <= size;
            let flag = filling.room.flag() | if last { Data::IMMEDIATE } else { 0 };
            let Some(cut) = self.queue.cut(size) else {
                return;
            };
            let (stream, goes_on) = (cut.stream, cut.begin && !cut.end);
            let Some(of) = self.outstanding.push(cut, flag, buf) else {
                return;
            };
            if goes_on && let Of::Message { key, .. } = of {
                self.queue.set_key(stream, key);
            }
            filling.chunks -= 1;
            filling.bytes += self.outstanding.size(size);
            stats.data_chunks_sent += 1;
            if filling.kind == Kind::Window {
                return;
            }
        }
    }

    fn open(&mut self, filling: &mut Filling) {
        if !std::mem::replace(&mut filling.open, true) {
            self.outstanding.packets.open(filling.now, filling.kind);
        }
    }

    /// Something leaves after nothing was in flight.
    fn wake(&mut self, now: Instant) {
        if let Some(last) = self.last_sent
            && self.grant != Some(Grant::Window)
        {
            let idle = now.saturating_duration_since(last);
            self.control.on_idle(idle, self.recovery.rtt.timeout());
            self.set_pace(now);
        }
        self.pacer.idle();
    }

    /// How much of a piece goes into what is left of the packet. A message that has to be cut anyway fills it, so that
    /// packets are equally long, and behind others it leaves nothing or room for one more; one that fits a packet of its own is not cut for
    /// that.
    fn fit(&self, size: usize, next: Next, room: Room, buf: &[u8]) -> Option<usize> {
        let space = room.left(buf);
        if let Some(rest) = space.checked_sub(self.outstanding.size(size)) {
            if next.left <= size {
                return Some(size);
            }
            let least = self.outstanding.size(MIN_PIECE);
            let lacks = if rest == 0 {
                0
            } else {
                least.saturating_sub(rest)
            };
            let shorter = size.saturating_sub(lacks) & !3;
            let is_first = space + crate::packet::HEADER == room.capacity;
            let leaves_room = shorter >= MIN_PIECE && !is_first;
            return Some(if leaves_room { shorter } else { size });
        }
        let payload = space.checked_sub(self.outstanding.size(0))? & !3;
        let is_cut = next.begun || next.left > size;
        let full = room.capacity >= self.packet + crate::packet::HEADER;
        (is_cut && full && payload >= MIN_PIECE).then_some(payload)
    }
}

/// A piece that is shorter than what stands before it is not cut to fill a packet. Nearly every packet is full all the same, and the
/// system takes as one only what is equally long.
const MIN_PIECE: usize = 16;
/// Over how many bytes the ratio of chunks to what they carry is taken.
const LENGTHS_SPAN: usize = 64 << 10;
/// No packet of ours has more chunks of data, so that it is one [step](effort::STEP) to the peer with all that can stand beside them.
const MAX_CHUNKS: u16 = 50;
