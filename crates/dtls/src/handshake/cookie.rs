use byteorder::{BigEndian, ByteOrder};
use ring::hmac;

use crate::{CipherSuite, Group, Version, message::ClientHello};

/// The cookie of a HelloRetryRequest: all that is kept of the first ClientHello (RFC 8446 §4.2.2,
/// RFC 9147 §5.1), bound to what names the client's address.
pub(crate) struct Cookie13 {
    pub(crate) suite: CipherSuite,
    /// The group that a share is wanted for; `None` when only the cookie was.
    pub(crate) group: Option<Group>,
    /// The hash of the first hello.
    pub(crate) first: Vec<u8>,
}

impl Cookie13 {
    pub(crate) fn seal(&self, key: &[u8; 32], context: &[u8]) -> Vec<u8> {
        let group = self.group.map_or(0, Group::id);
        let numbers = [Version::Dtls13.id(), self.suite.id(), group];
        let mut bytes = vec![0; 6];
        BigEndian::write_u16_into(&numbers, &mut bytes);
        bytes.extend(&self.first);
        let mac = mac(key, context, &bytes);
        bytes.extend(mac.as_ref());
        bytes
    }

    /// What a cookie of ours says; `None` when it is none, or of another address.
    pub(crate) fn check_cookie(key: &[u8; 32], context: &[u8], bytes: &[u8]) -> Option<Self> {
        let (said, tag) = bytes.split_at_checked(bytes.len().checked_sub(MAC_LEN)?)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::verify(&key, &bound(context, said), tag).ok()?;
        let (numbers, first) = said.split_at_checked(6)?;
        let suite = CipherSuite::from_id(BigEndian::read_u16(numbers.get(2..4)?))?;
        Some(Self {
            suite,
            group: Group::from_id(BigEndian::read_u16(numbers.get(4..6)?)),
            first: first.to_vec(),
        })
    }
}

fn mac(key: &[u8; 32], context: &[u8], said: &[u8]) -> hmac::Tag {
    hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, key),
        &bound(context, said),
    )
}

/// Apart from what the cookie of a HelloVerifyRequest is made of, which begins with a version.
fn bound(context: &[u8], said: &[u8]) -> Vec<u8> {
    let mut length = [0; 2];
    BigEndian::write_u16(&mut length, said.len() as u16);
    [b"HelloRetryRequest", &length[..], said, context].concat()
}

const MAC_LEN: usize = 32;

/// The cookie of a HelloVerifyRequest: an HMAC over what the client repeats in its second ClientHello
/// and over what names its address, so that nothing need be kept (RFC 6347 §4.2.1).
pub(crate) fn cookie(key: &[u8; 32], context: &[u8], hello: &ClientHello<'_>) -> Vec<u8> {
    let mac = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, key),
        &input(context, hello),
    );
    mac.as_ref().to_vec()
}

pub(crate) fn check_cookie(key: &[u8; 32], context: &[u8], hello: &ClientHello<'_>) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::verify(&key, &input(context, hello), hello.cookie).is_ok()
}

fn input(context: &[u8], hello: &ClientHello<'_>) -> Vec<u8> {
    let mut input = Vec::new();
    let without_cookie = ClientHello {
        cookie: &[],
        ..hello.clone()
    };
    without_cookie.write(&mut input);
    input.extend(context);
    input
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Extensions;

    fn hello(random: u8, cookie: &[u8]) -> ClientHello<'_> {
        ClientHello {
            version: 0xFEFD,
            random: [random; 32],
            session_id: &[],
            cookie,
            cipher_suites: vec![0xC02B],
            compression_methods: &[0],
            extensions: Extensions::default(),
        }
    }

    #[test]
    fn a_cookie_of_1_3_keeps_what_it_says_and_is_bound_to_key_and_context() {
        let (key, context) = ([7; 32], b"192.0.2.1:5");
        for group in [None, Some(Group::P384)] {
            let made = Cookie13 {
                suite: CipherSuite::Aes256Gcm,
                group,
                first: vec![9; 48],
            };
            let bytes = made.seal(&key, context);
            let read = Cookie13::check_cookie(&key, context, &bytes).unwrap();
            assert_eq!(
                (read.suite, read.group, read.first),
                (made.suite, group, made.first)
            );
            assert!(Cookie13::check_cookie(&[8; 32], context, &bytes).is_none());
            assert!(Cookie13::check_cookie(&key, b"192.0.2.1:6", &bytes).is_none());
            for bit in 0..bytes.len() * 8 {
                let mut forged = bytes.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                assert!(Cookie13::check_cookie(&key, context, &forged).is_none());
            }
            for end in 0..bytes.len() {
                assert!(Cookie13::check_cookie(&key, context, &bytes[..end]).is_none());
            }
        }
    }

    #[test]
    fn a_cookie_is_bound_to_key_context_and_hello() {
        let (key, context) = ([7; 32], b"192.0.2.1:5");
        let made = cookie(&key, context, &hello(1, &[]));
        assert!(check_cookie(&key, context, &hello(1, &made)));
        assert!(!check_cookie(&[8; 32], context, &hello(1, &made)));
        assert!(!check_cookie(&key, b"192.0.2.2:5", &hello(1, &made)));
        assert!(!check_cookie(&key, context, &hello(2, &made)));
        assert!(!check_cookie(&key, context, &hello(1, &[])));
        assert!(!check_cookie(&key, context, &hello(1, &made[1..])));
        for bit in 0..made.len() * 8 {
            let mut forged = made.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(!check_cookie(&key, context, &hello(1, &forged)));
        }
    }
}
