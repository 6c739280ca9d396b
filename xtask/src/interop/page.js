// The browser's side of the tests. Descriptions and candidates go over a WebSocket; what a test does
// beside that, it does by scripts that call the functions of `h`.

import { Sha256 } from "./sha256.js";

const HIGH = 1024 * 1024;
const LOW = 256 * 1024;
const RATE = 48000;
const BINS = 4096;
const ANALYSIS = { fftSize: BINS * 2, smoothingTimeConstant: 0 };
/** The frequencies of a telephone's tones (ITU-T Q.23). */
const TONES = [697, 770, 852, 941, 1209, 1336, 1477, 1633];

/** A channel and what came over it. */
class Channel {
  constructor(dc) {
    this.dc = dc;
    this.count = 0;
    this.bytes = 0;
    this.hash = new Sha256();
    this.messages = [];
    this.echo = false;
    this.events = [];
    dc.binaryType = "arraybuffer";
    dc.bufferedAmountLowThreshold = LOW;
    dc.onmessage = ({ data }) => this.receive(data);
    for (const type of ["open", "closing", "close", "error"]) {
      dc.addEventListener(type, (event) => this.events.push(event.error ? `${type} ${event.error.message}` : type));
    }
  }

  receive(data) {
    const text = typeof data === "string";
    const bytes = text ? new TextEncoder().encode(data) : new Uint8Array(data);
    this.count += 1;
    this.bytes += bytes.length;
    this.hash.update(bytes);
    if (this.messages.length < 2000) {
      const short = text && data.length < 100 ? data : null;
      this.messages.push({ kind: text ? "text" : "binary", size: bytes.length, text: short });
    }
    if (this.echo) this.dc.send(data);
  }

  /** What a test reads of it. */
  facts() {
    const { label, protocol, id, ordered, maxRetransmits, maxPacketLifeTime, negotiated, readyState } = this.dc;
    const init = { label, protocol, id, ordered, maxRetransmits, maxPacketLifeTime, negotiated, readyState };
    return { ...init, count: this.count, bytes: this.bytes, messages: this.messages, events: this.events };
  }
}

