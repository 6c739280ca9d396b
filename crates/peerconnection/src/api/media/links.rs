//! What the media of one connection is linked to: the tracks of its senders and of its receivers.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::{
    inbox::Inbox,
    source::{Sink, Source},
    stream::{MediaStream, StreamEvent},
    track::MediaStreamTrack,
    wanted::{LANES, Wanted},
};
use crate::{
    api::{events::Queue, waiters::Wakeups},
    engine::{Engine, MediaBatch, TransceiverId, TransceiverView},
};

/// The tracks of a connection, by the transceivers that have them.
#[derive(Default)]
pub(in crate::api) struct Links {
    senders: BTreeMap<TransceiverId, Outgoing>,
    receivers: BTreeMap<TransceiverId, MediaStreamTrack>,
    /// [5.1.1-02]: one for each id.
    streams: BTreeMap<String, MediaStream>,
    /// What senders tell of their tones.
    tones: BTreeMap<TransceiverId, Queue<String>>,
}

/// The track of a sender.
struct Outgoing {
    track: MediaStreamTrack,
    /// Kept here: without it the source takes the sender for gone, which it is behind its transceiver.
    sink: Option<Arc<Sink>>,
}

impl Outgoing {
    /// Whether what came by this sink goes out.
    fn takes(&self, sink: u64) -> bool {
        self.sink.as_ref().and_then(|it| it.number()) == Some(sink) && self.track.state.gives()
    }

    /// Writes down what the encodings of its sender want of who encodes.
    fn tell_encodings(&self, id: TransceiverId, engine: &Engine) {
        let Some(sink) = &self.sink else { return };
        let Some(view) = engine.transceiver(id) else {
            return sink.want([None; LANES], false);
        };
        let mut encodings = view.encodings().to_vec();
        for (at, _) in view.stopped() {
            // What does not get out need not be encoded.
            if let Some(encoding) = encodings.get_mut(at) {
                encoding.active = false;
            }
        }
        let (rids, choice) = (self.track.state.source.rids(), self.track.choice());
        let wanted = Wanted::by_lane(&encodings, view.degradation_preference(), &rids, &choice);
        sink.want(wanted, view.takes_single_units());
    }
}

/// What is handed to others when no connection is locked. It is made with each call of a connection, and nearly always stays empty.
#[derive(Default)]
pub(in crate::api) struct Outbound(Vec<Handed>);

enum Handed {
    /// Packets that came, for those who take them.
    Batch(Arc<Source>, MediaBatch),
    /// Its wishes have changed.
    Told(Arc<Source>),
    /// Its streams have other rids.
    Named(Arc<Source>),
    /// A connection has given the track up as it was closed.
    Left(MediaStreamTrack),
    /// Nobody can see the stream: it goes without the lock, as it may hold a task that holds a handle.
    Unseen(MediaStream),
}

impl Outbound {
    /// Hands it over. No connection may be locked by the caller.
    #[inline]
    pub(in crate::api) fn hand_over(self) {
        if !self.0.is_empty() {
            self.hand_over_all();
        }
    }

    fn hand_over_all(self) {
        for handed in self.0 {
            match handed {
                Handed::Batch(source, batch) => source.deliver(&batch),
                Handed::Told(source) => source.tell_upstream(),
                Handed::Named(source) => source.tell_senders(),
                Handed::Left(track) => track.state.source.tell_upstream(),
                Handed::Unseen(stream) => drop(stream),
            }
        }
    }
}

impl Links {
    /// A sender has this track from now on, or none.
    pub(in crate::api) fn send(
        &mut self,
        id: TransceiverId,
        track: Option<&MediaStreamTrack>,
        inbox: &Arc<Inbox>,
    ) {
        let sink = track.map(|it| Sink::of_sender(inbox, id, it.number()));
        let left = match track.cloned().zip(sink) {
            Some((track, sink)) => {
                track.state.source.attach(&sink);
                inbox.choose(id);
                let sink = Some(sink);
                self.senders.insert(id, Outgoing { track, sink })
            }
            None => self.senders.remove(&id),
        };
        // What it wanted of the source before nobody wants any more.
        if let Some(Outgoing { track, sink }) = left {
            drop(sink);
            track.state.source.tell_upstream();
        }
    }

