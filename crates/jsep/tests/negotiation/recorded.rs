//! Offers and answers recorded from browsers.

use oxirtc_jsep::{
    Change, DtlsRole, Sctp,
    sdp::{Direction, Session},
};

use crate::support::{Peer, answer_of, offer_of, recorded};

/// Offers with data channels alone are answered in full.
#[test]
fn data_offers() {
    let files = [recorded("offer-data"), recorded("pair-data.offer")].concat();
    assert_eq!(files.len(), 4);
    for (name, offer) in files {
        let mut peer = Peer::new('b');
        let changes = peer.remote(offer_of(offer.clone()));
        assert!(
            matches!(changes[0], Change::TransportAdded { .. }),
            "{name}"
        );
        let changes = peer.local(None);
        let count = |wanted: fn(&Change) -> bool| changes.iter().filter(|it| wanted(it)).count();
        let candidates = offer.matches("a=candidate").count();
        assert_eq!(
            count(|it| matches!(it, Change::RemoteCandidate { .. })),
            candidates,
            "{name}"
        );
        let complete = usize::from(name.contains("firefox"));
        assert_eq!(
            count(|it| matches!(it, Change::RemoteEndOfCandidates { .. })),
            complete,
            "{name}"
        );
        let size = if complete == 1 {
            1_073_741_823
        } else {
            262_144
        };
        assert_eq!(
            count(
                |it| matches!(it, Change::Dtls { role: DtlsRole::Client, fingerprints, .. } if fingerprints[0].value.len() == 32)
            ),
            1
        );
        assert!(changes.iter().any(|it| matches!(it,
            Change::Sctp(Sctp::Negotiated { max_message_size, .. }) if *max_message_size == size)));
        assert_eq!(peer.negotiator.can_trickle_ice_candidates(), Some(true));
        let answer = peer.negotiator.local_description().expect("an answer").sdp;
        let session = Session::parse(&answer).expect("a description");
        let media = session.media_at(0).expect("a section");
        assert!(!media.is_rejected() && media.mid() == Some("0") && media.ice_ufrag().is_some());
    }
}

/// Offers with media: audio and video are rejected in place, data channels accepted. The section that has
/// the address of the group stays in it as inactive, with one of the formats that were offered.
#[test]
fn media_offers() {
    let mut standing = 0;
    for (name, offer) in [recorded("offer-"), recorded("pair-av.offer")].concat() {
        let mut peer = Peer::new('b');
        peer.remote(offer_of(offer.clone()));
        let changes = peer.local(None);
        let answer = peer.negotiator.local_description().expect("an answer").sdp;
        let (offered, answered) = (Session::parse(&offer), Session::parse(&answer));
        let (offered, answered) = (offered.expect("recorded"), answered.expect("ours"));
        assert_eq!(offered.media_count(), answered.media_count(), "{name}");
        let data = offered.media().find(|it| it.media() == "application");
        let data = data.and_then(|it| it.mid());
        let group = offered.header().groups().next().expect("a group");
        let tag = group.mids().next().filter(|_| data.is_some());
        let mut accepted = Vec::new();
        for (theirs, ours) in offered.media().zip(answered.media()) {
            assert_eq!(theirs.media(), ours.media());
            assert_eq!(theirs.protocol(), ours.protocol());
            assert_eq!(theirs.mid(), ours.mid());
            let lives = ours.mid() == data || ours.mid() == tag;
            assert_eq!(!ours.is_rejected(), lives, "{name}");
            accepted.extend(ours.mid().filter(|_| lives));
            let stands = lives && ours.mid() != data;
            if stands {
                standing += 1;
                assert_eq!(ours.direction(), Some(Direction::Inactive));
                assert!(ours.has("rtcp-mux"));
                let format = ours.formats().collect::<Vec<_>>();
                assert_eq!(format.len(), 1);
                assert!(theirs.formats().any(|it| it == format[0]));
                assert!(theirs.rtp_maps().any(|it| ours.rtp_maps().eq([it])));
            } else {
                assert!(theirs.formats().eq(ours.formats()), "{name}");
            }
            // RFC 9143 §7.1.3: the address stands once
            assert_eq!(
                ours.ice_ufrag().is_some(),
                lives && ours.mid() == tag,
                "{name}"
            );
        }
        let groups: Vec<_> = answered
            .header()
            .groups()
            .flat_map(|group| group.mids())
            .collect();
        assert_eq!(groups, accepted, "{name}");
        let transports = usize::from(data.is_some());
        assert_eq!(peer.negotiator.transports().count(), transports, "{name}");
        let sctp = changes
            .iter()
            .filter(|it| matches!(it, Change::Sctp(Sctp::Negotiated { .. })))
            .count();
        assert_eq!(sctp, transports);
        // and once more, from our side: all sections keep their places and what they are
        let again = Session::parse(&peer.offer().sdp).expect("an offer");
        assert_eq!(again.media_count(), offered.media_count());
        assert!(again.media().zip(answered.media()).all(|(again, before)| {
            again.is_rejected() == before.is_rejected()
                && again.direction() == before.direction()
                && again.ice_ufrag() == before.ice_ufrag()
        }));
    }
    assert!(standing >= 4);
}

