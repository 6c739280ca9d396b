//! How fast a path delivers (draft-ietf-ccwg-bbr), measured by packet.

use std::time::{Duration, Instant};

use crate::{blocks, tx::flown::PacketNo};

/// What was delivered so far, and how that stood when each packet left.
#[derive(Debug)]
pub(crate) struct Rates {
    delivered: u64,
    /// What of that was told so late that it says nothing of the path's rate.
    late: u64,
    delivered_at: Option<Instant>,
    first_sent: Option<Instant>,
    lost: u64,
    /// Samples of packets before this mark of `delivered` say what the application sent, not what the path bears.
    app_limited: u64,
    base: PacketNo,
    records: blocks::Queue<Record>,
}

/// How things stood when a packet left.
#[derive(Clone, Copy, Debug)]
struct Record {
    at: Instant,
    first_sent: Instant,
    delivered: u64,
    late: u64,
    delivered_at: Instant,
    /// What was in flight, itself included.
    in_flight: usize,
    lost: u64,
    app_limited: bool,
}

/// What a verdict says of the path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Bytes a second; `None` where the interval is too short to say.
    pub(crate) rate: Option<u64>,
    /// How much was delivered over the interval.
    pub(crate) delivered: u64,
    /// What had been delivered when the packet left: the rounds are counted by it.
    pub(crate) prior: u64,
    /// All that was delivered so far.
    pub(crate) total: u64,
    pub(crate) app_limited: bool,
    /// What was in flight when the packet left.
    pub(crate) in_flight: usize,
    /// What was lost since.
    pub(crate) lost: u64,
}

/// What a verdict brought, for the model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) now: Instant,
    pub(crate) sample: Sample,
    pub(crate) acked: usize,
    /// What is in flight now.
    pub(crate) flight: usize,
    /// The round trip of its newest packet.
    pub(crate) round_trip: Option<Duration>,
    /// Some of what it acknowledges left while the window was all in use.
    pub(crate) limited: bool,
    pub(crate) lost: Option<Lost>,
    /// The last SACK had not room for all.
    pub(crate) unsaid: bool,
}

/// What a verdict found to be lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lost {
    pub(crate) packets: u32,
    /// When the last of them left, and what was in flight then, itself included.
    pub(crate) left: Instant,
    pub(crate) in_flight: usize,
    /// How many bytes were lost since.
    pub(crate) since: u64,
}

impl Rates {
    pub(crate) fn new(next: PacketNo) -> Self {
        Self {
            delivered: 0,
            late: 0,
            delivered_at: None,
            first_sent: None,
            lost: 0,
            app_limited: 0,
            base: next,
            records: blocks::Queue::new(),
        }
    }

    /// A packet leaves; `flight` is what is in flight before and after it.
    pub(crate) fn sent(&mut self, now: Instant, packet: PacketNo, flight: (usize, usize)) {
        if self.records.is_empty() {
            self.base = packet;
        }
        if flight.0 == 0 {
            (self.first_sent, self.delivered_at) = (Some(now), Some(now));
        }
        self.records.push_back(Record {
            at: now,
            first_sent: *self.first_sent.get_or_insert(now),
            delivered: self.delivered,
            late: self.late,
            delivered_at: *self.delivered_at.get_or_insert(now),
            in_flight: flight.1,
            lost: self.lost,
            app_limited: self.app_limited > 0,
        });
    }

    /// There was nothing to send although more could have been.
    pub(crate) fn starve(&mut self, flight: usize) {
        self.app_limited = (self.delivered + flight as u64).max(1);
    }

    #[cfg(test)]
    fn is_starved(&self) -> bool {
        self.app_limited > 0
    }

