//! Where the datagrams of a connection go.

use std::{net::SocketAddr, sync::Arc, task::Waker};

use tokio::task::AbortHandle;

use super::{names::LocalNames, port::Share, ports::Ports, sockets::Socket, stream::Stream};
use crate::{Path, Protocol};

/// The sockets and streams of a connection.
pub(super) struct Ways {
    /// Sockets of its own. The list is made anew with each that comes or goes, as its task has the same one.
    pub(super) own: Arc<[Arc<dyn Socket>]>,
    /// Its share of a port.
    pub(super) share: Option<Share>,
    pub(super) streams: Vec<Arc<Stream>>,
    /// Those of them whose payload has to wait.
    pub(super) full: Vec<Path>,
    /// Where streams of peers are taken.
    pub(super) listeners: Vec<(SocketAddr, AbortHandle)>,
    /// Multicast DNS, where the network is the system's.
    pub(super) names: Option<LocalNames>,
    /// Those of its own sockets.
    pub(super) ports: Ports,
}

impl Ways {
    /// Over sockets of its own.
    pub(super) fn own(names: LocalNames, ports: Ports) -> Self {
        Self::new(None, Some(names), ports)
    }

    /// Over a port that it shares.
    pub(super) fn on(share: Share, names: Option<LocalNames>, ports: Ports) -> Self {
        Self::new(Some(share), names, ports)
    }

    fn new(share: Option<Share>, names: Option<LocalNames>, ports: Ports) -> Self {
        Self {
            own: Arc::default(),
            share,
            streams: Vec::new(),
            full: Vec::new(),
            listeners: Vec::new(),
            names,
            ports,
        }
    }

    /// A stream of a peer, unless there are many already.
    pub(super) fn accept(&mut self, path: Path) -> Option<Arc<Stream>> {
        let accepted = self.streams.iter().filter(|it| it.is_accepted());
        let room = accepted.count() < MAX_ACCEPTED;
        room.then(|| {
            let stream = Stream::accepted(path);
            self.streams.push(stream.clone());
            stream
        })
    }

    /// Ends a stream of a stranger, where there is one: the oldest of the host that has the most. `used` holds for those on which
    /// something authentic has come.
    pub(super) fn make_room(&mut self, used: impl Fn(Path) -> bool) {
        let stranger = |it: &Stream| it.is_accepted() && !used(it.path());
        let host = |it: &Stream| it.path().remote.ip();
        let strangers: Vec<_> = self.streams.iter().filter(|it| stranger(it)).collect();
        let of = |ip| strangers.iter().filter(|it| host(it) == ip).count();
        // Of equal ones the last counts, which is the oldest this way round.
        let oldest = strangers.iter().rev().max_by_key(|it| of(host(it)));
        if let Some(path) = oldest.map(|it| it.path()) {
            self.end_streams(|it| it == path);
        }
    }

    /// Finds the streams that have no room for payload; this is woken when one has it again.
    pub(super) fn find_full(&mut self, waker: &Waker) {
        self.full.clear();
        let full = self.streams.iter().filter(|it| it.is_full(waker));
        self.full.extend(full.map(|it| it.path()));
    }

    pub(super) fn unlisten(&mut self, local: SocketAddr) {
        for (_, accepting) in self.listeners.extract_if(.., |(at, _)| *at == local) {
            accepting.abort();
        }
    }

    pub(super) fn end_streams(&mut self, ends: impl Fn(Path) -> bool) {
        for stream in self.streams.extract_if(.., |stream| ends(stream.path())) {
            stream.end();
        }
    }

    /// The share of a port that this path is on.
    pub(super) fn share_of(&self, path: Path) -> Option<&Share> {
        let mut own = self.own.iter();
        let is_own = own.any(|socket| socket.local_address() == path.local);
        let shared = path.protocol == Protocol::Udp && !is_own;
        self.share.as_ref().filter(|_| shared)
    }
}

/// Streams of one connection that others have opened; those that it opens itself are counted where they are asked for.
const MAX_ACCEPTED: usize = 64;

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;

    use super::*;
    use crate::Settings;

    /// Of strangers' streams the oldest makes room, of the host that has the most of them; what is of use stays.
    #[tokio::test]
    async fn strangers_make_room() {
        let names = LocalNames::new(Handle::current());
        let mut ways = Ways::own(names, Ports::of(&Settings::default()));
        let from = |host: u8, port: u16| Path {
            local: ([192, 0, 2, 1], 9).into(),
            remote: ([198, 51, 100, host], port).into(),
            protocol: Protocol::Tcp,
        };
        let opened = Stream::opened(from(9, 9));
        ways.streams.push(opened);
        let (used, quiet) = (from(1, 1), from(2, 1));
        assert!(ways.accept(used).is_some() && ways.accept(quiet).is_some());
        for port in 2..1000 {
            let next = from(1, port);
            if ways.accept(next).is_none() {
                ways.make_room(|path| path == used);
                assert!(ways.accept(next).is_some());
            }
            assert!(ways.streams.len() <= MAX_ACCEPTED + 1);
        }
        let paths: Vec<_> = ways.streams.iter().map(|it| it.path()).collect();
        let newest = (1000 - 62..1000).map(|port| from(1, port));
        let expected = [from(9, 9), used, quiet].into_iter().chain(newest);
        assert_eq!(paths, expected.collect::<Vec<_>>());
        // All are of use.
        ways.make_room(|_| true);
        assert!(ways.accept(from(3, 1)).is_none());
    }
}
