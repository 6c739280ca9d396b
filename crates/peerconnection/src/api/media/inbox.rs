//! What other tasks leave for a connection: media to send, and wishes.

use std::{
    collections::{BTreeMap, VecDeque},
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
    /// Whose media was left out, as the connection did not keep up, and how many packets.
    lagged: BTreeMap<TransceiverId, u64>,
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
    pub(in crate::api) lagged: BTreeMap<TransceiverId, u64>,
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
            waiting.make_room();
            waiting.bytes += parcel.batch.bytes();
            waiting.parcels.push_back(parcel);
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

    /// Something of a sender's source was left out, as was wished.
    pub(super) fn lag(&self, id: TransceiverId) {
        self.leave(|waiting| {
            waiting.lagged.entry(id).or_default();
        });
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

impl Waiting {
    /// Leaves out all that waits for the sender for which most does, until there is room: one whose source floods loses what is its own.
    fn make_room(&mut self) {
        while self.parcels.len() >= MOST_BATCHES || self.bytes >= MOST_BYTES {
            let is_long = self.parcels.len() >= MOST_BATCHES;
            let mut held = BTreeMap::<TransceiverId, usize>::new();
            for Parcel { id, batch, .. } in &self.parcels {
                *held.entry(*id).or_default() += if is_long { 1 } else { batch.bytes() };
            }
            let Some((most, _)) = held.into_iter().max_by_key(|it| it.1) else {
                return;
            };
            let (bytes, lagged) = (&mut self.bytes, self.lagged.entry(most).or_default());
            self.parcels.retain(|Parcel { id, batch, .. }| {
                let stays = *id != most;
                if !stays {
                    *bytes -= batch.bytes();
                    *lagged += batch.len() as u64;
                }
                stays
            });
        }
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
    use std::{sync::Arc, task::Wake};

    use super::*;
    use crate::{
        MediaKind,
        api::media::batch,
        engine::{Cutter, Settings, TransceiverInit, engine},
    };

    fn senders<const N: usize>() -> [TransceiverId; N] {
        let mut engine = engine(9, Settings::default());
        [(); N].map(|()| {
            let init = TransceiverInit::default();
            let id = engine.add_transceiver(MediaKind::Video, None, init);
            id.unwrap()
        })
    }

    fn push(inbox: &Inbox, id: TransceiverId, batch: &MediaBatch) {
        inbox.push(Parcel {
            id,
            sink: 0,
            batch: batch.clone(),
        });
    }

    /// A connection that does not look is left the newest, of few large batches as of many small ones, and is told whose media is missing
    /// and how much.
    #[test]
    fn what_waits_is_bounded() {
        let [id] = senders();
        for (len, count, most) in [(2 << 20, 5, 2), (100, 600, 256)] {
            let inbox = Inbox::new(Waker::noop().clone());
            let batch = batch(&mut Cutter::new(), len);
            for _ in 0..count {
                push(&inbox, id, &batch);
                assert!(inbox.lock().parcels.len() <= most, "{len}");
            }
            let taken = inbox.take(&mut Wakeups::default()).unwrap();
            let left = count - taken.parcels.len();
            assert_eq!(taken.lagged, [(id, (left * batch.len()) as u64)].into());
            assert!(!taken.parcels.is_empty());
        }
    }

    #[derive(Default)]
    struct Wakes(AtomicU64);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A connection is woken once, however much is left before it looks. Who writes may wait from half of what may wait on, and is woken
    /// when the connection looks, which leaves nothing.
    #[test]
    fn all_is_told_once() {
        let [id] = senders();
        let [task, writer] = [(); 2].map(|()| Arc::<Wakes>::default());
        let count = |wakes: &Wakes| wakes.0.load(Ordering::Relaxed);
        let inbox = Inbox::new(Waker::from(task.clone()));
        let waker = Waker::from(writer.clone());
        let (cx, mut waits) = (Context::from_waker(&waker), Vec::new());
        let small = batch(&mut Cutter::new(), 100);
        for turn in 1..=2 {
            for _ in 0..MOST_BATCHES / 2 {
                assert!(!inbox.is_behind(&cx, &mut waits));
                push(&inbox, id, &small);
            }
            assert!(inbox.is_behind(&cx, &mut waits));
            assert_eq!(
                (waits.len(), count(&task), count(&writer)),
                (1, turn, turn - 1)
            );
            inbox.lag(id);
            let mut wakeups = Wakeups::default();
            let taken = inbox.take(&mut wakeups).unwrap();
            wakeups.wake();
            waits.clear();
            assert_eq!(count(&writer), turn);
            assert_eq!(taken.parcels.len(), MOST_BATCHES / 2);
            assert_eq!(taken.lagged, [(id, 0)].into());
            assert_eq!(inbox.lock().bytes, 0);
            assert!(inbox.take(&mut Wakeups::default()).is_none());
        }
    }

    /// The sender whose source floods loses what waits for it, of bytes as of batches, and no other loses anything.
    #[test]
    fn who_floods_gives_way() {
        let [flooded, other, third] = senders();
        let mut cutter = Cutter::new();
        let small = batch(&mut cutter, 100);
        // Of many small batches the flooder is told by their number, though another's few are longer.
        for (len, count, thirds) in [(1 << 20, 40, 100), (100, 2000, 200_000)] {
            let [large, of_third] = [len, thirds].map(|len| batch(&mut cutter, len));
            let inbox = Inbox::new(Waker::noop().clone());
            // Some of the others' came first, so that the oldest are not the flooder's.
            for number in 0..count {
                push(&inbox, flooded, &large);
                if number < 10 {
                    push(&inbox, other, &small);
                    push(&inbox, third, &of_third);
                }
            }
            let taken = inbox.take(&mut Wakeups::default()).unwrap();
            let of = |id| taken.parcels.iter().filter(|it| it.id == id).count();
            assert_eq!((of(other), of(third)), (10, 10), "{len}");
            let lost = (count - of(flooded)) * large.len();
            assert_eq!(taken.lagged, [(flooded, lost as u64)].into(), "{len}");
        }
    }
}
