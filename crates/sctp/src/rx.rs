//! Receiving: which TSNs have come, putting messages together, and handing them out.

pub(crate) mod inbox;
pub(crate) mod lanes;
pub(crate) mod reassembly;
pub(crate) mod tracker;

use std::collections::VecDeque;

use self::{
    inbox::{Inbox, Number},
    lanes::Lanes,
    reassembly::{Outcome, Reassembly},
    tracker::{Arrival, Tracker},
};
use crate::{
    Config, Failure, Message, Mid, Ssn, StreamId, Tsn, effort,
    packet::{Data, Sack},
    streams::StreamSet,
};

/// The receiving half of an association.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) tracker: Tracker,
    reassembly: Reassembly,
    lanes: Lanes,
    pub(crate) inbox: Inbox,
    pub(crate) acknowledgement: Acknowledgement,
    /// Something was acknowledged before.
    acknowledged: bool,
    /// What the peer gave up and has not been passed over yet: it is done in steps.
    skips: VecDeque<Skip>,
    /// The peer's reset that is not performed to its end yet; there is one at most.
    pub(crate) deferred: Option<Deferred>,
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

/// What the peer gave up: of a stream the last message, and those before it. Thousands may wait, so it is small.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Skip {
    Ssn(StreamId, Ssn),
    /// Stream, whether unordered, and number.
    Mid(StreamId, bool, Mid),
}

/// A reset that the peer asked for and that waits for data before it (RFC 6525 §5.2.2 E2), or is performed in steps.
#[derive(Debug)]
pub(crate) struct Deferred {
    /// The request's number; `None` if it is a restart (RFC 9260 §5.2.4) that brings it about, and nobody asked.
    pub(crate) request: Option<u32>,
    /// The last TSN before the reset.
    pub(crate) last: Tsn,
    pub(crate) streams: StreamSet,
    /// The peer was told to wait for it.
    pub(crate) told: bool,
    /// The next life of one of its streams may begin when it is performed.
    pub(crate) begins: bool,
    /// How far it has been performed: streams when some are named, otherwise the stream to go on with.
    swept: usize,
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
    /// Where messages are interleaved, beside `limit_ahead` and `limit_next`: many may be incomplete at once, and a peer
    /// that takes turns among them ends none before it has sent most of all.
    stretch: usize,
    /// What was free at the last SACK.
    announced: usize,
    /// Payload and cost of late, for what a byte of the peer's costs here.
    payload: usize,
    cost: usize,
}

