//! Candidates, their priorities, and the paths between them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// How a TURN server is reached; towards peers it is UDP always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RelayProtocol {
    /// By datagrams.
    Udp,
    /// By a TCP stream.
    Tcp,
    /// By a TLS stream over TCP.
    Tls,
}

/// A transport address that may reach a peer (RFC 8445 §4), as it is signalled (RFC 8839 §5.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// Equal for candidates that are likely to work or fail alike.
    pub foundation: String,
    /// 1; 2 is RTCP of peers that do not multiplex, and is not checked.
    pub component: u16,
    /// The transport.
    pub protocol: Protocol,
    /// How the connection is made, when the transport is TCP.
    pub tcp_type: Option<TcpType>,
    /// RFC 8445 §5.1.2: the higher, the sooner it is checked.
    pub priority: u32,
    /// The address or the name that stands for it.
    pub address: Address,
    /// The port.
    pub port: u16,
    /// How the address was learnt.
    pub kind: CandidateKind,
    /// The base of a reflexive candidate, the mapped address of a relayed one.
    pub related: Option<SocketAddr>,
    /// What sending costs at its end ([`Interface::cost`](crate::Interface::cost)); 0 when nothing was said.
    pub network_cost: u16,
}

/// Where a candidate is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IP address.
    Ip(IpAddr),
    /// A host name; browsers hide host addresses behind `.local` names.
    Name(String),
}

/// How a candidate's address was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    /// From an interface.
    Host,
    /// From a STUN server.
    ServerReflexive,
    /// From a connectivity check.
    PeerReflexive,
    /// From a TURN server.
    Relayed,
}

/// How a TCP candidate connects (RFC 6544 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcpType {
    /// It opens connections.
    Active,
    /// It accepts connections.
    Passive,
    /// Both sides open at once.
    SimultaneousOpen,
}

/// The transport of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Datagrams.
    Udp,
    /// A stream with RFC 4571 framing.
    Tcp,
}

/// From which socket to which address a datagram goes: what a socket sees, whatever candidates stand
/// for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// The address of the local socket, as the response to its bind request named it.
    pub local: SocketAddr,
    /// The address of the peer.
    pub remote: SocketAddr,
    /// The transport.
    pub protocol: Protocol,
}

/// Two candidates and the path between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The local candidate: the peer-reflexive one when a check showed an address of its own.
    pub local: Candidate,
    /// Whether the local candidate was told ([`Event::CandidateGathered`](crate::Event)).
    pub local_told: bool,
    /// Whether nobody is to see its address, as it was not told and addresses of this machine are hidden
    /// ([`Config::ip_handling`](crate::Config::ip_handling), [`Config::hide_addresses`](crate::Config::hide_addresses)).
    pub local_hidden: bool,
    /// The username fragment of the side that the local candidate is of.
    pub local_ufrag: String,
    /// The remote candidate.
    pub remote: Candidate,
    /// Whether the remote candidate came from signalling; else its address is not the application's
    /// to see.
    pub remote_told: bool,
    /// The username fragment of the side that the remote candidate is of.
    pub remote_ufrag: String,
    /// The path between them.
    pub path: Path,
}

impl Candidate {
    /// The transport address; `None` for a name.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        match self.address {
            Address::Ip(ip) => Some(normalized(SocketAddr::new(ip, self.port))),
            Address::Name(_) => None,
        }
    }

    /// Where checks of it go, now or once there is a fitting socket; `resolved` is what its name stands for.
    pub(crate) fn target(&self, resolved: Option<IpAddr>) -> Option<SocketAddr> {
        let resolved = resolved.map(|ip| normalized(SocketAddr::new(ip, self.port)));
        let address = self.socket_address().or(resolved)?;
        let ip = address.ip();
        let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
        // RFC 6544 §4.5: whoever is active opens, and has no address that could be opened to.
        let accepts = [TcpType::Passive, TcpType::SimultaneousOpen].map(Some);
        let open = self.protocol == Protocol::Udp || accepts.contains(&self.tcp_type);
        let usable = self.component == 1
            && open
            && address.port() != 0
            && !(ip.is_unspecified() || ip.is_multicast() || broadcast);
        usable.then_some(address)
    }
}

