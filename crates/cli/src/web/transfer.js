// One file to the peer and back, on a channel of its own. The first message names it, binary
// messages follow; the peer sends each back, and at the end its own digest and count.

import { Sha256 } from "./sha256.js";

const PIECE = 64 * 1024;
const HIGH = 1024 * 1024;
const LOW = 256 * 1024;
const KEPT = 512 * 1024 * 1024;

export class Transfer {
  #channel;
  #source;
  #sentHash = new Sha256();
  #echoHash = new Sha256();
  #parts = [];
  #progress;
  queued = 0;
  echoed = 0;
  /** Why it was ended here; null while it was not. */
  reason = null;
  /** What `run` rejects with when the channel closes. */
  closed = new Error("the peer closed the channel");

  /** `source` has a name, a size and `pieces(size)`, an async iterator of Uint8Array. */
  constructor(channel, source, progress) {
    this.#channel = channel;
    this.#source = source;
    this.#progress = progress;
  }

  get size() {
    return this.#source.size;
  }

  /** Payload that left the channel's buffer. */
  get sent() {
    return Math.max(0, this.queued - this.#channel.bufferedAmount);
  }

  /** Ends it before its time. */
  end(reason) {
    this.reason ??= reason;
    this.#channel.close();
  }

  /** Resolves with the three digests and, for a file that is small enough, the copy that came back. */
  async run() {
    const channel = this.#channel;
    channel.bufferedAmountLowThreshold = LOW;
    if (channel.readyState === "connecting") {
      await new Promise((resolve, reject) => {
        channel.addEventListener("open", resolve, { once: true });
        channel.addEventListener("close", () => reject(this.closed), { once: true });
      });
    }
    const result = this.#echo();
    result.catch(() => {}); // it is awaited below; a failure while sending is reported once
    channel.send(JSON.stringify({ name: this.#source.name, size: this.size }));
    for await (const piece of this.#source.pieces(PIECE)) {
      // It may have closed while the piece was read, and then nothing more is told.
      if (channel.readyState === "open" && channel.bufferedAmount > HIGH) await this.#room();
      if (channel.readyState !== "open") throw this.closed;
      channel.send(piece);
      this.#sentHash.update(piece);
      this.queued += piece.length;
      this.#progress(this);
    }
    const sent = this.#sentHash.hex();
    const { sha256: peer, bytes } = await result;
    const echo = this.#echoHash.hex();
    const copy = this.#source.keep && this.size <= KEPT ? new Blob(this.#parts) : null;
    channel.close();
    return { sent, peer, echo, bytes, copy, equal: sent === peer && sent === echo && bytes === this.size };
  }

  #room() {
    return new Promise((resolve) => {
      const done = () => {
        this.#channel.removeEventListener("bufferedamountlow", done);
        this.#channel.removeEventListener("close", done);
        resolve();
      };
      this.#channel.addEventListener("bufferedamountlow", done);
      this.#channel.addEventListener("close", done);
    });
  }

  #echo() {
    return new Promise((resolve, reject) => {
      this.#channel.onmessage = ({ data }) => {
        if (typeof data === "string") {
          const last = JSON.parse(data);
          if (last.error) reject(new Error(last.error)); else resolve(last);
          return;
        }
        this.#echoHash.update(new Uint8Array(data));
        this.echoed += data.byteLength;
        if (this.#source.keep && this.size <= KEPT) this.#parts.push(data);
        this.#progress(this);
      };
      this.#channel.addEventListener("close", () => reject(this.closed));
    });
  }
}

/** A file of the visitor's. */
export function fileSource(file) {
  return {
    name: file.name,
    size: file.size,
    keep: true,
    async *pieces(size) {
      const block = 32 * size; // read in larger steps than are sent
      for (let start = 0; start < file.size; start += block) {
        const bytes = new Uint8Array(await file.slice(start, start + block).arrayBuffer());
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      }
    },
  };
}

/** That many random bytes. */
export function sampleSource(total) {
  return {
    name: `${total / 2 ** 20} MiB of random data`,
    size: total,
    keep: false,
    async *pieces(size) {
      for (let left = total; left > 0; left -= size) {
        yield crypto.getRandomValues(new Uint8Array(Math.min(left, size)));
      }
    },
  };
}
