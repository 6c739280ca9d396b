//! Streams that are sent from here, and what the peer reports of them.

use oxirtc_rtp::SendStats;

use super::{
    super::pass::{Pass, low},
    Section,
    codecs::{Way, seconds},
};
use crate::stats::{
    OutboundRtpStreamStats, ReceivedRtpStreamStats, RemoteInboundRtpStreamStats, RtpStreamStats,
    SentRtpStreamStats, StatsType,
};

impl Pass {
    pub(super) fn outbound(
        &mut self,
        section: &Section<'_>,
        source: Option<String>,
        (ssrc, place): (u32, usize),
        counts: &SendStats,
    ) -> String {
        let base = self.stats(StatsType::OutboundRtp, &section.key(ssrc));
        let id = base.id.clone();
        let codec = self.codec(section, Way::Sent, counts.payload_type);
        let (codec_id, codec) = codec.unzip();
        let jitter = counts.jitter.and_then(|it| seconds(it, codec.as_ref()));
        let remote = self.remote_inbound(section, (ssrc, &id, codec_id.clone()), counts, jitter);
        let mut sent = SentRtpStreamStats::new(section.stream(base, ssrc, codec_id));
        sent.packets_sent = Some(counts.packets + counts.resent);
        sent.bytes_sent = Some(counts.bytes + counts.resent_bytes);
        let mut it = OutboundRtpStreamStats::new(sent);
        it.mid = section.mid.map(str::to_owned);
        it.media_source_id = source;
        it.remote_id = remote;
        it.header_bytes_sent = Some(counts.header_bytes + counts.resent_header_bytes);
        it.retransmitted_packets_sent = Some(counts.resent);
        it.retransmitted_bytes_sent = Some(counts.resent_bytes);
        it.rtx_ssrc = counts.rtx;
        it.total_packet_send_delay = Some(counts.send_delay.as_secs_f64());
        it.nack_count = Some(low(counts.nack_requests));
        let stopped = section.it.sender.stopped.contains_key(&place);
        it.active = Some(counts.active && !stopped);
        let encoding = section.it.sender.encodings.get(place);
        let wanted = encoding.and_then(|it| it.max_bitrate).map(u64::from);
        let target = [wanted, counts.allowed].into_iter().flatten().min();
        it.target_bitrate = target.map(|it| it as f64);
        if section.is_video() {
            it.rid = encoding.and_then(|it| it.rid.clone());
            it.encoding_index = u32::try_from(place).ok();
            fill_video(&mut it, counts);
            it.frames_per_second = self.rate(&counts.given_at);
        }
        if let Some(told) = section.it.sender.report.encoders.get(place) {
            told.apply(&mut it);
        }
        self.report.insert(it);
        id
    }

    /// What the peer reports, once it has: its id.
    fn remote_inbound(
        &mut self,
        section: &Section<'_>,
        (ssrc, local, codec): (u32, &str, Option<String>),
        counts: &SendStats,
        jitter: Option<f64>,
    ) -> Option<String> {
        let reported = counts.reported?;
        let mut base = self.stats(StatsType::RemoteInboundRtp, &section.key(ssrc));
        // [8.4-02]
        base.timestamp = self.millis(reported);
        let id = base.id.clone();
        let stream: RtpStreamStats = section.stream(base, ssrc, codec);
        let mut received = ReceivedRtpStreamStats::new(stream);
        received.packets_received = counts.received;
        received.packets_lost = counts.lost.map(i64::from);
        received.jitter = jitter;
        let mut it = RemoteInboundRtpStreamStats::new(received);
        it.local_id = Some(local.to_owned());
        it.round_trip_time = counts.round_trip.map(|it| it.as_secs_f64());
        let (sum, measured) = counts.round_trips;
        it.total_round_trip_time = Some(sum.as_secs_f64());
        it.round_trip_time_measurements = Some(measured);
        it.fraction_lost = counts.fraction;
        self.report.insert(it);
        Some(id)
    }
}

fn fill_video(it: &mut OutboundRtpStreamStats, counts: &SendStats) {
    it.frame_width = counts.size.map(|it| it.0.into());
    it.frame_height = counts.size.map(|it| it.1.into());
    it.frames_sent = Some(low(counts.frames));
    it.huge_frames_sent = Some(low(counts.huge_frames));
    it.frames_encoded = Some(low(counts.given));
    it.key_frames_encoded = Some(low(counts.key_given));
    it.fir_count = Some(low(counts.firs));
    it.pli_count = Some(low(counts.plis));
}
