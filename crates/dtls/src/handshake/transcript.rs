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
        self.add(&flight::whole(kind, sequence, body));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The first `len` bytes.
    pub(crate) fn until(&self, len: usize) -> &[u8] {
        self.0.get(..len).unwrap_or(&self.0)
    }

    /// Their hash.
    pub(crate) fn hash(&self, suite: CipherSuite, len: usize) -> digest::Digest {
        digest::digest(suite.digest(), self.until(len))
    }
}
