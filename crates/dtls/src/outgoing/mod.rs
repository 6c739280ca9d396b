//! What we say: flights, cut into records for each transmission, until they are answered or acknowledged.

mod cut;
mod flight;
mod ranges;
mod said;
#[cfg(test)]
mod tests;
mod timing;

use std::time::{Duration, Instant};

pub(crate) use flight::Ends;
use flight::Flight;
use said::Said;
use timing::Path;

use crate::record::{APPLICATION_EPOCH, RecordNumber, Records};

/// The two flights that may be under way: the handshake's, and one behind it. Each is what waits for one
/// answer.
pub(crate) struct Outgoing {
    /// The number of the next message, if it is one: they do not wrap.
    next_message: u32,
    handshake: Flight,
    after: Flight,
    path: Path,
}

/// What an ACK came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    /// Nothing that was not known.
    Nothing,
    /// Some of a flight, or the rest of the handshake's last one.
    Part,
    /// The rest of the flight behind it.
    After,
}

impl Outgoing {
    pub(crate) fn new() -> Self {
        Self {
            next_message: 0,
            handshake: Flight::new(),
            after: Flight::new(),
            path: Path {
                round_trip: None,
                consent: true,
            },
        }
    }

    /// Starts a flight of the handshake: what was sent before has been answered.
    pub(crate) fn begin(&mut self, ends: Ends, until: Option<Instant>) {
        self.handshake.begin(ends, until);
    }

    /// Starts a flight behind the handshake's. It is never given up: the peer, which may have it, waits for what comes behind it.
    pub(crate) fn begin_after(&mut self) {
        self.after.begin(Ends::Ack, None);
    }

    /// More is said in the flight that was sent before.
    pub(crate) fn resume(&mut self) {
        self.handshake.resume();
    }

    pub(crate) fn hold(&mut self) {
        self.handshake.hold();
    }

    pub(crate) fn release(&mut self) {
        self.handshake.release();
    }

    /// The peer has answered the handshake's flight.
    pub(crate) fn answered(&mut self) {
        self.handshake.clear();
    }

    pub(crate) fn clear(&mut self) {
        self.handshake.clear();
        self.after.clear();
    }

    /// Adds a message to the handshake's flight and gives its number.
    pub(crate) fn push(&mut self, epoch: u16, kind: u8, body: &[u8]) -> u16 {
        let said = Said::new(epoch, Some(kind), self.number(), body);
        let number = said.sequence;
        self.handshake.push(said);
        number
    }

    /// Adds a message to the flight behind it.
    pub(crate) fn push_after(&mut self, epoch: u16, kind: u8, body: &[u8]) {
        let said = Said::new(epoch, Some(kind), self.number(), body);
        self.after.push(said);
    }

    pub(crate) fn push_change_cipher_spec(&mut self) {
        self.handshake.push(Said::new(0, None, 0, &[]));
    }

    /// The number of the message that is said next.
    pub(crate) fn number_from(&mut self, number: u16) {
        self.next_message = number.into();
    }

    /// Whether no number is left for another message.
    pub(crate) fn is_spent(&self) -> bool {
        u16::try_from(self.next_message).is_err()
    }

    #[cfg(test)]
    pub(crate) fn next_message(&self) -> u16 {
        self.next_message as u16
    }

    fn number(&mut self) -> u16 {
        let number = u16::try_from(self.next_message).unwrap_or(u16::MAX);
        self.next_message += 1;
        number
    }

    /// Whether all of the handshake's flight was sent.
    pub(crate) fn is_sent(&self) -> bool {
        self.handshake.is_sent()
    }

    /// Whether the handshake has a flight of which the peer has nothing.
    pub(crate) fn is_withheld(&self) -> bool {
        self.handshake.is_withheld()
    }

    pub(crate) fn is_unsent(&self) -> bool {
        self.handshake.is_unsent()
    }

    /// Whether a flight behind the handshake's is under way.
    pub(crate) fn is_busy_after(&self) -> bool {
        !self.after.is_idle()
    }

    pub(crate) fn stop_timing(&mut self) {
        self.handshake.stop_timing();
        self.after.clear();
    }

    /// Whether records of this epoch may still be needed.
    pub(crate) fn needs(&self, epoch: u16) -> bool {
        self.handshake.needs(epoch) || self.after.needs(epoch)
    }

    /// The datagrams of the flight that is under way. Whoever carries DTLS in other protocols may send
    /// one of them again: to the peer it is a replay.
    pub(crate) fn flight(&self) -> Option<(u64, &[Vec<u8>])> {
        let flight = &self.handshake;
        (!flight.datagrams.is_empty()).then_some((flight.id, &flight.datagrams[..]))
    }

    pub(crate) fn set_round_trip(&mut self, round_trip: Duration) {
        self.path.round_trip = Some(round_trip);
    }

    pub(crate) fn set_consent(&mut self, consent: bool) {
        self.path.consent = consent;
    }

    /// How long the peer's silence may last before something is done about it.
    pub(crate) fn patience(&self) -> Duration {
        self.path.initial()
    }

    /// How long it may take from now until all of the handshake's flight has gone again, and was answered.
    pub(crate) fn repetition(&self) -> Duration {
        self.handshake.repetition(&self.path)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let flights = [&self.handshake, &self.after];
        let deadlines = flights
            .into_iter()
            .filter_map(|it| it.poll_timeout(&self.path));
        deadlines.min()
    }

    /// What is due again by the clock; whether anything is.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let handshake = self.handshake.handle_timeout(now, &self.path);
        let after = self.after.handle_timeout(now, &self.path);
        handshake || after
    }

    /// The peer sent its flight again; whether ours goes out once more.
    pub(crate) fn handle_repetition(&mut self, now: Instant, authenticated: bool) -> bool {
        self.handshake
            .handle_repetition(now, &self.path, authenticated)
    }

    /// The peer has these records. `by` is the epoch that says so.
    pub(crate) fn acknowledge(
        &mut self,
        now: Instant,
        by: u16,
        numbers: &[RecordNumber],
    ) -> Acknowledged {
        // Erratum 8108 of RFC 9147 §7: in a handshake an ACK under older keys cannot know of records under
        // newer ones. Behind it each direction has its own epochs.
        let known = |it: &RecordNumber| by >= APPLICATION_EPOCH || it.epoch <= by;
        let known: Vec<RecordNumber> = numbers.iter().copied().filter(known).collect();
        let wait = self.path.initial();
        let handshake = self.handshake.acknowledge(&known);
        let after = self.after.acknowledge(&known);
        // One may say both.
        if handshake && self.handshake.is_acked() {
            self.handshake.clear();
        } else if handshake {
            self.handshake.hurry(now, wait);
        }
        if after && self.after.is_acked() {
            self.after.clear();
            return Acknowledged::After;
        }
        match handshake || after {
            true => Acknowledged::Part,
            false => Acknowledged::Nothing,
        }
    }

    /// Appends the next datagram of either flight.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        records: &mut Records,
        buf: &mut Vec<u8>,
    ) -> bool {
        let flights = [&mut self.handshake, &mut self.after];
        let mut flights = flights.into_iter();
        flights.any(|flight| flight.poll_transmit(now, room, records, buf))
    }
}
