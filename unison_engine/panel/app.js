// The panel: puts the parts together and listens to the keyboard.

import { Composer } from "./compose.js";
import { Detail } from "./detail.js";
import { DeviceChoice } from "./device.js";
import { byId, h } from "./dom.js";
import { Library } from "./library.js";
import { EngineOutlet } from "./outlet.js";
import { Player } from "./player.js";
import { Queue } from "./queue.js";
import { SoundBar } from "./soundbar.js";
import { connect, float, UnisonError } from "./unison.js";
import { Voices } from "./voices.js";

const PLACE = "unison-place"; // Where sounds were heard last.
const RUN = "/unison/run/"; // Where tasks are.
const AGAIN = 2000; // Milliseconds between tries to reach an engine that went away.
const SHORTCUTS = {
  "Ctrl ↵": "Make the sound",
  N: "Go to the words",
  "/": "Search the takes",
  "↑ ↓": "Choose a take",
  Space: "Play or pause",
  "I O": "Start and end of a region, where the sound is",
  L: "Loop",
  "1 – 9": "Switch between variations while they play",
  V: "Four variations",
  E: "Change the words, with the same seed",
  X: "Cancel the first job",
  C: "Keep what came in last as a take",
  D: "Choose the sound device",
  "← →": "On the time axis: move a sound; with Shift its end, with Alt its start",
};

let unison = null;
let outlet = null;
const player = new Player();
const voices = new Voices();
const composer = new Composer(byId("compose"), {
  voices: () => voices.known,
  recordings: () => [...voices.known.map(([name, , said]) => [name, `Voice: ${said}`]), ...library.known().map((take) => [take.id, words(take)])],
});
const words = (take) => composer.words(take);
const library = new Library(words);
const queue = new Queue(byId("queue"));
const detail = new Detail(byId("take"), player, words, () => composer.onRecordings);
const bar = new SoundBar(byId("sound"), player);
const devices = new DeviceChoice();

composer.addEventListener("make", ({ detail: asked }) => make(asked));
library.addEventListener("select", ({ detail: take }) => {
  voices.propose(take, words(take));
  detail.show(take);
});
library.addEventListener("play", ({ detail: take }) => player.play(take, 0));
detail.addEventListener("select", ({ detail: take }) => library.select(take));
detail.addEventListener("act", ({ detail: asked }) => act(asked));
queue.addEventListener("done", () => detail.refresh());
queue.addEventListener("failed", ({ detail: { words: called, code } }) => note(`${called} It failed: ${code.replaceAll("_", " ")}.`));
bar.addEventListener("device", () => unison && devices.show(unison));
bar.addEventListener("name", ({ detail: device }) => detail.places(device, localStorage.getItem(PLACE) ?? "browser"));
bar.addEventListener("take", ({ detail: asked }) => capture(asked));
voices.addEventListener("change", () => composer.refresh());
voices.addEventListener("show", async ({ detail: take }) => library.select(await takeOf(take)));
voices.addEventListener("use", ({ detail: name }) => speak(name));
voices.addEventListener("keep", async ({ detail: { name, words: said } }) => {
  const { take, view } = detail;
  await voices.keep(name, view.region ? await cut(take, view.region) : take, said);
});
byId("add").addEventListener("change", async ({ target }) => {
  await add([...target.files]);
  target.value = "";
});
addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  add([...event.dataTransfer.files]);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  library.colours();
  detail.colours();
});

async function make({ task, fields, base }) {
  const called = words({ recipe: { task, request: fields, prompt: task } });
  try {
    const options = { accepted: ({ job }) => queue.name(job, called) };
    const made = await (base ? unison.again(base.id, fields, options) : unison.run(task, fields, {}, options));
    await present(await takeOf(made.asset), true);
  } catch (error) {
    if (error.code !== "cancelled") composer.refuse(error.message);
    if (!(error instanceof UnisonError)) throw error;
  }
}

async function act({ act, take, count, task, field, region, place }) {
  if (act === "move") {
    localStorage.setItem(PLACE, place);
    await player.move(place === "engine" ? outlet : null);
  } else if (act === "use") {
    // Tasks work on whole recordings: of a region there has to be one first.
    composer.choose(task, { [field]: region ? (await cut(take, region)).id : take.id });
    composer.focus();
  } else if (act === "cut") {
    await present(await cut(take, region), false);
  } else if (act === "again") {
    if (!composer.known.includes(take.recipe.task)) return note("It was recorded, not made here; there are no words to change.");
    composer.choose(take.recipe.task, { ...take.recipe.request, seed: take.recipe.seed }, take);
    composer.focus();
  } else if (act === "voice") {
    voices.propose(take, words(take), true);
  } else if (act === "vary") {
    const accepted = ({ job }) => queue.name(job, `${words(take)} (variation)`);
    await unison.vary(take.id, count, { accepted });
  }
}

async function capture({ seconds, input, use }) {
  const [, , , , asset] = await unison.call("/unison/device/capture", [float(seconds), input]);
  const take = await takeOf(asset);
  await present(take, false);
  const [task, field] = composer.onRecordings.find(([name]) => name === use) ?? [];
  if (task) await act({ act: "use", take, task, field });
}

