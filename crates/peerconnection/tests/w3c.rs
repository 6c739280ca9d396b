//! Rows of W3C's chapters 4, 6 and 11 that need no media, as tables that can be held against the specification.

mod pair;

use std::time::{Duration, SystemTime};

use oxirtc_netsim::{Link, epoch, ms};
use oxirtc_peerconnection::{
    Certificate, Configuration, DataChannelInit, DataChannelState, ErrorDetail, ErrorKind,
    IceCandidateInit, IceConnectionState, IceGatheringState, IceRole, IceServer,
    IceTransportPolicy, IceTransportState, KeyAlgorithm, MediaKind, OfferOptions,
    PeerConnectionState, SctpTransportState, SdpType, SessionDescription, SignalingState,
    engine::{Anchor, ChannelEvent, Engine, Event, SendError, Settings, TrackId, TransceiverInit},
    stats::{StatsObject, StatsType},
};
use pair::{
    Pair,
    words::{lines, word},
};

use SdpType::{Answer, Offer, Pranswer, Rollback};
use SignalingState::{
    HaveLocalOffer, HaveLocalPranswer, HaveRemoteOffer, HaveRemotePranswer, Stable,
};

fn link() -> Link {
    Link::new(1).delay(ms(10))
}

fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// A pair whose side 0 is in `state`; side 1 has a channel as well, so that each has something to offer.
fn pair_in(state: SignalingState) -> Pair {
    let mut pair = Pair::new(1, link());
    for side in 0..2 {
        pair.open(side, "a", &DataChannelInit::default());
    }
    let now = pair.now;
    let pranswer = |it: SessionDescription| SessionDescription::pranswer(it.sdp);
    match state {
        HaveLocalOffer | HaveRemotePranswer => {
            let offer = pair.offer(0, &OfferOptions::default()).expect("an offer");
            if state == HaveRemotePranswer {
                let answer = pair.answer(1, offer).expect("an answer");
                let engine = &mut pair.ends[0].engine;
                let set = engine.set_remote_description(now, pranswer(answer));
                set.expect("a provisional answer");
            }
        }
        HaveRemoteOffer | HaveLocalPranswer => {
            let offer = pair.offer(1, &OfferOptions::default()).expect("an offer");
            let engine = &mut pair.ends[0].engine;
            let set = engine.set_remote_description(now, offer);
            set.expect("an offer that can be applied");
            if state == HaveLocalPranswer {
                let answer = engine.create_answer().expect("an answer");
                let set = engine.set_local_description(now, Some(pranswer(answer)));
                set.expect("a provisional answer");
            }
        }
        _ => {}
    }
    assert_eq!(pair.ends[0].engine.signaling_state(), state);
    pair.step();
    pair.ends[0].tasks.clear();
    pair
}

/// The type with something that can be applied locally where the table allows the type.
fn local(pair: &mut Pair, kind: SdpType) -> SessionDescription {
    let engine = &mut pair.ends[0].engine;
    let sdp = match kind {
        Offer => engine.create_offer(&OfferOptions::default()),
        Answer | Pranswer => engine.create_answer(),
        Rollback => Ok(SessionDescription::rollback()),
    };
    let sdp = sdp.map(|it| it.sdp).unwrap_or_default();
    SessionDescription { kind, sdp }
}

/// The type with something that can be applied remotely where the table allows the type.
fn remote(pair: &mut Pair, kind: SdpType) -> SessionDescription {
    let now = pair.now;
    let offer = pair.ends[0].engine.local_description();
    let engine = &mut pair.ends[1].engine;
    let sdp = match kind {
        Offer => engine.local_description().filter(|it| it.kind == Offer),
        Answer | Pranswer => offer.filter(|it| it.kind == Offer).map(|offer| {
            if engine.signaling_state() == Stable && engine.remote_description().is_none() {
                engine.set_remote_description(now, offer).expect("an offer");
                engine.set_local_description(now, None).expect("an answer");
            }
            engine.local_description().expect("its answer")
        }),
        Rollback => Some(SessionDescription::rollback()),
    };
    let sdp = match (kind, sdp) {
        (_, Some(it)) => it.sdp,
        (Offer, None) => {
            let mut other = Pair::new(2, link());
            other.open(1, "a", &DataChannelInit::default());
            other
                .offer(1, &OfferOptions::default())
                .expect("an offer")
                .sdp
        }
        (_, None) => {
            let mut other = pair_in(HaveLocalOffer);
            remote(&mut other, kind).sdp
        }
    };
    SessionDescription { kind, sdp }
}

/// What each kind of description leads to.
type Becomes = [Option<SignalingState>; 4];

/// [4.3.1-01] [4.3.1-02] [4.4.1.6-02] [4.4.1.6-18] [4.4.2-36] [4.4-01] The table of W3C §4.3.1, 40 cells: local offer, pranswer, answer, rollback,
/// then remote ones. `None` is an `InvalidStateError` that changes nothing and tells nothing.
#[test]
fn the_signalling_table() {
    let yes = Some;
    #[rustfmt::skip]
    let table: [(SignalingState, Becomes, Becomes); 5] = [
        //                    offer                pranswer                 answer       rollback
        (Stable,             [yes(HaveLocalOffer), None,                    None,        None],
                             [yes(HaveRemoteOffer), None,                   None,        None]),
        (HaveLocalOffer,     [yes(HaveLocalOffer), None,                    None,        yes(Stable)],
                             [yes(HaveRemoteOffer), yes(HaveRemotePranswer), yes(Stable), None]),
        (HaveRemoteOffer,    [None,                yes(HaveLocalPranswer),  yes(Stable), None],
                             [yes(HaveRemoteOffer), None,                   None,        yes(Stable)]),
        (HaveLocalPranswer,  [None,                yes(HaveLocalPranswer),  yes(Stable), None],
                             [None,                None,                    None,        None]),
        (HaveRemotePranswer, [None,                None,                    None,        None],
                             [None,                yes(HaveRemotePranswer), yes(Stable), None]),
    ];
    let kinds = [Offer, Pranswer, Answer, Rollback];
    let mut cells = 0;
    for (state, locals, remotes) in table {
        let rows = [(true, locals), (false, remotes)];
        for (is_local, row) in rows {
            for (kind, expected) in kinds.into_iter().zip(row) {
                cells += 1;
                let mut pair = pair_in(state);
                let description = match is_local {
                    true => local(&mut pair, kind),
                    false => remote(&mut pair, kind),
                };
                cell(&mut pair, is_local, description, expected);
            }
        }
    }
    assert_eq!(cells, 40);
}

