//! The facts of a description: read once, owned, asked again and again.

mod rtp;

use std::{collections::HashMap, fmt};

use oxirtc_sdp::{Attribute, Candidate, Direction, Media, SctpMap, Session, Setup};

pub(crate) use rtp::Rtp;

use crate::{Credentials, Error, Fingerprint, SdpType};

/// What a description says, section by section, and the bundle groups that join them (RFC 9143).
#[derive(Clone)]
pub(crate) struct Outline {
    pub(crate) entries: Vec<Entry>,
    /// The members of each bundle group, in their order.
    pub(crate) groups: Vec<Vec<usize>>,
    /// What stands above all sections.
    session: Facts,
}

/// One section.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) media: String,
    pub(crate) protocol: String,
    /// Those of the `m=` line, with one space between them.
    pub(crate) formats: String,
    pub(crate) port: u16,
    pub(crate) mid: Option<String>,
    pub(crate) rejected: bool,
    pub(crate) bundle_only: bool,
    pub(crate) bundle: Option<Bundle>,
    /// What it says of RTP.
    pub(crate) rtp: Rtp,
    facts: Facts,
}

/// What a section, or the session level, says of itself.
#[derive(Clone, Default)]
struct Facts {
    ufrag: Option<String>,
    password: Option<String>,
    /// A ufrag or password of characters or a length that it may not have.
    odd_credentials: bool,
    setup: Option<Setup>,
    tls_id: Option<String>,
    fingerprints: Vec<Fingerprint>,
    rtcp_mux: bool,
    trickle: bool,
    renomination: bool,
    lite: bool,
    /// Of the session level.
    direction: Option<Direction>,
    mixed: bool,
    cryptex: bool,
    candidates: Vec<Candidate>,
    ended: bool,
    sctp_port: Option<u16>,
    sctp_map: Option<u16>,
    max_message_size: Option<u64>,
    sctp_init: Option<String>,
}

/// That a section is in a bundle group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// Which of the groups.
    pub(crate) group: usize,
    /// The index of the section whose address and attributes all of the group use.
    pub(crate) tag: usize,
}

