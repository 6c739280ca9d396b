//! The handshake of DTLS 1.3, behind the hellos (RFC 9147 §5, RFC 8446 §4).

mod client;
mod keyed;
pub(crate) mod schedule;
mod server;
#[cfg(test)]
mod tests;

use keyed::{
    CLIENT_CONTEXT, Keyed, SERVER_CONTEXT, check_certificate, check_finished, check_verify,
};

use crate::{
    AlertDescription, Group, Peer, Role, SignatureScheme,
    crypto::key::Signed,
    handshake::{
        negotiate::server::Choice13,
        proof,
        session::Negotiated,
        signing::{self, Unsigned},
        work::{Fault, Look, PeerCertificate, Refusal, Work},
    },
    message::{Kind, Message},
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

/// A flight of ours, but for its signature.
pub(super) enum Flight {
    Client(Box<client::SignedFlight>),
    Server(Box<server::FirstFlight>),
}

pub(super) type Next = signing::Next<Step, Flight>;

/// Behind the ServerHello.
pub(super) fn start_client(
    work: &mut Work<'_>,
    negotiated: Negotiated,
    group: Group,
    shared: &[u8],
) -> Result<Step, Fault> {
    let keyed = Keyed::new(work, negotiated, shared, Role::Client)?;
    let step = client::ExpectEncryptedExtensions { keyed, group };
    Ok(Step::EncryptedExtensions(Box::new(step)))
}

/// Answers the ClientHello, which is in the transcript.
pub(super) fn start_server(work: &mut Work<'_>, choice: &Choice13) -> Result<Next, Fault> {
    let (signing, flight) = server::start(work, choice)?;
    Flight::Server(Box::new(flight)).go_on(work, signing)
}

impl Unsigned for Flight {
    type Step = Step;

    fn resume(self, work: &mut Work<'_>, signature: &[u8]) -> Result<Next, Fault> {
        match self {
            Self::Client(flight) => flight.resume(work, signature).map(Next::Complete),
            Self::Server(flight) => flight.resume(work, signature).map(|awaited| {
                Next::Step(match awaited {
                    server::Awaited::Certificate(step) => Step::ClientCertificate(Box::new(step)),
                    server::Awaited::Finished(step) => Step::ClientFinished(Box::new(step)),
                })
            }),
        }
    }
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

    pub(super) fn take(self, work: &mut Work<'_>, accepted: Accepted) -> Result<Next, Fault> {
        Ok(Next::Step(match (self, accepted) {
            (Self::EncryptedExtensions(step), Accepted::EncryptedExtensions(answers)) => {
                Self::CertificateRequest(Box::new(step.take(answers)))
            }
            (Self::CertificateRequest(step), Accepted::CertificateRequest(scheme)) => {
                Self::ServerCertificate(Box::new(step.take(scheme)))
            }
            (Self::CertificateRequest(step), Accepted::Certificate(certificate)) => {
                Self::ServerCertificateVerify(Box::new(step.pass().take(work, certificate)))
            }
            (Self::ServerCertificate(step), Accepted::Certificate(certificate)) => {
                Self::ServerCertificateVerify(Box::new(step.take(work, certificate)))
            }
            (Self::ServerCertificateVerify(step), Accepted::CertificateVerify(proof)) => {
                Self::ServerFinished(Box::new(step.take(proof)))
            }
            (Self::ServerFinished(step), Accepted::Finished(proof)) => {
                return match step.take(work, proof)? {
                    client::Last::Complete(session) => Ok(Next::Complete(session)),
                    client::Last::Sign(signing, flight) => {
                        Flight::Client(flight).go_on(work, signing)
                    }
                };
            }
            (Self::ClientCertificate(step), Accepted::Certificate(certificate)) => {
                Self::ClientCertificateVerify(Box::new(step.take(work, certificate)))
            }
            (Self::ClientCertificateVerify(step), Accepted::CertificateVerify(proof)) => {
                Self::ClientFinished(Box::new(step.take(proof)))
            }
            (Self::ClientFinished(step), Accepted::Finished(proof)) => {
                return step.take(work, proof).map(Next::Complete);
            }
            _ => return Err(Fault::new(AlertDescription::INTERNAL_ERROR)),
        }))
    }
}
