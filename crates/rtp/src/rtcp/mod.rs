//! RTCP: packets read where they lie, and written one after the other into a buffer.
//!
//! [`Compound`] walks through what came in one datagram, compound or of reduced size (RFC 5506). Nothing is copied:
//! lists are iterators over the bytes.

mod congestion;
mod extended;
mod feedback;
mod rate;
mod report;
mod source;
mod transport;

pub(crate) use self::transport::Told;
pub use self::{
    congestion::{Arrival, CongestionFeedback, CongestionStream, write_congestion},
    extended::{Dlrr, DlrrItems, Extended, ExtendedBlock, write_dlrr, write_rrtr},
    feedback::{Fir, FirItem, Nack, Pli, Rpsi, Sli, SliItem, write_fir, write_nack, write_pli},
    rate::{MaxRate, Remb, Tmmb, write_remb, write_tmmbn, write_tmmbr},
    report::{Report, ReportBlock, SenderInfo, write_receiver_report, write_sender_report},
    source::{App, Bye, Item, Sdes, write_app, write_bye, write_cname, write_sdes},
    transport::{TransportFeedback, write_transport},
};

use byteorder::{BigEndian, ByteOrder};

use crate::{Malformed, reader::Reader};

/// One RTCP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rtcp<'a> {
    /// A sender report (RFC 3550 §6.4.1) or a receiver report (§6.4.2).
    Report(Report<'a>),
    /// Source description (RFC 3550 §6.5).
    Sdes(Sdes<'a>),
    /// Goodbye (RFC 3550 §6.6).
    Bye(Bye<'a>),
    /// Defined by an application (RFC 3550 §6.7).
    App(App<'a>),
    /// Packets that are missing (RFC 4585 §6.2.1).
    Nack(Nack<'a>),
    /// A picture was lost (RFC 4585 §6.3.1).
    Pli(Pli),
    /// Slices were lost (RFC 4585 §6.3.2).
    Sli(Sli<'a>),
    /// A reference picture is chosen (RFC 4585 §6.3.3).
    Rpsi(Rpsi<'a>),
    /// A key frame is asked for (RFC 5104 §4.3.1).
    Fir(Fir<'a>),
    /// The bit rate is limited, as a request or as the notice that answers it (RFC 5104 §4.2).
    Tmmb(Tmmb<'a>),
    /// The bit rate that the receiver estimates (draft-alvestrand-rmcat-remb-03).
    Remb(Remb<'a>),
    /// When the packets of a transport arrived (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    Transport(TransportFeedback<'a>),
    /// When the packets of streams arrived (RFC 8888).
    Congestion(CongestionFeedback<'a>),
    /// An extended report (RFC 3611).
    Extended(Extended<'a>),
    /// A type or format that we do not know, or one that is broken.
    Unknown {
        /// The packet type.
        kind: u8,
        /// The format, or a count.
        format: u8,
        /// True if we know it, but could not read it.
        broken: bool,
    },
}

/// The packets of one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compound<'a> {
    rest: Reader<'a>,
}

impl PartialEq for Reader<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Reader<'_> {}

impl<'a> Compound<'a> {
    /// Checks lengths and versions of all packets in the datagram.
    ///
    /// # Errors
    /// [`Malformed`] if they do not fill the datagram exactly (RFC 3550 App. A.2), or there is none.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = Reader(datagram);
        let mut count = 0;
        while !rest.is_empty() {
            next(&mut rest).ok_or(Malformed)?;
            count += 1;
        }
        if count == 0 {
            return Err(Malformed);
        }
        Ok(Self {
            rest: Reader(datagram),
        })
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Rtcp<'a>;

    fn next(&mut self) -> Option<Rtcp<'a>> {
        let (kind, format, body) = next(&mut self.rest)?;
        let body = Reader(body);
        let read = match (kind, format) {
            (SENDER_REPORT, count) => Report::read(body, count, true).map(Rtcp::Report),
            (RECEIVER_REPORT, count) => Report::read(body, count, false).map(Rtcp::Report),
            (SDES, count) => Sdes::read(body, count).map(Rtcp::Sdes),
            (BYE, count) => Bye::read(body, count).map(Rtcp::Bye),
            (APP, subtype) => App::read(body, subtype).map(Rtcp::App),
            (RTPFB, 1) => Nack::read(body).map(Rtcp::Nack),
            (RTPFB, 3) => Tmmb::read(body, false).map(Rtcp::Tmmb),
            (RTPFB, 4) => Tmmb::read(body, true).map(Rtcp::Tmmb),
            (RTPFB, 11) => CongestionFeedback::read(body).map(Rtcp::Congestion),
            (RTPFB, 15) => TransportFeedback::read(body).map(Rtcp::Transport),
            (PSFB, 1) => Pli::read(body).map(Rtcp::Pli),
            (PSFB, 2) => Sli::read(body).map(Rtcp::Sli),
            (PSFB, 3) => Rpsi::read(body).map(Rtcp::Rpsi),
            (PSFB, 4) => Fir::read(body).map(Rtcp::Fir),
            (PSFB, 15) => Remb::read(body).map(Rtcp::Remb),
            (XR, _) => Extended::read(body).map(Rtcp::Extended),
            _ => {
                let broken = false;
                return Some(Rtcp::Unknown {
                    kind,
                    format,
                    broken,
                });
            }
        };
        let broken = true;
        Some(read.unwrap_or(Rtcp::Unknown {
            kind,
            format,
            broken,
        }))
    }
}

/// The next packet: type, count or format, and what follows the first word, without padding.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |V=2|P|  count  |      type     |    length in words, less one  |
/// ```
fn next<'a>(rest: &mut Reader<'a>) -> Option<(u8, u8, &'a [u8])> {
    let (first, kind, words) = (rest.u8()?, rest.u8()?, rest.u16()?);
    let mut body = rest.take(usize::from(words) * 4)?;
    if first >> 6 != 2 {
        return None;
    }
    if first & 0x20 != 0 {
        // RFC 3550 §6.4.1: the last byte counts the padding, itself included, in words. libwebrtc fills up transport-wide feedback by single bytes.
        let by_bytes = (kind, first & 31) == (RTPFB, 15);
        let fits = |it: &&u8| **it > 0 && (by_bytes || it.is_multiple_of(4));
        let padding = *body.last().filter(fits)?;
        body = body.get(..body.len().checked_sub(padding.into())?)?;
    }
    Some((kind, first & 31, body))
}

/// Appends the first word of a packet; [`finish`] writes its length. Returns where it begins.
fn start(buf: &mut Vec<u8>, kind: u8, format: u8) -> usize {
    let start = buf.len();
    buf.extend_from_slice(&[0x80 | format & 31, kind, 0, 0]);
    start
}

/// Fills the packet up to whole words and writes its length.
fn finish(buf: &mut Vec<u8>, start: usize) {
    let words = (buf.len() - start).div_ceil(4);
    buf.resize(start + words * 4, 0);
    if let Some(length) = buf.get_mut(start + 2..start + 4) {
        BigEndian::write_u16(length, words.saturating_sub(1) as u16);
    }
}

/// True if the second byte of a datagram says RTCP, not RTP (RFC 5761 §4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [_, 192..=223, ..])
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SDES: u8 = 202;
const BYE: u8 = 203;
const APP: u8 = 204;
const RTPFB: u8 = 205;
const PSFB: u8 = 206;
const XR: u8 = 207;

#[cfg(test)]
mod tests;
