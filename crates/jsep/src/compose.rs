//! The texts of offers and answers (RFC 9429 §5.2, §5.3).

use std::collections::BTreeMap;

use oxirtc_sdp::{Attribute, Setup, Writer};

use crate::{
    Config, Credentials, DtlsRole, Fingerprint, Source, TransportId,
    agreement::{Agreement, is_bundle_only},
    outline::{Entry, Outline},
    section::{Association, Form, Section, unused_mid},
};

/// What an offer is made of.
pub(crate) struct Offer<'a> {
    pub(crate) config: &'a Config,
    pub(crate) version: u64,
    pub(crate) agreement: &'a Agreement,
    /// Data channels exist, or have existed.
    pub(crate) data: bool,
    /// All transports are to have new credentials.
    pub(crate) restart: bool,
    /// Credentials that may not be used again.
    pub(crate) replaced: &'a [Credentials],
}

impl Offer<'_> {
    pub(crate) fn write(&self, source: &mut dyn Source) -> String {
        let sections = self.sections();
        let mut writer = head(self.config, self.version);
        let live: Vec<_> = sections
            .iter()
            .filter(|section| section.live)
            .map(|it| it.mid.as_str())
            .collect();
        if !live.is_empty() {
            writer.line('a', format_args!("group:BUNDLE {}", live.join(" ")));
        }
        let mut described = BTreeMap::new();
        for (index, section) in sections.iter().enumerate() {
            if !section.live {
                section.write_rejected(&mut writer, true);
                continue;
            }
            let before = sections.get(..index).unwrap_or_default();
            let bundle_only = section.transport.is_none()
                && is_bundle_only(section, before, self.config.bundle_policy);
            // RFC 9143 §7.1.3: what is of the transport stands once, in its first section
            let shared = section
                .transport
                .is_some_and(|id| described.contains_key(&id));
            let credentials = (!bundle_only && !shared).then(|| {
                let credentials = self.credentials(section.transport, source);
                if let Some(id) = section.transport {
                    described.insert(id, ());
                }
                credentials
            });
            let lines = |writer: &mut Writer| {
                if let Some(credentials) = &credentials {
                    transport(writer, credentials, self.config, Setup::ActPass);
                }
            };
            let form = Form {
                config: self.config,
                mid: Some(&section.mid),
                transport: credentials.is_some().then_some(&lines),
                bundle_only,
                sctp_port: Association::offered_port(
                    self.agreement.association.as_ref(),
                    self.config,
                ),
            };
            section.write(&mut writer, &form);
        }
        writer.finish()
    }

    /// The sections of the offer: those that exist, and one for data channels if it is missing.
    fn sections(&self) -> Vec<Section> {
        let mut sections = self.agreement.sections.clone();
        if self.agreement.data_section().is_some() || !self.data {
            return sections;
        }
        let mut next = sections.len();
        let new = Section::data(unused_mid(&mut next, |mid| {
            sections.iter().any(|section| section.mid == mid)
        }));
        // RFC 9429 §5.2.2: a rejected section is used again, under a new mid
        let mut free = sections.iter_mut();
        match free.find(|it| !it.live && it.line.media == new.line.media) {
            Some(section) => *section = new,
            None => sections.push(new),
        }
        sections
    }

    fn credentials(&self, transport: Option<TransportId>, source: &mut dyn Source) -> Credentials {
        let existing = transport.and_then(|id| self.agreement.transport(id)?.local.as_ref());
        match existing {
            Some(credentials) if !self.restart && !self.replaced.contains(credentials) => {
                credentials.clone()
            }
            _ => source.credentials(),
        }
    }
}

/// What an answer is made of.
pub(crate) struct Answer<'a> {
    pub(crate) config: &'a Config,
    pub(crate) version: u64,
    pub(crate) agreement: &'a Agreement,
    pub(crate) offer: &'a Outline,
}

