"""Makes sounds with an engine that runs elsewhere (`unison serve`), as `unison_engine.engine.Engine` does in process.

>>> from unison_engine.client import connect
>>> with connect("tcp://127.0.0.1:7770") as unison:  # doctest: +SKIP
...     take = unison.run("text_to_audio", prompt="heavy rain", seconds=4, seed=7)
"""

from __future__ import annotations

import itertools
import json
import urllib.parse
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from unison_engine.audio import Wave
from unison_engine.client_http import Http
from unison_engine.client_lines import Line, open_line
from unison_engine.errors import Cancelled, UnisonError, Unreachable, error_of
from unison_engine.host import osc
from unison_engine.host.osc import Argument, Message
from unison_engine.takes import Take
from unison_engine.takes.metadata import parse_take

_NAMED = {f"/unison/{name}" for name in ("ack", "done", "fail", "cancelled", "item", "end", "late")}
"""Replies that begin with the command and the request number; others begin with the number."""
_PROGRESS = "/unison/progress"
_LATE = "/unison/late"


@dataclass(frozen=True)
class Progress:
    """How far a job is: `step` of `steps` in `stage`; `fraction` 0 to 1, `eta` in seconds, -1 while unknown."""

    job: str
    fraction: float
    stage: str
    step: int
    steps: int
    eta: float


Told = Callable[[Progress], None]


def connect(url: str = "tcp://127.0.0.1:7770", token: str = "") -> Client:
    """Open a line to an engine: `tcp://HOST:PORT`, `ws://HOST:PORT`, or `wss://…` through a proxy with TLS.

    Raises:
        BadArguments: the address is of no such kind.
        Unreachable: nobody answers there.
        NotAllowed: the engine wants a token, or another one.
    """
    client = Client(open_line(url), url, token)
    try:
        if token:
            client.call("/unison/auth", token)
    except BaseException:
        client.close()
        raise
    return client


