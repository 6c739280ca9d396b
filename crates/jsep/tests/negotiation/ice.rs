//! ICE restarts, roles and lite peers.

use oxirtc_jsep::{Change, Description, Error, IceRole, MediaKind, Origin, TransceiverInit};

use crate::support::{
    Peer, answer_of, connected, equipped, exchange, lines, local_ufrags, offer_of,
};

fn remote_ufrags(changes: &[Change]) -> Vec<String> {
    let ufrag = |change: &Change| match change {
        Change::RemoteIce { credentials, .. } => Some(credentials.ufrag.clone()),
        _ => None,
    };
    changes.iter().filter_map(ufrag).collect()
}

/// [4.2.8-01] [4.2.8-03] An offer that restarts has new credentials; the answer has too; nothing else
/// changes.
#[test]
fn restart_by_option() {
    let (mut a, mut b) = connected();
    let offer = a.try_offer(true).expect("an offer");
    assert!(offer.sdp.contains("a=ice-ufrag:a0000002\r\n"));
    let mut ours = a.local(offer.clone());
    assert_eq!(local_ufrags(&ours), ["a0000002"]);
    let mut theirs = b.remote(offer);
    assert_eq!(
        theirs.len(),
        1,
        "the old generation serves until the answer"
    );
    theirs.extend(b.local(None));
    assert_eq!(local_ufrags(&theirs), ["b0000002"]);
    assert_eq!(remote_ufrags(&theirs), ["a0000002"]);
    ours.extend(a.remote(b.negotiator.local_description().expect("an answer")));
    assert_eq!(remote_ufrags(&ours), ["b0000002"]);
    let other = |it: &&Change| {
        matches!(
            it,
            Change::Dtls { .. } | Change::Sctp(_) | Change::TransportAdded { .. }
        )
    };
    assert_eq!(ours.iter().chain(&theirs).filter(other).count(), 0);
    // where sections are apart, each has new ones
    let [mut a, mut b] = ['a', 'b'].map(|name| Peer::with(name, equipped));
    a.negotiator.add_data_channel();
    add_audio(&mut a);
    a.local(None);
    b.remote(apart(a.negotiator.local_description().expect("an offer")));
    b.local(None);
    a.remote(b.negotiator.local_description().expect("an answer"));
    let used = a.negotiator.local_description().expect("an offer").sdp;
    let restart = a.try_offer(true).expect("an offer").sdp;
    for attribute in ["a=ice-ufrag:", "a=ice-pwd:"] {
        let old = lines(&used, &[attribute]);
        for section in restart.split("m=").skip(1) {
            let new = lines(section, &[attribute]);
            assert!(new.len() == 1 && !old.contains(&new[0]), "{new:?}");
        }
    }
}

/// A description without its bundle group.
fn apart(it: Description) -> Description {
    let kept = it.sdp.lines().filter(|line| !line.starts_with("a=group:"));
    let sdp: String = kept.flat_map(|line| [line, "\r\n"]).collect();
    Description::new(it.kind, sdp)
}

fn add_audio(peer: &mut Peer) {
    let init = TransceiverInit::default();
    let added = peer
        .negotiator
        .add_transceiver(MediaKind::Audio, Origin::Init, init);
    added.expect("equipped");
}

/// [4.2.8-02] Without a restart the credentials stay.
#[test]
fn no_restart() {
    let (mut a, mut b) = connected();
    assert!(a.offer().sdp.contains("a=ice-ufrag:a0000001\r\n"));
    b.remote(a.offer());
    assert!(b.answer().sdp.contains("a=ice-ufrag:b0000001\r\n"));
}

/// [4.4.2-50] [4.4.1.6-17] `restart_ice` makes negotiation needed until new credentials are through.
#[test]
fn restart_by_call() {
    let (mut a, mut b) = connected();
    a.negotiator.restart_ice();
    assert!(a.negotiator.negotiation_needed());
    let (ours, theirs) = exchange(&mut a, &mut b);
    assert_eq!(
        (local_ufrags(&ours), local_ufrags(&theirs)),
        (vec!["a0000002".into()], vec!["b0000002".into()])
    );
    assert!(!a.negotiator.negotiation_needed());
    let (ours, _) = exchange(&mut a, &mut b);
    assert!(local_ufrags(&ours).is_empty(), "once is enough");
    // who answers has replaced its own as well, and not before the answer
    b.negotiator.restart_ice();
    let offer = a.try_offer(true).expect("an offer");
    a.local(offer.clone());
    b.remote(offer);
    let answer = b.answer();
    assert!(b.negotiator.negotiation_needed());
    b.local(answer);
    assert!(!b.negotiator.negotiation_needed());
}

