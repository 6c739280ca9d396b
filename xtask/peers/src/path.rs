//! Paths between two ends, and the cells of `bench path`.

use std::time::Duration;

/// What lies between two ends. Loss and lateness are those of each direction.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    pub name: &'static str,
    pub round_trip: Duration,
    /// In bytes a second.
    pub rate: Option<u64>,
    /// How much waits at most before the rate, in quarters of what the path holds in a round trip.
    pub queue: u64,
    /// In millionths.
    pub loss: u32,
    /// How many in a million are late, and by how much.
    pub late: (u32, Duration),
    /// Of its dice.
    pub seed: u64,
}

/// The cells of `bench path`.
pub const PATHS: &[Path] = &[
    path("20 ms", 20),
    lossy(path("20 ms, 0.5 %", 20), 5_000),
    lossy(path("20 ms, 1 %", 20), 10_000),
    path("50 ms", 50),
    lossy(path("50 ms, 0.5 %", 50), 5_000),
    lossy(path("50 ms, 1 %", 50), 10_000),
    lossy(path("50 ms, 2 %", 50), 20_000),
    path("100 ms", 100),
    narrow(path("100 Mbit/s, queue 1", 50), 4),
    narrow(path("100 Mbit/s, queue 1/4", 50), 1),
    Path {
        late: (50_000, Duration::from_millis(10)),
        ..path("50 ms, 5 % late", 50)
    },
    lossy(path("2 ms, 1 %", 2), 10_000),
];

const fn path(name: &'static str, round_trip: u64) -> Path {
    Path {
        name,
        round_trip: Duration::from_millis(round_trip),
        rate: None,
        queue: 4,
        loss: 0,
        late: (0, Duration::ZERO),
        seed: 0,
    }
}

const fn lossy(path: Path, loss: u32) -> Path {
    Path { loss, ..path }
}

/// 100 Mbit/s, before which so many quarters of a bandwidth-delay product wait.
const fn narrow(path: Path, queue: u64) -> Path {
    Path {
        rate: Some(12_500_000),
        queue,
        ..path
    }
}
