//! The handshake of DTLS 1.3, behind the hellos (RFC 9147 §5, RFC 8446 §4).

pub(super) mod client;
pub(crate) mod schedule;
pub(super) mod server;

use schedule::{
    CLIENT_APPLICATION, CLIENT_HANDSHAKE, ExporterSecret, SERVER_APPLICATION, SERVER_HANDSHAKE,
    Schedule, Traffic,
};

use crate::{
    AlertDescription, Peer, Role, SignatureScheme, Version,
    crypto::key::{PublicKey, Signed},
    handshake::{
        self, Fault, Look, Negotiated, PeerCertificate, Refusal, Work,
        negotiate::{self, Place},
        proof,
        signing::Pending,
    },
    keylog,
    message::{
        Certificate13, CertificateEntry, CertificateVerify, Extensions, Finished, Kind, Message,
    },
};

/// What the handshake waits for; always in epoch 2.
pub(super) enum Step {
    EncryptedExtensions(Box<client::ExpectEncryptedExtensions>),
    CertificateRequest(Box<client::ExpectCertificateRequest>),
    ServerCertificate(Box<client::ExpectCertificate>),
    ServerCertificateVerify(Box<client::ExpectCertificateVerify>),
    ServerFinished(Box<client::ExpectFinished>),
    ClientCertificate(Box<server::ExpectCertificate>),
    ClientCertificateVerify(Box<server::ExpectCertificateVerify>),
    ClientFinished(Box<server::ExpectFinished>),
}

/// What weighing a message came to.
pub(super) enum Accepted {
    EncryptedExtensions(client::Answers),
    CertificateRequest(SignatureScheme),
    Certificate(PeerCertificate),
    CertificateVerify(Signed),
    Finished(proof::Finished),
}

/// What both sides have behind the ServerHello.
pub(super) struct Keyed {
    pub(super) negotiated: Negotiated,
    schedule: Schedule,
    client: Traffic,
    server: Traffic,
}

/// The secrets of a complete handshake.
pub(crate) struct Secrets {
    pub(crate) exporter: ExporterSecret,
    pub(crate) read: Traffic,
    pub(crate) write: Traffic,
}

impl Step {
    /// Whether this kind of message comes next.
    pub(super) fn expects(&self, peer: Peer, kind: Kind) -> bool {
        let expected = match self {
            // RFC 8827 §6.5: a peer of WebRTC asks who we are. Elsewhere it may not care.
            Self::CertificateRequest(_)
                if peer != Peer::Fingerprints && kind == Kind::Certificate =>
            {
                return true;
            }
            Self::EncryptedExtensions(_) => Kind::EncryptedExtensions,
            Self::CertificateRequest(_) => Kind::CertificateRequest,
            Self::ServerCertificate(_) | Self::ClientCertificate(_) => Kind::Certificate,
            Self::ServerCertificateVerify(_) | Self::ClientCertificateVerify(_) => {
                Kind::CertificateVerify
            }
            Self::ServerFinished(_) | Self::ClientFinished(_) => Kind::Finished,
        };
        expected == kind
    }

    pub(super) fn weigh(
        &self,
        look: &Look<'_>,
        message: &Message<'_>,
    ) -> Result<Accepted, Refusal> {
        match (self, message) {
            (Self::EncryptedExtensions(_), Message::EncryptedExtensions(answers)) => {
                client::ExpectEncryptedExtensions::weigh(look, answers)
                    .map(Accepted::EncryptedExtensions)
            }
            (Self::CertificateRequest(_), Message::CertificateRequest13(request)) => {
                client::ExpectCertificateRequest::weigh(look, request)
                    .map(Accepted::CertificateRequest)
            }
            (
                Self::CertificateRequest(_)
                | Self::ServerCertificate(_)
                | Self::ClientCertificate(_),
                Message::Certificate13(certificate),
            ) => check_certificate(look, certificate).map(Accepted::Certificate),
            (Self::ServerCertificateVerify(step), Message::CertificateVerify(verify)) => {
                check_verify(look, &step.keyed, &step.key, SERVER_CONTEXT, verify)
                    .map(Accepted::CertificateVerify)
            }
            (Self::ClientCertificateVerify(step), Message::CertificateVerify(verify)) => {
                check_verify(look, &step.keyed, &step.key, CLIENT_CONTEXT, verify)
                    .map(Accepted::CertificateVerify)
            }
            (Self::ServerFinished(step), Message::Finished(finished)) => {
                check_finished(look, &step.keyed.server, &step.keyed, finished)
                    .map(Accepted::Finished)
            }
            (Self::ClientFinished(step), Message::Finished(finished)) => {
                check_finished(look, &step.keyed.client, &step.keyed, finished)
                    .map(Accepted::Finished)
            }
            _ => Err(Refusal::doubt(AlertDescription::UNEXPECTED_MESSAGE)),
        }
    }

