//! What was not read of streams that go, beside the window and where there is no room for it there.

use super::*;

const WINDOW: u32 = 400_000;

/// Two channels that the peer has filled and closed, and nobody reads: of the second the last message has no room beside the window.
fn two_unread() -> (Wire, ChannelId, ChannelId) {
    let mut wire = Wire::new(&Settings::default().receive_window(WINDOW));
    wire.peer_opens(0);
    wire.peer_opens(2);
    wire.run();
    let [one, other] = wire.announced()[..] else {
        panic!("two channels");
    };
    fills(&mut wire, 0, &[200_000, 100_000]);
    fills(&mut wire, 2, &[50_000, 200_000]);
    assert_eq!(wire.data.backlog.unfinished.len(), 1);
    assert_eq!(wire.state(one), DataChannelState::Closed);
    assert_eq!(wire.state(other), DataChannelState::Open);
    (wire, one, other)
}

/// The peer sends messages of these lengths on a stream and resets it.
fn fills(wire: &mut Wire, stream: u16, lengths: &[usize]) {
    for length in lengths {
        wire.peer_sends(stream, BINARY, vec![1; *length]);
    }
    wire.pass(Duration::from_secs(2));
    assert_eq!(wire.peer.total_unacknowledged(), 0);
    assert_eq!(wire.peer.reset_streams(wire.now, &[stream]), Ok(()));
    wire.pass(Duration::from_secs(2));
}

/// The lengths of all that can be read.
fn reads(wire: &mut Wire, id: ChannelId) -> Vec<usize> {
    let lengths = std::iter::from_fn(|| wire.read(id)).map(|it| it.len());
    lengths.collect()
}

fn restarts(wire: &mut Wire, seed: u8) {
    wire.peer = sctp::Association::new(sctp::Config::default(), [seed; 32], wire.now);
    wire.peer.connect(wire.now);
    wire.pass(Duration::from_secs(2));
    assert!(wire.peer.is_established());
}

fn is_closed(wire: &mut Wire, id: ChannelId) -> bool {
    wire.pass(Duration::from_secs(1));
    let told = matches!(wire.told(id).last(), Some(ChannelEvent::Close));
    assert_eq!(told, wire.state(id) == DataChannelState::Closed);
    told
}

/// Who has read all of a channel is told its end, whatever others leave unread.
#[test]
fn an_end_waits_for_its_own_channel() {
    let (mut wire, one, other) = two_unread();
    assert_eq!(wire.read(other).map(|it| it.len()), Some(50_000));
    assert!(!is_closed(&mut wire, other), "one is left");
    assert_eq!(wire.read(other).map(|it| it.len()), Some(200_000));
    assert!(is_closed(&mut wire, other));
    assert_eq!(reads(&mut wire, one), [200_000, 100_000]);
}

/// The same where the last thing to be read is none of the application's.
#[test]
fn an_end_waits_for_no_acknowledgement() {
    let mut wire = Wire::new(&Settings::default().receive_window(WINDOW));
    wire.peer_opens(0);
    wire.run();
    let other = wire.opens(Some(2), "");
    fills(&mut wire, 0, &[200_000, 100_000]);
    wire.peer_sends(2, BINARY, vec![1; 200_000]);
    wire.peer_sends(2, datachannel::ppid::DCEP, vec![2]);
    fills(&mut wire, 2, &[]);
    assert_eq!(wire.data.backlog.unfinished.len(), 1);
    assert_eq!(reads(&mut wire, other), [200_000]);
    assert!(is_closed(&mut wire, other));
}

/// What moves beside the window is the application's; what stood between is no message that is dropped.
#[test]
fn an_acknowledgement_is_no_message_that_is_dropped() {
    let mut wire = Wire::new(&Settings::default().receive_window(WINDOW));
    let id = wire.opens(Some(2), "");
    wire.peer_sends(2, BINARY, vec![1; 700]);
    wire.peer_sends(2, datachannel::ppid::DCEP, vec![2]);
    fills(&mut wire, 2, &[800]);
    assert!(is_closed(&mut wire, id));
    assert_eq!(reads(&mut wire, id), [700, 800]);
    assert_eq!(wire.data.messages_dropped(), 0);
}

/// Nobody reads from a channel that was closed here, or forgotten, so its end waits for nothing.
#[test]
fn an_end_that_is_wanted_waits_for_nothing() {
    let (mut wire, _, other) = two_unread();
    wire.data.close_channel(other);
    assert!(is_closed(&mut wire, other));
    let (mut wire, _, other) = two_unread();
    wire.data.forget_channel(other);
    wire.pass(Duration::from_secs(1));
    assert!(wire.data.channel(other).is_none());
    assert_eq!(wire.data.messages_dropped(), 1);
}

