//! Descriptions recorded from browsers: each is read, and printed back to the same lines.
#![expect(clippy::unwrap_used, reason = "functions that read the test data")]

use std::{fs, path::PathBuf};

use oxirtc_sdp::{Attribute, Candidate, CandidateKind, RidDirection, Session, Setup, Transport};

fn recorded() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn one(name: &str) -> Session {
    let (_, text) = recorded()
        .into_iter()
        .find(|(file, _)| file.contains(name))
        .unwrap();
    Session::parse(&text).unwrap()
}

/// Every recorded description is read and printed back to the same lines, whatever ends them.
#[test]
fn prints_back_the_same_lines() {
    let files = recorded();
    assert!(files.len() >= 20);
    for (name, text) in &files {
        for text in [
            text.clone(),
            text.replace("\r\n", "\n"),
            text.trim_end().to_owned(),
        ] {
            let session = Session::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            let printed = session.to_string();
            assert!(printed.lines().eq(text.lines()), "{name}");
            assert!(printed.ends_with("\r\n"));
            assert_eq!(session.as_str(), text);
        }
    }
}

/// What is typed prints to an equal value; for what browsers send, to the very same text.
#[test]
fn typed_values_print_canonically() {
    let mut others = Vec::new();
    for (name, text) in recorded() {
        let session = Session::parse(&text).unwrap();
        for line in &session {
            let Some(attribute) = line.attribute() else {
                continue;
            };
            let printed = attribute.to_string();
            assert_eq!(
                Attribute::parse(&printed).as_ref(),
                Ok(&attribute),
                "{name} {line:?}"
            );
            let lenient = ["msid-semantic", "candidate", "max-message-size"];
            if !lenient.contains(&attribute.name()) {
                assert_eq!(printed, line.value, "{name}");
            }
            if let Attribute::Other { name, .. } = attribute {
                others.push(name.to_owned());
            }
        }
    }
    others.sort();
    others.dedup();
    assert_eq!(
        others,
        ["rtcp-xr"],
        "everything else that browsers send is typed"
    );
}

/// A data-only offer of each browser, as the views see it.
#[test]
fn data_offers() {
    for (name, message_size, candidates) in [
        ("chromium-156.0.8078.79.offer-data", 262_144, 8),
        ("firefox-esr-153.7.0.offer-data", 1_073_741_823, 4),
    ] {
        let session = one(name);
        let header = session.header();
        let group = header.groups().next().unwrap();
        assert_eq!(group.semantics, "BUNDLE");
        assert!(group.mids().eq(["0"]));
        let media = session.media_at(0).unwrap();
        assert!(session.media_at(1).is_none());
        assert_eq!(media.media(), "application");
        assert_eq!(media.protocol(), "UDP/DTLS/SCTP");
        assert!(media.formats().eq(["webrtc-datachannel"]));
        assert_eq!(media.mid(), Some("0"));
        assert_eq!(media.setup(), Some(Setup::ActPass));
        assert_eq!(media.sctp_port(), Some(5000));
        assert_eq!(media.max_message_size(), Some(message_size));
        assert!(media.has_ice_option("trickle") || header.has_ice_option("trickle"));
        let fingerprint = media
            .fingerprints()
            .chain(header.fingerprints())
            .next()
            .unwrap();
        assert_eq!(fingerprint.bytes().count(), 32);
        assert_eq!(media.candidates().count(), candidates);
        assert!(
            media
                .candidates()
                .all(|it| it.component == 1 && it.kind == CandidateKind::Host)
        );
    }
}

/// Simulcast of Chromium and Firefox: three layers, best last, as both browsers list them.
#[test]
fn simulcast_offers() {
    for name in [
        "chromium-156.0.8078.79.offer-simulcast",
        "firefox-esr-153.7.0.offer-simulcast",
    ] {
        let session = one(name);
        let media = session.media().find(|it| it.has("simulcast")).unwrap();
        let rids: Vec<_> = media
            .attributes()
            .filter_map(|it| match it {
                Attribute::Rid(rid) => Some(rid.id.to_owned()),
                _ => None,
            })
            .collect();
        let Some(Attribute::Simulcast(simulcast)) =
            media.attributes().find(|it| it.name() == "simulcast")
        else {
            panic!("{name}: no simulcast")
        };
        let streams: Vec<_> = simulcast
            .streams(RidDirection::Send)
            .map(|alternatives| {
                alternatives
                    .map(|it| it.id.to_owned())
                    .collect::<Vec<_>>()
                    .join(",")
            })
            .collect();
        assert_eq!(streams, rids, "{name}");
        assert_eq!(simulcast.streams(RidDirection::Recv).count(), 0);
    }
}

/// Transports are written in any case, active TCP candidates have port 9.
#[test]
fn candidates_of_browsers() {
    for (name, text) in recorded() {
        let session = Session::parse(&text).unwrap();
        for media in session.media() {
            for candidate in media.candidates() {
                let tcp = candidate.transport == Transport::Tcp;
                assert_eq!(tcp, candidate.tcp_type.is_some(), "{name}");
                assert_eq!(tcp, candidate.port == 9, "{name}");
                assert_eq!(
                    Candidate::parse(&candidate.to_string()),
                    Ok(candidate),
                    "{name}"
                );
            }
        }
    }
}
