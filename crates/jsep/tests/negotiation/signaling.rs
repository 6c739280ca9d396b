//! The table of signalling states, rollback, and who may apply what.

use crate::support::{Peer, connected, exchange, visible};
use oxirtc_jsep::{Change, Description, Error, Sctp, SdpType, SignalingState};

use SdpType::{Answer, Offer, Pranswer, Rollback};
use SignalingState::{
    Closed, HaveLocalOffer, HaveLocalPranswer, HaveRemoteOffer, HaveRemotePranswer, Stable,
};

/// A peer in this state, with a description of the other end that fits as offer and as answer.
fn peer_in(state: SignalingState) -> (Peer, Peer) {
    let mut peer = Peer::with_channel('a');
    let mut other = Peer::with_channel('b');
    let pranswer = |description: Description| Description {
        kind: Pranswer,
        ..description
    };
    match state {
        Stable => {}
        Closed => peer.negotiator.close(),
        HaveLocalOffer | HaveRemotePranswer => {
            let offer = peer.offer();
            peer.local(offer.clone());
            other.remote(offer);
            if state == HaveRemotePranswer {
                let answer = other.answer();
                peer.remote(pranswer(answer));
            }
        }
        HaveRemoteOffer | HaveLocalPranswer => {
            other.local(None);
            peer.remote(other.negotiator.local_description().expect("an offer"));
            if state == HaveLocalPranswer {
                let answer = peer.answer();
                peer.local(pranswer(answer));
            }
        }
    }
    assert_eq!(peer.state(), state);
    (peer, other)
}

/// What the table's row says: the local offer, pranswer, answer, rollback, then the remote ones.
fn row(state: SignalingState) -> [Option<SignalingState>; 8] {
    let to = Some;
    match state {
        Stable => [
            to(HaveLocalOffer),
            None,
            None,
            None,
            to(HaveRemoteOffer),
            None,
            None,
            None,
        ],
        HaveLocalOffer => [
            to(HaveLocalOffer),
            None,
            None,
            to(Stable),
            to(HaveRemoteOffer),
            to(HaveRemotePranswer),
            to(Stable),
            None,
        ],
        HaveRemoteOffer => [
            None,
            to(HaveLocalPranswer),
            to(Stable),
            None,
            to(HaveRemoteOffer),
            None,
            None,
            to(Stable),
        ],
        HaveLocalPranswer => [
            None,
            to(HaveLocalPranswer),
            to(Stable),
            None,
            None,
            None,
            None,
            None,
        ],
        HaveRemotePranswer => [
            None,
            None,
            None,
            None,
            None,
            to(HaveRemotePranswer),
            to(Stable),
            None,
        ],
        _ => [None; 8],
    }
}

fn set_remote(peer: &mut Peer, other: &mut Peer, kind: SdpType) -> Result<Vec<Change>, Error> {
    let sdp = match kind {
        // the same offer again, or another peer's first one
        Offer if peer.state() == HaveRemoteOffer => {
            other.negotiator.local_description().expect("its offer").sdp
        }
        Offer => Peer::with_channel('c').offer().sdp,
        Rollback => "not read".to_owned(),
        // an answer that fits, where there is an offer that it can fit
        _ => other
            .try_answer()
            .map_or_else(|_| Peer::new('c').offer().sdp, |it| it.sdp),
    };
    peer.try_remote(Description::new(kind, sdp))
}

/// [4.3.1-01] All 40 cells, and the eight of `closed`: the state after, or `InvalidStateError` with
/// nothing changed.
#[test]
fn forty_cells() {
    let mut cells = 0;
    for state in [
        Stable,
        HaveLocalOffer,
        HaveRemoteOffer,
        HaveLocalPranswer,
        HaveRemotePranswer,
        Closed,
    ] {
        for (column, expected) in row(state).into_iter().enumerate() {
            let (mut peer, mut other) = peer_in(state);
            let before = visible(&peer);
            let kind = [Offer, Pranswer, Answer, Rollback][column % 4];
            let result = if column < 4 {
                peer.try_local(Description::new(kind, ""))
            } else {
                set_remote(&mut peer, &mut other, kind)
            };
            let cell = format!(
                "{state:?}, {} {kind:?}",
                if column < 4 { "local" } else { "remote" }
            );
            match expected {
                Some(after) => {
                    let changes = result.unwrap_or_else(|error| panic!("{cell}: {error}"));
                    assert_eq!(peer.state(), after, "{cell}");
                    // [4.3.1-02] it is announced only when it really changed
                    let announced: Vec<_> = changes
                        .iter()
                        .filter_map(|it| match it {
                            Change::SignalingState(state) => Some(*state),
                            _ => None,
                        })
                        .collect();
                    let implicit = state == HaveLocalOffer && after == HaveRemoteOffer;
                    let mut wanted = if after == state { vec![] } else { vec![after] };
                    if implicit {
                        wanted.insert(0, Stable);
                    }
                    assert_eq!(announced, wanted, "{cell}");
                }
                None => {
                    let error = result.expect_err(&cell);
                    assert!(matches!(error, Error::InvalidState(_)), "{cell}: {error}");
                    assert_eq!(visible(&peer), before, "{cell}");
                }
            }
            cells += 1;
        }
    }
    assert_eq!(cells, 48);
}

