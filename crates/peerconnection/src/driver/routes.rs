//! Which connection of a shared port a datagram belongs to.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use oxirtc_ice::{Head, head};

use super::{
    incoming::{Incoming, Unknown},
    listener::Adopter,
};
use crate::{Path, Route, api::WeakEngineLock, label::Label};

/// What one shared port knows of its connections. Nothing a stranger sends adds to it.
///
/// A request goes by the fragment that it names, a response to who asked, and payload to the connection
/// whose peer has answered on its path. One connection never takes from another what that one has.
#[derive(Default)]
pub(super) struct Routes {
    next: u64,
    by_ufrag: HashMap<String, ConnectionId>,
    flows: HashMap<Path, Flow>,
    /// Requests that we sent: their responses carry no name.
    expected: HashMap<[u8; 12], ConnectionId>,
    /// What is reserved, and until when, the oldest first.
    reservations: VecDeque<(Path, Instant)>,
    connections: BTreeMap<ConnectionId, Entry>,
    /// Requests that name nobody yet, where somebody wants to know.
    unknown: Option<Mutex<Unknown>>,
    /// Nobody reads any more, as the runtime has ended.
    ended: bool,
    /// Datagrams that were nobody's.
    dropped: AtomicU64,
}

/// Tells the connections of one port apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(u64);

/// Whose a path is.
#[derive(Clone, Copy, Debug)]
enum Flow {
    /// Nobody's. A request with this connection's password came from there, which may be forged: what comes
    /// meanwhile waits with it.
    Reserved(ConnectionId, Instant),
    /// The peer of the first connection has answered from there; and since then that of another one, which gets it when
    /// the first does not hear of its own any more.
    Bound(ConnectionId, Option<Claim>),
}

/// Who claims a path that another connection has, and since when.
type Claim = (ConnectionId, Instant);

/// A connection, and a path that it is to be told something of.
pub(super) type Notice = (WeakEngineLock, Path);

/// What follows from what an engine has said of itself.
#[derive(Default)]
pub(super) struct Applied {
    /// A path that it is not to use, as another connection has it.
    pub(super) taken: Option<Path>,
    /// That other connection, which is to look whether its peer is still there.
    pub(super) challenge: Option<Notice>,
    /// Who has a path now that was another one's.
    pub(super) granted: Option<Notice>,
    /// What has come for the fragment that it has from now on.
    pub(super) kept: Option<(Path, Vec<u8>)>,
    /// A fragment that another connection has.
    pub(super) refused: Option<String>,
}

/// A connection, and what it put in, to be taken out with it.
#[derive(Default)]
struct Entry {
    /// Not there until the connection was made.
    engine: Option<WeakEngineLock>,
    adopter: Option<Adopter>,
    /// What the log calls it.
    label: Option<Label>,
    ufrags: Vec<String>,
    paths: Vec<Path>,
    reserved: VecDeque<Path>,
    expected: VecDeque<[u8; 12]>,
    strangers: Strangers,
}

/// Requests in the name of a connection that came from where nobody of it is known to be: how many since when.
#[derive(Default)]
struct Strangers(Mutex<Option<(Instant, u32)>>);

impl ConnectionId {
    /// Whether its port had no connection before.
    pub(super) fn is_first(self) -> bool {
        self.0 == 1
    }
}

impl Strangers {
    /// Whether one more is looked at. Each costs a digest under the lock of the connection, and whoever knows a fragment may send them.
    fn admits(&self, now: Instant) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *counted {
            Some((since, count)) if now < *since + STRANGERS_IN => {
                *count = count.saturating_add(1);
                *count <= STRANGERS
            }
            _ => {
                *counted = Some((now, 1));
                true
            }
        }
    }
}

impl Routes {
    pub(super) fn new_connection(&mut self) -> ConnectionId {
        self.next += 1;
        let id = ConnectionId(self.next);
        self.connections.insert(id, Entry::default());
        id
    }

