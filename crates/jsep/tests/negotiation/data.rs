//! What stands in offers and answers for data channels, and what follows from them.

use oxirtc_jsep::{
    BundlePolicy, Change, Description, DtlsRole, Error, Fingerprint, IceRole, Negotiator, Sctp,
    SdpType, SignalingState, TransportId,
};

use crate::support::{Peer, answer_of, connected, exchange, offer_of};

/// The changes of one exchange without the transport's id, which is the same in all.
fn only_transport(changes: &[Change]) -> TransportId {
    match changes.first() {
        Some(Change::TransportAdded { transport, .. }) => *transport,
        other => panic!("{other:?}"),
    }
}

fn fingerprint(name: char) -> Vec<Fingerprint> {
    vec![Fingerprint {
        algorithm: "sha-256".to_owned(),
        value: vec![name as u8; 32],
    }]
}

/// [4.4.2-10] [4.4.2-12] The first offer, line by line.
#[test]
fn first_offer() {
    let mut peer = Peer::with_channel('a');
    let offer = peer.offer();
    assert_eq!(offer.kind, SdpType::Offer);
    let hash = vec!["61"; 32].join(":");
    let expected = format!(
        "v=0\r\no=- 97 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-options:trickle ice2\r\n\
         a=group:BUNDLE 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
         c=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:a0000001\r\n\
         a=ice-pwd:a00000000000000000000001\r\na=fingerprint:sha-256 {hash}\r\na=setup:actpass\r\n\
         a=sctp-port:5000\r\na=max-message-size:262144\r\n"
    );
    assert_eq!(offer.sdp, expected);
    assert_eq!(
        peer.negotiator.signaling_state(),
        SignalingState::Stable,
        "creating changes nothing"
    );
    assert!(peer.negotiator.local_description().is_none());
    // It is remembered, and can be applied.
    assert!(peer.try_local(offer).is_ok());
}

/// Without data channels an offer has no sections, and an answer to it none either.
#[test]
fn empty_offer() {
    let (mut a, mut b) = (Peer::new('a'), Peer::new('b'));
    let (ours, theirs) = exchange(&mut a, &mut b);
    for changes in [ours, theirs] {
        assert!(
            changes
                .iter()
                .all(|it| matches!(it, Change::SignalingState(_)))
        );
    }
    let description = a.negotiator.current_local_description().expect("an offer");
    assert!(!description.sdp.contains("m=") && !description.sdp.contains("BUNDLE"));
}

/// [4.4.2-22] [4.4.2-23] The answer: active, the same mid and group, credentials of its own.
#[test]
fn first_answer() {
    let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
    b.remote(a.offer());
    let answer = b.answer();
    assert_eq!(answer.kind, SdpType::Answer);
    for line in [
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=mid:0",
        "a=ice-ufrag:b0000001",
        "a=setup:active",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
    ] {
        assert!(answer.sdp.lines().any(|it| it == line), "{line}");
    }
}

/// [4.4.1.6-20] [4.4.1.6-22] [4.4.1.6-27] All that follows from one exchange, in order, at both ends.
#[test]
fn one_exchange() {
    let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
    let (ours, theirs) = exchange(&mut a, &mut b);
    let transport = only_transport(&ours);
    let (local, remote) = (a.latest(), b.latest());
    let sctp = |role| {
        Change::Sctp(Sctp::Negotiated {
            transport,
            local_port: 5000,
            remote_port: 5000,
            max_message_size: 262_144,
            remote_init: None,
            role,
        })
    };
    let head = |role| {
        [
            Change::TransportAdded {
                transport,
                mid: "0".to_owned(),
            },
            Change::IceRole { transport, role },
        ]
    };
    let local_ice = |credentials| Change::LocalIce {
        transport,
        credentials,
        restored: false,
    };
    let remote_ice = |credentials| Change::RemoteIce {
        transport,
        credentials,
        lite: false,
        trickle: true,
        renomination: false,
    };
    let created = Change::Sctp(Sctp::Created { transport });
    let mut expected = head(IceRole::Controlling).to_vec();
    expected.extend([
        local_ice(local.clone()),
        created.clone(),
        Change::SignalingState(SignalingState::HaveLocalOffer),
        remote_ice(remote.clone()),
        Change::Dtls {
            transport,
            role: DtlsRole::Server,
            fingerprints: fingerprint('b'),
        },
        sctp(DtlsRole::Server),
        Change::SignalingState(SignalingState::Stable),
    ]);
    assert_eq!(ours, expected);
    let mut expected = head(IceRole::Controlled).to_vec();
    expected.extend([
        created,
        Change::SignalingState(SignalingState::HaveRemoteOffer),
        local_ice(remote),
        remote_ice(local),
        Change::Dtls {
            transport,
            role: DtlsRole::Client,
            fingerprints: fingerprint('a'),
        },
        sctp(DtlsRole::Client),
        Change::SignalingState(SignalingState::Stable),
    ]);
    assert_eq!(theirs, expected);
}

