//! What a description changes as a whole, and how.

use std::sync::Arc;

use oxirtc_sdp::Setup;

use crate::{
    BundlePolicy, Config, Credentials, DtlsRole, IceRole, SdpType, SignalingState, TransportId,
    description::Applied,
    layout::{Entry, Layout},
    signaling::Side,
    table::{Association, Dtls, RemoteIce, Slot, Table, Transport},
};

/// What a description changes: it is copied, changed, and replaced as a whole, or not at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) signaling: SignalingState,
    pub(crate) current_local: Option<Arc<Applied>>,
    pub(crate) pending_local: Option<Arc<Applied>>,
    pub(crate) current_remote: Option<Arc<Applied>>,
    pub(crate) pending_remote: Option<Arc<Applied>>,
    pub(crate) table: Table,
    /// The table of the last stable state while an exchange is open: where a rollback goes.
    pub(crate) stable: Option<Arc<Table>>,
    next_transport: u32,
}

impl State {
    pub(crate) fn remote(&self) -> Option<&Arc<Applied>> {
        self.pending_remote
            .as_ref()
            .or(self.current_remote.as_ref())
    }

    /// The descriptions of one side that are in force.
    pub(crate) fn applied(&self, side: Side) -> impl Iterator<Item = &Applied> {
        let (current, pending) = match side {
            Side::Local => (&self.current_local, &self.pending_local),
            Side::Remote => (&self.current_remote, &self.pending_remote),
        };
        [current, pending]
            .into_iter()
            .filter_map(|it| it.as_deref())
    }

    /// Back to the last stable state.
    pub(crate) fn roll_back(&mut self) {
        self.pending_local = None;
        self.pending_remote = None;
        if let Some(stable) = self.stable.take() {
            self.table = Arc::unwrap_or_clone(stable);
        }
        self.signaling = SignalingState::Stable;
    }

    /// Applies an offer that was found acceptable.
    pub(crate) fn offer(&mut self, side: Side, layout: &Layout<'_>, config: &Config) {
        let stable = self
            .stable
            .get_or_insert_with(|| Arc::new(self.table.clone()))
            .clone();
        let role = match side {
            // RFC 8445 §6.1.1: the offerer controls, and a full agent always controls a lite one
            Side::Remote if !layout.is_lite() => IceRole::Controlled,
            _ => IceRole::Controlling,
        };
        let data = data_section(layout, side, config.bundle_policy);
        let old = std::mem::take(&mut self.table.slots);
        let mut fresh = old.len();
        for (index, entry) in layout.entries.iter().enumerate() {
            let existing = old.get(index).filter(|slot| match entry.mid {
                Some(mid) => slot.mid == mid,
                None => !slot.named,
            });
            let mid = match (entry.mid, existing) {
                (Some(mid), _) => mid.to_owned(),
                (None, Some(slot)) => slot.mid.clone(),
                (None, None) => unused_mid(&mut fresh, |mid| layout.position(mid).is_some()),
            };
            let live = data == Some(index);
            let kept = existing.and_then(|slot| slot.transport).filter(|_| live);
            let transport = kept.or_else(|| live.then(|| self.new_transport(role)));
            self.table.slots.push(slot(entry, mid, live, transport));
            if side == Side::Local
                && let Some(transport) = transport.and_then(|id| self.table.transport_mut(id))
            {
                transport.local = layout.credentials(index);
            }
        }
        // an association that serves goes on until the answer; else the offer proposes one, or none
        let proposed = || {
            let transport = self.table.slots.get(data?)?.transport?;
            Some(Association {
                transport,
                parameters: None,
            })
        };
        self.table.association = stable.association.or_else(proposed);
        self.table.prune(Some(&stable));
    }

    /// Applies an answer that was found acceptable. `side` has answered.
    pub(crate) fn answer(
        &mut self,
        side: Side,
        kind: SdpType,
        (answer, offer): (&Layout<'_>, &Layout<'_>),
        config: &Config,
    ) {
        let (local, remote) = match side {
            Side::Local => (answer, offer),
            Side::Remote => (offer, answer),
        };
        let last = kind == SdpType::Answer;
        for index in 0..self.table.slots.len() {
            let rejected = answer.entry(index).is_none_or(|entry| entry.rejected);
            let Some(slot) = self.table.slots.get_mut(index) else {
                continue;
            };
            if rejected && last {
                slot.live = false;
                slot.transport = None;
            }
            if rejected || !slot.live {
                continue;
            }
            // RFC 9143 §7.3: the tagged section of the answer names the transport of its group
            let key = answer
                .entry(index)
                .and_then(|it| it.bundle)
                .map_or(index, |it| it.tag);
            let transport = self.table.slots.get(key).and_then(|slot| slot.transport);
            if let Some(slot) = self.table.slots.get_mut(index) {
                slot.transport = transport.or(slot.transport);
                if let Some(id) = slot.transport {
                    self.configure(id, key, side, (local, remote));
                }
            }
        }
        self.settle_association(remote, last, config);
        if last {
            self.table.prune(None);
            self.stable = None;
        } else {
            let stable = self.stable.clone();
            self.table.prune(stable.as_deref());
        }
    }

