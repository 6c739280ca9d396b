//! Translation of addresses and ports (RFC 4787), in the four kinds that RFC 3489 named.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// A NAT: nodes behind it share one public IPv4 address.
///
/// A mapping is made by a datagram that goes out, and lives as long as such datagrams follow (RFC 4787 REQ-6).
/// IPv6 is not translated.
#[derive(Debug, Clone)]
pub struct Nat {
    kind: NatKind,
    public: Ipv4Addr,
    hairpin: bool,
    lifetime: Duration,
    parent: Option<NatId>,
    mappings: BTreeMap<u16, Mapping>,
    ports: BTreeMap<Key, u16>,
    next_port: u16,
}

/// A NAT of a [`Network`](crate::Network).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatId(pub(crate) u32);

/// How a [`Nat`] maps and filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NatKind {
    /// One public port for each inner address and port; anyone may send to it.
    FullCone,
    /// As the full cone, but only addresses that were sent to may answer.
    AddressRestricted,
    /// As the full cone, but only addresses and ports that were sent to may answer.
    PortRestricted,
    /// Another public port for each destination, and only that may answer.
    Symmetric,
}

/// The inner address and, where the mapping depends on it, the destination.
type Key = (SocketAddr, Option<SocketAddr>);

#[derive(Debug, Clone)]
struct Mapping {
    key: Key,
    remotes: BTreeSet<SocketAddr>,
    used: Instant,
}

impl Nat {
    /// A NAT with this public address, no hairpinning, and mappings that live for two minutes.
    pub fn new(kind: NatKind, public: Ipv4Addr) -> Self {
        Self {
            kind,
            public,
            hairpin: false,
            lifetime: DEFAULT_LIFETIME,
            parent: None,
            mappings: BTreeMap::new(),
            ports: BTreeMap::new(),
            next_port: FIRST_PORT,
        }
    }

    /// Whether nodes behind it reach each other through its public address (RFC 4787 REQ-9). Default: no.
    #[must_use]
    pub fn hairpin(mut self, hairpin: bool) -> Self {
        self.hairpin = hairpin;
        self
    }

    /// How long a mapping lives after the last datagram that went out through it. Default: two minutes.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Puts the NAT itself behind another one, as a home router behind its carrier's.
    #[must_use]
    pub fn behind(mut self, parent: NatId) -> Self {
        self.parent = Some(parent);
        self
    }

    pub(crate) fn public(&self) -> Ipv4Addr {
        self.public
    }

    pub(crate) fn parent(&self) -> Option<NatId> {
        self.parent
    }

    pub(crate) fn has_hairpin(&self) -> bool {
        self.hairpin
    }

    /// The address that a datagram from `inside` to `remote` has outside, or `None` when all ports are taken.
    pub(crate) fn outbound(
        &mut self,
        now: Instant,
        inside: SocketAddr,
        remote: SocketAddr,
    ) -> Option<SocketAddr> {
        let depends = self.kind == NatKind::Symmetric;
        let key = (inside, depends.then_some(remote));
        let known = self.ports.get(&key).copied();
        let port = match known.filter(|port| self.is_alive(now, *port)) {
            Some(port) => port,
            None => self.map(now, key)?,
        };
        let mapping = self.mappings.get_mut(&port)?;
        mapping.used = now;
        mapping.remotes.insert(remote);
        Some(SocketAddr::new(self.public.into(), port))
    }

    /// The inner address for which a datagram from `remote` to the public `port` is, or `None` when it is filtered.
    pub(crate) fn inbound(
        &self,
        now: Instant,
        port: u16,
        remote: SocketAddr,
    ) -> Option<SocketAddr> {
        let mapping = self.mappings.get(&port)?;
        let open = match self.kind {
            NatKind::FullCone => true,
            NatKind::AddressRestricted => mapping.remotes.iter().any(|to| to.ip() == remote.ip()),
            NatKind::PortRestricted | NatKind::Symmetric => mapping.remotes.contains(&remote),
        };
        (open && self.is_alive(now, port)).then_some(mapping.key.0)
    }

    /// The inner address of a mapping, whether or not anything may pass.
    pub(crate) fn inside(&self, port: u16) -> Option<SocketAddr> {
        self.mappings.get(&port).map(|mapping| mapping.key.0)
    }

    pub(crate) fn forget(&mut self) {
        self.mappings.clear();
        self.ports.clear();
    }

    fn is_alive(&self, now: Instant, port: u16) -> bool {
        let mapping = self.mappings.get(&port);
        mapping.is_some_and(|mapping| now < mapping.used + self.lifetime)
    }

