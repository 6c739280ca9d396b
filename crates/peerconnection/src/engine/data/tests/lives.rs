//! Streams whose next life the peer begins before we know that the one before is over.

use super::*;

/// A negotiated channel that both sides have closed, where the peer's answer to our reset was lost.
fn unanswered(stream: u16) -> (Wire, ChannelId) {
    let mut wire = Wire::new(&Settings::default());
    let id = wire.opens(Some(stream), "");
    wire.data.close_channel(id);
    wire.data.settle(wire.now, &mut wire.tasks);
    let mut packet = Vec::new();
    assert!(wire.data.poll_transmit(wire.now, ON, 1200, &mut packet));
    wire.peer.handle_packet(wire.now, &packet);
    assert!(!wire.next_of_peer().is_empty(), "the answer");
    while let Some(event) = wire.peer.poll_event() {
        wire.peer_events.push(event);
    }
    assert!(wire.was_reset(stream));
    assert_eq!(wire.peer.reset_streams(wire.now, &[stream]), Ok(()));
    wire.run();
    let over = sctp::Event::OutgoingReset { stream };
    assert!(wire.peer_events.contains(&over), "for the peer");
    assert_eq!(wire.state(id), DataChannelState::Closing);
    (wire, id)
}

/// All that is acknowledged of a negotiated channel that the peer has anew is there when it is anew here.
#[test]
fn messages_wait_for_a_channel_that_is_made_anew() {
    let (mut wire, first) = unanswered(6);
    for text in 0..3 {
        wire.peer_sends(6, BINARY, vec![text; 900]);
    }
    wire.run();
    assert_eq!(wire.state(first), DataChannelState::Closing);
    wire.pass(Duration::from_secs(2));
    assert_eq!(wire.peer.total_unacknowledged(), 0);
    assert_eq!(wire.state(first), DataChannelState::Closed);
    wire.peer_sends(6, BINARY, vec![3; 900]);
    wire.pass(Duration::from_secs(2));
    let second = wire.opens(Some(6), "");
    for text in 0..4 {
        assert_eq!(wire.read(second), Some(Message::from(vec![text; 900])));
    }
    assert_eq!((wire.read(second), wire.read(first)), (None, None));
    assert_eq!(wire.data.messages_dropped(), 0);
    assert_eq!(wire.data.session.streams_from(0).count(), 1);
}

/// What came for a life that the peer has ended before there was a channel here is not another's.
#[test]
fn messages_of_a_life_that_is_over_are_dropped() {
    let (mut wire, _) = unanswered(6);
    wire.peer_sends(6, BINARY, vec![1; 900]);
    assert_eq!(wire.peer.reset_streams(wire.now, &[6]), Ok(()));
    wire.run();
    wire.pass(Duration::from_secs(2));
    assert_eq!(wire.data.messages_dropped(), 1);
    let third = wire.opens(Some(6), "");
    wire.peer_sends(6, BINARY, vec![2; 900]);
    wire.pass(Duration::from_secs(1));
    assert_eq!(wire.read(third), Some(Message::from(vec![2; 900])));
}

/// A life in which the peer says nothing, and which it ends before we know that the one before is over, ends there too.
#[test]
fn a_life_without_a_word_ends_for_the_peer() {
    let (mut wire, first) = unanswered(6);
    wire.peer_events.clear();
    assert_eq!(wire.peer.reset_streams(wire.now, &[6]), Ok(()));
    wire.run();
    wire.pass(Duration::from_secs(2));
    assert_eq!(wire.state(first), DataChannelState::Closed);
    assert!(wire.was_reset(6), "once more");
    let third = wire.opens(Some(6), "");
    wire.peer_sends(6, BINARY, vec![2; 900]);
    wire.pass(Duration::from_secs(1));
    assert_eq!(wire.read(third), Some(Message::from(vec![2; 900])));
}

/// They wait as long as others that have no channel, and then their stream is reset.
#[test]
fn messages_of_a_life_that_nobody_has_are_given_up() {
    let (mut wire, _) = unanswered(6);
    wire.peer_sends(6, BINARY, vec![1; 900]);
    wire.pass(Duration::from_secs(2));
    wire.peer_events.clear();
    wire.pass(Duration::from_secs(10));
    assert!(wire.was_reset(6));
    assert_eq!(wire.data.messages_dropped(), 1);
}

