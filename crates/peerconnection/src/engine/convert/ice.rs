//! ice, sdp and the application.

use oxirtc_ice as ice;
use oxirtc_jsep as jsep;
use oxirtc_sdp as sdp;

use crate::{
    Configuration, IceCandidate, IceCandidateInit, IceGatheringState, IceRole,
    IceServerTransportProtocol, IceTransportPolicy, IceTransportState, Interface, IpHandling, Path,
    Protocol, Request, RequestId, Settings,
    configuration::{Secret, Server, Service},
    engine::transport::IceCandidatePair,
    label::Label,
};

pub(in crate::engine) fn path(path: ice::Path) -> Path {
    let protocol = match path.protocol {
        ice::Protocol::Udp => Protocol::Udp,
        ice::Protocol::Tcp => Protocol::Tcp,
    };
    Path {
        local: path.local,
        remote: path.remote,
        protocol,
    }
}

pub(in crate::engine) fn ice_path(path: Path) -> ice::Path {
    let protocol = match path.protocol {
        Protocol::Udp => ice::Protocol::Udp,
        Protocol::Tcp => ice::Protocol::Tcp,
    };
    ice::Path {
        local: path.local,
        remote: path.remote,
        protocol,
    }
}

pub(in crate::engine) fn interfaces(interfaces: &[Interface]) -> Vec<ice::Interface> {
    let converted = interfaces.iter().map(|it| ice::Interface {
        name: it.name.clone(),
        index: it.index,
        address: it.address,
        default_route: it.default_route,
        cost: it.cost,
    });
    converted.collect()
}

fn ip_handling(mode: IpHandling) -> ice::IpHandling {
    match mode {
        IpHandling::EnumerateAll => ice::IpHandling::EnumerateAll,
        IpHandling::DefaultRouteAndLocal => ice::IpHandling::DefaultRouteAndLocal,
        IpHandling::DefaultRouteOnly => ice::IpHandling::DefaultRouteOnly,
        IpHandling::ForceProxy => ice::IpHandling::ForceProxy,
    }
}

pub(in crate::engine) fn ice_config(settings: &Settings, label: Label) -> ice::Config {
    let externals = settings.networks.externals.iter();
    let config = externals.fold(ice::Config::default(), |config, (internal, external)| {
        config.external_address(*internal, *external)
    });
    config
        .label(&label.to_string())
        .loopback(settings.loopback)
        .link_local(settings.link_local)
        .ipv4(settings.ipv4)
        .ipv6(settings.ipv6)
        .hide_addresses(settings.hide_addresses)
        .ip_handling(ip_handling(settings.networks.ip_handling))
        .continual(settings.networks.continual)
        .lite(settings.ice_lite)
        .renomination(settings.ice_renomination)
        .tcp(settings.ice_tcp)
}

pub(in crate::engine) fn relay_protocol(
    protocol: ice::RelayProtocol,
) -> IceServerTransportProtocol {
    match protocol {
        ice::RelayProtocol::Udp => IceServerTransportProtocol::Udp,
        ice::RelayProtocol::Tcp => IceServerTransportProtocol::Tcp,
        ice::RelayProtocol::Tls => IceServerTransportProtocol::Tls,
    }
}

/// Who asks a server; a STUN server asks nobody.
fn relay_credentials(username: String, secret: Option<Secret>) -> ice::RelayCredentials {
    match secret {
        Some(Secret::Token {
            mac_key,
            access_token,
        }) => ice::RelayCredentials::Token {
            key_id: username,
            mac_key,
            access_token,
        },
        Some(Secret::Password(password)) => ice::RelayCredentials::LongTerm { username, password },
        None => ice::RelayCredentials::LongTerm {
            username,
            password: String::new().into(),
        },
    }
}

/// The servers of a configuration that was checked.
pub(in crate::engine) fn servers(configuration: &Configuration) -> Vec<ice::Server> {
    let server = |it: Server| {
        let kind = match it.service {
            Service::Stun => ice::ServerKind::Stun,
            Service::Turn(protocol) => ice::ServerKind::Turn {
                protocol: match protocol {
                    IceServerTransportProtocol::Udp => ice::RelayProtocol::Udp,
                    IceServerTransportProtocol::Tcp => ice::RelayProtocol::Tcp,
                    IceServerTransportProtocol::Tls => ice::RelayProtocol::Tls,
                },
                credentials: relay_credentials(it.username, it.secret),
            },
        };
        let host = match it.host.parse() {
            Ok(ip) => ice::Address::Ip(ip),
            Err(_) => ice::Address::Name(it.host),
        };
        ice::Server {
            url: it.url,
            host,
            port: it.port,
            kind,
        }
    };
    configuration.servers().into_iter().map(server).collect()
}

