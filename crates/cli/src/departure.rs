//! How a peer goes away.

use oxirtc_peerconnection::{Event, PeerConnection, PeerConnectionState};

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Departure {
    /// The peer has said goodbye.
    Left,
    /// Nothing gets through to the peer.
    Lost,
    /// It was closed here.
    Closed,
}

impl Departure {
    /// Waits for it. Reads the events of the connection.
    pub(crate) async fn of(peer: &PeerConnection) -> Self {
        loop {
            match peer.next_event().await {
                Some(Event::PeerClosed) => return Self::Left,
                Some(Event::ConnectionStateChange(PeerConnectionState::Failed)) => {
                    return Self::Lost;
                }
                Some(_) => {}
                None => return Self::Closed,
            }
        }
    }
}
