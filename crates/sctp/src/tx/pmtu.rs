//! How long a packet the path carries (RFC 8899).

use std::time::{Duration, Instant};

use super::flown::PacketNo;

/// The search for the longest packet. Sizes are those of SCTP packets, in bytes.
///
/// What every path carries is `safe`: control chunks, what is sent again and each single piece fit that, so nothing is ever
/// stuck, whatever becomes of the path. Only packets with nothing but new data are as long as was found.
#[derive(Debug)]
pub(crate) struct Pmtu {
    safe: usize,
    /// The longest that is of interest.
    ceiling: usize,
    /// What the path is known to carry.
    size: usize,
    phase: Phase,
    /// How long the next pause after a black hole is.
    pause: Duration,
    /// The beginning of the time over which data is counted, and how much it was.
    counted: Option<(Instant, usize)>,
    /// The newest packet over `safe` that has arrived, and how many that left after it were lost.
    newest: PacketNo,
    missing: u32,
}

/// Where the search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It begins with the next probe, at the ceiling.
    Base,
    Searching(Search),
    /// It is over; the path may have become better at this time.
    Complete {
        raise_at: Instant,
    },
    /// Long packets vanish: none are tried before this time.
    Fallen {
        until: Instant,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Search {
    /// What is being tried.
    at: usize,
    /// What is known not to pass.
    high: usize,
    tries: u32,
    probe: Option<Probe>,
    /// It is the size that passed before many vanished.
    suspect: bool,
}

/// A probe that has not been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    nonce: u64,
    sent: Instant,
    /// When it is taken as lost.
    due: Instant,
}

impl Pmtu {
    pub(crate) fn new(safe: usize) -> Self {
        Self {
            safe,
            ceiling: safe,
            size: safe,
            phase: Phase::Base,
            pause: FIRST_PAUSE,
            counted: None,
            newest: 0,
            missing: 0,
        }
    }

    /// Another path, of which nothing is known but what it cannot carry.
    pub(crate) fn begin(&mut self, ceiling: usize) {
        let (counted, newest) = (self.counted, self.newest);
        *self = Self::new(self.safe);
        (self.counted, self.newest) = (counted, newest);
        self.ceiling = ceiling.clamp(self.safe, MAX_PACKET) & !3;
    }

    /// Packets have new numbers from now on.
    pub(crate) fn renumber(&mut self) {
        (self.newest, self.missing) = (0, 0);
    }

    /// How long a packet with new data may be.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// How long a packet with anything else may be.
    pub(crate) fn safe(&self) -> usize {
        self.safe
    }

    /// Data has left.
    pub(crate) fn count(&mut self, now: Instant, bytes: usize) {
        let (since, counted) = self.counted.get_or_insert((now, 0));
        if now.saturating_duration_since(*since) > BULK_TIME {
            (*since, *counted) = (now, 0);
        }
        *counted = counted.saturating_add(bytes);
    }

    /// Whether so much goes out that longer packets are worth a probe.
    fn has_bulk(&self, now: Instant) -> bool {
        self.counted.is_some_and(|(since, counted)| {
            counted >= MIN_BULK && now.saturating_duration_since(since) <= BULK_TIME
        })
    }

    /// How long a probe shall go out now.
    pub(crate) fn wanted(&mut self, now: Instant) -> Option<usize> {
        if self.ceiling <= self.size {
            return None;
        }
        let over = match self.phase {
            Phase::Base => true,
            Phase::Complete { raise_at: at } | Phase::Fallen { until: at } => at <= now,
            Phase::Searching(search) => {
                let waits = search.probe.is_some() || !self.has_bulk(now);
                return (!waits).then_some(search.at);
            }
        };
        if !over || !self.has_bulk(now) {
            return None;
        }
        // From the top, as most paths carry what the link does.
        self.search(self.ceiling, false);
        Some(self.ceiling)
    }

    fn search(&mut self, at: usize, suspect: bool) {
        self.phase = Phase::Searching(Search {
            at,
            high: at + STEP,
            tries: 0,
            probe: None,
            suspect,
        });
    }

