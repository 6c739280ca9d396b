//! Messages that wait to be cut into chunks, stream by stream.

mod before;
mod beginning;
mod check;
mod limit;
mod outgoing;
mod pace;
mod restart;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry},
    time::Instant,
};

use bytes::Bytes;

use self::{
    before::{Before, outgoing},
    outgoing::{Begun, Outgoing},
};
pub(crate) use self::{
    outgoing::{Limit, Queued},
    pace::Pace,
};
use super::scheduler::Scheduler;
use crate::{StreamId, account::Account, effort, packet::Data, streams::StreamBits};

/// A piece of a message that has its place in a packet.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) payload: Bytes,
    pub(crate) stream: StreamId,
    /// The message's number: the MID, whose low half is the SSN.
    pub(crate) number: u32,
    /// The piece's own.
    pub(crate) fsn: u32,
    pub(crate) ppid: u32,
    /// Of a message that has begun before.
    pub(crate) message: Option<u32>,
    pub(crate) limit: Limit,
    pub(crate) ordered: bool,
    pub(crate) begin: bool,
    pub(crate) end: bool,
}

impl Cut {
    /// U, B and E of its chunk.
    pub(crate) fn flags(&self) -> u8 {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        flag(!self.ordered, Data::UNORDERED)
            | flag(self.begin, Data::BEGIN)
            | flag(self.end, Data::END)
    }
}

/// What would be cut next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// How much is left of it.
    pub(crate) left: usize,
    /// A piece of it has left already.
    pub(crate) begun: bool,
    /// It may begin, or has begun: more numbers of a stream under way, and the peer could not tell the later ones from
    /// earlier ones (RFC 9260 §1.6).
    pub(crate) has_number: bool,
    /// It is the last of a stream that waits for its reset.
    pub(crate) ends_stream: bool,
}

/// All streams' messages, and whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    streams: BTreeMap<StreamId, Box<Outgoing>>,
    scheduler: Scheduler,
    /// A turn is a piece and not a message (RFC 8260 §3).
    interleaved: bool,
    /// No message is given up.
    reliable: bool,
    /// What waits on streams from this one on is being dropped.
    limit: Option<StreamId>,
    /// More than one step stands before what is next: messages that outlived their time, streams of which none may begin yet.
    passing: bool,
    /// Messages of several pieces that have begun: their lengths, and how much is left of all of them.
    begun: BTreeSet<(usize, StreamId)>,
    begun_left: Account,
    /// What the peer has room for, and how much a piece has.
    room: (usize, usize),
    pace: Option<Pace>,
    buffered: Account,
    held: Account,
    unacknowledged: Account,
    /// Streams whose buffered amount fell to their threshold.
    pub(crate) low: VecDeque<StreamId>,
    /// Streams that wait for their reset and have nothing left that has no TSN.
    pub(crate) quiet: VecDeque<StreamId>,
    /// Streams that are being reset and had nothing else that is kept: a peer can bring all of them about.
    unused: StreamBits,
    /// What was there before restarts, and is dropped in steps.
    before: VecDeque<Before>,
}

impl Queue {
    #[inline]
    pub(crate) fn push(&mut self, stream: StreamId, message: Queued) {
        let (length, longest) = (message.payload.len(), self.longest_turn());
        let outgoing = outgoing(&mut self.streams, &self.before, stream);
        if message.counts {
            outgoing.buffered.add(length);
        }
        outgoing.unacknowledged.add(length);
        outgoing.messages.push_back(message);
        if outgoing.messages.len() == 1
            && let Some(cost) = outgoing.next_cost(longest)
        {
            let (position, weight) = (outgoing.position, outgoing.weight);
            // What is not a whole message takes a stream ahead by little, and that would be kept while another catches up.
            let position = if self.interleaved { 0 } else { position };
            self.scheduler.activate(stream, position, weight, cost);
        }
        self.buffered.add(length);
        self.unacknowledged.add(length);
        self.held.add(length + MESSAGE_OVERHEAD);
    }

