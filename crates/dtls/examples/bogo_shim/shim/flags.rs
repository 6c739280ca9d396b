//! What the runner says on the command line.

use std::{fs, io, time::Duration};

use oxirtc_dtls::{Certificate, Config, Group, Peer, SignatureScheme, SrtpProfile, Version};

/// Why a flag, or a value of one, is not taken.
pub(crate) enum Refused {
    /// It asks for something that `docs/dtls.md` lists as not implemented.
    NotImplemented,
    /// Nobody knows it, or its value is none.
    Unknown,
}

#[derive(Default)]
pub(crate) struct Flags {
    pub(crate) port: u16,
    pub(crate) shim_id: u64,
    pub(crate) ipv6: bool,
    pub(crate) server: bool,
    pub(crate) room: usize,
    pub(crate) initial_timeout: Option<Duration>,
    pub(crate) verify_fail: bool,
    pub(crate) writes_first: bool,
    pub(crate) initial_write: String,
    pub(crate) shuts_down: bool,
    pub(crate) key_update: bool,
    pub(crate) key_update_before_read: bool,
    pub(crate) export_length: usize,
    pub(crate) export_label: String,
    pub(crate) export_context: String,
    pub(crate) use_export_context: bool,
    pub(crate) expect_version: Option<u16>,
    pub(crate) expect_group: Option<u16>,
    pub(crate) expect_alpn: Option<String>,
    pub(crate) asks_for_handshaker: bool,
    dtls: bool,
    certificate: Option<String>,
    key: Option<String>,
    credential: bool,
    /// A server asks for a certificate.
    asks: bool,
    oldest: Option<u16>,
    newest: Option<u16>,
    without: Vec<Version>,
    groups: Vec<Group>,
    schemes: Vec<SignatureScheme>,
    srtp: Vec<SrtpProfile>,
    alpn: Vec<String>,
}

impl Flags {
    /// What was said, or why not, and which flag it is about.
    pub(crate) fn parse(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, (Refused, String)> {
        let mut flags = Self {
            room: 1200,
            initial_write: "hello".to_owned(),
            ..Self::default()
        };
        while let Some(flag) = arguments.next() {
            let asks = |(_, flags): &&(&str, &[&str])| flags.contains(&&flag[..]);
            if let Some((what, _)) = NOT_IMPLEMENTED.iter().find(asks) {
                return Err((Refused::NotImplemented, format!("{what}, {flag}")));
            }
            if !flags.parse_switch(&flag) {
                let value = arguments.next().unwrap_or_default();
                let parsed = flags.parse_value(&flag, &value);
                parsed.map_err(|why| (why, format!("{flag} {value}")))?;
            }
        }
        match flags.dtls || flags.asks_for_handshaker {
            true => Ok(flags),
            false => Err((Refused::NotImplemented, "TLS".to_owned())),
        }
    }

    /// Those without a value.
    fn parse_switch(&mut self, flag: &str) -> bool {
        match flag {
            "-dtls" => self.dtls = true,
            "-server" => self.server = true,
            "-ipv6" => self.ipv6 = true,
            "-verify-peer" | "-require-any-client-certificate" => self.asks = true,
            "-verify-fail" => self.verify_fail = true,
            "-shim-writes-first" => self.writes_first = true,
            "-shim-shuts-down" => self.shuts_down = true,
            "-key-update" => self.key_update = true,
            "-key-update-before-read" => self.key_update_before_read = true,
            "-use-export-context" => self.use_export_context = true,
            "-no-tls13" => self.without.push(Version::Dtls13),
            "-no-tls12" => self.without.push(Version::Dtls12),
            "-is-handshaker-supported" => self.asks_for_handshaker = true,
            // One certificate, and no choice among several.
            "-new-x509-credential" if !self.credential => self.credential = true,
            // What we never do, or always: nothing here waits for anybody, and no callback has two ways.
            "-async"
            | "-implicit-handshake"
            | "-use-old-client-cert-callback"
            | "-no-tls11"
            | "-no-tls1"
            | "-no-ticket"
            | "-expect-extended-master-secret"
            | "-use-custom-verify-callback"
            | "-expect-no-session"
            | "-expect-session-miss"
            | "-server-preference" => {}
            _ => return false,
        }
        true
    }

    /// Those with one.
    fn parse_value(&mut self, flag: &str, value: &str) -> Result<(), Refused> {
        let absent = Refused::NotImplemented;
        match flag {
            "-port" => self.port = number(value)?,
            "-shim-id" => self.shim_id = number(value)?,
            "-cert-file" => self.certificate = Some(value.to_owned()),
            "-key-file" => self.key = Some(value.to_owned()),
            "-min-version" => self.oldest = Some(number(value)?),
            "-max-version" => self.newest = Some(number(value)?),
            "-expect-version" => {
                let version = wire(number(value)?).ok_or(absent)?;
                self.expect_version = Some(version.id());
            }
            "-curves" => {
                let group = Group::from_id(number(value)?);
                self.groups.push(group.ok_or(absent)?);
            }
            "-verify-prefs" => {
                let scheme = SignatureScheme::from_id(number(value)?);
                self.schemes.push(scheme.ok_or(absent)?);
            }
            "-expect-curve-id" => self.expect_group = Some(number(value)?),
            "-mtu" => self.room = number(value)?,
            "-initial-timeout-duration-ms" => {
                self.initial_timeout = Some(Duration::from_millis(number(value)?));
            }
            "-srtp-profiles" => {
                let profiles = value.split(':').map(profile).collect::<Option<_>>();
                self.srtp = profiles.ok_or(absent)?;
            }
            "-advertise-alpn" => self.alpn = names(value.as_bytes()).ok_or(Refused::Unknown)?,
            "-select-alpn" => self.alpn = vec![value.to_owned()],
            "-expect-alpn" => self.expect_alpn = Some(value.to_owned()),
            "-shim-initial-write" => self.initial_write = value.to_owned(),
            "-export-keying-material" => self.export_length = number(value)?,
            "-export-label" => self.export_label = value.to_owned(),
            "-export-context" => self.export_context = value.to_owned(),
            // Nothing is resumed.
            "-resume-count" if value != "0" => return Err(absent),
            // We look at keys, not at who vouches for them; and write no corpora.
            "-resume-count" | "-trust-cert" | "-write-settings" => {}
            // A second one is a choice among several.
            "-new-x509-credential" => return Err(absent),
            _ => return Err(Refused::Unknown),
        }
        Ok(())
    }

    /// The one of the files that were named.
    pub(crate) fn certificate(&self) -> io::Result<Option<Certificate>> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else {
            return Ok(None);
        };
        let pem = fs::read_to_string(certificate)? + &fs::read_to_string(key)?;
        let certificate = Certificate::from_pem(&pem).map_err(io::Error::other)?;
        Ok(Some(certificate))
    }

