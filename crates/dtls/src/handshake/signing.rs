//! Where a handshake needs a signature of ours: at once from a key of ours, or later from a signer.

use crate::{
    AlertDescription, Signature, SignatureRequest, SignatureScheme, Version,
    handshake::{Fault, Step, Work, v12, v13},
};

/// What is to be signed.
pub(super) struct Pending {
    pub(super) version: Version,
    pub(super) scheme: SignatureScheme,
    pub(super) message: Vec<u8>,
}

/// Who goes on with the signature.
pub(super) enum Resume {
    V12Client(Box<v12::client::SignedFlight>),
    V12Server(Box<v12::server::FirstFlight>),
    V13Client(Box<v13::client::SignedFlight>),
    V13Server(Box<v13::server::FirstFlight>),
}

/// A signer was asked; messages wait until it answers.
pub(super) struct AwaitSignature {
    pending: Pending,
    resume: Resume,
    number: u64,
    asked: bool,
}

/// Signs, or asks for it. Nothing of the flight leaves before the signature is in it.
pub(super) fn sign(work: &mut Work<'_>, pending: Pending, resume: Resume) -> Result<Step, Fault> {
    let certificate = &work.config.certificate;
    if certificate.signer().is_some() {
        work.outgoing.hold();
        *work.requests += 1;
        return Ok(Step::AwaitSignature(Box::new(AwaitSignature {
            pending,
            resume,
            number: *work.requests,
            asked: false,
        })));
    }
    let signature = certificate.sign(pending.scheme, &pending.message);
    let signature = signature.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
    resume.resume(work, &signature)
}

impl AwaitSignature {
    /// The request, once.
    pub(super) fn request(&mut self, certificate: &crate::Certificate) -> Option<SignatureRequest> {
        let signer = certificate.signer().filter(|_| !self.asked)?;
        self.asked = true;
        Some(SignatureRequest {
            number: self.number,
            scheme: self.pending.scheme,
            message: self.pending.message.clone(),
            signer: signer.clone(),
        })
    }

    pub(super) fn is_1_3(&self) -> bool {
        self.pending.version == Version::Dtls13
    }

    pub(super) fn is_answered_by(&self, signature: &Signature) -> bool {
        self.number == signature.number
    }

    /// What a signer gives is verified before it is said: a faulty one tells nobody its key.
    pub(super) fn take(self, work: &mut Work<'_>, signature: Signature) -> Result<Step, Fault> {
        let internal = Fault::new(AlertDescription::INTERNAL_ERROR);
        let bytes = signature.bytes.map_err(|_| internal)?;
        let Pending {
            version,
            scheme,
            message,
        } = &self.pending;
        let public = work.config.certificate.public();
        let signed = public.check_signature(*version, *scheme, message, &bytes);
        signed.ok_or(internal)?;
        work.outgoing.release();
        self.resume.resume(work, &bytes)
    }
}

impl Resume {
    fn resume(self, work: &mut Work<'_>, signature: &[u8]) -> Result<Step, Fault> {
        match self {
            Self::V12Client(flight) => flight.resume(work, signature),
            Self::V12Server(flight) => flight.resume(work, signature),
            Self::V13Client(flight) => flight.resume(work, signature),
            Self::V13Server(flight) => flight.resume(work, signature),
        }
    }
}