/// A second exchange changes nothing, in either direction; the roles of DTLS stay whoever offers.
#[test]
fn later_exchanges_change_nothing() {
    let (mut a, mut b) = connected();
    for _ in 0..3 {
        let (ours, theirs) = exchange(&mut a, &mut b);
        assert!(
            ours.iter()
                .chain(&theirs)
                .all(|it| matches!(it, Change::SignalingState(_)))
        );
        let (ours, theirs) = exchange(&mut b, &mut a);
        assert!(
            ours.iter()
                .chain(&theirs)
                .all(|it| matches!(it, Change::SignalingState(_)))
        );
        let answer = a.negotiator.current_local_description().expect("an answer");
        assert!(
            answer.sdp.contains("a=setup:passive"),
            "the server answers as the server"
        );
    }
}

/// [4.4.2-17] A later offer keeps sections and mids; the version of the session goes up.
#[test]
fn later_offers() {
    let (mut a, _) = connected();
    let first = a
        .negotiator
        .current_local_description()
        .expect("an offer")
        .sdp;
    let second = a.offer().sdp;
    assert_eq!(first.replacen("97 1 IN", "97 2 IN", 1), second);
    let third = a.offer().sdp;
    assert!(third.contains("o=- 97 3 IN"));
}

/// A pranswer does all that an answer does; the answer after it changes only what differs.
#[test]
fn provisional_answer() {
    let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
    a.local(None);
    b.remote(a.negotiator.local_description().expect("an offer"));
    let changes = b.local(Description::new(SdpType::Pranswer, ""));
    assert!(changes.iter().any(|it| matches!(it, Change::Dtls { .. })));
    assert!(
        changes
            .iter()
            .any(|it| matches!(it, Change::Sctp(Sctp::Negotiated { .. })))
    );
    let changes = a.remote(b.negotiator.local_description().expect("a pranswer"));
    assert!(
        changes
            .iter()
            .any(|it| matches!(it, Change::RemoteIce { .. }))
    );
    let last = [Change::SignalingState(SignalingState::Stable)];
    assert_eq!(b.local(None), last);
    assert_eq!(
        a.remote(b.negotiator.local_description().expect("an answer")),
        last
    );
}

/// The role that an offer takes is left to it.
#[test]
fn dtls_roles() {
    for (offered, answered, ours) in [
        ("active", "passive", DtlsRole::Server),
        ("passive", "active", DtlsRole::Client),
    ] {
        let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
        let sdp = a
            .offer()
            .sdp
            .replace("setup:actpass", &format!("setup:{offered}"));
        b.remote(offer_of(sdp));
        let changes = b.local(None);
        let answer = b.negotiator.local_description().expect("an answer").sdp;
        assert!(answer.contains(&format!("a=setup:{answered}\r\n")));
        let role = changes.iter().find_map(|it| match it {
            Change::Dtls { role, .. } => Some(*role),
            _ => None,
        });
        assert_eq!(role, Some(ours));
    }
    // an answer that says nothing is active
    let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
    a.local(None);
    b.remote(a.negotiator.local_description().expect("an offer"));
    let answer = b.answer().sdp.replace("a=setup:active\r\n", "");
    let changes = a.remote(answer_of(answer));
    assert!(changes.iter().any(|it| matches!(
        it,
        Change::Dtls {
            role: DtlsRole::Server,
            ..
        }
    )));
}

