//! The order of events, and the states between them.

mod pair;

use std::time::{Duration, SystemTime};

use oxirtc_netsim::{Link, ms, percent};
use oxirtc_peerconnection::{
    Certificate, Configuration, DataChannelInit, DtlsTransportState, ErrorKind, IceConnectionState,
    IceGatheringState, IceRole, IceServer, IceTransportState, KeyAlgorithm, OfferOptions,
    PeerConnectionState, SctpTransportState, SdpType, SignalingState,
    engine::{DtlsVersion, Event, IceTransportEvent, SendError, Settings, TransportView},
};
use pair::Pair;

fn link() -> Link {
    Link::new(1).delay(ms(10))
}

/// The one transport of a side.
#[expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]
fn transport(pair: &Pair, side: usize) -> TransportView<'_> {
    pair.ends[side].engine.transports().next().unwrap()
}

/// [4.4.1.1-06] [4.4.1.1-08] [4.4.1.1-09] [4.2.1-01]
#[test]
fn a_new_connection_is_as_w3c_has_it() {
    let mut pair = Pair::new(1, link());
    pair.step();
    let engine = &pair.ends[0].engine;
    assert_eq!(engine.signaling_state(), SignalingState::Stable);
    assert_eq!(engine.ice_connection_state(), IceConnectionState::New);
    assert_eq!(engine.ice_gathering_state(), IceGatheringState::New);
    assert_eq!(engine.connection_state(), PeerConnectionState::New);
    assert_eq!(engine.can_trickle_ice_candidates(), None);
    assert_eq!(engine.sctp().map(|it| it.state()), None);
    assert!(engine.local_description().is_none() && engine.remote_description().is_none());
    assert!(pair.ends[0].tasks.is_empty() && pair.ends[0].sockets.is_empty());
    assert_eq!(
        (engine.transceivers().count(), engine.transports().count()),
        (0, 0)
    );
    assert_eq!(engine.configuration(), &Configuration::default());
}

/// [4.4.1.3-01] [5.5-06] [6.2-01] [6.2-03] [6.1.1.3-01] [4.3.1-02]
#[test]
fn both_ends_tell_their_story_in_order() {
    let (pair, _) = Pair::connected(2, link(), &DataChannelInit::default());
    assert_eq!(
        pair.ends[0].story(),
        [
            "negotiationneeded",
            "signaling HaveLocalOffer",
            "signaling Stable",
            "connection Connecting",
            "connection Connected",
            "sctp Connected",
            "open",
        ]
    );
    assert_eq!(
        pair.ends[1].story(),
        [
            "signaling HaveRemoteOffer",
            "signaling Stable",
            "connection Connecting",
            "connection Connected",
            "sctp Connected",
            "datachannel",
            "open",
        ]
    );
}

/// [5.6-01] [5.6-03] [5.6-04] [5.6-05] [4.8.2-01] [4.8.2-03] [4.4.2-02] [4.4.2-33]
#[test]
fn gathering_is_told_step_by_step() {
    let mut pair = Pair::new(3, link());
    pair.open(0, "a", &DataChannelInit::default());
    let applied = pair.offer(0, &OfferOptions::default()).unwrap();
    pair.step();
    let mut words = Vec::new();
    for task in &pair.ends[0].tasks {
        let word = |event: &Event| match event {
            Event::IceTransport(_, IceTransportEvent::GatheringStateChange(state)) => {
                format!("transport {state:?}")
            }
            Event::IceGatheringStateChange(state) => format!("connection {state:?}"),
            Event::IceCandidate(None) => "no more".into(),
            Event::IceCandidate(Some(candidate)) => {
                assert_eq!(candidate.sdp_mid(), Some("0"));
                assert_eq!(candidate.sdp_m_line_index(), Some(0));
                assert!(candidate.username_fragment().is_some());
                let line = candidate.candidate();
                if line.is_empty() {
                    "end".into()
                } else {
                    "candidate".into()
                }
            }
            event => format!("{event:?}"),
        };
        words.push(task.iter().map(word).collect::<Vec<_>>().join(", "));
    }
    assert_eq!(
        words,
        [
            "NegotiationNeeded",
            "SignalingStateChange(HaveLocalOffer)",
            "transport Gathering, connection Gathering",
            "candidate",
            "end",
            "transport Complete, connection Complete, no more",
        ]
    );
    let local = pair.ends[0].engine.local_description().unwrap();
    assert_eq!(local.sdp.matches("a=candidate:").count(), 1);
    assert!(local.sdp.contains("a=end-of-candidates"));
    // [4.4.2-03] What is stored is not the text that was applied: it has what came since.
    let lines = |sdp: &str| sdp.lines().count();
    assert_eq!(lines(&local.sdp), lines(&applied.sdp) + 2);
    assert_eq!(transport(&pair, 0).local_candidates().len(), 1);
}