/// [4.4.2-06] [4.4.2-07] [4.4.2-20] [4.4.2-31] Where offers and answers are made.
#[test]
fn where_descriptions_are_made() {
    for state in [
        Stable,
        HaveLocalOffer,
        HaveRemoteOffer,
        HaveLocalPranswer,
        HaveRemotePranswer,
        Closed,
    ] {
        let (mut peer, _) = peer_in(state);
        let offer = peer.try_offer(false);
        assert_eq!(
            offer.is_ok(),
            matches!(state, Stable | HaveLocalOffer),
            "{state:?}"
        );
        let answer = peer.try_answer();
        assert_eq!(
            answer.is_ok(),
            matches!(state, HaveRemoteOffer | HaveLocalPranswer),
            "{state:?}"
        );
        for error in [offer.err(), answer.err()].into_iter().flatten() {
            assert!(matches!(error, Error::InvalidState(_)), "{state:?} {error}");
        }
    }
    let (mut asked, mut answered) = connected();
    for peer in [&mut asked, &mut answered] {
        let again = peer.try_answer();
        assert!(matches!(again, Err(Error::InvalidState(_))), "{again:?}");
    }
}

/// [4.3.1-03] [4.4.2-34] Closing announces nothing; what was described can still be read, and no
/// description is taken, of whatever type.
#[test]
fn close() {
    let (mut peer, _) = connected();
    peer.negotiator.close();
    assert_eq!(peer.state(), Closed);
    assert!(peer.negotiator.current_local_description().is_some());
    assert!(matches!(peer.try_local(None), Err(Error::InvalidState(_))));
    for kind in [Offer, Pranswer, Answer, Rollback] {
        let result = peer.try_remote(Description::new(kind, "not read"));
        assert!(
            matches!(result, Err(Error::InvalidState(_))),
            "{kind:?}: {result:?}"
        );
    }
    peer.negotiator.restart_ice(); // [4.4.2-50] no error
}

/// [4.3.1-04] [4.4.2-30] A rollback at either end, whatever its text.
#[test]
fn rollback_ignores_its_text() {
    let (mut peer, mut other) = peer_in(HaveLocalOffer);
    peer.local(Description::new(Rollback, "!@#$"));
    assert_eq!(peer.state(), Stable);
    other.remote(Description::new(Rollback, "v=1"));
    assert_eq!(other.state(), Stable);
    // only by the side whose offer it is
    for (state, local) in [(HaveLocalOffer, false), (HaveRemoteOffer, true)] {
        let (mut peer, _) = peer_in(state);
        let before = visible(&peer);
        let result = match local {
            true => peer.try_local(Description::rollback()),
            false => peer.try_remote(Description::rollback()),
        };
        assert!(matches!(result, Err(Error::InvalidState(_))), "{result:?}");
        assert_eq!(visible(&peer), before);
    }
}

/// [4.3.1-05] [4.4.1.6-36] [4.6.1-02] From a first local offer back: exactly two announcements,
/// descriptions null again, the transport and SCTP gone.
#[test]
fn rollback_of_the_first_offer() {
    let mut peer = Peer::with_channel('a');
    let mut changes = peer.local(None);
    assert!(peer.negotiator.pending_local_description().is_some());
    let forth = changes.len();
    changes.extend(peer.local(Description::rollback()));
    let transport = Change::Sctp(Sctp::Closed);
    assert_eq!(changes[forth], transport);
    assert!(matches!(
        changes[forth + 1],
        Change::TransportRemoved { .. }
    ));
    assert_eq!(changes[forth + 2], Change::SignalingState(Stable));
    assert_eq!(changes.len(), forth + 3);
    assert!(peer.negotiator.local_description().is_none());
    assert!(peer.negotiator.remote_description().is_none());
    assert_eq!(peer.negotiator.transports().count(), 0);
    let mut again = Peer::new('b');
    exchange(&mut peer, &mut again);
}