fn cell(
    pair: &mut Pair,
    is_local: bool,
    description: SessionDescription,
    expected: Option<SignalingState>,
) {
    let (now, kind) = (pair.now, description.kind);
    let engine = &mut pair.ends[0].engine;
    let before = engine.signaling_state();
    let glare = !is_local && kind == Offer && before == HaveLocalOffer;
    let name = format!("{before:?} local {is_local} {kind:?}");
    let descriptions = |engine: &Engine| {
        [engine.local_description(), engine.remote_description()].map(|it| it.map(|it| it.kind))
    };
    let old = descriptions(engine);
    let set = match is_local {
        true => engine.set_local_description(now, Some(description)),
        false => engine.set_remote_description(now, description),
    };
    let Some(expected) = expected else {
        assert_eq!(
            set.map_err(|it| it.kind()),
            Err(ErrorKind::InvalidState),
            "{name}"
        );
        assert_eq!(engine.signaling_state(), before, "{name}");
        assert_eq!(descriptions(engine), old, "{name}");
        return;
    };
    assert_eq!(set, Ok(()), "{name}");
    // All of it stands before the event is delivered.
    assert_eq!(engine.signaling_state(), expected, "{name}");
    let shown = match is_local {
        true => engine.pending_local_description(),
        false => engine.pending_remote_description(),
    };
    assert_eq!(
        shown.map(|it| it.kind),
        (expected != Stable).then_some(kind),
        "{name}"
    );
    // In the stable state nothing is pending, of neither side.
    let pending = [
        engine.pending_local_description(),
        engine.pending_remote_description(),
    ];
    assert!(
        expected != Stable || pending.iter().all(Option::is_none),
        "{name}"
    );
    let agreed = kind == Answer;
    assert_eq!(
        engine.current_local_description().is_some(),
        agreed,
        "{name}"
    );
    assert_eq!(
        engine.current_remote_description().is_some(),
        agreed,
        "{name}"
    );
    let mut told = Vec::new();
    while let Some(task) = engine.poll_task() {
        for event in task {
            if let Event::SignalingStateChange(state) = event {
                told.push(state);
            }
        }
    }
    let change = (expected != before).then_some(expected);
    let through = glare.then_some(Stable);
    let changes: Vec<_> = through.into_iter().chain(change).collect();
    assert_eq!(told, changes, "{name}");
}

/// [4.4.1.6-06] [4.4.1.6-07] [4.4.1.6-08] [4.4.1.6-10] [4.4.1.6-12] [4.4.2-34] Which error of a remote description is told when several apply:
/// closed, then the state, then the syntax, then the content. Each cell lists what is wrong, and what is answered. 4.4.1.6-09 has none, as other
/// RIDs are no error but answered as one layer, and neither has 4.4.1.6-11, as nothing else can go wrong.
#[test]
fn the_precedence_of_errors() {
    let syntax = "not a description".to_owned();
    let empty = String::new();
    let without = |sdp: &str, start: &str| {
        let kept = sdp.lines().filter(|it| !it.starts_with(start));
        kept.flat_map(|line| [line, "\r\n"]).collect::<String>()
    };
    let mut good = Pair::new(3, link());
    good.open(1, "a", &DataChannelInit::default());
    let good = good.offer(1, &OfferOptions::default()).unwrap().sdp;
    let content = without(&good, "a=fingerprint");
    let mut unmuxed = Pair::new(3, link());
    let engine = &mut unmuxed.ends[1].engine;
    let made = engine.add_transceiver(MediaKind::Audio, None, TransceiverInit::default());
    made.expect("a transceiver");
    let unmuxed = unmuxed.offer(1, &OfferOptions::default()).unwrap().sdp;
    let unmuxed = without(&unmuxed, "a=rtcp-mux");
    // Wrong in two ways at once.
    let [both, unmuxed_too] = [&content, &unmuxed].map(|it| format!("{syntax}\r\n{it}"));
    let (closed, state) = (true, true);
    let cells = [
        (closed, state, &syntax, Some(ErrorKind::InvalidState)),
        (closed, !state, &syntax, Some(ErrorKind::InvalidState)),
        (closed, !state, &good, Some(ErrorKind::InvalidState)),
        (closed, !state, &empty, Some(ErrorKind::InvalidState)),
        (!closed, state, &syntax, Some(ErrorKind::InvalidState)),
        (!closed, state, &empty, Some(ErrorKind::InvalidState)),
        (!closed, state, &unmuxed, Some(ErrorKind::InvalidState)),
        (!closed, state, &content, Some(ErrorKind::InvalidState)),
        (!closed, !state, &syntax, Some(ErrorKind::Operation)),
        (!closed, !state, &empty, Some(ErrorKind::Operation)),
        (!closed, !state, &both, Some(ErrorKind::Operation)),
        (!closed, !state, &unmuxed_too, Some(ErrorKind::Operation)),
        (!closed, !state, &unmuxed, Some(ErrorKind::InvalidAccess)),
        (!closed, !state, &content, Some(ErrorKind::InvalidAccess)),
        (!closed, !state, &good, None),
    ];
    for (index, (closed, wrong_state, sdp, expected)) in cells.into_iter().enumerate() {
        let mut pair = Pair::new(4, link());
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        if closed {
            engine.close(now);
        }
        // An answer to nothing.
        let kind = if wrong_state { Answer } else { Offer };
        let sdp = sdp.clone();
        let set = engine.set_remote_description(now, SessionDescription { kind, sdp });
        let error = set.err();
        assert_eq!(error.as_ref().map(|it| it.kind()), expected, "cell {index}");
        let line = error.and_then(|it| it.sdp_line_number());
        assert_eq!(line, (expected == Some(ErrorKind::Operation)).then_some(1));
        if expected.is_some() {
            assert!(engine.remote_description().is_none(), "cell {index}");
            let state = if closed {
                SignalingState::Closed
            } else {
                Stable
            };
            assert_eq!(engine.signaling_state(), state);
        }
    }
}

