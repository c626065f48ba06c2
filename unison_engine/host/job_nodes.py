"""The last jobs as nodes of OSCQuery, to be read and listened to."""

from __future__ import annotations

from collections import deque

from unison_engine.host.clients import ClientBook
from unison_engine.host.jobs import Job
from unison_engine.host.namespace import Namespace, value_node
from unison_engine.host.osc import Message

MAX_NODES = 32
_GOING = "s state, f fraction, s stage"
_ENDED = "s state, s path, s code"


class JobNodes:
    """Keeps /unison/jobs: while a job goes on, its node tells how far it is, and later what became of it."""

    def __init__(self, namespace: Namespace, clients: ClientBook) -> None:
        """Nodes are kept in `namespace`; `clients` are told their values."""
        self._namespace = namespace
        self._clients = clients
        self._jobs: deque[Job] = deque()

    def changed(self, job: Job) -> None:
        """The job is new, or in another state."""
        if job not in self._jobs:
            ended = [one for one in self._jobs if one.state.final]
            # Who listens to a job wants to hear its end, so those that go on stay, however many they are.
            for one in ended[: max(0, len(self._jobs) - MAX_NODES + 1)]:
                self._jobs.remove(one)
                self._namespace.remove(_path(one))
                self._clients.unpublish(_path(one))
            self._jobs.append(job)
            self._namespace.add(value_node(_path(job), _GOING, job.task.summary, lambda: _going(job)))
        if job.state.final:
            self._namespace.add(value_node(_path(job), _ENDED, job.task.summary, lambda: _ended(job)))
            self._clients.publish(Message(_path(job), _ended(job)))
        else:
            self.advanced(job)

    def advanced(self, job: Job) -> None:
        """The job went on by a step."""
        if job in self._jobs:
            self._clients.publish(Message(_path(job), _going(job)))


def _path(job: Job) -> str:
    return f"/unison/jobs/{job.id}"


def _going(job: Job) -> tuple[str, float, str]:
    return job.state.value, job.fraction, job.stage


def _ended(job: Job) -> tuple[str, str, str]:
    return job.state.value, str(job.take.path) if job.take else "", job.error.code if job.error else ""
