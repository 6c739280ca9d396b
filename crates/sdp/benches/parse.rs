//! Reading browsers' offers, and the largest text that a peer may try.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oxirtc_sdp::{Candidate, Session};

const CHROMIUM: &str = include_str!("../tests/recorded/chromium-156.0.8078.79.offer-av-data.sdp");
const FIREFOX: &str = include_str!("../tests/recorded/firefox-esr-153.7.0.offer-av-data.sdp");
const CANDIDATE: &str = "candidate:4214087238 1 udp 2122194687 192.0.2.1 56322 typ host generation 0 \
                         ufrag GXiG network-id 1 network-cost 50";

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let section = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:x\na=setup:actpass\n";
    let candidates = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host generation 0\n".repeat(17);
    let large = format!(
        "v=0\no=- 1 1 IN IP4 a\ns=-\nt=0 0\n{}",
        format!("{section}{candidates}").repeat(1000)
    );
    for (name, text) in [
        ("chromium offer", CHROMIUM),
        ("firefox offer", FIREFOX),
        ("1 MB, 1000 sections", &large),
    ] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| Session::parse(std::hint::black_box(text)))
        });
    }
    group.finish();
    criterion.bench_function("candidate", |bencher| {
        bencher.iter(|| Candidate::parse(std::hint::black_box(CANDIDATE)));
    });
}

criterion_group!(benches, parse);
criterion_main!(benches);
