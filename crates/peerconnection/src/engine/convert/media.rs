//! What is negotiated of media, as RTP and W3C have it.

use std::{
    sync::{Arc, OnceLock},
    time::{Instant, SystemTime},
};

use oxirtc_jsep as jsep;
use oxirtc_rtp::{
    self as rtp,
    extension::{AudioLevel, Ids, Kind, Label},
};

use super::{
    codec::{feedbacks, formats, media_kind, single_units},
    frame::sender_time,
};
use crate::{
    Error, ErrorKind, MediaKind, Parity, RtcpParameters, RtpCapabilities, RtpCodec,
    RtpCodecParameters, RtpDecodingParameters, RtpHeaderExtensionParameters, RtpReceiveParameters,
    RtpSource, RtpTransceiverDirection, Settings,
};

/// What we can do with a kind of media, in the order in which we prefer it.
pub(in crate::engine) fn capabilities(kind: MediaKind) -> jsep::Capabilities {
    let (codecs, extensions) = match kind {
        MediaKind::Audio => (audio(), &AUDIO_EXTENSIONS[..]),
        MediaKind::Video => (video(), &VIDEO_EXTENSIONS[..]),
    };
    let extension = |kind: &Kind| jsep::Extension {
        // Who does not mix has nobody to tell of.
        direction: match kind {
            Kind::MixedLevels => jsep::sdp::Direction::RecvOnly,
            _ => jsep::sdp::Direction::SendRecv,
        },
        ..jsep::Extension::new(kind.uri())
    };
    jsep::Capabilities {
        codecs,
        extensions: extensions.iter().map(extension).collect(),
    }
}

/// Extensions, and those of them that can be encrypted in that form as well.
pub(in crate::engine) fn in_both_forms(
    mut extensions: Vec<jsep::Extension>,
    settings: &Settings,
) -> Vec<jsep::Extension> {
    let levels = [Kind::AudioLevel, Kind::MixedLevels].map(Kind::uri);
    let hidden = extensions.iter().filter(|it| levels.contains(&&*it.uri));
    let hidden = hidden.map(|it| jsep::Extension {
        encrypted: true,
        ..it.clone()
    });
    let hidden: Vec<_> = hidden.filter(|_| settings.encrypted_levels).collect();
    extensions.extend(hidden);
    extensions
}

/// What is encrypted of the packets of a section: all extensions and sources, or the extensions with these ids.
pub(in crate::engine) fn hidden(
    receive: Option<&jsep::ReceiveParameters>,
    send: Option<&jsep::SendParameters>,
) -> (bool, Vec<u8>) {
    let received = receive.into_iter().flat_map(|it| &it.extensions);
    let sent = send.into_iter().flat_map(|it| &it.extensions);
    let hidden = received.chain(sent).filter(|it| it.extension.encrypted);
    let cryptex = receive.is_some_and(|it| it.cryptex) || send.is_some_and(|it| it.cryptex);
    (cryptex, hidden.map(|it| it.id).collect())
}

fn audio() -> Vec<jsep::Codec> {
    let codec = |name, rate| jsep::Codec::new(name, rate).feedback(["transport-cc"]);
    let plain = jsep::Codec::new;
    vec![
        codec("opus", 48_000)
            .channels(2)
            .parameters("minptime=10;useinbandfec=1"),
        codec("G722", 8_000),
        codec("PCMU", 8_000),
        codec("PCMA", 8_000),
        // Behind what it repeats: it is taken, and sent where the application or the peer prefers it.
        plain("red", 48_000).channels(2),
        plain("telephone-event", 48_000).parameters("0-15"),
        plain("telephone-event", 8_000).parameters("0-15"),
    ]
}

fn video() -> Vec<jsep::Codec> {
    let feedback = ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"];
    let codec = |name| jsep::Codec::new(name, 90_000).feedback(feedback);
    let h264 = |mode| {
        codec("H264").parameters(format!(
            "level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id=42e01f"
        ))
    };
    vec![
        codec("VP8"),
        codec("VP9").parameters("profile-id=0"),
        codec("AV1").parameters("level-idx=5;profile=0;tier=0"),
        h264(1),
        h264(0),
        codec("H265").parameters("level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST"),
        jsep::Codec::new("rtx", 90_000),
    ]
}

