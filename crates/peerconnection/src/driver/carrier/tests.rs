//! The carrier of a connection, without its task and with it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Mutex,
    task::Context,
};

use super::*;
use crate::{
    Configuration, DataChannelInit, IceCandidateInit, Interface, Message, PeerConnection,
    SessionDescription, Settings,
    driver::{
        connection, interfaces::Networks, outgoing::Outgoing, ports::Ports, send::tests::Scripted,
    },
};

fn settings() -> Settings {
    let settings = Settings::default().loopback(true).ipv6(false);
    settings.interfaces(|it| it.address.is_loopback())
}

fn loopback() -> Interface {
    Interface {
        name: "lo".into(),
        index: 1,
        address: [127, 0, 0, 1].into(),
        default_route: true,
        cost: 0,
    }
}

/// A connection that no task carries, with the plan that its task would have.
fn planned() -> (PeerConnection, EngineLock<TokioCarrier>, Arc<Plan>) {
    let plan = Arc::<Plan>::default();
    let names = LocalNames::new(Handle::current());
    let ways = Ways::own(names, Ports::of(&settings()));
    let carrier = TokioCarrier::new(Handle::current(), plan.clone(), ways, Tls::default());
    let (connection, engine) = PeerConnection::with_carrier(
        Configuration::default(),
        settings(),
        [1; 32],
        clock::wall(),
        carrier,
    )
    .unwrap();
    (connection, engine, plan)
}

/// Whether the task would wake.
fn is_told(plan: &Plan) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(plan.told()).poll(&mut context).is_ready()
}

/// From here on it checks a peer that answers nothing.
async fn check_who_is_gone(near: &PeerConnection, engine: &EngineLock<TokioCarrier>) {
    engine.drive(|now, engine, _| engine.handle_interfaces(now, &[loopback()]));
    let far = PeerConnection::with_settings(Configuration::default(), settings()).unwrap();
    far.create_data_channel("", DataChannelInit::default())
        .unwrap();
    far.set_local_description(None).await.unwrap();
    let offer = far.gathered().await.unwrap();
    far.close();
    near.set_remote_description(offer).await.unwrap();
    near.set_local_description(None).await.unwrap();
}

/// The task is woken for what is due earlier than it knows. What is put off fires once in vain, and is put right by the task,
/// which wakes nobody: nearly each datagram puts something off.
#[tokio::test]
async fn a_timer_that_is_put_off_wakes_nobody() {
    let (near, engine, plan) = planned();
    let woken = || is_told(&plan);
    check_who_is_gone(&near, &engine).await;
    engine.drive(|now, engine, carrier| {
        carrier.flush(now, engine);
        woken();
        // Nobody answers the checks: something is due later and later, until ICE fails.
        let mut put_off = 0;
        while let Some(armed) = carrier.armed {
            engine.handle_timeout(armed);
            carrier.flush(armed, engine);
            let Some(due) = engine.poll_timeout() else {
                break;
            };
            put_off += 1;
            assert!(due > armed);
            assert_eq!((woken(), carrier.armed), (false, Some(armed)));
            carrier.attend();
            carrier.flush(armed, engine);
            assert_eq!((woken(), carrier.armed), (false, Some(due)));
            // It knows of a later one only.
            carrier.armed = Some(due + Duration::from_secs(1));
            carrier.flush(armed, engine);
            assert_eq!((woken(), carrier.armed), (true, Some(due)));
        }
        assert!(put_off >= 3, "{put_off}");
    });
}

/// The task of a new connection wakes soon by itself: what its verbs make due later is not told.
#[tokio::test]
async fn a_new_connection_has_its_timer_set() {
    let (near, engine, plan) = planned();
    near.create_data_channel("", DataChannelInit::default())
        .unwrap();
    near.set_local_description(None).await.unwrap();
    assert!(!is_told(&plan));
    let (due, soon) = engine.drive(|now, engine, carrier| {
        carrier.attend();
        (engine.poll_timeout(), carrier.armed.unwrap() <= now + AHEAD)
    });
    assert!(due.is_some() && soon);
    assert_eq!(engine.look(|carrier| carrier.armed), due);
    assert_eq!(plan.read().armed, due);
}

/// The task reads from the sockets that there are, and is told when one comes or goes.
#[tokio::test]
async fn sockets_come_and_go() {
    let (near, engine, plan) = planned();
    let known = || (is_told(&plan), plan.read().sockets.len());
    let find = |found: &[Interface]| {
        engine.drive(|now, engine, _| engine.handle_interfaces(now, found));
    };
    find(&[loopback()]);
    assert_eq!(known(), (false, 0));
    near.create_data_channel("", DataChannelInit::default())
        .unwrap();
    near.set_local_description(None).await.unwrap();
    assert_eq!(known(), (true, 1));
    find(&[]);
    assert_eq!(known(), (true, 0));
}

