//! Records, handshake messages and certificates of DTLS.

use oxirtc_dtls::{
    Certificate,
    message::{Ack, Extensions, Fragment, Kind, Message},
    record::{self, Header},
};

/// Reads a handshake body; what was read is written and read again, equal.
///
/// # Panics
/// When a property does not hold.
pub fn handshake(kind: Kind, body: &[u8]) {
    let Ok(message) = Message::parse(kind, body) else {
        return;
    };
    if let Message::ClientHello(hello) = &message {
        extensions(&hello.extensions);
    }
    if let Message::ServerHello(hello) = &message {
        extensions(&hello.extensions);
    }
    let mut written = Vec::new();
    message.write(&mut written);
    let again = Message::parse(kind, &written);
    assert_eq!(again.ok(), Some(message));
}

/// The same of a message of 1.3.
///
/// # Panics
/// When a property does not hold.
pub fn handshake_1_3(kind: Kind, body: &[u8]) {
    let Ok(message) = Message::parse_1_3(kind, body) else {
        return;
    };
    let mut written = Vec::new();
    message.write(&mut written);
    let again = Message::parse_1_3(kind, &written);
    assert_eq!(again.ok(), Some(message));
}

/// Reads the contents of an ACK; what was read is written equal.
///
/// # Panics
/// When a property does not hold.
pub fn ack(payload: &[u8]) {
    if let Ok(ack) = Ack::parse(payload) {
        let mut written = Vec::new();
        ack.write(&mut written);
        assert_eq!(written, payload);
    }
}

/// The values that the handshake asks extensions for.
fn extensions(extensions: &Extensions<'_>) {
    let _ = (
        extensions.alpn(),
        extensions.use_srtp(),
        extensions.supported_versions(),
        extensions.selected_version(),
        extensions.cookie(),
    );
    let _ = (
        extensions.client_shares(),
        extensions.server_share(),
        extensions.wanted_group(),
    );
    for extension in extensions.iter() {
        let _ = extensions.numbers(extension.kind);
        assert!(extensions.get(extension.kind).is_some());
    }
}

/// Takes the records off a datagram: with their headers written again, they are the datagram.
///
/// # Panics
/// When a property does not hold.
pub fn records(datagram: &[u8]) {
    let mut copy = datagram.to_vec();
    let mut written = Vec::new();
    let mut rest = copy.as_mut_slice();
    while let Some((header, fragment, more)) = Header::split(rest) {
        written.extend_from_slice(&header.to_bytes());
        written.extend_from_slice(fragment);
        if header.content_type == record::HANDSHAKE && header.epoch == 0 {
            fragments(fragment);
        }
        rest = more;
    }
    assert!(datagram.starts_with(&written));
}

/// Takes the fragments off the payload of a handshake record, and reads the messages that are whole.
///
/// # Panics
/// When a property does not hold.
pub fn fragments(mut payload: &[u8]) {
    while let Ok((fragment, rest)) = Fragment::parse(payload) {
        let mut written = Vec::new();
        fragment.write(&mut written);
        assert_eq!(written, payload[..payload.len() - rest.len()]);
        if let Some(kind) = Kind::from_id(fragment.kind).filter(|_| fragment.is_whole()) {
            handshake(kind, fragment.body);
            handshake_1_3(kind, fragment.body);
        }
        payload = rest;
    }
}

/// Reads a certificate: as text, and as DER that is put before the key of another one.
///
/// # Panics
/// When a property does not hold.
pub fn certificate(bytes: &[u8]) {
    let _ = std::str::from_utf8(bytes).map(Certificate::from_pem);
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n{KEY}",
        base64(bytes)
    );
    if let Ok(certificate) = Certificate::from_pem(&pem) {
        assert_eq!(certificate.der(), bytes);
        let pem = certificate.to_pem().expect("the key is ours");
        let again = Certificate::from_pem(&pem).expect("what is written can be read");
        assert!(again == certificate && again.not_after() == certificate.not_after());
    }
}

fn base64(bytes: &[u8]) -> String {
    let digits = |group: &[u8]| {
        let of = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = of(0) << 16 | of(1) << 8 | of(2);
        let digit = |place: usize| match place <= group.len() {
            true => DIGITS[(bits >> (18 - 6 * place)) as usize & 63] as char,
            false => '=',
        };
        [digit(0), digit(1), digit(2), digit(3)]
    };
    bytes.chunks(3).flat_map(digits).collect()
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// A key that protects nothing, and its certificate.
const KEY: &str = include_str!("../ecdsa.pem");
