//! Bytes of a file, with the place where they stand.

use std::io::Read;

use byteorder::{ByteOrder, LittleEndian};

use crate::Error;

/// A file that is read from its beginning to its end.
#[derive(Debug)]
pub(crate) struct Input<R> {
    inner: R,
    /// What was looked at, and not read yet.
    ahead: Vec<u8>,
    at: u64,
}

impl<R: Read> Input<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            ahead: Vec::new(),
            at: 0,
        }
    }

    /// Where the next byte stands.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The next bytes, fewer at the end, which stay.
    pub(crate) fn peek(&mut self, len: usize) -> Result<&[u8], Error> {
        if self.ahead.len() < len {
            let more = (len - self.ahead.len()) as u64;
            (&mut self.inner).take(more).read_to_end(&mut self.ahead)?;
        }
        let len = len.min(self.ahead.len());
        Ok(self.ahead.get(..len).unwrap_or_default())
    }

    /// Takes away what was looked at.
    pub(crate) fn skip(&mut self, len: usize) {
        let len = len.min(self.ahead.len());
        self.ahead.drain(..len);
        self.at += len as u64;
    }

    /// So many bytes. `None` at the end of the file.
    pub(crate) fn take(
        &mut self,
        len: usize,
        what: &'static str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let found = self.peek(len)?.to_vec();
        self.skip(found.len());
        match found.len() {
            0 if len > 0 => Ok(None),
            short if short < len => Err(Error::Cut { at: self.at, what }),
            _ => Ok(Some(found)),
        }
    }

    /// So many bytes, which have to be there.
    pub(crate) fn need(&mut self, len: usize, what: &'static str) -> Result<Vec<u8>, Error> {
        let at = self.at;
        self.take(len, what)?.ok_or(Error::Cut { at, what })
    }
}

/// What is left of a header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take(2).map(LittleEndian::read_u16)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take(4).map(LittleEndian::read_u32)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take(8).map(LittleEndian::read_u64)
    }
}

/// Appends integers, the low byte first.
pub(crate) trait Append {
    fn u16(&mut self, value: u16);
    fn u32(&mut self, value: u32);
    fn u64(&mut self, value: u64);
}

impl Append for Vec<u8> {
    fn u16(&mut self, value: u16) {
        let mut bytes = [0; 2];
        LittleEndian::write_u16(&mut bytes, value);
        self.extend_from_slice(&bytes);
    }

    fn u32(&mut self, value: u32) {
        let mut bytes = [0; 4];
        LittleEndian::write_u32(&mut bytes, value);
        self.extend_from_slice(&bytes);
    }

    fn u64(&mut self, value: u64) {
        let mut bytes = [0; 8];
        LittleEndian::write_u64(&mut bytes, value);
        self.extend_from_slice(&bytes);
    }
}

/// The longest frame that is read: 4 MiB.
pub(crate) const LONGEST: usize = 4 << 20;
