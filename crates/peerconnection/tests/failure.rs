//! What goes wrong, and how it ends.

mod pair;

use std::time::{Duration, SystemTime};

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    Certificate, Configuration, DataChannelInit, DataChannelState, DtlsTransportState, ErrorDetail,
    ErrorKind, IceCandidateInit, IceConnectionState, IceTransportPolicy, IceTransportState,
    KeyAlgorithm, MediaKind, Message, OfferOptions, PeerConnectionState, SctpTransportState,
    SdpType, SessionDescription, SignalingState,
    engine::{
        Anchor, ChannelEvent, DtlsTransportEvent, Engine, Event, Path, Settings, TransceiverInit,
    },
};
use pair::{Pair, Wired};

fn link() -> Link {
    Link::new(1).delay(ms(10))
}

/// [4.4.1.1-03] An engine looks at its certificates by the time that it is told: one may end now, and not have ended.
#[test]
fn an_expired_certificate_makes_no_engine() {
    let made = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let certificate = Certificate::generate_at(KeyAlgorithm::EcdsaP256, made, None).unwrap();
    let engine = |wall| {
        let instant = oxirtc_netsim::epoch();
        let configuration = Configuration {
            certificates: vec![certificate.clone()],
            ..Configuration::default()
        };
        let anchor = Anchor { instant, wall };
        Engine::new(configuration, Settings::default(), [1; 32], anchor)
    };
    assert!(engine(certificate.expires()).is_ok());
    let late = engine(certificate.expires() + ms(1)).err().unwrap();
    assert_eq!(late.kind(), ErrorKind::InvalidAccess);
}

const SOON: Duration = Duration::from_secs(30);

/// A description of another certificate.
fn forged(description: &SessionDescription) -> SessionDescription {
    let lines =
        description
            .sdp
            .lines()
            .map(|line| match line.split_once("a=fingerprint:sha-256 ") {
                Some((_, value)) => {
                    let first = if value.starts_with("00") { "11" } else { "00" };
                    format!("a=fingerprint:sha-256 {first}{}\r\n", &value[2..])
                }
                None => format!("{line}\r\n"),
            });
    SessionDescription {
        kind: description.kind,
        sdp: lines.collect(),
    }
}

/// [5.5-02] [5.5-05] [5.5-06] [4.3.3-07] [11-03], known failures 5 and 6: nothing is delivered, in either role of DTLS.
#[test]
fn a_wrong_fingerprint_fails_the_connection() {
    for deceived in [0, 1] {
        let mut pair = Pair::new(1, link());
        let here = pair.open(0, "a", &DataChannelInit::default());
        let mut offer = pair.offer(0, &OfferOptions::default()).unwrap();
        if deceived == 1 {
            offer = forged(&offer);
        }
        let mut answer = pair.answer(1, offer).unwrap();
        if deceived == 0 {
            answer = forged(&answer);
        }
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        engine.set_remote_description(now, answer).unwrap();
        pair.until(SOON, |pair| {
            pair.ends[deceived].engine.connection_state() == PeerConnectionState::Failed
        });
        pair.run(Duration::from_secs(5));
        let end = &pair.ends[deceived];
        let transport = end.engine.transports().next().unwrap().id();
        assert_eq!(
            end.engine.transport(transport).unwrap().dtls_state(),
            DtlsTransportState::Failed
        );
        assert_eq!(
            end.engine.sctp().map(|it| it.state()),
            Some(SctpTransportState::Closed)
        );
        let failure = end.tasks.iter().find_map(|task| match &task[..] {
            [
                Event::DtlsTransport(_, DtlsTransportEvent::Error(error)),
                Event::DtlsTransport(
                    _,
                    DtlsTransportEvent::StateChange(DtlsTransportState::Failed),
                ),
            ] => Some(error.clone()),
            _ => None,
        });
        assert_eq!(
            failure.unwrap().detail(),
            Some(ErrorDetail::FingerprintFailure)
        );
        // An alert that nobody can authenticate ends nothing, so the other side may take its time.
        let other = 1 - deceived;
        pair.until(Duration::from_secs(180), |pair| {
            pair.ends[other].engine.connection_state() == PeerConnectionState::Failed
        });
        let failure = pair.ends[other]
            .tasks
            .iter()
            .flatten()
            .find_map(|event| match event {
                Event::DtlsTransport(_, DtlsTransportEvent::Error(error)) => Some(error.clone()),
                _ => None,
            });
        // RFC 8446 §6.2: bad_certificate, which the other side has said.
        let told = failure.map(|it| (it.detail(), it.received_alert(), it.sent_alert()));
        let detail = ErrorDetail::DtlsFailure {
            received_alert: Some(42),
            sent_alert: None,
        };
        assert_eq!(told, Some((Some(detail), Some(42), None)));
        for end in &pair.ends {
            assert!(end.inbox.is_empty() && end.channels.is_empty());
            assert!(!end.story().contains(&"open".to_owned()));
        }
        let state = pair.ends[0].state(here);
        assert_eq!(state, DataChannelState::Closed);
    }
}

