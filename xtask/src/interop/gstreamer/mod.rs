//! GStreamer's `webrtcbin` publishes by WHIP to `oxirtc serve`, and Chromium plays it by WHEP.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, timeout};

use super::asked::{Running, matches};
use super::browser::{Browser, Kind, Preferences, Tab};
use super::serve::Serving;

/// The program that publishes.
struct Publisher {
    program: Child,
    input: ChildStdin,
    /// What it says that it is.
    version: String,
}

pub(super) fn names() -> Vec<String> {
    vec![NAME.to_owned()]
}

pub(super) fn run(only: Vec<String>) -> Running {
    Box::pin(async move {
        ensure!(matches(&only, NAME), "no test has such a name");
        let start = Instant::now();
        let outcome = timeout(LIMIT, published_and_played()).await;
        let outcome = outcome.unwrap_or_else(|_| Err(anyhow!("not done in {LIMIT:?}")));
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(what) => println!("ok   {NAME:<44} {seconds:>6.2} s  {what}"),
            Err(error) => return Err(error.context(NAME)),
        }
        println!("1 passed, 0 failed");
        Ok(())
    })
}

async fn published_and_played() -> anyhow::Result<String> {
    let serving = Serving::start().await?;
    let publisher = Publisher::start(&serving.url("whip/room")).await?;
    let browser = Browser::start(Kind::Chromium, Preferences::Open).await?;
    // A page of the server that does nothing by itself.
    let tab = browser.open(&serving.url("none")).await?;
    let played = played(&tab).await?;
    let said = format!("{}, {}: {played}", publisher.version, browser.version());
    publisher.end().await?;
    // Who published has said goodbye, and who plays hears of it.
    tab.run(ENDED, &[]).await?;
    browser.quit().await?;
    serving.interrupt().await?;
    Ok(said)
}

/// Chromium counts pictures that it decodes, and sound that is not silence.
async fn played(tab: &Tab) -> anyhow::Result<String> {
    let played = tab.run(PLAY, &[]).await?;
    let count = |name: &str| played[name].as_u64().unwrap_or_default();
    let (pictures, width) = (count("framesDecoded"), count("frameWidth"));
    ensure!(pictures >= 60 && width == 320, "{played}");
    let energy = played["totalAudioEnergy"].as_f64().unwrap_or_default();
    ensure!(energy > 0.01, "nothing is heard: {played}");
    Ok(format!("{pictures} pictures decoded, sound heard"))
}

impl Publisher {
    /// Publishes at that address, and is connected by its answer.
    async fn start(url: &str) -> anyhow::Result<Self> {
        // Debian's own Python, which has the bindings.
        let mut program = Command::new("/usr/bin/python3")
            .args(["-c", SCRIPT, url])
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("Python did not start")?;
        let input = program.stdin.take().context("no input")?;
        let output = program.stdout.take().context("no output")?;
        let first = timeout(PATIENCE, BufReader::new(output).lines().next_line()).await;
        let first = first.context("GStreamer says nothing")??;
        let version = first
            .as_deref()
            .and_then(|it| it.strip_prefix("published "));
        let version = version
            .with_context(|| format!("{first:?} is said"))?
            .to_owned();
        Ok(Self {
            program,
            input,
            version,
        })
    }

    /// It ends its session (RFC 9725 §4.2: DELETE), and well.
    async fn end(mut self) -> anyhow::Result<()> {
        self.input.write_all(b"end\n").await?;
        let status = timeout(PATIENCE, self.program.wait()).await;
        let status = status.context("the publisher does not end")??;
        ensure!(status.success(), "the publisher ended with {status}");
        Ok(())
    }
}

const NAME: &str = "published_by_webrtcbin_played_by_chromium";
const SCRIPT: &str = include_str!("whip.py");
/// Plays what is published, by WHEP, and gives the statistics of what comes once there is enough.
const PLAY: &str = "const pc = new RTCPeerConnection();
    window.pc = pc;
    window.ended = [];
    pc.ontrack = ({ track }) => {
      track.onmute = () => window.ended.push(track.kind);
      const element = document.createElement(track.kind);
      Object.assign(element, { autoplay: true, srcObject: new MediaStream([track]) });
      document.body.append(element);
    };
    for (const kind of ['audio', 'video']) pc.addTransceiver(kind, { direction: 'recvonly' });
    await pc.setLocalDescription();
    while (pc.iceGatheringState !== 'complete') await new Promise((resolve) => setTimeout(resolve, 20));
    const headers = { 'Content-Type': 'application/sdp' };
    const response = await fetch('/whep/room', { method: 'POST', headers, body: pc.localDescription.sdp });
    if (response.status !== 201) throw new Error(await response.text());
    await pc.setRemoteDescription({ type: 'answer', sdp: await response.text() });
    const end = performance.now() + 30000;
    for (;;) {
      const found = { connection: pc.connectionState };
      (await pc.getStats()).forEach((stats) => stats.type === 'inbound-rtp' && Object.assign(found, stats));
      if (found.framesDecoded >= 60 && found.totalAudioEnergy > 0.01) return found;
      if (performance.now() > end) return found;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }";
/// The connection of who plays is over: what was published has ended.
const ENDED: &str = "const end = performance.now() + 15000;
    while (pc.connectionState === 'connected' && !pc.getReceivers().every(({ track }) => track.muted)) {
      if (performance.now() > end) throw new Error(`it is ${pc.connectionState}, muted: ${window.ended}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }";
const PATIENCE: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(120);
