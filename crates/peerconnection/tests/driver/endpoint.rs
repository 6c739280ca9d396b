//! Many connections on one port.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Endpoint, MediaKind, Message, PeerConnection, Protocol,
    SessionDescription, driver::EndpointSettings, engine::Settings,
};

use crate::pair::{Pair, within};

fn endpoint(address: &str) -> Endpoint {
    let settings = Settings::default().loopback(true);
    Endpoint::bind(address).unwrap().with_settings(settings)
}

async fn echo_over(server: &Endpoint, connections: usize) {
    let mut pairs = Vec::new();
    for index in 0..connections {
        let client = endpoint("127.0.0.1:0")
            .peer_connection(Configuration::default())
            .unwrap();
        let far = server.peer_connection(Configuration::default()).unwrap();
        // Either side offers.
        let (near, far) = if index % 2 == 0 {
            (client, far)
        } else {
            (far, client)
        };
        pairs.push(Pair::connect(near, far, DataChannelInit::default()).await);
    }
    for (index, pair) in pairs.iter().enumerate() {
        pair.near_channel.send(format!("to {index}")).await.unwrap();
    }
    for (index, pair) in pairs.iter().enumerate() {
        assert_eq!(
            within(pair.far_channel.recv()).await,
            Some(Message::from(format!("to {index}")))
        );
        pair.far_channel
            .send(format!("back {index}"))
            .await
            .unwrap();
        assert_eq!(
            within(pair.near_channel.recv()).await,
            Some(Message::from(format!("back {index}")))
        );
    }
}

#[tokio::test]
async fn one_port_carries_many_connections() {
    echo_over(&endpoint("127.0.0.1:0"), 10).await;
}

#[tokio::test]
async fn one_port_on_all_addresses() {
    echo_over(&endpoint("0.0.0.0:0"), 2).await;
}

/// Payload names nobody: a second connection between the same two ports, and two connections of one port with each other, go by
/// sockets of their own, and the first one goes on as it was.
#[tokio::test]
async fn what_cannot_be_told_apart_has_a_way_of_its_own() {
    let (near, far) = (endpoint("127.0.0.1:0"), endpoint("127.0.0.1:0"));
    let mut pairs: Vec<Pair> = Vec::new();
    for (one, other) in [(&near, &far), (&near, &far), (&near, &near), (&far, &near)] {
        let [one, other] = [one, other].map(|it| {
            let configuration = Configuration::default();
            it.peer_connection(configuration).unwrap()
        });
        pairs.push(Pair::connect(one, other, DataChannelInit::default()).await);
        for (number, pair) in pairs.iter().enumerate() {
            pair.near_channel.send(format!("{number}")).await.unwrap();
            let came = within(pair.far_channel.recv()).await;
            assert_eq!(came, Some(Message::from(format!("{number}"))));
            pair.far_channel.send("back").await.unwrap();
            let came = within(pair.near_channel.recv()).await;
            assert_eq!(came, Some(Message::from("back")));
        }
    }
}

/// What strangers send to the port goes nowhere.
#[tokio::test]
async fn strangers_change_nothing() {
    let server = endpoint("127.0.0.1:0");
    let address = server.local_address().unwrap();
    let stranger = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for first in 0..=255_u8 {
        stranger.send_to(&[first; 60], address).await.unwrap();
    }
    echo_over(&server, 1).await;
}

/// Each sender is always at the same one of them, and nobody else has the port.
#[tokio::test]
async fn a_port_has_several_readers() {
    let settings = EndpointSettings::default().readers(4);
    let server = Endpoint::bind_with("127.0.0.1:0", settings.clone()).unwrap();
    let address = server.local_address().unwrap();
    if cfg!(target_os = "linux") {
        let table = std::fs::read_to_string("/proc/self/net/udp").unwrap();
        let ours = format!(" 0100007F:{:04X} ", address.port());
        assert_eq!(table.matches(&ours).count(), 4);
    }
    echo_over(
        &server
            .clone()
            .with_settings(Settings::default().loopback(true)),
        12,
    )
    .await;
    let taken = Endpoint::bind_with(address, settings).unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
}

/// The description without candidates over UDP.
fn over_tcp(mut description: SessionDescription) -> SessionDescription {
    let lines = description.sdp.lines();
    let kept = lines.filter(|line| !line.starts_with("a=candidate:") || line.contains(" tcptype "));
    description.sdp = kept.map(|line| format!("{line}\r\n")).collect();
    description
}

fn tcp_endpoint() -> Endpoint {
    let settings = EndpointSettings::default().tcp(true);
    let endpoint = Endpoint::bind_with("127.0.0.1:0", settings).unwrap();
    endpoint.with_settings(Settings::default().loopback(true))
}

