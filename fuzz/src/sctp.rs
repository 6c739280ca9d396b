//! Two SCTP associations.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use arbitrary::Arbitrary;
use bytes::Bytes;
use oxirtc_sctp::{
    Association, Config, CongestionControl, Error, Event, Message, Mid, Reliability, SendOptions,
    Ssn, State, Tsn,
    packet::{Chunk, ChunkKind, Data, ForwardTsn, IData, IForwardTsn, Packet, Sack},
};

use crate::wire::{End, Machine, Pair, Step};

/// A life of two associations.
#[derive(Arbitrary, Debug)]
pub struct Scenario {
    connected: bool,
    small_window: bool,
    interleaving: bool,
    zero_checksum: bool,
    /// The INIT chunks are known by signalling.
    snap: bool,
    /// Of the controllers one.
    control: u8,
    operations: Vec<Operation>,
}

/// What may happen.
#[derive(Arbitrary, Debug)]
enum Operation {
    Wire(Step),
    Connect(End),
    Send(End, u8, u16, Kind),
    Burst(End, u8, u8),
    Read(End, u8),
    Reset(End, u8),
    AddStreams(End, u16),
    Priority(End, u8, u16),
    Threshold(End, u8, u16),
    RoundTrip(End, u16),
    Consent(End, bool),
    /// The system refuses a packet of this length, whatever it was.
    TooLong(End, u16),
    /// The path is another one, which may carry packets of this length.
    Path(End, u16),
    Shutdown(End),
    Abort(End),
    Forge(End, u8, Forgery),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Ordered,
    Unordered,
    Limited(bool, u8),
    Timed(bool, u16),
}

/// A chunk with the right tag and checksum, and numbers near those that are in use.
#[derive(Arbitrary, Debug)]
enum Forgery {
    Chunk(u8, u8, Vec<u8>),
    Initial(u8, u8, Vec<u8>),
    Data(i8, u8, u16, u8, u16),
    /// A piece by its number in its message.
    Piece(i8, u8, u8, u8, u8, u16),
    Sack(i8, u32, Vec<(u16, u16)>, Vec<i8>),
    ForwardTsn(i8, Vec<(u8, u16)>),
    IForwardTsn(i8, Vec<(u8, bool, u8)>),
}

/// An association and what is known of it.
struct Peer {
    association: Association,
    /// By stream: the numbers of messages that the other end accepted for it and that were not read here.
    expected: BTreeMap<u16, Vec<(u32, Kind)>>,
    failed: bool,
}

impl Scenario {
    /// Performs it.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn play(self) {
        let now = oxirtc_netsim::epoch();
        let window = if self.small_window { 1 << 17 } else { 4 << 20 };
        let control = match self.control % 3 {
            0 => CongestionControl::Cubic,
            1 => CongestionControl::NewReno,
            _ => CongestionControl::Bbr,
        };
        let peer = |seed| Peer {
            association: Association::new(
                Config::default()
                    // There is no DTLS here that would find what is changed, so what is not summed is not honest.
                    .zero_checksum(self.zero_checksum)
                    .interleaving(self.interleaving)
                    .congestion_control(control)
                    .receive_window(window)
                    .send_buffer(SEND_BUFFER),
                [seed; 32],
                now,
            ),
            expected: BTreeMap::new(),
            failed: false,
        };
        let mut ends = [peer(1), peer(2)];
        if (self.control / 3).is_multiple_of(2) {
            for end in &mut ends {
                end.association.path_changed(LONGEST);
            }
        }
        let mut game = Game {
            pair: Pair::hostile(ends),
            sent: 0,
            lasting: true,
        };
        game.pair.room = LONGEST;
        if self.connected {
            if self.snap {
                game.signal();
            }
            game.connect(End::A);
            game.connect(End::B);
            game.pair.step(Step::Flow);
        }
        for operation in self.operations.into_iter().take(MAX_OPERATIONS) {
            game.perform(operation);
        }
        game.finish();
    }
}

struct Game {
    pair: Pair<Peer>,
    sent: u32,
    /// Nobody ended the association or let it end.
    lasting: bool,
}

impl Game {
    fn connect(&mut self, end: End) {
        self.pair
            .with(end, |peer, now| peer.association.connect(now));
    }

