"""The bundle: a folder with a manifest and graphs, everything hashed, nothing that can run code."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from unison_engine.errors import ModelMissing
from unison_engine.layout import LatentLayout
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.text import MAX_TOKENS, Padding
from unison_engine.runtime.weights import WeightRecipe, materialise

FORMAT_VERSION = 5
READABLE_FORMATS = (2, 3, 4, 5)
"""Format 3 added variants, errors and reach of graphs, 4 the opening of prompts, 5 bf16 variants; all may be absent."""
MANIFEST = "bundle.json"
_SHIPPED = Path(__file__).parent / "bundles"
DataType = Literal["float32", "int64"]
Narrow = Literal["int8", "bf16"]
"""Precisions in which a bundle can allow a graph to be computed, beside float32."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TensorSpec(_Strict):
    """One input or output of a graph; named sizes are free, numbers are fixed."""

    dtype: DataType
    shape: tuple[str | int, ...]


class Variant(_Strict):
    """A graph in another precision, with the same tensors.

    Attributes:
        file: of the graph; in bf16 that of the float32 graph, whose products the backend rounds.
        weights: how its large products compute, in words.
        error: largest relative root mean square error of its output over `samples` inputs, against the float32 graph.
        typical: the median of it.
        samples: inputs that were met while the bundle made sounds of several tasks.
    """

    file: str
    weights: str
    error: float
    typical: float
    samples: int


class Graph(_Strict):
    """One ONNX graph, which computes in float32.

    Attributes:
        file: of the graph.
        inputs, outputs: its tensors.
        weights: how they are stored.
        error: largest relative root mean square error of its output against the network in torch; None: not measured.
        variants: the same in other precisions.
        reach: how many latent frames before and after a frame its part of the output depends on; None: on all, or not
            measured.
    """

    file: str
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    weights: str
    error: float | None = None
    variants: dict[Narrow, Variant] = {}
    reach: int | None = None


class Clock(_Strict):
    """See `unison_engine.runtime.text.TextClock`."""

    offset: float
    frames_per_character: float


class Text(_Strict):
    """How prompts are read: tokenizer file, exchange, clock, and the recipe of the language model's weights.

    `system`, `answer`, `window` and `padding` are those of `unison_engine.runtime.text.Template`. Without a recipe the
    weights lie in the bundle. With `phones`, spoken words go to the graph `fusion` as phones and are left out of what
    the language model reads. With `timed_events`, the tokens that tell of an event stand at its time. The graph
    `text_encoder` holds as many of the tokens that every prompt begins with as `opening` says; it is given the rest.
    """

    tokenizer: str
    system: str | None
    answer: str = ""
    window: int = MAX_TOKENS
    padding: Padding = "right"
    clock: Clock | None
    phones: bool = False
    timed_events: bool = False
    opening: int = 0
    weights: WeightRecipe | None = None


class Layout(_Strict):
    """See `unison_engine.layout.LatentLayout`."""

    sample_rate: int
    hop: int
    channels: int
    max_seconds: float
    whole_grid: bool = False


class Manifest(_Strict):
    """`bundle.json`. `card` is the model card: data, licences, hours, limits; free in form, for people to read.

    `graphs` has the entries text_encoder, fusion, modulation, step, vae_encoder and vae_decoder; `files` the SHA-256 of
    each file. `dither` is the magnitude below which samples of a source are replaced by noise of that deviation.
    """

    format: int
    name: str
    licence: str
    layout: Layout
    dither: float = 0.0
    blocks: int
    text: Text
    sampling: Sampling
    graphs: dict[str, Graph]
    card: dict[str, Any]
    files: dict[str, str]

    def write(self, folder: Path) -> None:
        """Write it to the folder of its bundle, which at no time is without a whole one if it had one."""
        partial = folder / f"{MANIFEST}.partial"
        partial.write_text(self.model_dump_json(indent=1) + "\n")
        os.replace(partial, folder / MANIFEST)