    pub(super) fn take(
        self,
        work: &mut Work<'_>,
        accepted: Accepted,
    ) -> Result<handshake::Step, Fault> {
        let next = match (self, accepted) {
            (Self::EncryptedExtensions(step), Accepted::EncryptedExtensions(answers)) => {
                step.take(answers)
            }
            (Self::CertificateRequest(step), Accepted::CertificateRequest(scheme)) => {
                step.take(scheme)
            }
            (Self::CertificateRequest(step), Accepted::Certificate(certificate)) => {
                step.pass().take(work, certificate)
            }
            (Self::ServerCertificate(step), Accepted::Certificate(certificate)) => {
                step.take(work, certificate)
            }
            (Self::ServerCertificateVerify(step), Accepted::CertificateVerify(proof)) => {
                step.take(proof)
            }
            (Self::ServerFinished(step), Accepted::Finished(proof)) => {
                return step.take(work, proof);
            }
            (Self::ClientCertificate(step), Accepted::Certificate(certificate)) => {
                step.take(work, certificate)
            }
            (Self::ClientCertificateVerify(step), Accepted::CertificateVerify(proof)) => {
                step.take(proof)
            }
            (Self::ClientFinished(step), Accepted::Finished(proof)) => {
                return step.take(work, proof);
            }
            _ => return Err(Fault::new(AlertDescription::INTERNAL_ERROR)),
        };
        Ok(handshake::Step::V13(next))
    }
}

impl Keyed {
    /// Behind the ServerHello, which is in the transcript: the keys of epoch 2.
    pub(super) fn new(
        work: &mut Work<'_>,
        negotiated: Negotiated,
        shared: &[u8],
        role: Role,
    ) -> Result<Self, Fault> {
        let keyed = Self::derive(work, negotiated, shared);
        let keyed = keyed.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        let random = &keyed.negotiated.client_random;
        work.log_key(keylog::CLIENT_HANDSHAKE, random, keyed.client.secret());
        work.log_key(keylog::SERVER_HANDSHAKE, random, keyed.server.secret());
        let (write, read) = match role {
            Role::Client => (&keyed.client, &keyed.server),
            Role::Server => (&keyed.server, &keyed.client),
        };
        work.records.set_version(Version::Dtls13);
        // RFC 9147 §5.2: behind the ServerHello every message is protected.
        work.reassembly.forget_clear();
        work.install_read(HANDSHAKE_EPOCH, read)?;
        work.install_write(HANDSHAKE_EPOCH, write)?;
        Ok(keyed)
    }

    fn derive(work: &Work<'_>, negotiated: Negotiated, shared: &[u8]) -> Option<Self> {
        let schedule = Schedule::new(negotiated.suite, schedule::DTLS_PREFIX);
        let schedule = schedule.advance(Some(shared))?;
        let hash = work.transcript.hash(negotiated.suite);
        Some(Self {
            client: schedule.traffic(CLIENT_HANDSHAKE, hash.as_ref())?,
            server: schedule.traffic(SERVER_HANDSHAKE, hash.as_ref())?,
            negotiated,
            schedule,
        })
    }

    /// Behind the server's Finished, which is in the transcript: the secrets of epoch 3.
    fn secrets(&self, work: &Work<'_>, role: Role) -> Result<Secrets, Fault> {
        let negotiated = &self.negotiated;
        let hash = work.transcript.hash(negotiated.suite);
        let derive = || {
            let master = self.schedule.advance(None)?;
            let client = master.traffic(CLIENT_APPLICATION, hash.as_ref())?;
            let server = master.traffic(SERVER_APPLICATION, hash.as_ref())?;
            Some((client, server, master.exporter(hash.as_ref())?))
        };
        let secrets = derive().ok_or(Fault::new(AlertDescription::INTERNAL_ERROR));
        let (client, server, exporter) = secrets?;
        let random = &negotiated.client_random;
        work.log_key(keylog::CLIENT_TRAFFIC, random, client.secret());
        work.log_key(keylog::SERVER_TRAFFIC, random, server.secret());
        work.log_key(keylog::EXPORTER, random, exporter.secret());
        let (write, read) = match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Ok(Secrets {
            exporter,
            read,
            write,
        })
    }
}

