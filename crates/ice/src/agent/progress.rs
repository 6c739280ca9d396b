//! What follows from everything that happened: one pass after each input.

use std::time::{Duration, Instant};

use super::{Agent, InUse};
use crate::{
    ChecklistSet, Event, GatheringState, GenerationId, State,
    generation::Session,
    pair::CandidatePair,
    select,
    state::{self, Facts},
    timer::Timer,
};

impl Agent {
    /// Brings everything that depends on time and on pairs up to date.
    pub(super) fn settle(&mut self, now: Instant, set: &mut ChecklistSet) {
        if self.outcome.state == State::Closed {
            return;
        }
        self.join(set);
        self.follow_role(set);
        self.note_renomination(set);
        self.serve_sources(now, set);
        if self.config.tcp {
            self.open_streams(now);
        }
        self.fail_the_deaf();
        self.end_exhausted(now, set);
        self.ask_when_silent(now);
        self.refresh_consent(now, set);
        if self.choose(now) {
            self.refresh_consent(now, set);
        }
        self.retire(now);
        self.consider_nomination(now, set);
        self.take_turn(now, set);
        self.update_pair(now);
        self.update_state(now, set);
        self.end_gathering(now);
        if self.config.tcp {
            self.end_strange_streams(now);
        }
        self.release_paths();
        self.tell_valid_paths();
        self.schedule(now, set);
    }

    fn join(&mut self, set: &mut ChecklistSet) {
        if self.member.is_none() {
            self.member = Some(set.join());
            // The role that the set was given before is no news.
            self.epoch = set.epoch();
        }
    }

    /// Chooses the pair in use of each session anew. Whether one is to be asked at once.
    pub(super) fn choose(&mut self, now: Instant) -> bool {
        let mut asks = false;
        for session in self.tables.sessions.iter_mut().filter(|it| !it.is_fading()) {
            let chosen = select::choose(session, now);
            let before = session.in_use;
            if chosen.is_none() || chosen == before {
                // What was lost last is still what was in use.
                continue;
            }
            session.in_use = chosen;
            let preferred = session.preferred(now);
            if preferred.is_none() || preferred == chosen {
                session.moved = None;
            } else if preferred == before {
                session.moved = Some(now);
            }
            // A pair that was not asked for a while is asked at once.
            let pair = chosen.filter(|_| before.is_some());
            let pair = pair.and_then(|id| session.list.get_mut(id));
            if let Some(consent) = pair.and_then(|pair| pair.consent.as_mut()) {
                consent.hasten(now);
                asks = true;
            }
        }
        asks
    }

    /// Where payload goes, and whether that is news.
    fn update_pair(&mut self, now: Instant) {
        let payload = self.tables.payload(now, GenerationId::default());
        let in_use = payload.and_then(|(session, pair)| {
            Some(InUse {
                session: session.id,
                pair: pair.id,
                path: self.gatherer.bases.path(pair.key)?,
            })
        });
        let shown = payload.and_then(|(session, pair)| self.describe(session, pair));
        let key = payload.map(|(_, pair)| pair.key);
        self.silence.watch(key);
        if self.outcome.payload != in_use {
            self.outcome.payload = in_use;
            self.outcome.stamp = self.outcome.stamp.wrapping_add(1);
            // RFC 8656 §12: what payload goes on is worth a channel.
            if let Some((client, peer)) = key.and_then(|key| self.relay_client(key))
                && let Err(error) = client.bind(now, peer)
            {
                log::debug!("{}no channel to the peer: {error}", self.config.label);
            }
            let relay = key.and_then(|key| self.gatherer.bases.relay(key.base));
            if let Some(relay) = relay {
                self.send_relay(now, relay);
            }
        }
        if let Some(pair) = shown
            && self.outcome.shown.as_ref() != Some(&pair)
        {
            self.outcome.shown = Some(pair.clone());
            self.outcome.events.push_back(Event::PairChanged(pair));
        }
    }

    fn update_state(&mut self, now: Instant, set: &ChecklistSet) {
        let state = state::derive(&self.facts(now, set));
        if state == State::Failed && self.outcome.state != State::Failed {
            self.control.clear();
            for session in &mut self.tables.sessions {
                session.failed = true;
                session.nominating = None;
                session.list.cancel(|_| true);
                session.list.stop();
                for pair in session.list.iter_mut() {
                    pair.fail();
                }
            }
        }
        self.set_state(state);
    }

    pub(super) fn set_state(&mut self, state: State) {
        if self.outcome.state != state {
            self.outcome.state = state;
            self.outcome.events.push_back(Event::StateChanged(state));
        }
    }

