//! Chunks that were sent and not yet acknowledged by the cumulative TSN.

mod acknowledge;
mod check;
mod leaving;
mod losing;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use bytes::Bytes;

use super::{
    flown::{PacketNo, Packets, Run},
    queue::{Cut, Limit, MESSAGE_OVERHEAD, Queue},
};
use crate::{
    StreamId, Tsn,
    account::Account,
    blocks, effort,
    packet::{Data, IData},
    serial::Seq,
};

pub(crate) use acknowledge::{Batch, Known, MAX_BLOCKS};

/// A chunk under way. Its number is its place in the list.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) payload: Bytes,
    /// The packet it went out in last.
    packet: PacketNo,
    of: Of,
    tries: u16,
    fate: Fate,
    flags: u8,
    /// Its bytes have left the accounts of its stream.
    released: bool,
    /// It is lost, and that was held against the path.
    blamed: bool,
    /// It is in flight and its time is over, but no SACK could say whether it has come.
    aside: bool,
}

/// Which message it is of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    /// One that it is by itself and that is not given up at a time, as most short ones are: nothing else has to be known of it.
    Alone {
        stream: StreamId,
        number: u32,
        ppid: u32,
        /// How often it may be sent again.
        retransmissions: u16,
    },
    /// One of the list, by its key.
    Message {
        key: u32,
        /// Its number in the message.
        fsn: u32,
        /// How far back the message's chunk before this one stands; 0 if there is none.
        back: u16,
    },
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

/// A message of which something was sent, in several chunks or with a time.
#[derive(Debug)]
struct Message {
    stream: StreamId,
    number: u32,
    ppid: u32,
    limit: Limit,
    /// The number of its last chunk so far.
    last: Seq,
    /// How many of its chunks are in the list, and how many of them have not come.
    chunks: u32,
    missing: u32,
    ordered: bool,
    /// Some of it is still queued.
    queued: bool,
    abandoned: bool,
    generation: u32,
}

/// The chunks from the cumulative TSN ack point on, each found by its TSN without a search. A SACK costs what it newly
/// acknowledges and its number of blocks, each with a search, however much is in flight.
#[derive(Debug)]
pub(crate) struct Outstanding {
    /// The numbers of the first chunk in the list, and of the one after the last.
    base: Seq,
    next: Seq,
    chunks: blocks::Queue<Sent>,
    pub(crate) packets: Packets,
    /// What is acknowledged beyond the cumulative TSN: first and last of each range, never touching.
    gaps: BTreeMap<Seq, Seq>,
    /// What keeping that costs.
    beyond: Account,
    /// How many ranges a SACK has named at most.
    most_blocks: usize,
    /// How often the peer has taken that back, and how far that has been done, as it is done in steps.
    reneged: u8,
    taken_back: Option<Seq>,
    /// Of what the last probe has sent again: the packet in which it had left, and when.
    pub(crate) asked: Option<(PacketNo, Instant)>,
    flight: Flight,
    /// Chunks are I-DATA (RFC 8260).
    interleaved: bool,
    lost: BTreeSet<Seq>,
    /// What was sent again after its loss had been blamed on the path, and the packet that was lost: once for each time.
    resent: BTreeSet<(Seq, PacketNo)>,
    messages: blocks::Table<Message>,
    /// Messages that are given up in steps: the key of each, its generation, and the chunk to go on with.
    leaving: blocks::Queue<(u32, u32, Option<Seq>)>,
    generation: u32,
    /// When messages that have begun, and are not given up, end their life.
    expiries: BTreeSet<(Instant, u32)>,
}

/// Sizes of what is in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flight {
    /// With headers and padding, for the congestion window.
    bytes: Account,
    /// Payload alone, for the peer's window.
    payload: Account,
    /// Those of the bytes whose time is over and of which no SACK could say whether they have come.
    aside: Account,
}

/// An abandoned chunk of an ordered message, for FORWARD TSN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skipped {
    pub(crate) stream: StreamId,
    pub(crate) number: u32,
    pub(crate) ordered: bool,
}

impl Outstanding {
    pub(crate) fn new(initial: Tsn) -> Self {
        Self {
            base: Seq::first(initial),
            next: Seq::first(initial),
            chunks: blocks::Queue::new(),
            packets: Packets::new(),
            gaps: BTreeMap::new(),
            beyond: Account::default(),
            most_blocks: 0,
            reneged: 0,
            taken_back: None,
            asked: None,
            flight: Flight::default(),
            interleaved: false,
            lost: BTreeSet::new(),
            resent: BTreeSet::new(),
            messages: blocks::Table::new(),
            leaving: blocks::Queue::new(),
            generation: 0,
            expiries: BTreeSet::new(),
        }
    }

    pub(crate) fn next(&self) -> Seq {
        self.next
    }

