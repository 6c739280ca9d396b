//! What comes: opened first, judged then.

use std::time::Instant;

use zeroize::Zeroizing;

use crate::{
    AlertDescription, Failure, Role,
    connection::{
        Connection, Sink, State,
        fate::{Fate, HeldRecord, Stage, judge},
    },
    message::{Ack, Fragment, Kind},
    reassembly::Outcome,
    record::{self, Opened, Raw, RecordNumber, Refused},
};

impl Connection {
    pub(super) fn handle_records(&mut self, now: Instant, datagram: &mut [u8], sink: Sink<'_>) {
        let mut rest = datagram;
        while !rest.is_empty() && !self.is_over() {
            let Some((raw, tail)) = record::split(rest) else {
                self.drop_record("no whole record");
                return;
            };
            self.handle_record(now, raw, sink);
            rest = tail;
        }
    }

    fn handle_record(&mut self, now: Instant, mut raw: Raw<'_>, sink: Sink<'_>) {
        match self.records.open(now, &mut raw) {
            Ok(opened) => self.act(now, opened, sink),
            Err(Refused::Replayed) => {
                self.stats.records_replayed += 1;
                self.trace_drop("record", "it was seen, or is too old");
            }
            Err(Refused::Forged) => {
                self.stats.records_forged += 1;
                self.trace_drop("record", "it does not authenticate");
            }
            Err(Refused::NoKeys) => self.hold(HeldRecord::Sealed(raw.to_vec())),
            Err(Refused::Malformed) => self.drop_record("it does not belong to the version"),
            Err(Refused::Empty) => self.refuse(AlertDescription::UNEXPECTED_MESSAGE),
            Err(Refused::TooLarge) => self.refuse(AlertDescription::RECORD_OVERFLOW),
            Err(Refused::Spent) => self.fail(
                Failure::KeyExhausted,
                Some(AlertDescription::INTERNAL_ERROR),
            ),
        }
    }

    fn act(&mut self, now: Instant, opened: Opened<'_>, sink: Sink<'_>) {
        let Opened {
            number,
            content,
            payload,
        } = opened;
        match judge(number.epoch, content, self.stage()) {
            Fate::Drop => self.drop_record("nothing of its kind counts here"),
            Fate::Skip => {}
            Fate::Hold => {
                let payload = Zeroizing::new(payload.to_vec());
                self.hold(HeldRecord::Opened {
                    number,
                    content,
                    payload,
                });
            }
            Fate::Handshake => self.handle_handshake(now, number, payload, sink),
            Fate::Ack => self.handle_ack(now, number.epoch, payload),
            Fate::Alert => self.handle_alert(number.epoch, payload),
            Fate::PlainAlert => self.note_plain_alert(now, payload),
            Fate::Data => self.deliver(payload, sink),
            Fate::Unexpected => self.refuse(AlertDescription::UNEXPECTED_MESSAGE),
        }
    }

    pub(super) fn stage(&self) -> Stage {
        match (&self.handshake, self.state) {
            (Some(_), _) => Stage::Handshaking,
            (None, State::Connected) => Stage::Connected,
            (None, _) => Stage::Complete,
        }
    }

    /// Nothing is held before there is anything to answer, and nothing sealed behind the handshake.
    fn hold(&mut self, record: HeldRecord) {
        let held: usize = self.held.records.iter().map(HeldRecord::len).sum();
        let full = self.held.records.len() == MAX_HELD_RECORDS
            || held + record.len() > MAX_HELD_RECORD_BYTES;
        if full || self.state != State::Connecting || self.stage() != Stage::Handshaking {
            self.drop_record("it comes too early, and nothing more is held");
            return;
        }
        self.held.records.push_back(record);
        self.note_held();
    }

    /// What came too early, again.
    pub(super) fn release_records(&mut self, now: Instant, sink: Sink<'_>) {
        for record in std::mem::take(&mut self.held.records) {
            match record {
                _ if self.is_over() => {}
                HeldRecord::Sealed(mut bytes) => self.handle_records(now, &mut bytes, sink),
                HeldRecord::Opened {
                    number,
                    content,
                    mut payload,
                } => {
                    let payload = &mut payload[..];
                    let opened = Opened {
                        number,
                        content,
                        payload,
                    };
                    self.act(now, opened, sink);
                }
            }
        }
    }

    fn note_held(&mut self) {
        let records: usize = self.held.records.iter().map(HeldRecord::len).sum();
        let held = (self.reassembly.held() + records) as u64;
        self.stats.reassembly_peak = self.stats.reassembly_peak.max(held);
    }