/// What an agent asks for; `name` gives its number outside.
pub(in crate::engine) fn request(
    request: ice::Request,
    name: impl FnOnce(ice::RequestId) -> RequestId,
) -> Option<Request> {
    Some(match request {
        ice::Request::Bind {
            id,
            address,
            scope,
            own,
        } => Request::Bind {
            id: name(id),
            address,
            scope,
            own,
        },
        ice::Request::Listen { id, address, scope } => Request::Listen {
            id: name(id),
            address,
            scope,
        },
        ice::Request::Unlisten { local } => Request::Unlisten { local },
        ice::Request::Connect {
            id,
            from,
            scope,
            to,
            tls,
        } => Request::Connect {
            id: name(id),
            from,
            scope,
            to,
            tls,
        },
        ice::Request::Resolve { id, name: host } => Request::Resolve {
            id: name(id),
            name: host,
        },
        ice::Request::Publish { id, address } => Request::Publish {
            id: name(id),
            address,
        },
        ice::Request::Close { local } => Request::Close { local },
        ice::Request::Disconnect { path: of } => Request::Disconnect { path: path(of) },
        _ => return None,
    })
}

pub(in crate::engine) fn credentials(credentials: &jsep::Credentials) -> ice::Credentials {
    ice::Credentials::new(credentials.ufrag.clone(), credentials.password.clone())
}

pub(in crate::engine) fn transport_policy(policy: IceTransportPolicy) -> ice::TransportPolicy {
    match policy {
        IceTransportPolicy::All => ice::TransportPolicy::All,
        IceTransportPolicy::Relay => ice::TransportPolicy::Relay,
    }
}

pub(in crate::engine) fn ice_role(role: jsep::IceRole) -> ice::Role {
    match role {
        jsep::IceRole::Controlling => ice::Role::Controlling,
        jsep::IceRole::Controlled => ice::Role::Controlled,
    }
}

pub(in crate::engine) fn shown_role(role: ice::Role) -> IceRole {
    match role {
        ice::Role::Controlling => IceRole::Controlling,
        ice::Role::Controlled => IceRole::Controlled,
    }
}

pub(in crate::engine) fn ice_state(state: ice::State) -> IceTransportState {
    match state {
        ice::State::New => IceTransportState::New,
        ice::State::Checking => IceTransportState::Checking,
        ice::State::Connected => IceTransportState::Connected,
        ice::State::Completed => IceTransportState::Completed,
        ice::State::Disconnected => IceTransportState::Disconnected,
        ice::State::Failed => IceTransportState::Failed,
        ice::State::Closed => IceTransportState::Closed,
    }
}

pub(in crate::engine) fn gathering_state(state: ice::GatheringState) -> IceGatheringState {
    match state {
        ice::GatheringState::New => IceGatheringState::New,
        ice::GatheringState::Gathering => IceGatheringState::Gathering,
        ice::GatheringState::Complete => IceGatheringState::Complete,
    }
}

/// A candidate of ours as a line, with the ufrag by which a peer tells generations apart.
pub(in crate::engine) fn local_candidate(
    candidate: &ice::Candidate,
    ufrag: &str,
) -> sdp::Candidate {
    let mut line = line_of(candidate);
    line.extensions.push(("ufrag".to_owned(), ufrag.to_owned()));
    line
}

