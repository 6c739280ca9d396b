//! The driver over `vnet`: routers and NATs without a kernel.

use std::{
    collections::VecDeque,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Endpoint, IceServer, Message, PeerConnection,
    driver::{Batch, Outgoing, Received, Socket},
    engine::Interface,
};
use tokio::{sync::mpsc, time::timeout};
use webrtc_util::{
    conn::Conn,
    vnet::{
        nat::{EndpointDependencyType, NatType},
        net::{Net, NetConfig},
        router::{Nic, Router, RouterConfig},
    },
};

use crate::{
    pair::{Pair, within},
    server::{Out, Server},
};

type VirtualNet = Arc<tokio::sync::Mutex<Router>>;

/// A `vnet` socket behind the driver's trait: two tasks, as `vnet` can only be awaited.
struct VirtualSocket {
    address: SocketAddr,
    arrived: Arc<Mutex<Arrived>>,
    leaving: mpsc::UnboundedSender<(Vec<u8>, SocketAddr)>,
}

#[derive(Default)]
struct Arrived {
    datagrams: VecDeque<(Vec<u8>, SocketAddr)>,
    waker: Option<Waker>,
}

impl VirtualSocket {
    async fn bind(net: &Net, address: SocketAddr) -> Arc<dyn Socket> {
        let conn = net.bind(address).await.unwrap();
        let address = conn.local_addr().unwrap();
        let arrived = Arc::<Mutex<Arrived>>::default();
        let (leaving, queue) = mpsc::unbounded_channel();
        tokio::spawn(receive(conn.clone(), arrived.clone()));
        tokio::spawn(send(conn, queue));
        Arc::new(Self {
            address,
            arrived,
            leaving,
        })
    }
}

async fn receive(conn: Arc<dyn Conn + Send + Sync>, arrived: Arc<Mutex<Arrived>>) {
    let mut buffer = [0; 2000];
    while let Ok((length, source)) = conn.recv_from(&mut buffer).await {
        let mut arrived = arrived.lock().unwrap();
        arrived
            .datagrams
            .push_back((buffer[..length].to_vec(), source));
        arrived.waker.take().into_iter().for_each(Waker::wake);
    }
}

async fn send(
    conn: Arc<dyn Conn + Send + Sync>,
    mut queue: mpsc::UnboundedReceiver<(Vec<u8>, SocketAddr)>,
) {
    while let Some((datagram, destination)) = queue.recv().await {
        conn.send_to(&datagram, destination).await.unwrap();
    }
}

impl Socket for VirtualSocket {
    fn local_address(&self) -> SocketAddr {
        self.address
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut arrived = self.arrived.lock().unwrap();
        if arrived.datagrams.is_empty() {
            arrived.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn try_receive(&self, batch: &mut Batch) -> io::Result<usize> {
        let next = self.arrived.lock().unwrap().datagrams.pop_front();
        let (datagram, source) = next.ok_or(io::ErrorKind::WouldBlock)?;
        let length = datagram.len();
        let received = Received {
            source,
            destination: None,
            length,
            segment: length.max(1),
            ecn: 0,
        };
        batch.fill(received, &datagram);
        Ok(1)
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn try_send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        let datagram = outgoing.contents.to_vec();
        let sent = self.leaving.send((datagram, outgoing.destination));
        sent.map_err(|_| io::ErrorKind::NotConnected.into())
    }

    fn max_segments(&self) -> usize {
        1
    }
}

impl fmt::Debug for VirtualSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VirtualSocket({})", self.address)
    }
}

async fn router(cidr: &str, address: Option<&str>, nat: Option<NatType>) -> VirtualNet {
    let config = RouterConfig {
        cidr: cidr.to_owned(),
        static_ips: address.map(str::to_owned).into_iter().collect(),
        nat_type: nat,
        min_delay: Duration::from_millis(5),
        ..RouterConfig::default()
    };
    Arc::new(tokio::sync::Mutex::new(Router::new(config).unwrap()))
}

/// A host on a router.
async fn host(router: &VirtualNet, address: &str) -> Net {
    let config = NetConfig {
        static_ips: vec![address.to_owned()],
        ..NetConfig::default()
    };
    let net = Net::new(Some(config));
    let nic = net.get_nic().unwrap();
    router.lock().await.add_net(nic.clone()).await.unwrap();
    nic.lock().await.set_router(router.clone()).await.unwrap();
    net
}

async fn connection(net: &Net, address: &str, servers: &[IceServer]) -> PeerConnection {
    let address: IpAddr = address.parse().unwrap();
    let socket = VirtualSocket::bind(net, SocketAddr::new(address, 5000)).await;
    let interface = Interface {
        name: "eth0".into(),
        index: 1,
        address,
        default_route: true,
        cost: 0,
    };
    let endpoint = Endpoint::with_sockets(vec![socket]).unwrap();
    let endpoint = endpoint.with_interfaces(vec![interface]);
    let configuration = Configuration {
        ice_servers: servers.to_vec(),
        ..Configuration::default()
    };
    endpoint.peer_connection(configuration).unwrap()
}

/// Tells who asks where he is seen.
async fn stun(net: Net) {
    let conn = net.bind(STUN.parse().unwrap()).await.unwrap();
    let (mut server, mut buffer) = (Server::new(), [0; 2000]);
    while let Ok((length, source)) = conn.recv_from(&mut buffer).await {
        #[expect(
            clippy::disallowed_methods,
            reason = "this server runs on the system's clock"
        )]
        let answers = server.handle(Instant::now(), source, &buffer[..length]);
        for answer in answers {
            if let Out::Client(bytes) = answer {
                conn.send_to(&bytes, source).await.unwrap();
            }
        }
    }
}

