// Jobs that wait and run, whoever asked for them, from the nodes that OSCQuery has of them.

import { h } from "./dom.js";

/** Event `done` (detail: the job's name): it ended well. Event `failed` (detail: {words, code}): one of others did not. */
export class Queue extends EventTarget {
  #root;
  #unison = null;
  #names = new Map(); // By job: what this page called it.
  #rows = new Map();
  #heading = h("h2", {}, "Queue");
  #all = h("button", { class: "quiet", onclick: () => this.cancelAll() }, "Cancel all");
  #list = h("ul", {});

  constructor(root) {
    super();
    this.#root = root;
    root.append(h("div", { class: "head" }, this.#heading, this.#all), this.#list);
  }

  /** Watch the jobs of an engine. */
  async watch(unison) {
    this.#unison = unison;
    for (const row of this.#rows.values()) row.element.remove();
    this.#rows.clear();
    this.#count();
    unison.addEventListener("path", ({ detail: { command, path } }) => {
      if (command === "PATH_ADDED" && path.startsWith("/unison/jobs/")) this.#add(path.split("/").at(-1));
    });
    const going = await unison.list("/unison/job/list", []);
    for (const [job, state] of going) if (state === "queued" || state === "running") this.#add(job);
  }

  /** Tell what a job of this page is called. */
  name(job, words) {
    this.#names.set(job, words);
    const row = this.#rows.get(job);
    if (row) row.words.textContent = words;
  }

  /** Cancel what this page asked for, and what others did. */
  cancelAll() {
    return this.#unison.call("/unison/job/cancel_all", [0]);
  }

  /** Cancel the job that runs, or else the first that waits. */
  cancelFirst() {
    const [job] = this.#rows.keys();
    return job ? this.#cancel(job) : null;
  }

  #cancel(job) {
    return this.#unison.call("/unison/job/cancel", [job]).catch(() => {}); // It ended by itself meanwhile.
  }

  async #add(job) {
    if (this.#rows.has(job)) return;
    const path = `/unison/jobs/${job}`;
    const words = h("span", { class: "words" }, this.#names.get(job) ?? job);
    const stage = h("span", { class: "stage" }, "queued");
    const bar = h("progress", { max: 1, value: 0, "aria-label": "Progress" });
    const cancel = h("button", { class: "quiet", "aria-label": `Cancel ${job}`, onclick: () => this.#cancel(job) }, "Cancel");
    const element = h("li", {}, words, bar, stage, cancel);
    const row = { element, words, stage, bar, since: 0, stop: null };
    this.#rows.set(job, row);
    this.#list.append(element);
    this.#count();
    row.stop = this.#unison.listen(path, (state, second, third) => this.#tell(job, state, second, third));
    if (!this.#names.has(job)) this.#describe(path, words);
    // It may have gone on before it was listened to.
    const [, state, fraction, doing] = await this.#unison.call("/unison/job/query", [job]);
    this.#tell(job, state, fraction, doing);
  }

  async #describe(path, words) {
    const node = await this.#unison.describe(path).catch(() => null);
    if (node && !this.#names.has(path.split("/").at(-1))) words.textContent = node.DESCRIPTION;
  }

  #tell(job, state, fraction, doing) {
    const row = this.#rows.get(job);
    if (!row) return;
    if (state === "queued" || state === "running") {
      if (state === "running") row.since ||= performance.now();
      row.bar.value = Math.max(row.bar.value, Number(fraction) || 0);
      row.stage.textContent = state === "queued" ? "queued" : told(doing, row.bar.value, row.since);
      row.element.classList.toggle("running", state === "running");
      return;
    }
    row.stop();
    row.element.remove();
    this.#rows.delete(job);
    const ours = this.#names.delete(job); // Who asked for it is told why it failed.
    this.#count();
    if (state === "failed" && !ours) this.dispatchEvent(new CustomEvent("failed", { detail: { words: row.words.textContent, code: doing } }));
    if (state === "done") this.dispatchEvent(new CustomEvent("done", { detail: job }));
  }

  #count() {
    this.#root.hidden = !this.#rows.size;
    this.#all.hidden = this.#rows.size < 2;
  }
}

function told(doing, fraction, since) {
  const spent = (performance.now() - since) / 1000;
  const left = fraction > 0.1 ? `, ${((spent * (1 - fraction)) / fraction).toFixed(1)} s left` : "";
  return `${doing || "running"} ${Math.round(100 * fraction)} %${left}`;
}
