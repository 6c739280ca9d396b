//! Streams of ffmpeg's encoders through sessions, over a path that loses, mixes up and doubles: what comes as a frame is one that was sent.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use oxirtc_netsim::{Link, for_each_seed, ms, percent};
use oxirtc_rtp::{
    Batch, Carries, Event, Format, Rtp, Section,
    extension::{Label, Values},
    payload::{Codec, Layering, Packetizer, Piece},
};

use support::{Film as _, Pair, VIDEO, encoding, frames, ids};

const FILES: [(Codec, &[u8]); 5] = [
    (Codec::Vp8, include_bytes!("data/vp8.ivf")),
    (Codec::Vp9, include_bytes!("data/vp9.ivf")),
    (Codec::Av1, include_bytes!("data/av1.ivf")),
    (Codec::H264, include_bytes!("data/h264.264")),
    (Codec::H265, include_bytes!("data/h265.265")),
];

/// Frames of a file: ten, of which the first and the sixth are key frames.
fn read(codec: Codec, file: &[u8]) -> Vec<Bytes> {
    let mut all = Vec::new();
    if file.starts_with(b"DKIF") {
        let mut rest = &file[32..];
        while let Some((head, body)) = rest.split_at_checked(12) {
            let len = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
            all.push(Bytes::copy_from_slice(&body[..len]));
            rest = &body[len..];
        }
        return all;
    }
    // A byte stream: each frame ends with its one slice, and each unit begins behind 00 00 01.
    let starts: Vec<usize> = (0..file.len() - 3)
        .filter(|at| file[*at..].starts_with(&[0, 0, 1]))
        .collect();
    let mut frame: Vec<u8> = Vec::new();
    for (at, start) in starts.iter().enumerate() {
        let end = starts.get(at + 1).copied().unwrap_or(file.len());
        let mut unit = &file[start + 3..end];
        while let [rest @ .., 0] = unit {
            unit = rest;
        }
        frame.extend([0, 0, 0, 1]);
        frame.extend(unit);
        let is_slice = match codec {
            Codec::H264 => (1..=5).contains(&(unit[0] & 31)),
            _ => unit[0] >> 1 & 63 < 32,
        };
        if is_slice {
            all.push(std::mem::take(&mut frame).into());
        }
    }
    all
}

fn section(codec: Codec, repaired: bool) -> Section {
    let format = |payload_type, role| Format {
        payload_type,
        role,
        clock: 90_000,
    };
    let mut section = Section {
        mid: Label::new("v"),
        formats: vec![
            format(96, Carries::Media(codec)),
            format(97, Carries::Rtx { of: 96 }),
        ],
        ids: ids(),
        receives: true,
        ..Section::default()
    };
    section.feedback.nack = repaired;
    section
}

/// Side 0 sends a stream round and round to side 1; a key frame is begun with wherever one is asked for.
fn play(codec: Codec, all: &[Bytes], link: &Link, seed: u64, repaired: bool, count: usize) -> Pair {
    let mut pair = Pair::between(seed, link);
    for side in &mut pair.ends {
        side.set_section(VIDEO, section(codec, repaired));
    }
    pair.ends[0].set_encodings(VIDEO, &[encoding(1000, 0)]);
    pair.ends[1].set_delivery(VIDEO, frames());
    let mut packetizer = Packetizer::new(codec, 500, 7);
    let (mut pieces, mut next, mut at) = (Vec::<Piece>::new(), 0, 0);
    for place in 0..count {
        if support::asked(&mut pair.ends[0].events, 0) {
            at = 0;
        }
        let frame = &all[at % all.len()];
        packetizer
            .cut(frame, Layering::default(), &mut pieces)
            .unwrap();
        let what = (pair.now, &Values::default());
        let timestamp = place as u32 * 3000;
        let batch: Arc<Batch> =
            Batch::of_frame(&mut pieces, (0, codec), &mut next, timestamp, what);
        let now = pair.now;
        pair.ends[0].write(now, VIDEO, 0, &batch);
        pair.run(33, |_, _| {});
        at += 1;
    }
    pair.run(500, |_, _| {});
    pair
}

