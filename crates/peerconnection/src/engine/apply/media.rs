//! Media: what its sections carry, and what the peer's tracks became.

use std::{collections::BTreeMap, time::Instant};

use oxirtc_jsep as jsep;
use oxirtc_rtp as rtp;

use crate::{
    Parity, RtpEncodingParameters, choice,
    engine::{
        Engine, convert,
        facts::Facts,
        ids::{TransceiverId, TransportId},
        marks::{self, Marks},
        media::{MediaPath, MediaTransceiver, Sender, Told},
        task::Event,
    },
};

impl Engine {
    pub(super) fn apply_media(&mut self, change: jsep::Change, facts: &mut Facts) {
        match change {
            jsep::Change::TransceiverAdded { id, kind } => {
                let kind = convert::shown_kind(kind);
                let encodings = MediaTransceiver::default_encodings(kind);
                self.media.add(TransceiverId(id), kind, encodings);
            }
            jsep::Change::Associated { id, .. } => self.mark(id, |_| {}),
            jsep::Change::Carried { id, transport } => self.carry(id, transport),
            jsep::Change::Receives { id, parameters } => self.mark(id, |it| {
                it.receiver.receptive = parameters.is_some();
                it.receiver.negotiated = parameters.or(it.receiver.negotiated.take());
            }),
            jsep::Change::Sends { id, parameters } => self.mark(id, |it| {
                it.sender.sends = parameters.is_some();
                it.sender.negotiated = parameters.or(it.sender.negotiated.take());
                it.drop_codecs();
            }),
            jsep::Change::Encodings { id, encodings } => {
                self.mark(id, |it| it.set_layers(&encodings));
            }
            jsep::Change::RemoteStreams {
                id,
                streams,
                receiving,
            } => {
                if let Some(it) = self.media.get_mut(TransceiverId(id)) {
                    it.set_remote_streams(streams, receiving, facts);
                }
            }
            jsep::Change::Stopped { id } => self.stopped(TransceiverId(id), facts),
            jsep::Change::TransceiverRemoved { id } => {
                self.carry(id, None);
                self.part(TransceiverId(id));
            }
            // The negotiator is asked for directions.
            _ => {}
        }
    }

    fn mark(&mut self, id: jsep::TransceiverId, f: impl FnOnce(&mut MediaTransceiver)) {
        if let Some(it) = self.media.get_mut(TransceiverId(id)) {
            f(it);
            it.changed = true;
        }
    }

    /// Another transport carries the section, or none does.
    fn carry(&mut self, id: jsep::TransceiverId, transport: Option<jsep::TransportId>) {
        let on = transport.and_then(|name| self.transports.named(name).map(|it| it.id));
        let Some(it) = self.media.get_mut(TransceiverId(id)) else {
            return;
        };
        it.changed = true;
        let before = std::mem::replace(&mut it.on, on);
        let section = it.section();
        if before != on
            && let Some((old, _)) = before.and_then(|old| self.transports.lend(old))
            && let Some(path) = &mut old.media
        {
            path.remove_section(section);
        }
    }

    /// [5.4-07] [4.4.1.6-33] Its section was rejected, by either side.
    fn stopped(&mut self, id: TransceiverId, facts: &mut Facts) {
        let Some(it) = self.media.get_mut(id) else {
            return;
        };
        it.sender.sends = false;
        it.receiver.receptive = false;
        it.changed = true;
        it.set_remote_streams(Vec::new(), false, facts);
        if !std::mem::replace(&mut it.receiver.ended, true) {
            facts.ended.push(Event::TrackEnded(id));
        }
    }

    /// Tells RTP what has changed of the transceivers.
    pub(in crate::engine) fn configure_media(&mut self, now: Instant) {
        let negotiator = &self.negotiation.negotiator;
        for it in self.media.iter_mut().filter(|it| it.changed) {
            it.changed = false;
            let tells = Told {
                encodings: it.sender.encodings.clone(),
                degradation: it.sender.degradation,
                single_units: it.takes_single_units(),
            };
            if it.sender.told != tells {
                it.sender.told = tells;
                self.tasks.push_one(Event::EncodingsChanged(it.id));
            }
            let Some((transport, _)) = it.on.and_then(|on| self.transports.lend(on)) else {
                continue;
            };
            if it.receiver.ended {
                // [5.4-07]: nothing begins anew that has said BYE.
                if let Some(path) = &mut transport.media {
                    path.remove_section(it.section());
                }
                continue;
            }
            let mid = negotiator
                .transceiver(it.id.0)
                .and_then(jsep::Transceiver::mid);
            let path = transport.media_path(now, &self.equipment);
            it.configure(mid, path, self.equipment.settings.parity);
        }
        self.weigh_media();
        if self.equipment.settings.dscp {
            self.mark_media();
        }
    }

