//! A wait that is dropped leaves nothing, however many were.

mod world;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use futures_core::Stream;
use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    DataChannelInit, Event, MediaKind, MediaStream, MediaStreamTrack, PeerConnection,
    PeerConnectionState, RtpReceiver,
    media::{Codec, EncodedFrame, FrameKind},
};

use world::{World, negotiate, without_addresses};

type Wait<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What a waker keeps alive.
struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

/// Waits for `future`, whatever it gives.
fn wait<'a, T>(future: impl Future<Output = T> + 'a) -> Wait<'a> {
    Box::pin(async move {
        future.await;
    })
}

/// Waits for the next of a stream of its own.
fn next<'a, S: Stream + Unpin + 'a>(mut stream: S) -> Wait<'a> {
    wait(async move { poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await })
}

fn poll(wait: &mut Wait<'_>) -> (Poll<()>, Weak<Task>) {
    let task = Arc::new(Task);
    let weak = Arc::downgrade(&task);
    let waker = Waker::from(task);
    (wait.as_mut().poll(&mut Context::from_waker(&waker)), weak)
}

/// Begins a wait, again where something was there already.
fn begin<'a>(name: &str, again: &dyn Fn() -> Wait<'a>) -> (Wait<'a>, Weak<Task>) {
    for _ in 0..1000 {
        let mut wait = again();
        let (polled, task) = poll(&mut wait);
        if polled.is_pending() {
            return (wait, task);
        }
    }
    panic!("{name} is ready always");
}

/// 10,000 of different tasks, one after the other and then all at once, and one that goes from task to task.
fn leaves_nothing<'a>(name: &str, again: &dyn Fn() -> Wait<'a>) {
    leave_nothing(MANY, name, again);
}

fn leave_nothing<'a>(count: usize, name: &str, again: &dyn Fn() -> Wait<'a>) {
    let living = |tasks: &[Weak<Task>]| tasks.iter().filter(|it| it.strong_count() > 0).count();
    let gone: Vec<_> = (0..count).map(|_| begin(name, again).1).collect();
    assert_eq!(living(&gone), 0, "{name}, one after the other");
    let (crowd, tasks): (Vec<_>, Vec<_>) = (0..count).map(|_| begin(name, again)).unzip();
    assert_eq!(living(&tasks), count, "{name} waits");
    drop(crowd);
    assert_eq!(living(&tasks), 0, "{name}, together");
    let (mut wanders, first) = begin(name, again);
    let (polled, second) = poll(&mut wanders);
    assert!(polled.is_pending());
    assert_eq!(living(&[first]), 0, "{name} has left its first task");
    assert_eq!(living(std::slice::from_ref(&second)), 1, "{name}");
    drop(wanders);
    assert_eq!(living(&[second]), 0, "{name}, on its second task");
}

const MANY: usize = 10_000;

/// Waits of a connection that has no addresses, and so gathers for ever.
#[test]
fn waits_of_a_connection_that_begins() {
    let (connection, _engine) = without_addresses();
    let channel = connection
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let mut described = wait(connection.set_local_description(None));
    assert!(poll(&mut described).0.is_ready());
    leaves_nothing("gathered", &|| wait(connection.gathered()));
    leaves_nothing("next_data_channel", &|| {
        wait(connection.next_data_channel())
    });
    leaves_nothing("wait_for", &|| {
        wait(connection.wait_for(PeerConnectionState::Connected))
    });
    leaves_nothing("next_event", &|| wait(connection.next_event()));
    leaves_nothing("events", &|| next(connection.events()));
    leaves_nothing("ended_stats", &|| next(connection.ended_stats()));
    leaves_nothing("opened", &|| wait(channel.opened()));
}

