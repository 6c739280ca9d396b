//! Consent freshness of one pair (RFC 7675).

use std::time::{Duration, Instant};

use crate::Config;

/// How often the consent of a pair is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// As RFC 7675 has it.
    Consent,
    /// Seldom: it is kept warm.
    Backup,
}

/// When the next consent check goes out on a pair, and when its consent ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consent {
    /// When the last answer came.
    answered: Instant,
    expires: Instant,
    next: Instant,
    /// When the next check is due if the last one is answered.
    regular: Instant,
    /// When the first check that is still unanswered went out.
    silent_since: Option<Instant>,
    /// The peer seems to have left, and no answer has come since.
    doubted: bool,
    /// A check is due that is not of the schedule.
    hastened: bool,
}

impl Consent {
    /// The consent that comes with the answer to a check that was sent at `sent`.
    pub(crate) fn new(now: Instant, sent: Instant, jitter: f64, config: &Config) -> Self {
        let regular = (sent + interval(jitter, Freshness::Consent, config)).max(now);
        Self {
            answered: now,
            expires: now + config.consent_expiry,
            next: regular,
            regular,
            silent_since: None,
            doubted: false,
            hastened: false,
        }
    }

    /// A check is sent. `retry` is how long its answer may take.
    pub(crate) fn sent(
        &mut self,
        now: Instant,
        jitter: f64,
        (rtt, freshness): (Duration, Freshness),
        config: &Config,
    ) {
        self.regular = now + interval(jitter, freshness, config);
        // The first check is given two round trips to be answered; then checks follow without waiting
        // for each other, so that a short outage is over as soon as the network is back.
        let wait = if self.silent_since.is_none() {
            RETRY.max(2 * rtt)
        } else {
            RETRY
        };
        self.next = now + wait;
        self.hastened = false;
        self.silent_since.get_or_insert(now);
    }

    /// A check went out that is not of the schedule.
    pub(crate) fn asked(&mut self, now: Instant) {
        self.silent_since.get_or_insert(now);
    }

    /// The next check goes out at once, unless one is in the air or was answered just now.
    pub(crate) fn hasten(&mut self, now: Instant) {
        if self.silent_since.is_none() && self.answered + RETRY <= now {
            self.next = self.next.min(now);
            self.hastened = true;
        }
    }

    /// Whether it is asked for although its pair has no schedule.
    pub(crate) fn is_hastened(&self) -> bool {
        self.hastened
    }

    /// The peer seems to have left: it is asked at once, or soon after its last answer, and another answer is not waited for as long.
    pub(crate) fn doubt(&mut self, now: Instant) {
        self.doubted = true;
        if self.silent_since.is_none() {
            self.next = self.next.min(now.max(self.answered + PAUSE));
        }
    }

    /// Somebody else is heard from the same address: a check goes at once, and an answer is waited for no longer than this.
    pub(crate) fn challenge(&mut self, now: Instant) {
        self.next = self.next.min(now);
        self.expires = self.expires.min(now + CHALLENGE);
    }

    /// Whether the last answer came before `at`.
    pub(crate) fn is_silent_since(&self, at: Instant) -> bool {
        self.answered <= at
    }

    /// A response with correct integrity came.
    pub(crate) fn answered(&mut self, now: Instant, config: &Config) {
        self.answered = now;
        self.expires = now + config.consent_expiry;
        self.next = self.regular.max(now);
        self.silent_since = None;
        self.doubted = false;
    }

    /// RFC 7675 §5.1: consent ends 30 s after the last answer, and does so on the instant.
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        now < self.expires
    }

    /// How long the answer to a check may take before the pair is suspect.
    pub(crate) fn patience(&self) -> Duration {
        match self.doubted {
            true => DOUBT,
            false => SUSPICION,
        }
    }

    pub(crate) fn silent_since(&self) -> Option<Instant> {
        self.silent_since
    }

    pub(crate) fn expires(&self) -> Instant {
        self.expires
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.next.min(self.expires)
    }
}

/// RFC 7675 §5.1: the interval is varied by ±20 % for each check. `jitter` is in 0..1.
fn interval(jitter: f64, freshness: Freshness, config: &Config) -> Duration {
    let mean = match freshness {
        Freshness::Consent => config.consent_interval,
        Freshness::Backup => BACKUP_INTERVAL.max(config.consent_interval),
    };
    mean.mul_f64(0.8 + 0.4 * jitter)
}

/// The time between checks while none is answered, and the least that an answer is waited for.
const RETRY: Duration = Duration::from_millis(500);
/// The least that an answer is waited for before a pair is suspect.
const SUSPICION: Duration = Duration::from_millis(500);
/// The same, where the peer has begun to use another pair.
const DOUBT: Duration = Duration::from_millis(200);
/// Between an answer and the check that a doubt brings.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a peer has to answer when another connection claims its address.
const CHALLENGE: Duration = Duration::from_secs(2);
/// Between two checks of a pair that is kept warm. Two of them fit into the life of its consent, with
/// time for the second one to be asked again.
const BACKUP_INTERVAL: Duration = Duration::from_secs(12);
