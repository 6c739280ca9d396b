//! One connection on tokio: its sockets, its task, and the way out.

use std::{
    io,
    net::{IpAddr, SocketAddr, SocketAddrV6},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::Poll,
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::Notify, task::AbortHandle, time::Sleep};

use super::{
    endpoint::Shared,
    interfaces, now,
    routes::Destination,
    seed,
    sockets::{Outgoing, Received, Socket, UdpSocket, readable, with_batch},
    wall,
};
use crate::{
    Carrier, Configuration, Core, Error, ErrorKind, Path, PeerConnection, Request, Settings,
    Transmit, engine::Engine,
};

/// What carries one engine: given to the api at construction, called with the engine locked.
pub(super) struct Connection {
    /// Itself, for the readers that it spawns.
    itself: Weak<Self>,
    runtime: Handle,
    /// Wakes the connection's task: a timer was set earlier, a socket is full, or the connection ended.
    woken: Notify,
    /// Locked only by who holds the engine's lock, but for the task that waits on a full socket.
    outside: Mutex<Outside>,
    shared: Option<Shared>,
}

/// What the engine has outside of it.
#[derive(Default)]
struct Outside {
    /// To spawn readers with; taken when the connection ends, as it refers back here.
    core: Option<Core>,
    sockets: Vec<Bound>,
    /// Datagrams on their way to a socket; kept between calls for its memory.
    buffer: Vec<u8>,
    /// What a full socket did not take yet. Nothing else is asked of the engine until it has left.
    blocked: Option<Blocked>,
    /// When the task's timer will fire.
    armed: Option<Instant>,
    finished: bool,
}

struct Bound {
    local: SocketAddr,
    socket: Arc<dyn Socket>,
    reader: AbortHandle,
}

struct Blocked {
    socket: Arc<dyn Socket>,
    transmit: Transmit,
    rest: Vec<u8>,
}

/// Makes a connection, on the sockets of an endpoint or on its own, and starts its task.
pub(super) fn open(
    configuration: Configuration,
    settings: Settings,
    shared: Option<Shared>,
) -> Result<PeerConnection, Error> {
    let runtime = Handle::try_current().map_err(|_| {
        Error::new(
            ErrorKind::InvalidState,
            "a connection needs a tokio runtime",
        )
    })?;
    let interfaces = match &shared {
        Some(shared) => shared.interfaces(),
        None => interfaces::list(),
    };
    let interfaces = interfaces.map_err(|error| {
        Error::new(
            ErrorKind::Operation,
            format!("the interfaces cannot be listed: {error}"),
        )
    })?;
    let connection = Arc::new_cyclic(|itself| Connection {
        itself: itself.clone(),
        runtime: runtime.clone(),
        woken: Notify::new(),
        outside: Mutex::default(),
        shared,
    });
    let carrier: Arc<dyn Carrier> = connection.clone();
    let peer_connection =
        PeerConnection::with_carrier(configuration, settings, seed()?, wall(), carrier)?;
    let core = peer_connection.core();
    connection.outside().core = Some(core.clone());
    core.drive(|engine| {
        let now = now();
        engine.handle_interfaces(now, &interfaces);
        connection.flush(now, engine);
    });
    runtime.spawn(connection.run(core));
    Ok(peer_connection)
}

impl Connection {
    fn outside(&self) -> MutexGuard<'_, Outside> {
        // No code that panics runs under this lock; if one did, the state is still whole.
        self.outside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection's own task: timers and full sockets.
    async fn run(self: Arc<Self>, core: Core) {
        let mut timer = pin!(tokio::time::sleep_until(far()));
        while !self.outside().finished {
            self.woken_or_due(timer.as_mut()).await;
            core.drive(|engine| {
                let now = now();
                engine.handle_timeout(now);
                self.flush(now, engine);
            });
        }
    }