    /// Each end learns the other's INIT chunk.
    fn signal(&mut self) {
        let inits = End::BOTH.map(|end| self.pair.end(end).association.local_init());
        for (end, init) in End::BOTH.into_iter().rev().zip(inits) {
            let connected = self
                .pair
                .with(end, |peer, now| peer.association.connect_with(now, &init));
            assert!(connected, "it is a peer's own");
        }
    }

    fn perform(&mut self, operation: Operation) {
        let pair = &mut self.pair;
        match operation {
            Operation::Wire(step) => pair.step(step),
            Operation::Connect(end) => self.connect(end),
            Operation::Send(end, stream, length, kind) => self.send(end, stream, length, kind),
            Operation::Burst(end, stream, count) => {
                (0..count).for_each(|_| self.send(end, stream, 100, Kind::Ordered));
            }
            Operation::Read(end, stream) => self.read(end, stream.into()),
            Operation::Reset(end, streams) => {
                let streams: Vec<u16> = (0..8).filter(|bit| streams >> bit & 1 == 1).collect();
                let _ = pair.with(end, |peer, now| {
                    peer.association.reset_streams(now, &streams)
                });
            }
            Operation::AddStreams(end, count) => {
                let _ = pair.with(end, |peer, now| peer.association.add_streams(now, count));
            }
            Operation::Priority(end, stream, priority) => pair.with(end, |peer, _| {
                peer.association.set_priority(stream.into(), priority);
            }),
            Operation::Threshold(end, stream, bytes) => pair.with(end, |peer, _| {
                let association = &mut peer.association;
                association.set_buffered_amount_low_threshold(stream.into(), bytes.into());
            }),
            Operation::RoundTrip(end, ms) => pair.with(end, |peer, _| {
                peer.association
                    .set_round_trip(Duration::from_millis(ms.into()));
            }),
            Operation::Consent(end, consent) => {
                self.lasting &= consent;
                pair.with(end, |peer, _| peer.association.set_consent(consent));
            }
            Operation::TooLong(end, length) => pair.with(end, |peer, now| {
                peer.association.handle_too_long(now, length.into());
            }),
            Operation::Path(end, length) => pair.with(end, |peer, _| {
                let longest = usize::from(length) % (LONGEST + 1);
                peer.association.path_changed(longest);
            }),
            Operation::Shutdown(end) => {
                self.lasting = false;
                pair.with(end, |peer, now| peer.association.shutdown(now));
            }
            Operation::Abort(end) => {
                self.lasting = false;
                pair.with(end, |peer, now| peer.association.abort(now, "enough"));
            }
            Operation::Forge(to, pick, forgery) => self.forge(to, pick, forgery),
        }
    }

    fn send(&mut self, end: End, stream: u8, length: u16, kind: Kind) {
        let number = self.sent;
        let payload = content(number, usize::from(length) % MAX_MESSAGE);
        let options = SendOptions {
            ordered: kind.is_ordered(),
            reliability: kind.reliability(),
        };
        let stream = u16::from(stream % 8);
        let sent = self.pair.with(end, |peer, now| {
            peer.association.send(now, stream, 51, payload, options)
        });
        if let Ok(()) = sent {
            self.sent += 1;
            let receiver = self.pair.end(end.other());
            receiver
                .expected
                .entry(stream)
                .or_default()
                .push((number, kind));
        } else {
            assert_ne!(sent, Err(Error::EmptyMessage));
        }
    }

    fn read(&mut self, end: End, stream: u16) {
        while let Some(message) = self.pair.end(end).association.read(stream) {
            assert_eq!(message.stream, stream);
            if self.pair.wire.honest {
                self.pair.end(end).expect(message);
            }
            self.pair.flush(end);
        }
    }

