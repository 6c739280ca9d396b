//! Reading: a checked view of a message's bytes.

use std::fmt;

use ring::hmac;
use subtle::ConstantTimeEq;

use crate::{
    Error, HEADER_LENGTH, MAGIC_COOKIE,
    attribute::{AttributeType, RawAttribute},
    header::{Class, Method, TransactionId, split_type},
    integrity::{Integrity, IntegrityKey},
    wire,
};

/// A message whose header and attribute framing were checked, borrowed from the bytes it came in.
///
/// Values of attributes are checked when they are asked for. An attribute counts only if no integrity attribute stands before it
/// (RFC 8489 §14.5, §14.6), and only the first of its type does (§14). What does not count is skipped by every getter.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// Where the attributes that count end: at the first integrity attribute, at FINGERPRINT or at the end.
    end: usize,
    integrity: Option<usize>,
    integrity_sha256: Option<usize>,
    fingerprint: Option<usize>,
}

impl<'a> Message<'a> {
    /// Checks header and framing in one pass over the attributes' headers, without allocation.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::NotStun`], [`Error::Length`] or [`Error::AfterFingerprint`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let header = bytes
            .first_chunk::<HEADER_LENGTH>()
            .ok_or(Error::Truncated)?;
        if !is_header(header) {
            return Err(Error::NotStun);
        }
        let length = usize::from(wire::read_u16([header[2], header[3]]));
        // RFC 8489 §5: the last two bits of the length are always zero.
        if !length.is_multiple_of(4) || length + HEADER_LENGTH != bytes.len() {
            return Err(Error::Length);
        }
        let end = bytes.len();
        let mut message = Self {
            bytes,
            end,
            integrity: None,
            integrity_sha256: None,
            fingerprint: None,
        };
        let mut offset = HEADER_LENGTH;
        while let Some(rest) = bytes.get(offset..).filter(|rest| !rest.is_empty()) {
            let (kind, length) = split_attribute(rest).ok_or(Error::Truncated)?;
            if message.fingerprint.is_some() {
                return Err(Error::AfterFingerprint);
            }
            message.note(kind, offset);
            offset += length;
        }
        if offset == bytes.len() {
            Ok(message)
        } else {
            Err(Error::Truncated)
        }
    }

    /// The length of the message that starts here, in bytes with its header, for framing in a stream; `None` if fewer than
    /// [`HEADER_LENGTH`] bytes stand here or they start no message.
    pub fn length(prefix: &[u8]) -> Option<usize> {
        let header = prefix
            .first_chunk::<HEADER_LENGTH>()
            .filter(|header| is_header(header))?;
        let length = usize::from(wire::read_u16([header[2], header[3]]));
        length.is_multiple_of(4).then_some(length + HEADER_LENGTH)
    }

    /// Its class.
    pub fn class(&self) -> Class {
        self.split_type().0
    }

    /// Its method.
    pub fn method(&self) -> Method {
        self.split_type().1
    }

    /// Its transaction id.
    pub fn transaction_id(&self) -> TransactionId {
        let id = self.bytes.get(8..).and_then(|rest| rest.first_chunk());
        TransactionId::new(*id.unwrap_or(&[0; 12]))
    }

    /// The bytes it was parsed from.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The attributes that count, in their order, known or not: those before the first integrity attribute, then
    /// MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT.
    pub fn attributes(&self) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
        let closing = [self.integrity, self.integrity_sha256, self.fingerprint];
        let message = *self;
        let closing = closing
            .into_iter()
            .flatten()
            .filter_map(move |offset| message.at(offset));
        self.covered().chain(closing)
    }

    /// All attributes as they stand, those that do not count too.
    pub fn all_attributes(&self) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
        walk(self.bytes.get(HEADER_LENGTH..).unwrap_or_default())
    }

    /// The first attribute of this type that counts.
    pub fn get(&self, kind: AttributeType) -> Option<RawAttribute<'a>> {
        let offset = match kind {
            AttributeType::MESSAGE_INTEGRITY => self.integrity,
            AttributeType::MESSAGE_INTEGRITY_SHA256 => self.integrity_sha256,
            AttributeType::FINGERPRINT => self.fingerprint,
            _ => return self.covered().find(|attribute| attribute.kind == kind),
        };
        self.at(offset?)
    }

    /// True if an attribute of this type counts, well formed or not.
    pub fn contains(&self, kind: AttributeType) -> bool {
        self.get(kind).is_some()
    }

    /// The types that have to be understood and that this crate does not know, as they are for UNKNOWN-ATTRIBUTES of a 420
    /// response (RFC 8489 §6.3.1). A type that comes twice is named twice.
    pub fn unknown_comprehension_required(&self) -> impl Iterator<Item = AttributeType> + use<'a> {
        self.not_understood(AttributeType::is_known)
    }

    /// As [`Self::unknown_comprehension_required`], for a usage that understands fewer (or more) attributes than this crate.
    pub fn not_understood<F: Fn(AttributeType) -> bool>(
        &self,
        understands: F,
    ) -> impl Iterator<Item = AttributeType> + use<'a, F> {
        let kinds = self.attributes().map(|attribute| attribute.kind);
        kinds.filter(move |kind| kind.is_comprehension_required() && !understands(*kind))
    }

    /// Verifies MESSAGE-INTEGRITY-SHA256 if there is one, else MESSAGE-INTEGRITY, and tells which (RFC 8489 §9.1.3).
    ///
    /// # Errors
    /// [`Error::Missing`] if there is neither, [`Error::Malformed`] for a wrong length, [`Error::Mismatch`].
    pub fn verify_integrity(&self, key: &IntegrityKey) -> Result<Integrity, Error> {
        if self.integrity_sha256.is_some() {
            self.verify_message_integrity_sha256(key)?;
            return Ok(Integrity::Sha256);
        }
        self.verify_message_integrity(key)?;
        Ok(Integrity::Sha1)
    }

    /// Verifies MESSAGE-INTEGRITY in constant time.
    ///
    /// # Errors
    /// As [`Self::verify_integrity`].
    pub fn verify_message_integrity(&self, key: &IntegrityKey) -> Result<(), Error> {
        let kind = AttributeType::MESSAGE_INTEGRITY;
        self.verify_hmac(kind, self.integrity, key.sha1(), |length| length == 20)
    }

    /// Verifies MESSAGE-INTEGRITY-SHA256 in constant time, at whatever truncation RFC 8489 §14.6 allows: 16 to 32 bytes, a
    /// multiple of four.
    ///
    /// # Errors
    /// As [`Self::verify_integrity`].
    pub fn verify_message_integrity_sha256(&self, key: &IntegrityKey) -> Result<(), Error> {
        let kind = AttributeType::MESSAGE_INTEGRITY_SHA256;
        let allowed = |length: usize| (16..=32).contains(&length) && length.is_multiple_of(4);
        self.verify_hmac(kind, self.integrity_sha256, key.sha256(), allowed)
    }

    /// Verifies FINGERPRINT (RFC 8489 §14.7).
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Malformed`] or [`Error::Mismatch`].
    pub fn verify_fingerprint(&self) -> Result<(), Error> {
        let kind = AttributeType::FINGERPRINT;
        let offset = self.fingerprint.ok_or(Error::Missing(kind))?;
        let value = self
            .at(offset)
            .map(|attribute| attribute.value)
            .unwrap_or_default();
        let value: [u8; 4] = value.try_into().or(Err(Error::Malformed(kind)))?;
        // It is the last attribute, so the header's length already covers it and nothing more.
        let covered = self.bytes.get(..offset).unwrap_or_default();
        let expected = fingerprint(covered);
        if wire::read_u32(value) == expected {
            Ok(())
        } else {
            Err(Error::Mismatch(kind))
        }
    }

    fn split_type(&self) -> (Class, Method) {
        split_type(
            self.bytes
                .first_chunk()
                .map_or(0, |kind| wire::read_u16(*kind)),
        )
    }

    fn note(&mut self, kind: AttributeType, offset: usize) {
        match kind {
            AttributeType::MESSAGE_INTEGRITY => {
                // RFC 8489 §14.6: behind MESSAGE-INTEGRITY-SHA256 only FINGERPRINT counts.
                if self.integrity.is_none() && self.integrity_sha256.is_none() {
                    self.integrity = Some(offset);
                }
            }
            AttributeType::MESSAGE_INTEGRITY_SHA256 => {
                self.integrity_sha256.get_or_insert(offset);
            }
            AttributeType::FINGERPRINT => self.fingerprint = Some(offset),
            _ => return,
        }
        self.end = self.end.min(offset);
    }

    fn covered(&self) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
        walk(self.bytes.get(HEADER_LENGTH..self.end).unwrap_or_default())
    }

    fn at(&self, offset: usize) -> Option<RawAttribute<'a>> {
        walk(self.bytes.get(offset..)?).next()
    }

    fn verify_hmac(
        &self,
        kind: AttributeType,
        offset: Option<usize>,
        key: &hmac::Key,
        allowed: impl Fn(usize) -> bool,
    ) -> Result<(), Error> {
        let offset = offset.ok_or(Error::Missing(kind))?;
        let value = self
            .at(offset)
            .map(|attribute| attribute.value)
            .unwrap_or_default();
        if !allowed(value.len()) {
            return Err(Error::Malformed(kind));
        }
        let covered = self.bytes.get(..offset).unwrap_or_default();
        let tag = sign(key, covered, value.len()).ok_or(Error::Malformed(kind))?;
        let expected = tag
            .as_ref()
            .get(..value.len())
            .ok_or(Error::Malformed(kind))?;
        if bool::from(expected.ct_eq(value)) {
            Ok(())
        } else {
            Err(Error::Mismatch(kind))
        }
    }
}

/// The HMAC of a message up to its integrity attribute of `value` bytes. RFC 8489 §14.5: computed with the length that the
/// message would have if it ended with that attribute.
pub(crate) fn sign(key: &hmac::Key, covered: &[u8], value: usize) -> Option<hmac::Tag> {
    let (kind, rest) = covered.split_first_chunk::<2>()?;
    let (_, rest) = rest.split_first_chunk::<2>()?;
    let length = (covered.len() + 4 - HEADER_LENGTH).checked_add(value)?;
    let length = u16::try_from(length).ok()?;
    let mut context = hmac::Context::with_key(key);
    let mut head = [kind[0], kind[1], 0, 0];
    head.last_chunk_mut()
        .map(|it| wire::write_u16(it, length))?;
    context.update(&head);
    context.update(rest);
    Some(context.sign())
}

/// The value of FINGERPRINT for what stands before it.
pub(crate) fn fingerprint(covered: &[u8]) -> u32 {
    // RFC 8489 §14.7: the mask keeps it apart from the CRC-32 of an application's own packets.
    crc32fast::hash(covered) ^ 0x5354_554e
}

fn is_header(header: &[u8; HEADER_LENGTH]) -> bool {
    let cookie = wire::read_u32([header[4], header[5], header[6], header[7]]);
    header[0] < 0x40 && cookie == MAGIC_COOKIE
}

/// The type of the attribute that starts here and its length with header and padding.
#[inline]
fn split_attribute(rest: &[u8]) -> Option<(AttributeType, usize)> {
    let [kind_high, kind_low, length_high, length_low] = *rest.first_chunk()?;
    let length = usize::from(wire::read_u16([length_high, length_low]));
    let kind = AttributeType(wire::read_u16([kind_high, kind_low]));
    Some((kind, 4 + length.next_multiple_of(4)))
}

fn walk<'a>(mut rest: &'a [u8]) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
    std::iter::from_fn(move || {
        let (&[kind_high, kind_low, length_high, length_low], value) = rest.split_first_chunk()?;
        let length = usize::from(wire::read_u16([length_high, length_low]));
        let kind = AttributeType(wire::read_u16([kind_high, kind_low]));
        let attribute = RawAttribute {
            kind,
            value: value.get(..length)?,
        };
        rest = value.get(length.next_multiple_of(4)..)?;
        Some(attribute)
    })
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self
            .all_attributes()
            .map(|attribute| attribute.kind)
            .collect();
        f.debug_struct("Message")
            .field("class", &self.class())
            .field("method", &self.method())
            .field("attributes", &kinds)
            .finish_non_exhaustive()
    }
}
