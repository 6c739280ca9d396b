use std::{fmt, sync::Arc};

use crate::SignatureScheme;

/// A private key that lives elsewhere, in a security module for one. It may take its time: the connection
/// never calls it, its owner does, by [`SignatureRequest::sign`].
pub trait Signer: Send + Sync {
    /// What it can sign with, best first.
    fn schemes(&self) -> &[SignatureScheme];

    /// The signature of this message, which is not hashed yet; of ECDSA in DER.
    ///
    /// # Errors
    /// [`SignerError`] when there is none: the handshake fails.
    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SignerError>;
}

/// A signer could not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signer could not sign")]
pub struct SignerError;

/// What a connection wants signed: see [`Connection::poll_signature`](crate::Connection::poll_signature).
#[derive(Clone)]
pub struct SignatureRequest {
    pub(crate) number: u64,
    pub(crate) scheme: SignatureScheme,
    pub(crate) message: Vec<u8>,
    pub(crate) signer: Arc<dyn Signer>,
}

/// What [`SignatureRequest::sign`] gave, for
/// [`Connection::handle_signature`](crate::Connection::handle_signature).
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    pub(crate) number: u64,
    pub(crate) bytes: Result<Vec<u8>, SignerError>,
}

impl SignatureRequest {
    /// What to sign with.
    pub fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    /// What to sign; it is not hashed yet.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Calls the signer, and blocks as long as that does.
    pub fn sign(&self) -> Signature {
        self.answer(self.signer.sign(self.scheme, &self.message))
    }

    /// For a signature that was made in another way.
    pub fn answer(&self, signature: Result<Vec<u8>, SignerError>) -> Signature {
        Signature {
            number: self.number,
            bytes: signature,
        }
    }
}

impl fmt::Debug for SignatureRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureRequest")
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").finish_non_exhaustive()
    }
}
