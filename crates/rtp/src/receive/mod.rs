//! One stream that is received.

mod assemble;
mod capture;
mod clock;
mod jitter;
mod sources;
mod track;

use std::time::{Duration, Instant};

pub(crate) use self::{
    assemble::Assembler,
    capture::{Captures, Place},
    clock::{Clocks, SenderClock},
    sources::Sources,
    track::{MOST_DROPOUT, Track},
};
pub use self::{assemble::Frame, capture::Captured, sources::Source};

use crate::{
    Config,
    batch::Lane,
    extension::{Label, Structure},
    fec::Recovery,
    payload::telephone,
    rtcp::ReportBlock,
    stats::ReceiveStats,
};

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Direct,
    Rtx,
    Red,
    Fec,
}

/// One stream of the peer's.
#[derive(Debug)]
pub(crate) struct ReceiveStream {
    /// The place of its section.
    pub(crate) section: usize,
    pub(crate) ssrc: u32,
    pub(crate) rid: Option<Label>,
    pub(crate) lane: Lane,
    /// What its packets are told from those of another stream by.
    pub(crate) number: u32,
    pub(crate) rtx: Option<u32>,
    pub(crate) fec: Option<u32>,
    pub(crate) track: Track,
    pub(crate) assembler: Assembler,
    pub(crate) clock: SenderClock,
    /// What its packets tell of the clock of who captured them.
    pub(crate) captures: Captures,
    pub(crate) recovery: Recovery,
    /// The templates of the dependency descriptors, as the last key frame told them.
    pub(crate) structure: Option<Structure>,
    /// The last event of a telephone, as far as it was played.
    pub(crate) event: Option<(u32, telephone::Event)>,
    /// The last packet.
    pub(crate) last: Instant,
    /// A key frame is wanted, and asked for then.
    pub(crate) keyframe: Option<Instant>,
    /// Until then it has been asked for.
    pub(crate) asked: Option<Instant>,
    pub(crate) fir: u8,
    pub(crate) ended: bool,
    pub(crate) stats: ReceiveStats,
}

impl ReceiveStream {
    pub(crate) fn new(
        config: &Config,
        (section, ssrc): (usize, u32),
        (lane, rid): (Lane, Option<Label>),
        now: Instant,
    ) -> Self {
        Self {
            section,
            ssrc,
            rid,
            lane,
            number: 0,
            rtx: None,
            fec: None,
            track: Track::new(config.missing),
            assembler: Assembler::new(config),
            clock: SenderClock::default(),
            captures: Captures::default(),
            recovery: Recovery::default(),
            structure: None,
            event: None,
            last: now,
            keyframe: None,
            asked: None,
            fir: 0,
            ended: false,
            stats: ReceiveStats::default(),
        }
    }

    /// Counts a packet that is new, of so many bytes of payload and in all.
    pub(crate) fn count(&mut self, now: Instant, origin: Origin, payload: usize, whole: usize) {
        let stats = &mut self.stats;
        match origin {
            Origin::Direct => {}
            Origin::Rtx => {
                stats.retransmitted += 1;
                stats.retransmitted_bytes += payload as u64;
            }
            Origin::Red => {
                stats.redundant += 1;
                return;
            }
            Origin::Fec => {
                stats.recovered += 1;
                return;
            }
        }
        stats.packets += 1;
        stats.bytes += payload as u64;
        stats.header_bytes += whole.saturating_sub(payload) as u64;
        stats.last = Some(now);
    }

    /// Wants a key frame: at once if the last request was long ago, else when it may be repeated.
    pub(crate) fn want_keyframe(&mut self, now: Instant) {
        let at = self.asked.map_or(now, |asked| asked.max(now));
        self.keyframe = Some(self.keyframe.map_or(at, |it| it.min(at)));
    }

    /// What is reported of it now.
    pub(crate) fn report(&mut self, now: Instant) -> Option<ReportBlock> {
        let mut block = self.track.report()?;
        block.ssrc = self.ssrc;
        (block.last_report, block.delay) = self.clock.answer(now);
        Some(block)
    }

    /// The counters, with what is measured now.
    pub(crate) fn stats(&self) -> ReceiveStats {
        let mut stats = self.stats.clone();
        (stats.rtx, stats.fec) = (self.rtx, self.fec);
        stats.lost = self.track.lost();
        stats.jitter = self.track.jitter();
        stats.clock = self.track.clock;
        stats.parity_unused = self.recovery.unused();
        self.assembler.fill(&mut stats);
        stats
    }

    /// When something has to be done next.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        let mut due = [self.assembler.due(), self.keyframe, self.track.due()];
        due.sort_by_key(|it| (it.is_none(), *it));
        due[0]
    }
}

/// The shortest time between two requests of a key frame.
pub(crate) const KEYFRAME_PACE: Duration = Duration::from_millis(200);
/// After so long a request is repeated.
pub(crate) const KEYFRAME_AGAIN: Duration = Duration::from_millis(300);
