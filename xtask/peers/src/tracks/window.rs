//! How much is under way: as much as there is room for, so that all stacks work and none floods itself.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

/// Packets that were written, and those that have come.
pub struct Window {
    copies: u64,
    /// So many packets may be under way.
    most: u64,
    written: AtomicU64,
    received: AtomicU64,
    lost: AtomicU64,
    waiting: AtomicBool,
    /// Wakes the writer.
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Window {
    /// Each packet that is written comes as often as there are copies.
    pub fn new(copies: usize, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let copies = copies as u64;
        Self {
            copies,
            most: (4096 / copies).clamp(64, 512),
            written: AtomicU64::new(0),
            received: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            waiting: AtomicBool::new(false),
            wake: Box::new(wake),
        }
    }

    /// Whether more may be written. If not, the writer is woken when half of it has come.
    pub fn has_room(&self) -> bool {
        if self.under_way() < self.most * self.copies {
            return true;
        }
        self.waiting.store(true, Ordering::SeqCst);
        // What came meanwhile did not see that somebody waits.
        self.under_way() < self.most * self.copies / 2
    }

    /// Packets were written.
    pub fn wrote(&self, packets: usize) {
        self.written
            .fetch_add(packets as u64 * self.copies, Ordering::SeqCst);
    }

    /// Packets have come to one receiver.
    pub fn arrived(&self, packets: usize) {
        self.received.fetch_add(packets as u64, Ordering::SeqCst);
        if self.under_way() < self.most * self.copies / 2 && self.waiting.load(Ordering::SeqCst) {
            self.waiting.store(false, Ordering::SeqCst);
            (self.wake)();
        }
    }

    /// Nothing has come for long: what is under way is lost.
    pub fn write_off(&self) {
        self.lost.fetch_add(self.under_way(), Ordering::SeqCst);
    }

    /// Waits until there is room, or until it is clear that nothing will come any more.
    pub async fn wait(&self, room: &Notify) {
        let before = self.received();
        if timeout(STALLED, room.notified()).await.is_err() && self.received() == before {
            self.write_off();
        }
    }

    /// Packets that have come, to all receivers together.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// Packets that were written off.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
    }

    fn under_way(&self) -> u64 {
        let gone = self.received() + self.lost();
        self.written.load(Ordering::SeqCst).saturating_sub(gone)
    }
}

/// Where nothing comes for so long, nothing will.
pub const STALLED: Duration = Duration::from_millis(50);
