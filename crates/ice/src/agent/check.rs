//! Checks that the agent sends: paced ones (RFC 8445 §6.1.4), and those for consent (RFC 7675).

use std::time::Instant;

use oxirtc_stun::TransactionId;

use super::{Agent, message};
use crate::{
    CandidateKind, ChecklistSet, GenerationId,
    candidate::priority,
    checks::Turn,
    combine::Which,
    consent::Freshness,
    pair::{CandidatePair, PairId, Request},
};

/// Names a pair of a session.
type Place = (GenerationId, PairId);

impl Agent {
    /// Uses the token of Ta, if it is there, it is this agent's turn, and something is to be checked.
    pub(super) fn take_turn(&mut self, now: Instant, set: &mut ChecklistSet) {
        let Some(member) = self.member.filter(|member| set.may_take(now, *member)) else {
            return;
        };
        let checking = self
            .tables
            .sessions
            .iter()
            .filter(|it| it.is_listed() && !it.failed);
        let mut ids: Vec<_> = checking.map(|session| session.id).collect();
        // Sessions take turns; what is triggered in any of them comes first.
        let after = ids.iter().take_while(|id| **id <= self.turn).count();
        ids.rotate_left(after);
        let is_urgent = |id: &GenerationId| {
            self.tables
                .session(*id)
                .is_some_and(|it| it.list.is_urgent())
        };
        let (urgent, others): (Vec<_>, Vec<_>) = ids.into_iter().partition(is_urgent);
        for id in urgent.into_iter().chain(others) {
            let session = self.tables.session_mut(id);
            let Some(turn) = session.and_then(|session| session.list.next_turn(now)) else {
                continue;
            };
            set.take(now, member);
            self.turn = id;
            match turn {
                Turn::Start(pair) => self.start_check(now, set, (id, pair)),
                Turn::Repeat(pair) => {
                    let session = self.tables.session_mut(id);
                    let pair_mut = session.and_then(|session| session.list.get_mut(pair));
                    if let Some(request) = pair_mut.and_then(|pair| pair.repeat(now)) {
                        self.send_request(set, (id, pair), request, Purpose::Check);
                    }
                }
            }
            return;
        }
    }

    fn start_check(&mut self, now: Instant, set: &ChecklistSet, place: Place) {
        let (id, pair) = place;
        let value = self.nomination_value(set, place);
        let Some(request) = self.new_request(now, set, place, value) else {
            return;
        };
        let Some(session) = self.tables.session_mut(id) else {
            return;
        };
        let rto = session.list.rto(set.pacing());
        if let Some(pair) = session.list.get_mut(pair) {
            pair.start(now, rto.max(2 * pair.rtt()), request);
        }
        self.send_request(set, place, request, Purpose::Check);
    }

    /// The number that a check nominates with, 0 for none: `None` when it does not nominate.
    fn nomination_value(&self, set: &ChecklistSet, (id, pair): Place) -> Option<u32> {
        let session = self.tables.session(id).filter(|_| set.is_controlling())?;
        let value = session.nomination_value;
        if session.nominating == Some(pair) {
            let next = value.saturating_add(1);
            return Some(if self.renominates(id) { next } else { 0 });
        }
        // The peer may have missed which pair was nominated: it is told each time.
        (session.nominated == Some(pair)).then_some(value)
    }

    /// RFC 8445 §7.2.5.2.3: a check that was never answered fails its pair. Another takes its place, if
    /// some were left out.
    pub(super) fn end_exhausted(&mut self, now: Instant, set: &ChecklistSet) {
        let mut last = None;
        while let Some(id) = self.tables.next_id(last) {
            last = Some(id);
            let Some(session) = self.tables.session_mut(id) else {
                continue;
            };
            let nominating = &mut session.nominating;
            for pair in session
                .list
                .iter_mut()
                .filter(|pair| pair.is_exhausted(now))
            {
                if *nominating == Some(pair.id) {
                    *nominating = None;
                }
                if pair.is_valid() {
                    pair.check = None;
                } else {
                    pair.fail();
                }
            }
            if session.overflow && session.list.has_room(self.config.max_pairs) {
                session.overflow = false;
                self.combine(set, id, Which::All);
            }
        }
    }

    /// Sends the consent checks that are due, and ends consent where no answer came.
    pub(super) fn refresh_consent(&mut self, now: Instant, set: &ChecklistSet) {
        let mut last = None;
        while let Some(id) = self.tables.next_id(last) {
            last = Some(id);
            // The end of one pair's consent may call others into service, which are due themselves.
            while let Some((pair, freshness)) = self.due_consent(now, id) {
                let sent = freshness.is_some_and(|it| self.send_consent(now, set, (id, pair), it));
                if !sent {
                    self.expire(id, pair);
                }
            }
        }
    }

