//! The registry: which extension has which URI, and which id it was given.

/// A header extension that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// The mid of the media section (RFC 9143 §15).
    Mid,
    /// The rid of a simulcast layer (RFC 8852).
    Rid,
    /// The rid of the layer that a repair stream belongs to (RFC 8852).
    RepairedRid,
    /// How loud the audio is (RFC 6464).
    AudioLevel,
    /// How loud each contributing source is (RFC 6465).
    MixedLevels,
    /// When the packet was sent, 24 bits of seconds.
    AbsoluteSendTime,
    /// When the frame was captured, by the clock of who captured it.
    AbsoluteCaptureTime,
    /// A number that counts all packets of a transport.
    TransportNumber,
    /// The same, with a request of feedback.
    TransportNumberRequest,
    /// How the picture is rotated (3GPP TS 26.114 §7.4.5).
    Orientation,
    /// How long the receiver should wait before it plays.
    PlayoutDelay,
    /// Which layers are sent, and at which rate.
    Layers,
    /// Which frames a frame needs (AV1 RTP specification, appendix A).
    Descriptor,
    /// Whether the video shows a screen.
    ContentType,
    /// When the stages of the sender were passed.
    VideoTiming,
    /// The colour space, with mastering data of high dynamic range.
    ColourSpace,
    /// How much later than the timestamp says the packet was sent (RFC 5450).
    TransmissionOffset,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
        Self::AudioLevel,
        Self::MixedLevels,
        Self::AbsoluteSendTime,
        Self::AbsoluteCaptureTime,
        Self::TransportNumber,
        Self::TransportNumberRequest,
        Self::Orientation,
        Self::PlayoutDelay,
        Self::Layers,
        Self::Descriptor,
        Self::ContentType,
        Self::VideoTiming,
        Self::ColourSpace,
        Self::TransmissionOffset,
    ];

    /// Its URI in `a=extmap`.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::MixedLevels => "urn:ietf:params:rtp-hdrext:csrc-audio-level",
            Self::AbsoluteSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::AbsoluteCaptureTime => {
                "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
            }
            Self::TransportNumber => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::TransportNumberRequest => {
                "http://www.webrtc.org/experiments/rtp-hdrext/transport-wide-cc-02"
            }
            Self::Orientation => "urn:3gpp:video-orientation",
            Self::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            Self::Layers => {
                "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00"
            }
            Self::Descriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
            Self::ContentType => "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
            Self::VideoTiming => "http://www.webrtc.org/experiments/rtp-hdrext/video-timing",
            Self::ColourSpace => "http://www.webrtc.org/experiments/rtp-hdrext/color-space",
            Self::TransmissionOffset => "urn:ietf:params:rtp-hdrext:toffset",
        }
    }

    /// The extension with this URI.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.uri() == uri)
    }
}

/// Which id each extension was given in a media section, both ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// By kind; 0 is none.
    ids: [u8; Kind::ALL.len()],
}

impl Ids {
    /// No extension at all.
    pub const fn new() -> Self {
        Self {
            ids: [0; Kind::ALL.len()],
        }
    }

    /// Gives this id to an extension; 0 takes it away.
    pub fn set(&mut self, kind: Kind, id: u8) {
        if let Some(slot) = self.ids.get_mut(kind as usize) {
            *slot = id;
        }
    }

    /// With this id given to an extension.
    #[must_use]
    pub fn with(mut self, kind: Kind, id: u8) -> Self {
        self.set(kind, id);
        self
    }

    /// The id of an extension.
    pub fn id(&self, kind: Kind) -> Option<u8> {
        self.ids.get(kind as usize).copied().filter(|id| *id != 0)
    }

    /// The extension with this id.
    pub fn kind(&self, id: u8) -> Option<Kind> {
        let at = self.ids.iter().position(|it| *it == id && id != 0)?;
        Kind::ALL.get(at).copied()
    }

    /// True if some id needs the form with two bytes.
    pub fn needs_two_bytes(&self) -> bool {
        self.ids.iter().any(|id| *id > 14)
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_whole() {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(Kind::from_uri(kind.uri()), Some(kind));
            let ids = Ids::new().with(kind, 9);
            assert_eq!((ids.id(kind), ids.kind(9)), (Some(9), Some(kind)));
        }
        assert_eq!(Ids::new().kind(0), None);
        assert!(Ids::new().with(Kind::Mid, 15).needs_two_bytes());
    }
}
