//! Packets of RTP and RTCP, header extensions, payload formats, parity.

use std::time::{Duration, Instant};

use bytes::Bytes;
use oxirtc_rtp::{
    Carries, Config, Delivery, Form, Format, Ntp, Rtp, Section, SectionId, Session, Writer,
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

/// Cuts the bytes as a frame, and takes them as payloads: the first byte says which codec, the second where to part.
///
/// # Panics
/// When a property does not hold.
pub fn rtp_payload(bytes: &[u8]) {
    let Some((&[codec, part], body)) = bytes.split_first_chunk() else {
        return;
    };
    let codecs = [
        Codec::Opus,
        Codec::L16,
        Codec::TelephoneEvent,
        Codec::Vp8,
        Codec::Vp9,
        Codec::Av1,
        Codec::H264,
        Codec::H265,
    ];
    let codec = codecs[usize::from(codec) % codecs.len()];
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

    let mut pieces = Vec::new();
    let mut packetizer = Packetizer::new(codec, 64 + usize::from(part), 0);
    let frame = Bytes::copy_from_slice(body);
    if packetizer
        .cut(&frame, Layering::default(), &mut pieces)
        .is_ok()
    {
        let payloads: Vec<Vec<u8>> = pieces.iter().map(|it| it.to_vec()).collect();
        assert!(payloads.iter().all(|it| it.len() <= 64 + usize::from(part)));
        let joined = codec.join(payloads.iter().map(|it| &it[..]), &mut Vec::new());
        assert_eq!(joined, Ok(()), "what was cut can be joined");
    }
}

/// The receive path as a whole: packets in any order into a session with NACK, RTX, RED and parity. Each packet is a
/// length, a byte that moves time, and its bytes.
///
/// # Panics
/// When a property does not hold.
pub fn rtp_session(bytes: &[u8], mut now: Instant) {
    let id = SectionId(0);
    let format = |payload_type, role| Format {
        payload_type,
        role,
        clock: 90_000,
    };
    let section = Section {
        mid: Label::new("0"),
        formats: vec![
            format(96, Carries::Media(Codec::Vp8)),
            format(97, Carries::Rtx { of: 96 }),
            format(98, Carries::Red),
            format(99, Carries::Ulpfec),
            format(100, Carries::Media(Codec::H264)),
            format(101, Carries::Flexfec),
            format(102, Carries::Media(Codec::Av1)),
        ],
        ids: Ids::new().with(Kind::Mid, 1).with(Kind::TransportNumber, 2),
        receives: true,
        ..Section::default()
    };
    let mut session = Session::new(Config::new("name"), [1; 32], now, Ntp(1 << 40));
    session.set_section(id, section);
    let delivery = Delivery {
        frames: true,
        packets: true,
        target: None,
    };
    session.set_delivery(id, delivery);
    let mut rest = bytes;
    let mut buf = Vec::new();
    while let Some((&[len, wait], after)) = rest.split_first_chunk() {
        let (packet, after) = after.split_at(after.len().min(len.into()));
        rest = after;
        now += Duration::from_millis(wait.into());
        if rtcp::is_rtcp(packet) {
            session.handle_rtcp(now, packet);
        } else {
            session.handle_rtp(now, packet);
        }
        session.handle_timeout(now);
        for _ in 0..1000 {
            buf.clear();
            if !session.poll_rtcp(now, 1200, &mut buf) {
                break;
            }
            assert!(buf.len() <= 1200, "{}", buf.len());
            rtcp::Compound::parse(&buf).expect("what is sent can be read");
        }
        assert!(
            !session.poll_rtcp(now, 1200, &mut buf),
            "it comes to an end"
        );
        while session.poll_event().is_some() {}
        while let Some((_, _, batch)) = session.poll_batch() {
            assert!(!batch.packets.is_empty());
        }
        while let Some(frame) = session.read_frame(now, id) {
            assert!(!frame.payload.is_empty());
        }
    }
}
