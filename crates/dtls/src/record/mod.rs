//! The record layer of both versions: headers, epochs, numbers, protection (RFC 6347 §4.1,
//! RFC 9147 §4). A record is cut off its datagram without any state, opened, and only then judged.

mod epoch;
mod header12;
mod header13;
mod limits;
mod number13;
mod replay;
#[cfg(test)]
mod tests;
mod wire;

use std::time::{Duration, Instant};

pub(crate) use epoch::Refused;
use epoch::{ReadEpoch, WriteEpoch};
pub use header12::{HEADER_LEN, Header};
use header13::Unified;

use crate::{
    Version,
    crypto::aead::{EXPLICIT_NONCE_LEN, RecordKey, TAG_LEN},
    error::Error,
};
pub(crate) use limits::Limit;
use wire::MAX_CIPHERTEXT;
#[cfg(test)]
pub(crate) use wire::MAX_SEQUENCE;
pub use wire::{
    ACK, ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, MAX_PLAINTEXT, VERSION,
};
pub(crate) use wire::{APPLICATION_EPOCH, HANDSHAKE_EPOCH};

/// Which record: its epoch, and its number in it. Numbers are 48 bits in both versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordNumber {
    pub(crate) epoch: u16,
    pub(crate) sequence: u64,
}

/// A record as it was cut off its datagram.
pub(crate) struct Raw<'d> {
    head: Head,
    header: &'d mut [u8],
    body: &'d mut [u8],
}

#[derive(Clone, Copy)]
enum Head {
    Plain(Header),
    Unified(Unified),
}

/// A record that was opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened<'d> {
    pub(crate) number: RecordNumber,
    /// What it carries, by its registry number.
    pub(crate) content: u8,
    pub(crate) payload: &'d mut [u8],
}

/// The epochs of one association, each direction for itself.
pub(crate) struct Records {
    version: Option<Version>,
    /// Both ascending and never empty; the first is epoch 0.
    write: Vec<WriteEpoch>,
    read: Vec<ReadEpoch>,
    /// The newest epoch in which a record of 1.3 was opened: above 0 the clear is noise.
    heard: u16,
    /// When the first of the old epochs ends.
    expiry: Option<Instant>,
    /// After how many records a key of 1.3 is renewed, if its limit does not say so earlier.
    renew_after: u64,
}

/// Cuts the first record off a datagram, by its first byte alone: RFC 9147 §4.1. `None` when what is
/// left is no whole record.
pub(crate) fn split(datagram: &mut [u8]) -> Option<(Raw<'_>, &mut [u8])> {
    let (head, header_len, length) = match *datagram.first()? {
        CHANGE_CIPHER_SPEC..=APPLICATION_DATA | ACK => {
            let header = Header::parse(datagram)?;
            (Head::Plain(header), HEADER_LEN, Some(header.length))
        }
        _ => {
            let header = Unified::parse(datagram)?;
            if header.length.is_some_and(|length| length > MAX_CIPHERTEXT) {
                return None;
            }
            (Head::Unified(header), header.len(), header.length)
        }
    };
    let (header, rest) = datagram.split_at_mut_checked(header_len)?;
    let (body, rest) = match length {
        Some(length) => rest.split_at_mut_checked(length)?,
        None => (rest, Default::default()),
    };
    Some((Raw { head, header, body }, rest))
}

impl Raw<'_> {
    /// The record as it was, to be held.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        [&*self.header, &*self.body].concat()
    }
}

impl Records {
    pub(crate) fn new(renew_after: u64) -> Self {
        Self {
            version: None,
            write: vec![WriteEpoch::new(0, None)],
            read: vec![ReadEpoch::new(0, None)],
            heard: 0,
            expiry: None,
            renew_after,
        }
    }

    pub(crate) fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    pub(crate) fn version(&self) -> Option<Version> {
        self.version
    }

    /// Records of this epoch can be written from now on.
    pub(crate) fn install_write(&mut self, epoch: u16, keys: RecordKey) {
        self.write.push(WriteEpoch::new(epoch, Some(keys)));
    }

    /// Records of this epoch can be read from now on. At most three epochs with keys are kept: two bits
    /// on the wire name one.
    pub(crate) fn install_read(&mut self, epoch: u16, keys: RecordKey) {
        self.read.push(ReadEpoch::new(epoch, Some(keys)));
        while self.read.len() > 1 + MAX_READ_EPOCHS {
            self.read.remove(1);
        }
    }

