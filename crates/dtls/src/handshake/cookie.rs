use byteorder::{BigEndian, ByteOrder};
use ring::hmac;

use crate::{
    CipherSuite, Group, Version,
    message::{ClientHello, extension},
};

/// The cookie of a HelloRetryRequest: all that is kept of the first ClientHello (RFC 8446 §4.2.2,
/// RFC 9147 §5.1), bound to what the second repeats of it and to what names the client's address.
pub(crate) struct Cookie13 {
    pub(crate) suite: CipherSuite,
    /// The group that a share is wanted for; `None` when only the cookie was.
    pub(crate) group: Option<Group>,
    /// The hash of the first hello.
    pub(crate) first: Vec<u8>,
}

impl Cookie13 {
    pub(crate) fn seal(&self, key: &[u8; 32], context: &[u8], hello: &ClientHello<'_>) -> Vec<u8> {
        let group = self.group.map_or(0, Group::id);
        let numbers = [Version::Dtls13.id(), self.suite.id(), group];
        let mut bytes = vec![0; 6];
        BigEndian::write_u16_into(&numbers, &mut bytes);
        bytes.extend(&self.first);
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let mac = hmac::sign(&key, &bound(context, hello, self.group, &bytes));
        bytes.extend(mac.as_ref());
        bytes
    }

    /// What a cookie of ours says; `None` when it is none, of another address, or of a hello that another
    /// client said.
    pub(crate) fn check_cookie(
        key: &[u8; 32],
        context: &[u8],
        hello: &ClientHello<'_>,
        bytes: &[u8],
    ) -> Option<Self> {
        let (said, tag) = bytes.split_at_checked(bytes.len().checked_sub(MAC_LEN)?)?;
        let (numbers, first) = said.split_at_checked(6)?;
        let suite = CipherSuite::from_id(BigEndian::read_u16(numbers.get(2..4)?))?;
        let group = Group::from_id(BigEndian::read_u16(numbers.get(4..6)?));
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::verify(&key, &bound(context, hello, group, said), tag).ok()?;
        Some(Self {
            suite,
            group,
            first: first.to_vec(),
        })
    }
}

/// Apart from what the cookie of a HelloVerifyRequest is made of, which begins with a version.
fn bound(context: &[u8], hello: &ClientHello<'_>, group: Option<Group>, said: &[u8]) -> Vec<u8> {
    let mut length = [0; 2];
    BigEndian::write_u16(&mut length, said.len() as u16);
    let mut input = [b"HelloRetryRequest", &length[..], said].concat();
    repeated(hello, group).write(&mut input);
    write_context(context, &mut input);
    input
}

/// Its length stands behind it: a hello without extensions ends where a context may begin like some.
fn write_context(context: &[u8], input: &mut Vec<u8>) {
    let mut length = [0; 8];
    BigEndian::write_u64(&mut length, context.len() as u64);
    input.extend(context);
    input.extend(length);
}

/// RFC 8446 §4.1.2: what a hello and the one that answers a request have in common. Shares are among it where none was
/// asked for.
fn repeated<'h>(hello: &ClientHello<'h>, group: Option<Group>) -> ClientHello<'h> {
    let mut hello = hello.clone();
    let shares = group.map(|_| extension::KEY_SHARE);
    for kind in MAY_CHANGE.into_iter().chain(shares) {
        hello.extensions.remove(kind);
    }
    hello
}

const MAY_CHANGE: [u16; 4] = [
    extension::PADDING,
    extension::PRE_SHARED_KEY,
    extension::EARLY_DATA,
    extension::COOKIE,
];

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
    write_context(context, &mut input);
    input
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Extensions;

    /// The second hello of a client.
    fn second(change: impl Fn(&mut ClientHello<'_>)) -> ClientHello<'static> {
        let mut hello = hello(1, &[]);
        hello.extensions.set(extension::ALPN, b"a");
        hello.extensions.set(extension::KEY_SHARE, b"share");
        hello.extensions.set(extension::EARLY_DATA, b"");
        change(&mut hello);
        hello
    }

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
            let hello = &second(|_| {});
            let bytes = made.seal(&key, context, hello);
            let read = Cookie13::check_cookie(&key, context, hello, &bytes).unwrap();
            assert_eq!(
                (read.suite, read.group, read.first),
                (made.suite, group, made.first)
            );
            assert!(Cookie13::check_cookie(&[8; 32], context, hello, &bytes).is_none());
            assert!(Cookie13::check_cookie(&key, b"192.0.2.1:6", hello, &bytes).is_none());
            for bit in 0..bytes.len() * 8 {
                let mut forged = bytes.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                assert!(Cookie13::check_cookie(&key, context, hello, &forged).is_none());
            }
            for end in 0..bytes.len() {
                assert!(Cookie13::check_cookie(&key, context, hello, &bytes[..end]).is_none());
            }
        }
    }

    /// RFC 8446 §4.1.2: whoever repeats another hello than the one that was answered was not asked.
    #[test]
    fn a_cookie_of_1_3_is_bound_to_what_the_second_hello_repeats() {
        type Change = fn(&mut ClientHello<'_>);
        let cases: [(Change, bool, bool); 8] = [
            // What is changed; whether it may be where a share was asked for, and where none was.
            (
                |hello| hello.extensions.set(extension::COOKIE, b"c"),
                true,
                true,
            ),
            (
                |hello| hello.extensions.remove(extension::EARLY_DATA),
                true,
                true,
            ),
            (
                |hello| hello.extensions.set(extension::PADDING, b"0"),
                true,
                true,
            ),
            (
                |hello| hello.extensions.set(extension::PRE_SHARED_KEY, b"k"),
                true,
                true,
            ),
            (
                |hello| hello.extensions.set(extension::KEY_SHARE, b"other"),
                true,
                false,
            ),
            (
                |hello| hello.extensions.set(extension::ALPN, b"b"),
                false,
                false,
            ),
            (|hello| hello.random[31] ^= 1, false, false),
            (|hello| hello.cipher_suites.push(0x1302), false, false),
        ];
        for (index, (change, share, none)) in cases.into_iter().enumerate() {
            for (group, may) in [(Some(Group::P384), share), (None, none)] {
                let made = Cookie13 {
                    suite: CipherSuite::Aes128Gcm,
                    group,
                    first: vec![9; 32],
                };
                let bytes = made.seal(&[7; 32], b"", &second(|_| {}));
                let read = Cookie13::check_cookie(&[7; 32], b"", &second(change), &bytes);
                assert_eq!(read.is_some(), may, "{index} {group:?}");
            }
        }
    }

    /// What looks like an extension at the front of a longer context is none of the hello.
    #[test]
    fn a_context_is_no_extension() {
        let key = [7; 32];
        let (bare, mut extended) = (hello(1, &[]), hello(1, &[]));
        extended.extensions.set(extension::ALPN, b"ab");
        let extension = [0, 6, 0, 16, 0, 2, b'a', b'b'];
        let longer = [&extension[..], b"192.0.2.1:5"].concat();
        let made = cookie(&key, &longer, &bare);
        extended.cookie = &made;
        assert!(!check_cookie(&key, b"192.0.2.1:5", &extended));
        let read = ClientHello {
            cookie: &made,
            ..bare
        };
        assert!(check_cookie(&key, &longer, &read));
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