/// [5.6-07] [4.4.1.3-02] [5.6-08] [5.6-09] [5.6-10] [5.6.5-01] [4.4.1.6-27]
#[test]
fn the_pair_stands_before_the_states() {
    let mut pair = Pair::new(4, link());
    pair.open(0, "a", &DataChannelInit::default());
    pair.offer(0, &OfferOptions::default()).unwrap();
    let view = transport(&pair, 0);
    assert_eq!(view.selected_candidate_pair(), None);
    assert_eq!(view.ice_role(), IceRole::Controlling);
    assert!(view.local_parameters().is_some());
    assert!(view.remote_parameters().is_none());
    let (mut pair, _) = Pair::connected(4, link(), &DataChannelInit::default());
    pair.run(Duration::from_secs(5));
    for end in &pair.ends {
        let mut previous = None;
        let rank = |event: &Event| match event {
            Event::IceTransport(_, IceTransportEvent::SelectedCandidatePairChange(_)) => 0,
            Event::IceTransport(_, IceTransportEvent::StateChange(_)) => 1,
            Event::IceConnectionStateChange(_) => 2,
            Event::ConnectionStateChange(_) => 3,
            _ => 4,
        };
        let ranks = end.tasks.iter().map(|task| task.iter().map(rank));
        let mut ranks = ranks.map(Iterator::collect::<Vec<_>>);
        let first = ranks.find(|it| it.contains(&0));
        assert_eq!(first, Some(vec![0, 1, 2]), "all in one task");
        for task in &end.tasks {
            assert!(task.iter().map(rank).is_sorted(), "{task:?}");
            for event in task {
                if let Event::IceTransport(_, IceTransportEvent::StateChange(state)) = event {
                    assert_ne!(previous, Some(*state));
                    previous = Some(*state);
                    let shown = |it: &Event| matches!(it, Event::IceConnectionStateChange(it) if it == state);
                    assert!(task.iter().any(shown), "one transport: {task:?}");
                }
            }
        }
        let engine = &end.engine;
        let view = engine.transports().next().unwrap();
        assert_eq!(Some(view.ice_state()), previous);
        // One of those that were told, and of this generation.
        let selected = view.selected_candidate_pair().unwrap();
        assert!(view.local_candidates().contains(&selected.local));
        assert!(view.remote_candidates().any(|it| *it == selected.remote));
        let of_peer = view.remote_parameters().unwrap().username_fragment.clone();
        assert_eq!(selected.remote.username_fragment(), Some(&of_peer[..]));
        assert!(view.remote_parameters().is_some());
        let told: Vec<_> = view.remote_candidates().collect();
        let [told] = told[..] else {
            panic!("{told:?}");
        };
        // [4.8.1-05] With its place and its generation, as it was told.
        assert_eq!(
            (told.sdp_mid(), told.sdp_m_line_index()),
            (Some("0"), Some(0))
        );
        assert!(matches!(
            engine.ice_connection_state(),
            IceTransportState::Connected | IceTransportState::Completed
        ));
        assert_eq!(engine.connection_state(), PeerConnectionState::Connected);
    }
    let role = |side: usize| transport(&pair, side).ice_role();
    assert_eq!(
        [role(0), role(1)],
        [IceRole::Controlling, IceRole::Controlled]
    );
}

