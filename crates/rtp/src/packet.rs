//! RTP packets: read where they lie, written into a buffer.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! |                           timestamp                           |
//! |           synchronization source (SSRC) identifier            |
//! |            contributing source (CSRC) identifiers             |
//! |      defined by profile       |    length of the extension    |
//! |                        header extension                       |
//! |                     payload and padding                       |
//! ```

use byteorder::{BigEndian, ByteOrder};

use crate::{
    Malformed,
    extension::{Elements, Form},
    reader::Reader,
    writer::write_u32,
};

/// The fields of the fixed header (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The payload type, below 128.
    pub payload_type: u8,
    /// The marker: for video, the last packet of a frame; for audio, the first after silence.
    pub marker: bool,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp, in units of the format's clock.
    pub timestamp: u32,
    /// The synchronization source.
    pub ssrc: u32,
}

/// An RTP packet that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtp<'a> {
    /// The fixed header.
    pub head: Head,
    /// All that stands before the payload, as it came.
    pub(crate) header: &'a [u8],
    sources: &'a [u8],
    /// The header extensions.
    pub extensions: Elements<'a>,
    /// The payload without padding.
    pub payload: &'a [u8],
    /// How many bytes of padding followed the payload.
    pub padding: u8,
}

impl<'a> Rtp<'a> {
    /// Reads a whole packet.
    ///
    /// # Errors
    /// [`Malformed`] if it is cut short, not of version 2, or has more padding than payload.
    pub fn parse(packet: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(packet).ok_or(Malformed)
    }

    fn read(packet: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(packet);
        let (first, second) = (reader.u8()?, reader.u8()?);
        if first >> 6 != 2 {
            return None;
        }
        let head = Head {
            payload_type: second & 0x7f,
            marker: second & 0x80 != 0,
            sequence: reader.u16()?,
            timestamp: reader.u32()?,
            ssrc: reader.u32()?,
        };
        let sources = reader.take(usize::from(first & 15) * 4)?;
        let extensions = if first & 0x10 == 0 {
            Elements::default()
        } else {
            let (profile, words) = (reader.u16()?, reader.u16()?);
            Elements::new(profile, reader.take(usize::from(words) * 4)?)
        };
        let header = packet.get(..packet.len() - reader.len())?;
        let mut payload = reader.0;
        let mut padding = 0;
        if first & 0x20 != 0 {
            // RFC 3550 §5.1: the last byte counts itself, so none is no answer.
            padding = *payload.last().filter(|padding| **padding > 0)?;
            payload = payload.get(..payload.len().checked_sub(padding.into())?)?;
        }
        Some(Self {
            head,
            header,
            sources,
            extensions,
            payload,
            padding,
        })
    }

    /// The contributing sources: who was mixed into this.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.sources.chunks_exact(4).map(BigEndian::read_u32)
    }
}

/// Writes a packet: first the header, then extensions, then [`finish`](Self::finish); the payload is appended after.
#[derive(Debug)]
pub struct Writer<'b> {
    buf: &'b mut Vec<u8>,
    start: usize,
    /// Where the extension begins, once there is one.
    extension: Option<usize>,
    form: Form,
}

impl<'b> Writer<'b> {
    /// Appends the fixed header and the contributing sources, of which more than 15 are left out.
    pub fn begin(buf: &'b mut Vec<u8>, head: Head, sources: &[u32], form: Form) -> Self {
        let start = buf.len();
        let sources = sources.get(..15).unwrap_or(sources);
        let mut fixed = [0; 12];
        let (front, back) = fixed.split_at_mut(4);
        if let [first, second, number @ ..] = front {
            *first = 0x80 | sources.len() as u8;
            *second = head.payload_type & 0x7f | u8::from(head.marker) << 7;
            BigEndian::write_u16(number, head.sequence);
        }
        let (timestamp, ssrc) = back.split_at_mut(4);
        BigEndian::write_u32(timestamp, head.timestamp);
        BigEndian::write_u32(ssrc, head.ssrc);
        buf.extend_from_slice(&fixed);
        for source in sources {
            write_u32(buf, *source);
        }
        Self {
            buf,
            start,
            extension: None,
            form,
        }
    }

