//! Candidates of both ends: kept with their generation, written into descriptions.

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
};

use oxirtc_sdp::{Address, Candidate, CandidateKind, Session, Transport};

use crate::{Change, TransportId, layout::Layout, signaling::Side, state::State};

/// W3C's `RTCIceCandidateInit`. The default is the end of candidates for all sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CandidateInit<'a> {
    /// `candidate:…`; empty is the end of candidates.
    pub candidate: &'a str,
    /// The mid of its section.
    pub sdp_mid: Option<&'a str>,
    /// The index of its section, which counts only where there is no mid.
    pub sdp_mline_index: Option<u16>,
    /// The ufrag of its generation; the latest one where there is none.
    pub username_fragment: Option<&'a str>,
}

/// Where in the local description a candidate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaSection {
    /// W3C's `sdpMid`.
    pub mid: String,
    /// W3C's `sdpMLineIndex`.
    pub index: u16,
}

/// All candidates that came outside of descriptions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    gathered: Vec<Gathered>,
    trickled: Vec<Trickled>,
    /// What ICE has been told of the peer's generation in force, for each transport.
    told: BTreeMap<TransportId, Told>,
}

/// What we gathered in one generation.
#[derive(Clone, Debug)]
struct Gathered {
    ufrag: String,
    candidates: Vec<Candidate>,
    complete: bool,
}

/// What the peer sent for one generation of one section.
#[derive(Clone, Debug)]
struct Trickled {
    index: usize,
    ufrag: String,
    lines: Vec<String>,
    complete: bool,
}

#[derive(Clone, Debug, Default)]
struct Told {
    lines: HashSet<String>,
    complete: bool,
}

impl Candidates {
    /// Keeps a candidate of ours, or the end of them.
    pub(crate) fn add_local(&mut self, ufrag: &str, candidate: Option<Candidate>) {
        let position = self.gathered.iter().position(|it| it.ufrag == ufrag);
        let position = position.unwrap_or_else(|| {
            self.gathered.push(Gathered {
                ufrag: ufrag.to_owned(),
                candidates: Vec::new(),
                complete: false,
            });
            self.gathered.len() - 1
        });
        let Some(gathered) = self.gathered.get_mut(position) else {
            return;
        };
        match candidate {
            None => gathered.complete = true,
            Some(candidate) if gathered.candidates.len() < MAX_CANDIDATES => {
                gathered.candidates.push(candidate);
            }
            Some(_) => {}
        }
    }

    /// Keeps a candidate of the peer as it was written, or the end of them.
    pub(crate) fn add_remote(&mut self, index: usize, ufrag: &str, line: Option<&str>) {
        let found = |it: &Trickled| it.index == index && it.ufrag == ufrag;
        let position = self.trickled.iter().position(found).unwrap_or_else(|| {
            self.trickled.push(Trickled {
                index,
                ufrag: ufrag.to_owned(),
                lines: Vec::new(),
                complete: false,
            });
            self.trickled.len() - 1
        });
        let Some(trickled) = self.trickled.get_mut(position) else {
            return;
        };
        match line {
            None => trickled.complete = true,
            Some(line) if trickled.lines.len() < MAX_CANDIDATES => {
                trickled.lines.push(line.to_owned());
            }
            Some(_) => {}
        }
    }

    /// Forgets generations that no description has any more.
    pub(crate) fn prune(&mut self, state: &State) {
        let local = ufrags(state, Side::Local);
        self.gathered
            .retain(|it| local.iter().any(|(_, ufrag)| *ufrag == it.ufrag));
        let remote = ufrags(state, Side::Remote);
        self.trickled.retain(|it| {
            remote
                .iter()
                .any(|(index, ufrag)| *index == it.index && *ufrag == it.ufrag)
        });
        self.told
            .retain(|id, _| state.table.transport(*id).is_some());
    }

    /// Forgets what ICE was told of a transport: its remote generation is another one.
    pub(crate) fn forget(&mut self, transport: TransportId) {
        self.told.remove(&transport);
    }

