// Small time charts under each other on one canvas, each with what goes out and what comes in.

const WINDOW = 60_000;
const LEFT = 64;

export class Charts {
  #canvas;
  #names;
  #samples = [];

  /** A chart for each name. */
  constructor(canvas, names) {
    this.#canvas = canvas;
    this.#names = names;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** One sample: milliseconds of the page's clock, and for each chart a pair of numbers or nulls. */
  add(time, values) {
    this.#samples.push({ time, values });
    while (this.#samples[0].time < time - WINDOW) this.#samples.shift();
    const text = this.#names.map((name, at) => `${name}: ${values[at].map((value) => value?.toFixed(1) ?? "none").join(" sent, ")} received`);
    this.#canvas.setAttribute("aria-label", text.join("; "));
    this.draw();
  }

  draw() {
    const canvas = this.#canvas;
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (width === 0 || height === 0) return;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    const style = getComputedStyle(canvas);
    const color = (name) => style.getPropertyValue(name).trim();
    const each = height / this.#names.length;
    const end = this.#samples.at(-1)?.time ?? 0;
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "top";
    this.#names.forEach((name, at) => {
      const [top, bottom] = [at * each + 8, (at + 1) * each - 6];
      const most = Math.max(1, ...this.#samples.flatMap(({ values }) => values[at].map((value) => value ?? 0)));
      context.fillStyle = color("--soft");
      context.fillText(name, 0, top);
      context.fillText(most.toFixed(0), 0, top + 13);
      context.strokeStyle = color("--line");
      context.lineWidth = 1;
      context.strokeRect(LEFT, top, width - LEFT - 1, bottom - top);
      ["--blue", "--rust"].forEach((way, which) => {
        context.strokeStyle = color(way);
        context.lineWidth = which === 0 ? 1.75 : 3;
        context.beginPath();
        let open = false;
        for (const { time, values } of this.#samples) {
          const value = values[at][which];
          if (value === null) {
            open = false;
            continue;
          }
          const x = width - ((end - time) / WINDOW) * (width - LEFT);
          const y = bottom - (value / most) * (bottom - top);
          if (open) context.lineTo(x, y);
          else context.moveTo(x, y);
          open = true;
        }
        context.stroke();
      });
    });
  }
}
