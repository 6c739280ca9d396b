//! `RTCRtpSender`.

use std::{fmt, sync::Arc};

use super::{
    dtmf::DtmfSender,
    stream::{MediaStream, ids},
    track::MediaStreamTrack,
};
use crate::{
    Codec, Error, MediaKind, RtpCapabilities, RtpSendParameters, StopCause,
    api::{DtlsTransport, engine_lock::KeepOpen, report::report_of},
    engine::{self, StatsSubject, TransceiverId, TransceiverView},
    stats::{EncoderStats, SourceStats, StatsReport},
};

/// `RTCRtpSender` ([W3C §5.2](https://www.w3.org/TR/webrtc/#rtcrtpsender-interface)): sends a track to the peer.
///
/// A handle, cheap to clone; it keeps the connection open.
#[derive(Clone)]
#[doc(alias = "RTCRtpSender")]
pub struct RtpSender {
    keep_open: Arc<KeepOpen>,
    id: TransceiverId,
}

impl RtpSender {
    pub(in crate::api) fn new(keep_open: Arc<KeepOpen>, id: TransceiverId) -> Self {
        Self { keep_open, id }
    }

    pub(in crate::api) fn id(&self) -> TransceiverId {
        self.id
    }

    pub(in crate::api) fn is_of(&self, keep_open: &Arc<KeepOpen>) -> bool {
        Arc::ptr_eq(&self.keep_open, keep_open)
    }

    /// What it sends (`track`); `None` when it has nothing to send.
    pub fn track(&self) -> Option<MediaStreamTrack> {
        let connection = self.keep_open.connection();
        connection.with(|state| state.queues.media.sent(self.id))
    }

    /// `transport`: once a description has given it one.
    pub fn transport(&self) -> Option<DtlsTransport> {
        let id = self.get(|it| it.transport())??;
        Some(DtlsTransport::new(self.keep_open.clone(), id))
    }

    /// `dtmf`: of an audio sender.
    pub fn dtmf(&self) -> Option<DtmfSender> {
        let audio = self.get(|it| it.kind() == MediaKind::Audio)?;
        audio.then(|| {
            let connection = self.keep_open.connection();
            // What is told from now on is kept for its readers.
            connection.with(|state| {
                state.queues.media.tones(self.id);
            });
            DtmfSender::new(self.keep_open.clone(), self.id)
        })
    }

    /// The static `getCapabilities()`: what can be sent at all.
    pub fn capabilities(kind: MediaKind) -> RtpCapabilities {
        engine::capabilities_of(kind)
    }

    /// Whether silence need not be sent: `dtx` of its encoding asks for it, and the peer takes it.
    pub fn discontinuous(&self) -> bool {
        self.get(|it| it.is_discontinuous()).unwrap_or_default()
    }

    /// `replaceTrack()`: another track, or none, without negotiation. The peer sees the same stream go on; video begins with a key
    /// frame that the new track is asked for.
    ///
    /// # Errors
    ///
    /// `Type` for a track of another kind, `InvalidState` when the connection is closed or the transceiver stopped.
    pub async fn replace_track(&self, track: Option<&MediaStreamTrack>) -> Result<(), Error> {
        self.keep_open.connection().with(|state| {
            let now = state.carrier.now();
            let named = track.map(|it| (it.kind(), it.number()));
            state.engine.replace_track(now, self.id, named)?;
            // [5.2-21]: what it has already goes on undisturbed.
            if track.is_none() || state.queues.media.sent(self.id).as_ref() != track {
                state.queues.media.send(self.id, track, &state.inbox);
            }
            state.carrier.flush(now, &mut state.engine);
            Ok(())
        })
    }

    /// `getParameters()`: the beginning of a transaction that [`set_parameters`](Self::set_parameters) ends. Of a transceiver that is not
    /// in the connection any more they are as they were last.
    #[doc(alias = "getParameters")]
    pub fn parameters(&self) -> RtpSendParameters {
        let connection = self.keep_open.connection();
        connection.with(|state| state.engine.parameters(self.id))
    }

    /// `setParameters()`: what [`parameters`](Self::parameters) gave, with other values in its encodings.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is stopped, or the parameters were not asked for, or set or answered since; `InvalidModification`
    /// when something changes that may not, or a codec, a mode or a size cannot be; `Range` for a value out of its range.
    pub async fn set_parameters(&self, parameters: RtpSendParameters) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, now| engine.set_parameters(now, self.id, parameters))
    }

    /// `setStreams()`: the streams in which the peer finds the track. Negotiation is needed when they are others.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the connection is closed.
    pub fn set_streams(&self, streams: &[MediaStream]) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, _| engine.set_streams(self.id, ids(streams)))
    }

    /// `getStats()`: the streams that it sends, and all that they refer to. Without streams it is empty.
    pub async fn get_stats(&self) -> StatsReport {
        let subject = StatsSubject::Sender(self.id);
        report_of(self.keep_open.connection(), subject)
    }

    /// What the encoder of an encoding tells, for statistics: it stands until the next call. `encoding` is its place in the parameters,
    /// 0 where there is one.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is not in the connection any more, `Type` when there is no such encoding.
    pub fn set_encoder_stats(&self, encoding: usize, stats: EncoderStats) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, _| engine.set_encoder_stats(self.id, encoding, stats))
    }

    /// What the camera or microphone of its track tells, for statistics: it stands until the next call, or another track.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is not in the connection any more.
    pub fn set_source_stats(&self, stats: SourceStats) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, _| engine.set_source_stats(self.id, stats))
    }

    /// Why encodings that are active are sent no more, by their places. Empty as long as all goes out. Who writes the track is told by
    /// [`Hint::Encoding`](crate::media::Hint::Encoding), statistics by `active`.
    pub fn stopped(&self) -> Vec<(usize, StopCause)> {
        self.get(|it| it.stopped().collect()).unwrap_or_default()
    }

    /// The codecs that the peer takes, the preferred one first; empty before they are negotiated. Frames of others are left out.
    pub fn codecs(&self) -> Vec<Codec> {
        self.get(|it| it.send_codecs().collect())
            .unwrap_or_default()
    }

    fn get<R>(&self, f: impl FnOnce(TransceiverView<'_>) -> R) -> Option<R> {
        let connection = self.keep_open.connection();
        connection.get(|engine| engine.transceiver(self.id).map(f))
    }
}

impl PartialEq for RtpSender {
    /// Whether both are handles of one sender.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && Arc::ptr_eq(&self.keep_open, &other.keep_open)
    }
}

impl Eq for RtpSender {}

impl fmt::Debug for RtpSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtpSender")
            .field("track", &self.track())
            .finish_non_exhaustive()
    }
}
