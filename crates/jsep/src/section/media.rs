//! Sections of RTP.
//!
//! Nothing is sent or received in them: they are rejected. One that has the address of a bundle group in
//! which something lives stays as `inactive`, as browsers lose the whole group with it.

use oxirtc_sdp::{Attribute, Direction, Writer};

use super::line::{Form, Line};
use crate::{codec::Format, outline::Entry};

/// A section of RTP.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    /// The one format that an inactive section is answered with: the first that carries media.
    format: Option<Format>,
}

/// Whether a section has RTP, in any profile.
pub(super) fn is(entry: &Entry) -> bool {
    entry.protocol.split('/').any(|part| part == "RTP")
}

impl Media {
    pub(super) fn new(entry: &Entry) -> Self {
        let mut codecs = entry.codecs().iter();
        let format = codecs.find(|it| !it.codec.is_auxiliary());
        Self {
            format: format.cloned(),
        }
    }

    pub(super) fn can_stand(&self) -> bool {
        self.format.is_some()
    }

    pub(super) fn write(&self, line: &Line, writer: &mut Writer, form: &Form<'_>) {
        let payload = self.format.as_ref().map(|it| it.payload.to_string());
        form.write_head(writer, line, payload.as_ref().unwrap_or(&line.formats));
        writer
            .attribute(&Attribute::Direction(Direction::Inactive))
            .attribute(&Attribute::RtcpMux);
        if let Some(Format { payload, codec }) = &self.format {
            writer.line('a', format_args!("rtpmap:{payload} {codec}"));
        }
    }
}
