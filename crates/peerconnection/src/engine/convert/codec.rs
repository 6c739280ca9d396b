//! Codecs: as the application, RTP and SDP name them.

use oxirtc_jsep as jsep;
use oxirtc_rtp::{self as rtp, Carries, payload};

use crate::{Codec, MediaKind};

pub(in crate::engine) fn codec(codec: Codec) -> payload::Codec {
    match codec {
        Codec::Opus => payload::Codec::Opus,
        Codec::Pcmu => payload::Codec::Pcmu,
        Codec::Pcma => payload::Codec::Pcma,
        Codec::G722 => payload::Codec::G722,
        Codec::Vp8 => payload::Codec::Vp8,
        Codec::Vp9 => payload::Codec::Vp9,
        Codec::Av1 => payload::Codec::Av1,
        Codec::H264 => payload::Codec::H264,
        Codec::H265 => payload::Codec::H265,
    }
}

/// `None` for what is no codec of frames: noise, events, and what is not offered.
pub(in crate::engine) fn shown_codec(codec: payload::Codec) -> Option<Codec> {
    Some(match codec {
        payload::Codec::Opus => Codec::Opus,
        payload::Codec::Pcmu => Codec::Pcmu,
        payload::Codec::Pcma => Codec::Pcma,
        payload::Codec::G722 => Codec::G722,
        payload::Codec::Vp8 => Codec::Vp8,
        payload::Codec::Vp9 => Codec::Vp9,
        payload::Codec::Av1 => Codec::Av1,
        payload::Codec::H264 => Codec::H264,
        payload::Codec::H265 => Codec::H265,
        _ => return None,
    })
}

/// The codec of this name in SDP.
pub(in crate::engine) fn named_codec(name: &str) -> Option<Codec> {
    Codec::ALL
        .into_iter()
        .find(|it| it.name().eq_ignore_ascii_case(name))
}

pub(in crate::engine) fn media_kind(kind: MediaKind) -> jsep::MediaKind {
    match kind {
        MediaKind::Audio => jsep::MediaKind::Audio,
        MediaKind::Video => jsep::MediaKind::Video,
    }
}

pub(in crate::engine) fn shown_kind(kind: jsep::MediaKind) -> MediaKind {
    match kind {
        jsep::MediaKind::Audio => MediaKind::Audio,
        jsep::MediaKind::Video => MediaKind::Video,
    }
}

/// What RTP is to know of the payload types of a section.
pub(in crate::engine) fn formats(codecs: &jsep::Codecs) -> Vec<rtp::Format> {
    let mut formats: Vec<rtp::Format> = codecs.media.iter().filter_map(of_media).collect();
    let rate = |of: u8| {
        let mut media = codecs.media.iter();
        let found = media.find(|it| it.payload == of);
        found.map_or(VIDEO, |it| it.codec.clock_rate)
    };
    let mut add = |payload_type, role, clock| {
        formats.push(rtp::Format {
            payload_type,
            role,
            clock,
        });
    };
    if let Some(red) = codecs.red {
        add(red.payload, Carries::Red, red.of.map_or(VIDEO, rate));
    }
    for (of, payload) in &codecs.rtx {
        add(*payload, Carries::Rtx { of: *of }, rate(*of));
    }
    if let Some(payload) = codecs.ulpfec {
        add(payload, Carries::Ulpfec, VIDEO);
    }
    if let Some(payload) = codecs.flexfec {
        add(payload, Carries::Flexfec, VIDEO);
    }
    for (clock, payload) in &codecs.events {
        let role = Carries::Media(payload::Codec::TelephoneEvent);
        add(*payload, role, *clock);
    }
    for (clock, payload) in &codecs.noise {
        let role = Carries::Media(payload::Codec::ComfortNoise);
        add(*payload, role, *clock);
    }
    formats
}

/// Whether a format is H.264 in packetization mode 0, which is the one of who names none (RFC 6184 §8.1).
fn is_single_unit(format: &jsep::Format) -> bool {
    let parameters = format.codec.parameters.as_deref();
    let mut all = parameters.into_iter().flat_map(|it| it.split(';'));
    let mode = all.find_map(|it| it.trim_ascii().strip_prefix("packetization-mode="));
    named_codec(&format.codec.name) == Some(Codec::H264) && mode.is_none_or(|it| it == "0")
}

/// Of these formats those of H.264 under which units are not cut: all but the ones that the peer takes with pieces.
pub(super) fn single_units(formats: &[rtp::Format], sent: &jsep::Codecs) -> Vec<u8> {
    let cut = |payload_type: u8| {
        let mut taken = sent.media.iter();
        taken.any(|it| it.payload == payload_type && !is_single_unit(it))
    };
    let h264 = Carries::Media(payload::Codec::H264);
    let of = formats
        .iter()
        .filter(|it| it.role == h264 && !cut(it.payload_type));
    of.map(|it| it.payload_type).collect()
}

/// Whether all H.264 of a section is so.
pub(in crate::engine) fn takes_single_units(codecs: &jsep::Codecs) -> bool {
    let is_h264 = |it: &&jsep::Format| named_codec(&it.codec.name) == Some(Codec::H264);
    let mut all = codecs.media.iter().filter(is_h264).peekable();
    all.peek().is_some() && all.all(is_single_unit)
}

fn of_media(format: &jsep::Format) -> Option<rtp::Format> {
    Some(rtp::Format {
        payload_type: format.payload,
        role: Carries::Media(codec(named_codec(&format.codec.name)?)),
        clock: format.codec.clock_rate,
    })
}

/// Whether the codec that is sent with is one of which the peer wants no silence.
pub(in crate::engine) fn uses_dtx(codecs: &jsep::Codecs) -> bool {
    let first = codecs.media.first().map(|it| &it.codec);
    let opus = first.filter(|it| it.name.eq_ignore_ascii_case("opus"));
    let parameters = opus.and_then(|it| it.parameters.as_deref());
    let mut all = parameters.into_iter().flat_map(|it| it.split(';'));
    all.any(|it| it.trim_ascii() == "usedtx=1")
}

/// What the two sides do for each other, by the feedback of a section's codecs.
pub(in crate::engine) fn feedbacks(codecs: &jsep::Codecs, reduced_size: bool) -> rtp::Feedbacks {
    let has = |wanted: &str| {
        let mut all = codecs.media.iter().flat_map(|it| &it.codec.feedback);
        all.any(|it| it.eq_ignore_ascii_case(wanted))
    };
    rtp::Feedbacks {
        nack: has("nack"),
        pli: has("nack pli"),
        fir: has("ccm fir"),
        remb: has("goog-remb"),
        tmmbr: has("ccm tmmbr"),
        transport: has("transport-cc"),
        reduced_size,
    }
}

const VIDEO: u32 = 90_000;