    fn handle_handshake(
        &mut self,
        now: Instant,
        number: RecordNumber,
        payload: &[u8],
        sink: Sink<'_>,
    ) {
        let (mut rest, mut kept) = (payload, !payload.is_empty());
        while !rest.is_empty() && !self.is_over() {
            let Ok((fragment, tail)) = Fragment::parse(rest) else {
                self.drop_message("no whole fragment");
                // RFC 9147 §5.5, RFC 8446 §6: who has the keys has no excuse.
                if number.epoch > 1 {
                    self.refuse(AlertDescription::DECODE_ERROR);
                }
                return;
            };
            rest = tail;
            match self.handle_fragment(now, number.epoch, &fragment) {
                Outcome::Stored | Outcome::Stale => {}
                Outcome::Dropped => {
                    kept = false;
                    self.drop_message("nobody waits for it, or there is no room");
                }
                Outcome::Contradiction => self.refuse(AlertDescription::ILLEGAL_PARAMETER),
            }
        }
        if kept && !self.is_over() {
            self.note_for_ack(now, number);
        }
        if self.state == State::New && self.role != Some(Role::Client) {
            self.records.answer_in(number.sequence);
        }
        self.advance(now, sink);
    }

    /// RFC 9147 §7.1: what was stored, or handled before, is acknowledged; what was dropped is not.
    fn note_for_ack(&mut self, now: Instant, number: RecordNumber) {
        if number.epoch == 0 {
            // Of these only those of the ServerHello of 1.3 will be.
            let room = self.hello_records.len() < MAX_HELLO_RECORDS;
            if self.role == Some(Role::Client) && room {
                self.hello_records.push(number);
            }
        } else if number.epoch > 1 {
            // Nothing that the peer waits for follows what comes behind the handshake.
            let wait = self
                .handshake
                .is_some()
                .then(|| self.outgoing.patience() / 4);
            self.acks.note(now, number, wait);
        }
    }

    fn handle_fragment(&mut self, now: Instant, epoch: u16, fragment: &Fragment<'_>) -> Outcome {
        let Some(handshake) = &mut self.handshake else {
            return self.handle_late_fragment(now, epoch, fragment);
        };
        // The role is fixed when the hello is taken.
        if self.role.is_none() && fragment.kind == Kind::ClientHello.id() {
            handshake.start_server(&self.config);
        }
        // RFC 6347 §4.1.2.7: before our first flight left there is nobody who could answer it.
        if !handshake.is_begun() || !handshake.admits(fragment.kind, epoch) {
            // RFC 5246 §7.2.2: who has the keys of 1.2 says nothing but Finished here.
            if epoch == 1 {
                self.refuse(AlertDescription::UNEXPECTED_MESSAGE);
            }
            return Outcome::Dropped;
        }
        // What has no place here is judged only where nobody else can have said it.
        if !handshake.keeps(fragment.kind) && !self.config.doubt.is_zero() {
            return Outcome::Dropped;
        }
        let is_1_3 = handshake.is_1_3();
        let outcome = self.reassembly.insert(epoch, *fragment);
        self.note_held();
        if matches!(outcome, Outcome::Stored | Outcome::Stale) {
            self.ease_doubt(now);
        }
        match outcome {
            // The client has our flight when it says what follows it. In 1.2 that is in the clear, so
            // anybody's: there only our next flight ends the last.
            Outcome::Stored if is_1_3 && self.role == Some(Role::Server) => {
                self.outgoing.answered()
            }
            Outcome::Stale => {
                let again = self.outgoing.handle_repetition(now, epoch > 0);
                self.stats.retransmissions += u64::from(again);
            }
            _ => {}
        }
        outcome
    }

    fn handle_ack(&mut self, now: Instant, epoch: u16, payload: &[u8]) {
        let Ok(ack) = Ack::parse(payload) else {
            self.refuse(AlertDescription::DECODE_ERROR);
            return;
        };
        let number = |(epoch, sequence): (u64, u64)| {
            let epoch = u16::try_from(epoch).ok()?;
            Some(RecordNumber { epoch, sequence })
        };
        let numbers: Vec<RecordNumber> = ack.numbers.into_iter().filter_map(number).collect();
        let acknowledged = self.outgoing.acknowledge(now, epoch, &numbers);
        self.handle_acknowledged(acknowledged);
    }
}

/// Records that wait for keys, or for Finished.
const MAX_HELD_RECORDS: usize = 32;
const MAX_HELD_RECORD_BYTES: usize = 16 << 10;
const MAX_HELLO_RECORDS: usize = 8;
