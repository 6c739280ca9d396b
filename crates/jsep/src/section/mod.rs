//! Sections by their kind. A kind knows which sections are its own, which of them it takes, and how they
//! are written; what its sections carry changes in its room.

mod data;
mod line;
mod media;

use oxirtc_sdp::{Attribute, Direction, Writer};

use crate::{MediaKind, TransportId, outline::Entry};

pub(crate) use {
    data::Association,
    line::{Form, Line},
    media::{Lines, media_kind},
};

/// One `m=` line, as it was negotiated or is proposed.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) mid: String,
    /// The mid stands in the descriptions; else it is ours alone.
    pub(crate) named: bool,
    pub(crate) line: Line,
    /// Not rejected by either end.
    pub(crate) live: bool,
    pub(crate) transport: Option<TransportId>,
    pub(crate) kind: Kind,
}

/// What a section carries.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// An SCTP association with data channels.
    Data,
    /// RTP.
    Media(media::Media),
    /// Something that nobody here knows: it is rejected.
    Foreign,
}

impl Kind {
    pub(crate) fn of(entry: &Entry) -> Self {
        if data::is(entry) {
            Self::Data
        } else if media::is(entry) {
            Self::Media(media::Media::new(entry))
        } else {
            Self::Foreign
        }
    }

    pub(crate) fn is_data(&self) -> bool {
        matches!(self, Self::Data)
    }

    pub(crate) fn is_media(&self) -> bool {
        matches!(self, Self::Media(_))
    }

    /// Whether a section that carries nothing of ours can stay for the address that all of its group
    /// use.
    pub(crate) fn can_stand(&self) -> bool {
        matches!(self, Self::Media(media) if media.can_stand())
    }
}

impl Section {
    pub(crate) fn new(
        entry: &Entry,
        mid: String,
        live: bool,
        transport: Option<TransportId>,
    ) -> Self {
        Self {
            mid,
            named: entry.mid.is_some(),
            line: Line {
                media: entry.media.clone(),
                protocol: entry.protocol.clone(),
                formats: entry.formats.clone(),
            },
            live,
            transport,
            kind: Kind::of(entry),
        }
    }

    /// A section for data channels that is not described yet.
    pub(crate) fn data(mid: String) -> Self {
        Self {
            mid,
            named: true,
            line: data::line(),
            live: true,
            transport: None,
            kind: Kind::Data,
        }
    }

    /// A section of RTP that is not described yet.
    pub(crate) fn media(kind: MediaKind, mid: String) -> Self {
        Self {
            mid,
            named: true,
            line: media::line(kind),
            live: true,
            transport: None,
            kind: Kind::Media(media::Media::unwritten()),
        }
    }

    pub(crate) fn is_data(&self) -> bool {
        self.kind.is_data()
    }

    /// Writes it with what it says of RTP.
    pub(crate) fn write_media(&self, lines: &Lines, writer: &mut Writer, form: &Form<'_>) {
        lines.write(&self.line, writer, form);
    }

    /// Writes it as one that lives, without anything of RTP.
    pub(crate) fn write(&self, writer: &mut Writer, form: &Form<'_>) {
        match &self.kind {
            Kind::Data => data::write(&self.line, writer, form),
            Kind::Media(media) => media.write(&self.line, writer, form),
            Kind::Foreign => self.write_rejected(writer, form.mid.is_some()),
        }
    }

    /// Writes it as rejected (RFC 9429 §5.3.1): in its place, with its protocol and formats.
    pub(crate) fn write_rejected(&self, writer: &mut Writer, named: bool) {
        self.line.write(writer, 0, &self.line.formats);
        if named {
            writer.attribute(&Attribute::Mid(&self.mid));
        }
        if self.kind.is_media() {
            writer.attribute(&Attribute::Direction(Direction::Inactive));
        }
    }

    /// Whether an entry of a description in its place is this section still.
    pub(crate) fn is(&self, entry: &Entry) -> bool {
        match &entry.mid {
            Some(mid) => self.mid == *mid,
            None => !self.named,
        }
    }
}

/// A mid that nothing has yet: a number, which tells nothing and is short (RFC 9429 §5.2.1).
pub(crate) fn unused_mid(next: &mut usize, taken: impl Fn(&str) -> bool) -> String {
    loop {
        let mid = next.to_string();
        *next += 1;
        if !taken(&mid) {
            return mid;
        }
    }
}
