//! What is sent: video without an end.

/// What is written again and again, as a stack wants its payloads.
pub(super) struct Film<P> {
    key: P,
    delta: P,
    rest: P,
    written: u64,
}

/// A packet of it.
pub(super) struct Shot<P> {
    /// Its number, from 1 on.
    pub(super) sequence: u64,
    pub(super) timestamp: u32,
    /// It is the last of its frame.
    pub(super) marker: bool,
    pub(super) payload: P,
}

impl<P: Clone> Film<P> {
    /// Packets of VP8: the first of a key frame, the first of another, and what follows.
    pub(super) fn new(make: impl Fn(Vec<u8>) -> P) -> Self {
        let begin = |key: bool| {
            // RFC 7741 §4.2: the start of a partition; then the head of a frame, with its size where it is a key frame.
            let mut payload = vec![0x10, u8::from(!key), 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0];
            payload.resize(PAYLOAD, 5);
            make(payload)
        };
        let mut rest = vec![0];
        rest.resize(PAYLOAD, 5);
        Self {
            key: begin(true),
            delta: begin(false),
            rest: make(rest),
            written: 0,
        }
    }

    pub(super) fn next(&mut self) -> Shot<P> {
        let (frame, place) = (self.written / FRAME as u64, self.written % FRAME as u64);
        self.written += 1;
        let payload = match place {
            0 if frame.is_multiple_of(KEY_EVERY) => &self.key,
            0 => &self.delta,
            _ => &self.rest,
        };
        Shot {
            sequence: self.written,
            timestamp: (frame as u32).wrapping_mul(TICKS),
            marker: place == FRAME as u64 - 1,
            payload: payload.clone(),
        }
    }
}

/// Bytes of payload: with the header, its extensions and SRTP's tag that is a datagram of 1,200 bytes.
pub(super) const PAYLOAD: usize = 1160;
/// Packets of a frame.
pub(super) const FRAME: usize = 20;
/// Whoever joins waits for no more frames than these.
const KEY_EVERY: u64 = 30;
/// Ticks of a frame.
const TICKS: u32 = 3000;
