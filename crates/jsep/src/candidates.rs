//! Candidates of both ends: kept with their generation, written into descriptions.

mod text;

use std::collections::HashSet;

use oxirtc_sdp::{Address, Candidate, CandidateKind, Transport as Protocol};

use self::text::Text;
use crate::{
    Change, Credentials, MediaSection, TransportId,
    agreement::Transport,
    signaling::Side,
    state::{Applied, State},
};

/// W3C's `RTCIceCandidateInit`. The default is the end of candidates for all sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CandidateInit<'a> {
    /// `candidate:…`, also with `a=` before it; empty is the end of candidates.
    pub candidate: &'a str,
    /// The mid of its section.
    pub sdp_mid: Option<&'a str>,
    /// The index of its section, which counts only where there is no mid.
    pub sdp_mline_index: Option<u16>,
    /// The ufrag of its generation; the latest one where there is none.
    pub username_fragment: Option<&'a str>,
}

impl CandidateInit<'_> {
    /// The candidate; `None` at the end of them.
    ///
    /// # Errors
    ///
    /// [`Error::Operation`](crate::Error::Operation) when the text is not one.
    pub(crate) fn read(&self) -> Result<Option<Candidate>, crate::Error> {
        if self.candidate.is_empty() {
            return Ok(None);
        }
        // as it stands in a description, and as it travels alone
        let text = self.candidate.strip_prefix("a=").unwrap_or(self.candidate);
        let candidate = Candidate::parse(text);
        let candidate = candidate.map_err(|_| crate::Error::Operation("not a candidate"))?;
        Ok(Some(candidate))
    }

    /// Whether it says which section it is for.
    pub(crate) fn is_placed(&self) -> bool {
        self.sdp_mid.is_some() || self.sdp_mline_index.is_some()
    }
}

/// All candidates that came outside of descriptions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    gathered: Vec<Gathered>,
    trickled: Vec<Trickled>,
    /// What ICE has been told of the peer's generations in force.
    told: Vec<Told>,
}

/// What we gathered in one generation.
#[derive(Clone, Debug)]
struct Gathered {
    ufrag: String,
    candidates: Vec<Candidate>,
    complete: bool,
}

/// What the peer sent for one generation of one section. The ufrag is empty where the section has none.
#[derive(Clone, Debug)]
struct Trickled {
    index: usize,
    ufrag: String,
    candidates: Vec<Candidate>,
    complete: bool,
}

/// What ICE has been told of one generation of the peer on one transport.
#[derive(Clone, Debug)]
struct Told {
    transport: TransportId,
    credentials: Credentials,
    candidates: HashSet<Candidate>,
    complete: bool,
    /// Candidates for which there was no room.
    dropped: u64,
}

impl Candidates {
    /// Keeps a candidate of ours, or the end of them.
    pub(crate) fn add_local(&mut self, ufrag: &str, candidate: Option<Candidate>) {
        let known = self.gathered.iter().position(|it| it.ufrag == ufrag);
        let new = || Gathered {
            ufrag: ufrag.to_owned(),
            candidates: Vec::new(),
            complete: false,
        };
        let gathered = entry(&mut self.gathered, known, new);
        match candidate {
            None => gathered.complete = true,
            Some(candidate) => keep(&mut gathered.candidates, candidate),
        }
    }

    /// Keeps a candidate of the peer, or the end of them.
    pub(crate) fn add_remote(
        &mut self,
        (index, ufrag): (usize, &str),
        candidate: Option<Candidate>,
    ) {
        let found = |it: &Trickled| it.index == index && it.ufrag == ufrag;
        let known = self.trickled.iter().position(found);
        let new = || Trickled {
            index,
            ufrag: ufrag.to_owned(),
            candidates: Vec::new(),
            complete: false,
        };
        let trickled = entry(&mut self.trickled, known, new);
        match candidate {
            None => trickled.complete = true,
            Some(candidate) => keep(&mut trickled.candidates, candidate),
        }
    }

    /// Forgets generations that no description has any more.
    pub(crate) fn prune(&mut self, state: &State) {
        let any = |side, index: Option<usize>, ufrag: &str| {
            let mut applied = state.applied(side);
            applied.any(|it| match index {
                Some(index) => generation(it, index) == Some(ufrag),
                None => (0..it.outline.entries.len())
                    .any(|it_index| it.outline.ufrag(it_index) == Some(ufrag)),
            })
        };
        self.gathered.retain(|it| any(Side::Local, None, &it.ufrag));
        self.trickled
            .retain(|it| any(Side::Remote, Some(it.index), &it.ufrag));
        // ICE forgets a generation with its last description, and is told all of it again should it return.
        self.told.retain(|told| {
            let transport = state.agreement.transport(told.transport);
            let mut generations = transport.into_iter().flat_map(|it| listed(state, it));
            generations.any(|it| *it == told.credentials)
        });
    }

