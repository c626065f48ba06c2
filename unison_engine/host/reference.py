"""The reference of all OSC commands, made from their declarations: `python -m unison_engine.host.reference FILE`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from unison_engine.errors import KINDS, UnisonError
from unison_engine.host.address_space import AddressSpace
from unison_engine.host.commands import AnyCommand
from unison_engine.host.delivery import Delivery
from unison_engine.host.replies import EVENTS, SENT
from unison_engine.host.task_commands import TAKE
from unison_engine.registry import load_registry
from unison_engine.schema import Parameter, parameters
from unison_engine.tasks import Request

_ACKED = ("/unison/run/", "/unison/job/again", "/unison/job/vary")

_INTRODUCTION = """# OSC reference

Made from the code by `python -m unison_engine.host.reference docs/osc-reference.md`; [OSC](osc.md) tells how the parts
work together. Every command begins with a request number, `i req`, that its replies repeat; 0 asks for no reply. Any
number type is taken for any number, and 1 or 0 for a flag. Fixed arguments come in the order of the table, and those
with a default may be left out from the end. The others are pairs of a name and a value behind them, in any order.
"""


def reference() -> str:
    """The page, in Markdown."""
    commands = AddressSpace(load_registry()).commands.values()
    tasks = [command for command in commands if issubclass(command.arguments, Request)]
    others = [command for command in commands if command not in tasks]
    common = (*parameters(Request), *parameters(Delivery))
    return "\n".join(
        [
            _INTRODUCTION,
            "## What the host sends\n",
            *_table(
                ("address", "arguments", "when"),
                ((f"`{s.address}`", f"`{s.fields}`", s.when) for s in (*SENT, *EVENTS)),
            ),
            "\nThe dots stand for what each command adds, as told with it.\n",
            "## Codes\n",
            "Those of `/unison/fail` and `/unison/job/query`, and of clients without an engine. They never change.\n",
            *_table(("code", "when"), ((f"`{code}`", _first_line(kind)) for code, kind in sorted(KINDS.items()))),
            "",
            "## Tasks\n",
            "All of them take these pairs besides their own.\n",
            *_arguments(common),
            "",
            *(line for command in tasks for line in _section(command, common)),
            "## Other commands\n",
            *(line for command in others for line in _section(command, [])),
        ]
    )


def _first_line(kind: type[UnisonError]) -> str:
    return (kind.__doc__ or "").splitlines()[0]


def _section(command: AnyCommand, told: Sequence[Parameter]) -> list[str]:
    known = [parameter for parameter in command.parameters if parameter not in told]
    details = f", with `{command.reply.fields}`" if command.reply.fields else ""
    made = command.reply is TAKE and command.address.startswith(_ACKED)
    answer = f"Answer: {'`/unison/ack`, then ' if made else ''}`{command.reply.address}`{details}.\n"
    return [f"### `{command.address}`\n", f"{command.summary}\n", *_arguments(known), *([""] if known else []), answer]


def _arguments(known: Sequence[Parameter]) -> list[str]:
    columns = ("", "argument", "range", "default", "meaning")
    return _table(columns, (_row(parameter) for parameter in known)) if known else []


def _row(parameter: Parameter) -> tuple[str, ...]:
    unit = f" ({parameter.unit})" if parameter.unit else ""
    default = int(parameter.default) if isinstance(parameter.default, bool) else parameter.default
    shown = "" if default in (None, "") else f"`{default}`"
    place = "fixed" if parameter.fixed else "pair"
    return (
        place + ", required" * (parameter.required and not parameter.fixed),
        f"`{parameter.tag} {parameter.name}`",
        _range(parameter),
        shown,
        parameter.description + unit,
    )


def _range(parameter: Parameter) -> str:
    if parameter.choices:
        return ", ".join(f"`{choice}`" for choice in parameter.choices if choice)
    if parameter.kind is bool:
        return "0, 1"
    low, high = (f"{limit:.12g}" if limit is not None else "" for limit in (parameter.minimum, parameter.maximum))
    return f"{low} to {high}" if low or high else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
