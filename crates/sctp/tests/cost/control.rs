//! Chunks beside data, and what ends or restarts an association.

use oxirtc_sctp::{
    Tsn,
    packet::{CauseCode, ChunkKind, Data, Init, Sack},
};

use crate::{Attack, MUCH, chunk, messages, under_way, victim::Victim, waits};

pub(crate) fn attacks() -> Vec<Attack> {
    let mut all = controlling();
    all.extend(ending());
    all
}

/// What ends or restarts an association that has very much.
fn ending() -> Vec<Attack> {
    let restart = |name, prepare| {
        let packet = |v: &Victim, buf: &mut Vec<u8>, _| chunk(buf, 10, &v.cookie);
        Attack::beside(name, MUCH, prepare, packet).once()
    };
    let sending = |attack| Attack {
        victim: Victim::sending,
        ..attack
    };
    vec![
        sending(restart("a restart beside what is under way", |v, state| {
            under_way(v, state);
            v.init();
        })),
        restart("a restart beside what waits", |v, state| {
            waits(v, state);
            v.init();
        }),
        restart(
            "a restart beside messages that wait for others",
            |v, state| {
                messages(v, state, 5);
                v.init();
            },
        ),
        restart("a restart beside pieces of messages", |v, state| {
            for offset in 1..state as u32 {
                v.data(offset, Data::END, (1, 0), b"x");
            }
            v.init();
        }),
        Attack {
            ends: true,
            ..Attack::beside("an ABORT", MUCH, waits, |_, buf, _| chunk(buf, 6, &[])).once()
        },
    ]
}

fn controlling() -> Vec<Attack> {
    vec![
        Attack::alone(
            "SACK with blocks and duplicates of what is not there",
            |v, buf, _| {
                let gaps = (0..130u16).map(|it| (2 + 2 * it, 2 + 2 * it));
                let duplicates = (0..130).map(|it| v.last.advanced(it));
                Sack::write(buf, 1150, (v.last, 1 << 20), gaps, duplicates);
            },
        ),
        Attack::alone("chunks that nobody knows", |_, buf, _| {
            (0..280).for_each(|_| chunk(buf, 0xff, &[]))
        }),
        Attack::alone("HEARTBEATs", |_, buf, _| {
            (0..140).for_each(|_| chunk(buf, 4, &[0; 4]))
        }),
        Attack::alone("errors", |_, buf, _| {
            let causes = [0, CauseCode::STALE_COOKIE.0 as u8, 0, 8, 0, 0, 0, 1].repeat(140);
            chunk(buf, 9, &causes);
        }),
        Attack::alone("COOKIE ECHO that is not ours", |_, buf, number| {
            chunk(buf, 10, &[number as u8; 1150])
        }),
        Attack {
            untagged: true,
            ..Attack::alone(
                "INIT with parameters that nobody knows",
                |_, buf, number| init(buf, number, 270),
            )
        },
    ]
}

/// An INIT with so many parameters that nobody knows.
pub(crate) fn init(buf: &mut Vec<u8>, number: u32, parameters: usize) {
    let parameters = [0xc0, 0x77, 0, 4].repeat(parameters);
    Init {
        tag: 1 + number,
        window: 100_000,
        outbound: 1,
        inbound: 1,
        initial_tsn: Tsn(number),
        parameters: &parameters,
    }
    .write(ChunkKind::INIT, buf);
}