/// A later offer rolled back leaves all as it was, transports included.
#[test]
fn rollback_of_a_later_offer() {
    let (mut a, mut b) = connected();
    let before = (visible(&a), visible(&b));
    let offer = a.offer();
    a.local(offer.clone());
    b.remote(offer);
    let back = a.local(Description::rollback());
    assert_eq!(back, [Change::SignalingState(Stable)]);
    assert_eq!(
        b.remote(Description::rollback()),
        [Change::SignalingState(Stable)]
    );
    assert_eq!((visible(&a), visible(&b)), before);
}

/// [4.4.2-35] Both offer: the peer that takes the other's offer rolls back its own, in one call.
#[test]
fn implicit_rollback() {
    let mut a = Peer::with_channel('a');
    let mut b = Peer::with_channel('b');
    let ours = a.local(None);
    b.local(None);
    let changes = a.remote(b.negotiator.local_description().expect("an offer"));
    let states: Vec<_> = changes
        .iter()
        .enumerate()
        .filter(|(_, it)| matches!(it, Change::SignalingState(_)))
        .collect();
    assert_eq!(states[0].1, &Change::SignalingState(Stable));
    assert_eq!(
        states[1],
        (changes.len() - 1, &Change::SignalingState(HaveRemoteOffer))
    );
    let Change::TransportAdded { transport, .. } = ours[0] else {
        panic!("{ours:?}")
    };
    assert!(changes[..states[0].0].contains(&Change::TransportRemoved { transport }));
    a.local(None);
    b.remote(a.negotiator.local_description().expect("an answer"));
    assert_eq!((a.state(), b.state()), (Stable, Stable));
}

/// [4.4.2-35] Ours is rolled back before the peer's offer is looked at, and stays so when it cannot be
/// accepted; without an offer of the peer nothing gives way.
#[test]
fn a_bad_offer_rolls_back_too() {
    for bad in [
        "Invalid SDP",
        "v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\na=group:BUNDLE x\r\n",
    ] {
        let (mut a, _) = peer_in(HaveLocalOffer);
        for kind in [Pranswer, Answer, Rollback] {
            assert_eq!(a.negotiator.give_way(kind), []);
        }
        assert_eq!(a.state(), HaveLocalOffer);
        let early = a.negotiator.set_remote(Description::new(Offer, bad));
        assert!(matches!(early, Err(Error::InvalidState(_))), "{early:?}");
        let changes = a.negotiator.give_way(Offer);
        assert_eq!(changes.last(), Some(&Change::SignalingState(Stable)));
        assert!(
            a.negotiator
                .set_remote(Description::new(Offer, bad))
                .is_err()
        );
        assert_eq!(a.state(), Stable);
        assert!(a.negotiator.local_description().is_none());
    }
    for state in [
        Stable,
        HaveRemoteOffer,
        HaveLocalPranswer,
        HaveRemotePranswer,
        Closed,
    ] {
        let (mut peer, _) = peer_in(state);
        assert_eq!(peer.negotiator.give_way(Offer), [], "{state:?}");
    }
}

/// [4.4.1.6-17] [4.4.1.6-19] In `stable` the descriptions created before are no longer taken.
#[test]
fn created_descriptions_end_with_the_exchange() {
    let (mut a, mut b) = (Peer::with_channel('a'), Peer::new('b'));
    let offer = a.offer();
    a.local(offer.clone());
    b.remote(offer.clone());
    let answer = b.answer();
    b.local(answer.clone());
    a.remote(answer.clone());
    let error = a.try_local(offer);
    assert!(
        matches!(error, Err(Error::InvalidModification(_))),
        "{error:?}"
    );
    // the text of an answer of before, in the next exchange
    b.remote(a.offer());
    let error = b.try_local(answer);
    assert!(
        matches!(error, Err(Error::InvalidModification(_))),
        "{error:?}"
    );
}

