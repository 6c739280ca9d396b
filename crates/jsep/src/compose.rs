//! The texts of offers and answers (RFC 9429 §5.2, §5.3).

mod media;

use std::collections::BTreeSet;

use oxirtc_sdp::{Attribute, Setup, Writer};

use crate::{
    Config, Credentials, DtlsRole, Fingerprint, Source, Transceiver, TransceiverId, TransportId,
    agreement::{Agreement, Plan, is_bundle_only},
    numbers::Numbers,
    outline::{Entry, Outline},
    section::{Association, Form, Lines, Section, unused_mid},
};

/// What an offer is made of.
pub(crate) struct Offer<'a> {
    pub(crate) config: &'a Config,
    pub(crate) version: u64,
    pub(crate) agreement: &'a Agreement,
    /// The agreement of the last exchange that ended.
    pub(crate) stable: &'a Agreement,
    /// The transport of the bundle group that stands.
    pub(crate) bundle: Option<TransportId>,
    /// Data channels exist, or have existed.
    pub(crate) data: bool,
    /// All transports are to have new credentials.
    pub(crate) restart: bool,
    /// Comfort noise is offered.
    pub(crate) noise: bool,
    /// Credentials that may not be used again.
    pub(crate) replaced: &'a [Credentials],
}

/// A section of an offer, before it is written.
struct Planned {
    section: Section,
    transceiver: Option<TransceiverId>,
    lines: Option<Lines>,
}

