//! The lines that sections of every kind have.

use oxirtc_sdp::{Attribute, Writer};

use crate::Config;

/// What stands behind `m=`, but for the port.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) media: String,
    pub(crate) protocol: String,
    pub(crate) formats: String,
}

/// How a section that lives is written.
pub(crate) struct Form<'a> {
    pub(crate) config: &'a Config,
    /// Its mid, where it stands in the descriptions.
    pub(crate) mid: Option<&'a str>,
    /// The lines of its transport, where it has an address of its own.
    pub(crate) transport: Option<&'a dyn Fn(&mut Writer)>,
    /// It has no address, and lives in the group only (RFC 9143 §6).
    pub(crate) bundle_only: bool,
    /// The SCTP port that is ours.
    pub(crate) sctp_port: u16,
    /// Our INIT chunk, where it belongs into the description.
    pub(crate) sctp_init: Option<&'a str>,
}

impl Line {
    /// `m=` and `c=`.
    pub(crate) fn write(&self, writer: &mut Writer, port: u16, formats: &str) {
        let Self {
            media, protocol, ..
        } = self;
        writer
            .line('m', format_args!("{media} {port} {protocol} {formats}"))
            .line('c', "IN IP4 0.0.0.0");
    }
}

impl Form<'_> {
    /// The first lines of a section.
    pub(crate) fn write_head(&self, writer: &mut Writer, line: &Line, formats: &str) {
        // RFC 8840 §4.1.1: no candidate is known yet
        let port = if self.bundle_only { 0 } else { 9 };
        line.write(writer, port, formats);
        if let Some(mid) = self.mid {
            writer.attribute(&Attribute::Mid(mid));
        }
        if self.bundle_only {
            writer.attribute(&Attribute::BundleOnly);
        }
        if let Some(transport) = self.transport {
            transport(writer);
        }
    }
}