/// The candidates of all sections that have the generation in force are told, those of the sections that
/// live first: peers write them into the first section alone, whichever it is.
#[test]
fn candidates_of_every_section() {
    for (name, offer) in recorded("offer-av-data") {
        let mut peer = Peer::new('b');
        peer.remote(offer_of(offer.clone()));
        let told = peer.local(None);
        let session = Session::parse(&offer).expect("recorded");
        let same: Vec<_> = session.media().map(|it| it.ice_ufrag()).collect();
        assert!(same.iter().all(|it| *it == same[0]), "{name}");
        let ports = |wanted: bool| {
            let lives = |index: usize| index == 0 || index + 1 == session.media_count();
            let of = session.media().enumerate();
            of.filter(move |(index, _)| lives(*index) == wanted)
                .flat_map(|(_, it)| {
                    it.candidates()
                        .filter(|it| it.component == 1)
                        .collect::<Vec<_>>()
                })
        };
        // those of TCP stand in all sections alike, and are told once
        let mut seen = std::collections::HashSet::new();
        let wanted = ports(true).chain(ports(false));
        let wanted = wanted.filter(|it| seen.insert(it.clone()));
        let wanted: Vec<_> = wanted.map(|it| it.port).collect();
        let told: Vec<_> = told
            .iter()
            .filter_map(|it| match it {
                Change::RemoteCandidate { candidate, .. } => Some(candidate.port),
                _ => None,
            })
            .collect();
        assert_eq!(told, wanted, "{name}");
    }
}

/// Chromium with max-bundle: the candidates stand in the first section alone, and are trickled for it.
/// They are for the section that lives, also where the first cannot stay; so is their end.
#[test]
fn candidates_of_the_first_section() {
    let offer = &recorded("offer-recvonly-av-maxbundle")[0].1;
    let session = Session::parse(offer).expect("recorded");
    let first = session.media_at(0).expect("a section");
    assert!(
        session
            .media()
            .skip(1)
            .all(|it| it.candidates().count() == 0)
    );
    let (ufrag, pwd) = (
        first.ice_ufrag().expect("one"),
        first.ice_pwd().expect("one"),
    );
    let fingerprint = session
        .media()
        .flat_map(|it| it.fingerprints())
        .chain(session.header().fingerprints())
        .next()
        .expect("one");
    let data = format!(
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:d\r\n\
         a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\na=fingerprint:{fingerprint}\r\n\
         a=setup:actpass\r\na=sctp-port:5000\r\n"
    );
    let group = offer.lines().find(|it| it.starts_with("a=group:BUNDLE"));
    let group = group.expect("a group");
    let offer = format!("{}{data}", offer.replace(group, &format!("{group} d")));
    for (stays, offer) in [
        (true, offer.clone()),
        // a format that means nothing without its map
        (false, without_maps_of_the_first(&offer)),
    ] {
        let mut peer = Peer::new('b');
        peer.remote(offer_of(offer));
        let changes = peer.local(None);
        let answer = peer.negotiator.local_description().expect("an answer").sdp;
        assert_eq!(!answer.contains("m=audio 0"), stays, "{answer}");
        let told = changes
            .iter()
            .filter(|it| matches!(it, Change::RemoteCandidate { .. }))
            .count();
        assert_eq!(told, first.candidates().count());
        let mid = first.mid();
        let init = |candidate| oxirtc_jsep::CandidateInit {
            candidate,
            sdp_mid: mid,
            username_fragment: Some(ufrag),
            ..Default::default()
        };
        let late = init("candidate:77 1 udp 1 192.0.2.77 7 typ host");
        let told = peer.negotiator.add_ice_candidate(late).expect("one");
        assert!(
            matches!(told[..], [Change::RemoteCandidate { .. }]),
            "{told:?}"
        );
        let end = peer
            .negotiator
            .add_ice_candidate(init(""))
            .expect("the end");
        assert!(
            matches!(end[..], [Change::RemoteEndOfCandidates { .. }]),
            "{end:?}"
        );
    }
}

