use std::time::{Duration, Instant};

use crate::{
    message::{Fragment, HEADER_LEN},
    record::{self, Records},
};

/// What one side says before it waits for the other (RFC 6347 §4.2.4), and when it says it again.
///
/// The messages are kept in the clear, and cut into sealed datagrams for each transmission: a
/// retransmission is new records with new numbers. The datagrams stay, by index, until the flight is
/// answered or cut again.
pub(crate) struct Flight {
    items: Vec<Item>,
    datagrams: Vec<Vec<u8>>,
    /// The datagram that is sent next.
    next: usize,
    /// So many items were sent before the flight was resumed. They go again only every second time:
    /// hellos that somebody, who need not be the server, asked to be replaced.
    said_before: usize,
    /// Of the next message in this direction.
    sequence: u16,
    progress: Progress,
    timing: Timing,
}

/// One message or `change_cipher_spec`.
struct Item {
    epoch: u16,
    /// With its handshake header; `None` stands for `change_cipher_spec`.
    message: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing to send.
    Idle,
    /// To be cut for the room that the next poll gives.
    Due,
    /// Cut for so much room, and not all sent.
    Sending { room: usize },
    /// Sent; an answer is awaited from `at` on.
    Sent { at: Instant },
}

struct Timing {
    round_trip: Option<Duration>,
    consent: bool,
    /// How often the flight was sent again by the clock.
    expirations: u32,
    /// Whether silence brings it again. The last flight waits for the peer's.
    timed: bool,
}

impl Flight {
    pub(crate) fn new() -> Self {
        Self {
            items: Vec::new(),
            datagrams: Vec::new(),
            next: 0,
            said_before: 0,
            sequence: 0,
            progress: Progress::Idle,
            timing: Timing {
                round_trip: None,
                consent: true,
                expirations: 0,
                timed: true,
            },
        }
    }

    /// Starts a new flight: what was sent before has been answered.
    pub(crate) fn begin(&mut self, timed: bool) {
        self.clear();
        self.progress = Progress::Due;
        self.timing.expirations = 0;
        self.timing.timed = timed;
    }

    /// Forgets the flight.
    pub(crate) fn clear(&mut self) {
        self.items = Vec::new();
        self.datagrams = Vec::new();
        self.next = 0;
        self.said_before = 0;
        self.progress = Progress::Idle;
    }

    /// Whether all of it was sent.
    pub(crate) fn is_sent(&self) -> bool {
        matches!(self.progress, Progress::Sent { .. })
    }

