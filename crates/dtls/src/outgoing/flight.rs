use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    outgoing::{
        cut::{Cut, Cutter, Laid, Transmission},
        said::Said,
        timing::Path,
    },
    record::{RecordNumber, Records},
};

/// What one side says before it waits for the other (RFC 6347 §4.2.4, RFC 9147 §5.7), and when it says
/// it again.
///
/// The messages are kept in the clear, and what the peer has not acknowledged of them is cut into sealed
/// datagrams for each transmission: a retransmission is new records with new numbers. The datagrams stay,
/// by index, until the flight is over or cut again.
pub(crate) struct Flight {
    /// It changes with each cut.
    pub(super) id: u64,
    pub(super) said: Vec<Said>,
    /// The newest records, and what they carried.
    sent: VecDeque<Transmission>,
    pub(super) datagrams: Vec<Vec<u8>>,
    /// Which piece of which message stands in which of them, in order.
    laid: Vec<Laid>,
    /// The datagram that is sent next.
    next: usize,
    /// So many messages were sent before the flight was resumed. They go again only every second time:
    /// hellos that somebody, who need not be the server, asked to be replaced.
    said_before: usize,
    progress: Progress,
    /// How often it was sent again by the clock.
    expirations: u32,
    ends: Ends,
    /// When a flight that nobody acknowledges is given up.
    until: Option<Instant>,
    /// How often it was sent again because of what anybody can have said in the clear.
    repetitions: u32,
    /// When it was last sent again because of what the peer said.
    hurried: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing to send.
    Idle,
    /// Not complete: a signature is awaited.
    Held,
    /// To be cut for the room that the next poll gives.
    Due,
    /// Cut, and not all sent.
    Sending,
    /// Sent; an answer is awaited from `at` on.
    Sent { at: Instant },
}

/// What ends a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// The peer's next flight.
    Answer,
    /// Acknowledgements alone.
    Ack,
    /// Nothing answers it; it goes again when the peer's last flight does.
    Repetition,
    /// It goes once, and again when it is asked for again.
    Never,
}

impl Flight {
    pub(super) fn new() -> Self {
        Self {
            id: 0,
            said: Vec::new(),
            sent: VecDeque::new(),
            datagrams: Vec::new(),
            laid: Vec::new(),
            next: 0,
            said_before: 0,
            progress: Progress::Idle,
            expirations: 0,
            ends: Ends::Never,
            until: None,
            repetitions: 0,
            hurried: None,
        }
    }

    /// Starts a new flight: what was sent before has been answered.
    pub(super) fn begin(&mut self, ends: Ends, until: Option<Instant>) {
        self.clear();
        self.progress = Progress::Due;
        self.ends = ends;
        self.until = until;
    }

    pub(super) fn clear(&mut self) {
        let id = self.id;
        *self = Self::new();
        self.id = id;
    }

    pub(super) fn push(&mut self, said: Said) {
        self.said.push(said);
    }

    /// More is said in a flight that was sent before: the new part goes out now.
    pub(super) fn resume(&mut self) {
        self.said_before = self.said.len();
        self.expirations = 0;
        self.progress = Progress::Due;
    }

    /// Nothing of it leaves until it is released.
    pub(super) fn hold(&mut self) {
        self.progress = Progress::Held;
    }

    pub(super) fn release(&mut self) {
        if self.progress == Progress::Held {
            self.progress = Progress::Due;
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.progress == Progress::Idle
    }

    /// Whether all of it was sent.
    pub(super) fn is_sent(&self) -> bool {
        matches!(self.progress, Progress::Sent { .. })
    }

    /// Whether there is one, and the peer has nothing of it.
    pub(super) fn is_withheld(&self) -> bool {
        !self.is_idle() && self.datagrams.is_empty()
    }

    /// Whether some of it is still to be sent.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self.progress, Progress::Due | Progress::Sending)
    }

    /// Silence no longer brings it again.
    pub(super) fn stop_timing(&mut self) {
        self.ends = Ends::Never;
    }

    /// Whether records of this epoch may still be needed.
    pub(super) fn needs(&self, epoch: u16) -> bool {
        self.said
            .iter()
            .any(|it| it.epoch == epoch && !it.is_acked())
    }

    pub(super) fn poll_timeout(&self, path: &Path) -> Option<Instant> {
        match (self.progress, self.ends) {
            (Progress::Sent { at }, Ends::Answer | Ends::Ack) => {
                let due = at + path.interval(self.expirations);
                Some(self.until.map_or(due, |until| until.min(due)))
            }
            _ => None,
        }
    }

    /// How long it may take until all of it has gone again, and was answered.
    pub(super) fn repetition(&self, path: &Path) -> Duration {
        // What was said before it was resumed goes only every second time.
        let next = path.interval(self.expirations);
        next + path.interval(self.expirations.saturating_add(1)) + path.initial()
    }

