//! Two sessions connected by ideal streams: random sequences of what users do, and what must hold at the end of them.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its sessions has failed"
)]

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use oxirtc_datachannel::{
    ChannelId, Config, Disposition, Error, Event, Failure, Initiator, Parameters, Payload,
    Reliability, Role, Session, State, ppid,
};
use proptest::prelude::*;

/// What travels on a stream in one direction.
#[derive(Debug)]
enum Item {
    Message(u32, Bytes),
    Reset,
}

#[derive(Debug)]
struct Side {
    session: Session,
    /// Items on their way to this side, by stream.
    incoming: BTreeMap<u16, VecDeque<Item>>,
    /// Resets of this side that the other performed, whose confirmation is on its way.
    confirmed: VecDeque<u16>,
    /// Messages sent and received by channels, in order.
    sent: BTreeMap<ChannelId, Vec<Payload>>,
    received: BTreeMap<ChannelId, Vec<Payload>>,
    events: Vec<Event>,
}

#[derive(Debug)]
struct Pair {
    sides: [Side; 2],
}

impl Side {
    fn new(role: Role) -> Self {
        let mut session = Session::new(Config::new());
        session.set_role(role);
        Self {
            session,
            incoming: BTreeMap::new(),
            confirmed: VecDeque::new(),
            sent: BTreeMap::new(),
            received: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// Takes one item of one stream; false when it has to wait.
    fn take(&mut self, number: u16) -> (bool, bool) {
        let Some(items) = self.incoming.get_mut(&number) else {
            return (false, false);
        };
        match items.front() {
            None => return (false, false),
            Some(Item::Message(ppid::DCEP, _)) => {
                let Some(Item::Message(_, bytes)) = items.pop_front() else {
                    unreachable!("it was just seen");
                };
                self.session.handle_message(number, &bytes);
            }
            Some(Item::Message(..)) => {
                let disposition = self.session.handle_user_message(number);
                if disposition == Disposition::Hold {
                    return (false, false);
                }
                let Some(Item::Message(ppid, bytes)) = items.pop_front() else {
                    unreachable!("it was just seen");
                };
                if disposition == Disposition::Deliver {
                    let id = self.session.by_stream(number).unwrap();
                    let payload = self.session.decode(id, ppid, bytes).unwrap().unwrap();
                    self.received.entry(id).or_default().push(payload);
                }
            }
            Some(Item::Reset) => {
                items.pop_front();
                self.session.handle_incoming_reset(number);
                return (true, true);
            }
        }
        (true, false)
    }
}

impl Pair {
    fn new() -> Self {
        let mut sides = [Role::Client, Role::Server].map(Side::new);
        for side in &mut sides {
            side.session.set_connected(64);
        }
        Self { sides }
    }

    /// Moves what a side has to say onto the streams.
    fn flush(&mut self, side: usize) {
        let [near, far] = &mut self.sides;
        let (near, far) = if side == 0 { (near, far) } else { (far, near) };
        while let Some(out) = near.session.poll_send() {
            let items = far.incoming.entry(out.stream).or_default();
            items.push_back(Item::Message(out.ppid, out.payload));
        }
        while let Some(number) = near.session.poll_reset() {
            let items = far.incoming.entry(number).or_default();
            items.push_back(Item::Reset);
        }
        near.events
            .extend(std::iter::from_fn(|| near.session.poll_event()));
    }

    fn open(&mut self, side: usize, parameters: Parameters) -> Result<ChannelId, Error> {
        let opened = self.sides[side].session.open(parameters);
        self.flush(side);
        opened
    }

    fn close(&mut self, side: usize, id: ChannelId) {
        self.sides[side].session.close(id);
        self.flush(side);
    }

    fn send(&mut self, side: usize, id: ChannelId, payload: Payload) -> Result<(), Error> {
        let [near, far] = &mut self.sides;
        let (near, far) = if side == 0 { (near, far) } else { (far, near) };
        let out = near.session.send(id, payload.clone())?;
        let items = far.incoming.entry(out.stream).or_default();
        items.push_back(Item::Message(out.ppid, out.payload));
        near.sent.entry(id).or_default().push(payload);
        Ok(())
    }

    /// Delivers one item to a side, from the `choice`th of the streams that have some.
    fn deliver(&mut self, side: usize, choice: usize) -> bool {
        let near = &mut self.sides[side];
        if choice.is_multiple_of(4)
            && let Some(number) = near.confirmed.pop_front()
        {
            near.session.handle_outgoing_reset(number);
            self.flush(side);
            return true;
        }
        let busy: Vec<_> = near
            .incoming
            .iter()
            .filter(|(_, items)| !items.is_empty())
            .map(|(number, _)| *number)
            .collect();
        if busy.is_empty() {
            return false;
        }
        let number = busy[choice % busy.len()];
        let (moved, was_reset) = near.take(number);
        if was_reset {
            self.sides[1 - side].confirmed.push_back(number);
        }
        self.flush(side);
        moved
    }

    /// Delivers everything.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            let mut moved = false;
            for side in [0, 1] {
                for choice in 0..4 {
                    moved |= self.deliver(side, choice);
                }
            }
            let idle = self.sides.iter().all(|side| {
                side.confirmed.is_empty() && side.incoming.values().all(VecDeque::is_empty)
            });
            if !moved && idle {
                return;
            }
        }
        panic!("does not settle: {self:#?}");
    }

