//! What becomes of a record, by the one table that says so, and what came too early.

use zeroize::Zeroizing;

use crate::record::{self, RecordNumber};

/// How far the handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Handshaking,
    /// Complete, but the peer's certificate is not verified.
    Complete,
    Connected,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Drop,
    /// It says what each header says already.
    Skip,
    /// Held till Finished.
    Hold,
    Handshake,
    Ack,
    Alert,
    /// Anybody's word.
    PlainAlert,
    Data,
    /// Its sender has the keys, and errs.
    Unexpected,
}

/// What came too early.
pub(super) enum HeldRecord {
    /// There are no keys for it yet.
    Sealed(Vec<u8>),
    /// Nothing of it counts before the peer's Finished.
    Opened {
        number: RecordNumber,
        content: u8,
        payload: Zeroizing<Vec<u8>>,
    },
}

/// The fate of a record of this epoch and content type. Epoch 1 is 1.2's alone, those above are 1.3's.
pub(super) fn judge(epoch: u16, content: u8, stage: Stage) -> Fate {
    use record::{ACK, ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE};

    match (epoch, content, stage) {
        (0, HANDSHAKE, Stage::Handshaking) => Fate::Handshake,
        (0, ALERT, Stage::Handshaking) => Fate::PlainAlert,
        (0, CHANGE_CIPHER_SPEC, Stage::Handshaking) => Fate::Skip,
        // RFC 6347 §4.2.8: what anybody can make does nothing to a live association, and application
        // data in the clear is never anybody's.
        (0, ..) => Fate::Drop,
        (1, APPLICATION_DATA | ALERT, Stage::Handshaking) => Fate::Hold,
        (1, APPLICATION_DATA, _) => Fate::Data,
        (_, HANDSHAKE, _) => Fate::Handshake,
        (_, ALERT, _) => Fate::Alert,
        (1, ..) => Fate::Drop,
        (_, ACK, _) => Fate::Ack,
        (3.., APPLICATION_DATA, Stage::Complete | Stage::Connected) => Fate::Data,
        _ => Fate::Unexpected,
    }
}

impl HeldRecord {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Sealed(bytes) => bytes.len(),
            Self::Opened { payload, .. } => payload.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table.
    #[test]
    fn every_record_has_its_fate() {
        use Fate::{Ack, Alert, Data, Drop, Handshake, Hold, PlainAlert, Skip, Unexpected};
        // By content type: 20, 21, 22, 23, 26, another one.
        let stages = [Stage::Handshaking, Stage::Complete, Stage::Connected];
        let table = [
            (
                0,
                [
                    [Skip, PlainAlert, Handshake, Drop, Drop, Drop],
                    [Drop; 6],
                    [Drop; 6],
                ],
            ),
            (
                1,
                [
                    [Drop, Hold, Handshake, Hold, Drop, Drop],
                    [Drop, Alert, Handshake, Data, Drop, Drop],
                    [Drop, Alert, Handshake, Data, Drop, Drop],
                ],
            ),
            (
                2,
                [[Unexpected, Alert, Handshake, Unexpected, Ack, Unexpected]; 3],
            ),
            (
                3,
                [
                    [Unexpected, Alert, Handshake, Unexpected, Ack, Unexpected],
                    [Unexpected, Alert, Handshake, Data, Ack, Unexpected],
                    [Unexpected, Alert, Handshake, Data, Ack, Unexpected],
                ],
            ),
        ];
        for (epoch, rows) in table {
            for (stage, row) in stages.into_iter().zip(rows) {
                for (content, fate) in [20, 21, 22, 23, 26, 99].into_iter().zip(row) {
                    assert_eq!(
                        judge(epoch, content, stage),
                        fate,
                        "{epoch} {content} {stage:?}"
                    );
                }
            }
        }
        assert_eq!(judge(9, 23, Stage::Connected), Data);
    }
}
