//! A call from one end to the other, W3C's call flow of chapter 10: while it rings the callee answers provisionally, and over relays
//! alone where it has some, so that the caller does not learn its address. Data goes over the connection already. When somebody
//! takes the call the answer is the final one, sound flows, and a restart of ICE finds the direct way.
//!
//! `call_flow turn:relay.example.org user password` rings over that relay; without one it rings directly.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Event, IceCandidatePair, IceCandidateType, IceServer,
    IceTransportPolicy, MediaKind, MediaStreamTrack, Message, PeerConnection, PeerConnectionState,
    RtpTransceiverDirection, SdpType, SessionDescription, SignalingState,
    engine::Settings,
    media::{Codec, EncodedFrame, FrameWriter},
};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let relay = match &arguments[..] {
        [url, username, credential] => Some(IceServer::with_credential(url, username, credential)),
        [] => None,
        _ => bail!("a relay has a URL, a user and a password"),
    };
    flow(relay).await
}

/// The whole call.
pub(crate) async fn flow(relay: Option<IceServer>) -> Result<()> {
    let relays = relay.is_some();
    let open = Configuration {
        ice_servers: relay.into_iter().collect(),
        ..Configuration::default()
    };
    let mut hidden = open.clone();
    if relays {
        hidden.ice_transport_policy = IceTransportPolicy::Relay;
    }
    let connection = |configuration: &Configuration| {
        let settings = Settings::default().loopback(true);
        PeerConnection::with_settings(configuration.clone(), settings)
    };
    let (caller, callee) = (connection(&open)?, connection(&hidden)?);

    // The caller has a channel and a microphone.
    let channel = caller.create_data_channel("chat", DataChannelInit::default())?;
    let (microphone, sound) = MediaStreamTrack::from_frames(MediaKind::Audio);
    caller.add_track(&microphone, &[])?;
    caller.set_local_description(None).await?;
    callee
        .set_remote_description(caller.gathered().await?)
        .await?;

    // It rings: an answer that is not the last word.
    let answer = callee.create_answer().await?;
    let provisional = SessionDescription::pranswer(answer.sdp);
    callee.set_local_description(Some(provisional)).await?;
    let provisional = callee.gathered().await?;
    ensure!(provisional.kind == SdpType::Pranswer);
    if relays {
        ensure!(!provisional.sdp.contains("typ host"), "an address is shown");
    }
    caller.set_remote_description(provisional).await?;
    ensure!(caller.signaling_state() == SignalingState::HaveRemotePranswer);
    caller.wait_for(PeerConnectionState::Connected).await?;
    channel.opened().await?;
    channel.send("are you there?").await?;
    let ringing = callee.next_data_channel().await?;
    let heard = ringing.recv().await.context("the channel was closed")?;
    ensure!(heard == Message::from("are you there?"));
    ensure!(
        is_relayed(&caller)? == relays,
        "another way than was asked for"
    );
    println!("it rings, and data flows (relayed: {relays})");

    // It is taken: the callee speaks as well, and may be known.
    callee.set_configuration(Configuration {
        certificates: callee.configuration().certificates,
        ..open
    })?;
    let (other, reply) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let called = callee.transceivers().remove(0);
    called.sender().replace_track(Some(&other)).await?;
    called.set_direction(RtpTransceiverDirection::SendRecv)?;
    callee.set_local_description(None).await?;
    let answer = callee.local_description().context("it was set")?;
    ensure!(answer.kind == SdpType::Answer);
    caller.set_remote_description(answer).await?;
    let speaking = [tokio::spawn(speak(sound)), tokio::spawn(speak(reply))];
    tokio::try_join!(hear(&caller), hear(&callee))?;
    println!("both are heard");

    // The direct way is found while they speak.
    caller.restart_ice();
    caller.set_local_description(None).await?;
    callee
        .set_remote_description(caller.gathered().await?)
        .await?;
    callee.set_local_description(None).await?;
    caller
        .set_remote_description(callee.gathered().await?)
        .await?;
    while is_relayed(&caller)? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    channel.send("goodbye").await?;
    let heard = ringing.recv().await.context("the channel was closed")?;
    ensure!(heard == Message::from("goodbye"));
    println!("the way is direct");
    speaking.iter().for_each(|it| it.abort());
    caller.shutdown().await;
    Ok(())
}

/// Whether the pair in use goes over a relay at either end.
fn is_relayed(connection: &PeerConnection) -> Result<bool> {
    let sctp = connection.sctp().context("there are channels")?;
    let transport = sctp.transport().context("it is connected")?.ice_transport();
    let pair = transport.selected_candidate_pair();
    let IceCandidatePair { local, remote, .. } = pair.context("it is connected")?;
    let relayed = |kind| kind == Some(IceCandidateType::Relay);
    Ok(relayed(local.kind()) || relayed(remote.kind()))
}

/// Waits for the other end's sound.
async fn hear(connection: &PeerConnection) -> Result<()> {
    let track = loop {
        let event = connection.next_event().await;
        if let Event::Track { track, .. } = event.context("the connection ended")? {
            break track;
        }
    };
    let mut frames = track.frames()?;
    for _ in 0..10 {
        frames.next().await.context("the track ended")?;
    }
    Ok(())
}

/// In yours, an encoder of Opus: this is silence.
async fn speak(writer: FrameWriter) -> Result<()> {
    loop {
        let silence = vec![0xf8, 0xff, 0xfe];
        writer
            .write(EncodedFrame::new(Codec::Opus, silence))
            .await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