    /// What is next. Messages that outlived their time are dropped. `None` also where that is more than there is `left`: then
    /// `is_passing`.
    pub(crate) fn peek(
        &mut self,
        now: Instant,
        left: &mut usize,
        abandoned: &mut u64,
    ) -> Option<Next> {
        let mut looks = true;
        loop {
            if !self.admit(self.scheduler.first_parked()) && std::mem::take(&mut looks) {
                self.look_at_parked(now, left, abandoned);
            }
            self.scheduler_turn();
            let stream = self.scheduler.current()?;
            let Some(outgoing) = self.streams.get_mut(&stream) else {
                self.scheduler.deactivate(stream);
                continue;
            };
            let Some(message) = outgoing.messages.front() else {
                self.scheduler.deactivate(stream);
                continue;
            };
            let begun = outgoing.begun.is_some();
            let next = Next {
                left: message.payload.len(),
                begun,
                has_number: begun
                    || !message.ordered
                    || self.interleaved
                    || outgoing.numbered < MAX_NUMBERED,
                ends_stream: outgoing.resetting && outgoing.messages.len() == 1,
            };
            let limit = message.limit;
            let lives = begun || self.reliable || self.can_leave(limit, next.left, now);
            let position = self.scheduler.position().unwrap_or_default();
            if lives && (begun || self.may_begin(stream, position)) {
                return Some(next);
            }
            if *left == 0 {
                self.passing = true;
                return None;
            }
            *left = left.saturating_sub(3 * effort::MESSAGE);
            if lives {
                // It is not asked again in each round: there may be very many of them.
                self.scheduler.park();
            } else {
                *abandoned += 1;
                self.drop_front(stream);
            }
        }
    }

    /// How many bytes leave in a turn: a whole message, or with I-DATA a piece.
    fn longest_turn(&self) -> usize {
        let (_, piece) = self.room;
        if self.interleaved { piece } else { usize::MAX }
    }

    /// Whether `peek` has not come to what is next.
    pub(crate) fn is_passing(&self) -> bool {
        self.passing
    }

    /// Goes on to what is next.
    pub(crate) fn go_on_passing(&mut self, now: Instant, left: &mut usize, abandoned: &mut u64) {
        if std::mem::take(&mut self.passing) {
            self.peek(now, left, abandoned);
        }
    }

    /// How many bytes the peer has room for, and how many a piece has at most.
    pub(crate) fn set_room(&mut self, peer: usize, piece: usize) {
        self.room = (peer, piece);
    }

    /// How fast what waits leaves, if that is known.
    pub(crate) fn set_pace(&mut self, pace: Option<Pace>) {
        self.pace = pace;
    }

    /// Between messages, a stream that is less far on goes first.
    fn scheduler_turn(&mut self) {
        if self.scheduler.is_contended()
            && let Some(stream) = self.scheduler.current()
            && let Some(outgoing) = self.streams.get(&stream)
            && (self.interleaved || outgoing.begun.is_none())
        {
            self.scheduler.yield_turn();
        }
    }

    /// The message that was just begun has this key.
    pub(crate) fn set_key(&mut self, stream: StreamId, key: u32) {
        if let Some(outgoing) = self.streams.get_mut(&stream)
            && let Some(begun) = &mut outgoing.begun
        {
            begun.key = Some(key);
        }
    }

    /// The cumulative TSN has passed an ordered message.
    pub(crate) fn passed(&mut self, stream: StreamId) {
        if let Some(outgoing) = self.streams.get_mut(&stream) {
            if !self.interleaved {
                debug_assert!(outgoing.numbered > 0, "stream {stream}");
                outgoing.numbered = outgoing.numbered.saturating_sub(1);
            }
            if outgoing.ended {
                self.forget_if_done(stream);
            }
        }
    }

