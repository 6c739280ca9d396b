// The connection to the Rust peer: descriptions and candidates go over a WebSocket, each as soon as
// it is there. Either side may offer at any time; where both do, this one gives way. What cannot be
// used is told as an error about the negotiation, which is over when both sides have agreed, or about
// candidates, which is over when the connection is there.

export class Peer extends EventTarget {
  #socket;
  #connection = new RTCPeerConnection();
  #closed = false;
  #chain = Promise.resolve();

  constructor(url) {
    super();
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => this.#tell("open");
    this.#socket.onmessage = ({ data }) => {
      // One after the other: a candidate waits for the description before it.
      this.#chain = this.#chain.then(() => this.#hear(data));
    };
    this.#socket.onclose = ({ reason }) => this.#tell("gone", reason);
    const connection = this.#connection;
    connection.onnegotiationneeded = () => this.#offer().catch(({ message: text }) => this.#tell("error", { about: "negotiation", text }));
    connection.onicecandidate = ({ candidate }) => this.#send({ candidate: candidate ? candidate.toJSON() : null });
    connection.onconnectionstatechange = () => this.#tell("state", connection.connectionState);
    connection.oniceconnectionstatechange = () => this.#tell("log", `ICE ${connection.iceConnectionState}`);
    connection.onicegatheringstatechange = () => this.#tell("log", `gathering ${connection.iceGatheringState}`);
  }

  get connection() {
    return this.#connection;
  }

  channel(label, options) {
    const channel = this.#connection.createDataChannel(label, options);
    channel.binaryType = "arraybuffer";
    return channel;
  }

  restart() {
    this.#connection.restartIce();
  }

  /** Asks the peer to be the one who offers the restart. */
  restartRemote() {
    this.#send({ restart: true });
  }

  /** Whether the peer is to play its film. */
  film(wanted) {
    this.#send({ film: wanted });
  }

  /** Which stream of the camera the peer is to send back. */
  choose(rid) {
    this.#send({ choose: rid });
  }

  close() {
    this.#closed = true;
    this.#connection.close();
    this.#socket.close(1000);
  }

  async #offer() {
    await this.#connection.setLocalDescription();
    this.#tell("log", `${this.#connection.localDescription.type} sent`);
    this.#send({ description: this.#connection.localDescription });
  }

  async #hear(data) {
    let about = "negotiation";
    try {
      const message = JSON.parse(data);
      if ("candidate" in message) about = "candidates";
      await this.#receive(message);
    } catch ({ message: text }) {
      this.#tell("error", { about, text });
    }
  }

  async #receive(message) {
    const connection = this.#connection;
    if (message.description) {
      this.#tell("log", `${message.description.type} received`);
      await connection.setRemoteDescription(message.description); // an offer of ours that is open is rolled back
      if (message.description.type === "offer") {
        await connection.setLocalDescription();
        this.#send({ description: connection.localDescription });
        this.#tell("log", "answer sent");
      }
      this.#tell("agreed");
    } else if ("candidate" in message) {
      await connection.addIceCandidate(message.candidate ?? undefined);
    } else if (message.heard) {
      this.#tell("heard", message.heard);
    } else if (message.error) {
      this.#tell("error", message.error);
    }
  }

  #send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #tell(type, detail) {
    if (!this.#closed) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
