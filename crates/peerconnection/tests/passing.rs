//! What the engine hands on from one layer to another, and to its driver.

mod pair;

use std::time::{Duration, SystemTime};

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, DataChannelState, ErrorDetail, IceCandidateInit,
    IceConnectionState, IceRole, MediaKind, OfferOptions, PeerConnectionState, SessionDescription,
    engine::{Anchor, ChannelEvent, Engine, Event, Interface, Request, Route, Settings},
};
use pair::{Pair, media::ONE};

fn link() -> Link {
    Link::new(1).delay(ms(10))
}

const SOON: Duration = Duration::from_secs(30);

/// A description with other lines.
fn edited(
    description: &SessionDescription,
    edit: impl Fn(&str) -> Vec<String>,
) -> SessionDescription {
    let lines = description.sdp.lines().flat_map(edit);
    SessionDescription {
        kind: description.kind,
        sdp: lines.flat_map(|line| [line, "\r\n".into()]).collect(),
    }
}

/// [6.2-13]: the event belongs to the task in which the amount falls, not to the one of the acknowledgement.
#[test]
fn a_low_buffered_amount_is_told_when_the_packets_are_built() {
    let (mut pair, [here, _]) = Pair::connected(1, link(), &DataChannelInit::default());
    pair.run(Duration::from_secs(1));
    pair.send(0, here, vec![0; 3000]);
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let low = |event: Event| matches!(event, Event::Channel(_, ChannelEvent::BufferedAmountLow));
    assert!(engine.poll_task().is_none(), "nothing has left");
    let mut buf = Vec::new();
    while engine.poll_transmit(now, &mut buf).is_some() {}
    assert_eq!(engine.channel(here).unwrap().buffered_amount(), 0);
    let told = std::iter::from_fn(|| engine.poll_task()).flatten();
    assert_eq!(told.filter(|event| low(event.clone())).count(), 1);
}

/// [6.2-13]: what SCTP carries beside the bytes of the application is no part of the amount: the announcement in front of them, and the byte
/// that stands for an empty message (RFC 8831 §6.6).
#[test]
fn only_bytes_of_the_application_are_buffered() {
    let (mut pair, [here, _]) = Pair::connected(1, link(), &DataChannelInit::default());
    pair.run(Duration::from_secs(1));
    let told = |engine: &mut Engine, now, id| {
        let mut buf = Vec::new();
        while engine.poll_transmit(now, &mut buf).is_some() {}
        let low = |event: &Event| matches!(event, Event::Channel(it, ChannelEvent::BufferedAmountLow) if *it == id);
        let told = std::iter::from_fn(|| engine.poll_task()).flatten();
        told.filter(low).count()
    };
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.send(now, here, &"x".into()).unwrap();
    assert_eq!(told(engine, now, here), 1);
    engine.send(now, here, &"".into()).unwrap();
    assert_eq!(engine.channel(here).unwrap().buffered_amount(), 0);
    assert_eq!(told(engine, now, here), 0, "nothing was buffered");

    let label = "a".repeat(500);
    let init = DataChannelInit::default();
    let named = engine.create_data_channel(now, &label, &init).unwrap();
    engine.set_buffered_amount_low_threshold(named, 1000);
    engine.send(now, named, &vec![0; 900].into()).unwrap();
    assert_eq!(engine.channel(named).unwrap().buffered_amount(), 900);
    assert_eq!(told(engine, now, named), 0, "it was below all the time");
}

