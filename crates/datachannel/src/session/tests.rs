use super::*;
use crate::Priority;
use crate::message::{Message, Open};

mod next;

fn connected(role: Role) -> Session {
    let mut session = Session::new(Config::new());
    session.set_role(role);
    session.set_connected(65_535);
    session
}

fn client() -> Session {
    connected(Role::Client)
}

fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

fn sends(session: &mut Session) -> Vec<Outgoing> {
    std::iter::from_fn(|| session.poll_send()).collect()
}

fn resets(session: &mut Session) -> Vec<u16> {
    assert_eq!(sends(session), []);
    std::iter::from_fn(|| session.poll_reset()).collect()
}

fn negotiated(id: u16) -> Parameters {
    Parameters {
        negotiated: Some(id),
        ..Parameters::new("n")
    }
}

fn open_bytes(label: &str, protocol: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    Message::Open(Open {
        priority: 512,
        ordered: false,
        reliability: Reliability::Retransmits(0),
        label,
        protocol,
    })
    .write(&mut bytes);
    bytes
}

fn stream(session: &Session, id: ChannelId) -> Option<u16> {
    session.channel(id).unwrap().stream()
}

/// A channel of ours that is open, with its OPEN taken.
fn opened(session: &mut Session) -> (ChannelId, u16) {
    let id = session.open(Parameters::new("x")).unwrap();
    assert_eq!(sends(session).len(), 1);
    assert_eq!(events(session), [Event::Opened { channel: id }]);
    (id, stream(session, id).unwrap())
}

/// A channel of the peer, accepted.
fn announced(session: &mut Session, number: u16) -> ChannelId {
    session.handle_message(number, &open_bytes("peer", ""));
    let acks = sends(session);
    assert_eq!(acks.len(), 1);
    assert_eq!((acks[0].stream, acks[0].ppid), (number, 50));
    assert_eq!((&acks[0].payload[..], acks[0].ordered), (&[2][..], true));
    match events(session)[..] {
        [Event::Announced { channel }] => channel,
        ref other => panic!("{other:?}"),
    }
}

fn closed(channel: ChannelId, by: Initiator, failure: Option<Failure>) -> Event {
    Event::Closed {
        channel,
        by,
        failure,
    }
}

/// [6-03] Labels and protocols have at most 65,535 bytes.
#[test]
fn too_long_texts_are_refused() {
    let mut session = client();
    let mut parameters = Parameters::new("ä".repeat(32_768));
    assert_eq!(session.open(parameters.clone()), Err(Error::LabelTooLong));
    parameters.label.pop();
    parameters.label.push('x');
    parameters.protocol = "x".repeat(65_536);
    assert_eq!(
        session.open(parameters.clone()),
        Err(Error::ProtocolTooLong)
    );
    parameters.protocol.pop();
    assert!(session.open(parameters).is_ok());
    assert_eq!(sends(&mut session)[0].payload.len(), 12 + 2 * 65_535);
}

/// [6-04] [6-07] [6-08] Ids that are given: within range, and not taken.
#[test]
fn negotiated_ids() {
    let mut session = Session::new(Config::new());
    assert_eq!(session.open(negotiated(65_535)), Err(Error::InvalidId));
    let id = session.open(negotiated(65_534)).unwrap();
    assert_eq!(stream(&session, id), Some(65_534));
    assert!(session.channel(id).unwrap().is_negotiated());
    assert_eq!(session.open(negotiated(65_534)), Err(Error::IdInUse));
    let in_band = session.open(Parameters::new("")).unwrap();
    assert_eq!(stream(&session, in_band), None);
    assert!(!session.channel(in_band).unwrap().is_negotiated());
}

/// [6-08] Even ids for the client, odd for the server, the lowest free one, none free at the end.
#[test]
fn ids_by_role_until_none_is_left() {
    for (role, first) in [(Role::Client, 0), (Role::Server, 1)] {
        let mut session = connected(role);
        session.open(negotiated(first + 2)).unwrap();
        let a = session.open(Parameters::new("a")).unwrap();
        let b = session.open(Parameters::new("b")).unwrap();
        assert_eq!(stream(&session, a), Some(first));
        assert_eq!(stream(&session, b), Some(first + 4));

        let mut last = b;
        let left = loop {
            match session.open(Parameters::new("")) {
                Ok(id) => last = id,
                Err(error) => break error,
            }
        };
        assert_eq!(left, Error::NoIdLeft);
        assert_eq!(stream(&session, last), Some(65_534 - first));
        assert_eq!(session.channels().count(), 32_768 - usize::from(first));
        // One that is free again is found.
        session.close(b);
        let again = session.open(Parameters::new("")).unwrap();
        assert_eq!(stream(&session, again), Some(first + 4));
        assert_eq!(session.open(Parameters::new("")), Err(Error::NoIdLeft));
    }
}

