//! Perfect negotiation: two ends that offer whenever they like always agree.

use std::collections::VecDeque;

use oxirtc_jsep::{Description, SdpType, SignalingState};
use oxirtc_netsim::for_each_seed;

use crate::support::Peer;

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

/// One end as the W3C's example of perfect negotiation has it.
struct End {
    peer: Peer,
    polite: bool,
    collisions: u32,
    inbox: VecDeque<Description>,
}

impl End {
    fn new(name: char, polite: bool) -> Self {
        Self {
            peer: Peer::new(name),
            polite,
            collisions: 0,
            inbox: VecDeque::new(),
        }
    }

    /// `onnegotiationneeded`, or a whim.
    fn offer(&mut self) -> Option<Description> {
        if self.peer.state() != SignalingState::Stable {
            return None;
        }
        self.peer.local(None);
        self.peer.negotiator.local_description()
    }

    /// The next message of the other end; perhaps there is a reply.
    fn receive(&mut self, seed: u64) -> Option<Description> {
        let description = self.inbox.pop_front()?;
        let offer = description.kind == SdpType::Offer;
        let collision = offer && self.peer.state() != SignalingState::Stable;
        self.collisions += u32::from(collision);
        if collision && !self.polite {
            return None;
        }
        let result = self.peer.try_remote(description);
        result.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        if offer {
            self.peer.local(None);
            return self.peer.negotiator.local_description();
        }
        None
    }
}

/// Returns how often both had offered.
fn round(seed: u64) -> u32 {
    let mut random = Random(seed);
    let mut ends = [End::new('a', true), End::new('b', false)];
    let steps = 5 + random.below(30);
    let mut step = 0;
    loop {
        let calm = step >= steps;
        let side = (random.below(2)) as usize;
        let end = &mut ends[side];
        let sent = match random.below(4) {
            0 if !calm => {
                match random.below(3) {
                    0 => end.peer.negotiator.add_data_channel(),
                    1 => end.peer.negotiator.restart_ice(),
                    _ => {}
                }
                end.offer()
            }
            1 if end.peer.negotiator.negotiation_needed() => end.offer(),
            _ => end.receive(seed),
        };
        if let Some(sent) = sent {
            ends[1 - side].inbox.push_back(sent);
        }
        step += 1;
        let quiet = |end: &End| {
            end.inbox.is_empty()
                && end.peer.state() == SignalingState::Stable
                && !end.peer.negotiator.negotiation_needed()
        };
        if calm && ends.iter().all(quiet) {
            break;
        }
        assert!(step < steps + 1000, "seed {seed}: no end");
    }
    let [a, b] = &ends;
    let sdp = |description: Option<Description>| description.map(|it| it.sdp);
    let (one, two) = (&a.peer.negotiator, &b.peer.negotiator);
    assert_eq!(
        sdp(one.current_local_description()),
        sdp(two.current_remote_description()),
        "seed {seed}"
    );
    assert_eq!(
        sdp(two.current_local_description()),
        sdp(one.current_remote_description()),
        "seed {seed}"
    );
    assert_eq!(
        one.transports().count(),
        two.transports().count(),
        "seed {seed}"
    );
    a.collisions.min(b.collisions)
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
