//! Messages of many streams, and their resets.

use std::ops::Range;

use oxirtc_sctp::{
    Ssn,
    packet::{ChunkKind, Data, ForwardTsn, Reconfig, Request, ResetResult, Sack},
};

use crate::{
    Attack, MUCH, TINY, data, leave, list, messages, reset, steps,
    victim::{Victim, WHOLE},
};

/// Of long packets.
pub(crate) fn long() -> Attack {
    let attack = Attack::beside(
        "long: the answer to a reset of many streams, and requests for others",
        MUCH,
        resets,
        |v, buf, _| {
            answer(v, buf);
            let first = v.tsn.0.wrapping_sub(1);
            for chunk in 0..103u32 {
                let add = |by| Request::AddOutgoing {
                    sequence: first.wrapping_add(2 * chunk + by),
                    count: 0,
                };
                Reconfig::write(buf, [add(0), add(1)].into_iter());
            }
        },
    );
    Attack {
        victim: Victim::sending,
        ..attack.once()
    }
}

pub(crate) fn attacks() -> Vec<Attack> {
    let mut all = messages_of_streams();
    all.extend(resetting());
    all
}

fn messages_of_streams() -> Vec<Attack> {
    vec![
        Attack::beside(
            "messages out of turn",
            2500,
            |v, state| {
                for offset in 0..state as u32 {
                    v.data(offset, WHOLE, (1, 1 + offset as u16), b"x");
                }
            },
            |v, buf, number| {
                for chunk in 0..TINY {
                    let offset = 25_000 + number * TINY + chunk;
                    let ssn = 30_000 - (number * TINY + chunk) as u16;
                    data(buf, v.tsn.advanced(offset), WHOLE, (1, ssn), b"x");
                }
            },
        ),
        Attack::beside(
            "the first of messages that wait",
            3000,
            |v, state| waiting(v, 1..state as u16),
            |v, buf, _| data(buf, v.tsn, WHOLE, (1, 0), b"x"),
        )
        .once(),
        Attack::beside(
            "messages of one stream given up, FORWARD TSN",
            3000,
            |v, state| waiting(v, 1..state as u16),
            |v, buf, _| {
                let streams = std::iter::once((1, Ssn(31_000)));
                ForwardTsn::write(buf, v.tsn, streams);
            },
        )
        .once(),
        Attack::beside(
            "messages on streams that nobody reads",
            900,
            |v, state| messages(v, state, 0),
            |v, buf, number| {
                for chunk in 0..TINY {
                    let offset = 9000 + number * TINY + chunk;
                    let stream = (offset * 7 % 65_000) as u16;
                    let flags = WHOLE | Data::UNORDERED;
                    data(buf, v.tsn.advanced(offset), flags, (stream, 0), b"x");
                }
            },
        ),
        Attack::beside(
            "duplicates",
            900,
            |v, state| messages(v, state, 0),
            |v, buf, number| {
                for chunk in 0..TINY {
                    data(buf, v.tsn.advanced(number + chunk), WHOLE, (1, 0), b"x");
                }
            },
        ),
        Attack::beside(
            "FORWARD TSN over many streams",
            900,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let tsn = v.tsn.advanced(10_000 + number);
                let streams = (0..270u16).map(|it| (it * 30 + number as u16, Ssn(9)));
                ForwardTsn::write(buf, tsn, streams);
            },
        ),
    ]
}

/// Ordered messages out of turn, a byte each.
fn waiting(victim: &mut Victim, numbers: Range<u16>) {
    for number in numbers {
        victim.data(number.into(), WHOLE, (1, number), b"x");
    }
}

fn resetting() -> Vec<Attack> {
    vec![
        Attack::beside(
            "all streams reset, again and again",
            // So many that no step is the last.
            6000,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                reset(buf, first.wrapping_add(number), v.tsn, &[]);
            },
        ),
        Attack::beside(
            "streams with messages reset",
            6000,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                reset(buf, first.wrapping_add(number), v.tsn, &list());
            },
        ),
        Attack::beside(
            "a reset that waits, asked for again and again",
            900,
            |v, state| messages(v, state, 5),
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                let far = v.tsn.advanced(50_000);
                reset(buf, first.wrapping_add(number), far, &list());
            },
        ),
        Attack::beside(
            "a stream with a message of many parts reset",
            1600,
            |v, state| {
                // The number is out of turn.
                for offset in (1..state as u32).rev() {
                    let flags = if offset as usize == state - 1 {
                        Data::END
                    } else {
                        0
                    };
                    v.data(offset, flags, (1, 1), b"x");
                }
                v.data(0, Data::BEGIN, (1, 1), b"x");
            },
            |v, buf, number| {
                let first = v.tsn.0.wrapping_sub(1);
                reset(buf, first.wrapping_add(number), v.tsn, &[0, 1]);
            },
        )
        .once(),
        Attack {
            victim: Victim::sending,
            ..Attack::beside(
                "the answer to a reset of many streams",
                MUCH,
                resets,
                |v, buf, _| answer(v, buf),
            )
            .once()
        },
    ]
}

/// So many streams were used, far apart, and our reset of as many of them as a request names waits for its answer.
fn resets(v: &mut Victim, state: usize) {
    let stream = |number: usize| (number * 40_503 % 65_521) as u16;
    leave(v, (0..state).map(stream));
    let all = v.last.advanced(state as u32);
    v.put(|buf| {
        let (none, no) = (std::iter::empty(), std::iter::empty());
        Sack::write(buf, 1150, (all, 1 << 20), none, no);
    });
    steps(v);
    assert_eq!(v.pair.ends[0].total_unacknowledged(), 0);
    let streams = Vec::from_iter((0..256).map(|it| stream(it * (state / 256))));
    let now = v.pair.now;
    assert_eq!(v.pair.ends[0].reset_streams(now, &streams), Ok(()));
    let asked = v.answer();
    let asked = asked.iter().find(|it| it.0 == ChunkKind::RECONFIG);
    let asked = asked.and_then(|it| Reconfig::parse(&it.1)?.requests().next()?);
    if let Some(Request::OutgoingReset { sequence, .. }) = asked {
        v.request = sequence;
    }
}

/// The answer to it.
fn answer(v: &Victim, buf: &mut Vec<u8>) {
    let answer = Request::Response {
        sequence: v.request,
        result: ResetResult::PERFORMED,
    };
    Reconfig::write(buf, std::iter::once(answer));
}
