//! The end of what was sent: nothing that came after it tells whether it has come (RFC 8985 §7).

use std::time::{Duration, Instant};

use super::{DELAYED_ACK, Grant, Sender, recovery::Ended};
use crate::Stats;

impl Sender {
    /// RFC 8985 §7.2: armed when data leaves or is acknowledged.
    pub(crate) fn arm_probe(&mut self, now: Instant, fresh: bool) {
        self.arm_pass(now);
        let is_kept = self.may_be_kept();
        let recovery = &mut self.recovery;
        if self.outstanding.flight_bytes() == 0 || recovery.timeouts > 0 {
            recovery.probe = None;
            return;
        }
        if !fresh && recovery.probe.is_some() {
            return;
        }
        let Some(smoothed) = recovery.rtt.smoothed() else {
            return;
        };
        let mut wait = (smoothed * 2).max(MIN_PROBE);
        if is_kept {
            wait += DELAYED_ACK;
        }
        let at = now + wait * (1 << recovery.probes.min(MAX_PROBES));
        // What may come after the first two lies before T3-rtx or is not worth it.
        let worth = recovery.probes < REARMING
            || (recovery.probes < MAX_PROBES && recovery.t3.is_some_and(|t3| at < t3));
        recovery.probe = worth.then_some(at);
    }

    /// RFC 8985 §7.3: sends one packet whatever the window says, so that the peer says what it has.
    pub(crate) fn send_probe(&mut self, now: Instant, stats: &mut Stats) {
        let waits = self.peek(now, stats);
        if self.queue.is_passing() {
            // It is still due when that is over.
            return;
        }
        let fresh = waits.is_some_and(|next| {
            let size = next.left.min(self.full_payload());
            let numbered = next.has_number && !self.outstanding.is_full(self.settings.send_buffer);
            numbered && self.outstanding.flight_payload() + size <= self.peer_window
        });
        self.outstanding.asked = None;
        let again = self.outstanding.peek_lost().is_some() || fresh;
        let asks = match again {
            true => Some(true),
            false => self.ask_again(now),
        };
        let Some(asks) = asks else {
            // So it is when that is more than one step.
            return;
        };
        self.recovery.probes += 1;
        if self.recovery.probes <= REARMING {
            self.recovery.t3 = Some(now + self.recovery.rtt.timeout());
        }
        self.recovery.probe = None;
        stats.probes += 1;
        if !asks {
            // Nobody waits for what left first, and a FORWARD TSN that passes over it asks as well.
            self.recovery.ended = Some(Ended::Silent);
            self.judge(now, stats);
        }
        if fresh || self.outstanding.peek_lost().is_some() {
            self.grant = Some(Grant::Probe);
        }
        self.arm_probe(now, true);
    }

    /// Takes what left last to be sent again, or what left first. Whether any of that may go again; `None` if it is not found in one step.
    fn ask_again(&mut self, now: Instant) -> Option<bool> {
        if self.outstanding.lose_newest(now) {
            return Some(true);
        }
        if !self.take_back(now) {
            return None;
        }
        let any = self.outstanding.lose_first(now, &mut self.left);
        if !any && self.left == 0 {
            // Much that is over stands before it.
            (self.since, self.returning) = (Some(now), true);
            return None;
        }
        Some(any)
    }

    /// RFC 8985 §7.3: what was on its way may be lost all at once, and nothing that follows would tell. A probe does.
    pub(crate) fn ask_at_once(&mut self, now: Instant) {
        if self.recovery.t3.is_some() && self.outstanding.flight_bytes() > 0 {
            self.recovery.probes = 0;
            self.recovery.probe = Some(now);
        }
    }

    /// When what stands first is over, and no FORWARD TSN waits for an answer, all that may not go again is passed over, unless something is
    /// acknowledged in the time that the path takes at most: its owner waits no longer than that. Whether the path is to blame is not known
    /// then, and a FORWARD TSN for what has come does no harm.
    pub(super) fn arm_pass(&mut self, now: Instant) {
        let recovery = &self.recovery;
        let waits = self.outstanding.is_first_over() && !self.skip.is_pending(&self.outstanding);
        let longest = recovery.rtt.longest().filter(|_| waits);
        let since = self.last_sent.max(recovery.heard);
        self.recovery.pass = longest.zip(since).map(|(longest, since)| {
            let wait = longest.max(recovery.rtt.least() * 5 / 4);
            now.max(since + wait.max(MIN_PROBE))
        });
    }
}

/// How many probes there are at most; the first of them start T3-rtx anew.
const MAX_PROBES: u8 = 8;
const REARMING: u8 = 2;
/// RFC 8985 §7.2 leaves the least wait to the clock.
const MIN_PROBE: Duration = Duration::from_millis(10);
