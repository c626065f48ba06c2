// A sound on its time axis: waveform over spectrogram, the position that is heard, and a region that can be chosen.

import { fit, h, seconds, token } from "./dom.js";
import { drawSpectrogram, drawWave } from "./draw.js";
import { picturesOf } from "./sounds.js";

const NUDGE = 0.1; // Seconds that an arrow key moves the position by.

/** Event `seek` (detail: seconds). Event `region` (detail: [start, end] or null). */
export class View extends EventTarget {
  take = null;
  region = null;
  #pictures = null;
  #wave = h("canvas", { class: "wave" });
  #spectrum = h("canvas", { class: "spectrum" });
  #ruler = h("canvas", { class: "ruler" });
  #head = h("i", { class: "head" });
  #shade = h("i", { class: "region" });
  #position = 0;

  constructor() {
    super();
    const label = "Position in the sound; arrow keys move it";
    this.element = h("div", { class: "view", role: "slider", tabindex: "0", "aria-label": label, "aria-valuemin": "0" });
    this.element.append(this.#wave, this.#spectrum, this.#ruler, this.#shade, this.#head);
    this.element.addEventListener("pointerdown", (event) => this.#point(event));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** Show another take. */
  async show(take) {
    this.take = take;
    this.#pictures = null;
    this.element.setAttribute("aria-valuemax", take.seconds.toFixed(2));
    this.element.classList.add("loading");
    this.choose(null);
    this.at(0);
    const columns = Math.min(1200, Math.max(300, this.element.clientWidth));
    const pictures = await picturesOf(take, columns);
    if (this.take !== take) return;
    this.#pictures = pictures;
    this.element.classList.remove("loading");
    this.draw();
  }

  /** Draw anew, as in other colours. */
  draw() {
    if (!this.#pictures || !this.element.clientWidth) return;
    drawWave(this.#wave, this.#pictures.wave);
    drawSpectrogram(this.#spectrum, this.#pictures.spectrum);
    this.#rule();
  }

  /** Show the position, in seconds. */
  at(position) {
    this.#position = position;
    this.#head.style.setProperty("left", this.#share(position));
    this.element.setAttribute("aria-valuenow", position.toFixed(2));
    this.element.setAttribute("aria-valuetext", seconds(position));
  }

  /** Choose a region [start, end] in seconds, or none. */
  choose(region) {
    const sized = region?.map((at) => Math.max(0, Math.min(at, this.take.seconds))) ?? null;
    this.region = sized && sized[1] - sized[0] >= 0.01 ? sized : null;
    this.#shade.hidden = !this.region;
    if (this.region) {
      this.#shade.style.setProperty("left", this.#share(this.region[0]));
      this.#shade.style.setProperty("width", this.#share(this.region[1] - this.region[0]));
    }
    this.dispatchEvent(new CustomEvent("region", { detail: this.region }));
  }

  #share(at) {
    return `${(100 * at) / (this.take?.seconds || 1)}%`;
  }

  #moment({ clientX }) {
    const box = this.element.getBoundingClientRect();
    return Math.max(0, Math.min(1, (clientX - box.left) / box.width)) * this.take.seconds;
  }

  // A click moves the position; what is drawn out is a region.
  #point(down) {
    if (!this.take || down.button) return;
    const from = this.#moment(down);
    let drawn = false;
    const move = (event) => {
      const to = this.#moment(event);
      drawn ||= Math.abs(event.clientX - down.clientX) > 4;
      if (drawn) this.choose([Math.min(from, to), Math.max(from, to)]);
    };
    const stop = () => {
      window.removeEventListener("pointermove", move);
      if (!drawn) this.choose(null);
      this.#seek(this.region?.[0] ?? from);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", stop, { once: true });
  }

  #key(event) {
    const by = { ArrowLeft: -NUDGE, ArrowRight: NUDGE, PageDown: -1, PageUp: 1, Home: -Infinity, End: Infinity }[event.key];
    if (!by || !this.take) return;
    event.preventDefault();
    this.#seek(Math.max(0, Math.min(this.#position + by, this.take.seconds)));
  }

  #seek(at) {
    this.dispatchEvent(new CustomEvent("seek", { detail: at }));
  }

  #rule() {
    const { context, width, height } = fit(this.#ruler);
    const every = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60].find((step) => (width * step) / this.take.seconds > 56) ?? 60;
    context.fillStyle = token("--muted");
    context.font = `11px ${token("--font")}`;
    for (let mark = 0; mark * every <= this.take.seconds + 1e-6; mark++) {
      const x = (width * mark * every) / this.take.seconds;
      context.fillRect(Math.min(x, width - 1), 0, 1, 4);
      const text = String(Number((mark * every).toFixed(2)));
      const room = x + 14 < width;
      if (room) context.fillText(text, x + (mark ? 3 : 0), height - 3);
    }
  }
}