    pub(crate) fn configure(&self, certificate: Certificate) -> Config {
        let peer = match self.server && !self.asks {
            true => Peer::Nobody,
            false => Peer::Owner,
        };
        let bound = |version: Option<u16>| version.and_then(wire);
        let (oldest, newest) = (bound(self.oldest), bound(self.newest));
        // Numbers fall in DTLS.
        let within = |version: &Version| {
            !self.without.contains(version)
                && oldest.is_none_or(|oldest| version.id() <= oldest.id())
                && newest.is_none_or(|newest| version.id() >= newest.id())
        };
        let versions: Vec<Version> = Version::ALL.into_iter().filter(within).collect();
        let alpn: Vec<&str> = self.alpn.iter().map(String::as_str).collect();
        let config = Config::new(certificate)
            .peer(peer)
            .versions(&versions)
            .srtp_profiles(&self.srtp)
            .alpn(&alpn)
            // The lane loses nothing, so every fault is the peer's.
            .doubt(Duration::ZERO);
        let config = match self.schemes.is_empty() {
            true => config,
            false => config.signature_schemes(&self.schemes),
        };
        match self.groups.is_empty() {
            true => config,
            false => config.groups(&self.groups),
        }
    }
}

/// A version by the number of DTLS or of the TLS that it is made of.
fn wire(number: u16) -> Option<Version> {
    match number {
        0x0303 => Some(Version::Dtls12),
        0x0304 => Some(Version::Dtls13),
        other => Version::from_id(other),
    }
}

fn profile(name: &str) -> Option<SrtpProfile> {
    match name {
        "SRTP_AES128_CM_SHA1_80" => Some(SrtpProfile::Aes128CmSha1_80),
        "SRTP_AES128_CM_SHA1_32" => Some(SrtpProfile::Aes128CmSha1_32),
        "SRTP_AEAD_AES_128_GCM" => Some(SrtpProfile::AeadAes128Gcm),
        "SRTP_AEAD_AES_256_GCM" => Some(SrtpProfile::AeadAes256Gcm),
        _ => None,
    }
}

