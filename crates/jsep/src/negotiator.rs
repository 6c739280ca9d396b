//! Offers and answers in their order: the verbs of the W3C API that concern descriptions.

mod candidates;
mod descriptions;
mod transceivers;

pub use transceivers::{TransceiverInit, check_rids};

use crate::{
    Change, Config, Credentials, Description, Error, SdpType, SignalingState, Source, TransportId,
    agreement::Plan,
    candidates::Candidates,
    compose::{Answer, Offer},
    numbers::Numbers,
    section::Kind,
    signaling::Side,
    state::{Applied, State},
};

/// The negotiation of one peer connection (RFC 9429).
///
/// Each verb returns what follows from it, in the order in which it is to be done, or an [`Error`],
/// and then nothing has changed. It knows neither network nor time; ICE credentials and SSRCs are asked of
/// a [`Source`] that the caller gives, and an answer of the peer is just another argument.
#[derive(Debug)]
pub struct Negotiator {
    config: Config,
    state: State,
    candidates: Candidates,
    /// W3C's `[[LastCreatedOffer]]`.
    last_offer: Option<Created>,
    /// W3C's `[[LastCreatedAnswer]]`.
    last_answer: Option<Created>,
    session_version: u64,
    /// Counts what makes a created description out of date.
    revision: u64,
    /// W3C's `[[DataChannels]]` is not empty.
    data: bool,
    /// W3C's `[[LocalIceCredentialsToReplace]]`.
    replaced: Vec<Credentials>,
    can_trickle: Option<bool>,
    numbers: Numbers,
}

/// W3C's `RTCOfferOptions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfferOptions {
    /// The offer has new ICE credentials for every section. Default: false.
    pub ice_restart: bool,
    /// Sound with a codec of 8 kHz is offered with comfort noise (RFC 3389), whatever the configuration has. Default: false.
    pub comfort_noise: bool,
}

/// A description that was created and perhaps applied.
struct Created {
    sdp: String,
    revision: u64,
    /// What each section is for.
    plan: Vec<Plan>,
    /// What reading it gives, for when it is applied. `None` once it was, or where candidates were added.
    read: Option<Box<Applied>>,
}

