//! The W3C objects, carried by a network in simulated time: no runtime, no socket.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod world;

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use futures_util::future::join;
use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    DataChannel, DataChannelEvent, DataChannelInit, DataChannelState, DtlsTransport,
    DtlsTransportState, ErrorKind, Event, IceCandidateInit, IceGatheringState, IceTransportState,
    MediaKind, MediaStreamTrack, Message, PeerConnection, PeerConnectionState, RtpTransceiverInit,
    SctpTransportState, SdpType, SessionDescription,
    api::TrySendError,
    engine::{Engine, Interface},
    media::{Codec, EncodedFrame, Hint, StopCause},
};
use serde::{Serialize, de::DeserializeOwned};

use world::{World, negotiate, without_addresses};

/// How often somebody was woken.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is read of the JSON that is written.
fn signalled<T: DeserializeOwned>(it: impl Serialize) -> T {
    serde_json::from_str(&serde_json::to_string(&it).unwrap()).unwrap()
}

/// Negotiates, and carries candidates until both are connected; answers what the peer opened.
async fn connect(left: &PeerConnection, right: &PeerConnection) {
    left.set_local_description(None).await.unwrap();
    let offer = left.local_description().unwrap();
    let told: SessionDescription = signalled(&offer);
    assert_eq!(told, offer);
    right.set_remote_description(told).await.unwrap();
    right.set_local_description(None).await.unwrap();
    let answer: SessionDescription = signalled(right.local_description().unwrap());
    left.set_remote_description(answer).await.unwrap();
    for (from, to) in [(left, right), (right, left)] {
        loop {
            match from.next_event().await.unwrap() {
                Event::IceCandidate(Some(candidate)) => {
                    let told: IceCandidateInit = signalled(&candidate);
                    assert_eq!(told, candidate.to_init());
                    to.add_ice_candidate(told).await.unwrap();
                }
                Event::IceCandidate(None) => break,
                _ => {}
            }
        }
    }
    left.wait_for(PeerConnectionState::Connected).await.unwrap();
    right
        .wait_for(PeerConnectionState::Connected)
        .await
        .unwrap();
}

async fn accept(connection: &PeerConnection) -> DataChannel {
    loop {
        if let Event::DataChannel(channel) = connection.next_event().await.unwrap() {
            return channel;
        }
    }
}

/// [4.4.1.1-01] [4-01] [6.2-03]: the whole path through the objects.
#[test]
fn two_objects_connect_and_talk() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let here = left
        .create_data_channel("chat", DataChannelInit::default())
        .unwrap();
    assert_eq!(here.ready_state(), DataChannelState::Connecting);
    assert!(left.sctp().is_none());
    world.run(async {
        connect(&left, &right).await;
        here.opened().await.unwrap();
        let there = accept(&right).await;
        assert_eq!((there.label(), there.id()), ("chat".into(), Some(1)));
        assert!(matches!(
            there.next_event().await,
            Some(DataChannelEvent::Open)
        ));
        assert!(matches!(
            here.next_event().await,
            Some(DataChannelEvent::Open)
        ));
        here.send("ping").await.unwrap();
        assert_eq!(there.recv().await, Some(Message::from("ping")));
        there.send(vec![1, 2]).await.unwrap();
        assert_eq!(here.recv().await, Some(Message::from(vec![1, 2])));
        here.flush().await.unwrap();
        let sctp = left.sctp().unwrap();
        assert_eq!(sctp.state(), SctpTransportState::Connected);
        assert_eq!(sctp.max_message_size(), Some(262_144));
        assert_eq!(sctp.max_channels(), Some(65_535));
        let dtls = sctp.transport().unwrap();
        assert_eq!(dtls.state(), DtlsTransportState::Connected);
        assert_eq!(dtls.remote_certificates().len(), 1);
        let ice = dtls.ice_transport();
        let connected = [IceTransportState::Connected, IceTransportState::Completed];
        assert!(connected.contains(&ice.state()));
        assert!(ice.selected_candidate_pair().is_some());
        assert_eq!(ice.local_candidates().len(), 1);
    });
}

/// [6.3-01] The event of each channel that the peer opens carries that channel.
#[test]
fn each_event_carries_its_channel() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let init = DataChannelInit::default;
    let open = |label| left.create_data_channel(label, init()).unwrap();
    let here = ["first", "second"].map(open);
    world.run(async {
        connect(&left, &right).await;
        let mut all = Vec::new();
        for channel in &here {
            let there = accept(&right).await;
            assert_eq!((there.label(), there.id()), (channel.label(), channel.id()));
            channel.opened().await.unwrap();
            channel.send(channel.label()).await.unwrap();
            assert_eq!(there.recv().await, Some(Message::from(channel.label())));
            all.push(there);
        }
    });
}

