//! Tracks that end: taken away or stopped by the browser, stopped by us. What is sent no more says BYE, and what has ended has ended at
//! both ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{
    MediaKind, MediaStreamTrack, RtpTransceiver, RtpTransceiverDirection, TrackEvent,
    TrackReadyState,
    media::{Codec, rtcp::Rtcp},
};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::call::Call;
use super::media::{self, Filmed};
use super::peer::soon;
use super::rounds::settled;
use super::statistics::ours;
use super::suite::Suite;

/// The SSRCs of which the browser has said BYE.
struct Goodbyes {
    heard: Arc<Mutex<Vec<u32>>>,
    task: JoinHandle<()>,
    /// Chromium says none, and tells by descriptions alone.
    are_said: bool,
}

/// A microphone is added and taken away, another one is added and its transceiver stopped, and the camera's is stopped by us. The first
/// section goes on through all of it.
pub(crate) async fn by_both(suite: &Suite) -> anyhow::Result<()> {
    let call = media::filming(suite, Filmed::new(Codec::Vp8, Codec::Opus)).await?;
    let goodbyes = Goodbyes::listen(&call, suite.is_firefox())?;
    taken_away(&call, &goodbyes).await?;
    stopped_by_the_browser(&call, &goodbyes).await?;
    stopped_by_us(&call, &goodbyes).await?;
    goes_on(&call).await?;
    goodbyes.task.abort();
    call.end().await
}

/// `removeTrack()`: the stream ends, and the track is muted, as its section may bring another one.
async fn taken_away(call: &Call, goodbyes: &Goodbyes) -> anyhow::Result<()> {
    let (transceiver, ssrc) = added(call).await?;
    let track = transceiver.receiver().track().clone();
    call.tab.run("h.remove()", &[]).await?;
    goodbyes.heard(ssrc).await?;
    tells(&track, TrackEvent::Mute).await?;
    settled(call, "a track was taken away").await?;
    ensure!(track.ready_state() == TrackReadyState::Live, "it has ended");
    Ok(())
}

async fn stopped_by_the_browser(call: &Call, goodbyes: &Goodbyes) -> anyhow::Result<()> {
    let (transceiver, ssrc) = added(call).await?;
    let track = transceiver.receiver().track().clone();
    let stop = "h.ending = h.pc.getTransceivers().find(({ sender }) => sender === h.added); h.ending.stop()";
    call.tab.run(stop, &[]).await?;
    goodbyes.heard(ssrc).await?;
    tells(&track, TrackEvent::Ended).await?;
    settled(call, "the browser has stopped a transceiver").await?;
    over(call, &transceiver).await
}

async fn stopped_by_us(call: &Call, goodbyes: &Goodbyes) -> anyhow::Result<()> {
    let all = call.peer.connection().transceivers();
    let camera = all.into_iter().find(|it| it.kind() == MediaKind::Video);
    let camera = camera.context("the camera's section")?;
    let ssrc = received(call, &camera).await?;
    // The page is told of the end by an event, as it did not ask for it.
    let watch =
        "h.ending = h.pc.getTransceivers().find(({ receiver }) => receiver.track.kind === 'video');
        h.ending.receiver.track.onended = () => (h.told = 'ended')";
    call.tab.run(watch, &[]).await?;
    camera.stop()?;
    let track = camera.receiver().track().clone();
    ensure!(track.ready_state() == TrackReadyState::Ended, "it goes on");
    goodbyes.heard(ssrc).await?;
    let told = "await h.until(() => h.told === 'ended', 'the end of the track')";
    call.tab.run(told, &[]).await?;
    settled(call, "we have stopped a transceiver").await?;
    over(call, &camera).await
}