/// RFC 9260 §8.4: an association that fails here ends the peer's channels, too.
#[test]
fn an_association_that_fails_tells_the_peer() {
    let mut pair = Pair::new(2, link());
    let here = pair.open(0, "a", &DataChannelInit::default());
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let answer = pair.answer(1, offer).unwrap();
    // The peer believes that we take more than we do.
    let answer = edited(&answer, |line| {
        vec![line.replace("max-message-size:262144", "max-message-size:1000000")]
    });
    let now = pair.now;
    pair.ends[0]
        .engine
        .set_remote_description(now, answer)
        .unwrap();
    pair.until(SOON, |pair| {
        pair.ends[0].state(here) == DataChannelState::Open && !pair.ends[1].channels.is_empty()
    });
    pair.send(0, here, vec![0; 300_000]);
    pair.until(Duration::from_secs(2), |pair| {
        pair.ends[0].state(here) == DataChannelState::Closed
    });
    for end in &pair.ends {
        let story = end.story();
        let tail = &story[story.len() - 3..];
        assert_eq!(tail, ["sctp Closed", "error sctp-failure", "close"]);
    }
}

/// [6.2-23]: label and protocol that the peer does not take.
#[test]
fn a_channel_that_cannot_be_announced_fails() {
    let settings = Settings::default().max_message_size(1000);
    let configurations = [Configuration::default(), Configuration::default()];
    let mut pair = Pair::with(3, link(), configurations, settings);
    let long = pair.open(0, &"x".repeat(2000), &DataChannelInit::default());
    pair.connect(&DataChannelInit::default());
    assert_eq!(pair.ends[0].state(long), DataChannelState::Closed);
    let of_long = |it: &&Event| matches!(it, Event::Channel(id, _) if *id == long);
    let told = pair.ends[0]
        .tasks
        .iter()
        .map(|task| task.iter().filter(of_long));
    let told: Vec<Vec<_>> = told.map(Iterator::collect).collect();
    let told: Vec<_> = told.into_iter().filter(|it| !it.is_empty()).collect();
    let [task] = &told[..] else {
        panic!("one task: {told:?}");
    };
    let [
        Event::Channel(_, ChannelEvent::Error(error)),
        Event::Channel(_, ChannelEvent::Close),
    ] = task[..]
    else {
        panic!("{task:?}");
    };
    assert_eq!(error.detail(), Some(ErrorDetail::DataChannelFailure));
    assert_eq!(pair.ends[1].channels.len(), 1);
}

/// RFC 8841 §6: what is announced without a limit is what can be taken.
#[test]
fn messages_without_a_limit_arrive() {
    let settings = Settings::default().max_message_size(0);
    let configurations = [Configuration::default(), Configuration::default()];
    let mut pair = Pair::with(4, link(), configurations, settings.send_buffer(4 << 20));
    let [here, there] = pair.connect(&DataChannelInit::default());
    let local = pair.ends[0].engine.local_description().unwrap();
    assert!(local.sdp.contains("a=max-message-size:1073741824\r\n"));
    pair.send(0, here, vec![1; 3_000_000]);
    pair.until(SOON, |pair| pair.ends[1].messages(there).len() == 1);
}

/// RFC 8838 §14: the end of the peer's candidates reaches ICE, which can then give up.
#[test]
fn the_end_of_candidates_is_handed_on() {
    let mut pair = Pair::new(5, link());
    for end in &mut pair.ends {
        end.trickle = false;
    }
    pair.open(0, "a", &DataChannelInit::default());
    pair.negotiate(0).unwrap();
    let nowhere = IceCandidateInit {
        candidate: "candidate:1 1 udp 2130706431 10.9.9.9 9000 typ host".into(),
        sdp_mid: Some("0".into()),
        ..IceCandidateInit::default()
    };
    let end = IceCandidateInit {
        candidate: String::new(),
        ..nowhere.clone()
    };
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.add_ice_candidate(now, &nowhere).unwrap();
    engine.add_ice_candidate(now, &end).unwrap();
    // Later the end would come by itself.
    pair.until(Duration::from_secs(60), |pair| {
        pair.ends[0].engine.ice_connection_state() == IceConnectionState::Failed
    });
}

