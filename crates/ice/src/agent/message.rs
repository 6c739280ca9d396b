//! The messages that the agent writes.

use std::net::SocketAddr;

use byteorder::{BigEndian, ByteOrder};
use oxirtc_stun::{
    Attribute, AttributeType, Builder, Class, ErrorCode, IntegrityKey, Message, Method,
    RawAttribute,
};

use crate::pair::Request;

/// RFC 8445 §7.1 and §7.2.4: a connectivity check.
pub(super) fn write_check(
    buf: &mut Vec<u8>,
    request: &Request,
    (controlling, tie_breaker, cost): (bool, u64, u16),
    username: &str,
    key: &IntegrityKey,
) {
    let mut builder = Builder::new(buf, Class::Request, Method::BINDING, request.id);
    builder
        .add(Attribute::Username(username))
        .add(Attribute::Priority(request.priority))
        .add(if controlling {
            Attribute::IceControlling(tie_breaker)
        } else {
            Attribute::IceControlled(tie_breaker)
        });
    if let Some(value) = request.nominates {
        builder.add(Attribute::UseCandidate);
        if value > 0 {
            let mut number = [0; 4];
            BigEndian::write_u32(&mut number, value);
            builder.add(Attribute::Other(RawAttribute {
                kind: NOMINATION,
                value: &number,
            }));
        }
    }
    if cost > 0 {
        let mut network = [0; 4];
        BigEndian::write_u32(&mut network, u32::from(cost));
        builder.add(Attribute::Other(RawAttribute {
            kind: NETWORK_INFO,
            value: &network,
        }));
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

/// Whether a request nominates, and with which number; 0 for none.
pub(super) fn nomination(request: &Message<'_>) -> Option<u32> {
    let number = [NOMINATION, DRAFT_NOMINATION]
        .into_iter()
        .find_map(|kind| <[u8; 4]>::try_from(request.get(kind)?.value).ok());
    let number = number
        .map(|it| BigEndian::read_u32(&it))
        .filter(|number| *number > 0);
    number.or_else(|| request.use_candidate().then_some(0))
}

/// What ICE understands beside the attributes of STUN.
pub(super) fn is_understood(kind: AttributeType) -> bool {
    kind.is_known() || kind == DRAFT_NOMINATION
}

/// What sending costs at the peer's end, as its check says; 0 when it does not.
pub(super) fn network_cost(request: &Message<'_>) -> u16 {
    let value = request.get(NETWORK_INFO).map(|it| it.value);
    // The upper half is a number for the network, which nothing is made of.
    match value {
        Some([_, _, cost @ ..]) if cost.len() == 2 => BigEndian::read_u16(cost),
        _ => 0,
    }
}

/// What cannot be built leaves the buffer empty: nothing is sent, and the queue counts it.
fn finish(mut builder: Builder<'_>, key: &IntegrityKey) {
    builder.message_integrity(key).fingerprint();
    builder.finish().ok();
}

/// draft-thatcher-ice-renomination: NOMINATION, as libwebrtc numbers it.
const NOMINATION: AttributeType = AttributeType(0xc001);
/// What libwebrtc says of a network in its checks: 16 bits that name it, 16 bits of its cost.
const NETWORK_INFO: AttributeType = AttributeType(0xc057);
/// The same attribute, as the draft numbers it.
const DRAFT_NOMINATION: AttributeType = AttributeType(0x0030);
