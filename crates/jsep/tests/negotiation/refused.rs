//! Descriptions that break the grammar or cannot be accepted: the error, and that nothing changes.

use oxirtc_jsep::{Description, Error, SdpType};

use crate::support::{Peer, answer_of, connected, offer_of, visible};

const AUDIO: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:x\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\n\
                     a=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:x 00\r\na=setup:actpass\r\n";

/// [4.4.1.6-07] [4.4.1.6-06] The line at fault is named; the state is looked at first.
#[test]
fn syntax() {
    let mut peer = Peer::new('a');
    let before = visible(&peer);
    let offer = Peer::with_channel('b')
        .offer()
        .sdp
        .replace("a=mid:0", "a=mid:0 0");
    let error = peer.negotiator.set_remote(offer_of(offer));
    assert!(
        matches!(error, Err(Error::SdpSyntax { line: 9, .. })),
        "{error:?}"
    );
    assert_eq!(visible(&peer), before);
    let error = peer.negotiator.set_remote(answer_of("nonsense"));
    assert!(matches!(error, Err(Error::InvalidState(_))));
    let error = peer
        .negotiator
        .set_remote(Description::new(SdpType::Offer, ""));
    assert!(matches!(error, Err(Error::SdpSyntax { line: 1, .. })));
}

/// [4.4.1.6-08] [4.4.1.6-10] [4.4.1.6-12] Offers that follow the grammar and cannot be accepted:
/// no fingerprint in any profile, no credentials or malformed ones, no rtcp-mux, broken groups.
/// Known failure 39.
#[test]
fn offers() {
    let data = Peer::with_channel('a').offer().sdp;
    let both = format!("{data}{AUDIO}");
    Peer::new('b').remote(offer_of(both.clone()));
    for (name, sdp) in [
        (
            "RTP/SAVP without a fingerprint",
            without(&both, "fingerprint").replace("UDP/TLS/RTP/SAVPF", "RTP/SAVP"),
        ),
        (
            "RTP/AVP without a fingerprint",
            without(&both, "fingerprint").replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
        ),
        (
            "crypto without a fingerprint",
            format!("{}a=crypto:1 x inline:y\r\n", without(&data, "fingerprint")),
        ),
        ("no fingerprint", without(&data, "fingerprint")),
        ("no ufrag", without(&data, "ice-ufrag")),
        ("no password", without(&data, "ice-pwd")),
        ("no rtcp-mux", without(&both, "rtcp-mux")),
        ("holdconn", data.replace("actpass", "holdconn")),
        ("two of one mid", both.replace("a=mid:x", "a=mid:0")),
        ("an unknown mid", both.replace("BUNDLE 0", "BUNDLE 0 y")),
        ("a mid twice", both.replace("BUNDLE 0", "BUNDLE 0 0")),
        (
            "two groups",
            both.replace("BUNDLE 0", "BUNDLE 0 x\r\na=group:BUNDLE x"),
        ),
        (
            "sections without end",
            format!("{data}{}", "m=x 0 y z\r\n".repeat(5000)),
        ),
    ] {
        refuses(name, sdp);
    }
}

/// [4.4.1.6-10] ICE credentials of other characters or another length, wherever they count.
#[test]
fn credentials() {
    let data = Peer::with_channel('a').offer().sdp;
    for (name, sdp) in [
        (
            "a short ufrag",
            data.replace("a=ice-ufrag:a00", "a=ice-ufrag:a\r\na=x:"),
        ),
        (
            "an odd ufrag",
            data.replace("a=ice-ufrag:a", "a=ice-ufrag:a!"),
        ),
        (
            "a ufrag with a space",
            data.replace("a=ice-ufrag:a", "a=ice-ufrag:a "),
        ),
        (
            "no value of a ufrag",
            data.replace("a=ice-ufrag:", "a=ice-ufrag:\r\na=x:"),
        ),
        (
            "an odd password",
            data.replace("a=ice-pwd:a", "a=ice-pwd:a:"),
        ),
        (
            "a short password",
            data.replace("a=ice-pwd:a0000", "a=ice-pwd:"),
        ),
        (
            "odd credentials below good ones",
            data.replace("a=ice-ufrag:a", "a=ice-ufrag:a!").replace(
                "t=0 0\r\n",
                "t=0 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n",
            ),
        ),
        (
            "odd credentials above all",
            without(&data, "ice-").replace(
                "t=0 0\r\n",
                "t=0 0\r\na=ice-ufrag:ab\"cd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n",
            ),
        ),
    ] {
        refuses(name, sdp);
    }
}

