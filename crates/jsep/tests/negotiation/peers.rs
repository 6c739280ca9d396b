//! Offers of other stacks, in the shape that their documentation and their recordings show, and what we answer.

use oxirtc_jsep::{
    Change, Error, MediaKind, Origin, TransceiverInit,
    sdp::{Direction, Session},
};

use crate::support::{Peer, equipped, lines, offer_of};

const FINGERPRINT: &str = "sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:\
                           BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2";

/// What an end of ours with a track of each kind, and with data, answers.
fn answered(offer: &str) -> (String, Vec<Change>) {
    try_answered(offer).expect("an offer")
}

fn try_answered(offer: &str) -> Result<(String, Vec<Change>), Error> {
    let mut peer = Peer::with('b', equipped);
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let init = TransceiverInit::default();
        let added = peer.negotiator.add_transceiver(kind, Origin::Track, init);
        added.expect("it is equipped");
    }
    let written = offer.lines().map(str::trim).filter(|it| !it.is_empty());
    let offer: String = written
        .map(|it| it.replace("{fingerprint}", FINGERPRINT) + "\r\n")
        .collect();
    let sections = Session::parse(&offer).map(|it| it.media_count());
    let mut changes = peer.try_remote(offer_of(offer))?;
    changes.extend(peer.local(None));
    let answer = peer.negotiator.local_description().expect("an answer").sdp;
    let session = Session::parse(&answer).expect("an answer");
    assert_eq!(Ok(session.media_count()), sections);
    Ok((answer, changes))
}

/// The lines of an answer that the offer decides.
fn golden(answer: &str) -> Vec<&str> {
    let wanted = [
        "a=group",
        "m=",
        "a=mid",
        "a=setup",
        "a=sendrecv",
        "a=sendonly",
        "a=recvonly",
        "a=inactive",
        "a=rtpmap",
        "a=fmtp",
        "a=rtcp-fb",
        "a=extmap:",
        "a=sctp-port",
        "a=sctpmap",
        "a=rid",
        "a=simulcast",
    ];
    lines(answer, &wanted)
}

/// The streams that the peer's tracks are in.
fn streams(changes: &[Change]) -> Vec<Vec<String>> {
    let of = |it: &Change| match it {
        Change::RemoteStreams {
            streams,
            receiving: true,
            ..
        } => Some(streams.clone()),
        _ => None,
    };
    changes.iter().filter_map(of).collect()
}

/// Pion: fingerprints at session level, `setup` in each section, SSRCs in the older form beside `msid`, candidates twice, one for each
/// component.
#[test]
fn pion() {
    let (answer, changes) = answered(PION);
    assert_eq!(
        golden(&answer),
        [
            "a=group:BUNDLE 0 1 2",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8",
            "a=mid:0",
            "a=setup:active",
            "a=sendrecv",
            "a=rtpmap:111 opus/48000/2",
            "a=fmtp:111 minptime=10;useinbandfec=1",
            "a=rtpmap:9 G722/8000",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:8 PCMA/8000",
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97 125 107",
            "a=mid:1",
            "a=sendrecv",
            "a=rtpmap:96 VP8/90000",
            "a=rtcp-fb:96 ccm fir",
            "a=rtcp-fb:96 nack",
            "a=rtcp-fb:96 nack pli",
            "a=rtpmap:97 rtx/90000",
            "a=fmtp:97 apt=96",
            "a=rtpmap:125 H264/90000",
            "a=fmtp:125 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
            "a=rtpmap:107 rtx/90000",
            "a=fmtp:107 apt=125",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "a=mid:2",
            "a=sctp-port:5000"
        ]
    );
    assert_eq!(streams(&changes), [["pion"], ["pion"]]);
    let candidates = changes
        .iter()
        .filter(|it| matches!(it, Change::RemoteCandidate { .. }));
    assert_eq!(candidates.count(), 1, "one component is used");
}