    /// From now on the connection can be handed datagrams.
    pub(super) fn attach(
        &mut self,
        id: ConnectionId,
        engine: WeakEngineLock,
        adopter: Adopter,
        label: Label,
    ) {
        if let Some(entry) = self.connections.get_mut(&id) {
            (entry.engine, entry.adopter) = (Some(engine), Some(adopter));
            entry.label = Some(label);
        }
    }

    /// Takes in what an engine says of itself.
    ///
    /// What is claimed is not taken: its owner is to be challenged.
    pub(super) fn apply(&mut self, now: Instant, id: ConnectionId, route: Route) -> Applied {
        let Some(entry) = self.connections.get_mut(&id) else {
            return Applied::default();
        };
        match route {
            Route::Ufrag(ufrag) => {
                // Whoever comes second chose it on purpose, or is as good as impossible.
                let room = entry.ufrags.len() < UFRAGS;
                let owner = self.by_ufrag.get(&ufrag).copied();
                let owner = owner.or_else(|| room.then_some(id));
                if owner == Some(id) {
                    self.by_ufrag.insert(ufrag.clone(), id);
                    let unknown = self.unknown.as_mut();
                    let unknown =
                        unknown.map(|it| it.get_mut().unwrap_or_else(PoisonError::into_inner));
                    let kept = unknown.and_then(|it| it.take(now, &ufrag));
                    entry.ufrags.retain(|other| *other != ufrag);
                    entry.ufrags.push(ufrag);
                    return Applied {
                        kept,
                        ..Applied::default()
                    };
                }
                return Applied {
                    refused: Some(ufrag),
                    ..Applied::default()
                };
            }
            Route::UfragReleased(ufrag) => {
                entry.ufrags.retain(|other| *other != ufrag);
                remove(&mut self.by_ufrag, &ufrag, id);
            }
            Route::Reserve(path) => self.reserve(now, id, path),
            Route::Path(path) => return self.bind(now, id, path),
            Route::PathReleased(path) => {
                entry.paths.retain(|other| *other != path);
                return Applied {
                    granted: self.release(now, id, path),
                    ..Applied::default()
                };
            }
        }
        Applied::default()
    }

    /// The path is free, or its claimant's, who is to be told.
    fn release(&mut self, now: Instant, id: ConnectionId, path: Path) -> Option<Notice> {
        match self.flows.get_mut(&path) {
            Some(Flow::Bound(owner, claim)) if *owner == id => {
                let claim = claim.take();
                self.flows.remove(&path);
                // However long ago: it has waited since.
                if let Some((claimant, _)) = claim {
                    // Free as it is, it is taken without a question.
                    let _ = self.bind(now, claimant, path);
                    let engine = self.connections.get(&claimant)?.engine.clone()?;
                    return Some((engine, path));
                }
            }
            Some(Flow::Bound(_, claim)) => {
                claim.take_if(|(claimant, _)| *claimant == id);
            }
            Some(Flow::Reserved(of, _)) if *of == id => self.give_up(path),
            _ => {}
        }
        None
    }

    /// Hands what comes from there to this connection for a moment, if it is nobody's.
    fn reserve(&mut self, now: Instant, id: ConnectionId, path: Path) {
        if leads_back(path) {
            return;
        }
        match self.flows.get(&path) {
            Some(Flow::Bound(..)) => return,
            Some(Flow::Reserved(other, until)) if *other != id && now < *until => return,
            _ => {}
        }
        self.give_up(path);
        while let Some((oldest, until)) = self.reservations.front().copied() {
            if now < until && self.reservations.len() < ALL_RESERVED {
                break;
            }
            self.give_up(oldest);
        }
        let Some(entry) = self.connections.get_mut(&id) else {
            return;
        };
        entry.reserved.push_back(path);
        let excess = entry.reserved.len() > RESERVED;
        let oldest = entry.reserved.front().copied().filter(|_| excess);
        let until = now + RESERVATION;
        self.flows.insert(path, Flow::Reserved(id, until));
        self.reservations.push_back((path, until));
        if let Some(oldest) = oldest {
            self.give_up(oldest);
        }
    }

