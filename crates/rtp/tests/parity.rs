//! Redundancy and parity between two sessions: what is lost comes back without being asked for.

mod support;

use oxirtc_netsim::{Link, for_each_seed, ms, percent};
use oxirtc_rtp::{Carries, Encoding, Format, Protection};

use support::{Camera, Film as _, Pair, VIDEO, check, encoding, video};

const PARITY: [(u8, Carries); 3] = [
    (35, Carries::Flexfec),
    (98, Carries::Red),
    (99, Carries::Ulpfec),
];

fn protected(seed: u64, flex: bool, loss: u32) -> (Pair, Camera) {
    set(seed, flex, loss, Protection::Always)
}

fn set(seed: u64, flex: bool, loss: u32, protect: Protection) -> (Pair, Camera) {
    let mut pair = Pair::video(seed, &Link::new(0).delay(ms(100)).loss(percent(loss)));
    let format = |payload_type, role| Format {
        payload_type,
        role,
        clock: 90_000,
    };
    let mut section = video();
    section.protect = protect;
    section.feedback.nack = false;
    if flex {
        section.formats.push(format(35, Carries::Flexfec));
    } else {
        section.formats.push(format(98, Carries::Red));
        section.formats.push(format(99, Carries::Ulpfec));
    }
    pair.ends[0].set_section(VIDEO, section.clone());
    pair.ends[1].set_section(VIDEO, section);
    let encoding = Encoding {
        fec: flex.then_some(1002),
        ..encoding(1000, 0)
    };
    pair.ends[0].set_encodings(VIDEO, &[encoding]);
    (pair, Camera::new(0, 5000))
}

#[test]
fn parity_brings_back_what_is_lost() {
    for flex in [false, true] {
        let mut whole = 0;
        for_each_seed(6, |seed| {
            let (mut pair, mut camera) = protected(seed, flex, 2);
            pair.film(&mut camera, 4000);
            let frames = &pair.ends[1].frames;
            assert!(frames.iter().all(|it| check(it) == 0));
            let (_, _, stats) = pair.ends[1].receive_stats(VIDEO).next().expect("a stream");
            assert!(stats.recovered > 3 && stats.parity > 50, "{stats:?}");
            assert!(
                stats.parity_unused + stats.recovered <= stats.parity,
                "{stats:?}"
            );
            let made = camera.count;
            assert!(frames.len() > 95, "flex {flex}: {} of {made}", frames.len());
            whole += frames.len();
            let (_, _, sent) = pair.ends[0].send_stats(VIDEO).next().expect("a stream");
            assert!(sent.parity > 100 && sent.resent == 0);
        });
        // One seed has more to give up than another. What parity does not mend costs the pictures of a round trip and the camera's answer,
        // as nothing is sent again here: of 121 some 110 are what is left. Behind its frame parity is worth a picture less on
        // average than within it, and a lost one makes no frame incomplete.
        assert!(whole > 6 * 105, "flex {flex}: {whole}");
    }
}

/// Packets may be as long as can be: parity of those would be longer, and is left out, without holding anything up.
#[test]
fn parity_that_is_too_long_holds_nothing_up() {
    for flex in [false, true] {
        let longest = |pair: &Pair| pair.ends[0].sent.iter().map(Vec::len).max();
        let (mut pair, mut camera) = protected(1, flex, 0);
        pair.film(&mut camera, 1000);
        // Media is shorter than that.
        let largest = longest(&pair).expect("packets") - 1;
        let (mut pair, mut camera) = protected(1, flex, 0);
        pair.ends[0].set_largest(largest);
        pair.film(&mut camera, 2000);
        assert!(longest(&pair) <= Some(largest), "flex {flex}");
        let (frames, made) = (pair.ends[1].frames.len(), camera.count as usize);
        assert!(frames + 5 >= made, "flex {flex}: {frames} of {made}");
        let (_, _, sent) = pair.ends[0].send_stats(VIDEO).next().expect("a stream");
        assert_eq!(sent.dropped_large, 0, "{sent:?}");
    }
}

