//! What is a description and what is not, line by line; every error names its line.

use oxirtc_sdp::{
    Address, Attribute, Candidate, CandidateKind, Direction, Group, Payload, Reason, RidDirection,
    Session, TcpType, Transport,
};

const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

fn error(text: &str) -> (u32, Reason) {
    let error = Session::parse(text).expect_err(text);
    (error.line, error.reason)
}

/// The first lines are fixed and a timing line must come.
#[test]
fn head() {
    assert_eq!(error(""), (1, Reason::Missing('v')));
    assert_eq!(error("\r\n\r\n"), (1, Reason::Missing('v')));
    assert_eq!(
        error("o=- 1 1 IN IP4 0.0.0.0\r\n"),
        (1, Reason::Missing('v'))
    );
    assert_eq!(error("v=1\r\n"), (1, Reason::Version));
    assert_eq!(error("v=0\r\n"), (2, Reason::Missing('o')));
    assert_eq!(error("v=0\r\ns=-\r\n"), (2, Reason::Missing('o')));
    assert_eq!(
        error("v=0\r\no=- x 1 IN IP4 0.0.0.0\r\n"),
        (2, Reason::Origin)
    );
    assert_eq!(error("v=0\r\no=- 1 1 IN IP4\r\n"), (2, Reason::Origin));
    assert_eq!(error("v=0\r\no=- 1 1 IN IP4 a b\r\n"), (2, Reason::Origin));
    assert_eq!(
        error("v=0\r\no=- 1 1 IN IP4 a\r\nt=0 0\r\n"),
        (3, Reason::Missing('s'))
    );
    assert_eq!(
        error("v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\n"),
        (4, Reason::Missing('t'))
    );
    assert_eq!(
        error("v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nm=audio 9 RTP/AVP 0\r\n"),
        (4, Reason::Missing('t'))
    );
    let session = Session::parse(HEAD).expect("a head alone");
    assert_eq!(session.media_count(), 0);
    assert_eq!(session.origin().session_version, "2");
    assert_eq!(session.origin().to_string(), "- 1 2 IN IP4 127.0.0.1");

    for end in ["\r\n", "\n", "\r", "", "\r\n\r\n\n"] {
        let text = format!("{}{end}", HEAD.trim_end());
        let read = Session::parse(&text).expect("however the last line ends");
        assert_eq!(read.to_string(), session.to_string(), "{end:?}");
    }
}

/// One wrong line behind a right head: its number and the reason.
#[test]
fn lines() {
    let attribute = Reason::Attribute;
    for (line, reason) in [
        ("nonsense", Reason::NotALine),
        ("", Reason::NotALine),
        ("ab=1", Reason::NotALine),
        ("=1", Reason::NotALine),
        ("7=1", Reason::NotALine),
        (" a=mid:0", Reason::NotALine),
        ("é=1", Reason::NotALine),
        ("a=x\0", Reason::ControlCharacter),
        ("a=x\ry", Reason::ControlCharacter),
        ("v=0", Reason::Misplaced('v')),
        ("o=- 1 1 IN IP4 a", Reason::Misplaced('o')),
        ("t=0", Reason::Timing),
        ("t=0 x", Reason::Timing),
        ("c=IN IP4", Reason::Connection),
        ("b=AS", Reason::Bandwidth),
        ("b=AS:x", Reason::Bandwidth),
        ("m=audio", Reason::Media),
        ("m=audio 9", Reason::Media),
        ("m=audio 9 RTP/AVP", Reason::Media),
        ("m=audio 9 RTP/AVP ", Reason::Media),
        ("m=audio 65536 RTP/AVP 0", Reason::Media),
        ("m=audio -1 RTP/AVP 0", Reason::Media),
        ("m=audio +9 RTP/AVP 0", Reason::Media),
        ("m=audio 9/x RTP/AVP 0", Reason::Media),
        ("m=au(dio 9 RTP/AVP 0", Reason::Media),
        ("m=audio 9 RTP//AVP 0", Reason::Media),
        ("a=", Reason::AttributeName),
        ("a=(x)", Reason::AttributeName),
        ("a=(x):1", Reason::AttributeName),
        ("a=rtpmap:128 X/1", attribute("rtpmap")),
        ("a=rtpmap:0", attribute("rtpmap")),
        ("a=rtpmap:0 X", attribute("rtpmap")),
        ("a=rtpmap:0 X/y", attribute("rtpmap")),
        ("a=rtpmap", attribute("rtpmap")),
        ("a=fmtp:0", attribute("fmtp")),
        ("a=mid:", attribute("mid")),
        ("a=mid:a b", attribute("mid")),
        ("a=mid", attribute("mid")),
        ("a=group:", attribute("group")),
        ("a=setup:maybe", attribute("setup")),
        ("a=tls-id:short", attribute("tls-id")),
        ("a=fingerprint:sha-256 AB", attribute("fingerprint")),
        ("a=fingerprint:sha-999 AB:C", attribute("fingerprint")),
        ("a=fingerprint:sha-999 +A", attribute("fingerprint")),
        ("a=fingerprint:sha-999", attribute("fingerprint")),
        ("a=sctp-port:65536", attribute("sctp-port")),
    ] {
        let text = format!("{HEAD}{line}\r\na=after\r\n");
        assert_eq!(error(&text), (5, reason), "{line:?}");
    }
    let media = format!("{HEAD}m=audio 9 RTP/AVP 0\r\n");
    for kind in ['t', 'u', 'e', 'p', 'r', 'z', 's'] {
        assert_eq!(
            error(&format!("{media}{kind}=0 0\r\n")),
            (6, Reason::Misplaced(kind))
        );
    }
    assert_eq!(
        error(&format!("{media}\r\n\r\na=x\r\n")).0,
        6,
        "blank lines inside are none"
    );
}

