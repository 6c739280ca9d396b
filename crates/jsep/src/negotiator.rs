//! Offers and answers in their order: the verbs of the W3C API that concern descriptions.

use std::sync::Arc;

use oxirtc_sdp::Candidate;

use crate::{
    CandidateInit, Change, Config, Credentials, Description, Error, MediaSection, SdpType,
    SignalingState, TransportId,
    candidates::{Candidates, generation},
    compose::{Answer, Offer, Source},
    description::Applied,
    section::Kind,
    signaling::Side,
    state::State,
};

/// The negotiation of one peer connection (RFC 9429).
///
/// Each verb returns what follows from it, in the order in which it is to be done, or an [`Error`],
/// and then nothing has changed. It knows neither network nor time; ICE credentials are asked for by
/// a closure that the caller gives, and an answer of the peer is just another argument.
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
}

/// W3C's `RTCOfferOptions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfferOptions {
    /// The offer has new ICE credentials for every section. Default: false.
    pub ice_restart: bool,
}

/// A description that was created and perhaps applied.
struct Created {
    sdp: String,
    revision: u64,
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
        credentials: Source<'_>,
    ) -> Result<Description, Error> {
        match self.state.signaling {
            SignalingState::Stable | SignalingState::HaveLocalOffer => {}
            SignalingState::Closed => return Err(closed()),
            _ => return Err(Error::InvalidState("no offer while the peer's is open")),
        }
        let offer = Offer {
            config: &self.config,
            version: self.session_version + 1,
            agreement: &self.state.agreement,
            data: self.data,
            restart: options.ice_restart,
            replaced: &self.replaced,
        };
        let created = self.created(&offer.write(credentials), SdpType::Offer)?;
        let description = Description::new(SdpType::Offer, created.sdp.clone());
        self.last_offer = Some(created);
        Ok(description)
    }

    /// W3C's `createAnswer`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] unless in `HaveRemoteOffer` or `HaveLocalPranswer`.
    pub fn create_answer(&mut self, credentials: Source<'_>) -> Result<Description, Error> {
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
        let answer = Answer {
            config: &self.config,
            version: self.session_version + 1,
            agreement: &self.state.agreement,
            offer: &offer.outline,
        };
        let created = self.created(&answer.write(credentials), SdpType::Answer)?;
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
        credentials: Source<'_>,
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
            _ if kind == SdpType::Offer => {
                self.create_offer(OfferOptions::default(), credentials)?.sdp
            }
            _ => self.create_answer(credentials)?.sdp,
        };
        let signaling = self.state.signaling.after(Side::Local, kind)?;
        self.apply(Side::Local, signaling, Applied::read(kind, &sdp)?)
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

    /// W3C's `addIceCandidate`. The candidate goes into the remote description of its generation, in
    /// whichever section; the changes are what ICE is to be told now. Candidates of an offer that is not
    /// answered yet are told with the answer, those that come after the end of them not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when a candidate has neither mid nor index, [`Error::InvalidState`] without a
    /// remote description, [`Error::Operation`] when the section, the generation or the candidate is
    /// not one.
    pub fn add_ice_candidate(&mut self, init: CandidateInit<'_>) -> Result<Vec<Change>, Error> {
        if !init.candidate.is_empty() && init.sdp_mid.is_none() && init.sdp_mline_index.is_none() {
            return Err(Error::Type(
                "a candidate has neither sdpMid nor sdpMLineIndex",
            ));
        }
        if self.state.signaling == SignalingState::Closed {
            return Err(closed());
        }
        let latest = self.state.remote().cloned();
        let latest = latest.ok_or(Error::InvalidState("there is no remote description"))?;
        let sections = self.sections(&latest, &init)?;
        let ufrag = init.username_fragment;
        let generation = |index| Some((index, self.generation(&latest, index, ufrag)?));
        let generations: Vec<_> = sections.filter_map(generation).collect();
        if generations.is_empty() && ufrag.is_some() {
            return Err(Error::Operation(
                "no remote description has this usernameFragment",
            ));
        }
        let candidate = init.read()?;
        let mut changes = Vec::new();
        for (index, ufrag) in generations {
            let place = (index, ufrag.as_str());
            self.candidates.add_remote(place, candidate.clone());
            if let Some(candidate) = candidate.clone() {
                changes.extend(self.candidates.tell(&self.state, place, candidate));
            }
        }
        if candidate.is_none() {
            changes.extend(self.candidates.untold_ends(&self.state));
        }
        Ok(changes)
    }

    /// A candidate that we gathered goes into the local descriptions of its generation. Returns where
    /// it belongs, or `None` when no description has this generation any more.
    pub fn add_local_candidate(
        &mut self,
        transport: TransportId,
        ufrag: &str,
        candidate: Candidate,
    ) -> Option<MediaSection> {
        let section = self.local_section(transport, ufrag)?;
        self.candidates.add_local(ufrag, Some(candidate));
        Some(section)
    }

    /// Gathering of a generation has ended. Returns where the end belongs, or `None` when no
    /// description has this generation any more.
    pub fn set_local_end_of_candidates(
        &mut self,
        transport: TransportId,
        ufrag: &str,
    ) -> Option<MediaSection> {
        let section = self.local_section(transport, ufrag)?;
        self.candidates.add_local(ufrag, None);
        Some(section)
    }

    /// W3C's `restartIce`: offers have new credentials until one of them is through.
    pub fn restart_ice(&mut self) {
        self.replaced = self.state.local_credentials();
        self.revision += 1;
    }

    /// W3C's `close`: nothing can be done any more; descriptions stay readable.
    pub fn close(&mut self) {
        self.state.signaling = SignalingState::Closed;
    }

    /// W3C's "check if negotiation is needed" (§4.7.3). When it is asked is the caller's affair.
    pub fn negotiation_needed(&self) -> bool {
        let described = self.state.current_local.as_ref().is_some_and(|applied| {
            let mut entries = applied.outline.entries.iter();
            entries.any(|entry| !entry.rejected && Kind::of(entry).is_data())
        });
        !self.replaced.is_empty() || (self.data && !described)
    }

    /// The signalling state.
    pub fn signaling_state(&self) -> SignalingState {
        self.state.signaling
    }

    /// W3C's `canTrickleIceCandidates`: `None` before the first remote description.
    pub fn can_trickle_ice_candidates(&self) -> Option<bool> {
        self.can_trickle
    }

    /// The transports that are in use.
    pub fn transports(&self) -> impl Iterator<Item = TransportId> {
        self.state.agreement.transports.iter().map(|it| it.id)
    }

    /// The pending local description, else the current one.
    pub fn local_description(&self) -> Option<Description> {
        self.pending_local_description()
            .or_else(|| self.current_local_description())
    }

    /// The local description of the last exchange that ended, with the candidates gathered for it.
    pub fn current_local_description(&self) -> Option<Description> {
        self.write(Side::Local, self.state.current_local.as_ref())
    }

    /// The local description of the exchange that is open, with the candidates gathered for it.
    pub fn pending_local_description(&self) -> Option<Description> {
        self.write(Side::Local, self.state.pending_local.as_ref())
    }

    /// The pending remote description, else the current one.
    pub fn remote_description(&self) -> Option<Description> {
        self.pending_remote_description()
            .or_else(|| self.current_remote_description())
    }

    /// The remote description of the last exchange that ended, with the candidates added to it.
    pub fn current_remote_description(&self) -> Option<Description> {
        self.write(Side::Remote, self.state.current_remote.as_ref())
    }

    /// The remote description of the exchange that is open, with the candidates added to it.
    pub fn pending_remote_description(&self) -> Option<Description> {
        self.write(Side::Remote, self.state.pending_remote.as_ref())
    }

    fn write(&self, side: Side, applied: Option<&Arc<Applied>>) -> Option<Description> {
        let applied = applied?;
        let sdp = match side {
            Side::Local => self.candidates.write_local(applied),
            Side::Remote => self.candidates.write_remote(applied),
        };
        Some(Description::new(applied.kind, sdp))
    }

    /// A text that was just made, with the candidates that are known already.
    fn created(&mut self, text: &str, kind: SdpType) -> Result<Created, Error> {
        let applied = Applied::read(kind, text)?;
        let entries = 0..applied.outline.entries.len();
        let mut all = entries.filter_map(|index| applied.outline.credentials(index));
        // RFC 8839 §5.4: what others are read with is not written
        if all.any(|it| !it.is_written()) {
            return Err(Error::Operation("ICE credentials with other characters"));
        }
        self.session_version += 1;
        Ok(Created {
            sdp: self.candidates.write_local(&applied),
            revision: self.revision,
        })
    }

    /// The sections of the remote description that a candidate is for.
    fn sections(
        &self,
        latest: &Applied,
        init: &CandidateInit<'_>,
    ) -> Result<std::ops::Range<usize>, Error> {
        let outline = &latest.outline;
        match (init.sdp_mid, init.sdp_mline_index.map(usize::from)) {
            (Some(mid), _) => {
                let unnamed = || {
                    let mut sections = self.state.agreement.sections.iter();
                    sections.position(|it| !it.named && it.mid == mid)
                };
                let index = outline.position(mid).or_else(unnamed);
                let index = index.ok_or(Error::Operation("no section has this sdpMid"))?;
                Ok(index..index + 1)
            }
            (None, Some(index)) if index < outline.entries.len() => Ok(index..index + 1),
            (None, Some(_)) => Err(Error::Operation("no section has this sdpMLineIndex")),
            (None, None) => Ok(0..outline.entries.len()),
        }
    }

    /// The generation of a section that a candidate of the peer belongs to: the one that is named, if a
    /// remote description has it, else the latest.
    fn generation(&self, latest: &Applied, index: usize, ufrag: Option<&str>) -> Option<String> {
        let Some(wanted) = ufrag else {
            return generation(latest, index).map(str::to_owned);
        };
        let mut applied = self.state.applied(Side::Remote);
        let known = applied.any(|it| it.outline.ufrag(index) == Some(wanted));
        known.then(|| wanted.to_owned())
    }

    /// The section in which a generation of ours is described: the one that has the address.
    fn local_section(&self, transport: TransportId, ufrag: &str) -> Option<MediaSection> {
        let sections = &self.state.agreement.sections;
        let carried = |index: &usize| self.state.agreement.carrier(*index) == Some(transport);
        let described = |index: &usize| {
            let mut applied = self.state.applied(Side::Local);
            applied.any(|it| it.outline.ufrag(*index) == Some(ufrag))
        };
        let addressed = |index: &usize| {
            let mut applied = self.state.applied(Side::Local);
            applied.any(|it| it.outline.own_ufrag(*index) == Some(ufrag))
        };
        let all = || (0..sections.len()).filter(carried);
        let index = all().find(addressed).or_else(|| all().find(described))?;
        Some(MediaSection {
            mid: sections.get(index)?.mid.clone(),
            index: u16::try_from(index).ok()?,
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
        let agreement = &self.state.agreement;
        let mut changes = agreement.changes_since(&old.agreement, restored);
        for change in &changes {
            if let Change::RemoteIce { transport, .. } = change {
                self.candidates.forget(*transport);
            }
        }
        self.candidates.prune(&self.state);
        let candidates = self.candidates.untold(&self.state);
        let after_ice = changes.iter().position(|change| {
            matches!(
                change,
                Change::Dtls { .. } | Change::Sctp(_) | Change::TransportRemoved { .. }
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
