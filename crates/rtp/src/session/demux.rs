//! Which stream a packet belongs to (RFC 9143 §9.2). All that comes here is authentic.

use std::time::Instant;

use super::{Route, Session};
use crate::{
    Event, RtpHead, SectionId,
    batch::Lane,
    extension::{Label, Named},
    receive::ReceiveStream,
    section::Carries,
};

impl Session {
    /// The route of an SSRC, which may be made by this packet.
    pub(super) fn route(
        &mut self,
        now: Instant,
        &RtpHead {
            ssrc,
            payload_type,
            sequence,
            ..
        }: &RtpHead,
        named: &Named<'_>,
    ) -> Option<Route> {
        if let Some(route) = self.by_ssrc.get(&ssrc).copied() {
            let moved = named.mid.map(|mid| self.section_of_mid(mid));
            let stream = self.receivers.get(route.stream)?;
            match moved {
                // What nobody knows belongs nowhere.
                Some(None) => {
                    self.stats.unrouted += 1;
                    return None;
                }
                // A mid that says otherwise moves it; a late one is that of before.
                Some(Some(section)) if section != stream.section => {
                    if !route.is_repair && !stream.track.is_newest(sequence) {
                        return Some(route);
                    }
                }
                _ => return Some(route),
            }
            self.unbind(route.stream);
        }
        if self.by_ssrc.len() >= self.config.streams {
            self.stats.over_limit += 1;
            return None;
        }
        let section = self.section_of(ssrc, payload_type, named);
        let Some(section) =
            section.filter(|at| self.sections.get(*at).is_some_and(|it| it.section.receives))
        else {
            self.stats.unrouted += 1;
            return None;
        };
        let role = self
            .sections
            .get(section)?
            .section
            .format(payload_type)?
            .role;
        let route = if matches!(role, Carries::Rtx { .. } | Carries::Flexfec) {
            self.bind_repair(section, ssrc, role, named)
        } else {
            self.bind(now, section, ssrc, named)
        };
        if route.is_none() {
            self.stats.unbound += 1;
        }
        route
    }

    fn section_of_mid(&self, mid: &str) -> Option<usize> {
        let is_it = |it: &Option<Label>| it.is_some_and(|it| it.as_str() == mid);
        self.sections.iter().position(|it| is_it(&it.section.mid))
    }

    /// Mid, of the packet or of RTCP, then what was announced, then a payload type that one section alone has: one that was agreed on comes
    /// before those that were only offered.
    fn section_of(&self, ssrc: u32, payload_type: u8, named: &Named<'_>) -> Option<usize> {
        if let Some(mid) = named.mid {
            return self.section_of_mid(mid);
        }
        if let Some((_, mid)) = self.mids.iter().find(|it| it.0 == ssrc) {
            return self.section_of_mid(mid.as_str());
        }
        let announced = self.sections.iter().position(|state| {
            let mut all = state.section.announced.iter();
            all.any(|it| it.ssrc == ssrc || it.rtx == Some(ssrc) || it.fec == Some(ssrc))
        });
        announced.or_else(|| {
            let receiving = || {
                let all = self.sections.iter().enumerate();
                all.filter(|(_, it)| it.section.receives)
            };
            let agreed = receiving().filter(|it| it.1.section.agrees_on(payload_type));
            let mut having: Vec<_> = agreed.collect();
            if having.is_empty() {
                having.extend(receiving().filter(|it| it.1.section.format(payload_type).is_some()));
            }
            match having[..] {
                [(only, _)] => Some(only),
                _ => None,
            }
        })
    }

