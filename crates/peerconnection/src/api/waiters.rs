//! Tasks that wait for something.

use std::task::{Context, Waker};

/// Tasks that wait for one thing.
#[derive(Debug, Default)]
pub(super) struct Waiters(Vec<Waker>);

/// Tasks to wake when the lock is released.
#[derive(Debug, Default)]
pub(super) struct Wakeups(Vec<Waker>);

impl Waiters {
    pub(super) fn register(&mut self, cx: &Context<'_>) {
        if !self.0.iter().any(|it| it.will_wake(cx.waker())) {
            self.0.push(cx.waker().clone());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn wake(&mut self, wakeups: &mut Wakeups) {
        if !self.0.is_empty() {
            wakeups.0.append(&mut self.0);
        }
    }
}

impl Wakeups {
    #[inline]
    pub(super) fn wake(self) {
        if !self.0.is_empty() {
            self.wake_all();
        }
    }

    fn wake_all(self) {
        for waker in self.0 {
            waker.wake();
        }
    }
}
