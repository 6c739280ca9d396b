//! The dictionaries against W3C's, and the JSON against the browser's.

use serde_json::{Value, json};

use super::*;

fn stats(kind: StatsType, key: &str) -> Stats {
    Ids::new([3; 32]).stats(kind, key.as_bytes(), 1.5)
}

/// `packets_sent` in W3C's spelling.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let (head, rest) = word.split_at(1);
        text + &head.to_ascii_uppercase() + rest
    })
}

/// [8.7-01] [8.7-04] [8.4-01] Every dictionary has W3C's members and no other.
#[test]
fn the_members_are_w3cs() {
    let ours: &[(&str, &[&str])] = &[
        ("RTCStats", &["timestamp", "id"]),
        ("RTCRtpStreamStats", RtpStreamStats::MEMBERS),
        ("RTCCodecStats", CodecStats::MEMBERS),
        ("RTCReceivedRtpStreamStats", ReceivedRtpStreamStats::MEMBERS),
        ("RTCInboundRtpStreamStats", InboundRtpStreamStats::MEMBERS),
        (
            "RTCRemoteInboundRtpStreamStats",
            RemoteInboundRtpStreamStats::MEMBERS,
        ),
        ("RTCSentRtpStreamStats", SentRtpStreamStats::MEMBERS),
        ("RTCOutboundRtpStreamStats", OutboundRtpStreamStats::MEMBERS),
        (
            "RTCRemoteOutboundRtpStreamStats",
            RemoteOutboundRtpStreamStats::MEMBERS,
        ),
        ("RTCMediaSourceStats", MediaSourceStats::MEMBERS),
        ("RTCAudioSourceStats", AudioSourceStats::MEMBERS),
        ("RTCVideoSourceStats", VideoSourceStats::MEMBERS),
        ("RTCAudioPlayoutStats", AudioPlayoutStats::MEMBERS),
        ("RTCPeerConnectionStats", PeerConnectionStats::MEMBERS),
        ("RTCDataChannelStats", DataChannelStats::MEMBERS),
        ("RTCTransportStats", TransportStats::MEMBERS),
        ("RTCIceCandidateStats", IceCandidateStats::MEMBERS),
        ("RTCIceCandidatePairStats", IceCandidatePairStats::MEMBERS),
        ("RTCCertificateStats", CertificateStats::MEMBERS),
    ];
    assert_eq!(ours.len(), DICTIONARIES.len());
    let mut count = 0;
    for ((name, members), (expected_name, _, expected)) in ours.iter().zip(DICTIONARIES) {
        assert_eq!(name, expected_name);
        let mut members: Vec<_> = members.iter().map(|it| camel(it)).collect();
        // What tells the variants of an enum apart is no field of theirs.
        match *name {
            "RTCStats" => members.push("type".into()),
            "RTCMediaSourceStats" => members.push("kind".into()),
            _ => {}
        }
        let mut expected: Vec<_> = expected.split(' ').collect();
        count += expected.len();
        members.sort_unstable();
        expected.sort_unstable();
        assert_eq!(members, expected, "{name}");
    }
    assert_eq!(count, 208);
}

/// What stands for a member that any type takes: tried one after the other.
fn samples(member: &str) -> Vec<Value> {
    vec![
        json!(0.25),
        json!(7),
        json!(true),
        json!("text"),
        json!("new"),
        json!("open"),
        json!("host"),
        json!("udp"),
        json!("active"),
        json!("client"),
        json!("controlled"),
        json!("waiting"),
        json!("cpu"),
        match member {
            "qualityLimitationDurations" => json!({"cpu": 1.5}),
            _ => json!({"y": 1.5}),
        },
    ]
}

/// All members of a dictionary and of what it inherits.
fn members_of(name: &str) -> Vec<&'static str> {
    let (_, parent, members) = DICTIONARIES.iter().find(|it| it.0 == name).unwrap();
    let inherited = match *parent {
        "" => Vec::new(),
        parent => members_of(parent),
    };
    inherited.into_iter().chain(members.split(' ')).collect()
}

