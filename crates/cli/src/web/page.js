// The page itself: what is pressed goes to the peer, what happens there is shown.

import { Charts } from "./charts.js";
import { Media, noCamera } from "./media.js";
import { Peer } from "./peer.js";
import { Plot } from "./plot.js";
import { Transfer, fileSource, sampleSource } from "./transfer.js";

const TICK = 250;
const $ = (id) => document.getElementById(id);
const plot = new Plot($("plot"));
const charts = new Charts($("media-charts"), ["kbit/s", "% lost", "jitter, ms", "trip, ms"]);
const meter = { up: 0, down: 0, last: null, roundTrip: null };
const pings = new Map();
const waiting = []; // files that go after the one that is on its way
const banners = new Map(); // what is wrong, by its cause
let session = null;
let transfer = null;

function connect() {
  const started = performance.now();
  const url = new URL("signal", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const peer = new Peer(url);
  const media = new Media(peer);
  const own = (session = { peer, media, chat: null, ping: null });
  // A video that waits for its first track would hold up the page's load.
  media.addEventListener("came", ({ detail }) => {
    if ($(detail).srcObject !== media[detail]) $(detail).srcObject = media[detail];
  });
  media.addEventListener("tone", ({ detail }) => ($("tone").textContent = detail || "all sent"));
  peer.addEventListener("heard", ({ detail }) => ($("heard").textContent += detail));
  $("setup-time").textContent = "–";
  setState("connecting");
  banners.clear();
  banner("connection", "");
  peer.addEventListener("open", () => {
    session.chat = peer.channel("chat");
    session.ping = peer.channel("ping", { ordered: false, maxRetransmits: 0 });
    session.chat.onopen = () => {
      $("setup-time").textContent = `${(performance.now() - started).toFixed(0)} ms`;
      $("chat").dataset.open = "";
      banner("files", "");
      enable(true);
    };
    session.chat.onmessage = ({ data }) => say("Peer", data);
    session.chat.onclose = () => session === own && enable(false);
    session.ping.onmessage = ({ data }) => pong(data);
  });
  peer.addEventListener("state", ({ detail }) => {
    log(`connection ${detail}`);
    setState(detail === "new" ? "connecting" : detail);
    if (detail === "connected") describe(peer).catch((error) => log(error.message));
    if (detail === "connected") settled();
    banner("connection", troubles[detail] ?? "");
  });
  peer.addEventListener("log", ({ detail }) => log(detail));
  peer.addEventListener("agreed", () => banner("negotiation", ""));
  peer.addEventListener("error", ({ detail: { about, text } }) => {
    log(`error: ${text}`);
    // A connection that is there misses no candidate.
    if (about !== "candidates" || peer.connection.connectionState !== "connected") banner(about, text);
  });
  peer.addEventListener("gone", ({ detail }) => {
    const text = detail || "The program that serves this page has gone.";
    disconnect(text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, ""));
    banner("server", `${text} When it is there again, press Connect.`);
  });
  enable(false);
}

const troubles = {
  disconnected: "The connection is interrupted; it may come back by itself. If not, restart ICE.",
  failed: "The connection failed. Restart ICE, or press Disconnect and then Connect.",
};

/** Nothing of what was exchanged before is a trouble any more. */
function settled() {
  banner("negotiation", "");
  banner("candidates", "");
}

/** Ends the session; a transfer that is under way says why. */
function disconnect(reason) {
  if (waiting.length > 0) {
    const text = `Not sent, as ${reason}: ${waiting.map(({ name }) => name).join(", ")}.`;
    banner("files", text);
    log(text);
  }
  waiting.length = 0;
  showWaiting();
  transfer?.end(reason);
  session?.media.stop();
  session?.peer.close();
  session = null;
  filmed(false);
  press($("play-film"), false);
  pings.clear();
  banner("connection", "");
  banner("camera", "");
  settled();
  enable(false);
  setState("closed");
}