/// Peers whose network lets no UDP through all come to one port.
#[tokio::test]
async fn one_port_takes_streams_of_many_connections() {
    let server = tcp_endpoint();
    let port = server.local_address().unwrap().port();
    let mut visits = Vec::new();
    for number in 0..6 {
        let settings = Settings::default().loopback(true).ice_tcp(true);
        let near = PeerConnection::with_settings(Configuration::default(), settings).unwrap();
        let far = server.peer_connection(Configuration::default()).unwrap();
        let sent = near
            .create_data_channel("data", DataChannelInit::default())
            .unwrap();
        near.set_local_description(None).await.unwrap();
        let offer = over_tcp(within(near.gathered()).await.unwrap());
        // So that none is opened from there.
        let offer = SessionDescription {
            sdp: offer.sdp.replace("tcptype passive", "tcptype so"),
            ..offer
        };
        far.set_remote_description(offer).await.unwrap();
        far.set_local_description(None).await.unwrap();
        let answer = over_tcp(within(far.gathered()).await.unwrap());
        assert!(
            answer
                .sdp
                .contains(&format!(" 127.0.0.1 {port} typ host tcptype passive"))
        );
        near.set_remote_description(answer).await.unwrap();
        let came = within(far.next_data_channel()).await.unwrap();
        within(sent.opened()).await.unwrap();
        sent.send(format!("visit {number}")).await.unwrap();
        visits.push((near, far, sent, came));
    }
    for (number, (near, far, sent, came)) in visits.iter().enumerate() {
        let message = within(came.recv()).await.unwrap();
        assert_eq!(message, Message::from(format!("visit {number}")));
        came.send(message).await.unwrap();
        assert!(within(sent.recv()).await.is_some());
        for connection in [near, far] {
            let transport = connection.sctp().unwrap().transport().unwrap();
            let pair = transport.ice_transport().selected_candidate_pair().unwrap();
            assert_eq!(pair.local.protocol(), Some(Protocol::Tcp));
        }
    }
}

/// A stream that names nobody, or is no framed check at all, is closed; of one address only the newest few are waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_strangers_are_closed() {
    let server = tcp_endpoint();
    let address = server.local_address().unwrap();
    let open = move || {
        let stream = TcpStream::connect(address).unwrap();
        stream
            // Sooner than its patience ends.
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        stream
    };
    let closed = |mut stream: TcpStream| match stream.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    };
    let checking = tokio::task::spawn_blocking(move || {
        for bytes in [&[0, 4, 22, 1, 2, 3][..], &[0xFF, 0xFF, 0, 1], &[0, 0]] {
            let mut stream = open();
            stream.write_all(bytes).unwrap();
            assert!(closed(stream), "{bytes:?}");
        }
        let mut silent: Vec<_> = (0..9).map(|_| open()).collect();
        assert!(closed(silent.remove(0)), "the oldest of nine");
        let mut last = silent.remove(7);
        last.set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let waits = last.read(&mut [0]).unwrap_err().kind();
        assert!(matches!(
            waits,
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        ));
    });
    checking.await.unwrap();
    echo_over(&server, 1).await;
}

/// What is bundled away leaves the peer's stream to the transport that goes on: it came to all of them, before the answer.
#[tokio::test]
async fn bundling_leaves_the_stream_of_the_peer() {
    let server = tcp_endpoint();
    let near = server.peer_connection(Configuration::default()).unwrap();
    let settings = Settings::default().loopback(true).ice_tcp(true);
    let far = PeerConnection::with_settings(Configuration::default(), settings).unwrap();
    let channel = near
        .create_data_channel("data", DataChannelInit::default())
        .unwrap();
    near.add_transceiver(MediaKind::Audio, Default::default())
        .unwrap();
    near.set_local_description(None).await.unwrap();
    let offer = over_tcp(within(near.gathered()).await.unwrap());
    far.set_remote_description(offer).await.unwrap();
    far.set_local_description(None).await.unwrap();
    let mut answer = within(far.gathered()).await.unwrap();
    let lines = answer.sdp.lines();
    let kept = lines.filter(|line| !line.starts_with("a=candidate:"));
    answer.sdp = kept.map(|line| format!("{line}\r\n")).collect();
    // The stream comes first.
    tokio::time::sleep(Duration::from_millis(300)).await;
    near.set_remote_description(answer).await.unwrap();
    within(channel.opened()).await.unwrap();
}

/// All addresses of both families, for datagrams and for streams, at one port.
#[tokio::test]
async fn streams_come_to_all_addresses() {
    let settings = EndpointSettings::default().tcp(true);
    let endpoint = Endpoint::bind_with("[::]:0", settings).unwrap();
    let port = endpoint.local_address().unwrap().port();
    for address in ["127.0.0.1", "::1"] {
        TcpStream::connect((address, port)).unwrap();
    }
    // Who has the streams of a port is told of.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = EndpointSettings::default().tcp(true);
    let error = Endpoint::bind_with(taken.local_addr().unwrap(), settings).unwrap_err();
    assert!(error.to_string().starts_with("TCP "), "{error}");
}