    /// So much was newly delivered, so much of it told late, of which this packet left last. What is late came at some time that nobody
    /// knows, so the rate lies between that without it and that with all of it: where, is left to what is `believed`.
    pub(crate) fn acked(
        &mut self,
        now: Instant,
        (bytes, late): (usize, usize),
        newest: Option<PacketNo>,
        believed: u64,
    ) -> Sample {
        self.delivered += bytes as u64;
        self.late += late as u64;
        if bytes > 0 {
            self.delivered_at = Some(now);
        }
        if self.app_limited > 0 && self.delivered > self.app_limited {
            self.app_limited = 0;
        }
        let mut sample = Sample {
            total: self.delivered,
            ..Sample::default()
        };
        let Some(record) = newest.and_then(|packet| self.get(packet)) else {
            return sample;
        };
        self.first_sent = Some(record.at);
        let sending = record.at.saturating_duration_since(record.first_sent);
        let arriving = now.saturating_duration_since(record.delivered_at);
        let interval = sending.max(arriving);
        sample.delivered = self.delivered - record.delivered;
        sample.prior = record.delivered;
        sample.app_limited = record.app_limited;
        sample.in_flight = record.in_flight;
        sample.lost = self.lost - record.lost;
        if interval >= LEAST_INTERVAL {
            let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
            let rate = |bytes: u64| bytes.saturating_mul(1_000_000) / micros.max(1);
            let timely = sample.delivered.saturating_sub(self.late - record.late);
            sample.rate = Some(believed.clamp(rate(timely), rate(sample.delivered)));
        }
        sample
    }

    /// So many packets were lost, of which this one left last.
    pub(crate) fn lost(&mut self, packets: u32, bytes: usize, newest: PacketNo) -> Option<Lost> {
        self.lost += bytes as u64;
        let record = self.get(newest)?;
        Some(Lost {
            packets,
            left: record.at,
            in_flight: record.in_flight,
            since: self.lost - record.lost,
        })
    }

    /// Packets before this one have nothing in flight. False if forgetting them was more than there is `left`.
    pub(crate) fn forget(&mut self, oldest: PacketNo, left: &mut usize) -> bool {
        while self.base < oldest && !self.records.is_empty() {
            if *left == 0 {
                return false;
            }
            *left -= 1;
            self.records.pop_front();
            self.base += 1;
        }
        true
    }

    fn get(&self, packet: PacketNo) -> Option<Record> {
        let index = usize::try_from(packet.checked_sub(self.base)?).ok()?;
        self.records.get(index).copied()
    }
}

/// Below that a clock says nothing.
const LEAST_INTERVAL: Duration = Duration::from_micros(100);

#[cfg(test)]
mod tests {
    use oxirtc_netsim::epoch;

    use super::*;

    /// A packet a millisecond, each acknowledged 10 ms later.
    #[test]
    fn the_rate_is_what_arrives() {
        let start = epoch();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut rates = Rates::new(1);
        let mut last = Sample::default();
        for ms in 0..100 {
            if ms >= 10 {
                last = rates.acked(at(ms), (1000, 0), Some(ms - 9), 0);
                rates.forget(ms - 8, &mut { usize::MAX });
            }
            let flight = ms.min(9) as usize * 1000;
            rates.sent(at(ms), ms + 1, (flight, flight + 1000));
        }
        assert_eq!(last.rate, Some(1_000_000));
        assert_eq!((last.in_flight, last.app_limited), (10_000, false));
        assert!(rates.records.len() <= 12);
    }

    /// What is told long after it has come may confirm what the path is taken for, and no more.
    #[test]
    fn what_is_told_late_confirms_a_rate() {
        let now = epoch();
        for (believed, rate) in [(0, 100_000), (700_000, 700_000), (9_000_000, 5_100_000)] {
            let mut rates = Rates::new(1);
            rates.sent(now, 1, (50_000, 51_000));
            let later = now + Duration::from_millis(10);
            let sample = rates.acked(later, (51_000, 50_000), Some(1), believed);
            assert_eq!((sample.delivered, sample.rate), (51_000, Some(rate)));
        }
    }

    /// What waits for the application is marked, and no longer once it has arrived.
    #[test]
    fn what_the_application_did_not_send_is_no_measure() {
        let now = epoch();
        let mut rates = Rates::new(1);
        rates.sent(now, 1, (0, 1000));
        rates.starve(1000);
        rates.sent(now, 2, (1000, 2000));
        let later = now + Duration::from_millis(10);
        assert!(!rates.acked(later, (1000, 0), Some(1), 0).app_limited);
        assert!(rates.acked(later, (1000, 0), Some(2), 0).app_limited);
        assert!(!rates.is_starved());
        rates.sent(later, 3, (0, 1000));
        let lost = rates.lost(1, 1000, 3).unwrap();
        assert_eq!((lost.in_flight, lost.since), (1000, 1000));
    }
}
