//! Offers as servers, gateways and tools write them: what they leave out, say twice, or say in older words.

use oxirtc_jsep::{
    Change, MediaKind, Origin, TransceiverInit,
    sdp::{Direction, Session},
};

use crate::support::{Peer, answer_of, equipped, lines, offer_of};

const HEAD: &str = "v=0\r\no=- 20518 0 IN IP4 203.0.113.1\r\ns=-\r\nt=0 0\r\n";
const FINGERPRINT: &str = "a=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:\
                           BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2\r\n";

/// Lines with their ends, and with the fingerprint where it is named.
fn offer(lines: &str) -> String {
    let lines = lines.lines().map(str::trim).filter(|it| !it.is_empty());
    let lines: String = lines.map(|it| format!("{it}\r\n")).collect();
    HEAD.to_owned() + &lines.replace("a=fingerprint\r\n", FINGERPRINT)
}

fn local(peer: &Peer) -> String {
    let description = peer.negotiator.local_description();
    description.expect("a description").sdp
}

/// Answers an offer with one track of each kind. All sections live, and both ends are content.
fn answered(sdp: String) -> (Peer, String, Vec<Change>) {
    let mut peer = Peer::with('b', equipped);
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let init = TransceiverInit::default();
        let added = peer.negotiator.add_transceiver(kind, Origin::Track, init);
        added.expect("it is equipped");
    }
    let count = Session::parse(&sdp).expect("an offer").media_count();
    let mut changes = peer.remote(offer_of(sdp));
    changes.extend(peer.local(None));
    let answer = local(&peer);
    let session = Session::parse(&answer).expect("an answer");
    assert_eq!(session.media_count(), count);
    assert!(session.media().all(|it| !it.is_rejected()), "{answer}");
    (peer, answer, changes)
}

fn directions(sdp: &str) -> Vec<Direction> {
    let session = Session::parse(sdp).expect("a description");
    session.media().filter_map(|it| it.direction()).collect()
}

/// A publisher of WHIP as OBS is one: sends only, SSRCs and msid in the older form, no header extensions.
#[test]
fn publisher() {
    let (peer, answer, changes) = answered(offer(
        "a=group:BUNDLE 0 1
        a=group:LS 0 1
        a=msid-semantic:WMS *
        a=setup:actpass
        a=ice-ufrag:zuA4
        a=ice-pwd:5jlYHxLzKGDKqXnYEVRZfe
        a=ice-options:ice2,trickle
        a=fingerprint
        m=audio 52000 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 203.0.113.1
        a=mid:0
        a=sendonly
        a=ssrc:1 cname:obs
        a=ssrc:1 msid:stream stream-audio
        a=msid:stream stream-audio
        a=rtcp-mux
        a=rtpmap:111 opus/48000/2
        a=fmtp:111 minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1
        m=video 52000 UDP/TLS/RTP/SAVPF 96
        c=IN IP4 203.0.113.1
        a=mid:1
        a=sendonly
        a=ssrc:2 cname:obs
        a=ssrc:2 msid:stream stream-video
        a=msid:stream stream-video
        a=rtcp-mux
        a=rtpmap:96 H264/90000
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1",
    ));
    assert_eq!(directions(&answer), [Direction::RecvOnly; 2]);
    assert_eq!(
        lines(&answer, &["a=rtcp-fb:96"]),
        ["a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli"]
    );
    assert!(lines(&answer, &["a=extmap"]).is_empty());
    let streams = changes.iter().filter(|it| {
        matches!(it, Change::RemoteStreams { streams, receiving: true, .. } if *streams == ["stream"])
    });
    assert_eq!(streams.count(), 2);
    // an end that only sends is nobody to send to: our tracks wait for an offer of ours
    assert!(peer.negotiator.negotiation_needed());
}

