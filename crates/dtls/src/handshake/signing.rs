//! Where a handshake needs a signature of ours: at once from a key of ours, or later from a signer.

use rand_core::Rng;

use crate::{
    AlertDescription, Signature, SignatureRequest, SignatureScheme, Version,
    handshake::{
        session::Session,
        work::{Fault, Work},
    },
};

/// What is to be signed.
pub(super) struct Pending {
    pub(super) version: Version,
    pub(super) scheme: SignatureScheme,
    pub(super) message: Vec<u8>,
}

/// What came of it.
pub(super) enum Signing {
    Signed(Vec<u8>),
    Asked(Box<Asked>),
}

/// A signer was asked; messages wait until it answers.
pub(super) struct Asked {
    pending: Pending,
    /// One that no request of another connection has.
    number: u64,
    requested: bool,
}

/// What follows a message that was taken.
pub(super) enum Next<S, F> {
    Step(S),
    /// The flight goes on with a signature.
    Sign(Box<Asked>, F),
    Complete(Box<Session>),
}

/// Signs, or asks for it. Nothing of the flight leaves before the signature is in it.
pub(super) fn sign(work: &mut Work<'_>, pending: Pending) -> Result<Signing, Fault> {
    let certificate = &work.config.certificate;
    if certificate.signer().is_some() {
        work.outgoing.hold();
        return Ok(Signing::Asked(Box::new(Asked {
            pending,
            number: work.rng.next_u64(),
            requested: false,
        })));
    }
    let signature = certificate.sign(pending.scheme, &pending.message);
    let signature = signature.ok_or(Fault::new(AlertDescription::INTERNAL_ERROR))?;
    Ok(Signing::Signed(signature))
}

/// A flight of ours, but for its signature.
pub(super) trait Unsigned: Sized {
    /// What is waited for behind it.
    type Step;

    fn resume(self, work: &mut Work<'_>, signature: &[u8])
    -> Result<Next<Self::Step, Self>, Fault>;

    /// At once, where a key of ours has signed.
    fn go_on(self, work: &mut Work<'_>, signing: Signing) -> Result<Next<Self::Step, Self>, Fault> {
        match signing {
            Signing::Signed(signature) => self.resume(work, &signature),
            Signing::Asked(asked) => Ok(Next::Sign(asked, self)),
        }
    }
}

impl Asked {
    /// The request, once.
    pub(super) fn request(&mut self, certificate: &crate::Certificate) -> Option<SignatureRequest> {
        let signer = certificate.signer().filter(|_| !self.requested)?;
        self.requested = true;
        Some(SignatureRequest {
            number: self.number,
            scheme: self.pending.scheme,
            message: self.pending.message.clone(),
            signer: signer.clone(),
        })
    }

    pub(super) fn is_answered_by(&self, signature: &Signature) -> bool {
        self.number == signature.number
    }

    /// What a signer gives is verified before it is said: a faulty one tells nobody its key.
    pub(super) fn take(self, work: &mut Work<'_>, signature: Signature) -> Result<Vec<u8>, Fault> {
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
        Ok(bytes)
    }
}
