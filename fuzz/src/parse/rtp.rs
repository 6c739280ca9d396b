//! Packets of RTP and RTCP, header extensions, payload formats, parity.

use std::time::{Duration, Instant};

use bytes::Bytes;
use oxirtc_rtp::{
    Batch, Carries, Choice, Config, Delivery, Encoding, Feedbacks, Form, Format, Ntp, Protection,
    Rtp, Section, SectionId, Session, Writer,
    extension::{Descriptor, Elements, Ids, Kind, Label, Layers, Named, Values},
    fec, pad,
    payload::{Codec, Layering, Packetizer},
    red, rtcp,
};

/// Reads a packet of RTP and writes it again, equal but for what fills words.
///
/// # Panics
/// When a property does not hold.
pub fn rtp_packet(bytes: &[u8]) {
    let Ok(rtp) = Rtp::parse(bytes) else { return };
    let sources: Vec<u32> = rtp.sources().collect();
    for form in [Form::OneByte, Form::TwoBytes] {
        let mut written = Vec::new();
        let mut writer = Writer::begin(&mut written, rtp.head, &sources, form);
        let elements = rtp
            .extensions
            .filter(|(id, value)| writer.extend(*id, value));
        let elements: Vec<_> = elements.collect();
        writer.finish();
        written.extend_from_slice(rtp.payload);
        pad(&mut written, 0, rtp.padding);
        let again = Rtp::parse(&written).expect("what was written can be read");
        assert_eq!((again.head, again.payload), (rtp.head, rtp.payload));
        assert!(again.sources().eq(sources.iter().copied()));
        assert!(again.extensions.eq(elements));
    }
}

/// Reads header extensions of every kind; what has a written form is written and read again, equal.
///
/// # Panics
/// When a property does not hold.
pub fn rtp_extensions(bytes: &[u8]) {
    let Some((&[high, low], body)) = bytes.split_first_chunk() else {
        return;
    };
    let mut ids = Ids::new();
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        ids.set(kind, at as u8 + 1);
    }
    for profile in [0xbede, 0x1000, u16::from_be_bytes([high, low])] {
        let elements = Elements::new(profile, body);
        let _ = Named::read(elements, &ids);
        let values = Values::read(elements, &ids, Bytes::copy_from_slice);
        let mut written = Vec::new();
        let head = oxirtc_rtp::RtpHead::default();
        let mut writer = Writer::begin(&mut written, head, &[], Form::TwoBytes);
        values.write(&mut writer, &ids, None);
        writer.finish();
        let again = Rtp::parse(&written).expect("what was written can be read");
        let again = Values::read(again.extensions, &ids, Bytes::copy_from_slice);
        // A transmission offset is of the packet that came, and is not passed on.
        assert_eq!(
            again,
            Values {
                offset: None,
                ..values
            }
        );
    }
    if let Some(layers) = Layers::parse(body) {
        let mut written = Vec::new();
        layers.write(&mut written);
        assert!(written == [0] || Layers::parse(&written) == Some(layers));
    }
    if let Some(descriptor) = Descriptor::parse(body, None) {
        let mut written = Vec::new();
        descriptor.write(&mut written, None);
        assert_eq!(Descriptor::parse(&written, None), Some(descriptor.clone()));
        if let Some(structure) = &descriptor.structure {
            let _ = descriptor.resolve(structure);
        }
    }
}

