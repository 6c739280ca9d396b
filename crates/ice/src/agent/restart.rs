//! Credentials, and the generations that they make (RFC 8445 §9).

use std::{mem, time::Instant};

use super::Agent;
use crate::{Credentials, Error, credentials::Keys, session::Session};

impl Agent {
    /// Sets the local credentials of the current generation, or starts the next one.
    ///
    /// Other credentials than the present ones restart ICE: a generation begins that has the local side
    /// only, and waits for [`set_remote_credentials`](Self::set_remote_credentials). When the peer
    /// restarted first, they complete its generation. A pair of the generation before carries payload
    /// until a new one is selected. Giving back the credentials of the generation before, as a rollback
    /// does, brings that generation back.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`], with nothing changed; [`Error::Closed`].
    pub fn set_local_credentials(
        &mut self,
        now: Instant,
        credentials: Credentials,
    ) -> Result<(), Error> {
        self.set_credentials(now, credentials, Side::Local)
    }

    /// Sets the credentials of the peer, or starts the next generation when they are others.
    ///
    /// Checks of a generation begin when both sides' credentials were set for it: after a restart by the
    /// peer, [`set_local_credentials`](Self::set_local_credentials) is to follow, even with the same
    /// ones. What the peer checked before its credentials were known is checked in return at once.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`], with nothing changed; [`Error::Closed`].
    pub fn set_remote_credentials(
        &mut self,
        now: Instant,
        credentials: Credentials,
    ) -> Result<(), Error> {
        self.set_credentials(now, credentials, Side::Remote)
    }

    fn set_credentials(
        &mut self,
        now: Instant,
        credentials: Credentials,
        side: Side,
    ) -> Result<(), Error> {
        self.check_open()?;
        let keys = Keys::new(credentials)?;
        let is_same = |known: &Option<Keys>| {
            known
                .as_ref()
                .is_some_and(|known| known.credentials == keys.credentials)
        };
        if is_same(side.of(&mut self.current)) {
            return Ok(());
        }
        if side.of(&mut self.current).is_some() {
            let previous = self
                .previous
                .as_mut()
                .filter(|session| !session.is_retired());
            if previous.is_some_and(|session| is_same(side.of(session))) {
                self.roll_back(now);
                return Ok(());
            }
            self.start_generation(now);
        }
        *side.of(&mut self.current) = Some(keys);
        if self.current.is_armed() {
            self.current.arm(now);
            self.learn_early(now);
        }
        self.settle(now);
        Ok(())
    }

    /// The current generation becomes the previous one, if payload goes on it; else the one before
    /// it goes on carrying payload. No more than two are kept.
    fn start_generation(&mut self, now: Instant) {
        let mut old = mem::take(&mut self.current);
        self.current.progress.restarted = true;
        self.current.progress.born = Some(now);
        old.list.cancel(|_| true);
        old.progress.nominating = None;
        for pair in old.list.iter().filter(|pair| !pair.is_valid()) {
            self.control.cancel(pair.id);
        }
        if old.payload_pair(now).is_some() {
            self.forget(Some(old));
        } else {
            self.cancel_requests(&old);
        }
    }

    /// Makes `previous` the previous generation, and forgets the one that was.
    pub(super) fn forget(&mut self, previous: Option<Session>) {
        let forgotten = mem::replace(&mut self.previous, previous);
        if let Some(session) = forgotten {
            self.cancel_requests(&session);
        }
        if self.current.progress.gathered {
            let (current, previous) = (&self.current, self.previous.as_ref());
            let sessions = || [Some(current), previous].into_iter().flatten();
            self.gatherer.close_unused(|socket| {
                let mut locals = sessions().flat_map(|session| &session.locals);
                locals.any(|local| local.base == socket)
            });
        }
    }

    fn roll_back(&mut self, now: Instant) {
        if let Some(previous) = self.previous.take() {
            let abandoned = mem::replace(&mut self.current, previous);
            self.cancel_requests(&abandoned);
        }
        self.settle(now);
    }

    fn cancel_requests(&mut self, session: &Session) {
        for pair in session.list.iter() {
            self.control.cancel(pair.id);
        }
    }

    /// Checks in return what the peer checked before its credentials were known.
    fn learn_early(&mut self, now: Instant) {
        for early in mem::take(&mut self.current.early) {
            let known = self.current.remote.as_ref();
            if known.is_some_and(|keys| keys.ufrag() == early.ufrag) {
                self.learn(now, early.path, Some(early.priority), early.nominates);
            }
        }
    }
}

/// Whose credentials.
#[derive(Clone, Copy)]
enum Side {
    Local,
    Remote,
}

impl Side {
    fn of(self, session: &mut Session) -> &mut Option<Keys> {
        match self {
            Self::Local => &mut session.local,
            Self::Remote => &mut session.remote,
        }
    }
}
