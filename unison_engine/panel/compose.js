// The form of a request, made from what OSCQuery tells of the tasks: a plugin's task has a form like any other.

import { h, plain } from "./dom.js";
import { field, valueOf } from "./fields.js";
import { parse } from "./timeline.js";

/** Event `make` (detail: {task, fields, base}): a sound is asked for; `base` is the take whose request it changes, if any. */
export class Composer extends EventTarget {
  #root;
  #tasks = {};
  #offer;
  #task = "";
  #base = null; // The take whose request is changed.
  #form = h("form", { class: "request" });
  #tabs = h("div", { class: "tabs", role: "radiogroup", "aria-label": "Task" });
  #alert = h("p", { class: "wrong", role: "alert" });
  #given = new Map(); // By task and field: what was typed, kept while other tasks are looked at.

  /** `offer` is as `field` wants it. */
  constructor(root, offer) {
    super();
    this.#root = root;
    this.#offer = offer;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#alert.textContent = "";
      this.dispatchEvent(new CustomEvent("make", { detail: { task: this.#task, fields: this.#values(), base: this.#base } }));
    });
    this.#form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
    });
  }

  /** Offer these tasks: nodes of OSCQuery by name. */
  show(tasks) {
    this.#tasks = tasks;
    const known = Object.keys(tasks);
    this.#tabs.replaceChildren(...known.map((name) => this.#tab(name)));
    this.#root.replaceChildren(this.#tabs, this.#form);
    if (known.includes(this.#task)) this.choose(this.#task, {}, this.#base);
    else this.choose(known.includes("text_to_audio") ? "text_to_audio" : known[0]);
  }

  /** Names of the tasks. */
  get known() {
    return Object.keys(this.#tasks);
  }

  /** Names of the tasks that work on a recording, with the name of that field. */
  get onRecordings() {
    return this.#taking("recording");
  }

  /** Names of the tasks that a named voice can speak in, with the name of that field. */
  get onVoices() {
    return this.#taking("voice");
  }

  /** Other voices have names now. */
  refresh() {
    for (const select of this.#form.querySelectorAll("select")) select.refill();
  }

  /** What a take is called: the first text of its request that is no recording. */
  words(take) {
    const fields = this.#tasks[take.recipe.task]?.ARGUMENTS ?? {};
    const name = Object.keys(fields).find((one) => fields[one].TYPE === "s" && fields[one].MEANING !== "recording");
    const said = take.recipe.request[name];
    if (fields[name]?.MEANING === "events") return parse(said).map(({ caption }) => caption).join(", ");
    return String(said ?? take.recipe.prompt.replace(/\[[^\]]*\]\s*/g, ""));
  }

  /** Show the form of a task, with some of its fields filled in; `base` is the take that they come from, if any. */
  choose(task, fields = {}, base = null) {
    this.#task = task;
    this.#base = base;
    for (const tab of this.#tabs.querySelectorAll("input")) tab.checked = tab.value === task;
    for (const [name, value] of Object.entries(fields)) this.#given.set(`${task} ${name}`, value ?? undefined);
    const node = this.#tasks[task];
    const [fixed, pairs] = [node.ARGUMENTS ?? {}, node.PAIRS ?? {}];
    const needed = Object.entries(pairs).filter(([, field]) => field.REQUIRED);
    const options = Object.entries(pairs).filter(([, field]) => !field.REQUIRED);
    this.#form.replaceChildren(
      h("div", { class: "summary" }, node.DESCRIPTION, base && this.#origin(base)),
      h("div", { class: "fields" }, [...Object.entries(fixed), ...needed].map(([name, field]) => this.#field(name, field))),
      h("details", {}, h("summary", {}, "Options"), h("div", { class: "fields options" }, options.map(([name, field]) => this.#field(name, field)))),
      this.#alert,
      h("div", { class: "go" }, h("button", { class: "make", "aria-keyshortcuts": "Control+Enter" }, "Make ", h("kbd", {}, "Ctrl ↵"))),
    );
    this.#alert.textContent = "";
    this.#measure();
  }

  /** Put the cursor into the first field. */
  focus() {
    this.#form.querySelector("textarea, input, .block")?.focus();
  }

  /** Tell why the request was refused. */
  refuse(message) {
    this.#alert.textContent = message;
    for (const input of this.#form.querySelectorAll("[name]")) {
      input.toggleAttribute("aria-invalid", new RegExp(`\\b${input.name}\\b`).test(message));
    }
  }

  #origin(take) {
    const afresh = h("button", { type: "button", class: "quiet", onclick: () => this.choose(this.#task, { seed: "" }) }, "Start afresh");
    return [h("span", {}, "Changes ", h("b", {}, this.words(take))), afresh];
  }

  #tab(name) {
    const input = h("input", { type: "radio", name: "task", value: name });
    input.addEventListener("change", () => this.choose(name));
    return h("label", {}, input, h("span", {}, plain(name)));
  }

  #taking(meaning) {
    const named = ({ ARGUMENTS, PAIRS }) => Object.entries({ ...ARGUMENTS, ...PAIRS }).find(([, { MEANING }]) => MEANING === meaning);
    const found = Object.entries(this.#tasks).map(([task, node]) => [task, named(node)?.[0]]);
    return found.filter(([, name]) => name);
  }

  #field(name, node) {
    const key = `${this.#task} ${name}`;
    const made = field(name, node, this.#given.get(key), this.#offer);
    made.input.addEventListener("input", () => {
      this.#given.set(key, made.input.type === "checkbox" ? Number(made.input.checked) : made.input.value);
      this.#measure();
    });
    return made;
  }

  // The time axis is as long as the sound.
  #measure() {
    const long = Number(this.#form.elements.seconds?.value);
    for (const input of this.#form.querySelectorAll(".as-text")) input.timeline.length = long;
  }

  #values() {
    const fields = {};
    for (const [name, node] of Object.entries({ ...this.#tasks[this.#task].ARGUMENTS, ...this.#tasks[this.#task].PAIRS })) {
      const value = valueOf(this.#form.elements[name], node);
      const before = this.#base?.recipe.request[name] ?? undefined;
      if (value === undefined && before !== undefined) fields[name] = ""; // It is to be left out this time.
      if (value === undefined || (!this.#base && !node.REQUIRED && value === node.DEFAULT)) continue;
      fields[name] = value;
    }
    return fields;
  }
}