/// A lone message leaves on the thread of its sender, before anything else runs.
#[test]
fn a_message_leaves_inline() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    world.run(async {
        connect(&left, &right).await;
        here.opened().await.unwrap();
    });
    world.run_for(Duration::from_secs(1));
    let wire = world.ends[0].carrier.clone();
    assert!(wire.sent.lock().unwrap().is_empty());
    here.try_send("now").unwrap();
    assert_eq!(wire.sent.lock().unwrap().len(), 1);
    // Those of a transfer wait for a batch.
    let flushes = wire.flushes.load(Ordering::Relaxed);
    for _ in 0..100 {
        here.try_send(vec![0; 1000]).unwrap();
    }
    assert!(wire.flushes.load(Ordering::Relaxed) - flushes < 10);
    assert!(wire.woken.load(Ordering::Relaxed));
}

/// [6.2-25]: the life of a message begins when it is sent, also amid a transfer that nobody has served for longer than that.
#[test]
fn a_life_begins_when_the_message_is_sent() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let open = |label, max_packet_life_time| {
        let init = DataChannelInit {
            max_packet_life_time,
            ..DataChannelInit::default()
        };
        left.create_data_channel(label, init).unwrap()
    };
    let (bulk, timed) = (open("bulk", None), open("timed", Some(1000)));
    let there = world.run(async {
        negotiate(&left, &right).await;
        bulk.opened().await.unwrap();
        timed.opened().await.unwrap();
        accept(&right).await;
        accept(&right).await
    });
    assert_eq!(there.label(), "timed");
    world.cut();
    bulk.try_send(vec![0; 8192]).unwrap();
    world.now += Duration::from_secs(5);
    for side in &world.ends {
        side.set_now(world.now);
    }
    timed.try_send("in time").unwrap();
    world.tap = None;
    assert_eq!(world.run(there.recv()), Some(Message::from("in time")));
}

/// `send` waits for room, `try_send` gives back, `flush` waits for the peer; nothing is lost.
#[test]
fn back_pressure_reaches_the_sender() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let there = world.run(async {
        connect(&left, &right).await;
        here.opened().await.unwrap();
        accept(&right).await
    });
    let mut taken = 0_u32;
    let refused = loop {
        match here.try_send(vec![taken as u8; 50_000]) {
            Ok(()) => taken += 1,
            Err(TrySendError::Full(message)) => break message,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(refused.len(), 50_000);
    assert!(here.buffered_amount() >= 1 << 20);
    let mut received = 0;
    world.run(async {
        here.send(refused).await.unwrap();
        while received < taken + 1 {
            let message = there.recv().await.unwrap();
            assert_eq!(message.as_bytes()[0], received as u8);
            received += 1;
        }
        here.flush().await.unwrap();
    });
    assert_eq!(here.buffered_amount(), 0);
    let too_long = here.try_send(vec![0; 300_000]).unwrap_err();
    assert!(matches!(too_long, TrySendError::Refused(error, _) if error.kind() == ErrorKind::Type));
}

/// A channel's close delivers what was sent, and its future ends when both directions are closed.
#[test]
fn closing_a_channel_waits_for_both_ends() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    world.run(async {
        connect(&left, &right).await;
        here.opened().await.unwrap();
        let there = accept(&right).await;
        for index in 0..30 {
            here.send(index.to_string()).await.unwrap();
        }
        here.close();
        assert_eq!(here.ready_state(), DataChannelState::Closing);
        here.closed().await.unwrap();
        assert_eq!(here.ready_state(), DataChannelState::Closed);
        assert_eq!(
            here.send("late").await.unwrap_err().kind(),
            ErrorKind::InvalidState
        );
        for index in 0..30 {
            assert_eq!(there.recv().await, Some(index.to_string().into()));
        }
        assert_eq!(there.recv().await, None);
        let mut events = Vec::new();
        while let Some(event) = there.next_event().await {
            events.push(format!("{event:?}"));
        }
        assert_eq!(events, ["Open", "Closing", "Close"]);
        assert!(here.flush().await.is_ok(), "all was acknowledged");
        // [6.2-19]
        assert!(matches!(
            here.next_event().await,
            Some(DataChannelEvent::Open)
        ));
        let last = loop {
            match here.next_event().await {
                Some(DataChannelEvent::BufferedAmountLow) => {}
                event => break event,
            }
        };
        assert!(matches!(last, Some(DataChannelEvent::Close)), "{last:?}");
        assert!(here.next_event().await.is_none());
    });
}

