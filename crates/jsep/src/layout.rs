//! A description seen as sections that share transports (RFC 9143).

use std::collections::HashMap;

use oxirtc_sdp::{Attribute, Media, Section, Session, Setup};

use crate::{Credentials, Error, Fingerprint, SdpType};

/// The sections of a description and the bundle groups that join them.
pub(crate) struct Layout<'a> {
    pub(crate) header: Section<'a>,
    pub(crate) entries: Vec<Entry<'a>>,
    facts: Facts<'a>,
}

/// One section.
pub(crate) struct Entry<'a> {
    pub(crate) media: Media<'a>,
    pub(crate) mid: Option<&'a str>,
    pub(crate) rejected: bool,
    pub(crate) bundle: Option<Bundle>,
    facts: Facts<'a>,
}

/// What one section says of its transport, gathered in one pass: sections are asked again and again.
#[derive(Clone, Copy, Default)]
struct Facts<'a> {
    ufrag: Option<&'a str>,
    password: Option<&'a str>,
    setup: Option<Setup>,
    tls_id: Option<&'a str>,
    fingerprints: Option<Section<'a>>,
    rtcp_mux: Option<()>,
    keys: bool,
    trickle: bool,
    lite: bool,
}

/// That a section is in a bundle group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// Which of the groups.
    pub(crate) group: usize,
    /// The index of the section whose address and attributes all of the group use.
    pub(crate) tag: usize,
}

impl<'a> Layout<'a> {
    pub(crate) fn new(session: &'a Session, kind: SdpType) -> Result<Self, Error> {
        if session.media_count() > MAX_SECTIONS {
            return Err(Error::InvalidAccess("too many media sections"));
        }
        let mut entries: Vec<_> = session.media().map(Entry::new).collect();
        let mut by_mid = HashMap::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            if let Some(mid) = entry.mid
                && by_mid.insert(mid, index).is_some()
            {
                return Err(Error::InvalidAccess("two sections have the same mid"));
            }
        }
        let header = session.header();
        let groups = header.groups().filter(|group| group.semantics == "BUNDLE");
        for (number, group) in groups.enumerate() {
            let mut members = Vec::new();
            for mid in group.mids() {
                let index = by_mid.get(mid).copied();
                members.push(index.ok_or(Error::InvalidAccess("a group has an unknown mid"))?);
            }
            bundle(&mut entries, number, &members, kind)?;
        }
        Ok(Self {
            header,
            entries,
            facts: Facts::new(header),
        })
    }

    pub(crate) fn entry(&self, index: usize) -> Option<&Entry<'a>> {
        self.entries.get(index)
    }

    /// The index of the section with this mid.
    pub(crate) fn position(&self, mid: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.mid == Some(mid))
    }

    /// What `look` finds for a section: in it, else in the tagged one of its group, else at session
    /// level.
    // RFC 9143 §7.1.3: attributes of the transport stand in the tagged section only
    fn find<T>(&self, index: usize, look: impl Fn(&Facts<'a>) -> Option<T>) -> Option<T> {
        let entry = self.entry(index)?;
        let tag = || {
            self.entry(entry.bundle?.tag)
                .and_then(|tag| look(&tag.facts))
        };
        look(&entry.facts)
            .or_else(tag)
            .or_else(|| look(&self.facts))
    }

    pub(crate) fn ufrag(&self, index: usize) -> Option<&'a str> {
        self.find(index, |facts| facts.ufrag)
    }

    /// Its own ufrag, if it stands in the section.
    pub(crate) fn own_ufrag(&self, index: usize) -> Option<&'a str> {
        self.entry(index)?.facts.ufrag
    }

    /// The first section without an address of its own that uses the address of this one.
    pub(crate) fn guest(&self, host: usize) -> Option<usize> {
        self.entries.iter().position(|entry| {
            !entry.rejected
                && entry.facts.ufrag.is_none()
                && entry.bundle.is_some_and(|it| it.tag == host)
        })
    }

    pub(crate) fn credentials(&self, index: usize) -> Option<Credentials> {
        Some(Credentials {
            ufrag: self.ufrag(index)?.to_owned(),
            password: self.find(index, |facts| facts.password)?.to_owned(),
        })
    }

    pub(crate) fn has_credentials(&self, index: usize) -> bool {
        self.ufrag(index).is_some() && self.find(index, |facts| facts.password).is_some()
    }

    pub(crate) fn has_fingerprint(&self, index: usize) -> bool {
        self.find(index, |facts| facts.fingerprints).is_some()
    }

    pub(crate) fn fingerprints(&self, index: usize) -> Vec<Fingerprint> {
        let section = self.find(index, |facts| facts.fingerprints);
        let list = section.into_iter().flat_map(Section::fingerprints);
        list.map(|it| Fingerprint {
            algorithm: it.algorithm.to_ascii_lowercase(),
            value: it.bytes().collect(),
        })
        .collect()
    }

    pub(crate) fn setup(&self, index: usize) -> Option<Setup> {
        self.find(index, |facts| facts.setup)
    }

    pub(crate) fn tls_id(&self, index: usize) -> Option<&'a str> {
        self.find(index, |facts| facts.tls_id)
    }

    pub(crate) fn has_rtcp_mux(&self, index: usize) -> bool {
        self.find(index, |facts| facts.rtcp_mux).is_some()
    }

    /// Whether keys stand in the section, or above all sections.
    pub(crate) fn has_keys(&self, index: usize) -> bool {
        self.facts.keys || self.entry(index).is_some_and(|entry| entry.facts.keys)
    }

    pub(crate) fn is_lite(&self) -> bool {
        self.facts.lite
    }

    /// Whether the author takes candidates later (RFC 8840 §4.1.3).
    pub(crate) fn can_trickle(&self) -> bool {
        self.facts.trickle || self.entries.iter().any(|entry| entry.facts.trickle)
    }
}

