use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    message::Ack,
    record::{self, RecordNumber, Records},
};

/// The records of the peer that are to be acknowledged (RFC 9147 §7.1).
#[derive(Default)]
pub(crate) struct Acks {
    /// The newest, in the order in which they came.
    due: VecDeque<RecordNumber>,
    /// When they are acknowledged, if nothing else tells the peer that they came.
    at: Option<Instant>,
    /// They are acknowledged now.
    urgent: bool,
}

impl Acks {
    /// All fragments of this record were stored, or handled before. `wait` is for what may tell the peer
    /// anyway; `None` where nothing does.
    pub(crate) fn note(&mut self, now: Instant, number: RecordNumber, wait: Option<Duration>) {
        if !self.due.contains(&number) {
            self.due.push_back(number);
        }
        if self.due.len() > MAX_DUE {
            self.due.pop_front();
        }
        match wait {
            Some(wait) => self.at = self.at.or(Some(now + wait)),
            None => self.urgent = true,
        }
    }

    /// What was noted is acknowledged now.
    pub(crate) fn hurry(&mut self) {
        self.urgent = !self.due.is_empty();
    }

    /// What we say next tells the peer all this.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.at.filter(|_| !self.urgent)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.urgent |= self.at.is_some_and(|at| at <= now);
    }

    /// Appends the record, in the newest epoch, if it is due.
    pub(crate) fn poll_transmit(
        &mut self,
        room: usize,
        records: &mut Records,
        buf: &mut Vec<u8>,
    ) -> bool {
        if !self.urgent {
            return false;
        }
        let epoch = records.write_epoch();
        let overhead = records.overhead(epoch) + 2;
        let count = room.saturating_sub(overhead) / Ack::NUMBER_LEN;
        let mut numbers: Vec<RecordNumber> = self.due.iter().rev().take(count).copied().collect();
        self.clear();
        if epoch == 0 || numbers.is_empty() {
            return false;
        }
        numbers.sort_unstable();
        let numbers = numbers.iter().map(|it| (u64::from(it.epoch), it.sequence));
        let mut payload = Vec::new();
        Ack {
            numbers: numbers.collect(),
        }
        .write(&mut payload);
        records.append(epoch, record::ACK, &[&payload], buf).is_ok()
    }
}

const MAX_DUE: usize = 64;