/// `shutdown` drains, then closes; whoever waits here is released, and the peer hears of it.
#[test]
fn shutdown_drains_first() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(50)));
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let there = world.run(async {
        connect(&left, &right).await;
        here.opened().await.unwrap();
        let there = accept(&right).await;
        for _ in 0..20 {
            here.send(vec![1; 40_000]).await.unwrap();
        }
        left.shutdown().await;
        there
    });
    assert_eq!(left.connection_state(), PeerConnectionState::Closed);
    world.run(async {
        assert_eq!(here.recv().await, None);
        assert!(
            here.next_event()
                .await
                .is_some_and(|it| matches!(it, DataChannelEvent::Open))
        );
        let mut count = 0;
        while there.recv().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 20);
        while left.next_event().await.is_some() {}
    });
    let error = world
        .run(left.wait_for(PeerConnectionState::Connected))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Aborted);
    assert_eq!(
        world.ends[0].carrier.closed.load(Ordering::Relaxed),
        1,
        "the socket was given back"
    );
}

/// [4.4-02] [4.4.4-01]: any handle keeps the connection open, the last one closes it.
#[test]
fn the_last_handle_closes() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let there = world.run(async {
        connect(&left, &right).await;
        here.opened().await.unwrap();
        accept(&right).await
    });
    drop(left);
    world.run(async {
        here.send("still here").await.unwrap();
        assert_eq!(there.recv().await, Some("still here".into()));
    });
    drop(here);
    world.ends[0]
        .engine
        .drive(|_, engine, _| assert!(engine.is_finished()));
    world.run(async { assert_eq!(there.recv().await, None) });
    let sctp = right.sctp().unwrap();
    assert_eq!(sctp.state(), SctpTransportState::Closed);
}

/// A handle of a channel that nobody reads must not stop the others.
#[test]
fn a_dropped_channel_discards() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let lost = left
        .create_data_channel("lost", DataChannelInit::default())
        .unwrap();
    let kept = left
        .create_data_channel("kept", DataChannelInit::default())
        .unwrap();
    world.run(async {
        connect(&left, &right).await;
        kept.opened().await.unwrap();
        drop(accept(&right).await);
        let there = accept(&right).await;
        // More than the receive window.
        for _ in 0..200 {
            lost.send(vec![0; 60_000]).await.unwrap();
        }
        kept.send("through").await.unwrap();
        assert_eq!(there.recv().await, Some("through".into()));
        assert_eq!(lost.ready_state(), DataChannelState::Open);
    });
}

/// Opens a channel, sends messages of `length` bytes to it while there is room, and `most` of them, and waits until all that the peer
/// has room for is there, unread.
fn unread(
    world: &mut World,
    [left, right]: &[PeerConnection; 2],
    (most, length): (usize, usize),
) -> [DataChannel; 2] {
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let there = world.run(async {
        connect(left, right).await;
        here.opened().await.unwrap();
        accept(right).await
    });
    for _ in 0..most {
        if here.try_send(vec![0; length]).is_err() {
            world.run_for(Duration::from_secs(1));
        }
    }
    world.run_for(Duration::from_secs(5));
    world.ends[1].carrier.woken.store(false, Ordering::Relaxed);
    [here, there]
}

/// The peer waits for the window that reading opens, and hears of it only when somebody drives the engine.
#[test]
fn reading_wakes_the_carrier_when_the_window_has_grown() {
    let (mut world, ends) = World::new(Link::new(1).delay(ms(10)));
    let [here, there] = unread(&mut world, &ends, (80, 100_000));
    assert!(here.buffered_amount() > 0, "the window is full");
    let wire = world.ends[1].carrier.clone();
    let woken = || wire.woken.swap(false, Ordering::Relaxed);
    let mut read = 0;
    while !woken() {
        assert!(there.try_recv().is_some(), "{read} messages woke nobody");
        read += 1;
    }
    assert!(read < 20, "{read} messages are much of the window");
    // What reads nothing opens nothing.
    world.ends[1].engine.drive(|_, _, _| {});
    let nothing = ends[1].create_data_channel("b", DataChannelInit::default());
    let nothing = nothing.unwrap();
    woken();
    assert!(nothing.try_recv().is_none());
    assert!(!woken());
}

/// What is discarded with the last handle opens the window as well.
#[test]
fn a_dropped_handle_wakes_the_carrier_when_the_window_has_grown() {
    let (mut world, ends) = World::new(Link::new(1).delay(ms(10)));
    let [here, there] = unread(&mut world, &ends, (40, 250_000));
    assert!(here.buffered_amount() > 0, "the window is full");
    let wire = world.ends[1].carrier.clone();
    let other = there.clone();
    drop(there);
    assert!(!wire.woken.load(Ordering::Relaxed), "it can be read still");
    drop(other);
    assert!(wire.woken.load(Ordering::Relaxed));
}

