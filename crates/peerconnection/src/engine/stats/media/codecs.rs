//! Codecs that streams use.

use oxirtc_jsep as jsep;

use super::{super::pass::Pass, Section};
use crate::{
    RtpCodecParameters,
    engine::convert,
    stats::{CodecStats, StatsType},
};

/// Which way a stream goes: a payload type may mean one thing here and another there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Sent,
    Received,
}

impl Pass {
    /// The codec of a stream, and its id. Before the first packet it is the one that is preferred.
    pub(super) fn codec(
        &mut self,
        section: &Section<'_>,
        way: Way,
        payload_type: Option<u8>,
    ) -> Option<(String, RtpCodecParameters)> {
        let it = section.it;
        let codecs: &jsep::Codecs = match way {
            Way::Sent => &it.sender.negotiated.as_deref()?.codecs,
            Way::Received => &it.receiver.negotiated.as_deref()?.codecs,
        };
        let mut all = convert::shown_codecs(it.kind, codecs).into_iter();
        let used = all.find(|it| payload_type.is_none_or(|wanted| wanted == it.payload_type))?;
        let (transport, codec) = (&section.transport, &used.codec);
        let parameters = codec.sdp_fmtp_line.as_deref().unwrap_or_default();
        let key = format!(
            "{transport} {way:?} {} {} {parameters}",
            used.payload_type, codec.mime_type
        );
        let base = self.stats(StatsType::Codec, &key);
        let id = base.id.clone();
        let payload_type = used.payload_type.into();
        let mut shown = CodecStats::new(
            base,
            payload_type,
            transport.clone(),
            codec.mime_type.clone(),
        );
        shown.clock_rate = Some(codec.clock_rate);
        shown.channels = codec.channels.map(u32::from);
        shown.sdp_fmtp_line.clone_from(&codec.sdp_fmtp_line);
        self.report.insert(shown);
        Some((id, used))
    }
}

/// Units of a timestamp in seconds.
pub(super) fn seconds(units: u32, codec: Option<&RtpCodecParameters>) -> Option<f64> {
    let rate = codec.map(|it| it.codec.clock_rate)?;
    (rate > 0).then(|| f64::from(units) / f64::from(rate))
}