class Client:
    """A line to an engine, for one thread; `connect` opens it, and leaving the `with` block closes it.

    What is waited for is given up by raising from `progress`, as in process, or by Ctrl-C: the job is then cancelled.
    """

    def __init__(self, line: Line, url: str, token: str = "") -> None:
        """Speak over `line`; takes are fetched by HTTP from the same host and port."""
        self._line = line
        self._http = Http(url, token)
        self._numbers = itertools.count(1)
        # What came for each request that is waited for: who waits for one may ask for another meanwhile.
        self._inboxes: dict[Argument, deque[Message]] = {}

    def __enter__(self) -> Client:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self.close()

    def close(self) -> None:
        """Hang up; jobs that run go on."""
        self._line.close()

    def run(self, task: str, /, *, progress: Told | None = None, when: float | None = None, **fields: object) -> Take:
        """Make one sound; `fields` are those of the task's request, and recordings are named as the engine knows them.

        With `play`, it is heard at the Unix time `when`, or as soon as it is there.

        Raises:
            UnisonError: what `Engine.run` raises, of the same class; or `Cancelled`, by whomever.
            Unreachable: the line was lost.
        """
        return self._make("/unison/run/json", [task, json.dumps(fields)], progress, when)[0]

    def stream(self, task: str, /, **fields: object) -> Generator[Wave, None, Take]:
        """Make one sound and yield its [samples], 48 kHz, as they are made; then return the take, for `yield from`.

        Who closes the iterator before its end cancels the job.

        Raises:
            UnisonError: what `run` raises.
        """
        jobs: set[str] = set()
        answers = self._answers("/unison/run/json", [task, json.dumps(fields)], jobs)
        job = str(next(answers).arguments[2])
        jobs.add(job)
        try:
            yield from self._http.sound(f"/jobs/{job}/sound.wav")
        except UnisonError:
            self._wait(answers, jobs)  # Where the job did not end well, that is why.
            raise
        except BaseException:
            self._cancel(jobs)
            raise
        return self._wait(answers, jobs)[0]

    def again(self, name: str, /, *, progress: Told | None = None, **changes: str | float) -> Take:
        """Make a take or a job once more: the same samples, or what `changes` of its request make of it.

        Raises:
            UnisonError: what `run` raises, and `ModelMissing` where another bundle made the sound.
        """
        pairs = [part for pair in changes.items() for part in pair]
        return self._make("/unison/job/again", [name, *pairs], progress)[0]

    def vary(self, name: str, count: int = 1, /, *, progress: Told | None = None) -> list[Take]:
        """Make `count` takes of the same request with fresh seeds, 16 at most.

        Raises:
            UnisonError: what `run` raises.
        """
        return self._make("/unison/job/vary", [name, count], progress)

    def tasks(self) -> dict[str, str]:
        """What can be made: the summary of each task by its name."""
        return {str(name): str(summary) for name, summary, _ in self.entries("/unison/task/list")}

    def call(self, address: str, *arguments: Argument) -> tuple[Argument, ...]:
        """Run a quick command; returns what its answer holds behind the request number, and of a done behind the job.

        Raises:
            UnisonError: it was refused.
        """
        # That a sound comes late is told before it is done.
        message = next(answer for answer in self._answers(address, arguments) if answer.address != _LATE)
        return message.arguments[3:] if message.address in _NAMED else message.arguments[1:]

    def entries(self, address: str, *arguments: Argument) -> list[tuple[Argument, ...]]:
        """Run a command that answers with a list; returns the fields of each entry.

        Raises:
            UnisonError: it was refused.
        """
        answers = itertools.takewhile(
            lambda message: message.address == "/unison/item", self._answers(address, arguments)
        )
        return [message.arguments[3:] for message in answers]

    def take(self, take_id: str) -> Take:
        """A take of the engine's library; its path is one of the engine's machine.

        Raises:
            UnknownAsset: there is no such take.
        """
        told = self._http.read(_page(take_id)).decode()
        return parse_take(told, Path(json.loads(told)["path"]))

    def save(self, take: Take, path: str | Path) -> Path:
        """Copy the WAV of a take to this machine.

        Raises:
            UnknownAsset: it is not there any more.
        """
        path = Path(path)
        path.write_bytes(self._http.read(_page(take.id) + "/sound.wav"))
        return path

    def _make(
        self, address: str, arguments: list[Argument], progress: Told | None, at: float | None = None
    ) -> list[Take]:
        jobs: set[str] = set()
        return self._wait(self._answers(address, arguments, jobs, at), jobs, progress)

    def _wait(self, answers: Iterator[Message], jobs: set[str], progress: Told | None = None) -> list[Take]:
        """The takes of all jobs that are told of; `jobs` are those that go on."""
        made: list[str] = []
        try:
            for message in answers:
                if message.address == _PROGRESS and progress:
                    progress(Progress(*message.arguments))  # type: ignore[arg-type]
                elif message.address == "/unison/ack":
                    jobs.add(str(message.arguments[2]))
                elif message.address == "/unison/done":
                    jobs.discard(str(message.arguments[2]))
                    made.append(str(message.arguments[7]))
                elif message.address == "/unison/cancelled":
                    jobs.discard(str(message.arguments[2]))
                    raise Cancelled(f"{message.arguments[2]!s} was cancelled while {message.arguments[3]!s}.")
                if made and not jobs:  # Every job was told of before the first of them ended.
                    break
        except Unreachable:
            raise
        except BaseException:
            self._cancel(jobs)
            raise
        return [self.take(take_id) for take_id in made]

    def _cancel(self, jobs: set[str]) -> None:
        for job in jobs:
            self._line.send(osc.encode(Message("/unison/job/cancel", (0, job))))

    def _answers(
        self,
        address: str,
        arguments: tuple[Argument, ...] | list[Argument],
        jobs: set[str] | None = None,
        at: float | None = None,
    ) -> Iterator[Message]:
        """Send a command; yields what answers it and, of `jobs`, how far they are. A refusal raises."""
        number = next(self._numbers)
        inbox = self._inboxes[number] = deque()
        try:
            self._line.send(osc.encode(Message(address, (number, *arguments), at)))
            while True:
                while not inbox:
                    self._sort(osc.decode(self._line.receive()), inbox)
                message = inbox.popleft()
                if message.address == "/unison/fail":
                    _, _, code, text, job = message.arguments
                    if jobs:
                        jobs.discard(str(job))
                    raise error_of(str(code), str(text))
                if message.address != _PROGRESS or (jobs and message.arguments[0] in jobs):
                    yield message
        finally:
            del self._inboxes[number]

    def _sort(self, messages: Iterable[Message], asked_last: deque[Message]) -> None:
        """Put what came where it is waited for; what could not be read is of who asked last."""
        for message in messages:
            if message.address == _PROGRESS:
                for inbox in self._inboxes.values():
                    inbox.append(message)
            elif message.address == "/unison/fail" and message.arguments[:2] == ("", 0):
                asked_last.append(message)
            elif not message.address.startswith("/unison/event/"):
                told = message.arguments[1] if message.address in _NAMED else message.arguments[0]
                if told in self._inboxes:
                    self._inboxes[told].append(message)


def _page(take_id: str) -> str:
    return f"/takes/{urllib.parse.quote(take_id, safe='')}"