/// [5.5-02] [4.3.3-02] Of several transports the one that is deceived says so, and no other; the connection has failed with it.
#[test]
fn a_transport_fails_by_itself() {
    let mut pair = Pair::new(26, link());
    let engine = &mut pair.ends[0].engine;
    engine
        .add_transceiver(MediaKind::Audio, None, TransceiverInit::default())
        .unwrap();
    pair.open(0, "a", &DataChannelInit::default());
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let kept = offer.sdp.lines().filter(|it| !it.starts_with("a=group"));
    let kept = kept.flat_map(|line| [line, "\r\n"]).collect::<String>();
    let answer = pair.answer(1, SessionDescription::offer(kept)).unwrap();
    let (audio, data) = answer
        .sdp
        .split_at(answer.sdp.find("m=application").unwrap());
    let data = forged(&SessionDescription::answer(data));
    let now = pair.now;
    let answer = format!("{audio}{}", data.sdp);
    pair.ends[0].set(now, SdpType::Answer, &answer).unwrap();
    pair.until(SOON, |pair| {
        pair.ends[0].engine.connection_state() == PeerConnectionState::Failed
    });
    pair.run(Duration::from_secs(5));
    let end = &pair.ends[0];
    let deceived = end.engine.sctp().unwrap().transport();
    let errors = end.tasks.iter().flatten().filter_map(|event| match event {
        Event::DtlsTransport(id, DtlsTransportEvent::Error(_)) => Some(*id),
        _ => None,
    });
    assert_eq!(errors.collect::<Vec<_>>(), [deceived]);
    for transport in end.engine.transports() {
        let expected = match transport.id() == deceived {
            true => DtlsTransportState::Failed,
            false => DtlsTransportState::Connected,
        };
        assert_eq!(transport.dtls_state(), expected);
    }
}

/// The answer takes its time over signalling. The answerer's checks are answered before it, so its
/// ClientHello comes early: it is held, and no second is lost.
#[test]
fn a_client_hello_may_come_before_the_answer() {
    let lite = [false, true].map(|lite| Settings::default().ice_lite(lite));
    for (late, settings) in lite
        .iter()
        .flat_map(|settings| [15, 100, 400].map(|late| (late, settings)))
    {
        let configurations = [Configuration::default(), Configuration::default()];
        let settings = [settings.clone(), Settings::default()];
        let mut pair = Pair::with_each(2, link(), configurations, settings);
        let here = pair.open(0, "a", &DataChannelInit::default());
        let offer = pair.offer(0, &OfferOptions::default()).unwrap();
        let answer = pair.answer(1, offer).unwrap();
        pair.exchange();
        pair.run(ms(late));
        assert!(
            pair.ends[1].dtls_sent > 0 || late < 50,
            "the hello has gone out"
        );
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        engine.set_remote_description(now, answer).unwrap();
        let open = DataChannelState::Open;
        let elapsed = pair.until(SOON, |pair| pair.ends[0].state(here) == open);
        assert!(elapsed <= ms(250), "{late} ms late, {elapsed:?}");
        let dtls = |event: &&Event| {
            matches!(
                event,
                Event::DtlsTransport(_, DtlsTransportEvent::StateChange(_))
            )
        };
        let changes = pair.ends[0].tasks.iter().flatten().filter(dtls).count();
        assert_eq!(changes, 2, "one association");
    }
}

