//! What has been negotiated: sections, the transports they share, SCTP. Two tables compared are the
//! changes between them, so that a rollback is a comparison with an older table.

use crate::{Change, Credentials, DtlsRole, Fingerprint, IceRole, Sctp, TransportId};

/// What has been negotiated, or is proposed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// One for each `m=` line, in order.
    pub(crate) slots: Vec<Slot>,
    /// In order of their ids.
    pub(crate) transports: Vec<Transport>,
    pub(crate) association: Option<Association>,
}

/// One `m=` line.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) mid: String,
    /// The mid stands in the descriptions; else it is ours alone.
    pub(crate) named: bool,
    pub(crate) media: String,
    pub(crate) protocol: String,
    pub(crate) formats: String,
    /// Not rejected by either end.
    pub(crate) live: bool,
    pub(crate) transport: Option<TransportId>,
}

/// One ICE agent and the DTLS association on it.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    pub(crate) id: TransportId,
    pub(crate) role: IceRole,
    pub(crate) local: Option<Credentials>,
    pub(crate) remote: Option<RemoteIce>,
    pub(crate) dtls: Option<Dtls>,
}

/// The peer's half of ICE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteIce {
    pub(crate) credentials: Credentials,
    pub(crate) lite: bool,
    /// Our own ufrag that they go with: a restart of ours names the peer's credentials anew.
    pub(crate) local_ufrag: String,
}

/// The parameters of a DTLS association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dtls {
    pub(crate) role: DtlsRole,
    pub(crate) fingerprints: Vec<Fingerprint>,
    pub(crate) tls_id: Option<String>,
    /// Counts the associations of the transport.
    pub(crate) number: u32,
}

/// The SCTP association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Association {
    pub(crate) transport: TransportId,
    /// Set by an answer: our port, the peer's, its longest message.
    pub(crate) parameters: Option<(u16, u16, u64)>,
}

impl Table {
    pub(crate) fn transport(&self, id: TransportId) -> Option<&Transport> {
        self.transports.iter().find(|it| it.id == id)
    }

    pub(crate) fn transport_mut(&mut self, id: TransportId) -> Option<&mut Transport> {
        self.transports.iter_mut().find(|it| it.id == id)
    }

    /// The section of the data channels that is not rejected.
    pub(crate) fn data_slot(&self) -> Option<usize> {
        self.slots
            .iter()
            .position(|slot| slot.live && slot.media == "application")
    }

    /// Drops transports that no living section uses, here or in `also`.
    pub(crate) fn prune(&mut self, also: Option<&Self>) {
        let slots = &self.slots;
        let used = |slots: &[Slot], id| slots.iter().any(|it| it.live && it.transport == Some(id));
        self.transports
            .retain(|it| used(slots, it.id) || also.is_some_and(|also| used(&also.slots, it.id)));
    }

    /// What leads from `old` to this table. `restored` tells that this one is the older one.
    pub(crate) fn changes_since(&self, old: &Self, restored: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        for new in &self.transports {
            if old.transport(new.id).is_none() {
                let mid = self
                    .slots
                    .iter()
                    .find(|slot| slot.transport == Some(new.id));
                changes.push(Change::TransportAdded {
                    transport: new.id,
                    mid: mid.map(|slot| slot.mid.clone()).unwrap_or_default(),
                });
                changes.push(Change::IceRole {
                    transport: new.id,
                    role: new.role,
                });
            }
        }
        for new in &self.transports {
            new.changes_since(old.transport(new.id), restored, &mut changes);
        }
        self.association_changes(old, &mut changes);
        let removed = old
            .transports
            .iter()
            .filter(|it| self.transport(it.id).is_none());
        changes.extend(removed.map(|it| Change::TransportRemoved { transport: it.id }));
        changes
    }

    fn association_changes(&self, old: &Self, changes: &mut Vec<Change>) {
        let moved =
            old.association.map(|it| it.transport) != self.association.map(|it| it.transport);
        if moved && old.association.is_some() {
            changes.push(Change::Sctp(Sctp::Closed));
        }
        let Some(new) = self.association else { return };
        if moved {
            changes.push(Change::Sctp(Sctp::Created {
                transport: new.transport,
            }));
        }
        let number = |table: &Self| Some(table.transport(new.transport)?.dtls.as_ref()?.number);
        // RFC 8841 §9.2: a new DTLS association carries a new SCTP association
        let kept = !moved && number(old) == number(self);
        let before = old
            .association
            .filter(|_| kept)
            .and_then(|it| it.parameters);
        if let Some((local_port, remote_port, max_message_size)) = new.parameters
            && new.parameters != before
        {
            changes.push(Change::Sctp(Sctp::Negotiated {
                transport: new.transport,
                local_port,
                remote_port,
                max_message_size,
            }));
        }
    }
}

impl Transport {
    fn changes_since(&self, old: Option<&Self>, restored: bool, changes: &mut Vec<Change>) {
        let transport = self.id;
        if let Some(local) = &self.local
            && old.and_then(|it| it.local.as_ref()) != Some(local)
        {
            changes.push(Change::LocalIce {
                transport,
                credentials: local.clone(),
                restored,
            });
        }
        if let Some(remote) = &self.remote
            && old.and_then(|it| it.remote.as_ref()) != Some(remote)
        {
            let credentials = remote.credentials.clone();
            changes.push(Change::RemoteIce {
                transport,
                credentials,
                lite: remote.lite,
            });
        }
        let before = old.and_then(|it| it.dtls.as_ref());
        if let Some(dtls) = &self.dtls
            && before.is_none_or(|it| it.number != dtls.number)
        {
            changes.push(Change::Dtls {
                transport,
                role: dtls.role,
                fingerprints: dtls.fingerprints.clone(),
            });
        }
    }
}
