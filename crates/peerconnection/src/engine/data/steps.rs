//! What is done about all channels, one after the other, as there may be very many: they end, are carried over, or open.

use oxirtc_sctp as sctp;

use super::Data;
use crate::engine::task::Tasks;

impl Data {
    /// Whether something of that is left. What comes after it waits until all is done.
    pub(super) fn is_under_way(&self) -> bool {
        self.ending.is_some() || self.carrying.is_some() || self.session.is_opening()
    }

    /// Deals with a few channels, or lets go of a part of what is over for all of them.
    pub(super) fn take_steps(&mut self, tasks: &mut Tasks) {
        for _ in 0..TAKEN {
            if !self.take_step(tasks) {
                if !self.lets_go() {
                    self.conclude(tasks);
                }
                return;
            }
        }
    }

    /// All that is left of what ends and is carried over at once: something takes its place.
    pub(super) fn finish(&mut self, tasks: &mut Tasks) {
        while self.ending.is_some() || self.carrying.is_some() {
            if !self.take_step(tasks) {
                self.conclude(tasks);
            }
        }
    }

    /// Deals with the next channel, or with the next thing that came for the association that was. False when there is none.
    fn take_step(&mut self, tasks: &mut Tasks) -> bool {
        if self.ending.is_some() {
            self.go_on_ending(tasks)
        } else if self.carrying.is_some() {
            self.go_on_carrying(tasks)
        } else {
            self.session.is_opening() && self.go_on_opening(tasks)
        }
    }

    /// Drops a part of what the association holds that is over. False when nothing is left.
    fn lets_go(&mut self) -> bool {
        let association = match (&self.ending, &mut self.carrying) {
            (Some(ending), _) if ending.over.is_some() => self.live(),
            (None, Some(carrying)) => Some(&mut *carrying.former),
            _ => None,
        };
        association.is_some_and(sctp::Association::let_go)
    }

    fn conclude(&mut self, tasks: &mut Tasks) {
        match self.ending.take() {
            Some(ending) => self.ended(&ending, tasks),
            None => self.carrying = None,
        }
    }
}

/// How many channels are dealt with in a step.
pub(super) const TAKEN: usize = 8;
