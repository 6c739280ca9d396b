//! Channels that are carried over to another association.

use super::*;

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

/// What came for the association before is told of once it is kept, also to who has read until he was told to wait.
#[test]
fn what_is_kept_is_told_of() {
    let mut wire = Wire::new(&Settings::default());
    let id = wire.opens(Some(6), "");
    for _ in 0..100 {
        wire.peer_sends(6, datachannel::ppid::BINARY_PARTIAL, vec![1]);
    }
    wire.peer_sends(6, BINARY, vec![1]);
    wire.pass(Duration::from_secs(1));
    assert_eq!(wire.read(id), None);
    wire.events.clear();
    wire.data.another = Some([3; 32]);
    wire.peer_aborts();
    wire.data.settle(wire.now, &mut wire.tasks);
    wire.takes_steps();
    wire.run();
    assert!(wire.data.another.is_none() && wire.data.carrying.is_none());
    let readable = |it: &Event| matches!(it, Event::Readable(readable) if *readable == id);
    assert!(wire.events.iter().any(readable), "{:?}", wire.events);
    assert_eq!(wire.read(id), Some(Message::from(vec![1; 101])));
}
