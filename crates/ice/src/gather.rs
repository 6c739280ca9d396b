//! Gathering: which addresses become candidates, with which preference, and the sockets beneath.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
};

use crate::{
    Address, Candidate, CandidateKind, Config, GatheringState, Interface, Protocol, Request,
    RequestId,
    candidate::{is_link_local, normalized, priority},
    session::Local,
};

/// What is known of this machine's addresses, and what was asked about them.
#[derive(Default)]
pub(crate) struct Gatherer {
    interfaces: Option<Vec<Interface>>,
    /// The addresses of the present generation, best first.
    wanted: Vec<Host>,
    sockets: Vec<SocketAddr>,
    pending: Vec<(RequestId, Source)>,
    requests: VecDeque<Request>,
    next_id: u64,
    state: Option<GatheringState>,
}

/// An address that becomes a host candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Host {
    address: IpAddr,
    scope: u32,
    /// RFC 8445 §5.1.2.1: the local preference.
    preference: u16,
}

/// Where candidates come from. What waits for a server has its place here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A socket on an address of this machine.
    Host(Host),
}

/// What a response to a request brought.
pub(crate) enum Answer {
    /// A socket, and the candidate that it is.
    Bound(Local),
    /// No socket.
    Refused,
    /// Nothing was asked.
    Unasked,
}

impl Gatherer {
    pub(crate) fn state(&self) -> GatheringState {
        self.state.unwrap_or(GatheringState::New)
    }

    /// Notes a state; whether it is another one.
    pub(crate) fn set_state(&mut self, state: GatheringState) -> bool {
        let changed = self.state() != state;
        self.state = Some(state);
        changed
    }

    pub(crate) fn set_interfaces(&mut self, interfaces: &[Interface]) {
        self.interfaces = Some(interfaces.to_vec());
    }

    /// Everything that was asked for has come or failed.
    pub(crate) fn is_idle(&self) -> bool {
        self.interfaces.is_some() && self.pending.is_empty()
    }

    /// Forgets which addresses were used: the next generation chooses afresh.
    pub(crate) fn restart(&mut self) {
        self.wanted.clear();
    }

    /// Works out which addresses to use in addition to those in use, asks for the sockets that are
    /// missing and gives the candidates of those that are not.
    pub(crate) fn plan(&mut self, config: &Config) -> Vec<Local> {
        let Some(interfaces) = &self.interfaces else {
            return Vec::new();
        };
        let mut new = usable(interfaces, config);
        new.retain(|host| self.wanted.iter().all(|old| old.address != host.address));
        // RFC 8445 §5.1.2: no two candidates have the same priority.
        let used = u16::try_from(self.wanted.len()).unwrap_or(u16::MAX);
        for host in &mut new {
            host.preference = host.preference.saturating_sub(used);
        }
        self.wanted.extend_from_slice(&new);
        let mut ready = Vec::new();
        for host in new {
            let bound = self
                .sockets
                .iter()
                .find(|socket| socket.ip() == host.address);
            let asked = |(_, source): &(RequestId, Source)| matches!(source, Source::Host(other) if other.address == host.address);
            if let Some(base) = bound {
                ready.push(host.candidate(*base));
            } else if !self.pending.iter().any(asked) {
                let id = RequestId(self.next_id);
                self.next_id += 1;
                self.pending.push((id, Source::Host(host)));
                self.requests.push_back(Request::Bind {
                    id,
                    address: host.address,
                    scope: host.scope,
                });
            }
        }
        ready
    }

