//! What the engine tells: W3C's tasks, in one queue.

use std::collections::VecDeque;

use super::{ChannelId, TransportId};
use crate::{
    DtlsTransportState, Error, IceCandidate, IceCandidateError, IceCandidatePair,
    IceConnectionState, IceGatheringState, IceTransportState, PeerConnectionState,
    SctpTransportState, SignalingState,
};

/// What W3C queues as one task: events that belong together, in order.
///
/// The states that they announce stand since the task was queued.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// At least one.
    pub events: Vec<Event>,
}

/// An event, with the value that it announces (W3C §12).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// `negotiationneeded`.
    NegotiationNeeded,
    /// `icecandidate`; `None` when all candidates of all transports were told.
    IceCandidate(Option<IceCandidate>),
    /// `icecandidateerror`.
    IceCandidateError(IceCandidateError),
    /// `signalingstatechange`.
    SignalingStateChange(SignalingState),
    /// `iceconnectionstatechange`.
    IceConnectionStateChange(IceConnectionState),
    /// `icegatheringstatechange`.
    IceGatheringStateChange(IceGatheringState),
    /// `connectionstatechange`.
    ConnectionStateChange(PeerConnectionState),
    /// `datachannel`: the peer has opened a channel. Its `open` follows.
    DataChannel(ChannelId),
    /// An event of a channel.
    Channel(ChannelId, ChannelEvent),
    /// An event of an ICE transport.
    IceTransport(TransportId, IceTransportEvent),
    /// An event of a DTLS transport.
    DtlsTransport(TransportId, DtlsTransportEvent),
    /// `statechange` of the SCTP transport.
    SctpTransport(SctpTransportState),
    /// The peer has said goodbye: a close_notify of DTLS, or the end of the association. No event of W3C's; it changes no state,
    /// and is told once an association, after the events of what closed with it.
    PeerClosed,
}

/// An event of a data channel (W3C §6.2).
#[derive(Clone, Debug)]
pub enum ChannelEvent {
    /// Messages go both ways.
    Open,
    /// The buffered amount fell to the threshold.
    BufferedAmountLow,
    /// It failed; `Close` follows, unless it goes on.
    Error(Error),
    /// The peer is closing it.
    Closing,
    /// It is closed.
    Close,
}

/// An event of an ICE transport (W3C §5.6).
#[derive(Clone, Debug)]
pub enum IceTransportEvent {
    /// `statechange`.
    StateChange(IceTransportState),
    /// `gatheringstatechange`.
    GatheringStateChange(IceGatheringState),
    /// `selectedcandidatepairchange`.
    SelectedCandidatePairChange(Option<Box<IceCandidatePair>>),
}

/// An event of a DTLS transport (W3C §5.5).
#[derive(Clone, Debug)]
pub enum DtlsTransportEvent {
    /// `statechange`.
    StateChange(DtlsTransportState),
    /// It failed.
    Error(Error),
}

/// What is no event of W3C's, but good to know for who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A message can be read from a channel. Told once until a read found nothing.
    Readable(ChannelId),
    /// All channels may take more: the association's buffer was full and is not any more.
    Writable,
}

/// The queue of tasks.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    queue: VecDeque<Task>,
    /// How many events the binding has taken and its user has not read yet.
    unread: usize,
    /// The peer's end was told.
    peer_closed: bool,
    closed: bool,
}

impl Tasks {
    pub(super) fn push(&mut self, events: Vec<Event>) {
        // The closed guard of each of W3C's tasks.
        if !events.is_empty() && !self.closed {
            self.queue.push_back(Task { events });
        }
    }

    /// The peer has said goodbye, in one way or another.
    pub(super) fn push_peer_closed(&mut self) {
        if !std::mem::replace(&mut self.peer_closed, true) {
            self.push_one(Event::PeerClosed);
        }
    }

    /// A new association: its end will be told again.
    pub(super) fn peer_is_there(&mut self) {
        self.peer_closed = false;
    }

    pub(super) fn push_one(&mut self, event: Event) {
        self.push(vec![event]);
    }

    pub(super) fn pop(&mut self) -> Option<Task> {
        self.queue.pop_front()
    }

    pub(super) fn set_unread(&mut self, events: usize) {
        self.unread = events;
    }

    /// So many wait that the peer may cause no more.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() + self.unread >= MAX_WAITING
    }

    /// W3C's close: no task runs after it.
    pub(super) fn close(&mut self) {
        self.queue.clear();
        self.closed = true;
    }
}

const MAX_WAITING: usize = 1024;
