//! Groups of media descriptions and of tracks (RFC 5888, 9143, 8830).

use std::fmt;

use crate::scan::{field, fields, is_token};

/// `a=group`: media descriptions that belong together (RFC 5888; `BUNDLE` is RFC 9143).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// `BUNDLE`, `LS`, …
    pub semantics: &'a str,
    mids: &'a str,
}

/// `a=msid`: the stream and the track of a media description (RFC 8830).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msid<'a> {
    /// Id of the stream; `-` is no stream.
    pub id: &'a str,
    /// Id of the track, if given.
    pub application_data: Option<&'a str>,
}

/// `a=msid-semantic`, of drafts older than RFC 8830.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsidSemantic<'a> {
    /// What the identifiers are for: `WMS`, streams of WebRTC.
    pub semantic: &'a str,
    ids: &'a str,
}

impl<'a> Group<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (semantics, mids) = field(value);
        (is_token(semantics) && fields(mids).all(is_token)).then_some(Self { semantics, mids })
    }

    /// The mids in their order; the first one of a `BUNDLE` group is its tag.
    pub fn mids(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        fields(self.mids)
    }
}

impl<'a> Msid<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let mut fields = fields(value);
        let msid = Self {
            id: fields.next()?,
            application_data: fields.next(),
        };
        fields.next().is_none().then_some(msid)
    }
}

impl<'a> MsidSemantic<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (semantic, ids) = field(value);
        is_token(semantic).then_some(Self { semantic, ids })
    }

    /// The ids of streams; `*` is all.
    pub fn ids(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        fields(self.ids)
    }
}

/// Writes a word and what follows it.
fn write_list(f: &mut fmt::Formatter<'_>, head: &str, tail: &str) -> fmt::Result {
    f.write_str(head)?;
    fields(tail).try_for_each(|item| write!(f, " {item}"))
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, self.semantics, self.mids)
    }
}

impl fmt::Display for MsidSemantic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, self.semantic, self.ids)
    }
}

impl fmt::Display for Msid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, self.id, self.application_data.unwrap_or_default())
    }
}
