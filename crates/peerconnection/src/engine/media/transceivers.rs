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
    pub(in crate::engine) fn stop_sending(
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

#[cfg(test)]
mod tests {
    use oxirtc_netsim::epoch;

    use super::*;
    use crate::{
        engine::{Engine, Settings, TransceiverInit, engine},
        stats::{MicrophoneStats, SourceStats},
    };

    fn transceiver(engine: &mut Engine) -> TransceiverId {
        let init = TransceiverInit::default();
        engine
            .add_transceiver(MediaKind::Audio, None, init)
            .unwrap()
    }

    /// Of transceivers that have left the last 64 are remembered.
    #[test]
    fn those_that_left_are_bounded() {
        let mut engine = engine(1, Settings::default());
        let mut media = Media::default();
        let ids: Vec<_> = (0..65).map(|_| transceiver(&mut engine)).collect();
        for (at, id) in ids.iter().enumerate() {
            media.add(*id, MediaKind::Audio, Vec::new());
            let shown = RtpSendParameters {
                transaction_id: format!("{at}"),
                ..RtpSendParameters::default()
            };
            media.remove(*id, shown);
            assert!(media.is_empty());
        }
        let shown = |at: usize| media.left(ids[at]).transaction_id;
        assert_eq!((shown(0), shown(1)), (String::new(), "1".to_owned()));
        assert_eq!((media.left.len(), shown(64)), (64, "64".to_owned()));
    }

    /// A cause is told when it changes, to who encodes as well.
    #[test]
    fn a_stop_is_told_once() {
        let mut engine = engine(1, Settings::default());
        let id = transceiver(&mut engine);
        let it = engine.media.get_mut(id).unwrap();
        let (silence, keys) = (StopCause::Silence, StopCause::KeyExhausted);
        for (cause, is_told) in [
            (None, false),
            (Some(silence), true),
            (Some(silence), false),
            (Some(keys), true),
            (None, true),
            (None, false),
        ] {
            let mut tasks = Tasks::default();
            it.stop_sending(0, cause, &mut tasks);
            let told: Vec<_> = std::iter::from_fn(|| tasks.pop()).flatten().collect();
            let [Event::SendingStopped { .. }, Event::EncodingsChanged(_)] = &told[..] else {
                assert!(told.is_empty() && !is_told, "{cause:?}: {told:?}");
                continue;
            };
            assert!(is_told, "{cause:?}");
        }
    }

    /// What was told of a track is not of the next, and stays with the track that there is.
    #[test]
    fn each_track_is_told_of_by_itself() {
        let mut engine = engine(1, Settings::default());
        let id = transceiver(&mut engine);
        for (track, tracks, is_kept) in [
            (Some(TrackId(1)), 1, false),
            (Some(TrackId(1)), 1, true),
            (Some(TrackId(2)), 2, false),
            (None, 3, false),
        ] {
            let it = engine.media.get_mut(id).unwrap();
            it.set_track(track);
            let report = &mut it.sender.report;
            assert_eq!(it.sender.track, track);
            assert_eq!(report.tracks, tracks);
            assert_eq!(report.track.is_some(), is_kept);
            assert_eq!(report.source.is_some(), is_kept);
            assert_eq!(report.given.frames, u32::from(is_kept));
            report.track = Some("name".to_owned());
            report.given.frames = 1;
            let stats = SourceStats::Microphone(MicrophoneStats::default());
            engine.set_source_stats(id, stats).unwrap();
        }
    }

    /// [4.4.2-57] All that was sent and received has stopped with the connection.
    #[test]
    fn all_stop_with_the_connection() {
        let mut engine = engine(1, Settings::default());
        let id = transceiver(&mut engine);
        let it = engine.media.get_mut(id).unwrap();
        (it.sender.sends, it.receiver.receptive) = (true, true);
        engine.close(epoch());
        let it = engine.media.get(id).unwrap();
        assert!(!it.sender.sends && !it.receiver.receptive && it.receiver.ended);
    }
}
