//! What one end has said, as whoever listens sees it.

use std::collections::{BTreeMap, BTreeSet};

use oxirtc_dtls::{
    message::{Fragment, Kind},
    record::{HANDSHAKE, Header},
};

/// The records of one end.
#[derive(Default)]
pub(super) struct Sent {
    /// Epoch and number where they stand in the clear, and the first block of what is sealed where they do not.
    records: BTreeSet<Vec<u8>>,
    /// The bytes of its ClientHellos, by number and place.
    hellos: BTreeMap<u16, BTreeMap<usize, u8>>,
}

impl Sent {
    /// A datagram, or a record.
    ///
    /// # Panics
    /// When a number is used twice, when a hello changes, and with the fourth one.
    pub(super) fn note(&mut self, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        let mut rest = &mut datagram[..];
        while let Some(first) = rest.first().copied() {
            if first >> 5 == 1 {
                // As we write them: two bytes of number, two of length.
                let length = usize::from(u16::from_be_bytes([rest[3], rest[4]]));
                let (record, tail) = rest.split_at_mut(5 + length);
                self.check_fresh(&record[5..21]);
                rest = tail;
                continue;
            }
            let (header, body, tail) = Header::split(rest).expect("it is ours");
            self.check_fresh(&header.to_bytes()[3..11]);
            if header.epoch == 0 && header.content_type == HANDSHAKE {
                self.note_hello(body);
            }
            rest = tail;
        }
    }

    fn check_fresh(&mut self, mark: &[u8]) {
        assert!(self.records.insert(mark.to_vec()), "a number is used twice");
    }

    fn note_hello(&mut self, body: &[u8]) {
        let (fragment, _) = Fragment::parse(body).expect("it is ours");
        if fragment.kind != Kind::ClientHello.id() {
            return;
        }
        let hello = self.hellos.entry(fragment.sequence).or_default();
        for (at, byte) in (fragment.offset..).zip(fragment.body) {
            assert_eq!(hello.entry(at).or_insert(*byte), byte, "another hello");
        }
        assert!(self.hellos.len() <= 3, "one hello too many");
    }
}