/// A provisional answer connects; the final one changes nothing.
#[test]
fn a_provisional_answer_is_enough_to_connect() {
    let mut pair = Pair::new(2, link());
    let here = pair.open(0, "a", &DataChannelInit::default());
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let answer = pair.answer(1, offer).unwrap();
    let pranswer = SessionDescription::pranswer(answer.sdp.clone());
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_remote_description(now, pranswer).unwrap();
    pair.until(SOON, |pair| {
        pair.ends[0].state(here) == DataChannelState::Open
    });
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_remote_description(now, answer).unwrap();
    pair.send(0, here, "still the same");
    pair.until(SOON, |pair| pair.ends[1].inbox.len() == 1);
    assert_eq!(
        pair.ends[0].engine.signaling_state(),
        SignalingState::Stable
    );
}

/// What comes for a fragment that another connection of the port has is handed to that one: the transport fails, says why, and works
/// with another fragment.
#[test]
fn a_fragment_of_another_connection_is_of_no_use() {
    let mut pair = Pair::new(12, link());
    let here = pair.open(0, "a", &DataChannelInit::default());
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let now = pair.now;
    let ufrag = |pair: &Pair| {
        let view = pair.ends[0].engine.transports().next().unwrap();
        view.local_parameters().unwrap().username_fragment.clone()
    };
    let taken = ufrag(&pair);
    let engine = &mut pair.ends[0].engine;
    engine.handle_ufrag_taken(now, "another");
    engine.handle_ufrag_taken(now, &taken);
    let answer = pair.answer(1, offer).unwrap();
    let engine = &mut pair.ends[0].engine;
    engine.set_remote_description(now, answer).unwrap();
    pair.step();
    let engine = &pair.ends[0].engine;
    assert_eq!(engine.ice_connection_state(), IceTransportState::Failed);
    let why = engine.hindrance().unwrap();
    assert!(why.contains("the same username fragment"), "{why}");
    let restart = OfferOptions {
        ice_restart: true,
        ..OfferOptions::default()
    };
    pair.negotiate_with(0, &restart).unwrap();
    pair.until(SOON, |pair| {
        pair.ends[0].state(here) == DataChannelState::Open
    });
    assert_eq!(pair.ends[0].engine.hindrance(), None);
}

/// [4.4.2-58] [6.1.2-02] [6.2-20] [6.2-22] [5.5-05]
#[test]
fn a_close_ends_the_other_side_at_once() {
    let (mut pair, [here, there]) = Pair::connected(3, link(), &DataChannelInit::default());
    let now = pair.now;
    pair.ends[0].engine.close(now);
    let elapsed = pair.until(SOON, |pair| {
        pair.ends[1].state(there) == DataChannelState::Closed
    });
    assert!(elapsed <= ms(50), "{elapsed:?}");
    pair.run(Duration::from_secs(1));
    let end = &pair.ends[1];
    let transport = end.engine.transports().next().unwrap().id();
    assert_eq!(
        end.engine.sctp().map(|it| it.state()),
        Some(SctpTransportState::Closed)
    );
    assert_eq!(
        end.engine.transport(transport).unwrap().dtls_state(),
        DtlsTransportState::Closed
    );
    let story = end.story();
    let tail = story.iter().position(|it| it == "sctp Closed").unwrap();
    assert_eq!(
        story[tail..tail + 3],
        ["sctp Closed", "error sctp-failure", "close"]
    );
    let cause = end.tasks.iter().flatten().find_map(|event| match event {
        Event::Channel(_, ChannelEvent::Error(error)) => error.sctp_cause_code(),
        _ => None,
    });
    assert_eq!(cause, Some(12), "a user-initiated ABORT");
    assert_eq!(pair.ends[0].state(here), DataChannelState::Closed);
    // ICE has nobody to talk to: consent runs out.
    pair.run(Duration::from_secs(40));
    assert_eq!(
        pair.ends[1].engine.connection_state(),
        PeerConnectionState::Failed
    );
}