/// [8.7-01] Each member is read and written under W3C's name, in a flat object.
#[test]
fn every_member_survives_json() {
    for (kind, media, name) in TYPES {
        let mut object = json!({"type": kind});
        if let Some(media) = media {
            object["kind"] = json!(media);
        }
        // Required members first, whatever their types are: those that are missing are named by the error.
        for _ in 0..20 {
            let Err(error) = serde_json::from_value::<StatsObject>(object.clone()) else {
                break;
            };
            let error = error.to_string();
            let member = error.split('`').nth(1).unwrap().to_owned();
            assert!(error.contains("missing field"), "{name}: {error}");
            let works = samples(&member).into_iter().find(|it| {
                let mut tried = object.clone();
                tried[&member] = it.clone();
                match serde_json::from_value::<StatsObject>(tried) {
                    Ok(_) => true,
                    Err(error) => {
                        let error = error.to_string();
                        error.contains("missing field") && !error.contains(&format!("`{member}`"))
                    }
                }
            });
            object[&member] = works.unwrap_or_else(|| panic!("{name}: {member}"));
        }
        for member in members_of(name) {
            if object.get(member).is_some() {
                continue;
            }
            let works = samples(member).into_iter().find(|it| {
                let mut tried = object.clone();
                tried[member] = it.clone();
                let read = serde_json::from_value::<StatsObject>(tried);
                read.is_ok_and(|read| serde_json::to_value(read).unwrap()[member] == *it)
            });
            object[member] = works.unwrap_or_else(|| panic!("{name}: {member}"));
        }
        let read: StatsObject = serde_json::from_value(object.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), object, "{name}");
        assert_eq!(serde_json::to_value(read.kind()).unwrap(), *kind);
    }
}

/// [8.7-01] Each value of each enumeration is W3C's word, written and read.
#[test]
fn the_words_are_w3cs() {
    words(
        "DtlsRole",
        &[DtlsRole::Client, DtlsRole::Server, DtlsRole::Unknown],
        "client server unknown",
    );
    words(
        "IceRole",
        &[IceRole::Unknown, IceRole::Controlling, IceRole::Controlled],
        "unknown controlling controlled",
    );
    let reasons = {
        use QualityLimitationReason::{Bandwidth, Cpu, None, Other};
        [None, Cpu, Bandwidth, Other]
    };
    words(
        "QualityLimitationReason",
        &reasons,
        "none cpu bandwidth other",
    );
    let pairs = {
        use CandidatePairState::{Failed, Frozen, InProgress, Succeeded, Waiting};
        [Frozen, Waiting, InProgress, Failed, Succeeded]
    };
    words(
        "CandidatePairState",
        &pairs,
        "frozen waiting in-progress failed succeeded",
    );
    let dtls = {
        use DtlsTransportState::{Closed, Connected, Connecting, Failed, New};
        [New, Connecting, Connected, Closed, Failed]
    };
    words(
        "DtlsTransportState",
        &dtls,
        "new connecting connected closed failed",
    );
    let ice = {
        use IceTransportState::{
            Checking, Closed, Completed, Connected, Disconnected, Failed, New,
        };
        [
            New,
            Checking,
            Connected,
            Completed,
            Disconnected,
            Failed,
            Closed,
        ]
    };
    words(
        "IceTransportState",
        &ice,
        "new checking connected completed disconnected failed closed",
    );
    let channels = {
        use DataChannelState::{Closed, Closing, Connecting, Open};
        [Connecting, Open, Closing, Closed]
    };
    words(
        "DataChannelState",
        &channels,
        "connecting open closing closed",
    );
    let candidates = {
        use IceCandidateType::{Host, Prflx, Relay, Srflx};
        [Host, Srflx, Prflx, Relay]
    };
    words("IceCandidateType", &candidates, "host srflx prflx relay");
    let relays = {
        use IceServerTransportProtocol::{Tcp, Tls, Udp};
        [Udp, Tcp, Tls]
    };
    words("IceServerTransportProtocol", &relays, "udp tcp tls");
    let tcp = {
        use IceTcpCandidateType::{Active, Passive, So};
        [Active, Passive, So]
    };
    words("IceTcpCandidateType", &tcp, "active passive so");
}

fn words<T>(name: &str, values: &[T], words: &str)
where
    T: Copy + std::fmt::Debug + PartialEq + serde::Serialize + serde::de::DeserializeOwned,
{
    let expected: Vec<_> = words.split(' ').map(|it| json!(it)).collect();
    let written: Vec<_> = values
        .iter()
        .map(|it| serde_json::to_value(it).unwrap())
        .collect();
    assert_eq!(written, expected, "{name}");
    let read: Vec<T> = expected
        .into_iter()
        .map(|it| serde_json::from_value(it).unwrap())
        .collect();
    assert_eq!(read, values, "{name}");
}