    fn bind(
        &mut self,
        now: Instant,
        section: usize,
        ssrc: u32,
        named: &Named<'_>,
    ) -> Option<Route> {
        let state = self.sections.get(section)?;
        let announced = state
            .section
            .announced
            .iter()
            .position(|it| it.ssrc == ssrc);
        let rids = &state.section.rids;
        // Where none were agreed on a rid names nothing.
        let rid = named.rid.and_then(Label::new).filter(|_| !rids.is_empty());
        let lane = match rid {
            Some(rid) => rids.iter().position(|it| *it == rid)?,
            // Layers without rids are told by the order in which they were announced.
            None if rids.is_empty() => announced.unwrap_or(0),
            None => return None,
        };
        let (id, lane) = (state.id, lane as Lane);
        let paired = announced.and_then(|at| state.section.announced.get(at).copied());
        let target = state.delivery.target;
        // A lane has one stream: who begins it anew ends the old one.
        let old = |it: &ReceiveStream| it.section == section && it.lane == lane && !it.ended;
        if let Some(old) = self.receivers.iter().position(old) {
            self.unbind(old);
        }
        let mut stream = ReceiveStream::new(&self.config, (section, ssrc), (lane, rid), now);
        stream.stats.number = self.bound;
        self.bound += 1;
        stream.assembler.jitter.wanted = target;
        stream.clock.name = self.names.iter().find(|it| it.0 == ssrc).map(|it| it.1);
        // An ended stream gives its place, so that a peer which begins anew for ever costs nothing.
        let ended = self.receivers.iter().position(|it| it.ended);
        let place = ended.unwrap_or(self.receivers.len());
        if let Some(paired) = paired {
            (stream.rtx, stream.fec) = (paired.rtx, paired.fec);
            for repair in [paired.rtx, paired.fec].into_iter().flatten() {
                let route = Route {
                    stream: place,
                    is_repair: true,
                };
                self.by_ssrc.insert(repair, route);
            }
        }
        match self.receivers.get_mut(place) {
            Some(ended) => *ended = stream,
            None => self.receivers.push(stream),
        }
        let route = Route {
            stream: place,
            is_repair: false,
        };
        self.by_ssrc.insert(ssrc, route);
        self.events.push_back(Event::Bound {
            section: id,
            ssrc,
            lane,
            rid,
        });
        Some(route)
    }

    /// Repair is known by its rid, by what was announced, or as the only one that is missing.
    fn bind_repair(
        &mut self,
        section: usize,
        ssrc: u32,
        role: Carries,
        named: &Named<'_>,
    ) -> Option<Route> {
        let agreed = &self.sections.get(section)?.section;
        let of = agreed
            .announced
            .iter()
            .find(|it| it.rtx == Some(ssrc) || it.fec == Some(ssrc));
        let of = of.map(|it| it.ssrc);
        let is_fec = role == Carries::Flexfec;
        let unpaired = |it: &ReceiveStream| {
            if is_fec {
                it.fec.is_none()
            } else {
                it.rtx.is_none()
            }
        };
        let living = || {
            let all = self.receivers.iter().enumerate();
            all.filter(|(_, it)| it.section == section && !it.ended)
        };
        let rid = named.repaired.or(named.rid);
        let stream = if let Some(rid) = rid.filter(|_| !agreed.rids.is_empty()) {
            let is_it = |it: &ReceiveStream| it.rid.is_some_and(|it| it.as_str() == rid);
            living().find(|(_, it)| is_it(it)).map(|it| it.0)
        } else if of.is_some() {
            living().find(|(_, it)| Some(it.ssrc) == of).map(|it| it.0)
        } else {
            let mut alone = living().filter(|(_, it)| unpaired(it)).map(|it| it.0);
            alone.next().filter(|_| alone.next().is_none())
        }?;
        let bound = self.receivers.get_mut(stream)?;
        let old = if is_fec {
            bound.fec.replace(ssrc)
        } else {
            bound.rtx.replace(ssrc)
        };
        if let Some(old) = old.filter(|it| *it != ssrc) {
            self.by_ssrc.remove(&old);
            self.ended.push_back(old);
        }
        let route = Route {
            stream,
            is_repair: true,
        };
        self.by_ssrc.insert(ssrc, route);
        Some(route)
    }

    /// A stream ends: its SSRCs may belong to others.
    pub(super) fn unbind(&mut self, stream: usize) {
        let gone = self.by_ssrc.extract_if(|_, route| route.stream == stream);
        self.ended.extend(gone.map(|it| it.0));
        // Nobody asks for them, perhaps.
        let over = self.ended.len().saturating_sub(self.config.streams);
        self.ended.drain(..over);
        if let Some(stream) = self.receivers.get_mut(stream) {
            stream.ended = true;
            stream.track.forget();
        }
    }

