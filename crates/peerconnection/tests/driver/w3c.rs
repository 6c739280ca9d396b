//! Rows of W3C's that are about objects and promises.

use futures_util::{FutureExt, StreamExt};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, ErrorKind, Event, Message, PeerConnection, SdpType,
    SignalingState,
    engine::Settings,
    stats::{DataChannelState, StatsType},
};

use crate::pair::{Pair, within};

fn connection() -> PeerConnection {
    let settings = Settings::default().loopback(true);
    PeerConnection::with_settings(Configuration::default(), settings).unwrap()
}

/// [4.4.1.2-02] [4.4.1.2-03] [4.4.1.2-04] [4.4.1.2-07] [4.4.2-49] Operations begin at once, in the order of their calls, each after the result of the one
/// before it; one that fails stops nothing.
#[tokio::test]
async fn operations_run_in_the_order_of_their_calls() {
    let (here, there) = (connection(), connection());
    here.create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let set = here.set_local_description(None).now_or_never();
    assert_eq!(
        set,
        Some(Ok(())),
        "nothing is under way, so it is done at once"
    );
    let offer = here.gathered().await.unwrap();
    let mut candidate = None;
    while candidate.is_none() {
        if let Event::IceCandidate(Some(it)) = within(here.next_event()).await.unwrap() {
            candidate = Some(it);
        }
    }
    let (early, (set, between), added, answer, applied, late) = tokio::join!(
        there.create_answer(),
        async {
            (
                there.set_remote_description(offer).await,
                there.signaling_state(),
            )
        },
        there.add_ice_candidate(candidate),
        there.create_answer(),
        there.set_local_description(None),
        there.create_answer(),
    );
    assert_eq!(early.unwrap_err().kind(), ErrorKind::InvalidState);
    assert_eq!((set, added, applied), (Ok(()), Ok(()), Ok(())));
    let open = SignalingState::HaveRemoteOffer;
    assert_eq!(between, open, "its result comes before the next begins");
    assert_eq!(answer.unwrap().kind, SdpType::Answer);
    assert_eq!(late.unwrap_err().kind(), ErrorKind::InvalidState);
    assert_eq!(there.signaling_state(), SignalingState::Stable);
}

/// [4.4.1.2-05] What waits when the connection closes ends with an error.
#[tokio::test]
async fn what_waits_for_a_closed_connection_ends() {
    let here = connection();
    let channel = here
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let waits = tokio::spawn({
        let (here, channel) = (here.clone(), channel.clone());
        async move { tokio::join!(channel.opened(), here.next_data_channel()) }
    });
    tokio::task::yield_now().await;
    here.close();
    let (opened, incoming) = within(waits).await.unwrap();
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Aborted);
    assert_eq!(incoming.unwrap_err().kind(), ErrorKind::Aborted);
}

/// [6.4-01] A channel lives as long as a handle of it, whoever else has gone.
#[tokio::test]
async fn a_channel_outlives_other_handles() {
    let Pair {
        near,
        far,
        near_channel,
        far_channel,
    } = Pair::private().await;
    assert_eq!(far_channel.label(), near_channel.label());
    assert_eq!(far_channel.id(), near_channel.id());
    drop((near, far));
    near_channel.send("still there").await.unwrap();
    assert_eq!(
        within(far_channel.recv()).await,
        Some(Message::from("still there"))
    );
    drop(near_channel);
    assert_eq!(
        within(far_channel.recv()).await,
        None,
        "with the last handle it closes"
    );
}

/// [8.2-03] [8.2-04] Statistics wait for nothing, and are there before and after everything.
#[tokio::test]
async fn statistics_wait_for_nothing() {
    let Pair {
        near,
        far,
        near_channel,
        ..
    } = Pair::private().await;
    let report = near.get_stats(None).now_or_never();
    let report = report.expect("at once").unwrap();
    assert!(report.of_type(StatsType::Transport).count() == 1);
    let about = near.get_stats(&near_channel).await.unwrap();
    assert!(about.len() < report.len() && about.data_channels().count() == 1);
    // Of another connection's channel there is nothing to tell.
    let error = far.get_stats(&near_channel).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidAccess);
    near.close();
    let last = near.get_stats(None).await.unwrap();
    assert_eq!(last.of_type(StatsType::Transport).count(), 1);
    let states: Vec<_> = last.data_channels().map(|it| it.state).collect();
    assert_eq!(states, [DataChannelState::Closed]);
}

/// [8.5-01] Who asks is told the last values of what ends, by a stream that ends with the connection.
#[tokio::test]
async fn ended_statistics_come_as_a_stream() {
    let Pair {
        near,
        far: _far,
        near_channel,
        far_channel,
    } = Pair::private().await;
    let mut ended = near.ended_stats();
    near_channel.send("three").await.unwrap();
    within(far_channel.recv()).await.unwrap();
    near_channel.close();
    within(near_channel.closed()).await.unwrap();
    drop(near_channel);
    let report = within(ended.next()).await.unwrap();
    let counts: Vec<_> = report.data_channels().map(|it| it.bytes_sent).collect();
    assert_eq!(counts, [Some(5)]);
    assert!(
        ended.next().now_or_never().is_none(),
        "nothing else has ended"
    );
    near.close();
    assert!(within(ended.next()).await.is_none());
}