/// [4.4.1.6-06] [4.4.2-26] [4.4.2-29] [4.4.2-31] Which error of a local description is told when several apply: closed, then a text that is not
/// what was created last, then the state.
#[test]
fn the_precedence_of_local_errors() {
    let (closed, foreign) = (true, true);
    let cells = [
        (closed, foreign, Answer, Some(ErrorKind::InvalidState)),
        (closed, !foreign, Offer, Some(ErrorKind::InvalidState)),
        (
            !closed,
            foreign,
            Answer,
            Some(ErrorKind::InvalidModification),
        ),
        (
            !closed,
            foreign,
            Pranswer,
            Some(ErrorKind::InvalidModification),
        ),
        (
            !closed,
            foreign,
            Offer,
            Some(ErrorKind::InvalidModification),
        ),
        (!closed, !foreign, Answer, Some(ErrorKind::InvalidState)),
        (!closed, !foreign, Pranswer, Some(ErrorKind::InvalidState)),
        // A rollback has no text that counts.
        (!closed, foreign, Rollback, Some(ErrorKind::InvalidState)),
        (!closed, !foreign, Offer, None),
    ];
    for (index, (closed, foreign, kind, expected)) in cells.into_iter().enumerate() {
        let mut pair = pair_in(Stable);
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        if closed {
            engine.close(now);
        }
        let sdp = if foreign { "of somebody else" } else { "" }.to_owned();
        let set = engine.set_local_description(now, Some(SessionDescription { kind, sdp }));
        assert_eq!(set.err().map(|it| it.kind()), expected, "cell {index}");
        let none = expected.is_some();
        assert_eq!(engine.local_description().is_none(), none, "cell {index}");
    }
}

/// [4.3.2-04] [4.2.5-03] [4.4.1.7-09] Another policy counts from the next gathering on; gathering begins again with a restart.
#[test]
fn a_changed_policy_counts_from_the_next_gathering_on() {
    let use_relays = |pair: &mut Pair| {
        let engine = &mut pair.ends[0].engine;
        let mut configuration = engine.configuration().clone();
        configuration.ice_transport_policy = IceTransportPolicy::Relay;
        engine.set_configuration(configuration).unwrap();
    };
    let (mut pair, _) = Pair::connected(6, link(), &DataChannelInit::default());
    use_relays(&mut pair);
    pair.run(Duration::from_secs(10));
    assert!(pair.ends[0].is_connected(), "what is there stays");
    let lines = |pair: &Pair| {
        let sdp = pair.ends[0].engine.local_description().unwrap().sdp;
        sdp.matches("a=candidate:").count()
    };
    assert_eq!(lines(&pair), 1);
    pair.ends[0].tasks.clear();
    pair.ends[0].engine.restart_ice();
    pair.negotiate(0).unwrap();
    pair.run(Duration::from_secs(1));
    assert_eq!(lines(&pair), 0, "there is no relay");
    let gathering: Vec<_> = pair.ends[0]
        .tasks
        .iter()
        .flatten()
        .filter_map(|event| match event {
            Event::IceGatheringStateChange(state) => Some(*state),
            _ => None,
        })
        .collect();
    assert_eq!(
        gathering,
        [IceGatheringState::Gathering, IceGatheringState::Complete]
    );
    // Before the first gathering.
    let mut pair = Pair::new(6, link());
    use_relays(&mut pair);
    pair.open(0, "a", &DataChannelInit::default());
    pair.offer(0, &OfferOptions::default()).unwrap();
    pair.run(Duration::from_secs(1));
    assert_eq!(lines(&pair), 0);
}

