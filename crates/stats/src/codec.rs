//! `RTCCodecStats`.

use crate::{Stats, dictionary::dictionary};

dictionary! {
    /// `RTCCodecStats` (`codec`): a codec that a stream uses or is about to use.
    #[doc(alias = "RTCCodecStats")]
    CodecStats {
        stats: Stats,
        /// The payload type of its packets.
        payload_type: u32,
        /// The transport on which the payload type means this.
        transport_id: String,
        /// `audio/opus`, `video/VP8` and so on.
        mime_type: String,
    } optional {
        /// Ticks of the RTP clock in a second.
        clock_rate: u32,
        /// Channels of audio.
        channels: u32,
        /// What stands after the payload type in the `a=fmtp` line.
        sdp_fmtp_line: String,
    }
}
