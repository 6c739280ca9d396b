//! W3C's verbs about descriptions and configuration (§4.4.2).

use std::time::Instant;

use oxirtc_jsep as jsep;

use super::{Engine, convert, negotiation::Negotiation, pool, task::Event};
use crate::{
    Configuration, Error, ErrorKind, IceCandidateInit, MediaKind, OfferOptions, SessionDescription,
    SignalingState,
};

impl Engine {
    /// `createOffer()`.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, or not in `stable` or `have-local-offer`.
    pub fn create_offer(&mut self, options: &OfferOptions) -> Result<SessionDescription, Error> {
        self.check_open()?;
        self.offer_to_receive(MediaKind::Audio, options.offer_to_receive_audio)?;
        self.offer_to_receive(MediaKind::Video, options.offer_to_receive_video)?;
        let Negotiation {
            negotiator,
            credentials,
            ..
        } = &mut self.negotiation;
        let options = convert::offer_options(options);
        let offer = negotiator.create_offer(options, credentials);
        offer
            .map(convert::description)
            .map_err(convert::negotiation_error)
    }

    /// `createAnswer()`.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, or no offer of the peer is open.
    pub fn create_answer(&mut self) -> Result<SessionDescription, Error> {
        self.check_open()?;
        let Negotiation {
            negotiator,
            credentials,
            ..
        } = &mut self.negotiation;
        let answer = negotiator.create_answer(credentials);
        answer
            .map(convert::description)
            .map_err(convert::negotiation_error)
    }

    /// `setLocalDescription()`. Without a description, or with an empty one, it is created here.
    ///
    /// # Errors
    ///
    /// As W3C §4.4.1.4 has them. Nothing has changed then.
    pub fn set_local_description(
        &mut self,
        now: Instant,
        description: Option<SessionDescription>,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.look_at_stats(now);
        let Negotiation {
            negotiator,
            credentials,
            ..
        } = &mut self.negotiation;
        let description = description.map(convert::own_description);
        let before = negotiator.signaling_state();
        let changes = negotiator.set_local(description, credentials);
        let changes = changes.map_err(convert::negotiation_error)?;
        self.negotiation.described = true;
        self.apply(now, changes);
        // In these states it was an answer.
        use jsep::SignalingState::{HaveLocalPranswer, HaveRemoteOffer};
        if matches!(before, HaveRemoteOffer | HaveLocalPranswer) {
            self.end_transactions();
        }
        Ok(())
    }

    /// `setRemoteDescription()`. An offer in `have-local-offer` rolls ours back first.
    ///
    /// # Errors
    ///
    /// As W3C §4.4.1.4 has them; a text that does not parse says in which line. Nothing has changed
    /// then, but that an offer of ours has been rolled back.
    pub fn set_remote_description(
        &mut self,
        now: Instant,
        description: SessionDescription,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.look_at_stats(now);
        let description = convert::own_description(description);
        // [4.4.2-35]: a step of its own, which stands whatever becomes of the offer.
        let rolled_back = self.negotiation.negotiator.give_way(description.kind);
        if !rolled_back.is_empty() {
            self.apply_step(now, rolled_back);
        }
        let set = self.set_remote(now, description);
        self.update_negotiation_needed();
        set
    }

    fn set_remote(&mut self, now: Instant, description: jsep::Description) -> Result<(), Error> {
        let changes = self.negotiation.negotiator.set_remote(description);
        let changes = changes.map_err(convert::negotiation_error)?;
        self.apply_step(now, changes);
        Ok(())
    }

    /// `addIceCandidate()`. An empty candidate is the end of those of its generation, of all sections
    /// when it names none.
    ///
    /// # Errors
    ///
    /// `Type` when it names no section, `InvalidState` when closed or without a remote description,
    /// `Operation` when it cannot belong to it.
    pub fn add_ice_candidate(
        &mut self,
        now: Instant,
        candidate: &IceCandidateInit,
    ) -> Result<(), Error> {
        let nowhere = candidate.sdp_mid.is_none() && candidate.sdp_m_line_index.is_none();
        if !candidate.candidate.is_empty() && nowhere {
            let message = "a candidate needs sdpMid or sdpMLineIndex";
            return Err(Error::new(ErrorKind::Type, message));
        }
        self.check_open()?;
        self.look_at_stats(now);
        let changes = self
            .negotiation
            .negotiator
            .add_ice_candidate(jsep::CandidateInit {
                candidate: &candidate.candidate,
                sdp_mid: candidate.sdp_mid.as_deref(),
                sdp_mline_index: candidate.sdp_m_line_index,
                username_fragment: candidate.username_fragment.as_deref(),
            });
        let changes = changes.map_err(convert::negotiation_error)?;
        self.apply(now, changes);
        Ok(())
    }

