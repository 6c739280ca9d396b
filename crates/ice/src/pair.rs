//! One candidate pair: its state, its checks in the air, its consent.

use std::{
    cmp::Reverse,
    collections::VecDeque,
    time::{Duration, Instant},
};

use oxirtc_stun::TransactionId;

use crate::{Config, base::PairKey, consent::Consent};

/// A pair of a check list. Candidates are named by their place in the lists of the two sides.
pub(crate) struct CandidatePair {
    pub(crate) id: PairId,
    pub(crate) key: PairKey,
    /// The local candidate: that of the base, or the one that the peer sees.
    pub(crate) local: usize,
    pub(crate) remote: usize,
    /// The numbers of both foundations.
    pub(crate) foundation: (usize, usize),
    pub(crate) priority: u64,
    /// What sending costs at both ends together.
    pub(crate) cost: u32,
    /// A relay has not permitted its peer yet: no check gets through.
    pub(crate) shut: bool,
    /// Another connection of its socket has its path: what comes there is not for us.
    pub(crate) barred: bool,
    /// How often the peer has seen us at another address.
    pub(crate) mappings: u32,
    /// It came with a request of the peer.
    pub(crate) learnt: bool,
    pub(crate) state: PairState,
    /// Taken off the check list because another pair was nominated (RFC 8445 §8.1.2).
    pub(crate) cancelled: bool,
    /// It once lost consent: its credentials are not used on it again (RFC 7675 §5.1).
    pub(crate) expired: bool,
    pub(crate) nomination: Nomination,
    pub(crate) check: Option<Check>,
    pub(crate) in_flight: VecDeque<Request>,
    /// Present while the pair is valid.
    pub(crate) consent: Option<Consent>,
    /// The driver said that nothing gets through, and no answer has come since.
    pub(crate) unreachable: bool,
    pub(crate) counters: Counters,
}

/// Names a pair for as long as its agent lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PairId(pub(crate) u64);

/// State of a pair in its check list (RFC 8445 §6.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PairState {
    /// Waits for another pair of its foundation.
    Frozen,
    /// Waits for its turn.
    Waiting,
    /// A check was sent.
    InProgress,
    /// A check was answered.
    Succeeded,
    /// No check was answered, or the pair lost its consent.
    Failed,
}

/// How far a pair is on its way to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nomination {
    None,
    /// The controlling side asked for it, with this number, and the pair is not valid yet.
    Wanted(u32),
    /// Since when it is nominated; as controlled: when the peer said so last.
    Done(Instant),
}

/// The ordinary check of a pair, while it is sent again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) id: TransactionId,
    pub(crate) transmissions: u32,
    pub(crate) interval: Duration,
    pub(crate) due: Instant,
    /// When it is given up at the latest.
    pub(crate) end: Instant,
}

/// A request that may still be answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) id: TransactionId,
    pub(crate) sent: Instant,
    pub(crate) repeated: bool,
    pub(crate) nominates: Option<u32>,
    /// That of the set when it was sent: it tells an answer about an earlier role.
    pub(crate) epoch: u32,
    pub(crate) priority: u32,
}

/// Counters of one pair.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) last_round_trip: Option<Duration>,
    pub(crate) smoothed_round_trip: Option<Duration>,
    pub(crate) total_round_trip: Duration,
    pub(crate) requests_sent: u64,
    pub(crate) retransmissions_sent: u64,
    pub(crate) consent_requests_sent: u64,
    pub(crate) requests_received: u64,
    pub(crate) responses_sent: u64,
    pub(crate) responses_received: u64,
}

impl CandidatePair {
    /// The better of two that work has the higher one: the cheaper networks, then the priority.
    pub(crate) fn rank(&self) -> (Reverse<u32>, u64) {
        (Reverse(self.cost), self.priority)
    }

    /// A pair that has no name yet.
    pub(crate) fn new(
        key: PairKey,
        (local, remote): (usize, usize),
        foundation: (usize, usize),
        priority: u64,
    ) -> Self {
        Self {
            id: PairId(0),
            key,
            local,
            remote,
            foundation,
            priority,
            cost: 0,
            shut: false,
            barred: false,
            mappings: 0,
            learnt: false,
            state: PairState::Frozen,
            cancelled: false,
            expired: false,
            nomination: Nomination::None,
            check: None,
            in_flight: VecDeque::new(),
            consent: None,
            unreachable: false,
            counters: Counters::default(),
        }
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.consent.is_some()
    }

    /// Valid, and payload may be sent on it.
    pub(crate) fn is_usable(&self, now: Instant) -> bool {
        !self.barred && self.consent.is_some_and(|consent| consent.is_fresh(now))
    }

    /// Valid, but a request is unanswered for longer than a round trip explains.
    pub(crate) fn is_suspect(&self, now: Instant) -> bool {
        self.unreachable || self.suspicion().is_some_and(|at| at <= now)
    }

    /// When it becomes suspect unless an answer comes.
    pub(crate) fn suspicion(&self) -> Option<Instant> {
        let consent = self.consent?;
        Some(consent.silent_since()? + consent.patience().max(2 * self.rtt()))
    }

    /// Whether a check of it may still end well without anything coming from the peer.
    pub(crate) fn is_pending(&self) -> bool {
        let unfinished = matches!(
            self.state,
            PairState::Frozen | PairState::Waiting | PairState::InProgress
        );
        unfinished && !self.cancelled
    }

