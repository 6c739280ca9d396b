//! What a sender holds of what its owner gave.

use std::time::Duration;

use oxirtc_sctp::{Config, Reliability, SendOptions, packet::Sack};

use crate::{held, most_of_steps, support::Sides as _, victim::Victim};

/// Messages whose life ends midway leave the send buffer, and others come. The peer says nothing, so what has left of each stays in flight.
pub(crate) fn what_is_given_up_keeps_no_message() {
    const BUFFER: usize = 16 << 20;
    let mut victim = Victim::sending_pieces(Config::default().send_buffer(BUFFER));
    let options = SendOptions {
        ordered: false,
        reliability: Reliability::Lifetime(Duration::from_millis(1)),
    };
    let (before, mut most) = (held(), 0);
    for stream in 0..100 {
        let (now, side) = (victim.pair.now, &mut victim.pair.ends[0]);
        for lane in 0..70 {
            let payload = vec![7; 256 << 10].into();
            if side
                .send(now, 70 * stream + lane, 53, payload, options)
                .is_err()
            {
                break;
            }
        }
        victim.answer();
        victim.pair.main_events(0);
        most = most.max(held() - before);
        victim.pair.now += Duration::from_millis(1);
        most_of_steps(&mut victim);
    }
    let stats = victim.pair.ends[0].stats();
    println!(
        "messages given up, {} of which {} bytes are in flight: {most}",
        stats.abandoned_sent, stats.in_flight
    );
    assert!(stats.abandoned_sent > 50 && stats.in_flight > 100_000);
    assert!(most < (BUFFER + (4 << 20)) as i64, "{most}");
}

/// The peer acknowledges all but the first message, again and again, and the owner goes on with messages of a byte: the record of each stays,
/// as the peer may take it back.
pub(crate) fn records_of_what_has_come_beyond_a_gap_count() {
    const BUFFER: usize = 64 << 10;
    let mut victim = Victim::new(Config::default().send_buffer(BUFFER));
    let sent = |victim: &Victim| {
        let stats = victim.pair.ends[0].stats();
        stats.data_chunks_sent - stats.retransmissions
    };
    let (before, first) = (held(), sent(&victim));
    let mut most = 0;
    for _ in 0..400 {
        let (now, side) = (victim.pair.now, &mut victim.pair.ends[0]);
        let mut send = |stream| side.send(now, stream, 53, vec![7].into(), SendOptions::default());
        let _taken = (0..7).cycle().find(|stream| send(*stream).is_err());
        victim.answer();
        victim.pair.main_events(0);
        victim.pair.now += Duration::from_millis(1);
        let last = u16::try_from(sent(&victim) - first).unwrap_or(u16::MAX);
        let (cumulative, none) = (victim.last, std::iter::empty());
        let blocks = std::iter::once((2, last)).filter(|_| last >= 2);
        victim.put(|buf| Sack::write(buf, 1150, (cumulative, 1 << 20), blocks, none));
        most_of_steps(&mut victim);
        most = most.max(held() - before);
    }
    let kept = sent(&victim) - first;
    println!("{kept} messages of a byte, all but the first of which have come: {most}");
    assert!(kept > 400, "{kept}");
    assert!(most < 6 * BUFFER as i64, "{most}");
}