/// [5.6.4-05] [5.6.4-03] [4.3.3-03]: a peer that vanishes without a word.
#[test]
fn a_lost_peer_is_failed_within_35_seconds() {
    let (mut pair, [here, there]) = Pair::connected(4, link(), &DataChannelInit::default());
    pair.run(Duration::from_secs(5));
    let address = pair.ends[0].address;
    pair.wire.network.set_interface(address, false);
    let elapsed = pair.until(Duration::from_secs(60), |pair| {
        pair.ends[1].engine.connection_state() == PeerConnectionState::Failed
    });
    assert!(elapsed <= Duration::from_secs(35), "{elapsed:?}");
    let story = pair.ends[1].story();
    let states = story
        .iter()
        .filter(|it| it.starts_with("connection"))
        .map(String::as_str);
    assert_eq!(
        states.collect::<Vec<_>>(),
        [
            "connection Connecting",
            "connection Connected",
            "connection Disconnected",
            "connection Failed"
        ]
    );
    // [5.6.4-04]: it lasts, also when the way is there again, and the layers above stay as they are.
    pair.wire.network.set_interface(address, true);
    pair.run(Duration::from_secs(60));
    let end = &pair.ends[1];
    assert_eq!(end.engine.connection_state(), PeerConnectionState::Failed);
    let dtls = end.engine.transports().next().unwrap().dtls_state();
    assert_eq!(dtls, DtlsTransportState::Connected);
    let sctp = end.engine.sctp().map(|it| it.state());
    assert_eq!(sctp, Some(SctpTransportState::Connected));
    assert_eq!(end.state(there), DataChannelState::Open);
    // A restart brings everything back, and the channel has lost nothing.
    pair.send(0, here, "kept");
    pair.send(1, there, "kept");
    let restart = OfferOptions {
        ice_restart: true,
        ..OfferOptions::default()
    };
    pair.negotiate_with(1, &restart).unwrap();
    pair.until(SOON, |pair| {
        pair.ends
            .iter()
            .all(|end| end.is_connected() && end.inbox.len() == 1)
    });
}

/// [5.6.4-07] [4.2.8-01] [4.2.8-02] [4.2.8-03] [4.4.2-47]: an ICE restart in the middle of a transfer.
#[test]
fn an_ice_restart_disturbs_nothing_above() {
    for side in [0, 1] {
        let (mut pair, [here, there]) = Pair::connected(5, link(), &DataChannelInit::default());
        let ufrag = |pair: &Pair| {
            let transport = pair.ends[0].engine.transports().next().unwrap().id();
            pair.ends[0]
                .engine
                .transport(transport)
                .unwrap()
                .local_parameters()
                .unwrap()
                .username_fragment
                .clone()
        };
        let before = ufrag(&pair);
        let mut sent = 0;
        for round in 0..100_u32 {
            for end in 0..2 {
                let channel = [here, there][end];
                pair.send(end, channel, vec![round as u8; 10_000]);
            }
            sent += 1;
            if round == 30 {
                // [4.2.8-02]: without a restart the credentials stay.
                pair.negotiate(side).unwrap();
                assert_eq!(ufrag(&pair), before);
                pair.negotiate_with(
                    side,
                    &OfferOptions {
                        ice_restart: true,
                        ..OfferOptions::default()
                    },
                )
                .unwrap();
                assert_ne!(ufrag(&pair), before);
            }
            pair.run(Duration::from_millis(20));
        }
        pair.until(SOON, |pair| {
            pair.ends.iter().all(|end| end.inbox.len() == sent)
        });
        for end in &pair.ends {
            for (round, (_, message)) in end.inbox.iter().enumerate() {
                assert_eq!(message.as_bytes(), vec![round as u8; 10_000]);
            }
            let failed = |event: &Event| {
                matches!(
                    event,
                    Event::Channel(_, ChannelEvent::Close)
                        | Event::DtlsTransport(_, DtlsTransportEvent::Error(_))
                )
            };
            assert!(!end.tasks.iter().flatten().any(failed));
            assert_eq!(
                end.engine.connection_state(),
                PeerConnectionState::Connected
            );
        }
        let sockets: Vec<_> = pair.ends.iter().map(|end| end.sockets.len()).collect();
        assert_eq!(sockets, [1, 1], "what the old generation had is given back");
    }
}

/// A failed connection comes back with a restart; what waited in the channel is delivered.
#[test]
fn a_restart_heals_a_failed_connection() {
    let (mut pair, [here, there]) = Pair::connected(6, link(), &DataChannelInit::default());
    let address = pair.ends[0].address;
    pair.wire.network.set_interface(address, false);
    pair.send(0, here, "while the link is down");
    pair.until(Duration::from_secs(60), |pair| {
        pair.ends
            .iter()
            .all(|end| end.engine.connection_state() == PeerConnectionState::Failed)
    });
    assert_eq!(pair.ends[1].state(there), DataChannelState::Open);
    pair.wire.network.set_interface(address, true);
    pair.ends[0].engine.restart_ice();
    pair.negotiate(0).unwrap();
    pair.until(SOON, |pair| {
        pair.ends.iter().all(pair::End::is_connected) && pair.ends[1].inbox.len() == 1
    });
}

