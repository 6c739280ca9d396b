//! The transceivers of a connection, as far as media goes: what their sections carry, and what the peer was told to have changed.

use std::collections::{BTreeMap, VecDeque};

use oxirtc_jsep as jsep;
use oxirtc_rtp::{Delivery, SectionId};

use super::{
    reports::{Given, ReceiverReport, SenderReport},
    tones::Dtmf,
};
use crate::{
    Choice, DegradationPreference, Error, ErrorKind, MediaKind, RtpEncodingParameters,
    RtpSendParameters, StopCause,
    engine::{
        convert,
        ids::{TrackId, TransceiverId, TransportId},
        task::{Event, Tasks},
    },
};

/// All transceivers, in the order in which they were added.
#[derive(Default)]
pub(in crate::engine) struct Media {
    list: Vec<MediaTransceiver>,
    /// Counts the transactions of parameters.
    pub(super) transactions: u64,
    /// What the senders of transceivers that left showed last: who has one may still ask.
    left: VecDeque<(TransceiverId, RtpSendParameters)>,
}

/// A sender and a receiver.
pub(in crate::engine) struct MediaTransceiver {
    pub(in crate::engine) id: TransceiverId,
    pub(in crate::engine) kind: MediaKind,
    /// What carries its section.
    pub(in crate::engine) on: Option<TransportId>,
    pub(in crate::engine) sender: Sender,
    pub(in crate::engine) receiver: Receiver,
    /// What RTP knows of it is not what was negotiated.
    pub(in crate::engine) changed: bool,
}

pub(in crate::engine) struct Sender {
    pub(in crate::engine) track: Option<TrackId>,
    /// What was negotiated last. It stays while nothing is sent, so that streams go on with their numbers afterwards.
    pub(in crate::engine) negotiated: Option<Box<jsep::SendParameters>>,
    /// Whether something is to be sent.
    pub(in crate::engine) sends: bool,
    /// W3C's `[[SendEncodings]]`.
    pub(in crate::engine) encodings: Vec<RtpEncodingParameters>,
    /// What the application was told last.
    pub(in crate::engine) told: Told,
    /// Those that are active and sent no more, by their places.
    pub(in crate::engine) stopped: BTreeMap<usize, StopCause>,
    /// What suffers first when the network carries too little (`degradationPreference`).
    pub(in crate::engine) degradation: Option<DegradationPreference>,
    /// W3C's `[[LastReturnedParameters]]`, by their transaction.
    pub(in crate::engine) transaction: Option<u64>,
    /// Tones that are still to be played.
    pub(in crate::engine) dtmf: Dtmf,
    /// The rids that the streams of its source have, by lane.
    pub(in crate::engine) rids: Vec<String>,
    /// What of its source it sends.
    pub(in crate::engine) choice: Choice,
    /// The lane that was chosen last, of those that the source has.
    pub(in crate::engine) lane: u8,
    /// For statistics.
    pub(in crate::engine) report: SenderReport,
}

/// What the application is told of a sender whenever it changes, for who encodes.
#[derive(Default, PartialEq)]
pub(in crate::engine) struct Told {
    pub(in crate::engine) encodings: Vec<RtpEncodingParameters>,
    pub(in crate::engine) degradation: Option<DegradationPreference>,
    /// Whether the peer takes units of H.264 whole only.
    pub(in crate::engine) single_units: bool,
}

#[derive(Default)]
pub(in crate::engine) struct Receiver {
    /// What was negotiated last.
    pub(in crate::engine) negotiated: Option<Box<jsep::ReceiveParameters>>,
    /// W3C's `[[Receptive]]`.
    pub(in crate::engine) receptive: bool,
    /// The peer's latest description has it sending, and the track was told of.
    pub(in crate::engine) receiving: bool,
    /// The ids of the streams of its track.
    pub(in crate::engine) streams: Vec<String>,
    /// The track gives something: a packet has come since it was muted.
    pub(in crate::engine) flows: bool,
    pub(in crate::engine) ended: bool,
    pub(in crate::engine) delivery: Delivery,
    /// For statistics.
    pub(in crate::engine) report: ReceiverReport,
}

