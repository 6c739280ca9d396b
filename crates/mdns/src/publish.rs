//! Names that we answer for.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::message::Asked;

/// A name of ours.
pub(crate) struct Published {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    /// When it is announced next, and how often it still is.
    announce: Option<(Instant, u32)>,
    /// When it was told to all last.
    told: Option<Instant>,
}

impl Published {
    pub(crate) fn new(now: Instant, name: String, address: IpAddr) -> Self {
        Self {
            name,
            address,
            announce: Some((now, 2)),
            told: None,
        }
    }

    /// Whether it is to be announced now (RFC 6762 §8.3: twice, a second apart).
    pub(crate) fn announce(&mut self, now: Instant) -> bool {
        let Some((_, left)) = self.announce.filter(|(at, _)| *at <= now) else {
            return false;
        };
        self.announce = (left > 1).then(|| (now + SECOND, left - 1));
        self.told = Some(now);
        true
    }

    pub(crate) fn is_asked(&self, asked: &Asked) -> bool {
        asked.is_for(self.address) && asked.name.eq_ignore_ascii_case(&self.name)
    }

    /// RFC 6762 §6: to all, not more than once in a second.
    pub(crate) fn may_tell_all(&mut self, now: Instant) -> bool {
        let may = self.told.is_none_or(|told| told + SECOND <= now);
        if may {
            self.told = Some(now);
        }
        may
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.announce.map(|(at, _)| at)
    }
}

const SECOND: Duration = Duration::from_secs(1);