/// [6-09] Ids that the association does not have.
#[test]
fn ids_beyond_the_association() {
    let mut session = Session::new(Config::new());
    session.set_role(Role::Server);
    let far = session.open(negotiated(10)).unwrap();
    let all: Vec<_> = (0..6)
        .map(|_| session.open(Parameters::new("")).unwrap())
        .collect();
    assert_eq!(stream(&session, all[5]), Some(11));
    session.set_connected(10);
    let failure = Some(Failure::IdUnavailable);
    let expected = [
        closed(far, Initiator::Library, failure),
        closed(all[5], Initiator::Library, failure),
    ];
    assert_eq!(events(&mut session), expected);
    assert_eq!(sends(&mut session).len(), 5);
    assert_eq!(session.open(negotiated(10)), Err(Error::IdAboveLimit));
    assert_eq!(session.open(Parameters::new("")), Err(Error::NoIdLeft));
    assert!(session.open(negotiated(8)).is_ok());
    // Streams were added.
    session.set_connected(12);
    assert!(session.open(negotiated(10)).is_ok());
    let added = session.open(Parameters::new("")).unwrap();
    assert_eq!(stream(&session, added), Some(11));
}

/// [6-08] Channels that were opened before the role was known get their ids with it, in order, and fail if there is none.
#[test]
fn ids_come_with_the_role() {
    for connected_first in [false, true] {
        let mut session = Session::new(Config::new());
        let zero = session.open(negotiated(0)).unwrap();
        let ids: Vec<_> = (0..3)
            .map(|_| session.open(Parameters::new("")).unwrap())
            .collect();
        if connected_first {
            session.set_connected(5);
            assert_eq!(events(&mut session), [Event::Opened { channel: zero }]);
            assert_eq!(sends(&mut session), []);
        }
        session.set_role(Role::Client);
        session.set_role(Role::Server);
        assert_eq!(session.role(), Some(Role::Client));
        let assigned = |channel, stream| Event::IdAssigned { channel, stream };
        let mut expected = vec![assigned(ids[0], 2), assigned(ids[1], 4)];
        if connected_first {
            expected.push(Event::Closed {
                channel: ids[2],
                by: Initiator::Library,
                failure: Some(Failure::IdUnavailable),
            });
        } else {
            expected.push(assigned(ids[2], 6));
        }
        assert_eq!(events(&mut session), expected);
        let sent = if connected_first { vec![2, 4] } else { vec![] };
        let streams = sends(&mut session).into_iter().map(|out| out.stream);
        assert_eq!(streams.collect::<Vec<_>>(), sent);
    }
}

/// [6-14] [6.2-25] The OPEN carries the parameters; messages sent before the ACK are ordered, later ones as agreed.
#[test]
fn unordered_after_the_acknowledgement() {
    let mut session = client();
    let id = session
        .open(Parameters {
            protocol: "proto".into(),
            ordered: false,
            reliability: Reliability::Retransmits(0),
            priority: Priority::High,
            ..Parameters::new("label")
        })
        .unwrap();
    assert_eq!(session.send(id, "a".into()), Err(Error::NotOpen));
    let open = session.poll_send().unwrap();
    assert_eq!((open.stream, open.ppid, open.ordered), (0, 50, true));
    assert_eq!(open.reliability, Reliability::Reliable);
    let expected = Message::Open(Open {
        priority: 1024,
        ordered: false,
        reliability: Reliability::Retransmits(0),
        label: "label",
        protocol: "proto",
    });
    assert_eq!(Message::parse(&open.payload), Ok(expected));

    let early = session.send(id, "ab".into()).unwrap();
    assert_eq!((early.ordered, early.ppid), (true, 51));
    assert_eq!(early.reliability, Reliability::Retransmits(0));
    session.handle_message(0, &[2]);
    assert!(session.channel(id).unwrap().is_acknowledged());
    assert!(!session.send(id, "ab".into()).unwrap().ordered);
    session.handle_message(0, &[2]);
    assert_eq!(session.stats().ignored, 1, "a second ACK has no effect");

    let stats = session.channel(id).unwrap().stats();
    assert_eq!((stats.messages_sent, stats.bytes_sent), (2, 4));
}

/// [6-14] A user message of the peer stands for the ACK (RFC 8832 §6).
#[test]
fn a_message_acknowledges() {
    let mut session = client();
    let (id, number) = opened(&mut session);
    assert!(!session.channel(id).unwrap().is_acknowledged());
    let disposition = session.handle_user_message(number);
    assert_eq!(disposition, Disposition::Deliver);
    assert!(session.channel(id).unwrap().is_acknowledged());
}

