//! When to stop sending (RFC 8083).

use std::time::{Duration, Instant};

/// Watches whether what one stream sends gets through.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// When sending began, the last time.
    began: Option<Instant>,
    /// When a packet left last.
    sent: Option<Instant>,
    /// When a report on the stream came last.
    heard: Option<Instant>,
    /// Reports without a new highest number: that number, our count of packets then, since when, and how many.
    stuck: Option<Stuck>,
    window: Option<Window>,
    /// When it opened, and why.
    open: Option<(Instant, CircuitBreak)>,
    /// The stream is to be tried again, as soon as that may be.
    retries: bool,
}

/// Why a stream is sent no more (RFC 8083 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CircuitBreak {
    /// §4.1: nobody reports on it.
    Silence,
    /// §4.2: by the reports, nothing of it arrives.
    NothingArrives,
    /// §4.3: it takes more than ten times what TCP would on a path that loses so much.
    Congestion,
}

/// A report on a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported {
    pub(crate) highest: u32,
    /// What part was lost, 0 to 1.
    pub(crate) fraction: f64,
    pub(crate) round_trip: Option<Duration>,
    /// What we have sent of it: packets, bytes.
    pub(crate) sent: (u64, u64),
}

#[derive(Clone, Copy, Debug)]
struct Stuck {
    highest: u32,
    packets: u64,
    since: Instant,
    times: u32,
}

/// What was sent and lost over some reports.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    last: Instant,
    sent: (u64, u64),
    reports: u32,
    /// The part that was lost, by the seconds.
    lost: f64,
}

impl Breaker {
    /// A packet left: from now on it has to be reported. What a pause is, nobody reports on.
    pub(crate) fn sent(&mut self, now: Instant) {
        let before = self.sent.replace(now);
        if before.is_none_or(|before| now.saturating_duration_since(before) >= INTERVAL) {
            self.began = Some(now);
            (self.stuck, self.window) = (None, None);
        }
    }

    /// A report came.
    pub(crate) fn reported(&mut self, now: Instant, report: Reported) {
        self.heard = Some(now);
        if self.open.is_some() {
            return;
        }
        if self.is_stuck(now, report) {
            self.open = Some((now, CircuitBreak::NothingArrives));
        } else if self.is_congested(now, report) {
            self.open = Some((now, CircuitBreak::Congestion));
        }
    }

    fn is_stuck(&mut self, now: Instant, report: Reported) -> bool {
        let packets = report.sent.0;
        let again = self
            .stuck
            .filter(|it| it.highest == report.highest && packets > it.packets);
        let stuck = match again {
            Some(stuck) => Stuck {
                packets,
                times: stuck.times + 1,
                ..stuck
            },
            None => Stuck {
                highest: report.highest,
                packets,
                since: now,
                times: 0,
            },
        };
        self.stuck = Some(stuck);
        stuck.times >= REPORTS && now.saturating_duration_since(stuck.since) >= INTERVAL * 3
    }

    fn is_congested(&mut self, now: Instant, report: Reported) -> bool {
        let window = self.window.get_or_insert(Window {
            since: now,
            last: now,
            sent: report.sent,
            reports: 0,
            lost: 0.0,
        });
        let passed = now.saturating_duration_since(window.last).as_secs_f64();
        window.last = now;
        window.reports += 1;
        window.lost += report.fraction * passed;
        let whole = now.saturating_duration_since(window.since);
        if window.reports <= REPORTS || whole < INTERVAL * 3 {
            return false;
        }
        let Some(window) = self.window.take() else {
            return false;
        };
        let whole = whole.as_secs_f64();
        let packets = report.sent.0.saturating_sub(window.sent.0) as f64;
        let bytes = report.sent.1.saturating_sub(window.sent.1) as f64;
        let lost = window.lost / whole;
        report.round_trip.is_some_and(|trip| {
            let trip = trip.as_secs_f64().max(0.001);
            // The simplified equation of TCP's throughput. With less than a packet in a round trip or a report there is nothing to judge.
            let fair = bytes / packets.max(1.0) / (trip * (lost * 2.0 / 3.0).sqrt());
            let rare = packets < f64::from(window.reports) || packets * trip < whole;
            lost > 0.0 && !rare && bytes / whole > 10.0 * fair
        })
    }

    /// Looks at the time. Where one report holds not all streams, any of the session at `heard` shows that the way back is there. True
    /// when it has just closed: the stream begins again.
    pub(crate) fn handle_timeout(&mut self, now: Instant, heard: Option<Instant>) -> bool {
        if self.due(heard).is_none_or(|at| at > now) {
            return false;
        }
        if self.open.is_some() {
            *self = Self::default();
            return true;
        }
        self.open = Some((now, CircuitBreak::Silence));
        false
    }