    pub(crate) fn is_in_state(&self, state: PairState) -> bool {
        self.state == state && !self.cancelled
    }

    pub(crate) fn rtt(&self) -> Duration {
        self.counters.smoothed_round_trip.unwrap_or_default()
    }

    /// Starts a check; how long until it is repeated is `rto`.
    pub(crate) fn start(&mut self, now: Instant, rto: Duration, request: Request) {
        match &mut self.consent {
            Some(consent) => consent.asked(now),
            None => self.state = PairState::InProgress,
        }
        self.cancelled = false;
        self.check = Some(Check {
            id: request.id,
            transmissions: 1,
            interval: rto,
            due: now + rto.min(MAX_AGE),
            end: now + MAX_AGE,
        });
        self.remember(now, request);
    }

    /// Notes a request whose answer may come.
    pub(crate) fn remember(&mut self, now: Instant, request: Request) {
        self.in_flight
            .retain(|old| now.duration_since(old.sent) < MAX_AGE);
        let full = self.in_flight.len() >= MAX_IN_FLIGHT;
        self.in_flight.pop_front_if(|_| full);
        self.in_flight.push_back(request);
    }

    /// Notes that the ordinary check is sent once more, and gives back what was asked.
    pub(crate) fn repeat(&mut self, now: Instant) -> Option<Request> {
        let check = self.check.as_mut()?;
        check.transmissions += 1;
        check.interval *= 2;
        // RFC 8489 §6.2.1: after the last of Rc requests, Rm times the first RTO is waited.
        check.due = if check.transmissions == MAX_TRANSMISSIONS {
            now + check.interval / LAST_INTERVAL
        } else {
            now + check.interval
        };
        // RFC 8445 §14.3 lets a long list wait for minutes; a check is given no more time than the
        // shortest list gives it.
        check.due = check.due.min(check.end);
        let id = check.id;
        let request = self.in_flight.iter_mut().find(|request| request.id == id)?;
        request.repeated = true;
        Some(*request)
    }

    /// Whether the ordinary check was sent as often as it may and has waited long enough.
    pub(crate) fn is_exhausted(&self, now: Instant) -> bool {
        self.check.is_some_and(|check| {
            check.end <= now || check.transmissions >= MAX_TRANSMISSIONS && check.due <= now
        })
    }

    pub(crate) fn wants_repetition(&self) -> Option<Instant> {
        self.check
            .filter(|check| check.transmissions < MAX_TRANSMISSIONS && check.due < check.end)
            .map(|check| check.due)
    }

    /// Takes the request that a response answers.
    pub(crate) fn take_request(&mut self, id: &TransactionId) -> Option<Request> {
        let at = self
            .in_flight
            .iter()
            .position(|request| request.id == *id)?;
        if self.check.is_some_and(|check| check.id == *id) {
            self.check = None;
        }
        self.in_flight.remove(at)
    }

    pub(crate) fn has_request(&self, id: &TransactionId) -> bool {
        self.in_flight.iter().any(|request| request.id == *id)
    }

    pub(crate) fn measure(&mut self, round_trip: Duration) {
        let counters = &mut self.counters;
        counters.last_round_trip = Some(round_trip);
        counters.total_round_trip += round_trip;
        counters.smoothed_round_trip = Some(match counters.smoothed_round_trip {
            Some(smoothed) => (smoothed * 7 + round_trip) / 8,
            None => round_trip,
        });
    }

    /// A check with integrity was answered: the pair is valid, or its consent is renewed.
    pub(crate) fn succeed(&mut self, now: Instant, sent: Instant, jitter: f64, config: &Config) {
        self.state = PairState::Succeeded;
        self.cancelled = false;
        self.unreachable = false;
        match &mut self.consent {
            Some(consent) => consent.answered(now, config),
            None => self.consent = Some(Consent::new(now, sent, jitter, config)),
        }
    }

    pub(crate) fn fail(&mut self) {
        self.state = PairState::Failed;
        self.nomination = Nomination::None;
        self.check = None;
        self.in_flight.clear();
        self.consent = None;
        self.unreachable = false;
    }

    /// RFC 7675 §5.1: it is not used again with these credentials. Nothing was sent on one that another connection keeps from us, and
    /// that one may let go of it.
    pub(crate) fn expire(&mut self) {
        self.fail();
        self.expired = !self.barred;
    }

    /// The network is another one: what did not work may work now, and is checked as if it had not been.
    pub(crate) fn begin_again(&mut self) {
        self.state = PairState::Waiting;
        self.check = None;
        self.cancelled = false;
    }

    /// RFC 8445 §8.1.2: off the list, without a word about whether it works.
    pub(crate) fn cancel(&mut self) {
        if self.state == PairState::InProgress {
            self.state = PairState::Waiting;
        }
        self.check = None;
        self.cancelled = true;
    }
}

/// RFC 8489 §6.2.1: Rc.
const MAX_TRANSMISSIONS: u32 = 7;
/// After seven requests the interval is 2^6 RTO; RFC 8489 §6.2.1 wants Rm = 16 RTO.
const LAST_INTERVAL: u32 = 4;
/// RFC 8489 §6.2.1: how long a check takes that nobody answers, at the least RTO.
const MAX_AGE: Duration = Duration::from_millis(39_500);
/// As many consent checks as thirty seconds hold, and a few.
const MAX_IN_FLIGHT: usize = 80;