/// [6.2-03] An OPEN makes a channel that is open, with the parameters of the peer, and is acknowledged.
#[test]
fn the_peer_opens() {
    let mut session = client();
    let id = announced(&mut session, 7);
    let channel = session.channel(id).unwrap();
    assert_eq!(channel.state(), State::Open);
    assert_eq!((channel.label(), channel.protocol()), ("peer", ""));
    assert!(!channel.ordered() && !channel.is_negotiated());
    assert_eq!(channel.reliability(), Reliability::Retransmits(0));
    assert_eq!(channel.priority(), Priority::Medium);
    assert_eq!(session.by_stream(7), Some(id));
    assert!(!session.send(id, "x".into()).unwrap().ordered);
    session.handle_message(7, &[2]);
    assert_eq!(session.stats().ignored, 1, "the peer does not acknowledge");
}

/// [6.2-05] What is not in order: stream reset, no ACK, no event.
/// Known failure 34.
#[test]
fn bad_opens_are_answered_with_a_reset_only() {
    let good = open_bytes("x", "y");
    let mut unknown_type = good.clone();
    unknown_type[1] = 0x7f;
    let mut bad_text = good.clone();
    bad_text[12] = 0xff;
    let (too_short, too_long) = (&good[..13], [&good[..], b"z"].concat());
    let cases: [(&str, u16, &[u8]); 8] = [
        ("wrong parity", 6, &good),
        ("unknown channel type", 7, &unknown_type),
        ("not UTF-8", 7, &bad_text),
        ("too short", 7, too_short),
        ("too long", 7, &too_long),
        ("unknown message type", 7, &[4]),
        ("reserved message type", 7, &[0]),
        ("empty", 7, &[]),
    ];
    for (case, number, bytes) in cases {
        let mut session = client();
        session.handle_message(number, bytes);
        assert_eq!(sends(&mut session), [], "{case}");
        assert_eq!(resets(&mut session), [number], "{case}");
        // Again, while it is being reset: nothing more.
        session.handle_message(number, bytes);
        assert_eq!(resets(&mut session), [], "{case}");
        assert_eq!(events(&mut session), [], "{case}");
        assert_eq!(session.stats().rejected, 1, "{case}");
        // Once both directions are reset the stream is as new.
        session.handle_outgoing_reset(number);
        session.handle_incoming_reset(number);
        announced(&mut session, 7);
    }
}

/// [6.2-05] The id 65,535 is no stream, and neither is one beyond the association's.
#[test]
fn opens_on_streams_that_do_not_exist_have_no_effect() {
    let mut session = client();
    session.handle_message(65_535, &open_bytes("x", ""));
    assert_eq!(session.handle_user_message(65_535), Disposition::Discard);
    session.handle_incoming_reset(65_535);
    assert_eq!(resets(&mut session), []);
    assert_eq!(events(&mut session), []);
    assert_eq!(session.stats().ignored, 1);
}

/// [6.2-05] An OPEN on an id in use closes that channel: ours, the peer's own, a negotiated one.
/// Known failure 34.
#[test]
fn an_open_on_an_id_in_use_closes_its_channel() {
    let mut session = client();
    let (ours, number) = opened(&mut session);
    let theirs = announced(&mut session, 9);
    let agreed = session.open(negotiated(11)).unwrap();
    assert_eq!(events(&mut session), [Event::Opened { channel: agreed }]);
    for (id, number) in [(ours, number), (theirs, 9), (agreed, 11)] {
        session.handle_message(number, &open_bytes("again", ""));
        assert_eq!(resets(&mut session), [number]);
        assert_eq!(events(&mut session), [Event::Closing { channel: id }]);
        session.handle_outgoing_reset(number);
        session.handle_incoming_reset(number);
        let failure = Some(Failure::Violation);
        let end = closed(id, Initiator::Library, failure);
        assert_eq!(events(&mut session), [end]);
    }
    assert_eq!(session.channels().count(), 0);
}

#[test]
fn an_open_that_takes_our_id_before_ours_is_sent() {
    let mut session = client();
    let id = session.open(Parameters::new("")).unwrap();
    session.handle_message(0, &open_bytes("mine", ""));
    let end = closed(id, Initiator::Library, Some(Failure::Violation));
    assert_eq!(events(&mut session), [end]);
    assert_eq!(resets(&mut session), [0]);
    let stats = session.stats();
    assert_eq!((stats.opened, stats.closed), (0, 0));
}

