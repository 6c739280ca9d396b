//! Sections of RTP.
//!
//! One that nothing is to be sent or received in is rejected. If it has the address of a bundle group in
//! which something lives it stays as `inactive`, as browsers lose the whole group with it.

use oxirtc_sdp::{Attribute, Direction, Fmtp, Writer};

use super::line::{Form, Line};
use crate::{Layers, MediaKind, NumberedExtension, SendEncoding, codec::Format, outline::Entry};

/// A section of RTP.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    /// The one format that an inactive section is answered with: the first that carries media.
    format: Option<Format>,
}

/// What a section says of RTP, but for its transport.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    pub(crate) direction: Direction,
    pub(crate) formats: Vec<Format>,
    pub(crate) extensions: Vec<NumberedExtension>,
    /// The streams of our track, where the application wants to send, whatever comes of it.
    pub(crate) streams: Option<Vec<String>>,
    /// As we see them.
    pub(crate) layers: Layers,
    /// The one stream that is announced, and the name that joins ours.
    pub(crate) announced: Option<(SendEncoding, String)>,
    /// Neither end has another port for RTCP (RFC 8858).
    pub(crate) mux_only: bool,
    pub(crate) reduced_size: bool,
    pub(crate) cryptex: bool,
}

/// Whether a section has RTP, in any profile.
pub(super) fn is(entry: &Entry) -> bool {
    entry.protocol.split('/').any(|part| part == "RTP")
}

/// What a section carries, where it is RTP of a kind that can be one of ours.
pub(crate) fn media_kind(entry: &Entry) -> Option<MediaKind> {
    let kinds = [MediaKind::Audio, MediaKind::Video].into_iter();
    let mut kinds = kinds.filter(|it| it.as_str() == entry.media && is(entry));
    kinds.next()
}

/// The line of a section that we propose.
pub(super) fn line(kind: MediaKind) -> Line {
    Line {
        media: kind.as_str().to_owned(),
        // RFC 9429 §5.1.2
        protocol: "UDP/TLS/RTP/SAVPF".to_owned(),
        formats: String::new(),
    }
}

impl Media {
    pub(super) fn new(entry: &Entry) -> Self {
        let mut formats = entry.rtp.formats.iter();
        let format = formats.find(|it| !it.codec.is_auxiliary());
        Self {
            format: format.cloned(),
        }
    }

    /// One that is not described yet.
    pub(super) fn unwritten() -> Self {
        Self { format: None }
    }

    pub(super) fn can_stand(&self) -> bool {
        self.format.is_some()
    }

    /// Writes it as one that stands for its address.
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

impl Lines {
    pub(super) fn write(&self, line: &Line, writer: &mut Writer, form: &Form<'_>) {
        let payloads = self.formats.iter().map(|it| it.payload.to_string());
        let payloads: Vec<_> = payloads.collect();
        form.write_head(writer, line, &payloads.join(" "));
        writer.attribute(&Attribute::Direction(self.direction));
        if let Some(streams) = &self.streams {
            write_streams(streams, writer);
        }
        // RFC 9143 §7.1.3 has it in the tagged section alone; browsers ask for it in each
        writer.attribute(&Attribute::RtcpMux);
        if self.mux_only {
            writer.attribute(&Attribute::RtcpMuxOnly);
        }
        if self.reduced_size {
            writer.attribute(&Attribute::RtcpReducedSize);
        }
        if self.cryptex {
            writer.attribute(&Attribute::Cryptex);
        }
        for extension in &self.extensions {
            writer.attribute(&Attribute::ExtMap(extension.line()));
        }
        self.formats.iter().for_each(|it| write_format(it, writer));
        if line.media == MediaKind::Audio.as_str() {
            writer.attribute(&Attribute::MaxPtime(MAX_PACKET_TIME));
        }
        self.layers.write(writer);
        if let Some((announced, cname)) = &self.announced {
            write_announced(announced, cname, writer);
        }
    }
}

// RFC 9429 §5.2.1: a line for each stream, without the id of the track
fn write_streams(streams: &[String], writer: &mut Writer) {
    for stream in streams {
        writer.line('a', format_args!("msid:{stream}"));
    }
    if streams.is_empty() {
        writer.line('a', "msid:-");
    }
}

fn write_format(Format { payload, codec }: &Format, writer: &mut Writer) {
    writer.line('a', format_args!("rtpmap:{payload} {codec}"));
    for feedback in &codec.feedback {
        writer.line('a', format_args!("rtcp-fb:{payload} {feedback}"));
    }
    if let Some(parameters) = &codec.parameters {
        writer.attribute(&Attribute::Fmtp(Fmtp {
            format: &payload.to_string(),
            parameters,
        }));
    }
}

fn write_announced(encoding: &SendEncoding, cname: &str, writer: &mut Writer) {
    let media = encoding.ssrc;
    let repairs = [("FID", encoding.rtx), ("FEC-FR", encoding.fec)];
    for (semantics, ssrc) in repairs {
        if let Some(ssrc) = ssrc {
            writer.line('a', format_args!("ssrc-group:{semantics} {media} {ssrc}"));
        }
    }
    for ssrc in [Some(media), encoding.rtx, encoding.fec]
        .into_iter()
        .flatten()
    {
        writer.line('a', format_args!("ssrc:{ssrc} cname:{cname}"));
    }
}

/// In milliseconds: the longest packet of Opus, the longest of all (RFC 7587 §6.1).
const MAX_PACKET_TIME: f32 = 120.0;
