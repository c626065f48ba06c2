"""The inference worker as a process sees itself: it loads a bundle and renders one request after the other."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from unison_engine.audio import Wave
from unison_engine.engine import Progress, StreamingSynthesizer, render
from unison_engine.errors import Cancelled, TooLarge, UnisonError
from unison_engine.guard import Guard
from unison_engine.host.aloud import SAMPLE_BYTES, Aloud, Piece
from unison_engine.host.priority import step_back
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
from unison_engine.registry import PluginSource, avoid

log = logging.getLogger(__name__)


def serve(pipe: Connection, open_synthesizer: Callable[[], StreamingSynthesizer], plugins: PluginSource) -> None:
    """Life of the child: load, then render one request after the other until the host is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the host decides.
    step_back()
    faulthandler.enable()
    line = _Line(pipe)
    logging.getLogger().addHandler(_LogLine(line))
    with contextlib.suppress(EOFError, OSError):
        try:
            avoid(plugins.broken)  # A bundle's synthesizer loads the backends of plugins itself.
            # A plugin may have changed since the host tried it.
            registry = plugins.load(entered=lambda plugin: line.enter(plugin, "import"))
            line.enter("", "")
            synthesizer = open_synthesizer()
        except Exception as error:
            line.send(_failed(error))
            return
        line.send(Ready(synthesizer.layout, synthesizer.bundle))
        while True:
            work = pipe.recv()
            if isinstance(work, Reload):
                registry = plugins.load(work.plugin, lambda plugin: line.enter(plugin, "import"))
                line.enter("", "")
            if not isinstance(work, Work):
                continue  # A cancel, or a listener, that missed its job; the host repeats it while it matters.
            try:
                task = registry.task(work.task)
                request = task.parse(work.request)
                guard, effects = Guard(registry.owners, line.enter), registry.effects.values()
                reporter = _Reporter(line, pipe, work)
                maker = Aloud(synthesizer, work.memory, reporter.tell, reporter.listened)
                wave, recipe = render(task, request, maker, reporter, effects, guard)
                line.send(Finished(_deliver(wave, work.memory), recipe))
            except Exception as error:
                line.send(_failed(error))


class _Line:
    """The child's side of the pipe, for any thread: plugins may log from theirs."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        with self._lock:
            self._pipe.send(message)

    def enter(self, plugin: str, part: str) -> None:
        self.send(Inside(plugin, part))


class _LogLine(logging.Handler):
    """Hands what the child logs to the host, where the log is kept."""

    def __init__(self, line: _Line) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        with contextlib.suppress(EOFError, OSError):
            self._line.send(Logged(record.name, record.levelno, self.format(record)))


class _Reporter:
    """Sends progress to the host and hears between steps whether to go on, and whether anybody listens."""

    def __init__(self, line: _Line, pipe: Connection, work: Work) -> None:
        self._line = line
        self._pipe = pipe
        self._job = work.job
        self._listened = work.listened

    def listened(self) -> bool:
        return self._listened

    def __call__(self, progress: Progress) -> None:
        self.tell(Step(progress.stage, progress.step, progress.steps))

    def tell(self, message: Step | Piece) -> None:
        try:
            self._line.send(message)
            heard = [self._pipe.recv() for _ in iter(self._pipe.poll, False)]
        except (EOFError, OSError) as error:
            raise SystemExit from error  # The host is gone.
        self._listened = self._listened or Listen(self._job) in heard
        if Cancel(self._job) in heard:
            raise Cancelled("the job was cancelled.")


def _deliver(wave: Wave, memory_name: str) -> int:
    memory = SharedMemory(memory_name)
    try:
        if SAMPLE_BYTES * len(wave) > memory.size:
            raise TooLarge(f"the sound has {len(wave)} samples, more than the longest the model makes; report this.")
        np.ndarray(len(wave), np.float32, memory.buf)[:] = wave
        return len(wave)
    finally:
        memory.close()


def _failed(error: Exception) -> Failed:
    if isinstance(error, UnisonError):
        return Failed(error.code, str(error), getattr(error, "plugin", ""))
    log.error("unexpected error in the worker", exc_info=error)
    return Failed(UnisonError.code, f"{type(error).__name__}: {error}; the server's log has the details, report them.")