    /// Whether some of it is still to be sent.
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(self.progress, Progress::Due | Progress::Sending { .. })
    }

    /// Silence no longer brings it again.
    pub(crate) fn stop_timing(&mut self) {
        self.timing.timed = false;
    }

    /// Adds a message and gives its number.
    pub(crate) fn push(&mut self, epoch: u16, kind: u8, body: &[u8]) -> u16 {
        let number = self.sequence;
        self.sequence = number.wrapping_add(1);
        self.items.push(Item {
            epoch,
            message: Some(whole(kind, number, body)),
        });
        number
    }

    /// The number of the message that is said next.
    pub(crate) fn number_from(&mut self, number: u16) {
        self.sequence = number;
    }

    #[cfg(test)]
    pub(crate) fn next_message(&self) -> u16 {
        self.sequence
    }

    /// More is said in a flight that was sent before: the new part goes out now.
    pub(crate) fn resume(&mut self) {
        self.said_before = self.items.len();
        self.timing.expirations = 0;
        self.progress = Progress::Due;
    }

    pub(crate) fn push_change_cipher_spec(&mut self) {
        self.items.push(Item {
            epoch: 0,
            message: None,
        });
    }

    pub(crate) fn set_round_trip(&mut self, round_trip: Duration) {
        self.timing.round_trip = Some(round_trip);
    }

    pub(crate) fn set_consent(&mut self, consent: bool) {
        self.timing.consent = consent;
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.progress {
            Progress::Sent { at } if self.timing.timed => Some(at + self.timing.interval()),
            _ => None,
        }
    }

    /// The whole flight is due again when nothing answered it in time; whether it is.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let expired = self.poll_timeout().is_some_and(|at| at <= now);
        if expired {
            self.timing.expirations = self.timing.expirations.saturating_add(1);
            self.progress = Progress::Due;
        }
        expired
    }

    /// The peer sent its last flight again, so ours was lost; whether ours goes out once more. In the
    /// clear anybody can make a copy of the peer's flight, so there it is not answered at once again.
    pub(crate) fn handle_repetition(&mut self, now: Instant, authenticated: bool) -> bool {
        let Progress::Sent { at } = self.progress else {
            return false;
        };
        let early = now < at + self.timing.initial() / 2;
        if early && !authenticated {
            return false;
        }
        self.progress = Progress::Due;
        true
    }

    /// Appends the next datagram of the flight.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        records: &mut Records,
        buf: &mut Vec<u8>,
    ) -> bool {
        let fits = matches!(self.progress, Progress::Sending { room: cut } if cut <= room);
        match self.progress {
            Progress::Idle | Progress::Sent { .. } => return false,
            Progress::Sending { .. } if fits => {}
            Progress::Due | Progress::Sending { .. } => {
                if !self.cut(room, records) {
                    return false;
                }
                self.progress = Progress::Sending { room };
            }
        }
        let Some(datagram) = self.datagrams.get(self.next) else {
            self.progress = Progress::Idle;
            return false;
        };
        buf.extend(datagram);
        self.next += 1;
        if self.next == self.datagrams.len() {
            self.progress = Progress::Sent { at: now };
        }
        true
    }

    /// Packs the messages into as few datagrams as hold them; `false` when not even a piece fits.
    fn cut(&mut self, room: usize, records: &mut Records) -> bool {
        self.datagrams.clear();
        self.next = 0;
        let mut datagram = Vec::with_capacity(room.min(2048));
        let skipped = match self.timing.expirations % 2 {
            0 if self.timing.expirations > 0 => 0,
            _ => self.said_before,
        };
        for item in self.items.iter().skip(skipped) {
            let Some(message) = &item.message else {
                if datagram.len() + record::HEADER_LEN + 1 > room {
                    self.datagrams.push(std::mem::take(&mut datagram));
                }
                let content_type = record::CHANGE_CIPHER_SPEC;
                if records
                    .append(item.epoch, content_type, &[&[1]], &mut datagram)
                    .is_err()
                {
                    return false;
                }
                continue;
            };
            let overhead = records.overhead(item.epoch) + HEADER_LEN;
            if room <= overhead {
                return false;
            }
            let (header, body) = message.split_at_checked(HEADER_LEN).unwrap_or_default();
            let mut offset = 0;
            loop {
                let left = body.len() - offset;
                let space = room.saturating_sub(datagram.len() + overhead);
                if space < left.min(MIN_PIECE) && !datagram.is_empty() {
                    self.datagrams.push(std::mem::take(&mut datagram));
                    continue;
                }
                let end = offset + left.min(space).min(record::MAX_PLAINTEXT - HEADER_LEN);
                let piece = body.get(offset..end).unwrap_or_default();
                let header = piece_header(header, offset, piece.len());
                let pieces = [&header[..], piece];
                let written = records.append(item.epoch, record::HANDSHAKE, &pieces, &mut datagram);
                if written.is_err() {
                    return false;
                }
                offset = end;
                if offset == body.len() {
                    break;
                }
            }
        }
        if !datagram.is_empty() {
            self.datagrams.push(datagram);
        }
        true
    }
}

impl Timing {
    /// Twice the round trip that ICE measured, for a peer that has to think; a second without (RFC 6347
    /// §4.2.4.1).
    fn initial(&self) -> Duration {
        let hint = self
            .round_trip
            .map(|round_trip| round_trip.saturating_mul(2));
        hint.map_or(FIRST, |hint| hint.clamp(SHORTEST, LONGEST))
    }

    /// Doubling. While the peer consents the path is known to work, so there is no reason to fall
    /// silent.
    fn interval(&self) -> Duration {
        let cap = if self.consent {
            LONGEST
        } else {
            LONGEST_WITHOUT_CONSENT
        };
        let doubled = self.initial().saturating_mul(1 << self.expirations.min(16));
        doubled.min(cap)
    }
}

