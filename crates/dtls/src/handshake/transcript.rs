use ring::digest;

use crate::{CipherSuite, flight, message::Kind};

/// Every handshake message of both sides in order, each as if it had come in one piece
/// (RFC 6347 §4.2.6). It is kept whole, as a signature may want another hash than the PRF; it is some
/// 2 KB and goes with the handshake.
#[derive(Default)]
pub(crate) struct Transcript(Vec<u8>);

impl Transcript {
    pub(crate) fn add(&mut self, message: &[u8]) {
        self.0.extend(message);
    }

    pub(crate) fn add_message(&mut self, kind: Kind, sequence: u16, body: &[u8]) {
        self.add(&flight::whole(kind.id(), sequence, body));
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The hash of all of it.
    pub(crate) fn hash(&self, suite: CipherSuite) -> digest::Digest {
        digest::digest(suite.digest(), &self.0)
    }
}
