"""Draw `docs/demo.png`: spectrograms of the seven sounds that `make demo` left in a folder.

python docs/draw_demo.py [demo]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from matplotlib.axes import Axes
from numpy.typing import NDArray

from unison_plugins import demo

_FLOOR = 1e-6  # Digital silence has no logarithm.
_LOWEST, _HIGHEST = -140, -40  # dB


def main(folder: Path) -> None:
    """All with the same scales of time, frequency and level."""
    figure = plt.figure(figsize=(12, 5), layout="constrained")
    for place, (task, request) in enumerate(demo.REQUESTS.items()):
        wave, rate = soundfile.read(folder / f"{task}.wav")
        axes = figure.add_subplot(2, 4, place + 1)
        spectrogram(axes, wave, rate)
        wanted = next(str(request[name]) for name in ("prompt", "instruction", "events", "text") if name in request)
        axes.set_title(f"{task}\n{wanted if len(wanted) < 44 else wanted[:42] + '…'}", fontsize=8)
        axes.set_xlabel("seconds", fontsize=7)
        axes.set_yticks([0, 4000, 8000, 12000], ["0", "4", "8", "12 kHz"])
        axes.set_ylim(0, 12_000)  # Above that `nano` makes nothing.
        axes.tick_params(labelsize=7)
    figure.savefig("docs/demo.png", dpi=110)


def spectrogram(axes: Axes, wave: NDArray[np.float64], rate: int) -> None:
    """Draw one; every sound on the same scale of level."""
    noise = _FLOOR * np.random.default_rng(0).standard_normal(len(wave))
    axes.specgram(wave + noise, NFFT=1024, Fs=rate, noverlap=768, vmin=_LOWEST, vmax=_HIGHEST)


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or ["demo"]))
