"""A take: what a finished sound is, and the recipe that makes it again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Recipe(BaseModel):
    """Everything needed to make a sound again.

    Attributes:
        task: name of the task.
        request: its validated request; a recording that is a take of the same library stands there by its id.
        prompt: the text the language model read.
        seed: seed of the noise; likewise `steps` and `guidance`, as they were used.
        steps: of the sampler.
        guidance: guidance scale. Everything else about the sampling is the bundle's own for this task.
        bundle: name of the bundle.
        bundle_hash: SHA-256 of its manifest, which holds the hashes of all its files.
        backend: libraries that computed it, with their versions, and the number of threads; with another the same
            sound comes out, but not the same to the bit. Empty in recipes of before it was kept.
        engine: version of the engine.
        created: when the sound was made, UTC.
        parent: id of the take this one was made from: the source of an edit, or what was varied.
        effects: effects of plugins that changed the sound, in order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    request: dict[str, JsonValue]
    prompt: str
    seed: int
    steps: int
    guidance: float
    bundle: str
    bundle_hash: str
    backend: str = ""
    engine: str
    created: datetime
    parent: str | None = None
    effects: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """The label that the request gave the sound; empty for none."""
        return str(self.request.get("tag") or "")

    def arguments(self) -> dict[str, JsonValue]:
        """What the task must be asked for the same samples; whether and when it was heard is left out."""
        used: dict[str, JsonValue] = {"seed": self.seed, "steps": self.steps, "guidance": self.guidance}
        return {name: v for name, v in self.request.items() if name not in ("play", "priority")} | used


class Take(BaseModel):
    """A finished sound on disk.

    Attributes:
        id: file name without ending; what an edit may name as its source.
        path: absolute path of the WAV.
        seconds: its length.
        rate: Hz.
        channels: of the file.
        lufs: integrated loudness, see `unison_engine.loudness`.
        true_peak: dBTP; None in takes of engine 0.1, which did not measure it.
        gain_db: what was applied so that the peaks fit the file; 0 unless the sound passed full scale.
        recipe: what made it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    path: Path = Field(exclude=True)
    seconds: float
    rate: int
    channels: int
    lufs: float
    true_peak: float | None = None
    gain_db: float
    recipe: Recipe