    /// RFC 8837 §5: each stream by its kind and its priority.
    fn mark_media(&mut self) {
        let mut marks = BTreeMap::<TransportId, Marks>::new();
        for it in self.media.iter() {
            if let Some(on) = it.on {
                it.mark(marks.entry(on).or_default());
            }
        }
        for transport in self.transports.iter_mut() {
            let own = marks.remove(&transport.id).unwrap_or_default();
            transport.marks = Some(Box::new(own));
        }
    }

    /// WebRTC Priority §4: on each transport media counts as much as its most important stream.
    fn weigh_media(&mut self) {
        let mut heaviest = BTreeMap::<TransportId, u16>::new();
        for it in self.media.iter() {
            if let Some(on) = it.on.filter(|_| it.sender.sends) {
                let active = it.sender.encodings.iter().filter(|it| it.active);
                let weights = active.map(|it| convert::weight(it.priority));
                let own = heaviest.entry(on).or_default();
                *own = weights.max().unwrap_or_default().max(*own);
            }
        }
        for (on, weight) in heaviest {
            if let Some((transport, _)) = self.transports.lend(on)
                && let Some(path) = &mut transport.media
            {
                path.shares.set_media_weight(weight);
            }
        }
    }
}

/// Three bits, in all formats that have layers.
const HIGHEST_LAYER: u8 = 7;

impl Sender {
    /// What of the source one of the encodings sends.
    fn choice_of(&self, place: usize, encoding: &jsep::SendEncoding, count: usize) -> rtp::Choice {
        let named = |rid: &String| choice::place(&self.rids, rid);
        let lane = match (&encoding.rid, count) {
            (_, 1) => self.lane,
            (rid, _) => {
                let lane = rid.as_ref().and_then(named);
                lane.unwrap_or(u8::try_from(place).unwrap_or(u8::MAX))
            }
        };
        let (spatial, temporal) = self.choice.layers();
        rtp::Choice {
            lane,
            spatial: spatial.min(HIGHEST_LAYER),
            temporal: temporal.min(HIGHEST_LAYER),
        }
    }
}

impl MediaTransceiver {
    fn configure(&self, mid: Option<&str>, path: &mut MediaPath, parity: Parity) {
        let receive = self.receiver.negotiated.as_deref();
        let send = self.sender.negotiated.as_deref();
        let mut section = convert::section(mid, (receive, send), parity);
        section.receives = self.receiver.receptive;
        path.rtp.set_section(self.section(), section);
        path.hide(self.section(), convert::hidden(receive, send));
        path.rtp
            .set_delivery(self.section(), self.receiver.delivery);
        let encodings = send.map_or(&[][..], |it| &it.encodings);
        let wanted = |place: usize| {
            let own = self.sender.encodings.get(place);
            self.sender.sends && own.is_none_or(|it| it.active)
        };
        let encodings: Vec<_> = encodings
            .iter()
            .enumerate()
            .map(|(place, it)| {
                let choice = self.sender.choice_of(place, it, encodings.len());
                let own = self.sender.encodings.get(place);
                let limit = own.and_then(|it| it.max_bitrate);
                convert::encoding(choice, it, wanted(place) && !it.paused, limit)
            })
            .collect();
        path.rtp.set_encodings(self.section(), &encodings);
    }

    /// How its streams are marked, those of repairs included.
    fn mark(&self, marks: &mut Marks) {
        for own in &self.sender.encodings {
            marks.weigh(self.dscp_of(own));
        }
        let negotiated = self.sender.negotiated.as_deref();
        let encodings = negotiated.map_or(&[][..], |it| &it.encodings);
        for (sent, own) in encodings.iter().zip(&self.sender.encodings) {
            for ssrc in [Some(sent.ssrc), sent.rtx, sent.fec].into_iter().flatten() {
                marks.set_stream(ssrc, self.dscp_of(own));
            }
        }
    }

