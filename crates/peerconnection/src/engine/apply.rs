//! What follows from a description, done to the layers.

use std::{mem, time::Instant};

use oxirtc_jsep as jsep;

use super::{
    Engine, convert,
    task::{DtlsTransportEvent, Event},
    transport::{IceParameters, Transport},
};
use crate::{DtlsTransportState, IceCandidate, IceCandidateInit, IceTransportPolicy};

impl Engine {
    /// Does what a description asks for, in order. The events of its task are queued before those that
    /// the layers cause.
    pub(super) fn apply(&mut self, now: Instant, changes: Vec<jsep::Change>) {
        // Data that DTLS held until the fingerprints were known, for an association that the same
        // list makes further down.
        let mut early = Vec::new();
        for change in changes {
            self.apply_one(now, change, &mut early);
        }
        self.plan_ice(now);
        for packet in early {
            if let Some(association) = self.data.association() {
                association.handle_packet(now, &packet);
            }
        }
        self.ascend(now);
        self.update_negotiation_needed();
    }

    fn apply_one(&mut self, now: Instant, change: jsep::Change, early: &mut Vec<Vec<u8>>) {
        match change {
            jsep::Change::TransportAdded { transport, .. } => {
                let set = &mut self.ice_set;
                let transport = Transport::new(transport, &self.foundation, set, now);
                self.transports.push(transport);
            }
            jsep::Change::IceRole { transport, role } => {
                self.ice_set.set_role(convert::ice_role(role));
                if let Some(transport) = self.named(transport) {
                    transport.view.role = convert::shown_role(convert::ice_role(role));
                }
            }
            jsep::Change::LocalIce {
                transport,
                credentials,
                restored,
            } => {
                self.set_local_ice(transport, &credentials, restored);
            }
            jsep::Change::RemoteIce {
                transport,
                credentials,
                lite,
            } => {
                self.set_remote_ice(transport, &credentials, lite);
            }
            jsep::Change::RemoteCandidate {
                transport,
                candidate,
            } => {
                self.add_remote_candidate(transport, &candidate);
            }
            jsep::Change::RemoteEndOfCandidates { transport } => {
                if let Some(transport) = self.named(transport) {
                    transport.generations.push(None);
                }
            }
            jsep::Change::Dtls {
                transport,
                role,
                fingerprints,
                ..
            } => {
                self.set_dtls(now, transport, role, &fingerprints, early);
            }
            jsep::Change::Sctp(sctp) => self.set_sctp(now, sctp),
            jsep::Change::TransportRemoved { transport } => self.remove_transport(transport),
            jsep::Change::SignalingState(state) => {
                let state = convert::signaling_state(state);
                self.tasks.push_one(Event::SignalingStateChange(state));
                self.negotiation.reached(state);
            }
            _ => {}
        }
    }

    fn named(&mut self, name: jsep::TransportId) -> Option<&mut Transport> {
        self.transports.iter_mut().find(|it| it.name == name)
    }

    /// Tells the agents what the list comes to, once all of it is known.
    fn plan_ice(&mut self, now: Instant) {
        let state = self.negotiation.negotiator.signaling_state();
        for transport in &mut self.transports {
            let before = transport.ice.newest_generation();
            transport.plan(now, &mut self.ice_set, state);
            let newest = transport.ice.newest_generation();
            if mem::take(&mut transport.renewed) && newest != before {
                transport.since = newest;
            }
        }
        self.settle_ice(now);
    }

    /// All agents follow the role of the connection.
    pub(super) fn settle_ice(&mut self, now: Instant) {
        for transport in &mut self.transports {
            transport.ice.handle_timeout(now, &mut self.ice_set);
        }
    }

    fn set_local_ice(
        &mut self,
        name: jsep::TransportId,
        credentials: &jsep::Credentials,
        restored: bool,
    ) {
        let Some(transport) = self.transports.iter_mut().find(|it| it.name == name) else {
            return;
        };
        transport.set_ufrag(&credentials.ufrag, &mut self.routes);
        transport.view.local_parameters = Some(shown_parameters(credentials));
        transport
            .generations
            .set_local(convert::credentials(credentials));
        if !restored {
            transport.view.local_candidates.clear();
        }
        if !self.configuration.ice_servers.is_empty() {
            log::info!("ICE servers are configured, and not used: host candidates only");
        }
    }

    fn set_remote_ice(
        &mut self,
        name: jsep::TransportId,
        credentials: &jsep::Credentials,
        lite: bool,
    ) {
        let Some(transport) = self.named(name) else {
            return;
        };
        if transport.view.remote_parameters.as_ref() != Some(&shown_parameters(credentials)) {
            transport.view.remote_candidates.clear();
        }
        transport.view.remote_parameters = Some(shown_parameters(credentials));
        transport
            .generations
            .set_remote(convert::credentials(credentials), lite);
    }

