//! What the peer shall skip (RFC 3758 §3.5).

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::outstanding::{Outstanding, Skipped};
use crate::{
    Mid, Ssn, StreamId, effort,
    packet::{ForwardTsn, IForwardTsn},
    serial::Seq,
};

/// The points to skip to, the streams that the skip concerns, and when to say so.
///
/// Behind what was given up may stand what the peer has received, and then more that was given up. Each such run has a point of its
/// own, said in their order in one packet: a peer that was told the last of them only would take the messages between for passed over
/// as well, and one that was told one a round trip would never be done where a full queue has lost every second packet. The last of them
/// names all that was given up (RFC 3758 §3.5 C4), so that a peer that looks at one of them only waits for nothing that does not come.
#[derive(Debug)]
pub(crate) struct Skip {
    /// Up to here all was given up, or received and might have been given up.
    seen: Seq,
    /// Nothing up to here is named any more.
    forgotten: Seq,
    /// How often the peer had taken back by then what it had received.
    reneged: u8,
    /// In their order: the last is the Advanced.Peer.Ack.Point.
    points: VecDeque<Point>,
    interleaved: bool,
    pub(crate) due: bool,
    /// The point moves further, in steps.
    pub(crate) unfinished: bool,
    sent: Option<Instant>,
    /// Streams are being reset behind this number.
    resetting: Option<Seq>,
    /// The peer has performed a reset behind this number, so that it has had all up to it.
    performed: Seq,
    /// How many streams fit a chunk.
    limit: usize,
}

/// The last number of a run of what was given up.
#[derive(Debug)]
struct Point {
    at: Seq,
    /// By stream and whether unordered: the last message of the run, and the number of its chunk.
    messages: BTreeMap<(StreamId, bool), (Seq, u32)>,
}

impl Skip {
    pub(crate) fn new(outstanding: &Outstanding, limit: usize) -> Self {
        Self {
            seen: outstanding.cumulative(),
            forgotten: outstanding.cumulative(),
            reneged: 0,
            points: VecDeque::new(),
            interleaved: false,
            due: false,
            unfinished: false,
            sent: None,
            resetting: None,
            performed: outstanding.cumulative(),
            limit,
        }
    }

    pub(crate) fn set_interleaved(&mut self, interleaved: bool) {
        self.interleaved = interleaved;
    }

    /// How many bytes a message takes.
    fn entry(&self) -> usize {
        if self.interleaved { 8 } else { 4 }
    }

    /// Streams are being reset behind what has left so far. Whether the peer has performed that is known with its answer: if it has,
    /// the numbers of what was given up before would be those of the streams' next lives to it, unless the point says that it is old.
    /// So the point stays there.
    pub(crate) fn begin_reset(&mut self, last: Seq) {
        self.resetting = Some(last);
    }

    /// The answer has come.
    pub(crate) fn end_reset(&mut self, performed: bool) {
        if let Some(last) = self.resetting.take().filter(|_| performed) {
            self.performed = self.performed.max(last);
            self.forget(last);
        }
    }

    /// The peer has had all up to this number.
    fn forget(&mut self, last: Seq) {
        for point in &mut self.points {
            point.messages.retain(|_, (seq, _)| *seq > last);
        }
    }

    fn is_any_named(&self) -> bool {
        self.points.iter().any(|it| !it.messages.is_empty())
    }

    /// How many bytes the chunks take at most: what is named before the last is named there too.
    fn len(&self) -> usize {
        let lengths = self.points.iter();
        let lengths = lengths.map(|it| ForwardTsn::LEN + 2 * it.messages.len() * self.entry());
        let last = self.points.back().map_or(0, |it| it.messages.len());
        lengths.sum::<usize>() - last * self.entry()
    }

    fn last(&self) -> Option<Seq> {
        self.points.back().map(|it| it.at)
    }

    pub(crate) fn is_pending(&self, outstanding: &Outstanding) -> bool {
        self.last() > Some(outstanding.cumulative())
    }

