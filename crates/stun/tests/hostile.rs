//! Messages that are wrong: nothing panics, nothing wrong is taken for right.
#![expect(clippy::unwrap_used, reason = "the tests build what they unwrap")]

use oxirtc_stun::{
    Attribute, AttributeType, Builder, Class, Error, ErrorCode, HEADER_LENGTH, Integrity,
    IntegrityKey, MAGIC_COOKIE, Message, Method, RawAttribute, SecurityFeatures, TransactionId,
    is_stun,
};

const ID: TransactionId = TransactionId::new([9; 12]);

fn key() -> IntegrityKey {
    IntegrityKey::short_term("a password of ICE").unwrap()
}

fn check() -> Vec<u8> {
    let mut buf = Vec::new();
    Builder::new(&mut buf, Class::Request, Method::BINDING, ID)
        .add(Attribute::Username("remote:local"))
        .add(Attribute::Priority(1))
        .add(Attribute::IceControlling(2))
        .add(Attribute::UseCandidate)
        .message_integrity(&key())
        .finish()
        .unwrap();
    buf
}

/// A message of raw attributes, exactly as long as it needs to be.
fn raw(attributes: &[(AttributeType, &[u8])]) -> Box<[u8]> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend_from_slice(&kind.0.to_be_bytes());
        body.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = vec![0x00, 0x01];
    message.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
    message.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
    message.extend_from_slice(ID.as_bytes());
    message.extend_from_slice(&body);
    message.into_boxed_slice()
}

/// Asks for everything a message can be asked for.
fn exercise(message: &Message<'_>) {
    let id = message.transaction_id();
    for attribute in message.all_attributes() {
        let parsed = attribute.parse(id);
        assert!(parsed.is_ok() || parsed == Err(Error::Malformed(attribute.kind)));
        let _ = format!("{attribute:?} {parsed:?}");
    }
    for kind in AttributeType::KNOWN {
        assert_eq!(message.contains(*kind), message.get(*kind).is_some());
    }
    let _ = (
        message.verify_integrity(&key()),
        message.verify_fingerprint(),
    );
    let _ = (
        message.error_code(),
        message.address_error_code(),
        message.use_candidate(),
    );
    let _ = (
        message.xor_peer_addresses().count(),
        message.unknown_comprehension_required().count(),
    );
    let _ = message.nonce().and_then(SecurityFeatures::from_nonce);
    let _ = message
        .password_algorithms()
        .map(|algorithms| algorithms.iter().count());
    let _ = message
        .unknown_attributes()
        .map(|kinds| kinds.iter().count());
    let _ = format!("{message:?}");
}

/// Known failure 22: each attribute at lengths 0 to 24 in a tight buffer.
#[test]
fn every_attribute_at_every_length() {
    let unknown = [AttributeType(0x7fff), AttributeType(0xffff)];
    for kind in AttributeType::KNOWN.iter().chain(&unknown) {
        for length in 0..=24 {
            for byte in [0x00, 0x01, 0x02, 0x04, 0x7f, 0xff] {
                let datagram = raw(&[(*kind, &vec![byte; length])]);
                let message = Message::parse(&datagram).unwrap();
                exercise(&message);
                assert_eq!(message.get(*kind).unwrap().value.len(), length);
            }
        }
    }
}

#[test]
fn lengths_that_a_type_does_not_have_are_malformed() {
    use AttributeType as T;
    let fixed = [
        (T::MESSAGE_INTEGRITY, 20),
        (T::CHANNEL_NUMBER, 4),
        (T::LIFETIME, 4),
        (T::EVEN_PORT, 1),
        (T::REQUESTED_TRANSPORT, 4),
        (T::DONT_FRAGMENT, 0),
        (T::USERHASH, 32),
        (T::RESERVATION_TOKEN, 8),
        (T::PRIORITY, 4),
        (T::USE_CANDIDATE, 0),
        (T::CONNECTION_ID, 4),
        (T::ICMP, 8),
        (T::FINGERPRINT, 4),
        (T::ICE_CONTROLLED, 8),
        (T::ICE_CONTROLLING, 8),
    ];
    for (kind, right) in fixed {
        for length in 0..=40 {
            let value = vec![1; length];
            let parsed = RawAttribute {
                kind,
                value: &value,
            }
            .parse(ID);
            assert_eq!(parsed.is_ok(), length == right, "{kind:?} of {length}");
        }
    }
    for kind in [
        T::MAPPED_ADDRESS,
        T::XOR_MAPPED_ADDRESS,
        T::XOR_PEER_ADDRESS,
        T::ALTERNATE_SERVER,
    ] {
        for (family, right) in [(0, 0), (1, 8), (2, 20), (3, 0)] {
            for length in 0..=24 {
                let mut value = vec![0; length];
                value
                    .iter_mut()
                    .skip(1)
                    .take(1)
                    .for_each(|byte| *byte = family);
                let parsed = RawAttribute {
                    kind,
                    value: &value,
                }
                .parse(ID);
                assert_eq!(
                    parsed.is_ok(),
                    length == right && right != 0,
                    "{kind:?} {family} {length}"
                );
            }
        }
    }
}

