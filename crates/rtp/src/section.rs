//! What was negotiated for a media section, as far as RTP needs it.

use crate::{
    batch::{Lane, Packet},
    extension::{Form, Ids, Label, Values},
    payload::Codec,
};

/// The caller's number for a media section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SectionId(pub u32);

/// One media section.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Its mid.
    pub mid: Option<Label>,
    /// The payload types, as they are received and sent; of several media formats the first is sent by its codec.
    pub formats: Vec<Format>,
    /// Payload types that are taken where they come, though they were not agreed on. Nothing is sent with them.
    pub left_out: Vec<Format>,
    /// Payload types of H.264 in packetization mode 0 (RFC 6184 §6.2): each packet is one whole unit.
    pub single_unit: Vec<u8>,
    /// The ids of header extensions.
    pub ids: Ids,
    /// True if extensions of one and two bytes may be mixed (`a=extmap-allow-mixed`).
    pub mixed: bool,
    /// The rids that the peer sends, in the order of their lanes.
    pub rids: Vec<Label>,
    /// The streams that the peer has announced, in the order of their lanes if there are no rids.
    pub announced: Vec<Announced>,
    /// True if we receive.
    pub receives: bool,
    /// What the two sides do for each other.
    pub feedback: Feedbacks,
    /// How many earlier packets of audio go again with each, where RED was agreed on (RFC 2198); 0 to 3.
    pub redundancy: u8,
    /// When video is protected by parity, where ULPFEC within RED, or FlexFEC with an SSRC of its own, was agreed on.
    pub protect: Protection,
    /// The bit rate that `b=` allows us to send.
    pub bandwidth: Option<u64>,
}

/// When video is protected by parity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Never.
    #[default]
    Never,
    /// As long as the peer reports losses that would take long to be sent again.
    WhenLost,
    /// Always.
    Always,
}

/// One payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The payload type.
    pub payload_type: u8,
    /// What it carries.
    pub role: Carries,
    /// The rate of its timestamps in Hz.
    pub clock: u32,
}

/// What a payload type carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// A codec.
    Media(Codec),
    /// Packets of another payload type again (RFC 4588).
    Rtx {
        /// The other payload type.
        of: u8,
    },
    /// Several payloads (RFC 2198).
    Red,
    /// Parity of packets (RFC 5109), within RED.
    Ulpfec,
    /// Parity of packets, in a stream of its own (draft-ietf-payload-flexible-fec-scheme-03).
    Flexfec,
}

/// A stream that the peer has announced by `a=ssrc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The stream.
    pub ssrc: u32,
    /// The stream that repairs it (FID).
    pub rtx: Option<u32>,
    /// The stream of its parity (FEC-FR).
    pub fec: Option<u32>,
}

/// The feedback that was negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedbacks {
    /// Generic NACK.
    pub nack: bool,
    /// PLI; without it FIR asks for key frames.
    pub pli: bool,
    /// FIR.
    pub fir: bool,
    /// REMB.
    pub remb: bool,
    /// TMMBR.
    pub tmmbr: bool,
    /// Transport-wide feedback.
    pub transport: bool,
    /// RTCP that is no compound (RFC 5506).
    pub reduced_size: bool,
}

/// One stream that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Its SSRC.
    pub ssrc: u32,
    /// The SSRC of its repair (RFC 4588).
    pub rtx: Option<u32>,
    /// The SSRC of its parity.
    pub fec: Option<u32>,
    /// Its rid.
    pub rid: Option<Label>,
    /// False sends nothing.
    pub active: bool,
    /// What the application lets it send, in bits a second.
    pub limit: Option<u64>,
    /// What of the source it sends.
    pub choice: Choice,
}

/// What of a source a stream sends: a lane, and layers up to these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The lane.
    pub lane: Lane,
    /// The highest spatial layer.
    pub spatial: u8,
    /// The highest temporal layer.
    pub temporal: u8,
}

