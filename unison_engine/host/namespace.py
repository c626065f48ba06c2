"""The address space as OSCQuery tells it: a tree of nodes with their types, ranges and values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from unison_engine.errors import BadArguments, UnknownAddress
from unison_engine.host.clients import ClientBook
from unison_engine.host.commands import AnyCommand
from unison_engine.host.replies import Sent, tags
from unison_engine.schema import Parameter

ATTRIBUTES = frozenset(
    {"FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "VALUE", "RANGE", "DESCRIPTION", "EXTENDED_TYPE", "UNIT"}
    | {"ARGUMENTS", "PAIRS"}
)
"""What nodes are told with. Two are our own, for who draws a form: ARGUMENTS tells more of the fixed arguments of TYPE,
and PAIRS of the name-value pairs that may follow them."""
WATCHED = ("LISTEN", "PATH_ADDED", "PATH_REMOVED", "PATH_CHANGED")
"""What a WebSocket carries besides OSC packets."""
_READ, _WRITE = 1, 2
_UNITS = {"seconds": "time.second"}

Json = dict[str, Any]


class Watcher(Protocol):
    """Wants to know what becomes of the tree."""

    def tell(self, command: str, path: str) -> None:
        """`command` is PATH_ADDED, PATH_REMOVED or PATH_CHANGED."""


@dataclass(frozen=True)
class Node:
    """One address.

    Attributes:
        path: its OSC address.
        attributes: what OSCQuery tells of it, without the value.
        value: reads its arguments as they are now; None for a command.
    """

    path: str
    attributes: Json
    value: Callable[[], Iterable[object]] | None = None

    def told(self) -> Json:
        """All attributes."""
        value = {} if self.value is None else {"VALUE": [_json(one) for one in self.value()]}
        return {"FULL_PATH": self.path, **self.attributes, **value}


class Namespace:
    """Nodes by path. Whoever watches is told when one comes, goes, or changes.

    Attributes:
        watchers: who is told.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.watchers: set[Watcher] = set()
        self._nodes: dict[str, Node] = {}

    def add(self, node: Node) -> None:
        """Add a node, or put it in the place of the one at its path."""
        told = "PATH_CHANGED" if node.path in self._nodes else "PATH_ADDED"
        self._nodes[node.path] = node
        self._tell(told, node.path)

    def remove(self, path: str) -> None:
        """Take a node out."""
        del self._nodes[path]
        self._tell("PATH_REMOVED", path)

    def readable(self, path: str) -> bool:
        """Whether there is a node with a value, which can be listened to."""
        return path in self._nodes and self._nodes[path].value is not None

    def describe(self, path: str, attribute: str = "") -> Json | None:
        """A node and all beneath it, or one attribute of it; None for a value that cannot be read.

        Raises:
            UnknownAddress: there is nothing at this path.
            BadArguments: there is no such attribute.
        """
        whole = self._describe(path.rstrip("/"))
        if whole is None:
            raise UnknownAddress(f"there is no node {path!r}; ask for / to see all.")
        if not attribute:
            return whole
        if attribute not in ATTRIBUTES:
            raise BadArguments(f"there is no attribute {attribute!r}; there are {', '.join(sorted(ATTRIBUTES))}.")
        if attribute == "VALUE" and "VALUE" not in whole:
            return None
        return {attribute: whole[attribute]} if attribute in whole else {}

    def _describe(self, path: str) -> Json | None:
        if node := self._nodes.get(path):
            return node.told()
        behind = [other.removeprefix(f"{path}/") for other in self._nodes if other.startswith(f"{path}/")]
        beneath = sorted({rest.split("/")[0] for rest in behind})
        if not beneath:
            return None
        return {
            "FULL_PATH": path or "/",
            "ACCESS": 0,
            "CONTENTS": {name: self._describe(f"{path}/{name}") for name in beneath},
        }

    def _tell(self, command: str, path: str) -> None:
        for watcher in self.watchers:
            watcher.tell(command, path)


def command_node(command: AnyCommand) -> Node:
    """The node of a command: it can be written, and its type is that of the request number and the fixed arguments."""
    fixed = [parameter for parameter in command.parameters if parameter.fixed]
    told = {
        "ARGUMENTS": {p.name: _field(p) for p in fixed},
        "PAIRS": {p.name: _field(p) for p in command.parameters if not p.fixed},
    }
    attributes = {
        "DESCRIPTION": command.summary,
        "ACCESS": _WRITE,
        "TYPE": "i" + "".join(parameter.tag for parameter in fixed),
        "EXTENDED_TYPE": ["request number", *(parameter.name for parameter in fixed)],
        "RANGE": [None, *map(_range, fixed)],
        "UNIT": [None, *(_UNITS.get(parameter.unit) for parameter in fixed)],
    }
    return Node(command.address, attributes | {name: fields for name, fields in told.items() if fields})


def value_node(path: str, fields: str, description: str, value: Callable[[], Iterable[object]]) -> Node:
    """A node that can be read and listened to; `fields` as `s state, f fraction`."""
    attributes = {
        "DESCRIPTION": description,
        "ACCESS": _READ,
        "TYPE": tags(fields),
        "EXTENDED_TYPE": [field.split()[1] for field in fields.split(", ")],
    }
    return Node(path, attributes, value)


def event_node(event: Sent, clients: ClientBook) -> Node:
    """The node of an event; its value is that of the last one, and null before the first."""
    none = [None for _ in tags(event.fields)]

    def value() -> Iterable[object]:
        latest = clients.latest.get(event.address)
        return latest.arguments if latest else none

    return value_node(event.address, event.fields, event.when, value)


def _field(parameter: Parameter) -> Json:
    told = {
        "TYPE": parameter.tag,
        "REQUIRED": parameter.required,
        "DEFAULT": _default(parameter),
        "RANGE": _range(parameter),
        "UNIT": _UNITS.get(parameter.unit),
        "MEANING": parameter.meaning or None,
    }
    return {"DESCRIPTION": parameter.description} | {name: value for name, value in told.items() if value is not None}


def _default(parameter: Parameter) -> object:
    return int(parameter.default) if isinstance(parameter.default, bool) else parameter.default


def _range(parameter: Parameter) -> Json | None:
    if parameter.kind is bool:
        return {"VALS": [0, 1]}
    if parameter.choices:
        return {"VALS": list(parameter.choices)}
    limits = {"MIN": parameter.minimum, "MAX": parameter.maximum}
    return {name: parameter.kind(limit) for name, limit in limits.items() if limit is not None} or None


def _json(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
