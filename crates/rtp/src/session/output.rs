//! Packets to be sent.

use std::time::Instant;

use super::{Head, Session, Written};
use crate::{Event, send::Stamp};

impl Session {
    /// The head of the line, so that whoever paces can say "not yet" before anything is numbered. Audio first, then
    /// what is sent again, then video; within a class streams take turns.
    pub fn peek(&mut self, now: Instant) -> Option<Head> {
        let count = self.senders.len();
        let mut best: Option<(usize, Head)> = None;
        for step in 0..count {
            let at = (self.turn + step) % count;
            let Some(sender) = self.senders.get_mut(at) else {
                continue;
            };
            let Some(state) = self.sections.get(sender.section) else {
                continue;
            };
            let switches = sender.stats.switches;
            let found = sender.peek(now, &state.section, self.config.largest);
            if sender.stats.switches > switches {
                self.events.push_back(Event::Switched {
                    section: state.id,
                    encoding: sender.place,
                    lane: sender.rewrite.target(),
                });
            }
            if let Some((class, len)) = found
                && best.is_none_or(|best| class < best.1.class)
            {
                let backlog = sender.backlog();
                best = Some((
                    at,
                    Head {
                        class,
                        len,
                        backlog,
                    },
                ));
            }
        }
        let (at, head) = best?;
        self.turn = at;
        Some(head)
    }

    /// Writes the head of the line behind `buf`, unless it is longer than `room`: then it stays.
    pub fn poll_rtp(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) -> Option<Written> {
        let start = buf.len();
        let head = self.peek(now).filter(|head| head.len <= room)?;
        let stamp = Stamp {
            now,
            origin: self.origin,
            wall: self.wall,
            transport: self.sent.next(),
        };
        let sender = self.senders.get_mut(self.turn)?;
        let section = &self.sections.get(sender.section)?.section;
        let Some(done) = sender.write(head.class, section, stamp, buf) else {
            buf.truncate(start);
            return None;
        };
        sender.breaker.sent(now);
        self.turn += 1;
        let len = buf.len() - start;
        // A number is taken by a packet that was written, and by nothing else.
        let transport_number = done.numbered.then_some(stamp.transport);
        if done.numbered {
            self.sent.took(now, len);
            self.stats.transport_sent += 1;
        }
        self.timers.start(now, &self.config, &mut self.rng);
        Some(Written {
            class: done.class,
            transport_number,
            len,
        })
    }
}
