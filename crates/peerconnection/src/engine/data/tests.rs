//! The data of one engine, and a peer that is an association in the hands of the test.

use std::time::Duration;

use bytes::Bytes;
use datachannel::message::{Message as Dcep, Open};
use oxirtc_sctp as sctp;
use sctp::packet::{ChunkKind, Packet, Reconfig, Request};

use super::*;
use crate::{
    DataChannelState, ErrorDetail, Message, SctpTransportState, SendError,
    engine::{
        TransportId,
        task::{ChannelEvent, Event},
    },
};

mod cost;

struct Wire {
    data: Data,
    tasks: Tasks,
    peer: sctp::Association,
    now: Instant,
    events: Vec<Event>,
    peer_events: Vec<sctp::Event>,
}

const ON: TransportId = TransportId(7);
const PORTS: (u16, u16) = (5000, 5000);

impl Wire {
    /// Both are connected. We are the DTLS server, so that the peer has even ids.
    fn new(settings: &Settings) -> Self {
        Self::with(settings, 1 << 20)
    }

    fn with(settings: &Settings, remote_limit: u64) -> Self {
        let config = sctp::Config::default().receive_window(32 << 20);
        Self::with_peer(settings, remote_limit, config)
    }

    fn with_peer(settings: &Settings, remote_limit: u64, config: sctp::Config) -> Self {
        let data = Data::new(settings, Label([0, 0]));
        let mut wire = Self::connecting(data, remote_limit, config);
        wire.run();
        assert!(wire.peer.is_established() && wire.data.is_connected());
        wire
    }

    /// Both begin.
    fn connecting(mut data: Data, remote_limit: u64, config: sctp::Config) -> Self {
        let now = oxirtc_netsim::epoch();
        data.create(ON, [1; 32]);
        data.negotiate(now, ON, PORTS, remote_limit);
        data.set_role(datachannel::Role::Server);
        data.connect(now, None, true);
        let mut peer = sctp::Association::new(config, [2; 32], now);
        peer.connect(now);
        Self {
            data,
            tasks: Tasks::default(),
            peer,
            now,
            events: Vec::new(),
            peer_events: Vec::new(),
        }
    }

    /// Everything that happens at this moment.
    fn run(&mut self) {
        loop {
            self.data.settle(self.now, &mut self.tasks);
            while let Some(task) = self.tasks.pop() {
                self.events.extend(task);
            }
            while let Some(event) = self.peer.poll_event() {
                self.peer_events.push(event);
            }
            let (mut there, mut back) = (Vec::new(), Vec::new());
            if self.data.poll_transmit(self.now, ON, 1200, &mut there) {
                self.peer.handle_packet(self.now, &there);
            }
            if self.peer.poll_transmit(self.now, 1200, &mut back) {
                assert!(self.data.handle_packet(self.now, ON, &back));
            }
            if there.is_empty() && back.is_empty() {
                return;
            }
        }
    }

    /// All that is due at once here.
    fn takes_steps(&mut self) {
        self.data.settle(self.now, &mut self.tasks);
        while self.data.poll_timeout().is_some_and(|at| at <= self.now) {
            self.data.handle_timeout(self.now);
            self.data.settle(self.now, &mut self.tasks);
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.run();
            let deadlines = [self.data.poll_timeout(), self.peer.poll_timeout()];
            match deadlines.into_iter().flatten().min() {
                Some(next) if next <= end => self.now = next.max(self.now),
                _ => break,
            }
            self.data.handle_timeout(self.now);
            self.peer.handle_timeout(self.now);
        }
        self.now = end;
        self.data.handle_timeout(self.now);
        self.run();
    }

    fn peer_sends(&mut self, stream: u16, ppid: u32, payload: impl Into<Bytes>) {
        let options = sctp::SendOptions::default();
        let sent = self
            .peer
            .send(self.now, stream, ppid, payload.into(), options);
        assert_eq!(sent, Ok(()));
    }

    /// The peer sends a byte: its packet's tag and TSN.
    fn peer_says(&mut self, stream: u16) -> (u32, u32) {
        self.peer_sends(stream, BINARY, vec![1]);
        let mut packet = Vec::new();
        assert!(self.peer.poll_transmit(self.now, 1200, &mut packet));
        assert!(self.data.handle_packet(self.now, ON, &packet));
        let parsed = Packet::parse_unsummed(&packet).unwrap();
        let of_data = [ChunkKind::DATA, ChunkKind::I_DATA];
        let chunk = parsed.chunks().find(|it| of_data.contains(&it.kind));
        let tsn = u32::from_be_bytes(chunk.unwrap().value[..4].try_into().unwrap());
        (parsed.tag, tsn)
    }

    fn peer_aborts(&mut self) {
        let abort = self.abort();
        assert!(self.data.handle_packet(self.now, ON, &abort));
    }

    /// The packet with which the peer ends the association.
    fn abort(&mut self) -> Vec<u8> {
        self.peer.abort(self.now, "enough");
        let mut abort = Vec::new();
        while !self.peer.poll_transmit(self.now, 1200, &mut abort) {}
        abort
    }

    /// How long it takes to take a packet, and the step that comes with it.
    #[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
    fn takes(&mut self, packet: &[u8]) -> Duration {
        let start = Instant::now();
        assert!(self.data.handle_packet(self.now, ON, packet));
        self.data.settle(self.now, &mut self.tasks);
        start.elapsed()
    }

    /// How long each step takes that is due at once.
    #[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
    fn times_steps(&mut self) -> Vec<Duration> {
        let mut times = Vec::new();
        while self.data.poll_timeout().is_some_and(|at| at <= self.now) {
            let start = Instant::now();
            self.data.handle_timeout(self.now);
            self.data.settle(self.now, &mut self.tasks);
            times.push(start.elapsed());
        }
        times
    }

    /// The peer's next packet, which is due.
    fn next_of_peer(&mut self) -> Vec<u8> {
        while self.peer.poll_timeout().is_some_and(|at| at <= self.now) {
            self.peer.handle_timeout(self.now);
        }
        let mut packet = Vec::new();
        self.peer.poll_transmit(self.now, 1200, &mut packet);
        packet
    }

    /// Until the first channels that end are told.
    fn peer_restarts(&mut self) {
        self.peer = sctp::Association::new(sctp::Config::default(), [9; 32], self.now);
        self.peer.connect(self.now);
        while self.data.ending.is_none() {
            let (mut there, mut back) = (Vec::new(), Vec::new());
            self.peer.poll_transmit(self.now, 1200, &mut there);
            assert!(self.data.handle_packet(self.now, ON, &there));
            self.data.settle(self.now, &mut self.tasks);
            self.data.poll_transmit(self.now, ON, 1200, &mut back);
            self.peer.handle_packet(self.now, &back);
        }
    }

    fn peer_opens(&mut self, stream: u16) {
        let mut open = Vec::new();
        Dcep::Open(Open {
            priority: 256,
            ordered: true,
            reliability: datachannel::Reliability::Reliable,
            label: "",
            protocol: "",
        })
        .write(&mut open);
        self.peer_sends(stream, datachannel::ppid::DCEP, open);
    }

    fn opens(&mut self, negotiated: Option<u16>, label: &str) -> ChannelId {
        let init = DataChannelInit {
            negotiated: negotiated.is_some(),
            id: negotiated,
            ..DataChannelInit::default()
        };
        let id = self.data.open(label, &init).unwrap();
        self.run();
        id
    }

