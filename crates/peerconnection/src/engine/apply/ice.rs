//! ICE: credentials, candidates, roles.

use std::time::Instant;

use oxirtc_jsep as jsep;

use crate::{
    IceCandidate, IceCandidateInit, IceTransportPolicy,
    engine::{
        Engine, convert,
        transport::{IceParameters, Transport},
    },
};

impl Engine {
    pub(super) fn set_local_ice(
        &mut self,
        now: Instant,
        name: jsep::TransportId,
        credentials: &jsep::Credentials,
        restored: bool,
    ) {
        let Some(transport) = self.transports.named(name) else {
            return;
        };
        transport.set_ufrag(&credentials.ufrag, &mut self.requests.routes);
        transport.shown.local_parameters = Some(shown_parameters(credentials));
        let set = transport
            .ice
            .set_local_credentials(now, convert::credentials(credentials));
        let gathered = set.and_then(|()| {
            if restored {
                Ok(())
            } else {
                transport.ice.gather(now)
            }
        });
        if let Err(error) = gathered {
            log::warn!(
                "{}: ICE does not take its own credentials: {error}",
                self.label
            );
        }
        if !restored {
            transport.shown.local_candidates.clear();
        }
    }
}

impl Transport {
    pub(super) fn set_ice_role(&mut self, now: Instant, role: jsep::IceRole) {
        self.ice.set_role(now, convert::ice_role(role));
        self.shown.role = convert::shown_role(self.ice.role());
    }

    pub(super) fn set_remote_ice(
        &mut self,
        now: Instant,
        credentials: &jsep::Credentials,
        lite: bool,
    ) {
        self.ice.set_remote_lite(now, lite);
        self.shown.role = convert::shown_role(self.ice.role());
        let parameters = Some(shown_parameters(credentials));
        if self.shown.remote_parameters != parameters {
            self.shown.remote_candidates.clear();
        }
        self.shown.remote_parameters = parameters;
        let set = self
            .ice
            .set_remote_credentials(now, convert::credentials(credentials));
        if let Err(error) = set {
            log::warn!("ICE does not take the peer's credentials: {error}");
        }
    }

    pub(super) fn add_remote_candidate(
        &mut self,
        now: Instant,
        candidate: &jsep::sdp::Candidate,
        policy: IceTransportPolicy,
    ) {
        let init = IceCandidateInit {
            candidate: candidate.to_string(),
            ..Default::default()
        };
        self.shown.remote_candidates.push(IceCandidate::read(init));
        let relay_only = policy == IceTransportPolicy::Relay;
        let Some(candidate) = convert::remote_candidate(candidate, relay_only) else {
            return;
        };
        if let Err(error) = self.ice.add_remote_candidate(now, candidate) {
            log::debug!("a candidate of the peer is of no use: {error}");
        }
    }
}

fn shown_parameters(credentials: &jsep::Credentials) -> IceParameters {
    IceParameters {
        username_fragment: credentials.ufrag.clone(),
        password: credentials.password.clone(),
    }
}
