//! What comes for the next life of a stream, which the peer may have before we know that our reset was performed.

use super::*;

/// A negotiated channel that both sides have closed, as far as the peer knows.
fn over_for_peer(session: &mut Session, number: u16) -> ChannelId {
    let id = session.open(negotiated(number)).unwrap();
    session.close(id);
    assert_eq!(resets(session), [number]);
    session.handle_incoming_reset(number);
    events(session);
    id
}

/// They wait for the negotiated channel that follows.
#[test]
fn messages_of_the_next_life_wait_for_its_channel() {
    for closes_here in [true, false] {
        let mut session = client();
        let first = session.open(negotiated(5)).unwrap();
        assert_eq!(session.handle_user_message(5), Disposition::Deliver);
        if closes_here {
            session.close(first);
            assert_eq!(resets(&mut session), [5]);
            // What is on its way still is of the channel that is closed.
            assert_eq!(session.handle_user_message(5), Disposition::Discard);
            session.handle_incoming_reset(5);
        } else {
            session.handle_incoming_reset(5);
            // The peer cannot have seen our reset yet.
            assert_eq!(session.handle_user_message(5), Disposition::Discard);
            assert_eq!(resets(&mut session), [5]);
        }
        assert_eq!(session.handle_user_message(5), Disposition::Hold);
        assert_eq!(session.handle_user_message(5), Disposition::Hold);
        assert_eq!(session.held.unclaimed, 1);
        events(&mut session);
        session.handle_outgoing_reset(5);
        assert_eq!(events(&mut session).len(), 1, "it is closed");
        assert_eq!(session.handle_user_message(5), Disposition::Hold);
        assert_eq!(session.held.unclaimed, 1);
        let second = session.open(negotiated(5)).unwrap();
        assert_eq!(session.held.unclaimed, 0);
        assert_eq!(session.handle_user_message(5), Disposition::Deliver);
        assert_eq!(events(&mut session), [Event::Opened { channel: second }]);
    }
}

/// As any that wait, they can be given up: by us, by the peer that closes again, or as they are followed by an OPEN.
#[test]
fn messages_of_the_next_life_are_given_up() {
    type Turn = fn(&mut Session);
    let turns: [(Turn, u64); 3] = [
        (|it| it.reject(5), 1),
        (|it| it.handle_incoming_reset(5), 0),
        (|it| it.handle_message(5, &open_bytes("", "")), 1),
    ];
    for (turn, rejected) in turns {
        let mut session = client();
        over_for_peer(&mut session, 5);
        assert_eq!(session.handle_user_message(5), Disposition::Hold);
        turn(&mut session);
        assert_eq!(session.stats().rejected, rejected);
        session.handle_outgoing_reset(5);
        assert_eq!(session.handle_user_message(5), Disposition::Discard);
        assert_eq!(session.held.unclaimed, 0);
        // The stream is reset once more, and free after that.
        assert_eq!(resets(&mut session), [5]);
        session.handle_outgoing_reset(5);
        if rejected > 0 {
            session.handle_incoming_reset(5);
        }
        assert!(session.open(negotiated(5)).is_ok());
    }
}

/// One answer that is lost may have been for the streams of many channels: all that we have had may have a next life. What the peer
/// alone has begun is bounded.
#[test]
fn as_many_lives_wait_as_channels_were_here() {
    let mut session = client();
    for number in 0..100 {
        over_for_peer(&mut session, number);
        assert_eq!(session.handle_user_message(number), Disposition::Hold);
    }
    for number in 0..100 {
        session.handle_outgoing_reset(number);
        assert_eq!(session.handle_user_message(number), Disposition::Hold);
    }
    assert_eq!(session.held.unclaimed, 100);
    // Streams that no channel has had: they are refused, and begin again.
    for number in 100..200 {
        session.handle_incoming_reset(number);
        assert_eq!(resets(&mut session), [number]);
        assert_eq!(session.handle_user_message(number), Disposition::Discard);
        session.handle_outgoing_reset(number);
        assert_eq!(resets(&mut session), [number]);
    }
    assert_eq!(
        (session.held.unclaimed, session.stats().rejected),
        (100, 100)
    );

    // The strict rule has none wait.
    let mut session = Session::new(Config::new().max_unclaimed(0));
    session.set_role(Role::Client);
    session.set_connected(100);
    over_for_peer(&mut session, 5);
    assert_eq!(session.handle_user_message(5), Disposition::Discard);
    session.handle_outgoing_reset(5);
    assert_eq!(resets(&mut session), [5]);
}

/// Another association knows nothing of them.
#[test]
fn messages_of_the_next_life_go_with_the_association() {
    for carried in [true, false] {
        let mut session = client();
        let first = over_for_peer(&mut session, 5);
        assert_eq!(session.handle_user_message(5), Disposition::Hold);
        if carried {
            session.carry_over(&[]);
        } else {
            session.handle_restart();
        }
        assert_eq!(session.held.unclaimed, 0);
        assert_eq!(events(&mut session), [closed(first, Initiator::User, None)]);
        assert!(session.open(negotiated(5)).is_ok());
    }
}

/// A life of which nothing came but its end is over for the peer when our direction has been reset once more.
#[test]
fn a_life_without_a_word_ends() {
    let mut session = client();
    over_for_peer(&mut session, 5);
    session.handle_incoming_reset(5);
    assert_eq!(resets(&mut session), [], "the first is not answered yet");
    // As many as the peer likes: each is the end of the one before.
    for _ in 0..3 {
        session.handle_outgoing_reset(5);
        assert_eq!(resets(&mut session), [5]);
        assert_eq!(session.open(negotiated(5)), Err(Error::IdInUse));
        session.handle_incoming_reset(5);
    }
    session.handle_outgoing_reset(5);
    assert_eq!(resets(&mut session), [5]);
    session.handle_outgoing_reset(5);
    assert_eq!(resets(&mut session), []);
    assert!(session.open(negotiated(5)).is_ok());
    assert_eq!((session.held.unclaimed, session.held.channels), (0, 0));
}

/// What comes behind a second reset says that no life had begun before it.
#[test]
fn a_life_is_not_ended_by_a_reset_before_it() {
    type Turn = fn(&mut Session);
    let turns: [Turn; 2] = [
        |it| it.handle_message(5, &open_bytes("", "")),
        |it| assert_eq!(it.handle_user_message(5), Disposition::Hold),
    ];
    for turn in turns {
        let mut session = client();
        over_for_peer(&mut session, 5);
        session.handle_incoming_reset(5);
        turn(&mut session);
        session.handle_outgoing_reset(5);
        assert_ne!(session.handle_user_message(5), Disposition::Discard);
        sends(&mut session);
        assert_eq!(resets(&mut session), []);
    }
}
