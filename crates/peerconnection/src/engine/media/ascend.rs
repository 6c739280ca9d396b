//! The way up from RTP.

use oxirtc_rtp as rtp;

use super::transceivers::Media;
use crate::engine::{
    task::{Event, Tasks},
    transport::Transport,
};

impl Transport {
    /// Lifts what RTP tells.
    pub(in crate::engine) fn ascend_media(&mut self, media: &mut Media, tasks: &mut Tasks) {
        let Some(path) = &mut self.media else { return };
        while let Some(datagram) = path.poll_heard() {
            // Whoever reads nothing loses what comes.
            if !tasks.is_full() {
                tasks.push_one(Event::Rtcp(self.id, datagram));
            }
        }
        while let Some(event) = path.rtp.poll_event() {
            match event {
                // [9.3-01] [5.1.1-07]: in a task of its own.
                rtp::Event::Received { section } => {
                    if let Some(it) = media.of_section(section)
                        && it.receiver.receptive
                        && !std::mem::replace(&mut it.receiver.flows, true)
                    {
                        tasks.push_one(Event::TrackMute(it.id, false));
                    }
                }
                // A section may have other streams: they go on.
                rtp::Event::Bye { section, .. } => {
                    let flows = path.rtp.is_received(section);
                    if let Some(it) = media.of_section(section).filter(|_| !flows)
                        && std::mem::replace(&mut it.receiver.flows, false)
                    {
                        tasks.push_one(Event::TrackMute(it.id, true));
                    }
                }
                rtp::Event::Telephone { section, code } => {
                    let tone = rtp::payload::telephone::Event::tone(code);
                    if let Some((it, tone)) = media.of_section(section).zip(tone)
                        && it.receiver.receptive
                        && !tasks.is_full()
                    {
                        tasks.push_one(Event::Tone(it.id, tone));
                    }
                }
                rtp::Event::Readable { section } => {
                    if let Some(it) = media.of_section(section) {
                        tasks.push_one(Event::FrameReadable(it.id));
                    }
                }
                rtp::Event::KeyframeRequested { section, lane, .. } => {
                    if let Some(it) = media.of_section(section) {
                        tasks.push_one(Event::KeyframeRequested {
                            transceiver: it.id,
                            lane,
                        });
                    }
                }
                rtp::Event::Allowed {
                    section,
                    encoding,
                    bits,
                } => {
                    if let Some(it) = media.of_section(section) {
                        tasks.push_one(Event::BitrateAllowed {
                            transceiver: it.id,
                            encoding,
                            bits,
                        });
                    }
                }
                rtp::Event::Broken => {
                    log::warn!(
                        "{}: nothing of the media gets through; it is sent no more",
                        self.label
                    );
                }
                rtp::Event::Collision { old, new } => {
                    log::debug!(
                        "{}: the peer uses SSRC {old:#x}, which was ours: {new:#x}",
                        self.label
                    );
                }
                _ => {}
            }
        }
    }
}
