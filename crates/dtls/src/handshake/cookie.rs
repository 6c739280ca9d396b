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

pub(crate) fn is_valid(key: &[u8; 32], context: &[u8], hello: &ClientHello<'_>) -> bool {
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
