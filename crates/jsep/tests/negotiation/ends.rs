//! Two ends that signal to each other: descriptions travel, in order.

use std::{collections::VecDeque, time::Instant};

use oxirtc_jsep::{Change, Description, SdpType, SignalingState, TransceiverId, sdp::Direction};
use oxirtc_netsim::{self as netsim, Duplex, Machine};

use crate::support::Peer;

/// Two ends, and signalling that takes the time of its links.
pub(crate) type Pair = netsim::Pair<End, Duplex>;

/// An application, of which the other one hears all descriptions.
pub(crate) struct End {
    pub(crate) peer: Peer,
    /// As in W3C's example of perfect negotiation (§10.7): whether its own offer gives way. Without, it does not answer by itself.
    polite: Option<bool>,
    /// How often an offer came while it had one of its own.
    pub(crate) collisions: u32,
    followed: Followed,
    outgoing: VecDeque<Description>,
}

impl End {
    pub(crate) fn new(peer: Peer, polite: Option<bool>) -> Self {
        Self {
            peer,
            polite,
            collisions: 0,
            followed: Followed::default(),
            outgoing: VecDeque::new(),
        }
    }

    /// What the application does.
    pub(crate) fn act(&mut self, act: impl FnOnce(&mut Peer) -> Vec<Change>) {
        let changes = act(&mut self.peer);
        self.followed.follow(&self.peer, &changes);
    }

    /// Applies a description of its own, or the one that is due, and tells it.
    pub(crate) fn say(&mut self, description: Option<Description>) {
        let given = description.clone();
        self.act(|peer| peer.local(given));
        let due = || self.peer.negotiator.local_description();
        self.outgoing.extend(description.or_else(due));
    }

    fn hear(&mut self, description: Description) {
        let offer = description.kind == SdpType::Offer;
        let collision = offer && self.peer.state() != SignalingState::Stable;
        self.collisions += u32::from(collision);
        if collision && self.polite == Some(false) {
            return;
        }
        self.act(|peer| peer.remote(description));
        if offer && self.polite.is_some() {
            self.say(None);
        }
    }
}

impl Machine for End {
    type Route = ();

    fn handle_datagram(&mut self, _now: Instant, (): (), datagram: &mut [u8]) {
        let (kind, sdp) = datagram.split_first().expect("a description");
        let sdp = String::from_utf8_lossy(sdp);
        self.hear(Description::new(KINDS[usize::from(*kind)], sdp));
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_transmit(
        &mut self,
        _now: Instant,
        _room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<((), usize)> {
        let Description { kind, sdp } = self.outgoing.pop_front()?;
        buf.extend(
            (0..)
                .zip(KINDS)
                .find_map(|(at, it)| (it == kind).then_some(at)),
        );
        buf.extend(sdp.bytes());
        Some(((), usize::MAX))
    }

    fn poll(&mut self, _now: Instant) -> bool {
        false
    }

    fn mirrored((): ()) {}

    fn describe(&self) -> String {
        format!("{:?}", self.peer.state())
    }
}

/// More than any description has.
pub(crate) const LONGEST: usize = 1 << 20;

/// By what a description begins with on its way.
const KINDS: [SdpType; 4] = [
    SdpType::Offer,
    SdpType::Pranswer,
    SdpType::Answer,
    SdpType::Rollback,
];

/// What the changes of one end come to, as an engine would have it.
#[derive(Default)]
struct Followed {
    there: Vec<(TransceiverId, Option<String>, Option<Direction>)>,
}

impl Followed {
    fn follow(&mut self, peer: &Peer, changes: &[Change]) {
        for transceiver in peer.negotiator.transceivers() {
            let id = transceiver.id();
            // those that the application added
            let known = self.there.iter().any(|it| it.0 == id);
            let told =
                |it: &Change| matches!(it, Change::TransceiverAdded { id: new, .. } if *new == id);
            if !known && !changes.iter().any(told) {
                self.there.push((id, None, None));
            }
        }
        for change in changes {
            let at = |wanted: &TransceiverId| self.there.iter().position(|it| it.0 == *wanted);
            match change {
                Change::TransceiverAdded { id, .. } => self.there.push((*id, None, None)),
                Change::Associated { id, mid } => {
                    let at = at(id).expect("it is known");
                    self.there[at].1.clone_from(mid);
                }
                Change::Direction { id, current } => {
                    let at = at(id).expect("it is known");
                    self.there[at].2 = *current;
                }
                Change::TransceiverRemoved { id } => self.there.retain(|it| it.0 != *id),
                _ => {}
            }
        }
        let mut there: Vec<_> = peer
            .negotiator
            .transceivers()
            .map(|it| (it.id(), it.mid().map(str::to_owned), it.current_direction()))
            .collect();
        there.sort_by_key(|it| it.0);
        self.there.sort_by_key(|it| it.0);
        assert_eq!(self.there, there);
    }
}
