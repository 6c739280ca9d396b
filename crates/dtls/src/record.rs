//! The record layer: one header, epochs, sequence numbers, protection (RFC 6347 §4.1).

use crate::{
    crypto::aead::{EXPLICIT_NONCE_LEN, RecordKey, TAG_LEN},
    error::Error,
    replay::Window,
};

/// The header in front of every record.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// | content_type  |            version            |     epoch     :
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// :               |                sequence_number                :
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// :                               |            length             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the record carries, by its registry number.
    pub content_type: u8,
    /// Any version of DTLS.
    pub version: u16,
    /// Which keys protect the record; 0 for none.
    pub epoch: u16,
    /// 48 bits.
    pub sequence: u64,
    /// The length of what follows, in bytes.
    pub length: usize,
}

impl Header {
    /// Takes the first record off a datagram: its header, its fragment, and the rest. `None` when what
    /// is left is no whole record of DTLS 1.0 to 1.2.
    pub fn split(datagram: &mut [u8]) -> Option<(Self, &mut [u8], &mut [u8])> {
        let (header, rest) = datagram.split_first_chunk_mut::<HEADER_LEN>()?;
        let &mut [
            content_type,
            major,
            minor,
            e0,
            e1,
            s0,
            s1,
            s2,
            s3,
            s4,
            s5,
            l0,
            l1,
        ] = header;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if major != 0xFE || length > MAX_FRAGMENT {
            return None;
        }
        let (fragment, rest) = rest.split_at_mut_checked(length)?;
        let header = Self {
            content_type,
            version: u16::from_be_bytes([major, minor]),
            epoch: u16::from_be_bytes([e0, e1]),
            sequence: u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]),
            length,
        };
        Some((header, fragment, rest))
    }

    /// The header's bytes.
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let [v0, v1] = self.version.to_be_bytes();
        let [e0, e1] = self.epoch.to_be_bytes();
        let [_, _, s0, s1, s2, s3, s4, s5] = self.sequence.to_be_bytes();
        let [.., l0, l1] = self.length.to_be_bytes();
        [
            self.content_type,
            v0,
            v1,
            e0,
            e1,
            s0,
            s1,
            s2,
            s3,
            s4,
            s5,
            l0,
            l1,
        ]
    }

    /// Epoch and sequence number in one, as nonces and additional data have them.
    fn number(self) -> u64 {
        u64::from(self.epoch) << 48 | self.sequence
    }
}

/// Why a record was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There are no keys for its epoch.
    Epoch,
    /// It was seen, or is too old.
    Replayed,
    /// It does not authenticate.
    Forged,
}

/// The epochs of one association: how records are written and opened in each.
pub(crate) struct Records {
    epochs: Vec<Epoch>,
}

struct Epoch {
    /// `None` in epoch 0.
    protection: Option<Protection>,
    /// Of the next record that is written.
    sequence: u64,
}

struct Protection {
    write: RecordKey,
    read: RecordKey,
    window: Window,
}

impl Records {
    pub(crate) fn new() -> Self {
        let plain = Epoch {
            protection: None,
            sequence: 0,
        };
        Self {
            epochs: vec![plain],
        }
    }

    /// Adds the next epoch, both directions at once.
    pub(crate) fn install(&mut self, write: RecordKey, read: RecordKey) {
        self.epochs.push(Epoch {
            protection: Some(Protection {
                write,
                read,
                window: Window::default(),
            }),
            sequence: 0,
        });
    }

    /// The highest epoch that has keys.
    pub(crate) fn newest_epoch(&self) -> u16 {
        u16::try_from(self.epochs.len().saturating_sub(1)).unwrap_or(u16::MAX)
    }

    /// Bytes a record of the epoch is longer than what it carries.
    pub(crate) fn overhead(&self, epoch: u16) -> usize {
        HEADER_LEN
            + self
                .protection(epoch)
                .map_or(0, |keys| keys.write.explicit_nonce_len() + TAG_LEN)
    }

    /// Bytes in front of the payload: exact once there are keys, the worst case before.
    pub(crate) fn headroom(&self) -> usize {
        let keys = self.protection(self.newest_epoch());
        HEADER_LEN + keys.map_or(EXPLICIT_NONCE_LEN, |keys| keys.write.explicit_nonce_len())
    }

