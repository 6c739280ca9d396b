//! What descriptions say of ICE, piece by piece, as the plan that an agent wants.

use std::{mem, time::Instant};

use oxirtc_ice as ice;
use oxirtc_jsep as jsep;

use super::{Transport, convert};

/// What was said of the ICE of one transport.
#[derive(Default)]
pub(in crate::engine) struct Generations {
    local: Option<ice::Credentials>,
    remote: Option<ice::RemoteIce>,
    plan: ice::Plan,
    /// Candidates, or their end, of a description that is not answered yet, by the fragment.
    held: Vec<(String, Option<ice::Candidate>)>,
}

impl Generations {
    pub(in crate::engine) fn set_local(&mut self, credentials: ice::Credentials) {
        self.local = Some(credentials);
    }

    pub(in crate::engine) fn set_remote(&mut self, credentials: ice::Credentials, lite: bool) {
        self.remote = Some(ice::RemoteIce {
            credentials,
            lite,
            trickle: true,
            renomination: false,
        });
    }

    /// Notes a candidate of the peer's newest description or, without one, their end.
    pub(in crate::engine) fn push(&mut self, candidate: Option<ice::Candidate>) {
        if let Some(remote) = &self.remote {
            let ufrag = remote.credentials.ufrag.clone();
            self.held.push((ufrag, candidate));
        }
    }

    /// Whether a local description that stands has this fragment.
    fn is_local(&self, ufrag: &str) -> bool {
        let plan = [&self.plan.stable, &self.plan.open].map(Option::as_ref);
        let planned = plan.into_iter().flatten().map(|it| &it.local);
        let mut all = planned.chain(self.local.as_ref());
        all.any(|it| it.ufrag == ufrag)
    }

    /// The plan in this state. What the peer offers counts when it is answered.
    fn next(&self, state: jsep::SignalingState) -> ice::Plan {
        let generation = |remote: Option<ice::RemoteIce>| {
            self.local
                .clone()
                .map(|local| ice::Generation { local, remote })
        };
        let stable = self.plan.stable.clone();
        let (stable, open) = match state {
            jsep::SignalingState::Stable => (generation(self.remote.clone()), None),
            jsep::SignalingState::HaveLocalOffer => {
                let renewed = stable.as_ref().map(|it| &it.local) != self.local.as_ref();
                (stable, generation(None).filter(|_| renewed))
            }
            jsep::SignalingState::HaveLocalPranswer | jsep::SignalingState::HaveRemotePranswer => {
                (stable, generation(self.remote.clone()))
            }
            _ => (stable, None),
        };
        let open = open.filter(|open| stable.as_ref() != Some(open));
        ice::Plan { stable, open }
    }
}

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
        for (ufrag, candidate) in mem::take(&mut self.generations.held) {
            let taken = match candidate.clone() {
                Some(candidate) => self.ice.add_remote_candidate(now, set, &ufrag, candidate),
                None => self.ice.set_remote_end_of_candidates(now, set, &ufrag),
            };
            match taken {
                Err(ice::Error::UnknownGeneration) => {
                    self.generations.held.push((ufrag, candidate));
                }
                Err(error) => log::debug!(
                    "{}: a candidate of the peer is of no use: {error}",
                    self.label
                ),
                Ok(()) => {}
            }
        }
        self.shown.role = convert::shown_role(set.role());
        // A description that was taken back has taken its candidates along.
        let remote = self.generations.remote.as_ref();
        self.generations
            .held
            .retain(|(ufrag, _)| remote.is_some_and(|it| it.credentials.ufrag == *ufrag));
    }
}
