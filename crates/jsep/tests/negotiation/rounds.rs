//! Perfect negotiation: two ends that offer whenever they like always agree.

use oxirtc_jsep::{Description, SignalingState};
use oxirtc_netsim::{self as netsim, Duplex, Link, for_each_seed, ms, secs};

use crate::{
    ends::{End, LONGEST, Pair},
    support::Peer,
};

/// A small generator: its rounds can be replayed by their seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Returns how often both had offered.
fn round(seed: u64) -> u32 {
    let mut random = Random(seed);
    let ends = [('a', true), ('b', false)];
    let ends = ends.map(|(name, polite)| End::new(Peer::new(name), Some(polite)));
    let [there, back] = [0, 1].map(|at| Link::new(seed + at).delay(ms(random.below(60))));
    let mut pair = Pair::new(ends, Duplex::asymmetric(there, back));
    pair.room = LONGEST;
    for _ in 0..5 + random.below(30) {
        let side = netsim::End::BOTH[random.below(2) as usize];
        pair.with(side, |end, _| {
            let negotiator = &mut end.peer.negotiator;
            match random.below(4) {
                0 => {
                    match random.below(3) {
                        0 => negotiator.add_data_channel(),
                        1 => negotiator.restart_ice(),
                        _ => {}
                    }
                    offer(end);
                }
                1 if negotiator.negotiation_needed() => offer(end),
                _ => {}
            }
        });
        pair.run_for(ms(random.below(20)));
    }
    pair.run_until(secs(10), |pair| {
        for side in netsim::End::BOTH {
            if pair[side].peer.negotiator.negotiation_needed() {
                pair.with(side, |end, _| offer(end));
            }
        }
        let settled = |end: &End| {
            let needs = end.peer.negotiator.negotiation_needed();
            end.peer.state() == SignalingState::Stable && !needs
        };
        pair.wire.poll_timeout().is_none() && pair.ends.iter().all(settled)
    });
    let [a, b] = &pair.ends;
    let sdp = |description: Option<Description>| description.map(|it| it.sdp);
    let (one, two) = (&a.peer.negotiator, &b.peer.negotiator);
    assert_eq!(
        sdp(one.current_local_description()),
        sdp(two.current_remote_description()),
    );
    assert_eq!(
        sdp(two.current_local_description()),
        sdp(one.current_remote_description()),
    );
    assert_eq!(one.transports().count(), two.transports().count());
    a.collisions.min(b.collisions)
}

/// `onnegotiationneeded`, or a whim.
fn offer(end: &mut End) {
    if end.peer.state() == SignalingState::Stable {
        end.say(None);
    }
}

/// [4.7-01] [4.7.3-05] 1,000 rounds of random offers, glare included: both ends agree in the end.
#[test]
fn glare() {
    let (mut rounds, mut collisions) = (0, 0);
    for_each_seed(1000, |seed| {
        rounds += 1;
        collisions += round(seed);
    });
    // One alone may have none.
    assert!(rounds == 1 || collisions > 500, "{collisions}");
}
