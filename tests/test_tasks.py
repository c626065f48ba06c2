from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import pytest
from pydantic import Field

from unison_engine.conditioning import Conditioning
from unison_engine.errors import BadArguments, UnknownAsset, UnknownTask
from unison_engine.hooks import hookimpl
from unison_engine.registry import load_registry
from unison_engine.schema import parameters
from unison_engine.tasks import Fixed, Recording, Request, Seconds, Task, TaskContext, Text


class Bell(Request):
    metal: Annotated[Text, Field(description="What it is made of."), Fixed()]
    strikes: Annotated[int, Field(ge=1, le=12, description="How often it is struck."), Fixed()] = 1
    tower: Annotated[Literal["near", "far"], Field(description="Where it hangs.")] = "near"
    seconds: Annotated[Seconds | None, Field(description="Length of the sound.")] = None
    room: Annotated[Recording | None, Field(description="A recording of the room.")] = None


def ring(request: Bell, context: TaskContext) -> Conditioning:
    return Conditioning(f"[Audio] a {request.metal} bell", request.seconds or 2.0)


BELL = Task("bell", "A bell.", Bell, ring)


def test_parameters_are_read_from_the_schema() -> None:
    known = {parameter.name: parameter for parameter in parameters(Bell)}
    assert list(known) == [
        *("metal", "strikes", "tower", "seconds", "room"),
        *("seed", "steps", "guidance", "lufs", "play", "priority", "out", "tag"),
    ]
    assert [name for name, parameter in known.items() if parameter.fixed] == ["metal", "strikes"]
    assert [name for name, parameter in known.items() if parameter.required] == ["metal"]
    strikes, seconds = known["strikes"], known["seconds"]
    assert (strikes.kind, strikes.minimum, strikes.maximum, strikes.default) == (int, 1.0, 12.0, 1)
    assert (seconds.kind, seconds.unit, seconds.minimum, seconds.default) == (float, "seconds", 0.0, None)
    assert known["tower"].choices == ("near", "far") and known["room"].recording
    assert known["metal"].description == "What it is made of."


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "'metal' is missing"),
        ({"metal": "  "}, "at least 1 character"),
        ({"metal": "iron", "strikes": 13}, "strikes is 13: input should be less than or equal to 12"),
        ({"metal": "iron", "strikes": 1.5}, "strikes is 1.5"),
        ({"metal": "iron", "seconds": float("nan")}, "seconds is nan"),
        ({"metal": "iron", "tower": "lost"}, "'near' or 'far'"),
        ({"metal": "iron", "strike": 2}, "did you mean 'strikes'?"),
        ({"metal": "iron", "seed": 2**31}, "seed is 2147483648"),
        ({"metal": "iron", "out": "../bell.wav"}, "out is '../bell.wav'"),
    ],
)
def test_bad_arguments_are_explained(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(BadArguments) as error:
        BELL.parse(arguments)
    assert told in str(error.value) and str(error.value).startswith("bell: ")


def test_a_seed_is_drawn_when_none_is_given() -> None:
    assert len({BELL.parse({"metal": "iron"}).seed for _ in range(8)}) > 1
    assert BELL.parse({"metal": "iron", "seed": 7.0}).seed == 7


def test_recordings_become_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hall.wav").touch()
    monkeypatch.chdir(tmp_path)
    assert BELL.parse({"metal": "iron", "room": "hall.wav"}).room == str(tmp_path / "hall.wav")
    with pytest.raises(UnknownAsset, match=r"barn\.wav"):
        BELL.parse({"metal": "iron", "room": "barn.wav"})
    found = BELL.parse({"metal": "iron", "room": "take-1"}, find=lambda name: tmp_path / f"{name}.wav")
    assert found.room == str(tmp_path / "take-1.wav")


class Odd(Request):
    shape: Annotated[list[int], Field(description="Not a type that OSC carries.")]


class Blob(Request):
    sound: Annotated[bytes, Field(description="Not a type that a recipe holds.")]


def plugin(monkeypatch: pytest.MonkeyPatch, name: str, *tasks: Task[Bell], fault: str = "") -> EntryPoint:
    module = ModuleType(name)

    @hookimpl
    def unison_register_tasks(register: object) -> None:
        if fault:
            raise SystemExit(fault)
        for task in tasks:
            register(task)  # type: ignore[operator]

    vars(module)["unison_register_tasks"] = unison_register_tasks
    monkeypatch.setitem(sys.modules, name, module)
    return EntryPoint(name, name, "unison_engine")


def test_a_failing_plugin_is_listed_and_the_rest_work(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = load_registry(
        [
            EntryPoint("absent", "no_such_module_anywhere", "unison_engine"),
            plugin(monkeypatch, "bells", BELL),
            plugin(monkeypatch, "again", BELL),
            plugin(monkeypatch, "exits", fault="stop everything"),
            plugin(monkeypatch, "odd", Task("odd", "Odd.", Odd, ring)),  # type: ignore[arg-type]
            plugin(monkeypatch, "blob", Task("blob", "A blob.", Blob, ring)),  # type: ignore[arg-type]
        ]
    )
    assert list(registry.tasks) == ["bell"]
    errors = {plugin.name: plugin.error for plugin in registry.plugins}
    assert errors["bells"] == "" and "no_such_module_anywhere" in errors["absent"]
    assert "already registered bell" in errors["again"]
    assert "stop everything" in errors["exits"] and "shape" in errors["odd"]
    assert "takes bytes as 'sound'" in errors["blob"]


def test_unknown_tasks_name_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = load_registry([plugin(monkeypatch, "bells", BELL)])
    assert registry.task("bell") is BELL
    with pytest.raises(UnknownTask, match=r"did you mean 'bell'\?"):
        registry.task("bel")
    with pytest.raises(UnknownTask, match="install unison-plugins"):
        load_registry([]).task("bell")
