//! The published test vectors: RFC 5769, and RFC 8489 appendix B.1 as its erratum corrects it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the vectors are part of the crate"
)]

use oxirtc_stun::{
    Attribute, AttributeType, Builder, Class, Error, IntegrityKey, Message, Method,
    PasswordAlgorithm, TransactionId, userhash,
};
use serde_json::Value;

fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors/rfc5769_stun.json")).unwrap()
}

fn rfc8489() -> Value {
    serde_json::from_str(include_str!("vectors/rfc8489_stun_sha256.json")).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn bytes(vector: &Value, name: &str) -> Vec<u8> {
    hex(vector[name].as_str().unwrap())
}

/// Writes again what was read, attribute by attribute: values are as they were, padding becomes zero.
fn rebuild(message: &Message<'_>) -> Vec<u8> {
    let mut buf = Vec::new();
    let id = message.transaction_id();
    let mut builder = Builder::new(&mut buf, message.class(), message.method(), id);
    for attribute in message.attributes() {
        builder.add(attribute.parse(id).unwrap());
    }
    builder.finish().unwrap();
    buf
}

fn assert_same_attributes(left: &Message<'_>, right: &Message<'_>) {
    assert!(left.all_attributes().eq(right.all_attributes()));
    assert_eq!(left.as_bytes().len(), right.as_bytes().len());
    assert_eq!(left.as_bytes()[..20], right.as_bytes()[..20]);
}

#[test]
fn rfc5769_messages_with_short_term_credentials() {
    for vector in &vectors()[..3] {
        let datagram = bytes(vector, "message");
        let message = Message::parse(&datagram).unwrap();
        let key = IntegrityKey::short_term(vector["password"].as_str().unwrap()).unwrap();
        assert_eq!(
            message.verify_message_integrity(&key),
            Ok(()),
            "{}",
            vector["section"]
        );
        assert_eq!(
            message.verify_fingerprint(),
            Ok(()),
            "{}",
            vector["section"]
        );
        assert_eq!(message.method(), Method::BINDING);
        let wrong = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBT").unwrap();
        let kind = AttributeType::MESSAGE_INTEGRITY;
        assert_eq!(
            message.verify_message_integrity(&wrong),
            Err(Error::Mismatch(kind))
        );
        if let Some(address) = vector["xor_mapped"].as_str() {
            assert_eq!(message.class(), Class::Success);
            assert_eq!(message.xor_mapped_address(), Some(address.parse().unwrap()));
            assert_eq!(message.software(), Some("test vector"));
        }
        let rebuilt = rebuild(&message);
        assert_same_attributes(&Message::parse(&rebuilt).unwrap(), &message);
    }
}

#[test]
fn rfc5769_request_of_ice() {
    let datagram = bytes(&vectors()[0], "message");
    let message = Message::parse(&datagram).unwrap();
    assert_eq!(message.class(), Class::Request);
    assert_eq!(message.software(), Some("STUN test client"));
    assert_eq!(message.priority(), Some(0x6e00_01ff));
    assert_eq!(message.ice_controlled(), Some(0x932f_f9b1_5126_3b36));
    assert_eq!(message.ice_controlling(), None);
    assert_eq!(message.username(), Some("evtj:h6vY"));
    assert!(!message.use_candidate());
}

#[test]
fn rfc5769_request_with_long_term_credentials() {
    let vector = &vectors()[3];
    let datagram = bytes(vector, "message");
    let message = Message::parse(&datagram).unwrap();
    let (username, realm) = (message.username().unwrap(), message.realm().unwrap());
    assert_eq!(username, vector["username"].as_str().unwrap());
    assert_eq!(realm, vector["realm"].as_str().unwrap());
    assert_eq!(
        message.nonce(),
        Some(vector["nonce"].as_str().unwrap().as_bytes())
    );
    let password = vector["password_after_saslprep"].as_str().unwrap();
    let key = IntegrityKey::long_term(username, realm, password, PasswordAlgorithm::MD5).unwrap();
    assert_eq!(message.verify_message_integrity(&key), Ok(()));
    let key = IntegrityKey::from_bytes(&bytes(vector, "key_hex"));
    assert_eq!(message.verify_message_integrity(&key), Ok(()));
    let missing = Error::Missing(AttributeType::FINGERPRINT);
    assert_eq!(message.verify_fingerprint(), Err(missing));
    assert_eq!(
        rebuild(&message),
        datagram,
        "this vector is padded with zeros"
    );
}

#[test]
fn rfc8489_b1_with_sha256_and_userhash() {
    let vector = rfc8489();
    let datagram = bytes(&vector, "erratum_6268");
    let message = Message::parse(&datagram).unwrap();
    let text = |name: &str| vector[name].as_str().unwrap();
    let (username, realm, password) = (text("username"), text("realm"), text("password"));
    assert_eq!(message.userhash(), Some(userhash(username, realm).unwrap()));
    assert_eq!(
        message.password_algorithm(),
        Some(PasswordAlgorithm::SHA256)
    );
    let key =
        IntegrityKey::long_term(username, realm, password, PasswordAlgorithm::SHA256).unwrap();
    assert_eq!(message.verify_message_integrity_sha256(&key), Ok(()));
    assert_eq!(
        message.verify_integrity(&key),
        Ok(oxirtc_stun::Integrity::Sha256)
    );
    let key = IntegrityKey::from_bytes(&bytes(&vector, "key_hex"));
    assert_eq!(message.verify_message_integrity_sha256(&key), Ok(()));
    assert_eq!(rebuild(&message), datagram);

    let mut built = Vec::new();
    Builder::new(
        &mut built,
        Class::Request,
        Method::BINDING,
        message.transaction_id(),
    )
    .add(Attribute::Userhash(userhash(username, realm).unwrap()))
    .add(Attribute::Nonce(message.nonce().unwrap()))
    .add(Attribute::Realm(realm))
    .add(Attribute::PasswordAlgorithm(PasswordAlgorithm::SHA256))
    .message_integrity_sha256(&key)
    .finish()
    .unwrap();
    assert_eq!(built, datagram);
}

/// The text that the RFC prints has a wrong length: it is refused, not misread.
#[test]
fn rfc8489_b1_as_printed_is_refused() {
    let datagram = bytes(&rfc8489(), "printed_in_rfc_INVALID");
    match Message::parse(&datagram) {
        Err(error) => assert!(matches!(error, Error::Length | Error::Truncated)),
        Ok(message) => {
            let key = IntegrityKey::from_bytes(&bytes(&rfc8489(), "key_hex"));
            let kind = AttributeType::MESSAGE_INTEGRITY_SHA256;
            assert_eq!(
                message.verify_message_integrity_sha256(&key),
                Err(Error::Mismatch(kind))
            );
        }
    }
}

/// The bytes of a request, built as the vector of RFC 5769 §2.1 orders them, differ from it in the padding only.
#[test]
fn builds_the_request_of_rfc5769() {
    let datagram = bytes(&vectors()[0], "message");
    let message = Message::parse(&datagram).unwrap();
    let key = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt").unwrap();
    let id = TransactionId::new(*message.transaction_id().as_bytes());
    let mut built = b"before".to_vec();
    let length = Builder::new(&mut built, Class::Request, Method::BINDING, id)
        .add(Attribute::Software("STUN test client"))
        .add(Attribute::Priority(0x6e00_01ff))
        .add(Attribute::IceControlled(0x932f_f9b1_5126_3b36))
        .add(Attribute::Username("evtj:h6vY"))
        .message_integrity(&key)
        .fingerprint()
        .finish()
        .unwrap();
    assert_eq!(&built[..6], b"before");
    assert_eq!(length, datagram.len());
    let rebuilt = Message::parse(&built[6..]).unwrap();
    assert_eq!(rebuilt.verify_message_integrity(&key), Ok(()));
    assert_eq!(rebuilt.verify_fingerprint(), Ok(()));
    assert_eq!(
        built[6..6 + 68],
        datagram[..68],
        "up to the username and its padding"
    );
}
