// The choice of a sound device.

import { byId, h } from "./dom.js";
import { field, valueOf } from "./fields.js";

const OPEN = "/unison/device/open";

/** Shows what devices there are, looks for others, and opens one. */
export class DeviceChoice {
  #dialog = byId("device");
  #unison = null;
  #list = h("div", { class: "devices", role: "radiogroup", "aria-labelledby": "device-title" });
  #options = h("div", { class: "fields options" });
  #told = h("p", { class: "wrong", role: "alert" });
  #node = null;

  constructor() {
    const rescan = h("button", { type: "button", onclick: () => this.#do(() => this.#unison.call("/unison/device/rescan")) }, "Look again");
    const cancel = h("button", { type: "button", class: "quiet", onclick: () => this.#dialog.close() }, "Close");
    const form = h("form", { class: "choice" }, this.#list, h("details", {}, h("summary", {}, "Options"), this.#options), this.#told, h("div", { class: "buttons" }, rescan, cancel, h("button", { class: "make" }, "Open")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#do(() => this.#open(form));
    });
    this.#dialog.append(h("h2", { id: "device-title" }, "Sound device"), form);
  }

  /** Show the devices of an engine. */
  async show(unison) {
    this.#unison = unison;
    this.#node ??= await unison.describe(OPEN);
    const { name, ...options } = this.#node.ARGUMENTS;
    this.#options.replaceChildren(...Object.entries(options).map(([key, node]) => field(key, node, node.DEFAULT, { form: "device" })));
    this.#list.replaceChildren();
    this.#dialog.showModal();
    await this.#do(() => {});
    this.#list.querySelector(":checked")?.focus();
  }

  async #do(work) {
    this.#told.textContent = "";
    this.#dialog.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      this.#told.textContent = error.message;
    }
    await this.#fill().catch((error) => (this.#told.textContent = error.message));
    this.#dialog.removeAttribute("aria-busy");
  }

  async #open(form) {
    const given = Object.entries(this.#node.ARGUMENTS).map(([key, node]) => valueOf(form.elements[key], node) ?? node.DEFAULT);
    await this.#unison.call(OPEN, given.map((value, at) => (this.#node.TYPE[at + 1] === "f" ? { tag: "f", value } : value)));
    this.#dialog.close();
  }

  async #fill() {
    const [devices, status] = await Promise.all([this.#unison.list("/unison/device/list"), this.#unison.call("/unison/device/status")]);
    const chosen = this.#list.querySelector(":checked")?.value ?? status.at(-1); // Or what was asked for last.
    this.#list.replaceChildren(...devices.map(([, name, api, ins, outs, rate, latency]) => {
      const input = h("input", { type: "radio", name: "name", value: name, required: true, checked: name === chosen });
      const facts = [api, `${outs} out, ${ins} in`, `${rate / 1000} kHz`, latency ? `${latency.toFixed(1)} ms` : null].filter(Boolean);
      return h("label", {}, input, h("span", { class: "words" }, name), h("span", { class: "facts" }, facts.map((fact) => h("span", {}, fact))));
    }));
  }
}
