//! The page of `oxirtc serve`, used as a visitor does.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::browser::{Browser, Tab};

/// The built program, serving.
#[derive(Debug)]
pub(crate) struct Serving {
    program: Child,
    url: String,
}

impl Serving {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::with(&["--listen", "127.0.0.1:0"]).await
    }

    /// With these arguments.
    pub(super) async fn with(arguments: &[&str]) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("this program cannot find itself")?;
        let path = own.with_file_name("oxirtc");
        let mut program = Command::new(&path)
            .arg("serve")
            .args(arguments)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} did not start", path.display()))?;
        let output = program.stdout.take().context("the program has no output")?;
        let mut lines = BufReader::new(output).lines();
        let first = timeout(LIMIT, lines.next_line())
            .await
            .context("the program says nothing")??;
        let url = first
            .as_deref()
            .and_then(|line| line.split(' ').find(|word| word.contains("://")));
        let url = url
            .with_context(|| format!("no address in {first:?}"))?
            .to_owned();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { program, url })
    }

    /// The address of something that it serves.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Ctrl-C: it ends by itself, and well.
    pub(crate) async fn interrupt(mut self) -> anyhow::Result<()> {
        let id = self.program.id().context("the program has ended before")?;
        let sent = Command::new("kill")
            .args(["-INT", &id.to_string()])
            .status()
            .await?;
        ensure!(sent.success(), "SIGINT could not be sent");
        let status = timeout(LIMIT, self.program.wait())
            .await
            .context("Ctrl-C does not end the program")??;
        ensure!(
            status.success(),
            "after Ctrl-C the program ended with {status}"
        );
        Ok(())
    }
}

/// Chat, file, restarts from both sides, plot and screenshot.
pub(crate) async fn page(browser: &Browser, name: &str, hidden: bool) -> anyhow::Result<()> {
    let serving = Serving::start().await?;
    let tab = browser.open(&serving.url).await?;
    wait(
        &tab,
        "document.getElementById('state').dataset.state === 'connected'",
        "the connection",
    )
    .await?;
    wait(
        &tab,
        "!document.getElementById('chat-send').disabled",
        "the chat",
    )
    .await?;
    if hidden {
        candidates_are_hidden(browser, &serving.url).await?;
    }
    chat(&tab).await?;
    file(&tab).await?;
    tab.run("document.getElementById('sample-size').value = '64'", &[])
        .await?;
    tab.click("#sample").await?;
    wait(
        &tab,
        "document.getElementById('progress-down').value > 0.05",
        "the transfer",
    )
    .await?;
    tab.click("#restart").await?;
    wait(
        &tab,
        "document.getElementById('progress-down').value > 0.4",
        "the transfer after a restart",
    )
    .await?;
    // A restart of ours while the page's is under way would be one with it.
    wait(&tab, &heard("answer", 2), "the page's restart").await?;
    tab.click("#restart-remote").await?;
    verdict(&tab, 64 << 20).await?;
    wait(&tab, &heard("offer", 1), "our restart").await?;
    let restarts = tab.run(RESTARTS, &[]).await?;
    ensure!(
        restarts == json!({ "offers": 1, "answers": 2 }),
        "descriptions that came: {restarts}"
    );
    banners(&tab).await?;
    wait(
        &tab,
        "Number(document.getElementById('plot').dataset.roundTrips) >= 4",
        "round trips",
    )
    .await?;
    if !hidden {
        camera(&tab).await?;
    }
    plot(&tab, name).await?;
    serving.interrupt().await?;
    wait(
        &tab,
        "document.getElementById('banner').textContent.startsWith('The server was stopped.')",
        "the notice that the server was stopped",
    )
    .await
}

