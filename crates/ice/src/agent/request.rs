//! Requests of the peer (RFC 8445 §7.3).

use std::time::Instant;

use oxirtc_stun::{AttributeType, ErrorCode, IntegrityKey, Message};

use super::{
    Agent,
    learn::{Asked, lowest_priority},
    message,
};
use crate::{
    ChecklistSet, Event, GenerationId, Role, State,
    base::PairKey,
    generation::{Early, MAX_EARLY, SideId},
};

/// Whom a request is for.
#[derive(Clone, Copy)]
enum Addressee {
    /// A session; whether it is listed.
    Session(GenerationId, bool),
    /// A side whose peer is not known yet.
    Side(SideId),
}

impl Agent {
    /// Answers a request. Whether it changed anything.
    ///
    /// What is not authenticated gets no answer at all: there is nothing to gain from telling strangers
    /// why, and a peer that is ahead of its signalling will ask again.
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        key: PairKey,
        request: &Message<'_>,
    ) -> bool {
        let username = request.username().and_then(|name| name.split_once(':'));
        let found = username.and_then(|(ours, theirs)| {
            let (addressee, integrity) = self.addressee(ours, theirs, request)?;
            Some((addressee, integrity, theirs.to_owned()))
        });
        let Some((addressee, integrity, ufrag)) = found else {
            self.stats.drops.unauthenticated += 1;
            return false;
        };
        self.stats.requests_received += 1;
        let path = self.gatherer.bases.path(key);
        let Some(path) = path.filter(|_| self.may_answer(addressee, key)) else {
            self.stats.drops.late += 1;
            return false;
        };
        let mut answer = self.control.buffer();
        let refused = self.refuse(set, request, addressee);
        if let Some((code, unknown)) = &refused {
            message::write_error(&mut answer, request, *code, unknown, &integrity);
        } else {
            message::write_success(&mut answer, request, key.remote, &integrity);
        }
        self.stats.responses_sent += 1;
        self.stats.drops.control += self.control.push((Some(key), path), None, answer);
        if refused.is_none() {
            let asked = Asked {
                key,
                priority: request.priority(),
                nominates: message::nomination(request),
                cost: message::network_cost(request),
            };
            match addressee {
                Addressee::Session(id, true) => self.learn(now, set, id, asked),
                Addressee::Session(_, false) => {}
                Addressee::Side(side) => self.remember(side, asked, ufrag),
            }
        }
        self.note_authentic(key, path);
        self.count_request(now, addressee, key);
        true
    }

    /// RFC 8445 §7.3: the user name is our fragment, a colon, and the peer's, as far as that is known.
    /// Gives the key that the request was found authentic with.
    fn addressee(
        &self,
        ours: &str,
        theirs: &str,
        request: &Message<'_>,
    ) -> Option<(Addressee, IntegrityKey)> {
        if theirs.len() > MAX_UFRAG {
            return None;
        }
        let sides = self
            .tables
            .locals
            .iter()
            .filter(|side| side.ufrag() == ours);
        for side in sides {
            let session = self.tables.sessions.iter().rev().find(|session| {
                let remote = self.tables.remote(session.remote);
                session.local == side.id && remote.is_some_and(|it| it.ufrag() == theirs)
            });
            let addressee = match session {
                Some(session) => Addressee::Session(session.id, session.is_listed()),
                None if self.tables.awaits_peers(side.id) => Addressee::Side(side.id),
                // The peer of this side is another one.
                None => continue,
            };
            // RFC 8445 §7.1.3: integrity is that of SHA-1, with the local password.
            if request.verify_message_integrity(&side.keys.key).is_ok() {
                return Some((addressee, side.keys.key.clone()));
            }
        }
        None
    }

    /// What has failed is silent, a pair that lost its consent or has its path from nobody too, and with relayed candidates alone
    /// nothing is answered at an address of this machine.
    fn may_answer(&self, addressee: Addressee, key: PairKey) -> bool {
        let side = match addressee {
            Addressee::Side(side) => Some(side),
            Addressee::Session(id, _) => {
                let Some(session) = self.tables.session(id).filter(|session| !session.failed)
                else {
                    return false;
                };
                let pair = session.list.at(key);
                if pair.is_some_and(|pair| pair.expired || pair.barred) {
                    return false;
                }
                Some(session.local)
            }
        };
        let side = side.and_then(|id| self.tables.local(id));
        self.outcome.state != State::Failed
            && side.is_some_and(|side| side.may_use(self.gatherer.bases.kind(key.base)))
    }

    /// Why an authentic request is answered with an error, if so. Resolves role conflicts.
    fn refuse(
        &mut self,
        set: &mut ChecklistSet,
        request: &Message<'_>,
        addressee: Addressee,
    ) -> Option<(ErrorCode<'static>, Vec<AttributeType>)> {
        let unknown = request.not_understood(message::is_understood);
        let unknown: Vec<_> = unknown.take(MAX_UNKNOWN).collect();
        if !unknown.is_empty() {
            return Some((ErrorCode::UNKNOWN_ATTRIBUTE, unknown));
        }
        if matches!(addressee, Addressee::Session(_, false)) {
            return None;
        }
        let controlling = set.is_controlling();
        let theirs = match (request.ice_controlling(), request.ice_controlled()) {
            (Some(_), Some(_)) => return Some((ErrorCode::BAD_REQUEST, Vec::new())),
            (Some(tie_breaker), None) if controlling => tie_breaker,
            (None, Some(tie_breaker)) if !controlling => tie_breaker,
            _ => return None,
        };
        self.stats.role_conflicts += 1;
        // RFC 8445 §7.3.1.1: the side with the larger tie-breaker controls; who is told so by the
        // other's request gives way, who knows better says 487.
        let larger = set.tie_breaker() >= theirs;
        // A full agent always controls a lite one.
        if larger == controlling || self.config.lite {
            return Some((ErrorCode::ROLE_CONFLICT, Vec::new()));
        }
        set.turn_role(false);
        self.follow_role(set);
        None
    }

    /// Takes note of the role of the set, if it is another one.
    pub(super) fn follow_role(&mut self, set: &ChecklistSet) {
        if self.epoch == set.epoch() {
            return;
        }
        self.epoch = set.epoch();
        let mut last = None;
        while let Some(id) = self.tables.next_id(last) {
            last = Some(id);
            let Some(whole) = self.tables.whole(id) else {
                continue;
            };
            // A nomination under way was made in the name of the other role, and so were its numbers: the peer may have
            // chosen the highest.
            whole.session.nominating = None;
            whole.session.nomination_value = 0;
            whole.session.left = None;
            let controlling = set.role() == Role::Controlling;
            crate::generation::prioritize(whole.session, whole.local, whole.remote, controlling);
        }
        let event = Event::RoleChanged(set.role());
        self.outcome.events.push_back(event);
    }

    /// The peer has our description, and we wait for its own: its checks are made up for as soon as its
    /// password is known, so that nobody waits for a retransmission.
    fn remember(&mut self, id: SideId, asked: Asked, ufrag: String) {
        let Some(side) = self.tables.locals.iter_mut().find(|side| side.id == id) else {
            return;
        };
        let nominates = asked.nominates.is_some();
        let same = |known: &&mut Early| known.key == asked.key && known.ufrag == ufrag;
        if let Some(known) = side.early.iter_mut().find(same) {
            known.nominates |= nominates;
        } else if side.early.len() < MAX_EARLY {
            side.early.push(Early {
                key: asked.key,
                ufrag,
                priority: asked.priority.unwrap_or(lowest_priority()),
                nominates,
                cost: asked.cost,
            });
        }
    }

    /// The first message with integrity on a path is told, if the path belongs to something.
    pub(super) fn note_authentic(&mut self, key: PairKey, path: crate::Path) {
        let known = self
            .outcome
            .authenticated
            .iter()
            .any(|(known, _)| *known == key);
        if !known && self.tables.is_in_use(key) {
            self.outcome.authenticated.push((key, path));
            // The path of a relayed pair is the server's, and on a socket that nobody shares.
            let shared = path.protocol == crate::Protocol::Udp;
            if shared && self.gatherer.bases.relay(key.base).is_none() {
                let event = Event::PathAuthenticated(path);
                self.outcome.events.push_back(event);
            }
        }
    }

    fn count_request(&mut self, now: Instant, addressee: Addressee, key: PairKey) {
        let Addressee::Session(id, _) = addressee else {
            return;
        };
        let Some(session) = self.tables.session_mut(id) else {
            return;
        };
        session.heard = now;
        if let Some(pair) = session.list.iter_mut().find(|pair| pair.key == key) {
            pair.counters.requests_received += 1;
            pair.counters.responses_sent += 1;
        }
    }
}

/// Unknown attributes that are listed in an answer at most.
const MAX_UNKNOWN: usize = 16;
/// RFC 8839 §5.4: the longest fragment.
const MAX_UFRAG: usize = 256;
