//! Where media comes from, and where it goes: the one thing that a local track, a remote track and a forwarded one have.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Context,
};

use super::{
    inbox::{Inbox, Parcel},
    packets::PacketQueue,
    wanted::{LANES, Wanted},
};
use crate::{
    MediaKind,
    api::waiters::{Wait, Waiter, Waiters, Wakeups},
    engine::{MediaBatch, TrackId, TransceiverId},
};

/// A list of sinks, and a set of wishes.
pub(in crate::api) struct Source {
    pub(super) kind: MediaKind,
    sinks: Mutex<Arc<[Weak<Sink>]>>,
    /// A bit for each lane on which a key frame is wanted.
    keyframes: AtomicU64,
    upstream: Upstream,
    enabled: AtomicBool,
    /// The rids of its streams, by lane.
    rids: Mutex<Arc<[String]>>,
}

/// Who is asked for key frames.
enum Upstream {
    /// The application, which waits for hints.
    Writer(Mutex<Waiters>),
    /// A connection, which asks its peer.
    Receiver(Weak<Inbox>),
}

/// Where a source's batches go.
pub(in crate::api) enum Sink {
    /// A sender of a connection.
    Sender {
        inbox: Weak<Inbox>,
        id: TransceiverId,
        number: u64,
        /// Which of the tracks of the source it has.
        track: TrackId,
        /// What its peer allows on each lane, in bits a second.
        allowed: [AtomicU64; LANES],
        /// What its encodings want of each lane that they send.
        wanted: Mutex<Box<[Option<Wanted>; LANES]>>,
        /// Its peer takes units of H.264 whole only.
        single_units: AtomicBool,
    },
    /// A reader of the application.
    Reader(Arc<PacketQueue>),
}

impl Source {
    /// One that the application writes.
    pub(super) fn written(kind: MediaKind) -> Arc<Self> {
        Self::new(kind, Upstream::Writer(Mutex::default()))
    }

    /// One that a connection receives.
    pub(super) fn received(kind: MediaKind, inbox: &Arc<Inbox>) -> Arc<Self> {
        Self::new(kind, Upstream::Receiver(Arc::downgrade(inbox)))
    }

    fn new(kind: MediaKind, upstream: Upstream) -> Arc<Self> {
        Arc::new(Self {
            kind,
            sinks: Mutex::new(Arc::new([])),
            keyframes: AtomicU64::new(0),
            upstream,
            enabled: AtomicBool::new(true),
            rids: Mutex::new(Arc::new([])),
        })
    }

    /// Whether a connection gives it.
    pub(super) fn is_received(&self) -> bool {
        matches!(self.upstream, Upstream::Receiver(_))
    }

    /// Whether somebody takes what comes.
    pub(in crate::api) fn has_sinks(&self) -> bool {
        self.sinks().iter().any(|it| it.strong_count() > 0)
    }

    /// W3C's `enabled` of the track.
    pub(in crate::api) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    pub(super) fn enable(&self, enabled: bool) {
        let was = self.enabled.swap(enabled, Ordering::Relaxed);
        if enabled && !was && self.kind == MediaKind::Video {
            // What was left out is missing.
            self.want_keyframe(None);
        }
        self.tell_upstream();
    }

    /// Hands a batch to all who take it. No connection is locked meanwhile.
    pub(in crate::api) fn deliver(&self, batch: &MediaBatch) {
        let sinks = self.sinks();
        let mut dead = false;
        for sink in sinks.iter() {
            match sink.upgrade() {
                Some(sink) => sink.push(batch),
                None => dead = true,
            }
        }
        if dead {
            self.set_sinks(|it| it.filter(|sink| sink.strong_count() > 0).collect());
        }
    }

    /// Another one takes what comes. It is the sink's owner that keeps it.
    pub(super) fn attach(&self, sink: &Arc<Sink>) {
        let new = Arc::downgrade(sink);
        let living = |it: &Weak<Sink>| it.strong_count() > 0;
        self.set_sinks(|it| it.filter(living).chain([new]).collect());
        self.tell_upstream();
    }