/// A malformed line of a hint, of what has a default, or of what its owner has ignored: it is kept, known
/// as malformed, no value is made of it, and the description stands.
#[test]
fn lines_that_spoil_only_themselves() {
    for line in [
        "rtcp-fb:200 nack",
        "rtcp-fb:*",
        "rtcp:x",
        "rtcp:9 IN",
        "extmap:0 urn:x",
        "extmap:300 urn:x",
        "extmap:1/sideways urn:x",
        "extmap:1",
        "ssrc:4294967296 cname:x",
        "ssrc:1",
        "ssrc-group:FID",
        "ssrc-group:FID 1 x",
        "rid:a b",
        "rid:a/b send",
        "simulcast:send",
        "simulcast:send a;;b",
        "simulcast:send a send b",
        "simulcast:send a recv b c",
        "imageattr:96",
        "imageattr:96 both *",
        "ptime:x",
        "maxptime:-1",
        "msid:",
        "msid:a b c",
        "msid-semantic:",
        "ice-ufrag:abc",
        "ice-ufrag:ab cd",
        "ice-pwd:tooshort",
        "ice-options:",
        "ice-pacing:x",
        "remote-candidates:1 a",
        "candidate:x",
        "max-message-size:-1",
        "sctpmap:5000",
        "identity:",
        "crypto:",
        "candidate",
        "ice-ufrag",
        "max-message-size",
    ] {
        let text = format!("{HEAD}a={line}\r\nm=audio 9 RTP/AVP 0\r\na={line}\r\n");
        let session = Session::parse(&text).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(session.to_string(), text);
        let (name, value) = match line.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (line, None),
        };
        let malformed = Attribute::Malformed { name, value };
        assert_eq!(
            session.header().attributes().next(),
            Some(malformed.clone())
        );
        let media = session.media_at(0).expect("a section");
        assert_eq!(media.attributes().next(), Some(malformed.clone()));
        assert_eq!(
            (malformed.name(), malformed.to_string()),
            (name, line.to_owned())
        );
    }
    let text = format!("{HEAD}a=max-message-size:\r\na=max-message-size:7\r\n");
    let session = Session::parse(&text).expect("the second line holds");
    assert_eq!(session.header().max_message_size(), Some(7));
}

