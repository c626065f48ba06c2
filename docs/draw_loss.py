"""Draw `docs/nano-loss.png`: the loss of every sub-task over the steps of a training run.

python docs/draw_loss.py runs/mine/log.jsonl
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

WINDOW = 15  # Batches of one sub-task that a point averages.


def main(log: Path) -> None:
    """A running mean for each sub-task."""
    losses: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for line in log.read_text().splitlines():
        row = json.loads(line)
        for task, loss in row["losses"].items():
            losses[task].append((row["step"], loss))
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    for place, (task, points) in enumerate(sorted(losses.items())):
        steps, values = np.array(points).T
        if len(values) > WINDOW:
            smooth = np.convolve(values, np.ones(WINDOW) / WINDOW, "valid")
            axes.plot(steps[WINDOW - 1 :], smooth, label=task, linestyle="-" if place < 7 else "--")
    axes.set(xlabel="step", ylabel="flow-matching loss", ylim=(0, 1.2))
    axes.legend(fontsize=8, ncols=2)
    figure.savefig("docs/nano-loss.png", dpi=100)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
