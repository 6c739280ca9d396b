//! webrtc: on tokio, with a runtime that sets the buffers of its sockets.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::BytesMut;
use tokio::sync::mpsc;
use webrtc::{
    data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit},
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
        RTCIceGatheringState, RTCSessionDescription,
    },
    runtime::{
        AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
        TokioRuntime,
    },
};

use crate::{
    path::Path,
    relay::Relay,
    work::{self, Flow, Flowed, SetUps, Stack},
};

pub struct Webrtc;

impl Stack for Webrtc {
    fn name(&self) -> &'static str {
        "webrtc"
    }

    fn version(&self) -> &'static str {
        "0.21"
    }

    fn flow(&self, flow: Flow, path: Option<Path>, time: Duration) -> Result<Flowed> {
        let relay = path.map(Relay::start).transpose()?;
        work::runtime()?.block_on(async {
            let pair = Pair::connect(flow.reliable, relay.as_ref()).await?;
            let (cpu, start) = (work::cpu()?, Instant::now());
            let sender = pair.near_channel.clone();
            let sending = tokio::spawn(async move {
                let message = BytesMut::from(vec![7; flow.message].as_slice());
                while sender.send(message.clone()).await.is_ok() {}
            });
            let mut messages = 0;
            let end = tokio::time::Instant::from_std(start + time);
            while let Ok(Some(event)) = tokio::time::timeout_at(end, pair.far_channel.poll()).await
            {
                messages += u64::from(matches!(event, DataChannelEvent::OnMessage(_)));
            }
            let (wall, cpu) = (start.elapsed(), work::cpu()? - cpu);
            sending.abort();
            Ok(Flowed {
                messages,
                wall,
                cpu,
            })
        })
    }

    fn ping_pong(&self, rounds: usize) -> Result<Vec<Duration>> {
        // In a task, as a program's own code would be: `block_on` has a thread of its own to wake.
        work::runtime()?.block_on(async {
            tokio::spawn(async move {
                let Pair {
                    near_channel,
                    far_channel,
                    ..
                } = &Pair::connect(true, None).await?;
                let echo = far_channel.clone();
                let echoing = tokio::spawn(async move {
                    while let Some(event) = echo.poll().await {
                        if let DataChannelEvent::OnMessage(message) = event {
                            echo.send(message.data).await?;
                        }
                    }
                    anyhow::Ok(())
                });
                let mut times = Vec::with_capacity(rounds);
                let message = BytesMut::from([7; 100].as_slice());
                while times.len() < rounds {
                    let start = Instant::now();
                    near_channel.send(message.clone()).await?;
                    while !matches!(
                        near_channel.poll().await.context("open")?,
                        DataChannelEvent::OnMessage(_)
                    ) {}
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
                let pair = Pair::connect(true, None).await?;
                times.push(start.elapsed());
                pair.near.close().await?;
                pair.far.close().await?;
            }
            Ok(SetUps {
                times,
                cpu: work::cpu()? - cpu,
            })
        })
    }
}

struct Pair {
    near: Arc<dyn PeerConnection>,
    far: Arc<dyn PeerConnection>,
    near_channel: Arc<dyn DataChannel>,
    far_channel: Arc<dyn DataChannel>,
}

impl Pair {
    /// Two connections with one channel that both have open.
    async fn connect(reliable: bool, relay: Option<&Relay>) -> Result<Self> {
        let (near, mut near_events) = connection().await?;
        let (far, mut far_events) = connection().await?;
        let init = RTCDataChannelInit {
            ordered: reliable,
            max_retransmits: (!reliable).then_some(0),
            ..RTCDataChannelInit::default()
        };
        let near_channel = near.create_data_channel("data", Some(init)).await?;
        let offer = near.create_offer(None).await?;
        near.set_local_description(offer).await?;
        near_events.gathered.recv().await.context("gathered")?;
        let mut offer = near.local_description().await.context("an offer")?;
        if let Some(relay) = relay {
            offer = RTCSessionDescription::offer(Relay::through(&offer.sdp, relay.ports[1]))?;
        }
        far.set_remote_description(offer).await?;
        let answer = far.create_answer(None).await?;
        far.set_local_description(answer).await?;
        far_events.gathered.recv().await.context("gathered")?;
        let mut answer = far.local_description().await.context("an answer")?;
        if let Some(relay) = relay {
            answer = RTCSessionDescription::answer(Relay::through(&answer.sdp, relay.ports[0]))?;
        }
        near.set_remote_description(answer).await?;
        let far_channel = far_events.channels.recv().await.context("a channel")?;
        for channel in [&near_channel, &far_channel] {
            while !matches!(
                channel.poll().await.context("open")?,
                DataChannelEvent::OnOpen
            ) {}
        }
        Ok(Self {
            near,
            far,
            near_channel,
            far_channel,
        })
    }
}

struct Events {
    gathered: mpsc::Receiver<()>,
    channels: mpsc::Receiver<Arc<dyn DataChannel>>,
}

struct Observer {
    gathered: mpsc::Sender<()>,
    channels: mpsc::Sender<Arc<dyn DataChannel>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Observer {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.try_send(());
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let _ = self.channels.try_send(channel);
    }
}

async fn connection() -> Result<(Arc<dyn PeerConnection>, Events)> {
    let (gathered_sender, gathered) = mpsc::channel(1);
    let (channels_sender, channels) = mpsc::channel(1);
    let observer = Observer {
        gathered: gathered_sender,
        channels: channels_sender,
    };
    let connection = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_handler(Arc::new(observer))
        .with_runtime(LargeBuffers::new())
        .with_udp_addrs(vec!["127.0.0.1:0".to_string()])
        .with_data_channel_send_buffer_limit(SEND_BUFFER)
        .build()
        .await?;
    Ok((Arc::new(connection), Events { gathered, channels }))
}

/// tokio, with large socket buffers.
#[derive(Debug)]
pub struct LargeBuffers(TokioRuntime);

impl LargeBuffers {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(TokioRuntime))
    }
}

impl Runtime for LargeBuffers {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        self.0.spawn(future)
    }

    fn spawn_reactor(
        &self,
        size: usize,
        future: Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Box<dyn JoinHandle> {
        self.0.spawn_reactor(size, future)
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        work::set_buffers(&socket)?;
        self.0.wrap_udp_socket(socket)
    }

    fn wrap_tcp_listener(&self, listener: TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        self.0.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        address: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        self.0.connect_tcp(address)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        self.0.resolve_host(host)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.0.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.0.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.0.block_on(future);
    }

    fn yield_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        self.0.yield_now()
    }
}

/// Without a limit its queue takes all memory.
const SEND_BUFFER: usize = 4 << 20;
