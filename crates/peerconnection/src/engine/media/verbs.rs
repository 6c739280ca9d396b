//! W3C's verbs about tracks and transceivers (§5.1, §5.2, §5.4).

use std::time::{Duration, Instant};

use oxirtc_jsep as jsep;
use oxirtc_rtp::Delivery;

use super::{
    batch::MediaBatch,
    transceivers::{MediaTransceiver, no_transceiver},
    view::TransceiverView,
};
use crate::{
    Choice, EncodedFrame, Error, ErrorKind, MediaKind, RtpCodec, RtpEncodingParameters, RtpSource,
    RtpTransceiverDirection,
    engine::{
        Engine, convert,
        ids::{TrackId, TransceiverId},
    },
};

/// What a transceiver is made with (W3C §5.1, `RTCRtpTransceiverInit`), with ids for streams.
#[derive(Clone, Debug, Default)]
pub struct TransceiverInit {
    /// The direction that is wanted.
    pub direction: RtpTransceiverDirection,
    /// The ids of the streams of its track.
    pub streams: Vec<String>,
    /// What is sent; empty is one stream with the defaults.
    pub encodings: Vec<RtpEncodingParameters>,
}

impl Engine {
    /// W3C §5.1, `addTrack()`. `track` is the caller's number for it.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, `InvalidAccess` when a sender has the track already.
    pub fn add_track(
        &mut self,
        kind: MediaKind,
        track: TrackId,
        streams: Vec<String>,
    ) -> Result<TransceiverId, Error> {
        self.check_open()?;
        if self.is_sent(track) {
            let message = "a sender has this track already";
            return Err(Error::new(ErrorKind::InvalidAccess, message));
        }
        let id = match self.reusable(kind) {
            Some(id) => {
                let attached = self.negotiation.negotiator.attach_track(id.0, streams);
                attached.map_err(convert::negotiation_error)?;
                id
            }
            None => {
                let init = TransceiverInit {
                    streams,
                    ..TransceiverInit::default()
                };
                self.new_transceiver(kind, jsep::Origin::Track, init)?
            }
        };
        if let Some(it) = self.media.get_mut(id) {
            it.set_track(Some(track));
        }
        self.update_negotiation_needed();
        Ok(id)
    }

    /// [5.1-02] Whether a sender has the track: that of a transceiver that is only stopping is one still.
    fn is_sent(&self, track: TrackId) -> bool {
        let negotiator = &self.negotiation.negotiator;
        let stopped = |it: &MediaTransceiver| {
            let described = negotiator.transceiver(it.id.0);
            described.is_none_or(|it| it.is_stopped())
        };
        let mut all = self.media.iter();
        all.any(|it| it.sender.track == Some(track) && !stopped(it))
    }

    /// [5.1-03] The transceiver whose sender `addTrack` uses again.
    fn reusable(&self, kind: MediaKind) -> Option<TransceiverId> {
        let negotiator = &self.negotiation.negotiator;
        let unused = self.media.iter().find(|it| {
            let described = negotiator.transceiver(it.id.0);
            it.kind == kind
                && it.sender.track.is_none()
                && described.is_some_and(|it| !it.is_stopping() && !it.has_sent())
        });
        unused.map(|it| it.id)
    }

    /// W3C §5.1, `addTransceiver()`. `track` is the caller's number for the track of its sender.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed; `Type` for the direction `Stopped` and for malformed, doubled or missing rids; `InvalidAccess` for a
    /// payload type; `Operation` for a codec that cannot be sent, and for modes and sizes that do not fit it or each other; `Range` for a
    /// scale below 1, and a frame rate that is not above 0; `InvalidModification` for packets of one length and of any.
    pub fn add_transceiver(
        &mut self,
        kind: MediaKind,
        track: Option<TrackId>,
        init: TransceiverInit,
    ) -> Result<TransceiverId, Error> {
        self.check_open()?;
        let id = self.new_transceiver(kind, jsep::Origin::Init, init)?;
        if let Some(it) = self.media.get_mut(id) {
            it.set_track(track);
        }
        self.update_negotiation_needed();
        Ok(id)
    }

