//! Payload of a transport, counted: all of it, and by the path that it took.

use std::{net::SocketAddr, time::Instant};

use oxirtc_ice as ice;

/// Payload of a transport: everything but ICE itself.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Traffic {
    pub(in crate::engine) total: Flow,
    /// The newest stands last.
    paths: Vec<(Route, Flow)>,
    /// How often a pair was selected.
    pub(in crate::engine) pair_changes: u32,
}

/// Payload both ways.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct Flow {
    pub(in crate::engine) sent: Count,
    pub(in crate::engine) received: Count,
}

/// Payload one way.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct Count {
    pub(in crate::engine) packets: u64,
    pub(in crate::engine) bytes: u64,
    pub(in crate::engine) last: Option<Instant>,
}

/// A path, and the generation whose pair it was: the next generation counts from 0.
type Route = (ice::GenerationId, ice::Path);

impl Traffic {
    /// A batch has gone out.
    pub(in crate::engine) fn sent(
        &mut self,
        now: Instant,
        way: &ice::Way,
        (packets, bytes): (u64, u64),
    ) {
        self.total.sent.add(now, packets, bytes);
        if let Some(generation) = way.generation() {
            self.count((generation, way.path), |flow| {
                flow.sent.add(now, packets, bytes)
            });
        }
    }

    /// A datagram has come. One that was held until its pair was valid counts for the path of the check that made it so.
    pub(in crate::engine) fn received(&mut self, now: Instant, route: Route, bytes: usize) {
        let bytes = bytes as u64;
        self.total.received.add(now, 1, bytes);
        self.count(route, |flow| flow.received.add(now, 1, bytes));
    }

    /// What went over a path; nothing yet is zero.
    pub(in crate::engine) fn on(&self, route: Route) -> Flow {
        let route = canonical(route);
        let found = self
            .paths
            .iter()
            .filter(|(known, _)| canonical(*known) == route);
        found.fold(Flow::default(), |all, (_, flow)| Flow {
            sent: all.sent.with(flow.sent),
            received: all.received.with(flow.received),
        })
    }

    fn count(&mut self, route: Route, add: impl FnOnce(&mut Flow)) {
        let known = self
            .paths
            .iter_mut()
            .rev()
            .find(|(known, _)| *known == route);
        if let Some((_, flow)) = known {
            return add(flow);
        }
        if self.paths.len() >= MAX_PATHS {
            // One that is in use keeps its counts, however many others come.
            let last = |(_, flow): &(Route, Flow)| flow.sent.last.max(flow.received.last);
            let oldest = (0..self.paths.len()).min_by_key(|at| self.paths.get(*at).map(last));
            if let Some(at) = oldest {
                self.paths.remove(at);
            }
        }
        let mut flow = Flow::default();
        add(&mut flow);
        self.paths.push((route, flow));
    }
}

impl Count {
    fn add(&mut self, now: Instant, packets: u64, bytes: u64) {
        self.packets += packets;
        self.bytes += bytes;
        self.last = Some(now);
    }

    fn with(self, other: Self) -> Self {
        Self {
            packets: self.packets + other.packets,
            bytes: self.bytes + other.bytes,
            last: self.last.max(other.last),
        }
    }
}

/// A socket of both families shows IPv4 addresses in IPv6 clothes.
fn canonical((generation, path): Route) -> Route {
    let canonical = |it: SocketAddr| SocketAddr::new(it.ip().to_canonical(), it.port());
    let path = ice::Path {
        local: canonical(path.local),
        remote: canonical(path.remote),
        ..path
    };
    (generation, path)
}

/// Payload comes on validated pairs only, of which few are ever in use.
const MAX_PATHS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn route(port: u16) -> Route {
        let path = ice::Path {
            local: "10.0.0.1:1".parse().unwrap(),
            remote: SocketAddr::new("10.0.0.2".parse().unwrap(), port),
            protocol: ice::Protocol::Udp,
        };
        (ice::GenerationId::default(), path)
    }

    #[test]
    fn paths_are_counted_apart_and_bounded() {
        let now = oxirtc_netsim::epoch();
        let mut traffic = Traffic::default();
        for port in 1..=100 {
            traffic.received(now, route(port), 10);
            traffic.received(now, route(port), 5);
        }
        let all = traffic.total.received;
        assert_eq!((all.packets, all.bytes, all.last), (200, 1500, Some(now)));
        assert_eq!(traffic.on(route(100)).received.bytes, 15);
        assert_eq!(traffic.on(route(1)).received.bytes, 0, "forgotten");
        assert_eq!(traffic.paths.len(), MAX_PATHS);
        for port in 101..=200 {
            let later = now + std::time::Duration::from_millis(port.into());
            traffic.received(later, route(100), 1);
            traffic.received(later, route(port), 1);
        }
        assert_eq!(traffic.on(route(100)).received.bytes, 115, "in use");
        assert_eq!(traffic.paths.len(), MAX_PATHS);
        let mut clothed = route(100);
        clothed.1.remote = "[::ffff:10.0.0.2]:100".parse().unwrap();
        traffic.received(now, clothed, 7);
        assert_eq!(traffic.on(clothed).received.packets, 103);
        assert_eq!(traffic.on(route(100)).received.bytes, 122);
    }
}