fn line_of(candidate: &ice::Candidate) -> sdp::Candidate {
    let cost = Some(candidate.network_cost).filter(|cost| *cost > 0);
    let cost = cost.map(|cost| (NETWORK_COST.to_owned(), cost.to_string()));
    let extensions = cost.into_iter().collect();
    sdp::Candidate {
        foundation: candidate.foundation.clone(),
        component: candidate.component,
        transport: match candidate.protocol {
            ice::Protocol::Udp => sdp::Transport::Udp,
            ice::Protocol::Tcp => sdp::Transport::Tcp,
        },
        priority: candidate.priority,
        address: match &candidate.address {
            ice::Address::Ip(ip) => sdp::Address::Ip(*ip),
            ice::Address::Name(name) => sdp::Address::Name(name.clone()),
        },
        port: candidate.port,
        kind: match candidate.kind {
            ice::CandidateKind::Host => sdp::CandidateKind::Host,
            ice::CandidateKind::ServerReflexive => sdp::CandidateKind::ServerReflexive,
            ice::CandidateKind::PeerReflexive => sdp::CandidateKind::PeerReflexive,
            ice::CandidateKind::Relayed => sdp::CandidateKind::Relayed,
        },
        related: candidate
            .related
            .map(|it| (sdp::Address::Ip(it.ip()), it.port())),
        tcp_type: candidate.tcp_type.map(|it| match it {
            ice::TcpType::Active => sdp::TcpType::Active,
            ice::TcpType::Passive => sdp::TcpType::Passive,
            ice::TcpType::SimultaneousOpen => sdp::TcpType::SimultaneousOpen,
        }),
        extensions,
    }
}

/// A candidate of the peer for the agent; `None` when it may not be checked ([4.4.2-48]): ports that
/// the Fetch standard blocks, and names when only relays may be used.
pub(in crate::engine) fn remote_candidate(
    candidate: &sdp::Candidate,
    relay_only: bool,
) -> Option<ice::Candidate> {
    if BLOCKED_PORTS.binary_search(&candidate.port).is_ok() {
        return None;
    }
    let protocol = match candidate.transport {
        sdp::Transport::Udp => ice::Protocol::Udp,
        sdp::Transport::Tcp => ice::Protocol::Tcp,
        _ => return None,
    };
    let kind = match candidate.kind {
        sdp::CandidateKind::Host => ice::CandidateKind::Host,
        sdp::CandidateKind::ServerReflexive => ice::CandidateKind::ServerReflexive,
        sdp::CandidateKind::PeerReflexive => ice::CandidateKind::PeerReflexive,
        sdp::CandidateKind::Relayed => ice::CandidateKind::Relayed,
        _ => return None,
    };
    let address = match &candidate.address {
        sdp::Address::Ip(ip) => ice::Address::Ip(*ip),
        sdp::Address::Name(_) if relay_only => return None,
        sdp::Address::Name(name) => ice::Address::Name(name.clone()),
        sdp::Address::Other(_) => return None,
    };
    let related = match &candidate.related {
        Some((sdp::Address::Ip(ip), port)) => Some((*ip, *port).into()),
        _ => None,
    };
    Some(ice::Candidate {
        foundation: candidate.foundation.clone(),
        component: candidate.component,
        protocol,
        tcp_type: candidate.tcp_type.map(|it| match it {
            sdp::TcpType::Active => ice::TcpType::Active,
            sdp::TcpType::Passive => ice::TcpType::Passive,
            sdp::TcpType::SimultaneousOpen => ice::TcpType::SimultaneousOpen,
        }),
        priority: candidate.priority,
        address,
        port: candidate.port,
        kind,
        related,
        network_cost: network_cost(candidate),
    })
}

