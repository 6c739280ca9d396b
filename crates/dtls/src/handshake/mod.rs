//! The handshakes: states that *weigh* the one message they wait for by reference, and are consumed
//! when they *take* it. What is refused has changed nothing.

mod cookie;
mod negotiate;
mod proof;
mod signing;
mod transcript;
mod v12;
pub(crate) mod v13;

use std::time::Instant;

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

pub(crate) use transcript::Transcript;

#[cfg(test)]
use crate::tests::peer::Edit;
use crate::{
    AlertDescription, CipherSuite, Config, Failure, Group, Signature, SignatureRequest,
    SrtpProfile, Version,
    crypto::{key::PublicKey, prf::MasterSecret},
    message::{Kind, Malformed, Message},
    outgoing::Outgoing,
    reassembly::{Front, Reassembly},
    record::Records,
    trust::{Trust, Verdict},
};

/// Which side of the handshake an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends the first flight (`a=setup:active`).
    Client,
    /// Waits for it (`a=setup:passive`).
    Server,
}

/// A handshake on its way. It is dropped when it is complete.
pub(crate) struct Handshake {
    step: Step,
    transcript: Transcript,
    rng: ChaCha20Rng,
    /// How often a signer was asked.
    requests: u64,
}

/// What the handshake waits for.
enum Step {
    /// For its role, or for a path to the server.
    Idle,
    ServerHello(Box<negotiate::client::ExpectServerHello>),
    ClientHello(Box<negotiate::server::ExpectClientHello>),
    V12(v12::Step),
    V13(v13::Step),
    /// A signer was asked.
    AwaitSignature(Box<signing::AwaitSignature>),
    Complete(Option<Box<Session>>),
    /// A step failed; nothing more is handled.
    Dead,
}

/// What weighing a message came to: all that taking it needs.
enum Accepted {
    ServerHello(negotiate::client::Accepted),
    ClientHello(negotiate::server::Accepted),
    V12(v12::Accepted),
    V13(v13::Accepted),
}

/// What the hellos agreed on.
#[derive(Clone)]
pub(crate) struct Negotiated {
    pub(crate) version: Version,
    pub(crate) suite: CipherSuite,
    pub(crate) client_random: [u8; 32],
    pub(crate) server_random: [u8; 32],
    pub(crate) extended_master_secret: bool,
    pub(crate) srtp_profile: Option<SrtpProfile>,
    pub(crate) alpn: Option<String>,
}

/// What remains of a complete handshake.
pub(crate) struct Session {
    pub(crate) negotiated: Negotiated,
    pub(crate) group: Group,
    pub(crate) secrets: Secrets,
    _identity: proof::Identity,
    _finished: proof::Finished,
}

/// The secrets of a complete handshake.
pub(crate) enum Secrets {
    V12(MasterSecret),
    V13(Box<v13::Secrets>),
}

/// A certificate that fits its fingerprint, as far as one is known.
struct PeerCertificate {
    chain: Vec<Vec<u8>>,
    key: PublicKey,
}

/// Why a message cannot be handled, and what the peer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) cause: Failure,
    pub(crate) alert: AlertDescription,
}

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// It says nothing new.
    Ignore,
    /// Anybody could have made it in the clear; a genuine one may still come. Under keys it ends.
    Doubt(Fault),
    /// It ends the handshake wherever it came from.
    End(Fault),
}

/// What handling one message came to.
pub(crate) enum Progress {
    /// The next message is not all here.
    Waiting,
    /// A message was accepted.
    Advanced,
    /// A message that says nothing new was dropped.
    Ignored,
    /// The last message was accepted.
    Complete(Box<Session>),
    /// The message is nonsense that anybody could have sent; it was dropped, and a genuine one may
    /// come. `begun` when it was a whole ClientHello.
    Doubtful { fault: Fault, begun: bool },
    /// The handshake is dead.
    Failed(Fault),
}