/// A text without the attributes whose names begin so.
fn without(text: &str, name: &str) -> String {
    let kept = |line: &&str| !line.starts_with(&format!("a={name}"));
    text.lines()
        .filter(kept)
        .map(|line| format!("{line}\r\n"))
        .collect()
}

fn refuses(name: &str, sdp: String) {
    let mut peer = Peer::with_channel('b');
    let before = visible(&peer);
    let error = peer.negotiator.set_remote(offer_of(sdp));
    assert!(
        matches!(error, Err(Error::InvalidAccess(_))),
        "{name}: {error:?}"
    );
    assert_eq!(visible(&peer), before, "{name}");
}

/// RFC 9429 §5.1.2: every profile is DTLS-SRTP where there is a fingerprint, and is echoed; keys that stand
/// beside it are not looked at. Deployed peers send both.
/// Known failure 39.
#[test]
fn keys_beside_a_fingerprint() {
    let data = Peer::with_channel('a').offer().sdp;
    let both = format!("{data}{AUDIO}");
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n";
    let mut offers = vec![
        format!("{both}{crypto}"),
        format!("{both}a=key-mgmt:mikey AQ\r\n"),
        both.replace("t=0 0\r\n", &format!("t=0 0\r\n{crypto}")),
        format!("{data}{crypto}"),
        both.replace("a=ice-ufrag:a", "a=ice-ufrag:a-=#_")
            .replace("a=ice-pwd:a", "a=ice-pwd:a-=#_"),
        // a malformed line of something that has a default
        data.replace("max-message-size:262144", "max-message-size:"),
        data.replace("a=mid:0", "a=mid:0\r\na=rtcp-fb:nonsense\r\na=crypto:"),
        // what lives has good ones
        format!(
            "{data}{}",
            AUDIO
                .replace("m=audio 9", "m=audio 0")
                .replace("abcd", "a!")
        ),
    ];
    for profile in [
        "RTP/AVP",
        "RTP/AVPF",
        "RTP/SAVP",
        "RTP/SAVPF",
        "UDP/TLS/RTP/SAVP",
    ] {
        offers.push(both.replace("UDP/TLS/RTP/SAVPF", profile));
    }
    for offer in offers {
        let mut peer = Peer::new('b');
        peer.remote(offer_of(offer.clone()));
        peer.local(None);
        let answer = peer.negotiator.local_description().expect("an answer").sdp;
        assert!(answer.contains("m=application 9 "), "{answer}");
        assert!(!answer.contains("crypto") && !answer.contains("mikey"));
        let audio = |sdp: &str| {
            let line = sdp.lines().find(|it| it.starts_with("m=audio"))?;
            line.split(' ').nth(2).map(str::to_owned)
        };
        assert_eq!(audio(&offer), audio(&answer));
    }
}

/// Credentials of our own with characters that others merely read are not written.
#[test]
fn own_credentials() {
    use oxirtc_jsep::{Config, Credentials, Negotiator, OfferOptions, Source};

    struct Odd;

    impl Source for Odd {
        fn credentials(&mut self) -> Credentials {
            Credentials {
                ufrag: "abc-defg".to_owned(),
                password: "abcdefghijklmnopqrstuvwx".to_owned(),
            }
        }

        fn ssrc(&mut self) -> u32 {
            1
        }
    }

    let mut negotiator = Negotiator::new(Config::new(1, Vec::new()));
    negotiator.add_data_channel();
    let offer = negotiator.create_offer(OfferOptions::default(), &mut Odd);
    assert!(matches!(offer, Err(Error::Operation(_))), "{offer:?}");
}

