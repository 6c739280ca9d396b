//! What a section of RTP says of itself.

use oxirtc_sdp::{
    Attribute, Bandwidth, Direction, ExtMap, Media, Msid, Rid, Simulcast, Ssrc, SsrcGroup,
};

use crate::{
    Announced, Layers, NumberedExtension,
    codec::{Format, FormatLines},
};

/// The facts of RTP, as their author sees them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rtp {
    /// Absent where the session level or the default counts.
    pub(crate) direction: Option<Direction>,
    /// In the order of the line; those of which nothing is known are left out.
    pub(crate) formats: Vec<Format>,
    pub(crate) extensions: Vec<NumberedExtension>,
    /// Extensions of one and two bytes may be mixed, as the section says.
    pub(crate) mixed: bool,
    /// Header extensions and sources may be encrypted whole, as the section says.
    pub(crate) cryptex: bool,
    pub(crate) layers: Layers,
    /// The streams of its track, each once.
    pub(crate) streams: Vec<String>,
    /// The streams that are announced by SSRC, each with those that serve it.
    pub(crate) announced: Vec<Announced>,
    pub(crate) reduced_size: bool,
    /// In bits per second.
    pub(crate) bandwidth: Option<u64>,
    /// In milliseconds.
    pub(crate) max_packet_time: Option<u32>,
}

/// The lines of a section that are about RTP.
#[derive(Default)]
pub(super) struct Lines<'a> {
    direction: Option<Direction>,
    formats: FormatLines<'a>,
    extensions: Vec<ExtMap<'a>>,
    mixed: bool,
    cryptex: bool,
    rids: Vec<Rid<'a>>,
    simulcast: Option<Simulcast<'a>>,
    msids: Vec<Msid<'a>>,
    ssrcs: Vec<Ssrc<'a>>,
    groups: Vec<SsrcGroup<'a>>,
    reduced_size: bool,
    max_packet_time: Option<f32>,
}

impl<'a> Lines<'a> {
    /// Keeps a line that is about RTP. Returns one that is not.
    pub(super) fn keep(&mut self, line: Attribute<'a>) -> Option<Attribute<'a>> {
        match line {
            Attribute::RtpMap(it) => self.formats.keep_map(it),
            Attribute::Fmtp(it) => self.formats.keep_parameters(it),
            Attribute::RtcpFeedback(it) => self.formats.keep_feedback(it),
            Attribute::ExtMap(it) => self.extensions.push(it),
            Attribute::ExtMapAllowMixed => self.mixed = true,
            Attribute::Cryptex => self.cryptex = true,
            Attribute::Rid(it) if self.rids.len() < MAX_LINES => self.rids.push(it),
            Attribute::Simulcast(it) => self.simulcast = self.simulcast.or(Some(it)),
            Attribute::Msid(it) if self.msids.len() < MAX_LINES => self.msids.push(it),
            Attribute::Ssrc(it) => self.keep_source(it),
            Attribute::SsrcGroup(it) if self.groups.len() < MAX_LINES => self.groups.push(it),
            Attribute::RtcpReducedSize => self.reduced_size = true,
            Attribute::MaxPtime(it) => self.max_packet_time = self.max_packet_time.or(Some(it)),
            Attribute::Direction(it) => self.direction = self.direction.or(Some(it)),
            other => return Some(other),
        }
        None
    }

    /// Of each source its first line, and the one that names a stream.
    fn keep_source(&mut self, line: Ssrc<'a>) {
        let known = |it: &Ssrc<'_>| it.ssrc == line.ssrc;
        let names = line.attribute == "msid";
        if self.ssrcs.len() < 2 * MAX_LINES && (names || !self.ssrcs.iter().any(known)) {
            self.ssrcs.push(line);
        }
    }

    pub(super) fn finish(self, media: &Media<'a>) -> Rtp {
        Rtp {
            direction: self.direction,
            streams: self.streams(),
            announced: self.announced(),
            formats: self
                .formats
                .read(media.formats().filter_map(|it| it.parse().ok())),
            extensions: NumberedExtension::read(self.extensions.into_iter()),
            mixed: self.mixed,
            cryptex: self.cryptex,
            layers: Layers::read(&self.rids, self.simulcast.as_ref()),
            reduced_size: self.reduced_size,
            bandwidth: bandwidth(media.bandwidths()),
            // what is longer than a number of milliseconds nobody means
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is not negative, and a cast of floats saturates"
            )]
            max_packet_time: self.max_packet_time.map(|it| it as u32),
        }
    }

    /// The streams of `a=msid`, or of the older lines of sources.
    fn streams(&self) -> Vec<String> {
        let older = self.ssrcs.iter().filter(|it| it.attribute == "msid");
        let older = older.filter_map(|it| it.value?.split_ascii_whitespace().next());
        let lines = self.msids.iter().map(|it| it.id);
        let named: Vec<_> = match self.msids.is_empty() {
            true => older.collect(),
            false => lines.collect(),
        };
        let mut streams: Vec<String> = Vec::new();
        // RFC 8830 §2: `-` is a track without a stream
        for stream in named.into_iter().filter(|it| *it != "-") {
            if !streams.iter().any(|it| it == stream) {
                streams.push(stream.to_owned());
            }
        }
        streams
    }

    fn announced(&self) -> Vec<Announced> {
        let serves = |semantics: &str, ssrc: u32| {
            let mut groups = self.groups.iter().filter(|it| it.semantics == semantics);
            groups.find_map(|group| {
                let mut members = group.ssrcs();
                (members.next() == Some(ssrc)).then(|| members.next())?
            })
        };
        let mut ssrcs: Vec<u32> = Vec::new();
        // the layers of one track in their order, then what has no group
        let layers = self.groups.iter().filter(|it| it.semantics == "SIM");
        let layers = layers.flat_map(|it| it.ssrcs().take(MAX_LINES));
        let lone = self.ssrcs.iter().map(|it| it.ssrc);
        for ssrc in layers.chain(lone) {
            let described = self.ssrcs.iter().any(|it| it.ssrc == ssrc);
            let secondary = self
                .groups
                .iter()
                .any(|it| it.semantics != "SIM" && it.ssrcs().skip(1).take(1).any(|it| it == ssrc));
            if described && !secondary && !ssrcs.contains(&ssrc) && ssrcs.len() < MAX_LINES {
                ssrcs.push(ssrc);
            }
        }
        let announced = ssrcs.into_iter().map(|ssrc| Announced {
            ssrc,
            rtx: serves("FID", ssrc),
            fec: serves("FEC-FR", ssrc),
        });
        announced.collect()
    }
}

/// RFC 9429 §5.9: `TIAS`, else `AS`, or `CT` of all media together, without what UDP and IP take of it.
pub(super) fn bandwidth<'a>(lines: impl Iterator<Item = Bandwidth<'a>>) -> Option<u64> {
    let (mut exact, mut rough) = (None, None);
    for Bandwidth { kind, value } in lines {
        match kind {
            "TIAS" => exact = exact.or(Some(value)),
            "AS" | "CT" => rough = rough.or(Some(value)),
            _ => {}
        }
    }
    let converted = |kilobits: u64| kilobits.saturating_mul(950).saturating_sub(50 * 40 * 8);
    exact.or(rough.map(converted))
}

/// More lines of one kind than this nobody means.
const MAX_LINES: usize = 64;
