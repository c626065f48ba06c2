// One take: how it looks and sounds, what can be made of it, its variations side by side, and its descent.

import { h, level, plain, seconds } from "./dom.js";
import { drawSpectrogram, drawWave } from "./draw.js";
import { carry } from "./library.js";
import { soundOf } from "./player.js";
import { picturesOf } from "./sounds.js";
import { View } from "./view.js";

/**
 * Event `act` (detail: {act, take, ...}): `move` (with place), `vary`, `again`, `cut`, or `use` (with task and field).
 * Event `select` (detail: a take): another is to be shown.
 */
export class Detail extends EventTarget {
  take = null;
  view = new View();
  #root;
  #player;
  #words;
  #tasks; // Gives [task, field] of those that work on recordings.
  #family = [];
  #play = h("button", { class: "play", "aria-keyshortcuts": "Space", onclick: () => this.toggle() }, "Play");
  #clock = h("span", { class: "clock" });
  #loop = h("input", { type: "checkbox", onchange: ({ target }) => (this.#player.loop = target.checked) });
  #from = this.#edge("Start of the region, in seconds", 0);
  #to = this.#edge("End of the region, in seconds", 1);
  #cut = h("button");
  #place = h("select", { "aria-label": "Heard in", onchange: ({ target }) => this.#act("move", { place: target.value }) });
  #variations = h("section", { class: "variations", "aria-labelledby": "variations-title" });
  #descent = h("section", { class: "descent", "aria-labelledby": "descent-title" });

