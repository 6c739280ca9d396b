//! Which stream a packet belongs to (RFC 9143 §9.2). All that comes here is authentic.

use std::time::Instant;

use super::{Route, Session, departed::Departed};
use crate::{
    Event, RtpHead, SectionId,
    batch::Lane,
    extension::{Label, Named},
    receive::ReceiveStream,
    section::Carries,
};

/// What a stream is that comes.
struct Comes {
    lane: Lane,
    rid: Option<Label>,
    /// RTX and parity.
    repairs: (Option<u32>, Option<u32>),
}

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

    /// Mid, of the packet or of RTCP, then what was announced, then where the stream was until it said goodbye, then a payload type that one
    /// section alone has: one that was agreed on comes before those that were only offered.
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
        let before = || self.departed.iter().find(|it| it.ssrc == ssrc);
        announced
            .or_else(|| before().map(|it| it.section))
            .or_else(|| {
                let receiving = || {
                    let all = self.sections.iter().enumerate();
                    all.filter(|(_, it)| it.section.receives)
                };
                let agreed = receiving().filter(|it| it.1.section.agrees_on(payload_type));
                let mut having: Vec<_> = agreed.collect();
                if having.is_empty() {
                    having.extend(
                        receiving().filter(|it| it.1.section.format(payload_type).is_some()),
                    );
                }
                match having[..] {
                    [(only, _)] => Some(only),
                    _ => None,
                }
            })
    }

    /// What a stream of a section is that comes: its lane and its rid, and what repairs it as far as that is known.
    fn what_comes(&self, section: usize, ssrc: u32, named: &Named<'_>) -> Option<Comes> {
        let agreed = &self.sections.get(section)?.section;
        let (rids, announced) = (&agreed.rids, &agreed.announced);
        let place = announced.iter().position(|it| it.ssrc == ssrc);
        let mut departed = self.departed.iter();
        let before = departed.find(|it| (it.ssrc, it.section) == (ssrc, section));
        let rid = named.rid.and_then(Label::new);
        // Where none were agreed on a rid names nothing.
        let rid = rid
            .or(before.and_then(|it| it.rid))
            .filter(|_| !rids.is_empty());
        let lane = match rid {
            Some(rid) => rids.iter().position(|it| *it == rid)?,
            // Layers without rids are told by the order in which they were announced.
            None if rids.is_empty() => place.unwrap_or(0),
            // So are those whose rids are not told any more, if each was announced.
            None if announced.len() == rids.len() => place?,
            None => return None,
        };
        let repairs = place.and_then(|at| announced.get(at));
        let repairs = repairs.map(|it| (it.rtx, it.fec));
        // What repaired it then may serve another now.
        let free = |it: &u32| !self.by_ssrc.contains_key(it);
        let repairs = repairs.or(before.map(|it| (it.rtx.filter(free), it.fec.filter(free))));
        Some(Comes {
            lane: lane as Lane,
            rid: rid.or_else(|| rids.get(lane).copied()),
            repairs: repairs.unwrap_or_default(),
        })
    }

    fn bind(
        &mut self,
        now: Instant,
        section: usize,
        ssrc: u32,
        named: &Named<'_>,
    ) -> Option<Route> {
        let Comes { lane, rid, repairs } = self.what_comes(section, ssrc, named)?;
        let state = self.sections.get(section)?;
        let id = state.id;
        let target = state.delivery.target;
        // A lane has one stream: who begins it anew ends the old one.
        let old = |it: &ReceiveStream| it.section == section && it.lane == lane && !it.ended;
        if let Some(old) = self.receivers.iter().position(old) {
            self.unbind(old);
        }
        // Who comes back, and whoever's place is taken, is no more departed.
        self.departed
            .retain(|it| it.ssrc != ssrc && (it.section, it.rid) != (section, rid));
        let mut stream = ReceiveStream::new(&self.config, (section, ssrc), (lane, rid), now);
        stream.stats.number = self.bound;
        // Each session counts from a number of its own: a section may move to another.
        stream.number = self.first_stream.wrapping_add(self.bound as u32);
        self.bound += 1;
        stream.assembler.jitter.wanted = target;
        stream.clock.name = self.names.iter().find(|it| it.0 == ssrc).map(|it| it.1);
        // An ended stream gives its place, so that a peer which begins anew for ever costs nothing.
        let ended = self.receivers.iter().position(|it| it.ended);
        let place = ended.unwrap_or(self.receivers.len());
        (stream.rtx, stream.fec) = repairs;
        for repair in [repairs.0, repairs.1].into_iter().flatten() {
            let route = Route {
                stream: place,
                is_repair: true,
            };
            self.by_ssrc.insert(repair, route);
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
            self.tell_ended([old]);
        }
        let route = Route {
            stream,
            is_repair: true,
        };
        self.by_ssrc.insert(ssrc, route);
        Some(route)
    }

    /// What repairs a stream ends as its source says so, and another may take its place: so it changes its SSRC (RFC 3550 §8.2).
    pub(super) fn unpair(&mut self, stream: usize, ssrc: u32) {
        self.by_ssrc.remove(&ssrc);
        self.tell_ended([ssrc]);
        if let Some(stream) = self.receivers.get_mut(stream) {
            stream.rtx = stream.rtx.filter(|it| *it != ssrc);
            stream.fec = stream.fec.filter(|it| *it != ssrc);
        }
    }

    /// A stream ends as its source says so, and is remembered. Of too many the oldest goes.
    pub(super) fn depart(&mut self, stream: usize) {
        if let Some(it) = self.receivers.get(stream) {
            let departed = Departed {
                ssrc: it.ssrc,
                section: it.section,
                rid: it.rid,
                rtx: it.rtx,
                fec: it.fec,
            };
            self.departed.push_back(departed);
            if self.departed.len() > self.config.streams {
                self.departed.pop_front();
            }
        }
        self.unbind(stream);
    }

    /// A stream ends: its SSRCs may belong to others.
    pub(super) fn unbind(&mut self, stream: usize) {
        let gone = self.by_ssrc.extract_if(|_, route| route.stream == stream);
        let gone: Vec<u32> = gone.map(|it| it.0).collect();
        self.tell_ended(gone);
        if let Some(stream) = self.receivers.get_mut(stream) {
            stream.ended = true;
            stream.track.forget();
        }
    }

    fn tell_ended(&mut self, gone: impl IntoIterator<Item = u32>) {
        self.ended.extend(gone);
        // Nobody asks for them, perhaps.
        let over = self.ended.len().saturating_sub(self.config.streams);
        self.ended.drain(..over);
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
        for (payload_type, ssrc, names) in [(96, 9, ["", "hi", ""]), (97, 10, ["", "", "hi"])] {
            session.handle_rtp(now, &named(payload_type, ssrc, names));
        }
        assert_eq!(session.stats().unbound, 0);
        let routes = [9, 10].map(|ssrc| session.by_ssrc.get(&ssrc).map(|it| it.is_repair));
        assert_eq!(routes, [Some(false), Some(true)]);
    }

    /// A packet that says such a mid, rid and rid of what it repairs, where they are not empty.
    fn named(payload_type: u8, ssrc: u32, names: [&str; 3]) -> Vec<u8> {
        let head = RtpHead {
            payload_type,
            ssrc,
            ..RtpHead::default()
        };
        let mut packet = Vec::new();
        let mut writer = Writer::begin(&mut packet, head, &[], Default::default());
        for (id, name) in (1..).zip(names) {
            assert!(name.is_empty() || writer.extend(id, name.as_bytes()));
        }
        writer.finish();
        packet.extend_from_slice(&[0x10; 20]);
        packet
    }

    /// Two sections that take the same payload types; the first has layers.
    fn layered() -> Session {
        let now = oxirtc_netsim::epoch();
        let mut session = Session::new(Config::new("name"), [1; 32], now, Ntp(1 << 32));
        let format = |payload_type, role| Format {
            payload_type,
            role,
            clock: 90_000,
        };
        let video = |mid, rids: &[&str]| Section {
            mid: Label::new(mid),
            formats: vec![
                format(96, Carries::Media(Codec::Vp8)),
                format(97, Carries::Rtx { of: 96 }),
            ],
            ids: crate::extension::Ids::new()
                .with(crate::extension::Kind::Mid, 1)
                .with(crate::extension::Kind::Rid, 2)
                .with(crate::extension::Kind::RepairedRid, 3),
            rids: rids.iter().filter_map(|it| Label::new(it)).collect(),
            receives: true,
            ..Section::default()
        };
        session.set_section(SectionId(0), video("a", &["q", "h"]));
        session.set_section(SectionId(1), video("b", &[]));
        for (payload_type, ssrc, names) in [
            (96, 1, ["a", "q", ""]),
            (97, 11, ["a", "", "q"]),
            (96, 2, ["a", "h", ""]),
            (97, 12, ["a", "", "h"]),
            (96, 3, ["b", "", ""]),
        ] {
            session.handle_rtp(now, &named(payload_type, ssrc, names));
        }
        session
    }

    /// Where the packets of an SSRC go: section, lane, and whether they repair.
    fn place(session: &Session, ssrc: u32) -> Option<(u32, Lane, bool)> {
        let route = session.by_ssrc.get(&ssrc)?;
        let id = session.id_of(route.stream)?;
        Some((id.0, session.receivers[route.stream].lane, route.is_repair))
    }

    fn goodbye(session: &mut Session, sources: &[u32]) {
        let mut datagram = Vec::new();
        crate::rtcp::write_receiver_report(&mut datagram, 9, &[]);
        crate::rtcp::write_bye(&mut datagram, sources);
        session.handle_rtcp(oxirtc_netsim::epoch(), &datagram);
    }

    const PLACES: [(u32, u8, (u32, Lane, bool)); 5] = [
        (1, 96, (0, 0, false)),
        (11, 97, (0, 0, true)),
        (2, 96, (0, 1, false)),
        (12, 97, (0, 1, true)),
        (3, 96, (1, 0, false)),
    ];

    /// Firefox stops a stream with BYE, and goes on under the same SSRC without mid and rid where a report has told it that they are known.
    #[test]
    fn who_comes_back_after_goodbye_is_known() {
        let now = oxirtc_netsim::epoch();
        let mut session = layered();
        for _ in 0..3 {
            assert!(PLACES.iter().all(|it| place(&session, it.0) == Some(it.2)));
            goodbye(&mut session, &[2, 1, 3]);
            assert!(session.by_ssrc.is_empty());
            for (ssrc, payload_type, at) in PLACES {
                session.handle_rtp(now, &named(payload_type, ssrc, [""; 3]));
                assert_eq!(place(&session, ssrc), Some(at), "{ssrc}");
            }
            assert!(session.departed.is_empty());
        }
        assert_eq!((session.stats().unbound, session.stats().unrouted), (0, 0));
        // Its names count where it says them, and what was announced does.
        goodbye(&mut session, &[1]);
        session.handle_rtp(now, &named(96, 1, ["b", "", ""]));
        assert_eq!(place(&session, 1), Some((1, 0, false)));
        assert!(session.departed.is_empty(), "it has come back");
        goodbye(&mut session, &[2]);
        session.handle_rtp(now, &named(96, 2, ["", "q", ""]));
        assert_eq!(place(&session, 2), Some((0, 0, false)));
        goodbye(&mut session, &[1]);
        session.sections[0].section.rids.clear();
        session.sections[0].section.announced = vec![crate::Announced {
            ssrc: 1,
            rtx: Some(13),
            fec: None,
        }];
        session.handle_rtp(now, &named(96, 1, [""; 3]));
        assert_eq!(place(&session, 1), Some((0, 0, false)));
        assert_eq!(place(&session, 13), Some((0, 0, true)));
    }

    /// A session that begins in the middle, as behind another transport, hears no rids of a peer that was told that they are known. Firefox announces
    /// each layer, in the order of their rids.
    #[test]
    fn layers_that_say_nothing_are_in_the_order_of_their_announcement() {
        let now = oxirtc_netsim::epoch();
        let announced = |ssrc| crate::Announced {
            ssrc,
            rtx: Some(ssrc + 10),
            fec: None,
        };
        for (all, expected) in [(&[5, 6][..], Some((0, 1, false))), (&[6][..], None)] {
            let mut session = layered();
            let all = all.iter().map(|it| announced(*it));
            session.sections[0].section.announced = all.collect();
            session.handle_rtp(now, &named(96, 6, [""; 3]));
            assert_eq!(place(&session, 6), expected);
            let rids = session.receivers.iter().filter(|it| it.ssrc == 6);
            let rids: Vec<_> = rids.map(|it| it.rid).collect();
            assert_eq!(rids, expected.map(|_| Label::new("h")).as_slice());
            let repairs = expected.map(|_| (0, 1, true));
            assert_eq!(place(&session, 16), repairs);
            session.handle_rtp(now, &named(96, 7, ["a", "", ""]));
            assert_eq!(place(&session, 7), None);
        }
    }

    /// What took the place of who said goodbye keeps it, and so does what it repairs with; with its section all is forgotten.
    #[test]
    fn who_has_departed_ends_nobody() {
        let now = oxirtc_netsim::epoch();
        let mut session = layered();
        goodbye(&mut session, &[1]);
        session.handle_rtp(now, &named(96, 4, ["a", "q", ""]));
        session.handle_rtp(now, &named(96, 1, [""; 3]));
        assert_eq!(place(&session, 1), None);
        assert_eq!(place(&session, 4), Some((0, 0, false)));
        goodbye(&mut session, &[2]);
        session.handle_rtp(now, &named(97, 12, ["a", "", "q"]));
        session.handle_rtp(now, &named(96, 2, [""; 3]));
        assert_eq!(place(&session, 2), Some((0, 1, false)));
        assert_eq!(place(&session, 12), Some((0, 0, true)));
        goodbye(&mut session, &[2, 3]);
        let section = session.sections[0].section.clone();
        session.remove_section(SectionId(0));
        session.set_section(SectionId(2), section);
        session.handle_rtp(now, &named(96, 2, [""; 3]));
        assert_eq!(place(&session, 2), None);
        session.handle_rtp(now, &named(96, 3, [""; 3]));
        assert_eq!(place(&session, 3), Some((1, 0, false)));
    }

    /// So many are remembered as there may be streams.
    #[test]
    fn the_departed_have_a_limit() {
        let now = oxirtc_netsim::epoch();
        let mut session = layered();
        let most = session.config.streams;
        // Streams of two layers each time, told by their rids.
        for ssrc in 100..100 + 2 * most as u32 {
            let rid = ["q", "h"][ssrc as usize % 2];
            session.handle_rtp(now, &named(96, ssrc, ["a", rid, ""]));
            // Those before are of the same layer, and forgotten as it comes.
            goodbye(&mut session, &[ssrc]);
            assert!(session.departed.len() <= 2);
        }
        let mids = |at: usize| format!("m{at}");
        for at in 0..most + 8 {
            let section = Section {
                mid: Label::new(&mids(at)),
                ..session.sections[1].section.clone()
            };
            session.set_section(SectionId(10 + at as u32), section);
            let mid = mids(at);
            session.handle_rtp(now, &named(96, 10_000 + at as u32, [&mid, "", ""]));
            goodbye(&mut session, &[10_000 + at as u32]);
        }
        assert_eq!(session.departed.len(), most);
        session.handle_rtp(now, &named(96, 10_000, [""; 3]));
        assert_eq!(place(&session, 10_000), None, "the oldest is forgotten");
        session.handle_rtp(now, &named(96, 10_020, [""; 3]));
        assert_eq!(place(&session, 10_020), Some((30, 0, false)));
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
        let most = session.config.streams;
        for ssrc in 1..most as u32 + 100 {
            now += Duration::from_millis(1);
            session.handle_rtp(now, &packet(96, ssrc));
        }
        assert_eq!(session.receivers.len(), 1);
        assert_eq!(session.ended.len(), most, "nobody asks for them");
        assert_eq!(session.by_ssrc.len(), 1, "the newest is bound");
    }
}
