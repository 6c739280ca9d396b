//! Which message may begin, and the streams that are parked until theirs may.

use std::time::Instant;

use super::{Limit, Outgoing, Queue};
use crate::{StreamId, effort};

impl Queue {
    /// Whether the next message of a stream that is so far on may begin.
    pub(super) fn may_begin(&self, stream: StreamId, position: u64) -> bool {
        let (_, piece) = self.room;
        let Some((outgoing, length)) = self.front(stream) else {
            return false;
        };
        !self.interleaved
            || length <= piece
            || (self.fits(length) && self.may_overtake(position, position + outgoing.way(length)))
    }

    /// RFC 8260 leaves it open that a peer's buffer fills with parts of messages of which none can be completed. What
    /// is begun beside the largest stays within half of what the peer has room for.
    fn fits(&self, length: usize) -> bool {
        let Some((_, left)) = self.largest() else {
            return true;
        };
        let (peer, _) = self.room;
        self.begun_left.total().saturating_sub(left) + length <= peer / 2
    }

    /// Whether a message may begin before that of the first that is parked, for which room has to come together. It may if its stream is
    /// less far on, before it or behind it: so everyone's turn comes, and a short message waits for no long one. And it may
    /// while it ends before the largest does, if that is what the first waits for.
    fn may_overtake(&self, begin: u64, end: u64) -> bool {
        let Some((first, position)) = self.scheduler.first_parked() else {
            return true;
        };
        let Some((parked, length)) = self.front(first) else {
            return true;
        };
        if begin <= position || end < position + parked.way(length) {
            return true;
        }
        let (peer, _) = self.room;
        let largest = self.largest().filter(|_| length > peer / 2);
        largest.is_some_and(|(largest, left)| end <= largest.position + largest.way(left))
    }

    /// The stream of the largest message that has begun, and what is left of that.
    fn largest(&self) -> Option<(&Outgoing, usize)> {
        let (_, stream) = self.begun.last()?;
        self.front(*stream)
    }

    /// The stream, if something waits on it, and how long the first of that is.
    fn front(&self, stream: StreamId) -> Option<(&Outgoing, usize)> {
        let outgoing = self.streams.get(&stream)?;
        let message = outgoing.messages.front()?;
        Some((outgoing, message.payload.len()))
    }

    /// Whether a message that begins now can leave in its life, as far as that is known, and with a fifth to spare for what slows it down.
    /// One that is a single piece has left at once. And where half of its life is left it has not waited for long: those behind it would be
    /// no better off. Nor is anybody where nothing else waits, and a window that is not used would not grow.
    pub(super) fn can_leave(&self, limit: Limit, length: usize, now: Instant) -> bool {
        let Some(at) = limit.expires else {
            return true;
        };
        let (_, piece) = self.room;
        let rest = at.saturating_duration_since(now);
        let is_young = 2 * rest.as_millis() >= limit.life.into();
        let is_alone = self.buffered.total() <= length;
        if rest.is_zero() || length <= piece || is_young || is_alone {
            return !rest.is_zero();
        }
        let turns = if self.interleaved {
            self.scheduler.active()
        } else {
            1
        };
        let all = self.buffered.total().max(length);
        let length = length.saturating_mul(turns).min(all);
        self.pace
            .is_none_or(|pace| pace.takes(length) <= rest * 4 / 5)
    }

    /// A stream that is parked, and so far on, has its turn if that has come and its message may begin.
    pub(super) fn admit(&mut self, parked: Option<(StreamId, u64)>) -> bool {
        let is_next = parked.is_some_and(|(stream, position)| {
            self.scheduler.is_due(position) && self.may_begin(stream, position)
        });
        if let Some((stream, _)) = parked.filter(|_| is_next) {
            self.scheduler.turn_to(stream);
        }
        is_next
    }

    /// Not only the first of those that are parked may have something that may begin, and something that is over: the first may wait for
    /// long. Another is looked at each time.
    pub(super) fn look_at_parked(&mut self, now: Instant, left: &mut usize, abandoned: &mut u64) {
        let another = self.scheduler.another_parked();
        while let Some((stream, _)) = another
            && *left > 0
            && self.is_over(stream, now)
        {
            *left = left.saturating_sub(3 * effort::MESSAGE);
            *abandoned += 1;
            self.drop_front(stream);
        }
        self.admit(another);
    }

    /// Whether the life of the stream's next message has ended.
    fn is_over(&self, stream: StreamId, now: Instant) -> bool {
        let outgoing = self.streams.get(&stream);
        let message = outgoing.and_then(|outgoing| outgoing.messages.front());
        let expires = message.and_then(|message| message.limit.expires);
        !self.reliable && expires.is_some_and(|at| at <= now)
    }
}
