//! RTP streams, seen from here and by the peer.

mod inbound;
mod outbound;

use crate::{Stats, dictionary::dictionary};

pub use inbound::{InboundRtpStreamStats, ReceivedRtpStreamStats, RemoteInboundRtpStreamStats};
pub use outbound::{OutboundRtpStreamStats, RemoteOutboundRtpStreamStats, SentRtpStreamStats};

dictionary! {
    /// `RTCRtpStreamStats`: a stream of one SSRC. What repairs it is counted in it.
    #[doc(alias = "RTCRtpStreamStats")]
    RtpStreamStats {
        stats: Stats,
        /// Its SSRC.
        ssrc: u32,
        /// `audio` or `video`.
        kind: String,
    } optional {
        /// The transport that carries it.
        transport_id: String,
        /// The codec in use.
        codec_id: String,
    }
}
