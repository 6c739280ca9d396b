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

/// RFC 8448 §3: the key and the iv of each traffic secret open the records of both ends, and seal them again.
#[test]
fn the_keys_are_those_of_the_published_records() {
    let values = values();
    let said = [
        "client_hello",
        "server_hello",
        "encrypted_extensions",
        "certificate",
        "certificate_verify",
        "finished_message",
    ]
    .map(|name| &values[name][..]);
    let early = Schedule::new(CipherSuite::Aes128Gcm, b"tls13 ");
    let handshake = early.advance(Some(&values["shared"])).unwrap();
    let master = handshake.advance(None).unwrap();
    let finished = [&[20, 0, 0, 32], &values["client_finished"][..]].concat();
    let payload: Vec<u8> = (0..50).collect();
    let close = vec![1, 0];
    for (name, schedule, messages, label, sequence, content, expected) in [
        (
            "server handshake",
            &handshake,
            2,
            SERVER_HANDSHAKE,
            0,
            22,
            said[2..].concat(),
        ),
        (
            "client handshake",
            &handshake,
            2,
            CLIENT_HANDSHAKE,
            0,
            22,
            finished,
        ),
        (
            "client application",
            &master,
            6,
            CLIENT_APPLICATION,
            0,
            23,
            payload.clone(),
        ),
        // The first of the server is a ticket.
        (
            "server application",
            &master,
            6,
            SERVER_APPLICATION,
            1,
            23,
            payload,
        ),
        (
            "client alert",
            &master,
            6,
            CLIENT_APPLICATION,
            1,
            21,
            close.clone(),
        ),
        ("server alert", &master, 6, SERVER_APPLICATION, 2, 21, close),
    ] {
        let transcript = Hash::SHA256.digest(&said[..messages].concat());
        let traffic = schedule.traffic(label, transcript.as_ref()).unwrap();
        let keys = traffic.keys().unwrap();
        let record = &values[&*format!("{name} record")];
        let (header, sealed) = record.split_at(5);
        let mut opened = sealed.to_vec();
        let range = keys.open_1_3(sequence, header, &mut opened).unwrap();
        let mut plaintext = [&expected[..], &[content]].concat();
        assert_eq!(opened[range], plaintext, "{name}");
        let tag = keys.seal_1_3(sequence, header, &mut plaintext).unwrap();
        assert_eq!([&plaintext[..], &tag].concat(), sealed, "{name}");
    }
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

/// HKDF-Expand-Label as RFC 8446 §7.1 has it on paper, with the prefix of RFC 9147 §5.9 written out.
fn expanded(hash: ring::hkdf::Algorithm, secret: &[u8], info: &[&[u8]], len: usize) -> Vec<u8> {
    struct Len(usize);
    impl ring::hkdf::KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }
    let key = ring::hkdf::Prk::new_less_safe(hash, secret);
    let mut out = vec![0; len];
    key.expand(info, Len(len)).unwrap().fill(&mut out).unwrap();
    out
}

/// The labels that no vector of RFC 8448 has: both ends of ours would agree on any other.
#[test]
fn the_labels_of_updates_and_of_the_exporter_are_the_standards() {
    use ring::{digest, hkdf};

    for (suite, hkdf, sha, len) in [
        (
            CipherSuite::Aes128Gcm,
            hkdf::HKDF_SHA256,
            &digest::SHA256,
            32_u8,
        ),
        (
            CipherSuite::Aes256Gcm,
            hkdf::HKDF_SHA384,
            &digest::SHA384,
            48,
        ),
    ] {
        let early = Schedule::new(suite, DTLS_PREFIX);
        let transcript = Hash::of(suite).digest(b"transcript");
        let size = usize::from(len);
        let traffic = early
            .traffic(SERVER_APPLICATION, transcript.as_ref())
            .unwrap();
        let context = transcript.as_ref();
        let info = [&[0, len, 18], &b"dtls13s ap traffic"[..], &[len], context];
        let expected = expanded(hkdf, early.secret(), &info, size);
        assert_eq!(traffic.secret(), expected);
        // RFC 8446 §7.2: no context.
        let info = [&[0, len, 17], &b"dtls13traffic upd"[..], &[0]];
        let expected = expanded(hkdf, traffic.secret(), &info, size);
        assert_eq!(traffic.next().unwrap().secret(), expected);
        // RFC 8446 §7.5.
        let exporter = early.exporter(transcript.as_ref()).unwrap();
        let info = [&[0, len, 16], &b"dtls13exp master"[..], &[len], context];
        let expected = expanded(hkdf, early.secret(), &info, size);
        assert_eq!(exporter.secret(), expected);
        let (nothing, context) = (digest::digest(sha, b""), digest::digest(sha, b"context"));
        let info = [
            &[0, len, 13],
            &b"dtls13a label"[..],
            &[len],
            nothing.as_ref(),
        ];
        let derived = expanded(hkdf, exporter.secret(), &info, size);
        let info = [
            &[0, 60, 14],
            &b"dtls13exporter"[..],
            &[len],
            context.as_ref(),
        ];
        let expected = expanded(hkdf, &derived, &info, 60);
        let mut out = [0; 60];
        exporter.export("a label", b"context", &mut out).unwrap();
        assert_eq!(out.to_vec(), expected);
    }
}
