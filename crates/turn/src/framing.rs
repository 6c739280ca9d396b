//! Where messages end in a stream to a server (RFC 8489 §6.2.2, RFC 8656 §12.5).

use byteorder::{ByteOrder, NetworkEndian};
use oxirtc_stun::{HEADER_LENGTH, Message};

/// Cuts a stream into messages: STUN by the length in its header, ChannelData by its own, padded to four bytes.
///
/// What is whole in the bytes that came is handed up in place; only what is split is copied.
#[derive(Debug, Default)]
pub struct Deframer {
    partial: Vec<u8>,
    broken: bool,
}

impl Deframer {
    /// A deframer at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they came and hands up each message that they complete, padding cut off. `false`
    /// when what stands there begins no message: the stream is of no use any more.
    pub fn handle_bytes(&mut self, mut bytes: &mut [u8], sink: &mut impl FnMut(&mut [u8])) -> bool {
        while !self.broken && !self.partial.is_empty() && !bytes.is_empty() {
            let wanted = match length(&self.partial) {
                Length::Known { padded, .. } => padded,
                _ => self.partial.len() + 1,
            };
            let missing = wanted.saturating_sub(self.partial.len()).min(bytes.len());
            let (head, rest) = bytes.split_at_mut(missing);
            self.partial.extend_from_slice(head);
            bytes = rest;
            match length(&self.partial) {
                Length::Known { whole, padded } if padded <= self.partial.len() => {
                    let mut message = std::mem::take(&mut self.partial);
                    message.get_mut(..whole).into_iter().for_each(&mut *sink);
                    message.clear();
                    self.partial = message;
                }
                Length::Wrong => self.broken = true,
                _ => {}
            }
        }
        while !self.broken && !bytes.is_empty() {
            match length(bytes) {
                Length::Known { whole, padded } if padded <= bytes.len() => {
                    let (message, rest) = bytes.split_at_mut(padded);
                    message.get_mut(..whole).into_iter().for_each(&mut *sink);
                    bytes = rest;
                }
                Length::Wrong => self.broken = true,
                _ => {
                    self.partial.extend_from_slice(bytes);
                    break;
                }
            }
        }
        !self.broken
    }
}

/// How long the message is that begins here.
enum Length {
    /// Without and with its padding.
    Known { whole: usize, padded: usize },
    /// More bytes are needed to tell.
    Unknown,
    /// Nothing begins so.
    Wrong,
}

fn length(bytes: &[u8]) -> Length {
    match bytes.first() {
        None => Length::Unknown,
        Some(0..=3) if bytes.len() < HEADER_LENGTH => Length::Unknown,
        Some(0..=3) => match Message::length(bytes) {
            Some(whole) => Length::Known {
                whole,
                padded: whole,
            },
            None => Length::Wrong,
        },
        Some(64..=79) => match bytes.get(2..4) {
            Some(field) => {
                let whole = 4 + usize::from(NetworkEndian::read_u16(field));
                Length::Known {
                    whole,
                    padded: whole.next_multiple_of(4),
                }
            }
            None => Length::Unknown,
        },
        Some(_) => Length::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        stun.extend([7; 12]);
        let data = [vec![0x40, 1, 0, 3], vec![1, 2, 3]].concat();
        let padded = [data.clone(), vec![0]].concat();
        let bytes = [stun.clone(), padded, stun.clone()].concat();
        (bytes, vec![stun.clone(), data, stun])
    }

    /// However the stream is cut, the messages are the same.
    #[test]
    fn messages_survive_any_cut() {
        let (bytes, expected) = stream();
        for size in 1..=bytes.len() {
            let (mut deframer, mut found) = (Deframer::new(), Vec::new());
            for piece in bytes.clone().chunks_mut(size) {
                let mut sink = |message: &mut [u8]| found.push(message.to_vec());
                assert!(deframer.handle_bytes(piece, &mut sink));
            }
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_message_ends_the_stream() {
        for first in [4, 20, 63, 80, 255] {
            let mut deframer = Deframer::new();
            assert!(!deframer.handle_bytes(&mut [first; 30], &mut |_| panic!("a message")));
            assert!(!deframer.handle_bytes(&mut [0], &mut |_| {}));
        }
        let mut deframer = Deframer::new();
        assert!(
            !deframer.handle_bytes(&mut [0; 30], &mut |_| {}),
            "no cookie"
        );
        // As soon as it is known, in pieces too.
        let mut deframer = Deframer::new();
        let mut sound = || deframer.handle_bytes(&mut [0], &mut |_| {});
        assert!((1..HEADER_LENGTH).all(|_| sound()));
        assert!(!sound());
    }
}
