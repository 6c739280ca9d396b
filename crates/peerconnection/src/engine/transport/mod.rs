//! A transport: an ICE agent and the DTLS on it.

mod ascend;
mod dtls;
mod generation;
mod ice;
mod plan;
mod shown;
mod succeed;
mod succession;
mod view;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use oxirtc_datachannel as datachannel;
use oxirtc_dtls::{Connection, State};
use oxirtc_ice::{Agent, ChecklistSet, GenerationId, Way};
use oxirtc_jsep as jsep;

pub use shown::{IceCandidatePair, IceParameters};
pub use view::TransportView;

use self::{generation::Generations, shown::Shown, succession::Succession};
use super::{
    convert,
    equipment::Equipment,
    ids::TransportId,
    marks::{Held, Marks},
    media::MediaPath,
    pool::Pooled,
    sockets::Sockets,
    stats::Traffic,
};
use crate::{DtlsTransportState, Path, label::Label};

/// An ICE agent with the DTLS on it.
pub(super) struct Transport {
    pub(super) id: TransportId,
    pub(super) name: jsep::TransportId,
    /// What the log calls the connection.
    pub(super) label: Label,
    pub(super) ice: Agent,
    /// What descriptions have said of ICE.
    pub(super) generations: Generations,
    /// The oldest generation of ICE that DTLS may use.
    since: GenerationId,
    /// DTLS was replaced, and the generation that comes with it is its first.
    renewed: bool,
    pub(super) dtls: Connection,
    /// What may take the place of that, after a description that gives the peer reason to begin anew.
    pub(super) succession: Option<Box<Succession>>,
    /// Its RTP, from the first section that it carries.
    pub(super) media: Option<Box<MediaPath>>,
    /// The application reads its RTCP.
    pub(super) reads_rtcp: bool,
    pub(super) shown: Shown,
    /// What went through it.
    pub(super) traffic: Traffic,
    /// How its datagrams are marked; none without [`Settings::dscp`](crate::Settings::dscp).
    pub(super) marks: Option<Box<Marks>>,
    /// What did not fit its batch.
    pub(super) held: Option<Held>,
    pub(super) sockets: Sockets,
    /// What went wrong before there was anybody to be told.
    early: Vec<oxirtc_ice::Event>,
    /// Who opens channels with which ids (RFC 8832 §6), once DTLS has its role.
    pub(super) role: Option<datachannel::Role>,
    /// DTLS was told that there is a pair.
    started: bool,
    /// What DTLS and what stands on it were told last.
    consent: bool,
    /// Ufrags that the peer may still use, the newest last.
    ufrags: VecDeque<String>,
}

impl Transport {
    pub(super) fn new(
        name: jsep::TransportId,
        equipment: &Equipment,
        set: &mut ChecklistSet,
        pooled: Option<Pooled>,
        now: Instant,
    ) -> Self {
        let mut pooled = pooled.unwrap_or_else(|| {
            let id = TransportId(name.value());
            let mut pooled = Pooled::new(id, equipment);
            if let Some(interfaces) = &equipment.interfaces {
                let interfaces = convert::interfaces(interfaces);
                pooled.ice.handle_interfaces(now, set, &interfaces);
            }
            pooled
        });
        let policy = convert::transport_policy(equipment.ice_transport_policy);
        pooled.ice.set_transport_policy(policy);
        let Pooled {
            id,
            ice,
            sockets,
            errors,
        } = pooled;
        let label = equipment.trace.label;
        let config = convert::dtls_config(&equipment.certificate, &equipment.settings, label);
        Self {
            id,
            name,
            label,
            ice,
            generations: Generations::default(),
            since: GenerationId::default(),
            renewed: false,
            dtls: Connection::new(config, equipment.seed.derive("dtls", id.0), now),
            succession: None,
            media: None,
            reads_rtcp: false,
            shown: Shown::default(),
            traffic: Traffic::default(),
            marks: equipment.settings.dscp.then(Box::default),
            held: None,
            sockets,
            early: errors,
            role: None,
            started: false,
            consent: true,
            ufrags: VecDeque::new(),
        }
    }

