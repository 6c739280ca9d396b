//! What a SACK says of what is under way.

use std::time::{Duration, Instant};

use super::{
    super::{
        flown::{Kind, PacketNo},
        queue::Queue,
    },
    Fate, Of, Outstanding,
};
use crate::{
    effort,
    packet::{Data, Sack},
    serial::Seq,
};

/// What SACKs brought since they were last judged.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Something was newly acknowledged.
    pub(crate) any: bool,
    /// The cumulative TSN moved.
    pub(crate) advanced: bool,
    /// Newly acknowledged bytes with headers and padding.
    pub(crate) bytes: usize,
    /// Those of them that the SACK before could not speak of: they may have come long ago.
    pub(crate) aside: usize,
    /// Those of them that were sent while the window was all in use.
    pub(crate) limited: usize,
    /// How many packets they were, about.
    pub(crate) packets: u32,
    /// The newest packet that is known to have arrived by itself: its number, when it left and how long that took, as far as that says
    /// something of others.
    pub(crate) newest: Option<(PacketNo, Instant, Duration)>,
    /// The round trip of the newest packet with a chunk that was sent once.
    pub(crate) sample: Option<(PacketNo, Duration)>,
    /// The packets in which chunks were taken as lost that were not.
    pub(crate) proven: Vec<PacketNo>,
    /// Something sent earlier arrived later.
    pub(crate) reordered: bool,
    /// The peer has received twice what we sent twice.
    pub(crate) duplicate: bool,
    /// A probe brought what had been lost.
    pub(crate) probe_loss: bool,
    /// The newest packet among them that was longer than what every path carries; 0 if none was.
    pub(crate) long: PacketNo,
    /// Three packets that were newly acknowledged, the highest first.
    pub(crate) strikes: [PacketNo; 3],
    /// What was in flight before the first of them.
    pub(crate) flight: Option<usize>,
    /// Messages that the peer has taken back and that may not go again.
    pub(crate) abandoned: u64,
}

/// What judging a newly acknowledged chunk needs to know.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) now: Instant,
    pub(crate) min_rtt: Duration,
    /// The least round trip of the last seconds, and the smoothed one.
    pub(crate) least: Duration,
    pub(crate) smoothed: Duration,
    /// What took no longer came just now, or nearly, whatever the SACK before could speak of.
    pub(crate) timely: Duration,
    /// Packets before this one were sent while the window was all in use.
    pub(crate) limited: PacketNo,
    /// The highest number that was acknowledged.
    pub(crate) highest: Seq,
    /// The SACK reports something that was sent again as received twice.
    pub(crate) duplicate: bool,
    /// How far the last SACK said what has come, if not to the end.
    pub(crate) told: Option<Seq>,
    /// How far the SACK says what has come, if it has so many blocks that others may have found no room.
    pub(crate) horizon: Option<Seq>,
    /// How much work may still be done at once.
    pub(crate) left: usize,
}

impl Outstanding {
    /// Whether the SACK can be about what was sent; a stale one or one that runs ahead is not.
    pub(crate) fn accepts(&self, sack: &Sack<'_>) -> bool {
        let outstanding = self.len() as u32;
        let moved = sack.cumulative.distance(self.cumulative().tsn());
        let within = |(_, last)| moved + u32::from(last) <= outstanding;
        // RFC 9260 §6.2.1 D i; a SACK for what was never sent is forged or broken.
        moved <= outstanding && sack.gaps().count() <= MAX_BLOCKS && sack.gaps().all(within)
    }

