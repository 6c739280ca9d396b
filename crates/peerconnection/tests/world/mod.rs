//! The W3C objects of two connections, and what lies between them in simulated time.
#![allow(dead_code, reason = "each test uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    ops::{Deref, DerefMut},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant, SystemTime},
};

use oxirtc_netsim::{Across, Link, Machine, Network, Pair, epoch};
use oxirtc_peerconnection::{
    Configuration, PeerConnection,
    api::{Carrier, EngineLock},
    engine::{Engine, Interface, Path, Request, Settings},
};

/// Two connections and what lies between them.
pub(crate) struct World(Pair<Side, Across<Path>>);

pub(crate) struct Side {
    pub(crate) carrier: Arc<Wire>,
    pub(crate) engine: EngineLock<WireEnd>,
}

/// The end of a wire that lives behind the engine's lock.
pub(crate) struct WireEnd(pub(crate) Arc<Wire>);

/// Carries one connection: what it sends waits until it is fetched.
pub(crate) struct Wire {
    pub(crate) now: Mutex<Instant>,
    pub(crate) sent: Mutex<VecDeque<(Path, Vec<u8>)>>,
    pub(crate) flushes: AtomicUsize,
    pub(crate) woken: AtomicBool,
    pub(crate) closed: AtomicUsize,
}

impl Wire {
    pub(crate) fn new(now: Instant) -> Arc<Self> {
        Arc::new(Self {
            now: Mutex::new(now),
            sent: Mutex::default(),
            flushes: AtomicUsize::new(0),
            woken: AtomicBool::new(false),
            closed: AtomicUsize::new(0),
        })
    }
}

impl Carrier for WireEnd {
    fn now(&self) -> Instant {
        *self.0.now.lock().unwrap()
    }

    fn flush(&mut self, now: Instant, engine: &mut Engine) {
        self.0.flushes.fetch_add(1, Ordering::Relaxed);
        let mut buf = Vec::new();
        loop {
            while let Some(transmit) = engine.poll_transmit(now, &mut buf) {
                let datagrams = buf.chunks(transmit.segment);
                let mut sent = self.0.sent.lock().unwrap();
                sent.extend(datagrams.map(|it| (transmit.path, it.to_vec())));
                buf.clear();
            }
            match engine.poll_request() {
                Some(Request::Bind { id, address, .. }) => {
                    engine.handle_response(now, id, Ok(SocketAddr::new(address, 4000)));
                }
                Some(Request::Close { .. }) => {
                    self.0.closed.fetch_add(1, Ordering::Relaxed);
                }
                Some(_) => {}
                None => return,
            }
        }
    }

    fn wake(&mut self) {
        self.0.woken.store(true, Ordering::Relaxed);
    }

    fn waker(&self) -> Waker {
        Arc::clone(&self.0).into()
    }
}

impl Wake for Wire {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
    }
}

/// A connection that was told of no address yet, and so gathers.
pub(crate) fn without_addresses() -> (PeerConnection, EngineLock<WireEnd>) {
    carried(9, WireEnd(Wire::new(epoch())))
}

fn carried(seed: u8, carrier: WireEnd) -> (PeerConnection, EngineLock<WireEnd>) {
    PeerConnection::with_carrier(
        Configuration::default(),
        Settings::default(),
        [seed; 32],
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        carrier,
    )
    .unwrap()
}

impl World {
    pub(crate) fn new(link: Link) -> (Self, [PeerConnection; 2]) {
        let mut network = Network::new(1).default_link(link);
        let sides = [1_u8, 2].map(|index| {
            let address: IpAddr = [10, 0, 0, index].into();
            let node = network.add_node(&[address]);
            let carrier = Wire::new(epoch());
            let (connection, engine) = carried(index, WireEnd(carrier.clone()));
            let interface = Interface {
                name: "eth0".into(),
                index: 2,
                address,
                default_route: true,
                cost: 0,
            };
            engine.drive(|now, engine, _| engine.handle_interfaces(now, &[interface]));
            (Side { carrier, engine }, node, connection)
        });
        let [(a, a_node, left), (b, b_node, right)] = sides;
        let ends = |path: Path| (path.local, path.remote);
        let wire = Across::new(network, [a_node, b_node], ends, Path::udp);
        let mut pair = Pair::new([a, b], wire);
        // 1,500 bytes less the headers of IPv4 and UDP.
        pair.room = 1472;
        (Self(pair), [left, right])
    }

    /// Runs a future while time passes. It is polled only when it was woken, so a wake-up that is
    /// missing shows.
    pub(crate) fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        struct Flag(AtomicBool);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(flag.clone());
        let mut future = pin!(future);
        let limit = self.now + Duration::from_secs(120);
        loop {
            while flag.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return value;
                }
            }
            // What follows from it now may wake it before time passes.
            self.run_for(Duration::ZERO);
            if !flag.0.load(Ordering::Relaxed) {
                assert!(self.advance(limit), "it waits for ever");
            }
        }
    }

    /// From now on nothing arrives.
    pub(crate) fn cut(&mut self) {
        self.tap = Some(Box::new(|_, _| false));
    }

    /// From now on RTCP gets lost (RFC 5761 §4).
    pub(crate) fn lose_reports(&mut self) {
        let is_report = |datagram: &[u8]| matches!(datagram, [128..=191, 192..=223, ..]);
        self.tap = Some(Box::new(move |_, datagram| !is_report(datagram)));
    }
}

impl Deref for World {
    type Target = Pair<Side, Across<Path>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Side {
    /// What the connection takes for now.
    pub(crate) fn set_now(&self, now: Instant) {
        *self.carrier.now.lock().unwrap() = now;
    }
}

impl Machine for Side {
    type Route = Path;

    fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        self.set_now(now);
        self.engine
            .drive(|now, engine, _| engine.handle_datagram(now, path, datagram));
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.set_now(now);
        self.engine
            .drive(|now, engine, _| engine.handle_timeout(now));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.engine.drive(|_, engine, _| engine.poll_timeout())
    }

    fn poll_transmit(
        &mut self,
        _now: Instant,
        _room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<(Path, usize)> {
        let (path, datagram) = self.carrier.sent.lock().unwrap().pop_front()?;
        buf.extend(datagram);
        Some((path, usize::MAX))
    }

    /// The carrier has answered what the engine asks of it, and its events are the application's.
    fn poll(&mut self, now: Instant) -> bool {
        self.set_now(now);
        false
    }

    fn mirrored(path: Path) -> Path {
        Path::udp(path.remote, path.local)
    }

    fn describe(&self) -> String {
        self.engine
            .drive(|_, engine, _| format!("{:#?}", engine.counters()))
    }
}

/// One text each way, with all candidates.
pub(crate) async fn negotiate(left: &PeerConnection, right: &PeerConnection) {
    left.set_local_description(None).await.unwrap();
    right
        .set_remote_description(left.gathered().await.unwrap())
        .await
        .unwrap();
    right.set_local_description(None).await.unwrap();
    left.set_remote_description(right.gathered().await.unwrap())
        .await
        .unwrap();
}
