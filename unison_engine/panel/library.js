// The list of takes: only the rows in view are in the page, and they are fetched as they come into view.

import { byId, h, plain, seconds } from "./dom.js";
import { drawWave } from "./draw.js";
import { soundOf } from "./player.js";
import { envelopeOf } from "./sounds.js";

const ROW = 60; // Pixels, as in the style sheet.
const PAGE = 100;
const REST = 60; // Milliseconds that a row is in the page before its waveform is asked for: others scroll past.
const SPARE = 4; // Rows that are kept above and below.

/** Event `select`: another take was chosen. Event `play`: it is to be heard. */
export class Library extends EventTarget {
  selected = null;
  total = 0;
  #words;
  #pages = new Map(); // By number: promises of takes, replaced by the takes when they are here.
  #rows = new Map(); // By index: what is in the page.
  #envelopes = new Map(); // By take.
  #text = "";
  #box = byId("rows");
  #reel = byId("reel");

  /** `words(take)` is what a take is called. */
  constructor(words) {
    super();
    this.#words = words;
    this.#box.addEventListener("scroll", () => this.#draw());
    this.#box.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#draw()).observe(this.#box);
    let later;
    byId("search").addEventListener("input", ({ target }) => {
      clearTimeout(later);
      later = setTimeout(() => {
        this.#text = target.value;
        this.#box.scrollTop = 0;
        this.refresh();
      }, 150);
    });
  }

  /** Ask for the takes anew. */
  async refresh() {
    const pages = new Map();
    const text = this.#text;
    const { total, takes } = await this.#fetch(0);
    if (text !== this.#text) return;
    this.total = total;
    this.#pages = pages.set(0, takes);
    byId("total").textContent = total === 1 ? "1 take" : `${total} takes`;
    this.#reel.style.height = `${total * ROW}px`;
    this.#clear();
    this.#draw();
  }

  /** Choose a take that need not be in the list. */
  select(take) {
    if (this.selected?.id === take.id) return;
    this.selected = take;
    this.#mark();
    this.dispatchEvent(new CustomEvent("select", { detail: take }));
  }

  /** Choose the take `by` rows below the chosen one, and bring it into view. */
  async step(by) {
    const at = this.#indexOf(this.selected?.id);
    await this.#choose(at < 0 ? 0 : at + by);
  }

  /** Takes that are here, newest first. */
  known() {
    return [...this.#pages.values()].filter(Array.isArray).flat();
  }

  colours() {
    this.#clear();
    this.#draw();
  }

  async #choose(index) {
    const wanted = Math.max(0, Math.min(this.total - 1, index));
    const take = await this.#take(wanted);
    if (!take) return;
    const top = wanted * ROW;
    if (top < this.#box.scrollTop) this.#box.scrollTop = top;
    const below = top + ROW - this.#box.clientHeight;
    if (below > this.#box.scrollTop) this.#box.scrollTop = below;
    this.#draw();
    this.select(take);
  }

  #key(event) {
    const page = Math.floor(this.#box.clientHeight / ROW);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      const at = this.#indexOf(this.selected?.id);
      this.#choose(Number.isFinite(steps[event.key]) ? at + steps[event.key] : steps[event.key]);
    } else if (event.key === "Enter" && this.selected) this.dispatchEvent(new CustomEvent("play", { detail: this.selected }));
    else return;
    event.preventDefault();
  }

  #indexOf(id) {
    for (const [number, takes] of this.#pages) {
      const at = Array.isArray(takes) ? takes.findIndex((take) => take.id === id) : -1;
      if (at >= 0) return number * PAGE + at;
    }
    return -1;
  }

  async #fetch(page) {
    const query = new URLSearchParams({ text: this.#text, offset: page * PAGE, limit: PAGE });
    const response = await fetch(`/takes?${query}`);
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  }

  async #take(index) {
    const number = Math.floor(index / PAGE);
    const pages = this.#pages;
    if (!pages.has(number)) pages.set(number, this.#fetch(number).then(({ takes }) => takes));
    const takes = await pages.get(number);
    pages.set(number, takes);
    return takes[index % PAGE];
  }

  #clear() {
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
  }

  #draw() {
    const first = Math.max(0, Math.floor(this.#box.scrollTop / ROW) - SPARE);
    const last = Math.min(this.total, Math.ceil((this.#box.scrollTop + this.#box.clientHeight) / ROW) + SPARE);
    for (const [index, row] of this.#rows) {
      if (index >= first && index < last) continue;
      row.remove();
      this.#rows.delete(index);
    }
    for (let index = first; index < last; index++) if (!this.#rows.has(index)) this.#add(index);
    this.#mark();
  }

  #add(index) {
    const row = h("div", { class: "row", role: "option", id: `row-${index}`, "aria-selected": "false", style: { "--index": index } });
    row.setAttribute("aria-setsize", this.total);
    row.setAttribute("aria-posinset", index + 1);
    row.append(h("span", { class: "words" }, "…"));
    this.#rows.set(index, row);
    this.#reel.append(row);
    this.#take(index).then((take) => take && this.#rows.get(index) === row && this.#fill(row, take));
  }

  #fill(row, take) {
    const wave = h("canvas", { "aria-hidden": "true" });
    const task = h("span", { class: "task" }, plain(take.recipe.task));
    row.dataset.take = take.id;
    row.draggable = true;
    row.replaceChildren(h("span", { class: "words" }, this.#words(take)), h("span", { class: "facts" }, task, ` ${seconds(take.seconds)}`), wave);
    row.addEventListener("click", () => this.select(take));
    row.addEventListener("dblclick", () => this.dispatchEvent(new CustomEvent("play", { detail: take })));
    row.addEventListener("dragstart", (event) => carry(event, take));
    this.#mark();
    setTimeout(() => row.isConnected && this.#envelope(take).then((pairs) => row.isConnected && drawWave(wave, pairs)), REST);
  }

  #envelope(take) {
    if (!this.#envelopes.has(take.id)) this.#envelopes.set(take.id, envelopeOf(take));
    return this.#envelopes.get(take.id);
  }

  #mark() {
    let active = "";
    for (const row of this.#rows.values()) {
      const chosen = Boolean(this.selected) && row.dataset.take === this.selected.id;
      row.setAttribute("aria-selected", chosen);
      if (chosen) active = row.id;
    }
    if (active) this.#box.setAttribute("aria-activedescendant", active);
    else this.#box.removeAttribute("aria-activedescendant");
  }
}

/** What is dragged of a take: its file for programs, its address for pages, its id for fields of this page. */
export function carry(event, take) {
  const url = new URL(soundOf(take), location.href).href;
  event.dataTransfer.effectAllowed = "copy";
  event.dataTransfer.setData("DownloadURL", `audio/wav:${take.id}.wav:${url}`);
  event.dataTransfer.setData("text/uri-list", url);
  event.dataTransfer.setData("text/plain", take.id);
}