/// What the steps work on, beside what they own.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) role: Role,
    pub(crate) config: &'a Config,
    pub(crate) outgoing: &'a mut Outgoing,
    pub(crate) records: &'a mut Records,
    pub(crate) trust: &'a mut Trust,
    pub(crate) reassembly: &'a mut Reassembly,
    #[cfg(test)]
    pub(crate) edit: &'a mut Option<Edit>,
}

/// What a step sees while it weighs a message; `transcript` is without it.
struct Look<'l> {
    config: &'l Config,
    role: Role,
    trust: &'l Trust,
    transcript: &'l Transcript,
    /// The number of the message.
    sequence: u16,
}

/// What a step works on while it takes a message.
struct Work<'w> {
    config: &'w Config,
    /// When a flight that nobody acknowledges is given up.
    until: Option<Instant>,
    outgoing: &'w mut Outgoing,
    records: &'w mut Records,
    trust: &'w mut Trust,
    reassembly: &'w mut Reassembly,
    transcript: &'w mut Transcript,
    rng: &'w mut ChaCha20Rng,
    requests: &'w mut u64,
    /// The message, and its number.
    body: &'w [u8],
    sequence: u16,
    #[cfg(test)]
    edit: &'w mut Option<Edit>,
}

impl Handshake {
    pub(crate) fn new(rng: ChaCha20Rng) -> Self {
        Self {
            step: Step::Idle,
            transcript: Transcript::default(),
            rng,
            requests: 0,
        }
    }

    /// The client's first flight.
    pub(crate) fn start_client(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        if matches!(self.step, Step::Idle) {
            let (_, mut work) = self.parts(cx, 0, &[]);
            let step = negotiate::client::start(&mut work);
            let step = step.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
            self.step = Step::ServerHello(Box::new(step));
        }
        Ok(())
    }

    pub(crate) fn start_server(&mut self) {
        if matches!(self.step, Step::Idle) {
            let mut key = [0; 32];
            self.rng.fill_bytes(&mut key);
            let step = negotiate::server::ExpectClientHello::new(key);
            self.step = Step::ClientHello(Box::new(step));
        }
    }

    /// Whether fragments are looked at: before the first ClientHello left they are anybody's noise.
    pub(crate) fn is_begun(&self) -> bool {
        !matches!(self.step, Step::Idle)
    }

    /// Whether a fragment may have come in this epoch. In 1.2 Finished is the first protected message,
    /// and the only one; in 1.3 all are protected behind the hellos.
    pub(crate) fn admits(&self, kind: u8, epoch: u16) -> bool {
        match &self.step {
            Step::V13(_) => epoch == v13::HANDSHAKE_EPOCH,
            Step::AwaitSignature(step) if step.is_1_3() => epoch == v13::HANDSHAKE_EPOCH,
            Step::ServerHello(_) | Step::ClientHello(_) => {
                epoch == 0 && kind != Kind::Finished.id()
            }
            _ => epoch <= 1 && (epoch > 0) == (kind == Kind::Finished.id()),
        }
    }

    /// Whether it is behind the hellos, in 1.3.
    pub(crate) fn is_1_3(&self) -> bool {
        match &self.step {
            Step::V13(_) => true,
            Step::AwaitSignature(step) => step.is_1_3(),
            _ => false,
        }
    }

    /// What a signer is to sign, once.
    pub(crate) fn poll_signature(&mut self, config: &Config) -> Option<SignatureRequest> {
        match &mut self.step {
            Step::AwaitSignature(step) => step.request(&config.certificate),
            _ => None,
        }
    }

    /// Goes on with what a signer gave; one that nobody waits for changes nothing.
    pub(crate) fn handle_signature(
        &mut self,
        cx: &mut Context<'_>,
        signature: Signature,
    ) -> Progress {
        let awaited =
            matches!(&self.step, Step::AwaitSignature(it) if it.is_answered_by(&signature));
        if !awaited {
            return Progress::Ignored;
        }
        self.proceed(cx, 0, &[], |step, work| match step {
            Step::AwaitSignature(step) => step.take(work, signature),
            _ => Err(Fault::new(AlertDescription::INTERNAL_ERROR)),
        })
    }

