//! UDP sockets that receive and send in batches.

use std::{
    cell::RefCell,
    fmt,
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use quinn_udp::{BATCH_SIZE, EcnCodepoint, RecvMeta, UdpSockRef, UdpSocketState};
use tokio::io::Interest;

#[cfg(target_os = "linux")]
use super::marked;
use super::{crowd::Crowd, outgoing::Outgoing, runtime::register};

/// A datagram socket. The kernel's is [`UdpSocket`]; a virtual network may bring its own.
pub trait Socket: fmt::Debug + Send + Sync + 'static {
    /// The address that the socket is bound to.
    fn local_address(&self) -> SocketAddr;

    /// Ready when [`try_receive`](Socket::try_receive) is worth calling.
    ///
    /// # Errors
    ///
    /// Nothing will come any more: the connections of the port are closed, and whatever waits for them ends.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Receives one batch without waiting and returns how many of its [`Batch::received`] are filled.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing has come.
    fn try_receive(&self, batch: &mut Batch) -> io::Result<usize>;

    /// Ready when [`try_send`](Socket::try_send) is worth calling. All connections of a port may wait for it at once, and each is woken.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Sends a batch of equal segments, the last of which may be shorter, without waiting. The network is to leave each of them whole
    /// (DF), as the socket of the system asks for: longer ones are tried to learn what the path carries (RFC 8899).
    ///
    /// # Errors
    ///
    /// `WouldBlock` when the send buffer is full; `EMSGSIZE` when a segment is longer than the link carries, which only says that it
    /// was; any other error of the system.
    fn try_send(&self, outgoing: &Outgoing<'_>) -> io::Result<()>;

    /// How many segments one [`try_send`](Socket::try_send) may carry.
    fn max_segments(&self) -> usize;
}

/// One buffer of a received batch: datagrams of one sender, one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// Where from.
    pub source: SocketAddr,
    /// The address that it was sent to, where the system tells.
    pub destination: Option<IpAddr>,
    /// Bytes in the buffer.
    pub length: usize,
    /// Bytes of each datagram; the last may be shorter.
    pub segment: usize,
    /// The two bits of Explicit Congestion Notification.
    pub ecn: u8,
}

/// Buffers to receive into. One per thread serves all sockets, as nothing stays in it across an `await`.
pub struct Batch {
    buffers: Vec<u8>,
    received: Vec<Received>,
    meta: Vec<RecvMeta>,
}

/// The kernel's UDP socket, with GRO and GSO where the system has them.
pub struct UdpSocket {
    io: tokio::net::UdpSocket,
    state: UdpSocketState,
    /// Who waits until it has room.
    crowd: Arc<Crowd>,
    /// The system was seen to refuse to segment what is marked.
    whole: AtomicBool,
    address: SocketAddr,
}

/// Whether a socket has its port alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    None,
    /// It is bound alone, and others join it then.
    First,
    Next,
}

impl UdpSocket {
    /// Binds a socket and asks for buffers of the given size; the system may grant less, which is logged.
    ///
    /// # Errors
    ///
    /// Those of the system: address taken, not available, not permitted. An error as well outside of a tokio runtime that has I/O
    /// enabled, of which tokio tells as [`Endpoint::bind`](crate::Endpoint::bind) says.
    pub fn bind(address: SocketAddr, buffer: usize) -> io::Result<Arc<dyn Socket>> {
        Self::bind_one(address, buffer, Sharing::None)
    }

    /// Binds so many sockets to one port, each to be read by a task of its own: the system gives each of them a share of the
    /// senders, and a sender always to the same one. Where it has no such thing there is one socket.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](Self::bind): a port that another program has is not shared with it.
    pub fn bind_group(
        address: SocketAddr,
        buffer: usize,
        count: usize,
    ) -> io::Result<Vec<Arc<dyn Socket>>> {
        // The first one is bound alone, so that it is refused what another one has.
        let first = Self::bind_one(address, buffer, Sharing::First)?;
        let bound = first.local_address();
        let count = if cfg!(target_os = "linux") { count } else { 1 };
        let next = (1..count).map(|_| Self::bind_one(bound, buffer, Sharing::Next));
        std::iter::once(Ok(first)).chain(next).collect()
    }

    /// One more socket at an address at which a [group](Self::bind_group) is bound.
    pub(super) fn join(address: SocketAddr, buffer: usize) -> io::Result<Arc<dyn Socket>> {
        Self::bind_one(address, buffer, Sharing::Next)
    }

