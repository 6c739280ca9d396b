//! Gathering: which addresses become candidates, with which preference, and the sockets beneath.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use crate::{
    Address, Candidate, CandidateKind, Config, Interface, Path, Protocol, Request, RequestId,
    TcpType, TransportPolicy,
    base::{Base, BaseId, Bases, Host, PairKey, RelayId, Via},
    candidate::{DISCARD, is_link_local, normalized, priority, tcp_preference, tcp_priority},
    external::Externals,
    generation::{Local, LocalSide},
    hosts::usable,
    relay::{Relay, Stage},
    source::{MAX_SOURCES, Missing, Sources},
};

/// What is known of this machine's addresses, the bases on them, and what was asked about them.
#[derive(Default)]
pub(crate) struct Gatherer {
    interfaces: Option<Vec<Interface>>,
    pub(crate) bases: Bases,
    pending: Vec<(RequestId, Host)>,
    /// Sockets that wait for the name of their address.
    nameless: Vec<(RequestId, Host, SocketAddr)>,
    /// Addresses at which streams are to be accepted.
    listening: Vec<(RequestId, Host)>,
    /// What is shown in the place of addresses of this machine.
    names: BTreeMap<IpAddr, String>,
    requests: VecDeque<Request>,
    /// Streams that nobody wants any more, and that are still being opened: to where.
    late: Vec<(RequestId, SocketAddr)>,
    next_id: u64,
    pub(crate) sources: Sources,
    /// What stands for addresses outside.
    externals: Externals,
    /// What has made a foundation so far.
    foundations: Vec<(CandidateKind, IpAddr, SocketAddr)>,
}

/// What a response to a request brought.
pub(crate) enum Answer {
    /// A base.
    Bound(BaseId),
    /// A socket or stream for an allocation, or none.
    Relay(RelayId, Option<SocketAddr>),
    /// A stream of a pair, or none.
    Stream(PairKey, Option<SocketAddr>),
    /// A socket, whose address is to have a name first.
    Nameless,
    /// No socket.
    Refused,
    /// Nothing was asked.
    Unasked,
}

impl Gatherer {
    pub(crate) fn new(externals: Externals) -> Self {
        Self {
            externals,
            ..Self::default()
        }
    }

    /// Takes all addresses of this machine, and ends the bases of those that are gone.
    pub(crate) fn set_interfaces(&mut self, interfaces: &[Interface]) -> Vec<Base> {
        self.interfaces = Some(interfaces.to_vec());
        let costly = interfaces.iter().filter(|it| it.cost > 0);
        let costs = costly.map(|it| (it.address.to_canonical(), it.cost));
        self.bases.costs = costs.collect();
        self.cancel(|address| is_there(interfaces, address));
        let lost = self.sources.relays.iter();
        let lost = lost.filter(|relay| !is_there(interfaces, relay.from.address));
        let lost: Vec<RelayId> = lost.map(|relay| relay.id).collect();
        let gone = self.bases.retain(|base| match base.via {
            Via::Relay(relay, _) => !lost.contains(&relay),
            Via::Socket | Via::Active | Via::Passive => is_there(interfaces, base.address.ip()),
        });
        self.close_all(&gone);
        for id in lost {
            self.drop_relay(id);
        }
        gone
    }

    /// Whether everything that this side wants has come or failed.
    pub(crate) fn is_done(&self, now: Instant, side: &LocalSide) -> bool {
        if self.interfaces.is_none() {
            // Without servers there is nothing that a relay could be asked for.
            return side.policy == TransportPolicy::Relay && side.servers.is_empty();
        }
        let mut asked = self.asked();
        !asked.any(|host| side.binds(host.address))
            && !self.sources.is_under_way(now, &side.servers)
            && self.missing(side).is_none()
    }

    /// What servers are still to be asked for this side.
    pub(crate) fn missing(&self, side: &LocalSide) -> Option<Missing> {
        let far = |ip: IpAddr| !is_link_local(ip);
        let bases: Vec<Base> = self
            .bases
            .iter()
            .filter(|base| {
                let ip = base.address.ip();
                base.via == Via::Socket && side.binds(ip) && far(ip)
            })
            .copied()
            .collect();
        let hosts = side.wanted.iter().filter(|host| far(host.address));
        let hosts: Vec<Host> = hosts.copied().collect();
        let unknown = side.servers.iter().take(MAX_SOURCES);
        if unknown.into_iter().any(|it| self.sources.of(it).is_none()) {
            // It is looked up first.
            return None;
        }
        self.sources.missing(&side.servers, &bases, &hosts)
    }