/// What RTP is to know of a section. What is sent comes first, as its payload types are the peer's.
pub(in crate::engine) fn section(
    mid: Option<&str>,
    (receive, send): (
        Option<&jsep::ReceiveParameters>,
        Option<&jsep::SendParameters>,
    ),
    parity: Parity,
) -> rtp::Section {
    let mut all = send.map_or_else(Vec::new, |it| formats(&it.codecs));
    for format in receive.map_or_else(Vec::new, |it| formats(&it.codecs)) {
        if all.iter().all(|it| it.payload_type != format.payload_type) {
            all.push(format);
        }
    }
    let single_unit = send.map_or_else(Vec::new, |it| single_units(&all, &it.codecs));
    let left_out = receive.map_or_else(Vec::new, |it| formats(&it.left_out));
    let mut ids = Ids::new();
    let received = receive.into_iter().flat_map(|it| &it.extensions);
    let sent = send.into_iter().flat_map(|it| &it.extensions);
    let mixed = receive.is_some_and(|it| it.mixed) || send.is_some_and(|it| it.mixed);
    for it in received.chain(sent) {
        // What tells the templates is longer than the one-byte form allows, and the others mean nothing without it.
        let is_held = |kind: &Kind| *kind != Kind::Descriptor || mixed;
        let kind = Kind::from_uri(&it.extension.uri).filter(is_held);
        if let Some(kind) = kind {
            ids.set(kind, it.id);
        }
    }
    let feedback = receive
        .map(|it| feedbacks(&it.codecs, it.reduced_size))
        .or_else(|| send.map(|it| feedbacks(&it.codecs, it.reduced_size)));
    rtp::Section {
        mid: mid.and_then(Label::new),
        formats: all,
        left_out,
        single_unit,
        ids,
        mixed,
        rids: receive.map_or_else(Vec::new, |it| {
            it.rids.iter().filter_map(|rid| Label::new(rid)).collect()
        }),
        announced: receive.map_or_else(Vec::new, |it| {
            let all = [&it.codecs, &it.left_out];
            let rtx = all.iter().any(|it| !it.rtx.is_empty());
            let repairs = (rtx, all.iter().any(|it| it.flexfec.is_some()));
            let announced = it.announced.iter().map(|it| announced(it, repairs));
            announced.collect()
        }),
        receives: receive.is_some(),
        feedback: feedback.unwrap_or_default(),
        bandwidth: send.and_then(|it| it.bandwidth),
        redundancy: u8::from(send.is_some_and(|it| it.codecs.red.is_some_and(|red| red.preferred))),
        protect: match parity {
            Parity::Never => rtp::Protection::Never,
            Parity::WhenLost => rtp::Protection::WhenLost,
            Parity::Always => rtp::Protection::Always,
        },
    }
}

/// A stream of the peer, with what repairs it as far as that was agreed on.
fn announced(it: &jsep::Announced, (rtx, fec): (bool, bool)) -> rtp::Announced {
    rtp::Announced {
        ssrc: it.ssrc,
        rtx: it.rtx.filter(|_| rtx),
        fec: it.fec.filter(|_| fec),
    }
}

/// One stream that is sent.
pub(in crate::engine) fn encoding(
    choice: rtp::Choice,
    encoding: &jsep::SendEncoding,
    active: bool,
    limit: Option<u32>,
) -> rtp::Encoding {
    rtp::Encoding {
        ssrc: encoding.ssrc,
        rtx: encoding.rtx,
        fec: encoding.fec,
        rid: encoding.rid.as_deref().and_then(Label::new),
        active,
        choice,
        limit: limit.map(u64::from),
    }
}

pub(in crate::engine) fn shown_direction(
    direction: jsep::sdp::Direction,
) -> RtpTransceiverDirection {
    match direction {
        jsep::sdp::Direction::SendRecv => RtpTransceiverDirection::SendRecv,
        jsep::sdp::Direction::SendOnly => RtpTransceiverDirection::SendOnly,
        jsep::sdp::Direction::RecvOnly => RtpTransceiverDirection::RecvOnly,
        jsep::sdp::Direction::Inactive => RtpTransceiverDirection::Inactive,
    }
}