    fn facts(&self, now: Instant, set: &ChecklistSet) -> Facts {
        let tables = &self.tables;
        let listed = || tables.sessions.iter().filter(|session| session.is_listed());
        let in_use = tables.payload(now, GenerationId::default());
        let replaced = tables
            .sessions
            .iter()
            .any(|it| !it.is_listed() && !it.is_fading());
        let sides = || tables.listed().filter_map(|it| tables.remote(it.remote?));
        let early = tables.listed().filter_map(|it| tables.local(it.local));
        let mut early = early.map(|side| side.early.is_empty());
        Facts {
            in_use: in_use.map(|(session, pair)| state::InUse {
                fresh: pair
                    .consent
                    .and_then(|consent| consent.silent_since())
                    .is_none_or(|since| now < since + SILENCE),
                complete: self.is_complete(session, set),
            }),
            pending: listed().any(|session| !session.failed && session.list.is_pending())
                || !self.names.are_done(),
            restarting: tables.open.is_some() && tables.stable.is_some() || replaced,
            hopeless: self.is_hopeless(now),
            tried: listed().any(|session| !session.list.is_empty() || session.lost),
            known: sides().any(|side| !side.candidates.is_empty())
                || early.any(|none| !none)
                || tables.newest_session() > FIRST && tables.listed().next().is_some(),
        }
    }

    /// Whether the peer may still nominate something else, or checks go on.
    fn is_complete(&self, session: &Session, set: &ChecklistSet) -> bool {
        let gathered = self
            .tables
            .local(session.local)
            .is_some_and(|side| side.gathered);
        let ended = self
            .tables
            .remote(session.remote)
            .is_some_and(|side| side.has_ended());
        let controlling = set.is_controlling();
        let better = |pair: &CandidatePair| {
            pair.is_pending() && !pair.learnt && session.wants(pair.priority, controlling)
        };
        session.nominated.is_some() && gathered && ended && !session.list.iter().any(better)
    }

    /// Whether nothing can come any more, of any generation that is listed.
    fn is_hopeless(&self, now: Instant) -> bool {
        let tables = &self.tables;
        let mut armed = false;
        for listed in tables.listed() {
            let session = listed
                .remote
                .and_then(|it| tables.session_of(listed.local, it));
            armed |= session.is_some();
            let is_over = match session {
                Some(session) => session.failed || self.is_over(now, session),
                // A restart that is not answered ends as late as one that is answered and fails. A first
                // offer may wait for its answer for as long as it likes.
                None => tables.stable.is_some() && self.born(listed.local) <= Some(now),
            };
            if !is_over {
                return false;
            }
        }
        armed
    }

    /// When a generation that waits for its answer is given up.
    fn born(&self, side: crate::generation::SideId) -> Option<Instant> {
        Some(self.tables.local(side)?.born + self.config.patience)
    }

    /// Whether no pair of a session is left, none can come, and the peer was given the time to reach us.
    fn is_over(&self, now: Instant, session: &Session) -> bool {
        let sides = (
            self.tables.local(session.local),
            self.tables.remote(session.remote),
        );
        let (Some(local), Some(remote)) = sides else {
            return true;
        };
        if !local.gathered || session.list.is_pending() {
            return false;
        }
        // Between one network and the next there may be none.
        if session
            .bereft
            .is_some_and(|at| now < at + self.config.consent_expiry)
        {
            return false;
        }
        // RFC 8445 §8: once a pair was nominated, the peer's candidates play no part any more: a lost peer
        // is lost.
        if session.lost {
            return true;
        }
        let ended = remote.has_ended() || self.forgotten(session) <= Some(now);
        // RFC 8863 §4: the peer may reach us although our checks did not reach it.
        ended && (local.candidates.is_empty() || session.armed + self.config.patience <= now)
    }

    /// When the end of the peer's candidates is not waited for any more: its application may have
    /// forgotten to tell it.
    fn forgotten(&self, session: &Session) -> Option<Instant> {
        let remote = self.tables.remote(session.remote)?;
        let last = remote.heard.max(Some(session.armed.max(session.heard)))?;
        Some(last + 2 * self.config.patience)
    }

    /// Notes which local sides have all of their candidates, and tells the end of the newest one's.
    fn end_gathering(&mut self, now: Instant) {
        for side in self.tables.locals.iter_mut().filter(|side| !side.gathered) {
            side.gathered = self.gatherer.is_done(now, side);
        }
        let newest = self.tables.newest_local();
        let newest = newest.map(|side| side.gathered && !side.continual);
        if newest == Some(true) && self.outcome.gathering == GatheringState::Gathering {
            self.outcome.gathering = GatheringState::Complete;
            let event = Event::GatheringStateChanged(GatheringState::Complete);
            self.outcome.events.push_back(event);
        }
    }