/// [4.2.5-02] [4.4.1.6-05] With relays only, no address of ours is gathered, and a candidate that is a name is taken, described, and not resolved.
#[test]
fn a_name_is_prohibited_with_relays_only() {
    for (policy, known) in [(IceTransportPolicy::All, 1), (IceTransportPolicy::Relay, 0)] {
        let configuration = Configuration {
            ice_transport_policy: policy,
            ..Configuration::default()
        };
        let configurations = [configuration, Configuration::default()];
        let mut pair = Pair::with(7, link(), configurations, Settings::default());
        for end in &mut pair.ends {
            end.trickle = false;
        }
        pair.open(0, "a", &DataChannelInit::default());
        pair.negotiate(0).unwrap();
        let candidate = IceCandidateInit {
            candidate: "candidate:1 1 udp 1 a-b.local 4000 typ host".into(),
            sdp_mid: Some("0".into()),
            ..IceCandidateInit::default()
        };
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        engine.add_ice_candidate(now, &candidate).unwrap();
        let remote = engine.remote_description().unwrap().sdp;
        assert!(remote.contains("a-b.local"));
        let report = engine.stats(now);
        let remotes = report.of_type(StatsType::RemoteCandidate).count();
        assert_eq!(remotes, known, "{policy:?}");
        pair.step();
        let engine = &pair.ends[0].engine;
        assert_eq!(engine.ice_gathering_state(), IceGatheringState::Complete);
        let local = engine.local_description().unwrap().sdp;
        assert_eq!(local.matches("a=candidate:").count(), known, "{policy:?}");
    }
}

/// [4.2.1-07] Of several certificates, one is used and described.
#[test]
fn one_certificate_is_used() {
    let make = |key| Certificate::generate_at(key, wall(), None).unwrap();
    let certificates = vec![make(KeyAlgorithm::EcdsaP256), make(KeyAlgorithm::EcdsaP256)];
    let configuration = Configuration {
        certificates: certificates.clone(),
        ..Configuration::default()
    };
    let configurations = [configuration, Configuration::default()];
    let mut pair = Pair::with(8, link(), configurations, Settings::default());
    pair.connect(&DataChannelInit::default());
    let report = pair.ends[1].engine.stats(pair.now);
    let remote = report
        .transports()
        .next()
        .unwrap()
        .remote_certificate_id
        .clone();
    let Some(StatsObject::Certificate(used)) = report.get(&remote.unwrap()) else {
        panic!("{report:?}");
    };
    let used = used.fingerprint.to_lowercase();
    let of = |it: &Certificate| it.fingerprints()[0].value.clone();
    assert_eq!(used, of(&certificates[0]));
    assert_ne!(used, of(&certificates[1]));
    let remote = pair.ends[1].engine.remote_description().unwrap().sdp;
    assert!(remote.to_lowercase().contains(&used));
}

/// [4.2.1-06] [4.4.1.1-04] [11.3-09] Without certificates each connection has a new one, of ECDSA on P-256.
#[test]
fn a_connection_without_certificates_makes_one() {
    let pair = Pair::new(9, link());
    let mut fingerprints: Vec<_> = pair.ends.iter().map(|_| String::new()).collect();
    let mut pair = pair;
    for (side, fingerprint) in fingerprints.iter_mut().enumerate() {
        pair.open(side, "a", &DataChannelInit::default());
        let offer = pair.offer(side, &OfferOptions::default()).unwrap().sdp;
        let line = offer
            .lines()
            .find(|it| it.starts_with("a=fingerprint:sha-256 "));
        *fingerprint = line.unwrap().to_owned();
    }
    assert_ne!(fingerprints[0], fingerprints[1]);
    let (pair, _) = Pair::connected(9, link(), &DataChannelInit::default());
    let transport = pair.ends[0].engine.transports().next().unwrap();
    let [certificate] = transport.remote_certificates() else {
        panic!("one certificate, signed by itself");
    };
    // RFC 5480 §2.1.1.1: prime256v1.
    let curve = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    assert!(certificate.windows(curve.len()).any(|it| it == curve));
}

/// [6.1.1.2-01] [6.1.1.2-02] [6.1.1.2-03] What may be sent in a message: the smaller of what we send and what the peer takes, where 0 is no limit
/// and what is not said 65,536 bytes.
#[test]
fn the_largest_message() {
    let attribute = "a=max-message-size:262144\r\n";
    let says = |limit: u64| attribute.replace("262144", &limit.to_string());
    for (own, theirs, expected) in [
        (1000, attribute.to_owned(), 1000),
        (5000, says(4000), 4000),
        (5000, says(0), 5000),
        (0, says(4000), 4000),
        (0, says(0), u64::MAX),
        (100_000, String::new(), 65_536),
    ] {
        let settings = Settings::default().max_outgoing_message_size(own);
        let configurations = [Configuration::default(), Configuration::default()];
        let mut pair = Pair::with(24, link(), configurations, settings);
        pair.open(0, "a", &DataChannelInit::default());
        let offer = pair.offer(0, &OfferOptions::default()).unwrap();
        let answer = pair.answer(1, offer).unwrap().sdp;
        assert!(answer.contains(attribute));
        let now = pair.now;
        let answer = answer.replace(attribute, &theirs);
        pair.ends[0].set(now, Answer, &answer).unwrap();
        let limit = pair.ends[0].engine.sctp().unwrap().max_message_size();
        assert_eq!(limit, Some(expected), "{own} {theirs}");
    }
}

/// [4.4.1.6-22] [6.1.1.2-03] A later exchange that keeps the association reads the attribute again, in an answer and in an offer.
#[test]
fn the_largest_message_is_read_again() {
    let (mut pair, [here, _]) = Pair::connected(25, link(), &DataChannelInit::default());
    let says = |sdp: &str, limit: u64| {
        let other = format!("a=max-message-size:{limit}");
        sdp.replace("a=max-message-size:262144", &other)
    };
    let limit = |pair: &Pair, side: usize| {
        let sctp = pair.ends[side].engine.sctp();
        sctp.and_then(|it| it.max_message_size())
    };
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let offer = SessionDescription::offer(says(&offer.sdp, 3000));
    let answer = pair.answer(1, offer).unwrap();
    let now = pair.now;
    pair.ends[0]
        .set(now, Answer, &says(&answer.sdp, 2000))
        .unwrap();
    assert_eq!([limit(&pair, 0), limit(&pair, 1)], [Some(2000), Some(3000)]);
    let long = pair.try_send(0, here, &vec![0; 2001].into()).unwrap_err();
    let SendError::Refused(long) = long else {
        panic!("{long:?}");
    };
    assert_eq!(long.kind(), ErrorKind::Type);
    pair.try_send(0, here, &vec![0; 2000].into()).unwrap();
    // And back again.
    pair.negotiate(0).unwrap();
    assert_eq!([limit(&pair, 0), limit(&pair, 1)], [Some(262_144); 2]);
}