    /// The addresses are known and their sockets there, so that servers can be asked.
    pub(crate) fn is_ready(&self) -> bool {
        self.interfaces.is_some() && self.asked().next().is_none()
    }

    /// The addresses whose sockets, or names, are waited for.
    fn asked(&self) -> impl Iterator<Item = &Host> {
        let nameless = self.nameless.iter().map(|(_, host, _)| host);
        let listening = self.listening.iter().map(|(_, host)| host);
        let pending = self.pending.iter().map(|(_, host)| host);
        pending.chain(nameless).chain(listening)
    }

    /// Whether a socket is waited for.
    pub(crate) fn is_opening(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(crate) fn request_id(&mut self) -> RequestId {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        id
    }

    pub(crate) fn ask(&mut self, request: Request) {
        self.requests.push_back(request);
    }

    /// RFC 8445 §5.1.1.3: the foundation of what a server gave for this address.
    pub(crate) fn foundation(
        &mut self,
        kind: CandidateKind,
        base: IpAddr,
        server: SocketAddr,
    ) -> String {
        let known = self
            .foundations
            .iter()
            .position(|it| *it == (kind, base, server));
        let at = known.unwrap_or(self.foundations.len());
        if known.is_none() {
            self.foundations.push((kind, base, server));
        }
        // Those of hosts are the numbers below.
        (at + usize::from(u16::MAX) + 2).to_string()
    }

    /// Lets an allocation go, with its socket; nothing is sent any more.
    pub(crate) fn drop_relay(&mut self, id: RelayId) -> Vec<Base> {
        let relays = &mut self.sources.relays;
        let Some(at) = relays.iter().position(|relay| relay.id == id) else {
            return Vec::new();
        };
        let relay = relays.swap_remove(at);
        self.late.extend(relay.opening());
        self.close_socket(&relay);
        self.bases.retain(|base| !relay.bases.contains(&base.id))
    }

    pub(crate) fn close_socket(&mut self, relay: &Relay) {
        if let Some(path) = relay.path() {
            self.close_path(path);
        }
    }

    /// Closes the socket or the stream of an allocation.
    pub(crate) fn close_path(&mut self, path: Path) {
        self.requests.push_back(match path.protocol {
            Protocol::Udp => Request::Close { local: path.local },
            Protocol::Tcp => Request::Disconnect { path },
        });
    }

    /// Works out which addresses a side uses in addition to those in use, asks for the sockets that are
    /// missing and gives the bases that are there already.
    pub(crate) fn plan(&mut self, side: &mut LocalSide, config: &Config) -> Vec<BaseId> {
        let Some(interfaces) = &self.interfaces else {
            return Vec::new();
        };
        side.wanted
            .retain(|host| is_there(interfaces, host.address));
        let mut new = usable(interfaces, config);
        new.retain(|host| !side.wants(host.address));
        // RFC 8445 §5.1.2: no two candidates have the same priority.
        for host in &mut new {
            host.preference = host.preference.saturating_sub(side.ranked);
        }
        side.ranked = side
            .ranked
            .saturating_add(u16::try_from(new.len()).unwrap_or(u16::MAX));
        side.wanted.extend_from_slice(&new);
        let mut ready = Vec::new();
        if side.policy == TransportPolicy::Relay {
            // Allocations are asked for from these addresses, and nothing else is.
            return ready;
        }
        for host in new {
            let at = |base: &&Base| {
                self.bases.relay(base.id).is_none() && base.address.ip() == host.address
            };
            let bound: Vec<BaseId> = self.bases.iter().filter(at).map(|it| it.id).collect();
            if !bound.is_empty() {
                ready.extend(bound);
            } else if !self.asked().any(|other| other.address == host.address) {
                let id = RequestId(self.next_id);
                self.next_id += 1;
                self.pending.push((id, host));
                self.requests.push_back(Request::Bind {
                    id,
                    address: host.address,
                    scope: host.scope,
                    own: false,
                });
            }
        }
        ready
    }

    /// With `hide`, an address is not used before it has a name.
    pub(crate) fn handle_response(
        &mut self,
        id: RequestId,
        result: Option<SocketAddr>,
        hide: bool,
    ) -> Answer {
        let mut relays = self.sources.relays.iter();
        let opening = |relay: &&Relay| matches!(&relay.stage, Stage::Opening(of, _) if *of == id);
        if let Some(relay) = relays.find(opening) {
            let local = result.filter(|local| local.port() != 0).map(normalized);
            return Answer::Relay(relay.id, local);
        }
        if let Some(key) = self.bases.streams.answer(id, result.map(normalized)) {
            return Answer::Stream(key, result);
        }
        let listening = self.listening.iter().position(|(of, _)| *of == id);
        if let Some((_, host)) = listening.map(|at| self.listening.swap_remove(at)) {
            let Some(bound) = result.filter(|bound| bound.port() != 0) else {
                return Answer::Refused;
            };
            let local = at_address(normalized(bound), host);
            // The address may be gone meanwhile.
            if !self.opens_at(host.address) {
                self.ask(Request::Unlisten { local: bound });
                return Answer::Unasked;
            }
            return Answer::Bound(self.bases.add(local, Via::Passive));
        }
        let Some(at) = self.pending.iter().position(|(pending, _)| *pending == id) else {
            let late = self.late.iter().position(|(of, _)| *of == id);
            let late = late.map(|at| self.late.swap_remove(at));
            if let Some(local) = result {
                // The numbers of UDP and of TCP are apart: a socket may have the same.
                self.close_path(Path {
                    local,
                    remote: late.map_or(local, |(_, to)| to),
                    protocol: late.map_or(Protocol::Udp, |_| Protocol::Tcp),
                });
            }
            return Answer::Unasked;
        };
        let (_, host) = self.pending.swap_remove(at);
        let Some(bound) = result.filter(|bound| bound.port() != 0) else {
            return Answer::Refused;
        };
        let base = at_address(normalized(bound), host);
        let named = self.names.contains_key(&host.address) || self.externals.of(base).is_some();
        if hide && !named {
            let id = self.request_id();
            self.nameless.push((id, host, base));
            self.ask(Request::Publish {
                id,
                address: host.address,
            });
            return Answer::Nameless;
        }
        Answer::Bound(self.bases.add(base, Via::Socket))
    }

    /// The name of an address has come, or none has.
    pub(crate) fn handle_name(&mut self, id: RequestId, result: Option<String>) -> Answer {
        let place = self.nameless.iter().position(|(of, ..)| *of == id);
        let Some((_, host, base)) = place.map(|at| self.nameless.swap_remove(at)) else {
            return Answer::Unasked;
        };
        let Some(name) = result else {
            self.ask(Request::Close { local: base });
            return Answer::Refused;
        };
        self.names.insert(host.address, name);
        Answer::Bound(self.bases.add(base, Via::Socket))
    }

    /// Asks for streams to be accepted at the address of this socket; the base from which they are opened, if it is new.
    pub(crate) fn open_tcp(&mut self, socket: SocketAddr) -> Option<BaseId> {
        let ip = socket.ip();
        if self.opens_at(ip) {
            return None;
        }
        let scope = match socket {
            SocketAddr::V6(v6) => v6.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        let id = self.request_id();
        let host = Host {
            address: ip,
            scope,
            preference: 0,
        };
        self.listening.push((id, host));
        self.ask(Request::Listen {
            id,
            address: ip,
            scope,
        });
        let mut from = socket;
        from.set_port(DISCARD);
        Some(self.bases.add(from, Via::Active))
    }

    /// Asks for a socket that nobody else has, at the address of this base, unless there is one.
    pub(crate) fn bind_own(&mut self, id: BaseId) {
        let Some(shared) = self.bases.get(id).copied() else {
            return;
        };
        let address = shared.address.ip();
        let other =
            |it: &Base| it.via == Via::Socket && it.address.ip() == address && it.id != shared.id;
        if self.bases.iter().any(other) || self.asked().any(|host| host.address == address) {
            return;
        }
        let scope = match shared.address {
            SocketAddr::V6(v6) => v6.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        let id = self.request_id();
        let host = Host {
            address,
            scope,
            preference: 0,
        };
        self.pending.push((id, host));
        self.ask(Request::Bind {
            id,
            address,
            scope,
            own: true,
        });
    }

    /// Whether streams are opened from this address.
    fn opens_at(&self, ip: IpAddr) -> bool {
        let opens = |base: &Base| base.via == Via::Active && base.address.ip() == ip;
        self.bases.iter().any(opens)
    }

    /// Asks for the stream of a pair, if it is one that wants one and is not asked for.
    pub(crate) fn open_stream(&mut self, now: Instant, key: PairKey) {
        let base = self.bases.get(key.base).copied();
        let streams = &self.bases.streams;
        let wanted = base.filter(|it| it.via == Via::Active && !streams.has(key));
        let Some(base) = wanted.filter(|_| streams.has_room()) else {
            return;
        };
        let id = self.request_id();
        self.bases.streams.open(now, id, key);
        let scope = match base.address {
            SocketAddr::V6(v6) => v6.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        self.ask(Request::Connect {
            id,
            from: base.address.ip(),
            scope,
            to: key.remote,
            tls: None,
        });
    }

    /// What a candidate shows of a base of this machine, and its port.
    pub(crate) fn shown(&self, base: SocketAddr) -> (Address, u16) {
        let at = self.externals.of(base).unwrap_or(base);
        let name = self.names.get(&at.ip()).cloned();
        (name.map_or(Address::Ip(at.ip()), Address::Name), at.port())
    }

    /// Whether the peer is told another address in the place of this one.
    pub(crate) fn is_external(&self, base: SocketAddr) -> bool {
        self.externals.of(base).is_some()
    }

    pub(crate) fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }

    /// Ends the bases for which `used` does not hold, and closes their sockets.
    pub(crate) fn close_unused(&mut self, used: impl Fn(&Base) -> bool) {
        let unused = self.bases.retain(|base| used(base));
        self.close_all(&unused);
    }

    /// Closes everything; what is still asked for is closed when it comes.
    pub(crate) fn close(&mut self) {
        self.pending.clear();
        self.requests.retain(|it| it.ends());
        self.cancel(|_| false);
        for relay in std::mem::take(&mut self.sources).relays {
            self.late.extend(relay.opening());
            self.close_socket(&relay);
        }
        self.close_unused(|_| false);
    }

    /// Takes back what was asked for addresses for which `wanted` does not hold.
    pub(crate) fn cancel(&mut self, wanted: impl Fn(IpAddr) -> bool) {
        self.pending.retain(|(_, host)| wanted(host.address));
        let given_up = self
            .nameless
            .extract_if(.., |(_, host, _)| !wanted(host.address));
        let closed = given_up.map(|(.., local)| Request::Close { local });
        self.requests.extend(closed);
    }

    fn close_all(&mut self, bases: &[Base]) {
        let sources = &mut self.sources;
        sources
            .probes
            .retain(|probe| !bases.iter().any(|base| base.id == probe.base));
        let ids: Vec<BaseId> = bases.iter().map(|base| base.id).collect();
        self.late.extend(self.bases.streams.opening(&ids));
        let streams = self.bases.streams.end(|it| it.is_of(&ids));
        let streams = streams.into_iter();
        let requests = bases.iter().filter_map(|base| {
            let local = base.address;
            match base.via {
                Via::Socket => Some(Request::Close { local }),
                Via::Passive => Some(Request::Unlisten { local }),
                Via::Active | Via::Relay(..) => None,
            }
        });
        self.requests.extend(requests);
        self.requests
            .extend(streams.map(|path| Request::Disconnect { path }));
    }
}

impl LocalSide {
    pub(crate) fn wants(&self, address: IpAddr) -> bool {
        self.wanted.iter().any(|host| host.address == address)
    }

    /// Whether it has a host candidate on this address, or is to have one.
    pub(crate) fn binds(&self, address: IpAddr) -> bool {
        self.policy == TransportPolicy::All && self.wants(address)
    }

    /// Whether candidates of this kind may be used.
    pub(crate) fn may_use(&self, kind: CandidateKind) -> bool {
        self.policy == TransportPolicy::All || kind == CandidateKind::Relayed
    }

    /// The candidate that a base becomes for this side; `told` unless gathering is over.
    pub(crate) fn candidate(&self, base: &Base, told: bool) -> Option<Local> {
        let address = base.address;
        let host = self
            .wanted
            .iter()
            .find(|host| host.address == address.ip() && self.may_use(CandidateKind::Host))?;
        let tcp_type = match base.via {
            Via::Active => Some(TcpType::Active),
            Via::Passive => Some(TcpType::Passive),
            Via::Socket | Via::Relay(..) => None,
        };
        let kind = CandidateKind::Host;
        let (preference, priority) = match tcp_type {
            None => (host.preference, priority(kind, host.preference)),
            Some(tcp) => {
                let preference = tcp_preference(tcp, host.preference);
                (preference, tcp_priority(preference))
            }
        };
        Some(Local {
            candidate: Candidate {
                foundation: foundation(host.preference, tcp_type),
                component: 1,
                protocol: match tcp_type {
                    None => Protocol::Udp,
                    Some(_) => Protocol::Tcp,
                },
                tcp_type,
                priority,
                address: Address::Ip(address.ip()),
                port: address.port(),
                kind,
                related: None,
                network_cost: 0,
            },
            base: base.id,
            preference,
            told,
        })
    }
}

/// What a socket is bound to, as the address of this host.
fn at_address(mut bound: SocketAddr, host: Host) -> SocketAddr {
    // A shared socket may stand on the wildcard address: datagrams are told apart by interface.
    if bound.ip().is_unspecified() || bound.ip() != host.address {
        bound.set_ip(host.address);
    }
    if let SocketAddr::V6(v6) = &mut bound
        && is_link_local(host.address)
        && v6.scope_id() == 0
    {
        v6.set_scope_id(host.scope);
    }
    bound
}

fn is_there(interfaces: &[Interface], address: IpAddr) -> bool {
    let mut addresses = interfaces.iter().map(|it| it.address.to_canonical());
    addresses.any(|other| other == address)
}

/// RFC 8445 §5.1.1.3: kind, base address, protocol and server make a foundation. Each address has a
/// preference of its own, which stands for it without giving it away.
fn foundation(preference: u16, tcp: Option<TcpType>) -> String {
    let number = u32::from(u16::MAX - preference) + 1;
    match tcp {
        None => number.to_string(),
        Some(TcpType::Active) => format!("a{number}"),
        Some(_) => format!("p{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credentials, credentials::Keys, generation::SideId, hosts::MAX_HOSTS};

    fn interfaces(addresses: &[&str]) -> Vec<Interface> {
        addresses
            .iter()
            .enumerate()
            .map(|(at, address)| Interface {
                name: format!("eth{at}"),
                index: u32::try_from(at).unwrap() + 1,
                address: address.parse().unwrap(),
                default_route: true,
                cost: 0,
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
        let now = oxirtc_netsim::epoch();
        let credentials = Credentials::new("fragment", "a".repeat(22));
        let keys = Keys::new(credentials).unwrap();
        let mut side = LocalSide::new(SideId(1), keys, (TransportPolicy::All, [].into()), now);
        let mut gatherer = Gatherer::default();
        gatherer.set_interfaces(&interfaces(&["fe80::1"]));
        assert!(gatherer.plan(&mut side, &Config::default()).is_empty());
        let Some(Request::Bind { id, scope: 1, .. }) = gatherer.poll_request() else {
            panic!("no request");
        };
        assert!(!gatherer.is_done(now, &side));
        let bound = "[::]:4000".parse().unwrap();
        let Answer::Bound(base) = gatherer.handle_response(id, Some(bound), false) else {
            panic!("not bound");
        };
        let base = gatherer.bases.get(base).unwrap();
        assert_eq!(base.address, "[fe80::1%1]:4000".parse().unwrap());
        assert!(gatherer.is_done(now, &side));
    }

    #[test]
    fn who_listens_too_late_stops() {
        let mut gatherer = Gatherer::default();
        gatherer.open_tcp("10.0.0.1:4000".parse().unwrap()).unwrap();
        let Some(Request::Listen { id, .. }) = gatherer.poll_request() else {
            panic!("nobody listens");
        };
        gatherer.close();
        let local = "10.0.0.1:5000".parse().unwrap();
        let answer = gatherer.handle_response(id, Some(local), false);
        assert!(matches!(answer, Answer::Unasked));
        let requests: Vec<_> = std::iter::from_fn(|| gatherer.poll_request()).collect();
        assert_eq!(requests, [Request::Unlisten { local }]);
        assert_eq!(gatherer.bases.iter().count(), 0);
    }
}