    pub(super) fn id_of(&self, stream: usize) -> Option<SectionId> {
        let section = self.receivers.get(stream)?.section;
        self.sections.get(section).map(|it| it.id)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Carries, Config, Format, Ntp, RtpHead, Section, SectionId, Writer, payload::Codec,
    };

    fn packet(payload_type: u8, ssrc: u32) -> Vec<u8> {
        let head = RtpHead {
            payload_type,
            ssrc,
            ..RtpHead::default()
        };
        let mut packet = Vec::new();
        Writer::begin(&mut packet, head, &[], Default::default()).finish();
        packet.extend_from_slice(&[0x10; 20]);
        packet
    }

    /// What was only offered is taken, unless another section has agreed on the number.
    #[test]
    fn what_was_only_offered_gives_way() {
        let now = oxirtc_netsim::epoch();
        let format = |payload_type| Format {
            payload_type,
            role: Carries::Media(Codec::Vp8),
            clock: 90_000,
        };
        let section = |agreed, offered| Section {
            formats: vec![format(agreed)],
            left_out: vec![format(offered)],
            receives: true,
            ..Section::default()
        };
        let mut session = Session::new(Config::new("name"), [1; 32], now, Ntp(1 << 32));
        session.set_section(SectionId(0), section(96, 97));
        session.set_section(SectionId(1), section(97, 98));
        for (payload_type, expected) in [(98, 1), (97, 1), (96, 0)] {
            let ssrc = u32::from(payload_type);
            session.handle_rtp(now, &packet(payload_type, ssrc));
            let route = session.by_ssrc.get(&ssrc).copied();
            let route = route.unwrap_or_else(|| panic!("{payload_type} is taken"));
            assert_eq!(session.id_of(route.stream), Some(SectionId(expected)));
        }
        session.handle_rtp(now, &packet(99, 99));
        assert!(!session.by_ssrc.contains_key(&99));
    }

    /// RFC 8851: a rid may stand there without simulcast. It names nothing then.
    #[test]
    fn a_rid_that_was_not_agreed_on_drops_nothing() {
        let now = oxirtc_netsim::epoch();
        let mut session = Session::new(Config::new("name"), [1; 32], now, Ntp(1 << 32));
        let format = |payload_type, role| Format {
            payload_type,
            role,
            clock: 90_000,
        };
        let video = Section {
            formats: vec![
                format(96, Carries::Media(Codec::Vp8)),
                format(97, Carries::Rtx { of: 96 }),
            ],
            ids: crate::extension::Ids::new()
                .with(crate::extension::Kind::Rid, 2)
                .with(crate::extension::Kind::RepairedRid, 3),
            receives: true,
            ..Section::default()
        };
        session.set_section(SectionId(0), video);
        for (payload_type, ssrc, id) in [(96, 9, 2), (97, 10, 3)] {
            let head = RtpHead {
                payload_type,
                ssrc,
                ..RtpHead::default()
            };
            let mut packet = Vec::new();
            let mut writer = Writer::begin(&mut packet, head, &[], Default::default());
            assert!(writer.extend(id, b"hi"));
            writer.finish();
            packet.extend_from_slice(&[0x10; 20]);
            session.handle_rtp(now, &packet);
        }
        assert_eq!(session.stats().unbound, 0);
        let routes = [9, 10].map(|ssrc| session.by_ssrc.get(&ssrc).map(|it| it.is_repair));
        assert_eq!(routes, [Some(false), Some(true)]);
    }

    #[test]
    fn a_peer_that_begins_anew_for_ever_has_one_stream() {
        let mut now = oxirtc_netsim::epoch();
        let mut session = Session::new(Config::new("name"), [1; 32], now, Ntp(1 << 32));
        let video = Section {
            formats: vec![Format {
                payload_type: 96,
                role: Carries::Media(Codec::Vp8),
                clock: 90_000,
            }],
            receives: true,
            ..Section::default()
        };
        session.set_section(SectionId(0), video);
        for ssrc in 1..1000 {
            now += Duration::from_millis(1);
            session.handle_rtp(now, &packet(96, ssrc));
        }
        assert_eq!(session.receivers.len(), 1);
        assert_eq!(session.by_ssrc.len(), 1, "the newest is bound");
    }
}
