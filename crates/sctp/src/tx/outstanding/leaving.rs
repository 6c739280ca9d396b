//! Giving messages up (RFC 3758, RFC 7496).

use std::time::Instant;

use bytes::Bytes;

use super::{Fate, Limit, Of, Outstanding, Queue, Sent, Skipped};
use crate::{StreamId, effort, packet::Data, serial::Seq};

impl Sent {
    fn back(&self) -> u16 {
        match self.of {
            Of::Message { back, .. } => back,
            Of::Alone { .. } => 0,
        }
    }
}

impl Outstanding {
    /// RFC 7496 §4: gives the chunk's message up if it may not be sent again.
    pub(super) fn limit(
        &mut self,
        seq: Seq,
        now: Instant,
        queue: &mut Queue,
        abandoned: &mut u64,
        left: &mut usize,
    ) {
        let Some(chunk) = self.get(seq).filter(|chunk| chunk.fate == Fate::Lost) else {
            return;
        };
        if self.is_given_up(chunk)
            && let Some(stream) = self.stream(chunk.of)
        {
            *left = left.saturating_sub(effort::CHUNK);
            self.abandon_chunk(seq, stream, queue, left);
            return;
        }
        let limit = self.limit_of(chunk);
        if limit.is_none_or(|limit| !limit.is_reached(chunk.tries, now)) {
            return;
        }
        *abandoned += 1;
        match chunk.of {
            Of::Alone { stream, .. } => {
                *left = left.saturating_sub(effort::CHUNK);
                self.abandon_chunk(seq, stream, queue, left);
            }
            Of::Message { key, .. } => {
                self.abandon(key);
                self.go_on_leaving(queue, left);
            }
        }
    }

    /// RFC 3758 §4.1: gives up the messages whose life is over, wherever they stand. False if that was more than there is `left`.
    pub(crate) fn abandon_expired(
        &mut self,
        now: Instant,
        queue: &mut Queue,
        abandoned: &mut u64,
        left: &mut usize,
    ) -> bool {
        loop {
            if !self.go_on_leaving(queue, left) {
                return false;
            }
            let Some(&(at, key)) = self.expiries.first() else {
                return true;
            };
            if at > now {
                return true;
            }
            if *left == 0 {
                return false;
            }
            *left = left.saturating_sub(effort::MESSAGE);
            self.expiries.pop_first();
            let Some(message) = self.messages.get(key as usize) else {
                continue;
            };
            if message.queued || message.missing > 0 {
                *abandoned += 1;
                self.abandon(key);
            }
        }
    }

    /// When the next message that was begun ends its life.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.expiries.first().map(|(at, _)| *at)
    }

    pub(super) fn before(&self, seq: Seq, back: u16) -> Option<Seq> {
        let before = Seq(seq.0.checked_sub(back.into())?);
        (back > 0 && before >= self.base).then_some(before)
    }

    /// Gives up a message: its chunks in the list, and what is still queued of it. That is done by `go_on_leaving`.
    fn abandon(&mut self, key: u32) {
        let Some(message) = self.messages.get_mut(key as usize) else {
            return;
        };
        message.abandoned = true;
        let (generation, last) = (message.generation, message.last);
        if let Some(at) = message.limit.expires {
            self.expiries.remove(&(at, key));
        }
        self.leaving.push_back((key, generation, Some(last)));
    }

    /// Whether messages are to be given up whose chunks are not all given up yet.
    pub(crate) fn is_anything_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Gives up what is to be given up. False if that was more than there is `left`.
    pub(crate) fn go_on_leaving(&mut self, queue: &mut Queue, left: &mut usize) -> bool {
        while let Some(&(key, generation, from)) = self.leaving.front() {
            let message = self.messages.get(key as usize);
            let Some(message) = message.filter(|it| it.generation == generation) else {
                // All of it was acknowledged meanwhile.
                self.leaving.pop_front();
                continue;
            };
            let (stream, queued) = (message.stream, message.queued);
            let mut next = from;
            while let Some(seq) = next {
                if *left == 0 {
                    if let Some((.., place)) = self.leaving.front_mut() {
                        *place = next;
                    }
                    return false;
                }
                *left = left.saturating_sub(effort::CHUNK);
                let Some(back) = self.abandon_chunk(seq, stream, queue, left) else {
                    break;
                };
                next = self.before(seq, back);
            }
            self.leaving.pop_front();
            if queued && let Some(rest) = queue.abandon_rest(stream, key) {
                self.push_abandoned(rest);
            }
        }
        true
    }

    /// How far back the one before it stands. What is in flight stays so until it has come or is lost, as the path is judged by that: who
    /// lives shorter than a round trip would be sent without end else.
    fn abandon_chunk(
        &mut self,
        seq: Seq,
        stream: StreamId,
        queue: &mut Queue,
        left: &mut usize,
    ) -> Option<u16> {
        let chunk = self.get_mut(seq)?;
        let (length, back, was) = (chunk.payload.len(), chunk.back(), chunk.fate);
        let end = chunk.flags & Data::END != 0;
        let released = std::mem::replace(&mut chunk.released, true);
        // It is never sent again, and its bytes would keep the whole message, of which nothing counts any more. What is in flight keeps its
        // length.
        chunk.payload = match was {
            Fate::InFlight => zeros(length),
            _ => Bytes::new(),
        };
        match was {
            Fate::Lost => {
                chunk.fate = Fate::Abandoned;
                *left = left.saturating_sub(effort::LOST);
                self.lost.remove(&seq);
            }
            // Its record stays.
            Fate::Acknowledged => self.beyond.take(length),
            Fate::InFlight | Fate::Abandoned => {}
        }
        if !released {
            queue.released(stream, length, end);
        }
        Some(back)
    }

    /// Whether the number is of a message that has come whole beyond a gap: when what stands around it was given up, the peer may be told
    /// to pass over it too. RFC 9260 §6.2 lets a peer take back what it has acknowledged so. Of one that has done so only what may be given
    /// up is passed over, and nothing while it is not known what it has taken back.
    pub(crate) fn is_spared(&self, seq: Seq) -> bool {
        if self.taken_back.is_some() {
            return false;
        }
        let chunk = self.get(seq).filter(|it| it.fate == Fate::Acknowledged);
        chunk.filter(|it| self.is_whole(it)).is_some_and(|chunk| {
            let limit = self.limit_of(chunk);
            self.reneged == 0 || limit.is_some_and(|limit| limit != Limit::NONE)
        })
    }

    /// Whether the peer shall skip this number, and what it means.
    pub(crate) fn skipped(&self, seq: Seq) -> Option<Skipped> {
        let over = |chunk: &&Sent| chunk.fate != Fate::InFlight && self.is_given_up(chunk);
        let chunk = self.get(seq).filter(over)?;
        let (stream, number) = match chunk.of {
            Of::Alone { stream, number, .. } => (stream, number),
            Of::Message { .. } => {
                let message = self.message(chunk.of)?;
                (message.stream, message.number)
            }
        };
        Some(Skipped {
            stream,
            number,
            ordered: chunk.flags & Data::UNORDERED == 0,
        })
    }
}

/// So many bytes that nobody holds.
fn zeros(length: usize) -> Bytes {
    Bytes::from_static(ZEROS.get(..length).unwrap_or(&ZEROS))
}

/// A chunk's length has 16 bits (RFC 9260 §3.2), and its payload is shorter.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
