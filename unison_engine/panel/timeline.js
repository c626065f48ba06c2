// Sounds on a time axis, for fields like "0.0-2.0 footsteps; 2.5-3.5 a door".

import { h } from "./dom.js";

const STEP = 0.1; // Seconds: prompts tell times with one decimal.
const EVENT = /^(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s+(\S.*)$/s;
const LANE = 44; // Pixels, as in the style sheet.

const tenth = (value) => Math.round(value / STEP) * STEP;

/** Events of a text, as the engine reads it; what it would not read is left out. */
export function parse(text) {
  const found = text.split(";").map((part) => EVENT.exec(part.trim())).filter(Boolean);
  return found.map(([, start, end, caption]) => ({ start: Number(start), end: Number(end), caption: caption.trim() }));
}

/** The text of events, in order of their start. */
export function format(events) {
  const told = events.filter(({ caption }) => caption.trim()).sort((one, other) => one.start - other.start);
  return told.map(({ start, end, caption }) => `${start.toFixed(1)}-${end.toFixed(1)} ${caption.trim()}`).join("; ");
}

/** The editor. `value` is the text; `length` is how long the sound is, in seconds. */
export class Timeline {
  #events = [];
  #chosen = null;
  #length = 10;
  #track = h("div", { class: "track", role: "group", "aria-label": "Sounds on a time axis" });
  #ruler = h("div", { class: "ruler", "aria-hidden": "true" });
  #caption = h("input", { type: "text", placeholder: "What is heard", "aria-label": "Caption of the sound" });
  #start = this.#number("Start of the sound, in seconds");
  #end = this.#number("End of the sound, in seconds");
  #fields = h("div", { class: "event" });

  constructor() {
    const add = h("button", { type: "button", onclick: () => this.#add() }, "Add a sound");
    const remove = h("button", { type: "button", class: "quiet", onclick: () => this.#remove() }, "Remove");
    this.#fields.append(this.#caption, h("span", { class: "times" }, this.#start, "to", this.#end, "s"), remove);
    this.element = h("div", { class: "timeline" }, this.#ruler, this.#track, h("div", { class: "tools" }, this.#fields, add));
    this.#track.addEventListener("dblclick", (event) => event.target === this.#track && this.#add(this.#at(event)));
    this.#caption.addEventListener("input", () => this.#change({ caption: this.#caption.value.replaceAll(";", ",") }));
    this.#start.addEventListener("change", () => this.#place(Number(this.#start.value), this.#fit(this.#chosen).end));
    this.#end.addEventListener("change", () => this.#place(this.#fit(this.#chosen).start, Number(this.#end.value)));
    this.value = "0.0-2.0 footsteps on gravel; 2.5-3.5 a door slams";
  }

  get value() {
    return format(this.#events.map((event) => this.#fit(event)));
  }

  set value(text) {
    this.#events = parse(text);
    this.#chosen = this.#events[0] ?? null;
    this.#draw();
  }

  set length(value) {
    if (!(value > 0)) return;
    this.#length = value;
    this.#draw();
  }

  // What of a sound lies within the clip. The sound keeps its times, as a length that is being typed may be short at first.
  #fit({ start, end, caption }) {
    const last = Math.min(end, this.#length);
    return { start: Math.max(0, Math.min(start, last - STEP)), end: last, caption };
  }

  #number(label) {
    return h("input", { type: "number", min: "0", step: String(STEP), "aria-label": label });
  }

  #add(at) {
    const last = Math.max(0, ...this.#events.map(({ end }) => end));
    const start = tenth(at ?? (last + 0.5 < this.#length ? last : 0));
    const event = { start, end: tenth(Math.min(this.#length, start + 1.5)), caption: "" };
    this.#events.push(event);
    this.#choose(event);
    this.#caption.focus();
  }

  #remove() {
    this.#events = this.#events.filter((event) => event !== this.#chosen);
    this.#chosen = this.#events[0] ?? null;
    this.#draw();
    this.#track.querySelector(".block")?.focus();
  }

  #choose(event) {
    this.#chosen = event;
    this.#draw();
  }

  #change(changes) {
    if (!this.#chosen) return;
    Object.assign(this.#chosen, changes);
    this.#draw();
  }

  // Keeps a sound inside the clip and not shorter than a step.
  #place(start, end, event = this.#chosen) {
    if (!event || !Number.isFinite(start) || !Number.isFinite(end)) return;
    event.start = tenth(Math.max(0, Math.min(start, this.#length - STEP)));
    event.end = tenth(Math.min(this.#length, Math.max(end, event.start + STEP)));
    this.#draw();
  }

  #at({ clientX }) {
    const box = this.#track.getBoundingClientRect();
    return ((clientX - box.left) / box.width) * this.#length;
  }

  #draw() {
    const share = (value) => `${(100 * value) / this.#length}%`;
    const lanes = []; // The end of what each holds so far.
    const focused = this.#track.contains(document.activeElement);
    const blocks = [...this.#events].sort((one, other) => one.start - other.start).map((event) => {
      const { start, end, caption } = this.#fit(event);
      let lane = lanes.findIndex((free) => free <= start + 1e-6);
      if (lane < 0) lane = lanes.push(0) - 1;
      lanes[lane] = end;
      const place = { left: share(start), width: share(end - start), "--lane": lane };
      const block = h("button", { type: "button", class: "block", style: place }, caption || "…", h("i", { class: "edge" }), h("i", { class: "edge end" }));
      block.setAttribute("aria-pressed", event === this.#chosen);
      block.setAttribute("aria-label", `${caption || "no caption"}, ${start.toFixed(1)} to ${end.toFixed(1)} seconds`);
      block.addEventListener("keydown", (pressed) => this.#key(pressed, event));
      block.addEventListener("focus", () => event !== this.#chosen && this.#choose(event));
      block.addEventListener("pointerdown", (down) => this.#drag(down, event));
      return block;
    });
    this.#track.replaceChildren(...blocks);
    this.#track.style.setProperty("height", `${Math.max(2, lanes.length) * LANE + 4}px`);
    if (focused) this.#track.querySelector('[aria-pressed="true"]')?.focus();
    this.#rule(share);
    const { start, end, caption } = this.#chosen ? this.#fit(this.#chosen) : { start: 0, end: 0, caption: "" };
    this.#start.value = start.toFixed(1);
    this.#end.value = end.toFixed(1);
    if (this.#caption.value !== caption) this.#caption.value = caption;
    this.#fields.hidden = !this.#chosen;
    this.element.dispatchEvent(new Event("change", { bubbles: true }));
  }

  #rule(share) {
    const second = (this.#track.clientWidth || 800) / this.#length; // In pixels; it may not be in the page yet.
    const every = [0.5, 1, 2, 5, 10, 30, 60].find((step) => step * second >= 32) ?? 60;
    const marks = Array.from({ length: Math.floor(this.#length / every + 1e-6) + 1 }, (_, mark) => mark * every);
    this.#ruler.replaceChildren(...marks.map((mark) => h("span", { style: { left: share(mark) } }, String(mark))));
    this.#track.style.setProperty("--second", share(1));
  }

  #key(pressed, event) {
    if (pressed.ctrlKey || pressed.metaKey) return;
    const by = { ArrowLeft: -STEP, ArrowRight: STEP }[pressed.key];
    const { start, end } = this.#fit(event);
    if (by && pressed.shiftKey) this.#place(start, end + by, event);
    else if (by && pressed.altKey) this.#place(Math.min(start + by, end - STEP), end, event);
    else if (by) this.#move(event, start + by);
    else if (pressed.key === "Delete" || pressed.key === "Backspace") this.#remove();
    else if (pressed.key === "Enter") this.#caption.focus();
    else return;
    pressed.preventDefault();
    pressed.stopPropagation();
  }

  #move(event, start) {
    const { start: from, end } = this.#fit(event);
    const long = end - from;
    const first = Math.max(0, Math.min(start, this.#length - long));
    this.#place(first, first + long, event);
  }

  #drag(down, event) {
    const edge = down.target.closest(".edge");
    const grip = this.#at(down);
    const { start, end } = this.#fit(event);
    this.#choose(event);
    const move = (moved) => {
      const by = this.#at(moved) - grip;
      if (!edge) this.#move(event, start + by);
      else if (edge.classList.contains("end")) this.#place(start, end + by, event);
      else this.#place(Math.min(start + by, end - STEP), end, event);
    };
    const stop = () => {
      window.removeEventListener("pointermove", move);
      this.#track.querySelector('[aria-pressed="true"]')?.focus();
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", stop, { once: true });
    window.addEventListener("pointercancel", stop, { once: true });
    down.preventDefault();
  }
}