    /// What is not acknowledged is due again when nothing answered it in time; whether it is.
    pub(super) fn handle_timeout(&mut self, now: Instant, path: &Path) -> bool {
        if self.poll_timeout(path).is_none_or(|at| at > now) {
            return false;
        }
        if self.until.is_some_and(|until| until <= now) {
            self.clear();
            return false;
        }
        self.expirations = self.expirations.saturating_add(1);
        self.progress = Progress::Due;
        true
    }

    /// The peer sent a flight again, so ours was lost; whether ours goes out once more. In the clear
    /// anybody can make a copy of the peer's flight, so there it is not answered at once again, and ever more
    /// seldom behind so many as a peer needs.
    pub(super) fn handle_repetition(
        &mut self,
        now: Instant,
        path: &Path,
        authenticated: bool,
    ) -> bool {
        let Progress::Sent { at } = self.progress else {
            return false;
        };
        if !authenticated {
            let many = self.repetitions.saturating_sub(FREE_REPETITIONS);
            if now < at + path.interval(many) / 2 {
                return false;
            }
            self.repetitions = self.repetitions.saturating_add(1);
        }
        self.progress = Progress::Due;
        true
    }

    /// The peer has what these records carried; whether any was ours, and new.
    pub(super) fn acknowledge(&mut self, numbers: &[RecordNumber]) -> bool {
        let mut any = false;
        for transmission in &self.sent {
            if !numbers.contains(&transmission.number) {
                continue;
            }
            for (index, range) in &transmission.pieces {
                if let Some(said) = self.said.get_mut(*index) {
                    any |= said.acknowledge(range);
                }
            }
        }
        if any {
            self.expirations = 0;
        }
        any
    }

    /// What the peer seems to lack goes out at once, at most once a round trip (RFC 9147 §7.2).
    pub(super) fn hurry(&mut self, now: Instant, wait: Duration) {
        let early = self.hurried.is_some_and(|at| now < at + wait);
        if self.is_sent() && !early {
            self.hurried = Some(now);
            self.progress = Progress::Due;
        }
    }

    /// Whether the peer has all of it.
    pub(super) fn is_acked(&self) -> bool {
        !self.said.is_empty() && self.said.iter().all(Said::is_acked)
    }

    /// Appends the next datagram.
    pub(super) fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        records: &mut Records,
        buf: &mut Vec<u8>,
    ) -> bool {
        let cut = match self.progress {
            Progress::Idle | Progress::Held | Progress::Sent { .. } => return false,
            Progress::Due => self.cut(room, records),
            Progress::Sending => {
                let next = self.datagrams.get(self.next);
                match next.is_none_or(|datagram| datagram.len() <= room) {
                    true => Some(()),
                    false => self.cut_rest(room, records),
                }
            }
        };
        if cut.is_none() {
            return false;
        }
        self.progress = Progress::Sending;
        let Some(datagram) = self.datagrams.get(self.next) else {
            self.progress = Progress::Sent { at: now };
            return false;
        };
        buf.extend(datagram);
        self.next += 1;
        if self.next == self.datagrams.len() {
            self.progress = Progress::Sent { at: now };
        }
        true
    }

    /// Packs what is not acknowledged into as few datagrams as hold it.
    fn cut(&mut self, room: usize, records: &mut Records) -> Option<()> {
        let everything = self.expirations > 0 && self.expirations.is_multiple_of(2);
        let skipped = if everything { 0 } else { self.said_before };
        let mut cutter = Cutter::new(records, room);
        for (index, said) in self.said.iter().enumerate().skip(skipped) {
            cutter.add(index, said)?;
        }
        let cut = cutter.finish()?;
        self.datagrams.clear();
        self.laid.clear();
        self.next = 0;
        self.lay(cut);
        Some(())
    }

    /// Packs once more what has not been sent since the last cut, as there is less room.
    fn cut_rest(&mut self, room: usize, records: &mut Records) -> Option<()> {
        let next = self.next;
        let mut cutter = Cutter::new(records, room);
        for laid in self.laid.iter().filter(|laid| laid.datagram >= next) {
            let said = self.said.get(laid.index)?;
            cutter.add_range(laid.index, said, laid.piece.clone())?;
        }
        let cut = cutter.finish()?;
        self.datagrams.truncate(next);
        self.laid.clear();
        self.lay(cut);
        Some(())
    }

    fn lay(&mut self, cut: Cut) {
        let before = self.datagrams.len();
        self.datagrams.extend(cut.datagrams);
        self.laid.extend(cut.laid.into_iter().map(|laid| Laid {
            datagram: before + laid.datagram,
            ..laid
        }));
        self.sent.extend(cut.sent);
        let excess = self.sent.len().saturating_sub(MAX_TRANSMISSIONS);
        self.sent.drain(..excess);
        self.id += 1;
    }
}

/// A peer whose own time doubles has come to seconds then, whatever it began with.
const FREE_REPETITIONS: u32 = 8;
const MAX_TRANSMISSIONS: usize = 64;
