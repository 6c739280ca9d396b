//! Two engines find each other and move messages.

mod pair;

use std::{collections::BTreeSet, time::Duration};

use oxirtc_netsim::{End, Link, ms, percent};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, DtlsTransportState, IceRole, IceTransportState, MediaKind,
    Message, OfferOptions, Protocol,
    engine::{ChannelId, Interface, Path, Route, Settings, TrackId},
};
use oxirtc_stun::{AttributeType, Message as Stun};
use pair::{
    Pair,
    media::{self, Camera, Microphone},
};

#[test]
fn two_engines_connect_and_talk() {
    let (mut pair, [here, there]) =
        Pair::connected(1, Link::new(1).delay(ms(10)), &DataChannelInit::default());
    pair.send(0, here, "hello");
    pair.send(1, there, vec![1, 2, 3]);
    pair.send(0, here, "");
    pair.send(1, there, Vec::new());
    pair.until(Duration::from_secs(2), |pair| {
        pair.ends[0].inbox.len() == 2 && pair.ends[1].inbox.len() == 2
    });
    let text = |text: &str| Message::from(text);
    assert_eq!(pair.ends[1].messages(there), [&text("hello"), &text("")]);
    assert_eq!(
        pair.ends[0].messages(here),
        [&vec![1, 2, 3].into(), &Vec::new().into()]
    );
    assert!(pair.ends.iter().all(pair::End::is_connected));
}

/// Each batch is a call of the system: ABORT and close_notify are one, but where the socket takes one datagram at a time.
#[test]
fn what_goes_together_is_one_batch() {
    for (segments, saved) in [(64, 1), (1, 0)] {
        let configurations = [(); 2].map(|()| Configuration::default());
        let settings = Settings::default().max_segments(segments);
        let mut pair = Pair::with(1, Link::new(1).delay(ms(10)), configurations, settings);
        pair.connect(&DataChannelInit::default());
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        let before = engine.counters();
        engine.close(now);
        while engine.poll_transmit(now, &mut Vec::new()).is_some() {}
        let after = engine.counters();
        assert_eq!(after.datagrams_sent, before.datagrams_sent + 2);
        assert_eq!(after.batches_sent, before.batches_sent + 2 - saved);
    }
}

#[test]
fn they_connect_over_a_bad_link() {
    let link = Link::new(1)
        .delay(ms(50))
        .loss(percent(20))
        .duplicate(percent(10));
    let (mut pair, [here, there]) = Pair::connected(7, link, &DataChannelInit::default());
    for index in 0..100_u32 {
        pair.send(0, here, index.to_string());
    }
    pair.until(Duration::from_secs(60), |pair| {
        pair.ends[1].inbox.len() == 100
    });
    for (index, message) in pair.ends[1].messages(there).into_iter().enumerate() {
        assert_eq!(message.as_text(), Some(&*index.to_string()));
    }
}

/// RFC 6544: where no UDP gets through at all, streams carry everything; without them nothing connects.
#[test]
fn streams_lead_where_no_udp_gets_through() {
    for streams in [true, false] {
        let configurations = [(); 2].map(|()| Configuration::default());
        let settings = Settings::default().ice_tcp(streams);
        let link = Link::new(1).delay(ms(10));
        let mut pair = Pair::with(1, link, configurations, settings);
        for end in &mut pair.ends {
            end.without_udp = true;
        }
        if !streams {
            pair.open(0, "a", &DataChannelInit::default());
            pair.negotiate(0).unwrap();
            pair.run(Duration::from_secs(60));
            assert!(!pair.ends.iter().any(pair::End::is_connected));
            return;
        }
        let channels = pair.connect(&DataChannelInit::default());
        for (side, channel) in channels.into_iter().enumerate() {
            pair.send(side, channel, vec![7; 100_000]);
        }
        pair.until(Duration::from_secs(10), |pair| {
            pair.ends.iter().all(|end| end.inbox.len() == 1)
        });
        for end in &pair.ends {
            let transport = end.engine.transports().next().unwrap();
            let selected = transport.selected_candidate_pair().unwrap();
            let used = [selected.local.protocol(), selected.remote.protocol()];
            assert_eq!(used, [Some(Protocol::Tcp); 2]);
        }
    }
}

