"""A sound end to end on this machine: as the first bundle made it, and as fast as it goes now, in turns in one run.

First: onnxruntime in float32, 24 steps of Euler, guided throughout. Now: whatever backend is fastest for each graph,
with the same steps, and with the bundle's own sampler. Every sound has words of its own, so the text encoder runs.

python -m benchmarks.bench_nano [--bundle nano] [--seconds 5] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from datetime import UTC, datetime

from unison_engine import conditioning
from unison_engine.machine import physical_cores, processor, vector_sets
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.synthesis import Synthesizer

PROMPTS = (
    "heavy rain",
    "a dog barks",
    "a church bell",
    "footsteps on gravel",
    "a door slams",
    "wind in trees",
    "applause",
)
Took = dict[str, list[float]]


def main() -> None:
    """Print a Markdown table of medians, and of ratios to the first row."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bundle", default="nano")
    options.add_argument("--seconds", type=float, default=5.0)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    plain, fastest = Synthesizer.open(chosen.bundle, backend="onnxruntime"), Synthesizer.open(chosen.bundle)
    usual = fastest.bundle.sampling.of("text_to_audio")
    setups: dict[str, tuple[Synthesizer, Sampling]] = {
        "first: onnxruntime, euler 24": (plain, Sampling(steps=24, guidance=usual.guidance)),
        "fastest backends, euler 24": (fastest, Sampling(steps=24, guidance=usual.guidance)),
        "fastest backends, the bundle's sampler": (fastest, usual),
    }
    took: dict[str, Took] = {name: defaultdict(list) for name in setups}
    for round_ in range(chosen.rounds + 1):
        for name, (synthesizer, sampling) in setups.items():
            found = measure(synthesizer, sampling, f"{PROMPTS[round_ % len(PROMPTS)]} {name} {round_}", chosen.seconds)
            if round_:  # The first warms up.
                for key, value in found.items():
                    took[name][key].append(value)
    sets = " ".join(vector_sets())
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()} ({sets}), {physical_cores()} threads; {chosen.bundle}")
    print(f"{chosen.seconds:g} s of sound, medians of {chosen.rounds}; {fastest.backend}\n")
    print("| setup | branches | whole, new words, s | whole, words known, s | first sample, words known, s | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    base = statistics.median(took[next(iter(setups))]["new"])
    for name, (_, sampling) in setups.items():
        median = {key: statistics.median(values) for key, values in took[name].items()}
        cells = [f"{median[key]:.3f}" for key in ("new", "known", "first")]
        print(f"| {name} | {sampling.branches()} | {' | '.join(cells)} | {base / median['new']:.2f} |")


def measure(synthesizer: Synthesizer, sampling: Sampling, prompt: str, seconds: float) -> dict[str, float]:
    """Seconds for a sound of new words, for another of the same words, and until its first piece is there."""
    request = conditioning.text_to_audio(prompt, seconds)
    marks = [time.perf_counter()]
    synthesizer.run(request, seed=1, sampling=sampling)
    marks.append(time.perf_counter())
    pieces = synthesizer.stream(request, seed=2, sampling=sampling)
    next(pieces)
    marks.append(time.perf_counter())
    list(pieces)
    marks.append(time.perf_counter())
    return {"new": marks[1] - marks[0], "first": marks[2] - marks[1], "known": marks[3] - marks[1]}


if __name__ == "__main__":
    main()
