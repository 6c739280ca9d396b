//! The W3C objects of two connections, and what lies between them in simulated time.
#![allow(dead_code, reason = "each test uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

use std::{
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant, SystemTime},
};

use oxirtc_netsim::{Link, Network, NodeId, epoch};
use oxirtc_peerconnection::{
    Configuration, PeerConnection,
    api::{Carrier, EngineLock},
    engine::{Engine, Interface, Path, Request, Settings},
};

/// Two connections and what lies between them.
pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) now: Instant,
    pub(crate) sides: Vec<Side>,
    pub(crate) severed: bool,
    /// RTCP gets lost.
    pub(crate) unreported: bool,
}

pub(crate) struct Side {
    pub(crate) carrier: Arc<Wire>,
    pub(crate) engine: EngineLock<WireEnd>,
    pub(crate) node: NodeId,
}

/// The end of a wire that lives behind the engine's lock.
pub(crate) struct WireEnd(pub(crate) Arc<Wire>);

/// Carries one connection: what it sends waits for the world to fetch it.
pub(crate) struct Wire {
    pub(crate) now: Mutex<Instant>,
    pub(crate) sent: Mutex<Vec<(Path, Vec<u8>)>>,
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
        let now = epoch();
        let mut sides = Vec::new();
        let connections = [1_u8, 2].map(|index| {
            let address: IpAddr = [10, 0, 0, index].into();
            let node = network.add_node(&[address]);
            let carrier = Wire::new(now);
            let (connection, engine) = carried(index, WireEnd(carrier.clone()));
            let interface = Interface {
                name: "eth0".into(),
                index: 2,
                address,
                default_route: true,
                cost: 0,
            };
            engine.drive(|now, engine, _| engine.handle_interfaces(now, &[interface]));
            sides.push(Side {
                carrier,
                engine,
                node,
            });
            connection
        });
        (
            Self {
                network,
                now,
                sides,
                severed: false,
                unreported: false,
            },
            connections,
        )
    }

    /// Serves both sides and moves on to when something happens next; false when nothing will.
    pub(crate) fn step(&mut self) -> bool {
        for side in &self.sides {
            *side.carrier.now.lock().unwrap() = self.now;
            side.engine
                .drive(|now, engine, _| engine.handle_timeout(now));
        }
        self.post();
        while let Some(mut delivery) = self.network.receive(self.now) {
            let side = self
                .sides
                .iter()
                .find(|side| side.node == delivery.node)
                .unwrap();
            let path = Path::udp(delivery.to, delivery.from);
            side.engine.drive(|now, engine, _| {
                engine.handle_datagram(now, path, &mut delivery.datagram);
            });
        }
        self.post();
        let timers = self
            .sides
            .iter()
            .map(|side| side.engine.drive(|_, engine, _| engine.poll_timeout()));
        let next = timers.chain([self.network.poll_timeout()]).flatten().min();
        if let Some(next) = next {
            self.now = self.now.max(next);
        }
        next.is_some()
    }

    fn post(&mut self) {
        for side in &self.sides {
            for (path, datagram) in side.carrier.sent.lock().unwrap().drain(..) {
                // RFC 5761 §4
                let is_report = matches!(datagram[..], [128..=191, 192..=223, ..]);
                let is_lost = self.severed || self.unreported && is_report;
                if !is_lost {
                    self.network
                        .send(self.now, path.local, path.remote, datagram);
                }
            }
        }
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
            assert!(self.step() && self.now < limit, "it waits for ever");
        }
    }

    /// From now on nothing arrives.
    pub(crate) fn cut(&mut self) {
        self.severed = true;
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end && self.step() {}
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
