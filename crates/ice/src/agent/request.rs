//! Requests of the peer (RFC 8445 §7.3).

use std::time::Instant;

use oxirtc_stun::{AttributeType, ErrorCode, Message};

use super::{Agent, message};
use crate::{
    CandidateKind, Event, PairState, Path, Role, State,
    candidate::priority,
    pair::{Nomination, PairId},
    session::{Early, MAX_EARLY, Session, peer_reflexive},
};

impl Agent {
    /// Answers a request. Whether it changed anything.
    ///
    /// What is not authenticated gets no answer at all: there is nothing to gain from telling strangers
    /// why, and a peer that is ahead of its signalling will ask again.
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        path: Path,
        request: &Message<'_>,
    ) -> bool {
        let username = request.username().and_then(|name| name.split_once(':'));
        let addressed = username.and_then(|(ours, theirs)| {
            let current = is_addressed(&self.current, ours, theirs);
            let previous = self
                .previous
                .as_ref()
                .filter(|session| !session.is_retired());
            if current {
                Some((&self.current, theirs, true))
            } else {
                let session = previous.filter(|session| is_addressed(session, ours, theirs))?;
                Some((session, theirs, false))
            }
        });
        let Some((session, ufrag, is_current)) = addressed else {
            self.stats.drops.unauthenticated += 1;
            return false;
        };
        let key = session.local.as_ref().map(|keys| keys.key.clone());
        // RFC 8445 §7.1.3: integrity is that of SHA-1, with the local password.
        let authentic = |key: &_| request.verify_message_integrity(key).is_ok();
        let Some(key) = key.filter(authentic) else {
            self.stats.drops.unauthenticated += 1;
            return false;
        };
        self.stats.requests_received += 1;
        let expired = session.list.on_path(path).is_some_and(|pair| pair.expired);
        if self.outcome.state == State::Failed || expired {
            self.stats.drops.late += 1;
            return false;
        }
        let ufrag = ufrag.to_owned();

        let mut answer = self.control.buffer();
        let refused = self.refuse(request, is_current);
        if let Some((code, unknown)) = &refused {
            message::write_error(&mut answer, request, *code, unknown, &key);
        } else {
            message::write_success(&mut answer, request, path.remote, &key);
        }
        self.stats.responses_sent += 1;
        self.stats.drops.control += self.control.push(path, None, answer);
        if refused.is_none() && is_current {
            self.accept(now, path, request, ufrag);
        }
        self.note_authentic(path);
        self.count_request(path, is_current);
        true
    }

    /// Why an authentic request is answered with an error, if so. Resolves role conflicts.
    fn refuse(
        &mut self,
        request: &Message<'_>,
        is_current: bool,
    ) -> Option<(ErrorCode<'static>, Vec<AttributeType>)> {
        let unknown: Vec<_> = request
            .unknown_comprehension_required()
            .take(MAX_UNKNOWN)
            .collect();
        if !unknown.is_empty() {
            return Some((ErrorCode::UNKNOWN_ATTRIBUTE, unknown));
        }
        if !is_current {
            return None;
        }
        let theirs = match (request.ice_controlling(), request.ice_controlled()) {
            (Some(_), Some(_)) => return Some((ErrorCode::BAD_REQUEST, Vec::new())),
            (Some(tie_breaker), None) if self.is_controlling() => tie_breaker,
            (None, Some(tie_breaker)) if !self.is_controlling() => tie_breaker,
            _ => return None,
        };
        self.stats.role_conflicts += 1;
        // RFC 8445 §7.3.1.1: the side with the larger tie-breaker controls; who is told so by the
        // other's request gives way, who knows better says 487.
        let larger = self.role.tie_breaker >= theirs;
        if larger == self.is_controlling() {
            return Some((ErrorCode::ROLE_CONFLICT, Vec::new()));
        }
        self.switch_role();
        None
    }

    /// Takes the other role, and says so.
    pub(super) fn switch_role(&mut self) {
        self.take_role(match self.role.role {
            Role::Controlling => Role::Controlled,
            Role::Controlled => Role::Controlling,
        });
        let event = Event::RoleChanged(self.role.role);
        self.outcome.events.push_back(event);
    }

    fn accept(&mut self, now: Instant, path: Path, request: &Message<'_>, ufrag: String) {
        let nominates = request.use_candidate();
        if self.current.is_armed() {
            self.learn(now, path, request.priority(), nominates);
            return;
        }
        // The peer has our description, and we wait for its own: its checks are made up for as soon as
        // its password is known, so that nobody waits for a retransmission.
        let fallback = priority(CandidateKind::PeerReflexive, 0);
        let early = &mut self.current.early;
        let same = |known: &&mut Early| known.path == path && known.ufrag == ufrag;
        if let Some(known) = early.iter_mut().find(same) {
            known.nominates |= nominates;
        } else if early.len() < MAX_EARLY {
            early.push(Early {
                path,
                ufrag,
                priority: request.priority().unwrap_or(fallback),
                nominates,
            });
        }
    }

    /// RFC 8445 §7.3.1.3 to §7.3.1.5: learns the candidate, checks the pair, notes the nomination.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        path: Path,
        priority_of: Option<u32>,
        nominates: bool,
    ) {
        let known = self.current.list.on_path(path).map(|pair| pair.id);
        let Some(id) = known.or_else(|| self.learn_pair(path, priority_of)) else {
            return;
        };
        let nominates = nominates && !self.is_controlling();
        let concluded = self.is_controlling() && self.current.progress.selected.is_some();
        let Some(pair) = self.current.list.get_mut(id) else {
            return;
        };
        if pair.is_usable(now) {
            if nominates {
                self.nominated(now, id);
            }
            return;
        }
        if nominates {
            pair.nomination = Nomination::Wanted;
        }
        // What lost its consent is not checked again with the same credentials; what works and is not
        // in use is checked only when the peer wants it to be.
        if concluded || pair.expired || pair.is_valid() && !nominates {
            return;
        }
        // RFC 8445 §7.3.1.4: a check under way is not repeated, its answer still counts.
        pair.check = None;
        pair.cancelled = false;
        if !pair.is_valid() {
            pair.state = PairState::Waiting;
        }
        self.current.list.trigger(id);
    }

    fn learn_pair(&mut self, path: Path, priority_of: Option<u32>) -> Option<PairId> {
        let local = self.current.local_at(path.local)?;
        let number = self.current.remotes.len();
        let remote = self.current.remote_at(path.remote).or_else(|| {
            let fallback = priority(CandidateKind::PeerReflexive, 0);
            let priority = priority_of.unwrap_or(fallback);
            let candidate = peer_reflexive(path.remote, priority, number);
            self.current.push_remote(candidate, false)
        });
        let Some(remote) = remote else {
            self.stats.drops.candidates += 1;
            return None;
        };
        let pair = self.current.pair(local, remote, self.is_controlling())?;
        self.insert(pair, true)
    }

    /// The first message with integrity on a path is told, if the path belongs to something.
    pub(super) fn note_authentic(&mut self, path: Path) {
        if !self.outcome.authenticated.contains(&path) && self.is_in_use(path) {
            self.outcome.authenticated.push(path);
            let event = Event::PathAuthenticated(path);
            self.outcome.events.push_back(event);
        }
    }

    fn count_request(&mut self, path: Path, is_current: bool) {
        let session = if is_current {
            Some(&mut self.current)
        } else {
            self.previous.as_mut()
        };
        let pair =
            session.and_then(|session| session.list.iter_mut().find(|pair| pair.path == path));
        if let Some(pair) = pair {
            pair.counters.requests_received += 1;
            pair.counters.responses_sent += 1;
        }
    }
}

/// RFC 8445 §7.3: the user name is our fragment, a colon, and the peer's, as far as it is known.
fn is_addressed(session: &Session, ours: &str, theirs: &str) -> bool {
    let local = session.local.as_ref();
    let remote = session.remote.as_ref();
    local.is_some_and(|keys| keys.ufrag() == ours)
        && remote.is_none_or(|keys| keys.ufrag() == theirs)
        && theirs.len() <= MAX_UFRAG
}

/// Unknown attributes that are listed in an answer at most.
const MAX_UNKNOWN: usize = 16;
/// RFC 8839 §5.4: the longest fragment.
const MAX_UFRAG: usize = 256;
