//! The messages of DCEP, the Data Channel Establishment Protocol (RFC 8832 §5).

use std::str;
use std::time::Duration;

use byteorder::{BigEndian, ByteOrder};

use crate::parameters::Reliability;

/// A message of DCEP, as it stands in one SCTP user message with [`ppid::DCEP`](crate::ppid::DCEP).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// DATA_CHANNEL_OPEN: the sender opens a channel on the stream the message is sent on.
    Open(Open<'a>),
    /// DATA_CHANNEL_ACK: the channel was accepted.
    Ack,
}

/// DATA_CHANNEL_OPEN (RFC 8832 §5.1).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +---------------+---------------+-------------------------------+
/// |  type = 0x03  | channel type  |           priority            |
/// +---------------+---------------+-------------------------------+
/// |                     reliability parameter                     |
/// +-------------------------------+-------------------------------+
/// |         label length          |        protocol length        |
/// +-------------------------------+-------------------------------+
/// |                   label, then protocol …                      |
/// +---------------------------------------------------------------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open<'a> {
    /// The weight of the channel, as it stands on the wire.
    pub priority: u16,
    /// Whether messages are delivered in the order they were sent in.
    pub ordered: bool,
    /// How hard is tried to deliver a message.
    pub reliability: Reliability,
    /// The name of the channel.
    pub label: &'a str,
    /// The subprotocol, or the empty string.
    pub protocol: &'a str,
}

/// Why bytes are no message of DCEP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The message ends before its fields do, or goes on after them.
    #[error("the length of the message does not fit its fields")]
    Length,
    /// A message type that is not assigned.
    #[error("message type {0:#04x} is unknown")]
    UnknownType(u8),
    /// A channel type that is not assigned.
    #[error("channel type {0:#04x} is unknown")]
    UnknownChannelType(u8),
    /// The label or the protocol is not UTF-8.
    #[error("the label or the protocol is not UTF-8")]
    NotUtf8,
}

impl<'a> Message<'a> {
    /// Parses one message.
    ///
    /// What follows the type of an ACK is ignored, so that it may be extended; an OPEN has to have the length that its
    /// fields say (RFC 8832 §7).
    ///
    /// # Errors
    /// [`ParseError`], when the message is malformed or of an unknown type.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        match bytes.split_first() {
            Some((&TYPE_OPEN, rest)) => Open::parse(rest).map(Self::Open),
            Some((&TYPE_ACK, _)) => Ok(Self::Ack),
            Some((other, _)) => Err(ParseError::UnknownType(*other)),
            None => Err(ParseError::Length),
        }
    }

    /// Appends the message to `out`.
    ///
    /// A label or protocol of more than 65,535 bytes, which cannot be written, is cut at the last character that fits.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Open(open) => open.write(out),
            Self::Ack => out.push(TYPE_ACK),
        }
    }
}

/// How long an OPEN with these texts is.
pub(crate) fn open_len(label: &str, protocol: &str) -> usize {
    HEADER + label.len() + protocol.len()
}

impl<'a> Open<'a> {
    /// Parses what follows the message type.
    fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (header, rest) = bytes.split_first_chunk::<11>().ok_or(ParseError::Length)?;
        let &[channel_type, p0, p1, r0, r1, r2, r3, l0, l1, q0, q1] = header;
        let parameter = BigEndian::read_u32(&[r0, r1, r2, r3]);
        let label_len = usize::from(BigEndian::read_u16(&[l0, l1]));
        let protocol_len = usize::from(BigEndian::read_u16(&[q0, q1]));