/// Known failure 22: a header of 0 to 20 bytes, and a message cut anywhere.
#[test]
fn truncated_messages_are_refused() {
    let whole = check();
    for length in 0..whole.len() {
        let cut: Box<[u8]> = whole[..length].into();
        assert!(Message::parse(&cut).is_err(), "{length}");
        let framed = Message::length(&cut);
        assert_eq!(framed, (length >= HEADER_LENGTH).then_some(whole.len()));
        // With a header that admits to the cut, the last attribute lacks its end.
        if length > HEADER_LENGTH && length.is_multiple_of(4) {
            let mut cut = cut.into_vec();
            cut[2..4]
                .copy_from_slice(&u16::try_from(length - HEADER_LENGTH).unwrap().to_be_bytes());
            match Message::parse(&cut) {
                Ok(message) => assert!(message.verify_message_integrity(&key()).is_err()),
                Err(error) => assert_eq!(error, Error::Truncated),
            }
        }
    }
    assert!(is_stun(&whole));
    let longer = [whole.as_slice(), &[0; 4]].concat();
    assert_eq!(Message::parse(&longer).err(), Some(Error::Length));
}

/// Known failure 22: a reason that is not UTF-8.
#[test]
fn a_reason_that_is_not_text_keeps_its_valid_beginning() {
    let datagram = raw(&[(
        AttributeType::ERROR_CODE,
        b"\0\0\x04\x57role\xff\xfeconflict",
    )]);
    let message = Message::parse(&datagram).unwrap();
    assert_eq!(message.error_code(), Some(ErrorCode::new(487, "role")));
    let codes: [(&[u8], _); 5] = [
        (b"\0\0\x04", None),
        (b"\0\0\x02\x00", None),
        (b"\0\0\x07\x00", None),
        (b"\0\0\x04\x64", None),
        (b"\xff\xff\xfc\x01", Some(ErrorCode::new(401, ""))),
    ];
    for (value, expected) in codes {
        let datagram = raw(&[(AttributeType::ERROR_CODE, value)]);
        assert_eq!(
            Message::parse(&datagram).unwrap().error_code(),
            expected,
            "{value:?}"
        );
    }
}

#[test]
fn every_flipped_bit_breaks_the_integrity() {
    for sha256 in [false, true] {
        let mut message = Vec::new();
        let mut builder = Builder::new(&mut message, Class::Request, Method::BINDING, ID);
        builder
            .add(Attribute::Username("remote:local1"))
            .add(Attribute::Priority(7));
        let integrity = if sha256 {
            Integrity::Sha256
        } else {
            Integrity::Sha1
        };
        builder.integrity(integrity, &key()).finish().unwrap();
        assert_eq!(
            Message::parse(&message).unwrap().verify_integrity(&key()),
            Ok(integrity)
        );
        for bit in 0..message.len() * 8 {
            let mut flipped = message.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let verified =
                Message::parse(&flipped).and_then(|message| message.verify_integrity(&key()));
            assert!(verified.is_err(), "bit {bit}");
        }
    }
}

#[test]
fn every_flipped_bit_breaks_the_fingerprint() {
    let mut message = Vec::new();
    Builder::new(&mut message, Class::Indication, Method::BINDING, ID)
        .add(Attribute::Software("oxirtc"))
        .fingerprint()
        .finish()
        .unwrap();
    assert_eq!(
        Message::parse(&message).unwrap().verify_fingerprint(),
        Ok(())
    );
    for bit in 0..message.len() * 8 {
        let mut flipped = message.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let verified = Message::parse(&flipped).and_then(|message| message.verify_fingerprint());
        assert!(verified.is_err(), "bit {bit}");
    }
}

/// Known failure 16: what is not protected is not seen, and what is not the integrity does not pass for it.
#[test]
fn attributes_behind_the_integrity_do_not_count() {
    use AttributeType as T;
    let mut hijacked = check();
    let extra = raw(&[
        (T::USE_CANDIDATE, b""),
        (T::USERNAME, b"a:b"),
        (T::NONCE, b"n"),
        (T(0x7ffe), b""),
    ]);
    hijacked.extend_from_slice(&extra[HEADER_LENGTH..]);
    let length = u16::try_from(hijacked.len() - HEADER_LENGTH).unwrap();
    hijacked[2..4].copy_from_slice(&length.to_be_bytes());
    let message = Message::parse(&hijacked).unwrap();
    assert_eq!(
        message.verify_message_integrity(&key()),
        Ok(()),
        "the appended part is not covered"
    );
    assert_eq!(message.username(), Some("remote:local"));
    assert_eq!(message.nonce(), None);
    assert!(!message.contains(T::NONCE));
    assert_eq!(message.unknown_comprehension_required().count(), 0);
    assert_eq!(message.attributes().count(), 5);
    assert_eq!(message.all_attributes().count(), 9);
}