impl Offer<'_> {
    /// The text, and what each section is for.
    pub(crate) fn write(
        &self,
        source: &mut dyn Source,
        numbers: &mut Numbers,
    ) -> (String, Vec<Plan>) {
        let planned = self.plan(numbers);
        let mut writer = head(self.config, self.version);
        let live = planned.iter().filter(|it| it.section.live);
        let live: Vec<_> = live.map(|it| it.section.mid.as_str()).collect();
        if !live.is_empty() {
            writer.line('a', format_args!("group:BUNDLE {}", live.join(" ")));
        }
        if planned.iter().any(|it| it.lines.is_some()) {
            writer.attribute(&Attribute::ExtMapAllowMixed);
        }
        let addressed = self.addressed(&planned, source);
        if let Some(credentials) = common(&planned, &addressed) {
            write_credentials(&mut writer, credentials);
            writer.attribute(&Attribute::Setup(Setup::ActPass));
        }
        if live.len() > 1 {
            fingerprints(&mut writer, self.config);
        }
        for (Planned { section, lines, .. }, credentials) in planned.iter().zip(&addressed) {
            if !section.live {
                section.write_rejected(&mut writer, true);
                continue;
            }
            let transport = |writer: &mut Writer| {
                if let Some(credentials) = credentials {
                    transport(writer, credentials, self.config, Setup::ActPass);
                }
            };
            let form = Form {
                config: self.config,
                mid: Some(&section.mid),
                transport: credentials.is_some().then_some(&transport),
                bundle_only: section.transport.is_none() && credentials.is_none(),
                sctp_port: Association::offered_port(
                    self.agreement.association.as_ref(),
                    self.config,
                ),
                sctp_init: self.config.sctp_init.as_deref(),
            };
            match lines {
                Some(lines) => section.write_media(lines, &mut writer, &form),
                None => section.write(&mut writer, &form),
            }
        }
        let plan = planned.iter().map(|it| Plan {
            transceiver: it.transceiver,
            transport: it.section.transport,
        });
        let plan = plan.collect();
        (writer.finish(), plan)
    }

    /// The credentials of each section that has an address of its own: not of one that waits to be bundled, nor of one that shares the
    /// transport of a section before it.
    fn addressed(&self, planned: &[Planned], source: &mut dyn Source) -> Vec<Option<Credentials>> {
        let (mut before, mut described) = (Vec::new(), BTreeSet::new());
        let mut first: Option<Credentials> = None;
        let mut found = Vec::new();
        for Planned { section, .. } in planned {
            let bundle_only = section.transport.is_none()
                && is_bundle_only(section, &before, self.config.bundle_policy);
            before.push(section);
            // RFC 9143 §7.1.3: what is of the transport stands once, in its first section
            let shared = section.transport.is_some_and(|id| described.contains(&id));
            if !section.live || bundle_only || shared {
                found.push(None);
                continue;
            }
            described.extend(section.transport);
            // RFC 8839 §5.4: streams may have the same. Once they share a transport these are its own, and Firefox refuses an offer
            // in which those of some sections are others than before.
            let known = self.known_credentials(section.transport);
            let known = known.or_else(|| first.clone());
            let credentials = known.unwrap_or_else(|| source.credentials());
            first.get_or_insert_with(|| credentials.clone());
            found.push(Some(credentials));
        }
        found
    }

    /// The sections of the offer: those that exist, then those of transceivers that have none, and one for
    /// data channels if it is missing.
    fn plan(&self, numbers: &mut Numbers) -> Vec<Planned> {
        let existing = self.agreement.sections.iter().enumerate();
        let mut planned: Vec<_> = existing
            .map(|(index, section)| self.again(index, section, numbers))
            .collect();
        let mut next = planned.len();
        for transceiver in &self.agreement.transceivers {
            if transceiver.mid().is_some() {
                continue;
            }
            let lines = self.offered(transceiver, numbers, true);
            if let Some(lines) = lines {
                let mid = free_mid(&mut next, &planned);
                let new = Planned {
                    section: Section::media(transceiver.kind(), mid),
                    transceiver: Some(transceiver.id()),
                    lines: Some(lines),
                };
                self.place(new, &mut planned);
            }
        }
        if self.agreement.data_section().is_none() && self.data {
            let new = Planned {
                section: Section::data(free_mid(&mut next, &planned)),
                transceiver: None,
                lines: None,
            };
            self.place(new, &mut planned);
        }
        planned
    }

    /// A section that exists.
    fn again(&self, index: usize, section: &Section, numbers: &mut Numbers) -> Planned {
        let transceiver = self.agreement.transceiver_at(index);
        let transceiver = transceiver.filter(|_| section.live);
        let lines = transceiver.and_then(|it| self.offered(it, numbers, self.is_fresh(index)));
        // one that stops is rejected
        let live = section.live && (transceiver.is_none() || lines.is_some());
        Planned {
            section: Section {
                live,
                ..section.clone()
            },
            transceiver: transceiver.map(Transceiver::id),
            lines,
        }
    }

    fn offered(
        &self,
        transceiver: &Transceiver,
        numbers: &mut Numbers,
        fresh: bool,
    ) -> Option<Lines> {
        media::offered(transceiver, self.config, numbers, (fresh, self.noise))
    }

    /// Whether a section is in an open offer only.
    fn is_fresh(&self, index: usize) -> bool {
        let before = self.stable.sections.get(index);
        let now = self.agreement.sections.get(index);
        before.zip(now).is_none_or(|(old, new)| old.mid != new.mid)
    }

    /// Puts a new section where one was rejected, or at the end.
    fn place(&self, mut new: Planned, planned: &mut Vec<Planned>) {
        new.section.transport = self.bundle;
        let agreed = |index: usize| {
            let section = self.stable.sections.get(index);
            section.is_some_and(|it| !it.live)
        };
        // RFC 9429 §5.2.2: a section that both ends have rejected is used again, under a new mid
        let mut free = planned.iter_mut().enumerate();
        let free = free.find(|(index, it)| {
            let same = it.section.line.media == new.section.line.media;
            !it.section.live && same && agreed(*index)
        });
        match free {
            Some((_, place)) => *place = new,
            None => planned.push(new),
        }
    }

    /// Those that a transport goes on with.
    fn known_credentials(&self, transport: Option<TransportId>) -> Option<Credentials> {
        let existing = self.agreement.transport(transport?)?.local.as_ref()?;
        let stays = !self.restart && !self.replaced.contains(existing);
        stays.then(|| existing.clone())
    }
}

