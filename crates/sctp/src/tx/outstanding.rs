//! Chunks that were sent and not yet acknowledged by the cumulative TSN.

use std::{collections::VecDeque, time::Instant};

use bytes::Bytes;

use super::queue::{Cut, Limit};
use crate::{
    Ssn, StreamId, Tsn,
    packet::{Data, Sack},
};

/// A chunk under way. Its TSN is its place in the list.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) payload: Bytes,
    pub(crate) ppid: u32,
    pub(crate) stream: StreamId,
    pub(crate) ssn: Ssn,
    pub(crate) flags: u8,
    state: Fate,
    transmissions: u16,
    id: u32,
    limit: Limit,
    /// The packet it went out in last.
    packet: u32,
    /// At the first chunk of a gap ack block: how many chunks it covered. Acknowledged ones are stepped over by it.
    run: u32,
    /// Its bytes have left the accounts of its stream.
    released: bool,
}

/// What is known of a chunk under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    InFlight,
    /// To be sent again.
    Lost,
    /// Received beyond a gap.
    Acknowledged,
    /// Given up.
    Abandoned,
}

/// The chunks from the cumulative TSN ack point on, each found by its TSN without a search. A SACK costs what it newly
/// acknowledges and its number of blocks, however much is in flight.
#[derive(Debug)]
pub(crate) struct Outstanding {
    /// The TSN of the first chunk in the list.
    base: Tsn,
    chunks: VecDeque<Sent>,
    flight: Flight,
    /// What shall be sent again, in order; entries whose fate has changed are passed over.
    lost: VecDeque<Tsn>,
    /// The three highest of the HTNAs seen: what stands before the third has three miss indications.
    highest_newly_acked: [Tsn; 3],
    /// Everything before has been looked at for three miss indications.
    examined: Tsn,
    /// The last TSN that the peer shall skip to (RFC 3758: Advanced.Peer.Ack.Point).
    advanced: Tsn,
}

/// Sizes of what is in flight.
#[derive(Clone, Copy, Debug, Default)]
struct Flight {
    /// With headers and padding, for the congestion window.
    bytes: usize,
    /// Payload alone, for the peer's window.
    payload: usize,
}

/// What a SACK brought.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    /// Newly acknowledged bytes with headers and padding.
    pub(crate) bytes: usize,
    /// Whether the cumulative TSN moved.
    pub(crate) advanced: bool,
}

/// A chunk that is done with, for the accounts of its stream.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) tsn: Tsn,
    pub(crate) stream: StreamId,
    pub(crate) length: usize,
    pub(crate) end: bool,
    pub(crate) acknowledged: bool,
}

/// A message that was given up, whose rest may still be queued.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abandoned {
    pub(crate) stream: StreamId,
    pub(crate) id: u32,
}

impl Outstanding {
    pub(crate) fn new(initial: Tsn) -> Self {
        let before = initial.previous();
        Self {
            base: initial,
            chunks: VecDeque::new(),
            flight: Flight::default(),
            lost: VecDeque::new(),
            highest_newly_acked: [before; 3],
            examined: initial,
            advanced: before,
        }
    }

    pub(crate) fn next_tsn(&self) -> Tsn {
        self.base.advanced(self.chunks.len() as u32)
    }

