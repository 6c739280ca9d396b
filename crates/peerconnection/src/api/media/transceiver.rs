//! `RTCRtpTransceiver`.

use std::{fmt, sync::Arc};

use super::{
    receiver::RtpReceiver,
    sender::RtpSender,
    stream::{MediaStream, ids},
    track::MediaStreamTrack,
};
use crate::{
    Error, ErrorKind, MediaKind, RtpCodec, RtpEncodingParameters, RtpHeaderExtensionCapability,
    RtpTransceiverDirection,
    api::engine_lock::KeepOpen,
    engine::{self, TransceiverId, TransceiverView},
};

/// `RTCRtpTransceiver` ([W3C §5.4](https://www.w3.org/TR/webrtc/#rtcrtptransceiver-interface)): a sender and a receiver that share
/// a section of the descriptions.
///
/// A handle, cheap to clone; it keeps the connection open.
#[derive(Clone)]
#[doc(alias = "RTCRtpTransceiver")]
pub struct RtpTransceiver {
    keep_open: Arc<KeepOpen>,
    id: TransceiverId,
    track: MediaStreamTrack,
}

/// `RTCRtpTransceiverInit` (W3C §5.1).
#[derive(Clone, Debug, Default)]
#[doc(alias = "RTCRtpTransceiverInit")]
pub struct RtpTransceiverInit {
    /// What is wanted. Default: `SendRecv`.
    pub direction: RtpTransceiverDirection,
    /// The streams of the track that is sent.
    pub streams: Vec<MediaStream>,
    /// What is sent: with several, each has its rid. Default: one stream.
    pub send_encodings: Vec<RtpEncodingParameters>,
}

/// What a transceiver is made for: a track to send, or a kind of media.
#[derive(Clone, Debug)]
pub enum TrackOrKind {
    /// To send this track.
    Track(MediaStreamTrack),
    /// For a kind of media, without a track yet.
    Kind(MediaKind),
}

impl RtpTransceiver {
    /// With the track of its receiver.
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

    /// The kind of media that it is for.
    pub fn kind(&self) -> MediaKind {
        self.track.kind()
    }

    /// `mid`: its section, once a description has it.
    pub fn mid(&self) -> Option<String> {
        self.get(|it| it.mid().map(str::to_owned))?
    }

    /// Its half that sends (`sender`).
    pub fn sender(&self) -> RtpSender {
        RtpSender::new(self.keep_open.clone(), self.id)
    }

    /// Its half that receives (`receiver`).
    pub fn receiver(&self) -> RtpReceiver {
        RtpReceiver::new(self.keep_open.clone(), self.id, self.track.clone())
    }

    /// `direction`: what is wanted; `Stopped` once it was stopped.
    pub fn direction(&self) -> RtpTransceiverDirection {
        let direction = self.get(|it| it.direction());
        direction.unwrap_or(RtpTransceiverDirection::Stopped)
    }

