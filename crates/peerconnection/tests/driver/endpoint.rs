//! Many connections on one port.

use oxirtc_peerconnection::{Configuration, DataChannelInit, Endpoint, Message, Settings};

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
