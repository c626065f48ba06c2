// The form of a request, made from what OSCQuery tells of the tasks: a plugin's task has a form like any other.

import { h, plain } from "./dom.js";
import { parse, Timeline } from "./timeline.js";

/** Event `make` (detail: {task, fields, base}): a sound is asked for; `base` is the take whose request it changes, if any. */
export class Composer extends EventTarget {
  #root;
  #tasks = {};
  #takes;
  #task = "";
  #base = null; // The take whose request is changed.
  #form = h("form", { class: "request" });
  #tabs = h("div", { class: "tabs", role: "radiogroup", "aria-label": "Task" });
  #known = h("datalist", { id: "known-takes" });
  #alert = h("p", { class: "wrong", role: "alert" });
  #given = new Map(); // By task and field: what was typed, kept while other tasks are looked at.

  /** `takes()` gives the takes that a recording can be chosen from. */
  constructor(root, takes) {
    super();
    this.#root = root;
    this.#takes = takes;
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
    this.#root.replaceChildren(this.#tabs, this.#form, this.#known);
    this.choose(known.includes(this.#task) ? this.#task : known.includes("text_to_audio") ? "text_to_audio" : known[0]);
  }

  /** Names of the tasks that work on a recording, with the name of that field. */
  get onRecordings() {
    const found = Object.entries(this.#tasks).map(([task, node]) => [task, recordingOf(node)]);
    return found.filter(([, field]) => field);
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
    for (const [name, value] of Object.entries(fields)) this.#given.set(`${task} ${name}`, value);
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

  #field(name, field) {
    const id = `field-${name}`;
    const key = `${this.#task} ${name}`;
    const value = this.#given.get(key) ?? field.DEFAULT;
    const input = this.#input(name, field, value);
    input.id = id;
    input.setAttribute("aria-describedby", `${id}-help`);
    const keep = () => this.#given.set(key, input.type === "checkbox" ? Number(input.checked) : input.value);
    input.addEventListener("input", keep);
    input.addEventListener("input", () => this.#measure());
    const unit = field.UNIT === "time.second" ? h("span", { class: "unit" }, "s") : null;
    const kind = field.MEANING ?? (field.RANGE?.VALS ? "choice" : field.TYPE === "s" ? "text" : "number");
    const help = h("p", { class: "help", id: `${id}-help` }, describe(field));
    if (kind !== "events") return h("div", { class: `field ${kind}` }, h("label", { for: id }, plain(name)), h("div", { class: "input" }, input, unit), help);
    const timeline = new Timeline();
    timeline.value = String(value ?? "") || timeline.value;
    input.value = timeline.value;
    timeline.element.addEventListener("change", () => {
      input.value = timeline.value;
      keep();
    });
    input.timeline = timeline;
    return h("div", { class: "field events" }, h("label", { for: id }, plain(name)), input, timeline.element, help);
  }

  #input(name, field, value = "") {
    const shared = { name, required: field.REQUIRED };
    if (field.MEANING === "events") return h("input", { ...shared, type: "text", class: "as-text", spellcheck: "false" });
    if (field.MEANING === "flag") return h("input", { name, type: "checkbox", checked: Boolean(value) });
    if (field.MEANING === "recording") return this.#recording(shared, value);
    if (field.RANGE?.VALS) {
      const values = field.RANGE.VALS.filter((one) => one !== "");
      return h("select", shared, values.map((one) => h("option", { value: one, selected: one === value }, plain(one))));
    }
    if (field.TYPE === "s" && field.REQUIRED) return h("textarea", { ...shared, rows: 1, spellcheck: true, value });
    if (field.TYPE === "s") return h("input", { ...shared, type: "text", value: String(value) });
    const { MIN, MAX } = field.RANGE ?? {};
    const step = field.TYPE === "i" ? "1" : "any";
    const placeholder = field.REQUIRED || value !== "" ? null : "auto";
    return h("input", { ...shared, type: "number", min: text(MIN), max: text(MAX), step, value: String(value), placeholder });
  }

  #recording(shared, value) {
    const placeholder = "a take, or drop one here";
    const input = h("input", { ...shared, type: "text", value: String(value), list: "known-takes", placeholder, autocomplete: "off" });
    input.addEventListener("focus", () => this.#known.replaceChildren(...this.#takes().map((take) => h("option", { value: take.id }, this.words(take)))));
    input.addEventListener("dragover", (event) => event.preventDefault());
    input.addEventListener("drop", (event) => {
      event.preventDefault();
      input.value = event.dataTransfer.getData("text/plain");
      input.dispatchEvent(new Event("input"));
    });
    return input;
  }

  // The time axis is as long as the sound.
  #measure() {
    const long = Number(this.#form.elements.seconds?.value);
    for (const input of this.#form.querySelectorAll(".as-text")) input.timeline.length = long;
  }

  #values() {
    const fields = {};
    for (const [name, field] of Object.entries({ ...this.#tasks[this.#task].ARGUMENTS, ...this.#tasks[this.#task].PAIRS })) {
      const input = this.#form.elements[name];
      const value = field.MEANING === "flag" ? Number(input.checked) : input.value.trim();
      if (value === "" || (!this.#base && !field.REQUIRED && value === field.DEFAULT)) continue;
      fields[name] = field.TYPE === "s" ? value : Number(value);
    }
    return fields;
  }
}

const text = (value) => (value === undefined ? undefined : String(value));

function recordingOf(node) {
  const fields = { ...node.ARGUMENTS, ...node.PAIRS };
  return Object.keys(fields).find((name) => fields[name].MEANING === "recording");
}

function describe({ DESCRIPTION, RANGE, TYPE }) {
  const { MIN, MAX } = RANGE ?? {};
  return MIN === undefined || TYPE === "s" || RANGE.VALS ? DESCRIPTION : `${DESCRIPTION} ${MIN} to ${MAX}.`;
}
