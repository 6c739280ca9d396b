//! One media description.

use std::ops::Deref;

use crate::{Attribute, Section, line::MediaLine, scan::fields};

/// One media description: its `m=` line, and through [`Section`] the lines below it.
#[derive(Clone, Copy, Debug)]
pub struct Media<'a> {
    line: MediaLine<'a>,
    section: Section<'a>,
}

impl<'a> Media<'a> {
    pub(crate) fn new(section: Section<'a>) -> Self {
        let value = section.lines().next().map_or("", |line| line.value);
        let line = MediaLine::parse(value).unwrap_or(MediaLine {
            media: "",
            port: 0,
            protocol: "",
            formats: "",
        });
        Self { line, section }
    }

    /// `audio`, `video`, `application`, …
    pub fn media(&self) -> &'a str {
        self.line.media
    }

    /// The port; 0 rejects the section, or marks it bundle-only.
    pub fn port(&self) -> u16 {
        self.line.port
    }

    /// The transport protocol: `UDP/DTLS/SCTP`, `UDP/TLS/RTP/SAVPF`, …
    pub fn protocol(&self) -> &'a str {
        self.line.protocol
    }

    /// The formats: payload types, `webrtc-datachannel`.
    pub fn formats(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        fields(self.line.formats)
    }

    /// The lines of this description, the `m=` line included.
    pub fn section(&self) -> Section<'a> {
        self.section
    }

    /// Whether port 0 rejects it: port 0 without `a=bundle-only` (RFC 9143 §6).
    pub fn is_rejected(&self) -> bool {
        let bundle_only = |it| matches!(it, Attribute::BundleOnly);
        self.line.port == 0 && !self.section.attributes().any(bundle_only)
    }
}

impl<'a> Deref for Media<'a> {
    type Target = Section<'a>;

    fn deref(&self) -> &Section<'a> {
        &self.section
    }
}
