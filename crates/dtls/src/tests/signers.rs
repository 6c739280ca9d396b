//! Keys that live elsewhere, and the key log.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    AlertDescription, Certificate, Config, Error, Event, Failure, KeyLog, KeyType,
    Role::{self, Client, Server},
    SignatureRequest, SignatureScheme, Signer, SignerError, Version,
    record::{self, Header},
    tests::support::{Pair, VERSIONS, certificate, config_of, ms, other, perfect, record as made},
};

/// A certificate of ours, as if its key were elsewhere.
struct Remote(Certificate);

impl Signer for Remote {
    fn schemes(&self) -> &[SignatureScheme] {
        self.0.key_type().schemes()
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.0.sign(scheme, message).ok_or(SignerError)
    }
}

fn external(key_type: KeyType) -> Certificate {
    let inner = certificate(key_type, 0);
    let chain = vec![inner.der().to_vec()];
    Certificate::external(chain, Arc::new(Remote(inner))).unwrap()
}

/// Runs until the role asks for a signature, which it gets so much later.
fn connect(pair: &mut Pair, role: Role, later: Duration) -> SignatureRequest {
    pair.start();
    pair.run(ms(100), &mut perfect());
    let request = pair[role].connection.poll_signature().unwrap();
    assert!(pair[role].connection.poll_signature().is_none(), "once");
    let debug = format!("{request:?} {:?}", request.sign());
    assert!(!debug.contains("message"), "{debug}");
    pair.run(later, &mut perfect());
    assert!(!pair[role].connection.is_connected());
    request
}

fn pair_of(version: Version, role: Role, certificate: Certificate) -> Pair {
    let external = Config::new(certificate).versions(&[version]);
    let plain = config_of(version, 1);
    match role {
        Client => Pair::new(external, plain),
        Server => Pair::new(plain, external),
    }
}

const KEY_TYPES: [KeyType; 4] = [
    KeyType::EcdsaP256,
    KeyType::EcdsaP384,
    KeyType::Ed25519,
    KeyType::Rsa2048,
];

#[test]
fn a_signature_may_come_later() {
    for version in VERSIONS {
        for role in [Client, Server] {
            for key_type in KEY_TYPES {
                let mut pair = pair_of(version, role, external(key_type));
                let request = connect(&mut pair, role, Duration::from_secs(7));
                let now = pair.now;
                let signature = request.sign();
                let sink = &mut |_: &mut [u8]| {};
                let connection = &mut pair[role].connection;
                connection.handle_signature(now, signature.clone(), sink);
                connection.handle_signature(now, signature, sink);
                pair.run(Duration::from_secs(10), &mut perfect());
                pair.assert_connected();
            }
        }
    }
}

/// As long as our own signer thinks, nobody's word makes the peer late; then it has its time.
#[test]
fn an_alert_in_the_clear_does_not_hurry_a_signer() {
    for version in VERSIONS {
        for role in [Client, Server] {
            for genuine in [false, true] {
                let mut pair = pair_of(version, role, external(KeyType::EcdsaP256));
                let request = connect(&mut pair, role, ms(1));
                let alert = Header {
                    content_type: record::ALERT,
                    version: record::VERSION,
                    epoch: 0,
                    sequence: 99,
                    length: 0,
                };
                let now = pair.now;
                pair[role].handle(now, &mut made(alert, &[2, 40]));
                pair.run(Duration::from_secs(7), &mut perfect());
                assert_eq!(pair[role].events, [], "{version} {role:?}");
                let now = pair.now;
                let connection = &mut pair[role].connection;
                connection.handle_signature(now, request.sign(), &mut |_: &mut [u8]| {});
                // A client of 1.3 has keys by then, and knows better.
                if genuine && (version, role) != (Version::Dtls13, Client) {
                    pair.run(Duration::from_secs(6), &mut |_, _| Vec::new());
                    let cause = Failure::AlertReceived(AlertDescription::HANDSHAKE_FAILURE);
                    assert_eq!(pair[role].events, [Event::Failed { cause }]);
                } else {
                    pair.run(Duration::from_secs(10), &mut perfect());
                    pair.assert_connected();
                }
            }
        }
    }
}