/// What the peer tells of an offer that has no answer yet counts with the answer: of a restart where nothing else is known of either side.
#[test]
fn candidates_wait_for_the_answer() {
    for trickled in [false, true] {
        let (mut pair, _) = Pair::connected(5, link(), &DataChannelInit::default());
        for end in &mut pair.ends {
            end.trickle = false;
        }
        let restart = OfferOptions {
            ice_restart: true,
            ..OfferOptions::default()
        };
        pair.offer(0, &restart).unwrap();
        pair.run(Duration::from_secs(1));
        let mut offer = pair.ends[0].engine.local_description().unwrap();
        let mut told = Vec::new();
        if trickled {
            let is_candidate = |line: &str| line.starts_with("a=candidate:");
            let lines = offer.sdp.lines().filter(|it| is_candidate(it));
            told.extend(lines.map(String::from));
            assert_ne!(told, [""; 0]);
            offer = edited(&offer, |line| match is_candidate(line) {
                true => Vec::new(),
                false => vec![line.into()],
            });
        }
        let now = pair.now;
        let engine = &mut pair.ends[1].engine;
        engine.set_remote_description(now, offer).unwrap();
        for candidate in told {
            let init = IceCandidateInit {
                candidate,
                sdp_mid: Some("0".into()),
                ..IceCandidateInit::default()
            };
            engine.add_ice_candidate(now, &init).unwrap();
        }
        let answer = engine.create_answer().unwrap();
        assert!(!answer.sdp.contains("a=candidate:"));
        let fragment = |sdp: &str| {
            let lines = sdp.lines().find_map(|it| it.strip_prefix("a=ice-ufrag:"));
            lines.unwrap().to_owned()
        };
        let own = fragment(&answer.sdp);
        engine
            .set_local_description(now, Some(answer.clone()))
            .unwrap();
        let engine = &mut pair.ends[0].engine;
        engine.set_remote_description(now, answer).unwrap();
        let name = format!(
            "{}:{own}",
            fragment(&engine.local_description().unwrap().sdp)
        );
        pair.sent = Some(Vec::new());
        pair.run(Duration::from_secs(5));
        let checks = pair.sent.take().unwrap().into_iter().filter(|it| {
            let message = oxirtc_stun::Message::parse(&it.datagram);
            message.is_ok_and(|it| it.username() == Some(&name))
        });
        assert!(checks.count() > 0, "nobody checks as {name}");
    }
}

/// RFC 8445 §6.1.1: the full end of a pair with a lite one controls, whoever offered.
#[test]
fn a_lite_peer_is_controlled() {
    let mut pair = Pair::new(6, link());
    pair.open(0, "a", &DataChannelInit::default());
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let lite = |offer: &SessionDescription| {
        edited(offer, |line| match line {
            "t=0 0" => vec![line.into(), "a=ice-lite".into()],
            line => vec![line.into()],
        })
    };
    assert_ne!(lite(&offer), offer);
    pair.answer(1, lite(&offer)).unwrap();
    let role = |pair: &Pair| pair.ends[1].engine.transports().next().unwrap().ice_role();
    assert_eq!(role(&pair), IceRole::Controlling);
    // Otherwise it is the offerer that does.
    let mut pair = Pair::new(6, link());
    pair.open(0, "a", &DataChannelInit::default());
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    pair.answer(1, offer).unwrap();
    assert_eq!(role(&pair), IceRole::Controlled);
    // One that takes over a call that stands, with new credentials.
    let (mut pair, _) = Pair::connected(6, link(), &DataChannelInit::default());
    assert_eq!(role(&pair), IceRole::Controlled);
    let restart = OfferOptions {
        ice_restart: true,
        ..OfferOptions::default()
    };
    let offer = pair.offer(0, &restart).unwrap();
    pair.answer(1, lite(&offer)).unwrap();
    assert_eq!(role(&pair), IceRole::Controlling);
}

