//! Statistics, held against what was really sent and received.

mod pair;

use std::{
    cell::RefCell,
    collections::BTreeSet,
    rc::Rc,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oxirtc_netsim::{End, Link, ms};
use oxirtc_peerconnection::{
    Certificate, Configuration, DataChannelInit, IceCandidateInit, IceTransportPolicy,
    KeyAlgorithm, Message, OfferOptions, StatsReport,
    engine::{Settings, StatsSubject},
    stats::{
        CandidatePairState, CertificateStats, DataChannelState, DtlsRole, DtlsTransportState,
        IceCandidateStats, IceCandidateType, IceRole, IceTcpCandidateType, IceTransportState,
        PeerConnectionStats, StatsObject, StatsType, TransportStats,
    },
};
use pair::Pair;

fn link() -> Link {
    Link::new(1).delay(ms(10))
}

fn report(pair: &Pair, side: usize) -> StatsReport {
    pair.ends[side].engine.stats(pair.now)
}

#[expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]
fn transport(report: &StatsReport) -> &TransportStats {
    report.transports().next().unwrap()
}

fn connection(report: &StatsReport) -> &PeerConnectionStats {
    let mut found = report.iter().filter_map(|it| match it {
        StatsObject::PeerConnection(it) => Some(it),
        _ => None,
    });
    found.next().expect("one always")
}

fn candidate<'a>(report: &'a StatsReport, id: &str) -> &'a IceCandidateStats {
    match report.get(id) {
        Some(StatsObject::LocalCandidate(it) | StatsObject::RemoteCandidate(it)) => it,
        other => panic!("{other:?}"),
    }
}

fn certificate<'a>(report: &'a StatsReport, id: Option<&String>) -> &'a CertificateStats {
    match id.and_then(|id| report.get(id)) {
        Some(StatsObject::Certificate(it)) => it,
        other => panic!("{other:?}"),
    }
}

/// Datagrams and bytes that a side has sent, without STUN.
type Payload = Rc<RefCell<[(u64, u64); 2]>>;

fn counted(pair: &mut Pair) -> Payload {
    let payload = Payload::default();
    let counts = payload.clone();
    pair.tap = Some(Box::new(move |from, datagram| {
        let side = usize::from(from == End::B);
        if !matches!(datagram.first(), Some(0..=3)) {
            let mut counts = counts.borrow_mut();
            counts[side].0 += 1;
            counts[side].1 += datagram.len() as u64;
        }
        true
    }));
    payload
}

/// [8.2-03] [8.4-01] A new connection has a report.
#[test]
fn a_new_connection_has_its_own_object_only() {
    let pair = Pair::new(1, link());
    let report = report(&pair, 0);
    assert_eq!(report.len(), 1);
    let connection = connection(&report);
    assert_eq!(connection.data_channels_opened, Some(0));
    assert_eq!(connection.data_channels_closed, Some(0));
    // [8.4-02]
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let wall = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let expected = wall.as_secs_f64() * 1000.0;
    assert!((connection.stats.timestamp - expected).abs() < 1.0);
}