/// [4.4.1.6-07] [4.4.1.6-12] [4.4.1.6-06] [4.4.1.6-10] [11.3-08] [4.3.1-01]
#[test]
fn a_wrong_description_changes_nothing() {
    let mut pair = Pair::new(7, link());
    pair.open(0, "a", &DataChannelInit::default());
    let now = pair.now;
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let engine = &mut pair.ends[1].engine;
    let broken = offer.sdp.replace("t=0 0", "t=zero");
    let line = broken.lines().position(|line| line == "t=zero").unwrap() + 1;
    let error = engine
        .set_remote_description(now, SessionDescription::offer(broken))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Operation);
    assert_eq!(error.sdp_line_number(), Some(u32::try_from(line).unwrap()));
    let error = engine
        .set_remote_description(now, SessionDescription::offer(""))
        .unwrap_err();
    assert_eq!(error.sdp_line_number(), Some(1));
    // RTP of any kind needs rtcp-mux, whatever the profile.
    let plain = offer.sdp.replace("UDP/DTLS/SCTP", "RTP/AVP");
    let error = engine
        .set_remote_description(now, SessionDescription::offer(plain))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidAccess);
    assert_eq!(engine.signaling_state(), SignalingState::Stable);
    let answer = SessionDescription::answer(offer.sdp.clone());
    let error = engine.set_remote_description(now, answer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    assert_eq!(engine.signaling_state(), SignalingState::Stable);
    assert!(engine.remote_description().is_none());
    // [4.4.2-29]
    let changed = SessionDescription::offer(format!("{}a=x\r\n", offer.sdp));
    let engine = &mut pair.ends[0].engine;
    let error = engine
        .set_local_description(now, Some(changed))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidModification);
    assert_eq!(engine.signaling_state(), SignalingState::HaveLocalOffer);
}

/// [4.4.2-35] An offer that cannot be accepted has rolled ours back all the same; then, and not
/// between the two steps, it is known that ours is needed again.
#[test]
fn a_wrong_offer_rolls_ours_back() {
    let mut pair = Pair::new(7, link());
    pair.open(0, "a", &DataChannelInit::default());
    pair.offer(0, &OfferOptions::default()).unwrap();
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    for wrong in ["", "nonsense"] {
        let wrong = SessionDescription::offer(wrong);
        let error = engine.set_remote_description(now, wrong).unwrap_err();
        assert_eq!(error.sdp_line_number(), Some(1));
        assert_eq!(engine.signaling_state(), SignalingState::Stable);
        assert!(engine.local_description().is_none());
        assert!(engine.is_negotiation_needed());
        engine.set_local_description(now, None).unwrap();
    }
    // A rollback is taken only by the side whose offer it is.
    let error = engine
        .set_remote_description(now, SessionDescription::rollback())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    assert_eq!(engine.signaling_state(), SignalingState::HaveLocalOffer);
}

/// RFC 8841 §10.3: another SCTP port is another association, on the DTLS that there is. Its channels have
/// their streams at once, as the DTLS roles are known.
#[test]
fn another_sctp_port_replaces_the_association() {
    let (mut pair, [_, there]) = Pair::connected(7, link(), &DataChannelInit::default());
    let mut offer = pair.offer(0, &OfferOptions::default()).unwrap();
    offer.sdp = offer.sdp.replace("a=sctp-port:5000", "a=sctp-port:5001");
    let answer = pair.answer(1, offer).unwrap();
    assert!(answer.sdp.contains("a=sctp-port:5001"), "{}", answer.sdp);
    pair.step();
    let end = &mut pair.ends[1];
    assert_eq!(end.state(there), DataChannelState::Closed);
    let sctp = end.engine.sctp().map(|it| it.state());
    assert_eq!(sctp, Some(SctpTransportState::Connecting));
    let dtls = end.engine.transports().next().map(|it| it.dtls_state());
    assert_eq!(dtls, Some(DtlsTransportState::Connected));
    let new = pair.open(1, "new", &DataChannelInit::default());
    let new = pair.ends[1].engine.channel(new).unwrap();
    assert!(new.id().is_some());
}