    /// Takes a SACK that `accepts` let pass, its blocks from `block` on. False if the work was more than there is left: then it is
    /// to be given once more, and `block` is where to go on.
    pub(crate) fn handle_sack(
        &mut self,
        sack: &Sack<'_>,
        block: &mut usize,
        known: &mut Known,
        queue: &mut Queue,
        batch: &mut Batch,
    ) -> bool {
        // The distance is that from a cumulative TSN that was there when it came, or has moved towards its own since.
        let cumulative = self.cumulative().near(sack.cumulative);
        if !self.go_on_taking_back(known, queue, batch) {
            return false;
        }
        while self.base <= cumulative && !self.chunks.is_empty() {
            if known.left == 0 {
                return false;
            }
            batch.advanced = true;
            self.acknowledge(self.base, known, queue, batch);
            self.pass_first(queue);
        }
        while let Some(range) = self.gaps.first_entry()
            && *range.get() <= cumulative
        {
            if known.left == 0 {
                return false;
            }
            known.left = known.left.saturating_sub(effort::RANGE);
            range.remove();
        }
        if self
            .chunks
            .front()
            .is_some_and(|it| it.fate == Fate::Acknowledged)
        {
            self.take_back();
            if !self.go_on_taking_back(known, queue, batch) {
                return false;
            }
        }
        if self.reneged > MAX_RENEGED {
            return true;
        }
        let last = sack.gaps().last().filter(|_| self.is_full_sack(sack));
        known.horizon = last.map(|(_, last)| cumulative.plus(last.into()));
        for (first, last) in sack.gaps().skip(*block) {
            if known.left == 0 {
                return false;
            }
            // A block that starts at 1 would be part of the cumulative TSN.
            if first >= 2 && first <= last {
                let range = (cumulative.plus(first.into()), cumulative.plus(last.into()));
                if !self.cover(range, known, queue, batch) {
                    return false;
                }
            }
            known.left = known.left.saturating_sub(effort::KNOWN);
            *block += 1;
        }
        true
    }

    /// Whether the SACK may have left blocks out. Who has named more than the few that some name at most has room for many.
    fn is_full_sack(&mut self, sack: &Sack<'_>) -> bool {
        let blocks = sack.gaps().count();
        self.most_blocks = self.most_blocks.max(blocks);
        let room = if self.names_few_blocks() { FEW } else { MANY };
        blocks >= room
    }

    pub(crate) fn names_few_blocks(&self) -> bool {
        self.most_blocks <= FEW
    }

    /// The first chunk has been passed by the cumulative TSN.
    fn pass_first(&mut self, queue: &mut Queue) {
        let Some(chunk) = self.chunks.pop_front() else {
            return;
        };
        // All that is passed has been acknowledged.
        self.beyond.take(Self::kept(chunk.payload.len()));
        self.base = self.base.next();
        let key = match chunk.of {
            Of::Alone { stream, .. } => {
                if chunk.flags & Data::UNORDERED == 0 {
                    queue.passed(stream);
                }
                return;
            }
            Of::Message { key, .. } => key,
        };
        if let Some(message) = self.messages.get_mut(key as usize) {
            message.chunks -= 1;
            if message.chunks == 0 && !message.queued {
                if message.ordered {
                    queue.passed(message.stream);
                }
                if let Some(at) = message.limit.expires {
                    self.expiries.remove(&(at, key));
                }
                self.messages.remove(key as usize);
            }
        }
    }

    /// Notes that all of `first..=last` has been received. It costs a search, what is new, and the ranges that become
    /// one with it. False if that was more than there is left.
    fn cover(
        &mut self,
        (first, last): (Seq, Seq),
        known: &mut Known,
        queue: &mut Queue,
        batch: &mut Batch,
    ) -> bool {
        let (mut start, mut cursor) = (first, first);
        if let Some((&before, &until)) = self.gaps.range(..=first).next_back()
            && until.next() >= first
        {
            if until >= last {
                return true;
            }
            self.gaps.remove(&before);
            (start, cursor) = (before, until.next());
        }
        loop {
            let next = self.gaps.range(cursor..).next();
            let next = next.map(|(next, until)| (*next, *until));
            let next = next.filter(|(next, _)| *next <= last.next());
            let end = next.map_or(last, |(next, _)| next.previous());
            cursor = self.fill_hole((cursor, end), known, queue, batch);
            if cursor <= end {
                if cursor > start {
                    self.gaps.insert(start, cursor.previous());
                }
                return false;
            }
            let Some((next, until)) = next else {
                self.gaps.insert(start, cursor.previous());
                known.left = known.left.saturating_sub(effort::FOUND);
                return true;
            };
            known.left = known.left.saturating_sub(effort::RANGE);
            self.gaps.remove(&next);
            cursor = until.next();
        }
    }

    /// As far as there is work left: the first of the hole that is not noted yet.
    fn fill_hole(
        &mut self,
        (first, last): (Seq, Seq),
        known: &mut Known,
        queue: &mut Queue,
        batch: &mut Batch,
    ) -> Seq {
        for number in first.0..=last.0 {
            if known.left == 0 {
                return Seq(number);
            }
            self.acknowledge(Seq(number), known, queue, batch);
        }
        first.max(last.next())
    }

