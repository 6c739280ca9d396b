//! Connections of which a server knows only the fragment, when a check of their peers comes.

use std::{sync::Arc, time::Duration};

use oxirtc_peerconnection::{
    Certificate, Configuration, DataChannelInit, Endpoint, Event, IceCandidateInit, KeyAlgorithm,
    Message, PeerConnection, SessionDescription, engine::Settings,
};
use oxirtc_stun::{
    Attribute, Builder, Class, IntegrityKey, Message as Stun, Method, TransactionId,
};

use crate::pair::within;

const FRAGMENT: &str = "server/fragment";
const PASSWORD: &str = "a+password+that+is+long+enough";

fn settings() -> Settings {
    Settings::default()
        .loopback(true)
        .ipv6(false)
        .interfaces(|it| it.address.is_loopback())
}

fn known() -> Settings {
    settings().ice_credentials(FRAGMENT, PASSWORD)
}

fn check(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let id = TransactionId::new([5; 12]);
    let mut builder = Builder::new(&mut bytes, Class::Request, Method::BINDING, id);
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    builder
        .add(Attribute::Username(name))
        .add(Attribute::Priority(1))
        .add(Attribute::IceControlled(1))
        .message_integrity(&key)
        .fingerprint();
    builder.finish().unwrap();
    bytes
}

/// The request that told of the connection is answered when the connection is there, though it does not come again; before that, and where
/// nobody has asked for such requests, nothing is answered.
#[tokio::test]
async fn a_request_waits_for_its_connection() {
    let endpoint = Endpoint::bind("127.0.0.1:0").unwrap();
    let to = endpoint.local_address().unwrap();
    let peer = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let name = format!("{FRAGMENT}:peer");
    peer.send_to(&check(&name), to).await.unwrap();
    within(async {
        while endpoint.dropped() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let mut incoming = endpoint.incoming();
    peer.send_to(&check(&name), to).await.unwrap();
    let request = within(incoming.next()).await.unwrap();
    assert_eq!(request.username_fragment, FRAGMENT);
    assert_eq!(request.remote_username_fragment, "peer");
    assert_eq!(
        (request.local, request.remote),
        (to, peer.local_addr().unwrap())
    );
    assert_eq!(endpoint.dropped(), 1, "the second one waits");
    let connection = endpoint.clone().with_settings(known());
    let connection = connection
        .peer_connection(Configuration::default())
        .unwrap();
    connection
        .create_data_channel("data", DataChannelInit::default())
        .unwrap();
    connection.set_local_description(None).await.unwrap();
    let sdp = connection.local_description().unwrap().sdp;
    assert!(sdp.contains(&format!(
        "a=ice-ufrag:{FRAGMENT}\r\na=ice-pwd:{PASSWORD}\r\n"
    )));
    let mut answer = [0; 1500];
    let (length, from) = within(peer.recv_from(&mut answer)).await.unwrap();
    let answer = Stun::parse(&answer[..length]).unwrap();
    assert_eq!((answer.class(), from), (Class::Success, to));
    assert_eq!(answer.transaction_id(), TransactionId::new([5; 12]));
    // A restart is of random ones.
    connection
        .set_local_description(Some(SessionDescription::rollback()))
        .await
        .unwrap();
    connection.set_local_description(None).await.unwrap();
    let sdp = connection.local_description().unwrap().sdp;
    assert!(!sdp.contains(FRAGMENT) && !sdp.contains(PASSWORD), "{sdp}");
}

/// A peer that has made up the server's answer, with the fragment and the certificate that it knows, is connected with the first check that
/// the server sees of it.
#[tokio::test]
async fn a_server_learns_of_a_connection_by_its_first_check() {
    let certificate = Certificate::generate(KeyAlgorithm::EcdsaP256)
        .await
        .unwrap();
    let configuration = || Configuration {
        certificates: vec![certificate.clone()],
        ..Configuration::default()
    };
    let endpoint = Endpoint::bind("127.0.0.1:0").unwrap();
    let mut incoming = endpoint.incoming();
    let client = PeerConnection::with_settings(Configuration::default(), settings()).unwrap();
    let channel = client
        .create_data_channel("data", DataChannelInit::default())
        .unwrap();
    client.set_local_description(None).await.unwrap();
    let offer = client.local_description().unwrap();
    // What the server will say is known beforehand.
    let stand_in = PeerConnection::with_settings(configuration(), known()).unwrap();
    stand_in
        .set_remote_description(offer.clone())
        .await
        .unwrap();
    let answer = stand_in.create_answer().await.unwrap();
    stand_in.close();
    client
        .set_remote_description(SessionDescription::answer(answer.sdp))
        .await
        .unwrap();
    let port = endpoint.local_address().unwrap().port();
    let candidate = IceCandidateInit {
        candidate: format!("candidate:1 1 udp 2130706431 127.0.0.1 {port} typ host"),
        sdp_m_line_index: Some(0),
        ..IceCandidateInit::default()
    };
    client.add_ice_candidate(candidate).await.unwrap();
    let request = within(incoming.next()).await.unwrap();
    assert_eq!(request.username_fragment, FRAGMENT);
    assert!(offer.sdp.contains(&format!(
        "a=ice-ufrag:{}\r\n",
        request.remote_username_fragment
    )));
    let server = endpoint.clone().with_settings(known());
    let server = server.peer_connection(configuration()).unwrap();
    server.set_remote_description(offer).await.unwrap();
    server.set_local_description(None).await.unwrap();
    within(channel.opened()).await.unwrap();
    let opened = within(async {
        loop {
            if let Event::DataChannel(opened) = server.next_event().await.unwrap() {
                break opened;
            }
        }
    })
    .await;
    channel.send("ping").await.unwrap();
    assert_eq!(within(opened.recv()).await, Some(Message::from("ping")));
}

/// What cannot be written is refused when the connection is made, and never shown.
#[tokio::test]
async fn credentials_are_looked_at() {
    for (fragment, password) in [
        ("abc", PASSWORD),
        (FRAGMENT, "short"),
        ("line\r\na=x", PASSWORD),
        (FRAGMENT, "this password has spaces in it"),
    ] {
        let settings = Settings::default().ice_credentials(fragment, password);
        let refused = PeerConnection::with_settings(Configuration::default(), settings);
        let kind = refused.unwrap_err().kind();
        assert_eq!(kind, oxirtc_peerconnection::ErrorKind::Syntax);
    }
    let shown = format!("{:?}", Arc::new(known()));
    assert!(shown.contains(FRAGMENT) && !shown.contains(PASSWORD));
}
