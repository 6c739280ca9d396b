//! Connections with sockets of their own.

use bytes::Bytes;
use oxirtc_peerconnection::{
    Configuration, DataChannelEvent, DataChannelInit, DataChannelState, Message, PeerConnection,
    PeerConnectionState, Protocol, SessionDescription, engine::Settings,
};

use crate::pair::{Pair, within};

/// [6.2-10] [6.2-16]
#[tokio::test]
async fn messages_of_all_kinds_go_both_ways() {
    let Pair {
        near,
        near_channel,
        far_channel,
        ..
    } = &Pair::private().await;
    let large = Bytes::from(vec![7; 256 * 1024]);
    let messages = [
        Message::from("text"),
        Message::Binary(Bytes::from_static(b"binary")),
        Message::from(""),
        Message::Binary(Bytes::new()),
        Message::Binary(large),
    ];
    for (from, to) in [(near_channel, far_channel), (far_channel, near_channel)] {
        for message in &messages {
            from.send(message.clone()).await.unwrap();
            assert_eq!(within(to.recv()).await.as_ref(), Some(message));
        }
    }
    assert_eq!(near.connection_state(), PeerConnectionState::Connected);
}

/// More than any buffer on the way holds, both ways at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_arrives_whole() {
    let Pair {
        near_channel,
        far_channel,
        ..
    } = Pair::private().await;
    let one_way = |from: oxirtc_peerconnection::DataChannel,
                   to: oxirtc_peerconnection::DataChannel| async move {
        let sending = tokio::spawn(async move {
            for index in 0..512_u32 {
                from.send(vec![index as u8; 65_536]).await.unwrap();
            }
            from.flush().await.unwrap();
        });
        for index in 0..512_u32 {
            let message = within(to.recv()).await.unwrap();
            assert_eq!(message, Message::from(vec![index as u8; 65_536]));
        }
        within(sending).await.unwrap();
    };
    let there = one_way(near_channel.clone(), far_channel.clone());
    let back = one_way(far_channel, near_channel);
    tokio::join!(there, back);
}

/// [6.2-17] [6.2-18]: what was sent before is not lost.
#[tokio::test]
async fn closing_a_channel_delivers_what_was_sent() {
    let Pair {
        near_channel,
        far_channel,
        near,
        ..
    } = Pair::private().await;
    for index in 0..100_u32 {
        near_channel.send(vec![index as u8; 10_000]).await.unwrap();
    }
    near_channel.close();
    let reading = async {
        for index in 0..100_u32 {
            assert_eq!(
                far_channel.recv().await,
                Some(Message::from(vec![index as u8; 10_000]))
            );
        }
        assert_eq!(far_channel.recv().await, None);
    };
    let (closed, ()) = within(async { tokio::join!(near_channel.closed(), reading) }).await;
    closed.unwrap();
    assert_eq!(near_channel.ready_state(), DataChannelState::Closed);
    assert_eq!(far_channel.ready_state(), DataChannelState::Closed);
    assert_eq!(near.connection_state(), PeerConnectionState::Connected);
}

/// The peer's close reaches us at once, not after a timeout.
#[tokio::test]
async fn closing_the_connection_ends_the_peers_channels() {
    let Pair {
        near, far_channel, ..
    } = Pair::private().await;
    near.close();
    let closed = async {
        while let Some(event) = far_channel.next_event().await {
            if matches!(event, DataChannelEvent::Close) {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(2), closed)
        .await
        .unwrap();
    assert_eq!(near.connection_state(), PeerConnectionState::Closed);
}

/// [4.4.4-01]: the handle of a channel keeps the connection; the last handle closes it.
#[tokio::test]
async fn a_channel_keeps_its_connection() {
    let Pair {
        near,
        far,
        near_channel,
        far_channel,
    } = Pair::private().await;
    drop((near, far));
    near_channel.send("still here").await.unwrap();
    assert_eq!(
        within(far_channel.recv()).await,
        Some(Message::from("still here"))
    );
    drop(near_channel);
    assert_eq!(within(far_channel.recv()).await, None);
}

/// Shutting down delivers everything first.
#[tokio::test]
async fn shutdown_drains() {
    let Pair {
        near,
        near_channel,
        far_channel,
        ..
    } = Pair::private().await;
    for _ in 0..50 {
        near_channel.send(vec![1; 60_000]).await.unwrap();
    }
    let reading = tokio::spawn(async move {
        let mut bytes = 0;
        while let Some(message) = far_channel.recv().await {
            bytes += message.len();
        }
        bytes
    });
    within(near.shutdown()).await;
    assert_eq!(within(reading).await.unwrap(), 50 * 60_000);
}

/// A connection made and dropped leaves its tasks nothing to wait for.
#[tokio::test]
async fn an_unused_connection_goes_away() {
    let connection =
        PeerConnection::with_settings(Configuration::default(), Settings::default().loopback(true))
            .unwrap();
    let channel = connection
        .create_data_channel("data", DataChannelInit::default())
        .unwrap();
    connection.close();
    assert_eq!(channel.ready_state(), DataChannelState::Closed);
    assert_eq!(within(channel.recv()).await, None);
}

/// Where no datagram gets through, streams do (RFC 6544): neither side is told of the other's UDP candidates.
#[tokio::test]
async fn streams_carry_what_datagrams_do_not() {
    let connection = || {
        let settings = Settings::default().loopback(true).ice_tcp(true);
        PeerConnection::with_settings(Configuration::default(), settings).unwrap()
    };
    let (near, far) = (connection(), connection());
    let sent = near
        .create_data_channel("data", DataChannelInit::default())
        .unwrap();
    near.set_local_description(None).await.unwrap();
    far.set_remote_description(over_tcp(within(near.gathered()).await.unwrap()))
        .await
        .unwrap();
    far.set_local_description(None).await.unwrap();
    near.set_remote_description(over_tcp(within(far.gathered()).await.unwrap()))
        .await
        .unwrap();
    let came = within(far.next_data_channel()).await.unwrap();
    within(sent.opened()).await.unwrap();
    let chunk = Bytes::from(vec![7; 100_000]);
    let sending = async {
        for _ in 0..40 {
            sent.send(chunk.clone()).await.unwrap();
        }
    };
    let receiving = async {
        for _ in 0..40 {
            let message = within(came.recv()).await.unwrap();
            assert_eq!(message, Message::Binary(chunk.clone()));
        }
        came.send("back").await.unwrap();
    };
    tokio::join!(sending, receiving);
    assert_eq!(within(sent.recv()).await, Some(Message::from("back")));
    for connection in [&near, &far] {
        let transport = connection.sctp().unwrap().transport().unwrap();
        let pair = transport.ice_transport().selected_candidate_pair().unwrap();
        assert_eq!(pair.local.protocol(), Some(Protocol::Tcp));
    }
    // The peer's end of the streams ends as well.
    near.close();
    within(came.closed()).await.unwrap();
}

/// The description without candidates over UDP.
fn over_tcp(mut description: SessionDescription) -> SessionDescription {
    let lines = description.sdp.lines();
    let kept = lines.filter(|line| !line.starts_with("a=candidate:") || line.contains(" tcptype "));
    description.sdp = kept.map(|line| format!("{line}\r\n")).collect();
    assert!(description.sdp.contains(" tcptype passive"));
    description
}