/// A peer that sends with what it was only offered is understood, its parity as well.
#[test]
fn parity_that_was_only_offered_is_used() {
    for flex in [false, true] {
        let (mut pair, mut camera) = protected(1, flex, 3);
        let mut section = video();
        section.feedback.nack = false;
        let agreed = section.formats.len();
        for (payload_type, role) in PARITY {
            section.left_out.push(Format {
                payload_type,
                role,
                clock: 90_000,
            });
        }
        assert_eq!(section.formats.len(), agreed);
        pair.ends[1].set_section(VIDEO, section);
        pair.film(&mut camera, 4000);
        let (_, _, stats) = pair.ends[1].receive_stats(VIDEO).next().expect("a stream");
        assert!(stats.recovered > 3, "flex {flex}: {stats:?}");
        assert!(pair.ends[1].frames.iter().all(|it| check(it) == 0));
    }
}

#[test]
fn without_loss_parity_changes_nothing() {
    for flex in [false, true] {
        let (mut pair, mut camera) = protected(1, flex, 0);
        pair.film(&mut camera, 1000);
        assert!(
            pair.ends[1].frames.len() >= 27,
            "{}",
            pair.ends[1].frames.len()
        );
        let (_, _, stats) = pair.ends[1].receive_stats(VIDEO).next().expect("a stream");
        assert_eq!(
            (
                stats.recovered,
                stats.lost,
                stats.frames_dropped,
                stats.malformed
            ),
            (0, 0, 0, 0)
        );
        // Parity within RED has numbers of the stream, and counts among its packets at both ends.
        pair.run(500, |_, _| {});
        let (_, _, stats) = pair.ends[1].receive_stats(VIDEO).next().expect("a stream");
        let (_, _, sent) = pair.ends[0].send_stats(VIDEO).next().expect("a stream");
        assert_eq!((stats.packets, stats.parity), (sent.packets, sent.parity));
        // Nothing was missing; what came before anything was noted waits for it.
        let unused = stats.parity_unused;
        assert!(
            unused <= stats.parity && unused + 16 >= stats.parity,
            "{unused}"
        );
        let beside = if flex { sent.parity } else { 0 };
        assert_eq!(sent.packets + beside, pair.ends[0].sent.len() as u64);
    }
}

/// Parity costs as long as there is something to win, and only then are copies kept for it.
#[test]
fn parity_comes_with_losses() {
    for flex in [false, true] {
        let (mut pair, mut camera) = set(1, flex, 0, Protection::WhenLost);
        pair.film(&mut camera, 4000);
        let sent = |pair: &Pair| {
            let (_, _, stats) = pair.ends[0].send_stats(VIDEO).next().expect("a stream");
            stats.parity
        };
        assert_eq!(sent(&pair), 0);
        let (mut pair, mut camera) = set(1, flex, 8, Protection::WhenLost);
        pair.film(&mut camera, 8000);
        let (_, _, stats) = pair.ends[1].receive_stats(VIDEO).next().expect("a stream");
        assert!(sent(&pair) > 50 && stats.recovered > 3, "{stats:?}");
        let (mut pair, mut camera) = set(1, flex, 8, Protection::Never);
        pair.film(&mut camera, 4000);
        assert_eq!(sent(&pair), 0);
    }
}

/// ULPFEC takes numbers of the stream, which nobody sends again: within a frame a lost one would make it incomplete, so they come behind
/// it. FlexFEC has numbers of its own.
#[test]
fn parity_within_the_stream_comes_behind_its_frame() {
    for flex in [false, true] {
        let (mut pair, mut camera) = protected(1, flex, 0);
        // Key frames of some thirty packets, which have several of parity.
        camera.size = 8000;
        pair.film(&mut camera, 30);
        let payload_types = pair.ends[0].sent.iter().map(|it| it[1] & 0x7f);
        let parity: Vec<bool> = match flex {
            true => payload_types.map(|it| it == 35).collect(),
            false => pair.ends[0]
                .sent
                .iter()
                .map(|it| it.windows(2).skip(12).take(24).any(|it| it[0] == 99))
                .collect(),
        };
        let end = pair.ends[0].sent.iter().position(|it| it[1] & 0x80 != 0);
        let end = end.expect("a last packet");
        let (within, behind) = parity.split_at(end + 1);
        let count = |of: &[bool]| of.iter().filter(|it| **it).count();
        assert!(end >= 25, "{end}");
        assert_eq!(count(within) > 0, flex, "{parity:?}");
        assert!(count(behind) >= if flex { 1 } else { 3 }, "{parity:?}");
    }
}
