//! How many there may be at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Seats, each of which is free again when what [`take`](Self::take) gave is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Seats {
    free: Arc<Semaphore>,
    all: u16,
}

impl Seats {
    pub(crate) fn new(all: u16) -> Self {
        Self {
            free: Arc::new(Semaphore::new(usize::from(all))),
            all,
        }
    }

    /// A seat, if one is free.
    pub(crate) fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().try_acquire_owned().ok()
    }

    /// Waits until nobody sits on any.
    pub(crate) async fn emptied(&self) {
        // It fails for a semaphore that was closed, which this one is never.
        let _ = self.free.acquire_many(u32::from(self.all)).await;
    }
}
