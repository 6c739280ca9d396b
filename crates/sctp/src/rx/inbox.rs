//! Messages by stream: waiting for their turn, or to be read.

use std::collections::{BTreeMap, VecDeque, btree_map::Entry};

use super::reassembly::{Completed, Payload};
use crate::{Message, Mid, Ssn, StreamId, account::Account, blocks, effort};

/// What has come for each stream. A stream with nothing to read and nothing waiting has no entry: its next number is
/// four bytes in a table of pages.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    streams: BTreeMap<StreamId, Incoming>,
    /// Ordered messages whose turn has not come.
    waiting: BTreeMap<(StreamId, u32), Stored>,
    /// Streams whose next messages wait although their turn has come, as they are handed out in steps; and the number up to
    /// which what has not come is passed over.
    due: BTreeMap<StreamId, Option<u32>>,
    expected: Numbers,
    /// How often the peer has restarted the association; it wraps.
    restarts: u8,
    /// How many messages can be read.
    readable: Account,
    cost: Account,
    /// For how many items there is room in `streams`.
    room: Account,
    /// Streams to announce as readable, each once.
    announce: VecDeque<StreamId>,
}

/// A message's number in its stream, as its chunk has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Ssn(Ssn),
    Mid(Mid),
}

/// The receiving side of a stream.
#[derive(Debug, Default)]
struct Incoming {
    ready: blocks::Queue<Item>,
    /// How many of its messages wait for their turn. They keep the entry, so that all of them can be handed out at once and cost no more.
    waiting: u32,
    /// `Readable` was said or is about to be, and `read` has not returned `None` since.
    announced: bool,
    /// It stands among those to announce, and so keeps its entry.
    listed: bool,
}

#[derive(Debug)]
enum Item {
    Message(Stored),
    /// The peer reset the stream here.
    Reset,
}

/// A message as it is kept: its pieces are put together by who reads it, not by who takes its last packet.
#[derive(Debug)]
struct Stored {
    ppid: u32,
    ordered: bool,
    /// How often the association had been restarted.
    restarts: u8,
    /// The peer reset the stream behind it: when it is read, that stands in its place. So no list grows by a reset, for which nobody
    /// asks whether there is room.
    last: bool,
    payload: Payload,
}

impl Inbox {
    /// The memory that complete messages take, and room beyond what their cost has in it.
    pub(crate) fn cost(&self) -> usize {
        self.cost.total() + self.room_beyond() * size_of::<Item>()
    }

    /// For how many items more there is room than is worth keeping for what comes next.
    fn room_beyond(&self) -> usize {
        let kept = 2 * self.readable.total() + SPARE;
        self.room.total().saturating_sub(kept)
    }

    /// What a message of this length takes at most.
    pub(crate) fn cost_of(payload: usize) -> usize {
        payload + MESSAGE_COST + STREAM_COST
    }

    /// `number` is the message's number if it is ordered.
    pub(crate) fn deliver(&mut self, completed: Completed, number: Number) {
        let stream = completed.stream;
        let message = Stored {
            ppid: completed.ppid,
            ordered: completed.ordered,
            restarts: self.restarts,
            last: false,
            payload: completed.payload,
        };
        if message.ordered {
            let expected = self.expected.get(stream);
            let number = number.near(expected);
            let place = (stream, number);
            // A number that was passed over is of no use any more, nor is one that has come.
            if is_before(number, expected) || self.waiting.contains_key(&place) {
                return;
            }
            if number != expected {
                self.cost.add(message.cost());
                self.incoming(stream).waiting += 1;
                self.waiting.insert(place, message);
                return;
            }
            let next = number.wrapping_add(1);
            self.expected.set(stream, next);
            if self.waiting.contains_key(&(stream, next)) {
                self.due.entry(stream).or_insert(None);
            }
        }
        self.cost.add(message.cost());
        self.hand_out(stream, message);
    }

    /// Whether the number stands before the one that is expected.
    pub(crate) fn is_past(&self, stream: StreamId, number: Number) -> bool {
        let expected = self.expected.get(stream);
        is_before(number.near(expected), expected)
    }

    /// Whether messages of the stream are still to be handed out, so that its numbers reach further than is expected.
    pub(crate) fn is_due(&self, stream: StreamId) -> bool {
        self.due.contains_key(&stream)
    }

    /// Whether messages of any stream are.
    pub(crate) fn is_releasing(&self) -> bool {
        !self.due.is_empty()
    }

