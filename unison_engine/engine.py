"""The engine in one process: a bundle, the tasks, and a library of takes."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import platformdirs
from numpy.typing import NDArray

from unison_engine.audio import Wave, crop_reference
from unison_engine.conditioning import Conditioning
from unison_engine.errors import ModelMissing
from unison_engine.guard import Guard
from unison_engine.layout import LatentLayout
from unison_engine.loudness import at_loudness
from unison_engine.plugin_parts import Effect, Sound
from unison_engine.registry import Registry, load_registry
from unison_engine.runtime.sampler import Sampling
from unison_engine.takes import Recipe, Take, TakeLibrary
from unison_engine.tasks import Request, Task, TaskContext


class Progress(Protocol):
    """How far a synthesis is: `step` of `steps` in `stage`."""

    @property
    def stage(self) -> str:
        """What is being done, in a word."""

    @property
    def step(self) -> int:
        """Steps done in this stage."""

    @property
    def steps(self) -> int:
        """Steps of this stage."""


class Synthesizer(Protocol):
    """What turns conditioning into sound; the engine's own is in `unison_engine.runtime.synthesis`."""

    @property
    def layout(self) -> LatentLayout:
        """The grid it works on."""

    @property
    def bundle(self) -> BundleIdentity:
        """What it was made from, and its defaults."""

    @property
    def backend(self) -> str:
        """Libraries that compute it, with their versions, and the number of threads."""

    def run(
        self,
        conditioning: Conditioning,
        *,
        seed: int,
        sampling: Sampling,
        progress: Callable[[Any], None] | None,
    ) -> NDArray[np.float32]:
        """Samples [n], mono at the layout's rate; `progress` may raise, which ends the run."""


Hear = Callable[[Wave], None]
"""Is given the next samples [n] of a sound as they are made; it may raise, which ends the run."""


class StreamingSynthesizer(Synthesizer, Protocol):
    """One that can be heard while it works."""

    def run(
        self,
        conditioning: Conditioning,
        *,
        seed: int,
        sampling: Sampling,
        progress: Callable[[Any], None] | None,
        listener: Callable[[], Hear | None] | None = None,
    ) -> Wave:
        """See `Synthesizer.run`. Whom `listener` tells is given the sound piece by piece as it is made, unscaled.

        It is asked once, just before there is something to be heard. Whether anybody listens makes no difference to the
        samples that are returned.
        """


@dataclass(frozen=True)
class BundleIdentity:
    """What a synthesizer was made from.

    Attributes:
        name: of the bundle.
        hash: SHA-256 of its manifest.
        sampling: how latents are sampled where a request does not say.
    """

    name: str
    hash: str
    sampling: Sampling


@functools.cache
def engine_version() -> str:
    """Version of the installed engine; 0.0.0 when it runs from a source tree that was never installed."""
    try:
        return importlib.metadata.version("unison-engine")
    except importlib.metadata.PackageNotFoundError:
        return "0.0.0"


def default_library() -> Path:
    """Folder of takes where none is named: `Unison` in the user's music folder."""
    return Path(platformdirs.user_music_dir()) / "Unison"


def render(
    task: Task[Any],
    request: Request,
    synthesizer: Synthesizer,
    progress: Callable[[Progress], None] | None = None,
    effects: Iterable[Effect] = (),
    guard: Guard | None = None,
) -> tuple[Wave, Recipe]:
    """Make the sound of a request: [samples] mono at the synthesizer's rate, and the recipe of it.

    The one path from request to sound, in process and in the host's worker alike. `effects` are applied in order.

    Raises:
        PluginFailed: code of a plugin raised something that is not a `UnisonError`, or returned what it may not.
    """
    guard = guard or Guard({})
    layout = synthesizer.layout
    context = TaskContext(layout)
    with guard(task.name):
        conditioning = task.condition(request, context)
        if not isinstance(conditioning, Conditioning):
            raise TypeError(f"`condition` returned {conditioning!r}, which is no Conditioning")
    sampling = synthesizer.bundle.sampling.of(task.name, request.steps, request.guidance)
    wave = synthesizer.run(conditioning, seed=request.seed, sampling=sampling, progress=progress)
    if conditioning.reference_samples:
        wave = crop_reference(wave, conditioning.reference_samples, layout.hop, layout.sample_rate)
    changed = []
    for effect in effects:
        with guard(effect.name):
            made = effect.apply(wave, Sound(task.name, request, context))
            if made is not wave:
                wave = _checked(made)
                changed.append(effect.name)
    if request.lufs is not None:
        wave = at_loudness(wave, layout.sample_rate, request.lufs)
    recipe = Recipe(
        task=task.name,
        request=request.model_dump(mode="json"),
        prompt=conditioning.prompt,
        seed=request.seed,
        steps=sampling.steps,
        guidance=sampling.guidance,
        bundle=synthesizer.bundle.name,
        bundle_hash=synthesizer.bundle.hash,
        backend=synthesizer.backend,
        engine=engine_version(),
        created=datetime.now(UTC),
        effects=tuple(changed),
    )
    return wave, recipe


