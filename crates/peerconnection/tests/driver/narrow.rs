//! A link that carries less than others, as the system says.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Endpoint, Message, PeerConnection,
    driver::{self, Batch, Outgoing, Socket},
    engine::{Interface, Settings},
};

use crate::pair::{Pair, within};

/// A socket on a link of so few bytes; it notes how long datagrams are.
struct Narrow {
    inner: Arc<dyn Socket>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    refused: Vec<usize>,
    longest: usize,
    /// What is too long finds no room first, each time.
    full: bool,
    blocked: usize,
}

impl Socket for Narrow {
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
        let length = outgoing.contents.len();
        let mut seen = self.seen.lock().unwrap();
        if length > CARRIED {
            if seen.full && seen.blocked <= seen.refused.len() {
                seen.blocked += 1;
                return Err(io::ErrorKind::WouldBlock.into());
            }
            seen.refused.push(length);
            return Err(io::Error::from_raw_os_error(EMSGSIZE));
        }
        seen.longest = seen.longest.max(length);
        self.inner.try_send(outgoing)
    }

    fn max_segments(&self) -> usize {
        1
    }
}

impl fmt::Debug for Narrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Narrow({:?})", self.inner)
    }
}

/// A probe that the system refuses is lost at once: none is sent twice, and what the link carries is found in the first moments.
#[tokio::test]
async fn what_the_system_refuses_is_known_at_once() {
    refuses(Seen::default()).await;
}

/// Also what has waited for room in the socket.
#[tokio::test]
async fn what_waited_is_refused_all_the_same() {
    let seen = Seen {
        full: true,
        ..Seen::default()
    };
    refuses(seen).await;
}

async fn refuses(seen: Seen) {
    let seen = Arc::new(Mutex::new(seen));
    let inner = driver::UdpSocket::bind("127.0.0.1:0".parse().unwrap(), 100_000).unwrap();
    let interface = Interface {
        name: "lo".into(),
        index: 1,
        address: inner.local_address().ip(),
        default_route: true,
        cost: 0,
    };
    let socket = Arc::new(Narrow {
        inner,
        seen: seen.clone(),
    });
    let endpoint = Endpoint::with_sockets(vec![socket]).unwrap();
    let endpoint = endpoint.with_interfaces(vec![interface]);
    let far = endpoint.peer_connection(Configuration::default()).unwrap();
    let settings = Settings::default().loopback(true);
    let near = PeerConnection::with_settings(Configuration::default(), settings).unwrap();
    let pair = Pair::connect(near, far, DataChannelInit::default()).await;
    for _ in 0..20 {
        let message = Message::from(vec![1; 200_000]);
        within(pair.far_channel.send(message.clone()))
            .await
            .unwrap();
        assert_eq!(within(pair.near_channel.recv()).await, Some(message));
    }
    let seen = seen.lock().unwrap();
    let mut once = seen.refused.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), seen.refused.len(), "{seen:?}");
    assert!(!once.is_empty() && seen.longest > CARRIED - 20, "{seen:?}");
    assert_eq!(seen.blocked, if seen.full { once.len() } else { 0 });
}

const CARRIED: usize = 1300;
const EMSGSIZE: i32 = if cfg!(target_os = "linux") { 90 } else { 40 };
