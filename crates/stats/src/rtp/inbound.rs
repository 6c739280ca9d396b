//! What is received, here and at the peer.

use super::RtpStreamStats;
use crate::dictionary::dictionary;

dictionary! {
    /// `RTCReceivedRtpStreamStats`: what whoever receives a stream counts.
    #[doc(alias = "RTCReceivedRtpStreamStats")]
    ReceivedRtpStreamStats {
        stream: RtpStreamStats,
    } optional {
        /// Packets received.
        packets_received: u64,
        /// Those of them that were marked ECT(1).
        packets_received_with_ect1: u64,
        /// Those of them that were marked CE.
        packets_received_with_ce: u64,
        /// Packets that feedback of RFC 8888 called lost.
        packets_reported_as_lost: u64,
        /// Those of them that later feedback called received.
        packets_reported_as_lost_but_recovered: u64,
        /// RFC 3550 §A.3: expected and not received; below zero when packets came twice.
        packets_lost: i64,
        /// RFC 3550 §A.8, in seconds.
        jitter: f64,
    }
}

dictionary! {
    /// `RTCInboundRtpStreamStats` (`inbound-rtp`): a stream that is received here. Times are seconds unless they say otherwise.
    #[doc(alias = "RTCInboundRtpStreamStats")]
    InboundRtpStreamStats {
        received: ReceivedRtpStreamStats,
        /// The id of the receiver's track.
        track_identifier: String,
    } optional {
        /// The mid of the transceiver.
        mid: String,
        /// The `remote-outbound-rtp` of the same stream.
        remote_id: String,
        /// Frames that were decoded.
        frames_decoded: u32,
        /// Key frames among them.
        key_frames_decoded: u32,
        /// Frames that were shown.
        frames_rendered: u32,
        /// Frames that were dropped before or after they were decoded.
        frames_dropped: u32,
        /// Of the last frame decoded, in pixels.
        frame_width: u32,
        /// Of the last frame decoded, in pixels.
        frame_height: u32,
        /// Frames decoded in the last second.
        frames_per_second: f64,
        /// The sum of the quantizers of frames decoded.
        qp_sum: u64,
        /// Time spent on decoding.
        total_decode_time: f64,
        /// The sum of the times between frames shown.
        total_inter_frame_delay: f64,
        /// The sum of the squares of these times.
        total_squared_inter_frame_delay: f64,
        /// How often nothing was shown for five seconds.
        pause_count: u32,
        /// The time of that.
        total_pauses_duration: f64,
        /// How often a frame stood for longer than the frames before it explain.
        freeze_count: u32,
        /// The time of that.
        total_freezes_duration: f64,
        /// When the last packet came: milliseconds since 1970.
        last_packet_received_timestamp: f64,
        /// Bytes of RTP headers and padding.
        header_bytes_received: u64,
        /// Packets that came too late or too early to be of use.
        packets_discarded: u64,
        /// Bytes of FEC payload.
        fec_bytes_received: u64,
        /// Packets of FEC.
        fec_packets_received: u64,
        /// Those of them that were not needed.
        fec_packets_discarded: u64,
        /// Bytes of payload, retransmissions included.
        bytes_received: u64,
        /// NACK messages sent.
        nack_count: u32,
        /// FIR messages sent.
        fir_count: u32,
        /// PLI messages sent.
        pli_count: u32,
        /// From the first packet of a frame until it is decoded, summed.
        total_processing_delay: f64,
        /// When what is heard or seen now was captured, by the clock of the sender: milliseconds since 1900.
        estimated_playout_timestamp: f64,
        /// Time in the jitter buffer, summed over what has left it.
        jitter_buffer_delay: f64,
        /// The time that the buffer aimed at, likewise.
        jitter_buffer_target_delay: f64,
        /// Samples or frames that have left the jitter buffer.
        jitter_buffer_emitted_count: u64,
        /// The least time that the network would have allowed, likewise.
        jitter_buffer_minimum_delay: f64,
        /// Samples that were played, made up ones included.
        total_samples_received: u64,
        /// Samples that were made up.
        concealed_samples: u64,
        /// Those of them that were silence.
        silent_concealed_samples: u64,
        /// How often samples began to be made up.
        concealment_events: u64,
        /// Samples added to play more slowly.
        inserted_samples_for_deceleration: u64,
        /// Samples left out to play faster.
        removed_samples_for_acceleration: u64,
        /// From 0 to 1, which is 0 dBov.
        audio_level: f64,
        /// Squares of the level, by their time.
        total_audio_energy: f64,
        /// Time of the samples.
        total_samples_duration: f64,
        /// Frames that came whole.
        frames_received: u32,
        /// What the decoder is called.
        decoder_implementation: String,
        /// The `media-playout` that plays it.
        playout_id: String,
        /// The decoder is thought to save power.
        power_efficient_decoder: bool,
        /// Frames of more than one packet.
        frames_assembled_from_multiple_packets: u32,
        /// From their first to their last packet, summed.
        total_assembly_time: f64,
        /// Packets that were sent again.
        retransmitted_packets_received: u64,
        /// Bytes of their payload.
        retransmitted_bytes_received: u64,
        /// The SSRC of its retransmissions.
        rtx_ssrc: u32,
        /// The SSRC of its FEC.
        fec_ssrc: u32,
        /// The sum of how likely it is that frames were damaged.
        total_corruption_probability: f64,
        /// The sum of the squares of that.
        total_squared_corruption_probability: f64,
        /// How many frames were measured for it.
        corruption_measurements: u64,
    }
}

dictionary! {
    /// `RTCRemoteInboundRtpStreamStats` (`remote-inbound-rtp`): what the peer reports of a stream that is sent from here.
    #[doc(alias = "RTCRemoteInboundRtpStreamStats")]
    RemoteInboundRtpStreamStats {
        received: ReceivedRtpStreamStats,
    } optional {
        /// The `outbound-rtp` of the same stream.
        local_id: String,
        /// The last round trip, in seconds.
        round_trip_time: f64,
        /// The sum of all, in seconds.
        total_round_trip_time: f64,
        /// The fraction lost of the last report, from 0 to 1.
        fraction_lost: f64,
        /// How many round trips were measured.
        round_trip_time_measurements: u64,
        /// Packets that left with ECT(1) and came without a mark.
        packets_with_bleached_ect1_marking: u64,
    }
}