/// [8.7-01] [8.7-03] What a transport and its pair tell is what went over the network.
#[test]
fn a_transport_counts_what_went_through_it() {
    let mut pair = Pair::new(2, link());
    let payload = counted(&mut pair);
    let [here, there] = pair.connect(&DataChannelInit::default());
    for length in [0, 1, 5_000, 60_000] {
        pair.send(0, here, Message::from(vec![7; length]));
    }
    pair.send(1, there, "back");
    pair.run(Duration::from_secs(8));
    let reports = [report(&pair, 0), report(&pair, 1)];
    let sent = *payload.borrow();
    assert!(sent[0].1 > 65_000 && sent[1].0 > 5);
    for side in 0..2 {
        let it = transport(&reports[side]);
        assert_eq!((it.packets_sent, it.bytes_sent), some(sent[side]));
        assert_eq!(
            (it.packets_received, it.bytes_received),
            some(sent[1 - side])
        );
        assert_eq!(it.dtls_state, DtlsTransportState::Connected);
        assert!(matches!(
            it.ice_state,
            Some(IceTransportState::Connected | IceTransportState::Completed)
        ));
        assert_eq!(it.selected_candidate_pair_changes, Some(1));
        assert_eq!(it.tls_version.as_deref(), Some("FEFC"));
        assert_eq!(it.dtls_cipher.as_deref(), Some("TLS_AES_128_GCM_SHA256"));
        assert!(it.srtp_cipher.is_none() && it.ccfb_messages_sent.is_none());
        let ufrag = it.ice_local_username_fragment.as_ref().unwrap();
        let local = pair.ends[side].engine.local_description().unwrap().sdp;
        assert!(local.contains(&format!("a=ice-ufrag:{ufrag}\r\n")));
        // The one pair has carried everything.
        let selected = reports[side].selected_pair(it).unwrap();
        assert_eq!(
            (selected.packets_sent, selected.bytes_sent),
            some(sent[side])
        );
        assert_eq!(
            (selected.packets_received, selected.bytes_received),
            some(sent[1 - side])
        );
        assert_eq!(selected.state, CandidatePairState::Succeeded);
        assert_eq!(selected.nominated, Some(true));
        let last = selected.last_packet_sent_timestamp.unwrap();
        assert!(last > 1_700_000_000_000.0 && last <= selected.stats.timestamp);
        assert!(selected.last_packet_received_timestamp.unwrap() <= selected.stats.timestamp);
        assert!(selected.available_outgoing_bitrate.is_none());
    }
    let [mine, yours] = reports.each_ref().map(transport);
    assert_eq!(mine.ice_role, Some(IceRole::Controlling));
    assert_eq!(yours.ice_role, Some(IceRole::Controlled));
    let mut roles = [mine.dtls_role, yours.dtls_role];
    roles.sort_by_key(|role| *role == Some(DtlsRole::Server));
    assert_eq!(roles, [Some(DtlsRole::Client), Some(DtlsRole::Server)]);
}

fn some((packets, bytes): (u64, u64)) -> (Option<u64>, Option<u64>) {
    (Some(packets), Some(bytes))
}

/// [8.7-01] Checks, answers and round trips of a pair.
#[test]
fn a_pair_counts_its_checks_and_round_trips() {
    let (mut pair, _) = Pair::connected(3, link(), &DataChannelInit::default());
    pair.run(Duration::from_secs(21));
    let reports = [report(&pair, 0), report(&pair, 1)];
    let [mine, yours] = reports.each_ref().map(|it| {
        let selected = it.selected_pair(transport(it));
        selected.expect("a pair in use")
    });
    for it in [mine, yours] {
        let round_trip = it.current_round_trip_time.unwrap();
        assert!((round_trip - 0.02).abs() < 0.001, "{round_trip}");
        let answers = it.responses_received.unwrap();
        let average = it.total_round_trip_time.unwrap() / answers as f64;
        // The first check may have waited for the peer's description.
        assert!((0.02..0.03).contains(&average), "{average}");
        assert!(it.consent_requests_sent.unwrap() >= 3, "every 5 seconds");
        let requests = it.requests_sent.unwrap() + it.consent_requests_sent.unwrap();
        assert_eq!(it.responses_received, Some(requests), "nothing was lost");
        assert_eq!(it.responses_sent, it.requests_received);
    }
    assert_eq!(mine.responses_received, yours.responses_sent);
    assert_eq!(yours.responses_received, mine.responses_sent);
}

/// [8.7-01] A check that is sent again is one request, and its answers are counted as they come.
#[test]
fn a_check_that_is_sent_again_is_one_request() {
    let mut pair = Pair::new(13, link());
    let sent = Rc::<RefCell<Vec<Vec<u8>>>>::default();
    let requests = sent.clone();
    pair.tap = Some(Box::new(move |from, datagram| {
        if from == End::B || !datagram.starts_with(&[0, 1]) {
            return true;
        }
        let mut requests = requests.borrow_mut();
        // RFC 8489 §5: the transaction id.
        requests.push(datagram[8..20].to_vec());
        requests.len() > 2
    }));
    pair.connect(&DataChannelInit::default());
    pair.run(Duration::from_secs(21));
    let report = report(&pair, 0);
    let [it] = report.candidate_pairs().collect::<Vec<_>>()[..] else {
        panic!("one pair: {report:?}");
    };
    let sent = sent.borrow();
    let distinct: BTreeSet<_> = sent.iter().collect();
    assert!(distinct.len() < sent.len(), "the first went more than once");
    let consent = it.consent_requests_sent.unwrap();
    assert!(consent >= 3, "every 5 seconds");
    let counted = it.requests_sent.unwrap() + consent;
    assert_eq!(counted, distinct.len() as u64);
}

