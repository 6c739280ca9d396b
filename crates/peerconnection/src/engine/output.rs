//! What an engine is asked for: batches, whose datagrams are built when the socket asks, requests and tasks.

use std::time::Instant;

use oxirtc_ice::{self as ice, Way};

use super::{
    Engine, convert,
    counters::Counters,
    data::Data,
    ids::TransportId,
    marks::{Held, Marks},
    media::Turn,
    sockets::{Kind, Sockets},
    task::Task,
    trace::{Direction, Trace},
    transport::Transport,
};
use crate::{Path, Request, Transmit};

/// What stands where a datagram is being built.
struct Unbuildable;

/// Whether there was something to build.
type Built = Result<bool, Unbuildable>;

/// What a transport takes its payload from, and where what cannot be built is counted.
struct Source<'a> {
    data: &'a mut Data,
    counters: &'a mut Counters,
    trace: Trace,
    /// How the datagram that was built last is to be marked.
    dscp: u8,
}

impl Engine {
    /// Appends the next batch to `buf`; `None` when there is nothing to send.
    ///
    /// What is learnt while sending, that a buffered amount has fallen, is told by
    /// [`poll_task`](Self::poll_task) once this has returned `None`.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.poll_transmit_beside(now, &[], buf)
    }

    /// As [`poll_transmit`](Self::poll_transmit), without payload for these paths: streams that have no room now. Their checks and
    /// requests go all the same, as does everything on other paths.
    pub fn poll_transmit_beside(
        &mut self,
        now: Instant,
        full: &[Path],
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let base = buf.len();
        let mut batch = self.poll_batch(now, full, buf);
        if batch.is_none() && self.has_sent {
            self.ascend(now);
            batch = self.poll_batch(now, full, buf);
        }
        let transmit = batch?;
        self.has_sent = true;
        let length = buf.len() - base;
        self.counters.batches_sent += 1;
        self.counters.bytes_sent += length as u64;
        self.counters.datagrams_sent += length.div_ceil(transmit.segment.max(1)) as u64;
        Some(transmit)
    }

    /// The next request. Take them all after every call that may have caused one, and after
    /// [`poll_transmit`](Self::poll_transmit), as a `Close` may stand behind a last datagram.
    pub fn poll_request(&mut self) -> Option<Request> {
        if let Some(route) = self.requests.routes.pop_front() {
            return Some(Request::Route(route));
        }
        // A socket goes when the farewells have gone.
        if !self.farewells.is_empty() {
            return None;
        }
        if let Some(request) = self.requests.unwanted.pop_front() {
            return Some(request);
        }
        while let Some(agent) = self.transports.retired.last_mut() {
            let request = match agent.poll_request() {
                Some(ice::Request::Close { local }) => Request::Close { local },
                Some(ice::Request::Unlisten { local }) => Request::Unlisten { local },
                Some(ice::Request::Disconnect { path })
                    if !self.transports.has_stream(None, path) =>
                {
                    let path = convert::path(path);
                    Request::Disconnect { path }
                }
                Some(_) => continue,
                None => {
                    drop(self.transports.retired.pop());
                    continue;
                }
            };
            return Some(request);
        }
        while let Some((id, request)) = self.poll_agents() {
            // Agents of one port have what came there, until it says for whom.
            if let ice::Request::Disconnect { path } = request
                && self.transports.has_stream(Some(id), path)
            {
                continue;
            }
            let kind = Kind::of(&request);
            let request = convert::request(request, |it| self.requests.name(id, it, kind));
            if request.is_some() {
                return request;
            }
        }
        None
    }

    /// What an agent asks for next, and for which transport.
    fn poll_agents(&mut self) -> Option<(TransportId, ice::Request)> {
        let next = |id, agent: &mut ice::Agent, sockets: &mut Sockets| {
            let request = agent.poll_request()?;
            sockets.follow(&request);
            Some((id, request))
        };
        let mut transports = self.transports.iter_mut();
        let next_of = transports.find_map(|it| next(it.id, &mut it.ice, &mut it.sockets));
        drop(transports);
        let mut pooled = self.transports.pool.iter_mut();
        next_of.or_else(|| pooled.find_map(|it| next(it.id, &mut it.ice, &mut it.sockets)))
    }

    /// The next of W3C's tasks.
    pub fn poll_task(&mut self) -> Option<Task> {
        self.tasks.pop()
    }

    /// Messages may be taken from reading to acknowledging: [`poll_transmit`](Self::poll_transmit) may
    /// have something.
    pub fn wants_transmit(&self) -> bool {
        self.data.wants_transmit()
    }

    /// More is to be done at once than one call does, so [`poll_timeout`](Self::poll_timeout) has passed.
    pub(crate) fn goes_on(&self) -> bool {
        self.data.goes_on()
    }

    /// Media waits only for the pause between two bursts, which is shorter than most timers are fine: whoever carries the engine lets
    /// everything else have a turn and comes back, until [`poll_timeout`](Self::poll_timeout) has passed.
    pub fn wants_turn(&self) -> bool {
        let mut paths = self.transports.iter().filter_map(|it| it.media.as_ref());
        paths.any(|it| it.is_pausing())
    }

    fn poll_batch(&mut self, now: Instant, full: &[Path], buf: &mut Vec<u8>) -> Option<Transmit> {
        if let Some(farewell) = self.poll_farewells(buf) {
            return Some(farewell);
        }
        if self.closed {
            return None;
        }
        let settings = &self.equipment.settings;
        let most = (settings.max_segments, settings.max_burst);
        let (data, counters) = (&mut self.data, &mut self.counters);
        let trace = self.equipment.trace;
        let mut source = Source {
            data,
            counters,
            trace,
            dscp: 0,
        };
        for index in 0..self.transports.len() {
            let transport = self.transports.at(index)?;
            let control = source.poll_control(transport, now, buf);
            if control.is_some() {
                return control;
            }
            let transport = self.transports.at(index)?;
            if !full.is_empty()
                && let Some(way) = transport.payload_way(now)
                && full.contains(&convert::path(way.path))
            {
                continue;
            }
            let payload = source.poll_batch(transport, now, most, buf);
            if payload.is_some() {
                return payload;
            }
        }
        let base = buf.len();
        let path = self.transports.pool.poll_transmit(now, buf)?;
        Some(batch(convert::path(path), 0, buf.len() - base))
    }

    /// The next of the last datagrams, with those behind it that are no longer: ABORT and close_notify go together.
    fn poll_farewells(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        let (path, first) = self.farewells.pop_front()?;
        let segment = first.len();
        buf.extend_from_slice(&first);
        let (mut last, most) = (segment, self.equipment.settings.max_segments);
        for _ in 1..most {
            let fits = |(other, next): &mut (Path, Vec<u8>)| {
                last == segment && *other == path && next.len() <= segment
            };
            let Some((_, next)) = self.farewells.pop_front_if(fits) else {
                break;
            };
            last = next.len();
            buf.extend_from_slice(&next);
        }
        Some(batch(path, 0, segment))
    }

    /// The last datagrams of a connection: ABORT, then close_notify. They are built at once, as the
    /// machines close with them.
    pub(super) fn build_farewells(&mut self, now: Instant) {
        let (data, counters) = (&mut self.data, &mut self.counters);
        let trace = self.equipment.trace;
        let mut source = Source {
            data,
            counters,
            trace,
            dscp: 0,
        };
        for transport in self.transports.iter_mut() {
            let Some(way) = transport.payload_way(now) else {
                transport.dtls.close(now);
                continue;
            };
            if let Some(media) = &mut transport.media {
                media.rtp.close();
            }
            for close in [false, true] {
                if close {
                    transport.dtls.close(now);
                }
                // A flight of a handshake may stand before it.
                for _ in 0..MAX_FAREWELLS {
                    let mut datagram = Vec::new();
                    let room = MTU + way.headroom + way.tailroom;
                    if !source.poll(transport, now, (&way, room), &mut datagram) {
                        break;
                    }
                    self.farewells
                        .push_back((convert::path(way.path), datagram));
                }
            }
        }
    }
}