/// The first section still brings sound to the browser.
async fn goes_on(call: &Call) -> anyhow::Result<()> {
    let count = "return (await h.stats()).filter(({ type }) => type === 'inbound-rtp').reduce((sum, it) => sum + it.packetsReceived, 0)";
    let before = call.tab.run(count, &[]).await?;
    let before = before.as_u64().context("a count")?;
    let rises = async {
        while call.tab.run(count, &[]).await?.as_u64() < Some(before + 50) {
            sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    soon("more sound at the browser", rises).await?
}

/// A microphone that the browser adds: its transceiver here, and the SSRC, once it is heard.
async fn added(call: &Call) -> anyhow::Result<(RtpTransceiver, u32)> {
    let before = call.peer.connection().transceivers();
    call.tab.run("await h.add()", &[]).await?;
    let new = async {
        loop {
            let all = call.peer.connection().transceivers();
            let heard = |it: &RtpTransceiver| !it.receiver().track().muted();
            if let Some(new) = all.into_iter().find(|it| !before.contains(it) && heard(it)) {
                return new;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    let new = soon("the microphone that was added", new).await?;
    settled(call, "a track was added").await?;
    let ssrc = received(call, &new).await?;
    Ok((new, ssrc))
}

/// The SSRC that a transceiver receives.
async fn received(call: &Call, transceiver: &RtpTransceiver) -> anyhow::Result<u32> {
    let mid = json!(transceiver.mid());
    let all = ours(call).await?;
    let mut of = all
        .iter()
        .filter(|it| it["type"] == "inbound-rtp" && it["mid"] == mid);
    let ssrc = of.next().and_then(|it| it["ssrc"].as_u64());
    Ok(ssrc
        .with_context(|| format!("nothing is received in section {mid}"))?
        .try_into()?)
}

async fn tells(track: &MediaStreamTrack, event: TrackEvent) -> anyhow::Result<()> {
    let told = async {
        loop {
            match track.next_event().await {
                Some(told) if told == event => return true,
                Some(_) => {}
                None => return false,
            }
        }
    };
    let told = soon(&format!("the track's {event:?}"), told).await?;
    ensure!(told, "the track ended without {event:?}");
    Ok(())
}

/// Transceiver and tracks have ended here and there.
async fn over(call: &Call, transceiver: &RtpTransceiver) -> anyhow::Result<()> {
    let track = transceiver.receiver().track().clone();
    let current = transceiver.current_direction();
    ensure!(
        current == Some(RtpTransceiverDirection::Stopped)
            && track.ready_state() == TrackReadyState::Ended,
        "here it is {current:?}, its track {:?}",
        track.ready_state()
    );
    let there = "return [h.ending.currentDirection, h.ending.receiver.track.readyState, h.pc.getTransceivers().includes(h.ending)]";
    let there = call.tab.run(there, &[]).await?;
    ensure!(
        there == json!(["stopped", "ended", false]),
        "there it is {there}"
    );
    Ok(())
}

impl Goodbyes {
    fn listen(call: &Call, are_said: bool) -> anyhow::Result<Self> {
        let all = call.peer.connection().transceivers();
        let transport = all.first().and_then(|it| it.receiver().transport());
        let mut reader = transport.context("a transport")?.rtcp();
        let heard = Arc::<Mutex<Vec<u32>>>::default();
        let shared = heard.clone();
        let task = tokio::spawn(async move {
            while let Some(datagram) = reader.next().await {
                for packet in datagram.packets() {
                    if let Rtcp::Bye(bye) = packet {
                        lock(&shared).extend(bye.sources());
                    }
                }
            }
        });
        Ok(Self {
            heard,
            task,
            are_said,
        })
    }

    /// Waits until the browser has said BYE of this SSRC, if it does.
    async fn heard(&self, ssrc: u32) -> anyhow::Result<()> {
        if !self.are_said {
            return Ok(());
        }
        let said = async {
            while !lock(&self.heard).contains(&ssrc) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let said = soon("BYE", said).await;
        said.with_context(|| format!("of {ssrc:08x}; heard of {:08x?}", lock(&self.heard)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