/// [8.7-01] Messages of channels, and how many were opened and closed.
#[test]
fn channels_count_their_messages() {
    let init = DataChannelInit {
        protocol: "p".into(),
        ..DataChannelInit::default()
    };
    let (mut pair, [here, there]) = Pair::connected(4, link(), &init);
    pair.send(0, here, "four");
    pair.send(0, here, Message::from(vec![0; 96]));
    pair.send(1, there, "");
    let second = pair.open(0, "never used", &DataChannelInit::default());
    pair.run(Duration::from_secs(1));
    pair.close_channel(0, second);
    pair.run(Duration::from_secs(1));
    let [mine, yours] = [report(&pair, 0), report(&pair, 1)];
    for (report, sent, received) in [(&mine, (2, 100), (1, 0)), (&yours, (1, 0), (2, 100))] {
        let [it, closed] = report.data_channels().collect::<Vec<_>>()[..] else {
            panic!("two channels: {report:?}");
        };
        assert_eq!(it.label.as_deref(), Some("test"));
        assert_eq!(it.protocol.as_deref(), Some("p"));
        assert_eq!(it.state, DataChannelState::Open);
        let id = pair.ends[0].engine.channel(here).unwrap().id();
        assert_eq!(it.data_channel_identifier, id);
        assert_eq!((it.messages_sent.unwrap(), it.bytes_sent.unwrap()), sent);
        let came = (it.messages_received.unwrap(), it.bytes_received.unwrap());
        assert_eq!(came, received);
        assert_eq!(closed.state, DataChannelState::Closed);
        assert_eq!(connection(report).data_channels_opened, Some(2));
        assert_eq!(connection(report).data_channels_closed, Some(1));
    }
}

/// [8.7-01] Certificates are those of the descriptions, each once.
#[test]
fn certificates_are_those_of_the_descriptions() {
    let (pair, _) = Pair::connected(5, link(), &DataChannelInit::default());
    let reports = [report(&pair, 0), report(&pair, 1)];
    for side in 0..2 {
        let it = transport(&reports[side]);
        let own = certificate(&reports[side], it.local_certificate_id.as_ref());
        let peers = certificate(
            &reports[1 - side],
            transport(&reports[1 - side]).remote_certificate_id.as_ref(),
        );
        assert_eq!(own.fingerprint, peers.fingerprint);
        assert_eq!(own.base64_certificate, peers.base64_certificate);
        assert!(
            own.base64_certificate.starts_with("MII") || own.base64_certificate.starts_with("MIH")
        );
        let local = pair.ends[side].engine.local_description().unwrap().sdp;
        let line = format!(
            "a=fingerprint:{} {}",
            own.fingerprint_algorithm, own.fingerprint
        );
        assert!(
            local.to_lowercase().contains(&line.to_lowercase()),
            "{line}"
        );
        assert_eq!(reports[side].of_type(StatsType::Certificate).count(), 2);
    }
}

/// [8.7-01] Each certificate of a chain leads to the one that comes behind it.
#[test]
fn a_chain_leads_to_its_issuers() {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let pems = [(); 2].map(|()| {
        let made = Certificate::generate_at(KeyAlgorithm::EcdsaP256, wall, None);
        made.and_then(|it| it.to_pem()).expect("a certificate")
    });
    let issuer = pems[1]
        .split_inclusive("-----END CERTIFICATE-----\n")
        .next();
    let chain = format!("{}{}", *pems[0], issuer.expect("a certificate"));
    let chain = Certificate::from_pem(&chain).expect("a chain");
    let configurations = [vec![chain], Vec::new()].map(|certificates| Configuration {
        certificates,
        ..Configuration::default()
    });
    let mut pair = Pair::with(12, link(), configurations, Settings::default());
    pair.connect(&DataChannelInit::default());
    let report = report(&pair, 1);
    let it = transport(&report);
    let first = certificate(&report, it.remote_certificate_id.as_ref());
    let second = certificate(&report, first.issuer_certificate_id.as_ref());
    assert_ne!(first.fingerprint, second.fingerprint);
    assert_eq!(second.issuer_certificate_id, None);
    let own = certificate(&report, it.local_certificate_id.as_ref());
    assert_eq!(own.issuer_certificate_id, None);
    let shown = pair.ends[1].engine.transports().next();
    let shown = shown.expect("a transport").remote_certificates().to_vec();
    let text = [first, second].map(|it| STANDARD.decode(&it.base64_certificate));
    assert_eq!(text.map(|it| it.expect("base64")), shown[..]);
}

