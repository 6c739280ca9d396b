//! What an engine is told: datagrams, time, answers, and how its application keeps up.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use oxirtc_ice::{Agent, ChecklistSet};

use super::{
    Engine, convert,
    counters::Counters,
    data::Data,
    demux::Kind,
    drops::Drops,
    request::Open,
    sockets::Sockets,
    trace::{Direction, Trace, is_on},
    transport::Transport,
    transports::Transports,
};
use crate::{Interface, Path, PeerConnectionState, RequestId};

impl Engine {
    /// A datagram that came on `path`. It is opened in place.
    pub fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        self.handle_datagrams(now, path, [datagram]);
    }

    /// Datagrams that came together on `path`. Each is opened in place; what follows from all of them is done once.
    pub fn handle_datagrams<'a>(
        &mut self,
        now: Instant,
        path: Path,
        datagrams: impl IntoIterator<Item = &'a mut [u8]>,
    ) {
        self.glance_at_stats(now, true);
        self.trace_drops(None);
        for datagram in datagrams {
            self.counters.datagrams_received += 1;
            self.counters.bytes_received += datagram.len() as u64;
            if self.closed {
                continue;
            }
            self.take(now, path, datagram);
            // While layers are being set up, what one has learnt decides what the next makes of the next datagram.
            if self.states.connection != PeerConnectionState::Connected {
                self.ascend(now);
            }
        }
        self.ascend(now);
        self.trace_drops(Some(path));
    }

    /// So many datagrams found no room before they came here.
    #[cfg(feature = "tokio")]
    pub(crate) fn count_dropped(&mut self, count: u64) {
        self.counters.dropped += count;
        self.crowded += count;
    }

    /// Tells what was dropped since the last time: of the datagrams of `path`, or beside any datagram.
    fn trace_drops(&mut self, path: Option<Path>) {
        if !is_on() {
            return;
        }
        let nobodys = self.counters.dropped - self.crowded;
        let candidates = self.negotiation.negotiator.candidates_dropped();
        let mut drops = Drops::new(nobodys, self.crowded, candidates);
        self.transports
            .iter()
            .for_each(|it| drops.add_transport(it));
        drops.add_data(&self.data);
        let label = self.equipment.trace.label;
        let from = path.map(|it| format!(", from {} to {}", it.remote, self.own(it.local)));
        let from = from.unwrap_or_default();
        for reason in drops.since(&self.told_drops) {
            log::trace!("{label}: dropped{from}: {reason}");
        }
        self.told_drops = drops;
    }

    fn take(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        let trace = self.equipment.trace;
        if !self.transports.pool.is_empty() {
            let path = convert::ice_path(path);
            if self.transports.handle_pooled(now, path, datagram) {
                return;
            }
        }
        let (data, counters) = (&mut self.data, &mut self.counters);
        let route = (now, path, trace);
        if let Some(lent) = self.transports.owner(path.local) {
            demux(lent, data, counters, route, datagram);
        } else if self.transports.len() == 0 {
            counters.dropped += 1;
        } else {
            // A shared socket, and transports that are not bundled yet: each agent knows its own by
            // the credentials, so none takes what is another's. A stream has said whose it is.
            let stream = convert::ice_path(path);
            let known = self.transports.iter().any(|it| it.ice.uses_stream(stream));
            self.transports.each_in_turn(now, |transport, set| {
                if known && !transport.ice.uses_stream(stream) {
                    return;
                }
                let mut datagram = datagram.to_vec();
                demux((transport, set), data, counters, route, &mut datagram);
            });
        }
        self.transports.follow_role(now);
    }

    /// Time has passed. Early and late calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        // A look is not what makes the next one due.
        if self.watch.is_some() {
            let touches = self.due().is_some_and(|due| due <= now);
            self.glance_at_stats(now, touches);
        }
        let Transports { pool, set, .. } = &mut self.transports;
        pool.each(set, |agent, set| agent.handle_timeout(now, set));
        self.transports
            .each_in_turn(now, |transport, set| transport.handle_timeout(now, set));
        self.data.handle_timeout(now);
        self.play_tones(now);
        self.ascend(now);
        self.trace_drops(None);
    }

    /// The answer to a request: the address of the socket, or why there is none.
    pub fn handle_response(
        &mut self,
        now: Instant,
        id: RequestId,
        result: Result<SocketAddr, io::ErrorKind>,
    ) {
        self.answer(now, id, |agent, sockets, set, of| {
            if let (Ok(local), Some(kind)) = (result, of.kind) {
                sockets.add(local, kind);
            }
            agent.handle_response(now, set, of.id, result);
        });
        self.requests.answered(id, result.ok());
    }

    /// The answer to a [`Request::Resolve`](crate::engine::Request::Resolve): all addresses of the name.
    pub fn handle_addresses(
        &mut self,
        now: Instant,
        id: RequestId,
        result: Result<Vec<IpAddr>, io::ErrorKind>,
    ) {
        self.answer(now, id, |agent, _, set, of| {
            agent.handle_addresses(now, set, of.id, result);
        });
    }

    /// The answer to a [`Request::Publish`](crate::engine::Request::Publish): the name of the address.
    pub fn handle_name(
        &mut self,
        now: Instant,
        id: RequestId,
        result: Result<String, io::ErrorKind>,
    ) {
        self.answer(now, id, |agent, _, set, of| {
            agent.handle_name(now, set, of.id, result);
        });
    }

    /// Brings an answer to the agent that has asked.
    fn answer(
        &mut self,
        now: Instant,
        id: RequestId,
        f: impl FnOnce(&mut Agent, &mut Sockets, &mut ChecklistSet, Open),
    ) {
        let Some(open) = self.requests.open.remove(&id.0) else {
            return;
        };
        if let Some((transport, set)) = self.transports.lend(open.transport) {
            f(&mut transport.ice, &mut transport.sockets, set, open);
        } else {
            let Transports { pool, set, .. } = &mut self.transports;
            let Some(pooled) = pool.by_id(open.transport) else {
                return;
            };
            f(&mut pooled.ice, &mut pooled.sockets, set, open);
            pooled.settle();
        }
        self.transports.follow_role(now);
        self.ascend(now);
    }

    /// The system says that nothing can leave on this path: no route, no network. A refusal by the other
    /// side (ICMP) is no reason to call this, as anybody can forge one.
    pub fn handle_unreachable(&mut self, now: Instant, path: Path) {
        if self.closed {
            return;
        }
        let path = convert::ice_path(path);
        self.transports
            .each_agent(now, |agent, set| agent.handle_unreachable(now, set, path));
        self.ascend(now);
    }

    /// The system has refused to send this datagram on this path as it is too long (`EMSGSIZE`), which nobody outside can forge. A probe
    /// is lost then without waiting for its time; if it was data, data is sent in shorter datagrams from now on.
    pub fn handle_too_long(&mut self, now: Instant, path: Path, datagram: &[u8]) {
        if self.closed {
            return;
        }
        let path = convert::ice_path(path);
        for transport in self.transports.iter() {
            let Some(way) = transport.payload_way(now).filter(|it| it.path == path) else {
                continue;
            };
            let record = datagram.get(way.headroom..).unwrap_or_default();
            let around = transport.dtls.headroom() + transport.dtls.tailroom() + way.tailroom;
            if let Kind::Dtls = Kind::of(record)
                && let Some(length) = record.len().checked_sub(around)
                && let Some(association) = self.data.association_on(transport.id)
            {
                association.handle_too_long(now, length);
            }
        }
    }

    /// Another connection claims a path of a shared socket that this one has: its peer is asked at once, and when it does not
    /// answer within two seconds the path is [released](crate::Route::PathReleased).
    pub fn handle_challenge(&mut self, now: Instant, path: Path) {
        if self.closed {
            return;
        }
        let path = convert::ice_path(path);
        self.transports.each_in_turn(now, |transport, set| {
            transport.ice.handle_challenge(now, set, path);
        });
        self.ascend(now);
    }

    /// A path that this connection was to [have](crate::Route::Path) is another one's on the shared socket. Another way to the peer is looked
    /// for, from a socket of its own.
    pub fn handle_taken(&mut self, now: Instant, path: Path) {
        if self.closed {
            return;
        }
        let path = convert::ice_path(path);
        self.transports
            .each_agent(now, |agent, set| agent.handle_taken(now, set, path));
        self.ascend(now);
    }

    /// Another connection of the shared socket has this [fragment](crate::Route::Ufrag): nothing of the peer's comes here by it. The
    /// transport that has it fails, and [`hindrance`](Self::hindrance) tells why; a restart has another one.
    pub fn handle_ufrag_taken(&mut self, now: Instant, ufrag: &str) {
        if self.closed {
            return;
        }
        self.transports.each_agent(now, |agent, set| {
            agent.handle_fragment_taken(now, set, ufrag)
        });
        self.ascend(now);
    }

    /// The other connection has let go of such a path, which is this one's from now on.
    pub fn handle_granted(&mut self, now: Instant, path: Path) {
        if self.closed {
            return;
        }
        let owner = self.requests.claims.owner(path);
        let path = convert::ice_path(path);
        self.transports.each_in_turn(now, |transport, set| {
            // Of two transports that claim it, one has it.
            if owner.is_none_or(|owner| owner == transport.id) {
                transport.ice.handle_granted(now, set, path);
            }
        });
        self.ascend(now);
    }

    /// Datagrams of [`poll_transmit`](Self::poll_transmit) did not leave and are lost.
    pub fn handle_unsent(&mut self, datagrams: u64) {
        self.counters.unsent += datagrams;
    }

    /// Whether something authentic has come on this stream, or a server is at its other end. What strangers open makes room for others.
    pub fn uses_stream(&self, path: Path) -> bool {
        let path = convert::ice_path(path);
        self.transports.iter().any(|it| it.ice.uses_stream(path))
    }

    /// A stream has ended that was not asked to.
    pub fn handle_disconnected(&mut self, now: Instant, path: Path) {
        if self.closed {
            return;
        }
        let path = convert::ice_path(path);
        self.transports
            .each_agent(now, |agent, set| agent.handle_closed(now, set, path));
        self.ascend(now);
    }

    /// The addresses of this machine; again when they change. Gathering waits for the first call.
    pub fn handle_interfaces(&mut self, now: Instant, interfaces: &[Interface]) {
        let used = self.equipment.settings.networks.used(interfaces);
        let shown = convert::interfaces(&used);
        self.equipment.interfaces = Some(used);
        self.transports
            .each_agent(now, |agent, set| agent.handle_interfaces(now, set, &shown));
        self.gather_ahead(now);
        self.ascend(now);
    }

    /// How many events were taken and not read by the application. Above 1,024, channels that the peer
    /// opens wait in the association.
    pub fn set_unread_events(&mut self, now: Instant, events: usize) {
        self.tasks.set_unread(events);
        self.data.settle(now, &mut self.tasks);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let look = self.watch.as_ref().and_then(|it| it.poll_timeout());
        [self.due(), look].into_iter().flatten().min()
    }

    /// When one of the layers wants to know the time.
    fn due(&self) -> Option<Instant> {
        let transports = self.transports.iter().filter_map(Transport::poll_timeout);
        let pool = self.transports.pool.poll_timeout();
        let others = [self.data.poll_timeout(), self.next_tone(), pool];
        transports.chain(others.into_iter().flatten()).min()
    }
}

