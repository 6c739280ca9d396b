//! What messages waited when the peer restarted the association (RFC 9260 §5.2.4).

use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry};

use super::outgoing::Outgoing;
use crate::{StreamId, tx::scheduler::Scheduler};

/// The streams of an association that the peer has restarted, of which thresholds and weights stay.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) streams: BTreeMap<StreamId, Box<Outgoing>>,
    pub(super) scheduler: Scheduler,
    pub(super) begun: BTreeSet<(usize, StreamId)>,
    /// From here on there are none any more.
    pub(super) limit: StreamId,
}

/// The stream, as it begins if nothing is known of it but what stays at a restart.
#[inline]
pub(super) fn outgoing<'a>(
    streams: &'a mut BTreeMap<StreamId, Box<Outgoing>>,
    before: &VecDeque<Before>,
    stream: StreamId,
) -> &'a mut Outgoing {
    match streams.entry(stream) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => entry.insert(anew(before, stream)),
    }
}

fn anew(before: &VecDeque<Before>, stream: StreamId) -> Box<Outgoing> {
    let mut before = before.iter().rev().filter(|it| stream < it.limit);
    let old = before.find_map(|it| it.streams.get(&stream));
    Box::new(old.map(|old| old.anew()).unwrap_or_default())
}
