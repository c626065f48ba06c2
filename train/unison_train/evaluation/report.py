"""The numbers of an evaluation as JSON and as Markdown."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unison_engine.engine import Synthesizer
from unison_engine.machine import processor
from unison_train.evaluation.items import Requests, Task, fingerprint, served
from unison_train.evaluation.judges.panel import Panel
from unison_train.evaluation.measures import FLOORS, MEASURES, Measure
from unison_train.evaluation.metrics import Estimate
from unison_train.evaluation.run import CONTENDERS, Section
from unison_train.evaluation.scenes import Stage
from unison_train.evaluation.sets import SET_MEASURES, digits

HEADINGS = {"floor": "floor", "model": "model", "autoencoder": "through the autoencoder", "reference": "real"}
COUNTED = "clips (clusters)"


class Report:
    """What is known of a bundle: sections are added one by one, so that their waves need not be kept.

    Args:
        synthesizer: what was judged.
        stage: with whose readings.
        panel: who judged.
        steps, guidance: of the sampler, where they are not the bundle's own.
        requests: which were answered.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        stage: Stage,
        panel: Panel,
        steps: int | None,
        guidance: float | None,
        requests: Requests = "test",
    ) -> None:
        bundle = synthesizer.bundle
        self.head: dict[str, Any] = {
            "bundle": bundle.name,
            "hash": bundle.hash,
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "processor": processor(),
            "requests": fingerprint(requests),
            "tagger": panel.tagger,
        }
        self._synthesizer, self._stage, self._steps, self._guidance = synthesizer, stage, steps, guidance
        self.tables: dict[Task, dict[str, dict[str, Estimate]]] = {}
        self.distances: dict[Task, dict[str, dict[str, Estimate]]] = {}
        self.tasks: dict[str, Any] = {}

    def add(self, section: Section) -> None:
        """Add a task."""
        # Of both there is more to tell with each task.
        self.head |= {"backend": self._synthesizer.backend, "readings": self._stage.readings}
        self.tables[section.task] = table = section.table()
        self.distances[section.task] = section.distances
        sampling = self._synthesizer.bundle.sampling.of(served(section.task), self._steps, self._guidance)
        self.tasks[section.task] = {
            "sampling": sampling.model_dump(mode="json", exclude={"tasks"}),
            "floor": FLOORS[section.task],
            "measures": {
                name: {**vars(MEASURES[name]), **{one: _row(found) for one, found in row.items()}}
                for name, row in table.items()
            },
            "sets": {
                name: {"title": SET_MEASURES[name].title, **{one: _row(found) for one, found in row.items()}}
                for name, row in section.distances.items()
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
            lines += [f"| measure | {COUNTED} | {' | '.join(HEADINGS[one] for one in CONTENDERS)} |"]
            lines += ["| --- " * (2 + len(CONTENDERS)) + "|"]
            for name, row in table.items():
                cells = [told(row[one], MEASURES[name]) if one in row else "" for one in CONTENDERS]
                lines.append(f"| {heading(MEASURES[name])} | {counted(row['model'])} | {' | '.join(cells)} |")
            lines.append("")
            if distances := self.distances[task]:
                lines += [f"| distance between sets | {' | '.join(HEADINGS[one] for one in CONTENDERS)} |"]
                lines += ["| --- " * (1 + len(CONTENDERS)) + "|"]
                for name, row in distances.items():
                    spans = [
                        f"{digits(row[one].value)} [{digits(row[one].low)}, {digits(row[one].high)}]"
                        for one in CONTENDERS
                    ]
                    lines.append(f"| {SET_MEASURES[name].title} ↓ | {' | '.join(spans)} |")
                lines.append("")
        return "\n".join(lines)

    def conditions(self) -> str:
        """Bundle, machine, requests, readings and tagger in a few sentences."""
        head = self.head
        return (
            f"Bundle `{head['hash'][:12]}`, computed by {head['backend']} on {head['processor']}; "
            f"requests `{head['requests'][:12]}`, readings `{head['readings'][:12]}`. In brackets: 95 % confidence "
            "intervals over clusters, which are clips of one sentence or of one cloned voice. Sounds are "
            f"recognised by the project's own tagger, which names {head['tagger']['accuracy']:.0%} of the sounds "
            "held out from it rightly."
        )


def counted(found: Estimate) -> str:
    """What goes under `COUNTED`."""
    return f"{found.items} ({found.clusters})"


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
