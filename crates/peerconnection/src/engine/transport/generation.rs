//! What descriptions say of ICE, piece by piece, as the plan that an agent wants.

use oxirtc_ice as ice;
use oxirtc_jsep as jsep;

/// What was said of the ICE of one transport.
#[derive(Default)]
pub(in crate::engine) struct Generations {
    local: Option<ice::Credentials>,
    pub(super) remote: Option<ice::RemoteIce>,
    pub(super) plan: ice::Plan,
    /// Candidates of generations that the next plan lists, or their end, by the fragment.
    pub(super) untold: Vec<(String, Option<ice::Candidate>)>,
}

impl Generations {
    pub(in crate::engine) fn set_local(&mut self, credentials: ice::Credentials) {
        self.local = Some(credentials);
    }

    pub(in crate::engine) fn set_remote(&mut self, remote: ice::RemoteIce) {
        self.remote = Some(remote);
    }

    /// Notes a candidate of the peer's generation of this fragment or, without one, their end.
    pub(in crate::engine) fn push(&mut self, ufrag: String, candidate: Option<ice::Candidate>) {
        self.untold.push((ufrag, candidate));
    }

    /// Whether a description of the peer that counts has this fragment.
    pub(super) fn is_remote(&self, ufrag: &str) -> bool {
        let plan = [&self.plan.stable, &self.plan.open].map(Option::as_ref);
        let planned = plan.into_iter().flatten();
        let planned = planned.filter_map(|it| it.remote.as_ref());
        let mut all = planned.chain(self.remote.as_ref());
        all.any(|it| it.credentials.ufrag == ufrag)
    }

    /// Whether a local description that stands has this fragment.
    pub(super) fn is_local(&self, ufrag: &str) -> bool {
        let plan = [&self.plan.stable, &self.plan.open].map(Option::as_ref);
        let planned = plan.into_iter().flatten().map(|it| &it.local);
        let mut all = planned.chain(self.local.as_ref());
        all.any(|it| it.ufrag == ufrag)
    }

    /// The plan in this state. What the peer offers counts when it is answered.
    pub(super) fn next(&self, state: jsep::SignalingState) -> ice::Plan {
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