    fn add_remote_candidate(&mut self, name: jsep::TransportId, candidate: &jsep::sdp::Candidate) {
        let relay_only = self.configuration.ice_transport_policy == IceTransportPolicy::Relay;
        let Some(transport) = self.named(name) else {
            return;
        };
        let init = IceCandidateInit {
            candidate: candidate.to_string(),
            ..Default::default()
        };
        transport
            .view
            .remote_candidates
            .push(IceCandidate::read(init));
        if let Some(candidate) = convert::remote_candidate(candidate, relay_only) {
            transport.generations.push(Some(candidate));
        }
    }

    fn set_dtls(
        &mut self,
        now: Instant,
        name: jsep::TransportId,
        role: jsep::DtlsRole,
        fingerprints: &[jsep::Fingerprint],
        early: &mut Vec<Vec<u8>>,
    ) {
        let Some(transport) = self.transports.iter_mut().find(|it| it.name == name) else {
            return;
        };
        let id = transport.id;
        let carries_data = self.data.transport.as_ref().is_some_and(|it| it.on == id);
        // RFC 8842 §4: another association in the place of the one that was, and with it what runs
        // above it (RFC 8841 §10.4).
        if !self.negotiation.secured.insert(id) {
            self.negotiation.generation += 1;
            let generation = self.negotiation.generation;
            transport.renew_dtls(&self.foundation, generation, now);
            if carries_data {
                let seed = self.foundation.seed.derive("sctp", generation);
                self.data.renew(now, seed, &mut self.tasks);
            }
        }
        let (role, parity) = convert::dtls_role(role);
        if transport.dtls.set_role(now, role).is_err() {
            // The peer opened DTLS, and then said in its answer that we are to.
            self.fail_dtls(now, id);
            return;
        }
        let fingerprints: Vec<_> = fingerprints.iter().map(convert::fingerprint).collect();
        let mut hold = |packet: &mut [u8]| early.push(packet.to_vec());
        transport
            .dtls
            .set_remote_fingerprints(now, &fingerprints, &mut hold);
        transport.start_dtls(now);
        if carries_data {
            self.data.set_role(parity);
        }
    }

    fn set_sctp(&mut self, now: Instant, sctp: jsep::Sctp) {
        match sctp {
            jsep::Sctp::Created { transport } => {
                let Some(id) = self.named(transport).map(|it| it.id) else {
                    return;
                };
                self.negotiation.associations += 1;
                let seed = self
                    .foundation
                    .seed
                    .derive("sctp", FIRST_SCTP + self.negotiation.associations);
                self.data.create(id, seed);
            }
            jsep::Sctp::Negotiated {
                transport,
                local_port,
                remote_port,
                max_message_size,
                ..
            } => {
                let transport = self.transports.iter().find(|it| it.name == transport);
                let Some(transport) = transport else {
                    return;
                };
                let ports = (local_port, remote_port);
                self.data
                    .negotiate(now, transport.id, ports, max_message_size);
                if transport.is_secure() {
                    self.data.connect(now, transport.round_trip());
                }
            }
            jsep::Sctp::Closed => self.data.remove(now, &mut self.tasks),
            _ => {}
        }
    }

    /// The peer contradicts itself about who opens DTLS.
    fn fail_dtls(&mut self, now: Instant, id: super::TransportId) {
        let Some(transport) = self.transports.iter_mut().find(|it| it.id == id) else {
            return;
        };
        transport.dtls.close(now);
        transport.view.dtls = DtlsTransportState::Failed;
        let detail = crate::RtcErrorDetail::DtlsFailure {
            received_alert: None,
            sent_alert: None,
        };
        let error = crate::Error::with_detail(detail, "the peer took the wrong DTLS role");
        let state = DtlsTransportEvent::StateChange(DtlsTransportState::Failed);
        self.tasks.push(vec![
            Event::DtlsTransport(id, DtlsTransportEvent::Error(error)),
            Event::DtlsTransport(id, state),
        ]);
    }

    fn remove_transport(&mut self, name: jsep::TransportId) {
        let Some(index) = self.transports.iter().position(|it| it.name == name) else {
            return;
        };
        let mut transport = self.transports.remove(index);
        transport.release_ufrags(&mut self.routes);
        transport.ice.close(&mut self.ice_set);
        self.retired.push(transport.ice);
        self.transports_changed();
    }
}

fn shown_parameters(credentials: &jsep::Credentials) -> IceParameters {
    IceParameters {
        username_fragment: credentials.ufrag.clone(),
        password: credentials.password.clone(),
    }
}

/// Seeds of replaced associations count from 1, those of new ones from here.
const FIRST_SCTP: u32 = 1 << 16;