    /// The path is not reserved any more, if it was.
    fn give_up(&mut self, path: Path) {
        let Some(Flow::Reserved(id, _)) = self.flows.get(&path).copied() else {
            return;
        };
        self.flows.remove(&path);
        self.reservations.retain(|(other, _)| *other != path);
        if let Some(entry) = self.connections.get_mut(&id) {
            entry.reserved.retain(|other| *other != path);
        }
    }

    /// The path is this connection's, unless it is another one's, which is then to be asked.
    fn bind(&mut self, now: Instant, id: ConnectionId, path: Path) -> Applied {
        let mut applied = Applied::default();
        if leads_back(path) {
            applied.taken = Some(path);
            return applied;
        }
        if let Some(Flow::Bound(owner, claim)) = self.flows.get_mut(&path) {
            if *owner == id {
                return applied;
            }
            applied.taken = Some(path);
            if claim.is_some_and(|(_, since)| now < since + CLAIM) {
                return applied;
            }
            // Payload names nobody: it stays with whom it was, for as long as that one is there.
            *claim = Some((id, now));
            let owner = self.connections.get(owner);
            let engine = owner.and_then(|it| it.engine.clone());
            applied.challenge = engine.map(|engine| (engine, path));
            return applied;
        }
        let full = self.connections.get(&id);
        if full.is_some_and(|it| it.paths.len() >= PATHS) {
            applied.taken = Some(path);
            return applied;
        }
        self.give_up(path);
        if let Some(entry) = self.connections.get_mut(&id) {
            entry.paths.push(path);
            self.flows.insert(path, Flow::Bound(id, None));
        }
        applied
    }

    /// A request was sent.
    pub(super) fn expect(&mut self, id: ConnectionId, transaction: [u8; 12]) {
        let Some(entry) = self.connections.get_mut(&id) else {
            return;
        };
        // It is sent again with the same id.
        if self.expected.contains_key(&transaction) {
            return;
        }
        if entry.expected.len() == EXPECTED
            && let Some(oldest) = entry.expected.pop_front()
        {
            remove(&mut self.expected, &oldest, id);
        }
        entry.expected.push_back(transaction);
        self.expected.insert(transaction, id);
    }

    /// What the log calls the connection that a request names.
    pub(super) fn named(&self, datagram: &[u8]) -> Option<Label> {
        let Head::Request { ufrag, .. } = head(datagram) else {
            return None;
        };
        self.connections.get(self.by_ufrag.get(ufrag)?)?.label
    }

    /// Who takes this stream, whose first datagram names a connection.
    pub(super) fn adopter(&self, datagram: &[u8]) -> Option<Adopter> {
        let Head::Request { ufrag, .. } = head(datagram) else {
            return None;
        };
        let entry = self.connections.get(self.by_ufrag.get(ufrag)?)?;
        entry.adopter.clone()
    }

    /// How many of these bytes, which came together in datagrams of `segment` bytes, are for one connection, and for
    /// which, if there is one.
    pub(super) fn first_run(
        &self,
        now: Instant,
        path: Path,
        bytes: &[u8],
        segment: usize,
    ) -> (usize, Option<(ConnectionId, &WeakEngineLock)>) {
        let mut datagrams = bytes.chunks(segment).peekable();
        let Some(first) = datagrams.next() else {
            return (bytes.len(), None);
        };
        let mut length = first.len();
        // Payload names nobody: what is of one path is for one connection.
        if is_payload(first) {
            let others = std::iter::from_fn(|| datagrams.next_if(|it| is_payload(it)));
            length += others.map(<[u8]>::len).sum::<usize>();
        }
        let owner = self.owner(now, path, first).and_then(|id| {
            let entry = self.connections.get(&id)?;
            Some((id, entry.engine.as_ref()?))
        });
        (length, owner)
    }

    /// Whoever asked for it before is not told any more.
    pub(super) fn incoming(&mut self) -> Incoming {
        let (unknown, incoming) = Unknown::new();
        self.unknown = (!self.ended).then(|| Mutex::new(unknown));
        incoming
    }

