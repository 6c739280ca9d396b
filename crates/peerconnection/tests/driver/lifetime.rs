//! What a connection leaves behind, and what becomes of it when its runtime ends.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use oxirtc_peerconnection::{
    Certificate, Configuration, DataChannel, DataChannelInit, Endpoint, ErrorKind, Event,
    KeyAlgorithm, PeerConnection, PeerConnectionState,
    driver::UdpSocket,
    engine::{Interface, Settings},
};
use tokio::runtime::{Handle, Runtime};

use crate::pair::{Pair, within};

/// What a server's loop over events looks like.
async fn attend(connection: PeerConnection) {
    while let Some(event) = connection.next_event().await {
        match event {
            Event::DataChannel(channel) => drop(tokio::spawn(echo(channel))),
            Event::PeerClosed => break,
            _ => {}
        }
    }
}

async fn echo(channel: DataChannel) {
    while let Some(message) = channel.recv().await {
        channel.send(message).await.unwrap();
    }
}

/// One text each way.
async fn negotiate(near: &PeerConnection, far: &PeerConnection) {
    near.set_local_description(None).await.unwrap();
    far.set_remote_description(near.gathered().await.unwrap())
        .await
        .unwrap();
    far.set_local_description(None).await.unwrap();
    near.set_remote_description(far.gathered().await.unwrap())
        .await
        .unwrap();
}

fn private() -> PeerConnection {
    let settings = Settings::default().loopback(true);
    PeerConnection::with_settings(Configuration::default(), settings).unwrap()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// On one port and on ports of their own: no task of the server's stays when its visitors have said goodbye.
#[tokio::test]
async fn fifty_visitors_who_left_properly_leave_no_task() {
    let before = tasks();
    let server = Endpoint::bind("127.0.0.1:0").unwrap();
    for visitor in 0..50 {
        let near = private();
        let far = if visitor % 2 == 0 {
            server.peer_connection(Configuration::default()).unwrap()
        } else {
            private()
        };
        let channel = near
            .create_data_channel("chat", DataChannelInit::default())
            .unwrap();
        negotiate(&near, &far).await;
        tokio::spawn(attend(far));
        within(channel.opened()).await.unwrap();
        channel.send("hello").await.unwrap();
        assert_eq!(within(channel.recv()).await, Some("hello".into()));
        within(near.shutdown()).await;
    }
    drop(server);
    for _ in 0..1000 {
        if tasks() == before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} tasks are left", tasks() - before);
}

/// Waits on another thread end when the runtime of the connection does; today's calls get an error, not silence.
#[test]
fn what_waits_ends_with_the_runtime() {
    let (carrying, waiting) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let idle = carrying.block_on(async { private() });
    let never = idle
        .create_data_channel("never", DataChannelInit::default())
        .unwrap();
    let Pair {
        near, near_channel, ..
    } = carrying.block_on(Pair::private());
    let (one, other, message, closed) = waiting.block_on(async {
        let one = tokio::spawn({
            let never = never.clone();
            async move { never.opened().await }
        });
        let other = tokio::spawn({
            let idle = idle.clone();
            async move { idle.next_data_channel().await.map(drop) }
        });
        let message = tokio::spawn({
            let channel = near_channel.clone();
            async move { channel.recv().await }
        });
        let closed = tokio::spawn({
            let channel = near_channel.clone();
            async move { channel.closed().await }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        carrying.shutdown_background();
        (
            within(one).await.unwrap(),
            within(other).await.unwrap(),
            within(message).await.unwrap(),
            within(closed).await.unwrap(),
        )
    });
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Aborted);
        assert!(error.message().contains("runtime"), "{error}");
    }
    assert_eq!(message, None);
    closed.unwrap();
    // The other end of the channel may have ended first.
    waiting
        .block_on(within(near.wait_for(PeerConnectionState::Closed)))
        .unwrap();
    let late = waiting.block_on(near_channel.send("late")).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::InvalidState);
}