/// More than is discarded at once is discarded soon, though that little opens no window.
#[test]
fn a_dropped_handle_wakes_the_carrier_when_more_is_to_be_discarded() {
    let (mut world, ends) = World::new(Link::new(1).delay(ms(10)));
    let [here, there] = unread(&mut world, &ends, (2000, 1));
    assert_eq!(here.buffered_amount(), 0);
    let wire = world.ends[1].carrier.clone();
    drop(there);
    let is_over = |engine: &Engine| engine.poll_timeout().is_none_or(|due| due > world.now);
    assert!(!world.ends[1].engine.drive(|_, engine, _| is_over(engine)));
    assert!(wire.woken.swap(false, Ordering::Relaxed));
    // Whoever reads meanwhile sees that there is more to do, also where nothing can be read.
    let init = DataChannelInit::default();
    let nothing = ends[1].create_data_channel("b", init).unwrap();
    wire.woken.store(false, Ordering::Relaxed);
    assert!(nothing.try_recv().is_none());
    assert!(wire.woken.load(Ordering::Relaxed));
    world.run_for(ms(100));
    wire.woken.store(false, Ordering::Relaxed);
    assert!(nothing.try_recv().is_none());
    assert!(!wire.woken.load(Ordering::Relaxed), "all is done");
}

/// What the page of `next_event` shows of a server: of a visitor that vanishes no task stays when `failed` was told, that of its
/// channel neither, which would wait on.
#[test]
fn a_peer_that_is_lost_leaves_no_task() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let there = world.run(async {
        negotiate(&left, &right).await;
        here.opened().await.unwrap();
        right.next_data_channel().await.unwrap()
    });
    let weak = right.downgrade();
    let carrier = world.ends[1].carrier.clone();
    let echo = async move { while there.recv().await.is_some() {} };
    let attend = async move {
        while let Some(event) = right.next_event().await {
            match event {
                Event::PeerClosed | Event::ConnectionStateChange(PeerConnectionState::Failed) => {
                    break;
                }
                _ => {}
            }
        }
        right.close();
        *carrier.now.lock().unwrap()
    };
    world.cut();
    let ((), failed) = world.run(async { tokio::join!(echo, attend) });
    assert!(weak.upgrade().is_none());
    assert!(
        world.now - failed < Duration::from_secs(1),
        "the channel's task has waited on"
    );
}

/// [4.4.2-07] [4.4.2-27] [4.4.2-28] [4.4.1.2-07] [4.5-01]
#[test]
fn errors_leave_the_chain_running() {
    let (mut world, [left, _right]) = World::new(Link::new(1));
    world.run(async {
        assert_eq!(
            left.create_answer().await.unwrap_err().kind(),
            ErrorKind::InvalidState
        );
        let _channel = left
            .create_data_channel("a", DataChannelInit::default())
            .unwrap();
        assert!(matches!(
            left.next_event().await,
            Some(Event::NegotiationNeeded)
        ));
        let offer = left.create_offer(None).await.unwrap();
        left.set_local_description(offer).await.unwrap();
        // A stale event is not told.
        left.restart_ice();
        loop {
            match left.next_event().await.unwrap() {
                Event::NegotiationNeeded => panic!("the offer was made"),
                Event::IceCandidate(None) => break,
                _ => {}
            }
        }
    });
    left.close();
    assert_eq!(
        world.run(left.create_answer()).unwrap_err().kind(),
        ErrorKind::InvalidState
    );
    assert!(world.run(left.next_event()).is_none());
}

/// Handles go between threads, and errors and events stay small.
#[test]
fn handles_are_send_and_sync() {
    fn check<T: Send + Sync + Clone + 'static>() {}
    check::<PeerConnection>();
    check::<DataChannel>();
    check::<oxirtc_peerconnection::SctpTransport>();
    check::<DtlsTransport>();
    check::<oxirtc_peerconnection::IceTransport>();
    check::<oxirtc_peerconnection::Certificate>();
    assert!(size_of::<oxirtc_peerconnection::Error>() <= 8);
    assert!(size_of::<Event>() <= 160 && size_of::<DataChannelEvent>() <= 16);
}

/// [4.4.2-02]: the description with all candidates, and no event was taken for it.
#[test]
fn gathered_is_the_whole_description() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let error = world.run(left.gathered()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    world.run(async {
        left.set_local_description(None).await.unwrap();
        let offer = left.gathered().await.unwrap();
        assert!(offer.sdp.contains("a=candidate:") && offer.sdp.contains("a=end-of-candidates"));
        assert_eq!(left.ice_gathering_state(), IceGatheringState::Complete);
        right.set_remote_description(offer).await.unwrap();
        right.set_local_description(None).await.unwrap();
        let answer = right.gathered().await.unwrap();
        left.set_remote_description(answer.clone()).await.unwrap();
        here.opened().await.unwrap();
        let incoming = right.next_data_channel().await.unwrap();
        assert_eq!(incoming.label(), "a");
        let mut candidates = 0;
        while !matches!(left.next_event().await, Some(Event::IceCandidate(None))) {
            candidates += 1;
        }
        assert!(candidates > 2);
        // Again, and at once.
        assert_eq!(right.gathered().await.unwrap(), answer);
    });
    left.close();
    let error = world.run(left.gathered()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Aborted);
}

