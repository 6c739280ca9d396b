//! ICE: credentials, candidates, roles.

use oxirtc_ice as ice;
use oxirtc_jsep as jsep;

use crate::{
    IceCandidate, IceCandidateInit,
    engine::{
        Engine, convert,
        transport::{IceParameters, Transport},
    },
};

impl Engine {
    pub(super) fn set_local_ice(
        &mut self,
        name: jsep::TransportId,
        credentials: &jsep::Credentials,
        restored: bool,
    ) {
        let Some(transport) = self.transports.named(name) else {
            return;
        };
        transport.set_ufrag(&credentials.ufrag, &mut self.requests.routes);
        transport.shown.local_parameters = Some(shown_parameters(credentials));
        transport
            .generations
            .set_local(convert::credentials(credentials));
        if !restored {
            transport.shown.local_candidates.clear();
        }
    }
}

impl Transport {
    pub(super) fn set_remote_ice(
        &mut self,
        credentials: &jsep::Credentials,
        remote: ice::RemoteIce,
    ) {
        self.shown.remote_parameters = Some(shown_parameters(credentials));
        self.generations.set_remote(remote);
    }

    pub(super) fn add_remote_candidate(
        &mut self,
        (ufrag, section): (String, jsep::MediaSection),
        candidate: &jsep::sdp::Candidate,
        relay_only: bool,
    ) {
        let init = IceCandidateInit {
            candidate: candidate.to_string(),
            sdp_mid: Some(section.mid),
            sdp_m_line_index: Some(section.index),
            username_fragment: Some(ufrag.clone()),
        };
        let told = IceCandidate::read(init);
        if !self.shown.remote_candidates.contains(&told) {
            self.shown.remote_candidates.push(told);
        }
        if let Some(candidate) = convert::remote_candidate(candidate, relay_only) {
            self.generations.push(ufrag, Some(candidate));
        }
    }
}

fn shown_parameters(credentials: &jsep::Credentials) -> IceParameters {
    IceParameters {
        username_fragment: credentials.ufrag.clone(),
        password: credentials.password.clone(),
    }
}