def _checked(wave: object) -> Wave:
    if not (isinstance(wave, np.ndarray) and wave.ndim == 1 and len(wave) and np.isfinite(wave).all()):
        raise ValueError("it did not return [samples] of finite numbers")
    return wave.astype(np.float32)


class Engine:
    """Makes sounds in this process and keeps them.

    >>> engine = Engine.open("nano")  # doctest: +SKIP
    >>> engine.run("text_to_audio", prompt="rain on a tin roof", seconds=4, seed=7).path  # doctest: +SKIP
    """

    def __init__(self, synthesizer: Synthesizer, registry: Registry, library: TakeLibrary) -> None:
        """Put the parts together; `Engine.open` finds them."""
        self.synthesizer = synthesizer
        self.registry = registry
        self.library = library

    @classmethod
    def open(cls, bundle: str | Path = "nano", library: str | Path | None = None, backend: str | None = None) -> Engine:
        """Open a bundle by name or folder; takes go to `library`, or to `default_library()`.

        `backend` names what is to compute; by default it is whatever a short measurement finds fastest here.

        Raises:
            ModelMissing: the bundle is not there, or not whole.
            BadArguments: there is no such backend.
            BackendFailed: it does not work on this machine.
        """
        # Imported here, so that the host's own process never loads the inference runtime.
        from unison_engine.runtime.synthesis import Synthesizer as BundleSynthesizer

        synthesizer = BundleSynthesizer.open(bundle, backend=backend)
        return cls(synthesizer, load_registry(), TakeLibrary(library or default_library()))

    def run(self, task: str, /, *, progress: Callable[[Progress], None] | None = None, **arguments: object) -> Take:
        """Make one sound; `arguments` are the fields of the task's request. `progress` may raise to give up.

        Raises:
            UnknownTask: there is no such task.
            BadArguments: an argument is missing, unknown or out of range.
            UnknownAsset: a recording does not exist.
            TooLarge: more is asked for than the model makes in one piece.
            LibraryFailed: the take cannot be kept.
        """
        return self._make(task, arguments, progress)

    def again(self, take_id: str, /, *, progress: Callable[[Progress], None] | None = None, **changes: object) -> Take:
        """Make a take once more: the same samples, or what `changes` of its request make of it.

        Raises:
            UnknownAsset: there is no such take, or a recording it was made from is gone.
            ModelMissing: the same samples are asked for, and another bundle made them.
            UnisonError: what `run` raises.
        """
        recipe = self.library.get(take_id).recipe
        mine = self.synthesizer.bundle
        if not changes and recipe.bundle_hash != mine.hash:
            raise ModelMissing(
                f"the take {take_id!r} was made by the bundle {recipe.bundle!r} (hash {recipe.bundle_hash[:12]}), and "
                f"this is {mine.name!r} (hash {mine.hash[:12]}); open that bundle, or vary the take with this one."
            )
        return self._make(recipe.task, {**recipe.arguments(), **changes}, progress, take_id)

    def vary(
        self, take_id: str, count: int = 1, /, *, progress: Callable[[Progress], None] | None = None, **changes: object
    ) -> list[Take]:
        """Make `count` takes of the same request with fresh seeds; each has the take as its parent.

        Raises:
            UnisonError: what `again` raises; takes that were made before it are kept.
        """
        recipe = self.library.get(take_id).recipe
        arguments = {name: value for name, value in recipe.arguments().items() if name != "seed"}
        return [self._make(recipe.task, {**arguments, **changes}, progress, take_id) for _ in range(count)]

    def _make(
        self,
        task: str,
        arguments: Mapping[str, object],
        progress: Callable[[Progress], None] | None,
        parent: str | None = None,
    ) -> Take:
        chosen = self.registry.task(task)
        request = chosen.parse(arguments, self.library.find)
        wave, recipe = render(
            chosen, request, self.synthesizer, progress, self.registry.effects.values(), Guard(self.registry.owners)
        )
        return self.library.save(wave, self.synthesizer.layout.sample_rate, recipe, request.out, parent)