/// The same, seen by both ends: what there was is closed at both, and the new association connects and carries a message.
#[test]
fn both_ends_go_on_with_another_sctp_port() {
    let (mut pair, [here, there]) = Pair::connected(9, link(), &DataChannelInit::default());
    let mut offer = pair.offer(0, &OfferOptions::default()).unwrap();
    offer.sdp = offer.sdp.replace("a=sctp-port:5000", "a=sctp-port:5001");
    let answer = pair.answer(1, offer).unwrap();
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_remote_description(now, answer).unwrap();
    // The first was told another port than it has. The next offer says its own, which the other answers with a new one.
    pair.negotiate(0).unwrap();
    let answer = pair.ends[1].engine.local_description().unwrap();
    assert!(answer.sdp.contains("a=sctp-port:5002"), "{}", answer.sdp);
    let is_up = |pair: &Wired, side: usize| {
        let sctp = pair.ends[side].engine.sctp().map(|it| it.state());
        sctp == Some(SctpTransportState::Connected)
    };
    pair.until(Duration::from_secs(10), |pair| {
        is_up(pair, 0) && is_up(pair, 1)
    });
    assert_eq!(pair.ends[0].state(here), DataChannelState::Closed);
    assert_eq!(pair.ends[1].state(there), DataChannelState::Closed);
    let new = pair.open(1, "new", &DataChannelInit::default());
    pair.until(Duration::from_secs(10), |pair| {
        pair.ends[1].state(new) == DataChannelState::Open
    });
    pair.send(1, new, "by the new one");
    pair.until(Duration::from_secs(10), |pair| {
        !pair.ends[0].inbox.is_empty()
    });
    assert_eq!(pair.ends[0].inbox[0].1, Message::from("by the new one"));
}

/// [4.4.2-38] [4.4.2-40] [4.4.2-41] [4.4.2-43] [4.4.2-44] [4.4.2-46]
#[test]
fn candidates_are_checked_in_order() {
    let mut pair = Pair::new(8, link());
    pair.open(0, "a", &DataChannelInit::default());
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let now = pair.now;
    let engine = &mut pair.ends[1].engine;
    let line = "candidate:1 1 udp 2130706431 10.0.0.1 4001 typ host".to_owned();
    let init = |candidate: &str| IceCandidateInit {
        candidate: candidate.to_owned(),
        ..IceCandidateInit::default()
    };
    let refused = |engine: &mut Engine, init: &IceCandidateInit| {
        engine.add_ice_candidate(now, init).unwrap_err().kind()
    };
    assert_eq!(refused(engine, &init(&line)), ErrorKind::Type);
    let placed = IceCandidateInit {
        sdp_mid: Some("0".into()),
        ..init(&line)
    };
    assert_eq!(refused(engine, &placed), ErrorKind::InvalidState);
    engine.set_remote_description(now, offer).unwrap();
    engine.add_ice_candidate(now, &placed).unwrap();
    let wrong = [
        IceCandidateInit {
            sdp_mid: Some("nope".into()),
            sdp_m_line_index: Some(0),
            ..init(&line)
        },
        IceCandidateInit {
            sdp_m_line_index: Some(1),
            ..init(&line)
        },
        IceCandidateInit {
            username_fragment: Some("nope".into()),
            ..placed.clone()
        },
        IceCandidateInit {
            sdp_mid: Some("0".into()),
            ..init("candidate:nonsense")
        },
    ];
    for init in &wrong {
        assert_eq!(refused(engine, init), ErrorKind::Operation, "{init:?}");
    }
    engine
        .add_ice_candidate(now, &IceCandidateInit::default())
        .unwrap();
    let remote = engine.remote_description().unwrap().sdp;
    assert!(remote.contains(&format!("a={line}")) && remote.contains("a=end-of-candidates"));
}

/// [4.2.5-01]: with relays only, and none, no address shows.
/// Known failure 45.
#[test]
fn relays_only_shows_no_address() {
    let policy = IceTransportPolicy::Relay;
    let relay = Configuration {
        ice_transport_policy: policy,
        ..Configuration::default()
    };
    let configurations = [relay, Configuration::default()];
    let mut pair = Pair::with(9, link(), configurations, Settings::default());
    pair.open(0, "a", &DataChannelInit::default());
    pair.negotiate(0).unwrap();
    pair.run(Duration::from_secs(2));
    assert!(pair.ends[0].sockets.is_empty());
    let local = pair.ends[0].engine.local_description().unwrap();
    assert!(!local.sdp.contains("a=candidate") && local.sdp.contains("a=end-of-candidates"));
    assert_eq!(pair.ends[0].engine.counters().datagrams_sent, 0);
}

