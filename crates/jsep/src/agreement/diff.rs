//! What leads from one agreement to another: a description that was applied, and one that is rolled back.

use super::Agreement;
use crate::{Change, Transceiver, TransceiverId, section::Association};

impl Agreement {
    /// What leads from `old` to this agreement. `restored` tells that this one is the older one.
    pub(crate) fn changes_since(&self, old: &Self, restored: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        for new in &self.transports {
            if old.transport(new.id).is_none() {
                let mut sections = self.sections.iter();
                let section = sections.find(|it| it.transport == Some(new.id));
                changes.push(Change::TransportAdded {
                    transport: new.id,
                    mid: section.map(|it| it.mid.clone()).unwrap_or_default(),
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
        let dtls = |it: &Self| {
            let dtls = it
                .transport(self.association.as_ref()?.transport)?
                .dtls
                .as_ref()?;
            Some((dtls.number, dtls.role))
        };
        Association::changes(
            (self.association.as_ref(), dtls(self)),
            (old.association.as_ref(), dtls(old)),
            &mut changes,
        );
        self.media_changes_since(old, &mut changes);
        let gone = old.transports.iter();
        let gone = gone.filter(|it| self.transport(it.id).is_none());
        changes.extend(gone.map(|it| Change::TransportRemoved { transport: it.id }));
        changes
    }

    fn media_changes_since(&self, old: &Self, changes: &mut Vec<Change>) {
        for id in self.in_order() {
            self.transceiver_changes(old, id, changes);
        }
        for gone in &old.transceivers {
            if self.transceiver(gone.id()).is_none() {
                removed(gone, changes);
            }
        }
    }

    /// The transceivers by their sections, those without one last.
    fn in_order(&self) -> Vec<TransceiverId> {
        let place = |it: &Transceiver| {
            let mid = it.mid()?;
            self.sections.iter().position(|section| section.mid == mid)
        };
        let mut all: Vec<_> = self.transceivers.iter().map(|it| (place(it), it)).collect();
        all.sort_by_key(|(place, it)| (place.unwrap_or(usize::MAX), it.id()));
        all.into_iter().map(|(_, it)| it.id()).collect()
    }

    fn transceiver_changes(&self, old: &Self, id: TransceiverId, changes: &mut Vec<Change>) {
        let Some(new) = self.transceiver(id) else {
            return;
        };
        let before = old.transceiver(id);
        if before.is_none() {
            let kind = new.kind();
            changes.push(Change::TransceiverAdded { id, kind });
        }
        let mid = before.and_then(Transceiver::mid);
        if mid != new.mid() {
            let mid = new.mid().map(str::to_owned);
            changes.push(Change::Associated { id, mid });
        }
        let transport = self.carrier_of(id);
        if transport != before.and_then(|_| old.carrier_of(id)) {
            changes.push(Change::Carried { id, transport });
        }
        let received = |it: &Transceiver| it.receive_parameters();
        let parameters = received(new);
        if parameters != before.and_then(received) {
            let parameters = parameters.map(Box::new);
            changes.push(Change::Receives { id, parameters });
        }
        let parameters = new.send_parameters();
        if parameters != before.and_then(Transceiver::send_parameters) {
            let parameters = parameters.map(Box::new);
            changes.push(Change::Sends { id, parameters });
        }
        let names = |it: &Transceiver| {
            let encodings = it.encodings().iter();
            encodings
                .map(|it| (it.rid.clone(), it.paused))
                .collect::<Vec<_>>()
        };
        let unnamed = vec![(None, false)];
        if names(new) != before.map_or(unnamed, names) {
            let encodings = new.encodings().to_vec();
            changes.push(Change::Encodings { id, encodings });
        }
        let current = new.current_direction();
        if current != before.and_then(Transceiver::current_direction) {
            changes.push(Change::Direction { id, current });
        }
        let remote = |it: &Transceiver| {
            let agreement = it.agreement();
            (agreement.streams.clone(), agreement.receiving)
        };
        let (streams, receiving) = remote(new);
        if (streams.clone(), receiving) != before.map(remote).unwrap_or_default() {
            changes.push(Change::RemoteStreams {
                id,
                streams,
                receiving,
            });
        }
        if new.is_stopped() && !before.is_some_and(Transceiver::is_stopped) {
            changes.push(Change::Stopped { id });
        }
    }

    fn carrier_of(&self, id: TransceiverId) -> Option<crate::TransportId> {
        let mid = self.transceiver(id)?.mid()?;
        let mut sections = self.sections.iter();
        self.carrier(sections.position(|it| it.mid == mid)?)
    }
}

/// A transceiver is not there any more: all that it did ends.
fn removed(gone: &Transceiver, changes: &mut Vec<Change>) {
    let id = gone.id();
    if gone.receive_parameters().is_some() {
        changes.push(Change::Receives {
            id,
            parameters: None,
        });
    }
    if gone.send_parameters().is_some() {
        changes.push(Change::Sends {
            id,
            parameters: None,
        });
    }
    if gone.agreement().receiving || !gone.agreement().streams.is_empty() {
        changes.push(Change::RemoteStreams {
            id,
            streams: Vec::new(),
            receiving: false,
        });
    }
    if !gone.is_stopped() {
        changes.push(Change::Stopped { id });
    }
    changes.push(Change::TransceiverRemoved { id });
}
