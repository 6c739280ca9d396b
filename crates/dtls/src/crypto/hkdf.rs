use byteorder::{BigEndian, ByteOrder};
use ring::{digest, hkdf, hmac};
use zeroize::Zeroizing;

use crate::CipherSuite;

/// The hash of a suite of 1.3, and what is made with it (RFC 8446 §7.1).
#[derive(Clone, Copy)]
pub(crate) struct Hash {
    hmac: hmac::Algorithm,
    hkdf: hkdf::Algorithm,
    digest: &'static digest::Algorithm,
}

/// A secret as long as its hash. It is never printed and never cloned.
pub(crate) struct Secret {
    bytes: Zeroizing<[u8; MAX_LEN]>,
    len: usize,
}

/// A secret that several outputs are made of, ready for it.
pub(crate) struct Expander {
    prefix: &'static [u8],
    key: hkdf::Prk,
}

/// How long an output is to be.
struct OutputLen(usize);

impl Hash {
    pub(crate) const SHA256: Self = Self {
        hmac: hmac::HMAC_SHA256,
        hkdf: hkdf::HKDF_SHA256,
        digest: &digest::SHA256,
    };
    pub(crate) const SHA384: Self = Self {
        hmac: hmac::HMAC_SHA384,
        hkdf: hkdf::HKDF_SHA384,
        digest: &digest::SHA384,
    };

    pub(crate) fn of(suite: CipherSuite) -> Self {
        match suite.digest().output_len() {
            48 => Self::SHA384,
            _ => Self::SHA256,
        }
    }

    pub(crate) fn len(self) -> usize {
        self.digest.output_len()
    }

    pub(crate) fn digest(self, bytes: &[u8]) -> digest::Digest {
        digest::digest(self.digest, bytes)
    }

    pub(crate) fn mac(self, key: &[u8], message: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(self.hmac, key), message)
    }

    /// HKDF-Extract (RFC 5869 §2.2), which is an HMAC.
    pub(crate) fn extract(self, salt: &[u8], secret: &[u8]) -> Secret {
        Secret::new(self.mac(salt, secret).as_ref())
    }

    /// HKDF-Expand-Label; `None` when a length is beyond its field.
    pub(crate) fn expand_label(
        self,
        prefix: &'static [u8],
        secret: &Secret,
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Option<()> {
        self.expander(prefix, secret)
            .expand_label(label, context, out)
    }

    pub(crate) fn expander(self, prefix: &'static [u8], secret: &Secret) -> Expander {
        Expander {
            prefix,
            key: hkdf::Prk::new_less_safe(self.hkdf, secret.as_ref()),
        }
    }

    /// Derive-Secret, of a hash that is there already.
    pub(crate) fn derive(
        self,
        prefix: &'static [u8],
        secret: &Secret,
        label: &[u8],
        context: &[u8],
    ) -> Option<Secret> {
        let mut derived = Secret {
            bytes: Zeroizing::new([0; MAX_LEN]),
            len: self.len(),
        };
        let out = derived.bytes.get_mut(..derived.len)?;
        self.expand_label(prefix, secret, label, context, out)?;
        Some(derived)
    }
}

impl Expander {
    /// HKDF-Expand-Label; `None` when a length is beyond its field.
    pub(crate) fn expand_label(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Option<()> {
        let mut length = [0; 2];
        BigEndian::write_u16(&mut length, u16::try_from(out.len()).ok()?);
        let label_len = [u8::try_from(self.prefix.len() + label.len()).ok()?];
        let context_len = [u8::try_from(context.len()).ok()?];
        let info = [
            &length[..],
            &label_len[..],
            self.prefix,
            label,
            &context_len,
            context,
        ];
        self.expand(&info, out)
    }

    /// HKDF-Expand (RFC 5869 §2.3); `None` when the output is too long for the hash.
    pub(crate) fn expand(&self, info: &[&[u8]], out: &mut [u8]) -> Option<()> {
        let output = self.key.expand(info, OutputLen(out.len())).ok()?;
        output.fill(out).ok()
    }
}

impl Secret {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut secret = Self {
            bytes: Zeroizing::new([0; MAX_LEN]),
            len: bytes.len().min(MAX_LEN),
        };
        for (to, from) in secret.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
        secret
    }
}

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl hkdf::KeyType for OutputLen {
    fn len(&self) -> usize {
        self.0
    }
}

/// Of SHA-384.
const MAX_LEN: usize = 48;
