use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{
    CertificateParams, DnType, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    PKCS_RSA_SHA256, SerialNumber,
};
use ring::rand::SecureRandom;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::{
    Error, Fingerprint, HashAlgorithm, KeyType, SignatureScheme, Signer, Version,
    crypto::{
        key::{PublicKey, SigningKey},
        library_random,
    },
    message::MAX_CHAIN,
    pem,
    reassembly::MAX_LENGTH,
};

/// An X.509 certificate with its private key. A clone is cheap and is the same certificate.
///
/// The private key can be read only through [`Certificate::to_pem`]; `Debug` shows the fingerprint.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use oxirtc_dtls::{Certificate, HashAlgorithm, KeyType};
///
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
/// let certificate = Certificate::generate(KeyType::EcdsaP256, now, Certificate::DEFAULT_LIFETIME)?;
/// let restored = Certificate::from_pem(&certificate.to_pem()?)?;
/// let fingerprint = |of: &Certificate| of.fingerprint(&HashAlgorithm::Sha256);
/// assert_eq!(fingerprint(&restored), fingerprint(&certificate));
/// # Ok::<(), oxirtc_dtls::Error>(())
/// ```
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    /// DER, our own first.
    chain: Vec<Vec<u8>>,
    key: Key,
    public: PublicKey,
    not_after: SystemTime,
}

/// Where the private key is.
enum Key {
    Ours {
        key: Box<SigningKey>,
        pkcs8: Zeroizing<Vec<u8>>,
    },
    External(Arc<dyn Signer>),
}

impl Certificate {
    /// How long a certificate is valid when nobody says otherwise: 30 days.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(30 * 86_400);
    /// The longest lifetime; a longer one is shortened to it. 365 days.
    pub const MAX_LIFETIME: Duration = Duration::from_secs(365 * 86_400);

    /// A fresh key and a self-signed certificate for it, with a random name and serial number, so that
    /// two certificates of one user have nothing in common. It is valid from a day before `now`, for
    /// peers whose clock is slow.
    ///
    /// An RSA key takes 20 to 150 ms: make it where that does no harm.
    pub fn generate(key_type: KeyType, now: SystemTime, lifetime: Duration) -> Result<Self, Error> {
        let (pkcs8, key) = SigningKey::generate(key_type).ok_or(Error::KeyGeneration)?;
        // The limits keep the conversion of dates, which panics far away, within years of four digits.
        let since_epoch = now
            .duration_since(UNIX_EPOCH)
            .map_err(|_| Error::KeyGeneration)?;
        let not_after = since_epoch + lifetime.min(Self::MAX_LIFETIME);
        if since_epoch < DAY || not_after > END_OF_TIME {
            return Err(Error::KeyGeneration);
        }
        let mut parameters = CertificateParams::default();
        parameters.not_before = (now - DAY).into();
        parameters.not_after = (UNIX_EPOCH + not_after).into();
        let [first, random @ ..] = random::<33>()?;
        let (serial, digits) = random.split_at(16);
        // Positive and never empty in DER.
        let serial = [&[first & 0x3F | 0x40], serial].concat();
        parameters.serial_number = Some(SerialNumber::from(serial));
        let digits = digits.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let name: String = digits
            .filter_map(|it| char::from_digit(it.into(), 16))
            .collect();
        let subject = &mut parameters.distinguished_name;
        *subject = rcgen::DistinguishedName::new();
        subject.push(DnType::CommonName, name);
        let certificate = parameters
            .self_signed(&SelfSigning {
                key_type,
                key: &key,
            })
            .map_err(|_| Error::KeyGeneration)?;
        let chain = vec![certificate.der().to_vec()];
        let public = key.to_public();
        // As it stands there: in whole seconds.
        let not_after = UNIX_EPOCH + Duration::from_secs(not_after.as_secs());
        Ok(Self::ours(chain, public, not_after, key, pkcs8))
    }