/// [8.7-03] What was not said is absent; what is 0 is there.
#[test]
fn absence_and_zero_are_two_things() {
    let mut pair = IceCandidatePairStats::new(
        stats(StatsType::CandidatePair, "a"),
        "T".into(),
        "L".into(),
        "R".into(),
        CandidatePairState::InProgress,
    );
    pair.total_round_trip_time = Some(0.0);
    let json = serde_json::to_value(StatsObject::from(pair)).unwrap();
    assert_eq!(json["state"], "in-progress");
    assert_eq!(json["totalRoundTripTime"], 0.0);
    assert!(json.get("currentRoundTripTime").is_none());
    assert_eq!(json.as_object().unwrap().len(), 8, "{json}");
}

/// The address of a candidate may be hidden, which is null and not absent.
#[test]
fn a_hidden_address_is_null() {
    let base = stats(StatsType::RemoteCandidate, "a");
    let candidate = IceCandidateStats::new(base, "T".into(), IceCandidateType::Prflx, None);
    let json = serde_json::to_value(StatsObject::RemoteCandidate(candidate)).unwrap();
    assert_eq!(json.get("address"), Some(&Value::Null));
    assert_eq!(json["candidateType"], "prflx");
}

/// [8.3-01] A map from ids to objects, in the order in which they came.
#[test]
fn a_report_is_a_map_of_flat_objects() {
    let channel = |key: &str, sent| {
        let base = stats(StatsType::DataChannel, key);
        let mut channel = DataChannelStats::new(base, DataChannelState::Open);
        channel.messages_sent = Some(sent);
        channel
    };
    let mut report: StatsReport = [channel("b", 1), channel("a", 2)].into_iter().collect();
    report.insert(channel("b", 3));
    assert_eq!(report.len(), 2);
    let sent: Vec<_> = report.data_channels().map(|it| it.messages_sent).collect();
    assert_eq!(sent, [Some(3), Some(2)]);
    let text = serde_json::to_string(&report).unwrap();
    let id = &channel("b", 0).stats.id;
    let start =
        format!("{{\"{id}\":{{\"type\":\"data-channel\",\"id\":\"{id}\",\"timestamp\":1.5,");
    assert!(text.starts_with(&start), "{text}");
    assert!(report.get(id).is_some() && report.get("b").is_none());
    assert_eq!(serde_json::from_str::<StatsReport>(&text).unwrap(), report);
}

/// What browsers write is read, with members and types that W3C does not have.
#[test]
fn a_report_of_a_browser_is_read() {
    let text = r#"{
        "T01": {"id": "T01", "timestamp": 1700000000000.125, "type": "transport", "bytesSent": 9,
                "dtlsState": "connected", "selectedCandidatePairId": "CP1", "tlsVersion": "FEFD", "iceRole": "controlling"},
        "CP1": {"id": "CP1", "timestamp": 1, "type": "candidate-pair", "transportId": "T01", "localCandidateId": "L",
                "remoteCandidateId": "R", "state": "succeeded", "priority": 9114756780654345214, "writable": true},
        "S": {"id": "S", "timestamp": 1, "type": "media-source", "kind": "video", "trackIdentifier": "t", "width": 640},
        "G": {"id": "G", "timestamp": 1, "type": "googTrack", "anything": [1]}
    }"#;
    let report: StatsReport = serde_json::from_str(text).unwrap();
    assert_eq!(report.len(), 3);
    let transport = report.transports().next().unwrap();
    assert_eq!(transport.ice_role, Some(IceRole::Controlling));
    let pair = report.selected_pair(transport).unwrap();
    assert_eq!(pair.state, CandidatePairState::Succeeded);
    assert!(matches!(
        report.get("S"),
        Some(StatsObject::MediaSource(MediaSource::Video(it))) if it.width == Some(640)
    ));
}