/// Reads a datagram of RTCP and asks each packet for everything.
///
/// # Panics
/// When a property does not hold.
pub fn rtcp_compound(bytes: &[u8]) {
    let Ok(compound) = rtcp::Compound::parse(bytes) else {
        return;
    };
    for rtcp in compound {
        match rtcp {
            rtcp::Rtcp::Report(it) => assert!(it.blocks().count() <= 31),
            rtcp::Rtcp::Sdes(it) => assert!(it.items().count() <= bytes.len()),
            rtcp::Rtcp::Bye(it) => assert!(it.sources().count() <= 31),
            rtcp::Rtcp::Nack(it) => {
                let numbers: Vec<u16> = it.numbers().collect();
                let mut written = Vec::new();
                let count =
                    rtcp::write_nack(&mut written, usize::MAX, 1, 2, numbers.iter().copied());
                assert_eq!(count, numbers.len());
            }
            rtcp::Rtcp::Sli(it) => assert!(it.items().count() <= bytes.len()),
            rtcp::Rtcp::Fir(it) => assert!(it.items().count() <= bytes.len()),
            rtcp::Rtcp::Tmmb(it) => assert!(it.items().count() <= bytes.len()),
            rtcp::Rtcp::Remb(it) => assert!(it.streams().count() <= 255),
            rtcp::Rtcp::Transport(it) => assert_eq!(it.arrivals().count(), usize::from(it.count)),
            rtcp::Rtcp::Congestion(it) => {
                let told: usize = it.streams().map(|it| it.arrivals().count()).sum();
                assert!(told <= bytes.len());
            }
            rtcp::Rtcp::Extended(it) => {
                for block in it.blocks() {
                    if let rtcp::ExtendedBlock::Dlrr(items) = block {
                        assert!(items.iter().count() <= bytes.len());
                    }
                }
            }
            _ => {}
        }
    }
}

/// Cuts the bytes as a frame, and takes them as payloads: the first byte says which codec, the second where to part, the third how the frame
/// lies among others.
///
/// # Panics
/// When a property does not hold.
pub fn rtp_payload(bytes: &[u8]) {
    let Some((&[codec, part, layering], body)) = bytes.split_first_chunk() else {
        return;
    };
    let codec = CODECS[usize::from(codec) % CODECS.len()];
    let payloads = || body.chunks(usize::from(part).max(1));
    for payload in payloads() {
        let _ = codec.peek(payload);
    }
    let _ = codec.join(payloads(), &mut Vec::new());
    let _ = (
        red::parse(body),
        fec::ulp::parse(body),
        fec::flex::parse(body),
    );

    let mut packetizer = Packetizer::new(codec, 64 + usize::from(part), 0);
    packetizer.set_single_unit(part % 2 == 1);
    // Several in a row, as each leaves something behind for the next.
    for (at, frame) in body.chunks(body.len().div_ceil(3).max(1)).enumerate() {
        let mut pieces = Vec::new();
        let layering = layered(layering.rotate_left(at as u32 * 3));
        let frame = Bytes::copy_from_slice(frame);
        if packetizer.cut(&frame, layering, &mut pieces).is_err() {
            assert!(pieces.is_empty(), "what is refused leaves nothing");
            continue;
        }
        let payloads: Vec<Vec<u8>> = pieces.iter().map(|it| it.to_vec()).collect();
        assert!(payloads.iter().all(|it| it.len() <= 64 + usize::from(part)));
        let joined = codec.join(payloads.iter().map(|it| &it[..]), &mut Vec::new());
        assert_eq!(joined, Ok(()), "what was cut can be joined");
        assert!(codec.is_audio() || pieces.last().is_some_and(|it| it.marker != layering.more));
    }
}

/// A place among layers, from eight bits.
fn layered(bits: u8) -> Layering {
    let bit = |at: u32| bits >> at & 1 == 1;
    let layered = bit(0);
    Layering {
        spatial: if layered { bits >> 1 & 3 } else { 0 },
        temporal: if layered { bits >> 3 & 3 } else { 0 },
        layered,
        switch: bit(5),
        discardable: bit(6),
        needs_below: layered && bits >> 1 & 3 > 0,
        more: layered && bit(7),
        flexible: (bit(5) && bit(6)).then_some([bits & 3, bits >> 2 & 3, 0]),
    }
}