/// Whatever happens on the way, no frame comes as whole that was not sent so.
#[test]
fn no_broken_frame_is_called_whole() {
    for_each_seed(8, |seed| {
        for (codec, file) in FILES {
            let all = read(codec, file);
            assert_eq!(all.len(), 10, "{codec:?}");
            let known: HashSet<&[u8]> = all.iter().map(|it| &it[..]).collect();
            let link = Link::new(seed)
                .delay(ms(20))
                .jitter(ms(30))
                .loss(percent(8))
                .duplicate(percent(5));
            for repaired in [true, false] {
                let pair = play(codec, &all, &link, seed, repaired, 60);
                let came = &pair.ends[1].frames;
                for frame in came {
                    let whole = known.contains(&frame.payload[..]);
                    assert!(
                        whole,
                        "{codec:?}: {} bytes of no frame",
                        frame.payload.len()
                    );
                    assert_eq!(frame.codec, codec);
                }
                let least = if repaired { 30 } else { 1 };
                assert!(came.len() >= least, "{codec:?} {repaired}: {}", came.len());
                assert!(
                    came.windows(2)
                        .all(|it| it[1].timestamp.wrapping_sub(it[0].timestamp) < 1 << 31)
                );
            }
        }
    });
}

/// Each packet of a frame is left out once, and nothing is repaired: the frame does not come, whichever it was.
#[test]
fn a_frame_without_one_of_its_packets_does_not_come() {
    for (codec, file) in FILES {
        let all = read(codec, file);
        let mut packetizer = Packetizer::new(codec, 500, 7);
        let mut sender = support::session(1);
        sender.set_section(VIDEO, section(codec, false));
        sender.set_encodings(VIDEO, &[encoding(1000, 0)]);
        let (mut pieces, mut next) = (Vec::new(), 0);
        let now = oxirtc_netsim::epoch();
        // A key frame, two that follow, and the next key frame.
        let mut sent: Vec<(usize, Vec<u8>)> = Vec::new();
        let taken = [0, 1, 2, 5];
        for (place, frame) in taken.iter().enumerate() {
            packetizer
                .cut(&all[*frame], Layering::default(), &mut pieces)
                .unwrap();
            let what = (now, &Values::default());
            let timestamp = place as u32 * 3000;
            let batch = Batch::of_frame(&mut pieces, (0, codec), &mut next, timestamp, what);
            sender.write(now, VIDEO, 0, &batch);
            let mut buf = Vec::new();
            while sender.poll_rtp(now, 1232, &mut buf).is_some() {
                sent.push((place, std::mem::take(&mut buf)));
            }
        }
        for (lost, (of, _)) in sent.iter().enumerate() {
            let mut receiver = support::session(2);
            receiver.set_section(VIDEO, section(codec, false));
            receiver.set_delivery(VIDEO, frames());
            for (at, (_, packet)) in sent.iter().enumerate() {
                if at != lost {
                    receiver.handle_rtp(now, packet);
                }
            }
            let mut came = Vec::new();
            for millis in [0, 100, 2000] {
                receiver.handle_timeout(now + ms(millis));
                came.extend(std::iter::from_fn(|| {
                    receiver.read_frame(now + ms(millis), VIDEO)
                }));
            }
            for frame in &came {
                let place = (frame.timestamp.wrapping_sub(came_first(&sent)) / 3000) as usize;
                assert_ne!(place, *of, "{codec:?}: packet {lost} was lost");
                assert_eq!(frame.payload, all[taken[place]], "{codec:?} without {lost}");
            }
        }
    }
}

/// The frames of a superframe, one for each spatial layer (VP9 bitstream specification, annex B).
fn layers_of(frame: &Bytes) -> Vec<Bytes> {
    let marker = frame[frame.len() - 1];
    let (size, count) = (
        usize::from(marker >> 3 & 3) + 1,
        usize::from(marker & 7) + 1,
    );
    let index = &frame[frame.len() - 1 - size * count..frame.len() - 1];
    let mut from = 0;
    let lengths = index.chunks(size).map(|it| {
        let bytes = it.iter().rev();
        bytes.fold(0, |len, byte| len << 8 | usize::from(*byte))
    });
    lengths
        .map(|len| {
            from += len;
            frame.slice(from - len..from)
        })
        .collect()
}