/// [5.4-03] [5.1-13] `Stopped` is told, and cannot be asked for.
pub(in crate::engine) fn direction(
    direction: RtpTransceiverDirection,
) -> Result<jsep::sdp::Direction, Error> {
    Ok(match direction {
        RtpTransceiverDirection::SendRecv => jsep::sdp::Direction::SendRecv,
        RtpTransceiverDirection::SendOnly => jsep::sdp::Direction::SendOnly,
        RtpTransceiverDirection::RecvOnly => jsep::sdp::Direction::RecvOnly,
        RtpTransceiverDirection::Inactive => jsep::sdp::Direction::Inactive,
        RtpTransceiverDirection::Stopped => {
            let message = "a transceiver is stopped by stop()";
            return Err(Error::new(ErrorKind::Type, message));
        }
    })
}

pub(in crate::engine) fn shown_codec_of(kind: MediaKind, codec: &jsep::Codec) -> RtpCodec {
    RtpCodec {
        mime_type: format!("{kind}/{}", codec.name),
        clock_rate: codec.clock_rate,
        channels: codec.channels,
        sdp_fmtp_line: codec.parameters.clone(),
    }
}

/// The codec of ours that a dictionary of W3C names; `None` when it is of another kind.
pub(in crate::engine) fn codec_of(kind: MediaKind, codec: &RtpCodec) -> Option<jsep::Codec> {
    let (of, name) = codec.mime_type.split_once('/')?;
    of.eq_ignore_ascii_case(kind.as_str()).then(|| jsep::Codec {
        name: name.to_owned(),
        clock_rate: codec.clock_rate,
        channels: codec.channels,
        parameters: codec.sdp_fmtp_line.clone(),
        feedback: Vec::new(),
    })
}

/// Whether a codec is one of those that carry media of a section.
pub(in crate::engine) fn is_sent(kind: MediaKind, codec: &RtpCodec, of: &jsep::Codecs) -> bool {
    payload_type(kind, Some(codec), of).is_some()
}

/// The payload type of a codec that carries media of a section; without one, of that which is preferred.
pub(in crate::engine) fn payload_type(
    kind: MediaKind,
    codec: Option<&RtpCodec>,
    of: &jsep::Codecs,
) -> Option<u8> {
    let wanted = match codec {
        Some(codec) => Some(codec_of(kind, codec)?),
        None => None,
    };
    let same = |it: &&jsep::Format| {
        let is = |wanted: &jsep::Codec| wanted.is_same(&it.codec, jsep::Levels::Compared);
        wanted.as_ref().is_none_or(is)
    };
    of.media.iter().find(same).map(|it| it.payload)
}

/// Whether a codec is one of ours that carries media.
pub(in crate::engine) fn is_known(kind: MediaKind, codec: &RtpCodec) -> bool {
    let wanted = codec_of(kind, codec);
    let same = |it: &jsep::Codec| {
        let wanted = wanted.as_ref();
        let same = wanted.is_some_and(|wanted| wanted.is_same(it, jsep::Levels::Compared));
        same && !it.is_auxiliary()
    };
    capabilities(kind).codecs.iter().any(same)
}

/// `getCapabilities()`: what can be sent and received of a kind at all (W3C §5.2).
// [5.2-04] [5.2.12-02]
pub fn capabilities_of(kind: MediaKind) -> RtpCapabilities {
    let capabilities = capabilities(kind);
    let codecs = capabilities.codecs.iter();
    let extensions = capabilities.extensions.into_iter();
    RtpCapabilities {
        codecs: codecs.map(|it| shown_codec_of(kind, it)).collect(),
        header_extensions: extensions.map(|it| it.uri).collect(),
    }
}