/// Nothing to gather is no reason to wait; an offer that was taken back is one to end.
#[test]
fn gathered_ends_without_anything_to_gather() {
    let (mut world, [left, right]) = World::new(Link::new(1));
    world.run(async {
        // No section at all.
        left.set_local_description(None).await.unwrap();
        let offer = left.gathered().await.unwrap();
        assert!(!offer.sdp.contains("m="));
        let rollback = SessionDescription::rollback();
        left.set_local_description(rollback).await.unwrap();
        let error = left.gathered().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidState);
        // Our only section was rejected.
        let _channel = left
            .create_data_channel("a", DataChannelInit::default())
            .unwrap();
        left.set_local_description(None).await.unwrap();
        let offer = left.gathered().await.unwrap();
        let foreign = offer
            .sdp
            .replace("UDP/DTLS/SCTP webrtc-datachannel", "UDP/OTHER 9");
        let foreign = foreign.replace("m=application", "m=message");
        let offer = SessionDescription::offer(foreign);
        right.set_remote_description(offer).await.unwrap();
        right.set_local_description(None).await.unwrap();
        let answer = right.gathered().await.unwrap();
        assert!(answer.sdp.contains("m=message 0 "), "{}", answer.sdp);
    });
}

/// `next_data_channel` takes channels only, in their order; `next_event` finds everything else.
#[test]
fn channels_are_taken_from_among_the_events() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let opened: Vec<_> = ["one", "two", "three"]
        .map(|label| {
            let init = DataChannelInit::default();
            left.create_data_channel(label, init).unwrap()
        })
        .into();
    world.run(async {
        negotiate(&left, &right).await;
        for channel in &opened {
            channel.opened().await.unwrap();
        }
        for label in ["one", "two"] {
            assert_eq!(right.next_data_channel().await.unwrap().label(), label);
        }
        let (mut states, mut channels) = (0, Vec::new());
        while states < 2 || channels.is_empty() {
            match right.next_event().await.unwrap() {
                Event::ConnectionStateChange(_) => states += 1,
                Event::DataChannel(channel) => channels.push(channel.label()),
                _ => {}
            }
        }
        assert_eq!(channels, ["three"]);
    });
    // Who waits is told that none will come: the peer has closed, and this side is open.
    left.close();
    let error = world.run(right.next_data_channel()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Aborted);
    assert!(error.message().contains("the peer has closed"), "{error}");
    assert_eq!(right.connection_state(), PeerConnectionState::Connected);
}

/// A loop over events learns that the peer has closed: once, after its channels have, and no state has changed.
#[test]
fn the_peers_goodbye_is_an_event() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let there = world.run(async {
        negotiate(&left, &right).await;
        here.opened().await.unwrap();
        right.next_data_channel().await.unwrap()
    });
    world.run(left.shutdown());
    world.run(async {
        let mut events = Vec::new();
        loop {
            match right.next_event().await.unwrap() {
                Event::PeerClosed => break,
                event => events.push(event),
            }
        }
        assert_eq!(there.ready_state(), DataChannelState::Closed);
        assert_eq!(right.connection_state(), PeerConnectionState::Connected);
        there.closed().await.unwrap();
    });
    world.run_for(Duration::from_secs(60));
    right.close();
    world.run(async {
        while let Some(event) = right.next_event().await {
            assert!(!matches!(event, Event::PeerClosed), "told twice");
        }
    });
}

/// Each wait says so; what can go on after an ICE restart does.
#[test]
fn failed_ends_what_waits_for_the_peer() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let late = left.create_data_channel("never", negotiated(7)).unwrap();
    world.run(async {
        negotiate(&left, &right).await;
        here.opened().await.unwrap();
    });
    world.cut();
    let full = || loop {
        if here.try_send(vec![0; 100_000]).is_err() {
            return;
        }
    };
    full();
    world.run(async {
        let aborted = |error: oxirtc_peerconnection::Error| {
            assert_eq!(error.kind(), ErrorKind::Aborted, "{error}");
            // It says what was lacking.
            let message = error.message();
            assert!(
                message.starts_with("the connection has failed: "),
                "{error}"
            );
            assert!(message.contains(" checks sent"), "{error}");
        };
        aborted(here.send(vec![0; 100_000]).await.unwrap_err());
        assert_eq!(left.connection_state(), PeerConnectionState::Failed);
        left.wait_for(PeerConnectionState::Failed).await.unwrap();
        left.gathered().await.unwrap();
        aborted(here.flush().await.unwrap_err());
        aborted(here.closed().await.unwrap_err());
        aborted(left.next_data_channel().await.unwrap_err());
        aborted(
            left.wait_for(PeerConnectionState::Connected)
                .await
                .unwrap_err(),
        );
        // It is open, and an ICE restart may bring the peer back.
        late.opened().await.unwrap();
        assert_eq!(here.ready_state(), DataChannelState::Open);
        left.shutdown().await;
    });
}