/// VP9 of an encoder with two spatial layers of two temporal ones each: what is not chosen is left out, and what comes is the rest, byte by byte.
#[test]
fn layers_of_an_encoder_are_left_out() {
    let file = include_bytes!("data/vp9-svc.ivf");
    let pictures: Vec<_> = read(Codec::Vp9, file).iter().map(layers_of).collect();
    assert!(pictures.len() == 10 && pictures.iter().all(|it| it.len() == 2));
    let choices = [(0, 0), (0, 1), (1, 0), (1, 1)];
    for ((spatial, temporal), loss) in choices.into_iter().flat_map(|it| [(it, 0), (it, 5)]) {
        let link = Link::new(3).delay(ms(20)).loss(percent(loss));
        let mut pair = Pair::between(3, &link);
        for side in &mut pair.ends {
            side.set_section(VIDEO, section(Codec::Vp9, true));
        }
        let mut own = encoding(1000, 0);
        (own.choice.spatial, own.choice.temporal) = (spatial, temporal);
        pair.ends[0].set_encodings(VIDEO, &[own]);
        pair.ends[1].set_delivery(VIDEO, frames());
        let mut packetizer = Packetizer::new(Codec::Vp9, 500, 7);
        let (mut pieces, mut next, mut at) = (Vec::<Piece>::new(), 0, 0);
        for place in 0..40 {
            if support::asked(&mut pair.ends[0].events, 0) {
                at = 0;
            }
            let temporal = (at % 2) as u8;
            for (spatial, frame) in pictures[at % 10].iter().enumerate() {
                let layering = Layering {
                    spatial: spatial as u8,
                    temporal,
                    layered: true,
                    switch: temporal > 0,
                    needs_below: spatial > 0,
                    more: spatial == 0,
                    ..Layering::default()
                };
                packetizer.cut(frame, layering, &mut pieces).unwrap();
            }
            let what = (pair.now, &Values::default());
            let timestamp = place * 3000;
            let batch = Batch::of_frame(&mut pieces, (0, Codec::Vp9), &mut next, timestamp, what);
            let now = pair.now;
            pair.ends[0].write(now, VIDEO, 0, &batch);
            pair.run(33, |_, _| {});
            at += 1;
        }
        pair.run(500, |_, _| {});
        let step = if temporal == 0 { 2 } else { 1 };
        let whole = pictures.iter().step_by(step);
        let whole = whole.map(|it| it[..=usize::from(spatial)].concat());
        let known: HashSet<Vec<u8>> = whole.collect();
        let came = &pair.ends[1].frames;
        let case = format!("{spatial} {temporal} {loss} %: {}", came.len());
        assert!(
            came.iter().all(|it| known.contains(&it.payload[..])),
            "{case}"
        );
        let layers = usize::from(spatial) + 1;
        assert!(came.iter().all(|it| it.layers.len() == layers), "{case}");
        let all = 40 / step;
        assert!(
            came.len() == all || loss > 0 && came.len() * 2 > all,
            "{case}"
        );
    }
}

/// The timestamp of what was sent first.
fn came_first(sent: &[(usize, Vec<u8>)]) -> u32 {
    Rtp::parse(&sent[0].1).unwrap().head.timestamp
}

