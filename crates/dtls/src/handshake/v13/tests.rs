//! Handshakes with browsers, as `cargo xtask interop dtls --record` writes them down: what went over the path, and the secrets of
//! our side. From the shared secret and the path alone everything is worked out again, by what the handshake itself calls.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests, in which no time passes"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::{
    client,
    keyed::{
        CLIENT_CONTEXT, Keyed, SERVER_CONTEXT, check_certificate, check_finished, check_verify,
    },
    schedule::{ExporterSecret, Traffic},
};
use crate::{
    CipherSuite, Config, Failure, Fingerprint, Group, KeyType, Peer, Role, Version,
    crypto::key::PublicKey,
    handshake::{
        session::Negotiated,
        transcript::{Style, Transcript},
        work::{Look, Refusal},
    },
    keylog,
    message::{Fragment, Kind, Message},
    reassembly::{Outcome, Reassembly},
    record::{
        self, ACK, ALERT, APPLICATION_DATA, APPLICATION_EPOCH, HANDSHAKE, HANDSHAKE_EPOCH, Records,
    },
    tests::support,
    trust::Trust,
};

const RECORDINGS: [(&str, &str); 4] = [
    (
        "Chromium, we are the client",
        include_str!("../../../tests/support/chromium-156.we-are-client.hex"),
    ),
    (
        "Chromium, we are the server",
        include_str!("../../../tests/support/chromium-156.we-are-server.hex"),
    ),
    (
        "Firefox, we are the client",
        include_str!("../../../tests/support/firefox-153.we-are-client.hex"),
    ),
    (
        "Firefox, we are the server",
        include_str!("../../../tests/support/firefox-153.we-are-server.hex"),
    ),
];

#[derive(Clone)]
struct Recording {
    /// Of the client's and of the server's certificate, as the descriptions have them.
    fingerprints: [Fingerprint; 2],
    /// By label: the random of the client, and the secret.
    secrets: BTreeMap<&'static str, (Vec<u8>, Vec<u8>)>,
    /// Who said it, and what.
    datagrams: Vec<(Role, Vec<u8>)>,
}

/// Why a recording does not hold.
#[derive(Debug, PartialEq)]
enum Broken {
    /// A record does not open.
    Record(record::Refused),
    /// A message is refused.
    Message(Kind, Refusal),
    /// A secret is not the one that was logged.
    Secret(&'static str),
    /// It is none of what a handshake has in that place.
    Form,
}

/// What one end has said.
struct Said {
    records: Records,
    reassembly: Reassembly,
    trust: Trust,
    key: Option<PublicKey>,
    /// CertificateVerify and Finished were right.
    proved: [bool; 2],
    payload: Vec<Vec<u8>>,
    opened: usize,
}

/// Changes a message before it is weighed.
type Edit<'e> = &'e mut dyn FnMut(Role, Kind, &mut Vec<u8>);

struct Replay<'r> {
    recording: &'r Recording,
    edit: Edit<'r>,
    config: Config,
    transcript: Transcript,
    client_random: [u8; 32],
    keyed: Option<Keyed>,
    application: Option<(Traffic, Traffic, ExporterSecret)>,
    said: [Said; 2],
}

fn index(role: Role) -> usize {
    usize::from(role == Role::Server)
}