/// The peer resets a stream, and so do we, but its answer to that is lost.
fn closes_unanswered(wire: &mut Wire, stream: u16) {
    wire.peer_events.clear();
    assert_eq!(wire.peer.reset_streams(wire.now, &[stream]), Ok(()));
    let request = wire.next_of_peer();
    assert!(wire.data.handle_packet(wire.now, ON, &request));
    wire.takes_steps();
    while let Some(task) = wire.tasks.pop() {
        wire.events.extend(task);
    }
    let mut packet = Vec::new();
    while wire.data.poll_transmit(wire.now, ON, 1200, &mut packet) {
        wire.peer.handle_packet(wire.now, &packet);
        // The answer.
        wire.next_of_peer();
        packet.clear();
    }
    while let Some(event) = wire.peer.poll_event() {
        wire.peer_events.push(event);
    }
    assert!(wire.was_reset(stream));
    let over = sctp::Event::OutgoingReset { stream };
    assert!(wire.peer_events.contains(&over), "for the peer");
}

/// The same of a channel that the peer opens, and may have closed by then.
#[test]
fn an_opened_channel_of_the_next_life_has_its_messages() {
    for closes in [false, true] {
        let mut wire = Wire::new(&Settings::default());
        wire.peer_opens(0);
        wire.run();
        let [first] = wire.announced()[..] else {
            panic!("one channel");
        };
        closes_unanswered(&mut wire, 0);
        assert_eq!(wire.state(first), DataChannelState::Closing);
        wire.peer_opens(0);
        for text in 0..3 {
            wire.peer_sends(0, BINARY, vec![text; 900]);
        }
        wire.run();
        if closes {
            assert_eq!(wire.peer.reset_streams(wire.now, &[0]), Ok(()));
        }
        wire.pass(Duration::from_secs(5));
        let [_, second] = wire.announced()[..] else {
            panic!("another channel");
        };
        for text in 0..3 {
            assert_eq!(wire.read(second), Some(Message::from(vec![text; 900])));
        }
        let closed = wire.state(second) == DataChannelState::Closed;
        assert_eq!(closed, closes);
        assert_eq!(wire.data.messages_dropped(), 0);
    }
}

/// Lives one after the other, of which nobody reads anything, bring no more beside the window than it has, and what may wait without a
/// channel.
#[test]
fn unread_lives_are_bounded() {
    const WINDOW: usize = 512 << 10;
    let mut wire = Wire::new(&Settings::default().receive_window(WINDOW as u32));
    wire.peer_opens(0);
    wire.run();
    for life in 1..40 {
        if wire.announced().len() < life {
            return; // it was given up
        }
        closes_unanswered(&mut wire, 0);
        wire.peer_opens(0);
        for _ in 0..15 {
            wire.peer_sends(0, BINARY, vec![1; 4000]);
        }
        wire.pass(Duration::from_secs(3));
        let tails = wire.data.backlog.tails;
        assert!(tails <= WINDOW + WINDOW / 8, "{tails} after {life}");
    }
    panic!("there was room for all");
}

/// We close a channel first, and the peer's end has to wait for data; it closes the next one of that stream without a word.
#[test]
fn a_silent_channel_closes_after_one_whose_end_had_to_wait() {
    let mut wire = Wire::new(&Settings::default());
    let first = wire.opens(Some(6), "");
    wire.data.close_channel(first);
    wire.run();
    assert!(wire.was_reset(6));
    wire.peer_sends(6, BINARY, vec![1; 900]);
    assert!(!wire.next_of_peer().is_empty(), "it is lost");
    assert_eq!(wire.peer.reset_streams(wire.now, &[6]), Ok(()));
    wire.pass(Duration::from_secs(1));
    assert_eq!(wire.state(first), DataChannelState::Closed);
    let second = wire.opens(Some(6), "");
    assert_eq!(wire.state(second), DataChannelState::Open);
    assert_eq!(wire.peer.reset_streams(wire.now, &[6]), Ok(()));
    wire.pass(Duration::from_secs(1));
    assert_eq!(wire.state(second), DataChannelState::Closed);
}

