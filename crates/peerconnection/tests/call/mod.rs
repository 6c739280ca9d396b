//! Two connections in one process, over sockets of this machine.

use std::time::Duration;

use oxirtc_peerconnection::{Configuration, PeerConnection, engine::Settings};

/// What takes longer than this on loopback has failed.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .unwrap()
}

pub(crate) fn connection() -> PeerConnection {
    let settings = Settings::default().loopback(true);
    PeerConnection::with_settings(Configuration::default(), settings).unwrap()
}

/// An offer of `near` and the answer of `far`, with all candidates.
pub(crate) async fn negotiate(near: &PeerConnection, far: &PeerConnection) {
    near.set_local_description(None).await.unwrap();
    let offer = within(near.gathered()).await.unwrap();
    far.set_remote_description(offer).await.unwrap();
    far.set_local_description(None).await.unwrap();
    let answer = within(far.gathered()).await.unwrap();
    near.set_remote_description(answer).await.unwrap();
}