/// Waits that begin before the failure end with it.
#[test]
fn what_waits_already_ends_with_the_failure() {
    for what in 0..5 {
        let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
        let here = left
            .create_data_channel("a", DataChannelInit::default())
            .unwrap();
        world.run(async {
            negotiate(&left, &right).await;
            here.opened().await.unwrap();
        });
        world.cut();
        here.try_send("lost").unwrap();
        let error = world.run(async {
            match what {
                0 => here.flush().await.unwrap_err(),
                1 => here.closed().await.unwrap_err(),
                2 => left.next_data_channel().await.unwrap_err(),
                3 => left
                    .wait_for(PeerConnectionState::Closed)
                    .await
                    .unwrap_err(),
                _ => {
                    // One that is not open cannot open any more.
                    let init = DataChannelInit::default();
                    let other = left.create_data_channel("b", init).unwrap();
                    while other.ready_state() == DataChannelState::Connecting {
                        if let Err(error) = other.opened().await {
                            return error;
                        }
                    }
                    here.flush().await.unwrap_err()
                }
            }
        });
        assert_eq!(error.kind(), ErrorKind::Aborted, "{what}: {error}");
    }
}

/// A connection whose carrier has no runtime any more is closed, and says why.
#[test]
fn what_waits_ends_when_nobody_carries_the_connection() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    world.run(async {
        negotiate(&left, &right).await;
        here.opened().await.unwrap();
    });
    world.ends[0].engine.abandon();
    assert_eq!(left.connection_state(), PeerConnectionState::Closed);
    let errors = world.run(async {
        assert_eq!(here.recv().await, None);
        here.closed().await.unwrap();
        [
            left.wait_for(PeerConnectionState::Connected)
                .await
                .unwrap_err(),
            left.next_data_channel().await.unwrap_err(),
            here.opened().await.unwrap_err(),
            left.gathered().await.unwrap_err(),
        ]
    });
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Aborted);
        assert!(error.message().contains("runtime"), "{error}");
    }
    // The peer was told.
    let error = world.run(right.next_data_channel());
    assert!(error.is_ok(), "the channel had come before");
    assert!(world.run(right.next_data_channel()).is_err());
}

/// What `wait` comes to when another handle closes the connection meanwhile. It is polled again only when it was woken.
async fn closed_in<T>(connection: &PeerConnection, wait: impl Future<Output = T>) -> T {
    let close = async { connection.close() };
    tokio::join!(biased; wait, close).0
}

/// Whoever waits for the peer is woken by `close()`, and hears what the page of the API says.
#[test]
fn close_ends_what_waits_for_the_peer() {
    fn alone<T>(wait: impl AsyncFn(&PeerConnection, &DataChannel) -> T) -> T {
        let (mut world, _) = World::new(Link::new(1));
        let (connection, _engine) = without_addresses();
        let channel = connection
            .create_data_channel("a", DataChannelInit::default())
            .unwrap();
        world.run(async {
            connection.set_local_description(None).await.unwrap();
            closed_in(&connection, wait(&connection, &channel)).await
        })
    }
    let (closed, connected) = (PeerConnectionState::Closed, PeerConnectionState::Connected);
    let errors = [
        alone(async |it, _| it.gathered().await.unwrap_err()),
        alone(async |it, _| it.wait_for(connected).await.unwrap_err()),
        alone(async |it, _| it.next_data_channel().await.unwrap_err()),
        alone(async |_, channel| channel.opened().await.unwrap_err()),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Aborted, "{error}");
    }
    alone(async |it, _| it.wait_for(closed).await.unwrap());
}

/// The same of a connection that is in the midst of a transfer.
#[test]
fn close_ends_every_wait_of_a_transfer() {
    fn full<T>(wait: impl AsyncFn(&PeerConnection, &DataChannel) -> T) -> T {
        let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
        let channel = left
            .create_data_channel("a", DataChannelInit::default())
            .unwrap();
        world.run(async {
            negotiate(&left, &right).await;
            channel.opened().await.unwrap();
            while channel.try_send(vec![0; 65_536]).is_ok() {}
            closed_in(&left, wait(&left, &channel)).await
        })
    }
    let send = full(async |_, channel| channel.send("b").await.unwrap_err());
    assert_eq!(send.kind(), ErrorKind::InvalidState);
    let flush = full(async |_, channel| channel.flush().await.unwrap_err());
    assert_eq!(flush.kind(), ErrorKind::Aborted);
    full(async |_, channel| channel.closed().await.unwrap());
    full(async |it, _| it.shutdown().await);
    full(async |_, channel| while channel.recv().await.is_some() {});
    full(async |_, channel| while channel.next_event().await.is_some() {});
    full(async |it, _| while it.next_event().await.is_some() {});
    full(async |it, _| {
        let sctp = it.sctp().unwrap();
        while sctp.next_event().await.is_some() {}
    });
    full(async |it, _| {
        let dtls = it.sctp().unwrap().transport().unwrap();
        while dtls.next_event().await.is_some() {}
    });
    full(async |it, _| {
        let dtls = it.sctp().unwrap().transport().unwrap();
        let ice = dtls.ice_transport();
        while ice.next_event().await.is_some() {}
    });
}

