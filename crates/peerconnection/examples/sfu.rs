//! A room: whoever is in it sends three parallel streams of its camera, and sees all others, each in the stream that was chosen for
//! it. The room decodes nothing: it sends on. Its guests are connections of this process, so that it runs by itself; in yours they
//! are browsers, and the descriptions travel over a WebSocket.

use std::time::Duration;

use oxirtc_peerconnection::{
    Configuration, Event, MediaKind, MediaStreamTrack, PeerConnection, RtpEncodingParameters,
    RtpTransceiverDirection, RtpTransceiverInit, SessionDescription,
    engine::{Choice, Settings},
    media::{Codec, EncodedFrame, FrameWriter, Hint},
};
use tokio::time::{sleep, timeout};

/// Who is in the room.
#[derive(Default)]
struct Room {
    guests: Vec<Guest>,
}

struct Guest {
    connection: PeerConnection,
    camera: MediaStreamTrack,
    /// The cameras of the others, as they are shown to this one.
    views: Vec<MediaStreamTrack>,
}

impl Room {
    /// Answers the offer of a guest, who brings a camera. It is shown to the others, and they to it, from the next negotiation on.
    async fn enter(&mut self, offer: SessionDescription) -> anyhow::Result<SessionDescription> {
        let connection = connection()?;
        connection.set_remote_description(offer).await?;
        let [own] = &connection.transceivers()[..] else {
            anyhow::bail!("a guest brings one camera");
        };
        let camera = own.receiver().track().clone();
        connection.set_local_description(None).await?;
        let answer = connection.gathered().await?;
        let mut views = Vec::new();
        for other in &mut self.guests {
            let view = camera.forward(Choice::rid("q"));
            show(&other.connection, &view)?;
            other.views.push(view);
            let view = other.camera.forward(Choice::rid("q"));
            show(&connection, &view)?;
            views.push(view);
        }
        self.guests.push(Guest {
            connection,
            camera,
            views,
        });
        Ok(answer)
    }
}

/// In a section of its own: that of the guest's camera goes one way.
fn show(connection: &PeerConnection, view: &MediaStreamTrack) -> anyhow::Result<()> {
    let init = RtpTransceiverInit {
        direction: RtpTransceiverDirection::SendOnly,
        ..RtpTransceiverInit::default()
    };
    connection.add_transceiver(view, init)?;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut room = Room::default();
    let mut guests = Vec::new();
    let mut filming = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let guest = connection()?;
        let (camera, writer) = MediaStreamTrack::from_frames(MediaKind::Video);
        writer.set_rids(RIDS);
        filming.spawn(film(writer));
        let init = RtpTransceiverInit {
            direction: RtpTransceiverDirection::SendOnly,
            send_encodings: RIDS.map(RtpEncodingParameters::named).to_vec(),
            ..RtpTransceiverInit::default()
        };
        guest.add_transceiver(&camera, init)?;
        guest.set_local_description(None).await?;
        let answer = room.enter(guest.gathered().await?).await?;
        guest.set_remote_description(answer).await?;
        guests.push(guest);
    }
    // The room offers what has come since then.
    for (inside, guest) in room.guests.iter().zip(&guests) {
        inside.connection.set_local_description(None).await?;
        guest
            .set_remote_description(inside.connection.gathered().await?)
            .await?;
        guest.set_local_description(None).await?;
        inside
            .connection
            .set_remote_description(guest.gathered().await?)
            .await?;
    }
    // The first guest looks at the last one in full size; all others are small to everybody.
    room.guests[0].views[1].choose(Choice::rid("f"));
    for (at, guest) in guests.iter().enumerate() {
        for number in 0..2 {
            let track = next_track(guest).await?;
            let large = at == 0 && number == 1;
            watch(at, track, if large { 2 } else { 0 }).await?;
        }
    }
    filming.shutdown().await;
    Ok(())
}

/// Waits until the camera of another guest comes in the stream that was chosen.
async fn watch(guest: usize, track: MediaStreamTrack, lane: u8) -> anyhow::Result<()> {
    let mut frames = track.frames()?;
    loop {
        let frame = timeout(PATIENCE, frames.next()).await?;
        let frame = frame.ok_or_else(|| anyhow::anyhow!("the track has ended"))?;
        if frame.payload.last() == Some(&lane) {
            let len = frame.payload.len();
            println!(
                "guest {guest} sees «{}», {len} bytes",
                RIDS[usize::from(lane)]
            );
            return Ok(());
        }
    }
}

async fn next_track(connection: &PeerConnection) -> anyhow::Result<MediaStreamTrack> {
    loop {
        match timeout(PATIENCE, connection.next_event()).await? {
            Some(Event::Track { track, .. }) => return Ok(track),
            Some(_) => {}
            None => anyhow::bail!("the connection was closed"),
        }
    }
}

/// What a camera with three encoders gives: its frames have the header of VP8, and are full of the number of their stream.
async fn film(writer: FrameWriter) {
    let mut keys = [true; 3];
    loop {
        while let Some(hint) = writer.try_hint() {
            if let Hint::Keyframe { rid } = hint {
                for (key, own) in keys.iter_mut().zip(RIDS) {
                    *key |= rid.as_deref().is_none_or(|rid| rid == own);
                }
            }
        }
        for (lane, key) in keys.iter_mut().enumerate() {
            let mut payload = vec![lane as u8; 500 << (2 * lane)];
            let header = [
                u8::from(!std::mem::take(key)),
                0,
                0,
                0x9d,
                1,
                0x2a,
                64,
                1,
                180,
                0,
            ];
            payload[..10].copy_from_slice(&header);
            let mut frame = EncodedFrame::new(Codec::Vp8, payload);
            frame.rid = Some(RIDS[lane].to_owned());
            if writer.write(frame).await.is_err() {
                return;
            }
        }
        sleep(Duration::from_millis(33)).await;
    }
}

fn connection() -> anyhow::Result<PeerConnection> {
    let settings = Settings::default().loopback(true);
    Ok(PeerConnection::with_settings(
        Configuration::default(),
        settings,
    )?)
}

/// A quarter of the size, half of it, all of it.
const RIDS: [&str; 3] = ["q", "h", "f"];
const PATIENCE: Duration = Duration::from_secs(20);
