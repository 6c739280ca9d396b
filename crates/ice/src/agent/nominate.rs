//! Nomination (RFC 8445 §8): which pair both sides agree on.

use std::time::{Duration, Instant};

use super::Agent;
use crate::{
    CandidateKind, ChecklistSet, GenerationId,
    generation::Session,
    pair::{CandidatePair, Nomination, PairId},
};

impl Agent {
    /// As controlling agent, nominates when there is nothing better to wait for, or it was waited for
    /// long enough. Payload flows on the best valid pair meanwhile.
    pub(super) fn consider_nomination(&mut self, now: Instant, set: &ChecklistSet) {
        let mut last = None;
        while let Some(id) = self.tables.next_id(last) {
            last = Some(id);
            // What ends its pair in between, a network that goes or a relay, ends the nomination.
            if let Some(session) = self.tables.session_mut(id) {
                let Session {
                    nominating, list, ..
                } = session;
                nominating.take_if(|id| list.get(*id).is_none_or(|pair| !pair.is_valid()));
            }
            let pair = self.due_nomination(now, set, id);
            let Some(session) = self.tables.session_mut(id) else {
                continue;
            };
            if let Some(pair) = pair {
                session.nominating = Some(pair);
                session.list.trigger(pair);
            }
        }
    }

    fn due_nomination(&self, now: Instant, set: &ChecklistSet, id: GenerationId) -> Option<PairId> {
        let session = self.tables.session(id)?;
        let in_use = session.usable(now)?;
        if let Some(at) = self.nomination_due(now, set, session) {
            let mut pairs = session.list.iter();
            let better = pairs.any(|pair| pair.is_pending() && pair.rank() > in_use.rank());
            // A socket that is being opened may have a better one.
            let better = better || self.gatherer.is_opening();
            return (!better || at <= now).then_some(in_use.id);
        }
        // draft-thatcher-ice-renomination: the peer is told where payload has moved. Without it,
        // RFC 8445 §8.1.1 has one nomination only.
        let again = session.nominated.is_some_and(|pair| pair != in_use.id)
            && session.nominating.is_none()
            && set.is_controlling()
            && !in_use.is_suspect(now)
            && self.renominates(id);
        again.then_some(in_use.id)
    }

    /// Whether both sides number their nominations.
    pub(super) fn renominates(&self, id: GenerationId) -> bool {
        let remote = self
            .tables
            .session(id)
            .and_then(|it| self.tables.remote(it.remote));
        self.config.renomination && remote.is_some_and(|remote| remote.renomination)
    }

    /// Notes which sessions may nominate another pair later (draft-thatcher-ice-renomination).
    pub(super) fn note_renomination(&mut self, set: &ChecklistSet) {
        let mut last = None;
        while let Some(id) = self.tables.next_id(last) {
            last = Some(id);
            let renominates = set.is_controlling() && self.renominates(id);
            if let Some(session) = self.tables.session_mut(id) {
                session.renominates = renominates;
            }
        }
    }

    /// What sending costs has changed at an end: that of all pairs is counted anew.
    pub(super) fn count_costs(&mut self) {
        let bases = &self.gatherer.bases;
        for session in &mut self.tables.sessions {
            let mut remotes = self.tables.remotes.iter();
            let Some(remote) = remotes.find(|it| it.id == session.remote) else {
                continue;
            };
            for pair in session.list.iter_mut() {
                let near = u32::from(bases.cost(pair.key.base));
                pair.cost = remote.cost_of(pair.remote) + near;
            }
        }
    }

