//! The page of `oxirtc serve` in what happens to visitors: files in a queue, a server that stops, a phone, https, and another machine.

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::browser::{Tab, WINDOW};
use super::serve::{Serving, directory, verdict, wait};
use super::suite::Suite;

/// Files that are dropped together, or while one is on its way, wait for it and go one after the other; the next one goes as well when one
/// is cancelled.
pub(crate) async fn files_in_a_queue(suite: &Suite) -> anyhow::Result<()> {
    let serving = Serving::start().await?;
    let tab = open(suite, &serving.url("")).await?;
    tab.run(STORY, &[]).await?;
    let drop = format!(
        "{DROP} drop(1001, 'a', 'b'); drop(1001, 'c', 'd', 'e');
        return document.getElementById('waiting').textContent"
    );
    let waiting = tab.run(&drop, &[]).await?;
    ensure!(waiting == "Next: b, c, d and 1 more", "{waiting}");
    wait(&tab, "story.verdicts.length === 5", "five transfers").await?;
    let cancel = format!(
        "{DROP} drop(2 ** 26, 'f'); drop(1001, 'g');
        document.getElementById('cancel').click();"
    );
    tab.run(&cancel, &[]).await?;
    wait(&tab, "story.verdicts.length === 7", "two more").await?;
    let story = tab.run("return story", &[]).await?;
    ensure!(
        story["names"] == json!(["a", "b", "c", "d", "e", "f", "g"]),
        "{story}"
    );
    let [five, last] = [vec!["equal"; 5], vec!["failed", "equal"]];
    ensure!(story["verdicts"] == json!([five, last].concat()), "{story}");
    ensure!(
        story["failures"] == json!(["Not finished: cancelled."]),
        "{story}"
    );
    ensure!(text(&tab, "waiting").await?.is_empty(), "something waits");
    verdict(&tab, 1001).await?;
    unreadable(&tab).await?;
    too_early(&tab).await?;
    serving.interrupt().await
}

/// A file that cannot be read says so, gives its channel back, and the next one goes; wherever on the page they fall.
async fn unreadable(tab: &Tab) -> anyhow::Result<()> {
    tab.run(UNREADABLE, &[]).await?;
    let drop = format!("{DROP} at = document.body; drop(1001, 'unreadable', 'h');");
    tab.run(&drop, &[]).await?;
    wait(tab, "story.verdicts.length === 9", "two more").await?;
    let last = tab.run("return story.failures.at(-1)", &[]).await?;
    ensure!(last == "Not finished: it is away.", "{last}");
    let closed =
        "story.channels.length === 2 && story.channels.every((it) => it.readyState === 'closed')";
    wait(tab, closed, "the end of both channels").await
}

/// What falls before the connection is there is refused, in words that go when it has come; the log keeps them.
async fn too_early(tab: &Tab) -> anyhow::Result<()> {
    let drop = format!(
        "{DROP} const button = document.getElementById('reconnect');
        button.click();
        button.click();
        drop(1, 'i');
        return document.getElementById('banner').textContent"
    );
    let refused =
        "Not sent, as there is no connection: i. Drop again what is to go when it is there.";
    let shown = tab.run(&drop, &[]).await?;
    ensure!(shown == refused, "{shown}");
    let gone = "document.getElementById('banner').hidden";
    wait(tab, gone, "the end of the words about the drop").await?;
    let kept = format!(
        "return [...document.querySelectorAll('#log li')].some((item) => item.lastChild.textContent === '{refused}')"
    );
    ensure!(
        tab.run(&kept, &[]).await? == json!(true),
        "the log has lost it"
    );
    Ok(())
}

/// A server that stops in the midst of a transfer is the reason that is told, of it and of what waits; the keyboard's focus goes to what
/// helps. Without a connection a drop is refused in words.
pub(crate) async fn server_stopped(suite: &Suite) -> anyhow::Result<()> {
    let serving = Serving::start().await?;
    let tab = open(suite, &serving.url("")).await?;
    tab.run(STORY, &[]).await?;
    let drop = format!(
        "{DROP} drop(2 ** 28, 'large'); drop(1001, 'a', 'b'); document.getElementById('chat-text').focus();"
    );
    tab.run(&drop, &[]).await?;
    let begun = "document.getElementById('progress-down').value > 0";
    wait(&tab, begun, "the transfer").await?;
    serving.interrupt().await?;
    wait(
        &tab,
        "story.verdicts.length === 1",
        "the end of the transfer",
    )
    .await?;
    let why = tab.run("return story.failures", &[]).await?;
    ensure!(
        why == json!(["Not finished: the server was stopped."]),
        "{why}"
    );
    let unsent = "[...document.querySelectorAll('#log li')].some((item) => item.lastChild.textContent === 'Not sent, as the server was stopped: a, b.')";
    wait(&tab, unsent, "a word about what has waited").await?;
    let banner = "The server was stopped. When it is there again, press Connect.";
    let shown = text(&tab, "banner").await?;
    ensure!(shown == banner, "{shown}");
    let focused = tab.run("return document.activeElement.id", &[]).await?;
    ensure!(focused == "reconnect", "the focus is on {focused}");
    tab.run(&format!("{DROP} drop(1001, 'c', 'd');"), &[])
        .await?;
    let shown = text(&tab, "banner").await?;
    let refused =
        "Not sent, as there is no connection: c, d. Press Connect, then drop again what is to go.";
    ensure!(shown == refused, "{shown}");
    Ok(())
}