/// Known attributes in every shape that is allowed, printed back canonically.
#[test]
fn attributes() {
    for text in ATTRIBUTES {
        let attribute = Attribute::parse(text).expect(text);
        assert_eq!(attribute.to_string(), *text);
        assert!(text.starts_with(attribute.name()));
    }
    let odd = Attribute::parse("msid-semantic: WMS  a").expect("a space that browsers write");
    assert_eq!(odd.to_string(), "msid-semantic:WMS a");
    let Ok(Attribute::Simulcast(simulcast)) = Attribute::parse("simulcast:recv c send 1,~4;2")
    else {
        panic!("simulcast")
    };
    let first: Vec<_> = simulcast
        .streams(RidDirection::Send)
        .next()
        .expect("two streams")
        .collect();
    assert_eq!((first[1].id, first[1].paused, first.len()), ("4", true, 2));
    let Ok(Attribute::ExtMap(extension)) = Attribute::parse("extmap:2/recvonly urn:x") else {
        panic!("extmap")
    };
    assert_eq!(extension.direction, Some(Direction::RecvOnly));
    let Ok(Attribute::RtcpFeedback(feedback)) = Attribute::parse("rtcp-fb:96 nack pli") else {
        panic!("rtcp-fb")
    };
    assert_eq!(
        (feedback.payload, feedback.parameter),
        (Payload::Type(96), Some("pli"))
    );
    let Ok(Attribute::Fmtp(fmtp)) = Attribute::parse("fmtp:96 a=1; b ;c = 2") else {
        panic!("fmtp")
    };
    assert!(
        fmtp.pairs()
            .eq([("a", Some("1")), ("b", None), ("c", Some("2"))])
    );
    let Ok(Attribute::MaxMessageSize(size)) =
        Attribute::parse("max-message-size:99999999999999999999999")
    else {
        panic!("max-message-size")
    };
    assert_eq!(
        size,
        u64::MAX,
        "more than 64 bits is as good as all of them"
    );
}