    /// Sets `direction`. Negotiation is needed then.
    ///
    /// # Errors
    ///
    /// `InvalidState` when it is stopped or closed, `Type` for `Stopped`.
    pub fn set_direction(&self, direction: RtpTransceiverDirection) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, _| engine.set_direction(self.id, direction))
    }

    /// `currentDirection`: what was negotiated; `None` before that.
    pub fn current_direction(&self) -> Option<RtpTransceiverDirection> {
        self.get(|it| it.current_direction())
            .unwrap_or(Some(RtpTransceiverDirection::Stopped))
    }

    /// `stop()`: nothing is sent and received any more, and the next offer gives its section up.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the connection is closed.
    pub fn stop(&self) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, now| engine.stop_transceiver(now, self.id))
    }

    /// `setCodecPreferences()`: the codecs of the next description in this order, of those that
    /// [`capabilities`](RtpSender::capabilities) has; none for the default.
    ///
    /// # Errors
    ///
    /// `InvalidModification` when one is no codec of ours, or none carries media; `InvalidState` when the connection is closed, or the
    /// transceiver not in it any more.
    pub fn set_codec_preferences(&self, codecs: &[RtpCodec]) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, _| engine.set_codec_preferences(self.id, codecs))
    }

    /// `getHeaderExtensionsToNegotiate()`: all header extensions that there are for its kind of media, each with the direction that it
    /// will have in the next description; `Stopped` is left out.
    ///
    /// # Errors
    ///
    /// `InvalidState` when it is not in the connection any more.
    pub fn header_extensions_to_negotiate(
        &self,
    ) -> Result<Vec<RtpHeaderExtensionCapability>, Error> {
        let connection = self.keep_open.connection();
        connection.get(|engine| engine.header_extensions_to_negotiate(self.id))
    }

    /// `setHeaderExtensionsToNegotiate()`: what [`header_extensions_to_negotiate`](Self::header_extensions_to_negotiate) has given, with
    /// other directions. They count from the next negotiation on.
    ///
    /// # Errors
    ///
    /// `InvalidState` when it is stopping; `InvalidModification` when these are others, or in another order, or the mid is not used both
    /// ways.
    pub fn set_header_extensions_to_negotiate(
        &self,
        extensions: &[RtpHeaderExtensionCapability],
    ) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, _| engine.set_header_extensions_to_negotiate(self.id, extensions))
    }

    /// `getNegotiatedHeaderExtensions()`: all header extensions that there are for its kind of media, each with the direction in which
    /// both ends use it; `Stopped` is not at all. None before an answer.
    ///
    /// # Errors
    ///
    /// `InvalidState` when it is not in the connection any more.
    pub fn negotiated_header_extensions(&self) -> Result<Vec<RtpHeaderExtensionCapability>, Error> {
        let connection = self.keep_open.connection();
        connection.get(|engine| engine.negotiated_header_extensions(self.id))
    }

    fn get<R>(&self, f: impl FnOnce(TransceiverView<'_>) -> R) -> Option<R> {
        let connection = self.keep_open.connection();
        connection.get(|engine| engine.transceiver(self.id).map(f))
    }
}

impl RtpTransceiverInit {
    pub(in crate::api) fn into_engine(self) -> engine::TransceiverInit {
        engine::TransceiverInit {
            direction: self.direction,
            streams: ids(&self.streams),
            encodings: self.send_encodings,
        }
    }
}

impl TrackOrKind {
    pub(in crate::api) fn kind(&self) -> MediaKind {
        match self {
            Self::Track(track) => track.kind(),
            Self::Kind(kind) => *kind,
        }
    }

    pub(in crate::api) fn track(&self) -> Option<&MediaStreamTrack> {
        match self {
            Self::Track(track) => Some(track),
            Self::Kind(_) => None,
        }
    }
}

impl From<MediaKind> for TrackOrKind {
    fn from(kind: MediaKind) -> Self {
        Self::Kind(kind)
    }
}

impl From<&MediaStreamTrack> for TrackOrKind {
    fn from(track: &MediaStreamTrack) -> Self {
        Self::Track(track.clone())
    }
}

impl TryFrom<&str> for TrackOrKind {
    type Error = Error;

    /// [5.1-12] `audio` or `video`.
    fn try_from(kind: &str) -> Result<Self, Error> {
        match kind {
            "audio" => Ok(Self::Kind(MediaKind::Audio)),
            "video" => Ok(Self::Kind(MediaKind::Video)),
            _ => {
                let message = format!("{kind} is no kind of media");
                Err(Error::new(ErrorKind::Type, message))
            }
        }
    }
}

impl PartialEq for RtpTransceiver {
    /// Whether both are handles of one transceiver.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && Arc::ptr_eq(&self.keep_open, &other.keep_open)
    }
}

impl Eq for RtpTransceiver {}

impl fmt::Debug for RtpTransceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtpTransceiver")
            .field("mid", &self.mid())
            .field("direction", &self.direction())
            .finish_non_exhaustive()
    }
}
