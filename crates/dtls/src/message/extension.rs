use std::borrow::Cow;

use crate::message::codec::{self, Malformed, Reader, write_u16, write_vector};

/// An extension of a hello, by its registry number, with its contents as they are on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// `extension_type`.
    pub kind: u16,
    /// `extension_data`.
    pub body: Cow<'a, [u8]>,
}

/// The extensions of a hello in their order. No two are of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions<'a>(Vec<Extension<'a>>);

/// The contents of `use_srtp` (RFC 5764 §4.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseSrtp<'a> {
    /// Protection profiles by number, best first. A server answers exactly one.
    pub profiles: Vec<u16>,
    /// The master key identifier; WebRTC has none (RFC 8827 §6.5).
    pub mki: &'a [u8],
}

impl<'a> Extensions<'a> {
    /// Reads the block at the end of a hello; no bytes at all are no extensions.
    pub fn parse(block: &'a [u8]) -> Result<Self, Malformed> {
        match block {
            [] => Ok(Self::default()),
            block => Self::parse_block(block),
        }
    }

    /// Reads a block that has to be there, if only to say that it is empty.
    pub(crate) fn parse_block(block: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(block);
        let list = reader.vector16()?;
        reader.finish()?;
        Self::parse_list(list)
    }

    /// Reads what stands behind the length of a block.
    pub(crate) fn parse_list(list: &'a [u8]) -> Result<Self, Malformed> {
        let mut extensions = Self::default();
        let mut list = Reader::new(list);
        while !list.is_empty() {
            let kind = list.u16()?;
            let body = list.vector16()?;
            // RFC 5246 §7.4.1.4, RFC 8446 §4.2: there must not be two of one type.
            if extensions.get(kind).is_some() || extensions.0.len() == MAX_COUNT {
                return Err(Malformed);
            }
            extensions.push(kind, body);
        }
        Ok(extensions)
    }

    /// Appends the block of a hello, or nothing when there are none.
    pub fn write(&self, out: &mut Vec<u8>) {
        if !self.0.is_empty() {
            self.write_block(out);
        }
    }

    /// Appends a block that has to be there.
    pub(crate) fn write_block(&self, out: &mut Vec<u8>) {
        write_vector::<2>(out, |out| {
            for extension in &self.0 {
                write_u16(extension.kind, out);
                write_vector::<2>(out, |out| out.extend(extension.body.as_ref()));
            }
        });
    }

    /// The contents of one, by its registry number.
    pub fn get(&self, kind: u16) -> Option<&[u8]> {
        let found = self.0.iter().find(|extension| extension.kind == kind);
        found.map(|extension| extension.body.as_ref())
    }

    /// Appends one.
    pub fn push(&mut self, kind: u16, body: impl Into<Cow<'a, [u8]>>) {
        let body = body.into();
        self.0.push(Extension { kind, body });
    }

    /// Replaces one, or appends it.
    #[cfg(test)]
    pub(crate) fn set(&mut self, kind: u16, body: &[u8]) {
        self.remove(kind);
        self.push(kind, body.to_vec());
    }

    pub(crate) fn remove(&mut self, kind: u16) {
        self.0.retain(|extension| extension.kind != kind);
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Extension<'a>> {
        self.0.iter()
    }

    /// A list of 16-bit numbers behind a 16-bit length: `supported_groups`, `signature_algorithms`.
    pub fn numbers(&self, kind: u16) -> Result<Option<Vec<u16>>, Malformed> {
        let Some(body) = self.get(kind) else {
            return Ok(None);
        };
        let mut reader = Reader::new(body);
        let list = codec::u16_list(reader.vector16()?)?;
        reader.finish()?;
        match list.as_slice() {
            [] => Err(Malformed),
            _ => Ok(Some(list)),
        }
    }

    /// Appends such a list.
    pub fn push_numbers(&mut self, kind: u16, numbers: &[u16]) {
        let mut body = Vec::with_capacity(2 + 2 * numbers.len());
        write_vector::<2>(&mut body, |out| codec::write_u16_list(numbers, out));
        self.push(kind, body);
    }

    /// The versions of a ClientHello's `supported_versions` (RFC 8446 §4.2.1).
    pub fn supported_versions(&self) -> Result<Option<Vec<u16>>, Malformed> {
        let Some(body) = self.get(SUPPORTED_VERSIONS) else {
            return Ok(None);
        };
        let mut reader = Reader::new(body);
        let list = codec::u16_list(reader.vector8()?)?;
        reader.finish()?;
        Ok(Some(list))
    }

    /// Appends the versions of a ClientHello.
    pub fn push_supported_versions(&mut self, versions: &[u16]) {
        let mut body = Vec::new();
        write_vector::<1>(&mut body, |out| codec::write_u16_list(versions, out));
        self.push(SUPPORTED_VERSIONS, body);
    }