    /// The track of a sender.
    pub(in crate::api) fn sent(&self, id: TransceiverId) -> Option<MediaStreamTrack> {
        self.senders.get(&id).map(|it| it.track.clone())
    }

    /// Tells the engine how its tracks are called, for statistics.
    pub(in crate::api) fn name_tracks(&mut self, engine: &mut Engine, inbox: &Arc<Inbox>) {
        let mut all = Vec::new();
        for view in engine.transceivers() {
            let sent = self.senders.get(&view.id());
            let sent = sent.map(|it| it.track.id().to_owned());
            all.push((view.id(), sent, self.received(view, inbox).id().to_owned()));
        }
        for (id, sent, received) in all {
            engine.name_tracks(id, sent, Some(received));
        }
    }

    /// The senders that have this track.
    pub(in crate::api) fn senders_of(
        &self,
        track: &MediaStreamTrack,
    ) -> impl Iterator<Item = TransceiverId> {
        let of = self.senders.iter().filter(move |it| it.1.track == *track);
        of.map(|it| *it.0)
    }

    /// The receiver that has this track.
    pub(in crate::api) fn receiver_of(&self, track: &MediaStreamTrack) -> Option<TransceiverId> {
        let found = self.receivers.iter().find(|it| it.1 == track);
        found.map(|it| *it.0)
    }

    /// What a sender tells of its tones, from the first time that somebody asks.
    pub(in crate::api) fn tones(&mut self, id: TransceiverId) -> &mut Queue<String> {
        self.tones.entry(id).or_default()
    }

    pub(in crate::api) fn tone(&mut self, id: TransceiverId, tone: String, wakeups: &mut Wakeups) {
        if let Some(queue) = self.tones.get_mut(&id) {
            queue.push_bounded(tone, wakeups);
        }
    }

    /// The track of a receiver, which is there as long as the receiver.
    pub(in crate::api) fn received(
        &mut self,
        of: TransceiverView<'_>,
        inbox: &Arc<Inbox>,
    ) -> MediaStreamTrack {
        let new = || {
            let track = MediaStreamTrack::remote(of.kind(), inbox);
            track.state.source.name(of.rids());
            track
        };
        self.receivers.entry(of.id()).or_insert_with(new).clone()
    }

    /// The stream of this id.
    pub(in crate::api) fn stream(&mut self, id: &str) -> MediaStream {
        let new = || MediaStream::named(id.to_owned());
        let stream = self.streams.entry(id.to_owned()).or_insert_with(new);
        stream.clone()
    }

    pub(in crate::api) fn mute(&self, id: TransceiverId, muted: bool, wakeups: &mut Wakeups) {
        if let Some(track) = self.receivers.get(&id) {
            track.state.mute(muted, wakeups);
        }
    }

    /// The peer plays a tone on a receiver.
    pub(in crate::api) fn hear(&self, id: TransceiverId, tone: char, wakeups: &mut Wakeups) {
        if let Some(track) = self.receivers.get(&id) {
            track.state.hear(tone, wakeups);
        }
    }

    pub(in crate::api) fn end(&self, id: TransceiverId, wakeups: &mut Wakeups) {
        if let Some(track) = self.receivers.get(&id) {
            track.state.end(true, wakeups);
        }
    }

    pub(in crate::api) fn change_stream(
        &mut self,
        stream: &str,
        track: MediaStreamTrack,
        added: bool,
        wakeups: &mut Wakeups,
        outbound: &mut Outbound,
    ) {
        let event = if added {
            StreamEvent::AddTrack(track)
        } else {
            StreamEvent::RemoveTrack(track)
        };
        self.stream(stream).change(event, wakeups);
        if !added {
            // A peer may name others for ever.
            let unseen = self.streams.iter().filter(|it| it.1.is_unseen());
            let unseen: Vec<String> = unseen.map(|it| it.0.clone()).collect();
            let gone = unseen.iter().filter_map(|it| self.streams.remove(it));
            outbound.0.extend(gone.map(Handed::Unseen));
        }
    }

