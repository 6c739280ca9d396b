//! What has been negotiated: sections, the transports they share, SCTP. Two agreements compared are the
//! changes between them, so that a rollback is a comparison with an older one.

mod bundle;
mod diff;
mod media;
mod transport;

use crate::{
    Config, IceRole, SdpType, Transceiver, TransceiverId, TransportId,
    outline::Outline,
    section::{Association, Section, unused_mid},
    signaling::Side,
};

pub(crate) use {bundle::is_bundle_only, transport::Transport};

/// What has been negotiated, or is proposed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agreement {
    /// One for each `m=` line, in order.
    pub(crate) sections: Vec<Section>,
    /// In order of their ids.
    pub(crate) transports: Vec<Transport>,
    pub(crate) association: Option<Association>,
    /// In order of their ids.
    pub(crate) transceivers: Vec<Transceiver>,
}

/// What a section of an offer of ours was written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) transceiver: Option<TransceiverId>,
    /// Of a section that is new in a bundle group that stands.
    pub(crate) transport: Option<TransportId>,
}

/// The numbers of what is made next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Next {
    pub(crate) transport: u32,
    pub(crate) transceiver: u32,
}

impl Agreement {
    pub(crate) fn transport(&self, id: TransportId) -> Option<&Transport> {
        self.transports.iter().find(|it| it.id == id)
    }

    pub(crate) fn transport_mut(&mut self, id: TransportId) -> Option<&mut Transport> {
        self.transports.iter_mut().find(|it| it.id == id)
    }

    pub(crate) fn transceiver(&self, id: TransceiverId) -> Option<&Transceiver> {
        self.transceivers.iter().find(|it| it.id() == id)
    }

    pub(crate) fn transceiver_mut(&mut self, id: TransceiverId) -> Option<&mut Transceiver> {
        self.transceivers.iter_mut().find(|it| it.id() == id)
    }

    /// A transceiver that is new.
    pub(crate) fn add(&mut self, mut new: Transceiver, config: &Config) {
        let kind = new.kind();
        let mut all = self.transceivers.iter();
        if let Some(first) = all.find(|it| it.kind() == kind && !it.is_stopping()) {
            new.share_extensions(first, &config.capabilities(kind).extensions);
        }
        self.transceivers.push(new);
    }

    /// The section of the data channels that lives.
    pub(crate) fn data_section(&self) -> Option<usize> {
        self.sections.iter().position(|it| it.live && it.is_data())
    }

    /// The transport of a section that lives.
    pub(crate) fn carrier(&self, index: usize) -> Option<TransportId> {
        let section = self.sections.get(index)?;
        section.transport.filter(|_| section.live)
    }

    /// Whether an offer has a section still.
    fn goes_on(&self, index: usize, outline: &Outline) -> bool {
        let both = self.sections.get(index).zip(outline.entry(index));
        both.is_some_and(|(section, entry)| section.is(entry))
    }

    /// Takes over an offer that was found acceptable. `stable` is the agreement that it is to change, `plan`
    /// is what sections of ours were written for.
    pub(crate) fn propose(
        &mut self,
        side: Side,
        (outline, plan): (&Outline, &[Plan]),
        (stable, config): (&Self, &Config),
        next: &mut Next,
    ) {
        let role = match side {
            // RFC 8445 §6.1.1: the offerer controls, and a full agent always controls a lite one
            _ if config.ice_lite => IceRole::Controlled,
            Side::Remote if !outline.is_lite() => IceRole::Controlled,
            _ => IceRole::Controlling,
        };
        // a connection has one, and keeps it: who offers later changes nothing
        let role = self.transports.first().map_or(role, |it| it.role);
        let serving = stable.data_section();
        let serving = serving.filter(|index| stable.goes_on(*index, outline));
        let live = bundle::living(outline, side, serving, config);
        let old = std::mem::take(&mut self.sections);
        let mut fresh = old.len();
        for (entry, live) in outline.entries.iter().zip(live) {
            let existing = old.get(self.sections.len()).filter(|it| it.is(entry));
            let mid = match (&entry.mid, existing) {
                (Some(mid), _) => mid.clone(),
                (None, Some(section)) => section.mid.clone(),
                (None, None) => unused_mid(&mut fresh, |mid| outline.position(mid).is_some()),
            };
            let kept = existing.and_then(|it| it.transport);
            let planned = plan.get(self.sections.len()).and_then(|it| it.transport);
            let kept = kept.or(planned).filter(|_| live);
            self.sections.push(Section::new(entry, mid, live, kept));
        }
        self.assign_transports(side, outline, role, &mut next.transport);
        match side {
            Side::Local => {
                self.transports
                    .iter_mut()
                    .for_each(|it| it.offer_tag(outline));
                self.propose_ours(outline, plan);
            }
            Side::Remote => self.propose_theirs(outline, config, &mut next.transceiver),
        }
        // an association that serves goes on until the answer; else the offer proposes one, or none
        let proposed = || {
            let index = self.data_section()?;
            Some(Association::proposed(self.carrier(index)?))
        };
        self.association = stable.association.clone().or_else(proposed);
        self.prune(Some(stable));
    }

