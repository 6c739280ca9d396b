//! Candidates of both ends: where they are kept, what ICE is told, what is refused.

use oxirtc_jsep::{
    CandidateInit, Change, Description, Error, MediaKind, MediaSection, Origin, SdpType,
    TransceiverInit, TransportId,
    sdp::{Candidate, Session},
};

use crate::support::{Peer, connected, equipped, exchange, offer_of, visible};

const HOST: &str = "candidate:1 1 udp 2122260223 192.0.2.1 54321 typ host";
const NAME: &str = "candidate:2 1 udp 2122260222 abc.local 54322 typ host";

fn init(candidate: &str) -> CandidateInit<'_> {
    CandidateInit {
        candidate,
        sdp_mid: Some("0"),
        ..CandidateInit::default()
    }
}

/// The only one.
fn section() -> MediaSection {
    MediaSection {
        mid: "0".into(),
        index: 0,
    }
}

fn end(transport: TransportId, ufrag: &str) -> Change {
    Change::RemoteEndOfCandidates {
        transport,
        ufrag: ufrag.into(),
    }
}

fn transport(peer: &Peer) -> TransportId {
    peer.negotiator.transports().next().expect("a transport")
}

fn remote_sdp(peer: &Peer) -> String {
    peer.negotiator
        .remote_description()
        .expect("a description")
        .sdp
}

/// [4.4.2-47] A candidate is kept as it was written and told at once; twice is told once.
#[test]
fn added() {
    let (mut a, _) = connected();
    let transport = transport(&a);
    let candidate = Candidate::parse(HOST).expect("a candidate");
    let told = a.negotiator.add_ice_candidate(init(HOST)).expect("added");
    assert_eq!(
        told,
        [Change::RemoteCandidate {
            transport,
            ufrag: "b0000001".into(),
            section: section(),
            candidate
        }]
    );
    assert_eq!(a.negotiator.add_ice_candidate(init(HOST)), Ok(vec![]));
    let told = a
        .negotiator
        .add_ice_candidate(init(NAME))
        .expect("a name is a candidate too");
    assert_eq!(told.len(), 1);
    let sdp = remote_sdp(&a);
    assert!(sdp.contains(&format!("a={HOST}\r\n")) && sdp.contains(&format!("a={NAME}\r\n")));
    Session::parse(&sdp).expect("still a description");
}

/// What ICE cannot use is kept in the description and not told.
#[test]
fn of_no_use() {
    let (mut a, _) = connected();
    for line in [
        "candidate:1 2 udp 1 192.0.2.1 1 typ host",
        "candidate:1 1 sctp 1 192.0.2.1 1 typ host",
        "candidate:1 1 udp 1 192.0.2.1 1 typ odd",
    ] {
        assert_eq!(a.negotiator.add_ice_candidate(init(line)), Ok(vec![]));
        assert!(remote_sdp(&a).contains(line));
    }
}

/// [4.4.2-38] to [4.4.2-44]: what is refused, in that order, and that nothing changes.
#[test]
fn refused() {
    let mut fresh = Peer::new('a');
    let none = CandidateInit {
        candidate: HOST,
        ..CandidateInit::default()
    };
    assert!(matches!(
        fresh.negotiator.add_ice_candidate(none),
        Err(Error::Type(_))
    ));
    for early in [init(HOST), CandidateInit::default()] {
        assert!(matches!(
            fresh.negotiator.add_ice_candidate(early),
            Err(Error::InvalidState(_))
        ));
    }
    fresh.negotiator.close();
    assert!(matches!(
        fresh.negotiator.add_ice_candidate(none),
        Err(Error::Type(_))
    ));
    assert!(matches!(
        fresh.negotiator.add_ice_candidate(init(HOST)),
        Err(Error::InvalidState(_))
    ));

    let (mut a, _) = connected();
    let before = visible(&a);
    let wrong = [
        CandidateInit {
            sdp_mid: Some("1"),
            ..init(HOST)
        },
        CandidateInit {
            sdp_mid: Some("1"),
            sdp_mline_index: Some(0),
            ..init(HOST)
        },
        CandidateInit {
            sdp_mid: None,
            sdp_mline_index: Some(1),
            ..init(HOST)
        },
        CandidateInit {
            username_fragment: Some("unknown1"),
            ..init(HOST)
        },
        init("candidate:nonsense"),
        init("a=a=candidate:1 1 udp 1 192.0.2.1 1 typ host"),
        init("candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n"),
        init("candidate:1 1 udp 1 192.0.2.1 1 typ host\r\nm=audio 9 RTP/AVP 0"),
        init("candidate:1 1 udp 1 192.0.2.1 1 typ\nhost"),
        CandidateInit {
            username_fragment: Some("unknown1"),
            ..init("")
        },
        CandidateInit {
            username_fragment: Some("unknown1"),
            ..CandidateInit::default()
        },
    ];
    for init in wrong {
        let error = a.negotiator.add_ice_candidate(init);
        assert!(matches!(error, Err(Error::Operation(_))), "{init:?}");
        assert_eq!(visible(&a), before);
    }
}

