//! Two ends that add, stop, hold, roll back and negotiate at random always come to agree.

use std::time::Duration;

use oxirtc_jsep::{
    BundlePolicy, Change, Description, MediaKind, Origin, SdpType, SignalingState, Transceiver,
    TransceiverId, TransceiverInit,
    sdp::{Direction, Session},
};
use oxirtc_netsim::{self as netsim, Duplex, Link, for_each_seed};

use crate::{
    ends::{End, LONGEST, Pair},
    rounds::Random,
    support::{Peer, equipped},
};

const DIRECTIONS: [Direction; 4] = [
    Direction::SendRecv,
    Direction::SendOnly,
    Direction::RecvOnly,
    Direction::Inactive,
];

const POLICIES: [BundlePolicy; 3] = [
    BundlePolicy::Balanced,
    BundlePolicy::MaxCompat,
    BundlePolicy::MaxBundle,
];

/// What an application does to its transceivers between two exchanges.
fn act(peer: &mut Peer, random: &mut Random) -> Vec<Change> {
    let negotiator = &mut peer.negotiator;
    let ids: Vec<TransceiverId> = negotiator.transceivers().map(Transceiver::id).collect();
    let any = ids.get(random.below(8) as usize).copied();
    let direction = DIRECTIONS[random.below(4) as usize];
    match (random.below(7), any) {
        (0 | 1, _) if ids.len() < 6 => {
            let kind = [MediaKind::Audio, MediaKind::Video][random.below(2) as usize];
            let origin = [Origin::Track, Origin::Init][random.below(2) as usize];
            let rids = ["q", "h", "f"].into_iter().take(random.below(4) as usize);
            let rids = rids.map(str::to_owned).collect();
            let streams = vec![format!("s{}", random.below(3))];
            let init = TransceiverInit {
                direction,
                streams,
                rids,
            };
            let added = negotiator.add_transceiver(kind, origin, init);
            added.expect("it is equipped");
            Vec::new()
        }
        (2, Some(id)) => negotiator.stop(id).expect("it is open"),
        (3, Some(id)) => {
            let streams = vec![format!("s{}", random.below(3))];
            negotiator.set_streams(id, streams).expect("it is there");
            Vec::new()
        }
        (4, _) => {
            negotiator.add_data_channel();
            Vec::new()
        }
        (_, Some(id)) => {
            // one that is stopping has no direction any more
            let stopping = negotiator
                .transceiver(id)
                .is_some_and(Transceiver::is_stopping);
            assert_eq!(negotiator.set_direction(id, direction).is_err(), stopping);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// What a rollback goes back to; the transceivers `without` those that the peer's offer stopped, which is for good.
fn settled(peer: &Peer, without: &[TransceiverId]) -> impl PartialEq + std::fmt::Debug + use<> {
    let it = &peer.negotiator;
    let transceivers = it.transceivers().filter(|it| !without.contains(&it.id()));
    let transceivers = transceivers.map(|it| {
        let encodings = it.encodings().iter();
        let rids: Vec<_> = encodings.map(|it| it.rid.clone()).collect();
        let mid = it.mid().map(str::to_owned);
        (it.id(), mid, rids, it.agreement().clone())
    });
    (
        it.current_local_description(),
        it.local_description(),
        it.remote_description(),
        it.transports().collect::<Vec<_>>(),
        transceivers.collect::<Vec<_>>(),
    )
}

/// An exchange that an end begins, perhaps with a provisional answer, perhaps rolled back before it.
fn negotiate(pair: &mut Pair, offerer: netsim::End, random: &mut Random) {
    let answerer = offerer.other();
    if random.below(4) == 0 {
        // stopped by the offer: what the offerer is stopping
        let all = pair[offerer].peer.negotiator.transceivers();
        let stopping = all.filter(|it| it.is_stopping());
        let mids: Vec<_> = stopping
            .filter_map(|it| it.mid().map(str::to_owned))
            .collect();
        let without = pair.ends.each_ref().map(|end| {
            let all = end.peer.negotiator.transceivers();
            let ended =
                all.filter(|it| it.mid().is_some_and(|mid| mids.iter().any(|it| it == mid)));
            ended.map(Transceiver::id).collect::<Vec<_>>()
        });
        let both = |pair: &Pair| [0, 1].map(|at| settled(&pair.ends[at].peer, &without[at]));
        let before = both(pair);
        say(pair, offerer, None);
        say(pair, offerer, Some(Description::rollback()));
        assert_eq!(both(pair), before);
    }
    say(pair, offerer, None);
    if random.below(3) == 0 {
        pair.with(answerer, |end, _| end.act(|peer| act(peer, random)));
    }
    if random.below(4) == 0 {
        let mut answer = pair.end(answerer).peer.answer();
        answer.kind = SdpType::Pranswer;
        say(pair, answerer, Some(answer));
    }
    say(pair, answerer, None);
}

/// One end says something, and the other one has heard it.
fn say(pair: &mut Pair, from: netsim::End, description: Option<Description>) {
    pair.with(from, |end, _| end.say(description));
    pair.run_for(Duration::ZERO);
}

/// What one end sends the other takes, under the same numbers.
fn agree([one, two]: [&Peer; 2]) {
    takes(one, two);
    takes(two, one);
}

fn takes(one: &Peer, two: &Peer) {
    for ours in one.negotiator.transceivers() {
        let Some(mid) = ours.mid() else { continue };
        let mut all = two.negotiator.transceivers();
        let Some(theirs) = all.find(|it| it.mid() == Some(mid)) else {
            panic!("the other end has nothing for {mid}");
        };
        let current = ours.current_direction().expect("it was negotiated");
        assert_eq!(
            Some(current.reversed()),
            theirs.current_direction(),
            "{mid}"
        );
        if ours.is_stopping() || theirs.is_stopping() {
            continue;
        }
        let (sent, received) = (ours.send_parameters(), theirs.receive_parameters());
        assert_eq!(sent.is_some(), received.is_some(), "{mid}");
        assert_eq!(sent.is_some(), current.sends(), "{mid}");
        let Some((sent, received)) = sent.zip(received) else {
            continue;
        };
        assert_eq!(sent.codecs, received.codecs, "{mid}");
        assert_eq!(sent.extensions, received.extensions, "{mid}");
        assert_eq!(sent.mixed, received.mixed, "{mid}");
        let rids: Vec<_> = sent
            .encodings
            .iter()
            .filter_map(|it| it.rid.clone())
            .collect();
        assert_eq!(rids, received.rids, "{mid}");
        if rids.is_empty() {
            let [only] = sent.encodings.as_slice() else {
                panic!("one stream has no rid");
            };
            let announced = received.announced.first().expect("it is announced");
            assert_eq!(
                (only.ssrc, only.rtx),
                (announced.ssrc, announced.rtx),
                "{mid}"
            );
        }
        assert_eq!(ours.streams(), theirs.agreement().streams, "{mid}");
    }
}

/// What holds for every description of ours: RFC 9143 §9.1 and what browsers ask for.
fn well_formed(peer: &Peer) {
    let sdp = peer.negotiator.local_description().expect("one").sdp;
    let session = Session::parse(&sdp).expect("a description");
    let mut meanings: Vec<(u8, String)> = Vec::new();
    let mut mids = Vec::new();
    for media in session.media() {
        let mid = media.mid().expect("a mid");
        assert!(!mids.contains(&mid), "{mid} twice");
        mids.push(mid);
        if media.is_rejected() {
            continue;
        }
        let payloads: Vec<_> = media.formats().collect();
        let maps: Vec<_> = media.rtp_maps().collect();
        for map in &maps {
            assert!(payloads.contains(&map.payload.to_string().as_str()));
            let parameters = media.values("fmtp").find_map(|it| {
                let (payload, rest) = it.split_once(' ')?;
                (payload == map.payload.to_string()).then_some(rest)
            });
            let meaning = format!("{}/{} {parameters:?}", map.encoding, map.clock_rate);
            match meanings.iter().find(|(payload, _)| *payload == map.payload) {
                Some((payload, known)) => assert_eq!(*known, meaning, "{payload}"),
                None => meanings.push((map.payload, meaning)),
            }
        }
        if media.media() != "application" {
            assert_eq!(payloads.len(), maps.len());
            assert!(media.has("rtcp-mux") && media.direction().is_some());
        }
    }
}

fn round(seed: u64) {
    let mut random = Random(seed);
    let ends = ['a', 'b'].map(|name| {
        let policy = POLICIES[random.below(3) as usize];
        let peer = Peer::with(name, |config| equipped(config).bundle_policy(policy));
        End::new(peer, None)
    });
    let mut pair = Pair::new(ends, Duplex::new(Link::new(seed)));
    pair.room = LONGEST;
    for _ in 0..3 + random.below(8) {
        for side in netsim::End::BOTH {
            for _ in 0..random.below(3) {
                pair.with(side, |end, _| end.act(|peer| act(peer, &mut random)));
            }
        }
        let offerer = netsim::End::BOTH[random.below(2) as usize];
        negotiate(&mut pair, offerer, &mut random);
        let peers = pair.ends.each_ref().map(|end| &end.peer);
        for peer in peers {
            assert_eq!(peer.state(), SignalingState::Stable);
            well_formed(peer);
        }
        agree(peers);
    }
    // whoever needs it offers: that ends
    for step in 0.. {
        assert!(step < 6, "no end");
        let needs = |end: &netsim::End| pair[*end].peer.negotiator.negotiation_needed();
        let Some(offerer) = netsim::End::BOTH.into_iter().find(needs) else {
            break;
        };
        negotiate(&mut pair, offerer, &mut Random(seed));
    }
    let peers = pair.ends.each_ref().map(|end| &end.peer);
    agree(peers);
    for peer in peers {
        let transports = peer.negotiator.transports().count();
        assert!(transports <= 1, "bundled: {transports}");
        assert!(peer.negotiator.transceivers().all(|it| it.mid().is_some()));
    }
}

/// [4.4.1.6-12] [4.2.6-04] [4.7.3-13] Rounds of random acts, exchanges and rollbacks under all policies.
#[test]
fn rounds() {
    for_each_seed(100, round);
}