    /// RFC 3758 §3.5 C: moves the point over what was given up. It is said when it moves, and then once a round trip as
    /// long as the peer has not followed. As much is done at once as there is `left`.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        round_trip: Duration,
        outstanding: &Outstanding,
        left: &mut usize,
    ) {
        let cumulative = outstanding.cumulative();
        self.points.retain(|point| point.at > cumulative);
        if cumulative > self.forgotten {
            // Very many SACKs may each move it a little.
            let named = self.points.iter().map(|it| it.messages.len());
            *left = left.saturating_sub(named.sum::<usize>() / effort::NAMED);
            self.forgotten = cumulative;
            self.forget(cumulative);
        }
        let reneged = std::mem::replace(&mut self.reneged, outstanding.reneged());
        if reneged != self.reneged {
            // RFC 9260 §6.2.1: what was received is not any more, so nobody is to pass over it.
            self.points.clear();
            self.seen = cumulative;
        }
        self.seen = self.seen.max(cumulative);
        if self.points.is_empty() {
            self.due = false;
        }
        let before = self.last();
        let mut room = (self.limit * 4).saturating_sub(self.len());
        self.unfinished = false;
        loop {
            let next = self.seen.next();
            let skipped = outstanding.skipped(next);
            if skipped.is_none() && !outstanding.is_spared(next) {
                break;
            }
            if *left == 0 {
                self.unfinished = true;
                break;
            }
            *left = left.saturating_sub(effort::LOST);
            if self.resetting == Some(self.seen) && self.is_any_named() {
                break;
            }
            if let Some(skipped) = skipped
                && !self.pass(next, skipped, &mut room)
            {
                break;
            }
            self.seen = next;
        }
        let again = self.sent.is_none_or(|at| now >= at + round_trip);
        self.due |= self.last() > before || (self.last().is_some() && again);
    }

    /// The point moves to what was given up here. False if there is no `room` to say so.
    fn pass(&mut self, next: Seq, skipped: Skipped, room: &mut usize) -> bool {
        let continues = self.last() == Some(self.seen);
        if !continues && self.points.len() >= MAX_POINTS {
            return false;
        }
        let named = next > self.performed && (skipped.ordered || self.interleaved);
        let key = (skipped.stream, !skipped.ordered);
        let last = self.points.back().filter(|_| continues);
        let known = last.is_some_and(|point| point.messages.contains_key(&key));
        let mut more = 0;
        if !continues {
            let named = self.points.back().map_or(0, |it| it.messages.len());
            more = ForwardTsn::LEN + named * self.entry();
        }
        if named && !known {
            more += self.entry();
        }
        let Some(rest) = room.checked_sub(more) else {
            return false;
        };
        *room = rest;
        if !continues {
            self.points.push_back(Point {
                at: next,
                messages: BTreeMap::new(),
            });
        }
        if let Some(point) = self.points.back_mut() {
            point.at = next;
            if named {
                point.messages.insert(key, (next, skipped.number));
            }
        }
        true
    }

    /// Appends the FORWARD TSN that is due, if it fits.
    pub(crate) fn write(&mut self, now: Instant, buf: &mut Vec<u8>, space: usize) {
        if !self.due || space < self.len() {
            return;
        }
        let mut all = BTreeMap::new();
        for (index, point) in self.points.iter().enumerate() {
            all.extend(&point.messages);
            let is_last = index + 1 == self.points.len();
            let messages = if is_last { &all } else { &point.messages };
            let messages = messages.iter();
            if self.interleaved {
                let messages = messages
                    .map(|((stream, unordered), (_, number))| (*stream, *unordered, Mid(*number)));
                IForwardTsn::write(buf, point.at.tsn(), messages);
            } else {
                let streams =
                    messages.map(|((stream, _), (_, number))| (*stream, Ssn(*number as u16)));
                ForwardTsn::write(buf, point.at.tsn(), streams);
            }
        }
        self.due = false;
        self.sent = Some(now);
    }
}

/// How many points are said at once, as a packet has room for so many chunks beside data.
const MAX_POINTS: usize = 16;
