//! The way up from RTP.

use oxirtc_jsep as jsep;
use oxirtc_rtp as rtp;

use super::transceivers::Media;
use crate::{
    StopCause,
    engine::{
        task::{Event, Tasks},
        transport::Transport,
    },
    label::Label,
};

impl Transport {
    /// Lifts what RTP tells.
    pub(in crate::engine) fn ascend_media(
        &mut self,
        negotiator: &mut jsep::Negotiator,
        media: &mut Media,
        tasks: &mut Tasks,
    ) {
        let Some(path) = &mut self.media else { return };
        if let Some(exhausted) = path.poll_exhausted() {
            let cause = exhausted.then_some(StopCause::KeyExhausted);
            tell_stopped(&self.label, cause);
            for it in media.iter_mut().filter(|it| it.on == Some(self.id)) {
                (0..it.sender.encodings.len()).for_each(|at| it.stop_sending(at, cause, tasks));
            }
        }
        while let Some(datagram) = path.poll_heard() {
            // Whoever reads nothing loses what comes.
            if !tasks.is_full() {
                tasks.push_one(Event::Rtcp(self.id, datagram));
            }
        }
        // Nobody here controls a rate by it; the counters have it already.
        while path.rtp.poll_feedback().is_some() {}
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
                rtp::Event::Collision { old, new } => {
                    log::debug!(
                        "{}: the peer uses SSRC {old:#x}, which was ours: {new:#x}",
                        self.label
                    );
                    negotiator.replace_ssrc(old, new);
                    let sent = media.iter_mut().filter(|it| it.on == Some(self.id));
                    let sent = sent.filter_map(|it| it.sender.negotiated.as_mut());
                    sent.for_each(|it| it.replace_ssrc(old, new));
                    if let Some(marks) = &mut self.marks {
                        marks.replace_ssrc(old, new);
                    }
                }
                event => tell_sender(&self.label, event, media, tasks),
            }
        }
    }
}

/// What RTP tells of what is sent.
fn tell_sender(label: &Label, event: rtp::Event, media: &mut Media, tasks: &mut Tasks) {
    match event {
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
        rtp::Event::Broken {
            section,
            encoding,
            cause,
        } => {
            if let Some(it) = media.of_section(section) {
                let cause = cause.map(StopCause::from);
                tell_stopped(label, cause);
                it.stop_sending(encoding, cause, tasks);
            }
        }
        _ => {}
    }
}

fn tell_stopped(label: &Label, cause: Option<StopCause>) {
    match cause {
        Some(cause) => log::warn!("{label}: media is sent no more: {cause:?}"),
        None => log::debug!("{label}: media that was stopped is sent again"),
    }
}
