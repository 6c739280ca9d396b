//! Fingerprints as descriptions have them: at session and media level, for the client and the server of DTLS.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod pair;

use std::time::Duration;

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, OfferOptions, PeerConnectionState, SessionDescription,
    engine::{DtlsVersion, Settings},
};
use pair::Pair;

/// Where lines stand in a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Session,
    Media,
}

/// One row of the matrix.
struct Case {
    name: &'static str,
    /// `a=fingerprint:` lines without what all begin with.
    lines: Vec<String>,
    accepted: bool,
}

const fn case(name: &'static str, lines: Vec<String>, accepted: bool) -> Case {
    Case {
        name,
        lines,
        accepted,
    }
}

/// The rows, for a certificate whose fingerprint is `right`, in SHA-256.
fn matrix(right: &str) -> Vec<Case> {
    let flipped = |digit: &str| if digit == "0" { "1" } else { "0" };
    let wrong = format!("{}{}", flipped(&right[..1]), &right[1..]);
    let other = ["5A"; 32].join(":");
    let sha_1 = &right[..59];
    let sha_512 = ["5A"; 64].join(":");
    let sha_256 = |value: &str| format!("sha-256 {value}");
    vec![
        case("right", vec![sha_256(right)], true),
        case("lower case", vec![sha_256(&right.to_lowercase())], true),
        case(
            "upper case",
            vec![format!("SHA-256 {}", right.to_uppercase())],
            true,
        ),
        case("one bit off", vec![sha_256(&wrong)], false),
        case("of another", vec![sha_256(&other)], false),
        case("missing", vec![], false),
        case("empty", vec![sha_256("")], false),
        case("cut", vec![sha_256(sha_1)], false),
        case("SHA-1 only", vec![format!("sha-1 {sha_1}")], false),
        case("unknown hash", vec![format!("sha3-256 {right}")], false),
        case(
            "unknown hash and right",
            vec![format!("sha3-256 {other}"), sha_256(right)],
            true,
        ),
        case(
            "two of which one fits",
            vec![sha_256(&other), sha_256(right)],
            true,
        ),
        case(
            "the stronger is wrong",
            vec![sha_256(right), format!("sha-512 {sha_512}")],
            false,
        ),
    ]
}

/// The fingerprint of a description, and the description without any.
fn taken_out(description: &SessionDescription) -> (String, Vec<String>) {
    let value = |line: &str| Some(line.strip_prefix("a=fingerprint:sha-256 ")?.to_owned());
    let right = description.sdp.lines().find_map(value).unwrap();
    let others = description.sdp.lines().filter(|it| value(it).is_none());
    (right, others.map(str::to_owned).collect())
}

/// The description with these lines at a level.
fn told(description: &SessionDescription, level: Level, lines: &[String]) -> SessionDescription {
    let (_, mut text) = taken_out(description);
    let section = text.iter().position(|it| it.starts_with("m=")).unwrap();
    let at = match level {
        Level::Session => section,
        Level::Media => text.len(),
    };
    let lines = lines.iter().map(|it| format!("a=fingerprint:{it}"));
    text.splice(at..at, lines);
    let mut sdp = text.join("\r\n");
    sdp.push_str("\r\n");
    SessionDescription {
        kind: description.kind,
        sdp,
    }
}

/// Two engines of which `judge` is told something else about the other's certificate. Whether the description was taken, and
/// what became of it.
fn meet(
    judge: usize,
    is_client: bool,
    version: DtlsVersion,
    tell: impl Fn(&SessionDescription) -> SessionDescription,
) -> (bool, Pair) {
    let settings = Settings::default().dtls_versions(&[version]);
    let configurations = [(); 2].map(|()| Configuration::default());
    let mut pair = Pair::with(1, Link::new(1).delay(ms(10)), configurations, settings);
    pair.open(0, "a", &DataChannelInit::default());
    let mut offer = pair.offer(0, &OfferOptions::default()).unwrap();
    // Who is active is the client.
    let offerer_is_client = (judge == 0) == is_client;
    let setup = if offerer_is_client {
        "a=setup:active"
    } else {
        "a=setup:passive"
    };
    offer.sdp = offer.sdp.replace("a=setup:actpass", setup);
    if judge == 1 {
        offer = tell(&offer);
    }
    let Ok(mut answer) = pair.answer(1, offer) else {
        return (false, pair);
    };
    if judge == 0 {
        answer = tell(&answer);
    }
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    if engine.set_remote_description(now, answer).is_err() {
        return (false, pair);
    }
    pair.exchange();
    // In 1.2 a certificate comes in the clear: what is wrong with it is doubted for 5 s, as anybody may have sent it.
    pair.run(Duration::from_secs(8));
    (true, pair)
}

fn check(name: &str, accepted: bool, judge: usize, taken: bool, pair: &Pair) {
    let end = &pair.ends[judge];
    let opened = end.story().contains(&"open".to_owned()) || !end.channels.is_empty();
    if accepted {
        assert!(
            taken && end.is_connected() && opened,
            "{name}: {:?}",
            end.story()
        );
        return;
    }
    assert!(
        !opened && end.inbox.is_empty(),
        "{name}: not a byte of the other"
    );
    let state = end.engine.connection_state();
    assert!(
        !taken || state == PeerConnectionState::Failed,
        "{name}: {state:?}"
    );
}

/// [5.5-06], known failures 5 and 6: every row, in either version, at both levels, whoever judges and in either role.
#[test]
fn only_the_right_certificate_connects_at_whatever_level_it_is_told() {
    for version in VERSIONS {
        for (judge, is_client) in [(0, true), (0, false), (1, true), (1, false)] {
            for level in [Level::Session, Level::Media] {
                every_row(version, judge, is_client, level);
            }
        }
    }
}

fn every_row(version: DtlsVersion, judge: usize, is_client: bool, level: Level) {
    for row in 0..matrix(&["00"; 32].join(":")).len() {
        let names = matrix(&["00"; 32].join(":"));
        let name = format!(
            "{} at {level:?} level, {version:?}, {judge}, client: {is_client}",
            names[row].name
        );
        let tell = |description: &SessionDescription| {
            let (right, _) = taken_out(description);
            told(description, level, &matrix(&right)[row].lines)
        };
        let (taken, pair) = meet(judge, is_client, version, tell);
        check(&name, names[row].accepted, judge, taken, &pair);
    }
}

const VERSIONS: [DtlsVersion; 2] = [DtlsVersion::Dtls12, DtlsVersion::Dtls13];

/// RFC 8122 §5: what a section says of itself counts, and not what the session says.
#[test]
fn a_section_overrides_the_session() {
    let other = format!("sha-256 {}", ["5A"; 32].join(":"));
    for (session_is_right, version) in [true, false]
        .into_iter()
        .flat_map(|right| VERSIONS.map(|version| (right, version)))
    {
        for judge in [0, 1] {
            let tell = |description: &SessionDescription| {
                let right = format!("sha-256 {}", taken_out(description).0);
                let (session, media) = match session_is_right {
                    true => (right, other.clone()),
                    false => (other.clone(), right),
                };
                let mut described = told(description, Level::Media, &[media]);
                let line = format!("\r\na=fingerprint:{session}\r\nm=");
                described.sdp = described.sdp.replacen("\r\nm=", &line, 1);
                described
            };
            let (taken, pair) = meet(judge, true, version, tell);
            let name = format!("the session is right: {session_is_right}");
            check(&name, !session_is_right, judge, taken, &pair);
        }
    }
}