impl Recording {
    fn parse(text: &'static str) -> Self {
        let unhex = |hex: &str| crate::tests::unhex(hex);
        let mut fingerprints = BTreeMap::new();
        let mut secrets = BTreeMap::new();
        let mut datagrams = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<_> = line.splitn(3, ' ').collect();
            match words[..] {
                ["fingerprint", who, what] => {
                    fingerprints.insert(who, what.parse().unwrap());
                }
                ["c", hex] => datagrams.push((Role::Client, unhex(hex))),
                ["s", hex] => datagrams.push((Role::Server, unhex(hex))),
                [label, random, secret] => {
                    secrets.insert(label, (unhex(random), unhex(secret)));
                }
                _ => panic!("{line}"),
            }
        }
        Self {
            fingerprints: ["c", "s"].map(|who| fingerprints.remove(who).unwrap()),
            secrets,
            datagrams,
        }
    }

    fn replay(&self, edit: Edit<'_>) -> Result<[Said; 2], Broken> {
        let mut transcript = Transcript::default();
        transcript.set_style(Style::Tls);
        let said = self.fingerprints.each_ref().map(|fingerprint| {
            let mut trust = Trust::new(Peer::Fingerprints);
            trust.set_expected(std::slice::from_ref(fingerprint));
            Said {
                records: Records::new(u64::MAX),
                reassembly: Reassembly::default(),
                trust,
                key: None,
                proved: [false; 2],
                payload: Vec::new(),
                opened: 0,
            }
        });
        let mut replay = Replay {
            recording: self,
            edit,
            config: Config::new(support::certificate(KeyType::EcdsaP256, 0)),
            transcript,
            client_random: [0; 32],
            keyed: None,
            application: None,
            said,
        };
        for (from, datagram) in &self.datagrams {
            replay.read(*from, &mut datagram.clone())?;
        }
        Ok(replay.said)
    }

    /// It does not hold any more with a bit of that changed.
    fn fails(&self, what: &str, change: impl FnOnce(&mut Self)) -> Broken {
        let mut changed = self.clone();
        change(&mut changed);
        let outcome = changed.replay(&mut |_, _, _| {});
        outcome.err().unwrap_or_else(|| panic!("{what}"))
    }

    fn fails_edited(&self, who: Role, which: Kind) -> Broken {
        let outcome = self.replay(&mut |role, kind, body| {
            if (role, kind) == (who, which) {
                *body.last_mut().unwrap() ^= 1;
            }
        });
        outcome.err().unwrap_or_else(|| panic!("{who:?} {which:?}"))
    }
}

