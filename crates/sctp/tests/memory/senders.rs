//! What a sender holds of what its owner gave.

use std::time::Duration;

use oxirtc_sctp::{Config, Reliability, SendOptions};

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