/// [4.4.2-51] Without a negotiation there is nothing to restart.
#[test]
fn restart_of_nothing() {
    let mut peer = Peer::new('a');
    peer.negotiator.restart_ice();
    assert!(!peer.negotiator.negotiation_needed());
}

/// [4.4.2-52] The wish to restart outlives a rollback and an exchange that the peer began.
#[test]
fn restart_survives() {
    let (mut a, mut b) = connected();
    a.negotiator.restart_ice();
    a.local(None);
    let back = a.local(Description::rollback());
    assert!(a.negotiator.negotiation_needed());
    let Change::LocalIce {
        credentials,
        restored: true,
        ..
    } = &back[0]
    else {
        panic!("{back:?}")
    };
    assert_eq!(
        credentials.ufrag, "a0000001",
        "a rollback goes back to the earlier generation"
    );

    b.local(None);
    let offer = b.negotiator.local_description().expect("an offer");
    a.remote(offer.clone());
    a.remote(Description::rollback());
    assert!(
        a.negotiator.negotiation_needed(),
        "nor does a rollback of the peer's offer end it"
    );
    a.remote(offer);
    a.negotiator.restart_ice();
    let changes = a.local(None);
    assert!(
        local_ufrags(&changes).is_empty(),
        "an answer does not restart on its own"
    );
    b.remote(a.negotiator.local_description().expect("an answer"));
    assert!(a.negotiator.negotiation_needed());
    let (ours, _) = exchange(&mut a, &mut b);
    assert_eq!(local_ufrags(&ours).len(), 1);
    assert!(!a.negotiator.negotiation_needed());
}

/// A restart asked for while an offer is open: the same offer made again has new credentials, once.
#[test]
fn restart_while_offering() {
    let (mut a, mut b) = connected();
    a.local(None);
    a.negotiator.restart_ice();
    let second = a.offer();
    assert!(second.sdp.contains("a0000002"));
    assert_eq!(local_ufrags(&a.local(second)), ["a0000002"]);
    assert!(
        a.offer().sdp.contains("a=ice-ufrag:a0000002\r\n"),
        "they are not to be replaced again"
    );
    b.remote(a.negotiator.local_description().expect("an offer"));
    b.local(None);
    a.remote(b.negotiator.local_description().expect("an answer"));
    assert!(!a.negotiator.negotiation_needed());
}

/// A peer that answers a restart with its old credentials: ICE is told them anew for our new ones.
#[test]
fn restart_half_answered() {
    let (mut a, b) = connected();
    let old = b.negotiator.local_description().expect("an answer").sdp;
    let offer = a.try_offer(true).expect("an offer");
    a.local(offer);
    let changes = a.remote(answer_of(old));
    assert_eq!(remote_ufrags(&changes), ["b0000001"]);
}

/// A peer that restarts alone, as another fork or another server does: its credentials are told, and ours
/// once more behind them, so that the new generation has both halves.
#[test]
fn restart_by_the_answer_alone() {
    let (mut a, mut b) = connected();
    let transport = a.negotiator.transports().next().expect("one");
    a.local(None);
    b.remote(a.negotiator.local_description().expect("an offer"));
    let answer = b.answer().sdp;
    let changes = a.remote(answer_of(answer.replace("a=ice-ufrag:b", "a=ice-ufrag:c")));
    let local = a.latest();
    let wanted = |credentials: &oxirtc_jsep::Credentials| credentials.ufrag == "c0000001";
    assert!(
        matches!(&changes[0], Change::RemoteIce { credentials, .. } if wanted(credentials)),
        "{changes:?}"
    );
    let again = Change::LocalIce {
        transport,
        credentials: local,
        restored: false,
    };
    assert_eq!(changes[1], again);
    // a fork after a provisional answer, likewise
    let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
    a.local(None);
    b.remote(a.negotiator.local_description().expect("an offer"));
    let answer = b.answer().sdp;
    let first = a.remote(Description::new(
        oxirtc_jsep::SdpType::Pranswer,
        answer.clone(),
    ));
    assert_eq!(
        (local_ufrags(&first).len(), remote_ufrags(&first).len()),
        (0, 1)
    );
    let last = a.remote(answer_of(answer.replace("a=ice-ufrag:b", "a=ice-ufrag:c")));
    assert_eq!(
        (local_ufrags(&last).len(), remote_ufrags(&last).len()),
        (1, 1)
    );
}