impl Negotiator {
    /// A negotiator in `Stable`, without descriptions.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            state: State::default(),
            candidates: Candidates::default(),
            last_offer: None,
            last_answer: None,
            session_version: 0,
            revision: 0,
            data: false,
            replaced: Vec::new(),
            can_trickle: None,
            numbers: Numbers::default(),
        }
    }

    /// A data channel has been created: from now on offers have a section for data channels.
    pub fn add_data_channel(&mut self) {
        if !self.data {
            self.data = true;
            self.revision += 1;
        }
    }

    /// W3C's `createOffer`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] unless in `Stable` or `HaveLocalOffer`.
    pub fn create_offer(
        &mut self,
        options: OfferOptions,
        source: &mut dyn Source,
    ) -> Result<Description, Error> {
        match self.state.signaling {
            SignalingState::Stable | SignalingState::HaveLocalOffer => {}
            SignalingState::Closed => return Err(closed()),
            _ => return Err(Error::InvalidState("no offer while the peer's is open")),
        }
        self.draw_ssrcs(source);
        let offer = Offer {
            config: &self.config,
            version: self.session_version + 1,
            agreement: &self.state.agreement,
            stable: self.state.stable(),
            bundle: self.state.bundle(),
            data: self.data,
            restart: options.ice_restart,
            noise: options.comfort_noise,
            replaced: &self.replaced,
        };
        let (text, plan) = offer.write(source, &mut self.numbers);
        let created = self.created(&text, SdpType::Offer, plan)?;
        let description = Description::new(SdpType::Offer, created.sdp.clone());
        self.last_offer = Some(created);
        Ok(description)
    }

    /// W3C's `createAnswer`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] unless in `HaveRemoteOffer` or `HaveLocalPranswer`.
    pub fn create_answer(&mut self, source: &mut dyn Source) -> Result<Description, Error> {
        let open = matches!(
            self.state.signaling,
            SignalingState::HaveRemoteOffer | SignalingState::HaveLocalPranswer
        );
        let offer = self.state.pending_remote.clone().filter(|_| open);
        let Some(offer) = offer else {
            return Err(match self.state.signaling {
                SignalingState::Closed => closed(),
                _ => Error::InvalidState("there is no offer to answer"),
            });
        };
        self.draw_ssrcs(source);
        let answer = Answer {
            config: &self.config,
            version: self.session_version + 1,
            agreement: &self.state.agreement,
            offer: &offer.outline,
        };
        let created = self.created(&answer.write(source), SdpType::Answer, Vec::new())?;
        let description = Description::new(SdpType::Answer, created.sdp.clone());
        self.last_answer = Some(created);
        Ok(description)
    }

    /// W3C's `setLocalDescription`. Without a description, or with an empty text, the one that was
    /// created last is applied if it still holds, else one is made on the spot.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModification`] when the text is not the one that was created last,
    /// [`Error::InvalidState`] when the type does not fit the signalling state.
    pub fn set_local(
        &mut self,
        description: Option<Description>,
        source: &mut dyn Source,
    ) -> Result<Vec<Change>, Error> {
        if self.state.signaling == SignalingState::Closed {
            return Err(closed());
        }
        let implied = self.state.signaling.implied_type();
        let description = description.unwrap_or_else(|| Description::new(implied, ""));
        let kind = description.kind;
        if kind == SdpType::Rollback {
            return self.roll_back(Side::Local);
        }
        let last = match kind {
            SdpType::Offer => &self.last_offer,
            _ => &self.last_answer,
        };
        let sdp = match last {
            Some(last) if description.sdp == last.sdp => description.sdp,
            _ if !description.sdp.is_empty() => {
                return Err(Error::InvalidModification(
                    "not the description created last",
                ));
            }
            // only where it may be applied is it made
            _ if self.state.signaling.after(Side::Local, kind).is_err() => String::new(),
            Some(last) if last.revision == self.revision => last.sdp.clone(),
            _ if kind == SdpType::Offer => self.create_offer(OfferOptions::default(), source)?.sdp,
            _ => self.create_answer(source)?.sdp,
        };
        let signaling = self.state.signaling.after(Side::Local, kind)?;
        let created = match kind {
            SdpType::Offer => &mut self.last_offer,
            _ => &mut self.last_answer,
        };
        let created = created.as_mut().filter(|it| it.sdp == sdp);
        let read = created.and_then(|it| it.read.take_if(|it| it.kind == kind));
        let mut applied = match read {
            Some(read) => *read,
            None => Applied::read(kind, &sdp)?,
        };
        if let Some(created) = self.last_offer.as_ref().filter(|it| it.sdp == sdp) {
            applied.plan.clone_from(&created.plan);
        }
        self.apply(Side::Local, signaling, applied)
    }

    /// What precedes an offer of the peer while ours is open: W3C §4.4.2 rolls ours back first, as a step
    /// of its own, which stands whatever becomes of the offer. Nothing is done with descriptions of
    /// another type, or in other states.
    pub fn give_way(&mut self, kind: SdpType) -> Vec<Change> {
        let glare =
            kind == SdpType::Offer && self.state.signaling == SignalingState::HaveLocalOffer;
        match glare {
            true => self.rolled_back(),
            false => Vec::new(),
        }
    }

    /// W3C's `setRemoteDescription`. Where both ends have offered, [`give_way`](Self::give_way) comes
    /// before it.
    ///
    /// # Errors
    ///
    /// In this order: [`Error::InvalidState`] when the type does not fit the signalling state,
    /// [`Error::SdpSyntax`] when the text breaks the grammar, [`Error::InvalidAccess`] when it cannot be
    /// accepted.
    pub fn set_remote(&mut self, description: Description) -> Result<Vec<Change>, Error> {
        let kind = description.kind;
        if kind == SdpType::Rollback {
            return self.roll_back(Side::Remote);
        }
        let signaling = self.state.signaling.after(Side::Remote, kind)?;
        let applied = Applied::read(kind, &description.sdp)?;
        let can_trickle = applied.outline.can_trickle();
        let changes = self.apply(Side::Remote, signaling, applied)?;
        self.can_trickle = Some(can_trickle);
        Ok(changes)
    }

    /// W3C's `restartIce`: offers have new credentials until one of them is through.
    pub fn restart_ice(&mut self) {
        self.replaced = self.state.local_credentials();
        self.revision += 1;
    }

    /// W3C's `close`: nothing can be done any more, and all transceivers are stopped; descriptions stay readable.
    pub fn close(&mut self) {
        self.state.signaling = SignalingState::Closed;
        for transceiver in &mut self.state.agreement.transceivers {
            transceiver.reject();
        }
    }

    /// W3C's "check if negotiation is needed" (§4.7.3). When it is asked is the caller's affair.
    pub fn negotiation_needed(&self) -> bool {
        let described = self.state.current_local.as_ref().is_some_and(|applied| {
            let mut entries = applied.outline.entries.iter();
            entries.any(|entry| !entry.rejected && Kind::of(entry).is_data())
        });
        !self.replaced.is_empty() || (self.data && !described) || self.media_needs_negotiation()
    }

    /// The signalling state.
    pub fn signaling_state(&self) -> SignalingState {
        self.state.signaling
    }

    /// W3C's `canTrickleIceCandidates`: `None` before the first remote description.
    pub fn can_trickle_ice_candidates(&self) -> Option<bool> {
        self.can_trickle
    }

    /// How many candidates of the peer were beyond what is kept of one generation.
    pub fn candidates_dropped(&self) -> u64 {
        self.candidates.dropped()
    }

    /// The transports that are in use.
    pub fn transports(&self) -> impl Iterator<Item = TransportId> {
        self.state.agreement.transports.iter().map(|it| it.id)
    }

    /// A text that was just made, with the candidates that are known already.
    fn created(&mut self, text: &str, kind: SdpType, plan: Vec<Plan>) -> Result<Created, Error> {
        let applied = Applied::read(kind, text)?;
        let entries = 0..applied.outline.entries.len();
        let mut all = entries.filter_map(|index| applied.outline.credentials(index));
        // RFC 8839 §5.4: what others are read with is not written
        if all.any(|it| !it.is_written()) {
            return Err(Error::Operation("ICE credentials with other characters"));
        }
        self.session_version += 1;
        let sdp = self.candidates.write_local(&applied);
        Ok(Created {
            read: (sdp == text).then(|| Box::new(applied)),
            sdp,
            revision: self.revision,
            plan,
        })
    }

    fn roll_back(&mut self, side: Side) -> Result<Vec<Change>, Error> {
        self.state.signaling.after(side, SdpType::Rollback)?;
        Ok(self.rolled_back())
    }

    fn rolled_back(&mut self) -> Vec<Change> {
        let mut state = self.state.clone();
        state.roll_back();
        self.commit(state, true)
    }

    /// Applies a description: on a copy, which takes the place of the state when all went well.
    fn apply(
        &mut self,
        side: Side,
        signaling: SignalingState,
        applied: Applied,
    ) -> Result<Vec<Change>, Error> {
        let mut state = self.state.clone();
        state.take(side, applied, &self.config)?;
        state.signaling = signaling;
        let changes = self.commit(state, false);
        if signaling == SignalingState::Stable {
            self.last_offer = None;
            self.last_answer = None;
            let used = self.state.local_credentials();
            if !self.replaced.iter().any(|it| used.contains(it)) {
                self.replaced.clear();
            }
        }
        Ok(changes)
    }

    /// Makes this the state, and says what that changes.
    fn commit(&mut self, state: State, restored: bool) -> Vec<Change> {
        let old = std::mem::replace(&mut self.state, state);
        self.revision += 1;
        self.learn_numbers();
        let agreement = &self.state.agreement;
        let mut changes = agreement.changes_since(&old.agreement, restored);
        self.candidates.prune(&self.state);
        let candidates = self.candidates.untold(&self.state);
        let after_ice = changes.iter().position(|change| {
            !matches!(
                change,
                Change::TransportAdded { .. }
                    | Change::IceRole { .. }
                    | Change::LocalIce { .. }
                    | Change::RemoteIce { .. }
            )
        });
        let after_ice = after_ice.unwrap_or(changes.len());
        changes.splice(after_ice..after_ice, candidates);
        if old.signaling != self.state.signaling {
            changes.push(Change::SignalingState(self.state.signaling));
        }
        changes
    }
}

impl std::fmt::Debug for Created {
    /// Without the text, which holds the ICE password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Created")
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

fn closed() -> Error {
    Error::InvalidState("the connection is closed")
}