    fn new_transceiver(
        &mut self,
        kind: MediaKind,
        origin: jsep::Origin,
        init: TransceiverInit,
    ) -> Result<TransceiverId, Error> {
        let direction = convert::direction(init.direction)?;
        // [5.1-14]: before everything else that may be wrong with them.
        let rids = init.encodings.iter().filter_map(|it| it.rid.clone());
        let rids: Vec<_> = rids.collect();
        jsep::check_rids(&rids).map_err(convert::negotiation_error)?;
        let mut encodings = super::parameters::checked(kind, init.encodings)?;
        let added = self.negotiation.negotiator.add_transceiver(
            convert::media_kind(kind),
            origin,
            jsep::TransceiverInit {
                direction,
                streams: init.streams,
                rids,
            },
        );
        let id = TransceiverId(added.map_err(convert::negotiation_error)?);
        // [5.1-19]: the scale of one that is cut counts for the others, and what is alone has no name.
        if super::parameters::is_scaled(&encodings) {
            super::parameters::scale(kind, &mut encodings);
        }
        let made = self.negotiation.negotiator.transceiver(id.0);
        encodings.truncate(made.map_or(1, |it| it.encodings().len().max(1)));
        if let [alone] = encodings.as_mut_slice() {
            alone.rid = None;
        }
        if encodings.is_empty() {
            encodings = MediaTransceiver::default_encodings(kind);
        }
        super::parameters::scale(kind, &mut encodings);
        self.media.add(id, kind, encodings);
        Ok(id)
    }

    /// W3C §4.4.3.2, what old programs say when they create an offer. Whether negotiation is needed is not asked: it is under way.
    pub(in crate::engine) fn offer_to_receive(
        &mut self,
        kind: MediaKind,
        wanted: Option<bool>,
    ) -> Result<(), Error> {
        let Some(wanted) = wanted else {
            return Ok(());
        };
        let receives = self.receiving(kind);
        // [4.4.3.2-03] [4.4.3.2-04]
        if wanted && receives.is_empty() {
            let init = TransceiverInit {
                direction: RtpTransceiverDirection::RecvOnly,
                ..TransceiverInit::default()
            };
            self.new_transceiver(kind, jsep::Origin::Init, init)?;
        }
        // [4.4.3.2-02]
        for (id, sends) in receives.into_iter().filter(|_| !wanted) {
            let direction = jsep::sdp::Direction::new(sends, false);
            let set = self.negotiation.negotiator.set_direction(id.0, direction);
            set.map_err(convert::negotiation_error)?;
        }
        Ok(())
    }

    /// The transceivers of a kind that are to receive, and whether each is to send as well.
    fn receiving(&self, kind: MediaKind) -> Vec<(TransceiverId, bool)> {
        let of_kind = self.transceivers().filter(|it| it.kind() == kind);
        let directions = of_kind.map(|it| (it.id(), it.direction()));
        let receiving = directions.filter(|(_, it)| it.receives());
        receiving.map(|(id, it)| (id, it.sends())).collect()
    }

    /// W3C §5.1, `removeTrack()`: the sender stays, and sends nothing.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed.
    pub fn remove_track(&mut self, now: Instant, id: TransceiverId) -> Result<(), Error> {
        self.check_open()?;
        self.look_at_stats(now);
        let negotiator = &mut self.negotiation.negotiator;
        let stopping = negotiator
            .transceiver(id.0)
            .is_none_or(|it| it.is_stopping());
        let Some(it) = self.media.get_mut(id).filter(|_| !stopping) else {
            return Ok(());
        };
        if it.sender.track.is_some() {
            it.set_track(None);
            let detached = negotiator.detach_track(id.0);
            detached.map_err(convert::negotiation_error)?;
            self.change_source(id);
            self.update_negotiation_needed();
            self.look_at_stats(now);
        }
        Ok(())
    }

