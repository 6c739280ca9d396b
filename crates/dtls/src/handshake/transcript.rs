use ring::digest;

use crate::{
    CipherSuite,
    message::{Fragment, Kind},
};

/// Every handshake message of both sides in order, each as if it had come in one piece. It is kept whole,
/// as a signature may want another hash than the PRF; it is some 2 to 5 KB and goes with the handshake.
#[derive(Clone, Default)]
pub(crate) struct Transcript {
    style: Style,
    bytes: Vec<u8>,
    /// The hash of all of it so far, from when it is known which: what is asked for many times is hashed once.
    running: Option<digest::Context>,
}

/// How headers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// With the twelve bytes of DTLS (RFC 6347 §4.2.6).
    #[default]
    Dtls12,
    /// With the four bytes of TLS (RFC 9147 §5.2).
    Tls,
}

impl Transcript {
    pub(crate) fn set_style(&mut self, style: Style) {
        self.style = style;
    }

    pub(crate) fn add(&mut self, kind: u8, sequence: u16, body: &[u8]) {
        let fragment = Fragment {
            kind,
            length: body.len(),
            sequence,
            offset: 0,
            body: &[],
        };
        let start = self.bytes.len();
        if start == 0 {
            self.bytes.reserve(USUAL_LEN);
        }
        fragment.write_header(body.len(), &mut self.bytes);
        if self.style == Style::Tls {
            self.bytes.truncate(start + TLS_HEADER_LEN);
        }
        self.bytes.extend(body);
        if let (Some(running), Some(added)) = (&mut self.running, self.bytes.get(start..)) {
            running.update(added);
        }
    }

    pub(crate) fn add_message(&mut self, kind: Kind, sequence: u16, body: &[u8]) {
        self.add(kind.id(), sequence, body);
    }

    /// RFC 8446 §4.4.1: stands for the ClientHello that a HelloRetryRequest answered.
    pub(crate) fn add_message_hash(&mut self, hash: &[u8]) {
        self.add(MESSAGE_HASH, 0, hash);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The suite is known, and with it the hash.
    pub(crate) fn begin_hash(&mut self, suite: CipherSuite) {
        let mut running = digest::Context::new(suite.digest());
        running.update(&self.bytes);
        self.running = Some(running);
    }

    /// The hash of all of it.
    pub(crate) fn hash(&self, suite: CipherSuite) -> digest::Digest {
        match &self.running {
            Some(running) if running.algorithm() == suite.digest() => running.clone().finish(),
            _ => digest::digest(suite.digest(), &self.bytes),
        }
    }
}

/// A ClientHello as it counts in 1.3 when a HelloRetryRequest answers it.
pub(crate) fn hello_hash(suite: CipherSuite, body: &[u8]) -> digest::Digest {
    let mut alone = Transcript::default();
    alone.set_style(Style::Tls);
    alone.add_message(Kind::ClientHello, 0, body);
    alone.hash(suite)
}

const TLS_HEADER_LEN: usize = 4;
const MESSAGE_HASH: u8 = 254;
const USUAL_LEN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_decides_the_header() {
        let mut transcript = Transcript::default();
        transcript.add_message(Kind::Finished, 5, &[7, 8]);
        let dtls = [20, 0, 0, 2, 0, 5, 0, 0, 0, 0, 0, 2, 7, 8];
        assert_eq!(transcript.bytes(), dtls);
        let mut transcript = Transcript::default();
        transcript.set_style(Style::Tls);
        transcript.add_message(Kind::Finished, 5, &[7, 8]);
        transcript.add_message_hash(&[1; 32]);
        let tls = [&[20, 0, 0, 2, 7, 8, 254, 0, 0, 32][..], &[1; 32]].concat();
        assert_eq!(transcript.bytes(), tls);
    }

    #[test]
    fn what_is_hashed_on_the_way_is_all_of_it() {
        let suites = [CipherSuite::Aes128Gcm, CipherSuite::Aes256Gcm];
        for suite in suites {
            let mut transcript = Transcript::default();
            let check = |transcript: &Transcript| {
                for suite in suites {
                    let whole = digest::digest(suite.digest(), transcript.bytes());
                    assert_eq!(transcript.hash(suite).as_ref(), whole.as_ref());
                }
            };
            check(&transcript);
            transcript.add_message(Kind::ClientHello, 0, &[7; 100]);
            transcript.begin_hash(suite);
            check(&transcript);
            transcript.set_style(Style::Tls);
            transcript.add_message(Kind::ServerHello, 0, &[8; 200]);
            transcript.add_message_hash(&[1; 32]);
            check(&transcript);
            let mut said = transcript.clone();
            said.add_message(Kind::Finished, 1, &[9; 32]);
            check(&said);
            check(&transcript);
        }
    }
}