/// aiortc: numeric ports and addresses of the default candidate, RTCP beside it, `msid` without a stream of its own, three hashes of the
/// certificate, the older `sctpmap` beside nothing newer.
#[test]
fn aiortc() {
    let (answer, changes) = answered(AIORTC);
    assert_eq!(
        golden(&answer),
        [
            "a=group:BUNDLE 0 1 2",
            "m=audio 9 UDP/TLS/RTP/SAVPF 96 9 0 8",
            "a=mid:0",
            "a=setup:active",
            "a=sendrecv",
            "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
            "a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            "a=rtpmap:96 opus/48000/2",
            "a=fmtp:96 minptime=10;useinbandfec=1",
            "a=rtpmap:9 G722/8000",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:8 PCMA/8000",
            "m=video 9 UDP/TLS/RTP/SAVPF 97 98",
            "a=mid:1",
            "a=sendrecv",
            "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
            "a=rtpmap:97 VP8/90000",
            "a=rtcp-fb:97 nack",
            "a=rtcp-fb:97 nack pli",
            "a=rtpmap:98 rtx/90000",
            "a=fmtp:98 apt=97",
            "m=application 9 DTLS/SCTP 5000",
            "a=mid:2",
            "a=sctpmap:5000 webrtc-datachannel 65535"
        ]
    );
    let stream = ["2b1a3e8e-7d8d-4d52-9a49-8f6e3b2f2c11"];
    assert_eq!(streams(&changes), [stream, stream]);
}

/// Safari: libwebrtc's shape with H.264 first, in several profiles and packetization modes, H.265, and `network-cost` in candidates.
#[test]
fn safari() {
    let (answer, changes) = answered(SAFARI);
    assert_eq!(
        golden(&answer),
        [
            "a=group:BUNDLE 0 1",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8 13 110 126",
            "a=mid:0",
            "a=setup:active",
            "a=sendrecv",
            "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
            "a=rtpmap:111 opus/48000/2",
            "a=rtcp-fb:111 transport-cc",
            "a=fmtp:111 minptime=10;useinbandfec=1",
            "a=rtpmap:9 G722/8000",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:13 CN/8000",
            "a=rtpmap:110 telephone-event/48000",
            "a=rtpmap:126 telephone-event/8000",
            "m=video 9 UDP/TLS/RTP/SAVPF 98 99 127",
            "a=mid:1",
            "a=sendrecv",
            "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
            "a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            "a=extmap:6 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            "a=rtpmap:98 H264/90000",
            "a=rtcp-fb:98 transport-cc",
            "a=rtcp-fb:98 ccm fir",
            "a=rtcp-fb:98 nack",
            "a=rtcp-fb:98 nack pli",
            "a=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
            "a=rtpmap:99 rtx/90000",
            "a=fmtp:99 apt=98",
            "a=rtpmap:127 VP8/90000",
            "a=rtcp-fb:127 transport-cc",
            "a=rtcp-fb:127 ccm fir",
            "a=rtcp-fb:127 nack",
            "a=rtcp-fb:127 nack pli"
        ]
    );
    assert_eq!(streams(&changes), [["8c2e4b9f"], ["8c2e4b9f"]]);
}

/// Janus to a subscriber of a room: it only sends, as controlling end with `actpass`, with `msid` of its own and all candidates in the text, no
/// trickling.
#[test]
fn janus() {
    let (answer, changes) = answered(JANUS);
    assert_eq!(
        golden(&answer),
        [
            "a=group:BUNDLE a1 v1",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111",
            "a=mid:a1",
            "a=setup:active",
            "a=recvonly",
            "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
            "a=rtpmap:111 opus/48000/2",
            "a=fmtp:111 minptime=10;useinbandfec=1",
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
            "a=mid:v1",
            "a=recvonly",
            "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
            "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            "a=rtpmap:96 VP8/90000",
            "a=rtcp-fb:96 transport-cc",
            "a=rtcp-fb:96 ccm fir",
            "a=rtcp-fb:96 nack",
            "a=rtcp-fb:96 nack pli",
            "a=rtpmap:97 rtx/90000",
            "a=fmtp:97 apt=96"
        ]
    );
    let session = Session::parse(&answer).expect("an answer");
    let directions = session.media().filter_map(|it| it.direction());
    assert!(directions.eq([Direction::RecvOnly; 2]));
    assert_eq!(streams(&changes), [["janus"], ["janus"]]);
}