    /// What ICE is to be told of a candidate that was just added, or of the end of them.
    pub(crate) fn tell(
        &mut self,
        state: &State,
        (index, ufrag): (usize, &str),
        line: Option<&str>,
    ) -> Option<Change> {
        let transport = state.table.slots.get(index)?.transport?;
        let remote = state.table.transport(transport)?.remote.as_ref()?;
        if remote.credentials.ufrag != ufrag {
            return None; // of an offer that is not answered yet, or of the generation before
        }
        let told = self.told.entry(transport).or_default();
        let Some(line) = line else {
            let first = !std::mem::replace(&mut told.complete, true);
            return first.then_some(Change::RemoteEndOfCandidates { transport });
        };
        let first = told.lines.len() < MAX_CANDIDATES && told.lines.insert(line.to_owned());
        let candidate = usable(line).filter(|_| first)?;
        Some(Change::RemoteCandidate {
            transport,
            candidate,
        })
    }

    /// The candidates of the peer that ICE has not been told yet and can use now.
    pub(crate) fn untold(&mut self, state: &State) -> Vec<Change> {
        let mut changes = Vec::new();
        for transport in &state.table.transports {
            let Some(remote) = &transport.remote else {
                continue;
            };
            let told = self.told.entry(transport.id).or_default();
            let ufrag = &remote.credentials.ufrag;
            let mut complete = false;
            for (line, end) in lines(state, &self.trickled, transport.id, ufrag) {
                complete |= end;
                if told.lines.len() >= MAX_CANDIDATES || !told.lines.insert(line.clone()) {
                    continue;
                }
                if let Some(candidate) = usable(&line) {
                    changes.push(Change::RemoteCandidate {
                        transport: transport.id,
                        candidate,
                    });
                }
            }
            if complete && !told.complete {
                told.complete = true;
                changes.push(Change::RemoteEndOfCandidates {
                    transport: transport.id,
                });
            }
        }
        changes
    }

    /// A local description with what was gathered for it so far.
    pub(crate) fn write_local(&self, session: &Session, layout: &Layout<'_>) -> String {
        let mut text = Text::new(session);
        for index in 0..layout.entries.len() {
            let gathered = layout
                .own_ufrag(index)
                .filter(|_| layout.entry(index).is_some_and(|it| !it.rejected))
                .and_then(|ufrag| self.gathered.iter().find(|it| it.ufrag == ufrag));
            match gathered {
                Some(gathered) => {
                    let lines = gathered.candidates.iter().map(ToString::to_string);
                    text.section(
                        index,
                        default(&gathered.candidates),
                        lines,
                        gathered.complete,
                    );
                }
                None => text.section(index, None, std::iter::empty(), false),
            }
        }
        text.finish()
    }

    /// A remote description with what the peer sent for it so far.
    pub(crate) fn write_remote(&self, session: &Session, layout: &Layout<'_>) -> String {
        let mut text = Text::new(session);
        for index in 0..layout.entries.len() {
            let ufrag = layout.ufrag(index);
            let found = |it: &&Trickled| it.index == index && Some(it.ufrag.as_str()) == ufrag;
            match self.trickled.iter().find(found) {
                Some(it) => text.section(index, None, it.lines.iter().cloned(), it.complete),
                None => text.section(index, None, std::iter::empty(), false),
            }
        }
        text.finish()
    }
}

/// A description being copied, section by section.
struct Text<'a> {
    session: &'a Session,
    text: String,
}

impl<'a> Text<'a> {
    fn new(session: &'a Session) -> Self {
        let mut text = Self {
            session,
            text: String::with_capacity(session.as_str().len() + 512),
        };
        session
            .header()
            .lines()
            .for_each(|line| text.line(line.kind, line.value));
        text
    }

    /// Copies a section and adds what it does not have yet.
    fn section(
        &mut self,
        index: usize,
        default: Option<(IpAddr, u16)>,
        candidates: impl Iterator<Item = String>,
        complete: bool,
    ) {
        let Some(media) = self.session.media_at(index) else {
            return;
        };
        let mut present = HashSet::new();
        let mut ended = false;
        for line in media.lines() {
            match (line.kind, default) {
                // RFC 9429 §5.2.2: the address of the default candidate
                ('m', Some((_, port))) if media.port() != 0 => {
                    let formats = media.formats().collect::<Vec<_>>().join(" ");
                    let value = format!("{} {port} {} {formats}", media.media(), media.protocol());
                    self.line('m', &value);
                }
                ('c', Some((IpAddr::V4(address), _))) => {
                    self.line('c', &format!("IN IP4 {address}"))
                }
                ('c', Some((IpAddr::V6(address), _))) => {
                    self.line('c', &format!("IN IP6 {address}"))
                }
                _ => self.line(line.kind, line.value),
            }
            if line.kind == 'a' && line.value.starts_with("candidate:") {
                present.insert(line.value);
            }
            ended |= line.kind == 'a' && line.value == "end-of-candidates";
        }
        for candidate in candidates {
            if !present.contains(candidate.as_str()) {
                self.line('a', &candidate);
            }
        }
        if complete && !ended {
            self.line('a', "end-of-candidates");
        }
    }