    fn forge(&mut self, to: End, pick: u8, forgery: Forgery) {
        let Some((_, model)) = self.pair.sent_to(to, pick) else {
            return;
        };
        let tag = model.get(4..8).and_then(|tag| tag.try_into().ok());
        let mut tag = u32::from_be_bytes(tag.unwrap_or_default());
        let near = |of: End, by: i8| {
            let tsns = (0..16).filter_map(|pick| self.tsn_to(of, pick));
            Tsn(tsns.max().unwrap_or(0).wrapping_add_signed(by.into()))
        };
        let mut chunks = Vec::new();
        match forgery {
            Forgery::Chunk(kind, flags, value) => {
                let kind = KINDS
                    .get(usize::from(kind))
                    .copied()
                    .unwrap_or(ChunkKind(kind));
                let value = &value;
                Chunk { kind, flags, value }.write(&mut chunks);
            }
            Forgery::Initial(kind, flags, value) => {
                tag = 0;
                let kind = KINDS
                    .get(usize::from(kind))
                    .copied()
                    .unwrap_or(ChunkKind::INIT);
                let value = &value;
                Chunk { kind, flags, value }.write(&mut chunks);
            }
            Forgery::Data(by, stream, ssn, flags, length) => Data {
                flags,
                tsn: near(to, by),
                stream: stream.into(),
                ssn: Ssn(ssn),
                ppid: 51,
                payload: &vec![7; usize::from(length) % 1_200],
            }
            .write(&mut chunks),
            Forgery::Piece(by, stream, message, number, flags, length) => IData {
                flags,
                tsn: near(to, by),
                stream: stream.into(),
                mid: Mid(message.into()),
                ppid_or_fsn: number.into(),
                payload: &vec![7; usize::from(length) % 1_200],
            }
            .write(&mut chunks),
            Forgery::Sack(by, window, gaps, duplicates) => {
                let duplicates = duplicates.iter().map(|by| near(to.other(), *by));
                let head = (near(to.other(), by), window);
                Sack::write(&mut chunks, 1_200, head, gaps.into_iter(), duplicates);
            }
            Forgery::ForwardTsn(by, streams) => {
                let streams = streams
                    .into_iter()
                    .map(|(stream, ssn)| (stream.into(), Ssn(ssn)));
                ForwardTsn::write(&mut chunks, near(to, by), streams);
            }
            Forgery::IForwardTsn(by, messages) => {
                let messages = messages
                    .into_iter()
                    .map(|(stream, unordered, mid)| (stream.into(), unordered, Mid(mid.into())));
                IForwardTsn::write(&mut chunks, near(to, by), messages);
            }
        }
        let mut packet = Vec::new();
        Packet::start(&mut packet, 5000, 5000, tag);
        packet.append(&mut chunks);
        Packet::finish(&mut packet, 0);
        self.pair.forge(to, (), packet);
    }

    /// The TSN of a DATA or I-DATA chunk that was sent to this end lately.
    fn tsn_to(&self, to: End, pick: u8) -> Option<u32> {
        let (_, bytes) = self.pair.sent_to(to, pick)?;
        let chunks = Packet::parse_unsummed(bytes).ok()?.chunks();
        let tsns = chunks.filter_map(|chunk| match chunk.kind {
            ChunkKind::DATA => Data::parse(chunk).map(|data| data.tsn.0),
            ChunkKind::I_DATA => IData::parse(chunk).map(|data| data.tsn.0),
            _ => None,
        });
        tsns.last()
    }

    /// Whatever was lost is repaired: all that was to arrive arrives.
    fn finish(&mut self) {
        let mut rounds = 0;
        while rounds < MAX_ROUNDS && !(self.pair.ends.iter().all(Peer::is_done) && self.is_told()) {
            self.pair.settle(2);
            for stream in 0..8 {
                self.read(End::A, stream);
                self.read(End::B, stream);
            }
            rounds += 1;
        }
        let up = self
            .pair
            .ends
            .iter()
            .all(|peer| peer.association.is_established());
        if self.pair.wire.honest && self.lasting {
            for peer in &self.pair.ends {
                assert!(!peer.failed, "an association ended for no reason");
                assert!(!up || peer.is_done(), "a message was lost");
            }
            assert!(!up || self.is_told(), "a message was given up in silence");
        }
    }
}

impl Game {
    /// What did not arrive was reported as given up.
    fn is_told(&self) -> bool {
        let [one, other] = &self.pair.ends;
        [(one, other), (other, one)].iter().all(|(from, to)| {
            let stats = from.association.stats();
            let given_up = stats.abandoned_sent + stats.abandoned_unsent;
            to.expected.values().map(Vec::len).sum::<usize>() as u64 <= given_up
        })
    }
}

