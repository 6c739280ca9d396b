//! Media: streams both ways, as they are seen from here and by the peer.

mod codecs;
mod inbound;
mod outbound;
mod sources;

use oxirtc_jsep as jsep;

use super::{pass::Pass, transports};
use crate::{
    MediaKind,
    engine::{
        ids::TransceiverId,
        media::{Media, MediaTransceiver},
        transports::Transports,
    },
    stats::{RtpStreamStats, Stats},
};

/// A section that is carried.
struct Section<'a> {
    it: &'a MediaTransceiver,
    mid: Option<&'a str>,
    /// The id of its transport.
    transport: String,
}

impl Section<'_> {
    /// What a stream of it is known by.
    fn key(&self, ssrc: u32) -> String {
        format!("{} {ssrc}", self.it.section().0)
    }

    fn stream(&self, base: Stats, ssrc: u32, codec: Option<String>) -> RtpStreamStats {
        let mut stream = RtpStreamStats::new(base, ssrc, self.it.kind.to_string());
        stream.transport_id = Some(self.transport.clone());
        stream.codec_id = codec;
        stream
    }

    fn is_video(&self) -> bool {
        self.it.kind == MediaKind::Video
    }
}

impl Pass {
    /// Sources, streams, and what they refer to.
    pub(super) fn media(
        &mut self,
        media: &Media,
        transports: &Transports,
        negotiator: &jsep::Negotiator,
    ) {
        for it in media.iter() {
            let source = self.source(it);
            let Some(transport) = it.on.and_then(|on| transports.by_id(on)) else {
                continue;
            };
            let Some(path) = transport.media.as_deref() else {
                continue;
            };
            let described = negotiator.transceiver(it.id.0);
            let section = Section {
                it,
                mid: described.and_then(jsep::Transceiver::mid),
                transport: transports::id(&self.ids, transport.id),
            };
            let playout = self.playout(it);
            for (ssrc, place, counts) in path.rtp.send_stats(it.section()) {
                let id = self.outbound(&section, source.clone(), (ssrc, place), &counts);
                self.sent.push((it.id, id));
            }
            for (ssrc, lane, counts) in path.rtp.receive_stats(it.section()) {
                let id = self.inbound(&section, playout.clone(), (ssrc, lane), &counts);
                self.received.push((it.id, id));
            }
        }
    }
}

/// The ids of the streams of one transceiver.
pub(super) fn of(list: &[(TransceiverId, String)], id: TransceiverId) -> Vec<String> {
    let own = list.iter().filter(|it| it.0 == id);
    own.map(|it| it.1.clone()).collect()
}