/// [6.2-17] [6.2-14] Our close: closing at once, deaf from then on, OPEN and ACK leave before the reset, closed when both directions are reset.
#[test]
fn closing_by_this_side() {
    let mut session = client();
    let id = session.open(Parameters::new("")).unwrap();
    assert!(session.poll_send().is_some());
    session.handle_message(3, &open_bytes("", ""));
    session.close(id);
    session.close(id);
    assert_eq!(session.channel(id).unwrap().state(), State::Closing);
    assert_eq!(session.send(id, "x".into()), Err(Error::NotOpen));
    assert_eq!(session.poll_reset(), None, "the ACK has to leave first");
    assert_eq!(session.poll_send().unwrap().stream, 3);
    assert_eq!(resets(&mut session), [0]);
    events(&mut session);
    assert_eq!(session.handle_user_message(0), Disposition::Discard);

    session.handle_outgoing_reset(0);
    assert_eq!(events(&mut session), []);
    session.handle_incoming_reset(0);
    let end = closed(id, Initiator::User, None);
    assert_eq!(events(&mut session), [end]);
    // It is known until it is forgotten, and its id is free.
    let channel = session.channel(id).unwrap();
    assert_eq!(
        (channel.state(), channel.stream()),
        (State::Closed, Some(0))
    );
    session.close(id);
    assert_eq!(session.send(id, "x".into()), Err(Error::NotOpen));
    let late = session.decode(id, 51, Bytes::from_static(b"x"));
    assert_eq!(late, Err(Unusable::Closed));
    assert_eq!(events(&mut session), []);
    assert_eq!(opened(&mut session).1, 0);
    session.forget(id);
    assert!(session.channel(id).is_none());
    assert_eq!(session.send(id, "x".into()), Err(Error::UnknownChannel));
    // One that is forgotten before goes when it is closed.
    let early = session.open(negotiated(8)).unwrap();
    session.forget(early);
    assert_eq!(session.channel(early).unwrap().state(), State::Open);
    session.close(early);
    assert_eq!(resets(&mut session), [8]);
    session.handle_outgoing_reset(8);
    session.handle_incoming_reset(8);
    assert!(session.channel(early).is_none());
}

/// [6.2-18] The peer's close: closing, our own reset, closed.
#[test]
fn closing_by_the_peer() {
    let mut session = client();
    let (ours, number) = opened(&mut session);
    session.handle_message(number, &[2]);
    let theirs = announced(&mut session, 5);
    for (id, number) in [(ours, number), (theirs, 5)] {
        session.handle_incoming_reset(number);
        assert_eq!(events(&mut session), [Event::Closing { channel: id }]);
        // Once more, before it can have seen ours: nothing.
        session.handle_incoming_reset(number);
        assert_eq!(resets(&mut session), [number]);
        session.handle_outgoing_reset(number);
        let end = closed(id, Initiator::Remote, None);
        assert_eq!(events(&mut session), [end]);
        assert_eq!(resets(&mut session), []);
    }
    let stats = session.stats();
    assert_eq!((stats.opened, stats.closed), (2, 2));
}

#[test]
fn a_reset_before_the_ack_is_a_refusal() {
    let mut session = client();
    let (id, number) = opened(&mut session);
    session.handle_incoming_reset(number);
    assert_eq!(resets(&mut session), [number]);
    session.handle_outgoing_reset(number);
    let end = closed(id, Initiator::Remote, Some(Failure::Rejected));
    assert_eq!(events(&mut session), [Event::Closing { channel: id }, end]);
}

/// [6.2-21] An id is free when both directions are reset, and not before.
#[test]
fn ids_are_used_again() {
    let mut session = client();
    let (id, number) = opened(&mut session);
    session.close(id);
    assert_eq!(session.open(negotiated(number)), Err(Error::IdInUse));
    assert_eq!(resets(&mut session), [number]);
    session.handle_outgoing_reset(number);
    let other = session.open(Parameters::new("")).unwrap();
    assert_eq!(stream(&session, other), Some(number + 2));
    session.handle_incoming_reset(number);
    let again = session.open(Parameters::new("")).unwrap();
    assert_eq!(stream(&session, again), Some(number));
    assert_ne!(id, again);
}

/// [6.2-21] The peer may know that both directions are reset before we do: its next OPEN waits for that.
/// Known failure 34.
#[test]
fn the_peer_uses_an_id_again_before_our_reset_is_confirmed() {
    for closes_again in [false, true] {
        let mut session = client();
        let first = announced(&mut session, 1);
        session.handle_incoming_reset(1);
        // Before our reset has left, an OPEN there is wrong.
        session.handle_message(1, &open_bytes("early", ""));
        assert_eq!(session.stats().ignored, 1);
        assert_eq!(resets(&mut session), [1]);
        session.handle_message(1, &open_bytes("next", ""));
        assert_eq!(session.handle_user_message(1), Disposition::Hold);
        session.handle_message(1, &open_bytes("too much", ""));
        assert_eq!(session.stats().ignored, 2);
        if closes_again {
            session.handle_incoming_reset(1);
        }
        assert_eq!(events(&mut session), [Event::Closing { channel: first }]);
        assert_eq!(sends(&mut session), []);

        session.handle_outgoing_reset(1);
        let second = ChannelId(first.0 + 1);
        let mut expected = vec![
            closed(first, Initiator::Remote, None),
            Event::Announced { channel: second },
        ];
        if closes_again {
            expected.push(Event::Closing { channel: second });
        }
        assert_eq!(events(&mut session), expected);
        assert_eq!(session.channel(second).unwrap().label(), "next");
        assert_eq!(sends(&mut session).len(), 1);
        assert_eq!(resets(&mut session).len(), usize::from(closes_again));
    }
}