/// A message with its header, in one piece: how it counts in the transcript (RFC 6347 §4.2.6).
pub(crate) fn whole(kind: u8, sequence: u16, body: &[u8]) -> Vec<u8> {
    let fragment = Fragment {
        kind,
        length: body.len(),
        sequence,
        offset: 0,
        body,
    };
    let mut bytes = Vec::with_capacity(HEADER_LEN + body.len());
    fragment.write(&mut bytes);
    bytes
}

fn piece_header(whole: &[u8], offset: usize, len: usize) -> [u8; HEADER_LEN] {
    let [.., o0, o1, o2] = offset.to_be_bytes();
    let [.., l0, l1, l2] = len.to_be_bytes();
    let mut header = [0; HEADER_LEN];
    for (to, from) in header.iter_mut().zip(whole) {
        *to = *from;
    }
    let [.., a, b, c, d, e, f] = &mut header;
    (*a, *b, *c, *d, *e, *f) = (o0, o1, o2, l0, l1, l2);
    header
}

/// A message is cut only where a piece of this size remains.
const MIN_PIECE: usize = 32;
const FIRST: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(3);
const LONGEST_WITHOUT_CONSENT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "a base instant for simulated time"
    )]
    fn base() -> Instant {
        Instant::now()
    }

    fn flight(len: usize) -> Flight {
        let mut flight = Flight::new();
        flight.begin(true);
        flight.push(0, 11, &vec![0x30; len + 6]);
        flight.push(0, 14, &[]);
        flight.push_change_cipher_spec();
        flight
    }

    fn drain(flight: &mut Flight, now: Instant, room: usize, records: &mut Records) -> Vec<usize> {
        let mut lens = Vec::new();
        let mut buf = Vec::new();
        while flight.poll_transmit(now, room, records, &mut buf) {
            lens.push(buf.len());
            buf.clear();
        }
        lens
    }

    #[test]
    fn datagrams_fit_in_the_room_and_are_few() {
        let now = base();
        for (len, room, count) in [(300, 1200, 1), (2_000, 1200, 2), (2_000, 300, 8)] {
            let lens = drain(&mut flight(len), now, room, &mut Records::new());
            assert!(lens.iter().all(|len| *len <= room), "{lens:?}");
            assert_eq!(lens.len(), count, "{lens:?}");
        }
        for room in 0..=25 {
            assert!(drain(&mut flight(9), now, room, &mut Records::new()).is_empty());
        }
        assert!(!drain(&mut flight(9), now, 26, &mut Records::new()).is_empty());
    }

    #[test]
    fn retransmissions_double_up_to_three_seconds_while_there_is_consent() {
        let (mut now, mut records, mut flight) = (base(), Records::new(), flight(300));
        assert_eq!(flight.poll_timeout(), None, "nothing was sent yet");
        let mut waits = Vec::new();
        flight.set_round_trip(Duration::from_millis(200));
        for _ in 0..6 {
            assert_eq!(drain(&mut flight, now, 1200, &mut records).len(), 1);
            let at = flight.poll_timeout().unwrap();
            assert!(!flight.handle_timeout(at - Duration::from_millis(1)));
            waits.push((at - now).as_millis());
            now = at;
            assert!(flight.handle_timeout(now));
        }
        assert_eq!(waits, [400, 800, 1600, 3000, 3000, 3000]);
        drain(&mut flight, now, 1200, &mut records);
        flight.set_consent(false);
        assert_eq!(
            flight.poll_timeout().unwrap() - now,
            Duration::from_millis(25_600)
        );
        for (round_trip, first) in [(0, 50), (10, 50), (40, 80), (60_000, 3_000)] {
            flight.set_round_trip(Duration::from_millis(round_trip));
            flight.timing.expirations = 0;
            assert_eq!(
                flight.poll_timeout().unwrap() - now,
                Duration::from_millis(first)
            );
        }
    }

    #[test]
    fn less_room_cuts_the_flight_anew() {
        let (now, mut records, mut flight) = (base(), Records::new(), flight(2_000));
        let mut buf = Vec::new();
        assert!(flight.poll_transmit(now, 1200, &mut records, &mut buf));
        assert!(
            !flight.poll_transmit(now, 20, &mut records, &mut buf),
            "nothing fits"
        );
        let lens = drain(&mut flight, now, 500, &mut records);
        assert!(
            lens.len() > 4 && lens.iter().all(|len| *len <= 500),
            "{lens:?}"
        );
    }
}
