//! What is said of what we sent.

use std::time::Duration;

use oxirtc_sctp::{Reliability, SendOptions, Tsn, packet::Sack};

use crate::{Attack, MUCH, steps, support::Sides as _, under_way, victim::Victim};

/// SACKs of more and more that is under way.
pub(crate) fn attacks() -> Vec<Attack> {
    let sack = |name, prepare, packet| Attack {
        victim: Victim::sending,
        ..Attack::beside(name, MUCH, prepare, packet).once()
    };
    vec![
        sack("SACK of all that is under way", under_way, |v, buf, _| {
            acknowledge(buf, v.last.advanced(v.sent), &[]);
        }),
        sack("SACK of all but the first", under_way, |v, buf, _| {
            acknowledge(buf, v.last, &[(2, v.sent as u16)]);
        }),
        sack("SACK of the last alone", under_way, |v, buf, _| {
            let last = v.sent as u16;
            acknowledge(buf, v.last, &[(last - 9, last)]);
        }),
        sack(
            "SACK that closes a gap",
            |v, state| {
                under_way(v, state);
                let last = v.last;
                v.put(|buf| acknowledge(buf, last, &[(2, state as u16)]));
                steps(v);
            },
            |v, buf, _| acknowledge(buf, v.last.advanced(v.sent), &[]),
        ),
        sack(
            "SACK that takes back what was beyond a gap",
            |v, state| {
                under_way(v, state);
                let last = v.last;
                v.put(|buf| acknowledge(buf, last, &[(2, state as u16)]));
                steps(v);
            },
            |v, buf, _| acknowledge(buf, v.last.next(), &[]),
        ),
        sack(
            "SACK that opens a window which messages have outlived",
            outlived,
            |v, buf, _| acknowledge(buf, v.last.advanced(v.sent), &[]),
        ),
    ]
}

/// The window is closed while so many messages outlive their time.
fn outlived(victim: &mut Victim, state: usize) {
    under_way(victim, 1);
    let closed = victim.last.next();
    victim.put(|buf| {
        let (head, none, no) = ((closed, 0), std::iter::empty(), std::iter::empty());
        Sack::write(buf, 1150, head, none, no);
    });
    let options = SendOptions {
        reliability: Reliability::Lifetime(Duration::from_millis(1)),
        ..SendOptions::default()
    };
    // One that lives stands before them, so that nobody comes to them before the window opens.
    victim.pair.say(0, 60, b"x");
    for message in 0..state {
        victim.pair.say_with(0, message as u16, b"x", options);
    }
    victim.pair.now += Duration::from_millis(25);
}

fn acknowledge(buf: &mut Vec<u8>, cumulative: Tsn, gaps: &[(u16, u16)]) {
    let (head, none) = ((cumulative, 1 << 20), std::iter::empty());
    Sack::write(buf, 1150, head, gaps.iter().copied(), none);
}
