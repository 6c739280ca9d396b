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
    /// Of payload in them.
    bytes: usize,
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
            if waiting.batches.len() >= MOST_BATCHES || waiting.bytes >= MOST_BYTES {
                let lost: usize = waiting.batches.drain(..).map(|it| it.len()).sum();
                waiting.dropped += lost as u64;
                waiting.bytes = 0;
            }
            waiting.bytes += batch.bytes();
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
            waiting.bytes -= batch.bytes();
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
const MOST_BYTES: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;
    use crate::{api::media::batch, engine::Cutter};

    fn read(queue: &PacketQueue) -> usize {
        let cx = Context::from_waker(Waker::noop());
        let mut waiter = Waiter::by_hand(&cx);
        let next = || queue.poll(&mut waiter).is_ready();
        std::iter::repeat_with(next).take_while(|it| *it).count()
    }

    /// Who reads nothing is left the newest, of few large frames as of many small ones.
    #[test]
    fn what_waits_is_bounded() {
        for (len, count, most) in [(2 << 20, 30, 5), (100, 1000, 256)] {
            let queue = PacketQueue::default();
            let (mut cutter, mut written) = (Cutter::new(), 0);
            for _ in 0..count {
                let batch = batch(&mut cutter, len);
                written += batch.len();
                queue.push(&batch);
                assert!(queue.lock().batches.len() <= most, "{len}");
            }
            assert!(queue.dropped() > 0);
            assert_eq!(queue.dropped() as usize + read(&queue), written, "{len}");
            assert_eq!(queue.lock().bytes, 0);
        }
    }
}
