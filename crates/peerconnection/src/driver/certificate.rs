//! Certificates by the system's clock.

use std::thread;

use tokio::sync::oneshot;

use super::clock::wall;
use crate::{Certificate, Error, ErrorKind, KeyAlgorithm};

impl Certificate {
    /// `RTCPeerConnection.generateCertificate()`: a key and its certificate, which is valid for 30 days from now. An RSA key takes
    /// up to 150 ms and is made on a thread of its own, so that no task waits behind it. Works on any runtime.
    ///
    /// Cancel safe: when the future is dropped, the key is thrown away. It belongs to no connection, so neither `failed` nor
    /// `close()` of one ends it.
    ///
    /// # Errors
    ///
    /// `Operation` when the crypto library refuses, or the system gives no thread.
    pub async fn generate(algorithm: KeyAlgorithm) -> Result<Self, Error> {
        if algorithm == KeyAlgorithm::EcdsaP256 {
            return Self::generate_at(algorithm, wall(), None);
        }
        let (done, made) = oneshot::channel();
        let making = move || {
            // Nobody waits any more when the future was dropped.
            let _ = done.send(Self::generate_at(algorithm, wall(), None));
        };
        let thread = thread::Builder::new().name("oxirtc key".to_owned());
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Operation, "no thread to make the key on").with_source(error)
        };
        thread.spawn(making).map_err(failed)?;
        let gone = |_| {
            Error::new(
                ErrorKind::Operation,
                "the thread that made the key has died",
            )
        };
        made.await.map_err(gone)?
    }
}