/// [8.6-01] [8.6-02] A selection has its roots, and all that they refer to.
#[test]
fn a_selection_follows_the_references() {
    let report: StatsReport = serde_json::from_value(json!({
        "O1": {"type": "outbound-rtp", "id": "O1", "timestamp": 1, "ssrc": 1, "kind": "audio", "transportId": "T",
               "codecId": "C", "remoteId": "RI", "mediaSourceId": "M"},
        "O2": {"type": "outbound-rtp", "id": "O2", "timestamp": 1, "ssrc": 2, "kind": "audio", "transportId": "T"},
        "RI": {"type": "remote-inbound-rtp", "id": "RI", "timestamp": 1, "ssrc": 1, "kind": "audio", "localId": "O1"},
        "M": {"type": "media-source", "id": "M", "timestamp": 1, "kind": "audio", "trackIdentifier": "t"},
        "C": {"type": "codec", "id": "C", "timestamp": 1, "payloadType": 111, "transportId": "T", "mimeType": "audio/opus"},
        "T": {"type": "transport", "id": "T", "timestamp": 1, "dtlsState": "connected", "selectedCandidatePairId": "P",
              "localCertificateId": "LC"},
        "P": {"type": "candidate-pair", "id": "P", "timestamp": 1, "transportId": "T", "localCandidateId": "L",
              "remoteCandidateId": "R", "state": "succeeded"},
        "Q": {"type": "candidate-pair", "id": "Q", "timestamp": 1, "transportId": "T", "localCandidateId": "L",
              "remoteCandidateId": "R2", "state": "waiting"},
        "L": {"type": "local-candidate", "id": "L", "timestamp": 1, "transportId": "T", "candidateType": "host", "address": "10.0.0.1"},
        "R": {"type": "remote-candidate", "id": "R", "timestamp": 1, "transportId": "T", "candidateType": "host", "address": null},
        "R2": {"type": "remote-candidate", "id": "R2", "timestamp": 1, "transportId": "T", "candidateType": "host", "address": null},
        "LC": {"type": "certificate", "id": "LC", "timestamp": 1, "fingerprint": "AA", "fingerprintAlgorithm": "sha-256",
               "base64Certificate": "", "issuerCertificateId": "CA"},
        "CA": {"type": "certificate", "id": "CA", "timestamp": 1, "fingerprint": "AB", "fingerprintAlgorithm": "sha-256",
               "base64Certificate": ""},
        "PC": {"type": "peer-connection", "id": "PC", "timestamp": 1},
        "D": {"type": "data-channel", "id": "D", "timestamp": 1, "state": "open"}
    }))
    .unwrap();
    assert_eq!(report.len(), 15);
    let selected = report.select(|it| it.id() == "O1");
    let mut ids: Vec<_> = selected.iter().map(StatsObject::id).collect();
    ids.sort_unstable();
    assert_eq!(
        ids,
        ["C", "CA", "L", "LC", "M", "O1", "P", "R", "RI", "T"],
        "neither the other stream, nor pairs that are not in use, nor what is no media"
    );
    assert!(report.select(|_| false).is_empty());
    assert_eq!(report.of_type(StatsType::OutboundRtp).count(), 2);
    assert_eq!(report.outbound_rtp().count(), 2);
    assert_eq!(report.inbound_rtp().count(), 0);
}

/// What an application tells stands in its dictionary, each value under its own name, and in the place of what was counted.
#[test]
fn what_an_encoder_tells_stands_under_its_name() {
    let encoder = EncoderStats {
        frames_encoded: Some(1),
        key_frames_encoded: Some(2),
        qp_sum: Some(3),
        total_encode_time: Some(4.5),
        total_encoded_bytes_target: Some(5),
        target_bitrate: Some(6.5),
        frame_width: Some(7),
        frame_height: Some(8),
        frames_per_second: Some(9.5),
        psnr_sum: Some([("y".to_owned(), 10.5)].into()),
        psnr_measurements: Some(11),
        quality_limitation_reason: Some(QualityLimitationReason::Bandwidth),
        quality_limitation_durations: Some([(QualityLimitationReason::Other, 12.5)].into()),
        quality_limitation_resolution_changes: Some(13),
        encoder_implementation: Some("encoder".into()),
        power_efficient_encoder: Some(true),
        scalability_mode: Some("L1T3".into()),
    };
    let base = || stats(StatsType::OutboundRtp, "a");
    let stream = || RtpStreamStats::new(base(), 1, "video".into());
    let mut outbound = OutboundRtpStreamStats::new(SentRtpStreamStats::new(stream()));
    (outbound.frames_encoded, outbound.frames_sent) = (Some(99), Some(98));
    encoder.apply(&mut outbound);
    let told = json!({
        "framesEncoded": 1, "keyFramesEncoded": 2, "qpSum": 3, "totalEncodeTime": 4.5, "totalEncodedBytesTarget": 5,
        "targetBitrate": 6.5, "frameWidth": 7, "frameHeight": 8, "framesPerSecond": 9.5, "psnrSum": {"y": 10.5},
        "psnrMeasurements": 11, "qualityLimitationReason": "bandwidth", "qualityLimitationDurations": {"other": 12.5},
        "qualityLimitationResolutionChanges": 13, "encoderImplementation": "encoder", "powerEfficientEncoder": true,
        "scalabilityMode": "L1T3", "framesSent": 98,
    });
    assert_eq!(beside(&outbound, &stream()), told);
    // Of sound there is nothing but the bit rate.
    let stream = || RtpStreamStats::new(base(), 1, "audio".into());
    let mut outbound = OutboundRtpStreamStats::new(SentRtpStreamStats::new(stream()));
    encoder.apply(&mut outbound);
    let told = json!({"targetBitrate": 6.5});
    assert_eq!(beside(&outbound, &stream()), told);
}

