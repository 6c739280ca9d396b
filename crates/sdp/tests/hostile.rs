//! Whatever comes: no panic, the same lines back, bounded cost.

use std::time::{Duration, Instant};

use oxirtc_sdp::{Attribute, Candidate, Session};
use proptest::{collection::vec, prelude::*, sample::Index};

const OFFER: &str = include_str!("recorded/firefox-esr-153.7.0.offer-simulcast-rid.sdp");

fn look_at(session: &Session, text: &str) {
    // Blank lines at the end are not kept, nor half of the last line's end.
    let text = text.strip_suffix('\r').unwrap_or(text);
    let lines = text.lines().take_while(|line| !line.is_empty());
    assert!(session.to_string().lines().eq(lines));
    for section in session
        .media()
        .map(|media| media.section())
        .chain([session.header()])
    {
        for attribute in section.attributes() {
            let printed = attribute.to_string();
            let again = Attribute::parse(&printed).expect("what is printed is read");
            assert_eq!(again.to_string(), printed);
        }
    }
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(300))]

    /// Any text.
    #[test]
    fn any_text(text in "\\PC*") {
        let _ = Session::parse(&text);
        let _ = Candidate::parse(&format!("candidate:{text}"));
        let _ = Attribute::parse(&text);
    }

    /// Lines of the right shape with any value.
    #[test]
    fn any_lines(lines in vec("[a-z]=[ -~]{0,40}", 0..40)) {
        let text = format!("v=0\no=- 1 1 IN IP4 a\ns=-\nt=0 0\n{}\n", lines.join("\n"));
        if let Ok(session) = Session::parse(&text) {
            look_at(&session, &text);
        }
    }

    /// A browser's offer with some bytes replaced, removed or doubled.
    /// Known failure 43.
    #[test]
    fn mutated(edits in vec((any::<Index>(), 0..3_u8, any::<u8>()), 1..8)) {
        let mut bytes = OFFER.as_bytes().to_vec();
        for (place, kind, byte) in edits {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => drop(bytes.remove(place)),
                _ => bytes.insert(place, byte),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(session) = Session::parse(&text) {
            look_at(&session, &text);
        }
    }

    /// A candidate of any fields is read back equal.
    #[test]
    fn candidate_round_trip(
        foundation in "[a-zA-Z0-9+/]{1,32}", component: u16, priority: u32, port: u16,
        address in "[a-z0-9.-]{1,40}", extensions in vec(("[a-qs-z]{1,9}", "[!-~]{1,9}"), 0..4),
    ) {
        let mut text = format!("candidate:{foundation} {component} udp {priority} {address} {port} typ host");
        for (name, value) in &extensions {
            prop_assume!(name != "tcptype");
            text.push_str(&format!(" {name} {value}"));
        }
        let candidate = Candidate::parse(&text).expect("correct");
        prop_assert_eq!(&candidate.extensions, &extensions);
        prop_assert_eq!(Candidate::parse(&candidate.to_string()), Ok(candidate));
    }
}

/// 1 MB, 1,000 sections, and lines as short as they come: time in proportion to the length.
/// A tenth of a second each, where what grows with the square takes minutes. The bound allows for a machine that
/// has other work.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test of time")]
fn cost() {
    let head = "v=0\no=- 1 1 IN IP4 a\ns=-\nt=0 0\n";
    let section = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:x\na=setup:actpass\n";
    let filler = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host generation 0\n".repeat(17);
    for text in [
        format!("{head}{}", format!("{section}{filler}").repeat(1000)),
        format!("{head}{}", "a=x\n".repeat(250_000)),
        format!("{head}{}", "m=a 0 b c\n".repeat(100_000)),
        format!("{head}a=group:BUNDLE{}\n", " x".repeat(500_000)),
        format!("{head}a=fingerprint:x 00{}\n", ":00".repeat(330_000)),
    ] {
        let before = Instant::now();
        let session = Session::parse(&text).expect("correct");
        assert!(session.header().lines().count() >= 4);
        assert!(
            before.elapsed() < Duration::from_secs(30),
            "{:?}",
            before.elapsed()
        );
    }
    let long = "x".repeat(Session::MAX_LENGTH + 1);
    assert_eq!(Session::parse(&long).expect_err("too long").line, 1);
}
