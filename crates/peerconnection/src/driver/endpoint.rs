//! One UDP port for any number of connections.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{runtime::Handle, task::AbortHandle};

use super::{
    connection::{self, SOCKET_BUFFER, deliver},
    interfaces, now,
    routes::{ConnectionId, Destination, Routes},
    sockets::{Batch, Received, Socket, UdpSocket, readable, with_batch},
};
use crate::{Carrier, Configuration, Error, Interface, Path, PeerConnection, Route, Settings};

/// One UDP port that carries any number of connections, told apart by ICE's username fragment and then by address.
///
/// A datagram reaches a connection only from an address that showed a STUN message with that connection's password; anything else
/// is dropped before anything is allocated for it. The port is closed when the endpoint and all of its connections are gone.
#[derive(Clone, Debug)]
pub struct Endpoint {
    port: Arc<Port>,
    settings: EndpointSettings,
}

/// A buffer of datagrams with where it came.
type Arrived<'a> = (Path, Received, &'a mut [u8]);

/// What an [`Endpoint`] can be told.
#[derive(Clone, Debug, Default)]
pub struct EndpointSettings {
    engine: Settings,
    interfaces: Option<Vec<Interface>>,
}

/// The sockets and who is behind them.
#[derive(Debug)]
struct Port {
    sockets: Vec<Arc<dyn Socket>>,
    routes: Arc<Mutex<Routes>>,
    readers: Vec<AbortHandle>,
}

/// One connection's share of a port.
pub(super) struct Shared {
    port: Arc<Port>,
    id: ConnectionId,
    interfaces: Option<Vec<Interface>>,
}

impl EndpointSettings {
    /// Settings of each connection's engine.
    #[must_use]
    pub fn engine(mut self, settings: Settings) -> Self {
        self.engine = settings;
        self
    }

    /// The addresses to gather instead of those of this machine, for a network that is not the system's.
    #[must_use]
    pub fn interfaces(mut self, interfaces: Vec<Interface>) -> Self {
        self.interfaces = Some(interfaces);
        self
    }
}

impl Endpoint {
    /// Binds the port. `0.0.0.0` stands for all IPv4 addresses of the machine, `[::]` for all IPv6 addresses and, at the same port, all
    /// IPv4 addresses. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// Those of the system, with words that say what to do: the port is taken, the address is not of this machine, not permitted.
    pub fn bind(address: SocketAddr, settings: EndpointSettings) -> io::Result<Self> {
        let explain = |error: io::Error| io::Error::new(error.kind(), explain(address, &error));
        let first = UdpSocket::bind(address, SOCKET_BUFFER).map_err(explain)?;
        let port = first.local_address().port();
        let mut sockets = vec![first];
        if address.is_ipv6() && address.ip().is_unspecified() {
            let second = (IpAddr::from([0, 0, 0, 0]), port).into();
            sockets.push(UdpSocket::bind(second, SOCKET_BUFFER).map_err(explain)?);
        }
        Self::with_sockets(sockets, settings)
    }

    /// An endpoint on sockets of another kind than the kernel's.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime.
    pub fn with_sockets(
        sockets: Vec<Arc<dyn Socket>>,
        settings: EndpointSettings,
    ) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let routes = Arc::<Mutex<Routes>>::default();
        let reader = |socket: &Arc<dyn Socket>| {
            let reading = read(routes.clone(), socket.clone());
            runtime.spawn(reading).abort_handle()
        };
        let readers = sockets.iter().map(reader).collect();
        let port = Arc::new(Port {
            sockets,
            routes,
            readers,
        });
        Ok(Self { port, settings })
    }

    /// The address that the (first) socket is bound to.
    ///
    /// # Errors
    ///
    /// When the endpoint was made of no socket.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        let first = self
            .port
            .sockets
            .first()
            .ok_or(io::ErrorKind::NotConnected)?;
        Ok(first.local_address())
    }

    /// A connection on this port.
    ///
    /// # Errors
    ///
    /// Those of [`PeerConnection::new`].
    pub fn peer_connection(&self, configuration: Configuration) -> Result<PeerConnection, Error> {
        let shared = Shared {
            port: self.port.clone(),
            id: locked(&self.port.routes).new_connection(),
            interfaces: self.settings.interfaces.clone(),
        };
        connection::open(configuration, self.settings.engine.clone(), Some(shared))
    }
}

