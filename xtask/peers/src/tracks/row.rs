//! What is measured, and what a stack does for it.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::window::Window;
use crate::work;

/// Counts the allocations of the process, in the program that can.
pub type Allocations = fn() -> u64;

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
pub(super) trait Tracks {
    /// Lets packets flow until the meter has seen enough of them.
    fn carry(&self, work: Work, meter: Meter) -> Result<Carried>;
}

/// What arrived at the receivers, all together, and what it took.
pub(super) struct Carried {
    pub(super) packets: u64,
    pub(super) lost: u64,
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    /// While that was measured.
    pub(super) allocations: Option<u64>,
}

/// Looks at the clock, at the CPU time and at the allocations.
#[derive(Clone, Copy)]
pub(super) struct Meter {
    pub(super) allocations: Option<Allocations>,
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
    pub(super) fn copies(self) -> usize {
        self.receivers.unwrap_or(1)
    }

    pub(super) fn window(self, wake: impl Fn() + Send + Sync + 'static) -> Window {
        Window::new(self.copies(), wake)
    }
}

impl Meter {
    /// Waits until all is warm and measures for a while; `sleep` waits.
    pub(super) fn run(self, window: &Window, mut sleep: impl FnMut(Duration)) -> Result<Carried> {
        sleep(WARM);
        let begun = self.look(window)?;
        sleep(MEASURED);
        self.since(&begun, window)
    }

    /// As [`run`](Self::run), for who may not block.
    pub(super) async fn run_async(self, window: &Window) -> Result<Carried> {
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

const WARM: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(3);
/// How long connections may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
