//! Faults: those that anybody could have made, those that only the peer could, and ours.

use std::time::Instant;

use crate::{
    Alert, AlertDescription, AlertLevel, Failure, Role, Version,
    connection::{Connection, State},
    handshake::Fault,
    timer::Timer,
};

impl Connection {
    /// RFC 6347 §4.1.2.7 and RFC 8827: in the clear, an alert is anybody's word.
    pub(super) fn note_plain_alert(&mut self, now: Instant, payload: &[u8]) {
        let Some(alert) = Alert::parse(payload) else {
            self.drop_record("no alert");
            return;
        };
        self.stats.alerts_received += 1;
        let ends =
            alert.level == AlertLevel::Fatal || alert.description == AlertDescription::CLOSE_NOTIFY;
        if ends {
            self.doubt(
                now,
                Fault {
                    cause: Failure::AlertReceived(alert.description),
                    alert: alert.description,
                },
            );
        }
    }

    pub(super) fn handle_alert(&mut self, epoch: u16, payload: &[u8]) {
        let is_1_3 = epoch > 1;
        let Some(alert) = Alert::parse(payload) else {
            match (is_1_3, payload.len()) {
                // RFC 8446 §6: a number that is none is no fault of form.
                (true, 2) => self.refuse(AlertDescription::ILLEGAL_PARAMETER),
                (true, _) => self.refuse(AlertDescription::DECODE_ERROR),
                (false, _) => self.drop_record("no alert"),
            }
            return;
        };
        self.stats.alerts_received += 1;
        let description = alert.description;
        if description == AlertDescription::CLOSE_NOTIFY {
            match (self.state, &self.handshake) {
                (State::Connected, _) => self.close_by_peer(),
                (_, None) => self.held.closed = true,
                (_, Some(_)) => self.fail(Failure::AlertReceived(description), None),
            }
            return;
        }
        // RFC 8446 §6: in 1.3 the level says nothing.
        let fatal = match is_1_3 {
            true => description != AlertDescription::USER_CANCELED,
            false => alert.level == AlertLevel::Fatal,
        };
        if fatal {
            self.fail(Failure::AlertReceived(description), None);
        }
    }

    /// A fault that anybody could have made counts only when the handshake stands still after it.
    pub(super) fn doubt(&mut self, now: Instant, fault: Fault) {
        // Where nobody else can have made it, the first hello is no exception.
        let certain = self.config.doubt.is_zero();
        let counts = match self.state {
            State::New => certain && self.handshake.as_ref().is_some_and(|it| it.is_begun()),
            state => state == State::Connecting,
        };
        if !counts || self.outbox.doubt.is_some() {
            return;
        }
        self.outbox.doubt = Some(fault);
        if certain {
            self.fail_doubted();
        } else {
            self.wait_in_doubt(now);
        }
    }

    /// The peer goes on, whatever was said in its name.
    pub(super) fn ease_doubt(&mut self, now: Instant) {
        let of_alert = |fault: &Fault| matches!(fault.cause, Failure::AlertReceived(_));
        if self.outbox.doubt.as_ref().is_some_and(of_alert) {
            self.wait_in_doubt(now);
        }
    }

    /// As long as our own signer thinks, the peer has nothing to answer.
    fn wait_in_doubt(&mut self, now: Instant) {
        let signing = self.handshake.as_ref().is_some_and(|it| it.is_signing());
        if !signing {
            let wait = self.config.doubt.max(self.outgoing.repetition());
            self.timers.set(Timer::Doubt, now, wait);
        }
    }

    /// The handshake goes on: whatever was said meanwhile was a stranger's word.
    pub(super) fn clear_doubt(&mut self) {
        self.outbox.doubt = None;
        self.timers.stop(Timer::Doubt);
    }

    pub(super) fn fail_doubted(&mut self) {
        if let Some(Fault { cause, alert }) = self.outbox.doubt.take() {
            let heard = matches!(cause, Failure::AlertReceived(_));
            self.fail(cause, (!heard).then_some(alert));
        }
    }

    pub(super) fn close_by_peer(&mut self) {
        // RFC 5246 §7.2.1: answered with our own.
        self.say_alert(Alert::warning(AlertDescription::CLOSE_NOTIFY));
        self.end(
            State::Closed,
            crate::Event::Closed {
                by: crate::Initiator::Remote,
            },
        );
    }

    /// The peer, which has the keys, errs.
    pub(super) fn refuse(&mut self, alert: AlertDescription) {
        self.fail(Failure::AlertSent(alert), Some(alert));
    }

    pub(super) fn fail(&mut self, cause: Failure, alert: Option<AlertDescription>) {
        if self.is_over() {
            return;
        }
        log::debug!("{}DTLS has failed: {cause:?}", self.config.label);
        if let Some(alert) = alert {
            self.say_alert(Alert::fatal(alert));
            // RFC 8446 §6.1: in 1.3 this one ends nothing by itself.
            if alert == AlertDescription::USER_CANCELED
                && self.records.version() == Some(Version::Dtls13)
            {
                self.say_alert(Alert::warning(AlertDescription::CLOSE_NOTIFY));
            }
        }
        self.end(State::Failed, crate::Event::Failed { cause });
    }

    /// Queues an alert in the newest epoch that the peer can read; in 1.2 ours begins with our Finished.
    pub(super) fn say_alert(&mut self, alert: Alert) {
        if self.outbox.alerts.len() < MAX_ALERTS {
            let epoch = match self.has_given_keys() {
                false => 0,
                true => self.records.write_epoch(),
            };
            self.outbox.alerts.push_back((epoch, alert));
        }
    }

    /// Whether the peer has what it needs for the keys that we write with. Those of 1.2 are with our Finished, and so behind the
    /// server's; else a flight that waits for a signature keeps them from the peer.
    fn has_given_keys(&self) -> bool {
        let v13 = self.records.version() == Some(Version::Dtls13);
        self.session.is_some()
            || match self.role {
                Some(Role::Client) => v13 || !self.outgoing.is_withheld(),
                _ => v13 && !self.outgoing.is_withheld(),
            }
    }
}

const MAX_ALERTS: usize = 2;