/// [6-01] [6.1.1.1-01] [6.1.1-01] [6.1.1-02] [4.4.1.6-20] [4.4.1.6-22] [6.1.1.2-01] [6.1.1.2-02]
#[test]
fn sctp_is_there_from_the_first_offer() {
    let mut pair = Pair::new(5, link());
    pair.open(0, "a", &DataChannelInit::default());
    assert_eq!(pair.ends[0].engine.sctp().map(|it| it.state()), None);
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let engine = &pair.ends[0].engine;
    assert_eq!(
        engine.sctp().map(|it| it.state()),
        Some(SctpTransportState::Connecting)
    );
    assert_eq!(
        (
            engine.sctp().unwrap().max_message_size(),
            engine.sctp().unwrap().max_channels()
        ),
        (None, None)
    );
    assert_eq!(
        engine.sctp().map(|it| it.transport()),
        engine.transports().next().map(|it| it.id())
    );
    // [6.1.1.2-03]: a peer without the attribute takes 64 KiB.
    let plain: String = offer
        .sdp
        .lines()
        .filter(|line| !line.starts_with("a=max-message-size"))
        .flat_map(|line| [line, "\r\n"])
        .collect();
    let now = pair.now;
    let engine = &mut pair.ends[1].engine;
    let plain = oxirtc_peerconnection::SessionDescription::offer(plain);
    engine.set_remote_description(now, plain).unwrap();
    engine.set_local_description(now, None).unwrap();
    assert_eq!(engine.sctp().unwrap().max_message_size(), Some(65_536));
    // [6.1.1-02]
    assert_eq!(engine.sctp().unwrap().max_channels(), None);
    let (pair, _) = Pair::connected(5, link(), &DataChannelInit::default());
    for end in &pair.ends {
        assert_eq!(end.engine.sctp().unwrap().max_message_size(), Some(262_144));
        assert_eq!(end.engine.sctp().unwrap().max_channels(), Some(65_535));
        let transport = end.engine.sctp().map(|it| it.transport()).unwrap();
        assert_eq!(
            end.engine.transport(transport).unwrap().dtls_state(),
            DtlsTransportState::Connected
        );
    }
}

/// [5.5-03] [5.5-04] The peer's certificates, its own first, are there with the state `connected`, never before it, in whichever
/// version and whatever is lost; a closed transport shows them still.
#[test]
fn certificates_come_with_the_state() {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let make = || Certificate::generate_at(KeyAlgorithm::EcdsaP256, wall, None).unwrap();
    let [own, issuer] = [make(), make()].map(|it| it.to_pem().unwrap());
    let issuer = issuer.split_inclusive("-----END CERTIFICATE-----\n");
    let issuer = issuer.take(1).collect::<String>();
    let chain = Certificate::from_pem(&format!("{}{issuer}", *own)).unwrap();
    let own = Certificate::from_pem(&own).unwrap();
    let shown = |certificate: &Certificate, version, seed| {
        let configuration = Configuration {
            certificates: vec![certificate.clone()],
            ..Configuration::default()
        };
        let configurations = [configuration.clone(), configuration];
        let settings = Settings::default().dtls_versions(&[version]);
        let link = Link::new(seed).delay(ms(10)).loss(percent(20));
        let mut pair = Pair::with(seed, link, configurations, settings);
        pair.open(0, "a", &DataChannelInit::default());
        pair.negotiate(0).unwrap();
        let secure = |side, pair: &Pair| {
            let transport = transport(pair, side);
            let secure = transport.dtls_state() == DtlsTransportState::Connected;
            assert_eq!(secure, !transport.remote_certificates().is_empty());
            secure
        };
        while !(secure(0, &pair) & secure(1, &pair)) {
            pair.run(ms(1));
        }
        let all = transport(&pair, 0).remote_certificates().to_vec();
        let now = pair.now;
        pair.ends[0].engine.close(now);
        let closed = transport(&pair, 0);
        assert_eq!(closed.dtls_state(), DtlsTransportState::Closed);
        assert_eq!(closed.remote_certificates(), all);
        all
    };
    for version in [DtlsVersion::Dtls13, DtlsVersion::Dtls12] {
        let leaf = shown(&own, version, 1);
        assert_eq!(leaf.len(), 1);
        for seed in 1..=5 {
            let all = shown(&chain, version, seed);
            assert_eq!((all.len(), &all[0]), (2, &leaf[0]), "{version:?} {seed}");
        }
    }
}

