"""The seven tasks of UNISON (arXiv 2605.31530), each as a stranger would write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unison_engine.hooks import hookimpl
from unison_engine.tasks import Task
from unison_plugins import (
    scene_edit,
    speech_and_sound,
    speech_edit,
    text_to_audio,
    text_to_speech,
    timeline,
    voice_clone,
)


@hookimpl
def unison_register_tasks(register: Callable[[Task[Any]], None]) -> None:
    """Register the seven tasks."""
    for module in (
        text_to_audio,
        text_to_speech,
        voice_clone,
        speech_and_sound,
        scene_edit,
        speech_edit,
        timeline,
    ):
        register(module.TASK)
