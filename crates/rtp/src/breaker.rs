//! When to stop sending (RFC 8083).

use std::time::{Duration, Instant};

use crate::send::SendStream;

/// Watches whether what we send gets through.
#[derive(Debug)]
pub(crate) struct Breaker {
    interval: Duration,
    /// When we began to send, or the last report came.
    heard: Option<Instant>,
    /// The last report's highest number, our count of packets then, and how often it has not risen.
    stuck: (u32, u64, u32),
    /// How many reports have told that TCP would send less than a tenth.
    congested: u32,
    last: Option<(Instant, u64)>,
}

impl Breaker {
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            // RFC 8083 §4.1: at least the five seconds of RFC 3550.
            interval: interval.max(Duration::from_secs(5)),
            heard: None,
            stuck: (0, 0, 0),
            congested: 0,
            last: None,
        }
    }

    /// Something was sent: from now on it has to be reported.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.heard.get_or_insert(now);
    }

    /// A report on a stream: its highest number, what part was lost, the round trip; and what we have sent of it.
    pub(crate) fn reported(
        &mut self,
        now: Instant,
        highest: u32,
        fraction: f64,
        round_trip: Option<Duration>,
        (packets, bytes): (u64, u64),
    ) {
        self.heard = Some(now);
        let (last, sent, times) = self.stuck;
        // RFC 8083 §4.2: we send, and nothing arrives.
        let is_stuck = highest == last && packets > sent;
        self.stuck = (highest, packets, if is_stuck { times + 1 } else { 0 });
        let (at, before) = self.last.replace((now, bytes)).unwrap_or((now, bytes));
        let passed = now.saturating_duration_since(at).as_secs_f64();
        if passed < 0.5 {
            self.last = Some((at, before));
            return;
        }
        let rate = bytes.saturating_sub(before) as f64 / passed;
        let size = bytes as f64 / (packets.max(1)) as f64;
        let is_congested = round_trip.is_some_and(|trip| {
            // RFC 8083 §4.3: the simplified equation of TCP's throughput, ten times.
            let fair = size / (trip.as_secs_f64().max(0.001) * (fraction * 2.0 / 3.0).sqrt());
            fraction > 0.0 && rate > 10.0 * fair
        });
        self.congested = if is_congested { self.congested + 1 } else { 0 };
    }

    pub(crate) fn is_open(&self, now: Instant, senders: &[SendStream]) -> bool {
        let sends = senders
            .iter()
            .any(|it| it.encoding.active && it.stats.packets > 0);
        let silent = self.heard.is_some_and(|at| {
            let last = senders.iter().filter_map(|it| it.last).map(|it| it.1).max();
            let is_sending =
                last.is_some_and(|it| now.saturating_duration_since(it) < self.interval);
            is_sending && now.saturating_duration_since(at) > self.interval * 3
        });
        // Reports come each second here, where RFC 8083 counts five of theirs.
        sends && (silent || self.stuck.2 >= STUCK || self.congested >= CONGESTED)
    }
}

const STUCK: u32 = 15;
const CONGESTED: u32 = 15;
