//! Receiving: which TSNs have come, putting messages together, and handing them out.

pub(crate) mod inbox;
pub(crate) mod reassembly;
pub(crate) mod tracker;

use self::{
    inbox::Inbox,
    reassembly::{Completed, Outcome, Reassembly},
    tracker::{Arrival, Tracker},
};
use crate::{
    Config, Failure, Message, StreamId, Tsn,
    packet::{Data, ForwardTsn, Sack},
};

/// The receiving half of an association.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) tracker: Tracker,
    reassembly: Reassembly,
    pub(crate) inbox: Inbox,
    pub(crate) acknowledgement: Acknowledgement,
    deferred: Option<Deferred>,
    window: Window,
    max_message_size: usize,
}

/// Whether a SACK is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledgement {
    None,
    /// After a second packet, or the delay.
    Delayed,
    Now,
}

/// A reset that the peer asked for and that waits for data before it (RFC 6525 §5.2.2 E2).
#[derive(Debug)]
struct Deferred {
    last_tsn: Tsn,
    /// In order; none means all.
    streams: Vec<StreamId>,
    /// Messages from after the reset.
    held: Vec<Completed>,
    cost: usize,
}

/// The receive window: memory, and how much of it to announce.
#[derive(Debug)]
struct Window {
    size: usize,
    packet: usize,
    /// Chunks beyond a gap are taken up to here.
    limit_ahead: usize,
    /// The next chunk in order is taken up to here: with a whole message's room more, a full buffer can always go on
    /// to something that can be read, so it never locks up.
    limit_next: usize,
    /// What was free at the last SACK.
    announced: usize,
    /// Payload and cost of late, for what a byte of the peer's costs here.
    payload: usize,
    cost: usize,
}

/// What a DATA chunk was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    New,
    Duplicate,
    /// Dropped for lack of room.
    Dropped,
    /// Breaks the association.
    Fatal(Failure),
}

impl Receiver {
    pub(crate) fn new(config: &Config, initial: Tsn) -> Self {
        Self {
            tracker: Tracker::new(initial),
            reassembly: Reassembly::new(config.max_message_size),
            inbox: Inbox::default(),
            acknowledgement: Acknowledgement::None,
            deferred: None,
            window: Window::new(config),
            max_message_size: config.max_message_size,
        }
    }

    /// Begins at another TSN; what can be read stays.
    pub(crate) fn restart(&mut self, initial: Tsn) {
        self.tracker = Tracker::new(initial);
        self.reassembly.clear();
        self.deferred = None;
        self.inbox.reset_all();
        self.acknowledgement = Acknowledgement::None;
    }

    fn used(&self) -> usize {
        let held = self.deferred.as_ref().map_or(0, |deferred| deferred.cost);
        self.inbox.cost() + self.reassembly.cost() + held
    }

    /// The window to announce now.
    pub(crate) fn window(&self) -> u32 {
        self.window.announce(self.used())
    }

    /// Takes a DATA chunk of a stream that exists; `known` is false for one that does not, whose payload is dropped.
    pub(crate) fn handle_data(&mut self, data: &Data<'_>, known: bool) -> Received {
        let arrival = self.tracker.classify(data.tsn);
        if data.has(Data::IMMEDIATE) || arrival != Arrival::Next || self.tracker.has_gaps() {
            self.acknowledgement = Acknowledgement::Now;
        }
        let limit = match arrival {
            Arrival::Next => self.window.limit_next,
            Arrival::Ahead => self.window.limit_ahead,
            Arrival::Duplicate => {
                self.tracker.note_duplicate(data.tsn);
                return Received::Duplicate;
            }
            Arrival::OutOfReach => return Received::Dropped,
        };
        if known {
            let single = data.has(Data::BEGIN) && data.has(Data::END);
            let length = data.payload.len();
            let cost = if single {
                Inbox::cost_of(length)
            } else {
                Reassembly::cost_of(length)
            };
            if self.used() + cost > limit {
                self.acknowledgement = Acknowledgement::Now;
                return Received::Dropped;
            }
            self.window.note(length, if single { cost } else { length });
            match self.reassembly.insert(data) {
                Outcome::Stored => {}
                Outcome::Complete(message) => self.deliver(message),
                Outcome::TooLarge => return Received::Fatal(Failure::MessageTooLarge),
                Outcome::Contradiction => return Received::Fatal(Failure::ProtocolViolation),
            }
        }
        self.tracker.insert(data.tsn);
        if arrival == Arrival::Next {
            self.reassembly.cumulative_moved(self.tracker.cumulative());
        }
        Received::New
    }

    fn deliver(&mut self, message: Completed) {
        if let Some(deferred) = &mut self.deferred
            && message.last > deferred.last_tsn
            && deferred.concerns(message.stream)
        {
            deferred.cost += Inbox::cost_of(message.payload.len());
            deferred.held.push(message);
            return;
        }
        self.inbox.deliver(message);
    }

