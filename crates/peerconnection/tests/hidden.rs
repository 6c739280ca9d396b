//! What of media can be read from outside: header extensions in the open, encrypted one by one (RFC 6904), or whole (RFC 9335).
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod pair;

use oxirtc_netsim::{End, Link, ms};
use oxirtc_peerconnection::{Configuration, MediaKind, engine::Settings};

use pair::{
    Pair,
    media::{Microphone, ONE, connect},
};

/// As Rust's own level in the open is: 33 and a voice, or without one.
const LEVEL: u8 = 33;

/// What of the packets of a call was seen on its way: whether their extensions are marked as Cryptex, and whether a level could be read.
struct Seen {
    cryptex: bool,
    level: bool,
    /// How many were heard with their level.
    heard: usize,
}

/// A call in which side 0 speaks, with these settings at both ends.
fn call(settings: [Settings; 2]) -> Seen {
    let configuration = Configuration::default;
    let configurations = [configuration(), configuration()];
    let mut pair = Pair::with_each(1, Link::new(1).delay(ms(10)), configurations, settings);
    let engine = &mut pair.ends[0].engine;
    let here = engine.add_track(MediaKind::Audio, ONE, Vec::new()).unwrap();
    let there = connect(&mut pair);
    pair.sent = Some(Vec::new());
    let mut microphone = Microphone::default();
    assert!(microphone.speak(&mut pair, [here, there], 100, Some(LEVEL)) > 90);
    let sent = pair.sent.take().unwrap();
    let is_rtp = |it: &[u8]| it[0] >= 128 && !(64..96).contains(&(it[1] & 0x7f));
    let rtp: Vec<_> = sent
        .iter()
        .filter(|it| it.from == End::A && is_rtp(&it.datagram) && it.datagram[0] & 0x10 != 0)
        .collect();
    assert!(rtp.len() > 90);
    let profile = |datagram: &[u8]| u16::from_be_bytes([datagram[12], datagram[13]]);
    let extension = |datagram: &[u8]| {
        let words = usize::from(u16::from_be_bytes([datagram[14], datagram[15]]));
        datagram[16..16 + 4 * words].to_vec()
    };
    let engine = &pair.ends[1].engine;
    let now = pair.now;
    let heard = engine
        .sources(now, there)
        .iter()
        .filter(|it| it.audio_level.is_some())
        .count();
    Seen {
        cryptex: rtp
            .iter()
            .any(|it| [0xc0de, 0xc2de].contains(&profile(&it.datagram))),
        // One byte of length one, whose value is the level.
        level: rtp.iter().all(|it| {
            let bytes = extension(&it.datagram);
            bytes
                .windows(2)
                .any(|it| it[0] & 15 == 0 && it[0] >> 4 != 0 && it[1] & 0x7f == LEVEL)
        }),
        heard,
    }
}

/// RFC 9335: by setting of both ends, and the other end reads all the same.
#[test]
fn cryptex_hides_all_extensions() {
    let on = || Settings::default().cryptex(true);
    let seen = call([on(), on()]);
    assert!(seen.cryptex && !seen.level && seen.heard == 1);
    for settings in [[on(), Settings::default()], [Settings::default(), on()]] {
        let seen = call(settings);
        assert!(
            !seen.cryptex && seen.level && seen.heard == 1,
            "one end does not take it"
        );
    }
}

/// RFC 6904: levels alone, by setting of both ends.
#[test]
fn levels_are_hidden_one_by_one() {
    let on = || Settings::default().encrypted_levels(true);
    let seen = call([on(), on()]);
    assert!(!seen.cryptex && !seen.level && seen.heard == 1);
    let seen = call([on(), Settings::default()]);
    assert!(!seen.cryptex && seen.level && seen.heard == 1);
}
