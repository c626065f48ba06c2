"""The numbers of an evaluation as JSON and as Markdown."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unison_engine.engine import BundleIdentity
from unison_train.evaluation.items import Task, fingerprint, served
from unison_train.evaluation.judges.panel import Panel
from unison_train.evaluation.measures import FLOORS, MEASURES, Measure
from unison_train.evaluation.metrics import Estimate
from unison_train.evaluation.run import CONTENDERS, Section

HEADINGS = {"floor": "floor", "model": "model", "autoencoder": "through the autoencoder", "reference": "real"}


class Report:
    """What is known of a bundle: sections are added one by one, so that their waves need not be kept.

    Args:
        bundle: what was judged.
        steps, guidance: of the sampler, where they are not the bundle's own.
        panel: who judged.
    """

    def __init__(self, bundle: BundleIdentity, steps: int | None, guidance: float | None, panel: Panel) -> None:
        self.head: dict[str, Any] = {
            "bundle": bundle.name,
            "hash": bundle.hash,
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "requests": fingerprint(),
            "tagger": panel.tagger,
        }
        self._bundle, self._steps, self._guidance = bundle, steps, guidance
        self.tables: dict[Task, dict[str, dict[str, Estimate]]] = {}
        self.tasks: dict[str, Any] = {}

    def add(self, section: Section) -> None:
        """Add a task."""
        self.tables[section.task] = table = section.table()
        sampling = self._bundle.sampling.of(served(section.task), self._steps, self._guidance)
        self.tasks[section.task] = {
            "sampling": sampling.model_dump(mode="json", exclude={"tasks"}),
            "floor": FLOORS[section.task],
            "measures": {
                name: {**vars(MEASURES[name]), **{one: _row(found) for one, found in row.items()}}
                for name, row in table.items()
            },
            "requests": [
                {
                    "name": one.scene.item.name,
                    "prompt": one.scene.conditioning.prompt,
                    "seconds": one.scene.conditioning.seconds,
                    "seed": one.scene.item.number,
                    "scores": one.scores,
                }
                for one in section.judged
            ],
        }

    def write(self, folder: Path) -> None:
        """Write `results.json` and `results.md` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        document = json.dumps({**self.head, "tasks": self.tasks}, indent=1, allow_nan=False)
        (folder / "results.json").write_text(document + "\n", encoding="utf-8")
        (folder / "results.md").write_text(self.markdown(), encoding="utf-8")

    def markdown(self) -> str:
        """A table for each task; every value with the 95 % confidence interval of its clips."""
        lines = [f"# {self.head['bundle']}, evaluated on {self.head['date']}", "", self.conditions(), ""]
        for task, table in self.tables.items():
            requests, sampling = len(self.tasks[task]["requests"]), self.tasks[task]["sampling"]
            sampler = f"{sampling['steps']} steps of {sampling['solver']}, guidance {sampling['guidance']:g}"
            lines += [f"## {task}", "", f"{requests} requests, {sampler}. Floor: {FLOORS[task]}.", ""]
            lines += [f"| measure | {' | '.join(HEADINGS[one] for one in CONTENDERS)} |"]
            lines += ["| --- " * (1 + len(CONTENDERS)) + "|"]
            for name, row in table.items():
                cells = [told(row[one], MEASURES[name]) if one in row else "" for one in CONTENDERS]
                lines.append(f"| {heading(MEASURES[name])} | {' | '.join(cells)} |")
            lines.append("")
        return "\n".join(lines)

    def conditions(self) -> str:
        """Bundle, requests and tagger in a few sentences."""
        head = self.head
        return (
            f"Bundle `{head['hash'][:12]}`, "
            f"requests `{head['requests'][:12]}`. In brackets: 95 % confidence intervals over requests. Sounds are "
            f"recognised by the project's own tagger, which names {head['tagger']['accuracy']:.0%} of the sounds "
            "held out from it rightly."
        )


def heading(measure: Measure) -> str:
    """Title with an arrow to the better side."""
    return f"{measure.title} {'↑' if measure.better == 'higher' else '↓'}"


def told(found: Estimate, measure: Measure) -> str:
    """A value with its unit and its interval."""
    if math.isnan(found.value):
        return "none"
    value, low, high = (number(one, measure) for one in found[:3])
    return f"{value}{' ' * bool(measure.unit)}{measure.unit} [{low}, {high}]"


def number(value: float, measure: Measure) -> str:
    """A value in its unit, with as many digits as mean something."""
    if measure.unit == "%":
        return f"{100 * value:.0f}"
    return f"{value:.0f}" if measure.unit == "ms" else f"{value:.1f}" if measure.unit else f"{value:.2f}"


def _row(found: Estimate) -> dict[str, float | int | None]:
    """JSON has no number for what is not a number."""
    return {name: None if math.isnan(value) else value for name, value in found._asdict().items()}
