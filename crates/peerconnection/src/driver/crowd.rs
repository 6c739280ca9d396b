//! Many that wait for one socket.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// Who waits. A socket of tokio wakes the last that asked, and connections that share a port share its sockets.
#[derive(Debug, Default)]
pub(super) struct Crowd(Mutex<Vec<Waker>>);

impl Crowd {
    /// Asks the socket for all of them.
    pub(super) fn poll<T>(
        self: &Arc<Self>,
        waker: &Waker,
        ask: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        // Before it asks: what makes room may be quicker than who asked.
        let mut waiting = self.waiting();
        if !waiting.iter().any(|it| it.will_wake(waker)) {
            waiting.push(waker.clone());
        }
        drop(waiting);
        ask(&mut Context::from_waker(&Waker::from(self.clone())))
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Crowd {
    fn wake(self: Arc<Self>) {
        let woken = std::mem::take(&mut *self.waiting());
        woken.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The socket knows the last that asked; all of them are woken, each once.
    #[test]
    fn all_are_woken() {
        let crowd = Arc::<Crowd>::default();
        let counts: [Arc<Count>; 3] = Default::default();
        let mut last = None;
        for _ in 0..2 {
            for count in &counts {
                let waker = Waker::from(count.clone());
                let asked = crowd.poll(&waker, |context| {
                    last = Some(context.waker().clone());
                    Poll::<()>::Pending
                });
                assert!(asked.is_pending());
            }
        }
        let woken = || counts.each_ref().map(|it| it.0.load(Ordering::Relaxed));
        assert_eq!(woken(), [0; 3]);
        let last = last.expect("asked");
        last.wake_by_ref();
        assert_eq!(woken(), [1; 3]);
        last.wake();
        assert_eq!(woken(), [1; 3], "nobody has asked since");
    }
}