/// [8.3-01] [8.4-04] What an object refers to is in the report, ids are keys, and JSON brings it all back.
#[test]
fn references_lead_somewhere() {
    let (mut pair, _) = Pair::connected(6, link(), &DataChannelInit::default());
    pair.run(Duration::from_secs(5));
    for side in 0..2 {
        let report = report(&pair, side);
        let types: BTreeSet<_> = report.iter().map(StatsObject::kind).collect();
        let expected = [
            StatsType::PeerConnection,
            StatsType::DataChannel,
            StatsType::Transport,
            StatsType::CandidatePair,
            StatsType::LocalCandidate,
            StatsType::RemoteCandidate,
            StatsType::Certificate,
        ];
        assert_eq!(types, expected.into());
        for object in &report {
            for id in object.references() {
                assert!(report.get(id).is_some(), "{object:?}");
            }
            let timestamp = object.stats().timestamp;
            assert_eq!(timestamp, connection(&report).stats.timestamp, "one moment");
        }
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<StatsReport>(&json).unwrap(), report);
        let pair = report.candidate_pairs().next().unwrap();
        let [local, remote] = [&pair.local_candidate_id, &pair.remote_candidate_id];
        let [local, remote] = [local, remote].map(|id| candidate(&report, id));
        let addresses = ["10.0.0.1", "10.0.0.2"].map(|it| Some(it.to_owned()));
        let ends = [local.address.clone(), remote.address.clone()];
        assert!(ends[0] == addresses[side] && ends[1] == addresses[1 - side]);
        for it in [local, remote] {
            assert_eq!(it.candidate_type, IceCandidateType::Host);
            assert_eq!((it.port, it.protocol.as_deref()), (Some(4001), Some("udp")));
            assert!(it.priority.unwrap() > 0 && it.username_fragment.is_some());
            assert!(it.url.is_none() && it.related_address.is_none());
        }
    }
}

/// What a candidate of the peer is mapped from is shown, as signalling has.
#[test]
fn what_a_remote_candidate_is_mapped_from_is_shown() {
    let mut pair = Pair::new(6, link());
    pair.ends[1].trickle = false;
    pair.open(0, "a", &DataChannelInit::default());
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    let answer = pair.answer(1, offer).unwrap();
    let told = IceCandidateInit {
        candidate:
            "candidate:7 1 udp 1677721855 198.51.100.9 5000 typ srflx raddr 10.9.9.9 rport 4444"
                .to_owned(),
        sdp_mid: Some("0".to_owned()),
        ..IceCandidateInit::default()
    };
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_remote_description(now, answer).unwrap();
    engine.add_ice_candidate(now, &told).unwrap();
    pair.step();
    let report = report(&pair, 0);
    let mapped = report.iter().find_map(|it| match it {
        StatsObject::RemoteCandidate(it) if it.port == Some(5000) => Some(it),
        _ => None,
    });
    let mapped = mapped.expect("a candidate that was told");
    assert_eq!(mapped.candidate_type, IceCandidateType::Srflx);
    assert_eq!(mapped.address.as_deref(), Some("198.51.100.9"));
    assert_eq!(mapped.foundation.as_deref(), Some("7"));
    assert_eq!(mapped.related_address.as_deref(), Some("10.9.9.9"));
    assert_eq!(mapped.related_port, Some(4444));
}

