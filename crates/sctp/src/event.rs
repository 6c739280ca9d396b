//! Facts for the layer above, and the queue that holds them.

use std::collections::VecDeque;

use crate::{StreamId, packet::CauseCode, streams::StreamBits};

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
    /// next life. Who reads on before he has asked for all events may see the next life first.
    IncomingReset {
        /// The stream concerned.
        stream: StreamId,
    },
    /// The peer reset all streams of its direction at once; for each of them it is as after
    /// [`IncomingReset`](Self::IncomingReset).
    AllIncomingReset,
    /// One side added streams; the new totals.
    StreamsAdded {
        /// How many streams we may send on.
        outbound: u16,
        /// How many streams the peer may send on.
        inbound: u16,
    },
    /// The peer does not take so many more streams of ours, or does not know RFC 6525.
    StreamsDenied {
        /// How many were asked for.
        count: u16,
    },
    /// The peer restarted the association (RFC 9260 §5.2.4): what was not acknowledged is gone, all streams are new. What had come before
    /// can be read until `None`, as after [`IncomingReset`](Self::IncomingReset); [`is_from_before`](crate::Association::is_from_before)
    /// tells it from what follows.
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
    /// The peer interleaves so many messages that none of them finds room to become whole (RFC 8260).
    OutOfResource,
}

impl Failure {
    /// The error cause that our ABORT carried (RFC 9260 §3.3.10), if it went out with one.
    pub fn cause_code(self) -> Option<u16> {
        match self {
            Self::SetupTimeout | Self::RetransmissionLimit | Self::ShutdownTimeout => None,
            Self::InvalidSetup => Some(CauseCode::INVALID_MANDATORY_PARAMETER.0),
            Self::NoUserData => Some(CauseCode::NO_USER_DATA.0),
            Self::OutOfResource => Some(CauseCode::OUT_OF_RESOURCE.0),
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
    /// Streams whose buffered amount has become low, where much waits already.
    low: StreamBits,
    incoming_resets: StreamBits,
    /// All streams were reset, before those in the set.
    all_reset: bool,
}

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    /// It happens with every message that leaves: where nobody asks, a set bounds what it costs.
    pub(crate) fn push_low(&mut self, stream: StreamId) {
        if self.queue.len() < MANY {
            self.queue.push_back(Event::BufferedAmountLow { stream });
        } else {
            self.low.insert(stream);
        }
    }

    /// The peer can ask for resets again and again: a set bounds what it costs us.
    pub(crate) fn push_incoming_reset(&mut self, stream: StreamId) {
        self.incoming_resets.insert(stream);
    }

    /// All streams at once are one event, however many there are.
    pub(crate) fn push_all_reset(&mut self) {
        self.incoming_resets.clear();
        self.all_reset = true;
    }

    /// Replaces a waiting event of the same kind, so that what the peer repeats does not add up.
    pub(crate) fn push_latest(&mut self, event: Event) {
        let kind = std::mem::discriminant(&event);
        // One packet may ask for very many, beside as many events as our reset had streams.
        if let Some(last) = self.queue.back_mut()
            && std::mem::discriminant(last) == kind
        {
            *last = event;
            return;
        }
        self.queue.retain(|e| std::mem::discriminant(e) != kind);
        self.queue.push_back(event);
    }

    /// The association begins anew: what was done about the streams of the one before says nothing of those that are now.
    pub(crate) fn restart(&mut self) {
        self.incoming_resets.clear();
        self.all_reset = false;
        self.queue.retain(|event| {
            !matches!(
                event,
                Event::OutgoingReset { .. }
                    | Event::OutgoingResetDenied { .. }
                    | Event::StreamsAdded { .. }
                    | Event::StreamsDenied { .. }
            )
        });
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
            if let Some(stream) = self.low.pop() {
                return Some(Event::BufferedAmountLow { stream });
            }
            if std::mem::take(&mut self.all_reset) {
                return Some(Event::AllIncomingReset);
            }
            let stream = self.incoming_resets.pop()?;
            Some(Event::IncomingReset { stream })
        })
    }
}

/// With so many events waiting, streams whose buffered amount has become low are a set.
const MANY: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9260 §5.2.4.1: what was reset or added has nothing to do with the streams that are now.
    #[test]
    fn a_restart_leaves_nothing_of_what_was_reconfigured() {
        let mut events = Events::default();
        events.push_all_reset();
        events.push_incoming_reset(3);
        let (outbound, inbound) = (5, 5);
        for event in [
            Event::OutgoingReset { stream: 4 },
            Event::OutgoingResetDenied { stream: 5 },
            Event::StreamsAdded { outbound, inbound },
            Event::StreamsDenied { count: 5 },
            Event::Writable,
        ] {
            events.push(event);
        }
        events.restart();
        let left = Vec::from_iter(std::iter::from_fn(|| events.pop()));
        assert_eq!(left, [Event::Writable]);
    }
}
