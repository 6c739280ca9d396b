//! Counters.

use std::time::Duration;

use crate::{Pair, PairState};

/// Counters of an agent since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connectivity checks sent, retransmissions included, consent checks not.
    pub requests_sent: u64,
    /// How many of them were retransmissions.
    pub retransmissions_sent: u64,
    /// Consent checks sent (RFC 7675).
    pub consent_requests_sent: u64,
    /// Binding requests with correct integrity received.
    pub requests_received: u64,
    /// Responses sent, errors included.
    pub responses_sent: u64,
    /// Responses with correct integrity received, errors included.
    pub responses_received: u64,
    /// Binding indications received (RFC 8445 §11).
    pub indications_received: u64,
    /// Role conflicts seen, whichever side gave way.
    pub role_conflicts: u64,
    /// Payload datagrams wrapped for sending.
    pub payload_sent: u64,
    /// Payload datagrams handed up.
    pub payload_received: u64,
    /// Payload datagrams that waited for their pair to become valid.
    pub payload_held: u64,
    /// What was dropped, by reason.
    pub drops: Drops,
}

/// What an agent dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// STUN that cannot be parsed, or whose fingerprint is wrong.
    pub malformed: u64,
    /// STUN with no, with unknown or with wrong credentials.
    pub unauthenticated: u64,
    /// Responses to no check of ours, and STUN methods that ICE does not have.
    pub unexpected: u64,
    /// Authenticated requests that came when the agent had failed or the pair had lost consent.
    pub late: u64,
    /// Responses that came from another address than the request went to (RFC 8445 §7.2.5.2.1).
    pub asymmetric: u64,
    /// Payload from a path that was not validated, or held for longer than its pair took.
    pub payload: u64,
    /// Remote candidates that were not even listed, as there were too many.
    pub candidates: u64,
    /// Pairs that were not made, as there were too many.
    pub pairs: u64,
    /// Control datagrams of our own that nobody fetched.
    pub control: u64,
    /// Addresses that could not be bound.
    pub binds: u64,
}

/// One candidate pair as it stands, with its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairStats {
    /// The candidates and their path.
    pub pair: Pair,
    /// State in the check list.
    pub state: PairState,
    /// Its priority (RFC 8445 §6.1.2.3).
    pub priority: u64,
    /// Whether it was nominated.
    pub nominated: bool,
    /// The last round trip measured.
    pub current_round_trip: Option<Duration>,
    /// The sum of all round trips measured.
    pub total_round_trip: Duration,
    /// Checks sent, retransmissions and consent checks included.
    pub requests_sent: u64,
    /// How many of them were retransmissions.
    pub retransmissions_sent: u64,
    /// Consent checks sent, which are never retransmitted.
    pub consent_requests_sent: u64,
    /// Requests received.
    pub requests_received: u64,
    /// Responses sent.
    pub responses_sent: u64,
    /// Responses received.
    pub responses_received: u64,
}