impl Answer<'_> {
    pub(crate) fn write(&self, source: &mut dyn Source) -> String {
        let mut writer = head(self.config, self.version);
        let mut tags = Vec::new();
        for group in &self.offer.groups {
            let mut accepted: Vec<_> = group.iter().filter(|it| self.bundles(**it)).collect();
            // RFC 9143 §7.3.1: the tagged section of the offer, if it is accepted, is that of the answer
            accepted.sort_by_key(|it| self.offer.key(**it) != **it);
            let Some(tag) = accepted.first() else {
                continue;
            };
            tags.push(**tag);
            let mids = accepted.iter().filter_map(|it| self.section(**it));
            let mids: Vec<_> = mids.map(|it| it.mid.as_str()).collect();
            writer.line('a', format_args!("group:BUNDLE {}", mids.join(" ")));
        }
        let both = self.agreement.sections.iter().zip(&self.offer.entries);
        for (index, (section, entry)) in both.enumerate() {
            let named = entry.mid.is_some();
            if !section.live {
                section.write_rejected(&mut writer, named);
                continue;
            }
            let addressed = entry.bundle.is_none() || tags.contains(&index);
            let credentials = addressed.then(|| self.credentials(index, section, source));
            let setup = self.setup(index, section);
            let lines = |writer: &mut Writer| {
                if let Some(credentials) = &credentials {
                    transport(writer, credentials, self.config, setup);
                }
            };
            let form = Form {
                config: self.config,
                mid: named.then_some(section.mid.as_str()),
                transport: addressed.then_some(&lines),
                bundle_only: false,
                sctp_port: self.sctp_port(section, entry),
            };
            section.write(&mut writer, &form);
        }
        writer.finish()
    }

    fn section(&self, index: usize) -> Option<&Section> {
        self.agreement.sections.get(index)
    }

    fn bundles(&self, index: usize) -> bool {
        let entry = self.offer.entry(index);
        let bundled = entry.is_some_and(|entry| entry.bundle.is_some());
        bundled && self.section(index).is_some_and(|it| it.live)
    }

    fn sctp_port(&self, section: &Section, entry: &Entry) -> u16 {
        let association = self.agreement.association.as_ref();
        let offered = entry.sctp_port();
        Association::answered_port(association, section.transport, offered, self.config)
    }

    fn credentials(&self, index: usize, section: &Section, source: &mut dyn Source) -> Credentials {
        let transport = section
            .transport
            .and_then(|id| self.agreement.transport(id));
        let local = transport.and_then(|it| it.local.as_ref());
        let remote = transport
            .and_then(|it| it.remote.as_ref())
            .map(|it| &it.credentials);
        // RFC 8839 §4.4.1.1.1: other credentials than before are a restart, which is answered with a restart
        let restarted = remote.is_some() && remote != self.offer.credentials(index).as_ref();
        match local {
            Some(credentials) if !restarted => credentials.clone(),
            _ => source.credentials(),
        }
    }

    fn setup(&self, index: usize, section: &Section) -> Setup {
        let dtls = section
            .transport
            .and_then(|id| self.agreement.transport(id)?.dtls.as_ref());
        match (self.offer.setup(index), dtls.map(|it| it.role)) {
            (Some(Setup::Active), _) => Setup::Passive,
            (Some(Setup::Passive), _) => Setup::Active,
            // RFC 8842 §5.3: an association that exists keeps its roles
            (_, Some(DtlsRole::Server)) => Setup::Passive,
            _ => Setup::Active,
        }
    }
}

/// The lines of a section that has an address of its own.
fn transport(writer: &mut Writer, credentials: &Credentials, config: &Config, setup: Setup) {
    writer
        .attribute(&Attribute::IceUfrag(&credentials.ufrag))
        .attribute(&Attribute::IcePwd(&credentials.password));
    for Fingerprint { algorithm, value } in &config.fingerprints {
        let bytes: Vec<_> = value.iter().map(|byte| format!("{byte:02X}")).collect();
        let bytes = bytes.join(":");
        writer.line('a', format_args!("fingerprint:{algorithm} {bytes}"));
    }
    writer.attribute(&Attribute::Setup(setup));
}

/// The session level but for groups.
fn head(config: &Config, version: u64) -> Writer {
    let mut writer = Writer::new();
    writer
        .line('v', 0)
        // RFC 9429 §5.2.1: an address that tells nothing
        .line(
            'o',
            format_args!("- {} {version} IN IP4 0.0.0.0", config.session_id),
        )
        .line('s', '-')
        .line('t', "0 0")
        .attribute(&Attribute::IceOptions("trickle ice2"));
    writer
}
