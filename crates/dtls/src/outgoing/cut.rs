//! Messages into records into datagrams.

use std::ops::Range;

use crate::{
    message::HEADER_LEN,
    outgoing::said::Said,
    record::{self, RecordNumber, Records},
};

/// What is cut: the datagrams so far, and the one that is being filled.
pub(super) struct Cutter<'r> {
    records: &'r mut Records,
    room: usize,
    cut: Cut,
    datagram: Vec<u8>,
    /// The handshake record that is being filled.
    epoch: u16,
    payload: Vec<u8>,
    pieces: Vec<(usize, Range<usize>)>,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Cut {
    pub(super) datagrams: Vec<Vec<u8>>,
    pub(super) sent: Vec<Transmission>,
    pub(super) laid: Vec<Laid>,
}

/// A piece of a message, by its index in the flight, and the datagram that it stands in, by its own.
pub(super) struct Laid {
    pub(super) datagram: usize,
    pub(super) index: usize,
    pub(super) piece: Range<usize>,
}

/// One record, and the bytes of messages that it carried.
pub(super) struct Transmission {
    pub(super) number: RecordNumber,
    pub(super) pieces: Vec<(usize, Range<usize>)>,
}

impl<'r> Cutter<'r> {
    pub(super) fn new(records: &'r mut Records, room: usize) -> Self {
        Self {
            records,
            room,
            cut: Cut::default(),
            datagram: Vec::with_capacity(room.min(2048)),
            epoch: 0,
            payload: Vec::with_capacity(room.min(2048)),
            pieces: Vec::new(),
        }
    }

    /// Adds what is missing of a message; `None` when not even a piece fits, or nothing can be sealed.
    pub(super) fn add(&mut self, index: usize, said: &Said) -> Option<()> {
        let mut missing = said.missing().into_iter();
        missing.try_for_each(|range| self.add_range(index, said, range))
    }

    /// Adds these bytes of a message.
    pub(super) fn add_range(
        &mut self,
        index: usize,
        said: &Said,
        range: Range<usize>,
    ) -> Option<()> {
        if said.kind.is_none() {
            self.add_change_cipher_spec(said.epoch)?;
            self.lay(index, range);
            return Some(());
        }
        let mut at = range.start;
        loop {
            let end = self.piece_end(said, at..range.end)?;
            self.push(index, said, at..end)?;
            at = end;
            if at == range.end {
                return Some(());
            }
        }
    }

    fn lay(&mut self, index: usize, piece: Range<usize>) {
        self.cut.laid.push(Laid {
            datagram: self.cut.datagrams.len(),
            index,
            piece,
        });
    }

    fn add_change_cipher_spec(&mut self, epoch: u16) -> Option<()> {
        self.flush()?;
        if self.datagram.len() + record::HEADER_LEN + 1 > self.room {
            self.next_datagram();
        }
        let content = record::CHANGE_CIPHER_SPEC;
        let sealed = self
            .records
            .append(epoch, content, &[&[1]], &mut self.datagram);
        sealed.ok().map(|_| ())
    }

    /// Where a piece that starts here has to end. A message is cut only where enough of it remains.
    fn piece_end(&mut self, said: &Said, range: Range<usize>) -> Option<usize> {
        loop {
            if !self.payload.is_empty() && !self.fits_record(said.epoch) {
                self.flush()?;
            }
            let overhead = self.records.overhead(said.epoch) + HEADER_LEN;
            let used = self.datagram.len() + self.payload.len() + overhead;
            let space = self.room.saturating_sub(used);
            let space = space.min(record::MAX_PLAINTEXT - HEADER_LEN - self.payload.len());
            let fits = used <= self.room && (space >= range.len().min(MIN_PIECE));
            if fits {
                return Some(range.start + range.len().min(space));
            }
            let fresh = self.datagram.is_empty() && self.payload.is_empty();
            match fresh {
                true if used < self.room => return Some(range.start + range.len().min(space)),
                true => return None,
                false => {
                    self.flush()?;
                    self.next_datagram();
                }
            }
        }
    }

    /// RFC 6347 §4.2.3 allows several fragments a record; 1.2 and the clear keep to one, as everybody
    /// reads that.
    fn fits_record(&self, epoch: u16) -> bool {
        self.epoch == epoch && self.records.packs(epoch)
    }

    fn push(&mut self, index: usize, said: &Said, piece: Range<usize>) -> Option<()> {
        self.epoch = said.epoch;
        said.write_header(&piece, &mut self.payload);
        self.payload.extend(said.body.get(piece.clone())?);
        self.lay(index, piece.clone());
        self.pieces.push((index, piece));
        Some(())
    }

    /// Seals the record that is being filled.
    fn flush(&mut self) -> Option<()> {
        if self.payload.is_empty() {
            return Some(());
        }
        let pieces = std::mem::take(&mut self.pieces);
        let (epoch, content) = (self.epoch, record::HANDSHAKE);
        let sealed = self
            .records
            .append(epoch, content, &[&self.payload], &mut self.datagram);
        self.payload.clear();
        let number: RecordNumber = sealed.ok()?;
        self.cut.sent.push(Transmission { number, pieces });
        Some(())
    }

    fn next_datagram(&mut self) {
        let empty = Vec::with_capacity(self.datagram.len());
        let datagram = std::mem::replace(&mut self.datagram, empty);
        if !datagram.is_empty() {
            self.cut.datagrams.push(datagram);
        }
    }

    pub(super) fn finish(mut self) -> Option<Cut> {
        self.flush()?;
        self.next_datagram();
        Some(self.cut)
    }
}

/// A message is cut only where a piece of this size remains.
const MIN_PIECE: usize = 32;
