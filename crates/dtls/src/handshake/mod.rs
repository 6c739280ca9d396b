//! The handshake of TLS 1.2 over DTLS: states that own what they know and are consumed by the message
//! they wait for.

mod client;
mod cookie;
mod offer;
mod server;
mod transcript;

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

pub(crate) use transcript::Transcript;

use crate::{
    AlertDescription, CipherSuite, Config, Failure, Group, SrtpProfile,
    crypto::{
        aead::RecordKeys,
        prf::{self, MasterSecret},
    },
    flight::Flight,
    message::{Fragment, HelloVerifyRequest, Kind, Message},
    reassembly::Reassembly,
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
    pub(crate) reassembly: Reassembly,
    rng: ChaCha20Rng,
}

/// What the handshake waits for.
enum Step {
    Idle,
    ServerHello(Box<client::ExpectServerHello>),
    ServerCertificate(Box<client::ExpectCertificate>),
    ServerKeyExchange(Box<client::ExpectServerKeyExchange>),
    CertificateRequest(Box<client::ExpectCertificateRequest>),
    ServerHelloDone(Box<client::ExpectServerHelloDone>),
    ServerFinished(Box<client::ExpectFinished>),
    ClientHello(server::ExpectClientHello),
    ClientCertificate(Box<server::ExpectCertificate>),
    ClientKeyExchange(Box<server::ExpectClientKeyExchange>),
    CertificateVerify(Box<server::ExpectCertificateVerify>),
    ClientFinished(Box<server::ExpectFinished>),
    Complete(Box<Session>),
    /// A step failed; nothing more is handled.
    Dead,
}

/// What the hellos agreed on.
#[derive(Clone)]
pub(crate) struct Negotiated {
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
    pub(crate) master: MasterSecret,
}

/// Why a message cannot be handled, and what the peer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) cause: Failure,
    pub(crate) alert: AlertDescription,
}

/// What handling one message came to.
pub(crate) enum Progress {
    /// The next message is not all here.
    Waiting,
    /// A message was accepted.
    Advanced,
    /// The last message was accepted.
    Complete(Box<Session>),
    /// The message is nonsense that anybody could have sent; it was dropped, and a genuine one may come.
    Doubtful(Fault),
    /// The handshake is dead.
    Failed(Fault),
}

/// What the steps work on, beside what they own.
pub(crate) struct Context<'a> {
    pub(crate) config: &'a Config,
    pub(crate) flight: &'a mut Flight,
    pub(crate) records: &'a mut Records,
    pub(crate) trust: &'a mut Trust,
}

/// What a step sees while it handles a message.
struct Work<'w> {
    config: &'w Config,
    flight: &'w mut Flight,
    records: &'w mut Records,
    trust: &'w mut Trust,
    transcript: &'w mut Transcript,
    rng: &'w mut ChaCha20Rng,
}

impl Handshake {
    pub(crate) fn new(rng: ChaCha20Rng) -> Self {
        Self {
            step: Step::Idle,
            transcript: Transcript::default(),
            reassembly: Reassembly::default(),
            rng,
        }
    }

    /// The client's first flight.
    pub(crate) fn start_client(&mut self, cx: &mut Context<'_>) {
        if matches!(self.step, Step::Idle) {
            let step = client::start(&mut self.work(cx));
            self.step = Step::ServerHello(Box::new(step));
        }
    }

    pub(crate) fn start_server(&mut self) {
        if matches!(self.step, Step::Idle) {
            let mut key = [0; 32];
            self.rng.fill_bytes(&mut key);
            self.step = Step::ClientHello(server::ExpectClientHello::new(key));
        }
    }

    /// Whether a fragment may have come in this epoch: Finished is the first protected message, and
    /// the only one.
    pub(crate) fn admits(&self, fragment: &Fragment<'_>, epoch: u16) -> bool {
        (epoch > 0) == (fragment.kind == Kind::Finished.id())
    }

    /// A HelloVerifyRequest stands outside of the order of messages: a server without state numbers
    /// each of them 0. `true` when it was one and has been dealt with.
    pub(crate) fn handle_verify_request(
        &mut self,
        cx: &mut Context<'_>,
        fragment: &Fragment<'_>,
    ) -> bool {
        if fragment.kind != Kind::HelloVerifyRequest.id() {
            return false;
        }
        let Step::ServerHello(mut step) = std::mem::replace(&mut self.step, Step::Dead) else {
            return true;
        };
        let current = fragment.sequence <= self.reassembly.next() && fragment.is_whole();
        if let Ok(request) = HelloVerifyRequest::parse(fragment.body)
            && current
            && step.handle_verify_request(&mut self.work(cx), &request)
        {
            self.reassembly.skip_to(fragment.sequence.saturating_add(1));
        }
        self.step = Step::ServerHello(step);
        true
    }

    /// Handles the next message, if all of it is here.
    pub(crate) fn advance(&mut self, cx: &mut Context<'_>) -> Progress {
        let Some((sequence, kind, body)) = self.reassembly.front() else {
            return Progress::Waiting;
        };
        let body = body.to_vec();
        let expected = Kind::from_id(kind).filter(|kind| self.step.expects(*kind));
        let message = match expected.map(|kind| Message::parse(kind, &body)) {
            Some(Ok(message)) => message,
            Some(Err(_)) => return self.doubt(Fault::new(AlertDescription::DECODE_ERROR)),
            None => return self.doubt(Fault::new(AlertDescription::UNEXPECTED_MESSAGE)),
        };

        let step = std::mem::replace(&mut self.step, Step::Dead);
        if let (Step::ClientHello(step), Message::ClientHello(hello)) = (&step, &message) {
            // Before this one there is nothing that a forged message could destroy.
            if let Err(fault) = step.check(cx.config, hello) {
                self.step = Step::ClientHello(step.clone());
                return self.doubt(fault);
            }
        }
        let transcribed = self.transcript.len();
        self.transcript.add_message(message.kind(), sequence, &body);
        match step.handle(&mut self.work(cx), message, transcribed) {
            Ok(Step::Complete(session)) => {
                self.reassembly.accept();
                Progress::Complete(session)
            }
            Ok(step) => {
                self.step = step;
                self.reassembly.accept();
                Progress::Advanced
            }
            Err(fault) => Progress::Failed(fault),
        }
    }