    /// W3C §5.2, `replaceTrack()`: numbers and timestamps of the sender go on.
    ///
    /// # Errors
    ///
    /// `Type` for a track of another kind, `InvalidState` when closed or stopping.
    pub fn replace_track(
        &mut self,
        now: Instant,
        id: TransceiverId,
        track: Option<(MediaKind, TrackId)>,
    ) -> Result<(), Error> {
        let of_kind = |it: &MediaTransceiver| track.is_none_or(|track| it.kind == track.0);
        if !self.media.get(id).is_none_or(of_kind) {
            let message = "the sender is for another kind of media";
            return Err(Error::new(ErrorKind::Type, message));
        }
        self.check_open()?;
        self.check_running(id)?;
        let track = track.map(|it| it.1);
        let before = self.media.get(id).and_then(|it| it.sender.track);
        // [5.2-21]: what it has already goes on undisturbed.
        if track.is_some() && track == before {
            return Ok(());
        }
        self.look_at_stats(now);
        if let Some(it) = self.media.get_mut(id) {
            it.set_track(track);
            self.change_source(id);
        }
        self.look_at_stats(now);
        Ok(())
    }

    /// W3C §5.2, `setStreams()`; without effect when the transceiver is not in the connection any more.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed.
    pub fn set_streams(&mut self, id: TransceiverId, streams: Vec<String>) -> Result<(), Error> {
        self.check_open()?;
        if self.media.get(id).is_none() {
            return Ok(());
        }
        let set = self.negotiation.negotiator.set_streams(id.0, streams);
        set.map_err(convert::negotiation_error)?;
        self.update_negotiation_needed();
        Ok(())
    }

    /// W3C §5.4, the setter of `direction`.
    ///
    /// # Errors
    ///
    /// `InvalidState` when it is stopping, `Type` for `Stopped`.
    pub fn set_direction(
        &mut self,
        id: TransceiverId,
        direction: RtpTransceiverDirection,
    ) -> Result<(), Error> {
        self.check_running(id)?;
        let direction = convert::direction(direction)?;
        let set = self.negotiation.negotiator.set_direction(id.0, direction);
        if set.map_err(convert::negotiation_error)? {
            self.update_negotiation_needed();
        }
        Ok(())
    }

    /// W3C §5.4, `stop()`: nothing is sent and received any more, and the next offer rejects its section.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed.
    pub fn stop_transceiver(&mut self, now: Instant, id: TransceiverId) -> Result<(), Error> {
        self.check_open()?;
        self.look_at_stats(now);
        let changes = self.negotiation.negotiator.stop(id.0);
        let changes = changes.map_err(convert::negotiation_error)?;
        if let Some(it) = self.media.get_mut(id) {
            let ended = std::mem::replace(&mut it.receiver.ended, true);
            let (on, section) = (it.on, it.section());
            // [5.4-07]: a BYE for each stream.
            if let Some((transport, _)) = on.and_then(|on| self.transports.lend(on))
                && let Some(path) = &mut transport.media
            {
                path.remove_section(section);
            }
            if !ended {
                self.tasks.push_one(crate::engine::Event::TrackEnded(id));
            }
        }
        self.apply(now, changes);
        Ok(())
    }

    /// W3C §5.4, `setCodecPreferences()`; none for the default.
    ///
    /// # Errors
    ///
    /// `InvalidModification` when one is no codec of ours, or none carries media; `InvalidState` when closed, or the transceiver is not
    /// in the connection any more.
    pub fn set_codec_preferences(
        &mut self,
        id: TransceiverId,
        codecs: &[RtpCodec],
    ) -> Result<(), Error> {
        let kind = self.media.get(id).map(|it| it.kind);
        let kind = kind.ok_or_else(no_transceiver)?;
        let foreign = || Error::new(ErrorKind::InvalidModification, "a codec of another kind");
        let codecs: Option<Vec<_>> = codecs
            .iter()
            .map(|it| convert::codec_of(kind, it))
            .collect();
        let codecs = codecs.ok_or_else(foreign)?;
        let set = self
            .negotiation
            .negotiator
            .set_codec_preferences(id.0, &codecs);
        set.map_err(convert::negotiation_error)
    }

