"""What rounding costs by the judges of the evaluation: the same requests and noise in float32 and on another backend.

python -m benchmarks.judge_precision BUNDLE --corpus data/nano [--backend openvino-bf16] [--items 20]
    [--tasks text_to_audio,text_to_speech]
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
    """Print a Markdown table: each measure in both precisions, and what is lost, paired by request."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("bundle", help="name or folder of a bundle; for 8 bits one with variants")
    options.add_argument("--corpus", type=Path, required=True)
    options.add_argument("--backend", default="onnxruntime-int8")
    options.add_argument("--items", type=int, default=20)
    options.add_argument("--tasks", default=",".join(TASKS))
    options.add_argument("--cache", type=Path, default=CACHE)
    chosen = options.parse_args()
    exact, rounded = (Synthesizer.open(chosen.bundle, backend=name) for name in ("onnxruntime", chosen.backend))
    stage, panel = Stage(chosen.corpus, exact.layout), Panel(chosen.corpus, chosen.cache)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}; {exact.bundle.hash[:12]}, {chosen.items} requests a task\n")
    print(f"| task | measure | float32 | {chosen.backend} | lost, with its 95 % interval |")
    print("| --- | --- | --- | --- | --- |")
    for task in TASKS:
        if task not in chosen.tasks.split(","):
            continue
        before, after = (
            evaluate(one, stage, panel, task, items=chosen.items, bounds=False) for one in (exact, rounded)
        )
        for measure, found in before.table().items():
            made = after.table()[measure]["model"].value
            mean, low, high = loss(before, after, measure)
            values = f"{found['model'].value:.3f} | {made:.3f} | {mean:.3f} [{low:.3f}, {high:.3f}]"
            print(f"| `{task}` | {MEASURES[measure].title} | {values} |", flush=True)


if __name__ == "__main__":
    main()