/// RFC 8445 §2.5: a lite server says so, the peer controls whoever offers, and messages go both ways.
#[test]
fn a_lite_server_is_reached() {
    for server in [0, 1] {
        let lite = |side| Settings::default().ice_lite(side == server);
        let configurations = [(); 2].map(|()| Configuration::default());
        let link = Link::new(3).delay(ms(10));
        let mut pair = Pair::with_each(3, link, configurations, [lite(0), lite(1)]);
        let [here, there] = pair.connect(&DataChannelInit::default());
        pair.send(0, here, "hello");
        pair.send(1, there, "back");
        pair.until(Duration::from_secs(5), |pair| {
            pair.ends.iter().all(|end| end.inbox.len() == 1)
        });
        let roles = pair.ends.iter().map(|end| {
            let view = end.engine.transports().next().unwrap();
            view.ice_role()
        });
        let mut expected = [IceRole::Controlling; 2];
        expected[server] = IceRole::Controlled;
        assert_eq!(roles.collect::<Vec<_>>(), expected);
        let described = |side: usize| {
            let sdp = pair.ends[side].engine.local_description().unwrap().sdp;
            sdp.contains("a=ice-lite\r\n")
        };
        assert!(described(server) && !described(1 - server));
    }
}

/// A pair whose side 0 is to send sound, pictures and data.
fn of_three_sections() -> Pair {
    of_sections(&[MediaKind::Audio, MediaKind::Video]).0
}

/// A pair whose side 0 is to send media of these kinds, and data.
fn of_sections(kinds: &[MediaKind]) -> (Pair, ChannelId) {
    let mut pair = Pair::new(5, Link::new(5).delay(ms(10)));
    let engine = &mut pair.ends[0].engine;
    for (kind, track) in kinds.iter().zip(1..) {
        let added = engine.add_track(*kind, TrackId(track), Vec::new());
        added.expect("a new connection takes tracks");
    }
    let channel = pair.open(0, "data", &DataChannelInit::default());
    (pair, channel)
}

/// RFC 8839 §5.4: sections of a first offer have one fragment. A shared port knows it until none of their transports is left.
#[test]
fn a_fragment_is_known_until_nobody_has_it() {
    let mut pair = of_three_sections();
    pair.negotiate(0).unwrap();
    pair.until(Duration::from_secs(20), |pair| {
        pair.ends.iter().all(pair::End::is_connected)
    });
    assert_eq!(pair.ends[0].engine.transports().count(), 1, "of three");
    let known = |pair: &Pair| {
        let mut known = Vec::new();
        for route in &pair.ends[0].routes {
            match route {
                Route::Ufrag(ufrag) => known.push(ufrag.clone()),
                Route::UfragReleased(ufrag) => known.retain(|it| it != ufrag),
                _ => {}
            }
        }
        known.sort();
        known.dedup();
        known
    };
    let sdp = pair.ends[0].engine.local_description().unwrap().sdp;
    let found = known(&pair);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(sdp.contains(&format!("a=ice-ufrag:{}\r\n", found[0])));
    let now = pair.now;
    pair.ends[0].engine.close(now);
    pair.step();
    assert!(known(&pair).is_empty());
}

/// An offer whose groups are lost on the way, and its answer.
#[expect(clippy::unwrap_used, reason = "a failing step is a failing test")]
fn negotiate_unbundled(pair: &mut Pair) {
    let mut offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let kept = offer.sdp.lines().filter(|it| !it.starts_with("a=group"));
    offer.sdp = kept.flat_map(|it| [it, "\r\n"]).collect();
    let answer = pair.answer(1, offer).unwrap();
    let now = pair.now;
    pair.ends[0]
        .engine
        .set_remote_description(now, answer)
        .unwrap();
    pair.exchange();
}

/// Where the peer bundles nothing there are as many transports as sections, of one name here, and of several there: on one port a check goes
/// by the peer's.
#[test]
fn transports_of_one_name_share_a_port() {
    let mut pair = of_three_sections();
    pair.ends[0].one_port = true;
    // Its addresses are learnt from its checks.
    pair.ends[1].trickle = false;
    negotiate_unbundled(&mut pair);
    let connected = |end: &pair::End| {
        let states = end.engine.transports().map(|it| it.ice_state());
        let up = [IceTransportState::Connected, IceTransportState::Completed];
        states.filter(|it| up.contains(it)).count() == 3
    };
    pair.until(Duration::from_secs(20), |pair| {
        pair.ends.iter().all(connected)
    });
    pair.until(Duration::from_secs(20), |pair| {
        pair.ends.iter().all(pair::End::is_connected)
    });
    assert_eq!(pair.ends[0].sockets.len(), 1);
}

