//! One UDP port for any number of connections.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, LazyLock},
};

use tokio::runtime::Handle;

use super::{
    connection,
    incoming::Incoming,
    interfaces::Networks,
    names::LocalNames,
    port::{Port, Share, covers},
    ports::Ports,
    sockets::{SOCKET_BUFFER, Socket, UdpSocket},
    ways::Ways,
};
use crate::{Configuration, Error, Interface, PeerConnection, Settings};

/// One UDP port that carries any number of connections, told apart by ICE's username fragment and then by address.
///
/// Payload reaches a connection only from an address that its peer has answered from, and one connection never takes what another
/// one has; a datagram that is nobody's is dropped before anything is allocated for it. The port is closed when the endpoint and all of its connections are gone.
///
/// ```no_run
/// # use oxirtc_peerconnection::{Configuration, Endpoint};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let endpoint = Endpoint::bind("0.0.0.0:5000")?;
/// let connection = endpoint.peer_connection(Configuration::default())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Endpoint {
    port: Arc<Port>,
    settings: Settings,
    interfaces: Option<Vec<Interface>>,
    /// Multicast DNS of all of its connections.
    names: Option<LocalNames>,
}

/// Settings of the port of an [`Endpoint`], beside those of its connections.
#[derive(Clone, Debug, Default)]
pub struct EndpointSettings {
    readers: Option<usize>,
    tcp: bool,
}

impl EndpointSettings {
    /// How many tasks read from the port, each from a socket of its own that the system gives a share of the senders (Linux; elsewhere
    /// there is one). They run on as many threads as the runtime has, and none waits for a connection that is busy.
    ///
    /// Default: one for each processor, 8 at most, of which all but the first join with the second connection, or with
    /// [`Endpoint::incoming`]: all of one peer comes to one of them. Set, they are there from the beginning. At least 1, at most 64.
    #[must_use]
    pub fn readers(mut self, count: usize) -> Self {
        self.readers = Some(count.clamp(1, MAX_READERS));
        self
    }

    /// Whether streams are accepted at the same port number over TCP (RFC 6544), for peers whose network lets no UDP through. Its
    /// connections tell a candidate for it, and open streams themselves. A stream belongs to the connection that its first message
    /// names; one that names none in 10 s is closed, and there are at most 512 such at a time, 8 of one address.
    ///
    /// Default: `false`.
    #[must_use]
    pub fn tcp(mut self, on: bool) -> Self {
        self.tcp = on;
        self
    }
}

