//! Streams to TURN servers and peers: they are written to like sockets, and read by a task of their own.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use socket2::{Domain, Type};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Notify,
};
use tokio_rustls::TlsConnector;

use super::{
    outgoing::Outgoing,
    sockets::{Batch, Socket},
    tls::secure,
};
use crate::{
    Path, Protocol,
    api::{Carrier, WeakEngineLock},
};

/// The end of a stream that an engine writes to.
pub(super) struct Stream {
    path: Path,
    /// The peer, or a stranger, has opened it.
    accepted: bool,
    queue: Mutex<Queue>,
    /// There is something to write.
    filled: Notify,
    ending: Notify,
}

/// What waits to be written.
#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    /// Who waits for room.
    waker: Option<Waker>,
    /// Nothing is written any more.
    ended: bool,
    /// What is written is the last.
    ending: bool,
}

/// Carries bytes both ways: TCP, or TLS on it.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Opens a stream from this address, over TLS when there is a name that the server has to prove.
///
/// # Errors
///
/// Those of the system and of TLS; `TimedOut` when all is not done in 10 s.
pub(super) async fn open(
    from: SocketAddr,
    to: SocketAddr,
    tls: Option<(TlsConnector, String)>,
) -> io::Result<(Box<dyn Duplex>, Path)> {
    let opening = async {
        let (stream, path) = connect(from, to).await?;
        let stream: Box<dyn Duplex> = match tls {
            None => Box::new(stream),
            Some((connector, name)) => Box::new(secure(stream, connector, name).await?),
        };
        Ok((stream, path))
    };
    let opened = tokio::time::timeout(PATIENCE, opening).await;
    opened.map_err(|_| io::ErrorKind::TimedOut)?
}

async fn connect(from: SocketAddr, to: SocketAddr) -> io::Result<(TcpStream, Path)> {
    let socket = match from {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(from)?;
    // What is sent is a datagram, which waits for no other.
    socket.set_nodelay(true)?;
    let stream = socket.connect(to).await?;
    let path = Path {
        local: stream.local_addr()?,
        remote: to,
        protocol: Protocol::Tcp,
    };
    Ok((stream, path))
}

/// Takes streams at this address.
///
/// # Errors
///
/// Those of the system.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        // Who wants all addresses of IPv4 as well listens there, too.
        socket.set_only_v6(true)?;
    }
    // A port that a server had a moment ago is free, whatever becomes of its streams.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The next stream. What the system refuses for the moment, as it has no more descriptors, is tried again.