/// The credentials that mean every section, or the one transport that several share. They stand at session level as well: Firefox looks for
/// them in each section of an offer.
fn common<'a>(
    planned: &[Planned],
    addressed: &'a [Option<Credentials>],
) -> Option<&'a Credentials> {
    let live = || planned.iter().filter(|it| it.section.live);
    let mut own = addressed.iter().flatten();
    let first = own.next().filter(|_| live().count() > 1)?;
    if own.all(|it| it == first) {
        return Some(first);
    }
    let mut all = BTreeSet::new();
    let again = live().filter_map(|it| it.section.transport.filter(|id| !all.insert(*id)));
    let shared: BTreeSet<_> = again.collect();
    let only = shared.first().filter(|_| shared.len() == 1).copied();
    let mut both = planned.iter().zip(addressed);
    let (_, credentials) = both.find(|(it, _)| it.section.transport == only)?;
    credentials.as_ref().filter(|_| only.is_some())
}

/// What an answer is made of.
pub(crate) struct Answer<'a> {
    pub(crate) config: &'a Config,
    pub(crate) version: u64,
    pub(crate) agreement: &'a Agreement,
    pub(crate) offer: &'a Outline,
}

/// What becomes of a section in an answer.
enum Fate {
    /// It is written with what it says of RTP.
    Media(Box<Lines>),
    /// It is written as it is: data channels, and what stands for its address.
    Plain,
    Rejected,
}

