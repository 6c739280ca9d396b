//! A path between two ends: a relay in user space that treats all stacks alike.
//!
//! Each end sees one port of it as the other's address. Datagrams wait here for as long as the path takes, in a queue that has an
//! end, and some are lost or late.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};

use crate::{path::Path, work};

/// A relay at work, until it is dropped.
pub struct Relay {
    /// Where the near end sends, and where the far end does.
    pub ports: [u16; 2],
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One direction.
struct Way {
    path: Path,
    /// When the last datagram will have passed the bottleneck.
    free_at: Instant,
    dice: u64,
}

/// A datagram on its way.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flying {
    due: Instant,
    /// In the order of arrival, where two are due at once.
    number: u64,
    to: usize,
    bytes: Vec<u8>,
}

impl Relay {
    /// Both ports are open when this returns.
    pub fn start(path: Path) -> Result<Self> {
        let sockets = [work::bind()?, work::bind()?];
        for socket in &sockets {
            socket.set_nonblocking(true)?;
        }
        let ports = [
            sockets[0].local_addr()?.port(),
            sockets[1].local_addr()?.port(),
        ];
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            if let Err(error) = carry(&sockets, path, &stopped) {
                eprintln!("the relay: {error}");
            }
        });
        Ok(Self {
            ports,
            stop,
            thread: Some(thread),
        })
    }

    /// A description whose candidates are this port of the relay's.
    pub fn through(sdp: &str, port: u16) -> String {
        let line = |line: &str| {
            let Some(candidate) = line.strip_prefix("a=candidate:") else {
                return line.to_owned();
            };
            let mut fields: Vec<&str> = candidate.split(' ').collect();
            let port = port.to_string();
            if let Some(place) = fields.get_mut(4..6) {
                place.copy_from_slice(&["127.0.0.1", &port]);
            }
            format!("a=candidate:{}", fields.join(" "))
        };
        sdp.lines().map(|it| line(it) + "\r\n").collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Way {
    /// When a datagram of this length comes out; `None` if it does not.
    fn pass(&mut self, now: Instant, length: usize) -> Option<Instant> {
        let roll = self.roll();
        let mut due = now;
        if let Some(rate) = self.path.rate {
            let wait = self.free_at.saturating_duration_since(now);
            let queued = (wait.as_secs_f64() * rate as f64) as u64;
            let product = (self.path.round_trip.as_secs_f64() * rate as f64) as u64;
            if queued + length as u64 > product * self.path.queue / 4 {
                return None;
            }
            let takes = Duration::from_nanos(length as u64 * 1_000_000_000 / rate);
            self.free_at = self.free_at.max(now) + takes;
            due = self.free_at;
        }
        if roll < self.path.loss {
            return None;
        }
        let (part, by) = self.path.late;
        if self.roll() < part {
            due += by;
        }
        Some(due + self.path.round_trip / 2)
    }

    /// One of a million: xorshift64*.
    fn roll(&mut self) -> u32 {
        self.dice ^= self.dice >> 12;
        self.dice ^= self.dice << 25;
        self.dice ^= self.dice >> 27;
        ((self.dice.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % 1_000_000) as u32
    }
}

fn carry(sockets: &[UdpSocket; 2], path: Path, stop: &AtomicBool) -> Result<()> {
    let start = Instant::now();
    let way = |salt| Way {
        path,
        free_at: start,
        dice: (path.seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) + salt,
    };
    let mut ways = [way(0), way(1)];
    let mut ends: [Option<SocketAddr>; 2] = [None; 2];
    let mut flying = BinaryHeap::<Reverse<Flying>>::new();
    let mut number = 0;
    let mut buffer = vec![0; 2048];
    while !stop.load(Ordering::Relaxed) {
        let next = flying.peek().map_or(IDLE, |Reverse(it)| {
            it.due.saturating_duration_since(Instant::now())
        });
        if !next.is_zero() {
            let mut polled = [
                PollFd::new(sockets[0].as_fd(), PollFlags::POLLIN),
                PollFd::new(sockets[1].as_fd(), PollFlags::POLLIN),
            ];
            ppoll(&mut polled, Some(TimeSpec::from(next.min(IDLE))), None)?;
        }
        for from in [0, 1] {
            for _ in 0..BATCH {
                let (length, source) = match sockets[from].recv_from(&mut buffer) {
                    Ok(received) => received,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // An end that is gone.
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
                    Err(error) => return Err(error.into()),
                };
                ends[from] = Some(source);
                if let Some(due) = ways[from].pass(Instant::now(), length) {
                    number += 1;
                    let bytes = buffer[..length].to_vec();
                    let to = 1 - from;
                    flying.push(Reverse(Flying {
                        due,
                        number,
                        to,
                        bytes,
                    }));
                }
            }
        }
        let now = Instant::now();
        while flying.peek().is_some_and(|Reverse(it)| it.due <= now)
            && let Some(Reverse(it)) = flying.pop()
        {
            if let Some(end) = ends[it.to] {
                // What a full socket does not take is lost, as on any path.
                drop(sockets[it.to].send_to(&it.bytes, end));
            }
        }
    }
    Ok(())
}

/// How much a relay without delay carries, in MB/s: datagrams of 1,200 bytes one way.
pub fn ceiling() -> Result<f64> {
    let path = Path {
        name: "",
        round_trip: Duration::ZERO,
        rate: None,
        queue: 4,
        loss: 0,
        late: (0, Duration::ZERO),
        seed: 0,
    };
    let relay = Relay::start(path)?;
    let (near, far) = (work::bind()?, work::bind()?);
    near.connect(("127.0.0.1", relay.ports[0]))?;
    far.connect(("127.0.0.1", relay.ports[1]))?;
    far.send(&[0; 16])?;
    far.set_read_timeout(Some(Duration::from_millis(200)))?;
    let (start, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let stopped = stop.clone();
    let sending = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            drop(near.send(&[0; 1200]));
        }
    });
    let mut buffer = [0; 2048];
    let mut bytes = 0;
    while start.elapsed() < Duration::from_secs(2) {
        bytes += far.recv(&mut buffer).unwrap_or(0);
    }
    let took = start.elapsed();
    stop.store(true, Ordering::Relaxed);
    sending.join().ok().context("the sender ended")?;
    Ok(bytes as f64 / took.as_secs_f64() / 1e6)
}

const IDLE: Duration = Duration::from_millis(10);
const BATCH: usize = 256;