/// [4.4.2-41] The mid has precedence, an index alone is enough.
#[test]
fn sections_of_candidates() {
    let (mut a, _) = connected();
    let fine = [
        CandidateInit {
            sdp_mline_index: Some(9),
            ..init(HOST)
        },
        CandidateInit {
            sdp_mid: None,
            sdp_mline_index: Some(0),
            ..init(NAME)
        },
    ];
    for init in fine {
        assert_eq!(
            a.negotiator.add_ice_candidate(init).map(|it| it.len()),
            Ok(1)
        );
    }
}

/// [4.4.2-46] The end: for one section, or for all when nothing is said. Told once.
#[test]
fn end_of_candidates() {
    let all = CandidateInit::default();
    for the_end in [init(""), all] {
        let (mut a, _) = connected();
        let transport = transport(&a);
        let told = a.negotiator.add_ice_candidate(the_end);
        assert_eq!(told, Ok(vec![end(transport, "b0000001")]));
        assert_eq!(a.negotiator.add_ice_candidate(the_end), Ok(vec![]));
        assert_eq!(remote_sdp(&a).matches("a=end-of-candidates").count(), 1);
    }
}

/// [4.4.2-46] Where sections are not bundled, an end that names none is that of each of their generations.
#[test]
fn the_end_of_all_sections() {
    let [mut a, mut b] = ['a', 'b'].map(|name| Peer::with(name, equipped));
    let init = TransceiverInit::default();
    let added = a
        .negotiator
        .add_transceiver(MediaKind::Audio, Origin::Init, init);
    added.expect("it is equipped");
    a.negotiator.add_data_channel();
    let offer = a.offer();
    a.local(offer.clone());
    let apart = offer.sdp.lines().filter(|it| !it.starts_with("a=group"));
    let apart = apart.flat_map(|line| [line, "\r\n"]).collect::<String>();
    b.remote(offer_of(apart));
    let answer = b.answer();
    b.local(answer.clone());
    a.remote(answer);
    let told = a.negotiator.add_ice_candidate(CandidateInit::default());
    let told = told.expect("an end");
    let is_end = |it: &&Change| matches!(it, Change::RemoteEndOfCandidates { .. });
    assert_eq!(told.iter().filter(is_end).count(), 2, "{told:?}");
}

