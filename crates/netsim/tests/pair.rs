//! Two machines and what lies between them: that the harness drives them to the end, and holds them to their promises.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its machines has failed"
)]

use std::collections::VecDeque;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use oxirtc_netsim::{
    Across, Duplex, End, Hostile, Link, Machine, Nat, NatKind, Network, OnPath, Pair, ROOM, Step,
    epoch, for_each_seed, ms, percent, secs,
};

/// Sends numbers, each until it is acknowledged; a number is 4 bytes, an acknowledgement 5.
#[derive(Default)]
struct Courier {
    to_send: VecDeque<u32>,
    answers: VecDeque<(u32, Route)>,
    delivered: Vec<u32>,
    sent_at: Option<Instant>,
    remote: Option<SocketAddr>,
    local: Option<SocketAddr>,
    fault: Fault,
    wakes: usize,
    signals: usize,
}

/// What a machine does wrong.
#[derive(Default, PartialEq)]
enum Fault {
    #[default]
    None,
    TooLarge,
    Rewrites,
    Chatters,
    SleepsInThePast,
    WritesWithoutSaying,
}

/// Local and remote; none for couriers on a wire without addresses.
type Route = Option<(SocketAddr, SocketAddr)>;

impl Courier {
    fn with(numbers: impl IntoIterator<Item = u32>) -> Self {
        Self {
            to_send: numbers.into_iter().collect(),
            ..Self::default()
        }
    }

    fn at(address: &str, remote: Option<&str>) -> Self {
        Self {
            local: Some(address.parse().unwrap()),
            remote: remote.map(|it| it.parse().unwrap()),
            ..Self::default()
        }
    }

    fn bad(fault: Fault) -> Self {
        Self {
            fault,
            ..Self::with([1])
        }
    }
}

impl Machine for Courier {
    type Route = Route;

