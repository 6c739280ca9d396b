//! Sections by their kind. A kind knows which sections are its own, which of them it takes, and how they
//! are written; what its sections carry changes in its room.

mod data;
mod media;

use oxirtc_sdp::{Attribute, Writer};

use crate::{Config, TransportId, outline::Entry};

pub(crate) use data::Association;

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

/// What stands behind `m=`, but for the port.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) media: String,
    pub(crate) protocol: String,
    pub(crate) formats: String,
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

/// How a section that lives is written.
pub(crate) struct Form<'a> {
    pub(crate) config: &'a Config,
    /// The lines of its transport, where it has an address of its own.
    pub(crate) transport: Option<&'a dyn Fn(&mut Writer)>,
    /// It has no address, and lives in the group only (RFC 9143 §6).
    pub(crate) bundle_only: bool,
    /// The SCTP port that is ours.
    pub(crate) sctp_port: u16,
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
                formats: entry.formats.join(" "),
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

    pub(crate) fn is_data(&self) -> bool {
        self.kind.is_data()
    }

    /// Writes it as one that lives.
    pub(crate) fn write(&self, writer: &mut Writer, named: bool, form: &Form<'_>) {
        match &self.kind {
            Kind::Data => data::write(self, writer, named, form),
            Kind::Media(media) => media.write(self, writer, named, form),
            Kind::Foreign => self.write_rejected(writer, named),
        }
    }

    /// Writes it as rejected (RFC 9429 §5.3.1): in its place, with its protocol and formats.
    pub(crate) fn write_rejected(&self, writer: &mut Writer, named: bool) {
        self.write_line(writer, 0, &self.line.formats);
        if named {
            writer.attribute(&Attribute::Mid(&self.mid));
        }
        if self.kind.is_media() {
            writer.attribute(&Attribute::Direction(oxirtc_sdp::Direction::Inactive));
        }
    }

    fn write_line(&self, writer: &mut Writer, port: u16, formats: &str) {
        let Line {
            media, protocol, ..
        } = &self.line;
        writer
            .line('m', format_args!("{media} {port} {protocol} {formats}"))
            .line('c', "IN IP4 0.0.0.0");
    }

    /// The first lines of a section that lives, as all kinds have them.
    fn write_head(&self, writer: &mut Writer, named: bool, formats: &str, form: &Form<'_>) {
        // RFC 8840 §4.1.1: no candidate is known yet
        let port = if form.bundle_only { 0 } else { 9 };
        self.write_line(writer, port, formats);
        if named {
            writer.attribute(&Attribute::Mid(&self.mid));
        }
        if form.bundle_only {
            writer.attribute(&Attribute::BundleOnly);
        }
        if let Some(transport) = form.transport {
            transport(writer);
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
