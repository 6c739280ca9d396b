use std::error::Error;

use oxirtc_dtls::{CipherSuite, Config, Fingerprint, Group, KeyType, Version};

/// What the command line says.
pub(crate) struct Flags {
    /// The peer's.
    pub(crate) expected: Fingerprint,
    pub(crate) key: KeyType,
    /// Write secrets to the file that `SSLKEYLOGFILE` names.
    pub(crate) key_log: bool,
    /// A client closes after the first answer.
    pub(crate) once: bool,
    /// Bytes of a datagram.
    pub(crate) room: usize,
    versions: Vec<Version>,
    suites: Vec<CipherSuite>,
    groups: Vec<Group>,
    cookie: bool,
}

impl Flags {
    pub(crate) fn parse(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, Box<dyn Error>> {
        let expected = arguments
            .next()
            .ok_or("the fingerprint of the peer is missing")?;
        let mut flags = Self {
            expected: expected.parse()?,
            key: KeyType::EcdsaP256,
            key_log: false,
            once: false,
            room: 1200,
            versions: vec![Version::Dtls13, Version::Dtls12],
            suites: CipherSuite::ALL.to_vec(),
            groups: Group::ALL.to_vec(),
            cookie: false,
        };
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{flag} of what?"));
            match flag.as_str() {
                "--version" => flags.versions = vec![named(&Version::ALL, &value()?)?],
                "--suite" => flags.suites = vec![named(&CipherSuite::ALL, &value()?)?],
                "--group" => flags.groups = vec![named(&Group::ALL, &value()?)?],
                "--room" => flags.room = value()?.parse()?,
                "--cookie" => flags.cookie = true,
                "--key-log" => flags.key_log = true,
                "--once" => flags.once = true,
                "--key" => {
                    flags.key = match value()?.as_str() {
                        "p-256" => KeyType::EcdsaP256,
                        "p-384" => KeyType::EcdsaP384,
                        "ed25519" => KeyType::Ed25519,
                        "rsa" => KeyType::Rsa2048,
                        other => return Err(format!("no key type «{other}»").into()),
                    }
                }
                other => return Err(format!("no flag «{other}»").into()),
            }
        }
        Ok(flags)
    }

    pub(crate) fn configure(&self, config: Config) -> Config {
        config
            .versions(&self.versions)
            .cipher_suites(&self.suites)
            .groups(&self.groups)
            .cookie_exchange(self.cookie)
    }
}

/// The one that prints itself like this.
fn named<T: Copy + std::fmt::Display>(all: &[T], name: &str) -> Result<T, Box<dyn Error>> {
    let found = all.iter().find(|one| one.to_string() == name);
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    let found = found.ok_or(format!("«{name}» is none of {}", names.join(", ")));
    Ok(*found?)
}
