//! Packets with data: when each left, and what of it is still under way.

use std::time::Instant;

use crate::{blocks, serial::Seq};

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

/// How far a SACK speaks that had not room for all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    pub(crate) last: Seq,
    /// What left by then has been waited for long enough.
    pub(crate) waited: Option<Instant>,
}

impl Horizon {
    /// Whether nothing can be said yet of what begins here and left then.
    fn hides(&self, first: Seq, at: Option<Instant>) -> bool {
        first > self.last && (at.is_none() || at > self.waited)
    }
}

impl Run {
    /// Their numbers.
    pub(crate) fn seqs(self) -> impl Iterator<Item = Seq> {
        (0..self.count).map(move |offset| self.first.plus(offset.into()))
    }
}

/// The packets of which something is in flight, and their chunks in the order of sending.
#[derive(Debug)]
pub(crate) struct Packets {
    /// The numbers of the first record, and of the one after the last.
    base: PacketNo,
    next: PacketNo,
    records: blocks::Queue<Flown>,
    /// How many of them have something in flight, and how many of those are longer than what every path carries.
    live: usize,
    long: usize,
    /// Those that were looked at and kept, as something of their packets is in flight, and those behind them.
    kept: blocks::Queue<Run>,
    runs: blocks::Queue<Run>,
    /// Runs that left before those, of which the last SACK could not say anything.
    unsaid: blocks::Queue<Run>,
    /// Those of them that are on their way back, and whether all are there.
    returning: blocks::Queue<Run>,
    returns: bool,
}

impl Packets {
    pub(crate) fn new() -> Self {
        Self {
            base: 1,
            next: 1,
            records: blocks::Queue::new(),
            live: 0,
            long: 0,
            kept: blocks::Queue::new(),
            runs: blocks::Queue::new(),
            unsaid: blocks::Queue::new(),
            returning: blocks::Queue::new(),
            returns: false,
        }
    }

    /// The number that the next packet will have.
    pub(crate) fn next(&self) -> PacketNo {
        self.next
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
        let number = self.next;
        self.next += 1;
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
            self.long += 1;
        }
    }

    /// Whether something is in flight, and all of it went out in such packets.
    pub(crate) fn all_long(&self) -> bool {
        self.live > 0 && self.long == self.live
    }

    /// Whether one packet alone has something in flight.
    pub(crate) fn is_single(&self) -> bool {
        self.live == 1
    }

    /// So many chunks go into the packet that was opened last.
    pub(crate) fn add(&mut self, first: Seq, count: u16) {
        let packet = self.next - 1;
        if let Some(record) = self.records.back_mut() {
            self.live += usize::from(record.live == 0);
            record.live = record.live.saturating_add(count);
        }
        if let Some(run) = self.runs.back_mut()
            && run.packet == packet
            && run.first.plus(run.count.into()) == first
        {
            run.count += count;
            return;
        }
        self.compact();
        self.runs.push_back(Run {
            packet,
            first,
            count,
        });
    }

    /// Where most of the runs are over, behind one that is not, a few are looked at with each that comes, and those that are over go.
    fn compact(&mut self) {
        if self.kept.len() + self.runs.len() < MIN_COMPACT + 2 * self.live {
            return;
        }
        for _ in 0..COMPACTED {
            let Some(run) = self.runs.pop_front() else {
                std::mem::swap(&mut self.runs, &mut self.kept);
                return;
            };
            if self.get(run.packet).is_some_and(|it| it.live > 0) {
                self.kept.push_back(run);
            }
        }
    }

    /// A chunk of this packet is not in flight any more.
    pub(crate) fn done(&mut self, packet: PacketNo) {
        let index = packet.checked_sub(self.base).map(|index| index as usize);
        if let Some(record) = index.and_then(|index| self.records.get_mut(index)) {
            debug_assert!(record.live > 0, "packet {packet}");
            record.live = record.live.saturating_sub(1);
            if record.live == 0 {
                self.live -= 1;
                self.long -= usize::from(record.long);
                self.forget_done(&mut { MOST_DONE });
            }
        }
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
        self.kept.front().or(self.runs.front()).copied()
    }

    pub(crate) fn drop_first_run(&mut self) {
        self.first_runs().pop_front();
    }

    /// Where the first run stands.
    fn first_runs(&mut self) -> &mut blocks::Queue<Run> {
        match self.kept.is_empty() {
            true => &mut self.runs,
            false => &mut self.kept,
        }
    }

    /// Whether the first run lies beyond the last of what a SACK could speak of.
    pub(crate) fn is_first_beyond(&self, last: Option<Seq>) -> bool {
        let first = self.first_run().map(|run| run.first);
        last.is_some_and(|last| first > Some(last))
    }

    /// The same, and it has not been waited for long enough.
    pub(crate) fn is_first_hidden(&self, horizon: Option<Horizon>) -> bool {
        self.first_run().is_some_and(|run| self.hides(horizon, run))
    }

    fn hides(&self, horizon: Option<Horizon>, run: Run) -> bool {
        let at = self.get(run.packet).map(|record| record.at);
        horizon.is_some_and(|horizon| horizon.hides(run.first, at))
    }

    /// Puts the first run aside.
    pub(crate) fn put_aside(&mut self) -> Option<Run> {
        let run = self.first_runs().pop_front()?;
        self.unsaid.push_back(run);
        Some(run)
    }

    /// What was put aside and is not hidden any more is looked at before all else. False if that was more than there is `left`.
    pub(crate) fn take_back(&mut self, horizon: Option<Horizon>, left: &mut usize) -> bool {
        loop {
            while !self.returns
                && *left > 0
                && let Some(run) = self.unsaid.front().copied()
                && !self.hides(horizon, run)
            {
                *left -= 1;
                self.unsaid.pop_front();
                self.returning.push_back(run);
            }
            if self.returning.is_empty() {
                let next = self.unsaid.front().copied();
                return next.is_none_or(|run| self.hides(horizon, run));
            }
            // The last goes first, so that all are in order, and none may follow once it has gone.
            self.returns |= *left > 0;
            while *left > 0
                && let Some(run) = self.returning.pop_back()
            {
                *left -= 1;
                self.first_runs().push_front(run);
            }
            if !self.returning.is_empty() {
                return false;
            }
            self.returns = false;
        }
    }

    /// The newest packet with something in flight, and its chunks, also those that were put aside. `None` too where more than a few
    /// hundred packets or runs that are over stand behind it.
    pub(crate) fn newest(&self) -> Option<(PacketNo, impl Iterator<Item = Run> + '_)> {
        let last = self.records.iter().rev().take(MOST_BEHIND);
        let behind = last.take_while(|record| record.live == 0).count();
        let back = self.records.len().checked_sub(behind + 1)?;
        let packet = self.base + back as u64;
        self.get(packet).filter(|record| record.live > 0)?;
        let runs = self.kept.iter().chain(self.runs.iter());
        let lists = [&self.unsaid, &self.returning].map(|list| list.iter().rev());
        let of_packet = move |run: &&Run| run.packet == packet;
        let behind = move |run: &&Run| run.packet > packet;
        let aside = lists.into_iter().flat_map(move |list| {
            let last = list.take(MOST_BEHIND);
            last.skip_while(behind).take_while(of_packet)
        });
        let runs = runs.rev().take(MOST_BEHIND).skip_while(behind);
        let runs = runs.take_while(of_packet);
        Some((packet, runs.chain(aside).copied()))
    }

    /// Drops the last of each of what there is. False if there is nothing.
    pub(crate) fn pop_back(&mut self) -> bool {
        let record = self.records.pop_back().is_some();
        let runs = [&mut self.kept, &mut self.runs];
        let aside = [&mut self.unsaid, &mut self.returning];
        let lists = runs.into_iter().chain(aside);
        lists.fold(record, |any, list| any | list.pop_back().is_some())
    }

    pub(crate) fn live_chunks(&self) -> usize {
        self.records.iter().map(|it| usize::from(it.live)).sum()
    }
}

