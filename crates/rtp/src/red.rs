//! Redundancy: several payloads in one (RFC 2198).

use crate::{reader::Reader, writer::write_u24};

/// One payload within another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Its payload type.
    pub payload_type: u8,
    /// How much earlier its timestamp is, 14 bits.
    pub before: u32,
    /// The payload.
    pub payload: &'a [u8],
}

/// The blocks of a payload, the oldest first, the packet's own last; at most [`MOST`]. `None` if it is broken.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |1|  block PT   |     timestamp offset      |   block length    |
/// |0|  block PT   |
/// ```
pub fn parse(payload: &[u8]) -> Option<Vec<Block<'_>>> {
    let mut reader = Reader(payload);
    let mut heads = Vec::new();
    let last = loop {
        let first = reader.u8()?;
        if first & 0x80 == 0 {
            break first;
        }
        let rest = reader.u24()?;
        heads.push((first & 0x7f, rest >> 10, (rest & 0x3ff) as usize));
        if heads.len() >= MOST {
            return None;
        }
    };
    let mut blocks = Vec::with_capacity(heads.len() + 1);
    for (payload_type, before, len) in heads {
        let payload = reader.take(len)?;
        blocks.push(Block {
            payload_type,
            before,
            payload,
        });
    }
    blocks.push(Block {
        payload_type: last,
        before: 0,
        payload: reader.0,
    });
    Some(blocks)
}

/// Appends the head of an earlier block, of at most 1023 bytes and 16383 units back. The packet's own block has a head of
/// one byte, its payload type; then come the payloads in the same order.
pub fn write_head(buf: &mut Vec<u8>, payload_type: u8, before: u32, len: usize) {
    let rest = (before & 0x3fff) << 10 | len as u32 & 0x3ff;
    buf.push(payload_type | 0x80);
    write_u24(buf, rest);
}

/// How many blocks a payload may have.
pub const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back() {
        let block = |payload_type, before, payload| Block {
            payload_type,
            before,
            payload,
        };
        let blocks = [
            block(96, 960, &b"old"[..]),
            block(0, 480, b""),
            block(111, 0, b"own"),
        ];
        let mut buf = Vec::new();
        for block in &blocks[..2] {
            write_head(
                &mut buf,
                block.payload_type,
                block.before,
                block.payload.len(),
            );
        }
        buf.push(111);
        blocks
            .iter()
            .for_each(|it| buf.extend_from_slice(it.payload));
        assert_eq!(parse(&buf).unwrap(), blocks);
        for len in 0..12 {
            assert_eq!(parse(&buf[..len]).is_some(), len > 11, "{len}");
        }
        assert_eq!(parse(&[0x80; 100]), None, "too many");
    }
}
