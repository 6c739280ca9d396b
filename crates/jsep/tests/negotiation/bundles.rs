//! Which transports sections of media and data share: every policy, peers that bundle and peers that do not.

use oxirtc_jsep::{
    BundlePolicy, Change, Error, MediaKind, Origin, TransceiverId, TransceiverInit,
    sdp::{Direction, Session},
};

use crate::support::{Peer, answer_of, equipped, exchange, lines, offer_of, visible};

use MediaKind::{Audio, Video};

fn peer(name: char, policy: BundlePolicy) -> Peer {
    Peer::with(name, |config| equipped(config).bundle_policy(policy))
}

fn add(peer: &mut Peer, kind: MediaKind) -> TransceiverId {
    let init = TransceiverInit {
        direction: Direction::SendRecv,
        ..TransceiverInit::default()
    };
    let added = peer.negotiator.add_transceiver(kind, Origin::Track, init);
    added.expect("it is equipped")
}

/// Two of audio, one of video, and data.
fn full(policy: BundlePolicy) -> Peer {
    let mut peer = peer('a', policy);
    for kind in [Audio, Audio, Video] {
        add(&mut peer, kind);
    }
    peer.negotiator.add_data_channel();
    peer
}

fn local(peer: &Peer) -> String {
    let description = peer.negotiator.local_description();
    description.expect("a description").sdp
}

/// Of each section whether it has an address of its own, is bundle-only, or is rejected.
fn addresses(sdp: &str) -> String {
    let session = Session::parse(sdp).expect("a description");
    let letter = |media: oxirtc_jsep::sdp::Media<'_>| match media {
        it if it.is_rejected() => 'x',
        it if it.port() == 0 => 'b',
        it if it.ice_ufrag().is_some() => 'A',
        _ => 's',
    };
    session.media().map(letter).collect()
}

fn transports(changes: &[Change]) -> usize {
    let added = |it: &&Change| matches!(it, Change::TransportAdded { .. });
    changes.iter().filter(added).count()
}

/// [4.2.6-01] [4.2.6-02] [4.2.6-03] [4.2.6-04] The sections that have an address in a first offer under each policy;
/// with a peer that bundles all of them come to one transport, which later sections share from their offer on.
#[test]
fn policies() {
    for (policy, expected, count) in [
        (BundlePolicy::Balanced, "AbAA", 3),
        (BundlePolicy::MaxCompat, "AAAA", 4),
        (BundlePolicy::MaxBundle, "Abbb", 1),
    ] {
        let mut ours = full(policy);
        let offered = ours.local(None);
        assert_eq!(addresses(&local(&ours)), expected, "{policy:?}");
        assert_eq!(transports(&offered), count, "{policy:?}");
        let mut theirs = peer('b', BundlePolicy::Balanced);
        assert_eq!(transports(&theirs.remote(offer_of(local(&ours)))), 1);
        theirs.local(None);
        assert_eq!(addresses(&local(&theirs)), "Asss");
        ours.remote(answer_of(local(&theirs)));
        assert_eq!(ours.negotiator.transports().count(), 1, "{policy:?}");
        add(&mut ours, Video);
        let (ours_changed, theirs_changed) = exchange(&mut ours, &mut theirs);
        assert_eq!(addresses(&local(&ours)), "Assss", "{policy:?}");
        assert_eq!(
            (transports(&ours_changed), transports(&theirs_changed)),
            (0, 0)
        );
    }
}

/// [4.2.6-02] A peer that knows no groups: what has an address goes on alone, what has none is rejected.
#[test]
fn peers_without_groups() {
    for (policy, answered) in [
        (BundlePolicy::Balanced, "AxAA"),
        (BundlePolicy::MaxCompat, "AAAA"),
        (BundlePolicy::MaxBundle, "Axxx"),
    ] {
        let mut ours = full(policy);
        ours.local(None);
        let offer = local(&ours);
        let group = lines(&offer, &["a=group"])[0].to_owned();
        // it takes port 0 for a rejected section
        let plain = offer
            .replace(&format!("{group}\r\n"), "")
            .replace("a=bundle-only\r\n", "");
        let mut theirs = peer('b', BundlePolicy::Balanced);
        theirs.remote(offer_of(plain));
        theirs.local(None);
        assert_eq!(addresses(&local(&theirs)), answered, "{policy:?}");
        ours.remote(answer_of(local(&theirs)));
        let living = answered.matches('A').count();
        assert_eq!(ours.negotiator.transports().count(), living, "{policy:?}");
        let running = ours.negotiator.transceivers();
        let media = answered[..3].matches('A').count();
        assert_eq!(running.filter(|it| !it.is_stopped()).count(), media);
    }
}