/// What comes meanwhile is looked at in the epoch of the messages that follow, and in no other.
#[test]
fn messages_keep_their_epoch_while_a_signature_is_awaited() {
    for (version, role) in VERSIONS
        .into_iter()
        .flat_map(|version| [Client, Server].map(|role| (version, role)))
    {
        let mut pair = pair_of(version, role, external(KeyType::EcdsaP256));
        connect(&mut pair, role, ms(1));
        let handshake = pair[role].connection.handshake();
        // Certificate and Finished, in epochs 0 to 3.
        let admitted = |kind| [0, 1, 2, 3].map(|epoch| handshake.admits(kind, epoch));
        let expected = match version {
            Version::Dtls12 => [[true, false, false, false], [false, true, false, false]],
            _ => [[false, false, true, false]; 2],
        };
        assert_eq!([11, 20].map(admitted), expected, "{version:?} {role:?}");
        assert_eq!(handshake.is_1_3(), version == Version::Dtls13);
    }
}

/// What was signed for another connection changes nothing.
#[test]
fn a_signature_for_another_connection_is_passed_over() {
    for version in VERSIONS {
        let [client, server] = [Client, Server].map(|role| {
            let mut pair = pair_of(version, role, external(KeyType::EcdsaP256));
            let request = connect(&mut pair, role, ms(1));
            (pair, request.sign())
        });
        let (mut pair, signature) = server;
        let now = pair.now;
        for signature in [client.1, signature] {
            let connection = &mut pair[Server].connection;
            connection.handle_signature(now, signature, &mut |_: &mut [u8]| {});
        }
        pair.run(Duration::from_secs(5), &mut perfect());
        pair.assert_connected();
    }
}

/// A faulty signer tells nobody its key, and one that refuses ends the handshake.
#[test]
fn what_a_signer_gives_is_verified_before_it_is_said() {
    for version in VERSIONS {
        for role in [Client, Server] {
            for faulty in [false, true] {
                let mut pair = pair_of(version, role, external(KeyType::EcdsaP256));
                let request = connect(&mut pair, role, ms(10));
                let mut bytes = request.sign().bytes.unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                let answer = if faulty { Ok(bytes) } else { Err(SignerError) };
                let now = pair.now;
                let connection = &mut pair[role].connection;
                connection.handle_signature(now, request.answer(answer), &mut |_: &mut [u8]| {});
                pair.run(Duration::from_secs(10), &mut perfect());
                let cause = Failure::AlertSent(AlertDescription::INTERNAL_ERROR);
                assert_eq!(pair[role].events, [Event::Failed { cause }]);
                // The peer can read why.
                let told = &pair[other(role)].events;
                let cause = Failure::AlertReceived(AlertDescription::INTERNAL_ERROR);
                assert_eq!(told, &[Event::Failed { cause }], "{version:?} {role:?}");
            }
        }
    }
}

/// [`rcgen`] has keys of every type, but makes none for RSA.
#[test]
fn certificates_of_rcgen_are_taken_whatever_their_key() {
    for key_type in KEY_TYPES {
        let generate = |algorithm| rcgen::KeyPair::generate_for(algorithm).unwrap();
        let key = match key_type {
            KeyType::EcdsaP256 => generate(&rcgen::PKCS_ECDSA_P256_SHA256),
            KeyType::EcdsaP384 => generate(&rcgen::PKCS_ECDSA_P384_SHA384),
            KeyType::Ed25519 => generate(&rcgen::PKCS_ED25519),
            _ => {
                let pem = certificate(key_type, 0).to_pem().unwrap();
                rcgen::KeyPair::from_pem(&pem[pem.find("-----BEGIN PRIVATE").unwrap()..]).unwrap()
            }
        };
        let signed = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        let chain = vec![signed.der().to_vec()];
        let made = Certificate::from_der(chain, &key.serialize_der()).unwrap();
        assert_eq!(made.key_type(), key_type);
        for version in VERSIONS {
            for role in [Client, Server] {
                pair_of(version, role, made.clone()).connect();
            }
        }
        let pem = signed.pem() + &key.serialize_pem();
        assert_eq!(Certificate::from_pem(&pem).unwrap(), made);
    }
}