/// As they stand in the extension: each behind its length.
fn names(mut list: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    while let Some((length, rest)) = list.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        names.push(String::from_utf8(name.to_vec()).ok()?);
        list = rest;
    }
    Some(names)
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, Refused> {
    value.parse().map_err(|_| Refused::Unknown)
}

/// What the runner may ask for and `docs/dtls.md` lists as not implemented, by its word there.
pub(crate) const NOT_IMPLEMENTED: &[(&str, &[&str])] = &[
    (
        "resumption and tickets",
        &[
            "-expect-no-session-id",
            "-expect-session-id",
            "-expect-ticket-renewal",
            "-on-resume-advertise-alpn",
            "-on-resume-expect-alpn",
            "-on-resume-expect-no-session",
            "-on-resume-verify-fail",
            "-renew-ticket",
            "-reverify-on-resume",
            "-skip-ticket",
            "-use-ticket-aead-callback",
            "-use-ticket-callback",
        ],
    ),
    (
        "pre-shared keys",
        &[
            "-new-psk-credential",
            "-psk",
            "-psk-identity",
            "-psk-importer-context",
            "-psk-importer-identity",
            "-psk-importer-key",
            "-psk-importer-sha256",
            "-psk-importer-sha384",
        ],
    ),
    (
        "early data",
        &[
            "-enable-early-data",
            "-expect-early-data-reason",
            "-expect-ticket-supports-early-data",
            "-on-resume-expect-accept-early-data",
            "-on-resume-expect-reject-early-data",
        ],
    ),
    ("renegotiation", &["-renegotiate-freely"]),
    (
        "raw public keys",
        &["-available-client-cert-types", "-new-rpk-credential"],
    ),
    (
        "delegated credentials",
        &["-delegated-credential", "-new-delegated-credential"],
    ),
    (
        "OCSP",
        &[
            "-decline-ocsp-callback",
            "-enable-ocsp-stapling",
            "-expect-ocsp-response",
            "-fail-ocsp-callback",
            "-ocsp-response",
            "-set-ocsp-in-callback",
            "-use-ocsp-callback",
        ],
    ),
    (
        "certificate transparency",
        &[
            "-enable-signed-cert-timestamps",
            "-expect-signed-cert-timestamps",
            "-signed-cert-timestamps",
        ],
    ),
    (
        "Encrypted Client Hello",
        &[
            "-ech-config-list",
            "-ech-is-retry-config",
            "-ech-server-config",
            "-ech-server-key",
            "-enable-ech-grease",
            "-expect-ech-accept",
            "-expect-ech-name-override",
            "-expect-ech-retry-configs",
            "-expect-no-ech-name-override",
            "-expect-no-ech-retry-configs",
            "-fail-early-callback-ech-rewind",
            "-on-initial-expect-ech-accept",
            "-on-resume-ech-config-list",
            "-on-resume-expect-ech-accept",
            "-on-retry-expect-ech-retry-configs",
            "-reject-unusable-ech-config",
        ],
    ),
    (
        "a choice among several certificates",
        &[
            "-cert-properties",
            "-expect-selected-credential",
            "-must-match-issuer",
            "-signing-prefs",
        ],
    ),
    (
        "server names",
        &[
            "-expect-no-server-name",
            "-expect-server-name",
            "-host-name",
            "-no-server-name-ack",
        ],
    ),
    (
        "application settings and other answers to ALPN than a choice",
        &[
            "-allow-unknown-alpn-protos",
            "-alps-use-new-codepoint",
            "-application-settings",
            "-decline-alpn",
            "-defer-alps",
            "-expect-advertised-alpn",
            "-expect-peer-application-settings",
            "-on-initial-application-settings",
            "-on-initial-expect-peer-application-settings",
            "-on-resume-application-settings",
            "-on-resume-expect-peer-application-settings",
            "-reject-alpn",
            "-select-empty-alpn",
            "-select-next-proto",
        ],
    ),
    ("suites by OpenSSL's rules", &["-cipher"]),
    ("GREASE", &["-enable-grease", "-permute-extensions"]),
    ("limits that the owner sets", &["-max-cert-list"]),
    ("alerts that the owner makes", &["-send-alert"]),
    (
        "a look at single messages",
        &[
            "-expect-hrr",
            "-expect-msg-callback",
            "-expect-no-hrr",
            "-expect-no-peer-cert",
            "-expect-verify-result",
            "-private-key-delay-ms",
            "-use-early-callback",
        ],
    ),
    (
        "TLS and QUIC",
        &[
            "-false-start",
            "-quic-transport-params",
            "-quic-use-legacy-codepoint",
        ],
    ),
];
