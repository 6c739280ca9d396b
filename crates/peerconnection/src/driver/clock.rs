//! What the driver takes from the system for an engine: time and randomness.

use std::time::{Duration, Instant, SystemTime};

use ring::rand::SecureRandom;

use crate::{Error, ErrorKind};

/// A seed from the system's random source.
pub(super) fn seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    #[expect(
        clippy::disallowed_methods,
        reason = "the driver gives each engine its seed"
    )]
    let random = ring::rand::SystemRandom::new();
    let filled = random.fill(&mut seed);
    filled.map_err(|_| Error::new(ErrorKind::Operation, "the system has no randomness"))?;
    Ok(seed)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the driver tells the engine the time"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the wall clock enters here: once a connection, and once a certificate"
)]
pub(super) fn wall() -> SystemTime {
    SystemTime::now()
}

/// When a timer fires that is not set.
pub(super) fn far() -> tokio::time::Instant {
    tokio::time::Instant::from_std(now()) + FAR
}

const FAR: Duration = Duration::from_secs(3600);