/** The route and the ciphers, from the browser's statistics. */
async function describe(peer) {
  const report = await peer.connection.getStats();
  const byId = new Map();
  report.forEach((stats) => byId.set(stats.id, stats));
  const all = [...byId.values()];
  const transport = all.find((stats) => stats.type === "transport");
  const pair = byId.get(transport?.selectedCandidatePairId)
    ?? all.find((stats) => stats.type === "candidate-pair" && (stats.selected || (stats.nominated && stats.state === "succeeded")));
  const place = (id) => {
    const candidate = byId.get(id);
    if (!candidate) return "–";
    const address = candidate.address || candidate.ip || "(hidden)";
    return `${address.includes(":") ? `[${address}]` : address}:${candidate.port} ${candidate.protocol} ${candidate.candidateType}`;
  };
  $("local-candidate").textContent = place(pair?.localCandidateId);
  $("remote-candidate").textContent = place(pair?.remoteCandidateId);
  const versions = { FEFD: "DTLS 1.2", FEFC: "DTLS 1.3" };
  const version = versions[transport?.tlsVersion] ?? "DTLS";
  $("security").textContent = transport?.dtlsCipher ? `${version}, ${transport.dtlsCipher}` : version;
}

function setState(state) {
  const texts = {
    connecting: "Connecting…", connected: "Connected", disconnected: "Connection interrupted",
    failed: "Failed", closed: "Not connected",
  };
  $("state").dataset.state = state;
  $("state-text").textContent = texts[state] ?? state;
}

function enable(open) {
  for (const id of ["chat-text", "chat-send", "restart", "restart-remote", "file", "sample", "sample-size"]) {
    if (!open) keepFocus($(id), $("reconnect"));
    $(id).disabled = !open;
  }
  for (const id of ["camera", "play-film"]) {
    if (!open) keepFocus($(id), $("reconnect"));
    $(id).disabled = !open || (id === "camera" && noCamera() !== "");
  }
  $("drop").classList.toggle("off", !open);
  $("reconnect").textContent = session ? "Disconnect" : "Connect";
}

/** What is about to be disabled or hidden hands the keyboard's focus on, so that it is not lost. */
function keepFocus(element, heir) {
  if (document.activeElement === element) heir.focus();
}

/** Says what is wrong until its cause is gone: an empty text. The last one that is still true is shown. */
function banner(cause, text) {
  banners.delete(cause);
  if (text) banners.set(cause, text);
  const shown = [...banners.values()].at(-1) ?? "";
  if ($("banner").textContent !== shown) $("banner").textContent = shown;
  $("banner").hidden = !shown;
}

function log(text) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString();
  item.append(time, text);
  $("log").append(item);
  while ($("log").children.length > 300) $("log").firstChild.remove();
}

function say(who, text) {
  $("messages").querySelector(".empty")?.remove();
  const item = document.createElement("li");
  item.className = who === "You" ? "mine" : "theirs";
  const name = document.createElement("span");
  name.className = "who";
  name.textContent = who;
  item.append(name, text);
  $("messages").append(item);
  while ($("messages").children.length > 500) $("messages").firstChild.remove();
  $("messages").scrollTop = $("messages").scrollHeight;
}

function pong(data) {
  const sent = pings.get(data);
  if (sent === undefined) return;
  pings.delete(data);
  meter.roundTrip = performance.now() - sent;
}

/** Shows whether the camera is on. */
function filmed(on) {
  $("own").srcObject = on ? session.media.own : null;
  $("camera").textContent = on ? "Stop the camera" : "Start the camera";
  for (const id of ["mute-audio", "mute-video", "stream", "tones", "dial-send"]) {
    if (!on) keepFocus($(id), $("reconnect"));
    $(id).disabled = !on;
  }
  for (const id of ["mute-audio", "mute-video"]) press($(id), false);
  $("stream").value = "q";
}

function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

function isPressed(button) {
  return button.getAttribute("aria-pressed") === "true";
}

