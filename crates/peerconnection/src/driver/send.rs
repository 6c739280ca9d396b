//! From an engine to a socket.

use std::{
    io,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use super::{outgoing::Outgoing, sockets::Socket};
use crate::{Path, Transmit, label::Label};

/// What became of a batch.
pub(super) struct Sent {
    /// What the socket has no room for.
    pub(super) blocked: Option<Blocked>,
    pub(super) refusals: Refusals,
}

/// What the system says of the network, which nobody outside can forge.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    /// There is no way from here.
    pub(super) unreachable: bool,
    /// The first datagram that is longer than the link carries.
    pub(super) too_long: Option<Vec<u8>>,
}

/// A batch that a socket has not taken yet, or not all of it.
pub(super) struct Blocked {
    socket: Arc<dyn Socket>,
    source: Option<IpAddr>,
    transmit: Transmit,
    rest: Vec<u8>,
    /// What the log calls the connection.
    label: Label,
}

impl Blocked {
    /// Sends the batch, and gives back what the socket has no room for.
    pub(super) fn send(
        socket: Arc<dyn Socket>,
        source: Option<IpAddr>,
        transmit: Transmit,
        bytes: &[u8],
        label: Label,
    ) -> Sent {
        let (sent, refusals) = send(&*socket, source, transmit, bytes, label);
        let rest = bytes.get(sent..).filter(|rest| !rest.is_empty());
        let blocked = rest.map(|rest| Self {
            socket,
            source,
            transmit,
            rest: rest.to_vec(),
            label,
        });
        Sent { blocked, refusals }
    }

    /// Tries once more: what the system refuses of it, and whether all has gone.
    pub(super) fn retry(&mut self) -> (Refusals, bool) {
        let (sent, refusals) = send(
            &*self.socket,
            self.source,
            self.transmit,
            &self.rest,
            self.label,
        );
        self.rest.drain(..sent);
        (refusals, self.rest.is_empty())
    }

    pub(super) fn path(&self) -> Path {
        self.transmit.path
    }

    pub(super) fn socket(&self) -> &Arc<dyn Socket> {
        &self.socket
    }
}

/// Whether a socket has room again.
pub(super) fn has_room(socket: &dyn Socket, context: &mut Context<'_>) -> bool {
    matches!(socket.poll_writable(context), Poll::Ready(_))
}

/// Sends one batch, in as many calls as the socket needs, and returns how many of its bytes are dealt with: fewer than all when the
/// socket is full. What the network refuses is dropped, as the network itself might have.
fn send(
    socket: &dyn Socket,
    source: Option<IpAddr>,
    transmit: Transmit,
    bytes: &[u8],
    label: Label,
) -> (usize, Refusals) {
    let Transmit {
        path,
        ecn,
        dscp,
        segment,
    } = transmit;
    let (mut sent, mut refusals) = (0, Refusals::default());
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        // Asked again each time: the socket learns when the system cannot segment.
        let most = segment.saturating_mul(socket.max_segments().max(1));
        let contents = rest.get(..most).unwrap_or(rest);
        let outgoing = Outgoing {
            destination: path.remote,
            source,
            ecn,
            dscp,
            segment,
            contents,
        };
        match socket.try_send(&outgoing) {
            Ok(()) => sent += contents.len(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // The system refused to segment: once more, one by one.
            Err(_) if contents.len() > segment && socket.max_segments() == 1 => {}
            Err(error) => {
                log::debug!("{label}: not sent to {}: {error}", path.remote);
                refusals.unreachable |= is_unreachable(error.kind());
                if is_too_long(&error) && refusals.too_long.is_none() {
                    refusals.too_long = contents
                        .get(..segment)
                        .or(Some(contents))
                        .map(<[u8]>::to_vec);
                }
                sent += contents.len();
            }
        }
    }
    (sent, refusals)
}

/// `EMSGSIZE`, which has no kind.
fn is_too_long(error: &io::Error) -> bool {
    let code = match () {
        () if cfg!(any(target_os = "linux", target_os = "android")) => 90,
        () if cfg!(windows) => 10_040,
        () => 40,
    };
    error.raw_os_error() == Some(code)
}

/// Whether the system says that there is no way from here, which nobody outside can forge.
fn is_unreachable(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable
    )
}
