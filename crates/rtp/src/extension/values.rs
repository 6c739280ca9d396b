//! The values of one packet's header extensions.

use byteorder::{BigEndian, ByteOrder};
use bytes::Bytes;

use super::{
    AbsoluteCapture, AudioLevel, Elements, Ids, Kind, Orientation, PlayoutDelay, VideoTiming,
    read_offset, read_transport,
};
use crate::packet::Writer;

/// What says where a packet belongs; it is read first, and not passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named<'a> {
    /// The mid.
    pub mid: Option<&'a str>,
    /// The rid.
    pub rid: Option<&'a str>,
    /// The rid of the stream that this repairs.
    pub repaired: Option<&'a str>,
    /// The transport-wide number.
    pub transport: Option<u16>,
    /// When it was sent: 24 bits of seconds, 18 behind the point.
    pub sent: Option<u32>,
    /// The levels of the contributing sources.
    pub mixed: Option<&'a [u8]>,
    /// When it was captured.
    pub capture: Option<AbsoluteCapture>,
}

/// What describes the content; it goes with a packet wherever it is forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// How loud it is.
    pub level: Option<AudioLevel>,
    /// When it was captured; of what was received with the offset from our clock, if that is known.
    pub capture: Option<AbsoluteCapture>,
    /// How it is rotated.
    pub orientation: Option<Orientation>,
    /// How long the receiver should wait.
    pub playout: Option<PlayoutDelay>,
    /// Whether it shows a screen: 1.
    pub content: Option<u8>,
    /// When the stages of the sender were passed.
    pub timing: Option<VideoTiming>,
    /// How much later it was sent than its timestamp says.
    pub offset: Option<i32>,
    /// The dependency descriptor, as it came.
    pub descriptor: Option<Bytes>,
    /// The layers that are sent, as they came.
    pub layers: Option<Bytes>,
    /// The colour space, as it came.
    pub colour: Option<Bytes>,
}

/// A short name: mid or rid, up to 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Label {
    bytes: [u8; 16],
    len: u8,
}

impl<'a> Named<'a> {
    /// Reads what is there; a value that is not valid is none.
    pub fn read(elements: Elements<'a>, ids: &Ids) -> Self {
        let mut named = Self::default();
        for (id, value) in elements {
            let text = || {
                std::str::from_utf8(value)
                    .ok()
                    .filter(|text| !text.is_empty())
            };
            match ids.kind(id) {
                Some(Kind::Mid) => named.mid = text(),
                Some(Kind::AbsoluteCaptureTime) => named.capture = AbsoluteCapture::parse(value),
                Some(Kind::Rid) => named.rid = text(),
                Some(Kind::RepairedRid) => named.repaired = text(),
                Some(Kind::TransportNumber | Kind::TransportNumberRequest) => {
                    named.transport = read_transport(value).map(|it| it.0);
                }
                Some(Kind::AbsoluteSendTime) => named.sent = crate::reader::Reader(value).u24(),
                Some(Kind::MixedLevels) => named.mixed = Some(value),
                _ => {}
            }
        }
        named
    }
}

impl Values {
    /// Reads what is there; a value that is not valid is none. `keep` gives a copy that may live on.
    pub fn read(elements: Elements<'_>, ids: &Ids, mut keep: impl FnMut(&[u8]) -> Bytes) -> Self {
        let mut values = Self::default();
        for (id, value) in elements {
            match ids.kind(id) {
                Some(Kind::AudioLevel) => values.level = AudioLevel::parse(value),
                Some(Kind::AbsoluteCaptureTime) => values.capture = AbsoluteCapture::parse(value),
                Some(Kind::Orientation) => values.orientation = Orientation::parse(value),
                Some(Kind::PlayoutDelay) => values.playout = PlayoutDelay::parse(value),
                Some(Kind::ContentType) => values.content = value.first().copied(),
                Some(Kind::VideoTiming) => values.timing = VideoTiming::parse(value),
                Some(Kind::TransmissionOffset) => values.offset = read_offset(value),
                Some(Kind::Descriptor) => values.descriptor = Some(keep(value)),
                Some(Kind::Layers) => values.layers = Some(keep(value)),
                Some(Kind::ColourSpace) => values.colour = Some(keep(value)),
                _ => {}
            }
        }
        values
    }