fn demux(
    (transport, set): (&mut Transport, &mut ChecklistSet),
    data: &mut Data,
    counters: &mut Counters,
    (now, path, trace): (Instant, Path, Trace),
    datagram: &mut [u8],
) {
    let since = transport.since();
    let (dtls, media, id) = (&mut transport.dtls, &mut transport.media, transport.id);
    let succession = &mut transport.succession;
    let (traffic, ice_path) = (&mut transport.traffic, convert::ice_path(path));
    let mut demux = |generation, payload: &mut [u8]| {
        traffic.received(now, (generation, ice_path), payload.len());
        match Kind::of(payload) {
            // It comes from the peer of an association that was replaced.
            _ if generation < since => counters.dropped += 1,
            Kind::Dtls => {
                if let Some(succession) = succession {
                    succession.handle_datagram(now, payload);
                }
                dtls.handle_datagram(now, payload, &mut |packet| {
                    trace.packet(now, Direction::In, "SCTP", packet);
                    if !data.handle_packet(now, id, packet) {
                        counters.dropped += 1;
                    }
                });
            }
            kind @ (Kind::Rtp | Kind::Rtcp) => match media {
                Some(media) => media.handle(now, kind, payload),
                None => counters.dropped += 1,
            },
            Kind::Unknown => counters.dropped += 1,
        }
    };
    transport
        .ice
        .handle_datagram(now, set, ice_path, datagram, &mut demux);
}
