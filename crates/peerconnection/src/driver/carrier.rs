//! What carries one engine on tokio: its sockets, and what its task is to wait for.

use std::{
    io,
    net::{IpAddr, SocketAddr, SocketAddrV6},
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

use oxirtc_ice::transaction;
use tokio::{runtime::Handle, task::JoinSet};

use super::{
    clock,
    listener::Claimed,
    names::LocalNames,
    patience::Patience,
    plan::{Plan, Waits},
    send::{Blocked, Refusals},
    sockets::{SOCKET_BUFFER, Socket, UdpSocket},
    stream::{self, Stream},
    tls::Tls,
    ways::Ways,
};
use crate::{
    Path, Protocol, Request, RequestId,
    api::{Carrier, EngineLock, WeakEngineLock},
    engine::Engine,
    label::Label,
};

/// Carries one engine. It lives behind the engine's lock.
pub(super) struct TokioCarrier {
    runtime: Handle,
    /// What the connection's task waits for.
    plan: Arc<Plan>,
    /// Has that task serve the engine when a stream has room again.
    room: Waker,
    ways: Ways,
    tls: Tls,
    /// Its own engine, for what is waited for beside it.
    engine: Option<WeakEngineLock<Self>>,
    /// What is waited for beside it: names, streams. They end with it.
    jobs: JoinSet<()>,
    /// A path that nothing could leave on, and when that was told.
    unreachable: Option<(Path, Instant)>,
    /// There is a new socket, or one less, or a full one, of which the task does not know.
    changed: bool,
    /// Datagrams on their way to a socket; kept between calls for its memory.
    buffer: Vec<u8>,
    /// What a full socket did not take yet. Nothing else is asked of the engine until it has left.
    blocked: Option<Blocked>,
    /// When the task's timer is to fire.
    armed: Option<Instant>,
    /// The engine waits for less than a timer is fine.
    turns: bool,
    /// The next flush is on the connection's task, which looks at all of this by itself afterwards.
    attended: bool,
    /// The task was woken and has not been here since.
    woken: bool,
    patience: Patience,
    finished: bool,
}

impl TokioCarrier {
    pub(super) fn new(runtime: Handle, plan: Arc<Plan>, ways: Ways, tls: Tls) -> Self {
        let armed = Some(clock::now() + AHEAD);
        plan.change(|waits| waits.armed = armed);
        Self {
            runtime,
            room: plan.clone().into(),
            plan,
            ways,
            tls,
            engine: None,
            jobs: JoinSet::new(),
            unreachable: None,
            changed: false,
            buffer: Vec::with_capacity(FIRST_BATCH),
            blocked: None,
            armed,
            turns: false,
            attended: false,
            woken: false,
            patience: Patience::default(),
            finished: false,
        }
    }

    /// The engine is there.
    pub(super) fn attach(&mut self, engine: &EngineLock<Self>, label: Label) {
        if let Some(share) = &self.ways.share {
            let own = engine.downgrade();
            let adopt = move |claimed: Claimed| {
                let Some(strong) = own.upgrade() else {
                    return;
                };
                let Claimed {
                    stream: bytes,
                    path,
                    bytes: mut first,
                } = claimed;
                if let Some(stream) = accept(&strong, path) {
                    strong.drive(|now, engine, _| engine.handle_datagram(now, path, &mut first));
                    tokio::spawn(stream.run(Box::new(bytes), own.clone()));
                }
            };
            share.attach(engine.erased().downgrade(), Arc::new(adopt), label);
        }
        self.engine = Some(engine.downgrade());
    }

    /// The connection's task is here, and needs not be woken by the flush that follows.
    pub(super) fn attend(&mut self) {
        (self.attended, self.woken) = (true, false);
    }

    /// What the engine wants of the system, until it wants nothing.
    fn serve_requests(&mut self, now: Instant, engine: &mut Engine) {
        while self.jobs.try_join_next().is_some() {}
        let mut kept = Vec::new();
        while let Some(request) = engine.poll_request() {
            match request {
                Request::Bind {
                    id,
                    address,
                    scope,
                    own,
                } => {
                    let bound = self.bind(address, scope, own).map_err(|error| {
                        let (label, address) = (engine.label(), engine.own(address));
                        log::debug!("{label}: {address} cannot be bound: {error}");
                        error.kind()
                    });
                    engine.handle_response(now, id, bound);
                }
                Request::Connect {
                    id,
                    from,
                    scope,
                    to,
                    tls,
                } => self.connect(id, with_scope(from, scope), to, tls),
                Request::Resolve { id, name } => self.resolve(id, name),
                Request::Listen { id, address, scope } => {
                    let bound = self.listen(with_scope(address, scope)).map_err(|error| {
                        let (label, address) = (engine.label(), engine.own(address));
                        log::debug!("{label}: no streams at {address}: {error}");
                        error.kind()
                    });
                    engine.handle_response(now, id, bound);
                }
                Request::Unlisten { local } => self.ways.unlisten(local),
                Request::Publish { id, address } => self.publish(id, address),
                Request::Close { local } => self.unbind(local),
                Request::Disconnect { path } => self.ways.end_streams(|it| it == path),
                Request::Route(route) => {
                    let share = self.ways.share.as_ref();
                    let Some(applied) = share.map(|it| it.route(now, route)) else {
                        continue;
                    };
                    kept.extend(applied.kept);
                    if let Some(path) = applied.taken {
                        let (label, remote) = (engine.label(), path.remote);
                        log::debug!("{label}: another connection of the port has {remote}");
                        engine.handle_taken(now, path);
                    }
                    if let Some(ufrag) = applied.refused {
                        let label = engine.label();
                        log::warn!("{label}: another connection of the port has its fragment");
                        engine.handle_ufrag_taken(now, &ufrag);
                    }
                }
            }
        }
        // Its sockets are there now, and its fragment is.
        let is_early = !kept.is_empty();
        for (path, mut datagram) in kept {
            engine.handle_datagram(now, path, &mut datagram);
        }
        if is_early {
            self.serve_requests(now, engine);
        }
    }

    /// Opens a stream beside everything else.
    fn connect(&mut self, id: RequestId, from: SocketAddr, to: SocketAddr, tls: Option<String>) {
        let Some(engine) = self.engine.clone() else {
            return;
        };
        let tls = tls.map(|name| self.tls.connector().map(|it| (it, name)));
        let opening = async move {
            let opened = match tls.transpose() {
                Ok(tls) => stream::open(from, to, tls).await,
                Err(error) => Err(error),
            };
            let Some(strong) = engine.upgrade() else {
                return;
            };
            match opened {
                Ok((bytes, path)) => {
                    let stream = Stream::opened(path);
                    strong.drive(|now, engine, carrier| {
                        carrier.ways.streams.push(stream.clone());
                        engine.handle_response(now, id, Ok(path.local));
                    });
                    drop(strong);
                    // It ends when it was told to, and not with what waits for names.
                    tokio::spawn(stream.run(bytes, engine));
                }
                Err(error) => strong.drive(|now, engine, _| {
                    log::debug!("{}: no stream to a server: {error}", engine.label());
                    engine.handle_response(now, id, Err(error.kind()));
                }),
            }
        };
        self.jobs.spawn_on(opening, &self.runtime);
    }

    /// Takes the streams that come to this address, beside everything else.
    fn listen(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let share = self.ways.share.as_ref();
        if let Some(address) = share.and_then(|it| it.listens_at(address.ip())) {
            return Ok(address);
        }
        let virtual_network = share.is_some_and(|it| !it.allows_own());
        let engine = self.engine.clone().filter(|_| !virtual_network);
        let engine = engine.ok_or(io::ErrorKind::Unsupported)?;
        let _entered = self.runtime.enter();
        let listener = self.ways.ports.bind(address, stream::listen)?;
        let local = listener.local_addr()?;
        let accepting = async move {
            loop {
                let (bytes, remote) = stream::accept(&listener).await;
                let path = Path {
                    local,
                    remote,
                    protocol: Protocol::Tcp,
                };
                let Some(strong) = engine.upgrade() else {
                    return;
                };
                if let Some(stream) = accept(&strong, path) {
                    tokio::spawn(stream.run_accepted(bytes, engine.clone()));
                }
            }
        };
        let accepting = self.jobs.spawn_on(accepting, &self.runtime);
        self.ways.listeners.push((local, accepting));
        Ok(local)
    }

    /// Finds the addresses of a name beside everything else.
    fn resolve(&mut self, id: RequestId, name: String) {
        let Some(engine) = self.engine.clone() else {
            return;
        };
        let names = self.ways.names.clone();
        let looking = async move {
            // The agent waits no longer, and asks for the next one then.
            let found = tokio::time::timeout(LOOKUP, look_up(names, name)).await;
            let found = found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let found = found.map_err(|error| error.kind());
            if let Some(engine) = engine.upgrade() {
                engine.drive(|now, engine, _| engine.handle_addresses(now, id, found));
            }
        };
        self.jobs.spawn_on(looking, &self.runtime);
    }

    /// Has a name made for an address, beside everything else.
    fn publish(&mut self, id: RequestId, address: IpAddr) {
        let (Some(engine), names) = (self.engine.clone(), self.ways.names.clone()) else {
            return;
        };
        let naming = async move {
            let name = match names {
                Some(names) => names.publish(address).await,
                None => Err(io::ErrorKind::Unsupported.into()),
            };
            let name = name.map_err(|error| error.kind());
            if let Some(engine) = engine.upgrade() {
                engine.drive(|now, engine, _| engine.handle_name(now, id, name));
            }
        };
        self.jobs.spawn_on(naming, &self.runtime);
    }

    fn bind(&mut self, address: IpAddr, scope: u32, own: bool) -> io::Result<SocketAddr> {
        match &self.ways.share {
            Some(share) if !own => return share.local_address(address),
            // On a network that is not the system's, its sockets reach nobody.
            Some(share) if !share.allows_own() => return Err(io::ErrorKind::Unsupported.into()),
            _ => {}
        }
        // tokio registers a socket with the runtime it is made in, and a verb may be called outside of it.
        let _entered = self.runtime.enter();
        let bind = |address| UdpSocket::bind(address, SOCKET_BUFFER);
        let socket = self.ways.ports.bind(with_scope(address, scope), bind)?;
        let local = socket.local_address();
        let own = self.ways.own.iter().cloned();
        self.ways.own = own.chain([socket]).collect();
        self.changed = true;
        Ok(local)
    }

    fn unbind(&mut self, local: SocketAddr) {
        let kept = self.ways.own.iter();
        let kept = kept.filter(|socket| socket.local_address() != local);
        let kept: Arc<[_]> = kept.cloned().collect();
        if kept.len() == self.ways.own.len() {
            let share = self.ways.share.as_ref();
            let shared = share.and_then(|it| it.listens_at(local.ip()));
            // The port that it shares stays, with the streams that came there. Else it is one that came too late to be of use.
            if shared != Some(local) {
                self.ways.end_streams(|path| path.local == local);
            }
            return;
        }
        self.ways.own = kept;
        self.changed = true;
    }

    /// Sends all that the engine has, as far as the sockets take it.
    fn transmit(&mut self, now: Instant, engine: &mut Engine) {
        if let Some(blocked) = &mut self.blocked {
            let (refusals, gone) = blocked.retry();
            let path = blocked.path();
            self.tell(now, engine, path, &refusals);
            if !gone {
                return;
            }
            self.blocked = None;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        while self.blocked.is_none() {
            buffer.clear();
            self.ways.find_full(&self.room);
            let full = &self.ways.full;
            let Some(transmit) = engine.poll_transmit_beside(now, full, &mut buffer) else {
                break;
            };
            let Some(socket) = self.socket(transmit.path) else {
                continue;
            };
            let mut source = None;
            if let Some(share) = self.ways.share_of(transmit.path) {
                // The source address is to be named where the socket has several.
                let several = socket.local_address().ip().is_unspecified();
                source = several.then_some(transmit.path.local.ip());
                if let Some(id) = transaction(&buffer) {
                    share.expect_response(id);
                }
            }
            let sent = Blocked::send(socket, source, transmit, &buffer, engine.label());
            self.blocked = sent.blocked;
            self.tell(now, engine, transmit.path, &sent.refusals);
        }
        self.buffer = buffer;
        self.changed |= self.blocked.is_some();
    }

    fn tell(&mut self, now: Instant, engine: &mut Engine, path: Path, refusals: &Refusals) {
        if refusals.unreachable {
            self.tell_unreachable(now, engine, path);
        }
        if refusals.datagrams > 0 {
            engine.handle_unsent(refusals.datagrams);
        }
        if let Some(datagram) = &refusals.too_long {
            engine.handle_too_long(now, path, datagram);
        }
    }

    /// The engine checks such a path at once, which is told it again for every check: now and then is enough.
    fn tell_unreachable(&mut self, now: Instant, engine: &mut Engine, path: Path) {
        let known = self
            .unreachable
            .is_some_and(|(known, at)| known == path && now < at + TELLING);
        if !known {
            self.unreachable = Some((path, now));
            engine.handle_unreachable(now, path);
        }
    }

    fn socket(&self, path: Path) -> Option<Arc<dyn Socket>> {
        let Ways { own, streams, .. } = &self.ways;
        if path.protocol == Protocol::Tcp {
            let stream = streams.iter().find(|stream| stream.path() == path)?;
            return Some(stream.clone());
        }
        let mut sockets = own.iter();
        let socket = sockets.find(|it| it.local_address() == path.local);
        socket
            .cloned()
            .or_else(|| self.ways.share.as_ref()?.socket(path))
    }

    /// Lets go of everything: the engine is done, or the runtime is.
    pub(super) fn finish(&mut self) {
        self.finished = true;
        self.blocked = None;
        self.armed = None;
        self.ways.own = Arc::default();
        self.ways.end_streams(|_| true);
        self.jobs.abort_all();
        if let Some(share) = &self.ways.share {
            share.forget();
        }
        self.plan.change(|waits| {
            *waits = Waits {
                finished: true,
                ..Waits::default()
            }
        });
        self.plan.tell();
    }
}

/// Takes a stream of a peer. Where there are too many, one makes room that has said nothing of use.
fn accept(engine: &EngineLock<TokioCarrier>, path: Path) -> Option<Arc<Stream>> {
    let accepted = engine.look(|it| it.ways.accept(path));
    accepted.or_else(|| {
        engine.drive(|_, engine, it| {
            it.ways.make_room(|path| engine.uses_stream(path));
            it.ways.accept(path)
        })
    })
}

/// The addresses of a name.
async fn look_up(names: Option<LocalNames>, name: String) -> io::Result<Vec<IpAddr>> {
    // RFC 6762 §3: such a name means something on this link only, and is none of a name server's business.
    if is_local(&name) {
        let names = names.ok_or(io::ErrorKind::Unsupported)?;
        return Ok(vec![names.resolve(&name).await?]);
    }
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.').as_bytes();
    let start = name.len().saturating_sub(LOCAL.len());
    name.get(start..)
        .is_some_and(|end| end.eq_ignore_ascii_case(LOCAL))
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
        let mut due = due.into_iter().flatten().min();
        let stalled = !self.ways.full.is_empty();
        if stalled {
            due = due.map(|due| due.max(now + STALLED));
        }
        let earlier = due.is_some_and(|due| self.armed.is_none_or(|armed| due < armed));
        let turns = self.blocked.is_none() && !stalled && engine.wants_turn();
        let begins = !std::mem::replace(&mut self.turns, turns) && turns;
        // A timer that fires too early is set again then: with each datagram what is due comes and goes.
        let attended = std::mem::take(&mut self.attended);
        let changed = std::mem::take(&mut self.changed);
        if earlier || begins || changed || attended {
            self.armed = due;
            self.plan.change(|waits| {
                (waits.armed, waits.turns) = (due, turns);
                waits.full = self.blocked.as_ref().map(|it| it.socket().clone());
                waits.sockets.clone_from(&self.ways.own);
            });
            if !attended {
                self.plan.tell();
            }
        }
    }

    fn wake(&mut self) {
        if !std::mem::replace(&mut self.woken, true) {
            self.plan.serve();
        }
    }

    fn waker(&self) -> Waker {
        self.plan.clone().into()
    }
}

fn with_scope(address: IpAddr, scope: u32) -> SocketAddr {
    match address {
        IpAddr::V4(address) => (address, 0).into(),
        IpAddr::V6(address) => SocketAddrV6::new(address, 0, 0, scope).into(),
    }
}

/// When the timer of a new connection fires, whatever it waits for: sooner than a first check is repeated, so that its verbs have nothing
/// to tell its task.
const AHEAD: Duration = Duration::from_millis(400);
/// Bytes of the buffer that batches are built in, which grows with them: what connections are set up with fits.
const FIRST_BATCH: usize = 4096;
/// Payload that waits for a stream to have room is not due before it has; meanwhile the rest is looked at as often as this.
const STALLED: Duration = Duration::from_millis(20);
const LOCAL: &[u8] = b".local";
/// How long the addresses of a name are waited for.
const LOOKUP: Duration = Duration::from_secs(10);
/// A path without a way is told as often as this.
const TELLING: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
