//! A NAT gives the port of a peer that is gone to another one, while the server's port still has the first at it.

use std::net::SocketAddr;

use oxirtc_peerconnection::{Configuration, DataChannelInit, Message};

use crate::{
    exchange::Exchange,
    pair::{Pair, within},
};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

async fn echo(pair: &Pair) {
    pair.near_channel.send("ping").await.unwrap();
    let came = within(pair.far_channel.recv()).await;
    assert_eq!(came, Some(Message::from("ping")));
    pair.far_channel.send("pong").await.unwrap();
    let came = within(pair.near_channel.recv()).await;
    assert_eq!(came, Some(Message::from("pong")));
}

/// The first connection is asked, says nothing within two seconds, and lets go: the second does not wait for the thirty that its
/// consent would last.
#[tokio::test]
async fn the_port_of_a_peer_that_is_gone_goes_to_who_has_it_now() {
    let (public, server) = (at("203.0.113.7:777"), at("192.0.2.1:5000"));
    let (first, second) = (at("10.0.0.2:1000"), at("10.0.0.3:1000"));
    let exchange = Exchange::default();
    let endpoint = exchange.endpoint(server);
    let answering = || endpoint.peer_connection(Configuration::default()).unwrap();
    exchange.map(public, first);
    let gone = exchange.connection(first);
    let gone = Pair::connect(gone, answering(), DataChannelInit::default()).await;
    echo(&gone).await;
    exchange.map(public, second);
    let new = exchange.connection(second);
    let new = Pair::connect(new, answering(), DataChannelInit::default()).await;
    echo(&new).await;
}

/// A peer that is there keeps its path, whoever else proves to be behind the same address: here two of one machine.
#[tokio::test]
async fn a_peer_that_is_there_keeps_its_path() {
    let (client, server) = (at("203.0.113.7:777"), at("192.0.2.1:5000"));
    let exchange = Exchange::default();
    let (near, far) = (exchange.endpoint(client), exchange.endpoint(server));
    let connection = |endpoint: &oxirtc_peerconnection::Endpoint| {
        endpoint.peer_connection(Configuration::default()).unwrap()
    };
    let first = Pair::connect(
        connection(&near),
        connection(&far),
        DataChannelInit::default(),
    );
    let first = first.await;
    echo(&first).await;
    // Between the same two ports payload cannot be told apart.
    let second = Pair::connect(
        connection(&near),
        connection(&far),
        DataChannelInit::default(),
    );
    let mut second = std::pin::pin!(second);
    let waited = tokio::time::timeout(std::time::Duration::from_secs(4), second.as_mut());
    assert!(waited.await.is_err(), "it has taken the path");
    echo(&first).await;
    // It has waited, and has the path when the first is gone.
    first.near.close();
    first.far.close();
    echo(&within(second).await).await;
}
