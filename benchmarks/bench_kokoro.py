"""How fast a speech teacher reads: Kokoro as its file runs in ONNX Runtime, and cut as the corpus builder runs it.

python -m benchmarks.bench_kokoro [--readings 12]

One thread each, in turns over the same sentences, after two to warm up.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unison_engine.machine import processor
from unison_engine.pronunciation import Lexicon
from unison_train.corpus.fetch import CACHE
from unison_train.corpus.kokoro import RATE, Kokoro, published, session
from unison_train.corpus.speech import plan

WARM_UP = 2


class Whole(Kokoro):
    """Kokoro with its published graph in one session."""

    def __init__(self, cache: Path) -> None:
        super().__init__(cache)
        self._whole = session(published(cache), 1)

    def _wave(self, feed: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        return np.asarray(self._whole.run(None, feed)[0], dtype=np.float32)


def main() -> None:
    """Print seconds a reading and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=12)
    readings = plan(20, CACHE)[: parser.parse_args().readings + WARM_UP]
    lexicon = Lexicon.english()
    teachers = {"as published": Whole(CACHE), "cut": Kokoro(CACHE)}
    spent = {name: [0.0, 0.0] for name in teachers}
    for number, reading in enumerate(readings):
        for name, teacher in teachers.items():
            begun = time.perf_counter()
            wave = teacher.speak(lexicon.pronounce(reading.text), reading.voice.name)
            if number >= WARM_UP:
                spent[name][0] += time.perf_counter() - begun
                spent[name][1] += len(wave) / RATE
    print(f"{processor()}, one thread, {len(readings) - WARM_UP} readings\n")
    print("| Kokoro | s a reading | real-time factor |\n| --- | --- | --- |")
    for name, (took, seconds) in spent.items():
        print(f"| {name} | {took / (len(readings) - WARM_UP):.2f} | {took / seconds:.2f} |")
    print(f"\n{spent['as published'][0] / spent['cut'][0]:.1f} times as fast")


if __name__ == "__main__":
    main()