/// A weak handle does not keep the connection, and gives a handle while another does.
#[test]
fn a_weak_handle_keeps_nothing_open() {
    let (_world, [left, _right]) = World::new(Link::new(1));
    let weak = left.downgrade();
    let channel = weak
        .upgrade()
        .unwrap()
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    drop(left);
    assert!(weak.upgrade().is_some(), "a channel is a handle");
    drop(channel);
    assert!(weak.upgrade().is_none());
}

/// Streams and waits read from one queue, and what a dropped future had not returned is there.
#[test]
fn streams_read_what_futures_left() {
    use futures_core::Stream;

    async fn next<T: Stream + Unpin>(stream: &mut T) -> Option<T::Item> {
        poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
    }
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    world.run(async {
        let mut events = left.events();
        assert!(matches!(
            next(&mut events).await,
            Some(Event::NegotiationNeeded)
        ));
        negotiate(&left, &right).await;
        here.opened().await.unwrap();
        let there = right.next_data_channel().await.unwrap();
        let mut opened = there.events();
        assert!(matches!(
            next(&mut opened).await,
            Some(DataChannelEvent::Open)
        ));
        // Polled, and dropped before it was ready.
        let waker = Waker::noop();
        {
            let mut waiting = pin!(there.recv());
            let polled = waiting.as_mut().poll(&mut Context::from_waker(waker));
            assert!(polled.is_pending());
        }
        for text in ["one", "two"] {
            here.send(text).await.unwrap();
        }
        let mut messages = there.messages();
        assert_eq!(next(&mut messages).await, Some("one".into()));
        assert_eq!(there.recv().await, Some("two".into()));
        here.close();
        assert_eq!(next(&mut messages).await, None);
        let counts = there.counts();
        assert_eq!((counts.messages_received, counts.bytes_received), (2, 6));
        assert_eq!(here.counts().messages_sent, 2);
    });
}

fn negotiated(id: u16) -> DataChannelInit {
    DataChannelInit {
        negotiated: true,
        id: Some(id),
        ..DataChannelInit::default()
    }
}

/// Sets a description with a channel, for which nothing has been gathered yet.
fn describe(connection: &PeerConnection, cx: &mut Context<'_>) -> DataChannel {
    let channel = connection
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let described = pin!(connection.set_local_description(None)).poll(cx);
    assert!(matches!(described, Poll::Ready(Ok(()))));
    channel
}

/// It waits while gathering has not ended, and is woken when it has.
#[test]
fn gathered_waits_for_the_addresses() {
    let (connection, engine) = without_addresses();
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    let _channel = describe(&connection, &mut cx);
    let mut gathered = pin!(connection.gathered());
    assert!(gathered.as_mut().poll(&mut cx).is_pending());
    let interface = Interface {
        name: "eth0".into(),
        index: 2,
        address: [10, 0, 0, 9].into(),
        default_route: true,
        cost: 0,
    };
    engine.drive(|now, engine, _| engine.handle_interfaces(now, &[interface]));
    assert!(woken.0.load(Ordering::Relaxed) > 0);
    let Poll::Ready(Ok(description)) = gathered.as_mut().poll(&mut cx) else {
        panic!("it waits although all was gathered");
    };
    assert!(description.sdp.contains("10.0.0.9"));
}

/// It ends as well when the description that it waits for is rolled back.
#[test]
fn gathered_ends_with_a_rollback() {
    let (connection, _engine) = without_addresses();
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    let _channel = describe(&connection, &mut cx);
    let mut gathered = pin!(connection.gathered());
    assert!(gathered.as_mut().poll(&mut cx).is_pending());
    let before = woken.0.load(Ordering::Relaxed);
    let rollback = SessionDescription {
        kind: SdpType::Rollback,
        sdp: String::new(),
    };
    let rolled_back = pin!(connection.set_local_description(rollback)).poll(&mut cx);
    assert!(matches!(rolled_back, Poll::Ready(Ok(()))));
    assert!(woken.0.load(Ordering::Relaxed) > before);
    let Poll::Ready(Err(error)) = gathered.as_mut().poll(&mut cx) else {
        panic!("it waits for what is gone");
    };
    assert_eq!(error.kind(), ErrorKind::InvalidState);
}

