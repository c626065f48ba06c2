"""Time of each task on this machine, medians over several runs of one process, and of every part on every backend.

python benchmarks/bench_realtime.py [--bundle nano] [--runs 5]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from typing import Any

from unison_engine.bench import bench
from unison_engine.engine import Engine
from unison_plugins import demo


def main() -> None:
    """Print what each task takes, then what `unison bench` does."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bundle", default="nano")
    options.add_argument("--runs", type=int, default=5)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine.open(chosen.bundle, folder)
        tasks(engine, chosen.runs)
        print(f"\n{engine.synthesizer.backend}\n")
    print(bench(chosen.bundle).markdown())


def tasks(engine: Engine, runs: int) -> None:
    """The requests of the demo, from the request to the take on disk."""
    print("| task | seconds of sound | median seconds taken | real-time factor |\n| --- | --- | --- | --- |")
    takes: dict[str, str] = {}
    for task, request in demo.REQUESTS.items():
        arguments: dict[str, Any] = {name: takes.get(value, value) for name, value in request.items()}
        taken = []
        for run in range(runs + 1):
            started = time.perf_counter()
            # A new seed each time; the first run warms up.
            take = engine.run(task, seed=run, **arguments)
            taken.append(time.perf_counter() - started)
        takes[task] = take.id
        median = statistics.median(taken[1:])
        print(f"| `{task}` | {take.seconds:.2f} | {median:.2f} | {median / take.seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