/// A pipeline without a group, as GStreamer writes by default: each section has its own ICE and DTLS.
#[test]
fn pipeline() {
    let section = |media: &str, mid: &str, ufrag: &str, lines: &str| {
        format!(
            "m={media}
            c=IN IP4 0.0.0.0
            a=setup:actpass
            a=ice-ufrag:{ufrag}
            a=ice-pwd:5jlYHxLzKGDKqXnYEVRZfe
            a=rtcp-mux
            a=rtcp-rsize
            a=sendrecv
            {lines}
            a=mid:{mid}
            a=fingerprint
            "
        )
    };
    let audio = "a=rtpmap:97 OPUS/48000/2\na=rtcp-fb:97 nack\na=ssrc:7 msid:user7@host webrtctransceiver0\na=ssrc:7 cname:user7@host";
    let video = "a=rtpmap:96 VP8/90000\na=rtcp-fb:96 nack pli\na=framerate:30\na=ssrc:8 msid:user7@host webrtctransceiver1";
    let (peer, answer, changes) = answered(offer(&format!(
        "a=ice-options:trickle\n{}{}",
        section("audio 9 UDP/TLS/RTP/SAVPF 97", "audio0", "aaaa", audio),
        section("video 9 UDP/TLS/RTP/SAVPF 96", "video1", "bbbb", video),
    )));
    assert_eq!(directions(&answer), [Direction::SendRecv; 2]);
    assert_eq!(peer.negotiator.transports().count(), 2);
    assert_eq!(lines(&answer, &["a=ice-ufrag"]).len(), 2);
    assert_eq!(
        lines(&answer, &["a=rtpmap"]),
        ["a=rtpmap:97 OPUS/48000/2", "a=rtpmap:96 VP8/90000"]
    );
    let named = |it: &&Change| matches!(it, Change::RemoteStreams { streams, .. } if *streams == ["user7@host"]);
    assert_eq!(changes.iter().filter(named).count(), 2, "in the older form");
    assert!(!peer.negotiator.negotiation_needed());
}

/// A gateway for telephones: no mid and no group, an older profile with keys beside the fingerprint, a fixed payload
/// type without `a=rtpmap`, hold at session level.
#[test]
fn gateway() {
    let text = offer(
        "a=sendonly
        a=ice-lite
        a=ice-ufrag:gate
        a=ice-pwd:5jlYHxLzKGDKqXnYEVRZfe
        a=setup:passive
        a=fingerprint
        m=audio 30000 RTP/SAVP 8 0 101
        c=IN IP4 203.0.113.1
        b=AS:80
        a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj
        a=rtcp-mux
        a=ptime:20
        a=rtpmap:101 telephone-event/8000
        a=fmtp:101 0-16
        a=candidate:1 1 udp 2113929471 203.0.113.1 30000 typ host",
    );
    let (mut peer, answer, _) = answered(text.clone());
    assert_eq!(directions(&answer), [Direction::RecvOnly]);
    assert!(answer.contains("m=audio 9 RTP/SAVP 8 0 101\r\n") && answer.contains("a=setup:active"));
    assert!(!answer.contains("a=mid") && !answer.contains("a=group") && !answer.contains("crypto"));
    // it resumes: still the same transceiver and transport
    let made = {
        let mut all = peer.negotiator.transceivers();
        let made = all.find(|it| it.mid().is_some());
        made.expect("made by the offer").id()
    };
    peer.negotiator
        .attach_track(made, Vec::new())
        .expect("open");
    let changes = peer.remote(offer_of(text.replace("a=sendonly", "a=sendrecv")));
    assert!(!changes.iter().any(|it| matches!(
        it,
        Change::TransceiverAdded { .. } | Change::TransportAdded { .. }
    )));
    let changes = peer.local(None);
    assert_eq!(directions(&local(&peer)), [Direction::SendRecv]);
    let bits = changes.iter().find_map(|it| match it {
        Change::Sends { parameters, .. } => parameters.as_ref()?.bandwidth,
        _ => None,
    });
    assert_eq!(bits, Some(60_000));
    let made = peer.negotiator.transceiver(made).expect("it is there");
    assert_eq!(made.current_direction(), Some(Direction::SendRecv));
}

