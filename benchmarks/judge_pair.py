"""What a change costs by the judges of the evaluation: the same requests and noise by two bundles, or by one in float32
and on another backend.

python -m benchmarks.judge_pair BUNDLE --corpus data/nano [--other BUNDLE] [--backend openvino-bf16] [--items 20]
    [--tasks text_to_audio text_to_speech]

The requests are those of `items_valid.jsonl`, so that a choice by these numbers does not flatter what is published.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from unison_engine.machine import processor
from unison_engine.runtime.synthesis import Synthesizer
from unison_export.quality import loss
from unison_train.corpus.fetch import CACHE
from unison_train.evaluation.items import TASKS
from unison_train.evaluation.judges.panel import Panel
from unison_train.evaluation.measures import MEASURES
from unison_train.evaluation.run import evaluate
from unison_train.evaluation.scenes import Stage


def main() -> None:
    """Print a Markdown table: each measure of both, and what the second loses, paired by request."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("bundle", help="name or folder of a bundle; for 8 bits one with variants")
    options.add_argument("--corpus", type=Path, required=True)
    options.add_argument("--other", help="the second bundle; by default the first, in float32 against --backend")
    options.add_argument("--backend", help="of the second bundle, and of both where there are two")
    options.add_argument("--items", type=int, default=0, help="the first so many requests of each task; 0 for all")
    options.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    options.add_argument("--cache", type=Path, default=CACHE)
    options.add_argument("--threads", type=int)
    chosen = options.parse_args()
    if not (chosen.other or chosen.backend):
        options.error("there is nothing to compare; give --other, a bundle, or --backend, such as onnxruntime-int8")
    backends = (chosen.backend if chosen.other else "onnxruntime", chosen.backend)
    first, second = (
        Synthesizer.open(bundle, chosen.threads, backend)
        for bundle, backend in zip((chosen.bundle, chosen.other or chosen.bundle), backends, strict=True)
    )
    stage, panel = Stage(chosen.corpus, first.layout), Panel(chosen.corpus, chosen.cache)
    panel.prepare(chosen.tasks)
    titles = [f"{one.bundle.name} `{one.bundle.hash[:12]}`, {one.backend}" for one in (first, second)]
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}; {chosen.items or 'all'} requests a task\n")
    print(f"| task | measure | {titles[0]} | {titles[1]} | lost, with its 95 % interval |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    for task in chosen.tasks:
        before, after = (
            evaluate(one, stage, panel, task, items=chosen.items, bounds=False, requests="valid")
            for one in (first, second)
        )
        for measure, found in before.table().items():
            made = after.table()[measure]["model"].value
            mean, low, high = loss(before, after, measure)
            values = f"{found['model'].value:.3f} | {made:.3f} | {mean:.3f} [{low:.3f}, {high:.3f}]"
            print(f"| `{task}` | {MEASURES[measure].title} | {values} |", flush=True)


if __name__ == "__main__":
    main()
