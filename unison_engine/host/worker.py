"""Inference in a process of its own.

The host's side is `Worker`; the child runs `serve`. Requests, progress and outcomes cross a pipe as plain
data; audio crosses in shared memory that the host owns: a child killed at any moment leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from unison_engine.audio import Wave
from unison_engine.engine import BundleIdentity, Progress, Synthesizer, render
from unison_engine.errors import Cancelled, Interrupted, TooLarge, UnisonError
from unison_engine.layout import LatentLayout
from unison_engine.registry import load_registry
from unison_engine.takes import Recipe
from unison_engine.tasks import Request

NICENESS = 10

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ready:
    """The child has loaded its bundle."""

    layout: LatentLayout
    bundle: BundleIdentity


@dataclass(frozen=True)
class Work:
    """Render this request into the shared memory of this name."""

    job: str
    task: str
    request: dict[str, object]
    memory: str


@dataclass(frozen=True)
class Cancel:
    """Give this job up at the next step."""

    job: str


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


class Worker:
    """The child process as the host sees it.

    `start` and `render` block, one at a time; `cancel` and `close` may be called from any thread meanwhile.
    """

    def __init__(self, open_synthesizer: Callable[[], Synthesizer]) -> None:
        """`open_synthesizer` runs in the child; it must be importable there by name."""
        self._open = open_synthesizer
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Process id of the child, None before it was started."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._process is not None and self._process.is_alive()

    def start(self) -> Ready:
        """Start a child and wait until it has loaded the bundle.

        Raises:
            UnisonError: it could not load it; the error is the child's own.
            Interrupted: it ended on the way.
        """
        context = multiprocessing.get_context("spawn")
        with self._lock:
            if self._closed:
                raise Interrupted("the host is shutting down; send the request again when it is back.")
            if self._pipe:
                self._pipe.close()
            ours, theirs = context.Pipe()
            self._process = context.Process(target=serve, args=(theirs, self._open), name="unison-worker", daemon=True)
            self._process.start()
            # With the child's end open here as well, its death would never show.
            theirs.close()
            self._pipe = ours
        ready = self._receive()
        if isinstance(ready, Failed):
            raise _error(ready)
        assert isinstance(ready, Ready)
        self._ready = ready
        return ready

    def render(
        self, job: str, task: str, request: Request, progress: Callable[[Step], None] | None = None
    ) -> tuple[Wave, Recipe]:
        """Render one request: [samples] mono at the layout's rate, and its recipe.

        A dead child is replaced first.

        Raises:
            Interrupted: the child died while at it.
            Cancelled: `cancel` was called for this job.
            UnisonError: what `render` of the engine raises.
        """
        if not self.alive:
            self.start()
        layout = self._ready.layout
        memory = SharedMemory(create=True, size=4 * layout.samples(layout.max_seconds))
        try:
            self._send(Work(job, task, request.model_dump(), memory.name))
            while isinstance(outcome := self._receive(), Step):
                if progress:
                    progress(outcome)
            if isinstance(outcome, Failed):
                raise _error(outcome)
            assert isinstance(outcome, Finished)
            return np.ndarray(outcome.samples, np.float32, memory.buf).copy(), outcome.recipe
        finally:
            memory.close()
            memory.unlink()

    def cancel(self, job: str) -> None:
        """Ask the child to give this job up; does nothing if it is at another."""
        with contextlib.suppress(Interrupted):
            self._send(Cancel(job))

    def close(self) -> None:
        """Kill the child, which holds nothing to save; a blocked `start` or `render` raises Interrupted."""
        with self._lock:
            self._closed = True
        if self._process:
            self._process.kill()
            self._process.join()

    def _send(self, message: Work | Cancel) -> None:
        with self._lock:
            try:
                assert self._pipe is not None
                self._pipe.send(message)
            except OSError as error:
                raise self._interrupted() from error

    def _receive(self) -> object:
        assert self._pipe is not None
        try:
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise self._interrupted() from error

    def _interrupted(self) -> Interrupted:
        process = self._process
        assert process is not None
        process.join(timeout=5)
        ended = f"with exit code {process.exitcode}" if process.exitcode is not None else "its connection"
        return Interrupted(f"the inference worker ended {ended} before the sound was finished; send the request again.")


def serve(pipe: Connection, open_synthesizer: Callable[[], Synthesizer]) -> None:
    """Life of the child: load, then render one request after the other until the host is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the host decides.
    if hasattr(os, "nice"):
        os.nice(NICENESS)  # Sound and replies come first.
    with contextlib.suppress(EOFError, OSError):
        try:
            registry = load_registry()
            synthesizer = open_synthesizer()
        except Exception as error:
            pipe.send(_failed(error))
            return
        pipe.send(Ready(synthesizer.layout, synthesizer.bundle))
        while True:
            work = pipe.recv()
            if not isinstance(work, Work):
                continue  # A cancel that missed its job; the host repeats it while it matters.
            try:
                task = registry.task(work.task)
                wave, recipe = render(task, task.parse(work.request), synthesizer, _Reporter(pipe, work.job))
                pipe.send(Finished(_deliver(wave, work.memory), recipe))
            except Exception as error:
                pipe.send(_failed(error))


class _Reporter:
    """Sends progress to the host and hears between steps whether to go on."""

    def __init__(self, pipe: Connection, job: str) -> None:
        self._pipe = pipe
        self._job = job

    def __call__(self, progress: Progress) -> None:
        try:
            self._pipe.send(Step(progress.stage, progress.step, progress.steps))
            heard = [self._pipe.recv() for _ in iter(self._pipe.poll, False)]
        except (EOFError, OSError) as error:
            raise SystemExit from error  # The host is gone.
        if Cancel(self._job) in heard:
            raise Cancelled("the job was cancelled.")


def _deliver(wave: Wave, memory_name: str) -> int:
    memory = SharedMemory(memory_name)
    try:
        if 4 * len(wave) > memory.size:
            raise TooLarge(f"the sound has {len(wave)} samples, more than the longest the model makes; report this.")
        np.ndarray(len(wave), np.float32, memory.buf)[:] = wave
        return len(wave)
    finally:
        memory.close()


def _failed(error: Exception) -> Failed:
    if isinstance(error, UnisonError):
        return Failed(error.code, str(error))
    log.error("unexpected error in the worker", exc_info=error)
    return Failed(UnisonError.code, f"{type(error).__name__}: {error}; the server's log has the details, report them.")


def _error(failed: Failed) -> UnisonError:
    kinds = {kind.code: kind for kind in UnisonError.__subclasses__()}
    return kinds.get(failed.code, UnisonError)(failed.message)