/// A server that sends nothing: ICE-lite, an answer with candidates in each section and roles of its own (mediasoup,
/// Janus), to an offer of ours with layers.
#[test]
fn server() {
    let mut peer = Peer::with('a', equipped);
    let init = |rids: &[&str]| TransceiverInit {
        direction: Direction::SendOnly,
        rids: rids.iter().map(|it| (*it).to_owned()).collect(),
        ..TransceiverInit::default()
    };
    for (kind, rids) in [
        (MediaKind::Audio, &[][..]),
        (MediaKind::Video, &["r0", "r1", "r2"]),
    ] {
        let added = peer
            .negotiator
            .add_transceiver(kind, Origin::Init, init(rids));
        added.expect("it is equipped");
    }
    peer.local(None);
    let sdp = local(&peer);
    let payload = |name: &str| {
        let maps = lines(&sdp, &["a=rtpmap:"]);
        let map = maps.iter().find(|it| it.ends_with(name)).expect("offered");
        map["a=rtpmap:".len()..]
            .split(' ')
            .next()
            .expect("a number")
            .to_owned()
    };
    let (opus, vp8) = (payload("opus/48000/2"), payload("VP8/90000"));
    let answer = SERVER.replace("{opus}", &opus).replace("{vp8}", &vp8);
    let changes = peer.remote(answer_of(offer(&answer)));
    let sends: Vec<_> = changes
        .iter()
        .filter_map(|it| match it {
            Change::Sends { parameters, .. } => parameters.clone(),
            _ => None,
        })
        .collect();
    let shape = sends.iter().map(|it| {
        (
            it.encodings.len(),
            it.codecs.media.len(),
            it.codecs.rtx.len(),
        )
    });
    assert_eq!(shape.collect::<Vec<_>>(), [(1, 1, 0), (3, 1, 0)]);
    assert!(
        sends[1].encodings.iter().all(|it| it.rtx.is_none()),
        "no RTX was taken"
    );
    assert_eq!(sends[1].codecs.media[0].codec.feedback, ["ccm fir", "nack"]);
    assert_eq!(
        sends[0].codecs.media[0].codec.parameters.as_deref(),
        Some("stereo=0;usedtx=1")
    );
    assert!(
        changes
            .iter()
            .any(|it| matches!(it, Change::RemoteIce { lite: true, .. }))
    );
    assert!(!peer.negotiator.negotiation_needed());
}

/// The answer of a server; what stands in braces are payload types.
const SERVER: &str = "a=ice-lite
    a=fingerprint
    a=msid-semantic: WMS *
    a=group:BUNDLE 0 1
    m=audio 7 UDP/TLS/RTP/SAVPF {opus}
    c=IN IP4 127.0.0.1
    a=rtpmap:{opus} opus/48000/2
    a=fmtp:{opus} stereo=0;usedtx=1
    a=setup:passive
    a=mid:0
    a=recvonly
    a=ice-ufrag:server
    a=ice-pwd:5jlYHxLzKGDKqXnYEVRZfe
    a=candidate:udpcandidate 1 udp 1076302079 203.0.113.1 40000 typ host
    a=end-of-candidates
    a=ice-options:renomination
    a=rtcp-mux
    a=rtcp-rsize
    m=video 7 UDP/TLS/RTP/SAVPF {vp8}
    c=IN IP4 127.0.0.1
    a=rtpmap:{vp8} VP8/90000
    a=rtcp-fb:{vp8} goog-remb
    a=rtcp-fb:{vp8} ccm fir
    a=rtcp-fb:{vp8} nack
    a=setup:passive
    a=mid:1
    a=recvonly
    a=ice-ufrag:server
    a=ice-pwd:5jlYHxLzKGDKqXnYEVRZfe
    a=candidate:udpcandidate 1 udp 1076302079 203.0.113.1 40000 typ host
    a=end-of-candidates
    a=ice-options:renomination
    a=rtcp-mux
    a=rtcp-rsize
    a=rid:r0 recv
    a=rid:r1 recv
    a=rid:r2 recv
    a=simulcast:recv r0;r1;r2";