/// [4.4.1.7-11] [4.4.1.7-12] [4.2.1-05] [4.2.1-08]
#[test]
fn configuration_is_checked_and_kept() {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let certificate = Certificate::generate_at(KeyAlgorithm::EcdsaP256, wall, None).unwrap();
    let mine = Configuration {
        certificates: vec![certificate.clone()],
        ..Default::default()
    };
    let mut pair = Pair::with(
        10,
        link(),
        [mine.clone(), mine.clone()],
        Settings::default(),
    );
    pair.open(0, "a", &DataChannelInit::default());
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let value = certificate.fingerprints()[0].value.to_uppercase();
    assert!(
        offer.sdp.contains(&value),
        "the same certificate, the same fingerprint"
    );
    pair.open(1, "b", &DataChannelInit::default());
    let other = pair.offer(1, &OfferOptions::default()).unwrap();
    assert!(other.sdp.contains(&value), "of each connection");
    let engine = &mut pair.ends[0].engine;
    let bad = Configuration {
        ice_servers: vec![oxirtc_peerconnection::IceServer::new("nonsense")],
        ..mine.clone()
    };
    assert_eq!(
        engine.set_configuration(bad.clone()).unwrap_err().kind(),
        ErrorKind::Syntax
    );
    assert_eq!(engine.configuration(), &mine);
    let good = Configuration {
        ice_servers: vec![oxirtc_peerconnection::IceServer::new("stun:host"); 33],
        ice_transport_policy: IceTransportPolicy::Relay,
        ..mine
    };
    engine.set_configuration(good.clone()).unwrap();
    assert_eq!(engine.configuration(), &good);
    // The 33rd is not looked at.
    let mut long = good;
    long.ice_servers[32] = bad.ice_servers[0].clone();
    engine.set_configuration(long).unwrap();
}

/// Anything on the path changes nothing, and anything from elsewhere reaches nothing.
#[test]
fn noise_does_not_disturb() {
    let (mut pair, [here, _]) = Pair::connected(11, link(), &DataChannelInit::default());
    let before = pair.ends[1].tasks.len();
    let known = Path::udp(pair.ends[1].sockets[0], pair.ends[0].sockets[0]);
    let unknown = Path::udp(pair.ends[1].sockets[0], "10.0.0.9:9".parse().unwrap());
    let now = pair.now;
    for first in 0..=255_u8 {
        for length in [1, 2, 12, 13, 20, 28, 60, 1200] {
            let mut datagram = vec![first; length];
            pair.ends[1]
                .engine
                .handle_datagram(now, known, &mut datagram.clone());
            pair.ends[1]
                .engine
                .handle_datagram(now, unknown, &mut datagram);
        }
    }
    pair.ends[1].engine.handle_datagram(now, known, &mut []);
    pair.send(0, here, "still here");
    pair.until(SOON, |pair| pair.ends[1].inbox.len() == 1);
    assert_eq!(pair.ends[1].tasks.len(), before);
    assert_eq!(
        pair.ends[1].engine.connection_state(),
        PeerConnectionState::Connected
    );
    assert!(pair.ends[1].engine.counters().dropped > 0);
}

/// [6.1.2-02] [4.4.1.6-21]: an answer that rejects data.
#[test]
fn a_rejected_section_leaves_no_association() {
    let mut pair = Pair::new(12, link());
    pair.open(0, "a", &DataChannelInit::default());
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let answer = pair.answer(1, offer).unwrap();
    let rejected = answer.sdp.replace("m=application 9", "m=application 0");
    let rejected: String = rejected
        .lines()
        .filter(|line| !line.starts_with("a=group"))
        .flat_map(|line| [line, "\r\n"])
        .collect();
    let now = pair.now;
    pair.ends[0].set(now, SdpType::Answer, &rejected).unwrap();
    pair.run(Duration::from_secs(1));
    let engine = &pair.ends[0].engine;
    assert_eq!(engine.sctp().map(|it| it.state()), None);
    assert_eq!(engine.transports().count(), 0);
    assert_eq!(engine.ice_connection_state(), IceConnectionState::New);
    assert!(pair.ends[0].sockets.is_empty());
}