    /// Reads `CERTIFICATE` blocks, our own first, and a `PRIVATE KEY` block (PKCS #8), in any order.
    ///
    /// A chain has at most ten certificates and 32 KiB. The key must be ECDSA with P-256 or P-384, Ed25519, or RSA of 2048 to 4096 bits, and belong to the
    /// certificate.
    ///
    /// # Errors
    /// [`Error::InvalidCertificate`], [`Error::UnsupportedKey`], and [`Error::KeyFormat`] for an
    /// `EC PRIVATE KEY` or `RSA PRIVATE KEY`.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        let (mut chain, mut pkcs8) = (Vec::new(), None);
        for block in pem::blocks(pem) {
            let pem::Block { label, contents } = block?;
            match label {
                "CERTIFICATE" => chain.push(contents.to_vec()),
                "PRIVATE KEY" => pkcs8 = Some(contents),
                "EC PRIVATE KEY" | "RSA PRIVATE KEY" => return Err(Error::KeyFormat),
                _ => {}
            }
        }
        Self::new(chain, pkcs8.ok_or(Error::UnsupportedKey)?)
    }

    /// The same of DER: a chain, our own first, and a key in PKCS #8, as `rcgen` makes them.
    ///
    /// # Errors
    /// [`Error::InvalidCertificate`], [`Error::UnsupportedKey`].
    pub fn from_der(chain: Vec<Vec<u8>>, pkcs8: &[u8]) -> Result<Self, Error> {
        Self::new(chain, Zeroizing::new(pkcs8.to_vec()))
    }

    /// A chain, our own first, whose private key lives elsewhere.
    ///
    /// # Errors
    /// [`Error::InvalidCertificate`], [`Error::UnsupportedKey`] for a key that cannot verify here, such as RSA
    /// below 2048 or above 8192 bits.
    pub fn external(chain: Vec<Vec<u8>>, signer: Arc<dyn Signer>) -> Result<Self, Error> {
        let (public, not_after) = Self::inspect(&chain)?;
        Ok(Self(Arc::new(Inner {
            chain,
            key: Key::External(signer),
            public,
            not_after,
        })))
    }

    fn inspect(chain: &[Vec<u8>]) -> Result<(PublicKey, SystemTime), Error> {
        // What a peer of this crate would take, in the longer form of 1.3.
        let length = chain.iter().fold(4, |length, der| length + 5 + der.len());
        if chain.len() > MAX_CHAIN || length > MAX_LENGTH {
            return Err(Error::InvalidCertificate);
        }
        let whole = |der| {
            X509Certificate::from_der(der)
                .ok()
                .filter(|(rest, _)| rest.is_empty())
        };
        let parsed: Option<Vec<_>> = chain.iter().map(|der| whole(der)).collect();
        let parsed = parsed.ok_or(Error::InvalidCertificate)?;
        let (_, parsed) = parsed.first().ok_or(Error::InvalidCertificate)?;
        let not_after = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
        let public = PublicKey::of(parsed).ok_or(Error::UnsupportedKey)?;
        Ok((public, UNIX_EPOCH + Duration::from_secs(not_after)))
    }

    fn new(chain: Vec<Vec<u8>>, pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        let (public, not_after) = Self::inspect(&chain)?;
        let key = SigningKey::from_pkcs8(public.key_type(), &pkcs8);
        let key = key.filter(|key| key.to_public() == public);
        let key = key.ok_or(Error::UnsupportedKey)?;
        Ok(Self::ours(chain, public, not_after, key, pkcs8))
    }

    fn ours(
        chain: Vec<Vec<u8>>,
        public: PublicKey,
        not_after: SystemTime,
        key: SigningKey,
        pkcs8: Zeroizing<Vec<u8>>,
    ) -> Self {
        let key = Box::new(key);
        Self(Arc::new(Inner {
            chain,
            key: Key::Ours { key, pkcs8 },
            public,
            not_after,
        }))
    }

    /// The chain of one certificate with the key of another: what an impostor has.
    #[cfg(test)]
    pub(crate) fn impostor(chain: &Self, key: &Self) -> Self {
        let Key::Ours { pkcs8, .. } = &key.0.key else {
            panic!("it has no key");
        };
        let other = SigningKey::from_pkcs8(key.key_type(), pkcs8).unwrap();
        Self(Arc::new(Inner {
            chain: chain.0.chain.clone(),
            key: Key::Ours {
                key: Box::new(other),
                pkcs8: pkcs8.clone(),
            },
            public: chain.0.public.clone(),
            not_after: chain.0.not_after,
        }))
    }

    /// Certificate and private key as text, to be kept where secrets are kept.
    ///
    /// # Errors
    /// [`Error::ExternalKey`] when the key lives elsewhere.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, Error> {
        let Key::Ours { pkcs8, .. } = &self.0.key else {
            return Err(Error::ExternalKey);
        };
        let certificates = self.0.chain.iter().map(|der| ("CERTIFICATE", &der[..]));
        let blocks: Vec<_> = certificates.chain([("PRIVATE KEY", &pkcs8[..])]).collect();
        // Room beforehand, so that no part of the key is left behind where the text was before.
        let room = blocks.iter().map(|(label, der)| pem::len(label, der));
        let mut text = Zeroizing::new(String::with_capacity(room.sum()));
        for (label, der) in blocks {
            pem::write(label, der, &mut text);
        }
        Ok(text)
    }

    /// The certificate itself.
    pub fn der(&self) -> &[u8] {
        self.0.chain.first().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn chain(&self) -> &[Vec<u8>] {
        &self.0.chain
    }

    /// The fingerprint to announce; `None` for hash functions that are not good enough or not known.
    pub fn fingerprint(&self, algorithm: &HashAlgorithm) -> Option<Fingerprint> {
        Fingerprint::of(self.der(), algorithm)
    }

    /// When it expires, to the second.
    pub fn not_after(&self) -> SystemTime {
        self.0.not_after
    }

    /// The kind of its key.
    pub fn key_type(&self) -> KeyType {
        self.0.public.key_type()
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.0.public
    }

    /// Who signs, when the key lives elsewhere.
    pub(crate) fn signer(&self) -> Option<&Arc<dyn Signer>> {
        match &self.0.key {
            Key::External(signer) => Some(signer),
            Key::Ours { .. } => None,
        }
    }

    /// Signs with a key of ours; `None` when the scheme does not fit it.
    pub(crate) fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Option<Vec<u8>> {
        match &self.0.key {
            Key::Ours { key, .. } => key.sign(scheme, message),
            Key::External(_) => None,
        }
    }

    /// What it can sign with for a peer of this version that accepts these, ours first.
    pub(crate) fn choose_scheme(
        &self,
        version: Version,
        accepted: &[u16],
    ) -> Option<SignatureScheme> {
        let fitting = self.key_type().schemes();
        let ours = match &self.0.key {
            Key::Ours { .. } => fitting,
            Key::External(signer) => signer.schemes(),
        };
        let usable = |scheme: &&SignatureScheme| {
            let fits = scheme.is_allowed(version) && fitting.contains(scheme);
            fits && accepted.contains(&scheme.id())
        };
        ours.iter().find(usable).copied()
    }
}

