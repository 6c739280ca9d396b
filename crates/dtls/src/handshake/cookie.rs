use ring::hmac;

use crate::message::ClientHello;

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