/// Each line of these offers changes what we answer or do when it is left out, but for those that say what holds without them, say it
/// again, or name what we do not have.
#[test]
fn each_line_is_heard() {
    for offer in [PION, AIORTC, SAFARI, JANUS] {
        let whole = try_answered(offer).expect("an offer");
        let all: Vec<&str> = offer.lines().map(str::trim).collect();
        let mut sections = 0;
        for (at, line) in all.iter().enumerate() {
            sections += usize::from(line.starts_with("m="));
            let without = [&all[..at], &all[at + 1..]].concat().join("\n");
            if try_answered(&without).as_ref() != Ok(&whole) {
                continue;
            }
            let begins = |with: &[&str]| with.iter().any(|it| line.starts_with(it));
            // What bundled sections say of the transport is that of the first, which has to say it.
            let again = all.iter().filter(|it| *it == line).count() > 1
                && (sections > 1 || begins(&["a=candidate", "a=ice-options"]));
            let foreign =
                begins(&["a=rtpmap", "a=fmtp", "a=rtcp-fb", "a=extmap"]) && !whole.0.contains(line);
            assert!(begins(&SAID_WITHOUT) || again || foreign, "{line}");
        }
    }
}

/// What holds without being said: addresses that ICE finds, defaults (RFC 9429 §5.2.1, RFC 8841 §5.1), the numbers of RFC 3551, which need no
/// `rtpmap` (RFC 8866 §6.6), tracks in the newer and the older form, names that packets bring, and a second component.
const SAID_WITHOUT: [&str; 15] = [
    "c=",
    "a=rtcp:",
    "a=sendrecv",
    "a=setup:actpass",
    "a=sctp-port:5000",
    "a=sctpmap:5000",
    "a=max-message-size:65536",
    "a=rtpmap:0 ",
    "a=rtpmap:8 ",
    "a=rtpmap:9 ",
    "a=rtpmap:13 ",
    "a=msid-semantic",
    "a=msid:",
    "a=ssrc:",
    "a=candidate:2263263186 2 ",
];

const PION: &str = "v=0
        o=- 4215775240449105457 1700000000 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=msid-semantic:WMS*
        a=fingerprint:{fingerprint}
        a=extmap-allow-mixed
        a=group:BUNDLE 0 1 2
        m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8
        c=IN IP4 0.0.0.0
        a=setup:actpass
        a=mid:0
        a=ice-ufrag:hNRCcOhPcgbQWTWv
        a=ice-pwd:pTGrvkcXzPZCnXyZzEFEyYeSdqqbSfqX
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:111 opus/48000/2
        a=fmtp:111 minptime=10;useinbandfec=1
        a=rtpmap:9 G722/8000
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=ssrc:1350106226 cname:pion
        a=ssrc:1350106226 msid:pion audio
        a=ssrc:1350106226 mslabel:pion
        a=ssrc:1350106226 label:audio
        a=msid:pion audio
        a=sendrecv
        a=candidate:2263263186 1 udp 2130706431 192.0.2.7 47321 typ host ufrag hNRCcOhPcgbQWTWv
        a=candidate:2263263186 2 udp 2130706431 192.0.2.7 47321 typ host ufrag hNRCcOhPcgbQWTWv
        a=end-of-candidates
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 125 107
        c=IN IP4 0.0.0.0
        a=setup:actpass
        a=mid:1
        a=ice-ufrag:hNRCcOhPcgbQWTWv
        a=ice-pwd:pTGrvkcXzPZCnXyZzEFEyYeSdqqbSfqX
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:96 VP8/90000
        a=rtcp-fb:96 goog-remb
        a=rtcp-fb:96 ccm fir
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtpmap:97 rtx/90000
        a=fmtp:97 apt=96
        a=rtpmap:125 H264/90000
        a=fmtp:125 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtpmap:107 rtx/90000
        a=fmtp:107 apt=125
        a=ssrc:2180035812 cname:pion
        a=ssrc:2180035812 msid:pion video
        a=msid:pion video
        a=sendrecv
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel
        c=IN IP4 0.0.0.0
        a=setup:actpass
        a=mid:2
        a=sendrecv
        a=sctp-port:5000
        a=max-message-size:1073741823
        a=ice-ufrag:hNRCcOhPcgbQWTWv
        a=ice-pwd:pTGrvkcXzPZCnXyZzEFEyYeSdqqbSfqX";

