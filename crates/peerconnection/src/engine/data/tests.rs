//! The data of one engine, and a peer that is an association in the hands of the test.

use std::time::Duration;

use bytes::Bytes;
use datachannel::message::{Message as Dcep, Open};
use oxirtc_sctp as sctp;
use sctp::packet::{ChunkKind, Packet, Reconfig, Request};

use super::*;
use crate::{
    DataChannelState, ErrorDetail, Message, Priority, SctpTransportState, SendError,
    engine::{
        TransportId,
        task::{ChannelEvent, Event},
    },
};

mod beside;
mod carrying;
mod cost;
mod ending;
mod lives;

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

/// All the channels that there can be, in a build that is used: how many, and which.
fn all_channels() -> (u16, Wire, Vec<ChannelId>) {
    let channels = match cfg!(debug_assertions) {
        true => 3000,
        false => u16::MAX,
    };
    let mut wire = Wire::new(&Settings::default());
    let ids = (0..channels).map(|id| wire.opens(Some(id), "")).collect();
    (channels, wire, ids)
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
    let (channels, mut wire, ids) = all_channels();
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

/// A peer that asks for resets again and again has them dealt with one after the other, and what is still to be done does not grow.
#[test]
fn resets_do_not_pile_up() {
    let mut wire = Wire::new(&Settings::default());
    let (tag, last) = wire.peer_says(60);
    for round in 0..200 {
        let first = (round * 32 % 8000) as u16;
        let streams = Vec::from_iter((first..first + 32).flat_map(u16::to_be_bytes));
        let mut packet = Vec::new();
        Packet::start(&mut packet, PORTS.1, PORTS.0, tag);
        let request = Request::OutgoingReset {
            // They begin at the peer's first TSN.
            sequence: last.wrapping_add(round),
            response_sequence: 0,
            last_tsn: sctp::Tsn(last),
            streams: &streams,
        };
        Reconfig::write(&mut packet, std::iter::once(request));
        Packet::finish(&mut packet, 0);
        assert!(wire.data.handle_packet(wire.now, ON, &packet));
        wire.data.settle(wire.now, &mut wire.tasks);
        wire.data.handle_timeout(wire.now);
        wire.data.settle(wire.now, &mut wire.tasks);
        let backlog = &wire.data.backlog;
        let most = backlog.ready.len().max(backlog.resets.len());
        assert!(most <= 64, "{most} after {round}");
    }
    wire.takes_steps();
    assert!(wire.data.session.streams_from(0).count() >= 6400);
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

/// RFC 8837: a new channel is weighed by itself, and not all that there are with it.
#[test]
fn a_new_channel_weighs_no_other() {
    let mut wire = Wire::new(&Settings::default().dscp(true));
    let init = DataChannelInit {
        priority: Priority::High,
        ..DataChannelInit::default()
    };
    wire.data.open("", &init).unwrap();
    wire.run();
    assert_eq!(wire.data.priority, Some(datachannel::Priority::High));
    wire.data.priority = None;
    wire.opens(Some(6), "");
    wire.peer_opens(8);
    wire.pass(Duration::from_millis(300));
    assert_eq!(wire.announced().len(), 1);
    assert_eq!(wire.data.priority, Some(datachannel::Priority::Low));
}

/// A message of so many parts is read in steps, the next of which is told of.
#[test]
fn what_is_no_message_is_passed_over_in_steps() {
    let mut wire = Wire::new(&Settings::default());
    let id = wire.opens(Some(6), "");
    for _ in 0..1000 {
        wire.peer_sends(6, datachannel::ppid::BINARY_PARTIAL, vec![1]);
    }
    wire.peer_sends(6, BINARY, vec![1]);
    wire.pass(Duration::from_secs(1));
    let mut reads = 0;
    let message = loop {
        let readable = |it: &Event| matches!(it, Event::Readable(readable) if *readable == id);
        assert!(wire.events.iter().any(readable), "of {reads} reads");
        wire.events.clear();
        reads += 1;
        match wire.read(id) {
            Some(message) => break message,
            None => assert!(wire.data.goes_on()),
        }
        wire.run();
    };
    assert_eq!(message, Message::from(vec![1; 1001]));
    assert!(reads > 30, "{reads}");
    wire.run();
    assert_eq!(wire.read(id), None);
    assert!(!wire.data.goes_on());
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
