//! Streams that come to a port which connections share (RFC 6544), each to be one connection's for good.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use byteorder::{BigEndian, ByteOrder};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    runtime::Handle,
    task::AbortHandle,
};

use super::stream;
use crate::{Path, Protocol};

/// A stream with what has come on it so far, and where it leads.
pub(super) struct Claimed {
    pub(super) stream: TcpStream,
    pub(super) path: Path,
    pub(super) bytes: Vec<u8>,
}

/// Takes a stream of a peer, for a port or for one of its connections; else it is closed.
pub(super) type Adopter = Arc<dyn Fn(Claimed) + Send + Sync>;

/// Accepts streams until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    accepting: AbortHandle,
}

/// Streams of which nobody knows yet whose they are, the oldest first.
#[derive(Debug, Default)]
struct Unclaimed(VecDeque<(IpAddr, AbortHandle)>);

impl Claimed {
    /// The first datagram.
    pub(super) fn request(&self) -> &[u8] {
        self.bytes.get(LENGTH..).unwrap_or_default()
    }
}

impl Listener {
    /// Binds the port on this runtime.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn bind(runtime: &Handle, address: SocketAddr, adopt: Adopter) -> io::Result<Self> {
        let _entered = runtime.enter();
        let listener = stream::listen(address)?;
        let address = listener.local_addr()?;
        let accepting = runtime.spawn(accept(listener, adopt)).abort_handle();
        Ok(Self { address, accepting })
    }

    /// What it is bound to.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        self.0.iter().for_each(|(_, waiting)| waiting.abort());
    }
}

impl Unclaimed {
    /// One more. The oldest makes room, of the same address first.
    fn push(&mut self, address: IpAddr, waiting: AbortHandle) {
        self.0.retain(|(_, waiting)| !waiting.is_finished());
        let same = |(other, _): &&(IpAddr, AbortHandle)| *other == address;
        if self.0.iter().filter(same).count() >= OF_ONE_ADDRESS {
            let oldest = self.0.iter().position(|it| same(&it));
            let oldest = oldest.and_then(|at| self.0.remove(at));
            oldest.into_iter().for_each(|(_, waiting)| waiting.abort());
        }
        if self.0.len() >= UNCLAIMED {
            let oldest = self.0.pop_front();
            oldest.into_iter().for_each(|(_, waiting)| waiting.abort());
        }
        self.0.push_back((address, waiting));
    }
}

async fn accept(listener: TcpListener, adopt: Adopter) {
    let mut unclaimed = Unclaimed::default();
    loop {
        let (stream, remote) = stream::accept(&listener).await;
        let waiting = tokio::spawn(wait(stream, remote, adopt.clone()));
        unclaimed.push(remote.ip(), waiting.abort_handle());
    }
}

/// Waits for the first datagram of a stream, which has to say whose it is.
async fn wait(mut stream: TcpStream, remote: SocketAddr, adopt: Adopter) {
    let first = tokio::time::timeout(PATIENCE, first_frame(&mut stream)).await;
    let (Ok(Ok(bytes)), Ok(local)) = (first, stream.local_addr()) else {
        return;
    };
    let path = Path {
        local,
        remote,
        protocol: Protocol::Tcp,
    };
    adopt(Claimed {
        stream,
        path,
        bytes,
    });
}

/// The first datagram with its length before it (RFC 4571 §2).
async fn first_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; LENGTH];
    stream.read_exact(&mut bytes).await?;
    let length = usize::from(BigEndian::read_u16(&bytes));
    if !(1..=LONGEST).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    bytes.resize(LENGTH + length, 0);
    stream
        .read_exact(bytes.get_mut(LENGTH..).unwrap_or_default())
        .await?;
    Ok(bytes)
}

const LENGTH: usize = 2;
/// A check is never longer.
const LONGEST: usize = 1500;
/// How long a stream has to say whose it is.
const PATIENCE: Duration = Duration::from_secs(10);
const UNCLAIMED: usize = 512;
const OF_ONE_ADDRESS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn streams_that_nobody_claims_are_bounded() {
        let mut unclaimed = Unclaimed::default();
        let mut waiting = Vec::new();
        let first = (0..=OF_ONE_ADDRESS).map(|_| 1);
        for host in first.chain(2..600) {
            let task = tokio::spawn(std::future::pending::<()>());
            unclaimed.push(
                IpAddr::V4(std::net::Ipv4Addr::from_bits(host)),
                task.abort_handle(),
            );
            waiting.push(task);
            let most = if host == 1 { OF_ONE_ADDRESS } else { UNCLAIMED };
            assert!(unclaimed.0.len() <= most, "{host}");
        }
        assert_eq!(unclaimed.0.len(), UNCLAIMED);
        // The oldest made room.
        let rest = waiting.split_off(waiting.len() - UNCLAIMED);
        for task in waiting {
            assert!(task.await.unwrap_err().is_cancelled());
        }
        assert!(rest.iter().all(|task| !task.is_finished()));
        drop(unclaimed);
        for task in rest {
            assert!(task.await.unwrap_err().is_cancelled());
        }
    }
}
