//! Answers of the peer to our checks (RFC 8445 §7.2.5).

use std::time::Instant;

use oxirtc_stun::{Class, ErrorCode, Message};
use rand_core::Rng;

use super::Agent;
use crate::{
    PairState, Path,
    pair::{Nomination, PairId, Request},
    session::Session,
};

impl Agent {
    /// Takes an answer. Whether it changed anything.
    pub(super) fn handle_answer(&mut self, now: Instant, path: Path, answer: &Message<'_>) -> bool {
        let id = answer.transaction_id();
        let previous = self
            .previous
            .as_mut()
            .filter(|session| !session.is_retired());
        let sessions = [Some(&mut self.current), previous];
        let mut found = None;
        for (at, session) in sessions.into_iter().flatten().enumerate() {
            if let Some(pair) = session.list.with_request(path, &id) {
                found = Some((at == 0, session.remote.as_ref(), pair));
                break;
            }
        }
        let Some((is_current, keys, pair)) = found else {
            self.stats.drops.unexpected += 1;
            return false;
        };
        // RFC 8489 §9.1.4: what fails integrity was never received.
        if keys.is_none_or(|keys| answer.verify_message_integrity(&keys.key).is_err()) {
            self.stats.drops.unauthenticated += 1;
            return false;
        }
        // RFC 8489 §6.3.3: nor was what cannot be understood.
        if answer.unknown_comprehension_required().next().is_some() {
            self.stats.drops.malformed += 1;
            return false;
        }
        let Some(request) = pair.take_request(&id) else {
            return false;
        };
        self.stats.responses_received += 1;
        pair.counters.responses_received += 1;
        let pair_id = pair.id;
        if pair.path != path {
            self.stats.drops.asymmetric += 1;
            // RFC 8445 §7.2.5.2.1: an answer from elsewhere fails the check; it does not undo what works.
            if !pair.is_valid() {
                pair.fail();
            }
            return true;
        }
        match answer.class() {
            Class::Error => self.handle_error(now, is_current, pair_id, &request, answer),
            _ => self.handle_success(now, is_current, pair_id, &request, answer),
        }
        self.note_authentic(path);
        true
    }

    fn handle_success(
        &mut self,
        now: Instant,
        is_current: bool,
        id: PairId,
        request: &Request,
        answer: &Message<'_>,
    ) {
        let jitter = self.jitter();
        let controlling = self.is_controlling();
        let config = &self.config;
        let Some(session) = session_mut(&mut self.current, &mut self.previous, is_current) else {
            return;
        };
        let nominating = session.progress.nominating == Some(id);
        let Some(pair) = session.list.get_mut(id) else {
            return;
        };
        if !request.repeated {
            pair.measure(now.saturating_duration_since(request.sent));
        }
        pair.succeed(now, request.sent, jitter, config);
        let wanted = pair.nomination == Nomination::Wanted;
        let foundation = pair.candidates.foundation;
        if !nominating {
            pair.check = None;
            session.list.untrigger(id);
        }
        session.list.unfreeze(foundation);
        session.progress.first_valid.get_or_insert(now);
        if let Some(mapped) = answer.xor_mapped_address() {
            session.learn_local(id, mapped, request.priority, controlling);
        }
        if !is_current {
            return;
        }
        // RFC 8445 §8.1.1 as controlling, §7.3.1.5 as controlled.
        if controlling && request.controlling && request.nominates && nominating {
            self.current.progress.nominating = None;
            self.nominated(now, id);
        } else if !controlling && wanted {
            self.nominated(now, id);
        }
    }

    fn handle_error(
        &mut self,
        now: Instant,
        is_current: bool,
        id: PairId,
        request: &Request,
        answer: &Message<'_>,
    ) {
        let conflict = ErrorCode::ROLE_CONFLICT.code;
        let is_conflict = answer
            .error_code()
            .is_some_and(|error| error.code == conflict);
        if is_conflict && is_current {
            self.stats.role_conflicts += 1;
            // RFC 8445 §7.2.5.1: the role of the request was wrong, unless it was given up meanwhile.
            if request.controlling == self.is_controlling() {
                self.switch_role();
                self.role.tie_breaker = self.random.next_u64();
            }
        }
        let config = &self.config;
        let Some(session) = session_mut(&mut self.current, &mut self.previous, is_current) else {
            return;
        };
        if session.progress.nominating == Some(id) && !is_conflict {
            session.progress.nominating = None;
        }
        let Some(pair) = session.list.get_mut(id) else {
            return;
        };
        if is_conflict {
            // It came from the peer, about a role and not about consent.
            match &mut pair.consent {
                Some(consent) => consent.answered(now, config),
                None => pair.state = PairState::Waiting,
            }
            pair.check = None;
            session.list.trigger(id);
        } else if !pair.is_valid() {
            log::debug!("the peer refuses checks on {:?}", pair.path);
            pair.fail();
        }
    }

    /// A number in 0..1, to vary intervals with.
    pub(super) fn jitter(&mut self) -> f64 {
        f64::from(self.random.next_u32()) / f64::from(u32::MAX)
    }
}

/// The current session, or the previous one if there is one.
pub(super) fn session_mut<'s>(
    current: &'s mut Session,
    previous: &'s mut Option<Session>,
    is_current: bool,
) -> Option<&'s mut Session> {
    if is_current {
        Some(current)
    } else {
        previous.as_mut()
    }
}
