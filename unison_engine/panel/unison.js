// Talks to a running engine (`unison serve`) from a browser or from Node 18 and newer, without dependencies.
//
//   const unison = await connect("http://127.0.0.1:7770");
//   const take = await unison.run("text_to_audio", { prompt: "heavy rain", seconds: 4 });

import { decode, encode } from "./osc.js";

export { bundle, decode, encode, float, int } from "./osc.js";

// Node 18, which Debian 12 has, knows no such class.
const Told = globalThis.CustomEvent ?? class extends Event {
  constructor(type, { detail }) {
    super(type);
    this.detail = detail;
  }
};

/** What the engine refused or could not do; `code` never changes, the message may. */
export class UnisonError extends Error {
  constructor(code, message, job = "") {
    super(message);
    this.name = "UnisonError";
    this.code = code;
    this.job = job;
  }
}

/**
 * Open a line to an engine.
 *
 * @param {string} url where it is, as http://127.0.0.1:7770
 * @param {{token?: string}} [options] the token is needed for an engine on another machine
 * @returns {Promise<Unison>}
 * @throws {UnisonError} nobody answers, or the token is wrong
 */
export async function connect(url, { token = "" } = {}) {
  const base = new URL(url);
  base.protocol = base.protocol.replace("ws", "http");
  const Socket = globalThis.WebSocket ?? (await import("./websocket.js")).WebSocket;
  const socket = new Socket(base.href.replace(/^http/, "ws"));
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new UnisonError("unreachable", `no engine answers at ${base.origin}; start one with: unison serve`));
  });
  const unison = new Unison(base.origin, socket, token);
  if (token) await unison.call("/unison/auth", [token]);
  return unison;
}

/**
 * A line to an engine; see `connect`.
 *
 * Events: `message` (detail: {address, args}) for every message that comes, `path` (detail: {command, path}) when nodes
 * of OSCQuery come, go or change, and `close` when the line is gone.
 */
export class Unison extends EventTarget {
  #socket;
  #token;
  #number = 0;
  #calls = new Map(); // By request number: what is done with the messages that answer it.
  #jobs = new Map(); // By job: who is told of its progress.
  #listeners = new Map(); // By address: functions that are told its values.

  constructor(origin, socket, token) {
    super();
    this.origin = origin;
    this.#socket = socket;
    this.#token = token;
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.#told(JSON.parse(data)) : this.#received(data));
    socket.onclose = () => this.#closed();
    socket.onerror = null;
  }

  /**
   * Make one sound.
   *
   * @param {string} task such as text_to_audio
   * @param {object|Array} args its fields by name, or its fixed arguments in order
   * @param {object} [pairs] further fields by name
   * @param {{signal?: AbortSignal, progress?: Function, accepted?: Function}} [options] see `make`
   * @returns {Promise<object>} the take: {job, path, seconds, rate, channels, asset, seed, lufs}
   * @throws {UnisonError} it was refused, failed, or (code cancelled) was cancelled
   */
  async run(task, args = {}, pairs = {}, options = {}) {
    const takes = Array.isArray(args)
      ? await this.make(`/unison/run/${task}`, args, pairs, options)
      : await this.make("/unison/run/json", [task, JSON.stringify({ ...args, ...pairs })], {}, options);
    return takes[0];
  }

  /** The same again, or with changes by name; `name` is a job or a take. Otherwise as `run`. */
  async again(name, changes = {}, options = {}) {
    return (await this.make("/unison/job/again", [name], changes, options))[0];
  }

  /** As many variations of a job or a take, with other seeds; all takes when all are made. */
  vary(name, count = 1, options = {}) {
    return this.make("/unison/job/vary", [name, count], {}, options);
  }

