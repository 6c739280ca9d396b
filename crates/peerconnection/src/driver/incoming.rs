//! Requests on a shared port that name nobody yet.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use oxirtc_ice::{Head, head};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::Path;

/// Requests that name a username fragment which no connection of an [`Endpoint`](crate::Endpoint) has: a server may then make that
/// connection. It ends with the endpoint, and when another one is asked for.
#[derive(Debug)]
pub struct Incoming(Receiver<IncomingRequest>);

/// A connectivity check for a connection that is not there yet. Anybody can have sent it, from anywhere: it is not authentic before a
/// connection has looked at it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncomingRequest {
    /// The fragment that the connection is to have, with [`Settings::ice_credentials`](crate::Settings::ice_credentials).
    pub username_fragment: String,
    /// The fragment of the peer.
    pub remote_username_fragment: String,
    /// The address of the port that it came to.
    pub local: SocketAddr,
    /// Where it came from.
    pub remote: SocketAddr,
}

impl Incoming {
    /// The next one; `None` when the endpoint was dropped, its runtime has ended, or another [`Incoming`] was asked for, and all were
    /// read. Cancel safe: a request is returned or stays. It belongs to no connection, so neither `failed` nor `close()` of one ends it.
    pub async fn next(&mut self) -> Option<IncomingRequest> {
        self.0.recv().await
    }
}

/// What is kept of them, for a moment and each fragment once.
#[derive(Debug)]
pub(super) struct Unknown {
    kept: VecDeque<Kept>,
    told: Sender<IncomingRequest>,
}

#[derive(Debug)]
struct Kept {
    ufrag: String,
    path: Path,
    datagram: Vec<u8>,
    until: Instant,
}

impl Unknown {
    pub(super) fn new() -> (Self, Incoming) {
        let (told, receiver) = mpsc::channel(MOST);
        let kept = VecDeque::new();
        (Self { kept, told }, Incoming(receiver))
    }

    /// Takes a datagram that names nobody. Whether it is kept, or is one of those that are.
    pub(super) fn keep(&mut self, now: Instant, path: Path, datagram: &[u8]) -> bool {
        if self.told.is_closed() {
            self.kept.clear();
            return false;
        }
        let Head::Request { ufrag, remote } = head(datagram) else {
            return false;
        };
        while self.kept.front().is_some_and(|kept| kept.until <= now) {
            self.kept.pop_front();
        }
        if self.kept.iter().any(|kept| kept.ufrag == ufrag) {
            return true;
        }
        let same = |kept: &&Kept| kept.path.remote.ip() == path.remote.ip();
        let from_there = self.kept.iter().filter(same).count();
        let fits = [ufrag.len(), remote.len()].iter().all(|it| *it <= UFRAG);
        if !fits || datagram.len() > DATAGRAM || self.kept.len() >= MOST || from_there >= FROM_ONE {
            return false;
        }
        let request = IncomingRequest {
            username_fragment: ufrag.to_owned(),
            remote_username_fragment: remote.to_owned(),
            local: path.local,
            remote: path.remote,
        };
        // Who does not look at them is told no more.
        let told = self.told.try_send(request).is_ok();
        if told {
            self.kept.push_back(Kept {
                ufrag: ufrag.to_owned(),
                path,
                datagram: datagram.to_vec(),
                until: now + KEPT,
            });
        }
        told
    }

    /// What has come for this fragment, which a connection has from now on.
    pub(super) fn take(&mut self, now: Instant, ufrag: &str) -> Option<(Path, Vec<u8>)> {
        let at = self.kept.iter().position(|kept| kept.ufrag == ufrag)?;
        let kept = self.kept.remove(at)?;
        (now < kept.until).then_some((kept.path, kept.datagram))
    }
}

/// Requests that are kept at a time, of all and of one address.
const MOST: usize = 64;
const FROM_ONE: usize = 8;
/// For how long.
const KEPT: Duration = Duration::from_secs(5);
/// RFC 8839 §5.4: the longest fragment.
const UFRAG: usize = 256;
/// A check is not longer.
const DATAGRAM: usize = 1200;

#[cfg(test)]
mod tests {
    use oxirtc_stun::{Attribute, Builder, Class, Method, TransactionId};

    use super::*;

    fn request(name: &str) -> Vec<u8> {
        padded(name, 0)
    }

