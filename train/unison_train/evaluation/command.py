"""`unison-train eval`: every chosen task, then the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unison_engine.runtime.synthesis import Synthesizer
from unison_train.evaluation.items import TASKS, Requests, read_items
from unison_train.evaluation.judges.panel import Panel
from unison_train.evaluation.page import Page
from unison_train.evaluation.report import Report
from unison_train.evaluation.run import evaluate
from unison_train.evaluation.scenes import Stage


def run_evaluation(
    bundle: str,
    corpus: Path,
    out: Path | None,
    tasks: Sequence[str],
    items: int,
    steps: int | None,
    guidance: float | None,
    cache: Path,
    threads: int,
    backend: str | None,
    requests: Requests = "test",
) -> None:
    """Evaluate a bundle and write `results.json`, `results.md` and `index.html`; prints the tables.

    The files are written anew after each task, so what stops one leaves those before it.

    Raises:
        ModelMissing: there is no such bundle.
        BackendFailed: see `Synthesizer.open`.
        BadArguments, UnknownAsset: see `Synthesizer.open`, `evaluate` and `Panel.prepare`.
    """
    chosen = [task for task in TASKS if not tasks or task in tasks]
    for task in tasks:
        read_items(task, items)  # A wrong name must not be found out after minutes.
    synthesizer, panel = Synthesizer.open(bundle, threads or None, backend), Panel(corpus, cache)
    panel.prepare(chosen)  # Nor must a judge that cannot be fetched.
    stage = Stage(corpus, synthesizer.layout)
    folder = out or Path("runs") / f"evaluation-{synthesizer.bundle.name}"
    report, page = Report(synthesizer, stage, panel, steps, guidance, requests), Page(folder)
    for task in chosen:
        section = evaluate(
            synthesizer, stage, panel, task, items=items, steps=steps, guidance=guidance, requests=requests
        )
        report.add(section)
        page.add(section)
        report.write(folder)
        page.write(report)
    print(report.markdown())
    print(f"Tables in {folder}, and a page to listen to: {folder / 'index.html'}")
