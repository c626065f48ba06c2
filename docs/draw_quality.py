"""Draw `docs/quality.png`: judged quality over evaluations of the network, of every task that a bundle has a curve for.

python docs/draw_quality.py [BUNDLE]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt

from unison_engine.bundle import Bundle
from unison_export.quality import Point, choose
from unison_train.evaluation.measures import MEASURES

ACCEPTED, REFUSED, CHOSEN = "tab:blue", "tab:red", "black"


def curves(card: Mapping[str, Any]) -> Mapping[str, Any]:
    """Curves by task: those of the bundle, or of the one that its training began with, however long ago."""
    while "quality" not in card:
        if "start" not in card:
            sys.exit("this bundle has no curves; `unison-export quality` measures them")
        card = card["start"]
    found: Mapping[str, Any] = card["quality"]
    return found


def main(name: str) -> None:
    """A panel for each task and its first measure; a point for each sampler, the chosen one ringed."""
    found = curves(Bundle.open(name).manifest.card)
    figure, axes = plt.subplots(2, 4, figsize=(13, 6), layout="constrained", sharex=True)
    for panel, (task, told) in zip(axes.flat, found.items(), strict=False):
        points = [Point(**point) for point in told["curve"]]
        measure = next(iter(points[0].measures))
        panel.axhline(points[0].measures[measure], color="lightgrey", zorder=0)
        for point in points:
            colour = ACCEPTED if point.acceptable else REFUSED
            panel.plot(point.branches, point.measures[measure], "o", color=colour, markersize=5)
        chosen = choose(points)
        panel.plot(chosen.branches, chosen.measures[measure], "o", color=CHOSEN, markersize=11, fillstyle="none")
        panel.set(title=f"{task}\n{MEASURES[measure].title}", xscale="log")
        if MEASURES[measure].better == "lower":
            panel.invert_yaxis()
    for panel in axes[-1]:
        panel.set(xlabel="evaluated branches")
        panel.minorticks_off()
        panel.set_xticks([14, 24, 48, 100, 200], labels=["14", "24", "48", "100", "200"])
    figure.savefig("docs/quality.png", dpi=90)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "nano")
