//! Facts for the layer above, and the queue that holds them.

use std::collections::VecDeque;

use crate::{StreamId, packet::CauseCode};

/// What happened. Events carry no payload: [`Association::read`](crate::Association::read) has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The association is established and the numbers of streams are negotiated.
    Connected,
    /// There is a message to read; said once until `read` has returned `None`.
    Readable {
        /// The stream to read.
        stream: StreamId,
    },
    /// The buffered amount fell from above the threshold to the threshold or below.
    BufferedAmountLow {
        /// The stream concerned.
        stream: StreamId,
    },
    /// After `send` said `BufferFull`: the send buffer is at most half full again.
    Writable,
    /// The peer performed our reset: the stream's number can be used again in this direction.
    OutgoingReset {
        /// The stream concerned.
        stream: StreamId,
    },
    /// The peer refused our reset; the stream goes on as it was.
    OutgoingResetDenied {
        /// The stream concerned.
        stream: StreamId,
    },
    /// The peer reset its direction: what it sent before can be read until `None`, what follows is the stream's
    /// next life.
    IncomingReset {
        /// The stream concerned.
        stream: StreamId,
    },
    /// One side added streams; the new totals.
    StreamsAdded {
        /// How many streams we may send on.
        outbound: u16,
        /// How many streams the peer may send on.
        inbound: u16,
    },
    /// The peer restarted the association (RFC 9260 §5.2.4): what was not acknowledged is gone, all streams are new.
    Restarted,
    /// The association ended in order, or the peer aborted it.
    Closed {
        /// Who ended it.
        by: Initiator,
        /// The first error cause of an ABORT (RFC 9260 §3.3.10); `None` after a shutdown in order.
        cause_code: Option<u16>,
    },
    /// We gave the association up.
    Failed {
        /// Why.
        cause: Failure,
    },
}

/// Who ended an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiator {
    /// The local user, with `shutdown` or `abort`.
    User,
    /// The peer.
    Remote,
}

/// Why we gave an association up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// INIT or COOKIE ECHO stayed without answer.
    SetupTimeout,
    /// The peer's INIT ACK cannot be used.
    InvalidSetup,
    /// Data stayed without acknowledgement.
    RetransmissionLimit,
    /// The shutdown sequence took too long.
    ShutdownTimeout,
    /// The peer sent a message larger than the configured limit.
    MessageTooLarge,
    /// The peer sent a DATA chunk without data.
    NoUserData,
    /// The peer broke the protocol in a way that cannot be passed over.
    ProtocolViolation,
}

impl Failure {
    /// The error cause that our ABORT carried (RFC 9260 §3.3.10), if it went out with one.
    pub fn cause_code(self) -> Option<u16> {
        match self {
            Self::SetupTimeout | Self::RetransmissionLimit | Self::ShutdownTimeout => None,
            Self::InvalidSetup => Some(CauseCode::INVALID_MANDATORY_PARAMETER.0),
            Self::NoUserData => Some(CauseCode::NO_USER_DATA.0),
            Self::MessageTooLarge | Self::ProtocolViolation => {
                Some(CauseCode::PROTOCOL_VIOLATION.0)
            }
        }
    }
}

/// Events that wait to be polled. Its bound is the nature of the events: those about the association come a few times
/// in its life, those about a stream are coalesced into sets.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: VecDeque<Event>,
    incoming_resets: StreamSet,
}

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    /// The peer can ask for 65535 resets in one chunk, again and again: a set bounds what it costs us.
    pub(crate) fn push_incoming_reset(&mut self, stream: StreamId) {
        self.incoming_resets.insert(stream);
    }

    /// Replaces a waiting event of the same kind, so that what the peer repeats does not add up.
    pub(crate) fn push_latest(&mut self, event: Event) {
        let kind = std::mem::discriminant(&event);
        self.queue.retain(|e| std::mem::discriminant(e) != kind);
        self.queue.push_back(event);
    }

    /// The beginning of an association goes before what came with it.
    pub(crate) fn pop_beginning(&mut self) -> Option<Event> {
        let begins = |event: &mut Event| matches!(event, Event::Connected | Event::Restarted);
        self.queue.pop_front_if(begins)
    }

    /// Resets come last: what was readable before has been announced by then.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front();
        event.or_else(|| {
            let stream = self.incoming_resets.pop()?;
            Some(Event::IncomingReset { stream })
        })
    }
}

/// A set of stream numbers in at most 8 KiB, allocated with its first member.
#[derive(Debug, Default)]
pub(crate) struct StreamSet {
    words: Vec<u64>,
    len: usize,
}

impl StreamSet {
    pub(crate) fn insert(&mut self, stream: StreamId) {
        let (word, bit) = (usize::from(stream / 64), 1u64 << (stream % 64));
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word)
            && *word & bit == 0
        {
            *word |= bit;
            self.len += 1;
        }
    }

    pub(crate) fn pop(&mut self) -> Option<StreamId> {
        if self.len == 0 {
            return None;
        }
        let index = self.words.iter().position(|word| *word != 0)?;
        let word = self.words.get_mut(index)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        self.len -= 1;
        if self.len == 0 {
            self.words = Vec::new();
        }
        StreamId::try_from(index * 64 + bit as usize).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_set_gives_each_member_once() {
        let mut set = StreamSet::default();
        for stream in [7, 65534, 7, 64, 0] {
            set.insert(stream);
        }
        let mut members = Vec::new();
        while let Some(stream) = set.pop() {
            members.push(stream);
        }
        assert_eq!(members, [0, 7, 64, 65534]);
        assert!(set.words.is_empty());
    }
}
