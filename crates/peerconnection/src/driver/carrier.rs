//! What carries one engine on tokio: its sockets, and what its task is to wait for.

use std::{
    io,
    net::{IpAddr, SocketAddr, SocketAddrV6},
    sync::Arc,
    task::{Wake, Waker},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::Notify};

use super::{
    clock,
    port::Share,
    send::Blocked,
    sockets::{Socket, UdpSocket},
};
use crate::{Path, PeerConnectionState, Request, api::Carrier, engine::Engine};

/// Carries one engine. It lives behind the engine's lock.
pub(super) struct TokioCarrier {
    runtime: Handle,
    /// Wakes the connection's task: a timer was set earlier, there is a new socket or a full one, or the connection ended.
    task: Arc<Notify>,
    ways: Ways,
    /// How often the sockets have changed.
    changes: u64,
    /// Datagrams on their way to a socket; kept between calls for its memory.
    buffer: Vec<u8>,
    /// What a full socket did not take yet. Nothing else is asked of the engine until it has left.
    blocked: Option<Blocked>,
    /// When the task's timer is to fire.
    armed: Option<Instant>,
    /// The next flush is on the connection's task, which looks at all of this by itself afterwards.
    attended: bool,
    /// The task was woken and has not been here since.
    woken: bool,
    patience: Patience,
    finished: bool,
}

/// Where the datagrams of a connection go.
pub(super) enum Ways {
    /// Over sockets of its own.
    Own(Vec<Arc<dyn Socket>>),
    /// Over a port that it shares.
    Shared(Share),
}

/// What the task of a connection waits for.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) armed: Option<Instant>,
    /// A socket that is to have room.
    pub(super) full: Option<Arc<dyn Socket>>,
    /// Sockets that only this task reads from.
    pub(super) sockets: Vec<Arc<dyn Socket>>,
    pub(super) finished: bool,
    /// As many changes of the sockets are in it.
    changes: u64,
}

/// When to tell the log why the connection is not up.
#[derive(Default)]
struct Patience {
    next: Option<Instant>,
    told: usize,
}

impl TokioCarrier {
    pub(super) fn new(runtime: Handle, task: Arc<Notify>, ways: Ways) -> Self {
        Self {
            runtime,
            task,
            ways,
            changes: 0,
            buffer: Vec::new(),
            blocked: None,
            armed: None,
            attended: false,
            woken: false,
            patience: Patience::default(),
            finished: false,
        }
    }

    pub(super) fn share(&self) -> Option<&Share> {
        match &self.ways {
            Ways::Own(_) => None,
            Ways::Shared(share) => Some(share),
        }
    }

    /// The connection's task is here, and needs not be woken by the flush that follows.
    pub(super) fn attend(&mut self) {
        (self.attended, self.woken) = (true, false);
    }

    /// Writes down what the task is to wait for.
    pub(super) fn plan(&self, plan: &mut Plan) {
        plan.armed = self.armed;
        plan.full = self.blocked.as_ref().map(|it| it.socket().clone());
        plan.finished = self.finished;
        if let Ways::Own(sockets) = &self.ways
            && plan.changes != self.changes
        {
            plan.changes = self.changes;
            plan.sockets.clone_from(sockets);
        }
    }

    /// What the engine wants of the system, until it wants nothing.
    fn serve_requests(&mut self, now: Instant, engine: &mut Engine) {
        while let Some(request) = engine.poll_request() {
            match request {
                Request::Bind { id, address, scope } => {
                    let bound = self.bind(address, scope).map_err(|error| {
                        log::debug!("{}: {address} cannot be bound: {error}", engine.label());
                        error.kind()
                    });
                    engine.handle_response(now, id, bound);
                }
                Request::Close { local } => self.unbind(local),
                Request::Route(route) => {
                    if let Ways::Shared(share) = &self.ways {
                        share.route(route);
                    }
                }
            }
        }
    }

    fn bind(&mut self, address: IpAddr, scope: u32) -> io::Result<SocketAddr> {
        let sockets = match &mut self.ways {
            Ways::Shared(share) => return share.local_address(address),
            Ways::Own(sockets) => sockets,
        };
        // tokio registers a socket with the runtime it is made in, and a verb may be called outside of it.
        let _entered = self.runtime.enter();
        let socket = UdpSocket::bind(with_scope(address, scope), SOCKET_BUFFER)?;
        let local = socket.local_address();
        sockets.push(socket);
        self.changes += 1;
        self.wake_task();
        Ok(local)
    }

