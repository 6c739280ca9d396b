use zeroize::Zeroizing;

use crate::{
    CipherSuite, Error,
    crypto::{
        aead::RecordKey,
        hkdf::{Hash, Secret},
    },
};

/// The key schedule of 1.3 (RFC 8446 §7.1), at one of its secrets.
pub(crate) struct Schedule {
    pub(super) suite: CipherSuite,
    hash: Hash,
    prefix: &'static [u8],
    secret: Secret,
}

/// The secrets of one direction, and what is made of them.
pub(crate) struct Traffic {
    suite: CipherSuite,
    prefix: &'static [u8],
    secret: Secret,
}

/// From which other protocols get their keys.
pub(crate) struct ExporterSecret {
    hash: Hash,
    prefix: &'static [u8],
    secret: Secret,
}

/// The secrets of a complete handshake.
pub(crate) struct Secrets {
    pub(crate) exporter: ExporterSecret,
    pub(crate) read: Traffic,
    pub(crate) write: Traffic,
}

impl Schedule {
    /// The early secret: nothing is shared beforehand.
    pub(crate) fn new(suite: CipherSuite, prefix: &'static [u8]) -> Self {
        let hash = Hash::of(suite);
        let zeros = [0; 48];
        let zeros = zeros.get(..hash.len()).unwrap_or(&zeros);
        Self {
            suite,
            hash,
            prefix,
            secret: hash.extract(zeros, zeros),
        }
    }

    /// The next secret: the handshake's of the shared secret, the master's of nothing.
    pub(crate) fn advance(&self, input: Option<&[u8]>) -> Option<Self> {
        let zeros = [0; 48];
        let input = input.or(zeros.get(..self.hash.len()))?;
        let nothing = self.hash.digest(&[]);
        let derived = self
            .hash
            .derive(self.prefix, &self.secret, b"derived", nothing.as_ref())?;
        let secret = self.hash.extract(derived.as_ref(), input);
        Some(Self { secret, ..*self })
    }

    /// A traffic secret of this stage, bound to everything said so far.
    pub(crate) fn traffic(&self, label: &[u8], transcript: &[u8]) -> Option<Traffic> {
        let secret = self
            .hash
            .derive(self.prefix, &self.secret, label, transcript)?;
        Some(Traffic {
            suite: self.suite,
            prefix: self.prefix,
            secret,
        })
    }

    pub(crate) fn exporter(&self, transcript: &[u8]) -> Option<ExporterSecret> {
        let secret = self
            .hash
            .derive(self.prefix, &self.secret, b"exp master", transcript)?;
        Some(ExporterSecret {
            hash: self.hash,
            prefix: self.prefix,
            secret,
        })
    }

    #[cfg(test)]
    pub(crate) fn secret(&self) -> &[u8] {
        self.secret.as_ref()
    }
}

impl Traffic {
    pub(crate) fn keys(&self) -> Option<RecordKey> {
        RecordKey::of_traffic_secret(self.suite, self.prefix, &self.secret)
    }

    /// The contents of a Finished (RFC 8446 §4.4.4).
    pub(crate) fn finished(&self, transcript: &[u8]) -> Option<Vec<u8>> {
        let hash = Hash::of(self.suite);
        let mut key = Zeroizing::new([0; 48]);
        let key = key.get_mut(..hash.len())?;
        hash.expand_label(self.prefix, &self.secret, b"finished", &[], key)?;
        Some(hash.mac(key, transcript).as_ref().to_vec())
    }

    /// RFC 8446 §7.2: the next generation.
    pub(crate) fn next(&self) -> Option<Self> {
        let hash = Hash::of(self.suite);
        let secret = hash.derive(self.prefix, &self.secret, b"traffic upd", &[])?;
        Some(Self { secret, ..*self })
    }

    /// For the key log alone.
    pub(crate) fn secret(&self) -> &[u8] {
        self.secret.as_ref()
    }
}

impl ExporterSecret {
    /// RFC 8446 §7.5: an absent and an empty context are one.
    pub(crate) fn export(&self, label: &str, context: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let nothing = self.hash.digest(&[]);
        let (hash, prefix) = (self.hash, self.prefix);
        let derived = hash.derive(prefix, &self.secret, label.as_bytes(), nothing.as_ref());
        let derived = derived.ok_or(Error::Export)?;
        let context = hash.digest(context);
        let filled = hash.expand_label(prefix, &derived, b"exporter", context.as_ref(), out);
        filled.ok_or(Error::Export)
    }

    /// For the key log alone.
    pub(crate) fn secret(&self) -> &[u8] {
        self.secret.as_ref()
    }
}

/// RFC 9147 §5.9: without the blank that TLS has.
pub(crate) const DTLS_PREFIX: &[u8] = b"dtls13";
pub(crate) const CLIENT_HANDSHAKE: &[u8] = b"c hs traffic";
pub(crate) const SERVER_HANDSHAKE: &[u8] = b"s hs traffic";
pub(crate) const CLIENT_APPLICATION: &[u8] = b"c ap traffic";
pub(crate) const SERVER_APPLICATION: &[u8] = b"s ap traffic";