fn batch(path: Path, dscp: u8, segment: usize) -> Transmit {
    Transmit {
        path,
        ecn: 0,
        dscp,
        segment,
    }
}

/// The longest datagram that is worth a probe: what an Ethernet carries. A relay need not tell its own network to leave
/// datagrams whole (RFC 8656 §14), and a stream has no datagrams: there a probe would show nothing.
fn longest_datagram(way: &Way) -> usize {
    let plain = way.headroom == 0 && way.path.protocol == ice::Protocol::Udp;
    match way.path.remote.is_ipv4() {
        _ if !plain => 0,
        true => DATA_MTU,
        false => DATA_MTU - 20,
    }
}

/// RTCP, protected.
fn build_reports(transport: &mut Transport, now: Instant, room: usize, buf: &mut Vec<u8>) -> Built {
    let secure = transport.is_secure();
    let Some(media) = transport.media.as_mut().filter(|_| secure) else {
        return Ok(false);
    };
    media.poll_rtcp(now, room, buf).map_err(|_| Unbuildable)
}

impl Source<'_> {
    /// STUN: few and small, so each goes alone.
    fn poll_control(
        &self,
        transport: &mut Transport,
        now: Instant,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let base = buf.len();
        loop {
            let path = transport.control_path()?;
            if transport.ice.poll_transmit(now, MTU, buf) && buf.len() > base {
                let dscp = self.dscp_of_control(transport);
                return Some(batch(path, dscp, buf.len() - base));
            }
            if transport.control_path() == Some(path) {
                return None;
            }
        }
    }

    fn dscp_of_control(&self, transport: &Transport) -> u8 {
        let marks = transport.marks.as_deref();
        marks.map_or(0, |it| it.of_control(self.data.dscp_on(transport.id)))
    }

    /// A batch of payload: at most so many datagrams, of so many bytes together.
    fn poll_batch(
        &mut self,
        transport: &mut Transport,
        now: Instant,
        (max_segments, max_burst): (usize, usize),
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let base = buf.len();
        let held = transport.held.take();
        let way = transport.payload_way(now)?;
        // Nothing of this moves ICE, so the way stays the same.
        if let Some(held) = held.filter(|it| it.way.path == way.path) {
            buf.extend_from_slice(&held.datagram);
            self.dscp = held.dscp;
        } else if self.build_probe(transport, now, &way, buf) {
            let bytes = (buf.len() - base - way.headroom) as u64;
            transport.traffic.sent(now, &way, (1, bytes));
            return Some(batch(convert::path(way.path), self.dscp, buf.len() - base));
        } else {
            // What a relay writes around data does not shorten it: it was cut before anybody knew.
            let room = DATA_MTU.max(MTU + way.headroom + way.tailroom);
            if !self.poll(transport, now, (&way, room), buf) {
                return None;
            }
        }
        let (segment, dscp) = (buf.len() - base, self.dscp);
        let mut count = 1;
        let most = max_segments.min(max_burst / segment.max(1));
        for _ in 1..most {
            let end = buf.len();
            if !self.poll(transport, now, (&way, segment), buf) {
                break;
            }
            if self.dscp != dscp {
                // What a packet is shows when it is written: it begins the next batch.
                transport.held = Some(Held {
                    way,
                    dscp: self.dscp,
                    datagram: buf.split_off(end),
                });
                break;
            }
            count += 1;
            if buf.len() - end < segment {
                break;
            }
        }
        let bytes = buf.len() - base - count * way.headroom;
        let sent = (count as u64, bytes as u64);
        transport.traffic.sent(now, &way, sent);
        Some(batch(convert::path(way.path), dscp, segment))
    }

    /// One datagram of payload of at most so many bytes. What cannot be built is counted, and the next is tried.
    fn poll(
        &mut self,
        transport: &mut Transport,
        now: Instant,
        (way, room): (&Way, usize),
        buf: &mut Vec<u8>,
    ) -> bool {
        let start = buf.len();
        loop {
            let built = self.build(transport, now, (way, room), buf);
            if !matches!(built, Ok(true)) {
                buf.truncate(start);
            }
            match built {
                Ok(written) => return written,
                // Its layer has let go of it, so this ends.
                Err(Unbuildable) => self.counters.unbuildable += 1,
            }
        }
    }

    fn build(
        &mut self,
        transport: &mut Transport,
        now: Instant,
        (way, room): (&Way, usize),
        buf: &mut Vec<u8>,
    ) -> Built {
        let start = buf.len();
        let around = way.headroom + way.tailroom;
        let Some(room) = room.checked_sub(around) else {
            return Ok(false);
        };
        buf.resize(start + way.headroom, 0);
        let other = room.min(MTU);
        let built = if transport.poll_dtls(now, other, buf) {
            self.dscp = self.dscp_of_control(transport);
            true
        } else if build_reports(transport, now, other, buf)? {
            let marks = transport.marks.as_deref();
            self.dscp = marks.map_or(0, Marks::of_reports);
            true
        } else {
            self.build_payload(transport, now, room, around, buf)?
        };
        if built {
            let wrapped = transport.ice.wrap(now, way, buf, start);
            wrapped.map_err(|_| Unbuildable)?;
        }
        Ok(built)
    }

    /// A packet of media or of data, whose turn it is.
    fn build_payload(
        &mut self,
        transport: &mut Transport,
        now: Instant,
        room: usize,
        around: usize,
        buf: &mut Vec<u8>,
    ) -> Built {
        let start = buf.len();
        let Some(media) = &mut transport.media else {
            return self.build_data(transport, now, room, buf);
        };
        let ready = media.is_ready(now, MEDIA_MTU.saturating_sub(around));
        if media.shares.first(ready) == Turn::Data {
            let built = self.build_data(transport, now, room, buf)?;
            let Some(media) = transport.media.as_mut().filter(|_| ready || built) else {
                return Ok(built);
            };
            if built {
                media.shares.spent(Turn::Data, buf.len() - start);
                return Ok(true);
            }
            media.shares.idle();
        }
        let Some(media) = transport.media.as_mut().filter(|_| ready) else {
            return Ok(false);
        };
        // Media may be a little longer than all but data: what is forwarded has longer ids, and wears RTX.
        let most = MEDIA_MTU.saturating_sub(around).max(MTU);
        let built = media.poll_rtp(now, room.min(most), buf);
        let built = built.map_err(|_| Unbuildable)?;
        if built {
            let marks = transport.marks.as_deref();
            let packet = buf.get(start..).unwrap_or_default();
            self.dscp = marks.map_or(0, |it| it.of_rtp(packet));
            media.shares.spent(Turn::Media, buf.len() - start);
        }
        Ok(built)
    }

    /// A datagram that shows whether the path carries one as long. It is one by itself, as it may vanish.
    fn build_probe(
        &mut self,
        transport: &mut Transport,
        now: Instant,
        way: &Way,
        buf: &mut Vec<u8>,
    ) -> bool {
        if !transport.is_secure() {
            return false;
        }
        let base = buf.len();
        let (headroom, tailroom) = (transport.dtls.headroom(), transport.dtls.tailroom());
        let record = way.headroom + headroom;
        let around = record + tailroom + way.tailroom;
        buf.resize(base + record, 0);
        let longest = longest_datagram(way).saturating_sub(around);
        let longest = ((way.path, way.mapping()), longest);
        let built = self.data.poll_probe(now, transport.id, longest, buf) && {
            let packet = buf.get(base + record..).unwrap_or_default();
            self.trace.packet(now, Direction::Out, "SCTP", packet);
            let sealed = transport.dtls.seal(buf, base + way.headroom).is_ok();
            let wrapped = sealed && transport.ice.wrap(now, way, buf, base).is_ok();
            self.counters.unbuildable += u64::from(!wrapped);
            self.dscp = self.data.dscp();
            wrapped
        };
        if !built {
            buf.truncate(base);
        }
        built
    }

    /// One SCTP packet, sealed.
    fn build_data(
        &mut self,
        transport: &mut Transport,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Built {
        if !transport.is_secure() {
            return Ok(false);
        }
        let start = buf.len();
        let (headroom, tailroom) = (transport.dtls.headroom(), transport.dtls.tailroom());
        let Some(room) = room.checked_sub(headroom + tailroom) else {
            return Ok(false);
        };
        buf.resize(start + headroom, 0);
        if !self.data.poll_transmit(now, transport.id, room, buf) {
            buf.truncate(start);
            return Ok(false);
        }
        let packet = buf.get(start + headroom..).unwrap_or_default();
        self.trace.packet(now, Direction::Out, "SCTP", packet);
        self.dscp = self.data.dscp();
        let sealed = transport.dtls.seal(buf, start);
        sealed.map(|()| true).map_err(|_| Unbuildable)
    }
}