/// [4.4.2-29] [4.4.1.6-01] Only what was created last is applied.
#[test]
fn modified_descriptions() {
    let mut peer = Peer::with_channel('a');
    let first = peer.offer();
    let second = peer.offer();
    assert_ne!(first, second, "each has a version of its own");
    let mut changed = second.clone();
    changed.sdp.push_str("a=x-mine\r\n");
    for wrong in [&first, &changed] {
        assert!(matches!(
            peer.try_local(wrong.clone()),
            Err(Error::InvalidModification(_))
        ));
    }
    let none = Description::new(Answer, second.sdp.clone());
    assert!(matches!(
        peer.try_local(none),
        Err(Error::InvalidModification(_))
    ));
    peer.local(second);
    let mut other = Peer::new('b');
    other.remote(peer.negotiator.local_description().expect("an offer"));
    let answer = other.answer();
    let mut changed = answer.clone();
    changed.sdp = changed
        .sdp
        .replace("max-message-size:262144", "max-message-size:1");
    for kind in [Answer, Pranswer] {
        let wrong = Description {
            kind,
            ..changed.clone()
        };
        assert!(matches!(
            other.try_local(wrong),
            Err(Error::InvalidModification(_))
        ));
    }
    // [4.4.2-22] an answer may be applied as a provisional one
    other.local(Description {
        kind: Pranswer,
        ..answer.clone()
    });
    other.local(answer);
    assert_eq!(other.state(), Stable);
}

/// [4.4.2-27] [4.4.2-28] Without a description the one created last is used, or one is made.
#[test]
fn implicit_descriptions() {
    let mut peer = Peer::with_channel('a');
    let offer = peer.offer();
    peer.local(None);
    assert_eq!(
        peer.negotiator.local_description(),
        Some(offer.clone()),
        "still accurate"
    );
    let mut stale = Peer::new('b');
    let empty = stale.offer();
    stale.negotiator.add_data_channel();
    stale.local(None);
    let made = stale
        .negotiator
        .local_description()
        .expect("made on the spot");
    assert!(!empty.sdp.contains("m=application") && made.sdp.contains("m=application"));
    let mut answerer = Peer::new('c');
    answerer.remote(offer);
    answerer.local(Description::new(Pranswer, ""));
    assert_eq!(answerer.state(), HaveLocalPranswer);
    answerer.local(None);
    assert_eq!(answerer.state(), Stable);
}

/// [4.4.1.6-16] to [4.4.1.6-19], [4.4.2-01]: which description stands where.
#[test]
fn slots() {
    let (mut a, mut b) = connected();
    let kinds = |peer: &Peer| {
        let it = &peer.negotiator;
        [
            it.current_local_description(),
            it.pending_local_description(),
            it.current_remote_description(),
            it.pending_remote_description(),
        ]
        .map(|description| description.map(|it| it.kind))
    };
    let both = |peer: &Peer| {
        let it = &peer.negotiator;
        [it.local_description(), it.remote_description()]
    };
    let current = |peer: &Peer| {
        let it = &peer.negotiator;
        [
            it.current_local_description(),
            it.current_remote_description(),
        ]
    };
    assert_eq!(kinds(&a), [Some(Offer), None, Some(Answer), None]);
    assert_eq!(kinds(&b), [Some(Answer), None, Some(Offer), None]);
    assert_eq!(both(&a), current(&a));
    b.local(None);
    let offer = b.negotiator.pending_local_description().expect("pending");
    let [_, agreed] = current(&b);
    assert_eq!(both(&b), [Some(offer.clone()), agreed]);
    a.remote(offer.clone());
    let [agreed, _] = current(&a);
    assert_eq!(both(&a), [agreed, Some(offer)]);
    assert_eq!(kinds(&a), [Some(Offer), None, Some(Answer), Some(Offer)]);
    a.local(Description::new(Pranswer, ""));
    b.remote(a.negotiator.local_description().expect("a pranswer"));
    assert_eq!(
        kinds(&a),
        [Some(Offer), Some(Pranswer), Some(Answer), Some(Offer)]
    );
    assert_eq!(
        kinds(&b),
        [Some(Answer), Some(Offer), Some(Offer), Some(Pranswer)]
    );
    a.local(None);
    b.remote(a.negotiator.local_description().expect("an answer"));
    assert_eq!(kinds(&a), [Some(Answer), None, Some(Offer), None]);
    assert_eq!(kinds(&b), [Some(Offer), None, Some(Answer), None]);
}
