//! Two connections that trickle to each other.

use std::time::Duration;

use oxirtc_peerconnection::{
    Configuration, DataChannel, DataChannelInit, Event, PeerConnection, engine::Settings,
};

/// Two connections with a channel that both have open.
pub(crate) struct Pair {
    pub(crate) near: PeerConnection,
    pub(crate) far: PeerConnection,
    pub(crate) near_channel: DataChannel,
    pub(crate) far_channel: DataChannel,
}

impl Pair {
    /// On sockets of their own, loopback allowed, as a machine may have nothing else.
    pub(crate) async fn private() -> Self {
        let settings = || Settings::default().loopback(true);
        let connection =
            || PeerConnection::with_settings(Configuration::default(), settings()).unwrap();
        Self::connect(connection(), connection(), DataChannelInit::default()).await
    }

    pub(crate) async fn connect(
        near: PeerConnection,
        far: PeerConnection,
        init: DataChannelInit,
    ) -> Self {
        let near_channel = near.create_data_channel("data", init).unwrap();
        let offer = near.create_offer(None).await.unwrap();
        near.set_local_description(Some(offer)).await.unwrap();
        far.set_remote_description(near.local_description().unwrap())
            .await
            .unwrap();
        far.set_local_description(None).await.unwrap();
        near.set_remote_description(far.local_description().unwrap())
            .await
            .unwrap();
        let trickling = tokio::spawn(trickle(near.clone(), far.clone()));
        let far_channel = incoming(&far, &near).await;
        trickling.abort();
        within(near_channel.opened()).await.unwrap();
        within(far_channel.opened()).await.unwrap();
        Self {
            near,
            far,
            near_channel,
            far_channel,
        }
    }
}

/// Hands the candidates of one connection to the other.
async fn trickle(from: PeerConnection, to: PeerConnection) {
    while let Some(event) = from.next_event().await {
        if let Event::IceCandidate(candidate) = event {
            to.add_ice_candidate(candidate).await.unwrap();
        }
    }
}

/// The channel that the peer opens; candidates go on to it meanwhile.
async fn incoming(connection: &PeerConnection, peer: &PeerConnection) -> DataChannel {
    loop {
        match within(connection.next_event()).await.unwrap() {
            Event::DataChannel(channel) => return channel,
            Event::IceCandidate(candidate) => peer.add_ice_candidate(candidate).await.unwrap(),
            _ => {}
        }
    }
}

/// What takes longer than this on loopback has failed.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap()
}