/// As for encoders.
#[test]
fn what_a_decoder_tells_stands_under_its_name() {
    let decoder = DecoderStats {
        frames_decoded: Some(1),
        key_frames_decoded: Some(2),
        frames_rendered: Some(3),
        frames_dropped: Some(4),
        frame_width: Some(5),
        frame_height: Some(6),
        frames_per_second: Some(7.5),
        qp_sum: Some(8),
        total_decode_time: Some(9.5),
        total_processing_delay: Some(10.5),
        total_inter_frame_delay: Some(11.5),
        total_squared_inter_frame_delay: Some(12.5),
        pause_count: Some(13),
        total_pauses_duration: Some(14.5),
        freeze_count: Some(15),
        total_freezes_duration: Some(16.5),
        total_samples_received: Some(17),
        total_samples_duration: Some(18.5),
        concealed_samples: Some(19),
        silent_concealed_samples: Some(20),
        concealment_events: Some(21),
        inserted_samples_for_deceleration: Some(22),
        removed_samples_for_acceleration: Some(23),
        audio_level: Some(0.25),
        total_audio_energy: Some(24.5),
        decoder_implementation: Some("decoder".into()),
        power_efficient_decoder: Some(false),
        total_corruption_probability: Some(25.5),
        total_squared_corruption_probability: Some(26.5),
        corruption_measurements: Some(27),
    };
    let told = |kind: &str| {
        let stream = || RtpStreamStats::new(stats(StatsType::InboundRtp, "a"), 1, kind.into());
        let received = ReceivedRtpStreamStats::new(stream());
        let mut inbound = InboundRtpStreamStats::new(received, "track".into());
        decoder.apply(&mut inbound);
        beside(&inbound, &stream())
    };
    let of_video = json!({
        "trackIdentifier": "track", "framesDecoded": 1, "keyFramesDecoded": 2, "framesRendered": 3, "framesDropped": 4,
        "frameWidth": 5, "frameHeight": 6, "framesPerSecond": 7.5, "qpSum": 8, "totalDecodeTime": 9.5,
        "totalProcessingDelay": 10.5, "totalInterFrameDelay": 11.5, "totalSquaredInterFrameDelay": 12.5, "pauseCount": 13,
        "totalPausesDuration": 14.5, "freezeCount": 15, "totalFreezesDuration": 16.5, "decoderImplementation": "decoder",
        "powerEfficientDecoder": false, "totalCorruptionProbability": 25.5, "totalSquaredCorruptionProbability": 26.5,
        "corruptionMeasurements": 27,
    });
    assert_eq!(told("video"), of_video);
    let of_audio = json!({
        "trackIdentifier": "track", "totalProcessingDelay": 10.5, "totalSamplesReceived": 17, "totalSamplesDuration": 18.5,
        "concealedSamples": 19, "silentConcealedSamples": 20, "concealmentEvents": 21, "insertedSamplesForDeceleration": 22,
        "removedSamplesForAcceleration": 23, "audioLevel": 0.25, "totalAudioEnergy": 24.5,
    });
    assert_eq!(told("audio"), of_audio);
}