impl Media {
    #[inline]
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(in crate::engine) fn add(
        &mut self,
        id: TransceiverId,
        kind: MediaKind,
        encodings: Vec<RtpEncodingParameters>,
    ) {
        self.list.push(MediaTransceiver {
            id,
            kind,
            on: None,
            sender: Sender {
                track: None,
                negotiated: None,
                sends: false,
                told: Told {
                    encodings: encodings.clone(),
                    ..Told::default()
                },
                stopped: BTreeMap::new(),
                encodings,
                degradation: None,
                transaction: None,
                dtmf: Dtmf::default(),
                rids: Vec::new(),
                choice: Choice::default(),
                lane: 0,
                report: SenderReport::default(),
            },
            receiver: Receiver::default(),
            changed: false,
        });
    }

    pub(in crate::engine) fn get(&self, id: TransceiverId) -> Option<&MediaTransceiver> {
        self.list.iter().find(|it| it.id == id)
    }

    pub(in crate::engine) fn get_mut(
        &mut self,
        id: TransceiverId,
    ) -> Option<&mut MediaTransceiver> {
        self.list.iter_mut().find(|it| it.id == id)
    }

    pub(in crate::engine) fn of_section(&mut self, id: SectionId) -> Option<&mut MediaTransceiver> {
        self.list.iter_mut().find(|it| it.section() == id)
    }

    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = &MediaTransceiver> {
        self.list.iter()
    }

    pub(in crate::engine) fn iter_mut(&mut self) -> impl Iterator<Item = &mut MediaTransceiver> {
        self.list.iter_mut()
    }

    /// It leaves the connection; `shown` is what its sender shows from now on.
    pub(super) fn remove(&mut self, id: TransceiverId, shown: RtpSendParameters) {
        self.list.retain(|it| it.id != id);
        if self.left.len() >= MOST_LEFT {
            self.left.pop_front();
        }
        self.left.push_back((id, shown));
    }

    /// What the sender of a transceiver that left showed last; nothing, when many others have left since.
    pub(super) fn left(&self, id: TransceiverId) -> RtpSendParameters {
        let found = self.left.iter().find(|it| it.0 == id);
        found.map(|it| it.1.clone()).unwrap_or_default()
    }

    /// [4.4.2-57] The connection closes: all are stopped.
    pub(in crate::engine) fn stop(&mut self) {
        for it in &mut self.list {
            it.sender.sends = false;
            it.receiver.receptive = false;
            it.receiver.ended = true;
        }
    }

    /// A number for a transaction of parameters.
    pub(in crate::engine) fn next_transaction(&mut self) -> u64 {
        self.transactions += 1;
        self.transactions
    }
}

impl MediaTransceiver {
    /// What RTP calls it.
    pub(in crate::engine) fn section(&self) -> SectionId {
        SectionId(self.id.0.value())
    }

    /// An encoding is sent no more, or again. Who encodes need not, then.
    pub(super) fn stop_sending(
        &mut self,
        encoding: usize,
        cause: Option<StopCause>,
        tasks: &mut Tasks,
    ) {
        let stopped = &mut self.sender.stopped;
        let before = match cause {
            Some(cause) => stopped.insert(encoding, cause),
            None => stopped.remove(&encoding),
        };
        if before != cause {
            tasks.push_one(Event::SendingStopped {
                transceiver: self.id,
                encoding,
                cause,
            });
            tasks.push_one(Event::EncodingsChanged(self.id));
        }
    }

    /// Whether what the peer takes of H.264 is units that are not cut.
    pub(in crate::engine) fn takes_single_units(&self) -> bool {
        let negotiated = self.sender.negotiated.as_deref();
        negotiated.is_some_and(|it| convert::takes_single_units(&it.codecs))
    }

    /// Its sender has this track from now on: what was told of another source is not of this one.
    pub(super) fn set_track(&mut self, track: Option<TrackId>) {
        if self.sender.track != track {
            self.sender.track = track;
            let report = &mut self.sender.report;
            (report.track, report.source) = (None, None);
            report.given = Given::default();
            report.tracks = report.tracks.wrapping_add(1);
        }
    }

    /// W3C's default encoding ([5.2-01]).
    pub(in crate::engine) fn default_encodings(kind: MediaKind) -> Vec<RtpEncodingParameters> {
        vec![RtpEncodingParameters {
            scale_resolution_down_by: (kind == MediaKind::Video).then_some(1.0),
            ..RtpEncodingParameters::default()
        }]
    }
}

pub(super) fn no_transceiver() -> Error {
    let message = "the transceiver is not in the connection any more";
    Error::new(ErrorKind::InvalidState, message)
}

/// A peer can make transceivers leave for ever.
const MOST_LEFT: usize = 64;
