//! The JSON of what goes over signalling, word by word as browsers write it: every name of every dictionary, every value of every
//! enumeration, written and read.

#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

use std::fmt::Debug;

use oxirtc_peerconnection::{
    BundlePolicy, Configuration, DataChannelInit, IceCandidate, IceCandidateInit, IceCredential,
    IceServer, IceTransportPolicy, OAuthCredential, OfferOptions, Priority, RtcpMuxPolicy, SdpType,
    SessionDescription,
};
use serde::{Serialize, de::DeserializeOwned};

/// `it` is written as `text`, and `text` is read as `it`.
fn golden<T: Serialize + DeserializeOwned + PartialEq + Debug>(it: &T, text: &str) {
    assert_eq!(serde_json::to_string(it).unwrap(), text);
    assert_eq!(&serde_json::from_str::<T>(text).unwrap(), it);
}

/// Each value stands for its word.
fn words<T: Serialize + DeserializeOwned + PartialEq + Debug>(all: &[(T, &str)]) {
    for (it, word) in all {
        golden(it, &format!("\"{word}\""));
    }
}

/// [4.6.2-02] [4.6.1-01]
#[test]
fn a_session_description() {
    golden(
        &SessionDescription::offer("v=0\r\n"),
        r#"{"type":"offer","sdp":"v=0\r\n"}"#,
    );
    words(&[
        (SdpType::Offer, "offer"),
        (SdpType::Pranswer, "pranswer"),
        (SdpType::Answer, "answer"),
        (SdpType::Rollback, "rollback"),
    ]);
}

/// [4.8.1-08] The candidate and its dictionary are written alike.
#[test]
fn an_ice_candidate() {
    let line = "candidate:1 1 udp 1 10.0.0.1 9 typ host";
    let init = IceCandidateInit {
        candidate: line.into(),
        sdp_mid: Some("audio".into()),
        sdp_m_line_index: Some(3),
        username_fragment: Some("frag".into()),
    };
    let text = format!(
        r#"{{"candidate":"{line}","sdpMid":"audio","sdpMLineIndex":3,"usernameFragment":"frag"}}"#
    );
    golden(&init, &text);
    let candidate = IceCandidate::new(init).unwrap();
    assert_eq!(serde_json::to_string(&candidate).unwrap(), text);
    golden(
        &IceCandidateInit::default(),
        r#"{"candidate":"","sdpMid":null,"sdpMLineIndex":null,"usernameFragment":null}"#,
    );
}

/// [4.2.2-01] [4.2.3-01] Every member has a value that is not its default.
#[test]
fn a_configuration() {
    let oauth = OAuthCredential {
        mac_key: "QUFBQQ==".into(),
        access_token: "QQ==".into(),
    };
    let token = IceServer {
        urls: vec!["turn:b".into(), "turns:b".into()],
        username: Some("kid".into()),
        credential: Some(IceCredential::OAuth(oauth)),
    };
    let configuration = Configuration {
        ice_servers: vec![
            IceServer::new("stun:a"),
            IceServer::with_credential("turn:a", "user", "word"),
            token,
        ],
        ice_transport_policy: IceTransportPolicy::Relay,
        bundle_policy: BundlePolicy::MaxBundle,
        rtcp_mux_policy: RtcpMuxPolicy::Negotiate,
        certificates: Vec::new(),
        ice_candidate_pool_size: 7,
    };
    let text = concat!(
        r#"{"iceServers":[{"urls":["stun:a"]},"#,
        r#"{"urls":["turn:a"],"username":"user","credential":"word"},"#,
        r#"{"urls":["turn:b","turns:b"],"username":"kid","#,
        r#""credential":{"macKey":"QUFBQQ==","accessToken":"QQ=="},"credentialType":"oauth"}],"#,
        r#""iceTransportPolicy":"relay","bundlePolicy":"max-bundle","#,
        r#""rtcpMuxPolicy":"negotiate","iceCandidatePoolSize":7}"#,
    );
    golden(&configuration, text);
    let password =
        r#"{"urls":"turn:a","username":"user","credential":"word","credentialType":"password"}"#;
    assert_eq!(
        serde_json::from_str::<IceServer>(password).unwrap(),
        IceServer::with_credential("turn:a", "user", "word")
    );
}

/// `RTCIceTransportPolicy`.
#[test]
fn transport_policies() {
    words(&[
        (IceTransportPolicy::Relay, "relay"),
        (IceTransportPolicy::All, "all"),
    ]);
}

/// `RTCBundlePolicy`.
#[test]
fn bundle_policies() {
    words(&[
        (BundlePolicy::Balanced, "balanced"),
        (BundlePolicy::MaxCompat, "max-compat"),
        (BundlePolicy::MaxBundle, "max-bundle"),
    ]);
}

/// `RTCRtcpMuxPolicy`.
#[test]
fn rtcp_mux_policies() {
    words(&[
        (RtcpMuxPolicy::Require, "require"),
        (RtcpMuxPolicy::Negotiate, "negotiate"),
    ]);
}

/// [4.4.3.2-01]
#[test]
fn the_options_of_an_offer() {
    let options = OfferOptions {
        ice_restart: true,
        offer_to_receive_audio: Some(false),
        offer_to_receive_video: Some(true),
        voice_activity_detection: Some(true),
    };
    golden(
        &options,
        concat!(
            r#"{"iceRestart":true,"offerToReceiveAudio":false,"offerToReceiveVideo":true,"#,
            r#""voiceActivityDetection":true}"#,
        ),
    );
    golden(&OfferOptions::default(), r#"{"iceRestart":false}"#);
}

/// Every member has a value that is not its default.
#[test]
fn the_options_of_a_channel() {
    let init = DataChannelInit {
        ordered: false,
        max_packet_life_time: Some(1),
        max_retransmits: Some(2),
        protocol: "p".into(),
        negotiated: true,
        id: Some(3),
        priority: Priority::High,
    };
    golden(
        &init,
        concat!(
            r#"{"ordered":false,"maxPacketLifeTime":1,"maxRetransmits":2,"protocol":"p","#,
            r#""negotiated":true,"id":3,"priority":"high"}"#,
        ),
    );
}

/// [4.9.1-01]
#[test]
fn priorities() {
    words(&[
        (Priority::VeryLow, "very-low"),
        (Priority::Low, "low"),
        (Priority::Medium, "medium"),
        (Priority::High, "high"),
    ]);
}
