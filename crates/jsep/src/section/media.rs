//! Sections of RTP.
//!
//! Nothing is sent or received in them: they are rejected. One that has the address of a bundle group in
//! which something lives stays as `inactive`, as browsers lose the whole group with it.

use oxirtc_sdp::{Attribute, Direction, Writer};

use super::{Form, Section};
use crate::outline::Entry;

/// A section of RTP.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    /// The one format that an inactive section is answered with, and its `a=rtpmap`.
    format: Option<(String, Option<String>)>,
}

/// Whether a section has RTP, in any profile.
pub(super) fn is(entry: &Entry) -> bool {
    entry.protocol.split('/').any(|part| part == "RTP")
}

impl Media {
    pub(super) fn new(entry: &Entry) -> Self {
        let format = |format: &String| {
            let payload: u8 = format.parse().ok()?;
            let map = entry.rtp_map(payload);
            let known = map.is_some_and(|it| !is_repair(it));
            // RFC 3551 §6: those below 96 may have a meaning without a map
            (known || (map.is_none() && payload < 96))
                .then(|| (format.clone(), map.map(|it| format!("{payload} {it}"))))
        };
        Self {
            format: entry.formats.iter().find_map(format),
        }
    }

    pub(super) fn can_stand(&self) -> bool {
        self.format.is_some()
    }

    pub(super) fn write(
        &self,
        section: &Section,
        writer: &mut Writer,
        named: bool,
        form: &Form<'_>,
    ) {
        let (format, map) = match &self.format {
            Some((format, map)) => (format.as_str(), map.as_deref()),
            None => (section.line.formats.as_str(), None),
        };
        section.write_head(writer, named, format, form);
        writer
            .attribute(&Attribute::Direction(Direction::Inactive))
            .attribute(&Attribute::RtcpMux);
        if let Some(map) = map {
            writer.line('a', format_args!("rtpmap:{map}"));
        }
    }
}

/// Formats that serve others, and cannot stand alone.
fn is_repair(encoding: &str) -> bool {
    let name = encoding.split('/').next().unwrap_or_default();
    [
        "rtx",
        "red",
        "ulpfec",
        "flexfec-03",
        "telephone-event",
        "CN",
    ]
    .iter()
    .any(|it| name.eq_ignore_ascii_case(it))
}
