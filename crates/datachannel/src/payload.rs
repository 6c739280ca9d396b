//! User messages and how they stand in SCTP (RFC 8831 §6.6, §8).

use bytes::{Bytes, BytesMut};

/// SCTP payload protocol identifiers of data channels (RFC 8831 §8).
pub mod ppid {
    /// A message of DCEP.
    pub const DCEP: u32 = 50;
    /// A text that is not empty.
    pub const STRING: u32 = 51;
    /// Part of binary data, another follows. Deprecated: understood, never sent.
    pub const BINARY_PARTIAL: u32 = 52;
    /// Binary data that is not empty, or the last part of some.
    pub const BINARY: u32 = 53;
    /// Part of a text, another follows. Deprecated: understood, never sent.
    pub const STRING_PARTIAL: u32 = 54;
    /// An empty text.
    pub const STRING_EMPTY: u32 = 56;
    /// Empty binary data.
    pub const BINARY_EMPTY: u32 = 57;
}

/// A user message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// Why something that was received is no user message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// A payload protocol identifier that data channels do not have.
    #[error("payload protocol identifier {0} is none of a data channel")]
    UnknownPpid(u32),
    /// A text that is not UTF-8.
    #[error("a text that is not UTF-8")]
    NotUtf8,
    /// Parts that do not belong together, or on a channel that is unordered or not reliable.
    #[error("parts of a message that do not fit together")]
    Parts,
    /// A message in parts that is larger than allowed.
    #[error("a message in parts that is too large")]
    TooLarge,
    /// The channel is not there any more.
    #[error("the channel is closed")]
    Closed,
}

/// The payload protocol identifier and the bytes of a user message. Nothing is copied.
#[inline]
pub fn encode(payload: Payload) -> (u32, Bytes) {
    // RFC 8831 §6.6: SCTP cannot send nothing; one zero byte under an identifier of its own stands for it.
    match payload {
        Payload::Text(text) if text.is_empty() => (ppid::STRING_EMPTY, Bytes::from_static(&[0])),
        Payload::Text(text) => (ppid::STRING, Bytes::from(text)),
        Payload::Binary(bytes) if bytes.is_empty() => {
            (ppid::BINARY_EMPTY, Bytes::from_static(&[0]))
        }
        Payload::Binary(bytes) => (ppid::BINARY, bytes),
    }
}

/// The user message that was sent with `ppid`. Nothing is copied when `bytes` is the only handle of its memory.
///
/// The deprecated identifiers of parts are unknown here: parts are put together by
/// [`Session::decode`](crate::Session::decode).
///
/// # Errors
/// [`Unusable`], when the identifier is unknown or a text is not UTF-8.
#[inline]
pub fn decode(ppid: u32, bytes: Bytes) -> Result<Payload, Unusable> {
    match ppid {
        ppid::STRING => match String::from_utf8(bytes.into()) {
            Ok(text) => Ok(Payload::Text(text)),
            Err(_) => Err(Unusable::NotUtf8),
        },
        ppid::BINARY => Ok(Payload::Binary(bytes)),
        // RFC 8831 §6.6: whatever stands there, the message is empty.
        ppid::STRING_EMPTY => Ok(Payload::Text(String::new())),
        ppid::BINARY_EMPTY => Ok(Payload::Binary(Bytes::new())),
        other => Err(Unusable::UnknownPpid(other)),
    }
}

impl Payload {
    /// The size in bytes, without the byte that stands for an empty message.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether the message is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Puts together what a peer sent in parts under the deprecated identifiers.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The identifier that ends the message.
    last: u32,
    bytes: BytesMut,
}

impl Parts {
    /// Takes the next message of a channel: `None` when it is a part that others follow. `parts` holds what came before.
    pub(crate) fn next(
        parts: &mut Option<Box<Self>>,
        ppid: u32,
        payload: Bytes,
        limit: usize,
    ) -> Result<Option<Payload>, Unusable> {
        let last = match ppid {
            ppid::STRING_PARTIAL => ppid::STRING,
            ppid::BINARY_PARTIAL => ppid::BINARY,
            _ => {
                let Some(mut begun) = parts.take() else {
                    return decode(ppid, payload).map(Some);
                };
                begun.push(ppid, &payload, limit)?;
                return decode(ppid, begun.bytes.freeze()).map(Some);
            }
        };
        let begun = parts.get_or_insert_with(|| {
            let bytes = BytesMut::new();
            Box::new(Self { last, bytes })
        });
        begun.push(last, &payload, limit).map(|()| None)
    }