    fn handle_datagram(&mut self, _now: Instant, route: Route, datagram: &mut [u8]) {
        let Some((number, rest)) = datagram.split_first_chunk() else {
            return;
        };
        let number = u32::from_be_bytes(*number);
        match rest {
            [] => {
                if self.delivered.last() != Some(&number) {
                    self.delivered.push(number);
                }
                self.answers.push_back((number, route));
            }
            [0] if self.to_send.front() == Some(&number) => {
                self.to_send.pop_front();
                self.sent_at = None;
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.wakes += 1;
        if self.sent_at.is_some_and(|at| at + ms(100) <= now) {
            self.sent_at = None;
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let at = self.sent_at?;
        match self.fault {
            Fault::SleepsInThePast => Some(epoch()),
            _ => Some(at + ms(100)),
        }
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<(Route, usize)> {
        match self.fault {
            Fault::TooLarge => buf.resize(buf.len() + room + 1, 0),
            Fault::Rewrites => *buf = vec![0; 30],
            Fault::WritesWithoutSaying => {
                buf.push(0);
                return None;
            }
            _ => {}
        }
        if room < 5 {
            return None;
        }
        if let Some((number, route)) = self.answers.pop_front() {
            buf.extend(number.to_be_bytes());
            buf.push(0);
            return Some((route, usize::MAX));
        }
        let number = *self.to_send.front().filter(|_| self.sent_at.is_none())?;
        let route = match (self.local, self.remote) {
            (None, _) => None,
            (Some(local), Some(remote)) => Some((local, remote)),
            (Some(_), None) => return None,
        };
        buf.extend(number.to_be_bytes());
        self.sent_at = Some(now);
        Some((route, usize::MAX))
    }

    fn poll(&mut self, _now: Instant) -> bool {
        self.fault == Fault::Chatters
    }

    fn mirrored(route: Route) -> Route {
        route.map(|(local, remote)| (remote, local))
    }

    fn signal(&mut self, _now: Instant, other: &mut Self) -> bool {
        if other.remote.is_some() || self.local.is_none() || self.signals > 0 {
            return false;
        }
        self.signals += 1;
        other.remote = self.local;
        true
    }

    fn describe(&self) -> String {
        format!("{} to send", self.to_send.len())
    }
}

/// A wire without addresses, for machines that have the choice.
struct Plain(Duplex);

impl oxirtc_netsim::Wire<Route> for Plain {
    fn send(&mut self, now: Instant, to: End, _route: Route, datagram: Vec<u8>) {
        self.0.send(now, to, (), datagram);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }

    fn receive(&mut self, now: Instant) -> Option<(End, Route, Vec<u8>)> {
        let (end, (), datagram) = self.0.receive(now)?;
        Some((end, None, datagram))
    }
}

fn plain(link: Link) -> Plain {
    Plain(Duplex::new(link))
}

#[test]
fn all_arrives_over_a_bad_link_whatever_the_seed() {
    for_each_seed(20, |seed| {
        let link = Link::new(seed)
            .delay(ms(20))
            .loss(percent(20))
            .duplicate(percent(10));
        let ends = [Courier::with(0..20), Courier::with(100..110)];
        let mut pair = Pair::new(ends, plain(link));
        pair.run_until(secs(60), |pair| {
            pair.ends.iter().all(|end| end.to_send.is_empty())
        });
        assert!(pair[End::B].delivered.iter().copied().eq(0..20));
        assert!(pair[End::A].delivered.iter().copied().eq(100..110));
    });
}

#[test]
fn time_is_what_the_wire_and_the_deadlines_take() {
    let mut pair = Pair::new(
        [Courier::with([7]), Courier::default()],
        plain(Link::new(1).delay(ms(30))),
    );
    let took = pair.run_until(secs(1), |pair| pair[End::A].to_send.is_empty());
    assert_eq!((took, pair.elapsed()), (ms(60), ms(60)));
    pair.run_for(secs(3));
    assert_eq!(pair.elapsed(), ms(3060), "also when nothing happens");
    assert_eq!(pair.next_deadline(), None);
    // A verb is followed by its effects at once.
    pair.sent = Some(Vec::new());
    pair.with(End::B, |courier, _| courier.to_send.push_back(8));
    let sent = pair.sent.take().unwrap();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].from, &sent[0].datagram[..]),
        (End::B, &[0, 0, 0, 8][..])
    );
    assert_eq!(sent[0].at, pair.now);
}

#[test]
fn a_tap_sees_changes_and_stops_datagrams() {
    let mut pair = Pair::new(
        [Courier::default(), Courier::default()],
        plain(Link::new(1)),
    );
    let mut seen = 0;
    pair.tap = Some(Box::new(move |from, datagram| {
        assert_eq!(from, if datagram.len() == 4 { End::A } else { End::B });
        seen += 1;
        if let Some(last) = datagram.last_mut().filter(|last| **last == 9) {
            *last = 10;
        }
        seen > 2
    }));
    pair.with(End::A, |courier, _| courier.to_send.push_back(9));
    assert!(!pair.try_until(ms(150), |pair| !pair[End::B].delivered.is_empty()));
    assert!(pair.try_until(ms(150), |pair| !pair[End::B].delivered.is_empty()));
    assert_eq!(pair[End::B].delivered, [10]);
}

#[test]
fn who_is_on_the_path_says_what_arrives_and_when() {
    let ends = [Courier::with([1, 2]), Courier::default()];
    let mut pair = Pair::new(ends, OnPath::default());
    let (start, mut seen) = (pair.now, Vec::new());
    let mut replace = |from, datagram: Vec<u8>| {
        seen.push((from, datagram.clone()));
        let invented = (ms(30), vec![0, 0, 0, 7]);
        match from {
            // The second comes first, and with it what nobody sent.
            End::A => vec![(ms(40), datagram), invented],
            End::B => vec![(ms(10), datagram)],
        }
    };
    // What waits since before is seen now, and nothing of it later than the end.
    pair.run_replacing(ms(39), &mut replace);
    assert_eq!(pair[End::B].delivered, [7]);
    assert_eq!(pair.elapsed(), ms(39));
    pair.run_replacing(ms(1), &mut replace);
    assert_eq!(pair[End::B].delivered, [7, 1]);
    assert_eq!(pair[End::A].to_send, [1, 2], "the answer is on its way");
    pair.run_replacing(ms(10), &mut replace);
    assert_eq!(pair[End::A].to_send, [2]);
    let answer = |number: u8| (End::B, vec![0, 0, 0, number, 0]);
    let number = |number: u8| (End::A, vec![0, 0, 0, number]);
    assert_eq!(seen, [number(1), answer(7), answer(1), number(2)]);

    // Of what is said now nothing is left, and one comes that nobody looks at.
    let mut pair = Pair::new([Courier::with([3]), Courier::default()], OnPath::default());
    pair.replace(&mut |_, _| Vec::new());
    pair.wire.put(start + ms(5), End::B, None, vec![0, 0, 0, 9]);
    let mut said = Vec::new();
    pair.run_replacing(ms(99), &mut |from, datagram| {
        said.push((from, datagram));
        Vec::new()
    });
    assert_eq!(
        (&pair[End::B].delivered[..], said),
        (&[9][..], vec![answer(9)])
    );
    assert_eq!(pair[End::A].to_send, [3]);
}

/// An answer at the very moment at which it would be missed is read before the clock.
#[test]
fn what_arrives_when_time_is_up_is_in_time() {
    let mut pair = Pair::new([Courier::with([1]), Courier::default()], OnPath::default());
    pair.run_replacing(secs(1), &mut |_, datagram| vec![(ms(50), datagram)]);
    assert_eq!(pair[End::A].to_send, []);
    assert_eq!((pair[End::A].wakes, pair[End::B].delivered.len()), (0, 1));
}

/// Reads what has arrived together, and counts it when it is asked.
#[derive(Default)]
struct Reader {
    unread: usize,
    read: Vec<usize>,
}

impl Machine for Reader {
    type Route = ();
    const BATCHED: bool = true;