/// The task is told once of a socket that is full, and waits for it until it has taken the rest.
#[tokio::test]
async fn a_full_socket_is_waited_for() {
    let (near, engine, plan) = planned();
    check_who_is_gone(&near, &engine).await;
    let own = engine.look(|carrier| carrier.ways.own[0].clone());
    poll_fn(|context| own.poll_writable(context)).await.unwrap();
    engine.drive(|now, engine, carrier| {
        let full = || Err(io::ErrorKind::WouldBlock.into());
        let socket = Arc::new(Scripted {
            address: own.local_address(),
            answers: Mutex::new(vec![full(), full()]),
        });
        let known = || (is_told(&plan), plan.read().full.is_some());
        // A new socket has room only when the runtime has heard so.
        carrier.attend();
        carrier.flush(now, engine);
        known();
        carrier.ways.own = Arc::new([socket.clone()]);
        while carrier.blocked.is_none() {
            assert_eq!(known(), (false, false));
            let due = engine.poll_timeout().unwrap();
            engine.handle_timeout(due);
            carrier.flush(due, engine);
        }
        assert_eq!(known(), (true, true));
        carrier.flush(now, engine);
        assert_eq!(known(), (false, true));
        carrier.attend();
        carrier.flush(now, engine);
        assert_eq!(known(), (false, false));
        assert!(socket.answers.lock().unwrap().is_empty());
    });
}

fn without(mut description: SessionDescription, lines: &[&str]) -> SessionDescription {
    let kept = description.sdp.lines();
    let kept = kept.filter(|line| !lines.iter().any(|it| line.contains(it)));
    description.sdp = kept.map(|line| format!("{line}\r\n")).collect();
    description
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    let time = Duration::from_secs(20);
    tokio::time::timeout(time, future).await.unwrap()
}

/// The peer does not read the streams that payload goes on. What goes on other paths goes on, so that one is found over UDP, and
/// payload moves there.
#[tokio::test]
async fn a_stream_that_stands_still_holds_up_itself_alone() {
    let start = || {
        let (runtime, settings) = (Handle::current(), settings().ice_tcp(true));
        let names = LocalNames::new(runtime.clone());
        let ways = Ways::own(names, Ports::of(&settings));
        let networks = Networks::fixed(vec![loopback()]);
        let configuration = Configuration::default();
        connection::start(configuration, settings, &runtime, ways, networks).unwrap()
    };
    let ((near, engine), (far, _)) = (start(), start());
    let sent = near.create_data_channel("", DataChannelInit::default());
    let sent = sent.unwrap();
    near.set_local_description(None).await.unwrap();
    let no_udp = [" UDP ", " udp ", "a=end-of-candidates"];
    let offer = within(near.gathered()).await.unwrap();
    let over_tcp = without(offer.clone(), &no_udp);
    far.set_remote_description(over_tcp).await.unwrap();
    far.set_local_description(None).await.unwrap();
    let answer = without(within(far.gathered()).await.unwrap(), &no_udp);
    near.set_remote_description(answer).await.unwrap();
    let came = within(far.next_data_channel()).await.unwrap();
    within(sent.opened()).await.unwrap();
    engine.look(|carrier| {
        let streams = &mut carrier.ways.streams;
        let still = streams.iter().map(|it| Stream::opened(it.path()));
        let still: Vec<_> = still.collect();
        for stream in &still {
            let contents = vec![0; 1 << 16];
            let outgoing = Outgoing {
                destination: stream.path().remote,
                source: None,
                ecn: 0,
                dscp: 0,
                segment: contents.len(),
                contents: &contents,
            };
            stream.try_send(&outgoing).unwrap();
        }
        assert!(!still.is_empty());
        streams.splice(..0, still);
    });
    sent.send("late").await.unwrap();
    let candidates = offer.sdp.lines();
    let candidates = candidates.filter(|line| line.starts_with("a=candidate:"));
    let udp = candidates.filter(|line| line.to_ascii_lowercase().contains(" udp "));
    let mut told = 0;
    for line in udp {
        let candidate = line.trim_start_matches("a=").to_owned();
        far.add_ice_candidate(IceCandidateInit {
            candidate,
            sdp_m_line_index: Some(0),
            ..IceCandidateInit::default()
        })
        .await
        .unwrap();
        told += 1;
    }
    assert!(told > 0);
    assert_eq!(within(came.recv()).await, Some(Message::from("late")));
}
