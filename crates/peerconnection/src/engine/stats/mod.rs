//! Statistics: one pass over the layers, which do the counting.

mod candidates;
mod certificates;
mod channels;
mod traffic;
mod transports;

use std::time::{Instant, SystemTime};

use super::{
    Engine,
    equipment::Equipment,
    ids::{ChannelId, TransportId},
};
use crate::stats::{
    DtlsTransportState, IceTransportState, Ids, Stats, StatsObject, StatsReport, StatsType,
};

pub(super) use traffic::Traffic;

/// What a report may be about, instead of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatsSubject {
    /// A transport: it, and all that it refers to.
    Transport(TransportId),
    /// A channel: it, and the transport under it.
    Channel(ChannelId),
}

/// A report while it is made.
struct Pass {
    ids: Ids,
    anchor: crate::path::Anchor,
    now: Instant,
    report: StatsReport,
}

impl Engine {
    /// `getStats()` ([W3C §8.2](https://www.w3.org/TR/webrtc/#rtcpeerconnection-interface-extensions-1)): everything at this moment.
    /// After [`close`](Self::close), transports are as they were then.
    #[must_use]
    pub fn stats(&self, now: Instant) -> StatsReport {
        let mut pass = Pass::new(&self.equipment, now);
        pass.connection(&self.data);
        if self.closed {
            let kept = self.last_stats.iter().cloned();
            kept.for_each(|it| pass.report.insert(it));
        } else {
            for transport in self.transports.iter() {
                pass.transport(transport, &self.equipment);
            }
        }
        pass.channels(&self.data);
        pass.report
    }

    /// The stats selection algorithm of W3C §8.5, for what it does not select by. `None` when there is no such thing.
    #[must_use]
    pub fn stats_of(&self, now: Instant, subject: StatsSubject) -> Option<StatsReport> {
        let ids = Pass::new(&self.equipment, now).ids;
        let carrier = || self.data.sctp().map(|it| it.transport());
        let (root, transport) = match subject {
            StatsSubject::Transport(id) => (transports::id(&ids, id), None),
            StatsSubject::Channel(id) => (channels::id(&ids, id), carrier()),
        };
        let transport = transport.map(|id| transports::id(&ids, id));
        let report = self.stats(now);
        report.get(&root)?;
        let is_root = |it: &StatsObject| it.id() == root || Some(it.id()) == transport.as_deref();
        Some(report.select(is_root))
    }

    /// [8-01]: what is forgotten when the connection closes, as it is now but for its states.
    pub(super) fn keep_stats(&mut self, now: Instant) {
        let mut pass = Pass::new(&self.equipment, now);
        for transport in self.transports.iter() {
            pass.transport(transport, &self.equipment);
        }
        let closed = |mut object| {
            if let StatsObject::Transport(transport) = &mut object {
                transport.dtls_state = DtlsTransportState::Closed;
                transport.ice_state = Some(IceTransportState::Closed);
            }
            object
        };
        self.last_stats = pass.report.into_iter().map(closed).collect();
    }
}

impl Pass {
    fn new(equipment: &Equipment, now: Instant) -> Self {
        Self {
            ids: Ids::new(equipment.seed.derive("stats", 0)),
            anchor: equipment.trace.anchor,
            now,
            report: StatsReport::new(),
        }
    }

    /// What an object of this type begins with.
    fn stats(&self, kind: StatsType, key: &str) -> Stats {
        let timestamp = self.millis(self.now);
        self.ids.stats(kind, key.as_bytes(), timestamp)
    }

    /// W3C's time: milliseconds since 1970, by the wall clock that the connection was made with.
    fn millis(&self, at: Instant) -> f64 {
        let since = self.anchor.wall.duration_since(SystemTime::UNIX_EPOCH);
        let passed = at.saturating_duration_since(self.anchor.instant);
        (since.unwrap_or_default() + passed).as_secs_f64() * 1000.0
    }
}