        let reliability = match channel_type & !UNORDERED {
            // RFC 8832 §5.1: the parameter of a reliable channel is ignored.
            RELIABLE => Reliability::Reliable,
            REXMIT => Reliability::Retransmits(u16::try_from(parameter).unwrap_or(u16::MAX)),
            TIMED => Reliability::Lifetime(Duration::from_millis(parameter.into())),
            _ => return Err(ParseError::UnknownChannelType(channel_type)),
        };
        let (label, protocol) = rest
            .split_at_checked(label_len)
            .filter(|(_, protocol)| protocol.len() == protocol_len)
            .ok_or(ParseError::Length)?;
        Ok(Self {
            priority: BigEndian::read_u16(&[p0, p1]),
            ordered: channel_type & UNORDERED == 0,
            reliability,
            label: str::from_utf8(label).or(Err(ParseError::NotUtf8))?,
            protocol: str::from_utf8(protocol).or(Err(ParseError::NotUtf8))?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let (kind, parameter) = match self.reliability {
            Reliability::Reliable => (RELIABLE, 0),
            Reliability::Retransmits(most) => (REXMIT, most.into()),
            Reliability::Lifetime(time) => {
                (TIMED, u32::try_from(time.as_millis()).unwrap_or(u32::MAX))
            }
        };
        let order = if self.ordered { 0 } else { UNORDERED };
        let (label, label_len) = fitting(self.label);
        let (protocol, protocol_len) = fitting(self.protocol);

        out.reserve(HEADER + label.len() + protocol.len());
        out.extend([TYPE_OPEN, kind | order]);
        let (mut whole, mut half) = ([0; 4], [0; 2]);
        BigEndian::write_u16(&mut half, self.priority);
        out.extend(half);
        BigEndian::write_u32(&mut whole, parameter);
        out.extend(whole);
        for length in [label_len, protocol_len] {
            BigEndian::write_u16(&mut half, length);
            out.extend(half);
        }
        out.extend_from_slice(label.as_bytes());
        out.extend_from_slice(protocol.as_bytes());
    }
}

/// The part of a text whose length can be written, and that length.
fn fitting(text: &str) -> (&str, u16) {
    let end = text.floor_char_boundary(u16::MAX.into());
    let text = text.get(..end).unwrap_or_default();
    (text, u16::try_from(text.len()).unwrap_or_default())
}

const TYPE_ACK: u8 = 0x02;
/// The fields of an OPEN before its texts, with the message type.
const HEADER: usize = 12;
const TYPE_OPEN: u8 = 0x03;

const RELIABLE: u8 = 0x00;
const REXMIT: u8 = 0x01;
const TIMED: u8 = 0x02;
const UNORDERED: u8 = 0x80;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(message: Message<'_>) -> Vec<u8> {
        let mut out = vec![0xee];
        message.write(&mut out);
        assert_eq!(out.remove(0), 0xee, "what stands in the buffer stays");
        out
    }

