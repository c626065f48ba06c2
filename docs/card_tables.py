"""Print the tables of `docs/nano.md` from the reports of `unison-train eval`, whose tasks may be spread over several.

python docs/card_tables.py runs/evaluation-nano [MORE REPORTS]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from unison_train.evaluation.items import TASKS

# A second judge of words, whose figures stand in the reports.
LEFT_OUT = ("Whisper tiny.en", "Fréchet")
HEAD = "| task | measure | clips (clusters) | floor | nano | through the autoencoder | real |\n" + "| --- " * 7 + "|"
SETS = "| task | distance between sets | floor | nano | through the autoencoder | real |\n" + "| --- " * 6 + "|"


def rows(section: str) -> Iterator[str]:
    """The rows of figures of a task's tables."""
    for line in section.splitlines():
        if line.startswith("| ") and "[" in line and not any(name in line for name in LEFT_OUT):
            yield line


def main(reports: list[Path]) -> None:
    """One table of measures and one of kernel distances, in the order of the tasks."""
    sections: dict[str, str] = {}
    for report in reports:
        _, *parts = re.split(r"^## ", (report / "results.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
        sections |= {part.split("\n", 1)[0]: part for part in parts}
    for head, distances in ((HEAD, False), (SETS, True)):
        print(head)
        for task in TASKS:
            for row in rows(sections[task]):
                if ("kernel distance" in row) == distances:
                    print(f"| `{task}` {row}")
        print()


if __name__ == "__main__":
    main([Path(one) for one in sys.argv[1:]])
