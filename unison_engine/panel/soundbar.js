// The bar of what is heard and what comes in: the device, levels, and the last seconds as a take.

import { h } from "./dom.js";
import { LevelMeter } from "./levels.js";

const EVERY = 2000; // Milliseconds between looks at the device, whose counts nothing else tells.
const METER = "/unison/event/meter";

/**
 * Event `take` (detail: {seconds, input, use}): the last seconds are to become a take, and if `use` names a task, be used
 * for it. Event `device`: another one is to be chosen. Event `name` (detail: what the device is called).
 */
export class SoundBar extends EventTarget {
  #unison = null;
  #stop = null; // Ends what tells the levels.
  #name = "";
  #device = h("button", { class: "device quiet", "aria-haspopup": "dialog", "aria-keyshortcuts": "D", onclick: () => this.dispatchEvent(new Event("device")) });
  #here = new LevelMeter("Level in this browser", "Here");
  #out = new LevelMeter("Level that the engine plays", "Out");
  #in = new LevelMeter("Level that comes in", "In");
  #limiter = h("span", { class: "limiter", title: "What the limiter takes away" });
  #seconds = h("input", { type: "number", min: "0.1", max: "60", step: "any", value: "5", "aria-label": "Seconds to take" });
  #input = h("select", { "aria-label": "Input to take", onchange: () => this.#label() });
  #keep = h("button", { "aria-keyshortcuts": "C", onclick: () => this.take() }, "Keep as a take ", h("kbd", {}, "C"));
  #edit = h("button", { onclick: () => this.take("scene_edit") }, "Edit what was heard");
  #clone = h("button", { onclick: () => this.take("voice_clone") });

  constructor(root, player) {
    super();
    const capture = h("div", { class: "capture", role: "group", "aria-label": "What came in last" });
    capture.append(h("span", {}, "Last"), this.#seconds, h("span", {}, "s of"), this.#input, this.#keep, this.#edit, this.#clone);
    root.append(this.#device, h("div", { class: "meters" }, this.#here.element, this.#out.element, this.#limiter, this.#in.element), capture);
    player.addEventListener("level", ({ detail: { peak, rms } }) => this.#here.tell(peak, rms));
    document.addEventListener("visibilitychange", () => this.#listen());
    setInterval(() => this.#stop && this.look(), EVERY);
    this.#tell({ name: "", wanted: "", open: 0, inputs: 0, captured: 0 });
  }

  /** Follow an engine; tasks it does not know are not offered. */
  async watch(unison, tasks) {
    this.#unison = unison;
    this.#edit.hidden = !tasks.includes("scene_edit");
    this.#clone.hidden = !tasks.includes("voice_clone");
    this.#stop = null;
    this.#listen();
    unison.listen("/unison/event/device", () => this.look());
    unison.addEventListener("close", () => {
      this.#stop = null;
      this.#silence();
    });
    await this.look();
  }

  /** The last seconds become a take; `use` is the task they are for. */
  take(use = "") {
    if (this.#keep.disabled || !this.#seconds.reportValidity()) return;
    // Whose voice it is, is told by the input that it came in by.
    const input = Number(this.#input.value) || (use === "voice_clone" ? 1 : 0);
    this.dispatchEvent(new CustomEvent("take", { detail: { seconds: Number(this.#seconds.value), input, use } }));
  }

  /** Ask how the device stands. */
  async look() {
    const told = await this.#unison.call("/unison/device/status").catch(() => null);
    if (!told) return; // The line is lost, which the head of the page tells.
    const [name, open, load, underruns, overruns, latency, rate, inputs, outputs, captured, , wanted] = told;
    this.#tell({ name, open, load, underruns, overruns, latency, rate, inputs, outputs, captured, wanted });
  }

  #listen() {
    if (!this.#unison) return;
    if (document.hidden) {
      this.#stop?.();
      this.#stop = null;
      this.#silence();
    } else {
      this.#stop ??= this.#unison.listen(METER, (out, outRms, in_, inRms, reduction) => {
        this.#out.tell(out, outRms);
        this.#in.tell(in_, inRms);
        this.#limiter.textContent = reduction >= 0.1 ? `−${reduction.toFixed(1)} dB` : "";
      });
    }
  }

  #silence() {
    for (const meter of [this.#out, this.#in]) meter.tell(-Infinity, -Infinity);
    this.#limiter.textContent = "";
  }

  #tell({ name, open, load, underruns, overruns, latency, rate, inputs, outputs, captured, wanted }) {
    const lost = name !== wanted;
    const faults = [[underruns, "underrun"], [overruns, "overrun"]].filter(([count]) => count);
    const facts = [
      rate ? `${(rate / 1000).toFixed(1).replace(".0", "")} kHz` : null,
      latency >= 0.05 ? `${latency.toFixed(1)} ms` : null,
      faults.length ? h("b", { class: "wrong" }, faults.map(([count, one]) => `${count} ${one}${count > 1 ? "s" : ""}`).join(", ")) : null,
    ].filter(Boolean);
    this.#device.classList.toggle("lost", lost || !open);
    this.#device.title = rate ? `${outputs} out, ${inputs} in, load ${Math.round(100 * load)} %. Choose another device` : "";
    this.#device.replaceChildren(
      h("span", { class: "words" }, lost ? `${wanted} is gone` : name || "no device"),
      h("span", { class: "facts" }, facts.map((fact) => h("span", {}, fact))),
    );
    const choices = [["0", "all inputs"], ...Array.from({ length: inputs }, (_, index) => [String(index + 1), `input ${index + 1}`])];
    if (this.#input.length !== choices.length) {
      this.#input.replaceChildren(...choices.map(([value, told]) => h("option", { value }, told)));
      this.#label();
    }
    for (const button of [this.#keep, this.#edit, this.#clone]) button.disabled = !inputs || !captured;
    if (name !== this.#name) this.dispatchEvent(new CustomEvent("name", { detail: name }));
    this.#name = name;
  }

  #label() {
    this.#clone.textContent = `Clone the voice on input ${Number(this.#input.value) || 1}`;
  }
}
