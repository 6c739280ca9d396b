//! The handshake of TLS 1.2 over DTLS, behind the hellos (RFC 6347 §4.2.4).

mod client;
mod keys;
mod server;

use crate::{
    AlertDescription, Peer, SignatureScheme,
    handshake::{
        negotiate::server::Choice,
        proof,
        session::Negotiated,
        signing::{self, Unsigned},
        work::{Fault, Look, Refusal, Work},
    },
    message::{Kind, Message},
};

/// What the handshake waits for.
pub(super) enum Step {
    ServerCertificate(Box<client::ExpectCertificate>),
    CertificateRequest(Box<client::ExpectCertificateRequest>),
    ServerHelloDone(Box<client::ExpectServerHelloDone>),
    ServerFinished(Box<client::ExpectFinished>),
    ClientCertificate(Box<server::ExpectCertificate>),
    ClientKeyExchange(Box<server::ExpectClientKeyExchange>),
    ClientFinished(Box<server::ExpectFinished>),
}

/// What weighing a message came to.
pub(super) enum Accepted {
    ServerCertificate(client::SignedShare),
    CertificateRequest(SignatureScheme),
    ServerHelloDone,
    ClientCertificate(server::SignedExchange),
    ClientKeyExchange(Vec<u8>),
    Finished(proof::Finished),
}

/// A flight of ours, but for its signature.
pub(super) enum Flight {
    Client(Box<client::SignedFlight>),
    Server(Box<server::FirstFlight>),
}

pub(super) type Next = signing::Next<Step, Flight>;

/// Behind the ServerHello.
pub(super) fn start_client(negotiated: Negotiated) -> Step {
    Step::ServerCertificate(Box::new(client::ExpectCertificate { negotiated }))
}

/// Answers the ClientHello.
pub(super) fn start_server(work: &mut Work<'_>, choice: &Choice) -> Result<Next, Fault> {
    let (signing, flight) = server::start(work, choice)?;
    Flight::Server(Box::new(flight)).go_on(work, signing)
}

impl Unsigned for Flight {
    type Step = Step;

    fn resume(self, work: &mut Work<'_>, signature: &[u8]) -> Result<Next, Fault> {
        Ok(Next::Step(match self {
            Self::Client(flight) => Step::ServerFinished(Box::new(flight.resume(work, signature))),
            Self::Server(flight) => match flight.resume(work, signature) {
                server::Awaited::Certificate(step) => Step::ClientCertificate(Box::new(step)),
                server::Awaited::KeyExchange(step) => Step::ClientKeyExchange(Box::new(step)),
            },
        }))
    }
}

impl Step {
    /// Whether this kind of message comes next.
    pub(super) fn expects(&self, peer: Peer, kind: Kind) -> bool {
        let expected = match self {
            // RFC 8827 §6.5: a peer of WebRTC asks who we are. Elsewhere it may not care.
            Self::CertificateRequest(_)
                if peer != Peer::Fingerprints && kind == Kind::ServerHelloDone =>
            {
                return true;
            }
            Self::ServerCertificate(_) | Self::ClientCertificate(_) => Kind::Certificate,
            Self::CertificateRequest(_) => Kind::CertificateRequest,
            Self::ServerHelloDone(_) => Kind::ServerHelloDone,
            Self::ServerFinished(_) | Self::ClientFinished(_) => Kind::Finished,
            Self::ClientKeyExchange(_) => Kind::ClientKeyExchange,
        };
        expected == kind
    }

    pub(super) fn weigh(
        &self,
        look: &Look<'_>,
        message: &Message<'_>,
    ) -> Result<Accepted, Refusal> {
        match (self, message) {
            (Self::ServerCertificate(step), Message::Certificate(certificate)) => step
                .weigh(look, certificate)
                .map(Accepted::ServerCertificate),
            (Self::CertificateRequest(_), Message::CertificateRequest(request)) => {
                client::ExpectCertificateRequest::weigh(look, request)
                    .map(Accepted::CertificateRequest)
            }
            (Self::ServerHelloDone(_) | Self::CertificateRequest(_), Message::ServerHelloDone) => {
                Ok(Accepted::ServerHelloDone)
            }
            (Self::ServerFinished(step), Message::Finished(finished)) => {
                step.weigh(look, finished).map(Accepted::Finished)
            }
            (Self::ClientCertificate(_), Message::Certificate(_)) => {
                server::ExpectCertificate::weigh(look).map(Accepted::ClientCertificate)
            }
            (Self::ClientKeyExchange(_), Message::ClientKeyExchange(exchange)) => {
                Ok(Accepted::ClientKeyExchange(exchange.public.to_vec()))
            }
            (Self::ClientFinished(step), Message::Finished(finished)) => {
                step.weigh(look, finished).map(Accepted::Finished)
            }
            _ => Err(Refusal::doubt(AlertDescription::UNEXPECTED_MESSAGE)),
        }
    }

    pub(super) fn take(self, work: &mut Work<'_>, accepted: Accepted) -> Result<Next, Fault> {
        Ok(Next::Step(match (self, accepted) {
            (Self::ServerCertificate(step), Accepted::ServerCertificate(server)) => {
                Self::CertificateRequest(Box::new(step.take(work, server)))
            }
            (Self::CertificateRequest(step), Accepted::CertificateRequest(scheme)) => {
                Self::ServerHelloDone(Box::new(step.take(scheme)))
            }
            (Self::CertificateRequest(step), Accepted::ServerHelloDone) => {
                return step.pass().take(work).and_then(|it| Self::answer(work, it));
            }
            (Self::ServerHelloDone(step), Accepted::ServerHelloDone) => {
                return step.take(work).and_then(|it| Self::answer(work, it));
            }
            (Self::ServerFinished(step), Accepted::Finished(proof)) => {
                return Ok(Next::Complete(step.take(work, proof)));
            }
            (Self::ClientCertificate(step), Accepted::ClientCertificate(exchange)) => {
                Self::ClientFinished(Box::new(step.take(work, exchange)?))
            }
            (Self::ClientKeyExchange(step), Accepted::ClientKeyExchange(public)) => {
                Self::ClientFinished(Box::new(step.take(work, &public)?))
            }
            (Self::ClientFinished(step), Accepted::Finished(proof)) => {
                return Ok(Next::Complete(step.take(work, proof)));
            }
            _ => return Err(Fault::new(AlertDescription::INTERNAL_ERROR)),
        }))
    }

    fn answer(work: &mut Work<'_>, last: client::Last) -> Result<Next, Fault> {
        match last {
            client::Last::Said(step) => Ok(Next::Step(Self::ServerFinished(step))),
            client::Last::Sign(signing, flight) => Flight::Client(flight).go_on(work, signing),
        }
    }
}
