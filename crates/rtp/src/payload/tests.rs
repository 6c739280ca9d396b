use bytes::Bytes;
use proptest::prelude::*;

use super::{piece::Joined, *};

const VP8: &[u8] = include_bytes!("../../tests/data/vp8.ivf");
const VP9: &[u8] = include_bytes!("../../tests/data/vp9.ivf");
const AV1: &[u8] = include_bytes!("../../tests/data/av1.ivf");
const H264: &[u8] = include_bytes!("../../tests/data/h264.264");
const H265: &[u8] = include_bytes!("../../tests/data/h265.265");

fn ivf(file: &[u8]) -> Vec<Bytes> {
    assert_eq!(&file[..4], b"DKIF");
    let mut rest = &file[32..];
    let mut frames = Vec::new();
    while let Some((head, body)) = rest.split_at_checked(12) {
        let len = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
        frames.push(Bytes::copy_from_slice(&body[..len]));
        rest = &body[len..];
    }
    frames
}

/// Frames of a byte stream: each ends with its one slice.
fn annex_b(codec: Codec, file: &[u8]) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let mut frame = Vec::new();
    for unit in nal::units(file) {
        nal::push_unit(
            &mut Joined::new(&mut frame, MOST_FRAME),
            &file[unit.clone()],
        )
        .unwrap();
        let is_slice = match codec {
            Codec::H264 => (1..=5).contains(&(file[unit.start] & 31)),
            _ => file[unit.start] >> 1 & 63 < 32,
        };
        if is_slice {
            frames.push(std::mem::take(&mut frame).into());
        }
    }
    frames
}

fn frames(codec: Codec) -> Vec<Bytes> {
    match codec {
        Codec::Vp8 => ivf(VP8),
        Codec::Vp9 => ivf(VP9),
        Codec::Av1 => ivf(AV1),
        Codec::H264 => annex_b(codec, H264),
        Codec::H265 => annex_b(codec, H265),
        _ => vec![Bytes::from_static(&[0x78; 80])],
    }
}

const VIDEO: [Codec; 5] = [Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::H264, Codec::H265];

#[test]
fn real_streams_come_back() {
    for codec in VIDEO {
        for most in [500, 1200, 1460] {
            let mut packetizer = Packetizer::new(codec, most, 0x7fff);
            let all = frames(codec);
            assert_eq!(all.len(), 10, "{codec:?}");
            for (at, frame) in all.iter().enumerate() {
                let mut pieces = Vec::new();
                packetizer
                    .cut(frame, Layering::default(), &mut pieces)
                    .unwrap();
                let payloads: Vec<_> = pieces.iter().map(Piece::to_vec).collect();
                let longest = payloads.iter().map(Vec::len).max().unwrap();
                assert!(longest <= most, "{codec:?}: {longest} of {most}");
                if frame.len() > 3 * most {
                    let shortest = payloads.iter().map(Vec::len).min().unwrap();
                    assert!(shortest * 3 > longest || codec == Codec::H264 || codec == Codec::H265);
                }
                let mut joined = Vec::new();
                codec
                    .join(payloads.iter().map(|it| &it[..]), &mut joined)
                    .unwrap();
                assert_eq!(joined, frame[..], "{codec:?} frame {at} at {most}");
                check_facts(codec, at, &pieces);
            }
        }
    }
}

