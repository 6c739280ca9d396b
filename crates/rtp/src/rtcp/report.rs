//! Sender and receiver reports.

use std::time::Duration;

use super::{RECEIVER_REPORT, SENDER_REPORT, finish, start};
use crate::{
    Ntp, ntp,
    reader::Reader,
    writer::{write_u24, write_u32, write_u64},
};

/// A sender or receiver report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Who reports.
    pub ssrc: u32,
    /// What a sender says of itself.
    pub sender: Option<SenderInfo>,
    blocks: &'a [u8],
}

/// What a sender says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// The wall clock.
    pub ntp: Ntp,
    /// The same moment as a timestamp of the stream.
    pub timestamp: u32,
    /// How many packets were sent, modulo 2^32.
    pub packets: u32,
    /// How many bytes of payload were sent, modulo 2^32.
    pub bytes: u32,
}

/// What is said of one stream that is received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// How many of the last packets were lost, in 256ths.
    pub fraction: u8,
    /// How many packets were lost in all; duplicates can make it negative. 24 bits.
    pub lost: i32,
    /// The highest number, with the count of wraps above it.
    pub highest: u32,
    /// Jitter in units of the timestamp.
    pub jitter: u32,
    /// Which sender report came last, 0 for none.
    pub last_report: u32,
    /// How long ago it came, in 1/65536 s.
    pub delay: u32,
}

impl<'a> Report<'a> {
    pub(super) fn read(mut body: Reader<'a>, count: u8, is_sender: bool) -> Option<Self> {
        let ssrc = body.u32()?;
        let sender = if is_sender {
            Some(SenderInfo {
                ntp: Ntp(body.u64()?),
                timestamp: body.u32()?,
                packets: body.u32()?,
                bytes: body.u32()?,
            })
        } else {
            None
        };
        let blocks = body.take(usize::from(count) * BLOCK)?;
        Some(Self {
            ssrc,
            sender,
            blocks,
        })
    }

    /// What is said of the streams that are received.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = ReportBlock> + use<'a> {
        self.blocks
            .chunks_exact(BLOCK)
            .map(|block| ReportBlock::read(Reader(block)).unwrap_or_default())
    }
}

impl ReportBlock {
    fn read(mut block: Reader<'_>) -> Option<Self> {
        Some(Self {
            ssrc: block.u32()?,
            fraction: block.u8()?,
            lost: (block.u24()? << 8).cast_signed() >> 8,
            highest: block.u32()?,
            jitter: block.u32()?,
            last_report: block.u32()?,
            delay: block.u32()?,
        })
    }

    fn write(&self, buf: &mut Vec<u8>) {
        write_u32(buf, self.ssrc);
        let lost = self.lost.clamp(-(1 << 23), (1 << 23) - 1);
        buf.push(self.fraction);
        write_u24(buf, lost.cast_unsigned());
        for number in [self.highest, self.jitter, self.last_report, self.delay] {
            write_u32(buf, number);
        }
    }

    /// The round trip, if this answers a sender report and came at `now` (RFC 3550 §6.4.1). `None` also when the
    /// clocks make it negative.
    pub fn round_trip(&self, now: Ntp) -> Option<Duration> {
        if self.last_report == 0 {
            return None;
        }
        let gone = now.middle().wrapping_sub(self.last_report);
        let trip = gone.wrapping_sub(self.delay);
        (trip.cast_signed() >= 0).then(|| ntp::from_short(trip))
    }
}

/// Appends a sender report with as many of the blocks as fit into one: 31. Returns how many.
pub fn write_sender_report(
    buf: &mut Vec<u8>,
    ssrc: u32,
    info: &SenderInfo,
    blocks: &[ReportBlock],
) -> usize {
    let blocks = blocks.get(..31).unwrap_or(blocks);
    let at = start(buf, SENDER_REPORT, blocks.len() as u8);
    write_u32(buf, ssrc);
    write_u64(buf, info.ntp.0);
    for number in [info.timestamp, info.packets, info.bytes] {
        write_u32(buf, number);
    }
    blocks.iter().for_each(|block| block.write(buf));
    finish(buf, at);
    blocks.len()
}

/// Appends a receiver report, as [`write_sender_report`].
pub fn write_receiver_report(buf: &mut Vec<u8>, ssrc: u32, blocks: &[ReportBlock]) -> usize {
    let blocks = blocks.get(..31).unwrap_or(blocks);
    let at = start(buf, RECEIVER_REPORT, blocks.len() as u8);
    write_u32(buf, ssrc);
    blocks.iter().for_each(|block| block.write(buf));
    finish(buf, at);
    blocks.len()
}

const BLOCK: usize = 24;
