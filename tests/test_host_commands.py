"""The declarations of commands: the reference made from them, and how arguments become names."""

from __future__ import annotations

from pathlib import Path

import pytest

from unison_engine.errors import BadArguments, UnknownAddress, UnknownTask
from unison_engine.host.address_space import AddressSpace
from unison_engine.host.reference import reference
from unison_engine.registry import load_registry

ROOT = Path(__file__).parent.parent
SPACE = AddressSpace(load_registry())


def test_the_reference_is_that_of_the_code() -> None:
    page = ROOT / "docs" / "osc-reference.md"
    command = "python -m unison_engine.host.reference docs/osc-reference.md"
    assert page.read_text() == reference(), f"run: {command}"


def test_everything_that_people_read_is_told() -> None:
    for command in SPACE.commands.values():
        assert command.summary.endswith((".", "?")), command.address
        for parameter in command.parameters:
            assert parameter.description.endswith("."), (command.address, parameter.name)


def test_arguments_are_fixed_ones_then_pairs() -> None:
    command = SPACE.find("/unison/run/text_to_audio")
    assert command.named(("rain",)) == {"prompt": "rain"}
    assert command.named(("rain", 2.0, "seed", 3)) == {"prompt": "rain", "seconds": 2.0, "seed": 3}
    for arguments, told in (
        (("rain", 2.0, "seed"), "other half"),
        (("rain", 2.0, 3, 4), "not a name"),
        (("rain", 2.0, "seed", 3, "seed", 4), "given twice"),
    ):
        with pytest.raises(BadArguments, match=told):
            command.named(arguments)


def test_what_is_not_there_is_told_with_what_is_near() -> None:
    with pytest.raises(UnknownAddress, match="/unison/status"):
        SPACE.find("/unison/statos")
    with pytest.raises(UnknownTask, match="text_to_audio"):
        SPACE.find("/unison/run/text_to_odio")
    for pattern in ("/unison/run/*", "/unison/{ping,quit}", "//ping"):
        with pytest.raises(UnknownAddress, match="pattern"):
            SPACE.find(pattern)