    /// What ICE is to be told of a candidate that was just added to a section.
    pub(crate) fn tell(
        &mut self,
        state: &State,
        (index, ufrag): (usize, &str),
        candidate: Candidate,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for transport in &state.agreement.transports {
            let of = |it: &&Credentials| it.ufrag == ufrag && serves(state, transport, index);
            for generation in listed(state, transport).filter(of) {
                let told = told(&mut self.told, transport.id, generation);
                changes.extend(told.tell(section(state, index), &candidate));
            }
        }
        changes
    }

    /// The candidates of the peer that ICE has not been told yet and can use now.
    pub(crate) fn untold(&mut self, state: &State) -> Vec<Change> {
        let mut changes = Vec::new();
        for transport in &state.agreement.transports {
            for generation in listed(state, transport) {
                let told = told(&mut self.told, transport.id, generation);
                // those of the sections that it carries are the likeliest to be reached
                for carried in [true, false] {
                    let turn =
                        |index| (state.agreement.carrier(index) == Some(transport.id)) == carried;
                    for (index, candidate) in described(state, transport, generation) {
                        if turn(index) {
                            changes.extend(told.tell(section(state, index), candidate));
                        }
                    }
                    let sent = self.trickled.iter().filter(|it| turn(it.index));
                    let sent = sent.filter(|it| it.ufrag == generation.ufrag);
                    for it in sent.filter(|it| serves(state, transport, it.index)) {
                        let tell = |candidate| told.tell(section(state, it.index), candidate);
                        changes.extend(it.candidates.iter().filter_map(tell));
                    }
                }
            }
        }
        changes.extend(self.untold_ends(state));
        changes
    }

    /// The ends of candidates that ICE has not been told yet.
    pub(crate) fn untold_ends(&mut self, state: &State) -> Vec<Change> {
        let mut changes = Vec::new();
        for transport in &state.agreement.transports {
            for generation in listed(state, transport) {
                let ended = has_ended(state, &self.trickled, (transport, generation));
                let told = told(&mut self.told, transport.id, generation);
                if ended && !told.complete {
                    told.complete = true;
                    changes.push(Change::RemoteEndOfCandidates {
                        transport: transport.id,
                        ufrag: generation.ufrag.clone(),
                    });
                }
            }
        }
        changes
    }

    /// Candidates of the peer for which there was no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.told.iter().map(|it| it.dropped).sum()
    }

    /// A local description with what was gathered for it so far.
    pub(crate) fn write_local(&self, applied: &Applied) -> String {
        let mut text = Text::new(&applied.session);
        for (index, entry) in applied.outline.entries.iter().enumerate() {
            let own = applied.outline.own_ufrag(index).filter(|_| !entry.rejected);
            let gathered = own.and_then(|ufrag| self.gathered.iter().find(|it| it.ufrag == ufrag));
            match gathered {
                Some(it) => text.section(
                    index,
                    entry,
                    Some(&it.candidates),
                    (&it.candidates, it.complete),
                ),
                None => text.section(index, entry, None, (&[], false)),
            }
        }
        text.finish()
    }

    /// A remote description with what the peer sent for it so far.
    pub(crate) fn write_remote(&self, applied: &Applied) -> String {
        let mut text = Text::new(&applied.session);
        for (index, entry) in applied.outline.entries.iter().enumerate() {
            let ufrag = generation(applied, index);
            let found = |it: &&Trickled| it.index == index && Some(it.ufrag.as_str()) == ufrag;
            match self.trickled.iter().find(found) {
                Some(it) => text.section(index, entry, None, (&it.candidates, it.complete)),
                None => text.section(index, entry, None, (&[], false)),
            }
        }
        text.finish()
    }
}

impl Told {
    /// `None` when it was told, when it is of no use, and after the end.
    fn tell(&mut self, section: MediaSection, candidate: &Candidate) -> Option<Change> {
        // RFC 8838 §14: what comes after the end is ignored
        if !self.complete && self.candidates.len() >= MAX_CANDIDATES {
            self.dropped += u64::from(!self.candidates.contains(candidate));
            return None;
        }
        let first = !self.complete && self.candidates.insert(candidate.clone());
        (first && is_usable(candidate)).then(|| Change::RemoteCandidate {
            transport: self.transport,
            ufrag: self.credentials.ufrag.clone(),
            section,
            candidate: candidate.clone(),
        })
    }
}

/// What ICE has been told of a generation, nothing at first.
fn told<'a>(
    all: &'a mut Vec<Told>,
    transport: TransportId,
    credentials: &Credentials,
) -> &'a mut Told {
    let of = |it: &Told| it.transport == transport && it.credentials == *credentials;
    let known = all.iter().position(of);
    let new = || Told {
        transport,
        credentials: credentials.clone(),
        candidates: HashSet::new(),
        complete: false,
        dropped: 0,
    };
    entry(all, known, new)
}

