//! `MediaStreamTrack`.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use super::{
    frames::FrameQueue,
    id::unique,
    inbox::Inbox,
    packets::PacketQueue,
    readers::{FrameReader, PacketReader},
    source::{Sink, Source},
};
use crate::{
    Choice, Error, ErrorKind, MediaKind,
    api::{
        events::{Events, Queue},
        waiters::{Waiter, Wakeups, wait},
    },
    engine::{TrackId, TransceiverId},
};

/// `MediaStreamTrack` ([Media Capture §4.3](https://www.w3.org/TR/mediacapture-streams/#mediastreamtrack)): sound or pictures, as
/// encoded frames and packets.
///
/// A local track is written by the application and given to senders, of any number of connections; each frame is cut into packets
/// once. A remote track comes with a receiver: it is read by frame or by packet, and can be given to senders like a local one,
/// which forwards it without decoding.
///
/// A handle, cheap to clone. Unlike the objects of a connection it keeps no connection open: with its connection a remote track
/// ends.
#[derive(Clone)]
pub struct MediaStreamTrack {
    pub(in crate::api) state: Arc<TrackState>,
}

/// An event of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrackEvent {
    /// `mute`: nothing comes for now.
    Mute,
    /// `unmute`: the first packet has come.
    Unmute,
    /// None of W3C's: the peer plays a tone of a telephone (RFC 4733): `0` to `9`, `A` to `D`, `*` or `#`. Told once, when it begins.
    Tone(char),
    /// `ended`: nothing will come any more.
    Ended,
}

/// Whether a track may still bring something (`MediaStreamTrackState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackReadyState {
    /// It gives media, or may.
    Live,
    /// It never will any more.
    Ended,
}

/// What the handles of a track share.
pub(in crate::api) struct TrackState {
    id: String,
    /// What engines call it.
    number: TrackId,
    label: String,
    is_remote: bool,
    pub(in crate::api) source: Arc<Source>,
    shared: Mutex<Shared>,
    /// The track that it forwards: they have one source.
    of: Option<MediaStreamTrack>,
    /// W3C's `enabled`, of one that forwards; of others it is that of the source.
    enabled: AtomicBool,
}

struct Shared {
    muted: bool,
    ended: bool,
    events: Queue<TrackEvent>,
    frames: Vec<Weak<FrameQueue>>,
    packets: Vec<Weak<PacketQueue>>,
    choice: Choice,
    /// Those that forward it.
    forwards: Vec<Weak<TrackState>>,
}

impl MediaStreamTrack {
    pub(super) fn local(kind: MediaKind) -> Self {
        Self::new(Source::written(kind), None)
    }

    fn new(source: Arc<Source>, of: Option<Self>) -> Self {
        let is_remote = source.is_received();
        let label = match (&of, is_remote) {
            (Some(of), _) => of.label().to_owned(),
            (None, true) => format!("remote {}", source.kind),
            (None, false) => String::new(),
        };
        let muted = of.as_ref().map_or(is_remote, Self::muted);
        let state = TrackState {
            id: unique(),
            number: next_number(),
            label,
            is_remote,
            source,
            shared: Mutex::new(Shared::new(muted)),
            of,
            enabled: AtomicBool::new(true),
        };
        Self {
            state: Arc::new(state),
        }
    }

    /// [5.3-01]
    pub(in crate::api) fn remote(kind: MediaKind, inbox: &Arc<Inbox>) -> Self {
        Self::new(Source::received(kind, inbox), None)
    }

    /// A track of the same source with a [`Choice`] and an `enabled` of its own, for senders of any connection: what is chosen on it
    /// counts for all senders that have it, and for no others. It is muted and ends with this one. Nothing is decoded, and what the
    /// senders of all these tracks ask of the source is asked once.
    #[must_use]
    pub fn forward(&self, choice: Choice) -> Self {
        let of = self.state.of.as_ref().unwrap_or(self);
        let track = Self::new(self.state.source.clone(), Some(of.clone()));
        track.state.lock().choice = choice;
        let ended = {
            let mut shared = of.state.lock();
            shared.forwards.retain(|it| it.strong_count() > 0);
            shared.forwards.push(Arc::downgrade(&track.state));
            shared.ended
        };
        if ended {
            track.state.end(false, &mut Wakeups::default());
        }
        track
    }

    /// What senders with one encoding send of it.
    pub fn choice(&self) -> Choice {
        self.state.lock().choice.clone()
    }

    /// Chooses what senders with one encoding send of it, also while they send.
    pub fn choose(&self, choice: Choice) {
        self.state.lock().choice = choice;
        self.each_sender(Inbox::choose);
    }

    /// The rids of its parallel streams, the first one first: of a remote track those that were negotiated, of a local one those that
    /// are written. None without simulcast.
    pub fn rids(&self) -> Vec<String> {
        self.state.source.rids().to_vec()
    }