/// [4.4.1.6-27] [5.6.5-01] Who nominates: the offerer, and a full agent always when the peer is lite.
#[test]
fn roles() {
    let role = |changes: &[Change]| {
        changes.iter().find_map(|it| match it {
            Change::IceRole { role, .. } => Some(*role),
            _ => None,
        })
    };
    let lite = |changes: &[Change]| {
        changes
            .iter()
            .any(|it| matches!(it, Change::RemoteIce { lite: true, .. }))
    };
    let mut a = Peer::with_channel('a');
    let offer = a.offer();
    assert_eq!(role(&a.local(offer.clone())), Some(IceRole::Controlling));
    let mut b = Peer::new('b');
    assert_eq!(role(&b.remote(offer.clone())), Some(IceRole::Controlled));
    let mut c = Peer::new('c');
    let changes = c.remote(offer_of(
        offer.sdp.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"),
    ));
    assert_eq!(role(&changes), Some(IceRole::Controlling));
    assert!(lite(&c.local(None)));
    // never overwritten: the one who answered first offers later
    b.local(None);
    a.remote(b.negotiator.local_description().expect("an answer"));
    let (ours, theirs) = exchange(&mut b, &mut a);
    assert_eq!((role(&ours), role(&theirs)), (None, None));
    // nor is that of a transport that comes later another one
    let [mut a, mut b] = ['a', 'b'].map(|name| Peer::with(name, equipped));
    a.negotiator.add_data_channel();
    a.local(None);
    b.remote(apart(a.negotiator.local_description().expect("an offer")));
    b.local(None);
    a.remote(b.negotiator.local_description().expect("an answer"));
    add_audio(&mut b);
    let changes = b.local(None);
    assert_eq!(role(&changes), Some(IceRole::Controlled));
    let offer = b.negotiator.local_description().expect("an offer");
    assert_eq!(role(&a.remote(apart(offer))), Some(IceRole::Controlling));
}

/// draft-thatcher-ice-renomination: who reads numbers of nominations says so, whoever the peer is, at session level or in the section of
/// the transport. What was said with credentials counts for as long as they do.
#[test]
fn numbers_of_nominations() {
    let told = |changes: &[Change]| {
        changes.iter().find_map(|it| match it {
            Change::RemoteIce { renomination, .. } => Some(*renomination),
            _ => None,
        })
    };
    let peer = |name, on| {
        let mut peer = Peer::with(name, |config| config.renomination(on));
        peer.negotiator.add_data_channel();
        peer
    };
    for (ours, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
        let (mut a, mut b) = (peer('a', ours), peer('b', theirs));
        let (here, there) = exchange(&mut a, &mut b);
        assert_eq!((told(&here), told(&there)), (Some(theirs), Some(ours)));
        for (peer, on) in [(&a, ours), (&b, theirs)] {
            let sdp = peer.negotiator.local_description().expect("it is set").sdp;
            let line = match on {
                true => "a=ice-options:trickle ice2 renomination\r\n",
                false => "a=ice-options:trickle ice2\r\n",
            };
            assert!(sdp.contains(line), "{sdp}");
        }
    }
    let options = "a=ice-options:trickle ice2\r\n";
    let offer = peer('a', false).offer().sdp;
    let section = |line: &str| format!("{}{line}\r\n", offer.replace(options, ""));
    for (sdp, expected) in [
        (section("a=ice-options:trickle renomination"), true),
        (section("a=ice-options:renomination"), true),
        (section("a=ice-options:renominations x"), false),
        (section("a=x:renomination"), false),
    ] {
        let mut b = peer('b', true);
        b.remote(offer_of(sdp.clone()));
        assert_eq!(told(&b.local(None)), Some(expected), "{sdp}");
    }
    let (mut a, mut b) = (peer('a', true), peer('b', true));
    exchange(&mut a, &mut b);
    let offer = b.offer();
    b.local(offer.clone());
    a.remote(offer_of(offer.sdp.replace(" renomination", "")));
    assert_eq!(told(&a.local(None)), None);
}

/// An offer that was refused leaves the restart open.
#[test]
fn refused_restart() {
    let (mut a, b) = connected();
    a.negotiator.restart_ice();
    a.local(None);
    let wrong = b
        .negotiator
        .local_description()
        .expect("an answer")
        .sdp
        .replace("a=setup:active", "a=setup:actpass");
    assert!(matches!(
        a.negotiator.set_remote(answer_of(wrong)),
        Err(Error::InvalidAccess(_))
    ));
    assert!(a.negotiator.negotiation_needed());
}
