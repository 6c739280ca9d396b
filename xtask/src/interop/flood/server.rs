//! The process with one port: it answers, and echoes.

use std::net::SocketAddr;

use anyhow::Context as _;
use oxirtc_peerconnection::{
    Configuration, DataChannel, Endpoint, Event, IceCandidatePair, PeerConnection,
    PeerConnectionState, SessionDescription,
};

/// One port, and its connections.
#[derive(Debug)]
pub(super) struct Server {
    endpoint: Endpoint,
    connections: Vec<PeerConnection>,
}

impl Server {
    pub(super) fn start(address: &str) -> anyhow::Result<Self> {
        Ok(Self {
            endpoint: Endpoint::bind((address, 0))?,
            connections: Vec::new(),
        })
    }

    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.endpoint.local_address()?)
    }

    /// Ends all of them.
    pub(super) fn close(self) {
        for connection in &self.connections {
            connection.close();
        }
    }

    /// One more connection.
    pub(super) async fn answer(
        &mut self,
        offer: SessionDescription,
    ) -> anyhow::Result<SessionDescription> {
        let connection = self.endpoint.peer_connection(Configuration::default())?;
        connection.set_remote_description(offer).await?;
        connection.set_local_description(None).await?;
        let answer = connection.gathered().await?;
        tokio::spawn(serve(connection.clone()));
        self.connections.push(connection);
        Ok(answer)
    }

    pub(super) fn connected(&self) -> usize {
        let connected =
            |it: &&PeerConnection| it.connection_state() == PeerConnectionState::Connected;
        self.connections.iter().filter(connected).count()
    }

    /// The pair that each has in use.
    pub(super) fn pairs(&self) -> anyhow::Result<Vec<IceCandidatePair>> {
        let pair = |connection: &PeerConnection| {
            let transport = connection.sctp()?.transport()?.ice_transport();
            transport.selected_candidate_pair()
        };
        let mut connections = self.connections.iter();
        let found: Option<Vec<_>> = connections.by_ref().map(pair).collect();
        found.context("a connection has no pair")
    }
}

async fn serve(connection: PeerConnection) {
    while let Some(event) = connection.next_event().await {
        if let Event::DataChannel(channel) = event {
            tokio::spawn(echo(channel));
        }
    }
}

async fn echo(channel: DataChannel) {
    while let Some(message) = channel.recv().await {
        if channel.send(message).await.is_err() {
            return;
        }
    }
}
