//! Data channels from end to end.

mod pair;

use std::time::Duration;

use bytes::Bytes;
use oxirtc_netsim::{Link, ms, percent};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, DataChannelState, ErrorKind, Message, Priority,
    engine::{ChannelEvent, Event, SendError, Settings},
};
use pair::Pair;

fn link() -> Link {
    Link::new(1).delay(ms(10))
}

const SOON: Duration = Duration::from_secs(30);

/// [6.2-01] What closes does not open: neither a channel that is closed before there is a connection nor one of the peer's that is
/// closed as it is told.
#[test]
fn what_closes_does_not_open() {
    let mut pair = Pair::new(1, link());
    pair.ends[1].refuses = true;
    let init = DataChannelInit::default();
    let given_up = pair.open(0, "given up", &init);
    let refused = pair.open(0, "refused", &init);
    pair.close_channel(0, given_up);
    pair.negotiate(0).unwrap();
    let closed = DataChannelState::Closed;
    pair.until(SOON, |pair| pair.ends[0].state(refused) == closed);
    pair.run(Duration::from_secs(1));
    let events = |side: usize, wanted| {
        let all = pair.ends[side].tasks.iter().flatten();
        let of = all.filter_map(|event| match event {
            Event::Channel(id, event) if *id == wanted => Some(format!("{event:?}")),
            _ => None,
        });
        of.collect::<Vec<_>>()
    };
    assert_eq!(events(0, given_up), ["Close"]);
    assert_eq!(events(0, refused), ["Open", "Closing", "Close"]);
    let [theirs] = pair.ends[1].channels[..] else {
        panic!("{:?}", pair.ends[1].channels);
    };
    assert_eq!(events(1, theirs), ["Close"]);
}

/// [6.2-14] What comes on a channel that was closed here is discarded.
#[test]
fn what_closes_receives_nothing() {
    let (mut pair, [here, there]) = Pair::connected(1, link(), &DataChannelInit::default());
    pair.send(0, here, "early");
    pair.run(ms(50));
    pair.close_channel(1, there);
    pair.send(0, here, "late");
    let closed = DataChannelState::Closed;
    pair.until(SOON, |pair| pair.ends[0].state(here) == closed);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.ends[1].messages(there), [&Message::from("early")]);
    assert_eq!(pair.ends[1].state(there), closed);
}

/// [6.2-10] [6.2-11] [6.2-14] [6.2-16] What is lost comes late: what was sent behind it waits.
#[test]
fn all_kinds_of_messages_arrive_in_order() {
    let lossy = link().loss(percent(10));
    let (mut pair, [here, there]) = Pair::connected(1, lossy, &DataChannelInit::default());
    let large = Bytes::from(vec![7; 262_144]);
    let mut messages: Vec<Message> = vec![
        "text".into(),
        Bytes::from_static(b"bytes").into(),
        "".into(),
        Bytes::new().into(),
        large.clone().into(),
        "x".repeat(262_144).into(),
        "ä🦀".into(),
    ];
    // Each in a packet of its own.
    for number in 0..60 {
        messages.push(match number % 2 {
            0 => format!("{number:1000}").into(),
            _ => vec![number; 1000].into(),
        });
    }
    for message in &messages {
        pair.send(0, here, message.clone());
        pair.send(1, there, message.clone());
    }
    pair.until(SOON, |pair| {
        pair.ends
            .iter()
            .all(|end| end.inbox.len() == messages.len())
    });
    assert_eq!(
        pair.ends[1].messages(there),
        messages.iter().collect::<Vec<_>>()
    );
    assert_eq!(
        pair.ends[0].messages(here),
        messages.iter().collect::<Vec<_>>()
    );
    // [6.2-07]
    let error = pair
        .try_send(0, here, &vec![0; 262_145].into())
        .unwrap_err();
    assert!(matches!(error, SendError::Refused(error) if error.kind() == ErrorKind::Type));
}

