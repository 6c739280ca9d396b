//! Proportional rate reduction: how fast a recovery sends (RFC 9937).

/// What was delivered and sent since the recovery began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prr {
    delivered: usize,
    out: usize,
    /// RecoverFS: what was in flight when it began, with what was acknowledged by then.
    base: usize,
    /// How much may be in flight now.
    window: usize,
}

impl Prr {
    pub(crate) fn new(base: usize) -> Self {
        Self {
            delivered: 0,
            out: 0,
            base: base.max(1),
            window: 0,
        }
    }

    pub(crate) fn window(&self) -> usize {
        self.window
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.out += bytes;
    }

    /// RFC 9937 §6. `newly` was acknowledged since the last call, `flight` is left; `safe` means that the cumulative
    /// TSN moved and nothing more was lost. Where SACKs leave out what has come (`unsaid`), much less is acknowledged than has come, and
    /// a multiple of it may leave.
    pub(crate) fn on_acked(
        &mut self,
        newly: usize,
        flight: usize,
        threshold: usize,
        (safe, unsaid): (bool, bool),
        packet: usize,
    ) {
        self.delivered += newly;
        let more = if flight > threshold {
            let due = (self.delivered as u128 * threshold as u128).div_ceil(self.base as u128);
            (due as usize).saturating_sub(self.out)
        } else {
            let limit = self.delivered.saturating_sub(self.out).max(newly);
            let limit = if safe { limit + packet } else { limit };
            let limit = if unsaid {
                limit.max(UNSAID * newly)
            } else {
                limit
            };
            limit.min(threshold - flight)
        };
        // What began it is sent again at once.
        let more = if self.out == 0 {
            more.max(packet)
        } else {
            more
        };
        // All may have been lost, what was sent again too, and then nothing else would ask for an answer but T3-rtx.
        self.window = (flight + more).max(packet);
    }
}

/// How many times what is told may have come where SACKs have room for a small part of it.
const UNSAID: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// Half of a window is lost or delivered packet by packet: as many leave as the threshold is of the window.
    #[test]
    fn a_window_shrinks_in_proportion() {
        let (packet, threshold) = (1000, 70_000);
        let mut prr = Prr::new(100_000);
        let mut flight: usize = 99_000;
        let mut sent = 0;
        for _ in 0..99 {
            flight -= packet;
            prr.on_acked(packet, flight, threshold, (true, false), packet);
            while flight < prr.window() {
                flight += packet;
                prr.sent(packet);
                sent += 1;
            }
        }
        assert!((69..=72).contains(&sent), "{sent}");
        assert!(flight.abs_diff(threshold) <= 2 * packet, "{flight}");
    }

    /// Where all that was sent again is lost, and a timer tells, a packet goes.
    #[test]
    fn a_packet_goes_when_all_is_lost() {
        let (packet, threshold) = (1000, 50_000);
        let mut prr = Prr::new(100_000);
        prr.on_acked(packet, 10_000, threshold, (false, false), packet);
        prr.sent(packet);
        prr.on_acked(0, 0, threshold, (false, false), packet);
        assert_eq!(prr.window(), packet);
    }

    /// After heavy loss the window is filled again up to the threshold, not past it.
    #[test]
    fn what_was_lost_is_filled_up_as_in_slow_start() {
        let (packet, threshold) = (1000, 50_000);
        let mut prr = Prr::new(100_000);
        prr.on_acked(packet, 10_000, threshold, (false, false), packet);
        assert_eq!(prr.window(), 11_000);
        prr.sent(packet);
        prr.on_acked(4 * packet, 7000, threshold, (true, false), packet);
        assert_eq!(prr.window(), 12_000);
        prr.sent(5 * packet);
        prr.on_acked(60 * packet, 49_500, threshold, (true, false), packet);
        assert_eq!(prr.window(), threshold);
    }
    /// SACKs that have no room tell of a small part of what has come: the window fills in a few round trips all the same.
    #[test]
    fn what_is_not_told_is_no_reason_to_wait() {
        let (packet, threshold) = (1000, 50_000);
        let mut prr = Prr::new(100_000);
        prr.on_acked(0, 10_000, threshold, (false, true), packet);
        prr.sent(packet);
        prr.on_acked(packet, 1000, threshold, (false, true), packet);
        assert_eq!(prr.window(), 17_000);
        prr.on_acked(4 * packet, 1000, threshold, (false, true), packet);
        assert_eq!(prr.window(), threshold);
    }
}