    /// A sender needs a key frame of its source.
    pub(in crate::api) fn want_keyframe(
        &self,
        id: TransceiverId,
        lane: u8,
        outbound: &mut Outbound,
    ) {
        let source = self.senders.get(&id).map(|it| &it.track.state.source);
        if let Some(source) = source.filter(|it| it.want_keyframe_quietly(lane)) {
            outbound.0.push(Handed::Told(source.clone()));
        }
    }

    /// The peer of a sender allows so much on a lane.
    pub(in crate::api) fn allow(
        &self,
        id: TransceiverId,
        lane: usize,
        bits: Option<u64>,
        outbound: &mut Outbound,
    ) {
        if let Some(link) = self.senders.get(&id) {
            link.sink.iter().for_each(|it| it.allow(lane, bits));
            let source = link.track.state.source.clone();
            outbound.0.push(Handed::Told(source));
        }
    }

    /// The encodings of a sender have changed.
    pub(in crate::api) fn change_encodings(
        &self,
        id: TransceiverId,
        engine: &Engine,
        outbound: &mut Outbound,
    ) {
        if let Some(link) = self.senders.get(&id) {
            link.tell_encodings(id, engine);
            let source = link.track.state.source.clone();
            outbound.0.push(Handed::Told(source));
        }
    }

    /// What others have left for this connection goes into its engine, and what they wish.
    pub(in crate::api) fn take_in(
        &mut self,
        now: impl FnOnce() -> Instant,
        engine: &mut Engine,
        inbox: &Inbox,
        wakeups: &mut Wakeups,
    ) {
        let Some(taken) = inbox.take(wakeups) else {
            return;
        };
        let now = now();
        for (id, packets) in taken.lagged {
            engine.lag(id, packets);
        }
        for id in taken.chosen {
            if let Some(link) = self.senders.get(&id) {
                let (rids, choice) = (link.track.state.source.rids(), link.track.choice());
                engine.choose(now, id, &rids, &choice);
                link.tell_encodings(id, engine);
                link.track.state.source.tell_upstream();
            }
        }
        for parcel in taken.parcels {
            let link = self.senders.get(&parcel.id);
            // What a source gave that the sender has no more is not for it.
            if link.is_some_and(|it| it.takes(parcel.sink)) {
                engine.write(now, parcel.id, &parcel.batch);
            }
        }
        self.ask(now, engine);
    }

    /// The peer was described: its streams may have other rids.
    pub(in crate::api) fn name(&self, engine: &Engine, outbound: &mut Outbound) {
        for (id, track) in &self.receivers {
            let rids = engine.transceiver(*id).map_or(&[][..], |it| it.rids());
            let source = &track.state.source;
            if source.name(rids) {
                outbound.0.push(Handed::Named(source.clone()));
            }
        }
    }

    /// Brings what readers and other connections want of the receivers to the engine.
    fn ask(&mut self, now: Instant, engine: &mut Engine) {
        // Those of transceivers that are gone have ended, and belong to their handles alone.
        self.receivers
            .retain(|id, _| engine.transceiver(*id).is_some());
        let gone = |id: &TransceiverId| engine.transceiver(*id).is_none();
        for (_, link) in self.senders.iter_mut().filter(|it| gone(it.0)) {
            if link.sink.take().is_some() {
                link.track.state.source.tell_upstream();
            }
        }
        for (id, track) in &self.receivers {
            let source = &track.state.source;
            let frames = track.state.has_frame_readers();
            let packets = source.has_sinks() && source.is_enabled();
            engine.set_delivery(*id, frames, packets);
            let lanes = source.take_keyframes();
            if lanes == u64::MAX {
                engine.request_keyframe(now, *id, None);
            } else if lanes != 0 {
                let wanted = (0..64).filter(|lane| lanes >> lane & 1 == 1);
                wanted.for_each(|lane| engine.request_keyframe(now, *id, Some(lane)));
            }
        }
    }

    /// Hands whole frames to the readers.
    pub(in crate::api) fn read(
        &self,
        now: Instant,
        id: TransceiverId,
        engine: &mut Engine,
        wakeups: &mut Wakeups,
    ) {
        let Some(track) = self.receivers.get(&id) else {
            return;
        };
        let mut wants = false;
        while let Some(frame) = engine.read_frame(now, id) {
            wants |= track.state.push_frame(&frame, wakeups);
        }
        if wants {
            engine.request_keyframe(now, id, None);
        }
    }

