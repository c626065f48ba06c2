"""Which scale of guidance serves a task best? The judges' scores of a bundle's answers at several scales.

python -m benchmarks.judge_guidance --corpus data/nano [--bundle nano] [--tasks speech_edit denoise] [--scales 3 5 7]

Everything else is the bundle's own sampler, and every scale answers all requests with the same noise: those of
`items_valid.jsonl`, as a scale that is chosen on the published ones would flatter what is published.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from unison_engine.machine import processor
from unison_engine.runtime.synthesis import Synthesizer
from unison_train.corpus.fetch import CACHE
from unison_train.evaluation.items import TASKS
from unison_train.evaluation.judges.panel import Panel
from unison_train.evaluation.measures import MEASURES
from unison_train.evaluation.run import evaluate
from unison_train.evaluation.scenes import Stage


def main() -> None:
    """Print a Markdown table for each task, a column a scale."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--corpus", type=Path, required=True)
    options.add_argument("--bundle", default="nano")
    options.add_argument("--cache", type=Path, default=CACHE)
    options.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    options.add_argument("--scales", type=float, nargs="+", default=[3.0, 5.0, 7.0])
    options.add_argument("--items", type=int, default=0, help="the first so many requests of each task; 0 for all")
    options.add_argument("--threads", type=int)
    chosen = options.parse_args()
    synthesizer, panel = Synthesizer.open(chosen.bundle, chosen.threads), Panel(chosen.corpus, chosen.cache)
    panel.prepare(chosen.tasks)
    stage = Stage(chosen.corpus, synthesizer.layout)
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {synthesizer.backend}; {synthesizer.bundle.hash[:12]}\n")
    print(f"| task | measure | {' | '.join(f'{scale:g}' for scale in chosen.scales)} |")
    print("| --- " * (2 + len(chosen.scales)) + "|", flush=True)
    for task in chosen.tasks:
        tables = [
            evaluate(
                synthesizer, stage, panel, task, items=chosen.items, guidance=scale, bounds=False, requests="valid"
            ).table()
            for scale in chosen.scales
        ]
        for measure in tables[0]:
            values = " | ".join(f"{table[measure]['model'].value:.3f}" for table in tables)
            print(f"| `{task}` | {MEASURES[measure].title} | {values} |", flush=True)


if __name__ == "__main__":
    main()