    /// The channel of a side that has a stream.
    fn peer_of(&self, side: usize, id: ChannelId) -> ChannelId {
        let stream = self.sides[side].session.channel(id).unwrap().stream();
        let other = &self.sides[1 - side].session;
        other.by_stream(stream.unwrap()).unwrap()
    }

    fn state(&self, side: usize, id: ChannelId) -> Option<State> {
        let state = self.sides[side].session.channel(id).map(|c| c.state());
        state.filter(|state| *state != State::Closed)
    }
}

/// [6.2-03] [6.2-25] The peer's channel has the attributes of ours.
#[test]
fn attributes_are_seen_on_both_sides() {
    let mut pair = Pair::new();
    let parameters = Parameters {
        protocol: "chess".into(),
        ordered: false,
        reliability: Reliability::Lifetime(std::time::Duration::from_millis(500)),
        ..Parameters::new("game ♞")
    };
    let id = pair.open(1, parameters).unwrap();
    pair.settle();
    let there = pair.sides[0].session.channel(pair.peer_of(1, id)).unwrap();
    let here = pair.sides[1].session.channel(id).unwrap();
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
    for closers in [&[0][..], &[1], &[0, 1]] {
        let mut pair = Pair::new();
        let id = pair.open(0, Parameters::new("")).unwrap();
        pair.settle();
        let ids = [id, pair.peer_of(0, id)];
        for number in 0..10 {
            for side in [0, 1] {
                let text = format!("{side} {number}");
                pair.send(side, ids[side], text.into()).unwrap();
            }
        }
        for side in closers {
            pair.close(*side, ids[*side]);
        }
        pair.settle();
        for side in [0, 1] {
            assert_eq!(pair.state(side, ids[side]), None);
            let closed_here = closers.contains(&side);
            let got = pair.sides[side].received.get(&ids[side]);
            // A side that closes does not listen any more; the other gets all.
            assert_eq!(got.map_or(0, Vec::len), if closed_here { 0 } else { 10 });
            let events = &pair.sides[side].events;
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
    let mut pair = Pair::new();
    let with = |ordered| Parameters {
        negotiated: Some(0),
        ordered,
        ..Parameters::default()
    };
    let early = pair.open(0, with(true)).unwrap();
    pair.send(0, early, "before you".into()).unwrap();
    assert!(!pair.deliver(1, 1));
    let late = pair.open(1, with(false)).unwrap();
    pair.settle();
    assert_eq!(pair.sides[1].received[&late], ["before you".into()]);
    pair.close(1, late);
    pair.settle();
    assert_eq!(pair.state(0, early), None);
    assert!(pair.open(0, with(true)).is_ok());
}

/// [6.2-05] In band on one side and negotiated on the other with the same id: the channel fails on both.
#[test]
fn an_open_meets_a_negotiated_channel() {
    let mut pair = Pair::new();
    let agreed = Parameters {
        negotiated: Some(0),
        ..Parameters::default()
    };
    let there = pair.open(1, agreed).unwrap();
    let here = pair.open(0, Parameters::new("in band")).unwrap();
    pair.settle();
    let ends = [
        (0, here, Initiator::Remote, Failure::Rejected),
        (1, there, Initiator::Library, Failure::Violation),
    ];
    for (side, id, who, why) in ends {
        let events = &pair.sides[side].events;
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

fn actions() -> impl Strategy<Value = Vec<(bool, Action)>> {
    let action = prop_oneof![
        2 => any::<bool>().prop_map(Action::Open),
        4 => any::<(usize, u8)>().prop_map(|(which, n)| Action::Send(which, n)),
        1 => any::<usize>().prop_map(Action::Close),
        6 => any::<usize>().prop_map(Action::Deliver),
    ];
    prop::collection::vec((any::<bool>(), action), 0..300)
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
        let mut pair = Pair::new();
        for (side, action) in actions {
            let side = usize::from(side);
            let ids: Vec<_> = pair.sides[side].session.channels().collect();
            let chosen = |which: usize| ids.get(which % ids.len().max(1)).copied();
            match action {
                Action::Open(ordered) => {
                    let parameters = Parameters { ordered, ..Parameters::new("x") };
                    match pair.open(side, parameters) {
                        Ok(_) | Err(Error::NoIdLeft) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                Action::Send(which, n) => if let Some(id) = chosen(which) {
                    let open = pair.state(side, id) == Some(State::Open);
                    let payload = vec![n; usize::from(n % 3)];
                    let sent = pair.send(side, id, payload.into());
                    prop_assert_eq!(sent.is_ok(), open);
                },
                Action::Close(which) => if let Some(id) = chosen(which) {
                    pair.close(side, id);
                },
                Action::Deliver(choice) => {
                    pair.deliver(side, choice);
                }
            }
        }
        pair.settle();
        for side in [0, 1] {
            let near = &pair.sides[side];
            let far = &pair.sides[1 - side];
            assert_orderly(&near.events);
            let stats = near.session.stats();
            prop_assert_eq!((stats.rejected, stats.ignored), (0, 0));
            let open = near.session.channels().count() as u64;
            prop_assert_eq!(stats.opened - stats.closed, open);
            prop_assert_eq!(open, far.session.channels().count() as u64);
            for id in near.session.channels() {
                prop_assert_eq!(pair.state(side, id), Some(State::Open));
                let peer = pair.peer_of(side, id);
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
