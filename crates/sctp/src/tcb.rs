//! What an association knows of its peer and of itself (RFC 9260 §13), beside what it sends and receives.

use std::{collections::VecDeque, time::Instant};

use crate::{
    Initiator, StreamId, Tsn,
    packet::ResetResult,
    streams::{StreamBits, StreamSet},
};

/// What we know of both ends.
#[derive(Debug)]
pub(crate) struct Peer {
    /// What packets to us carry.
    pub(crate) local_tag: u32,
    /// What packets to the peer carry; 0 is not known yet.
    pub(crate) tag: u32,
    pub(crate) outbound: u16,
    pub(crate) inbound: u16,
    pub(crate) forward_tsn: bool,
    pub(crate) reconfig: bool,
    /// The peer does without our checksums (RFC 9653).
    pub(crate) zero_checksum: bool,
    /// Messages are interleaved (RFC 8260).
    pub(crate) interleaving: bool,
}

/// How long the association lives on without answers, and whether it is closing.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) consent: Consent,
    /// Timeouts in a row.
    pub(crate) timeouts: u32,
    /// Who began to close it.
    pub(crate) closing: Option<Initiator>,
    /// `send` said that the buffer is full.
    pub(crate) blocked: bool,
    pub(crate) max_outgoing: usize,
    /// Something came or went.
    pub(crate) last_activity: Instant,
}

/// What is left of an association that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Our ABORT, cause included; it is said again to a peer that did not hear it.
    pub(crate) abort: Option<(u32, Vec<u8>)>,
    pub(crate) answers: u8,
    pub(crate) next_answer: Instant,
}

/// Whether the path below has the peer's consent, and how long nobody answered since it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// It has: a silence of any length is waited out.
    Given,
    /// It has not: so many timeouts since then stayed without an answer.
    Lost { errors: u32 },
}

/// The HEARTBEAT that has not been answered.
#[derive(Debug, Default)]
pub(crate) struct Heartbeat {
    pub(crate) pending: Option<(u64, Instant)>,
}

/// Requests in both directions. Sequence numbers begin at each side's initial TSN (RFC 6525 §4.1).
#[derive(Debug)]
pub(crate) struct Reconfiguration {
    pub(crate) next: u32,
    pub(crate) expected: u32,
    /// The results of the peer's last two requests, as one chunk may carry two.
    pub(crate) results: VecDeque<(u32, ResetResult)>,
    /// The peer's reset that was performed after it had been told to wait: it may ask once more, under another number.
    pub(crate) told: Option<Told>,
    /// Streams of which our direction was reset, and on which we have said nothing since: when the peer's direction is over too, their next
    /// lives may begin.
    pub(crate) over: StreamBits,
    /// Our streams that are ready to be reset.
    pub(crate) ready: VecDeque<StreamId>,
    /// How many streams we want more.
    pub(crate) add: u16,
    pub(crate) request: Option<Ours>,
    /// The streams of one that was answered, and whether it was performed: what follows from that is done in steps.
    pub(crate) answered: VecDeque<(StreamId, bool)>,
}

/// A reset of the peer's that it was told to wait for.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) last: Tsn,
    pub(crate) streams: StreamSet,
    /// So long another request for the same is this one.
    pub(crate) until: Instant,
}

/// Our request under way; there is one at most.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) sequence: u32,
    pub(crate) want: Want,
    /// The peer said that it is on it: waiting is no error then.
    pub(crate) in_progress: bool,
    /// When it was sent last the peer had acknowledged all that it stands behind.
    pub(crate) behind_all: bool,
}

#[derive(Debug)]
pub(crate) enum Want {
    Reset(Vec<StreamId>, Tsn),
    Add(u16),
}

impl Reconfiguration {
    pub(crate) fn new(initial: u32) -> Self {
        Self {
            next: initial,
            expected: 0,
            results: VecDeque::new(),
            told: None,
            over: StreamBits::default(),
            ready: VecDeque::new(),
            add: 0,
            request: None,
            answered: VecDeque::new(),
        }
    }

    /// The association begins; what the user asked for before stays.
    pub(crate) fn restart(&mut self, next: u32, expected: u32) {
        let ready = std::mem::take(&mut self.ready);
        *self = Self {
            expected,
            ready,
            add: self.add,
            ..Self::new(next)
        };
    }

    pub(crate) fn note(&mut self, sequence: u32, result: ResetResult) {
        self.results.retain(|(known, _)| *known != sequence);
        self.results.push_back((sequence, result));
        if self.results.len() > 2 {
            self.results.pop_front();
        }
    }
}