/// [4.7-01] [4.7.1-01] [4.7.2-01] [4.7.3-02] [4.7.3-04] [4.7.3-05] [4.7.3-06] [6-10]
#[test]
fn negotiation_is_asked_for_once() {
    let (mut pair, _) = Pair::connected(6, link(), &DataChannelInit::default());
    let asked = |pair: &Pair| {
        let story = pair.ends[0].story();
        story.iter().filter(|it| *it == "negotiationneeded").count()
    };
    assert_eq!(asked(&pair), 1);
    assert!(!pair.ends[0].engine.is_negotiation_needed());
    // Later channels need none.
    pair.open(0, "b", &DataChannelInit::default());
    pair.step();
    assert_eq!(asked(&pair), 1);
    // [4.4.2-50]: a restart does, and again is still once.
    pair.ends[0].engine.restart_ice();
    pair.ends[0].engine.restart_ice();
    pair.step();
    assert_eq!(asked(&pair), 2);
    pair.negotiate(0).unwrap();
    pair.step();
    assert_eq!(asked(&pair), 2);
    assert!(!pair.ends[0].engine.is_negotiation_needed());
    // [4.7.3-02] [4.7.3-05]: what comes up in an exchange is asked for when that has ended.
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    pair.ends[0].engine.restart_ice();
    pair.step();
    assert_eq!(asked(&pair), 2);
    let answer = pair.answer(1, offer).unwrap();
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_remote_description(now, answer).unwrap();
    pair.exchange();
    pair.step();
    assert_eq!(asked(&pair), 3);
    // And again when an exchange of the peer's has left it open.
    pair.negotiate(1).unwrap();
    pair.step();
    assert_eq!(asked(&pair), 4);
}

/// [4.4.2-51]
#[test]
fn a_restart_of_nothing_asks_for_nothing() {
    let mut pair = Pair::new(7, link());
    pair.ends[0].engine.restart_ice();
    pair.step();
    assert!(pair.ends[0].story().is_empty());
}

/// [5.6-11] Each is told the other's offer as an answer, so that both control: one gives way, and its transport shows it.
#[test]
fn a_role_conflict_changes_the_role() {
    let mut pair = Pair::new(15, link());
    let init = DataChannelInit {
        negotiated: true,
        id: Some(0),
        ..DataChannelInit::default()
    };
    let texts = [0, 1].map(|side| {
        pair.open(side, "a", &init);
        pair.offer(side, &OfferOptions::default()).unwrap().sdp
    });
    for (side, setup) in ["a=setup:active", "a=setup:passive"]
        .into_iter()
        .enumerate()
    {
        let answer = texts[1 - side].replace("a=setup:actpass", setup);
        let now = pair.now;
        pair.ends[side].set(now, SdpType::Answer, &answer).unwrap();
        assert_eq!(transport(&pair, side).ice_role(), IceRole::Controlling);
    }
    pair.exchange();
    pair.until(Duration::from_secs(10), |pair| {
        pair.ends.iter().all(pair::End::is_connected)
    });
    let mut roles = [0, 1].map(|side| transport(&pair, side).ice_role());
    roles.sort_by_key(|it| *it == IceRole::Controlled);
    assert_eq!(roles, [IceRole::Controlling, IceRole::Controlled]);
}

/// [4.3.1-05] [4.3.1-04] [4.4.1.6-36] [4.4.2-30] [4.4.2-52]
#[test]
fn a_rollback_leaves_nothing_behind() {
    let mut pair = Pair::new(8, link());
    pair.open(0, "a", &DataChannelInit::default());
    pair.offer(0, &OfferOptions::default()).unwrap();
    pair.step();
    assert_eq!(pair.ends[0].sockets.len(), 1);
    let mut rollback = oxirtc_peerconnection::SessionDescription::rollback();
    rollback.sdp = "not looked at".into();
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let theirs = engine.set_remote_description(now, rollback.clone());
    assert_eq!(theirs.unwrap_err().kind(), ErrorKind::InvalidState);
    assert_eq!(engine.signaling_state(), SignalingState::HaveLocalOffer);
    engine.set_local_description(now, Some(rollback)).unwrap();
    pair.step();
    let end = &pair.ends[0];
    assert!(end.engine.local_description().is_none());
    // [6-01]
    assert_eq!(end.engine.sctp().map(|it| it.state()), None);
    assert_eq!(end.engine.ice_gathering_state(), IceGatheringState::New);
    assert_eq!(end.engine.transports().count(), 0);
    assert!(end.sockets.is_empty(), "the socket is given back");
    assert_eq!(
        end.story(),
        [
            "negotiationneeded",
            "signaling HaveLocalOffer",
            "signaling Stable",
            "negotiationneeded",
        ]
    );
    // And it connects as if nothing had been.
    pair.negotiate(0).unwrap();
    pair.until(Duration::from_secs(10), |pair| {
        pair.ends.iter().all(pair::End::is_connected)
    });
}

