//! `MediaStream`.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use super::{id::unique, track::MediaStreamTrack};
use crate::{
    MediaKind,
    api::{
        events::{Events, Queue},
        waiters::{Waiter, Wakeups, wait},
    },
};

/// `MediaStream` ([Media Capture §4.2](https://www.w3.org/TR/mediacapture-streams/#mediastream)): tracks that belong together, and
/// are played in sync.
///
/// A handle, cheap to clone. It keeps no connection open.
#[derive(Clone)]
pub struct MediaStream {
    shared: Arc<Shared>,
}

/// An event of a stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StreamEvent {
    /// `addtrack`: the peer has added a track.
    AddTrack(MediaStreamTrack),
    /// `removetrack`: the peer has taken one away.
    RemoveTrack(MediaStreamTrack),
}

struct Shared {
    id: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tracks: Vec<MediaStreamTrack>,
    events: Queue<StreamEvent>,
}

impl MediaStream {
    /// A stream of these tracks, with a random id.
    pub fn new<'a>(tracks: impl IntoIterator<Item = &'a MediaStreamTrack>) -> Self {
        let stream = Self::named(unique());
        tracks.into_iter().for_each(|it| stream.add_track(it));
        stream
    }

    pub(in crate::api) fn named(id: String) -> Self {
        let shared = Shared {
            id,
            state: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// `id`: the same at both ends.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// All of its tracks, in the order in which they were added (`getTracks()`).
    pub fn tracks(&self) -> Vec<MediaStreamTrack> {
        self.lock().tracks.clone()
    }

    /// Its tracks of sound (`getAudioTracks()`).
    pub fn audio_tracks(&self) -> Vec<MediaStreamTrack> {
        self.of(MediaKind::Audio)
    }

    /// Its tracks of pictures (`getVideoTracks()`).
    pub fn video_tracks(&self) -> Vec<MediaStreamTrack> {
        self.of(MediaKind::Video)
    }

    fn of(&self, kind: MediaKind) -> Vec<MediaStreamTrack> {
        let mut tracks = self.tracks();
        tracks.retain(|it| it.kind() == kind);
        tracks
    }

    /// Its track with this id (`getTrackById()`).
    pub fn track(&self, id: &str) -> Option<MediaStreamTrack> {
        self.lock().tracks.iter().find(|it| it.id() == id).cloned()
    }

    /// `addTrack()`: without an event, and without effect when it is there. The connections are not told: that is what their own
    /// `add_track` does.
    pub fn add_track(&self, track: &MediaStreamTrack) {
        let mut state = self.lock();
        if !state.tracks.contains(track) {
            state.tracks.push(track.clone());
        }
    }

    /// `removeTrack()`: without an event.
    pub fn remove_track(&self, track: &MediaStreamTrack) {
        self.lock().tracks.retain(|it| it != track);
    }

    /// `active`: a track of it is live.
    pub fn active(&self) -> bool {
        let live = |it: &MediaStreamTrack| !it.state.is_ended();
        self.lock().tracks.iter().any(live)
    }

    /// The next change that the peer makes. A stream belongs to no connection: neither `failed` nor `close()` nor the end of a runtime
    /// ends it, and it never gives `None`. Of changes that nobody reads the last 64 are kept. Cancel safe: an event is returned or
    /// stays.
    pub async fn next_event(&self) -> Option<StreamEvent> {
        wait(|waiter| self.poll_event(waiter)).await
    }

    /// [`next_event`](Self::next_event), for code that polls by hand. Its task is woken once, and [noted until then](crate::api#waiting).
    pub fn poll_next_event(&self, cx: &mut Context<'_>) -> Poll<Option<StreamEvent>> {
        self.poll_event(&mut Waiter::by_hand(cx))
    }

    /// The changes, as a stream that does not end.
    pub fn events(&self) -> Events<StreamEvent> {
        let this = self.clone();
        Events::new(move |waiter| this.poll_event(waiter))
    }

    fn poll_event(&self, waiter: &mut Waiter<'_>) -> Poll<Option<StreamEvent>> {
        self.lock().events.poll(waiter, false)
    }

    /// The peer has changed it.
    pub(in crate::api) fn change(&self, event: StreamEvent, wakeups: &mut Wakeups) {
        match &event {
            StreamEvent::AddTrack(track) => self.add_track(track),
            StreamEvent::RemoveTrack(track) => self.remove_track(track),
        }
        self.lock().events.push_bounded(event, wakeups);
    }

    /// Whether it has no tracks, and this is its only handle.
    pub(in crate::api) fn is_unseen(&self) -> bool {
        Arc::strong_count(&self.shared) == 1 && self.lock().tracks.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for MediaStream {
    /// Whether both are handles of one stream.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for MediaStream {}

impl fmt::Debug for MediaStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaStream")
            .field("id", &self.id())
            .field("tracks", &self.tracks())
            .finish_non_exhaustive()
    }
}

/// [5.1-05] Each id once, in order.
pub(in crate::api) fn ids(streams: &[MediaStream]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for stream in streams {
        if ids.iter().all(|it| it != stream.id()) {
            ids.push(stream.id().to_owned());
        }
    }
    ids
}
