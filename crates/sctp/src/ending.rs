//! How an association ends, and what it still has to say then (RFC 9260 §8.1, §8.4, §9.1).

use std::time::{Duration, Instant};

use crate::{
    Association, Event, Failure, Initiator, State,
    packet::{CauseCode, Chunk, ChunkKind, Init, Packet},
    rx::Acknowledgement,
    tcb::{Consent, Ended},
};

impl Association {
    /// Whether the association is over and its last packet, an ABORT or SHUTDOWN COMPLETE, has been taken. Until then
    /// it must be asked for packets; and as long as packets for it may come it should be kept and given them, as the
    /// last packet can be lost and is then repeated.
    pub fn is_drained(&self) -> bool {
        self.ended.is_some() && !self.control.is_pending()
    }

    /// Drops a few of the messages of an association of which nobody will ask anything any more, as very many may wait on it; it is over
    /// with the first call. False when none is left, and it can be dropped at little cost.
    pub fn let_go(&mut self) -> bool {
        if self.ended.is_none() {
            let by = Initiator::User;
            self.end(Event::Closed {
                cause_code: None,
                by,
            });
        }
        let sent = self.tx.let_go();
        let received = self.rx.let_go();
        sent || received
    }

    /// Ends with an ABORT that names the cause, and tells the user.
    pub(crate) fn fail(&mut self, cause: Failure) {
        self.fail_with(cause, &[]);
    }

    pub(crate) fn fail_with(&mut self, cause: Failure, information: &[u8]) {
        let code = cause.cause_code();
        let code = code.map_or(CauseCode::USER_INITIATED_ABORT, CauseCode);
        self.end_with_abort(Event::Failed { cause }, code, information);
    }

    pub(crate) fn end_with_abort(&mut self, event: Event, code: CauseCode, information: &[u8]) {
        if self.ended.is_some() {
            return;
        }
        self.end(event);
        let tag = self.peer.tag;
        if tag != 0 {
            self.control.abort(tag, code, information);
            let abort = self.control.last_reply();
            if let Some(ended) = &mut self.ended {
                ended.abort = abort;
            }
        }
    }

    pub(crate) fn end(&mut self, event: Event) {
        self.state = State::Closed;
        self.ended = Some(Ended {
            abort: None,
            answers: 0,
            // What is on its way already was not sent by someone who should know better.
            next_answer: self.clock + ANSWER_INTERVAL,
        });
        self.control = Default::default();
        self.timers.stop_all();
        self.rx.acknowledgement = Acknowledgement::None;
        self.events.push(event);
    }

    /// RFC 9260 §8.4: a peer that goes on has not heard the end, and one that sets up an association (§5.1) finds none. A few times, and
    /// not for each of its packets, it is said.
    pub(crate) fn handle_after_end(&mut self, now: Instant, packet: &Packet<'_>, first: Chunk<'_>) {
        let ends = |chunk: Chunk<'_>| {
            matches!(chunk.kind, ChunkKind::ABORT | ChunkKind::SHUTDOWN_COMPLETE)
        };
        let Some(ended) = &mut self.ended else {
            return;
        };
        let ours = packet.tag == self.peer.local_tag && !packet.chunks().any(ends);
        let sets_up = match first.kind {
            ChunkKind::INIT if packet.tag == 0 => Init::parse(first.value).map(|init| init.tag),
            _ => None,
        };
        // One that we answered before the end, maybe with another tag than that of an INIT of ours.
        let echoes = first.kind == ChunkKind::COOKIE_ECHO;
        let heard = ours || echoes || sets_up.is_some_and(|tag| tag != 0);
        if !heard || ended.answers >= MAX_ANSWERS || now < ended.next_answer {
            self.stats.dropped_chunks += 1;
            return;
        }
        if let Some(tag) = sets_up {
            self.control
                .abort(tag, CauseCode::USER_INITIATED_ABORT, &[]);
        } else if echoes && ended.abort.is_none() {
            let cookie = self.setup.key.open(first.value);
            if cookie.is_none_or(|cookie| cookie.local_tag != packet.tag) {
                self.stats.dropped_cookies += 1;
                return;
            }
            self.control.abort_reflected(packet.tag);
        } else if first.kind == ChunkKind::SHUTDOWN_ACK {
            // RFC 9260 §8.4 5: our SHUTDOWN COMPLETE was lost.
            self.control.shutdown_complete(packet.tag, true);
        } else if let Some((tag, chunks)) = &ended.abort {
            self.control
                .reply(*tag, |buf| buf.extend_from_slice(chunks));
        } else {
            self.stats.dropped_chunks += 1;
            return;
        }
        ended.answers += 1;
        ended.next_answer = now + ANSWER_INTERVAL;
    }

    /// One more timeout without an answer. False if that was one too many.
    pub(crate) fn count_error(&mut self) -> bool {
        self.life.timeouts = self.life.timeouts.saturating_add(1);
        let over = match (self.config.max_retransmissions, &mut self.life.consent) {
            (Some(limit), _) => self.life.timeouts > limit,
            (None, Consent::Given) => false,
            (None, Consent::Lost { errors }) => {
                *errors += 1;
                *errors > MAX_RETRANSMISSIONS
            }
        };
        if over {
            self.fail(Failure::RetransmissionLimit);
        }
        !over
    }

    /// RFC 9260 §8.1: the peer is there.
    pub(crate) fn answered(&mut self) {
        self.life.timeouts = 0;
        if let Consent::Lost { errors } = &mut self.life.consent {
            *errors = 0;
        }
    }

    /// What an outage has taught is not true any more.
    pub(crate) fn revive(&mut self) {
        self.life.timeouts = 0;
        self.tx.revive(self.clock);
    }

    /// Whether the path below still has the peer's consent (RFC 7675). While it has, timeouts are not limited unless
    /// the configuration says so; without it they are, counted from its loss. When it comes back what was lost is sent
    /// again at once.
    pub fn set_consent(&mut self, consent: bool) {
        match (consent, self.life.consent) {
            (true, Consent::Lost { .. }) => {
                self.life.consent = Consent::Given;
                self.revive();
                self.revive_setup();
            }
            (false, Consent::Given) => {
                self.life.consent = Consent::Lost { errors: 0 };
                self.setup.attempts = 0;
            }
            _ => {}
        }
    }
}

/// How often the end is said again, and how far apart.
const MAX_ANSWERS: u8 = 8;
const ANSWER_INTERVAL: Duration = Duration::from_millis(100);
/// Association.Max.Retrans of RFC 9260 §16, in force without consent.
const MAX_RETRANSMISSIONS: u32 = 10;