    /// The packets that came, for whoever takes them.
    #[inline]
    pub(in crate::api) fn collect(&self, engine: &mut Engine, outbound: &mut Outbound) {
        // Asked after every call: mostly there is none.
        if let Some(first) = engine.read_packets() {
            self.hand_over(first, engine, outbound);
        }
    }

    fn hand_over(
        &self,
        first: (TransceiverId, MediaBatch),
        engine: &mut Engine,
        outbound: &mut Outbound,
    ) {
        let others = std::iter::from_fn(|| engine.read_packets());
        for (id, batch) in std::iter::once(first).chain(others) {
            if let Some(track) = self.receivers.get(&id) {
                let source = track.state.source.clone();
                outbound.0.push(Handed::Batch(source, batch));
            }
        }
    }

    /// Of tones of a transceiver that is gone nothing more is told.
    pub(in crate::api) fn end_tones(&mut self, engine: &Engine, wakeups: &mut Wakeups) {
        let gone = |id: TransceiverId| engine.transceiver(id).is_none();
        let ended = self.tones.iter_mut().filter(|(id, _)| gone(**id));
        ended.for_each(|(_, queue)| queue.end(wakeups));
    }

    /// The connection is closed: nothing comes any more, and nothing goes.
    pub(in crate::api) fn close(&mut self, wakeups: &mut Wakeups, outbound: &mut Outbound) {
        // What they wanted of their sources nobody wants any more.
        let left = std::mem::take(&mut self.senders).into_values();
        outbound.0.extend(left.map(|it| Handed::Left(it.track)));
        self.tones.values_mut().for_each(|it| it.end(wakeups));
        for track in self.receivers.values() {
            track.state.end(false, wakeups);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Mutex,
            atomic::{AtomicBool, Ordering},
        },
        task::{Poll, Waker},
    };

    use oxirtc_netsim::epoch;

    use super::*;
    use crate::{
        Choice, Codec, EncodedFrame, MediaKind, RtpEncodingParameters, StopCause,
        api::{Hint, TrackReadyState, waiters::Waiter},
        engine::{Settings, TransceiverInit, engine, stop_sending},
        stats::{MediaSource, StatsObject},
    };

    /// How many pictures came from the source of a sender.
    fn given(engine: &Engine) -> Option<u32> {
        let report = engine.stats(epoch());
        report.iter().find_map(|it| match it {
            StatsObject::MediaSource(MediaSource::Video(it)) => it.frames,
            _ => None,
        })
    }

    /// Who sends a track looks again at what of it is sent when its streams have other rids, and when they have the same does not.
    #[test]
    fn senders_are_told_of_other_rids() {
        let [mut near, mut far] = [1, 2].map(|seed| engine(seed, Settings::default()));
        let init = TransceiverInit {
            encodings: ["a", "b"].map(RtpEncodingParameters::named).into(),
            ..TransceiverInit::default()
        };
        near.add_transceiver(MediaKind::Video, None, init).unwrap();
        near.set_local_description(epoch(), None).unwrap();
        let offer = near.local_description().unwrap();
        far.set_remote_description(epoch(), offer).unwrap();
        let [own, others] = [(); 2].map(|()| Arc::new(Inbox::new(Waker::noop().clone())));
        let (mut links, mut elsewhere) = (Links::default(), Links::default());
        let view = far.transceivers().next().unwrap();
        let (track, id) = (links.received(view, &own), view.id());
        elsewhere.send(id, Some(&track), &others);
        others.take(&mut Wakeups::default());
        far.set_local_description(epoch(), None).unwrap();
        let view = far.transceivers().next().unwrap();
        let new = Links::default().received(view, &own);
        assert_eq!(new.rids(), ["a", "b"], "one that comes now has them");
        for told in [true, false] {
            let mut outbound = Outbound::default();
            links.name(&far, &mut outbound);
            outbound.hand_over();
            assert_eq!(track.rids(), ["a", "b"]);
            let taken = others.take(&mut Wakeups::default());
            let chosen = taken.is_some_and(|it| it.chosen == [id]);
            assert_eq!(chosen, told);
        }
    }

