//! Last values of what ends, for who has asked for them.

use std::time::{Duration, Instant};

use super::watch::Watch;
use crate::{
    engine::{Engine, task::Event},
    stats::StatsReport,
};

impl Engine {
    /// From now on [`Event::StatsEnded`] tells the last values of what leaves the report: W3C's `statsended`, of its
    /// [draft of 2018](https://www.w3.org/TR/2018/CR-webrtc-20180927/#rtcstatsevent). Nobody is told who does not ask, as it takes a
    /// report before each verb that may end something, and fifty a second while datagrams come.
    ///
    /// What a verb ends is told with it, and with its values of that moment. What the peer ends is told within a tenth of a second, with
    /// values that are up to 20 ms older than its end. Closing the connection ends nothing: the report stays.
    pub fn watch_ended_stats(&mut self, now: Instant) {
        if self.watch.is_none() && !self.closed {
            let last = self.stats(now);
            self.watch = Some(Box::new(Watch {
                last,
                at: now,
                touched: false,
            }));
        }
    }

    /// Takes a report, and tells what was in the one before and is not in it.
    #[inline]
    pub(in crate::engine) fn look_at_stats(&mut self, now: Instant) {
        if self.watch.is_some() {
            self.tell_ended(now);
        }
    }

    /// Something comes that may end something: the values of before are the last ones then.
    #[inline]
    pub(in crate::engine) fn glance_at_stats(&mut self, now: Instant, touches: bool) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        let due = now.saturating_duration_since(watch.at) >= CLOSEST;
        if due && (touches || watch.touched) {
            self.tell_ended(now);
        }
        if let Some(watch) = &mut self.watch {
            watch.touched |= touches;
        }
    }

    fn tell_ended(&mut self, now: Instant) {
        let Some(mut watch) = self.watch.take().filter(|_| !self.closed) else {
            return;
        };
        let report = self.stats(now);
        let before = std::mem::replace(&mut watch.last, report).into_iter();
        let gone = before.filter(|it| watch.last.get(it.id()).is_none());
        let mut ended = StatsReport::new();
        gone.for_each(|it| ended.insert(it));
        (watch.at, watch.touched) = (now, false);
        self.watch = Some(watch);
        if !ended.is_empty() {
            self.tasks.push_one(Event::StatsEnded(Box::new(ended)));
        }
    }
}

/// Two looks are as far apart while datagrams come.
const CLOSEST: Duration = Duration::from_millis(20);