    fn map(&mut self, now: Instant, key: Key) -> Option<u16> {
        let lifetime = self.lifetime;
        self.mappings
            .retain(|_, mapping| now < mapping.used + lifetime);
        let mappings = &self.mappings;
        self.ports.retain(|_, port| mappings.contains_key(port));

        let port = self.free_port(key)?;
        self.ports.insert(key, port);
        self.mappings.insert(
            port,
            Mapping {
                key,
                remotes: BTreeSet::new(),
                used: now,
            },
        );
        Some(port)
    }

    /// The inner port where mappings do not depend on the destination and it is free, else the next free one.
    fn free_port(&mut self, (inside, remote): Key) -> Option<u16> {
        if remote.is_none() && !self.mappings.contains_key(&inside.port()) {
            return Some(inside.port());
        }
        for _ in 0..=u16::MAX - FIRST_PORT {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
            if !self.mappings.contains_key(&port) {
                return Some(port);
            }
        }
        None
    }
}

const DEFAULT_LIFETIME: Duration = Duration::from_secs(120);
const FIRST_PORT: u16 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{epoch, secs};

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn nat(kind: NatKind) -> Nat {
        Nat::new(kind, Ipv4Addr::new(203, 0, 113, 1))
    }

    #[test]
    fn mapping_and_filtering_by_kind() {
        let inside = address("10.0.0.2:5000");
        let (first, second) = (address("192.0.2.1:1000"), address("192.0.2.2:1000"));
        let other_port = address("192.0.2.1:1001");
        // kind, same public port for two remotes, the first's other port may answer, a stranger may answer
        let table = [
            (NatKind::FullCone, true, true, true),
            (NatKind::AddressRestricted, true, true, false),
            (NatKind::PortRestricted, true, false, false),
            (NatKind::Symmetric, false, false, false),
        ];
        for (kind, same, by_address, by_anyone) in table {
            let mut nat = nat(kind);
            let out = nat.outbound(epoch(), inside, first).unwrap();
            let inbound = |remote| nat.inbound(epoch(), out.port(), remote);
            assert_eq!(inbound(first), Some(inside), "{kind:?}");
            assert_eq!(inbound(other_port).is_some(), by_address, "{kind:?}");
            assert_eq!(inbound(second).is_some(), by_anyone, "{kind:?}");
            let again = nat.outbound(epoch(), inside, second).unwrap();
            assert_eq!(out == again, same, "{kind:?}");
            assert_eq!(nat.inbound(epoch(), again.port(), second), Some(inside));
        }
    }

    #[test]
    fn two_inner_addresses_never_share_a_port() {
        let mut nat = nat(NatKind::PortRestricted);
        let remote = address("192.0.2.1:1000");
        let one = nat.outbound(epoch(), address("10.0.0.2:5000"), remote);
        let two = nat.outbound(epoch(), address("10.0.0.3:5000"), remote);
        assert_eq!(one.unwrap().port(), 5000);
        assert_ne!(one, two);
    }

    #[test]
    fn mappings_expire_without_traffic() {
        let mut nat = nat(NatKind::PortRestricted).lifetime(secs(30));
        let (inside, remote) = (address("10.0.0.2:5000"), address("192.0.2.1:1000"));
        let out = nat.outbound(epoch(), inside, remote).unwrap();
        let later = epoch() + secs(29);
        assert_eq!(nat.inbound(later, out.port(), remote), Some(inside));
        // What comes in does not keep it alive, what goes out does.
        assert_eq!(nat.inbound(epoch() + secs(30), out.port(), remote), None);
        nat.outbound(later, inside, remote);
        let kept = nat.inbound(epoch() + secs(58), out.port(), remote);
        assert_eq!(kept, Some(inside));
        nat.forget();
        assert_eq!(nat.inbound(later, out.port(), remote), None);
    }

    #[test]
    fn ports_run_out_and_come_back() {
        let mut nat = nat(NatKind::Symmetric);
        let inside = address("10.0.0.2:5000");
        let remote = |n: u32| SocketAddr::new(Ipv4Addr::from_bits(n).into(), 9);
        let room = u32::from(u16::MAX - FIRST_PORT) + 1;
        nat.lifetime = secs(1);
        // Filled directly: going out that often would look through all mappings each time.
        for port in FIRST_PORT..=u16::MAX {
            let key = (inside, Some(remote(port.into())));
            let (remotes, used) = (BTreeSet::new(), epoch());
            nat.ports.insert(key, port);
            nat.mappings.insert(port, Mapping { key, remotes, used });
        }
        assert_eq!(nat.mappings.len() as u32, room);
        assert_eq!(nat.outbound(epoch(), inside, remote(1)), None);
        let later = epoch() + secs(1);
        assert!(nat.outbound(later, inside, remote(1)).is_some());
    }
}