/// What a DATA chunk was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    New {
        /// Its message is whole by it.
        whole: bool,
    },
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
            reassembly: Reassembly::new(config.max_message_size, initial),
            lanes: Lanes::new(config.max_message_size),
            inbox: Inbox::default(),
            acknowledgement: Acknowledgement::None,
            acknowledged: false,
            skips: VecDeque::new(),
            deferred: None,
            window: Window::new(config),
            max_message_size: config.max_message_size,
        }
    }

    /// Begins at another TSN; what can be read stays. What cannot is dropped in steps, as with a reset of all streams, and so long
    /// no data is taken.
    pub(crate) fn restart(&mut self, initial: Tsn, left: &mut usize) {
        self.inbox.restart();
        self.tracker = Tracker::new(initial);
        let fresh = Reassembly::new(self.max_message_size, initial);
        let old = std::mem::replace(&mut self.reassembly, fresh);
        self.lanes.give_up(old);
        self.skips.clear();
        self.deferred = Some(Deferred::new(None, initial.previous(), StreamSet::All));
        self.sweep(left, |_| ());
        self.acknowledgement = Acknowledgement::None;
    }

    /// Compares every account with what it counts, in debug builds and where that is not much.
    fn check(&self) {
        if cfg!(debug_assertions) && self.used() < MAX_CHECKED {
            self.inbox.check();
            self.reassembly.check();
            self.lanes.check();
        }
    }

    fn used(&self) -> usize {
        self.inbox.cost() + self.reassembly.cost() + self.lanes.cost()
    }

    /// The window to announce now.
    pub(crate) fn window(&self) -> u32 {
        self.window.announce(self.free())
    }

    /// How much more the peer may send.
    fn free(&self) -> usize {
        self.window.free(self.used(), self.lanes.cost())
    }

    /// A piece in order finds no room, and nobody can make any: there is nothing to read and nothing to be freed.
    fn is_stuck(&self, arrival: Arrival, interleaved: bool) -> bool {
        let in_order = interleaved && arrival == Arrival::Next;
        in_order && !self.inbox.is_readable() && !self.is_sweeping()
    }

    /// Takes a DATA chunk, or with `lane`, its message's number and its own in the message, an I-DATA chunk. `known` is
    /// false if its stream does not exist: its payload is dropped.
    pub(crate) fn handle_data(
        &mut self,
        data: &Data<'_>,
        lane: Option<(Mid, u32)>,
        known: bool,
        left: &mut usize,
    ) -> Received {
        let arrival = self.tracker.classify(data.tsn);
        if data.has(Data::IMMEDIATE) || arrival != Arrival::Next || self.tracker.has_gaps() {
            self.acknowledgement = Acknowledgement::Now;
        }
        let stretch = lane.map_or(0, |_| self.window.stretch);
        let limit = match arrival {
            Arrival::Next => self.window.limit_next + stretch,
            Arrival::Ahead => self.window.limit_ahead + stretch,
            Arrival::Duplicate => {
                self.tracker.note_duplicate(data.tsn);
                return Received::Duplicate;
            }
            Arrival::OutOfReach => return Received::Dropped,
        };
        let mut whole = false;
        let number = lane.map_or(Number::Ssn(data.ssn), |(mid, _)| Number::Mid(mid));
        if known && !self.is_reachable(data, number, arrival) {
            self.acknowledgement = Acknowledgement::Now;
            return Received::Dropped;
        }
        if known {
            let single = data.is_whole();
            let length = data.payload.len();
            let cost = if single {
                Inbox::cost_of(length)
            } else if lane.is_some() {
                Lanes::cost_of(length)
            } else {
                Reassembly::cost_of(length)
            };
            if self.used() + cost > limit {
                if self.is_stuck(arrival, lane.is_some()) {
                    return Received::Fatal(Failure::OutOfResource);
                }
                self.acknowledgement = Acknowledgement::Now;
                return Received::Dropped;
            }
            self.window.note(length, if single { cost } else { length });
            if !single {
                let room = limit - self.used() - cost;
                self.lanes.expect_at_most(room);
                self.reassembly.expect_at_most(room);
            }
            let outcome = match lane {
                Some((mid, fsn)) if !single => self.lanes.insert(data, mid, fsn),
                _ => self.reassembly.insert(data),
            };
            let effort = self.reassembly.take_effort() + self.lanes.take_effort();
            effort::take(left, effort);
            match outcome {
                Outcome::Stored => {}
                Outcome::Complete(message) => {
                    whole = true;
                    self.inbox.deliver(message, number);
                }
                Outcome::TooLarge => return Received::Fatal(Failure::MessageTooLarge),
                Outcome::Contradiction => return Received::Fatal(Failure::ProtocolViolation),
            }
        }
        self.tracker.insert(data.tsn);
        if arrival == Arrival::Next {
            self.reassembly.cumulative_moved(self.tracker.cumulative());
        }
        Received::New { whole }
    }

    /// Whether the chunk can be told apart by its numbers. What cannot is not acknowledged, and comes again.
    fn is_reachable(&self, data: &Data<'_>, number: Number, arrival: Arrival) -> bool {
        // RFC 6525 §5.2.2 E2: what follows a reset waits for it, at the sender.
        let waits = |it: &Deferred| data.tsn > it.last && it.streams.contains(data.stream);
        if self.deferred.as_ref().is_some_and(waits) {
            return false;
        }
        // RFC 9260 §1.6: beyond half of the numbers a later message looks like one that was passed over. Where all
        // before it has come it is the latter, once all of those has been handed out.
        let ordered = !data.has(Data::UNORDERED);
        let unclear = arrival == Arrival::Ahead || self.inbox.is_due(data.stream);
        !(ordered && unclear && self.inbox.is_past(data.stream, number))
    }

    /// RFC 3758 §3.6, RFC 8260 §2.3.1: the point to skip to, and what was given up. False if it is nothing new.
    pub(crate) fn handle_forward(
        &mut self,
        point: Tsn,
        messages: impl Iterator<Item = Skip>,
    ) -> bool {
        self.acknowledgement = Acknowledgement::Now;
        // RFC 6525 §5.2.2: what follows a reset that is being performed is of streams that do not begin before that is done.
        if self.is_resetting() {
            return false;
        }
        let ahead = point.distance(self.tracker.cumulative());
        let count = messages.size_hint().1.unwrap_or(usize::MAX);
        if self.skips.len() > MAX_SKIPS || count > MAX_FORWARDED {
            // It comes again, as it is not acknowledged.
            return false;
        }
        // Each TSN that was ever sent took a byte of the window: what is further ahead cannot be true.
        if ahead as usize > self.window.size || !self.tracker.forward(point) {
            return false;
        }
        self.reassembly.forward(point);
        self.reassembly.cumulative_moved(self.tracker.cumulative());
        self.skips.reserve_exact(count);
        self.skips.extend(messages);
        true
    }

    /// Passes over what the peer gave up. False if what is `left` did not suffice.
    fn skip(&mut self, left: &mut usize) -> bool {
        while let Some(&skip) = self.skips.front() {
            if !effort::take(left, SKIP) {
                return false;
            }
            match skip {
                Skip::Ssn(stream, ssn) => self.inbox.skip(stream, Number::Ssn(ssn)),
                Skip::Mid(stream, unordered, mid) => {
                    if !self.lanes.skip(stream, unordered, mid, left) {
                        return false;
                    }
                    if !unordered {
                        self.inbox.skip(stream, Number::Mid(mid));
                    }
                }
            }
            self.skips.pop_front();
        }
        if self.skips.capacity() > MAX_SKIPS {
            self.skips = VecDeque::new();
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

    /// What was acknowledged last may have gone to where nobody is any more.
    pub(crate) fn acknowledge_again(&mut self) {
        if self.acknowledged {
            self.acknowledgement = Acknowledgement::Now;
        }
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
        self.window.announced = self.free();
        self.acknowledgement = Acknowledgement::None;
        self.acknowledged = true;
    }

    /// The next message of a stream, unless it has the identifier `but`.
    #[inline]
    pub(crate) fn read(&mut self, stream: StreamId, but: Option<u32>) -> Option<Message> {
        let message = self.inbox.read(stream, but);
        if message.is_some()
            && self.window.is_half_used()
            && self.window.is_worth_telling(self.free())
        {
            self.acknowledgement = Acknowledgement::Now;
        }
        message
    }

    /// Goes on with what is done in steps: what the peer gave up, what is to be handed out, what is to be freed, and then its
    /// reset once the data before it is here, of which each stream that is named is told of; the reset, when that was its last step.
    pub(crate) fn sweep(
        &mut self,
        left: &mut usize,
        mut tell: impl FnMut(StreamId),
    ) -> Option<Deferred> {
        self.check();
        // First, so that what waits to be freed is no more than one step gives up.
        let freed = self.reassembly.sweep(left) && self.lanes.sweep(left);
        let passed = self.skip(left) && self.inbox.release(left);
        if !passed || !freed {
            return None;
        }
        let cumulative = self.tracker.cumulative();
        let deferred = self.deferred.as_mut().filter(|d| d.last <= cumulative)?;
        let done = match &deferred.streams {
            StreamSet::All => {
                self.lanes.reset_all(left) && self.inbox.reset_all(&mut deferred.swept, left)
            }
            StreamSet::Some(streams) => loop {
                let Some(stream) = streams.get(deferred.swept) else {
                    break true;
                };
                let reset = self.lanes.reset(*stream, left) && self.inbox.reset(*stream, left);
                if !reset {
                    break false;
                }
                tell(*stream);
                deferred.swept += 1;
            },
        };
        if done { self.deferred.take() } else { None }
    }

    /// The association is over, and nobody will read what came: a step of it is dropped. False when nothing is left.
    pub(crate) fn let_go(&mut self) -> bool {
        let none = Reassembly::new(self.max_message_size, self.tracker.cumulative());
        self.lanes
            .give_up(std::mem::replace(&mut self.reassembly, none));
        let left = &mut { effort::STEP };
        let lanes = &mut self.lanes;
        let incomplete = lanes.sweep(left) && lanes.reset_all(left) && lanes.sweep(left);
        !incomplete || !self.inbox.let_go(left)
    }

    /// Whether steps are left that can be done now.
    pub(crate) fn is_sweeping(&self) -> bool {
        let steps = !self.skips.is_empty()
            || self.inbox.is_releasing()
            || self.reassembly.is_sweeping()
            || self.lanes.is_sweeping();
        steps || self.is_resetting()
    }

    /// All data before the peer's reset is here, and it is performed in steps.
    fn is_resetting(&self) -> bool {
        let cumulative = self.tracker.cumulative();
        self.deferred
            .as_ref()
            .is_some_and(|it| it.last <= cumulative)
    }

    pub(crate) fn max_message_size(&self) -> usize {
        self.max_message_size
    }
}

impl Deferred {
    pub(crate) fn new(request: Option<u32>, last: Tsn, streams: StreamSet) -> Self {
        Self {
            request,
            last,
            streams,
            told: false,
            begins: false,
            swept: 0,
        }
    }
}

impl Window {
    fn new(config: &Config) -> Self {
        let size = config.window();
        let limit_ahead = size.saturating_add(size / 8);
        let message = config.max_message_size + (16 << 10);
        let limit_next = limit_ahead.saturating_add(message.max(size / 4));
        // In a window of four of the longest messages such a one has half the room for what its pieces cost.
        let least = limit_ahead.saturating_add(config.max_message_size + (8 << 10));
        let limit_next = limit_next.min(size.saturating_mul(2).saturating_sub(BESIDE).max(least));
        Self {
            size,
            packet: config.max_packet,
            limit_ahead,
            limit_next,
            stretch: size.saturating_mul(2).saturating_sub(limit_next + BESIDE),
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

    /// What is left. Of what is incomplete the half beyond half of the window does not count, as far as `stretch` goes: the more
    /// messages are begun, the more has to come before one of them is whole.
    fn free(&self, used: usize, incomplete: usize) -> usize {
        let beyond = incomplete.saturating_sub(self.size / 2);
        let size = self.size.saturating_add(beyond.min(self.stretch));
        size.saturating_sub(used)
    }

    /// The peer counts payload, we count memory: what is free is scaled by what its bytes have cost of late.
    fn announce(&self, free: usize) -> u32 {
        let free = free as u64;
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

    /// Whether the peer knows of less than half of it.
    fn is_half_used(&self) -> bool {
        self.announced < self.size / 2
    }

    /// Whether so much has become free since the last SACK that the peer should hear of it, where [half](Self::is_half_used) was
    /// used.
    fn is_worth_telling(&self, free: usize) -> bool {
        let nearly_closed = self.announced < 8 * self.packet;
        let step = if nearly_closed {
            8 * self.packet
        } else {
            self.size / 4
        };
        free >= self.announced + step
    }
}

/// Over how much memory the ratio of payload to cost is taken.
const RATIO_SPAN: usize = 64 << 10;
/// What may be held beside what counts, in KiB: 40 of room in lists of streams, 34 of what one FORWARD TSN names behind another, 24 of
/// streams that are reset or were, 12 of TSNs, of the table of numbers and of trees that are empty, 8 that are reserved with the last
/// piece, as much of answers that wait, 18 of SACKs that do, and 8 of what nobody has thought of.
const BESIDE: usize = 152 << 10;
/// What takes more memory is not counted.
const MAX_CHECKED: usize = 64 << 10;
/// To pass over what the peer gave up of a stream.
const SKIP: usize = 4 * effort::TOUCHED;
/// With more of them waiting no further FORWARD TSN is taken.
const MAX_SKIPS: usize = 256;
/// One that names more is not taken: more than a record of DTLS has room for.
const MAX_FORWARDED: usize = 4096;