impl Answer<'_> {
    pub(crate) fn write(&self, source: &mut dyn Source) -> String {
        let fates = self.fates();
        let lives = |index: &&usize| {
            let bundled = self
                .offer
                .entry(**index)
                .is_some_and(|it| it.bundle.is_some());
            bundled && !matches!(fates.get(**index), None | Some(Fate::Rejected))
        };
        let mut writer = head(self.config, self.version);
        let mut tags = Vec::new();
        for group in &self.offer.groups {
            let mut accepted: Vec<_> = group.iter().filter(lives).collect();
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
        // RFC 8285 §6: where the offer allows it
        let mixed = |(index, fate): (usize, &Fate)| {
            matches!(fate, Fate::Media(_)) && self.offer.is_mixed(index)
        };
        if fates.iter().enumerate().any(mixed) {
            writer.attribute(&Attribute::ExtMapAllowMixed);
        }
        let common = self.common(&tags, &fates, source);
        if let Some((_, credentials)) = &common {
            write_credentials(&mut writer, credentials);
        }
        let rejected = |fate: &&Fate| matches!(fate, Fate::Rejected);
        if fates.len() - fates.iter().filter(rejected).count() > 1 {
            fingerprints(&mut writer, self.config);
        }
        let both = self.agreement.sections.iter().zip(&self.offer.entries);
        for (index, ((section, entry), fate)) in both.zip(&fates).enumerate() {
            let named = entry.mid.is_some();
            if matches!(fate, Fate::Rejected) {
                section.write_rejected(&mut writer, named);
                continue;
            }
            let addressed = entry.bundle.is_none() || tags.contains(&index);
            let credentials = addressed.then(|| {
                let common = common.as_ref().filter(|it| it.0 == index);
                let common = common.map(|it| it.1.clone());
                common.unwrap_or_else(|| self.credentials(index, section, source))
            });
            let setup = self.setup(index, section);
            let transport = |writer: &mut Writer| {
                if let Some(credentials) = &credentials {
                    transport(writer, credentials, self.config, setup);
                }
            };
            let form = Form {
                config: self.config,
                mid: named.then_some(section.mid.as_str()),
                transport: addressed.then_some(&transport),
                bundle_only: false,
                sctp_port: self.sctp_port(section, entry),
                sctp_init: entry.sctp_init().and(self.config.sctp_init.as_deref()),
            };
            match fate {
                Fate::Media(lines) => section.write_media(lines, &mut writer, &form),
                _ => section.write(&mut writer, &form),
            }
        }
        writer.finish()
    }

    /// What becomes of each section.
    fn fates(&self) -> Vec<Fate> {
        let sections = self.agreement.sections.iter().enumerate();
        let mut fates: Vec<_> = sections.map(|(index, it)| self.fate(index, it)).collect();
        // one that has the address of a group stays for the others
        for group in &self.offer.groups {
            let rejected = |index: &usize| matches!(fates.get(*index), None | Some(Fate::Rejected));
            let tag = group.iter().find(|it| self.offer.key(**it) == **it);
            let Some(tag) = tag.filter(|it| rejected(it)) else {
                continue;
            };
            let needed = !group.iter().all(rejected);
            let stands = self
                .section(*tag)
                .is_some_and(|it| it.live && it.kind.can_stand());
            if let Some(fate) = fates.get_mut(*tag).filter(|_| needed && stands) {
                *fate = Fate::Plain;
            }
        }
        fates
    }

    fn fate(&self, index: usize, section: &Section) -> Fate {
        let Some(transceiver) = self.agreement.transceiver_at(index) else {
            return match section.live {
                true => Fate::Plain,
                false => Fate::Rejected,
            };
        };
        let lines = media::answered(transceiver, self.config, (self.offer, index));
        match lines.filter(|_| section.live) {
            Some(lines) => Fate::Media(Box::new(lines)),
            None => Fate::Rejected,
        }
    }

    fn section(&self, index: usize) -> Option<&Section> {
        self.agreement.sections.get(index)
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

    /// The section whose transport several have, where it is the only one, with its credentials: they stand at session level as in
    /// offers, as Firefox takes them for others where they come and go.
    fn common(
        &self,
        tags: &[usize],
        fates: &[Fate],
        source: &mut dyn Source,
    ) -> Option<(usize, Credentials)> {
        let [tag] = tags else { return None };
        let lives = |index: &usize| !matches!(fates.get(*index), None | Some(Fate::Rejected));
        let bundled =
            (0..fates.len()).filter(|index| self.offer.key(*index) == self.offer.key(*tag));
        let shared = bundled.filter(lives).count() > 1;
        let section = self.section(*tag).filter(|_| shared)?;
        Some((*tag, self.credentials(*tag, section, source)))
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

/// A mid that no section has.
fn free_mid(next: &mut usize, planned: &[Planned]) -> String {
    unused_mid(next, |mid| planned.iter().any(|it| it.section.mid == mid))
}

/// The lines of a section that has an address of its own.
fn transport(writer: &mut Writer, credentials: &Credentials, config: &Config, setup: Setup) {
    write_credentials(writer, credentials);
    fingerprints(writer, config);
    writer.attribute(&Attribute::Setup(setup));
}

fn write_credentials(writer: &mut Writer, credentials: &Credentials) {
    writer
        .attribute(&Attribute::IceUfrag(&credentials.ufrag))
        .attribute(&Attribute::IcePwd(&credentials.password));
}

/// Who we are. Where there are several sections it stands at session level too: a section without an address of its own has none,
/// and Firefox ends where it finds none for a section.
fn fingerprints(writer: &mut Writer, config: &Config) {
    for Fingerprint { algorithm, value } in &config.fingerprints {
        let bytes = hexadecimal(value);
        writer.line('a', format_args!("fingerprint:{algorithm} {bytes}"));
    }
}

/// RFC 8122 §5: upper case, with colons.
fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).map(|it| it.to_ascii_uppercase());
    let mut text = String::with_capacity(3 * bytes.len());
    for byte in bytes {
        if !text.is_empty() {
            text.push(':');
        }
        text.extend([byte >> 4, byte & 15].into_iter().filter_map(digit));
    }
    text
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
        .attribute(&Attribute::IceOptions(match config.renomination {
            true => "trickle ice2 renomination",
            false => "trickle ice2",
        }));
    if config.ice_lite {
        writer.attribute(&Attribute::IceLite);
    }
    writer
}