/// Known failure 16: an integrity that is absent, short, long, of the other kind or first in line.
#[test]
fn integrity_that_is_not_one() {
    use AttributeType as T;
    let username: (_, &[u8]) = (T::USERNAME, b"remote:local");
    let verify = |attributes: &[(T, &[u8])]| {
        let datagram = raw(attributes);
        Message::parse(&datagram)
            .unwrap()
            .verify_message_integrity(&key())
    };
    assert_eq!(
        verify(&[username]),
        Err(Error::Missing(T::MESSAGE_INTEGRITY))
    );
    assert_eq!(
        verify(&[(T::MESSAGE_INTEGRITY_SHA256, &[0; 32])]),
        Err(Error::Missing(T::MESSAGE_INTEGRITY))
    );
    for length in (0..20).chain(21..=32) {
        let value = vec![0; length];
        let malformed = Err(Error::Malformed(T::MESSAGE_INTEGRITY));
        assert_eq!(
            verify(&[username, (T::MESSAGE_INTEGRITY, &value)]),
            malformed,
            "{length}"
        );
    }
    let wrong = Err(Error::Mismatch(T::MESSAGE_INTEGRITY));
    assert_eq!(verify(&[username, (T::MESSAGE_INTEGRITY, &[0; 20])]), wrong);

    // The first one counts, even when a good one follows.
    let good = check();
    let good = Message::parse(&good)
        .unwrap()
        .get(T::MESSAGE_INTEGRITY)
        .unwrap()
        .value
        .to_vec();
    assert_eq!(
        verify(&[
            username,
            (T::MESSAGE_INTEGRITY, &[0; 20]),
            (T::MESSAGE_INTEGRITY, &good)
        ]),
        wrong
    );

    let mut sha256 = Vec::new();
    Builder::new(&mut sha256, Class::Request, Method::BINDING, ID)
        .add(Attribute::Username("remote:local"))
        .message_integrity_sha256(&key())
        .finish()
        .unwrap();
    let message = Message::parse(&sha256).unwrap();
    assert_eq!(message.verify_integrity(&key()), Ok(Integrity::Sha256));
    let missing = Err(Error::Missing(T::MESSAGE_INTEGRITY));
    assert_eq!(
        message.verify_message_integrity(&key()),
        missing,
        "ICE can insist on SHA-1"
    );
}

/// RFC 8489 §14.6: 16 to 32 bytes, a multiple of four.
#[test]
fn sha256_may_be_truncated() {
    for length in 0..=40 {
        let mut message = Vec::new();
        let built = Builder::new(&mut message, Class::Request, Method::BINDING, ID)
            .add(Attribute::Username("remote:local"))
            .truncated_integrity_sha256(&key(), length)
            .finish();
        let allowed = [16, 20, 24, 28, 32].contains(&length);
        assert_eq!(built.is_ok(), allowed, "{length}");
        if allowed {
            let message = Message::parse(&message).unwrap();
            assert_eq!(
                message.verify_message_integrity_sha256(&key()),
                Ok(()),
                "{length}"
            );
        } else {
            assert!(message.is_empty(), "a failed build leaves nothing behind");
            let datagram = raw(&[(AttributeType::MESSAGE_INTEGRITY_SHA256, &vec![0; length])]);
            let malformed = Error::Malformed(AttributeType::MESSAGE_INTEGRITY_SHA256);
            let verified = Message::parse(&datagram).unwrap().verify_integrity(&key());
            assert_eq!(verified, Err(malformed), "{length}");
        }
    }
    let mut message = Vec::new();
    let built = Builder::new(&mut message, Class::Request, Method::BINDING, ID)
        .truncated_integrity_sha256(&key(), usize::MAX)
        .finish();
    assert!(built.is_err());
}

