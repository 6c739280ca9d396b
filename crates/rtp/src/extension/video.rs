//! Extensions about pictures.

use std::time::Duration;

use byteorder::{BigEndian, ByteOrder};

use crate::reader::Reader;

/// How a picture is to be turned before it is shown (3GPP TS 26.114 §7.4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orientation {
    /// True if the camera looks at the user's back, or unknown.
    pub back_camera: bool,
    /// True if it is mirrored left to right.
    pub flipped: bool,
    /// Quarter turns clockwise, 0 to 3.
    pub quarters: u8,
}

impl Orientation {
    /// Reads the value.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let byte = value.first()?;
        Some(Self {
            back_camera: byte & 8 != 0,
            flipped: byte & 4 != 0,
            quarters: byte & 3,
        })
    }

    /// The value.
    pub const fn to_byte(self) -> u8 {
        (self.back_camera as u8) << 3 | (self.flipped as u8) << 2 | self.quarters & 3
    }
}

/// Between which delays the receiver should play, in steps of 10 ms up to 40.95 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayoutDelay {
    /// At least.
    pub least: Duration,
    /// At most.
    pub most: Duration,
}

impl PlayoutDelay {
    /// Reads the value of three bytes.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let both = Reader(value).u24()?;
        let step = |count: u32| Duration::from_millis(10 * u64::from(count));
        Some(Self {
            least: step(both >> 12),
            most: step(both & 0xfff),
        })
    }

    /// The value, rounded down to 10 ms.
    pub fn to_bytes(self) -> [u8; 3] {
        let steps = |delay: Duration| (delay.as_millis() / 10).min(0xfff) as u32;
        let mut bytes = [0; 3];
        BigEndian::write_u24(&mut bytes, steps(self.least) << 12 | steps(self.most));
        bytes
    }
}

/// When a frame passed the stages of its sender, in milliseconds after its capture (video-timing).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VideoTiming {
    /// Why it is told: 1 by a timer, 2 because the frame is large; 255 is not valid.
    pub flags: u8,
    /// Encoding begun, encoding done, packetizing done, pacer left, and two for nodes of the network.
    pub deltas: [u16; 6],
}

impl VideoTiming {
    /// Reads the value of 13 bytes, or the older one of 12 without flags.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut reader = Reader(value);
        let flags = if value.len() == 12 { 0 } else { reader.u8()? };
        let mut deltas = [0; 6];
        for delta in &mut deltas {
            *delta = reader.u16()?;
        }
        Some(Self { flags, deltas })
    }

    /// The value.
    pub fn to_bytes(self) -> [u8; 13] {
        let mut bytes = [0; 13];
        let (flags, deltas) = bytes.split_at_mut(1);
        flags.fill(self.flags);
        deltas
            .chunks_exact_mut(2)
            .zip(self.deltas)
            .for_each(|(bytes, delta)| BigEndian::write_u16(bytes, delta));
        bytes
    }
}

/// The colour space of a picture, in the numbers of ISO/IEC 23091-2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColourSpace {
    /// Colour primaries.
    pub primaries: u8,
    /// Transfer characteristics.
    pub transfer: u8,
    /// Matrix coefficients.
    pub matrix: u8,
    /// Range (two bits), and where chroma lies: horizontal, vertical (two bits each).
    pub range_and_siting: u8,
    /// What high dynamic range needs.
    pub mastering: Option<Mastering>,
}

/// Mastering data of high dynamic range (SMPTE ST 2086) and content light levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mastering {
    /// The greatest and the least luminance, the coordinates of red, green, blue and white, the greatest content and
    /// the greatest average light level: as they stand on the wire.
    pub numbers: [u16; 12],
}