/// So that they leave as one batch: on the wire all pieces are equally long but the last, of H.264 and H.265 those of a unit. Units of AV1
/// begin where there is room for a few bytes of them.
#[test]
fn pieces_are_equally_long() {
    for codec in VIDEO {
        for most in [500, 1200, 1460] {
            let mut packetizer = Packetizer::new(codec, most, 7);
            let mut several = 0;
            for frame in &frames(codec) {
                let mut pieces = Vec::new();
                packetizer
                    .cut(frame, Layering::default(), &mut pieces)
                    .unwrap();
                let mut runs = vec![Vec::new()];
                for payload in pieces.iter().map(Piece::to_vec) {
                    let head = match codec {
                        Codec::H264 if payload[0] & 31 == 28 => payload[1],
                        Codec::H265 if payload[0] >> 1 & 63 == 49 => payload[2],
                        Codec::H264 | Codec::H265 => continue,
                        _ => 0,
                    };
                    if head & 0x80 != 0 {
                        runs.push(Vec::new());
                    }
                    runs.last_mut().unwrap().push(payload.len());
                }
                for run in runs {
                    let Some((last, others)) = run.split_last() else {
                        continue;
                    };
                    several += usize::from(others.len() > 1);
                    let [least, longest] = [others.iter().min(), others.iter().max()];
                    let [least, longest] = [least, longest].map(|it| *it.unwrap_or(last));
                    let apart = if codec == Codec::Av1 { 8 } else { 0 };
                    assert!(longest - least <= apart, "{codec:?}: {run:?} of {most}");
                    // What does not divide is lacking at the end.
                    let lacks = others.len() + apart * 5;
                    let is_even = (longest.saturating_sub(lacks)..=longest).contains(last);
                    assert!(is_even, "{codec:?}: {run:?} of {most}");
                }
            }
            assert!(several > 0, "{codec:?} {most}");
        }
    }
}

/// What the cutter says, and what a receiver sees, is the same; and is right.
fn check_facts(codec: Codec, at: usize, pieces: &[Piece]) {
    let is_key = at.is_multiple_of(5);
    let last = pieces.len() - 1;
    for (number, piece) in pieces.iter().enumerate() {
        let facts = codec.peek(&piece.to_vec()).unwrap();
        assert_eq!(piece.marker, number == last, "{codec:?}");
        if codec.tells_beginning() {
            assert_eq!(facts.begins, number == 0, "{codec:?}");
        } else {
            assert!(!facts.begins || number == 0);
        }
        assert_eq!(facts.picture, piece.facts.picture);
        if matches!(codec, Codec::Vp8 | Codec::Vp9) {
            let expected = (0x7fff + at as u16) & 0x7fff;
            assert_eq!(facts.picture, Some(expected), "numbers wrap");
        }
    }
    let keys = pieces.iter().filter_map(|it| codec.peek(&it.to_vec()));
    let keys = keys.filter(|it| it.key).count();
    assert_eq!(keys > 0, is_key, "{codec:?} frame {at}");
    let size = pieces.iter().find_map(|it| codec.peek(&it.to_vec())?.size);
    assert_eq!(size, is_key.then_some((240, 136)), "{codec:?} frame {at}");
}

