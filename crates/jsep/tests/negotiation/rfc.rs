//! The examples of RFC 9429 §7 and of RFC 8853 §3.2 and §5.6: what they answer and offer we do, too.

use oxirtc_jsep::{
    Capabilities, Codec, Config, Extension, MediaKind, Origin, TransceiverInit,
    sdp::{Direction, Session},
};

use crate::support::{Peer, equipped, lines, offer_of};

/// What the ends of the examples of RFC 9429 can do.
fn example(config: Config) -> Config {
    let mid = Extension::new("urn:ietf:params:rtp-hdrext:sdes:mid");
    let level = Extension::new("urn:ietf:params:rtp-hdrext:ssrc-audio-level");
    let rid = Extension::new("urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id");
    let audio = Capabilities {
        codecs: vec![
            Codec::new("opus", 48_000).channels(2),
            Codec::new("PCMU", 8000),
            Codec::new("PCMA", 8000),
            Codec::new("telephone-event", 8000).parameters("0-15"),
            Codec::new("telephone-event", 48_000).parameters("0-15"),
        ],
        extensions: vec![mid.clone(), level],
    };
    let feedback = ["ccm fir", "nack", "nack pli"];
    let h264 = "packetization-mode=1;profile-level-id=42e01f";
    let video = Capabilities {
        codecs: vec![
            Codec::new("VP8", 90_000).feedback(feedback),
            // the example has no feedback for it
            Codec::new("H264", 90_000).parameters(h264),
            Codec::new("rtx", 90_000),
        ],
        extensions: vec![mid, rid],
    };
    config
        .media(MediaKind::Audio, audio)
        .media(MediaKind::Video, video)
        .max_message_size(65_536)
}

/// What a description says of media, section by section, sorted: no addresses, keys and SSRCs.
fn media(sdp: &str) -> Vec<Vec<String>> {
    let session = Session::parse(sdp).expect("a description");
    let kept = [
        "mid",
        "rtpmap",
        "fmtp",
        "maxptime",
        "extmap",
        "rtcp-fb",
        "msid",
        "rid",
        "simulcast",
        "sctp-port",
        "max-message-size",
        "bundle-only",
    ];
    let section = |media: oxirtc_jsep::sdp::Media<'_>| {
        let mut all = vec![format!("{} {}", media.media(), media.protocol())];
        let mut formats: Vec<_> = media.formats().map(str::to_owned).collect();
        formats.sort();
        all.extend(formats);
        all.extend(media.direction().map(|it| it.as_str().to_owned()));
        for line in media.lines().filter(|line| line.kind == 'a') {
            let name = line.value.split(':').next().unwrap_or_default();
            if kept.contains(&name) {
                all.push(line.value.to_owned());
            }
        }
        all.sort();
        all
    };
    session.media().map(section).collect()
}

/// Bob of the examples, whose tracks are of one stream.
fn bob(kinds: &[MediaKind], stream: &str, direction: Direction) -> Peer {
    let mut bob = Peer::with('b', example);
    for kind in kinds {
        let init = TransceiverInit {
            direction,
            streams: vec![stream.to_owned()],
            rids: Vec::new(),
        };
        let added = bob.negotiator.add_transceiver(*kind, Origin::Track, init);
        added.expect("it is equipped");
    }
    bob
}

fn local(peer: &Peer) -> Vec<Vec<String>> {
    let description = peer.negotiator.local_description();
    media(&description.expect("a description").sdp)
}

const BOTH: [MediaKind; 2] = [MediaKind::Audio, MediaKind::Video];

/// RFC 9429 §7.1: audio and video, simple.
#[test]
fn simple() {
    let stream = "61317484-2ed4-49d7-9eb7-1414322a7aae";
    let mut bob = bob(&BOTH, stream, Direction::SendRecv);
    bob.remote(offer_of(include_str!("rfc9429/offer-a1.sdp")));
    bob.local(None);
    assert_eq!(local(&bob), media(include_str!("rfc9429/answer-a1.sdp")));
}

