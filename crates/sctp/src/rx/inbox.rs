//! Messages by stream: waiting for their turn, or to be read.

use std::collections::{BTreeMap, VecDeque};

use super::reassembly::{Completed, Payload};
use crate::{Message, Ssn, StreamId};

/// What has come for each stream. A stream with nothing to read and nothing waiting has no entry: its next SSN is two
/// bytes in a table of pages.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    streams: BTreeMap<StreamId, Incoming>,
    /// Ordered messages whose turn has not come.
    waiting: BTreeMap<(StreamId, u16), Stored>,
    expected: SsnTable,
    cost: usize,
    /// Streams to announce as readable.
    pub(crate) announce: VecDeque<StreamId>,
}

/// The receiving side of a stream.
#[derive(Debug, Default)]
struct Incoming {
    ready: VecDeque<Item>,
    /// `Readable` was said, and `read` has not returned `None` since.
    announced: bool,
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
    payload: Payload,
}

impl Inbox {
    /// The memory that complete messages take.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// What a message of this length takes at most.
    pub(crate) fn cost_of(payload: usize) -> usize {
        payload + MESSAGE_COST + STREAM_COST
    }

    pub(crate) fn deliver(&mut self, completed: Completed) {
        let (stream, ssn) = (completed.stream, completed.ssn);
        let message = Stored {
            ppid: completed.ppid,
            ordered: completed.ordered,
            payload: completed.payload,
        };
        if !message.ordered {
            self.ready(stream, message);
            return;
        }
        let expected = self.expected.get(stream);
        if ssn == expected {
            self.ready(stream, message);
            self.release(stream, ssn.next());
        } else if ssn > expected {
            let cost = message.cost();
            if self.waiting.insert((stream, ssn.0), message).is_none() {
                self.cost += cost;
            }
        }
        // A number that was passed over is of no use any more.
    }

    /// Whether the number stands before the one that is expected.
    pub(crate) fn is_past(&self, stream: StreamId, ssn: Ssn) -> bool {
        ssn < self.expected.get(stream)
    }

    fn incoming(&mut self, stream: StreamId) -> &mut Incoming {
        let cost = &mut self.cost;
        self.streams.entry(stream).or_insert_with(|| {
            *cost += STREAM_COST;
            Incoming::default()
        })
    }

    fn ready(&mut self, stream: StreamId, message: Stored) {
        self.cost += message.cost();
        self.hand_out(stream, message);
    }

    fn hand_out(&mut self, stream: StreamId, message: Stored) {
        let incoming = self.incoming(stream);
        incoming.ready.push_back(Item::Message(message));
        if !std::mem::replace(&mut incoming.announced, true) {
            self.announce.push_back(stream);
        }
    }

    /// `next` is the SSN whose turn it is now: all whose turn has come are ready.
    fn release(&mut self, stream: StreamId, mut next: Ssn) {
        while !self.waiting.is_empty()
            && let Some(message) = self.waiting.remove(&(stream, next.0))
        {
            self.hand_out(stream, message);
            next = next.next();
        }
        self.expected.set(stream, next);
    }

    /// RFC 3758 §3.6: the sender gave up this message and those before it.
    pub(crate) fn skip(&mut self, stream: StreamId, ssn: Ssn) {
        let expected = self.expected.get(stream);
        if ssn < expected {
            return;
        }
        // What did come up to the number is handed out, in order; numbers wrap.
        let parts = if expected.0 <= ssn.0 {
            [(expected.0, ssn.0), (1, 0)]
        } else {
            [(expected.0, u16::MAX), (0, ssn.0)]
        };
        for (first, last) in parts {
            while first <= last
                && let Some((&key, _)) = self.waiting.range((stream, first)..=(stream, last)).next()
                && let Some(message) = self.waiting.remove(&key)
            {
                self.hand_out(stream, message);
            }
        }
        self.release(stream, ssn.next());
    }