/// What is wrong is said until it is over: of a description that cannot be read until both have agreed on another, of a candidate only
/// while the connection is not there.
async fn banners(tab: &Tab) -> anyhow::Result<()> {
    // The page's own socket shows itself when it sends.
    let listen = "const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (text) {
          window.signalling = this;
          return send.call(this, text);
        };";
    tab.run(listen, &[]).await?;
    tab.click("#restart").await?;
    wait(tab, &heard("answer", 3), "another restart").await?;
    let spoil =
        "signalling.send(JSON.stringify({ description: { type: 'offer', sdp: 'nonsense' } }));";
    tab.run(spoil, &[]).await?;
    let shown = "!document.getElementById('banner').hidden";
    wait(tab, shown, "a word about the description").await?;
    tab.click("#restart").await?;
    wait(tab, &heard("answer", 4), "the restart after it").await?;
    let gone = "document.getElementById('banner').hidden";
    wait(tab, gone, "the end of the word about the description").await?;
    let spoil = "signalling.send(JSON.stringify({ candidate: { candidate: 'candidate:nonsense', sdpMid: '0' } }));";
    tab.run(spoil, &[]).await?;
    // A candidate of the restart before may come behind the next offer, and has a line as well.
    let told = "[...document.querySelectorAll('#log li')].some((item) => item.lastChild.textContent === 'error: OperationError: not a candidate')";
    wait(tab, told, "a line about the candidate").await?;
    wait(tab, gone, "no word about it, or its end").await
}

/// The camera comes back in the stream that is chosen, the film is played, and both end. With settings of its own the browser has no
/// camera.
async fn camera(tab: &Tab) -> anyhow::Result<()> {
    tab.click("#camera").await?;
    wait(tab, &wide("echo", 320), "the small stream").await?;
    // Its button was disabled for a moment.
    let focused = "document.activeElement.id === 'camera'";
    wait(tab, focused, "the keyboard's focus").await?;
    let choose = "const stream = document.getElementById('stream');
        stream.value = 'f';
        stream.dispatchEvent(new Event('change'));";
    tab.run(choose, &[]).await?;
    wait(tab, &wide("echo", 1280), "the large stream").await?;
    tab.click("#play-film").await?;
    wait(tab, &wide("film", 320), "the film").await?;
    tab.click("#dial-send").await?;
    let sent = "document.getElementById('tone').textContent === 'all sent'";
    wait(tab, sent, "the tones").await?;
    let heard = "document.getElementById('heard').textContent === '1234#'";
    wait(tab, heard, "what the peer hears of them").await?;
    muted(tab).await?;
    charts(tab).await?;
    tab.click("#play-film").await?;
    let gone =
        |id: &str| format!("document.getElementById('{id}').srcObject.getTracks().length === 0");
    wait(tab, &gone("film"), "the end of the film").await?;
    tab.click("#camera").await?;
    let off = "document.getElementById('own').srcObject === null";
    wait(tab, off, "the end of the camera").await
}

/// The picture and the sound that come back go when their buttons are pressed, and are there again.
async fn muted(tab: &Tab) -> anyhow::Result<()> {
    tab.run(WATCH, &[]).await?;
    wait(
        tab,
        "watched.bright() && watched.sounds(true)",
        "picture and sound",
    )
    .await?;
    // What beeps once a second is silent now and then by itself, and what is heard is the second before.
    let later = "await new Promise((resolve) => setTimeout(resolve, 1500))";
    tab.click("#mute-video").await?;
    tab.run(later, &[]).await?;
    wait(
        tab,
        "!watched.bright() && watched.sounds(true)",
        "sound alone",
    )
    .await?;
    tab.click("#mute-audio").await?;
    tab.run(later, &[]).await?;
    let silent = "for (const end = Date.now() + 2500; Date.now() < end;) {
          if (!watched.sounds(false) || watched.bright()) return false;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        return true;";
    let silent = tab.run(silent, &[]).await?;
    ensure!(
        silent == json!(true),
        "something is heard or seen of what is muted"
    );
    tab.click("#mute-video").await?;
    tab.click("#mute-audio").await?;
    wait(
        tab,
        "watched.bright() && watched.sounds(true)",
        "both again",
    )
    .await
}

