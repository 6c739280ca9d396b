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
                    let sent = media.iter_mut();
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use oxirtc_netsim::{epoch, ms, secs};
    use oxirtc_rtp::{Rtp, rtcp};
    use oxirtc_srtp::{Config, Context, Profile, Role};

    use super::*;
    use crate::{
        Codec, EncodedFrame, Error, MediaKind, RtpEncodingParameters, RtpTransceiverDirection,
        Settings,
        engine::{
            Cutter, Engine, MediaBatch, TrackId, TransceiverId, TransceiverInit, demux::Kind,
            engine, media::MediaPath, negotiate,
        },
    };

    fn engines() -> [Engine; 2] {
        [1, 2].map(|seed| engine(seed, Settings::default()))
    }

    fn first(engine: &Engine) -> TransceiverId {
        engine.transceivers().next().unwrap().id()
    }

    /// The RTP of what carries a transceiver.
    fn path(engine: &mut Engine, id: TransceiverId) -> &mut MediaPath {
        let on = engine.media.get(id).unwrap().on.unwrap();
        let (transport, _) = engine.transports.lend(on).unwrap();
        transport.media.as_mut().unwrap()
    }

    fn told(engine: &mut Engine) -> Vec<Event> {
        engine.ascend(epoch());
        let tasks = std::iter::from_fn(|| engine.poll_task());
        tasks.flatten().collect()
    }

    /// A key frame of so many bytes on a lane.
    fn key_frame(cutter: &mut Cutter, lane: u8, len: usize) -> MediaBatch {
        let mut payload = vec![7; len];
        payload[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
        let frame = EncodedFrame::new(Codec::Vp8, payload);
        cutter.cut_frame(epoch(), lane, &frame).unwrap()
    }

    /// What a transceiver sends, in the clear.
    fn sent(engine: &mut Engine, id: TransceiverId, now: Instant) -> Vec<Vec<u8>> {
        let rtp = &mut path(engine, id).rtp;
        let next = || {
            let mut buf = Vec::new();
            rtp.poll_rtp(now, 1232, &mut buf).map(|_| buf)
        };
        std::iter::from_fn(next).collect()
    }

    /// The first packet of a tone.
    fn tone(engine: &mut Engine, id: TransceiverId, code: u8) -> Vec<u8> {
        let now = epoch() + ms(100) * code.into();
        let section = engine.media.get(id).unwrap().section();
        let rtp = &mut path(engine, id).rtp;
        assert!(rtp.play_event(now, section, code, ms(0)));
        // RFC 4733 §2.5.1.4: its end comes three times.
        let times = [0, 10, 20].map(|it| now + ms(it));
        let [first, ..] = times.map(|now| sent(engine, id, now).remove(0));
        first
    }

    /// What was told of encodings that stopped, or go on.
    fn stops(engine: &mut Engine) -> Vec<(TransceiverId, usize, Option<StopCause>)> {
        let stops = told(engine).into_iter().filter_map(|it| match it {
            Event::SendingStopped {
                transceiver,
                encoding,
                cause,
            } => Some((transceiver, encoding, cause)),
            _ => None,
        });
        stops.collect()
    }

    /// Two engines of which the first sends two streams of video, and its transceiver.
    fn simulcast() -> ([Engine; 2], TransceiverId) {
        let mut pair = engines();
        let [near, far] = &mut pair;
        let init = TransceiverInit {
            encodings: ["a", "b"].map(RtpEncodingParameters::named).into(),
            ..TransceiverInit::default()
        };
        let here = near.add_transceiver(MediaKind::Video, None, init).unwrap();
        negotiate(near, far, true);
        (pair, here)
    }

    /// RFC 3711 §9.2: keys that are used up stop all that goes under them, and nothing else; with others it goes on.
    #[test]
    fn keys_that_are_used_up_stop_what_they_protect() {
        let [near, far] = &mut engines();
        let [audio, video] = [MediaKind::Audio, MediaKind::Video].map(|kind| {
            let init = TransceiverInit::default();
            near.add_transceiver(kind, None, init).unwrap()
        });
        negotiate(near, far, false);
        told(near);
        let profile = Profile::AeadAes128Gcm;
        let material = vec![7; profile.material_len()];
        let exhausted = Some(StopCause::KeyExhausted);
        let mut cutter = Cutter::new();
        for (lifetime, cause) in [(1, exhausted), (100, None)] {
            let config = Config::new(profile).lifetime(lifetime);
            let context = Context::new(config, &material, Role::Client).unwrap();
            path(near, video).set_context(epoch(), context);
            let batch = key_frame(&mut cutter, 0, 3000);
            near.write(epoch(), video, &batch);
            let path = path(near, video);
            while path.is_ready(epoch(), 1232) {
                let built = path.poll_rtp(epoch(), 1232, &mut Vec::new());
                assert!(built.is_ok() || cause.is_some());
            }
            assert_eq!(stops(near), [(video, 0, cause)]);
            let stopped = |id| near.transceiver(id).unwrap().stopped();
            assert!(stopped(video).eq(cause.map(|it| (0, it))));
            assert_eq!(stopped(audio).count(), 0);
        }
    }

    /// All encodings of a sender go under the same keys.
    #[test]
    fn keys_that_are_used_up_stop_all_encodings() {
        let (mut pair, here) = simulcast();
        let [near, _] = &mut pair;
        told(near);
        let profile = Profile::AeadAes128Gcm;
        let config = Config::new(profile).lifetime(1);
        let context = Context::new(config, &vec![7; profile.material_len()], Role::Client).unwrap();
        path(near, here).set_context(epoch(), context);
        let batch = key_frame(&mut Cutter::new(), 0, 3000);
        near.write(epoch(), here, &batch);
        let path = path(near, here);
        while path.is_ready(epoch(), 1232) {
            let _ = path.poll_rtp(epoch(), 1232, &mut Vec::new());
        }
        let cause = Some(StopCause::KeyExhausted);
        assert_eq!(stops(near), [0, 1].map(|at| (here, at, cause)));
    }

    /// What the peer asks for is told of the stream that it is about.
    #[test]
    fn each_stream_is_told_its_own() {
        let (mut pair, here) = simulcast();
        let [near, _] = &mut pair;
        let mut cutter = Cutter::new();
        for lane in [0, 1] {
            let batch = key_frame(&mut cutter, lane, 300);
            near.write(epoch(), here, &batch);
        }
        let datagrams = sent(near, here, epoch());
        let ssrcs = datagrams.iter().map(|it| Rtp::parse(it).unwrap().head.ssrc);
        let ssrcs: Vec<u32> = ssrcs.collect();
        assert_eq!(ssrcs.len(), 2);
        told(near);
        for (at, ssrc) in ssrcs.into_iter().enumerate() {
            let bits = 100_000 + at as u64;
            let mut wishes = Vec::new();
            rtcp::write_pli(&mut wishes, 7, ssrc);
            let rate = rtcp::MaxRate {
                ssrc,
                bits,
                overhead: 40,
            };
            rtcp::write_tmmbr(&mut wishes, 7, &[rate]);
            path(near, here).rtp.handle_rtcp(epoch(), &wishes);
            let (mut keys, mut rates) = (Vec::new(), Vec::new());
            for event in told(near) {
                match event {
                    Event::KeyframeRequested { transceiver, lane } => {
                        keys.push((transceiver, lane))
                    }
                    Event::BitrateAllowed {
                        transceiver,
                        encoding,
                        bits,
                    } => rates.push((transceiver, encoding, bits)),
                    _ => {}
                }
            }
            assert_eq!(keys, [(here, at as u8)]);
            assert_eq!(rates, [(here, at, Some(bits))]);
        }
    }

    /// A key frame is asked for of the stream that lacks it, or of all.
    #[test]
    fn a_key_frame_is_asked_for_where_it_is_wanted() {
        for lane in [None, Some(0), Some(1)] {
            let (mut pair, here) = simulcast();
            let [near, far] = &mut pair;
            let there = first(far);
            let mut cutter = Cutter::new();
            for lane in [0, 1] {
                let batch = key_frame(&mut cutter, lane, 300);
                near.write(epoch(), here, &batch);
            }
            let mut ssrcs = Vec::new();
            for datagram in sent(near, here, epoch()) {
                path(far, there).rtp.handle_rtp(epoch(), &datagram);
                ssrcs.push(Rtp::parse(&datagram).unwrap().head.ssrc);
            }
            let now = epoch() + secs(2);
            far.request_keyframe(now, there, lane);
            let (mut buf, mut asked) = (Vec::new(), Vec::new());
            while path(far, there).rtp.poll_rtcp(now, 1200, &mut buf) {
                let parts = rtcp::Compound::parse(&buf).unwrap();
                asked.extend(parts.into_iter().filter_map(|it| match it {
                    rtcp::Rtcp::Pli(pli) => Some(pli.media),
                    _ => None,
                }));
                buf.clear();
            }
            let wanted = ssrcs.iter().enumerate();
            let wanted = wanted.filter(|it| lane.is_none_or(|lane| usize::from(lane) == it.0));
            assert!(wanted.map(|it| *it.1).eq(asked), "{lane:?}");
        }
    }

    /// What a sender had no room for is counted, and what needs it does not go out.
    #[test]
    fn what_lags_is_counted() {
        let (mut pair, here) = simulcast();
        let [near, _] = &mut pair;
        let mut cutter = Cutter::new();
        let batch = key_frame(&mut cutter, 0, 300);
        near.write(epoch(), here, &batch);
        assert_eq!(sent(near, here, epoch()).len(), 1);
        near.lag(here, 3);
        assert_eq!(path(near, here).rtp.stats().lagged, 3);
        let mut payload = vec![7; 300];
        payload[0] = 1;
        let frame = EncodedFrame::new(Codec::Vp8, payload);
        let batch = cutter.cut_frame(epoch() + ms(33), 0, &frame).unwrap();
        near.write(epoch() + ms(33), here, &batch);
        assert!(sent(near, here, epoch() + ms(33)).is_empty());
    }

    /// What waits of a track that the sender has no more is left out.
    #[test]
    fn what_waits_of_another_source_is_left_out() {
        type Verb = fn(&mut Engine, TransceiverId) -> Result<(), Error>;
        let replaced: Verb = |it, id| {
            let track = Some((MediaKind::Video, TrackId(2)));
            it.replace_track(epoch(), id, track)
        };
        let again: Verb = |it, id| {
            let track = Some((MediaKind::Video, TrackId(1)));
            it.replace_track(epoch(), id, track)
        };
        let removed: Verb = |it, id| it.remove_track(epoch(), id);
        for (verb, left) in [(again, 1), (replaced, 0), (removed, 0)] {
            let (mut pair, here) = simulcast();
            let [near, _] = &mut pair;
            again(near, here).unwrap();
            let batch = key_frame(&mut Cutter::new(), 0, 300);
            near.write(epoch(), here, &batch);
            verb(near, here).unwrap();
            assert_eq!(sent(near, here, epoch()).len(), left);
        }
    }

    /// RFC 8083: of two streams that stops which nobody reports on; the other has sent nothing.
    #[test]
    fn each_stream_stops_by_itself() {
        let (mut pair, here) = simulcast();
        let [near, _] = &mut pair;
        told(near);
        let mut cutter = Cutter::new();
        let mut now = epoch();
        while now < epoch() + secs(15) {
            let batch = key_frame(&mut cutter, 1, 300);
            near.write(now, here, &batch);
            assert_eq!(sent(near, here, now).len(), 1);
            now += secs(1);
            path(near, here).rtp.handle_timeout(now);
        }
        assert_eq!(stops(near), [(here, 1, Some(StopCause::Silence))]);
        let stopped = near.transceiver(here).unwrap().stopped();
        assert!(stopped.eq([(1, StopCause::Silence)]));
    }

    /// Whether tracks were told to be muted, one after the other.
    fn mutes(engine: &mut Engine) -> Vec<bool> {
        let mutes = told(engine).into_iter().filter_map(|it| match it {
            Event::TrackMute(_, muted) => Some(muted),
            _ => None,
        });
        mutes.collect()
    }

    /// [9.3-02] The goodbye of the last stream of a track mutes it, and no other.
    #[test]
    fn the_goodbye_of_the_last_stream_mutes() {
        let (mut pair, here) = simulcast();
        let [near, far] = &mut pair;
        let there = first(far);
        for lane in [0, 1] {
            let batch = key_frame(&mut Cutter::new(), lane, 300);
            near.write(epoch(), here, &batch);
        }
        let datagrams = sent(near, here, epoch());
        for datagram in &datagrams {
            path(far, there).rtp.handle_rtp(epoch(), datagram);
        }
        assert_eq!(mutes(far), [false]);
        assert_eq!(datagrams.len(), 2);
        for (datagram, expected) in datagrams.iter().zip([&[][..], &[true]]) {
            let mut goodbye = Vec::new();
            rtcp::write_bye(&mut goodbye, &[Rtp::parse(datagram).unwrap().head.ssrc]);
            path(far, there).rtp.handle_rtcp(epoch(), &goodbye);
            assert_eq!(mutes(far), expected);
        }
    }

    /// [8.4-03] What comes of an SSRC behind its goodbye counts anew, so that it is another object of statistics.
    #[test]
    fn what_comes_behind_a_goodbye_is_another_stream() {
        let (mut pair, here) = simulcast();
        let [near, far] = &mut pair;
        let there = first(far);
        let received = |far: &Engine| -> Vec<(String, Option<u64>)> {
            let report = far.stats(epoch());
            let streams = report.inbound_rtp().map(|it| {
                let packets = it.received.packets_received;
                (it.received.stream.stats.id.clone(), packets)
            });
            streams.collect()
        };
        let (mut cutter, mut ids) = (Cutter::new(), Vec::new());
        for _ in 0..2 {
            let batch = key_frame(&mut cutter, 0, 300);
            near.write(epoch(), here, &batch);
            let datagrams = sent(near, here, epoch());
            let [datagram] = &datagrams[..] else {
                panic!("{} datagrams", datagrams.len());
            };
            path(far, there).rtp.handle_rtp(epoch(), datagram);
            let streams = received(far);
            let [(id, Some(1))] = &streams[..] else {
                panic!("{streams:?}");
            };
            ids.push(id.clone());
            let mut goodbye = Vec::new();
            rtcp::write_bye(&mut goodbye, &[Rtp::parse(datagram).unwrap().head.ssrc]);
            path(far, there).rtp.handle_rtcp(epoch(), &goodbye);
            assert_eq!(received(far), []);
        }
        assert_ne!(ids[0], ids[1]);
    }

    /// What comes late, of a direction that was given up, unmutes nothing and is no tone.
    #[test]
    fn what_is_not_to_be_received_says_nothing() {
        let [near, far] = &mut engines();
        let init = TransceiverInit::default();
        let here = near.add_transceiver(MediaKind::Audio, None, init).unwrap();
        negotiate(near, far, true);
        let there = first(far);
        let [one, two] = [1, 2].map(|code| tone(near, here, code));
        path(far, there).rtp.handle_rtp(epoch(), &one);
        let heard = |it: &Event| matches!(it, Event::Tone(id, '1') if *id == there);
        assert!(told(far).iter().any(heard));
        let inactive = RtpTransceiverDirection::Inactive;
        far.set_direction(there, inactive).unwrap();
        negotiate(far, near, true);
        assert_eq!(mutes(far), [true]);
        let rtp = &mut path(far, there).rtp;
        rtp.handle_rtp(epoch() + secs(3), &two);
        let late = told(far);
        assert!(late.is_empty(), "{late:?}");
    }

    /// Who reads nothing makes the peer's tones and reports no queue without an end.
    #[test]
    fn what_nobody_reads_is_bounded() {
        let [near, far] = &mut engines();
        let init = TransceiverInit::default();
        let here = near.add_transceiver(MediaKind::Audio, None, init).unwrap();
        negotiate(near, far, true);
        let there = first(far);
        told(far);
        let profile = Profile::AeadAes128Gcm;
        let material = vec![7; profile.material_len()];
        let context = |role| Context::new(Config::new(profile), &material, role).unwrap();
        path(far, there).set_context(epoch(), context(Role::Server));
        path(far, there).read_rtcp(true);
        let mut reporter = context(Role::Client);
        for (code, unread, expected) in [(1, 1024, 0), (2, 0, 1)] {
            far.set_unread_events(epoch(), unread);
            let mut goodbye = Vec::new();
            rtcp::write_bye(&mut goodbye, &[7]);
            reporter.protect_rtcp(&mut goodbye, 0).unwrap();
            path(far, there).handle(epoch(), Kind::Rtcp, &mut goodbye);
            let tone = tone(near, here, code);
            path(far, there).rtp.handle_rtp(epoch(), &tone);
            let told = told(far);
            let reports = told.iter().filter(|it| matches!(it, Event::Rtcp(..)));
            assert_eq!(reports.count(), expected);
            let tones = told.iter().filter(|it| matches!(it, Event::Tone(..)));
            assert_eq!(tones.count(), expected);
        }
    }
}