    /// How many bytes are held.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn push(&mut self, last: u32, payload: &[u8], limit: usize) -> Result<(), Unusable> {
        if last != self.last {
            return Err(Unusable::Parts);
        }
        if self.bytes.len() + payload.len() > limit {
            return Err(Unusable::TooLarge);
        }
        self.bytes.extend_from_slice(payload);
        Ok(())
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// [6.2-10] Which identifier stands for which message.
    #[test]
    fn identifiers_of_messages() {
        let table: [(Payload, u32, &[u8]); 4] = [
            ("text".into(), 51, b"text"),
            ("".into(), 56, &[0]),
            (vec![1, 2].into(), 53, &[1, 2]),
            (Bytes::new().into(), 57, &[0]),
        ];
        for (payload, ppid, bytes) in table {
            assert_eq!(encode(payload.clone()), (ppid, Bytes::from_static(bytes)));
            assert_eq!(decode(ppid, Bytes::from_static(bytes)), Ok(payload));
        }
    }

    /// [6.2-16] The byte that stands for an empty message is not delivered, whatever it is.
    #[test]
    fn empty_messages_are_empty() {
        for bytes in [&[][..], &[0], &[7; 20]] {
            let bytes = Bytes::copy_from_slice(bytes);
            assert_eq!(decode(56, bytes.clone()), Ok("".into()));
            let binary = decode(57, bytes).unwrap();
            assert!(binary.is_empty() && matches!(binary, Payload::Binary(_)));
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let bytes = Bytes::from_static(&[0xff, 0xfe]);
        assert_eq!(decode(51, bytes.clone()), Err(Unusable::NotUtf8));
        for ppid in (0..100).filter(|ppid| ![51, 53, 56, 57].contains(ppid)) {
            let unknown = Err(Unusable::UnknownPpid(ppid));
            assert_eq!(decode(ppid, bytes.clone()), unknown);
        }
    }

    #[test]
    fn neither_way_copies() {
        let text = "a".repeat(100);
        let address = text.as_ptr();
        let (ppid, bytes) = encode(text.into());
        assert_eq!(bytes.as_ptr(), address);
        let Ok(Payload::Text(text)) = decode(ppid, bytes) else {
            panic!("not a text");
        };
        assert_eq!(text.as_ptr(), address);
    }

    /// [6.2-10] Deprecated parts become one message.
    #[test]
    fn parts_are_put_together() {
        let mut parts = None;
        let mut next = |ppid, bytes: &'static [u8]| {
            Parts::next(&mut parts, ppid, Bytes::from_static(bytes), 10)
        };
        assert_eq!(next(54, "ä".as_bytes().split_at(1).0), Ok(None));
        assert_eq!(next(54, "ä".as_bytes().split_at(1).1), Ok(None));
        assert_eq!(next(51, b"b"), Ok(Some("äb".into())));
        assert_eq!(next(52, &[1]), Ok(None));
        assert_eq!(next(53, &[2]), Ok(Some(vec![1, 2].into())));
        assert_eq!(next(53, &[3]), Ok(Some(vec![3].into())));
        // Other kinds and too much are refused.
        assert_eq!(next(52, &[1]), Ok(None));
        assert_eq!(next(51, b"b"), Err(Unusable::Parts));
        assert_eq!(next(52, &[1; 10]), Ok(None));
        assert_eq!(next(52, &[1]), Err(Unusable::TooLarge));
    }

    proptest! {
        #![proptest_config(oxirtc_netsim::cases(200))]

        #[test]
        fn round_trip(text: String, bytes: Vec<u8>) {
            for payload in [Payload::from(text.clone()), bytes.clone().into()] {
                let (ppid, wire) = encode(payload.clone());
                prop_assert!(!wire.is_empty());
                prop_assert_eq!(decode(ppid, wire), Ok(payload));
            }
        }
    }
}
