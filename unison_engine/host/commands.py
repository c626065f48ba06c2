"""What a command is: its address, its arguments as a schema, and what it does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from unison_engine.errors import BadArguments
from unison_engine.guard import Guard
from unison_engine.host import osc
from unison_engine.host.calls import Call
from unison_engine.host.context import Host
from unison_engine.host.osc import Message
from unison_engine.host.replies import DONE, Reply
from unison_engine.schema import Parameter, Schema, parameters


class Nothing(Schema):
    """A command without arguments."""


A = TypeVar("A", bound=Schema)


@dataclass(frozen=True)
class Command(Generic[A]):
    """One OSC command.

    Attributes:
        address: its OSC address.
        summary: one line for people.
        arguments: schema of what follows the request number.
        run: does it and returns the replies that there are at once.
        reply: what these are.
        plugin: whose schema and code it is; empty for the host's own.
        timed: it is run when it comes, and minds the time tag of its bundle itself.
    """

    address: str
    summary: str
    arguments: type[A]
    run: Callable[[Host, Call, A], list[Message]]
    reply: Reply = DONE
    plugin: str = ""
    timed: bool = False

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its arguments: fixed ones first, then those given as name-value pairs."""
        return parameters(self.arguments)

    def named(self, arguments: tuple[osc.Argument, ...]) -> dict[str, object]:
        """Arguments by name: first the fixed ones, then name-value pairs.

        Raises:
            BadArguments: a pair has no value, no name, or a name that was given before.
        """
        fixed = [parameter.name for parameter in self.parameters if parameter.fixed]
        named: dict[str, object] = dict(zip(fixed, arguments, strict=False))
        pairs = arguments[len(fixed) :]
        behind = f"after {', '.join(('the request number', *fixed))} come pairs of a name and a value"
        if len(pairs) % 2:
            raise BadArguments(f"{self.address}: {behind}; {pairs[-1]!r} is without its other half.")
        for name, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(name, str) or name in named:
                told = "is given twice" if name in named else "is not a name"
                raise BadArguments(f"{self.address}: {name!r} {told}; {behind}.")
            named[name] = value
        return named

    def __call__(self, host: Host, call: Call) -> list[Message]:
        """Read the arguments and do it.

        Raises:
            BadArguments: an argument is missing, unknown, of the wrong type or out of range.
            PluginFailed: a validator of a plugin raised what it should not.
            UnisonError: what the command itself raises.
        """
        named = self.named(call.arguments)
        with Guard({self.address: self.plugin})(self.address) if self.plugin else contextlib.nullcontext():
            asked = self.arguments.read(self.address, named, {"find": host.finder(call)})
        return self.run(host, call, asked)


AnyCommand = Command[Any]
