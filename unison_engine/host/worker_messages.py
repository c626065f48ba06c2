"""What the host and the inference worker say to each other over their pipe."""

from __future__ import annotations

from dataclasses import dataclass

from unison_engine.engine import BundleIdentity
from unison_engine.layout import LatentLayout
from unison_engine.takes import Recipe


@dataclass(frozen=True)
class Ready:
    """The child has loaded its bundle."""

    layout: LatentLayout
    bundle: BundleIdentity


@dataclass(frozen=True)
class Work:
    """Render this request into the shared memory of this name; if it is `listened` to, tell of each piece as made."""

    job: str
    task: str
    request: dict[str, object]
    memory: str
    listened: bool


@dataclass(frozen=True)
class Cancel:
    """Give this job up at the next step."""

    job: str


@dataclass(frozen=True)
class Listen:
    """Somebody listens to this job now: if it is not being decoded yet, tell of each piece as it is made."""

    job: str


@dataclass(frozen=True)
class Reload:
    """Read the plugins again, the modules of this one anew."""

    plugin: str


@dataclass(frozen=True)
class Inside:
    """The child goes into `part` of this plugin's code; out of it where both are empty."""

    plugin: str = ""
    part: str = ""


@dataclass(frozen=True)
class Logged:
    """A line of the child's log."""

    name: str
    level: int
    text: str


@dataclass(frozen=True)
class Step:
    """The running job went on by a step."""

    stage: str
    step: int
    steps: int


@dataclass(frozen=True)
class Finished:
    """The sound lies in shared memory."""

    samples: int
    recipe: Recipe


@dataclass(frozen=True)
class Failed:
    """The job, or loading, failed."""

    code: str
    message: str
    plugin: str = ""
