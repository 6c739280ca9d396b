use proptest::prelude::*;

use super::*;
use crate::{Ssn, Tsn};

fn packet_with(chunks: &[u8]) -> Vec<u8> {
    let mut buf = Vec::new();
    Packet::start(&mut buf, 5000, 5001, 0xdead_beef);
    buf.extend_from_slice(chunks);
    Packet::finish(&mut buf, 0);
    buf
}

fn only(bytes: &[u8]) -> Chunk<'_> {
    let mut chunks = Chunks {
        rest: bytes,
        broken: false,
    };
    let chunk = chunks.next().unwrap();
    assert!(chunks.next().is_none() && !chunks.is_broken());
    chunk
}

/// One of each chunk that has a parser.
fn samples() -> Vec<Vec<u8>> {
    let mut samples = vec![Vec::new(); 7];
    let data = Data {
        flags: 7,
        tsn: Tsn(1),
        stream: 2,
        ssn: Ssn(3),
        ppid: 4,
        payload: b"hello",
    };
    data.write(&mut samples[0]);
    let parameters = [0xc0, 0, 0, 4, 0x80, 8, 0, 6, 130, 192, 0, 0];
    let init = Init {
        tag: 1,
        window: 2,
        outbound: 3,
        inbound: 4,
        initial_tsn: Tsn(5),
        parameters: &parameters,
    };
    init.write(ChunkKind::INIT, &mut samples[1]);
    let (gaps, duplicates) = ([(2, 3), (5, 9)], [Tsn(7)]);
    Sack::write(
        &mut samples[2],
        1000,
        (Tsn(1), 99),
        gaps.into_iter(),
        duplicates.into_iter(),
    );
    ForwardTsn::write(
        &mut samples[3],
        Tsn(9),
        [(1, Ssn(2)), (3, Ssn(4))].into_iter(),
    );
    let requests = [
        Request::OutgoingReset {
            sequence: 1,
            response_sequence: 2,
            last_tsn: Tsn(3),
            streams: &[0, 4, 0, 5, 0, 6],
        },
        Request::Response {
            sequence: 7,
            result: ResetResult::PERFORMED,
        },
    ];
    Reconfig::write(&mut samples[4], requests.into_iter());
    let requests = [
        Request::AddOutgoing {
            sequence: 1,
            count: 2,
        },
        Request::AddIncoming {
            sequence: 3,
            count: 4,
        },
    ];
    Reconfig::write(&mut samples[5], requests.into_iter());
    let start = begin(&mut samples[6], ChunkKind::ABORT, Abort::REFLECTED);
    let cause = Cause {
        code: CauseCode::USER_INITIATED_ABORT,
        information: b"bye",
    };
    cause.write(&mut samples[6]);
    end(&mut samples[6], start);
    samples
}

/// Everything that can be looked at in a packet.
fn walk(bytes: &[u8]) {
    let Ok(packet) = Packet::parse(bytes) else {
        return;
    };
    for chunk in packet.chunks() {
        Data::parse(chunk);
        if let Some(init) = Init::parse(chunk.value) {
            init.parameters().for_each(drop);
        }
        if let Some(sack) = Sack::parse(chunk.value) {
            sack.gaps().for_each(drop);
            sack.duplicates().for_each(drop);
        }
        if let Some(forward) = ForwardTsn::parse(chunk.value) {
            forward.streams().for_each(drop);
        }
        if let Some(reconfig) = Reconfig::parse(chunk.value) {
            reconfig.requests().for_each(drop);
        }
        Abort::parse(chunk).causes.for_each(drop);
    }
}

/// CRC-32c vectors of RFC 3720 B.4, least significant byte first as on the wire.
#[test]
fn checksum_vectors() {
    let ascending = Vec::from_iter(0..32u8);
    let descending = Vec::from_iter((0..32u8).rev());
    let cases: [(&[u8], [u8; 4]); 4] = [
        (&[0; 32], [0xaa, 0x36, 0x91, 0x8a]),
        (&[0xff; 32], [0x43, 0xab, 0xa8, 0x62]),
        (&ascending, [0x4e, 0x79, 0xdd, 0x46]),
        (&descending, [0x5c, 0xdb, 0x3f, 0x11]),
    ];
    for (input, crc) in cases {
        assert_eq!(crc32c::crc32c(input).to_le_bytes(), crc);
    }
}