/// [6.2-25] [6-14] [6.2-03] [4.9.1-02]: attributes at both ends.
#[test]
fn options_are_seen_by_the_peer() {
    let mut pair = Pair::new(2, link());
    let options = [
        DataChannelInit::default(),
        DataChannelInit {
            ordered: false,
            max_retransmits: Some(0),
            ..Default::default()
        },
        DataChannelInit {
            max_retransmits: Some(3),
            protocol: "p".into(),
            ..Default::default()
        },
        DataChannelInit {
            max_packet_life_time: Some(500),
            ..Default::default()
        },
        DataChannelInit {
            ordered: false,
            max_packet_life_time: Some(65_535),
            priority: Priority::High,
            ..Default::default()
        },
        DataChannelInit {
            ordered: false,
            id: Some(77),
            ..Default::default()
        },
    ];
    let ids = options.each_ref().map(|init| pair.open(0, "label ä", init));
    pair.negotiate(0).unwrap();
    pair.until(SOON, |pair| pair.ends[1].channels.len() == options.len());
    for (index, init) in options.iter().enumerate() {
        let here = pair.ends[0].engine.channel(ids[index]).unwrap();
        let there = pair.ends[1]
            .engine
            .channel(pair.ends[1].channels[index])
            .unwrap();
        for channel in [here, there] {
            assert_eq!(channel.label(), "label ä");
            assert_eq!(channel.protocol(), init.protocol);
            assert_eq!(channel.ordered(), init.ordered);
            assert_eq!(channel.max_retransmits(), init.max_retransmits);
            assert_eq!(channel.max_packet_life_time(), init.max_packet_life_time);
            assert_eq!(channel.priority(), init.priority);
            assert!(!channel.negotiated());
            assert_eq!(channel.ready_state(), DataChannelState::Open);
        }
        assert_eq!(here.id(), there.id());
        // The answerer is the DTLS client, so the offerer has odd ids ([4.4.1.6-23], [6-04]).
        assert_eq!(here.id().unwrap(), u16::try_from(index).unwrap() * 2 + 1);
    }
}

/// [6-11] A new channel is connecting until there is an association. Its `open` is told once, by a task of its own, where there is one
/// already as well.
#[test]
fn the_open_of_a_new_channel_is_told_whenever_it_is_made() {
    let mut pair = Pair::new(21, link());
    let early = pair.open(0, "early", &DataChannelInit::default());
    pair.step();
    assert_eq!(pair.ends[0].state(early), DataChannelState::Connecting);
    pair.connect(&DataChannelInit::default());
    let negotiated = DataChannelInit {
        negotiated: true,
        id: Some(100),
        ..DataChannelInit::default()
    };
    for init in [DataChannelInit::default(), negotiated] {
        pair.step();
        let before = pair.ends[0].tasks.len();
        let late = pair.open(0, "late", &init);
        pair.until(SOON, |pair| {
            pair.ends[0].state(late) == DataChannelState::Open
        });
        pair.step();
        let tasks = &pair.ends[0].tasks[before..];
        let opens =
            |it: &Event| matches!(it, Event::Channel(id, ChannelEvent::Open) if *id == late);
        let alone = |task: &&Vec<Event>| matches!(&task[..], [event] if opens(event));
        assert_eq!(tasks.iter().filter(alone).count(), 1, "{tasks:?}");
    }
}

/// [6.2-02]
#[test]
fn negotiated_channels_open_without_a_word() {
    let init = DataChannelInit {
        negotiated: true,
        id: Some(0),
        ..DataChannelInit::default()
    };
    let (mut pair, [here, there]) = Pair::connected(3, link(), &init);
    assert!(pair.ends[1].channels.is_empty(), "nothing is announced");
    pair.send(0, here, "a");
    pair.send(1, there, "b");
    pair.until(SOON, |pair| {
        pair.ends.iter().all(|end| end.inbox.len() == 1)
    });
}