    fn incoming(&mut self, stream: StreamId) -> &mut Incoming {
        let cost = &mut self.cost;
        match self.streams.entry(stream) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                cost.add(STREAM_COST);
                entry.insert(Incoming::default())
            }
        }
    }

    /// Whether there is a message to read on any stream.
    pub(crate) fn is_readable(&self) -> bool {
        self.readable.total() > 0
    }

    fn hand_out(&mut self, stream: StreamId, message: Stored) {
        self.readable.add(1);
        let incoming = self.incoming(stream);
        let more = incoming.ready.push_back(Item::Message(message));
        let is_news = !std::mem::replace(&mut incoming.announced, true);
        if is_news && !std::mem::replace(&mut incoming.listed, true) {
            self.announce.push_back(stream);
        }
        self.room.add(more);
    }

    /// The next stream that has become readable.
    pub(crate) fn next_readable(&mut self) -> Option<StreamId> {
        while let Some(stream) = self.announce.pop_front() {
            if self.announce.capacity() > 4 * self.announce.len() + ANNOUNCED {
                self.announce.shrink_to_fit();
            }
            let Some(incoming) = self.streams.get_mut(&stream) else {
                continue;
            };
            incoming.listed = false;
            if incoming.announced {
                return Some(stream);
            }
            // It has been read meanwhile.
            self.forget_if_empty(stream);
        }
        None
    }

    /// Hands out what is due. False if what is `left` did not suffice.
    pub(crate) fn release(&mut self, left: &mut usize) -> bool {
        while let Some((&stream, _)) = self.due.first_key_value() {
            if !self.release_of(stream, left) {
                return false;
            }
        }
        true
    }

    /// Hands out what is due of one stream, in order.
    fn release_of(&mut self, stream: StreamId, left: &mut usize) -> bool {
        let Some(&until) = self.due.get(&stream) else {
            return true;
        };
        let mut next = self.expected.get(stream);
        while effort::take(left, effort::TOUCHED) {
            let until = until.filter(|until| !is_before(*until, next));
            let number = until.map_or(Some(next), |until| self.first_waiting(stream, next, until));
            let message = number.and_then(|number| self.take_waiting(stream, number));
            match (message, number.or(until)) {
                (Some(message), Some(number)) => {
                    self.hand_out(stream, message);
                    next = number.wrapping_add(1);
                }
                (None, Some(_)) if until.is_none() => {
                    self.due.remove(&stream);
                    break;
                }
                (_, passed) => next = passed.unwrap_or(next).wrapping_add(1),
            }
        }
        self.expected.set(stream, next);
        !self.is_due(stream)
    }

    fn take_waiting(&mut self, stream: StreamId, number: u32) -> Option<Stored> {
        let message = self.waiting.remove(&(stream, number))?;
        if let Some(incoming) = self.streams.get_mut(&stream) {
            incoming.waiting -= 1;
        }
        Some(message)
    }

    /// The first message that waits from one number to another; numbers wrap.
    fn first_waiting(&self, stream: StreamId, first: u32, last: u32) -> Option<u32> {
        let parts = match first <= last {
            true => [(first, last), (1, 0)],
            false => [(first, u32::MAX), (0, last)],
        };
        let parts = parts.into_iter().filter(|(first, last)| first <= last);
        let mut found = parts.filter_map(|(first, last)| {
            let mut range = self.waiting.range((stream, first)..=(stream, last));
            range.next().map(|((_, number), _)| *number)
        });
        found.next()
    }

    /// RFC 3758 §3.6: the sender gave up this message and those before it. What did come up to the number is handed out, in
    /// order.
    pub(crate) fn skip(&mut self, stream: StreamId, number: Number) {
        let expected = self.expected.get(stream);
        let number = number.near(expected);
        if is_before(number, expected) {
            return;
        }
        let until = self.due.entry(stream).or_default().get_or_insert(number);
        if is_before(*until, number) {
            *until = number;
        }
        // So that it is known at once that there is something to read.
        self.release_of(stream, &mut { FIRST });
    }

    /// The next message, unless it has the identifier `but`: then it stays. With `None` nothing is [armed](Self::rearm) again.
    pub(crate) fn read(&mut self, stream: StreamId, but: Option<u32>) -> Option<Message> {
        let incoming = self.streams.get_mut(&stream)?;
        if let Some(message) = incoming.next_unless(but) {
            self.cost.take(message.cost());
            self.readable.take(1);
            let is_last = incoming.ready.is_empty();
            // A stream that fills and empties keeps its room; very many that were long once do not.
            if self.room_beyond() > 0
                && let Some(incoming) = self.streams.get_mut(&stream)
            {
                self.room.take(incoming.ready.fit());
            }
            if is_last {
                self.release_of(stream, &mut { FIRST });
            }
            return Some(Message {
                stream,
                ppid: message.ppid,
                ordered: message.ordered,
                payload: message.payload.concat(),
            });
        }
        None
    }

    /// Drops all there is. False if what is `left` did not suffice.
    pub(crate) fn let_go(&mut self, left: &mut usize) -> bool {
        while let Some(mut entry) = self.waiting.first_entry() {
            if !entry.get_mut().free(left, &mut self.cost) {
                return false;
            }
            let (stream, number) = *entry.key();
            self.take_waiting(stream, number);
        }
        while let Some(mut entry) = self.streams.first_entry() {
            let ready = &mut entry.get_mut().ready;
            while let Some(item) = ready.back_mut() {
                if let Item::Message(message) = item {
                    if !message.free(left, &mut self.cost) {
                        return false;
                    }
                    self.readable.take(1);
                }
                let before = ready.room();
                ready.pop_back();
                self.room.take(before - ready.room());
            }
            if !effort::take(left, effort::TOUCHED) {
                return false;
            }
            self.room.take(entry.remove().ready.room());
            self.cost.take(STREAM_COST);
        }
        while !self.due.is_empty() && effort::take(left, effort::TOUCHED) {
            self.due.pop_first();
        }
        self.due.is_empty()
    }

    /// What was ready has been read.
    pub(crate) fn rearm(&mut self, stream: StreamId) {
        let Some(incoming) = self.streams.get_mut(&stream) else {
            return;
        };
        match incoming.ready.front() {
            Some(Item::Message(_)) => {}
            Some(Item::Reset) => {
                incoming.ready.pop_front();
                if incoming.ready.is_empty() {
                    incoming.announced = false;
                    self.forget_if_empty(stream);
                } else if !std::mem::replace(&mut incoming.listed, true) {
                    // What follows belongs to the stream's next life, and is announced anew.
                    self.announce.push_back(stream);
                }
            }
            None => {
                incoming.announced = false;
                self.forget_if_empty(stream);
            }
        }
    }

    /// What comes from now on is of a restarted association.
    pub(crate) fn restart(&mut self) {
        self.restarts = self.restarts.wrapping_add(1);
    }

    /// Whether the next message to read had come before the association was restarted.
    pub(crate) fn is_from_before(&self, stream: StreamId) -> bool {
        let next = self.streams.get(&stream).and_then(|it| it.ready.front());
        matches!(next, Some(Item::Message(message)) if message.restarts != self.restarts)
    }

    pub(crate) fn peek(&self, stream: StreamId) -> Option<(u32, usize)> {
        match self.streams.get(&stream)?.ready.front()? {
            Item::Message(message) => Some((message.ppid, message.payload.len())),
            Item::Reset => None,
        }
    }

    /// RFC 6525 §5.2.2 E3: the stream's next SSN is 0. False if what is `left` did not suffice.
    pub(crate) fn reset(&mut self, stream: StreamId, left: &mut usize) -> bool {
        if !effort::take(left, effort::TOUCHED) {
            return false;
        }
        let range = (stream, 0)..=(stream, u32::MAX);
        while let Some((&(_, number), message)) = self.waiting.range_mut(range.clone()).next() {
            if !message.free(left, &mut self.cost) {
                return false;
            }
            self.take_waiting(stream, number);
        }
        self.expected.set(stream, 0);
        if let Some(incoming) = self.streams.get_mut(&stream) {
            match incoming.ready.back_mut() {
                Some(Item::Message(message)) => message.last = true,
                // Where all has been read `None` has not been said yet, and is to stand before what follows.
                None if incoming.announced => self.room.add(incoming.ready.push_back(Item::Reset)),
                Some(Item::Reset) | None => {}
            }
            self.forget_if_empty(stream);
        }
        true
    }

    /// Resets streams that something is kept of, from `from` on; what is ready can still be read. False if what is `left`
    /// did not suffice: `from` is where to go on.
    pub(crate) fn reset_all(&mut self, from: &mut usize, left: &mut usize) -> bool {
        loop {
            let first = StreamId::try_from(*from).ok();
            let kept = first.and_then(|first| self.streams.range(first..).next());
            let Some((&stream, _)) = kept else {
                self.expected = Numbers::default();
                return true;
            };
            *from = usize::from(stream);
            if !self.reset(stream, left) {
                return false;
            }
            *from += 1;
        }
    }

    /// Compares the account with what it counts.
    pub(crate) fn check(&self) {
        let ready = self.streams.values().flat_map(|stream| stream.ready.iter());
        let ready = ready.filter_map(|item| match item {
            Item::Message(message) => Some(message),
            Item::Reset => None,
        });
        let ready = Vec::from_iter(ready);
        assert_eq!(self.readable.total(), ready.len(), "what can be read");
        let room = self.streams.values().map(|stream| stream.ready.room());
        assert_eq!(self.room.total(), room.sum(), "room");
        let waiting = self.streams.values().map(|it| it.waiting as usize);
        assert_eq!(self.waiting.len(), waiting.sum(), "what waits");
        let waiting = self.waiting.values();
        let messages = ready.into_iter().chain(waiting).map(Stored::cost);
        let counted = messages.sum::<usize>() + STREAM_COST * self.streams.len();
        assert_eq!(self.cost.total(), counted, "messages");
    }

    fn forget_if_empty(&mut self, stream: StreamId) {
        let needless = |it: &Incoming| !it.announced && !it.listed;
        let empty = |it: &Incoming| it.ready.is_empty() && it.waiting == 0 && needless(it);
        if self.streams.get(&stream).is_some_and(empty)
            && let Some(incoming) = self.streams.remove(&stream)
        {
            self.room.take(incoming.ready.room());
            self.cost.take(STREAM_COST);
        }
    }
}

