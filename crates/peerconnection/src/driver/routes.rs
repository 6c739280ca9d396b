//! Which connection of a shared port a datagram belongs to.

use std::collections::{BTreeMap, HashMap};

use oxirtc_stun::Message;

use crate::{Path, Route, api::WeakEngineLock};

/// What one shared port knows of its connections. Nothing a stranger sends adds to it.
#[derive(Default)]
pub(super) struct Routes {
    next: u64,
    by_ufrag: HashMap<String, ConnectionId>,
    by_path: HashMap<Path, ConnectionId>,
    /// Paths of checks that we sent: their responses carry no name.
    expected: HashMap<Path, ConnectionId>,
    connections: BTreeMap<ConnectionId, Entry>,
}

/// Tells the connections of one port apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(u64);

/// A connection, and what it put in, to be taken out with it.
#[derive(Default)]
struct Entry {
    /// Not there until the connection was made.
    engine: Option<WeakEngineLock>,
    ufrags: Vec<String>,
    paths: Vec<Path>,
    expected: Vec<Path>,
}

impl Routes {
    pub(super) fn new_connection(&mut self) -> ConnectionId {
        self.next += 1;
        let id = ConnectionId(self.next);
        self.connections.insert(id, Entry::default());
        id
    }

    /// From now on the connection can be handed datagrams.
    pub(super) fn attach(&mut self, id: ConnectionId, engine: WeakEngineLock) {
        if let Some(entry) = self.connections.get_mut(&id) {
            entry.engine = Some(engine);
        }
    }

    /// Takes in what an engine says of itself.
    pub(super) fn apply(&mut self, id: ConnectionId, route: Route) {
        let Some(entry) = self.connections.get_mut(&id) else {
            return;
        };
        match route {
            Route::Ufrag(ufrag) => {
                entry.ufrags.push(ufrag.clone());
                self.by_ufrag.insert(ufrag, id);
            }
            Route::UfragReleased(ufrag) => {
                entry.ufrags.retain(|other| *other != ufrag);
                remove(&mut self.by_ufrag, &ufrag, id);
            }
            Route::Path(path) => {
                if !entry.paths.contains(&path) {
                    entry.paths.push(path);
                }
                self.by_path.insert(path, id);
            }
            Route::PathReleased(path) => {
                entry.paths.retain(|other| *other != path);
                remove(&mut self.by_path, &path, id);
            }
        }
    }

    /// A check was sent on this path.
    pub(super) fn expect(&mut self, id: ConnectionId, path: Path) {
        let Some(entry) = self.connections.get_mut(&id) else {
            return;
        };
        if entry.paths.contains(&path) || entry.expected.contains(&path) {
            return;
        }
        if entry.expected.len() == EXPECTED {
            let oldest = entry.expected.remove(0);
            remove(&mut self.expected, &oldest, id);
        }
        entry.expected.push(path);
        self.expected.insert(path, id);
    }

    /// The connection that a datagram is for: the one that a STUN request names, else the one that its path belongs to.
    pub(super) fn find(
        &self,
        path: Path,
        datagram: &[u8],
    ) -> Option<(ConnectionId, &WeakEngineLock)> {
        let stun = matches!(datagram.first(), Some(0..=3))
            .then(|| Message::parse(datagram).ok())
            .flatten();
        let name = stun.and_then(|message| message.username());
        // RFC 8445 §7.2.2: our fragment stands before the colon. A request counts more than its address, which may have had
        // another connection before.
        let named = name.and_then(|name| self.by_ufrag.get(name.split(':').next()?));
        let by_path = || self.by_path.get(&path);
        let expected = || stun.and_then(|_| self.expected.get(&path));
        let id = *named.or_else(by_path).or_else(expected)?;
        Some((id, self.connections.get(&id)?.engine.as_ref()?))
    }

    /// Takes out all that belongs to a connection.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        let Some(entry) = self.connections.remove(&id) else {
            return;
        };
        for ufrag in &entry.ufrags {
            remove(&mut self.by_ufrag, ufrag, id);
        }
        for path in &entry.paths {
            remove(&mut self.by_path, path, id);
        }
        for path in &entry.expected {
            remove(&mut self.expected, path, id);
        }
    }

    /// Every connection of the port.
    pub(super) fn engines(&self) -> Vec<WeakEngineLock> {
        let engines = self.connections.values();
        engines.filter_map(|entry| entry.engine.clone()).collect()
    }
}

/// Takes an entry out, unless it is another connection's by now.
fn remove<K: std::hash::Hash + Eq>(map: &mut HashMap<K, ConnectionId>, key: &K, id: ConnectionId) {
    if map.get(key) == Some(&id) {
        map.remove(key);
    }
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Routes({} connections)", self.connections.len())
    }
}

/// Paths with checks under way that one connection may have: as many as it has pairs.
const EXPECTED: usize = 128;