/// However many offers to restart replace each other before one is answered, a shared port knows the fragment that the peer goes on to
/// check by.
#[test]
fn the_fragment_in_force_outlives_any_number_of_offers() {
    let (mut pair, _) = Pair::connected(9, link(), &DataChannelInit::default());
    let known = |pair: &Pair| -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for route in &pair.ends[0].routes {
            match route {
                Route::Ufrag(ufrag) => known.push(ufrag.clone()),
                Route::UfragReleased(ufrag) => known.retain(|it| it != ufrag),
                _ => {}
            }
        }
        known
    };
    let in_force = known(&pair);
    assert_eq!(in_force.len(), 1);
    let restart = OfferOptions {
        ice_restart: true,
        ..OfferOptions::default()
    };
    for _ in 0..6 {
        pair.offer(0, &restart).unwrap();
        pair.run(Duration::from_secs(1));
        let known = known(&pair);
        assert!(known.contains(&in_force[0]), "{known:?}");
        assert!(known.len() <= 4, "{known:?}");
    }
    // The last of them is answered, and what nobody checks by any more is forgotten with the next.
    let offer = pair.ends[0].engine.pending_local_description().unwrap();
    let answer = pair.answer(1, offer).unwrap();
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_remote_description(now, answer).unwrap();
    pair.run(Duration::from_secs(5));
    pair.negotiate_with(0, &restart).unwrap();
    pair.run(Duration::from_secs(5));
    let known = known(&pair);
    assert!(
        !known.contains(&in_force[0]) && known.len() <= 3,
        "{known:?}"
    );
}

/// Three generations are told to who shares a port: the current one, the one before it, and one that an
/// open offer may bring. A transport that goes takes its own back.
#[test]
fn ufrags_are_told_for_as_long_as_the_peer_may_use_them() {
    let (mut pair, _) = Pair::connected(7, link(), &DataChannelInit::default());
    let ufrags = |pair: &Pair| -> (Vec<String>, Vec<String>) {
        let routes = pair.ends[0].routes.iter();
        let (mut told, mut released) = (Vec::new(), Vec::new());
        for route in routes {
            match route {
                Route::Ufrag(ufrag) => told.push(ufrag.clone()),
                Route::UfragReleased(ufrag) => released.push(ufrag.clone()),
                _ => {}
            }
        }
        (told, released)
    };
    for restarts in 1..=4 {
        pair.negotiate_with(
            0,
            &OfferOptions {
                ice_restart: true,
                ..OfferOptions::default()
            },
        )
        .unwrap();
        pair.run(Duration::from_secs(1));
        let (told, released) = ufrags(&pair);
        assert_eq!(told.len(), restarts + 1);
        assert_eq!(released, told[..(restarts + 1).saturating_sub(3)]);
    }
    let now = pair.now;
    pair.ends[0].engine.close(now);
    pair.step();
    let (told, released) = ufrags(&pair);
    assert_eq!(released, told);
    // So does a rollback of the offer that brought it.
    let mut pair = Pair::new(8, link());
    pair.open(0, "a", &DataChannelInit::default());
    pair.offer(0, &OfferOptions::default()).unwrap();
    pair.step();
    let rollback = SessionDescription::rollback();
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_local_description(now, Some(rollback)).unwrap();
    pair.step();
    let (told, released) = ufrags(&pair);
    assert_eq!((told.len(), released), (1, told));
}

/// [4.4.1.3-01] The closed guard: what waits is not told any more.
#[test]
fn no_task_runs_after_close() {
    let (mut pair, [_, there]) = Pair::connected(10, link(), &DataChannelInit::default());
    let now = pair.now;
    let engine = &mut pair.ends[1].engine;
    engine.restart_ice();
    engine.close_channel(now, there);
    engine.close(now);
    assert!(engine.poll_task().is_none());
    let before = pair.ends[1].tasks.len();
    pair.run(Duration::from_secs(40));
    assert_eq!(pair.ends[1].tasks.len(), before);
}

/// Whatever comes after it, nothing rises any more: the states are those of a closed connection.
#[test]
fn nothing_rises_after_close() {
    let (mut pair, _) = Pair::connected(13, link(), &DataChannelInit::default());
    let now = pair.now;
    let engine = &mut pair.ends[1].engine;
    engine.close(now);
    engine.handle_interfaces(now, &[]);
    pair.run(Duration::from_secs(1));
    let engine = &pair.ends[1].engine;
    assert_eq!(engine.connection_state(), PeerConnectionState::Closed);
    assert_eq!(engine.ice_connection_state(), IceConnectionState::Closed);
}