    /// A pair whose consent is to be asked for; `None` for how when it has ended.
    fn due_consent(&self, now: Instant, id: GenerationId) -> Option<(PairId, Option<Freshness>)> {
        let session = self.tables.session(id)?;
        session.list.iter().find_map(|pair| {
            let consent = pair.consent?;
            let freshness = session.freshness(pair);
            let ended = consent.expires() <= now;
            let due = freshness.is_some() && consent.deadline() <= now;
            (ended || due).then_some((pair.id, freshness.filter(|_| !ended)))
        })
    }

    /// Whether the check could be made.
    fn send_consent(
        &mut self,
        now: Instant,
        set: &ChecklistSet,
        place: Place,
        freshness: Freshness,
    ) -> bool {
        let value = self.nomination_value(set, place);
        let Some(request) = self.new_request(now, set, place, value) else {
            return false;
        };
        let jitter = self.jitter();
        let (id, pair_id) = place;
        let session = self.tables.session_mut(id);
        let Some(pair) = session.and_then(|session| session.list.get_mut(pair_id)) else {
            return false;
        };
        pair.remember(now, request);
        pair.counters.consent_requests_sent += 1;
        let round_trip = pair.rtt();
        if let Some(consent) = &mut pair.consent {
            consent.sent(now, jitter, (round_trip, freshness), &self.config);
        }
        self.send_request(set, place, request, Purpose::Consent);
        true
    }

    /// RFC 7675 §5.1: without consent nothing is sent, what is in the air is not waited for, and the
    /// credentials are not used on this pair again.
    fn expire(&mut self, id: GenerationId, pair_id: PairId) {
        let Some(session) = self.tables.session_mut(id) else {
            return;
        };
        let Some(pair) = session.list.get(pair_id) else {
            return;
        };
        let mut ended = vec![pair_id];
        // What has not answered since the pair in use fell silent is as dead as that one: the end of the
        // one is not to look like a recovery on the other.
        if session.in_use == Some(pair_id)
            && let Some(since) = pair.consent.and_then(|consent| consent.silent_since())
        {
            let silent = |pair: &&CandidatePair| {
                let consent = pair.consent.as_ref();
                consent.is_some_and(|it| it.is_silent_since(since))
            };
            ended.extend(session.list.iter().filter(silent).map(|pair| pair.id));
        }
        for id in ended {
            if let Some(pair) = session.list.get_mut(id) {
                pair.expire();
            }
            session.list.untrigger(id);
            if session.nominating == Some(id) {
                session.nominating = None;
            }
            if session.nominated == Some(id) {
                session.lost = true;
            }
            self.control.cancel(id);
        }
    }

    fn new_request(
        &mut self,
        now: Instant,
        set: &ChecklistSet,
        (id, pair): Place,
        nominates: Option<u32>,
    ) -> Option<Request> {
        let session = self.tables.session(id)?;
        let base = session.list.get(pair)?.key.base;
        let side = self.tables.local(session.local)?;
        let local = side.candidates.get(side.of_base(base)?)?;
        // A relay that was not told is to stand behind what the peer sees of our own addresses.
        let preference = match self.gatherer.bases.relay(base) {
            Some(_) => local.preference & LOWEST,
            None => local.preference,
        };
        Some(Request {
            id: TransactionId::generate(&mut self.random),
            sent: now,
            repeated: false,
            nominates,
            epoch: set.epoch(),
            // RFC 8445 §7.1.1: the priority that the candidate would have if it were peer-reflexive.
            priority: priority(CandidateKind::PeerReflexive, preference),
        })
    }

    fn send_request(
        &mut self,
        set: &ChecklistSet,
        (id, pair): Place,
        request: Request,
        purpose: Purpose,
    ) {
        let mut buf = self.control.buffer();
        let Some(whole) = self.tables.whole(id) else {
            return;
        };
        let of = whole.session.list.get(pair).map(|pair| pair.key.base);
        let cost = of.map_or(0, |base| self.gatherer.bases.cost(base));
        let role = (set.is_controlling(), set.tie_breaker(), cost);
        let username = &whole.session.username;
        message::write_check(&mut buf, &request, role, username, &whole.remote.keys.key);
        let Some(pair) = whole.session.list.get_mut(pair) else {
            return;
        };
        let Some(path) = self.gatherer.bases.path(pair.key) else {
            return;
        };
        let repeated = u64::from(request.repeated);
        pair.counters.requests_sent += 1;
        pair.counters.retransmissions_sent += repeated;
        self.stats.retransmissions_sent += repeated;
        match purpose {
            Purpose::Check => self.stats.requests_sent += 1,
            Purpose::Consent => self.stats.consent_requests_sent += 1,
        }
        let way = (Some(pair.key), path);
        self.stats.drops.control += self.control.push(way, Some(pair.id), buf);
    }
}

/// RFC 6544 §4.2: what is left of a preference below the bits of a direction.
const LOWEST: u16 = 0x1fff;

/// What a request is for.
#[derive(Clone, Copy)]
enum Purpose {
    Check,
    Consent,
}
