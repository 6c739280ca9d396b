//! Packets of SCTP.

use oxirtc_sctp::packet::{
    Abort, Causes, Chunk, ChunkKind, Data, ForwardTsn, IData, IForwardTsn, Init, Packet,
    Parameters, Reconfig, Sack,
};

/// Reads an SCTP packet, whatever its checksum, and each of its chunks by its kind; what was read is
/// written and read again, equal.
///
/// # Panics
/// When a property does not hold.
pub fn sctp_packet(bytes: &[u8]) {
    let _ = Packet::parse(bytes);
    let mut bytes = bytes.to_vec();
    Packet::finish(&mut bytes, 0);
    let Ok(packet) = Packet::parse(&bytes) else {
        return;
    };
    let mut written = Vec::new();
    Packet::start(&mut written, packet.source, packet.destination, packet.tag);
    for chunk in packet.chunks() {
        let start = written.len();
        chunk.write(&mut written);
        assert_eq!(written.len() - start, chunk.padded_len());
        sctp_chunk(chunk);
    }
    Packet::finish(&mut written, 0);
    let chunks = packet.chunks();
    if chunks.clone().count() > 0 {
        let again = Packet::parse(&written).expect("what was written can be read");
        assert_eq!(
            (again.source, again.destination, again.tag),
            (packet.source, packet.destination, packet.tag)
        );
        assert!(again.chunks().eq(chunks));
    }
}

fn sctp_chunk(chunk: Chunk<'_>) {
    let mut buf = Vec::new();
    match chunk.kind {
        ChunkKind::DATA => {
            if let Some(data) = Data::parse(chunk) {
                data.write(&mut buf);
                assert_eq!(Data::parse(only(&buf)), Some(data));
            }
        }
        ChunkKind::INIT | ChunkKind::INIT_ACK => {
            if let Some(init) = Init::parse(chunk.value) {
                init.write(chunk.kind, &mut buf);
                assert_eq!(Init::parse(only(&buf).value), Some(init));
                sctp_parameters(init.parameters);
            }
        }
        ChunkKind::SACK => {
            if let Some(sack) = Sack::parse(chunk.value) {
                let head = (sack.cumulative, sack.window);
                Sack::write(&mut buf, usize::MAX, head, sack.gaps(), sack.duplicates());
                assert_eq!(Sack::parse(only(&buf).value), Some(sack));
            }
        }
        ChunkKind::I_DATA => {
            if let Some(data) = IData::parse(chunk) {
                data.write(&mut buf);
                assert_eq!(IData::parse(only(&buf)), Some(data));
            }
        }
        ChunkKind::I_FORWARD_TSN => {
            if let Some(forward) = IForwardTsn::parse(chunk.value) {
                IForwardTsn::write(&mut buf, forward.cumulative, forward.messages());
                let again = IForwardTsn::parse(only(&buf).value);
                let again = again.into_iter().flat_map(|again| again.messages());
                assert!(again.eq(forward.messages()));
            }
        }
        ChunkKind::FORWARD_TSN => {
            if let Some(forward) = ForwardTsn::parse(chunk.value) {
                ForwardTsn::write(&mut buf, forward.cumulative, forward.streams());
                assert_eq!(ForwardTsn::parse(only(&buf).value), Some(forward));
            }
        }
        ChunkKind::RECONFIG => {
            if let Some(reconfig) = Reconfig::parse(chunk.value) {
                let requests = || reconfig.requests().flatten();
                Reconfig::write(&mut buf, requests());
                let again = Reconfig::parse(only(&buf).value);
                let again = again
                    .into_iter()
                    .flat_map(|again| again.requests().flatten().collect::<Vec<_>>());
                assert!(again.eq(requests()));
            }
        }
        ChunkKind::ABORT => {
            let causes = Abort::parse(chunk).causes;
            assert!(causes.count() <= chunk.value.len() / 4);
        }
        _ => {}
    }
}

/// The one chunk that was written.
fn only(written: &[u8]) -> Chunk<'_> {
    let mut packet = Vec::new();
    Packet::start(&mut packet, 1, 2, 3);
    packet.extend_from_slice(written);
    Packet::finish(&mut packet, 0);
    let parsed = Packet::parse(&packet).expect("what was written can be read");
    let lengths = parsed
        .chunks()
        .map(|chunk| (chunk.kind, chunk.flags, chunk.value.len()));
    let [(kind, flags, length)] = lengths.collect::<Vec<_>>()[..] else {
        panic!("not one chunk");
    };
    let value = &written[4..4 + length];
    Chunk { kind, flags, value }
}

/// Reads parameters, and the same bytes as error causes; what was read is written and read again, equal.
///
/// # Panics
/// When a property does not hold.
pub fn sctp_parameters(bytes: &[u8]) {
    let parameters = Parameters::parse(bytes);
    let mut written = Vec::new();
    for parameter in parameters.clone() {
        let start = written.len();
        parameter.write(&mut written);
        assert_eq!(written.len() - start, parameter.padded_len());
    }
    assert!(Parameters::parse(&written).eq(parameters));

    let causes = Causes::parse(bytes);
    let mut written = Vec::new();
    causes.clone().for_each(|cause| cause.write(&mut written));
    assert!(Causes::parse(&written).eq(causes));
}
