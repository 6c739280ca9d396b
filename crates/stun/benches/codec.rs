//! What demultiplexing, parsing, verifying and building a check of ICE cost.
#![expect(clippy::unwrap_used, reason = "the message is the bench's own")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use oxirtc_stun::{
    Attribute, Builder, Class, IntegrityKey, Message, Method, TransactionId, is_stun,
};

fn build(buf: &mut Vec<u8>, key: &IntegrityKey) {
    Builder::new(
        buf,
        Class::Request,
        Method::BINDING,
        TransactionId::new([7; 12]),
    )
    .add(Attribute::Username("abcdefgh:ijklmnop"))
    .add(Attribute::Priority(1_845_494_271))
    .add(Attribute::IceControlling(0x0123_4567_89ab_cdef))
    .add(Attribute::UseCandidate)
    .message_integrity(key)
    .fingerprint()
    .finish()
    .unwrap();
}

fn codec(criterion: &mut Criterion) {
    let key = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt").unwrap();
    let mut datagram = Vec::new();
    build(&mut datagram, &key);
    let message = Message::parse(&datagram).unwrap();

    criterion.bench_function("is_stun", |bencher| {
        bencher.iter(|| is_stun(black_box(&datagram)))
    });
    criterion.bench_function("parse", |bencher| {
        bencher.iter(|| Message::parse(black_box(&datagram)))
    });
    criterion.bench_function("parse and read", |bencher| {
        bencher.iter(|| {
            let message = Message::parse(black_box(&datagram)).unwrap();
            (
                message.username(),
                message.priority(),
                message.use_candidate(),
                message.ice_controlling(),
            )
        });
    });
    criterion.bench_function("verify integrity", |bencher| {
        bencher.iter(|| black_box(&message).verify_message_integrity(&key));
    });
    criterion.bench_function("verify fingerprint", |bencher| {
        bencher.iter(|| black_box(&message).verify_fingerprint());
    });
    criterion.bench_function("build", |bencher| {
        let mut buf = Vec::with_capacity(256);
        bencher.iter(|| {
            buf.clear();
            build(&mut buf, black_box(&key));
            buf.len()
        });
    });
}

criterion_group!(benches, codec);
criterion_main!(benches);