    fn announced(&self) -> Vec<ChannelId> {
        let announced = self.events.iter().filter_map(|event| match event {
            Event::DataChannel(id) => Some(*id),
            _ => None,
        });
        announced.collect()
    }

    fn state(&self, id: ChannelId) -> DataChannelState {
        convert::channel_state(self.data.channel(id).unwrap().state())
    }

    fn read(&mut self, id: ChannelId) -> Option<Message> {
        self.data.read(self.now, id, &mut self.tasks)
    }

    fn sends(&mut self, id: ChannelId, message: Vec<u8>) {
        let sent = self.data.send(self.now, id, &Message::from(message));
        assert_eq!(sent, Ok(()));
    }

    /// What was told of a channel, in its order.
    fn told(&self, channel: ChannelId) -> Vec<&ChannelEvent> {
        let of = |event| match event {
            &Event::Channel(id, ref event) if id == channel => Some(event),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    fn was_reset(&self, stream: u16) -> bool {
        let reset = sctp::Event::IncomingReset { stream };
        self.peer_events.contains(&reset)
    }
}

const BINARY: u32 = datachannel::ppid::BINARY;
const KIB: usize = 1024;

/// RFC 9260 §8.4: the peer learns of an association that ends here, and so its channels close.
#[test]
fn the_peer_hears_of_an_end_that_is_ours() {
    let mut wire = Wire::new(&Settings::default());
    wire.peer_opens(0);
    wire.run();
    wire.peer_sends(0, BINARY, vec![0; 300_000]);
    wire.pass(Duration::from_secs(1));
    let closed = |event: &sctp::Event| {
        matches!(
            event,
            sctp::Event::Closed {
                cause_code: Some(_),
                ..
            }
        )
    };
    assert!(
        wire.peer_events.iter().any(closed),
        "{:?}",
        wire.peer_events
    );
    assert_eq!(wire.state(wire.announced()[0]), DataChannelState::Closed);
    // Another association can follow on the same transport; the old one does not disturb it.
    wire.data.renew(wire.now, [3; 32], &mut wire.tasks);
    wire.data.connect(wire.now, None, true);
    wire.peer = sctp::Association::new(sctp::Config::default(), [4; 32], wire.now);
    wire.peer.connect(wire.now);
    wire.pass(Duration::from_secs(5));
    assert!(wire.peer.is_established() && wire.data.is_connected());
    // Nothing goes out, nor is waited for, once its transport is gone.
    wire.data.remove(wire.now, &mut wire.tasks);
    assert!(wire.data.wants_transmit());
    wire.data.cut_off(ON);
    assert!(!wire.data.wants_transmit());
    assert_eq!(wire.data.poll_timeout(), None);
}

/// [6.1.2-02] What the peer has ended stays so, also when the same is negotiated again.
#[test]
fn what_has_ended_does_not_connect_again() {
    let mut wire = Wire::new(&Settings::default());
    wire.peer.abort(wire.now, "enough");
    wire.run();
    wire.data.negotiate(wire.now, ON, PORTS, 1 << 20);
    wire.data.connect(wire.now, None, true);
    wire.run();
    let state = wire.data.sctp().map(|it| it.state());
    assert_eq!(state, Some(SctpTransportState::Closed));
    assert!(wire.data.association_stats().is_none());
}

/// The ABORT of an association is not lost when the one behind it ends before anything was sent.
#[test]
fn every_association_that_ends_is_told() {
    let mut wire = Wire::new(&Settings::default());
    for seed in [3, 4] {
        wire.data.renew(wire.now, [seed; 32], &mut wire.tasks);
        wire.data.connect(wire.now, None, true);
    }
    let (mut aborts, mut packet) = (0, Vec::new());
    while wire.data.poll_transmit(wire.now, ON, 1200, &mut packet) {
        let mut chunks = Packet::parse_unsummed(&packet).unwrap().chunks();
        aborts += usize::from(chunks.any(|it| it.kind == ChunkKind::ABORT));
        wire.peer.handle_packet(wire.now, &packet);
        packet.clear();
    }
    assert_eq!(aborts, 1);
    assert!(!wire.peer.is_established());
}

/// The last words of an association that has ended are none for the peer of another DTLS association.
#[test]
fn last_words_are_not_said_under_other_keys() {
    let mut wire = Wire::new(&Settings::default());
    let (now, other) = (wire.now, TransportId(8));
    wire.data.renew(now, [3; 32], &mut wire.tasks);
    wire.data.leave_keys(now, other, &mut wire.tasks);
    assert!(wire.data.wants_transmit(), "an ABORT");
    wire.data.leave_keys(now, ON, &mut wire.tasks);
    assert!(!wire.data.wants_transmit());
}

/// [4.4.1.6-23] [6.1.1.3-01] Channels that no id is left for are closed with an error, before the state is told and others open.
#[test]
fn a_channel_without_an_id_fails() {
    let mut data = Data::new(&Settings::default(), Label([0, 0]));
    let negotiated = DataChannelInit {
        negotiated: true,
        id: Some(0),
        ..DataChannelInit::default()
    };
    let others = [(); 3].map(|()| DataChannelInit::default());
    let all = others.iter().chain([&negotiated]);
    let ids: Vec<_> = all.map(|init| data.open("", init).unwrap()).collect();
    // Streams 0 to 3: of the odd ones there are two.
    let config = sctp::Config::default().streams(4, 4);
    let mut wire = Wire::connecting(data, 1 << 20, config);
    wire.pass(Duration::ZERO);
    let told = wire.events.iter().filter_map(|event| match event {
        Event::SctpTransport(state) => Some(format!("{state:?}")),
        Event::Channel(id, ChannelEvent::Error(error)) => {
            assert_eq!(error.detail(), Some(ErrorDetail::DataChannelFailure));
            let place = ids.iter().position(|it| it == id);
            Some(format!("{place:?} Error"))
        }
        Event::Channel(id, event) => {
            let place = ids.iter().position(|it| it == id);
            Some(format!("{place:?} {event:?}"))
        }
        _ => None,
    });
    let expected = [
        "Some(2) Error",
        "Some(2) Close",
        "Connected",
        "Some(3) Open",
        "Some(0) Open",
        "Some(1) Open",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!(wire.state(ids[2]), DataChannelState::Closed);
    assert_eq!(wire.data.sctp().and_then(|it| it.max_channels()), Some(4));
}

/// [6.2-23] RFC 8832 §6: an announcement that the peer cannot take closes its channel with an error.
#[test]
fn a_channel_whose_announcement_is_too_long_fails() {
    let mut wire = Wire::with(&Settings::default(), 1000);
    let long = wire.opens(None, &"x".repeat(2000));
    let short = wire.opens(None, "x");
    wire.run();
    assert_eq!(wire.state(long), DataChannelState::Closed);
    assert_eq!(wire.state(short), DataChannelState::Open);
    let error = wire.events.iter().find_map(|event| match event {
        Event::Channel(id, ChannelEvent::Error(error)) if *id == long => Some(error.detail()),
        _ => None,
    });
    assert_eq!(error, Some(Some(ErrorDetail::DataChannelFailure)));
    assert_eq!(wire.peer.stats().messages_received, 1);
}

/// [6.2-12] What SCTP could not send is an error with its cause, and then the channel is closed. One that sent nothing hears the same.
#[test]
fn what_cannot_be_sent_is_an_error_with_its_cause() {
    let failed = |wire: &Wire, channel| {
        let [
            ChannelEvent::Open,
            ChannelEvent::Error(error),
            ChannelEvent::Close,
        ] = wire.told(channel)[..]
        else {
            panic!("{:?}", wire.told(channel));
        };
        assert_eq!(error.kind(), crate::ErrorKind::Operation);
        // RFC 9260 §3.3.10.13: a protocol violation.
        let cause_code = Some(13);
        let detail = ErrorDetail::SctpFailure { cause_code };
        assert_eq!(error.detail(), Some(detail));
        assert_eq!(error.sctp_cause_code(), cause_code);
        assert_eq!(wire.state(channel), DataChannelState::Closed);
    };
    // The peer said that it takes more than it does, and ends the association.
    let small = sctp::Config::default().max_message_size(1000);
    let mut wire = Wire::with_peer(&Settings::default(), 1 << 20, small);
    let [sending, other] = [2, 4].map(|stream| wire.opens(Some(stream), ""));
    wire.sends(sending, vec![0; 300_000]);
    wire.pass(Duration::from_secs(5));
    failed(&wire, sending);
    failed(&wire, other);
}

/// The association ends, and the channel is open still: the error has why a message was not taken.
#[test]
fn what_the_association_refuses_has_its_cause() {
    let mut wire = Wire::new(&Settings::default());
    let channel = wire.opens(Some(2), "");
    wire.peer.shutdown(wire.now);
    let mut packet = Vec::new();
    assert!(wire.peer.poll_transmit(wire.now, 1200, &mut packet));
    assert!(wire.data.handle_packet(wire.now, ON, &packet));
    assert_eq!(wire.state(channel), DataChannelState::Open);
    let sent = wire.data.send(wire.now, channel, &Message::from("late"));
    let Err(SendError::Refused(error)) = sent else {
        panic!("{sent:?}");
    };
    let detail = ErrorDetail::SctpFailure { cause_code: None };
    assert_eq!(error.detail(), Some(detail));
    let source = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(source, Some(sctp::Error::Closed.to_string()));
}

/// [6.2-02]: a negotiated channel that the peer has opened first gets what came before it, in order.
#[test]
fn messages_wait_for_their_negotiated_channel() {
    let mut wire = Wire::new(&Settings::default());
    for index in 0..10 {
        wire.peer_sends(6, BINARY, vec![index; 5000]);
    }
    wire.pass(Duration::from_secs(9));
    let id = wire.opens(Some(6), "");
    wire.peer_sends(6, BINARY, vec![10; 5000]);
    wire.run();
    for index in 0..=10 {
        assert_eq!(wire.read(id), Some(Message::from(vec![index; 5000])));
    }
    assert_eq!(wire.read(id), None);
    assert_eq!(wire.data.messages_dropped(), 0);
    wire.pass(Duration::from_secs(10));
    assert_eq!(wire.state(id), DataChannelState::Open);
}

/// What had come for a channel before it was there goes with it when it is closed here, and makes room.
#[test]
fn a_channel_that_is_closed_here_keeps_nothing() {
    let mut wire = Wire::new(&Settings::default());
    wire.peer_sends(6, BINARY, vec![1; 1000]);
    wire.run();
    let id = wire.opens(Some(6), "");
    assert!(wire.data.backlog.tails > 1000);
    wire.data.close_channel(id);
    assert_eq!(wire.data.backlog.tails, 0);
    assert_eq!(wire.read(id), None);
}

/// The association is full, whatever a channel has in it: who was refused is told when there is room again.
#[test]
fn room_in_a_full_association_is_told() {
    let peer = sctp::Config::default().max_message_size(1 << 20);
    let peer = peer.receive_window(32 << 20);
    let mut wire = Wire::with_peer(&Settings::default(), 1 << 20, peer);
    let ids = [(); 20].map(|()| wire.opens(None, ""));
    let message = Message::from(vec![0; 1 << 20]);
    let taken = ids.map(|id| wire.data.send(wire.now, id, &message));
    let empty = taken.iter().position(|it| it == &Err(SendError::Full));
    let empty = ids[empty.expect("20 MiB are too much")];
    wire.pass(Duration::from_secs(5));
    let told = wire
        .events
        .iter()
        .filter(|it| matches!(it, Event::Writable));
    assert_eq!(told.count(), 1);
    wire.sends(empty, vec![0; 1 << 20]);
}

/// A stream that only the peer has cannot stop the other channels, however much is sent on it.
#[test]
fn a_stream_without_a_channel_does_not_fill_the_window() {
    let mut wire = Wire::new(&Settings::default().receive_window(1 << 20));
    wire.peer_opens(0);
    wire.run();
    let id = wire.announced()[0];
    for _ in 0..2 {
        assert!(!wire.was_reset(6), "less than 64 KiB");
        wire.peer_sends(6, BINARY, vec![1; 40 * KIB]);
        wire.pass(Duration::from_secs(1));
    }
    assert!(wire.was_reset(6), "more than 64 KiB");
    for _ in 0..100 {
        wire.peer_sends(8, BINARY, vec![1; 40 * KIB]);
    }
    wire.peer_sends(0, BINARY, vec![2; 10]);
    wire.pass(Duration::from_secs(5));
    assert_eq!(wire.read(id), Some(Message::from(vec![2; 10])));
    assert!(wire.was_reset(8));
    // Together they may hold an eighth of the window: 128 KiB.
    for stream in [10, 12, 14] {
        wire.peer_sends(stream, BINARY, vec![1; 50 * KIB]);
    }
    wire.pass(Duration::from_secs(1));
    let reset = [10, 12, 14].map(|stream| wire.was_reset(stream));
    assert_eq!(reset, [false, false, true]);
    // And for ten seconds.
    let due = wire.data.backlog.unclaimed.deadline();
    assert!(due.is_some() && wire.data.poll_timeout() <= due);
    wire.pass(Duration::from_secs(8));
    assert!(!wire.was_reset(10) && !wire.was_reset(12));
    wire.pass(Duration::from_secs(2));
    assert!(wire.was_reset(10) && wire.was_reset(12));
    assert_eq!(wire.data.messages_dropped(), 105);
    assert_eq!(wire.data.backlog.unclaimed.deadline(), None);
}

/// The same for the next channel of a stream, whose turn the peer delays by not answering.
#[test]
fn what_a_refused_stream_held_is_dropped_with_it() {
    let mut wire = Wire::new(&Settings::default());
    wire.peer_sends(4, BINARY, vec![1; 1000]);
    wire.run();
    assert!(wire.data.backlog.unclaimed.has(4));
    // DCEP after user messages is an error.
    wire.peer_opens(4);
    wire.run();
    assert!(wire.was_reset(4));
    assert!(!wire.data.backlog.unclaimed.has(4));
    assert_eq!(wire.data.messages_dropped(), 1);
    // The peer gives one up by itself.
    wire.peer_sends(2, BINARY, vec![1; 1000]);
    wire.run();
    assert_eq!(wire.peer.reset_streams(wire.now, &[2]), Ok(()));
    wire.pass(Duration::from_secs(1));
    assert!(wire.was_reset(2));
    assert!(!wire.data.backlog.unclaimed.has(2));
}

/// What a peer can cause is bounded: channels beyond the setting are reset.
#[test]
fn the_peer_may_have_as_many_channels_as_the_settings_say() {
    let mut wire = Wire::new(&Settings::default().max_channels(3));
    for stream in [0, 2, 4, 6, 8] {
        wire.peer_opens(stream);
    }
    wire.pass(Duration::from_secs(1));
    assert_eq!(wire.announced().len(), 3);
    let reset = [0, 2, 4, 6, 8].map(|stream| wire.was_reset(stream));
    assert_eq!(reset, [false, false, false, true, true]);
}

/// OPENs wait while the application does not read its events, and are all taken when it does.
#[test]
fn announcements_wait_for_the_application() {
    let mut wire = Wire::new(&Settings::default().max_channels(5000));
    wire.tasks.set_unread(1024);
    for stream in (0..4000).step_by(2) {
        wire.peer_opens(stream);
        wire.peer_sends(stream, BINARY, vec![3]);
    }
    wire.pass(Duration::from_secs(5));
    assert_eq!(wire.announced().len(), 0);
    // One is closed before it was looked at: it comes and goes.
    assert_eq!(wire.peer.reset_streams(wire.now, &[0]), Ok(()));
    wire.pass(Duration::from_secs(1));
    assert!(!wire.was_reset(0), "the reset waits with its OPEN");
    for unread in (0..1024).rev() {
        wire.tasks.set_unread(unread);
        wire.data.settle(wire.now, &mut wire.tasks);
    }
    assert!(wire.tasks.is_full(), "as many as there is room for");
    wire.pass(Duration::from_secs(5));
    assert_eq!(wire.announced().len(), 2000);
    assert!(wire.was_reset(0));
    for id in wire.announced() {
        assert_eq!(wire.read(id), Some(Message::from(vec![3])));
    }
}

/// A stream that is reset again and again while its messages have no room is kept once.
#[test]
fn resets_that_cannot_be_finished_are_kept_once() {
    let mut wire = Wire::new(&Settings::default().receive_window(100_000));
    wire.peer_opens(0);
    wire.peer_opens(2);
    wire.run();
    let [full, other] = wire.announced()[..] else {
        panic!("two channels");
    };
    // The first takes the room beside the window.
    wire.peer_sends(0, BINARY, vec![1; 90_000]);
    wire.pass(Duration::from_secs(1));
    assert_eq!(wire.peer.reset_streams(wire.now, &[0]), Ok(()));
    wire.pass(Duration::from_secs(1));
    for round in 0..20 {
        wire.peer_sends(2, BINARY, vec![round; 1000]);
        wire.peer_sends(2, BINARY, vec![round; 20_000]);
        for _ in 0..12 {
            wire.peer_sends(2, BINARY, vec![round; 10]);
        }
        wire.pass(Duration::from_secs(1));
        let _refused = wire.peer.reset_streams(wire.now, &[2]);
        wire.pass(Duration::from_secs(1));
        if wire.data.backlog.unfinished.len() == 1 && round > 5 {
            break;
        }
    }
    assert_eq!(wire.data.backlog.unfinished.len(), 1);
    assert_eq!(wire.state(other), DataChannelState::Open, "its reset waits");
    // Room beside the window lets it go on.
    assert_eq!(wire.read(full), Some(Message::from(vec![1; 90_000])));
    wire.pass(Duration::from_secs(1));
    assert_eq!(wire.data.backlog.unfinished.len(), 0);
    assert_eq!(wire.state(other), DataChannelState::Closed);
    assert_eq!(wire.read(other), Some(Message::from(vec![0; 1000])));
}

/// Messages of a byte cost what they take in memory, on a stream that no channel has and beside the window.
#[test]
fn messages_of_a_byte_are_bounded() {
    let mut wire = Wire::new(&Settings::default().receive_window(100_000));
    for _ in 0..1000 {
        wire.peer_sends(6, BINARY, vec![1]);
    }
    wire.pass(Duration::from_secs(1));
    assert!(wire.was_reset(6), "an eighth of the window is full");
    // Channels that the peer opens, fills and closes, and that nobody reads.
    for _ in 0..20 {
        wire.peer_opens(2);
        for _ in 0..500 {
            wire.peer_sends(2, BINARY, vec![1]);
        }
        wire.pass(Duration::from_secs(1));
        assert_eq!(wire.peer.reset_streams(wire.now, &[2]), Ok(()));
        wire.pass(Duration::from_secs(1));
        if wire.data.backlog.unfinished.len() == 1 {
            return;
        }
    }
    panic!("20 channels have {} bytes", wire.data.backlog.tails);
}

/// RFC 6525 §4.1: a reset that names no stream is one of all. Each channel closes, with what had come on it.
#[test]
fn a_reset_of_all_streams_closes_every_channel() {
    let mut wire = Wire::new(&Settings::default());
    wire.peer_opens(0);
    wire.peer_opens(2);
    wire.run();
    let [one, other] = wire.announced()[..] else {
        panic!("two channels");
    };
    let (tag, last) = wire.peer_says(0);
    let reset = reset_of_all(tag, last, 2);
    assert!(wire.data.handle_packet(wire.now, ON, &reset));
    wire.pass(Duration::from_secs(1));
    for channel in [one, other] {
        assert_eq!(wire.state(channel), DataChannelState::Closed);
    }
    assert_eq!(wire.read(one), Some(Message::from(vec![1])));
}

/// The channels that have just come are among them: one that nobody has looked at yet, and one that waits for the application.
#[test]
fn a_reset_of_all_streams_reaches_channels_that_are_not_known_yet() {
    for unread in [0, 1024] {
        let mut wire = Wire::new(&Settings::default());
        wire.tasks.set_unread(unread);
        wire.peer_opens(0);
        wire.run();
        // Both in one packet.
        wire.peer_opens(2);
        let (tag, tsn) = wire.peer_says(0);
        let reset = reset_of_all(tag, tsn.wrapping_add(1), 2);
        assert!(wire.data.handle_packet(wire.now, ON, &reset));
        wire.pass(Duration::from_secs(1));
        wire.tasks.set_unread(0);
        wire.pass(Duration::from_secs(1));
        let [one, other] = wire.announced()[..] else {
            panic!("two channels, {unread} unread");
        };
        let states = [one, other].map(|id| wire.state(id));
        assert_eq!(states, [DataChannelState::Closed; 2], "{unread} unread");
    }
}

/// A packet that resets all streams of a peer whose chunk with this TSN was the first after so many.
fn reset_of_all(tag: u32, last: u32, before: u16) -> Vec<u8> {
    let request = Request::OutgoingReset {
        // The first one has the number of the first TSN, which was the first announcement's.
        sequence: last.wrapping_sub(before.into()),
        response_sequence: 0,
        last_tsn: sctp::Tsn(last),
        streams: &[],
    };
    let mut reset = Vec::new();
    Packet::start(&mut reset, PORTS.0, PORTS.1, tag);
    Reconfig::write(&mut reset, std::iter::once(request));
    Packet::finish(&mut reset, 0);
    reset
}

/// One request of a few bytes resets all streams of the peer, behind so many chunks: how long it took, and each step that followed.
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
fn reset_all(wire: &mut Wire, before: u16) -> Vec<Duration> {
    let (tag, last) = wire.peer_says(0);
    let packet = reset_of_all(tag, last, before);
    let start = Instant::now();
    assert!(wire.data.handle_packet(wire.now, ON, &packet));
    wire.data.settle(wire.now, &mut wire.tasks);
    let mut times = vec![start.elapsed()];
    while wire.data.poll_timeout() == Some(wire.now) {
        let listed = wire.data.backlog.resets.len();
        assert!(listed <= inbound::LISTED, "{listed} listed at once");
        let waiting = wire.data.backlog.resets.len();
        let start = Instant::now();
        wire.data.handle_timeout(wire.now);
        wire.data.settle(wire.now, &mut wire.tasks);
        times.push(start.elapsed());
        let performed = waiting.saturating_sub(wire.data.backlog.resets.len());
        assert!(performed <= STEP, "{performed} in a step");
    }
    times
}

/// What one request of a few bytes brings about is work for each channel once, done in steps: beside ten times as many it costs about
/// as much a channel.
#[test]
fn a_reset_of_all_streams_costs_little_a_channel() {
    let reset = |channels: u16| {
        let mut wire = Wire::new(&Settings::default());
        for channel in 0..channels {
            wire.peer_opens(2 * channel);
            wire.run();
        }
        assert_eq!(wire.announced().len(), usize::from(channels));
        let times = reset_all(&mut wire, channels);
        assert!(
            times.len() >= usize::from(channels) / STEP,
            "{} steps",
            times.len()
        );
        wire.pass(Duration::from_secs(1));
        let channels = wire.announced();
        let closed = |id: &ChannelId| wire.state(*id) == DataChannelState::Closed;
        assert!(channels.iter().all(closed));
        times.iter().sum::<Duration>() / channels.len() as u32
    };
    // By the clock: one undisturbed round is enough, and no round has work that grows with the channels.
    let rounds: Vec<_> = (0..10).map(|_| (reset(100), reset(1000))).collect();
    let even = |&(few, many): &(Duration, Duration)| many <= few * 3 / 2 + Duration::from_micros(1);
    assert!(rounds.iter().any(even), "of 100 and of 1,000: {rounds:?}");
}

/// What begins while a reset of all streams is dealt with has another life of its stream: a channel of ours, and one of the peer's.
#[test]
fn a_reset_of_all_streams_spares_channels_that_begin_after_it() {
    let mut wire = Wire::new(&Settings::default());
    let before: Vec<_> = (0..1000).map(|id| wire.opens(Some(id), "")).collect();
    let (tag, last) = wire.peer_says(0);
    let packet = reset_of_all(tag, last, 0);
    assert!(wire.data.handle_packet(wire.now, ON, &packet));
    wire.data.settle(wire.now, &mut wire.tasks);
    assert!(wire.data.backlog.all.is_some(), "more than a step");
    let init = DataChannelInit {
        negotiated: true,
        id: Some(2001),
        ..DataChannelInit::default()
    };
    let ours = wire.data.open("", &init).unwrap();
    // In another life of the stream, as its number says.
    wire.peer_opens(2000);
    let mut open = Vec::new();
    assert!(wire.peer.poll_transmit(wire.now, 1200, &mut open));
    assert!(wire.data.handle_packet(wire.now, ON, &open));
    wire.data.settle(wire.now, &mut wire.tasks);
    assert!(wire.data.backlog.all.is_some(), "more than two steps");
    wire.pass(Duration::from_secs(60));
    let closed = |id: &ChannelId| wire.state(*id) == DataChannelState::Closed;
    assert!(before.iter().all(closed));
    assert_eq!(wire.state(ours), DataChannelState::Open);
    let [theirs] = wire.announced()[..] else {
        panic!("{:?}", wire.announced());
    };
    assert_eq!(wire.state(theirs), DataChannelState::Open);
}

/// All the channels that there can be, in a build that is used.
#[test]
fn a_reset_of_all_that_there_can_be_is_done_in_steps() {
    let channels = if cfg!(debug_assertions) {
        3000
    } else {
        u16::MAX
    };
    let mut wire = Wire::new(&Settings::default());
    let ids: Vec<_> = (0..channels).map(|id| wire.opens(Some(id), "")).collect();
    let mut times = reset_all(&mut wire, 0);
    let (first, all) = (times[0], times.iter().sum::<Duration>());
    times.sort_unstable();
    let late = times[times.len() * 99 / 100];
    println!(
        "{channels} channels: {all:?}, of it {first:?} for the packet; of {} steps 99 in 100 took {late:?} at most",
        times.len()
    );
    wire.pass(Duration::from_secs(60));
    assert!(
        ids.iter()
            .all(|id| wire.state(*id) == DataChannelState::Closed)
    );
}

/// Everything that was told, and how many channels each step closed.
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
fn ends_in_steps(wire: &mut Wire, channels: usize) -> Vec<usize> {
    let closed = |event: &Event| matches!(event, Event::Channel(_, ChannelEvent::Close));
    let mut steps = Vec::new();
    let mut times = Vec::new();
    loop {
        let start = Instant::now();
        wire.data.handle_timeout(wire.now);
        wire.data.settle(wire.now, &mut wire.tasks);
        times.push(start.elapsed());
        let told: Vec<Event> = std::iter::from_fn(|| wire.tasks.pop()).flatten().collect();
        steps.push(told.iter().filter(|event| closed(event)).count());
        wire.events.extend(told);
        if wire.data.poll_timeout().is_none_or(|at| at > wire.now) {
            break;
        }
    }
    times.sort_unstable();
    println!(
        "{channels} channels: {:?} in {} steps, of which 99 in 100 took {:?} at most",
        times.iter().sum::<Duration>(),
        times.len(),
        times[times.len() * 99 / 100]
    );
    assert!(steps.iter().all(|it| *it <= 2 * over::CLOSED), "{steps:?}");
    assert_eq!(steps.iter().sum::<usize>(), channels);
    steps
}

/// A packet of a few bytes ends all the channels that there can be: they are told in steps, and the end of the peer after them.
#[test]
fn an_abort_closes_channels_in_steps() {
    let channels = if cfg!(debug_assertions) {
        3000
    } else {
        u16::MAX
    };
    let mut wire = Wire::new(&Settings::default());
    let ids: Vec<_> = (0..channels).map(|id| wire.opens(Some(id), "")).collect();
    wire.sends(ids[9], vec![1; 900]);
    wire.peer_sends(channels - 1, BINARY, vec![7; 900]);
    wire.peer_sends(0, BINARY, vec![8; 900]);
    wire.pass(Duration::from_millis(300));
    wire.sends(ids[usize::from(channels) - 9], vec![2; 800]);
    wire.events.clear();
    wire.peer_aborts();
    let steps = ends_in_steps(&mut wire, channels.into());
    assert!(
        steps.len() >= usize::from(channels) / (2 * over::CLOSED),
        "{}",
        steps.len()
    );
    assert!(
        ids.iter()
            .all(|id| wire.state(*id) == DataChannelState::Closed)
    );
    assert!(matches!(
        wire.events.first(),
        Some(Event::SctpTransport(SctpTransportState::Closed))
    ));
    assert!(matches!(wire.events.last(), Some(Event::PeerClosed)));
    let told = wire.told(ids[usize::from(channels) - 1]);
    assert!(matches!(
        told[..],
        [ChannelEvent::Error(_), ChannelEvent::Close]
    ));
    // What had come is there to be read, and what had not left is known.
    let last = usize::from(channels) - 1;
    assert_eq!(wire.read(ids[last]), Some(Message::from(vec![7; 900])));
    assert_eq!(wire.read(ids[0]), Some(Message::from(vec![8; 900])));
    assert_eq!(wire.data.buffered_amount(ids[last - 8]), 800);
    assert!(wire.data.has_lost(ids[last - 8]) && !wire.data.has_lost(ids[9]));
    assert!(wire.data.association_stats().is_none());
    assert_eq!(wire.data.leaving.len(), 1);
}

/// Channels of every kind: open and idle, with something on its way or unread, closing, and such that something is lost of and that
/// do not care; and what has no channel. Another association is expected.
fn every_kind() -> (Wire, Vec<ChannelId>) {
    let mut wire = Wire::new(&Settings::default());
    let mut ids: Vec<_> = (100..400).map(|id| wire.opens(Some(id), "")).collect();
    let partly = DataChannelInit {
        negotiated: true,
        id: Some(500),
        max_retransmits: Some(0),
        ..DataChannelInit::default()
    };
    ids.push(wire.data.open("", &partly).unwrap());
    wire.peer_opens(2);
    wire.peer_opens(4);
    wire.pass(Duration::from_millis(300));
    ids.extend(wire.announced());
    for id in [3, 50, 150, 250, 301] {
        let stream = wire.data.channel(ids[id]).unwrap().stream().unwrap();
        wire.peer_sends(stream, BINARY, vec![7; 900 + id]);
        wire.peer_sends(stream, BINARY, vec![8; 900 + id]);
    }
    for _ in 0..3 {
        wire.peer_sends(600, BINARY, vec![9; 900]);
    }
    wire.pass(Duration::from_millis(300));
    // Nothing of these reaches the peer.
    for id in [7, 50, 120, 300, 302] {
        wire.sends(ids[id], vec![1; 700 + id]);
    }
    for id in [20, 200] {
        wire.data.close_channel(ids[id]);
    }
    wire.data.settle(wire.now, &mut wire.tasks);
    wire.events.clear();
    wire.data.another = Some([3; 32]);
    (wire, ids)
}

/// All that an application sees of what has been carried over.
fn seen(wire: &mut Wire, ids: &[ChannelId]) -> Vec<String> {
    while let Some(task) = wire.tasks.pop() {
        wire.events.extend(task);
    }
    let mut seen: Vec<_> = wire.events.iter().map(|it| format!("{it:?}")).collect();
    for id in ids {
        let state = wire.state(*id);
        let amounts = (
            wire.data.buffered_amount(*id),
            wire.data.unacknowledged(*id),
        );
        let lost = wire.data.has_lost(*id);
        let read: Vec<_> = std::iter::from_fn(|| wire.read(*id))
            .map(|it| it.len())
            .collect();
        seen.push(format!("{id:?}: {state:?} {amounts:?} {lost} {read:?}"));
    }
    let streams = Vec::from_iter(wire.data.session.streams_from(0));
    seen.push(format!("{streams:?} {}", wire.data.messages_dropped()));
    seen
}

/// The peer begins the other association, which both use then.
fn goes_on(wire: &mut Wire, channel: ChannelId) {
    wire.data.connect(wire.now, None, true);
    wire.peer = sctp::Association::new(sctp::Config::default(), [9; 32], wire.now);
    wire.peer.connect(wire.now);
    wire.pass(Duration::from_secs(2));
    let stream = wire.data.channel(channel).unwrap().stream().unwrap();
    wire.peer_sends(stream, BINARY, vec![5; 555]);
    wire.pass(Duration::from_millis(300));
    assert_eq!(wire.read(channel), Some(Message::from(vec![5; 555])));
}

/// In steps all comes out as at once.
#[test]
fn carrying_over_in_steps_is_as_at_once() {
    let outcomes = [false, true].map(|at_once| {
        let (mut wire, ids) = every_kind();
        wire.peer_aborts();
        wire.data.settle(wire.now, &mut wire.tasks);
        assert!(wire.data.carrying.is_some());
        if at_once {
            wire.data.finish_carrying(&mut wire.tasks);
        }
        // One that waits for the association beside those that are carried over.
        let waits = wire.data.open("late", &DataChannelInit::default()).unwrap();
        wire.takes_steps();
        assert!(wire.data.carrying.is_none() && wire.data.poll_timeout().is_none());
        assert_eq!(wire.data.messages_dropped(), 3, "they were nobody's");
        let mut seen = seen(&mut wire, &ids);
        goes_on(&mut wire, ids[0]);
        assert_eq!(wire.state(waits), DataChannelState::Open);
        seen.extend(wire.told(waits).iter().map(|it| format!("{it:?}")));
        // What was free may be used.
        for id in [7, 20] {
            wire.opens(Some(100 + id), "");
        }
        seen
    });
    let closed = outcomes[0]
        .iter()
        .filter(|it| it.contains("Closed"))
        .count();
    assert_eq!(
        closed, 6,
        "four have lost, two were closing: {:?}",
        outcomes[0]
    );
    assert_eq!(outcomes[0], outcomes[1]);
}

/// A channel that is used before its turn is carried over then.
#[test]
fn what_is_used_is_carried_over_at_once() {
    let (mut wire, ids) = every_kind();
    wire.peer_aborts();
    wire.data.settle(wire.now, &mut wire.tasks);
    // What is shown is what it was.
    assert_eq!(wire.data.unacknowledged(ids[120]), 820);
    assert_eq!(wire.read(ids[150]).map(|it| it.len()), Some(1050));
    for id in [120, 160] {
        wire.data.bring_over(ids[id], &mut wire.tasks);
        wire.data.bring_over(ids[id], &mut wire.tasks);
    }
    assert_eq!(wire.state(ids[120]), DataChannelState::Closed);
    assert_eq!(
        wire.data.buffered_amount(ids[120]),
        820,
        "it was left behind"
    );
    assert!(wire.data.has_lost(ids[120]));
    wire.sends(ids[160], vec![6; 666]);
    // Its end waits for the turn of all.
    wire.data.bring_over(ids[161], &mut wire.tasks);
    wire.data.close_channel(ids[161]);
    wire.data.settle(wire.now, &mut wire.tasks);
    assert!(wire.data.carrying.is_some());
    assert_eq!(wire.data.buffered_amount(ids[160]), 666);
    goes_on(&mut wire, ids[1]);
    assert_eq!(wire.data.buffered_amount(ids[160]), 0);
    assert_eq!(wire.peer.read(260).map(|it| it.payload.len()), Some(666));
    assert!(wire.was_reset(261));
    let told = wire.told(ids[120]);
    assert!(
        matches!(told[..], [ChannelEvent::Error(_), ChannelEvent::Close]),
        "{told:?}"
    );
    assert_eq!(wire.read(ids[150]).map(|it| it.len()), Some(1050));
    assert_eq!(wire.read(ids[150]), None);
}

/// What takes the place of the other association, or ends all, finds nothing of it; and another that follows has all that came.
#[test]
fn carrying_over_is_over_before_anything_else_begins() {
    type Verb = fn(&mut Wire);
    let verbs: [(Verb, bool); 4] = [
        (|it| it.data.renew(it.now, [5; 32], &mut it.tasks), true),
        (|it| it.data.remove(it.now, &mut it.tasks), true),
        // W3C's close: nobody reads after it.
        (|it| it.data.close(it.now), false),
        (
            |it| {
                it.data.another = Some([4; 32]);
                it.data.leave_keys(it.now, ON, &mut it.tasks);
                let left = it.data.session.next_left();
                assert_eq!(left, it.data.session.channels().next(), "it begins anew");
                it.takes_steps();
            },
            true,
        ),
    ];
    for (verb, is_read) in verbs {
        let (mut wire, ids) = every_kind();
        wire.peer_aborts();
        wire.data.settle(wire.now, &mut wire.tasks);
        assert!(wire.data.carrying.is_some());
        verb(&mut wire);
        assert!(wire.data.carrying.is_none());
        assert!(wire.data.has_lost(ids[120]));
        let read = wire.read(ids[250]).map(|it| it.len());
        assert_eq!(read, is_read.then_some(1150));
    }
}

/// What was set for a channel is set for its stream in the other association.
#[test]
fn a_threshold_is_carried_over() {
    let (mut wire, ids) = every_kind();
    wire.data.set_threshold(ids[160], 500);
    wire.peer_aborts();
    wire.data.settle(wire.now, &mut wire.tasks);
    wire.takes_steps();
    wire.sends(ids[160], vec![6; 400]);
    wire.sends(ids[161], vec![6; 400]);
    goes_on(&mut wire, ids[1]);
    assert_eq!(wire.told(ids[160]).len(), 0, "it was below all the time");
    assert!(matches!(
        wire.told(ids[161])[..],
        [ChannelEvent::BufferedAmountLow]
    ));
}

/// Announcements that have no effect stand before what the application can read, and are passed over while its channel ends.
#[test]
fn what_stands_behind_announcements_is_read() {
    let mut wire = Wire::new(&Settings::default());
    let ids: Vec<_> = (0..500).map(|id| wire.opens(Some(id), "")).collect();
    wire.tasks.set_unread(1024);
    for _ in 0..12 {
        wire.peer_opens(450);
    }
    wire.peer_sends(450, BINARY, vec![7; 900]);
    wire.pass(Duration::from_millis(300));
    wire.peer_restarts();
    assert_eq!(
        wire.state(ids[450]),
        DataChannelState::Open,
        "its turn is to come"
    );
    assert_eq!(wire.read(ids[450]), Some(Message::from(vec![7; 900])));
}

/// Streams whose time is over are given up one after the other.
#[test]
fn streams_are_given_up_one_by_one() {
    let mut wire = Wire::new(&Settings::default());
    for stream in [10, 12, 14] {
        wire.peer_sends(stream, BINARY, vec![7; 900]);
    }
    wire.pass(Duration::from_secs(9));
    wire.now += Duration::from_secs(2);
    wire.data.handle_timeout(wire.now);
    assert_eq!(wire.data.messages_dropped(), 1);
    assert!(wire.data.poll_timeout().is_some_and(|at| at <= wire.now));
    wire.takes_steps();
    assert_eq!(wire.data.messages_dropped(), 3);
}

/// The other association ends before all are carried over: they end with it, and what is known of them is what it was.
#[test]
fn what_is_left_ends_with_the_other_association() {
    let (mut wire, ids) = every_kind();
    wire.peer_aborts();
    wire.data.settle(wire.now, &mut wire.tasks);
    wire.data.bring_over(ids[160], &mut wire.tasks);
    wire.sends(ids[160], vec![6; 666]);
    wire.data.end(None, &mut wire.tasks);
    wire.data.ended_by_peer(&mut wire.tasks);
    assert!(wire.data.ending.is_some() && wire.data.carrying.is_some());
    assert_eq!(wire.read(ids[250]).map(|it| it.len()), Some(1150));
    wire.data.bring_over(ids[120], &mut wire.tasks);
    wire.takes_steps();
    assert_eq!(wire.data.buffered_amount(ids[120]), 820);
    assert!(wire.data.ending.is_none() && wire.data.carrying.is_none());
    assert!(
        ids.iter()
            .all(|id| wire.state(*id) == DataChannelState::Closed)
    );
    assert_eq!(wire.read(ids[150]).map(|it| it.len()), Some(1050));
    assert_eq!(wire.read(ids[250]).map(|it| it.len()), Some(1150));
    assert_eq!(wire.data.buffered_amount(ids[160]), 666);
    assert!(wire.data.has_lost(ids[120]) && wire.data.has_lost(ids[300]));
    while let Some(task) = wire.tasks.pop() {
        wire.events.extend(task);
    }
    assert!(matches!(wire.events.last(), Some(Event::PeerClosed)));
    assert_eq!(wire.data.session.streams_from(0).next(), None);
}

/// Nobody can be told any more when DTLS has ended.
#[test]
fn an_end_without_a_transport_leaves_nothing() {
    let mut wire = Wire::new(&Settings::default());
    for id in 0..500 {
        wire.opens(Some(id), "");
    }
    wire.data.end(None, &mut wire.tasks);
    wire.data.cut_off(ON);
    wire.data.ended_by_peer(&mut wire.tasks);
    assert!(wire.data.association_stats().is_some(), "more than a step");
    ends_in_steps(&mut wire, 500);
    assert!(matches!(wire.events.last(), Some(Event::PeerClosed)));
    assert!(wire.data.association_stats().is_none());
    assert!(wire.data.leaving.is_empty());
}

/// The peer begins anew, up to the packet by which we know it.
fn restart(wire: &mut Wire) {
    wire.peer_restarts();
    assert!(wire.peer.is_established());
}

/// A connection whose association has ended, with most of its channels still to be told. One was closed before, and a message on it
/// not read; another message is nobody's.
fn ending() -> (Wire, Vec<ChannelId>) {
    let mut wire = Wire::new(&Settings::default());
    let ids: Vec<_> = (0..500).map(|id| wire.opens(Some(id), "")).collect();
    wire.peer_sends(3, BINARY, vec![7; 900]);
    wire.peer_sends(600, BINARY, vec![8; 900]);
    wire.pass(Duration::from_millis(300));
    wire.peer.reset_streams(wire.now, &[3]).unwrap();
    wire.pass(Duration::from_millis(300));
    assert_eq!(wire.state(ids[3]), DataChannelState::Closed);
    wire.peer_aborts();
    wire.data.settle(wire.now, &mut wire.tasks);
    assert!(wire.data.ending.is_some());
    (wire, ids)
}

/// What takes its place finds nothing of it.
#[test]
fn an_end_is_over_before_anything_else_begins() {
    type Verb = fn(&mut Wire);
    let verbs: [(Verb, bool); 3] = [
        (|it| it.data.renew(it.now, [5; 32], &mut it.tasks), true),
        (|it| it.data.remove(it.now, &mut it.tasks), false),
        (|it| it.data.close(it.now), false),
    ];
    for (verb, renewed) in verbs {
        let (mut wire, ids) = ending();
        verb(&mut wire);
        assert!(wire.data.ending.is_none());
        let closed = |id: &ChannelId| wire.state(*id) == DataChannelState::Closed;
        assert!(ids.iter().all(closed));
        wire.data.settle(wire.now, &mut wire.tasks);
        assert_eq!(wire.data.association_stats().is_some(), renewed);
        assert_eq!(wire.data.leaving.len(), 1);
    }
}

/// A restart goes on when the keys are others, and those that are opened meanwhile are carried over.
#[test]
fn a_restart_ends_channels_beside_another_association() {
    let mut wire = Wire::new(&Settings::default());
    let ids: Vec<_> = (0..500).map(|id| wire.opens(Some(id), "")).collect();
    wire.peer_sends(450, BINARY, vec![7; 900]);
    wire.pass(Duration::from_millis(300));
    wire.peer_restarts();
    let init = DataChannelInit {
        negotiated: true,
        id: Some(450),
        ..DataChannelInit::default()
    };
    let newer = wire.data.open("", &init).unwrap();
    wire.data.another = Some([3; 32]);
    wire.data.leave_keys(wire.now, ON, &mut wire.tasks);
    assert!(wire.data.ending.is_some() && wire.data.another.is_none());
    wire.data.connect(wire.now, None, true);
    let state = wire.data.live_ref().map(sctp::Association::state);
    assert_eq!(
        state,
        Some(sctp::State::CookieWait),
        "we need not wait for the peer"
    );
    goes_on(&mut wire, newer);
    assert!(wire.data.ending.is_none() && wire.data.carrying.is_none());
    let closed = |id: &ChannelId| wire.state(*id) == DataChannelState::Closed;
    assert!(ids.iter().all(closed));
    assert_eq!(wire.read(ids[450]), Some(Message::from(vec![7; 900])));
}

/// What was not read is accounted for.
#[test]
fn what_came_before_an_end_is_read_or_counted() {
    let (mut wire, ids) = ending();
    wire.data.finish_ending(&mut wire.tasks);
    assert_eq!(wire.data.messages_dropped, 1);
    assert_eq!(wire.read(ids[3]), Some(Message::from(vec![7; 900])));
}

/// DTLS that comes late does not begin what is over already.
#[test]
fn what_ends_does_not_begin() {
    let now = oxirtc_netsim::epoch();
    for ends in [false, true] {
        let mut data = Data::new(&Settings::default(), Label([0, 0]));
        let mut tasks = Tasks::default();
        data.create(ON, [1; 32]);
        data.negotiate(now, ON, PORTS, 1 << 20);
        for _ in 0..500 {
            data.open("", &DataChannelInit::default()).unwrap();
        }
        if ends {
            data.end(None, &mut tasks);
            assert!(data.ending.is_some());
        }
        data.connect(now, None, true);
        data.finish_ending(&mut tasks);
        let begins = data.poll_transmit(now, ON, 1200, &mut Vec::new());
        assert_eq!(begins, !ends);
    }
}

/// RFC 9260 §5.2.4: the channels of before are told in steps, and what stands on their streams by then is none of theirs.
#[test]
fn a_restart_closes_channels_in_steps() {
    let channels = if cfg!(debug_assertions) {
        3000
    } else {
        u16::MAX
    };
    let mut wire = Wire::new(&Settings::default());
    let ids: Vec<_> = (0..channels).map(|id| wire.opens(Some(id), "")).collect();
    let last = usize::from(channels) - 1;
    for stream in [channels - 1, channels - 3] {
        wire.peer_sends(stream, BINARY, vec![7; 900]);
        wire.peer_sends(stream, BINARY, vec![8; 900]);
    }
    wire.sends(ids[last - 2], vec![9; 800]);
    wire.pass(Duration::from_millis(300));
    wire.events.clear();
    restart(&mut wire);
    let closed = |wire: &Wire, id: usize| wire.state(ids[id]) == DataChannelState::Closed;
    assert!(closed(&wire, 0) && !closed(&wire, last));
    // One that is still to be told cannot be sent on; it can be closed, and what came on it be read.
    let refused = wire.data.send(wire.now, ids[last], &Message::from(vec![1]));
    assert!(matches!(refused, Err(SendError::Refused(_))));
    wire.data.close_channel(ids[last - 1]);
    assert_eq!(wire.read(ids[last]), Some(Message::from(vec![7; 900])));
    // Others have the streams: of ours, and of the peer's.
    let init = DataChannelInit {
        negotiated: true,
        id: Some(channels - 3),
        ..DataChannelInit::default()
    };
    let ours = wire.data.open("", &init).unwrap();
    wire.sends(ours, vec![3; 700]);
    assert_eq!(wire.data.buffered_amount(ours), 700);
    assert_eq!(wire.data.buffered_amount(ids[last - 2]), 0);
    wire.peer_sends(channels - 3, BINARY, vec![4; 700]);
    let stream = (channels - 1) & !1;
    wire.peer_opens(stream);
    while wire.peer.poll_timeout().is_some_and(|at| at <= wire.now) {
        wire.peer.handle_timeout(wire.now);
    }
    let mut packet = Vec::new();
    while wire.peer.poll_transmit(wire.now, 1200, &mut packet) {
        wire.data.handle_packet(wire.now, ON, &packet);
        packet.clear();
    }
    assert_eq!(wire.read(ours), None);
    assert!(wire.data.ending.is_some());
    let events: Vec<Event> = std::iter::from_fn(|| wire.tasks.pop()).flatten().collect();
    let close = |event: &&Event| matches!(event, Event::Channel(_, ChannelEvent::Close));
    let before = events.iter().filter(close).count();
    ends_in_steps(&mut wire, usize::from(channels) - before);
    wire.pass(Duration::from_secs(1));
    assert!((0..=last).all(|id| closed(&wire, id)));
    assert_eq!(wire.read(ids[last]), Some(Message::from(vec![8; 900])));
    for text in [7, 8] {
        assert_eq!(
            wire.read(ids[last - 2]),
            Some(Message::from(vec![text; 900]))
        );
    }
    for id in [last, last - 2] {
        assert_eq!(wire.read(ids[id]), None);
    }
    assert_eq!(wire.data.buffered_amount(ids[last - 2]), 0);
    // The one that the application closed has no error.
    assert!(matches!(
        wire.told(ids[last - 1])[..],
        [ChannelEvent::Close]
    ));
    assert_eq!(wire.state(ours), DataChannelState::Open);
    assert_eq!(wire.read(ours), Some(Message::from(vec![4; 700])));
    let [theirs] = wire.announced()[..] else {
        panic!("{:?}", wire.announced());
    };
    assert_eq!(wire.state(theirs), DataChannelState::Open);
    let received = wire.peer.read(channels - 3).map(|it| it.payload);
    assert_eq!(received.as_deref(), Some(&[3; 700][..]));
}

/// RFC 8841 §6: 0 stands for no limit, which is what an association can take.
#[test]
fn no_limit_of_a_message_is_a_large_one() {
    let mut wire = Wire::new(&Settings::default().max_message_size(0));
    wire.peer_opens(0);
    wire.peer_sends(0, BINARY, vec![5; 1 << 20]);
    wire.pass(Duration::from_secs(5));
    let id = wire.announced()[0];
    assert_eq!(wire.read(id), Some(Message::from(vec![5; 1 << 20])));
    assert_eq!(
        Settings::default()
            .max_message_size(0)
            .announced_message_size(),
        1 << 30
    );
}