impl Incoming {
    /// The next message, unless it has the identifier `but`.
    #[inline]
    fn next_unless(&mut self, but: Option<u32>) -> Option<Stored> {
        let Some(Item::Message(message)) = self.ready.front() else {
            return None;
        };
        if but == Some(message.ppid) {
            return None;
        }
        let item = match message.last {
            true => std::mem::replace(self.ready.front_mut()?, Item::Reset),
            false => self.ready.pop_front()?,
        };
        match item {
            Item::Message(message) => Some(message),
            Item::Reset => None,
        }
    }
}

impl Stored {
    fn cost(&self) -> usize {
        self.payload.cost() + MESSAGE_COST
    }

    /// Frees it in steps, and takes it out of the account, after which it is to go. False if what is `left` did not
    /// suffice.
    fn free(&mut self, left: &mut usize, account: &mut Account) -> bool {
        if !effort::take(left, effort::TOUCHED) {
            return false;
        }
        let before = self.cost();
        let gone = self.payload.free(left);
        account.take(before - self.cost());
        if gone {
            account.take(self.cost());
        }
        gone
    }
}

impl Number {
    /// The number that this is, where `expected` is awaited.
    fn near(self, expected: u32) -> u32 {
        match self {
            Self::Mid(mid) => mid.0,
            Self::Ssn(ssn) => {
                let ahead = ssn.0.wrapping_sub(expected as u16) as i16;
                expected.wrapping_add_signed(ahead.into())
            }
        }
    }
}