    /// The last number that the peer has acknowledged in order.
    pub(crate) fn cumulative(&self) -> Seq {
        self.base.previous()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.chunks.len()
    }

    pub(crate) fn flight_bytes(&self) -> usize {
        self.flight.bytes.total()
    }

    /// What of it is still in the network (RFC 6675 §2): what has come or is lost is not, though nobody can say which of them it is.
    pub(crate) fn pipe(&self) -> usize {
        self.flight_bytes() - self.flight.aside.total()
    }

    pub(crate) fn flight_payload(&self) -> usize {
        self.flight.payload.total()
    }

    /// RFC 9260 §3.3.4: a gap ack block counts in 16 bits from the cumulative TSN. And what has come beyond a gap is kept, as the peer may
    /// take it back: no more than `most` bytes of it.
    pub(crate) fn is_full(&self, most: usize) -> bool {
        self.chunks.len() >= usize::from(u16::MAX) || self.beyond.total() > most
    }

    /// How often the peer has taken back what it had acknowledged.
    pub(crate) fn reneged(&self) -> u8 {
        self.reneged
    }

    /// What keeping a chunk of this length costs: its record stays also where its bytes are few.
    fn kept(length: usize) -> usize {
        length + MESSAGE_OVERHEAD
    }

    fn index(&self, seq: Seq) -> Option<usize> {
        usize::try_from(seq.0.checked_sub(self.base.0)?).ok()
    }

    fn get(&self, seq: Seq) -> Option<&Sent> {
        self.chunks.get(self.index(seq)?)
    }

    fn get_mut(&mut self, seq: Seq) -> Option<&mut Sent> {
        let index = self.index(seq)?;
        self.chunks.get_mut(index)
    }

    /// Takes a piece that goes out for the first time, in the packet opened last, and appends its chunk. Which message it is of.
    #[inline]
    pub(crate) fn push(&mut self, cut: Cut, extra_flags: u8, buf: &mut Vec<u8>) -> Option<Of> {
        let of = self.note(&cut)?;
        let flags = cut.flags() | extra_flags;
        let numbers = (cut.stream, cut.number, cut.ppid, cut.fsn);
        self.write(self.next, flags, numbers, &cut.payload, buf);
        let length = cut.payload.len();
        self.flight.add(length, self.size(length));
        self.append(cut, of, self.packets.next() - 1, Fate::InFlight);
        Some(of)
    }

    #[inline]
    fn append(&mut self, cut: Cut, of: Of, packet: PacketNo, fate: Fate) {
        self.next = self.next.next();
        self.chunks.push_back(Sent {
            flags: cut.flags(),
            payload: cut.payload,
            packet,
            of,
            tries: 1,
            fate,
            released: fate == Fate::Abandoned,
            blamed: false,
            aside: false,
        });
    }

    /// Which message the piece is of.
    #[inline]
    fn note(&mut self, cut: &Cut) -> Option<Of> {
        match cut.begin && cut.end && cut.limit.expires.is_none() {
            true => Some(Of::Alone {
                stream: cut.stream,
                number: cut.number,
                ppid: cut.ppid,
                retransmissions: cut.limit.retransmissions,
            }),
            false => self.piece(cut),
        }
    }

    /// Notes a piece of a message of the list.
    fn piece(&mut self, cut: &Cut) -> Option<Of> {
        let seq = self.next();
        let key = match cut.message {
            Some(key) => key,
            None => self.begin_message(cut)?,
        };
        let message = self.messages.get_mut(key as usize)?;
        let back = match message.chunks {
            0 => 0,
            _ => u16::try_from(seq.since(message.last)).unwrap_or(0),
        };
        message.chunks += 1;
        message.missing += 1;
        message.last = seq;
        message.queued = !cut.end;
        let fsn = cut.fsn;
        Some(Of::Message { key, fsn, back })
    }

    /// The message, if it is in the list.
    fn message(&self, of: Of) -> Option<&Message> {
        match of {
            Of::Message { key, .. } => self.messages.get(key as usize),
            Of::Alone { .. } => None,
        }
    }

    /// When the chunk's message is given up.
    fn limit_of(&self, chunk: &Sent) -> Option<Limit> {
        match chunk.of {
            Of::Alone {
                retransmissions, ..
            } => Some(Limit {
                retransmissions,
                ..Limit::NONE
            }),
            Of::Message { .. } => self.message(chunk.of).map(|message| message.limit),
        }
    }

    /// Whether all of the chunk's message has been sent and has come.
    fn is_whole(&self, chunk: &Sent) -> bool {
        match self.message(chunk.of) {
            Some(message) => !message.queued && message.missing == 0,
            None => chunk.fate == Fate::Acknowledged,
        }
    }