#[test]
fn layers_go_through() {
    let frame = &frames(Codec::Vp9)[0];
    let mut packetizer = Packetizer::new(Codec::Vp9, 500, 5);
    let mut pieces = Vec::new();
    let lower = Layering {
        layered: true,
        more: true,
        ..Layering::default()
    };
    packetizer.cut(frame, lower, &mut pieces).unwrap();
    let count = pieces.len();
    let upper = Layering {
        spatial: 1,
        needs_below: true,
        more: false,
        ..lower
    };
    let inter = &frames(Codec::Vp9)[1];
    packetizer.cut(inter, upper, &mut pieces).unwrap();
    assert_eq!(pieces.iter().filter(|it| it.marker).count(), 1);
    assert!(pieces.last().unwrap().marker && !pieces[count - 1].marker);
    let facts: Vec<_> = pieces
        .iter()
        .map(|it| Codec::Vp9.peek(&it.to_vec()).unwrap())
        .collect();
    assert!(
        facts
            .iter()
            .all(|it| it.picture == Some(5) && it.tl0 == Some(1))
    );
    assert!(facts[0].key && facts[0].begins && !facts[count].begins && facts[count].spatial == 1);
    let (descriptor, _) = vp9::Descriptor::parse(&pieces[count].to_vec())
        .map(|it| (it.0, ()))
        .unwrap();
    assert!(!descriptor.inter && descriptor.layers.unwrap().needs_below);
    let payloads: Vec<_> = pieces.iter().map(Piece::to_vec).collect();
    let mut joined = Vec::new();
    Codec::Vp9
        .join(payloads.iter().map(|it| &it[..]), &mut joined)
        .unwrap();
    assert_eq!(joined, [&frame[..], inter].concat());

    let mut packetizer = Packetizer::new(Codec::Vp9, 1200, 5);
    let mut pieces = Vec::new();
    let flexible = Layering {
        flexible: Some([1, 3, 0]),
        layered: true,
        ..Layering::default()
    };
    packetizer.cut(inter, flexible, &mut pieces).unwrap();
    let payload = pieces[0].to_vec();
    let (descriptor, _) = vp9::Descriptor::parse(&payload).unwrap();
    assert!(descriptor.inter && descriptor.flexible == Some([1, 3, 0]) && descriptor.tl0.is_none());

    let mut packetizer = Packetizer::new(Codec::Vp8, 1200, 5);
    let mut tl0 = Vec::new();
    for temporal in [0, 1, 0, 1] {
        let mut pieces = Vec::new();
        let layering = Layering {
            temporal,
            layered: true,
            discardable: temporal == 1,
            switch: temporal == 1,
            ..Layering::default()
        };
        let frame = &frames(Codec::Vp8)[1];
        packetizer.cut(frame, layering, &mut pieces).unwrap();
        let facts = Codec::Vp8.peek(&pieces[0].to_vec()).unwrap();
        assert_eq!(
            (facts.temporal, facts.discardable),
            (temporal, temporal == 1)
        );
        tl0.push(facts.tl0.unwrap());
    }
    assert_eq!(tl0, [1, 1, 2, 2]);
}

#[test]
fn a_key_frame_gets_its_parameter_sets() {
    for codec in [Codec::H264, Codec::H265] {
        let all = frames(codec);
        let mut packetizer = Packetizer::new(codec, 1200, 0);
        packetizer
            .cut(&all[0], Layering::default(), &mut Vec::new())
            .unwrap();
        // The second key frame without its sets.
        let units: Vec<_> = nal::units(&all[5]).map(|it| all[5].slice(it)).collect();
        let mut bare = Vec::new();
        nal::push_unit(
            &mut Joined::new(&mut bare, MOST_FRAME),
            units.last().unwrap(),
        )
        .unwrap();
        let mut pieces = Vec::new();
        packetizer
            .cut(&bare.into(), Layering::default(), &mut pieces)
            .unwrap();
        let sizes = pieces
            .iter()
            .filter_map(|it| codec.peek(&it.to_vec())?.size);
        assert_eq!(sizes.count(), 1, "{codec:?}");
    }
}

#[test]
fn mode_0_cuts_no_unit() {
    let all = frames(Codec::H264);
    let mut packetizer = Packetizer::new(Codec::H264, 60_000, 0).single_unit(true);
    let mut pieces = Vec::new();
    packetizer
        .cut(&all[0], Layering::default(), &mut pieces)
        .unwrap();
    assert_eq!(pieces.len(), nal::units(&all[0]).count());
    let mut packetizer = Packetizer::new(Codec::H264, 500, 0).single_unit(true);
    let mut pieces = Vec::new();
    let cut = packetizer.cut(&all[0], Layering::default(), &mut pieces);
    assert_eq!((cut, pieces.len()), (Err(Refused::TooLarge), 0));
}

