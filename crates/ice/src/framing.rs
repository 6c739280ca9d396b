//! Where datagrams end in a stream to a peer: each has its length before it (RFC 4571 §2).

use byteorder::{BigEndian, ByteOrder};

use crate::Error;

/// Cuts a stream into datagrams. What is whole in the bytes that came is handed up in place; only what is split is copied.
#[derive(Debug, Default)]
pub(crate) struct Deframer {
    partial: Vec<u8>,
}

impl Deframer {
    /// Takes bytes as they came and hands up each datagram that they complete. Empty ones are left out.
    pub(crate) fn handle_bytes(&mut self, mut bytes: &mut [u8], sink: &mut impl FnMut(&mut [u8])) {
        while !self.partial.is_empty() && !bytes.is_empty() {
            let wanted = length(&self.partial).unwrap_or(LENGTH);
            let missing = wanted.saturating_sub(self.partial.len()).min(bytes.len());
            let (head, rest) = bytes.split_at_mut(missing);
            self.partial.extend_from_slice(head);
            bytes = rest;
            if length(&self.partial).is_some_and(|whole| self.partial.len() >= whole) {
                let mut frame = std::mem::take(&mut self.partial);
                hand_up(&mut frame, sink);
                frame.clear();
                self.partial = frame;
            }
        }
        while let Some(whole) = length(bytes).filter(|whole| *whole <= bytes.len()) {
            let (frame, rest) = bytes.split_at_mut(whole);
            hand_up(frame, sink);
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
    }
}

fn hand_up(frame: &mut [u8], sink: &mut impl FnMut(&mut [u8])) {
    let datagram = frame.get_mut(LENGTH..).filter(|it| !it.is_empty());
    datagram.into_iter().for_each(sink);
}

/// The bytes of the frame that begins here, its length among them.
fn length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(..LENGTH).map(BigEndian::read_u16)?;
    Some(LENGTH + usize::from(length))
}

/// Makes a frame of the datagram that stands two bytes behind `start`.
///
/// # Errors
/// [`Error::NoPath`] when it is longer than a frame can be.
pub(crate) fn frame(buf: &mut [u8], start: usize) -> Result<(), Error> {
    let length = buf.len().checked_sub(start + LENGTH);
    let length = length.and_then(|it| u16::try_from(it).ok());
    let field = buf.get_mut(start..).and_then(|it| it.get_mut(..LENGTH));
    let (Some(length), Some(field)) = (length, field) else {
        return Err(Error::NoPath);
    };
    BigEndian::write_u16(field, length);
    Ok(())
}

/// Bytes of the length.
pub(crate) const LENGTH: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// However the bytes come, the datagrams are the same.
    #[test]
    fn datagrams_survive_any_cut() {
        let datagrams = [vec![1_u8; 5], vec![2], vec![3; 700], vec![4; 65_535]];
        let mut bytes = Vec::new();
        for datagram in &datagrams {
            let start = bytes.len();
            bytes.extend([0, 0]);
            bytes.extend(datagram);
            frame(&mut bytes, start).unwrap();
        }
        // An empty one is no datagram.
        bytes.splice(0..0, [0, 0]);
        for piece in [1, 2, 3, 7, 699, 702, 4096, bytes.len()] {
            let (mut deframer, mut found) = (Deframer::default(), Vec::new());
            for piece in bytes.clone().chunks_mut(piece) {
                deframer.handle_bytes(piece, &mut |it| found.push(it.to_vec()));
            }
            assert_eq!(found, datagrams, "in pieces of {piece}");
            assert!(deframer.partial.is_empty());
        }
    }

    #[test]
    fn what_is_too_long_is_no_frame() {
        let mut bytes = vec![0; 65_538];
        assert_eq!(frame(&mut bytes, 0), Err(Error::NoPath));
        assert_eq!(frame(&mut [0], 0), Err(Error::NoPath));
    }
}