/// On a narrow screen chat and files stand first, and nothing is wider than it.
pub(crate) async fn on_a_phone(suite: &Suite) -> anyhow::Result<()> {
    let serving = Serving::start().await?;
    let tab = open(suite, &serving.url("")).await?;
    let wide = tab.run(ORDER, &[]).await?;
    let first = wide["order"][0].as_str();
    ensure!(first == Some("connection"), "on a wide screen: {wide}");
    suite.browser.resize((500, 900)).await?;
    let narrow = tab.run(ORDER, &[]).await;
    suite.browser.resize(WINDOW).await?;
    let narrow = narrow?;
    let expected = json!(["chat", "file", "connection", "plot", "media", "log"]);
    ensure!(
        narrow["order"] == expected && narrow["fits"] == json!(true),
        "{narrow}"
    );
    serving.interrupt().await
}

/// With a certificate the page, and its socket, go by https.
pub(crate) async fn by_https(suite: &Suite) -> anyhow::Result<()> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let path = |end| directory().map(|it| it.join(format!("{}.{end}", suite.file_name("https"))));
    let (certificate, key) = (path("pem")?, path("key")?);
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    let files = [certificate.to_str(), key.to_str()];
    let [Some(certificate), Some(key)] = files else {
        anyhow::bail!("a path that is no text");
    };
    let with = ["--certificate", certificate, "--key", key];
    let serving = Serving::with(&[&["--listen", "127.0.0.1:0"], &with[..]].concat()).await?;
    let url = serving.url("");
    let port = url.trim_end_matches('/').rsplit(':').next();
    let port = port.context("no port")?;
    let tab = open(suite, &format!("https://localhost:{port}/")).await?;
    let camera = "return document.getElementById('no-camera').hidden && !document.getElementById('camera').disabled";
    let camera = tab.run(camera, &[]).await?;
    ensure!(camera == json!(true), "there is no camera by https");
    serving.interrupt().await
}

/// By http from another machine there is no camera, which the page says; the rest works.
pub(crate) async fn from_another_machine(suite: &Suite) -> anyhow::Result<()> {
    let serving = Serving::with(&["--listen", "0.0.0.0:0"]).await?;
    let url = serving.url("").replace("127.0.0.1", "10.77.0.1");
    let tab = open(suite, &url).await?;
    let said = text(&tab, "no-camera").await?;
    let words = "There is no camera: browsers give it to pages of this machine and of https only.";
    ensure!(said.starts_with(words), "{said}");
    let state = "const at = (id) => document.getElementById(id);
        return [at('no-camera').hidden, at('camera').disabled, at('play-film').disabled]";
    let state = tab.run(state, &[]).await?;
    ensure!(state == json!([false, true, false]), "{state}");
    serving.interrupt().await
}

/// The page, connected.
async fn open(suite: &Suite, url: &str) -> anyhow::Result<Tab> {
    let tab = suite.browser.open(url).await?;
    let open = "!document.getElementById('chat-send').disabled";
    wait(&tab, open, "the chat").await?;
    Ok(tab)
}

async fn text(tab: &Tab, id: &str) -> anyhow::Result<String> {
    let script = format!("return document.getElementById('{id}').textContent");
    let text = tab.run(&script, &[]).await?;
    Ok(text.as_str().unwrap_or_default().to_owned())
}

/// Writes down what is sent, and what comes of it.
const STORY: &str = "window.story = { names: [], verdicts: [], failures: [] };
    const verdict = document.getElementById('verdict');
    const name = document.getElementById('transfer-name');
    new MutationObserver(() => story.names.push(name.textContent.split(' (')[0])).observe(name, { childList: true });
    new MutationObserver(() => {
      const { verdict: kind } = verdict.dataset;
      if (kind === 'none') return;
      story.verdicts.push(kind);
      if (kind === 'failed') story.failures.push(verdict.textContent);
    }).observe(verdict, { attributeFilter: ['data-verdict'] });";

/// One file cannot be read; writes down which channels are made from now on.
const UNREADABLE: &str = "const { slice } = Blob.prototype;
    Blob.prototype.slice = function (...range) {
      if (this.name !== 'unreadable') return slice.apply(this, range);
      return { arrayBuffer: () => Promise.reject(new Error('it is away')) };
    };
    story.channels = [];
    const { createDataChannel } = RTCPeerConnection.prototype;
    RTCPeerConnection.prototype.createDataChannel = function (...options) {
      const channel = createDataChannel.apply(this, options);
      story.channels.push(channel);
      return channel;
    };";

/// Drops files of a size and of these names together.
const DROP: &str = "let at = document.getElementById('drop');
    const drop = (size, ...names) => {
      const dataTransfer = new DataTransfer();
      for (const name of names) dataTransfer.items.add(new File([new Uint8Array(size)], name));
      at.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    };";

/// The cards from the top, and whether all of the page can be seen without moving it sidewards.
const ORDER: &str =
    "await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    const cards = [...document.querySelectorAll('main > .card')];
    const top = (card) => card.getBoundingClientRect().top;
    const order = cards.sort((a, b) => top(a) - top(b)).map((card) => card.classList[1]);
    const root = document.documentElement;
    return { order, fits: root.scrollWidth <= root.clientWidth, width: innerWidth };";