    /// Until when a better pair is waited for, if this agent is to nominate one.
    pub(super) fn nomination_due(
        &self,
        now: Instant,
        set: &ChecklistSet,
        session: &Session,
    ) -> Option<Instant> {
        let open = session.nominated.is_none() && session.nominating.is_none();
        if !set.is_controlling() || !open || session.failed || !session.is_listed() {
            return None;
        }
        let in_use = session.usable(now)?;
        let round_trips = 2 * in_use.rtt();
        let wait = self.config.nomination_wait.max(round_trips).min(MAX_WAIT);
        // The first check through two NATs is often lost, as it opens the way for the other side's. A relay is a detour for
        // the whole call: the second one, half a second later, is waited for.
        let wait = match self.is_relayed(session, in_use) {
            true => wait.max(RELAY_WAIT),
            false => wait,
        };
        Some(session.first_valid? + wait)
    }

    /// Whether a server stands between the two.
    fn is_relayed(&self, session: &Session, pair: &CandidatePair) -> bool {
        let remote = self.tables.remote(session.remote);
        let remote = remote.and_then(|it| it.candidates.get(pair.remote));
        let kinds = [
            Some(self.gatherer.bases.kind(pair.key.base)),
            remote.map(|it| it.candidate.kind),
        ];
        kinds.contains(&Some(CandidateKind::Relayed))
    }

    /// A pair that works was nominated, by us or by the peer; `value` is the number of the nomination,
    /// 0 for none.
    pub(super) fn nominated(
        &mut self,
        now: Instant,
        set: &ChecklistSet,
        id: GenerationId,
        (pair_id, value): (PairId, u32),
    ) {
        let controlling = set.is_controlling();
        let Some(session) = self.tables.session_mut(id) else {
            return;
        };
        let is_current = session.nominated == Some(pair_id);
        let is_new = match value {
            0 => controlling || is_better(session, now, pair_id),
            // A number that is not higher than the last one comes late.
            _ if value <= session.nomination_value => false,
            _ => true,
        };
        let Some(pair) = session.list.get_mut(pair_id) else {
            return;
        };
        if is_new || is_current || value == 0 {
            pair.nomination = Nomination::Done(now);
        }
        if !is_new {
            return;
        }
        let (priority, rank) = (pair.priority, pair.rank());
        let before = session.nominated.replace(pair_id);
        // Only who numbers nominations may take one back.
        let left = session.left.or(before).filter(|_| controlling && value > 0);
        let better = |id: &PairId| {
            let pair = session.list.get(*id);
            pair.is_some_and(|pair| pair.rank() > rank)
        };
        session.left = left.filter(better);
        session.nomination_value = value.max(session.nomination_value);
        session.moved = session.moved.filter(|_| session.left.is_some());
        session.lost = false;
        // RFC 8445 §8.1.2: what remains on the list is not checked any more. As controlled agent we go on
        // with what is better, which an aggressive peer may nominate next; and one pair of each other base
        // is checked to its end, as it is the way out when this one ceases to work.
        let ways_out = session.list.ways_out();
        session.list.cancel(|pair| {
            pair.id != pair_id
                && !pair.learnt
                && !ways_out.contains(&pair.id)
                && (controlling || pair.priority < priority)
        });
    }
}

/// RFC 5245 §8.1.1.2: of what an aggressive peer nominates, the pair of highest priority counts. Peers
/// that move on to another pair stop nominating the one they left: then the last one counts.
fn is_better(session: &Session, now: Instant, id: PairId) -> bool {
    let Some(nominated) = session.nominated() else {
        return true;
    };
    let candidate = session.list.get(id);
    let higher = candidate.is_some_and(|pair| pair.priority > nominated.priority);
    let left = match nominated.nomination {
        Nomination::Done(last) => now.saturating_duration_since(last) >= LEFT_AFTER,
        _ => true,
    };
    let silent = nominated
        .consent
        .is_none_or(|consent| consent.silent_since().is_some());
    nominated.id != id && (higher || left || silent)
}

/// The longest wait for a better pair.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// How long anything better than a relay is waited for.
const RELAY_WAIT: Duration = Duration::from_secs(1);
/// Two checks of a peer that repeats its nomination are closer to each other than this.
const LEFT_AFTER: Duration = Duration::from_secs(6);