impl<'a> Facts<'a> {
    fn new(section: Section<'a>) -> Self {
        let mut facts = Self::default();
        for line in section.lines().filter(|line| line.kind == 'a') {
            let (name, value) = line.value.split_once(':').unwrap_or((line.value, ""));
            let text = value.trim_ascii();
            match name {
                "ice-ufrag" => facts.ufrag = facts.ufrag.or(Some(text)),
                "ice-pwd" => facts.password = facts.password.or(Some(text)),
                "setup" if facts.setup.is_none() => {
                    if let Some(Attribute::Setup(setup)) = line.attribute() {
                        facts.setup = Some(setup);
                    }
                }
                "tls-id" => facts.tls_id = facts.tls_id.or(Some(text)),
                "fingerprint" => facts.fingerprints = Some(section),
                "rtcp-mux" | "rtcp-mux-only" => facts.rtcp_mux = Some(()),
                // RFC 4568, RFC 4567
                "crypto" | "key-mgmt" => facts.keys = true,
                "ice-options" => facts.trickle |= text.split(' ').any(|tag| tag == "trickle"),
                "ice-lite" => facts.lite = true,
                _ => {}
            }
        }
        facts
    }
}

impl<'a> Entry<'a> {
    fn new(media: Media<'a>) -> Self {
        Self {
            media,
            mid: media.mid(),
            rejected: media.is_rejected(),
            bundle: None,
            facts: Facts::new(media.section()),
        }
    }

    /// Whether it is an SCTP association with data channels, in the form of RFC 8841 or older.
    pub(crate) fn is_data(&self) -> bool {
        self.media.media() == "application"
            && match self.media.protocol() {
                "UDP/DTLS/SCTP" | "TCP/DTLS/SCTP" => self
                    .media
                    .formats()
                    .any(|format| format == "webrtc-datachannel"),
                "DTLS/SCTP" => true,
                _ => false,
            }
    }
}

/// Joins sections in one group.
fn bundle(
    entries: &mut [Entry<'_>],
    group: usize,
    members: &[usize],
    kind: SdpType,
) -> Result<(), Error> {
    let at = |index: usize| entries.get(index);
    // RFC 9143 §7.3.1: in an offer the first that is neither rejected nor without an address; in an answer the first
    let tag = members
        .iter()
        .copied()
        .find(|index| {
            at(*index)
                .is_some_and(|it| !it.rejected && (kind != SdpType::Offer || it.media.port() != 0))
        })
        .or_else(|| {
            members
                .iter()
                .copied()
                .find(|index| at(*index).is_some_and(|it| !it.rejected))
        });
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