    fn open(ordered: bool, reliability: Reliability) -> Open<'static> {
        Open {
            priority: 256,
            ordered,
            reliability,
            label: "chat",
            protocol: "p",
        }
    }

    /// [6-14] [6.2-25] The channel types of RFC 8832 §8.2.2 and their parameters.
    #[test]
    fn every_channel_type_on_the_wire() {
        let lifetime = Reliability::Lifetime(Duration::from_millis(70_000));
        let table = [
            (true, Reliability::Reliable, 0x00, 0),
            (false, Reliability::Reliable, 0x80, 0),
            (true, Reliability::Retransmits(0), 0x01, 0),
            (false, Reliability::Retransmits(65_535), 0x81, 65_535),
            (true, lifetime, 0x02, 70_000),
            (false, lifetime, 0x82, 70_000),
        ];
        for (ordered, reliability, channel_type, parameter) in table {
            let message = Message::Open(open(ordered, reliability));
            let mut expected = vec![0x03, channel_type, 1, 0];
            expected.extend(u32::to_be_bytes(parameter));
            expected.extend([0, 4, 0, 1]);
            expected.extend(b"chatp");
            assert_eq!(written(message), expected);
            assert_eq!(Message::parse(&expected), Ok(message));
        }
    }

    #[test]
    fn all_other_types_are_refused() {
        let valid = written(Message::Open(open(true, Reliability::Reliable)));
        for value in 0..=u8::MAX {
            let mut bytes = valid.clone();
            bytes[1] = value;
            let known = [0x00, 0x01, 0x02, 0x80, 0x81, 0x82].contains(&value);
            match Message::parse(&bytes) {
                Ok(_) => assert!(known),
                Err(error) => {
                    assert!(!known);
                    assert_eq!(error, ParseError::UnknownChannelType(value));
                }
            }
            bytes[0] = value;
            bytes[1] = 0;
            let result = Message::parse(&bytes);
            match value {
                2 => assert_eq!(result, Ok(Message::Ack)),
                3 => assert!(matches!(result, Ok(Message::Open(_)))),
                _ => assert_eq!(result, Err(ParseError::UnknownType(value))),
            }
        }
    }

    #[test]
    fn lengths_must_fit() {
        let valid = written(Message::Open(open(true, Reliability::Reliable)));
        for end in 0..valid.len() {
            assert_eq!(Message::parse(&valid[..end]), Err(ParseError::Length));
        }
        let longer = [&valid[..], &[0]].concat();
        assert_eq!(Message::parse(&longer), Err(ParseError::Length));
        for position in 8..12 {
            for value in 0..=u8::MAX {
                let mut bytes = valid.clone();
                let changed = bytes[position] != value;
                bytes[position] = value;
                assert_eq!(Message::parse(&bytes).is_err(), changed);
            }
        }
        assert_eq!(Message::parse(&[0x02]), Ok(Message::Ack));
        assert_eq!(written(Message::Ack), [0x02]);
    }

    #[test]
    fn parameters_of_the_wire_may_be_larger_than_ours() {
        let mut bytes = written(Message::Open(open(true, Reliability::Retransmits(0))));
        bytes[4..8].fill(0xff);
        let reliability = |bytes: &[u8]| match Message::parse(bytes) {
            Ok(Message::Open(open)) => open.reliability,
            other => panic!("{other:?}"),
        };
        assert_eq!(reliability(&bytes), Reliability::Retransmits(u16::MAX));
        bytes[1] = 0x02;
        let longest = Duration::from_millis(u32::MAX.into());
        assert_eq!(reliability(&bytes), Reliability::Lifetime(longest));
        bytes[1] = 0x00;
        assert_eq!(reliability(&bytes), Reliability::Reliable);
    }

    #[test]
    fn text_is_utf8_and_may_have_full_length() {
        let mut bytes = written(Message::Open(open(true, Reliability::Reliable)));
        *bytes.last_mut().unwrap() = 0xff;
        assert_eq!(Message::parse(&bytes), Err(ParseError::NotUtf8));
        bytes[12] = 0xc0;
        assert_eq!(Message::parse(&bytes), Err(ParseError::NotUtf8));

        let full = "x".repeat(65_535);
        let message = Message::Open(Open {
            label: &full,
            protocol: &full,
            ..open(true, Reliability::Reliable)
        });
        let bytes = written(message);
        assert_eq!(bytes.len(), 12 + 2 * 65_535);
        assert_eq!(Message::parse(&bytes), Ok(message));

        // Never an invalid message, even of what cannot be written.
        let over = "ä".repeat(40_000);
        let bytes = written(Message::Open(Open {
            label: &over,
            ..open(true, Reliability::Reliable)
        }));
        let Ok(Message::Open(cut)) = Message::parse(&bytes) else {
            panic!("not an OPEN");
        };
        assert_eq!(cut.label.len(), 65_534);
    }

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(300))]

        #[test]
        fn round_trip(
            priority: u16,
            ordered: bool,
            kind in 0..3,
            parameter: u32,
            label in ".{0,40}",
            protocol in ".{0,40}",
        ) {
            let reliability = match kind {
                0 => Reliability::Reliable,
                1 => Reliability::Retransmits(parameter as u16),
                _ => Reliability::Lifetime(Duration::from_millis(parameter.into())),
            };
            let message = Message::Open(Open {
                priority,
                ordered,
                reliability,
                label: &label,
                protocol: &protocol,
            });
            let bytes = written(message);
            prop_assert_eq!(Message::parse(&bytes), Ok(message));
        }

        #[test]
        fn any_bytes_are_parsed_or_refused(mut bytes: Vec<u8>, is_open: bool) {
            if is_open && let Some(first) = bytes.first_mut() {
                *first = TYPE_OPEN;
            }
            if let Ok(message) = Message::parse(&bytes) {
                prop_assert!(Message::parse(&written(message)).is_ok());
            }
        }
    }
}