    pub(crate) fn read(&mut self, stream: StreamId) -> Option<Message> {
        let incoming = self.streams.get_mut(&stream)?;
        if let Some(Item::Message(_)) = incoming.ready.front()
            && let Some(Item::Message(message)) = incoming.ready.pop_front()
        {
            self.cost -= message.cost().min(self.cost);
            return Some(Message {
                stream,
                ppid: message.ppid,
                ordered: message.ordered,
                payload: message.payload.concat(),
            });
        }
        self.rearm(stream);
        None
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
                } else {
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

    pub(crate) fn peek(&self, stream: StreamId) -> Option<(u32, usize)> {
        match self.streams.get(&stream)?.ready.front()? {
            Item::Message(message) => Some((message.ppid, message.payload.len())),
            Item::Reset => None,
        }
    }

    /// RFC 6525 §5.2.2 E3: the stream's next SSN is 0. False if `budget`, which it takes from, did not suffice.
    pub(crate) fn reset(&mut self, stream: StreamId, budget: &mut usize) -> bool {
        if *budget == 0 {
            return false;
        }
        *budget -= 1;
        let range = (stream, 0)..=(stream, u16::MAX);
        while let Some((&key, _)) = self.waiting.range(range.clone()).next() {
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            if let Some(message) = self.waiting.remove(&key) {
                self.cost -= message.cost().min(self.cost);
            }
        }
        self.expected.set(stream, Ssn(0));
        if let Some(incoming) = self.streams.get_mut(&stream) {
            if matches!(incoming.ready.back(), Some(Item::Message(_))) {
                incoming.ready.push_back(Item::Reset);
            }
            self.forget_if_empty(stream);
        }
        true
    }

    /// Resets streams that something is kept of, from `from` on; what is ready can still be read. False if `budget`
    /// did not suffice: `from` is where to go on.
    pub(crate) fn reset_all(&mut self, from: &mut usize, budget: &mut usize) -> bool {
        loop {
            let first = StreamId::try_from(*from).ok();
            let kept = first.and_then(|first| {
                let ready = self
                    .streams
                    .range(first..)
                    .next()
                    .map(|(stream, _)| *stream);
                let waiting = self
                    .waiting
                    .range((first, 0)..)
                    .next()
                    .map(|(key, _)| key.0);
                ready.into_iter().chain(waiting).min()
            });
            let Some(stream) = kept else {
                self.expected = SsnTable::default();
                return true;
            };
            *from = usize::from(stream);
            if !self.reset(stream, budget) {
                return false;
            }
            *from += 1;
        }
    }

    /// The association begins anew; what is ready can still be read.
    pub(crate) fn restart(&mut self) {
        let (mut from, mut budget) = (0, usize::MAX);
        self.reset_all(&mut from, &mut budget);
    }

    fn forget_if_empty(&mut self, stream: StreamId) {
        let empty = |s: &Incoming| s.ready.is_empty() && !s.announced;
        if self.streams.get(&stream).is_some_and(empty) {
            self.streams.remove(&stream);
            self.cost -= STREAM_COST.min(self.cost);
        }
    }
}

impl Stored {
    fn cost(&self) -> usize {
        self.payload.cost() + MESSAGE_COST
    }
}

/// The next SSN of every stream: pages of 256, made when a number other than 0 is kept.
#[derive(Debug, Default)]
struct SsnTable {
    pages: Vec<Option<Box<[u16; 256]>>>,
}

impl SsnTable {
    fn get(&self, stream: StreamId) -> Ssn {
        let [page, index] = stream.to_be_bytes().map(usize::from);
        let page = self.pages.get(page).and_then(Option::as_ref);
        Ssn(page.and_then(|page| page.get(index).copied()).unwrap_or(0))
    }