/// A session with all that can be agreed on: it sends video and audio, and receives packets in any order. Each operation is a length, a byte
/// that moves time and says what else is done, and its bytes.
///
/// # Panics
/// When a property does not hold.
pub fn rtp_session(bytes: &[u8], mut now: Instant) {
    let mut session = Session::new(Config::new("name"), [1; 32], now, Ntp(1 << 40));
    for (id, section) in [(VIDEO, video()), (AUDIO, audio())] {
        session.set_section(id, section);
        let delivery = Delivery {
            frames: true,
            packets: true,
            target: None,
        };
        session.set_delivery(id, delivery);
    }
    let encoding = |ssrc, lane| Encoding {
        ssrc,
        rtx: Some(ssrc + 1),
        fec: Some(ssrc + 2),
        rid: None,
        active: true,
        limit: None,
        choice: Choice {
            lane,
            ..Choice::default()
        },
    };
    session.set_encodings(VIDEO, &[encoding(1000, 0), encoding(2000, 1)]);
    session.set_encodings(AUDIO, &[encoding(3000, 0)]);
    let (mut rest, mut written) = (bytes, 0);
    while let Some((&[len, what], after)) = rest.split_first_chunk() {
        let (packet, after) = after.split_at(after.len().min(len.into()));
        rest = after;
        now += Duration::from_millis((what & 0x3f).into());
        match what >> 6 {
            0 | 1 if rtcp::is_rtcp(packet) => session.handle_rtcp(now, packet),
            0 | 1 => session.handle_rtp(now, packet),
            2 => send(&mut session, now, packet, &mut written),
            _ => change(&mut session, now, packet, encoding),
        }
        session.handle_timeout(now);
        drain(&mut session, now);
    }
}

/// Writes a frame, or a packet of any kind, on one of the sections.
fn send(session: &mut Session, now: Instant, frame: &[u8], written: &mut u64) {
    let Some((&[kind, layers], body)) = frame.split_first_chunk() else {
        return;
    };
    let codec = CODECS[usize::from(kind & 15) % CODECS.len()];
    let lane = kind >> 7;
    let mut packetizer = Packetizer::new(codec, 64, 0);
    let mut pieces = Vec::new();
    let frame = Bytes::copy_from_slice(body);
    if packetizer
        .cut(&frame, layered(layers), &mut pieces)
        .is_err()
    {
        return;
    }
    let names = (if codec.is_audio() { 0 } else { lane }, codec);
    // A gap now and then.
    *written += u64::from(kind >> 6 & 1);
    let what = (now, &Values::default());
    let batch = Batch::of_frame(&mut pieces, names, written, *written as u32 * 3000, what);
    let id = if codec.is_audio() { AUDIO } else { VIDEO };
    session.write(now, id, names.0, &batch);
}

/// What an application and negotiation do.
fn change(
    session: &mut Session,
    now: Instant,
    what: &[u8],
    encoding: impl Fn(u32, u8) -> Encoding,
) {
    let &[kind, value, ..] = what else { return };
    let id = if value & 1 == 0 { VIDEO } else { AUDIO };
    match kind % 12 {
        0 => session.limit(now, id, Some(u64::from(value) * 1000)),
        1 => session.limit(now, id, None),
        2 => session.request_keyframe(now, id, None),
        3 => drop(session.play_event(
            now,
            AUDIO,
            value & 15,
            Duration::from_millis(20 * u64::from(value)),
        )),
        4 => session.change_source(id),
        5 => session.lag(id, 1),
        6 => session.name_anew(),
        7 => drop(session.send_app(now, *b"fuzz", value, &[value; 8])),
        8 => {
            let mut first = encoding(1000, value & 1);
            (first.active, first.choice.temporal) = (value & 2 == 0, value >> 2 & 3);
            session.set_encodings(VIDEO, &[first, encoding(2000, 1)]);
        }
        9 => {
            let mut section = video();
            section.feedback.remb = value & 2 == 0;
            section.feedback.tmmbr = value & 4 == 0;
            section.feedback.pli = value & 8 == 0;
            section.feedback.reduced_size = value & 16 == 0;
            section.receives = value & 32 == 0;
            section.mixed = value & 64 == 0;
            section.single_unit = if value & 128 == 0 {
                vec![100]
            } else {
                Vec::new()
            };
            session.set_section(VIDEO, section);
        }
        10 => session.set_round_trip(Duration::from_millis(value.into())),
        _ if value == 0xff => session.close(),
        _ => {}
    }
}

