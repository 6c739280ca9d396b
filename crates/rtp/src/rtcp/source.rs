//! What a source says of itself: SDES, BYE, APP.

use byteorder::{BigEndian, ByteOrder};

use super::{APP, BYE, SDES, finish, start};
use crate::{reader::Reader, writer::write_u32};

/// A source description: chunks of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sdes<'a> {
    chunks: Reader<'a>,
    count: u8,
}

/// One item of a source description (RFC 3550 §6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The source.
    pub ssrc: u32,
    /// What it is: 1 for the canonical name, 15 for the mid.
    pub kind: u8,
    /// The text; it should be UTF-8.
    pub value: &'a [u8],
}

/// Sources that end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bye<'a> {
    sources: &'a [u8],
    /// Why.
    pub reason: Option<&'a [u8]>,
}

/// A packet that an application defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App<'a> {
    /// Who sent it.
    pub ssrc: u32,
    /// Its type among those of the name, below 32.
    pub subtype: u8,
    /// Four letters.
    pub name: [u8; 4],
    /// The rest, a multiple of four.
    pub data: &'a [u8],
}

impl<'a> Sdes<'a> {
    pub(super) fn read(body: Reader<'a>, count: u8) -> Option<Self> {
        let mut rest = body;
        for _ in 0..count {
            rest.u32()?;
            while next_item(&mut rest)?.is_some() {}
        }
        Some(Self {
            chunks: body,
            count,
        })
    }

    /// All items of all chunks.
    pub fn items(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let (mut rest, mut left) = (self.chunks, self.count);
        let mut ssrc = None;
        std::iter::from_fn(move || {
            loop {
                let of = match ssrc {
                    Some(ssrc) => ssrc,
                    None => {
                        left = left.checked_sub(1)?;
                        *ssrc.insert(rest.u32()?)
                    }
                };
                match next_item(&mut rest)? {
                    Some((kind, value)) => {
                        return Some(Item {
                            ssrc: of,
                            kind,
                            value,
                        });
                    }
                    None => ssrc = None,
                }
            }
        })
    }

    /// The canonical names, by source.
    pub fn names(&self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let names = self.items().filter(|item| item.kind == CNAME);
        names.map(|item| (item.ssrc, item.value))
    }

    /// The mids of the sections that sources belong to (RFC 9143 §15.1), by source; what is no text is none.
    pub fn mids(&self) -> impl Iterator<Item = (u32, &'a str)> + use<'a> {
        let mids = self.items().filter(|item| item.kind == MID);
        mids.filter_map(|item| Some((item.ssrc, std::str::from_utf8(item.value).ok()?)))
    }
}

/// The next item of a chunk; `Some(None)` at its end, with what fills its last word.
fn next_item<'a>(rest: &mut Reader<'a>) -> Option<Option<(u8, &'a [u8])>> {
    match rest.u8()? {
        0 => {
            // RFC 3550 §6.5: as many zeroes as the word needs. All before it was whole words.
            rest.take(rest.len() % 4)?;
            Some(None)
        }
        kind => {
            let len = rest.u8()?;
            Some(Some((kind, rest.take(len.into())?)))
        }
    }
}

impl<'a> Bye<'a> {
    pub(super) fn read(mut body: Reader<'a>, count: u8) -> Option<Self> {
        let sources = body.take(usize::from(count) * 4)?;
        let reason = if body.is_empty() {
            None
        } else {
            let len = body.u8()?;
            Some(body.take(len.into())?)
        };
        Some(Self { sources, reason })
    }

    /// The sources that end.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.sources.chunks_exact(4).map(BigEndian::read_u32)
    }
}

impl<'a> App<'a> {
    pub(super) fn read(mut body: Reader<'a>, subtype: u8) -> Option<Self> {
        Some(Self {
            ssrc: body.u32()?,
            subtype,
            name: body.take(4)?.try_into().ok()?,
            data: body.0,
        })
    }
}

/// Appends the canonical name of a source, cut to 255 bytes.
pub fn write_cname(buf: &mut Vec<u8>, ssrc: u32, name: &[u8]) {
    write_sdes(buf, ssrc, name, None);
}

/// Appends the canonical name of a source and the mid of its section (RFC 9143 §15.1), each cut to 255 bytes.
pub fn write_sdes(buf: &mut Vec<u8>, ssrc: u32, name: &[u8], mid: Option<&str>) {
    let at = start(buf, SDES, 1);
    write_u32(buf, ssrc);
    let mid = mid.map(|mid| (MID, mid.as_bytes()));
    for (kind, value) in [Some((CNAME, name)), mid].into_iter().flatten() {
        let value = value.get(..255).unwrap_or(value);
        buf.extend_from_slice(&[kind, value.len() as u8]);
        buf.extend_from_slice(value);
    }
    buf.push(0);
    finish(buf, at);
}

/// Appends the end of these sources, at most 31.
pub fn write_bye(buf: &mut Vec<u8>, sources: &[u32]) {
    let sources = sources.get(..31).unwrap_or(sources);
    let at = start(buf, BYE, sources.len() as u8);
    for source in sources {
        write_u32(buf, *source);
    }
    finish(buf, at);
}

/// Appends a packet that an application defines; its data is filled up to whole words.
pub fn write_app(buf: &mut Vec<u8>, app: &App<'_>) {
    let at = start(buf, APP, app.subtype);
    write_u32(buf, app.ssrc);
    buf.extend_from_slice(&app.name);
    buf.extend_from_slice(app.data);
    finish(buf, at);
}

const CNAME: u8 = 1;
const MID: u8 = 15;
