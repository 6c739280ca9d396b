//! Packets of one track, from one connection to another, and from one through a forwarder to many.
//!
//! A stream of video without an end: frames of [`FRAME`] packets, as many under way as the [`Window`] allows, so that no
//! stack floods itself. Each stack gets and gives packets as its API intends.

mod oxirtc;
mod str0m;
mod webrtc;
mod window;

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use crate::{Allocations, work};

use window::Window;

/// What protects the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// AES in counter mode with SHA-1, tags of 80 bits.
    Cm,
    /// AES-128-GCM.
    Gcm,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    pub protection: Protection,
    /// To so many a forwarder sends what it receives; without one the packets go to the other end, and no further.
    pub receivers: Option<usize>,
    /// How many threads there are for all ends.
    pub threads: usize,
}

/// A stack that carries tracks.
trait Tracks {
    /// Lets packets flow until the meter has seen enough of them.
    fn carry(&self, work: Work, meter: Meter) -> Result<Carried>;
}

/// What arrived at the receivers, all together, and what it took.
struct Carried {
    packets: u64,
    lost: u64,
    wall: Duration,
    cpu: Duration,
    /// While that was measured.
    allocations: Option<u64>,
}

/// Looks at the clock, at the CPU time and at the allocations.
#[derive(Clone, Copy)]
struct Meter {
    allocations: Option<Allocations>,
}

impl Work {
    pub fn parse(name: &str) -> Option<Self> {
        let (what, threads) = match name.split_once(", ") {
            Some((what, "4 threads")) => (what, 4),
            Some((what, "1 thread")) => (what, 1),
            None => (name, 2),
            Some(_) => return None,
        };
        let (protection, receivers) = match what {
            "AES-CM" => (Protection::Cm, None),
            "GCM" => (Protection::Gcm, None),
            "to 1" => (Protection::Gcm, Some(1)),
            "to 10" => (Protection::Gcm, Some(10)),
            "to 100" => (Protection::Gcm, Some(100)),
            _ => return None,
        };
        Some(Self {
            protection,
            receivers,
            threads,
        })
    }

    /// How many get each packet in the end.
    fn copies(self) -> usize {
        self.receivers.unwrap_or(1)
    }

    fn window(self, wake: impl Fn() + Send + Sync + 'static) -> Window {
        Window::new(self.copies(), wake)
    }
}

impl Meter {
    /// Waits until all is warm and measures for a while; `sleep` waits.
    fn run(self, window: &Window, mut sleep: impl FnMut(Duration)) -> Result<Carried> {
        sleep(WARM);
        let begun = self.look(window)?;
        sleep(MEASURED);
        self.since(&begun, window)
    }

    /// As [`run`](Self::run), for who may not block.
    async fn run_async(self, window: &Window) -> Result<Carried> {
        tokio::time::sleep(WARM).await;
        let begun = self.look(window)?;
        tokio::time::sleep(MEASURED).await;
        self.since(&begun, window)
    }

    fn look(self, window: &Window) -> Result<(Instant, Carried)> {
        let seen = Carried {
            packets: window.received(),
            lost: window.lost(),
            wall: Duration::ZERO,
            cpu: work::cpu()?,
            allocations: self.allocations.map(|count| count()),
        };
        Ok((Instant::now(), seen))
    }

    fn since(self, (at, before): &(Instant, Carried), window: &Window) -> Result<Carried> {
        let (now, after) = self.look(window)?;
        let allocations = after.allocations.zip(before.allocations);
        Ok(Carried {
            packets: after.packets - before.packets,
            lost: after.lost - before.lost,
            wall: now - *at,
            cpu: after.cpu - before.cpu,
            allocations: allocations.map(|(after, before)| after - before),
        })
    }
}

/// Does the work with this stack and prints a line.
pub fn measure(name: &str, row: &str, work: Work, allocations: Option<Allocations>) -> Result<()> {
    let (stack, version): (&dyn Tracks, _) = match name {
        "oxirtc" => (&oxirtc::Oxirtc, "0.1"),
        "str0m" => (&str0m::Str0m, "0.25"),
        "webrtc" => (&webrtc::Webrtc, "0.21"),
        other => bail!("no stack «{other}» carries tracks"),
    };
    let carried = stack.carry(work, Meter { allocations })?;
    ensure!(carried.packets > 0, "nothing arrived");
    let packets = carried.packets as f64;
    // What an allocator costs that counts is not the stack's.
    let figures = match carried.allocations {
        Some(allocations) => json!({ "allocations/packet": allocations as f64 / packets }),
        None => json!({
            "packets/s": packets / carried.wall.as_secs_f64(),
            "packets/cpu-s": packets / carried.cpu.as_secs_f64(),
        }),
    };
    let line: Value = json!({
        "stack": name, "version": version, "row": row, "lost": carried.lost, "figures": figures,
    });
    println!("{line}");
    Ok(())
}

/// What is written again and again, as a stack wants its payloads.
struct Film<P> {
    key: P,
    delta: P,
    rest: P,
    written: u64,
}

/// A packet of it.
struct Shot<P> {
    /// Its number, from 1 on.
    sequence: u64,
    timestamp: u32,
    /// It is the last of its frame.
    marker: bool,
    payload: P,
}

impl<P: Clone> Film<P> {
    /// Packets of VP8: the first of a key frame, the first of another, and what follows.
    fn new(make: impl Fn(Vec<u8>) -> P) -> Self {
        let begin = |key: bool| {
            // RFC 7741 §4.2: the start of a partition; then the head of a frame, with its size where it is a key frame.
            let mut payload = vec![0x10, u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0];
            payload.resize(PAYLOAD, 5);
            make(payload)
        };
        let mut rest = vec![0];
        rest.resize(PAYLOAD, 5);
        Self {
            key: begin(true),
            delta: begin(false),
            rest: make(rest),
            written: 0,
        }
    }

    fn next(&mut self) -> Shot<P> {
        let (frame, place) = (self.written / FRAME as u64, self.written % FRAME as u64);
        self.written += 1;
        let payload = match place {
            0 if frame.is_multiple_of(KEY_EVERY) => &self.key,
            0 => &self.delta,
            _ => &self.rest,
        };
        Shot {
            sequence: self.written,
            timestamp: (frame as u32).wrapping_mul(TICKS),
            marker: place == FRAME as u64 - 1,
            payload: payload.clone(),
        }
    }
}

/// Bytes of payload: with the header, its extensions and SRTP's tag that is a datagram of 1,200 bytes.
const PAYLOAD: usize = 1160;
/// Packets of a frame.
const FRAME: usize = 20;
/// Whoever joins waits for no more frames than these.
const KEY_EVERY: u64 = 30;
/// Ticks of a frame.
const TICKS: u32 = 3000;
const WARM: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(3);
/// How long connections may take.
const PATIENCE: Duration = Duration::from_secs(30);
