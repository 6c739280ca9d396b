//! Sockets without a kernel, behind a NAT that a test turns.

use std::{
    collections::{HashMap, VecDeque},
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use oxirtc_peerconnection::{
    Configuration, Endpoint, PeerConnection,
    driver::{Batch, Outgoing, Received, Socket},
    engine::{Interface, Settings},
};

/// What carries datagrams from socket to socket.
#[derive(Clone, Default)]
pub(crate) struct Exchange(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    sockets: HashMap<SocketAddr, Arrived>,
    /// What those behind the NAT look like from outside.
    mapped: HashMap<SocketAddr, SocketAddr>,
}

#[derive(Default)]
struct Arrived {
    datagrams: VecDeque<(Vec<u8>, SocketAddr)>,
    waker: Option<Waker>,
}

struct ExchangeSocket {
    exchange: Exchange,
    address: SocketAddr,
}

impl Exchange {
    /// An endpoint at this address.
    pub(crate) fn endpoint(&self, address: SocketAddr) -> Endpoint {
        self.0
            .lock()
            .unwrap()
            .sockets
            .insert(address, Arrived::default());
        let socket = Arc::new(ExchangeSocket {
            exchange: self.clone(),
            address,
        });
        let interface = Interface {
            name: "eth0".into(),
            index: 1,
            address: address.ip(),
            default_route: true,
            cost: 0,
        };
        let endpoint = Endpoint::with_sockets(vec![socket]).unwrap();
        endpoint
            .with_interfaces(vec![interface])
            .with_settings(Settings::default())
    }

    pub(crate) fn connection(&self, address: SocketAddr) -> PeerConnection {
        let endpoint = self.endpoint(address);
        endpoint.peer_connection(Configuration::default()).unwrap()
    }

    /// From now on this public address is that of this socket, and who had it reaches nobody.
    pub(crate) fn map(&self, public: SocketAddr, private: SocketAddr) {
        let mut inner = self.0.lock().unwrap();
        inner.mapped.insert(public, private);
    }

    fn carry(&self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        let mut inner = self.0.lock().unwrap();
        let mut mapped = inner.mapped.iter();
        let public = mapped.find(|(_, private)| **private == from);
        let source = match public {
            Some((public, _)) => *public,
            // Who is behind the NAT and has no address there.
            None if is_private(from) => return,
            None => from,
        };
        let target = inner.mapped.get(&to).copied().unwrap_or(to);
        let reached = target != to || !is_private(to);
        if let Some(arrived) = inner.sockets.get_mut(&target).filter(|_| reached) {
            arrived.datagrams.push_back((datagram.to_vec(), source));
            arrived.waker.take().into_iter().for_each(Waker::wake);
        }
    }
}

fn is_private(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V4(it) if it.ip().is_private())
}

impl Socket for ExchangeSocket {
    fn local_address(&self) -> SocketAddr {
        self.address
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.exchange.0.lock().unwrap();
        let arrived = inner.sockets.entry(self.address).or_default();
        if arrived.datagrams.is_empty() {
            arrived.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn try_receive(&self, batch: &mut Batch) -> io::Result<usize> {
        let mut inner = self.exchange.0.lock().unwrap();
        let arrived = inner.sockets.entry(self.address).or_default();
        let (datagram, source) = arrived
            .datagrams
            .pop_front()
            .ok_or(io::ErrorKind::WouldBlock)?;
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
        for datagram in outgoing.contents.chunks(outgoing.segment.max(1)) {
            self.exchange
                .carry(self.address, outgoing.destination, datagram);
        }
        Ok(())
    }

    fn max_segments(&self) -> usize {
        1
    }
}

impl fmt::Debug for ExchangeSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExchangeSocket({})", self.address)
    }
}