/// What a datagram may have on any path (RFC 8261 §5, RFC 8831 §5).
const MTU: usize = 1200;
/// What media may have: the least that IPv6 carries, less the headers of IPv6 and UDP (RFC 8200 §5).
const MEDIA_MTU: usize = 1232;
/// What data may have where the path was seen to carry it: 1,500 bytes less the headers of IPv4 and UDP; IPv6's is 20 longer.
const DATA_MTU: usize = 1472;
const MAX_FAREWELLS: usize = 4;

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, SocketAddr},
        time::Duration,
    };

    use oxirtc_netsim::epoch;

    use super::*;
    use crate::{DataChannelInit, SessionDescription, Settings, path::Interface};

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    /// Two transports of one connection, each with one pair to check.
    fn two_transports(now: Instant) -> Engine {
        let mut engine = crate::engine::engine(1, Settings::default());
        engine.handle_interfaces(
            now,
            &[Interface {
                name: "eth0".into(),
                index: 2,
                address: LOCAL,
                default_route: true,
                cost: 0,
            }],
        );
        let init = DataChannelInit::default();
        engine.create_data_channel(now, "a", &init).unwrap();
        engine.set_local_description(now, None).unwrap();
        let name = engine.transports.first().unwrap().name;
        let rollback = SessionDescription::rollback();
        engine.set_local_description(now, Some(rollback)).unwrap();
        engine.set_local_description(now, None).unwrap();
        let set = &mut engine.transports.set;
        set.set_role(ice::Role::Controlling);
        let second = Transport::new(name, &engine.equipment, set, None, now);
        engine.transports.add(second);
        engine.transports.each_in_turn(now, |transport, set| {
            let agent = &mut transport.ice;
            let generation = ice::Generation {
                local: ice::Credentials::new("abcd", "0123456789012345678901"),
                remote: Some(ice::RemoteIce {
                    credentials: ice::Credentials::new("efgh", "9876543210987654321098"),
                    lite: false,
                    trickle: true,
                    renomination: false,
                }),
            };
            let plan = ice::Plan {
                stable: Some(generation),
                open: None,
            };
            agent.set_plan(now, set, plan).unwrap();
            for port in 9000..9003 {
                let candidate = ice::Candidate {
                    foundation: port.to_string(),
                    component: 1,
                    protocol: ice::Protocol::Udp,
                    tcp_type: None,
                    priority: u32::from(port),
                    address: ice::Address::Ip(IpAddr::from([10, 0, 0, 2])),
                    port,
                    kind: ice::CandidateKind::Host,
                    related: None,
                    network_cost: 0,
                };
                agent
                    .add_remote_candidate(now, set, "efgh", candidate)
                    .unwrap();
            }
        });
        let mut port = 4000;
        while let Some(request) = engine.poll_request() {
            if let Request::Bind { id, address, .. } = request {
                port += 1;
                engine.handle_response(now, id, Ok(SocketAddr::new(address, port)));
            }
        }
        engine
    }

    /// RFC 8445 §14: all agents of a connection share one pace.
    #[test]
    fn two_agents_take_turns() {
        let mut now = epoch();
        let mut engine = two_transports(now);
        let mut checks = Vec::new();
        for _ in 0..200 {
            let mut buf = Vec::new();
            while let Some(transmit) = engine.poll_transmit(now, &mut buf) {
                checks.push((now, transmit.path.local));
            }
            now += Duration::from_millis(1);
            engine.handle_timeout(now);
        }
        assert!(checks.len() >= 4, "{checks:?}");
        assert!(
            checks.iter().any(|it| it.1 != checks[0].1),
            "each has sent one"
        );
        for pair in checks.windows(2) {
            assert!(
                pair[1].0 - pair[0].0 >= Duration::from_millis(5),
                "{checks:?}"
            );
        }
    }
}