    fn unbind(&mut self, local: SocketAddr) {
        if let Ways::Own(sockets) = &mut self.ways {
            sockets.retain(|socket| socket.local_address() != local);
            self.changes += 1;
            self.wake_task();
        }
    }

    /// Sends all that the engine has, as far as the sockets take it.
    fn transmit(&mut self, now: Instant, engine: &mut Engine) {
        if let Some(blocked) = &mut self.blocked {
            if !blocked.retry() {
                return;
            }
            self.blocked = None;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        while self.blocked.is_none() {
            buffer.clear();
            let Some(transmit) = engine.poll_transmit(now, &mut buffer) else {
                break;
            };
            let Some(socket) = self.socket(transmit.path) else {
                continue;
            };
            let mut source = None;
            if let Ways::Shared(share) = &self.ways {
                // The source address is to be named where the socket has several.
                let several = socket.local_address().ip().is_unspecified();
                source = several.then_some(transmit.path.local.ip());
                if matches!(buffer.first(), Some(0..=3)) {
                    share.expect_response(transmit.path);
                }
            }
            self.blocked = Blocked::send(socket, source, transmit, &buffer, engine.label());
        }
        self.buffer = buffer;
        if self.blocked.is_some() {
            self.wake_task();
        }
    }

    fn socket(&self, path: Path) -> Option<Arc<dyn Socket>> {
        match &self.ways {
            Ways::Shared(share) => share.socket(path),
            Ways::Own(sockets) => {
                let mut sockets = sockets.iter();
                sockets.find(|it| it.local_address() == path.local).cloned()
            }
        }
    }

    fn wake_task(&self) {
        if !self.attended {
            self.task.notify_one();
        }
    }

    /// Lets go of everything: the engine is done, or the runtime is.
    pub(super) fn finish(&mut self) {
        self.finished = true;
        self.blocked = None;
        self.armed = None;
        match &mut self.ways {
            Ways::Own(sockets) => sockets.clear(),
            Ways::Shared(share) => share.forget(),
        }
        self.changes += 1;
        self.task.notify_one();
    }
}

impl Carrier for TokioCarrier {
    fn now(&self) -> Instant {
        clock::now()
    }

    fn flush(&mut self, now: Instant, engine: &mut Engine) {
        if self.finished {
            return;
        }
        self.serve_requests(now, engine);
        self.transmit(now, engine);
        if engine.is_finished() && self.blocked.is_none() {
            self.finish();
            return;
        }
        let due = [engine.poll_timeout(), self.patience.next(now, engine)];
        let due = due.into_iter().flatten().min();
        let earlier = due.is_some_and(|due| self.armed.is_none_or(|armed| due < armed));
        self.armed = due;
        if earlier {
            self.wake_task();
        }
        self.attended = false;
    }

    fn wake(&mut self) {
        if !std::mem::replace(&mut self.woken, true) {
            self.task.notify_one();
        }
    }

    fn waker(&self) -> Waker {
        Arc::new(TaskWaker(self.task.clone())).into()
    }
}

/// Wakes the connection's task from anywhere.
struct TaskWaker(Arc<Notify>);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

impl Patience {
    /// Tells the log, when it is time, what a connection that is not up lacks; answers when it looks again.
    fn next(&mut self, now: Instant, engine: &Engine) -> Option<Instant> {
        use PeerConnectionState::{Connecting, Disconnected, Failed, New};
        if !log::log_enabled!(log::Level::Debug) {
            return None;
        }
        let state = engine.connection_state();
        if !matches!(state, New | Connecting | Disconnected | Failed) {
            *self = Self::default();
            return None;
        }
        let next = self.next.get_or_insert(now + LOOKS[0]);
        if *next <= now {
            if let Some(reason) = engine.hindrance() {
                log::debug!("{}: {state:?} for a while: {reason}", engine.label());
            }
            self.told += 1;
            *next = now + LOOKS.get(self.told).copied().unwrap_or(LAST_LOOKS);
        }
        self.next
    }
}

fn with_scope(address: IpAddr, scope: u32) -> SocketAddr {
    match address {
        IpAddr::V4(address) => (address, 0).into(),
        IpAddr::V6(address) => SocketAddrV6::new(address, 0, 0, scope).into(),
    }
}

/// Bytes of receive and of send buffer asked for: a whole window of SCTP may come at once.
pub(super) const SOCKET_BUFFER: usize = 4 << 20;
/// When the log is told why a connection is not up, each counted from the one before; then once a minute.
const LOOKS: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
];
const LAST_LOOKS: Duration = Duration::from_secs(60);
