//! Checks that the agent sends: paced ones (RFC 8445 §6.1.4), and those for consent (RFC 7675).

use std::time::Instant;

use oxirtc_stun::TransactionId;

use super::{Agent, message, response::session_mut};
use crate::{
    CandidateKind,
    candidate::priority,
    checks::Turn,
    pair::{CandidatePair, PairId, Request},
    session::Session,
};

impl Agent {
    /// Uses the token of Ta, if it is there and something is to be checked.
    pub(super) fn take_turn(&mut self, now: Instant) {
        self.end_exhausted(now);
        let barred = self.current.progress.failed || !self.current.is_armed();
        if barred || now < self.next_check {
            return;
        }
        let Some(turn) = self.current.list.next_turn(now) else {
            return;
        };
        self.next_check = now + self.config.pacing;
        match turn {
            Turn::Start(id) => self.start_check(now, id),
            Turn::Repeat(id) => {
                let pair = self.current.list.get_mut(id);
                if let Some(request) = pair.and_then(|pair| pair.repeat(now)) {
                    self.stats.retransmissions_sent += 1;
                    self.send_request(true, id, request, Purpose::Check);
                }
            }
        }
    }

    fn start_check(&mut self, now: Instant, id: PairId) {
        let rto = self.current.list.rto(self.config.pacing);
        let nominates = self.is_controlling() && self.current.progress.nominating == Some(id);
        let Some(request) = self.new_request(now, true, id, nominates) else {
            return;
        };
        if let Some(pair) = self.current.list.get_mut(id) {
            pair.start(now, rto.max(2 * pair.rtt()), request);
        }
        self.send_request(true, id, request, Purpose::Check);
    }

    /// RFC 8445 §7.2.5.2.3: a check that was never answered fails its pair.
    fn end_exhausted(&mut self, now: Instant) {
        let progress = &mut self.current.progress;
        for pair in self
            .current
            .list
            .iter_mut()
            .filter(|pair| pair.is_exhausted(now))
        {
            if progress.nominating == Some(pair.id) {
                progress.nominating = None;
            }
            if pair.is_valid() {
                pair.check = None;
            } else {
                pair.fail();
            }
        }
    }

    /// Sends the consent checks that are due, and ends consent where no answer came.
    pub(super) fn refresh_consent(&mut self, now: Instant) {
        for is_current in [true, false] {
            let Some(session) = session_mut(&mut self.current, &mut self.previous, is_current)
            else {
                continue;
            };
            let due = |pair: &&CandidatePair| {
                let consent = pair.consent;
                consent.is_some_and(|consent| consent.deadline() <= now) && session.is_kept(pair)
            };
            let due = session.list.iter().filter(due);
            let due: Vec<(PairId, bool)> = due.map(|pair| (pair.id, pair.is_usable(now))).collect();
            for (id, is_usable) in due {
                if is_usable {
                    self.send_consent(now, is_current, id);
                } else {
                    self.expire(now, is_current, id);
                }
            }
        }
    }

    fn send_consent(&mut self, now: Instant, is_current: bool, id: PairId) {
        let selected = |session: &Session| session.progress.selected == Some(id);
        // The peer may have missed which pair was nominated: it is told each time.
        let nominates = self.is_controlling() && is_current && selected(&self.current);
        let Some(request) = self.new_request(now, is_current, id, nominates) else {
            return;
        };
        let jitter = self.jitter();
        let session = session_mut(&mut self.current, &mut self.previous, is_current);
        let Some(pair) = session.and_then(|session| session.list.get_mut(id)) else {
            return;
        };
        pair.remember(now, request);
        pair.counters.consent_requests_sent += 1;
        let round_trip = pair.rtt();
        if let Some(consent) = &mut pair.consent {
            consent.sent(now, jitter, round_trip, &self.config);
        }
        self.send_request(is_current, id, request, Purpose::Consent);
    }

    /// RFC 7675 §5.1: without consent nothing is sent, what is in the air is not waited for, and the
    /// credentials are not used on this pair again.
    fn expire(&mut self, now: Instant, is_current: bool, id: PairId) {
        self.control.cancel(id);
        let Some(session) = session_mut(&mut self.current, &mut self.previous, is_current) else {
            return;
        };
        if let Some(pair) = session.list.get_mut(id) {
            pair.fail();
            pair.expired = true;
        }
        session.list.untrigger(id);
        let progress = &mut session.progress;
        if progress.nominating == Some(id) {
            progress.nominating = None;
        }
        if progress.selected == Some(id) {
            progress.lost = true;
            let others = session.list.best_usable(now).is_some() || session.list.is_pending();
            if others {
                session.progress.selected = None;
            }
        }
    }

    fn new_request(
        &mut self,
        now: Instant,
        is_current: bool,
        id: PairId,
        nominates: bool,
    ) -> Option<Request> {
        let controlling = self.is_controlling();
        let session = session_mut(&mut self.current, &mut self.previous, is_current)?;
        let base = session.list.get(id)?.path.local;
        let local = session.locals.get(session.local_at(base)?)?;
        Some(Request {
            id: TransactionId::generate(&mut self.random),
            sent: now,
            repeated: false,
            nominates,
            controlling,
            // RFC 8445 §7.1.1: the priority that the candidate would have if it were peer-reflexive.
            priority: priority(CandidateKind::PeerReflexive, local.preference),
        })
    }

    fn send_request(&mut self, is_current: bool, id: PairId, request: Request, purpose: Purpose) {
        let mut buf = self.control.buffer();
        let Some(session) = session_mut(&mut self.current, &mut self.previous, is_current) else {
            return;
        };
        let Some(keys) = &session.remote else {
            return;
        };
        let tie_breaker = self.role.tie_breaker;
        message::write_check(
            &mut buf,
            &request,
            tie_breaker,
            session.username(),
            &keys.key,
        );
        let Some(pair) = session.list.get_mut(id) else {
            return;
        };
        pair.counters.requests_sent += 1;
        match purpose {
            Purpose::Check => self.stats.requests_sent += 1,
            Purpose::Consent => self.stats.consent_requests_sent += 1,
        }
        self.stats.drops.control += self.control.push(pair.path, Some(id), buf);
    }
}

/// What a request is for.
#[derive(Clone, Copy)]
enum Purpose {
    Check,
    Consent,
}
