"""What commands have done that takes longer than a packet may: in threads, answered when it is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from unison_engine.errors import UnisonError
from unison_engine.host.calls import Call, CallBook
from unison_engine.host.osc import Message
from unison_engine.host.reports import JobReports

log = logging.getLogger(__name__)


class Chores:
    """Runs them, in no order. Its methods belong to the event loop."""

    def __init__(self, calls: CallBook, reports: JobReports) -> None:
        """Answer in `calls`; who asked for a sync at `reports` waits for chores as for jobs."""
        self._calls = calls
        self._reports = reports
        self._going: dict[asyncio.Task[None], Call] = {}

    def start(self, call: Call, work: Callable[[], list[Message]]) -> list[Message]:
        """Run `work` in a thread; what it returns or raises answers the call. There is no answer yet."""
        call.pending += 1
        chore = asyncio.get_running_loop().create_task(self._run(call, work))
        self._going[chore] = call
        chore.add_done_callback(self._ended)
        return []

    def of(self, call: Call) -> set[object]:
        """What is being done for the client of a call."""
        return {chore for chore, other in self._going.items() if other.source == call.source}

    async def finish(self) -> None:
        """Wait for what has begun."""
        await asyncio.gather(*self._going, return_exceptions=True)

    async def _run(self, call: Call, work: Callable[[], list[Message]]) -> None:
        try:
            answer = await asyncio.to_thread(work)
        except UnisonError as error:
            answer = [call.fail(error)]
        except Exception as error:
            log.exception("%s failed", call.command)
            told = f"{type(error).__name__}: {error}; the server's log has the details, report them."
            answer = [call.fail(UnisonError(told))]
        call.pending -= 1
        self._calls.answer(call, answer)

    def _ended(self, chore: asyncio.Task[None]) -> None:
        del self._going[chore]
        self._reports.release(chore)