    /// `restartIce()`: the next offer has new credentials. Without effect when closed.
    pub fn restart_ice(&mut self) {
        if !self.closed {
            self.negotiation.negotiator.restart_ice();
            self.update_negotiation_needed();
        }
    }

    /// What it was made with, or was given since (`getConfiguration()`).
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// `setConfiguration()`.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, otherwise as W3C §4.4.1.5 has them. Nothing has changed then.
    pub fn set_configuration(&mut self, configuration: Configuration) -> Result<(), Error> {
        self.check_open()?;
        configuration.check(Some(&self.configuration), self.negotiation.described)?;
        // [4.2.5-03]: a generation in use keeps what it has; the next one asks again.
        self.equipment.ice_transport_policy = configuration.ice_transport_policy;
        self.equipment.ice_servers = convert::servers(&configuration);
        for transport in self.transports.iter_mut() {
            let policy = convert::transport_policy(configuration.ice_transport_policy);
            transport.ice.set_transport_policy(policy);
            transport
                .ice
                .set_servers(self.equipment.ice_servers.clone());
        }
        self.configuration = configuration;
        Ok(())
    }

    /// Brings `iceCandidatePoolSize` into effect: to be called after
    /// [`set_configuration`](Self::set_configuration), else it counts with the next addresses of this machine. At most eight
    /// transports gather ahead. What they have gathered is told when a description asks for it; with the answer the rest goes.
    pub fn gather_ahead(&mut self, now: Instant) {
        let described = self.negotiation.described;
        let answered = described && self.signaling_state() == SignalingState::Stable;
        let size = match self.closed || answered {
            true => 0,
            false => self.configuration.ice_candidate_pool_size,
        };
        let (transports, equipment) = (&mut self.transports, &self.equipment);
        let size = (size, !described);
        let gone = transports
            .pool
            .resize(now, size, equipment, &mut transports.set);
        for mut pooled in gone {
            let mut datagram = Vec::new();
            while let Some(path) = pool::poll_agent(&mut pooled.ice, now, &mut datagram) {
                let datagram = std::mem::take(&mut datagram);
                self.farewells.push_back((convert::path(path), datagram));
            }
            self.requests.orphan(pooled.id);
            self.transports.retired.push(pooled.ice);
        }
    }

    /// Which description is awaited now (`signalingState`).
    pub fn signaling_state(&self) -> SignalingState {
        convert::signaling_state(self.negotiation.negotiator.signaling_state())
    }

    /// `localDescription`: with the candidates gathered so far.
    pub fn local_description(&self) -> Option<SessionDescription> {
        self.negotiation
            .negotiator
            .local_description()
            .map(convert::description)
    }

    /// The local description of the last negotiation that was completed (`currentLocalDescription`), with its candidates.
    pub fn current_local_description(&self) -> Option<SessionDescription> {
        self.negotiation
            .negotiator
            .current_local_description()
            .map(convert::description)
    }

    /// The local description of a negotiation that is under way (`pendingLocalDescription`), with its candidates.
    pub fn pending_local_description(&self) -> Option<SessionDescription> {
        self.negotiation
            .negotiator
            .pending_local_description()
            .map(convert::description)
    }

    /// `remoteDescription`: with the candidates added so far.
    pub fn remote_description(&self) -> Option<SessionDescription> {
        self.negotiation
            .negotiator
            .remote_description()
            .map(convert::description)
    }

    /// The remote description of the last negotiation that was completed (`currentRemoteDescription`), with its candidates.
    pub fn current_remote_description(&self) -> Option<SessionDescription> {
        self.negotiation
            .negotiator
            .current_remote_description()
            .map(convert::description)
    }

    /// The remote description of a negotiation that is under way (`pendingRemoteDescription`), with its candidates.
    pub fn pending_remote_description(&self) -> Option<SessionDescription> {
        self.negotiation
            .negotiator
            .pending_remote_description()
            .map(convert::description)
    }

    /// `canTrickleIceCandidates`: `None` before the first remote description.
    pub fn can_trickle_ice_candidates(&self) -> Option<bool> {
        self.negotiation.negotiator.can_trickle_ice_candidates()
    }

    /// The application is still to act on [`Event::NegotiationNeeded`]. An event that was told before
    /// the negotiation began is stale.
    pub fn is_negotiation_needed(&self) -> bool {
        let stable = self.signaling_state() == SignalingState::Stable;
        self.negotiation.needed && stable && !self.closed
    }

    /// W3C §4.7.3. Operations run whole, so the chain is always empty here.
    pub(super) fn update_negotiation_needed(&mut self) {
        if self.closed || self.signaling_state() != SignalingState::Stable {
            return;
        }
        let needed = self.negotiation.negotiator.negotiation_needed();
        if needed && !self.negotiation.needed {
            self.tasks.push_one(Event::NegotiationNeeded);
        }
        self.negotiation.needed = needed;
    }
}
