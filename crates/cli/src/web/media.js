// Camera, microphone and film: what this browser sends comes back from the peer, which plays a film when it is asked.

/** Parallel streams of the camera, the smallest first. */
const STREAMS = [
  { rid: "q", scaleResolutionDownBy: 4 },
  { rid: "h", scaleResolutionDownBy: 2 },
  { rid: "f" },
];

/** Why there is no camera; nothing where there may be one. */
export function noCamera() {
  if (navigator.mediaDevices?.getUserMedia) return "";
  return "There is no camera: browsers give it to pages of this machine and of https only. Start the program with --certificate and --key.";
}

export class Media extends EventTarget {
  #peer;
  #own = null;
  #sections = [];
  #last = new Map();
  #came = { echo: new MediaStream(), film: new MediaStream() };

  constructor(peer) {
    super();
    this.#peer = peer;
    peer.connection.addEventListener("track", ({ track, transceiver }) => {
      const which = this.#sections.includes(transceiver) ? "echo" : "film";
      const stream = this.#came[which];
      stream.addTrack(track);
      this.dispatchEvent(new CustomEvent("came", { detail: which }));
      // A section that is stopped ends its track.
      track.addEventListener("ended", () => stream.removeTrack(track));
    });
  }

  get echo() {
    return this.#came.echo;
  }

  get film() {
    return this.#came.film;
  }

  get own() {
    return this.#own;
  }

  get running() {
    return this.#own !== null;
  }

  /** Sends camera and microphone. */
  async start() {
    const video = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 15 } };
    const own = await navigator.mediaDevices.getUserMedia({ audio: true, video });
    this.#own = own;
    for (const track of own.getTracks()) {
      const options = { streams: [own] };
      if (track.kind === "video") options.sendEncodings = STREAMS;
      const section = this.#peer.connection.addTransceiver(track, options);
      if (track.kind === "video") {
        const known = RTCRtpSender.getCapabilities("video").codecs;
        section.setCodecPreferences(known.filter(({ mimeType }) => /video\/(VP8|rtx)/i.test(mimeType)));
      }
      this.#sections.push(section);
    }
  }

  stop() {
    for (const track of this.#own?.getTracks() ?? []) track.stop();
    this.#own = null;
    if (this.#peer.connection.signalingState !== "closed") for (const section of this.#sections) section.stop();
    this.#sections = [];
  }

  /** Whether what is sent of a kind is silence, or black. */
  mute(kind, muted) {
    for (const track of this.#own?.getTracks() ?? []) if (track.kind === kind) track.enabled = !muted;
  }

  dial(tones) {
    const sender = this.#sections.map((section) => section.sender).find(({ dtmf }) => dtmf?.canInsertDTMF);
    if (!sender) throw new Error("tones need the microphone and a connection");
    sender.dtmf.ontonechange = ({ tone }) => this.dispatchEvent(new CustomEvent("tone", { detail: tone }));
    sender.dtmf.insertDTMF(tones, 120, 80);
  }

  /** Pairs of what goes out and what comes in: kbit/s, lost of a hundred packets, jitter in ms, round trip in ms. */
  async sample(now) {
    const sum = { out: 0, in: 0, lost: 0, got: 0 };
    const [jitter, trips, losses] = [{ out: null, in: null }, [], []];
    (await this.#peer.connection.getStats()).forEach((stats) => {
      if (stats.type === "outbound-rtp") sum.out += stats.bytesSent;
      if (stats.type === "inbound-rtp") {
        sum.in += stats.bytesReceived;
        sum.lost += stats.packetsLost;
        sum.got += stats.packetsReceived;
        jitter.in = Math.max(jitter.in ?? 0, (stats.jitter ?? 0) * 1000);
      }
      // What the peer reports of what it gets.
      if (stats.type === "remote-inbound-rtp") {
        jitter.out = Math.max(jitter.out ?? 0, (stats.jitter ?? 0) * 1000);
        if (stats.roundTripTime !== undefined) trips.push(stats.roundTripTime * 1000);
        if (stats.fractionLost !== undefined) losses.push(stats.fractionLost * 100);
      }
    });
    const rise = (name) => {
      const before = this.#last.get(name) ?? sum[name];
      this.#last.set(name, sum[name]);
      return Math.max(0, sum[name] - before);
    };
    const seconds = (now - (this.#last.get("time") ?? now - 1000)) / 1000;
    this.#last.set("time", now);
    const [up, down, lost, got] = [rise("out"), rise("in"), rise("lost"), rise("got")];
    const worst = (all) => (all.length > 0 ? Math.max(...all) : null);
    return [
      [(up * 8) / 1000 / seconds, (down * 8) / 1000 / seconds],
      [worst(losses), lost + got > 0 ? (100 * lost) / (lost + got) : null],
      [jitter.out, jitter.in],
      [worst(trips), null],
    ];
  }
}