/// [6-03] [6-04] [6-05] [6-07] [6-08]
#[test]
fn wrong_options_are_refused() {
    let mut pair = Pair::new(4, link());
    let refused = |pair: &mut Pair, label: &str, init: DataChannelInit| {
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        engine
            .create_data_channel(now, label, &init)
            .unwrap_err()
            .kind()
    };
    let default = DataChannelInit::default;
    let negotiated = |id| DataChannelInit {
        negotiated: true,
        id,
        ..default()
    };
    let long = "a".repeat(65_536);
    assert_eq!(refused(&mut pair, &long, default()), ErrorKind::Type);
    let protocol = DataChannelInit {
        protocol: long,
        ..default()
    };
    assert_eq!(refused(&mut pair, "", protocol), ErrorKind::Type);
    assert_eq!(refused(&mut pair, "", negotiated(None)), ErrorKind::Type);
    assert_eq!(
        refused(&mut pair, "", negotiated(Some(65_535))),
        ErrorKind::Type
    );
    let both = DataChannelInit {
        max_packet_life_time: Some(1),
        max_retransmits: Some(1),
        ..default()
    };
    assert_eq!(refused(&mut pair, "", both), ErrorKind::Type);
    pair.open(0, "", &negotiated(Some(5)));
    assert_eq!(
        refused(&mut pair, "", negotiated(Some(5))),
        ErrorKind::Operation
    );
}

/// [6.2-17] [6.2-18] [6.2-19] [6.2-20] [6.2-21]
#[test]
fn a_channel_closes_in_order_and_its_id_is_free_again() {
    let (mut pair, [here, there]) = Pair::connected(5, link(), &DataChannelInit::default());
    let id = pair.ends[0].engine.channel(here).unwrap().id();
    for index in 0..50 {
        pair.send(0, here, format!("{index}"));
    }
    pair.close_channel(0, here);
    pair.close_channel(0, here);
    assert_eq!(pair.ends[0].state(here), DataChannelState::Closing);
    let error = pair.try_send(0, here, &"late".into()).unwrap_err();
    assert!(matches!(error, SendError::Refused(it) if it.kind() == ErrorKind::InvalidState));
    let closed = DataChannelState::Closed;
    pair.until(SOON, |pair| {
        pair.ends[0].state(here) == closed && pair.ends[1].state(there) == closed
    });
    assert_eq!(
        pair.ends[1].messages(there).len(),
        50,
        "what was sent before is delivered"
    );
    let tail = |side: usize| {
        let story = pair.ends[side].story();
        let open = story.iter().rposition(|it| it == "open").unwrap();
        story[open + 1..]
            .iter()
            .filter(|it| *it != "bufferedamountlow")
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(tail(0), ["close"]);
    assert_eq!(tail(1), ["closing", "close"]);
    let again = pair.open(0, "again", &DataChannelInit::default());
    pair.until(SOON, |pair| pair.ends[1].channels.len() == 2);
    assert_eq!(pair.ends[0].engine.channel(again).unwrap().id(), id);
    pair.send(0, again, "fresh");
    let fresh = pair.ends[1].channels[1];
    pair.until(SOON, |pair| pair.ends[1].messages(fresh).len() == 1);
    assert_eq!(pair.ends[1].messages(there).len(), 50);
}

/// The request leaves with the last data of the stream, and asks for an answer at once: a close is a round trip, also where the peer still keeps
/// its acknowledgement of the opening.
#[test]
fn a_close_takes_a_round_trip() {
    let link = Link::new(5).delay(ms(20));
    let (mut pair, _) = Pair::connected(5, link, &DataChannelInit::default());
    let here = pair.open(0, "short", &DataChannelInit::default());
    let opened = pair.until(SOON, |pair| {
        pair.ends[0].state(here) == DataChannelState::Open
    });
    pair.until(SOON, |pair| pair.ends[1].channels.len() == 2);
    pair.send(0, here, "once");
    pair.close_channel(0, here);
    let closed = pair.until(SOON, |pair| {
        pair.ends[0].state(here) == DataChannelState::Closed
    });
    assert!(
        opened <= ms(45) && closed <= ms(45),
        "{opened:?}, {closed:?}"
    );
    let there = pair.ends[1].channels[1];
    assert_eq!(pair.ends[1].messages(there).len(), 1);
}

/// RFC 6525 §5.2.2: each reset of a stream counts, although nothing was sent since the one before.
#[test]
fn a_negotiated_channel_is_closed_and_opened_again_and_again() {
    let (mut pair, _) = Pair::connected(16, link(), &DataChannelInit::default());
    let init = DataChannelInit {
        negotiated: true,
        id: Some(4),
        ..DataChannelInit::default()
    };
    for life in 0..3 {
        let (here, there) = (pair.open(0, "here", &init), pair.open(1, "there", &init));
        let are = |pair: &Pair, state| {
            pair.ends[0].state(here) == state && pair.ends[1].state(there) == state
        };
        pair.step();
        assert!(are(&pair, DataChannelState::Open), "life {life}");
        pair.close_channel(life % 2, if life % 2 == 0 { here } else { there });
        pair.run(SOON);
        assert!(are(&pair, DataChannelState::Closed), "life {life}");
    }
}

/// [6.2-24]
#[test]
fn a_channel_that_is_closed_before_it_opens_never_opens() {
    let mut pair = Pair::new(6, link());
    let keep = pair.open(0, "keep", &DataChannelInit::default());
    let drop = pair.open(0, "drop", &DataChannelInit::default());
    pair.close_channel(0, drop);
    pair.negotiate(0).unwrap();
    pair.until(SOON, |pair| {
        pair.ends[0].state(keep) == DataChannelState::Open
    });
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.ends[0].state(drop), DataChannelState::Closed);
    let opened =
        |event: &Event| matches!(event, Event::Channel(id, ChannelEvent::Open) if *id == drop);
    assert!(!pair.ends[0].tasks.iter().flatten().any(opened));
    assert_eq!(pair.ends[1].channels.len(), 1);
    // On an association that is there already, before its event was read.
    let late = pair.open(0, "late", &DataChannelInit::default());
    pair.close_channel(0, late);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.ends[0].state(late), DataChannelState::Closed);
    let opened =
        |event: &Event| matches!(event, Event::Channel(id, ChannelEvent::Open) if *id == late);
    assert!(!pair.ends[0].tasks.iter().flatten().any(opened));
}