/// Everything that a session has to say, which comes to an end.
fn drain(session: &mut Session, now: Instant) {
    while session.poll_event().is_some() {}
    let mut buf = Vec::new();
    for _ in 0..1000 {
        buf.clear();
        if !session.poll_rtcp(now, 1200, &mut buf) {
            break;
        }
        assert!(buf.len() <= 1200, "{}", buf.len());
        let compound = rtcp::Compound::parse(&buf).expect("what is sent can be read");
        for packet in compound {
            let is_broken = matches!(packet, rtcp::Rtcp::Unknown { broken: true, .. });
            assert!(!is_broken, "{packet:?}");
        }
    }
    assert!(
        !session.poll_rtcp(now, 1200, &mut buf),
        "it comes to an end"
    );
    let mut count = 0;
    while let Some(head) = session.peek(now) {
        buf.clear();
        let written = session.poll_rtp(now, 1232, &mut buf);
        let written = written.expect("what was shown can be written");
        assert!(buf.len() <= head.len && written.len == buf.len());
        Rtp::parse(&buf).expect("what is sent can be read");
        count += 1;
        assert!(count < 100_000, "it comes to an end");
    }
    while let Some((_, _, batch)) = session.poll_batch() {
        assert!(!batch.packets.is_empty());
    }
    for id in [VIDEO, AUDIO] {
        while let Some(frame) = session.read_frame(now, id) {
            assert!(!frame.payload.is_empty());
        }
        assert!(session.sources(now, id).len() <= 64);
        assert!(session.receive_stats(id).count() <= 256);
    }
    while session.poll_feedback().is_some() {}
    while session.poll_ended().is_some() {}
    session.handle_timeout(now);
    assert!(session.poll_timeout().is_none_or(|due| due >= now) || session.peek(now).is_none());
}

fn ids() -> Ids {
    let mut ids = Ids::new();
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        ids.set(kind, at as u8 + 1);
    }
    ids
}

fn format(payload_type: u8, role: Carries, clock: u32) -> Format {
    Format {
        payload_type,
        role,
        clock,
    }
}

/// Video in all formats, with all that repairs it.
fn video() -> Section {
    let media = |codec| Carries::Media(codec);
    Section {
        mid: Label::new("0"),
        formats: vec![
            format(96, media(Codec::Vp8), 90_000),
            format(97, Carries::Rtx { of: 96 }, 90_000),
            format(98, Carries::Red, 90_000),
            format(99, Carries::Ulpfec, 90_000),
            format(100, media(Codec::H264), 90_000),
            format(101, Carries::Flexfec, 90_000),
            format(102, media(Codec::Av1), 90_000),
            format(103, media(Codec::Vp9), 90_000),
            format(104, media(Codec::H265), 90_000),
            format(105, Carries::Rtx { of: 103 }, 90_000),
        ],
        ids: ids(),
        mixed: true,
        receives: true,
        protect: Protection::WhenLost,
        feedback: Feedbacks {
            tmmbr: true,
            ..Feedbacks::default()
        },
        ..Section::default()
    }
}

/// Audio likewise.
fn audio() -> Section {
    let media = |codec| Carries::Media(codec);
    Section {
        mid: Label::new("1"),
        formats: vec![
            format(111, media(Codec::Opus), 48_000),
            format(112, Carries::Red, 48_000),
            format(0, media(Codec::Pcmu), 8000),
            format(9, media(Codec::G722), 8000),
            format(113, media(Codec::L16), 48_000),
            format(13, media(Codec::ComfortNoise), 8000),
            format(114, media(Codec::TelephoneEvent), 48_000),
        ],
        ids: ids(),
        mixed: true,
        receives: true,
        redundancy: 2,
        ..Section::default()
    }
}

const VIDEO: SectionId = SectionId(0);
const AUDIO: SectionId = SectionId(1);
const CODECS: [Codec; 12] = [
    Codec::Opus,
    Codec::L16,
    Codec::TelephoneEvent,
    Codec::Vp8,
    Codec::Vp9,
    Codec::Av1,
    Codec::H264,
    Codec::H265,
    Codec::Pcmu,
    Codec::Pcma,
    Codec::G722,
    Codec::ComfortNoise,
];
