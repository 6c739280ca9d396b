//! A socket of whose datagrams the system has something to say.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use oxirtc_peerconnection::driver::{self, Batch, Outgoing, Socket};

/// A socket that sends what a rule lets pass, datagram by datagram.
pub(crate) struct Ruled<R> {
    inner: Arc<dyn Socket>,
    rule: R,
}

impl<R> Ruled<R>
where
    R: Fn(SocketAddr, &Outgoing<'_>) -> io::Result<()> + Send + Sync + 'static,
{
    /// At a free port of an address. The rule is told it, and what is to leave.
    pub(crate) fn bind(address: [u8; 4], rule: R) -> Arc<dyn Socket> {
        let inner = driver::UdpSocket::bind((address, 0).into(), 100_000).unwrap();
        Arc::new(Self { inner, rule })
    }
}

impl<R> Socket for Ruled<R>
where
    R: Fn(SocketAddr, &Outgoing<'_>) -> io::Result<()> + Send + Sync + 'static,
{
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
        (self.rule)(self.local_address(), outgoing)?;
        self.inner.try_send(outgoing)
    }

    fn max_segments(&self) -> usize {
        1
    }
}

impl<R> fmt::Debug for Ruled<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ruled({:?})", self.inner)
    }
}