/// RFC 9429 §7.2: audio and data, then two sections of video, one with simulcast. The example refuses
/// simulcast, limits sizes and leaves FlexFEC out; we take the layers.
#[test]
fn detailed() {
    let stream = "71317484-2ed4-49d7-9eb7-1414322a7aae";
    let mut bob = bob(&[MediaKind::Audio], stream, Direction::SendRecv);
    bob.remote(offer_of(include_str!("rfc9429/offer-b1.sdp")));
    bob.local(None);
    assert_eq!(local(&bob), media(include_str!("rfc9429/answer-b1.sdp")));
    let stream = "57017fee-b6c1-4162-929c-a25110252400";
    let mut alice = self::bob(&[MediaKind::Audio], stream, Direction::SendRecv);
    alice.remote(offer_of(include_str!("rfc9429/offer-b2.sdp")));
    alice.local(None);
    let mut expected = media(include_str!("rfc9429/answer-b2.sdp"));
    let layers = [
        "rid:1 recv",
        "rid:2 recv",
        "rid:3 recv",
        "simulcast:recv 1;2;3",
    ];
    expected[2].extend(layers.map(str::to_owned));
    expected[2].sort();
    assert_eq!(local(&alice), expected);
}

/// RFC 9429 §7.3: an answer that only sends, and an offer of ours that goes on under the same numbers.
#[test]
fn early_transport() {
    let stream = "751f239e-4ae0-c549-aa3d-890de772998b";
    let mut bob = bob(&BOTH, stream, Direction::SendOnly);
    bob.remote(offer_of(include_str!("rfc9429/offer-c1.sdp")));
    bob.local(None);
    assert_eq!(local(&bob), media(include_str!("rfc9429/answer-c1.sdp")));
    let ids: Vec<_> = bob.negotiator.transceivers().map(|it| it.id()).collect();
    for id in ids {
        let done = bob.negotiator.set_direction(id, Direction::SendRecv);
        assert_eq!(done, Ok(true));
    }
    assert!(bob.negotiator.negotiation_needed());
    let offer = bob.offer().sdp;
    assert_eq!(media(&offer), media(include_str!("rfc9429/offer-c2.sdp")));
    bob.local(None);
    let answer = include_str!("rfc9429/answer-c2.sdp");
    bob.remote(crate::support::answer_of(answer));
    assert!(!bob.negotiator.negotiation_needed());
    let mut agreed = bob.negotiator.transceivers();
    assert!(agreed.all(|it| it.current_direction() == Some(Direction::SendRecv)));
}

/// An offer of ours with one section of video, whose lines about RTP are these.
fn with_video(section: &str) -> String {
    let mut offerer = Peer::with('a', equipped);
    let init = TransceiverInit::default();
    let added = offerer
        .negotiator
        .add_transceiver(MediaKind::Video, Origin::Init, init);
    added.expect("it is equipped");
    let offer = offerer.offer().sdp;
    let kept = [
        "v=",
        "o=",
        "s=",
        "t=",
        "a=ice",
        "a=group",
        "a=fingerprint",
        "a=setup",
    ];
    let head = lines(&offer, &kept).join("\r\n");
    let section = section
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join("\r\n");
    format!("{head}\r\n{section}\r\na=mid:0\r\na=rtcp-mux\r\n")
}