class Bundle:
    """A bundle on disk.

    Attributes:
        folder: where it lies.
        manifest: its description.
        hash: SHA-256 of the manifest, which holds the hash of everything else.
    """

    def __init__(self, folder: Path, manifest: Manifest, digest: str) -> None:
        self.folder = folder
        self.manifest = manifest
        self.hash = digest

    @classmethod
    def open(cls, name_or_path: str | Path) -> Bundle:
        """Open a shipped bundle by name, or a folder.

        Raises:
            ModelMissing: there is none, its format is another than this engine knows, or a file is absent.
        """
        folder = find_bundle(name_or_path)
        text = (folder / MANIFEST).read_bytes()
        found = _format_of(text)
        if found not in (None, *READABLE_FORMATS):
            remedy = "update unison-engine" if found > FORMAT_VERSION else "export the bundle again"
            raise ModelMissing(f"{folder} has bundle format {found}, this engine knows {FORMAT_VERSION}; {remedy}.")
        try:
            manifest = Manifest.model_validate_json(text)
        except ValidationError as error:
            raise ModelMissing(f"{folder / MANIFEST} cannot be read: {error}") from None
        absent = [name for name in manifest.files if not (folder / name).is_file()]
        if absent:
            raise ModelMissing(f"the bundle {folder} is not whole: {', '.join(absent)} missing; fetch it again.")
        return cls(folder, manifest, hashlib.sha256(text).hexdigest())

    @property
    def layout(self) -> LatentLayout:
        """The latent grid."""
        return LatentLayout(**self.manifest.layout.model_dump())

    def graph(self, name: str, precision: Narrow | None = None) -> Path:
        """File of a graph; of its variant in a precision, where the bundle holds one."""
        graph = self.manifest.graphs[name]
        variant = graph.variants.get(precision) if precision else None
        return self.folder / (variant or graph).file

    def files(self, graph: str, precision: Narrow | None = None) -> list[str]:
        """Names of the files of a graph, or of its variant: its own, and that of its weights where it has one."""
        file = self.graph(graph, precision).relative_to(self.folder)
        beside = (file.with_suffix(".data").as_posix(), f"{file.as_posix()}.data")
        return [file.as_posix(), *(name for name in beside if name in self.manifest.files)]

    def graph_hash(self, graph: str) -> str:
        """SHA-256 of a graph: of its one file, or of the hashes of its files one after the other."""
        hashes = [self.manifest.files[name] for name in self.files(graph)]
        return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()

    def external_data(self, graph: str) -> Path | None:
        """Weights of a graph that the bundle does not hold, assembled at first use; None where it holds them.

        Raises:
            ModelMissing: see `materialise`.
        """
        recipe = self.manifest.text.weights
        if graph != "text_encoder" or recipe is None:
            return None
        return materialise(recipe, self.graph(graph).with_suffix(".data").name)

    def verify(self, *names: str) -> None:
        """Hash every file, or those that are named.

        Raises:
            ModelMissing: a file is not the one that was exported.
        """
        for name in names or self.manifest.files:
            if file_hash(self.folder / name) != self.manifest.files[name]:
                raise ModelMissing(
                    f"{self.folder / name} is damaged: its SHA-256 is not {self.manifest.files[name][:12]}…; "
                    "fetch it again."
                )


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shipped_bundles() -> list[str]:
    """Names of the bundles that come with the engine; a name is that bundle, whatever folders there are."""
    return sorted(entry.parent.name for entry in _SHIPPED.glob(f"*/{MANIFEST}"))


def find_bundle(name_or_path: str | Path) -> Path:
    """Folder of a bundle given by name or by path.

    Raises:
        ModelMissing: no such bundle.
    """
    for folder in (_SHIPPED / str(name_or_path), Path(name_or_path).expanduser()):
        if (folder / MANIFEST).is_file():
            return folder
    names = shipped_bundles()
    raise ModelMissing(
        f"no bundle {str(name_or_path)!r}; give a folder with a {MANIFEST}, or one of: {', '.join(names) or 'none'}."
    )


def _format_of(text: bytes) -> int | None:
    class Versioned(BaseModel):
        format: int

    try:
        return Versioned.model_validate_json(text).format
    except ValidationError:
        return None
