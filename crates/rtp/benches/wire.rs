//! What reading and writing packets, cutting frames and forwarding cost.
#![expect(clippy::unwrap_used, reason = "the packets are the bench's own")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::{hint::black_box, time::Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oxirtc_rtp::{
    Batch, Carries, Choice, Config, Delivery, Encoding, Form, Format, Ntp, Rtp, RtpHead, Section,
    SectionId, Session, Writer,
    extension::{Ids, Kind, Label, Named, Values},
    payload::{Codec, Layering, Packetizer},
    rtcp,
};

const ID: SectionId = SectionId(0);

fn ids() -> Ids {
    Ids::new()
        .with(Kind::Mid, 1)
        .with(Kind::TransportNumber, 2)
        .with(Kind::AbsoluteSendTime, 3)
}

fn section() -> Section {
    let format = |payload_type, role| Format {
        payload_type,
        role,
        clock: 90_000,
    };
    Section {
        mid: Label::new("0"),
        formats: vec![
            format(96, Carries::Media(Codec::Vp8)),
            format(97, Carries::Rtx { of: 96 }),
        ],
        ids: ids(),
        receives: true,
        ..Section::default()
    }
}

fn write_packet(buf: &mut Vec<u8>) {
    let head = RtpHead {
        payload_type: 96,
        sequence: 7,
        ssrc: 9,
        ..RtpHead::default()
    };
    let mut writer = Writer::begin(buf, head, &[], Form::OneByte);
    writer.extend(1, b"0");
    writer.extend(2, &[1, 2]);
    writer.extend(3, &[1, 2, 3]);
    writer.finish();
    buf.resize(1200, 0x10);
}

fn wire(criterion: &mut Criterion) {
    let mut packet = Vec::new();
    write_packet(&mut packet);
    let ids = ids();
    let mut group = criterion.benchmark_group("rtp");
    group.bench_function("read with extensions", |bencher| {
        bencher.iter(|| {
            let rtp = Rtp::parse(black_box(&packet)).unwrap();
            (rtp.head, Named::read(rtp.extensions, &ids).transport)
        });
    });
    group.bench_function("write with extensions", |bencher| {
        let mut buf = Vec::with_capacity(1300);
        bencher.iter(|| {
            buf.clear();
            write_packet(black_box(&mut buf));
        });
    });
    group.finish();

    let mut compound = Vec::new();
    let block = rtcp::ReportBlock::default();
    rtcp::write_sender_report(&mut compound, 1, &rtcp::SenderInfo::default(), &[block; 3]);
    rtcp::write_cname(&mut compound, 1, b"0123456789abcdef");
    rtcp::write_nack(&mut compound, 200, 1, 2, (0..100).step_by(7));
    let arrivals: Vec<(u64, i64)> = (0..100).map(|at| (at + at / 9, at as i64 * 5)).collect();
    rtcp::write_transport(&mut compound, 1000, [1, 2], 3, &arrivals);
    criterion.bench_function("rtcp/read a compound", |bencher| {
        bencher.iter(|| {
            let compound = rtcp::Compound::parse(black_box(&compound)).unwrap();
            compound.fold(0, |count, rtcp| {
                count
                    + match rtcp {
                        rtcp::Rtcp::Nack(nack) => nack.numbers().count(),
                        rtcp::Rtcp::Transport(it) => it.arrivals().count(),
                        _ => 1,
                    }
            })
        });
    });
}

fn packetizers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cut and join 64 KiB");
    let mut unit = vec![0, 0, 0, 1, 0x65];
    unit.resize(65_536, 0x55);
    let mut frame = vec![0x10, 0, 0, 0x9d, 1, 0x2a, 0, 2, 0, 1];
    frame.resize(65_536, 0x55);
    for (codec, frame) in [(Codec::Vp8, frame), (Codec::H264, unit)] {
        let frame = Bytes::from(frame);
        group.throughput(Throughput::Bytes(frame.len() as u64));
        group.bench_function(format!("{codec:?}"), |bencher| {
            let mut packetizer = Packetizer::new(codec, 1080, 0);
            let (mut pieces, mut joined) = (Vec::new(), Vec::new());
            bencher.iter(|| {
                pieces.clear();
                joined.clear();
                packetizer
                    .cut(&frame, Layering::default(), &mut pieces)
                    .unwrap();
                let payloads: Vec<_> = pieces.iter().map(|it| it.to_vec()).collect();
                codec
                    .join(payloads.iter().map(|it| &it[..]), &mut joined)
                    .unwrap();
            });
        });
    }
    group.finish();
}

/// A frame of 60 packets goes into a session as packets and out of another.
fn forward(criterion: &mut Criterion) {
    let now = Instant::now();
    let session = |seed| {
        let mut session = Session::new(Config::new("name"), [seed; 32], now, Ntp(1 << 40));
        session.set_section(ID, section());
        session
    };
    let encoding = Encoding {
        ssrc: 7,
        rtx: Some(8),
        fec: None,
        rid: None,
        active: true,
        limit: None,
        choice: Choice::default(),
    };
    let (mut publisher, mut node, mut down) = (session(1), session(2), session(3));
    publisher.set_encodings(ID, &[encoding]);
    down.set_encodings(ID, &[encoding]);
    let packets = Delivery {
        packets: true,
        ..Delivery::default()
    };
    node.set_delivery(ID, packets);
    let mut frame = vec![0x10, 0, 0, 0x9d, 1, 0x2a, 0, 2, 0, 1];
    frame.resize(64_800, 0x55);
    let frame = Bytes::from(frame);
    let mut packetizer = Packetizer::new(Codec::Vp8, 1080, 0);
    let (mut next, mut timestamp, mut pieces, mut buf) = (0, 0, Vec::new(), Vec::new());
    criterion.bench_function("forward 61 packets, cut, sent, received, sent", |bencher| {
        bencher.iter(|| {
            packetizer
                .cut(&frame, Layering::default(), &mut pieces)
                .unwrap();
            timestamp += 3000;
            let values = Values::default();
            let of = (0, Codec::Vp8);
            let batch = Batch::of_frame(&mut pieces, of, &mut next, timestamp, (now, &values));
            publisher.write(now, ID, 0, &batch);
            buf.clear();
            while publisher.poll_rtp(now, 1232, &mut buf).is_some() {
                node.handle_rtp(now, &buf);
                buf.clear();
            }
            while let Some((_, lane, batch)) = node.poll_batch() {
                down.write(now, ID, lane, &batch);
            }
            while down.poll_rtp(now, 1232, &mut buf).is_some() {
                buf.clear();
            }
        });
    });
}

criterion_group!(benches, wire, packetizers, forward);
criterion_main!(benches);
