// Against a running engine; its address is in UNISON_URL. `tests/test_client_javascript.py` starts one and sets it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { connect, UnisonError } from "../../../unison_engine/panel/unison.js";
import { WebSocket } from "../../../unison_engine/panel/websocket.js";

const url = process.env.UNISON_URL;
const token = process.env.UNISON_TOKEN ?? "";
let unison;

before(async () => {
  unison = await connect(url, { token });
});
after(() => unison.close());

const code = (expected) => (error) => error instanceof UnisonError && error.code === expected;

test("a task runs by names and by order, and tells how far it is", async () => {
  const told = [];
  const accepted = [];
  const options = { progress: (step) => told.push(step), accepted: (ack) => accepted.push(ack.job) };
  const take = await unison.run("text_to_audio", { prompt: "heavy rain", seconds: 0.5 }, { seed: 7 }, options);
  assert.equal(take.seed, 7);
  assert.equal(take.seconds, 0.5);
  assert.equal(take.rate, 48000);
  assert.deepEqual(accepted, [take.job]);
  assert.equal(told.at(-1).fraction, 1);
  assert.ok(told.every(({ job, steps }) => job === take.job && steps > 0));
  const same = await unison.run("text_to_audio", ["heavy rain", 0.5], { seed: 7, steps: 2 });
  assert.equal(same.seed, 7);
  assert.notEqual(same.asset, take.asset);
});

test("a sound is read while it is made", async () => {
  const early = [];
  const accepted = ({ job }) => early.push(unison.fetch(new URL(unison.soundUrl(job)).pathname));
  const take = await unison.run("text_to_audio", { prompt: "heavy rain", seconds: 0.5 }, {}, { accepted });
  const file = Buffer.from(await (await early[0]).arrayBuffer());
  assert.equal(file.readUInt32LE(file.indexOf("data") + 4), 3 * take.rate * take.seconds);
});

test("a signal cancels a job that runs", async () => {
  const control = new AbortController();
  const options = { signal: control.signal, progress: () => control.abort() };
  await assert.rejects(unison.run("text_to_audio", { prompt: "sea", steps: 1000 }, {}, options), code("cancelled"));
});

test("a signal that was given before is heeded as well", async () => {
  const options = { signal: AbortSignal.abort() };
  await assert.rejects(unison.run("text_to_audio", { prompt: "sea", steps: 1000 }, {}, options), code("cancelled"));
});

test("what is refused fails with its code", async () => {
  await assert.rejects(unison.run("text_to_audio", { prompt: "sea", seconds: -1 }), code("bad_args"));
  await assert.rejects(unison.run("text_to_smell", { prompt: "sea" }), code("unknown_task"));
  await assert.rejects(unison.call("/unison/job/cancel", ["job-none"]), code("unknown_job"));
  await assert.rejects(unison.list("/unison/job/list", ["asleep"]), code("bad_args"));
  await assert.rejects(unison.describe("/unison/nothing"), code("unknown_asset"));
});

test("a take is made again and varied, and read over HTTP", async () => {
  const take = await unison.run("text_to_audio", { prompt: "wind", seconds: 0.5, steps: 2 });
  const again = await unison.again(take.asset);
  assert.equal(again.seed, take.seed);
  const varied = await unison.vary(take.asset, 3);
  assert.equal(new Set(varied.map(({ seed }) => seed)).size, 3);
  const told = await (await unison.fetch(`/takes/${varied[0].asset}`)).json();
  assert.equal(told.recipe.parent, take.asset);
  const bytes = async (asset) => Buffer.from(await (await unison.fetch(`/takes/${asset}/sound.wav`)).arrayBuffer());
  const samples = (file) => file.subarray(file.indexOf("data"));
  assert.ok(samples(await bytes(take.asset)).equals(samples(await bytes(again.asset))));
});

test("lists are whole, and quick commands answer", async () => {
  const tasks = await unison.list("/unison/task/list");
  assert.ok(tasks.some(([name, summary, usage]) => name === "timeline" && summary && usage.includes("s events")));
  assert.match((await unison.call("/unison/ping"))[0], /^\d+\./);
  assert.equal((await unison.call("/unison/status")).length, 18);
  const [job, state] = await unison.call("/unison/job/query", ["job-1"]);
  assert.deepEqual([job, state], ["job-1", "done"]);
});

test("the tree of addresses is read, and listened to", async () => {
  const run = await unison.describe("/unison/run/text_to_audio");
  assert.equal(run.ARGUMENTS.seconds.DEFAULT, 5);
  assert.deepEqual(await unison.describe("/unison/run/text_to_audio", "TYPE"), { TYPE: "isf" });
  assert.equal(await unison.describe("/unison/ping", "VALUE"), null);
  const states = [];
  const paths = [];
  unison.addEventListener("path", ({ detail }) => paths.push(detail));
  const stop = unison.listen("/unison/event/job", (job, task, state) => states.push([task, state]));
  await unison.call("/unison/ping"); // By then it listens.
  const { job } = await unison.run("text_to_audio", { prompt: "rain", seconds: 0.5, steps: 2 });
  await unison.call("/unison/ping"); // The event comes behind the answer.
  assert.deepEqual(states, ["queued", "running", "done"].map((state) => ["text_to_audio", state]));
  assert.ok(paths.some(({ command, path }) => command === "PATH_ADDED" && path === `/unison/jobs/${job}`));
  stop();
  await unison.run("text_to_audio", { prompt: "rain", seconds: 0.5, steps: 2 });
  assert.equal(states.length, 3);
});

test("nobody at the other end, and a line that closes, are errors", async () => {
  await assert.rejects(connect("http://127.0.0.1:9"), code("unreachable"));
  const other = await connect(url, { token });
  const closed = new Promise((resolve) => other.addEventListener("close", resolve));
  const waiting = other.run("text_to_audio", { prompt: "sea", steps: 1000 }, {}, { accepted: () => other.close() });
  await assert.rejects(waiting, code("unreachable"));
  await closed;
  await assert.rejects(other.call("/unison/ping"), code("unreachable"));
  await unison.call("/unison/job/cancel_all", [0]);
});

test("a wrong token is told", { skip: !token }, async () => {
  await assert.rejects(connect(url, { token: "not the secret" }), code("not_allowed"));
});

test("the WebSocket for older Nodes carries long messages", async () => {
  const socket = new WebSocket(url.replace("http", "ws"));
  await new Promise((resolve) => (socket.onopen = resolve));
  const answered = new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(data)));
  socket.send(JSON.stringify({ COMMAND: "SHOUT", DATA: "x".repeat(60_000) }));
  assert.ok((await answered).length < 1024);
  const closed = new Promise((resolve) => (socket.onclose = resolve));
  socket.close();
  await closed;
});
