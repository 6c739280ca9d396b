//! The messages that the agent writes.

use std::net::SocketAddr;

use oxirtc_stun::{
    Attribute, AttributeType, Builder, Class, ErrorCode, IntegrityKey, Message, Method,
};

use crate::pair::Request;

/// RFC 8445 §7.1 and §7.2.4: a connectivity check.
pub(super) fn write_check(
    buf: &mut Vec<u8>,
    request: &Request,
    tie_breaker: u64,
    username: &str,
    key: &IntegrityKey,
) {
    let mut builder = Builder::new(buf, Class::Request, Method::BINDING, request.id);
    builder
        .add(Attribute::Username(username))
        .add(Attribute::Priority(request.priority))
        .add(if request.controlling {
            Attribute::IceControlling(tie_breaker)
        } else {
            Attribute::IceControlled(tie_breaker)
        });
    if request.nominates {
        builder.add(Attribute::UseCandidate);
    }
    finish(builder, key);
}

/// RFC 8445 §7.3.1.2: the answer names the address that the request came from.
pub(super) fn write_success(
    buf: &mut Vec<u8>,
    to: &Message<'_>,
    from: SocketAddr,
    key: &IntegrityKey,
) {
    let mut builder = Builder::response(buf, Class::Success, to);
    builder.add(Attribute::XorMappedAddress(from));
    finish(builder, key);
}

/// An error response; `unknown` are the attributes that were not understood.
pub(super) fn write_error(
    buf: &mut Vec<u8>,
    to: &Message<'_>,
    code: ErrorCode<'_>,
    unknown: &[AttributeType],
    key: &IntegrityKey,
) {
    let mut builder = Builder::response(buf, Class::Error, to);
    builder.add(Attribute::ErrorCode(code));
    if !unknown.is_empty() {
        builder.unknown_attributes(unknown.iter().copied());
    }
    finish(builder, key);
}

/// What cannot be built leaves the buffer empty, and nothing is sent.
fn finish(mut builder: Builder<'_>, key: &IntegrityKey) {
    builder.message_integrity(key).fingerprint();
    if let Err(error) = builder.finish() {
        log::debug!("a message of ours cannot be written: {error}");
    }
}
