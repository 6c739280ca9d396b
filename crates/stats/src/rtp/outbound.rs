//! What is sent, from here and from the peer.

use std::collections::BTreeMap;

use super::RtpStreamStats;
use crate::{QualityLimitationReason, dictionary::dictionary};

dictionary! {
    /// `RTCSentRtpStreamStats`: what whoever sends a stream counts.
    #[doc(alias = "RTCSentRtpStreamStats")]
    SentRtpStreamStats {
        stream: RtpStreamStats,
    } optional {
        /// Packets sent, retransmissions included.
        packets_sent: u64,
        /// Bytes of their payload.
        bytes_sent: u64,
    }
}

dictionary! {
    /// `RTCOutboundRtpStreamStats` (`outbound-rtp`): a stream that is sent from here. Times are seconds.
    #[doc(alias = "RTCOutboundRtpStreamStats")]
    OutboundRtpStreamStats {
        sent: SentRtpStreamStats,
    } optional {
        /// The mid of the transceiver.
        mid: String,
        /// The `media-source` that it is made of.
        media_source_id: String,
        /// The `remote-inbound-rtp` of the same stream.
        remote_id: String,
        /// The RID of its encoding.
        rid: String,
        /// Where its encoding stands in the parameters.
        encoding_index: u32,
        /// Bytes of RTP headers and padding.
        header_bytes_sent: u64,
        /// Packets sent again.
        retransmitted_packets_sent: u64,
        /// Bytes of their payload.
        retransmitted_bytes_sent: u64,
        /// The SSRC of its retransmissions.
        rtx_ssrc: u32,
        /// Bits a second that the encoder is to make.
        target_bitrate: f64,
        /// Bytes that the frames encoded were to have.
        total_encoded_bytes_target: u64,
        /// Of the last frame encoded, in pixels.
        frame_width: u32,
        /// Of the last frame encoded, in pixels.
        frame_height: u32,
        /// Frames encoded in the last second.
        frames_per_second: f64,
        /// Frames sent.
        frames_sent: u32,
        /// Those of them that were more than 2.5 times as large as the others.
        huge_frames_sent: u32,
        /// Frames encoded.
        frames_encoded: u32,
        /// Key frames among them.
        key_frames_encoded: u32,
        /// The sum of the quantizers of frames encoded.
        qp_sum: u64,
        /// The sum of the signal-to-noise ratios, by component.
        psnr_sum: BTreeMap<String, f64>,
        /// How many frames were measured for it.
        psnr_measurements: u64,
        /// Time spent on encoding.
        total_encode_time: f64,
        /// From being made until being sent, summed over packets.
        total_packet_send_delay: f64,
        /// Why less is sent than could be.
        quality_limitation_reason: QualityLimitationReason,
        /// How long for each reason.
        quality_limitation_durations: BTreeMap<QualityLimitationReason, f64>,
        /// How often the size changed for it.
        quality_limitation_resolution_changes: u32,
        /// NACK messages received.
        nack_count: u32,
        /// FIR messages received.
        fir_count: u32,
        /// PLI messages received.
        pli_count: u32,
        /// What the encoder is called.
        encoder_implementation: String,
        /// The encoder is thought to save power.
        power_efficient_encoder: bool,
        /// Its encoding is active.
        active: bool,
        /// The scalability mode in use.
        scalability_mode: String,
        /// Packets that left marked ECT(1).
        packets_sent_with_ect1: u64,
    }
}

dictionary! {
    /// `RTCRemoteOutboundRtpStreamStats` (`remote-outbound-rtp`): what the peer reports of a stream that it sends.
    #[doc(alias = "RTCRemoteOutboundRtpStreamStats")]
    RemoteOutboundRtpStreamStats {
        sent: SentRtpStreamStats,
    } optional {
        /// The `inbound-rtp` of the same stream.
        local_id: String,
        /// When the peer made its report, by its clock: milliseconds since 1970.
        remote_timestamp: f64,
        /// Sender reports of the peer.
        reports_sent: u64,
        /// The last round trip, in seconds.
        round_trip_time: f64,
        /// The sum of all, in seconds.
        total_round_trip_time: f64,
        /// How many round trips were measured.
        round_trip_time_measurements: u64,
    }
}
