//! Datagrams for a connection whose lock somebody else has.

use std::{
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::Instant,
};

use crate::{Path, engine::Engine};

/// What whoever locks the connection next hands to its engine, so that the reader of a shared port waits for none of its connections.
#[derive(Debug)]
pub(super) struct Arrivals {
    waiting: AtomicBool,
    queue: Mutex<Queue>,
    /// Wakes the connection's task, which locks it.
    waker: Waker,
}

#[derive(Debug, Default)]
struct Queue {
    buffers: Vec<Buffer>,
    bytes: usize,
    dropped: u64,
}

/// Datagrams of one path, one behind the other.
#[derive(Debug)]
struct Buffer {
    path: Path,
    segment: usize,
    bytes: Vec<u8>,
}

impl Arrivals {
    pub(super) fn new(waker: Waker) -> Self {
        Self {
            waiting: AtomicBool::new(false),
            queue: Mutex::default(),
            waker,
        }
    }

    /// Leaves datagrams. What there is no room for is dropped, as a full socket would have done.
    pub(super) fn leave(&self, path: Path, segment: usize, bytes: &[u8]) {
        let mut queue = self.queue();
        if queue.buffers.len() < MAX_BUFFERS && queue.bytes + bytes.len() <= MAX_BYTES {
            queue.bytes += bytes.len();
            queue.buffers.push(Buffer {
                path,
                segment,
                bytes: bytes.to_vec(),
            });
        } else {
            queue.dropped += bytes.len().div_ceil(segment.max(1)) as u64;
        }
        drop(queue);
        self.waiting.store(true, Ordering::Release);
        self.waker.wake_by_ref();
    }

    /// Whether something was left. Looked at with each call of the connection, so it is not written where nothing has come.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    /// Hands over what was left, in the order in which it came.
    pub(super) fn take_in(&self, now: Instant, engine: &mut Engine) {
        self.waiting.store(false, Ordering::Relaxed);
        let queue = mem::take(&mut *self.queue());
        engine.count_dropped(queue.dropped);
        for mut buffer in queue.buffers {
            let datagrams = buffer.bytes.chunks_mut(buffer.segment.max(1));
            engine.handle_datagrams(now, buffer.path, datagrams);
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each may be as long as what the kernel puts together.
const MAX_BUFFERS: usize = 64;
const MAX_BYTES: usize = 1 << 20;