impl Section {
    /// How extensions are framed: with one byte where that will do; with two if an id or a value needs them and both sides know both
    /// (RFC 8285 §4.1.2).
    pub(crate) fn form(&self, values: Option<&Values>) -> Form {
        let long = |it: &Option<bytes::Bytes>| it.as_ref().is_some_and(|it| it.len() > 16);
        let has_long =
            values.is_some_and(|it| long(&it.descriptor) || long(&it.layers) || long(&it.colour));
        if self.ids.needs_two_bytes() || has_long && self.mixed {
            Form::TwoBytes
        } else {
            Form::OneByte
        }
    }

    /// What a payload type carries that comes.
    pub fn format(&self, payload_type: u8) -> Option<Format> {
        let mut taken = self.formats.iter().chain(&self.left_out);
        let found = taken.find(|format| format.payload_type == payload_type);
        found.copied()
    }

    /// True if a payload type was agreed on.
    pub(crate) fn agrees_on(&self, payload_type: u8) -> bool {
        let mut agreed = self.formats.iter();
        agreed.any(|format| format.payload_type == payload_type)
    }

    /// The format in which a codec is sent: of H.264 one that takes units in pieces, where there is one.
    pub fn media(&self, codec: Codec) -> Option<Format> {
        let of_codec = |format: &&Format| format.role == Carries::Media(codec);
        let cuts = |format: &&Format| !self.single_unit.contains(&format.payload_type);
        let mut all = self.formats.iter().filter(of_codec);
        let first = all.next();
        let found = first.filter(cuts).or_else(|| all.find(cuts)).or(first);
        found.copied()
    }

    /// Whether a packet can be sent as it is.
    pub(crate) fn takes(&self, packet: &Packet) -> bool {
        let Some(format) = self.media(packet.codec) else {
            return false;
        };
        let mut bytes = packet.prefix.as_bytes().iter().chain(&packet.payload[..]);
        let is_unit = |first: &u8| first & 31 < 24;
        !self.single_unit.contains(&format.payload_type) || bytes.next().is_some_and(is_unit)
    }

    /// Whether a packet's frame can be sent as it is: a peer that takes whole units alone is sent all of them or none.
    pub(crate) fn takes_frame(&self, packet: &Packet, batch: &[Packet]) -> bool {
        if self.single_unit.is_empty() {
            return true;
        }
        let place = |it: &Packet| (it.lane, it.codec, it.timestamp);
        let mut frame = batch.iter().filter(|it| place(it) == place(packet));
        frame.all(|it| self.takes(it) || self.media(it.codec).is_none())
    }

    /// The payload type that repairs another.
    pub fn rtx(&self, of: u8) -> Option<u8> {
        let found = self
            .formats
            .iter()
            .find(|format| format.role == Carries::Rtx { of });
        found.map(|format| format.payload_type)
    }

    /// The payload type of a kind that has no codec.
    pub fn carrying(&self, role: Carries) -> Option<u8> {
        let found = self.formats.iter().find(|format| format.role == role);
        found.map(|format| format.payload_type)
    }

    /// True if what comes may be protected by parity.
    pub(crate) fn protected(&self) -> bool {
        let is_parity = |it: &Format| matches!(it.role, Carries::Ulpfec | Carries::Flexfec);
        self.formats.iter().chain(&self.left_out).any(is_parity)
    }

    /// True if it is audio.
    pub fn is_audio(&self) -> bool {
        self.formats
            .iter()
            .any(|format| matches!(format.role, Carries::Media(codec) if codec.is_audio()))
    }
}

impl Default for Feedbacks {
    /// What browsers agree on for video.
    fn default() -> Self {
        Self {
            nack: true,
            pli: true,
            fir: true,
            remb: true,
            tmmbr: false,
            transport: true,
            reduced_size: true,
        }
    }
}

impl Default for Choice {
    /// The first lane, all layers.
    fn default() -> Self {
        Self {
            lane: 0,
            spatial: 7,
            temporal: 7,
        }
    }
}