    /// Cuts at most `size` bytes off what is next.
    #[inline]
    pub(crate) fn cut(&mut self, size: usize) -> Option<Cut> {
        let stream = self.scheduler.current()?;
        let longest = self.longest_turn();
        let outgoing = self.streams.get_mut(&stream)?;
        let message = outgoing.messages.front_mut()?;
        let before = message.payload.len();
        let begun = outgoing.begun.take();
        let begin = begun.is_none();
        let begun = begun.unwrap_or_else(|| {
            let next = match message.ordered {
                true => &mut outgoing.next_ordered,
                false => &mut outgoing.next_unordered,
            };
            let number = *next;
            *next = next.wrapping_add(1);
            outgoing.numbered += u16::from(message.ordered && !self.interleaved);
            Begun {
                key: None,
                number,
                fsn: 0,
                total: before,
            }
        });
        let end = before <= size;
        match (begin, end) {
            (true, true) => {}
            (true, false) => {
                self.begun.insert((before, stream));
                self.begun_left.add(before - size);
            }
            (false, _) => self.begun_left.take(size.min(before)),
        }
        if end && !begin {
            self.begun.remove(&(begun.total, stream));
        }
        let piece = if end {
            outgoing.messages.pop_front()?
        } else {
            let fsn = begun.fsn.wrapping_add(1);
            outgoing.begun = Some(Begun { fsn, ..begun });
            message.split_to(size)
        };
        let length = piece.payload.len();
        let cut = Cut {
            stream,
            number: begun.number,
            fsn: begun.fsn,
            ppid: piece.ppid,
            message: begun.key,
            limit: match self.reliable {
                true => Limit::NONE,
                false => piece.limit,
            },
            ordered: piece.ordered,
            begin,
            end,
            payload: piece.payload,
        };
        if end || self.interleaved {
            let turn = match self.interleaved {
                true => length,
                false => begun.total,
            };
            outgoing.end_turn(&mut self.scheduler, turn, longest);
        }
        if piece.counts && outgoing.left(length) {
            self.low.push_back(stream);
        }
        if outgoing.resetting && outgoing.messages.is_empty() {
            self.quiet.push_back(stream);
        }
        self.buffered.take(length);
        Some(cut)
    }

    /// Bytes that went out are acknowledged or given up; `end` is whether their message ended with them.
    pub(crate) fn released(&mut self, stream: StreamId, length: usize, end: bool) {
        let overhead = if end { MESSAGE_OVERHEAD } else { 0 };
        self.held.take(length + overhead);
        self.unacknowledged.take(length);
        if let Some(outgoing) = self.streams.get_mut(&stream) {
            // Which life they are of nobody knows: the earlier one left first.
            let earlier = length.min(outgoing.earlier.total());
            outgoing.earlier.take(earlier);
            outgoing.unacknowledged.take(length - earlier);
            if outgoing.ended {
                self.forget_if_done(stream);
            }
        }
    }

    /// The last of an earlier life of the stream has left, and the next one has not begun: that has numbers of its own.
    fn forget_if_done(&mut self, stream: StreamId) {
        let done = self
            .streams
            .get(&stream)
            .is_some_and(|it| it.ended && it.has_all_acknowledged() && it.is_fresh());
        if done {
            self.streams.remove(&stream);
        }
    }

    /// Drops the rest of a message that was given up midway; what would have been its last piece, without bytes.
    pub(crate) fn abandon_rest(&mut self, stream: StreamId, key: u32) -> Option<Cut> {
        let outgoing = self.streams.get(&stream)?;
        let message = outgoing.messages.front()?;
        let begun = outgoing.begun.filter(|it| it.key == Some(key))?;
        let rest = Cut {
            payload: Bytes::new(),
            stream,
            number: begun.number,
            fsn: begun.fsn,
            ppid: message.ppid,
            message: Some(key),
            limit: message.limit,
            ordered: message.ordered,
            begin: false,
            end: true,
        };
        self.drop_front(stream);
        Some(rest)
    }

