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
        let path = Path::udp(with_scope(local, received.source), received.source);
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

fn locked(routes: &RwLock<Routes>) -> RwLockWriteGuard<'_, Routes> {
    routes.write().unwrap_or_else(PoisonError::into_inner)
}

fn read_locked(routes: &RwLock<Routes>) -> RwLockReadGuard<'_, Routes> {
    routes.read().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        task::{Context, Poll, Wake, Waker},
        time::Duration,
    };

    use oxirtc_stun::{Attribute, Builder, Class, Method, TransactionId};

    use super::*;
    use crate::{
        Configuration, ErrorKind, PeerConnection, Settings, api::Carrier,
        driver::sockets::with_batch,
    };

    /// Carries nothing, and counts how often it is woken.
    struct Idle(Arc<Woken>);

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Carrier for Idle {
        fn now(&self) -> Instant {
            oxirtc_netsim::epoch()
        }

        fn flush(&mut self, _: Instant, _: &mut Engine) {}

        fn wake(&mut self) {}

        fn waker(&self) -> Waker {
            self.0.clone().into()
        }
    }

    fn at(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    /// One more connection, whose peer is at this port.
    fn connect(
        routes: &RwLock<Routes>,
        port: u16,
    ) -> (PeerConnection, EngineLock<Idle>, Arc<Woken>) {
        let woken = Arc::<Woken>::default();
        let (connection, engine) = PeerConnection::with_carrier(
            Configuration::default(),
            Settings::default(),
            [1; 32],
            std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            Idle(woken.clone()),
        )
        .unwrap();
        let mut routes = locked(routes);
        let id = routes.new_connection();
        let label = engine.drive(|_, engine, _| engine.label());
        routes.attach(id, engine.erased().downgrade(), Arc::new(|_| {}), label);
        let path = Path::udp(at(9), at(port));
        routes.apply(oxirtc_netsim::epoch(), id, Route::Path(path));
        (connection, engine, woken)
    }

    fn come(routes: &RwLock<Routes>, port: u16) {
        come_to(routes, at(9), at(port));
    }

    /// Three datagrams.
    fn come_to(routes: &RwLock<Routes>, local: SocketAddr, source: SocketAddr) {
        let received = Received {
            source,
            destination: None,
            length: 30,
            segment: 10,
            ecn: 0,
        };
        with_batch(|batch| {
            batch.fill(received, &[22; 30]);
            distribute(routes, local, batch);
        });
    }

    fn count<C: Carrier>(engine: &EngineLock<C>) -> (u64, u64) {
        let counters = engine.drive(|_, engine, _| engine.counters());
        (counters.datagrams_received, counters.dropped)
    }

    /// A link-local address is one of a link, that by which its peer came: paths of two links differ.
    #[test]
    fn what_comes_to_a_link_local_address_has_its_link() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (local, source, expected) in [
            ("[fe80::1]:9", "[fe80::2%3]:1", "[fe80::1%3]:9"),
            ("[fe80::1%4]:9", "[fe80::2%3]:1", "[fe80::1%4]:9"),
            ("[2001:db8::1]:9", "[2001:db8::2]:1", "[2001:db8::1]:9"),
            ("10.0.0.1:9", "10.0.0.2:1", "10.0.0.1:9"),
        ] {
            assert_eq!(with_scope(at(local), at(source)), at(expected), "{local}");
        }
    }

    /// So a connection has it whose path is of that link, and no other.
    #[test]
    fn a_path_of_a_link_is_found() {
        let routes = RwLock::<Routes>::default();
        let (_connection, engine, _) = connect(&routes, 1);
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let path = Path::udp(at("[fe80::1%3]:9"), at("[fe80::2%3]:1"));
        let id = locked(&routes).ids()[0];
        locked(&routes).apply(oxirtc_netsim::epoch(), id, Route::Path(path));
        come_to(&routes, at("[fe80::1]:9"), at("[fe80::2%4]:1"));
        assert_eq!(count(&engine).0, 0);
        come_to(&routes, at("[fe80::1]:9"), path.remote);
        assert_eq!(count(&engine).0, 3);
    }

    /// A request that is refused is about the connection that it names, which the line of the log says.
    #[test]
    fn what_is_refused_is_told_with_the_label() {
        let routes = RwLock::<Routes>::default();
        let (_connection, engine, _) = connect(&routes, 1);
        let id = locked(&routes).ids()[0];
        let first = Route::Ufrag("first".into());
        locked(&routes).apply(oxirtc_netsim::epoch(), id, first);
        let request = |name| {
            let mut bytes = Vec::new();
            let id = TransactionId::new([1; 12]);
            let mut builder = Builder::new(&mut bytes, Class::Request, Method::BINDING, id);
            builder.add(Attribute::Username(name));
            builder.finish().unwrap();
            bytes
        };
        let label = engine.drive(|_, engine, _| engine.label());
        let named = |bytes: &[u8]| read_locked(&routes).named(bytes);
        assert_eq!(named(&request("first:x")), Some(label));
        assert_eq!(named(&request("third:x")), None);
        assert_eq!(named(&[22; 30]), None);
    }

    /// A socket that nothing can be read from any more carries no connection: what waits for one ends, as with the runtime.
    #[test]
    fn connections_end_with_a_reader_of_theirs() {
        let routes = Arc::<RwLock<Routes>>::default();
        let (connection, ..) = connect(&routes, 1);
        let mut context = Context::from_waker(Waker::noop());
        let mut waiting = pin!(connection.next_data_channel());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        drop(Reader(routes));
        let Poll::Ready(Err(error)) = waiting.poll(&mut context) else {
            panic!("it waits for ever");
        };
        assert_eq!(error.kind(), ErrorKind::Aborted);
    }

    /// Whose path another connection claims is asked, once in ten seconds: the claimant has it when the owner lets go, and not before.
    #[test]
    fn the_owner_of_a_claimed_path_is_asked() {
        let shared = RwLock::<Routes>::default();
        let (_owner, owner, _) = connect(&shared, 1);
        let (_claimant, claimant, _) = connect(&shared, 2);
        let claimed = Path::udp(at(9), at(1));
        let now = oxirtc_netsim::epoch();
        let later = |seconds| now + Duration::from_secs(seconds);
        // In the order in which they were made.
        let ids = locked(&shared).ids();
        let (first, second) = (ids[0], ids[1]);
        let claim = |at| locked(&shared).apply(at, second, Route::Path(claimed));
        let applied = claim(now);
        assert_eq!(applied.taken, Some(claimed));
        let (asked, path) = applied.challenge.expect("somebody is to look");
        assert_eq!(path, claimed);
        asked
            .upgrade()
            .unwrap()
            .drive(|_, engine, _| engine.count_dropped(7));
        assert_eq!((count(&owner).1, count(&claimant).1), (7, 0));
        assert!(claim(later(9)).challenge.is_none(), "it was asked");
        assert_eq!(claim(later(9)).taken, Some(claimed));
        assert!(claim(later(10)).challenge.is_some());
        come(&shared, 1);
        assert_eq!((count(&owner).0, count(&claimant).0), (3, 0));
        let released = Route::PathReleased(claimed);
        let applied = locked(&shared).apply(later(12), first, released);
        let (granted, path) = applied.granted.expect("somebody has waited");
        assert_eq!(path, claimed);
        granted
            .upgrade()
            .unwrap()
            .drive(|_, engine, _| engine.count_dropped(5));
        // What has come belongs to no layer, and counts as dropped too.
        assert_eq!((count(&owner).1, count(&claimant).1), (7 + 3, 5));
        come(&shared, 1);
        assert_eq!((count(&owner).0, count(&claimant).0), (3, 3));
        // Nobody is asked for what nobody has.
        let free = Route::Path(Path::udp(at(9), at(3)));
        let applied = locked(&shared).apply(later(12), first, free);
        assert!(applied.taken.is_none() && applied.challenge.is_none());
    }

    /// Whoever has a connection keeps no reader from the others; what came meanwhile is there afterwards, up to a bound.
    #[test]
    fn no_reader_waits_for_a_connection() {
        let routes = Arc::new(RwLock::<Routes>::default());
        let (_busy, busy, woken) = connect(&routes, 1);
        let (_free, free, never) = connect(&routes, 2);
        busy.drive(|_, _, _| {
            let (done, finished) = mpsc::channel();
            let routes = routes.clone();
            std::thread::spawn(move || {
                come(&routes, 1);
                come(&routes, 2);
                done.send(()).unwrap();
            });
            finished.recv_timeout(Duration::from_secs(20)).unwrap();
            assert_eq!(count(&free).0, 3);
        });
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "somebody is to look");
        assert_eq!(never.0.load(Ordering::SeqCst), 0);
        assert_eq!(count(&busy).0, 3);
        let (before, dropped) = count(&busy);
        busy.drive(|_, _, _| {
            let routes = routes.clone();
            let reader = std::thread::spawn(move || (0..70).for_each(|_| come(&routes, 1)));
            reader.join().unwrap();
        });
        let (after, lost) = count(&busy);
        assert_eq!(after - before, 64 * 3);
        // What came belongs to no layer, and is counted as dropped too.
        assert_eq!(lost - dropped, 70 * 3);
    }
}