    fn line(&mut self, kind: char, value: &str) {
        self.text.push(kind);
        self.text.push('=');
        self.text.push_str(value);
        self.text.push_str("\r\n");
    }

    fn finish(self) -> String {
        self.text
    }
}

/// The generations that the descriptions of one side name, by section.
fn ufrags(state: &State, side: Side) -> Vec<(usize, &str)> {
    let mut all = Vec::new();
    for applied in state.applied(side) {
        let Ok(layout) = Layout::new(&applied.session, applied.kind) else {
            continue;
        };
        all.extend((0..layout.entries.len()).filter_map(|it| Some((it, layout.ufrag(it)?))));
    }
    all
}

/// The peer's candidates of one generation of a transport, as they were written, and whether they
/// end: first those of descriptions, then those that came alone.
fn lines(
    state: &State,
    trickled: &[Trickled],
    transport: TransportId,
    ufrag: &str,
) -> Vec<(String, bool)> {
    let mut all = Vec::new();
    let carried = |index: usize| {
        state
            .table
            .slots
            .get(index)
            .is_some_and(|it| it.live && it.transport == Some(transport))
    };
    for applied in state.applied(Side::Remote) {
        let Ok(layout) = Layout::new(&applied.session, applied.kind) else {
            continue;
        };
        for (index, entry) in layout.entries.iter().enumerate() {
            if !carried(index) || layout.ufrag(index) != Some(ufrag) {
                continue;
            }
            let complete =
                entry.media.has("end-of-candidates") || layout.header.has("end-of-candidates");
            // candidates of a section without an address of its own stand in the tagged one
            let tag = entry
                .bundle
                .filter(|_| layout.own_ufrag(index).is_none())
                .map(|it| it.tag);
            let source = tag.and_then(|tag| layout.entry(tag)).unwrap_or(entry);
            all.extend(
                source
                    .media
                    .values("candidate")
                    .map(|it| (format!("candidate:{it}"), complete)),
            );
            if complete {
                all.push((String::new(), true));
            }
        }
    }
    for it in trickled
        .iter()
        .filter(|it| carried(it.index) && it.ufrag == ufrag)
    {
        all.extend(it.lines.iter().map(|line| (line.clone(), it.complete)));
        if it.complete {
            all.push((String::new(), true));
        }
    }
    all
}

/// A candidate that ICE can use.
fn usable(line: &str) -> Option<Candidate> {
    let candidate = Candidate::parse(line).ok()?;
    let known = matches!(candidate.transport, Transport::Udp | Transport::Tcp)
        && !matches!(candidate.kind, CandidateKind::Other(_))
        && !matches!(candidate.address, Address::Other(_))
        // of a type that nobody knows
        && candidate.extension("tcptype").is_none();
    // RFC 8858: RTCP is multiplexed, so component 2 is of no use
    (known && candidate.component == 1).then_some(candidate)
}

/// The default candidate: the one most likely to be reached (RFC 8839 §4.2.1.2).
fn default(candidates: &[Candidate]) -> Option<(IpAddr, u16)> {
    let rank = |candidate: &Candidate, ip: &IpAddr| {
        let kind = match candidate.kind {
            CandidateKind::Relayed => 3,
            CandidateKind::ServerReflexive => 2,
            _ => 1,
        };
        (kind, ip.is_ipv4(), candidate.priority)
    };
    candidates
        .iter()
        .filter(|it| it.transport == Transport::Udp && it.component == 1)
        .filter_map(|it| match it.address {
            Address::Ip(ip) => Some((rank(it, &ip), (ip, it.port))),
            // RFC 8839 §4.2.1.2 wants an address, and a name hides one
            Address::Name(_) | Address::Other(_) => None,
        })
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, address)| address)
}

/// Beyond this many in one generation candidates are no longer kept: nobody has so many.
const MAX_CANDIDATES: usize = 4096;