/// RFC 9429 §5.3.1: with max-bundle what the peer does not bundle with its first section is rejected.
#[test]
fn max_bundle_answers() {
    let mut theirs = full(BundlePolicy::MaxCompat);
    let offer = theirs.offer().sdp;
    let apart = offer.replace("a=group:BUNDLE 0 1 2 3", "a=group:BUNDLE 0 2");
    let mut ours = peer('b', BundlePolicy::MaxBundle);
    ours.remote(offer_of(apart));
    ours.local(None);
    assert_eq!(addresses(&local(&ours)), "Axsx");
    assert_eq!(ours.negotiator.transceivers().count(), 2);
}

/// Data alone, then media, then data alone: one transport all the time, ICE and DTLS are left as they are.
#[test]
fn data_and_media() {
    let (mut ours, mut theirs) = (
        peer('a', BundlePolicy::Balanced),
        peer('b', BundlePolicy::Balanced),
    );
    ours.negotiator.add_data_channel();
    exchange(&mut ours, &mut theirs);
    let quiet = |changes: &[Change]| {
        changes.iter().all(|it| {
            !matches!(
                it,
                Change::TransportAdded { .. }
                    | Change::TransportRemoved { .. }
                    | Change::LocalIce { .. }
                    | Change::RemoteIce { .. }
                    | Change::Dtls { .. }
                    | Change::Sctp(_)
            )
        })
    };
    let both = |(one, two): (Vec<Change>, Vec<Change>)| quiet(&one) && quiet(&two);
    let media = [add(&mut ours, Audio), add(&mut ours, Video)];
    assert!(both(exchange(&mut ours, &mut theirs)));
    assert_eq!(addresses(&local(&ours)), "Ass");
    for id in media {
        ours.negotiator.stop(id).expect("open");
    }
    assert!(
        both(exchange(&mut theirs, &mut ours)),
        "answered as inactive"
    );
    assert!(both(exchange(&mut ours, &mut theirs)));
    assert_eq!(addresses(&local(&ours)), "Axx");
    assert_eq!(ours.negotiator.transceivers().count(), 0);
    // a restart in between is one of the transport, and of nothing else
    ours.negotiator.restart_ice();
    add(&mut ours, Video);
    let (changes, _) = exchange(&mut ours, &mut theirs);
    assert_eq!(transports(&changes), 0);
    assert!(
        !changes
            .iter()
            .any(|it| matches!(it, Change::Dtls { .. } | Change::Sctp(_)))
    );
    assert_eq!(addresses(&local(&ours)), "Axs");
}

/// [4.4.2-14] A section that is used again before all others has the address of the group, and everything stays on it. That
/// another section names the transport is told where the one that did is rejected: with an offer of ours and with the answer.
#[test]
fn first_section_used_again() {
    let (mut ours, mut theirs) = (
        peer('a', BundlePolicy::Balanced),
        peer('b', BundlePolicy::Balanced),
    );
    let moved = |(one, two): &(Vec<Change>, Vec<Change>)| {
        let moves = |it: &Vec<Change>| {
            let moves = it.iter().filter(|it| matches!(it, Change::TagMoved { .. }));
            moves.count()
        };
        (moves(one), moves(two))
    };
    let first = add(&mut ours, Audio);
    add(&mut ours, Video);
    assert_eq!(moved(&exchange(&mut ours, &mut theirs)), (0, 0));
    let before: Vec<_> = ours.negotiator.transports().collect();
    ours.negotiator.stop(first).expect("open");
    assert_eq!(moved(&exchange(&mut ours, &mut theirs)), (2, 1));
    assert_eq!(addresses(&local(&ours)), "xA");
    assert_eq!(lines(&local(&ours), &["a=group"]), ["a=group:BUNDLE 1"]);
    assert_eq!(moved(&exchange(&mut ours, &mut theirs)), (0, 0));
    add(&mut ours, Audio);
    let changed = exchange(&mut ours, &mut theirs);
    assert_eq!(moved(&changed), (0, 0), "the first names it again");
    let (changes, told) = changed;
    assert_eq!(addresses(&local(&ours)), "As");
    assert_eq!((transports(&changes), transports(&told)), (0, 0));
    assert!(ours.negotiator.transports().eq(before));
}

