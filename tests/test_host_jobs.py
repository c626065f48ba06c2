from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.test_tasks import BELL
from unison_engine.errors import Interrupted, QueueFull, UnknownJob
from unison_engine.host.calls import KEEP_SECONDS, Call, CallBook
from unison_engine.host.clients import LEASE_SECONDS, ClientBook
from unison_engine.host.jobs import MAX_REMEMBERED, Job, JobQueue, State
from unison_engine.host.osc import Message
from unison_engine.host.peers import UdpPeer
from unison_engine.host.scheduler import Scheduler
from unison_engine.takes import TakeLibrary


def udp(port: int, host: str = "127.0.0.1") -> UdpPeer:
    return UdpPeer(host, port, asyncio.DatagramTransport())


CLIENT = udp(5000)


def add(queue: JobQueue, priority: int = 0) -> Job:
    request = BELL.parse({"metal": "iron", "priority": priority})
    return queue.add(BELL, request, Call(CLIENT, "/unison/run/bell", 1, ()))


def test_jobs_leave_by_priority_then_by_age() -> None:
    queue = JobQueue()
    jobs = [add(queue, priority) for priority in (0, 5, 0, 5, -1)]
    assert [queue.position(job) for job in jobs] == [2, 0, 3, 1, 4]
    assert [queue.take_next() for _ in range(6)] == [jobs[1], jobs[3], jobs[0], jobs[2], jobs[4], None]
    assert queue.get(jobs[4].id) is jobs[4]


def test_a_full_queue_says_so() -> None:
    queue = JobQueue(limit=2)
    first = add(queue)
    add(queue)
    with pytest.raises(QueueFull, match="2 of 2 jobs"):
        add(queue)
    queue.remove(first)
    add(queue)


def test_only_old_ended_jobs_are_forgotten() -> None:
    queue = JobQueue(limit=2 * MAX_REMEMBERED)
    jobs = [add(queue) for _ in range(MAX_REMEMBERED)]
    jobs[3].state = State.DONE
    add(queue)
    assert queue.get(jobs[0].id) is jobs[0]
    with pytest.raises(UnknownJob, match=jobs[3].id):
        queue.get(jobs[3].id)


def test_a_call_is_remembered_for_a_minute_after_its_last_reply() -> None:
    now = 0.0
    sent: list[Message] = []
    book = CallBook(lambda message, source: sent.append(message), clock=lambda: now)
    first = Call(CLIENT, "/unison/ping", 1, (), pending=1)
    ack, done = first.ack("job-1", 0, -1.0), first.done()
    assert book.admit(first)
    book.answer(first, [ack])
    now = 10 * KEEP_SECONDS
    assert not book.admit(Call(CLIENT, "/unison/ping", 1, ())) and sent == [ack, ack]
    first.pending = 0
    book.answer(first, [done], instead=ack)
    now += KEEP_SECONDS - 1
    assert not book.admit(Call(CLIENT, "/unison/ping", 1, ())) and sent == [ack, ack, done, done]
    assert book.admit(Call(udp(5001), "/unison/ping", 1, ()))
    assert book.admit(Call(CLIENT, "/unison/status", 1, ()))
    now += 2
    assert book.admit(Call(CLIENT, "/unison/ping", 1, ()))


def test_request_number_zero_is_never_a_repetition_and_never_answered() -> None:
    sent: list[Message] = []
    book = CallBook(lambda message, source: sent.append(message))
    for _ in range(2):
        call = Call(CLIENT, "/unison/ping", 0, ())
        assert book.admit(call)
        book.answer(call, [call.done()])
    assert not sent


def test_replies_go_where_a_client_listens() -> None:
    now = 0.0
    book = ClientBook(clock=lambda: now)
    other, elsewhere = udp(5001), udp(5000, "127.0.0.2")
    assert book.destinations(CLIENT) == [CLIENT]
    client = book.register(CLIENT, 9001, frozenset({"job"}))
    assert client.number == 0 and book.register(CLIENT, 9001, frozenset({"job"})).number == 0
    assert book.destinations(CLIENT) == [udp(9001)]
    assert book.destinations(other) == [other, udp(9001)]
    assert book.destinations(elsewhere) == [elsewhere]
    assert book.register(other, 0, frozenset()).number == 1
    assert book.destinations(other) == [other]
    assert book.subscribers("job") == [udp(9001)]
    now = LEASE_SECONDS - 1
    book.renew(CLIENT)
    now = LEASE_SECONDS + 1
    assert book.destinations(CLIENT) == [udp(9001)] and book.subscribers("job")
    book.drop(CLIENT)
    assert book.destinations(CLIENT) == [CLIENT] and not book.subscribers("job")


class DeadWorker:
    """One that has died, and cannot be started either."""

    alive = False

    def render(self, *arguments: object) -> None:
        raise Interrupted("the worker died.")

    def start(self) -> None:
        raise OSError("there is no memory for a process.")


def test_jobs_go_on_ending_where_the_worker_cannot_be_started_again(tmp_path: Path) -> None:
    ended: list[Job] = []

    async def serve() -> None:
        scheduler = Scheduler(
            cast(Any, DeadWorker()),
            TakeLibrary(tmp_path),
            cast(Any, None),
            lambda job: ended.append(job) if job.state.final else None,
            lambda job: None,
        )
        scheduler.ready = cast(Any, SimpleNamespace(layout=SimpleNamespace(sample_rate=24_000)))
        going = asyncio.create_task(scheduler.run())
        for _ in range(2):
            scheduler.submit(BELL, BELL.parse({"metal": "iron"}), Call(CLIENT, "/unison/run/bell", 1, ()))
        while len(ended) < 2 and not going.done():
            await asyncio.sleep(0.01)
        going.cancel()

    asyncio.run(serve())
    assert [job.state for job in ended] == [State.FAILED] * 2
    assert all(isinstance(job.error, Interrupted) for job in ended)