    fn bind_one(
        address: SocketAddr,
        buffer: usize,
        sharing: Sharing,
    ) -> io::Result<Arc<dyn Socket>> {
        let domain = socket2::Domain::for_address(address);
        let socket =
            socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
        if address.is_ipv6() {
            // IPv4 has sockets of its own: no mapped addresses.
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(buffer)?;
        socket.set_send_buffer_size(buffer)?;
        #[cfg(target_os = "linux")]
        if sharing == Sharing::Next {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&address.into())?;
        #[cfg(target_os = "linux")]
        if sharing == Sharing::First {
            socket.set_reuse_port(true)?;
        }
        let granted = socket.recv_buffer_size()?;
        if granted < buffer {
            log::debug!("the system grants {granted} of {buffer} bytes of receive buffer");
        }
        #[cfg(target_os = "linux")]
        keep_gro();
        let io = register(socket)?;
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        let address = io.local_addr()?;
        Ok(Arc::new(Self {
            io,
            state,
            crowd: Arc::default(),
            whole: AtomicBool::new(false),
            address,
        }))
    }

    #[cfg(target_os = "linux")]
    fn send_marked(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        let send = || marked::send(&self.io, outgoing);
        let sent = self.io.try_io(Interest::WRITABLE, send);
        let refused = sent.as_ref().is_err_and(marked::cannot_segment);
        if refused && outgoing.contents.len() > outgoing.segment {
            self.whole.store(true, Ordering::Relaxed);
        }
        sent
    }
}

impl Socket for UdpSocket {
    fn local_address(&self) -> SocketAddr {
        self.address
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_recv_ready(context)
    }

    fn try_receive(&self, batch: &mut Batch) -> io::Result<usize> {
        let Batch {
            buffers,
            received,
            meta,
        } = batch;
        let mut slices = buffers.chunks_mut(BUFFER).map(IoSliceMut::new);
        let mut slices: [IoSliceMut<'_>; BUFFERS] =
            std::array::from_fn(|_| slices.next().unwrap_or(IoSliceMut::new(&mut [])));
        let mut count = 0;
        let emptied = self.io.try_io(Interest::READABLE, || {
            let socket = UdpSockRef::from(&self.io);
            count = self.state.recv(socket, &mut slices, meta)?;
            let bytes: usize = meta.iter().take(count).map(|it| it.len).sum();
            // Room that is left says as well as another call that there was no more, and what comes from here on is told anew. In bulk
            // more has come while this much is handed on, which that call brings sooner than being told.
            match count < BUFFERS && bytes < BULK {
                true => Err(io::ErrorKind::WouldBlock.into()),
                false => Ok(()),
            }
        });
        if count == 0 {
            emptied?;
        }
        received.clear();
        received.extend(meta.iter().take(count).map(Received::from));
        Ok(count)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.crowd
            .poll(context.waker(), |context| self.io.poll_send_ready(context))
    }

    fn try_send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if outgoing.dscp != 0 {
            return self.send_marked(outgoing);
        }
        let transmit = quinn_udp::Transmit {
            destination: outgoing.destination,
            ecn: EcnCodepoint::from_bits(outgoing.ecn),
            contents: outgoing.contents,
            segment_size: (outgoing.contents.len() > outgoing.segment).then_some(outgoing.segment),
            src_ip: outgoing.source,
        };
        self.io.try_io(Interest::WRITABLE, || {
            self.state.try_send(UdpSockRef::from(&self.io), &transmit)
        })
    }

    fn max_segments(&self) -> usize {
        match self.whole.load(Ordering::Relaxed) {
            true => 1,
            false => self.state.max_gso_segments(),
        }
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UdpSocket({})", self.address)
    }
}

impl Batch {
    fn new() -> Self {
        Self {
            buffers: vec![0; BUFFER * BUFFERS],
            received: Vec::with_capacity(BUFFERS),
            meta: vec![RecvMeta::default(); BUFFERS],
        }
    }

    /// Fills the batch by hand: one buffer, of as many bytes as there are, whose `segment` of 0 stands for one datagram. For sockets
    /// that are not the kernel's.
    pub fn fill(&mut self, mut received: Received, bytes: &[u8]) {
        self.received.clear();
        if let Some(buffer) = self.buffers.get_mut(..bytes.len()) {
            buffer.copy_from_slice(bytes);
            received.length = bytes.len();
            if received.segment == 0 {
                received.segment = received.length.max(1);
            }
            self.received.push(received);
        }
    }

    /// What was received, with the bytes of each.
    pub fn received(&mut self) -> impl Iterator<Item = (Received, &mut [u8])> {
        let buffers = self.buffers.chunks_mut(BUFFER);
        let filled = self.received.iter().zip(buffers);
        filled
            .filter_map(|(received, buffer)| Some((*received, buffer.get_mut(..received.length)?)))
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.received).finish()
    }
}

impl From<&RecvMeta> for Received {
    fn from(meta: &RecvMeta) -> Self {
        Self {
            source: meta.addr,
            destination: meta.dst_ip,
            length: meta.len,
            // An empty datagram has a stride of zero.
            segment: meta.stride.max(1),
            ecn: meta.ecn.map_or(0, |ecn| ecn as u8),
        }
    }
}

