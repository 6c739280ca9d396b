//! An association whose peer is written by hand.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

use oxirtc_netsim::Link;
use oxirtc_sctp::{
    Config, Mid, Ssn, State, Tsn,
    packet::{Chunk, ChunkKind, Data, ForwardTsn, IData, IForwardTsn, Init, Packet, ParameterKind},
};

use crate::support::{Pair, Sides as _, interleaving_pair, ms, pair_with};

/// A live association (side 0) and what its peer needs to write packets by hand.
pub(crate) struct Victim {
    pub(crate) pair: Pair,
    pub(crate) tag: u32,
    /// The peer's next TSN.
    pub(crate) tsn: Tsn,
    /// The victim's last TSN when it began.
    pub(crate) last: Tsn,
    /// How many chunks it has sent since.
    pub(crate) sent: u32,
    /// What was given for an INIT.
    pub(crate) cookie: Vec<u8>,
    /// The number of its request that waits for an answer.
    pub(crate) request: u32,
    /// Whether both speak I-DATA.
    pub(crate) interleaving: bool,
}

impl Victim {
    pub(crate) fn new(config: Config) -> Self {
        let pair = pair_with(1, Link::new(1), config, Config::default());
        Self::of(pair.connected())
    }

    /// One that has sent so much that its window is wide.
    pub(crate) fn sending(config: Config) -> Self {
        let link = Link::new(1).delay(ms(10));
        Self::widened(pair_with(1, link, config, Config::default()))
    }

    /// The same, and its peer speaks I-DATA.
    pub(crate) fn sending_pieces(config: Config) -> Self {
        let link = Link::new(1).delay(ms(10));
        Self::widened(interleaving_pair(1, link, [config, Config::default()]))
    }

    fn widened(pair: Pair) -> Self {
        let mut pair = pair.connected();
        let rounds = if cfg!(debug_assertions) { 3 } else { 30 };
        for _ in 0..rounds {
            for _ in 0..8 {
                pair.say(0, 60, vec![1; 200_000]);
            }
            pair.run_for(ms(20));
            pair.read_all(1, 60);
        }
        pair.run_for(ms(100));
        pair.read_all(1, 60);
        Self::of(pair)
    }

    /// One whose peer speaks I-DATA.
    pub(crate) fn interleaving(config: Config) -> Self {
        Self::of(interleaving_pair(1, Link::new(1), [config, Config::default()]).connected())
    }

    fn of(mut pair: Pair) -> Self {
        pair.keep();
        pair.say(0, 60, b"x");
        pair.say(1, 60, b"x");
        pair.run_for(ms(500));
        pair.read_all(0, 60);
        pair.main_events(0);
        let mut seen = [(0, Tsn(0)); 2];
        let mut interleaving = false;
        for (side, bytes) in pair.kept() {
            let packet = Packet::parse_unsummed(&bytes).unwrap();
            for chunk in packet.chunks() {
                let tsn = match chunk.kind {
                    ChunkKind::DATA => Data::parse(chunk).unwrap().tsn,
                    ChunkKind::I_DATA => {
                        interleaving = true;
                        IData::parse(chunk).unwrap().tsn
                    }
                    _ => continue,
                };
                seen[side] = (packet.tag, tsn);
            }
        }
        Self {
            tag: seen[1].0,
            tsn: seen[1].1.next(),
            last: seen[0].1,
            sent: 0,
            cookie: Vec::new(),
            request: 0,
            interleaving,
            pair,
        }
    }

