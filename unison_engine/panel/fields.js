// Fields of forms, made from what OSCQuery tells of an argument.

import { h, plain } from "./dom.js";
import { Timeline } from "./timeline.js";

/**
 * A field with its label, unit and help.
 *
 * @param {string} name of the argument
 * @param {object} node what OSCQuery tells of it
 * @param {*} value what it holds at first; its default if undefined
 * @param {object} [offer] `recordings()` gives [name, told] of what can stand for a recording, `voices()` of named voices,
 *   and `form` begins the id of the input, where a page has more than one form
 * @returns {HTMLElement} its `input` has the value as text
 */
export function field(name, node, value = node.DEFAULT, offer = {}) {
  const id = `${offer.form ?? "field"}-${name}`;
  const input = inputOf(name, node, value, offer);
  input.id = id;
  input.setAttribute("aria-describedby", `${id}-help`);
  const unit = node.UNIT === "time.second" ? h("span", { class: "unit" }, "s") : null;
  const kind = node.MEANING ?? (node.RANGE?.VALS ? "choice" : isText(node) ? "text" : "number");
  const label = h("label", { for: id }, plain(name));
  const help = h("p", { class: "help", id: `${id}-help` }, describe(node));
  const shown = kind === "events" ? [input, timelineOf(input, value)] : [h("div", { class: "input" }, input, unit)];
  return Object.assign(h("div", { class: `field ${kind}` }, label, shown, help), { input });
}

/** What is in a field, as it is sent; undefined where it is left to the engine. */
export function valueOf(input, node) {
  if (node.MEANING === "flag") return Number(input.checked);
  const value = input.value.trim();
  if (value === "") return undefined;
  return isText(node) ? value : Number(value);
}

function inputOf(name, node, value = "", offer) {
  const shared = { name, required: node.REQUIRED };
  if (node.MEANING === "events") return h("input", { ...shared, type: "text", class: "as-text", spellcheck: "false" });
  if (node.MEANING === "flag") return h("input", { name, type: "checkbox", checked: Boolean(value) });
  if (node.MEANING === "recording") return recording(shared, value, offer);
  if (node.RANGE?.VALS) return choice(shared, node, value, offer);
  if (node.TYPE === "s" && node.REQUIRED) return h("textarea", { ...shared, rows: 1, spellcheck: true, value });
  if (isText(node)) return h("input", { ...shared, type: "text", value: String(value) });
  const { MIN, MAX } = node.RANGE ?? {};
  const step = node.TYPE === "i" ? "1" : "any";
  const placeholder = node.REQUIRED || value !== "" ? null : "auto";
  return h("input", { ...shared, type: "number", min: text(MIN), max: text(MAX), step, value: String(value), placeholder });
}

function choice(shared, node, value, offer) {
  const select = h("select", shared);
  const option = (one, told = plain(one)) => h("option", { value: one, selected: one === value }, told);
  const fill = () => {
    const named = node.MEANING === "voice" ? (offer.voices?.() ?? []) : [];
    const described = node.RANGE.VALS.map((one) => option(one, plain(one) || "–"));
    select.replaceChildren(...described, ...(named.length ? [h("optgroup", { label: "Named voices" }, named.map(([one]) => option(one, one)))] : []));
  };
  fill();
  select.refill = () => {
    value = select.value;
    fill();
  };
  return select;
}

function recording(shared, value, offer) {
  const list = `known-${shared.name}`;
  const placeholder = "a take or a voice, or drop one here";
  const input = h("input", { ...shared, type: "text", value: String(value), list, placeholder, autocomplete: "off" });
  const known = h("datalist", { id: list });
  input.addEventListener("focus", () => {
    if (!known.isConnected) input.after(known);
    known.replaceChildren(...(offer.recordings?.() ?? []).map(([name, told]) => h("option", { value: name }, told)));
  });
  input.addEventListener("dragover", (event) => event.preventDefault());
  input.addEventListener("drop", (event) => {
    event.preventDefault();
    input.value = event.dataTransfer.getData("text/plain");
    input.dispatchEvent(new Event("input"));
  });
  return input;
}

function timelineOf(input, value) {
  const timeline = new Timeline();
  timeline.value = String(value ?? "") || timeline.value;
  input.value = timeline.value;
  input.timeline = timeline;
  timeline.element.addEventListener("change", () => {
    if (input.value === timeline.value) return;
    input.value = timeline.value;
    input.dispatchEvent(new Event("input"));
  });
  return timeline.element;
}

function describe({ DESCRIPTION, RANGE }) {
  const { MIN, MAX } = RANGE ?? {};
  return MIN === undefined || RANGE.VALS ? DESCRIPTION : `${DESCRIPTION} ${MIN} to ${MAX}.`;
}

// A blob of a form is what a text spells.
const isText = ({ TYPE }) => TYPE === "s" || TYPE === "b";
const text = (value) => (value === undefined ? undefined : String(value));