#[test]
fn what_is_missing_is_noticed() {
    for codec in [Codec::Vp9, Codec::Av1, Codec::H264, Codec::H265] {
        let mut packetizer = Packetizer::new(codec, 500, 0);
        let mut pieces = Vec::new();
        packetizer
            .cut(&frames(codec)[0], Layering::default(), &mut pieces)
            .unwrap();
        let payloads: Vec<_> = pieces.iter().map(Piece::to_vec).collect();
        assert!(payloads.len() > 3);
        for cut in [&payloads[..payloads.len() - 1], &payloads[2..]] {
            let joined = codec.join(cut.iter().map(|it| &it[..]), &mut Vec::new());
            assert!(joined.is_err(), "{codec:?}");
        }
    }
    // VP8 sees its beginning; its end is the marker's.
    let mut packetizer = Packetizer::new(Codec::Vp8, 500, 0);
    let mut pieces = Vec::new();
    packetizer
        .cut(&frames(Codec::Vp8)[0], Layering::default(), &mut pieces)
        .unwrap();
    let payloads: Vec<_> = pieces.iter().skip(1).map(Piece::to_vec).collect();
    let joined = Codec::Vp8.join(payloads.iter().map(|it| &it[..]), &mut Vec::new());
    assert!(joined.is_err());
}

/// AV1 RTP §5: a temporal delimiter says nothing that the marker does not, lists of tiles and padding are not sent.
#[test]
fn units_that_say_nothing_are_not_sent() {
    let whole = &frames(Codec::Av1)[0];
    let unit = |kind: u8, body: &[u8]| [&[kind << 3 | 2, body.len() as u8], body].concat();
    let (delimiter, tiles, padding) = (unit(2, &[]), unit(8, &[0; 9]), unit(15, &[7; 20]));
    assert!(whole.starts_with(&delimiter));
    let bare = &whole[delimiter.len()..];
    let mixed = [
        &delimiter[..],
        &padding,
        &tiles,
        bare,
        &tiles,
        &padding,
        &padding,
    ]
    .concat();
    let cut = |frame: &[u8]| {
        let mut pieces = Vec::new();
        let frame = Bytes::copy_from_slice(frame);
        let mut packetizer = Packetizer::new(Codec::Av1, 500, 0);
        packetizer
            .cut(&frame, Layering::default(), &mut pieces)
            .unwrap();
        pieces.iter().map(Piece::to_vec).collect::<Vec<_>>()
    };
    assert_eq!(cut(&mixed), cut(whole));
    assert_eq!(cut(bare), cut(whole));
    // Nothing is left of what has nothing else.
    let mut pieces = Vec::new();
    let nothing = Bytes::from([&delimiter[..], &padding, &tiles].concat());
    let cut = Packetizer::new(Codec::Av1, 500, 0).cut(&nothing, Layering::default(), &mut pieces);
    assert!(cut.is_err() && pieces.is_empty());
}

/// What is joined has the same limit in each format, to the byte.
#[test]
fn what_is_joined_has_a_limit() {
    let audio = [
        Codec::Opus,
        Codec::Pcmu,
        Codec::Pcma,
        Codec::G722,
        Codec::L16,
        Codec::ComfortNoise,
    ];
    for codec in VIDEO.into_iter().chain(audio) {
        let frame = match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::L16 => Bytes::from(vec![7; 3000]),
            codec => frames(codec)[0].clone(),
        };
        let mut pieces = Vec::new();
        let mut packetizer = Packetizer::new(codec, 500, 0);
        packetizer
            .cut(&frame, Layering::default(), &mut pieces)
            .unwrap();
        let payloads: Vec<_> = pieces.iter().map(Piece::to_vec).collect();
        for (limit, result) in [
            (frame.len(), Ok(())),
            (frame.len() - 1, Err(Refused::TooLarge)),
            (frame.len() / 2, Err(Refused::TooLarge)),
            (1, Err(Refused::TooLarge)),
        ] {
            let all = payloads.iter().map(|it| &it[..]);
            let joined = codec.join_within(limit, all, &mut Vec::new());
            assert_eq!(joined, result, "{codec:?} {limit} of {}", frame.len());
        }
    }
}

/// Packets of an Ogg file, without those of its head.
fn ogg(file: &[u8]) -> Vec<Bytes> {
    let (mut rest, mut packets, mut packet) = (file, Vec::new(), Vec::new());
    while let Some((head, body)) = rest.split_at_checked(27) {
        assert_eq!(&head[..4], b"OggS");
        let (lens, mut body) = body.split_at(head[26].into());
        for len in lens {
            let (part, after) = body.split_at((*len).into());
            packet.extend_from_slice(part);
            body = after;
            if *len < 255 {
                packets.push(Bytes::from(std::mem::take(&mut packet)));
            }
        }
        rest = body;
    }
    packets.split_off(2)
}