    /// Sets what both descriptions say of a transport. `side` has answered.
    fn configure(
        &mut self,
        id: TransportId,
        key: usize,
        side: Side,
        (local, remote): (&Layout<'_>, &Layout<'_>),
    ) {
        let Some(transport) = self.table.transport_mut(id) else {
            return;
        };
        transport.local = local.credentials(key);
        let local_ufrag = transport
            .local
            .as_ref()
            .map(|it| it.ufrag.clone())
            .unwrap_or_default();
        transport.remote = remote.credentials(key).map(|credentials| RemoteIce {
            credentials,
            lite: remote.is_lite(),
            local_ufrag,
        });
        let (answer, offer) = match side {
            Side::Local => (local, remote),
            Side::Remote => (remote, local),
        };
        let answerer = answerer_role(answer.setup(key), offer.setup(key));
        let role = match (side, answerer) {
            (Side::Local, role) => role,
            (Side::Remote, DtlsRole::Client) => DtlsRole::Server,
            (Side::Remote, DtlsRole::Server) => DtlsRole::Client,
        };
        let mut dtls = Dtls {
            role,
            fingerprints: remote.fingerprints(key),
            tls_id: remote.tls_id(key).map(str::to_owned),
            number: 0,
        };
        if let Some(before) = &transport.dtls {
            dtls.number = before.number + u32::from(is_new_association(before, &dtls));
        }
        transport.dtls = Some(dtls);
    }

    fn settle_association(&mut self, remote: &Layout<'_>, last: bool, config: &Config) {
        let data = self.table.data_slot();
        let section = data
            .and_then(|index| remote.entry(index))
            .filter(|entry| !entry.rejected);
        let transport = data.and_then(|index| self.table.slots.get(index)?.transport);
        self.table.association = match (section, transport) {
            (Some(entry), Some(transport)) => {
                let (port, size) = sctp_parameters(entry);
                Some(Association {
                    transport,
                    parameters: Some((config.sctp_port, port, size)),
                })
            }
            _ if last => None,
            _ => self.table.association,
        };
    }

    fn new_transport(&mut self, role: IceRole) -> TransportId {
        let id = TransportId(self.next_transport);
        self.next_transport = self.next_transport.wrapping_add(1);
        self.table.transports.push(Transport {
            id,
            role,
            local: None,
            remote: None,
            dtls: None,
        });
        id
    }

    /// Our ufrags and passwords that stand in the current and the pending local description.
    pub(crate) fn local_credentials(&self) -> Vec<Credentials> {
        let mut all = Vec::new();
        for applied in self.applied(Side::Local) {
            let Ok(layout) = Layout::new(&applied.session, applied.kind) else {
                continue;
            };
            for index in 0..layout.entries.len() {
                let rejected = layout.entry(index).is_none_or(|entry| entry.rejected);
                if let Some(credentials) = layout.credentials(index).filter(|_| !rejected)
                    && !all.contains(&credentials)
                {
                    all.push(credentials);
                }
            }
        }
        all
    }
}

/// The first section with data channels that is neither rejected nor to be refused. There is one
/// SCTP association: others are rejected.
pub(crate) fn data_section(layout: &Layout<'_>, side: Side, policy: BundlePolicy) -> Option<usize> {
    let allowed = |index: usize, entry: &Entry<'_>| {
        // RFC 9429 §5.3.1: with max-bundle a section is in the group of the first one, or rejected
        let first = layout
            .entries
            .first()
            .and_then(|it| it.bundle)
            .map(|it| it.group);
        side == Side::Local
            || policy != BundlePolicy::MaxBundle
            || index == 0
            || (first.is_some() && entry.bundle.map(|it| it.group) == first)
    };
    layout
        .entries
        .iter()
        .enumerate()
        .find(|(index, entry)| !entry.rejected && entry.is_data() && allowed(*index, entry))
        .map(|(index, _)| index)
}

/// A mid that nothing has yet: a number, which tells nothing and is short (RFC 9429 §5.2.1).
pub(crate) fn unused_mid(next: &mut usize, taken: impl Fn(&str) -> bool) -> String {
    loop {
        let mid = next.to_string();
        *next += 1;
        if !taken(&mid) {
            return mid;
        }
    }
}

fn slot(entry: &Entry<'_>, mid: String, live: bool, transport: Option<TransportId>) -> Slot {
    Slot {
        mid,
        named: entry.mid.is_some(),
        media: entry.media.media().to_owned(),
        protocol: entry.media.protocol().to_owned(),
        formats: entry.media.formats().collect::<Vec<_>>().join(" "),
        live,
        transport,
    }
}

fn answerer_role(answer: Option<Setup>, offer: Option<Setup>) -> DtlsRole {
    match (answer, offer) {
        // RFC 5763 §5: an answer that says nothing is active, unless the offer has taken that
        (Some(Setup::Passive), _) | (None, Some(Setup::Active)) => DtlsRole::Server,
        _ => DtlsRole::Client,
    }
}

// RFC 8842 §4: other fingerprints, other roles, or another tls-id
fn is_new_association(old: &Dtls, new: &Dtls) -> bool {
    let sorted = |dtls: &Dtls| {
        let mut list = dtls.fingerprints.clone();
        list.sort();
        list.dedup();
        list
    };
    let renamed = old.tls_id.is_some() && new.tls_id.is_some() && old.tls_id != new.tls_id;
    old.role != new.role || renamed || sorted(old) != sorted(new)
}

/// The peer's SCTP port and its longest message.
fn sctp_parameters(entry: &Entry<'_>) -> (u16, u64) {
    let legacy = || entry.media.sctp_map().map(|map| map.port);
    let format = || entry.media.formats().find_map(|format| format.parse().ok());
    let port = entry
        .media
        .sctp_port()
        .or_else(legacy)
        .or_else(format)
        .unwrap_or(5000);
    let size = match entry.media.max_message_size() {
        None => 65_536, // RFC 8841 §6.1
        Some(0) => u64::MAX,
        Some(size) => size,
    };
    (port, size)
}
