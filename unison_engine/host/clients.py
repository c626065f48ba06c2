"""Who listens, and where replies go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from unison_engine.errors import BadArguments, QueueFull
from unison_engine.host.osc import Message, encode
from unison_engine.host.peers import Peer, UdpPeer

LEASE_SECONDS = 600.0
MAX_CLIENTS = 64
TOPICS = frozenset({"asset", "device", "job", "log", "meter", "play", "transport", "xrun"})


@dataclass
class Options:
    """What a registered client may choose.

    Attributes:
        wide_types: its replies carry whole numbers as h and others as d, instead of i and f.
        progress_hz: how often progress is told per job, at most; 0 for not at all.
    """

    wide_types: bool = False
    progress_hz: float = 10.0


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
        options: what else it chose.
    """

    number: int
    source: Peer
    listens: Peer
    own_port: bool
    topics: frozenset[str]
    until: float
    options: Options = field(default_factory=Options)


class ClientBook:
    """Registered clients by where they send from, and who listens to which address.

    Attributes:
        latest: what was published last at each address.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `clock` gives seconds."""
        self._clock = clock
        self.latest: dict[str, Message] = {}
        self._clients: dict[Peer, Client] = {}
        self._listeners: dict[str, set[Peer]] = {}
        self._count = 0

    def register(self, source: Peer, port: int, topics: frozenset[str]) -> Client:
        """Enter a client, or change what it asked for before; port 0 stands for where it sends from.

        Raises:
            BadArguments: a topic does not exist, or a port was named that is not UDP.
            QueueFull: too many clients are registered.
        """
        if unknown := topics - TOPICS:
            raise BadArguments(
                f"there is no topic {', '.join(sorted(unknown))}; the topics are {', '.join(sorted(TOPICS))}."
            )
        if port and not isinstance(source, UdpPeer):
            raise BadArguments(f"the port is {port}; over TCP and WebSocket replies come on the same line: leave it 0.")
        listens = UdpPeer(source.host, port, source.transport) if port and isinstance(source, UdpPeer) else source
        self._expire()
        known = self._clients.get(source)
        if not known and len(self._clients) >= MAX_CLIENTS:
            raise QueueFull(f"{MAX_CLIENTS} clients are registered already; have one send /unison/notify with 0.")
        self._count += known is None
        number = known.number if known else self._count - 1
        options = known.options if known else Options()
        client = Client(number, source, listens, port > 0, topics, self._clock() + LEASE_SECONDS, options)
        self._clients[source] = client
        return client

    def drop(self, source: Peer) -> None:
        """Forget a client and every other that listens where it does."""
        listens = self._clients[source].listens if source in self._clients else source
        self._clients = {s: c for s, c in self._clients.items() if s != source and c.listens != listens}
        for listeners in self._listeners.values():
            listeners.discard(source)

    def renew(self, source: Peer) -> None:
        """The client sent something: extend its lease."""
        if client := self._clients.get(source):
            client.until = self._clock() + LEASE_SECONDS

    def options(self, source: Peer) -> Options | None:
        """What a client chose, to read and to change; None if it is not registered."""
        self._expire()
        client = self._clients.get(source)
        return client.options if client else None

    def send(self, message: Message, source: Peer) -> None:
        """Send a reply to whoever sent from `source`."""
        for peer in self.destinations(source):
            peer.send(encode(message, self._wide(peer)))

    def listen(self, address: str, peer: Peer) -> None:
        """What is published at an address goes to this peer as well."""
        self._listeners.setdefault(address, set()).add(peer)

    def ignore(self, address: str, peer: Peer) -> None:
        """It does no longer."""
        self._listeners.get(address, set()).discard(peer)

    def wanted(self, address: str, topic: str) -> bool:
        """Whether anybody would be told what is published there."""
        return bool(self._listeners.get(address) or self.subscribers(topic))

    def publish(self, message: Message, topic: str = "") -> None:
        """Send an event to all who asked for its topic or listen to its address."""
        self.latest[message.address] = message
        for peer in {*self.subscribers(topic), *self._listeners.get(message.address, ())}:
            peer.send(encode(message, self._wide(peer)))

    def unpublish(self, address: str) -> None:
        """Nothing comes from this address any more."""
        self.latest.pop(address, None)
        self._listeners.pop(address, None)

    def destinations(self, source: Peer) -> list[Peer]:
        """Where replies to this peer go.

        A registered client gets them where it listens. Any other gets them where it sent from, and over UDP copies
        go to the ports named from the same machine, since `oscsend` sends every message from a new port.
        """
        self._expire()
        if client := self._clients.get(source):
            return [client.listens]
        if not isinstance(source, UdpPeer):
            return [source]
        shared = {
            c.listens: None
            for c in self._clients.values()
            if c.own_port and isinstance(c.listens, UdpPeer) and c.listens.host == source.host
        }
        return [source, *(peer for peer in shared if peer != source)]

    def subscribers(self, topic: str) -> list[Peer]:
        """Where events of a topic go."""
        self._expire()
        return list({client.listens: None for client in self._clients.values() if topic in client.topics})

    def _wide(self, peer: Peer) -> bool:
        return any(client.options.wide_types for client in self._clients.values() if client.listens == peer)

    def _expire(self) -> None:
        now = self._clock()
        self._clients = {source: client for source, client in self._clients.items() if client.until > now}
