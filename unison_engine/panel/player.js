// Plays takes, and measures what this browser hears of them.

/** Address of a take's sound; it answers ranges. */
export const soundOf = (take) => `/takes/${encodeURIComponent(take.id)}/sound.wav`;

/**
 * Plays one take at a time. Event `change`: another take, begun, or ended. Event `frame`: the position moved.
 * Event `level` (detail: {peak, rms} in dBFS): how loud it is in this browser.
 */
export class Player extends EventTarget {
  take = null;
  region = null; // [start, end] in seconds, of which no more is played.
  loop = false;
  #browser = Object.assign(new Audio(), { preload: "auto", load: (take) => (this.#browser.src = soundOf(take)) });
  #audio = this.#browser;
  #context = null;
  #analyser = null;
  #ticking = false;

  constructor() {
    super();
    this.#follow(this.#browser);
  }

  /** Be heard somewhere else from now on: at an outlet, or (null) in this browser. */
  async move(outlet) {
    const { playing, position } = this;
    this.#audio.pause();
    this.#audio = outlet ?? this.#browser;
    if (outlet) this.#follow(outlet);
    if (!this.take) return;
    this.#audio.load(this.take);
    this.seek(position);
    if (playing) await this.play(this.take, position);
  }

  #follow(audio) {
    for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, () => audio === this.#audio && this.#changed());
    // The engine may be at the end before the page can tell it to go round.
    audio.addEventListener("ended", () => audio === this.#audio && this.loop && this.play(this.take));
  }

  get playing() {
    return !this.#audio.paused && !this.#audio.ended;
  }

  get position() {
    return this.#audio.currentTime;
  }

  /** Play a take from a moment in seconds; one that is loaded goes on in place. */
  async play(take, from = this.region?.[0] ?? 0) {
    this.show(take);
    this.seek(from);
    if (this.#audio === this.#browser) this.#listen();
    await this.#audio.play().catch((error) => {
      if (error.name !== "AbortError") throw error; // Another was chosen meanwhile.
    });
  }

  /** Load a take without playing it. */
  show(take) {
    if (this.take?.id === take.id) return;
    this.#audio.pause();
    this.take = take;
    this.region = null;
    this.#audio.load(take);
    this.#changed();
  }

  pause() {
    this.#audio.pause();
  }

  seek(at) {
    this.#audio.currentTime = Math.max(0, Math.min(at, this.take?.seconds ?? 0));
    this.dispatchEvent(new Event("frame"));
  }

  #listen() {
    if (!this.#context) {
      this.#context = new AudioContext();
      this.#analyser = this.#context.createAnalyser();
      this.#analyser.fftSize = 2048;
      this.#context.createMediaElementSource(this.#audio).connect(this.#analyser).connect(this.#context.destination);
    }
    this.#context.resume();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
    if (!this.#ticking) {
      this.#ticking = true;
      requestAnimationFrame(() => this.#tick());
    }
  }

  #tick() {
    const [start, end] = this.region ?? [0, Infinity];
    if (this.playing && this.position >= Math.min(end, (this.take?.seconds ?? end) - (this.loop ? 0.02 : 0))) {
      if (this.loop) this.#audio.currentTime = start;
      else {
        this.#audio.pause();
        if (end < Infinity) this.#audio.currentTime = end;
      }
    }
    this.dispatchEvent(new Event("frame"));
    this.#measure();
    this.#ticking = this.playing;
    if (this.#ticking) requestAnimationFrame(() => this.#tick());
  }

  // Of the last 43 ms at 48 kHz.
  #measure() {
    if (!this.#analyser) return;
    const heard = new Float32Array(this.#analyser.fftSize);
    if (this.playing && this.#audio === this.#browser) this.#analyser.getFloatTimeDomainData(heard);
    const greatest = heard.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const mean = Math.sqrt(heard.reduce((sum, value) => sum + value * value, 0) / heard.length);
    const decibels = (value) => 20 * Math.log10(value || 1e-9);
    this.dispatchEvent(new CustomEvent("level", { detail: { peak: decibels(greatest), rms: decibels(mean) } }));
  }
}
