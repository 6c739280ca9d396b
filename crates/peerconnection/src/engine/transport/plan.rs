//! The plan of ICE, as the agent is told it.

use std::{mem, time::Instant};

use oxirtc_ice as ice;
use oxirtc_jsep as jsep;

use super::{Transport, convert};

impl Transport {
    /// Whether a local description that stands has this fragment for it.
    pub(in crate::engine) fn is_described(&self, ufrag: &str) -> bool {
        self.generations.is_local(ufrag)
    }

    /// Tells the agent the plan, and the candidates that it makes room for.
    pub(in crate::engine) fn plan(
        &mut self,
        now: Instant,
        set: &mut ice::ChecklistSet,
        state: jsep::SignalingState,
    ) {
        let plan = self.generations.next(state);
        let before = self.ice.newest_generation();
        if plan != self.generations.plan {
            match self.ice.set_plan(now, set, plan.clone()) {
                Ok(()) => self.generations.plan = plan,
                Err(error) => {
                    log::warn!("{}: ICE does not take the credentials: {error}", self.label)
                }
            }
        }
        let newest = self.ice.newest_generation();
        if mem::take(&mut self.renewed) && newest != before {
            self.since = newest;
        }
        for (ufrag, candidate) in mem::take(&mut self.generations.untold) {
            let taken = match candidate {
                Some(candidate) => self.ice.add_remote_candidate(now, set, &ufrag, candidate),
                None => self.ice.set_remote_end_of_candidates(now, set, &ufrag),
            };
            if let Err(error) = taken {
                log::debug!(
                    "{}: a candidate of the peer is of no use: {error}",
                    self.label
                );
            }
        }
        self.shown.role = convert::shown_role(set.role());
        let generations = &self.generations;
        self.shown.remote_candidates.retain(|it| {
            let ufrag = it.username_fragment();
            ufrag.is_some_and(|ufrag| generations.is_remote(ufrag))
        });
    }
}
