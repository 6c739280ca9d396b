//! The work, the same for every stack.

use std::{net::UdpSocket, time::Duration};

use anyhow::{Result, bail};
use nix::sys::resource::{UsageWho, getrusage};

use crate::path::{PATHS, Path};

/// One line of the table.
#[derive(Clone, Copy)]
pub enum Row {
    Flow(Flow),
    /// Messages of 64 KiB over a path.
    Path(Path),
    PingPong,
    SetUp,
}

/// Messages of one size, one way, as fast as they go.
#[derive(Clone, Copy)]
pub struct Flow {
    /// Bytes of a message.
    pub message: usize,
    /// Ordered and reliable, or unordered without retransmission.
    pub reliable: bool,
}

/// What arrived, and what it took.
pub struct Flowed {
    pub messages: u64,
    pub wall: Duration,
    pub cpu: Duration,
}

/// How long each connection took until its channel was open at both ends, and the CPU time of all.
pub struct SetUps {
    pub times: Vec<Duration>,
    pub cpu: Duration,
}

pub trait Stack {
    fn name(&self) -> &'static str;
    fn version(&self) -> &'static str;
    /// Over loopback, or over a path.
    fn flow(&self, flow: Flow, path: Option<Path>, time: Duration) -> Result<Flowed>;
    fn ping_pong(&self, rounds: usize) -> Result<Vec<Duration>>;
    fn set_up(&self, connections: usize) -> Result<SetUps>;
}

impl Row {
    pub fn parse(name: &str) -> Option<Self> {
        let all = [
            BULK_64K,
            BULK_16K,
            SMALL,
            SMALL_UNRELIABLE,
            Self::PingPong,
            Self::SetUp,
        ];
        let paths = PATHS.iter().copied().map(Self::Path);
        all.into_iter().chain(paths).find(|row| row.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Flow(Flow { message: 65536, .. }) => "64 KiB",
            Self::Flow(Flow { message: 16384, .. }) => "16 KiB",
            Self::Flow(Flow { reliable: true, .. }) => "100 B",
            Self::Flow(_) => "100 B unreliable",
            Self::Path(path) => path.name,
            Self::PingPong => "ping-pong",
            Self::SetUp => "set-up",
        }
    }
}

/// CPU time of all threads of this process, user and system.
pub fn cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let spent = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000)
    };
    Ok(spent(usage.user_time()) + spent(usage.system_time()))
}

/// Asks for the buffers that every stack gets here, and says what the kernel grants. Less makes a different benchmark.
pub fn granted_buffers() -> Result<usize> {
    let socket = bind()?;
    let socket = socket2::SockRef::from(&socket);
    // Linux counts its own bookkeeping in: it reports twice what was asked for.
    let granted = socket.recv_buffer_size()?.min(socket.send_buffer_size()?) / 2;
    if granted < SOCKET_BUFFER {
        bail!(
            "the kernel grants {granted} bytes of socket buffer and {SOCKET_BUFFER} are needed: \
             sysctl -w net.core.rmem_max={SOCKET_BUFFER} net.core.wmem_max={SOCKET_BUFFER}"
        );
    }
    Ok(granted)
}

/// A socket on loopback with large buffers.
pub fn bind() -> Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    set_buffers(&socket)?;
    Ok(socket)
}

pub fn set_buffers(socket: &UdpSocket) -> std::io::Result<()> {
    let socket = socket2::SockRef::from(socket);
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    socket.set_send_buffer_size(SOCKET_BUFFER)
}

/// The runtime of the stacks that want one.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    runtime_of(2)
}

/// The same with so many threads.
pub fn runtime_of(threads: usize) -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()?)
}

const BULK_64K: Row = Row::Flow(Flow {
    message: 65536,
    reliable: true,
});
const BULK_16K: Row = Row::Flow(Flow {
    message: 16384,
    reliable: true,
});
/// What goes over a path.
pub const OVER_PATH: Flow = Flow {
    message: 65536,
    reliable: true,
};
const SMALL: Row = Row::Flow(Flow {
    message: 100,
    reliable: true,
});
const SMALL_UNRELIABLE: Row = Row::Flow(Flow {
    message: 100,
    reliable: false,
});

/// Bytes of receive and of send buffer.
pub const SOCKET_BUFFER: usize = 4 << 20;