    fn set(&mut self, stream: StreamId, ssn: Ssn) {
        let [page, index] = stream.to_be_bytes().map(usize::from);
        if self.pages.len() <= page {
            if ssn == Ssn(0) {
                return;
            }
            self.pages.resize_with(page + 1, || None);
        }
        if let Some(slot) = self.pages.get_mut(page)
            && (slot.is_some() || ssn != Ssn(0))
        {
            let page = slot.get_or_insert_with(|| Box::new([0; 256]));
            if let Some(entry) = page.get_mut(index) {
                *entry = ssn.0;
            }
        }
    }
}

/// What a message costs beside its bytes, slack of the queue it stands in included.
const MESSAGE_COST: usize = 128;
/// What a stream with something in it costs.
const STREAM_COST: usize = 384;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(stream: StreamId, ssn: u16, ordered: bool) -> Completed {
        Completed {
            stream,
            ssn: Ssn(ssn),
            ppid: u32::from(ssn),
            ordered,
            payload: Payload::Whole(Bytes::from_static(b"x")),
        }
    }

    fn read_all(inbox: &mut Inbox, stream: StreamId) -> Vec<u32> {
        std::iter::from_fn(|| inbox.read(stream))
            .map(|m| m.ppid)
            .collect()
    }

    #[test]
    fn rearming_announces_what_comes_next_and_passes_over_a_reset() {
        let mut inbox = Inbox::default();
        let came = |inbox: &mut Inbox, ssn| inbox.deliver(message(1, ssn, true));
        came(&mut inbox, 0);
        assert_eq!(inbox.announce.pop_front(), Some(1));
        inbox.rearm(1);
        assert!(inbox.peek(1).is_some(), "what is there is not passed over");
        inbox.read(1);
        came(&mut inbox, 1);
        assert_eq!(inbox.announce.pop_front(), None, "it was announced already");
        inbox.read(1);
        inbox.rearm(1);
        came(&mut inbox, 2);
        assert_eq!(inbox.announce.pop_front(), Some(1));
        assert!(inbox.reset(1, &mut 10));
        came(&mut inbox, 0);
        inbox.read(1);
        assert_eq!(inbox.peek(1), None, "the next life waits");
        inbox.rearm(1);
        assert_eq!(inbox.announce.pop_front(), Some(1));
        assert!(inbox.peek(1).is_some());
    }

    #[test]
    fn order_is_kept_a_stream_and_unordered_goes_first() {
        let mut inbox = Inbox::default();
        inbox.deliver(message(1, 2, true));
        inbox.deliver(message(1, 1, true));
        inbox.deliver(message(2, 0, true));
        inbox.deliver(message(1, 77, false));
        assert_eq!(inbox.announce, [2, 1]);
        assert_eq!(read_all(&mut inbox, 1), [77]);
        inbox.deliver(message(1, 0, true));
        assert_eq!(read_all(&mut inbox, 1), [0, 1, 2]);
        assert_eq!(read_all(&mut inbox, 2), [0]);
        assert_eq!((inbox.cost(), inbox.streams.len()), (0, 0));
        inbox.deliver(message(1, 1, true));
        assert_eq!(inbox.cost(), 0, "an old number is dropped");
    }

    #[test]
    fn skipping_hands_out_what_came() {
        let mut inbox = Inbox::default();
        inbox.deliver(message(1, 2, true));
        inbox.deliver(message(1, 5, true));
        inbox.deliver(message(1, 6, true));
        inbox.skip(1, Ssn(4));
        assert_eq!(read_all(&mut inbox, 1), [2, 5, 6]);
        inbox.skip(1, Ssn(3));
        inbox.deliver(message(1, 7, true));
        assert_eq!(read_all(&mut inbox, 1), [7]);
    }

    #[test]
    fn a_reset_divides_what_is_read() {
        let mut inbox = Inbox::default();
        inbox.deliver(message(1, 0, true));
        assert!(inbox.reset(1, &mut 10));
        inbox.deliver(message(1, 0, true));
        inbox.deliver(message(1, 1, true));
        assert_eq!(std::mem::take(&mut inbox.announce), [1]);
        assert_eq!(read_all(&mut inbox, 1), [0]);
        assert_eq!(inbox.announce, [1]);
        assert_eq!(read_all(&mut inbox, 1), [0, 1]);
        assert_eq!(inbox.cost(), 0);
    }
}