    pub(crate) fn handle_response(&mut self, id: RequestId, result: Option<SocketAddr>) -> Answer {
        let Some(at) = self.pending.iter().position(|(pending, _)| *pending == id) else {
            if let Some(local) = result {
                self.requests.push_back(Request::Close { local });
            }
            return Answer::Unasked;
        };
        let (_, Source::Host(host)) = self.pending.swap_remove(at);
        let Some(bound) = result.filter(|bound| bound.port() != 0) else {
            return Answer::Refused;
        };
        let mut base = normalized(bound);
        // A shared socket may stand on the wildcard address: datagrams are told apart by interface.
        if base.ip().is_unspecified() || base.ip() != host.address {
            base.set_ip(host.address);
        }
        if let SocketAddr::V6(v6) = &mut base
            && is_link_local(host.address)
            && v6.scope_id() == 0
        {
            v6.set_scope_id(host.scope);
        }
        self.sockets.push(base);
        // The addresses may have changed since it was asked for.
        let host = self
            .wanted
            .iter()
            .find(|wanted| wanted.address == host.address);
        match host {
            Some(host) => Answer::Bound(host.candidate(base)),
            None => Answer::Refused,
        }
    }

    pub(crate) fn has_socket(&self, local: SocketAddr) -> bool {
        self.sockets.contains(&local)
    }

    pub(crate) fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }

    /// Closes the sockets for which `used` does not hold.
    pub(crate) fn close_unused(&mut self, used: impl Fn(SocketAddr) -> bool) {
        let (kept, closed) = self.sockets.iter().partition(|socket| used(**socket));
        self.sockets = kept;
        let closed: Vec<SocketAddr> = closed;
        let requests = closed.into_iter().map(|local| Request::Close { local });
        self.requests.extend(requests);
    }

    /// Closes everything; what is still asked for is closed when it comes.
    pub(crate) fn close(&mut self) {
        self.pending.clear();
        self.requests.clear();
        self.close_unused(|_| false);
    }
}

impl Host {
    fn candidate(self, base: SocketAddr) -> Local {
        Local {
            candidate: Candidate {
                foundation: foundation(self.preference),
                component: 1,
                protocol: Protocol::Udp,
                tcp_type: None,
                priority: priority(CandidateKind::Host, self.preference),
                address: Address::Ip(base.ip()),
                port: base.port(),
                kind: CandidateKind::Host,
                related: None,
            },
            base,
            preference: self.preference,
        }
    }
}

/// RFC 8445 §5.1.1.3: kind, base address, protocol and server make a foundation. Each address has a
/// preference of its own, which stands for it without giving it away.
fn foundation(preference: u16) -> String {
    (u32::from(u16::MAX - preference) + 1).to_string()
}

/// The addresses to gather on, best first.
fn usable(interfaces: &[Interface], config: &Config) -> Vec<Host> {
    let mut chosen: Vec<(IpAddr, u32)> = Vec::new();
    let mut choose = |loopback: bool, link_local: bool| {
        for interface in interfaces {
            let ip = interface.address.to_canonical();
            let family = if ip.is_ipv4() {
                config.ipv4
            } else {
                config.ipv6
            };
            let asked = (loopback || !ip.is_loopback()) && (link_local || !is_link_local(ip));
            let real = !ip.is_unspecified() && !ip.is_multicast();
            let known = chosen.iter().any(|(other, _)| *other == ip);
            if family && asked && real && !known && chosen.len() < MAX_HOSTS {
                let scope = if ip.is_ipv6() && is_link_local(ip) {
                    interface.index
                } else {
                    0
                };
                chosen.push((ip, scope));
            }
        }
        chosen.is_empty()
    };
    if choose(config.loopback, config.link_local) {
        choose(true, true);
    }
    interleave(chosen)
}

/// RFC 8421 §4: IPv6 first, then the families in turn and in proportion, so that a family that does
/// not work costs little; one preference each, from the highest down.
fn interleave(addresses: Vec<(IpAddr, u32)>) -> Vec<Host> {
    let (mut v6, mut v4): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|(ip, _)| ip.is_ipv6());
    // Addresses that reach no further than the link or the machine come last in their family.
    for family in [&mut v6, &mut v4] {
        family
            .make_contiguous()
            .sort_by_key(|(ip, _)| (ip.is_loopback(), is_link_local(*ip)));
    }
    let run = (v4.len() + v6.len())
        .checked_div(v4.len())
        .unwrap_or(usize::MAX);
    let mut ordered = Vec::new();
    while !(v4.is_empty() && v6.is_empty()) {
        let take = run
            .saturating_sub(usize::from(!ordered.is_empty()))
            .clamp(1, v6.len().max(1));
        ordered.extend(v6.drain(..take.min(v6.len())));
        ordered.extend(v4.pop_front());
    }
    let preferences = (0..=u16::MAX).rev();
    ordered
        .into_iter()
        .zip(preferences)
        .map(|((address, scope), preference)| Host {
            address,
            scope,
            preference,
        })
        .collect()
}

