//! What follows from a description, done to the layers.

mod data;
mod dtls;
mod ice;
mod media;

use std::time::Instant;

use oxirtc_jsep as jsep;

use super::{Engine, convert, facts::Facts, task::Event, transport::Transport, up::Up};
use crate::{IceTransportPolicy, Route};

impl Engine {
    /// Does what a description asks for, in order. The events of its task are queued before those that
    /// the layers cause.
    pub(super) fn apply(&mut self, now: Instant, changes: Vec<jsep::Change>) {
        self.apply_step(now, changes);
        self.update_negotiation_needed();
    }

    /// The same for one step of several, after which a negotiation is not asked for.
    pub(super) fn apply_step(&mut self, now: Instant, changes: Vec<jsep::Change>) {
        let mut facts = Facts::default();
        let mut state = self.negotiation.negotiator.signaling_state();
        let comes = |it: &jsep::Change| matches!(it, jsep::Change::TransportAdded { .. });
        let some_came = changes.iter().any(comes);
        for change in changes {
            if let jsep::Change::SignalingState(next) = change {
                state = next;
            }
            self.apply_one(now, change, &mut facts);
        }
        let (events, ended) = facts.into_events();
        self.tasks.push(events);
        ended.into_iter().for_each(|it| self.tasks.push_one(it));
        self.configure_media(now);
        // The agents are told what the list comes to when all of it is known.
        self.transports
            .each_in_turn(now, |transport, set| transport.plan(now, set, state));
        // RFC 9429 §5.11: what is left of the pool goes with the answer.
        if !self.transports.pool.is_empty() && self.negotiation.described {
            self.gather_ahead(now);
        }
        self.ascend(now);
        // When what came has begun to gather, so that no state is told that is gone already.
        if some_came {
            self.update_states();
        }
        self.look_at_stats(now);
    }

    /// W3C §4.3.4: transports have come or gone, and any state may follow.
    fn update_states(&mut self) {
        let mut events = Vec::new();
        let shown = self.transports.iter().map(|it| it.shown.gathering);
        self.states.update_gathering(shown, &mut events);
        let shown = self.transports.iter();
        let shown = shown.map(|it| (it.shown.ice, it.shown.dtls));
        self.states.update_connection(shown, &mut events);
        self.tasks.push(events);
    }

    fn apply_one(&mut self, now: Instant, change: jsep::Change, facts: &mut Facts) {
        match change {
            jsep::Change::TransportAdded { transport, .. } => {
                let pooled = self.transports.pool.take();
                let set = &mut self.transports.set;
                let transport = Transport::new(transport, &self.equipment, set, pooled, now);
                self.transports.add(transport);
            }
            jsep::Change::IceRole { transport, role } => {
                // RFC 8445 §6.1.1: a connection has one, which a conflict may have turned since.
                if self.transports.len() == 1 {
                    self.transports.set.set_role(convert::ice_role(role));
                }
                let role = convert::shown_role(self.transports.set.role());
                if let Some(transport) = self.transports.named(transport) {
                    transport.shown.role = role;
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
                trickle,
                renomination,
            } => {
                if let Some(transport) = self.transports.named(transport) {
                    let remote = oxirtc_ice::RemoteIce {
                        credentials: convert::credentials(&credentials),
                        lite,
                        trickle,
                        renomination,
                    };
                    transport.set_remote_ice(&credentials, remote);
                }
            }
            jsep::Change::RemoteCandidate {
                transport,
                ufrag,
                section,
                candidate,
            } => {
                let policy = self.configuration.ice_transport_policy;
                let proxied = self.equipment.settings.networks.is_proxied();
                let relay_only = policy == IceTransportPolicy::Relay || proxied;
                if let Some(transport) = self.transports.named(transport) {
                    transport.add_remote_candidate((ufrag, section), &candidate, relay_only);
                }
            }
            jsep::Change::RemoteEndOfCandidates { transport, ufrag } => {
                if let Some(transport) = self.transports.named(transport) {
                    transport.generations.push(ufrag, None);
                }
            }
            jsep::Change::Dtls {
                transport,
                role,
                fingerprints,
                ..
            } => {
                self.set_dtls(now, transport, role, &fingerprints);
            }
            jsep::Change::TagMoved {
                transport,
                role,
                fingerprints,
            } => self.expect_another(now, transport, role, &fingerprints),
            jsep::Change::Sctp(sctp) => self.set_sctp(now, sctp),
            jsep::Change::TransportRemoved { transport } => self.remove_transport(now, transport),
            jsep::Change::SignalingState(state) => {
                let state = convert::signaling_state(state);
                facts.signaling = Some(Event::SignalingStateChange(state));
                self.negotiation.reached(state);
            }
            change => self.apply_media(change, facts),
        }
    }

    /// Does something to a transport, with what stands above it.
    fn with_transport(
        &mut self,
        name: jsep::TransportId,
        f: impl FnOnce(&mut Transport, &mut Up<'_>),
    ) {
        if let Some((transport, others)) = self.transports.apart(name) {
            let mut up = Up {
                others,
                negotiation: &mut self.negotiation,
                data: &mut self.data,
                media: &mut self.media,
                states: &mut self.states,
                tasks: &mut self.tasks,
                routes: &mut self.requests.routes,
                claims: &mut self.requests.claims,
            };
            f(transport, &mut up);
        }
    }

    fn remove_transport(&mut self, now: Instant, name: jsep::TransportId) {
        let Some(mut transport) = self.transports.remove(name) else {
            return;
        };
        self.data.cut_off(transport.id);
        // Sections of a first offer have the same (RFC 8839 §5.4): one that is bundled leaves them to the others.
        let others = self.transports.iter();
        transport.release_ufrags(others, &mut self.requests.routes);
        transport.ice.close(now, &mut self.transports.set);
        let goodbyes = std::iter::from_fn(|| transport.poll_goodbye(now));
        self.farewells.extend(goodbyes);
        self.requests.orphan(transport.id);
        let freed = self.requests.claims.forget(transport.id);
        let freed = freed.into_iter().map(Route::PathReleased);
        self.requests.routes.extend(freed);
        self.transports.retired.push(transport.ice);
        self.update_states();
    }
}
