//! Two sessions connected by ideal streams: random sequences of what users do, and what must hold at the end of them.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its sessions has failed"
)]

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use oxirtc_datachannel::{
    ChannelId, Config, Disposition, Error, Event, Failure, Initiator, Parameters, Payload,
    Reliability, Role, Session, State, ppid,
};
use oxirtc_netsim::{
    self as netsim,
    End::{self, A, B},
    Machine, Wire,
};
use proptest::prelude::*;

/// A session on an association that keeps what the session does not take yet.
#[derive(Debug)]
struct Side {
    session: Session,
    /// What has arrived and is not taken, by stream: messages with their identifiers, and resets.
    arrived: BTreeMap<u16, VecDeque<Option<(u32, Bytes)>>>,
    /// What is to be sent.
    outgoing: VecDeque<(Lane, Vec<u8>)>,
    /// Messages sent and received by channels, in order.
    sent: BTreeMap<ChannelId, Vec<Payload>>,
    received: BTreeMap<ChannelId, Vec<Payload>>,
    events: Vec<Event>,
}

/// What keeps its order: a stream, or with none what an association answers to resets (RFC 6525 §4.4).
type Lane = Option<u16>;

impl Side {
    fn new(role: Role) -> Self {
        let mut session = Session::new(Config::new());
        session.set_role(role);
        session.set_connected(64);
        Self {
            session,
            arrived: BTreeMap::new(),
            outgoing: VecDeque::new(),
            sent: BTreeMap::new(),
            received: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    fn put(&mut self, stream: u16, ppid: u32, payload: &[u8]) {
        let datagram = [&ppid.to_be_bytes(), payload].concat();
        self.outgoing.push_back((Some(stream), datagram));
    }

    fn send(&mut self, id: ChannelId, payload: Payload) -> Result<(), Error> {
        let out = self.session.send(id, payload.clone())?;
        self.put(out.stream, out.ppid, &out.payload);
        self.sent.entry(id).or_default().push(payload);
        Ok(())
    }

    /// Takes the next of one stream; false when it has to wait.
    fn take(&mut self, number: u16) -> bool {
        let first = self.arrived.get_mut(&number).and_then(VecDeque::pop_front);
        match first {
            None => return false,
            Some(None) => {
                self.session.handle_incoming_reset(number);
                let answer = number.to_be_bytes().to_vec();
                self.outgoing.push_back((None, answer));
            }
            Some(Some((ppid::DCEP, bytes))) => self.session.handle_message(number, &bytes),
            Some(Some((ppid, bytes))) => match self.session.handle_user_message(number) {
                Disposition::Hold => {
                    let all = self.arrived.entry(number).or_default();
                    all.push_front(Some((ppid, bytes)));
                    return false;
                }
                Disposition::Discard => {}
                Disposition::Deliver => {
                    let id = self.session.by_stream(number).unwrap();
                    let payload = self.session.decode(id, ppid, bytes).unwrap().unwrap();
                    self.received.entry(id).or_default().push(payload);
                }
            },
        }
        true
    }

    fn state(&self, id: ChannelId) -> Option<State> {
        let state = self.session.channel(id).map(|it| it.state());
        state.filter(|state| *state != State::Closed)
    }
}

/// What stands on a stream for its reset: too short for a message.
const RESET: [u8; 1] = [0];

impl Machine for Side {
    type Route = Lane;

    fn handle_datagram(&mut self, _now: Instant, lane: Lane, datagram: &mut [u8]) {
        let Some(number) = lane else {
            let number = u16::from_be_bytes(datagram.try_into().unwrap());
            return self.session.handle_outgoing_reset(number);
        };
        let message = datagram.split_first_chunk();
        let message = message
            .map(|(ppid, payload)| (u32::from_be_bytes(*ppid), Bytes::copy_from_slice(payload)));
        self.arrived.entry(number).or_default().push_back(message);
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_transmit(
        &mut self,
        _now: Instant,
        _room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<(Lane, usize)> {
        let (lane, datagram) = self.outgoing.pop_front()?;
        buf.extend(&datagram);
        Some((lane, datagram.len()))
    }

    fn poll(&mut self, _now: Instant) -> bool {
        let numbers: Vec<_> = self.arrived.keys().copied().collect();
        let mut more = false;
        for number in numbers {
            more |= self.take(number);
        }
        while let Some(out) = self.session.poll_send() {
            self.put(out.stream, out.ppid, &out.payload);
        }
        while let Some(number) = self.session.poll_reset() {
            self.outgoing.push_back((Some(number), RESET.to_vec()));
        }
        let known = self.events.len();
        self.events
            .extend(std::iter::from_fn(|| self.session.poll_event()));
        more || self.events.len() > known
    }

    fn mirrored(lane: Lane) -> Lane {
        lane
    }
}

/// Keeps the order of each lane, and of nothing else.
#[derive(Debug, Default)]
struct Lanes {
    /// By receiver and lane, of which none is empty.
    under_way: BTreeMap<(End, Lane), VecDeque<Vec<u8>>>,
    /// Everything arrives now, now from this lane and then from that.
    flows: bool,
    turns: usize,
}

impl Lanes {
    /// The next of the `choice`th of the lanes that lead there.
    fn pick(&mut self, choice: usize, there: impl Fn(End) -> bool) -> Option<(End, Lane, Vec<u8>)> {
        let leading = self.under_way.keys().filter(|(to, _)| there(*to)).copied();
        let leading: Vec<_> = leading.collect();
        let key = *leading.get(choice % leading.len().max(1))?;
        let lane = self.under_way.get_mut(&key)?;
        let datagram = lane.pop_front()?;
        if lane.is_empty() {
            self.under_way.remove(&key);
        }
        Some((key.0, key.1, datagram))
    }
}

impl Wire<Lane> for Lanes {
    fn send(&mut self, _now: Instant, to: End, lane: Lane, datagram: Vec<u8>) {
        let lane = self.under_way.entry((to, lane)).or_default();
        lane.push_back(datagram);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn receive(&mut self, _now: Instant) -> Option<(End, Lane, Vec<u8>)> {
        self.turns += 1;
        let flows = self.flows;
        self.pick(self.turns, |_| flows)
    }
}

type Pair = netsim::Pair<Side, Lanes>;

fn pair() -> Pair {
    Pair::new(
        [Role::Client, Role::Server].map(Side::new),
        Lanes::default(),
    )
}

fn open(pair: &mut Pair, side: End, parameters: Parameters) -> Result<ChannelId, Error> {
    pair.with(side, |it, _| it.session.open(parameters))
}

fn close(pair: &mut Pair, side: End, id: ChannelId) {
    pair.with(side, |it, _| it.session.close(id));
}

fn send(pair: &mut Pair, side: End, id: ChannelId, payload: Payload) -> Result<(), Error> {
    pair.with(side, |it, _| it.send(id, payload))
}

/// The next of the `choice`th of the lanes to an end arrives.
fn arrive(pair: &mut Pair, side: End, choice: usize) {
    if let Some((to, lane, datagram)) = pair.wire.pick(choice, |to| to == side) {
        pair.deliver(to, lane, datagram);
    }
}

/// Everything arrives, and is taken.
fn settle(pair: &mut Pair) {
    pair.wire.flows = true;
    pair.run_for(Duration::ZERO);
    pair.wire.flows = false;
    let mut arrived = pair.ends.iter().flat_map(|it| it.arrived.values());
    assert!(arrived.all(VecDeque::is_empty), "{:#?}", pair.ends);
}

/// The other side's channel on the stream of this one.
fn peer_of(pair: &Pair, side: End, id: ChannelId) -> ChannelId {
    let stream = pair[side].session.channel(id).unwrap().stream();
    let other = &pair[side.other()].session;
    other.by_stream(stream.unwrap()).unwrap()
}

/// [6.2-03] [6.2-25] The peer's channel has the attributes of ours.
#[test]
fn attributes_are_seen_on_both_sides() {
    let mut pair = pair();
    let parameters = Parameters {
        protocol: "chess".into(),
        ordered: false,
        reliability: Reliability::Lifetime(Duration::from_millis(500)),
        ..Parameters::new("game ♞")
    };
    let id = open(&mut pair, B, parameters).unwrap();
    settle(&mut pair);
    let there = pair[A].session.channel(peer_of(&pair, B, id)).unwrap();
    let here = pair[B].session.channel(id).unwrap();
    assert!(here.is_acknowledged());
    for channel in [here, there] {
        assert_eq!((channel.label(), channel.protocol()), ("game ♞", "chess"));
        assert_eq!((channel.ordered(), channel.stream()), (false, Some(1)));
        let Reliability::Lifetime(lifetime) = channel.reliability() else {
            panic!("{:?}", channel.reliability());
        };
        assert_eq!(lifetime.as_millis(), 500);
    }
}

/// [6.2-17] Everything sent before a close arrives before it, from either side and from both.
#[test]
fn nothing_sent_before_a_close_is_lost() {
    for closers in [&[A][..], &[B], &[A, B]] {
        let mut pair = pair();
        let id = open(&mut pair, A, Parameters::new("")).unwrap();
        settle(&mut pair);
        let ids = [(A, id), (B, peer_of(&pair, A, id))];
        for number in 0..10 {
            for (side, id) in ids {
                let text = format!("{side:?} {number}");
                send(&mut pair, side, id, text.into()).unwrap();
            }
        }
        for (side, id) in ids.iter().filter(|it| closers.contains(&it.0)) {
            close(&mut pair, *side, *id);
        }
        settle(&mut pair);
        for (side, id) in ids {
            assert_eq!(pair[side].state(id), None);
            let closed_here = closers.contains(&side);
            let got = pair[side].received.get(&id);
            // A side that closes does not listen any more; the other gets all.
            assert_eq!(got.map_or(0, Vec::len), if closed_here { 0 } else { 10 });
            let events = &pair[side].events;
            let closing = events
                .iter()
                .any(|event| matches!(event, Event::Closing { .. }));
            assert_eq!(closing, !closed_here);
            let Some(Event::Closed { by, failure, .. }) = events.last() else {
                panic!("{events:?}");
            };
            let expected = if closed_here {
                Initiator::User
            } else {
                Initiator::Remote
            };
            assert_eq!((*by, *failure), (expected, None));
        }
    }
}

/// [6.2-02] Both sides of a negotiated channel may have their own options, and the second may open it late.
#[test]
fn negotiated_on_both_sides() {
    let mut pair = pair();
    let with = |ordered| Parameters {
        negotiated: Some(0),
        ordered,
        ..Parameters::default()
    };
    let early = open(&mut pair, A, with(true)).unwrap();
    send(&mut pair, A, early, "before you".into()).unwrap();
    arrive(&mut pair, B, 0);
    assert_eq!(pair[B].arrived[&0].len(), 1);
    let late = open(&mut pair, B, with(false)).unwrap();
    settle(&mut pair);
    assert_eq!(pair[B].received[&late], ["before you".into()]);
    close(&mut pair, B, late);
    settle(&mut pair);
    assert_eq!(pair[A].state(early), None);
    assert!(open(&mut pair, A, with(true)).is_ok());
}

/// [6.2-05] In band on one side and negotiated on the other with the same id: the channel fails on both.
#[test]
fn an_open_meets_a_negotiated_channel() {
    let mut pair = pair();
    let agreed = Parameters {
        negotiated: Some(0),
        ..Parameters::default()
    };
    let there = open(&mut pair, B, agreed).unwrap();
    let here = open(&mut pair, A, Parameters::new("in band")).unwrap();
    settle(&mut pair);
    let ends = [
        (A, here, Initiator::Remote, Failure::Rejected),
        (B, there, Initiator::Library, Failure::Violation),
    ];
    for (side, id, who, why) in ends {
        let events = &pair[side].events;
        let found = events.iter().any(|event| {
            matches!(event, Event::Closed { channel, by, failure, .. }
                if (*channel, *by, *failure) == (id, who, Some(why)))
        });
        assert!(found, "{events:?}");
    }
}

/// One thing a user does, or one delivery.
#[derive(Debug, Clone)]
enum Action {
    Open(bool),
    Send(usize, u8),
    Close(usize),
    Deliver(usize),
}

fn actions() -> impl Strategy<Value = Vec<(End, Action)>> {
    let action = prop_oneof![
        2 => any::<bool>().prop_map(Action::Open),
        4 => any::<(usize, u8)>().prop_map(|(which, n)| Action::Send(which, n)),
        1 => any::<usize>().prop_map(Action::Close),
        6 => any::<usize>().prop_map(Action::Deliver),
    ];
    let side = prop::sample::select(End::BOTH.to_vec());
    prop::collection::vec((side, action), 0..300)
}

/// What must hold at any time for what a side was told.
fn assert_orderly(events: &[Event]) {
    let mut states = BTreeMap::new();
    for event in events {
        match event {
            Event::Announced { channel } | Event::Opened { channel } => {
                assert_eq!(states.insert(*channel, State::Open), None, "{events:?}");
            }
            Event::Closing { channel } => {
                let before = states.insert(*channel, State::Closing);
                assert_eq!(before, Some(State::Open), "{events:?}");
            }
            Event::Closed {
                channel, failure, ..
            } => {
                assert_eq!(*failure, None);
                assert!(states.remove(channel).is_some(), "{events:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(300))]

    /// Random use by two orderly sides: nothing is rejected, nothing fails, each channel opens and closes in order, and what arrives
    /// is a beginning of what was sent, all of it where nobody closed.
    #[test]
    fn random_use_of_a_pair(actions in actions()) {
        let mut pair = pair();
        for (side, action) in actions {
            let ids: Vec<_> = pair[side].session.channels().collect();
            let chosen = |which: usize| ids.get(which % ids.len().max(1)).copied();
            match action {
                Action::Open(ordered) => {
                    let parameters = Parameters { ordered, ..Parameters::new("x") };
                    match open(&mut pair, side, parameters) {
                        Ok(_) | Err(Error::NoIdLeft) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                Action::Send(which, n) => if let Some(id) = chosen(which) {
                    let open = pair[side].state(id) == Some(State::Open);
                    let payload = vec![n; usize::from(n % 3)];
                    let sent = send(&mut pair, side, id, payload.into());
                    prop_assert_eq!(sent.is_ok(), open);
                },
                Action::Close(which) => if let Some(id) = chosen(which) {
                    close(&mut pair, side, id);
                },
                Action::Deliver(choice) => {
                    arrive(&mut pair, side, choice);
                }
            }
        }
        settle(&mut pair);
        for side in End::BOTH {
            let near = &pair[side];
            let far = &pair[side.other()];
            assert_orderly(&near.events);
            let stats = near.session.stats();
            prop_assert_eq!((stats.rejected, stats.ignored), (0, 0));
            let open = near.session.channels().count() as u64;
            prop_assert_eq!(stats.opened - stats.closed, open);
            prop_assert_eq!(open, far.session.channels().count() as u64);
            for id in near.session.channels() {
                prop_assert_eq!(pair[side].state(id), Some(State::Open));
                let peer = peer_of(&pair, side, id);
                prop_assert_eq!(near.sent.get(&id), far.received.get(&peer));
                prop_assert_eq!(near.session.channel(id).unwrap().stats().messages_sent,
                    far.session.channel(peer).unwrap().stats().messages_received);
            }
        }
    }

    /// Whatever a peer sends, in whatever order: no panic, and everything bounded.
    #[test]
    fn a_hostile_peer(
        facts in prop::collection::vec((0..6, 0..40u16, any::<Vec<u8>>(), any::<bool>()), 0..200),
    ) {
        let mut session = Session::new(Config::new().max_unclaimed(3).max_remote_channels(5));
        session.set_role(Role::Client);
        session.set_connected(32);
        let valid = [3, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, b'x'];
        for (kind, number, mut bytes, damage) in facts {
            match kind {
                0 => session.handle_message(number, &bytes),
                1 => {
                    let mut open = valid.to_vec();
                    if damage && let Some(first) = bytes.pop() {
                        open[usize::from(first) % 13] ^= first;
                    }
                    session.handle_message(number, &open);
                }
                2 => drop(session.handle_user_message(number)),
                3 => session.handle_incoming_reset(number),
                4 => session.handle_outgoing_reset(number),
                _ => if let Some(id) = session.by_stream(number) {
                    drop(session.decode(id, 50 + u32::from(number) % 8, bytes.into()));
                },
            }
            while let Some(out) = session.poll_send() {
                prop_assert!(out.stream < 32);
            }
            while let Some(number) = session.poll_reset() {
                prop_assert!(number < 32);
            }
            while session.poll_event().is_some() {}
            prop_assert!(session.channels().count() <= 5);
        }
    }
}