impl Shared {
    pub(super) fn interfaces(&self) -> io::Result<Vec<Interface>> {
        self.interfaces.clone().map_or_else(interfaces::list, Ok)
    }

    /// The address of the port for a candidate with this address, if the port listens there.
    pub(super) fn local_address(&self, address: IpAddr) -> io::Result<SocketAddr> {
        let addresses = self
            .port
            .sockets
            .iter()
            .map(|socket| socket.local_address());
        let found = addresses
            .into_iter()
            .find(|bound| covers(bound.ip(), address));
        let bound = found.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(SocketAddr::new(address, bound.port()))
    }

    pub(super) fn socket(&self, path: Path) -> Option<Arc<dyn Socket>> {
        let mut sockets = self.port.sockets.iter();
        sockets
            .find(|socket| covers(socket.local_address().ip(), path.local.ip()))
            .cloned()
    }

    /// The source address to name, where the socket has several.
    pub(super) fn source(&self, path: Path) -> Option<IpAddr> {
        let unspecified = |socket: Arc<dyn Socket>| socket.local_address().ip().is_unspecified();
        self.socket(path)
            .is_some_and(unspecified)
            .then_some(path.local.ip())
    }

    pub(super) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(super) fn route(&self, destination: &Destination, route: Route) {
        locked(&self.port.routes).apply(destination, route);
    }

    /// A check leaves on this path: its response may come from an address that nobody has shown yet.
    pub(super) fn expect_response(&self, destination: &Destination, path: Path) {
        locked(&self.port.routes).expect(destination, path);
    }

    /// The connection is gone.
    pub(super) fn forget(&self) {
        locked(&self.port.routes).forget(self.id);
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.readers.iter().for_each(AbortHandle::abort);
    }
}

/// Receives for all connections of a port.
async fn read(routes: Arc<Mutex<Routes>>, socket: Arc<dyn Socket>) {
    while readable(&*socket).await.is_ok() {
        with_batch(|batch| {
            for _ in 0..BATCHES {
                match socket.try_receive(batch) {
                    Ok(_) => distribute(&routes, socket.local_address(), batch),
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                        log::trace!("receiving on {}: {error}", socket.local_address());
                    }
                    Err(_) => break,
                }
            }
        });
        tokio::task::consume_budget().await;
    }
}

/// Sorts a batch by connection and locks each connection once.
fn distribute(routes: &Mutex<Routes>, local: SocketAddr, batch: &mut Batch) {
    let now = now();
    let mut sorted: Vec<(Destination, Vec<Arrived<'_>>)> = Vec::new();
    let known = locked(routes);
    for (received, bytes) in batch.received() {
        let address = received.destination.filter(|_| local.ip().is_unspecified());
        let local = SocketAddr::new(address.unwrap_or(local.ip()), local.port());
        let path = Path::udp(local, received.source);
        let first = bytes.get(..received.segment).unwrap_or(bytes);
        let Some(destination) = known.find(path, first) else {
            continue;
        };
        let arrived = (path, received, bytes);
        match sorted
            .iter_mut()
            .find(|(other, _)| other.id == destination.id)
        {
            Some((_, buffers)) => buffers.push(arrived),
            None => sorted.push((destination.clone(), vec![arrived])),
        }
    }
    // Engines are locked without it: they take it themselves to say what has changed.
    drop(known);
    for (destination, buffers) in sorted {
        destination.core.drive(|engine| {
            for (path, received, bytes) in buffers {
                deliver(now, engine, path, received, bytes);
            }
            destination.connection.flush(now, engine);
        });
    }
}

/// Whether a socket bound to `bound` receives what is sent to `address`.
fn covers(bound: IpAddr, address: IpAddr) -> bool {
    bound == address || bound.is_unspecified() && bound.is_ipv4() == address.is_ipv4()
}

fn explain(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("UDP {address} is taken: choose another port, or end the program that has it")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{address} is not an address of this machine: bind one that is, or 0.0.0.0")
        }
        io::ErrorKind::PermissionDenied => {
            format!("UDP {address} is not permitted: choose a port above 1023")
        }
        _ => format!("UDP {address} cannot be bound: {error}"),
    }
}

fn locked(routes: &Mutex<Routes>) -> MutexGuard<'_, Routes> {
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}

const BATCHES: usize = 16;