/// The first section with one dynamic format of which nothing is said.
fn without_maps_of_the_first(offer: &str) -> String {
    let mut sections: Vec<_> = offer.split("m=").map(str::to_owned).collect();
    let kept = |line: &&str| !line.starts_with("a=rtpmap") && !line.starts_with("a=fmtp");
    let (line, rest) = sections[1].split_once("\r\n").expect("a line");
    let head: Vec<_> = line.split(' ').take(3).collect();
    let rest: Vec<_> = rest.lines().filter(kept).collect();
    sections[1] = format!("{} 126\r\n{}\r\n", head.join(" "), rest.join("\r\n"));
    sections.join("m=")
}

/// A bundle-only section lives on the address of the tagged one, which stays for it.
#[test]
fn bundle_only() {
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:x\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\n\
                 a=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:x 00\r\na=setup:actpass\r\n\
                 a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n";
    let data = "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:y\r\na=bundle-only\r\n\
                a=sctp-port:5000\r\n";
    let head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
    for group in ["x y", "y x"] {
        bundle_only_in(&format!("{head}a=group:BUNDLE {group}\r\n{audio}{data}"));
    }
}

fn bundle_only_in(offer: &str) {
    let mut peer = Peer::new('b');
    peer.remote(offer_of(offer));
    let changes = peer.local(None);
    assert!(changes.iter().any(|it| matches!(it,
        Change::RemoteIce { credentials, .. } if credentials.ufrag == "abcd")));
    assert!(
        changes
            .iter()
            .any(|it| matches!(it, Change::RemoteCandidate { .. }))
    );
    let answer = peer.negotiator.local_description().expect("an answer").sdp;
    assert!(answer.contains("a=group:BUNDLE x y\r\n") && answer.contains("m=application 9 "));
    let (_, sections) = answer.split_once("m=").expect("sections");
    assert_eq!(sections.matches("a=ice-ufrag").count(), 1);
    // candidates that the peer sends for its address are ours
    let init = oxirtc_jsep::CandidateInit {
        candidate: "candidate:1 1 udp 1 192.0.2.1 2 typ host",
        sdp_mid: Some("x"),
        ..Default::default()
    };
    assert_eq!(
        peer.negotiator.add_ice_candidate(init).map(|it| it.len()),
        Ok(1)
    );
}

/// Answers of browsers to an offer of our shape.
#[test]
fn data_answers() {
    for (name, answer) in recorded("pair-data.answer") {
        let mut peer = Peer::with_channel('a');
        peer.local(None);
        let changes = peer.remote(answer_of(answer.clone()));
        let count = |wanted: fn(&Change) -> bool| changes.iter().filter(|it| wanted(it)).count();
        assert_eq!(
            count(|it| matches!(it, Change::RemoteCandidate { .. })),
            answer.matches("a=candidate").count(),
            "{name}"
        );
        assert_eq!(
            count(|it| matches!(it, Change::RemoteIce { lite: false, .. })),
            1,
            "{name}"
        );
        assert_eq!(
            count(|it| matches!(
                it,
                Change::Dtls {
                    role: DtlsRole::Server,
                    ..
                }
            )),
            1,
            "{name}"
        );
        assert_eq!(
            count(|it| matches!(it, Change::Sctp(Sctp::Negotiated { .. }))),
            1,
            "{name}"
        );
        assert!(!peer.negotiator.negotiation_needed());
    }
}
