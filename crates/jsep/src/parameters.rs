//! What RTP is to be told of a section.

use crate::{Codecs, NumberedExtension};

/// What a transceiver receives, and how it is recognized.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiveParameters {
    /// The codecs, under the payload types that the peer sends them with.
    pub codecs: Codecs,
    /// What our last offer named beside them and its answer left out. It is not agreed on, and none of it is shown or sent, but there are
    /// peers that send it: Chromium sends within RED to whom has offered RED, also where its own answer has none.
    pub left_out: Codecs,
    /// The header extensions that packets of the peer may have.
    pub extensions: Vec<NumberedExtension>,
    /// Extensions of one and two bytes may be mixed (RFC 8285 §6).
    pub mixed: bool,
    /// Header extensions and contributing sources are encrypted whole (RFC 9335).
    pub cryptex: bool,
    /// The rids that the peer sends, in its order; none for one stream.
    pub rids: Vec<String>,
    /// The streams that the peer has announced by their SSRCs; of several without rids each is a layer.
    pub announced: Vec<Announced>,
    /// RTCP need not be compound (RFC 5506).
    pub reduced_size: bool,
}

/// What a transceiver sends, if it has something to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendParameters {
    /// The codecs, under the payload types that the peer takes them with; the first one is preferred.
    pub codecs: Codecs,
    /// The header extensions that packets may have.
    pub extensions: Vec<NumberedExtension>,
    /// Extensions of one and two bytes may be mixed (RFC 8285 §6).
    pub mixed: bool,
    /// Header extensions and contributing sources are encrypted whole (RFC 9335).
    pub cryptex: bool,
    /// The streams: one, or one for each layer of simulcast.
    pub encodings: Vec<SendEncoding>,
    /// RTCP need not be compound (RFC 5506).
    pub reduced_size: bool,
    /// What the peer takes at most (`b=`), in bits per second, RTP included and UDP and IP not.
    pub bandwidth: Option<u64>,
    /// The longest packet that the peer takes (`a=maxptime`), in milliseconds.
    pub max_packet_time: Option<u32>,
}

/// One stream that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendEncoding {
    /// Its rid, of simulcast.
    pub rid: Option<String>,
    /// The peer does not want it for now (RFC 8853 §5.1).
    pub paused: bool,
    /// Its SSRC.
    pub ssrc: u32,
    /// The SSRC of its retransmissions, where they were agreed on (RFC 4588).
    pub rtx: Option<u32>,
    /// The SSRC of its correction, where FlexFEC was agreed on.
    pub fec: Option<u32>,
}

impl SendParameters {
    /// Of the SSRCs of its streams one has made way for another.
    pub fn replace_ssrc(&mut self, old: u32, new: u32) {
        for it in &mut self.encodings {
            let repairs = [it.rtx.as_mut(), it.fec.as_mut()];
            let own = repairs.into_iter().flatten().chain([&mut it.ssrc]);
            own.filter(|it| **it == old).for_each(|it| *it = new);
        }
    }
}

/// A stream that the peer has announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Announced {
    /// Its SSRC.
    pub ssrc: u32,
    /// That of its retransmissions (`FID`).
    pub rtx: Option<u32>,
    /// That of its correction (`FEC-FR`).
    pub fec: Option<u32>,
}

impl Announced {
    /// All of them.
    pub(crate) fn ssrcs(&self) -> impl Iterator<Item = u32> + use<> {
        [Some(self.ssrc), self.rtx, self.fec].into_iter().flatten()
    }
}