/// [4.2.7-01] [4.4.1.6-08] A living section of media without rtcp-mux, or without a fingerprint, is refused and
/// nothing has changed; every profile of RTP is taken and echoed (RFC 9429 §5.1.2).
#[test]
fn what_media_needs() {
    let mut ours = peer('a', BundlePolicy::Balanced);
    add(&mut ours, Audio);
    let offer = ours.offer().sdp;
    let fingerprint = lines(&offer, &["a=fingerprint"])[0].to_owned();
    for missing in [
        "a=rtcp-mux\r\na=rtcp-mux-only\r\n",
        &format!("{fingerprint}\r\n"),
    ] {
        let mut theirs = peer('b', BundlePolicy::Balanced);
        let before = visible(&theirs);
        let keys = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n";
        let offer = offer.replace(missing, "") + keys;
        let result = theirs.try_remote(offer_of(offer));
        assert!(matches!(result, Err(Error::InvalidAccess(_))), "{result:?}");
        assert_eq!(visible(&theirs), before);
    }
    for profile in [
        "RTP/AVP",
        "RTP/AVPF",
        "RTP/SAVP",
        "RTP/SAVPF",
        "UDP/TLS/RTP/SAVP",
        "TCP/DTLS/RTP/SAVP",
        "TCP/DTLS/RTP/SAVPF",
        "TCP/TLS/RTP/SAVP",
        "TCP/TLS/RTP/SAVPF",
    ] {
        let mut theirs = peer('b', BundlePolicy::Balanced);
        theirs.remote(offer_of(offer.replace("UDP/TLS/RTP/SAVPF", profile)));
        theirs.local(None);
        let line = lines(&local(&theirs), &["m=audio"])[0].to_owned();
        assert!(
            line.starts_with(&format!("m=audio 9 {profile} 96 ")),
            "{line}"
        );
        assert_eq!(theirs.negotiator.transceivers().count(), 1);
    }
}

/// An offer that bundles nothing is given as many transports as there may be, the first of its sections, and keeps them when a section
/// for data comes behind them. One that bundles all is given one.
#[test]
fn transports_are_bounded() {
    let sections: String = (0..70)
        .map(|mid| format!("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\na=recvonly\r\n"))
        .collect();
    let head = full(BundlePolicy::Balanced).offer().sdp;
    let wanted = |it: &&str| {
        let kept = ["v=", "o=", "s=", "t=", "a=ice-", "a=fingerprint", "a=setup"];
        kept.iter().any(|start| it.starts_with(start))
    };
    let lines = head.lines().take_while(|it| !it.starts_with("m="));
    let head: String = lines.filter(wanted).map(|it| format!("{it}\r\n")).collect();
    let alone = format!("{head}a=rtcp-mux\r\n{sections}");
    let mids: Vec<_> = (0..70).map(|it| it.to_string()).collect();
    let bundled = format!(
        "{head}a=rtcp-mux\r\na=group:BUNDLE {}\r\n{sections}",
        mids.join(" ")
    );
    for (most, offer, expected, lives) in [
        (None, &alone, 64, 64),
        (Some(3), &alone, 3, 3),
        (Some(70), &alone, 70, 70),
        (Some(0), &alone, 1, 1),
        (Some(1), &bundled, 1, 70),
    ] {
        let mut peer = Peer::with('b', |config| match most {
            Some(most) => equipped(config).most_transports(most),
            None => equipped(config),
        });
        let changes = peer.remote(offer_of(offer.clone()));
        assert_eq!(transports(&changes), expected, "{most:?}");
        peer.local(None);
        let rejected = local(&peer).matches("m=audio 0 ").count();
        assert_eq!(70 - rejected, lives, "{most:?}");
        let more = format!(
            "{offer}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\na=sctp-port:5000\r\n"
        );
        let changes = peer.remote(offer_of(more));
        assert_eq!(transports(&changes), 0, "{most:?}");
        peer.local(None);
        assert_eq!(
            local(&peer).matches("m=audio 9 ").count(),
            lives,
            "{most:?}"
        );
    }
}
