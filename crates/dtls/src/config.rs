use std::{fmt, sync::Arc, time::Duration};

use zeroize::Zeroizing;

use crate::{Certificate, CipherSuite, Error, Group, KeyLog, SignatureScheme, Version};

/// How a [`Connection`](crate::Connection) behaves. The setters take and give the value, so they chain.
/// What a list names twice counts once, where it stands first.
///
/// Settings may leave nothing to agree on, such as versions without a suite or a group: [`check`](Self::check) says so before
/// anything is made of them. A connection of such settings fails where it is to say or to answer the first hello.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) certificate: Certificate,
    pub(crate) peer: Peer,
    pub(crate) versions: Vec<Version>,
    pub(crate) srtp_profiles: Vec<SrtpProfile>,
    pub(crate) alpn: Vec<String>,
    pub(crate) cipher_suites: Vec<CipherSuite>,
    pub(crate) groups: Vec<Group>,
    pub(crate) signature_schemes: Vec<SignatureScheme>,
    pub(crate) cookie_exchange: bool,
    pub(crate) cookie_context: Vec<u8>,
    /// `None` for the connection's own.
    pub(crate) cookie_key: Option<CookieKey>,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) require_extended_master_secret: bool,
    pub(crate) doubt: Duration,
    pub(crate) renew_keys_after: u64,
    pub(crate) key_log: Option<Arc<dyn KeyLog>>,
    /// What lines of the log begin with.
    pub(crate) label: String,
}

/// It is not printed.
#[derive(Clone)]
pub(crate) struct CookieKey(pub(crate) Zeroizing<[u8; 32]>);

/// Who says whether the peer is the right one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// The fingerprints that the signalling announced, in both directions, as WebRTC wants it (RFC 8827
    /// §5.1): a server asks for a certificate, and a client refuses a server that does not ask.
    #[default]
    Fingerprints,
    /// The owner, who looks at the certificates himself: [`Event::CertificateReceived`] asks him, and
    /// [`Connection::trust`] answers. A server asks for a certificate and refuses a client without one; a
    /// client accepts a server that does not ask.
    ///
    /// [`Event::CertificateReceived`]: crate::Event::CertificateReceived
    /// [`Connection::trust`]: crate::Connection::trust
    Owner,
    /// Nobody: whoever it is, is welcome. A server asks for no certificate. A client takes any server that
    /// has the key of the certificate it shows, and one that does not ask for ours.
    Nobody,
}