    /// A key frame is wanted, on one lane or on all. Requests that nobody has taken yet are one.
    pub(in crate::api) fn want_keyframe(&self, lane: Option<u8>) {
        let bits = lane.map_or(u64::MAX, |lane| 1 << lane.min(63));
        let before = self.keyframes.fetch_or(bits, Ordering::AcqRel);
        if before & bits != bits {
            self.tell_upstream();
        }
    }

    /// The same while a connection is locked: true when whoever gives the media is to be told of it afterwards.
    pub(in crate::api) fn want_keyframe_quietly(&self, lane: u8) -> bool {
        let bit = 1 << lane.min(63);
        self.keyframes.fetch_or(bit, Ordering::AcqRel) & bit == 0
    }

    /// Takes the requests of key frames: a bit for each lane.
    pub(in crate::api) fn take_keyframes(&self) -> u64 {
        match self.keyframes.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.keyframes.swap(0, Ordering::AcqRel),
        }
    }

    /// Waits for wishes, where the application is asked.
    pub(super) fn register(&self, waiter: &mut Waiter<'_>) {
        if let Upstream::Writer(waiters) = &self.upstream {
            let mut waiters = waiters.lock().unwrap_or_else(PoisonError::into_inner);
            waiters.register(waiter);
        }
    }

    /// The least that the peers of all senders allow on a lane.
    pub(super) fn allows(&self, lane: usize) -> Option<u64> {
        let sinks = self.sinks();
        let living = sinks.iter().filter_map(Weak::upgrade);
        let least = living.map(|it| it.allows(lane)).min();
        least.filter(|it| *it != u64::MAX)
    }

    /// What all senders together want of who encodes a lane.
    pub(super) fn wants(&self, lane: usize) -> Wanted {
        let sinks = self.sinks();
        let living = sinks.iter().filter_map(Weak::upgrade);
        let wanted = living.filter_map(|it| it.wants(lane));
        wanted.reduce(Wanted::and).unwrap_or_default()
    }

    /// Whether any of the senders' peers takes units of H.264 whole only.
    pub(super) fn wants_single_units(&self) -> bool {
        let sinks = self.sinks();
        let mut living = sinks.iter().filter_map(Weak::upgrade);
        living.any(|it| it.wants_single_units())
    }

    /// True when there is somebody to send to, and none of them keeps up. `waits` are for each of them then.
    pub(super) fn is_behind(&self, cx: &Context<'_>, waits: &mut Vec<Wait>) -> bool {
        waits.clear();
        let sinks = self.sinks();
        let living = sinks.iter().filter_map(Weak::upgrade);
        let behind = living.filter_map(|it| it.is_behind(cx, waits));
        let behind: Vec<bool> = behind.collect();
        !behind.is_empty() && behind.iter().all(|it| *it)
    }

    /// The rids of its streams, by lane; none without simulcast.
    pub(super) fn rids(&self) -> Arc<[String]> {
        self.lock_rids().clone()
    }

    /// Its streams have other rids. True if they had others before: the senders are to be told then.
    pub(super) fn name(&self, rids: &[String]) -> bool {
        let mut known = self.lock_rids();
        let is_other = **known != *rids;
        if is_other {
            *known = rids.into();
        }
        is_other
    }

    /// Tells all senders to look at what of it they send. No connection is locked meanwhile.
    pub(in crate::api) fn tell_senders(&self) {
        self.each_sender(|_, inbox, id| inbox.choose(id));
    }

    /// Visits the senders that have one of its tracks: which, the inbox of the connection, the transceiver.
    pub(super) fn each_sender(&self, f: impl Fn(TrackId, &Inbox, TransceiverId)) {
        for sink in self.sinks().iter().filter_map(Weak::upgrade) {
            if let Sink::Sender {
                inbox, id, track, ..
            } = &*sink
                && let Some(inbox) = inbox.upgrade()
            {
                f(*track, &inbox, *id);
            }
        }
    }

    fn lock_rids(&self) -> MutexGuard<'_, Arc<[String]>> {
        self.rids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever gives the media is to look at what is wanted.
    pub(in crate::api) fn tell_upstream(&self) {
        match &self.upstream {
            Upstream::Writer(waiters) => {
                let mut wakeups = Wakeups::default();
                let mut waiting = waiters.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.wake(&mut wakeups);
                drop(waiting);
                wakeups.wake();
            }
            Upstream::Receiver(inbox) => {
                if let Some(inbox) = inbox.upgrade() {
                    inbox.nudge();
                }
            }
        }
    }

    pub(super) fn sinks(&self) -> Arc<[Weak<Sink>]> {
        self.lock().clone()
    }

    fn set_sinks(
        &self,
        f: impl FnOnce(std::iter::Cloned<std::slice::Iter<'_, Weak<Sink>>>) -> Arc<[Weak<Sink>]>,
    ) {
        let mut sinks = self.lock();
        *sinks = f(sinks.iter().cloned());
    }

    fn lock(&self) -> MutexGuard<'_, Arc<[Weak<Sink>]>> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    pub(super) fn of_sender(inbox: &Arc<Inbox>, id: TransceiverId, track: TrackId) -> Arc<Self> {
        Arc::new(Self::Sender {
            inbox: Arc::downgrade(inbox),
            id,
            number: inbox.next_sink(),
            track,
            allowed: std::array::from_fn(|_| AtomicU64::new(u64::MAX)),
            wanted: Mutex::default(),
            single_units: AtomicBool::new(false),
        })
    }

    /// Its encodings want this of who encodes each lane, and its peer units of H.264 whole.
    pub(super) fn want(&self, lanes: [Option<Wanted>; LANES], whole: bool) {
        if let Self::Sender {
            wanted,
            single_units,
            ..
        } = self
        {
            single_units.store(whole, Ordering::Relaxed);
            **wanted.lock().unwrap_or_else(PoisonError::into_inner) = lanes;
        }
    }

    fn wants_single_units(&self) -> bool {
        match self {
            Self::Sender { single_units, .. } => single_units.load(Ordering::Relaxed),
            Self::Reader(_) => false,
        }
    }

    fn wants(&self, lane: usize) -> Option<Wanted> {
        let Self::Sender { wanted, .. } = self else {
            return None;
        };
        let wanted = wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.get(lane).copied().flatten()
    }

    /// Its peer allows so much on a lane; `None` is no limit.
    pub(super) fn allow(&self, lane: usize, bits: Option<u64>) {
        if let Self::Sender { allowed, .. } = self
            && let Some(allowed) = allowed.get(lane)
        {
            allowed.store(bits.unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    fn allows(&self, lane: usize) -> u64 {
        let Self::Sender { allowed, .. } = self else {
            return u64::MAX;
        };
        let bits = allowed.get(lane).map(|it| it.load(Ordering::Relaxed));
        bits.unwrap_or(u64::MAX)
    }

    /// The number that its parcels have.
    pub(in crate::api) fn number(&self) -> Option<u64> {
        match self {
            Self::Sender { number, .. } => Some(*number),
            Self::Reader(_) => None,
        }
    }

    fn push(&self, batch: &MediaBatch) {
        match self {
            Self::Sender {
                inbox, id, number, ..
            } => {
                if let Some(inbox) = inbox.upgrade() {
                    inbox.push(Parcel {
                        id: *id,
                        sink: *number,
                        batch: batch.clone(),
                    });
                }
            }
            Self::Reader(queue) => queue.push(batch),
        }
    }

    /// `None` for one that writers do not wait for.
    fn is_behind(&self, cx: &Context<'_>, waits: &mut Vec<Wait>) -> Option<bool> {
        match self {
            Self::Sender { inbox, .. } => Some(inbox.upgrade()?.is_behind(cx, waits)),
            Self::Reader(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::AtomicUsize,
        task::{Wake, Waker},
    };

    use super::*;
    use crate::{
        api::media::batch,
        engine::{Cutter, Settings, TransceiverInit, engine},
    };

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Who encodes is woken by a request, and not by the same again before it has taken that.
    #[test]
    fn requests_are_one_until_they_are_taken() {
        let source = Source::written(MediaKind::Video);
        let wakes = Arc::<Wakes>::default();
        let waker = Waker::from(wakes.clone());
        let cx = Context::from_waker(&waker);
        for (lane, wanted) in [(None, 1), (None, 1), (Some(1), 1)] {
            source.register(&mut Waiter::by_hand(&cx));
            source.want_keyframe(lane);
            assert_eq!(wakes.0.load(Ordering::Relaxed), wanted);
        }
        assert_eq!(source.take_keyframes(), u64::MAX);
        assert!(source.want_keyframe_quietly(1) && !source.want_keyframe_quietly(1));
        source.want_keyframe(Some(1));
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        source.want_keyframe(Some(2));
        assert_eq!(wakes.0.load(Ordering::Relaxed), 2);
        assert_eq!(source.take_keyframes(), 6);
    }

    fn transceiver() -> TransceiverId {
        let mut engine = engine(9, Settings::default());
        let init = TransceiverInit::default();
        let id = engine.add_transceiver(MediaKind::Video, None, init);
        id.unwrap()
    }

    /// Who is gone takes nothing, and is forgotten with the next batch; who is there has all.
    #[test]
    fn who_is_gone_is_forgotten() {
        let source = Source::written(MediaKind::Video);
        let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
        let sender = Sink::of_sender(&inbox, transceiver(), TrackId(0));
        let queue = Arc::<PacketQueue>::default();
        let reader = Arc::new(Sink::Reader(queue));
        assert!(!source.has_sinks());
        for sink in [&sender, &reader] {
            source.attach(sink);
        }
        let batch = batch(&mut Cutter::new(), 100);
        source.deliver(&batch);
        assert_eq!(source.sinks().len(), 2);
        drop(reader);
        source.deliver(&batch);
        assert_eq!(source.sinks().len(), 1);
        let taken = inbox.take(&mut Wakeups::default()).unwrap();
        let sinks = taken.parcels.iter().map(|it| Some(it.sink));
        assert!(sinks.eq([sender.number(); 2]));
        assert!(source.has_sinks());
        drop(sender);
        assert!(!source.has_sinks());
    }

    /// Who gives the media looks at it when it is enabled or disabled. Pictures go on with a key frame, as those between are missing.
    #[test]
    fn what_is_enabled_again_goes_on_with_a_key_frame() {
        for (kind, wanted) in [(MediaKind::Video, u64::MAX), (MediaKind::Audio, 0)] {
            let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
            let source = Source::received(kind, &inbox);
            for (enabled, wanted) in [(true, 0), (false, 0), (true, wanted), (true, 0)] {
                source.enable(enabled);
                assert_eq!(source.is_enabled(), enabled);
                assert_eq!(source.take_keyframes(), wanted);
                assert!(inbox.take(&mut Wakeups::default()).is_some(), "it is told");
            }
        }
    }

    /// A connection that receives is told who takes its media; and lanes that nobody can have are one.
    #[test]
    fn a_receiver_is_told() {
        let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
        let source = Source::received(MediaKind::Video, &inbox);
        let reader = Arc::new(Sink::Reader(Arc::default()));
        assert!(!inbox.is_woken());
        source.attach(&reader);
        assert!(inbox.take(&mut Wakeups::default()).is_some());
        source.want_keyframe(Some(200));
        assert!(inbox.take(&mut Wakeups::default()).is_some());
        assert!(!source.want_keyframe_quietly(63));
        assert_eq!(source.take_keyframes(), 1 << 63);
    }

    /// A writer waits when all senders are behind, for each of them; readers and connections that are gone keep nobody waiting.
    #[test]
    fn a_writer_waits_for_the_fastest() {
        let cx = Context::from_waker(Waker::noop());
        let batch = batch(&mut Cutter::new(), 100);
        let id = transceiver();
        let inboxes = [(); 2].map(|()| Arc::new(Inbox::new(Waker::noop().clone())));
        let [one, other] = [0, 1].map(|at| Sink::of_sender(&inboxes[at], id, TrackId(0)));
        let source = Source::written(MediaKind::Video);
        let mut waits = Vec::new();
        let mut waits_for = |source: &Source| {
            let behind = source.is_behind(&cx, &mut waits);
            (behind, waits.len())
        };
        assert_eq!(waits_for(&source), (false, 0), "nobody");
        let reader = Arc::new(Sink::Reader(Arc::default()));
        source.attach(&reader);
        assert_eq!(waits_for(&source), (false, 0), "a reader");
        source.attach(&one);
        (0..128).for_each(|_| source.deliver(&batch));
        assert_eq!(waits_for(&source), (true, 1));
        source.attach(&other);
        assert_eq!(waits_for(&source), (false, 1), "one keeps up");
        (0..128).for_each(|_| source.deliver(&batch));
        assert_eq!(waits_for(&source), (true, 2));
        let [first, second] = inboxes;
        drop(first);
        assert_eq!(waits_for(&source), (true, 1));
        drop(second);
        assert_eq!(waits_for(&source), (false, 0), "all are gone");
    }

    /// What goes to several is whole units as soon as one takes nothing else, and what one of them wants that is gone counts no more.
    #[test]
    fn what_all_want_is_one() {
        let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
        let source = Source::written(MediaKind::Video);
        let id = transceiver();
        let [one, other] = [0, 1].map(|track| Sink::of_sender(&inbox, id, TrackId(track)));
        for sink in [&one, &other] {
            source.attach(sink);
        }
        assert!(!source.wants_single_units());
        assert_eq!(source.wants(0), Wanted::default());
        let wanted = |scale| {
            let wanted = Wanted {
                scale,
                ..Wanted::default()
            };
            let mut lanes = [None; LANES];
            lanes[1] = Some(wanted);
            lanes
        };
        one.want(wanted(2.0), false);
        other.want(wanted(4.0), true);
        assert!(source.wants_single_units());
        let scales = |source: &Source| [0, 1, 99].map(|lane| source.wants(lane).scale);
        assert_eq!(scales(&source), [1.0, 4.0, 1.0]);
        drop(other);
        assert!(!source.wants_single_units());
        assert_eq!(scales(&source), [1.0, 2.0, 1.0]);
        one.want([None; LANES], true);
        assert!(source.wants_single_units());
        assert_eq!(scales(&source), [1.0; 3]);
    }

    /// What goes to several is no more than any of them allows.
    #[test]
    fn the_least_is_allowed() {
        let id = transceiver();
        let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
        let source = Source::written(MediaKind::Video);
        let sinks = [0, 1].map(|track| Sink::of_sender(&inbox, id, TrackId(track)));
        sinks.iter().for_each(|it| source.attach(it));
        for (allowed, least) in [
            ([None, None], None),
            ([Some(500), None], Some(500)),
            ([Some(500), Some(300)], Some(300)),
            ([Some(200), Some(300)], Some(200)),
            ([None, Some(300)], Some(300)),
        ] {
            for (sink, bits) in sinks.iter().zip(allowed) {
                sink.allow(0, bits);
            }
            assert_eq!(source.allows(0), least);
            assert_eq!(source.allows(1), None);
        }
    }
}
