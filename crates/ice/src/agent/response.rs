//! Answers of the peer to our checks (RFC 8445 §7.2.5).

use std::time::Instant;

use oxirtc_stun::{Class, ErrorCode, Message};
use rand_core::Rng;

use super::{Agent, message};
use crate::{
    ChecklistSet, GenerationId, PairState,
    base::PairKey,
    pair::{Nomination, PairId, Request},
};

impl Agent {
    /// Takes an answer. Whether it changed anything.
    pub(super) fn handle_answer(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        key: PairKey,
        answer: &Message<'_>,
    ) -> bool {
        let transaction = answer.transaction_id();
        let mut sessions = self.tables.sessions.iter_mut();
        let asked = sessions.find_map(|session| {
            let asked = session.list.with_request(key, &transaction);
            asked.map(|_| session.id)
        });
        let Some(whole) = asked.and_then(|id| self.tables.whole(id)) else {
            self.stats.drops.unexpected += 1;
            return false;
        };
        // RFC 8489 §9.1.4: what fails integrity was never received.
        if answer
            .verify_message_integrity(&whole.remote.keys.key)
            .is_err()
        {
            self.stats.drops.unauthenticated += 1;
            return false;
        }
        // RFC 8489 §6.3.3: nor was what cannot be understood.
        if answer
            .not_understood(message::is_understood)
            .next()
            .is_some()
        {
            self.stats.drops.malformed += 1;
            return false;
        }
        let session = whole.session;
        let id = session.id;
        let Some(pair) = session.list.with_request(key, &transaction) else {
            return false;
        };
        let Some(request) = pair.take_request(&transaction) else {
            return false;
        };
        self.stats.responses_received += 1;
        pair.counters.responses_received += 1;
        let pair_id = pair.id;
        if pair.key != key {
            self.stats.drops.asymmetric += 1;
            // RFC 8445 §7.2.5.2.1: an answer from elsewhere fails the check; it does not undo what works.
            if !pair.is_valid() {
                pair.fail();
            }
            return true;
        }
        session.heard = now;
        self.silence.answered(now, key);
        match answer.class() {
            Class::Error => self.handle_error(now, set, (id, pair_id), (&request, answer)),
            _ => self.handle_success(now, set, (id, pair_id), (&request, answer)),
        }
        if let Some(path) = self.gatherer.bases.path(key) {
            self.note_authentic(key, path);
        }
        true
    }

    fn handle_success(
        &mut self,
        now: Instant,
        set: &ChecklistSet,
        (id, pair_id): (GenerationId, PairId),
        (request, answer): (&Request, &Message<'_>),
    ) {
        let jitter = self.jitter();
        let controlling = set.is_controlling();
        let config = &self.config;
        let Some(session) = self.tables.session_mut(id) else {
            return;
        };
        let nominating = session.nominating == Some(pair_id);
        let is_listed = session.is_listed();
        let Some(pair) = session.list.get_mut(pair_id) else {
            return;
        };
        if !request.repeated {
            pair.measure(now.saturating_duration_since(request.sent));
        }
        pair.succeed(now, request.sent, jitter, config);
        let wanted = match pair.nomination {
            Nomination::Wanted(value) => Some(value),
            _ => None,
        };
        let foundation = pair.foundation;
        if !nominating {
            pair.check = None;
            session.list.untrigger(pair_id);
        }
        session.list.unfreeze(foundation);
        session.first_valid.get_or_insert(now);
        if let Some(mapped) = answer.xor_mapped_address() {
            self.learn_local(id, pair_id, mapped, (request.priority, controlling));
        }
        if !is_listed {
            return;
        }
        // RFC 8445 §8.1.1 as controlling, §7.3.1.5 as controlled.
        let ours = request.nominates.filter(|_| request.epoch == set.epoch());
        match (controlling, ours, wanted) {
            (true, Some(value), _) if nominating => {
                if let Some(session) = self.tables.session_mut(id) {
                    session.nominating = None;
                }
                self.nominated(now, set, id, (pair_id, value));
            }
            (false, _, Some(value)) => self.nominated(now, set, id, (pair_id, value)),
            _ => {}
        }
    }

    fn handle_error(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        (id, pair_id): (GenerationId, PairId),
        (request, answer): (&Request, &Message<'_>),
    ) {
        let conflict = ErrorCode::ROLE_CONFLICT.code;
        let is_conflict = answer
            .error_code()
            .is_some_and(|error| error.code == conflict);
        if is_conflict {
            self.stats.role_conflicts += 1;
            let is_listed = self.tables.session(id).is_some_and(|it| it.is_listed());
            // RFC 8445 §7.2.5.1: the role of the request was wrong, unless it was given up meanwhile.
            if is_listed && request.epoch == set.epoch() && !self.config.lite {
                set.turn_role(true);
                self.follow_role(set);
            }
        }
        let config = &self.config;
        let Some(session) = self.tables.session_mut(id) else {
            return;
        };
        if session.nominating == Some(pair_id) && !is_conflict {
            session.nominating = None;
        }
        let Some(pair) = session.list.get_mut(pair_id) else {
            return;
        };
        if is_conflict {
            // It came from the peer, about a role and not about consent.
            match &mut pair.consent {
                Some(consent) => consent.answered(now, config),
                None => pair.state = PairState::Waiting,
            }
            pair.check = None;
            session.list.trigger(pair_id);
        } else if !pair.is_valid() {
            log::debug!(
                "{}the peer refuses checks on {:?}",
                self.config.label,
                pair.key
            );
            pair.fail();
        }
    }

    /// A number in 0..1, to vary intervals with.
    pub(super) fn jitter(&mut self) -> f64 {
        f64::from(self.random.next_u32()) / f64::from(u32::MAX)
    }
}