/// Audio of ffmpeg's encoders, packet by packet of 20 ms: it comes back, and lasts as long as it did.
#[test]
fn real_audio_comes_back() {
    let raw = |file: &'static [u8], len: usize| -> Vec<Bytes> {
        file.chunks(len).map(Bytes::from_static).collect()
    };
    let millis = std::time::Duration::from_millis;
    for (codec, packets, lasts) in [
        (
            Codec::Opus,
            ogg(include_bytes!("../../tests/data/opus.ogg")),
            Some(millis(420)),
        ),
        (
            Codec::Pcmu,
            raw(include_bytes!("../../tests/data/pcmu.raw"), 160),
            Some(millis(200)),
        ),
        (
            Codec::Pcma,
            raw(include_bytes!("../../tests/data/pcma.raw"), 160),
            Some(millis(200)),
        ),
        (
            Codec::G722,
            raw(include_bytes!("../../tests/data/g722.raw"), 160),
            Some(millis(200)),
        ),
        (
            Codec::L16,
            raw(include_bytes!("../../tests/data/l16.raw"), 1920),
            None,
        ),
    ] {
        for most in [500, 1200, 1460] {
            let (mut sum, mut all) = (millis(0), Vec::new());
            for packet in &packets {
                let mut pieces = Vec::new();
                let mut packetizer = Packetizer::new(codec, most, 0);
                packetizer
                    .cut(packet, Layering::default(), &mut pieces)
                    .unwrap();
                let count = if codec == Codec::L16 {
                    packet.len().div_ceil(most)
                } else {
                    1
                };
                assert_eq!(pieces.len(), count, "{codec:?}");
                for piece in &pieces {
                    let payload = piece.to_vec();
                    assert!(payload.len() <= most && codec.peek(&payload).is_some());
                    sum += codec.plays(&payload).map_or(millis(0), |it| it.1);
                }
                let payloads: Vec<_> = pieces.iter().map(Piece::to_vec).collect();
                let mut joined = Vec::new();
                codec
                    .join(payloads.iter().map(|it| &it[..]), &mut joined)
                    .unwrap();
                assert_eq!(joined, packet[..], "{codec:?} at {most}");
                all.extend(joined);
            }
            assert!(all.len() > 1000, "{codec:?}: {}", all.len());
            assert_eq!(sum, lasts.unwrap_or_default(), "{codec:?}");
        }
    }
}

#[test]
fn limits_hold() {
    let none = Bytes::new();
    let huge = Bytes::from(vec![0x78; MOST_FRAME + 1]);
    for codec in [
        Codec::Vp8,
        Codec::Vp9,
        Codec::Av1,
        Codec::H264,
        Codec::H265,
        Codec::Opus,
        Codec::Pcmu,
        Codec::Pcma,
        Codec::G722,
        Codec::L16,
        Codec::ComfortNoise,
        Codec::TelephoneEvent,
    ] {
        let mut packetizer = Packetizer::new(codec, 1200, 0);
        let mut pieces = Vec::new();
        let mut cut = |frame| packetizer.cut(frame, Layering::default(), &mut pieces);
        assert_eq!(cut(&none), Err(Refused::Empty));
        assert_eq!(cut(&huge), Err(Refused::TooLarge));
    }
    let payload = [0x10; 60_000];
    let joined = Codec::Pcmu.join((0..100).map(|_| &payload[..]), &mut Vec::new());
    assert_eq!(joined, Err(Refused::TooLarge));
    let mut packetizer = Packetizer::new(Codec::Opus, 1200, 0);
    let large = Bytes::from(vec![0x78; 1300]);
    let cut = packetizer.cut(&large, Layering::default(), &mut Vec::new());
    assert_eq!(cut, Err(Refused::TooLarge), "Opus is not cut");
}