    /// Tries again, at the earliest when what opened it has had as long to pass as it took to be seen (RFC 8083 §4.5).
    pub(crate) fn retry(&mut self) {
        self.retries |= self.open.is_some();
    }

    /// Why nothing is sent.
    pub(crate) fn cause(&self) -> Option<CircuitBreak> {
        self.open.map(|it| it.1)
    }

    /// When [`handle_timeout`](Self::handle_timeout) finds something: it may be tried again, or is silent though something was sent.
    pub(crate) fn due(&self, heard: Option<Instant>) -> Option<Instant> {
        if let Some((at, _)) = self.open {
            return self.retries.then_some(at + INTERVAL * 3);
        }
        let until = self.began.max(self.heard).max(heard)? + INTERVAL * 3;
        let sends = self.sent.is_some_and(|sent| sent + INTERVAL > until);
        sends.then_some(until)
    }
}

/// RFC 8083 §4.1: the least interval of reports, whatever it is here; three of them are waited for.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
/// RFC 8083 §4.2: so many reports give reasonable assurance.
const REPORTS: u32 = 5;

#[cfg(test)]
mod tests {
    use oxirtc_netsim::{epoch, ms, secs};

    use super::*;

    /// A stream of 1,000-byte packets, `rate` a second, on which a report comes each second. Returns when it opened, and why.
    fn run(
        seconds: u64,
        rate: u64,
        report: impl Fn(u64) -> (u32, f64),
    ) -> Option<(u64, CircuitBreak)> {
        let mut breaker = Breaker::default();
        for second in 0..seconds {
            let now = epoch() + secs(second);
            breaker.sent(now);
            let (highest, fraction) = report(second);
            let packets = second * rate;
            let reported = Reported {
                highest,
                fraction,
                round_trip: Some(ms(100)),
                sent: (packets, packets * 1000),
            };
            breaker.reported(now, reported);
            breaker.handle_timeout(now, None);
            if let Some(cause) = breaker.cause() {
                return Some((second, cause));
            }
        }
        None
    }

    #[test]
    fn what_does_not_arrive_is_sent_no_more() {
        let still = |after: u64| move |second: u64| (second.min(after) as u32, 0.0);
        assert_eq!(
            run(60, 50, still(10)),
            Some((25, CircuitBreak::NothingArrives)),
            "15 s after the last number that was new"
        );
        assert_eq!(run(60, 50, still(100)), None);
        assert_eq!(run(60, 0, still(10)), None, "nothing is sent");
    }

    /// At 10 % and 100 ms TCP has 1,000 / (0.1 · √(0.2/3)) = 38.7 kB/s: ten times that is 387 packets a second.
    #[test]
    fn what_takes_too_much_of_a_lossy_path_is_sent_no_more() {
        let lossy = |part: f64| move |second: u64| (second as u32, part);
        assert_eq!(run(60, 360, lossy(0.1)), None);
        assert_eq!(
            run(60, 420, lossy(0.1)),
            Some((15, CircuitBreak::Congestion))
        );
        assert_eq!(run(60, 420, lossy(0.0)), None);
        // Each second report says 20 %: the mean counts.
        let uneven = |second: u64| (second as u32, (second % 2) as f64 / 5.0);
        assert!(run(60, 420, uneven).is_some());
        assert_eq!(run(60, 330, uneven), None);
    }

    #[test]
    fn it_closes_when_it_was_asked_to_and_no_sooner() {
        let mut breaker = Breaker::default();
        let mut now = epoch();
        for _ in 0..15 {
            breaker.sent(now);
            breaker.handle_timeout(now, None);
            now += secs(1);
        }
        assert_eq!((breaker.cause(), breaker.due(None)), (None, Some(now)));
        breaker.handle_timeout(now, None);
        assert_eq!(breaker.cause(), Some(CircuitBreak::Silence));
        assert!(
            !breaker.handle_timeout(now + secs(100), None),
            "nobody asked"
        );
        breaker.retry();
        assert_eq!(breaker.due(None), Some(epoch() + secs(15 + 15)));
        assert!(!breaker.handle_timeout(epoch() + secs(29), None));
        assert!(breaker.handle_timeout(epoch() + secs(30), None));
        assert_eq!((breaker.cause(), breaker.due(None)), (None, None));
        // A report is missed where something is sent until then, and not after a pause.
        for (at, due) in [
            (40, None),
            (44, None),
            (48, None),
            (51, Some(55)),
            (57, None),
        ] {
            breaker.sent(epoch() + secs(at));
            assert_eq!(breaker.due(None), due.map(|it| epoch() + secs(it)), "{at}");
        }
    }
}