    pub(crate) fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut buf = Vec::new();
        Packet::start(&mut buf, 5000, 5000, self.tag);
        write(&mut buf);
        Packet::finish(&mut buf, 0);
        self.pair.ends[0].handle_packet(self.pair.now, &buf);
    }

    pub(crate) fn chunk(&mut self, kind: ChunkKind, value: &[u8]) {
        let flags = 0;
        self.put(|buf| Chunk { kind, flags, value }.write(buf));
    }

    pub(crate) fn data(
        &mut self,
        offset: u32,
        flags: u8,
        (stream, ssn): (u16, u16),
        payload: &[u8],
    ) {
        let data = Data {
            flags,
            tsn: self.tsn.advanced(offset),
            stream,
            ssn: Ssn(ssn),
            ppid: 53,
            payload,
        };
        self.put(|buf| data.write(buf));
    }

    /// A piece of an ordered message, by its number among the message's; the first begins it, none ends it.
    pub(crate) fn piece(
        &mut self,
        offset: u32,
        (stream, message): (u16, u32),
        number: u32,
        payload: &[u8],
    ) {
        let data = IData {
            flags: if number == 0 { Data::BEGIN } else { 0 },
            tsn: self.tsn.advanced(offset),
            stream,
            mid: Mid(message),
            ppid_or_fsn: number,
            payload,
        };
        self.put(|buf| data.write(buf));
    }

    /// A part of a message of whichever kind the peer speaks, by its number among the message's.
    pub(crate) fn part(
        &mut self,
        offset: u32,
        flags: u8,
        (stream, message): (u16, u16),
        number: u32,
        payload: &[u8],
    ) {
        if !self.interleaving {
            return self.data(offset, flags, (stream, message), payload);
        }
        let data = IData {
            flags,
            tsn: self.tsn.advanced(offset),
            stream,
            mid: Mid(message.into()),
            ppid_or_fsn: number,
            payload,
        };
        self.put(|buf| data.write(buf));
    }

    /// A message in one chunk, by its number, of whichever kind the peer speaks.
    pub(crate) fn whole(
        &mut self,
        offset: u32,
        flags: u8,
        (stream, number): (u16, u16),
        payload: &[u8],
    ) {
        let flags = WHOLE | flags;
        if !self.interleaving {
            return self.data(offset, flags, (stream, number), payload);
        }
        let data = IData {
            flags,
            tsn: self.tsn.advanced(offset),
            stream,
            mid: Mid(number.into()),
            ppid_or_fsn: 53,
            payload,
        };
        self.put(|buf| data.write(buf));
    }

    /// The peer gave up what is up to this TSN: of each stream the ordered message with this number and those before it.
    pub(crate) fn forward(&mut self, offset: u32, streams: impl Iterator<Item = (u16, u16)>) {
        let (point, interleaving) = (self.tsn.advanced(offset), self.interleaving);
        self.put(|buf| match interleaving {
            true => IForwardTsn::write(
                buf,
                point,
                streams.map(|it| (it.0, false, Mid(it.1.into()))),
            ),
            false => ForwardTsn::write(buf, point, streams.map(|it| (it.0, Ssn(it.1)))),
        });
    }

    /// The peer sends an INIT, as one that has lost the association: what follows is to carry the tag and the cookie of the answer.
    pub(crate) fn init(&mut self) {
        self.say_init(&[]);
        let answer = self.answer();
        let answer = answer.iter().find(|(kind, _)| *kind == ChunkKind::INIT_ACK);
        let init = Init::parse(&answer.unwrap().1).unwrap();
        let mut parameters = init.parameters();
        let cookie = parameters.find(|it| it.kind == ParameterKind::STATE_COOKIE);
        self.cookie = cookie.unwrap().value.to_vec();
        self.tag = init.tag;
    }

    /// The peer sends an INIT with these parameters beside those that it needs.
    pub(crate) fn say_init(&mut self, more: &[u8]) {
        let mut buf = Vec::new();
        Packet::start(&mut buf, 5000, 5000, 0);
        let parameters = [&[0xc0, 0, 0, 4, 0x80, 8, 0, 6, 130, 192, 0, 0], more].concat();
        let init = Init {
            // Another than before, or it would be no restart.
            tag: self.tag,
            window: 100_000,
            outbound: 65_535,
            inbound: 65_535,
            initial_tsn: Tsn(1),
            parameters: &parameters,
        };
        init.write(ChunkKind::INIT, &mut buf);
        Packet::finish(&mut buf, 0);
        self.pair.ends[0].handle_packet(self.pair.now, &buf);
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.pair.ends[0].state() == State::Established
    }

    /// The chunks that the victim sends now.
    pub(crate) fn answer(&mut self) -> Vec<(ChunkKind, Vec<u8>)> {
        let packets = self.pair.take_packets(0);
        let mut chunks = Vec::new();
        for packet in &packets {
            let packet = Packet::parse_unsummed(packet).unwrap();
            chunks.extend(packet.chunks().map(|c| (c.kind, c.value.to_vec())));
        }
        chunks
    }
}

/// A message in one chunk.
pub(crate) const WHOLE: u8 = Data::BEGIN | Data::END;
