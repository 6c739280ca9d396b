//! Tasks that wait for something.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// Tasks that wait for one thing. Whoever shares them has a lock around them, and wakes after it was released.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    /// Of futures and streams, that take their places back. Made with the first of them.
    places: Option<Arc<Places>>,
    /// Of code that polls by hand. Nobody says when it has gone, so these stay until they are woken.
    by_hand: Vec<Waker>,
}

/// Tasks to wake when the lock is released.
#[derive(Debug, Default)]
pub(super) struct Wakeups {
    tasks: Vec<Waker>,
    /// Events that made room for others, as nobody has read them.
    pub(super) dropped: usize,
}

/// The wait of one future or stream for one thing. When it is dropped, nobody waits any more, and nothing is left of it. What is
/// ready at once has taken no place.
#[derive(Debug, Default)]
pub(super) struct Wait {
    place: Option<Place>,
    /// A waker that another has replaced, while a lock was held. It may hold a task that holds a handle, so it is dropped without.
    stale: Option<Waker>,
}

/// Who polls: its waker, and its wait, unless it polls by hand.
pub(super) struct Waiter<'a> {
    waker: &'a Waker,
    wait: Option<&'a mut Wait>,
}

/// Where a [`Wait`] stands.
#[derive(Debug)]
struct Place {
    places: Weak<Places>,
    index: usize,
    round: u64,
}

#[derive(Debug, Default)]
struct Places {
    /// How many are taken. It grows under the lock of the owner only, so who has that needs no other one to see that none is.
    taken: AtomicUsize,
    room: Mutex<Room>,
}

/// A leaf among the locks.
#[derive(Debug, Default)]
struct Room {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
    /// How often all were woken. Places of an earlier round are gone.
    round: u64,
}

