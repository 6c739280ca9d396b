//! What the steps work on, and how a message is refused.

use std::time::Instant;

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

#[cfg(test)]
use crate::tests::peer::Edit;
use crate::{
    AlertDescription, Config, Failure, Role,
    crypto::key::PublicKey,
    handshake::transcript::Transcript,
    message::{Kind, Malformed, Message},
    outgoing::Outgoing,
    reassembly::Reassembly,
    record::Records,
    trust::{Trust, Verdict},
};

/// A certificate that fits its fingerprint, as far as one is known.
pub(super) struct PeerCertificate {
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) key: PublicKey,
}

/// Why a message cannot be handled, and what the peer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) cause: Failure,
    pub(crate) alert: AlertDescription,
}

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It says nothing new.
    Ignore,
    /// What is said behind it has to be here first.
    Wait,
    /// Anybody could have made it in the clear; a genuine one may still come. Under keys it ends.
    Doubt(Fault),
    /// The same of a message so many behind it.
    DoubtBehind(u16, Fault),
}

/// What a step sees while it weighs a message; `transcript` is without it.
pub(super) struct Look<'l> {
    pub(super) config: &'l Config,
    pub(super) role: Role,
    pub(super) trust: &'l Trust,
    pub(super) transcript: &'l Transcript,
    pub(super) reassembly: &'l Reassembly,
    /// The number of the message.
    pub(super) sequence: u16,
}

/// What a step works on while it takes a message.
pub(super) struct Work<'w> {
    pub(super) config: &'w Config,
    /// When a flight that nobody acknowledges is given up.
    pub(super) until: Option<Instant>,
    pub(super) outgoing: &'w mut Outgoing,
    pub(super) records: &'w mut Records,
    pub(super) trust: &'w mut Trust,
    pub(super) reassembly: &'w mut Reassembly,
    pub(super) transcript: &'w mut Transcript,
    pub(super) rng: &'w mut ChaCha20Rng,
    /// The message, and its number.
    pub(super) body: &'w [u8],
    pub(super) sequence: u16,
    #[cfg(test)]
    pub(super) edit: &'w mut Option<Edit>,
}

impl<'l> Look<'l> {
    /// RFC 8122 §5: at the first moment at which the certificate and what is expected are both here.
    pub(super) fn check_certificate(&self, chain: &[&[u8]]) -> Result<PeerCertificate, Refusal> {
        let leaf = chain.first().copied().unwrap_or_default();
        if self.trust.check_leaf(leaf) == Verdict::Mismatch {
            return Err(Refusal::Doubt(Fault {
                cause: Failure::FingerprintMismatch,
                alert: AlertDescription::BAD_CERTIFICATE,
            }));
        }
        let unsupported = Refusal::doubt(AlertDescription::UNSUPPORTED_CERTIFICATE);
        Ok(PeerCertificate {
            chain: chain.iter().map(|der| der.to_vec()).collect(),
            key: PublicKey::of_certificate(leaf).ok_or(unsupported)?,
        })
    }

    /// The message so many behind the one that is weighed, of this kind, and its body.
    pub(super) fn check_behind<T>(
        &self,
        count: u16,
        kind: Kind,
        parse: impl FnOnce(&'l [u8]) -> Result<T, Malformed>,
    ) -> Result<(&'l [u8], T), Refusal> {
        let whole = self.reassembly.whole(self.sequence.saturating_add(count));
        let front = whole.ok_or(Refusal::Wait)?;
        if front.kind != kind.id() {
            return Err(Refusal::doubt(AlertDescription::UNEXPECTED_MESSAGE).behind(count));
        }
        let parsed =
            parse(front.body).map_err(|malformed| Refusal::from(malformed).behind(count))?;
        Ok((front.body, parsed))
    }
}

impl Work<'_> {
    /// Adds a message to the flight and to the transcript.
    pub(super) fn say(&mut self, epoch: u16, message: &Message<'_>) {
        let kind = message.kind();
        let mut body = Vec::with_capacity(USUAL_LEN);
        message.write(&mut body);
        #[cfg(test)]
        if let Some(edit) = self.edit {
            let drafts = edit(crate::tests::peer::Draft::new(epoch, kind.id(), body));
            drafts.into_iter().for_each(|draft| self.say_draft(draft));
            return;
        }
        let number = self.outgoing.push(epoch, kind.id(), &body);
        self.transcript.add_message(kind, number, &body);
    }

    /// Adds a hello to the flight, of which only the answer says whether it counts; gives its body.
    pub(super) fn say_untranscribed(&mut self, message: &Message<'_>) -> Vec<u8> {
        let mut body = Vec::with_capacity(USUAL_LEN);
        message.write(&mut body);
        #[cfg(test)]
        if let Some(edit) = self.edit {
            let draft = crate::tests::peer::Draft::new(0, message.kind().id(), body);
            let mut counted = Vec::new();
            for draft in edit(draft) {
                counted = draft.counted().to_vec();
                if draft.sent {
                    self.outgoing.push(draft.epoch, draft.kind, &draft.body);
                }
            }
            return counted;
        }
        self.outgoing.push(0, message.kind().id(), &body);
        body
    }

    /// The hello that is taken counts from here on, and what came before its number is settled.
    pub(super) fn hear_hello(&mut self, kind: Kind) {
        self.transcript.add_message(kind, self.sequence, self.body);
        self.reassembly.skip_past(self.sequence);
    }

    /// The message so many behind the one that is taken, which was weighed with it.
    pub(super) fn hear_behind(&mut self, count: u16, kind: Kind) {
        let sequence = self.sequence.saturating_add(count);
        let body = self.reassembly.take(sequence);
        self.transcript.add_message(kind, sequence, &body);
        self.reassembly.skip_past(sequence);
    }

    #[cfg(test)]
    fn say_draft(&mut self, draft: crate::tests::peer::Draft) {
        use crate::tests::peer::As;

        let (kind, body) = draft.original();
        let number = self.outgoing.next_message();
        match draft.transcript {
            As::Edited => self.transcript.add(draft.kind, number, &draft.body),
            As::Original => self.transcript.add(kind, number, body),
            As::Not => {}
        }
        if draft.sent {
            self.outgoing.push(draft.epoch, draft.kind, &draft.body);
        }
    }

    pub(super) fn log_key(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        if let Some(log) = &self.config.key_log {
            log.log(label, client_random, secret);
        }
    }

    pub(super) fn log_shared_secret(&self, client_random: &[u8; 32], secret: &[u8]) {
        if let Some(log) = &self.config.key_log {
            log.log_shared_secret(client_random, secret);
        }
    }

    pub(super) fn random(&mut self) -> [u8; 32] {
        let mut random = [0; 32];
        self.rng.fill_bytes(&mut random);
        random
    }
}

impl Fault {
    pub(super) fn new(alert: AlertDescription) -> Self {
        Self {
            cause: Failure::AlertSent(alert),
            alert,
        }
    }
}

impl Refusal {
    pub(super) fn doubt(alert: AlertDescription) -> Self {
        Self::Doubt(Fault::new(alert))
    }

    /// The same of a message so many behind it.
    pub(super) fn behind(self, count: u16) -> Self {
        match self {
            Self::Doubt(fault) => Self::DoubtBehind(count, fault),
            other => other,
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        Self::doubt(AlertDescription::DECODE_ERROR)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Doubt(fault)
    }
}

/// Of a message but for the longest chains, so that it does not grow while it is written.
const USUAL_LEN: usize = 2048;