/// A call whose sections have a transport each: two for sound and data, three with pictures. All of it arrives.
#[test]
fn a_call_goes_over_several_transports() {
    for kinds in [
        &[MediaKind::Audio][..],
        &[MediaKind::Audio, MediaKind::Video],
    ] {
        let (mut pair, channel) = of_sections(kinds);
        negotiate_unbundled(&mut pair);
        pair.until(Duration::from_secs(20), |pair| {
            pair.ends.iter().all(pair::End::is_connected)
        });
        let count = kinds.len() + 1;
        for end in &pair.ends {
            let pairs = end.engine.transports();
            let pairs = pairs.filter_map(|it| it.selected_candidate_pair());
            let ports: BTreeSet<_> = pairs.filter_map(|it| it.local.port()).collect();
            assert_eq!(ports.len(), count, "each has a way of its own");
        }
        let [here, there] = [0, 1].map(|side| {
            let transceivers = pair.ends[side].engine.transceivers();
            transceivers.map(|it| it.id()).collect::<Vec<_>>()
        });
        for id in &there {
            pair.ends[1].engine.set_delivery(*id, true, false);
        }
        let ways = |at: usize| [here[at], there[at]];
        let heard = Microphone::default().speak(&mut pair, ways(0), 50, None);
        assert_eq!(heard, 50);
        if kinds.len() > 1 {
            let seen = Camera::default().film(&mut pair, ways(1), 30);
            pair.run(Duration::from_secs(1));
            assert_eq!(seen + media::read(&mut pair, there[1]), 30);
        }
        pair.send(0, channel, "beside it");
        pair.until(Duration::from_secs(2), |pair| pair.ends[1].inbox.len() == 1);
    }
}

/// Where both ends have one port, payload of two transports cannot be told apart: the first to have an answer has the path, and the others
/// go round it, from sockets of their own that the peer learns.
#[test]
fn transports_between_two_ports_have_ways_of_their_own() {
    let mut pair = of_three_sections();
    pair.ends[0].one_port = true;
    pair.ends[1].one_port = true;
    negotiate_unbundled(&mut pair);
    pair.until(Duration::from_secs(20), |pair| {
        pair.ends.iter().all(|end| {
            let mut states = end.engine.transports().map(|it| it.dtls_state());
            states.all(|it| it == DtlsTransportState::Connected)
        })
    });
    // What each has told a shared port of paths: one of them is on it.
    for end in &pair.ends {
        assert_eq!(end.engine.transports().count(), 3);
        let shared = end.sockets.iter().filter(|it| it.port() == 4000).count();
        assert_eq!(shared, 1);
        assert!(end.sockets.len() > 1, "{:?}", end.sockets);
    }
    pair.run(Duration::from_secs(40));
    let up = [IceTransportState::Connected, IceTransportState::Completed];
    for end in &pair.ends {
        let states: Vec<_> = end.engine.transports().map(|it| it.ice_state()).collect();
        assert!(states.iter().all(|it| up.contains(it)), "{states:?}");
        // Those that were refused have let go of it by now, and who has it has not.
        let is_shared = |path: &Path| [path.local.port(), path.remote.port()] == [4000; 2];
        let bound = |it: &&Route| matches!(it, Route::Path(path) if is_shared(path));
        let let_go = |it: &&Route| matches!(it, Route::PathReleased(path) if is_shared(path));
        assert_eq!(end.routes.iter().filter(bound).count(), 1);
        assert_eq!(end.routes.iter().filter(let_go).count(), 0);
    }
}

/// draft-thatcher-ice-renomination: where both descriptions say so, who controls nominates what payload has moved to, with a number that is
/// higher each time; without a word of the peer's a second pair is never nominated (RFC 8445 §8.1.1).
#[test]
fn a_move_is_nominated_where_both_say_so() {
    for says in [[true, true], [true, false], [false, true]] {
        let settings = says.map(|on| Settings::default().ice_renomination(on));
        let configurations = [(); 2].map(|()| Configuration::default());
        let link = Link::new(6).delay(ms(10));
        let mut pair = Pair::with_each(6, link, configurations, settings);
        let channels = pair.connect(&DataChannelInit::default());
        pair.run(Duration::from_secs(2));
        let (old, new) = (pair.ends[0].address, "10.0.0.3".parse().expect("it is one"));
        let node = pair.wire.node(End::A);
        pair.wire.network.add_address(node, None, new);
        pair.wire.network.set_interface(old, false);
        pair.sent = Some(Vec::new());
        let interface = Interface {
            name: "eth1".into(),
            index: 3,
            address: new,
            default_route: true,
            cost: 0,
        };
        pair.with(End::A, |end, now| {
            end.engine.handle_interfaces(now, &[interface]);
        });
        pair.run(Duration::from_secs(20));
        pair.send(0, channels[0], "moved");
        pair.until(Duration::from_secs(1), |pair| {
            !pair.ends[1].inbox.is_empty()
        });
        let sent = pair.sent.take().expect("it was put there");
        let mut numbers = Vec::new();
        for sent in sent.iter().filter(|it| it.from == End::A) {
            let Some(stun) = Stun::parse(&sent.datagram).ok() else {
                continue;
            };
            if sent.route.local.ip() == new && stun.use_candidate() {
                let number = stun.get(AttributeType(0xc001));
                numbers.push(number.map(|it| it.value.to_vec()));
            }
        }
        numbers.dedup();
        let expected = [Some(vec![0, 0, 0, 2])];
        let both = says == [true, true];
        assert_eq!(numbers, expected[..usize::from(both)], "{says:?}");
    }
}