const h = {
  pc: null,
  channels: new Map(),
  events: [],
  echo: false,
  refused: [],
  stops: false,
  glares: 0,

  /** Connects to the signalling; the side that offers does so by what the test does next. */
  async start({ trickle, echo, rsa, bundled, polite, server, relayed }) {
    const configuration = {};
    if (server) configuration.iceServers = [server];
    if (relayed) configuration.iceTransportPolicy = "relay";
    if (bundled) configuration.bundlePolicy = "max-bundle";
    if (rsa) {
      const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
      configuration.certificates = [await RTCPeerConnection.generateCertificate(algorithm)];
    }
    const pc = (h.pc = new RTCPeerConnection(configuration));
    h.echo = echo;
    h.trickle = trickle;
    h.polite = polite;
    h.log = (text) => h.events.push(`${(performance.now() / 1000).toFixed(3)} ${text}`);
    h.socket = new WebSocket(`ws://${location.host}/signal`);
    await new Promise((resolve, reject) => {
      h.socket.onopen = resolve;
      h.socket.onerror = () => reject(new Error("no signalling"));
    });
    let chain = Promise.resolve();
    h.socket.onmessage = ({ data }) => {
      chain = chain.then(() => h.receive(JSON.parse(data))).catch((error) => h.log(`signalling: ${error}`));
    };
    pc.onnegotiationneeded = () => h.describe().catch((error) => h.log(`offer: ${error}`));
    pc.onicecandidate = ({ candidate }) => {
      h.log(`candidate ${candidate && candidate.candidate}`);
      if (trickle) h.send({ candidate });
    };
    pc.ondatachannel = ({ channel }) => h.adopt(channel);
    pc.onconnectionstatechange = () => h.log(`connection ${pc.connectionState}`);
    pc.oniceconnectionstatechange = () => h.log(`ICE ${pc.iceConnectionState}`);
    pc.onsignalingstatechange = () => h.log(`signalling ${pc.signalingState}`);
  },

  /** Sets the local description and sends it, with its candidates where they do not trickle. */
  async describe() {
    const { pc } = h;
    h.making = true;
    await pc.setLocalDescription().finally(() => (h.making = false));
    while (!h.trickle && pc.iceGatheringState !== "complete") await h.next(pc, "icegatheringstatechange");
    h.send({ description: pc.localDescription });
  },

  async receive(message) {
    if (message.description) {
      const offer = message.description.type === "offer";
      const crossed = offer && (h.making || h.pc.signalingState !== "stable");
      if (crossed) h.glares += 1;
      h.ignoring = crossed && !h.polite;
      if (h.ignoring) return;
      await h.pc.setRemoteDescription(message.description);
      for (const it of h.pc.getTransceivers()) {
        if (!offer || !h.refused.includes(it.receiver.track.kind)) continue;
        if (h.stops) it.stop();
        else it.direction = "inactive";
      }
      if (offer) await h.describe();
    } else if ("candidate" in message) {
      await h.pc.addIceCandidate(message.candidate ?? undefined).catch((error) => {
        if (!h.ignoring) throw error;
      });
    }
  },

  /** Adds a section of the page's own. */
  own(kind) {
    h.section = h.pc.addTransceiver(kind, { direction: "sendonly" });
  },

  /** Turns its direction, and has offered that. */
  async turn(sends) {
    h.section.direction = sends ? "sendonly" : "inactive";
    await h.until(() => h.pc.signalingState === "have-local-offer", "an offer");
  },

  sections() {
    return h.pc.getTransceivers().map(({ mid, direction, currentDirection }) => ({ mid, direction, currentDirection, own: h.pc.signalingState }));
  },

  /** Whether all is agreed on: nothing is open, and both sections are sent in, or not. */
  settled(sends) {
    const directions = h.pc.getTransceivers().map(({ currentDirection }) => currentDirection);
    if (h.pc.signalingState !== "stable" || directions.includes(null)) return false;
    if (sends === null) return true;
    return directions.every((direction) => (direction !== "inactive") === sends);
  },

  send(message) {
    h.socket.send(JSON.stringify(message));
  },

  open(label, options) {
    return h.adopt(h.pc.createDataChannel(label, options));
  },

  adopt(dc) {
    const channel = new Channel(dc);
    channel.echo = h.echo;
    h.channels.set(dc.label, channel);
    return channel;
  },

  /** The channel of that name, when it is there and open. */
  async channel(label) {
    await h.until(() => h.channels.has(label), `channel ${label}`);
    const channel = h.channels.get(label);
    if (channel.dc.readyState === "connecting") await h.until(() => channel.dc.readyState === "open", `${label} open`);
    return channel;
  },

  async facts(label) {
    return (await h.channel(label)).facts();
  },

  /** Resolves when the condition holds. */
  async until(condition, what, seconds = 30) {
    const end = performance.now() + seconds * 1000;
    while (!condition()) {
      if (performance.now() > end) throw new Error(`waited ${seconds} s for ${what}; ${h.events.join("; ")}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  },

  next(target, type) {
    return new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
  },

  /** A message of that kind and size; every byte depends on its place and the seed. */
  message(kind, size, seed) {
    if (kind === "text") return "abcdefghijklmnopqrstuvwxyz"[seed % 26].repeat(size);
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at++) bytes[at] = (at * 31 + (at >> 8) * 7 + seed) & 0xff;
    return bytes;
  },

  /** Sends that many bytes in messages of that size, no faster than they leave; gives their digest. */
  async stream(label, total, size, progress) {
    const { dc } = await h.channel(label);
    const hash = new Sha256();
    for (let sent = 0, seed = 0; sent < total; sent += size, seed++) {
      if (dc.bufferedAmount > HIGH) await h.next(dc, "bufferedamountlow");
      const piece = h.message("binary", Math.min(size, total - sent), seed);
      hash.update(piece);
      dc.send(piece);
      if (progress) progress(sent);
    }
    return hash.hex();
  },

  /** The digest of what came over a channel, once that many bytes have. Asked for once. */
  async digest(label, total, seconds = 90) {
    const channel = await h.channel(label);
    await h.until(() => channel.bytes >= total, `${total} bytes on ${label}, there are ${channel.bytes}`, seconds);
    return channel.hash.hex();
  },

  /** Sends camera and microphone with these codecs, and shows what comes back; says which codec there is not. */
  async film({ audio, video, redundant = false, camera = { width: 320, height: 180, frameRate: 10 } }) {
    const { pc } = h;
    const has = (kind, name) => RTCRtpSender.getCapabilities(kind).codecs.filter(({ mimeType }) => mimeType.toLowerCase() === `${kind}/${name}`.toLowerCase());
    for (const [kind, name] of [["audio", audio], ["video", video]]) {
      if (has(kind, name).length === 0) return `the browser does not send ${name}`;
    }
    h.show();
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: camera });
    for (const track of stream.getTracks()) pc.addTrack(track, stream);
    for (const transceiver of pc.getTransceivers()) {
      const { kind } = transceiver.receiver.track;
      const name = kind === "audio" ? audio : video;
      // With parity nothing is sent again, so that it is parity alone that brings back what is lost.
      const serves = redundant ? /^(video\/(red|ulpfec)|audio\/red)$/i : /^video\/rtx$/i;
      const serving = RTCRtpSender.getCapabilities(kind).codecs.filter(({ mimeType }) => serves.test(mimeType));
      // Redundancy of sound is sent where it stands first.
      const codecs = kind === "audio" ? [...serving, ...has(kind, name)] : [...has(kind, name), ...serving];
      transceiver.setCodecPreferences(codecs);
    }
    return true;
  },

  /** Sound, picture and data in one offer. */
  offerAll() {
    for (const kind of ["audio", "video"]) h.pc.addTransceiver(kind);
    h.open("all", {});
  },

  /** Sends nothing of the camera, or does again. */
  async hold(held) {
    const own = h.pc.getTransceivers().find(({ sender }) => sender.track && sender.track.kind === "video");
    own.direction = held ? "recvonly" : "sendrecv";
  },

  /** Adds a track beside the others. */
  async add() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    h.added = h.pc.addTrack(stream.getTracks()[0], stream);
  },

  /** Takes it away again. */
  remove() {
    h.added.track.stop();
    h.pc.removeTrack(h.added);
  },

  /** Sends a microphone, which can dial. */
  async speak() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    h.speaker = h.pc.addTrack(stream.getTracks()[0], stream);
  },

  async dial(tones) {
    await h.until(() => h.speaker.dtmf.canInsertDTMF !== false && h.pc.connectionState === "connected", "a telephone");
    h.speaker.dtmf.insertDTMF(tones, 150, 80);
  },

  /** Analyses the sound that comes. Gives the state of the context, which never runs where a browser wants a device to play on. */
  async listen() {
    const sound = ({ track }) => track.kind === "audio" && !track.muted;
    await h.until(() => h.pc.getReceivers().some(sound), "sound");
    h.sound = new MediaStream([h.pc.getReceivers().find(sound).track]);
    h.audio = new AudioContext({ sampleRate: RATE });
    h.analyser = new AnalyserNode(h.audio, ANALYSIS);
    h.audio.createMediaStreamSource(h.sound).connect(h.analyser);
    await Promise.race([h.audio.resume(), new Promise((resolve) => setTimeout(resolve, 5000))]);
    return h.audio.state;
  },

  /** What an analyser sees: now, or of a second that is recorded and rendered, which no device has to play. */
  async spectra() {
    const read = (analyser) => {
      const bins = new Float32Array(BINS);
      analyser.getFloatFrequencyData(bins);
      return bins;
    };
    if (h.audio.state === "running") return [read(h.analyser)];
    const recorder = new MediaRecorder(h.sound);
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const stopped = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    recorder.stop();
    await stopped;
    const bytes = await new Blob(parts).arrayBuffer();
    const buffer = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
    const length = BINS * 2;
    const spectra = [];
    for (let at = 0; at + length / RATE <= buffer.duration; at += length / RATE) {
      const offline = new OfflineAudioContext(1, length, RATE);
      const analyser = new AnalyserNode(offline, ANALYSIS);
      const source = new AudioBufferSourceNode(offline, { buffer });
      source.connect(analyser).connect(offline.destination);
      source.start(0, at);
      await offline.startRendering();
      spectra.push(read(analyser));
    }
    return spectra;
  },

  /** Waits until these frequencies are heard, and louder than those of other tones; gives the levels in dB. */
  async heard(frequencies, seconds = 10) {
    const others = TONES.filter((it) => !frequencies.includes(it));
    const end = performance.now() + seconds * 1000;
    for (;;) {
      let last = "nothing";
      for (const bins of await h.spectra()) {
        const level = (hertz) => {
          const at = Math.round((hertz * 2 * BINS) / RATE);
          return Math.max(...bins.slice(at - 1, at + 2));
        };
        const [levels, beside] = [frequencies.map(level), Math.max(...others.map(level))];
        if (levels.every((it) => it > -60 && it > beside + 15)) return levels;
        last = `${levels} dB, of others ${beside} dB`;
      }
      if (performance.now() > end) throw new Error(`of ${frequencies} there are ${last}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },

  /** Shows whatever comes. */
  show() {
    h.pc.ontrack = ({ track }) => {
      h.log(`track ${track.kind}`);
      const element = document.createElement(track.kind);
      Object.assign(element, { autoplay: true, muted: true, srcObject: new MediaStream([track]) });
      document.body.append(element);
    };
  },

  /** Sends a camera of that size in these parallel streams, and shows what comes back. */
  async simulcast(encodings, { width, height, frameRate }) {
    h.show();
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width, height, frameRate } });
    const [track] = stream.getTracks();
    const transceiver = h.pc.addTransceiver(track, { streams: [stream], sendEncodings: encodings });
    const codecs = RTCRtpSender.getCapabilities("video").codecs;
    transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => /video\/(VP8|rtx)/i.test(mimeType)));
    const { width: wide, height: high } = track.getSettings();
    return `${wide}x${high}`;
  },

  /** The statistics of one type about video, added up over its streams. */
  async pictures(type) {
    const found = {};
    (await h.pc.getStats()).forEach((stats) => {
      if (stats.type !== type || stats.kind !== "video") return;
      for (const [name, value] of Object.entries(stats)) {
        if (typeof value === "number") found[name] = (found[name] ?? 0) + value;
      }
    });
    return found;
  },

  /** What was decoded of what comes, once it is as much as this. */
  async decoded({ frames, packets }, seconds = 30) {
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const found = { framesDecoded: 0, packetsReceived: 0, codecs: [] };
      (await h.pc.getStats()).forEach((stats) => {
        if (stats.type === "codec") found.codecs.push(stats.mimeType);
        if (stats.type !== "inbound-rtp") return;
        if (stats.kind === "video") found.framesDecoded = stats.framesDecoded;
        if (stats.kind === "audio") found.packetsReceived = stats.packetsReceived;
      });
      if (found.framesDecoded >= frames && found.packetsReceived >= packets) return found;
      if (performance.now() > end) throw new Error(`after ${seconds} s there are only ${JSON.stringify(found)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  },

  /** The whole report. */
  async stats() {
    const all = [];
    (await h.pc.getStats()).forEach((stats) => all.push({ ...stats }));
    return all;
  },

  /** What the statistics say of the transport. */
  async transport() {
    let found = null;
    (await h.pc.getStats()).forEach((stats) => {
      if (stats.type === "transport") found = stats;
    });
    return found;
  },
};

window.h = h;
