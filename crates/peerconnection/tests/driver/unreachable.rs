//! A system that says at once that there is no way from an address.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Endpoint, Message, PeerConnection,
    driver::Outgoing,
    engine::{Interface, Settings},
};
use tokio::time::timeout;

use crate::{
    pair::{Pair, within},
    ruled::Ruled,
};

/// Payload leaves a pair at once that the system cannot reach: without its word the silence is noticed after 0.75 s, and believed
/// half a second later.
#[tokio::test]
async fn what_the_system_cannot_reach_is_left_at_once() {
    let cut = Arc::<Mutex<Option<IpAddr>>>::default();
    let sockets = [[127, 0, 0, 1], [127, 0, 0, 2]].map(|address| {
        let cut = cut.clone();
        Ruled::bind(address, move |from: SocketAddr, _: &Outgoing<'_>| {
            match *cut.lock().unwrap() == Some(from.ip()) {
                true => Err(io::ErrorKind::NetworkUnreachable.into()),
                false => Ok(()),
            }
        })
    });
    let interfaces = sockets.each_ref().map(|socket| Interface {
        name: "lo".into(),
        index: 1,
        address: socket.local_address().ip(),
        default_route: true,
        cost: 0,
    });
    let endpoint = Endpoint::with_sockets(sockets.into()).unwrap();
    let endpoint = endpoint.with_interfaces(interfaces.into());
    let far = endpoint.peer_connection(Configuration::default()).unwrap();
    let settings = Settings::default().loopback(true);
    let near = PeerConnection::with_settings(Configuration::default(), settings).unwrap();
    let pair = Pair::connect(near, far, DataChannelInit::default()).await;
    let transport = pair
        .far
        .sctp()
        .unwrap()
        .transport()
        .unwrap()
        .ice_transport();
    // Both ways are known, and one is nominated.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let in_use = transport.selected_candidate_pair().unwrap().local;
    *cut.lock().unwrap() = Some(in_use.address().unwrap().parse().unwrap());
    pair.far_channel.send("word").await.unwrap();
    let came = timeout(Duration::from_secs(1), pair.near_channel.recv()).await;
    assert_eq!(came.unwrap(), Some(Message::from("word")));
    // And there it stays.
    pair.far_channel.send("more").await.unwrap();
    assert_eq!(
        within(pair.near_channel.recv()).await,
        Some(Message::from("more"))
    );
}