    /// Tells which paths are not used any more, and lets go of payload held for them.
    pub(super) fn release_paths(&mut self) {
        let tables = &self.tables;
        let mut known = self.outcome.authenticated.iter();
        if known.all(|(key, _)| tables.is_in_use(*key)) {
            return;
        }
        let known = std::mem::take(&mut self.outcome.authenticated);
        let (used, released): (Vec<_>, Vec<_>) = known
            .into_iter()
            .partition(|(key, _)| tables.is_in_use(*key));
        self.outcome.authenticated = used;
        let is_released = |key| released.iter().any(|(other, _)| *other == key);
        let dropped = self.held.retain(|key| !is_released(key));
        self.stats.drops.payload += u64::try_from(dropped).unwrap_or(u64::MAX);
        let bases = &self.gatherer.bases;
        let events = released
            .into_iter()
            .filter(|(key, path)| {
                bases.relay(key.base).is_none() && path.protocol == crate::Protocol::Udp
            })
            .map(|(_, path)| Event::PathReleased(path));
        self.outcome.events.extend(events);
    }

    /// Tells which paths have a valid pair, for a shared port to bind them. What a relay carries is not on it.
    fn tell_valid_paths(&mut self) {
        let (tables, bases) = (&self.tables, &self.gatherer.bases);
        let validated = &mut self.outcome.validated;
        validated.retain(|key| tables.is_in_use(*key));
        let pairs = tables.sessions.iter().flat_map(|it| it.list.iter());
        for pair in pairs.filter(|pair| pair.is_valid()) {
            let shared = bases.relay(pair.key.base).is_none();
            let path = bases.path(pair.key).filter(|_| shared);
            let path = path.filter(|it| it.protocol == crate::Protocol::Udp);
            if let Some(path) = path.filter(|_| !validated.contains(&pair.key)) {
                validated.push(pair.key);
                self.outcome.events.push_back(Event::PathValidated(path));
            }
        }
    }

    fn schedule(&mut self, now: Instant, set: &mut ChecklistSet) {
        let later = |at: Option<Instant>| at.filter(|at| *at > now);
        let sessions = || self.tables.sessions.iter();
        let checking = || sessions().filter(|it| it.is_listed() && !it.failed);
        let ready = checking()
            .filter_map(|session| session.list.ready(now))
            .min();
        let exhausted = checking()
            .filter_map(|session| session.list.exhaustion())
            .min();
        // When another agent's turn comes before ours, we look again soon.
        let turn = ready.map(|ready| ready.max(set.token(now)));
        let turn = turn.map(|at| if at > now { at } else { now + DEFERRED });
        let kept = sessions().flat_map(|session| {
            session.list.iter().filter_map(|pair| {
                let consent = pair.consent?;
                let kept = session.freshness(pair).is_some();
                Some(if kept {
                    consent.deadline()
                } else {
                    consent.expires()
                })
            })
        });
        let consent = kept.min();
        let silence = self.tables.payload(now, GenerationId::default());
        let silence = silence
            .and_then(|(_, pair)| pair.consent?.silent_since())
            .map(|since| since + SILENCE);
        let nomination = sessions().filter_map(|it| self.nomination_due(now, set, it));
        let nomination = nomination.filter(|at| *at > now).min();
        let selection = sessions()
            .filter_map(|it| select::reconsider(it, now))
            .min();
        let fading = sessions().filter_map(|session| match session.standing {
            crate::generation::Standing::Fading(until) => Some(until),
            _ => None,
        });
        let fading = fading.min();
        let patience = self.patience(now);
        if let Some(member) = self.member {
            set.set_ready(member, ready);
        }
        self.timers
            .set(Timer::Check, turn.into_iter().chain(exhausted).min());
        self.timers.set(Timer::Consent, consent);
        self.timers.set(Timer::Nomination, nomination);
        self.timers.set(Timer::Patience, patience);
        self.timers.set(Timer::Silence, later(silence));
        self.timers.set(Timer::Selection, selection);
        self.timers.set(Timer::Fading, fading);
        self.timers.set(Timer::OneWay, later(self.silence.due()));
        let gathering = self.gathering_due(now);
        self.timers.set(Timer::Gathering, gathering);
    }

    /// When a generation may be given up next.
    fn patience(&self, now: Instant) -> Option<Instant> {
        let tables = &self.tables;
        let ends = tables.listed().flat_map(|listed| {
            let session = listed
                .remote
                .and_then(|it| tables.session_of(listed.local, it));
            match session.filter(|session| !session.failed) {
                Some(session) => [
                    Some(session.armed + self.config.patience),
                    session.bereft.map(|at| at + self.config.consent_expiry),
                    self.forgotten(session)
                        .filter(|_| session.usable(now).is_none()),
                ],
                None => [self.born(listed.local), None, None],
            }
        });
        ends.flatten().filter(|at| *at > now).min()
    }
}

/// The session that no restart has brought.
const FIRST: GenerationId = GenerationId(1);
/// How long consent checks are unanswered before the state says so.
const SILENCE: Duration = Duration::from_secs(5);
/// How long an agent waits whose turn another one has.
const DEFERRED: Duration = Duration::from_millis(5);