/// [4.4.2-35] [4.3.1-02] [4.7.3-01]: both offer at once; the polite side's offer is rolled back.
#[test]
fn glare_ends_in_one_connection() {
    let mut pair = Pair::new(9, link());
    let [mine, yours] = [0, 1].map(|side| pair.open(side, "a", &DataChannelInit::default()));
    let impolite = pair.offer(0, &OfferOptions::default()).unwrap();
    let _ignored = pair.offer(1, &OfferOptions::default()).unwrap();
    pair.step();
    let answer = pair.answer(1, impolite).unwrap();
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_remote_description(now, answer).unwrap();
    let open = oxirtc_peerconnection::DataChannelState::Open;
    pair.until(Duration::from_secs(10), |pair| {
        let opened = pair.ends[0].state(mine) == open && pair.ends[1].state(yours) == open;
        opened && pair.ends.iter().all(|end| end.channels.len() == 1)
    });
    assert_eq!(
        pair.ends[1].story()[..4],
        [
            "negotiationneeded",
            "signaling HaveLocalOffer",
            "signaling Stable",
            "signaling HaveRemoteOffer"
        ]
    );
}

/// [5.6-08] [4.4.1.2-01] [4.4.2-06] [4.4.2-20] [4.4.2-26] [4.4.2-34] [4.4.2-39] [4.4.2-50] [4.4.2-53] [4.4.2-54]
/// [4.4.2-55] [4.4.2-56] [4.4.2-58] [4.4.2-60] [4.3.1-03] [4.4.1.3-03] [6-02] [6.2-06]
#[test]
fn closing_is_silent_and_final() {
    let (mut pair, [here, _]) = Pair::connected(10, link(), &DataChannelInit::default());
    let told = pair.ends[0].tasks.len();
    let (now, engine) = (pair.now, &mut pair.ends[0].engine);
    let configuration = Configuration {
        ice_servers: vec![IceServer::new("stun:203.0.113.1")],
        ..engine.configuration().clone()
    };
    engine.set_configuration(configuration.clone()).unwrap();
    let known = engine.stats(now).len();
    assert!(known > 5, "{known}");
    engine.close(now);
    engine.close(now);
    assert_eq!(engine.configuration(), &configuration);
    assert_eq!(engine.stats(now).len(), known);
    let transport = engine.transports().next().unwrap();
    assert_eq!(transport.selected_candidate_pair(), None);
    assert_eq!(transport.dtls_state(), DtlsTransportState::Closed);
    assert_eq!(transport.local_candidates().len(), 1);
    assert_eq!(engine.signaling_state(), SignalingState::Closed);
    assert_eq!(engine.ice_connection_state(), IceConnectionState::Closed);
    assert_eq!(engine.connection_state(), PeerConnectionState::Closed);
    assert_eq!(engine.ice_gathering_state(), IceGatheringState::Complete);
    assert_eq!(
        engine.sctp().map(|it| it.state()),
        Some(SctpTransportState::Closed)
    );
    assert!(engine.local_description().is_some());
    let state = engine.channel(here).unwrap().ready_state();
    assert_eq!(state, oxirtc_peerconnection::DataChannelState::Closed);
    let closed = |error: oxirtc_peerconnection::Error| {
        assert_eq!(error.kind(), ErrorKind::InvalidState);
    };
    closed(engine.create_offer(&OfferOptions::default()).unwrap_err());
    closed(engine.create_answer().unwrap_err());
    closed(engine.set_local_description(now, None).unwrap_err());
    let rollback = oxirtc_peerconnection::SessionDescription::rollback();
    closed(engine.set_remote_description(now, rollback).unwrap_err());
    closed(
        engine
            .add_ice_candidate(now, &Default::default())
            .unwrap_err(),
    );
    closed(
        engine
            .create_data_channel(now, "b", &DataChannelInit::default())
            .unwrap_err(),
    );
    closed(engine.set_configuration(Default::default()).unwrap_err());
    engine.restart_ice();
    let late = engine.send(now, here, &"late".into()).unwrap_err();
    assert!(matches!(late, SendError::Refused(error) if error.kind() == ErrorKind::InvalidState));
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.ends[0].tasks.len(), told, "no event follows");
    assert!(pair.ends[0].engine.is_finished() && pair.ends[0].sockets.is_empty());
}
