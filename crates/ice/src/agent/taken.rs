//! Paths of a shared socket that another connection has.

use std::time::Instant;

use super::Agent;
use crate::{
    ChecklistSet, GenerationId, Obstacle, Path, base::PairKey, combine::Which, generation::Session,
    pair::Nomination,
};

impl Agent {
    /// Another connection of the socket has this path, and what comes there is handed to that one, as payload names nobody.
    ///
    /// Its pair is not used or nominated, and the peer's checks of it are not answered, so that the peer leaves it as well. A socket
    /// of our own is asked for: the peer learns it from our checks. Where there is none to be had, the pair waits until the path is let
    /// go of ([`handle_granted`](Self::handle_granted)), or the patience of the agent ends.
    pub fn handle_taken(&mut self, now: Instant, set: &mut ChecklistSet, path: Path) {
        if let Some(key) = self.gatherer.bases.locate(path.normalized()) {
            self.gatherer.bases.bar(key, true);
            self.gatherer.bind_own(key.base);
            let mut last = None;
            while let Some(id) = self.tables.next_id(last) {
                last = Some(id);
                if self.bar(now, id, key) {
                    self.combine(set, id, Which::All);
                }
            }
        }
        self.settle(now, set);
    }

    /// The pair is not used until its path is let go of. Whether it was nominated: the one that takes its place is nominated as if there
    /// had been none, the better ones are waited for, and what was not checked any more may be that one.
    fn bar(&mut self, now: Instant, id: GenerationId, key: PairKey) -> bool {
        let Some(session) = self.tables.session_mut(id) else {
            return false;
        };
        let Some(pair) = session.list.iter_mut().find(|pair| pair.key == key) else {
            return false;
        };
        pair.barred = true;
        pair.nomination = Nomination::None;
        let id = pair.id;
        session.nominating.take_if(|it| *it == id);
        let was_nominated = session.nominated.take_if(|it| *it == id).is_some();
        if was_nominated {
            session.first_valid = Some(now);
            session.list.restore();
        }
        was_nominated
    }

    /// Another connection of the socket is known by this fragment, whose datagrams are handed to that one: nothing of the peer's comes
    /// to us by it. What was made of it fails; a restart with another fragment works.
    pub fn handle_fragment_taken(&mut self, now: Instant, set: &mut ChecklistSet, ufrag: &str) {
        let sides = self.tables.locals.iter_mut();
        for side in sides.filter(|side| side.ufrag() == ufrag) {
            side.deaf = true;
        }
        self.settle(now, set);
    }

    /// Why the newest generation does not connect although the network lets it, if so.
    pub fn obstacle(&self) -> Option<Obstacle> {
        if self.tables.newest_local().is_some_and(|side| side.deaf) {
            return Some(Obstacle::FragmentTaken);
        }
        let session = self.tables.newest_listed()?;
        let mut pairs = session.list.iter();
        let works = self.outcome.payload.is_some();
        (!works && pairs.any(|pair| pair.barred)).then_some(Obstacle::PathTaken)
    }

    /// What has a fragment of another connection has failed.
    pub(super) fn fail_the_deaf(&mut self) {
        let locals = &self.tables.locals;
        let is_deaf = |session: &Session| {
            let mut sides = locals.iter();
            sides.any(|side| side.id == session.local && side.deaf)
        };
        for session in self.tables.sessions.iter_mut().filter(|it| is_deaf(it)) {
            session.failed = true;
            session.nominating = None;
            session.list.stop();
        }
    }

    /// The other connection has let go of this path, and it is ours.
    pub fn handle_granted(&mut self, now: Instant, set: &mut ChecklistSet, path: Path) {
        if let Some(key) = self.gatherer.bases.locate(path.normalized()) {
            self.gatherer.bases.bar(key, false);
            for session in &mut self.tables.sessions {
                let pair = session.list.iter_mut().find(|pair| pair.key == key);
                let Some(pair) = pair.filter(|_| !session.failed) else {
                    continue;
                };
                pair.barred = false;
                match &mut pair.consent {
                    Some(consent) => consent.hasten(now),
                    // Neither side has answered the other meanwhile.
                    None if !pair.expired => pair.begin_again(),
                    None => {}
                }
            }
        }
        self.settle(now, set);
    }
}
