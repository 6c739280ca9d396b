//! Nomination (RFC 8445 §8): which pair is used in the end.

use std::time::{Duration, Instant};

use super::Agent;
use crate::{
    Event,
    pair::{Nomination, PairId},
};

impl Agent {
    /// As controlling agent, nominates when there is nothing better to wait for, or it was waited for
    /// long enough. Payload flows on the best valid pair meanwhile.
    pub(super) fn consider_nomination(&mut self, now: Instant) {
        let Some(at) = self.nomination_due(now) else {
            return;
        };
        let Some(best) = self.current.list.best_usable(now) else {
            return;
        };
        let (id, priority) = (best.id, best.priority);
        let mut pairs = self.current.list.iter();
        let better = pairs.any(|pair| pair.is_pending() && pair.priority > priority);
        drop(pairs);
        if !better || at <= now {
            self.current.progress.nominating = Some(id);
            self.current.list.trigger(id);
        }
    }

    /// Until when a better pair is waited for, if this agent is to nominate one.
    pub(super) fn nomination_due(&self, now: Instant) -> Option<Instant> {
        let progress = &self.current.progress;
        let open = progress.selected.is_none() && progress.nominating.is_none();
        if !self.is_controlling() || !open || progress.failed {
            return None;
        }
        let best = self.current.list.best_usable(now)?;
        let wait = self
            .config
            .nomination_wait
            .max(2 * best.rtt())
            .min(MAX_WAIT);
        Some(progress.first_valid? + wait)
    }

    /// A pair that works was nominated, by us or by the peer.
    pub(super) fn nominated(&mut self, now: Instant, id: PairId) {
        let is_better = self.is_better(now, id);
        if let Some(pair) = self.current.list.get_mut(id) {
            pair.nomination = Nomination::Done(now);
        }
        if is_better {
            self.select(now, id);
        }
    }

    /// RFC 5245 §8.1.1.2: of what an aggressive peer nominates, the pair of highest priority counts.
    /// Peers that move on to another pair stop nominating the one they left: then the last one counts.
    fn is_better(&self, now: Instant, id: PairId) -> bool {
        let Some(selected) = self.current.selected() else {
            return true;
        };
        let candidate = self.current.list.get(id);
        let higher = candidate.is_some_and(|pair| pair.priority > selected.priority);
        let left = match selected.nomination {
            Nomination::Done(last) => now.saturating_duration_since(last) >= LEFT_AFTER,
            _ => true,
        };
        let silent = selected
            .consent
            .is_none_or(|consent| consent.silent_since().is_some());
        selected.id != id && (higher || left || silent)
    }

    fn select(&mut self, now: Instant, id: PairId) {
        let controlling = self.is_controlling();
        let Some(priority) = self.current.list.get(id).map(|pair| pair.priority) else {
            return;
        };
        self.current.progress.selected = Some(id);
        self.current.progress.lost = false;
        // RFC 8445 §8.1.2: what remains on the list is not checked any more. As controlled agent we go on
        // with what is better, which an aggressive peer may nominate next.
        let list = &mut self.current.list;
        list.cancel(|pair| pair.id != id && (controlling || pair.priority < priority));
        if let Some(previous) = self
            .previous
            .as_mut()
            .filter(|session| !session.is_retired())
        {
            previous.progress.retires = Some(now + RETIREMENT);
            previous.list.stop();
            for pair in previous.list.iter() {
                self.control.cancel(pair.id);
            }
        }
        self.outcome.events.push_back(Event::SelectedPairChanged);
    }
}

/// The longest wait for a better pair.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Two checks of a peer that repeats its nomination are closer to each other than this.
const LEFT_AFTER: Duration = Duration::from_secs(6);
/// How long payload is still accepted on the generation before: what was on its way arrives.
const RETIREMENT: Duration = Duration::from_secs(2);