/// [8.7-01] Which end of a TCP candidate connects is shown of both sides' candidates, and of no others.
#[test]
fn which_end_of_a_tcp_candidate_connects_is_shown() {
    let configurations = [(); 2].map(|()| Configuration::default());
    let settings = Settings::default().ice_tcp(true);
    let mut pair = Pair::with(14, link(), configurations, settings);
    pair.connect(&DataChannelInit::default());
    let told = IceCandidateInit {
        candidate: "candidate:9 1 tcp 1518214911 198.51.100.9 4000 typ host tcptype passive".into(),
        sdp_mid: Some("0".to_owned()),
        ..IceCandidateInit::default()
    };
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.add_ice_candidate(now, &told).unwrap();
    let report = report(&pair, 0);
    let active = (Some("tcp"), Some(IceTcpCandidateType::Active));
    let passive = (Some("tcp"), Some(IceTcpCandidateType::Passive));
    for (kind, tcp) in [
        (StatsType::LocalCandidate, active),
        (StatsType::RemoteCandidate, passive),
    ] {
        let shown = report.of_type(kind).map(|it| candidate(&report, it.id()));
        let mut shown: Vec<_> = shown
            .map(|it| (it.protocol.as_deref(), it.tcp_type))
            .collect();
        shown.sort_by_key(|it| format!("{it:?}"));
        assert_eq!(shown, [tcp, (Some("udp"), None)], "{kind:?}");
    }
}

/// [8.4-03] Ids stay, and those of the candidates before a restart are not used again.
#[test]
fn ids_are_stable_and_never_used_again() {
    let (mut pair, _) = Pair::connected(7, link(), &DataChannelInit::default());
    pair.run(Duration::from_secs(5));
    let ids = |report: &StatsReport, of: &[StatsType]| -> BTreeSet<String> {
        let chosen = report.iter().filter(|it| of.contains(&it.kind()));
        chosen.map(|it| it.id().to_owned()).collect()
    };
    let all = |report: &StatsReport| -> BTreeSet<String> {
        report.iter().map(|it| it.id().to_owned()).collect()
    };
    let ice = [
        StatsType::CandidatePair,
        StatsType::LocalCandidate,
        StatsType::RemoteCandidate,
    ];
    let first = report(&pair, 0);
    pair.run(Duration::from_secs(1));
    assert_eq!(all(&first), all(&report(&pair, 0)));
    let other = report(&pair, 1);
    let shared: Vec<_> = all(&first).intersection(&all(&other)).cloned().collect();
    assert!(shared.is_empty(), "each connection has its own: {shared:?}");
    pair.ends[0].engine.restart_ice();
    pair.negotiate(0).unwrap();
    pair.run(Duration::from_secs(5));
    let second = report(&pair, 0);
    assert!(ids(&first, &ice).is_disjoint(&ids(&second, &ice)));
    let rest = |report| -> BTreeSet<_> {
        all(report)
            .difference(&ids(report, &ice))
            .cloned()
            .collect()
    };
    assert_eq!(rest(&first), rest(&second));
    // The pair of the new generation counts from 0, the transport goes on.
    let it = transport(&second);
    let selected = second.selected_pair(it).unwrap();
    assert!(selected.bytes_sent < it.bytes_sent);
    assert_ne!(
        transport(&first).ice_local_username_fragment,
        it.ice_local_username_fragment
    );
}

/// [8-01] What was there when the connection closed remains, with its states closed.
#[test]
fn statistics_remain_after_close() {
    let (mut pair, [here, _]) = Pair::connected(8, link(), &DataChannelInit::default());
    pair.send(0, here, "before");
    pair.run(Duration::from_secs(3));
    let before = report(&pair, 0);
    let now = pair.now;
    pair.ends[0].engine.close(now);
    pair.run(Duration::from_secs(60));
    let after = report(&pair, 0);
    let ids = |it: &StatsReport| it.iter().map(|it| it.id().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after));
    let (old, new) = (transport(&before), transport(&after));
    assert_eq!(new.dtls_state, DtlsTransportState::Closed);
    assert_eq!(new.ice_state, Some(IceTransportState::Closed));
    let mut expected = old.clone();
    (expected.dtls_state, expected.ice_state) = (new.dtls_state, new.ice_state);
    // With the moment of the close, and whatever was sent on it.
    assert_eq!(*new, expected);
    let kinds = [
        StatsType::Certificate,
        StatsType::LocalCandidate,
        StatsType::RemoteCandidate,
        StatsType::CandidatePair,
    ];
    for kind in kinds {
        assert!(before.of_type(kind).count() > 0, "{kind:?}");
        assert!(before.of_type(kind).eq(after.of_type(kind)), "{kind:?}");
    }
    let channel = after.data_channels().next().unwrap();
    assert_eq!(channel.state, DataChannelState::Closed);
    assert_eq!(channel.messages_sent, Some(1));
    assert_eq!(connection(&after).data_channels_closed, Some(1));
}