impl Work<'_> {
    fn install_read(&mut self, epoch: u16, traffic: &Traffic) -> Result<(), Fault> {
        let keys = traffic.keys();
        let keys = keys.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        self.records.install_read(epoch, keys);
        Ok(())
    }

    fn install_write(&mut self, epoch: u16, traffic: &Traffic) -> Result<(), Fault> {
        let keys = traffic.keys();
        let keys = keys.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        self.records.install_write(epoch, keys);
        Ok(())
    }

    /// Our certificate, and what is to be signed next to show that its key is ours.
    fn say_certificate(&mut self, keyed: &Keyed, scheme: SignatureScheme, role: Role) -> Pending {
        let chain = self.config.certificate.chain().iter();
        let entries = chain.map(|der| CertificateEntry {
            certificate: der,
            extensions: Extensions::default(),
        });
        let certificate = Certificate13 {
            context: &[],
            entries: entries.collect(),
        };
        self.say(HANDSHAKE_EPOCH, &Message::Certificate13(certificate));
        let context = match role {
            Role::Client => CLIENT_CONTEXT,
            Role::Server => SERVER_CONTEXT,
        };
        let hash = self.transcript.hash(keyed.negotiated.suite);
        Pending {
            version: Version::Dtls13,
            scheme,
            message: signed(context, hash.as_ref()),
        }
    }

    fn say_verify(&mut self, scheme: SignatureScheme, signature: &[u8]) {
        let verify = CertificateVerify {
            scheme: scheme.id(),
            signature,
        };
        self.say(HANDSHAKE_EPOCH, &Message::CertificateVerify(verify));
    }

    fn say_finished(&mut self, keyed: &Keyed, traffic: &Traffic) -> Result<(), Fault> {
        let hash = self.transcript.hash(keyed.negotiated.suite);
        let verify_data = traffic.finished(hash.as_ref());
        let verify_data = verify_data.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
        let finished = Finished {
            verify_data: &verify_data,
        };
        self.say(HANDSHAKE_EPOCH, &Message::Finished(finished));
        Ok(())
    }
}

/// RFC 8446 §4.4.2: one context, one leaf, no extension that nobody asked for.
fn check_certificate(
    look: &Look<'_>,
    message: &Certificate13<'_>,
) -> Result<PeerCertificate, Refusal> {
    if !message.context.is_empty() {
        return Err(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER));
    }
    if message.entries.is_empty() {
        let alert = match look.role {
            Role::Server => AlertDescription::CERTIFICATE_REQUIRED,
            Role::Client => AlertDescription::DECODE_ERROR,
        };
        return Err(Refusal::doubt(alert));
    }
    for entry in &message.entries {
        negotiate::check_allowed(Place::Certificate, &entry.extensions)?;
    }
    let chain: Vec<&[u8]> = message
        .entries
        .iter()
        .map(|entry| entry.certificate)
        .collect();
    look.check_certificate(&chain)
}

fn check_verify(
    look: &Look<'_>,
    keyed: &Keyed,
    key: &PublicKey,
    context: &[u8],
    verify: &CertificateVerify<'_>,
) -> Result<Signed, Refusal> {
    let scheme = negotiate::check_scheme(look.config, verify.scheme)?;
    // RFC 8446 §4.4.3: one that cannot be used here is wrong, not merely a signature that fails.
    if !scheme.is_allowed(Version::Dtls13) {
        return Err(Refusal::doubt(AlertDescription::ILLEGAL_PARAMETER));
    }
    let hash = look.transcript.hash(keyed.negotiated.suite);
    let message = signed(context, hash.as_ref());
    let signed = key.check_signature(Version::Dtls13, scheme, &message, verify.signature);
    signed.ok_or(Refusal::end(AlertDescription::DECRYPT_ERROR))
}

fn check_finished(
    look: &Look<'_>,
    traffic: &Traffic,
    keyed: &Keyed,
    finished: &Finished<'_>,
) -> Result<proof::Finished, Refusal> {
    let hash = look.transcript.hash(keyed.negotiated.suite);
    let expected = traffic.finished(hash.as_ref());
    let expected = expected.ok_or(Refusal::end(AlertDescription::INTERNAL_ERROR))?;
    let proof = proof::check_finished(&expected, finished.verify_data);
    proof.ok_or(Refusal::end(AlertDescription::DECRYPT_ERROR))
}

/// What a CertificateVerify signs (RFC 8446 §4.4.3).
fn signed(context: &[u8], transcript: &[u8]) -> Vec<u8> {
    [&[0x20; 64][..], context, &[0], transcript].concat()
}

const SERVER_CONTEXT: &[u8] = b"TLS 1.3, server CertificateVerify";
const CLIENT_CONTEXT: &[u8] = b"TLS 1.3, client CertificateVerify";
pub(crate) const HANDSHAKE_EPOCH: u16 = 2;
pub(crate) const APPLICATION_EPOCH: u16 = 3;