/// [6.2-04] [6.2-18]: the messages that came before the close can be read after it.
#[test]
fn unread_messages_survive_the_close() {
    let (mut pair, [here, there]) = Pair::connected(7, link(), &DataChannelInit::default());
    pair.ends[1].reads = false;
    for index in 0..20 {
        pair.send(0, here, format!("{index}"));
    }
    pair.close_channel(0, here);
    pair.until(SOON, |pair| {
        pair.ends[1].state(there) == DataChannelState::Closed
    });
    let again = pair.open(0, "again", &DataChannelInit::default());
    pair.until(SOON, |pair| pair.ends[1].channels.len() == 2);
    pair.send(0, again, "other");
    pair.run(Duration::from_secs(1));
    let now = pair.now;
    let fresh = pair.ends[1].channels[1];
    pair.ends[1].read(now, there);
    pair.ends[1].read(now, fresh);
    let texts: Vec<_> = pair.ends[1]
        .messages(there)
        .iter()
        .map(|it| it.as_text().unwrap().to_owned())
        .collect();
    assert_eq!(texts, (0..20).map(|it| it.to_string()).collect::<Vec<_>>());
    assert_eq!(pair.ends[1].messages(fresh), [&Message::from("other")]);
}

/// [6.2-09] [6.2-13] [3-01]
#[test]
fn the_buffered_amount_tells_when_it_is_low() {
    let (mut pair, [here, _]) = Pair::connected(8, link(), &DataChannelInit::default());
    pair.ends[0]
        .engine
        .set_buffered_amount_low_threshold(here, 100_000);
    let before = pair.ends[0].tasks.len();
    for _ in 0..5 {
        pair.send(0, here, vec![0; 100_000]);
    }
    assert_eq!(
        pair.ends[0].engine.channel(here).unwrap().buffered_amount(),
        500_000
    );
    assert!(pair.ends[0].engine.channel(here).unwrap().unacknowledged() >= 500_000);
    pair.until(SOON, |pair| pair.ends[1].inbox.len() == 5);
    pair.run(Duration::from_secs(1));
    assert_eq!(
        pair.ends[0].engine.channel(here).unwrap().buffered_amount(),
        0
    );
    assert_eq!(
        pair.ends[0].engine.channel(here).unwrap().unacknowledged(),
        0
    );
    let low = |event: &Event| matches!(event, Event::Channel(id, ChannelEvent::BufferedAmountLow) if *id == here);
    assert_eq!(
        pair.ends[0].tasks[before..]
            .iter()
            .flatten()
            .filter(|it| low(it))
            .count(),
        1
    );
    // Raised above what is buffered it tells nothing: the amount has not fallen to it, now or later.
    let before = pair.ends[0].tasks.len();
    for _ in 0..5 {
        pair.send(0, here, vec![0; 100_000]);
    }
    let set = |pair: &mut Pair, threshold| {
        let engine = &mut pair.ends[0].engine;
        engine.set_buffered_amount_low_threshold(here, threshold);
        assert_eq!(
            engine
                .channel(here)
                .unwrap()
                .buffered_amount_low_threshold(),
            threshold
        );
    };
    set(&mut pair, 600_000);
    pair.until(SOON, |pair| pair.ends[1].inbox.len() == 10);
    pair.run(Duration::from_secs(1));
    set(&mut pair, 0);
    pair.step();
    let told = &pair.ends[0].tasks[before..];
    assert!(!told.iter().flatten().any(low));
    // [6.2-09]: what a closed channel did not send stays counted.
    for _ in 0..9 {
        pair.send(0, here, vec![0; 100_000]);
    }
    let left = |pair: &Pair| pair.ends[0].engine.channel(here).unwrap().buffered_amount();
    let before = left(&pair);
    assert!(before > 100_000, "{before}");
    let now = pair.now;
    pair.ends[0].engine.close(now);
    assert_eq!(left(&pair), before);
}

