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