// A voice speaks in a task that voices speak in, or else it is cloned as a recording.
function speak(name) {
  const [task, field] = composer.onVoices[0] ?? composer.onRecordings.find(([one]) => one === "voice_clone") ?? [];
  if (!task) return note("No task speaks with a voice; install unison-plugins.");
  composer.choose(task, { [field]: name });
  composer.focus();
}

async function takeOf(asset) {
  return (await unison.fetch(`/takes/${encodeURIComponent(asset)}`)).json();
}

async function cut(take, [start, end]) {
  const part = await post(`/takes/${encodeURIComponent(take.id)}/cut?${new URLSearchParams({ start, end })}`);
  await library.refresh();
  return part;
}

// Recordings from this machine become takes, the last of them chosen; those that are refused are told.
async function add(files) {
  for (const file of files) {
    const name = file.name.replace(/\.[^.]+$/, "");
    try {
      await present(await post(`/takes?${new URLSearchParams({ name })}`, file), false);
    } catch (error) {
      note(error.message);
    }
  }
}

async function post(path, body) {
  const response = await fetch(path, { method: "POST", body });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

async function present(take, aloud) {
  await library.refresh();
  const heard = player.playing;
  library.select(take);
  if (aloud && !heard) await player.play(take, 0);
}

// What nobody else answers for is told here; of a line that is lost the head of the page tells.
window.addEventListener("unhandledrejection", (event) => {
  const known = event.reason instanceof UnisonError;
  if (!["cancelled", "unreachable"].includes(event.reason?.code)) note(event.reason.message);
  if (known) event.preventDefault();
});

function note(text) {
  byId("note").textContent = text;
  if (text) setTimeout(() => byId("note").textContent === text && note(""), 8000);
}

// The cookie of a session lets the WebSocket and the sounds through, where a browser sends no token.
async function admit() {
  const dialog = byId("token");
  for (let token = ""; ; ) {
    const response = await fetch("/panel/session", { headers: token ? { Authorization: `Bearer ${token}` } : {} });
    if (response.ok) return;
    dialog.querySelector(".wrong").textContent = token ? "That is not the token." : "";
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    token = dialog.querySelector("input").value;
  }
}

async function open() {
  try {
    await admit();
    unison = await connect(location.origin);
  } catch {
    lost();
    return;
  }
  unison.addEventListener("close", lost);
  await Promise.all([tasks(), library.refresh()]);
  await state();
  document.body.dataset.line = "open";
  await queue.watch(unison);
  unison.listen("/unison/event/job", () => state());
  unison.listen("/unison/event/asset", () => library.refresh());
  let later;
  unison.addEventListener("path", ({ detail: { path } }) => {
    if (!path.startsWith(RUN)) return; // A plugin has come, gone or changed.
    clearTimeout(later);
    later = setTimeout(tasks, 100);
  });
  outlet = new EngineOutlet(unison);
  await Promise.all([bar.watch(unison, composer.known), voices.watch(unison)]);
  await player.move(localStorage.getItem(PLACE) === "engine" ? outlet : null);
  if (!detail.take && library.total) await library.step(0);
}

async function tasks() {
  const [tree, listed] = await Promise.all([unison.describe("/unison/run"), unison.list("/unison/task/list")]);
  composer.show(Object.fromEntries(listed.map(([name]) => [name, tree.CONTENTS[name]])));
  library.colours(); // What takes are called depends on the tasks.
}

async function state() {
  const status = await unison.call("/unison/status");
  byId("model").textContent = `${status[15]}, ${status[16]}`;
}

function lost() {
  document.body.dataset.line = "lost";
  byId("model").textContent = "The engine does not answer; trying again";
  setTimeout(open, AGAIN);
}

const KEYS = {
  n: () => composer.focus(),
  "/": () => byId("search").focus(),
  " ": () => detail.toggle(),
  j: () => library.step(1),
  k: () => library.step(-1),
  ArrowDown: () => library.step(1),
  ArrowUp: () => library.step(-1),
  i: () => detail.mark(0),
  o: () => detail.mark(1),
  l: () => detail.toggleLoop(),
  v: () => detail.take && act({ act: "vary", take: detail.take, count: 4 }),
  e: () => detail.take?.recipe.task && act({ act: "again", take: detail.take }),
  x: () => queue.cancelFirst(),
  c: () => bar.take(),
  d: () => unison && devices.show(unison),
  "?": () => byId("shortcuts").showModal(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, dialog");
  if (event.key === "Escape" && typing) event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === " " && event.target.closest("button, summary, input")) return;
  if (event.key.startsWith("Arrow") && event.target.closest("input")) return;
  const act = /^[1-9]$/.test(event.key) ? () => detail.switchTo(Number(event.key)) : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

byId("help").addEventListener("click", KEYS["?"]);
byId("shortcuts").querySelector("dl").append(...Object.entries(SHORTCUTS).flatMap(([keys, told]) => [h("dt", {}, ...keys.split(" ").map((key) => (key === "–" ? " – " : h("kbd", {}, key)))), h("dd", {}, told)]));
window.addEventListener("focus", () => document.body.dataset.line === "open" && Promise.all([library.refresh(), voices.refresh()]));
open();
