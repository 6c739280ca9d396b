//! What the engine tells: W3C's tasks, in one queue.

use std::{collections::VecDeque, iter, vec};

use super::{
    ids::{ChannelId, TransceiverId, TransportId},
    transport::IceCandidatePair,
};
use crate::{
    DtlsTransportState, Error, IceCandidate, IceCandidateError, IceConnectionState,
    IceGatheringState, IceTransportState, PeerConnectionState, RtcpDatagram, SctpTransportState,
    SignalingState, StatsReport, StopCause,
};

/// What W3C queues as one task: events that belong together, in order.
///
/// The states that they announce stand since the task was queued.
#[derive(Clone, Debug)]
pub struct Task {
    first: Event,
    /// Most tasks have none, and cost no allocation.
    rest: Vec<Event>,
}

/// An event, with the value that it announces (W3C §12).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The application is to make an offer (`negotiationneeded`).
    NegotiationNeeded,
    /// `icecandidate`; `None` when all candidates of all transports were told.
    IceCandidate(Option<IceCandidate>),
    /// A STUN or TURN server gave no candidate, and why (`icecandidateerror`).
    IceCandidateError(IceCandidateError),
    /// The signaling state has changed: which description is awaited now (`signalingstatechange`).
    SignalingStateChange(SignalingState),
    /// ICE has found a path to the peer, has lost it, or looks for one (`iceconnectionstatechange`).
    IceConnectionStateChange(IceConnectionState),
    /// Gathering of addresses has begun, or has ended (`icegatheringstatechange`).
    IceGatheringStateChange(IceGatheringState),
    /// The connection, ICE and DTLS together, is up, or is not any more (`connectionstatechange`).
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
    /// `track`: the peer sends on a transceiver, or in another stream (W3C §5.7).
    Track {
        /// The transceiver.
        transceiver: TransceiverId,
        /// The ids of the streams of its track, in the order of the description.
        streams: Vec<String>,
    },
    /// `addtrack` or `removetrack` of a stream: the peer has added the track of a receiver, or taken it away.
    StreamChange {
        /// The id of the stream.
        stream: String,
        /// The receiver of the track.
        transceiver: TransceiverId,
        /// It was added.
        added: bool,
    },
    /// `mute` or `unmute` of a receiver's track.
    TrackMute(TransceiverId, bool),
    /// `ended` of a receiver's track.
    TrackEnded(TransceiverId),
    /// `tonechange` of a sender: the tone that begins, or none when all were played (W3C §7.4).
    ToneChange(TransceiverId, String),
    /// `statsended`, of W3C's draft of 2018: the last values of what statistics show no more. Only after
    /// [`watch_ended_stats`](crate::engine::Engine::watch_ended_stats).
    StatsEnded(Box<StatsReport>),
    /// None of W3C's: the peer plays a tone of a telephone on a receiver.
    Tone(TransceiverId, char),
    /// None of W3C's: a whole frame can be read from a receiver.
    FrameReadable(TransceiverId),
    /// None of W3C's: a sender needs a key frame, on this lane of its source.
    KeyframeRequested {
        /// The sender.
        transceiver: TransceiverId,
        /// Which of the parallel streams of its source.
        lane: u8,
    },
    /// None of W3C's: the peer allows so many bits a second on an encoding; `None` takes the limit away.
    BitrateAllowed {
        /// The sender.
        transceiver: TransceiverId,
        /// The place of the encoding.
        encoding: usize,
        /// Bits a second.
        bits: Option<u64>,
    },
    /// None of W3C's: an active encoding is sent no more, or is sent again. `EncodingsChanged` follows.
    SendingStopped {
        /// The sender.
        transceiver: TransceiverId,
        /// The place of the encoding.
        encoding: usize,
        /// Why; `None` when it is sent again.
        cause: Option<StopCause>,
    },
    /// None of W3C's: what the encodings of a sender ask of an encoder has changed.
    EncodingsChanged(TransceiverId),
    /// None of W3C's: a datagram of RTCP came by a transport of which it is read.
    Rtcp(TransportId, RtcpDatagram),
    /// None of W3C's: the peer has said goodbye, with a close_notify of DTLS or by ending the association. It changes no state,
    /// and is told once an association, after the events of what closed with it.
    PeerClosed,
    /// None of W3C's: a message can be read from a channel. Told once until a read found nothing.
    Readable(ChannelId),
    /// None of W3C's: all channels may take more, as the association's buffer was full and is not any
    /// more.
    Writable,
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
    /// It has found a path to the peer, has lost it, or looks for one (`statechange`).
    StateChange(IceTransportState),
    /// It gathers addresses, or has gathered them all (`gatheringstatechange`).
    GatheringStateChange(IceGatheringState),
    /// Data goes between other addresses from now on (`selectedcandidatepairchange`).
    SelectedCandidatePairChange(Option<Box<IceCandidatePair>>),
}

