//! Limits of the bit rate.

use byteorder::{BigEndian, ByteOrder};

use super::{PSFB, RTPFB, finish, start};
use crate::{
    reader::Reader,
    writer::{write_u24, write_u32},
};

/// The bit rate that a receiver estimates, for several streams together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remb<'a> {
    /// Who says so.
    pub sender: u32,
    /// Bits a second.
    pub bits: u64,
    streams: &'a [u8],
}

/// A request of a bit rate, or the notice that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tmmb<'a> {
    /// Who says so.
    pub sender: u32,
    /// True for a notice (TMMBN), false for a request (TMMBR).
    pub is_notice: bool,
    items: &'a [u8],
}

/// A bit rate for one stream (RFC 5104 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxRate {
    /// The stream; in a notice, who had asked for it.
    pub ssrc: u32,
    /// Bits a second.
    pub bits: u64,
    /// Bytes of each packet that lie below RTP and are counted, 9 bits.
    pub overhead: u16,
}

impl<'a> Remb<'a> {
    pub(super) fn read(mut body: Reader<'a>) -> Option<Self> {
        let sender = body.u32()?;
        body.u32()?;
        if body.take(4)? != NAME {
            return None;
        }
        let (count, coded) = (body.u8()?, body.u24()?);
        let bits = u64::from(coded & 0x3_ffff).checked_shl(coded >> 18)?;
        // A mantissa that leaves the number is as good as no limit.
        let overflows = u64::from(coded & 0x3_ffff).leading_zeros() < coded >> 18;
        Some(Self {
            sender,
            bits: if overflows { u64::MAX } else { bits },
            streams: body.take(usize::from(count) * 4)?,
        })
    }

    /// The streams that it is for.
    pub fn streams(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.streams.chunks_exact(4).map(BigEndian::read_u32)
    }
}

impl<'a> Tmmb<'a> {
    pub(super) fn read(mut body: Reader<'a>, is_notice: bool) -> Option<Self> {
        let sender = body.u32()?;
        body.u32()?;
        Some(Self {
            sender,
            is_notice,
            items: body.0,
        })
    }

    /// The rates.
    pub fn items(&self) -> impl ExactSizeIterator<Item = MaxRate> + use<'a> {
        self.items.chunks_exact(8).map(|item| {
            let item = BigEndian::read_u64(item);
            let (exponent, mantissa) = ((item >> 26 & 63) as u32, item >> 9 & 0x1_ffff);
            let overflows = mantissa.leading_zeros() < exponent;
            MaxRate {
                ssrc: (item >> 32) as u32,
                bits: if overflows {
                    u64::MAX
                } else {
                    mantissa << exponent
                },
                overhead: (item & 0x1ff) as u16,
            }
        })
    }
}

/// Appends a receiver's estimate, rounded down to 18 bits. At most 255 streams.
pub fn write_remb(buf: &mut Vec<u8>, sender: u32, bits: u64, streams: &[u32]) {
    let streams = streams.get(..255).unwrap_or(streams);
    let at = start(buf, PSFB, 15);
    write_u32(buf, sender);
    buf.extend_from_slice(&[0; 4]);
    buf.extend_from_slice(NAME);
    buf.push(streams.len() as u8);
    let exponent = (u64::BITS - bits.leading_zeros()).saturating_sub(18);
    let coded = exponent << 18 | (bits >> exponent) as u32;
    write_u24(buf, coded);
    for stream in streams {
        write_u32(buf, *stream);
    }
    finish(buf, at);
}

/// Appends a request of bit rates (TMMBR).
pub fn write_tmmbr(buf: &mut Vec<u8>, sender: u32, items: &[MaxRate]) {
    write_tmmb(buf, 3, sender, items);
}

/// Appends the notice of the rates that limit us (TMMBN).
pub fn write_tmmbn(buf: &mut Vec<u8>, sender: u32, items: &[MaxRate]) {
    write_tmmb(buf, 4, sender, items);
}

fn write_tmmb(buf: &mut Vec<u8>, format: u8, sender: u32, items: &[MaxRate]) {
    let at = start(buf, RTPFB, format);
    write_u32(buf, sender);
    buf.extend_from_slice(&[0; 4]);
    for item in items {
        let exponent = (u64::BITS - item.bits.leading_zeros()).saturating_sub(17);
        let mantissa = (item.bits >> exponent) as u32;
        write_u32(buf, item.ssrc);
        let coded = exponent << 26 | mantissa << 9 | u32::from(item.overhead & 0x1ff);
        write_u32(buf, coded);
    }
    finish(buf, at);
}

const NAME: &[u8; 4] = b"REMB";
