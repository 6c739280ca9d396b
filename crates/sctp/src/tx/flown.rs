//! Packets with data: when each left, and what of it is still under way.

use std::{collections::VecDeque, time::Instant};

use crate::serial::Seq;

/// The number of a packet with data. Numbers never repeat and are the only order of sending: packets of one batch have
/// the same instant.
pub(crate) type PacketNo = u64;

/// What a packet was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Data, for the first time or again.
    Data,
    /// To make the peer say what it has (RFC 8985 §7).
    Probe,
    /// To see whether a closed window has opened (RFC 9260 §6.1 A).
    Window,
}

/// A packet that left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flown {
    pub(crate) at: Instant,
    /// How many of its chunks are in flight and were not sent again since.
    pub(crate) live: u16,
    pub(crate) kind: Kind,
    /// It is longer than what every path carries.
    pub(crate) long: bool,
}

/// Chunks with consecutive numbers in one packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) packet: PacketNo,
    pub(crate) first: Seq,
    pub(crate) count: u16,
}

/// The packets of which something is in flight, and their chunks in the order of sending.
#[derive(Debug)]
pub(crate) struct Packets {
    /// The number of the first record.
    base: PacketNo,
    records: VecDeque<Flown>,
    runs: VecDeque<Run>,
    /// Runs that left before those, of which the last SACK could not say anything.
    unsaid: VecDeque<Run>,
    /// Those of them that are on their way back, and whether all are there.
    returning: VecDeque<Run>,
    returns: bool,
    compact_at: usize,
}

impl Packets {
    pub(crate) fn new() -> Self {
        Self {
            base: 1,
            records: VecDeque::new(),
            runs: VecDeque::new(),
            unsaid: VecDeque::new(),
            returning: VecDeque::new(),
            returns: false,
            compact_at: MIN_COMPACT,
        }
    }

    /// The number that the next packet will have.
    pub(crate) fn next(&self) -> PacketNo {
        self.base + self.records.len() as u64
    }

    /// The oldest packet that has something in flight; the next one if none has.
    pub(crate) fn oldest(&self) -> PacketNo {
        self.base
    }

    pub(crate) fn get(&self, packet: PacketNo) -> Option<&Flown> {
        let index = packet.checked_sub(self.base)?;
        self.records.get(usize::try_from(index).ok()?)
    }

    /// A packet begins; its first chunk follows at once.
    pub(crate) fn open(&mut self, at: Instant, kind: Kind) -> PacketNo {
        let number = self.next();
        self.records.push_back(Flown {
            at,
            live: 0,
            kind,
            long: false,
        });
        number
    }

    /// The packet that was opened last has become longer than what every path carries.
    pub(crate) fn lengthened(&mut self) {
        if let Some(record) = self.records.back_mut() {
            record.long = true;
        }
    }

    /// Whether something is in flight, and all of it went out in such packets.
    pub(crate) fn all_long(&self) -> bool {
        let mut live = self.records.iter().filter(|it| it.live > 0).peekable();
        live.peek().is_some() && live.all(|it| it.long)
    }

    /// A chunk goes into the packet that was opened last.
    pub(crate) fn add(&mut self, seq: Seq) {
        let packet = self.next() - 1;
        if let Some(record) = self.records.back_mut() {
            record.live = record.live.saturating_add(1);
        }
        if let Some(run) = self.runs.back_mut()
            && run.packet == packet
            && run.first.plus(run.count.into()) == seq
        {
            run.count += 1;
            return;
        }
        if self.runs.len() >= self.compact_at {
            let (base, records) = (self.base, &self.records);
            let live = |run: &Run| {
                let index = run.packet.checked_sub(base).map(|index| index as usize);
                index.is_some_and(|index| records.get(index).is_some_and(|it| it.live > 0))
            };
            self.runs.retain(live);
            self.compact_at = (self.runs.len() * 2).max(MIN_COMPACT);
        }
        self.runs.push_back(Run {
            packet,
            first: seq,
            count: 1,
        });
    }

    /// A chunk of this packet is not in flight any more.
    pub(crate) fn done(&mut self, packet: PacketNo) {
        let index = packet.checked_sub(self.base).map(|index| index as usize);
        if let Some(record) = index.and_then(|index| self.records.get_mut(index)) {
            debug_assert!(record.live > 0, "packet {packet}");
            record.live = record.live.saturating_sub(1);
        }
        self.forget_done(&mut { MOST_DONE });
    }

    /// Forgets the packets that left first, as far as nothing of them is in flight. False if that was more than there is `left`.
    pub(crate) fn forget_done(&mut self, left: &mut usize) -> bool {
        while self.records.front().is_some_and(|record| record.live == 0) {
            if *left == 0 {
                return false;
            }
            *left -= 1;
            self.records.pop_front();
            self.base += 1;
        }
        true
    }

    /// The chunks of the packet that left first and may have something in flight.
    pub(crate) fn first_run(&self) -> Option<Run> {
        self.runs.front().copied()
    }

    pub(crate) fn drop_first_run(&mut self) {
        self.runs.pop_front();
    }

    /// Puts the first run aside if it lies beyond what the last SACK could say something of.
    pub(crate) fn put_aside(&mut self, horizon: Option<Seq>) -> bool {
        let beyond = |run: &mut Run| horizon.is_some_and(|it| run.first > it);
        let run = self.runs.pop_front_if(beyond);
        self.unsaid.extend(run);
        run.is_some()
    }

    /// What was put aside and lies within `horizon` is looked at before all else. False if that was more than there is `left`.
    pub(crate) fn take_back(&mut self, horizon: Option<Seq>, left: &mut usize) -> bool {
        let within = |run: &Run| horizon.is_none_or(|it| run.first <= it);
        loop {
            while !self.returns
                && *left > 0
                && let Some(run) = self.unsaid.pop_front_if(|run| within(run))
            {
                *left -= 1;
                self.returning.push_back(run);
            }
            if self.returning.is_empty() {
                return !self.unsaid.front().is_some_and(within);
            }
            // The last goes first, so that all are in order, and none may follow once it has gone.
            self.returns |= *left > 0;
            while *left > 0
                && let Some(run) = self.returning.pop_back()
            {
                *left -= 1;
                self.runs.push_front(run);
            }
            if !self.returning.is_empty() {
                return false;
            }
            self.returns = false;
        }
    }

    /// The newest packet with something in flight, and its chunks.
    pub(crate) fn newest(&self) -> Option<(PacketNo, impl Iterator<Item = Run> + '_)> {
        let back = self.records.iter().rposition(|record| record.live > 0)?;
        let packet = self.base + back as u64;
        let runs = self
            .runs
            .iter()
            .rev()
            .skip_while(move |run| run.packet > packet);
        Some((
            packet,
            runs.take_while(move |run| run.packet == packet).copied(),
        ))
    }

    pub(crate) fn live(&self) -> usize {
        self.records.iter().map(|it| usize::from(it.live)).sum()
    }
}

const MIN_COMPACT: usize = 64;
/// So many packets are forgotten with one chunk.
const MOST_DONE: usize = 64;
