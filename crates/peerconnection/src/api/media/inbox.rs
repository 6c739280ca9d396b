//! What other tasks leave for a connection: media to send, and wishes.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Waker},
};

use crate::{
    api::waiters::{Wait, Waiters, Wakeups},
    engine::{MediaBatch, TransceiverId},
};

/// Bounded, and a leaf among the locks: who holds it calls nothing.
pub(in crate::api) struct Inbox {
    waiting: Mutex<Waiting>,
    /// Somebody has left or wished something. It is looked at with each call of the connection, so without the lock.
    woken: AtomicBool,
    /// Wakes the task of the connection.
    task: Waker,
    sinks: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    parcels: VecDeque<Parcel>,
    bytes: usize,
    /// Whose media was left out, as the connection did not keep up.
    lagged: Vec<TransceiverId>,
    /// Whose source has other streams, or of whose something else was chosen.
    chosen: Vec<TransceiverId>,
    writers: Waiters,
}

/// A batch for one sender.
pub(in crate::api) struct Parcel {
    pub(in crate::api) id: TransceiverId,
    /// By which sink it came: what an earlier source of the sender gave is not for it.
    pub(in crate::api) sink: u64,
    pub(in crate::api) batch: MediaBatch,
}

/// All that waited.
#[derive(Default)]
pub(in crate::api) struct Taken {
    pub(in crate::api) parcels: VecDeque<Parcel>,
    pub(in crate::api) lagged: Vec<TransceiverId>,
    pub(in crate::api) chosen: Vec<TransceiverId>,
}

impl Inbox {
    pub(in crate::api) fn new(task: Waker) -> Self {
        Self {
            waiting: Mutex::default(),
            woken: AtomicBool::new(false),
            task,
            sinks: AtomicU64::new(0),
        }
    }

    /// A number for a sink, never given twice.
    pub(super) fn next_sink(&self) -> u64 {
        self.sinks.fetch_add(1, Ordering::Relaxed)
    }

    /// Leaves a batch, and wakes the connection when it does not know yet that something waits.
    pub(super) fn push(&self, parcel: Parcel) {
        {
            let mut waiting = self.lock();
            let Waiting {
                parcels,
                bytes,
                lagged,
                ..
            } = &mut *waiting;
            if parcels.len() >= MOST_BATCHES || *bytes >= MOST_BYTES {
                parcels.drain(..).for_each(|it| note(lagged, it.id));
                *bytes = 0;
            }
            *bytes += parcel.batch.bytes();
            parcels.push_back(parcel);
        }
        self.nudge();
    }

    /// The connection has to look at what its tracks want.
    pub(super) fn nudge(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.task.wake_by_ref();
        }
    }

    /// The connection has to look at what of its source a sender sends.
    pub(super) fn choose(&self, id: TransceiverId) {
        self.leave(|waiting| note(&mut waiting.chosen, id));
    }

    /// Something of a sender's source was left out.
    pub(super) fn lag(&self, id: TransceiverId) {
        self.leave(|waiting| note(&mut waiting.lagged, id));
    }

    fn leave(&self, f: impl FnOnce(&mut Waiting)) {
        f(&mut self.lock());
        self.nudge();
    }

    /// So much waits that a writer may wait as well, which has then one wait more. It is woken when the inbox is emptied.
    pub(super) fn is_behind(&self, cx: &Context<'_>, waits: &mut Vec<Wait>) -> bool {
        let mut waiting = self.lock();
        let behind = waiting.parcels.len() >= MOST_BATCHES / 2;
        if behind {
            let mut wait = Wait::default();
            waiting.writers.register(&mut wait.waiter(cx));
            waits.push(wait);
        }
        behind
    }

    /// Whether somebody has left or wished anything. What is left at the same moment wakes the connection.
    #[inline]
    pub(in crate::api) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }

    /// Takes all that waits; `None` when nobody has left or wished anything.
    pub(in crate::api) fn take(&self, wakeups: &mut Wakeups) -> Option<Taken> {
        // What is left after the swap is told again, and may be taken now already.
        if !self.woken.swap(false, Ordering::AcqRel) {
            return None;
        }
        let mut waiting = self.lock();
        waiting.bytes = 0;
        waiting.writers.wake(wakeups);
        Some(Taken {
            parcels: std::mem::take(&mut waiting.parcels),
            lagged: std::mem::take(&mut waiting.lagged),
            chosen: std::mem::take(&mut waiting.chosen),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Once each: the list is no longer than there are senders.
fn note(list: &mut Vec<TransceiverId>, id: TransceiverId) {
    if !list.contains(&id) {
        list.push(id);
    }
}

const MOST_BATCHES: usize = 256;
const MOST_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        MediaKind,
        api::media::batch,
        engine::{Cutter, Settings, TransceiverInit, engine},
    };

    /// A connection that does not look is left the newest, of few large batches as of many small ones, and is told whose media is missing.
    #[test]
    fn what_waits_is_bounded() {
        let mut engine = engine(9, Settings::default());
        let init = TransceiverInit::default();
        let id = engine
            .add_transceiver(MediaKind::Video, None, init)
            .unwrap();
        for (len, count, most) in [(2 << 20, 5, 2), (100, 600, 256)] {
            let inbox = Inbox::new(Waker::noop().clone());
            let batch = batch(&mut Cutter::new(), len);
            for _ in 0..count {
                inbox.push(Parcel {
                    id,
                    sink: 0,
                    batch: batch.clone(),
                });
                assert!(inbox.lock().parcels.len() <= most, "{len}");
            }
            let taken = inbox.take(&mut Wakeups::default()).unwrap();
            assert_eq!(taken.lagged, [id]);
            assert!(!taken.parcels.is_empty());
        }
    }
}