/// Keeps one socket with GRO as long as the process lives. The kernel rewrites its own code, on all processors, when the first such
/// socket of the machine comes and when the last one goes: a connection that comes and goes alone would have it do so twice.
#[cfg(target_os = "linux")]
fn keep_gro() {
    static KEPT: std::sync::OnceLock<Option<socket2::Socket>> = std::sync::OnceLock::new();
    KEPT.get_or_init(|| {
        let udp = Some(socket2::Protocol::UDP);
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, udp).ok()?;
        // It asks for it, as for each socket.
        UdpSocketState::new(UdpSockRef::from(&socket)).ok()?;
        Some(socket)
    });
}

/// Lends this thread's batch. Not across an `await`, so no two tasks meet in it.
pub(super) fn with_batch<R>(body: impl FnOnce(&mut Batch) -> R) -> R {
    thread_local! {
        static BATCH: RefCell<Batch> = RefCell::new(Batch::new());
    }
    BATCH.with_borrow_mut(body)
}

/// Bytes of one buffer: GRO puts at most as much together as one UDP datagram could have.
const BUFFER: usize = 65_536;
/// Few, as GRO fills each: they stay in the cache. One where a call receives one datagram, so that a batch is full whenever more may
/// be there: elsewhere room that is left says that there was no more.
const BUFFERS: usize = if !IN_BATCHES {
    1
} else if BATCH_SIZE < 8 {
    BATCH_SIZE
} else {
    8
};
/// Whether `quinn-udp` asks the system for more than one datagram.
const IN_BATCHES: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd"
));
/// A batch of fewer bytes than this is none of a transfer.
const BULK: usize = 4096;
/// Bytes of receive and of send buffer asked for: a whole window of SCTP may come at once.
pub(super) const SOCKET_BUFFER: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use std::{task::Waker, time::Duration};

    use super::*;
    use crate::driver::clock;

    #[test]
    fn a_buffer_without_segments_is_one_datagram() {
        let received = Received {
            source: SocketAddr::from(([127, 0, 0, 1], 9)),
            destination: None,
            length: 9,
            segment: 0,
            ecn: 0,
        };
        let mut batch = Batch::new();
        for bytes in [&b"abc"[..], b""] {
            batch.fill(received, bytes);
            let (received, filled) = batch.received().next().expect("a buffer");
            assert_eq!((received.length, &*filled), (bytes.len(), bytes));
            assert_eq!(received.segment, bytes.len().max(1));
        }
    }

    /// A small batch that has room left has emptied the socket, so nothing is asked for again; what comes later is told, and a full batch
    /// has more behind it.
    #[tokio::test]
    async fn all_is_received_with_no_call_in_vain() {
        let here = UdpSocket::bind(([127, 0, 0, 1], 0).into(), 1 << 20).expect("bound");
        let there = std::net::UdpSocket::bind(("127.0.0.1", 0)).expect("bound");
        let send = || {
            there.send_to(b"abc", here.local_address()).expect("sent");
        };
        let readable = || std::future::poll_fn(|context| here.poll_readable(context));
        let within = |future| tokio::time::timeout(Duration::from_secs(20), future);
        let mut batch = Batch::new();
        for count in [1, BUFFERS - 1, 3 * BUFFERS + 1, 1] {
            (0..count).for_each(|_| send());
            let mut came = 0;
            while came < count {
                within(readable()).await.expect("told").expect("living");
                let buffers = here.try_receive(&mut batch).expect("readable");
                let datagrams = batch.received().map(|(it, bytes)| bytes.len() / it.segment);
                came += datagrams.sum::<usize>();
                let more = std::pin::pin!(readable()).poll(&mut Context::from_waker(Waker::noop()));
                assert!(buffers == BUFFERS || more.is_pending());
            }
            assert_eq!(came, count);
        }
    }

    /// As the connections of one port do.
    #[tokio::test]
    async fn all_who_wait_for_room_are_woken() {
        let socket = UdpSocket::bind(([127, 0, 0, 1], 0).into(), 10_000).expect("bound");
        let wait = || {
            let socket = socket.clone();
            // The runtime has not heard from the system that there is room.
            let writable = std::future::poll_fn(move |context| socket.poll_writable(context));
            tokio::spawn(tokio::time::timeout(Duration::from_secs(5), writable))
        };
        let start = clock::now();
        for waiting in [wait(), wait(), wait()] {
            waiting
                .await
                .expect("no panic")
                .expect("woken")
                .expect("room");
        }
        // Its end has it looked at once more.
        assert!(
            clock::now() - start < Duration::from_secs(5),
            "woken by the timer"
        );
    }
}