    /// RFC 6347 §4.2.1: what answers a hello begins with the number of its record, as another connection may have answered the one
    /// before. Anybody can have written it: one that leaves few is passed over.
    pub(crate) fn answer_in(&mut self, sequence: u64) {
        let plain = self.write.first_mut();
        if let Some(plain) = plain.filter(|_| sequence <= MAX_ANSWERED) {
            plain.next = plain.next.max(sequence);
        }
    }

    /// Drops the epochs that nothing is written in any more.
    pub(crate) fn retire(&mut self, needed: impl Fn(u16) -> bool) {
        let newest = self.write_epoch();
        self.write
            .retain(|it| it.epoch == 0 || it.epoch == newest || needed(it.epoch));
    }

    /// The newest epoch that we write in.
    pub(crate) fn write_epoch(&self) -> u16 {
        self.write.last().map_or(0, |it| it.epoch)
    }

    /// The newest epoch that we read.
    pub(crate) fn read_epoch(&self) -> u16 {
        self.read.last().map_or(0, |it| it.epoch)
    }

    /// Bytes a record of the epoch is longer than what it carries.
    pub(crate) fn overhead(&self, epoch: u16) -> usize {
        match self.keys(epoch) {
            Some(keys) if keys.is_1_3() => header13::LEN + 1 + TAG_LEN,
            Some(keys) => HEADER_LEN + keys.explicit_nonce_len() + TAG_LEN,
            None => HEADER_LEN,
        }
    }

    /// Whether a record of the epoch may carry several fragments: where each of them is acknowledged.
    pub(crate) fn packs(&self, epoch: u16) -> bool {
        self.keys(epoch).is_some_and(RecordKey::is_1_3)
    }

    /// Bytes in front of the payload: exact once there are keys, the worst case before.
    pub(crate) fn headroom(&self) -> usize {
        match self.keys(self.write_epoch()) {
            Some(keys) if keys.is_1_3() => header13::LEN,
            Some(keys) => HEADER_LEN + keys.explicit_nonce_len(),
            None => HEADER_LEN + EXPLICIT_NONCE_LEN,
        }
    }

    /// Bytes behind the payload: exact once there are keys, the worst case before.
    pub(crate) fn tailroom(&self, worst: Version) -> usize {
        let keys = self.keys(self.write_epoch());
        match keys.map_or(worst == Version::Dtls13, RecordKey::is_1_3) {
            true => 1 + TAG_LEN,
            false => TAG_LEN,
        }
    }

    /// How many records can still be written in an epoch.
    pub(crate) fn remaining(&self, epoch: u16) -> u64 {
        let state = self.write.iter().rev().find(|it| it.epoch == epoch);
        state.map_or(0, |it| limit(it).records.saturating_sub(it.next))
    }

    /// Whether the newest epoch has written so much that its key should be renewed.
    pub(crate) fn wants_renewal(&self) -> bool {
        let wants = |it: &WriteEpoch| {
            let renew = limit(it).renew;
            // 1.2 has no updates.
            renew < u64::MAX && it.next >= renew.min(self.renew_after)
        };
        self.write.last().is_some_and(wants)
    }

    /// Makes a record of what stands in `buf` from `start` on behind room for the header and the
    /// explicit nonce. On an error `buf` has its old length.
    pub(crate) fn seal(
        &mut self,
        epoch: u16,
        content: u8,
        buf: &mut Vec<u8>,
        start: usize,
    ) -> Result<RecordNumber, Error> {
        let state = self.write.iter_mut().rev().find(|it| it.epoch == epoch);
        let state = state.ok_or(Error::NotConnected)?;
        let sequence = state.next;
        if !limit(state).admits(sequence) {
            return Err(Error::KeyExhausted);
        }
        let number = RecordNumber { epoch, sequence };
        let record = buf.get_mut(start..).ok_or(Error::Layout)?;
        let prefix = match &state.keys {
            Some(keys) if keys.is_1_3() => header13::LEN,
            Some(keys) => HEADER_LEN + keys.explicit_nonce_len(),
            None => HEADER_LEN,
        };
        let payload = record.len().checked_sub(prefix).ok_or(Error::Layout)?;
        if payload > MAX_PLAINTEXT {
            return Err(Error::TooLarge);
        }
        let given = buf.len();
        // A number is used up even when sealing fails: no key sees it twice.
        state.next += 1;
        match &state.keys {
            Some(keys) if keys.is_1_3() => {
                buf.push(content);
                let sealed = seal_1_3(keys, number, buf, start);
                sealed.inspect_err(|_| buf.truncate(given))?;
            }
            keys => seal_1_2(keys.as_ref(), number, content, buf, start)?,
        }
        Ok(number)
    }