pub(super) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                // Without it a datagram waits for another; one that the option is refused to is none the worse.
                let _ = stream.set_nodelay(true);
                return (stream, remote);
            }
            Err(error) => {
                log::debug!("no stream is accepted: {error}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

impl Stream {
    pub(super) fn opened(path: Path) -> Arc<Self> {
        Self::new(path, false)
    }

    pub(super) fn accepted(path: Path) -> Arc<Self> {
        Self::new(path, true)
    }

    fn new(path: Path, accepted: bool) -> Arc<Self> {
        Arc::new(Self {
            path,
            accepted,
            queue: Mutex::default(),
            filled: Notify::new(),
            ending: Notify::new(),
        })
    }

    pub(super) fn path(&self) -> Path {
        self.path
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.accepted
    }

    /// Whether payload is to wait, as much of it is not written yet; then this is woken when it is.
    pub(super) fn is_full(&self, waker: &Waker) -> bool {
        let mut queue = self.queue();
        let full = !queue.ended && queue.bytes.len() >= FULL;
        if full {
            queue.waker = Some(waker.clone());
        }
        full
    }

    /// Ends it, once what was given to it is written.
    pub(super) fn end(&self) {
        self.queue().ending = true;
        self.filled.notify_one();
        self.ending.notify_one();
    }

    /// Nobody who does not read is waited for.
    async fn linger(&self) {
        self.ending.notified().await;
        tokio::time::sleep(LINGER).await;
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries bytes both ways until the stream ends, or the engine is gone.
    pub(super) async fn run<C: Carrier>(
        self: Arc<Self>,
        stream: Box<dyn Duplex>,
        engine: WeakEngineLock<C>,
    ) {
        let (reader, writer) = tokio::io::split(stream);
        tokio::select! {
            () = self.read(reader, &engine) => {}
            () = self.write(writer) => {}
            () = self.linger() => {}
        }
        let waker = {
            let mut queue = self.queue();
            queue.ended = true;
            queue.bytes.clear();
            queue.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
        if let Some(engine) = engine.upgrade() {
            engine.drive(|now, engine, _| engine.handle_disconnected(now, self.path));
        }
    }

    /// As [`run`](Self::run), for a stream of a peer: who says nothing is not waited for.
    pub(super) async fn run_accepted<C: Carrier>(
        self: Arc<Self>,
        stream: TcpStream,
        engine: WeakEngineLock<C>,
    ) {
        // What tokio calls readable need not be: it is one byte that counts.
        let mut first = [0];
        let speaks = tokio::select! {
            first = tokio::time::timeout(PATIENCE, stream.peek(&mut first)) => matches!(first, Ok(Ok(1..))),
            // It has made room for another one.
            () = self.ending.notified() => false,
        };
        if speaks {
            self.run(Box::new(stream), engine).await;
        } else if let Some(engine) = engine.upgrade() {
            engine.drive(|now, engine, _| engine.handle_disconnected(now, self.path));
        }
    }

    async fn read<C: Carrier>(
        &self,
        mut reader: impl AsyncRead + Unpin,
        engine: &WeakEngineLock<C>,
    ) {
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = match reader.read(&mut buffer).await {
                Ok(length) if length > 0 => length,
                _ => return,
            };
            let (Some(bytes), Some(engine)) = (buffer.get_mut(..length), engine.upgrade()) else {
                return;
            };
            engine.drive(|now, engine, _| engine.handle_datagram(now, self.path, bytes));
        }
    }

    async fn write(&self, mut writer: impl AsyncWrite + Unpin) {
        loop {
            let (bytes, waker, ending) = {
                let mut queue = self.queue();
                let bytes = std::mem::take(&mut queue.bytes);
                (bytes, queue.waker.take(), queue.ending)
            };
            waker.into_iter().for_each(Waker::wake);
            if !bytes.is_empty() {
                if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
                    return;
                }
            } else if ending {
                // What the other side does with it is not waited for.
                let _ = writer.shutdown().await;
                return;
            } else {
                self.filled.notified().await;
            }
        }
    }
}

impl Socket for Stream {
    fn local_address(&self) -> SocketAddr {
        self.path.local
    }

    fn poll_readable(&self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn try_receive(&self, _batch: &mut Batch) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn poll_writable(&self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What it has no room for is refused.
        Poll::Ready(Ok(()))
    }

    fn try_send(&self, outgoing: &Outgoing<'_>) -> io::Result<()> {
        let mut queue = self.queue();
        if queue.ended {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if queue.bytes.len() >= MOST {
            return Err(io::Error::other("the other side does not read"));
        }
        queue.bytes.extend_from_slice(outgoing.contents);
        drop(queue);
        self.filled.notify_one();
        Ok(())
    }

    fn max_segments(&self) -> usize {
        MAX_SEGMENTS
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({} to {})", self.path.local, self.path.remote)
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
/// How long who does not read is waited for at the end.
const LINGER: Duration = Duration::from_secs(1);
/// After how long a stream that the system refused is asked for again.
const RETRY: Duration = Duration::from_secs(1);
/// Streams that wait to be taken.
const BACKLOG: i32 = 16;
const BUFFER: usize = 65_536;
/// Bytes that wait for the stream until payload is held back, beside what the last batch adds: SCTP learns from a full one how fast it
/// is.
const FULL: usize = 65_536;
/// Bytes that wait for the stream at most, beside what the last datagram adds: checks and requests to a server go behind payload, for
/// as long as a stream may well stand still.
const MOST: usize = 3 * FULL;
const MAX_SEGMENTS: usize = 64;

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use super::*;
    use crate::{Transmit, driver::send::Blocked, label::Label};

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Payload is held back at a bound, and whoever holds it is woken when it is written; what goes all the same has a bound as well, and
    /// is counted as lost beyond.
    #[tokio::test]
    async fn what_waits_for_a_stream_is_bounded() {
        let path = Path {
            local: ([192, 0, 2, 1], 1).into(),
            remote: ([192, 0, 2, 2], 2).into(),
            protocol: Protocol::Tcp,
        };
        let stream = Stream::opened(path);
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(woken.clone());
        let send = |length: usize| {
            let transmit = Transmit {
                path,
                ecn: 0,
                dscp: 0,
                segment: 1000,
            };
            let bytes = vec![1; length];
            let sent = Blocked::send(stream.clone(), None, transmit, &bytes, Label([0, 0]));
            assert!(sent.blocked.is_none(), "nothing waits elsewhere");
            sent.refusals.datagrams
        };
        assert_eq!(send(60_000), 0);
        assert!(!stream.is_full(&waker));
        assert_eq!(send(60_000), 0);
        assert!(stream.is_full(&waker));
        let mut lost = 0;
        for _ in 0..1000 {
            lost += send(1000);
        }
        let held = stream.queue().bytes.len();
        assert!((MOST..MOST + 1000).contains(&held), "{held}");
        assert_eq!(lost, 1000 - (held as u64 - 120_000) / 1000);
        let (near, mut far) = tokio::io::duplex(1000);
        let (_, writer) = tokio::io::split(near);
        let writing = stream.clone();
        let writing = tokio::spawn(async move { writing.write(writer).await });
        let mut read = vec![0; held];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(!stream.is_full(&waker));
        writing.abort();
    }
}