/// The codecs of a section with their payload types ([5.2-07]).
pub(in crate::engine) fn shown_codecs(
    kind: MediaKind,
    codecs: &jsep::Codecs,
) -> Vec<RtpCodecParameters> {
    let of_media = codecs.media.iter().map(|it| RtpCodecParameters {
        codec: shown_codec_of(kind, &it.codec),
        payload_type: it.payload,
    });
    let rate = |of: u8| {
        let found = codecs.media.iter().find(|it| it.payload == of);
        found.map_or(90_000, |it| it.codec.clock_rate)
    };
    let serving = |name: &str, clock_rate, parameters, payload_type| RtpCodecParameters {
        codec: RtpCodec {
            mime_type: format!("{kind}/{name}"),
            clock_rate,
            channels: None,
            sdp_fmtp_line: parameters,
        },
        payload_type,
    };
    let rtx = codecs.rtx.iter();
    let rtx =
        rtx.map(|(of, payload)| serving("rtx", rate(*of), Some(format!("apt={of}")), *payload));
    let red = codecs.red.iter();
    let red = red.map(|it| {
        let channels = of_red(it, codecs).and_then(|it| it.channels);
        let mut shown = serving("red", it.of.map_or(90_000, rate), None, it.payload);
        shown.codec.channels = channels;
        shown.codec.sdp_fmtp_line = it.of.map(|of| format!("{of}/{of}"));
        shown
    });
    let ulpfec = codecs.ulpfec.iter();
    let ulpfec = ulpfec.map(|it| serving("ulpfec", 90_000, None, *it));
    let flexfec = codecs.flexfec.iter();
    let flexfec = flexfec.map(|it| serving("flexfec-03", 90_000, None, *it));
    let events = codecs.events.iter();
    let events = events.map(|(rate, it)| serving("telephone-event", *rate, None, *it));
    let noise = codecs.noise.iter();
    let noise = noise.map(|(rate, it)| serving("CN", *rate, None, *it));
    let all = of_media.chain(rtx).chain(red);
    let all = all.chain(ulpfec).chain(flexfec);
    all.chain(events).chain(noise).collect()
}

/// What RED of audio repeats.
fn of_red<'a>(red: &jsep::Red, codecs: &'a jsep::Codecs) -> Option<&'a jsep::Codec> {
    let found = codecs.media.iter().find(|it| Some(it.payload) == red.of);
    found.map(|it| &it.codec)
}

pub(in crate::engine) fn shown_extensions(
    extensions: &[jsep::NumberedExtension],
) -> Vec<RtpHeaderExtensionParameters> {
    let shown = |it: &jsep::NumberedExtension| RtpHeaderExtensionParameters {
        uri: it.extension.uri.clone(),
        id: it.id,
        encrypted: it.extension.encrypted,
    };
    extensions.iter().map(shown).collect()
}

/// [5.3-03]
pub(in crate::engine) fn shown_receive_parameters(
    kind: MediaKind,
    parameters: Option<&jsep::ReceiveParameters>,
) -> RtpReceiveParameters {
    parameters.map_or_else(RtpReceiveParameters::default, |it| RtpReceiveParameters {
        header_extensions: shown_extensions(&it.extensions),
        rtcp: RtcpParameters {
            cname: None,
            reduced_size: it.reduced_size,
        },
        codecs: shown_codecs(kind, &it.codecs),
        encodings: shown_streams(&it.rids),
    })
}

/// [5.2.5-01] One stream, or those of simulcast.
fn shown_streams(rids: &[String]) -> Vec<RtpDecodingParameters> {
    let named = rids.iter().map(|rid| RtpDecodingParameters {
        rid: Some(rid.clone()),
    });
    match rids {
        [] => vec![RtpDecodingParameters::default()],
        _ => named.collect(),
    }
}

/// [5.3-05] [5.3-06] Who was heard; `now` is a moment by both clocks.
pub(in crate::engine) fn shown_source(
    source: rtp::Source,
    (now, wall): (Instant, SystemTime),
) -> RtpSource {
    let ago = now.saturating_duration_since(source.at);
    let offset = source.captured.and_then(|it| it.offset);
    RtpSource {
        source: source.source,
        contributes: source.contributes,
        at: wall.checked_sub(ago).unwrap_or(wall),
        rtp_timestamp: source.timestamp,
        audio_level: source.level.map(|level| {
            let level = AudioLevel {
                level,
                voice: false,
            };
            level.linear()
        }),
        capture_timestamp: source.captured.and_then(|it| sender_time(it.time)),
        sender_capture_time_offset: offset.map(|units| units as f64 * 1000.0 / UNITS),
    }
}

/// Media of a kind, for a negotiator.
pub(in crate::engine) fn equip(
    config: jsep::Config,
    kind: MediaKind,
    settings: &Settings,
) -> jsep::Config {
    let config = config.cryptex(settings.cryptex);
    config.media(media_kind(kind), shared(kind, settings))
}