    /// The last TSN that the peer has acknowledged in order.
    pub(crate) fn cumulative(&self) -> Tsn {
        self.base.previous()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(crate) fn flight_bytes(&self) -> usize {
        self.flight.bytes
    }

    pub(crate) fn flight_payload(&self) -> usize {
        self.flight.payload
    }

    /// Takes a piece that goes out for the first time, in this packet.
    pub(crate) fn push(&mut self, cut: Cut, packet: u32) -> (Tsn, &Sent) {
        let tsn = self.next_tsn();
        let mut flags = if cut.ordered { 0 } else { Data::UNORDERED };
        flags |= if cut.begin { Data::BEGIN } else { 0 };
        flags |= if cut.end { Data::END } else { 0 };
        self.flight.add(cut.payload.len());
        let chunk = self.chunks.push_back_mut(Sent {
            payload: cut.payload,
            ppid: cut.ppid,
            stream: cut.stream,
            ssn: cut.ssn,
            flags,
            state: Fate::InFlight,
            transmissions: 1,
            id: cut.id,
            limit: cut.limit,
            packet,
            run: 0,
            released: false,
        });
        (tsn, chunk)
    }

    /// Takes the end of a message whose rest is never sent. It has a TSN all the same: the peer may have received all
    /// that was sent of the message, and only a TSN that it has not received makes it skip the message's SSN.
    pub(crate) fn push_abandoned(&mut self, rest: Cut) {
        self.push(rest, 0);
        if let Some(chunk) = self.chunks.back_mut() {
            (chunk.state, chunk.released) = (Fate::Abandoned, true);
        }
        self.flight.remove(0);
    }

    fn get(&self, tsn: Tsn) -> Option<&Sent> {
        self.chunks.get(tsn.distance(self.base) as usize)
    }

    fn get_mut(&mut self, tsn: Tsn) -> Option<&mut Sent> {
        self.chunks.get_mut(tsn.distance(self.base) as usize)
    }

    /// The first chunk to send again, if any: its payload's length.
    pub(crate) fn peek_lost(&mut self) -> Option<usize> {
        while let Some(tsn) = self.lost.front().copied() {
            if let Some(chunk) = self.get(tsn)
                && chunk.state == Fate::Lost
            {
                return Some(chunk.payload.len());
            }
            self.lost.pop_front();
        }
        None
    }

    /// Takes the chunk that `peek_lost` showed.
    pub(crate) fn resend(&mut self, packet: u32) -> Option<(Tsn, &Sent)> {
        let tsn = self.lost.pop_front()?;
        let index = tsn.distance(self.base) as usize;
        let chunk = self.chunks.get_mut(index)?;
        chunk.state = Fate::InFlight;
        chunk.packet = packet;
        chunk.transmissions = chunk.transmissions.saturating_add(1);
        self.flight.add(chunk.payload.len());
        Some((tsn, chunk))
    }

    /// Whether the SACK can be about what was sent; a stale one or one that runs ahead is not.
    pub(crate) fn accepts(&self, sack: &Sack<'_>) -> bool {
        let cumulative = self.cumulative();
        let outstanding = self.chunks.len() as u32;
        let moved = sack.cumulative.distance(cumulative);
        // RFC 9260 §6.2.1 D i; a SACK for what was never sent is forged or broken.
        moved <= outstanding
            && sack
                .gaps()
                .all(|(_, last)| moved + u32::from(last) <= outstanding)
    }

    /// Takes a SACK that `accepts` let pass. `in_recovery` is fast recovery's rule for miss indications.
    pub(crate) fn handle_sack(
        &mut self,
        sack: &Sack<'_>,
        in_recovery: bool,
        done: &mut impl FnMut(Done),
    ) -> Acknowledged {
        let mut result = Acknowledged::default();
        while self.base <= sack.cumulative {
            let Some(chunk) = self.chunks.pop_front() else {
                break;
            };
            result.advanced = true;
            if matches!(chunk.state, Fate::InFlight | Fate::Lost) {
                result.bytes += Data::padded_len(chunk.payload.len());
                if chunk.state == Fate::InFlight {
                    self.flight.remove(chunk.payload.len());
                }
                if !chunk.released {
                    done(chunk.done(self.base));
                }
            }
            self.base = self.base.next();
        }
        let cumulative = self.cumulative();
        if self
            .chunks
            .front()
            .is_some_and(|c| c.state == Fate::Acknowledged)
        {
            self.reneged();
        }
        let mut reported = cumulative;
        for (first, last) in sack.gaps() {
            let (first, last) = (u32::from(first), u32::from(last));
            // A block that starts at 1 would be part of the cumulative TSN; blocks that step back say nothing new.
            if first < 2 || first > last || cumulative.advanced(first) <= reported {
                continue;
            }
            reported = cumulative.advanced(last);
            self.handle_gap(first - 1, last, &mut result.bytes, done);
        }
        self.chunks_done_from(cumulative);
        // RFC 9260 §7.2.4: in fast recovery a SACK that moves on counts for all that it reports missing.
        if in_recovery && result.advanced && reported > cumulative {
            self.note_newly_acked(reported);
        }
        result
    }

    /// Marks the chunks from `first` to before `end`. Each packet among what is new is a miss indication for what stands
    /// before it: beyond a gap a receiver answers every packet (RFC 9260 §7.2.4), and one that answers a batch of them
    /// at once has said the same.
    fn handle_gap(&mut self, first: u32, end: u32, bytes: &mut usize, done: &mut impl FnMut(Done)) {
        let mut newly: Option<(Tsn, u32)> = None;
        let mut index = first;
        while index < end {
            let tsn = self.base.advanced(index);
            let Some(chunk) = self.chunks.get_mut(index as usize) else {
                break;
            };
            if matches!(chunk.state, Fate::InFlight | Fate::Lost) {
                *bytes += Data::padded_len(chunk.payload.len());
                let last = newly.replace((tsn, chunk.packet));
                if chunk.state == Fate::InFlight {
                    self.flight.remove(chunk.payload.len());
                }
                chunk.state = Fate::Acknowledged;
                if !std::mem::replace(&mut chunk.released, true) {
                    done(chunk.done(tsn));
                }
                index += chunk.run.max(1);
                if let Some((last, _)) =
                    last.filter(|(_, packet)| newly.is_some_and(|n| n.1 != *packet))
                {
                    self.note_newly_acked(last);
                }
                continue;
            }
            index += chunk.run.max(1);
        }
        if let Some((last, _)) = newly {
            self.note_newly_acked(last);
        }
        if let Some(chunk) = self.chunks.get_mut(first as usize) {
            chunk.run = chunk.run.max(end - first);
        }
    }

    /// The peer took back what it had acknowledged beyond a gap (RFC 9260 §6.2.1): the first chunk cannot be both next
    /// and received. What was reported is not known any more, and is sent again.
    fn reneged(&mut self) {
        self.lost.clear();
        for (offset, chunk) in self.chunks.iter_mut().enumerate() {
            chunk.run = 0;
            if chunk.state == Fate::Acknowledged {
                chunk.state = Fate::Lost;
            }
            if chunk.state == Fate::Lost {
                self.lost.push_back(self.base.advanced(offset as u32));
            }
        }
    }

    /// Keeps pointers from falling behind the list.
    fn chunks_done_from(&mut self, cumulative: Tsn) {
        if self.examined <= cumulative {
            self.examined = cumulative.next();
        }
        if self.advanced < cumulative {
            self.advanced = cumulative;
        }
        for highest in &mut self.highest_newly_acked {
            if *highest < cumulative {
                *highest = cumulative;
            }
        }
    }

    /// RFC 9260 §7.2.4: a SACK is a miss indication for all before its highest newly acknowledged TSN. A chunk has
    /// three when three SACKs' highest stand after it, that is, when the third highest does.
    fn note_newly_acked(&mut self, tsn: Tsn) {
        let [first, second, third] = self.highest_newly_acked;
        self.highest_newly_acked = if tsn >= first {
            [tsn, first, second]
        } else if tsn >= second {
            [first, tsn, second]
        } else if tsn >= third {
            [first, second, tsn]
        } else {
            return;
        };
    }

    /// Marks what has three miss indications by now; each chunk is looked at once. True if there was any.
    pub(crate) fn detect_loss(
        &mut self,
        now: Instant,
        done: &mut impl FnMut(Done),
        abandoned: &mut Vec<Abandoned>,
    ) -> bool {
        let [.., until] = self.highest_newly_acked;
        let mut found = false;
        while self.examined < until {
            let tsn = self.examined;
            self.examined = tsn.next();
            if self.get(tsn).is_some_and(|c| c.state == Fate::InFlight) {
                found = true;
                self.lose(tsn, now, done, abandoned);
            }
        }
        found
    }

    /// RFC 9260 §6.3.3 E3: everything in flight is taken as lost.
    pub(crate) fn lose_all(
        &mut self,
        now: Instant,
        done: &mut impl FnMut(Done),
        abandoned: &mut Vec<Abandoned>,
    ) {
        self.lost.clear();
        for index in 0..self.chunks.len() as u32 {
            let tsn = self.base.advanced(index);
            match self.get(tsn).map(|chunk| chunk.state) {
                Some(Fate::InFlight) => self.lose(tsn, now, done, abandoned),
                Some(Fate::Lost) => self.lost.push_back(tsn),
                _ => {}
            }
        }
        // What is sent again from here on can be missed again.
        self.examined = self.base;
        self.highest_newly_acked = [self.cumulative(); 3];
    }

    fn lose(
        &mut self,
        tsn: Tsn,
        now: Instant,
        done: &mut impl FnMut(Done),
        abandoned: &mut Vec<Abandoned>,
    ) {
        let Some(chunk) = self.get_mut(tsn) else {
            return;
        };
        chunk.state = Fate::Lost;
        let (length, reached) = (
            chunk.payload.len(),
            chunk.limit.is_reached(chunk.transmissions, now),
        );
        self.flight.remove(length);
        if reached {
            abandoned.extend(self.abandon(tsn, done));
        } else {
            self.lost.push_back(tsn);
        }
    }

    /// Gives up the lost chunks at the front whose limit has been reached meanwhile.
    pub(crate) fn abandon_expired(
        &mut self,
        now: Instant,
        done: &mut impl FnMut(Done),
        abandoned: &mut Vec<Abandoned>,
    ) {
        while self.peek_lost().is_some()
            && let Some(tsn) = self.lost.front().copied()
            && let Some(chunk) = self.get(tsn)
            && chunk.limit.is_reached(chunk.transmissions, now)
        {
            abandoned.extend(self.abandon(tsn, done));
        }
    }

    /// Gives up what was sent of the message with this id; its chunks are the last of the list.
    pub(crate) fn abandon_last(&mut self, id: u32, done: &mut impl FnMut(Done)) {
        if self.chunks.back().is_some_and(|chunk| chunk.id == id) {
            self.abandon(self.next_tsn().previous(), done);
        }
    }

    /// Gives up the whole message that the chunk belongs to: its chunks have consecutive TSNs.
    fn abandon(&mut self, tsn: Tsn, done: &mut impl FnMut(Done)) -> Option<Abandoned> {
        let chunk = self.get(tsn)?;
        let message = Abandoned {
            stream: chunk.stream,
            id: chunk.id,
        };
        let middle = tsn.distance(self.base);
        let mut index = middle;
        while index > 0 && self.is_of(index - 1, message.id) {
            index -= 1;
        }
        while self.is_of(index, message.id) {
            let tsn = self.base.advanced(index);
            if let Some(chunk) = self.chunks.get_mut(index as usize) {
                let was = std::mem::replace(&mut chunk.state, Fate::Abandoned);
                if was == Fate::InFlight {
                    self.flight.remove(chunk.payload.len());
                }
                if !std::mem::replace(&mut chunk.released, true) {
                    done(Done {
                        acknowledged: false,
                        ..chunk.done(tsn)
                    });
                }
                chunk.payload = Bytes::new();
            }
            index += 1;
        }
        Some(message)
    }

    fn is_of(&self, index: u32, id: u32) -> bool {
        self.chunks.get(index as usize).is_some_and(|c| c.id == id)
    }

    /// RFC 3758 §3.5 C: moves the point to which the peer shall skip over what was given up, `limit` streams at most
    /// between the cumulative TSN and it. True if there is something to skip.
    pub(crate) fn advance(&mut self, skipped: &mut Vec<(StreamId, Ssn)>, limit: usize) -> bool {
        if self.advanced == self.cumulative() {
            skipped.clear();
        }
        while let Some(chunk) = self.get(self.advanced.next())
            && chunk.state == Fate::Abandoned
        {
            if chunk.flags & Data::UNORDERED == 0 {
                let (stream, ssn) = (chunk.stream, chunk.ssn);
                if let Some((_, last)) = skipped.iter_mut().rev().find(|(s, _)| *s == stream) {
                    *last = ssn;
                } else if skipped.len() < limit {
                    skipped.push((stream, ssn));
                } else {
                    break;
                }
            }
            self.advanced = self.advanced.next();
        }
        self.advanced != self.cumulative()
    }

    pub(crate) fn advanced(&self) -> Tsn {
        self.advanced
    }
}

impl Sent {
    fn done(&self, tsn: Tsn) -> Done {
        Done {
            tsn,
            stream: self.stream,
            length: self.payload.len(),
            end: self.flags & Data::END != 0,
            acknowledged: true,
        }
    }

    /// The chunk as it goes out.
    pub(crate) fn data(&self, tsn: Tsn, extra_flags: u8) -> Data<'_> {
        Data {
            flags: self.flags | extra_flags,
            tsn,
            stream: self.stream,
            ssn: self.ssn,
            ppid: self.ppid,
            payload: &self.payload,
        }
    }
}

impl Flight {
    fn add(&mut self, payload: usize) {
        self.bytes += Data::padded_len(payload);
        self.payload += payload;
    }

    fn remove(&mut self, payload: usize) {
        self.bytes -= Data::padded_len(payload).min(self.bytes);
        self.payload -= payload.min(self.payload);
    }
}
