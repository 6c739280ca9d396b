//! oxirtc: on tokio, an endpoint a connection.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use oxirtc_peerconnection::{
    Configuration, DataChannel, DataChannelInit, Endpoint, PeerConnection, SessionDescription,
    engine::Settings,
};

use crate::{
    path::Path,
    relay::Relay,
    work::{self, Flow, Flowed, SetUps, Stack},
};

/// With settings of its own, and a name that says so.
pub struct Oxirtc {
    pub name: &'static str,
    pub settings: Settings,
}

impl Stack for Oxirtc {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> &'static str {
        "0.1"
    }

    fn flow(&self, flow: Flow, path: Option<Path>, time: Duration) -> Result<Flowed> {
        let relay = path.map(Relay::start).transpose()?;
        work::runtime()?.block_on(async {
            let pair = Pair::connect(flow.reliable, relay.as_ref(), &self.settings).await?;
            let (cpu, start) = (work::cpu()?, Instant::now());
            let sender = pair.near_channel.clone();
            let sending = tokio::spawn(async move {
                let message = Bytes::from(vec![7; flow.message]);
                while sender.send(message.clone()).await.is_ok() {}
            });
            let mut messages = 0;
            let end = tokio::time::Instant::from_std(start + time);
            let receiver = &pair.far_channel;
            let receiving = async {
                while receiver.recv().await.is_some() {
                    messages += 1;
                }
            };
            // Not a timeout a message: that would measure timers.
            let ended = tokio::time::timeout_at(end, receiving).await;
            let (wall, cpu) = (start.elapsed(), work::cpu()? - cpu);
            sending.abort();
            if ended.is_ok() {
                bail!("the channel closed");
            }
            Ok(Flowed {
                messages,
                wall,
                cpu,
            })
        })
    }

    fn ping_pong(&self, rounds: usize) -> Result<Vec<Duration>> {
        let settings = self.settings.clone();
        // In a task, as a program's own code would be: `block_on` has a thread of its own to wake.
        work::runtime()?.block_on(async {
            tokio::spawn(async move {
                let Pair {
                    near_channel,
                    far_channel,
                    ..
                } = &Pair::connect(true, None, &settings).await?;
                let echo = far_channel.clone();
                let echoing = tokio::spawn(async move {
                    while let Some(message) = echo.recv().await {
                        echo.send(message).await?;
                    }
                    anyhow::Ok(())
                });
                let mut times = Vec::with_capacity(rounds);
                let message = Bytes::from(vec![7; 100]);
                while times.len() < rounds {
                    let start = Instant::now();
                    near_channel.send(message.clone()).await?;
                    near_channel.recv().await.context("open")?;
                    times.push(start.elapsed());
                }
                echoing.abort();
                anyhow::Ok(times)
            })
            .await?
        })
    }

    fn set_up(&self, connections: usize) -> Result<SetUps> {
        work::runtime()?.block_on(async {
            let cpu = work::cpu()?;
            let mut times = Vec::with_capacity(connections);
            for _ in 0..connections {
                let start = Instant::now();
                let pair = Pair::connect(true, None, &self.settings).await?;
                times.push(start.elapsed());
                pair.near.close();
                pair.far.close();
            }
            Ok(SetUps {
                times,
                cpu: work::cpu()? - cpu,
            })
        })
    }
}

struct Pair {
    near: PeerConnection,
    far: PeerConnection,
    near_channel: DataChannel,
    far_channel: DataChannel,
}

impl Pair {
    /// Two connections with one channel that both have open.
    async fn connect(reliable: bool, relay: Option<&Relay>, settings: &Settings) -> Result<Self> {
        let (near, far) = (connection(settings)?, connection(settings)?);
        let init = DataChannelInit {
            ordered: reliable,
            max_retransmits: (!reliable).then_some(0),
            ..DataChannelInit::default()
        };
        let near_channel = near.create_data_channel("data", init)?;
        // The same description for all stacks: with all candidates.
        near.set_local_description(None).await?;
        let through = |mut description: SessionDescription, port: usize| {
            if let Some(relay) = relay {
                description.sdp = Relay::through(&description.sdp, relay.ports[port]);
            }
            description
        };
        far.set_remote_description(through(near.gathered().await?, 1))
            .await?;
        far.set_local_description(None).await?;
        near.set_remote_description(through(far.gathered().await?, 0))
            .await?;
        let far_channel = far.next_data_channel().await?;
        near_channel.opened().await?;
        far_channel.opened().await?;
        Ok(Self {
            near,
            far,
            near_channel,
            far_channel,
        })
    }
}

/// On one address, as the others.
fn connection(settings: &Settings) -> Result<PeerConnection> {
    let endpoint = Endpoint::bind((Ipv4Addr::LOCALHOST, 0))?.with_settings(settings.clone());
    Ok(endpoint.peer_connection(Configuration::default())?)
}
