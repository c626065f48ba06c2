"""Where the course of a run can be watched: TensorBoard or Trackio, behind one small interface."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unison_engine.errors import ModelMissing


class Tracker(Protocol):
    """Takes numbers, sounds and pictures as they come; steps never go back."""

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Numbers by name; a slash in a name groups them."""

    def sound(self, step: int, name: str, wave: NDArray[np.float32], sample_rate: int) -> None:
        """A mono wave [samples] in -1 .. 1."""

    def picture(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """A grey picture [height, width]."""

    def close(self) -> None:
        """Write what is left."""


class NoTracker:
    """Forgets everything."""

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """See `Tracker`."""

    def sound(self, step: int, name: str, wave: NDArray[np.float32], sample_rate: int) -> None:
        """See `Tracker`."""

    def picture(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """See `Tracker`."""

    def close(self) -> None:
        """See `Tracker`."""


class TensorBoard:
    """Event files in `out / "tensorboard"`; what a killed run wrote past its saved step is hidden."""

    def __init__(self, out: Path, step: int) -> None:
        _need("tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """See `Tracker`."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def sound(self, step: int, name: str, wave: NDArray[np.float32], sample_rate: int) -> None:
        """See `Tracker`."""
        self._writer.add_audio(name, wave[None], step, sample_rate)

    def picture(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """See `Tracker`."""
        self._writer.add_image(name, pixels, step, dataformats="HW")

    def close(self) -> None:
        """See `Tracker`."""
        self._writer.close()


class Trackio:
    """A run of the local Trackio project "unison", named after the folder `out`; `trackio show` displays it."""

    def __init__(self, out: Path, recipe: dict[str, Any]) -> None:
        self._trackio = _need("trackio")
        self._trackio.init(project="unison", name=out.resolve().name, config=recipe, resume="allow")

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """See `Tracker`."""
        self._trackio.log(values, step=step)

    def sound(self, step: int, name: str, wave: NDArray[np.float32], sample_rate: int) -> None:
        """See `Tracker`."""
        self._trackio.log({name: self._trackio.Audio(wave, sample_rate=sample_rate)}, step=step)

    def picture(self, step: int, name: str, pixels: NDArray[np.uint8]) -> None:
        """See `Tracker`."""
        self._trackio.log({name: self._trackio.Image(pixels)}, step=step)

    def close(self) -> None:
        """See `Tracker`."""
        self._trackio.finish()


def open_tracker(kind: str, out: Path, step: int, recipe: dict[str, Any]) -> Tracker:
    """The tracker that a recipe names, for a run that stands at a step.

    Raises:
        ModelMissing: its package is not installed.
    """
    if kind == "tensorboard":
        return TensorBoard(out, step)
    return Trackio(out, recipe) if kind == "trackio" else NoTracker()


def _need(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise ModelMissing(
            f'the tracker is not installed; run: pip install {package}, or set tracker = "none".'
        ) from error