    fn doubt(&mut self, fault: Fault) -> Progress {
        self.reassembly.reject();
        Progress::Doubtful(fault)
    }

    fn work<'w>(&'w mut self, cx: &'w mut Context<'_>) -> Work<'w> {
        Work {
            config: cx.config,
            flight: cx.flight,
            records: cx.records,
            trust: cx.trust,
            transcript: &mut self.transcript,
            rng: &mut self.rng,
        }
    }
}

impl Step {
    fn expects(&self, kind: Kind) -> bool {
        let expected = match self {
            Self::ServerHello(_) => Kind::ServerHello,
            Self::ServerCertificate(_) | Self::ClientCertificate(_) => Kind::Certificate,
            Self::ServerKeyExchange(_) => Kind::ServerKeyExchange,
            Self::CertificateRequest(_) => Kind::CertificateRequest,
            Self::ServerHelloDone(_) => Kind::ServerHelloDone,
            Self::ServerFinished(_) | Self::ClientFinished(_) => Kind::Finished,
            Self::ClientHello(_) => Kind::ClientHello,
            Self::ClientKeyExchange(_) => Kind::ClientKeyExchange,
            Self::CertificateVerify(_) => Kind::CertificateVerify,
            Self::Idle | Self::Complete(_) | Self::Dead => return false,
        };
        kind == expected
    }

    /// `before` is the length of the transcript without the message.
    fn handle(
        self,
        work: &mut Work<'_>,
        message: Message<'_>,
        before: usize,
    ) -> Result<Self, Fault> {
        match (self, message) {
            (Self::ServerHello(step), Message::ServerHello(hello)) => step.handle(work, &hello),
            (Self::ServerCertificate(step), Message::Certificate(certificate)) => {
                step.handle(work, &certificate)
            }
            (Self::ServerKeyExchange(step), Message::ServerKeyExchange(exchange)) => {
                step.handle(work, &exchange)
            }
            (Self::CertificateRequest(step), Message::CertificateRequest(request)) => {
                step.handle(work, &request)
            }
            (Self::ServerHelloDone(step), Message::ServerHelloDone) => step.handle(work),
            (Self::ServerFinished(step), Message::Finished(finished)) => {
                step.handle(work, finished, before)
            }
            (Self::ClientHello(step), Message::ClientHello(hello)) => step.handle(work, &hello),
            (Self::ClientCertificate(step), Message::Certificate(certificate)) => {
                step.handle(work, &certificate)
            }
            (Self::ClientKeyExchange(step), Message::ClientKeyExchange(exchange)) => {
                step.handle(work, &exchange)
            }
            (Self::CertificateVerify(step), Message::CertificateVerify(verify)) => {
                step.handle(work, &verify, before)
            }
            (Self::ClientFinished(step), Message::Finished(finished)) => {
                step.handle(work, finished, before)
            }
            _ => Err(Fault::new(AlertDescription::UNEXPECTED_MESSAGE)),
        }
    }
}

impl Work<'_> {
    /// Adds a message to the flight and to the transcript.
    fn say(&mut self, epoch: u16, message: &Message<'_>) {
        let bytes = self.flight.push(epoch, message);
        self.transcript.add(bytes);
    }

    fn random(&mut self) -> [u8; 32] {
        let mut random = [0; 32];
        self.rng.fill_bytes(&mut random);
        random
    }

    /// RFC 8122 §5: at the first moment at which the certificate and what is expected are both here.
    fn check_certificate(&mut self, chain: &[&[u8]]) -> Result<(), Fault> {
        match self.trust.set_chain(chain) {
            Verdict::Mismatch => Err(Fault {
                cause: Failure::FingerprintMismatch,
                alert: AlertDescription::BAD_CERTIFICATE,
            }),
            Verdict::Open | Verdict::Verified => Ok(()),
        }
    }

    /// The master secret, from everything said up to the ClientKeyExchange, and the keys of epoch 1.
    fn derive_keys(
        &mut self,
        negotiated: &Negotiated,
        premaster: &[u8],
        role: Role,
    ) -> Result<MasterSecret, Fault> {
        let Negotiated {
            suite,
            client_random,
            server_random,
            ..
        } = negotiated;
        let master = match negotiated.extended_master_secret {
            true => {
                let session_hash = self.transcript.hash(*suite, self.transcript.len());
                prf::extended_master_secret(*suite, premaster, &session_hash)
            }
            false => prf::master_secret(*suite, premaster, client_random, server_random),
        };
        let keys = RecordKeys::derive(*suite, &master, client_random, server_random);
        let keys = keys.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        match role {
            Role::Client => self.records.install(keys.client, keys.server),
            Role::Server => self.records.install(keys.server, keys.client),
        }
        Ok(master)
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

const CLIENT_FINISHED: &[u8] = b"client finished";
const SERVER_FINISHED: &[u8] = b"server finished";