/// Fewer runs than that, and two for each packet with something in flight, are left alone.
const MIN_COMPACT: usize = 64;
const COMPACTED: usize = 4;
/// So many packets are forgotten with one chunk.
const MOST_DONE: usize = 64;
/// Behind the newest packet that has something in flight so many others are looked at.
const MOST_BEHIND: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Its chunks may stand in two runs, of which one is put aside.
    #[test]
    fn the_newest_is_found_where_it_is_aside() {
        let mut packets = Packets::new();
        for first in 0..3 {
            packets.open(oxirtc_netsim::epoch(), Kind::Data);
            packets.add(Seq(10 * first), 1);
            packets.add(Seq(10 * first + 5), 1);
        }
        let newest = |packets: &Packets| {
            let (packet, runs) = packets.newest()?;
            let mut first = Vec::from_iter(runs.map(|run| run.first.0));
            first.sort_unstable();
            Some((packet, first))
        };
        for aside in 0..=6 {
            assert_eq!(newest(&packets), Some((3, vec![20, 25])), "{aside}");
            packets.put_aside();
        }
        // On its way back.
        assert!(!packets.take_back(None, &mut 3));
        assert_eq!(newest(&packets), Some((3, vec![20, 25])));
        (0..2).for_each(|_| packets.done(3));
        assert_eq!(newest(&packets), Some((2, vec![10, 15])));
    }

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(200))]

        /// Whatever becomes of them, runs stay in the order of sending, and no more are kept than the packets in flight need.
        #[test]
        fn runs_stay_in_order_and_few(steps in proptest::collection::vec((0u8..4, 1u64..400), 1..30)) {
            let now = oxirtc_netsim::epoch();
            let mut packets = Packets::new();
            let mut live = std::collections::BTreeSet::new();
            let mut most = 0;
            for (step, count) in steps {
                for _ in 0..count {
                    if step < 2 {
                        let packet = packets.open(now, Kind::Data);
                        packets.add(Seq(packet), 1);
                        live.insert(packet);
                    } else {
                        // The first, or those behind it.
                        let nth = if step == 2 { 0 } else { live.len() / 2 };
                        let Some(packet) = live.iter().nth(nth).copied() else {
                            break;
                        };
                        live.remove(&packet);
                        packets.done(packet);
                    }
                    most = most.max(live.len());
                }
                let kept = packets.kept.iter().chain(packets.runs.iter());
                let kept = Vec::from_iter(kept.map(|run| run.packet));
                prop_assert!(kept.is_sorted());
                let flying = kept.iter().filter(|packet| live.contains(packet));
                prop_assert!(flying.eq(&live));
                prop_assert!(kept.len() <= MIN_COMPACT + 3 * most, "{} for {most}", kept.len());
                let last = live.last().filter(|last| packets.next() - **last <= MOST_BEHIND as u64);
                let newest = packets.newest().map(|(packet, runs)| (packet, runs.count()));
                prop_assert_eq!(newest, last.map(|packet| (*packet, 1)));
            }
            prop_assert_eq!(packets.live, live.len());
        }
    }
}