    /// WebRTC Priority §4: the network's priority is the other one where it is not given.
    fn dscp_of(&self, encoding: &RtpEncodingParameters) -> u8 {
        let priority = encoding.network_priority.unwrap_or(encoding.priority);
        marks::of_media(self.kind, priority)
    }

    /// [4.4.1.6-42] What was not negotiated cannot be chosen.
    fn drop_codecs(&mut self) {
        let kind = self.kind;
        let Some(negotiated) = self.sender.negotiated.as_deref() else {
            return;
        };
        for encoding in &mut self.sender.encodings {
            let codec = encoding.codec.take();
            encoding.codec = codec.filter(|it| convert::is_sent(kind, it, &negotiated.codecs));
        }
    }

    /// The layers that are left, or that the peer has asked for. What was set for a layer stays.
    fn set_layers(&mut self, layers: &[jsep::Encoding]) {
        let before = &self.sender.encodings;
        let named = |layer: &jsep::Encoding| {
            let known = before.iter().find(|it| it.rid == layer.rid);
            // One that lost its name is the first of those that had one.
            let known = known.or_else(|| before.first().filter(|_| layer.rid.is_none()));
            RtpEncodingParameters {
                rid: layer.rid.clone(),
                ..known.cloned().unwrap_or_default()
            }
        };
        self.sender.encodings = layers.iter().map(named).collect();
        self.sender.transaction = None;
    }

