//! Streams of peers and of strangers.

use std::time::Duration;

use oxirtc_peerconnection::{
    Configuration, DataChannelInit, PeerConnection, SessionDescription, engine::Settings,
};
use tokio::{io::AsyncReadExt, net::TcpStream, time::Instant};

use crate::pair::within;

/// Only the candidates over TCP, and where streams are taken.
fn over_tcp(mut description: SessionDescription) -> (SessionDescription, Vec<String>) {
    let lines = description.sdp.lines();
    let kept = lines.filter(|line| !line.starts_with("a=candidate:") || line.contains(" tcptype "));
    let kept: Vec<_> = kept.map(str::to_owned).collect();
    let passive = kept.iter().filter(|line| line.contains(" tcptype passive"));
    let passive = passive.map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        format!("{}:{}", words[4], words[5])
    });
    let passive: Vec<_> = passive.collect();
    assert!(!passive.is_empty());
    description.sdp = kept.iter().map(|line| format!("{line}\r\n")).collect();
    (description, passive)
}

async fn is_open(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    let reading = tokio::time::timeout(Duration::from_millis(1), stream.read(&mut byte));
    reading.await.is_err()
}

/// Whoever opens streams to a connection and says nothing bars nobody: the oldest of them make room, and the others have ten seconds.
#[tokio::test]
async fn silent_streams_bar_nobody() {
    let connection = || {
        let settings = Settings::default().loopback(true).ipv6(false).ice_tcp(true);
        let settings = settings.interfaces(|it| it.address.is_loopback());
        PeerConnection::with_settings(Configuration::default(), settings).unwrap()
    };
    let (near, far) = (connection(), connection());
    let channel = near.create_data_channel("data", DataChannelInit::default());
    let channel = channel.unwrap();
    near.set_local_description(None).await.unwrap();
    let (offer, near_takes) = over_tcp(within(near.gathered()).await.unwrap());
    far.set_remote_description(offer).await.unwrap();
    let mut silent = Vec::new();
    let flood = async |address: &str, silent: &mut Vec<TcpStream>| {
        for _ in 0..100 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
    };
    flood(&near_takes[0], &mut silent).await;
    far.set_local_description(None).await.unwrap();
    let (answer, far_takes) = over_tcp(within(far.gathered()).await.unwrap());
    flood(&far_takes[0], &mut silent).await;
    let begun = Instant::now();
    near.set_remote_description(answer).await.unwrap();
    let came = within(far.next_data_channel()).await.unwrap();
    within(channel.opened()).await.unwrap();
    let mut open = 0;
    for stream in &mut silent[100..] {
        open += usize::from(is_open(stream).await);
    }
    assert!((1..=64).contains(&open), "{open}");
    assert!(!is_open(&mut silent[100]).await, "the oldest");
    let patience = Duration::from_secs(20);
    let ended = async {
        for stream in &mut silent {
            assert!(!matches!(stream.read(&mut [0]).await, Ok(1..)));
        }
    };
    tokio::time::timeout(patience, ended).await.unwrap();
    assert!(
        begun.elapsed() > Duration::from_secs(8),
        "they had their time"
    );
    // What is of use stays.
    came.send("back").await.unwrap();
    assert_eq!(within(channel.recv()).await, Some("back".into()));
}