impl Outline {
    /// # Errors
    ///
    /// [`Error::InvalidAccess`] when mids or groups contradict each other.
    pub(crate) fn new(session: &Session, kind: SdpType) -> Result<Self, Error> {
        if session.media_count() > MAX_SECTIONS {
            return Err(Error::InvalidAccess("too many media sections"));
        }
        let mut entries: Vec<_> = session.media().map(Entry::new).collect();
        let mut by_mid = HashMap::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            if let Some(mid) = entry.mid.clone()
                && by_mid.insert(mid, index).is_some()
            {
                return Err(Error::InvalidAccess("two sections have the same mid"));
            }
        }
        let mut groups = Vec::new();
        let header = session.header();
        // RFC 5888 §5: the words that it quotes have no case
        let bundles = header
            .groups()
            .filter(|group| group.semantics.eq_ignore_ascii_case("BUNDLE"));
        for (number, group) in bundles.enumerate() {
            let mut members = Vec::new();
            for mid in group.mids() {
                let index = by_mid.get(mid).copied();
                members.push(index.ok_or(Error::InvalidAccess("a group has an unknown mid"))?);
            }
            bundle(&mut entries, number, &members, kind)?;
            groups.push(members);
        }
        if let Some(all) = rtp::bandwidth(header.bandwidths()) {
            share(&mut entries, all);
        }
        let mut facts = Facts::default();
        header.attributes().for_each(|it| facts.read(it));
        Ok(Self {
            entries,
            groups,
            session: facts,
        })
    }

    pub(crate) fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    /// The index of the section with this mid.
    pub(crate) fn position(&self, mid: &str) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| entry.mid.as_deref() == Some(mid))
    }

    /// The section whose address this one uses: the tagged one of its group, or itself.
    pub(crate) fn key(&self, index: usize) -> usize {
        let bundle = self.entry(index).and_then(|entry| entry.bundle);
        bundle.map_or(index, |it| it.tag)
    }

    /// What `look` finds for a section: in it, else in the tagged one of its group, else at session
    /// level.
    // RFC 9143 §7.1.3: attributes of the transport stand in the tagged section only
    fn find<'a, T: 'a>(&'a self, index: usize, look: impl Fn(&'a Facts) -> Option<T>) -> Option<T> {
        let own = &self.entry(index)?.facts;
        let tag = self.entry(self.key(index)).map(|it| &it.facts);
        [Some(own), tag, Some(&self.session)]
            .into_iter()
            .flatten()
            .find_map(look)
    }

    pub(crate) fn ufrag(&self, index: usize) -> Option<&str> {
        self.find(index, |facts| facts.ufrag.as_deref())
    }

    /// Its own ufrag, if it stands in the section.
    pub(crate) fn own_ufrag(&self, index: usize) -> Option<&str> {
        self.entry(index)?.facts.ufrag.as_deref()
    }

    pub(crate) fn credentials(&self, index: usize) -> Option<Credentials> {
        Some(Credentials {
            ufrag: self.ufrag(index)?.to_owned(),
            password: self.find(index, |facts| facts.password.clone())?,
        })
    }

    /// A ufrag or a password that counts for the section is malformed.
    pub(crate) fn has_odd_credentials(&self, index: usize) -> bool {
        self.find(index, |facts| facts.odd_credentials.then_some(()))
            .is_some()
    }

    pub(crate) fn fingerprints(&self, index: usize) -> &[Fingerprint] {
        let some = |facts: &'_ Facts| !facts.fingerprints.is_empty();
        self.find(index, |facts| {
            some(facts).then_some(facts.fingerprints.as_slice())
        })
        .unwrap_or_default()
    }

    pub(crate) fn setup(&self, index: usize) -> Option<Setup> {
        self.find(index, |facts| facts.setup)
    }

    pub(crate) fn tls_id(&self, index: usize) -> Option<&str> {
        self.find(index, |facts| facts.tls_id.as_deref())
    }

    pub(crate) fn has_rtcp_mux(&self, index: usize) -> bool {
        self.find(index, |facts| facts.rtcp_mux.then_some(()))
            .is_some()
    }

    /// Who sends, as the author sees it.
    pub(crate) fn direction(&self, index: usize) -> Direction {
        let own = self.entry(index).and_then(|it| it.rtp.direction);
        // RFC 8866 §6.7: without a word it is both ways
        own.or(self.session.direction)
            .unwrap_or(Direction::SendRecv)
    }

    /// Whether header extensions of one and two bytes may be mixed (RFC 8285 §6).
    pub(crate) fn is_mixed(&self, index: usize) -> bool {
        self.session.mixed || self.entry(index).is_some_and(|it| it.rtp.mixed)
    }

    /// Whether header extensions and sources of a section may be encrypted whole.
    pub(crate) fn is_cryptex(&self, index: usize) -> bool {
        self.session.cryptex || self.entry(index).is_some_and(|it| it.rtp.cryptex)
    }

    /// Whether its author is an ICE-lite agent (RFC 8445 §2.5).
    pub(crate) fn is_lite(&self) -> bool {
        self.session.lite
    }

    /// Whether the author takes candidates later (RFC 8840 §4.1.3).
    pub(crate) fn can_trickle(&self) -> bool {
        self.session.trickle || self.entries.iter().any(|entry| entry.facts.trickle)
    }

    /// Whether the author reads numbers of nominations (draft-thatcher-ice-renomination).
    pub(crate) fn renominates(&self, index: usize) -> bool {
        self.find(index, |facts| facts.renomination.then_some(()))
            .is_some()
    }

    /// Whether no section will have further candidates.
    pub(crate) fn has_ended(&self) -> bool {
        self.session.ended
    }
}

impl Entry {
    fn new(media: Media<'_>) -> Self {
        let mut facts = Facts::default();
        let mut mid = None;
        let mut bundle_only = false;
        let mut rtp = rtp::Lines::default();
        for attribute in media.attributes() {
            let Some(attribute) = rtp.keep(attribute) else {
                continue;
            };
            match attribute {
                Attribute::Mid(it) => mid = mid.or_else(|| Some(it.to_owned())),
                Attribute::BundleOnly => bundle_only = true,
                other => facts.read(other),
            }
        }
        let mut formats = String::new();
        for format in media.formats() {
            formats.push_str(if formats.is_empty() { "" } else { " " });
            formats.push_str(format);
        }
        Self {
            media: media.media().to_owned(),
            protocol: media.protocol().to_owned(),
            formats,
            port: media.port(),
            mid,
            // RFC 9143 §6: port 0 rejects a section unless it is bundle-only
            rejected: media.port() == 0 && !bundle_only,
            bundle_only,
            bundle: None,
            rtp: rtp.finish(&media),
            facts,
        }
    }

    /// Its own candidates that follow the grammar, those of no use among them.
    pub(crate) fn candidates(&self) -> &[Candidate] {
        &self.facts.candidates
    }

    /// Whether it says that there will be no further ones.
    pub(crate) fn has_ended(&self) -> bool {
        self.facts.ended
    }

    /// The SCTP port, in the form of RFC 8841 or of older drafts.
    pub(crate) fn sctp_port(&self) -> u16 {
        let format = || self.formats.split(' ').find_map(|it| it.parse().ok());
        let port = self.facts.sctp_port.or(self.facts.sctp_map);
        port.or_else(format).unwrap_or(5000)
    }

    /// The INIT chunk in base64, of one who can do without a handshake.
    pub(crate) fn sctp_init(&self) -> Option<&str> {
        self.facts.sctp_init.as_deref()
    }

    /// The longest message that the author takes; `u64::MAX` when it takes any.
    pub(crate) fn max_message_size(&self) -> u64 {
        match self.facts.max_message_size {
            None => 65_536, // RFC 8841 §6.1
            Some(0) => u64::MAX,
            Some(size) => size,
        }
    }
}