/// An SRTP protection profile that `use_srtp` can agree on (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SrtpProfile {
    /// `SRTP_AES128_CM_HMAC_SHA1_80` (0x0001), which every WebRTC peer has.
    Aes128CmSha1_80,
    /// `SRTP_AES128_CM_HMAC_SHA1_32` (0x0002).
    Aes128CmSha1_32,
    /// `SRTP_AEAD_AES_128_GCM` (0x0007).
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM` (0x0008).
    AeadAes256Gcm,
}

impl Config {
    /// The defaults, with a certificate to present.
    pub fn new(certificate: Certificate) -> Self {
        Self {
            certificate,
            peer: Peer::Fingerprints,
            versions: vec![Version::Dtls13, Version::Dtls12],
            srtp_profiles: vec![
                SrtpProfile::AeadAes128Gcm,
                SrtpProfile::AeadAes256Gcm,
                SrtpProfile::Aes128CmSha1_80,
            ],
            alpn: vec!["webrtc".to_owned()],
            cipher_suites: CipherSuite::ALL.to_vec(),
            groups: Group::ALL.to_vec(),
            signature_schemes: SignatureScheme::ALL.to_vec(),
            cookie_exchange: false,
            cookie_context: Vec::new(),
            cookie_key: None,
            handshake_timeout: Some(Duration::from_secs(120)),
            require_extended_master_secret: false,
            doubt: Duration::from_secs(5),
            renew_keys_after: u64::MAX,
            key_log: None,
            label: String::new(),
        }
    }

    /// Whether a version can be spoken with these settings: one that has a suite, a group and, unless [nobody](Peer::Nobody)
    /// judges, a signature scheme among them.
    ///
    /// # Errors
    /// [`Error::NothingToAgreeOn`] when there is none.
    pub fn check(&self) -> Result<(), Error> {
        let speaks = |version: &Version| {
            let suited = self.cipher_suites.iter().any(|it| it.version() == *version);
            let mut schemes = self.signature_schemes.iter();
            let signed = schemes.any(|it| it.is_allowed(*version)) || self.peer == Peer::Nobody;
            suited && signed && self.groups_of(*version).next().is_some()
        };
        match self.versions.iter().any(speaks) {
            true => Ok(()),
            false => Err(Error::NothingToAgreeOn),
        }
    }

    /// The groups that a version knows, best first.
    pub(crate) fn groups_of(&self, version: Version) -> impl Iterator<Item = Group> {
        let groups = self.groups.iter().copied();
        groups.filter(move |group| version == Version::Dtls13 || group.is_curve())
    }

    /// The certificate that is presented.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The versions that are spoken. Default: 1.3 and 1.2. A client offers them in this order; a server takes
    /// the newest that both speak. Who should speak one version alone is given it alone.
    #[must_use]
    pub fn versions(mut self, versions: &[Version]) -> Self {
        self.versions = distinct(versions);
        self
    }

    /// Who says whether the peer is the right one. Default: the fingerprints.
    #[must_use]
    pub fn peer(mut self, peer: Peer) -> Self {
        self.peer = peer;
        self
    }

    /// SRTP profiles, best first; none means that `use_srtp` is neither offered nor answered.
    /// Default: AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_HMAC_SHA1_80.
    #[must_use]
    pub fn srtp_profiles(mut self, profiles: &[SrtpProfile]) -> Self {
        self.srtp_profiles = distinct(profiles);
        self
    }

    /// Application protocols, best first; none means that ALPN is neither offered nor answered.
    /// Default: `webrtc` (RFC 8833). A peer without ALPN is always accepted, and so is `c-webrtc` where
    /// `webrtc` is. Names are 1 to 255 bytes; others are left out, and so is what comes behind the first 4 KiB,
    /// as a hello has to fit in a message.
    #[must_use]
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        let names = distinct(protocols).into_iter();
        let names = names.filter(|name| (1..=255).contains(&name.len()));
        let mut room = MAX_ALPN;
        let fitting = names.map_while(|name| {
            room = room.checked_sub(1 + name.len())?;
            Some(name.to_owned())
        });
        self.alpn = fitting.collect();
        self
    }

    /// Cipher suites, best first. Default: all, AES-128-GCM first, as most processors have
    /// instructions for it; one without is faster with ChaCha20 first. Those of a version that is not spoken are passed over.
    #[must_use]
    pub fn cipher_suites(mut self, suites: &[CipherSuite]) -> Self {
        self.cipher_suites = distinct(suites);
        self
    }

    /// Groups of the key agreement, best first. Default: X25519MLKEM768 (in 1.3 only), X25519, P-256,
    /// P-384. A server takes the first that the client has too, if need be for one round trip more.
    #[must_use]
    pub fn groups(mut self, groups: &[Group]) -> Self {
        self.groups = distinct(groups);
        self
    }

    /// Signature schemes that are accepted from the peer. Default: all.
    #[must_use]
    pub fn signature_schemes(mut self, schemes: &[SignatureScheme]) -> Self {
        self.signature_schemes = distinct(schemes);
        self
    }

    /// Whether a server answers the first ClientHello with a HelloVerifyRequest (RFC 6347 §4.2.1), or in
    /// 1.3 a HelloRetryRequest, that asks for a cookie.
    /// Default: no. Behind ICE the address is already validated, and it would cost a round trip; turn
    /// it on where datagrams arrive from anybody. A hello without a good cookie then starts nothing: one that offers
    /// nothing of use is dropped without an answer.
    #[must_use]
    pub fn cookie_exchange(mut self, on: bool) -> Self {
        self.cookie_exchange = on;
        self
    }

    /// Bytes that the cookie is bound to beside the ClientHello: name the peer's address here, as this
    /// crate does not know it. Default: none.
    #[must_use]
    pub fn cookie_context(mut self, context: &[u8]) -> Self {
        self.cookie_context = context.to_vec();
        self
    }

    /// The key that cookies are made with; it must be random and secret. Default: one of each connection's own, made of its seed.
    /// Connections of one listener that share it take the hellos that others of them have asked for: of a connection that is
    /// still [`New`](crate::State::New) nothing need be kept but the pieces of a hello that have come. A cookie is good as long as
    /// its key is in use, so change it now and then.
    #[must_use]
    pub fn cookie_key(mut self, key: [u8; 32]) -> Self {
        self.cookie_key = Some(CookieKey(Zeroizing::new(key)));
        self
    }

    /// How long a handshake may take, from the first flight that is sent. Default: 120 s, long enough
    /// for a path that loses half of everything; `None`, like more than an instant can hold, leaves the end to the owner.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// How long the handshake may stand still after a fault that anybody could have made in the clear,
    /// before it fails with it: at least so long, and at least until what we said has gone out again and had
    /// time to be answered. Default: 5 s. Zero makes every such fault final. Set it longer than the peer's
    /// signer may take, where keys live elsewhere: nothing else tells such a peer from one that is gone.
    #[must_use]
    pub fn doubt(mut self, doubt: Duration) -> Self {
        self.doubt = doubt;
        self
    }

    /// After how many records our key is renewed, in 1.3. Default: when its algorithm asks for it, which is
    /// after 2^23 of AES-GCM and 2^47 of ChaCha20-Poly1305; never later than that, and never before 16, as a
    /// renewal is itself a record or two of either side, and would bring the next one. Each costs a round trip of
    /// a few bytes and one of 65,536 numbers of messages; when those are used the key lives as long as it may.
    #[must_use]
    pub fn renew_keys_after(mut self, records: u64) -> Self {
        self.renew_keys_after = records.max(LEAST_RECORDS);
        self
    }

    /// Where the secrets of connections are logged. Default: nowhere. See [`KeyLog`].
    #[must_use]
    pub fn key_log(mut self, log: Arc<dyn KeyLog>) -> Self {
        self.key_log = Some(log);
        self
    }

    /// What the connection is called in the log: its lines begin with it, a colon and a blank. Default:
    /// they begin with nothing.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = format!("{label}: ");
        self
    }

    /// Whether a peer without the extended master secret (RFC 7627) is refused. Default: no, as
    /// RFC 8827 does not ask for it; it is always offered and used when both have it.
    #[must_use]
    pub fn require_extended_master_secret(mut self, on: bool) -> Self {
        self.require_extended_master_secret = on;
        self
    }
}

/// Each item once, where it stands first.
fn distinct<T: Copy + PartialEq>(list: &[T]) -> Vec<T> {
    let mut items = Vec::with_capacity(list.len());
    for item in list {
        if !items.contains(item) {
            items.push(*item);
        }
    }
    items
}

impl fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieKey")
    }
}

impl SrtpProfile {
    /// Every profile.
    pub const ALL: [Self; 4] = [
        Self::Aes128CmSha1_80,
        Self::Aes128CmSha1_32,
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
    ];

    /// The number of the DTLS-SRTP Protection Profiles registry.
    pub fn id(self) -> u16 {
        match self {
            Self::Aes128CmSha1_80 => 1,
            Self::Aes128CmSha1_32 => 2,
            Self::AeadAes128Gcm => 7,
            Self::AeadAes256Gcm => 8,
        }
    }

    /// The profile of a registry number, if it is one of these.
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.id() == id)
    }

    /// The length of an SRTP master key, in bytes.
    pub fn key_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            _ => 16,
        }
    }

    /// The length of an SRTP master salt, in bytes.
    pub fn salt_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::Aes128CmSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }
}

/// Bytes of all names together, each with its length.
const MAX_ALPN: usize = 4 << 10;
/// Records that a key seals at least before it is renewed.
const LEAST_RECORDS: u64 = 16;