    /// The probe has left.
    pub(crate) fn sent(&mut self, now: Instant, nonce: u64, timeout: Duration) {
        if let Phase::Searching(search) = &mut self.phase {
            search.tries += 1;
            search.probe = Some(Probe {
                nonce,
                sent: now,
                // RFC 8899 §5.1.1: not below a second.
                due: now + timeout.max(MIN_PROBE_TIME),
            });
        }
    }

    /// A HEARTBEAT was answered; if it was the probe, how long that took.
    pub(crate) fn answered(&mut self, now: Instant, answer: u64) -> Option<Duration> {
        let Phase::Searching(search) = self.phase else {
            return None;
        };
        let probe = search.probe.filter(|probe| probe.nonce == answer)?;
        self.size = search.at;
        self.missing = 0;
        self.narrow(now, search.high);
        Some(now.saturating_duration_since(probe.sent))
    }

    /// The next size between what passes and what does not.
    fn narrow(&mut self, now: Instant, high: usize) {
        let at = ((self.size + high) / 2) & !3;
        if high <= self.size + STEP || at > self.ceiling {
            let raise_at = now + RAISE;
            self.phase = Phase::Complete { raise_at };
        } else {
            self.phase = Phase::Searching(Search {
                at,
                high,
                tries: 0,
                probe: None,
                suspect: false,
            });
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Searching(search) => search.probe.map(|probe| probe.due),
            _ => None,
        }
    }

    /// Takes a probe that stayed without an answer as lost; true if there was one. RFC 8899 §3: that is no sign of
    /// congestion, and no error of the peer's.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let Phase::Searching(search) = &mut self.phase else {
            return false;
        };
        if search.probe.take_if(|probe| probe.due <= now).is_none() {
            return false;
        }
        if search.tries >= MAX_PROBES {
            let (at, suspect) = (search.at, search.suspect);
            if suspect {
                let until = now + self.pause;
                self.phase = Phase::Fallen { until };
                self.pause = (self.pause * 2).min(RAISE);
            } else {
                self.narrow(now, at);
            }
        }
        true
    }

    /// A packet of this length could not leave at all: that is known without asking. True if it was a probe.
    pub(crate) fn refused(&mut self, now: Instant, length: usize) -> bool {
        if let Phase::Searching(search) = &mut self.phase
            && search.at == length
            && search.probe.take().is_some()
        {
            self.narrow(now, length);
            return true;
        }
        // What is longer left before it was known, and what is as short as any cannot be shortened.
        if (self.safe + 1..=self.size).contains(&length) {
            self.size = self.safe;
            self.missing = 0;
            self.narrow(now, length);
        }
        false
    }

    /// A packet over `safe` has arrived.
    pub(crate) fn arrived(&mut self, packet: PacketNo) {
        if packet > self.newest {
            (self.newest, self.missing) = (packet, 0);
        }
    }

    /// A packet over `safe` was lost, while one that left later has arrived. True if the path seems to swallow long
    /// packets now, as so many of them that left after the last that arrived are lost.
    pub(crate) fn lost(&mut self, packet: PacketNo) -> bool {
        if packet < self.newest || self.size == self.safe {
            return false;
        }
        self.missing += 1;
        self.missing >= BLACK_HOLE && self.fall()
    }

    /// RFC 8899 §4.3: back to what every path carries. A full queue may have done the same to the end of a burst, so a
    /// probe of the size that vanished is asked first.
    pub(crate) fn fall(&mut self) -> bool {
        let was = std::mem::replace(&mut self.size, self.safe);
        if was == self.safe {
            return false;
        }
        self.missing = 0;
        self.search(was, true);
        true
    }
}

