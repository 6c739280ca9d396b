//! Names of the local link (RFC 6762): those of peers are resolved, ours are answered for.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt, io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use oxirtc_mdns::{Error, Event, Mdns};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::{
    clock::{self, seed},
    link::Link,
};

/// Multicast DNS for the connections that share this. Its sockets are opened with the first name, and closed with the last
/// connection.
#[derive(Clone)]
pub(super) struct LocalNames(Arc<Shared>);

struct Shared {
    runtime: Handle,
    /// Whose links count; `None` for all addresses of this machine.
    only: Option<Vec<IpAddr>>,
    wishes: Mutex<Option<mpsc::Sender<Wish>>>,
}

enum Wish {
    /// The address of a name.
    Resolve(String, oneshot::Sender<IpAddr>),
    /// A name for an address of ours.
    Publish(IpAddr, oneshot::Sender<String>),
}

/// What the task behind it knows.
struct Service {
    mdns: Mdns,
    link: Link,
    /// Who waits for a name, which is in lower case.
    waiting: BTreeMap<String, Vec<oneshot::Sender<IpAddr>>>,
    /// Names that are asked for when there is room, the oldest first.
    later: VecDeque<(String, oneshot::Sender<IpAddr>)>,
    published: BTreeMap<IpAddr, String>,
}

impl LocalNames {
    pub(super) fn new(runtime: Handle) -> Self {
        Self::over(runtime, None)
    }

    fn over(runtime: Handle, only: Option<Vec<IpAddr>>) -> Self {
        Self(Arc::new(Shared {
            runtime,
            only,
            wishes: Mutex::default(),
        }))
    }

    /// The address behind a name.
    ///
    /// # Errors
    ///
    /// `NotFound` when nobody answers for 10 s, or the name is not one that a candidate may have; those of the system.
    pub(super) async fn resolve(&self, name: &str) -> io::Result<IpAddr> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let (found, address) = oneshot::channel();
        self.wish(Wish::Resolve(name, found))?;
        address.await.map_err(|_| io::ErrorKind::NotFound.into())
    }

    /// A random name that stands for this address of ours, the same each time.
    ///
    /// # Errors
    ///
    /// `NotFound` when too many addresses have names; those of the system.
    pub(super) async fn publish(&self, address: IpAddr) -> io::Result<String> {
        let (made, name) = oneshot::channel();
        self.wish(Wish::Publish(address, made))?;
        name.await.map_err(|_| io::ErrorKind::NotFound.into())
    }

    fn wish(&self, wish: Wish) -> io::Result<()> {
        let Shared {
            runtime,
            only,
            wishes,
        } = &*self.0;
        let mut wishes = wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &*wishes {
            Some(sender) => sender,
            None => {
                let _entered = runtime.enter();
                let service = Service::open(only.clone())?;
                let (sender, receiver) = mpsc::channel(MAX_WISHES);
                runtime.spawn(service.run(receiver));
                wishes.insert(sender)
            }
        };
        let sent = sender.try_send(wish);
        sent.map_err(|_| io::ErrorKind::WouldBlock.into())
    }
}

impl fmt::Debug for LocalNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalNames")
            .field("only", &self.0.only)
            .finish_non_exhaustive()
    }
}

impl Service {
    fn open(only: Option<Vec<IpAddr>>) -> io::Result<Self> {
        Ok(Self {
            mdns: Mdns::new(seed().map_err(io::Error::other)?),
            link: Link::open(only)?,
            waiting: BTreeMap::new(),
            later: VecDeque::new(),
            published: BTreeMap::new(),
        })
    }

    /// Serves until the last of its connections is gone; then its names go.
    async fn run(mut self, mut wishes: mpsc::Receiver<Wish>) {
        let mut buffer = vec![0; BUFFER];
        loop {
            tokio::select! {
                wish = wishes.recv() => match wish {
                    Some(wish) => self.take(clock::now(), wish),
                    None => break,
                },
                () = self.link.readable() => {
                    let (link, mdns, now) = (&self.link, &mut self.mdns, clock::now());
                    link.receive(&mut buffer, |from, bytes| mdns.handle_datagram(now, from, bytes));
                }
                () = due(self.mdns.poll_timeout()) => {
                    self.forget();
                    self.mdns.handle_timeout(clock::now());
                }
            }
            self.settle();
        }
        for name in self.published.values() {
            self.mdns.withdraw(name);
        }
        self.settle();
    }

