//! What the targets for parsers do with the bytes: read them, ask for everything, write them, read them again.

mod dtls;
mod rtp;
mod sctp;
mod srtp;

pub use self::{
    dtls::{ack, certificate, fragments, handshake, records},
    rtp::{rtcp_compound, rtp_extensions, rtp_packet, rtp_payload, rtp_session},
    sctp::{sctp_packet, sctp_parameters},
    srtp::srtp_packet,
};

use oxirtc_container::{Error, Reader};
use oxirtc_sdp::{Attribute, Session};
use oxirtc_stun::{
    AttributeType, Builder, IntegrityKey, Message, RawAttribute, SecurityFeatures, is_stun,
};

/// Reads a file of encoded media to its end: no more comes out than is in it, and an error lies within it.
///
/// # Panics
/// When a property does not hold.
pub fn container_file(file: &[u8]) {
    let (mut frames, mut bytes) = (0, 0);
    let mut read = || {
        let mut reader = Reader::open(file)?;
        while let Some(frame) = reader.read()? {
            frames += 1;
            bytes += frame.payload.len();
        }
        Ok(())
    };
    let end: Result<(), Error> = read();
    assert!(frames <= file.len());
    // A start code may be a byte longer than it was.
    assert!(bytes <= 2 * file.len(), "{bytes}");
    if let Err(Error::Cut { at, .. } | Error::Malformed { at, .. }) = end {
        assert!(at <= file.len() as u64, "{at}");
    }
}

/// Reads a STUN message, asks it for everything and builds it anew: the same attributes come back.
///
/// # Panics
/// When a property does not hold.
pub fn stun_message(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else {
        return;
    };
    assert!(is_stun(bytes), "what is parsed is recognised");
    assert_eq!(Message::length(bytes), Some(bytes.len()));
    let key = IntegrityKey::from_bytes(b"a key");
    let _ = (message.verify_integrity(&key), message.verify_fingerprint());
    let _ = message.nonce().and_then(SecurityFeatures::from_nonce);
    let _ = (message.error_code(), message.address_error_code());
    let lists = (message.unknown_attributes(), message.password_algorithms());
    let lists = (
        lists.0.map(|kinds| kinds.iter().count()),
        lists.1.map(|algorithms| algorithms.iter().count()),
    );
    assert!(lists.0.unwrap_or(0) + lists.1.unwrap_or(0) <= bytes.len());
    assert!(message.unknown_comprehension_required().count() <= bytes.len() / 4);
    assert!(message.xor_peer_addresses().count() <= bytes.len() / 4);
    for kind in AttributeType::KNOWN {
        assert_eq!(message.contains(*kind), message.get(*kind).is_some());
    }

    let id = message.transaction_id();
    let typed = |raw: RawAttribute<'_>| raw.parse(id).map(|it| format!("{it:?}")).ok();
    let mut written = Vec::new();
    let mut builder = Builder::new(&mut written, message.class(), message.method(), id);
    for attribute in message.attributes().filter_map(|raw| raw.parse(id).ok()) {
        builder.add(attribute);
    }
    builder.finish().expect("what was read can be written");
    let again = Message::parse(&written).expect("what was written can be read");
    assert_eq!(
        (again.class(), again.method()),
        (message.class(), message.method())
    );
    assert!(
        message
            .attributes()
            .filter_map(typed)
            .eq(again.attributes().filter_map(typed))
    );
}

/// Reads a description: the same lines come back, and what an attribute prints is read again.
///
/// # Panics
/// When a property does not hold.
pub fn sdp(text: &str) {
    let Ok(session) = Session::parse(text) else {
        return;
    };
    let printed = session.to_string();
    // Blank lines at the end are no lines of the description.
    let blank = |line: &&str| line.trim_ascii().is_empty();
    let lines = text.lines().count() - text.lines().rev().take_while(blank).count();
    let lines = text.lines().take(lines);
    let lines = lines.map(|line| line.strip_suffix('\r').unwrap_or(line));
    assert!(printed.lines().eq(lines), "a line was lost");
    let again = Session::parse(&printed).expect("what is printed is read");
    assert_eq!(again.media_count(), session.media_count());
    let media = session.media().map(|media| media.section());
    for section in media.chain([session.header()]) {
        for attribute in section.attributes() {
            let printed = attribute.to_string();
            let again = Attribute::parse(&printed).expect("what is printed is read");
            assert_eq!(again.to_string(), printed);
        }
        let _ = (
            section.setup(),
            section.direction(),
            section.sctp_map(),
            section.max_message_size(),
        );
        let pieces = section
            .fingerprints()
            .map(|it| it.bytes().count())
            .sum::<usize>()
            + section.groups().map(|it| it.mids().count()).sum::<usize>()
            + section.candidates().count()
            + section.rtp_maps().count();
        assert!(pieces <= text.len());
    }
}
