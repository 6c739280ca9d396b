//! Hold, music on hold, and resume, each by a change of direction that is negotiated.

use anyhow::{Result, ensure};
use oxirtc_peerconnection::{
    Configuration, MediaKind, MediaStreamTrack, PeerConnection, RtpTransceiver,
    RtpTransceiverDirection::{self, Inactive, RecvOnly, SendOnly, SendRecv},
    engine::Settings,
};

#[tokio::main]
async fn main() -> Result<()> {
    let connection = || {
        PeerConnection::with_settings(Configuration::default(), Settings::default().loopback(true))
    };
    let (alice, bob) = (connection()?, connection()?);
    let (microphone, _sound) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let (music, _notes) = MediaStreamTrack::from_frames(MediaKind::Audio);
    let (other, _speech) = MediaStreamTrack::from_frames(MediaKind::Audio);
    alice.add_track(&microphone, &[])?;
    bob.add_track(&other, &[])?;
    negotiate(&alice, &bob).await?;
    let audio = alice.transceivers().remove(0);
    let ears = bob.transceivers().remove(0);
    shown("a call", &audio, &ears, [SendRecv, SendRecv])?;

    // Alice holds: neither hears the other.
    audio.set_direction(Inactive)?;
    negotiate(&alice, &bob).await?;
    shown("hold", &audio, &ears, [Inactive, Inactive])?;

    // With music: Alice sends, and does not listen.
    audio.sender().replace_track(Some(&music)).await?;
    audio.set_direction(SendOnly)?;
    negotiate(&alice, &bob).await?;
    shown("music on hold", &audio, &ears, [SendOnly, RecvOnly])?;

    // Back to the call.
    audio.sender().replace_track(Some(&microphone)).await?;
    audio.set_direction(SendRecv)?;
    negotiate(&alice, &bob).await?;
    shown("resumed", &audio, &ears, [SendRecv, SendRecv])?;
    alice.shutdown().await;
    Ok(())
}

/// One description each way, with all candidates.
async fn negotiate(near: &PeerConnection, far: &PeerConnection) -> Result<()> {
    near.set_local_description(None).await?;
    far.set_remote_description(near.gathered().await?).await?;
    far.set_local_description(None).await?;
    near.set_remote_description(far.gathered().await?).await?;
    Ok(())
}

/// Prints what was negotiated at both ends.
fn shown(
    what: &str,
    near: &RtpTransceiver,
    far: &RtpTransceiver,
    expected: [RtpTransceiverDirection; 2],
) -> Result<()> {
    let current = [near, far].map(RtpTransceiver::current_direction);
    println!("{what}: {current:?}");
    ensure!(current == expected.map(Some), "{what}: {current:?}");
    Ok(())
}