    /// W3C §5.1.1, "process remote tracks".
    fn set_remote_streams(&mut self, streams: Vec<String>, receiving: bool, facts: &mut Facts) {
        // [5.1.1-01]: a track that goes is in no stream any more.
        let streams = if receiving { streams } else { Vec::new() };
        let id = self.id;
        let receiver = &mut self.receiver;
        let before = std::mem::replace(&mut receiver.streams, streams.clone());
        let event = |stream: &String, add| Event::StreamChange {
            stream: stream.clone(),
            transceiver: id,
            added: add,
        };
        let gone = before.iter().filter(|it| !streams.contains(it));
        facts.removed.extend(gone.map(|it| event(it, false)));
        let new: Vec<_> = streams.iter().filter(|it| !before.contains(it)).collect();
        facts.added.extend(new.iter().map(|it| event(it, true)));
        let was = std::mem::replace(&mut receiver.receiving, receiving);
        if receiving && (!was || !new.is_empty()) {
            facts.tracks.push(Event::Track {
                transceiver: id,
                streams,
            });
        }
        if !receiving && was && std::mem::replace(&mut receiver.flows, false) {
            facts.muted.push(Event::TrackMute(id, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use oxirtc_netsim::epoch;

    use super::*;
    use crate::{
        Codec, EncodedFrame, MediaKind, OfferOptions, Priority, RtpTransceiverDirection,
        SessionDescription, Settings,
        engine::{Cutter, TransceiverInit, media::Shares, negotiate},
    };

    fn engine(seed: u8) -> Engine {
        crate::engine::engine(seed, Settings::default().dscp(true))
    }

    /// RFC 3550 §8.2: an SSRC of ours that the peer uses makes way for another, and marks, descriptions and RTP go by that one.
    #[test]
    fn an_ssrc_of_the_peer_makes_way() {
        let (mut near, mut far) = (engine(3), engine(4));
        let now = epoch();
        let init = TransceiverInit {
            encodings: vec![RtpEncodingParameters {
                priority: Priority::High,
                ..RtpEncodingParameters::default()
            }],
            ..TransceiverInit::default()
        };
        let id = near.add_transceiver(MediaKind::Video, None, init).unwrap();
        negotiate(&mut near, &mut far, true);
        let all = |engine: &Engine| {
            let it = engine.media.get(id).unwrap();
            let it = &it.sender.negotiated.as_ref().unwrap().encodings[0];
            [it.ssrc, it.rtx.unwrap()]
        };
        let packet_of = |ssrc: u32| {
            let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 0];
            packet.extend(ssrc.to_be_bytes());
            packet.extend([0x10; 20]);
            packet
        };
        let path = |engine: &mut Engine| engine.transports.iter_mut().next().unwrap().id;
        // One that is taken while an offer is open, and one in a stable state.
        for (place, open) in [(0, true), (1, false)] {
            let old = all(&near);
            if open {
                near.set_local_description(now, None).unwrap();
            }
            let on = path(&mut near);
            let (transport, _) = near.transports.lend(on).unwrap();
            let rtp = &mut transport.media.as_mut().unwrap().rtp;
            rtp.handle_rtp(now, &packet_of(old[place]));
            near.ascend(now);
            let marked = |engine: &mut Engine, ssrc| {
                let (transport, _) = engine.transports.lend(on).unwrap();
                transport.marks.as_ref().unwrap().of_rtp(&packet_of(ssrc))
            };
            assert_eq!(all(&near).map(|it| marked(&mut near, it)), [34; 2]);
            assert_eq!(marked(&mut near, old[place]), 0);
            if open {
                let back = SessionDescription::rollback();
                near.set_local_description(now, Some(back)).unwrap();
            }
            let new = all(&near);
            assert_ne!(new[place], old[place]);
            assert_eq!(new[1 - place], old[1 - place]);
            let offer = near.create_offer(&OfferOptions::default()).unwrap().sdp;
            let names = |ssrc: u32| offer.contains(&format!("a=ssrc:{ssrc} "));
            assert!(new.iter().all(|it| names(*it)), "{offer}");
            assert!(!names(old[place]));
            // Whatever else is set, the stream goes on.
            let parameters = near.parameters(id);
            near.set_parameters(now, id, parameters).unwrap();
            negotiate(&mut near, &mut far, true);
            assert_eq!(all(&near), new);
            assert_eq!(new.map(|it| marked(&mut near, it)), [34; 2]);
            let section = near.media.get(id).unwrap().section();
            let (transport, _) = near.transports.lend(on).unwrap();
            let rtp = &transport.media.as_ref().unwrap().rtp;
            let sent: Vec<_> = rtp.send_stats(section).map(|it| (it.0, it.2.rtx)).collect();
            assert_eq!(sent, [(new[0], Some(new[1]))]);
        }
    }

    /// What is written where nothing is to be sent leaves the pace of what is sent alone.
    #[test]
    fn what_is_not_sent_sets_no_pace() {
        let (mut near, mut far) = (engine(5), engine(6));
        let now = epoch();
        let init = TransceiverInit::default();
        let id = near.add_transceiver(MediaKind::Video, None, init).unwrap();
        negotiate(&mut near, &mut far, true);
        let pace = |engine: &mut Engine| {
            let transport = engine.transports.iter_mut().next().unwrap();
            format!("{:?}", transport.media.as_ref().unwrap().gate)
        };
        let mut payload = vec![0; 1000];
        payload[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
        let frame = EncodedFrame::new(Codec::Vp8, payload);
        let batch = Cutter::new().cut_frame(now, 0, &frame).unwrap();
        let before = pace(&mut near);
        for (direction, sends) in [
            (RtpTransceiverDirection::RecvOnly, false),
            (RtpTransceiverDirection::SendRecv, true),
        ] {
            near.set_direction(id, direction).unwrap();
            negotiate(&mut near, &mut far, true);
            near.write(now, id, &batch);
            assert_eq!(pace(&mut near) != before, sends, "{direction:?}");
        }
    }

    /// [4.9-01] [4.9.1-02] The most important stream that is sent on a transport says how much its media counts.
    #[test]
    fn media_counts_as_its_most_important_stream() {
        let (mut near, mut far) = (engine(1), engine(2));
        let now = epoch();
        let stream = |priority| TransceiverInit {
            encodings: vec![RtpEncodingParameters {
                priority,
                ..RtpEncodingParameters::default()
            }],
            ..TransceiverInit::default()
        };
        let ids = [Priority::VeryLow, Priority::High].map(|priority| {
            let init = stream(priority);
            let added = near.add_transceiver(MediaKind::Video, None, init);
            added.unwrap()
        });
        negotiate(&mut near, &mut far, true);
        let weighs = |engine: &mut Engine, weight| {
            let mut expected = Shares::new();
            expected.set_media_weight(weight);
            let path = engine.transports.iter_mut().next().unwrap().media.as_ref();
            assert_eq!(path.unwrap().shares, expected, "{weight}");
        };
        weighs(&mut near, 1024);
        let set = |engine: &mut Engine, id, change: &dyn Fn(&mut RtpEncodingParameters)| {
            let mut parameters = engine.parameters(id);
            change(&mut parameters.encodings[0]);
            engine.set_parameters(now, id, parameters).unwrap();
        };
        set(&mut near, ids[1], &|it| it.active = false);
        weighs(&mut near, 128);
        set(&mut near, ids[0], &|it| it.priority = Priority::Medium);
        weighs(&mut near, 512);
    }
}
