//! A port that connections share, and one connection's share of it.

use std::{
    io, mem,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Instant,
};

use tokio::{runtime::Handle, task::AbortHandle};

use super::{
    clock,
    incoming::Incoming,
    listener::{Adopter, Claimed, Listener},
    receive::{deliver, readable, receive},
    routes::{Applied, ConnectionId, Notice, Routes},
    sockets::{Batch, Received, SOCKET_BUFFER, Socket, UdpSocket},
};
use crate::{
    Path, Route,
    api::{EngineLock, WeakEngineLock},
    engine::Engine,
    label::Label,
};

/// The sockets and who is behind them.
#[derive(Debug)]
pub(super) struct Port {
    sockets: Vec<Arc<dyn Socket>>,
    routes: Arc<RwLock<Routes>>,
    readers: Mutex<Readers>,
    /// Where streams come.
    listeners: Vec<Listener>,
    runtime: Handle,
    /// The sockets are the kernel's, so that it may be asked for more of them.
    of_kernel: bool,
}

/// The tasks that read.
#[derive(Debug)]
struct Readers {
    reading: Vec<AbortHandle>,
    /// How many more are to read at each address.
    to_come: usize,
}

/// One connection's share of a port, given back when it is dropped.
pub(super) struct Share {
    port: Arc<Port>,
    id: ConnectionId,
}

/// A buffer of datagrams with where it came.
type Arrived<'a> = (Path, Received, &'a mut [u8]);

/// Held by a reader: when its runtime ends, so do the connections.
struct Reader(Arc<RwLock<Routes>>);

impl Port {
    /// Reads from the sockets on this runtime, for as long as the port is held.
    pub(super) fn open(runtime: Handle, sockets: Vec<Arc<dyn Socket>>, of_kernel: bool) -> Self {
        let routes = Arc::<RwLock<Routes>>::default();
        let start = |socket: &Arc<dyn Socket>| start(&runtime, &routes, socket.clone());
        let readers = Readers {
            reading: sockets.iter().map(start).collect(),
            to_come: 0,
        };
        Self {
            sockets,
            routes,
            readers: Mutex::new(readers),
            listeners: Vec::new(),
            runtime,
            of_kernel,
        }
    }

    /// Takes streams as well, at the same port.
    pub(super) fn listen(&mut self) -> io::Result<()> {
        let mut addresses: Vec<_> = self.addresses().collect();
        addresses.dedup();
        for address in addresses {
            let routes = self.routes.clone();
            // Whose it is its first datagram says.
            let adopt = move |claimed: Claimed| {
                let adopter = read_locked(&routes).adopter(claimed.request());
                if let Some(adopt) = adopter {
                    adopt(claimed);
                }
            };
            let listener = Listener::bind(&self.runtime, address, Arc::new(adopt))?;
            self.listeners.push(listener);
        }
        Ok(())
    }

    /// So many more are to read at each address once there are peers to share among them: the system gives all that one peer sends to
    /// one socket, so that a port with a single connection has no use for a second.
    pub(super) fn more_readers(&mut self, count: usize) {
        let readers = self.readers.get_mut();
        readers.unwrap_or_else(PoisonError::into_inner).to_come = count;
    }

    /// Those that were to come join. The port serves its connections without them too.
    fn join_readers(&self) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = mem::take(&mut readers.to_come);
        let _inside = self.runtime.enter();
        for address in self.addresses().flat_map(|it| vec![it; count]) {
            match UdpSocket::join(address, SOCKET_BUFFER) {
                Ok(socket) => {
                    let reading = start(&self.runtime, &self.routes, socket);
                    readers.reading.push(reading);
                }
                Err(error) => log::debug!("no further reader at {address}: {error}"),
            }
        }
    }

    #[cfg(test)]
    pub(super) fn readers(&self) -> usize {
        self.readers.lock().unwrap().reading.len()
    }

    pub(super) fn takes_streams(&self) -> bool {
        !self.listeners.is_empty()
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Requests that name none of its connections, from now on.
    pub(super) fn incoming(&self) -> Incoming {
        self.join_readers();
        locked(&self.routes).incoming()
    }

    /// Datagrams that were for none of its connections.
    pub(super) fn dropped(&self) -> u64 {
        read_locked(&self.routes).dropped()
    }

    /// What its sockets are bound to.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|socket| socket.local_address())
    }
}