impl ColourSpace {
    /// Reads the value of 4 or 28 bytes.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut reader = Reader(value);
        let [primaries, transfer, matrix, range_and_siting] =
            *reader.take(4)?.first_chunk::<4>()?;
        let mut numbers = [0; 12];
        let mastering = if reader.is_empty() {
            None
        } else {
            for number in &mut numbers {
                *number = reader.u16()?;
            }
            Some(Mastering { numbers })
        };
        Some(Self {
            primaries,
            transfer,
            matrix,
            range_and_siting,
            mastering,
        })
    }

    /// The value, and how long it is.
    pub fn to_bytes(self) -> ([u8; 28], usize) {
        let mut bytes = [0; 28];
        let (front, back) = bytes.split_at_mut(4);
        front.copy_from_slice(&[
            self.primaries,
            self.transfer,
            self.matrix,
            self.range_and_siting,
        ]);
        let numbers = self.mastering.unwrap_or_default().numbers;
        back.chunks_exact_mut(2)
            .zip(numbers)
            .for_each(|(bytes, number)| BigEndian::write_u16(bytes, number));
        (bytes, if self.mastering.is_some() { 28 } else { 4 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As libwebrtc's own tests have them, and the documents of these extensions.
    #[test]
    fn bytes_are_those_of_the_documents() {
        let ms = Duration::from_millis;
        let delay = PlayoutDelay {
            least: ms(30),
            most: ms(340),
        };
        assert_eq!(delay.to_bytes(), [0x00, 0x30, 0x22]);
        assert_eq!(PlayoutDelay::parse(&[0x00, 0x30, 0x22]), Some(delay));
        let timing = |flags| VideoTiming {
            flags,
            deltas: [1, 2, 3, 4, 0, 0],
        };
        let value = [2, 0, 1, 0, 2, 0, 3, 0, 4, 0, 0, 0, 0];
        assert_eq!(VideoTiming::parse(&value), Some(timing(2)));
        assert_eq!(timing(2).to_bytes(), value);
        assert_eq!(VideoTiming::parse(&value[1..]), Some(timing(0)));
        // BT.2020 with PQ, limited range, chroma to the left and in the middle; 1,000 nits at most, 0.005 at least.
        let space = ColourSpace {
            primaries: 9,
            transfer: 16,
            matrix: 9,
            range_and_siting: 1 << 4 | 1 << 2 | 2,
            mastering: None,
        };
        let mut value = vec![0x09, 0x10, 0x09, 0x16];
        assert_eq!(ColourSpace::parse(&value), Some(space));
        let mastering = Mastering {
            numbers: [
                1000, 50, 35_400, 14_600, 8500, 39_850, 6550, 2300, 15_635, 16_450, 1000, 400,
            ],
        };
        value.extend([
            0x03, 0xe8, 0x00, 0x32, 0x8a, 0x48, 0x39, 0x08, 0x21, 0x34, 0x9b, 0xaa, 0x19, 0x96,
            0x08, 0xfc, 0x3d, 0x13, 0x40, 0x42, 0x03, 0xe8, 0x01, 0x90,
        ]);
        let space = ColourSpace {
            mastering: Some(mastering),
            ..space
        };
        assert_eq!(ColourSpace::parse(&value), Some(space));
        assert_eq!(space.to_bytes(), (*value.first_chunk().unwrap(), 28));
    }

    #[test]
    fn values_come_back() {
        for byte in 0..16 {
            assert_eq!(Orientation::parse(&[byte]).unwrap().to_byte(), byte);
        }
        let ms = Duration::from_millis;
        let delay = PlayoutDelay {
            least: ms(40),
            most: ms(40_950),
        };
        assert_eq!(PlayoutDelay::parse(&delay.to_bytes()), Some(delay));
        let timing = VideoTiming {
            flags: 2,
            deltas: [1, 2, 3, 4, 500, 65_535],
        };
        let bytes = timing.to_bytes();
        assert_eq!(VideoTiming::parse(&bytes), Some(timing));
        assert_eq!(
            VideoTiming::parse(&bytes[1..]).unwrap().deltas,
            timing.deltas
        );
        for numbers in [None, Some([7; 12])] {
            let space = ColourSpace {
                primaries: 9,
                transfer: 16,
                matrix: 9,
                range_and_siting: 0x15,
                mastering: numbers.map(|numbers| Mastering { numbers }),
            };
            let (bytes, len) = space.to_bytes();
            assert_eq!(ColourSpace::parse(&bytes[..len]), Some(space));
            assert_eq!(ColourSpace::parse(&bytes[..len - 1]), None);
        }
        for len in 0..3 {
            assert_eq!(PlayoutDelay::parse(&[0; 2][..len.min(2)]), None);
            assert_eq!(VideoTiming::parse(&[0; 11][..len]), None);
        }
    }
}
