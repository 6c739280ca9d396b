//! The carrier of a connection, without its task and with it.

use std::{future::Future, pin::pin, task::Context};

use super::*;
use crate::{
    Configuration, DataChannelInit, IceCandidateInit, Message, PeerConnection, SessionDescription,
    Settings,
    driver::{connection, interfaces::Networks, outgoing::Outgoing, ports::Ports},
};

fn settings() -> Settings {
    let settings = Settings::default().loopback(true).ipv6(false);
    settings.interfaces(|it| it.address.is_loopback())
}

fn loopback() -> crate::Interface {
    crate::Interface {
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
    let names = LocalNames::new(Handle::current(), None);
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

/// The task is woken for what is due earlier than it knows. What is put off fires once in vain, and is put right by the task,
/// which wakes nobody: nearly each datagram puts something off.
#[tokio::test]
async fn a_timer_that_is_put_off_wakes_nobody() {
    let (near, engine, plan) = planned();
    let woken = || {
        let noop = Waker::noop();
        pin!(plan.told())
            .poll(&mut Context::from_waker(noop))
            .is_ready()
    };
    engine.drive(|now, engine, _| {
        engine.handle_interfaces(now, &[loopback()]);
    });
    let far = PeerConnection::with_settings(Configuration::default(), settings()).unwrap();
    far.create_data_channel("", DataChannelInit::default())
        .unwrap();
    far.set_local_description(None).await.unwrap();
    let offer = far.gathered().await.unwrap();
    far.close();
    near.set_remote_description(offer).await.unwrap();
    near.set_local_description(None).await.unwrap();
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
    let told = pin!(plan.told()).poll(&mut Context::from_waker(Waker::noop()));
    assert!(told.is_pending());
    let (due, soon) = engine.drive(|now, engine, carrier| {
        carrier.attend();
        (engine.poll_timeout(), carrier.armed.unwrap() <= now + AHEAD)
    });
    assert!(due.is_some() && soon);
    assert_eq!(engine.look(|carrier| carrier.armed), due);
    assert_eq!(plan.read().armed, due);
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
        let names = LocalNames::new(runtime.clone(), None);
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
