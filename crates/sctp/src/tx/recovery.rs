//! What is known of losses, and when something is to be done about them.

pub(crate) mod prr;
pub(crate) mod rack;
pub(crate) mod rtt;

use std::{collections::VecDeque, ops::Range, time::Instant};

use self::{prr::Prr, rack::Rack, rtt::Rtt};
use super::{control::Saved, flown::PacketNo};
use crate::config::Timing;

/// What is known of losses.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) rtt: Rtt,
    pub(crate) rack: Rack,
    /// Losses of packets before this one have been answered for.
    pub(crate) reduced_at: PacketNo,
    pub(crate) episode: Option<Prr>,
    /// The last reductions, the newest at the end.
    pub(crate) undos: VecDeque<Undo>,
    /// When something may be known to be lost that is not yet.
    pub(crate) reorder: Option<Instant>,
    /// When to send a probe, and how many went since something was acknowledged.
    pub(crate) probe: Option<Instant>,
    pub(crate) probes: u8,
    /// When something was acknowledged last.
    pub(crate) heard: Option<Instant>,
    /// When what is over and stands first is passed over, though nothing tells that it is lost.
    pub(crate) pass: Option<Instant>,
    /// Nothing that was sent later tells of what is in flight: what may not go again is passed over.
    pub(crate) ended: Option<Ended>,
    /// T3-rtx (RFC 9260 §6.3).
    pub(crate) t3: Option<Instant>,
    /// How often T3-rtx expired since something was acknowledged.
    pub(crate) timeouts: u32,
}

/// A reduction that may turn out to be for nothing.
#[derive(Debug)]
pub(crate) struct Undo {
    pub(crate) saved: Saved,
    /// The packets for whose loss it was: what becomes known of others says nothing of it.
    pub(crate) packets: Range<PacketNo>,
    pub(crate) lost: u32,
    pub(crate) proven: u32,
}

/// Why something is passed over of which nothing tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Its life is over, and it has had the time that the path takes; it may have come all the same.
    Over,
    /// A probe would ask for it: it is lost.
    Silent,
}

impl Recovery {
    pub(crate) fn new(timing: &Timing) -> Self {
        Self {
            rtt: Rtt::new(timing),
            rack: Rack::new(),
            reduced_at: 0,
            episode: None,
            undos: VecDeque::new(),
            reorder: None,
            probe: None,
            probes: 0,
            heard: None,
            pass: None,
            ended: None,
            t3: None,
            timeouts: 0,
        }
    }

    /// So many chunks of a packet are lost.
    pub(crate) fn lost(&mut self, packet: PacketNo, chunks: u32) {
        if let Some(undo) = self.undo_of(packet) {
            undo.lost += chunks;
        }
    }

    /// A chunk of a packet was taken as lost and was not.
    pub(crate) fn proven(&mut self, packet: PacketNo) {
        if let Some(undo) = self.undo_of(packet) {
            undo.proven += 1;
        }
    }

    fn undo_of(&mut self, packet: PacketNo) -> Option<&mut Undo> {
        let mut undos = self.undos.iter_mut().rev();
        undos.find(|undo| undo.packets.contains(&packet))
    }

    /// There was a reduction, for the loss of so many chunks of these packets.
    pub(crate) fn reduced(&mut self, saved: Saved, packets: Range<PacketNo>, lost: u32) {
        self.reduced_at = packets.end;
        if self.undos.len() == MAX_UNDOS {
            self.undos.pop_front();
        }
        self.undos.push_back(Undo {
            saved,
            packets,
            lost,
            proven: 0,
        });
    }

    /// The next reduction that was for nothing, as all that it was for has come; and the state from before the one that
    /// followed it.
    pub(crate) fn take_undone(&mut self) -> Option<(Saved, Option<&mut Saved>)> {
        let undone = |undo: &Undo| undo.proven > 0 && undo.proven >= undo.lost;
        let index = self.undos.iter().position(undone)?;
        let Undo { saved, packets, .. } = self.undos.remove(index)?;
        match self.undos.get_mut(index) {
            // The one that followed answers for what else of its packets is lost.
            Some(next) => next.packets.start = next.packets.start.min(packets.start),
            None => {
                let answered = self.undos.back().map_or(0, |it| it.packets.end);
                self.reduced_at = answered.max(packets.start);
            }
        }
        Some((saved, self.undos.get_mut(index).map(|it| &mut it.saved)))
    }

    /// The next of its timers.
    pub(crate) fn next(&self) -> Option<Instant> {
        let probe = self.probe_at();
        let timers = [self.reorder, probe, self.pass, self.t3];
        timers.into_iter().flatten().min()
    }

    /// RFC 8985 §7.2: a probe goes before the timer that would throw the window away.
    fn probe_at(&self) -> Option<Instant> {
        let (probe, t3) = (self.probe?, self.t3?);
        Some(probe.min(t3))
    }

    pub(crate) fn is_probe_due(&self, now: Instant) -> bool {
        self.probe_at().is_some_and(|at| at <= now)
    }

    pub(crate) fn is_timeout_due(&self, now: Instant) -> bool {
        self.t3.is_some_and(|at| at <= now)
    }
}

/// What a path brings late may prove a reduction to be for nothing after some others.
const MAX_UNDOS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    const SAVED: Saved = Saved {
        window: 1.0,
        threshold: 1.0,
        maximum: 0.0,
        prior: 0.0,
    };

    /// One with a reduction for the loss of one chunk in each of these ranges of packets.
    fn reduced(ranges: &[Range<PacketNo>]) -> Recovery {
        let mut recovery = Recovery::new(&Config::default().timing);
        for range in ranges {
            recovery.reduced(SAVED, range.clone(), 1);
        }
        recovery
    }

    /// What one that was taken back was for has come, and nothing has answered for what else of its packets is lost.
    #[test]
    fn what_was_taken_back_answers_for_nothing() {
        let mut recovery = reduced(&[1..11, 11..21]);
        assert_eq!(recovery.reduced_at, 21);
        recovery.proven(15);
        assert!(
            recovery
                .take_undone()
                .is_some_and(|(_, next)| next.is_none())
        );
        assert_eq!(recovery.reduced_at, 11, "the first stands");
        recovery.proven(5);
        assert!(recovery.take_undone().is_some());
        assert_eq!(recovery.reduced_at, 1);
    }

    /// One that stands was made when all before it had left, and answers for that.
    #[test]
    fn what_followed_answers_for_what_was_before_it() {
        let mut recovery = reduced(&[1..11, 11..21]);
        recovery.proven(5);
        assert!(
            recovery
                .take_undone()
                .is_some_and(|(_, next)| next.is_some())
        );
        assert_eq!(recovery.reduced_at, 21);
        recovery.lost(5, 1);
        recovery.proven(15);
        assert!(recovery.take_undone().is_none(), "another was lost");
        recovery.proven(5);
        assert!(recovery.take_undone().is_some());
        assert_eq!(recovery.reduced_at, 1, "neither stands");
    }

    /// A timeout is for the packet that left first, which may be from before a reduction that stands.
    #[test]
    fn a_timeout_that_was_taken_back_leaves_what_stands() {
        let mut recovery = reduced(&[1..11, 5..21]);
        recovery.proven(5);
        assert!(recovery.take_undone().is_some());
        assert_eq!(recovery.reduced_at, 11);
    }
}