/// RFC 8842 §4: other fingerprints, another role or another tls-id are a new association.
#[test]
fn new_dtls_association() {
    let id = |id: &str| format!("a=tls-id:{id}\r\na=setup:actpass");
    let with_id = |sdp: String, name: &str| sdp.replace("a=setup:actpass", &id(name));
    let (first, second) = ("aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbb");
    for (edit, expected) in [
        (
            Box::new(move |sdp: String| with_id(sdp, first)) as Box<dyn Fn(String) -> String>,
            false,
        ),
        (Box::new(move |sdp: String| with_id(sdp, second)), true),
        (
            Box::new(|sdp: String| sdp.replace(":61:61", ":61:62")),
            true,
        ),
        (
            Box::new(|sdp: String| sdp.replace("actpass", "active")),
            true,
        ),
        (Box::new(|sdp: String| sdp), false),
    ] {
        let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
        b.remote(offer_of(with_id(a.offer().sdp, first)));
        b.local(None);
        let again = b.remote(offer_of(edit(
            a.offer()
                .sdp
                .replace("a0000002", "a0000001")
                .replace("a00000000000000000000002", "a00000000000000000000001"),
        )));
        assert_eq!(again.len(), 1, "an offer alone changes nothing: {again:?}");
        let changes = b.local(None);
        let dtls = changes.iter().any(|it| matches!(it, Change::Dtls { .. }));
        let sctp = changes
            .iter()
            .any(|it| matches!(it, Change::Sctp(Sctp::Negotiated { .. })));
        assert_eq!((dtls, sctp), (expected, expected), "{changes:?}");
    }
}

/// Firefox, the server of an association, answers our next offer with `active`, and goes on as server.
#[test]
fn an_answer_with_another_role_keeps_the_association() {
    let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
    a.local(None);
    b.remote(a.negotiator.local_description().expect("an offer"));
    let passive = b.answer().sdp.replace("setup:active", "setup:passive");
    let first = a.remote(answer_of(passive.clone()));
    let client = |changes: &[Change]| {
        changes.iter().any(|it| {
            matches!(
                it,
                Change::Dtls {
                    role: DtlsRole::Client,
                    ..
                }
            )
        })
    };
    assert!(client(&first), "{first:?}");
    a.local(None);
    let again = a.remote(answer_of(passive.replace("setup:passive", "setup:active")));
    assert!(
        !again.iter().any(|it| matches!(it, Change::Dtls { .. })),
        "{again:?}"
    );
    // With another certificate it is a new one, in the role that the answer takes.
    a.local(None);
    let other = passive
        .replace("setup:passive", "setup:active")
        .replace(":62:62", ":62:63");
    let changed = a.remote(answer_of(other));
    let server = |it: &Change| {
        matches!(
            it,
            Change::Dtls {
                role: DtlsRole::Server,
                ..
            }
        )
    };
    assert!(changed.iter().any(server), "{changed:?}");
}

/// What the peer says of SCTP: absent is 65,536, 0 is any; another port or size is told again.
#[test]
fn sctp_parameters() {
    let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
    let mut offer = a.offer().sdp;
    let mut parameters = |b: &mut Peer, edit: &dyn Fn(&str) -> String| {
        b.remote(offer_of(edit(&offer)));
        offer = edit(&offer);
        b.local(None).into_iter().find_map(|it| match it {
            Change::Sctp(Sctp::Negotiated {
                remote_port,
                max_message_size,
                ..
            }) => Some((remote_port, max_message_size)),
            _ => None,
        })
    };
    let size = "a=max-message-size:262144\r\n";
    assert_eq!(
        parameters(&mut b, &|it| it.replace(size, "")),
        Some((5000, 65_536))
    );
    assert_eq!(parameters(&mut b, &|it| it.to_owned()), None);
    assert_eq!(
        parameters(&mut b, &|it| it.replace(":5000", ":6000")),
        Some((6000, 65_536))
    );
    let any = |it: &str| format!("{it}a=max-message-size:0\r\n");
    assert_eq!(parameters(&mut b, &any), Some((6000, u64::MAX)));
    let mut peer = Peer::with('c', |config| config.max_message_size(0).sctp_port(7));
    peer.negotiator.add_data_channel();
    let sdp = peer.offer().sdp;
    assert!(sdp.contains("a=sctp-port:7\r\na=max-message-size:0\r\n"));
}