impl Replay<'_> {
    fn read(&mut self, from: Role, datagram: &mut [u8]) -> Result<(), Broken> {
        let mut rest = datagram;
        while !rest.is_empty() {
            let (mut raw, tail) = record::split(rest).ok_or(Broken::Form)?;
            rest = tail;
            let said = &mut self.said[index(from)];
            let opened = said.records.open(Instant::now(), &mut raw);
            let opened = opened.map_err(Broken::Record)?;
            said.opened += 1;
            let payload = opened.payload.to_vec();
            match opened.content {
                HANDSHAKE => self.hear(from, opened.number.epoch, &payload)?,
                APPLICATION_DATA if opened.number.epoch == APPLICATION_EPOCH => {
                    said.payload.push(payload);
                }
                ACK | ALERT if opened.number.epoch > 0 => {}
                _ => return Err(Broken::Form),
            }
        }
        Ok(())
    }

    fn hear(&mut self, from: Role, epoch: u16, mut payload: &[u8]) -> Result<(), Broken> {
        let reassembly = |it: &mut Self| std::mem::take(&mut it.said[index(from)].reassembly);
        let mut parts = reassembly(self);
        while !payload.is_empty() {
            let (fragment, rest) = Fragment::parse(payload).map_err(|_| Broken::Form)?;
            payload = rest;
            let outcome = parts.insert(epoch, fragment);
            if ![Outcome::Stored, Outcome::Stale].contains(&outcome) {
                return Err(Broken::Form);
            }
        }
        while let Some(front) = parts.front() {
            let (sequence, epoch) = (front.sequence, front.epoch);
            let kind = Kind::from_id(front.kind).ok_or(Broken::Form)?;
            let mut body = parts.take(sequence);
            parts.skip_past(sequence);
            (self.edit)(from, kind, &mut body);
            self.take(from, epoch, kind, sequence, &body)?;
        }
        self.said[index(from)].reassembly = parts;
        Ok(())
    }

    fn take(
        &mut self,
        from: Role,
        epoch: u16,
        kind: Kind,
        sequence: u16,
        body: &[u8],
    ) -> Result<(), Broken> {
        match (kind, epoch) {
            (Kind::ClientHello | Kind::ServerHello, 0) => {
                self.transcript.add_message(kind, sequence, body);
                self.agree(kind, body)
            }
            (_, HANDSHAKE_EPOCH) => {
                let message = Message::parse_1_3(kind, body).map_err(|_| Broken::Form)?;
                let weighed = self.weigh(from, sequence, &message);
                weighed.map_err(|refusal| Broken::Message(kind, refusal))?;
                self.transcript.add_message(kind, sequence, body);
                match (from, kind) {
                    (Role::Server, Kind::Finished) => self.derive_application(),
                    _ => Ok(()),
                }
            }
            _ => Err(Broken::Form),
        }
    }

    /// The keys of epoch 2, once both hellos are there.
    fn agree(&mut self, kind: Kind, body: &[u8]) -> Result<(), Broken> {
        let hello = match Message::parse(kind, body).map_err(|_| Broken::Form)? {
            Message::ClientHello(hello) => {
                self.client_random = hello.random;
                return Ok(());
            }
            Message::ServerHello(hello) => hello,
            _ => return Err(Broken::Form),
        };
        let share = hello.extensions.server_share().map_err(|_| Broken::Form)?;
        let group = share.and_then(|share| Group::from_id(share.group));
        let suite = CipherSuite::from_id(hello.cipher_suite);
        if group != Some(Group::X25519MlKem768) {
            return Err(Broken::Form);
        }
        let negotiated = Negotiated {
            version: Version::Dtls13,
            suite: suite.ok_or(Broken::Form)?,
            client_random: self.client_random,
            server_random: hello.random,
            extended_master_secret: true,
            srtp_profile: None,
            alpn: None,
        };
        let (random, shared) = &self.recording.secrets["shared"];
        let keyed = Keyed::derive(&self.transcript, negotiated, shared).unwrap();
        if random[..] != self.client_random {
            return Err(Broken::Secret("shared"));
        }
        self.compare(keylog::CLIENT_HANDSHAKE, keyed.client.secret())?;
        self.compare(keylog::SERVER_HANDSHAKE, keyed.server.secret())?;
        for (said, traffic) in self.said.iter_mut().zip([&keyed.client, &keyed.server]) {
            said.records.set_version(Version::Dtls13);
            let keys = traffic.keys().unwrap();
            said.records.install_read(HANDSHAKE_EPOCH, keys);
        }
        self.keyed = Some(keyed);
        Ok(())
    }

    /// As who hears it does.
    fn weigh(&mut self, from: Role, sequence: u16, message: &Message<'_>) -> Result<(), Refusal> {
        let keyed = self.keyed.as_ref().unwrap();
        let said = &mut self.said[index(from)];
        let look = Look {
            config: &self.config,
            role: match from {
                Role::Client => Role::Server,
                Role::Server => Role::Client,
            },
            trust: &said.trust,
            transcript: &self.transcript,
            reassembly: &said.reassembly,
            sequence,
        };
        let (context, traffic) = match from {
            Role::Client => (CLIENT_CONTEXT, &keyed.client),
            Role::Server => (SERVER_CONTEXT, &keyed.server),
        };
        match message {
            Message::EncryptedExtensions(it) => {
                client::ExpectEncryptedExtensions::weigh(&look, it)?;
            }
            Message::CertificateRequest13(it) => {
                client::ExpectCertificateRequest::weigh(&look, it)?;
            }
            Message::Certificate13(it) => said.key = Some(check_certificate(&look, it)?.key),
            Message::CertificateVerify(it) => {
                let key = said.key.as_ref().unwrap();
                check_verify(&look, keyed, key, context, it)?;
                said.proved[0] = true;
            }
            Message::Finished(it) => {
                check_finished(&look, traffic, keyed, it)?;
                said.proved[1] = true;
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    }

    /// The keys of epoch 3, behind the server's Finished.
    fn derive_application(&mut self) -> Result<(), Broken> {
        let keyed = self.keyed.as_ref().unwrap();
        let application = keyed.derive_application(&self.transcript).unwrap();
        let (client, server, exporter) = &application;
        self.compare(keylog::CLIENT_TRAFFIC, client.secret())?;
        self.compare(keylog::SERVER_TRAFFIC, server.secret())?;
        self.compare(keylog::EXPORTER, exporter.secret())?;
        for (said, traffic) in self.said.iter_mut().zip([client, server]) {
            let keys = traffic.keys().unwrap();
            said.records.install_read(APPLICATION_EPOCH, keys);
        }
        self.application = Some(application);
        Ok(())
    }

    fn compare(&self, label: &'static str, secret: &[u8]) -> Result<(), Broken> {
        let (random, logged) = &self.recording.secrets[label];
        match secret == logged && random[..] == self.client_random {
            true => Ok(()),
            false => Err(Broken::Secret(label)),
        }
    }
}

#[test]
fn handshakes_of_browsers_come_out_again() {
    for (name, text) in RECORDINGS {
        let said = Recording::parse(text).replay(&mut |_, _, _| {});
        let said = said.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let holds = |payload: &Vec<u8>, word: &str| {
            let mut windows = payload.windows(word.len());
            windows.any(|window| window == word.as_bytes())
        };
        let mut words = Vec::new();
        for said in &said {
            assert_eq!(said.proved, [true; 2], "{name}");
            assert!(said.opened > 5 && !said.payload.is_empty(), "{name}");
            for word in ["hello from Rust", "hello from the browser"] {
                if said.payload.iter().any(|payload| holds(payload, word)) {
                    words.push(word);
                }
            }
        }
        // The client first.
        let expected = match name.ends_with("client") {
            true => ["hello from Rust", "hello from the browser"],
            false => ["hello from the browser", "hello from Rust"],
        };
        assert_eq!(words, expected, "{name}");
    }
}

#[test]
fn a_bit_of_any_secret_makes_another_handshake() {
    for (name, text) in RECORDINGS {
        let recording = Recording::parse(text);
        for byte in 0..64 {
            let broken = recording.fails(name, |it| {
                it.secrets.get_mut("shared").unwrap().1[byte] ^= 0x10;
            });
            assert_eq!(broken, Broken::Secret(keylog::CLIENT_HANDSHAKE), "{name}");
        }
        for label in [
            keylog::CLIENT_HANDSHAKE,
            keylog::SERVER_HANDSHAKE,
            keylog::CLIENT_TRAFFIC,
            keylog::SERVER_TRAFFIC,
            keylog::EXPORTER,
        ] {
            let broken = recording.fails(name, |it| {
                it.secrets.get_mut(label).unwrap().1[0] ^= 1;
            });
            assert_eq!(broken, Broken::Secret(label), "{name}");
        }
    }
}

/// The last byte of each record: under keys of the tag, in the clear of what both sides hash. What is repeated in the clear is
/// not looked at.
#[test]
fn a_bit_of_any_record_is_noticed() {
    for (name, text) in RECORDINGS {
        let recording = Recording::parse(text);
        let (mut clear, mut sealed) = (BTreeSet::new(), 0);
        for (at, (from, datagram)) in recording.datagrams.iter().enumerate() {
            let (mut end, mut copy) = (0, datagram.clone());
            let mut rest = &mut copy[..];
            while !rest.is_empty() {
                let (raw, tail) = record::split(rest).unwrap();
                let bytes = raw.to_vec();
                rest = tail;
                end += bytes.len();
                let place = format!("{name}, datagram {at}");
                let fails = || recording.fails(&place, |it| it.datagrams[at].1[end - 1] ^= 1);
                if bytes[0] != HANDSHAKE {
                    let forged = Broken::Record(record::Refused::Forged);
                    assert_eq!(fails(), forged, "{place}");
                    sealed += 1;
                    continue;
                }
                let (fragment, _) = Fragment::parse(&bytes[record::HEADER_LEN..]).unwrap();
                if clear.insert((index(*from), fragment.offset)) {
                    // The extensions of a hello may not be read any more, or say something else.
                    let broken = fails();
                    let noticed = matches!(broken, Broken::Secret(_) | Broken::Form);
                    assert!(noticed, "{place}: {broken:?}");
                }
            }
        }
        assert!(clear.len() >= 3 && sealed > 10, "{name}");
    }
}

#[test]
fn a_bit_of_what_proves_who_the_browser_is_is_noticed() {
    let ends_with = |broken: Broken, kind: Kind, cause: Failure| match broken {
        Broken::Message(which, Refusal::Doubt(fault)) => {
            assert_eq!((which, fault.cause), (kind, cause));
        }
        other => panic!("{other:?}"),
    };
    let decrypt_error = Failure::AlertSent(crate::AlertDescription::DECRYPT_ERROR);
    for (name, text) in RECORDINGS {
        let recording = Recording::parse(text);
        for who in [Role::Client, Role::Server] {
            let verify = recording.fails_edited(who, Kind::CertificateVerify);
            ends_with(verify, Kind::CertificateVerify, decrypt_error);
            let finished = recording.fails_edited(who, Kind::Finished);
            ends_with(finished, Kind::Finished, decrypt_error);
            let broken = recording.fails(name, |it| {
                let it = &mut it.fingerprints[index(who)];
                let mut value = it.value().to_vec();
                value[31] ^= 1;
                *it = Fingerprint::new(it.algorithm().clone(), value);
            });
            ends_with(broken, Kind::Certificate, Failure::FingerprintMismatch);
        }
    }
}
