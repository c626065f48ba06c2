"""Inference in a process of its own.

The host's side is `Worker`; the child runs `worker_process.serve`. Requests, progress and outcomes cross a pipe as
plain data; audio crosses in shared memory that the host owns: a child killed at any moment leaves nothing behind.
The child says when it goes into a plugin's code, so that its end, or its silence, is told with the plugin's name.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from unison_engine.audio import Wave
from unison_engine.engine import StreamingSynthesizer
from unison_engine.errors import Interrupted, PluginFailed, UnisonError, error_of
from unison_engine.host.aloud import SAMPLE_BYTES, Piece
from unison_engine.host.exits import exit_told
from unison_engine.host.worker_messages import (
    Cancel,
    Failed,
    Finished,
    Inside,
    Listen,
    Logged,
    Ready,
    Reload,
    Step,
    Work,
)
from unison_engine.host.worker_process import serve
from unison_engine.registry import PluginSource
from unison_engine.takes import Recipe
from unison_engine.tasks import Request

PLUGIN_SECONDS = 30.0


class Worker:
    """The child process as the host sees it.

    `start` and `render` block, one at a time; `cancel`, `listen` and `close` may be called from any thread meanwhile.

    Attributes:
        starts: how often a child was started.
    """

    def __init__(
        self,
        open_synthesizer: Callable[[], StreamingSynthesizer],
        plugins: PluginSource | None = None,
        plugin_seconds: float = PLUGIN_SECONDS,
    ) -> None:
        """`open_synthesizer` runs in the child; it must be importable there by name.

        A plugin's code that does not return within `plugin_seconds` is ended, and the child with it.
        """
        self._open = open_synthesizer
        self._plugins = plugins or PluginSource()
        self._plugin_seconds = plugin_seconds
        self.starts = 0
        self._reloads: list[str] = []
        self._inside = Inside()
        self._entered = 0.0
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
        if self._closed:
            raise self._shut_down()
        ours, theirs = context.Pipe()
        process = context.Process(
            target=serve, args=(theirs, self._open, self._plugins), name="unison-worker", daemon=True
        )
        self._reloads.clear()
        # Outside the lock, as it takes a while, and who cancels a job meanwhile is the event loop.
        process.start()
        # With the child's end open here as well, its death would never show.
        theirs.close()
        with self._lock:
            if self._pipe:
                self._pipe.close()
            self._process, self._pipe, self._inside = process, ours, Inside()
            self.starts += 1
            closed = self._closed
        if closed:
            self.close()
            raise self._shut_down()
        ready = self._outcome()
        if isinstance(ready, Failed):
            raise _error(ready)
        assert isinstance(ready, Ready)
        self._ready = ready
        return ready

    def render(
        self,
        job: str,
        task: str,
        request: Request,
        progress: Callable[[Step], None],
        hear: Callable[[Wave, int], None],
        listened: bool,
    ) -> tuple[Wave, Recipe]:
        """Render one request: [samples] mono at the layout's rate, and its recipe.

        A dead child is replaced first. If the job is `listened` to, or `listen` is called before it is decoded, `hear`
        is given the next samples as they are made, before effects of plugins, and how many there will be; it must not
        raise.

        Raises:
            Interrupted: the child died while at it.
            Cancelled: `cancel` was called for this job.
            PluginFailed: a plugin's code failed, ended the child, or did not return in time.
            UnisonError: what `render` of the engine raises.
        """
        if not self.alive:
            self.start()
        layout = self._ready.layout
        room = SAMPLE_BYTES * layout.samples(layout.max_seconds)
        memory = SharedMemory(create=True, size=2 * room)

        def heard(piece: Piece) -> None:
            at = room + SAMPLE_BYTES * piece.first
            hear(np.ndarray(piece.samples, np.float32, memory.buf, at).copy(), piece.total)

        try:
            while self._reloads:
                self._send(Reload(self._reloads.pop(0)))
            self._send(Work(job, task, request.model_dump(), memory.name, listened))
            outcome = self._outcome(progress, heard)
            if isinstance(outcome, Failed):
                raise _error(outcome)
            assert isinstance(outcome, Finished)
            return np.ndarray(outcome.samples, np.float32, memory.buf).copy(), outcome.recipe
        finally:
            memory.close()
            memory.unlink()

    def reload(self, plugin: str) -> None:
        """Have the child read the plugins again before its next job, the modules of this one anew."""
        self._reloads.append(plugin)

    def cancel(self, job: str) -> None:
        """Ask the child to give this job up; does nothing if it is at another."""
        self._tell(Cancel(job))

    def listen(self, job: str) -> None:
        """Have `hear` of this job's `render` called if it is not too late; does nothing if the child is at another."""
        self._tell(Listen(job))

    def close(self) -> None:
        """Kill the child, which holds nothing to save; a blocked `start` or `render` raises Interrupted."""
        with self._lock:
            self._closed = True
        if self._process:
            self._process.kill()
            self._process.join()

    def _shut_down(self) -> Interrupted:
        return Interrupted("the host is shutting down; send the request again when it is back.")

    def _tell(self, message: Cancel | Listen) -> None:
        """Send what a child that is gone need not hear. It waits for nothing, as the event loop calls it."""
        with self._lock, contextlib.suppress(OSError):
            if self._pipe:
                self._pipe.send(message)

    def _send(self, message: Work | Reload) -> None:
        with self._lock:
            try:
                assert self._pipe is not None
                self._pipe.send(message)
            except OSError as error:
                raise self._interrupted() from error

    def _outcome(
        self, progress: Callable[[Step], None] | None = None, heard: Callable[[Piece], None] | None = None
    ) -> object:
        """The next message that is neither a step, nor a piece, nor a line of the log, nor about plugins."""
        while True:
            message = self._receive()
            if isinstance(message, Inside):
                self._inside, self._entered = message, time.monotonic()
            elif isinstance(message, Logged):
                logging.getLogger(message.name).log(message.level, "%s", message.text)
            elif isinstance(message, Piece):
                assert heard is not None
                heard(message)
            elif not isinstance(message, Step):
                return message
            elif progress:
                progress(message)

    def _receive(self) -> object:
        assert self._pipe is not None
        try:
            if self._inside.plugin:
                left = self._entered + self._plugin_seconds - time.monotonic()
                if not self._pipe.poll(max(0.0, left)):
                    raise self._stuck()
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise self._interrupted() from error

    def _stuck(self) -> PluginFailed:
        assert self._process is not None
        self._process.kill()
        self._process.join()
        plugin, part = self._inside.plugin, self._inside.part
        return PluginFailed(
            f"the plugin {plugin!r} did not return from {part!r} within {self._plugin_seconds:g} s and was ended; "
            "tell its author.",
            plugin,
        )

    def _interrupted(self) -> UnisonError:
        process = self._process
        assert process is not None
        process.join(timeout=5)
        ended = exit_told(process.exitcode)
        if plugin := self._inside.plugin:
            told = f"the plugin {plugin!r} ended the inference worker in {self._inside.part!r}: {ended}"
            return PluginFailed(f"{told}; tell its author. The worker comes back.", plugin)
        return Interrupted(f"the inference worker ended before the sound was finished: {ended}; send it again.")


def _error(failed: Failed) -> UnisonError:
    if failed.code == PluginFailed.code:
        return PluginFailed(failed.message, failed.plugin)
    return error_of(failed.code, failed.message)
