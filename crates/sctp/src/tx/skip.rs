//! What the peer shall skip (RFC 3758 §3.5).

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{effort, outstanding::Outstanding};
use crate::{
    Mid, Ssn, StreamId,
    packet::{ForwardTsn, IForwardTsn},
    serial::Seq,
};

/// The point to skip to, the streams that the skip concerns, and when to say so.
#[derive(Debug)]
pub(crate) struct Skip {
    /// Advanced.Peer.Ack.Point.
    advanced: Seq,
    /// By stream and whether unordered: the last message that was given up, and the number of its chunk.
    messages: BTreeMap<(StreamId, bool), (Seq, u32)>,
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

impl Skip {
    pub(crate) fn new(outstanding: &Outstanding, limit: usize) -> Self {
        Self {
            advanced: outstanding.cumulative(),
            messages: BTreeMap::new(),
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
            self.messages.retain(|_, (seq, _)| *seq > last);
        }
    }

    pub(crate) fn is_pending(&self, outstanding: &Outstanding) -> bool {
        self.advanced > outstanding.cumulative()
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
        if self.advanced <= cumulative {
            self.advanced = cumulative;
            self.messages.clear();
            self.due = false;
        } else {
            self.messages.retain(|_, (seq, _)| *seq > cumulative);
        }
        let before = self.advanced;
        self.unfinished = false;
        while let Some(skipped) = outstanding.skipped(self.advanced.next()) {
            if *left == 0 {
                self.unfinished = true;
                break;
            }
            *left = left.saturating_sub(effort::LOST);
            let next = self.advanced.next();
            if self.resetting == Some(self.advanced) && !self.messages.is_empty() {
                break;
            }
            if next > self.performed && (skipped.ordered || self.interleaved) {
                let key = (skipped.stream, !skipped.ordered);
                let full = self.messages.len() >= self.limit / self.entry() * 4;
                if full && !self.messages.contains_key(&key) {
                    break;
                }
                self.messages.insert(key, (next, skipped.number));
            }
            self.advanced = next;
        }
        let again = self.sent.is_none_or(|at| now >= at + round_trip);
        self.due |= self.advanced > before || (self.advanced > cumulative && again);
    }

    /// Appends the FORWARD TSN that is due, if it fits.
    pub(crate) fn write(&mut self, now: Instant, buf: &mut Vec<u8>, space: usize) {
        if !self.due || space < ForwardTsn::LEN + self.messages.len() * self.entry() {
            return;
        }
        let point = self.advanced.tsn();
        let messages = self.messages.iter();
        if self.interleaved {
            let messages = messages
                .map(|((stream, unordered), (_, number))| (*stream, *unordered, Mid(*number)));
            IForwardTsn::write(buf, point, messages);
        } else {
            let streams = messages.map(|((stream, _), (_, number))| (*stream, Ssn(*number as u16)));
            ForwardTsn::write(buf, point, streams);
        }
        self.due = false;
        self.sent = Some(now);
    }
}
