"""Who listens, and where replies go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from unison_engine.errors import BadArguments, QueueFull
from unison_engine.host.calls import Address

LEASE_SECONDS = 600.0
MAX_CLIENTS = 64
TOPICS = frozenset({"job"})


@dataclass
class Client:
    """A client that registered with /unison/notify.

    Attributes:
        number: what the client is told it is.
        source: where its commands come from.
        listens: where its replies and events go.
        own_port: it named that port itself, so it may send from one socket and listen on another.
        topics: events it wants.
        until: end of its lease, renewed by whatever it sends.
    """

    number: int
    source: Address
    listens: Address
    own_port: bool
    topics: frozenset[str]
    until: float


class ClientBook:
    """Registered clients by the address they send from."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `clock` gives seconds."""
        self._clock = clock
        self._clients: dict[Address, Client] = {}
        self._count = 0

    def register(self, source: Address, port: int | None, topics: frozenset[str]) -> Client:
        """Enter a client, or change what it asked for before.

        Raises:
            BadArguments: the port or a topic does not exist.
            QueueFull: too many clients are registered.
        """
        if port is not None and not 0 < port < 65536:
            raise BadArguments(f"the port is {port}; it must be between 1 and 65535.")
        if unknown := topics - TOPICS:
            raise BadArguments(f"there is no topic {', '.join(sorted(unknown))}; the topics are {', '.join(TOPICS)}.")
        self._expire()
        known = self._clients.get(source)
        if not known and len(self._clients) >= MAX_CLIENTS:
            raise QueueFull(f"{MAX_CLIENTS} clients are registered already; have one send /unison/notify with 0.")
        self._count += known is None
        number = known.number if known else self._count - 1
        listens = source if port is None else (source[0], port)
        client = Client(number, source, listens, port is not None, topics, self._clock() + LEASE_SECONDS)
        self._clients[source] = client
        return client

    def drop(self, source: Address) -> None:
        """Forget a client and every other that listens where it does."""
        listens = self._clients[source].listens if source in self._clients else None
        self._clients = {s: c for s, c in self._clients.items() if s != source and c.listens != listens}

    def renew(self, source: Address) -> None:
        """The client sent something: extend its lease."""
        if client := self._clients.get(source):
            client.until = self._clock() + LEASE_SECONDS

    def destinations(self, source: Address) -> list[Address]:
        """Where replies to this address go.

        A registered client gets them where it listens. Any other gets them where it sent from, and copies go
        to the ports named from the same machine, since `oscsend` sends every message from a new port.
        """
        self._expire()
        if client := self._clients.get(source):
            return [client.listens]
        shared = {c.listens for c in self._clients.values() if c.own_port and c.source[0] == source[0]}
        return [source, *sorted(shared - {source})]

    def subscribers(self, topic: str) -> list[Address]:
        """Where events of a topic go."""
        self._expire()
        return sorted({client.listens for client in self._clients.values() if topic in client.topics})

    def _expire(self) -> None:
        now = self._clock()
        self._clients = {source: client for source, client in self._clients.items() if client.until > now}