/// Two channels are filled, closed and not read, and the peer ends when all is acknowledged: all of it can be read.
#[test]
fn what_had_no_room_beside_outlives_its_association() {
    type Turn = fn(&mut Wire);
    let turns: [Turn; 4] = [
        Wire::peer_aborts,
        |wire| restarts(wire, 9),
        |wire| {
            wire.data.another = Some([3; 32]);
            wire.peer_aborts();
        },
        |wire| wire.data.renew(wire.now, [5; 32], &mut wire.tasks),
    ];
    for (index, turn) in turns.into_iter().enumerate() {
        for reads_on in [false, true] {
            let (mut wire, one, other) = two_unread();
            turn(&mut wire);
            if !reads_on {
                wire.takes_steps();
            }
            assert_eq!(reads(&mut wire, other), [50_000, 200_000], "turn {index}");
            wire.takes_steps();
            assert_eq!(reads(&mut wire, one), [200_000, 100_000], "turn {index}");
            assert_eq!(wire.data.messages_dropped(), 0);
            assert_eq!(wire.data.backlog.tails, 0);
        }
    }
}

/// Associations that end one after the other, while nobody reads, bring no more beside the window than three windows and a message.
/// What is dropped is counted, and whoever reads the rest of a channel is told.
#[test]
fn ends_in_a_row_are_bounded() {
    let settings = Settings::default()
        .receive_window(WINDOW)
        .max_message_size(65_536);
    let mut wire = Wire::new(&settings);
    let mut lives = Vec::new();
    for life in 0..12 {
        let id = wire.opens(Some(6), "");
        for _ in 0..6 {
            wire.peer_sends(6, BINARY, vec![1; 50_000]);
        }
        wire.pass(Duration::from_secs(2));
        assert_eq!(wire.peer.total_unacknowledged(), 0);
        restarts(&mut wire, 20 + life);
        assert_eq!(wire.state(id), DataChannelState::Closed);
        lives.push(id);
        let beside = 3 * WINDOW as usize + 65_536 + 1000;
        assert!(wire.data.backlog.tails < beside, "{}", lives.len());
    }
    let mut read = 0;
    for id in lives {
        let count = reads(&mut wire, id).len();
        let told = match wire.told(id)[..] {
            [.., ChannelEvent::Error(error), ChannelEvent::Close] => error.to_string(),
            ref other => panic!("{other:?}"),
        };
        assert_eq!(
            count < 6,
            told.contains("more lay unread"),
            "{count} {told}"
        );
        read += count as u64;
    }
    assert!((24..72).contains(&read), "{read}");
    assert_eq!(wire.data.messages_dropped(), 72 - read);
}

/// A reliable channel does not go on with a gap to another association; one that is not reliable does.
#[test]
fn a_channel_with_a_gap_is_not_carried_over() {
    for reliable in [true, false] {
        let mut wire = Wire::new(&Settings::default().receive_window(WINDOW));
        let unread = wire.opens(Some(2), "");
        let init = DataChannelInit {
            negotiated: true,
            id: Some(6),
            max_retransmits: (!reliable).then_some(3),
            ..DataChannelInit::default()
        };
        let id = wire.data.open("", &init).unwrap();
        for _ in 0..6 {
            wire.peer_sends(6, BINARY, vec![1; 50_000]);
        }
        wire.pass(Duration::from_secs(2));
        // As if others had left so much unread before.
        let held = wire.data.most_beside(true) - 120_000;
        wire.data.keep(unread, BINARY, vec![0; held].into());
        wire.data.another = Some([3; 32]);
        wire.peer_aborts();
        wire.takes_steps();
        let closed = wire.state(id) == DataChannelState::Closed;
        assert_eq!(closed, reliable);
        assert_eq!(reads(&mut wire, id).len(), 2);
        assert_eq!(wire.data.messages_dropped(), 4);
        if !reliable {
            wire.data.connect(wire.now, None, true);
            wire.peer = sctp::Association::new(sctp::Config::default(), [9; 32], wire.now);
            wire.peer.connect(wire.now);
            wire.pass(Duration::from_secs(2));
            fills(&mut wire, 6, &[555]);
            assert_eq!(reads(&mut wire, id), [555]);
        }
    }
}