    /// Handles the next message, if all of it is here.
    pub(crate) fn advance(&mut self, cx: &mut Context<'_>) -> Progress {
        if matches!(self.step, Step::AwaitSignature(_)) {
            return Progress::Waiting;
        }
        let front = match self.step.hellos() {
            [] => cx.reassembly.front(),
            hellos => cx.reassembly.front_hello(hellos),
        };
        let Some(front) = front else {
            return Progress::Waiting;
        };
        let (sequence, epoch, kind) = (front.sequence, front.epoch, Kind::from_id(front.kind));
        let look = Look {
            config: cx.config,
            role: cx.role,
            trust: cx.trust,
            transcript: &self.transcript,
            sequence,
        };
        let accepted = match self.step.weigh(&look, &front) {
            Ok(accepted) => accepted,
            Err(Refusal::Doubt(fault)) if epoch == 0 => {
                let begun = self.step.hellos() == [Kind::ClientHello]
                    && Message::parse(Kind::ClientHello, front.body).is_ok();
                cx.reassembly.reject(sequence);
                return Progress::Doubtful { fault, begun };
            }
            Err(Refusal::Ignore) => {
                cx.reassembly.reject(sequence);
                return Progress::Ignored;
            }
            Err(Refusal::Doubt(fault) | Refusal::End(fault)) => return Progress::Failed(fault),
        };
        let body = cx.reassembly.take(sequence);
        if let Some(kind) = kind.filter(|_| self.step.transcribes()) {
            self.transcript.add_message(kind, sequence, &body);
            cx.reassembly.skip_to(sequence.saturating_add(1));
        }
        self.proceed(cx, sequence, &body, |step, work| step.take(work, accepted))
    }

    /// The one place where a step is consumed, behind everything that could refuse.
    fn proceed(
        &mut self,
        cx: &mut Context<'_>,
        sequence: u16,
        body: &[u8],
        take: impl FnOnce(Step, &mut Work<'_>) -> Result<Step, Fault>,
    ) -> Progress {
        let (step, mut work) = self.parts(cx, sequence, body);
        *step = match take(std::mem::replace(step, Step::Dead), &mut work) {
            Ok(step) => step,
            Err(fault) => return Progress::Failed(fault),
        };
        match step {
            Step::Complete(session) => session.take().map_or(Progress::Waiting, Progress::Complete),
            _ => Progress::Advanced,
        }
    }

    fn parts<'w>(
        &'w mut self,
        cx: &'w mut Context<'_>,
        sequence: u16,
        body: &'w [u8],
    ) -> (&'w mut Step, Work<'w>) {
        let work = Work {
            config: cx.config,
            until: cx.config.handshake_timeout.map(|timeout| cx.now + timeout),
            outgoing: cx.outgoing,
            records: cx.records,
            trust: cx.trust,
            reassembly: cx.reassembly,
            transcript: &mut self.transcript,
            rng: &mut self.rng,
            requests: &mut self.requests,
            body,
            sequence,
            #[cfg(test)]
            edit: cx.edit,
        };
        (&mut self.step, work)
    }
}

impl Session {
    /// Of what was agreed on, and the proofs that it was agreed on with the owner of the certificate, or
    /// with whoever it is where nobody was asked.
    fn new(
        negotiated: Negotiated,
        group: Group,
        secrets: Secrets,
        identity: proof::Identity,
        finished: proof::Finished,
    ) -> Self {
        Self {
            negotiated,
            group,
            secrets,
            _identity: identity,
            _finished: finished,
        }
    }
}