/// An event of a DTLS transport (W3C §5.5).
#[derive(Clone, Debug)]
pub enum DtlsTransportEvent {
    /// The handshake has begun, is done, or has failed, or the peer has closed (`statechange`).
    StateChange(DtlsTransportState),
    /// It failed.
    Error(Error),
}

impl Task {
    /// Its events, in order; at least one.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        iter::once(&self.first).chain(&self.rest)
    }
}

impl IntoIterator for Task {
    type Item = Event;
    type IntoIter = iter::Chain<iter::Once<Event>, vec::IntoIter<Event>>;

    fn into_iter(self) -> Self::IntoIter {
        iter::once(self.first).chain(self.rest)
    }
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
        if events.is_empty() {
            return;
        }
        let mut events = events.into_iter();
        if let Some(first) = events.next() {
            let rest = events.collect();
            self.queue_up(Task { first, rest });
        }
    }

    pub(super) fn push_one(&mut self, event: Event) {
        self.queue_up(Task {
            first: event,
            rest: Vec::new(),
        });
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

    pub(super) fn pop(&mut self) -> Option<Task> {
        self.queue.pop_front()
    }

    /// [6.2-01] Of a channel that is closed here it is not told any more that it has opened.
    pub(super) fn take_back_open(&mut self, id: ChannelId) {
        let opened =
            |it: &Task| matches!(&it.first, Event::Channel(of, ChannelEvent::Open) if *of == id);
        self.queue.retain(|task| !opened(task));
    }

    fn queue_up(&mut self, task: Task) {
        // The closed guard of each of W3C's tasks.
        if !self.closed {
            self.queue.push_back(task);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// [4.4.1.3-01] The closed guard.
    #[test]
    fn nothing_is_told_once_it_is_closed() {
        let mut tasks = Tasks::default();
        tasks.push_one(Event::NegotiationNeeded);
        tasks.close();
        tasks.push_one(Event::Writable);
        tasks.push(vec![Event::NegotiationNeeded]);
        assert!(tasks.pop().is_none());
    }

    /// An ABORT and a close_notify tell the same end; that of an association that follows is another.
    #[test]
    fn the_end_of_a_peer_is_told_once() {
        let mut tasks = Tasks::default();
        let ends = |tasks: &mut Tasks| {
            tasks.push_peer_closed();
            tasks.push_peer_closed();
            iter::from_fn(|| tasks.pop()).count()
        };
        assert_eq!((ends(&mut tasks), ends(&mut tasks)), (1, 0));
        tasks.peer_is_there();
        assert_eq!(ends(&mut tasks), 1);
    }

    #[test]
    fn a_task_has_its_events_in_order() {
        let mut tasks = Tasks::default();
        tasks.push(Vec::new());
        tasks.push(vec![Event::NegotiationNeeded, Event::IceCandidate(None)]);
        let task = tasks.pop().unwrap();
        assert_eq!(task.events().count(), 2);
        let events: Vec<_> = task.into_iter().collect();
        assert!(matches!(
            events[..],
            [Event::NegotiationNeeded, Event::IceCandidate(None)]
        ));
        assert!(tasks.pop().is_none(), "an empty task is none");
    }
}