#[test]
fn chunks_come_back_as_they_were_written() {
    let samples = samples();
    let data = Data::parse(only(&samples[0])).unwrap();
    assert_eq!(
        (data.tsn, data.stream, data.ssn, data.ppid),
        (Tsn(1), 2, Ssn(3), 4)
    );
    assert_eq!((data.flags, data.payload), (7, &b"hello"[..]));
    let init = Init::parse(only(&samples[1]).value).unwrap();
    let kinds = Vec::from_iter(init.parameters().map(|p| (p.kind, p.value.len())));
    let expected = [
        (ParameterKind::FORWARD_TSN_SUPPORTED, 0),
        (ParameterKind::SUPPORTED_EXTENSIONS, 2),
    ];
    assert_eq!(kinds, expected);
    let sack = Sack::parse(only(&samples[2]).value).unwrap();
    assert_eq!((sack.cumulative, sack.window), (Tsn(1), 99));
    assert_eq!(Vec::from_iter(sack.gaps()), [(2, 3), (5, 9)]);
    assert_eq!(Vec::from_iter(sack.duplicates()), [Tsn(7)]);
    let forward = ForwardTsn::parse(only(&samples[3]).value).unwrap();
    assert_eq!(
        Vec::from_iter(forward.streams()),
        [(1, Ssn(2)), (3, Ssn(4))]
    );
    for sample in &samples[4..6] {
        let reconfig = Reconfig::parse(only(sample).value).unwrap();
        let mut again = Vec::new();
        Reconfig::write(&mut again, reconfig.requests().map(Option::unwrap));
        assert_eq!(again, *sample);
    }
    let mut causes = Abort::parse(only(&samples[6])).causes;
    let cause = causes.next().unwrap();
    assert_eq!((cause.code.0, cause.information), (12, &b"bye"[..]));
}

#[test]
fn a_sack_keeps_to_its_room() {
    for room in 16..80 {
        let mut buf = Vec::new();
        let (gaps, duplicates) = ([(2, 2); 9], [Tsn(7); 9]);
        Sack::write(
            &mut buf,
            room,
            (Tsn(0), 0),
            gaps.into_iter(),
            duplicates.into_iter(),
        );
        assert!(buf.len() <= room && Sack::parse(only(&buf).value).is_some());
    }
}

#[test]
fn truncation_and_wrong_lengths_end_the_walk() {
    for sample in samples() {
        for length in 0..=sample.len() {
            walk(&packet_with(&sample[..length]));
        }
        for length in [0u16, 1, 2, 3, 5, 8, 255, u16::MAX] {
            let mut changed = sample.clone();
            changed[2..4].copy_from_slice(&length.to_be_bytes());
            walk(&packet_with(&changed));
            if changed.len() > 8 {
                changed = sample.clone();
                changed[6..8].copy_from_slice(&length.to_be_bytes());
                walk(&packet_with(&changed));
            }
        }
    }
    for length in 0..16 {
        assert_eq!(Packet::parse(&vec![0; length]), Err(ParseError::TooShort));
    }
}

/// A length of zero must not be looked at for ever.
#[test]
fn a_chunk_without_length_ends_the_packet() {
    let bytes = packet_with(&[0; 64]);
    let mut chunks = Packet::parse(&bytes).unwrap().chunks();
    assert!(chunks.next().is_none() && chunks.is_broken() && chunks.next().is_none());
}

#[test]
fn every_flipped_bit_breaks_the_checksum() {
    let good = packet_with(&samples()[0]);
    assert!(Packet::parse(&good).is_ok());
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Packet::parse(&bad), Err(ParseError::Checksum));
    }
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(400))]

    #[test]
    fn any_bytes_are_walked_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        walk(&packet_with(&bytes));
        walk(&bytes);
    }

    #[test]
    fn data_round_trip(flags in 0u8..16, tsn: u32, stream: u16, ssn: u16, ppid: u32,
                       payload in proptest::collection::vec(any::<u8>(), 0..100)) {
        let data = Data { flags, tsn: Tsn(tsn), stream, ssn: Ssn(ssn), ppid, payload: &payload };
        let mut buf = Vec::new();
        data.write(&mut buf);
        prop_assert_eq!(buf.len(), Data::padded_len(payload.len()));
        prop_assert_eq!(Data::parse(only(&buf)), Some(data));
    }

    #[test]
    fn parameters_round_trip(list in proptest::collection::vec((any::<u16>(), proptest::collection::vec(any::<u8>(), 0..9)), 0..8)) {
        let mut buf = Vec::new();
        for (kind, value) in &list {
            Parameter { kind: ParameterKind(*kind), value }.write(&mut buf);
        }
        let read = Parameters::parse(&buf).map(|p| (p.kind.0, p.value.to_vec()));
        prop_assert_eq!(read.collect::<Vec<_>>(), list);
    }
}