async function toggleCamera() {
  const { media } = session;
  if (media.running) {
    media.stop();
    filmed(false);
    return;
  }
  const focused = document.activeElement === $("camera");
  $("camera").disabled = true;
  try {
    await media.start();
    banner("camera", "");
    if (session?.media === media) filmed(true);
    else media.stop();
  } catch (error) {
    banner("camera", `The camera cannot be used: ${error.message}.`);
  } finally {
    $("camera").disabled = !session || noCamera() !== "";
    // Disabled it had lost the keyboard's focus.
    if (focused && document.activeElement === document.body) $($("camera").disabled ? "reconnect" : "camera").focus();
  }
}

async function measure() {
  const media = session?.media;
  if (!media || (!media.running && !isPressed($("play-film")))) return;
  const now = performance.now();
  charts.add(now, await media.sample(now));
  const { videoWidth, videoHeight } = $("echo");
  $("echo-size").textContent = media.running && videoWidth > 0 ? `${videoWidth}×${videoHeight}` : "";
  $("media-charts").dataset.samples = Number($("media-charts").dataset.samples ?? 0) + 1;
}

let serial = 0;
function tick() {
  const now = performance.now();
  if (session?.ping?.readyState === "open" && session.ping.bufferedAmount === 0) {
    const name = String(serial++);
    pings.set(name, now);
    session.ping.send(name);
    if (pings.size > 40) pings.delete(pings.keys().next().value);
  }
  const up = transfer ? transfer.sent : 0;
  const down = transfer ? transfer.echoed : 0;
  if (meter.last !== null) {
    const seconds = (now - meter.last) / 1000;
    const rateUp = Math.max(0, up - meter.up) / seconds;
    const rateDown = Math.max(0, down - meter.down) / seconds;
    $("rate-up").textContent = (rateUp / 2 ** 20).toFixed(1);
    $("rate-down").textContent = (rateDown / 2 ** 20).toFixed(1);
    $("round-trip").textContent = meter.roundTrip === null ? "–" : meter.roundTrip.toFixed(1);
    plot.add(now, rateUp, rateDown, meter.roundTrip);
    if (meter.roundTrip !== null) $("plot").dataset.roundTrips = Number($("plot").dataset.roundTrips ?? 0) + 1;
    $("plot").dataset.peak = Math.max(Number($("plot").dataset.peak ?? 0), Math.round(rateDown));
  }
  Object.assign(meter, { up, down, last: now, roundTrip: null });
  // A restart may have moved the connection to another route.
  if (serial % 20 === 0 && session?.chat?.readyState === "open") describe(session.peer).catch((error) => log(error.message));
}

/** Sends files, or queues them behind the one that is on its way. */
function offer(...sources) {
  if (sources.length === 0) return;
  if (session?.chat?.readyState !== "open") {
    const names = sources.map(({ name }) => name).join(", ");
    const advice = session ? "Drop again what is to go when it is there" : "Press Connect, then drop again what is to go";
    const text = `Not sent, as there is no connection: ${names}. ${advice}.`;
    banner("files", text);
    log(text);
    return;
  }
  banner("files", "");
  waiting.push(...sources);
  showWaiting();
  if (!transfer) sendNext();
}

async function sendNext() {
  while (session && waiting.length > 0) {
    const source = waiting.shift();
    showWaiting();
    await send(source);
  }
}

function showWaiting() {
  const names = waiting.map(({ name }) => name);
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  $("waiting").textContent = names.length > 0 ? `Next: ${names.slice(0, 3).join(", ")}${more}` : "";
}

async function send(source) {
  meter.up = meter.down = 0;
  transfer = new Transfer(session.peer.channel("file"), source, showProgress);
  $("cancel").hidden = false;
  $("transfer").hidden = false;
  $("transfer-name").textContent = `${source.name} (${size(source.size)})`;
  for (const id of ["hash-sent", "hash-peer", "hash-echo"]) $(id).textContent = "–";
  verdict("none", "");
  showProgress(transfer);
  const started = performance.now();
  try {
    const result = await transfer.run();
    showProgress(transfer);
    $("hash-sent").textContent = result.sent;
    $("hash-peer").textContent = result.peer;
    $("hash-echo").textContent = result.echo;
    const seconds = (performance.now() - started) / 1000;
    const text = `The three digests are ${result.equal ? "equal" : "different"}: ${size(result.bytes)} each way in ${seconds.toFixed(1)} s.`;
    verdict(result.equal ? "equal" : "different", text);
    if (result.copy) offerCopy(result.copy, source.name);
  } catch (error) {
    // The channel may close a moment before the server says why.
    if (error === transfer.closed && !transfer.reason) await new Promise((resolve) => setTimeout(resolve, 500));
    verdict("failed", `Not finished: ${(error === transfer.closed && transfer.reason) || error.message}.`);
    // A file that cannot be read leaves the channel open.
    transfer.end(error.message);
  } finally {
    tick();
    transfer = null;
    meter.up = meter.down = 0;
    keepFocus($("cancel"), $($("sample").disabled ? "reconnect" : "sample"));
    $("cancel").hidden = true;
  }
}

