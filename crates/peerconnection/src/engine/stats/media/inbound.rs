//! Streams that are received here, and what the peer reports of having sent.

use oxirtc_rtp::{Ntp, ReceiveStats};

use super::{
    super::pass::{Pass, low},
    Section,
    codecs::{Way, seconds},
};
use crate::stats::{
    InboundRtpStreamStats, ReceivedRtpStreamStats, RemoteOutboundRtpStreamStats,
    SentRtpStreamStats, StatsType,
};

impl Pass {
    pub(super) fn inbound(
        &mut self,
        section: &Section<'_>,
        playout: Option<String>,
        (ssrc, lane): (u32, u8),
        counts: &ReceiveStats,
    ) -> String {
        let base = self.stats(StatsType::InboundRtp, &key(section, ssrc, counts));
        let id = base.id.clone();
        let codec = self.codec(section, Way::Received, counts.payload_type);
        let (codec_id, codec) = codec.unzip();
        let remote = self.remote_outbound(section, (ssrc, &id, codec_id.clone()), counts);
        let mut received = ReceivedRtpStreamStats::new(section.stream(base, ssrc, codec_id));
        received.packets_received = Some(counts.packets);
        received.packets_lost = Some(counts.lost);
        received.jitter = seconds(counts.jitter, codec.as_ref());
        let report = &section.it.receiver.report;
        let number = || section.it.section().0.to_string();
        let track = report.track.clone().unwrap_or_else(number);
        let mut it = InboundRtpStreamStats::new(received, track);
        it.mid = section.mid.map(str::to_owned);
        it.remote_id = remote;
        it.playout_id = playout;
        it.last_packet_received_timestamp = counts.last.map(|at| self.millis(at));
        it.header_bytes_received = Some(counts.header_bytes);
        it.bytes_received = Some(counts.bytes);
        it.packets_discarded = Some(counts.late);
        it.nack_count = Some(low(counts.nack_requests));
        it.retransmitted_packets_received = Some(counts.retransmitted);
        it.retransmitted_bytes_received = Some(counts.retransmitted_bytes);
        it.rtx_ssrc = counts.rtx;
        if counts.fec.is_some() || counts.parity > 0 {
            it.fec_ssrc = counts.fec;
            it.fec_packets_received = Some(counts.parity);
            it.fec_bytes_received = Some(counts.parity_bytes);
            it.fec_packets_discarded = Some(counts.parity_unused);
        }
        it.jitter_buffer_delay = Some(counts.jitter_delay);
        it.jitter_buffer_target_delay = Some(counts.jitter_targets);
        it.jitter_buffer_minimum_delay = Some(counts.jitter_minimums);
        it.jitter_buffer_emitted_count = Some(counts.emitted);
        it.estimated_playout_timestamp = counts.playout.map(|(captured, at)| {
            let since = self.now.saturating_duration_since(at);
            millis_since_1900(captured.after(since))
        });
        if section.is_video() {
            fill_video(&mut it, counts);
            it.frames_per_second = self.rate(&counts.read);
        } else {
            it.total_samples_received = Some(counts.emitted);
            it.total_samples_duration = Some(counts.played.as_secs_f64());
            it.total_audio_energy = Some(counts.energy);
            it.audio_level = counts.level;
        }
        if let Some(told) = report.decoders.get(usize::from(lane)) {
            told.apply(&mut it);
        }
        self.report.insert(it);
        id
    }

    /// What the peer reports, once it has: its id.
    fn remote_outbound(
        &mut self,
        section: &Section<'_>,
        (ssrc, local, codec): (u32, &str, Option<String>),
        counts: &ReceiveStats,
    ) -> Option<String> {
        let reported = counts.sender_reported?;
        let mut base = self.stats(StatsType::RemoteOutboundRtp, &key(section, ssrc, counts));
        // [8.4-02]
        base.timestamp = self.millis(reported);
        let id = base.id.clone();
        let mut sent = SentRtpStreamStats::new(section.stream(base, ssrc, codec));
        let counted = counts.sender_counts;
        sent.packets_sent = counted.map(|it| it.0.into());
        sent.bytes_sent = counted.map(|it| it.1.into());
        let mut it = RemoteOutboundRtpStreamStats::new(sent);
        it.local_id = Some(local.to_owned());
        let clock = counts.sender_clock.and_then(Ntp::to_unix);
        it.remote_timestamp = clock.map(|it| it.as_secs_f64() * 1000.0);
        it.reports_sent = Some(counts.sender_reports);
        it.round_trip_time = counts.round_trip.map(|it| it.as_secs_f64());
        let (sum, measured) = counts.round_trips;
        it.total_round_trip_time = Some(sum.as_secs_f64());
        it.round_trip_time_measurements = Some(measured);
        self.report.insert(it);
        Some(id)
    }
}

/// [8.4-03] Who says goodbye and comes again with its SSRC counts anew, and is another object.
fn key(section: &Section<'_>, ssrc: u32, counts: &ReceiveStats) -> String {
    format!(
        "{} {} {}",
        section.transport,
        section.key(ssrc),
        counts.number
    )
}

fn fill_video(it: &mut InboundRtpStreamStats, counts: &ReceiveStats) {
    it.frame_width = counts.size.map(|it| it.0.into());
    it.frame_height = counts.size.map(|it| it.1.into());
    it.frames_received = Some(low(counts.frames));
    it.frames_dropped = Some(low(counts.frames_dropped));
    it.frames_decoded = Some(low(counts.emitted));
    it.key_frames_decoded = Some(low(counts.key_emitted));
    it.freeze_count = Some(low(counts.freezes));
    it.total_freezes_duration = Some(counts.freeze_duration.as_secs_f64());
    it.frames_assembled_from_multiple_packets = Some(low(counts.assembled));
    it.total_assembly_time = Some(counts.assembly.as_secs_f64());
    it.fir_count = Some(low(counts.firs));
    it.pli_count = Some(low(counts.plis));
}

fn millis_since_1900(time: Ntp) -> f64 {
    time.0 as f64 / 4_294_967.296
}