/// The port's runtime carries its connections, wherever they are made; with it they end.
#[test]
fn a_ports_connections_live_and_end_with_its_runtime() {
    let (carrying, waiting) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let server = carrying.block_on(async { Endpoint::bind("127.0.0.1:0").unwrap() });
    let far = server.peer_connection(Configuration::default()).unwrap();
    let mut requests = server.incoming();
    waiting.block_on(async {
        let near = private();
        let channel = near
            .create_data_channel("chat", DataChannelInit::default())
            .unwrap();
        within(negotiate(&near, &far)).await;
        within(channel.opened()).await.unwrap();
        let incoming = within(far.next_data_channel()).await.unwrap();
        let asked = tokio::spawn(async move { requests.next().await });
        carrying.shutdown_background();
        assert_eq!(within(incoming.recv()).await, None);
        assert!(within(far.next_data_channel()).await.is_err());
        assert_eq!(within(asked).await.unwrap(), None);
        assert_eq!(within(server.incoming().next()).await, None);
        // The peer was told while the sockets were still there, or finds out by its own means.
        drop((channel, near));
    });
}

/// A certain address is gathered although it is a loopback address, and no other is.
#[tokio::test]
async fn a_bound_address_is_gathered() {
    for address in ["127.0.0.1:0", "127.0.0.5:0", "[::1]:0"] {
        let bound = match Endpoint::bind(address) {
            Ok(endpoint) => endpoint,
            Err(error) if address.starts_with('[') => {
                println!("no IPv6 here: {error}");
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let near = bound.peer_connection(Configuration::default()).unwrap();
        let far = Endpoint::bind(address)
            .unwrap()
            .peer_connection(Configuration::default())
            .unwrap();
        let channel = near
            .create_data_channel("chat", DataChannelInit::default())
            .unwrap();
        near.set_local_description(None).await.unwrap();
        let offer = within(near.gathered()).await.unwrap().sdp;
        let lines = offer.lines().filter(|it| it.starts_with("a=candidate:"));
        let lines: Vec<_> = lines.collect();
        let wanted: SocketAddr = bound.local_address().unwrap();
        let place = format!(" {} {} typ host", wanted.ip(), wanted.port());
        assert!(
            lines.len() == 1 && lines[0].contains(&place),
            "{address}: {lines:?}"
        );
        negotiate(&near, &far).await;
        within(channel.opened()).await.unwrap();
    }
}

/// Without the word of the port, it would be left out where there is another.
#[tokio::test]
async fn a_bound_loopback_address_is_gathered_beside_another() {
    let addresses = [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED];
    let sockets = addresses.map(|it| UdpSocket::bind((it, 0).into(), 100_000).unwrap());
    let ports = sockets.each_ref().map(|it| it.local_address().port());
    let hosts = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 1)];
    let interfaces = hosts.map(|address| Interface {
        name: format!("to {address}"),
        index: 1,
        address: address.into(),
        default_route: true,
        cost: 0,
    });
    let endpoint = Endpoint::with_sockets(sockets.into()).unwrap();
    let endpoint = endpoint.with_interfaces(interfaces.into());
    let near = endpoint.peer_connection(Configuration::default()).unwrap();
    let _channel = near.create_data_channel("chat", DataChannelInit::default());
    near.set_local_description(None).await.unwrap();
    let offer = within(near.gathered()).await.unwrap().sdp;
    let lines = offer.lines().filter(|it| it.starts_with("a=candidate:"));
    assert_eq!(lines.count(), 2, "{offer}");
    for (host, port) in hosts.into_iter().zip(ports) {
        assert!(
            offer.contains(&format!(" {host} {port} typ host")),
            "{offer}"
        );
    }
}

/// While an RSA key is made, the thread of the runtime goes on.
#[tokio::test]
async fn a_key_is_made_beside_the_runtime() {
    let rsa = tokio::spawn(Certificate::generate(KeyAlgorithm::Rsa2048));
    let mut turns = 0;
    while !rsa.is_finished() {
        tokio::task::yield_now().await;
        turns += 1;
    }
    assert!(turns > 100, "{turns} turns of another task");
    let rsa = rsa.await.unwrap().unwrap();
    let ecdsa = Certificate::generate(KeyAlgorithm::default())
        .await
        .unwrap();
    assert_ne!(rsa.fingerprints(), ecdsa.fingerprints());
    for certificate in [rsa, ecdsa] {
        let configuration = Configuration {
            certificates: vec![certificate],
            ..Configuration::default()
        };
        PeerConnection::new(configuration).unwrap();
    }
}
