//! Packets as all who receive them may share them.

use std::{sync::Arc, time::Instant};

use bytes::{Bytes, BytesMut};

use crate::{
    Ntp,
    extension::Values,
    payload::{Codec, Facts, Piece, Prefix},
};

/// Which of the parallel streams of a source: the place of its rid, 0 without simulcast.
pub type Lane = u8;

/// One packet of a source: facts that were parsed once and the payload's bytes. It has no SSRC, and no number of who
/// sends it on.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The stream of the source.
    pub lane: Lane,
    /// Which of the streams that have had the lane, as a number that is another with each: those of another one are numbered from somewhere else.
    pub stream: u32,
    /// The codec.
    pub codec: Codec,
    /// The source's number, which does not wrap; gaps are what the source has lost.
    pub sequence: u64,
    /// The source's timestamp.
    pub timestamp: u32,
    /// The marker.
    pub marker: bool,
    /// What the payload tells.
    pub facts: Facts,
    /// When it was captured, by our clock; when it came, if that is not known.
    pub captured: Instant,
    /// It was captured here, so that who sends it tells when.
    pub local: bool,
    /// When it was captured, by the clock of who sent it.
    pub sender_clock: Option<Ntp>,
    /// Header extensions that describe the content.
    pub values: Values,
    /// The payload header, if we cut it.
    pub prefix: Prefix,
    /// The payload, or what follows `prefix` in it. Empty for padding: its number is used, and says nothing.
    pub payload: Bytes,
}

/// What one source gave in one go. Nobody writes to it again.
#[derive(Debug, Default)]
pub struct Batch {
    /// The packets, of one lane.
    pub packets: Vec<Packet>,
}

/// Memory for payloads: one allocation for about fifty.
#[derive(Debug, Default)]
pub struct Arena {
    chunk: BytesMut,
}

impl Packet {
    /// How long the payload is on the wire.
    pub fn payload_len(&self) -> usize {
        self.prefix.as_bytes().len() + self.payload.len()
    }

    /// True if there is no payload.
    pub fn is_padding(&self) -> bool {
        self.payload_len() == 0
    }
}

impl Batch {
    /// A frame that was cut, numbered from `next` on, which moves.
    pub fn of_frame(
        pieces: &mut Vec<Piece>,
        names: (Lane, Codec),
        next: &mut u64,
        timestamp: u32,
        what: (Instant, &Values),
    ) -> Arc<Self> {
        let packets = Self::packets_of_frame(pieces, names, next, timestamp, what);
        Arc::new(Self { packets })
    }

    /// As [`of_frame`](Self::of_frame), for who adds to the packets before they make a batch.
    pub fn packets_of_frame(
        pieces: &mut Vec<Piece>,
        (lane, codec): (Lane, Codec),
        next: &mut u64,
        timestamp: u32,
        (captured, values): (Instant, &Values),
    ) -> Vec<Packet> {
        let packets = pieces.drain(..).enumerate().map(|(at, piece)| {
            *next += 1;
            Packet {
                lane,
                stream: 0,
                codec,
                sequence: *next,
                timestamp,
                marker: piece.marker,
                facts: piece.facts,
                captured,
                local: true,
                sender_clock: None,
                // What describes the frame goes with its first packet, the descriptor with each.
                values: if at == 0 {
                    values.clone()
                } else {
                    Values {
                        descriptor: values.descriptor.clone(),
                        ..Values::default()
                    }
                },
                prefix: piece.prefix,
                payload: piece.payload,
            }
        });
        packets.collect()
    }
}

impl Arena {
    /// A copy of these bytes that may live on. It keeps its chunk of 64 KiB alive.
    pub fn keep(&mut self, bytes: &[u8]) -> Bytes {
        if self.chunk.capacity() < bytes.len() {
            self.chunk = BytesMut::with_capacity(CHUNK.max(bytes.len()));
        }
        self.chunk.extend_from_slice(bytes);
        self.chunk.split().freeze()
    }
}

const CHUNK: usize = 64 * 1024;
