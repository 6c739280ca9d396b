//! Which connection of a shared port a datagram belongs to.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use oxirtc_stun::Message;

use super::connection::Connection;
use crate::{Core, Path, Route};

/// What one shared port knows of its connections. Nothing a stranger sends adds to it.
#[derive(Default)]
pub(super) struct Routes {
    next: u64,
    by_ufrag: HashMap<String, Destination>,
    by_path: HashMap<Path, Destination>,
    /// Paths of checks that we sent: their responses carry no name.
    expected: HashMap<Path, Destination>,
    owned: BTreeMap<ConnectionId, Owned>,
}

/// Tells the connections of one port apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(u64);

/// A connection to hand datagrams to.
#[derive(Clone)]
pub(super) struct Destination {
    pub(super) id: ConnectionId,
    pub(super) core: Core,
    pub(super) connection: Arc<Connection>,
}

/// What one connection put in, to be taken out with it.
#[derive(Default)]
struct Owned {
    ufrags: Vec<String>,
    paths: Vec<Path>,
    expected: Vec<Path>,
}

impl Routes {
    pub(super) fn new_connection(&mut self) -> ConnectionId {
        self.next += 1;
        ConnectionId(self.next)
    }

    /// Takes in what an engine says of itself.
    pub(super) fn apply(&mut self, destination: &Destination, route: Route) {
        let owned = self.owned.entry(destination.id).or_default();
        match route {
            Route::Ufrag(ufrag) => {
                owned.ufrags.push(ufrag.clone());
                self.by_ufrag.insert(ufrag, destination.clone());
            }
            Route::UfragReleased(ufrag) => {
                owned.ufrags.retain(|other| *other != ufrag);
                self.by_ufrag.remove(&ufrag);
            }
            Route::Path(path) => {
                if !owned.paths.contains(&path) {
                    owned.paths.push(path);
                }
                self.by_path.insert(path, destination.clone());
            }
            Route::PathReleased(path) => {
                owned.paths.retain(|other| *other != path);
                if self
                    .by_path
                    .get(&path)
                    .is_some_and(|other| other.id == destination.id)
                {
                    self.by_path.remove(&path);
                }
            }
        }
    }

    /// A check was sent on this path.
    pub(super) fn expect(&mut self, destination: &Destination, path: Path) {
        let owned = self.owned.entry(destination.id).or_default();
        if owned.paths.contains(&path) || owned.expected.contains(&path) {
            return;
        }
        if owned.expected.len() == EXPECTED {
            let oldest = owned.expected.remove(0);
            self.expected.remove(&oldest);
        }
        owned.expected.push(path);
        self.expected.insert(path, destination.clone());
    }

    /// The connection that a datagram is for: the one that a STUN request names, else the one that its path belongs to.
    pub(super) fn find(&self, path: Path, datagram: &[u8]) -> Option<&Destination> {
        let stun = matches!(datagram.first(), Some(0..=3))
            .then(|| Message::parse(datagram).ok())
            .flatten();
        let name = stun.and_then(|message| message.username());
        // RFC 8445 §7.2.2: our fragment stands before the colon. A request counts more than its address, which may have had
        // another connection before.
        let named = name.and_then(|name| self.by_ufrag.get(name.split(':').next()?));
        let by_path = || self.by_path.get(&path);
        let expected = || stun.and_then(|_| self.expected.get(&path));
        named.or_else(by_path).or_else(expected)
    }

    /// Takes out all that belongs to a connection.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        let Some(owned) = self.owned.remove(&id) else {
            return;
        };
        for ufrag in owned.ufrags {
            self.by_ufrag.remove(&ufrag);
        }
        let its_own = |destination: &Destination| destination.id == id;
        for path in owned.paths {
            if self.by_path.get(&path).is_some_and(its_own) {
                self.by_path.remove(&path);
            }
        }
        for path in owned.expected {
            if self.expected.get(&path).is_some_and(its_own) {
                self.expected.remove(&path);
            }
        }
    }
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Routes({} connections)", self.owned.len())
    }
}

/// Paths with checks under way that one connection may have: as many as it has pairs.
const EXPECTED: usize = 128;
