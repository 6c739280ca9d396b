//! The sender's clock, and how it maps to ours.

use std::time::{Duration, Instant};

use crate::{Ntp, ntp, rtcp::SenderInfo};

/// What one sender's reports tell of its clock.
#[derive(Debug, Default)]
pub(crate) struct SenderClock {
    /// The last report, and when it came.
    last: Option<(SenderInfo, Instant)>,
    /// The place of its canonical name among the clocks.
    pub(crate) name: Option<usize>,
}

/// The clocks of canonical names: one offset each, so that streams of one sender stay in sync.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    names: Vec<(Vec<u8>, Offset)>,
}

/// Our clock less the sender's, in nanoseconds: the least that was seen, which is what had the shortest way.
#[derive(Clone, Copy, Debug, Default)]
struct Offset {
    nanos: Option<i128>,
    at: Option<Instant>,
}

impl SenderClock {
    pub(crate) fn handle(&mut self, now: Instant, info: SenderInfo) {
        self.last = Some((info, now));
    }

    /// The sender's time of a timestamp.
    pub(crate) fn time(&self, timestamp: u32, clock: u32) -> Option<Ntp> {
        let (info, _) = self.last?;
        let ahead = i128::from(timestamp.wrapping_sub(info.timestamp).cast_signed());
        let ahead = (ahead << 32) / i128::from(clock.max(1));
        Some(Ntp(info.ntp.0.wrapping_add_signed(ahead as i64)))
    }

    /// By how much the sender's clock is ahead of ours, by its last report, which was half a round trip under way: in units of
    /// 2^-32 seconds. `wall` is our wall clock at a time.
    pub(crate) fn ahead(&self, wall: impl Fn(Instant) -> Ntp, round_trip: Duration) -> Option<i64> {
        let (info, at) = self.last?;
        Some(info.ntp.after(round_trip / 2).since(wall(at)))
    }

    /// What a report answers: the last report's name, and how long ago it came.
    pub(crate) fn answer(&self, now: Instant) -> (u32, u32) {
        self.last.map_or((0, 0), |(info, at)| {
            let ago = now.saturating_duration_since(at);
            (info.ntp.middle(), ntp::to_short(ago))
        })
    }
}

impl Clocks {
    /// The place of a canonical name, if there are not too many that are used.
    pub(crate) fn name(&mut self, name: &[u8], is_used: impl Fn(usize) -> bool) -> Option<usize> {
        if let Some(found) = self.names.iter().position(|it| it.0 == name) {
            return Some(found);
        }
        let new = (name.to_vec(), Offset::default());
        if self.names.len() < MOST {
            self.names.push(new);
            return Some(self.names.len() - 1);
        }
        let place = (0..MOST).find(|place| !is_used(*place))?;
        *self.names.get_mut(place)? = new;
        Some(place)
    }

    /// When it was captured by our clock, if the sender's time of capture is known. It is never later than `now`.
    pub(crate) fn captured(
        &mut self,
        now: Instant,
        origin: Instant,
        name: Option<usize>,
        time: Ntp,
    ) -> Option<Instant> {
        let offset = &mut self.names.get_mut(name?)?.1;
        let local = now.saturating_duration_since(origin).as_nanos() as i128;
        let sent = (i128::from(time.0) * 1_000_000_000) >> 32;
        let seen = local - sent;
        // It may rise by 100 millionths, since clocks drift.
        let since = offset
            .at
            .map_or(0, |at| now.saturating_duration_since(at).as_nanos() as i128);
        let risen = offset.nanos.map_or(seen, |it| it + since / 10_000);
        let least = risen.min(seen);
        (offset.nanos, offset.at) = (Some(least), Some(now));
        let captured = u64::try_from(sent + least).ok()?;
        Some((origin + Duration::from_nanos(captured)).min(now))
    }
}

const MOST: usize = 64;