    /// A request of so many bytes, if it has fewer.
    fn padded(name: &str, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let id = TransactionId::new([1; 12]);
        let mut builder = Builder::new(&mut bytes, Class::Request, Method::BINDING, id);
        builder.add(Attribute::Username(name));
        let so_far = 24 + name.len().next_multiple_of(4);
        if let Some(missing) = length.checked_sub(so_far + 4) {
            builder.add(Attribute::Data(&vec![0; missing]));
        }
        builder.finish().unwrap();
        bytes
    }

    fn path(host: u8, port: u16) -> Path {
        Path::udp(([192, 0, 2, 1], 9).into(), ([10, 0, 0, host], port).into())
    }

    fn now() -> Instant {
        oxirtc_netsim::epoch()
    }

    /// A fragment is told once, with its first request, which is handed over once, and for five seconds.
    #[tokio::test]
    async fn a_fragment_is_told_once() {
        let (mut unknown, mut incoming) = Unknown::new();
        assert!(unknown.keep(now(), path(1, 1), &request("one:peer")));
        assert!(unknown.keep(now(), path(1, 2), &request("one:peer")));
        assert!(unknown.keep(now(), path(1, 3), &request("two:peer")));
        assert!(
            !unknown.keep(now(), path(1, 4), &[22; 40]),
            "it names nobody"
        );
        let first = incoming.next().await.unwrap();
        assert_eq!(first.username_fragment, "one");
        assert_eq!(first.remote_username_fragment, "peer");
        assert_eq!(first.remote, path(1, 1).remote);
        assert_eq!(incoming.next().await.unwrap().username_fragment, "two");
        assert_eq!(unknown.take(now(), "three"), None);
        let taken = unknown.take(now(), "one");
        assert_eq!(taken, Some((path(1, 1), request("one:peer"))));
        assert_eq!(unknown.take(now(), "one"), None);
        let later = now() + KEPT;
        assert_eq!(unknown.take(later, "two"), None, "it is old");
        // It is told anew when it comes again.
        assert!(unknown.keep(later, path(1, 3), &request("two:peer")));
        assert_eq!(incoming.next().await.unwrap().username_fragment, "two");
        drop(unknown);
        assert_eq!(incoming.next().await, None);
    }

    /// What is longer than any check is not kept.
    #[test]
    fn a_request_has_its_length() {
        let (mut unknown, _incoming) = Unknown::new();
        for (length, kept) in [(DATAGRAM + 4, false), (DATAGRAM, true)] {
            let long = padded("long:peer", length);
            assert_eq!(long.len(), length);
            assert_eq!(unknown.keep(now(), path(1, 1), &long), kept);
        }
    }

    /// Nobody fills the memory, or keeps the others out alone.
    #[test]
    fn what_is_kept_is_bounded() {
        let (mut unknown, mut incoming) = Unknown::new();
        let mut come = |unknown: &mut Unknown, now, host, number: usize| {
            let kept = unknown.keep(now, path(host, 1), &request(&format!("name{number}:peer")));
            // Somebody looks at them.
            assert_eq!(incoming.0.try_recv().is_ok(), kept);
            kept
        };
        let kept = (0..100).filter(|it| come(&mut unknown, now(), 1, *it));
        assert_eq!(kept.count(), FROM_ONE);
        let kept = (100..1000).filter(|it| {
            let host = u8::try_from(it / 5).unwrap_or(u8::MAX);
            come(&mut unknown, now(), host, *it)
        });
        assert_eq!(kept.count(), MOST - FROM_ONE);
        assert_eq!(unknown.kept.len(), MOST);
        let long = request(&format!("{}:peer", "u".repeat(257)));
        let later = now() + KEPT;
        assert!(!unknown.keep(later, path(2, 1), &long));
        assert!(unknown.kept.is_empty(), "what is old makes room");
        assert!(come(&mut unknown, later, 1, 2000));
        // Those that nobody looks at fill the queue, and no more are kept.
        let later = later + 2 * KEPT;
        let names = (3000..3100).map(|it| request(&format!("name{it}:peer")));
        let kept = names
            .zip(0..)
            .filter(|(it, host)| unknown.keep(later, path(host / 8, 1), it));
        assert_eq!(kept.count(), MOST);
        assert!(!unknown.keep(later + KEPT, path(1, 1), &request("one:peer")));
        // Who does not look any more is told nothing, and nothing is kept for it.
        drop(incoming);
        let later = later + 2 * KEPT;
        assert!(!unknown.keep(later, path(1, 1), &request("one:peer")));
        assert!(unknown.kept.is_empty());
    }
}