    /// The version of a ServerHello's `supported_versions`.
    pub fn selected_version(&self) -> Result<Option<u16>, Malformed> {
        let Some(body) = self.get(SUPPORTED_VERSIONS) else {
            return Ok(None);
        };
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        reader.finish()?;
        Ok(Some(version))
    }

    /// Appends the version of a ServerHello.
    pub fn push_selected_version(&mut self, version: u16) {
        let mut body = Vec::with_capacity(2);
        write_u16(version, &mut body);
        self.push(SUPPORTED_VERSIONS, body);
    }

    /// The contents of `cookie` (RFC 8446 §4.2.2).
    pub fn cookie(&self) -> Result<Option<&[u8]>, Malformed> {
        let Some(body) = self.get(COOKIE) else {
            return Ok(None);
        };
        let mut reader = Reader::new(body);
        let cookie = reader.vector16()?;
        reader.finish()?;
        match cookie {
            [] => Err(Malformed),
            cookie => Ok(Some(cookie)),
        }
    }

    /// Appends `cookie`.
    pub fn push_cookie(&mut self, cookie: &[u8]) {
        let mut body = Vec::new();
        write_vector::<2>(&mut body, |out| out.extend(cookie));
        self.push(COOKIE, body);
    }

    /// The names of `application_layer_protocol_negotiation` (RFC 7301 §3.1).
    pub fn alpn(&self) -> Result<Option<Vec<&[u8]>>, Malformed> {
        let Some(body) = self.get(ALPN) else {
            return Ok(None);
        };
        let mut reader = Reader::new(body);
        let mut list = Reader::new(reader.vector16()?);
        reader.finish()?;
        let mut names = Vec::new();
        while !list.is_empty() {
            match list.vector8()? {
                [] => return Err(Malformed),
                name => names.push(name),
            }
        }
        match names.as_slice() {
            [] => Err(Malformed),
            _ => Ok(Some(names)),
        }
    }

    /// Appends `application_layer_protocol_negotiation`.
    pub fn push_alpn<'n>(&mut self, names: impl IntoIterator<Item = &'n [u8]>) {
        let mut body = Vec::new();
        write_vector::<2>(&mut body, |out| {
            for name in names {
                write_vector::<1>(out, |out| out.extend(name));
            }
        });
        self.push(ALPN, body);
    }

    /// The contents of `use_srtp`.
    pub fn use_srtp(&self) -> Result<Option<UseSrtp<'_>>, Malformed> {
        let Some(body) = self.get(USE_SRTP) else {
            return Ok(None);
        };
        let mut reader = Reader::new(body);
        let profiles = codec::u16_list(reader.vector16()?)?;
        let mki = reader.vector8()?;
        reader.finish()?;
        match profiles.as_slice() {
            [] => Err(Malformed),
            _ => Ok(Some(UseSrtp { profiles, mki })),
        }
    }

    /// Appends `use_srtp` without a master key identifier.
    pub fn push_use_srtp(&mut self, profiles: &[u16]) {
        let mut body = Vec::with_capacity(3 + 2 * profiles.len());
        write_vector::<2>(&mut body, |out| codec::write_u16_list(profiles, out));
        body.push(0);
        self.push(USE_SRTP, body);
    }
}

pub(crate) const SUPPORTED_GROUPS: u16 = 10;
pub(crate) const EC_POINT_FORMATS: u16 = 11;
pub(crate) const SIGNATURE_ALGORITHMS: u16 = 13;
pub(crate) const USE_SRTP: u16 = 14;
pub(crate) const ALPN: u16 = 16;
pub(crate) const PADDING: u16 = 21;
pub(crate) const EXTENDED_MASTER_SECRET: u16 = 23;
pub(crate) const PRE_SHARED_KEY: u16 = 41;
pub(crate) const EARLY_DATA: u16 = 42;
pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
pub(crate) const COOKIE: u16 = 44;
pub(crate) const KEY_SHARE: u16 = 51;
pub(crate) const RENEGOTIATION_INFO: u16 = 0xFF01;
/// All whose contents we look at: what else a message has is passed over, or refused as unknown.
pub(crate) const KNOWN: [u16; 10] = [
    SUPPORTED_GROUPS,
    EC_POINT_FORMATS,
    SIGNATURE_ALGORITHMS,
    USE_SRTP,
    ALPN,
    EXTENDED_MASTER_SECRET,
    SUPPORTED_VERSIONS,
    COOKIE,
    KEY_SHARE,
    RENEGOTIATION_INFO,
];
/// More than any peer has; a bound for the search for duplicates.
const MAX_COUNT: usize = 64;