/// [6.2-24] Closed while connecting: closed without having been open, nothing on the wire.
#[test]
fn closing_while_connecting() {
    let mut session = Session::new(Config::new());
    let waiting = session.open(Parameters::new("")).unwrap();
    let agreed = session.open(negotiated(4)).unwrap();
    session.close(waiting);
    session.close(agreed);
    session.set_role(Role::Client);
    session.set_connected(100);
    let ready = session.open(Parameters::new("")).unwrap();
    session.close(ready);
    assert_eq!(resets(&mut session), []);
    let ends = events(&mut session);
    assert_eq!(ends.len(), 3);
    for (event, id) in ends.iter().zip([waiting, agreed, ready]) {
        assert!(
            matches!(event, Event::Closed { channel, by: Initiator::User, .. } if *channel == id)
        );
    }
    assert_eq!(session.stats(), Stats::default());
    assert!(session.open(negotiated(4)).is_ok());
}

/// [6.2-02] Negotiated channels open with the association, without DCEP.
#[test]
fn negotiated_channels_open_when_connected() {
    let mut session = Session::new(Config::new());
    let parameters = Parameters {
        ordered: false,
        ..negotiated(0)
    };
    let id = session.open(parameters).unwrap();
    session.set_role(Role::Server);
    assert_eq!(session.send(id, "x".into()), Err(Error::NotOpen));
    session.set_connected(10);
    assert_eq!(events(&mut session), [Event::Opened { channel: id }]);
    assert_eq!(sends(&mut session), []);
    assert!(!session.send(id, "x".into()).unwrap().ordered);
}

#[test]
fn messages_wait_for_a_negotiated_channel_on_a_bounded_number_of_streams() {
    let mut session = Session::new(Config::new().max_unclaimed(2));
    session.set_role(Role::Client);
    session.set_connected(100);
    for number in [20, 21, 20] {
        assert_eq!(session.handle_user_message(number), Disposition::Hold);
    }
    assert_eq!(session.handle_user_message(22), Disposition::Discard);
    assert_eq!(resets(&mut session), [22]);
    session.open(negotiated(20)).unwrap();
    assert_eq!(session.handle_user_message(20), Disposition::Deliver);
    // One place is free again; giving up frees another; so does the peer's reset, which is answered.
    assert_eq!(session.handle_user_message(23), Disposition::Hold);
    session.reject(21);
    session.reject(20);
    assert_eq!(session.handle_user_message(24), Disposition::Hold);
    session.handle_incoming_reset(23);
    assert_eq!(session.handle_user_message(25), Disposition::Hold);
    assert_eq!(resets(&mut session), [21, 23]);
    // DCEP after user messages is out of order.
    session.handle_message(25, &open_bytes("", ""));
    assert_eq!(resets(&mut session), [25]);
}

#[test]
fn a_reset_of_a_channel_we_do_not_have_is_answered() {
    let mut session = client();
    session.handle_incoming_reset(40);
    assert_eq!(session.open(negotiated(40)), Err(Error::IdInUse));
    assert_eq!(resets(&mut session), [40]);
    session.handle_outgoing_reset(40);
    assert!(session.open(negotiated(40)).is_ok());
    assert_eq!(session.stats().rejected, 0);
}

/// [6.2-10] [6.2-16] Messages are counted by their own size; what is no message closes the channel.
#[test]
fn what_is_received_is_decoded_and_counted() {
    let mut session = client();
    let ordered = opened(&mut session).0;
    let unordered = announced(&mut session, 1);
    let bytes = Bytes::from_static(b"abc");
    let text = session.decode(ordered, 51, bytes.clone());
    assert_eq!(text, Ok(Some("abc".into())));
    assert_eq!(
        session.decode(ordered, 56, bytes.clone()),
        Ok(Some("".into()))
    );
    assert_eq!(session.decode(ordered, 54, bytes.clone()), Ok(None));
    let whole = session.decode(ordered, 51, bytes.clone());
    assert_eq!(whole, Ok(Some("abcabc".into())));
    let stats = session.channel(ordered).unwrap().stats();
    assert_eq!((stats.messages_received, stats.bytes_received), (3, 9));

    let parts = session.decode(unordered, 54, bytes.clone());
    assert_eq!(parts, Err(Unusable::Parts));
    let bad = session.decode(ordered, 51, Bytes::from_static(&[0xff]));
    assert_eq!(bad, Err(Unusable::NotUtf8));
    let expected = [unordered, ordered].map(|channel| Event::Closing { channel });
    assert_eq!(events(&mut session), expected);
    assert_eq!(resets(&mut session), [1, 0]);
    let gone = session.decode(ChannelId(99), 51, bytes);
    assert_eq!(gone, Err(Unusable::Closed));
}