/// Signs its own certificate, for `rcgen`: a key pair of that library would be made by whichever crypto library the features of a
/// whole program give it, and cost another one.
struct SelfSigning<'a> {
    key_type: KeyType,
    key: &'a SigningKey,
}

impl rcgen::PublicKeyData for SelfSigning<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.public_key()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.key_type {
            KeyType::EcdsaP256 => &PKCS_ECDSA_P256_SHA256,
            KeyType::EcdsaP384 => &PKCS_ECDSA_P384_SHA384,
            KeyType::Ed25519 => &PKCS_ED25519,
            KeyType::Rsa2048 => &PKCS_RSA_SHA256,
        }
    }
}

impl rcgen::SigningKey for SelfSigning<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let scheme = self.key_type.schemes().first();
        let signature = scheme.and_then(|scheme| self.key.sign(*scheme, message));
        signature.ok_or(rcgen::Error::RemoteKeyError)
    }
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let filled = library_random().fill(&mut bytes);
    filled.map(|()| bytes).map_err(|_| Error::KeyGeneration)
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("key_type", &self.key_type())
            .field("fingerprint", &self.fingerprint(&HashAlgorithm::Sha256))
            .finish_non_exhaustive()
    }
}

const DAY: Duration = Duration::from_secs(86_400);
/// The year 9000 or so.
const END_OF_TIME: Duration = Duration::from_secs(7_030 * 365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_800_000_000_123)
    }

    fn generate(key_type: KeyType) -> Certificate {
        Certificate::generate(key_type, now(), Certificate::DEFAULT_LIFETIME).unwrap()
    }

    /// [4.10.2-03] A stored certificate keeps its key and fingerprint. [4.2.1-08]
    #[test]
    fn pem_keeps_key_and_fingerprint() {
        for key_type in [
            KeyType::EcdsaP256,
            KeyType::EcdsaP384,
            KeyType::Ed25519,
            KeyType::Rsa2048,
        ] {
            let certificate = generate(key_type);
            let pem = certificate.to_pem().unwrap();
            let restored = Certificate::from_pem(&pem).unwrap();
            assert_eq!(restored, certificate);
            assert_eq!(restored.key_type(), key_type);
            assert_eq!(restored.not_after(), certificate.not_after());
            assert_eq!(restored.0.public, certificate.0.public);
            assert_eq!(restored.to_pem().unwrap(), pem);
            for version in [Version::Dtls12, Version::Dtls13] {
                let all = SignatureScheme::ALL.map(SignatureScheme::id);
                let scheme = restored.choose_scheme(version, &all).unwrap();
                assert!(scheme.is_allowed(version));
                let signature = restored.sign(scheme, b"message").unwrap();
                let key = PublicKey::of_certificate(certificate.der()).unwrap();
                let longer = [certificate.der(), &[0]].concat();
                assert!(PublicKey::of_certificate(&longer).is_none());
                let check =
                    |message: &[u8]| key.check_signature(version, scheme, message, &signature);
                assert!(check(b"message").is_some() && check(b"massage").is_none());
            }
            let debug = format!("{certificate:?}");
            assert!(
                debug.contains("sha-256") && !debug.contains("pkcs8"),
                "{debug}"
            );
        }
    }

    /// [4.10-04] Nor does what it is called say anything of anybody.
    #[test]
    fn certificates_have_nothing_in_common_and_expire_in_time() {
        let (one, other) = (generate(KeyType::EcdsaP256), generate(KeyType::EcdsaP256));
        let parse = |certificate: &Certificate| {
            let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
            assert_eq!(parsed.subject(), parsed.issuer());
            assert_eq!(parsed.subject().iter_attributes().count(), 1);
            let random = parsed.subject().iter_common_name().next().unwrap();
            let random = random.as_str().unwrap();
            assert!(random.len() == 32 && random.bytes().all(|it| it.is_ascii_hexdigit()));
            (parsed.subject().to_string(), parsed.serial.to_string())
        };
        assert_ne!(parse(&one).0, parse(&other).0);
        assert_ne!(parse(&one).1, parse(&other).1);
        let lifetime = one
            .not_after()
            .duration_since(now() - Duration::from_millis(123));
        assert_eq!(lifetime.unwrap(), Duration::from_secs(30 * 86_400));
        let long = Duration::from_secs(u32::MAX.into());
        let long = Certificate::generate(KeyType::EcdsaP256, now(), long).unwrap();
        let lifetime = long
            .not_after()
            .duration_since(now() - Duration::from_millis(123));
        assert_eq!(lifetime.unwrap(), Duration::from_secs(365 * 86_400));
        let early = Certificate::generate(KeyType::EcdsaP256, UNIX_EPOCH, DAY);
        assert_eq!(early, Err(Error::KeyGeneration));
    }

    #[test]
    fn broken_or_mixed_pem_is_refused() {
        let (one, other) = (generate(KeyType::EcdsaP256), generate(KeyType::EcdsaP256));
        let (pem, stranger) = (one.to_pem().unwrap(), other.to_pem().unwrap());
        let split = |pem: &str| pem.find("-----BEGIN PRIVATE").unwrap();
        let (certificate, key) = pem.split_at(split(&pem));
        let stranger = &stranger[split(&stranger)..];
        assert_eq!(
            Certificate::from_pem(certificate),
            Err(Error::UnsupportedKey)
        );
        assert_eq!(Certificate::from_pem(key), Err(Error::InvalidCertificate));
        let mixed = [certificate, stranger].concat();
        assert_eq!(Certificate::from_pem(&mixed), Err(Error::UnsupportedKey));
        assert!(Certificate::from_pem(&[key, certificate].concat()).is_ok());
        for end in (0..pem.len() - 40).step_by(7) {
            assert!(Certificate::from_pem(&pem[..end]).is_err());
        }
    }
}