    fn handle_datagram(&mut self, _now: Instant, (): (), _datagram: &mut [u8]) {
        self.unread += 1;
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_transmit(
        &mut self,
        _now: Instant,
        _room: usize,
        _buf: &mut Vec<u8>,
    ) -> Option<((), usize)> {
        None
    }

    fn poll(&mut self, _now: Instant) -> bool {
        let more = self.unread > 0;
        self.read.extend(more.then(|| mem::take(&mut self.unread)));
        more
    }

    fn mirrored((): ()) {}
}

/// A wire that takes datagrams of one byte for itself when they arrive, after 10 ms.
#[derive(Default)]
struct Taker(VecDeque<(Instant, End, Vec<u8>)>);

impl oxirtc_netsim::Wire<()> for Taker {
    fn send(&mut self, now: Instant, to: End, (): (), datagram: Vec<u8>) {
        self.0.push_back((now + ms(10), to, datagram));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.front().map(|(at, ..)| *at)
    }

    fn receive(&mut self, now: Instant) -> Option<(End, (), Vec<u8>)> {
        loop {
            let (_, to, datagram) = self.0.pop_front_if(|(at, ..)| *at <= now)?;
            if datagram.len() > 1 {
                return Some((to, (), datagram));
            }
        }
    }
}

/// What arrives together is handed over together, also where the wire has kept the last of it.
#[test]
fn what_arrived_together_is_answered_at_once() {
    for lengths in [
        vec![2, 2],
        vec![2, 2, 1],
        vec![1, 2, 2, 1, 1],
        vec![2, 1, 2],
    ] {
        let mut pair = Pair::new([Reader::default(), Reader::default()], Taker::default());
        for length in &lengths {
            pair.send(End::A, (), vec![0; *length]);
        }
        let took = pair.run_until(secs(1), |pair| !pair[End::A].read.is_empty());
        assert_eq!(took, ms(10), "{lengths:?}");
        assert_eq!(pair[End::A].read, [2], "{lengths:?}");
    }
}

#[test]
fn what_is_replaced_without_delay_for_ever_is_found() {
    let run = catch_unwind(|| {
        let mut pair = Pair::new([Courier::with([1]), Courier::default()], OnPath::default());
        pair.run_replacing(ms(1), &mut |_, _| vec![(ms(0), vec![0, 0, 0, 7])]);
    });
    let message = *run.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "time stands still: the replaced go to and fro");
}

#[test]
fn a_run_that_does_not_end_says_how_the_machines_stand() {
    let run = catch_unwind(|| {
        let link = Link::new(1).loss(percent(100));
        let mut pair = Pair::new([Courier::with([1, 2]), Courier::default()], plain(link));
        pair.run_until(secs(2), |pair| pair[End::A].to_send.is_empty());
    });
    let message = *run.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(message, "not within 2s\nA: 2 to send\nB: 0 to send");
}

#[test]
fn broken_promises_are_found() {
    let faults = [
        (Fault::TooLarge, "bytes in a room of 1200"),
        (Fault::Rewrites, "what stood in the buffer was changed"),
        (Fault::Chatters, "polling does not end"),
        (Fault::SleepsInThePast, "a deadline in the past"),
        (Fault::WritesWithoutSaying, "nothing is written"),
    ];
    for (fault, words) in faults {
        let run = catch_unwind(AssertUnwindSafe(|| {
            let link = Link::new(1).loss(percent(100));
            let mut pair = Pair::new([Courier::bad(fault), Courier::default()], plain(link));
            pair.now += secs(1);
            pair.run_for(secs(1));
        }));
        let panic = run.unwrap_err();
        let message = match panic.downcast::<String>() {
            Ok(message) => *message,
            Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
        };
        assert!(message.contains(words), "{message}");
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A home behind a NAT and a public node; the home asks a server for its address outside.
#[test]
fn machines_meet_across_a_network_with_a_nat_and_a_server() {
    let mut network = Network::new(1).default_link(Link::new(0).delay(ms(10)));
    let nat = network.add_nat(Nat::new(NatKind::PortRestricted, [203, 0, 113, 1].into()));
    let home = network.add_node_behind(nat, &[ip("10.0.0.2")]);
    let public = network.add_node(&[ip("192.0.2.1")]);
    let server = network.add_node(&[ip("192.0.2.9")]);

    let wire = Across::new(network, [home, public], Option::unwrap, |to, from| {
        Some((to, from))
    });
    assert_eq!((wire.node(End::A), wire.node(End::B)), (home, public));
    let ends = [
        Courier::at("10.0.0.2:5000", None),
        Courier::at("192.0.2.1:6000", None),
    ];
    let mut pair = Pair::new(ends, wire);
    // Signalling has told each the other's address, of which one is behind the NAT.
    assert_eq!(pair[End::A].remote, Some("192.0.2.1:6000".parse().unwrap()));

    pair.wire.serve(server, |_, delivery| {
        let seen = delivery.from.port().to_be_bytes().to_vec();
        vec![(delivery.to, delivery.from, seen)]
    });
    pair.with(End::A, |courier, _| courier.to_send.extend([1, 2]));
    pair.run_until(secs(1), |pair| pair[End::A].to_send.is_empty());
    assert_eq!(pair[End::B].delivered, [1, 2]);

    let asked = (
        "10.0.0.2:7000".parse().unwrap(),
        "192.0.2.9:3478".parse().unwrap(),
    );
    pair.wire.network.send(pair.now, asked.0, asked.1, vec![1]);
    let answered = pair.wire.network.stats().delivered + 2;
    pair.run_for(secs(1));
    assert_eq!(
        pair.wire.network.stats().delivered,
        answered,
        "the server answers"
    );
}

#[test]
fn a_hostile_wire_does_what_it_is_told() {
    let pair =
        || Pair::<Courier, Hostile<Route>>::hostile([Courier::with([1]), Courier::default()]);

    let mut lost = pair();
    lost.step(Step::Lose(End::B, 0));
    lost.step(Step::Flow);
    assert_eq!(lost[End::B].delivered, []);
    lost.settle(3);
    assert_eq!(lost[End::B].delivered, [1], "it is sent again");
    assert!(lost.wire.honest);

    let mut altered = pair();
    altered.step(Step::Alter(End::B, 0, 3, 0xff));
    assert_eq!(altered[End::B].delivered, [0xfe]);
    assert!(!altered.wire.honest);
    altered.step(Step::Replay(End::B, 0));
    assert_eq!(altered[End::B].delivered, [0xfe, 1]);

    let mut invented = pair();
    invented.step(Step::Invent(End::B, 0, vec![0, 0, 0, 5]));
    invented.step(Step::Cut(End::B, 0, 2));
    invented.step(Step::Flow);
    assert_eq!(invented[End::B].delivered, [5]);
    assert_eq!(
        invented[End::A].to_send,
        [1],
        "an answer to another number is none"
    );

    let mut squeezed = pair();
    squeezed.step(Step::LoseAll(End::B));
    squeezed.step(Step::Squeeze(End::A, 4));
    squeezed.step(Step::Wait(100));
    assert_eq!(squeezed.sent_to(End::B, 1), Some((None, &[0, 0, 0, 1][..])));
    let wakes = squeezed[End::A].wakes;
    squeezed.step(Step::Again(End::A));
    assert_eq!(squeezed[End::A].wakes, wakes + 1);
    assert_eq!(squeezed.room, ROOM);
}
