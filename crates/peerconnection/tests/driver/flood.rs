//! Somebody forges STUN at a port that connections share. `cargo xtask interop flood` does the same with a thousand of them.

use std::net::UdpSocket;

use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Endpoint, IceCandidatePair, Message, PeerConnection,
    engine::Settings,
};
use oxirtc_stun::{Attribute, Builder, Class, IntegrityKey, Method, TransactionId};

use crate::pair::{Pair, within};

/// A check without the password that it would need.
fn forged(number: u16, fragment: &str) -> Vec<u8> {
    let mut id = [7; 12];
    id[..2].copy_from_slice(&number.to_be_bytes());
    let mut bytes = Vec::new();
    let name = format!("{fragment}:anybody");
    let key = IntegrityKey::short_term("not the password of any of them").unwrap();
    let mut builder = Builder::new(
        &mut bytes,
        Class::Request,
        Method::BINDING,
        TransactionId::new(id),
    );
    builder
        .add(Attribute::Username(&name))
        .add(Attribute::Priority(u32::MAX >> 1))
        .add(Attribute::IceControlling(u64::MAX))
        .add(Attribute::UseCandidate)
        .message_integrity(&key)
        .fingerprint();
    builder.finish().unwrap();
    bytes
}

fn fragment(connection: &PeerConnection) -> String {
    let description = connection.local_description().unwrap().sdp;
    let mut lines = description.lines();
    let line = lines.find_map(|line| line.strip_prefix("a=ice-ufrag:"));
    line.unwrap().to_owned()
}

fn pair(connection: &PeerConnection) -> Option<IceCandidatePair> {
    let transport = connection.sctp()?.transport()?;
    transport.ice_transport().selected_candidate_pair()
}

#[tokio::test]
async fn forged_checks_change_no_pair_and_stop_no_echo() {
    let settings = || Settings::default().loopback(true);
    let server = Endpoint::bind("127.0.0.1:0").unwrap();
    let server = server.with_settings(settings());
    let address = server.local_address().unwrap();
    let mut pairs = Vec::new();
    for _ in 0..8 {
        let client = PeerConnection::with_settings(Configuration::default(), settings()).unwrap();
        let far = server.peer_connection(Configuration::default()).unwrap();
        pairs.push(Pair::connect(client, far, DataChannelInit::default()).await);
    }
    let before: Vec<_> = pairs.iter().map(|it| pair(&it.far)).collect();
    assert!(before.iter().all(Option::is_some));
    let forger = UdpSocket::bind("127.0.0.1:0").unwrap();
    for round in 0..10 {
        for number in 0..50 {
            let of = &pairs[usize::from(number) % pairs.len()];
            let message = forged(round * 50 + number, &fragment(&of.far));
            forger.send_to(&message, address).unwrap();
        }
        for of in &pairs {
            of.near_channel
                .send(format!("round {round}"))
                .await
                .unwrap();
            let came = within(of.far_channel.recv()).await.unwrap();
            of.far_channel.send(came).await.unwrap();
            let back = within(of.near_channel.recv()).await;
            assert_eq!(back, Some(Message::from(format!("round {round}"))));
        }
    }
    let after: Vec<_> = pairs.iter().map(|it| pair(&it.far)).collect();
    assert_eq!(before, after);
    // And nobody has answered.
    forger.set_nonblocking(true).unwrap();
    assert!(forger.recv(&mut [0; 100]).is_err());
}
