//! From an engine to a socket.

use std::{io, net::IpAddr, sync::Arc};

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
    /// How many datagrams did not leave.
    pub(super) datagrams: u64,
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
                refusals.datagrams += contents.len().div_ceil(segment.max(1)) as u64;
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

#[cfg(test)]
pub(super) mod tests {
    use std::{
        net::SocketAddr,
        sync::Mutex,
        task::{Context, Poll},
    };

    use super::*;
    use crate::driver::Batch;

    /// A socket that answers as the test says, the last answer first, and then takes everything.
    #[derive(Debug)]
    pub(in crate::driver) struct Scripted {
        pub(in crate::driver) address: SocketAddr,
        pub(in crate::driver) answers: Mutex<Vec<io::Result<()>>>,
    }

    const HERE: ([u8; 4], u16) = ([192, 0, 2, 1], 1);

    impl Socket for Scripted {
        fn local_address(&self) -> SocketAddr {
            self.address
        }

        fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn try_receive(&self, _: &mut Batch) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }

        fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn try_send(&self, _: &Outgoing<'_>) -> io::Result<()> {
            self.answers.lock().unwrap().pop().unwrap_or(Ok(()))
        }

        fn max_segments(&self) -> usize {
            1
        }
    }

    /// What the system says of the network is told when it says it: at once, or when a full socket has room again. The rest of a batch
    /// goes on its way.
    #[test]
    fn refusals_are_told_whenever_they_come() {
        let too_long = if cfg!(windows) { 10_040 } else { 90 };
        let kinds = [
            (io::ErrorKind::NetworkUnreachable.into(), (true, false)),
            (io::ErrorKind::NetworkDown.into(), (true, false)),
            (io::ErrorKind::AddrNotAvailable.into(), (true, false)),
            (io::Error::from_raw_os_error(too_long), (false, true)),
            // Anybody can forge the ICMP behind it.
            (io::ErrorKind::ConnectionRefused.into(), (false, false)),
        ];
        for (error, expected) in kinds {
            for waits in [false, true] {
                let again = match error.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => error.kind().into(),
                };
                let blocks = waits.then(|| Err(io::ErrorKind::WouldBlock.into()));
                let answers = [Ok(()), Err(again)].into_iter().chain(blocks).collect();
                let transmit = Transmit {
                    path: Path::udp(HERE.into(), ([192, 0, 2, 2], 2).into()),
                    ecn: 0,
                    dscp: 0,
                    segment: 3,
                };
                let socket = Arc::new(Scripted {
                    address: HERE.into(),
                    answers: Mutex::new(answers),
                });
                let script = socket.clone();
                let sent = Blocked::send(socket, None, transmit, &[1, 1, 1, 2], Label([0, 0]));
                let told = |it: &Refusals| (it.unreachable, it.too_long.is_some());
                let mut refusals = sent.refusals;
                assert_eq!(sent.blocked.is_some(), waits);
                if let Some(mut blocked) = sent.blocked {
                    assert_eq!(told(&refusals), (false, false), "nothing is known yet");
                    assert_eq!(refusals.datagrams, 0);
                    let (later, gone) = blocked.retry();
                    assert!(gone);
                    refusals = later;
                }
                assert_eq!(told(&refusals), expected, "{error}, waits: {waits}");
                assert_eq!(refusals.datagrams, 1);
                let refused = refusals.too_long.unwrap_or(vec![1; 3]);
                assert_eq!(refused, [1; 3], "the datagram, not the batch");
                assert!(
                    script.answers.lock().unwrap().is_empty(),
                    "all of it was sent"
                );
            }
        }
    }
}
