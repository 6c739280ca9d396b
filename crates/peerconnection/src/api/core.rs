//! The engine behind its lock, and who carries it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{objects::Objects, waiters::Wakeups};
use crate::engine::Engine;

/// Who moves the datagrams of a connection.
///
/// The methods are called with the engine locked: they must not call into the connection's handles,
/// and must not block.
pub trait Carrier: Send + Sync + 'static {
    /// The time.
    fn now(&self) -> Instant;

    /// A verb was run on its caller's thread. The engine is to be served at once: batches sent as far
    /// as the sockets take them, then requests, then the timer armed again when it is due earlier.
    fn flush(&self, now: Instant, engine: &mut Engine);

    /// There is something to send, and no hurry, as a transfer is under way and a batch is better:
    /// the connection's task is to serve the engine soon. Called often, so it must be cheap when the
    /// task was woken already.
    fn wake(&self);
}

/// The engine of a connection behind its lock, for its carrier.
///
/// It does not keep the connection open; only the handles of the application do.
#[derive(Clone)]
pub struct Core(Arc<Shared>);

/// What all handles of a connection share.
pub(super) struct Shared {
    state: Mutex<State>,
    carrier: Arc<dyn Carrier>,
}

pub(super) struct State {
    pub(super) engine: Engine,
    pub(super) objects: Objects,
}

/// Kept by each handle of the application: the last one closes the connection.
pub(super) struct Handle {
    shared: Arc<Shared>,
}

impl Core {
    /// Locks the engine once and serves it with `f`: a batch of datagrams, a timer, responses, then
    /// what is to be sent. Afterwards the objects have their events, and each task that waits for them
    /// is woken once. [`Carrier::flush`] is not called.
    pub fn drive<R>(&self, f: impl FnOnce(&mut Engine) -> R) -> R {
        self.0.with(|state| f(&mut state.engine))
    }
}

impl Shared {
    pub(super) fn new(engine: Engine, carrier: Arc<dyn Carrier>) -> Self {
        Self {
            state: Mutex::new(State {
                engine,
                objects: Objects::default(),
            }),
            carrier,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of the application runs under the lock, and a panic of ours leaves no half state
        // that would be worse than losing every connection of the process.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f`, then brings events to the objects and wakes who waits for them.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let mut wakeups = Wakeups::default();
        let result = {
            let mut state = self.lock();
            let result = f(&mut state);
            let State { engine, objects } = &mut *state;
            objects.settle(engine, || self.carrier.now(), &mut wakeups);
            result
        };
        wakeups.wake();
        result
    }

    /// Looks something up.
    pub(super) fn get<R>(&self, f: impl FnOnce(&Engine) -> R) -> R {
        f(&self.lock().engine)
    }

    /// Runs a verb and sends what follows from it.
    pub(super) fn verb<R>(&self, f: impl FnOnce(&mut Engine, Instant) -> R) -> R {
        self.with(|state| {
            let now = self.carrier.now();
            let result = f(&mut state.engine, now);
            self.carrier.flush(now, &mut state.engine);
            result
        })
    }

    pub(super) fn now(&self) -> Instant {
        self.carrier.now()
    }

    pub(super) fn carrier(&self) -> &dyn Carrier {
        &*self.carrier
    }
}

impl Handle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn core(&self) -> Core {
        Core(self.shared.clone())
    }
}

/// [4.4-02]
impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.verb(|engine, now| engine.close(now));
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}
