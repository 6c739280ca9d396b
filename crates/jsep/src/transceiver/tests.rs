//! The life of a transceiver.

use super::*;

use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

const ALL: [Direction; 4] = [SendRecv, SendOnly, RecvOnly, Inactive];

fn video(origin: Origin, direction: Direction) -> Transceiver {
    Transceiver::new(TransceiverId(0), MediaKind::Video, origin, direction)
}

/// [5.4-01] [5.4-02] [5.4-03] [5.4-05] [5.4-06] [5.4-07] The life of one: directions, stopping, stopped.
#[test]
fn life() {
    let mut it = video(Origin::Init, SendRecv);
    assert_eq!((it.mid(), it.current_direction()), (None, None));
    assert_eq!(it.set_direction(SendRecv), Ok(false));
    assert_eq!(it.set_direction(SendOnly), Ok(true));
    it.associate("7");
    it.settle(SendOnly, RecvOnly);
    assert_eq!(
        (it.mid(), it.current_direction()),
        (Some("7"), Some(SendOnly))
    );
    it.settle(SendOnly, Inactive);
    assert_eq!(it.current_direction(), Some(Inactive));
    it.stop();
    assert!(it.is_stopping() && !it.is_stopped());
    assert_eq!(it.direction(), None);
    assert_eq!(
        it.current_direction(),
        Some(Inactive),
        "until it is negotiated"
    );
    assert!(matches!(
        it.set_direction(SendOnly),
        Err(Error::InvalidState(_))
    ));
    it.reject();
    it.stop();
    assert!(it.is_stopped() && it.current_direction().is_none());
}

/// [5.4-08] [4.4.2-25] What stands in offers and answers: never more than both ends take; a stopping one is rejected
/// by offers only.
#[test]
fn directions() {
    for ours in ALL {
        let it = video(Origin::Init, ours);
        assert_eq!(it.offered_direction(), Some(ours));
        for theirs in ALL {
            let answer = it.answered_direction(theirs).expect("it runs");
            assert_eq!(answer.sends(), ours.sends() && theirs.receives());
            assert_eq!(answer.receives(), ours.receives() && theirs.sends());
        }
    }
    let mut it = video(Origin::Init, SendRecv);
    it.stop();
    assert_eq!(
        (it.offered_direction(), it.answered_direction(SendRecv)),
        (None, Some(Inactive))
    );
    it.reject();
    assert_eq!(
        (it.offered_direction(), it.answered_direction(SendRecv)),
        (None, None)
    );
}

/// [4.4.1.6-29] [4.4.1.6-37] [4.4.1.6-38] [5-03] Which of the peer's sections one takes, and what a rollback
/// leaves.
#[test]
fn association() {
    let takes = |it: &Transceiver| ALL.map(|offered| it.takes(MediaKind::Video, offered));
    let tracked = video(Origin::Track, SendRecv);
    assert_eq!(takes(&tracked), [true, false, true, false]);
    assert!(!tracked.takes(MediaKind::Audio, SendRecv));
    let none = [false; 4];
    assert_eq!(takes(&video(Origin::Init, SendRecv)), none);
    let mut init = video(Origin::Init, RecvOnly);
    init.track();
    assert_eq!(
        (takes(&init), init.direction()),
        ([true, false, true, false], Some(SendRecv))
    );
    init.associate("0");
    assert_eq!(takes(&init), none);
    assert!(init.roll_back(None));
    assert_eq!((init.mid(), takes(&init)[0]), (None, true));
    init.stop();
    assert_eq!(takes(&init), none);
    let mut theirs = video(Origin::Peer, RecvOnly);
    theirs.associate("0");
    assert!(!theirs.roll_back(None));
    theirs.track();
    assert!(theirs.roll_back(None), "a track is kept");
}

/// [5.4-10] [5.4-11] [5.4-12] [5.4-13] [5.4-14] Preferences: of our codecs, each once, one with media; none is the default.
#[test]
fn preferences() {
    let capabilities = ["VP8", "VP9", "rtx", "red"].map(|name| Codec::new(name, 90_000));
    let [vp8, vp9, rtx, red] = &capabilities;
    let mut it = video(Origin::Init, SendRecv);
    let mut set = |list: &[&Codec]| {
        let list: Vec<_> = list.iter().map(|it| (*it).clone()).collect();
        let result = it.set_codec_preferences(&list, &capabilities);
        if let Err(error) = &result {
            assert!(matches!(error, Error::InvalidModification(_)), "{error}");
        }
        (result.is_ok(), it.codecs(&capabilities).to_vec())
    };
    let lower = Codec::new("vp9", 90_000);
    let chosen = vec![vp9.clone(), rtx.clone()];
    assert_eq!(set(&[&lower, rtx, vp9, rtx]), (true, chosen.clone()));
    for wrong in [vec![rtx, red], vec![vp8, &Codec::new("AV1", 90_000)]] {
        assert_eq!(set(&wrong), (false, chosen.clone()), "nothing has changed");
    }
    assert_eq!(set(&[]), (true, capabilities.to_vec()));
}

/// [4.7.3-07] [4.7.3-08] [4.7.3-09] [4.7.3-10] [4.7.3-11] [4.7.3-12] [4.7.3-13] When negotiation is needed for one.
#[test]
fn negotiation_needed() {
    let mut it = video(Origin::Init, SendRecv);
    let streams = ["a".to_owned(), "b".to_owned()];
    it.set_streams(vec!["b".to_owned(), "a".to_owned(), "a".to_owned()]);
    let described = Described {
        offered: true,
        local: SendRecv,
        remote: SendRecv,
        streams: &streams,
        rejected: false,
    };
    let with = |edit: &dyn Fn(&mut Described<'_>)| {
        let mut it = described.clone();
        edit(&mut it);
        it
    };
    assert!(it.needs_negotiation(None));
    assert!(!it.needs_negotiation(Some(&described)));
    assert!(it.needs_negotiation(Some(&with(&|it| it.streams = &[]))));
    // our offer: neither what we said nor what the peer took
    let half = |local, remote| with(&|it| (it.local, it.remote) = (local, remote));
    assert!(!it.needs_negotiation(Some(&half(SendRecv, Inactive))));
    assert!(!it.needs_negotiation(Some(&half(Inactive, SendRecv))));
    assert!(it.needs_negotiation(Some(&half(SendOnly, RecvOnly))));
    // our answer: other than what both want
    let answer =
        |local, remote| with(&|it| (it.offered, it.local, it.remote) = (false, local, remote));
    assert!(!it.needs_negotiation(Some(&answer(RecvOnly, SendOnly))));
    assert!(it.needs_negotiation(Some(&answer(Inactive, SendOnly))));
    assert!(it.needs_negotiation(Some(&answer(RecvOnly, SendRecv))));
    it.set_direction(RecvOnly).expect("it runs");
    assert!(!it.needs_negotiation(Some(&with(&|it| (it.local, it.streams) = (RecvOnly, &[])))));
    it.stop();
    assert!(it.needs_negotiation(Some(&described)));
    it.reject();
    assert!(
        it.needs_negotiation(Some(&described)),
        "not rejected in a description yet"
    );
    assert!(!it.needs_negotiation(Some(&with(&|it| it.rejected = true))));
    assert!(!it.needs_negotiation(None));
}