  constructor(root, player, words, tasks) {
    super();
    this.#root = root;
    this.#player = player;
    this.#words = words;
    this.#tasks = tasks;
    this.view.addEventListener("seek", ({ detail }) => player.seek(detail));
    this.view.addEventListener("region", ({ detail }) => this.#chosen(detail));
    player.addEventListener("frame", () => this.#frame());
    player.addEventListener("change", () => this.#frame());
    root.append(h("p", { class: "empty" }, "Nothing is chosen. Make a sound, or choose a take."));
  }

  /** Show a take, and load it into the player; where another was heard, this one goes on in its place. */
  async show(take) {
    this.take = take;
    const { playing, position } = this.#player;
    if (playing && this.#player.take.id !== take.id) this.#player.play(take, position < take.seconds ? position : 0);
    else this.#player.show(take);
    this.#build(take);
    await Promise.all([this.view.show(take), this.#relatives(take)]);
  }

  /** Ask anew for what was made from the take. */
  async refresh() {
    if (this.take) await this.#relatives(this.take);
  }

  toggle() {
    if (!this.take) return;
    if (this.#player.playing) this.#player.pause();
    else {
      const { position } = this.#player;
      const [start, end] = this.view.region ?? [0, this.take.seconds];
      this.#player.play(this.take, position >= start && position < end - 0.03 ? position : start);
    }
  }

  /** Set the start (0) or the end (1) of the region to where the sound is. */
  mark(edge) {
    if (!this.take) return;
    const region = this.view.region ?? [0, this.take.seconds];
    region[edge] = this.#player.position;
    this.view.choose(region[0] < region[1] ? region : null);
  }

  toggleLoop() {
    this.#loop.checked = this.#player.loop = !this.#player.loop;
  }

  /** The variation of this number, counted from 1, goes on in place of the one that is heard. */
  switchTo(number) {
    const take = this.#family[number - 1];
    if (!take || take.id === this.take?.id) return;
    this.dispatchEvent(new CustomEvent("select", { detail: take }));
  }

  /** Offer to be heard in this browser or at the engine's device. */
  places(device, chosen) {
    const places = { browser: "In this browser", engine: `At the engine: ${device}` };
    this.#place.replaceChildren(...Object.entries(places).map(([value, told]) => h("option", { value, selected: value === chosen }, told)));
  }

  colours() {
    this.view.draw();
    if (this.take) this.#compare();
  }

  #edge(label, index) {
    const input = h("input", { type: "number", min: "0", step: "0.01", "aria-label": label, placeholder: "–" });
    input.addEventListener("change", () => {
      const region = [Number(this.#from.value), Number(this.#to.value || this.take.seconds)];
      region[index] = Number(input.value);
      this.view.choose(region[0] < region[1] ? region : null);
    });
    return input;
  }

  #act(act, more = {}) {
    this.dispatchEvent(new CustomEvent("act", { detail: { act, take: this.take, region: this.view.region, ...more } }));
  }

  #build(take) {
    const { recipe } = take;
    const facts = [
      plain(recipe.task),
      seconds(take.seconds),
      level(take.lufs, "LUFS"),
      take.true_peak === null ? null : level(take.true_peak, "dBTP"),
      recipe.steps ? `seed ${recipe.seed}` : null,
      new Date(recipe.created).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
    ];
    const drag = h("a", { class: "drag", href: soundOf(take), download: `${take.id}.wav`, draggable: true, title: "Drag it into a program, or click to save it" }, `${take.id}.wav`);
    drag.addEventListener("dragstart", (event) => carry(event, take));
    this.#cut = h("button", { hidden: true, onclick: () => this.#act("cut") }, "Cut out the region");
    const uses = this.#tasks().map(([task, field]) => h("button", { onclick: () => this.#act("use", { task, field }) }, plain(task)));
    this.#root.replaceChildren(
      h("div", { class: "head" }, h("h2", {}, this.#words(take)), drag),
      h("p", { class: "facts" }, facts.filter(Boolean).map((fact) => h("span", {}, fact))),
      this.view.element,
      h("div", { class: "transport" }, this.#play, this.#clock, h("label", {}, this.#loop, "Loop ", h("kbd", {}, "L")), h("span", { class: "edges" }, h("span", {}, "Region"), this.#from, "to", this.#to, "s"), this.#place),
      h("div", { class: "actions" },
        h("button", { onclick: () => this.#act("vary", { count: 4 }), "aria-keyshortcuts": "V" }, "Four variations ", h("kbd", {}, "V")),
        h("button", { onclick: () => this.#act("again"), "aria-keyshortcuts": "E" }, "Change the words ", h("kbd", {}, "E")),
        h("button", { onclick: () => this.#act("voice") }, "Keep its voice"),
        this.#cut,
        h("span", { class: "use" }, "Use it for", uses)),
      h("div", { class: "relatives" }, this.#variations, this.#descent),
    );
  }

  #chosen(region) {
    this.#player.region = region;
    this.#cut.hidden = !region;
    this.#from.value = region ? region[0].toFixed(2) : "";
    this.#to.value = region ? region[1].toFixed(2) : "";
  }

  #frame() {
    if (!this.take) return;
    const { playing, position } = this.#player;
    this.view.at(position);
    this.#play.textContent = playing ? "Pause" : "Play";
    this.#clock.textContent = `${position.toFixed(2)} / ${seconds(this.take.seconds)}`;
    for (const head of this.#variations.querySelectorAll(".head-line")) head.style.setProperty("--at", position);
  }

  async #relatives(take) {
    const response = await fetch(`/takes/${encodeURIComponent(take.id)}/tree`);
    const rows = response.ok ? await response.json() : [{ depth: 0, take }];
    if (this.take !== take) return;
    const parent = take.recipe.parent;
    const near = ({ id, recipe }) =>
      id === take.id || id === parent || recipe.parent === take.id || (parent && recipe.parent === parent);
    const same = rows.map((row) => row.take).filter((one) => near(one) && one.recipe.task === take.recipe.task);
    this.#family = same.length > 1 ? same : [];
    this.#compare();
    this.#trace(rows);
  }

  #compare() {
    this.#variations.hidden = !this.#family.length;
    if (!this.#family.length) return;
    const longest = Math.max(...this.#family.map((take) => take.seconds));
    const alike = new Set(this.#family.map(this.#words)).size === 1;
    const rows = this.#family.map((take, index) => {
      return this.#variation(take, index, longest, alike ? `seed ${take.recipe.seed}` : this.#words(take));
    });
    this.#variations.replaceChildren(h("h3", { id: "variations-title" }, "Side by side"), h("ol", {}, rows));
  }

  #variation(take, index, longest, called) {
    const wave = h("canvas", { class: "wave" });
    const spectrum = h("canvas", { class: "spectrum" });
    const strip = h("span", { class: "strip", style: { width: `${(100 * take.seconds) / longest}%`, "--seconds": take.seconds } });
    const chosen = take.id === this.take.id;
    strip.append(spectrum, wave, chosen ? h("i", { class: "head-line" }) : "");
    const button = h("button", { title: this.#words(take), "aria-pressed": String(chosen), onclick: () => this.switchTo(index + 1) });
    button.append(h("kbd", {}, String(index + 1)), h("span", { class: "time" }, strip), h("span", { class: "facts" }, h("span", { class: "words" }, called), h("span", {}, level(take.lufs, "LUFS"))));
    picturesOf(take, 400).then((pictures) => {
      if (!wave.isConnected) return;
      drawWave(wave, pictures.wave);
      drawSpectrogram(spectrum, pictures.spectrum);
    });
    return h("li", {}, button);
  }

  #trace(rows) {
    this.#descent.hidden = rows.length < 2;
    const lists = [h("ol", {})]; // The open list of each depth.
    for (const { depth, take } of rows) {
      const entry = h("li", {}, this.#ancestor(take));
      lists.length = depth + 1;
      lists[depth] ??= lists[depth - 1].lastElementChild.appendChild(h("ol", {}));
      lists[depth].append(entry);
    }
    this.#descent.replaceChildren(h("h3", { id: "descent-title" }, "Descent"), lists[0]);
  }

  #ancestor(take) {
    const current = take.id === this.take.id ? "true" : null;
    const button = h("button", { "aria-current": current, onclick: () => this.dispatchEvent(new CustomEvent("select", { detail: take })) });
    button.append(h("span", { class: "words" }, this.#words(take)), h("span", { class: "facts" }, `${plain(take.recipe.task)}, seed ${take.recipe.seed}`));
    return button;
  }
}