/// As for encoders.
#[test]
fn what_a_device_tells_stands_under_its_name() {
    let base = || stats(StatsType::MediaSource, "a");
    let source = || MediaSourceStats::new(base(), "track".into());
    let mut audio = AudioSourceStats::new(source());
    let microphone = MicrophoneStats {
        audio_level: Some(0.5),
        total_audio_energy: Some(1.5),
        total_samples_duration: Some(2.5),
        echo_return_loss: Some(3.5),
        echo_return_loss_enhancement: Some(4.5),
    };
    microphone.apply(&mut audio);
    let told = json!({
        "audioLevel": 0.5, "totalAudioEnergy": 1.5, "totalSamplesDuration": 2.5, "echoReturnLoss": 3.5,
        "echoReturnLossEnhancement": 4.5,
    });
    assert_eq!(beside(&audio, &source()), told);
    let mut video = VideoSourceStats::new(source());
    let camera = CameraStats {
        width: Some(1),
        height: Some(2),
        frames: Some(3),
        frames_per_second: Some(4.5),
    };
    camera.apply(&mut video);
    let told = json!({"width": 1, "height": 2, "frames": 3, "framesPerSecond": 4.5});
    assert_eq!(beside(&video, &source()), told);
    let playout = || AudioPlayoutStats::new(base(), "audio".into());
    let mut played = playout();
    let told = PlayoutStats {
        synthesized_samples_duration: Some(1.5),
        synthesized_samples_events: Some(2),
        total_samples_duration: Some(3.5),
        total_playout_delay: Some(4.5),
        total_samples_count: Some(5),
    };
    told.apply(&mut played);
    let told = json!({
        "synthesizedSamplesDuration": 1.5, "synthesizedSamplesEvents": 2, "totalSamplesDuration": 3.5,
        "totalPlayoutDelay": 4.5, "totalSamplesCount": 5,
    });
    assert_eq!(beside(&played, &playout()), told);
}

/// What a dictionary has in JSON that another has not.
fn beside(of: &impl serde::Serialize, other: &impl serde::Serialize) -> Value {
    let [mut all, other] =
        [serde_json::to_value(of), serde_json::to_value(other)].map(Result::unwrap);
    let other = other.as_object().unwrap();
    all.as_object_mut()
        .unwrap()
        .retain(|name, _| !other.contains_key(name));
    all
}

/// The types, the kind where the type has two shapes, and their dictionaries.
const TYPES: &[(&str, Option<&str>, &str)] = &[
    ("codec", None, "RTCCodecStats"),
    ("inbound-rtp", None, "RTCInboundRtpStreamStats"),
    ("outbound-rtp", None, "RTCOutboundRtpStreamStats"),
    ("remote-inbound-rtp", None, "RTCRemoteInboundRtpStreamStats"),
    (
        "remote-outbound-rtp",
        None,
        "RTCRemoteOutboundRtpStreamStats",
    ),
    ("media-source", Some("audio"), "RTCAudioSourceStats"),
    ("media-source", Some("video"), "RTCVideoSourceStats"),
    ("media-playout", None, "RTCAudioPlayoutStats"),
    ("peer-connection", None, "RTCPeerConnectionStats"),
    ("data-channel", None, "RTCDataChannelStats"),
    ("transport", None, "RTCTransportStats"),
    ("local-candidate", None, "RTCIceCandidateStats"),
    ("remote-candidate", None, "RTCIceCandidateStats"),
    ("candidate-pair", None, "RTCIceCandidatePairStats"),
    ("certificate", None, "RTCCertificateStats"),
];