impl Share {
    pub(super) fn new(port: Arc<Port>) -> Self {
        let id = locked(&port.routes).new_connection();
        if !id.is_first() {
            port.join_readers();
        }
        Self { port, id }
    }

    /// The connection is there: datagrams for it go to this engine.
    pub(super) fn attach(&self, engine: WeakEngineLock, adopter: Adopter, label: Label) {
        locked(&self.port.routes).attach(self.id, engine, adopter, label);
    }

    /// The address of the port for a candidate with this address, if the port listens there.
    pub(super) fn local_address(&self, address: IpAddr) -> io::Result<SocketAddr> {
        let mut addresses = self.port.addresses();
        let found = addresses.find(|bound| covers(bound.ip(), address));
        let bound = found.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(SocketAddr::new(address, bound.port()))
    }

    /// Where streams come that are for this address, if the port takes streams there.
    pub(super) fn listens_at(&self, address: IpAddr) -> Option<SocketAddr> {
        let mut bound = self.port.listeners.iter().map(Listener::address);
        let bound = bound.find(|bound| covers(bound.ip(), address))?;
        Some(SocketAddr::new(address, bound.port()))
    }

    pub(super) fn socket(&self, path: Path) -> Option<Arc<dyn Socket>> {
        let mut sockets = self.port.sockets.iter();
        sockets
            .find(|socket| covers(socket.local_address().ip(), path.local.ip()))
            .cloned()
    }

    /// Whether a connection may have a socket of its own beside the port.
    pub(super) fn allows_own(&self) -> bool {
        self.port.of_kernel
    }

    /// Takes in what the engine of the connection says of itself. Other connections are told of it; the rest is for this one.
    pub(super) fn route(&self, now: Instant, route: Route) -> Applied {
        let mut applied = locked(&self.port.routes).apply(now, self.id, route);
        self.tell(applied.challenge.take(), Engine::handle_challenge);
        self.tell(applied.granted.take(), Engine::handle_granted);
        applied
    }

    /// Tells other connections of their paths.
    fn tell(
        &self,
        notices: impl IntoIterator<Item = Notice>,
        tell: fn(&mut Engine, Instant, Path),
    ) {
        for (engine, path) in notices {
            // Its lock may be held by who wants that of this connection.
            self.port.runtime.spawn(async move {
                if let Some(engine) = engine.upgrade() {
                    engine.drive(|now, engine, _| tell(engine, now, path));
                }
            });
        }
    }

    /// A request leaves: its response is for this connection, from wherever it comes.
    pub(super) fn expect_response(&self, id: [u8; 12]) {
        locked(&self.port.routes).expect(self.id, id);
    }

    /// The connection is gone.
    pub(super) fn forget(&self) {
        let granted = locked(&self.port.routes).forget(clock::now(), self.id);
        self.tell(granted, Engine::handle_granted);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let readers = self.readers.get_mut();
        let readers = readers.unwrap_or_else(PoisonError::into_inner);
        readers.reading.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // None is left when the port was dropped; all are when the runtime ends.
        locked(&self.0).end();
        let engines = read_locked(&self.0).engines();
        let living = engines.iter().filter_map(WeakEngineLock::upgrade);
        living.for_each(|engine| engine.abandon());
    }
}

fn start(runtime: &Handle, routes: &Arc<RwLock<Routes>>, socket: Arc<dyn Socket>) -> AbortHandle {
    let reading = read(Reader(routes.clone()), socket);
    runtime.spawn(reading).abort_handle()
}

