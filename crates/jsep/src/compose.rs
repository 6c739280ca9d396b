//! The texts of offers and answers (RFC 9429 §5.2, §5.3).

use oxirtc_sdp::{Attribute, SctpMap, Setup, Writer};

use crate::{
    Config, Credentials, DtlsRole, Fingerprint,
    layout::{Entry, Layout},
    state::unused_mid,
    table::{Slot, Table},
};

/// A source of new ICE credentials.
pub(crate) type Source<'a> = &'a mut dyn FnMut() -> Credentials;

/// What an offer is made of.
pub(crate) struct Offer<'a> {
    pub(crate) config: &'a Config,
    pub(crate) version: u64,
    pub(crate) table: &'a Table,
    /// Data channels exist, or have existed.
    pub(crate) data: bool,
    /// All transports are to have new credentials.
    pub(crate) restart: bool,
    /// Credentials that may not be used again.
    pub(crate) replaced: &'a [Credentials],
}

impl Offer<'_> {
    pub(crate) fn write(&self, credentials: Source<'_>) -> String {
        let slots = self.slots();
        let mut writer = head(self.config, self.version);
        let live: Vec<_> = slots
            .iter()
            .filter(|slot| slot.live)
            .map(|it| it.mid.as_str())
            .collect();
        if !live.is_empty() {
            writer.line('a', format_args!("group:BUNDLE {}", live.join(" ")));
        }
        for slot in &slots {
            if slot.live {
                let credentials = self.credentials(slot, credentials);
                let transport = TransportLines {
                    credentials: &credentials,
                    fingerprints: &self.config.fingerprints,
                    setup: Setup::ActPass,
                };
                data(&mut writer, slot, true, self.config, Some(&transport));
            } else {
                rejected(&mut writer, slot, true);
            }
        }
        writer.finish()
    }

    /// The sections of the offer: those that exist, and one for data channels if it is missing.
    fn slots(&self) -> Vec<Slot> {
        let mut slots = self.table.slots.clone();
        if self.table.data_slot().is_some() || !self.data {
            return slots;
        }
        let mut next = slots.len();
        let new = Slot {
            mid: unused_mid(&mut next, |mid| slots.iter().any(|slot| slot.mid == mid)),
            named: true,
            media: "application".to_owned(),
            protocol: "UDP/DTLS/SCTP".to_owned(),
            formats: "webrtc-datachannel".to_owned(),
            live: true,
            transport: None,
        };
        // RFC 9429 §5.2.2: a rejected section is used again, under a new mid
        match slots
            .iter_mut()
            .find(|slot| !slot.live && slot.media == new.media)
        {
            Some(slot) => *slot = new,
            None => slots.push(new),
        }
        slots
    }

    fn credentials(&self, slot: &Slot, source: Source<'_>) -> Credentials {
        let existing = slot
            .transport
            .and_then(|id| self.table.transport(id)?.local.as_ref());
        match existing {
            Some(credentials) if !self.restart && !self.replaced.contains(credentials) => {
                credentials.clone()
            }
            _ => source(),
        }
    }
}

/// What an answer is made of.
pub(crate) struct Answer<'a> {
    pub(crate) config: &'a Config,
    pub(crate) version: u64,
    pub(crate) table: &'a Table,
    pub(crate) offer: &'a Layout<'a>,
}