impl Endpoint {
    /// Binds the port. `0.0.0.0` stands for all IPv4 addresses of the machine, `[::]` for all IPv6 addresses and, at the same port,
    /// all IPv4 addresses. Any other address is the one that its connections gather, a loopback address too. Of several addresses
    /// the first that can be bound is; a name is resolved on this thread.
    ///
    /// # Errors
    ///
    /// Those of the system, with words that say what to do: the port is taken, the address is not of this machine, not permitted.
    /// An error as well outside of a tokio runtime, which must have I/O and time enabled. tokio tells of a runtime without I/O by a
    /// panic alone, which is caught here: the panic hook is called, and under `panic = "abort"` the process ends.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::bind_with(address, EndpointSettings::default())
    }

    /// As [`bind`](Self::bind), with settings of the port itself.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](Self::bind).
    pub fn bind_with(address: impl ToSocketAddrs, settings: EndpointSettings) -> io::Result<Self> {
        let runtime = runtime()?;
        let mut refused =
            io::Error::new(io::ErrorKind::InvalidInput, "there is no address to bind");
        for address in address.to_socket_addrs().map_err(unread)? {
            let at_once = settings.readers.unwrap_or(1);
            let sockets = sockets(address, at_once).map_err(|error| ("UDP", error));
            let with_streams = |sockets| {
                let endpoint = Self::with_streams(runtime.clone(), sockets, &settings);
                endpoint.map_err(|error| ("TCP", error))
            };
            match sockets.and_then(with_streams) {
                Ok(endpoint) => return Ok(endpoint),
                Err((protocol, error)) => {
                    let words = explain(protocol, address, &error);
                    refused = io::Error::new(error.kind(), words);
                }
            }
        }
        Err(refused)
    }

    /// An endpoint on sockets of another kind than the kernel's.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime.
    pub fn with_sockets(sockets: Vec<Arc<dyn Socket>>) -> io::Result<Self> {
        Ok(Self::over(Port::open(runtime()?, sockets, false), None))
    }

    fn with_streams(
        runtime: Handle,
        sockets: Vec<Arc<dyn Socket>>,
        settings: &EndpointSettings,
    ) -> io::Result<Self> {
        let mut port = Port::open(runtime.clone(), sockets, true);
        if settings.readers.is_none() && cfg!(target_os = "linux") {
            port.more_readers(default_readers() - 1);
        }
        if settings.tcp {
            port.listen()?;
        }
        Ok(Self::over(port, Some(LocalNames::new(runtime))))
    }

    fn over(port: Port, names: Option<LocalNames>) -> Self {
        Self {
            names,
            port: Arc::new(port),
            settings: Settings::default(),
            interfaces: None,
        }
    }

    /// Settings of the connections that are made with this handle.
    #[must_use = "it is another handle of the port"]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The addresses to gather instead of those of this machine, for a network that is not the system's.
    #[must_use = "it is another handle of the port"]
    pub fn with_interfaces(mut self, interfaces: Vec<Interface>) -> Self {
        self.interfaces = Some(interfaces);
        self
    }

    /// The address that the (first) socket is bound to.
    ///
    /// # Errors
    ///
    /// When the endpoint was made of no socket.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        let first = self.port.addresses().next();
        first.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Requests that name a fragment which none of its connections has, from now on. A server that knows of a connection only when its
    /// peer checks makes it then: with [`Settings::ice_credentials`] and a description of the peer that it makes or looks up. The
    /// request waits for the connection, whose peer so loses no time, for 5 s; 64 wait at a time, 8 of one address. Only
    /// datagrams are told of. Off until it is asked for: else such a request is dropped before anything is kept of it.
    ///
    /// ```no_run
    /// # use oxirtc_peerconnection::{Configuration, Endpoint, SessionDescription, engine::Settings};
    /// # async fn example(look_up: fn(&str) -> Option<(String, SessionDescription)>) -> Result<(), Box<dyn std::error::Error>> {
    /// let endpoint = Endpoint::bind("0.0.0.0:5000")?;
    /// let mut incoming = endpoint.incoming();
    /// while let Some(request) = incoming.next().await {
    ///     let Some((password, offer)) = look_up(&request.username_fragment) else { continue };
    ///     let settings = Settings::default().ice_credentials(&request.username_fragment, &password);
    ///     let connection = endpoint.clone().with_settings(settings).peer_connection(Configuration::default())?;
    ///     connection.set_remote_description(offer).await?;
    ///     connection.set_local_description(None).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn incoming(&self) -> Incoming {
        self.port.incoming()
    }

    /// How many datagrams came that were for none of its connections. At trace level the log tells of each.
    pub fn dropped(&self) -> u64 {
        self.port.dropped()
    }

    /// A connection on this port. It may be made outside of a runtime: the port's serves it.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration (W3C §4.4.1.1); `Operation` when the interfaces cannot be listed; `InvalidState` when the
    /// port's runtime has no time, of which tokio tells as [`bind`](Self::bind) says.
    pub fn peer_connection(&self, configuration: Configuration) -> Result<PeerConnection, Error> {
        let networks = self.networks()?;
        let mut settings = self.settings.clone();
        if self.port.addresses().any(|it| it.ip().is_loopback()) {
            settings = settings.loopback(true);
        }
        if self.port.takes_streams() {
            settings = settings.ice_tcp(true);
        }
        let share = Share::new(self.port.clone());
        let ways = Ways::on(share, self.names.clone(), Ports::of(&settings));
        connection::open(configuration, settings, self.port.runtime(), ways, networks)
    }

    /// What a connection of this port gathers.
    fn networks(&self) -> Result<Networks, Error> {
        if let Some(interfaces) = &self.interfaces {
            return Ok(Networks::fixed(interfaces.clone()));
        }
        let bound: Vec<IpAddr> = self.port.addresses().map(|it| it.ip()).collect();
        let select = move |mut found: Vec<Interface>| {
            found.retain(|it| bound.iter().any(|bound| covers(*bound, it.address)));
            // All of 127.0.0.0/8 can be bound, and one of it is listed.
            for bound in bound.iter().filter(|it| !it.is_unspecified()) {
                if found.iter().all(|it| it.address != *bound) {
                    found.push(unlisted(*bound));
                }
            }
            found
        };
        Networks::of_machine(select)
    }
}