/// A negotiated channel that only the peer has does not stop the others, and is closed.
#[test]
fn a_channel_that_only_the_peer_has_is_given_up() {
    let (mut pair, [here, there]) = Pair::connected(11, link(), &DataChannelInit::default());
    let init = DataChannelInit {
        negotiated: true,
        id: Some(100),
        ..DataChannelInit::default()
    };
    let alone = pair.open(0, "alone", &init);
    while pair.try_send(0, alone, &vec![0; 60_000].into()).is_ok() {}
    pair.send(0, here, "still here");
    pair.until(Duration::from_secs(5), |pair| {
        pair.ends[1].messages(there).len() == 1
            && pair.ends[0].state(alone) == DataChannelState::Closed
    });
    // What is little waits ten seconds for its channel.
    let early = pair.open(0, "early", &init);
    pair.send(0, early, "first");
    pair.run(Duration::from_secs(5));
    let late = pair.open(1, "late", &init);
    pair.send(0, early, "second");
    pair.until(Duration::from_secs(1), |pair| {
        pair.ends[1].messages(late).len() == 2
    });
    assert_eq!(pair.ends[1].messages(late)[0].as_text(), Some("first"));
}

/// A socket that was asked for by a transport that is gone meanwhile is closed: nobody else would do it.
#[test]
fn a_socket_that_comes_too_late_is_closed() {
    let now = oxirtc_netsim::epoch();
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let anchor = Anchor { instant: now, wall };
    let (configuration, settings) = (Configuration::default(), Settings::default());
    let mut engine = Engine::new(configuration, settings, [1; 32], anchor).unwrap();
    let interface = Interface {
        name: "eth0".into(),
        index: 1,
        address: [10, 0, 0, 1].into(),
        default_route: true,
        cost: 0,
    };
    engine.handle_interfaces(now, &[interface]);
    let init = DataChannelInit::default();
    engine.create_data_channel(now, "a", &init).unwrap();
    engine.set_local_description(now, None).unwrap();
    let asked = std::iter::from_fn(|| engine.poll_request()).find_map(|request| match request {
        Request::Bind { id, .. } => Some(id),
        _ => None,
    });
    let asked = asked.unwrap();
    let rollback = SessionDescription::rollback();
    engine.set_local_description(now, Some(rollback)).unwrap();
    while engine.poll_request().is_some() {}
    let local = (std::net::Ipv4Addr::new(10, 0, 0, 1), 4001).into();
    engine.handle_response(now, asked, Ok(local));
    assert_eq!(engine.poll_request(), Some(Request::Close { local }));
    // Another answer to the same is nobody's.
    engine.handle_response(now, asked, Ok(local));
    assert_eq!(engine.poll_request(), None);
}

/// [4.8.2-04] However many transports gather, that there are no more candidates is told once, behind all of them.
#[test]
fn the_end_of_all_candidates_is_told_once() {
    let mut pair = Pair::new(12, link());
    let engine = &mut pair.ends[0].engine;
    engine.add_track(MediaKind::Audio, ONE, Vec::new()).unwrap();
    pair.open(0, "a", &DataChannelInit::default());
    pair.offer(0, &OfferOptions::default()).unwrap();
    pair.step();
    let end = &pair.ends[0];
    assert_eq!(end.engine.transports().count(), 2);
    let told = end.tasks.iter().flatten();
    let told: Vec<_> = told
        .filter_map(|event| match event {
            Event::IceCandidate(candidate) => Some(candidate.as_ref()),
            _ => None,
        })
        .collect();
    let ends = told.iter().filter(|it| it.is_none()).count();
    assert_eq!((ends, told.last()), (1, Some(&None)), "{told:?}");
}