    /// Whether the chunk's message was given up.
    fn is_given_up(&self, chunk: &Sent) -> bool {
        match self.message(chunk.of) {
            Some(message) => message.abandoned,
            // A chunk that is not has bytes.
            None => chunk.payload.is_empty(),
        }
    }

    /// The message's stream.
    fn stream(&self, of: Of) -> Option<StreamId> {
        match of {
            Of::Alone { stream, .. } => Some(stream),
            Of::Message { .. } => self.message(of).map(|message| message.stream),
        }
    }

    fn begin_message(&mut self, cut: &Cut) -> Option<u32> {
        self.generation = self.generation.wrapping_add(1);
        let key = self.messages.insert(Message {
            stream: cut.stream,
            number: cut.number,
            ppid: cut.ppid,
            limit: cut.limit,
            last: self.next(),
            chunks: 0,
            missing: 0,
            ordered: cut.ordered,
            queued: true,
            abandoned: false,
            generation: self.generation,
        });
        let key = u32::try_from(key?).ok()?;
        if let Some(at) = cut.limit.expires {
            self.expiries.insert((at, key));
        }
        Some(key)
    }

    pub(crate) fn set_interleaved(&mut self, interleaved: bool) {
        self.interleaved = interleaved;
    }

    /// How much a piece of this length takes in a packet.
    pub(crate) fn size(&self, payload: usize) -> usize {
        let more = if self.interleaved {
            IData::HEADER - Data::HEADER
        } else {
            0
        };
        Data::padded_len(payload) + more
    }

    /// Takes the end of a message whose rest is never sent. It has a TSN all the same: the peer may have received all
    /// that was sent of the message, and only a TSN that it has not received makes it skip the message's SSN.
    fn push_abandoned(&mut self, rest: Cut) {
        if let Some(of) = self.note(&rest) {
            self.append(rest, of, 0, Fate::Abandoned);
        }
    }

    /// The packet that left first and has something in flight. `None` too when finding it was more than there is `left`, which is
    /// nothing then.
    pub(crate) fn oldest_packet(&mut self, left: &mut usize) -> Option<(PacketNo, Instant)> {
        loop {
            let run = self.packets.first_run()?;
            if *left == 0 {
                return None;
            }
            *left = left.saturating_sub(effort::RUN + usize::from(run.count) / 4);
            let record = self.packets.get(run.packet).filter(|it| it.live > 0);
            let live = |offset: u16| self.is_live(run.packet, run.first.plus(offset.into()));
            if let Some(record) = record
                && (0..run.count).any(live)
            {
                return Some((run.packet, record.at));
            }
            self.packets.drop_first_run();
        }
    }

    /// Puts the chunks that `oldest_packet` showed aside, as the last SACK could say nothing of them.
    pub(crate) fn put_aside(&mut self, left: &mut usize) {
        let Some(run) = self.packets.put_aside() else {
            return;
        };
        *left = left.saturating_sub(effort::CHUNK + usize::from(run.count) / 2);
        for offset in 0..run.count {
            let chunk = self.get_mut(run.first.plus(offset.into()));
            let of_run = |it: &&mut Sent| it.fate == Fate::InFlight && it.packet == run.packet;
            let length = chunk.filter(of_run).and_then(|chunk| {
                let fresh = !std::mem::replace(&mut chunk.aside, true);
                fresh.then_some(chunk.payload.len())
            });
            if let Some(length) = length {
                self.flight.aside.add(self.size(length));
            }
        }
    }

    fn is_live(&self, packet: PacketNo, seq: Seq) -> bool {
        let chunk = self.get(seq);
        chunk.is_some_and(|it| it.fate == Fate::InFlight && it.packet == packet)
    }

    /// Drops all there is, of an association that is over. False if that was more than there is `left`.
    pub(crate) fn go_on_dropping(&mut self, left: &mut usize) -> bool {
        while *left > 0 {
            *left = left.saturating_sub(effort::LOST);
            let lists = [
                self.chunks.pop_back().is_some(),
                self.packets.pop_back(),
                self.leaving.pop_back().is_some(),
                self.gaps.pop_first().is_some(),
                self.lost.pop_first().is_some(),
                self.resent.pop_first().is_some(),
                self.expiries.pop_first().is_some(),
            ];
            if lists.contains(&true) {
                continue;
            }
            if !self.messages.drop_block() {
                return true;
            }
            *left = left.saturating_sub(effort::BLOCK);
        }
        false
    }
}

impl Flight {
    fn add(&mut self, payload: usize, size: usize) {
        self.bytes.add(size);
        self.payload.add(payload);
    }

    fn remove(&mut self, payload: usize, size: usize, aside: bool) {
        self.bytes.take(size);
        self.payload.take(payload);
        if aside {
            self.aside.take(size);
        }
    }
}