/// [5.6-09] [5.6-10] The parameters of either end are those of the newest descriptions; a peer that only its checks have shown is no remote
/// candidate.
#[test]
fn what_an_ice_transport_shows() {
    let mut pair = Pair::new(26, link());
    pair.ends[1].trickle = false;
    pair.connect(&DataChannelInit::default());
    let shown = |pair: &Pair| {
        [0, 1].map(|side| {
            let transport = pair.ends[side].engine.transports().next();
            let transport = transport.expect("one");
            let local = transport.local_parameters().cloned();
            let remote = transport.remote_parameters().cloned();
            (local, remote, transport.remote_candidates().count())
        })
    };
    let before = shown(&pair);
    let [(here, of_there, candidates), (there, of_here, signalled)] = before.clone();
    assert!(here.is_some() && there.is_some());
    assert_eq!((&here, &there), (&of_here, &of_there));
    assert_eq!((candidates, signalled), (0, 1));
    pair.ends[1].trickle = true;
    pair.ends[0].engine.restart_ice();
    pair.negotiate(0).unwrap();
    pair.run(Duration::from_secs(5));
    let [(here, of_there, candidates), (there, of_here, signalled)] = shown(&pair);
    assert!(here != before[0].0 && there != before[1].0);
    assert_eq!((&here, &there), (&of_here, &of_there));
    assert_eq!((candidates, signalled), (1, 1));
}

/// [4.4.1.1-05] What cannot be set cannot be constructed with, and the error is the same.
#[test]
fn the_constructor_has_the_errors_of_set_configuration() {
    let server = |url: &str| Configuration {
        ice_servers: vec![IceServer::new(url)],
        ..Configuration::default()
    };
    let anchor = Anchor {
        instant: epoch(),
        wall: wall(),
    };
    let mut wrong = vec![
        (server(""), ErrorKind::Syntax),
        (server("http://host"), ErrorKind::Syntax),
        (server("stun:u@h"), ErrorKind::Syntax),
        (server("turn:host?transport=sctp"), ErrorKind::Syntax),
        (server("turn:host"), ErrorKind::InvalidAccess),
    ];
    let mut empty = server("stun:host");
    empty.ice_servers[0].urls.clear();
    wrong.push((empty, ErrorKind::Syntax));
    for (configuration, expected) in wrong {
        let made = Engine::new(configuration.clone(), Settings::default(), [1; 32], anchor);
        assert_eq!(
            made.err().map(|it| it.kind()),
            Some(expected),
            "{configuration:?}"
        );
        let (good, settings) = (Configuration::default(), Settings::default());
        let mut engine = Engine::new(good, settings, [1; 32], anchor).unwrap();
        let set = engine.set_configuration(configuration);
        assert_eq!(set.map_err(|it| it.kind()), Err(expected));
    }
}

/// [4.4.1.1-07] A new connection has neither channels nor candidates nor credentials to replace.
#[test]
fn a_new_connection_holds_nothing() {
    let mut pair = Pair::new(10, link());
    pair.ends[0].engine.restart_ice();
    pair.step();
    let engine = &pair.ends[0].engine;
    assert_eq!(engine.stats(pair.now).len(), 1, "itself");
    assert!(!engine.is_negotiation_needed() && pair.ends[0].tasks.is_empty());
}

/// [4.3.2-04] [4.3.4-02] A section that is not bundled brings a transport that has gathered nothing and is connected with nobody:
/// the states say so at once, on either side, and are as before when the offer is taken back.
#[test]
fn states_follow_transports_that_come() {
    let ungrouped = |sdp: &str| {
        let kept = sdp.lines().filter(|it| !it.starts_with("a=group"));
        kept.flat_map(|line| [line, "\r\n"]).collect::<String>()
    };
    let mut pair = Pair::new(24, link());
    pair.open(0, "a", &DataChannelInit::default());
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let offer = SessionDescription::offer(ungrouped(&offer.sdp));
    let answer = pair.answer(1, offer).unwrap();
    let now = pair.now;
    pair.ends[0].set(now, Answer, &answer.sdp).unwrap();
    pair.run(Duration::from_secs(5));
    let states = |pair: &Pair, side: usize| {
        let engine = &pair.ends[side].engine;
        let ice = engine.ice_connection_state();
        (engine.ice_gathering_state(), ice, engine.connection_state())
    };
    let old = (
        IceGatheringState::Complete,
        IceConnectionState::Completed,
        PeerConnectionState::Connected,
    );
    let come = |gathering| {
        let checking = IceConnectionState::Checking;
        (gathering, checking, PeerConnectionState::Connecting)
    };
    assert_eq!([states(&pair, 0), states(&pair, 1)], [old, old]);
    let audio = TransceiverInit::default();
    let engine = &mut pair.ends[1].engine;
    engine
        .add_transceiver(MediaKind::Audio, None, audio)
        .unwrap();
    let offer = pair.offer(1, &OfferOptions::default()).unwrap();
    assert_eq!(states(&pair, 1), come(IceGatheringState::Gathering));
    let offer = ungrouped(&offer.sdp);
    for taken_back in [true, false] {
        pair.ends[0].tasks.clear();
        let now = pair.now;
        pair.ends[0].set(now, Offer, &offer).unwrap();
        assert_eq!(states(&pair, 0), come(IceGatheringState::New));
        if taken_back {
            pair.ends[0].set(now, Rollback, "").unwrap();
            assert_eq!(states(&pair, 0), old);
        }
        pair.step();
        let told = lines(&mut pair.ends[0]);
        let came = "icegatheringstatechange New, iceconnectionstatechange Checking, connectionstatechange Connecting";
        let went = "icegatheringstatechange Complete, icecandidate null, iceconnectionstatechange Completed, \
                    connectionstatechange Connected";
        let expected = [came, went];
        let told: Vec<_> = told.iter().filter(|it| it.starts_with("ice")).collect();
        assert_eq!(told, expected[..=usize::from(taken_back)]);
    }
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_local_description(now, None).unwrap();
    assert_eq!(states(&pair, 0), come(IceGatheringState::Gathering));
    let answer = pair.ends[0].engine.local_description().unwrap();
    pair.ends[1]
        .set(now, Answer, &ungrouped(&answer.sdp))
        .unwrap();
    pair.exchange();
    pair.run(Duration::from_secs(5));
    assert_eq!([states(&pair, 0), states(&pair, 1)], [old, old]);
    // [4.4.1.6-27] The side that offered first controls both.
    for (end, role) in pair
        .ends
        .iter()
        .zip([IceRole::Controlling, IceRole::Controlled])
    {
        let roles = end.engine.transports().map(|it| it.ice_role());
        assert_eq!(roles.collect::<Vec<_>>(), [role, role]);
    }
}