/// Candidates of an offer that is not answered yet wait for the answer, those in it come first.
#[test]
fn before_the_answer() {
    let offer = Peer::with_channel('a').offer().sdp;
    let mut b = Peer::new('b');
    b.remote(offer_of(format!("{offer}a={HOST}\r\n")));
    assert_eq!(b.negotiator.add_ice_candidate(init(NAME)), Ok(vec![]));
    assert_eq!(b.negotiator.add_ice_candidate(init("")), Ok(vec![]));
    assert!(remote_sdp(&b).contains(NAME));
    let changes = b.local(None);
    let told: Vec<_> = changes
        .iter()
        .filter_map(|it| match it {
            Change::RemoteCandidate { candidate, .. } => Some(candidate.foundation.as_str()),
            Change::RemoteEndOfCandidates { .. } => Some("end"),
            Change::RemoteIce { .. } => Some("ice"),
            Change::Dtls { .. } => Some("dtls"),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["ice", "1", "2", "end", "dtls"]);
}

/// [4.4.2-45] [4.4.2-47] Generations are kept apart: the old one still takes candidates until the new
/// one is agreed on, and each description has its own.
#[test]
fn generations() {
    let (mut a, mut b) = connected();
    exchange(&mut a, &mut b);
    let offer = a.try_offer(true).expect("an offer");
    a.local(offer.clone());
    b.remote(offer);
    let old = CandidateInit {
        username_fragment: Some("a0000001"),
        ..init(HOST)
    };
    assert_eq!(
        b.negotiator.add_ice_candidate(old).map(|it| it.len()),
        Ok(1)
    );
    assert_eq!(
        b.negotiator.add_ice_candidate(init(NAME)),
        Ok(vec![]),
        "of the latest generation"
    );
    let current = b
        .negotiator
        .current_remote_description()
        .expect("current")
        .sdp;
    let pending = b
        .negotiator
        .pending_remote_description()
        .expect("pending")
        .sdp;
    assert!(current.contains(HOST) && !current.contains(NAME));
    assert!(pending.contains(NAME) && !pending.contains(HOST));
    let changes = b.local(None);
    assert_eq!(
        changes
            .iter()
            .filter(|it| matches!(it, Change::RemoteCandidate { .. }))
            .count(),
        1
    );
    let old = b.negotiator.add_ice_candidate(old);
    assert!(
        matches!(old, Err(Error::Operation(_))),
        "no description has it any more"
    );
    assert!(!remote_sdp(&b).contains(HOST));
}

/// A candidate that stood in the generation before is told again for the new one.
#[test]
fn same_candidate_in_another_generation() {
    let (mut a, mut b) = connected();
    assert_eq!(
        b.negotiator
            .add_ice_candidate(init(HOST))
            .map(|it| it.len()),
        Ok(1)
    );
    let offer = a.try_offer(true).expect("an offer");
    b.remote(offer);
    b.local(None);
    assert_eq!(
        b.negotiator
            .add_ice_candidate(init(HOST))
            .map(|it| it.len()),
        Ok(1)
    );
}

/// [4.4.2-42] Candidates of a rejected section have no effect.
#[test]
fn rejected_section() {
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:x\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\n\
                 a=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:x 00\r\na=setup:actpass\r\n";
    let mut b = Peer::new('b');
    b.remote(offer_of(format!(
        "{}{audio}",
        Peer::with_channel('a').offer().sdp
    )));
    b.local(None);
    let init = CandidateInit {
        sdp_mid: Some("x"),
        ..init(HOST)
    };
    assert_eq!(b.negotiator.add_ice_candidate(init), Ok(vec![]));
    let end = CandidateInit {
        candidate: "",
        ..init
    };
    assert_eq!(b.negotiator.add_ice_candidate(end), Ok(vec![]));
    let sdp = remote_sdp(&b);
    let section = sdp.split("m=audio").nth(1).expect("the section");
    assert!(section.contains(&format!("a={HOST}\r\na=end-of-candidates\r\n")));
    let unknown = CandidateInit {
        username_fragment: Some("unknown1"),
        ..init
    };
    assert_eq!(b.negotiator.add_ice_candidate(unknown), Ok(vec![]));
    let nonsense = CandidateInit {
        candidate: "candidate:nonsense",
        ..init
    };
    assert_eq!(b.negotiator.add_ice_candidate(nonsense), Ok(vec![]));
    assert_eq!(remote_sdp(&b), sdp, "neither is kept");
    // For a section that lives both are errors.
    for wrong in [unknown, nonsense] {
        let placed = CandidateInit {
            sdp_mid: None,
            sdp_mline_index: Some(0),
            ..wrong
        };
        let error = b.negotiator.add_ice_candidate(placed);
        assert!(matches!(error, Err(Error::Operation(_))), "{error:?}");
    }
}

/// Also a section that the peer itself has rejected, and that has no generation, keeps what is added.
#[test]
fn section_without_a_generation() {
    let mut b = Peer::new('b');
    b.remote(offer_of(format!(
        "{}m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:x\r\n",
        Peer::with_channel('a').offer().sdp
    )));
    b.local(None);
    let init = CandidateInit {
        sdp_mid: Some("x"),
        ..init(HOST)
    };
    assert_eq!(b.negotiator.add_ice_candidate(init), Ok(vec![]));
    assert!(remote_sdp(&b).ends_with(&format!("a={HOST}\r\n")));
    let all = b.negotiator.add_ice_candidate(CandidateInit::default());
    assert_eq!(all.map(|it| it.len()), Ok(1), "the end for all sections");
    assert_eq!(remote_sdp(&b).matches("a=end-of-candidates").count(), 2);
}

/// As it stands in a description it is taken, too; words in any case; what the peer sent is written as it
/// was understood.
#[test]
fn forms_of_a_candidate() {
    let (mut a, _) = connected();
    let line = format!("a={HOST}");
    let told = a.negotiator.add_ice_candidate(init(&line));
    assert_eq!(told.map(|it| it.len()), Ok(1));
    assert_eq!(
        a.negotiator.add_ice_candidate(init(HOST)),
        Ok(vec![]),
        "the same"
    );
    let loud = "candidate:9 1 UDP 1 192.0.2.1   9 TYP HOST  x  y";
    let told = a.negotiator.add_ice_candidate(init(loud));
    assert_eq!(told.map(|it| it.len()), Ok(1));
    let sdp = remote_sdp(&a);
    assert!(sdp.contains(&format!("\r\n{line}\r\n")), "{sdp}");
    assert!(
        sdp.contains("a=candidate:9 1 udp 1 192.0.2.1 9 typ host x y\r\n"),
        "{sdp}"
    );
}

/// RFC 8838 §14: what comes after the end stands in the description, and ICE is not told of it.
#[test]
fn after_the_end() {
    let (mut a, mut b) = connected();
    a.negotiator.add_ice_candidate(init("")).expect("the end");
    assert_eq!(a.negotiator.add_ice_candidate(init(HOST)), Ok(vec![]));
    assert!(remote_sdp(&a).contains(HOST));
    // another generation begins anew
    let offer = b.try_offer(true).expect("an offer");
    a.remote(offer);
    a.local(None);
    let told = a.negotiator.add_ice_candidate(init(HOST));
    assert_eq!(told.map(|it| it.len()), Ok(1));
}

/// One line that nobody knows does not cost the others: in a description and alone.
#[test]
fn unknown_lines() {
    let odd = [
        "candidate:2 1 udp 1 fe80::1%eth0 1 typ host",
        "candidate:3 1 tcp 1 192.0.2.1 1 typ host tcptype quic",
        "candidate:123456789012345678901234567890123 1 udp 1 192.0.2.1 1 typ host",
        "candidate:4 1 udp 4294967296 192.0.2.1 1 typ host",
        "candidate:nonsense",
    ];
    let lines: String = odd.iter().map(|it| format!("a={it}\r\n")).collect();
    let sdp = Peer::with_channel('a').offer().sdp;
    let with_zone = "candidate:5 1 udp 1 192.0.2.1 1 typ srflx raddr fe80::1%2 rport 2";
    let mut b = Peer::new('b');
    b.remote(offer_of(format!(
        "{sdp}{lines}a={with_zone}\r\na={HOST}\r\n"
    )));
    assert!(odd.iter().all(|line| remote_sdp(&b).contains(line)), "kept");
    let told = b.local(None);
    let told: Vec<_> = told
        .iter()
        .filter_map(|it| match it {
            Change::RemoteCandidate { candidate, .. } => Some(candidate.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(told, [with_zone, HOST]);
    let (mut a, _) = connected();
    for line in &odd[..2] {
        assert_eq!(a.negotiator.add_ice_candidate(init(line)), Ok(vec![]));
        assert!(remote_sdp(&a).contains(line));
    }
    for line in &odd[2..] {
        let error = a.negotiator.add_ice_candidate(init(line));
        assert!(matches!(error, Err(Error::Operation(_))), "{line}");
    }
}

/// [4.4.2-02] [4.4.2-18] Our candidates and their end stand in the descriptions of their generation,
/// with the default address; a later offer has them from the start.
#[test]
fn gathered() {
    let mut a = Peer::with_channel('a');
    let offer = a.offer();
    a.local(offer.clone());
    let (id, ufrag) = (transport(&a), "a0000001");
    let section = Some(MediaSection {
        mid: "0".to_owned(),
        index: 0,
    });
    let parse = |line: &str| Candidate::parse(line).expect("a candidate");
    for line in [
        "candidate:1 1 udp 9 2001:db8::1 7 typ host",
        HOST,
        "candidate:3 1 udp 1 198.51.100.1 99 typ srflx raddr 192.0.2.1 rport 54321",
        "candidate:4 1 tcp 99 203.0.113.1 9 typ host tcptype active",
        NAME,
    ] {
        assert_eq!(
            a.negotiator.add_local_candidate(id, ufrag, parse(line)),
            section
        );
    }
    assert_eq!(
        a.negotiator
            .add_local_candidate(id, "unknown1", parse(HOST)),
        None
    );
    assert_eq!(a.negotiator.set_local_end_of_candidates(id, ufrag), section);
    let sdp = a
        .negotiator
        .pending_local_description()
        .expect("pending")
        .sdp;
    assert!(sdp.contains(
        "m=application 99 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 198.51.100.1\r\n"
    ));
    assert_eq!(sdp.matches("a=candidate:").count(), 5);
    assert!(sdp.ends_with("a=end-of-candidates\r\n"));
    // [4.4.2-29] what was created last is still that, without candidates
    a.local(offer);
    let again = a.offer();
    assert_eq!(again.sdp.matches("a=candidate:").count(), 5);
    a.local(again.clone());
    assert_eq!(
        a.negotiator.local_description(),
        Some(again),
        "none stands there twice"
    );
    let restart = a.try_offer(true).expect("an offer");
    assert!(!restart.sdp.contains("candidate:") && restart.sdp.contains("m=application 9 "));
}

/// Candidates of a generation that is rolled back are forgotten.
#[test]
fn gathered_in_vain() {
    let (mut a, _) = connected();
    let id = transport(&a);
    let offer = a.try_offer(true).expect("an offer");
    a.local(offer);
    let candidate = Candidate::parse(HOST).expect("a candidate");
    assert!(
        a.negotiator
            .add_local_candidate(id, "a0000002", candidate.clone())
            .is_some()
    );
    a.local(Description::rollback());
    assert!(
        a.negotiator
            .add_local_candidate(id, "a0000002", candidate)
            .is_none()
    );
    assert!(
        !a.negotiator
            .local_description()
            .expect("current")
            .sdp
            .contains("candidate:")
    );
}

/// ICE is told whether the peer sends candidates after its description.
#[test]
fn trickle_is_told() {
    for trickles in [true, false] {
        let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
        let mut offer = a.offer();
        if !trickles {
            let lines = offer.sdp.split_inclusive("\r\n");
            offer.sdp = lines.filter(|it| !it.contains("ice-options")).collect();
        }
        b.remote(offer);
        let answer = b.answer();
        let changes = b.local(answer);
        let told = changes.iter().find_map(|it| match it {
            Change::RemoteIce { trickle, .. } => Some(*trickle),
            _ => None,
        });
        assert_eq!(told, Some(trickles));
    }
}

/// RFC 8840 §8: above all sections it is the end of the candidates of each.
#[test]
fn end_of_all_candidates() {
    for ended in [true, false] {
        let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
        let mut offer = a.offer();
        if ended {
            offer.sdp = offer.sdp.replacen("m=", "a=end-of-candidates\r\nm=", 1);
        }
        b.remote(offer);
        let answer = b.answer();
        let changes = b.local(answer);
        let told = changes.contains(&end(transport(&b), "a0000001"));
        assert_eq!(told, ended, "{changes:?}");
    }
}

/// 10,000 candidates: the first 4,096 of a generation count, others do no harm.
#[test]
fn too_many() {
    let (mut a, _) = connected();
    let mut told = 0;
    for port in 1..=10_000 {
        let line = format!("candidate:1 1 udp 1 192.0.2.1 {port} typ host");
        told += a
            .negotiator
            .add_ice_candidate(init(&line))
            .expect("harmless")
            .len();
    }
    assert_eq!(told, 4096);
    assert_eq!(remote_sdp(&a).matches("a=candidate:").count(), 4096);
}

/// 5,000 in one description: as many of them are told as of those that come alone, the others are counted.
#[test]
fn too_many_in_a_description() {
    let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
    let mut offer = a.offer();
    a.local(offer.clone());
    for port in 1..=5_000 {
        offer.sdp += &format!("a=candidate:1 1 udp 1 192.0.2.1 {port} typ host\r\n");
    }
    b.remote(offer);
    let answer = b.answer();
    let changes = b.local(answer);
    let told = |it: &&Change| matches!(it, Change::RemoteCandidate { .. });
    assert_eq!(changes.iter().filter(told).count(), 4096);
    assert_eq!(b.negotiator.candidates_dropped(), 5_000 - 4096);
    // What comes alone afterwards has no room either.
    assert_eq!(b.negotiator.add_ice_candidate(init(HOST)), Ok(vec![]));
    assert_eq!(b.negotiator.candidates_dropped(), 5_000 - 4096 + 1);
}

/// A connected peer that has offered to restart ICE, its transport, and the answer that it has not seen.
fn restarting() -> (Peer, TransportId, String) {
    let (mut a, mut b) = connected();
    let transport = transport(&a);
    let offer = a.try_offer(true).expect("an offer");
    a.local(offer.clone());
    b.remote(offer);
    let answer = b.answer().sdp;
    (a, transport, answer)
}

/// A provisional answer to a restart leaves two generations of the peer in force: what comes late for the earlier one is told for that
/// one, and nothing is told twice.
#[test]
fn of_two_generations_at_once() {
    let (mut a, transport, answer) = restarting();
    a.remote(Description::new(SdpType::Pranswer, answer.clone()));
    let told = |ufrag: &str| Change::RemoteCandidate {
        transport,
        ufrag: ufrag.into(),
        section: section(),
        candidate: Candidate::parse(HOST).expect("a candidate"),
    };
    for ufrag in ["b0000001", "b0000002"] {
        let of = |candidate| CandidateInit {
            username_fragment: Some(ufrag),
            ..init(candidate)
        };
        let mut add = |candidate| a.negotiator.add_ice_candidate(of(candidate));
        assert_eq!(add(HOST), Ok(vec![told(ufrag)]));
        assert_eq!(add(HOST), Ok(vec![]));
        assert_eq!(add(""), Ok(vec![end(transport, ufrag)]));
        assert_eq!(add(""), Ok(vec![]));
    }
    // The answer ends the earlier one, and tells nothing again.
    let changes = a.remote(Description::new(SdpType::Answer, answer));
    let again = |it: &&Change| {
        matches!(
            it,
            Change::RemoteCandidate { .. } | Change::RemoteEndOfCandidates { .. }
        )
    };
    assert_eq!(changes.iter().filter(again).count(), 0, "{changes:?}");
    let late = a.negotiator.add_ice_candidate(CandidateInit {
        username_fragment: Some("b0000001"),
        ..init(NAME)
    });
    assert!(matches!(late, Err(Error::Operation(_))));
}

/// Of a fork that another one has replaced ICE knows nothing any more: when it answers all the same, it is told all that was told before.
#[test]
fn a_fork_that_returns_is_told_again() {
    let (mut a, transport, answer) = restarting();
    let first = format!("{answer}a={HOST}\r\na=end-of-candidates\r\n");
    let second = answer.replace("b0000002", "b0000009");
    assert_ne!(second, answer);
    let mut told = |kind, sdp: &str| -> Vec<Change> {
        let changes = a.remote(Description::new(kind, sdp));
        let of_candidates = |it: &Change| {
            matches!(
                it,
                Change::RemoteCandidate { .. } | Change::RemoteEndOfCandidates { .. }
            )
        };
        changes.into_iter().filter(of_candidates).collect()
    };
    let all = [
        Change::RemoteCandidate {
            transport,
            ufrag: "b0000002".into(),
            section: section(),
            candidate: Candidate::parse(HOST).expect("a candidate"),
        },
        end(transport, "b0000002"),
    ];
    assert_eq!(told(SdpType::Pranswer, &first), all);
    assert_eq!(told(SdpType::Pranswer, &first), [], "it is there");
    assert_eq!(told(SdpType::Pranswer, &second), []);
    assert_eq!(told(SdpType::Answer, &first), all);
}