/// Made once, as all connections with these settings have the same.
fn shared(kind: MediaKind, settings: &Settings) -> Arc<jsep::Capabilities> {
    let parity = settings.parity != Parity::Never;
    let choices = [parity, settings.flexfec, settings.encrypted_levels];
    let made = match kind {
        MediaKind::Audio => &AUDIO,
        MediaKind::Video => &VIDEO,
    };
    let index = choices
        .iter()
        .fold(0, |it, choice| it * 2 + usize::from(*choice));
    let make = || Arc::new(equipment(kind, settings));
    match made.get(index) {
        Some(made) => made.get_or_init(make).clone(),
        None => make(),
    }
}

/// What can be done with a kind of media, with these settings.
fn equipment(kind: MediaKind, settings: &Settings) -> jsep::Capabilities {
    let mut capabilities = capabilities(kind);
    if settings.parity != Parity::Never && kind == MediaKind::Video {
        let parity = ["red", "ulpfec"].map(|name| jsep::Codec::new(name, 90_000));
        capabilities.codecs.extend(parity);
    }
    if settings.flexfec && kind == MediaKind::Video {
        let flexfec = jsep::Codec::new("flexfec-03", 90_000)
            .parameters("repair-window=10000000")
            .feedback(["goog-remb", "transport-cc"]);
        capabilities.codecs.push(flexfec);
    }
    capabilities.extensions = in_both_forms(capabilities.extensions, settings);
    capabilities
}

/// By the choices that `equipment` looks at.
type Made = [OnceLock<Arc<jsep::Capabilities>>; 8];

static AUDIO: Made = [const { OnceLock::new() }; 8];
static VIDEO: Made = [const { OnceLock::new() }; 8];

/// A second in the units of NTP.
const UNITS: f64 = 4_294_967_296.0;
const AUDIO_EXTENSIONS: [Kind; 6] = [
    Kind::AudioLevel,
    Kind::MixedLevels,
    Kind::AbsoluteSendTime,
    Kind::TransportNumber,
    Kind::AbsoluteCaptureTime,
    Kind::Mid,
];
const VIDEO_EXTENSIONS: [Kind; 11] = [
    Kind::AbsoluteSendTime,
    Kind::Orientation,
    Kind::TransportNumber,
    Kind::PlayoutDelay,
    Kind::ContentType,
    Kind::ColourSpace,
    Kind::AbsoluteCaptureTime,
    Kind::Mid,
    Kind::Rid,
    Kind::RepairedRid,
    Kind::Descriptor,
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use oxirtc_netsim::epoch;

    use super::*;

    /// Whoever comes first with some settings leaves nothing to those with others.
    #[test]
    fn what_is_shared_is_of_the_same_settings() {
        for _ in 0..2 {
            for it in 0..8_usize {
                let (parity, flexfec, levels) = (it & 1, it & 2 > 0, it & 4 > 0);
                let parity = [Parity::Never, Parity::default()][parity];
                let settings = Settings::default().parity(parity).flexfec(flexfec);
                let settings = settings.encrypted_levels(levels);
                for kind in [MediaKind::Audio, MediaKind::Video] {
                    let shared = shared(kind, &settings);
                    assert_eq!(*shared, equipment(kind, &settings), "{settings:?}");
                }
            }
        }
    }

    /// [5.3-05] WebRTC Extensions, `captureTimestamp` and `senderCaptureTimeOffset`.
    #[test]
    fn a_source_tells_when_it_was_captured() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let shown = |captured| {
            let source = rtp::Source {
                source: 7,
                contributes: true,
                at: epoch(),
                timestamp: 9,
                level: Some(0),
                captured,
            };
            let now = epoch() + Duration::from_millis(250);
            shown_source(source, (now, wall))
        };
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500);
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let captured = |offset| {
            Some(rtp::Captured {
                time: rtp::Ntp::from_unix(since),
                offset,
            })
        };
        let told = shown(captured(Some(-(1 << 31))));
        assert_eq!((told.source, told.contributes), (7, true));
        assert_eq!((told.rtp_timestamp, told.audio_level), (9, Some(1.0)));
        assert_eq!(told.at, wall - Duration::from_millis(250));
        assert_eq!(told.capture_timestamp, Some(time));
        assert_eq!(told.sender_capture_time_offset, Some(-500.0));
        assert_eq!(shown(captured(None)).sender_capture_time_offset, None);
        let silent = shown(None);
        assert_eq!(silent.capture_timestamp, None);
        assert_eq!(silent.sender_capture_time_offset, None);
    }
}
