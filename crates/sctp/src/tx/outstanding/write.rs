//! Chunks on their way into packets, for the first time or again.

use super::{Fate, Of, Outstanding};
use crate::{
    Mid, Ssn, StreamId, Tsn,
    packet::{Data, IData},
    serial::Seq,
};

impl Outstanding {
    /// Appends a chunk of which the stream is given, the numbers of its message, its PPID, and its own number in the message.
    #[inline]
    pub(super) fn write(
        &self,
        seq: Seq,
        flags: u8,
        (stream, number, ppid, fsn): (StreamId, u32, u32, u32),
        payload: &[u8],
        buf: &mut Vec<u8>,
    ) {
        let tsn = seq.tsn();
        if self.interleaved {
            IData {
                flags,
                tsn,
                stream,
                mid: Mid(number),
                ppid_or_fsn: match flags & Data::BEGIN {
                    0 => fsn,
                    _ => ppid,
                },
                payload,
            }
            .write(buf);
        } else {
            let ssn = match flags & Data::UNORDERED {
                0 => number as u16,
                _ => 0,
            };
            Data {
                flags,
                tsn,
                stream,
                ssn: Ssn(ssn),
                ppid,
                payload,
            }
            .write(buf);
        }
    }

    /// Appends a chunk of the list.
    fn write_again(&self, seq: Seq, extra_flags: u8, buf: &mut Vec<u8>) -> Option<Tsn> {
        let chunk = self.get(seq)?;
        let numbers = match chunk.of {
            Of::Alone {
                stream,
                number,
                ppid,
                ..
            } => (stream, number, ppid, 0),
            Of::Message { key, fsn, .. } => {
                let message = self.messages.get(key as usize)?;
                (message.stream, message.number, message.ppid, fsn)
            }
        };
        let flags = chunk.flags | extra_flags;
        self.write(seq, flags, numbers, &chunk.payload, buf);
        Some(seq.tsn())
    }

    /// The first chunk to send again, if any: its payload's length.
    pub(crate) fn peek_lost(&self) -> Option<usize> {
        let seq = self.lost.first()?;
        self.get(*seq).map(|chunk| chunk.payload.len())
    }

    /// Takes the chunk that `peek_lost` showed into the packet opened last; its TSN.
    pub(crate) fn resend(&mut self, extra_flags: u8, buf: &mut Vec<u8>) -> Option<Tsn> {
        let seq = self.lost.pop_first()?;
        let packet = self.packets.next() - 1;
        let chunk = self.get_mut(seq)?;
        chunk.fate = Fate::InFlight;
        let before = std::mem::replace(&mut chunk.packet, packet);
        chunk.tries = chunk.tries.saturating_add(1);
        let blamed = std::mem::take(&mut chunk.blamed);
        let length = chunk.payload.len();
        self.flight.add(length, self.size(length));
        self.packets.add(seq, 1);
        if blamed {
            self.resent.insert((seq, before));
            if self.resent.len() > MAX_RESENT {
                self.resent.pop_first();
            }
        }
        self.write_again(seq, extra_flags, buf)
    }
}

/// How many chunks that were sent again are remembered, to know a report that they came twice.
const MAX_RESENT: usize = 1024;