fn unlisted(address: IpAddr) -> Interface {
    Interface {
        name: String::new(),
        index: 0,
        address,
        default_route: false,
        cost: 0,
    }
}

/// For the port of many.
fn default_readers() -> usize {
    // Asked once: the system reads files to answer.
    static PROCESSORS: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));
    READERS.min(*PROCESSORS)
}

fn runtime() -> io::Result<Handle> {
    Handle::try_current().map_err(|_| io::Error::other("an endpoint needs a tokio runtime"))
}

fn sockets(address: SocketAddr, readers: usize) -> io::Result<Vec<Arc<dyn Socket>>> {
    let mut sockets = UdpSocket::bind_group(address, SOCKET_BUFFER, readers)?;
    let bound = sockets.first().map(|first| first.local_address());
    if let Some(bound) = bound
        && address.is_ipv6()
        && address.ip().is_unspecified()
    {
        let second = (IpAddr::from([0, 0, 0, 0]), bound.port()).into();
        sockets.extend(UdpSocket::bind_group(second, SOCKET_BUFFER, readers)?);
    }
    Ok(sockets)
}

/// What is no address.
fn unread(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::InvalidInput {
        return error;
    }
    let words = format!("{error}: name a host and a port, such as 0.0.0.0:5000");
    io::Error::new(error.kind(), words)
}

fn explain(protocol: &str, address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "{protocol} {address} is taken: choose another port, or end the program that has it"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{address} is not an address of this machine: bind one that is, or 0.0.0.0")
        }
        io::ErrorKind::PermissionDenied => {
            format!("{protocol} {address} is not permitted: choose a port above 1023")
        }
        _ => format!("{protocol} {address} cannot be bound: {error}"),
    }
}

/// Tasks that read from a port at most, unless it is said how many.
const READERS: usize = 8;
const MAX_READERS: usize = 64;

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, UdpSocket},
        time::Duration,
    };

    use super::*;

    /// From each of many addresses, of which a socket that nobody reads from would have its share.
    async fn all_is_read(endpoint: &Endpoint) {
        let (before, to) = (endpoint.dropped(), endpoint.local_address().unwrap());
        for _ in 0..STRANGERS {
            let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            stranger.send_to(&[0xff; 20], to).unwrap();
        }
        let read = async {
            while endpoint.dropped() < before + STRANGERS {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(10), read).await;
        assert!(in_time.is_ok(), "{}", endpoint.dropped() - before);
    }

    #[tokio::test]
    async fn readers_join_with_the_second_connection() {
        let linux = cfg!(target_os = "linux");
        let all = if linux { default_readers() } else { 1 };
        let local = (Ipv4Addr::LOCALHOST, 0);
        let endpoint = Endpoint::bind(local).unwrap();
        let first = endpoint.peer_connection(Configuration::default());
        assert_eq!(endpoint.port.readers(), 1);
        all_is_read(&endpoint).await;
        let second = endpoint.peer_connection(Configuration::default());
        assert_eq!(endpoint.port.readers(), all);
        all_is_read(&endpoint).await;
        let third = endpoint.peer_connection(Configuration::default());
        assert_eq!(endpoint.port.readers(), all);
        drop((first, second, third));

        let endpoint = Endpoint::bind(local).unwrap();
        let _incoming = endpoint.incoming();
        assert_eq!(endpoint.port.readers(), all);

        let settings = EndpointSettings::default().readers(3);
        let endpoint = Endpoint::bind_with(local, settings).unwrap();
        let pair = [(); 2].map(|()| endpoint.peer_connection(Configuration::default()));
        assert_eq!(endpoint.port.readers(), if linux { 3 } else { 1 });
        drop(pair);
    }

    const STRANGERS: u64 = 64;
}