/// The peer's end of a channel has to wait for data, and its answer to ours is lost; it closes the next one of that stream without a word.
#[test]
fn a_silent_channel_closes_where_our_end_is_not_answered() {
    let mut wire = Wire::new(&Settings::default());
    let first = wire.opens(Some(6), "");
    wire.peer_sends(6, BINARY, vec![1; 900]);
    assert!(!wire.next_of_peer().is_empty(), "it is lost");
    assert_eq!(wire.peer.reset_streams(wire.now, &[6]), Ok(()));
    wire.peer_events.clear();
    let over = sctp::Event::OutgoingReset { stream: 6 };
    let mut left = 400;
    while !wire.was_reset(6) || !wire.peer_events.contains(&over) {
        left -= 1;
        assert!(left > 0, "both directions are over for the peer");
        let packet = wire.next_of_peer();
        // What it says once it was reset is lost.
        if !packet.is_empty() && !wire.was_reset(6) {
            wire.data.handle_packet(wire.now, ON, &packet);
        }
        wire.takes_steps();
        while let Some(task) = wire.tasks.pop() {
            wire.events.extend(task);
        }
        wire.read(first);
        let mut packet = Vec::new();
        while wire.data.poll_transmit(wire.now, ON, 1200, &mut packet) {
            wire.peer.handle_packet(wire.now, &packet);
            packet.clear();
        }
        while let Some(event) = wire.peer.poll_event() {
            wire.peer_events.push(event);
        }
        wire.now += Duration::from_millis(10);
    }
    while !wire.next_of_peer().is_empty() {}
    assert_eq!(wire.state(first), DataChannelState::Closing);
    wire.peer_events.clear();
    assert_eq!(wire.peer.reset_streams(wire.now, &[6]), Ok(()));
    wire.pass(Duration::from_secs(3));
    assert_eq!(wire.state(first), DataChannelState::Closed);
    assert!(wire.was_reset(6), "once more");
}

/// The peer closes a channel, and its answer to our reset comes before it acknowledges what we sent last: it has that.
#[test]
fn what_came_before_a_reset_that_was_performed_is_not_lost() {
    let mut wire = Wire::new(&Settings::default());
    let id = wire.opens(Some(6), "");
    wire.pass(Duration::from_secs(1));
    assert_eq!(wire.peer.reset_streams(wire.now, &[6]), Ok(()));
    let request = wire.next_of_peer();
    wire.sends(id, vec![5; 500]);
    let mut packet = Vec::new();
    assert!(wire.data.poll_transmit(wire.now, ON, 1200, &mut packet));
    wire.data.handle_packet(wire.now, ON, &request);
    wire.takes_steps();
    wire.peer.handle_packet(wire.now, &packet);
    packet.clear();
    while wire.data.poll_transmit(wire.now, ON, 1200, &mut packet) {
        wire.peer.handle_packet(wire.now, &packet);
        packet.clear();
    }
    assert_eq!(wire.peer.read(6).map(|it| it.payload.len()), Some(500));
    // Each chunk in a packet of its own, the acknowledgement last.
    let mut chunks = Vec::new();
    while let Some(packet) = Some(wire.next_of_peer()).filter(|it| !it.is_empty()) {
        let packet = Packet::parse_unsummed(&packet).unwrap();
        for chunk in packet.chunks() {
            let mut alone = Vec::new();
            Packet::start(&mut alone, 5000, 5000, packet.tag);
            chunk.write(&mut alone);
            Packet::finish(&mut alone, 0);
            chunks.push((chunk.kind != ChunkKind::RECONFIG, alone));
        }
    }
    chunks.sort_by_key(|it| it.0);
    for (_, packet) in chunks {
        wire.data.handle_packet(wire.now, ON, &packet);
        wire.takes_steps();
    }
    assert_eq!(wire.state(id), DataChannelState::Closed);
    assert!(!wire.data.has_lost(id));
}