/// [4.3.4-02] [4.4.1.6-41] Transports that go take their states with them.
#[test]
fn states_follow_transports_that_go() {
    let (mut pair, _) = Pair::connected(11, link(), &DataChannelInit::default());
    pair.run(Duration::from_secs(5));
    let engine = &pair.ends[0].engine;
    assert_eq!(engine.ice_connection_state(), IceConnectionState::Completed);
    pair.ends[0].tasks.clear();
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let answer = pair.answer(1, offer).unwrap().sdp;
    let rejected = answer.lines().filter(|line| !line.starts_with("a=group"));
    let rejected: String = rejected
        .flat_map(|line| match line.strip_prefix("m=application ") {
            Some(rest) => {
                let (_port, rest) = rest.split_once(' ').unwrap();
                ["m=application 0 ", rest, "\r\n"]
            }
            None => [line, "", "\r\n"],
        })
        .collect();
    let now = pair.now;
    pair.ends[0].set(now, Answer, &rejected).unwrap();
    pair.step();
    let engine = &pair.ends[0].engine;
    assert_eq!(engine.transports().count(), 0);
    assert_eq!(engine.ice_connection_state(), IceConnectionState::New);
    assert_eq!(engine.connection_state(), PeerConnectionState::New);
    assert_eq!(engine.ice_gathering_state(), IceGatheringState::New);
    assert!(
        pair.ends[0].sockets.is_empty(),
        "its sockets are given back"
    );
    let told = pair.ends[0]
        .tasks
        .iter()
        .flatten()
        .filter_map(word)
        .collect::<Vec<_>>();
    for word in [
        "iceconnectionstatechange New",
        "connectionstatechange New",
        "icegatheringstatechange New",
    ] {
        assert!(told.iter().any(|it| it == word), "{told:?}");
    }
}

/// [4.4.1.2-06] [4.4.1.6-43] What needs negotiation while an exchange is under way is told when it is over.
#[test]
fn negotiation_waits_for_the_stable_state() {
    let mut pair = Pair::new(12, link());
    // An offer of nothing, and a channel while it waits.
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    pair.open(0, "a", &DataChannelInit::default());
    pair.step();
    let needed = |pair: &Pair| {
        let story = pair.ends[0].story();
        story.iter().filter(|it| *it == "negotiationneeded").count()
    };
    assert_eq!(needed(&pair), 0, "not while the exchange is under way");
    let answer = pair.answer(1, offer).unwrap();
    let now = pair.now;
    pair.ends[0]
        .engine
        .set_remote_description(now, answer)
        .unwrap();
    pair.step();
    assert_eq!(needed(&pair), 1);
    let story = pair.ends[0].story();
    assert_eq!(
        story[story.len() - 2..],
        ["signaling Stable", "negotiationneeded"]
    );
    // What was told before the exchange is needed anew after it: the flag was cleared.
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let streams = Vec::new();
    let engine = &mut pair.ends[0].engine;
    let added = engine.add_track(MediaKind::Audio, TrackId(1), streams);
    added.unwrap();
    let answer = pair.answer(1, offer).unwrap();
    let now = pair.now;
    pair.ends[0]
        .engine
        .set_remote_description(now, answer)
        .unwrap();
    pair.step();
    assert_eq!(needed(&pair), 2);
}

/// [4.4.1.6-44] [4.4.2-05] [4.6.2-03] When the event is there, everything has its new value; what was given before stays as it was.
#[test]
fn attributes_are_snapshots_of_one_moment() {
    let mut pair = Pair::new(13, link());
    pair.open(0, "a", &DataChannelInit::default());
    pair.offer(0, &OfferOptions::default()).unwrap();
    let snapshot = pair.ends[0].engine.local_description().unwrap();
    let copy = snapshot.clone();
    pair.run(Duration::from_secs(1));
    assert_eq!(snapshot, copy);
    let now_shown = pair.ends[0].engine.local_description().unwrap();
    assert!(!snapshot.sdp.contains("a=candidate") && now_shown.sdp.contains("a=candidate"));
    // The same offer again changes no state, so it is no event.
    let told = pair.ends[0].story().len();
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let again = engine.create_offer(&OfferOptions::default()).unwrap();
    engine.set_local_description(now, Some(again)).unwrap();
    pair.step();
    assert_eq!(pair.ends[0].story().len(), told);
}

