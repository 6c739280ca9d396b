//! What comes behind Finished: repetitions, KeyUpdate, tickets, renegotiation.

use std::time::Instant;

use crate::{
    Alert, AlertDescription, Error, Failure, Role, Version,
    connection::{Connection, State},
    handshake::Secrets,
    message::{Fragment, KeyUpdate, Kind, Message},
    outgoing::Acknowledged,
    reassembly::Outcome,
    record,
};

impl Connection {
    /// Renews the key that we write with, and with `request` asks the peer to renew its own. In 1.3; it
    /// also happens by itself long before a key is worn out. Our new key is used when the peer has
    /// acknowledged the update.
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::NoKeyUpdate`] in 1.2, and [`Error::KeyExhausted`] when all
    /// 65,536 numbers of messages are used.
    pub fn update_keys(&mut self, request: bool) -> Result<(), Error> {
        let session = self.session().ok_or(Error::NotConnected)?;
        if session.negotiated.version != Version::Dtls13 {
            return Err(Error::NoKeyUpdate);
        }
        if self.outgoing.is_spent() {
            return Err(Error::KeyExhausted);
        }
        if self.outgoing.is_busy_after() {
            // One is under way already; only a request says more than it does.
            self.update_queued |= request;
            return Ok(());
        }
        self.start_update(request);
        Ok(())
    }

    /// Renews our key when it has written much.
    pub(super) fn renew_keys(&mut self) {
        let connected = self.state == State::Connected;
        if connected && self.records.wants_renewal() && !self.outgoing.is_busy_after() {
            self.start_update(false);
        }
    }

    /// Without a number for the message the limits of the key end it.
    fn start_update(&mut self, request: bool) {
        if self.outgoing.is_spent() {
            return;
        }
        let mut body = Vec::new();
        KeyUpdate { request }.write(&mut body);
        self.outgoing.begin_after();
        let epoch = self.records.write_epoch();
        #[cfg(test)]
        if let Some(edit) = &mut self.edit {
            let draft = crate::tests::peer::Draft::new(epoch, Kind::KeyUpdate.id(), body);
            for draft in edit(draft).into_iter().filter(|draft| draft.sent) {
                let (epoch, kind) = (draft.epoch, draft.kind);
                self.outgoing.push_after(epoch, kind, &draft.body);
            }
            return;
        }
        self.outgoing.push_after(epoch, Kind::KeyUpdate.id(), &body);
    }

    pub(super) fn handle_acknowledged(&mut self, acknowledged: Acknowledged) {
        match acknowledged {
            Acknowledged::Nothing | Acknowledged::Part => {}
            // RFC 9147 §8: only now does the peer know of the new keys.
            Acknowledged::After => {
                if self.install_next_write().is_none() {
                    self.fail_keys();
                    return;
                }
                if std::mem::take(&mut self.update_queued) {
                    self.start_update(true);
                }
            }
        }
        let outgoing = &self.outgoing;
        self.records.retire(|epoch| outgoing.needs(epoch));
    }

    fn install_next_write(&mut self) -> Option<()> {
        let secrets = self.session.as_mut().map(|session| &mut session.secrets);
        let Some(Secrets::V13(secrets)) = secrets else {
            return None;
        };
        let next = secrets.write.next()?;
        let epoch = self.records.write_epoch().checked_add(1)?;
        self.records.install_write(epoch, next.keys()?);
        secrets.write = next;
        Some(())
    }

    fn install_next_read(&mut self) -> Option<()> {
        let secrets = self.session.as_mut().map(|session| &mut session.secrets);
        let Some(Secrets::V13(secrets)) = secrets else {
            return None;
        };
        let next = secrets.read.next()?;
        let epoch = self.records.read_epoch().checked_add(1)?;
        self.records.install_read(epoch, next.keys()?);
        secrets.read = next;
        Some(())
    }

    fn fail_keys(&mut self) {
        let alert = AlertDescription::INTERNAL_ERROR;
        self.fail(Failure::KeyExhausted, Some(alert));
    }

    /// A fragment behind the handshake, which only the peer can have made.
    pub(super) fn handle_late_fragment(
        &mut self,
        now: Instant,
        epoch: u16,
        fragment: &Fragment<'_>,
    ) -> Outcome {
        if epoch == 1 {
            return self.handle_late_message(now, fragment);
        }
        let outcome = self.reassembly.check_next(fragment.sequence);
        if outcome == Outcome::Stale {
            // The peer lacks our last flight, or our ACK of its own.
            let again = self.outgoing.handle_repetition(now, true);
            self.stats.retransmissions += u64::from(again);
            return Outcome::Stale;
        }
        // RFC 9147 §8: until the peer has heard that its update came, it goes on under the keys before.
        if epoch < record::APPLICATION_EPOCH {
            self.refuse(AlertDescription::UNEXPECTED_MESSAGE);
            return Outcome::Dropped;
        }
        self.reassembly.insert(epoch, *fragment)
    }

    /// In 1.2.
    fn handle_late_message(&mut self, now: Instant, fragment: &Fragment<'_>) -> Outcome {
        match Kind::from_id(fragment.kind) {
            // RFC 6347 §4.2.4: our last flight was lost.
            Some(Kind::Finished) => {
                let again = self.outgoing.handle_repetition(now, true);
                self.stats.retransmissions += u64::from(again);
                Outcome::Stale
            }
            // RFC 5246 §7.2.2: renegotiation is refused, and the association goes on.
            Some(Kind::HelloRequest | Kind::ClientHello) => {
                self.say_alert(Alert::warning(AlertDescription::NO_RENEGOTIATION));
                Outcome::Stale
            }
            _ => Outcome::Dropped,
        }
    }

    /// Handles the messages of 1.3 that are complete, behind the handshake.
    pub(super) fn advance_late(&mut self) {
        while let Some(front) = self.reassembly.front() {
            let (sequence, kind) = (front.sequence, Kind::from_id(front.kind));
            // RFC 8446 §5.1: nothing stands behind Finished under its keys. RFC 9147 §8: nor a second update behind one under
            // the keys that it ends.
            let updates = kind == Some(Kind::KeyUpdate) && front.epoch != self.records.read_epoch();
            if front.epoch < record::APPLICATION_EPOCH || updates {
                self.refuse(AlertDescription::UNEXPECTED_MESSAGE);
                return;
            }
            let message = kind.map(|kind| (kind, Message::parse_1_3(kind, front.body)));
            match message {
                Some((Kind::KeyUpdate, Ok(Message::KeyUpdate(update)))) => {
                    self.reassembly.skip_past(sequence);
                    self.acks.hurry();
                    self.handle_key_update(update);
                }
                Some((Kind::KeyUpdate, _)) => self.refuse(AlertDescription::DECODE_ERROR),
                Some((Kind::NewSessionTicket, ticket)) if self.role == Some(Role::Client) => {
                    // Nothing is resumed here, so one is of no use.
                    match ticket {
                        Ok(_) => self.reassembly.skip_past(sequence),
                        Err(_) => self.refuse(AlertDescription::DECODE_ERROR),
                    }
                    self.acks.hurry();
                }
                _ => self.refuse(AlertDescription::UNEXPECTED_MESSAGE),
            }
            if self.is_over() {
                return;
            }
        }
    }

    fn handle_key_update(&mut self, update: KeyUpdate) {
        if self.install_next_read().is_none() {
            self.fail_keys();
            return;
        }
        // RFC 8446 §4.6.3: one of ours that is under way is answer enough.
        if update.request && !self.outgoing.is_busy_after() {
            self.start_update(false);
        }
    }
}
