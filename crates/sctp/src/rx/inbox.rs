//! Messages by stream: waiting for their turn, or to be read.

use std::collections::{BTreeMap, VecDeque};

use super::reassembly::Completed;
use crate::{Message, Ssn, StreamId};

/// What has come for each stream. A stream with nothing to read and nothing waiting has no entry: its next SSN is two
/// bytes in a table of pages.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    streams: BTreeMap<StreamId, Incoming>,
    expected: SsnTable,
    cost: usize,
    /// Streams to announce as readable.
    pub(crate) announce: VecDeque<StreamId>,
}

/// The receiving side of a stream.
#[derive(Debug, Default)]
struct Incoming {
    ready: VecDeque<Item>,
    /// Ordered messages whose turn has not come, by SSN.
    waiting: VecDeque<(Ssn, Message)>,
    /// `Readable` was said, and `read` has not returned `None` since.
    announced: bool,
}

#[derive(Debug)]
enum Item {
    Message(Message),
    /// The peer reset the stream here.
    Reset,
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
        let message = Message {
            stream,
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
            self.wait(stream, ssn, message);
        }
        // A number that was passed over is of no use any more.
    }

    fn incoming(&mut self, stream: StreamId) -> &mut Incoming {
        let cost = &mut self.cost;
        self.streams.entry(stream).or_insert_with(|| {
            *cost += STREAM_COST;
            Incoming::default()
        })
    }

    fn ready(&mut self, stream: StreamId, message: Message) {
        self.cost += message.payload.len() + MESSAGE_COST;
        let incoming = self.incoming(stream);
        incoming.ready.push_back(Item::Message(message));
        if !std::mem::replace(&mut incoming.announced, true) {
            self.announce.push_back(stream);
        }
    }

    fn wait(&mut self, stream: StreamId, ssn: Ssn, message: Message) {
        let length = message.payload.len();
        let incoming = self.incoming(stream);
        let index = match incoming.waiting.back() {
            Some((last, _)) if *last < ssn => incoming.waiting.len(),
            _ => incoming
                .waiting
                .partition_point(|(waiting, _)| *waiting < ssn),
        };
        if incoming
            .waiting
            .get(index)
            .is_some_and(|(waiting, _)| *waiting == ssn)
        {
            return;
        }
        incoming.waiting.insert(index, (ssn, message));
        self.cost += length + MESSAGE_COST;
    }

    /// `next` is the SSN whose turn it is now: all whose turn has come are ready.
    fn release(&mut self, stream: StreamId, mut next: Ssn) {
        if let Some(incoming) = self.streams.get_mut(&stream) {
            while let Some((ssn, _)) = incoming.waiting.front()
                && *ssn <= next
            {
                let Some((ssn, message)) = incoming.waiting.pop_front() else {
                    break;
                };
                next = ssn.next();
                incoming.ready.push_back(Item::Message(message));
            }
            if !incoming.ready.is_empty() && !std::mem::replace(&mut incoming.announced, true) {
                self.announce.push_back(stream);
            }
        }
        self.expected.set(stream, next);
    }

    /// RFC 3758 §3.6: the sender gave up this message and those before it.
    pub(crate) fn skip(&mut self, stream: StreamId, ssn: Ssn) {
        let expected = self.expected.get(stream);
        if ssn < expected {
            return;
        }
        // What did come up to the number is handed out, in order.
        if let Some(incoming) = self.streams.get_mut(&stream) {
            while let Some((waiting, _)) = incoming.waiting.front()
                && *waiting <= ssn
                && let Some((_, message)) = incoming.waiting.pop_front()
            {
                incoming.ready.push_back(Item::Message(message));
            }
        }
        self.release(stream, ssn.next());
    }

    pub(crate) fn read(&mut self, stream: StreamId) -> Option<Message> {
        let incoming = self.streams.get_mut(&stream)?;
        if let Some(Item::Message(_)) = incoming.ready.front()
            && let Some(Item::Message(message)) = incoming.ready.pop_front()
        {
            self.cost -= (message.payload.len() + MESSAGE_COST).min(self.cost);
            return Some(message);
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

    /// RFC 6525 §5.2.2 E3: the stream's next SSN is 0.
    pub(crate) fn reset(&mut self, stream: StreamId) {
        self.expected.set(stream, Ssn(0));
        let Some(incoming) = self.streams.get_mut(&stream) else {
            return;
        };
        let dropped = incoming
            .waiting
            .drain(..)
            .map(|(_, m)| m.payload.len() + MESSAGE_COST);
        let dropped: usize = dropped.sum();
        if matches!(incoming.ready.back(), Some(Item::Message(_))) {
            incoming.ready.push_back(Item::Reset);
        }
        self.cost -= dropped.min(self.cost);
        self.forget_if_empty(stream);
    }

    /// All streams begin anew; what is ready can still be read.
    pub(crate) fn reset_all(&mut self) {
        self.expected = SsnTable::default();
        for stream in Vec::from_iter(self.streams.keys().copied()) {
            self.reset(stream);
        }
    }

    fn forget_if_empty(&mut self, stream: StreamId) {
        let empty = |s: &Incoming| s.ready.is_empty() && s.waiting.is_empty() && !s.announced;
        if self.streams.get(&stream).is_some_and(empty) {
            self.streams.remove(&stream);
            self.cost -= STREAM_COST.min(self.cost);
        }
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
    use crate::Tsn;

    fn message(stream: StreamId, ssn: u16, ordered: bool) -> Completed {
        Completed {
            last: Tsn(0),
            stream,
            ssn: Ssn(ssn),
            ppid: u32::from(ssn),
            ordered,
            payload: Bytes::from_static(b"x"),
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
        inbox.reset(1);
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
        inbox.reset(1);
        inbox.deliver(message(1, 0, true));
        inbox.deliver(message(1, 1, true));
        assert_eq!(std::mem::take(&mut inbox.announce), [1]);
        assert_eq!(read_all(&mut inbox, 1), [0]);
        assert_eq!(inbox.announce, [1]);
        assert_eq!(read_all(&mut inbox, 1), [0, 1]);
        assert_eq!(inbox.cost(), 0);
    }
}
