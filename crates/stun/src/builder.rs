//! Writing.

use crate::{
    Error, HEADER_LENGTH, MAGIC_COOKIE,
    attribute::{Attribute, AttributeType, PasswordAlgorithm},
    header::{Class, Method, TransactionId, join_type},
    integrity::{Integrity, IntegrityKey},
    message::{Message, fingerprint, sign},
    wire,
};

/// Appends one message to a buffer, behind whatever stands there.
///
/// What goes wrong is kept until [`finish`](Self::finish), which then takes back all that was appended. A builder that is dropped
/// without `finish` leaves a message without its length.
#[derive(Debug)]
pub struct Builder<'b> {
    buf: &'b mut Vec<u8>,
    start: usize,
    id: TransactionId,
    last: Last,
    error: Option<Error>,
}

/// How far the message has come: what may follow follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Last {
    Attribute,
    Integrity,
    IntegritySha256,
    Fingerprint,
}

impl<'b> Builder<'b> {
    /// Starts a message with its header.
    pub fn new(buf: &'b mut Vec<u8>, class: Class, method: Method, id: TransactionId) -> Self {
        let start = buf.len();
        wire::put_u16(buf, join_type(class, method));
        buf.extend_from_slice(&[0, 0]);
        wire::put_u32(buf, MAGIC_COOKIE);
        buf.extend_from_slice(id.as_bytes());
        Self {
            buf,
            start,
            id,
            last: Last::Attribute,
            error: None,
        }
    }

    /// Starts the response to a request: its method, its transaction id.
    pub fn response(buf: &'b mut Vec<u8>, class: Class, request: &Message<'_>) -> Self {
        Self::new(buf, class, request.method(), request.transaction_id())
    }

    /// Appends an attribute.
    pub fn add(&mut self, attribute: Attribute<'_>) -> &mut Self {
        let id = self.id;
        self.append(attribute.kind(), |buf| attribute.write(id, buf))
    }

    /// Appends UNKNOWN-ATTRIBUTES, for a response with code 420.
    pub fn unknown_attributes(
        &mut self,
        kinds: impl IntoIterator<Item = AttributeType>,
    ) -> &mut Self {
        self.append(AttributeType::UNKNOWN_ATTRIBUTES, |buf| {
            kinds
                .into_iter()
                .for_each(|kind| wire::put_u16(buf, kind.0));
            Ok(())
        })
    }

    /// Appends PASSWORD-ALGORITHMS, the most preferred first.
    pub fn password_algorithms(&mut self, algorithms: &[PasswordAlgorithm<'_>]) -> &mut Self {
        self.append(AttributeType::PASSWORD_ALGORITHMS, |buf| {
            algorithms
                .iter()
                .try_for_each(|algorithm| algorithm.write(buf).ok_or(Error::TooLong))
        })
    }

    /// Appends MESSAGE-INTEGRITY over all that stands before it. Only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT may follow.
    pub fn message_integrity(&mut self, key: &IntegrityKey) -> &mut Self {
        let tag = sign(key.sha1(), self.written(), 20);
        self.append(AttributeType::MESSAGE_INTEGRITY, |buf| {
            buf.extend_from_slice(tag.ok_or(Error::TooLong)?.as_ref());
            Ok(())
        })
    }

    /// Appends MESSAGE-INTEGRITY-SHA256, not truncated. Only FINGERPRINT may follow.
    pub fn message_integrity_sha256(&mut self, key: &IntegrityKey) -> &mut Self {
        self.truncated_integrity_sha256(key, 32)
    }

    /// Appends MESSAGE-INTEGRITY-SHA256 cut to `length` bytes, for a usage of STUN that defines a truncation (RFC 8489 §14.6): 16 to
    /// 32, a multiple of four.
    pub fn truncated_integrity_sha256(&mut self, key: &IntegrityKey, length: usize) -> &mut Self {
        let tag = sign(key.sha256(), self.written(), length);
        self.append(AttributeType::MESSAGE_INTEGRITY_SHA256, |buf| {
            let tag = tag.ok_or(Error::TooLong)?;
            let kind = AttributeType::MESSAGE_INTEGRITY_SHA256;
            let allowed = length >= 16 && length.is_multiple_of(4);
            let tag = tag
                .as_ref()
                .get(..length)
                .filter(|_| allowed)
                .ok_or(Error::Malformed(kind))?;
            buf.extend_from_slice(tag);
            Ok(())
        })
    }

    /// Appends the integrity attribute that is named, as for the response to a request that had it.
    pub fn integrity(&mut self, integrity: Integrity, key: &IntegrityKey) -> &mut Self {
        match integrity {
            Integrity::Sha1 => self.message_integrity(key),
            Integrity::Sha256 => self.message_integrity_sha256(key),
        }
    }

    /// Appends FINGERPRINT; nothing may follow.
    pub fn fingerprint(&mut self) -> &mut Self {
        // RFC 8489 §14.7: the length that the CRC covers counts FINGERPRINT too.
        self.write_length(8);
        let value = fingerprint(self.written());
        self.add(Attribute::Fingerprint(value))
    }

    /// Writes the length and gives the number of bytes that were appended. On an error, the buffer is as it was before.
    ///
    /// # Errors
    /// The first that occurred: [`Error::TooLong`], [`Error::Order`] or [`Error::Malformed`].
    pub fn finish(&mut self) -> Result<usize, Error> {
        self.write_length(0);
        match self.error {
            None => Ok(self.written().len()),
            Some(error) => {
                self.buf.truncate(self.start);
                Err(error)
            }
        }
    }

    fn append(
        &mut self,
        kind: AttributeType,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> &mut Self {
        if self.error.is_none() {
            self.error = self.try_append(kind, write).err();
        }
        self
    }

    fn try_append(
        &mut self,
        kind: AttributeType,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let place = Last::of(kind);
        // RFC 8489 §14.5, §14.6, §14.7: what follows an integrity attribute is ignored, and nothing follows FINGERPRINT.
        if self.last > Last::Attribute && place <= self.last {
            return Err(Error::Order(kind));
        }
        self.last = place;
        wire::put_u16(self.buf, kind.0);
        self.buf.extend_from_slice(&[0, 0]);
        let start = self.buf.len();
        write(self.buf)?;
        let length = self.buf.len() - start;
        self.patch(start - 2, u16::try_from(length).or(Err(Error::TooLong))?);
        self.buf.resize(start + length.next_multiple_of(4), 0);
        Ok(())
    }

    fn written(&self) -> &[u8] {
        self.buf.get(self.start..).unwrap_or_default()
    }

    /// Writes the length of what stands there and of `more` bytes to come.
    fn write_length(&mut self, more: usize) {
        let length = (self.written().len() + more).saturating_sub(HEADER_LENGTH);
        match u16::try_from(length) {
            Ok(length) => self.patch(self.start + 2, length),
            Err(_) => {
                self.error.get_or_insert(Error::TooLong);
            }
        }
    }

    fn patch(&mut self, at: usize, value: u16) {
        if let Some(field) = self.buf.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            wire::write_u16(field, value);
        }
    }
}

impl Last {
    const fn of(kind: AttributeType) -> Self {
        match kind {
            AttributeType::MESSAGE_INTEGRITY => Self::Integrity,
            AttributeType::MESSAGE_INTEGRITY_SHA256 => Self::IntegritySha256,
            AttributeType::FINGERPRINT => Self::Fingerprint,
            _ => Self::Attribute,
        }
    }
}
