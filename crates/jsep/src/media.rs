//! What both ends have agreed on for a section of RTP.

use oxirtc_sdp::Direction;

use crate::{
    Announced, Codecs, Layers, NumberedExtension, ReceiveParameters, SendParameters,
    encoding::Encoding,
};

/// What was negotiated for a transceiver, or is proposed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaAgreement {
    /// Who sends, as we see it: W3C's `[[CurrentDirection]]`. `None` before the first answer.
    pub direction: Option<Direction>,
    /// Media of the peer is taken (W3C's `[[Receptive]]`): from our description on, also an offer.
    pub receptive: bool,
    /// What can be received, under the payload types of our description.
    pub receive: Codecs,
    /// What the last offer of ours named, whether the answer took it or not.
    pub offered: Codecs,
    /// What can be sent, under the payload types of the peer's description; the preferred codec first.
    pub send: Codecs,
    /// The header extensions, in the directions that we see.
    pub extensions: Vec<NumberedExtension>,
    /// Extensions of one and two bytes may be mixed (RFC 8285 §6).
    pub mixed: bool,
    /// Header extensions and contributing sources are encrypted whole (RFC 9335).
    pub cryptex: bool,
    /// The layers that we send, and those that we take.
    pub layers: Layers,
    /// The ids of the peer's streams (`a=msid`).
    pub streams: Vec<String>,
    /// The peer's latest description has it sending: W3C's `[[FiredDirection]]`.
    pub receiving: bool,
    /// What the peer has announced by SSRC.
    pub announced: Vec<Announced>,
    /// RTCP need not be compound (RFC 5506).
    pub reduced_size: bool,
    /// What the peer takes at most, in bits per second.
    pub bandwidth: Option<u64>,
    /// The longest packet that the peer takes, in milliseconds.
    pub max_packet_time: Option<u32>,
}

impl MediaAgreement {
    /// What is received; `None` when nothing is to be.
    pub(crate) fn receive_parameters(&self) -> Option<ReceiveParameters> {
        (self.receptive && !self.receive.is_empty()).then(|| ReceiveParameters {
            codecs: self.receive.clone(),
            left_out: self.left_out(),
            extensions: self.extensions_of(Direction::receives),
            mixed: self.mixed,
            cryptex: self.cryptex,
            rids: self
                .layers
                .receive
                .iter()
                .map(|it| it.rid.clone())
                .collect(),
            announced: self.announced.clone(),
            reduced_size: self.reduced_size,
        })
    }

    /// What is sent by these encodings; `None` when nothing is to be.
    pub(crate) fn send_parameters(&self, encodings: &[Encoding]) -> Option<SendParameters> {
        let sends = self.direction.is_some_and(Direction::sends) && !self.send.is_empty();
        sends.then(|| SendParameters {
            codecs: self.send.clone(),
            extensions: self.extensions_of(Direction::sends),
            mixed: self.mixed,
            cryptex: self.cryptex,
            encodings: encodings
                .iter()
                .filter_map(|it| it.sent(!self.send.rtx.is_empty(), self.send.flexfec.is_some()))
                .collect(),
            reduced_size: self.reduced_size,
            bandwidth: self.bandwidth,
            max_packet_time: self.max_packet_time,
        })
    }

    /// What our last offer named and the answer left out, under payload types that mean nothing else by now.
    fn left_out(&self) -> Codecs {
        let taken: Vec<_> = self
            .receive
            .payloads()
            .chain(self.send.payloads())
            .collect();
        self.offered.without(&taken)
    }

    fn extensions_of(&self, used: fn(Direction) -> bool) -> Vec<NumberedExtension> {
        let extensions = self.extensions.iter();
        extensions
            .filter(|it| used(it.extension.direction))
            .cloned()
            .collect()
    }
}