    fn acknowledge(&mut self, seq: Seq, known: &mut Known, queue: &mut Queue, batch: &mut Batch) {
        let Some(chunk) = self.get_mut(seq) else {
            return;
        };
        let was = std::mem::replace(&mut chunk.fate, Fate::Acknowledged);
        let (length, packet, tries) = (chunk.payload.len(), chunk.packet, chunk.tries);
        let (end, of) = (chunk.flags & Data::END != 0, chunk.of);
        let aside = std::mem::take(&mut chunk.aside);
        let released = std::mem::replace(&mut chunk.released, true);
        if !released && let Some(stream) = self.stream(of) {
            queue.released(stream, length, end);
        }
        if was != Fate::Acknowledged {
            self.beyond.add(Self::kept(length));
            if let Of::Message { key, .. } = of
                && let Some(message) = self.messages.get_mut(key as usize)
            {
                message.missing -= 1;
            }
        }
        let size = self.size(length);
        let weight = effort::CHUNK + if end { effort::MESSAGE } else { 0 };
        known.left = known.left.saturating_sub(weight);
        match was {
            Fate::Acknowledged | Fate::Abandoned => return,
            Fate::Lost => {
                known.left = known.left.saturating_sub(effort::LOST);
                self.lost.remove(&seq);
                self.prove(seq, batch);
            }
            Fate::InFlight => {
                self.flight.remove(length, size, aside);
                // The SACK before could not have said that it had come.
                let late = aside || known.told.is_some_and(|told| seq > told);
                if late && !self.is_timely(packet, known) {
                    batch.aside += size;
                }
                self.arrived(seq, (packet, tries, late), known, batch);
                self.packets.done(packet);
            }
        }
        batch.any = true;
        batch.bytes += size;
        if packet < known.limited {
            batch.limited += size;
        }
        if tries == 1 {
            // RFC 8985 §6.2 step 3: it was not sent again, and something sent after it came before it.
            batch.reordered |= seq < known.highest;
        }
        known.highest = known.highest.max(seq);
    }

    fn is_timely(&self, packet: PacketNo, known: &Known) -> bool {
        let record = self.packets.get(packet);
        record.is_some_and(|it| known.now.saturating_duration_since(it.at) <= known.timely)
    }

    /// A chunk that was in flight has arrived: what that says of the packet it went in.
    fn arrived(
        &mut self,
        seq: Seq,
        (packet, tries, late): (PacketNo, u16, bool),
        known: &Known,
        batch: &mut Batch,
    ) {
        // Another chunk of the packet has said it already.
        if tries == 1 && batch.sample.is_some_and(|(newest, _)| newest == packet) {
            return;
        }
        let Some(record) = self.packets.get(packet).copied() else {
            return;
        };
        if record.kind == Kind::Window {
            return;
        }
        if record.long {
            batch.long = batch.long.max(packet);
        }
        let age = known.now.saturating_duration_since(record.at);
        // RFC 8985 §6.2 step 2: so soon, it was the first copy.
        if tries > 1 && age < known.min_rtt {
            self.prove(seq, batch);
            if let Some((first, at)) = self.asked.filter(|_| record.kind == Kind::Probe)
                && batch.newest.is_none_or(|(newest, ..)| first > newest)
            {
                let age = known.now.saturating_duration_since(at);
                batch.newest = Some((first, at, age));
            }
            return;
        }
        if tries > 1 && record.kind == Kind::Probe && !known.duplicate {
            // RFC 8985 §7.4.2: the probe has repaired a loss.
            batch.probe_loss = true;
        }
        // What was sent again may have come in its first copy all the same. Sooner than anything has of late, that says nothing of how long
        // the others under way take.
        let trip = match tries > 1 && age < known.least {
            true => known.smoothed,
            false => age,
        };
        if batch.newest.is_none_or(|(newest, ..)| packet > newest) {
            batch.newest = Some((packet, record.at, trip));
        }
        // RFC 9260 §6.3.1 C5: Karn's rule. Of what is told late nobody knows when it came.
        if tries == 1 && !late && batch.sample.is_none_or(|(newest, _)| packet > newest) {
            batch.sample = Some((packet, age));
        }
        let [first, second, third] = batch.strikes;
        let fresh = packet != first && packet != second && packet != third;
        batch.packets += u32::from(fresh);
        batch.strikes = match packet {
            _ if !fresh => batch.strikes,
            it if it > first => [it, first, second],
            it if it > second => [first, it, second],
            it if it > third => [first, second, it],
            _ => batch.strikes,
        };
    }