fn is_before(number: u32, expected: u32) -> bool {
    (number.wrapping_sub(expected) as i32) < 0
}

/// The next number of every stream: pages of 256, made when a number other than 0 is kept.
#[derive(Debug, Default)]
struct Numbers {
    pages: Vec<Option<Box<[u32; 256]>>>,
}

impl Numbers {
    fn get(&self, stream: StreamId) -> u32 {
        let (page, index) = (usize::from(stream >> 8), usize::from(stream & 0xff));
        let page = self.pages.get(page).and_then(Option::as_ref);
        page.and_then(|page| page.get(index).copied()).unwrap_or(0)
    }

    fn set(&mut self, stream: StreamId, number: u32) {
        let (page, index) = (usize::from(stream >> 8), usize::from(stream & 0xff));
        if self.pages.len() <= page {
            if number == 0 {
                return;
            }
            self.pages.reserve_exact(page + 1 - self.pages.len());
            self.pages.resize_with(page + 1, || None);
        }
        if let Some(slot) = self.pages.get_mut(page)
            && (slot.is_some() || number != 0)
        {
            let page = slot.get_or_insert_with(|| Box::new([0; 256]));
            if let Some(entry) = page.get_mut(index) {
                *entry = number;
            }
        }
    }
}

/// How many messages, or numbers without one, are handed out where something is to be read at once.
const FIRST: usize = 4 * effort::TOUCHED;
/// So much more room than for twice of what can be read is kept for what comes next.
const SPARE: usize = 1024;
/// Room for so many streams to announce is kept, for which nobody reckons.
const ANNOUNCED: usize = 64;
/// What a message costs beside its bytes, slack of the queue it stands in included: there is room for twice as many as stand in all queues,
/// and each that is full has just as much more when what waited is handed out, for which nobody asks whether there is room.
const MESSAGE_COST: usize = 128;
/// What a stream with something in it costs.
const STREAM_COST: usize = 384;

#[cfg(test)]
mod tests;