/// Addresses of one machine that are used at most: container hosts have hundreds.
const MAX_HOSTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces(addresses: &[&str]) -> Vec<Interface> {
        addresses
            .iter()
            .enumerate()
            .map(|(at, address)| Interface {
                name: format!("eth{at}"),
                index: u32::try_from(at).unwrap() + 1,
                address: address.parse().unwrap(),
            })
            .collect()
    }

    fn chosen(addresses: &[&str], config: &Config) -> Vec<String> {
        let hosts = usable(&interfaces(addresses), config);
        hosts.iter().map(|host| host.address.to_string()).collect()
    }

    #[test]
    fn loopback_and_link_local_are_left_out() {
        let all = [
            "127.0.0.1",
            "::1",
            "10.0.0.1",
            "fe80::1",
            "169.254.1.1",
            "2001:db8::1",
        ];
        let config = Config::default();
        assert_eq!(chosen(&all, &config), ["2001:db8::1", "10.0.0.1"]);
        assert_eq!(chosen(&all, &config.clone().loopback(true)).len(), 4);
        assert_eq!(chosen(&all, &config.clone().link_local(true)).len(), 4);
        assert_eq!(chosen(&all, &config.clone().ipv6(false)), ["10.0.0.1"]);
        assert_eq!(chosen(&all, &config.ipv4(false)), ["2001:db8::1"]);
    }

    #[test]
    fn they_are_gathered_when_nothing_else_exists() {
        let config = Config::default();
        assert_eq!(chosen(&["127.0.0.1", "::1"], &config), ["::1", "127.0.0.1"]);
        assert_eq!(
            chosen(&["127.0.0.1", "169.254.0.9"], &config),
            ["169.254.0.9", "127.0.0.1"]
        );
        assert!(chosen(&["0.0.0.0", "224.0.0.1"], &config).is_empty());
    }

    #[test]
    fn families_take_turns() {
        let config = Config::default();
        let all = [
            "10.0.0.1",
            "10.0.0.2",
            "2001:db8::1",
            "2001:db8::2",
            "2001:db8::3",
        ];
        let expected = [
            "2001:db8::1",
            "2001:db8::2",
            "10.0.0.1",
            "2001:db8::3",
            "10.0.0.2",
        ];
        assert_eq!(chosen(&all, &config), expected);
        assert_eq!(chosen(&["10.0.0.1", "10.0.0.1"], &config), ["10.0.0.1"]);
        let hosts = usable(&interfaces(&all), &config);
        assert_eq!(hosts[0].preference, u16::MAX);
        assert!(
            hosts
                .windows(2)
                .all(|pair| pair[0].preference > pair[1].preference)
        );
    }

    #[test]
    fn only_so_many_addresses_are_used() {
        let many: Vec<String> = (0..250).map(|n| format!("10.0.0.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(chosen(&many, &Config::default()).len(), MAX_HOSTS);
    }

    #[test]
    fn a_link_local_socket_keeps_its_scope() {
        let mut gatherer = Gatherer::default();
        gatherer.set_interfaces(&interfaces(&["fe80::1"]));
        assert!(gatherer.plan(&Config::default()).is_empty());
        let Some(Request::Bind { id, scope: 1, .. }) = gatherer.poll_request() else {
            panic!("no request");
        };
        let bound = "[::]:4000".parse().unwrap();
        let Answer::Bound(local) = gatherer.handle_response(id, Some(bound)) else {
            panic!("not bound");
        };
        assert_eq!(local.base, "[fe80::1%1]:4000".parse().unwrap());
    }
}