/// Where in the descriptions a candidate of the peer stands.
fn section(state: &State, index: usize) -> MediaSection {
    let section = state.agreement.sections.get(index);
    MediaSection {
        mid: section.map(|it| it.mid.clone()).unwrap_or_default(),
        index: u16::try_from(index).unwrap_or(u16::MAX),
    }
}

/// The generations of the peer that a transport has: that of the newest description and, while an exchange is open, that of the last
/// stable state, which goes on beside it.
fn listed<'a>(state: &'a State, transport: &'a Transport) -> impl Iterator<Item = &'a Credentials> {
    let newest = transport.remote.as_ref().map(|it| &it.credentials);
    let stable = state.stable().transport(transport.id);
    let stable = stable.and_then(|it| Some(&it.remote.as_ref()?.credentials));
    let stable = stable.filter(|it| newest != Some(it));
    [newest, stable].into_iter().flatten()
}

/// The ufrag that a section's candidates belong to, empty where it has none.
pub(crate) fn generation(applied: &Applied, index: usize) -> Option<&str> {
    applied.outline.entry(index)?;
    Some(applied.outline.ufrag(index).unwrap_or_default())
}

fn entry<T>(list: &mut Vec<T>, known: Option<usize>, new: impl FnOnce() -> T) -> &mut T {
    let index = known.unwrap_or_else(|| {
        list.push(new());
        list.len() - 1
    });
    #[expect(clippy::indexing_slicing, reason = "it was found, or just pushed")]
    &mut list[index]
}

fn keep(list: &mut Vec<Candidate>, candidate: Candidate) {
    if list.len() < MAX_CANDIDATES {
        list.push(candidate);
    }
}

/// Whether candidates of a section are for a transport that has their generation.
///
/// Peers write those of a bundle group into the first section alone, whichever of them lives, so those of
/// every section count that has the generation, but for one that another transport carries.
fn serves(state: &State, transport: &Transport, index: usize) -> bool {
    let carrier = state.agreement.carrier(index);
    carrier.is_none_or(|id| id == transport.id)
}

/// The sections of the peer's descriptions whose candidates are of a generation of a transport.
fn sections<'a>(
    state: &'a State,
    transport: &'a Transport,
    generation: &'a Credentials,
) -> impl Iterator<Item = (&'a Applied, usize)> {
    state.applied(Side::Remote).flat_map(move |applied| {
        let all = 0..applied.outline.entries.len();
        let ours = all.filter(move |index| {
            applied.outline.ufrag(*index) == Some(&generation.ufrag)
                && serves(state, transport, *index)
        });
        ours.map(move |index| (applied, index))
    })
}

/// The candidates of a generation of a transport that stand in the peer's descriptions.
fn described<'a>(
    state: &'a State,
    transport: &'a Transport,
    generation: &'a Credentials,
) -> impl Iterator<Item = (usize, &'a Candidate)> {
    sections(state, transport, generation).flat_map(|(applied, index)| {
        let entry = applied.outline.entry(index);
        let candidates = entry.map(|it| it.candidates()).unwrap_or_default();
        candidates.iter().map(move |it| (index, it))
    })
}

/// Whether the peer will send no further candidates of a generation of a transport: the description says so, the
/// section whose address is used does, or each section does that had candidates.
fn has_ended(
    state: &State,
    trickled: &[Trickled],
    (transport, generation): (&Transport, &Credentials),
) -> bool {
    let mut ended = (false, true);
    for (applied, index) in sections(state, transport, generation) {
        let outline = &applied.outline;
        let sent = trickled
            .iter()
            .find(|it| it.index == index && it.ufrag == generation.ufrag);
        let entry = outline.entry(index);
        let said = entry.is_some_and(|it| it.has_ended()) || sent.is_some_and(|it| it.complete);
        let carried = state.agreement.carrier(index) == Some(transport.id);
        if outline.has_ended() || (said && carried && outline.key(index) == index) {
            return true;
        }
        let some = entry.is_some_and(|it| !it.candidates().is_empty())
            || sent.is_some_and(|it| !it.candidates.is_empty());
        ended = (ended.0 | said, ended.1 & (said | !some));
    }
    ended == (true, true)
}

/// A candidate that ICE can use.
fn is_usable(candidate: &Candidate) -> bool {
    // RFC 8858: RTCP is multiplexed, so component 2 is of no use
    candidate.component == 1
        && matches!(candidate.transport, Protocol::Udp | Protocol::Tcp)
        && !matches!(candidate.kind, CandidateKind::Other(_))
        && !matches!(candidate.address, Address::Other(_))
        // of a type that nobody knows
        && candidate.extension("tcptype").is_none()
}

/// Beyond this many in one generation candidates are no longer kept: nobody has so many.
const MAX_CANDIDATES: usize = 4096;
