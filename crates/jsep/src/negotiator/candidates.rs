//! Candidates of both ends.

use oxirtc_sdp::Candidate;

use super::{Negotiator, closed};
use crate::{
    CandidateInit, Change, Error, MediaSection, SignalingState, TransportId,
    candidates::generation, signaling::Side, state::Applied,
};

impl Negotiator {
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
        if !init.candidate.is_empty() && !init.is_placed() {
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
        // W3C §4.4.2: of what is stopped neither generation nor candidate is looked at
        let stopped = init.is_placed() && sections.clone().all(|it| self.is_rejected(it));
        let generations: Vec<_> = sections.filter_map(generation).collect();
        if generations.is_empty() && ufrag.is_some() {
            let error = Error::Operation("no remote description has this usernameFragment");
            return if stopped { Ok(Vec::new()) } else { Err(error) };
        }
        let candidate = match init.read() {
            Err(_) if stopped => return Ok(Vec::new()),
            read => read?,
        };
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

    /// Whether either end has rejected a section.
    fn is_rejected(&self, index: usize) -> bool {
        let section = self.state.agreement.sections.get(index);
        section.is_some_and(|it| !it.live)
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
}