/// What the peer says that sending costs at its end; 0 when it says nothing that can be read.
fn network_cost(candidate: &sdp::Candidate) -> u16 {
    let mut extensions = candidate.extensions.iter();
    let cost = extensions.find(|(name, _)| name == NETWORK_COST);
    cost.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

/// A pair as it is shown, where `told` are the candidates of both ends that were told: one of them is shown as it was.
pub(in crate::engine) fn shown_pair(
    pair: &ice::Pair,
    told: (&[IceCandidate], &[IceCandidate]),
) -> IceCandidatePair {
    let shown = |candidate: String, ufrag: &str| {
        IceCandidate::read(IceCandidateInit {
            candidate,
            username_fragment: Some(ufrag.to_owned()),
            ..IceCandidateInit::default()
        })
    };
    let line = local_candidate(&pair.local, &pair.local_ufrag).to_string();
    let local = told.0.iter().find(|it| it.candidate() == line).cloned();
    let is_remote = |it: &&IceCandidate| {
        let candidate = it.line().and_then(|line| remote_candidate(line, false));
        it.username_fragment() == Some(&pair.remote_ufrag)
            && candidate.as_ref() == Some(&pair.remote)
    };
    let remote = told.1.iter().find(is_remote).cloned();
    // [4.8.1-06]: the address of a peer-reflexive candidate was not told by the application.
    let remote = match (remote, pair.remote_told) {
        (Some(known), true) => known,
        (None, true) => shown(line_of(&pair.remote).to_string(), &pair.remote_ufrag),
        (_, false) => IceCandidate::untold(line_of(&pair.remote), &pair.remote_ufrag),
    };
    let local = match (local, pair.local_hidden) {
        (Some(known), _) => known,
        (None, false) => shown(line_of(&pair.local).to_string(), &pair.local_ufrag),
        (None, true) => IceCandidate::untold(line_of(&pair.local), &pair.local_ufrag),
    };
    IceCandidatePair { local, remote }
}

/// As libwebrtc names it.
const NETWORK_COST: &str = "network-cost";
/// The "bad ports" of the Fetch standard (§2.9), in order.
const BLOCKED_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(line: &str) -> sdp::Candidate {
        sdp::Candidate::parse(line).unwrap()
    }

    /// What a network costs is read and written as libwebrtc does, and of the rest nothing is made.
    #[test]
    fn costs_of_networks_are_read_and_written() {
        let line = "candidate:1 1 udp 5 192.0.2.1 4000 typ host";
        for (extensions, cost) in [
            ("", 0),
            (" generation 0 network-id 3 network-cost 10", 10),
            (" network-cost 65536", 0),
            (" network-cost -1", 0),
        ] {
            let read = candidate(&format!("{line}{extensions}"));
            let converted = remote_candidate(&read, false).unwrap();
            assert_eq!(converted.network_cost, cost);
            let written = line_of(&converted).to_string();
            assert_eq!(written.contains(" network-cost 10"), cost > 0, "{written}");
            assert_eq!(written.contains("network-cost"), cost > 0);
        }
    }

    /// Each mode of RFC 8828 is its own.
    #[test]
    fn modes_keep_their_names() {
        for mode in [
            IpHandling::EnumerateAll,
            IpHandling::DefaultRouteAndLocal,
            IpHandling::DefaultRouteOnly,
            IpHandling::ForceProxy,
        ] {
            let converted = ip_handling(mode);
            assert_eq!(format!("{converted:?}"), format!("{mode:?}"));
        }
    }

    /// [5.6.4-01] [5.6.5-01] Each state and role has the name that it has there.
    #[test]
    fn states_keep_their_names() {
        use ice::State as S;
        let states = [
            S::New,
            S::Checking,
            S::Connected,
            S::Completed,
            S::Disconnected,
            S::Failed,
            S::Closed,
        ];
        for state in states {
            assert_eq!(format!("{:?}", ice_state(state)), format!("{state:?}"));
        }
        for role in [ice::Role::Controlling, ice::Role::Controlled] {
            assert_eq!(format!("{:?}", shown_role(role)), format!("{role:?}"));
        }
    }

    /// [4.4.2-48]
    #[test]
    fn prohibited_candidates_are_not_checked() {
        assert!(BLOCKED_PORTS.is_sorted());
        let good = candidate("candidate:1 1 udp 1 10.0.0.1 3478 typ host");
        assert!(remote_candidate(&good, true).is_some());
        let blocked = candidate("candidate:1 1 udp 1 10.0.0.1 53 typ host");
        assert_eq!(remote_candidate(&blocked, false), None);
        let name = candidate("candidate:1 1 udp 1 a.local 3478 typ host");
        assert!(remote_candidate(&name, false).is_some());
        assert_eq!(remote_candidate(&name, true), None);
    }

    #[test]
    fn candidates_survive_the_border() {
        for line in [
            "candidate:1 1 udp 1677729535 192.0.2.1 3478 typ srflx raddr 10.0.0.1 rport 4000",
            "candidate:7 1 tcp 1518280447 fd00::1 4000 typ host tcptype passive",
        ] {
            let there = remote_candidate(&candidate(line), false).unwrap();
            assert_eq!(line_of(&there).to_string(), line);
            let told = local_candidate(&there, "abcd").to_string();
            assert_eq!(told, format!("{line} ufrag abcd"));
        }
    }
}
