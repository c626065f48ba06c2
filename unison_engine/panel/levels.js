// A level meter: RMS as a bar, the peak as a mark that stays for a while before it falls.

import { h, level } from "./dom.js";

const FLOOR = -60; // dBFS, the left end.
const HOLD = 1500; // Milliseconds that a peak stays.
const FALL = 20; // dB a second that it falls then.
const HOT = -1; // dBFS from which on the peak is told in another colour.

/** `element` is to be put into the page; `tell` it what is measured. */
export class LevelMeter {
  #rms = h("i", { class: "rms" });
  #mark = h("i", { class: "peak" });
  #text = h("output", { "aria-hidden": "true" });
  #peak = FLOOR; // What is measured.
  #held = FLOOR; // What is shown.
  #since = 0;
  #then = 0;
  #ticking = false;

  /** `name` is what is measured, `short` the same in a word. */
  constructor(name, short) {
    this.element = h("div", { class: "meter", role: "meter", "aria-label": name, "aria-valuemin": FLOOR, "aria-valuemax": "0", title: name });
    this.element.append(h("span", {}, short), this.#text, h("span", { class: "bar" }, this.#rms, this.#mark));
    this.#show();
  }

  /** Peak and RMS in dBFS, of the time since this was told last. */
  tell(peak, rms) {
    this.#peak = Math.max(FLOOR, peak);
    if (this.#peak >= this.#held) [this.#held, this.#since] = [this.#peak, performance.now()];
    this.#rms.style.setProperty("--level", share(Math.max(FLOOR, rms)));
    if (!this.#ticking) this.#tick(performance.now());
    else this.#show();
  }

  #tick(now) {
    const fallen = this.#ticking && now - this.#since > HOLD ? (FALL * (now - this.#then)) / 1000 : 0;
    this.#held = Math.max(this.#peak, this.#held - fallen);
    this.#then = now;
    this.#show();
    this.#ticking = this.#held > this.#peak;
    if (this.#ticking) requestAnimationFrame((next) => this.#tick(next));
  }

  #show() {
    const told = this.#held > FLOOR ? level(this.#held, "dBFS") : "−∞ dBFS";
    this.#mark.style.setProperty("--level", share(this.#held));
    if (this.#text.textContent === told) return;
    this.#text.textContent = told;
    this.element.classList.toggle("hot", this.#held > HOT);
    this.element.setAttribute("aria-valuenow", this.#held.toFixed(1));
    this.element.setAttribute("aria-valuetext", `${told}, peak`);
  }
}

const share = (value) => String(1 - value / FLOOR);
