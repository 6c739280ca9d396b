//! Payload that goes one way only, or has ceased to come: the first sign that a path has ended.

use std::time::{Duration, Instant};

use crate::base::PairKey;

/// Watches the payload of the pair in use. While some goes or came and nothing comes for a while, the pair is asked.
///
/// A NAT that has forgotten a mapping says so to nobody, and consent is asked for every five seconds. Payload both ways shows sooner
/// that a path works, and shows it for nothing.
#[derive(Debug)]
pub(crate) struct Silence {
    pair: Option<PairKey>,
    /// What is waited since: the last sign of the peer, or the first payload that was sent after an answer.
    since: Option<Instant>,
    patience: Duration,
    /// The pair that payload came on last.
    from: Option<PairKey>,
}

impl Silence {
    /// Payload goes on this pair from now on.
    pub(crate) fn watch(&mut self, pair: Option<PairKey>) {
        if self.pair != pair {
            *self = Self {
                pair,
                ..Self::default()
            };
        }
    }

    /// Payload is sent. When the peer is to be asked, if that was not said before.
    pub(crate) fn sent(&mut self, now: Instant) -> Option<Instant> {
        if self.since.is_some() {
            return None;
        }
        self.since = Some(now);
        self.due()
    }

    /// Payload has come on this pair. Whether the peer has left the pair in use for it.
    pub(crate) fn strays(&mut self, pair: PairKey) -> bool {
        let before = self.from.replace(pair);
        self.pair.is_some() && before == self.pair && before != Some(pair)
    }

    /// Payload has come on this pair. When the peer is to be asked, if that was not said before.
    pub(crate) fn received(&mut self, now: Instant, pair: PairKey) -> Option<Instant> {
        if self.pair != Some(pair) {
            return None;
        }
        self.patience = PATIENCE;
        let waited = self.since.replace(now);
        self.due().filter(|_| waited.is_none())
    }

    /// The peer has answered on this pair, which shows as much as payload does.
    pub(crate) fn answered(&mut self, now: Instant, pair: PairKey) {
        if self.pair == Some(pair) && self.since.is_some() {
            self.since = Some(now);
        }
    }

    /// Which pair is to be asked, if one is. Then payload has to be sent, or to come, for it to be asked again; and where payload is
    /// answered by none, it is asked more and more seldom.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<PairKey> {
        self.due().filter(|due| *due <= now)?;
        self.since = None;
        self.patience = (2 * self.patience).min(MOST);
        self.pair
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        Some(self.since? + self.patience)
    }
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            pair: None,
            since: None,
            patience: PATIENCE,
            from: None,
        }
    }
}

/// Without payload of the peer for so long, it is asked.
const PATIENCE: Duration = Duration::from_millis(750);
/// Where payload goes one way for good, it is asked as often as this, beside what consent asks.
const MOST: Duration = Duration::from_secs(4);
