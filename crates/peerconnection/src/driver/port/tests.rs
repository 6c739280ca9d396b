//! Connections that share a port, without its sockets.

use std::{
    pin::pin,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use oxirtc_stun::{Attribute, Builder, Class, Method, TransactionId};

use super::*;
use crate::{
    Configuration, ErrorKind, PeerConnection, Settings, api::Carrier, driver::sockets::with_batch,
};

/// Carries nothing, and counts how often it is woken.
struct Idle(Arc<Woken>);

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Carrier for Idle {
    fn now(&self) -> Instant {
        oxirtc_netsim::epoch()
    }

    fn flush(&mut self, _: Instant, _: &mut Engine) {}

    fn wake(&mut self) {}

    fn waker(&self) -> Waker {
        self.0.clone().into()
    }
}

fn at(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// One more connection, whose peer is at this port.
fn connect(routes: &RwLock<Routes>, port: u16) -> (PeerConnection, EngineLock<Idle>, Arc<Woken>) {
    let woken = Arc::<Woken>::default();
    let (connection, engine) = PeerConnection::with_carrier(
        Configuration::default(),
        Settings::default(),
        [1; 32],
        std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        Idle(woken.clone()),
    )
    .unwrap();
    let mut routes = locked(routes);
    let id = routes.new_connection();
    let label = engine.drive(|_, engine, _| engine.label());
    routes.attach(id, engine.erased().downgrade(), Arc::new(|_| {}), label);
    let path = Path::udp(at(9), at(port));
    routes.apply(oxirtc_netsim::epoch(), id, Route::Path(path));
    (connection, engine, woken)
}

fn come(routes: &RwLock<Routes>, port: u16) {
    come_to(routes, at(9), at(port));
}

/// Three datagrams.
fn come_to(routes: &RwLock<Routes>, local: SocketAddr, source: SocketAddr) {
    let received = Received {
        source,
        destination: None,
        length: 30,
        segment: 10,
        ecn: 0,
    };
    with_batch(|batch| {
        batch.fill(received, &[22; 30]);
        distribute(routes, local, batch);
    });
}

fn count<C: Carrier>(engine: &EngineLock<C>) -> (u64, u64) {
    let counters = engine.drive(|_, engine, _| engine.counters());
    (counters.datagrams_received, counters.dropped)
}

/// A link-local address is one of a link, that by which its peer came: paths of two links differ.
#[test]
fn what_comes_to_a_link_local_address_has_its_link() {
    let at = |text: &str| text.parse::<SocketAddr>().unwrap();
    for (local, source, expected) in [
        ("[fe80::1]:9", "[fe80::2%3]:1", "[fe80::1%3]:9"),
        ("[fe80::1%4]:9", "[fe80::2%3]:1", "[fe80::1%4]:9"),
        ("[2001:db8::1]:9", "[2001:db8::2]:1", "[2001:db8::1]:9"),
        ("10.0.0.1:9", "10.0.0.2:1", "10.0.0.1:9"),
    ] {
        assert_eq!(scoped_like(at(local), at(source)), at(expected), "{local}");
    }
}

/// So a connection has it whose path is of that link, and no other.
#[test]
fn a_path_of_a_link_is_found() {
    let routes = RwLock::<Routes>::default();
    let (_connection, engine, _) = connect(&routes, 1);
    let at = |text: &str| text.parse::<SocketAddr>().unwrap();
    let path = Path::udp(at("[fe80::1%3]:9"), at("[fe80::2%3]:1"));
    let id = locked(&routes).ids()[0];
    locked(&routes).apply(oxirtc_netsim::epoch(), id, Route::Path(path));
    come_to(&routes, at("[fe80::1]:9"), at("[fe80::2%4]:1"));
    assert_eq!(count(&engine).0, 0);
    come_to(&routes, at("[fe80::1]:9"), path.remote);
    assert_eq!(count(&engine).0, 3);
}

/// A request that is refused is about the connection that it names, which the line of the log says.
#[test]
fn what_is_refused_is_told_with_the_label() {
    let routes = RwLock::<Routes>::default();
    let (_connection, engine, _) = connect(&routes, 1);
    let id = locked(&routes).ids()[0];
    let first = Route::Ufrag("first".into());
    locked(&routes).apply(oxirtc_netsim::epoch(), id, first);
    let request = |name| {
        let mut bytes = Vec::new();
        let id = TransactionId::new([1; 12]);
        let mut builder = Builder::new(&mut bytes, Class::Request, Method::BINDING, id);
        builder.add(Attribute::Username(name));
        builder.finish().unwrap();
        bytes
    };
    let label = engine.drive(|_, engine, _| engine.label());
    let named = |bytes: &[u8]| read_locked(&routes).named(bytes);
    assert_eq!(named(&request("first:x")), Some(label));
    assert_eq!(named(&request("third:x")), None);
    assert_eq!(named(&[22; 30]), None);
}

/// A socket that nothing can be read from any more carries no connection: what waits for one ends, as with the runtime.
#[test]
fn connections_end_with_a_reader_of_theirs() {
    let routes = Arc::<RwLock<Routes>>::default();
    let (connection, ..) = connect(&routes, 1);
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting = pin!(connection.next_data_channel());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    drop(Reader(routes));
    let Poll::Ready(Err(error)) = waiting.poll(&mut context) else {
        panic!("it waits for ever");
    };
    assert_eq!(error.kind(), ErrorKind::Aborted);
}

/// Whose path another connection claims is asked, once in ten seconds: the claimant has it when the owner lets go, and not before.
#[test]
fn the_owner_of_a_claimed_path_is_asked() {
    let shared = RwLock::<Routes>::default();
    let (_owner, owner, _) = connect(&shared, 1);
    let (_claimant, claimant, _) = connect(&shared, 2);
    let claimed = Path::udp(at(9), at(1));
    let now = oxirtc_netsim::epoch();
    let later = |seconds| now + Duration::from_secs(seconds);
    // In the order in which they were made.
    let ids = locked(&shared).ids();
    let (first, second) = (ids[0], ids[1]);
    let claim = |at| locked(&shared).apply(at, second, Route::Path(claimed));
    let applied = claim(now);
    assert_eq!(applied.taken, Some(claimed));
    let (asked, path) = applied.challenge.expect("somebody is to look");
    assert_eq!(path, claimed);
    asked
        .upgrade()
        .unwrap()
        .drive(|_, engine, _| engine.count_dropped(7));
    assert_eq!((count(&owner).1, count(&claimant).1), (7, 0));
    assert!(claim(later(9)).challenge.is_none(), "it was asked");
    assert_eq!(claim(later(9)).taken, Some(claimed));
    assert!(claim(later(10)).challenge.is_some());
    come(&shared, 1);
    assert_eq!((count(&owner).0, count(&claimant).0), (3, 0));
    let released = Route::PathReleased(claimed);
    let applied = locked(&shared).apply(later(12), first, released);
    let (granted, path) = applied.granted.expect("somebody has waited");
    assert_eq!(path, claimed);
    granted
        .upgrade()
        .unwrap()
        .drive(|_, engine, _| engine.count_dropped(5));
    // What has come belongs to no layer, and counts as dropped too.
    assert_eq!((count(&owner).1, count(&claimant).1), (7 + 3, 5));
    come(&shared, 1);
    assert_eq!((count(&owner).0, count(&claimant).0), (3, 3));
    // Nobody is asked for what nobody has.
    let free = Route::Path(Path::udp(at(9), at(3)));
    let applied = locked(&shared).apply(later(12), first, free);
    assert!(applied.taken.is_none() && applied.challenge.is_none());
}

/// Whoever has a connection keeps no reader from the others; what came meanwhile is there afterwards, up to a bound.
#[test]
fn no_reader_waits_for_a_connection() {
    let routes = Arc::new(RwLock::<Routes>::default());
    let (_busy, busy, woken) = connect(&routes, 1);
    let (_free, free, never) = connect(&routes, 2);
    busy.drive(|_, _, _| {
        let (done, finished) = mpsc::channel();
        let routes = routes.clone();
        std::thread::spawn(move || {
            come(&routes, 1);
            come(&routes, 2);
            done.send(()).unwrap();
        });
        finished.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(count(&free).0, 3);
    });
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "somebody is to look");
    assert_eq!(never.0.load(Ordering::SeqCst), 0);
    assert_eq!(count(&busy).0, 3);
    let (before, dropped) = count(&busy);
    busy.drive(|_, _, _| {
        let routes = routes.clone();
        let reader = std::thread::spawn(move || (0..70).for_each(|_| come(&routes, 1)));
        reader.join().unwrap();
    });
    let (after, lost) = count(&busy);
    assert_eq!(after - before, 64 * 3);
    // What came belongs to no layer, and is counted as dropped too.
    assert_eq!(lost - dropped, 70 * 3);
}
