// Waveforms and spectrograms: what is heard, as pictures.

import { fit, token } from "./dom.js";

const WINDOW = 2048; // Samples of a spectrum: 43 ms at 48 kHz.
const ROWS = 160;
const FLOOR = -90; // dB under the loudest; what is fainter is paper.

/** Least and greatest sample of each of `columns` equal stretches, [2 * columns]. */
export function extremes(samples, columns) {
  const found = new Float32Array(2 * columns);
  for (let column = 0; column < columns; column++) {
    const from = Math.floor((column * samples.length) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * samples.length) / columns));
    let low = 1;
    let high = -1;
    for (let at = from; at < to && at < samples.length; at++) {
      if (samples[at] < low) low = samples[at];
      if (samples[at] > high) high = samples[at];
    }
    found[2 * column] = Math.min(low, high);
    found[2 * column + 1] = Math.max(low, high);
  }
  return found;
}

/** Draw a waveform from its extremes, as loud as fits; `colour` is a custom property. */
export function drawWave(canvas, pairs, colour = "--wave") {
  const { context, width, height } = fit(canvas);
  const columns = pairs.length / 2;
  const loudest = pairs.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-4);
  const middle = height / 2;
  const scale = (middle - 1) / loudest;
  context.fillStyle = token(colour);
  context.beginPath();
  const x = (column) => ((column + 0.5) * width) / columns;
  // Never thinner than a pixel, so that silence is a line.
  for (let column = 0; column < columns; column++) {
    context.lineTo(x(column), Math.min(middle - 0.5, middle - pairs[2 * column + 1] * scale));
  }
  for (let column = columns - 1; column >= 0; column--) {
    context.lineTo(x(column), Math.max(middle + 0.5, middle - pairs[2 * column] * scale));
  }
  context.fill();
}

/**
 * Levels of a sound over time and mel frequency, [columns * ROWS], 0 to 255 over the upper 90 dB.
 *
 * Each column is the power spectrum of one Hann window. Two windows share one complex transform: of a real signal in
 * the real part and another in the imaginary part, the spectra are told apart by their symmetry.
 */
export function spectrogram(samples, rate, columns) {
  const levels = new Float32Array(columns * ROWS);
  const bands = melBands(rate);
  const re = new Float32Array(WINDOW);
  const im = new Float32Array(WINDOW);
  for (let column = 0; column < columns; column += 2) {
    for (const [offset, part] of [[0, re], [1, im]]) {
      const start = Math.round(((column + offset + 0.5) * samples.length) / columns) - WINDOW / 2;
      for (let at = 0; at < WINDOW; at++) part[at] = (samples[start + at] ?? 0) * HANN[at];
    }
    transform(re, im);
    for (let row = 0; row < ROWS; row++) {
      let [first, second] = [0, 0];
      for (let bin = bands[row]; bin <= bands[row + 1]; bin++) {
        const mirror = (WINDOW - bin) % WINDOW;
        const [a, b, c, d] = [re[bin], im[bin], re[mirror], im[mirror]];
        first = Math.max(first, (a + c) ** 2 + (b - d) ** 2);
        second = Math.max(second, (b + d) ** 2 + (a - c) ** 2);
      }
      levels[column * ROWS + row] = first;
      if (column + 1 < columns) levels[(column + 1) * ROWS + row] = second;
    }
  }
  const loudest = 10 * Math.log10(levels.reduce((most, value) => Math.max(most, value), 1e-12));
  return Uint8ClampedArray.from(levels, (power) => 255 * (1 - (10 * Math.log10(power + 1e-20) - loudest) / FLOOR));
}

/** Draw what `spectrogram` gave, low frequencies at the bottom, in the colours --spectrum-0 to --spectrum-3. */
export function drawSpectrogram(canvas, levels) {
  const columns = levels.length / ROWS;
  const palette = gradient();
  const image = new ImageData(columns, ROWS);
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < ROWS; row++) {
      const colour = 3 * levels[column * ROWS + row];
      const at = 4 * ((ROWS - 1 - row) * columns + column);
      image.data.set([palette[colour], palette[colour + 1], palette[colour + 2], 255], at);
    }
  }
  const small = new OffscreenCanvas(columns, ROWS);
  small.getContext("2d").putImageData(image, 0, 0);
  const { context, width, height } = fit(canvas);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, width, height);
}

function gradient() {
  const stops = [0, 1, 2, 3].map((stop) => {
    const number = parseInt(token(`--spectrum-${stop}`).slice(1), 16);
    return [number >> 16, (number >> 8) & 255, number & 255];
  });
  const palette = new Uint8ClampedArray(3 * 256);
  for (let step = 0; step < 256; step++) {
    const place = (step / 255) ** 1.7 * 3; // Bent, so that noise stays pale.
    const stop = Math.min(2, Math.floor(place));
    for (let part = 0; part < 3; part++) {
      palette[3 * step + part] = stops[stop][part] + (stops[stop + 1][part] - stops[stop][part]) * (place - stop);
    }
  }
  return palette;
}

// Edges of the rows in bins, equal steps on the mel scale of O'Shaughnessy (1987), 40 Hz to 16 kHz or half the rate.
function melBands(rate) {
  const mel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
  const [low, high] = [mel(40), mel(Math.min(16_000, rate / 2))];
  return Uint16Array.from({ length: ROWS + 1 }, (_, row) => {
    const hertz = 700 * (10 ** ((low + ((high - low) * row) / ROWS) / 2595) - 1);
    return Math.round((hertz * WINDOW) / rate);
  });
}

const HANN = Float32Array.from({ length: WINDOW }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / WINDOW));
const COS = Float32Array.from({ length: WINDOW / 2 }, (_, at) => Math.cos((2 * Math.PI * at) / WINDOW));
const SIN = Float32Array.from({ length: WINDOW / 2 }, (_, at) => -Math.sin((2 * Math.PI * at) / WINDOW));

// Cooley and Tukey's transform in place, by powers of two.
function transform(re, im) {
  for (let at = 1, other = 0; at < WINDOW; at++) {
    let bit = WINDOW >> 1;
    for (; other & bit; bit >>= 1) other ^= bit;
    other ^= bit;
    if (at < other) {
      [re[at], re[other]] = [re[other], re[at]];
      [im[at], im[other]] = [im[other], im[at]];
    }
  }
  for (let size = 2; size <= WINDOW; size *= 2) {
    const half = size / 2;
    const stride = WINDOW / size;
    for (let start = 0; start < WINDOW; start += size) {
      for (let at = start, turn = 0; at < start + half; at++, turn += stride) {
        const [c, s] = [COS[turn], SIN[turn]];
        const real = re[at + half] * c - im[at + half] * s;
        const imaginary = re[at + half] * s + im[at + half] * c;
        re[at + half] = re[at] - real;
        im[at + half] = im[at] - imaginary;
        re[at] += real;
        im[at] += imaginary;
      }
    }
  }
}
