// Two stacked time charts on one canvas: throughput above (sent and received), round trip below.

const WINDOW = 60_000;
const GAP = 28;
const LEFT = 52;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 22;

export class Plot {
  #canvas;
  #samples = [];
  #drawn = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** One sample: milliseconds of the page's clock, bytes per second each way, round trip in ms or null. */
  add(time, up, down, roundTrip) {
    this.#samples.push({ time, up, down, roundTrip });
    while (this.#samples[0].time < time - WINDOW - 2_000) this.#samples.shift();
    this.draw();
    if (time - this.#drawn > 5_000) this.#describe(time);
  }

  draw() {
    const canvas = this.#canvas;
    const scale = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (width === 0 || height === 0) return;
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    const color = (name) => style.getPropertyValue(name).trim();
    const split = TOP + (height - TOP - BOTTOM - GAP) * 0.62;
    const end = this.#samples.at(-1)?.time ?? 0;
    const frame = { context, left: LEFT, right: width - RIGHT, end, line: color("--line"), ink: color("--soft") };

    const rates = { ...frame, top: TOP, bottom: split };
    const peak = niceTop(this.#max((sample) => Math.max(sample.up, sample.down)) / MIB, 1);
    axes(rates, peak, "MiB/s");
    this.#curve(rates, peak * MIB, (sample) => sample.down, color("--rust"), true);
    this.#curve(rates, peak * MIB, (sample) => sample.up, color("--blue"), true);

    const trips = { ...frame, top: split + GAP, bottom: height - BOTTOM };
    const longest = niceTop(this.#max((sample) => sample.roundTrip ?? 0), 2);
    axes(trips, longest, "ms");
    this.#curve(trips, longest, (sample) => sample.roundTrip, color("--violet"), false);

    context.fillStyle = frame.ink;
    context.textBaseline = "top";
    for (let ago = 0; ago <= 60; ago += 15) {
      const x = frame.right - (ago * 1_000 * (frame.right - frame.left)) / WINDOW;
      context.textAlign = ago === 0 ? "right" : ago === 60 ? "left" : "center";
      context.fillText(ago === 0 ? "now" : `−${ago} s`, x, height - BOTTOM + 6);
    }
  }

  #max(value) {
    return this.#samples.reduce((most, sample) => Math.max(most, value(sample)), 0);
  }

  #curve({ context, left, right, top, bottom, end }, peak, value, color, filled) {
    context.save();
    context.beginPath();
    context.rect(left, top - 2, right - left, bottom - top + 4);
    context.clip();
    context.strokeStyle = color;
    context.lineWidth = 2;
    context.lineJoin = "round";
    const x = (time) => right - ((end - time) * (right - left)) / WINDOW;
    const y = (amount) => bottom - (amount * (bottom - top)) / peak;
    const line = new Path2D();
    let open = false;
    for (const sample of this.#samples) {
      const amount = value(sample);
      if (amount === null) { open = false; continue; }
      if (open) line.lineTo(x(sample.time), y(amount)); else line.moveTo(x(sample.time), y(amount));
      open = true;
    }
    context.stroke(line);
    if (filled && this.#samples.length > 1) {
      const area = new Path2D(line);
      area.lineTo(right, bottom);
      area.lineTo(x(this.#samples[0].time), bottom);
      context.globalAlpha = 0.14;
      context.fillStyle = color;
      context.fill(area);
    }
    context.restore();
  }

  /** What a reader of the screen hears in place of the picture. */
  #describe(time) {
    this.#drawn = time;
    const recent = this.#samples.filter((sample) => sample.roundTrip !== null);
    const mean = recent.reduce((sum, sample) => sum + sample.roundTrip, 0) / Math.max(recent.length, 1);
    const up = this.#max((sample) => sample.up) / MIB;
    const down = this.#max((sample) => sample.down) / MIB;
    this.#canvas.setAttribute(
      "aria-label",
      `Last 60 seconds: at most ${up.toFixed(1)} MiB/s sent and ${down.toFixed(1)} MiB/s received, ` +
        `mean round trip ${mean.toFixed(1)} ms`,
    );
  }
}

function axes({ context, left, right, top, bottom, line, ink }, peak, unit) {
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.lineWidth = 1;
  for (const part of [0, 0.5, 1]) {
    const y = Math.round(bottom - part * (bottom - top)) + 0.5;
    context.strokeStyle = line;
    context.beginPath();
    context.moveTo(left, y);
    context.lineTo(right, y);
    context.stroke();
    context.fillStyle = ink;
    const amount = peak * part;
    context.fillText(amount >= 10 || Number.isInteger(amount) ? Math.round(amount) : amount.toFixed(1), left - 8, y);
  }
  context.textAlign = "left";
  context.fillText(unit, left + 6, top + 9);
}

/** The least of 1, 2, 5 × 10ⁿ that is not below the amount. */
function niceTop(amount, least) {
  const wanted = Math.max(amount, least);
  const decade = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map((step) => step * decade).find((top) => top >= wanted * 0.999);
}

const MIB = 2 ** 20;
