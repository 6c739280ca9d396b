//! The handshakes: states that *weigh* the one message they wait for by reference, and are consumed
//! when they *take* it. What is refused has changed nothing.

mod cookie;
mod negotiate;
mod proof;
mod session;
mod signing;
mod transcript;
mod v12;
pub(crate) mod v13;
mod work;

use std::time::Instant;

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use zeroize::Zeroizing;

pub(crate) use session::{Secrets, Session};
use signing::{Asked, Next, Unsigned as _};
use transcript::Transcript;
pub(crate) use work::Fault;
use work::{Look, Refusal, Work};

#[cfg(test)]
use crate::tests::peer::Edit;
use crate::{
    AlertDescription, Config, Role, Signature, SignatureRequest,
    message::{Kind, Message},
    outgoing::Outgoing,
    reassembly::{Front, Reassembly},
    record::{self, Records},
    trust::Trust,
};

/// A handshake on its way. It is dropped when it is complete.
pub(crate) struct Handshake {
    step: Step,
    transcript: Transcript,
    rng: ChaCha20Rng,
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
    AwaitSignature(Box<Asked>, Resume),
    Complete(Option<Box<Session>>),
    /// A step failed; nothing more is handled.
    Dead,
}

/// What goes on with a signature.
enum Resume {
    V12(v12::Flight),
    V13(v13::Flight),
}

/// What weighing a message came to: all that taking it needs.
enum Accepted {
    ServerHello(negotiate::client::Accepted),
    ClientHello(negotiate::server::Accepted),
    V12(v12::Accepted),
    V13(v13::Accepted),
}

