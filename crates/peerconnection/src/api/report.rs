//! Reports of statistics, as the engine makes them.

use super::engine_lock::{Connection, State};
use crate::{engine::StatsSubject, stats::StatsReport};

impl State {
    /// What all layers have counted, or what is about the subject; `None` when that is not there.
    pub(super) fn report(&mut self, subject: Option<StatsSubject>) -> Option<StatsReport> {
        let (now, engine) = (self.carrier.now(), &mut self.engine);
        self.queues.media.name_tracks(engine, &self.inbox);
        match subject {
            None => Some(engine.stats(now)),
            Some(subject) => engine.stats_of(now, subject),
        }
    }
}

/// The report of a sender or receiver, which is empty when it has no streams.
pub(super) fn report_of(connection: &Connection, subject: StatsSubject) -> StatsReport {
    let report = connection.with(|state| state.report(Some(subject)));
    report.unwrap_or_default()
}