impl Step {
    /// The kinds of hello that are awaited; none when another message is.
    fn hellos(&self) -> &'static [Kind] {
        match self {
            Self::ServerHello(_) => &[Kind::ServerHello, Kind::HelloVerifyRequest],
            Self::ClientHello(_) => &[Kind::ClientHello],
            _ => &[],
        }
    }

    /// Whether the message that comes next counts in the transcript as it comes. The hellos do so only
    /// when it is known which of them count.
    fn transcribes(&self) -> bool {
        matches!(self, Self::V12(_) | Self::V13(_))
    }

    fn weigh(&self, look: &Look<'_>, front: &Front<'_>) -> Result<Accepted, Refusal> {
        let unexpected = Refusal::doubt(AlertDescription::UNEXPECTED_MESSAGE);
        let kind = Kind::from_id(front.kind).ok_or(unexpected)?;
        match self {
            Self::ServerHello(_) | Self::ClientHello(_) if !self.hellos().contains(&kind) => {
                Err(unexpected)
            }
            Self::ServerHello(step) => match Message::parse(kind, front.body)? {
                Message::ServerHello(hello) => step.weigh(look, &hello, front.body),
                Message::HelloVerifyRequest(request) => step.weigh_verify_request(look, &request),
                _ => Err(unexpected),
            }
            .map(Accepted::ServerHello),
            Self::ClientHello(step) => match Message::parse(kind, front.body)? {
                Message::ClientHello(hello) => step
                    .weigh(look, &hello, front.body)
                    .map(Accepted::ClientHello),
                _ => Err(unexpected),
            },
            Self::V13(step) if step.expects(look.config.peer, kind) => {
                let message = Message::parse_1_3(kind, front.body)?;
                step.weigh(look, &message).map(Accepted::V13)
            }
            Self::V12(step) if step.expects(look.config.peer, kind) => {
                let message = Message::parse(kind, front.body)?;
                step.weigh(look, &message).map(Accepted::V12)
            }
            _ => Err(unexpected),
        }
    }

    fn take(self, work: &mut Work<'_>, accepted: Accepted) -> Result<Self, Fault> {
        match (self, accepted) {
            (Self::ServerHello(step), Accepted::ServerHello(accepted)) => step.take(work, accepted),
            (Self::ClientHello(step), Accepted::ClientHello(accepted)) => step.take(work, accepted),
            (Self::V12(step), Accepted::V12(accepted)) => step.take(work, accepted),
            (Self::V13(step), Accepted::V13(accepted)) => step.take(work, accepted),
            _ => Err(Fault::new(AlertDescription::INTERNAL_ERROR)),
        }
    }
}

impl Look<'_> {
    /// RFC 8122 §5: at the first moment at which the certificate and what is expected are both here.
    fn check_certificate(&self, chain: &[&[u8]]) -> Result<PeerCertificate, Refusal> {
        let leaf = chain.first().copied().unwrap_or_default();
        if self.trust.check_leaf(leaf) == Verdict::Mismatch {
            return Err(Refusal::End(Fault {
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
}

impl Work<'_> {
    /// Adds a message to the flight and to the transcript.
    fn say(&mut self, epoch: u16, message: &Message<'_>) {
        let kind = message.kind();
        let mut body = Vec::new();
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
    fn say_untranscribed(&mut self, message: &Message<'_>) -> Vec<u8> {
        let mut body = Vec::new();
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
    fn hear_hello(&mut self, kind: Kind) {
        self.transcript.add_message(kind, self.sequence, self.body);
        self.reassembly.skip_to(self.sequence.saturating_add(1));
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

    fn log_key(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        if let Some(log) = &self.config.key_log {
            log.log(label, client_random, secret);
        }
    }

    fn random(&mut self) -> [u8; 32] {
        let mut random = [0; 32];
        self.rng.fill_bytes(&mut random);
        random
    }
}

impl Fault {
    fn new(alert: AlertDescription) -> Self {
        Self {
            cause: Failure::AlertSent(alert),
            alert,
        }
    }
}

impl Refusal {
    fn doubt(alert: AlertDescription) -> Self {
        Self::Doubt(Fault::new(alert))
    }

    fn end(alert: AlertDescription) -> Self {
        Self::End(Fault::new(alert))
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
