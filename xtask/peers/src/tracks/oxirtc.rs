//! oxirtc: tracks of packets, and a track that is sent on.

use std::{net::Ipv4Addr, sync::Arc};

use anyhow::{Context, Result};
use bytes::Bytes;
use oxirtc_peerconnection::{
    Configuration, Endpoint, Event, MediaKind, MediaStreamTrack, PeerConnection,
    RtpTransceiverDirection, RtpTransceiverInit,
    engine::{Choice, Settings, SrtpProfile},
    media::{Codec, PacketWriter, RtpPacket},
};
use tokio::{sync::Notify, task::JoinSet, time::timeout};

use super::{
    film::{FRAME, Film},
    row::{Carried, Meter, PATIENCE, Protection, Tracks, Work},
    window::Window,
};
use crate::work;

pub struct Oxirtc;

impl Tracks for Oxirtc {
    fn carry(&self, work: Work, meter: Meter) -> Result<Carried> {
        work::runtime_of(work.threads)?.block_on(carry(work, meter))
    }
}

async fn carry(work: Work, meter: Meter) -> Result<Carried> {
    let profile = match work.protection {
        Protection::Cm => SrtpProfile::Aes128CmSha1_80,
        Protection::Gcm => SrtpProfile::AeadAes128Gcm,
    };
    let settings = Settings::default().srtp_profiles(&[profile]);
    let room = Arc::new(Notify::new());
    let woken = room.clone();
    let window = Arc::new(work.window(move || woken.notify_one()));
    let mut tasks = JoinSet::new();
    let mut kept = Vec::new();

    let (track, writer) = MediaStreamTrack::from_packets(MediaKind::Video);
    let near = Endpoint::bind((Ipv4Addr::LOCALHOST, 0))?.with_settings(settings.clone());
    let far = Endpoint::bind((Ipv4Addr::LOCALHOST, 0))?.with_settings(settings.clone());
    let received = send(&near, &far, &track, &mut kept).await?;
    if let Some(receivers) = work.receivers {
        for _ in 0..receivers {
            let relay = received.forward(Choice::default());
            let end = Endpoint::bind((Ipv4Addr::LOCALHOST, 0))?.with_settings(settings.clone());
            let track = send(&far, &end, &relay, &mut kept).await?;
            tasks.spawn(count(track, window.clone()));
        }
    } else {
        tasks.spawn(count(received.clone(), window.clone()));
    }
    tasks.spawn(write(writer, window.clone(), room));
    let carried = meter.run_async(&window).await?;
    tasks.shutdown().await;
    for connection in kept {
        connection.close();
    }
    Ok(carried)
}

/// Connects two ends, of which the first sends this track, and returns it as the other sees it.
async fn send(
    near: &Endpoint,
    far: &Endpoint,
    track: &MediaStreamTrack,
    kept: &mut Vec<PeerConnection>,
) -> Result<MediaStreamTrack> {
    let near = near.peer_connection(Configuration::default())?;
    let far = far.peer_connection(Configuration::default())?;
    let init = RtpTransceiverInit {
        direction: RtpTransceiverDirection::SendOnly,
        ..RtpTransceiverInit::default()
    };
    near.add_transceiver(track, init)?;
    near.set_local_description(None).await?;
    far.set_remote_description(near.gathered().await?).await?;
    far.set_local_description(None).await?;
    near.set_remote_description(far.gathered().await?).await?;
    let arrival = async {
        loop {
            match far.next_event().await {
                Some(Event::Track { track, .. }) => return Some(track),
                Some(_) => {}
                None => return None,
            }
        }
    };
    let arrived = timeout(PATIENCE, arrival).await?.context("a track")?;
    kept.extend([near, far]);
    Ok(arrived)
}

async fn write(writer: PacketWriter, window: Arc<Window>, room: Arc<Notify>) -> Result<()> {
    let mut film = Film::new(Bytes::from);
    loop {
        if !window.has_room() {
            window.wait(&room).await;
            continue;
        }
        let packets: [RtpPacket; FRAME] = std::array::from_fn(|_| {
            let shot = film.next();
            let mut packet =
                RtpPacket::new(Codec::Vp8, shot.sequence, shot.timestamp, shot.payload);
            packet.marker = shot.marker;
            packet
        });
        window.wrote(FRAME);
        writer.write(&packets)?;
        tokio::task::yield_now().await;
    }
}

async fn count(track: MediaStreamTrack, window: Arc<Window>) -> Result<()> {
    let mut packets = track.packets();
    while packets.next().await.is_some() {
        window.arrived(1);
    }
    Ok(())
}
