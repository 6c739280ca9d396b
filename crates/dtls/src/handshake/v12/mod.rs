//! The handshake of TLS 1.2 over DTLS, behind the hellos (RFC 6347 §4.2.4).

pub(super) mod client;
mod keys;
pub(super) mod server;

use crate::{
    AlertDescription, Peer,
    crypto::key::Signed,
    handshake::{self, Fault, Look, PeerCertificate, Refusal, Work, proof},
    message::{Kind, Message},
};

/// What the handshake waits for.
pub(super) enum Step {
    ServerCertificate(Box<client::ExpectCertificate>),
    ServerKeyExchange(Box<client::ExpectServerKeyExchange>),
    CertificateRequest(Box<client::ExpectCertificateRequest>),
    ServerHelloDone(Box<client::ExpectServerHelloDone>),
    ServerFinished(Box<client::ExpectFinished>),
    ClientCertificate(Box<server::ExpectCertificate>),
    ClientKeyExchange(Box<server::ExpectClientKeyExchange>),
    CertificateVerify(Box<server::ExpectCertificateVerify>),
    ClientFinished(Box<server::ExpectFinished>),
}

/// What weighing a message came to.
pub(super) enum Accepted {
    Certificate(PeerCertificate),
    ServerKeyExchange(client::ServerShare),
    CertificateRequest(crate::SignatureScheme),
    ServerHelloDone,
    ClientKeyExchange(Vec<u8>),
    CertificateVerify(Signed),
    Finished(proof::Finished),
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
            Self::ServerKeyExchange(_) => Kind::ServerKeyExchange,
            Self::CertificateRequest(_) => Kind::CertificateRequest,
            Self::ServerHelloDone(_) => Kind::ServerHelloDone,
            Self::ServerFinished(_) | Self::ClientFinished(_) => Kind::Finished,
            Self::ClientKeyExchange(_) => Kind::ClientKeyExchange,
            Self::CertificateVerify(_) => Kind::CertificateVerify,
        };
        expected == kind
    }

    pub(super) fn weigh(
        &self,
        look: &Look<'_>,
        message: &Message<'_>,
    ) -> Result<Accepted, Refusal> {
        match (self, message) {
            (Self::ServerCertificate(step), Message::Certificate(certificate)) => {
                step.weigh(look, certificate).map(Accepted::Certificate)
            }
            (Self::ServerKeyExchange(step), Message::ServerKeyExchange(exchange)) => {
                step.weigh(look, exchange).map(Accepted::ServerKeyExchange)
            }
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
            (Self::ClientCertificate(_), Message::Certificate(certificate)) => {
                server::ExpectCertificate::weigh(look, certificate).map(Accepted::Certificate)
            }
            (Self::ClientKeyExchange(_), Message::ClientKeyExchange(exchange)) => {
                Ok(Accepted::ClientKeyExchange(exchange.public.to_vec()))
            }
            (Self::CertificateVerify(step), Message::CertificateVerify(verify)) => {
                step.weigh(look, verify).map(Accepted::CertificateVerify)
            }
            (Self::ClientFinished(step), Message::Finished(finished)) => {
                step.weigh(look, finished).map(Accepted::Finished)
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
            (Self::ServerCertificate(step), Accepted::Certificate(certificate)) => {
                step.take(work, certificate)
            }
            (Self::ServerKeyExchange(step), Accepted::ServerKeyExchange(share)) => step.take(share),
            (Self::CertificateRequest(step), Accepted::CertificateRequest(scheme)) => {
                step.take(scheme)
            }
            (Self::CertificateRequest(step), Accepted::ServerHelloDone) => {
                return step.pass().take(work);
            }
            (Self::ServerHelloDone(step), Accepted::ServerHelloDone) => return step.take(work),
            (Self::ServerFinished(step), Accepted::Finished(proof)) => {
                return Ok(step.take(work, proof));
            }
            (Self::ClientCertificate(step), Accepted::Certificate(certificate)) => {
                step.take(work, certificate)
            }
            (Self::ClientKeyExchange(step), Accepted::ClientKeyExchange(public)) => {
                step.take(work, &public)?
            }
            (Self::CertificateVerify(step), Accepted::CertificateVerify(proof)) => step.take(proof),
            (Self::ClientFinished(step), Accepted::Finished(proof)) => {
                return Ok(step.take(work, proof));
            }
            _ => return Err(Fault::new(AlertDescription::INTERNAL_ERROR)),
        };
        Ok(handshake::Step::V12(next))
    }
}
