//! Paths of a shared socket that another connection has.

use std::time::Instant;

use super::Agent;
use crate::{ChecklistSet, Path, pair::Nomination};

impl Agent {
    /// Another connection of the socket has this path, and what comes there is handed to that one, as payload names nobody.
    ///
    /// Its pair is not used or nominated, and the peer's checks of it are not answered, so that the peer leaves it as well. A socket
    /// of our own is asked for: the peer learns it from our checks.
    pub fn handle_taken(&mut self, now: Instant, set: &mut ChecklistSet, path: Path) {
        if let Some(key) = self.gatherer.bases.locate(path.normalized()) {
            self.gatherer.bases.bar(key, true);
            self.gatherer.bind_own(key.base);
            for session in &mut self.tables.sessions {
                let Some(pair) = session.list.iter_mut().find(|pair| pair.key == key) else {
                    continue;
                };
                pair.barred = true;
                // The one that takes its place is nominated as if there had been none.
                pair.nomination = Nomination::None;
                let id = pair.id;
                session.nominating.take_if(|it| *it == id);
                session.nominated.take_if(|it| *it == id);
            }
        }
        self.settle(now, set);
    }

    /// The other connection has let go of this path, and it is ours.
    pub fn handle_granted(&mut self, now: Instant, set: &mut ChecklistSet, path: Path) {
        if let Some(key) = self.gatherer.bases.locate(path.normalized()) {
            self.gatherer.bases.bar(key, false);
            for session in &mut self.tables.sessions {
                let pair = session.list.iter_mut().find(|pair| pair.key == key);
                if let Some(pair) = pair {
                    pair.barred = false;
                    if let Some(consent) = &mut pair.consent {
                        consent.hasten(now);
                    }
                }
            }
        }
        self.settle(now, set);
    }
}