let shown = 0;
function showProgress(current) {
  const now = performance.now();
  if (now - shown < 50 && current.echoed < current.size) return;
  shown = now;
  for (const [way, amount] of [["up", current.sent], ["down", current.echoed]]) {
    const part = current.size === 0 ? 1 : amount / current.size;
    $(`progress-${way}`).value = part;
    $(`percent-${way}`).textContent = `${Math.floor(part * 100)} %`;
  }
}

function verdict(kind, text) {
  $("verdict").dataset.verdict = kind;
  $("verdict").textContent = text;
}

let copyUrl = null;
function offerCopy(copy, name) {
  if (copyUrl) URL.revokeObjectURL(copyUrl);
  copyUrl = URL.createObjectURL(copy);
  const link = document.createElement("a");
  link.href = copyUrl;
  link.download = name;
  link.textContent = "Save the copy";
  $("verdict").append(" ", link);
}

function size(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let step = 0;
  for (; bytes >= 1024 && step < units.length - 1; step++) bytes /= 1024;
  return `${step === 0 ? bytes : bytes.toFixed(1)} ${units[step]}`;
}

$("chat").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("chat-text").value;
  if (!text || session?.chat?.readyState !== "open") return;
  session.chat.send(text);
  say("You", text);
  $("chat-text").value = "";
});
$("file").addEventListener("change", () => {
  offer(...[...$("file").files].map(fileSource));
  $("file").value = "";
});
$("sample").addEventListener("click", () => offer(sampleSource(Number($("sample-size").value) * 2 ** 20)));
$("cancel").addEventListener("click", () => transfer?.end("cancelled"));
$("restart").addEventListener("click", () => session?.peer.restart());
$("restart-remote").addEventListener("click", () => session?.peer.restartRemote());
$("reconnect").addEventListener("click", () => (session ? disconnect("this page disconnected") : connect()));
for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.preventDefault());
$("drop").addEventListener("dragover", () => $("drop").classList.add("over"));
for (const type of ["dragleave", "drop"]) $("drop").addEventListener(type, () => $("drop").classList.remove("over"));
// Wherever it falls: nothing else here takes a file.
addEventListener("drop", ({ dataTransfer }) => offer(...[...dataTransfer.files].map(fileSource)));
$("camera").addEventListener("click", () => session && toggleCamera());
for (const kind of ["audio", "video"]) {
  const button = $(`mute-${kind}`);
  button.addEventListener("click", () => {
    press(button, !isPressed(button));
    session?.media.mute(kind, isPressed(button));
  });
}
$("stream").addEventListener("change", () => session?.peer.choose($("stream").value));
$("play-film").addEventListener("click", () => {
  press($("play-film"), !isPressed($("play-film")));
  session?.peer.film(isPressed($("play-film")));
});
$("dial").addEventListener("submit", (event) => {
  event.preventDefault();
  try {
    $("heard").textContent = "";
    session?.media.dial($("tones").value);
  } catch (error) {
    $("tone").textContent = error.message;
  }
});
$("no-camera").textContent = noCamera();
$("no-camera").hidden = noCamera() === "";
setInterval(() => measure().catch((error) => log(error.message)), 1000);
addEventListener("pagehide", () => session?.peer.close());
addEventListener("pageshow", ({ persisted }) => persisted && !session && connect());
setInterval(tick, TICK);
connect();