/// Each chart has both curves.
async fn charts(tab: &Tab) -> anyhow::Result<()> {
    let sampled = "Number(document.getElementById('media-charts').dataset.samples) >= 4";
    wait(tab, sampled, "samples of the charts").await?;
    let seen = tab.run(&painted("media-charts"), &[]).await?;
    let painted = |curve: &str| seen[curve].as_u64().unwrap_or_default();
    ensure!(
        painted("up") > 50 && painted("down") > 50,
        "pixels of the charts: {seen}"
    );
    Ok(())
}

/// A video of the page shows pictures of this width.
fn wide(id: &str, width: u32) -> String {
    format!("document.getElementById('{id}').videoWidth === {width}")
}

async fn chat(tab: &Tab) -> anyhow::Result<()> {
    tab.fill("#chat-text", "Grüße, peer").await?;
    tab.click("#chat-send").await?;
    let answered = "document.querySelectorAll('#messages li.theirs').length === 1";
    wait(tab, answered, "the answer in the chat").await?;
    let said = tab
        .run(
            "return document.querySelector('#messages li.theirs').lastChild.textContent",
            &[],
        )
        .await?;
    ensure!(said == json!("Grüße, peer"), "the chat's echo is {said}");
    Ok(())
}

/// A file given to the page's input, as a visitor's choice or drop gives it.
async fn file(tab: &Tab) -> anyhow::Result<()> {
    let path = directory()?.join("sent.bin");
    let bytes: Vec<u8> = (0..FILE).map(|at| (at % 251) as u8).collect();
    fs::write(&path, bytes)?;
    tab.fill("#file", &path.to_string_lossy()).await?;
    verdict(tab, FILE).await?;
    fs::remove_file(path)?;
    Ok(())
}

/// Waits for a transfer's end, and compares the digests that the page shows.
pub(super) async fn verdict(tab: &Tab, size: usize) -> anyhow::Result<()> {
    wait(
        tab,
        "document.getElementById('verdict').dataset.verdict !== 'none'",
        "the transfer's end",
    )
    .await?;
    let shown = tab.run(VERDICT, &[]).await?;
    let digest = shown["sent"].as_str().unwrap_or_default();
    let equal = shown["verdict"] == "equal"
        && shown["sent"] == shown["peer"]
        && shown["sent"] == shown["echo"];
    ensure!(equal && digest.len() == 64, "{size} bytes: {shown}");
    ensure!(
        shown["up"] == "100 %" && shown["down"] == "100 %",
        "progress bars: {shown}"
    );
    Ok(())
}

/// The plot has curves in it, and is to be seen in the picture that is kept.
async fn plot(tab: &Tab, name: &str) -> anyhow::Result<()> {
    let seen = tab.run(&painted("plot"), &[]).await?;
    let painted = |curve: &str| seen[curve].as_u64().unwrap_or_default();
    ensure!(
        painted("up") > 50 && painted("down") > 50 && painted("rtt") > 20,
        "pixels of the curves: {seen}"
    );
    ensure!(
        seen["peak"].as_u64().is_some_and(|peak| peak > 100_000),
        "the received peak: {seen}"
    );
    let picture = tab.screenshot().await?;
    ensure!(picture.starts_with(b"\x89PNG"), "the screenshot is no PNG");
    let path = directory()?.join(format!("{name}.png"));
    fs::write(&path, picture)?;
    println!("     screenshot {}", path.display());
    Ok(())
}

/// In a tab beside the page: what this browser gathers shows no address.
async fn candidates_are_hidden(browser: &Browser, url: &str) -> anyhow::Result<()> {
    let page = browser.open_beside(&format!("{url}icon.svg")).await?;
    let found = page.run(CANDIDATES, &[]).await?;
    page.close().await?;
    let candidates: Vec<&str> = found
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    ensure!(!candidates.is_empty(), "no candidate was gathered");
    for candidate in candidates {
        let address = candidate.split(' ').nth(4).unwrap_or_default();
        ensure!(
            address.ends_with(".local"),
            "the candidate shows an address: {candidate}"
        );
    }
    Ok(())
}

