//! Packets that wait for a reader.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use crate::{
    RtpPacket,
    api::waiters::{Waiter, Waiters, Wakeups},
    engine::MediaBatch,
};

/// A bounded queue. A reader that is slow loses what waits, counted, and holds nobody up.
#[derive(Default)]
pub(in crate::api) struct PacketQueue {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    batches: VecDeque<MediaBatch>,
    packets: VecDeque<RtpPacket>,
    dropped: u64,
    ended: bool,
    readers: Waiters,
}

impl PacketQueue {
    pub(super) fn push(&self, batch: &MediaBatch) {
        let mut wakeups = Wakeups::default();
        {
            let mut waiting = self.lock();
            if waiting.batches.len() >= MOST_BATCHES {
                let lost: usize = waiting.batches.drain(..).map(|it| it.len()).sum();
                waiting.dropped += lost as u64;
            }
            waiting.batches.push_back(batch.clone());
            waiting.readers.wake(&mut wakeups);
        }
        wakeups.wake();
    }

    pub(super) fn end(&self) {
        let mut wakeups = Wakeups::default();
        {
            let mut waiting = self.lock();
            waiting.ended = true;
            waiting.readers.wake(&mut wakeups);
        }
        wakeups.wake();
    }

    pub(super) fn poll(&self, waiter: &mut Waiter<'_>) -> Poll<Option<RtpPacket>> {
        let mut waiting = self.lock();
        loop {
            if let Some(packet) = waiting.packets.pop_front() {
                return Poll::Ready(Some(packet));
            }
            let Some(batch) = waiting.batches.pop_front() else {
                break;
            };
            waiting.packets.extend(batch.packets());
        }
        if waiting.ended {
            return Poll::Ready(None);
        }
        waiting.readers.register(waiter);
        Poll::Pending
    }

    /// How many packets were left out since the reader did not keep up.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MOST_BATCHES: usize = 256;
