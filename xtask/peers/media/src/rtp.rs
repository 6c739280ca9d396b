//! Packets of RTP and RTCP read and written, and frames cut and joined.

use std::hint::black_box;

use anyhow::{Context as _, Result};
use bytes::{Bytes, BytesMut};
use oxirtc_rtp::{
    Form, Rtp, RtpHead, Writer,
    payload::{Codec, Layering, Packetizer},
    rtcp,
};
use rtc_rtp::{
    codec::{
        h264::{H264Packet, H264Payloader},
        vp8::{Vp8Packet, Vp8Payloader},
    },
    packetizer::{Depacketizer, Payloader},
};
use rtc_shared::marshal::{Marshal, Unmarshal};

use crate::rate::{Rate, rate};

const MANY: u64 = 1000;
/// Bytes of payload in a packet.
const ROOM: usize = 1080;
const FRAME: usize = 1 << 16;

pub fn measure(stack: &str, row: &str) -> Result<Option<Rate>> {
    let rate = match (row, stack) {
        ("read", "oxirtc") => many(|| {
            let packet = packet();
            move || {
                let rtp = Rtp::parse(black_box(&packet))?;
                black_box((rtp.head, rtp.payload, rtp.extensions.count()));
                Ok(())
            }
        }),
        ("read", "rtc") => many(|| {
            let packet = Bytes::from(packet());
            move || {
                let mut datagram = black_box(packet.clone());
                let rtp = rtc_rtp::Packet::unmarshal(&mut datagram)?;
                black_box(rtp);
                Ok(())
            }
        }),
        ("write", "oxirtc") => many(|| {
            let mut buf = Vec::with_capacity(1500);
            move || {
                buf.clear();
                write(black_box(&mut buf));
                Ok(())
            }
        }),
        ("write", "rtc") => many(|| {
            let packet = rtc_rtp::Packet::unmarshal(&mut Bytes::from(packet()));
            move || {
                let packet = packet.as_ref().map_err(|it| anyhow::anyhow!("{it}"))?;
                black_box(black_box(packet).marshal()?);
                Ok(())
            }
        }),
        ("read RTCP", "oxirtc") => many(|| {
            let compound = compound();
            move || {
                let mut sum = 0;
                for rtcp in rtcp::Compound::parse(black_box(&compound))? {
                    sum += match rtcp {
                        rtcp::Rtcp::Nack(it) => it.numbers().count(),
                        rtcp::Rtcp::Transport(it) => it.arrivals().count(),
                        rtcp::Rtcp::Report(it) => it.blocks().count(),
                        _ => 1,
                    };
                }
                black_box(sum);
                Ok(())
            }
        }),
        ("read RTCP", "rtc") => many(|| {
            let compound = Bytes::from(compound());
            move || {
                let mut datagram = black_box(compound.clone());
                let packets = rtc_rtcp::packet::unmarshal(&mut datagram)?;
                black_box(packets);
                Ok(())
            }
        }),
        _ => return frames(stack, row),
    }?;
    Ok(Some(("packets", rate)))
}

/// A thousand at once, so that the clock is read rarely.
fn many<F: FnMut() -> Result<()>>(make: impl FnOnce() -> F) -> Result<f64> {
    let mut one = make();
    rate(|| {
        for _ in 0..MANY {
            one()?;
        }
        Ok(MANY)
    })
}

fn frames(stack: &str, row: &str) -> Result<Option<Rate>> {
    let (work, codec, frame) = match row {
        "cut VP8" => ("cut", Codec::Vp8, vp8()),
        "cut H.264" => ("cut", Codec::H264, h264()),
        "join VP8" => ("join", Codec::Vp8, vp8()),
        "join H.264" => ("join", Codec::H264, h264()),
        _ => return Ok(None),
    };
    let found = match (work, stack) {
        ("cut", "oxirtc") => {
            let (mut packetizer, mut pieces) = (Packetizer::new(codec, ROOM, 0), Vec::new());
            rate(|| {
                pieces.clear();
                packetizer.cut(black_box(&frame), Layering::default(), &mut pieces)?;
                black_box(&pieces);
                Ok(1)
            })?
        }
        ("cut", "rtc") => {
            let mut payloader = payloader(codec);
            rate(|| {
                black_box(payloader.payload(ROOM, black_box(&frame))?);
                Ok(1)
            })?
        }
        // Both join what the same packetizer has cut.
        ("join", "oxirtc") => {
            let payloads = payloads(codec, &frame)?;
            let mut joined = Vec::new();
            rate(|| {
                joined.clear();
                codec.join(payloads.iter().map(|it| &it[..]), &mut joined)?;
                black_box(&joined);
                Ok(1)
            })?
        }
        ("join", "rtc") => {
            let payloads = payloads(codec, &frame)?;
            let mut joined = BytesMut::new();
            rate(|| {
                joined.clear();
                let mut depacketizer = depacketizer(codec);
                for payload in &payloads {
                    joined.extend_from_slice(&depacketizer.depacketize(payload)?);
                }
                black_box(&joined);
                Ok(1)
            })?
        }
        _ => return Ok(None),
    };
    Ok(Some(("frames", found)))
}

fn payloads(codec: Codec, frame: &Bytes) -> Result<Vec<Bytes>> {
    let (mut packetizer, mut pieces) = (Packetizer::new(codec, ROOM, 0), Vec::new());
    packetizer.cut(frame, Layering::default(), &mut pieces)?;
    pieces.first().context("pieces")?;
    Ok(pieces.iter().map(|it| it.to_vec().into()).collect())
}

fn payloader(codec: Codec) -> Box<dyn Payloader> {
    match codec {
        Codec::Vp8 => {
            let mut payloader = Vp8Payloader::default();
            payloader.enable_picture_id = true;
            Box::new(payloader)
        }
        _ => Box::<H264Payloader>::default(),
    }
}

fn depacketizer(codec: Codec) -> Box<dyn Depacketizer> {
    match codec {
        Codec::Vp8 => Box::<Vp8Packet>::default(),
        _ => Box::<H264Packet>::default(),
    }
}

fn vp8() -> Bytes {
    let mut frame = vec![0x10, 0, 0, 0x9d, 1, 0x2a, 0, 2, 0, 1];
    frame.resize(FRAME, 0x55);
    frame.into()
}

fn h264() -> Bytes {
    let mut frame = vec![0, 0, 0, 1, 0x65];
    frame.resize(FRAME, 0x55);
    frame.into()
}

fn write(buf: &mut Vec<u8>) {
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

fn packet() -> Vec<u8> {
    let mut packet = Vec::new();
    write(&mut packet);
    packet
}

/// A sender report with three blocks, a name, a NACK and transport-wide feedback.
fn compound() -> Vec<u8> {
    let mut compound = Vec::new();
    let block = rtcp::ReportBlock::default();
    rtcp::write_sender_report(&mut compound, 1, &rtcp::SenderInfo::default(), &[block; 3]);
    rtcp::write_cname(&mut compound, 1, b"0123456789abcdef");
    rtcp::write_nack(&mut compound, 200, 1, 2, (0..100).step_by(7));
    let arrivals: Vec<(u64, i64)> = (0..100).map(|at| (at + at / 9, at as i64 * 5)).collect();
    rtcp::write_transport(&mut compound, 1000, [1, 2], 3, &arrivals);
    compound
}
