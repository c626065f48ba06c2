"""Make the sounds of the site: those of `make demo`, each as FLAC with its spectrogram.

python -m docs.render_sounds
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import soundfile

from docs.draw_demo import spectrogram
from docs.site_hook import SOUNDS
from unison_plugins import demo

TOP = 12_000  # Hz; above it the model makes nothing.


def main() -> None:
    """The shipped bundle makes each with the seed of the demo."""
    SOUNDS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        demo.main(folder)
        for task in demo.REQUESTS:
            wave, rate = soundfile.read(Path(folder, f"{task}.wav"))
            soundfile.write(SOUNDS / f"{task}.flac", wave, rate, subtype="PCM_16")
            figure, axes = plt.subplots(figsize=(8, 1.8))
            spectrogram(axes, wave, rate)
            axes.set_ylim(0, TOP)
            axes.set_axis_off()
            figure.savefig(SOUNDS / f"{task}.png", dpi=120, bbox_inches="tight", pad_inches=0)
            plt.close(figure)


if __name__ == "__main__":
    main()
