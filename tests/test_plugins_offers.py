"""What a plugin may not offer, and what its backend may not do to who uses it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Annotated, Any

import pytest
from pydantic import Field, create_model

from unison_engine.bundle import Bundle
from unison_engine.conditioning import Conditioning
from unison_engine.doctor import examine
from unison_engine.errors import BackendFailed, ModelMissing
from unison_engine.hooks import hookimpl
from unison_engine.host.delivery import Delivery
from unison_engine.offers import TAKEN_FIELDS
from unison_engine.registry import Registry, load_registry
from unison_engine.tasks import Request, Task


def loaded(monkeypatch: pytest.MonkeyPatch, hook: str, offered: object) -> Registry:
    def register_one(register: Callable[[object], None]) -> None:
        register(offered)

    module = ModuleType("stranger")
    register_one.__name__ = hook
    vars(module)[hook] = hookimpl(register_one)
    monkeypatch.setitem(sys.modules, "stranger", module)
    return load_registry([EntryPoint("stranger", "stranger", "unison_engine")])


@pytest.mark.parametrize("field", ["rate", "output", "progress", "help"])
def test_a_task_with_a_field_that_the_host_or_the_shell_takes_is_refused(
    monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    wanted: dict[str, Any] = {field: (Annotated[str, Field(description="Anything.")], "")}
    task = Task("odd", "Odd.", create_model("Odd", __base__=Request, **wanted), lambda _, __: Conditioning("", 1.0))
    registry = loaded(monkeypatch, "unison_register_tasks", task)
    assert f"the task 'odd' takes {field!r}" in registry.plugin("stranger").error and not registry.tasks


def test_every_pair_of_a_delivery_is_taken_and_listed_in_the_docs() -> None:
    assert Delivery.model_fields.keys() < TAKEN_FIELDS
    page = (Path(__file__).parent.parent / "docs" / "plugins.md").read_text()
    assert not [name for name in TAKEN_FIELDS if f"`{name}`" not in page]


def test_whatever_a_backend_raises_is_told_as_its_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(error: Exception) -> Callable[..., Any]:
        def run(*_: object, **__: object) -> Any:
            raise error

        return run

    spy = SimpleNamespace(name="stranger", automatic=False, precision=None, load=None)
    spy.describe = raising(OSError("no such card"))
    registry = loaded(monkeypatch, "unison_register_backends", spy)
    backend, bundle = registry.backends["stranger"], Bundle.open("nano")
    with pytest.raises(BackendFailed, match="stranger: OSError: no such card"):
        backend.describe()
    assert "backend    stranger: no, stranger: OSError: no such card" in "\n".join(examine(registry))
    spy.load = lambda *_: raising(RuntimeError("out of memory"))
    with pytest.raises(BackendFailed, match="stranger: RuntimeError: out of memory"):
        backend.load(bundle, "step", 1)()
    spy.load = raising(KeyError("step"))
    with pytest.raises(BackendFailed, match="stranger: KeyError: 'step'"):
        backend.load(bundle, "step", 1)
    spy.load = raising(ModelMissing("there is no file."))
    with pytest.raises(ModelMissing, match="no file"):
        backend.load(bundle, "step", 1)
