//! A port that connections share, and one connection's share of it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::{runtime::Handle, task::AbortHandle};

use super::{
    clock,
    receive::{deliver, readable, receive},
    routes::{ConnectionId, Routes},
    sockets::{Batch, Received, Socket},
};
use crate::{
    Path, Route,
    api::{EngineLock, WeakEngineLock},
};

/// The sockets and who is behind them.
#[derive(Debug)]
pub(super) struct Port {
    sockets: Vec<Arc<dyn Socket>>,
    routes: Arc<Mutex<Routes>>,
    readers: Vec<AbortHandle>,
    runtime: Handle,
    /// The sockets are the kernel's, so that it may be asked for more of them.
    of_kernel: bool,
}

/// One connection's share of a port, given back when it is dropped.
pub(super) struct Share {
    port: Arc<Port>,
    id: ConnectionId,
}

/// A buffer of datagrams with where it came.
type Arrived<'a> = (Path, Received, &'a mut [u8]);

/// Held by a reader: when its runtime ends, so do the connections.
struct Reader(Arc<Mutex<Routes>>);

impl Port {
    /// Reads from the sockets on this runtime, for as long as the port is held.
    pub(super) fn open(runtime: Handle, sockets: Vec<Arc<dyn Socket>>, of_kernel: bool) -> Self {
        let routes = Arc::<Mutex<Routes>>::default();
        let reader = |socket: &Arc<dyn Socket>| {
            let reading = read(Reader(routes.clone()), socket.clone());
            runtime.spawn(reading).abort_handle()
        };
        let readers = sockets.iter().map(reader).collect();
        Self {
            sockets,
            routes,
            readers,
            runtime,
            of_kernel,
        }
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// What its sockets are bound to.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|socket| socket.local_address())
    }
}

impl Share {
    pub(super) fn new(port: Arc<Port>) -> Self {
        let id = locked(&port.routes).new_connection();
        Self { port, id }
    }

    /// The connection is there: datagrams for it go to this engine.
    pub(super) fn attach(&self, engine: WeakEngineLock) {
        locked(&self.port.routes).attach(self.id, engine);
    }

    /// The address of the port for a candidate with this address, if the port listens there.
    pub(super) fn local_address(&self, address: IpAddr) -> io::Result<SocketAddr> {
        let mut addresses = self.port.addresses();
        let found = addresses.find(|bound| covers(bound.ip(), address));
        let bound = found.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(SocketAddr::new(address, bound.port()))
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

    pub(super) fn route(&self, now: Instant, route: Route) {
        let challenge = locked(&self.port.routes).apply(now, self.id, route);
        if let Some((owner, path)) = challenge {
            // Its lock may be held by who wants that of this connection.
            self.port.runtime.spawn(async move {
                if let Some(owner) = owner.upgrade() {
                    owner.drive(|now, engine, _| engine.handle_challenge(now, path));
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
        locked(&self.port.routes).forget(clock::now(), self.id);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.readers.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // None is left when the port was dropped; all are when the runtime ends.
        let engines = locked(&self.0).engines();
        let living = engines.iter().filter_map(WeakEngineLock::upgrade);
        living.for_each(|engine| engine.abandon());
    }
}

/// Receives for all connections of a port.
async fn read(reader: Reader, socket: Arc<dyn Socket>) {
    let local = socket.local_address();
    while readable(&*socket).await.is_ok() {
        receive(&*socket, |batch| distribute(&reader.0, local, batch));
        tokio::task::consume_budget().await;
    }
}

/// Sorts a batch by connection and locks each connection once.
fn distribute(routes: &Mutex<Routes>, local: SocketAddr, batch: &mut Batch) {
    let mut sorted: Vec<(ConnectionId, EngineLock, Vec<Arrived<'_>>)> = Vec::new();
    let now = clock::now();
    let known = locked(routes);
    for (received, bytes) in batch.received() {
        let address = received.destination.filter(|_| local.ip().is_unspecified());
        let local = SocketAddr::new(address.unwrap_or(local.ip()), local.port());
        let path = Path::udp(with_scope(local, received.source), received.source);
        // The kernel puts datagrams of one sender together, which may be for several connections.
        let mut rest = bytes;
        while !rest.is_empty() {
            let (length, owner) = known.first_run(now, path, rest, received.segment);
            let run;
            (run, rest) = rest.split_at_mut(length);
            let Some((id, engine)) = owner else {
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
    // Engines are locked without it: they take it themselves to say what has changed.
    drop(known);
    for (_, engine, buffers) in sorted {
        engine.drive(|now, engine, _| {
            for (path, received, bytes) in buffers {
                deliver(now, engine, path, received, bytes);
            }
        });
    }
}

/// A link-local address of ours is one of the interface that the sender's names.
fn with_scope(local: SocketAddr, source: SocketAddr) -> SocketAddr {
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

fn locked(routes: &Mutex<Routes>) -> MutexGuard<'_, Routes> {
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}
