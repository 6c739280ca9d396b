//! Parity of packets: ULPFEC (RFC 5109) within RED, and FlexFEC (draft-ietf-payload-flexible-fec-scheme-03) in a stream
//! of its own. Both add the bytes of packets up; what one is missing can be taken out again.

pub mod flex;
mod parity;
mod recover;
pub mod ulp;

use byteorder::{BigEndian, ByteOrder};

pub(crate) use self::{parity::Parity, recover::Recovery};

use crate::{
    Rtp,
    extension::{Ids, Kind},
    writer::{write_u16, write_u32},
};

/// What is added up of a packet: the first two bytes of its header, its timestamp, its length and bytes after the fixed
/// header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Padding, extension and count of sources; marker and payload type.
    pub head: [u8; 2],
    /// The timestamp.
    pub timestamp: u32,
    /// The length of the rest.
    pub len: u16,
    /// What follows the fixed header.
    pub rest: Vec<u8>,
}

/// A packet of parity that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The number of the first packet that may be added up in it.
    pub base: u16,
    /// Which packets from there: bit 0 is the first.
    pub mask: u128,
    /// Their sum.
    pub sum: Sum,
}

impl Sum {
    /// What one packet adds. `None` if it is no RTP.
    pub fn of(packet: &[u8], ids: &Ids) -> Option<Self> {
        let mut packet = packet.to_vec();
        clear_changing(&mut packet, ids)?;
        let (fixed, rest) = packet.split_at_checked(12)?;
        let &[first, second, _, _, ref timestamp @ .., _, _, _, _] = fixed else {
            return None;
        };
        Some(Self {
            head: [first & 0x3f, second],
            timestamp: BigEndian::read_u32(timestamp.get(..4)?),
            len: rest.len() as u16,
            rest: rest.to_vec(),
        })
    }

    /// Adds another; the same again takes it out.
    pub fn add(&mut self, other: &Self) {
        let add = |it: &mut u8, other: &u8| *it ^= other;
        self.head
            .iter_mut()
            .zip(&other.head)
            .for_each(|(a, b)| add(a, b));
        self.timestamp ^= other.timestamp;
        self.len ^= other.len;
        if self.rest.len() < other.rest.len() {
            self.rest.resize(other.rest.len(), 0);
        }
        self.rest
            .iter_mut()
            .zip(&other.rest)
            .for_each(|(a, b)| add(a, b));
    }

    /// The packet that is left, if only one is.
    pub fn to_packet(&self, ssrc: u32, number: u16) -> Option<Vec<u8>> {
        let rest = self.rest.get(..self.len.into())?;
        let [first, second] = self.head;
        let mut packet = vec![0x80 | first & 0x3f, second];
        write_u16(&mut packet, number);
        write_u32(&mut packet, self.timestamp);
        write_u32(&mut packet, ssrc);
        packet.extend_from_slice(rest);
        Some(packet)
    }
}

/// Extensions that change when a packet leaves are no part of the sum: their values count as zero, as browsers do.
fn clear_changing(packet: &mut [u8], ids: &Ids) -> Option<()> {
    let rtp = Rtp::parse(packet).ok()?;
    let start = packet.as_ptr() as usize;
    let changing = |id| {
        let kind = ids.kind(id);
        matches!(
            kind,
            Some(
                Kind::AbsoluteSendTime
                    | Kind::TransportNumber
                    | Kind::TransportNumberRequest
                    | Kind::TransmissionOffset
            )
        )
    };
    let mut places = [(0, 0); 4];
    let found = rtp.extensions.filter(|it| changing(it.0));
    for ((_, value), place) in found.zip(&mut places) {
        *place = (value.as_ptr() as usize - start, value.len());
    }
    for (at, len) in places {
        packet.get_mut(at..at + len)?.fill(0);
    }
    Some(())
}

#[cfg(test)]
mod tests;
