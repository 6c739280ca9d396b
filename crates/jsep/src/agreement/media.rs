//! What descriptions change in transceivers (W3C §4.4.1.5, RFC 9429 §5.9 to §5.11).

use oxirtc_sdp::Direction;

use super::{Agreement, Plan, bundle::is_taken};
use crate::{
    Codecs, Config, Layer, Layers, MediaKind, NumberedExtension, Origin, SdpType, Transceiver,
    TransceiverId,
    encoding::{Encoding, narrowed},
    outline::{Entry, Outline},
    section::media_kind,
    signaling::Side,
};

impl Agreement {
    /// The transceiver of a section.
    pub(crate) fn transceiver_at(&self, index: usize) -> Option<&Transceiver> {
        let mid = self.sections.get(index)?.mid.as_str();
        self.transceivers.iter().find(|it| it.mid() == Some(mid))
    }

    fn transceiver_at_mut(&mut self, index: usize) -> Option<&mut Transceiver> {
        let mid = self.sections.get(index)?.mid.as_str();
        let mut all = self.transceivers.iter_mut();
        all.find(|it| it.mid() == Some(mid))
    }

    /// An offer of ours gives transceivers their sections: `plan` is what they were written for.
    pub(super) fn propose_ours(&mut self, outline: &Outline, plan: &[Plan]) {
        for (index, entry) in outline.entries.iter().enumerate() {
            let planned = plan.get(index).and_then(|it| it.transceiver);
            let Some(id) = planned.filter(|_| !entry.rejected) else {
                continue;
            };
            let mid = self.sections.get(index).map(|it| it.mid.clone());
            let direction = outline.direction(index);
            let Some((transceiver, mid)) = self.transceiver_mut(id).zip(mid) else {
                continue;
            };
            transceiver.associate(mid);
            let agreement = transceiver.agreement_mut();
            // [4.4.1.6-25]: the peer may send before its answer is here
            agreement.receptive = direction.receives();
            let offered = Codecs::associate(entry.rtp.formats.clone());
            agreement.receive = offered.clone().joined(&agreement.receive);
            agreement.offered = offered;
            if agreement.direction.is_none() {
                agreement.extensions.clone_from(&entry.rtp.extensions);
                agreement.mixed = outline.is_mixed(index);
                agreement.reduced_size = entry.rtp.reduced_size;
            }
        }
    }

    /// An offer of the peer finds transceivers for its sections, or makes them.
    pub(super) fn propose_theirs(&mut self, outline: &Outline, config: &Config, next: &mut u32) {
        for (index, entry) in outline.entries.iter().enumerate() {
            if entry.rejected {
                // [4.4.1.6-35]
                if let Some(transceiver) = self.transceiver_at_mut(index) {
                    transceiver.reject();
                }
                continue;
            }
            let lives = self.sections.get(index).is_some_and(|it| it.live);
            let Some(kind) = media_kind(entry).filter(|_| lives && is_taken(entry, config)) else {
                continue;
            };
            let direction = outline.direction(index);
            let Some(transceiver) = self.claim(index, kind, direction, (config, next)) else {
                continue;
            };
            if transceiver.is_stopped() {
                continue;
            }
            propose_encodings(transceiver, &entry.rtp.layers);
            let agreement = transceiver.agreement_mut();
            agreement.receiving = direction.sends();
            agreement.streams = streams(entry, direction);
        }
    }

    /// The transceiver of a section of the peer: the one that has it, one of `addTrack` that has none, or a
    /// new one (RFC 9429 §5.10).
    fn claim(
        &mut self,
        index: usize,
        kind: MediaKind,
        offered: Direction,
        (config, next): (&Config, &mut u32),
    ) -> Option<&mut Transceiver> {
        let mid = self.sections.get(index)?.mid.clone();
        let all = self.transceivers.iter();
        let own = all.clone().position(|it| it.mid() == Some(&mid));
        let place = own.or_else(|| all.clone().position(|it| it.takes(kind, offered)));
        let place = place.unwrap_or_else(|| {
            let id = TransceiverId(*next);
            *next = next.wrapping_add(1);
            let new = Transceiver::new(id, kind, Origin::Peer, Direction::RecvOnly);
            self.add(new, config);
            self.transceivers.len() - 1
        });
        let transceiver = self.transceivers.get_mut(place)?;
        transceiver.associate(mid);
        Some(transceiver)
    }

    /// An answer settles what transceivers do.
    pub(super) fn conclude_media(
        &mut self,
        (side, kind): (Side, SdpType),
        (answer, offer): (&Outline, &Outline),
    ) {
        let last = kind == SdpType::Answer;
        for index in 0..self.sections.len() {
            let Some(transceiver) = self.transceiver_at_mut(index) else {
                continue;
            };
            let (Some(answered), Some(offered)) = (answer.entry(index), offer.entry(index)) else {
                continue;
            };
            if answered.rejected {
                // a provisional answer stops nothing: another end may take it
                if last {
                    transceiver.reject();
                }
                continue;
            }
            if transceiver.is_stopped() {
                continue;
            }
            let half = |outline: &Outline| outline.direction(index);
            let directions = match side {
                Side::Local => (half(answer), half(offer)),
                Side::Remote => (half(offer), half(answer)),
            };
            let mixed = answer.is_mixed(index) && offer.is_mixed(index);
            let cryptex = answer.is_cryptex(index) && offer.is_cryptex(index);
            let agreement = transceiver.agreement_mut();
            (agreement.mixed, agreement.cryptex) = (mixed, cryptex);
            settle(transceiver, side, directions, (answered, offered));
            if last {
                transceiver.keep_extensions();
            }
        }
        if last {
            self.remove_stopped();
        }
    }