async fn echo(pair: &Pair) {
    pair.near_channel.send("ping").await.unwrap();
    assert_eq!(
        within(pair.far_channel.recv()).await,
        Some(Message::from("ping"))
    );
    pair.far_channel.send("pong").await.unwrap();
    assert_eq!(
        within(pair.near_channel.recv()).await,
        Some(Message::from("pong"))
    );
}

#[tokio::test]
async fn connects_across_a_router() {
    let wan = router("198.51.100.0/24", None, None).await;
    let near = host(&wan, "198.51.100.1").await;
    let far = host(&wan, "198.51.100.2").await;
    wan.lock().await.start().await.unwrap();
    let (near, far) = (
        connection(&near, "198.51.100.1", &[]).await,
        connection(&far, "198.51.100.2", &[]).await,
    );
    echo(&Pair::connect(near, far, DataChannelInit::default()).await).await;
}

/// The peer's candidate is of no use from outside its NAT: it arrives as peer-reflexive.
#[tokio::test]
async fn a_peer_behind_a_nat_arrives_as_peer_reflexive() {
    let wan = router("198.51.100.0/24", None, None).await;
    let lan = router(
        "192.168.7.0/24",
        Some("198.51.100.9"),
        Some(NatType::default()),
    )
    .await;
    let near = host(&wan, "198.51.100.1").await;
    let far = host(&lan, "192.168.7.2").await;
    wan.lock().await.add_router(lan.clone()).await.unwrap();
    lan.lock().await.set_router(wan.clone()).await.unwrap();
    wan.lock().await.start().await.unwrap();
    let (near, far) = (
        connection(&near, "198.51.100.1", &[]).await,
        connection(&far, "192.168.7.2", &[]).await,
    );
    echo(&Pair::connect(near, far, DataChannelInit::default()).await).await;
}

/// What stands before a host.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Open,
    FullCone,
    Restricted,
    PortRestricted,
    Symmetric,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Open,
        Self::FullCone,
        Self::Restricted,
        Self::PortRestricted,
        Self::Symmetric,
    ];

    fn nat(self) -> Option<NatType> {
        use EndpointDependencyType::{
            EndpointAddrDependent, EndpointAddrPortDependent, EndpointIndependent,
        };
        let (mapping_behavior, filtering_behavior) = match self {
            Self::Open => return None,
            Self::FullCone => (EndpointIndependent, EndpointIndependent),
            Self::Restricted => (EndpointIndependent, EndpointAddrDependent),
            Self::PortRestricted => (EndpointIndependent, EndpointAddrPortDependent),
            Self::Symmetric => (EndpointAddrPortDependent, EndpointAddrPortDependent),
        };
        Some(NatType {
            mapping_behavior,
            filtering_behavior,
            ..NatType::default()
        })
    }

    /// A host behind it, which is the first or the second.
    async fn host(self, wan: &VirtualNet, number: u8) -> (Net, String) {
        let outside = format!("198.51.100.{number}");
        let Some(nat) = self.nat() else {
            return (host(wan, &outside).await, outside);
        };
        let cidr = format!("192.168.{number}.0/24");
        let lan = router(&cidr, Some(&outside), Some(nat)).await;
        let inside = format!("192.168.{number}.2");
        let net = host(&lan, &inside).await;
        wan.lock().await.add_router(lan.clone()).await.unwrap();
        lan.lock().await.set_router(wan.clone()).await.unwrap();
        (net, inside)
    }
}

/// Whether two connections behind these find each other.
async fn connects(kinds: [Kind; 2]) -> bool {
    let wan = router("198.51.100.0/24", None, None).await;
    let (near, near_address) = kinds[0].host(&wan, 1).await;
    let (far, far_address) = kinds[1].host(&wan, 2).await;
    let server = host(&wan, "198.51.100.3").await;
    wan.lock().await.start().await.unwrap();
    tokio::spawn(stun(server));
    let servers = [IceServer {
        urls: vec![format!("stun:{STUN}")],
        ..IceServer::default()
    }];
    let (near, far) = (
        connection(&near, &near_address, &servers).await,
        connection(&far, &far_address, &servers).await,
    );
    let connecting = Pair::connect(near, far, DataChannelInit::default());
    let Ok(pair) = timeout(PATIENCE, connecting).await else {
        return false;
    };
    echo(&pair).await;
    true
}

/// RFC 4787 §4, §5: a port that depends on who is asked and a door that only opens for a port that was asked do not come together;
/// whatever else there is does. `vnet` has no hairpinning and no TCP, and a relay has a socket of the system: that is for the laboratory.
#[tokio::test(flavor = "multi_thread")]
async fn each_pair_of_nats_connects_by_what_is_possible() {
    let of = |left| Kind::ALL.map(|right| [left, right]);
    let cases = Kind::ALL.into_iter().flat_map(of);
    let cases = cases.map(async |kinds| (kinds, connects(kinds).await));
    for (kinds, connected) in join_all(cases).await {
        let [symmetric, filtered] = [Kind::Symmetric, Kind::PortRestricted]
            .map(|kind| kinds.iter().filter(|it| **it == kind).count());
        let expected = symmetric == 0 || symmetric + filtered < 2;
        assert_eq!(connected, expected, "{kinds:?}");
    }
}

const STUN: &str = "198.51.100.3:3478";
/// Who has not come together until then does not: the second check through two NATs follows the first within a second.
const PATIENCE: Duration = Duration::from_secs(8);