/// A full send buffer refuses, and takes again when it has drained.
#[test]
fn a_full_buffer_pushes_back() {
    let (mut pair, [here, _]) = Pair::connected(9, link(), &DataChannelInit::default());
    let message = Message::from(vec![0; 200_000]);
    let mut taken = 0;
    let refusal = loop {
        match pair.try_send(0, here, &message) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refusal, SendError::Full);
    assert_eq!(taken, 6, "1 MiB, and the message that crosses it");
    pair.until(SOON, |pair| pair.ends[1].inbox.len() == 6);
    pair.send(0, here, message);
    pair.until(SOON, |pair| pair.ends[1].inbox.len() == 7);
}

/// A reader that does not read stops its peer, and loses nothing.
#[test]
fn a_slow_reader_slows_its_peer() {
    let (mut pair, [here, there]) = Pair::connected(10, link(), &DataChannelInit::default());
    pair.ends[1].reads = false;
    let mut sent = 0_u64;
    for _ in 0..60 {
        while pair.try_send(0, here, &vec![1; 60_000].into()).is_ok() {
            sent += 1;
        }
        pair.run(Duration::from_millis(500));
    }
    assert!(
        sent * 60_000 < 8 << 20,
        "the window and the buffer, not more: {sent}"
    );
    let now = pair.now;
    pair.ends[1].reads = true;
    pair.ends[1].read(now, there);
    pair.until(SOON, |pair| pair.ends[1].inbox.len() as u64 == sent);
}

/// 200 channels at once, over a lossy link.
#[test]
fn many_channels_open_and_close() {
    let link = Link::new(3).delay(ms(20)).loss(percent(2));
    let mut pair = Pair::new(11, link);
    let ids: Vec<_> = (0..200)
        .map(|index| pair.open(index % 2, &index.to_string(), &DataChannelInit::default()))
        .collect();
    pair.negotiate(0).unwrap();
    pair.until(SOON, |pair| {
        pair.ends.iter().all(|end| end.channels.len() == 100)
    });
    for (index, id) in ids.iter().enumerate() {
        pair.send(index % 2, *id, index.to_string());
    }
    pair.until(SOON, |pair| {
        pair.ends.iter().all(|end| end.inbox.len() == 100)
    });
    for (index, id) in ids.iter().enumerate() {
        pair.close_channel(index % 2, *id);
    }
    pair.until(SOON, |pair| {
        let closed = |side: usize, id| pair.ends[side].state(id) == DataChannelState::Closed;
        ids.iter()
            .enumerate()
            .all(|(index, id)| closed(index % 2, *id))
            && (0..2).all(|side| pair.ends[side].channels.iter().all(|id| closed(side, *id)))
    });
    assert_eq!(pair.ends[0].engine.counters().channels_closed, 200);
}

