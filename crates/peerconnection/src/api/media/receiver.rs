//! `RTCRtpReceiver`.

use std::{fmt, sync::Arc, time::Duration};

use super::track::MediaStreamTrack;
use crate::{
    Error, MediaKind, RtpCapabilities, RtpReceiveParameters, RtpSource,
    api::{DtlsTransport, engine_lock::KeepOpen, report::report_of},
    engine::{self, StatsSubject, TransceiverId},
    stats::{DecoderStats, PlayoutStats, StatsReport},
};

/// `RTCRtpReceiver` ([W3C §5.3](https://www.w3.org/TR/webrtc/#rtcrtpreceiver-interface)): receives a track from the peer.
///
/// A handle, cheap to clone; it keeps the connection open.
#[derive(Clone)]
#[doc(alias = "RTCRtpReceiver")]
pub struct RtpReceiver {
    keep_open: Arc<KeepOpen>,
    id: TransceiverId,
    track: MediaStreamTrack,
}

impl RtpReceiver {
    pub(in crate::api) fn id(&self) -> TransceiverId {
        self.id
    }

    pub(in crate::api) fn is_of(&self, keep_open: &Arc<KeepOpen>) -> bool {
        Arc::ptr_eq(&self.keep_open, keep_open)
    }

    pub(in crate::api) fn new(
        keep_open: Arc<KeepOpen>,
        id: TransceiverId,
        track: MediaStreamTrack,
    ) -> Self {
        Self {
            keep_open,
            id,
            track,
        }
    }

    /// `track`: always the same one. It is muted until the peer sends.
    pub fn track(&self) -> &MediaStreamTrack {
        &self.track
    }

    /// `transport`: once a description has given it one.
    pub fn transport(&self) -> Option<DtlsTransport> {
        let connection = self.keep_open.connection();
        let id = connection.get(|engine| engine.transceiver(self.id)?.transport())?;
        Some(DtlsTransport::new(self.keep_open.clone(), id))
    }

    /// The static `getCapabilities()`: what can be received at all.
    pub fn capabilities(kind: MediaKind) -> RtpCapabilities {
        engine::capabilities_of(kind)
    }

    /// Codecs, header extensions and encodings as they were negotiated (`getParameters()`).
    #[doc(alias = "getParameters")]
    pub fn parameters(&self) -> RtpReceiveParameters {
        let connection = self.keep_open.connection();
        connection.get(|engine| engine.receive_parameters(self.id))
    }

    /// `getSynchronizationSources()` and `getContributingSources()`: who was heard in the last ten seconds, the newest first.
    #[doc(alias = "getContributingSources")]
    #[doc(alias = "getSynchronizationSources")]
    pub fn sources(&self) -> Vec<RtpSource> {
        let connection = self.keep_open.connection();
        connection.with(|state| state.engine.sources(state.carrier.now(), self.id))
    }

    /// `jitterBufferTarget`: what was set.
    pub fn jitter_buffer_target(&self) -> Option<Duration> {
        let connection = self.keep_open.connection();
        connection.get(|engine| engine.jitter_buffer_target(self.id))
    }

    /// Sets `jitterBufferTarget`: how long frames wait at least before they are given to readers. `None` leaves it to what the path
    /// does.
    ///
    /// # Errors
    ///
    /// `Range` above 4 s; `InvalidState` when the transceiver is not in the connection any more.
    pub fn set_jitter_buffer_target(&self, target: Option<Duration>) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, _| engine.set_jitter_buffer_target(self.id, target))
    }

    /// `getStats()`: the streams that it receives, and all that they refer to. Without streams it is empty.
    pub async fn get_stats(&self) -> StatsReport {
        let subject = StatsSubject::Receiver(self.id);
        report_of(self.keep_open.connection(), subject)
    }

    /// What the decoder of a lane tells, for statistics; without simulcast that is lane 0. It stands until the next call.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is not in the connection any more, `Type` when there is no such lane.
    pub fn set_decoder_stats(&self, lane: u8, stats: DecoderStats) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, _| engine.set_decoder_stats(self.id, lane, stats))
    }

    /// What plays its audio tells, for statistics: from now on there is a `media-playout`. It stands until the next call.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is not in the connection any more.
    pub fn set_playout_stats(&self, stats: PlayoutStats) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, _| engine.set_playout_stats(self.id, stats))
    }

    /// The rids that the peer sends, in the order of their lanes; empty without simulcast.
    pub fn rids(&self) -> Vec<String> {
        let connection = self.keep_open.connection();
        let rids = connection.get(|engine| Some(engine.transceiver(self.id)?.rids().to_vec()));
        rids.unwrap_or_default()
    }
}

impl PartialEq for RtpReceiver {
    /// Whether both are handles of one receiver.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && Arc::ptr_eq(&self.keep_open, &other.keep_open)
    }
}

impl Eq for RtpReceiver {}

impl fmt::Debug for RtpReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtpReceiver")
            .field("track", &self.track)
            .finish_non_exhaustive()
    }
}
