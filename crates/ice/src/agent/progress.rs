//! What follows from everything that happened: one pass after each input.

use std::time::{Duration, Instant};

use super::Agent;
use crate::{Event, Path, State, pair::CandidatePair, session::Session, timer::Timer};

impl Agent {
    /// Brings everything that depends on time and on pairs up to date.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.outcome.state == State::Closed {
            return;
        }
        self.refresh_consent(now);
        let retired = |session: &Session| session.progress.retires.is_some_and(|at| at <= now);
        if self.previous.as_ref().is_some_and(retired) {
            self.forget(None);
        }
        self.consider_nomination(now);
        self.take_turn(now);
        self.update_payload(now);
        self.update_state(now);
        self.release_paths();
        self.schedule(now);
    }

    /// The session that carries payload, and the pair: during a restart the previous generation's,
    /// until one of the current generation is selected.
    fn payload_pair(&self, now: Instant) -> Option<(&CandidatePair, bool)> {
        let selected = self.current.selected().filter(|pair| pair.is_usable(now));
        let previous = self
            .previous
            .as_ref()
            .filter(|session| !session.is_retired());
        selected
            .map(|pair| (pair, true))
            .or_else(|| previous?.payload_pair(now).map(|pair| (pair, false)))
            .or_else(|| self.current.payload_pair(now).map(|pair| (pair, true)))
    }

    fn update_payload(&mut self, now: Instant) {
        let path = self.payload_pair(now).map(|(pair, _)| pair.path);
        let appeared = self.outcome.payload.is_none() && path.is_some();
        self.outcome.payload = path;
        if appeared {
            self.outcome.events.push_back(Event::PayloadPathAvailable);
        }
    }

    fn update_state(&mut self, now: Instant) {
        let state = self.derive_state(now);
        if state == State::Failed && self.outcome.state != State::Failed {
            self.current.progress.failed = true;
            self.control.clear();
            self.current.list.cancel(|_| true);
            for pair in self.current.list.iter_mut() {
                pair.fail();
            }
            self.forget(None);
        }
        self.set_state(state);
    }

    pub(super) fn set_state(&mut self, state: State) {
        if self.outcome.state != state {
            self.outcome.state = state;
            self.outcome.events.push_back(Event::StateChanged(state));
        }
    }

    /// The rules of `RTCIceTransportState`.
    fn derive_state(&self, now: Instant) -> State {
        let (session, list) = (&self.current, &self.current.list);
        if let Some((pair, is_current)) = self.payload_pair(now) {
            let silent = pair.consent.and_then(|consent| consent.silent_since());
            return if silent.is_some_and(|since| since + SILENCE <= now) {
                State::Disconnected
            } else if is_current && session.is_complete() {
                State::Completed
            } else {
                State::Connected
            };
        }
        let progress = &session.progress;
        if progress.failed || self.is_hopeless(now) {
            State::Failed
        } else if !list.is_empty() && !list.is_pending() || progress.lost && list.is_empty() {
            State::Disconnected
        } else if !session.remotes.is_empty() || progress.restarted {
            State::Checking
        } else {
            State::New
        }
    }

    /// Whether no pair is left, none can come, and the peer was given the time to reach us.
    fn is_hopeless(&self, now: Instant) -> bool {
        let (session, progress) = (&self.current, &self.current.progress);
        if !progress.gathered || session.list.is_pending() {
            return false;
        }
        // Once a pair was selected, the peer's candidates play no part any more: a lost peer is lost.
        if progress.lost {
            return true;
        }
        // RFC 8863 §4: the peer may reach us although our checks did not reach it. A restart that is
        // not answered at all, after its old pair was lost, ends as late.
        let patience =
            |since: Option<Instant>| since.is_some_and(|at| at + self.config.patience <= now);
        match &session.remote {
            Some(_) if session.remote_end => {
                session.locals.is_empty() || patience(progress.started)
            }
            Some(_) => false,
            None => patience(progress.born),
        }
    }

    pub(super) fn is_in_use(&self, path: Path) -> bool {
        let sessions = [Some(&self.current), self.previous.as_ref()];
        sessions.into_iter().flatten().any(|session| {
            session.list.on_path(path).is_some_and(|pair| !pair.expired)
                || session.early.iter().any(|early| early.path == path)
        })
    }

    /// Tells which paths are not used any more, and lets go of payload held for them.
    pub(super) fn release_paths(&mut self) {
        let paths = std::mem::take(&mut self.outcome.authenticated);
        let count = paths.len();
        let (used, released): (Vec<_>, Vec<_>) =
            paths.into_iter().partition(|path| self.is_in_use(*path));
        self.outcome.authenticated = used;
        if released.is_empty() {
            debug_assert_eq!(count, self.outcome.authenticated.len(), "no path is lost");
            return;
        }
        let dropped = self.held.retain(|path| !released.contains(&path));
        self.stats.drops.payload += u64::try_from(dropped).unwrap_or(u64::MAX);
        let events = released.into_iter().map(Event::PathReleased);
        self.outcome.events.extend(events);
    }

    fn schedule(&mut self, now: Instant) {
        let session = &self.current;
        let progress = &session.progress;
        let later = |at: Option<Instant>| at.filter(|at| *at > now);
        let checking = session.is_armed() && !progress.failed;
        let check = checking
            .then(|| session.list.deadline(self.next_check))
            .flatten();
        let sessions = [Some(session), self.previous.as_ref()];
        let kept = sessions
            .into_iter()
            .flatten()
            .flat_map(|session| session.list.iter().filter(|pair| session.is_kept(pair)));
        let consent = kept
            .filter_map(|pair| pair.consent.map(|consent| consent.deadline()))
            .min();
        let patience = progress
            .started
            .or(progress.born)
            .filter(|_| !progress.failed);
        let patience = later(patience.map(|at| at + self.config.patience));
        let silence = self
            .payload_pair(now)
            .and_then(|(pair, _)| pair.consent?.silent_since())
            .map(|since| since + SILENCE);
        let nomination = later(self.nomination_due(now));
        let retirement = self
            .previous
            .as_ref()
            .and_then(|session| session.progress.retires);
        self.timers.set(Timer::Check, check);
        self.timers.set(Timer::Consent, consent);
        self.timers.set(Timer::Nomination, nomination);
        self.timers.set(Timer::Patience, patience);
        self.timers.set(Timer::Silence, later(silence));
        self.timers.set(Timer::Retirement, retirement);
    }
}

/// How long consent checks are unanswered before the state says so.
const SILENCE: Duration = Duration::from_secs(5);
