//! What a description costs is in proportion to its length, whatever it says.

#[expect(dead_code, reason = "the other tests use all of it")]
#[path = "negotiation/support.rs"]
mod support;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use support::{Peer, equipped, offer_of};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// About as long as each description is.
const LENGTH: usize = 400 << 10;

/// An offer that is applied and answered allocates a small multiple of its length, all that is let go of again counted: no line is
/// copied for each section or format. The only test of this file, as the allocator counts for all.
#[test]
fn no_line_is_multiplied() {
    let mut found = Vec::new();
    for (name, offer) in offers() {
        let length = offer.len();
        let mut peer = Peer::with('b', equipped);
        let before = ALLOCATOR.stats();
        if peer.try_remote(offer_of(offer)).is_ok() {
            peer.local(None);
        }
        let after = ALLOCATOR.stats();
        let allocated = after.bytes_allocated - before.bytes_allocated;
        let freed = after.bytes_deallocated - before.bytes_deallocated;
        let held = allocated.saturating_sub(freed);
        println!("{name}: {length} bytes, {allocated} allocated, {held} held");
        if allocated > MOST_ALLOCATED * length || held > MOST_HELD * length {
            found.push(name);
        }
    }
    assert!(found.is_empty(), "{found:?}");
}

/// What each is called, and its text.
#[expect(clippy::too_many_lines, reason = "a table")]
fn offers() -> Vec<(&'static str, String)> {
    let formats: Vec<_> = (0..128).map(|it| it.to_string()).collect();
    let formats = formats.join(" ");
    let maps: String = (0..128)
        .map(|it| format!("a=rtpmap:{it} VP8/90000\r\n"))
        .collect();
    let video = |lines: &str| {
        offer(
            "",
            &[format!(
                "m=video 9 UDP/TLS/RTP/SAVPF {formats}\r\na=mid:v\r\n{maps}{lines}"
            )],
        )
    };
    let filled = |line: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for number in 0.. {
            if text.len() >= LENGTH {
                break;
            }
            text += &line(number);
        }
        text
    };
    let sections = |count: usize, lines: &dyn Fn(usize) -> String| -> Vec<String> {
        let section = |it| {
            format!(
                "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{it}\r\n{}",
                lines(it)
            )
        };
        (0..count).map(section).collect()
    };
    let many = |head: &str| offer(head, &sections(900, &|_| String::new()));
    let bundle: Vec<_> = (0..900).map(|it| it.to_string()).collect();
    let bundle = format!("a=group:BUNDLE {}\r\n", bundle.join(" "));
    let half = "x".repeat(LENGTH / 2);
    let crowded = (0..32).map(|it| format!("a=rtcp-fb:* x{it}\r\n"));
    let crowded: String = crowded.collect();
    let crowded = format!("{maps}{crowded}");
    let crowd = (0..100)
        .map(|it| format!("m=video 9 UDP/TLS/RTP/SAVPF {formats}\r\na=mid:{it}\r\n{crowded}"));
    vec![
        (
            "feedback of all",
            video(&filled(&|it| format!("a=rtcp-fb:* x{it}\r\n"))),
        ),
        (
            "one feedback of all",
            video(&filled(&|_| "a=rtcp-fb:* nack pli\r\n".to_owned())),
        ),
        (
            "a long feedback of all",
            video(&format!("a=rtcp-fb:* x {half}\r\n")),
        ),
        (
            "feedback of one",
            video(&filled(&|it| format!("a=rtcp-fb:96 x{it}\r\n"))),
        ),
        (
            "formats with feedback",
            offer("", &crowd.collect::<Vec<_>>()),
        ),
        (
            "parameters",
            video(&filled(&|it| format!("a=fmtp:{} x={it}\r\n", it % 128))),
        ),
        (
            "maps",
            video(&filled(&|it| {
                format!("a=rtpmap:{} x{it}/8000\r\n", it % 128)
            })),
        ),
        (
            "extensions",
            video(&filled(&|it| {
                format!("a=extmap:{} urn:{it}\r\n", it % 255 + 1)
            })),
        ),
        (
            "rids",
            video(&filled(&|it| format!("a=rid:r{it} send pt=96\r\n"))),
        ),
        (
            "sources",
            video(&filled(&|it| format!("a=ssrc:{it} msid:s{it} t\r\n"))),
        ),
        (
            "groups of sources",
            video(&filled(&|it| format!("a=ssrc-group:FID {it} {it}\r\n"))),
        ),
        ("streams", video(&filled(&|it| format!("a=msid:s{it}\r\n")))),
        (
            "candidates",
            video(&filled(&|it| {
                format!(
                    "a=candidate:{it} 1 udp 1 192.0.2.1 {} typ host\r\n",
                    it % 65_000 + 1
                )
            })),
        ),
        (
            "formats of one figure",
            offer(
                "",
                &[format!(
                    "m=video 9 UDP/TLS/RTP/SAVPF {}\r\na=mid:v\r\n",
                    "0 ".repeat(LENGTH / 2).trim_end(),
                )],
            ),
        ),
        (
            "fingerprints of all",
            many(&filled(&|it| format!("a=fingerprint:x{it} 00\r\n"))),
        ),
        (
            "a long fingerprint of all",
            many(&format!(
                "a=fingerprint:x {}00\r\n",
                "00:".repeat(LENGTH / 3),
            )),
        ),
        (
            "a long name of a fingerprint",
            many(&format!("a=fingerprint:{half} 00\r\n")),
        ),
        ("options of all", many(&format!("a=ice-options:{half}\r\n"))),
        (
            "sections in a bundle",
            offer(
                &bundle,
                &sections(900, &|it| {
                    (0..20)
                        .map(|at| format!("a=extmap:{} urn:{it}:{at}\r\n", at + 1))
                        .collect()
                }),
            ),
        ),
        (
            "candidates in a bundle",
            offer(
                &bundle,
                &sections(900, &|it| {
                    (1..8)
                        .map(|at| format!("a=candidate:{it} 1 udp 1 192.0.2.1 {at} typ host\r\n"))
                        .collect()
                }),
            ),
        ),
        (
            "sections alone",
            offer("", &sections(1000, &|_| String::new())),
        ),
    ]
}

/// An offer of these sections, with what each needs said once for all.
fn offer(head: &str, sections: &[String]) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-1 {}00\r\na=setup:actpass\r\na=rtcp-mux\r\n{head}{}",
        "00:".repeat(19),
        sections.concat(),
    )
}

const MOST_ALLOCATED: usize = 150;
const MOST_HELD: usize = 64;
