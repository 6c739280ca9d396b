//! What the peer shall skip (RFC 3758 §3.5).

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::outstanding::Outstanding;
use crate::{Ssn, StreamId, packet::ForwardTsn, serial::Seq};

/// The point to skip to, the streams that the skip concerns, and when to say so.
#[derive(Debug)]
pub(crate) struct Skip {
    /// Advanced.Peer.Ack.Point.
    advanced: Seq,
    /// Each stream's last message that was given up, and the number of its chunk.
    streams: BTreeMap<StreamId, (Seq, Ssn)>,
    pub(crate) due: bool,
    sent: Option<Instant>,
    /// How many streams fit a chunk.
    limit: usize,
}

impl Skip {
    pub(crate) fn new(outstanding: &Outstanding, limit: usize) -> Self {
        Self {
            advanced: outstanding.cumulative(),
            streams: BTreeMap::new(),
            due: false,
            sent: None,
            limit,
        }
    }

    pub(crate) fn is_pending(&self, outstanding: &Outstanding) -> bool {
        self.advanced > outstanding.cumulative()
    }

    /// RFC 3758 §3.5 C: moves the point over what was given up. It is said when it moves, and then once a round trip as
    /// long as the peer has not followed.
    pub(crate) fn update(&mut self, now: Instant, round_trip: Duration, outstanding: &Outstanding) {
        let cumulative = outstanding.cumulative();
        if self.advanced <= cumulative {
            self.advanced = cumulative;
            self.streams.clear();
            self.due = false;
        } else {
            self.streams.retain(|_, (seq, _)| *seq > cumulative);
        }
        let before = self.advanced;
        while let Some(skipped) = outstanding.skipped(self.advanced.next()) {
            let next = self.advanced.next();
            if skipped.ordered {
                let full = self.streams.len() >= self.limit;
                if full && !self.streams.contains_key(&skipped.stream) {
                    break;
                }
                self.streams.insert(skipped.stream, (next, skipped.ssn));
            }
            self.advanced = next;
        }
        let again = self.sent.is_none_or(|at| now >= at + round_trip);
        self.due |= self.advanced > before || (self.advanced > cumulative && again);
    }

    /// Appends the FORWARD TSN that is due, if it fits.
    pub(crate) fn write(&mut self, now: Instant, buf: &mut Vec<u8>, space: usize) {
        if !self.due || space < ForwardTsn::LEN + self.streams.len() * 4 {
            return;
        }
        let streams = self.streams.iter();
        let streams = streams.map(|(stream, (_, ssn))| (*stream, *ssn));
        ForwardTsn::write(buf, self.advanced.tsn(), streams);
        self.due = false;
        self.sent = Some(now);
    }
}