    /// A sender that is gone asks nothing more of who encodes.
    #[test]
    fn what_is_gone_wants_nothing() {
        let mut engine = engine(9, Settings::default());
        let mut links = Links::default();
        let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
        let (track, _writer) = MediaStreamTrack::from_frames(MediaKind::Video);
        let init = TransceiverInit {
            encodings: vec![RtpEncodingParameters {
                active: false,
                ..RtpEncodingParameters::default()
            }],
            ..TransceiverInit::default()
        };
        let id = engine.add_transceiver(MediaKind::Video, Some(track.number()), init);
        let id = id.unwrap();
        links.send(id, Some(&track), &inbox);
        for is_gone in [false, true] {
            links.change_encodings(id, &engine, &mut Outbound::default());
            assert_eq!(track.state.source.wants(0).active, is_gone);
            engine.stop_transceiver(epoch(), id).unwrap();
        }
    }

    /// What does not get out need not be encoded, until it does again.
    #[test]
    fn what_has_stopped_need_not_be_encoded() {
        let (track, _writer) = MediaStreamTrack::from_frames(MediaKind::Video);
        let (mut engine, links, _inbox, id) = sender(&track);
        for cause in [None, Some(StopCause::Silence), None] {
            stop_sending(&mut engine, id, 0, cause);
            links.change_encodings(id, &engine, &mut Outbound::default());
            assert_eq!(track.state.source.wants(0).active, cause.is_none());
        }
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Whether anybody takes a track when who writes it is woken.
    struct Finds(MediaStreamTrack, Mutex<Option<bool>>);

    impl std::task::Wake for Finds {
        fn wake(self: Arc<Self>) {
            *self.1.lock().unwrap() = Some(self.0.state.source.has_sinks());
        }
    }

    /// Whether `f` wakes who writes this track.
    fn wakes(track: &MediaStreamTrack, f: impl FnOnce()) -> bool {
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(woken.clone());
        let cx = std::task::Context::from_waker(&waker);
        track.state.source.register(&mut Waiter::by_hand(&cx));
        f();
        woken.0.load(Ordering::Relaxed)
    }

    /// A connection with a sender of this track.
    fn sender(track: &MediaStreamTrack) -> (Engine, Links, Arc<Inbox>, TransceiverId) {
        let mut engine = engine(9, Settings::default());
        let mut links = Links::default();
        let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
        let init = TransceiverInit::default();
        let id = engine.add_transceiver(track.kind(), Some(track.number()), init);
        let id = id.unwrap();
        links.send(id, Some(track), &inbox);
        (engine, links, inbox, id)
    }

    /// Who writes a track hears of each wish that is new, when no connection is locked any more.
    #[test]
    fn who_writes_hears_of_wishes() {
        let (track, _writer) = MediaStreamTrack::from_frames(MediaKind::Video);
        let (engine, links, _inbox, id) = sender(&track);
        type Wish = fn(&Links, TransceiverId, &Engine, &mut Outbound);
        let key: Wish = |links, id, _, outbound| links.want_keyframe(id, 0, outbound);
        let wishes: [(Wish, bool); 4] = [
            (key, true),
            (key, false),
            (|links, id, _, to| links.allow(id, 0, Some(7), to), true),
            (|links, id, it, to| links.change_encodings(id, it, to), true),
        ];
        for (at, (wish, is_told)) in wishes.into_iter().enumerate() {
            let mut outbound = Outbound::default();
            assert!(!wakes(&track, || wish(&links, id, &engine, &mut outbound)));
            assert_eq!(wakes(&track, || outbound.hand_over()), is_told, "{at}");
        }
        assert_eq!(track.state.source.take_keyframes(), 1);
        assert_eq!(track.state.source.allows(0), Some(7));
    }

    /// The track that a sender has no more is told at once that nobody wants it, and nothing of it comes any more; of the new one is looked at
    /// what is sent.
    #[test]
    fn another_track_takes_the_place_of_one() {
        let [(old, _one), (new, _other)] =
            [(); 2].map(|()| MediaStreamTrack::from_frames(MediaKind::Video));
        let (_engine, mut links, inbox, id) = sender(&old);
        let chosen = |inbox: &Inbox| inbox.take(&mut Wakeups::default()).unwrap().chosen;
        assert_eq!(chosen(&inbox), [id]);
        links.allow(id, 0, Some(7), &mut Outbound::default());
        let finds = Arc::new(Finds(old.clone(), Mutex::default()));
        let waker = Waker::from(finds.clone());
        let cx = std::task::Context::from_waker(&waker);
        old.state.source.register(&mut Waiter::by_hand(&cx));
        links.send(id, Some(&new), &inbox);
        assert_eq!(*finds.1.lock().unwrap(), Some(false));
        assert_eq!(chosen(&inbox), [id]);
        let has_sinks = |it: &MediaStreamTrack| it.state.source.has_sinks();
        assert!(!has_sinks(&old) && has_sinks(&new));
        assert_eq!(old.state.source.allows(0), None);
        assert_eq!(links.sent(id), Some(new.clone()));
        assert_eq!(links.senders_of(&new).collect::<Vec<_>>(), [id]);
        assert_eq!(links.senders_of(&old).count(), 0);
        assert!(wakes(&new, || links.send(id, None, &inbox)));
        assert!(!has_sinks(&new));
        assert_eq!(links.sent(id), None);
    }

    /// Of a transceiver that is gone its receiver's track belongs to its handles alone, and its tones end; who has not asked for tones is kept
    /// none.
    #[test]
    fn what_is_gone_leaves_nothing() {
        let (track, _writer) = MediaStreamTrack::from_frames(MediaKind::Audio);
        let (mut engine, mut links, inbox, id) = sender(&track);
        let mut wakeups = Wakeups::default();
        let received = links.received(engine.transceiver(id).unwrap(), &inbox);
        assert_eq!(links.receiver_of(&received), Some(id));
        assert_eq!(links.receiver_of(&track), None);
        links.tone(id, "1".to_owned(), &mut wakeups);
        assert!(links.tones.is_empty());
        let cx = &mut std::task::Context::from_waker(Waker::noop());
        let next = |links: &mut Links| {
            let queue = links.tones(id);
            queue.poll(&mut Waiter::by_hand(cx), false)
        };
        assert!(next(&mut links).is_pending());
        links.tone(id, "2".to_owned(), &mut wakeups);
        assert_eq!(next(&mut links), Poll::Ready(Some("2".to_owned())));
        for is_gone in [false, true] {
            inbox.nudge();
            links.take_in(epoch, &mut engine, &inbox, &mut wakeups);
            links.end_tones(&engine, &mut wakeups);
            assert_eq!(links.receivers.is_empty(), is_gone);
            assert_eq!(next(&mut links).is_ready(), is_gone);
            if !is_gone {
                engine.stop_transceiver(epoch(), id).unwrap();
            }
        }
    }

    /// With `close()` tones end, and the tracks of receivers without an event.
    #[test]
    fn what_is_closed_ends() {
        let (track, _writer) = MediaStreamTrack::from_frames(MediaKind::Audio);
        let (engine, mut links, inbox, id) = sender(&track);
        let (mut wakeups, mut outbound) = (Wakeups::default(), Outbound::default());
        let received = links.received(engine.transceiver(id).unwrap(), &inbox);
        let cx = &mut std::task::Context::from_waker(Waker::noop());
        assert!(received.poll_next_event(cx).is_pending());
        links.tones(id);
        links.close(&mut wakeups, &mut outbound);
        assert_eq!(
            links.tones(id).poll(&mut Waiter::by_hand(cx), false),
            Poll::Ready(None)
        );
        assert_eq!(received.poll_next_event(cx), Poll::Ready(None));
        assert_eq!(received.ready_state(), TrackReadyState::Ended);
        assert_eq!(track.ready_state(), TrackReadyState::Live);
        assert!(!track.state.source.has_sinks());
    }

    /// Who encodes for a connection that is closed is told that nothing of it counts any more.
    #[test]
    fn a_connection_that_is_closed_wants_nothing() {
        let mut engine = engine(9, Settings::default());
        let mut links = Links::default();
        let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
        let (track, writer) = MediaStreamTrack::from_frames(MediaKind::Video);
        let init = TransceiverInit::default();
        let id = engine.add_transceiver(MediaKind::Video, Some(track.number()), init);
        let id = id.unwrap();
        links.send(id, Some(&track), &inbox);
        links.allow(id, 0, Some(300_000), &mut Outbound::default());
        let told = writer.try_hint();
        assert!(matches!(told, Some(Hint::Bitrate { bits, .. }) if bits == Some(300_000)));
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(woken.clone());
        let mut waits = std::pin::pin!(writer.next_hint());
        let cx = &mut std::task::Context::from_waker(&waker);
        assert!(waits.as_mut().poll(cx).is_pending());
        let (mut wakeups, mut outbound) = (Wakeups::default(), Outbound::default());
        links.close(&mut wakeups, &mut outbound);
        outbound.hand_over();
        assert!(woken.0.load(Ordering::Relaxed));
        let told = waits.as_mut().poll(cx);
        assert!(matches!(
            told,
            Poll::Ready(Some(Hint::Bitrate { bits: None, .. }))
        ));
    }

    /// A peer that names other streams for ever costs nothing: those that nobody can see any more are forgotten.
    #[test]
    fn streams_that_nobody_sees_are_forgotten() {
        let mut links = Links::default();
        let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
        let (mut wakeups, mut outbound) = (Wakeups::default(), Outbound::default());
        let track = MediaStreamTrack::remote(MediaKind::Video, &inbox);
        let mut change = |links: &mut Links, name: &str, added| {
            links.change_stream(name, track.clone(), added, &mut wakeups, &mut outbound);
        };
        let seen = links.stream("seen");
        for name in ["seen", "a", "b", "c"] {
            change(&mut links, name, true);
            assert!(links.streams.contains_key(name));
            change(&mut links, name, false);
        }
        assert_eq!(links.streams.keys().collect::<Vec<_>>(), ["seen"]);
        assert_eq!(links.stream("seen"), seen);
    }

    /// What waits for a connection is sent if its sender still has the track, and that gives what comes.
    #[test]
    fn what_waits_is_of_the_track_that_there_is() {
        type Change = fn(&MediaStreamTrack, &mut dyn FnMut());
        let changes: [(Change, u32); 4] = [
            (|_, _| {}, 1),
            (|_, replace| replace(), 0),
            (|sent, _| sent.stop(), 0),
            (|sent, _| sent.set_enabled(false), 0),
        ];
        for (at, (change, expected)) in changes.into_iter().enumerate() {
            let mut engine = engine(9, Settings::default());
            let (mut links, mut wakeups) = (Links::default(), Wakeups::default());
            let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
            let (track, writer) = MediaStreamTrack::from_frames(MediaKind::Video);
            let sent = track.forward(Choice::default());
            let init = TransceiverInit::default();
            let id = engine.add_transceiver(MediaKind::Video, Some(sent.number()), init);
            let id = id.unwrap();
            links.send(id, Some(&sent), &inbox);
            let mut payload = vec![7; 300];
            payload[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
            let frame = EncodedFrame::new(Codec::Vp8, payload);
            writer.try_write(frame).unwrap();
            change(&sent, &mut || links.send(id, Some(&track), &inbox));
            links.take_in(epoch, &mut engine, &inbox, &mut wakeups);
            assert_eq!(given(&engine), Some(expected), "change {at}");
        }
    }

    /// A sender whose transceiver is gone has its track still, and takes nothing of its source.
    #[test]
    fn what_is_gone_takes_nothing() {
        let mut engine = engine(9, Settings::default());
        let (mut links, mut wakeups) = (Links::default(), Wakeups::default());
        let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
        let (track, _writer) = MediaStreamTrack::from_frames(MediaKind::Video);
        let init = TransceiverInit::default();
        let id = engine.add_transceiver(MediaKind::Video, Some(track.number()), init);
        let id = id.unwrap();
        links.send(id, Some(&track), &inbox);
        let mut look = |engine: &mut Engine, links: &mut Links| {
            inbox.nudge();
            links.take_in(epoch, engine, &inbox, &mut wakeups);
            track.state.source.has_sinks()
        };
        assert!(look(&mut engine, &mut links));
        engine.stop_transceiver(epoch(), id).unwrap();
        assert!(!look(&mut engine, &mut links));
        assert_eq!(links.sent(id), Some(track.clone()));
    }
}