fn sctp_changes(changes: &[Change]) -> Vec<Sctp> {
    let sctp = |it: &Change| match it {
        Change::Sctp(sctp) => Some(sctp.clone()),
        _ => None,
    };
    changes.iter().filter_map(sctp).collect()
}

/// RFC 8841 §9.3, §10.3, §10.4: another port of either end is another association, with another port of
/// the other end; port 0 closes it and leaves DTLS as it is.
#[test]
fn another_sctp_port_is_another_association() {
    let (mut a, mut b) = connected();
    let transport = b.negotiator.transports().next().expect("a transport");
    let offer = a.offer().sdp;
    b.remote(offer_of(offer.replace("sctp-port:5000", "sctp-port:5001")));
    let changes = b.local(None);
    let dtls = |changes: &[Change]| changes.iter().any(|it| matches!(it, Change::Dtls { .. }));
    assert!(!dtls(&changes), "{changes:?}");
    let (client, server) = (DtlsRole::Client, DtlsRole::Server);
    let replaced = |role, local_port, remote_port| {
        [
            Sctp::Closed,
            Sctp::Created { transport },
            Sctp::Negotiated {
                transport,
                local_port,
                remote_port,
                max_message_size: 262_144,
                remote_init: None,
                role,
            },
        ]
    };
    assert_eq!(sctp_changes(&changes), replaced(client, 5001, 5001));
    let answer = b.negotiator.local_description().expect("an answer").sdp;
    assert!(answer.contains("a=sctp-port:5001\r\n"), "{answer}");
    // and our own offer keeps what is in use
    assert!(b.offer().sdp.contains("a=sctp-port:5001\r\n"));
    // the same again is the same
    b.remote(offer_of(offer.replace("sctp-port:5000", "sctp-port:5001")));
    assert_eq!(sctp_changes(&b.local(None)), []);
    // an answer with another port
    a.local(None);
    let changed = answer.replace("sctp-port:5001", "sctp-port:7");
    let changes = a.remote(answer_of(changed.clone()));
    assert_eq!(sctp_changes(&changes), replaced(server, 5000, 7));
    // port 0 in an answer, and in an offer
    a.local(None);
    let changes = a.remote(answer_of(changed.replace("sctp-port:7", "sctp-port:0")));
    assert_eq!(sctp_changes(&changes), [Sctp::Closed]);
    assert!(!dtls(&changes));
    b.remote(offer_of(offer.replace("sctp-port:5000", "sctp-port:0")));
    let changes = b.local(None);
    assert_eq!(sctp_changes(&changes), [Sctp::Closed]);
    let answer = b.negotiator.local_description().expect("an answer").sdp;
    assert!(answer.contains("a=sctp-port:0\r\n") && answer.contains("m=application 9"));
    // and a later offer makes one again
    let mut changes = b.remote(offer_of(offer));
    changes.extend(b.local(None));
    assert_eq!(sctp_changes(&changes), replaced(client, 5000, 5000)[1..]);
}

/// An earlier section for data in a later offer does not take the association from the one that serves.
#[test]
fn the_association_stays_in_its_section() {
    let (mut a, mut b) = connected();
    let offer = a.offer().sdp;
    b.remote(offer_of(
        offer
            .replace("m=application 9", "m=application 0")
            .replace("a=group:BUNDLE 0\r\n", ""),
    ));
    b.local(None);
    let (head, section) = offer.split_once("m=").expect("a section");
    let section = section.replace("a=mid:0", "a=mid:1");
    let rejected = "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n";
    let head = head.replace("BUNDLE 0", "BUNDLE 1");
    b.remote(offer_of(format!("{head}{rejected}m={section}")));
    b.local(None);
    let earlier = section
        .replace("a=mid:1", "a=mid:2")
        .replace("a=ice-ufrag:a", "a=ice-ufrag:c");
    for group in ["BUNDLE 2 1", "BUNDLE 1"] {
        let head = head.replace("BUNDLE 1", group);
        b.remote(offer_of(format!("{head}m={earlier}m={section}")));
        let changes = b.local(None);
        assert_eq!(sctp_changes(&changes), [], "{group}");
        let answer = b.negotiator.local_description().expect("an answer").sdp;
        let answer = oxirtc_jsep::sdp::Session::parse(&answer).expect("a description");
        let rejected: Vec<_> = answer.media().map(|it| it.is_rejected()).collect();
        assert_eq!(rejected, [true, false], "{group}");
    }
}