    /// The chunk was taken as lost and was not: one time, and the last of which that is not known.
    fn prove(&mut self, seq: Seq, batch: &mut Batch) {
        let chunk = self.get_mut(seq);
        let blamed = chunk.and_then(|it| std::mem::take(&mut it.blamed).then_some(it.packet));
        let packet = blamed.or_else(|| {
            let packet = self.resent_in(seq)?;
            self.resent.remove(&(seq, packet));
            // It has come, and what was sent again has or will: that is what the report of a duplicate would say.
            batch.duplicate = true;
            Some(packet)
        });
        if let Some(packet) = packet {
            batch.reordered = true;
            batch.proven.push(packet);
        }
    }

    /// The last packet that was lost with the chunk before it was sent again, if not all of them are known to have come.
    fn resent_in(&self, seq: Seq) -> Option<PacketNo> {
        let mut packets = self.resent.range((seq, 0)..=(seq, PacketNo::MAX));
        packets.next_back().map(|(_, packet)| *packet)
    }

    /// The peer reports what it has received twice. What we did not send again the network has doubled: that says nothing
    /// of us. `place` is where to go on, as with `handle_sack`; false if there is more.
    pub(crate) fn handle_duplicates(
        &mut self,
        sack: &Sack<'_>,
        place: &mut usize,
        known: &mut Known,
        batch: &mut Batch,
    ) -> bool {
        for tsn in sack.duplicates().take(MAX_BLOCKS).skip(*place) {
            if known.left == 0 {
                return false;
            }
            known.left = known.left.saturating_sub(effort::LOST);
            *place += 1;
            let seq = self.base.near(tsn);
            known.duplicate |= self.get(seq).is_some_and(|chunk| chunk.tries > 1);
            if self.resent_in(seq).is_some() {
                known.duplicate = true;
                batch.duplicate = true;
                known.left = known.left.saturating_sub(effort::LOST);
                self.prove(seq, batch);
            }
        }
        true
    }

    /// The peer took back what it had acknowledged beyond a gap (RFC 9260 §6.2.1): the first chunk cannot be both next
    /// and received. What was reported is not known any more, and is sent again; the path is not to blame.
    fn take_back(&mut self) {
        self.reneged = self.reneged.saturating_add(1);
        self.taken_back = Some(self.base);
    }

    /// False if that was more than there is left.
    fn go_on_taking_back(
        &mut self,
        known: &mut Known,
        queue: &mut Queue,
        batch: &mut Batch,
    ) -> bool {
        let Some(from) = self.taken_back else {
            return true;
        };
        let left = &mut known.left;
        while !self.gaps.is_empty() {
            if *left == 0 {
                return false;
            }
            *left = left.saturating_sub(effort::RANGE);
            self.gaps.pop_first();
        }
        let first = usize::try_from(from.since(self.base)).unwrap_or(0);
        for index in first..self.chunks.len() {
            let seq = self.base.plus(index as u64);
            if *left == 0 {
                self.taken_back = Some(seq);
                return false;
            }
            *left = left.saturating_sub(effort::CHUNK);
            let Some(chunk) = self.get_mut(seq) else {
                break;
            };
            if chunk.fate != Fate::Acknowledged {
                continue;
            }
            chunk.fate = Fate::Lost;
            chunk.blamed = false;
            let (of, length) = (chunk.of, chunk.payload.len());
            self.beyond.take(Self::kept(length));
            if let Of::Message { key, .. } = of
                && let Some(message) = self.messages.get_mut(key as usize)
            {
                message.missing += 1;
            }
            *left = left.saturating_sub(effort::LOST);
            self.lost.insert(seq);
            self.limit(seq, known.now, queue, &mut batch.abandoned, left);
        }
        self.taken_back = None;
        true
    }
}

/// So many blocks dcSCTP names at most, and so many have room in a packet, of ours too.
const FEW: usize = 20;
const MANY: usize = 200;
/// Who has taken back so often is believed in order only: all that is under way is counted each time, and none of it has to be sent again
/// for that.
const MAX_RENEGED: u8 = 8;
/// A SACK with more gap ack blocks fits no packet that a path of today carries; of its duplicates no more are looked at.
pub(crate) const MAX_BLOCKS: usize = 400;
