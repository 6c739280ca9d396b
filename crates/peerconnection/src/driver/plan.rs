//! What the task of a connection waits for.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Wake,
    time::Instant,
};

use tokio::sync::{Notify, futures::Notified};

use super::sockets::Socket;

/// What a carrier has the task of its connection wait for.
///
/// It has a lock of its own, a leaf among the locks: whoever sets a timer earlier, or waits for room, still has the engine when the task
/// wakes, which needs no engine to set its timer.
#[derive(Default)]
pub(super) struct Plan {
    told: Notify,
    /// The engine is to be served at once.
    serve: AtomicBool,
    waits: Mutex<Waits>,
}

/// The plan as its task knows it.
#[derive(Clone, Default)]
pub(super) struct Waits {
    /// When the timer is to fire.
    pub(super) armed: Option<Instant>,
    /// Until then everything else has its turn, as a timer would be late.
    pub(super) turns: bool,
    /// A socket that is to have room.
    pub(super) full: Option<Arc<dyn Socket>>,
    /// Sockets that only this task reads from.
    pub(super) sockets: Arc<[Arc<dyn Socket>]>,
    pub(super) finished: bool,
}

impl Plan {
    /// Changes it, for a task that is told or comes by itself.
    pub(super) fn change(&self, change: impl FnOnce(&mut Waits)) {
        change(&mut self.waits());
    }

    /// Has the task serve the engine.
    pub(super) fn serve(&self) {
        self.serve.store(true, Ordering::Release);
        self.tell();
    }

    /// Has the task look at it.
    pub(super) fn tell(&self) {
        self.told.notify_one();
    }

    /// What it is now. No list is copied: the one of the sockets is shared.
    pub(super) fn read(&self) -> Waits {
        self.waits().clone()
    }

    /// Ends when the task is told of something.
    pub(super) fn told(&self) -> Notified<'_> {
        self.told.notified()
    }

    /// Whether the engine was to be served at once. Asked once.
    pub(super) fn is_to_serve(&self) -> bool {
        self.serve.swap(false, Ordering::Acquire)
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has the task serve the engine, from anywhere.
impl Wake for Plan {
    fn wake(self: Arc<Self>) {
        self.serve();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.serve();
    }
}
