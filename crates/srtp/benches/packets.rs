//! What protecting and opening a packet of 1200 and of 160 bytes costs, by profile.
#![expect(clippy::unwrap_used, reason = "the packets are the bench's own")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use oxirtc_srtp::{Config, Context, Profile, Role};

fn packet(buf: &mut Vec<u8>, number: u16, len: usize) {
    buf.clear();
    buf.extend_from_slice(&[0x80, 96]);
    buf.extend_from_slice(&number.to_be_bytes());
    buf.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 2]);
    buf.resize(len, 5);
}

fn packets(criterion: &mut Criterion) {
    for profile in Profile::ALL {
        let material = vec![3; profile.material_len()];
        let context = |role| Context::new(Config::new(profile), &material, role).unwrap();
        let mut group = criterion.benchmark_group(profile.name());
        for len in [160, 1200] {
            group.throughput(Throughput::Bytes(len as u64));
            let (mut client, mut number, mut buf) = (context(Role::Client), 0_u16, vec![]);
            group.bench_function(format!("protect {len}"), |bencher| {
                bencher.iter(|| {
                    packet(&mut buf, number, len);
                    number = number.wrapping_add(1);
                    client.protect_rtp(black_box(&mut buf), 0).unwrap();
                });
            });
            let (mut client, mut server) = (context(Role::Client), context(Role::Server));
            let mut number = 0_u16;
            group.bench_function(format!("unprotect {len}"), |bencher| {
                bencher.iter_batched_ref(
                    || {
                        let mut buf = Vec::with_capacity(1300);
                        packet(&mut buf, number, len);
                        number = number.wrapping_add(1);
                        client.protect_rtp(&mut buf, 0).unwrap();
                        buf
                    },
                    |buf| {
                        server.unprotect_rtp(black_box(buf)).unwrap();
                    },
                    BatchSize::NumIterations(500),
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, packets);
criterion_main!(benches);
