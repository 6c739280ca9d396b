//! The key schedule against the values of RFC 8448 §3, with the prefix that TLS has.

use std::collections::BTreeMap;

use crate::{
    CipherSuite,
    crypto::hkdf::Hash,
    handshake::v13::schedule::{
        CLIENT_APPLICATION, CLIENT_HANDSHAKE, DTLS_PREFIX, SERVER_APPLICATION, SERVER_HANDSHAKE,
        Schedule,
    },
};

fn values() -> BTreeMap<&'static str, Vec<u8>> {
    let lines = include_str!("../../tests/support/rfc8448.hex").lines();
    let value = |line: &'static str| {
        let (name, hex) = line.split_once(": ").unwrap();
        (name, super::unhex(hex))
    };
    lines.map(value).collect()
}

#[test]
fn the_schedule_has_the_published_values() {
    let values = values();
    let said = |names: &[&str]| {
        let messages: Vec<u8> = names.iter().flat_map(|name| values[name].clone()).collect();
        Hash::SHA256.digest(&messages)
    };
    let hellos = said(&["client_hello", "server_hello"]);
    let early = Schedule::new(CipherSuite::Aes128Gcm, b"tls13 ");
    assert_eq!(early.secret(), values["early"]);
    let handshake = early.advance(Some(&values["shared"])).unwrap();
    assert_eq!(handshake.secret(), values["handshake"]);
    let client = handshake
        .traffic(CLIENT_HANDSHAKE, hellos.as_ref())
        .unwrap();
    let server = handshake
        .traffic(SERVER_HANDSHAKE, hellos.as_ref())
        .unwrap();
    assert_eq!(client.secret(), values["c hs traffic"]);
    assert_eq!(server.secret(), values["s hs traffic"]);
    let mut names = vec![
        "client_hello",
        "server_hello",
        "encrypted_extensions",
        "certificate",
        "certificate_verify",
    ];
    let finished = server.finished(said(&names).as_ref()).unwrap();
    assert_eq!(finished, values["server_finished"]);
    names.push("finished_message");
    let all = said(&names);
    let finished = client.finished(all.as_ref()).unwrap();
    assert_eq!(finished, values["client_finished"]);
    let master = handshake.advance(None).unwrap();
    assert_eq!(master.secret(), values["master"]);
    for (label, name) in [
        (CLIENT_APPLICATION, "c ap traffic"),
        (SERVER_APPLICATION, "s ap traffic"),
    ] {
        let traffic = master.traffic(label, all.as_ref()).unwrap();
        assert_eq!(traffic.secret(), values[name], "{name}");
        let next = traffic.next().unwrap();
        assert_ne!(next.secret(), traffic.secret());
    }
    let exporter = master.exporter(all.as_ref()).unwrap();
    assert_eq!(exporter.secret(), values["exp master"]);
}

/// RFC 9147 §5.9: no blank, so that no secret is also one of TLS.
#[test]
fn the_prefix_of_dtls_makes_other_secrets() {
    assert_eq!(DTLS_PREFIX, b"dtls13");
    let secret = |prefix| {
        let early = Schedule::new(CipherSuite::Aes256Gcm, prefix);
        let handshake = early.advance(Some(&[7; 32])).unwrap();
        handshake.secret().to_vec()
    };
    assert_eq!(secret(DTLS_PREFIX).len(), 48);
    assert_ne!(secret(DTLS_PREFIX), secret(b"tls13 "));
}