const AIORTC: &str = "v=0
        o=- 3909187466 3909187466 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=group:BUNDLE 0 1 2
        a=msid-semantic:WMS *
        m=audio 50226 UDP/TLS/RTP/SAVPF 96 9 0 8
        c=IN IP4 192.0.2.8
        a=sendrecv
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=mid:0
        a=msid:2b1a3e8e-7d8d-4d52-9a49-8f6e3b2f2c11 5a3b9c
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc:2947063145 cname:aiortc
        a=rtpmap:96 opus/48000/2
        a=rtpmap:9 G722/8000
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=candidate:d5ed63abcbf84e9c6c8c1b2a6b5b1dd0 1 udp 2130706431 192.0.2.8 50226 typ host
        a=end-of-candidates
        a=ice-ufrag:8Pq1
        a=ice-pwd:gd5JQZ6xJlD5fiF3WnJIgD
        a=fingerprint:{fingerprint}
        a=setup:actpass
        m=video 50226 UDP/TLS/RTP/SAVPF 97 98 99 100
        c=IN IP4 192.0.2.8
        a=sendrecv
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=mid:1
        a=msid:2b1a3e8e-7d8d-4d52-9a49-8f6e3b2f2c11 7c1d2e
        a=rtcp:9 IN IP4 0.0.0.0
        a=rtcp-mux
        a=ssrc-group:FID 1143210131 3201455203
        a=ssrc:1143210131 cname:aiortc
        a=ssrc:3201455203 cname:aiortc
        a=rtpmap:97 VP8/90000
        a=rtcp-fb:97 nack
        a=rtcp-fb:97 nack pli
        a=rtcp-fb:97 goog-remb
        a=rtpmap:98 rtx/90000
        a=fmtp:98 apt=97
        a=rtpmap:99 H264/90000
        a=rtcp-fb:99 nack
        a=rtcp-fb:99 nack pli
        a=fmtp:99 packetization-mode=1;level-asymmetry-allowed=1;profile-level-id=42001f
        a=rtpmap:100 rtx/90000
        a=fmtp:100 apt=99
        a=candidate:d5ed63abcbf84e9c6c8c1b2a6b5b1dd0 1 udp 2130706431 192.0.2.8 50226 typ host
        a=end-of-candidates
        a=ice-ufrag:8Pq1
        a=ice-pwd:gd5JQZ6xJlD5fiF3WnJIgD
        a=fingerprint:{fingerprint}
        a=setup:actpass
        m=application 50226 DTLS/SCTP 5000
        c=IN IP4 192.0.2.8
        a=mid:2
        a=sctpmap:5000 webrtc-datachannel 65535
        a=max-message-size:65536
        a=ice-ufrag:8Pq1
        a=ice-pwd:gd5JQZ6xJlD5fiF3WnJIgD
        a=fingerprint:{fingerprint}
        a=setup:actpass";