/// The views: levels are kept apart, port 0 rejects unless bundle-only.
#[test]
fn views() {
    let text = format!(
        "{HEAD}a=group:BUNDLE a b\r\na=setup:active\r\nm=audio 0 RTP/AVP 0 8\r\nb=TIAS:64000\r\na=mid:a\r\n\
         m=video 0 X 1\r\nc=IN IP6 ::1\r\na=mid:b\r\na=bundle-only\r\nm=message 9/2 TCP/MSRP *\r\ni=x\r\nk=y\r\nx=kept\r\n"
    );
    let session = Session::parse(&text).expect("three sections");
    let media: Vec<_> = session.media().collect();
    assert_eq!(media.len(), 3);
    assert!(media[0].is_rejected() && !media[1].is_rejected() && !media[2].is_rejected());
    assert_eq!((media[2].media(), media[2].port()), ("message", 9));
    assert!(media[0].formats().eq(["0", "8"]));
    assert_eq!(
        media[0].bandwidths().next().map(|it| it.value),
        Some(64_000)
    );
    assert_eq!(media[1].connection().map(|it| it.address), Some("::1"));
    assert!(media[0].setup().is_none() && session.header().setup().is_some());
    assert_eq!(media[1].lines().next().map(|line| line.number), Some(10));
    assert_eq!(session.into_iter().count(), text.lines().count());
    assert!(
        session
            .header()
            .groups()
            .next()
            .is_some_and(|it: Group<'_>| it.mids().eq(["a", "b"]))
    );
    assert_eq!(session.to_string(), text);
    assert!(!format!("{session:?} {:?}", media[0]).contains("BUNDLE"));
}

/// [4.8.1.1-01] [4.8.1.1-02] The candidate attribute: names, IPv6, TCP types, unknown extensions.
#[test]
fn candidates() {
    for text in [
        "candidate:1 1 udp 2122260223 192.0.2.1 54321 typ host",
        "candidate:a+/Z 2 tcp 1 2001:db8::1 9 typ srflx raddr :: rport 0 tcptype active",
        "candidate:0 1 udp 0 8d2f2e8c-1b8c-4c4a-8c26-8c8d8d5d7d11.local 65535 typ host generation 0 ufrag abcd network-cost 999",
        "candidate:1 1 udp 1 turn.example.org 0 typ relay raddr 192.0.2.1 rport 1",
        "candidate:1 1 sctp 1 192.0.2.1 1 typ new",
        "candidate:1 1 udp 1 192.0.2.1 1 typ prflx lonely",
        // RFC 8839 §5.1: addresses and extensions that nobody knows are kept
        "candidate:1 1 udp 1 fe80::1%eth0 1 typ host",
        "candidate:1 1 udp 1 a@b 1 typ host",
        "candidate:1 1 udp 1 192.0.2.1 1 typ srflx raddr fe80::1%2 rport 9",
        "candidate:1 1 udp 1 192.0.2.1 1 typ srflx raddr ::1 rport x",
        "candidate:1 1 udp 1 192.0.2.1 1 typ srflx rport x 1 udp rport 7",
        "candidate:1 1 udp 1 192.0.2.1 1 typ host rport 9",
        "candidate:1 1 tcp 1 192.0.2.1 1 typ host tcptype quic",
    ] {
        assert_eq!(Candidate::parse(text).expect(text).to_string(), text);
    }
    let candidate = Candidate::parse(
        "candidate:1 1 UDP 9 host.local 1 typ srflx raddr 10.0.0.1 rport 7 tcptype so x y ufrag me",
    )
    .expect("all of it");
    assert_eq!(candidate.transport, Transport::Udp);
    assert_eq!(candidate.address, Address::Name("host.local".to_owned()));
    assert_eq!(candidate.kind, CandidateKind::ServerReflexive);
    assert_eq!(
        candidate.related,
        Some((Address::Ip([10, 0, 0, 1].into()), 7))
    );
    assert_eq!(candidate.tcp_type, Some(TcpType::SimultaneousOpen));
    assert_eq!(candidate.extension("ufrag"), Some("me"));
    assert_eq!(candidate.extension("none"), None);
    let zone = Candidate::parse("candidate:1 1 udp 1 fe80::1%eth0 1 typ host").expect("a zone");
    assert_eq!(zone.address, Address::Other("fe80::1%eth0".to_owned()));
    let odd = "candidate:1 1 tcp 1 192.0.2.1 1 typ host tcptype quic raddr ::1 rport x";
    let odd = Candidate::parse(odd).expect("odd extensions");
    assert_eq!((odd.tcp_type, odd.related.as_ref()), (None, None));
    assert_eq!(odd.extension("tcptype"), Some("quic"));
}

/// RFC 5234 §2.3: the words that the grammar quotes have no case; what stands for them is printed as the
/// grammar has it.
#[test]
fn words_have_no_case() {
    let loud = "candidate:1 1 TCP 1 192.0.2.1 9 TYP SRFLX RADDR 10.0.0.1 RPORT 7 TCPTYPE ACTIVE";
    let quiet = "candidate:1 1 tcp 1 192.0.2.1 9 typ srflx raddr 10.0.0.1 rport 7 tcptype active";
    let candidate = Candidate::parse(loud).expect("loud");
    assert_eq!(candidate.to_string(), quiet);
    assert_eq!(Candidate::parse(quiet), Ok(candidate));
    for (word, kind) in [
        ("Host", CandidateKind::Host),
        ("PRFLX", CandidateKind::PeerReflexive),
        ("Relay", CandidateKind::Relayed),
        ("other", CandidateKind::Other("other".to_owned())),
    ] {
        let text = format!("candidate:1 1 udp 1 192.0.2.1 1 typ {word}");
        assert_eq!(Candidate::parse(&text).expect(word).kind, kind);
    }
    let Ok(Attribute::ExtMap(extension)) = Attribute::parse("extmap:2/SendOnly urn:x") else {
        panic!("extmap")
    };
    assert_eq!(extension.direction, Some(Direction::SendOnly));
    // RFC 8866 §6: the names of attributes have
    assert!(matches!(
        Attribute::parse("SENDONLY"),
        Ok(Attribute::Other { .. })
    ));
}

/// A candidate that came alone is one line: nothing of it begins another.
#[test]
fn candidates_are_one_line() {
    let good = "candidate:1 1 udp 1 192.0.2.1 1 typ host";
    for text in [
        format!("{good}\r\nm=audio 9 RTP/AVP 0"),
        format!("{good}\n"),
        format!("{good}\r"),
        format!("{good} generation\u{0}0"),
        good.replace(" typ", "\r\ntyp"),
    ] {
        assert_eq!(
            Candidate::parse(&text),
            Err(Reason::ControlCharacter),
            "{text:?}"
        );
    }
}

/// [4.8.1-03] [4.8.1-04] [4.8.1-05] What is no candidate attribute; the prefix alone is required.
#[test]
fn not_candidates() {
    for text in [
        "",
        "candidate:",
        "a=candidate:1 1 udp 1 192.0.2.1 1 typ host",
        "1 1 udp 1 192.0.2.1 1 typ host",
        "Candidate:1 1 udp 1 192.0.2.1 1 typ host",
        "candidate:1 1 udp 1 192.0.2.1 1",
        "candidate:1 1 udp 1 192.0.2.1 1 typ",
        "candidate:1 1 udp 1 192.0.2.1 1 tip host",
        "candidate:1 x udp 1 192.0.2.1 1 typ host",
        "candidate:1 123456 udp 1 192.0.2.1 1 typ host",
        "candidate:1 1 udp 4294967296 192.0.2.1 1 typ host",
        "candidate:1 1 udp 12345678901 192.0.2.1 1 typ host",
        "candidate:1 1 udp 1 192.0.2.1 65536 typ host",
        "candidate:1 1 udp 1 192.0.2.1 -1 typ host",
        "candidate:1 1 u(p 1 192.0.2.1 1 typ host",
        "candidate:1 1 udp 1 192.0.2.1 1 typ (host)",
        "candidate:123456789012345678901234567890123 1 udp 1 192.0.2.1 1 typ host",
    ] {
        assert_eq!(
            Candidate::parse(text),
            Err(Reason::Attribute("candidate")),
            "{text:?}"
        );
    }
}

const ATTRIBUTES: &[&str] = &[
    "end-of-candidates",
    "ice-lite",
    "ice-mismatch",
    "bundle-only",
    "rtcp-mux",
    "rtcp-mux-only",
    "rtcp-rsize",
    "extmap-allow-mixed",
    "sendrecv",
    "sendonly",
    "recvonly",
    "inactive",
    "ice-ufrag:abcd",
    "ice-pwd:0123456789012345678901",
    "ice-options:trickle ice2",
    "ice-pacing:50",
    "remote-candidates:1 10.0.0.1 9 2 x.example 10",
    "setup:holdconn",
    "tls-id:abc3de65cddef001be82",
    "identity:eyJpZHAi",
    "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
    "sctp-port:5000",
    "max-message-size:0",
    "sctpmap:5000 webrtc-datachannel 1024",
    "sctpmap:5000 webrtc-datachannel",
    "mid:{audio}",
    "group:BUNDLE",
    "group:LS a b",
    "msid:-",
    "msid:a b",
    "msid-semantic:WMS *",
    "rtpmap:111 opus/48000/2",
    "rtpmap:0 PCMU/8000",
    "fmtp:111 minptime=10;useinbandfec=1",
    "ptime:20",
    "maxptime:2.5",
    "rtcp:9",
    "rtcp:9 IN IP6 ::1",
    "rtcp-fb:* nack",
    "rtcp-fb:96 ccm fir",
    "rtcp-fb:96 trr-int 100",
    "extmap:1 urn:x",
    "extmap:4096/inactive urn:x a b",
    "rid:1 send",
    "rid:a_-B recv pt=96;max-width=1280",
    "simulcast:send 1,~4;2;3 recv c",
    "simulcast:recv a",
    "ssrc:1 cname:a b",
    "ssrc:4294967295 x",
    "ssrc-group:FID 1 2",
    "imageattr:* send * recv [x=[128:16:352],y=[64:8:288]]",
    "x-unknown",
    "x-unknown:",
    "sctp-init:AQAA",
    "fingerprint:sha-999 aB:0c",
    "rtcp-mux:odd",
];

/// Directions as both ends see them, and what is in two of them.
#[test]
fn directions() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for (direction, reversed) in [
        (SendRecv, SendRecv),
        (SendOnly, RecvOnly),
        (RecvOnly, SendOnly),
        (Inactive, Inactive),
    ] {
        assert_eq!(direction.reversed(), reversed);
        assert_eq!(
            Direction::new(direction.sends(), direction.receives()),
            direction
        );
        assert_eq!(direction.and(SendRecv), direction);
        assert_eq!(direction.and(Inactive), Inactive);
        assert_eq!(direction.and(direction), direction);
    }
    assert_eq!(SendOnly.and(RecvOnly), Inactive);
}