/// RFC 6184 §6.2: for a peer that takes mode 0 alone each packet is one whole unit, and what was cut is not sent; one that takes both modes gets
/// pieces, whichever stands first.
#[test]
fn mode_0_carries_whole_units() {
    let all = read(Codec::H264, FILES[3].1);
    let kinds = |single: &[u8], formats: &[u8], whole: bool| -> Vec<(u8, u8)> {
        let mut section = section(Codec::H264, true);
        section.formats = formats
            .iter()
            .map(|payload_type| Format {
                payload_type: *payload_type,
                role: Carries::Media(Codec::H264),
                clock: 90_000,
            })
            .collect();
        section.single_unit = single.to_vec();
        let mut session = support::session(3);
        session.set_section(VIDEO, section);
        session.set_encodings(VIDEO, &[encoding(1000, 0)]);
        let most = if whole { 60_000 } else { 500 };
        let mut packetizer = Packetizer::new(Codec::H264, most, 0).single_unit(whole);
        let mut pieces = Vec::new();
        packetizer
            .cut(&all[0], Layering::default(), &mut pieces)
            .unwrap();
        let now = oxirtc_netsim::epoch();
        let what = (now, &Values::default());
        let batch = Batch::of_frame(&mut pieces, (0, Codec::H264), &mut 0, 0, what);
        session.set_largest(65_000);
        session.write(now, VIDEO, 0, &batch);
        let mut kinds = Vec::new();
        let mut buf = Vec::new();
        while session.poll_rtp(now, 65_000, &mut buf).is_some() {
            let rtp = Rtp::parse(&buf).unwrap();
            kinds.push((rtp.head.payload_type, rtp.payload[0] & 31));
            buf.clear();
        }
        let stats = session.send_stats(VIDEO).next().unwrap().2;
        assert_eq!(
            stats.dropped_codec > 0,
            kinds.is_empty() || !whole && single == formats
        );
        kinds
    };
    let cut = kinds(&[], &[96], false);
    assert!(cut.iter().any(|it| it.1 == 28), "{cut:?}");
    // Both modes: pieces under mode 1.
    for formats in [[96, 98], [98, 96]] {
        let both = kinds(&[98], &formats, false);
        assert!(both.iter().all(|it| it.0 == 96) && both.len() == cut.len());
    }
    // Mode 0 alone: whole units, and nothing of what was cut.
    let whole = kinds(&[98], &[98], true);
    assert!(
        whole.len() >= 3 && whole.iter().all(|it| it.0 == 98 && it.1 < 24),
        "{whole:?}"
    );
    assert_eq!(kinds(&[98], &[98], false), []);
}

/// And all of a frame leaves or nothing, without a gap in the numbers; then a key frame is wanted.
#[test]
fn mode_0_tears_no_frame() {
    let mut section = section(Codec::H264, true);
    section.formats.retain(|it| it.payload_type == 96);
    section.single_unit = vec![96];
    let mut session = support::session(3);
    session.set_section(VIDEO, section);
    session.set_encodings(VIDEO, &[encoding(1000, 0)]);
    let (mut next, mut numbers) = (0, Vec::new());
    for (at, (kind, longest)) in [(5, 700), (1, 3000), (5, 700)].into_iter().enumerate() {
        let units = [700, longest, 700].map(|len| {
            let head = [0, 0, 0, 1, 0x60 | kind];
            [&head[..], &vec![0x9a; len]].concat()
        });
        let parameters: &[u8] = if kind == 5 {
            &[0, 0, 0, 1, 0x67, 0x42, 0, 31, 0x9a]
        } else {
            &[]
        };
        let frame = [parameters, &units.concat()].concat();
        let mut pieces = Vec::new();
        // What is too long for a packet is cut, for other peers.
        let mut packetizer = Packetizer::new(Codec::H264, 1000, 0).single_unit(at != 1);
        packetizer
            .cut(&frame.into(), Layering::default(), &mut pieces)
            .unwrap();
        let now = oxirtc_netsim::epoch() + ms(33 * at as u64);
        let what = (now, &Values::default());
        let (lane, time) = ((0, Codec::H264), 3000 * at as u32);
        let batch = Batch::of_frame(&mut pieces, lane, &mut next, time, what);
        session.write(now, VIDEO, 0, &batch);
        let mut buf = Vec::new();
        while session.poll_rtp(now, 1232, &mut buf).is_some() {
            let rtp = Rtp::parse(&buf).unwrap();
            numbers.push((at, rtp.head.sequence));
            buf.clear();
        }
        session.handle_timeout(now);
        let asked = std::iter::from_fn(|| session.poll_event())
            .any(|it| matches!(it, Event::KeyframeRequested { .. }));
        assert_eq!(asked, at == 1, "{at}");
    }
    let frames: Vec<_> = numbers.iter().map(|it| it.0).collect();
    assert_eq!(frames, [0, 0, 0, 0, 2, 2, 2, 2], "{numbers:?}");
    let first = numbers[0].1;
    let rest = numbers.iter().map(|it| it.1.wrapping_sub(first));
    assert!(rest.eq([0, 1, 2, 3, 4, 5, 6, 7]), "{numbers:?}");
}
