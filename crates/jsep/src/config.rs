//! What a negotiator is told once.

use std::sync::Arc;

use crate::{Codec, Extension, MediaKind};

/// What a [`Negotiator`](crate::Negotiator) is told once.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) session_id: u64,
    pub(crate) fingerprints: Vec<Fingerprint>,
    pub(crate) bundle_policy: BundlePolicy,
    pub(crate) sctp_port: u16,
    pub(crate) max_message_size: u64,
    pub(crate) sctp_init: Option<String>,
    pub(crate) cname: String,
    pub(crate) ice_lite: bool,
    pub(crate) renomination: bool,
    pub(crate) cryptex: bool,
    pub(crate) most_transports: usize,
    audio: Arc<Capabilities>,
    video: Arc<Capabilities>,
}

/// What can be sent and received of one kind of media: W3C's `RTCRtpCapabilities`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The codecs in order of preference. Those that serve others (`rtx`, `red`, `ulpfec`) stand once, and are
    /// given to each that they serve.
    pub codecs: Vec<Codec>,
    /// The header extensions.
    pub extensions: Vec<Extension>,
}

/// The hash of a certificate (RFC 8122 §5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint {
    /// The hash function in lower case: `sha-256`.
    pub algorithm: String,
    /// The hash.
    pub value: Vec<u8>,
}

/// Which sections are refused a transport of their own (RFC 9429 §4.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BundlePolicy {
    /// One transport for each kind of media, until bundling is agreed on.
    #[default]
    Balanced,
    /// One transport for each section, until bundling is agreed on.
    MaxCompat,
    /// One transport: a section that the peer does not bundle with its first one is rejected.
    MaxBundle,
}

impl Config {
    /// `session_id` is random, its highest bit is cleared (RFC 9429 §5.2.1); the fingerprints are
    /// those of all certificates.
    pub fn new(session_id: u64, fingerprints: Vec<Fingerprint>) -> Self {
        let session_id = session_id & (u64::MAX >> 1);
        Self {
            session_id,
            fingerprints,
            bundle_policy: BundlePolicy::default(),
            sctp_port: 5000,
            max_message_size: 262_144,
            sctp_init: None,
            cname: format!("{session_id:016x}"),
            ice_lite: false,
            renomination: false,
            cryptex: false,
            most_transports: 64,
            audio: Arc::default(),
            video: Arc::default(),
        }
    }

    /// What can be done with a kind of media; negotiators may share it. Default: nothing, and then there are no transceivers of this
    /// kind and sections of the peer are rejected.
    #[must_use]
    pub fn media(mut self, kind: MediaKind, capabilities: impl Into<Arc<Capabilities>>) -> Self {
        let capabilities = capabilities.into();
        match kind {
            MediaKind::Audio => self.audio = capabilities,
            MediaKind::Video => self.video = capabilities,
        }
        self
    }

    /// The name that joins our streams (RFC 3550 §6.5.1): it tells nothing, and is another one for each
    /// connection (RFC 8834 §4.9). Default: made of the session id, which is random and known to the peer.
    #[must_use]
    pub fn cname(mut self, cname: impl Into<String>) -> Self {
        self.cname = cname.into();
        self
    }

    /// Descriptions say that we are a lite agent (RFC 8445 §2.5): the peer controls. Default: false.
    #[must_use]
    pub fn ice_lite(mut self, lite: bool) -> Self {
        self.ice_lite = lite;
        self
    }

    /// Descriptions say that we read numbers of nominations (draft-thatcher-ice-renomination), as ICE then has to do: the peer, if it
    /// controls, may nominate another pair later. Default: false.
    #[must_use]
    pub fn renomination(mut self, on: bool) -> Self {
        self.renomination = on;
        self
    }

    /// Header extensions and contributing sources are encrypted whole where the peer takes it (RFC 9335), as SRTP then has to do.
    /// Default: false.
    #[must_use]
    pub fn cryptex(mut self, on: bool) -> Self {
        self.cryptex = on;
        self
    }

    /// How many transports the sections of an offer of the peer have together, at least 1: sections that need a further one are rejected.
    /// Default: 64.
    #[must_use]
    pub fn most_transports(mut self, transports: usize) -> Self {
        self.most_transports = transports.max(1);
        self
    }

    pub(crate) fn capabilities(&self, kind: MediaKind) -> &Capabilities {
        match kind {
            MediaKind::Audio => &self.audio,
            MediaKind::Video => &self.video,
        }
    }

    /// Whether there is something that can be done with a kind of media.
    pub(crate) fn is_equipped(&self, kind: MediaKind) -> bool {
        let codecs = &self.capabilities(kind).codecs;
        codecs.iter().any(|it| !it.is_auxiliary())
    }

    /// Which sections are refused a transport of their own. Default: [`BundlePolicy::Balanced`].
    #[must_use]
    pub fn bundle_policy(mut self, policy: BundlePolicy) -> Self {
        self.bundle_policy = policy;
        self
    }

    /// Our SCTP port (RFC 8841 §5). It is the number that every stack uses, and has no meaning
    /// outside the DTLS association. Default: 5000.
    #[must_use]
    pub fn sctp_port(mut self, port: u16) -> Self {
        self.sctp_port = port;
        self
    }

    /// The longest message that we take, in bytes; 0 is any (RFC 8841 §6). More costs memory for a
    /// peer that uses it. Default: 262,144, as browsers have it.
    #[must_use]
    pub fn max_message_size(mut self, size: u64) -> Self {
        self.max_message_size = size;
        self
    }

    /// The INIT chunk of our first SCTP association in base64, as `a=sctp-init` carries it (draft-hancke-tsvwg-snap): offers
    /// have it, and answers to offers that have one. Default: none.
    #[must_use]
    pub fn sctp_init(mut self, init: impl Into<String>) -> Self {
        self.sctp_init = Some(init.into());
        self
    }
}