/// A script that counts the pixels of each curve on a canvas, by the colours that the style names.
fn painted(id: &str) -> String {
    format!("const canvas = document.getElementById('{id}'); {PAINTED}")
}

/// The page's log has so many descriptions of that kind.
fn heard(kind: &str, count: usize) -> String {
    format!(
        "[...document.querySelectorAll('#log li')]
           .filter((item) => item.lastChild.textContent === '{kind} received').length === {count}"
    )
}

/// Polls a condition of the page.
pub(super) async fn wait(tab: &Tab, condition: &str, what: &str) -> anyhow::Result<()> {
    let body = format!(
        "for (const end = Date.now() + 60000; Date.now() < end;) {{
           if ({condition}) return true;
           await new Promise((resolve) => setTimeout(resolve, 20));
         }}
         return [...document.querySelectorAll('#log li, #banner')].map((item) => item.textContent);"
    );
    let outcome = tab.run(&body, &[]).await?;
    ensure!(
        outcome == json!(true),
        "waited 60 s for {what}; the page's log: {outcome}"
    );
    Ok(())
}

/// Where pictures and recordings are kept: `target/interop` of this repository.
pub(super) fn directory() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program cannot find itself")?;
    let target = own
        .ancestors()
        .nth(2)
        .context("this program is in no target directory")?;
    let directory = target.join("interop");
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

const VERDICT: &str = "const text = (id) => document.getElementById(id).textContent;
    return { verdict: document.getElementById('verdict').dataset.verdict, says: text('verdict'),
             sent: text('hash-sent'), peer: text('hash-peer'), echo: text('hash-echo'),
             up: text('percent-up'), down: text('percent-down') };";

const RESTARTS: &str = "const log = [...document.querySelectorAll('#log li')].map((item) => item.lastChild.textContent);
    return { offers: log.filter((line) => line === 'offer received').length,
             answers: log.filter((line) => line === 'answer received').length };";

/// Whether what comes back is no black picture, and is heard: its largest sample of the last second or so.
const WATCH: &str = "const echo = document.getElementById('echo');
    const canvas = new OffscreenCanvas(16, 9);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const sound = new AudioContext();
    const analyser = new AnalyserNode(sound, { fftSize: 32768 });
    sound.createMediaStreamSource(echo.srcObject).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    // A headless Firefox without a device to play on has an AudioContext that never runs.
    const deaf = navigator.userAgent.includes('Firefox');
    window.watched = {
      bright() {
        context.drawImage(echo, 0, 0, 16, 9);
        const { data } = context.getImageData(0, 0, 16, 9);
        return data.some((value, at) => at % 4 !== 3 && value > 60);
      },
      sounds(wanted) {
        analyser.getFloatTimeDomainData(samples);
        return deaf || samples.some((value) => Math.abs(value) > 0.01) === wanted;
      },
    };";

const CANDIDATES: &str = "const pc = new RTCPeerConnection();
    const found = [];
    pc.createDataChannel('x');
    pc.onicecandidate = ({ candidate }) => candidate && candidate.candidate && found.push(candidate.candidate);
    await pc.setLocalDescription();
    for (let round = 0; round < 200 && pc.iceGatheringState !== 'complete'; round++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    pc.close();
    return found;";

const PAINTED: &str =
    "const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const style = getComputedStyle(canvas);
    const count = (name) => {
      const hex = style.getPropertyValue(name).trim();
      const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
      let seen = 0;
      for (let at = 0; at < data.length; at += 4) {
        const far = Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b);
        if (data[at + 3] > 200 && far < 24) seen++;
      }
      return seen;
    };
    canvas.scrollIntoView({ block: 'center' });
    return { up: count('--blue'), down: count('--rust'), rtt: count('--violet'), peak: Number(canvas.dataset.peak) };";

const FILE: usize = 3_000_001;
const LIMIT: Duration = Duration::from_secs(10);
