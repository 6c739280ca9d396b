//! `RTCDTMFSender`.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    Error,
    api::{
        engine_lock::KeepOpen,
        events::Events,
        waiters::{Waiter, wait},
    },
    engine::TransceiverId,
};

/// `RTCDTMFSender` ([W3C §7.2](https://www.w3.org/TR/webrtc/#rtcdtmfsender)): plays tones of a telephone to the peer, in the place
/// of the sender's audio, and also while that has nothing to send.
///
/// A handle, cheap to clone; it keeps the connection open.
#[derive(Clone)]
#[doc(alias = "RTCDTMFSender")]
pub struct DtmfSender {
    keep_open: Arc<KeepOpen>,
    id: TransceiverId,
}

impl DtmfSender {
    pub(super) fn new(keep_open: Arc<KeepOpen>, id: TransceiverId) -> Self {
        Self { keep_open, id }
    }

    /// `insertDTMF()` with W3C's defaults: tones of 100 ms with gaps of 70 ms. Tones are `0` to `9`, `A` to `D`, `*` and `#`; a comma
    /// is a pause of two seconds. What was still to be played is replaced; without tones it is left out.
    ///
    /// # Errors
    ///
    /// `InvalidState` when no tones can be sent now, `InvalidCharacter` for what is no tone.
    #[doc(alias = "insertDTMF")]
    pub fn insert(&self, tones: &str) -> Result<(), Error> {
        self.insert_with(tones, Duration::from_millis(100), Duration::from_millis(70))
    }

    /// `insertDTMF()`: the duration is within 40 ms and 6 s, the gap within 30 ms and 6 s; others are taken for the nearest.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert) has them.
    pub fn insert_with(&self, tones: &str, duration: Duration, gap: Duration) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, now| engine.insert_dtmf(now, self.id, tones, duration, gap))
    }

    /// `canInsertDTMF`: the connection is up, and the peer takes tones of this sender.
    pub fn can_insert(&self) -> bool {
        let connection = self.keep_open.connection();
        connection.get(|engine| engine.can_insert_dtmf(self.id))
    }

    /// `toneBuffer`: what is still to be played, without the tone that is being played.
    pub fn tone_buffer(&self) -> String {
        let connection = self.keep_open.connection();
        connection.get(|engine| engine.tone_buffer(self.id))
    }

    /// The next `tonechange`: the tone that begins, or an empty text when all were played. `None` when the connection was closed here,
    /// its runtime has ended, or its transceiver was stopped and a description has taken that away, and all were read. `failed` does not end it. Cancel safe: an event is returned or stays.
    pub async fn next_event(&self) -> Option<String> {
        wait(|waiter| self.poll_event(waiter)).await
    }

    /// [`next_event`](Self::next_event), for code that polls by hand. Its task is woken once, and [noted until then](crate::api#waiting).
    pub fn poll_next_event(&self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        self.poll_event(&mut Waiter::by_hand(cx))
    }

    /// The events, as a stream that ends as [`next_event`](Self::next_event) does.
    pub fn events(&self) -> Events<String> {
        let this = self.clone();
        Events::new(move |waiter| this.poll_event(waiter))
    }

    fn poll_event(&self, waiter: &mut Waiter<'_>) -> Poll<Option<String>> {
        let connection = self.keep_open.connection();
        connection.poll_event_until(
            waiter,
            |engine| engine.transceiver(self.id).is_none(),
            |queues| queues.media.tones(self.id),
        )
    }
}

impl PartialEq for DtmfSender {
    /// Whether both are handles of one.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && Arc::ptr_eq(&self.keep_open, &other.keep_open)
    }
}

impl Eq for DtmfSender {}

impl fmt::Debug for DtmfSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtmfSender")
            .field("tone_buffer", &self.tone_buffer())
            .finish_non_exhaustive()
    }
}