impl CandidateKind {
    /// RFC 8445 §5.1.2.2: the recommended type preferences.
    fn preference(self) -> u32 {
        match self {
            Self::Host => 126,
            Self::PeerReflexive => 110,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }
}

impl Path {
    /// A UDP path.
    pub fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            local,
            remote,
            protocol: Protocol::Udp,
        }
    }

    /// The same path written in the one way that comparisons expect.
    #[inline]
    pub(crate) fn normalized(self) -> Self {
        if self.local.is_ipv4() && self.remote.is_ipv4() {
            return self;
        }
        Self {
            local: normalized(self.local),
            remote: normalized(self.remote),
            protocol: self.protocol,
        }
    }
}

/// RFC 8445 §5.1.2.1: the formula. There is one component.
pub(crate) fn priority(kind: CandidateKind, local_preference: u16) -> u32 {
    (kind.preference() << 24) | (u32::from(local_preference) << 8) | (256 - 1)
}

/// RFC 6544 §4.2: the local preference of a candidate over TCP, whose upper bits say who opens: whoever can has the better chance.
pub(crate) fn tcp_preference(tcp: TcpType, local_preference: u16) -> u16 {
    let direction: u16 = match tcp {
        TcpType::Active => 6,
        TcpType::Passive => 4,
        TcpType::SimultaneousOpen => 2,
    };
    let other = OTHERS.saturating_sub(u16::MAX - local_preference);
    direction << OTHERS.count_ones() | other
}

/// The priority of a host candidate over TCP: UDP comes first, as a stream holds back what came behind a loss.
pub(crate) fn tcp_priority(local_preference: u16) -> u32 {
    (TCP_PREFERENCE << 24) | (u32::from(local_preference) << 8) | (256 - 1)
}

/// The priority of a relayed candidate: the less its leg to the server costs, the better.
pub(crate) fn relayed_priority(leg: RelayProtocol, local_preference: u16) -> u32 {
    let preference: u32 = match leg {
        RelayProtocol::Udp => 2,
        RelayProtocol::Tcp => 1,
        RelayProtocol::Tls => 0,
    };
    (preference << 24) | priority(CandidateKind::Relayed, local_preference)
}

/// RFC 8445 §6.1.2.3: the priority of a pair, out of the controlling and the controlled side's.
pub(crate) fn pair_priority(controlling: u32, controlled: u32) -> u64 {
    let low = u64::from(controlling.min(controlled));
    let high = u64::from(controlling.max(controlled));
    // A peer may claim 2^32 - 1, which is more than the formula has room for on both sides.
    (low << 32).saturating_add(2 * high + u64::from(controlling > controlled))
}

/// An IPv4 address in IPv6 clothes is IPv4; a flow label is no part of an address, and a scope only
/// of a link-local one.
pub(crate) fn normalized(address: SocketAddr) -> SocketAddr {
    let SocketAddr::V6(v6) = address else {
        return address;
    };
    match v6.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), v6.port()),
        IpAddr::V6(ip) => {
            let scope = if is_v6_link_local(ip) {
                v6.scope_id()
            } else {
                0
            };
            SocketAddrV6::new(ip, v6.port(), 0, scope).into()
        }
    }
}

/// `remote` as it is reached from `base`; `None` when the two are of different kinds.
pub(crate) fn reachable(base: SocketAddr, remote: SocketAddr) -> Option<SocketAddr> {
    match (base, remote) {
        (SocketAddr::V4(_), SocketAddr::V4(_)) => Some(remote),
        (SocketAddr::V6(base), SocketAddr::V6(mut remote)) => {
            let local_link = is_v6_link_local(*base.ip());
            // RFC 8445 §6.1.2.2: a link-local IPv6 address is paired with link-local ones only.
            if local_link != is_v6_link_local(*remote.ip()) {
                return None;
            }
            if local_link {
                remote.set_scope_id(base.scope_id());
            }
            Some(remote.into())
        }
        _ => None,
    }
}