/// Waits of a channel and of transports, where data is under way.
#[test]
fn waits_of_channels_and_transports() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let here = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    world.run(async {
        negotiate(&left, &right).await;
        here.opened().await.unwrap();
    });
    let sctp = left.sctp().unwrap();
    let dtls = sctp.transport().unwrap();
    let ice = dtls.ice_transport();
    while here.try_send(vec![0; 100_000]).is_ok() {}
    leaves_nothing("send", &|| wait(here.send(vec![0; 100_000])));
    leaves_nothing("flush", &|| wait(here.flush()));
    leaves_nothing("shutdown", &|| wait(left.shutdown()));
    leaves_nothing("closed", &|| wait(here.closed()));
    leaves_nothing("recv", &|| wait(here.recv()));
    leaves_nothing("messages", &|| next(here.messages()));
    leaves_nothing("next_event of a channel", &|| wait(here.next_event()));
    leaves_nothing("events of a channel", &|| next(here.events()));
    leaves_nothing("next_event of SCTP", &|| wait(sctp.next_event()));
    leaves_nothing("events of SCTP", &|| next(sctp.events()));
    leaves_nothing("next_event of DTLS", &|| wait(dtls.next_event()));
    leaves_nothing("events of DTLS", &|| next(dtls.events()));
    leaves_nothing("next_event of ICE", &|| wait(ice.next_event()));
    leaves_nothing("events of ICE", &|| next(ice.events()));
    leaves_nothing("a reader of RTCP", &|| {
        let mut reader = dtls.rtcp();
        wait(async move { reader.next().await })
    });
    leaves_nothing("a stream of RTCP", &|| next(dtls.rtcp()));
    // All the while one waits that stays, and is woken.
    let last = world.run(async {
        let all = async {
            while here.buffered_amount() > 0 {
                here.flush().await.unwrap();
            }
        };
        let there = right.next_data_channel().await.unwrap();
        let read = async {
            loop {
                let message = there.recv().await.unwrap();
                if message.len() == 1 {
                    return message;
                }
            }
        };
        let (_, _, last) = tokio::join!(all, async { here.send("x").await.unwrap() }, read);
        last
    });
    assert_eq!(last, "x".into());
}

/// What a waker of a reader of RTCP holds may hold a handle, so it is dropped without the lock of the connection.
#[test]
fn a_reader_of_rtcp_drops_its_waker_without_the_lock() {
    struct Held(PeerConnection, Arc<AtomicBool>);
    impl Wake for Held {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Held {
        fn drop(&mut self) {
            let (told, heard) = mpsc::channel();
            let connection = self.0.clone();
            let asks = thread::spawn(move || told.send(connection.connection_state()));
            let is_free = heard.recv_timeout(Duration::from_secs(5)).is_ok();
            self.1.store(is_free, Ordering::Relaxed);
            drop(asks);
        }
    }
    let (connection, _engine) = without_addresses();
    let _channel = connection
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let mut described = wait(connection.set_local_description(None));
    assert!(poll(&mut described).0.is_ready());
    let mut reader = connection.sctp().unwrap().transport().unwrap().rtcp();
    let is_free = Arc::new(AtomicBool::new(false));
    {
        let waker = Waker::from(Arc::new(Held(connection.clone(), is_free.clone())));
        let polled = Pin::new(&mut reader).poll_next(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    drop(reader);
    assert!(is_free.load(Ordering::Relaxed));
}

/// Waits of media: who reads it, who writes it, and who is told of it.
#[test]
fn waits_of_media() {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let (video, frames) = MediaStreamTrack::from_frames(MediaKind::Video);
    let (audio, packets) = MediaStreamTrack::from_packets(MediaKind::Audio);
    let stream = MediaStream::new([&video, &audio]);
    left.add_track(&video, std::slice::from_ref(&stream))
        .unwrap();
    let sender = left
        .add_track(&audio, std::slice::from_ref(&stream))
        .unwrap();
    let receiver: RtpReceiver = world.run(async {
        negotiate(&left, &right).await;
        right
            .wait_for(PeerConnectionState::Connected)
            .await
            .unwrap();
        loop {
            if let Event::Track { receiver, .. } = right.next_event().await.unwrap() {
                return receiver;
            }
        }
    });
    let track = receiver.track();
    let dtmf = sender.dtmf().unwrap();
    leaves_nothing("next_event of DTMF", &|| wait(dtmf.next_event()));
    leaves_nothing("events of DTMF", &|| next(dtmf.events()));
    leaves_nothing("next_event of a track", &|| wait(track.next_event()));
    leaves_nothing("events of a track", &|| next(track.events()));
    leaves_nothing("next_event of a stream", &|| wait(stream.next_event()));
    leaves_nothing("next_hint of frames", &|| wait(frames.next_hint()));
    leaves_nothing("next_hint of packets", &|| wait(packets.next_hint()));
    leave_nothing(100, "a stream of frames", &|| next(track.frames().unwrap()));
    leave_nothing(100, "a stream of packets", &|| next(track.packets()));
    // `next` borrows its reader, so one waits at a time.
    let (mut frame_reader, mut packet_reader) = (track.frames().unwrap(), track.packets());
    for _ in 0..2 {
        let tasks = [
            poll(&mut wait(frame_reader.next())),
            poll(&mut wait(packet_reader.next())),
        ];
        for (polled, task) in tasks {
            assert!(polled.is_pending());
            assert_eq!(task.strong_count(), 0, "a reader that stays");
        }
    }
    // Nobody serves the connection, so what is written waits.
    let frame = || {
        let mut frame = EncodedFrame::new(Codec::Vp8, vec![0; 10]);
        frame.kind = FrameKind::Key;
        frame
    };
    for _ in 0..200 {
        frames.try_write(frame()).unwrap();
    }
    leaves_nothing("write", &|| wait(frames.write(frame())));
}