    fn each_sender(&self, f: impl Fn(&Inbox, TransceiverId)) {
        let own = self.number();
        let f = |track, inbox: &Inbox, id| {
            if track == own {
                f(inbox, id);
            }
        };
        self.state.source.each_sender(f);
    }

    /// What engines call it.
    pub(in crate::api) fn number(&self) -> TrackId {
        self.state.number
    }

    /// Whether it is sound or pictures (`kind`).
    pub fn kind(&self) -> MediaKind {
        self.state.source.kind
    }

    /// `id`: random, and not that of the peer's track.
    pub fn id(&self) -> &str {
        &self.state.id
    }

    /// `label`: of a remote track what it is.
    pub fn label(&self) -> &str {
        &self.state.label
    }

    /// Whether the application wants it to be seen or heard (`enabled`).
    pub fn enabled(&self) -> bool {
        match self.state.of {
            Some(_) => self.state.enabled.load(Ordering::Relaxed),
            None => self.state.source.is_enabled(),
        }
    }

    /// Sets `enabled`. What is written on a local track that is not enabled goes nowhere; frames and packets of a remote one reach
    /// no reader. Video goes on with a key frame that is asked for.
    pub fn set_enabled(&self, enabled: bool) {
        if self.state.of.is_none() {
            self.state.source.enable(enabled);
        } else if !self.state.enabled.swap(enabled, Ordering::Relaxed) && enabled {
            // What was left out is missing.
            self.each_sender(Inbox::lag);
        }
    }

    /// `muted`: a remote track is, until its first packet has come.
    pub fn muted(&self) -> bool {
        self.state.lock().muted
    }

    /// Whether it may still bring something, or has ended (`readyState`).
    pub fn ready_state(&self) -> TrackReadyState {
        if self.state.lock().ended {
            TrackReadyState::Ended
        } else {
            TrackReadyState::Live
        }
    }

    /// `stop()`: it ends here, and those that [forward](Self::forward) it do not. The sender or receiver that has it goes on, without media.
    pub fn stop(&self) {
        let mut wakeups = Wakeups::default();
        self.state.end_alone(false, &mut wakeups);
        wakeups.wake();
        self.state.source.tell_upstream();
    }

    /// Reads whole frames of a remote track, in order, each when its time to be played has come. Each reader has every frame.
    /// Nothing is put together while there is no reader.
    ///
    /// # Errors
    ///
    /// `InvalidState` for a local track.
    pub fn frames(&self) -> Result<FrameReader, Error> {
        if !self.state.is_remote {
            let message = "frames are read from tracks that a peer sends";
            return Err(Error::new(ErrorKind::InvalidState, message));
        }
        if let Some(of) = &self.state.of {
            return of.frames();
        }
        let queue = Arc::new(FrameQueue::new(self.kind()));
        {
            let mut shared = self.state.lock();
            if shared.ended {
                let mut wakeups = Wakeups::default();
                queue.end(&mut wakeups);
            }
            shared.frames.retain(|it| it.strong_count() > 0);
            shared.frames.push(Arc::downgrade(&queue));
        }
        self.state.source.tell_upstream();
        Ok(FrameReader::new(queue, self.state.source.clone()))
    }

    /// Reads packets, of a remote track as they come and of a local one as they are cut. Each reader has every packet.
    pub fn packets(&self) -> PacketReader {
        let queue = Arc::<PacketQueue>::default();
        let sink = Arc::new(Sink::Reader(queue.clone()));
        {
            let mut shared = self.state.lock();
            if shared.ended {
                queue.end();
            }
            shared.packets.retain(|it| it.strong_count() > 0);
            shared.packets.push(Arc::downgrade(&queue));
        }
        self.state.source.attach(&sink);
        PacketReader::new(queue, sink, self.state.source.clone())
    }

    /// Asks for a key frame of a remote track; of a local one, its writer is asked. Requests that follow each other are one.
    pub fn request_keyframe(&self) {
        self.state.source.want_keyframe(None);
    }

    /// The next event. `None` when the track has ended and all were read. A remote track ends with `close()` of its connection and
    /// with its runtime, a local one with neither; `failed` ends none. Cancel safe: an event is returned or stays.
    pub async fn next_event(&self) -> Option<TrackEvent> {
        wait(|waiter| self.poll_event(waiter)).await
    }

    /// [`next_event`](Self::next_event), for code that polls by hand. Its task is woken once, and [noted until then](crate::api#waiting).
    pub fn poll_next_event(&self, cx: &mut Context<'_>) -> Poll<Option<TrackEvent>> {
        self.poll_event(&mut Waiter::by_hand(cx))
    }

    /// The events, as a stream that ends as [`next_event`](Self::next_event) does.
    pub fn events(&self) -> Events<TrackEvent> {
        let this = self.clone();
        Events::new(move |waiter| this.poll_event(waiter))
    }