/// Receives for all connections of a port.
async fn read(reader: Reader, socket: Arc<dyn Socket>) {
    let local = socket.local_address();
    while readable(&*socket).await.is_ok() {
        receive(&*socket, |batch| distribute(&reader.0, local, batch));
        tokio::task::consume_budget().await;
    }
}

/// Sorts a batch by connection and locks each connection once. None is waited for: who has the lock of a connection, or its task, takes
/// in what came meanwhile.
fn distribute(routes: &RwLock<Routes>, local: SocketAddr, batch: &mut Batch) {
    let mut sorted: Vec<(ConnectionId, EngineLock, Vec<Arrived<'_>>)> = Vec::new();
    let now = clock::now();
    let known = read_locked(routes);
    let mut dropped = 0;
    for (received, bytes) in batch.received() {
        let address = received.destination.filter(|_| local.ip().is_unspecified());
        let local = SocketAddr::new(address.unwrap_or(local.ip()), local.port());
        let path = Path::udp(scoped_like(local, received.source), received.source);
        // The kernel puts datagrams of one sender together, which may be for several connections.
        let mut rest = bytes;
        while !rest.is_empty() {
            let (length, owner) = known.first_run(now, path, rest, received.segment);
            let run;
            (run, rest) = rest.split_at_mut(length);
            let Some((id, engine)) = owner else {
                // Of several that are nobody's the first may name who is to come.
                let segment = received.segment.max(1);
                let first = run.get(..segment).unwrap_or(run);
                let kept = usize::from(known.keep(now, path, first));
                dropped += run.len().div_ceil(segment) - kept;
                if kept == 1 {
                    continue;
                }
                if log::log_enabled!(log::Level::Trace) {
                    trace_drop(&known, path, first);
                }
                continue;
            };
            let arrived = (path, received, run);
            match sorted.iter_mut().find(|(other, ..)| *other == id) {
                Some((.., datagrams)) => datagrams.push(arrived),
                None => {
                    if let Some(engine) = engine.upgrade() {
                        sorted.push((id, engine, vec![arrived]));
                    }
                }
            }
        }
    }
    // Once a batch: readers would wait for each other at each datagram.
    if dropped > 0 {
        known.count_dropped(dropped);
    }
    // Engines are locked without it: they take it themselves to say what has changed.
    drop(known);
    for (_, engine, mut buffers) in sorted {
        let served = engine.try_drive(|now, engine, _| {
            for (path, received, bytes) in &mut buffers {
                deliver(now, engine, *path, *received, bytes);
            }
        });
        if served.is_none() {
            for (path, received, bytes) in buffers {
                engine.leave(path, received.segment, bytes);
            }
        }
    }
}

/// Says why a datagram was dropped: whose it would have been has its label in the line.
fn trace_drop(routes: &Routes, path: Path, datagram: &[u8]) {
    let Path { local, remote, .. } = path;
    match routes.named(datagram) {
        Some(label) => {
            log::trace!("{label}: dropped, from {remote}: strangers have asked too often");
        }
        None => {
            log::trace!("dropped, from {remote} to {local}: it is for no connection of the port");
        }
    }
}

/// A link-local address of ours is one of the interface that the sender's names.
fn scoped_like(local: SocketAddr, source: SocketAddr) -> SocketAddr {
    match (local, source) {
        (SocketAddr::V6(mut local), SocketAddr::V6(source))
            if local.ip().is_unicast_link_local() && local.scope_id() == 0 =>
        {
            local.set_scope_id(source.scope_id());
            local.into()
        }
        _ => local,
    }
}

/// Whether a socket bound to `bound` receives what is sent to `address`.
pub(super) fn covers(bound: IpAddr, address: IpAddr) -> bool {
    bound == address || bound.is_unspecified() && bound.is_ipv4() == address.is_ipv4()
}

fn locked(routes: &RwLock<Routes>) -> RwLockWriteGuard<'_, Routes> {
    routes.write().unwrap_or_else(PoisonError::into_inner)
}

fn read_locked(routes: &RwLock<Routes>) -> RwLockReadGuard<'_, Routes> {
    routes.read().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