    /// Appends a record that carries `payload`. On an error `buf` has its old length.
    pub(crate) fn append(
        &mut self,
        epoch: u16,
        content: u8,
        payload: &[&[u8]],
        buf: &mut Vec<u8>,
    ) -> Result<RecordNumber, Error> {
        let start = buf.len();
        let prefix = match self.keys(epoch) {
            Some(keys) if keys.is_1_3() => header13::LEN,
            Some(keys) => HEADER_LEN + keys.explicit_nonce_len(),
            None => HEADER_LEN,
        };
        buf.resize(start + prefix, 0);
        payload.iter().for_each(|piece| buf.extend(*piece));
        let sealed = self.seal(epoch, content, buf, start);
        sealed.inspect_err(|_| buf.truncate(start))
    }

    /// Opens a record in place. Where there are no keys it is left as it was, and can be held.
    pub(crate) fn open<'d>(
        &mut self,
        now: Instant,
        raw: &mut Raw<'d>,
    ) -> Result<Opened<'d>, Refused> {
        match (raw.head, self.version) {
            (Head::Plain(header), _) if header.epoch == 0 => self.open_plain(header, raw),
            (Head::Plain(_), Some(Version::Dtls13)) | (Head::Unified(_), Some(Version::Dtls12)) => {
                Err(Refused::Malformed)
            }
            (_, None) => Err(Refused::NoKeys),
            (Head::Plain(header), Some(_)) => self.open_1_2(header, raw),
            (Head::Unified(header), Some(_)) => self.open_1_3(now, header, raw),
        }
    }

    fn open_plain<'d>(&self, header: Header, raw: &mut Raw<'d>) -> Result<Opened<'d>, Refused> {
        // RFC 5246 §6.2.1: so long a record is none, whoever made it.
        match self.heard > 0 || raw.body.len() > MAX_PLAINTEXT {
            true => Err(Refused::Malformed),
            false => Ok(Opened {
                number: RecordNumber {
                    epoch: 0,
                    sequence: header.sequence,
                },
                content: header.content_type,
                payload: std::mem::take(&mut raw.body),
            }),
        }
    }

    fn open_1_2<'d>(&mut self, header: Header, raw: &mut Raw<'d>) -> Result<Opened<'d>, Refused> {
        let known = |it: &&mut ReadEpoch| it.keys.is_some() && it.epoch == header.epoch;
        let state = self.read.iter_mut().rev().find(known);
        let state = state.ok_or(Refused::NoKeys)?;
        let result = state.open_1_2(header, raw.body);
        let range = state.account(header.sequence, result)?;
        // RFC 5246 §6.2.1: what the cipher leaves room for is not all payload.
        if range.len() > MAX_PLAINTEXT {
            return Err(Refused::TooLarge);
        }
        let body = std::mem::take(&mut raw.body);
        Ok(Opened {
            number: RecordNumber {
                epoch: header.epoch,
                sequence: header.sequence,
            },
            content: header.content_type,
            payload: body.get_mut(range).unwrap_or_default(),
        })
    }

    fn open_1_3<'d>(
        &mut self,
        now: Instant,
        header: Unified,
        raw: &mut Raw<'d>,
    ) -> Result<Opened<'d>, Refused> {
        if self.expiry.is_some_and(|at| at <= now) {
            self.expire(now);
        }
        let fits = |it: &&mut ReadEpoch| it.keys.is_some() && (it.epoch & 3) as u8 == header.low;
        let state = self.read.iter_mut().rev().find(fits);
        let state = state.ok_or(Refused::NoKeys)?;
        let epoch = state.epoch;
        let (sequence, result) = state.open_1_3(header, raw.header, raw.body);
        let range = state.account(sequence, result)?;
        if epoch > self.heard {
            self.settle_epochs(now, epoch);
        }
        let body = std::mem::take(&mut raw.body);
        let (content, payload) = inner(body.get_mut(range).unwrap_or_default())?;
        Ok(Opened {
            number: RecordNumber { epoch, sequence },
            content,
            payload,
        })
    }

    /// The peer writes in this epoch: it has done with the clear, and soon with older ones.
    fn settle_epochs(&mut self, now: Instant, epoch: u16) {
        self.heard = epoch;
        for older in self.read.iter_mut().skip(1).filter(|it| it.epoch < epoch) {
            older.until.get_or_insert(now + OLD_EPOCH);
        }
        self.expiry = self.read.iter().filter_map(|it| it.until).min();
    }

    fn expire(&mut self, now: Instant) {
        self.read
            .retain(|it| it.until.is_none_or(|until| now < until));
        self.expiry = self.read.iter().filter_map(|it| it.until).min();
    }

    fn keys(&self, epoch: u16) -> Option<&RecordKey> {
        // The newest is asked for most.
        let state = self.write.iter().rev().find(|it| it.epoch == epoch)?;
        state.keys.as_ref()
    }

    #[cfg(test)]
    pub(crate) fn set_sequence(&mut self, epoch: u16, sequence: u64) {
        let state = self.write.iter_mut().find(|it| it.epoch == epoch);
        state.unwrap().next = sequence;
    }

    /// The limit of the newest keys that write.
    #[cfg(test)]
    pub(crate) fn set_limit(&mut self, limit: Limit) {
        let newest = self.write.last_mut().and_then(|it| it.keys.as_mut());
        newest.unwrap().set_limit(limit);
    }

    /// How many records of an epoch did not authenticate.
    #[cfg(test)]
    pub(crate) fn set_forged(&mut self, epoch: u16, forged: u64) {
        let state = self.read.iter_mut().find(|it| it.epoch == epoch);
        state.unwrap().forged = forged;
    }
}