#[test]
fn parts_are_bounded_for_all_channels_together() {
    let mut session = client();
    let part = Bytes::from(vec![0; 256 * 1024]);
    for _ in 0..16 {
        let id = opened(&mut session).0;
        assert_eq!(session.decode(id, 52, part.clone()), Ok(None));
    }
    let id = opened(&mut session).0;
    let one = Bytes::from_static(&[1]);
    assert_eq!(session.decode(id, 52, one.clone()), Err(Unusable::TooLarge));
    assert_eq!(session.held.parts, MAX_PARTS);
    session.handle_end();
    assert_eq!(session.held.parts, 0);
}

/// [6.2-20] The end of the association closes all channels.
#[test]
fn the_association_ends_or_restarts() {
    let mut session = client();
    let (ours, _) = opened(&mut session);
    let closing = opened(&mut session).0;
    session.close(closing);
    session.handle_restart();
    assert_eq!(resets(&mut session), []);
    let expected = [
        closed(ours, Initiator::Transport, None),
        closed(closing, Initiator::User, None),
    ];
    assert_eq!(events(&mut session), expected);
    let (again, number) = opened(&mut session);
    assert_eq!(number, 0);
    session.handle_end();
    assert_eq!(
        events(&mut session),
        [closed(again, Initiator::Transport, None)]
    );
    session.handle_message(1, &open_bytes("", ""));
    assert_eq!(session.channels().count(), 0, "there is no stream");
    // The next association has a role and streams of its own.
    let next = session.open(Parameters::new("")).unwrap();
    assert_eq!(stream(&session, next), None);
    session.set_role(Role::Server);
    session.set_connected(100);
    let assigned = Event::IdAssigned {
        channel: next,
        stream: 1,
    };
    assert_eq!(events(&mut session), [assigned]);
    assert_eq!(sends(&mut session).len(), 1);
    assert_eq!(events(&mut session), [Event::Opened { channel: next }]);
    let stats = session.stats();
    assert_eq!((stats.opened, stats.closed), (4, 3));
}

/// What ends is known by its handle until its turn, and its stream is another's.
#[test]
fn channels_end_with_their_association_one_by_one() {
    let mut session = client();
    let (closing, first) = opened(&mut session);
    let (broken, second) = opened(&mut session);
    let (silent, _) = opened(&mut session);
    session.begin_restart();
    assert_eq!(session.channels().count(), 0);
    let (next, same) = opened(&mut session);
    let (last, beside) = opened(&mut session);
    assert_eq!((same, beside), (first, second));
    assert_eq!(Vec::from_iter(session.channels()), [next, last]);
    let message = Payload::Binary(Bytes::from_static(b"x"));
    assert_eq!(session.send(silent, message), Err(Error::NotOpen));
    session.close(closing);
    let unknown = Bytes::from_static(b"x");
    session.decode(broken, 99, unknown).unwrap_err();
    assert_eq!(resets(&mut session), [], "nothing of the next ones");
    assert_eq!(events(&mut session), [Event::Closing { channel: broken }]);
    assert_eq!(session.next_ending(), Some(closing));
    assert!(session.end_next());
    assert_eq!(
        events(&mut session),
        [closed(closing, Initiator::User, None)]
    );
    // It is restarted once more before that is done.
    session.begin_restart();
    assert!(session.is_ending(next) && session.is_ending(last));
    while session.end_next() {}
    let expected = [
        closed(broken, Initiator::Library, Some(Failure::Violation)),
        closed(silent, Initiator::Transport, None),
        closed(next, Initiator::Transport, None),
        closed(last, Initiator::Transport, None),
    ];
    assert_eq!(events(&mut session), expected);
    assert_eq!(session.next_ending(), None);
    assert_eq!(opened(&mut session).1, first);
}

/// [6.2-23] An OPEN that the association can never take closes its channel.
#[test]
fn an_open_that_is_too_long_closes_the_channel() {
    let mut session = client();
    let acknowledged = announced(&mut session, 1);
    session.handle_message(3, &open_bytes("", ""));
    assert_eq!(session.peek_send(), Some((3, 1)));
    session.refuse_send();
    events(&mut session);
    let long = session.open(Parameters::new("x".repeat(1000))).unwrap();
    let short = session.open(Parameters::new("x")).unwrap();
    assert_eq!(session.peek_send(), Some((0, 1012)));
    session.refuse_send();
    let end = closed(long, Initiator::Library, Some(Failure::OpenTooLong));
    assert_eq!(events(&mut session), [end]);
    assert_eq!(session.channel(long).unwrap().state(), State::Closed);
    assert_eq!(session.peek_send(), Some((2, 13)));
    let out = session.poll_send().unwrap();
    assert_eq!((out.stream, out.payload.len()), (2, 13));
    assert_eq!(events(&mut session), [Event::Opened { channel: short }]);
    session.refuse_send();
    assert_eq!((session.peek_send(), session.poll_send()), (None, None));
    assert_eq!(session.channel(acknowledged).unwrap().state(), State::Open);
    // What is closed before its OPEN was taken is passed over.
    let given_up = session.open(Parameters::new("x")).unwrap();
    session.close(given_up);
    assert_eq!(session.peek_send(), None);
    assert_eq!(
        events(&mut session),
        [closed(given_up, Initiator::User, None)]
    );
    // Its id is free.
    assert_eq!(opened(&mut session).1, 0);
}