    /// Gives each living section of an offer a transport: the one it has, that of the section whose
    /// address it uses, or a new one.
    fn assign_transports(&mut self, side: Side, outline: &Outline, role: IceRole, next: &mut u32) {
        let joins = |index: usize| {
            let entry = outline.entry(index);
            outline.key(index) != index && entry.is_some_and(|it| bundle::joins(it, side))
        };
        let (first, second): (Vec<_>, Vec<_>) =
            (0..self.sections.len()).partition(|index| !joins(*index));
        for index in first.into_iter().chain(second) {
            let shared = match joins(index) {
                true => self.carrier(outline.key(index)),
                false if side == Side::Remote => self.carrier_of_group(outline, index),
                false => None,
            };
            let Some(section) = self.sections.get_mut(index).filter(|it| it.live) else {
                continue;
            };
            let id = section.transport.or(shared).unwrap_or_else(|| {
                let id = TransportId(*next);
                *next = next.wrapping_add(1);
                self.transports.push(Transport::new(id, role));
                id
            });
            section.transport = Some(id);
            if side == Side::Local
                && let Some(transport) = self.transport_mut(id)
            {
                transport.local = outline.credentials(index);
            }
        }
    }

    /// The transport of the group of a section: one that is new before the others has their address.
    fn carrier_of_group(&self, outline: &Outline, index: usize) -> Option<TransportId> {
        let bundle = outline.entry(index)?.bundle?;
        let mut members = outline.groups.get(bundle.group)?.iter();
        members.find_map(|member| self.carrier(*member))
    }

    /// Takes over an answer that was found acceptable. `side` has answered; `stable` is what a rollback
    /// would go back to.
    pub(crate) fn conclude(
        &mut self,
        (side, kind): (Side, SdpType),
        (answer, offer): (&Outline, &Outline),
        stable: Option<&Self>,
    ) {
        let (local, remote) = match side {
            Side::Local => (answer, offer),
            Side::Remote => (offer, answer),
        };
        let last = kind == SdpType::Answer;
        for index in 0..self.sections.len() {
            let rejected = answer.entry(index).is_none_or(|entry| entry.rejected);
            let Some(section) = self.sections.get_mut(index) else {
                continue;
            };
            if rejected && last {
                section.live = false;
                section.transport = None;
            }
            if rejected || !section.live {
                continue;
            }
            // RFC 9143 §7.3: the tagged section of the answer names the transport of its group
            let key = answer.key(index);
            let transport = self.sections.get(key).and_then(|it| it.transport);
            let Some(section) = self.sections.get_mut(index) else {
                continue;
            };
            section.transport = transport.or(section.transport);
            if let Some(id) = section.transport
                && let Some(transport) = self.transport_mut(id)
            {
                transport.configure(key, side, (local, remote));
                if last {
                    transport.set_tag(key, answer);
                }
            }
        }
        self.settle_association(local, remote, last);
        self.conclude_media((side, kind), (answer, offer));
        self.prune(stable.filter(|_| !last));
    }

    fn settle_association(&mut self, local: &Outline, remote: &Outline, last: bool) {
        let index = self.data_section();
        let [local, remote] = [local, remote].map(|outline| {
            let entry = outline.entry(index?);
            entry.filter(|it| !it.rejected)
        });
        let transport = index.and_then(|index| self.carrier(index));
        let before = self.association.take();
        self.association = match (local, remote, transport) {
            (Some(local), Some(remote), Some(transport)) => {
                Association::agreed(before, transport, local, remote)
            }
            _ if last => None,
            _ => before,
        };
    }

    /// Goes back to the stable agreement. What the application did to transceivers meanwhile stays.
    pub(crate) fn roll_back(&mut self, stable: Self) {
        let now = std::mem::replace(self, stable);
        let before = std::mem::take(&mut self.transceivers);
        self.transceivers = now.transceivers;
        self.transceivers.retain_mut(|it| {
            let mut before = before.iter();
            it.roll_back(before.find(|old| old.id() == it.id()))
        });
    }

    /// Drops transports that no living section uses, here or in `also`.
    fn prune(&mut self, also: Option<&Self>) {
        let sections = &self.sections;
        let used = |sections: &[Section], id| {
            let mut sections = sections.iter();
            sections.any(|it| it.live && it.transport == Some(id))
        };
        self.transports.retain(|it| {
            used(sections, it.id) || also.is_some_and(|also| used(&also.sections, it.id))
        });
    }
}
