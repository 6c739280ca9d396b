use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    message::Ack,
    record::{self, RecordNumber, Records},
};

/// The records of the peer that are to be acknowledged (RFC 9147 §7.1).
#[derive(Default)]
pub(crate) struct Acks {
    /// The newest, in the order in which they came.
    due: VecDeque<RecordNumber>,
    /// When they are acknowledged, if nothing else tells the peer that they came.
    at: Option<Instant>,
    /// They are acknowledged now.
    urgent: bool,
}

impl Acks {
    /// All fragments of this record were stored, or handled before. `wait` is for what may tell the peer
    /// anyway; `None` where nothing does.
    pub(crate) fn note(&mut self, now: Instant, number: RecordNumber, wait: Option<Duration>) {
        if !self.due.contains(&number) {
            self.due.push_back(number);
        }
        if self.due.len() > MAX_DUE {
            self.due.pop_front();
        }
        match wait {
            Some(wait) => self.at = self.at.or(Some(now + wait)),
            None => self.urgent = true,
        }
    }

    /// What was noted is acknowledged now.
    pub(crate) fn hurry(&mut self) {
        self.urgent = !self.due.is_empty();
    }

    /// What we say next tells the peer all this.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.at.filter(|_| !self.urgent)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.urgent |= self.at.is_some_and(|at| at <= now);
    }

    /// Appends the record, in the newest epoch, if it is due.
    pub(crate) fn poll_transmit(
        &mut self,
        room: usize,
        records: &mut Records,
        buf: &mut Vec<u8>,
    ) -> bool {
        if !self.urgent {
            return false;
        }
        let epoch = records.write_epoch();
        if epoch == 0 {
            self.clear();
            return false;
        }
        let overhead = records.overhead(epoch) + 2;
        let count = room.saturating_sub(overhead) / Ack::NUMBER_LEN;
        if count == 0 {
            return false;
        }
        let mut numbers: Vec<RecordNumber> = self.due.iter().rev().take(count).copied().collect();
        self.clear();
        numbers.sort_unstable();
        let numbers = numbers.iter().map(|it| (u64::from(it.epoch), it.sequence));
        let mut payload = Vec::new();
        Ack {
            numbers: numbers.collect(),
        }
        .write(&mut payload);
        records.append(epoch, record::ACK, &[&payload], buf).is_ok()
    }
}

const MAX_DUE: usize = 64;

#[cfg(test)]
mod tests {
    use oxirtc_netsim::epoch;

    use super::*;
    use crate::{
        CipherSuite, Version,
        crypto::{aead::RecordKey, hkdf::Secret},
        record::split,
    };

    /// One that writes in epoch 3, and one that reads it.
    fn records() -> [Records; 2] {
        let key = || {
            let secret = Secret::new(&[7; 32]);
            RecordKey::of_traffic_secret(CipherSuite::Aes128Gcm, b"dtls13", &secret).unwrap()
        };
        let mut ends = [(); 2].map(|()| Records::new(u64::MAX));
        for end in &mut ends {
            end.set_version(Version::Dtls13);
            end.install_write(3, key());
            end.install_read(3, key());
        }
        ends
    }

    fn number(sequence: u64) -> RecordNumber {
        RecordNumber { epoch: 2, sequence }
    }

    /// The numbers that are said, and the length of the datagram.
    fn said(acks: &mut Acks, room: usize, records: &mut [Records; 2]) -> Option<(Vec<u64>, usize)> {
        let mut buf = Vec::new();
        let [ours, theirs] = records;
        if !acks.poll_transmit(room, ours, &mut buf) {
            assert!(buf.is_empty());
            return None;
        }
        let len = buf.len();
        let (mut raw, _) = split(&mut buf).unwrap();
        let opened = theirs.open(epoch(), &mut raw).unwrap();
        assert_eq!(opened.content, record::ACK);
        let ack = Ack::parse(opened.payload).unwrap();
        assert!(ack.numbers.iter().all(|(epoch, _)| *epoch == 2));
        let numbers = ack.numbers.iter().map(|(_, sequence)| *sequence);
        Some((numbers.collect(), len))
    }

    /// Header, inner type, tag and length of the list.
    const FRAME: usize = 5 + 1 + 16 + 2;

    #[test]
    fn the_newest_that_fit_are_said_in_order_and_once() {
        let now = epoch();
        for (room, expected) in [
            (1_200, 6..70),
            (FRAME + 16 * 64, 6..70),
            (FRAME + 16 * 64 - 1, 7..70),
            (FRAME + 16 * 3 + 15, 67..70),
            (FRAME + 16 * 3, 67..70),
            (FRAME + 16 * 3 - 1, 68..70),
        ] {
            let (mut acks, mut records) = (Acks::default(), records());
            for sequence in 0..70 {
                acks.note(now, number(sequence), None);
                // Again it is no news.
                acks.note(now, number(sequence.saturating_sub(1)), None);
            }
            let (numbers, len) = said(&mut acks, room, &mut records).unwrap();
            assert_eq!(numbers, expected.collect::<Vec<_>>());
            assert_eq!(len, FRAME + 16 * numbers.len());
            assert_eq!(said(&mut acks, room, &mut records), None);
        }
        let (mut acks, mut records) = (Acks::default(), records());
        for sequence in [5, 1, 9, 3] {
            acks.note(now, number(sequence), None);
        }
        let (numbers, _) = said(&mut acks, 1_200, &mut records).unwrap();
        assert_eq!(numbers, [1, 3, 5, 9]);
    }

    #[test]
    fn what_may_be_told_otherwise_waits_from_the_first_on() {
        let (now, ms) = (epoch(), Duration::from_millis);
        let (mut acks, mut records) = (Acks::default(), records());
        assert_eq!(acks.poll_timeout(), None);
        acks.hurry();
        assert_eq!(said(&mut acks, 1_200, &mut records), None);
        acks.note(now, number(1), Some(ms(50)));
        acks.note(now + ms(20), number(2), Some(ms(50)));
        assert_eq!(acks.poll_timeout(), Some(now + ms(50)));
        acks.handle_timeout(now + ms(49));
        assert_eq!(said(&mut acks, 1_200, &mut records), None);
        acks.handle_timeout(now + ms(50));
        assert_eq!(acks.poll_timeout(), None, "it is due");
        let (numbers, _) = said(&mut acks, 1_200, &mut records).unwrap();
        assert_eq!(numbers, [1, 2]);
        // Where there is no room for it, it waits.
        acks.note(now, number(3), None);
        assert_eq!(said(&mut acks, FRAME + 15, &mut records), None);
        let (numbers, _) = said(&mut acks, FRAME + 16, &mut records).unwrap();
        assert_eq!(numbers, [3]);
        // Something else has told the peer.
        acks.note(now, number(3), Some(ms(50)));
        acks.clear();
        assert_eq!(acks.poll_timeout(), None);
        // Nothing else will.
        acks.note(now, number(4), Some(ms(50)));
        acks.hurry();
        let (numbers, _) = said(&mut acks, 1_200, &mut records).unwrap();
        assert_eq!(numbers, [4]);
        // In the clear nothing is acknowledged.
        let mut clear = [(); 2].map(|()| Records::new(u64::MAX));
        acks.note(now, number(5), None);
        assert_eq!(said(&mut acks, 1_200, &mut clear), None);
        assert_eq!(
            said(&mut acks, 1_200, &mut records),
            None,
            "it is forgotten"
        );
    }
}