    fn drop_front(&mut self, stream: StreamId) {
        let Some(outgoing) = self.streams.get_mut(&stream) else {
            return;
        };
        let Some(message) = outgoing.messages.pop_front() else {
            return;
        };
        let length = message.payload.len();
        let begun = outgoing.begun.take();
        if let Some(begun) = begun {
            self.begun.remove(&(begun.total, stream));
            self.begun_left.take(length);
        }
        if message.counts && outgoing.left(length) {
            self.low.push_back(stream);
        }
        // With I-DATA each of its pieces has been a turn.
        if let Some(begun) = begun.filter(|_| !self.interleaved)
            && self.scheduler.is_current(stream)
        {
            outgoing.end_turn(&mut self.scheduler, begun.total - length, usize::MAX);
        } else if outgoing.messages.is_empty() {
            self.scheduler.deactivate(stream);
        }
        if outgoing.resetting && outgoing.messages.is_empty() {
            self.quiet.push_back(stream);
        }
        self.buffered.take(length);
        self.released(stream, length, true);
    }

    /// Marks the stream for a reset; it is in `quiet` at once when nothing waits. False if it was marked.
    pub(crate) fn begin_reset(&mut self, stream: StreamId) -> bool {
        if self.unused.contains(stream) {
            return false;
        }
        let quiet = match self.streams.get_mut(&stream) {
            Some(outgoing) => {
                if std::mem::replace(&mut outgoing.resetting, true) {
                    return false;
                }
                outgoing.messages.is_empty()
            }
            None => {
                self.unused.insert(stream);
                true
            }
        };
        if quiet {
            self.quiet.push_back(stream);
        }
        true
    }

    /// The reset is over; when it was performed the stream begins anew and is forgotten.
    pub(crate) fn end_reset(&mut self, stream: StreamId, performed: bool) {
        self.unused.remove(stream);
        if performed {
            for before in &mut self.before {
                before.streams.entry(stream).and_modify(|old| old.unset());
            }
            let Entry::Occupied(mut entry) = self.streams.entry(stream) else {
                return;
            };
            let outgoing = entry.get_mut();
            // What the peer has, we may not have heard of yet.
            if outgoing.has_all_acknowledged() {
                entry.remove();
                return;
            }
            let mut earlier = outgoing.earlier;
            earlier.add(outgoing.unacknowledged.total());
            **outgoing = Outgoing {
                earlier,
                numbered: outgoing.numbered,
                ended: true,
                ..Outgoing::default()
            };
        } else if let Some(outgoing) = self.streams.get_mut(&stream) {
            outgoing.resetting = false;
        }
    }

    /// Whether the stream waits for its reset, and how many bytes wait on it.
    #[inline]
    pub(crate) fn waiting_on(&self, stream: StreamId) -> (bool, usize) {
        let unused = self.unused.contains(stream);
        let stream = self.streams.get(&stream);
        stream.map_or((unused, 0), |it| {
            (unused || it.resetting, it.buffered.total())
        })
    }

    /// The peer does not know partial reliability, or does.
    pub(crate) fn set_reliable(&mut self, reliable: bool) {
        self.reliable = reliable;
    }

    pub(crate) fn set_interleaved(&mut self, interleaved: bool) {
        self.interleaved = interleaved;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffered.total() == 0
    }

    /// Bytes that count against the send buffer.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.held.total()
    }

    pub(crate) fn total_unacknowledged(&self) -> usize {
        self.unacknowledged.total()
    }

    pub(crate) fn buffered(&self, stream: StreamId) -> usize {
        self.streams.get(&stream).map_or(0, |s| s.buffered.total())
    }

    /// Without what is of an earlier life: the peer has that, as it has performed the reset behind it.
    pub(crate) fn unacknowledged(&self, stream: StreamId) -> usize {
        self.streams
            .get(&stream)
            .map_or(0, |s| s.unacknowledged.total())
    }

    pub(crate) fn set_threshold(&mut self, stream: StreamId, threshold: usize) {
        outgoing(&mut self.streams, &self.before, stream).threshold = threshold;
    }

    pub(crate) fn set_weight(&mut self, stream: StreamId, weight: u16) {
        outgoing(&mut self.streams, &self.before, stream).weight = weight.max(1);
    }
}

/// How many ordered messages of a stream may be under way.
const MAX_NUMBERED: u16 = 32_767;
/// What a message costs beside its bytes: its place in the queue and in the list of chunks under way.
pub(crate) const MESSAGE_OVERHEAD: usize = 128;

#[cfg(test)]
mod tests;