/// Waits until `poll` is ready.
pub(super) fn wait<T>(mut poll: impl FnMut(&mut Waiter<'_>) -> Poll<T>) -> impl Future<Output = T> {
    let mut wait = Wait::default();
    poll_fn(move |cx| wait.poll(cx, &mut poll))
}

impl Waiters {
    pub(super) fn register(&mut self, waiter: &mut Waiter<'_>) {
        match &mut waiter.wait {
            Some(wait) => wait.stand_in(self.places.get_or_insert_default(), waiter.waker),
            None => {
                if !self.by_hand.iter().any(|it| it.will_wake(waiter.waker)) {
                    self.by_hand.push(waiter.waker.clone());
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let taken = self.places.as_ref().map(|it| &it.taken);
        taken.is_none_or(|it| it.load(Ordering::Relaxed) == 0) && self.by_hand.is_empty()
    }

    pub(super) fn wake(&mut self, wakeups: &mut Wakeups) {
        if self.is_empty() {
            return;
        }
        wakeups.tasks.append(&mut self.by_hand);
        if let Some(places) = &self.places {
            places.leave_all(wakeups);
        }
    }
}

impl Wakeups {
    #[inline]
    pub(super) fn wake(self) {
        if !self.tasks.is_empty() {
            self.wake_all();
        }
    }

    fn wake_all(self) {
        for waker in self.tasks {
            waker.wake();
        }
    }
}

impl Wait {
    /// Polls on behalf of whoever keeps this. `poll` may take locks; none is held around it.
    pub(super) fn poll<T>(
        &mut self,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Waiter<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let polled = poll(&mut self.waiter(cx));
        self.stale = None;
        polled
    }

    /// To register for what this waits for.
    pub(super) fn waiter<'a>(&'a mut self, cx: &'a Context<'_>) -> Waiter<'a> {
        Waiter {
            waker: cx.waker(),
            wait: Some(self),
        }
    }

    /// Takes a place, or keeps the one that it has, with this waker.
    fn stand_in(&mut self, places: &Arc<Places>, waker: &Waker) {
        let own = self.place.take_if(|it| it.is_of(places));
        if let Some(own) = own
            && let Some(there) = places.room().there(&own)
        {
            if !there.will_wake(waker) {
                self.stale = Some(std::mem::replace(there, waker.clone()));
            }
            self.place = Some(own);
            return;
        }
        self.stale = self.leave();
        self.place = Some(places.take(waker.clone()));
    }

    /// Gives its place back; what stood there is to be dropped without a lock.
    fn leave(&mut self) -> Option<Waker> {
        let place = self.place.take()?;
        place.places.upgrade()?.leave(&place)
    }
}

impl<'a> Waiter<'a> {
    /// Who keeps no wait.
    pub(super) fn by_hand(cx: &'a Context<'_>) -> Self {
        Self {
            waker: cx.waker(),
            wait: None,
        }
    }
}

impl Place {
    fn is_of(&self, places: &Arc<Places>) -> bool {
        std::ptr::eq(self.places.as_ptr(), Arc::as_ptr(places))
    }
}

impl Places {
    fn take(self: &Arc<Self>, waker: Waker) -> Place {
        let mut room = self.room();
        let index = room.free.pop().unwrap_or(room.wakers.len());
        match room.wakers.get_mut(index) {
            Some(free) => *free = Some(waker),
            None => room.wakers.push(Some(waker)),
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        Place {
            places: Arc::downgrade(self),
            index,
            round: room.round,
        }
    }

    fn leave(&self, place: &Place) -> Option<Waker> {
        let mut room = self.room();
        if place.round != room.round {
            return None;
        }
        let waker = room.wakers.get_mut(place.index)?.take();
        room.free.push(place.index);
        self.taken.fetch_sub(1, Ordering::Relaxed);
        if room.free.len() == room.wakers.len() {
            room.clear();
        }
        waker
    }

    fn leave_all(&self, wakeups: &mut Wakeups) {
        let mut room = self.room();
        room.round += 1;
        wakeups.tasks.extend(room.wakers.drain(..).flatten());
        room.clear();
        self.taken.store(0, Ordering::Relaxed);
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// What stands in a place, unless it was woken.
    fn there(&mut self, place: &Place) -> Option<&mut Waker> {
        if place.round != self.round {
            return None;
        }
        self.wakers.get_mut(place.index)?.as_mut()
    }

    /// Nobody has a place. What a crowd has taken goes back.
    fn clear(&mut self) {
        self.wakers.clear();
        self.wakers.shrink_to(FEW);
        self.free.clear();
        self.free.shrink_to(FEW);
    }
}

impl Drop for Wait {
    #[inline]
    fn drop(&mut self) {
        // What was ready at once has none.
        if self.place.is_some() {
            drop::<Option<Waker>>(self.leave());
        }
    }
}

/// So many places are kept when all are free.
const FEW: usize = 16;

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    /// A task that counts how often it is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Task {
        fn woken(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn register(waiters: &mut Waiters, wait: &mut Wait, task: &Arc<Task>) {
        let waker = Waker::from(task.clone());
        let cx = Context::from_waker(&waker);
        let polled = wait.poll(&cx, |waiter| {
            waiters.register(waiter);
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
    }

    fn wake(waiters: &mut Waiters) {
        let mut wakeups = Wakeups::default();
        waiters.wake(&mut wakeups);
        wakeups.wake();
    }

    fn room(waiters: &Waiters) -> (usize, usize, usize) {
        let room = waiters.places.as_ref().unwrap().room();
        (
            room.wakers.len(),
            room.free.len(),
            room.wakers.capacity().max(room.free.capacity()),
        )
    }

    /// Whether one goes before the next comes or a crowd goes together: no waker, no place and no memory of a crowd is left.
    #[test]
    fn what_is_dropped_leaves_nothing() {
        let mut waiters = Waiters::default();
        let task = Arc::new(Task::default());
        for _ in 0..10_000 {
            register(&mut waiters, &mut Wait::default(), &task);
            assert!(waiters.is_empty());
        }
        assert_eq!(room(&waiters).2, 4);
        let mut crowd: Vec<Wait> = (0..10_000).map(|_| Wait::default()).collect();
        for wait in &mut crowd {
            register(&mut waiters, wait, &task);
        }
        assert_eq!(room(&waiters).0, 10_000);
        assert_eq!(Arc::strong_count(&task), 10_001);
        drop(crowd);
        assert_eq!(Arc::strong_count(&task), 1);
        let (taken, free, capacity) = room(&waiters);
        assert_eq!((taken, free), (0, 0));
        assert!(capacity <= FEW);
        assert!(waiters.is_empty());
    }

    /// Who stays among many that go is woken, once, and a place that is taken anew is its new owner's.
    #[test]
    fn those_that_stay_are_woken_once() {
        let mut waiters = Waiters::default();
        let tasks: Vec<_> = (0..10).map(|_| Arc::<Task>::default()).collect();
        let mut waits: Vec<_> = tasks.iter().map(|_| Some(Wait::default())).collect();
        for (task, wait) in tasks.iter().zip(&mut waits) {
            register(&mut waiters, wait.as_mut().unwrap(), task);
        }
        for gone in [3, 0, 7] {
            waits[gone] = None;
        }
        let mut late = Wait::default();
        let late_task = Arc::<Task>::default();
        register(&mut waiters, &mut late, &late_task);
        assert_eq!(
            room(&waiters).0,
            10,
            "it has the place of one that has gone"
        );
        wake(&mut waiters);
        wake(&mut waiters);
        let woken: Vec<usize> = tasks.iter().map(|it| it.woken()).collect();
        assert_eq!(woken, [0, 1, 1, 0, 1, 1, 1, 0, 1, 1]);
        assert_eq!(late_task.woken(), 1);
        assert!(waiters.is_empty());
    }

    /// The place of a wait that was woken may be another's already: dropping the wait takes it from nobody.
    #[test]
    fn a_wait_that_was_woken_gives_up_no_other() {
        let mut waiters = Waiters::default();
        let [old, new] = [(); 2].map(|()| Arc::<Task>::default());
        let (mut first, mut second) = (Wait::default(), Wait::default());
        register(&mut waiters, &mut first, &old);
        wake(&mut waiters);
        register(&mut waiters, &mut second, &new);
        drop(first);
        assert!(!waiters.is_empty());
        wake(&mut waiters);
        assert_eq!((old.woken(), new.woken()), (1, 1));
        // It waits again, in the next round.
        register(&mut waiters, &mut second, &new);
        wake(&mut waiters);
        assert_eq!(new.woken(), 2);
    }

    /// A future that moves to another task is woken there, and lets go of the task that it came from.
    #[test]
    fn the_last_task_of_a_wait_is_woken() {
        let mut waiters = Waiters::default();
        let [left, stays] = [(); 2].map(|()| Arc::<Task>::default());
        let mut wait = Wait::default();
        register(&mut waiters, &mut wait, &left);
        register(&mut waiters, &mut wait, &stays);
        assert_eq!(Arc::strong_count(&left), 1);
        wake(&mut waiters);
        assert_eq!((left.woken(), stays.woken()), (0, 1));
    }

    /// A waker that is replaced may be the last that holds its task, and that a handle: nothing of it is dropped under the lock.
    #[test]
    fn a_stale_waker_is_dropped_without_the_lock() {
        struct Held(Arc<Mutex<Waiters>>);
        impl Wake for Held {
            fn wake(self: Arc<Self>) {}
        }
        impl Drop for Held {
            fn drop(&mut self) {
                assert!(self.0.try_lock().is_ok(), "dropped under the lock");
            }
        }
        let waiters = Arc::<Mutex<Waiters>>::default();
        let mut wait = Wait::default();
        for _ in 0..3 {
            let waker = Waker::from(Arc::new(Held(waiters.clone())));
            let cx = Context::from_waker(&waker);
            let polled = wait.poll(&cx, |waiter| {
                waiters.lock().unwrap().register(waiter);
                Poll::<()>::Pending
            });
            assert!(polled.is_pending());
        }
        drop(wait);
        assert_eq!(Arc::strong_count(&waiters), 1);
    }

    /// Each thing has its waits: one that goes to another leaves the first.
    #[test]
    fn a_wait_stands_in_one_place() {
        let [mut here, mut there] = [(); 2].map(|()| Waiters::default());
        let task = Arc::<Task>::default();
        let mut wait = Wait::default();
        register(&mut here, &mut wait, &task);
        register(&mut there, &mut wait, &task);
        assert!(here.is_empty() && !there.is_empty());
        drop(there);
        assert_eq!(Arc::strong_count(&task), 1);
        drop(wait);
    }
}