/// Who takes a handle of what is gone has nothing to wait for: the ends of a transport that bundling has taken away, and tones of a
/// transceiver that was stopped.
#[test]
fn what_is_gone_has_no_events_for_who_comes_late() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let audio = left
        .add_transceiver(MediaKind::Audio, RtpTransceiverInit::default())
        .unwrap();
    let _channel = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    world.run(async {
        left.set_local_description(None).await.unwrap();
        let transports = [
            audio.sender().transport().unwrap(),
            left.sctp().unwrap().transport().unwrap(),
        ];
        let offer = left.gathered().await.unwrap();
        right.set_remote_description(offer).await.unwrap();
        right.set_local_description(None).await.unwrap();
        let answer = right.gathered().await.unwrap();
        left.set_remote_description(answer).await.unwrap();
        let closed = |it: &&DtlsTransport| it.state() == DtlsTransportState::Closed;
        let gone = transports.iter().find(closed).unwrap();
        assert!(gone.ice_transport().next_event().await.is_none());
        assert!(gone.rtcp().next().await.is_none());
        let early = audio.sender().dtmf().unwrap();
        let mut waits = pin!(early.next_event());
        let woken = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(woken.clone());
        let polled = waits.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        audio.stop().unwrap();
        negotiate(&left, &right).await;
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert_eq!(waits.await, None);
        assert_eq!(early.next_event().await, None);
    });
}

/// A transport that bundling takes away has no more events: who waits for them is released, and no other.
#[test]
fn a_transport_that_goes_ends_its_events() {
    async fn all(transport: DtlsTransport) {
        let ice = transport.ice_transport();
        while ice.next_event().await.is_some() {}
        while transport.next_event().await.is_some() {}
    }
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let audio = left
        .add_transceiver(MediaKind::Audio, RtpTransceiverInit::default())
        .unwrap();
    let _channel = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    world.run(async {
        left.set_local_description(None).await.unwrap();
        let transports = [
            audio.sender().transport().unwrap(),
            left.sctp().unwrap().transport().unwrap(),
        ];
        type Wait = Pin<Box<dyn Future<Output = ()>>>;
        let mut waits = transports.map(|it| Box::pin(all(it)) as Wait);
        let ended = |cx: &mut Context<'_>, waits: &mut [Wait; 2]| {
            let polled = waits.iter_mut().map(|it| it.as_mut().poll(cx));
            polled.filter(Poll::is_ready).count()
        };
        let before = poll_fn(|cx| Poll::Ready(ended(cx, &mut waits))).await;
        assert_eq!(before, 0);
        let offer = left.gathered().await.unwrap();
        right.set_remote_description(offer).await.unwrap();
        right.set_local_description(None).await.unwrap();
        let answer = right.gathered().await.unwrap();
        left.set_remote_description(answer).await.unwrap();
        let after = poll_fn(|cx| match ended(cx, &mut waits) {
            0 => Poll::Pending,
            some => Poll::Ready(some),
        });
        assert_eq!(after.await, 1);
    });
}

/// A key frame of VP8.
fn picture(now: Instant) -> EncodedFrame {
    let mut payload = vec![7; 300];
    payload[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
    let mut frame = EncodedFrame::new(Codec::Vp8, payload);
    frame.captured = Some(now);
    frame
}

/// Who waits for wishes is woken by those of the peer and of its own senders, and told of what does not get through.
#[test]
fn wishes_wake_who_encodes() {
    let (mut world, [near, far]) = World::new(Link::new(1).delay(ms(10)));
    let (camera, pictures) = MediaStreamTrack::from_frames(MediaKind::Video);
    let sender = near.add_track(&camera, &[]).unwrap();
    world.run(negotiate(&near, &far));
    world
        .run(near.wait_for(PeerConnectionState::Connected))
        .unwrap();
    let screen = far.receivers()[0].track().clone();
    let _reader = screen.frames().unwrap();
    for _ in 0..3 {
        pictures.try_write(picture(world.now)).unwrap();
        world.run_for(ms(500));
    }
    while pictures.try_hint().is_some() {}
    let asked = world.run(join(pictures.next_hint(), async {
        screen.request_keyframe();
    }));
    assert_eq!(asked.0, Some(Hint::Keyframe { rid: None }));
    world.lose_reports();
    let mut told = Vec::new();
    for _ in 0..17 {
        pictures.try_write(picture(world.now)).unwrap();
        world.run_for(Duration::from_secs(1));
        let hints = std::iter::from_fn(|| pictures.try_hint());
        told.extend(hints.filter_map(|it| match it {
            Hint::Encoding { active, .. } => Some(active),
            _ => None,
        }));
    }
    assert_eq!(told, [false]);
    assert_eq!(sender.stopped(), [(0, StopCause::Silence)]);
    let left = world.run(join(pictures.next_hint(), async {
        sender.replace_track(None).await.unwrap();
    }));
    let nobody_asks = |it: &Hint| matches!(it, Hint::Encoding { active: true, .. });
    assert!(left.0.as_ref().is_some_and(nobody_asks), "{left:?}");
}