impl Answer<'_> {
    pub(crate) fn write(&self, credentials: Source<'_>) -> String {
        let mut writer = head(self.config, self.version);
        let mut tags = Vec::new();
        for group in self
            .offer
            .header
            .groups()
            .filter(|it| it.semantics == "BUNDLE")
        {
            let accepted: Vec<_> = group.mids().filter(|mid| self.accepts(mid)).collect();
            // RFC 9143 §7.3.1: the first one is the tagged section of the answer
            if let Some(tag) = accepted.first() {
                tags.push((*tag).to_owned());
                writer.line('a', format_args!("group:BUNDLE {}", accepted.join(" ")));
            }
        }
        for (index, (slot, entry)) in self.table.slots.iter().zip(&self.offer.entries).enumerate() {
            if !slot.live {
                rejected(&mut writer, slot, entry.mid.is_some());
                continue;
            }
            if entry.bundle.is_some() && !tags.contains(&slot.mid) {
                data(&mut writer, slot, true, self.config, None);
                continue;
            }
            let credentials = self.credentials(index, slot, credentials);
            let transport = TransportLines {
                credentials: &credentials,
                fingerprints: &self.config.fingerprints,
                setup: self.setup(index, slot),
            };
            data(
                &mut writer,
                slot,
                entry.mid.is_some(),
                self.config,
                Some(&transport),
            );
        }
        writer.finish()
    }

    fn accepts(&self, mid: &str) -> bool {
        let bundled = |entry: &Entry<'_>| entry.mid == Some(mid) && entry.bundle.is_some();
        let mut both = self.table.slots.iter().zip(&self.offer.entries);
        both.any(|(slot, entry)| slot.live && bundled(entry))
    }

    fn credentials(&self, index: usize, slot: &Slot, source: Source<'_>) -> Credentials {
        let transport = slot.transport.and_then(|id| self.table.transport(id));
        let local = transport.and_then(|it| it.local.as_ref());
        let remote = transport
            .and_then(|it| it.remote.as_ref())
            .map(|it| &it.credentials);
        // RFC 8839 §4.4.1.1.1: other credentials than before are a restart, which is answered with a restart
        let restarted = remote.is_some() && remote != self.offer.credentials(index).as_ref();
        match local {
            Some(credentials) if !restarted => credentials.clone(),
            _ => source(),
        }
    }

    fn setup(&self, index: usize, slot: &Slot) -> Setup {
        let dtls = slot
            .transport
            .and_then(|id| self.table.transport(id)?.dtls.as_ref());
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
struct TransportLines<'a> {
    credentials: &'a Credentials,
    fingerprints: &'a [Fingerprint],
    setup: Setup,
}

impl TransportLines<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.attribute(&Attribute::IceUfrag(&self.credentials.ufrag));
        writer.attribute(&Attribute::IcePwd(&self.credentials.password));
        for fingerprint in self.fingerprints {
            let bytes: Vec<_> = fingerprint
                .value
                .iter()
                .map(|byte| format!("{byte:02X}"))
                .collect();
            writer.line(
                'a',
                format_args!("fingerprint:{} {}", fingerprint.algorithm, bytes.join(":")),
            );
        }
        writer.attribute(&Attribute::Setup(self.setup));
    }
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

fn media_line(writer: &mut Writer, slot: &Slot, port: u16, formats: &str) {
    writer
        .line(
            'm',
            format_args!("{} {port} {} {formats}", slot.media, slot.protocol),
        )
        .line('c', "IN IP4 0.0.0.0");
}

fn rejected(writer: &mut Writer, slot: &Slot, named: bool) {
    media_line(writer, slot, 0, &slot.formats);
    if named {
        writer.attribute(&Attribute::Mid(&slot.mid));
    }
    if slot.protocol.contains("RTP/") {
        writer.line('a', "inactive");
    }
}

fn data(
    writer: &mut Writer,
    slot: &Slot,
    named: bool,
    config: &Config,
    transport: Option<&TransportLines<'_>>,
) {
    // of drafts older than RFC 8841: the format is the SCTP port, of each end its own
    let legacy = slot.protocol == "DTLS/SCTP" && slot.formats != "webrtc-datachannel";
    let own = legacy.then(|| config.sctp_port.to_string());
    // RFC 8840 §4.1.1: no candidate is known yet
    media_line(writer, slot, 9, own.as_deref().unwrap_or(&slot.formats));
    if named {
        writer.attribute(&Attribute::Mid(&slot.mid));
    }
    if let Some(transport) = transport {
        transport.write(writer);
    }
    if legacy {
        writer.attribute(&Attribute::SctpMap(SctpMap {
            port: config.sctp_port,
            application: "webrtc-datachannel",
            streams: Some(65_535),
        }));
    } else {
        writer.attribute(&Attribute::SctpPort(config.sctp_port));
    }
    writer.attribute(&Attribute::MaxMessageSize(config.max_message_size));
}