  /**
   * Run a command that makes sounds, and wait until each is made or has failed.
   *
   * @param {string} address of the command
   * @param {Array} args its fixed arguments, without the request number
   * @param {object} [pairs] its pairs
   * @param {object} [options]
   * @param {AbortSignal} [options.signal] cancels the jobs
   * @param {(told: {job, fraction, stage, step, steps, eta}) => void} [options.progress] told at most ten times a second
   * @param {(told: {job, position, eta}) => void} [options.accepted] told once for every job
   * @returns {Promise<object[]>} the takes
   * @throws {UnisonError} it was refused, or the first of the jobs that failed or was cancelled
   */
  make(address, args, pairs = {}, { signal, progress, accepted } = {}) {
    const going = new Set();
    const takes = [];
    let failed = null;
    const cancel = () => going.forEach((job) => this.call("/unison/job/cancel", [job]).catch(() => {}));
    const made = this.#ask(address, args, pairs, (reply, details, end) => {
      if (reply === "/unison/ack") {
        const [job, position, eta] = details;
        going.add(job);
        if (progress) this.#jobs.set(job, progress);
        accepted?.({ job, position, eta });
        if (signal?.aborted) cancel();
        return;
      }
      if (reply === "/unison/late") return;
      if (reply === "/unison/done") takes.push(takeOf(details));
      const job = reply === "/unison/fail" ? details[2] : details[0];
      going.delete(job);
      this.#jobs.delete(job);
      if (reply === "/unison/cancelled") failed ??= new UnisonError("cancelled", `${job} was cancelled while ${details[1]}.`, job);
      if (reply === "/unison/fail") failed ??= new UnisonError(...details);
      if (!going.size) end(failed, takes); // Every job was told of before the first of them ended.
    });
    signal?.addEventListener("abort", cancel);
    return made.finally(() => signal?.removeEventListener("abort", cancel));
  }

  /**
   * Run a quick command.
   *
   * @returns {Promise<Array>} what its answer holds after the request number (and, of /unison/done, after the job)
   * @throws {UnisonError} it was refused
   */
  call(address, args = [], pairs = {}) {
    return this.#ask(address, args, pairs, (reply, details, end) => {
      if (reply === "/unison/late") return; // It is told before the sound is.
      if (reply === "/unison/fail") end(new UnisonError(...details));
      else end(null, reply === "/unison/done" ? details.slice(1) : reply === "/unison/item" ? details.slice(1) : details);
    });
  }

  /**
   * Run a command that answers with a list.
   *
   * @returns {Promise<Array<Array>>} its entries, each the fields behind the index
   * @throws {UnisonError} it was refused
   */
  list(address, args = []) {
    const items = [];
    return this.#ask(address, args, {}, (reply, details, end) => {
      if (reply === "/unison/fail") end(new UnisonError(...details));
      else if (reply === "/unison/item") items.push(details.slice(1));
      else end(null, items);
    });
  }

  /** Send a message and wait for nothing. */
  send(address, args = []) {
    this.#socket.send(encode(address, args));
  }

  /**
   * A node of OSCQuery with all beneath it, or one attribute of it; null where there is no value to be read.
   *
   * @throws {UnisonError} there is no such node
   */
  async describe(path = "/", attribute = "") {
    const response = await this.fetch(attribute ? `${path}?${attribute}` : path);
    return response.status === 204 ? null : response.json();
  }

  /**
   * Where a job's sound is, a WAV that can be read while it is made: `audio.src = unison.soundUrl(job)`.
   *
   * @param {string} job as `accepted` of `make` tells it
   */
  soundUrl(job) {
    return `${this.origin}/jobs/${encodeURIComponent(job)}/sound.wav`;
  }

  /** Ask the engine by HTTP, with the token. */
  async fetch(path, headers = {}) {
    const shown = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
    const response = await fetch(this.origin + path, { headers: { ...shown, ...headers } });
    if (!response.ok) {
      const code = { 401: "not_allowed", 403: "not_allowed", 404: "unknown_asset", 400: "bad_args" }[response.status];
      throw new UnisonError(code ?? "internal", await response.text());
    }
    return response;
  }

  /**
   * Be told the values of a node, as /unison/event/job, until the function that is returned is called.
   *
   * @param {string} path of a node that can be read
   * @param {(...values) => void} told
   */
  listen(path, told) {
    const others = this.#listeners.get(path);
    if (others) others.add(told);
    else {
      this.#listeners.set(path, new Set([told]));
      this.#command("LISTEN", path);
    }
    return () => {
      const left = this.#listeners.get(path);
      if (!left?.delete(told) || left.size) return;
      this.#listeners.delete(path);
      this.#command("IGNORE", path);
    };
  }

  /** Hang up. What is waited for fails. */
  close() {
    this.#socket.close();
  }

  #command(command, path) {
    if (this.#socket.readyState === 1) this.#socket.send(JSON.stringify({ COMMAND: command, DATA: path }));
  }

  #ask(address, args, pairs, handle) {
    if (this.#socket.readyState !== 1) return Promise.reject(new UnisonError("unreachable", "the line is closed."));
    const number = ++this.#number;
    const flat = Object.entries(pairs).filter(([, value]) => value !== undefined && value !== null).flat();
    const packet = encode(address, [number, ...args, ...flat]);
    return new Promise((resolve, reject) => {
      const end = (error, value) => {
        this.#calls.delete(number);
        if (error) reject(error);
        else resolve(value);
      };
      this.#calls.set(number, { handle, end });
      this.#socket.send(packet);
    });
  }

  #received(packet) {
    for (const { address, args } of decode(packet)) {
      this.dispatchEvent(new Told("message", { detail: { address, args } }));
      if (address === "/unison/progress") {
        const [job, fraction, stage, step, steps, eta] = args;
        this.#jobs.get(job)?.({ job, fraction, stage, step, steps, eta });
        continue;
      }
      const named = typeof args[0] === "string" && REPLIES.has(address);
      const call = this.#calls.get(named ? args[1] : args[0]);
      if (call && (named || ANSWERS.test(address))) call.handle(address, args.slice(named ? 2 : 1), call.end);
      for (const told of this.#listeners.get(address) ?? []) told(...args);
    }
  }

  #told({ COMMAND, DATA }) {
    this.dispatchEvent(new Told("path", { detail: { command: COMMAND, path: DATA } }));
  }

  #closed() {
    for (const { end } of [...this.#calls.values()]) end(new UnisonError("unreachable", "the line was closed."));
    this.#jobs.clear();
    this.dispatchEvent(new Event("close"));
  }
}

// Replies whose first argument is the command and whose second is the request number; in others that is the first.
const REPLIES = new Set(["ack", "done", "fail", "cancelled", "item", "end", "late"].map((name) => `/unison/${name}`));
const ANSWERS = /^\/unison\/(\w+\.reply|pong|synced)$/;

function takeOf([job, path, seconds, rate, channels, asset, seed, lufs]) {
  return { job, path, seconds, rate, channels, asset, seed, lufs };
}