/// [6.2-25]: messages without retransmission are lost as the link loses them; order is not waited for.
#[test]
fn unreliable_messages_may_be_lost_and_nothing_stalls() {
    let init = DataChannelInit {
        ordered: false,
        max_retransmits: Some(0),
        ..Default::default()
    };
    let mut arrived = 0;
    for seed in 0..4 {
        let link = Link::new(seed).delay(ms(20)).loss(percent(20));
        let (mut pair, [here, there]) = Pair::connected(seed, link, &init);
        for index in 0..300_u32 {
            pair.send(0, here, index.to_be_bytes().to_vec());
            pair.run(Duration::from_millis(5));
        }
        pair.run(Duration::from_secs(5));
        arrived += pair.ends[1].messages(there).len();
        let channel = pair.ends[0].engine.channel(here).unwrap();
        assert_eq!(channel.unacknowledged(), 0);
    }
    assert!((800..1100).contains(&arrived), "{arrived} of 1200");
}

/// When 1,024 events wait unread, channels that the peer opens wait in the association.
#[test]
fn channels_wait_while_events_are_unread() {
    let (mut pair, _) = Pair::connected(13, link(), &DataChannelInit::default());
    let now = pair.now;
    pair.ends[1].engine.set_unread_events(now, 1024);
    let late = pair.open(0, "late", &DataChannelInit::default());
    pair.send(0, late, "first");
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.ends[1].channels.len(), 1, "it is not told");
    let now = pair.now;
    pair.ends[1].engine.set_unread_events(now, 0);
    pair.until(SOON, |pair| {
        pair.ends[1].channels.len() == 2 && pair.ends[1].inbox.len() == 1
    });
}

/// A peer that opens, fills and closes channels while nobody reads is bounded by two windows.
#[test]
fn unread_messages_of_closed_channels_are_bounded() {
    let settings = Settings::default().receive_window(512 << 10);
    let configurations = [Configuration::default(), Configuration::default()];
    let mut pair = Pair::with(14, link(), configurations, settings);
    pair.connect(&DataChannelInit::default());
    pair.ends[1].reads = false;
    let mut sent = 0;
    let mut ids = Vec::new();
    for index in 0..30 {
        let id = pair.open(0, &index.to_string(), &DataChannelInit::default());
        ids.push(id);
        pair.run(Duration::from_millis(100));
        while pair.try_send(0, id, &vec![2; 50_000].into()).is_ok() {
            sent += 1;
            if sent % 4 == 0 {
                break;
            }
        }
        pair.close_channel(0, id);
        pair.run(Duration::from_millis(400));
    }
    let waiting = pair.ends[0].engine.total_unacknowledged();
    assert!(waiting > 0, "the reader has stopped its peer");
    pair.ends[1].reads = true;
    let started = pair.now;
    while pair.ends[1].inbox.len() < sent && pair.now < started + SOON {
        let now = pair.now;
        for id in pair.ends[1].channels.clone() {
            pair.ends[1].read(now, id);
        }
        pair.run(Duration::from_millis(50));
    }
    assert_eq!(pair.ends[1].inbox.len(), sent, "and nothing is lost");
    pair.until(SOON, |pair| {
        ids.iter()
            .all(|id| pair.ends[0].state(*id) == DataChannelState::Closed)
    });
}

/// [6.2-06] What is sent while a channel connects, closes or is closed.
#[test]
fn only_an_open_channel_takes_messages() {
    let mut pair = Pair::new(1, link());
    let channel = pair.open(0, "a", &DataChannelInit::default());
    let refused = |pair: &mut Pair, expected| {
        assert_eq!(pair.ends[0].state(channel), expected);
        let error = pair.try_send(0, channel, &"text".into()).unwrap_err();
        assert!(
            matches!(&error, SendError::Refused(error) if error.kind() == ErrorKind::InvalidState),
            "{expected:?}: {error:?}"
        );
    };
    refused(&mut pair, DataChannelState::Connecting);
    pair.negotiate(0).unwrap();
    refused(&mut pair, DataChannelState::Connecting);
    pair.until(SOON, |pair| {
        pair.ends[0].state(channel) == DataChannelState::Open
    });
    pair.try_send(0, channel, &"text".into()).unwrap();
    pair.close_channel(0, channel);
    refused(&mut pair, DataChannelState::Closing);
    pair.until(SOON, |pair| {
        pair.ends[0].state(channel) == DataChannelState::Closed
    });
    refused(&mut pair, DataChannelState::Closed);
}