/// No datagram is longer.
const MAX_PACKET: usize = 65_532;
/// MAX_PROBES and the least PROBE_TIMER (RFC 8899 §5.1.1, §5.1.2).
const MAX_PROBES: u32 = 3;
const MIN_PROBE_TIME: Duration = Duration::from_secs(1);
/// PMTU_RAISE_TIMER (RFC 8899 §5.1.1).
const RAISE: Duration = Duration::from_secs(600);
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// A smaller gain is not worth a probe.
const STEP: usize = 16;
/// So many long packets in a row are missing before the path is asked.
const BLACK_HOLE: u32 = 6;
/// So much data in so long a time is worth longer packets.
const MIN_BULK: usize = 64 << 10;
const BULK_TIME: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use oxirtc_netsim::epoch;

    use super::*;

    /// One whose path carries 1,432 bytes.
    fn wide(now: Instant) -> Pmtu {
        let mut pmtu = Pmtu::new(1112);
        pmtu.begin(1432);
        pmtu.count(now, MIN_BULK);
        assert_eq!(pmtu.wanted(now), Some(1432));
        pmtu.sent(now, 1, Duration::ZERO);
        assert!(pmtu.answered(now, 1).is_some());
        assert_eq!(pmtu.size(), 1432);
        pmtu
    }

    /// Those that are missing are counted from the newest that arrived.
    #[test]
    fn a_long_packet_that_arrives_shows_that_they_do() {
        let mut pmtu = wide(epoch());
        for round in 0..20 {
            for packet in 0..5 {
                assert!(!pmtu.lost(round * 10 + packet + 1), "round {round}");
            }
            pmtu.arrived(round * 10 + 6);
            // Those that left before it say nothing of the path as it is now.
            for packet in 0..6 {
                assert!(!pmtu.lost(round * 10 + packet), "round {round}");
            }
        }
        for packet in 0..5 {
            assert!(!pmtu.lost(200 + packet));
        }
        assert!(pmtu.lost(205) && pmtu.size() == 1112);
    }

    /// What is refused is known by its length: a probe is lost, data is shortened.
    #[test]
    fn what_was_refused_is_known_by_its_length() {
        let now = epoch();
        let searching = || {
            let mut pmtu = wide(now);
            pmtu.ceiling = 1464;
            pmtu.phase = Phase::Base;
            assert_eq!(pmtu.wanted(now), Some(1464));
            pmtu.sent(now, 7, Duration::ZERO);
            pmtu
        };
        let mut pmtu = searching();
        assert!(pmtu.refused(now, 1464) && pmtu.size() == 1432);
        // Data, while the probe is on its way: it goes in packets that every path carries, and what is asked next is shorter.
        let mut pmtu = searching();
        assert!(!pmtu.refused(now, 1432) && pmtu.size() == 1112);
        assert!(pmtu.wanted(now).is_some_and(|it| it < 1432));
        // Neither: something that left when longer packets were thought to pass, or that is as short as any.
        for length in [1440, 1112, 700] {
            let mut pmtu = searching();
            assert!(!pmtu.refused(now, length) && pmtu.size() == 1432);
            assert!(pmtu.answered(now, 7).is_some() && pmtu.size() == 1464);
        }
    }

    /// Whatever the owner says that a path could carry.
    #[test]
    fn no_probe_is_longer_than_a_datagram_can_be() {
        let now = epoch();
        let mut pmtu = Pmtu::new(1112);
        pmtu.begin(usize::MAX);
        pmtu.count(now, MIN_BULK);
        assert_eq!(pmtu.wanted(now), Some(65_532));
        pmtu.begin(0);
        assert_eq!(pmtu.wanted(now), None);
    }

    /// The pause before another try becomes longer each time, up to what a raise waits.
    #[test]
    fn a_path_that_falls_again_and_again_is_asked_less_and_less() {
        let mut now = epoch();
        let mut pmtu = wide(now);
        for minutes in [1, 2, 4, 8, 10, 10] {
            assert!(pmtu.fall());
            for nonce in 0..3 {
                assert_eq!(pmtu.wanted(now), Some(1432));
                pmtu.sent(now, nonce, Duration::ZERO);
                now += MIN_PROBE_TIME;
                assert!(pmtu.handle_timeout(now));
                pmtu.count(now, MIN_BULK);
            }
            let pause = Duration::from_secs(60 * minutes);
            for (wait, wanted) in [(pause - MIN_PROBE_TIME, None), (MIN_PROBE_TIME, Some(1432))] {
                now += wait;
                pmtu.counted = Some((now, MIN_BULK));
                assert_eq!(pmtu.wanted(now), wanted, "{minutes}");
            }
            pmtu.sent(now, 9, Duration::ZERO);
            assert!(pmtu.answered(now, 9).is_some());
        }
    }
}
