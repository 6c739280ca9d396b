//! webrtc: local tracks of packets, and a channel from which each receiver's task takes what comes, as its example of a broadcast
//! has it.

use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use rtc::{
    media_stream::MediaStreamTrack,
    rtp::{Header, Packet},
    rtp_transceiver::rtp_sender::{
        RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
    },
};
use tokio::{
    sync::{Notify, broadcast, mpsc},
    task::JoinSet,
    time::timeout,
};
use webrtc::{
    media_stream::{
        track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP},
        track_remote::{TrackRemote, TrackRemoteEvent},
    },
    peer_connection::{
        MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler,
        RTCConfigurationBuilder, RTCIceGatheringState, RTCPeerConnectionState, Registry,
        SettingEngineBuilder, SrtpProtectionProfile, register_default_interceptors,
    },
};

use super::{
    film::{FRAME, Film},
    row::{Carried, Meter, PATIENCE, Protection, Tracks, Work},
    window::Window,
};
use crate::{webrtc::LargeBuffers, work};

pub struct Webrtc;

impl Tracks for Webrtc {
    fn carry(&self, work: Work, meter: Meter) -> Result<Carried> {
        work::runtime_of(work.threads)?.block_on(carry(work, meter))
    }
}

async fn carry(work: Work, meter: Meter) -> Result<Carried> {
    let profile = match work.protection {
        Protection::Cm => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        Protection::Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
    };
    let room = Arc::new(Notify::new());
    let woken = room.clone();
    let window = Arc::new(work.window(move || woken.notify_one()));
    let mut tasks = JoinSet::new();
    let mut kept = Vec::new();
    let near = Pair::connect(profile, PUBLISHED).await?;
    tasks.spawn(write(near.track, window.clone(), room));
    // A remote track is there with its first packet.
    let mut arrivals = near.arrivals;
    let received = timeout(PATIENCE, arrivals.recv())
        .await?
        .context("a track")?;
    kept.extend(near.connections);
    if let Some(receivers) = work.receivers {
        let (forwarded, _) = broadcast::channel(CHANNEL);
        for at in 0..receivers {
            let ssrc = PUBLISHED + 1 + at as u32;
            let pair = Pair::connect(profile, ssrc).await?;
            tasks.spawn(send(pair.track, forwarded.subscribe(), ssrc));
            let (mut arrivals, window) = (pair.arrivals, window.clone());
            tasks.spawn(async move {
                let track = arrivals.recv().await.context("a track")?;
                count(track, window).await
            });
            kept.extend(pair.connections);
        }
        tasks.spawn(forward(received, forwarded));
    } else {
        tasks.spawn(count(received, window.clone()));
    }
    let carried = meter.run_async(&window).await?;
    tasks.shutdown().await;
    for connection in kept {
        connection.close().await?;
    }
    Ok(carried)
}

struct Pair {
    connections: [Arc<dyn PeerConnection>; 2],
    /// What the first sends.
    track: Arc<TrackLocalStaticRTP>,
    /// What comes to the second.
    arrivals: mpsc::Receiver<Arc<dyn TrackRemote>>,
}

impl Pair {
    /// Two connections, of which the first sends a track with this SSRC.
    async fn connect(profile: SrtpProtectionProfile, ssrc: u32) -> Result<Self> {
        let (near, mut near_events) = connection(profile).await?;
        let (far, mut far_events) = connection(profile).await?;
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(ssrc),
                ..RTCRtpCodingParameters::default()
            },
            codec: RTCRtpCodec {
                mime_type: "video/VP8".into(),
                clock_rate: 90_000,
                ..RTCRtpCodec::default()
            },
            ..RTCRtpEncodingParameters::default()
        };
        let track = Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
            format!("stream-{ssrc}"),
            format!("track-{ssrc}"),
            format!("label-{ssrc}"),
            RtpCodecKind::Video,
            vec![encoding],
        )));
        near.add_track(track.clone()).await?;
        let offer = near.create_offer(None).await?;
        near.set_local_description(offer).await?;
        near_events.gathered.recv().await.context("gathered")?;
        let offer = near.local_description().await.context("an offer")?;
        far.set_remote_description(offer).await?;
        let answer = far.create_answer(None).await?;
        far.set_local_description(answer).await?;
        far_events.gathered.recv().await.context("gathered")?;
        let answer = far.local_description().await.context("an answer")?;
        near.set_remote_description(answer).await?;
        for events in [&mut near_events, &mut far_events] {
            timeout(PATIENCE, events.connected.recv())
                .await?
                .context("connected")?;
        }
        Ok(Self {
            connections: [near, far],
            track,
            arrivals: far_events.tracks,
        })
    }
}