    fn poll_event(&self, waiter: &mut Waiter<'_>) -> Poll<Option<TrackEvent>> {
        self.state.lock().events.poll(waiter, false)
    }
}

impl TrackState {
    pub(in crate::api) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn is_ended(&self) -> bool {
        self.lock().ended
    }

    /// Whether its senders send what comes of its source.
    pub(super) fn gives(&self) -> bool {
        self.enabled.load(Ordering::Relaxed) && !self.is_ended()
    }

    /// Those that forward it.
    fn forwards(&self) -> Vec<Arc<Self>> {
        let shared = self.lock();
        shared.forwards.iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether somebody reads frames.
    pub(in crate::api) fn has_frame_readers(&self) -> bool {
        let mut shared = self.lock();
        shared.frames.retain(|it| it.strong_count() > 0);
        !shared.frames.is_empty() && self.source.is_enabled()
    }

    /// Hands a frame to all readers. Returns whether one of them needs a key frame.
    pub(in crate::api) fn push_frame(
        &self,
        frame: &crate::EncodedFrame,
        wakeups: &mut Wakeups,
    ) -> bool {
        let readers: Vec<_> = self
            .lock()
            .frames
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        let mut wants = false;
        for reader in readers {
            wants |= reader.push(frame.clone(), wakeups);
        }
        wants
    }

    /// Changes `muted`, and tells so if it is another.
    pub(in crate::api) fn mute(&self, muted: bool, wakeups: &mut Wakeups) {
        {
            let mut shared = self.lock();
            if shared.ended || std::mem::replace(&mut shared.muted, muted) == muted {
                return;
            }
            let event = if muted {
                TrackEvent::Mute
            } else {
                TrackEvent::Unmute
            };
            shared.events.push_bounded(event, wakeups);
        }
        for forward in self.forwards() {
            forward.mute(muted, wakeups);
        }
    }

    /// The peer plays a tone.
    pub(in crate::api) fn hear(&self, tone: char, wakeups: &mut Wakeups) {
        let mut shared = self.lock();
        if !shared.ended {
            shared.events.push_bounded(TrackEvent::Tone(tone), wakeups);
        }
    }

    /// It ends with all that forward it. The event is told unless the application has ended it.
    pub(in crate::api) fn end(&self, tell: bool, wakeups: &mut Wakeups) {
        self.end_alone(tell, wakeups);
        for forward in self.forwards() {
            forward.end(tell, wakeups);
        }
    }

    fn end_alone(&self, tell: bool, wakeups: &mut Wakeups) {
        let (frames, packets) = {
            let mut shared = self.lock();
            if std::mem::replace(&mut shared.ended, true) {
                return;
            }
            if tell {
                shared.events.push_bounded(TrackEvent::Ended, wakeups);
            }
            shared.events.end(wakeups);
            (
                std::mem::take(&mut shared.frames),
                std::mem::take(&mut shared.packets),
            )
        };
        for reader in frames.iter().filter_map(Weak::upgrade) {
            reader.end(wakeups);
        }
        packets
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|it| it.end());
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn new(muted: bool) -> Self {
        Self {
            muted,
            ended: false,
            events: Queue::default(),
            frames: Vec::new(),
            packets: Vec::new(),
            choice: Choice::default(),
            forwards: Vec::new(),
        }
    }
}

/// A number that no track had before.
fn next_number() -> TrackId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    TrackId(NEXT.fetch_add(1, Ordering::Relaxed))
}

impl PartialEq for MediaStreamTrack {
    /// Whether both are handles of one track.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }
}

impl Eq for MediaStreamTrack {}

impl fmt::Debug for MediaStreamTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaStreamTrack")
            .field("kind", &self.kind())
            .field("id", &self.id())
            .field("muted", &self.muted())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// What has ended says nothing more, whatever the peer still plays.
    #[test]
    fn a_tone_behind_the_end_is_not_told() {
        let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
        let track = MediaStreamTrack::remote(MediaKind::Audio, &inbox);
        let mut wakeups = Wakeups::default();
        track.state.hear('1', &mut wakeups);
        track.stop();
        track.state.hear('2', &mut wakeups);
        let cx = Context::from_waker(Waker::noop());
        let told = [(); 2].map(|()| track.poll_event(&mut Waiter::by_hand(&cx)));
        let first = TrackEvent::Tone('1');
        assert_eq!(told, [Poll::Ready(Some(first)), Poll::Ready(None)]);
    }

    /// Readers come and go while nothing is sent: what they left is gone with the next one.
    #[test]
    fn readers_that_have_gone_leave_nothing() {
        let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
        let track = MediaStreamTrack::remote(MediaKind::Video, &inbox);
        for _ in 0..100 {
            assert!(track.frames().is_ok());
            drop(track.packets());
        }
        let shared = track.state.lock();
        assert_eq!((shared.frames.len(), shared.packets.len()), (1, 1));
        assert_eq!(track.state.source.sinks().len(), 1);
    }
}