/// Name, what it inherits from, own members.
const DICTIONARIES: &[(&str, &str, &str)] = &[
    ("RTCStats", "", "timestamp type id"),
    (
        "RTCRtpStreamStats",
        "RTCStats",
        "ssrc kind transportId codecId",
    ),
    (
        "RTCCodecStats",
        "RTCStats",
        "payloadType transportId mimeType clockRate channels sdpFmtpLine",
    ),
    (
        "RTCReceivedRtpStreamStats",
        "RTCRtpStreamStats",
        "packetsReceived packetsReceivedWithEct1 packetsReceivedWithCe packetsReportedAsLost packetsReportedAsLostButRecovered packetsLost jitter",
    ),
    (
        "RTCInboundRtpStreamStats",
        "RTCReceivedRtpStreamStats",
        "trackIdentifier mid remoteId framesDecoded keyFramesDecoded framesRendered framesDropped frameWidth frameHeight framesPerSecond qpSum totalDecodeTime totalInterFrameDelay totalSquaredInterFrameDelay pauseCount totalPausesDuration freezeCount totalFreezesDuration lastPacketReceivedTimestamp headerBytesReceived packetsDiscarded fecBytesReceived fecPacketsReceived fecPacketsDiscarded bytesReceived nackCount firCount pliCount totalProcessingDelay estimatedPlayoutTimestamp jitterBufferDelay jitterBufferTargetDelay jitterBufferEmittedCount jitterBufferMinimumDelay totalSamplesReceived concealedSamples silentConcealedSamples concealmentEvents insertedSamplesForDeceleration removedSamplesForAcceleration audioLevel totalAudioEnergy totalSamplesDuration framesReceived decoderImplementation playoutId powerEfficientDecoder framesAssembledFromMultiplePackets totalAssemblyTime retransmittedPacketsReceived retransmittedBytesReceived rtxSsrc fecSsrc totalCorruptionProbability totalSquaredCorruptionProbability corruptionMeasurements",
    ),
    (
        "RTCRemoteInboundRtpStreamStats",
        "RTCReceivedRtpStreamStats",
        "localId roundTripTime totalRoundTripTime fractionLost roundTripTimeMeasurements packetsWithBleachedEct1Marking",
    ),
    (
        "RTCSentRtpStreamStats",
        "RTCRtpStreamStats",
        "packetsSent bytesSent",
    ),
    (
        "RTCOutboundRtpStreamStats",
        "RTCSentRtpStreamStats",
        "mid mediaSourceId remoteId rid encodingIndex headerBytesSent retransmittedPacketsSent retransmittedBytesSent rtxSsrc targetBitrate totalEncodedBytesTarget frameWidth frameHeight framesPerSecond framesSent hugeFramesSent framesEncoded keyFramesEncoded qpSum psnrSum psnrMeasurements totalEncodeTime totalPacketSendDelay qualityLimitationReason qualityLimitationDurations qualityLimitationResolutionChanges nackCount firCount pliCount encoderImplementation powerEfficientEncoder active scalabilityMode packetsSentWithEct1",
    ),
    (
        "RTCRemoteOutboundRtpStreamStats",
        "RTCSentRtpStreamStats",
        "localId remoteTimestamp reportsSent roundTripTime totalRoundTripTime roundTripTimeMeasurements",
    ),
    ("RTCMediaSourceStats", "RTCStats", "trackIdentifier kind"),
    (
        "RTCAudioSourceStats",
        "RTCMediaSourceStats",
        "audioLevel totalAudioEnergy totalSamplesDuration echoReturnLoss echoReturnLossEnhancement",
    ),
    (
        "RTCVideoSourceStats",
        "RTCMediaSourceStats",
        "width height frames framesPerSecond",
    ),
    (
        "RTCAudioPlayoutStats",
        "RTCStats",
        "kind synthesizedSamplesDuration synthesizedSamplesEvents totalSamplesDuration totalPlayoutDelay totalSamplesCount",
    ),
    (
        "RTCPeerConnectionStats",
        "RTCStats",
        "dataChannelsOpened dataChannelsClosed",
    ),
    (
        "RTCDataChannelStats",
        "RTCStats",
        "label protocol dataChannelIdentifier state messagesSent bytesSent messagesReceived bytesReceived",
    ),
    (
        "RTCTransportStats",
        "RTCStats",
        "packetsSent packetsReceived bytesSent bytesReceived iceRole iceLocalUsernameFragment dtlsState iceState selectedCandidatePairId localCertificateId remoteCertificateId tlsVersion dtlsCipher dtlsRole srtpCipher selectedCandidatePairChanges ccfbMessagesSent ccfbMessagesReceived",
    ),
    (
        "RTCIceCandidateStats",
        "RTCStats",
        "transportId address port protocol candidateType priority url relayProtocol foundation relatedAddress relatedPort usernameFragment tcpType",
    ),
    (
        "RTCIceCandidatePairStats",
        "RTCStats",
        "transportId localCandidateId remoteCandidateId state nominated packetsSent packetsReceived bytesSent bytesReceived lastPacketSentTimestamp lastPacketReceivedTimestamp totalRoundTripTime currentRoundTripTime availableOutgoingBitrate availableIncomingBitrate requestsReceived requestsSent responsesReceived responsesSent consentRequestsSent packetsDiscardedOnSend bytesDiscardedOnSend",
    ),
    (
        "RTCCertificateStats",
        "RTCStats",
        "fingerprint fingerprintAlgorithm base64Certificate issuerCertificateId",
    ),
];