    fn take(&mut self, now: Instant, wish: Wish) {
        // Interfaces come and go.
        if let Err(error) = self.link.look() {
            log::debug!("the interfaces cannot be listed: {error}");
        }
        match wish {
            Wish::Resolve(name, found) => {
                self.forget();
                if self.later.len() >= MAX_LATER {
                    return log::debug!("a name is not resolved: too many wait before it");
                }
                self.later.push_back((name, found));
            }
            Wish::Publish(address, made) => {
                let name = match self.published.get(&address) {
                    Some(known) => known.clone(),
                    None => match self.mdns.publish(now, address) {
                        Ok(name) => self.published.entry(address).or_insert(name).clone(),
                        Err(error) => return log::debug!("an address has no name: {error}"),
                    },
                };
                // Who asked may be gone by now.
                let _ = made.send(name);
            }
        }
    }

    /// Asks for what waits, as far as there is room.
    fn resolve(&mut self, now: Instant) {
        while let Some((name, found)) = self.later.pop_front() {
            match self.mdns.resolve(now, &name) {
                Ok(()) => self.waiting.entry(name).or_default().push(found),
                Err(Error::Full) => return self.later.push_front((name, found)),
                // Who waits learns it by the end of the channel.
                Err(error) => log::debug!("a name is not resolved: {error}"),
            }
        }
    }

    /// Nobody is asked for what nobody waits for any more.
    fn forget(&mut self) {
        let Self {
            mdns,
            waiting,
            later,
            ..
        } = self;
        waiting.retain(|name, waiting| {
            waiting.retain(|found| !found.is_closed());
            if waiting.is_empty() {
                mdns.cancel(name);
            }
            !waiting.is_empty()
        });
        later.retain(|(_, found)| !found.is_closed());
    }

    fn settle(&mut self) {
        while let Some(event) = self.mdns.poll_event() {
            match event {
                Event::Resolved { name, address } => {
                    for found in self.waiting.remove(&name).unwrap_or_default() {
                        // Who asked may be gone by now.
                        let _ = found.send(address);
                    }
                }
                // Who waits learns it by the end of the channel.
                Event::Unresolved { name } => drop(self.waiting.remove(&name)),
                _ => {}
            }
        }
        self.resolve(clock::now());
        while let Some(transmit) = self.mdns.poll_transmit(clock::now()) {
            self.link.send(&transmit);
        }
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// A message of multicast DNS has 9,000 bytes at most (RFC 6762 §17).
const BUFFER: usize = 9000;
const MAX_WISHES: usize = 64;
/// Names that wait until others have their answer: connections have 16 each on their way.
const MAX_LATER: usize = 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn on_loopback() -> LocalNames {
        LocalNames::over(Handle::current(), Some(vec![[127, 0, 0, 1].into()]))
    }

    /// Two programs of one machine: what one has published the other resolves, by whole datagrams on port 5353.
    #[tokio::test]
    async fn a_name_of_one_is_resolved_by_the_other() {
        let (ours, theirs) = (on_loopback(), on_loopback());
        for address in ["192.0.2.7", "2001:db8::7"] {
            let address: IpAddr = address.parse().unwrap();
            let name = theirs.publish(address).await.unwrap();
            assert_eq!(theirs.publish(address).await.unwrap(), name);
            let asked = format!("{}.", name.to_uppercase());
            // Twice at once: one question, two answers.
            let (one, two) = tokio::join!(ours.resolve(&asked), ours.resolve(&name));
            assert_eq!((one.unwrap(), two.unwrap()), (address, address));
            // And within one program.
            assert_eq!(theirs.resolve(&name).await.unwrap(), address);
        }
    }

    #[tokio::test]
    async fn what_nobody_has_is_not_found() {
        let ours = on_loopback();
        let kind = ours.resolve("a.b.local").await.unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::NotFound);
        let unknown = ours.resolve("0f3c2b1a-0000-4000-8000-000000000001.local");
        let unknown = tokio::time::timeout(Duration::from_secs(30), unknown).await;
        let kind = unknown.unwrap().unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::NotFound);
    }

    fn unknown(number: u32) -> String {
        format!("0f3c2b1a-0000-4000-8000-{number:012}.local")
    }

    /// Names beyond those that are asked for at once have their turn, as soon as nobody waits for others.
    #[tokio::test]
    async fn names_wait_for_their_turn() {
        let (ours, theirs) = (on_loopback(), on_loopback());
        let name = theirs.publish([192, 0, 2, 7].into()).await.unwrap();
        let mut others = tokio::task::JoinSet::new();
        for number in 0..60 {
            let ours = ours.clone();
            others.spawn(async move { ours.resolve(&unknown(number)).await });
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        for number in 60..80 {
            let ours = ours.clone();
            others.spawn(async move { ours.resolve(&unknown(number)).await });
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let asked = clock::now();
        let late = tokio::spawn({
            let ours = ours.clone();
            async move { ours.resolve(&name).await }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!late.is_finished(), "there is no room");
        // A connection that ends takes back what it has asked.
        others.shutdown().await;
        let found = late.await.unwrap().unwrap();
        assert_eq!(found, IpAddr::from([192, 0, 2, 7]));
        assert!(clock::now() < asked + Duration::from_secs(8));
    }
}
