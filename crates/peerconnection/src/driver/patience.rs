//! How long a connection may take to come up before the log says what it lacks.

use std::time::{Duration, Instant};

use crate::{PeerConnectionState, engine::Engine};

/// When to tell the log why the connection is not up.
#[derive(Default)]
pub(super) struct Patience {
    next: Option<Instant>,
    told: usize,
}

impl Patience {
    /// Tells the log, when it is time, what a connection that is not up lacks; answers when it looks again.
    pub(super) fn next(&mut self, now: Instant, engine: &Engine) -> Option<Instant> {
        use PeerConnectionState::{Connecting, Disconnected, Failed, New};
        if !log::log_enabled!(log::Level::Debug) {
            return None;
        }
        let state = engine.connection_state();
        if !matches!(state, New | Connecting | Disconnected | Failed) {
            *self = Self::default();
            return None;
        }
        let next = self.next.get_or_insert(now + LOOKS[0]);
        if *next <= now {
            if let Some(reason) = engine.hindrance() {
                log::debug!("{}: {state:?} for a while: {reason}", engine.label());
            }
            self.told += 1;
            *next = now + LOOKS.get(self.told).copied().unwrap_or(LAST_LOOKS);
        }
        self.next
    }
}

/// When the log is told why a connection is not up, each counted from the one before; then once a minute.
const LOOKS: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
];
const LAST_LOOKS: Duration = Duration::from_secs(60);
