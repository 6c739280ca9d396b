//! A transceiver, as W3C shows it.

use oxirtc_jsep as jsep;

use super::transceivers::{Media, MediaTransceiver};
use crate::{
    Codec, DegradationPreference, DtxStatus, MediaKind, RtpEncodingParameters,
    RtpTransceiverDirection, StopCause,
    engine::{
        convert,
        ids::{TrackId, TransceiverId, TransportId},
    },
};

/// A transceiver with its sender and its receiver (W3C §5.2 to §5.4), as they are at this moment.
#[derive(Clone, Copy)]
pub struct TransceiverView<'a> {
    media: &'a MediaTransceiver,
    described: &'a jsep::Transceiver,
}

impl<'a> TransceiverView<'a> {
    pub(super) fn new(
        id: TransceiverId,
        media: &'a Media,
        negotiator: &'a jsep::Negotiator,
    ) -> Option<Self> {
        Some(Self {
            media: media.get(id)?,
            described: negotiator.transceiver(id.0)?,
        })
    }

    /// Its number.
    pub fn id(self) -> TransceiverId {
        self.media.id
    }

    /// What it carries.
    pub fn kind(self) -> MediaKind {
        self.media.kind
    }

    /// `mid`: its section, once a description has it.
    pub fn mid(self) -> Option<&'a str> {
        self.described.mid()
    }

    /// `direction`: what is wanted; `Stopped` from `stop()` on.
    pub fn direction(self) -> RtpTransceiverDirection {
        let direction = self.described.direction();
        direction.map_or(RtpTransceiverDirection::Stopped, convert::shown_direction)
    }

    /// `currentDirection`: what was negotiated.
    pub fn current_direction(self) -> Option<RtpTransceiverDirection> {
        if self.described.is_stopped() {
            return Some(RtpTransceiverDirection::Stopped);
        }
        self.described
            .current_direction()
            .map(convert::shown_direction)
    }

    /// What its sender and its receiver have as `transport`.
    pub fn transport(self) -> Option<TransportId> {
        self.media.on
    }

    /// The caller's number of its sender's track.
    pub fn track(self) -> Option<TrackId> {
        self.media.sender.track
    }

    /// The encodings of its sender.
    pub fn encodings(self) -> &'a [RtpEncodingParameters] {
        &self.media.sender.encodings
    }

    /// What suffers first when the network carries too little.
    pub fn degradation_preference(self) -> Option<DegradationPreference> {
        self.media.sender.degradation
    }

    /// The encodings that are active and sent no more, by their places.
    pub fn stopped(self) -> impl Iterator<Item = (usize, StopCause)> + 'a {
        self.media.sender.stopped.iter().map(|it| (*it.0, *it.1))
    }

    /// Whether the peer takes H.264 in packetization mode 0 alone (RFC 6184 §6.2): each packet is a unit that is not cut.
    pub fn takes_single_units(self) -> bool {
        self.media.takes_single_units()
    }

    /// Whether something can be sent: an answer has said so.
    pub fn sends(self) -> bool {
        self.media.sender.sends
    }

    /// The codecs that can be sent, the preferred one first.
    pub fn send_codecs(self) -> impl Iterator<Item = Codec> + 'a {
        let sender = &self.media.sender;
        let chosen = sender.encodings.first().and_then(|it| it.codec.as_ref());
        let chosen = chosen.and_then(|it| it.mime_type.split_once('/'));
        let chosen = chosen.and_then(|(_, name)| convert::named_codec(name));
        let negotiated = sender.negotiated.as_deref();
        let all = negotiated.into_iter().flat_map(|it| &it.codecs.media);
        let all = all.filter_map(|it| convert::named_codec(&it.codec.name));
        let first = all.clone().filter(move |it| Some(*it) == chosen);
        first.chain(all.filter(move |it| Some(*it) != chosen))
    }

    /// Whether silence need not be sent: its encoding asks for it, and the peer takes it, by `usedtx=1` of Opus (RFC 7587 §6.1) or comfort
    /// noise (RFC 3389).
    pub fn is_discontinuous(self) -> bool {
        let sender = &self.media.sender;
        let wanted = sender.encodings.first().and_then(|it| it.dtx) == Some(DtxStatus::Enabled);
        let taken = |codecs: &jsep::Codecs| !codecs.noise.is_empty() || convert::uses_dtx(codecs);
        let negotiated = sender.negotiated.as_deref();
        wanted && negotiated.is_some_and(|it| taken(&it.codecs))
    }

    /// The rids that the peer sends, in the order of their lanes.
    pub fn rids(self) -> &'a [String] {
        let negotiated = self.media.receiver.negotiated.as_deref();
        negotiated.map_or(&[], |it| &it.rids)
    }

    /// The ids of the streams of its receiver's track.
    pub fn streams(self) -> &'a [String] {
        &self.media.receiver.streams
    }
}

impl std::fmt::Debug for TransceiverView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransceiverView")
            .field("id", &self.id())
            .field("kind", &self.kind())
            .field("mid", &self.mid())
            .field("direction", &self.direction())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Codec, MediaKind, RtpCodec,
        engine::{Settings, TransceiverInit, engine, negotiate},
    };

    /// What was negotiated is to be seen at both ends: the streams of a track, and each codec once, the chosen one first.
    #[test]
    fn what_was_negotiated_is_shown() {
        let [mut near, mut far] = [1, 2].map(|seed| engine(seed, Settings::default()));
        let init = TransceiverInit {
            streams: vec!["stream".to_owned()],
            ..TransceiverInit::default()
        };
        let here = near.add_transceiver(MediaKind::Video, None, init).unwrap();
        negotiate(&mut near, &mut far, true);
        assert_eq!(far.transceivers().next().unwrap().streams(), ["stream"]);
        let usual: Vec<_> = near.transceiver(here).unwrap().send_codecs().collect();
        assert!(usual.len() > 1 && usual[0] != Codec::Vp9);
        let it = near.media.get_mut(here).unwrap();
        it.sender.encodings[0].codec = Some(RtpCodec {
            mime_type: "video/VP9".to_owned(),
            clock_rate: 90_000,
            channels: None,
            sdp_fmtp_line: None,
        });
        let chosen: Vec<_> = near.transceiver(here).unwrap().send_codecs().collect();
        assert_eq!(chosen[0], Codec::Vp9);
        let others = usual.iter().filter(|it| **it != Codec::Vp9);
        assert!(chosen[1..].iter().eq(others));
    }
}