#[test]
fn both_integrities_and_fingerprint_in_their_order() {
    let mut message = Vec::new();
    Builder::new(&mut message, Class::Request, Method::BINDING, ID)
        .message_integrity(&key())
        .message_integrity_sha256(&key())
        .fingerprint()
        .finish()
        .unwrap();
    let message = Message::parse(&message).unwrap();
    assert_eq!(message.verify_message_integrity(&key()), Ok(()));
    assert_eq!(message.verify_message_integrity_sha256(&key()), Ok(()));
    assert_eq!(message.verify_fingerprint(), Ok(()));
    assert_eq!(message.attributes().count(), 3);

    let mut buf = b"kept".to_vec();
    let kinds: [fn(&mut Builder<'_>); 3] = [
        |builder| _ = builder.add(Attribute::Priority(1)),
        |builder| _ = builder.message_integrity(&key()),
        |builder| _ = builder.fingerprint(),
    ];
    for late in kinds {
        let mut builder = Builder::new(&mut buf, Class::Request, Method::BINDING, ID);
        builder.message_integrity_sha256(&key()).fingerprint();
        late(&mut builder);
        assert!(matches!(builder.finish(), Err(Error::Order(_))));
        assert_eq!(buf, b"kept");
    }
}

#[test]
fn nothing_follows_a_fingerprint() {
    use AttributeType as T;
    for kind in [T::PRIORITY, T::FINGERPRINT, T::MESSAGE_INTEGRITY, T(0xfffe)] {
        let datagram = raw(&[(T::FINGERPRINT, &[0; 4]), (kind, &[0; 4])]);
        assert_eq!(
            Message::parse(&datagram).err(),
            Some(Error::AfterFingerprint)
        );
    }
}

/// RFC 8489 §6.3.1: what must be understood and is not goes into a 420 response, and the list can be read back.
#[test]
fn unknown_attributes_are_listed_and_kept() {
    use AttributeType as T;
    let datagram = raw(&[
        (T(0x7ffe), b"abc"),
        (T(0xc057), b"optional"),
        (T(0x0003), b""),
        (T::PRIORITY, &[0; 4]),
    ]);
    let message = Message::parse(&datagram).unwrap();
    let unknown: Vec<_> = message.unknown_comprehension_required().collect();
    assert_eq!(unknown, [T(0x7ffe), T(0x0003)]);
    assert_eq!(message.get(T(0xc057)).unwrap().value, b"optional");
    assert_eq!(
        message
            .not_understood(|kind| kind != T::PRIORITY)
            .collect::<Vec<_>>(),
        [T::PRIORITY]
    );
    let mut answer = Vec::new();
    Builder::response(&mut answer, Class::Error, &message)
        .add(Attribute::ErrorCode(ErrorCode::UNKNOWN_ATTRIBUTE))
        .unknown_attributes(unknown.iter().copied())
        .message_integrity(&key())
        .fingerprint()
        .finish()
        .unwrap();
    let answer = Message::parse(&answer).unwrap();
    assert_eq!(
        (answer.class(), answer.method()),
        (Class::Error, Method::BINDING)
    );
    assert_eq!(answer.transaction_id(), message.transaction_id());
    assert_eq!(answer.error_code(), Some(ErrorCode::UNKNOWN_ATTRIBUTE));
    assert!(answer.unknown_attributes().unwrap().iter().eq(unknown));
}

/// Known failure 24: every class and method, with everything asked of it.
#[test]
fn every_class_and_method() {
    for kind in 0..=0x3fff_u16 {
        let mut datagram = raw(&[
            (AttributeType::ERROR_CODE, b"\0\0\x04\x01"),
            (AttributeType(0x7000), b""),
        ]);
        datagram[..2].copy_from_slice(&kind.to_be_bytes());
        let message = Message::parse(&datagram).unwrap();
        assert!(message.method().number() <= 0xfff);
        if kind % 97 == 0 {
            exercise(&message);
        }
    }
    for first in 0x40..=0xff {
        let mut datagram = raw(&[]);
        datagram[0] = first;
        assert_eq!(Message::parse(&datagram).err(), Some(Error::NotStun));
    }
}

#[test]
fn what_is_too_long_is_not_written() {
    let long = "x".repeat(764);
    let attributes = [
        Attribute::Username(&long),
        Attribute::Realm(&long),
        Attribute::Software(&long),
        Attribute::Nonce(long.as_bytes()),
        Attribute::AlternateDomain(&long),
        Attribute::ErrorCode(ErrorCode::new(400, &long)),
        Attribute::Data(&[0; 65_536]),
        Attribute::Data(&[0; 65_532]),
    ];
    for attribute in attributes {
        let mut buf = Vec::new();
        let built = Builder::new(&mut buf, Class::Request, Method::BINDING, ID)
            .add(attribute)
            .finish();
        assert_eq!(
            (built, buf.len()),
            (Err(Error::TooLong), 0),
            "{attribute:?}"
        );
    }
    for code in [0, 299, 700, u16::MAX] {
        let mut buf = Vec::new();
        let attribute = Attribute::ErrorCode(ErrorCode::new(code, ""));
        let built = Builder::new(&mut buf, Class::Error, Method::BINDING, ID)
            .add(attribute)
            .finish();
        assert_eq!(built, Err(Error::Malformed(AttributeType::ERROR_CODE)));
    }
}