/// RFC 8832 §6: what is held for the next life of a stream can be given up as well.
#[test]
fn the_next_channel_of_a_stream_can_be_given_up() {
    let mut session = client();
    let first = announced(&mut session, 1);
    session.handle_incoming_reset(1);
    assert_eq!(resets(&mut session), [1]);
    session.handle_message(1, &open_bytes("next", ""));
    assert_eq!(session.handle_user_message(1), Disposition::Hold);
    session.reject(1);
    session.reject(1);
    assert_eq!(session.stats().rejected, 1);
    assert_eq!(session.handle_user_message(1), Disposition::Discard);
    events(&mut session);
    session.handle_outgoing_reset(1);
    assert_eq!(
        events(&mut session),
        [closed(first, Initiator::Remote, None)]
    );
    // The peer's new channel is reset, and the stream is free when that is done.
    assert_eq!(resets(&mut session), [1]);
    assert_eq!(session.open(negotiated(1)), Err(Error::IdInUse));
    session.handle_outgoing_reset(1);
    session.handle_incoming_reset(1);
    assert!(session.open(negotiated(1)).is_ok());
    assert_eq!(session.held.channels, 0);
}

/// What a peer can cause is bounded: as many OPENs as there are streams, and the longest texts.
#[test]
fn a_greedy_peer_is_bounded() {
    let mut session = client();
    let full = open_bytes(&"l".repeat(65_535), &"p".repeat(65_535));
    for number in (1..65_535).step_by(2) {
        session.handle_message(number, &full);
    }
    let fits = 4 * 1024 * 1024 / (2 * 65_535);
    assert_eq!(session.channels().count(), fits);
    assert_eq!(session.held.text, fits * 2 * 65_535);
    assert_eq!(sends(&mut session).len(), fits);
    assert_eq!(events(&mut session).len(), fits);
    assert_eq!(resets(&mut session).len(), 32_767 - fits);

    let mut session = client();
    let short = open_bytes("", "");
    for number in 0..65_535 {
        session.handle_message(number, &short);
    }
    assert_eq!(session.channels().count(), 1024);
    // Maps have some room to spare: half as much again is ample.
    let idle = size_of::<(ChannelId, Channel)>() + size_of::<(u16, Stream)>();
    assert!(idle * 3 / 2 <= 256, "{idle} bytes for an idle channel");

    let mut session = Session::new(Config::new().max_remote_channels(2));
    session.set_role(Role::Client);
    session.set_connected(100);
    announced(&mut session, 1);
    announced(&mut session, 3);
    session.handle_message(5, &short);
    assert_eq!(resets(&mut session), [5]);
    // One that is closed makes room.
    session.handle_incoming_reset(1);
    assert_eq!(resets(&mut session), [1]);
    session.handle_outgoing_reset(1);
    events(&mut session);
    announced(&mut session, 7);
}

/// Another association carries the channels on: what was closing is closed, what has lost something ends, the others have their
/// ids still. Channels that follow get ids by the role that this end has then.
#[test]
fn another_association_carries_channels_over() {
    let mut session = client();
    let (kept, kept_id) = opened(&mut session);
    let (lost, _) = opened(&mut session);
    let theirs = announced(&mut session, 1);
    let (theirs_lost, closing) = (announced(&mut session, 3), opened(&mut session).0);
    session.close(closing);
    assert_eq!(session.handle_user_message(9), Disposition::Hold);
    assert_eq!((session.held.channels, session.held.unclaimed), (2, 1));
    session.carry_over(&[lost, theirs_lost]);
    assert_eq!(resets(&mut session), []);
    let expected = [
        closed(lost, Initiator::Transport, None),
        closed(theirs_lost, Initiator::Transport, None),
        closed(closing, Initiator::User, None),
    ];
    assert_eq!(events(&mut session), expected);
    assert_eq!(Vec::from_iter(session.channels()), [kept, theirs]);
    assert_eq!(Vec::from_iter(session.streams_from(0)), [0, 1]);
    assert_eq!(Vec::from_iter(session.streams_from(1)), [1]);
    assert_eq!((session.held.channels, session.held.unclaimed), (1, 0));
    assert_eq!(stream(&session, kept), Some(kept_id));
    assert!(session.send(kept, Payload::Text("on".into())).is_ok());
    // The same role changes nothing, the other one the parity.
    session.turn(Role::Client);
    assert_eq!(opened(&mut session).1, 2);
    session.turn(Role::Server);
    assert_eq!(opened(&mut session).1, 3);
    session.handle_message(8, &open_bytes("even", ""));
    assert!(session.by_stream(8).is_some(), "the peer's are even now");
}