    /// Where ICE wants to send.
    pub(super) fn control_path(&self) -> Option<Path> {
        self.ice.control_way().map(|way| convert::path(way.path))
    }

    /// What the closed agent still has to say, to servers.
    pub(super) fn poll_goodbye(&mut self, now: Instant) -> Option<(Path, Vec<u8>)> {
        let path = self.control_path()?;
        let mut datagram = Vec::new();
        let written = self.ice.poll_transmit(now, MTU, &mut datagram);
        written.then_some((path, datagram))
    }

    /// How payload may go.
    pub(super) fn payload_way(&self, now: Instant) -> Option<Way> {
        self.ice.payload_way(now, self.since)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        // What is due of media and cannot be sent would be due for ever.
        let media = self.media.as_ref();
        let media = media.filter(|_| self.consent && self.is_secure());
        let deadlines = [
            self.ice.poll_timeout(),
            self.dtls.poll_timeout(),
            self.succession.as_ref().and_then(|it| it.poll_timeout()),
            media.and_then(|it| it.poll_timeout()),
        ];
        deadlines.into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, set: &mut ChecklistSet) {
        self.ice.handle_timeout(now, set);
        self.dtls.handle_timeout(now);
        if let Some(succession) = &mut self.succession {
            succession.handle_timeout(now);
        }
        if let Some(media) = &mut self.media {
            media.handle_timeout(now);
        }
    }

    /// Appends what DTLS has to say. An association that is not connected is silent beside another that the peer has begun: what
    /// it says in the clear the other's client could take for an answer to itself.
    pub(super) fn poll_dtls(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) -> bool {
        let succession = self.succession.as_mut();
        let begun = succession.as_ref().is_some_and(|it| it.has_begun());
        let keyed = matches!(self.dtls.state(), State::Connected | State::Closed);
        let silent = begun && !keyed;
        !silent && self.dtls.poll_transmit(now, room, buf)
            || succession.is_some_and(|it| it.poll_transmit(now, room, buf))
    }

    /// Its RTP, which is made when the first section needs it.
    pub(super) fn media_path(&mut self, now: Instant, equipment: &Equipment) -> &mut MediaPath {
        let (id, dtls, label) = (self.id, &self.dtls, self.label);
        let (reads, round_trip) = (self.reads_rtcp, self.round_trip());
        self.media.get_or_insert_with(|| {
            let seed = equipment.seed.derive("rtp", id.0);
            let limits = (&*equipment.cname, &equipment.settings.media);
            let mut path = MediaPath::new(limits, seed, now, equipment.wall(now));
            if dtls.is_connected() && !path.set_keys(now, dtls, round_trip) {
                log::warn!("{label}: DTLS has agreed on no keys for media");
            }
            path.read_rtcp(reads);
            Box::new(path)
        })
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.ice.rtt()
    }

    /// The oldest generation of ICE that is of the DTLS association that there is.
    pub(super) fn since(&self) -> GenerationId {
        self.since
    }

    /// Whether the peer speaks DTLS 1.3. RFC 9260 §3.2.1: SCTP skips a parameter that it does not know; Pion does only
    /// since 2023 and gives up before, so what is of 2024 (RFC 9653) is offered to peers that cannot be as old.
    pub(super) fn is_recent(&self) -> bool {
        self.dtls.protocol_version() == Some(DTLS_1_3)
    }

    /// Whether data may go through.
    pub(super) fn is_secure(&self) -> bool {
        self.shown.dtls == DtlsTransportState::Connected
    }
}

const MTU: usize = 1200;

/// As it stands on the wire (RFC 9147 §5.3).
const DTLS_1_3: u16 = 0xFEFC;
