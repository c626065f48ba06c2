// Where a take is heard: this browser, or the engine's own device. Both have what `Player` needs of an audio element.

/** The engine's device, as an audio element is used: load, play, pause, currentTime, paused, ended. */
export class EngineOutlet extends EventTarget {
  paused = true;
  ended = false;
  #unison;
  #take = null;
  #playback = 0;
  #position = 0; // Where it stands, in seconds, while it is paused.
  #began = 0; // When it was at its beginning, on the clock of the page, while it plays.

  constructor(unison) {
    super();
    this.#unison = unison;
    unison.listen("/unison/event/play", (playback, asset, state) => {
      if (playback !== this.#playback) return;
      if (state === "started") this.#began = performance.now() - 1000 * this.#position;
      else this.#stopped("ended", this.#take.seconds);
    });
  }

  load(take) {
    this.#take = take;
    this.#position = 0;
    this.ended = false;
  }

  get currentTime() {
    return this.paused ? this.#position : Math.min(this.#take.seconds, (performance.now() - this.#began) / 1000);
  }

  set currentTime(at) {
    this.#position = at;
    this.#began = performance.now() - 1000 * at;
    if (!this.paused) this.#unison.call("/unison/play/seek", [this.#playback, at]).catch(() => {}); // It just ended.
  }

  async play() {
    if (!this.paused) return;
    if (this.#position >= this.#take.seconds) this.#position = 0;
    [this.#playback] = await this.#unison.call("/unison/play/start", [this.#take.id, 0, 0], { offset: this.#position });
    this.#began = performance.now() - 1000 * this.#position;
    this.paused = this.ended = false;
    this.dispatchEvent(new Event("play"));
  }

  pause() {
    if (this.paused) return;
    this.#unison.call("/unison/play/stop", [this.#playback]).catch(() => {}); // It just ended.
    this.#stopped("pause", this.currentTime);
  }

  #stopped(how, at) {
    if (this.paused) return;
    this.paused = true;
    this.ended = how === "ended";
    this.#position = at;
    this.#playback = 0;
    this.dispatchEvent(new Event(how));
  }
}
