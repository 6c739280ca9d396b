//! Whole handshakes of both ends, and records of 1200 bytes.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark may panic and reads a clock"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant, SystemTime},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oxirtc_dtls::{
    Certificate, CipherSuite, Config, Connection, Group, HashAlgorithm, KeyType, Role, Version,
};

fn pair(configs: [&Config; 2]) -> [Connection; 2] {
    let now = Instant::now();
    let [mut client, mut server] =
        configs.map(|config| Connection::new(config.clone(), [7; 32], now));
    let expect = |config: &Config| {
        config
            .certificate()
            .fingerprint(&HashAlgorithm::Sha256)
            .unwrap()
    };
    client.set_remote_fingerprints(now, &[expect(configs[1])], &mut |_| {});
    server.set_remote_fingerprints(now, &[expect(configs[0])], &mut |_| {});
    client.set_role(now, Role::Client).unwrap();
    client.start(now);
    let mut datagram = Vec::with_capacity(2048);
    while !(client.is_connected() && server.is_connected()) {
        while client.poll_transmit(now, 1200, &mut datagram) {
            server.handle_datagram(now, &mut datagram, &mut |_| {});
            datagram.clear();
        }
        while server.poll_transmit(now, 1200, &mut datagram) {
            client.handle_datagram(now, &mut datagram, &mut |_| {});
            datagram.clear();
        }
    }
    [client, server]
}

fn config(key_type: KeyType) -> Config {
    let certificate =
        Certificate::generate(key_type, SystemTime::now(), Duration::from_secs(86_400));
    Config::new(certificate.unwrap())
}

fn handshakes(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake");
    let (client, server) = (config(KeyType::EcdsaP256), config(KeyType::EcdsaP256));
    let rsa = config(KeyType::Rsa2048);
    for version in [Version::Dtls13, Version::Dtls12] {
        for curve in Group::ALL {
            if version == Version::Dtls12 && curve == Group::X25519MlKem768 {
                continue;
            }
            let client = client.clone().versions(&[version]);
            let server = server.clone().versions(&[version]).groups(&[curve]);
            let name = format!("{version} ecdsa {curve}");
            group.bench_function(name, |b| b.iter(|| pair([&client, &server])));
        }
    }
    group.bench_function("rsa x25519", |b| b.iter(|| pair([&rsa, &rsa])));
    group.finish();
}

fn records(c: &mut Criterion) {
    let mut group = c.benchmark_group("record 1200");
    group.throughput(Throughput::Bytes(1200));
    for suite in [
        CipherSuite::Aes128Gcm,
        CipherSuite::Aes256Gcm,
        CipherSuite::ChaCha20Poly1305,
        CipherSuite::EcdheEcdsaAes128Gcm,
        CipherSuite::EcdheEcdsaAes256Gcm,
        CipherSuite::EcdheEcdsaChaCha20Poly1305,
    ] {
        let server = config(KeyType::EcdsaP256).cipher_suites(&[suite]);
        let [mut client, mut server] = pair([&config(KeyType::EcdsaP256), &server]);
        let mut buf = Vec::with_capacity(1500);
        let fill = |buf: &mut Vec<u8>, headroom: usize| {
            buf.clear();
            buf.resize(headroom + 1200, 7);
        };
        group.bench_function(format!("seal {suite}"), |b| {
            b.iter(|| {
                fill(&mut buf, client.headroom());
                client.seal(&mut buf, 0).unwrap();
                black_box(&buf);
            });
        });
        let now = Instant::now();
        group.bench_function(format!("seal and open {suite}"), |b| {
            b.iter(|| {
                fill(&mut buf, client.headroom());
                client.seal(&mut buf, 0).unwrap();
                server.handle_datagram(now, &mut buf, &mut |payload| {
                    black_box(payload);
                });
            });
        });
    }
    group.finish();
}

criterion_group!(benches, handshakes, records);
criterion_main!(benches);