    /// What is known of a transceiver; `None` when it is not in the connection any more.
    pub fn transceiver(&self, id: TransceiverId) -> Option<TransceiverView<'_>> {
        TransceiverView::new(id, &self.media, &self.negotiation.negotiator)
    }

    /// W3C's `getTransceivers()`: in the order in which they were added.
    pub fn transceivers(&self) -> impl Iterator<Item = TransceiverView<'_>> {
        let all = self.media.iter().map(|it| it.id);
        all.filter_map(|id| self.transceiver(id))
    }

    /// What a source gives for a sender. It waits, at most half a second, until it can be sent.
    pub fn write(&mut self, now: Instant, id: TransceiverId, batch: &MediaBatch) {
        let Some(it) = self.media.get_mut(id) else {
            return;
        };
        it.sender.report.given.note(now, batch);
        // RTP lets nothing out where nothing is to be sent; here it is what would set the pace of others.
        if !it.sender.sends {
            return;
        }
        let section = it.section();
        let Some((transport, _)) = it.on.and_then(|on| self.transports.lend(on)) else {
            return;
        };
        if let Some(path) = &mut transport.media {
            if it.kind == MediaKind::Video {
                path.gate.frame(now);
            }
            path.rtp.write(now, section, batch.lane(), batch.inner());
        }
    }

    /// So many packets that were meant for a sender are lost: its video goes on with a key frame.
    pub fn lag(&mut self, id: TransceiverId, packets: u64) {
        if let Some((path, section)) = self.path_of(id) {
            path.rtp.lag(section, packets);
        }
    }

    /// What of its source a sender sends. `rids` are those of the source's streams, by lane: a sender with several encodings sends of
    /// each the stream with its rid, or the one at its place.
    pub fn choose(&mut self, now: Instant, id: TransceiverId, rids: &[String], choice: &Choice) {
        let Some(it) = self.media.get_mut(id) else {
            return;
        };
        let sender = &mut it.sender;
        if sender.rids != rids || sender.choice != *choice {
            sender.lane = choice.place(rids).unwrap_or(sender.lane);
            (sender.rids, sender.choice) = (rids.to_vec(), choice.clone());
            self.reconfigure(now, id);
        }
    }

    /// Asks the peer for a key frame of a receiver: of one lane, or of all.
    pub fn request_keyframe(&mut self, now: Instant, id: TransceiverId, lane: Option<u8>) {
        if let Some((path, section)) = self.path_of(id) {
            path.rtp.request_keyframe(now, section, lane);
        }
    }

    /// What is made of what a receiver receives: whole frames, packets, or both. Without either nothing is copied.
    pub fn set_delivery(&mut self, id: TransceiverId, frames: bool, packets: bool) {
        let Some(it) = self.media.get_mut(id) else {
            return;
        };
        let delivery = Delivery {
            frames,
            packets,
            target: it.receiver.delivery.target,
        };
        if it.receiver.delivery != delivery {
            it.receiver.delivery = delivery;
            if let Some((path, section)) = self.path_of(id) {
                path.rtp.set_delivery(section, delivery);
            }
        }
    }

    /// W3C §5.3, `jitterBufferTarget`: how long frames wait at least before they can be read, so that they can be played evenly; `None`
    /// leaves it to what the path does.
    ///
    /// # Errors
    ///
    /// `Range` above 4 s, `InvalidState` when the transceiver is not in the connection any more.
    pub fn set_jitter_buffer_target(
        &mut self,
        id: TransceiverId,
        target: Option<Duration>,
    ) -> Result<(), Error> {
        if target.is_some_and(|it| it > LONGEST_TARGET) {
            let message = "frames wait 4 seconds at most";
            return Err(Error::new(ErrorKind::Range, message));
        }
        let it = self.media.get_mut(id).ok_or_else(no_transceiver)?;
        it.receiver.delivery.target = target;
        let delivery = it.receiver.delivery;
        if let Some((path, section)) = self.path_of(id) {
            path.rtp.set_delivery(section, delivery);
        }
        Ok(())
    }

    /// W3C §5.3, `jitterBufferTarget`.
    pub fn jitter_buffer_target(&self, id: TransceiverId) -> Option<Duration> {
        self.media.get(id)?.receiver.delivery.target
    }

    /// Who was heard on a receiver in the last ten seconds, the newest first (W3C §5.3): those who sent the packets, and those who
    /// contributed to them.
    pub fn sources(&self, now: Instant, id: TransceiverId) -> Vec<RtpSource> {
        let found = self.media.get(id).and_then(|it| {
            let path = self.transports.by_id(it.on?)?.media.as_deref()?;
            Some(path.rtp.sources(now, it.section()))
        });
        let shown = |it| convert::shown_source(it, self.equipment.wall_at(now));
        found.into_iter().flatten().map(shown).collect()
    }

    /// The next whole frame of a receiver whose time has come.
    pub fn read_frame(&mut self, now: Instant, id: TransceiverId) -> Option<EncodedFrame> {
        loop {
            let (path, section) = self.path_of(id)?;
            let frame = path.rtp.read_frame(now, section)?;
            let negotiated = self.media.get(id)?.receiver.negotiated.as_deref();
            let rid = negotiated.and_then(|it| it.rids.get(usize::from(frame.lane)));
            let shown = convert::shown_frame(frame, rid.cloned());
            if shown.is_some() {
                return shown;
            }
        }
    }

    /// The next batch of packets that came together, of a receiver that delivers them. No event tells of it: who reads packets asks
    /// after each input: of what is not taken 4,096 packets of a layer are kept at most, and 16,384 of a transport.
    #[inline]
    pub fn read_packets(&mut self) -> Option<(TransceiverId, MediaBatch)> {
        // Asked after every call, and many connections have no media.
        match self.media.is_empty() {
            true => None,
            false => self.poll_received(),
        }
    }

    fn poll_received(&mut self) -> Option<(TransceiverId, MediaBatch)> {
        for transport in self.transports.iter_mut() {
            let Some(path) = &mut transport.media else {
                continue;
            };
            while let Some((section, lane, batch)) = path.rtp.poll_batch() {
                if let Some(it) = self.media.of_section(section) {
                    return Some((it.id, MediaBatch::new(lane, batch)));
                }
            }
        }
        None
    }

    /// Sets again what RTP does for a transceiver.
    pub(super) fn reconfigure(&mut self, now: Instant, id: TransceiverId) {
        if let Some(it) = self.media.get_mut(id) {
            it.changed = true;
        }
        self.configure_media(now);
    }

    fn change_source(&mut self, id: TransceiverId) {
        if let Some((path, section)) = self.path_of(id) {
            path.rtp.change_source(section);
        }
    }

    fn path_of(
        &mut self,
        id: TransceiverId,
    ) -> Option<(&mut super::MediaPath, oxirtc_rtp::SectionId)> {
        let it = self.media.get(id)?;
        let (transport, _) = self.transports.lend(it.on?)?;
        Some((transport.media.as_deref_mut()?, it.section()))
    }

    pub(super) fn check_running(&self, id: TransceiverId) -> Result<(), Error> {
        let it = self.negotiation.negotiator.transceiver(id.0);
        if self.closed || it.is_none_or(|it| it.is_stopping()) {
            let message = "the transceiver is stopping";
            return Err(Error::new(ErrorKind::InvalidState, message));
        }
        Ok(())
    }
}

