//! Which addresses and ports of this machine are used, and what stands for them outside.

use std::net::SocketAddr;

use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Endpoint, IceCandidate, IceCandidateType, Message,
    PeerConnection,
    engine::{Interface, IpHandling, Settings},
};

use crate::{
    exchange::Exchange,
    pair::{Pair, within},
    relay::gather,
};

fn settings() -> Settings {
    Settings::default().loopback(true).ipv6(false)
}

/// Its candidates, once it has told them all.
async fn gathered(connection: &PeerConnection) -> Vec<IceCandidate> {
    gather(connection).await.0
}

/// Each socket has a port of the range, and an address for which none is left has no candidate; over TCP likewise.
#[tokio::test]
async fn sockets_are_bound_to_ports_of_a_range() {
    let range = 42_130..=42_132;
    let settings = settings()
        .interfaces(|it| it.address.is_loopback())
        .ports(range.clone())
        .ice_tcp(true);
    let mut connections = Vec::new();
    let mut ports = Vec::new();
    for _ in 0..4 {
        let settings = settings.clone();
        let connection = PeerConnection::with_settings(Configuration::default(), settings).unwrap();
        let candidates = gathered(&connection).await;
        let bound = candidates.iter().filter_map(IceCandidate::port);
        // Who opens streams is at no port.
        ports.extend(bound.filter(|port| *port != 9));
        connections.push(connection);
    }
    assert!(ports.iter().all(|port| range.contains(port)), "{ports:?}");
    ports.sort_unstable();
    // Three of them over UDP, and as many over TCP, at most: others may have some.
    let taken = ports.len();
    assert!((1..=6).contains(&taken), "{ports:?}");
    let over_udp = |it: &PeerConnection| {
        let sdp = it.local_description().unwrap().sdp;
        sdp.contains(" udp ")
    };
    assert!(!over_udp(&connections[3]), "there is none for the fourth");
}

/// What is left out is neither told nor bound.
#[tokio::test]
async fn only_the_addresses_that_are_wanted_are_used() {
    for wanted in [true, false] {
        let settings = settings().interfaces(move |it| wanted && it.address.is_loopback());
        let connection = PeerConnection::with_settings(Configuration::default(), settings).unwrap();
        let candidates = gathered(&connection).await;
        let addresses: Vec<_> = candidates
            .iter()
            .filter_map(IceCandidate::address)
            .collect();
        assert_eq!(addresses, ["127.0.0.1"; 1][..usize::from(wanted)]);
    }
}

/// A server behind a NAT that maps its address, and its port to another one, as a container's: the one candidate is what the outside
/// knows, and what comes there reaches the port.
#[tokio::test]
async fn a_server_is_known_by_its_address_outside() {
    let (inside, outside): (SocketAddr, SocketAddr) = (
        "10.0.0.5:5000".parse().unwrap(),
        "203.0.113.9:7777".parse().unwrap(),
    );
    let exchange = Exchange::default();
    exchange.map(outside, inside);
    let settings = Settings::default().external_address(None, outside);
    let endpoint = exchange.endpoint(inside).with_settings(settings);
    let server = endpoint.peer_connection(Configuration::default()).unwrap();
    let client = exchange.connection("192.0.2.1:1000".parse().unwrap());
    let pair = Pair::connect(client, server, DataChannelInit::default()).await;
    pair.near_channel.send("ping").await.unwrap();
    let came = within(pair.far_channel.recv()).await;
    assert_eq!(came, Some(Message::from("ping")));
    let told = pair.far.local_description().unwrap().sdp;
    let lines = told.lines().filter(|it| it.starts_with("a=candidate:"));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 1, "{told}");
    assert!(lines[0].contains(" 203.0.113.9 7777 typ host"), "{told}");
    assert!(!told.contains("10.0.0.5"), "{told}");
    let transport = pair.near.sctp().unwrap().transport().unwrap();
    let used = transport.ice_transport().selected_candidate_pair().unwrap();
    assert_eq!(used.remote.address().as_deref(), Some("203.0.113.9"));
}

/// RFC 8828 §5.2, mode 3: what an interface has is in nothing that is told or shown, and it connects all the same.
#[tokio::test]
async fn a_default_route_keeps_its_address() {
    let (inside, outside): (SocketAddr, SocketAddr) = (
        "10.0.0.5:5000".parse().unwrap(),
        "203.0.113.9:7777".parse().unwrap(),
    );
    for mode in [IpHandling::EnumerateAll, IpHandling::DefaultRouteOnly] {
        let exchange = Exchange::default();
        exchange.map(outside, inside);
        let settings = Settings::default().ip_handling(mode);
        let endpoint = exchange.endpoint(inside).with_settings(settings);
        let near = endpoint.peer_connection(Configuration::default()).unwrap();
        let far = exchange.connection("192.0.2.1:1000".parse().unwrap());
        let pair = Pair::connect(near, far, DataChannelInit::default()).await;
        let transport = pair.near.sctp().unwrap().transport().unwrap();
        let transport = transport.ice_transport();
        let used = transport.selected_candidate_pair().unwrap();
        let report = pair.near.get_stats(None).await.unwrap();
        let shown = format!(
            "{} {:?} {:?} {:?}",
            pair.near.local_description().unwrap().sdp,
            used.local,
            transport.local_candidates(),
            report,
        );
        let tells = mode == IpHandling::EnumerateAll;
        assert_eq!(shown.contains("10.0.0.5"), tells, "{shown}");
        assert_eq!(used.local.address().is_some(), tells);
        assert!(used.local.kind().is_some());
    }
}

/// What the application says that a network costs is told, and what it says of none is not.
#[tokio::test]
async fn the_cost_of_a_network_is_told() {
    for cost in [0, 900] {
        let settings = settings()
            .interfaces(|it| it.address.is_loopback())
            .network_cost(move |_| cost);
        let connection = PeerConnection::with_settings(Configuration::default(), settings).unwrap();
        let candidates = gathered(&connection).await;
        let told = candidates[0].candidate().contains(" network-cost 900");
        assert_eq!(told, cost > 0, "{}", candidates[0].candidate());
    }
}

/// A port on all addresses answers from the one that was asked, though the system would choose another.
#[tokio::test]
async fn an_answer_comes_from_the_address_that_was_asked() {
    let asked = "127.0.0.2";
    let interface = Interface {
        name: "lo".into(),
        index: 1,
        address: asked.parse().unwrap(),
        default_route: true,
        cost: 0,
    };
    let endpoint = Endpoint::bind("0.0.0.0:0").unwrap();
    let endpoint = endpoint
        .with_interfaces(vec![interface])
        .with_settings(settings());
    let server = endpoint.peer_connection(Configuration::default()).unwrap();
    let client = settings().interfaces(|it| it.address.is_loopback());
    let client = PeerConnection::with_settings(Configuration::default(), client).unwrap();
    let pair = Pair::connect(client, server, DataChannelInit::default()).await;
    pair.far_channel.send("pong").await.unwrap();
    let came = within(pair.near_channel.recv()).await;
    assert_eq!(came, Some(Message::from("pong")));
    let transport = pair.near.sctp().unwrap().transport().unwrap();
    let used = transport.ice_transport().selected_candidate_pair().unwrap();
    assert_eq!(used.remote.address().as_deref(), Some(asked));
    assert_eq!(used.remote.kind(), Some(IceCandidateType::Host));
}