#[test]
fn audio_goes_whole_or_by_samples() {
    for (codec, len, counts) in [
        (Codec::Pcmu, 160, 1),
        (Codec::Pcma, 3000, 3),
        (Codec::G722, 160, 1),
        (Codec::L16, 3840, 4),
        (Codec::ComfortNoise, 11, 1),
    ] {
        let frame: Bytes = (0..len).map(|at| at as u8).collect();
        let mut pieces = Vec::new();
        let mut packetizer = Packetizer::new(codec, 1200, 0);
        packetizer
            .cut(&frame, Layering::default(), &mut pieces)
            .unwrap();
        assert_eq!(pieces.len(), counts, "{codec:?}");
        let mut joined = Vec::new();
        codec
            .join(pieces.iter().map(|it| &it.payload[..]), &mut joined)
            .unwrap();
        assert_eq!(joined, frame);
        assert!(
            pieces
                .iter()
                .all(|it| !it.marker && it.facts.begins && it.facts.key)
        );
    }
    assert_eq!(Codec::L16.peek(&[1, 2, 3]), None);
    assert_eq!(Codec::TelephoneEvent.peek(&[1, 2, 3]), None);
}

fn any_codec() -> impl Strategy<Value = Codec> {
    prop::sample::select(vec![
        Codec::Opus,
        Codec::L16,
        Codec::Vp8,
        Codec::Vp9,
        Codec::Av1,
        Codec::H264,
        Codec::H265,
    ])
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(256))]

    /// Whatever comes, nothing panics, and a frame is no longer than what came with what belongs between units.
    /// Known failure 44.
    #[test]
    fn whatever_comes_is_survived(codec in any_codec(), payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6)) {
        for payload in &payloads {
            let _ = codec.peek(payload);
        }
        let mut frame = Vec::new();
        let all: usize = payloads.iter().map(|it| it.len()).sum();
        if codec.join(payloads.iter().map(|it| &it[..]), &mut frame).is_ok() {
            prop_assert!(!frame.is_empty() && frame.len() <= all * 5 + 2);
        }
    }

    /// So is whatever an encoder might give.
    /// Known failure 44.
    #[test]
    fn whatever_is_cut_is_survived(codec in any_codec(), frame in prop::collection::vec(prop_oneof![2 => any::<u8>(), 3 => 0_u8..2], 0..400), most in 64_usize..200) {
        let mut pieces = Vec::new();
        let mut packetizer = Packetizer::new(codec, most, 0);
        let frame = Bytes::from(frame);
        if packetizer.cut(&frame, Layering::default(), &mut pieces).is_ok() {
            prop_assert!(pieces.iter().all(|it| it.len() <= most && !it.is_empty()));
            let payloads: Vec<_> = pieces.iter().map(Piece::to_vec).collect();
            let mut joined = Vec::new();
            prop_assert_eq!(codec.join(payloads.iter().map(|it| &it[..]), &mut joined), Ok(()));
        } else {
            prop_assert!(pieces.is_empty());
        }
    }

    /// Bits of real payloads flipped, payloads left out, doubled and mixed up.
    /// Known failure 44.
    #[test]
    fn damaged_streams_are_survived(codec in prop::sample::select(&VIDEO[..]), picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..40)) {
        let mut packetizer = Packetizer::new(codec, 500, 0);
        let mut pieces = Vec::new();
        for frame in frames(codec).iter().take(3) {
            packetizer.cut(frame, Layering::default(), &mut pieces).unwrap();
        }
        let payloads: Vec<_> = picks.iter().map(|(piece, byte, flip)| {
            let mut payload = piece.get(&pieces).to_vec();
            let at = byte.index(payload.len().min(16));
            payload[at] ^= flip & 0x11;
            payload
        }).collect();
        for payload in &payloads {
            let _ = codec.peek(payload);
        }
        let _ = codec.join(payloads.iter().map(|it| &it[..]), &mut Vec::new());
    }
}