/// [4.8.1-06] [5.6.2-01] [11.3-07] An address that only a check has shown is not told.
#[test]
fn an_address_that_signalling_did_not_show_is_hidden() {
    let mut pair = Pair::new(9, link());
    pair.ends[1].trickle = false;
    let channel = pair.open(0, "a", &DataChannelInit::default());
    let offer = pair.offer(0, &OfferOptions::default()).unwrap();
    pair.step();
    let offer = pair.ends[0].engine.local_description().unwrap_or(offer);
    // The answer has no candidates: 0 learns the peer's address from its checks.
    let answer = pair.answer(1, offer).unwrap();
    assert!(!answer.sdp.contains("a=candidate"));
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_remote_description(now, answer).unwrap();
    let open = oxirtc_peerconnection::DataChannelState::Open;
    pair.until(Duration::from_secs(10), |pair| {
        pair.ends[0].state(channel) == open
    });
    let report = report(&pair, 0);
    let selected = report.selected_pair(transport(&report)).unwrap();
    let remote = candidate(&report, &selected.remote_candidate_id);
    assert_eq!(remote.candidate_type, IceCandidateType::Prflx);
    assert_eq!(remote.address, None);
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("10.0.0.2"), "{text}");
    assert!(text.contains("10.0.0.1"));
    assert!(text.contains("\"address\":null"));
    let shown = pair.ends[0].engine.transports().next().unwrap();
    let selected = shown.selected_candidate_pair().unwrap();
    assert_eq!(selected.local.address().as_deref(), Some("10.0.0.1"));
    let remote = &selected.remote;
    assert_eq!((remote.address(), remote.port()), (None, None));
    assert_eq!((remote.candidate(), remote.related_address()), ("", None));
    let prflx = oxirtc_peerconnection::IceCandidateType::Prflx;
    assert_eq!(remote.kind(), Some(prflx));
    assert_eq!(
        remote.protocol(),
        Some(oxirtc_peerconnection::Protocol::Udp)
    );
    assert!(remote.priority().is_some() && remote.foundation().is_some());
}

/// [11.3-07] With relays only, no address of this machine is told.
/// Known failure 45.
#[test]
fn relays_only_show_no_address_of_this_machine() {
    let hidden = Configuration {
        ice_transport_policy: IceTransportPolicy::Relay,
        ..Configuration::default()
    };
    let configurations = [hidden, Configuration::default()];
    let mut pair = Pair::with(10, link(), configurations, Settings::default());
    pair.open(0, "a", &DataChannelInit::default());
    pair.negotiate(0).unwrap();
    pair.run(Duration::from_secs(5));
    let text = serde_json::to_string(&report(&pair, 0)).unwrap();
    assert!(!text.contains("10.0.0.1"), "{text}");
}

/// [8.6-01] A selection has what it is about and what that refers to.
#[test]
fn a_report_about_one_thing_has_what_belongs_to_it() {
    let (mut pair, [here, _]) = Pair::connected(11, link(), &DataChannelInit::default());
    pair.open(0, "another", &DataChannelInit::default());
    pair.run(Duration::from_secs(1));
    let engine = &pair.ends[0].engine;
    let id = engine.transports().next().unwrap().id();
    let whole = engine.stats(pair.now);
    let of = |subject| engine.stats_of(pair.now, subject).unwrap();
    let transport_only = of(StatsSubject::Transport(id));
    let kinds: Vec<_> = transport_only.iter().map(StatsObject::kind).collect();
    assert!(
        !kinds.contains(&StatsType::DataChannel) && !kinds.contains(&StatsType::PeerConnection)
    );
    assert_eq!(
        kinds
            .iter()
            .filter(|it| **it == StatsType::Certificate)
            .count(),
        2
    );
    assert_eq!(
        kinds
            .iter()
            .filter(|it| **it == StatsType::CandidatePair)
            .count(),
        1
    );
    let channel = of(StatsSubject::Channel(here));
    assert_eq!(channel.data_channels().count(), 1);
    assert_eq!(channel.len(), transport_only.len() + 1);
    for object in &channel {
        assert_eq!(whole.get(object.id()), Some(object));
    }
}
