//! Time as the measure of loss (RFC 8985).

use std::time::{Duration, Instant};

use super::{super::flown::PacketNo, rtt::Rtt};
use crate::tx::outstanding::Batch;

/// What was delivered last, and how far out of order the path delivers.
#[derive(Debug)]
pub(crate) struct Rack {
    /// The newest packet that arrived, and the round trip it had.
    newest: PacketNo,
    newest_at: Option<Instant>,
    round_trip: Duration,
    /// Something that was sent earlier has arrived later.
    reordering: bool,
    /// In quarters of the least round trip.
    multiplier: u32,
    /// For how many episodes more.
    persist: u32,
    /// The multiplier grows once a round trip: next when this packet has arrived.
    widened_at: PacketNo,
    /// The three newest packets that arrived.
    strikes: [PacketNo; 3],
}

impl Rack {
    pub(crate) fn new() -> Self {
        Self {
            newest: 0,
            newest_at: None,
            round_trip: Duration::ZERO,
            reordering: false,
            multiplier: 1,
            persist: 0,
            widened_at: 0,
            strikes: [0; 3],
        }
    }

    /// The newest packet that is known to have arrived.
    pub(crate) fn newest(&self) -> PacketNo {
        self.newest
    }

    pub(crate) fn round_trip(&self) -> Duration {
        self.round_trip
    }

    pub(crate) fn note(&mut self, batch: &Batch) {
        self.reordering |= batch.reordered;
        if let Some((packet, at, age)) = batch.newest
            && packet > self.newest
        {
            (self.newest, self.newest_at, self.round_trip) = (packet, Some(at), age);
        }
        for packet in batch.strikes {
            let [first, second, third] = self.strikes;
            self.strikes = match packet {
                it if it > first => [it, first, second],
                it if it > second && it < first => [first, it, second],
                it if it > third && it < second => [first, second, it],
                _ => self.strikes,
            };
        }
        // RFC 8985 §6.2 step 4: what was sent again came twice: the window was too narrow.
        if batch.duplicate && self.newest >= self.widened_at {
            self.multiplier = (self.multiplier + 1).min(MAX_MULTIPLIER);
            self.persist = PERSIST;
            self.widened_at = self.newest + 1;
        }
    }

    /// How much later than what was sent after it a packet may arrive.
    pub(crate) fn window(&self, packet: PacketNo, in_episode: bool, rtt: &Rtt) -> Duration {
        let [.., third] = self.strikes;
        // RFC 9260 §7.2.4: three packets that were sent later have arrived.
        if !self.reordering && (in_episode || packet < third) {
            return Duration::ZERO;
        }
        let smoothed = rtt.smoothed().unwrap_or_default();
        (rtt.least() / 4 * self.multiplier).min(smoothed)
    }

    pub(crate) fn episode_ended(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.multiplier = 1;
        }
    }
}

/// RACK.reo_wnd_persist of RFC 8985 §6.2 step 4, in recoveries.
const PERSIST: u32 = 16;
const MAX_MULTIPLIER: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    const MS: Duration = Duration::from_millis(1);

    fn rtt(sample: Duration) -> Rtt {
        let mut rtt = Rtt::new(&Config::default().timing);
        rtt.packet_measured(oxirtc_netsim::epoch(), (1, sample), 2);
        rtt
    }

    fn arrived(packet: PacketNo) -> Batch {
        Batch {
            newest: Some((packet, oxirtc_netsim::epoch(), MS * 40)),
            ..Batch::default()
        }
    }

    /// RFC 8985 §6.2 step 4.
    #[test]
    fn the_window_is_nothing_until_there_is_reordering() {
        let (mut rack, rtt) = (Rack::new(), rtt(MS * 40));
        rack.note(&Batch {
            strikes: [9, 8, 7],
            ..arrived(9)
        });
        assert_eq!(
            rack.window(6, false, &rtt),
            Duration::ZERO,
            "three later ones"
        );
        assert_eq!(rack.window(7, false, &rtt), MS * 10, "two");
        assert_eq!(rack.window(7, true, &rtt), Duration::ZERO, "in a recovery");
        rack.note(&Batch {
            reordered: true,
            ..Batch::default()
        });
        assert_eq!(rack.window(6, true, &rtt), MS * 10);
    }

    /// RFC 8985 §6.2 step 2: an older packet that arrives later is no newer one.
    #[test]
    fn the_newest_stays_the_newest() {
        let mut rack = Rack::new();
        for packet in [9, 5] {
            rack.note(&arrived(packet));
            assert_eq!(rack.newest(), 9);
        }
    }

    #[test]
    fn duplicates_widen_it_once_a_round_trip_and_for_a_while() {
        let (mut rack, rtt) = (Rack::new(), rtt(MS * 40));
        rack.reordering = true;
        let twice = |packet| Batch {
            duplicate: true,
            ..arrived(packet)
        };
        rack.note(&twice(1));
        assert_eq!(rack.window(1, true, &rtt), MS * 20);
        rack.note(&twice(1));
        assert_eq!(
            rack.window(1, true, &rtt),
            MS * 20,
            "of the same round trip"
        );
        for _ in 0..15 {
            rack.episode_ended();
        }
        assert_eq!(rack.window(1, true, &rtt), MS * 20);
        rack.episode_ended();
        assert_eq!(rack.window(1, true, &rtt), MS * 10);
        for packet in 2..100 {
            rack.note(&twice(packet));
        }
        assert_eq!(rack.multiplier, 16);
        assert_eq!(rack.window(1, true, &rtt), MS * 40, "a round trip at most");
    }
}
