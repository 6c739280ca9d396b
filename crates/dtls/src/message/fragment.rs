use crate::message::codec::{Malformed, Reader, write_u16, write_u24};

/// A handshake message, or a piece of one (RFC 6347 §4.2.2).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |   msg_type    |                    length                     |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |          message_seq          |        fragment_offset        :
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// :               |                fragment_length                |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// `msg_type`, by its registry number: an unknown one is not malformed.
    pub kind: u8,
    /// The length of the whole message, in bytes.
    pub length: usize,
    /// The number of the message in its direction.
    pub sequence: u16,
    /// Where this piece belongs.
    pub offset: usize,
    /// The piece.
    pub body: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Takes the first fragment off a record's payload and gives the rest. A record may hold several.
    pub fn parse(payload: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let mut reader = Reader::new(payload);
        let kind = reader.u8()?;
        let length = reader.u24()?;
        let sequence = reader.u16()?;
        let offset = reader.u24()?;
        let body = reader.vector24()?;
        if offset + body.len() > length {
            return Err(Malformed);
        }
        let rest = payload.get(HEADER_LEN + body.len()..).ok_or(Malformed)?;
        let fragment = Self {
            kind,
            length,
            sequence,
            offset,
            body,
        };
        Ok((fragment, rest))
    }

    /// Appends header and piece.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_header(self.body.len(), out);
        out.extend(self.body);
    }

    /// Appends the header of a piece of this length.
    pub(crate) fn write_header(&self, piece: usize, out: &mut Vec<u8>) {
        out.push(self.kind);
        write_u24(self.length, out);
        write_u16(self.sequence, out);
        write_u24(self.offset, out);
        write_u24(piece, out);
    }

    /// Whether this is a whole message.
    pub fn is_whole(&self) -> bool {
        self.offset == 0 && self.body.len() == self.length
    }
}

/// The length of a handshake header, in bytes.
pub const HEADER_LEN: usize = 12;