    /// [4.4.1.6-40]: those whose section is rejected, and those that stopped before they had one.
    fn remove_stopped(&mut self) {
        let sections = &self.sections;
        self.transceivers.retain(|it| {
            let mut sections = sections.iter();
            let section = it.mid().and_then(|mid| sections.find(|it| it.mid == mid));
            let lives = section.is_some_and(|it| it.live);
            let unused = it.mid().is_none() && it.is_stopping();
            !(unused || (it.is_stopped() && !lives))
        });
    }
}

/// [4.4.1.6-28]: the peer asks for layers of one that has none yet.
fn propose_encodings(transceiver: &mut Transceiver, offered: &Layers) {
    let unnamed = matches!(transceiver.encodings(), [only] if only.rid.is_none());
    // what was narrowed to one by an answer stays one
    let fresh = transceiver.agreement().direction.is_none();
    if unnamed && fresh && !offered.receive.is_empty() {
        let wanted = offered.receive.iter();
        let encodings = wanted.map(|layer| Encoding {
            paused: layer.paused,
            ..Encoding::named(layer.rid.clone())
        });
        transceiver.set_encodings(encodings.collect());
    }
}

/// Sets what an answer of `side` and its offer say together.
fn settle(
    transceiver: &mut Transceiver,
    side: Side,
    (local_direction, remote_direction): (Direction, Direction),
    (answer, offer): (&Entry, &Entry),
) {
    let (local, remote) = match side {
        Side::Local => (answer, offer),
        Side::Remote => (offer, answer),
    };
    transceiver.settle(local_direction, remote_direction);
    let current = local_direction.and(remote_direction.reversed());
    let codecs = |entry: &Entry| Codecs::associate(entry.rtp.formats.clone());
    let (ours, theirs, answered) = (codecs(local), codecs(remote), codecs(answer));
    let layers = Layers {
        send: common(&local.rtp.layers.send, &remote.rtp.layers.receive),
        receive: common(&remote.rtp.layers.send, &local.rtp.layers.receive),
    };
    // [4.4.1.6-26] [4.4.1.6-31]: while nothing is sent nothing is said about layers
    if current.sends() && transceiver.encodings().iter().any(|it| it.rid.is_some()) {
        let left = narrowed(transceiver.encodings(), &layers.send);
        transceiver.set_encodings(left);
    }
    let agreement = transceiver.agreement_mut();
    agreement.receptive = current.receives();
    agreement.receive = ours.shared(&theirs, &answered);
    agreement.send = theirs.shared(&ours, &answered);
    agreement.layers.send = layers.send;
    // nor about those of a peer that sends nothing: they are the same when it goes on
    if current.receives() || !layers.receive.is_empty() {
        agreement.layers.receive = layers.receive;
    }
    agreement.extensions.clear();
    for extension in &answer.rtp.extensions {
        let mut offered = offer.rtp.extensions.iter();
        // RFC 6904 §4.1: one that was offered encrypted is not answered in the open
        let same = |it: &&NumberedExtension| {
            it.id == extension.id && it.extension.is(&extension.extension)
        };
        let Some(offered) = offered.find(same) else {
            continue;
        };
        let mut agreed = extension.clone();
        if side == Side::Remote {
            agreed.extension.direction = agreed.extension.direction.reversed();
        }
        // RFC 8285 §6: an answer takes away directions, and adds none
        let own = match side {
            Side::Local => offered.extension.direction.reversed(),
            Side::Remote => offered.extension.direction,
        };
        agreed.extension.direction = agreed.extension.direction.and(own);
        if agreed.extension.direction != Direction::Inactive {
            agreement.extensions.push(agreed);
        }
    }
    match side {
        // [4.4.1.6-26]: what we do not take is not there
        Side::Local if !current.receives() => {
            agreement.receiving = false;
            agreement.streams.clear();
        }
        Side::Local => {}
        Side::Remote => {
            agreement.receiving = remote_direction.sends();
            agreement.streams = streams(remote, remote_direction);
        }
    }
    agreement.announced.clone_from(&remote.rtp.announced);
    agreement.reduced_size = local.rtp.reduced_size && remote.rtp.reduced_size;
    agreement.bandwidth = remote.rtp.bandwidth;
    agreement.max_packet_time = remote.rtp.max_packet_time;
}

/// The layers that one end sends and the other takes, in the order of who sends.
fn common(sent: &[Layer], taken: &[Layer]) -> Vec<Layer> {
    let both = |form: &Layer| {
        let theirs = taken.iter().find(|it| it.rid == form.rid)?;
        Some(Layer {
            paused: form.paused || theirs.paused,
            ..theirs.clone()
        })
    };
    let sent = sent.iter();
    sent.filter_map(|it| it.forms().find_map(both)).collect()
}

fn streams(entry: &Entry, direction: Direction) -> Vec<String> {
    match direction.sends() {
        true => entry.rtp.streams.clone(),
        false => Vec::new(),
    }
}