    /// How many records can still be written in an epoch.
    pub(crate) fn remaining(&self, epoch: u16) -> u64 {
        self.epochs
            .get(usize::from(epoch))
            .map_or(0, |epoch| MAX_SEQUENCE + 1 - epoch.sequence)
    }

    /// Makes a record of what stands in `buf` from `start` on behind room for the header and the
    /// explicit nonce. On an error `buf` has its old length.
    pub(crate) fn seal(
        &mut self,
        epoch: u16,
        content_type: u8,
        buf: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), Error> {
        let state = self
            .epochs
            .get_mut(usize::from(epoch))
            .ok_or(Error::NotConnected)?;
        if state.sequence > MAX_SEQUENCE {
            return Err(Error::SequenceExhausted);
        }
        let mut header = Header {
            content_type,
            version: VERSION,
            epoch,
            sequence: state.sequence,
            length: 0,
        };
        let record = buf.get_mut(start..).ok_or(Error::Layout)?;
        let (place, fragment) = record.split_first_chunk_mut().ok_or(Error::Layout)?;
        let payload = match &state.protection {
            Some(keys) => fragment.len().checked_sub(keys.write.explicit_nonce_len()),
            None => Some(fragment.len()),
        };
        if payload.ok_or(Error::Layout)? > MAX_PLAINTEXT {
            return Err(Error::TooLarge);
        }
        let tag = match &state.protection {
            Some(keys) => {
                let sealed = keys.write.seal(header.number(), content_type, fragment);
                Some(sealed.ok_or(Error::Layout)?)
            }
            None => None,
        };
        header.length = fragment.len() + tag.map_or(0, |tag| tag.len());
        *place = header.to_bytes();
        buf.extend(tag.iter().flatten());
        state.sequence += 1;
        Ok(())
    }

    /// Appends a record that carries `payload`.
    pub(crate) fn append(
        &mut self,
        epoch: u16,
        content_type: u8,
        payload: &[&[u8]],
        buf: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let start = buf.len();
        let nonce = self
            .protection(epoch)
            .map_or(0, |keys| keys.write.explicit_nonce_len());
        buf.resize(start + HEADER_LEN + nonce, 0);
        payload.iter().for_each(|piece| buf.extend(*piece));
        let sealed = self.seal(epoch, content_type, buf, start);
        if sealed.is_err() {
            buf.truncate(start);
        }
        sealed
    }

    /// Opens a fragment in place. In epoch 0 it is given back as it is.
    pub(crate) fn open<'f>(
        &mut self,
        header: Header,
        fragment: &'f mut [u8],
    ) -> Result<&'f mut [u8], Refused> {
        let epoch = self
            .epochs
            .get_mut(usize::from(header.epoch))
            .ok_or(Refused::Epoch)?;
        let Some(keys) = &mut epoch.protection else {
            return Ok(fragment);
        };
        if !keys.window.check(header.sequence) {
            return Err(Refused::Replayed);
        }
        let opened = keys
            .read
            .open(header.number(), header.content_type, fragment);
        let opened = opened.ok_or(Refused::Forged)?;
        // RFC 6347 §4.1.2.6: the window must not move before the record is authenticated.
        keys.window.mark(header.sequence);
        Ok(opened)
    }

    fn protection(&self, epoch: u16) -> Option<&Protection> {
        self.epochs.get(usize::from(epoch))?.protection.as_ref()
    }

    #[cfg(test)]
    pub(crate) fn set_sequence(&mut self, epoch: u16, sequence: u64) {
        self.epochs[usize::from(epoch)].sequence = sequence;
    }
}

