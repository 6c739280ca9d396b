//! A system that says at once that there is no way from an address.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Endpoint, Message, PeerConnection,
    driver::{self, Batch, Outgoing, Socket},
    engine::{Interface, Settings},
};
use tokio::time::timeout;

use crate::pair::{Pair, within};

/// A socket whose address may have no way any more.
struct Cut {
    inner: Arc<dyn Socket>,
    cut: Arc<Mutex<Option<IpAddr>>>,
}

impl Socket for Cut {
    fn local_address(&self) -> SocketAddr {
        self.inner.local_address()
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_readable(context)
    }

    fn try_receive(&self, batch: &mut Batch) -> io::Result<usize> {
        self.inner.try_receive(batch)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_writable(context)
    }

    fn try_send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        if *self.cut.lock().unwrap() == Some(self.local_address().ip()) {
            return Err(io::ErrorKind::NetworkUnreachable.into());
        }
        self.inner.try_send(outgoing)
    }

    fn max_segments(&self) -> usize {
        1
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cut({:?})", self.inner)
    }
}

/// Payload leaves a pair at once that the system cannot reach: without its word the silence is noticed after 0.75 s, and believed
/// half a second later.
#[tokio::test]
async fn what_the_system_cannot_reach_is_left_at_once() {
    let cut = Arc::<Mutex<Option<IpAddr>>>::default();
    let addresses = ["127.0.0.1", "127.0.0.2"].map(|it| it.parse::<IpAddr>().unwrap());
    let sockets = addresses.map(|address| -> Arc<dyn Socket> {
        let inner = driver::UdpSocket::bind((address, 0).into(), 100_000).unwrap();
        let cut = cut.clone();
        Arc::new(Cut { inner, cut })
    });
    let interfaces = addresses.map(|address| Interface {
        name: "lo".into(),
        index: 1,
        address,
        default_route: true,
        cost: 0,
    });
    let endpoint = Endpoint::with_sockets(sockets.into()).unwrap();
    let endpoint = endpoint.with_interfaces(interfaces.into());
    let far = endpoint.peer_connection(Configuration::default()).unwrap();
    let settings = Settings::default().loopback(true);
    let near = PeerConnection::with_settings(Configuration::default(), settings).unwrap();
    let pair = Pair::connect(near, far, DataChannelInit::default()).await;
    let transport = pair
        .far
        .sctp()
        .unwrap()
        .transport()
        .unwrap()
        .ice_transport();
    // Both ways are known, and one is nominated.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let in_use = transport.selected_candidate_pair().unwrap().local;
    *cut.lock().unwrap() = Some(in_use.address().unwrap().parse().unwrap());
    pair.far_channel.send("word").await.unwrap();
    let came = timeout(Duration::from_secs(1), pair.near_channel.recv()).await;
    assert_eq!(came.unwrap(), Some(Message::from("word")));
    // And there it stays.
    pair.far_channel.send("more").await.unwrap();
    assert_eq!(
        within(pair.near_channel.recv()).await,
        Some(Message::from("more"))
    );
}