    /// Waits until it was woken, its timer is due, or the full socket has room.
    async fn woken_or_due(&self, mut timer: Pin<&mut Sleep>) {
        let due = {
            let outside = self.outside();
            (
                outside.armed,
                outside
                    .blocked
                    .as_ref()
                    .map(|blocked| blocked.socket.clone()),
            )
        };
        let (armed, full) = due;
        timer.as_mut().reset(armed.map_or_else(far, Into::into));
        let mut woken = pin!(self.woken.notified());
        std::future::poll_fn(|context| {
            let has_room = |socket: &Arc<dyn Socket>| socket.poll_writable(context).is_ready();
            let writable = full.as_ref().is_some_and(has_room);
            if writable
                || woken.as_mut().poll(context).is_ready()
                || timer.as_mut().poll(context).is_ready()
            {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// What the engine wants of the system, until it wants nothing.
    fn serve_requests(&self, now: Instant, engine: &mut Engine, outside: &mut Outside) {
        while let Some(request) = engine.poll_request() {
            match request {
                Request::Bind { id, address, scope } => {
                    let bound = self.bind(outside, address, scope);
                    let bound = bound.map_err(|error| {
                        log::debug!("{address} cannot be bound: {error}");
                        error.kind()
                    });
                    engine.handle_response(now, id, bound);
                }
                Request::Close { local } => outside.unbind(local),
                Request::Route(route) => {
                    if let (Some(shared), Some(destination)) =
                        (&self.shared, self.destination(outside))
                    {
                        shared.route(&destination, route);
                    }
                }
            }
        }
    }

    fn bind(&self, outside: &mut Outside, address: IpAddr, scope: u32) -> io::Result<SocketAddr> {
        if let Some(shared) = &self.shared {
            return shared.local_address(address);
        }
        let (Some(core), Some(connection)) = (outside.core.clone(), self.itself.upgrade()) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        // tokio registers a socket with the runtime it is made in, and a verb may be called outside of it.
        let _entered = self.runtime.enter();
        let socket = UdpSocket::bind(with_scope(address, scope), SOCKET_BUFFER)?;
        let local = socket.local_address();
        let reading = read(connection, core, socket.clone());
        let reader = self.runtime.spawn(reading).abort_handle();
        outside.sockets.push(Bound {
            local,
            socket,
            reader,
        });
        Ok(local)
    }

    fn destination(&self, outside: &Outside) -> Option<Destination> {
        let id = self.shared.as_ref()?.id();
        let (core, connection) = (outside.core.clone()?, self.itself.upgrade()?);
        Some(Destination {
            id,
            core,
            connection,
        })
    }

    /// Sends all that the engine has, as far as the sockets take it.
    fn transmit(&self, now: Instant, engine: &mut Engine, outside: &mut Outside) {
        if !self.retry(outside) {
            return;
        }
        let mut buffer = std::mem::take(&mut outside.buffer);
        loop {
            buffer.clear();
            let Some(transmit) = engine.poll_transmit(now, &mut buffer) else {
                break;
            };
            let Some(socket) = self.socket(outside, transmit.path) else {
                continue;
            };
            if let (Some(shared), Some(0..=3)) = (&self.shared, buffer.first())
                && let Some(destination) = self.destination(outside)
            {
                shared.expect_response(&destination, transmit.path);
            }
            let sent = send(&socket, self.source(transmit.path), transmit, &buffer);
            if let Some(rest) = buffer.get(sent..).filter(|rest| !rest.is_empty()) {
                let rest = rest.to_vec();
                outside.blocked = Some(Blocked {
                    socket,
                    transmit,
                    rest,
                });
                self.woken.notify_one();
                break;
            }
        }
        outside.buffer = buffer;
    }

    /// Sends what was blocked; false while the socket is still full.
    fn retry(&self, outside: &mut Outside) -> bool {
        let Some(mut blocked) = outside.blocked.take() else {
            return true;
        };
        let sent = send(
            &blocked.socket,
            self.source(blocked.transmit.path),
            blocked.transmit,
            &blocked.rest,
        );
        blocked.rest.drain(..sent);
        let done = blocked.rest.is_empty();
        if !done {
            outside.blocked = Some(blocked);
        }
        done
    }

    fn socket(&self, outside: &Outside, path: Path) -> Option<Arc<dyn Socket>> {
        if let Some(shared) = &self.shared {
            return shared.socket(path);
        }
        let bound = outside
            .sockets
            .iter()
            .find(|bound| bound.local == path.local);
        bound.map(|bound| bound.socket.clone())
    }

    /// The source address to name, where the socket has several.
    fn source(&self, path: Path) -> Option<IpAddr> {
        self.shared.as_ref().and_then(|shared| shared.source(path))
    }

    /// Lets go of everything: the engine is done.
    fn finish(&self, outside: &mut Outside) {
        outside.finished = true;
        outside.blocked = None;
        for bound in outside.sockets.drain(..) {
            bound.reader.abort();
        }
        if let Some(shared) = &self.shared {
            shared.forget();
        }
        outside.core = None;
        self.woken.notify_one();
    }
}

impl Outside {
    fn unbind(&mut self, local: SocketAddr) {
        let closed = self.sockets.extract_if(.., |bound| bound.local == local);
        closed.for_each(|bound| bound.reader.abort());
    }
}

impl Carrier for Connection {
    fn now(&self) -> Instant {
        now()
    }

    fn flush(&self, now: Instant, engine: &mut Engine) {
        let mut outside = self.outside();
        if outside.finished {
            return;
        }
        self.serve_requests(now, engine, &mut outside);
        self.transmit(now, engine, &mut outside);
        if engine.is_finished() && outside.blocked.is_none() {
            self.finish(&mut outside);
            return;
        }
        let due = engine.poll_timeout();
        let earlier = due.is_some_and(|due| outside.armed.is_none_or(|armed| due < armed));
        outside.armed = due;
        if earlier {
            self.woken.notify_one();
        }
    }

    fn wake(&self) {
        self.woken.notify_one();
    }
}

/// Receives for one connection until the socket is closed.
async fn read(connection: Arc<Connection>, core: Core, socket: Arc<dyn Socket>) {
    let local = socket.local_address();
    while readable(&*socket).await.is_ok() {
        with_batch(|batch| {
            // A bound, so that one busy socket leaves the thread to others.
            for _ in 0..BATCHES {
                match socket.try_receive(batch) {
                    Ok(_) => core.drive(|engine| {
                        let now = now();
                        for (received, bytes) in batch.received() {
                            let path = Path::udp(local, received.source);
                            deliver(now, engine, path, received, bytes);
                        }
                        connection.flush(now, engine);
                    }),
                    // Others are the network's word about what was sent before (ICMP): the protocols find out themselves.
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                        log::trace!("receiving on {local}: {error}");
                    }
                    Err(_) => break,
                }
            }
        });
        tokio::task::consume_budget().await;
    }
}

/// Sends one batch, in as many calls as the socket needs, and returns how many of its bytes are dealt with: fewer than all when the
/// socket is full. What the network refuses is dropped, as the network itself might have.
fn send(
    socket: &Arc<dyn Socket>,
    source: Option<IpAddr>,
    transmit: Transmit,
    bytes: &[u8],
) -> usize {
    let Transmit {
        path, ecn, segment, ..
    } = transmit;
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        // Asked again each time: the socket learns when the system cannot segment.
        let most = segment.saturating_mul(socket.max_segments().max(1));
        let contents = rest.get(..most).unwrap_or(rest);
        let outgoing = Outgoing {
            destination: path.remote,
            source,
            ecn,
            segment,
            contents,
        };
        match socket.try_send(&outgoing) {
            Ok(()) => sent += contents.len(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // The system refused to segment: once more, one by one.
            Err(_) if contents.len() > segment && socket.max_segments() == 1 => {}
            Err(error) => {
                log::debug!("not sent to {}: {error}", path.remote);
                sent += contents.len();
            }
        }
    }
    sent
}

/// Hands the datagrams of one buffer to the engine.
pub(super) fn deliver(
    now: Instant,
    engine: &mut Engine,
    path: Path,
    received: Received,
    bytes: &mut [u8],
) {
    for datagram in bytes.chunks_mut(received.segment) {
        engine.handle_datagram(now, path, datagram);
    }
}

fn with_scope(address: IpAddr, scope: u32) -> SocketAddr {
    match address {
        IpAddr::V4(address) => (address, 0).into(),
        IpAddr::V6(address) => SocketAddrV6::new(address, 0, 0, scope).into(),
    }
}

/// When there is no timer.
fn far() -> tokio::time::Instant {
    tokio::time::Instant::from_std(now()) + FAR
}

/// Bytes of receive and of send buffer asked for: a whole window of SCTP may come at once.
pub(super) const SOCKET_BUFFER: usize = 4 << 20;
const BATCHES: usize = 16;
const FAR: Duration = Duration::from_secs(3600);