#[test]
fn keys_come_from_der_and_an_external_key_has_no_pem() {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::default();
    let chain = vec![parameters.self_signed(&key).unwrap().der().to_vec()];
    let made = Certificate::from_der(chain.clone(), &key.serialize_der()).unwrap();
    assert_eq!(
        (made.key_type(), made.der()),
        (KeyType::EcdsaP256, &chain[0][..])
    );
    let other = rcgen::KeyPair::generate().unwrap();
    let mixed = Certificate::from_der(chain, &other.serialize_der());
    assert_eq!(mixed, Err(Error::UnsupportedKey));
    // What a peer would not take.
    let leaf = made.der().to_vec();
    let of = |rest: Vec<Vec<u8>>| {
        let chain = [vec![leaf.clone()], rest].concat();
        Certificate::from_der(chain, &key.serialize_der()).map(|made| made.chain().len())
    };
    let whole = |count| vec![leaf.clone(); count];
    assert_eq!(of(whole(9)), Ok(10));
    let cut = leaf[..leaf.len() - 1].to_vec();
    let long = [&leaf[..], &[0]].concat();
    for rest in [whole(10), vec![Vec::new()], vec![cut], vec![long]] {
        assert_eq!(of(rest), Err(Error::InvalidCertificate));
    }
    let nothing = Certificate::from_der(Vec::new(), &key.serialize_der());
    assert_eq!(nothing, Err(Error::InvalidCertificate));
    assert_eq!(
        external(KeyType::EcdsaP256).to_pem(),
        Err(Error::ExternalKey)
    );
    let sec1 = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
    assert_eq!(Certificate::from_pem(sec1), Err(Error::KeyFormat));
}

/// Label, random and secret.
type Line = (String, [u8; 32], Vec<u8>);

#[derive(Default)]
struct Lines(Mutex<Vec<Line>>);

impl KeyLog for Lines {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        let line = (label.to_owned(), *client_random, secret.to_vec());
        self.0.lock().unwrap().push(line);
    }

    fn log_shared_secret(&self, client_random: &[u8; 32], secret: &[u8]) {
        self.log(SHARED, client_random, secret);
    }
}

const SHARED: &str = "shared secret";

#[test]
fn both_sides_log_the_same_secrets() {
    for version in VERSIONS {
        let logs = [(); 2].map(|()| Arc::new(Lines::default()));
        let config = |which: usize| config_of(version, which).key_log(logs[which].clone());
        assert!(format!("{:?}", config(0)).contains("KeyLog"));
        Pair::new(config(0), config(1)).connect();
        let lines = logs.each_ref().map(|log| log.0.lock().unwrap().clone());
        assert_eq!(lines[0], lines[1]);
        let labels: Vec<&str> = lines[0].iter().map(|line| line.0.as_str()).collect();
        let expected: &[&str] = match version {
            Version::Dtls12 => &[SHARED, "CLIENT_RANDOM"],
            _ => &[
                SHARED,
                "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                "CLIENT_TRAFFIC_SECRET_0",
                "SERVER_TRAFFIC_SECRET_0",
                "EXPORTER_SECRET",
            ],
        };
        assert_eq!(labels, expected);
    }
}

/// A chain is as long as a message may be, and every peer takes one that long.
#[test]
fn a_chain_fits_in_a_message() {
    let key = rcgen::KeyPair::generate().unwrap();
    let made = |padding: usize| {
        let mut parameters = rcgen::CertificateParams::default();
        let name = rcgen::DnType::OrganizationName;
        parameters
            .distinguished_name
            .push(name, "x".repeat(padding));
        let chain = vec![parameters.self_signed(&key).unwrap().der().to_vec()];
        Certificate::from_der(chain, &key.serialize_der())
    };
    // Subject and issuer.
    assert_eq!(made(16 << 10), Err(Error::InvalidCertificate));
    let long = made(15 << 10).unwrap();
    for version in VERSIONS {
        for role in [Client, Server] {
            pair_of(version, role, long.clone()).connect();
        }
    }
}