impl Facts {
    fn read(&mut self, attribute: Attribute<'_>) {
        let first = |known: &mut Option<String>, value: &str| {
            known.get_or_insert_with(|| value.to_owned());
        };
        match attribute {
            Attribute::IceUfrag(ufrag) => first(&mut self.ufrag, ufrag),
            Attribute::IcePwd(password) => first(&mut self.password, password),
            Attribute::Malformed {
                name: "ice-ufrag" | "ice-pwd",
                ..
            } => self.odd_credentials = true,
            Attribute::Setup(setup) => self.setup = self.setup.or(Some(setup)),
            Attribute::TlsId(id) => first(&mut self.tls_id, id),
            Attribute::Fingerprint(it) => self.keep_fingerprint(it),
            Attribute::RtcpMux | Attribute::RtcpMuxOnly => self.rtcp_mux = true,
            Attribute::IceOptions(options) => {
                let says = |tag| options.split_ascii_whitespace().any(|it| it == tag);
                self.trickle |= says("trickle");
                self.renomination |= says("renomination");
            }
            Attribute::IceLite => self.lite = true,
            Attribute::Direction(it) => self.direction = self.direction.or(Some(it)),
            Attribute::ExtMapAllowMixed => self.mixed = true,
            Attribute::Cryptex => self.cryptex = true,
            Attribute::Candidate(candidate) => self.candidates.push(*candidate),
            Attribute::EndOfCandidates => self.ended = true,
            Attribute::SctpPort(port) => self.sctp_port = self.sctp_port.or(Some(port)),
            Attribute::SctpMap(SctpMap { port, .. }) => {
                self.sctp_map = self.sctp_map.or(Some(port));
            }
            Attribute::SctpInit(init) => first(&mut self.sctp_init, init),
            Attribute::MaxMessageSize(size) => {
                self.max_message_size = self.max_message_size.or(Some(size));
            }
            _ => {}
        }
    }

    /// Each transport gets its own copy of those of the session level, so there are few, and short ones.
    fn keep_fingerprint(&mut self, line: oxirtc_sdp::Fingerprint<'_>) {
        let long = line.algorithm.len() > LONGEST_HASH || line.bytes().nth(LONGEST_HASH).is_some();
        if long || self.fingerprints.len() >= MOST_FINGERPRINTS {
            return;
        }
        let fingerprint = Fingerprint {
            algorithm: line.algorithm.to_ascii_lowercase(),
            value: line.bytes().collect(),
        };
        if !self.fingerprints.contains(&fingerprint) {
            self.fingerprints.push(fingerprint);
        }
    }
}

impl fmt::Debug for Outline {
    /// A summary: it has the ICE password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outline")
            .field("entries", &self.entries.len())
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

/// RFC 8834 §7.1: a limit of all media together, in bits per second, is followed if each section that lives keeps to its equal part.
fn share(entries: &mut [Entry], all: u64) {
    let lives = |it: &Entry| !it.rejected && !it.rtp.formats.is_empty();
    let count = entries.iter().filter(|it| lives(it)).count();
    let part = all / (count as u64).max(1);
    for entry in entries.iter_mut().filter(|it| lives(it)) {
        let own = entry.rtp.bandwidth;
        entry.rtp.bandwidth = Some(own.map_or(part, |own| own.min(part)));
    }
}

/// Joins sections in one group.
fn bundle(
    entries: &mut [Entry],
    group: usize,
    members: &[usize],
    kind: SdpType,
) -> Result<(), Error> {
    let living = |index: &&usize| entries.get(**index).is_some_and(|it| !it.rejected);
    let addressed = |index: &&usize| entries.get(**index).is_some_and(|it| it.port != 0);
    // RFC 9143 §7.3.1: in an offer the first that is neither rejected nor without an address; in an answer the first
    let tag = members
        .iter()
        .filter(living)
        .find(|index| kind != SdpType::Offer || addressed(index))
        .or_else(|| members.iter().find(living))
        .copied();
    let Some(tag) = tag else { return Ok(()) };
    for index in members {
        let Some(entry) = entries.get_mut(*index) else {
            continue;
        };
        if entry.bundle.is_some() {
            return Err(Error::InvalidAccess("a mid stands twice in bundle groups"));
        }
        // RFC 9143 §7.2.1: a rejected section is in no group
        if !entry.rejected {
            entry.bundle = Some(Bundle { group, tag });
        }
    }
    Ok(())
}

/// More than this many sections nobody means.
const MAX_SECTIONS: usize = 4096;

/// Each is one that the certificate of the peer may have: it has one certificate, or one of several, and there are few hash functions.
const MOST_FINGERPRINTS: usize = 32;

/// In bytes: of SHA-512, the longest that there is (RFC 8122 §5). No name of a function is longer.
const LONGEST_HASH: usize = 64;