    /// Appends those that were negotiated. `frame` is the number that the frame has in the dependency descriptor, where it is another
    /// one than it came with.
    pub fn write(&self, writer: &mut Writer<'_>, ids: &Ids, frame: Option<u16>) {
        if let Some(capture) = self.capture {
            capture.write(writer, ids);
        }
        let mut put = |kind, value: &[u8]| ids.id(kind).is_some_and(|id| writer.extend(id, value));
        if let Some(level) = self.level {
            put(Kind::AudioLevel, &[level.to_byte()]);
        }
        if let Some(orientation) = self.orientation {
            put(Kind::Orientation, &[orientation.to_byte()]);
        }
        if let Some(playout) = self.playout {
            put(Kind::PlayoutDelay, &playout.to_bytes());
        }
        if let Some(content) = self.content {
            put(Kind::ContentType, &[content]);
        }
        if let Some(timing) = self.timing {
            put(Kind::VideoTiming, &timing.to_bytes());
        }
        if let Some(layers) = &self.layers {
            put(Kind::Layers, layers);
        }
        if let Some(colour) = &self.colour {
            put(Kind::ColourSpace, colour);
        }
        if let Some(descriptor) = &self.descriptor {
            let mut own = [0; 255];
            let own = own.get_mut(..descriptor.len()).map(|own| {
                own.copy_from_slice(descriptor);
                if let (Some(frame), Some(number)) = (frame, own.get_mut(1..3)) {
                    BigEndian::write_u16(number, frame);
                }
                &*own
            });
            put(Kind::Descriptor, own.unwrap_or_default());
        }
    }
}

impl Label {
    /// `None` if it is empty or too long.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        (!text.is_empty()).then_some(Self {
            bytes,
            len: text.len() as u8,
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len.into()).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl std::fmt::Debug for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Form, Ntp,
        packet::{Head, Rtp},
    };

    #[test]
    fn all_values_go_through_a_packet() {
        let mut ids = Ids::new();
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            ids.set(kind, at as u8 + 1);
        }
        let values = Values {
            level: AudioLevel::parse(&[0x83]),
            capture: Some(AbsoluteCapture {
                time: Ntp(7),
                offset: Some(-1),
            }),
            orientation: Orientation::parse(&[3]),
            playout: Some(PlayoutDelay {
                least: Duration::ZERO,
                most: Duration::from_millis(100),
            }),
            content: Some(1),
            timing: Some(VideoTiming::default()),
            offset: None,
            descriptor: Some(Bytes::from_static(&[1, 2, 3])),
            layers: Some(Bytes::from_static(&[0])),
            colour: Some(Bytes::from_static(&[1; 28])),
        };
        let mut buf = Vec::new();
        let mut writer = Writer::begin(&mut buf, Head::default(), &[], Form::TwoBytes);
        values.write(&mut writer, &ids, None);
        for (kind, value) in [
            (Kind::Mid, &b"0"[..]),
            (Kind::Rid, b"hi"),
            (Kind::RepairedRid, b"lo"),
            (Kind::TransportNumber, &[1, 2]),
            (Kind::AbsoluteSendTime, &[1, 2, 3]),
            (Kind::MixedLevels, &[5]),
        ] {
            writer.extend(ids.id(kind).unwrap(), value);
        }
        writer.finish();
        let elements = Rtp::parse(&buf).unwrap().extensions;
        assert_eq!(Values::read(elements, &ids, Bytes::copy_from_slice), values);
        let named = Named {
            mid: Some("0"),
            rid: Some("hi"),
            repaired: Some("lo"),
            transport: Some(0x0102),
            sent: Some(0x01_0203),
            mixed: Some(&[5]),
            capture: values.capture,
        };
        assert_eq!(Named::read(elements, &ids), named);
        assert_eq!(Named::read(elements, &Ids::new()), Named::default());
        assert_eq!(Label::new("h").unwrap().as_str(), "h");
        assert_eq!(Label::new(""), None);
        assert_eq!(Label::new("seventeen letters"), None);
    }
}
