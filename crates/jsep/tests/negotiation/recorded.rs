//! Offers and answers recorded from browsers.

use oxirtc_jsep::{Change, DtlsRole, Sctp, sdp::Session};

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

/// Offers with media: audio and video are rejected in place, data channels accepted and in the
/// group alone.
#[test]
fn media_offers() {
    let mut with_data = 0;
    for (name, offer) in [recorded("offer-"), recorded("pair-av.offer")].concat() {
        let mut peer = Peer::new('b');
        peer.remote(offer_of(offer.clone()));
        let changes = peer.local(None);
        let answer = peer.negotiator.local_description().expect("an answer").sdp;
        let (offered, answered) = (Session::parse(&offer), Session::parse(&answer));
        let (offered, answered) = (offered.expect("recorded"), answered.expect("ours"));
        assert_eq!(offered.media_count(), answered.media_count(), "{name}");
        let mut accepted = Vec::new();
        for (theirs, ours) in offered.media().zip(answered.media()) {
            assert_eq!(theirs.media(), ours.media());
            assert_eq!(theirs.protocol(), ours.protocol());
            assert_eq!(theirs.mid(), ours.mid());
            assert!(theirs.formats().eq(ours.formats()), "{name}");
            assert_eq!(ours.is_rejected(), ours.media() != "application", "{name}");
            accepted.extend(ours.mid().filter(|_| !ours.is_rejected()));
        }
        let groups: Vec<_> = answered
            .header()
            .groups()
            .flat_map(|group| group.mids())
            .collect();
        assert_eq!(groups, accepted, "{name}");
        with_data += accepted.len();
        assert_eq!(
            peer.negotiator.transports().count(),
            accepted.len(),
            "{name}"
        );
        let sctp = changes
            .iter()
            .any(|it| matches!(it, Change::Sctp(Sctp::Negotiated { .. })));
        assert_eq!(sctp, !accepted.is_empty());
        // and once more, from our side: rejected sections keep their places
        let again = Session::parse(&peer.offer().sdp).expect("an offer");
        assert_eq!(again.media_count(), offered.media_count());
    }
    assert!(with_data >= 4);
}

/// With a bundle of which the tagged section is rejected, the candidates of our section count, not
/// those of the others, though all have the same credentials.
#[test]
fn candidates_of_the_accepted_section() {
    for (name, offer) in recorded("offer-av-data") {
        let mut peer = Peer::new('b');
        peer.remote(offer_of(offer.clone()));
        let told = peer.local(None);
        let session = Session::parse(&offer).expect("recorded");
        let data = session
            .media()
            .find(|it| it.media() == "application")
            .expect("data");
        let ports: Vec<_> = data.candidates().map(|it| it.port).collect();
        let told: Vec<_> = told
            .iter()
            .filter_map(|it| match it {
                Change::RemoteCandidate { candidate, .. } => Some(candidate.port),
                _ => None,
            })
            .collect();
        assert_eq!(told, ports, "{name}");
    }
}

/// A bundle-only section whose tagged section we reject lives on the tagged one's address.
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
    assert!(answer.contains("a=group:BUNDLE y\r\n") && answer.contains("m=application 9 "));
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