/// What is shown in the place of an address that is not: one of its family that stands for none.
pub(crate) fn unspecified(like: SocketAddr) -> SocketAddr {
    let address = match like {
        SocketAddr::V4(_) => IpAddr::from([0; 4]),
        SocketAddr::V6(_) => IpAddr::from([0; 16]),
    };
    SocketAddr::new(address, 0)
}

pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => is_v6_link_local(ip),
    }
}

fn is_v6_link_local(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local()
}

/// That of the type; reflexive ones over UDP are better.
const TCP_PREFERENCE: u32 = 90;
/// RFC 6544 §4.2: what the direction leaves of a preference.
const OTHERS: u16 = (1 << 13) - 1;

/// RFC 6544 §4.5: the port of candidates that open streams.
pub(crate) const DISCARD: u16 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn priorities_follow_the_formulas() {
        assert_eq!(priority(CandidateKind::Host, 65_535), 2_130_706_431);
        assert_eq!(priority(CandidateKind::Relayed, 0), 255);
        let (high, low) = (2_130_706_431, 1_694_498_815);
        let pair = (u64::from(low) << 32) + 2 * u64::from(high);
        assert_eq!(pair_priority(high, low), pair + 1);
        assert_eq!(pair_priority(low, high), pair);
        assert_eq!(pair_priority(u32::MAX, u32::MAX), u64::MAX);
    }

    /// RFC 6544 §4.2: who opens comes before who accepts, whatever the address, and that before who does both.
    #[test]
    fn the_direction_of_a_stream_comes_first() {
        assert_eq!(tcp_preference(TcpType::Active, u16::MAX), 6 << 13 | 8191);
        let order = [TcpType::Active, TcpType::Passive, TcpType::SimultaneousOpen];
        for pair in order.windows(2) {
            assert!(tcp_preference(pair[0], 0) > tcp_preference(pair[1], u16::MAX));
        }
    }

    #[test]
    fn addresses_are_written_one_way() {
        assert_eq!(
            normalized(address("[::ffff:10.0.0.1]:5")),
            address("10.0.0.1:5")
        );
        let flow = SocketAddrV6::new("2001:db8::1".parse().unwrap(), 5, 7, 9);
        assert_eq!(normalized(flow.into()), address("[2001:db8::1]:5"));
        let scoped = SocketAddrV6::new("fe80::1".parse().unwrap(), 5, 7, 9);
        assert_eq!(normalized(scoped.into()), address("[fe80::1%9]:5"));
    }

    #[test]
    fn link_local_pairs_with_link_local_of_its_own_link() {
        let base = address("[fe80::1%3]:1");
        assert_eq!(
            reachable(base, address("[fe80::2]:2")),
            Some(address("[fe80::2%3]:2"))
        );
        assert_eq!(reachable(base, address("[2001:db8::2]:2")), None);
        assert_eq!(reachable(base, address("10.0.0.1:2")), None);
        assert_eq!(reachable(address("10.0.0.1:1"), address("[::1]:1")), None);
    }

    #[test]
    fn what_cannot_be_checked_is_told_apart() {
        let good = Candidate {
            foundation: "1".into(),
            component: 1,
            protocol: Protocol::Udp,
            tcp_type: None,
            priority: 1,
            address: Address::Ip("10.0.0.1".parse().unwrap()),
            port: 9,
            kind: CandidateKind::Host,
            related: None,
            network_cost: 0,
        };
        assert!(good.target(None).is_some());
        let name = Address::Name("a.local".into());
        let ip = |text: &str| Address::Ip(text.parse().unwrap());
        for bad in [
            Candidate {
                component: 2,
                ..good.clone()
            },
            Candidate {
                protocol: Protocol::Tcp,
                ..good.clone()
            },
            Candidate {
                port: 0,
                ..good.clone()
            },
            Candidate {
                address: name,
                ..good.clone()
            },
            Candidate {
                address: ip("0.0.0.0"),
                ..good.clone()
            },
            Candidate {
                address: ip("224.0.0.1"),
                ..good.clone()
            },
            Candidate {
                address: ip("255.255.255.255"),
                ..good.clone()
            },
            Candidate {
                address: ip("ff02::1"),
                ..good
            },
        ] {
            assert_eq!(bad.target(None), None);
        }
    }
}