/// [4.4.1.6-21] [4.4.2-17] Rejected by the answer, or by a later offer: closed, the transport goes; a new data
/// channel uses the section again under a new mid.
#[test]
fn rejected_and_used_again() {
    let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
    a.local(None);
    b.remote(a.negotiator.local_description().expect("an offer"));
    let answer = b.answer().sdp.replace("m=application 9", "m=application 0");
    let changes = a.remote(answer_of(answer.replace("a=group:BUNDLE 0\r\n", "")));
    assert_eq!(changes[0], Change::Sctp(Sctp::Closed));
    assert!(matches!(changes[1], Change::TransportRemoved { .. }));
    assert_eq!(a.negotiator.transports().count(), 0);
    assert!(
        !a.negotiator.negotiation_needed(),
        "it has been negotiated: in vain"
    );
    let again = a.offer().sdp;
    assert_eq!(again.matches("m=").count(), 1);
    assert!(again.contains("a=mid:1\r\n") && again.contains("a=group:BUNDLE 1\r\n"));

    let (mut a, mut b) = connected();
    let offer = a.offer().sdp.replace("m=application 9", "m=application 0");
    let offered = b.remote(offer_of(offer.replace("a=group:BUNDLE 0\r\n", "")));
    assert_eq!(offered.len(), 1, "nothing ends before the answer");
    let changes = b.local(None);
    assert_eq!(changes[0], Change::Sctp(Sctp::Closed));
    assert!(matches!(changes[1], Change::TransportRemoved { .. }));
    let answer = b
        .negotiator
        .current_local_description()
        .expect("an answer")
        .sdp;
    assert!(answer.contains("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
    assert!(!answer.contains("BUNDLE") && !answer.contains("ice-ufrag"));
    assert!(
        b.offer().sdp.contains("m=application 0"),
        "a rejected section keeps its place"
    );
    b.negotiator.add_data_channel();
    assert!(b.negotiator.negotiation_needed());
    assert!(b.offer().sdp.contains("a=mid:1\r\n"));
    let mut fresh = Peer::new('c');
    let (ours, _) = exchange(&mut b, &mut fresh);
    assert!(
        ours.iter()
            .any(|it| matches!(it, Change::Sctp(Sctp::Created { .. })))
    );
}

/// [4.4.1.6-04] Offers on end: what the later one no longer has is gone with it, before any answer.
#[test]
fn offers_on_end() {
    let offer = Peer::with_channel('a').offer().sdp;
    let mut b = Peer::new('b');
    let first = b.remote(offer_of(offer.clone()));
    let transport = only_transport(&first);
    assert_eq!(b.remote(offer_of(offer.clone())), [], "the same again");
    let other = offer
        .replace("a=mid:0", "a=mid:9")
        .replace("BUNDLE 0", "BUNDLE 9");
    let refused = b.try_remote(offer_of(other));
    assert!(
        matches!(refused, Err(Error::InvalidAccess(_))),
        "{refused:?}"
    );
    let without = offer.replace("m=application 9", "m=application 0");
    let changes = b.remote(offer_of(without.replace("a=group:BUNDLE 0\r\n", "")));
    let gone = [
        Change::Sctp(Sctp::Closed),
        Change::TransportRemoved { transport },
    ];
    assert_eq!(changes, gone);
    let again = b.remote(offer_of(offer));
    assert_ne!(
        only_transport(&again),
        transport,
        "an id is never used twice"
    );
}

/// A new section for data in place of one that the same offer rejects: the old association serves
/// until the answer.
#[test]
fn moved_to_another_section() {
    let (mut a, mut b) = connected();
    let offer = a.offer().sdp;
    let (head, section) = offer.split_once("m=").expect("a section");
    let new = section
        .replace("a=mid:0", "a=mid:1")
        .replace("a=ice-ufrag:a", "a=ice-ufrag:c");
    let old = section.replace("application 9", "application 0");
    let offer = format!("{}m={old}m={new}", head.replace("BUNDLE 0", "BUNDLE 1"));
    let offered = b.remote(offer_of(offer));
    assert!(
        !offered.iter().any(|it| matches!(it, Change::Sctp(_))),
        "{offered:?}"
    );
    let changes = b.local(None);
    let sctp = changes
        .iter()
        .filter(|it| matches!(it, Change::Sctp(_)))
        .count();
    assert_eq!(sctp, 3, "closed, created, negotiated: {changes:?}");
    assert_eq!(b.negotiator.transports().count(), 1);
}

/// The form of drafts older than RFC 8841 is answered in the same form.
#[test]
fn legacy_section() {
    let offer = Peer::with_channel('a')
        .offer()
        .sdp
        .replace("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 6000")
        .replace(
            "a=sctp-port:5000\r\n",
            "a=sctpmap:6000 webrtc-datachannel 1024\r\n",
        );
    let mut b = Peer::new('b');
    b.remote(offer_of(offer));
    let changes = b.local(None);
    let remote_port = changes.iter().find_map(|it| match it {
        Change::Sctp(Sctp::Negotiated { remote_port, .. }) => Some(*remote_port),
        _ => None,
    });
    assert_eq!(remote_port, Some(6000));
    let answer = b.negotiator.local_description().expect("an answer").sdp;
    assert!(answer.contains("m=application 9 DTLS/SCTP 5000\r\n"));
    assert!(answer.contains("a=sctpmap:5000 webrtc-datachannel 65535\r\n"));
}

/// Sections without a mid are known by their place; a mid of our own stands in no answer.
#[test]
fn without_mids() {
    let offer = Peer::with_channel('a').offer().sdp;
    let offer = offer
        .replace("a=mid:0\r\n", "")
        .replace("a=group:BUNDLE 0\r\n", "");
    let mut b = Peer::new('b');
    let changes = b.remote(offer_of(offer));
    assert!(matches!(&changes[0], Change::TransportAdded { mid, .. } if mid == "0"));
    b.local(None);
    let answer = b.negotiator.local_description().expect("an answer").sdp;
    assert!(!answer.contains("a=mid") && !answer.contains("BUNDLE"));
    assert!(b.offer().sdp.contains("a=mid:0\r\n"));
}

/// [4.2.6-03] [4.2.6-04] With max-bundle a section that the peer does not bundle with its first one is
/// rejected; other policies take it.
#[test]
fn bundle_policies() {
    let data = Peer::with_channel('a').offer().sdp;
    let (head, section) = data.split_once("m=").expect("a section");
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:x\r\na=rtcp-mux\r\n\
                 a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\n\
                 a=fingerprint:x 00\r\n";
    for (group, policy, accepted) in [
        ("x 0", BundlePolicy::MaxBundle, true),
        ("0", BundlePolicy::MaxBundle, false),
        ("0", BundlePolicy::Balanced, true),
        ("0", BundlePolicy::MaxCompat, true),
    ] {
        let offer = format!(
            "{}{audio}m={section}",
            head.replace("BUNDLE 0", &format!("BUNDLE {group}"))
        );
        let mut b = Peer::with('b', |config| config.bundle_policy(policy));
        b.remote(offer_of(offer));
        b.local(None);
        let answer = b.negotiator.local_description().expect("an answer").sdp;
        let sctp = if accepted {
            "m=application 9"
        } else {
            "m=application 0"
        };
        // the audio section stays where the group needs its address
        let stays = group == "x 0";
        let audio = if stays { "m=audio 9 " } else { "m=audio 0 " };
        assert!(
            answer.contains(sctp) && answer.contains(audio),
            "{group} {policy:?}\n{answer}"
        );
        let bundle = format!("a=group:BUNDLE {group}\r\n");
        assert_eq!(answer.contains(&bundle), accepted);
        assert_eq!(b.negotiator.transports().count(), usize::from(accepted));
    }
}

/// [4.7.3-06] [4.7.3-13] [4.7.2-01] Negotiation is needed for the first data channel, until it is
/// described; never without one.
#[test]
fn negotiation_needed() {
    let (mut a, mut b) = (Peer::new('a'), Peer::new('b'));
    assert!(!a.negotiator.negotiation_needed());
    a.negotiator.add_data_channel();
    a.negotiator.add_data_channel();
    assert!(a.negotiator.negotiation_needed());
    a.local(None);
    assert!(
        a.negotiator.negotiation_needed(),
        "an offer alone does not end it"
    );
    b.remote(a.negotiator.local_description().expect("an offer"));
    b.local(None);
    a.remote(b.negotiator.local_description().expect("an answer"));
    b.negotiator.add_data_channel();
    assert!(!a.negotiator.negotiation_needed() && !b.negotiator.negotiation_needed());
}

/// [4.4.2-04] Whether the peer takes candidates later, in all places where it may say so.
#[test]
fn can_trickle() {
    let offer = Peer::with_channel('a').offer().sdp;
    let options = "a=ice-options:trickle ice2\r\n";
    for (sdp, expected) in [
        (offer.clone(), true),
        (offer.replace(options, ""), false),
        (
            offer.replace(options, "a=ice-options:ice2 trickles\r\n"),
            false,
        ),
        (
            format!("{}a=ice-options:x trickle\r\n", offer.replace(options, "")),
            true,
        ),
    ] {
        let mut b = Peer::new('b');
        assert_eq!(b.negotiator.can_trickle_ice_candidates(), None);
        b.remote(offer_of(sdp));
        assert_eq!(b.negotiator.can_trickle_ice_candidates(), Some(expected));
    }
}

/// Secrets are not printed.
#[test]
fn debug_is_quiet() {
    let (mut a, b) = connected();
    let offer = a.offer();
    let shown = format!(
        "{:?} {:?} {offer:?} {:?}",
        a.negotiator,
        b.negotiator,
        a.latest()
    );
    assert!(!shown.contains("00000000000000000000001"), "{shown}");
    fn is_send_sync<T: Send + Sync>() {}
    is_send_sync::<Negotiator>();
    is_send_sync::<Error>();
}

/// draft-hancke-tsvwg-snap: an offer has our INIT chunk, an answer only where the offer has one, and what both have is told.
#[test]
fn sctp_init() {
    let peer = |name, init: Option<&str>| {
        let mut peer = Peer::with(name, |config| match init {
            Some(init) => config.sctp_init(init),
            None => config,
        });
        peer.negotiator.add_data_channel();
        peer
    };
    let told = |changes: &[Change]| {
        changes.iter().find_map(|it| match it {
            Change::Sctp(Sctp::Negotiated { remote_init, .. }) => Some(remote_init.clone()),
            _ => None,
        })
    };
    let some = |init: &str| Some(Some(init.to_owned()));
    let has = |peer: &Peer| {
        let sdp = peer.negotiator.local_description().unwrap().sdp;
        let lines = sdp.lines().filter_map(|it| it.strip_prefix("a=sctp-init:"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (ours, theirs) = ("AQAAFA==", "AQAAGA==");
    for (a, b) in [
        (Some(ours), Some(theirs)),
        (Some(ours), None),
        (None, Some(theirs)),
    ] {
        let (mut offerer, mut answerer) = (peer('a', a), peer('b', b));
        let (at_offerer, at_answerer) = exchange(&mut offerer, &mut answerer);
        let both = a.is_some() && b.is_some();
        assert_eq!(has(&offerer), Vec::from_iter(a));
        assert_eq!(has(&answerer), Vec::from_iter(b.filter(|_| both)));
        let expected = |init: &str| if both { some(init) } else { Some(None) };
        assert_eq!(told(&at_offerer), expected(theirs));
        assert_eq!(told(&at_answerer), expected(ours));
        // Another round says the same, and nothing follows from it.
        let (at_offerer, at_answerer) = exchange(&mut offerer, &mut answerer);
        assert_eq!((told(&at_offerer), told(&at_answerer)), (None, None));
        assert_eq!(has(&offerer), Vec::from_iter(a));
    }
}