    /// Nothing comes any more: who waits for requests is told so.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.unknown = None;
    }

    /// A datagram is for no connection that there is. Whether it waits for one.
    pub(super) fn keep(&self, now: Instant, path: Path, datagram: &[u8]) -> bool {
        let Some(unknown) = &self.unknown else {
            return false;
        };
        // What is somebody's was refused, and is not unknown.
        let named = match head(datagram) {
            Head::Request { ufrag, .. } => self.by_ufrag.contains_key(ufrag),
            _ => true,
        };
        !named
            && unknown
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .keep(now, path, datagram)
    }

    /// So many datagrams are nobody's.
    pub(super) fn count_dropped(&self, datagrams: usize) {
        self.dropped.fetch_add(datagrams as u64, Ordering::Relaxed);
    }

    /// How many datagrams were nobody's.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn owner(&self, now: Instant, path: Path, datagram: &[u8]) -> Option<ConnectionId> {
        match head(datagram) {
            // RFC 8445 §7.2.2: our fragment stands before the colon. Whose the address was does not count.
            Head::Request { ufrag, .. } => {
                let id = self.by_ufrag.get(ufrag).copied()?;
                let of = match self.flows.get(&path) {
                    Some(Flow::Bound(of, _) | Flow::Reserved(of, _)) => Some(*of),
                    None => None,
                };
                let admitted = of == Some(id) || self.connections.get(&id)?.strangers.admits(now);
                Some(id).filter(|_| admitted)
            }
            Head::Response { id } => self.expected.get(&id).copied(),
            Head::Other => match self.flows.get(&path)? {
                Flow::Bound(id, _) => Some(*id),
                Flow::Reserved(id, until) => Some(*id).filter(|_| now < *until),
            },
        }
    }

    /// Its connections, in the order in which they were made.
    #[cfg(test)]
    pub(super) fn ids(&self) -> Vec<ConnectionId> {
        self.connections.keys().copied().collect()
    }

    /// Takes out all that belongs to a connection. Who has a path of it now is to be told.
    pub(super) fn forget(&mut self, now: Instant, id: ConnectionId) -> Vec<Notice> {
        let Some(entry) = self.connections.remove(&id) else {
            return Vec::new();
        };
        for ufrag in &entry.ufrags {
            remove(&mut self.by_ufrag, ufrag, id);
        }
        for path in entry.reserved {
            self.give_up(path);
        }
        let mut granted = Vec::new();
        for path in entry.paths {
            granted.extend(self.release(now, id, path));
        }
        for transaction in &entry.expected {
            remove(&mut self.expected, transaction, id);
        }
        granted
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

/// Requests under way that one connection may have: as many as it has pairs.
const EXPECTED: usize = 128;
/// Fragments that one connection may have: three of each of its transports.
const UFRAGS: usize = 256;
/// Paths that one connection may have: as many as it has pairs. One more is as good as another connection's.
const PATHS: usize = 128;
/// Paths that one connection may have reserved.
const RESERVED: usize = 8;
/// Paths that all connections of a port may have reserved together.
const ALL_RESERVED: usize = 1024;
/// Requests of strangers that a connection is given in [`STRANGERS_IN`]. A peer checks every 50 ms at most.
const STRANGERS: u32 = 200;
const STRANGERS_IN: Duration = Duration::from_secs(1);
/// How long a path is reserved after an authentic request came on it.
const RESERVATION: Duration = Duration::from_secs(5);
/// How often the owner of a path is asked. Its answer takes at most two seconds.
const CLAIM: Duration = Duration::from_secs(10);

/// Whether both ends are one address of the port, between two of its connections: what one of them sends there comes as what the other
/// one sends does, so that payload is nobody's. Each of the two has a way of its own.
fn leads_back(path: Path) -> bool {
    path.local == path.remote
}

fn is_payload(datagram: &[u8]) -> bool {
    matches!(head(datagram), Head::Other)
}

#[cfg(test)]
mod tests;
