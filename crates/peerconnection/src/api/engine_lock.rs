//! An engine behind its lock, with what its application waits for and who carries it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Poll, Waker},
    time::Instant,
};

#[cfg(feature = "tokio")]
use std::sync::TryLockError;

use super::{
    events::Queue,
    media::{Inbox, Outbound},
    queues::Queues,
    waiters::{Waiter, Wakeups},
};
use crate::{Error, ErrorKind, PeerConnectionState, engine::Engine};

/// Who moves the datagrams of a connection.
///
/// It lives behind the lock of its engine, so its methods are called with that lock held: they must not call into handles of the
/// connection, and must not block.
pub trait Carrier: Send + 'static {
    /// The time.
    fn now(&self) -> Instant;

    /// Serves the engine: its batches are sent as far as the sockets take them, then its requests are answered, then the timer
    /// is armed again when it is due earlier. Called after each verb, on the thread of its caller, and after each
    /// [`EngineLock::drive`].
    fn flush(&mut self, now: Instant, engine: &mut Engine);

    /// There is something to send, and no hurry: a transfer is under way, for which a batch is better. Somebody is to call
    /// [`EngineLock::drive`] soon. Called often, so it must be cheap when that was arranged already.
    fn wake(&mut self);

    /// What does the same as [`wake`](Self::wake) without the lock: media of other connections and of the application comes that
    /// way. Asked for once. A carrier that drives its engine all the time anyway gives [`Waker::noop`].
    fn waker(&self) -> Waker;
}

/// The engine of a connection behind its lock, for its carrier. [`PeerConnection::with_carrier`](crate::PeerConnection::with_carrier)
/// makes it.
///
/// It does not keep the connection open; only the handles of the application do. It keeps the engine in memory, so what the
/// carrier itself holds of it is to be a [`WeakEngineLock`].
pub struct EngineLock<C: ?Sized = dyn Carrier>(Arc<Connection<C>>);

/// An [`EngineLock`] that keeps nothing in memory.
pub struct WeakEngineLock<C: ?Sized = dyn Carrier>(Weak<Connection<C>>);

/// What all handles of a connection share.
pub(super) struct Connection<C: ?Sized = dyn Carrier> {
    #[cfg(feature = "tokio")]
    arrivals: super::arrivals::Arrivals,
    state: Mutex<State<C>>,
}

/// All that changes about a connection, under one lock.
pub(super) struct State<C: ?Sized = dyn Carrier> {
    pub(super) engine: Engine,
    pub(super) queues: Queues,
    /// What other tasks leave for the connection.
    pub(super) inbox: Arc<Inbox>,
    /// When the connection was served last: soon enough for what sends nothing, and cheaper than the clock.
    pub(super) served: Instant,
    pub(super) carrier: C,
}

/// Kept by each handle of the application: with the last one the connection closes.
pub(super) struct KeepOpen {
    connection: Arc<Connection>,
}

impl<C: Carrier> EngineLock<C> {
    pub(super) fn new(engine: Engine, carrier: C) -> Self {
        let waker = carrier.waker();
        let inbox = Arc::new(Inbox::new(waker.clone()));
        let state = Mutex::new(State {
            engine,
            queues: Queues::default(),
            inbox,
            served: carrier.now(),
            carrier,
        });
        Self(Arc::new(Connection {
            #[cfg(feature = "tokio")]
            arrivals: super::arrivals::Arrivals::new(waker),
            state,
        }))
    }

    pub(super) fn keep_open(&self) -> KeepOpen {
        KeepOpen {
            connection: self.0.clone(),
        }
    }
}

impl<C: Carrier + ?Sized> EngineLock<C> {
    /// Locks the engine once and serves it with `f`: a batch of datagrams, a timer, responses. Then the carrier flushes, the
    /// objects have their events, and each task that waits for them is woken once, after the lock was released.
    pub fn drive<R>(&self, f: impl FnOnce(Instant, &mut Engine, &mut C) -> R) -> R {
        self.0.with(|state| state.drive(f))
    }

    /// As [`drive`](Self::drive), where nobody else has the lock; `None` where somebody has.
    #[cfg(feature = "tokio")]
    pub(crate) fn try_drive<R>(
        &self,
        f: impl FnOnce(Instant, &mut Engine, &mut C) -> R,
    ) -> Option<R> {
        let state = match self.0.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(self.0.serve(state, |state| state.drive(f)))
    }

    /// Leaves datagrams for whoever locks the connection next.
    #[cfg(feature = "tokio")]
    pub(crate) fn leave(&self, path: crate::Path, segment: usize, bytes: &[u8]) {
        self.0.arrivals.leave(path, segment, bytes);
    }

    /// Looks at the carrier, and nothing more.
    #[cfg(feature = "tokio")]
    pub(crate) fn look<R>(&self, f: impl FnOnce(&mut C) -> R) -> R {
        f(&mut self.0.lock().carrier)
    }

    /// Nobody will carry the connection any more, as the runtime under it ends: it is closed, and whatever waits for it ends.
    pub fn abandon(&self) {
        self.0.with(|state| {
            state.queues.abandoned |= !state.engine.is_closed();
            let now = state.carrier.now();
            state.engine.close(now);
            state.carrier.flush(now, &mut state.engine);
        });
    }

    /// A lock that does not keep the engine in memory.
    pub fn downgrade(&self) -> WeakEngineLock<C> {
        WeakEngineLock(Arc::downgrade(&self.0))
    }
}