/// Each of them by itself: one that is used before its turn, and what is for the other association waits for all.
#[test]
fn channels_are_carried_over_one_by_one() {
    let mut session = client();
    let ids = [(); 6].map(|()| opened(&mut session).0);
    let waits = session.open(Parameters::default()).unwrap();
    session.handle_user_message(9);
    session.close(ids[1]);
    session.begin_carrying();
    let late = session.open(Parameters::default()).unwrap();
    assert!(ids.iter().all(|id| session.is_left(*id)) && !session.is_left(late));
    // Out of turn, behind and before the next, and twice.
    for (id, lost) in [
        (ids[4], false),
        (ids[0], false),
        (ids[2], true),
        (ids[2], false),
    ] {
        session.carry(id, lost);
        assert!(!session.is_left(id));
    }
    assert_eq!(
        events(&mut session),
        [closed(ids[2], Initiator::Transport, None)]
    );
    assert_eq!(session.peek_send(), None);
    let mut left = Vec::new();
    while let Some(id) = session.next_left() {
        left.push(id);
        session.carry(id, id == ids[5]);
    }
    assert_eq!(left, [ids[1], ids[3], ids[5], waits]);
    let expected = [
        closed(ids[1], Initiator::User, None),
        closed(ids[5], Initiator::Transport, None),
    ];
    assert_eq!(events(&mut session), expected);
    assert_eq!((session.peek_send(), session.held.unclaimed), (None, 1));
    while session.carry_stream() {}
    assert_eq!(session.held.unclaimed, 0);
    assert_eq!(
        sends(&mut session).len(),
        2,
        "the two that wait are announced"
    );
    // So does the end of one that goes on.
    session.begin_carrying();
    session.carry(ids[4], false);
    session.close(ids[4]);
    assert_eq!(resets(&mut session), []);
    session.carry_over(&[]);
    assert_eq!(resets(&mut session), []);
}

/// An end in the midst of it is one of all, and what the next association brings is not touched.
#[test]
fn an_end_is_one_of_those_that_are_left_too() {
    let mut session = client();
    let ids = [(); 4].map(|()| opened(&mut session).0);
    let theirs = announced(&mut session, 1);
    events(&mut session);
    session.begin_carrying();
    session.carry(ids[0], false);
    session.begin_end();
    session.carry(theirs, true);
    assert_eq!(events(&mut session), [], "it ends at its turn");
    while session.end_next() {}
    assert_eq!(events(&mut session).len(), 5);
    assert_eq!(session.channels().count(), 0);
    // The numbers are another association's by now.
    session.set_role(Role::Client);
    session.set_connected(100);
    session.handle_user_message(9);
    session.handle_message(1, &open_bytes("", ""));
    while let Some(id) = session.next_left() {
        session.carry(id, true);
    }
    while session.carry_stream() {}
    assert_eq!(Vec::from_iter(session.streams_from(0)), [1, 9]);
    assert_eq!((session.held.channels, session.held.unclaimed), (1, 1));
    assert!(
        session
            .channel(theirs)
            .is_some_and(|it| it.state() == State::Closed)
    );
}

/// Those that wait for the association open one by one, behind those that fail; one that is opened or closed meanwhile has its turn.
#[test]
fn channels_open_one_by_one() {
    let mut session = Session::new(Config::new());
    let first = session.open(Parameters::default()).unwrap();
    let beyond = session.open(negotiated(100)).unwrap();
    let agreed = session.open(negotiated(7)).unwrap();
    session.set_role(Role::Client);
    events(&mut session);
    session.begin_connected(100);
    assert!(session.refuse_next() && events(&mut session).is_empty());
    let late = session.open(negotiated(9)).unwrap();
    while session.refuse_next() {}
    let failed = closed(beyond, Initiator::Library, Some(Failure::IdUnavailable));
    assert_eq!(events(&mut session), [failed]);
    assert!(session.open_next() && sends(&mut session).len() == 1);
    session.close(agreed);
    assert!(session.is_opening());
    while session.open_next() {}
    let expected = [
        Event::Opened { channel: first },
        closed(agreed, Initiator::User, None),
        Event::Opened { channel: late },
    ];
    assert_eq!(events(&mut session), expected);
    let behind = session.open(negotiated(11)).unwrap();
    assert_eq!(events(&mut session), [Event::Opened { channel: behind }]);
    // One that is closed before does not fail as well.
    let mut session = Session::new(Config::new());
    let beyond = session.open(negotiated(100)).unwrap();
    session.close(beyond);
    events(&mut session);
    session.set_connected(50);
    assert_eq!(events(&mut session), []);
    // A restart ends those that have not had their turn.
    let mut session = Session::new(Config::new());
    session.open(negotiated(7)).unwrap();
    session.begin_connected(100);
    session.handle_restart();
    assert!(!session.is_opening());
}