fn limit(state: &WriteEpoch) -> Limit {
    state.keys.as_ref().map_or(Limit::V12, RecordKey::limit)
}

fn seal_1_2(
    keys: Option<&RecordKey>,
    number: RecordNumber,
    content_type: u8,
    buf: &mut Vec<u8>,
    start: usize,
) -> Result<(), Error> {
    let mut header = Header {
        content_type,
        version: VERSION,
        epoch: number.epoch,
        sequence: number.sequence,
        length: 0,
    };
    let record = buf.get_mut(start..).ok_or(Error::Layout)?;
    let (place, fragment) = record.split_first_chunk_mut().ok_or(Error::Layout)?;
    let tag = match keys {
        Some(keys) => {
            let sealed = keys.seal_1_2(header.number(), content_type, fragment);
            Some(sealed.ok_or(Error::Layout)?)
        }
        None => None,
    };
    header.length = fragment.len() + tag.map_or(0, |tag| tag.len());
    *place = header.to_bytes();
    if let Some(tag) = tag {
        buf.extend_from_slice(&tag);
    }
    Ok(())
}

/// RFC 9147 §4: the additional data is the header with the number in the clear, which is masked last.
fn seal_1_3(
    keys: &RecordKey,
    number: RecordNumber,
    buf: &mut Vec<u8>,
    start: usize,
) -> Result<(), Error> {
    let record = buf.get_mut(start..).ok_or(Error::Layout)?;
    let (header, plaintext) = record.split_first_chunk_mut().ok_or(Error::Layout)?;
    header13::write(
        header,
        number.epoch,
        number.sequence,
        plaintext.len() + TAG_LEN,
    );
    let tag = keys.seal_1_3(number.sequence, header, plaintext);
    buf.extend_from_slice(&tag.ok_or(Error::Layout)?);
    let record = buf.get_mut(start..).ok_or(Error::Layout)?;
    let (header, ciphertext) = record
        .split_at_mut_checked(header13::LEN)
        .ok_or(Error::Layout)?;
    let mask = keys.mask(ciphertext).ok_or(Error::Layout)?;
    number13::mask(header.get_mut(1..3).unwrap_or_default(), mask);
    Ok(())
}

/// RFC 8446 §5.2, §5.4: the type is the last byte that is not zero; padding counts.
fn inner(plaintext: &mut [u8]) -> Result<(u8, &mut [u8]), Refused> {
    if plaintext.len() > MAX_PLAINTEXT + 1 {
        return Err(Refused::TooLarge);
    }
    let end = plaintext.iter().rposition(|byte| *byte != 0);
    let end = end.ok_or(Refused::Empty)?;
    let (payload, rest) = plaintext.split_at_mut_checked(end).ok_or(Refused::Empty)?;
    let content = rest.first().ok_or(Refused::Empty)?;
    Ok((*content, payload))
}

const MAX_READ_EPOCHS: usize = 3;
/// More records than any client says before it is answered.
const MAX_ANSWERED: u64 = 1 << 32;
/// RFC 9147 §4.2.1: twice the longest life of a datagram.
const OLD_EPOCH: Duration = Duration::from_secs(240);