/// What handling one message came to.
pub(crate) enum Progress {
    /// The next message is not all here.
    Waiting,
    /// A message was accepted.
    Advanced,
    /// A ClientHello was answered with a request: nothing is kept of it.
    Asked,
    /// A message that says nothing new was dropped.
    Ignored,
    /// The last message was accepted.
    Complete(Box<Session>),
    /// The message is nonsense that anybody could have sent; it was dropped, and a genuine one may
    /// come. `begun` when it was a whole ClientHello, with its cookie where one is asked for.
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

impl Handshake {
    pub(crate) fn new(rng: ChaCha20Rng) -> Self {
        Self {
            step: Step::Idle,
            transcript: Transcript::default(),
            rng,
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

    /// Waits for its role, or for a path, again: no hello was taken.
    pub(crate) fn stop_server(&mut self) {
        if matches!(self.step, Step::ClientHello(_)) {
            self.step = Step::Idle;
        }
    }

    pub(crate) fn start_server(&mut self, config: &Config) {
        if matches!(self.step, Step::Idle) {
            let mut key = Zeroizing::new([0; 32]);
            match &config.cookie_key {
                Some(shared) => key.clone_from(&shared.0),
                None => self.rng.fill_bytes(key.as_mut()),
            }
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
            Step::V13(_) => epoch == record::HANDSHAKE_EPOCH,
            Step::AwaitSignature(_, Resume::V13(_)) => epoch == record::HANDSHAKE_EPOCH,
            Step::ServerHello(_) | Step::ClientHello(_) => {
                epoch == 0 && kind != Kind::Finished.id()
            }
            _ => epoch <= 1 && (epoch > 0) == (kind == Kind::Finished.id()),
        }
    }

    /// Whether a message of this kind may wait for others: no client says more than hellos before it is answered.
    pub(crate) fn keeps(&self, kind: u8) -> bool {
        !matches!(self.step, Step::ClientHello(_)) || kind == Kind::ClientHello.id()
    }

    /// Whether it is behind the hellos, in 1.3.
    pub(crate) fn is_1_3(&self) -> bool {
        match &self.step {
            Step::V13(_) => true,
            Step::AwaitSignature(_, resume) => matches!(resume, Resume::V13(_)),
            _ => false,
        }
    }

    /// Whether it waits for a signer of ours.
    pub(crate) fn is_signing(&self) -> bool {
        matches!(self.step, Step::AwaitSignature(..))
    }

    /// What a signer is to sign, once.
    pub(crate) fn poll_signature(&mut self, config: &Config) -> Option<SignatureRequest> {
        match &mut self.step {
            Step::AwaitSignature(asked, _) => asked.request(&config.certificate),
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
            matches!(&self.step, Step::AwaitSignature(it, _) if it.is_answered_by(&signature));
        if !awaited {
            return Progress::Ignored;
        }
        self.proceed(cx, 0, &[], |step, work| match step {
            Step::AwaitSignature(asked, resume) => {
                let signature = asked.take(work, signature)?;
                match resume {
                    Resume::V12(flight) => flight.resume(work, &signature).map(Step::of_1_2),
                    Resume::V13(flight) => flight.resume(work, &signature).map(Step::of_1_3),
                }
            }
            _ => Err(Fault::new(AlertDescription::INTERNAL_ERROR)),
        })
    }

    /// Handles the next message, if all of it is here.
    pub(crate) fn advance(&mut self, cx: &mut Context<'_>) -> Progress {
        if self.is_signing() {
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
            reassembly: cx.reassembly,
            sequence,
        };
        let accepted = match self.step.weigh(&look, &front) {
            Ok(accepted) => accepted,
            Err(Refusal::Wait) => return Progress::Waiting,
            Err(Refusal::Ignore) => {
                cx.reassembly.reject(sequence);
                return Progress::Ignored;
            }
            Err(Refusal::Doubt(fault) | Refusal::DoubtBehind(_, fault)) if epoch > 0 => {
                return Progress::Failed(fault);
            }
            Err(Refusal::Doubt(fault)) => {
                let begun = self.step.begins_with(cx.config, &front);
                cx.reassembly.reject(sequence);
                return Progress::Doubtful { fault, begun };
            }
            Err(Refusal::DoubtBehind(count, fault)) => {
                cx.reassembly.reject(sequence.saturating_add(count));
                let begun = false;
                return Progress::Doubtful { fault, begun };
            }
        };
        let body = cx.reassembly.take(sequence);
        if let Some(kind) = kind.filter(|_| self.step.transcribes()) {
            self.transcript.add_message(kind, sequence, &body);
            cx.reassembly.skip_past(sequence);
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
            Step::ClientHello(_) => Progress::Asked,
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
            until: (cx.config.handshake_timeout).and_then(|timeout| cx.now.checked_add(timeout)),
            outgoing: cx.outgoing,
            records: cx.records,
            trust: cx.trust,
            reassembly: cx.reassembly,
            transcript: &mut self.transcript,
            rng: &mut self.rng,
            body,
            sequence,
            #[cfg(test)]
            edit: cx.edit,
        };
        (&mut self.step, work)
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

    /// Whether this is a client's beginning, whatever becomes of it.
    fn begins_with(&self, config: &Config, front: &Front<'_>) -> bool {
        match (self, Message::parse(Kind::ClientHello, front.body)) {
            (Self::ClientHello(step), Ok(Message::ClientHello(hello))) => {
                front.kind == Kind::ClientHello.id() && step.is_shown(config, &hello)
            }
            _ => false,
        }
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
        use negotiate::{client, server};

        Ok(match (self, accepted) {
            (Self::ServerHello(step), Accepted::ServerHello(accepted)) => {
                match step.take(work, accepted)? {
                    client::Next::Wait(step) => Self::ServerHello(step),
                    client::Next::V12(negotiated) => Self::V12(v12::start_client(negotiated)),
                    client::Next::V13 {
                        negotiated,
                        group,
                        shared,
                    } => Self::V13(v13::start_client(work, negotiated, group, &shared)?),
                }
            }
            (Self::ClientHello(step), Accepted::ClientHello(accepted)) => {
                match step.take(work, accepted)? {
                    server::Next::Wait(step) => Self::ClientHello(step),
                    server::Next::V12(choice) => Self::of_1_2(v12::start_server(work, &choice)?),
                    server::Next::V13(choice) => Self::of_1_3(v13::start_server(work, &choice)?),
                }
            }
            (Self::V12(step), Accepted::V12(accepted)) => Self::of_1_2(step.take(work, accepted)?),
            (Self::V13(step), Accepted::V13(accepted)) => Self::of_1_3(step.take(work, accepted)?),
            _ => return Err(Fault::new(AlertDescription::INTERNAL_ERROR)),
        })
    }

    fn of_1_2(next: v12::Next) -> Self {
        match next {
            Next::Step(step) => Self::V12(step),
            Next::Sign(asked, flight) => Self::AwaitSignature(asked, Resume::V12(flight)),
            Next::Complete(session) => Self::Complete(Some(session)),
        }
    }

    fn of_1_3(next: v13::Next) -> Self {
        match next {
            Next::Step(step) => Self::V13(step),
            Next::Sign(asked, flight) => Self::AwaitSignature(asked, Resume::V13(flight)),
            Next::Complete(session) => Self::Complete(Some(session)),
        }
    }
}