impl Peer {
    /// Nothing is on its way from here, and nothing that was promised to here.
    fn is_done(&self) -> bool {
        let mut waiting = self.expected.values().flatten();
        self.association.total_unacknowledged() == 0 && !waiting.any(|(_, kind)| kind.is_reliable())
    }

    /// What is read was sent, is whole, and was not passed by what stands behind it.
    fn expect(&mut self, message: Message) {
        let expected = self.expected.entry(message.stream).or_default();
        let number = message
            .payload
            .first_chunk()
            .map_or(u32::MAX, |it| u32::from_be_bytes(*it));
        assert_eq!(
            message.payload,
            content(number, message.payload.len() - 4),
            "another message"
        );
        let found = expected.iter().position(|(sent, _)| *sent == number);
        let at = found.expect("it was sent and not read yet");
        let (_, kind) = expected.remove(at);
        assert_eq!(kind.is_ordered(), message.ordered);
        if message.ordered {
            let mut passed = expected[..at].iter();
            let passed = passed.any(|(_, kind)| kind.is_ordered() && kind.is_reliable());
            assert!(!passed, "an ordered message was passed");
        }
    }
}

impl Machine for Peer {
    type Route = ();

    fn handle_datagram(&mut self, now: Instant, (): (), datagram: &mut [u8]) {
        self.association.handle_packet(now, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.association.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.association.poll_timeout()
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<((), usize)> {
        let sent = room >= LONGEST && self.association.poll_probe(now, buf)
            || self.association.poll_transmit(now, room, buf);
        sent.then_some(((), usize::MAX))
    }

    fn poll(&mut self, _now: Instant) -> bool {
        let event = self.association.poll_event();
        let ends = matches!(
            event,
            Some(Event::Failed { .. } | Event::Closed { .. } | Event::Restarted)
        );
        self.failed |= ends;
        event.is_some()
    }

    fn check(&self) {
        let queued = self.association.total_unacknowledged();
        assert!(
            queued <= SEND_BUFFER + MAX_MESSAGE,
            "{queued} bytes are queued"
        );
        if self.failed && self.association.state() == State::Closed {
            assert_eq!(
                self.association.poll_timeout(),
                None,
                "what is closed waits for nothing"
            );
        }
    }

    fn mirrored((): ()) {}

    fn repair(datagram: &mut [u8]) {
        Packet::finish(datagram, 0);
    }
}

impl Kind {
    fn is_ordered(self) -> bool {
        match self {
            Self::Ordered => true,
            Self::Unordered => false,
            Self::Limited(ordered, _) | Self::Timed(ordered, _) => ordered,
        }
    }

    fn is_reliable(self) -> bool {
        matches!(self, Self::Ordered | Self::Unordered)
    }

    fn reliability(self) -> Reliability {
        match self {
            Self::Ordered | Self::Unordered => Reliability::Reliable,
            Self::Limited(_, count) => Reliability::Retransmits(count.into()),
            Self::Timed(_, ms) => Reliability::Lifetime(Duration::from_millis(ms.into())),
        }
    }
}

/// The content of a message: its number, then what follows from it.
fn content(number: u32, length: usize) -> Bytes {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.resize(4 + length, number as u8);
    bytes.into()
}

const KINDS: [ChunkKind; 18] = [
    ChunkKind::DATA,
    ChunkKind::INIT,
    ChunkKind::INIT_ACK,
    ChunkKind::SACK,
    ChunkKind::HEARTBEAT,
    ChunkKind::HEARTBEAT_ACK,
    ChunkKind::ABORT,
    ChunkKind::SHUTDOWN,
    ChunkKind::SHUTDOWN_ACK,
    ChunkKind::ERROR,
    ChunkKind::COOKIE_ECHO,
    ChunkKind::COOKIE_ACK,
    ChunkKind::SHUTDOWN_COMPLETE,
    ChunkKind::RECONFIG,
    ChunkKind::FORWARD_TSN,
    ChunkKind::I_DATA,
    ChunkKind::I_FORWARD_TSN,
    ChunkKind::PAD,
];
const MAX_OPERATIONS: usize = 200;
/// Packets may grow to this.
const LONGEST: usize = 1432;
const MAX_MESSAGE: usize = 20_000;
const MAX_ROUNDS: usize = 60;
const SEND_BUFFER: usize = 1 << 18;