/// [4.4.2-19] An offer stays good while nothing else is created, whatever changes.
#[test]
fn an_offer_stays_good_when_something_changes() {
    let mut pair = Pair::new(14, link());
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let offer = engine.create_offer(&OfferOptions::default()).unwrap();
    engine.restart_ice();
    let init = DataChannelInit::default();
    engine.create_data_channel(now, "a", &init).unwrap();
    engine.set_local_description(now, Some(offer)).unwrap();
    assert_eq!(engine.signaling_state(), HaveLocalOffer);
}

/// [4.4.2-11] Options of a wrong type are refused, unknown members ignored.
#[test]
fn options_are_read_as_dictionaries() {
    let read = |text: &str| serde_json::from_str::<OfferOptions>(text);
    assert!(read(r#"{"iceRestart": "yes"}"#).is_err() && read("5").is_err());
    let options = read(r#"{"iceRestart": true, "anything": [1]}"#).unwrap();
    assert!(options.ice_restart);
    assert_eq!(read("{}").unwrap(), OfferOptions::default());
}

/// [4.10.1-01] A certificate expires as long after its creation as was asked for.
#[test]
fn a_certificate_expires_from_its_creation_on() {
    for seconds in [60, 3_600, 86_400] {
        let lifetime = Duration::from_secs(seconds);
        let made = Certificate::generate_at(KeyAlgorithm::EcdsaP256, wall(), Some(lifetime));
        assert_eq!(made.unwrap().expires(), wall() + lifetime);
    }
}

/// [5.6-02] A candidate is told with the generation of a description that stands: after a rollback those of the next offer are new.
#[test]
fn candidates_belong_to_a_description() {
    let mut pair = Pair::new(15, link());
    pair.open(0, "a", &DataChannelInit::default());
    pair.offer(0, &OfferOptions::default()).unwrap();
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    let rollback = SessionDescription::rollback();
    // Before anything was gathered.
    engine.set_local_description(now, Some(rollback)).unwrap();
    pair.run(Duration::from_secs(1));
    let candidates = |pair: &Pair| {
        let events = pair.ends[0].tasks.iter().flatten();
        events
            .filter(|it| matches!(it, Event::IceCandidate(Some(_))))
            .count()
    };
    assert_eq!(
        candidates(&pair),
        0,
        "there is no description that they belong to"
    );
    pair.offer(0, &OfferOptions::default()).unwrap();
    pair.run(Duration::from_secs(1));
    let local = pair.ends[0].engine.local_description().unwrap().sdp;
    assert!(candidates(&pair) > 0);
    for event in pair.ends[0].tasks.iter().flatten() {
        if let Event::IceCandidate(Some(it)) = event {
            let ufrag = it.username_fragment().unwrap();
            assert!(local.contains(&format!("a=ice-ufrag:{ufrag}\r\n")));
        }
    }
}

/// [5.5-01] [6.1.2-01] [5.6.4-01] [5.6.4-08] Transports are made by descriptions, and are closed with the connection.
#[test]
fn transports_are_made_by_descriptions() {
    let mut pair = Pair::new(16, link());
    pair.open(0, "a", &DataChannelInit::default());
    assert_eq!(pair.ends[0].engine.transports().count(), 0);
    pair.negotiate(0).unwrap();
    let engine = &pair.ends[0].engine;
    assert_eq!(engine.transports().count(), 1);
    assert_eq!(
        engine.sctp().unwrap().state(),
        SctpTransportState::Connecting
    );
    pair.until(Duration::from_secs(5), |pair| {
        let sctp = pair.ends[0].engine.sctp();
        sctp.is_some_and(|it| it.state() == SctpTransportState::Connected)
    });
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.close(now);
    assert_eq!(engine.sctp().unwrap().state(), SctpTransportState::Closed);
    let transport = engine.transports().next().unwrap();
    assert_eq!(transport.ice_state(), IceTransportState::Closed);
    // One for each group of sections, and one for each section that is in none.
    for (grouped, expected) in [(true, 1), (false, 2)] {
        let mut pair = Pair::new(23, link());
        pair.open(0, "a", &DataChannelInit::default());
        let engine = &mut pair.ends[0].engine;
        let audio = engine.add_track(MediaKind::Audio, TrackId(1), Vec::new());
        let audio = audio.unwrap();
        let offer = pair.offer(0, &OfferOptions::default()).unwrap();
        let mut answer = pair.answer(1, offer).unwrap().sdp;
        if !grouped {
            let kept = answer.lines().filter(|it| !it.starts_with("a=group"));
            answer = kept.flat_map(|line| [line, "\r\n"]).collect();
        }
        let now = pair.now;
        pair.ends[0].set(now, Answer, &answer).unwrap();
        let engine = &pair.ends[0].engine;
        assert_eq!(engine.transports().count(), expected);
        let of_audio = engine.transceiver(audio).unwrap().transport();
        let of_data = engine.sctp().map(|it| it.transport());
        assert!(of_audio.is_some() && of_data.is_some());
        assert_eq!(of_audio == of_data, grouped);
    }
}

/// [6.2-08] What the send buffer does not take is refused, and the message is still the caller's.
#[test]
fn a_full_buffer_refuses() {
    let (mut pair, [here, _]) = Pair::connected(17, link(), &DataChannelInit::default());
    let message = vec![0; 200_000].into();
    let mut taken = 0;
    while pair.try_send(0, here, &message).is_ok() {
        taken += 1;
        assert!(taken < 1_000, "the buffer is bounded");
    }
    let error = pair.try_send(0, here, &message).unwrap_err();
    assert_eq!(error, SendError::Full);
    pair.until(Duration::from_secs(120), |pair| {
        let channel = pair.ends[0].engine.channel(here);
        channel.is_some_and(|it| it.buffered_amount() == 0)
    });
    assert_eq!(pair.ends[0].state(here), DataChannelState::Open);
    pair.try_send(0, here, &message).unwrap();
}

/// [5.6-02] A candidate that was told and not read yet belongs to no description after the rollback.
#[test]
fn an_unread_candidate_loses_its_description() {
    let mut pair = Pair::new(18, link());
    pair.open(0, "a", &DataChannelInit::default());
    pair.offer(0, &OfferOptions::default()).unwrap();
    pair.step();
    let told = |pair: &Pair| {
        let events = pair.ends[0].tasks.iter().flatten();
        let mut told = events.filter_map(|it| match it {
            Event::IceCandidate(it) => it.clone(),
            _ => None,
        });
        told.next().expect("a candidate")
    };
    let first = told(&pair);
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    assert!(engine.is_described(&first));
    let rollback = SessionDescription::rollback();
    engine.set_local_description(now, Some(rollback)).unwrap();
    assert!(!engine.is_described(&first));
    // A restart that is rolled back: what stands is the generation before it.
    let (mut pair, _) = Pair::connected(19, link(), &DataChannelInit::default());
    let old = told(&pair);
    pair.ends[0].tasks.clear();
    pair.ends[0].engine.restart_ice();
    pair.offer(0, &OfferOptions::default()).unwrap();
    pair.step();
    let new = told(&pair);
    let engine = &mut pair.ends[0].engine;
    assert!(engine.is_described(&old) && engine.is_described(&new));
    let rollback = SessionDescription::rollback();
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_local_description(now, Some(rollback)).unwrap();
    assert!(engine.is_described(&old) && !engine.is_described(&new));
}

/// [11.2-01] [11.3-01] An error event has its error, with its detail.
#[test]
fn an_error_event_carries_its_error() {
    let (mut pair, [here, _]) = Pair::connected(20, link(), &DataChannelInit::default());
    let now = pair.now;
    pair.ends[1].engine.close(now);
    pair.run(Duration::from_secs(1));
    let events = pair.ends[0].tasks.iter().flatten();
    let mut errors = events.filter_map(|event| match event {
        Event::Channel(id, ChannelEvent::Error(error)) if *id == here => Some(error),
        _ => None,
    });
    let error = errors.next().expect("the peer has aborted");
    assert_eq!(error.kind(), ErrorKind::Operation);
    // RFC 9260 §3.3.10.12: user-initiated abort.
    let detail = ErrorDetail::SctpFailure {
        cause_code: Some(12),
    };
    assert_eq!(error.detail(), Some(detail));
    assert!(errors.next().is_none(), "once");
}

/// [5.6.4-06] The peer has told all its candidates with an empty one, or with its description when it does not trickle: only then is
/// a transport whose pairs all came to nothing failed, and not disconnected.
#[test]
fn the_end_of_remote_candidates() {
    let nowhere = "candidate:1 1 udp 2122260223 10.0.0.9 5000 typ host";
    let minute = Duration::from_secs(60);
    let begun = |seed, change: &dyn Fn(&str) -> String| {
        let mut pair = Pair::new(seed, link());
        pair.ends[0].trickle = false;
        pair.ends[1].trickle = false;
        pair.open(0, "a", &DataChannelInit::default());
        let offer = pair.offer(0, &OfferOptions::default()).unwrap();
        let answer = pair.answer(1, offer).unwrap().sdp;
        assert!(answer.contains(TRICKLES));
        let now = pair.now;
        pair.ends[0].set(now, Answer, &change(&answer)).unwrap();
        pair
    };
    let state = |pair: &Pair| {
        let transport = pair.ends[0].engine.transports().next();
        transport.map(|it| it.ice_state())
    };
    let add = |pair: &mut Pair, candidate: &str| {
        let candidate = IceCandidateInit {
            candidate: candidate.to_owned(),
            sdp_mid: Some("0".to_owned()),
            ..IceCandidateInit::default()
        };
        let now = pair.now;
        pair.ends[0].engine.add_ice_candidate(now, &candidate)
    };
    // One that trickles: more may come, until it says otherwise.
    let mut pair = begun(21, &str::to_owned);
    assert_eq!(pair.ends[0].engine.can_trickle_ice_candidates(), Some(true));
    add(&mut pair, nowhere).unwrap();
    pair.run(minute);
    assert_eq!(state(&pair), Some(IceTransportState::Disconnected));
    add(&mut pair, "").unwrap();
    // At once: later it would come by itself.
    pair.run(Duration::from_secs(1));
    assert_eq!(state(&pair), Some(IceTransportState::Failed));
    // One that does not has told all with its description.
    let mut pair = begun(22, &|answer| {
        let told = answer.replace(TRICKLES, "a=ice-options:ice2\r\n");
        format!("{told}a={nowhere}\r\n")
    });
    assert_eq!(
        pair.ends[0].engine.can_trickle_ice_candidates(),
        Some(false)
    );
    pair.run(minute);
    assert_eq!(state(&pair), Some(IceTransportState::Failed));
}

const TRICKLES: &str = "a=ice-options:trickle ice2 renomination\r\n";
