//! Who was heard in the last ten seconds (W3C `getContributingSources`, `getSynchronizationSources`).

use std::time::{Duration, Instant};

use super::capture::Captured;

/// A source that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its SSRC or CSRC.
    pub source: u32,
    /// True if it contributed to a mix.
    pub contributes: bool,
    /// When its last packet was played, or came.
    pub at: Instant,
    /// The timestamp of that packet.
    pub timestamp: u32,
    /// How loud it was: 0, as loud as it gets, to 127, silence.
    pub level: Option<u8>,
    /// When that packet was captured, where it or an earlier one has told.
    pub captured: Option<Captured>,
}

/// The sources of a section, the newest first.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    list: Vec<Source>,
}

impl Sources {
    pub(crate) fn note(&mut self, source: Source) {
        let same = |it: &Source| (it.source, it.contributes) == (source.source, source.contributes);
        match self.list.iter_mut().find(|it| same(it)) {
            Some(known) => *known = source,
            None => {
                self.list
                    .retain(|it| source.at.saturating_duration_since(it.at) < KEPT);
                if self.list.len() < MOST {
                    self.list.push(source);
                }
            }
        }
    }

    pub(crate) fn recent(&self, now: Instant) -> Vec<Source> {
        let is_recent = |it: &&Source| now.saturating_duration_since(it.at) < KEPT;
        let mut list: Vec<_> = self.list.iter().filter(is_recent).copied().collect();
        list.sort_by_key(|it| std::cmp::Reverse(it.at));
        list
    }
}

const KEPT: Duration = Duration::from_secs(10);
const MOST: usize = 64;