/// What is rejected anyway need not be acceptable, nor what nobody knows.
#[test]
fn not_judged() {
    let data = Peer::with_channel('a').offer().sdp;
    for section in [
        "m=audio 0 RTP/AVP 0\r\na=mid:x\r\na=crypto:1 x inline:y\r\n",
        "m=text 9 TCP/MRCPv2 1\r\na=mid:x\r\n",
        "m=application 9 UDP/DTLS/SCTP other\r\na=mid:x\r\n",
    ] {
        let mut peer = Peer::new('b');
        peer.remote(offer_of(format!("{data}{section}")));
        peer.local(None);
        let answer = peer.negotiator.local_description().expect("an answer").sdp;
        assert!(answer.contains("m=application 9 UDP/DTLS/SCTP webrtc-datachannel"));
        let head = section.split_once(' ').expect("a port").0;
        assert!(answer.contains(&format!("{head} 0 ")), "{answer}");
    }
    // of two sections for data channels the first is taken
    let second = data
        .split_once("m=")
        .expect("a section")
        .1
        .replace("a=mid:0", "a=mid:1");
    let mut peer = Peer::new('b');
    peer.remote(offer_of(format!("{data}m={second}")));
    peer.local(None);
    let answer = peer.negotiator.local_description().expect("an answer").sdp;
    assert_eq!(answer.matches("m=application 0").count(), 1);
}

/// Answers that do not fit the offer.
#[test]
fn answers() {
    let mut a = Peer::with_channel('a');
    let mut b = Peer::new('b');
    a.local(None);
    b.remote(a.negotiator.local_description().expect("an offer"));
    let answer = b.answer().sdp;
    let (head, _) = answer.split_once("m=").expect("a section");
    let before = visible(&a);
    for (name, sdp) in [
        ("no section", head.replace("a=group:BUNDLE 0\r\n", "")),
        (
            "one more",
            format!("{answer}{}", AUDIO.replace("actpass", "active")),
        ),
        (
            "another kind",
            answer
                .replace("m=application", "m=audio")
                .replace("UDP/DTLS/SCTP", "UDP/TLS/RTP/SAVPF")
                + "a=rtcp-mux\r\n",
        ),
        (
            "another mid",
            answer
                .replace("a=mid:0", "a=mid:1")
                .replace("BUNDLE 0", "BUNDLE 1"),
        ),
        (
            "the role left open",
            answer.replace("setup:active", "setup:actpass"),
        ),
        (
            "no fingerprint",
            answer.replace("a=fingerprint", "a=x-fingerprint"),
        ),
        (
            "another protocol",
            answer
                .replace("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000")
                .replace("a=sctp-port:5000", "a=sctpmap:5000 webrtc-datachannel 1024"),
        ),
        (
            "another transport",
            answer.replace("UDP/DTLS/SCTP", "TCP/DTLS/SCTP"),
        ),
        (
            "an odd ufrag",
            answer.replace("a=ice-ufrag:b", "a=ice-ufrag:b!"),
        ),
    ] {
        for kind in [SdpType::Answer, SdpType::Pranswer] {
            let error = a.negotiator.set_remote(Description::new(kind, sdp.clone()));
            assert!(
                matches!(error, Err(Error::InvalidAccess(_))),
                "{name}: {error:?}"
            );
            assert_eq!(visible(&a), before, "{name}");
        }
    }
    a.remote(answer_of(answer));
}

/// Later offers that do not continue what was negotiated.
#[test]
fn later_offers() {
    let (mut a, mut b) = connected();
    let offer = a.offer().sdp;
    let (head, _) = offer.split_once("m=").expect("a section");
    let before = visible(&b);
    for (name, sdp) in [
        (
            "a section is missing",
            head.replace("a=group:BUNDLE 0\r\n", ""),
        ),
        (
            "another kind",
            format!("{head}{}", AUDIO.replace("a=mid:x", "a=mid:0")),
        ),
        (
            "another mid",
            offer
                .replace("a=mid:0", "a=mid:1")
                .replace("BUNDLE 0", "BUNDLE 1"),
        ),
        (
            "no mid",
            offer
                .replace("a=mid:0\r\n", "")
                .replace("a=group:BUNDLE 0\r\n", ""),
        ),
    ] {
        let error = b.negotiator.set_remote(offer_of(sdp));
        assert!(
            matches!(error, Err(Error::InvalidAccess(_))),
            "{name}: {error:?}"
        );
        assert_eq!(visible(&b), before, "{name}");
    }
    b.remote(offer_of(offer));
}

/// An answer that takes the role that the offer has taken.
#[test]
fn same_role() {
    let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
    b.remote(offer_of(a.offer().sdp.replace("actpass", "active")));
    let answer = b.answer();
    assert!(answer.sdp.contains("a=setup:passive"));
    b.local(answer);
}