    /// RFC 3758 §3.6. False if it is nothing new.
    pub(crate) fn handle_forward(&mut self, forward: &ForwardTsn<'_>, streams: u16) -> bool {
        self.acknowledgement = Acknowledgement::Now;
        let ahead = forward.cumulative.distance(self.tracker.cumulative());
        // Each TSN that was ever sent took a byte of the window: what is further ahead cannot be true.
        if ahead as usize > self.window.size || !self.tracker.forward(forward.cumulative) {
            return false;
        }
        self.reassembly.forward(forward.cumulative);
        self.reassembly.cumulative_moved(self.tracker.cumulative());
        for (stream, ssn) in forward.streams() {
            if stream < streams {
                self.inbox.skip(stream, ssn);
            }
        }
        true
    }

    /// A packet with DATA has been dealt with: every second one is acknowledged (RFC 9260 §6.2). True if the delay
    /// begins.
    pub(crate) fn packet_done(&mut self) -> bool {
        self.acknowledgement = match self.acknowledgement {
            Acknowledgement::None => Acknowledgement::Delayed,
            _ => Acknowledgement::Now,
        };
        self.acknowledgement == Acknowledgement::Delayed
    }

    /// Appends the SACK that is due.
    pub(crate) fn write_sack(&mut self, buf: &mut Vec<u8>, space: usize) {
        let window = self.window();
        let head = (self.tracker.cumulative(), window);
        Sack::write(
            buf,
            space,
            head,
            self.tracker.gaps(),
            self.tracker.duplicates(),
        );
        self.tracker.reported();
        self.window.announced = self.window.size.saturating_sub(self.used());
        self.acknowledgement = Acknowledgement::None;
    }

    pub(crate) fn read(&mut self, stream: StreamId) -> Option<Message> {
        let message = self.inbox.read(stream);
        if message.is_some() && self.window.is_worth_telling(self.used()) {
            self.acknowledgement = Acknowledgement::Now;
        }
        message
    }

    /// RFC 6525 §5.2.2: resets the streams now, or once the data up to `last_tsn` is here. True if now.
    pub(crate) fn reset(&mut self, last_tsn: Tsn, mut streams: Vec<StreamId>) -> bool {
        streams.sort_unstable();
        self.deferred = Some(Deferred {
            last_tsn,
            streams,
            held: Vec::new(),
            cost: 0,
        });
        last_tsn <= self.tracker.cumulative()
    }

    /// The streams of the reset that can be performed by now: performed. `None` if there is none; all if none is named.
    pub(crate) fn perform_reset(&mut self) -> Option<Vec<StreamId>> {
        let cumulative = self.tracker.cumulative();
        let deferred = self.deferred.take_if(|d| d.last_tsn <= cumulative)?;
        if deferred.streams.is_empty() {
            self.inbox.reset_all();
        }
        for stream in &deferred.streams {
            self.inbox.reset(*stream);
        }
        for message in deferred.held {
            self.inbox.deliver(message);
        }
        Some(deferred.streams)
    }

    pub(crate) fn max_message_size(&self) -> usize {
        self.max_message_size
    }
}

impl Deferred {
    fn concerns(&self, stream: StreamId) -> bool {
        self.streams.is_empty() || self.streams.binary_search(&stream).is_ok()
    }
}

impl Window {
    fn new(config: &Config) -> Self {
        let size = config.window();
        let limit_ahead = size + size / 8;
        let message = config.max_message_size + (16 << 10);
        Self {
            size,
            packet: config.max_packet,
            limit_ahead,
            limit_next: limit_ahead + message.max(size / 4),
            announced: size,
            payload: 0,
            cost: 0,
        }
    }

    fn note(&mut self, payload: usize, cost: usize) {
        self.payload += payload;
        self.cost += cost;
        if self.cost > RATIO_SPAN {
            self.payload /= 2;
            self.cost /= 2;
        }
    }

    /// The peer counts payload, we count memory: what is free is scaled by what its bytes have cost of late.
    fn announce(&self, used: usize) -> u32 {
        let free = self.size.saturating_sub(used) as u64;
        let scaled = match self.cost {
            0 => free,
            cost => free * self.payload as u64 / cost as u64,
        };
        // RFC 9260 §6.2: a window of less than a packet invites small chunks.
        if free < self.packet as u64 {
            return 0;
        }
        u32::try_from(scaled.max(1)).unwrap_or(u32::MAX)
    }

    /// Whether so much has become free since the last SACK that the peer should hear of it.
    fn is_worth_telling(&self, used: usize) -> bool {
        let free = self.size.saturating_sub(used);
        let nearly_closed = self.announced < 8 * self.packet;
        let step = if nearly_closed {
            8 * self.packet
        } else {
            self.size / 4
        };
        self.announced < self.size / 2 && free >= self.announced + step
    }
}

/// Over how much memory the ratio of payload to cost is taken.
const RATIO_SPAN: usize = 64 << 10;