fn answered(offer: String, config: impl FnOnce(Config) -> Config) -> Vec<String> {
    let mut answerer = Peer::with('b', config);
    let init = TransceiverInit::default();
    let added = answerer
        .negotiator
        .add_transceiver(MediaKind::Video, Origin::Track, init);
    added.expect("it is equipped");
    answerer.remote(offer_of(offer));
    answerer.local(None);
    let sdp = answerer
        .negotiator
        .local_description()
        .expect("an answer")
        .sdp;
    let wanted = ["m=", "a=rid", "a=simulcast", "a=rtpmap", "a=fmtp"];
    lines(&sdp, &wanted)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

/// [4.4.1.6-28] RFC 8853 §3.2: two layers sent, one of them with an alternative, one taken.
#[test]
fn simulcast_both_ways() {
    let offer = with_video(
        "m=video 49300 RTP/AVP 97 98 99
        a=rtpmap:97 H264/90000
        a=rtpmap:98 H264/90000
        a=rtpmap:99 VP8/90000
        a=fmtp:97 profile-level-id=42c01f;max-fs=3600;max-mbps=108000
        a=fmtp:98 profile-level-id=42c00b;max-fs=240;max-mbps=3600
        a=fmtp:99 max-fs=240; max-fr=30
        a=rid:1 send pt=97;max-width=1280;max-height=720
        a=rid:2 send pt=98;max-width=320;max-height=180
        a=rid:3 send pt=99;max-width=320;max-height=180
        a=rid:4 recv pt=97
        a=simulcast:send 1;2,3 recv 4",
    );
    let h264 = Capabilities {
        codecs: vec![Codec::new("H264", 90_000).parameters("profile-level-id=42c01f")],
        extensions: Vec::new(),
    };
    let answer = answered(offer, |config| config.media(MediaKind::Video, h264));
    assert_eq!(
        answer,
        [
            "m=video 9 RTP/AVP 97 98",
            "a=rtpmap:97 H264/90000",
            "a=fmtp:97 profile-level-id=42c01f",
            "a=rtpmap:98 H264/90000",
            "a=fmtp:98 profile-level-id=42c00b",
            "a=rid:4 send pt=97",
            "a=rid:1 recv pt=97;max-width=1280;max-height=720",
            "a=rid:2 recv pt=98;max-width=320;max-height=180",
            "a=simulcast:send 4 recv 1;2",
        ]
    );
}

/// RFC 8853 §5.6.2, figure 7, the second camera: three layers, of which two start paused, and retransmissions for each.
#[test]
fn simulcast_paused() {
    let offer = with_video(
        "m=video 49602 RTP/AVPF 96 104
        a=rtpmap:96 VP8/90000
        a=fmtp:96 max-fs=3600; max-fr=30
        a=rtpmap:104 rtx/90000
        a=fmtp:104 apt=96;rtx-time=200
        a=rid:1 send max-fs=921600;max-fps=30
        a=rid:2 send max-fs=614400;max-fps=15
        a=rid:3 send max-fs=230400;max-fps=30
        a=simulcast:send 1;~3;~2",
    );
    assert_eq!(
        answered(offer, equipped),
        [
            "m=video 9 RTP/AVPF 96 104",
            "a=rtpmap:96 VP8/90000",
            "a=rtpmap:104 rtx/90000",
            "a=fmtp:104 apt=96;rtx-time=200",
            "a=rid:1 recv max-fs=921600;max-fps=30",
            "a=rid:3 recv max-fs=230400;max-fps=30",
            "a=rid:2 recv max-fs=614400;max-fps=15",
            "a=simulcast:recv 1;~3;~2",
        ]
    );
}

/// RFC 8853 §5.6.1, figures 5 and 6: layers told apart by payload types alone.
#[test]
fn simulcast_by_payload_type() {
    let offer = with_video(
        "m=video 49300 RTP/AVP 97 98
        a=rtpmap:97 H264/90000
        a=rtpmap:98 H264/90000
        a=fmtp:97 profile-level-id=42c01f;max-fs=3600;max-mbps=108000
        a=fmtp:98 profile-level-id=42c00b;max-fs=240;max-mbps=3600
        a=imageattr:97 send [x=1280,y=720] recv [x=1280,y=720]
        a=imageattr:98 send [x=320,y=180] recv [x=320,y=180]
        a=rid:1 send pt=97
        a=rid:2 send pt=98
        a=rid:3 recv pt=97
        a=simulcast:send 1;2 recv 3
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    );
    let h264 = Capabilities {
        codecs: vec![Codec::new("H264", 90_000).parameters("profile-level-id=42c01f")],
        extensions: Vec::new(),
    };
    assert_eq!(
        answered(offer, |config| config.media(MediaKind::Video, h264)),
        [
            "m=video 9 RTP/AVP 97 98",
            "a=rtpmap:97 H264/90000",
            "a=fmtp:97 profile-level-id=42c01f",
            "a=rtpmap:98 H264/90000",
            "a=fmtp:98 profile-level-id=42c00b",
            "a=rid:3 send pt=97",
            "a=rid:1 recv pt=97",
            "a=rid:2 recv pt=98",
            "a=simulcast:send 3 recv 1;2",
        ]
    );
}

/// RFC 8853 §5.6.2, figure 7, the first camera: a layer that depends on another, in a codec that we do not have, and one with an alternative,
/// which starts paused.
#[test]
fn simulcast_of_several_codecs() {
    let offer = with_video(
        "m=video 49600 RTP/AVPF 100 101 103
        a=rtpmap:100 H264-SVC/90000
        a=rtpmap:101 H264/90000
        a=rtpmap:103 VP8/90000
        a=fmtp:100 profile-level-id=42400d;max-fs=3600;max-mbps=216000;mst-mode=NI-TC
        a=fmtp:101 profile-level-id=42c00d;max-fs=3600;max-mbps=108000
        a=fmtp:103 max-fs=900; max-fr=30
        a=rid:1 send pt=100;max-width=1280;max-height=720;max-fps=60;depend=2
        a=rid:2 send pt=101;max-width=1280;max-height=720;max-fps=30
        a=rid:3 send pt=101;max-width=640;max-height=360
        a=rid:4 send pt=103;max-width=640;max-height=360
        a=depend:100 lay bar:101
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=rtcp-fb:* ccm pause nowait
        a=simulcast:send 1;2;~4,3",
    );
    assert_eq!(
        answered(offer, equipped),
        [
            "m=video 9 RTP/AVPF 103",
            "a=rtpmap:103 VP8/90000",
            "a=rid:4 recv pt=103;max-width=640;max-height=360",
            "a=simulcast:recv ~4",
        ]
    );
}

/// RFC 8853 §5.6.3, figure 8: sound as well comes in two streams, with redundancy; of the second we have but what goes beside a codec.
/// Each stream of pictures is taken in the first of its forms that we have; parity of that kind we do not have.
#[test]
fn simulcast_with_redundancy() {
    let sound = "m=audio 49200 RTP/AVP 97 98 99 100 101 102
        a=mid:foo
        a=rtpmap:97 G711/8000
        a=rtpmap:98 LPC/8000
        a=rtpmap:99 OPUS/48000/1
        a=rtpmap:100 RED/8000/1
        a=rtpmap:101 CN/8000
        a=rtpmap:102 telephone-event/8000
        a=fmtp:99 useinbandfec=1;usedtx=0
        a=fmtp:100 97/98
        a=fmtp:102 0-15
        a=ptime:20
        a=maxptime:40
        a=rid:1 send pt=99,102;max-br=64000
        a=rid:2 send pt=100,97,101,102
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=simulcast:send 1;2
        a=rtcp-mux
        ";
    let pictures = "m=video 49600 RTP/AVPF 103 104 105 106 107
        a=rtpmap:103 H264/90000
        a=rtpmap:104 VP8/90000
        a=rtpmap:105 rtx/90000
        a=rtpmap:106 rtx/90000
        a=rtpmap:107 flexfec/90000
        a=fmtp:103 profile-level-id=42c00d;max-fs=3600;max-mbps=108000
        a=fmtp:104 max-fs=3600; max-fr=30
        a=fmtp:105 apt=103;rtx-time=200
        a=fmtp:106 apt=104;rtx-time=200
        a=fmtp:107 repair-window=100000
        a=rid:1 send pt=103;max-width=1280;max-height=720;max-fps=30
        a=rid:2 send pt=104;max-width=1280;max-height=720;max-fps=30
        a=rid:3 send pt=103;max-width=640;max-height=360;max-br=300000
        a=rid:4 send pt=104;max-width=640;max-height=360;max-br=300000
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
        a=rtcp-fb:* ccm pause nowait
        a=simulcast:send 1,2;3,4";
    let offer = with_video(&format!("{sound}{pictures}"));
    let offer = offer.replace("BUNDLE 0", "BUNDLE foo 0");
    let audio = Capabilities {
        codecs: vec![
            Codec::new("opus", 48_000).parameters("useinbandfec=1"),
            Codec::new("CN", 8000),
            Codec::new("telephone-event", 8000).parameters("0-15"),
        ],
        extensions: Vec::new(),
    };
    let answer = answered(offer, |config| {
        equipped(config).media(MediaKind::Audio, audio)
    });
    assert_eq!(
        answer,
        [
            "m=audio 9 RTP/AVP 99",
            "a=rtpmap:99 OPUS/48000/1",
            "a=fmtp:99 useinbandfec=1",
            "a=rid:1 recv pt=99;max-br=64000",
            "a=simulcast:recv 1",
            "m=video 9 RTP/AVPF 104 106",
            "a=rtpmap:104 VP8/90000",
            "a=rtpmap:106 rtx/90000",
            "a=fmtp:106 apt=104;rtx-time=200",
            "a=rid:2 recv pt=104;max-width=1280;max-height=720;max-fps=30",
            "a=rid:4 recv pt=104;max-width=640;max-height=360;max-br=300000",
            "a=simulcast:recv 2;4",
        ]
    );
}
