// Voices that have a name: who they are, and how a take gets to be one.

import { byId, h } from "./dom.js";

const LONGEST = 3; // Seconds of a recording that a voice is taken from, as the engine tells.

/**
 * Event `change`: there are others now. Event `show` (detail: a take's id). Event `use` (detail: a voice's name).
 * Event `keep` (detail: {name, words}): the shown take is to be a voice.
 */
export class Voices extends EventTarget {
  known = []; // [name, take, words].
  #root = byId("voices");
  #unison = null;
  #count = h("span", { class: "facts" });
  #list = h("ul", {});
  #source = h("p", { class: "help" });
  #name = h("input", { name: "voice-name", required: true, maxlength: "100", autocomplete: "off", placeholder: "Anna" });
  #words = h("textarea", { name: "voice-words", required: true, maxlength: "400", rows: 2, placeholder: "What is said in it" });
  #told = h("p", { class: "wrong", role: "alert" });
  #form = h("form", { hidden: true });

  constructor() {
    super();
    const labelled = (told, input) => h("label", {}, told, input);
    this.#form.append(this.#source, labelled("Name of the voice", this.#name), labelled("Its words", this.#words), this.#told, h("button", {}, "Keep the voice"));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.dispatchEvent(new CustomEvent("keep", { detail: { name: this.#name.value.trim(), words: this.#words.value.trim() } }));
    });
    this.#root.append(h("summary", {}, "Voices ", this.#count), this.#list, this.#form);
  }

  /** Read the voices of an engine. */
  async watch(unison) {
    this.#unison = unison;
    await this.refresh();
  }

  async refresh() {
    this.known = await this.#unison.list("/unison/voice/list");
    this.#count.textContent = String(this.known.length);
    this.#list.replaceChildren(...this.known.map(([name, take, words]) => this.#row(name, take, words)));
    this.dispatchEvent(new Event("change"));
  }

  /** Offer a take to be a voice; `called` is what it is called, `focus` goes to its name. */
  propose(take, called, focus = false) {
    const said = take.recipe.request.text ?? "";
    this.#form.hidden = false;
    this.#source.textContent = `The voice in “${called}”: of the region if there is one, and of that the first ${LONGEST} s.`;
    this.#words.value = take.seconds <= LONGEST ? said : "";
    this.#told.textContent = "";
    if (!focus) return;
    this.#root.open = true;
    this.#name.focus();
  }

  /** Keep the voice that is heard in a take. */
  async keep(name, take, words) {
    try {
      await this.#unison.call("/unison/voice/create", [name, take.id, words]);
    } catch (error) {
      this.#told.textContent = error.message;
      return;
    }
    this.#name.value = this.#told.textContent = "";
    await this.refresh();
  }

  #row(name, take, words) {
    const tell = (kind, detail) => this.dispatchEvent(new CustomEvent(kind, { detail }));
    const show = h("button", { class: "who quiet", title: "Show its recording", onclick: () => tell("show", take) });
    show.append(h("span", { class: "words" }, name), h("span", { class: "facts words" }, words));
    const use = h("button", { "aria-label": `Speak with ${name}`, onclick: () => tell("use", name) }, "Speak");
    const remove = h("button", { class: "quiet", "aria-label": `Remove ${name}`, title: "Forget the voice; its recording stays", onclick: () => this.#remove(name) }, "×");
    return h("li", {}, show, use, remove);
  }

  async #remove(name) {
    await this.#unison.call("/unison/voice/remove", [name]);
    await this.refresh();
  }
}