    /// Appends a header extension. What the form cannot hold is left out, and false is returned.
    pub fn extend(&mut self, id: u8, value: &[u8]) -> bool {
        let fits = match self.form {
            Form::OneByte => (1..=14).contains(&id) && (1..=16).contains(&value.len()),
            Form::TwoBytes => id != 0 && value.len() <= 255,
        };
        if !fits {
            return false;
        }
        if self.extension.is_none() {
            self.extension = Some(self.buf.len());
            let profile: [u8; 2] = match self.form {
                Form::OneByte => [0xbe, 0xde],
                Form::TwoBytes => [0x10, 0],
            };
            self.buf.extend_from_slice(&profile);
            self.buf.extend_from_slice(&[0, 0]);
        }
        match self.form {
            Form::OneByte => self.buf.push(id << 4 | (value.len() - 1) as u8),
            Form::TwoBytes => self.buf.extend_from_slice(&[id, value.len() as u8]),
        }
        self.buf.extend_from_slice(value);
        true
    }

    /// Ends the header. Returns where the payload begins.
    pub fn finish(self) -> usize {
        if let Some(extension) = self.extension {
            let words = (self.buf.len() - extension - 4).div_ceil(4);
            self.buf.resize(extension + 4 + words * 4, 0);
            if let Some(length) = self.buf.get_mut(extension + 2..extension + 4) {
                BigEndian::write_u16(length, words as u16);
            }
            if let Some(first) = self.buf.get_mut(self.start) {
                *first |= 0x10;
            }
        }
        self.buf.len()
    }
}

/// Appends `count` bytes of padding to the packet at `buf[start..]`, if it has none yet.
pub fn pad(buf: &mut Vec<u8>, start: usize, count: u8) {
    if count == 0 {
        return;
    }
    if let Some(first) = buf.get_mut(start) {
        *first |= 0x20;
    }
    buf.resize(buf.len() + usize::from(count) - 1, 0);
    buf.push(count);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(256))]

        #[test]
        fn what_is_written_is_read(
            fields: (u8, bool, u16, u32, u32),
            sources in prop::collection::vec(any::<u32>(), 0..16),
            elements in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..20)), 0..8),
            payload in prop::collection::vec(any::<u8>(), 0..64),
            padding: u8,
            two_bytes: bool,
        ) {
            let head = Head { payload_type: fields.0 & 0x7f, marker: fields.1, sequence: fields.2, timestamp: fields.3, ssrc: fields.4 };
            let form = if two_bytes { Form::TwoBytes } else { Form::OneByte };
            let mut buf = vec![1, 2, 3];
            let mut writer = Writer::begin(&mut buf, head, &sources, form);
            let written: Vec<_> = elements.iter().filter(|(id, value)| writer.extend(*id, value)).collect();
            let at = writer.finish();
            prop_assert_eq!(at % 4, 3);
            buf.extend_from_slice(&payload);
            pad(&mut buf, 3, padding);
            let rtp = Rtp::parse(&buf[3..]).unwrap();
            prop_assert_eq!(rtp.head, head);
            prop_assert!(rtp.sources().eq(sources));
            prop_assert_eq!((rtp.payload, rtp.padding), (&payload[..], padding));
            let read: Vec<_> = rtp.extensions.map(|(id, value)| (id, value.to_vec())).collect();
            let written: Vec<_> = written.into_iter().cloned().collect();
            prop_assert_eq!(read, written);
        }

        #[test]
        fn whatever_comes_is_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(first) = bytes.first_mut() {
                *first = *first & 0x3f | 0x80;
            }
            if let Ok(rtp) = Rtp::parse(&bytes) {
                let rest = bytes.len() - 12 - rtp.payload.len() - usize::from(rtp.padding);
                prop_assert!(rtp.extensions.count() * 2 <= rest && rtp.sources().len() <= 15);
            }
        }
    }

    /// Known failure 20.
    #[test]
    fn every_length_of_a_packet() {
        let mut buf = Vec::new();
        let mut writer = Writer::begin(&mut buf, Head::default(), &[1, 2], Form::OneByte);
        writer.extend(1, &[7; 5]);
        let payload = writer.finish();
        buf.extend_from_slice(&[9; 10]);
        for len in 0..buf.len() {
            assert_eq!(Rtp::parse(&buf[..len]).is_ok(), len >= payload, "{len}");
        }
        pad(&mut buf, 0, 3);
        for (last, is_ok) in [(0, false), (1, true), (13, true), (14, false)] {
            *buf.last_mut().unwrap() = last;
            assert_eq!(Rtp::parse(&buf).is_ok(), is_ok, "padding of {last}");
        }
        buf[0] = 0x40;
        assert_eq!(Rtp::parse(&buf), Err(Malformed));
    }
}