const SAFARI: &str = "v=0
        o=- 7614219274584779017 2 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=extmap-allow-mixed
        a=msid-semantic: WMS 8c2e4b9f
        m=audio 9 UDP/TLS/RTP/SAVPF 111 103 9 102 0 8 105 13 110 113 126
        c=IN IP4 0.0.0.0
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:Ml4e
        a=ice-pwd:yQH1bIzKDrXkEYxGDjCr1qVG
        a=ice-options:trickle
        a=fingerprint:{fingerprint}
        a=setup:actpass
        a=mid:0
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=sendrecv
        a=msid:8c2e4b9f 0d6b
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:111 opus/48000/2
        a=rtcp-fb:111 transport-cc
        a=fmtp:111 minptime=10;useinbandfec=1
        a=rtpmap:103 ISAC/16000
        a=rtpmap:9 G722/8000
        a=rtpmap:102 ILBC/8000
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=rtpmap:105 CN/16000
        a=rtpmap:13 CN/8000
        a=rtpmap:110 telephone-event/48000
        a=rtpmap:113 telephone-event/16000
        a=rtpmap:126 telephone-event/8000
        a=ssrc:3170449722 cname:Yk0GBhh
        a=ssrc:3170449722 msid:8c2e4b9f 0d6b
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100 101 127
        c=IN IP4 0.0.0.0
        a=rtcp:9 IN IP4 0.0.0.0
        a=ice-ufrag:Ml4e
        a=ice-pwd:yQH1bIzKDrXkEYxGDjCr1qVG
        a=ice-options:trickle
        a=fingerprint:{fingerprint}
        a=setup:actpass
        a=mid:1
        a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
        a=extmap:13 urn:3gpp:video-orientation
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=extmap:6 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
        a=sendrecv
        a=msid:8c2e4b9f 91aa
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:96 H264/90000
        a=rtcp-fb:96 goog-remb
        a=rtcp-fb:96 transport-cc
        a=rtcp-fb:96 ccm fir
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f
        a=rtpmap:97 rtx/90000
        a=fmtp:97 apt=96
        a=rtpmap:98 H264/90000
        a=rtcp-fb:98 goog-remb
        a=rtcp-fb:98 transport-cc
        a=rtcp-fb:98 ccm fir
        a=rtcp-fb:98 nack
        a=rtcp-fb:98 nack pli
        a=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtpmap:99 rtx/90000
        a=fmtp:99 apt=98
        a=rtpmap:100 H265/90000
        a=rtcp-fb:100 nack
        a=rtpmap:101 rtx/90000
        a=fmtp:101 apt=100
        a=rtpmap:127 VP8/90000
        a=rtcp-fb:127 transport-cc
        a=rtcp-fb:127 ccm fir
        a=rtcp-fb:127 nack
        a=rtcp-fb:127 nack pli
        a=ssrc-group:FID 3964226423 1200411310
        a=ssrc:3964226423 cname:Yk0GBhh
        a=ssrc:3964226423 msid:8c2e4b9f 91aa
        a=ssrc:1200411310 cname:Yk0GBhh
        a=ssrc:1200411310 msid:8c2e4b9f 91aa";

const JANUS: &str = "v=0
        o=- 1700000000000000 1 IN IP4 203.0.113.4
        s=VideoRoom 1234
        t=0 0
        a=group:BUNDLE a1 v1
        a=ice-options:trickle
        a=fingerprint:{fingerprint}
        a=extmap-allow-mixed
        a=msid-semantic: WMS *
        m=audio 9 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 203.0.113.4
        a=sendonly
        a=mid:a1
        a=rtcp-mux
        a=ice-ufrag:RbQ9
        a=ice-pwd:3vb2cOPZ4hQkP1HCvP4UeU
        a=ice-options:trickle
        a=setup:actpass
        a=rtpmap:111 opus/48000/2
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=msid:janus janusa1
        a=ssrc:2747316520 cname:janus
        a=candidate:1 1 udp 2015363327 203.0.113.4 41000 typ host
        a=candidate:2 1 tcp 1010827775 203.0.113.4 0 typ host tcptype active
        a=end-of-candidates
        m=video 9 UDP/TLS/RTP/SAVPF 96 97
        c=IN IP4 203.0.113.4
        a=sendonly
        a=mid:v1
        a=rtcp-mux
        a=ice-ufrag:RbQ9
        a=ice-pwd:3vb2cOPZ4hQkP1HCvP4UeU
        a=ice-options:trickle
        a=setup:actpass
        a=rtpmap:96 VP8/90000
        a=rtcp-fb:96 ccm fir
        a=rtcp-fb:96 nack
        a=rtcp-fb:96 nack pli
        a=rtcp-fb:96 goog-remb
        a=rtcp-fb:96 transport-cc
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=rtpmap:97 rtx/90000
        a=fmtp:97 apt=96
        a=ssrc-group:FID 1712345678 3456789012
        a=msid:janus janusv1
        a=ssrc:1712345678 cname:janus
        a=ssrc:3456789012 cname:janus";
