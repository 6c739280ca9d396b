//! Associations that end, or are restarted, and their channels.

use super::*;

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
    assert!(steps.iter().all(|it| *it <= 2 * steps::TAKEN), "{steps:?}");
    assert_eq!(steps.iter().sum::<usize>(), channels);
    steps
}

/// A packet of a few bytes ends all the channels that there can be: they are told in steps, and the end of the peer after them.
#[test]
fn an_abort_closes_channels_in_steps() {
    let (channels, mut wire, ids) = all_channels();
    wire.sends(ids[9], vec![1; 900]);
    wire.peer_sends(channels - 1, BINARY, vec![7; 900]);
    wire.peer_sends(0, BINARY, vec![8; 900]);
    wire.pass(Duration::from_millis(300));
    wire.sends(ids[usize::from(channels) - 9], vec![2; 800]);
    wire.events.clear();
    wire.peer_aborts();
    let steps = ends_in_steps(&mut wire, channels.into());
    assert!(
        steps.len() >= usize::from(channels) / (2 * steps::TAKEN),
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

/// What was not read is accounted for.
#[test]
fn what_came_before_an_end_is_read_or_counted() {
    let (mut wire, ids) = ending();
    wire.data.finish(&mut wire.tasks);
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
        data.finish(&mut tasks);
        let begins = data.poll_transmit(now, ON, 1200, &mut Vec::new());
        assert_eq!(begins, !ends);
    }
}

/// RFC 9260 §5.2.4: the channels of before are told in steps, and what stands on their streams by then is none of theirs.
#[test]
fn a_restart_closes_channels_in_steps() {
    let (channels, mut wire, ids) = all_channels();
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

/// The peer that begins anew has nothing of what was sent, so nobody may take it for acknowledged.
#[test]
fn what_was_sent_is_lost_when_the_peer_begins_anew() {
    let mut wire = Wire::new(&Settings::default());
    let ids = Vec::from_iter((0..40).map(|id| wire.opens(Some(id), "")));
    wire.run();
    wire.sends(ids[7], vec![5; 50_000]);
    wire.peer_restarts();
    wire.pass(Duration::from_secs(1));
    let closed = DataChannelState::Closed;
    assert!(ids.iter().all(|id| wire.state(*id) == closed));
    let lost = Vec::from_iter(ids.iter().filter(|id| wire.data.has_lost(**id)));
    assert_eq!(lost, [&ids[7]]);
}