/// [5.3-07]
const LONGEST_TARGET: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use oxirtc_netsim::{epoch, ms};

    use super::*;
    use crate::{
        Codec,
        engine::{Cutter, Event, Settings, engine, negotiate},
        stats::{MediaSource, StatsObject},
    };

    fn transceiver(kind: MediaKind, track: Option<TrackId>) -> (Engine, TransceiverId) {
        let mut engine = engine(1, Settings::default());
        engine.watch_ended_stats(epoch());
        let added = engine.add_transceiver(kind, track, TransceiverInit::default());
        (engine, added.unwrap())
    }

    /// [8.5-01] What a verb takes away is told at once, with its last values, though nothing comes and goes.
    #[test]
    fn what_a_verb_takes_away_is_told_at_once() {
        let (mut engine, id) = transceiver(MediaKind::Video, Some(TrackId(1)));
        type Verb = fn(&mut Engine, TransceiverId) -> Result<(), Error>;
        let verbs: [Verb; 2] = [
            |it, id| it.replace_track(epoch(), id, Some((MediaKind::Video, TrackId(2)))),
            |it, id| it.remove_track(epoch(), id),
        ];
        for (at, verb) in verbs.into_iter().enumerate() {
            let mut payload = vec![7; 300];
            payload[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
            let frame = EncodedFrame::new(Codec::Vp8, payload);
            let batch = Cutter::new().cut_frame(epoch(), 0, &frame).unwrap();
            engine.write(epoch(), id, &batch);
            verb(&mut engine, id).unwrap();
            let tasks = std::iter::from_fn(|| engine.poll_task()).flatten();
            let ended = tasks.filter_map(|it| match it {
                Event::StatsEnded(report) => Some(*report),
                _ => None,
            });
            let frames = ended.flatten().filter_map(|it| match it {
                StatsObject::MediaSource(MediaSource::Video(it)) => it.frames,
                _ => None,
            });
            assert_eq!(frames.collect::<Vec<_>>(), [1], "{at}");
        }
    }

    /// A rid that the source has not leaves the lane that was chosen; other rids of the source are looked at.
    #[test]
    fn a_rid_that_there_is_not_changes_nothing() {
        let (mut engine, id) = transceiver(MediaKind::Video, None);
        for (rids, rid, lane) in [
            (["a", "b"], "b", 1),
            (["a", "b"], "c", 1),
            (["c", "b"], "c", 0),
            (["b", "c"], "c", 1),
        ] {
            let rids = rids.map(str::to_owned);
            engine.choose(epoch(), id, &rids, &Choice::rid(rid));
            let sender = &engine.media.get(id).unwrap().sender;
            assert_eq!((sender.lane, &sender.rids[..]), (lane, &rids[..]));
        }
    }

    /// [5.3-07] Who reads otherwise waits as long as before.
    #[test]
    fn what_is_read_keeps_its_target() {
        let (mut engine, id) = transceiver(MediaKind::Video, None);
        let target = Some(ms(300));
        engine.set_jitter_buffer_target(id, target).unwrap();
        for (frames, packets) in [(true, false), (true, true), (false, true), (false, false)] {
            engine.set_delivery(id, frames, packets);
            assert_eq!(engine.jitter_buffer_target(id), target);
            let delivery = engine.media.get(id).unwrap().receiver.delivery;
            assert_eq!((delivery.frames, delivery.packets), (frames, packets));
        }
    }

    /// Once a transceiver is stopped nothing of it goes either way, though the peer does not know yet.
    #[test]
    fn what_is_stopped_goes_no_way() {
        let (mut near, id) = transceiver(MediaKind::Video, Some(TrackId(1)));
        let mut far = engine(2, Settings::default());
        far.add_track(MediaKind::Video, TrackId(2), Vec::new())
            .unwrap();
        negotiate(&mut near, &mut far, true);
        let goes = |it: &Engine| {
            let it = it.media.get(id).unwrap();
            (it.sender.sends, it.receiver.receptive)
        };
        assert_eq!(goes(&near), (true, true));
        near.stop_transceiver(epoch(), id).unwrap();
        assert_eq!(goes(&near), (false, false));
    }

    /// A codec of another kind is no value that a preference may have.
    #[test]
    fn preferences_are_of_their_kind() {
        let (mut engine, id) = transceiver(MediaKind::Audio, None);
        for (mime_type, clock_rate, channels, refused) in [
            ("video/VP8", 90_000, None, true),
            ("audio/opus", 48_000, Some(2), false),
        ] {
            let codec = RtpCodec {
                mime_type: mime_type.to_owned(),
                clock_rate,
                channels,
                sdp_fmtp_line: (!refused).then(|| "minptime=10;useinbandfec=1".to_owned()),
            };
            let set = engine.set_codec_preferences(id, &[codec]);
            let kind = set.map_err(|it| it.kind());
            let expected = Err(ErrorKind::InvalidModification);
            assert_eq!(kind, if refused { expected } else { Ok(()) });
        }
    }
}
