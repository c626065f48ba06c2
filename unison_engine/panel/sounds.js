// Samples and pictures of takes, fetched once and kept while they are of use.

import { extremes, spectrogram } from "./draw.js";
import { soundOf } from "./player.js";

const KEPT = 24; // Ten seconds at 48 kHz are 2 MB of samples.
const kept = new Map();
const decoder = new OfflineAudioContext(1, 1, 48_000);

/** Samples of a take [n], at 48 kHz. */
export function samplesOf(take) {
  const known = kept.get(take.id) ?? fetchSamples(take);
  kept.delete(take.id);
  kept.set(take.id, known); // Last in, last out.
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return known;
}

async function fetchSamples(take) {
  const response = await fetch(soundOf(take));
  if (!response.ok) throw new Error(await response.text());
  return (await decoder.decodeAudioData(await response.arrayBuffer())).getChannelData(0);
}

/** Least and greatest sample of each of 512 stretches of a take, as the library measured them. */
export async function envelopeOf(take) {
  const response = await fetch(`/takes/${encodeURIComponent(take.id)}/envelope`);
  return Float32Array.from(new Int8Array(await response.arrayBuffer()), (value) => value / 127);
}

/** What is drawn of a take: {wave, spectrum}, for so many columns. */
export async function picturesOf(take, columns) {
  const samples = await samplesOf(take);
  return { wave: extremes(samples, columns), spectrum: spectrogram(samples, 48_000, columns) };
}