/// The length of a record header, in bytes.
pub const HEADER_LEN: usize = 13;
/// `change_cipher_spec`.
pub const CHANGE_CIPHER_SPEC: u8 = 20;
/// `alert`.
pub const ALERT: u8 = 21;
/// `handshake`.
pub const HANDSHAKE: u8 = 22;
/// `application_data`.
pub const APPLICATION_DATA: u8 = 23;
/// DTLS 1.2.
pub const VERSION: u16 = 0xFEFD;
/// The most a record carries (RFC 5246 §6.2.1), in bytes.
pub const MAX_PLAINTEXT: usize = 1 << 14;
const MAX_FRAGMENT: usize = MAX_PLAINTEXT + 2048;
/// RFC 6347 §4.1: a number must never be used twice, so the last is the end of the epoch.
pub(crate) const MAX_SEQUENCE: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::{CipherSuite, crypto::aead::RecordKeys};

    fn pair(suite: CipherSuite) -> (Records, Records) {
        let derive = || RecordKeys::derive(suite, &Zeroizing::new([7; 48]), &[1; 32], &[2; 32]);
        let (ours, theirs) = (derive().unwrap(), derive().unwrap());
        let (mut client, mut server) = (Records::new(), Records::new());
        client.install(ours.client, ours.server);
        server.install(theirs.server, theirs.client);
        (client, server)
    }

    #[test]
    fn headers_survive_a_round_trip_and_short_datagrams_are_refused() {
        let header = Header {
            content_type: HANDSHAKE,
            version: VERSION,
            epoch: 3,
            sequence: 0x0102_0304_0506,
            length: 2,
        };
        let mut datagram = [&header.to_bytes()[..], &[1, 2, 9]].concat();
        let (parsed, fragment, rest) = Header::split(&mut datagram).unwrap();
        assert_eq!(
            (parsed, &fragment[..], &rest[..]),
            (header, &[1, 2][..], &[9][..])
        );
        for end in 0..15 {
            assert!(Header::split(&mut datagram[..end]).is_none());
        }
        datagram[1] = 3;
        assert!(Header::split(&mut datagram).is_none(), "TLS, not DTLS");
    }

    /// Known failure 7: the nonce of a record is its number, so it is never used twice.
    #[test]
    fn nonces_are_epoch_and_sequence_number() {
        let (mut client, _) = pair(CipherSuite::EcdheEcdsaAes128Gcm);
        for sequence in 0..10_000_u64 {
            let mut buf = Vec::new();
            client
                .append(1, APPLICATION_DATA, &[b"x"], &mut buf)
                .unwrap();
            let nonce: [u8; 8] = buf[HEADER_LEN..HEADER_LEN + 8].try_into().unwrap();
            assert_eq!(u64::from_be_bytes(nonce), 1 << 48 | sequence);
            assert_eq!(buf[3..11], nonce);
        }
    }

    /// Known failure 9: a forged record with the highest number does not move the window.
    #[test]
    fn the_window_moves_only_for_what_authenticates() {
        for suite in CipherSuite::ALL {
            let (mut client, mut server) = pair(suite);
            let mut forged = Vec::new();
            client
                .append(1, APPLICATION_DATA, &[b"forged"], &mut forged)
                .unwrap();
            forged[5..11].fill(0xFF);
            let (header, fragment, _) = Header::split(&mut forged).unwrap();
            assert_eq!(server.open(header, fragment), Err(Refused::Forged));
            for _ in 0..1_000 {
                let mut record = Vec::new();
                client
                    .append(1, APPLICATION_DATA, &[b"genuine"], &mut record)
                    .unwrap();
                let mut again = record.clone();
                let (header, fragment, _) = Header::split(&mut record).unwrap();
                assert_eq!(server.open(header, fragment).unwrap(), b"genuine");
                let (header, fragment, _) = Header::split(&mut again).unwrap();
                assert_eq!(server.open(header, fragment), Err(Refused::Replayed));
            }
        }
    }

    #[test]
    fn the_last_sequence_number_is_used_once() {
        let (mut client, mut server) = pair(CipherSuite::EcdheEcdsaAes256Gcm);
        client.set_sequence(1, MAX_SEQUENCE);
        assert_eq!(client.remaining(1), 1);
        let mut record = Vec::new();
        client
            .append(1, APPLICATION_DATA, &[b"last"], &mut record)
            .unwrap();
        let (header, fragment, _) = Header::split(&mut record).unwrap();
        assert_eq!(server.open(header, fragment).unwrap(), b"last");
        let mut buf = vec![1, 2, 3];
        let refused = client.append(1, APPLICATION_DATA, &[b"more"], &mut buf);
        assert_eq!(
            (refused, buf),
            (Err(Error::SequenceExhausted), vec![1, 2, 3])
        );
    }
}
