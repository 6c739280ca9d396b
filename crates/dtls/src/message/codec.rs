use byteorder::{BigEndian, ByteOrder};

/// The bytes are not a message of their kind: too short, too long, or a length inside contradicts
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message")]
pub struct Malformed;

/// Takes fields off the front of a peer's bytes. Every step is checked.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.take(2).map(BigEndian::read_u16)
    }

    pub(crate) fn u24(&mut self) -> Result<usize, Malformed> {
        self.take(3)
            .map(|bytes| BigEndian::read_u24(bytes) as usize)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.take(4).map(BigEndian::read_u32)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.take(8).map(BigEndian::read_u64)
    }

    pub(crate) fn vector8(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u8()?;
        self.take(len.into())
    }

    pub(crate) fn vector16(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u16()?;
        self.take(len.into())
    }

    pub(crate) fn vector24(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u24()?;
        self.take(len)
    }

    /// What is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Everything was read.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        match self.0 {
            [] => Ok(()),
            _ => Err(Malformed),
        }
    }
}

/// A list of 16-bit numbers, as it stands in its vector.
pub(crate) fn u16_list(bytes: &[u8]) -> Result<Vec<u16>, Malformed> {
    let (pairs, odd) = bytes.as_chunks();
    match odd {
        [] => Ok(pairs
            .iter()
            .map(|pair: &[u8; 2]| BigEndian::read_u16(pair))
            .collect()),
        _ => Err(Malformed),
    }
}

pub(crate) fn write_u16_list(list: &[u16], out: &mut Vec<u8>) {
    list.iter().for_each(|number| write_u16(*number, out));
}

pub(crate) fn write_u16(number: u16, out: &mut Vec<u8>) {
    let mut bytes = [0; 2];
    BigEndian::write_u16(&mut bytes, number);
    out.extend_from_slice(&bytes);
}

/// The low 24 bits: no message is longer.
pub(crate) fn write_u24(number: usize, out: &mut Vec<u8>) {
    let mut bytes = [0; 3];
    BigEndian::write_u24(&mut bytes, number as u32 & 0xFF_FFFF);
    out.extend_from_slice(&bytes);
}

pub(crate) fn write_u32(number: u32, out: &mut Vec<u8>) {
    let mut bytes = [0; 4];
    BigEndian::write_u32(&mut bytes, number);
    out.extend_from_slice(&bytes);
}

pub(crate) fn write_u64(number: u64, out: &mut Vec<u8>) {
    let mut bytes = [0; 8];
    BigEndian::write_u64(&mut bytes, number);
    out.extend_from_slice(&bytes);
}

/// Appends what `body` writes behind its length in `N` bytes. What is too long for its length is cut:
/// only our own configuration could be, and its setters refuse that.
pub(crate) fn write_vector<const N: usize>(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; N]);
    body(out);
    let limit = (1 << (8 * N)) - 1;
    out.truncate(out.len().min(start + N + limit));
    let len = (out.len() - start - N) as u64;
    if let Some(to) = out.get_mut(start..start + N) {
        BigEndian::write_uint(to, len, N);
    }
}