struct Events {
    gathered: mpsc::Receiver<()>,
    connected: mpsc::Receiver<()>,
    tracks: mpsc::Receiver<Arc<dyn TrackRemote>>,
}

struct Observer {
    gathered: mpsc::Sender<()>,
    connected: mpsc::Sender<()>,
    tracks: mpsc::Sender<Arc<dyn TrackRemote>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Observer {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.try_send(());
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            let _ = self.connected.try_send(());
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let _ = self.tracks.try_send(track);
    }
}

async fn connection(profile: SrtpProtectionProfile) -> Result<(Arc<dyn PeerConnection>, Events)> {
    let (gathered_sender, gathered) = mpsc::channel(1);
    let (connected_sender, connected) = mpsc::channel(1);
    let (tracks_sender, tracks) = mpsc::channel(1);
    let observer = Observer {
        gathered: gathered_sender,
        connected: connected_sender,
        tracks: tracks_sender,
    };
    let mut engine = MediaEngine::default();
    engine.register_default_codecs()?;
    let registry = register_default_interceptors(Registry::new(), &mut engine)?;
    let settings = SettingEngineBuilder::new()
        .with_srtp_protection_profiles(vec![profile])
        .build();
    let connection = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_setting_engine(settings)
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(observer))
        .with_runtime(LargeBuffers::new())
        .with_udp_addrs(vec!["127.0.0.1:0".to_string()])
        .build()
        .await?;
    let events = Events {
        gathered,
        connected,
        tracks,
    };
    Ok((Arc::new(connection), events))
}

async fn write(
    track: Arc<TrackLocalStaticRTP>,
    window: Arc<Window>,
    room: Arc<Notify>,
) -> Result<()> {
    let mut film = Film::new(Bytes::from);
    loop {
        if !window.has_room() {
            window.wait(&room).await;
            continue;
        }
        window.wrote(FRAME);
        for _ in 0..FRAME {
            let shot = film.next();
            let packet = Packet {
                header: Header {
                    version: 2,
                    marker: shot.marker,
                    payload_type: VP8,
                    sequence_number: shot.sequence as u16,
                    timestamp: shot.timestamp,
                    ssrc: PUBLISHED,
                    ..Header::default()
                },
                payload: shot.payload,
            };
            track.write_rtp(packet).await?;
        }
    }
}

/// From the peer that brings the track into the channel.
async fn forward(track: Arc<dyn TrackRemote>, forwarded: broadcast::Sender<Packet>) -> Result<()> {
    while let Some(event) = track.poll().await {
        if let TrackRemoteEvent::OnRtpPacket(packet) = event {
            // An error says that nobody takes it.
            let _ = forwarded.send(packet);
        }
    }
    Ok(())
}

/// From the channel to one receiver.
async fn send(
    track: Arc<TrackLocalStaticRTP>,
    mut forwarded: broadcast::Receiver<Packet>,
    ssrc: u32,
) -> Result<()> {
    loop {
        match forwarded.recv().await {
            Ok(mut packet) => {
                packet.header.ssrc = ssrc;
                track.write_rtp(packet).await?;
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return Ok(()),
        }
    }
}

async fn count(track: Arc<dyn TrackRemote>, window: Arc<Window>) -> Result<()> {
    while let Some(event) = track.poll().await {
        if matches!(event, TrackRemoteEvent::OnRtpPacket(_)) {
            window.arrived(1);
        }
    }
    Ok(())
}

const PUBLISHED: u32 = 1000;
/// Its payload type among the defaults.
const VP8: u8 = 96;
/// Packets that a receiver's task may be behind.
const CHANNEL: usize = 4096;
