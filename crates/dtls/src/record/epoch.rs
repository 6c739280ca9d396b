use std::{ops::Range, time::Instant};

use byteorder::{BigEndian, ByteOrder};

use crate::{
    crypto::aead::RecordKey,
    record::{
        header12::Header,
        header13::{Unified, number_len},
        limits::MAX_FORGED,
        number13,
        replay::Window,
        wire::VERSION,
    },
};

/// Why a record was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There are no keys for its epoch.
    NoKeys,
    /// It was seen, or is too old.
    Replayed,
    /// It does not authenticate.
    Forged,
    /// It is no record of the version that is spoken, or too long for one in the clear.
    Malformed,
    /// It authenticates, and carries nothing at all, or too much: its sender errs.
    Empty,
    TooLarge,
    /// So many forgeries were tried that the key is worn out.
    Spent,
}

/// How records are written in one epoch.
pub(super) struct WriteEpoch {
    pub(super) epoch: u16,
    /// `None` in epoch 0.
    pub(super) keys: Option<RecordKey>,
    /// Of the next record.
    pub(super) next: u64,
}

/// How records are read in one epoch.
pub(super) struct ReadEpoch {
    pub(super) epoch: u16,
    /// `None` in epoch 0.
    pub(super) keys: Option<RecordKey>,
    pub(super) window: Window,
    /// Records that did not authenticate.
    pub(super) forged: u64,
    /// When a newer epoch has taken over for good.
    pub(super) until: Option<Instant>,
}

impl WriteEpoch {
    pub(super) fn new(epoch: u16, keys: Option<RecordKey>) -> Self {
        Self {
            epoch,
            keys,
            next: 0,
        }
    }
}

impl ReadEpoch {
    pub(super) fn new(epoch: u16, keys: Option<RecordKey>) -> Self {
        Self {
            epoch,
            keys,
            window: Window::default(),
            forged: 0,
            until: None,
        }
    }

    /// Where the payload stands in the body, if it authenticates.
    pub(super) fn open_1_2(
        &self,
        header: Header,
        body: &mut [u8],
    ) -> Result<Range<usize>, Refused> {
        let keys = self.keys.as_ref().ok_or(Refused::NoKeys)?;
        if header.version != VERSION {
            return Err(Refused::Malformed);
        }
        self.check_new(header.sequence)?;
        let opened = keys.open_1_2(header.number(), header.content_type, body);
        opened.ok_or(Refused::Forged)
    }

    /// The number of the record, and where its plaintext stands in the body, if it authenticates. The
    /// number in the header is decrypted in place, as it is authenticated in the clear.
    pub(super) fn open_1_3(
        &self,
        unified: Unified,
        header: &mut [u8],
        body: &mut [u8],
    ) -> (u64, Result<Range<usize>, Refused>) {
        let Some(keys) = &self.keys else {
            return (0, Err(Refused::NoKeys));
        };
        let number = header.get_mut(1..1 + number_len(unified.wide));
        let (Some(mask), Some(number)) = (keys.mask(body), number) else {
            return (0, Err(Refused::Malformed));
        };
        number13::mask(number, mask);
        let bits = 8 * number.len() as u32;
        let low = BigEndian::read_uint(number, number.len()) as u16;
        let sequence = number13::expand(low, bits, self.window.end());
        let result = self.check_new(sequence).and_then(|()| {
            let opened = keys.open_1_3(sequence, header, body);
            opened.ok_or(Refused::Forged)
        });
        (sequence, result)
    }

    fn check_new(&self, sequence: u64) -> Result<(), Refused> {
        if self.forged >= MAX_FORGED {
            return Err(Refused::Spent);
        }
        match self.window.check(sequence) {
            true => Ok(()),
            false => Err(Refused::Replayed),
        }
    }

    /// Nothing moves before the record is authenticated (RFC 6347 §4.1.2.6, RFC 9147 §4.5.1), but
    /// forgeries are counted (RFC 9147 §4.5.3).
    pub(super) fn account<T>(
        &mut self,
        sequence: u64,
        result: Result<T, Refused>,
    ) -> Result<T, Refused> {
        match &result {
            Ok(_) => self.window.mark(sequence),
            Err(Refused::Forged) => self.forged += 1,
            Err(_) => {}
        }
        result
    }
}