impl<C: Carrier> EngineLock<C> {
    /// The same lock, for who need not know what carries the engine.
    pub fn erased(&self) -> EngineLock {
        EngineLock(self.0.clone())
    }
}

impl<C: ?Sized> WeakEngineLock<C> {
    /// The lock, unless the connection is gone.
    pub fn upgrade(&self) -> Option<EngineLock<C>> {
        self.0.upgrade().map(EngineLock)
    }
}

impl<C: Carrier + ?Sized> Connection<C> {
    fn lock(&self) -> MutexGuard<'_, State<C>> {
        // No code of the application runs under the lock, and a panic of ours leaves no half state that would be worse than
        // losing every connection of the process.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f`, then brings events to the objects and wakes who waits for them.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut State<C>) -> R) -> R {
        self.serve(self.lock(), f)
    }

    fn serve<R>(
        &self,
        mut state: MutexGuard<'_, State<C>>,
        f: impl FnOnce(&mut State<C>) -> R,
    ) -> R {
        let mut wakeups = Wakeups::default();
        let mut outbound = Outbound::default();
        let result = {
            state.take_in(&mut wakeups);
            #[cfg(feature = "tokio")]
            if self.arrivals.is_waiting() {
                let now = state.carrier.now();
                self.arrivals.take_in(now, &mut state.engine);
            }
            let result = f(&mut state);
            let State {
                engine,
                queues,
                inbox,
                carrier,
                ..
            } = &mut *state;
            let inbox = &*inbox;
            queues.settle(
                (engine, inbox),
                || carrier.now(),
                &mut wakeups,
                &mut outbound,
            );
            if wakeups.dropped > 0 {
                let (label, events) = (engine.label(), wakeups.dropped);
                log::trace!("{label}: dropped: {events} events that nobody has read");
            }
            drop(state);
            result
        };
        wakeups.wake();
        outbound.hand_over();
        result
    }
}

impl Connection {
    /// Looks something up.
    pub(super) fn get<R>(&self, f: impl FnOnce(&Engine) -> R) -> R {
        f(&self.lock().engine)
    }

    /// Runs a verb and sends what follows from it.
    pub(super) fn verb<R>(&self, f: impl FnOnce(&mut Engine, Instant) -> R) -> R {
        self.with(|state| {
            let now = state.carrier.now();
            state.served = now;
            let result = f(&mut state.engine, now);
            state.carrier.flush(now, &mut state.engine);
            result
        })
    }

    /// The next event of one object: `None` when the object has ended, or the connection is closed, and all was read.
    pub(super) fn poll_event<T>(
        &self,
        waiter: &mut Waiter<'_>,
        queue: impl FnOnce(&mut Queues) -> &mut Queue<T>,
    ) -> Poll<Option<T>> {
        self.poll_event_until(waiter, |_| false, queue)
    }

    /// The same of an object that a description may take away: who asks for its events only then has none to wait for.
    pub(super) fn poll_event_until<T>(
        &self,
        waiter: &mut Waiter<'_>,
        is_gone: impl FnOnce(&Engine) -> bool,
        queue: impl FnOnce(&mut Queues) -> &mut Queue<T>,
    ) -> Poll<Option<T>> {
        self.with(|state| {
            let ended = state.engine.is_closed() || is_gone(&state.engine);
            queue(&mut state.queues).poll(waiter, ended)
        })
    }
}

impl<C: Carrier + ?Sized> State<C> {
    fn drive<R>(&mut self, f: impl FnOnce(Instant, &mut Engine, &mut C) -> R) -> R {
        let now = self.carrier.now();
        self.served = now;
        let result = f(now, &mut self.engine, &mut self.carrier);
        self.carrier.flush(now, &mut self.engine);
        result
    }

    /// What others have left goes into the engine. Whoever left it has woken the carrier, which sends it.
    fn take_in(&mut self, wakeups: &mut Wakeups) {
        if !self.inbox.is_woken() {
            return;
        }
        let carrier = &self.carrier;
        let media = &mut self.queues.media;
        media.take_in(|| carrier.now(), &mut self.engine, &self.inbox, wakeups);
    }
}

impl<C: ?Sized> State<C> {
    /// Why nothing that needs the peer will happen, unless ICE is restarted: what waits for the peer ends with this.
    pub(super) fn hopeless(&self) -> Option<Error> {
        let message = if self.queues.abandoned {
            "the runtime that carried the connection has ended".to_owned()
        } else if self.engine.is_closed() {
            "the connection was closed".to_owned()
        } else if self.engine.connection_state() == PeerConnectionState::Failed {
            let why = self.engine.hindrance().map(|it| format!(": {it}"));
            format!("the connection has failed{}", why.unwrap_or_default())
        } else {
            return None;
        };
        Some(Error::new(ErrorKind::Aborted, message))
    }
}

impl KeepOpen {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// [4.4-02]
impl Drop for KeepOpen {
    fn drop(&mut self) {
        self.connection.verb(|engine, now| engine.close(now));
    }
}

impl<C: ?Sized> Clone for EngineLock<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: ?Sized> Clone for WeakEngineLock<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: ?Sized> fmt::Debug for EngineLock<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineLock").finish_non_exhaustive()
    }
}

impl<C: ?Sized> fmt::Debug for WeakEngineLock<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakEngineLock").finish_non_exhaustive()
    }
}
