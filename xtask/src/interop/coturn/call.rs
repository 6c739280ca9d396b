//! Two connections of ours that reach each other through relays alone.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use oxirtc_peerconnection::{
    Configuration, DataChannel, DataChannelInit, Event, IceCandidate, IceCandidateType, IceServer,
    IceTransportPolicy, Message, PeerConnection, engine::Settings,
};
use ring::digest::{Context as Digest, SHA256};
use tokio::time::timeout;

use super::server::Coturn;

/// Two connections, and both ends of a channel.
pub(crate) struct Call {
    near: PeerConnection,
    far: PeerConnection,
    near_channel: DataChannel,
    far_channel: DataChannel,
}

/// What a connection tells while it gathers.
pub(crate) struct Gathered {
    pub(crate) candidates: Vec<IceCandidate>,
    /// Code and URL of each `icecandidateerror`.
    pub(crate) errors: Vec<(u16, String)>,
}

/// The settings for this server's certificate.
pub(crate) fn settings(coturn: &Coturn) -> Settings {
    Settings::default().tls_roots([coturn.root.clone()])
}

/// A connection that uses relays alone, and what it has gathered. Its channel keeps the section in the description.
pub(crate) async fn gather(
    server: IceServer,
    settings: Settings,
) -> anyhow::Result<(PeerConnection, DataChannel, Gathered)> {
    let connection = connection(server, settings)?;
    let channel = connection.create_data_channel("relayed", DataChannelInit::default())?;
    connection.set_local_description(None).await?;
    let gathered = timeout(PATIENCE, all_of(&connection)).await;
    Ok((
        connection,
        channel,
        gathered.context("gathering does not end")??,
    ))
}

async fn all_of(connection: &PeerConnection) -> anyhow::Result<Gathered> {
    let (mut candidates, mut errors) = (Vec::new(), Vec::new());
    while let Some(event) = connection.next_event().await {
        match event {
            Event::IceCandidate(None) => return Ok(Gathered { candidates, errors }),
            Event::IceCandidate(Some(it)) if !it.candidate().is_empty() => candidates.push(it),
            Event::IceCandidateError(error) => errors.push((error.error_code, error.url)),
            _ => {}
        }
    }
    bail!("the connection has ended")
}

/// A connection that uses relays alone.
pub(crate) fn connection(server: IceServer, settings: Settings) -> anyhow::Result<PeerConnection> {
    let configuration = Configuration {
        ice_servers: vec![server],
        ice_transport_policy: IceTransportPolicy::Relay,
        ..Configuration::default()
    };
    Ok(PeerConnection::with_settings(configuration, settings)?)
}

impl Call {
    /// Connects two by the servers that each is given.
    pub(crate) async fn connect(
        servers: [IceServer; 2],
        settings: Settings,
    ) -> anyhow::Result<Self> {
        let [one, other] = servers;
        let (near, near_channel, gathered) = gather(one, settings.clone()).await?;
        ensure!(gathered.errors.is_empty(), "errors: {:?}", gathered.errors);
        ensure!(!gathered.candidates.is_empty(), "no relayed candidate");
        let relayed = |it: &IceCandidate| it.kind() == Some(IceCandidateType::Relay);
        ensure!(
            gathered.candidates.iter().all(relayed),
            "a candidate that is not relayed"
        );
        let far = connection(other, settings)?;
        let offer = near.local_description().context("no description")?;
        far.set_remote_description(offer).await?;
        far.set_local_description(None).await?;
        near.set_remote_description(far.gathered().await?).await?;
        let far_channel = timeout(PATIENCE, far.next_data_channel()).await;
        let far_channel = far_channel.context("no channel arrived")??;
        timeout(PATIENCE, near_channel.opened())
            .await
            .context("the channel does not open")??;
        Ok(Self {
            near,
            far,
            near_channel,
            far_channel,
        })
    }

    /// The protocols between the two and their servers.
    pub(crate) fn relay_protocols(&self) -> anyhow::Result<Vec<String>> {
        let mut protocols = Vec::new();
        for connection in [&self.near, &self.far] {
            let transport = connection.sctp().and_then(|sctp| sctp.transport());
            let transport = transport.context("no transport")?.ice_transport();
            let local = transport.local_candidates();
            let protocol = local.iter().find_map(IceCandidate::relay_protocol);
            protocols.push(format!("{:?}", protocol.context("no relayed candidate")?));
        }
        Ok(protocols)
    }

    /// That many bytes each way at the same time, with digests at both ends.
    pub(crate) async fn exchange(&self, total: usize) -> anyhow::Result<()> {
        let (near, far) = (&self.near_channel, &self.far_channel);
        let (sent, back, came, came_back) = tokio::try_join!(
            send(near, 1, total),
            send(far, 2, total),
            receive(far, total),
            receive(near, total),
        )?;
        ensure!(sent == came, "what came is not what was sent");
        ensure!(back == came_back, "what came back is not what was sent");
        Ok(())
    }

    /// A short word there and back.
    pub(crate) async fn echo(&self) -> anyhow::Result<()> {
        timeout(WORD, self.exchange(1))
            .await
            .context("no echo any more")?
    }

    pub(crate) fn end(&self) {
        self.near.close();
        self.far.close();
    }
}

async fn send(channel: &DataChannel, seed: u8, total: usize) -> anyhow::Result<Vec<u8>> {
    let mut digest = Digest::new(&SHA256);
    for (index, at) in (0..total).step_by(PIECE).enumerate() {
        // No two pieces are the same.
        let mut piece = vec![seed; PIECE.min(total - at)];
        let mark = (index as u64).to_le_bytes();
        piece
            .iter_mut()
            .zip(mark)
            .for_each(|(byte, mark)| *byte ^= mark);
        digest.update(&piece);
        channel.send(Bytes::from(piece)).await?;
    }
    Ok(digest.finish().as_ref().to_vec())
}

async fn receive(channel: &DataChannel, total: usize) -> anyhow::Result<Vec<u8>> {
    let mut digest = Digest::new(&SHA256);
    let mut came = 0;
    while came < total {
        let message = channel.recv().await;
        let message = message.with_context(|| format!("closed after {came} bytes"))?;
        let Message::Binary(piece) = message else {
            bail!("text came");
        };
        digest.update(&piece);
        came += piece.len();
    }
    Ok(digest.finish().as_ref().to_vec())
}

const PIECE: usize = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(30);
const WORD: Duration = Duration::from_secs(10);
